# SPDX-License-Identifier: MIT
"""Plain packets, made and taken apart; and the files that captures are."""
import socket
import struct

from relay import checksum

ICMP = {4: 1, 6: 58}
ECHO, REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
UDP = 17
HEADERS6 = 0, 43, 60           # hop-by-hop, routing, destination options
LINKTYPE_RAW = 101


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ':' in text
                            else socket.AF_INET, text)


def version(text):
    return 6 if ':' in text else 4


def summed(src, dst, proto, data, at):
    """`data` with its checksum, pseudo header and all, at `at`."""
    pseudo = address(src) + address(dst) + struct.pack('!II', len(data),
                                                       proto)
    n = checksum(pseudo + data) or 0xffff
    return data[:at] + struct.pack('!H', n) + data[at + 2:]


def ip(src, dst, proto, payload, options=b'', headers=()):
    """A packet. `options` of IPv4, of a length that is a multiple of four;
    `headers` of IPv6: (their number, all behind their first byte)."""
    if version(src) == 4:
        size = 20 + len(options)
        h = struct.pack('!BBHHHBBH', 0x40 | size // 4, 0,
                        size + len(payload), 1, 0, 64, proto, 0)
        h += address(src) + address(dst) + options
        return h[:10] + struct.pack('!H', checksum(h)) + h[12:] + payload
    numbers = [n for n, _ in headers] + [proto]
    chain = b''.join(bytes([numbers[i + 1]]) + h[1]
                     for i, h in enumerate(headers))
    return struct.pack('!IHBB', 6 << 28, len(chain) + len(payload),
                       numbers[0], 64) + address(src) + address(dst) \
        + chain + payload


def echo(kind, src, dst, number, data):
    """An ICMP message of `kind`, ECHO or REPLY."""
    v = version(src)
    m = struct.pack('!BBHHH', kind[v], 0, 0, 0x55, number) + data
    if v == 6:
        return summed(src, dst, 58, m, 2)
    return m[:2] + struct.pack('!H', checksum(m)) + m[4:]


class Packet:
    """One taken apart: v, src, dst, proto, header (all up to there), payload,
    behind extension headers; anything behind the packet is left out."""

    def __init__(self, data):
        self.v = data[0] >> 4
        if self.v == 4:
            at, end = (data[0] & 15) * 4, struct.unpack('!H', data[2:4])[0]
            self.proto, family, n = data[9], socket.AF_INET, 4
        else:
            at, end = 40, 40 + struct.unpack('!H', data[4:6])[0]
            self.proto, family, n = data[6], socket.AF_INET6, 16
            while self.proto in HEADERS6:
                self.proto, at = data[at], at + (data[at + 1] + 1) * 8
        ends = data[12:20] if self.v == 4 else data[8:40]
        self.src = socket.inet_ntop(family, ends[:n])
        self.dst = socket.inet_ntop(family, ends[n:])
        self.data, self.at = data[:end], at
        self.header, self.payload = data[:at], data[at:end]

    def is_echo(self, kind, src, dst, number, data):
        """Is it that message, each byte of it?"""
        return (self.src, self.dst, self.proto) == (
            src, dst, ICMP[self.v]) and \
            self.payload == echo(kind, src, dst, number, data)


def write_pcap(path, packets):
    """IP packets, a microsecond apart."""
    with open(path, 'wb') as f:
        f.write(struct.pack('=IHHIIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535,
                            LINKTYPE_RAW))
        for i, p in enumerate(packets):
            f.write(struct.pack('=IIII', i // 10**6, i % 10**6, len(p),
                                len(p)) + p)
