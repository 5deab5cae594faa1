# SPDX-License-Identifier: MIT
"""ESP in UDP (RFC 3948), and a NAT in its path."""
import struct

from cases import (BAD_ICV, BEFORE_WRAP, FAULTS, Failed, MODES, NEVER, SEEN,
                   STREAM, TRAFFIC, VERSIONS, WAIT, crossing, directed, whole)
from link import GUEST, GUEST_OTHER, STRANGER, Link
from relay import IN, OUT, Late, Nat

SUITES = 'gcm128', 'cbc128'
SIZES = 1, 9, 1200             # of IKE, behind its marker
COUNT = 2                      # of each
OFF_PATH = 5555                # the port of who is not the peer


def ike(session):
    """What shares the port: IKE passes by its policy, both ways, and each
    answer comes behind a keepalive, which nobody gets to see."""
    whole(session, 'ping', 1, 56, WAIT)
    for size in SIZES:
        whole(session, 'ike', COUNT, size, WAIT)
    n = COUNT * len(SIZES)
    count = session.relay.count
    if (count[OUT]['ike'], count[IN]['ike'], count[IN]['keepalive']) != \
            (n, n, n):
        raise Failed('on the wire: %s' % count)
    session.expect_device({'in_keepalive': n})
    return '%d messages, %d keepalives' % (n, n)


# -------------------------------------------------------------------- NAT

def moves(session, plan):
    """The NAT forgets its mapping, again and again, while a stream is on its
    way. What is sent to the former one is lost; TCP repairs it."""
    nat = Nat(GUEST[session.link.outer], plan)
    session.relay.set_nat(nat)
    whole(session, 'tcp', STREAM // 2, 6 * WAIT)
    whole(session, 'ping', 3, 56, WAIT)
    session.expect_device({'mappings': len(plan)})
    session.lose(OUT, nat.lost)
    expect_port(session, nat)
    session.relay.set_nat(None)
    return '%d mappings, %d lost' % (len(plan), nat.lost)


def expect_port(session, nat):
    if nat.last != nat.mapping[1]:
        raise Failed('the device sends to port %s, not %d'
                     % (nat.last, nat.mapping[1]))


def ports(session):
    guest = GUEST[session.link.outer]
    return moves(session, {50 * n: (guest, 40000 + n) for n in (1, 2, 3)}) \
        + back(session, 40003)


def addresses(session):
    """Of a tunnel, for in transport mode addresses are the packet's own."""
    v = session.link.outer
    return moves(session, {50: (GUEST_OTHER[v], 41000),
                           100: (GUEST_OTHER[v], 41001),
                           150: (GUEST[v], 41002)}) + back(session, 41002)


def back(session, port):
    """For the next case: as it was, and the device notices."""
    link = session.link
    nat = Nat(GUEST[link.outer], keep=True)
    nat.former.add(port)
    session.relay.set_nat(nat)
    whole(session, 'ping', 1, 56, WAIT)
    whole(session, 'ping', 1, 56, WAIT)
    session.expect_device({'mappings': 1})
    expect_port(session, nat)
    session.relay.set_nat(None)
    return ', and back'


def unmoved(session):
    """Nobody but the newest authentic packet moves the peer: not one seen
    before or forged, from elsewhere, nor one that was late."""
    link = session.link
    guest = GUEST[link.outer]
    nat = Nat(guest, keep=True)
    session.relay.set_nat(nat)
    whole(session, 'ping', 1, 56, WAIT)
    old = session.relay.recent[IN]
    session.relay.set_fault(IN, Late())
    lost = session.device.traffic('ping', 1, 56, NEVER)
    nat.change((guest, 42000))
    whole(session, 'ping', 1, 56, WAIT)
    session.expect_device({'mappings': 1})
    session.relay.end_fault(IN)                # late, from the former port
    for frame, counts in (old, SEEN[1]), (forged(old), BAD_ICV[1]):
        session.relay.inject(IN, frame.source(STRANGER[link.outer],
                                              OFF_PATH))
        session.expect_device(counts)
    session.wait(NEVER / 1000)
    for _ in range(2):
        whole(session, 'ping', 1, 56, WAIT)
        expect_port(session, nat)
    if lost[0] != 0:
        raise Failed('nothing was late')
    return 'late, old and forged ignored' + back(session, 42000)


def forged(frame):
    """Ahead, so that it would be the newest; but no further than a receiver
    has reserved numbers in tests/firmware."""
    return frame.replaced(frame.esp + 4, struct.pack('!I', frame.seq() + 64),
                          frame.udp + 6)


# ----------------------------------------------------------------- matrix

def plan():
    """(link, {case name: run})"""
    for link in [Link(s, m, v, natt=True) for s in SUITES for m in MODES
                 for v in VERSIONS]:
        yield link, dict({link.name + '-' + t: TRAFFIC[t] for t in TRAFFIC},
                         **{link.name + '-ike': ike})
    for link in [Link('gcm128', 'tunnel', v, o, natt=True)
                 for v, o in ((4, 6), (6, 4))]:
        yield link, {link.name + '-' + t: TRAFFIC[t] for t in TRAFFIC}
    for t in TRAFFIC:
        link = Link('gcm128', 'tunnel', 4, natt=True,
                    before_wrap=BEFORE_WRAP[t])
        yield link, {link.name + '-' + t: crossing(TRAFFIC[t])}
    for m in MODES:
        link = Link('gcm128', m, 4, natt=True)
        yield link, {
            '%s-%s-%s' % (link.name, f, d): directed(FAULTS[f], d)
            for f in ('corrupt-icv', 'corrupt-spi', 'duplicate', 'reorder',
                      'late', 'clear') for d in (OUT, IN)}
        for v in VERSIONS:
            link = Link('gcm128', m, v, natt=True, kind='nat')
            runs = {link.name + '-ports': ports,
                    link.name + '-unmoved': unmoved}
            if m == 'tunnel':
                runs[link.name + '-addresses'] = addresses
            yield link, runs
