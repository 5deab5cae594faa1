# SPDX-License-Identifier: MIT
"""The guest as a running machine: boot it, run commands in it, end it."""
import ctypes
import os
import re
import select
import signal
import subprocess
import time

import image

MAC = '52:54:00:12:34:56'
BOOT_S = 120


def die_with_parent():
    """In the child, before exec: no orphan, however we end."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Dead(Exception):
    """The guest fell silent or ended."""


class Guest:
    def __init__(self, kernel, initrd, local, remote, log):
        """Frames: one per datagram, from socket `local` to `remote`."""
        net = ('dgram,id=n0,local.type=unix,local.path=%s,'
               'remote.type=unix,remote.path=%s' % (local, remote))
        self.buf = b''
        self.tags = 0
        self.err = open(log + '/qemu.log', 'wb')
        self.proc = subprocess.Popen(
            [image.program('qemu-system-x86_64'), '-M', 'pc',
             '-accel', 'tcg', '-cpu', os.environ.get('GUEST_CPU', 'max'),
             '-m', '192', '-display', 'none', '-no-reboot', '-nodefaults',
             '-kernel', kernel, '-initrd', initrd, '-append',
             'console=ttyS0 panic=-1 quiet loglevel=4 mitigations=off '
             # or a busy host makes it find that its timer does not work
             'no_timer_check '
             'tsc=reliable net.ifnames=0',
             '-netdev', net, '-device',
             'virtio-net-pci,netdev=n0,romfile=,mac=' + MAC,
             '-serial', 'file:%s/console.log' % log,
             '-chardev', 'stdio,id=c1,signal=off', '-serial', 'chardev:c1'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err,
            bufsize=0, preexec_fn=die_with_parent)
        self.fd = self.proc.stdout.fileno()

    def wait_ready(self):
        end = time.monotonic() + BOOT_S
        while True:
            try:
                self.run('true', 1)
                return
            except Dead:
                if self.proc.poll() is not None or time.monotonic() > end:
                    raise

    def read_until(self, pattern, seconds):
        end = time.monotonic() + seconds
        while True:
            m = re.search(pattern, self.buf)
            if m:
                out, self.buf = self.buf[:m.start()], self.buf[m.end():]
                return out, m
            left = end - time.monotonic()
            if left <= 0:
                raise Dead('the guest is silent')
            if select.select([self.fd], [], [], left)[0]:
                data = os.read(self.fd, 65536)
                if not data:
                    raise Dead('QEMU has ended: see qemu.log')
                self.buf += data

    def run(self, script, seconds=30):
        """Run shell commands: (what they print, exit status)."""
        self.tags += 1
        tag = '=%d=' % self.tags
        # the echo's argument differs from what it prints, so that an echo
        # of the line itself is not taken for an answer
        text = ('echo "<"%s; ( %s\n) </dev/null 2>&1; echo "$?>"%s\n'
                % (tag, script, tag))
        try:
            self.proc.stdin.write(text.encode())
        except BrokenPipeError:
            raise Dead('QEMU has ended: see qemu.log') from None
        self.read_until(b'<%s\n' % tag.encode(), seconds)
        out, m = self.read_until(rb'(\d+)>%s\n' % tag.encode(), seconds)
        return out.decode(errors='replace'), int(m.group(1))

    def must(self, script, seconds=30):
        out, status = self.run(script, seconds)
        if status:
            raise RuntimeError('in the guest: %s\n%s' % (script, out))
        return out

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(5)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        self.proc.stdin.close()
        self.proc.stdout.close()
        self.err.close()
