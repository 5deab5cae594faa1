# SPDX-License-Identifier: MIT
"""The device: device.c and commands.h say what it takes and answers."""
import os
import re
import select
import subprocess
import time

from guest import die_with_parent
from link import DEVICE

ANSWER = re.compile(r'(\w+) (\d+) of (\d+) bad (\d+) (?:twice|closed) (\d+)')
SLACK_S = 5                    # over what the device itself waits for


class Broken(Exception):
    """The device fell silent, ended, or said what it should not."""


class Device:
    """What a process and a board have in common: lines in, lines out."""
    answer_s = SLACK_S         # how long an answer may take

    def start(self, args, log):
        """`log`: a file, which is ours to close."""
        self.buf, self.log = b'', log
        self.proc = subprocess.Popen(
            args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            bufsize=0, preexec_fn=die_with_parent)
        self.fd = self.proc.stdout.fileno()

    def raw_line(self, seconds):
        end = time.monotonic() + seconds
        while b'\n' not in self.buf:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise Broken('the device is silent')
            data = os.read(self.fd, 65536)
            if not data:
                raise Broken('the device has ended')
            self.buf += data
        line, _, self.buf = self.buf.partition(b'\n')
        return line.decode(errors='replace').strip('\r')

    def line(self, seconds=None):
        """The next one that answers something."""
        return self.raw_line(seconds or self.answer_s)

    def send(self, command):
        try:
            self.proc.stdin.write(command.encode() + b'\n')
        except BrokenPipeError:
            raise Broken('the device has ended') from None

    def traffic(self, kind, *numbers):
        """Run a traffic command, whose last number is how long it waits:
        (came back, of, bad, twice or closed)."""
        self.send(' '.join([kind] + [str(n) for n in numbers]))
        line = self.line(numbers[-1] / 1000 + SLACK_S + self.answer_s)
        m = ANSWER.fullmatch(line)
        if not m or m.group(1) != kind:
            raise Broken('the device says: ' + line)
        return tuple(int(n) for n in m.groups()[1:])

    def stats(self):
        self.send('stats')
        counters = {}
        while True:
            line = self.line()
            if line == 'end':
                return counters
            name, value = line.split()
            counters[name] = int(value)

    def close(self):
        self.proc.stdin.close()
        self.proc.stdout.close()
        self.log.close()


class Process(Device):
    def __init__(self, program, directory, link, log):
        self.start(
            [program, 'wire=%s/d' % directory, 'peer=%s/rd' % directory,
             'ip4=' + DEVICE[4], 'ip6=' + DEVICE[6]] + link.device_args(),
            open(log, 'wb'))

    def wait_ready(self):
        if self.line() != 'ready':
            raise Broken('the device does not start')

    def stop(self):
        """Its exit status: not 0 when a sanitizer has something to say."""
        try:
            self.proc.stdin.close()
            self.proc.wait(SLACK_S)
        except (OSError, subprocess.TimeoutExpired):
            self.proc.kill()
            self.proc.wait()
        self.close()
        return self.proc.returncode
