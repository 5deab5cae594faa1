# SPDX-License-Identifier: MIT
"""A link: how device and guest are set up to protect their traffic.

One place says which algorithm, mode, addresses and keys; from it come the
guest's `ip xfrm` commands, the device's arguments and Wireshark's key table.
"""
import hashlib

# Outer addresses; in transport mode those of the packets themselves.
DEVICE = {4: '10.9.0.1', 6: 'fd09::1'}
GUEST = {4: '10.9.0.2', 6: 'fd09::2'}
GUEST_OTHER = {4: '10.9.0.3', 6: 'fd09::3'}    # also the guest's
STRANGER = {4: '10.9.0.99', 6: 'fd09::99'}     # nobody's
# What the device talks to through a tunnel: a host behind the guest.
BEHIND = {4: '10.77.2.1', 6: 'fd77:2::1'}
BITS = {4: 32, 6: 128}

SPI_OUT, SPI_IN = 0x2001, 0x2002
NATT = 4500                    # both ports of ESP in UDP

GCM, CBC, CHACHA, NULL = 20, 12, 28, 11        # IKEv2 transform IDs
GCM_8, GCM_12, CCM_8, CCM_12, CCM_16 = 18, 19, 14, 15, 16
CTR, GMAC = 13, 21
HMAC_SHA2_256_128 = 12
HMAC_SHA1_96, XCBC_96, CMAC_96 = 2, 5, 8
HMAC_SHA2_384_192, HMAC_SHA2_512_256 = 13, 14
SUITES = {                     # encr, its key with salt, integ, its key
    'gcm128': (GCM, 20, 0, 0),
    'gcm192': (GCM, 28, 0, 0),
    'gcm256': (GCM, 36, 0, 0),
    'cbc128': (CBC, 16, HMAC_SHA2_256_128, 32),
    'cbc192': (CBC, 24, HMAC_SHA2_256_128, 32),
    'cbc256': (CBC, 32, HMAC_SHA2_256_128, 32),
    'chacha': (CHACHA, 36, 0, 0),
    'null': (NULL, 0, HMAC_SHA2_256_128, 32),
    'gcm8': (GCM_8, 20, 0, 0),
    'gcm12': (GCM_12, 36, 0, 0),
    'ccm8': (CCM_8, 19, 0, 0),
    'ccm12': (CCM_12, 35, 0, 0),
    'ccm16': (CCM_16, 27, 0, 0),
    'gmac': (GMAC, 20, 0, 0),
    'ctr128': (CTR, 20, HMAC_SHA2_256_128, 32),
    'ctr256': (CTR, 36, XCBC_96, 16),
    'sha1': (CBC, 16, HMAC_SHA1_96, 20),
    'sha384': (CBC, 32, HMAC_SHA2_384_192, 48),
    'sha512': (CBC, 16, HMAC_SHA2_512_256, 64),
    'cmac': (CBC, 16, CMAC_96, 16),
    'xcbc': (CBC, 16, XCBC_96, 16),
    'ah-sha256': (NULL, 0, HMAC_SHA2_256_128, 32),
    'ah8-sha256': (NULL, 0, HMAC_SHA2_256_128, 32),  # Linux's own padding
    'ah-sha1': (NULL, 0, HMAC_SHA1_96, 20),
    'ah-sha384': (NULL, 0, HMAC_SHA2_384_192, 48),
    'ah-sha512': (NULL, 0, HMAC_SHA2_512_256, 64),
    'ah-cmac': (NULL, 0, CMAC_96, 16),
    'ah-xcbc': (NULL, 0, XCBC_96, 16),
}
KERNEL_NAME = {
    GCM: 'rfc4106(gcm(aes))',
    CBC: 'cbc(aes)',
    CHACHA: 'rfc7539esp(chacha20,poly1305)',
    NULL: 'ecb(cipher_null)',
    GCM_8: 'rfc4106(gcm(aes))', GCM_12: 'rfc4106(gcm(aes))',
    CCM_8: 'rfc4309(ccm(aes))', CCM_12: 'rfc4309(ccm(aes))',
    CCM_16: 'rfc4309(ccm(aes))',
    CTR: 'rfc3686(ctr(aes))', GMAC: 'rfc4543(gcm(aes))',
}
ICV_BITS = {GCM_8: 64, GCM_12: 96, CCM_8: 64, CCM_12: 96}   # else 128
KERNEL_MAC = {                 # name, bits it is cut to
    HMAC_SHA2_256_128: ('hmac(sha256)', 128),
    HMAC_SHA1_96: ('hmac(sha1)', 96),
    HMAC_SHA2_384_192: ('hmac(sha384)', 192),
    HMAC_SHA2_512_256: ('hmac(sha512)', 256),
    CMAC_96: ('cmac(aes)', 96),
    XCBC_96: ('xcbc(aes)', 96),
}
WIRESHARK_NAME = {
    GCM: 'AES-GCM with 16 octet ICV [RFC4106]',
    GCM_8: 'AES-GCM with 8 octet ICV [RFC4106]',
    GCM_12: 'AES-GCM with 12 octet ICV [RFC4106]',
    CBC: 'AES-CBC [RFC3602]',
    CHACHA: 'ChaCha20 with Poly1305 [RFC7634]',
    NULL: 'NULL',
}
ICMP6_ND = range(133, 138)


