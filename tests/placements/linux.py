#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ipsecgw as a bump in the stack and as a bump in the wire, for a host and for
a network, against a Linux kernel in QEMU: half of `make placements`.

linux.py --program IPSECGW --build DIR --cache DIR [--filter 'WORD...']
         [--list] [--keep]

A line each case, then "N passed, N failed, N skipped"."""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'gateway'),
                os.path.join(HERE, '..', 'interop')]

import cases                   # of tests/gateway
import guest
import image
import net
import session
import wire
from link import (BEHIND, DEVICE, GUEST, GUEST_ADDRESSES, ICMP6_ND, SPI_IN,
                  SPI_OUT, Link)
from relay import IN, OUT

PLACEMENTS = 'bits-linux', 'bitw'
ROLES = 'host', 'gateway'
MODES = 'transport', 'tunnel'
FAMILIES = 4, 6
LAN = {4: '10.77.1.5', 6: 'fd77:1::5'}       # a host behind the gateway,
LAN_GATE = {4: '10.77.1.1', 6: 'fd77:1::1'}  # and its way out
LAN_NET = {4: '10.77.1.0/24', 6: 'fd77:1::/64'}
FAR_NET = {4: '10.77.2.0/24', 6: 'fd77:2::/64'}
ALL = {4: '0.0.0.0/0', 6: '::/0'}
BITS = {4: 24, 6: 64}
MTU = 1500
TCP = 10 * 1000 * 1000
SIZES = 1, 8, 512, 8192, 65000
BOOTS = 3
SETTLE_S = 5
QUIET_S = 0.5                  # then the guest has introduced itself

# UDP echo of each size; a second try where allowed: path MTU discovery takes
# the first. Prints how many took one.
UDP = r'''
import random, socket, sys
to, df, again = sys.argv[1], sys.argv[2], int(sys.argv[3])
six = ":" in to
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET,
                  socket.SOCK_DGRAM)
if df == "never":
    s.setsockopt(0, 10, 0)
s.connect((to, 7))
s.settimeout(2)
used = 0
for size in map(int, sys.argv[4:]):
    data = random.randbytes(size)
    for turn in range(2):
        try:
            s.send(data)
            while s.recv(65536) != data:
                pass
            break
        except OSError as e:
            why = e
        used += 1
        if used > again or turn:
            print("%d bytes: %s" % (size, why))
            sys.exit(1)
print(used)
'''

TCP_CLIENT = r'''
import random, socket, sys, threading
to, size = sys.argv[1], int(sys.argv[2])
s = socket.create_connection((to, 7), 10)
data = random.randbytes(size)
def send():
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
s.settimeout(20)
back = bytearray()
while True:
    try:
        some = s.recv(1 << 20)
    except OSError as e:
        print("after %d bytes: %s" % (len(back), e))
        sys.exit(1)
    if not some:
        break
    back += some
if back != data:
    print("%d of %d bytes, or others" % (len(back), size))
    sys.exit(1)
'''


def sealed(mode, family, fits):
    """Payload of the longest datagram that AES-GCM makes `fits` bytes behind
    the IP header of."""
    inner = 0 if mode == 'transport' else 20 if family == 4 else 40
    return (fits - 8 - 8 - 16) // 4 * 4 - 2 - inner - 8


def edges(mode, family):
    """Sizes round those where a datagram just fits the MTU, or two of it: in
    clear, and protected."""
    room = MTU - (20 if family == 4 else 40)
    piece = room & ~7 if family == 4 else (room - 8) & ~7
    sizes = set()
    for fits in room, 2 * piece:
        for edge in fits - 8, sealed(mode, family, fits):
            sizes.update(range(edge - 3, edge + 4))
    return sorted(sizes)


class Row:
    """One of the matrix: stations, ipsecgw, and the guest set up for it."""

    def __init__(self, run, placement, role, mode, family):
        self.run, self.placement, self.role = run, placement, role
        self.mode, self.family = mode, family
        self.link = Link('gcm128', mode, family)
        if role == 'gateway':
            self.link.device = LAN[family]
            self.link.target = BEHIND[family]
        self.to = self.link.target
        self.site = self.gateway = self.host = None

    @property
    def name(self):
        return '%s %s %s %d' % (self.placement, self.role, self.mode,
                                self.family)

    # ---- set-up

    def sas(self):
        """With a window of 4096: where the kernel's engine is busy, a packet
        of its may be overtaken by hundreds."""
        link = self.link
        return ''.join(
            'add %s %s esp 0x%x -m %s -r 512 -E aes-gcm-16 0x%s;\n'
            % (src, dst, spi, self.mode, link.encr_key(spi))
            for src, dst, spi in ((link.local, link.remote, SPI_OUT),
                                  (link.remote, link.local, SPI_IN)))

    def policies(self):
        link = self.link
        for way, src, dst, a, b in (
                ('out', link.device, link.target, link.local, link.remote),
                ('in', link.target, link.device, link.remote, link.local)):
            ends = '%s-%s' % (a, b) if self.mode == 'tunnel' or \
                self.role == 'gateway' else ''
            yield 'spdadd %s %s any -P %s ipsec esp/%s/%s/require;\n' \
                % (src, dst, way, self.mode, ends)
            for kind in ICMP6_ND if self.family == 6 else ():
                yield 'spdadd ::/0 ::/0 icmp6 %d,0 -P %s prio high none;\n' \
                    % (kind, way)

    def addresses(self, ns, device, table):
        """One of each family."""
        ns.must('/bin/sh', '-c', 'echo 0 > /proc/sys/net/ipv6/conf/%s/'
                'accept_dad' % device)
        ns.ip('link set %s up' % device)
        for v in FAMILIES:
            ns.run(net.path('ip'), 'addr', 'add', '%s/%d'
                   % (table[v], BITS[v]), 'dev', device,
                   *(['nodad'] if v == 6 else []))

    @staticmethod
    def route(ns, to, via):
        for v in FAMILIES:
            ns.ip('-%d route add %s via %s' % (v, to[v], via[v]))

    def build(self):
        site = self.site
        bump = site.station('bump')
        cases.quiet(bump)
        self.run.wire.plug(bump, 'eth0')
        getattr(self, self.placement.replace('-', '_') + '_' +
                self.role)(bump)
        self.run.guest.must(
            "/sbin/ip -batch - <<'END' || exit 1\n%sneigh flush dev eth0\nEND\n"
            % self.link.guest_batch())
        self.xfrm_before = session.parse_stat(
            self.run.guest.must(session.READ))
        self.run.wire.reset()

    def start(self, bump, red, *options):
        self.gateway = cases.Gateway(
            self.site, bump, 'gw', self.sas() + ''.join(self.policies()),
            (red, 'packet:eth0'), list(options))

    @staticmethod
    def ours():
        return [w for v in FAMILIES for w in ('-l', DEVICE[v])]

    def box(self, bump):
        """The namespace that has the bump's device, and the address."""
        box = self.site.station('box')
        self.start(bump, 'tap:wan0', *self.ours())
        bump.ip('link set wan0 netns %d' % box.holder.pid)
        self.addresses(box, 'wan0', DEVICE)
        self.route(box, FAR_NET, GUEST)
        return box

    def bits_linux_host(self, bump):
        self.host = self.box(bump)

    def bits_linux_gateway(self, bump):
        box, self.host = self.box(bump), self.site.station('lan')
        box.sysctl('net.ipv4.ip_forward', 1)
        box.sysctl('net.ipv6.conf.all.forwarding', 1)
        net.cable(self.host, 'lan0', box, 'lan1')
        self.addresses(box, 'lan1', LAN_GATE)
        self.addresses(self.host, 'lan0', LAN)
        self.route(self.host, ALL, LAN_GATE)

    def cable(self, bump):
        self.host = self.site.station('host')
        net.cable(bump, 'red0', self.host, 'h0')
        cases.quiet(bump)
        self.host.segments_whole('h0')

    def bitw_host(self, bump):
        self.cable(bump)
        self.start(bump, 'packet:red0', *self.ours())
        self.addresses(self.host, 'h0', DEVICE)
        self.route(self.host, FAR_NET, GUEST)

    def bitw_gateway(self, bump):
        self.cable(bump)
        self.start(bump, 'packet:red0', *[
            w for v in FAMILIES for at in (DEVICE, LAN_GATE)
            for w in ('-o', '%s/%d' % (at[v], BITS[v]))])
        self.addresses(self.host, 'h0', LAN)
        self.route(self.host, ALL, LAN_GATE)

    # ---- cases: each gives why it failed, or nothing

    def cases(self):
        if self.role == 'gateway' and self.mode == 'transport':
            return {'refused': self.refused}
        found = {'ping': self.ping}
        again = int(self.family == 6)  # where ping didn't come before it
        for size in SIZES:
            found['udp-%d' % size] = lambda s=size: self.udp('', again, [s])
        found['udp-edges'] = self.udp_edges
        found['tcp-10M'] = self.tcp
        found['books'] = self.books
        return found

    def ping(self):
        for size in 56, 1300, 3000:
            # over IPv6 path MTU discovery may take the first
            if not (self.host.ping(self.to, size) or
                    self.family == 6 and self.host.ping(self.to, size)):
                return 'no answer to %d bytes' % size
        out, status = self.run.guest.run(
            'ping%s -c 2 -W 5 -s 1000 -I %s %s'
            % ('6' if self.family == 6 else '', self.to, self.link.device))
        return out if status else ''

    def udp(self, df, again, sizes):
        status, out = self.host.run(
            sys.executable, '-c', UDP, self.to, df, str(again),
            *map(str, sizes))
        return out.strip() if status else ''

    def frames(self, size):
        """How many an echo takes, each way; or why there was none."""
        before = {w: len(self.run.wire.sizes[w]) for w in (OUT, IN)}
        why = self.udp('', 0, [size])
        return why or [len(self.run.wire.sizes[w]) - before[w]
                       for w in (OUT, IN)]

    def udp_edges(self):
        """By path MTU discovery, which loses one; and, over IPv4, without
        DF, where the bump cuts what it has sealed."""
        sizes = edges(self.mode, self.family)
        why = self.udp('never', 0, sizes) if self.family == 4 else ''
        why = why or self.udp('', 1, sizes)
        edge = sealed(self.mode, self.family,
                      MTU - (20 if self.family == 4 else 40))
        taken = why or [self.frames(edge), self.frames(edge + 1)]
        if not why and taken != [[1, 1], [2, 2]]:
            why = '%d bytes and one more: %s frames' % (edge, taken)
        return why

    def tcp(self):
        status, out = self.host.run(sys.executable, '-c', TCP_CLIENT, self.to,
                                    str(TCP), timeout=120)
        return out.strip() if status else ''

    def refused(self):
        """Transport mode is not for others (RFC 4301 section 4.1)."""
        if self.host.ping(self.to, count=1):
            return 'an answer'
        stats = self.gateway.stats()
        if not stats.get('out.drop.MODE'):
            return 'not counted: %s' % stats
        return self.unwanted() or (
            'something was sent' if self.run.wire.count[OUT]['esp'] else '')

    # ---- the books

    def unwanted(self):
        """What crossed the black wire in clear."""
        found = ['in clear, %s: %s' % (way, data[:80].hex())
                 for way, data in self.run.wire.clear[:2]]
        if self.run.wire.error:
            found.append(self.run.wire.error)
        return '; '.join(found)

    def disagreements(self):
        sent = {w: self.run.wire.count[w]['packet'] for w in (OUT, IN)}
        text = self.run.guest.must(session.READ)
        kernel, ours = session.parse_state(text), self.gateway.stats()
        xfrm = session.parse_stat(text)
        xfrm.subtract(self.xfrm_before)
        full = ours['black.full']
        for what, is_, least, most in (
                ('sent to the wire', sent[OUT], ours['out.protect'] - full,
                 ours['out.protect']),
                ('the kernel\'s in', kernel['in.packets'], sent[OUT],
                 sent[OUT]),
                ('the kernel\'s out', kernel['out.packets'], sent[IN],
                 sent[IN]),
                ('in.protect', ours['in.protect'], sent[IN] - full,
                 sent[IN])):
            if not least <= is_ <= most:
                yield '%s: %d, not %d' % (what, is_, most)
        if not sent[OUT] or not sent[IN]:
            yield 'nothing was protected'
        for name, n in list(xfrm.items()):
            if n:
                yield 'the kernel\'s %s: %d' % (name, n)
        for name, n in ours.items():
            if '.drop.' in name and n and name not in (
                    'out.drop.NO_POLICY', 'out.drop.TOO_BIG'):
                yield '%s: %d' % (name, n)

    def books(self):
        end = time.monotonic() + SETTLE_S
        while True:
            bad = list(self.disagreements())
            if not bad or time.monotonic() > end:
                break
            time.sleep(0.1)
        clear = self.unwanted()
        return '; '.join(bad + ([clear] if clear else []))


