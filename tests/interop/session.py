# SPDX-License-Identifier: MIT
"""One link in use, and the books kept of it.

Everything is counted four times: by the device, by the relay (packets as
they came, before any fault), by the kernel's two SAs, and by its
/proc/net/xfrm_stat. settle() waits until all of them tell the same story,
the announced faults included, and says what does not fit.
"""
import collections
import re
import time

from device import Process
from link import SPI_IN, SPI_OUT
from relay import IN, OUT

SETTLE_S = 3
QUIET_S = 0.02
# Of the device's counters those that must be 0 unless announced. Multicast
# reports are discarded by a policy, and nobody knows how many there are.
DEVICE_ERRORS = re.compile(r'(in_drop\.|port\.|sa_\w+\.drop_|lost|'
                           r'out_drop\.(?!DISCARD))')
READ = '/sbin/ip -s xfrm state; cat /proc/net/xfrm_stat'


def parse_state(text):
    """Counters of the two SAs from `ip -s xfrm state`: e.g. 'in.packets'
    for the kernel's inbound one, which is the device's outbound."""
    counters = collections.Counter()
    for block in re.split(r'^(?=src )', text, flags=re.M):
        m = re.search(r'spi 0x([0-9a-f]+)', block)
        if not m:
            continue
        name = {SPI_OUT: 'in.', SPI_IN: 'out.'}[int(m.group(1), 16)]
        m = re.search(r'(\d+)\(bytes\), (\d+)\(packets\)\s+add', block)
        counters[name + 'bytes'] = int(m.group(1))
        counters[name + 'packets'] = int(m.group(2))
        m = re.search(r'replay-window (\d+) replay (\d+) failed (\d+)', block)
        for n, value in zip(('replay-window', 'replay', 'failed'),
                            m.groups()):
            counters[name + n] = int(value)
        m = re.search(r'seq-hi 0x(\w+), seq 0x(\w+), '
                      r'oseq-hi 0x(\w+), oseq 0x(\w+)', block)
        if m:
            n = [int(x, 16) for x in m.groups()]
            counters['in.seq' if name == 'in.' else 'out.seq'] = \
                n[0] << 32 | n[1] if name == 'in.' else n[2] << 32 | n[3]
    return counters


def parse_stat(text):
    return collections.Counter(
        {m.group(1): int(m.group(2))
         for m in re.finditer(r'^(Xfrm\w+)\s+(\d+)', text, re.M)})


class Session:
    def __init__(self, link, guest, relay, program, log, make=Process):
        """`make`: what starts the device, and is then talked to."""
        self.link, self.guest, self.relay = link, guest, relay
        self.kernel_expected = collections.Counter()
        self.device_expected = collections.Counter()
        self.lost = {OUT: 0, IN: 0}
        self.refused = False
        self.device = None
        relay.reset(link.natt)
        relay.capture(log + '.pcap')
        with open(log + '.esp_sa', 'w') as f:
            f.write(link.wireshark())
        self.kernel_before = parse_stat(guest.must(
            "/sbin/ip -batch - <<'END' || exit 1\n%sEND\n%s" %
            (link.guest_batch(), READ)))
        self.device = make(program, relay.directory, link,
                           log + '.device.log')
        self.device.wait_ready()
        self.mark()

    def read_guest(self):
        """Of the SAs what they are, of the rest what was added."""
        text = self.guest.must(READ)
        counters = parse_stat(text)
        counters.subtract(self.kernel_before)
        counters.update(parse_state(text))
        return counters

    # ---- what a case announces

    def expect_kernel(self, counters):
        self.kernel_expected.update(counters)

    def expect_device(self, counters):
        self.device_expected.update(counters)

    def lose(self, direction, count):
        """So many packets will not be counted by the receiver's SA."""
        self.lost[direction] += count

    def kernel_may_refuse(self):
        """What it has sealed, or was about to, once it knows that the path
        is too narrow for it."""
        self.refused = True

    def wait(self, seconds):
        time.sleep(seconds)

    # ---- what a case may ask

    def mark(self):
        """A case begins."""
        self.stats = {}
        self.kernel = collections.Counter()
        self.start = {d: self.relay.count[d]['packet'] for d in (OUT, IN)}
        self.payload = 0
        self.wrapped = False

    def carried(self, payload):
        """At least so many bytes must have gone each way, protected."""
        self.payload = payload

    def must_have_wrapped(self):
        self.wrapped = True

    def packets(self, direction):
        return self.relay.count[direction]['packet'] - self.start[direction]

    # ---- the books

    def pairs(self):
        """(what, what it is, what it should be)"""
        sent = {d: self.relay.count[d]['packet'] for d in (OUT, IN)}
        k, s = self.kernel, self.stats
        yield 'kernel packets in', k['in.packets'], sent[OUT] - self.lost[OUT]
        out = k['out.packets']
        if self.refused:
            out = min(out, sent[IN])
            k = collections.Counter(k)
            del k['XfrmOutStateModeError']
        yield 'kernel packets out', out, sent[IN]
        yield 'device packets out', s.get('sa_out.packets', 0), sent[OUT]
        yield ('device packets in', s.get('sa_in.packets', 0),
               sent[IN] - self.lost[IN])
        yield ('device packets protected', s.get('out_protect', 0),
               s.get('sa_out.packets', 0))
        names = [n for n in k if n.startswith('Xfrm')] + \
            [io + n for io in ('in.', 'out.')
             for n in ('replay-window', 'replay', 'failed')]
        for n in sorted(set(names) | set(self.kernel_expected)):
            yield 'kernel ' + n, k[n], self.kernel_expected[n]
        names = [n for n in s if DEVICE_ERRORS.match(n)]
        for n in sorted(set(names) | set(self.device_expected)):
            yield 'device ' + n, s.get(n, 0), self.device_expected[n]

    def complaints(self):
        bad = ['%s: %d, not %d' % p for p in self.pairs() if p[1] != p[2]]
        for d in OUT, IN:
            if self.packets(d) == 0:
                bad.append('no protected packet went %s' % d)
        for n in 'in.', 'out.':
            if self.kernel[n + 'bytes'] < self.payload:
                bad.append('kernel %sbytes: %d, under the payload of %d'
                           % (n, self.kernel[n + 'bytes'], self.payload))
        if self.wrapped:
            for n, value in (
                    ('kernel in', self.kernel['in.seq']),
                    ('kernel out', self.kernel['out.seq']),
                    ('device in', self.stats.get('sa_in.seq', 0)),
                    ('device out', self.stats.get('sa_out.seq', 0))):
                if value < 2**32:
                    bad.append('%s: sequence number %#x has not passed 2^32'
                               % (n, value))
        for direction, data in self.relay.clear[:3]:
            bad.append('in clear, %s: %s' % (direction, data.hex()))
        if self.relay.error:
            bad.append('relay: %s' % self.relay.error)
        return bad

    def settle(self):
        """What is wrong, once nothing changes any more; [] if nothing."""
        end = time.monotonic() + SETTLE_S
        while True:
            if self.relay.quiet_for() >= QUIET_S:
                self.stats = self.device.stats()
                self.kernel = self.read_guest()
                bad = self.complaints()
                if not bad or time.monotonic() > end:
                    return bad
            time.sleep(QUIET_S)

    def close(self):
        """0 if the device ended well."""
        self.relay.capture(None)
        return self.device.stop() if self.device else 0
