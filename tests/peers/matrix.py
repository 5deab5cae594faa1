# SPDX-License-Identifier: MIT
"""What is tried with the kernel: a link in each mode, family and algorithm
that it has, and what is special about its packets."""
from link import BEHIND, DEVICE, GUEST, ICV_BITS, KERNEL_MAC, KERNEL_NAME, NATT
from suites import ENCR, GMAC, INTEG, NULL, Keys, is_aead

SPI_OUT, SPI_IN = 0x2001, 0x2002           # seen from us
HERE = {4: '10.77.1.1', 6: 'fd77:1::1'}    # ours, inside a tunnel
BITS = {4: 32, 6: 128}
HIGH = 1                       # high half of the 64-bit numbers, at first
ESN_LAST = HIGH << 32 | 0xfffffffd
ESN_SEEN = HIGH << 32 | 0xfffffff0

ALL_MACS = 'null', 'aes128-cbc', 'aes256-cbc'
SEVEN = (('aes128-gcm16', None), ('aes128-cbc', 'sha2-256-128'),
         ('chacha20-poly1305', None), ('aes128-gmac', None),
         ('null', 'sha1-96'), ('aes128-ccm16', None),
         ('aes128-ctr', 'sha2-512-256'))
NOT_IN_MATRIX = 'aes192-ctr', 'aes128-gcm8', 'aes256-gcm12'

# IPv4 options (RFC 791, 1108, 2113), padded to four bytes.
OPTIONS = {
    'ra': '94040000',
    'rr': '070b040000000000000000' '01',
    'ts': '440c05000000000000000000',
    'nop': '01010101',
    'sec': '820b010203040506070809' '01',
    'unknown': '9e06aabbccdd' '0101',
}
PADN6 = '00' '010400000000'
# IPv6: header numbers with what is behind their first byte.
HEADERS = {
    'hbh-padn': [(0, PADN6)],
    'dst-unknown-skip-immutable': [(60, '00' '1e0461626364')],
    'dst-unknown-skip-mutable': [(60, '00' '3e0461626364')],
    'hbh-ra': [(0, '00' '05020000' '0100')],
    'hbh+dst': [(0, PADN6), (60, PADN6)],
}


class Case:
    """`v`, `outer`: versions of IP; with `outer` it is a tunnel. `align`: how
    the kernel pads AH over IPv4. `fault`: what is damaged on the wire."""

    def __init__(self, name, proto, encr=None, integ=None, v=4, outer=None,
                 natt=False, esn=False, align=4, options='', headers=(),
                 packets=3, fault=False):
        self.name, self.proto, self.natt, self.esn = name, proto, natt, esn
        self.v, self.tunnel, self.outer = v, outer is not None, outer or v
        self.align8 = align == 8 and proto == 'ah'
        self.packets, self.fault = packets, fault
        self.options = bytes.fromhex(options)
        self.headers = [(n, bytes.fromhex(h)) for n, h in headers]
        self.keys = {spi: Keys('%s %x' % (name, spi), encr, integ)
                     for spi in (SPI_OUT, SPI_IN)}
        self.weak = self.keys[SPI_OUT].weak
        self.encrypts = proto == 'esp' and \
            self.keys[SPI_OUT].encr not in (NULL, GMAC)
        self.here, self.there = DEVICE[self.outer], GUEST[self.outer]
        self.src = HERE[v] if self.tunnel else DEVICE[v]
        self.dst = BEHIND[v] if self.tunnel else GUEST[v]

    # ---- our half

    def sas(self, flags=0):
        """Settings of our SAs, the outbound one first."""
        for spi, seq in (SPI_OUT, ESN_LAST), (SPI_IN, ESN_SEEN):
            yield dict(
                self.keys[spi].settings(), spi=spi,
                dir=1 if spi == SPI_OUT else 2,
                proto=51 if self.proto == 'ah' else 50,
                mode=2 if self.tunnel else 1,
                local=self.here, remote=self.there,
                ports=NATT if self.natt else 0, seq=seq if self.esn else 0,
                window=128 if self.esn and spi == SPI_IN else 0,
                flags=flags | (0x0001 if self.esn else 0))

    def policy(self):
        return {'dir': 3, 'proto': 51 if self.proto == 'ah' else 50,
                'mode': 2 if self.tunnel else 1,
                'local': self.src, 'remote': self.dst}

    # ---- the guest's

    def algorithms(self, spi):
        k = self.keys[spi]
        if not k.integ:
            return 'aead %s 0x%s %d' % (KERNEL_NAME[k.encr], k.ekey.hex(),
                                        ICV_BITS.get(k.encr, 128))
        # "auth" instead of "auth-trunc" would cut SHA2-256 to 96 bits
        mac = 'auth-trunc %s 0x%s %d' % (
            KERNEL_MAC[k.integ][0], k.ikey.hex(), KERNEL_MAC[k.integ][1])
        if self.proto == 'ah':
            return mac
        return 'enc %s %s %s' % (
            KERNEL_NAME[k.encr], '0x' + k.ekey.hex() if k.ekey else '""', mac)

    def state(self, spi, src, dst, numbers, selector=''):
        flags = ['esn'] * self.esn \
            + ['af-unspec'] * (self.v != self.outer) \
            + ['align4'] * (self.proto == 'ah' and not self.align8)
        return 'xfrm state add src %s dst %s proto %s spi 0x%x mode %s ' \
            'replay-window %d %s %s %s %s %s' % (
                src, dst, self.proto, spi,
                'tunnel' if self.tunnel else 'transport',
                128 if self.esn else 32, numbers,
                ' '.join('flag ' + f for f in flags), self.algorithms(spi),
                'encap espinudp %d %d %s' % (
                    NATT, NATT, '::' if self.outer == 6 else '0.0.0.0')
                if self.natt else '', selector)

    def template(self, way, src, dst, outer_src, outer_dst):
        bits = BITS[self.v]
        return 'xfrm policy add src %s/%d dst %s/%d dir %s ' \
            'tmpl src %s dst %s proto %s mode %s' % (
                src, bits, dst, bits, way, outer_src, outer_dst, self.proto,
                'tunnel' if self.tunnel else 'transport')

    def batch(self):
        """Lines for `ip -batch`: from whatever was there to this case."""
        bits = BITS[self.v]
        seen = last = selector = ''
        if self.esn:
            seen = 'replay-seq 0x%x replay-seq-hi 0x%x' % (
                ESN_SEEN & 0xffffffff, HIGH)
            last = 'replay-oseq 0x%x replay-oseq-hi 0x%x' % (
                ESN_LAST & 0xffffffff, HIGH)
        if not self.tunnel:
            selector = 'sel src %s/%d dst %s/%d' % (self.src, bits,
                                                    self.dst, bits)
        return '\n'.join([
            'xfrm state flush', 'xfrm policy flush',
            self.state(SPI_OUT, self.here, self.there, seen, selector),
            self.state(SPI_IN, self.there, self.here, last),
            self.template('in', self.src, self.dst, self.here, self.there),
            self.template('out', self.dst, self.src, self.there, self.here),
        ]) + '\n'


