# SPDX-License-Identifier: MIT
"""total.py COMMAND... -- COMMAND...

Run commands that end with "N passed, N failed[, N skipped]", and end with the
sum of these lines. Exits 0 only if something passed and nothing failed. One
that has nothing to run, by what it was told, passes 0 of 0.
"""
import re
import signal
import subprocess
import sys

LAST = re.compile(r'(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$')


def commands(words):
    command = []
    for w in words:
        if w == '--':
            yield command
            command = []
        else:
            command.append(w)
    yield command


def run(command):
    """(passed, failed, skipped, whether it says so)"""
    def terminated(number, frame):
        proc.terminate()
        sys.exit('ended by signal %d' % number)

    last = ''
    with subprocess.Popen(command, stdout=subprocess.PIPE,
                          text=True) as proc:
        signal.signal(signal.SIGTERM, terminated)
        signal.signal(signal.SIGHUP, terminated)
        for line in proc.stdout:
            print(line, end='', flush=True)
            last = line.strip() or last
    m = LAST.match(last)
    passed, failed, skipped = [int(n or 0) for n in
                               (m.groups() if m else (0, 0, 0))]
    told = m and (failed or not passed + skipped)
    if proc.returncode not in (0, 77) and not told:
        failed += 1
    return passed, failed, skipped, m is not None


def main():
    results = [run(c) for c in commands(sys.argv[1:])]
    passed, failed, skipped = [sum(r[i] for r in results) for i in range(3)]
    if not failed and not any(r[3] for r in results):
        return 0               # it was only to list them
    if not passed + failed + skipped:
        print('interop: no case has a name with that in it; FILTER=--list '
              'has them', file=sys.stderr)
    print('\n%d passed, %d failed, %d skipped' % (passed, failed, skipped))
    if skipped and not passed + failed:
        return 77
    return 0 if passed and not failed else 1


if __name__ == '__main__':
    sys.exit(main())
