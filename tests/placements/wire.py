# SPDX-License-Identifier: MIT
"""The wire from a station's TAP device to the Linux in QEMU: tests/interop's
relay, which counts what crosses it and keeps what crosses it in clear."""
import os
import socket
import subprocess
import sys

import relay

# In the station: make the device, and hand it over.
MAKE = r'''
import fcntl, os, socket, struct, sys
tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tap, 0x400454ca, struct.pack("16sH22x", sys.argv[1].encode(),
                                         0x1002))
socket.send_fds(socket.socket(fileno=int(sys.argv[2])), [b"."], [tap])
'''


class Device:
    """A TAP device as the relay's sockets are."""

    def __init__(self, ns, name):
        ours, theirs = socket.socketpair()
        made = ns.start(sys.executable, '-c', MAKE, name,
                        str(theirs.fileno()), pass_fds=[theirs.fileno()])
        theirs.close()
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        ours.close()
        if made.wait() or not fds:
            raise subprocess.SubprocessError('no device %s' % name)
        self.fd = fds[0]
        ns.ip('link set %s up' % name)

    def fileno(self):
        return self.fd

    def recv(self, size):
        return os.read(self.fd, size)

    def sendto(self, data, _):
        os.write(self.fd, data)

    def close(self):
        os.close(self.fd)


class Wire(relay.Relay):
    """Ends at one station after another."""

    def plug(self, ns, name):
        self.use(Device(ns, name))

    def unplug(self):
        """Before the station ends."""
        self.use(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0])

    def use(self, device):
        if isinstance(device, socket.socket):
            device.setblocking(False)
        with self.lock:
            self.device.sock.close()
            self.device.sock = device
            self.device.queue.clear()
