# SPDX-License-Identifier: MIT
"""What is tried: plain traffic over each link, and faults on the wire.

A case is run(session), which says in its result what it saw and raises
Failed when that is not what it should be. What a fault provokes, the case
announces to the session before; all other counters must stay as they are.
"""
import socket
import struct

import relay
from link import GUEST_OTHER, STRANGER, Link
from relay import IN, OUT, CORRUPT, Fault, Late, Reorder

SUITES = 'gcm128', 'gcm256', 'cbc128', 'cbc256', 'chacha', 'null'
# What few others have, or no published record shows: a session of each.
MORE_SUITES = ('gcm8', 'gcm12', 'ccm8', 'ccm12', 'ccm16', 'gmac', 'ctr128',
               'ctr256', 'sha1', 'sha384', 'sha512', 'cmac', 'xcbc')
AH_SUITES = ('ah-sha256', 'ah-sha1', 'ah-sha384', 'ah-sha512', 'ah-cmac',
             'ah-xcbc')
MODES = 'transport', 'tunnel'
VERSIONS = 4, 6
FAULT_SUITES = 'gcm128', 'cbc256'
WAIT = 5000                    # ms, for what will come
NEVER = 300                    # ms, for what must not
STREAM = 1 << 20
LINK_LOCAL = 'fe80::ff:fe00:1'  # the device's, of its MAC 02:00:00:00:00:01
DEVICE_MAC = bytes.fromhex('020000000001')
GUEST_MAC = bytes.fromhex('525400123456')


class Failed(Exception):
    pass


def whole(session, kind, *numbers):
    """All that was sent came back, each byte right, nothing twice."""
    got, of, bad, last = session.device.traffic(kind, *numbers)
    if got != of or bad or last != (1 if kind == 'tcp' else 0):
        raise Failed('%s %s: %d of %d came back, %d bad, %s %d' % (
            kind, numbers[:-1], got, of, bad,
            'closed' if kind == 'tcp' else 'twice', last))
    return got


# ---------------------------------------------------------------- traffic

def ping(session):
    n = whole(session, 'ping', 5, 56, WAIT)
    n += whole(session, 'ping', 3, 1400, WAIT)
    n += whole(session, 'ping', 1, 3000, WAIT)
    session.carried(n * 56)
    return '%d replies' % n


def udp(session):
    n = total = 0
    for size in 1, 8, 512, 1400, 4000:
        n += whole(session, 'udp', 2, size, WAIT)
        total += 2 * size
    session.carried(total)
    return '%d datagrams' % n


def tcp(session):
    n = whole(session, 'tcp', STREAM, 4 * WAIT)
    session.carried(n)
    return '%d bytes' % n


def no_gmac(session):
    """The kernel has RFC 4543 for ESP only. One that takes it for AH shall
    get cases of its own."""
    whole(session, 'ping', 1, 56, WAIT)
    out, status = session.guest.run(
        '/sbin/ip xfrm state add src 10.8.0.1 dst 10.8.0.2 proto ah '
        'spi 0x3001 reqid 2 mode transport flag align4 '
        "auth-trunc 'rfc4543(gcm(aes))' 0x%s 128" % ('00' * 20))
    if status == 0 or 'algorithm not found' not in out:
        raise Failed('AES-GMAC for AH: ' + (out or 'the kernel has it'))
    return 'refused'


TRAFFIC = {'ping': ping, 'udp': udp, 'tcp': tcp}
# How far from 2^32 a 64-bit sequence number starts, for each to cross it.
BEFORE_WRAP = {'ping': 4, 'udp': 4, 'tcp': 300}


def crossing(test):
    """The same, and both sequence numbers are beyond 2^32 in the end."""
    def run(session):
        text = test(session)
        session.must_have_wrapped()
        return text + ', past 2^32'
    return run


# ----------------------------------------------------------------- faults

def one_lost(make_fault, kernel, device, comes=0):
    """A fault that one echo meets: whether it comes back nonetheless, and
    what it makes the kernel (on its way there) or the device count."""
    def run(session, direction):
        fault = make_fault(session.link)
        session.relay.set_fault(direction, fault)
        if direction == OUT:
            session.expect_kernel(kernel)
        else:
            session.expect_device(device)
        got, of, bad, twice = session.device.traffic(
            'ping', 1, 56, WAIT if comes else NEVER)
        if (got, bad, twice) != (comes, 0, 0) or fault.done != 1:
            raise Failed('%d of %d came back, %d bad, %d twice; %d faults'
                         % (got, of, bad, twice, fault.done))
        whole(session, 'ping', 1, 56, WAIT)    # and all goes on
        return 'arrives' if comes else 'dropped'
    return run


