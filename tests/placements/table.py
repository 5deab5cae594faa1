#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make placements: each place that IPsec can have, against a Linux kernel.

table.py RUNNER [ARGUMENT...] [-- RUNNER [ARGUMENT...]]...

A runner prints a line each case,

    ok      PLACEMENT ROLE MODE FAMILY CASE (1.2 s)
    FAILED  PLACEMENT ROLE MODE FAMILY CASE (1.2 s): why
    skipped PLACEMENT ROLE MODE FAMILY CASE: why

and whatever else it has to say; last "N passed, N failed, N skipped", and
exits 0, 77 where all was skipped, or otherwise something has failed. All
of it is passed on, then comes the table, and the sum of the last lines."""
import re
import subprocess
import sys

KEYS = 'placement', 'role', 'mode', 'IP'
CASES = ('ping', 'udp-1', 'udp-8', 'udp-512', 'udp-8192', 'udp-65000',
         'udp-edges', 'tcp-10M')
LINE = re.compile(r'\s*(ok|FAILED|skipped)\s+'
                  r'(\S+) (\S+) (\S+) ([46]) ([^\s:]+)')
LAST = re.compile(r'(\d+) passed, (\d+) failed, (\d+) skipped$')


class Table:
    def __init__(self):
        self.rows, self.cases = {}, list(CASES)
        self.sums = [0, 0, 0]

    def take(self, line):
        """What a runner has said; whether it was its last line."""
        found = LINE.match(line)
        if found:
            word, row, case = found[1], found.groups()[1:5], found[6]
            self.rows.setdefault(row, {})[case] = word.replace('skipped',
                                                               'skip')
            if case not in self.cases:
                self.cases.append(case)
        last = LAST.match(line)
        if last:
            self.sums = [a + int(b) for a, b in zip(self.sums, last.groups())]
        return bool(last)

    def fail(self, why):
        print('  FAILED  ' + why, flush=True)
        self.sums[1] += 1

    def run(self, command):
        ended = False
        try:
            runner = subprocess.Popen(command, stdout=subprocess.PIPE,
                                      text=True)
        except OSError as e:
            self.fail('%s: %s' % (' '.join(command), e))
            return
        for line in runner.stdout:
            line = line.rstrip('\n')
            ended = self.take(line)
            if not ended:
                print(line, flush=True)
        before = self.sums[1]
        if runner.wait() not in (0, 77) and before == 0 or not ended:
            self.fail('%s: exit status %d%s' % (
                ' '.join(command), runner.returncode,
                '' if ended else ', and no sum'))

    def text(self):
        cases = [c for c in self.cases
                 if any(c in done for done in self.rows.values())]
        lines = [list(KEYS) + cases]
        for row, done in self.rows.items():
            lines.append(list(row) + [done.get(c, '-') for c in cases])
        wide = [max(map(len, column)) for column in zip(*lines)]
        return '\n'.join('  '.join(w.ljust(n) for w, n in zip(line, wide))
                         .rstrip() for line in lines)


def commands(words):
    found = [[]]
    for w in words:
        if w == '--':
            found.append([])
        else:
            found[-1].append(w)
    return [c for c in found if c]


def main():
    table = Table()
    try:
        for command in commands(sys.argv[1:]):
            table.run(command)
    except KeyboardInterrupt:
        table.fail('interrupted')
    if table.rows:
        print('\n%s\n' % table.text())
    print('%d passed, %d failed, %d skipped' % tuple(table.sums))
    if table.sums[1]:
        return 1
    return 0 if table.sums[0] else 77


if __name__ == '__main__':
    sys.exit(main())
