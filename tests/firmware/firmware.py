# SPDX-License-Identifier: MIT
"""make firmware-test: the boards against a real Linux kernel, all in QEMU.

README.md says what it does. Prints a line for each case; exits 0 only if
there were cases and all passed.
"""
import os
import random
import socket
import struct
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'interop'))

import cases                                            # noqa: E402
import encap                                            # noqa: E402
import guest                                            # noqa: E402
import image                                            # noqa: E402
import run                                              # noqa: E402
from board import MACHINES, SEED, Board, flash_erased   # noqa: E402
from cases import Failed, whole                         # noqa: E402
from device import Broken                               # noqa: E402
from link import DEVICE, Link                           # noqa: E402
from relay import IN, OUT, Fault, checksum              # noqa: E402
from session import Session                             # noqa: E402

KNOWN_ANSWERS = 112            # as many as tests/vectors/run.sh expects
FAULT_STATUS = 106             # startup.c: 100 + the usage fault's number
STREAM = 128 << 10
GARBAGE = 1500
STORM = 1500
FRAGMENTS = 300
REASS_PBUFS = 4 * 8            # ports/lwip: so many datagrams, and pieces
NOTICE_S, QUIET_S = 5, 0.4     # it looks ten times a second
BURST, PAUSE_S = 8, 0.004      # the chip's FIFO holds not many more
WRAP = cases.BEFORE_WRAP['ping']
LINKS = {                      # some of each kind for each board ...
    'm3': (Link('gcm128', 'transport', 4), Link('gcm128', 'tunnel', 4),
           Link('chacha', 'transport', 6), Link('cbc256', 'tunnel', 6),
           Link('ccm8', 'tunnel', 4, 6), Link('ah-sha256', 'transport', 4),
           Link('gcm128', 'tunnel', 4, natt=True),
           Link('gcm128', 'tunnel', 6, before_wrap=WRAP)),
    'm4': (Link('gcm256', 'transport', 6), Link('gcm128', 'tunnel', 6),
           Link('chacha', 'tunnel', 4), Link('sha512', 'transport', 4),
           Link('ah-sha512', 'tunnel', 6),
           Link('gcm128', 'transport', 6, natt=True),
           Link('cbc256', 'transport', 4, before_wrap=WRAP)),
    'm7': (Link('gcm128', 'transport', 6), Link('chacha', 'tunnel', 6, 4),
           Link('cbc128', 'tunnel', 4), Link('ctr128', 'transport', 4),
           Link('ah-cmac', 'tunnel', 4),
           Link('cbc128', 'tunnel', 6, 4, natt=True),
           Link('gcm128', 'transport', 6, before_wrap=WRAP)),
}
ROUGH = Link('gcm128', 'transport', 4)      # ... and one to be rough with


def check(good, text):
    if not good:
        raise Failed(text)