class Link:
    def __init__(self, suite, mode, inner, outer=None, before_wrap=None,
                 natt=False, kind='', options=(), out=''):
        """Versions of IP inside and outside. `before_wrap`: 64-bit
        sequence numbers that start so many short of 2^32. `natt`: ESP in
        UDP. `kind`: what else is special, with the device's options and what
        is added to the guest's outbound SA for it."""
        self.natt, self.options, self.out = natt, dict(options), out
        self.kind = kind
        self.suite, self.mode = suite, mode
        self.inner, self.outer = inner, outer or inner
        self.before_wrap = before_wrap
        self.esn = before_wrap is not None
        self.seq = 2**32 - 1 - before_wrap if self.esn else 0
        self.window = 128 if self.esn else 64
        self.encr, self.encr_len, self.integ, self.integ_len = SUITES[suite]
        self.proto = 'ah' if suite.startswith('ah') else 'esp'
        self.align8 = suite.startswith('ah8-')
        self.name = '%s%s%s%s-%s-%s' % (
            kind and kind + '-', 'natt-' if natt else '',
            'esn-' if self.esn else '', suite, mode,
            self.inner if self.inner == self.outer
            else '%din%d' % (self.inner, self.outer))
        self.local, self.remote = DEVICE[self.outer], GUEST[self.outer]
        self.device = DEVICE[self.inner]
        self.target = (BEHIND if mode == 'tunnel' else GUEST)[self.inner]

    def key(self, spi, use, size):
        text = '%s %x %s' % (self.name, spi, use)
        return hashlib.sha512(text.encode()).digest()[:size].hex()

    def encr_key(self, spi):
        return self.key(spi, 'encr', self.encr_len)

    def integ_key(self, spi):
        return self.key(spi, 'integ', self.integ_len)

    def device_args(self):
        args = {
            'target': self.target, 'mode': self.mode,
            'proto': 51 if self.proto == 'ah' else 50,
            'align8': int(self.align8),
            'local': self.local, 'remote': self.remote,
            'encr': self.encr, 'integ': self.integ,
            'spi-out': SPI_OUT, 'spi-in': SPI_IN,
            'esn': int(self.esn), 'seq': self.seq,
            'key-out': self.encr_key(SPI_OUT),
            'key-in': self.encr_key(SPI_IN),
            'ikey-out': self.integ_key(SPI_OUT),
            'ikey-in': self.integ_key(SPI_IN),
        }
        if self.esn:           # else the SA's own window, of 64
            args['window'] = self.window
        if self.natt:
            args['natt'] = NATT
        args.update(self.options)
        return ['%s=%s' % kv for kv in args.items()]

    # ---- the guest's half

    def algorithms(self, spi):
        encr, name = self.encr_key(spi), KERNEL_NAME[self.encr]
        if not self.integ:
            return 'aead %s 0x%s %d' % (name, encr,
                                        ICV_BITS.get(self.encr, 128))
        # "auth" instead of "auth-trunc" would cut SHA2-256 to 96 bits
        mac = 'auth-trunc %s 0x%s %d' % (
            KERNEL_MAC[self.integ][0], self.integ_key(spi),
            KERNEL_MAC[self.integ][1])
        if self.proto == 'ah':
            return mac
        return 'enc %s %s %s' % (name, '0x' + encr if encr else '""', mac)

    def state(self, spi, src, dst, numbers, selector=''):
        flags = (['esn'] if self.esn else []) + \
            (['af-unspec'] if self.inner != self.outer else []) + \
            (['align4'] if self.proto == 'ah' and not self.align8 else [])
        return ('xfrm state add src %s dst %s proto %s spi 0x%x reqid 1 '
                'mode %s replay-window %d %s %s %s %s %s' % (
                    src, dst, self.proto, spi, self.mode, self.window,
                    numbers,
                    ' '.join('flag ' + f for f in flags),
                    self.algorithms(spi), selector, self.encap()))

    def encap(self):
        return 'encap espinudp %d %d %s' % (
            NATT, NATT, '::' if self.outer == 6 else '0.0.0.0'
        ) if self.natt else ''

    def policy(self, direction, src, dst, outer_src, outer_dst):
        bits = BITS[self.inner]
        return ('xfrm policy add src %s/%d dst %s/%d dir %s priority 2 '
                'tmpl src %s dst %s proto %s reqid 1 mode %s' % (
                    src, bits, dst, bits, direction,
                    outer_src, outer_dst, self.proto, self.mode))

    def guest_batch(self):
        """Lines for `ip -batch`: from whatever was there to this link."""
        bits = BITS[self.inner]
        selector = '' if self.mode == 'tunnel' else \
            'sel src %s/%d dst %s/%d' % (self.device, bits,
                                         self.target, bits)
        esn_in = esn_out = ''
        if self.esn:
            esn_in = 'replay-seq 0x%x replay-seq-hi 0' % self.seq
            esn_out = 'replay-oseq 0x%x replay-oseq-hi 0' % self.seq
        lines = ['xfrm state flush', 'xfrm policy flush']
        # neighbour discovery in clear, both ways
        lines += ['xfrm policy add src ::/0 dst ::/0 proto 58 '
                  'type %d dir %s priority 1' % (t, d)
                  for t in ICMP6_ND for d in ('in', 'out')]
        lines += [
            self.state(SPI_OUT, self.local, self.remote, esn_in, selector),
            self.state(SPI_IN, self.remote, self.local,
                       esn_out + ' ' + self.out),
            self.policy('in', self.device, self.target,
                        self.local, self.remote),
            self.policy('out', self.target, self.device,
                        self.remote, self.local),
        ]
        return '\n'.join(lines) + '\n'

    def wireshark(self):
        """Lines of Wireshark's esp_sa table, for the suites it has."""
        if self.proto == 'ah' or self.encr not in WIRESHARK_NAME or \
                self.integ not in (0, HMAC_SHA2_256_128):
            return ''
        integ = 'HMAC-SHA-256-128 [RFC4868]' if self.integ else 'NULL'
        return ''.join(
            '"IPv%d","*","*","0x%08x","%s","0x%s","%s","%s"%s\n' % (
                self.outer, spi, WIRESHARK_NAME[self.encr],
                self.encr_key(spi), integ,
                '0x' + self.integ_key(spi) if self.integ else '',
                ',"64-bit"' if self.esn else ',"32-bit"')
            for spi in (SPI_OUT, SPI_IN))


# Once after boot: all addresses, so that a link changes only IPsec.
GUEST_ADDRESSES = ''.join(
    'addr add %s dev %s%s\n' % (a, dev, ' nodad' if ':' in a else '')
    for a, dev in (
        (GUEST[4] + '/24', 'eth0'), (GUEST_OTHER[4] + '/24', 'eth0'),
        (GUEST[6] + '/64', 'eth0'), (GUEST_OTHER[6] + '/64', 'eth0'),
        (BEHIND[4] + '/32', 'lo'), (BEHIND[6] + '/128', 'lo')))