def suite(encr, integ):
    return encr + ('+' + integ if integ else '')


def esp():
    for encr in ENCR:
        if encr in NOT_IN_MATRIX:
            continue
        macs = (None,) if is_aead(encr) else \
            INTEG if encr in ALL_MACS else ('sha2-256-128',)
        for integ in macs:
            for v in 4, 6:
                yield Case('esp/transport/v%d/%s' % (v, suite(encr, integ)),
                           'esp', encr, integ, v)
    for encr, integ in SEVEN:
        name = suite(encr, integ)
        for v in 4, 6:
            for o in 4, 6:
                yield Case('esp/tunnel/%din%d/%s' % (v, o, name), 'esp',
                           encr, integ, v, o)
            yield Case('esp/esn/v%d/%s' % (v, name), 'esp', encr, integ, v,
                       esn=True, packets=6)
            yield Case('esp/natt/transport/v%d/%s' % (v, name), 'esp', encr,
                       integ, v, natt=True)
            yield Case('esp/natt/tunnel/v%d/%s' % (v, name), 'esp', encr,
                       integ, v, v, natt=True)


def ah():
    for mac in INTEG:
        yield Case('ah/transport/v4/%s/align4' % mac, 'ah', None, mac)
        if mac in ('sha1-96', 'sha2-256-128'):
            yield Case('ah/transport/v4/%s/noalign' % mac, 'ah', None, mac,
                       align=8)
        yield Case('ah/transport/v6/' + mac, 'ah', None, mac, 6)
        for v in 4, 6:
            yield Case('ah/esn/v%d/%s' % (v, mac), 'ah', None, mac, v,
                       esn=True, packets=6)
    for v in 4, 6:
        for o in 4, 6:
            yield Case('ah/tunnel/%din%d/sha2-256-128' % (v, o), 'ah', None,
                       'sha2-256-128', v, o)


def special():
    for proto, encr, integ in (('ah', None, 'sha2-256-128'),
                               ('esp', 'aes128-gcm16', None)):
        for name, options in OPTIONS.items():
            yield Case('%s/v4opt/%s' % (proto, name), proto, encr, integ,
                       options=options, packets=1)
        for name, headers in HEADERS.items():
            yield Case('%s/v6ext/%s' % (proto, name), proto, encr, integ, 6,
                       headers=headers, packets=1)
    for encr, integ in SEVEN[:2]:
        yield Case('negative/bad-icv/' + encr, 'esp', encr, integ,
                   packets=1, fault=True)
    yield Case('negative/bad-payload/ah', 'ah', None, 'sha2-256-128',
               packets=1, fault=True)


def cases():
    for part in esp, ah, special:
        yield from part()