def corrupt(what, kernel, device):
    def run(session, direction):
        session.lose(direction, 1)
        return one_lost(lambda link: Fault(CORRUPT[what]),
                        kernel, device)(session, direction)
    return run


BAD_ICV = ({'XfrmInStateProtoError': 1, 'in.failed': 1},
           {'in_drop.AUTH': 1, 'sa_in.drop_auth': 1})
BAD_SPI = {'XfrmInNoStates': 1}, {'in_drop.NO_SA': 1}
SEEN = ({'XfrmInStateSeqError': 1, 'in.replay': 1},
        {'in_drop.REPLAY': 1, 'sa_in.drop_replay': 1})
TOO_LATE = ({'XfrmInStateSeqError': 1, 'in.replay-window': 1},
            {'in_drop.REPLAY': 1, 'sa_in.drop_replay': 1})

duplicate = one_lost(lambda link: Fault(lambda f: [f.data, f.data]),
                     *SEEN, comes=1)


def to_other(session, direction):
    """Another destination, which is the receiver's all the same: the SA is
    not for it. (The device has but one IPv4 address: there, nobody's.)"""
    version = session.link.outer
    if direction == OUT:
        address, device = GUEST_OTHER[version], {}
    elif version == 6:
        address, device = LINK_LOCAL, {'in_drop.NO_SA': 1}
    else:
        address, device = STRANGER[4], {'port.not_ours': 1}
    session.lose(direction, 1)
    return one_lost(
        lambda link: Fault(lambda f: [f.destination(address)]),
        {'XfrmInNoStates': 1}, device)(session, direction)


def from_other(session, direction):
    """Another source. In transport mode it is the packet's own, and the SA
    is not for it. That of a tunnel does not count (RFC 4301 section 4.1)."""
    address = STRANGER[session.link.outer]
    tunnel = session.link.mode == 'tunnel'
    if not tunnel and direction == IN:
        session.lose(direction, 1)
    return one_lost(
        lambda link: Fault(lambda f: [f.source(address)]),
        {} if tunnel else {'XfrmInStateMismatch': 1},
        {} if tunnel else {'in_drop.SELECTOR': 1, 'sa_in.drop_other': 1},
        comes=tunnel)(session, direction)


def reorder(session, direction):
    """A window's worth in reverse: the last to come is its left edge."""
    size = session.link.window
    fault = Reorder(size)
    session.relay.set_fault(direction, fault)
    whole(session, 'udp', size, 32, WAIT)
    order = session.relay.order[direction][-size:]
    turned = [(order[0] - n) % 2**32 for n in range(size)]
    if fault.done != size or order != turned:
        raise Failed('the relay did not reverse them: %s' % order)
    if session.link.esn:
        session.must_have_wrapped()
    return '%d reversed' % size


def late(session, direction):
    """One more than that is too late. With 64-bit numbers and 2^32 between,
    the receiver takes it for one far ahead (RFC 4303 appendix A2)."""
    size = session.link.window
    session.relay.set_fault(direction, Late())
    session.lose(direction, 1)
    kernel, device = BAD_ICV if session.link.esn else TOO_LATE
    if direction == OUT:
        session.expect_kernel(kernel)
    else:
        session.expect_device(device)
    if session.device.traffic('udp', 1, 32, NEVER)[0]:
        raise Failed('the relay did not hold it back')
    whole(session, 'udp', size, 32, WAIT)
    # all others are through now, also through a kernel's queue for crypto
    session.relay.end_fault(direction)
    whole(session, 'ping', 1, 56, WAIT)
    return 'dropped'


