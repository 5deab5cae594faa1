# SPDX-License-Identifier: MIT
"""How long packets look and may be: traffic flow confidentiality, dummy
packets (RFC 4303 sections 2.6 and 2.7), path MTUs (RFC 4301 section 8.2)."""
import socket
import struct

from cases import (DEVICE_MAC, Failed, GUEST_MAC, NEVER, STREAM, WAIT, whole)
from link import STRANGER, Link
from relay import IN, OUT, Frame, checksum

PAD = 1000                     # bytes that packets inside are padded to
LENGTHS, COUNT = (0, 1, 56, 700), 3   # of the payload of dummy packets
TOLD = {4: 1000, 6: 1300}      # path MTU that the router tells
LINK_MTU = 1500
QUOTE = 8                      # bytes behind the IP header it quotes at least
ROUTER_MAC = GUEST_MAC


def sizes(session, direction, run):
    """Lengths of the IP packets with ESP that go by while `run` runs."""
    start = len(session.relay.sizes[direction])
    run()
    return session.relay.sizes[direction][start:]


# -------------------------------------------------------- padding, dummies

def padded(session):
    """Packets shorter than that look the same, longer ones are let be."""
    def short():
        for size in 1, 8, 512, 900:
            whole(session, 'udp', 2, size, WAIT)

    whole(session, 'ping', 1, 56, WAIT)
    start = len(session.relay.sizes[IN])
    out = set(sizes(session, OUT, short))
    back = set(session.relay.sizes[IN][start:])
    if len(out) != 1 or len(back) != 1 or min(out | back) <= PAD:
        raise Failed('lengths out: %s, in: %s' % (out, back))
    whole(session, 'udp', 2, 1400, WAIT)
    whole(session, 'tcp', STREAM // 16, 4 * WAIT)
    return 'all of %d out, %d in' % (out.pop(), back.pop())


def dummies(session):
    """The kernel opens them and drops them: as XfrmInStateProtoError, which
    it calls that of a bad ICV, too; but that would show in `failed`. Where
    packets are padded, nobody else can tell them from others."""
    whole(session, 'ping', 1, 56, WAIT)

    def run():
        for size in LENGTHS:
            whole(session, 'dummy', COUNT, size)
        whole(session, 'ping', 3, 56, WAIT)

    n = COUNT * len(LENGTHS)
    session.lose(OUT, n)
    session.expect_kernel({'XfrmInStateProtoError': n})
    out = set(sizes(session, OUT, run))
    if session.link.options and len(out) != 1:
        raise Failed('dummies can be told by their lengths: %s' % out)
    return '%d dropped' % n


# --------------------------------------------------------------- path MTU

def too_big(link, sent, mtu, quote=QUOTE, spoil=False, guest=False):
    """What a router says of the frame `sent`, to the device or the guest: it
    quotes the headers of IP, that of a fragment included, and `quote` bytes
    more."""
    at = sent.udp or sent.esp - (4 if link.proto == 'ah' else 0)
    quoted = sent.data[14:at + quote]
    source, to = STRANGER[link.outer], link.remote if guest else link.local
    family = socket.AF_INET6 if link.outer == 6 else socket.AF_INET
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, to)
    size = 8 + len(quoted)
    if link.outer == 6:
        icmp = struct.pack('!BBHI', 2, 0, 0, mtu) + quoted
        pseudo = ends + struct.pack('!IHBB', size, 0, 0, 58)
        ip = struct.pack('!IHBB', 6 << 28, size, 58, 64) + ends
        ethertype = b'\x86\xdd'
    else:
        icmp = struct.pack('!BBHHH', 3, 4, 0, 0, mtu) + quoted
        pseudo = b''
        ip = struct.pack('!BBHHHBBH', 0x45, 0, 20 + size, 1, 0, 64, 1, 0)
        ip += ends
        ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
        ethertype = b'\x08\x00'
    total = checksum(pseudo + icmp) ^ spoil
    icmp = icmp[:2] + struct.pack('!H', total) + icmp[4:]
    macs = GUEST_MAC + DEVICE_MAC if guest else DEVICE_MAC + ROUTER_MAC
    return macs + ethertype + ip + icmp


def tell(session, *args, **how):
    session.relay.inject(IN, too_big(session.link, *args, **how))
    session.wait(NEVER / 1000)
    return session.device.stats()


def expect_mtu(stats, mtu):
    if stats.get('sa_out.mtu') != mtu:
        raise Failed('the SA has an mtu of %s, not %d'
                     % (stats.get('sa_out.mtu'), mtu))