class Run:
    def __init__(self, args):
        self.args = args
        self.passed = self.failed = self.skipped = 0
        self.guest = None
        self.folder = tempfile.mkdtemp(prefix='placements-')
        self.filters = args.filter.replace(',', ' ').split()
        self.wire = wire.Wire(self.folder)

    def rows(self):
        for placement in PLACEMENTS:
            for role in ROLES:
                for mode in MODES:
                    for family in FAMILIES:
                        row = Row(self, placement, role, mode, family)
                        wanted = [c for c in row.cases() if self.wanted(
                            '%s %s' % (row.name, c))]
                        if wanted:
                            yield row, wanted

    def wanted(self, name):
        return not self.filters or any(f in name.replace(' ', '-')
                                       for f in self.filters)

    def boot(self):
        kernel, initrd = image.image(self.args.build, self.args.cache)
        for turn in range(BOOTS):
            # a busy machine may miss a timer that the kernel counts on
            self.guest = guest.Guest(kernel, initrd, self.folder + '/g',
                                     self.folder + '/rg', self.folder)
            try:
                self.guest.wait_ready()
                break
            except guest.Dead:
                self.guest.stop()
                os.unlink(self.folder + '/g')
                if turn + 1 == BOOTS:
                    raise
        self.guest.must("/sbin/ip -batch - <<'END'\n%sEND\n"
                        % (GUEST_ADDRESSES + ''.join(
                            'route add %s via %s\n' % (LAN_NET[v], DEVICE[v])
                            for v in FAMILIES)))
        self.wire.reset()
        while self.wire.quiet_for() < QUIET_S:  # multicast reports
            time.sleep(QUIET_S / 10)

    def line(self, word, name, seconds=None, why=''):
        print('  %-7s %s%s%s' % (
            word, name, ' (%.1f s)' % seconds if seconds is not None else '',
            ': ' + why.replace('\n', ' | ') if why else ''), flush=True)

    def case(self, row, name):
        start = time.monotonic()
        try:
            why = row.cases()[name]()
        except (cases.Fail, AssertionError, OSError, RuntimeError, KeyError,
                guest.Dead, subprocess.SubprocessError) as e:
            why = '%s: %s' % (type(e).__name__, e)
        self.passed += not why
        self.failed += bool(why)
        self.line('FAILED' if why else 'ok', '%s %s' % (row.name, name),
                  time.monotonic() - start, why)
        return why

    def row(self, row, names):
        row.site = cases.Site(self.args)
        bad = []
        try:
            row.build()
        except (cases.Fail, AssertionError, OSError, RuntimeError, guest.Dead,
                subprocess.SubprocessError) as e:
            self.failed += 1
            self.line('FAILED', '%s set-up' % row.name, 0, str(e))
            names = []
        for name in names:
            if self.case(row, name):
                bad.append(name)
        if bad and row.gateway:
            print('          ' + row.gateway.log()[-800:].replace(
                '\n', '\n          '))
        self.wire.unplug()
        for why in row.site.close():
            self.failed += 1
            self.line('FAILED', '%s end' % row.name, 0, why)

    def all(self):
        rows = list(self.rows())
        if self.args.list:
            for row, names in rows:
                for name in names:
                    print('%s %s' % (row.name, name))
            return
        try:
            self.wire.start()
            self.boot()
            for row, names in rows:
                self.row(row, names)
        except (image.Missing, net.Skip) as e:
            for row, names in rows:
                for name in names:
                    self.skipped += 1
                    self.line('skipped', '%s %s' % (row.name, name), None,
                              str(e))
        finally:
            if self.guest:
                self.guest.stop()
            self.wire.stop()

    def end(self):
        if not self.args.keep:
            shutil.rmtree(self.folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', required=True)
    parser.add_argument('--build', required=True)
    parser.add_argument('--cache', required=True)
    parser.add_argument('--filter', default='')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--keep', action='store_true')
    args = parser.parse_args()
    try:
        if not args.list:
            net.enter_namespace()
    except net.Skip as e:
        run = Run(args)
        n = 0
        for row, names in run.rows():
            for name in names:
                n += 1
                run.line('skipped', '%s %s' % (row.name, name), None, str(e))
        run.end()
        print('0 passed, 0 failed, %d skipped' % n)
        return 77
    run = Run(args)
    try:
        run.all()
    finally:
        run.end()
    if not args.list:
        print('%d passed, %d failed, %d skipped'
              % (run.passed, run.failed, run.skipped))
    return run.failed > 0


if __name__ == '__main__':
    sys.exit(main())
