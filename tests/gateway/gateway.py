#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make gateway-test: ipsecgw between namespaces of an ordinary user.

gateway.py --program IPSECGW [--build DIR --cache DIR] [--filter 'NAME...']
           [--list] [--keep]

BUILD and CACHE are those of tests/interop: some cases have a Linux in QEMU.

Ends with "N passed, N failed, N skipped"."""
import argparse
import subprocess
import sys
import time

import bumps
import cases
import net

CASES = dict(cases.CASES, **bumps.CASES)


def run(name, args):
    """Why it failed; or nothing."""
    site = cases.Site(args)
    problems = []
    try:
        CASES[name](site)
    except net.Skip:
        site.close()
        raise
    except (cases.Fail, AssertionError, OSError, KeyError,
            RuntimeError, subprocess.SubprocessError) as e:
        problems.append('%s: %s' % (type(e).__name__, e))
        problems += ['%s.log: %s' % (g.name, g.log()[-600:])
                     for g in site.gateways]
    return problems + site.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', required=True)
    parser.add_argument('--build', default='build/interop')
    parser.add_argument('--cache', default='build/deps/linux')
    parser.add_argument('--filter', default='')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--keep', action='store_true')
    args = parser.parse_args()
    names = [n for n in CASES if not args.filter or
             any(f in n for f in args.filter.split())]
    if not names:
        sys.exit('gateway-test: no case has a name with %s in it; --list has '
                 'them' % ' or '.join(args.filter.split()))
    if args.list:
        print('\n'.join(names))
        return 0
    try:
        net.enter_namespace()
    except net.Skip as e:
        print('  skipped  %s' % e)
        print('0 passed, 0 failed, %d skipped' % len(names))
        return 77
    failed = skipped = 0
    for name in names:
        start = time.monotonic()
        try:
            problems = run(name, args)
        except net.Skip as e:
            skipped += 1
            print('  skipped  %s: %s' % (name, e))
            continue
        failed += bool(problems)
        print('  %-8s %s (%.1f s)' % ('FAILED' if problems else 'ok', name,
                                      time.monotonic() - start))
        for p in problems:
            print('           ' + p.replace('\n', '\n           '))
        sys.stdout.flush()
    print('%d passed, %d failed, %d skipped'
          % (len(names) - failed - skipped, failed, skipped))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
