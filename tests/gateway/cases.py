# SPDX-License-Identifier: MIT
"""The cases of `make gateway-test`: each builds its stations, starts ipsecgw
in them, and looks at both ends and at the wire between."""
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

import howto
import net

A4, B4, A6, B6 = '192.0.2.1', '192.0.2.2', 'fd00::1', 'fd00::2'
A_IN = {4: '10.1.0.1', 6: 'fd01::1'}
B_IN = {4: '10.2.0.1', 6: 'fd02::1'}
NET_A = {4: '10.1.0.0/16', 6: 'fd01::/16'}
NET_B = {4: '10.2.0.0/16', 6: 'fd02::/16'}
OUTER = {4: (A4, B4), 6: (A6, B6)}
SPI = (0x1001, 0x1002)

# name: protocol, options of -E and -A with the lengths of their keys
SUITES = {
    'gcm': ('esp', [('-E', 'aes-gcm-16', 20)]),
    'gcm256': ('esp', [('-E', 'aes-gcm-16', 36)]),
    'gcm8': ('esp', [('-E', 'aes-gcm-8', 20)]),
    'ccm': ('esp', [('-E', 'aes-ccm-16', 19)]),
    'chacha': ('esp', [('-E', 'chacha20-poly1305', 36)]),
    'gmac': ('esp', [('-E', 'aes-gmac', 20)]),
    'cbc': ('esp', [('-E', 'aes-cbc', 16), ('-A', 'hmac-sha2-256', 32)]),
    'cbc256': ('esp', [('-E', 'rijndael-cbc', 32), ('-A', 'hmac-sha512', 64)]),
    'ctr': ('esp', [('-E', 'aes-ctr', 20), ('-A', 'hmac-sha1', 20)]),
    'null': ('esp', [('-E', 'null', 0), ('-A', 'hmac-sha384', 48)]),
    'xcbc': ('esp', [('-E', 'aes-cbc', 24), ('-A', 'aes-xcbc-mac', 16)]),
    'cmac': ('esp', [('-E', 'aes-cbc', 16), ('-A', 'aes-cmac', 16)]),
    'ah': ('ah', [('-A', 'hmac-sha256', 32)]),
    'ah-sha1': ('ah', [('-A', 'hmac-sha1', 20)]),
    'ah-gmac': ('ah', [('-A', 'aes-gmac', 20)]),
}
ON_WIRE = {'esp': 50, 'ah': 51}


class Fail(Exception):
    pass


def check(truth, text):
    if not truth:
        raise Fail(text)


def keys(suite, seed):
    text = ''
    for n, (option, name, length) in enumerate(SUITES[suite][1]):
        digits = ''.join('%02x' % (seed * 16 + n * 64 + i & 255)
                         for i in range(length))
        text += ' %s %s%s' % (option, name, ' 0x' + digits if digits else '')
    return text


