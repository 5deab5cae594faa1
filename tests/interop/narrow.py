# SPDX-License-Identifier: MIT
"""A path that shrinks while packets are on it, and no stall: what a router
does with those that are too long, both ways. The relay is the router."""
import itertools
import struct
import time

import relay
from cases import Failed, WAIT, whole
from encap import Nat
from link import GUEST, Link
from relay import IN, OUT, Frame
from size import too_big

MTU, LINK_MTU = 1300, 1500
STREAM = 2 << 20
AFTER = 300                    # packets out, then it shrinks
MESSAGE, BEFORE, BEHIND = 8000, 4, 8
TRY = 500                      # ms for one message
LOST = 4                       # messages, until both ends know
STALL = 3.0                    # seconds: the most that is allowed, alone
QUOTE = 64
PORT = 43000


class Router:
    def __init__(self, link, silent, after):
        self.link, self.silent, self.after = link, silent, after
        self.lost = {OUT: set(), IN: set()}
        self.serial = itertools.count()
        self.told = {OUT: 0, IN: 0}
        self.cut = 0

    def take(self, direction, f, sent):
        """The frames that go on, and what its sender hears, or None. `sent`:
        the frame as it was ahead of a NAT."""
        if f.kind == 'esp' and direction == OUT:
            self.after -= 1
        if self.after > 0 or f.kind != 'esp' or f.end - 14 <= MTU:
            return [f.data], None
        if f.version == 4 and not f.data[20] & 0x40:
            self.cut += 1
            return fragments(f.data[:f.end]), None
        self.lost[direction].add(self.datagram(f))
        if self.silent or f.esp is None:
            return [], None
        self.told[direction] += 1
        return [], too_big(self.link, Frame(sent, self.link.natt), MTU,
                           quote=QUOTE, guest=direction == IN)

    def datagram(self, f):
        if f.whole:
            return next(self.serial)
        return f.data[18:20] if f.version == 4 else f.data[58:62]


def fragments(data):
    """Of IPv4, with a header without options."""
    room = (MTU - 20) // 8 * 8
    field, = struct.unpack('!H', data[20:22])
    head, body = data[14:34], data[34:]
    out = []
    for at in range(0, len(body), room):
        part = body[at:at + room]
        more = 0x2000 if at + room < len(body) else field & 0x2000
        ip = head[:2] + struct.pack('!H', 20 + len(part)) + head[4:6] + \
            struct.pack('!H', (field & 0x1fff) + at // 8 | more) + \
            head[8:10] + bytes(2) + head[12:]
        ip = ip[:10] + struct.pack('!H', relay.checksum(ip)) + ip[12:]
        out.append(data[:14] + ip + part)
    return out


def begin(session, silent, after):
    """Who can't be heard about need not be: both are told beforehand."""
    link = session.link
    whole(session, 'ping', 1, 56, WAIT)
    script = ''
    lock = 'lock ' if link.kind.endswith('-cut') else ''
    mtu = MTU if silent else LINK_MTU
    for prefix in '10.9.0.0/24', 'fd09::/64 metric 256':
        script += '/sbin/ip route replace %s dev eth0 mtu %s%d\n' % (
            prefix, lock, mtu)
    session.guest.must('set -e\n%s/sbin/ip route flush cache\n'
                       '/sbin/ip -6 route flush cache' % script)
    router = Router(link, silent, after)
    if link.natt:
        nat = Nat(GUEST[link.outer], keep=True)
        session.relay.set_nat(nat)
        nat.change((GUEST[link.outer], PORT))
        whole(session, 'ping', 2, 56, WAIT)
        session.expect_device({'mappings': 1})
    session.relay.set_router(router)
    session.kernel_may_refuse()
    return router


def end(session, router, gap, text):
    for direction in OUT, IN:
        session.lose(direction, len(router.lost[direction]))
    told = router.told[OUT]
    if told:
        session.expect_device({'in_too_big': 1})
        session.expect_device({'in_drop.NO_POLICY': told - 1})
    if gap > STALL:
        raise Failed('nothing for %.1f s' % gap)
    if session.link.inner == 6 and not router.silent and not told:
        raise Failed('nothing was too long')
    return 'gap %.2f s, %s' % (gap, text)


def stream(silent):
    def run(session):
        router = begin(session, silent, AFTER)
        whole(session, 'tcp', STREAM, 6 * WAIT)
        gap = session.device.stats()['gap_ms'] / 1000
        return end(session, router, gap, '%d lost, %d cut' % (
            sum(len(n) for n in router.lost.values()), router.cut))
    return run


def messages(silent):
    """Of more than a packet, one after the other."""
    def run(session):
        router = begin(session, silent, 1 << 30)
        lost, longest, last = [], 0.0, time.monotonic()
        for n in range(BEFORE + BEHIND):
            if n == BEFORE:
                router.after = 0
            got, _, bad, twice = session.device.traffic('udp', 1, MESSAGE,
                                                        TRY)
            if bad or twice:
                raise Failed('%d bad, %d twice' % (bad, twice))
            if not got:
                lost.append(n)
            else:
                longest = max(longest, time.monotonic() - last)
                last = time.monotonic()
        if len(lost) > LOST or BEFORE + BEHIND - 1 in lost:
            raise Failed('messages %s were lost' % lost)
        return end(session, router, longest, '%d lost' % len(lost))
    return run


def plan():
    """(link, {case name: run}). 4 is IPv4 whose DF the guest sets, 4-cut
    without."""
    ways = {'told': ({'ptb': 1}, False, False),
            'nat': ({'ptb': 1}, False, True),
            'silent': ({'mtu': MTU}, True, False)}
    for way, (options, silent, natt) in ways.items():
        for mode in 'tunnel', 'transport':
            for version, cut in (4, ''), (4, '-cut'), (6, ''):
                for name, make in ('tcp', stream), ('udp', messages):
                    link = Link('gcm128', mode, version, natt=natt,
                                kind='mtu-%s-%s%s' % (name, way, cut),
                                options=options)
                    yield link, {link.name: make(silent)}
