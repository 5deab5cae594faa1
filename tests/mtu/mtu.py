#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make mtu-test: packets that become too long on their way, and nothing
stalls.

mtu.py --program IPSECGW [--filter 'NAME...'] [--list] [--jobs N] [--keep]

A line for each case, with the longest time in which a receiver got nothing,
and "N passed, N failed, N skipped"."""
import argparse
import concurrent.futures
import json
import os
import select
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'gateway'))

import cases                   # noqa: E402
import ends                    # noqa: E402
import net                     # noqa: E402
import page                    # noqa: E402
import path                    # noqa: E402

STALL = 3.0                    # seconds: the most that is allowed
SIZE = 2 << 20                 # of the stream
MESSAGE = 8000
# Who sets DF, or sends IPv6, hears that a message is too long from its own
# gateway, from the router by way of it, and the other end likewise, each time at
# the cost of one, or of two that are under way. What may be cut is not lost, but
# for a moment: the shorter end of a wire drops what the longer one still sends.
LOST = 8
ANSWER = 40                    # seconds
PLACEMENTS = 'route', 'tap', 'wire'
# told: routers say that packets are too long; nat: and ESP is in UDP, through
# a NAT; silent: they don't, and both ends were told the path's MTU; one: only
# one of them was, and TCP goes by the MSS that it wrote into the SYNs.
WAYS = 'told', 'nat', 'silent', 'one'
FAMILIES = {'4df': (4, True), '4': (4, False), '6': (6, True)}
TROUBLE = (cases.Fail, AssertionError, OSError, RuntimeError, ValueError,
           subprocess.SubprocessError)


class Case:
    def __init__(self, placement, way, mode, family, kind):
        self.placement, self.way, self.mode = placement, way, mode
        self.family, self.kind = family, kind
        self.name = '-'.join((placement, way, mode, family, kind))


def plan():
    """(placement, way): its cases."""
    sites = {}
    for p in PLACEMENTS:
        for w in WAYS:
            sites[p, w] = [Case(p, w, m, f, k)
                           for m in ('tunnel', 'transport') for f in FAMILIES
                           for k in ('tcp', 'udp') if w != 'one' or k == 'tcp']
    return sites


class Agent:
    """flow.py in a namespace."""

    def __init__(self, ns, what):
        self.buf = b''
        self.proc = ns.start(sys.executable, os.path.join(HERE, 'flow.py'),
                             what, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
        self.answer(ANSWER)

    def ask(self, **what):
        self.proc.stdin.write(json.dumps(what).encode() + b'\n')
        self.proc.stdin.flush()

    def answer(self, seconds):
        fd = self.proc.stdout.fileno()
        while b'\n' not in self.buf:
            if not select.select([fd], [], [], seconds)[0]:
                raise cases.Fail('%g seconds without an answer' % seconds)
            data = os.read(fd, 65536)
            if not data:
                raise cases.Fail('flow.py has ended')
            self.buf += data
        line, _, self.buf = self.buf.partition(b'\n')
        return json.loads(line)

    def close(self):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()
        self.proc.stdout.close()


class Site:
    """Two ends and the path between, for all cases of a placement and way."""

    def __init__(self, args, placement, way):
        self.way = way
        args.build = args.cache = None
        self.site = cases.Site(args)
        self.agents, self.path = {}, None
        try:
            self.build(placement, way)
        except BaseException:
            self.close()
            raise

    def build(self, placement, way):
        told = [['-M', str(path.NARROW)] if side < {'silent': 2, 'one': 1}.get(
            way, 0) else [] for side in (0, 1)]
        self.path = path.Path(self.site, way == 'nat')
        self.ends = [ends.End(self.site, side, placement, told[side])
                     for side in (0, 1)]
        self.path.attach(self.ends[0].ns, self.ends[1].ns)
        if way in ('silent', 'one'):
            self.path.keep_silent()
        for end in self.ends:
            end.start()

    def agent(self, side, mode):
        ns = self.ends[side].host(mode)
        if ns not in self.agents:
            self.agents[ns] = Agent(ns, ('send', 'serve')[side])
        return self.agents[ns]

    def run(self, case):
        """(longest gap, what else is to be said)"""
        version, df = FAMILIES[case.family]
        p = ends.Plan(case.placement, case.mode, version, df, self.way == 'nat')
        self.path.width(path.WIDE)
        for end in self.ends:
            end.apply(p)
            end.forget(case.mode)
        sender, server = [self.agent(s, case.mode) for s in (0, 1)]
        server.ask(end=1, df=df)
        server.answer(ANSWER)
        sender.ask(kind=case.kind, to=p.far(), df=df,
                   size=SIZE if case.kind == 'tcp' else MESSAGE)
        got = sender.answer(ANSWER)
        if 'go' in got:
            self.path.width(path.NARROW)
            sender.ask(shrunk=1)
            got = sender.answer(ANSWER)
        server.ask(end=1)
        return self.judge(case, got, server.answer(ANSWER))

    def judge(self, case, got, back):
        gap = max(got['gap'], back['gap'])
        if got['error'] or got['bad'] or got['at'] == 0:
            raise cases.Fail('%s (%s; %s)' % (
                got['error'] or 'wrong bytes' if got['at'] else
                'it never began: %s' % got['error'], got, back))
        if case.kind == 'tcp' and (got['bytes'] != got['sent'] or
                                   back['bytes'] != got['sent']):
            raise cases.Fail('bytes: %s; %s' % (got, back))
        if gap > STALL:
            raise cases.Fail('nothing for %.1f s' % gap)
        if case.kind == 'tcp':
            return gap, '%.1f MB' % (got['bytes'] / 2**20)
        lost = got['lost']
        if case.family == '4':
            lost = [n for n in lost if not got['at'] - 3 <= n <= got['at']]
        if len(lost) > (0 if case.family == '4' else LOST):
            raise cases.Fail('of %d messages %s were lost'
                             % (got['sent'], got['lost']))
        return gap, '%d of %d lost' % (len(got['lost']), got['sent'])

    def books(self):
        return ['%s: %s' % (e.gateway.name, {
            k: n for k, n in e.gateway.stats().items() if n})
            for e in self.ends if e.gateway]

    def hang_up(self):
        for a in self.agents.values():
            a.close()
        self.agents = {}

    def close(self):
        self.hang_up()
        if self.path:
            self.path.close()
        return self.site.close()


def run_page(args):
    try:
        problem = page.check(args)
    except TROUBLE as e:
        problem = '%s: %s' % (type(e).__name__, e)
    return [('page', 0, 'docs/MTU.md', problem)]


def run_site(args, key, todo):
    """[(name, gap, text, problem)]; a problem that begins with SKIP is none."""
    done = []
    try:
        site = Site(args, *key)
    except net.Skip as e:
        return [(c.name, 0, '', 'SKIP %s' % e) for c in todo]
    except TROUBLE as e:
        return [(c.name, 0, '', '%s: %s' % (type(e).__name__, e))
                for c in todo]
    for case in todo:
        try:
            gap, text = site.run(case)
            done.append((case.name, gap, text, ''))
        except TROUBLE as e:
            done.append((case.name, 0, '', '%s: %s\n%s' % (
                type(e).__name__, e, '\n'.join(site.books()))))
            site.hang_up()     # what hangs would hang the next one
    bad = site.close()
    if bad:
        done.append(('-'.join(key) + ': its end', 0, '', '\n'.join(bad)))
    return done


def show(result):
    name, gap, text, problem = result
    if problem.startswith('SKIP '):
        print('  skipped  %-34s %s' % (name, problem[5:]))
    elif problem:
        print('  FAILED   %-34s %s' % (
            name, problem.replace('\n', '\n           ')))
    else:
        print('  ok       %-34s %6.2f s   %s' % (name, gap, text))
    sys.stdout.flush()


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', required=True)
    parser.add_argument('--filter', default='')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--keep', action='store_true')
    parser.add_argument('--jobs', type=int, default=2)
    return parser.parse_args()


def chosen(words):
    sites = {k: [c for c in cs if not words or
                 any(w in c.name for w in words)]
             for k, cs in plan().items()}
    return {k: cs for k, cs in sites.items() if cs}


def main():
    args = arguments()
    sites = chosen(args.filter.split())
    with_page = not args.filter or 'page' in args.filter.split()
    count = sum(len(cs) for cs in sites.values()) + with_page
    if args.list:
        print('\n'.join([c.name for cs in sites.values() for c in cs] +
                        ['page'] * with_page))
        return 0
    try:
        net.enter_namespace()
    except net.Skip as e:
        print('  skipped  %s' % e)
        print('0 passed, 0 failed, %d skipped' % count)
        return 77
    start, results = time.monotonic(), []
    print('           %-34s %8s' % ('', 'longest gap'))
    with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        parts = [pool.submit(run_site, args, k, cs)
                 for k, cs in sites.items()]
        parts += [pool.submit(run_page, args)] * with_page
        for part in concurrent.futures.as_completed(parts):
            for r in part.result():
                results.append(r)
                show(r)
    failed = sum(bool(r[3]) and not r[3].startswith('SKIP ') for r in results)
    skipped = sum(r[3].startswith('SKIP ') for r in results)
    print('longest gap of all: %.2f s; %.0f seconds'
          % (max([r[1] for r in results], default=0),
             time.monotonic() - start))
    print('%d passed, %d failed, %d skipped'
          % (len(results) - failed - skipped, failed, skipped))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
