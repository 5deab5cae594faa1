# SPDX-License-Identifier: MIT
"""The wire to the guest: a frame in each unix datagram, and us at its end. It
stands in for relay.Relay, which joins two processes."""
import os
import select
import socket
import time

import guest
from packets import Packet

MAC = bytes.fromhex('020000000001')
GUEST_MAC = bytes.fromhex(guest.MAC.replace(':', ''))
IPSEC = 50, 51
NATT = 4500
ND = range(130, 144)           # ICMPv6: neighbour discovery and reports


def is_ipsec(p):
    ports = p.payload[:4]
    return p.proto in IPSEC or p.proto == 17 and \
        int.from_bytes(ports[:2], 'big') == NATT


class Wire:
    def __init__(self, directory):
        self.there = directory + '/g'
        self.here = directory + '/rg'
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.here)
        self.reset()

    def start(self):
        pass

    def reset(self, _=False):
        self.log, self.clear = [], []
        self.last = time.monotonic()

    def send(self, packet):
        """An IP packet, which the log has too."""
        self.log.append(packet)
        kind = b'\x08\x00' if packet[0] >> 4 == 4 else b'\x86\xdd'
        self.sock.sendto(GUEST_MAC + MAC + kind + packet, self.there)

    def receive(self, seconds):
        """The guest's next packet that is protected, or None. What it sends
        in clear, but for neighbour discovery, is noted."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if not select.select([self.sock], [], [], max(0, left))[0]:
                return None
            p = self.sort(self.sock.recv(65536))
            if p:
                return p

    def sort(self, frame):
        self.last = time.monotonic()
        if frame[12:14] not in (b'\x08\x00', b'\x86\xdd'):
            return None
        p = Packet(frame[14:])
        if p.proto == 58 and p.payload[0] in ND:
            return None
        self.log.append(p.data)
        if is_ipsec(p):
            return p
        self.clear.append(p.data)
        return None

    def quiet_for(self):
        self.receive(0)
        return time.monotonic() - self.last

    def stop(self):
        self.sock.close()
        os.unlink(self.here)
