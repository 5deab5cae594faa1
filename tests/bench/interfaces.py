#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What IPsec costs ipsecgw over real interfaces, as ratios of one run:

- the processor time of a packet that is bypassed, to one that the same program
  forwards without IPsec (-p);
- the speed of protected TCP with a thousand policies, to that with one.

Both of a pair run side by side and take short turns, and the median of their
ratios counts, so that what else the machine does is in both.

interfaces.py --program IPSECGW [--turns N]"""
import argparse
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                os.pardir, 'gateway'))
import cases  # noqa: E402
import net  # noqa: E402

PACKETS = 4000
BYTES = 4 << 20
PAIRS = 5                      # of programs, for a bypass
BYPASS_MAX = 1.10
SPEED_MIN = 0.90
MANY = 1000

SENDER = r'''
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 9))
data = bytes(int(sys.argv[2]))
for line in sys.stdin:
    for i in range(int(line)):
        try:
            s.send(data)
        except OSError:
            pass
    print("sent", flush=True)
'''

SINK = r'''
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], 7))
s.listen(1)
print("ready", flush=True)
c, _ = s.accept()
while True:
    left = int(sys.argv[2])
    while left > 0:
        n = len(c.recv(min(left, 1 << 18)))
        if n == 0:
            sys.exit(0)
        left -= n
    c.sendall(b"!")
'''

STREAM = r'''
import socket, sys, time
s = socket.create_connection((sys.argv[1], 7), 10)
data = bytes(int(sys.argv[2]))
for line in sys.stdin:
    start = time.monotonic()
    s.sendall(data)
    s.recv(1)
    print(time.monotonic() - start, flush=True)
'''


class Talker:
    """A program that answers a line with a line."""

    def __init__(self, ns, *args):
        self.proc = ns.start(sys.executable, '-c', *args,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True)

    def ask(self, line):
        self.proc.stdin.write(line + '\n')
        self.proc.stdin.flush()
        return self.proc.stdout.readline()

    def end(self):
        self.proc.kill()
        self.proc.wait()


def verdict(text, value, held):
    print('  %s: %s' % (text % value, 'held' if held else 'NOT HELD'),
          flush=True)
    return held


class Bump:
    """A host, a bump, and what lies behind; packets from the host."""

    def __init__(self, args, size, options):
        text = ''.join('spdadd 0.0.0.0/0 0.0.0.0/0 any -P %s none;\n' % way
                       for way in ('in', 'out'))
        self.site = cases.Site(args)
        host, _, _, self.gateway, _ = cases.bumps(self.site, 'tap', text,
                                                  text, options)
        cases.check(host.ping(cases.B4), 'no answer')
        self.sender = Talker(host, SENDER, cases.B4, str(size))

    def spent(self):
        """Seconds of processor time. (nsenter becomes the program.)"""
        with open('/proc/%d/schedstat' % self.gateway.proc.pid,
                  encoding='utf-8') as f:
            return int(f.read().split()[0]) / 1e9

    def turn(self):
        """Microseconds a packet."""
        before, t = self.gateway.stats()['red.received'], self.spent()
        self.sender.ask(str(PACKETS))
        time.sleep(0.05)
        t = self.spent() - t
        return t / (self.gateway.stats()['red.received'] - before) * 1e6

    def close(self):
        self.sender.end()
        self.site.close()


class Tunnel:
    """Two gateways with so many policies; a stream through both."""

    def __init__(self, args, many):
        common = cases.sas('gcm', 4)
        self.site = cases.Site(args)
        a, b, _, _ = cases.tunnel(
            self.site, *(others(side, many) + common +
                         cases.policies(side, 4, 4, 'esp') for side in 'ab'))
        to = cases.B_IN[4]
        self.sink = b.start(sys.executable, '-c', SINK, to, str(BYTES),
                            stdout=subprocess.PIPE)
        self.sink.stdout.readline()
        self.stream = Talker(a, STREAM, to, str(BYTES))
        self.turn()

    def turn(self):
        """Seconds."""
        return float(self.stream.ask('go'))

    def close(self):
        self.stream.end()
        self.sink.kill()
        self.sink.wait()
        self.site.close()


def others(side, many):
    """Policies with other peers, in four shapes, with SAs of their own."""
    text = ''
    near, here = (('10.1.0.0/16', cases.A4) if side == 'a' else
                  ('10.2.0.0/16', cases.B4))
    for i in range(1, many):
        far = '172.%d.%d.%s' % (16 + i // 256, i % 256,
                                '9/32' if i % 4 == 1 else '0/24')
        peer = '198.18.%d.%d' % (i // 256, i % 256)
        proto = ('any', 'any', 'tcp', 'udp')[i % 4]
        text += (
            'spdadd %s %s %s -P out ipsec esp/tunnel/%s-%s/require;\n'
            'spdadd %s %s %s -P in ipsec esp/tunnel/%s-%s/require;\n'
            'add %s %s esp %d -m tunnel -r 8 -E aes-gcm-16 0x%040x;\n'
            'add %s %s esp %d -m tunnel -r 8 -E aes-gcm-16 0x%040x;\n'
            % (near, far, proto, here, peer, far, near, proto, peer, here,
               here, peer, 10000 + 2 * i, 10000 + 2 * i,
               peer, here, 10001 + 2 * i, 10001 + 2 * i))
    return text


def bypass(args, size):
    """Each pair begins anew some times: where the kernel puts a program's
    memory makes a difference of its own, up to a tenth either way."""
    turns = []
    for _ in range(PAIRS):
        plain = Bump(args, size, ['-p'])
        passed = Bump(args, size, [])
        try:
            turns += [(plain.turn(), passed.turn())
                      for _ in range(args.turns // PAIRS)]
        finally:
            plain.close()
            passed.close()
    ratio = statistics.median(b / a for a, b in turns)
    return verdict('bypass, %d bytes: %.2f us forwarded, %.3f times that '
                   'bypassed (limit %.2f)',
                   (size + 28, statistics.median(a for a, _ in turns), ratio,
                    BYPASS_MAX), ratio <= BYPASS_MAX)


def protected(args):
    one, many = Tunnel(args, 1), Tunnel(args, MANY)
    try:
        turns = [(one.turn(), many.turn()) for _ in range(args.turns)]
    finally:
        one.close()
        many.close()
    ratio = statistics.median(a / b for a, b in turns)
    return verdict('protected TCP: %.0f Mbit/s with one policy, %.3f times '
                   'that with %d (limit %.2f)',
                   (BYTES * 8e-6 / statistics.median(a for a, _ in turns),
                    ratio, MANY, SPEED_MIN), ratio >= SPEED_MIN)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', required=True)
    parser.add_argument('--turns', type=int, default=31)
    args = parser.parse_args()
    args.keep = args.build = args.cache = None
    try:
        net.enter_namespace()
    except net.Skip as e:
        print('  skipped: %s' % e)
        return 77
    print('ipsecgw between network namespaces; medians of %d turns, each '
          'beside the other:' % args.turns, flush=True)
    held = [bypass(args, 18), bypass(args, 1400), protected(args)]
    return 0 if all(held) else 1


if __name__ == '__main__':
    sys.exit(main())
