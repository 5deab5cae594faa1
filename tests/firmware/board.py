# SPDX-License-Identifier: MIT
"""The device as a board in QEMU: device.c says what it takes and answers
beside what a process does."""
import os
import re
import subprocess

from device import SLACK_S, Broken, Device
from image import program

MACHINES = {'m3': 'mps2-an385', 'm4': 'mps2-an386', 'm7': 'mps2-an500'}
FLASH_SIZE = 16 << 20          # the board's PSRAM, whose start is the flash
ANSWER_S = 20                  # other processes want the machine, too
SEED = '000102030405060708090a0b0c0d0e0f'


def flash_erased(path):
    with open(path, 'wb') as f:
        f.truncate(FLASH_SIZE)
        f.write(b'\xff' * 8192)


class Board(Device):
    """Frames: one per datagram, from `directory`/d to `directory`/rd."""
    answer_s = ANSWER_S

    def __init__(self, name, elf, directory, flash, log):
        self.notes = []
        local = directory + '/d'
        if os.path.exists(local):
            os.unlink(local)
        self.start(
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
             '-kernel', elf], open(log, 'ab'))

    def raw_line(self, seconds):
        line = Device.raw_line(self, seconds)
        self.log.write(line.encode() + b'\n')
        self.log.flush()
        return line

    def line(self, seconds=None):
        while True:
            line = Device.line(self, seconds)
            if not line.startswith('note: '):
                return line
            self.notes.append(line[6:])

    def wait_boot(self):
        if self.line() != 'boot':
            raise Broken('the board does not start')

    def send(self, command):
        self.log.write(b'> ' + command.encode() + b'\n')
        Device.send(self, command)

    def ask(self, command):
        self.send(command)
        return self.line()

    def must(self, command, answer='ok'):
        line = self.ask(command)
        if line != answer:
            raise Broken('%s: the board says: %s' % (command, line))

    def configure(self, link):
        """All but the numbers, which are in its flash."""
        for arg in link.device_args():
            self.must('set ' + arg)

    def wait_ready(self):
        self.must('start', 'ready')

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
            self.close()
