# SPDX-License-Identifier: MIT
"""Cases with strongSwan's own ESP. `recorded`: two charons talk, we open each
packet of the record, both ways, by the keys in the log, and find what was
said. `live`: the one that began is gone, and we are in its place: the other
answers us."""
import ctypes
import os
import re
import select
import shutil
import socket
import struct
import tempfile
import time

import charon
import net
import suites
from endpoint import IN, OUT
from group import Failed, Group
from link import NATT
from packets import (ECHO, ICMP, REPLY, UDP, Packet, echo, ip, summed,
                     write_pcap)
from suites import material

SUITES = {                     # encr, key with salt, integ, its key
    'aes128gcm16': (suites.GCM_16, 20, 0, 0),
    'aes256gcm16': (suites.GCM_16, 36, 0, 0),
    'aes192gcm12': (suites.GCM_12, 28, 0, 0),
    'aes128gcm8': (suites.GCM_8, 20, 0, 0),
    'aes128ccm16': (suites.CCM_16, 19, 0, 0),
    'aes192ccm12': (suites.CCM_12, 27, 0, 0),
    'aes256ccm8': (suites.CCM_8, 35, 0, 0),
    'chacha20poly1305': (suites.CHACHA, 36, 0, 0),
    'aes128-sha256': (suites.CBC, 16, suites.SHA256_128, 32),
    'aes192-sha384': (suites.CBC, 24, suites.SHA384_192, 48),
    'aes256-sha512': (suites.CBC, 32, suites.SHA512_256, 64),
    'aes128-sha1': (suites.CBC, 16, suites.SHA1_96, 20),
    'aes128-aesxcbc': (suites.CBC, 16, suites.XCBC_96, 16),
    'aes128-aescmac': (suites.CBC, 16, suites.CMAC_96, 16),
    'aes128ctr-sha256': (suites.CTR, 20, suites.SHA256_128, 32),
    'aes256ctr-sha512': (suites.CTR, 36, suites.SHA512_256, 64),
    'null-sha256': (suites.NULL, 0, suites.SHA256_128, 32),
}
SIZES = 1, 100, 1300
PORT = 9000
AHEAD = 1000                   # our numbers begin so far behind theirs
WAIT_S = 10
NEVER_S = 0.1


def plan():
    n = 0
    for suite in SUITES:
        for outer in 4, 6:
            n += 1             # networks of two children must not be the same
            for inner in 4, 6:
                yield charon.Child(suite, outer, inner, n)


class Inside:
    """With this, sockets are made in that namespace, and stay there."""

    def __init__(self, ns):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.there = '/proc/%d/ns/net' % ns.holder.pid

    def enter(self, fd):
        if self.libc.setns(fd, 0):
            raise OSError(ctypes.get_errno(), 'setns')

    def __enter__(self):
        self.back = os.open('/proc/self/ns/net', os.O_RDONLY)
        fd = os.open(self.there, os.O_RDONLY)
        self.enter(fd)
        os.close(fd)

    def __exit__(self, *_):
        self.enter(self.back)
        os.close(self.back)


def udp_socket(ns, address, port):
    with Inside(ns):
        s = socket.socket(socket.AF_INET6 if ':' in address
                          else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, port))
    s.settimeout(WAIT_S)
    return s


def damaged(data):
    """A bit of the ICV is another; the UDP checksum is right."""
    p = Packet(data)
    udp = p.payload[:-1] + bytes([p.payload[-1] ^ 1])
    if udp[6:8] != bytes(2):
        udp = summed(p.src, p.dst, UDP, udp[:6] + bytes(2) + udp[8:], 6)
    return p.header + udp


def esp_of(frame):
    """(SPI, number, IP packet) of ESP in UDP; or None."""
    if frame[12:14] not in (b'\x08\x00', b'\x86\xdd'):
        return None
    p = Packet(frame[14:])
    if p.proto != 17 or len(p.payload) < 16 or \
            p.payload[:4] != struct.pack('!HH', NATT, NATT) or \
            p.payload[8:12] == bytes(4):
        return None
    return struct.unpack('!II', p.payload[8:16]) + (p.data,)


CHILDREN = {c.name: c for c in plan()}


