# SPDX-License-Identifier: MIT
"""Cases of bumps: with addresses of their own; and of their interfaces and
queues."""
import argparse
import re
import signal
import struct
import subprocess
import sys

import net
from cases import (A4, A6, A_IN, B4, B6, B_IN, NET_A, NET_B, Gateway, Site,
                   addresses, bump_config, bump_side, bumps, check,
                   check_books, check_wire, keys, quiet, reset, route, wire)


def own(addresses):
    return [w for at in addresses for w in ('-o', at)]


def tunnel_config(src, dst, net_src, net_dst, seeds, extra=''):
    """Seen from `src`: both SAs of a tunnel, and what goes through it."""
    return (''.join('add %s %s esp 0x%x -m tunnel -r 8%s;\n'
                    % (x, y, spi, keys('gcm', seed)) for x, y, spi, seed in (
                        (src, dst, 0x1001, seeds[0]),
                        (dst, src, 0x1002, seeds[1]))) +
            'spdadd %s %s any -P out ipsec esp/tunnel/%s-%s/require;\n'
            % (net_src, net_dst, src, dst) +
            'spdadd %s %s any -P in ipsec esp/tunnel/%s-%s/require;\n'
            % (net_dst, net_src, dst, src) + extra)


def mirrored(text):
    """The same, of the other end."""
    return re.sub(r'-P (in|out)', lambda m: '-P ' + (
        'out' if m.group(1) == 'in' else 'in'), text)


def bump_own(site, version):
    """A gateway that hosts send to, and whose tunnel ends behind a router."""
    lan, bump_ns, r, b = [site.station(n) for n in ('lan', 'bump', 'r', 'b')]
    far = {4: '198.51.100.2', 6: 'fd05::2'}[version]
    bits, more = (24, 16) if version == 4 else (64, 16)
    near, gate = {4: (A4, '192.0.2.254'), 6: (A6, 'fd00::fe')}[version]
    inside = {4: '10.1.0.9', 6: 'fd01::9'}[version]
    r_far = {4: '198.51.100.254', 6: 'fd05::fe'}[version]
    nodad = ' nodad' if version == 6 else ''
    quiet(bump_ns)
    net.cable(bump_ns, 'eth0', r, 'eth0')
    net.cable(r, 'eth1', b, 'eth0')
    net.cable(bump_ns, 'red0', lan, 'h0')
    quiet(bump_ns)
    for ns, address, device in (
            (r, '%s/%d' % (gate, bits), 'eth0'),
            (r, '%s/%d' % (r_far, bits), 'eth1'),
            (b, '%s/%d' % (far, bits), 'eth0'),
            (lan, '%s/%d' % (inside, more), 'h0')):
        ns.ip('addr add %s dev %s%s' % (address, device, nodad))
    r.sysctl('net.ipv4.ip_forward', 1)
    r.sysctl('net.ipv6.conf.all.forwarding', 1)
    b.ip('-%d route add default via %s' % (version, r_far))
    lan.ip('-%d route add default via %s' % (version, A_IN[version]))
    lan.segments_whole('h0')
    text = tunnel_config(near, far, NET_A[version], NET_B[version], (1, 2))
    a = Gateway(site, bump_ns, 'bump', text, ('packet:red0', 'packet:eth0'),
                own(['%s/%d' % (near, bits), '%s/%d' % (A_IN[version], more)])
                + ['-g', gate])
    g = Gateway(site, b, 'gb', mirrored(text), ('tun:ipsec0', 'raw:eth0'))
    route(b, B_IN, NET_A)
    sniffer = net.Sniffer(r, 'eth0', site.path('wire'))
    for size in (56, 1300, 3000):
        check(lan.ping(B_IN[version], size) or version == 6 and
              lan.ping(B_IN[version], size), 'no answer to %d bytes' % size)
    check(b.ping(inside), 'no answer to the other end')
    check(lan.tcp(b, B_IN[version]), 'TCP')
    for one, other in ((a, g), (g, a)):
        check_books(one, other, 'in.drop.NO_POLICY')  # multicast reports
    check_wire(sniffer, {50} | ({44} if version == 6 else set()))
    check(not lan.ping(A_IN[version], count=1), 'it answers')
    check(not b.ping(near, count=1), 'it answers')
    stats = a.stats()
    check(stats['own.unanswered'] == stats['own.no_route'] == 0, str(stats))


def bump_own_4(site):
    bump_own(site, 4)


def bump_own_6(site):
    bump_own(site, 6)


