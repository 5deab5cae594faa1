# SPDX-License-Identifier: MIT
"""A group of cases: those with one peer."""
import os

import endpoint


class Failed(Exception):
    """A case, and why."""


class Skipped(Exception):
    """What this machine lacks; its text says which command brings it."""


class Group:
    names = ()                 # of all its cases

    def __init__(self, args, log):
        self.args, self.log = args, log
        self.endpoint = None

    def begin(self, names):
        """What it takes to run these cases. Skipped: none of them can be."""
        self.start_endpoint()

    def run(self, name):
        """What is to be said of a case. Skipped, Failed, ..."""
        raise NotImplementedError

    def explain(self, name):
        """Where to look, after it failed; or nothing."""
        return ''

    def summary(self):
        """What is to be said of them all; or nothing."""
        return ''

    def end(self):
        """Problems found at the end."""
        return self.stop_endpoint()

    # ---- our end, which most need

    def start_endpoint(self):
        path = os.path.join(self.log, type(self).__name__ + '.log')
        self.endpoint = endpoint.Endpoint(self.args.endpoint, path)

    def stop_endpoint(self):
        if not self.endpoint:
            return []
        status = self.endpoint.stop()
        log, self.endpoint = self.endpoint.log.name, None
        return ['our end: status %d: see %s' % (status, log)] * bool(status)


def install(packages):
    return 'apt-get install -y --no-install-recommends ' + packages