def lies(session):
    """Nothing that does not quote a packet of ours is believed, and nothing
    says what policy has for ICMP in clear: none."""
    link = session.link
    whole(session, 'ping', 1, 1400, WAIT)
    sent = session.relay.recent[OUT]
    wrong = [(Frame(sent.flipped(sent.esp + 3)), 16, False),     # SPI
             (sent, 16, True)]                              # checksum
    if link.natt:
        wrong.append((Frame(sent.flipped(sent.udp)), QUOTE, False))
    if link.proto == 'esp':    # of AH it is not always quoted
        wrong.append((Frame(sent.flipped(sent.esp + 5)), 16, False))
    for frame, quote, spoil in wrong:
        stats = tell(session, frame, TOLD[link.outer], quote=quote,
                     spoil=spoil)
        expect_mtu(stats, LINK_MTU)
    session.expect_device({'in_drop.NO_POLICY': len(wrong), 'in_too_big': 0})
    return '%d not believed' % len(wrong)


def learnt(session):
    """One message with 8 bytes of ours: from then on nothing is longer, and
    TCP needs no fragments."""
    link = session.link
    mtu = TOLD[link.outer]
    first = sizes(session, OUT,
                  lambda: whole(session, 'ping', 1, 1400, WAIT))
    if max(first) <= mtu:
        raise Failed('too short to begin with: %s' % first)
    expect_mtu(tell(session, session.relay.recent[OUT], mtu), mtu)
    session.expect_device({'in_too_big': 1})
    cut = sizes(session, OUT,
                lambda: whole(session, 'ping', 3, 1400, WAIT))
    if max(cut) > mtu or len(cut) < 6:
        raise Failed('lengths after it: %s' % cut)
    if link.proto == 'esp':
        tcp(session, mtu)
    return 'fragments of %d at most' % max(cut)


def tcp(session, mtu):
    """All fits, and nothing that crosses is a later fragment."""
    def later():
        return session.relay.count[OUT]['esp'] - session.packets(OUT)

    before = later()
    stream = sizes(session, OUT,
                   lambda: whole(session, 'tcp', STREAM // 8, 4 * WAIT))
    if max(stream) > mtu or later() != before:
        raise Failed('lengths of the stream: %s' % sorted(set(stream)))


def refused(session):
    """The tunnel sets DF: what is too long is for its sender to shorten."""
    mtu = TOLD[session.link.outer]
    whole(session, 'udp', 1, 1400, WAIT)
    expect_mtu(tell(session, session.relay.recent[OUT], mtu), mtu)
    session.expect_device({'in_too_big': 1, 'out_drop.TOO_BIG': 1,
                           'port.too_big': 1})
    got = session.device.traffic('udp', 1, 1400, NEVER)
    if got[0] != 0:
        raise Failed('it went nonetheless')
    whole(session, 'udp', 3, 900, WAIT)
    return 'refused'


# ----------------------------------------------------------------- matrix

def plan():
    """(link, {case name: run})"""
    for s in 'gcm128', 'cbc256':
        for v, o, natt in ((4, 4, False), (6, 6, False), (4, 6, False),
                           (6, 4, True)):
            link = Link(s, 'tunnel', v, o, natt=natt, kind='tfc',
                        options={'tfc': PAD}, out='tfcpad %d' % PAD)
            yield link, {link.name + '-padded': padded,
                         link.name + '-dummies': dummies}
    link = Link('gcm128', 'transport', 4, kind='tfc')
    yield link, {link.name + '-dummies': dummies}
    ptb = {'kind': 'ptb', 'options': {'ptb': 1}}
    for link in [Link('gcm128', 'transport', 4, **ptb),
                 Link('gcm128', 'transport', 6, **ptb),
                 Link('cbc128', 'tunnel', 4, **ptb),
                 Link('gcm128', 'tunnel', 6, **ptb),
                 Link('gcm128', 'tunnel', 6, 4, **ptb),
                 Link('gcm128', 'tunnel', 4, natt=True, **ptb),
                 Link('gcm128', 'transport', 6, natt=True, **ptb),
                 Link('ah-sha256', 'transport', 4, **ptb)]:
        yield link, {link.name + '-lies': lies, link.name + '-learnt': learnt}
    link = Link('gcm128', 'tunnel', 4, kind='ptb-df',
                options={'ptb': 1, 'df': 1})
    yield link, {link.name + '-refused': refused}
