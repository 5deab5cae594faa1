# SPDX-License-Identifier: MIT
"""ipsecgw at both ends of a path, in each placement, and who is behind it."""
import hashlib
import itertools

import cases
import net
import path
from path import A, B, PUBLIC, ip

MTU_IN_TUNNEL = {4: ('10.1.0.1', '10.2.0.1'), 6: ('fd01::1', 'fd02::1')}
BEHIND = {4: ('10.1.0.2', '10.2.0.2'), 6: ('fd01::2', 'fd02::2')}
NETS = {4: ('10.1.0.0/16', '10.2.0.0/16'), 6: ('fd01::/64', 'fd02::/64')}
ND = range(133, 138)
GATE = (path.GATE_A, path.GATE_B)


def key(name, size):
    return hashlib.sha512(name.encode()).hexdigest()[:2 * size]


def algorithms(suite, name):
    if suite == 'gcm':
        return '-E aes-gcm-16 0x' + key(name, 20)
    return '-E aes-cbc 0x%s -A hmac-sha2-256 0x%s' % (key(name, 16),
                                                      key(name + 'a', 32))


class Plan:
    """What is protected how: one list of commands for each end."""
    number = itertools.count(1)

    def __init__(self, placement, mode, version, df, nat, suite='gcm'):
        self.placement, self.mode, self.v = placement, mode, version
        self.df, self.nat, self.suite = df, nat, suite
        self.routed = placement == 'route'
        self.seen = PUBLIC if nat else A       # a, from b
        self.serial = next(Plan.number)

    def far(self):
        """Where b's host is, seen from a's."""
        if self.mode == 'tunnel' and self.routed:
            return BEHIND[self.v][1]
        return B[self.v]

    def selectors(self, side):
        """What goes from here, to there."""
        v = self.v
        if self.mode == 'tunnel' and self.routed:
            return NETS[v] if side == 0 else NETS[v][::-1]
        a = A[v] if side == 0 or self.mode == 'tunnel' else self.seen[v]
        return (a, B[v]) if side == 0 else (B[v], a)

    def sa(self, side, out):
        v = self.v
        a = '%s[%d]' % ((A[v], 4500) if side == 0 else (self.seen[v], 30000)) \
            if self.nat else A[v]
        b = B[v] + ('[4500]' if self.nat else '')
        ends = (a, b) if (side == 0) == out else (b, a)
        to_b = (side == 0) == out
        spi = 0x100000 + 2 * self.serial + to_b
        options = ''
        if self.df and self.mode == 'tunnel' and v == 4:
            options = ' -f df-copy'
        return 'add %s %s %s 0x%x -m %s -r 32%s %s;' % (
            *ends, 'esp-udp' if self.nat else 'esp', spi, self.mode, options,
            algorithms(self.suite, 'mtu %d %d' % (self.serial, to_b)))

    def layer(self, side, out):
        if self.mode == 'transport':
            return 'esp/transport//require'
        a, b = (A if side == 0 else self.seen)[self.v], B[self.v]
        if (side == 0) != out:
            a, b = b, a
        return 'esp/tunnel/%s-%s/require' % (a, b)

    def commands(self, side):
        here, there = self.selectors(side)
        text = 'flush; spdflush;\n' + self.sa(side, True) + '\n' + \
            self.sa(side, False) + '\n'
        if not self.routed:
            text += ''.join(
                'spdadd ::/0 ::/0 icmp6 %d,0 -P %s prio high none;\n' % (n, w)
                for n in ND for w in ('in', 'out'))
        text += 'spdadd %s %s any -P out ipsec %s;\n' % (
            here, there, self.layer(side, True))
        text += 'spdadd %s %s any -P in ipsec %s;' % (
            there, here, self.layer(side, False))
        return text


class End:
    """ipsecgw, and the hosts: `host` is in clear, behind it or the same."""

    def __init__(self, site, side, placement, options):
        self.side, self.placement = side, placement
        name = 'ab'[side]
        self.ns = site.station(name)
        self.options, self.site, self.gateway = list(options), site, None
        self.inner = site.station('h' + name)
        self.name = name

    def start(self):
        """The path is there."""
        for ns in self.ns, self.inner:
            for name in 'all', 'default':
                ns.sysctl('net.ipv4.conf.%s.rp_filter' % name, 0)
            ns.sysctl('net.ipv4.tcp_no_metrics_save', 1)
        if self.placement == 'route':
            self.start_route()
        else:
            self.start_bump()

    def gate(self, sides, options=()):
        self.gateway = cases.Gateway(
            self.site, self.ns, 'g' + self.name, '', sides,
            [*options, *self.options])

    def start_route(self):
        ns, own = self.ns, (A, B)[self.side]
        for v in (4, 6):
            path.address(ns, 'eth0', v, own[v], path.BITS[v])
            ip(ns, v, 'route add default via %s dev eth0'
               % GATE[self.side][v])
        ns.sysctl('net.ipv4.ip_forward', 1)
        ns.sysctl('net.ipv6.conf.all.forwarding', 1)
        net.cable(ns, 'red0', self.inner, 'h0')
        for v in (4, 6):
            inside = MTU_IN_TUNNEL[v][self.side]
            path.address(ns, 'red0', v, inside, 16 if v == 4 else 64)
            path.address(self.inner, 'h0', v, BEHIND[v][self.side],
                         16 if v == 4 else 64)
            ip(self.inner, v, 'route add default via %s' % inside)
        self.gate(('tun:ipsec0', 'raw:eth0'))
        ns.sysctl('net.ipv4.conf.ipsec0.rp_filter', 0)
        ns.sysctl('net.ipv6.conf.ipsec0.accept_dad', 0)
        ns.ip('link set ipsec0 up')
        for v in (4, 6):
            ip(ns, v, 'route add %s dev ipsec0' % NETS[v][1 - self.side])

    def start_bump(self):
        ns, host = self.ns, self.inner
        cases.quiet(ns)
        own = (A, B)[self.side]
        sides = 'tap:h0'
        if self.placement == 'wire':
            net.cable(ns, 'red0', host, 'h0')
            sides = 'packet:red0'
        self.gate((sides, 'packet:eth0'), ['-l', own[4], '-l', own[6]])
        if self.placement == 'tap':
            ns.ip('link set h0 netns %d' % host.holder.pid)
        cases.addresses(host, 'h0', own[4], own[6])
        for v in (4, 6):
            ip(host, v, 'route add default via %s' % GATE[self.side][v])
        if self.placement == 'wire':
            host.segments_whole('h0')

    def host(self, mode):
        """Who sends and receives."""
        if self.placement == 'route' and mode == 'transport':
            return self.ns
        return self.inner

    def apply(self, plan):
        self.gateway.must(plan.commands(self.side))
        if self.placement == 'route':
            self.route_host(plan)

    def route_host(self, plan):
        """In transport mode, what is routed into the device is the other end
        itself."""
        v, bits = plan.v, 32 if plan.v == 4 else 128
        other = (B, plan.seen)[self.side][v]
        for addr in (A[v], B[v], PUBLIC[v]):
            self.ns.run(net.path('ip'), '-%d' % v, 'route', 'del',
                        '%s/%d' % (addr, bits), 'dev', 'ipsec0')
        if plan.mode == 'transport':
            ip(self.ns, v, 'route add %s/%d dev ipsec0 src %s'
               % (other, bits, (A, B)[self.side][v]))

    def forget(self, mode):
        """What a sender's kernel has learnt of paths. That below ipsecgw may
        believe what it likes."""
        for v in (4, 6):
            ip(self.host(mode), v, 'route flush cache')