class Charon(Group):
    names = tuple('charon/%s/%s' % (kind, n) for kind in ('recorded', 'live')
                  for n in CHILDREN)

    def __init__(self, args, log):
        Group.__init__(self, args, log)
        self.stations, self.daemons, self.sniffer = [], [], None
        self.directory = None
        self.sent, self.why, self.keys, self.last = {}, {}, {}, {}
        self.record, self.wire, self.bound = [], None, []

    def child(self, name):
        return CHILDREN[name.split('/')[-1]]

    def begin(self, names):
        Group.begin(self, names)
        self.directory = tempfile.mkdtemp(prefix='ipsec-')
        chosen = {self.child(n).name: self.child(n) for n in names}
        self.build(chosen.values())
        for d in self.daemons:
            d.start()
        self.sniffer = net.Sniffer(self.stations[0], 'v0',
                                   self.directory + '/frames')
        for c in chosen.values():
            try:
                self.talk(c)
            except (RuntimeError, OSError) as e:
                self.why[c.name] = str(e)
        self.frames = self.sniffer.frames()
        self.record = [e for e in map(esp_of, self.frames) if e]
        self.sniffer = None
        self.keys = charon.keys(self.daemons[0].log())
        self.counted = self.daemons[1].counted()
        write_pcap(self.log + '/charon.pcap', [e[2] for e in self.record])

    def build(self, chosen):
        """Two stations and a cable."""
        self.stations = [net.Netns('0'), net.Netns('1')]
        net.cable(self.stations[0], 'v0', self.stations[1], 'v1')
        for i, ns in enumerate(self.stations):
            for v in 4, 6:
                ns.ip('addr add %s dev v%d' % (charon.OUTER[v][i], i))
            ns.segments_whole('v%d' % i)
            for a in {c.networks()[i] for c in chosen}:
                ns.ip('addr add %s dev lo' % a)
            self.daemons.append(charon.Daemon(self.directory, ns, i, chosen))

    def talk(self, c):
        """Datagrams both ways, each of which must arrive."""
        self.daemons[0].ask('--initiate', '--child', c.name, '--ike',
                            't%d' % c.outer, '--timeout', '20')
        ends = [udp_socket(self.stations[0], c.here, PORT),
                udp_socket(self.stations[1], c.there, PORT)]
        said = [[], []]
        try:
            for size in SIZES:
                for i, to in (0, c.there), (1, c.here):
                    data = material('%s %d' % (c.name, i), size)
                    ends[i].sendto(data, (to, PORT))
                    if ends[1 - i].recv(65536) != data:
                        raise RuntimeError('charon gave other data')
                    said[i].append(data)
        finally:
            for s in ends:
                s.close()
        self.sent[c.name] = said

    # ---- our end

    def settings(self, c, end, way, seq=0):
        """Settings of our SA at `end`, of those that the charons made."""
        spi_in, spi_out, key = self.keys[c.name]
        by_first = (end == 0) == (way == OUT)
        who = 'initiator' if by_first else 'responder'
        encr, encr_len, integ, integ_len = SUITES[c.suite]
        ekey = key.get(('encryption', who), b'')
        ikey = key.get(('integrity', who), b'')
        if (len(ekey), len(ikey)) != (encr_len, integ_len):
            raise Failed('keys of %d and %d bytes' % (len(ekey), len(ikey)))
        addresses = [a.split('/')[0] for a in charon.OUTER[c.outer]]
        return {'dir': way, 'spi': spi_out if by_first else spi_in,
                'proto': 50, 'mode': 2, 'local': addresses[end],
                'remote': addresses[1 - end], 'ports': NATT, 'seq': seq,
                'encr': encr, 'integ': integ, 'ekey': ekey, 'ikey': ikey}

    def policy(self, c, end):
        ends = (c.here, c.there) if end == 0 else (c.there, c.here)
        return {'dir': 3, 'proto': 50, 'mode': 2, 'local': ends[0],
                'remote': ends[1]}

    # ---- cases

    def run(self, name):
        c = self.child(name)
        if c.name in self.why:
            raise Failed('between the charons: ' + self.why[c.name])
        if c.name not in self.keys:
            raise Failed('no keys in the log')
        return self.live(c) if '/live/' in name else self.recorded(c)

    def recorded(self, c):
        count = 0
        for end, said in (1, self.sent[c.name][0]), (0, self.sent[c.name][1]):
            self.endpoint.reset()
            sa = self.settings(c, end, IN)
            self.endpoint.sa(**sa)
            self.endpoint.policy(**self.policy(c, end))
            heard = []
            for spi, seq, data in self.record:
                if spi == sa['spi']:
                    p = Packet(self.endpoint.opened(data))
                    if (p.src, p.dst) != ((c.here, c.there) if end
                                          else (c.there, c.here)):
                        raise Failed('opened: ' + p.data.hex())
                    heard.append(p.payload[8:])
                    self.last[spi] = seq
            if heard != said:
                raise Failed('%d packets, not what was said' % len(heard))
            if self.endpoint.books()['in_protect'] != len(said):
                raise Failed('our books are wrong')
            count += len(said)
        return '%d opened' % count

    def take_over(self):
        """The first is gone; its addresses and ports are ours."""
        self.daemons[0].vanish()
        ns = self.stations[0]
        self.bound = [udp_socket(ns, charon.OUTER[v][0].split('/')[0], NATT)
                      for v in (4, 6)]
        with Inside(ns):
            self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                      socket.htons(3))
        self.wire.bind(('v0', 0))
        self.mac = [bytes.fromhex(re.search(
            r'link/ether (\S+)', s.ip('-o link show v%d' % i)).group(1)
            .replace(':', '')) for i, s in enumerate(self.stations)]

    def send(self, data):
        kind = b'\x08\x00' if data[0] >> 4 == 4 else b'\x86\xdd'
        self.wire.send(self.mac[1] + self.mac[0] + kind + data)

    def receive(self, spi, seconds):
        """The other's next packet of that SPI, or None."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if not select.select([self.wire], [], [], max(0, left))[0]:
                return None
            frame = self.wire.recv(65536)
            found = esp_of(frame)
            if found and found[0] == spi and frame[6:12] == self.mac[1]:
                return found[2]

    def request(self, c, number):
        data = material(c.name, 30 * number)
        return self.endpoint.seal(
            ip(c.here, c.there, ICMP[c.inner],
               echo(ECHO, c.here, c.there, number, data))), data

    def answer(self, c, spi, number, data):
        reply = self.receive(spi, WAIT_S)
        if reply is None:
            raise Failed('no answer to packet %d' % number)
        plain = self.endpoint.opened(reply)
        if not Packet(plain).is_echo(REPLY, c.there, c.here, number, data):
            raise Failed('the answer is another: ' + plain.hex())

    def live(self, c):
        if not self.wire:
            self.take_over()
        self.endpoint.reset()
        out = self.settings(c, 0, OUT, AHEAD)
        spi = self.settings(c, 0, IN)['spi']
        self.endpoint.sa(**out)
        self.endpoint.sa(**self.settings(c, 0, IN, len(SIZES)))
        self.endpoint.policy(**self.policy(c, 0))
        logged = len(self.daemons[1].log())
        for number in 1, 2, 3:
            sealed, data = self.request(c, number)
            self.send(sealed)
            self.answer(c, spi, number, data)
        self.send(sealed)      # seen before
        self.send(damaged(self.request(c, 4)[0]))
        sealed, data = self.request(c, 5)
        self.send(sealed)
        self.answer(c, spi, 5, data)
        if self.receive(spi, NEVER_S):
            raise Failed('one answer too many')
        self.books(out['spi'], spi, logged)
        return '4 answers, 2 dropped'

    def books(self, spi_out, spi_in, logged):
        """The other's count, and ours."""
        now, b = self.daemons[1].counted(), self.endpoint.books()
        log = self.daemons[1].log()[logged:]
        dropped = [log.count('%s verification failed' % n)
                   for n in ('sequence number', 'or ICV')]
        for what, is_, should in (
                ('charon in', now[spi_out] - self.counted[spi_out], 4),
                ('charon out', now[spi_in] - self.counted[spi_in], 4),
                ('charon dropped as seen', dropped[0], 1),
                ('charon dropped as damaged', dropped[1], 1),
                ('ours out', b['out_protect'], 5),
                ('ours in', b['in_protect'], 4)):
            if is_ != should:
                raise Failed('%s: %d packets, not %d' % (what, is_, should))

    def explain(self, name):
        for d in self.daemons:
            shutil.copy(d.directory + '/log', '%s/charon%d.log'
                        % (self.log, d.end))
        return '%s/charon.pcap, charon0.log, charon1.log' % self.log

    def end(self):
        if self.sniffer:
            self.sniffer.frames()
        for d in self.daemons:
            d.vanish()
        for s in self.bound + [self.wire] * bool(self.wire):
            s.close()
        for ns in self.stations:
            ns.end()
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)
        return Group.end(self)