def bump_own_within(site):
    """On the hosts' own network: they send past the bump, which takes what
    its policies name into a tunnel of its own, and lets the rest be."""
    host, bump_ns, b = [site.station(n) for n in ('host', 'bump', 'b')]
    net.cable(bump_ns, 'eth0', b, 'eth0')
    net.cable(bump_ns, 'red0', host, 'h0')
    quiet(bump_ns)
    host.ip('addr add 192.0.2.10/24 dev h0')
    b.ip('addr add %s/24 dev eth0' % B4)
    host.ip('route add %s via %s' % (NET_B[4], B4))
    text = tunnel_config(A4, B4, '192.0.2.10', NET_B[4], (1, 2))
    a = Gateway(site, bump_ns, 'bump', text + ''.join(
        'spdadd 192.0.2.0/24 192.0.2.0/24 any -P %s none;\n' % way
        for way in ('in', 'out')), ('packet:red0', 'packet:eth0'),
        own([A4 + '/24']))
    Gateway(site, b, 'gb', mirrored(text), ('tun:ipsec0', 'raw:eth0'))
    b.must('/bin/sh', '-c',
           'echo 0 > /proc/sys/net/ipv6/conf/ipsec0/accept_dad')
    b.ip('link set ipsec0 up')
    b.ip('addr add %s dev lo' % B_IN[4])
    b.ip('route add 192.0.2.10 dev ipsec0 src %s' % B_IN[4])
    sniffer = net.Sniffer(b, 'eth0', site.path('wire'))
    check(host.ping(B_IN[4]) and host.ping(B_IN[4], 3000), 'no answer')
    check(host.tcp(b, B_IN[4]), 'TCP')
    frames = sniffer.frames()
    check({net.protocol(f) for f in frames} - {'arp', 'nd'} == {50},
          'something else on the wire')
    b.ip('route del 192.0.2.10')
    check(host.ping(B4), 'no answer in clear')
    check(a.stats()['out.bypass'] > 0, 'not bypassed')
    check(not host.ping(A4, count=1) and a.stats()['own.refused'] > 0,
          'its own address answers')


# Asks for two; prints the last byte of each that is answered.
ARP = r'''
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
s.bind(("h0", 0))
mac = s.getsockname()[4]
s.settimeout(1)
for last in 2, 77:
    s.send(b"\xff" * 6 + mac + b"\x08\x06" + struct.pack(
        "!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, mac, bytes([192, 0, 2, 1]),
        bytes(6), bytes([192, 0, 2, last])))
    try:
        while s.recv(100)[20:22] != b"\0\2":
            pass
        print(last)
    except OSError:
        pass
'''


def bump_own_only(site):
    """With -d, ARP of its own goes on, and of nobody else."""
    text = bump_side('a')
    ha, _, _, a, _ = bumps(site, 'packet', text, bump_side('b'),
                           ['-d', '-o', '192.0.2.77/24'])
    out = ha.must(sys.executable, '-c', ARP)
    check(out.split() == ['77'], 'answered: %s' % out)
    check(a.stats()['red.frames_dropped'] > 0, 'not counted')


def own_options(site):
    """What can't be meant."""
    a, _ = wire(site)
    reset(site.path('conf'))
    wire_sides = ('-r', 'packet:eth0', '-b', 'packet:eth0')
    for options, why in (
            (('-o', A4), 'how long'), (('-o', A4 + '/33'), 'not a length'),
            (('-o', A4 + '/x'), 'how long'), (('-o', '192.0.2/24'),
                                              'not an address'),
            (('-g', B4), '-g needs'), (('-g', NET_B[4] + ',' + B6),
                                       'two families'),
            (('-o', A4 + '/24', '-g', '10.0.0.0,' + B4), 'how long'),
            (('-o', '224.0.0.1/24'), 'a station'),
            (('-o', 'ff02::1/64'), 'a station'),
            (('-o', '::/64'), 'a station'),
            (('-o', '255.255.255.255/0'), 'a station'),
            (('-M', '-18446744073709550000'), 'not from')):
        status, out = a.run(site.program, '-n', *wire_sides, *options, '-f',
                            site.path('conf'))
        check(status == 2 and why in out, '%s: %d %s' % (options, status, out))
    status, out = a.run(site.program, '-n', '-r', 'tun:a', '-b', 'raw', '-o',
                        A4 + '/24', '-f', site.path('conf'))
    check(status == 2 and 'for bumps' in out, '%d %s' % (status, out))


# --- interfaces and queues

def interface_late(site):
    """Neither is there at first; and the red one goes again."""
    ha, ga, hb = [site.station(n) for n in ('ha', 'ga', 'hb')]
    quiet(ga)
    a = Gateway(site, ga, 'ga', bump_config('none', (
        ('0.0.0.0/0', '0.0.0.0/0', 'out'), ('0.0.0.0/0', '0.0.0.0/0', 'in'))),
        ('packet:red0', 'packet:eth0'), ['-l', A4, '-l', A6])
    check(a.log().count('waiting for it') == 2, a.log())
    check(a.stats()['red.lost'] and a.stats()['black.lost'], 'not lost')
    net.cable(ga, 'eth0', hb, 'h0')
    addresses(hb, 'h0', B4, B6)
    for turn in range(2):
        net.cable(ga, 'red0', ha, 'h0')
        addresses(ha, 'h0', A4, A6)
        check(net.wait_for(lambda: not a.stats()['red.lost'], 10), 'not found')
        check(net.wait_for(lambda: ha.ping(B4), 10), 'no answer')
        if turn == 0:
            ga.ip('link del red0')
            check(net.wait_for(lambda: a.stats()['red.lost'], 10),
                  'not noticed')
            before = a.stats()['red.down']
            hb.ping(A4, count=1)
            check(a.stats()['red.down'] > before, 'not counted')


