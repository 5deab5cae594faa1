# SPDX-License-Identifier: MIT
"""make interop: the lwIP device against a real Linux kernel in QEMU.

README.md says what it does. Prints a line for each case; exits 0 only if
there were cases and all passed.
"""
import fnmatch
import itertools
import os
import sys
import time
import traceback

import cases
import device
import encap
import guest
import narrow
import run
import size
from relay import IN, OUT
from session import Session

FAILURES_MAX = 40              # then something is wrong with all of it
EXPECTED = (cases.Failed, device.Broken, guest.Dead, RuntimeError)


def wanted(name, filters):
    """No filter, or one that is part of the name, or a pattern for it."""
    return not filters or any(
        f in name or fnmatch.fnmatch(name, f) for f in filters)


class Interop(run.Run):
    name = 'interop'

    def line(self, name, text, session, seconds, verdict):
        """`text`: what was seen, or what was wrong."""
        counts = 'out %4d  in %4d' % (
            session.packets(OUT), session.packets(IN)) if session else ''
        print('%-40s %-28s %-18s %5.1f s  %s' % (
            name, text if verdict == 'ok' else '', counts, seconds, verdict),
            flush=True)

    def case(self, session, name, run):
        """True if it passed."""
        start, text, bad = time.monotonic(), '', []
        session.mark()
        try:
            text = run(session)
            for direction in OUT, IN:
                session.relay.end_fault(direction)
            bad = session.settle()
        except EXPECTED as e:
            bad = [str(e)]
        except (KeyboardInterrupt, SystemExit):
            raise
        except Exception:      # a bug of the test's own is a failure, too
            bad = [traceback.format_exc()]
        self.line(name, bad[0] if bad else text, session,
                  time.monotonic() - start, 'FAIL' if bad else 'ok')
        if bad:
            self.explain(session, name, bad)
        return not bad

    def explain(self, session, name, bad):
        """What was wrong, and where to look."""
        try:
            session.stats = session.device.stats()
        except device.Broken as e:
            bad.append(str(e))
        path = '%s/%s' % (self.log, name)
        with open(path + '.txt', 'w') as f:
            f.write('\n'.join(bad) + '\n\n')
            f.write('device: %s\n\n' % session.stats)
            f.write('arguments: %s\n\n' %
                    ' '.join(session.link.device_args()))
            f.write('relay: %s\n\n' % session.relay.count)
            f.write('guest:\n%s\n' % session.link.guest_batch())
            try:
                f.write(self.guest.run(
                    '/sbin/ip -s xfrm state; /sbin/ip -s xfrm policy; '
                    'cat /proc/net/xfrm_stat; dmesg | tail -20')[0])
            except guest.Dead as e:
                f.write(str(e))
        for b in bad[:8]:
            print('    ' + b.replace('\n', '\n    '))
        print('    see %s.txt and %s/%s.*' % (path, self.log,
                                              session.link.name))

    def links(self):
        for link, runs in itertools.chain(cases.plan(), encap.plan(),
                                          size.plan(), narrow.plan()):
            runs = {n: r for n, r in runs.items() if wanted(n, self.filters)}
            if runs:
                yield link, runs

    def session(self, link, log):
        return Session(link, self.guest, self.relay, self.args.device, log)

    def group(self, link, runs):
        """Set the link up and run cases on it, until one fails: who knows
        what that leaves behind? Returns those not run yet."""
        log = '%s/%s' % (self.log, link.name)
        good, session = True, None
        left = dict(runs)
        try:
            session = self.session(link, log)
            while left and good:
                name = next(iter(left))
                good = self.case(session, name, left.pop(name))
                self.passed += good
                self.failed += not good
        except EXPECTED as e:
            name = next(iter(left))
            left.pop(name)
            self.line(name, str(e), None, 0, 'FAIL')
            print('    %s\n    see %s.*' % (e, log))
            self.failed += 1
            good = False
        finally:
            status = self.hang_up(session)
        if status and good:
            self.line(link.name, 'the device ends with status %d' % status,
                      None, 0, 'FAIL')
            print('    see %s.device.log' % log)
            self.failed += 1
        elif good:
            for end in '.pcap', '.esp_sa', '.device.log':
                os.unlink(log + end)
        if not good:
            self.boot()
        return left

    def hang_up(self, session):
        self.relay.capture(None)
        return session.close() if session else 0

    def run(self):
        for link, runs in self.links():
            while runs:
                runs = self.group(link, runs)
                if self.failed >= FAILURES_MAX:
                    print('\ntoo many failures: the rest was not run')
                    return


def main():
    p = run.parser(__doc__)
    p.add_argument('--device', required=True, help='the program')
    args = p.parse_args()
    it = Interop(args)
    if not args.filter:
        # Many cases run beside other work (.ci/run), which takes time, too:
        # the limit proper is asked of those that are called by their names.
        narrow.STALL *= 2
    if args.filter == '--list':
        it.filters = []
        print('\n'.join(n for _, runs in it.links() for n in runs))
        it.clean_up()
        return 0
    if not any(True for _ in it.links()):
        it.clean_up()
        print('0 passed, 0 failed')
        return 1
    return it.main()


if __name__ == '__main__':
    sys.exit(main())
