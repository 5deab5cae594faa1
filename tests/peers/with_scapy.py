# SPDX-License-Identifier: MIT
"""Cases with scapy: what it seals we open, and it opens what we seal, each
byte as it was, for each suite, mode, version of IP, and with 64-bit sequence
numbers; of ESP, in UDP as well. What was damaged neither opens."""
import importlib.util

from endpoint import ESN, IN, OUT
from group import Failed, Group, Skipped, install
from link import BEHIND, DEVICE, GUEST, NATT
from matrix import HERE
from packets import ECHO, ICMP, UDP, Packet, echo, ip
from suites import ENCR, INTEG, NULL, WEAK, Keys, is_aead, material

SPI = {OUT: 0x3001, IN: 0x3002}
FIRST = {False: 1, True: 0xfffffffe}   # the third is past 2^32
SIZES = 0, 13, 1001


class Link:
    def __init__(self, name, proto, encr, integ, v, outer, esn):
        self.name, self.proto, self.esn = name, proto, esn
        self.keys = {way: Keys('%s %d' % (name, way), encr, integ)
                     for way in (OUT, IN)}
        self.v, self.outer = v, outer
        o = outer or v
        self.local, self.remote = DEVICE[o], GUEST[o]
        self.src = HERE[v] if outer else DEVICE[v]
        self.dst = BEHIND[v] if outer else GUEST[v]

    def settings(self, way, natt):
        return dict(
            self.keys[way].settings(), dir=way, spi=SPI[way],
            proto=50 if self.proto == 'esp' else 51,
            mode=2 if self.outer else 1, local=self.local,
            remote=self.remote, ports=NATT if natt else 0,
            seq=FIRST[self.esn] - 1, flags=ESN if self.esn else 0)

    def policy(self):
        return {'dir': 3, 'proto': 50 if self.proto == 'esp' else 51,
                'mode': 2 if self.outer else 1,
                'local': self.src, 'remote': self.dst}

    def tunnel(self, way):
        if not self.outer:
            return None
        ends = self.local, self.remote
        return ends if way == OUT else ends[::-1]


def links():
    esp = [(e, i) for e in ENCR if ENCR[e][0] not in WEAK
           for i in ([None] if is_aead(e) else INTEG)]
    ah = [(None, i) for i in INTEG]
    for proto, suites in ('esp', esp), ('ah', ah):
        for encr, integ in suites:
            if integ and INTEG[integ][0] in WEAK:
                continue
            suite = '+'.join(filter(None, (encr, integ)))
            for v, outer, mode in (
                    (4, None, 'transport/v4'), (6, None, 'transport/v6'),
                    (4, 4, 'tunnel/4in4'), (6, 6, 'tunnel/6in6'),
                    (4, 6, 'tunnel/4in6'), (6, 4, 'tunnel/6in4')):
                for esn in False, True:
                    yield Link('scapy/%s/%s%s/%s' % (
                        proto, mode, '/esn' if esn else '', suite),
                        proto, encr, integ, v, outer, esn)


def flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])


class Scapy(Group):
    links = {x.name: x for x in links()}
    names = tuple(links)

    def begin(self, names):
        if not all(importlib.util.find_spec(m)
                   for m in ('scapy', 'cryptography')):
            raise Skipped('scapy is not here. As root, this installs it:\n'
                          + install('python3-scapy python3-cryptography'))
        Group.begin(self, names)

    def run(self, name):
        link = self.links[name]
        count = self.both_ways(link, False)
        if link.proto == 'esp':
            count += self.both_ways(link, True)
        return '%d opened by each' % count

    def both_ways(self, link, natt):
        import scapy_fixed

        self.endpoint.reset()
        self.ivs = set()
        peer = {}
        for way in OUT, IN:
            self.endpoint.sa(**link.settings(way, natt))
            peer[way] = scapy_fixed.Peer(
                link.proto, SPI[way], link.keys[way], link.tunnel(way),
                natt, link.esn)
        self.endpoint.policy(**link.policy())
        for i, size in enumerate(SIZES):
            number = FIRST[link.esn] + i
            self.out(link, peer[OUT], i, number, size, scapy_fixed)
            self.into(link, peer[IN], i, number, size)
        return len(SIZES)

    @staticmethod
    def plain(src, dst, i, size):
        v = 6 if ':' in src else 4
        return ip(src, dst, ICMP[v], echo(ECHO, src, dst, i,
                                          material(src, size)))

    def out(self, link, peer, i, number, size, scapy_fixed):
        """We seal, scapy opens."""
        plain = self.plain(link.src, link.dst, i, size)
        sealed = self.endpoint.seal(plain)
        if Packet(sealed).data != sealed:
            raise Failed('more than the packet')
        self.note_iv(link, sealed)
        try:
            peer.open(flipped(sealed), number)
        except scapy_fixed.IntegrityError:
            pass
        else:
            raise Failed('scapy does not look at the ICV')
        try:
            got = peer.open(sealed, number)
        except scapy_fixed.IntegrityError as e:
            raise Failed('scapy does not open it: %s' % e) from None
        if got != plain:
            raise Failed('scapy opened %s\nof %s' % (got.hex(), plain.hex()))

    def note_iv(self, link, sealed):
        """What no peer looks at: no IV comes twice."""
        if link.keys[OUT].encr == NULL or link.proto == 'ah':
            return
        p = Packet(sealed)
        at = 16 if p.proto == UDP else 8
        iv = p.payload[at:at + 8]
        if iv in self.ivs:
            raise Failed('an IV comes twice: ' + iv.hex())
        self.ivs.add(iv)

    def into(self, link, peer, i, number, size):
        """scapy seals, we open."""
        plain = self.plain(link.dst, link.src, i, size)
        sealed = peer.seal(plain, number)
        verdict, _ = self.endpoint.packet('in', flipped(sealed))
        if verdict != 'AUTH':
            raise Failed('a damaged packet: ' + verdict)
        got = self.endpoint.opened(sealed)
        if got != plain:
            raise Failed('we opened %s\nof %s' % (got.hex(), plain.hex()))
        verdict, _ = self.endpoint.packet('in', sealed)
        if verdict != 'REPLAY':
            raise Failed('a packet seen before: ' + verdict)