TAP = r'''
import fcntl, os, struct, sys
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, 0x400454ca, struct.pack("16sH22x", b"eth0", 0x1002))
print("ready", flush=True)
out = open(sys.argv[1], "wb")
while True:
    frame = os.read(tap, 70000)
    out.write(struct.pack("!I", len(frame)) + frame)
    out.flush()
'''


class Tap(net.Sniffer):
    """The other end of an eth0 of the station: all that is sent there."""

    def __init__(self, ns, file):
        self.file = file
        self.proc = ns.start(sys.executable, '-c', TAP, file,
                             stdout=subprocess.PIPE)
        self.proc.stdout.readline()
        ns.ip('link set eth0 up')


def one_bump(site, options=()):
    """A host and its bump in the wire, where all passes; behind is a Tap."""
    ha, ga = site.station('ha'), site.station('ga')
    tap = Tap(ga, site.path('tap'))
    net.cable(ga, 'red0', ha, 'h0')
    quiet(ga)
    addresses(ha, 'h0', A4, A6)
    ha.ip('neigh add %s lladdr 02:00:00:00:00:99 dev h0' % B4)
    a = Gateway(site, ga, 'ga', bump_config('none', (
        ('0.0.0.0/0', '0.0.0.0/0', 'out'), ('0.0.0.0/0', '0.0.0.0/0', 'in'))),
        ('packet:red0', 'packet:eth0'), ['-l', A4, '-l', A6, *options])
    return ha, a, tap


FLOOD = r'''
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 9))
for i in range(int(sys.argv[2])):
    s.send(struct.pack("!I", i) * 300)
'''


def numbers(frames):
    return [struct.unpack('!I', f[42:46])[0] for f in frames
            if net.protocol(f) == 17]


def queue_in(site):
    """What comes while ipsecgw doesn't look is kept, as far as it goes; the
    newest are dropped, and counted."""
    ha, a, tap = one_bump(site)
    a.proc.send_signal(signal.SIGSTOP)
    sent = 10000
    ha.must(sys.executable, '-c', FLOOD, B4, str(sent))
    a.proc.send_signal(signal.SIGCONT)

    def all_there():
        s = a.stats()
        return s['red.full'] > 0 and \
            s['out.bypass'] + s['red.full'] >= sent
    check(net.wait_for(all_there, 5), str(a.stats()))
    got, taken = numbers(tap.frames()), a.stats()['out.bypass']
    check(got[:100] == list(range(100)) and max(got) < taken < sent,
          '%d taken: %s ... %s' % (taken, got[:9], got[-9:]))


UDP_SEGMENTS = r'''
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(17, 103, 1000)
s.sendto(b"uncut" * 600, (sys.argv[1], 9))
'''


def segments_udp(site):
    """Nobody cuts these: dropped, and counted, not sent as they are."""
    ha, a, tap = one_bump(site)
    ha.must(sys.executable, '-c', UDP_SEGMENTS, B4)
    check(net.wait_for(lambda: a.stats()['red.too_long'] == 1), str(a.stats()))
    check(not [f for f in tap.frames() if b'uncut' in f], 'sent')


TAGGED = r'''
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("h0", 0))
s.send(b"\2" * 12 + b"\x81\0\0\x2a\x08\0" + b"\x45" + b"tagged" * 20)
'''


def vlan(site):
    """A VLAN's frame isn't plain IP: it passes with its tag, or is dropped.
    """
    for options, passes in ((), True), (['-d'], False):
        part = Site(argparse.Namespace(program=site.program, keep=site.keep,
                                       build=site.build, cache=site.cache))
        try:
            ha, a, tap = one_bump(part, options)
            ha.must(sys.executable, '-c', TAGGED)
            count = 'black.frames' if passes else 'red.frames_dropped'
            check(net.wait_for(lambda: a.stats()[count] > 0), 'not counted')
            seen = [f for f in tap.frames() if b'tagged' in f]
            check(len(seen) == passes, 'on the wire: %s' % seen)
            check(not passes or seen[0][12:18] == b'\x81\0\0\x2a\x08\0',
                  'not its tag: %s' % seen)
        finally:
            bad = part.close()
        check(not bad, str(bad))


CASES = {
    'bump-own-4': bump_own_4,
    'bump-own-6': bump_own_6,
    'bump-own-within': bump_own_within,
    'bump-own-only': bump_own_only,
    'own-options': own_options,
    'interface-late': interface_late,
    'queue-in': queue_in,
    'segments-udp': segments_udp,
    'vlan': vlan,
}
