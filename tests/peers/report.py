# SPDX-License-Identifier: MIT
"""Runs groups of cases: a line for each case, "N passed, N failed, N skipped"
for all."""
import argparse
import fnmatch
import os
import shutil
import time
import traceback

from device import Broken
from endpoint import Refused
from group import Failed, Skipped
from guest import Dead

FAILURES_MAX = 40              # then something is wrong with all of it
EXPECTED = (Failed, Refused, Broken, Dead, RuntimeError)


def wanted(name, filters):
    """No filter, or one that is part of the name, or a pattern for it."""
    return not filters or any(
        f in name or fnmatch.fnmatch(name, f) for f in filters)


class Report:
    def __init__(self, args, groups):
        self.args, self.groups = args, groups
        self.log = os.path.abspath(args.build) + '/logs'
        self.filters = args.filter.replace(',', ' ').split()
        self.passed = self.failed = self.skipped = 0

    def wanted(self):
        return [n for n in names(self.groups) if wanted(n, self.filters)]

    def line(self, name, text, seconds, verdict):
        print('%-54s %-28s %5.1f s  %s' % (name, text, seconds, verdict),
              flush=True)

    def skip(self, names, why):
        self.skipped += len(names)
        last = ' ... ' + names[-1] if len(names) > 1 else ''
        print('%s%s: %d skipped' % (names[0], last, len(names)))
        print('    ' + str(why).strip().replace('\n', '\n    '))

    def complain(self, problems):
        for p in problems:
            print('    ' + str(p).strip().replace('\n', '\n    '))

    def case(self, group, name):
        start, text, bad = time.monotonic(), '', []
        try:
            text = group.run(name)
        except Skipped as e:
            self.skip([name], e)
            return
        except EXPECTED as e:
            bad = [e]
        except (KeyboardInterrupt, SystemExit):
            raise
        except Exception:      # a bug of the test's own is a failure, too
            bad = [traceback.format_exc()]
        self.line(name, text, time.monotonic() - start,
                  'FAIL' if bad else 'ok')
        self.passed += not bad
        self.failed += bool(bad)
        if bad:
            where = group.explain(name)
            self.complain(bad + ['see ' + where] * bool(where))

    def group(self, kind):
        group = kind(self.args, self.log)
        names = [n for n in group.names if wanted(n, self.filters)]
        if not names:
            return
        try:
            group.begin(names)
            for name in names:
                self.case(group, name)
                if self.failed >= FAILURES_MAX:
                    print('\ntoo many failures: the rest was not run')
                    break
            if group.summary():
                print('\n%s\n' % group.summary())
        except Skipped as e:
            self.skip(names, e)
        finally:
            bad = group.end()
            self.failed += len(bad)
            self.complain(bad)

    def all(self):
        shutil.rmtree(self.log, ignore_errors=True)
        os.makedirs(self.log)
        start = time.monotonic()
        for kind in self.groups:
            before = self.passed + self.failed + self.skipped
            self.group(kind)
            if not self.filters and \
                    before == self.passed + self.failed + self.skipped:
                self.failed += 1
                self.complain([kind.__name__ + ': no case was run'])
        if self.passed + self.failed + self.skipped:
            print('\n%.0f seconds%s' % (
                time.monotonic() - start,
                '; logs of failures in ' + self.log if self.failed else ''))
        return self.last_line()

    def last_line(self):
        """And the exit status."""
        print('%d passed, %d failed, %d skipped' % (
            self.passed, self.failed, self.skipped))
        if self.skipped and not self.passed + self.failed:
            return 77
        return 0 if self.passed and not self.failed else 1


def arguments(text):
    p = argparse.ArgumentParser(description=text)
    p.add_argument('--build', required=True, help='for logs')
    p.add_argument('--interop', default='', help='for the RAM disk')
    p.add_argument('--cache', default='', help='for the kernel package')
    p.add_argument('--endpoint', required=True, help='the program')
    p.add_argument('--filter', default='', help='parts of names')
    return p.parse_args()


def names(groups):
    return [n for kind in groups for n in kind.names]
