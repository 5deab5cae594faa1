# SPDX-License-Identifier: MIT
"""The device as a board in QEMU: device.c says what it takes and answers."""
import os
import re
import select
import subprocess
import time

from device import ANSWER, SLACK_S, Broken
from guest import die_with_parent
from image import program

MACHINES = {'m3': 'mps2-an385', 'm4': 'mps2-an386', 'm7': 'mps2-an500'}
FLASH_SIZE = 16 << 20          # the board's PSRAM, whose start is the flash
ANSWER_S = 20                  # other processes want the machine, too
SEED = '000102030405060708090a0b0c0d0e0f'


def flash_erased(path):
    with open(path, 'wb') as f:
        f.truncate(FLASH_SIZE)
        f.write(b'\xff' * 8192)


class Board:
    """Frames: one per datagram, from `directory`/d to `directory`/rd."""

    def __init__(self, name, elf, directory, flash, log):
        self.buf = b''
        self.notes = []
        self.boots = 0
        self.log = open(log, 'ab')
        local = directory + '/d'
        if os.path.exists(local):
            os.unlink(local)
        self.proc = subprocess.Popen(
            [program('qemu-system-arm'),
             '-M', MACHINES[name] + ',memory-backend=flash',
             '-object', 'memory-backend-file,id=flash,size=%d,mem-path=%s,'
             'share=on' % (FLASH_SIZE, flash),
             '-display', 'none', '-monitor', 'none', '-nodefaults',
             '-netdev', 'dgram,id=n0,local.type=unix,local.path=%s,'
             'remote.type=unix,remote.path=%s/rd' % (local, directory),
             '-net', 'nic,netdev=n0',
             '-chardev', 'stdio,id=c0,signal=off', '-serial', 'chardev:c0',
             '-semihosting-config', 'enable=on,target=native',
             '-kernel', elf],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            bufsize=0, preexec_fn=die_with_parent)
        self.fd = self.proc.stdout.fileno()

    def raw_line(self, seconds):
        end = time.monotonic() + seconds
        while b'\n' not in self.buf:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise Broken('the board is silent')
            data = os.read(self.fd, 65536)
            if not data:
                raise Broken('the board has ended')
            self.buf += data
        line, _, self.buf = self.buf.partition(b'\n')
        self.log.write(line + b'\n')
        self.log.flush()
        return line.decode(errors='replace').strip('\r')

    def line(self, seconds=ANSWER_S):
        """The next line that answers something."""
        while True:
            line = self.raw_line(seconds)
            if line.startswith('note: '):
                self.notes.append(line[6:])
            elif line == 'boot':
                self.boots += 1
                return line
            else:
                return line

    def wait_boot(self):
        if self.line() != 'boot':
            raise Broken('the board does not start')

    def send(self, command):
        self.log.write(b'> ' + command.encode() + b'\n')
        try:
            self.proc.stdin.write(command.encode() + b'\n')
        except BrokenPipeError:
            raise Broken('the board has ended') from None

    def ask(self, command, seconds=ANSWER_S):
        self.send(command)
        return self.line(seconds)

    def must(self, command, answer='ok'):
        line = self.ask(command)
        if line != answer:
            raise Broken('%s: the board says: %s' % (command, line))

    def configure(self, link):
        """All but the numbers, which are in its flash."""
        for arg in link.device_args():
            self.must('set ' + arg)

    # ---- what tests/interop's Device has

    def wait_ready(self):
        self.must('start', 'ready')

    def traffic(self, kind, *numbers):
        line = self.ask(' '.join([kind] + [str(n) for n in numbers]),
                        numbers[-1] / 1000 + SLACK_S + ANSWER_S)
        m = ANSWER.fullmatch(line)
        if not m or m.group(1) != kind:
            raise Broken('the board says: ' + line)
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

    def numbers(self, command):
        """Of an answer like "heap 1 pool 2"."""
        return [int(n) for n in re.findall(r'\d+', self.ask(command))]

    def ended(self, seconds=ANSWER_S):
        """Its exit status, when it has ended by itself."""
        try:
            return self.proc.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Broken('the board goes on') from None

    def stop(self):
        """Its exit status: 0 if it can still be told to end."""
        try:
            if self.proc.poll() is None:
                self.send('exit 0')
            self.proc.wait(SLACK_S)
        except (Broken, subprocess.TimeoutExpired):
            pass
        self.cut()
        return self.proc.returncode

    def cut(self):
        """Power fails."""
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        if not self.log.closed:
            self.proc.stdin.close()
            self.proc.stdout.close()
            self.log.close()