def loss(session, direction):
    """TCP repairs it, with packets of new sequence numbers."""
    count = [0]

    def each_30th(f):
        count[0] += 1
        return [] if count[0] % 30 == 0 else [f.data]

    fault = Fault(each_30th, 1 << 30)
    session.relay.set_fault(direction, fault)
    whole(session, 'tcp', STREAM // 8, 6 * WAIT)
    lost = count[0] // 30
    session.lose(direction, lost)
    if lost == 0:
        raise Failed('nothing was lost')
    return '%d lost, all bytes' % lost


def clear(session, direction):
    """The same hosts, the same ports, but no ESP."""
    link = session.link
    if direction == OUT:
        session.expect_kernel({'XfrmInTmplMismatch': 1})
        frame = udp_frame(GUEST_MAC, DEVICE_MAC, link.device, link.target)
    else:
        session.expect_device({'in_drop.UNPROTECTED': 1})
        frame = udp_frame(DEVICE_MAC, GUEST_MAC, link.target, link.device)
    session.relay.inject(direction, frame)
    session.wait(NEVER / 1000)
    whole(session, 'ping', 1, 56, WAIT)
    return 'dropped'


def udp_frame(to_mac, from_mac, source, destination, port=7):
    family = socket.AF_INET6 if ':' in source else socket.AF_INET
    ends = (socket.inet_pton(family, source)
            + socket.inet_pton(family, destination))
    data = b'in clear'
    size = 8 + len(data)
    u = struct.pack('!HHHH', port, port, size, 0) + data
    total = relay.checksum(ends + struct.pack('!IHBB', size, 0, 0, 17) + u)
    u = u[:6] + struct.pack('!H', total or 0xffff) + u[8:]
    if family == socket.AF_INET6:
        ip = struct.pack('!IHBB', 6 << 28, size, 17, 64) + ends
        return to_mac + from_mac + b'\x86\xdd' + ip + u
    ip = struct.pack('!BBHHHBBH', 0x45, 0, 20 + size, 1, 0, 64, 17, 0) + ends
    ip = ip[:10] + struct.pack('!H', relay.checksum(ip)) + ip[12:]
    return to_mac + from_mac + b'\x08\x00' + ip + u


FAULTS = {
    'corrupt-icv': corrupt('icv', *BAD_ICV),
    'corrupt-payload': corrupt('payload', *BAD_ICV),
    'corrupt-iv': corrupt('iv', *BAD_ICV),
    'corrupt-seq': corrupt('seq', *BAD_ICV),
    'corrupt-spi': corrupt('spi', *BAD_SPI),
    'duplicate': duplicate,
    'readdress-dst': to_other,
    'readdress-src': from_other,
    'reorder': reorder,
    'late': late,
    'loss': loss,
    'clear': clear,
}
# Which of them, and how far from 2^32 the first packet that counts is.
ESN_FAULTS = {'duplicate': 0, 'reorder': 64, 'late': 10}


def directed(test, direction):
    def run(session):
        # not with the first packet: others would wait for the neighbour's
        # address with it, and not all of them find a place there
        whole(session, 'ping', 1, 56, WAIT)
        return test(session, direction)
    return run


# ----------------------------------------------------------------- matrix

def plan():
    """(link, {case name: run}) for all there is to try."""
    plain = [Link(s, m, v) for s in SUITES for m in MODES for v in VERSIONS]
    plain += [Link('gcm192', 'transport', 4), Link('cbc192', 'tunnel', 6)]
    plain += [Link(s, 'tunnel', v, o) for s in SUITES
              for v, o in ((4, 6), (6, 4))]
    plain += [Link(s, m, v) for s in AH_SUITES for m in MODES
              for v in VERSIONS]
    plain += [Link('ah8-sha256', m, 4) for m in MODES]
    plain += [Link('ah-sha256', 'tunnel', 4, 6),
              Link('ah-sha1', 'tunnel', 6, 4)]
    for i, s in enumerate(MORE_SUITES):
        plain += [Link(s, 'transport', VERSIONS[i % 2]),
                  Link(s, 'tunnel', VERSIONS[1 - i % 2])]
    for link in plain:
        yield link, {link.name + '-' + t: TRAFFIC[t] for t in TRAFFIC}
    link = Link('ah-sha256', 'transport', 4)
    yield link, {link.name + '-no-gmac': no_gmac}
    for s in SUITES + ('ah-sha256', 'gmac', 'ctr128', 'ccm16'):
        for m in MODES:
            for v in VERSIONS:
                for t in TRAFFIC:
                    link = Link(s, m, v, before_wrap=BEFORE_WRAP[t])
                    yield link, {link.name + '-' + t: crossing(TRAFFIC[t])}
    for s in FAULT_SUITES:
        for m in MODES:
            for v in VERSIONS:
                link = Link(s, m, v)
                yield link, {
                    '%s-%s-%s' % (link.name, f, d): directed(FAULTS[f], d)
                    for f in FAULTS for d in (OUT, IN)}
                for f in ESN_FAULTS:
                    for d in OUT, IN:
                        link = Link(s, m, v, before_wrap=1 + ESN_FAULTS[f])
                        yield link, {'%s-%s-%s' % (link.name, f, d):
                                     directed(FAULTS[f], d)}