class Firmware(run.Run):
    name = 'firmware-test'

    def __init__(self, args):
        run.Run.__init__(self, args)
        self.flash = self.directory + '/flash'

    # ---- the processes

    def elf(self, what):
        return '%s/%s-%s.elf' % (self.args.build, what, self.kind)

    def board(self, blank=False):
        """Power on. It has booted."""
        if blank:
            flash_erased(self.flash)
        b = Board(self.kind, self.elf('device'), self.directory, self.flash,
                  '%s/%s.log' % (self.log, self.kind))
        b.wait_boot()
        return b

    def make(self, program, directory, link, log):
        """For Session: a new device, with a new key."""
        b = self.board(blank=True)
        b.must('seed ' + SEED)
        b.must('provision %d' % link.seq)
        b.configure(link)
        return b

    def session(self, link):
        return Session(link, self.guest, self.relay, self.elf('device'),
                       '%s/%s-%s' % (self.log, self.kind, link.name),
                       make=self.make)

    # ---- a case

    def case(self, name, run, *args):
        if self.filters and not any(f in name or f in self.kind
                                    for f in self.filters):
            return
        start = time.monotonic()
        try:
            text, good = run(*args) or '', True
        except (Failed, Broken, guest.Dead, RuntimeError) as e:
            text, good = str(e), False
        except Exception:
            text, good = traceback.format_exc(), False
        self.passed += good
        self.failed += not good
        print('%-3s %-32s %-38s %5.1f s  %s' % (
            self.kind, name, text if good else '',
            time.monotonic() - start, 'ok' if good else 'FAIL'), flush=True)
        if not good:
            print('    %s\n    see %s/%s.log' % (
                text.replace('\n', '\n    '), self.log, self.kind))

    # ---- alone

    def status(self):
        for status in 0, 7:
            b = self.board(blank=True)
            b.send('exit %d' % status)
            found = b.ended()
            b.cut()
            check(found == status, 'status %d, not %d' % (found, status))
        return 'ends with 0, with 7'

    def unaligned(self):
        b = self.board(blank=True)
        line = b.ask('fault unaligned')
        check(b.ended() == FAULT_STATUS and line.startswith('fault 6 '), line)
        b.cut()
        return line

    def known_answers(self):
        r = subprocess.run(
            [image.program('qemu-system-arm'), '-M', MACHINES[self.kind],
             '-display', 'none', '-monitor', 'none', '-serial', 'stdio',
             '-semihosting-config', 'enable=on,target=native',
             '-kernel', self.elf('selftest')], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True, timeout=120)
        check(r.returncode == 0 and r.stdout.startswith(
            '%d known answers, 0 wrong' % KNOWN_ANSWERS), r.stdout)
        return r.stdout.strip()

    def refuses(self, why, *commands):
        """Starts not, and nothing at all is sent."""
        self.relay.reset()
        b = self.board(blank=True)
        b.configure(ROUGH)
        for c in commands:
            b.must(c)
        line = b.ask('start')
        time.sleep(0.2)
        sent = sum(self.relay.count[OUT].values())
        status = b.stop()
        check(line == 'refused: ' + why, line)
        check(sent == 0 and status == 0,
              '%d frames sent, status %d' % (sent, status))
        return line

    # ---- with the kernel

    def served(self, s):
        """What the device serves, as the guest sees it."""
        link = s.link
        # busybox can't choose a source address: the route does
        route = '/sbin/ip -%d route %%s %s dev eth0 src %s' % (
            link.inner, link.device, link.target)
        self.guest.must(route % 'replace')
        try:
            for command, answer in (
                    ('ping -c 3 -i 0.1 -W 2 -s 56 ' + link.device,
                     '3 packets received'),
                    ('/sbin/agent %s 5 1000' % link.device, '5 of 5'),
                    ('/sbin/agent %s 2 3000' % link.device, '2 of 2'),
                    ("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 %s 80"
                     % link.device, 'from the metal')):
                text, _ = self.guest.run(command)
                check(answer in text, '%s: %s' % (command, text))
        finally:
            self.guest.run(route % 'del')
        return 'ping, UDP echo, HTTP'

    def booked(self, s, run):
        """A case of tests/interop's kind: all four books agree."""
        s.mark()
        text = run(s)
        bad = s.settle()
        check(not bad, '\n'.join(bad[:8]))
        check(not s.device.notes, '%s' % s.device.notes)
        return text

    def tcp(self, s):
        return '%d bytes' % whole(s, 'tcp', STREAM, 4 * cases.WAIT)

    def link(self, link):
        try:
            s = self.session(link)
        except (Broken, RuntimeError) as e:
            self.case(link.name, self.raises, e)
            return
        cross = cases.crossing if link.esn else (lambda test: test)
        runs = [('ping', cross(cases.ping)), ('udp', cross(cases.udp)),
                ('tcp', cross(self.tcp)), ('served', self.served)]
        if link.natt:
            runs += [('ike', encap.ike), ('unmoved', encap.unmoved)]
        for name, test in runs:
            self.case('%s-%s' % (link.name, name), self.booked, s, test)
        self.case(link.name + '-end', self.end, s)
        self.relay.capture(None)

    def raises(self, e):
        raise e

    def end(self, s):
        heap, pool = s.device.numbers('memory')
        stack, = s.device.numbers('stack')
        status = s.close()
        check(status == 0, 'status %d' % status)
        return 'stack %d, pbufs in use %d' % (stack, pool)

    # ---- rough handling

    def record(self, s, direction):
        """All ESP frames from now on; the list grows."""
        frames = []

        def keep(f):
            frames.append(f.data)
            return [f.data]

        s.relay.set_fault(direction, Fault(keep, 1 << 30))
        return frames

    def inject(self, s, frames):
        for i in range(0, len(frames), BURST):
            for f in frames[i:i + BURST]:
                s.relay.inject(IN, f)
            time.sleep(PAUSE_S)

    def nonsense(self, frames):
        """A frame that is none, from chance or from a good one."""
        r = self.random
        if r.random() < 0.4:
            kind = r.choice((b'\x08\x00', b'\x86\xdd', b'\x88\x88'))
            start = r.choice((b'', b'\x45\x00', b'\x60\x00', b'\x4f\x00'))
            return (cases.DEVICE_MAC + cases.GUEST_MAC + kind + start
                    + r.randbytes(r.randrange(0, 1900)))
        d = bytearray(r.choice(frames))
        for _ in range(r.randrange(1, 4)):
            d[r.randrange(12, len(d))] ^= 1 << r.randrange(8)
        return bytes(d[:r.randrange(15, len(d) + 1)])

    def garbage(self, s):
        frames = self.record(s, IN)
        whole(s, 'udp', 8, 300, cases.WAIT)
        s.relay.end_fault(IN)
        before = s.device.numbers('memory')
        packets = s.device.stats()['sa_in.packets']
        self.inject(s, [self.nonsense(frames) for _ in range(GARBAGE)])
        time.sleep(0.1)
        stats = s.device.stats()
        drops = sum(n for k, n in stats.items() if k.startswith('in_drop.'))
        check(stats['sa_in.packets'] == packets, 'nonsense was accepted')
        check(drops > GARBAGE // 10, 'only %d were counted' % drops)
        whole(s, 'ping', 5, 1400, cases.WAIT)
        check(not s.relay.clear, 'in clear: %s' % s.relay.clear[:1])
        after = s.device.numbers('memory')
        check(after[1] <= before[1] and after[0] <= before[0],
              'memory leaks: heap, pool %s, %s' % (before, after))
        return '%d frames, %d drops, goes on' % (GARBAGE, drops)

    def fragments(self, s):
        """First fragments whose rest never comes, of ESP and in clear."""
        s.relay.reset()
        for i in range(FRAGMENTS):
            ip = struct.pack('!BBHHHBBH', 0x45, 0, 1420, i, 0x2000, 64,
                             (50, 17)[i % 2], 0) \
                + socket.inet_aton(s.link.target) \
                + socket.inet_aton(s.link.device)
            ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
            self.inject(s, [cases.DEVICE_MAC + cases.GUEST_MAC + b'\x08\x00'
                            + ip + self.random.randbytes(1400)])
        heap, pool = s.device.numbers('memory')
        check(pool <= REASS_PBUFS, '%d pbufs are held' % pool)
        whole(s, 'ping', 5, 1400, cases.WAIT)
        whole(s, 'udp', 5, 512, cases.WAIT)
        check(not s.relay.clear, 'in clear: %s' % s.relay.clear[:1])
        return '%d, %d pbufs held, goes on' % (FRAGMENTS, pool)

    def storm(self, s):
        frames = self.record(s, IN)
        whole(s, 'ping', 10, 56, cases.WAIT)
        s.relay.end_fault(IN)
        before = s.device.stats()
        self.inject(s, [frames[i % len(frames)] for i in range(STORM)])
        time.sleep(0.1)
        after = s.device.stats()
        new = {k: n - before.get(k, 0) for k, n in after.items()
               if n != before.get(k, 0) and 'bypass' not in k}
        drops = new.get('in_drop.REPLAY', 0)
        check(new == {'in_drop.REPLAY': drops, 'sa_in.drop_replay': drops}
              and drops > STORM // 2, 'counted: %s' % new)
        whole(s, 'ping', 5, 56, cases.WAIT)
        return '%d replays, %d drops, goes on' % (STORM, drops)

    def rising(self, s):
        """No number was ever sent twice, or after a higher one."""
        order = s.relay.order[OUT]
        check(order and all(a < b for a, b in zip(order, order[1:])),
              'numbers sent: %s' % order)

    def again(self, s, old):
        """After a reset: what is older is dead, and then all goes on."""
        b = s.device
        b.must('seed ' + SEED)
        b.configure(s.link)
        b.must('start', 'ready')
        self.inject(s, old)
        time.sleep(0.1)
        stats = b.stats()
        check(stats.get('sa_in.packets', 0) == 0 and
              stats.get('in_drop.REPLAY', 0) >= len(old) // 2,
              'replays after the reset: %s' % stats)
        for tries in range(60):   # the peer's numbers reach our reservation
            got = b.traffic('ping', 32, 8, 150)[0]
            if got == 32:
                break
        whole(s, 'ping', 3, 56, cases.WAIT)
        self.rising(s)
        check(not s.relay.clear, 'in clear')
        return 'goes on above %d' % s.relay.order[OUT][-1]

    def reset(self, s):
        old = self.record(s, IN)
        whole(s, 'ping', 20, 56, cases.WAIT)
        s.relay.end_fault(IN)
        s.device.send('reset')
        s.device.wait_boot()
        return self.again(s, old[-20:])

    def power_cut(self, s):
        old = self.record(s, IN)
        whole(s, 'ping', 20, 56, cases.WAIT)
        s.relay.end_fault(IN)
        s.device.cut()
        s.device = self.board()
        return self.again(s, old[-20:])

    def power_back(self, s):
        """The flash that failed works again: nothing was used twice."""
        s.device.cut()
        s.device = self.board()
        return self.again(s, [])

    def torn(self, s):
        """The next record is cut off in the middle by a reset."""
        old = self.record(s, IN)
        whole(s, 'ping', 8, 56, cases.WAIT)
        s.device.must('fault tear')
        s.device.send('ping 200 8 500')
        s.device.wait_boot()
        s.relay.end_fault(IN)
        return self.again(s, old[-8:])

    def rotten(self, s):
        """The newest record has a flipped bit after a power cut."""
        old = self.record(s, IN)
        whole(s, 'ping', 8, 56, cases.WAIT)
        s.relay.end_fault(IN)
        s.device.cut()
        with open(self.flash, 'r+b') as f:
            log = f.read(8192)
            age, at = max((int.from_bytes(log[i:i + 4], 'little'), i)
                          for i in range(0, 8192, 32)
                          if log[i:i + 4] != b'\xff' * 4)
            f.seek(at + 9)
            f.write(bytes([log[at + 9] ^ 4]))
        s.device = self.board()
        return self.again(s, old[-8:])

    def flash_fails(self, s):
        """What was noted may still be used; then nothing more is sent."""
        b = s.device
        b.notes.clear()
        b.must('fault flash')
        sent = 0
        for _ in range(8):
            sent += b.traffic('ping', 64, 8, 150)[1]
        stats = b.stats()
        last = stats['sa_out.seq']
        check(max(s.relay.order[OUT]) == last and
              stats.get('out_drop.SEQ_OVERFLOW', 0) > 0,
              'last number %d, on the wire %d' % (last,
                                                  max(s.relay.order[OUT])))
        check(any('flash failed' in n for n in b.notes) and
              any(n == 'out stopped at %d' % last for n in b.notes),
              'it says %s' % b.notes)
        self.rising(s)
        check(not s.relay.clear, 'in clear')
        return 'out stopped at %d' % last

    def random_fails(self, s):
        b = s.device
        whole(s, 'ping', 3, 56, cases.WAIT)
        b.must('fault random')
        end = time.monotonic() + NOTICE_S
        while time.monotonic() < end and not any(
                'random source failed' in n for n in b.notes):
            b.numbers('memory')
        while s.relay.quiet_for() < QUIET_S:   # what is on its way
            time.sleep(0.05)
        before = dict(s.relay.count[OUT])
        text, _ = self.guest.run('ping -c 2 -i 0.2 -W 1 ' + DEVICE[4])
        got = b.traffic('ping', 3, 56, 300)[0]
        after = dict(s.relay.count[OUT])
        check('0 packets received' in text and got == 0 and after == before,
              'it still sends: %s, then %s, got %d' % (before, after, got))
        check(any('random source failed' in n for n in b.notes),
              'it says %s' % b.notes)
        return 'the network is down'

    def rough(self):
        def one(name, *runs):
            """Cases that share a device."""
            s = None
            if self.filters and not any(f in self.kind or f in n
                                        for n, _ in runs
                                        for f in self.filters):
                return
            try:
                s = self.session(ROUGH)
                s.wait(0)
                whole(s, 'ping', 1, 56, cases.WAIT)
            except (Broken, Failed, RuntimeError) as e:
                self.case(name, self.raises, e)
            else:
                for n, run in runs:
                    self.case(n, run, s)
            finally:
                self.relay.capture(None)
                if s:
                    s.close()

        one('input', ('garbage', self.garbage), ('replay-storm', self.storm),
            ('fragment-flood', self.fragments))
        one('resets', ('reset', self.reset), ('power-cut', self.power_cut),
            ('torn-record', self.torn), ('rotten-record', self.rotten))
        one('flash', ('flash-fails', self.flash_fails),
            ('flash-works-again', self.power_back))
        one('random', ('random-fails', self.random_fails))

    def run(self):
        for self.kind in MACHINES:
            print(flush=True)
            self.random = random.Random('libipsec ' + self.kind)
            self.case('exit-status', self.status)
            self.case('unaligned-trap', self.unaligned)
            self.case('known-answers', self.known_answers)
            for why, *commands in (
                    ('no random source',),
                    ('flash has no numbers', 'seed ' + SEED),
                    ('flash failed', 'seed ' + SEED, 'provision 0',
                     'fault flash')):
                self.case('refuses-' + why.replace(' ', '-'), self.refuses,
                          why, *commands)
            for link in LINKS[self.kind]:
                if not self.filters or any(f in link.name or f in self.kind
                                           for f in self.filters):
                    self.link(link)
            self.rough()


if __name__ == '__main__':
    sys.exit(Firmware(run.parser(__doc__).parse_args()).main())