class Gateway:
    """ipsecgw in a namespace."""

    def __init__(self, site, ns, name, config, sides, options=()):
        self.site, self.ns, self.name = site, ns, name
        self.socket = site.path(name + '.sock')
        self.file = site.path(name + '.conf')
        self.numbers = site.path(name + '.numbers')
        self.sides, self.options, self.proc = sides, list(options), None
        self.write(config)
        site.gateways.append(self)
        self.start()

    def write(self, config, mode=0o600):
        with open(self.file, 'w', encoding='utf-8') as f:
            f.write(config)
        os.chmod(self.file, mode)

    def start(self):
        with open(self.site.path(self.name + '.log'), 'ab') as log:
            self.proc = self.ns.start(
                self.site.program, '-v', '-a', self.numbers, *self.options,
                '-r', self.sides[0], '-b', self.sides[1], '-s', self.socket,
                '-f', self.file, stdout=log, stderr=log)
        if not net.wait_for(lambda: self.ask('stats') is not None or
                            self.proc.poll() is not None) or \
                self.proc.poll() is not None:
            raise Fail('%s did not start: %s' % (self.name, self.log()))

    def log(self):
        with open(self.site.path(self.name + '.log'), encoding='utf-8') as f:
            return f.read()

    def ask(self, *commands):
        """The answer, or None: an error, which is in self.error."""
        done = subprocess.run(
            [self.site.program, '-c', self.socket] + list(commands),
            check=False, timeout=20, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.error = done.stderr.decode()
        return done.stdout.decode() if done.returncode == 0 else None

    def must(self, *commands):
        out = self.ask(*commands)
        check(out is not None, '%s: %s' % (self.name, self.error))
        return out

    def stats(self):
        return {k: int(v) for k, v in
                re.findall(r'^(\S+) (\d+)$', self.must('stats'), re.M)}

    def end(self, how=signal.SIGTERM):
        """Its exit status."""
        if self.proc is None:
            return 0
        self.proc.send_signal(how)
        status = self.proc.wait(10)
        self.proc = None
        return status


class Site:
    """The stations and files of a case."""

    def __init__(self, args):
        self.program, self.keep = args.program, args.keep
        self.build, self.cache = args.build, args.cache
        self.folder = tempfile.mkdtemp(prefix='ipsecgw-test-')
        self.stations, self.gateways = [], []

    def path(self, name):
        return os.path.join(self.folder, name)

    def station(self, name):
        self.stations.append(net.Netns(name))
        return self.stations[-1]

    def close(self):
        """Problems found at the end: exit statuses, what sanitizers said."""
        bad = []
        for g in self.gateways:
            status = g.end()
            if status != 0:
                bad.append('%s ended with %d: %s' % (g.name, status,
                                                     g.log()[-2000:]))
        for ns in self.stations:
            ns.end()
        if not (bad and self.keep):
            shutil.rmtree(self.folder)
        return bad


# --- two hosts and a wire between, route-based

def sas(suite, outer, extra='', natt=False, spis=SPI):
    a, b = OUTER[outer]
    word = 'esp-udp' if natt else SUITES[suite][0]
    return ''.join('add %s %s %s 0x%x -m tunnel -r 8 %s%s;\n'
                   % (src, dst, word, spi, extra, keys(suite, n))
                   for n, (src, dst, spi) in enumerate(
                       ((a, b, spis[0]), (b, a, spis[1]))))


def policies(side, inner, outer, proto, more=''):
    a, b = OUTER[outer]
    out, into = ('out', 'in') if side == 'a' else ('in', 'out')
    return ('spdadd %s %s any -P %s ipsec %s/tunnel/%s-%s/require%s;\n'
            % (NET_A[inner], NET_B[inner], out, proto, a, b, more) +
            'spdadd %s %s any -P %s ipsec %s/tunnel/%s-%s/require%s;\n'
            % (NET_B[inner], NET_A[inner], into, proto, b, a, more))


def wire(site):
    a, b = site.station('a'), site.station('b')
    net.cable(a, 'eth0', b, 'eth0')
    for ns, four, six in ((a, A4, A6), (b, B4, B6)):
        ns.ip('addr add %s/24 dev eth0' % four)
        ns.ip('addr add %s/64 dev eth0 nodad' % six)
    return a, b


def route(ns, mine, nets, device='ipsec0'):
    ns.must('/bin/sh', '-c', 'echo 0 > /proc/sys/net/ipv6/conf/%s/accept_dad'
            % device)
    ns.ip('link set %s up' % device)
    for version in (4, 6):
        ns.run(net.path('ip'), 'addr', 'add', mine[version], 'dev', 'lo',
               *(['nodad'] if version == 6 else []))
        ns.must(net.path('ip'), '-%d' % version, 'route', 'add', nets[version],
                'dev', device, 'src', mine[version])


def tunnel(site, config_a, config_b):
    a, b = wire(site)
    ga = Gateway(site, a, 'ga', config_a, ('tun:ipsec0', 'raw:eth0'))
    gb = Gateway(site, b, 'gb', config_b, ('tun:ipsec0', 'raw:eth0'))
    route(a, A_IN, NET_B)
    route(b, B_IN, NET_A)
    return a, b, ga, gb


def check_wire(sniffer, allowed):
    seen = {net.protocol(f) for f in sniffer.frames()} - {'arp', 'nd'}
    check(seen == allowed, 'on the wire: %s, not %s' % (seen, allowed))


def check_books(out, into, *other):
    """What one has sent the other has received, but for what the kernel had no
    room for and counted; and nothing was refused but what was too long, of
    which its sender was told, and `other`."""
    def agree():
        sent, got = out.stats()['out.protect'], into.stats()
        return got['in.protect'] <= sent <= \
            got['in.protect'] + got['black.full']
    check(net.wait_for(agree), 'protected: %s, %s, full: %s'
          % (out.stats()['out.protect'], into.stats()['in.protect'],
             into.stats()['black.full']))
    for gateway in (out, into):
        bad = {k: v for k, v in gateway.stats().items() if '.drop.' in k and v
               and k not in ('out.drop.NO_POLICY', 'out.drop.TOO_BIG', *other)}
        check(not bad, '%s: %s' % (gateway.name, bad))


def exchange(site, suite, inner=4, outer=4, natt=False, extra=''):
    proto = SUITES[suite][0]
    common = sas(suite, outer, extra, natt=natt)
    a, b, ga, gb = tunnel(site, common + policies('a', inner, outer, proto),
                          common + policies('b', inner, outer, proto))
    sniffer = net.Sniffer(a, 'eth0', site.path('wire'))
    for size in (0, 56, 1300, 3000, 9000):
        check(a.ping(B_IN[inner], size), 'no answer to %d bytes' % size)
    check(b.ping(A_IN[inner]), 'no answer to b')
    check(a.tcp(b, B_IN[inner]), 'TCP')
    check_wire(sniffer, {17 if natt else ON_WIRE[proto]} |
               ({44} if outer == 6 else set()))
    check_books(ga, gb)
    check_books(gb, ga)


def make_exchange(*args, **kw):
    return lambda site: exchange(site, *args, **kw)


def bundle(site):
    """ESP in a tunnel, and AH round it."""
    common = sas('gcm', 4) + ''.join(
        'add %s %s ah 0x%x -m transport%s;\n' % (src, dst, spi,
                                                 keys('ah', 5 + spi))
        for src, dst, spi in ((A4, B4, 0x2001), (B4, A4, 0x2002)))
    more = ' ah/transport//require'
    a, _, ga, gb = tunnel(site, common + policies('a', 4, 4, 'esp', more),
                          common + policies('b', 4, 4, 'esp', more))
    sniffer = net.Sniffer(a, 'eth0', site.path('wire'))
    check(a.ping(B_IN[4]) and a.ping(B_IN[4], 3000), 'no answer')
    check_wire(sniffer, {51})
    check_books(ga, gb)


def path_mtu(site):
    """What is too long for the tunnel, and may not be cut, is told so."""
    common = sas('gcm', 4)
    a, _, ga, _ = tunnel(site, common + policies('a', 4, 4, 'esp'),
                         common + policies('b', 4, 4, 'esp'))
    check(not a.ping(B_IN[4], 1472, 1, df=True), 'more than the wire takes')
    check(ga.stats()['icmp.sent'] == 1, 'nobody was told')
    out = a.must(net.path('ip'), 'route', 'get', B_IN[4])
    found = re.search(r'mtu (\d+)', out)
    check(found and int(found.group(1)) < 1500, 'not learnt: ' + out)
    check(a.ping(B_IN[4], int(found.group(1)) - 28, 1, df=True),
          'no answer at the MTU that was told')


def protected_only(site):
    """Inbound, a policy's packets must have come over its SA."""
    common = sas('gcm', 4)
    a, b, _, gb = tunnel(site, common + policies('a', 4, 4, 'esp'),
                         common + policies('b', 4, 4, 'esp'))
    check(a.ping(B_IN[4]), 'no answer')
    gb.must('delete %s %s esp 0x%x' % (A4, B4, SPI[0]))
    check(not a.ping(B_IN[4], count=1), 'an answer without an SA')
    check(gb.stats()['in.drop.NO_SA'] > 0, 'not counted')
    gb.must('add %s %s esp 0x%x -m tunnel%s' % (A4, B4, SPI[0],
                                                keys('gcm', 0)))
    check(a.ping(B_IN[4]), 'no answer with the SA again')
    gb.must('spddelete %s %s any -P in' % (NET_A[4], NET_B[4]))
    check(not a.ping(B_IN[4], count=1), 'an answer without a policy')
    check(b.ping(A_IN[4], count=1) is False, 'an answer without a policy')


# --- a real kernel at the other end

# suite: what `ip xfrm` calls its algorithms, and the bits of their ICVs
XFRM = {
    'gcm': [('aead', 'rfc4106(gcm(aes))', 128)],
    'gcm256': [('aead', 'rfc4106(gcm(aes))', 128)],
    'gcm8': [('aead', 'rfc4106(gcm(aes))', 64)],
    'ccm': [('aead', 'rfc4309(ccm(aes))', 128)],
    'chacha': [('aead', 'rfc7539esp(chacha20,poly1305)', 128)],
    'gmac': [('aead', 'rfc4543(gcm(aes))', 128)],
    'cbc': [('enc', 'cbc(aes)', 0), ('auth-trunc', 'hmac(sha256)', 128)],
    'cbc256': [('enc', 'cbc(aes)', 0), ('auth-trunc', 'hmac(sha512)', 256)],
    'ctr': [('enc', 'rfc3686(ctr(aes))', 0), ('auth-trunc', 'hmac(sha1)', 96)],
    'null': [('enc', 'ecb(cipher_null)', 0),
             ('auth-trunc', 'hmac(sha384)', 192)],
    'xcbc': [('enc', 'cbc(aes)', 0), ('auth-trunc', 'xcbc(aes)', 96)],
    'cmac': [('enc', 'cbc(aes)', 0), ('auth-trunc', 'cmac(aes)', 96)],
    'ah': [('auth-trunc', 'hmac(sha256)', 128)],
    'ah-sha1': [('auth-trunc', 'hmac(sha1)', 96)],
}


def xfrm_state(suite, n, src, dst, spi, more):
    values = [w for w in keys(suite, n).split() if w.startswith('0x')]
    proto = SUITES[suite][0]
    if suite == 'null':
        values.insert(0, '""')
    text = ("ip xfrm state add src %s dst %s proto %s spi 0x%x mode tunnel %s"
            % (src, dst, proto, spi, more))
    for (option, name, bits), key in zip(XFRM[suite], values):
        text += " %s '%s' %s %s" % (option, name, key, bits or '')
    return text + (' flag align4\n' if proto == 'ah' else '\n')


def xfrm(suite):
    tmpl = 'tmpl src %s dst %s proto ' + SUITES[suite][0] + ' mode tunnel\n'
    return ('ip xfrm state flush\nip xfrm policy flush\n' +
            xfrm_state(suite, 0, A4, B4, SPI[0], 'replay-window 64') +
            xfrm_state(suite, 1, B4, A4, SPI[1], '') +
            'ip xfrm policy add src %s dst %s dir out ' % (NET_B[4], NET_A[4])
            + tmpl % (B4, A4) +
            'ip xfrm policy add src %s dst %s dir in ' % (NET_A[4], NET_B[4])
            + tmpl % (A4, B4))


def kernel_suites(site):
    """Names of algorithms mean what they mean to others."""
    a = site.station('a')
    kernel = howto.Kernel(site, a, site.build, site.cache)
    try:
        a.ip('addr add %s/24 dev eth0' % A4)
        kernel.type('ip addr add %s/24 dev eth0\nip addr add %s dev lo\n'
                    'ip route add %s via %s src %s'
                    % (B4, B_IN[4], NET_A[4], A4, B_IN[4]))
        g = Gateway(site, a, 'ga', '', ('tun:ipsec0', 'raw:eth0'))
        route(a, A_IN, NET_B)
        for suite in XFRM:
            kernel.type(xfrm(suite))
            g.must('flush; spdflush; ' + sas(suite, 4) +
                   policies('a', 4, 4, SUITES[suite][0]).rstrip())
            for size in (0, 56, 1300, 3000):
                check(a.ping(B_IN[4], size),
                      '%s: no answer to %d bytes' % (suite, size))
    finally:
        kernel.end()


# --- restarts

def sequence(frames, spi):
    """Numbers of ESP packets with this SPI, as they were sent."""
    found = []
    for f in frames:
        if net.protocol(f) == 50:
            got, seq = struct.unpack('!II', f[34:42])
            if got == spi:
                found.append(seq)
    return found


def restart(site, how, jump):
    common = sas('gcm', 4)
    a, _, ga, _ = tunnel(site, common + policies('a', 4, 4, 'esp'),
                         common + policies('b', 4, 4, 'esp'))
    sniffer = net.Sniffer(a, 'eth0', site.path('wire'))
    check(a.ping(B_IN[4], count=3), 'no answer')
    ga.end(how)
    ga.start()
    route(a, A_IN, NET_B)
    check(a.ping(B_IN[4], count=3), 'no answer after the restart')
    got = sequence(sniffer.frames(), SPI[0])
    check(got == [1, 2, 3] + [jump + n for n in (1, 2, 3)],
          'numbers: %s' % got)


def restart_clean(site):
    restart(site, signal.SIGTERM, 3)


def restart_crash(site):
    restart(site, signal.SIGKILL, 4096)


def numbers_unreadable(site):
    a, _ = wire(site)
    g = Gateway(site, a, 'ga', sas('gcm', 4), ('tun:ipsec0', 'raw:eth0'))
    g.end()
    with open(g.numbers, 'a', encoding='utf-8') as f:
        f.write('rubbish\n')
    try:
        g.start()
    except Fail as e:
        check(':5:1: can\'t be read' in str(e), str(e))
        g.proc = None
        return
    raise Fail('started without its numbers')


def second_instance(site):
    """Two that use the same numbers would use each of them twice."""
    a, _ = wire(site)
    g = Gateway(site, a, 'ga', sas('gcm', 4), ('tun:ipsec0', 'raw:eth0'))
    status, out = a.run(site.program, '-a', g.numbers, '-r', 'tun:ipsec1',
                        '-b', 'raw', '-f', g.file)
    check(status == 1 and 'in use by another' in out, out)


# --- bumps

def bump_config(policy, extra=''):
    return ('add %s %s esp 0x1001 -m transport -r 8%s;\n'
            'add %s %s esp 0x1002 -m transport -r 8%s;\n'
            'add %s %s esp 0x1003 -m transport -r 8%s;\n'
            'add %s %s esp 0x1004 -m transport -r 8%s;\n'
            % (A4, B4, keys('gcm', 1), B4, A4, keys('gcm', 2),
               A6, B6, keys('cbc', 3), B6, A6, keys('cbc', 4)) +
            ''.join('spdadd %s %s %s -P %s prio high none;\n'
                    % ('::/0', '::/0', 'icmp6 %d,0' % kind, way)
                    for kind in range(133, 138) for way in ('in', 'out')) +
            ''.join('spdadd %s %s any -P %s %s;\n' % (src, dst, way, policy)
                    for src, dst, way in extra))


def bump_side(side, policy='ipsec esp/transport//require'):
    out, into = ('out', 'in') if side == 'a' else ('in', 'out')
    return bump_config(policy, ((A4, B4, out), (B4, A4, into),
                                (A6, B6, out), (B6, A6, into)))


def addresses(ns, device, four, six):
    ns.must('/bin/sh', '-c', 'echo 0 > /proc/sys/net/ipv6/conf/%s/accept_dad'
            % device)
    ns.ip('link set %s up' % device)
    ns.ip('addr add %s/24 dev %s' % (four, device))
    ns.ip('addr add %s/64 dev %s nodad' % (six, device))


def quiet(ns):
    """A bump's own stack has no part in it: no address, not even of a link."""
    ns.must('/bin/sh', '-c', 'for f in /proc/sys/net/ipv6/conf/*/disable_ipv6;'
            'do echo 1 > $f; done')


def bumps(site, red, config_a, config_b, options=()):
    """host a | bump a --- bump b | host b; `red` is tap or packet."""
    ha, ga, gb, hb = [site.station(n) for n in ('ha', 'ga', 'gb', 'hb')]
    for g in (ga, gb):
        quiet(g)
    net.cable(ga, 'eth0', gb, 'eth0')
    if red == 'packet':
        net.cable(ga, 'red0', ha, 'h0')
        net.cable(gb, 'red0', hb, 'h0')
    side = 'packet:red0' if red == 'packet' else 'tap:h0'
    a = Gateway(site, ga, 'ga', config_a, (side, 'packet:eth0'),
                ['-l', A4, '-l', A6, *options])
    b = Gateway(site, gb, 'gb', config_b, (side, 'packet:eth0'),
                ['-l', B4, '-l', B6, *options])
    if red == 'tap':
        ga.ip('link set h0 netns %d' % ha.holder.pid)
        gb.ip('link set h0 netns %d' % hb.holder.pid)
    addresses(ha, 'h0', A4, A6)
    addresses(hb, 'h0', B4, B6)
    return ha, hb, ga, a, b


def bump(site, red):
    ha, hb, ga, a, b = bumps(site, red, bump_side('a'), bump_side('b'))
    sniffer = net.Sniffer(ga, 'eth0', site.path('wire'))
    for size in (56, 1300, 3000):
        check(ha.ping(B4, size), 'no answer to %d bytes' % size)
        check(hb.ping(A6, size), 'no answer to %d bytes over IPv6' % size)
    check(ha.tcp(hb, B4) and hb.tcp(ha, A6), 'TCP')
    check_wire(sniffer, {50, 44})
    check(a.stats()['black.frames'] > 0, 'no ARP has passed')
    check_books(a, b)
    check_books(b, a)


def bump_tap(site):
    bump(site, 'tap')


def bump_wire(site):
    bump(site, 'packet')


def bump_clear(site):
    """One side protects, the other sends in clear: nothing passes."""
    ha, hb, _, a, b = bumps(site, 'tap', bump_side('a'),
                            bump_side('b', 'none'))
    check(not hb.ping(A4, count=1), 'clear was let in')
    check(a.stats()['in.drop.UNPROTECTED'] > 0, 'not counted')
    check(not ha.ping(B4, count=1), 'protected was let in')
    check(any(v for k, v in b.stats().items() if k.startswith('in.drop.')),
          'not counted')


def bump_bypass(site):
    """With `none` for all, both are a wire."""
    text = bump_config('none', (('0.0.0.0/0', '0.0.0.0/0', 'out'),
                                ('0.0.0.0/0', '0.0.0.0/0', 'in')))
    ha, hb, ga, a, _ = bumps(site, 'tap', text, text)
    sniffer = net.Sniffer(ga, 'eth0', site.path('wire'))
    check(ha.ping(B4) and ha.ping(B4, 3000) and ha.tcp(hb, B4), 'no answer')
    check_wire(sniffer, {1, 6})
    check(a.stats()['out.bypass'] > 0, 'not counted')


def bump_frames(site):
    """Without ARP nobody finds anybody: -d drops it, and counts."""
    ha, _, _, a, _ = bumps(site, 'tap', bump_side('a'), bump_side('b'), ['-d'])
    check(not ha.ping(B4, count=1), 'an answer without ARP')
    check(a.stats()['red.frames_dropped'] > 0, 'not counted')


def transit(site):
    """Transport mode is refused for what is not the gateway's own (RFC 4301
    section 4.1)."""
    text = bump_side('a')
    ha, _, _, a, _ = bumps(site, 'packet', text, bump_side('b'))
    check(ha.ping(B4), 'no answer')
    a.must('spdadd 192.0.2.77 %s any -P out ipsec esp/transport/%s-%s/require'
           % (B4, A4, B4))
    ha.ip('addr add 192.0.2.77/24 dev h0')
    check(not ha.ping(B4, count=1, source='192.0.2.77'), 'transit was taken')
    check(a.stats().get('out.drop.MODE', 0) > 0, 'not refused: %s' % a.stats())


# --- interfaces

def interface_lost(site):
    ha, _, ga, a, _ = bumps(site, 'tap', bump_side('a'), bump_side('b'))
    gb = site.stations[2]
    check(ha.ping(B4), 'no answer')
    ga.ip('link del eth0')
    check(net.wait_for(lambda: a.stats()['black.lost']), 'not noticed')
    check(not ha.ping(B4, count=1), 'an answer without a wire')
    net.cable(ga, 'eth0', gb, 'eth0')
    check(net.wait_for(lambda: not a.stats()['black.lost'], 10), 'not found')
    check(net.wait_for(lambda: ha.ping(B4), 10), 'no answer on a new wire')


def contexts(site):
    """Two tunnels in one process, each with keys and policies of its own."""
    a, b = wire(site)
    text = sas('gcm', 4) + policies('a', 4, 4, 'esp')
    six = sas('cbc', 6, spis=(0x3001, 0x3002)) + policies('a', 6, 6, 'esp')
    with open(site.path('six.conf'), 'w', encoding='utf-8') as f:
        f.write(six)
    os.chmod(site.path('six.conf'), 0o600)
    ga = Gateway(site, a, 'ga', text, ('tun:ipsec4', 'raw:eth0'),
                 ['-r', 'tun:ipsec6', '-b', 'raw:eth0', '-s',
                  site.path('six.sock'), '-f', site.path('six.conf')])
    Gateway(site, b, 'gb', sas('gcm', 4) + policies('b', 4, 4, 'esp') +
            sas('cbc', 6, spis=(0x3001, 0x3002)) + policies('b', 6, 6, 'esp'),
            ('tun:ipsec0', 'raw:eth0'))
    route(b, B_IN, NET_A)
    a.ip('addr add %s dev lo' % A_IN[4])
    a.ip('addr add %s dev lo nodad' % A_IN[6])
    a.ip('link set ipsec4 up')
    a.ip('link set ipsec6 up')
    a.ip('route add %s dev ipsec4 src %s' % (NET_B[4], A_IN[4]))
    a.ip('-6 route add %s dev ipsec6 src %s' % (NET_B[6], A_IN[6]))
    check(a.ping(B_IN[4]), 'no answer over the first')
    check(a.ping(B_IN[6]), 'no answer over the second')
    check('0x00003' not in ga.must('dump'), 'keys of the other')


def contexts_apart(site):
    """What two files may not both have, with and without -n, in a file and by
    command: an inbound SPI on one black side, and a key."""
    a, _ = wire(site)
    one, two = site.path('one.conf'), site.path('two.conf')
    into = 'add %s %s esp 0x2001 -m tunnel -r 8' % (B4, A4)
    for text, path in ((into + keys('gcm', 0) + ';', one), ('flush;', two)):
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        os.chmod(path, 0o600)

    def start(text, second):
        with open(two, 'w', encoding='utf-8') as f:
            f.write('flush;\n%s;' % text)
        for more in (['-n'], []):
            status, out = a.run(
                site.program, *more, '-a', site.path('numbers'), '-r',
                'tun:ipsec1', '-b', 'raw:eth0', '-f', one, '-r', 'tun:ipsec2',
                '-b', second, '-f', two)
            yield status, out

    for text, at, why in (
            (into + keys('gcm', 5), '2:29', 'inbound SA with this SPI'),
            ('add %s %s esp 0x2002%s' % (A4, B4, keys('gcm', 0)), '2:39',
             'has this key too')):
        for status, out in start(text, 'raw:eth0'):
            check(status == 1 and out.startswith('%s:%s: %s' % (two, at, one))
                  and why in out, '%s: %d %s' % (text, status, out))
    reset(two)
    Gateway(site, a, 'ga', into + keys('gcm', 0) + ';',
            ('tun:ipsec1', 'raw:eth0'),
            ['-r', 'tun:ipsec2', '-b', 'raw:eth0', '-s', site.path('2.sock'),
             '-f', two])
    status, out = a.run(site.program, '-c', site.path('2.sock'),
                        into + keys('gcm', 6))
    check(status == 1 and 'error 1:29:' in out and 'inbound' in out, out)


def reset(path):
    with open(path, 'w', encoding='utf-8') as f:
        f.write('flush;')


def trailing_options(site):
    """-s behind its -f would be without effect."""
    a, _ = wire(site)
    reset(site.path('conf'))
    for option in (('-s', site.path('s')), ('-r', 'tun:a'), ('-b', 'raw')):
        status, out = a.run(site.program, '-n', '-f', site.path('conf'),
                            *option)
        check(status == 2 and 'behind them' in out, '%d %s' % (status, out))


def not_ethernet(site):
    """What has no Ethernet header would be taken for frames, which pass."""
    a, _ = wire(site)
    a.ip('tuntap add dev tun9 mode tun')
    reset(site.path('conf'))
    status, out = a.run(site.program, '-a', site.path('numbers'), '-r',
                        'packet:tun9', '-b', 'packet:eth0', '-f',
                        site.path('conf'), timeout=5)
    check(status == 1 and 'medium' in out, '%d %s' % (status, out))


def false_frames(site):
    """A frame of IP's type without IP in it is dropped, not passed."""
    ha, _, ga, a, _ = bumps(site, 'tap', bump_side('a'), bump_side('b'))
    sniffer = net.Sniffer(ga, 'eth0', site.path('wire'))
    ha.must(sys.executable, '-c', '''
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("h0", 0))
for kind, first in ((0x0800, 0x55), (0x0800, 0x60), (0x86dd, 0x45),
                    (0x86dd, 0), (0x88b5, 0x45)):
    s.send(b"\\xff" * 6 + b"\\2" * 6 + kind.to_bytes(2, "big") +
           bytes([first]) + b"secret" * 20)
''')
    check(net.wait_for(lambda: a.stats()['red.frames_dropped'] >= 4),
          'not counted: %s' % a.stats())
    seen = [f for f in sniffer.frames() if b'secret' in f]
    check(len(seen) == 1 and seen[0][12:14] == b'\x88\xb5',
          'on the wire: %s' % [f[:20] for f in seen])


# --- files, and the control socket

BAD_FILES = [
    # what follows a good first line; where, and what the reason has in it
    ('add 192.0.2.1 192.0.2.2 esp 0x99 -E null;', '2:29', 'reserved'),
    ('add 192.0.2.1 192.0.2.2 esp 0x999 -E des-cbc 0x0011223344556677;',
     '2:38', 'RFC 8221'),
    ('add 203.0.113.1 203.0.113.2 esp 0x999' + keys('gcm', 7) + ';', '2:1',
     'neither 203.0.113.1'),
    ('add 192.0.2.1 192.0.2.9 esp 0x999' + keys('gcm', 0) + ';', '2:38',
     'SPI 0x1001 has this key too'),
    ('add 192.0.2.1 192.0.2.2 esp 0x1001' + keys('gcm', 7) + ';', '2:29',
     'with this SPI already'),
    ('add 192.0.2.1 192.0.2.2 esp 0x999 -lh 5 -ls 6' + keys('gcm', 7) + ';',
     '2:1', 'soft lifetime above'),
    ('spdadd 10.0.0.0/8 10.0.0.0/8 any -P out ipsec\n esp/transport//require;',
     '3:2', 'between networks'),
    ('spdadd 10.0.0.0/8 10.0.0.0/8 any -P out none;\n'
     'spdadd 10.0.0.0/8 10.0.0.0/8 any -P out discard;', '3:1',
     'spdupdate'),
    ('delete 192.0.2.1 192.0.2.2 ah 0x999;', '2:1', 'no such SA'),
    ('spddelete 10.0.0.0/8 10.0.0.0/8 any -P out;', '2:1', 'no such policy'),
]
FIRST = 'add %s %s esp 0x1001 -m tunnel%s;\n' % (A4, B4, keys('gcm', 0))


def bad_files(site):
    a, _ = wire(site)
    path = site.path('bad.conf')
    for text, at, why in BAD_FILES:
        with open(path, 'w', encoding='utf-8') as f:
            f.write(FIRST + text)
        os.chmod(path, 0o600)
        for options in (['-n'], []):
            status, out = a.run(site.program, *options, '-a',
                                site.path('numbers'), '-r', 'tun:ipsec0', '-b',
                                'raw', '-f', path)
            check(status == 1 and out.startswith('%s:%s: ' % (path, at)) and
                  why in out, '%s: %d %s' % (text, status, out))
    check('ipsec0' not in a.ip('link'), 'something took effect')


def world_readable(site):
    a, _ = wire(site)
    path = site.path('open.conf')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(FIRST)
    for mode, refused in ((0o644, 1), (0o604, 1), (0o640, 0), (0o600, 0)):
        os.chmod(path, mode)
        status, out = a.run(site.program, '-n', '-f', path)
        check(status == refused and ('chmod 600' in out) == bool(refused),
              '%o: %d %s' % (mode, status, out))
    with open(path, 'w', encoding='utf-8') as f:
        f.write('spdflush; # no keys\n')
    os.chmod(path, 0o644)
    check(a.run(site.program, '-n', '-f', path)[0] == 0, 'no keys in it')


def control(site):
    """All or nothing, also at run time; and who may speak."""
    a, _ = wire(site)
    g = Gateway(site, a, 'ga', FIRST, ('tun:ipsec0', 'raw:eth0'))
    check(os.stat(g.socket).st_mode & 0o777 == 0o600, 'mode of the socket')
    for text, at, why in BAD_FILES:
        check(g.ask('flush; ' + FIRST + text) is None, 'taken: ' + text)
        line, column = at.split(':')
        check(g.error.startswith('error %d:' % (int(line))) and why in g.error,
              '%s: %s %s' % (text, column, g.error))
    dump = g.must('dump')
    check(dump.count('spi=') == 1 and 'spi=4097(0x00001001)' in dump, dump)
    check('000102' not in dump.replace(' ', ''), 'a key is shown')
    check('00010203' in g.must('dumpkeys').replace(' ', ''), 'no key is shown')
    check('"0x00001001","AES-GCM' in g.must('esp_sa'), 'esp_sa')
    g.must('spdadd %s %s tcp -P out prio high + 3 ipsec esp/tunnel/%s-%s/'
           'unique:4' % (NET_A[4] + '[80]', NET_B[4], A4, B4))
    dump = g.must('spddump')
    check('10.1.0.0/16[80] 10.2.0.0/16[any] tcp\n\tout prio def + 1073741827 '
          'ipsec\n\tesp/tunnel/192.0.2.1-192.0.2.2/unique:4\n' in dump, dump)
    check('0x00001001' in g.must('table'), 'table')
    g.must('flush', 'spdflush')
    check(g.must('dump', 'spddump') == '', 'something is left')


def socket_in_the_way(site):
    """What stands where the socket is to be is left alone, if it isn't one."""
    a, _ = wire(site)
    path = site.path('precious')
    reset(path)
    status, out = a.run(site.program, '-a', site.path('numbers'), '-r',
                        'tun:ipsec0', '-b', 'raw', '-s', path, '-f', path,
                        timeout=5)
    check(status == 1 and 'in use' in out, '%d %s' % (status, out))
    check(os.path.isfile(path), 'the file is gone')


def control_hostile(site):
    """Clients that say nothing, too much, half of it, or never read."""
    a, _ = wire(site)
    g = Gateway(site, a, 'ga', FIRST, ('tun:ipsec0', 'raw:eth0'))

    def connect(text=b''):
        s = socket.socket(socket.AF_UNIX)
        s.connect(g.socket)
        s.settimeout(10)
        s.sendall(text)
        return s

    def answer(s):
        s.shutdown(socket.SHUT_WR)
        text = b''
        while True:
            some = s.recv(65536)
            if not some:
                return text
            text += some

    idle = [connect() for _ in range(8)]
    check('0x00001001' in g.must('dump'), 'kept out by who says nothing')
    for s in idle:
        s.close()
    for text in (b'flush;', b'flush; add 192.0.2.1', b'flu'):
        connect(text).close()
    s = connect(b'dump')
    s.sendall(b';')
    check(b'0x00001001' in answer(s), 'a list that was not ended was done')
    check(answer(connect(b'flush;\0')).startswith(b'error 1:1: a control'),
          'a NUL')
    check(answer(connect()) == b'ok\n', 'nothing said')
    deaf = [connect(b'dump;' * 9000) for _ in range(3)]
    for s in deaf:
        s.shutdown(socket.SHUT_WR)
    check(g.ask('stats') is not None, 'kept out by who does not read')
    for s in deaf:
        s.recv(10)
        s.close()
    done = subprocess.run([site.program, '-c', g.socket], check=False,
                          input=b'flush;' * 400000, stderr=subprocess.PIPE,
                          timeout=30)
    check(done.returncode == 1 and b'megabyte' in done.stderr,
          done.stderr.decode())
    done = subprocess.run([site.program, '-c', g.socket], check=False,
                          input=b'flush;\0', stderr=subprocess.PIPE)
    check(done.returncode == 1 and b'control character' in done.stderr,
          done.stderr.decode())
    with open('/dev/full', 'wb') as full:
        done = subprocess.run([site.program, '-c', g.socket, 'dump'],
                              check=False, stdout=full)
    check(done.returncode == 1, 'what was not printed was not missed')
    check('0x00001001' in g.must('dump'), 'something was done')


def read_again(site):
    """SIGHUP: the whole file, or nothing of it; numbers go on."""
    common = sas('gcm', 4)
    a, _, ga, _ = tunnel(site, common + policies('a', 4, 4, 'esp'),
                         common + policies('b', 4, 4, 'esp'))
    sniffer = net.Sniffer(a, 'eth0', site.path('wire'))
    check(a.ping(B_IN[4], count=3), 'no answer')
    ga.must('spdadd ::/0 ::/0 any -P out discard')
    ga.write(common + 'nonsense;')
    ga.proc.send_signal(signal.SIGHUP)
    check(net.wait_for(lambda: 'nothing has changed' in ga.log()), ga.log())
    check('::/0' in ga.must('spddump'), 'something has changed')
    ga.write('flush; spdflush;' + common + policies('a', 4, 4, 'esp'))
    ga.proc.send_signal(signal.SIGHUP)
    check(net.wait_for(lambda: 'read again' in ga.log()), ga.log())
    check('::/0' not in ga.must('spddump'), 'something is left')
    check(a.ping(B_IN[4], count=3), 'no answer from the new ones')
    got = sequence(sniffer.frames(), SPI[0])
    check(got == [1, 2, 3, 4097, 4098, 4099], 'numbers: %s' % got)


def pipe_as_file(site):
    """Not waited for."""
    a, _ = wire(site)
    os.mkfifo(site.path('pipe'), 0o600)
    status, out = a.run(site.program, '-n', '-f', site.path('pipe'), timeout=5)
    check(status == 1 and 'Invalid' in out, out)


def lifetime(site):
    """An SA that has ended is gone, and what it protected does not pass."""
    common = sas('gcm', 4, extra='-lh 2 ')
    a, _, ga, _ = tunnel(site, common + policies('a', 4, 4, 'esp'),
                         common + policies('b', 4, 4, 'esp'))
    check(a.ping(B_IN[4], count=1), 'no answer')
    check(net.wait_for(lambda: ga.must('dump') == '', 6), 'still there')
    check(not a.ping(B_IN[4], count=1), 'an answer without an SA')


CASES = {
    'tunnel-%s' % name: make_exchange(name) for name in SUITES
}
CASES.update({
    'tunnel-gcm-6': make_exchange('gcm', 6, 6),
    'tunnel-gcm-4in6': make_exchange('gcm', 4, 6),
    'tunnel-gcm-6in4': make_exchange('gcm', 6, 4),
    'tunnel-ah-6': make_exchange('ah', 6, 6),
    'tunnel-gcm-esn': make_exchange('gcm', extra='-esn '),
    'natt-gcm-4': make_exchange('gcm', natt=True),
    'natt-cbc-6': make_exchange('cbc', 6, 6, natt=True),
    'natt-gcm-4in6': make_exchange('gcm', 4, 6, natt=True),
    'bundle': bundle,
    'path-mtu': path_mtu,
    'protected-only': protected_only,
    'restart-clean': restart_clean,
    'restart-crash': restart_crash,
    'numbers-unreadable': numbers_unreadable,
    'second-instance': second_instance,
    'bump-tap': bump_tap,
    'bump-wire': bump_wire,
    'bump-clear': bump_clear,
    'bump-bypass': bump_bypass,
    'bump-frames': bump_frames,
    'transit': transit,
    'interface-lost': interface_lost,
    'contexts': contexts,
    'contexts-apart': contexts_apart,
    'trailing-options': trailing_options,
    'not-ethernet': not_ethernet,
    'false-frames': false_frames,
    'bad-files': bad_files,
    'world-readable': world_readable,
    'control': control,
    'control-hostile': control_hostile,
    'socket-in-the-way': socket_in_the_way,
    'read-again': read_again,
    'pipe-as-file': pipe_as_file,
    'lifetime': lifetime,
    'kernel-suites': kernel_suites,
    'howto-tunnel': howto.tunnel,
    'howto-tunnel-kernel': howto.tunnel_kernel,
    'howto-bump-kernel': howto.bump_kernel,
    'howto-wire-host-kernel': howto.wire_host_kernel,
    'howto-wire-net-kernel': howto.wire_net_kernel,
})
