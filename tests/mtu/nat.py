# SPDX-License-Identifier: MIT
"""A NAT between two routers: nat.py PID-OF-THE-OUTER-ONE INSIDE OUTSIDE ...

Runs in the namespace of the inner router. The link is two tunnel devices named
`mid0`, one in each namespace, and this process is the wire between. For each
pair of addresses what comes from INSIDE goes on as from OUTSIDE, UDP from port
4500 as from 30000, and back; so does what ICMP errors quote. Fragments too.
"""
import ctypes
import fcntl
import os
import select
import socket
import struct
import sys

PORTS = 4500, 30000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
UDP, ICMP, FRAGMENT, ICMP6 = 17, 1, 44, 58
ERRORS = {ICMP: (3, 11, 12), ICMP6: (1, 2, 3, 4)}


def device():
    fd = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF,
                struct.pack('16sH22x', b'mid0', IFF_TUN | IFF_NO_PI))
    return fd


def enter(pid):
    fd = os.open('/proc/%d/ns/net' % pid, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), 'setns')
    os.close(fd)


def total(data):
    data += bytes(len(data) % 2)
    n = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return n


def replace(p, at, new, *sums):
    """Other bytes at `at`, and checksums at `sums` as they must be then (RFC
    1624)."""
    old = bytes(p[at:at + len(new)])
    p[at:at + len(new)] = new
    for s in sums:
        if s is not None and s + 2 <= len(p):
            n = struct.unpack('!H', p[s:s + 2])[0] ^ 0xffff
            n += total(new) + (total(old) ^ 0xffff)
            while n >> 16:
                n = (n & 0xffff) + (n >> 16)
            p[s:s + 2] = struct.pack('!H', n ^ 0xffff)


class Packet:
    """Where things are in the IP packet at `at` of `p`."""

    def __init__(self, p, at=0):
        self.version = p[at] >> 4
        if self.version == 4:
            self.proto, self.end = p[at + 9], at + (p[at] & 15) * 4
            self.later = struct.unpack('!H', p[at + 6:at + 8])[0] & 0x1fff
            self.sum, self.addr, self.size = at + 10, (at + 12, at + 16), 4
        else:
            self.proto, self.end, self.later = p[at + 6], at + 40, 0
            self.sum, self.addr, self.size = None, (at + 8, at + 24), 16
            if self.proto == FRAGMENT:
                self.proto, self.end = p[at + 40], at + 48
                self.later = struct.unpack('!H', p[at + 42:at + 44])[0] >> 3

    def udp_sum(self, p):
        """Where UDP's checksum is, if there is one."""
        at = self.end + 6
        if self.proto != UDP or self.later or p[at:at + 2] in (b'', b'\0\0'):
            return None
        return at


class Nat:
    def __init__(self, pairs):
        self.pairs = pairs      # (inside, outside), as bytes

    def change(self, p, at, which, out, *more):
        """Address and port number `which` (0: source) of the packet at `at`,
        on its way out or in. Was there one to change?"""
        k = Packet(p, at)
        a = k.addr[which]
        for inside, outside in self.pairs:
            old, new = (inside, outside) if out else (outside, inside)
            if bytes(p[a:a + k.size]) == old:
                replace(p, a, new, k.sum, k.udp_sum(p), *more)
                break
        else:
            return False
        port = k.end + 2 * which
        old, new = PORTS if out else PORTS[::-1]
        if k.proto == UDP and not k.later and \
                bytes(p[port:port + 2]) == struct.pack('!H', old):
            replace(p, port, struct.pack('!H', new), k.udp_sum(p), *more)
        return True

    def translate(self, p, out):
        """Of a quoted packet it is the other end's turn."""
        p = bytearray(p)
        if not self.change(p, 0, 0 if out else 1, out, icmp_sum(p)):
            return p
        k = Packet(p)
        if k.proto in ERRORS and p[k.end] in ERRORS[k.proto]:
            quote = k.end + 8
            self.change(p, quote, 1 if out else 0, out)
            p[k.end + 2:k.end + 4] = bytes(2)
            pseudo = b'' if k.version == 4 else bytes(p[8:40]) + \
                struct.pack('!IHBB', len(p) - k.end, 0, 0, ICMP6)
            p[k.end + 2:k.end + 4] = struct.pack(
                '!H', total(pseudo + bytes(p[k.end:])) ^ 0xffff)
        return p


def icmp_sum(p):
    """ICMPv6 sums addresses, too."""
    k = Packet(p)
    return k.end + 2 if k.proto == ICMP6 else None


def main():
    inner = device()
    enter(int(sys.argv[1]))
    outer = device()
    ends = sys.argv[2:]
    nat = Nat([tuple(socket.inet_pton(
        socket.AF_INET6 if ':' in x else socket.AF_INET, x) for x in pair)
        for pair in zip(ends[::2], ends[1::2])])
    print('ready', flush=True)
    while True:
        for fd in select.select([inner, outer], [], [])[0]:
            try:
                p = nat.translate(os.read(fd, 70000), fd == inner)
                os.write(outer if fd == inner else inner, p)
            except OSError:     # a device that is down
                pass


if __name__ == '__main__':
    main()
