#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make gateway-cost: what a packet that is bypassed costs ipsecgw, against the
same program that forwards without IPsec (-p): processor time of the program,
as a ratio of the medians of rounds taken in turn.

cost.py --program IPSECGW [--rounds N]"""
import argparse
import os
import statistics
import sys
import time

import cases
import net

PACKETS = 60000
LIMIT = 1.10
SENDER = r'''
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 9))
data = bytes(int(sys.argv[3]))
for i in range(int(sys.argv[2])):
    try:
        s.send(data)
    except OSError:
        pass
'''


def spent(pid):
    """Seconds of processor time so far. (nsenter becomes the program.)"""
    with open('/proc/%d/schedstat' % pid, encoding='utf-8') as f:
        return int(f.read().split()[0]) / 1e9


def measure(args, size, options, text):
    """Microseconds a packet."""
    args.keep = args.build = args.cache = None
    site = cases.Site(args)
    ha, _, _, a, _ = cases.bumps(site, 'tap', text, text, options)
    try:
        cases.check(ha.ping(cases.B4), 'no answer')
        before, t = a.stats()['red.received'], spent(a.proc.pid)
        ha.must(sys.executable, '-c', SENDER, cases.B4, str(PACKETS),
                str(size))
        time.sleep(0.3)
        t = spent(a.proc.pid) - t
        return t / (a.stats()['red.received'] - before) * 1e6
    finally:
        site.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', required=True)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    try:
        net.enter_namespace()
    except net.Skip as e:
        print('skipped: %s' % e)
        return 77
    text = ''.join('spdadd 0.0.0.0/0 0.0.0.0/0 any -P %s none;\n' % way
                   for way in ('in', 'out'))
    worst = 0
    for size in (18, 1400):
        times = {'-p': [], '': []}
        for _ in range(args.rounds):
            for how in times:
                times[how].append(measure(args, size, [how] if how else [],
                                          text))
        plain, bypass = [statistics.median(times[h]) for h in ('-p', '')]
        worst = max(worst, bypass / plain)
        print('%5d bytes: forwarded %.2f us, bypassed %.2f us: %.3f times'
              % (size + 28, plain, bypass, bypass / plain))
    return worst > LIMIT


if __name__ == '__main__':
    sys.exit(main())
