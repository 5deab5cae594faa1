# SPDX-License-Identifier: MIT
"""libipsec against other implementations, part of make interop:
../interop/README.md says what it does. Prints a line for each case, and ends
with "N passed, N failed, N skipped".
"""
import fnmatch
import os
import shutil
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'interop'))

import run                     # noqa: E402
from device import Broken      # noqa: E402
from endpoint import Refused   # noqa: E402
from group import Failed, Skipped    # noqa: E402
from guest import Dead         # noqa: E402
from with_kernel import Kernel       # noqa: E402
from with_scapy import Scapy          # noqa: E402
from with_tshark import Tshark        # noqa: E402

GROUPS = Kernel, Scapy, Tshark
EXPECTED = (Failed, Refused, Broken, Dead, RuntimeError)


def wanted(name, filters):
    """No filter, or one that is part of the name, or a pattern for it."""
    return not filters or any(
        f in name or fnmatch.fnmatch(name, f) for f in filters)


class Report:
    def __init__(self, args):
        self.args, self.log = args, os.path.abspath(args.build) + '/logs'
        self.filters = args.filter.replace(',', ' ').split()
        self.passed = self.failed = self.skipped = 0

    def line(self, name, text, seconds, verdict):
        print('%-54s %-28s %5.1f s  %s' % (name, text, seconds, verdict),
              flush=True)

    def skip(self, names, why):
        self.skipped += len(names)
        for name in names:
            self.line(name, '', 0, 'skipped')
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
        for kind in GROUPS:
            self.group(kind)
        if self.passed + self.failed + self.skipped:
            print('\n%.0f seconds%s' % (
                time.monotonic() - start,
                '; logs of failures in ' + self.log if self.failed else ''))
        print('%d passed, %d failed, %d skipped' % (
            self.passed, self.failed, self.skipped))
        return 0 if self.passed + self.skipped and not self.failed else 1


def main():
    p = run.parser(__doc__)
    p.add_argument('--endpoint', required=True, help='the program')
    args = p.parse_args()
    if args.filter == '--list':
        print('\n'.join(n for kind in GROUPS for n in kind.names))
        return 0
    run.end_by_signals('peers')
    return Report(args).all()


if __name__ == '__main__':
    sys.exit(main())
