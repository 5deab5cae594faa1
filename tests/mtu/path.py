# SPDX-License-Identifier: MIT
"""The way between two ends, and its stations:

    ha | a --- r1 === r2 --- r3 --- b | hb

r1, r2, r3 are routers. Between r1 and r2 is a wire or a NAT, between r2 and r3
the link that shrinks: both of its ends, so that each of them tells its side.
"""
import os
import subprocess
import sys

import net

HERE = os.path.dirname(os.path.abspath(__file__))
NARROW, WIDE = 1300, 1500
# Of the two ends, seen from themselves; and of a as it looks from behind a NAT
A, B = {4: '192.0.2.1', 6: 'fd00:a::1'}, {4: '198.51.100.1', 6: 'fd00:b::1'}
PUBLIC = {4: '203.0.113.9', 6: 'fd00:c::9'}
GATE_A = {4: '192.0.2.254', 6: 'fd00:a::fe'}
GATE_B = {4: '198.51.100.254', 6: 'fd00:b::fe'}
NET_A = {4: '192.0.2.0/24', 6: 'fd00:a::/64'}
NET_B = {4: '198.51.100.0/24', 6: 'fd00:b::/64'}
BITS = {4: 24, 6: 64}


def ip(ns, version, args):
    ns.ip('-%d %s' % (version, args))


def address(ns, device, version, addr, bits):
    ip(ns, version, 'addr add %s/%d dev %s%s'
       % (addr, bits, device, ' nodad' if version == 6 else ''))


class Path:
    def __init__(self, site, nat):
        self.nat = nat
        self.r = [site.station('r%d' % n) for n in (1, 2, 3)]
        self.proc = None
        r1, r2, r3 = self.r
        for ns in self.r:
            ns.sysctl('net.ipv4.ip_forward', 1)
            ns.sysctl('net.ipv6.conf.all.forwarding', 1)
            for name in 'all', 'default':
                ns.sysctl('net.ipv4.conf.%s.rp_filter' % name, 0)
        if nat:
            self.start_nat(r1, r2)
        else:
            net.cable(r1, 'mid0', r2, 'mid0')
        net.cable(r2, 'narrow0', r3, 'narrow0')
        address(r1, 'mid0', 4, '203.0.113.1', 30)
        address(r2, 'mid0', 4, '203.0.113.2', 30)
        address(r2, 'narrow0', 4, '203.0.113.5', 30)
        address(r3, 'narrow0', 4, '203.0.113.6', 30)
        address(r1, 'mid0', 6, 'fd00:c:1::1', 64)
        address(r2, 'mid0', 6, 'fd00:c:1::2', 64)
        address(r2, 'narrow0', 6, 'fd00:c:2::2', 64)
        address(r3, 'narrow0', 6, 'fd00:c:2::3', 64)
        self.hops = {'r1': {4: '203.0.113.1', 6: 'fd00:c:1::1'},
                     'r2': {4: '203.0.113.2', 6: 'fd00:c:1::2'},
                     'r2n': {4: '203.0.113.5', 6: 'fd00:c:2::2'},
                     'r3': {4: '203.0.113.6', 6: 'fd00:c:2::3'}}

    def start_nat(self, inner, outer):
        pairs = [x for v in (4, 6) for x in (A[v], PUBLIC[v])]
        self.proc = inner.start(
            sys.executable, os.path.join(HERE, 'nat.py'),
            str(outer.holder.pid), *pairs, stdout=subprocess.PIPE)
        if self.proc.stdout.readline() != b'ready\n':
            raise net.Skip('no NAT: tun devices in a namespace')
        for ns in inner, outer:
            ns.sysctl('net.ipv6.conf.mid0.accept_dad', 0)
            ns.ip('link set mid0 up')

    def attach(self, a, b):
        """The ends: stations whose eth0 is on the path."""
        r1, _, r3 = self.r
        net.cable(a, 'eth0', r1, 'end')
        net.cable(b, 'eth0', r3, 'end')
        for v in (4, 6):
            address(r1, 'end', v, GATE_A[v], BITS[v])
            address(r3, 'end', v, GATE_B[v], BITS[v])
            self.route(v)

    def route(self, v):
        r1, r2, r3 = self.r
        seen = PUBLIC[v] + ('/32' if v == 4 else '/128') \
            if self.nat else NET_A[v]
        via = {n: ' via ' + self.hops[n][v] for n in self.hops}
        wire = ' dev mid0' if self.nat else None
        ip(r1, v, 'route add default' + (wire or via['r2']))
        ip(r2, v, 'route add %s%s' % (seen, wire or via['r1']))
        ip(r2, v, 'route add %s%s' % (NET_B[v], via['r3']))
        ip(r3, v, 'route add default' + via['r2n'])

    def keep_silent(self):
        """What routers would say of packets that are too long is lost."""
        for ns in self.r[1:]:
            for v in (4, 6):
                status, out = ns.run(net.path('ip'), '-%d' % v, 'rule', 'add',
                                     'iif', 'lo', 'pref', '5', 'prohibit')
                if status:
                    raise net.Skip('no policy routing in this kernel: ' + out)

    def width(self, mtu):
        for ns in self.r[1:]:
            ns.ip('link set narrow0 mtu %d' % mtu)

    def close(self):
        if self.proc:
            self.proc.kill()
            self.proc.wait()
            self.proc.stdout.close()
