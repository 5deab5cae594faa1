# SPDX-License-Identifier: MIT
"""What a run against a Linux kernel begins and ends with: the guest, the
relay, the count of cases. interop.py and tests/firmware/firmware.py are two.
"""
import argparse
import os
import shutil
import signal
import sys
import tempfile
import time

import guest
import image
from link import GUEST_ADDRESSES
from relay import Relay

PATH_MAX = 80                  # of the sockets' directory: they end at 107
QUIET_S = 0.5                  # then the guest has introduced itself


def end_by_signals(name):
    """Leave through all `finally`s."""
    def terminated(number, frame):
        sys.exit('%s: ended by signal %d' % (name, number))

    signal.signal(signal.SIGTERM, terminated)
    signal.signal(signal.SIGHUP, terminated)


class Run:
    name = ''                  # as make calls it

    def __init__(self, args):
        """`args`: build (for the logs), interop (for the RAM disk), cache
        (for the kernel package), filter."""
        self.args = args
        self.log = os.path.abspath(args.build) + '/logs'
        self.filters = args.filter.replace(',', ' ').split()
        self.passed = self.failed = 0
        self.guest = self.relay = None
        base = tempfile.gettempdir()
        self.directory = tempfile.mkdtemp(
            prefix='ipsec-', dir=base if len(base) < PATH_MAX else '/tmp')

    def wire(self):
        """What the guest is connected to."""
        return Relay(self.directory)

    def begin(self):
        shutil.rmtree(self.log, ignore_errors=True)
        os.makedirs(self.log)
        self.kernel, self.initrd = image.image(self.args.interop,
                                               self.args.cache)
        self.relay = self.wire()
        self.relay.start()
        self.boot()

    def boot(self):
        """The guest, anew."""
        if self.guest:
            self.guest.stop()
            os.unlink(self.directory + '/g')
        start = time.monotonic()
        self.guest = guest.Guest(
            self.kernel, self.initrd, self.directory + '/g',
            self.directory + '/rg', self.log)
        self.guest.wait_ready()
        version = self.guest.must("/sbin/ip -batch - <<'END'\n%sEND\n"
                                  'uname -r' % GUEST_ADDRESSES)
        self.relay.reset()
        while self.relay.quiet_for() < QUIET_S:    # multicast reports
            time.sleep(QUIET_S / 10)
        print('guest: Linux %s, ready in %.1f s\n' % (
            version.strip(), time.monotonic() - start), flush=True)

    def run(self):
        """All cases."""
        raise NotImplementedError

    def summary(self):
        return '%d passed, %d failed' % (self.passed, self.failed)

    def clean_up(self):
        if self.guest:
            self.guest.stop()
        if self.relay:
            self.relay.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def main(self):
        """The exit status: 0 if there were cases and all passed."""
        end_by_signals(self.name)
        start = time.monotonic()
        try:
            self.begin()
            self.run()
        except image.Missing as e:
            print('%s: %s' % (self.name, e), file=sys.stderr)
            return 1
        except guest.Dead as e:
            print('%s: %s; see %s/console.log' % (self.name, e, self.log),
                  file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print('\ninterrupted')
            self.failed += 1
        finally:
            self.clean_up()
        print('\n%.0f seconds%s' % (
            time.monotonic() - start,
            '; logs of failures in ' + self.log if self.failed else ''))
        if self.filters and not self.passed + self.failed:
            print('%s: no case has a name with %s in it' % (
                self.name, ' or '.join(self.filters)), file=sys.stderr)
        print(self.summary())
        return 0 if self.passed and not self.failed else 1


def parser(text):
    p = argparse.ArgumentParser(description=text)
    p.add_argument('--build', required=True, help='for logs')
    p.add_argument('--interop', required=True, help='for the RAM disk')
    p.add_argument('--cache', required=True, help='for the kernel package')
    p.add_argument('--filter', default='', help='parts of names')
    return p
