# SPDX-License-Identifier: MIT
"""scapy's IPsec (2.5.0, Debian 12), and what it lacks or does wrong:

- ESP with a MAC of its own doesn't have the high half of a 64-bit sequence
  number in its ICV (RFC 4303 section 2.8): MacWithHigh
- there is neither AES-GMAC (RFC 4543) nor AES-GCM with a short ICV: Gmac, SHORT
- a number or a high half of 0 can't be asked for ("x or default"): Peer.number
- ESP in UDP over IPv4 has the UDP length of an empty datagram: Peer.seal
- ESP in UDP, transport mode over IPv6: on opening, the UDP header stays:
  without_udp
- behind AH, what was opened is not taken apart: bytes are given instead
- packets handed in are changed: they are handed in as bytes
"""
import logging
import os
import struct
import warnings

logging.getLogger('scapy').setLevel(logging.ERROR)
warnings.filterwarnings('ignore')
os.environ.setdefault('HOME', '/nonexistent')

from scapy.config import conf  # noqa: E402
conf.verb = 0
from cryptography.exceptions import InvalidTag    # noqa: E402
from cryptography.hazmat.primitives.ciphers import algorithms    # noqa: E402
from cryptography.hazmat.primitives.ciphers import modes    # noqa: E402
from cryptography.hazmat.primitives.ciphers.aead import AESGCM   # noqa: E402
from scapy.layers import ipsec    # noqa: E402
from scapy.layers.inet import IP, UDP    # noqa: E402
from scapy.layers.inet6 import IPv6      # noqa: E402
from scapy.packet import raw   # noqa: E402

import suites                  # noqa: E402
from packets import Packet, ip     # noqa: E402

NATT = 4500
IntegrityError = ipsec.IPSecIntegrityError


class MacWithHigh(ipsec.AuthAlgo):
    """A MAC of ESP with 64-bit sequence numbers; `high` is set before."""
    high = 0

    def __init__(self, of):
        ipsec.AuthAlgo.__init__(self, of.name, of.mac, of.digestmod,
                                of.icv_size, of.key_size)

    def icv(self, data, key):
        mac = self.new_mac(key)
        mac.update(data + struct.pack('!I', self.high))
        return mac.finalize()[:self.icv_size]

    def sign(self, pkt, key, esn_en=False, esn=0):
        pkt.data += self.icv(raw(pkt), key)
        return pkt

    def verify(self, pkt, key, esn_en=False, esn=0):
        data = raw(pkt)
        if self.icv(data[:-self.icv_size], key) != data[-self.icv_size:]:
            raise IntegrityError('ICV with the high half')


class Gmac(ipsec.CryptAlgo):
    """RFC 4543: the text is authenticated as it is, behind the IV."""

    def __init__(self):
        ipsec.CryptAlgo.__init__(
            self, 'AES-NULL-GMAC', cipher=None, mode=None, block_size=1,
            iv_size=8, key_size=(16, 24, 32), icv_size=16, salt_size=4)
        self.is_aead = True

    @staticmethod
    def aad(esp, esn_en, esn):
        number = struct.pack('!II', esn, esp.seq)
        return struct.pack('!I', esp.spi) + number[0 if esn_en else 4:]

    def encrypt(self, sa, esp, key, icv_size=None, esn_en=False, esn=0):
        text = esp.iv + esp.data_for_encryption()
        tag = AESGCM(key).encrypt(sa.crypt_salt + esp.iv, b'',
                                  self.aad(esp, esn_en, esn) + text)
        return ipsec.ESP(spi=esp.spi, seq=esp.seq, data=text + tag)

    def decrypt(self, sa, esp, key, icv_size=None, esn_en=False, esn=0):
        text, tag = esp.data[:-16], esp.data[-16:]
        try:
            AESGCM(key).decrypt(sa.crypt_salt + text[:8], tag,
                                self.aad(esp, esn_en, esn) + text)
        except InvalidTag as e:
            raise IntegrityError(e) from None
        return ipsec._ESPPlain(
            spi=esp.spi, seq=esp.seq, iv=text[:8],
            data=text[8:len(text) - 2 - text[-2]], padlen=text[-2],
            nh=text[-1], icv=tag)


def short_gcm(icv_size):
    return ipsec.CryptAlgo(
        'AES-GCM-%d' % icv_size, cipher=algorithms.AES, mode=modes.GCM,
        block_size=1, iv_size=8, icv_size=icv_size, salt_size=4,
        format_mode_iv=lambda sa, iv, **kw: sa.crypt_salt + iv)


SHORT = {'AES-GCM-%d' % n: short_gcm(n) for n in (8, 12)}
ipsec.CRYPT_ALGOS.update(SHORT, **{'AES-NULL-GMAC': Gmac()})

ENCR = {                       # scapy's name, size of the ICV
    suites.NULL: ('NULL', None), suites.CBC: ('AES-CBC', None),
    suites.CTR: ('AES-CTR', None), suites.GCM_16: ('AES-GCM', None),
    suites.GCM_8: ('AES-GCM-8', None), suites.GCM_12: ('AES-GCM-12', None),
    suites.CCM_8: ('AES-CCM', 8), suites.CCM_12: ('AES-CCM', 12),
    suites.CCM_16: ('AES-CCM', 16), suites.GMAC: ('AES-NULL-GMAC', None),
    suites.CHACHA: ('CHACHA20-POLY1305', None),
}
INTEG = {
    0: None, suites.SHA1_96: 'HMAC-SHA1-96',
    suites.SHA256_128: 'SHA2-256-128', suites.SHA384_192: 'SHA2-384-192',
    suites.SHA512_256: 'SHA2-512-256', suites.CMAC_96: 'AES-CMAC-96',
}


def dissected(data):
    return (IP if data[0] >> 4 == 4 else IPv6)(data)


def without_udp(data):
    """ESP as it would be without the UDP header around it."""
    p = Packet(data)
    return ip(p.src, p.dst, 50, p.payload[8:])


class Peer:
    """An SA at scapy's end. `tunnel`: outer source and destination."""

    def __init__(self, proto, spi, keys, tunnel=None, natt=False, esn=False):
        name, icv_size = ENCR[keys.encr]
        self.natt, self.tunnel = natt, tunnel is not None
        header = tunnel and dissected(ip(*tunnel, 0, b''))
        self.sa = ipsec.SecurityAssociation(
            ipsec.ESP if proto == 'esp' else ipsec.AH, spi,
            crypt_algo=name, crypt_key=keys.ekey or None,
            crypt_icv_size=icv_size, auth_algo=INTEG[keys.integ],
            auth_key=keys.ikey or None, tunnel_header=header,
            nat_t_header=UDP(sport=NATT, dport=NATT) if natt else None,
            esn_en=esn)
        if esn and keys.integ and proto == 'esp':
            self.sa.auth_algo = MacWithHigh(self.sa.auth_algo)

    def number(self, n):
        """The 64-bit number of the next packet."""
        self.sa.seq_num = n & 0xffffffff
        self.sa.esn = self.sa.auth_algo.high = n >> 32

    def seal(self, data, number):
        self.number(number)
        sealed = self.sa.encrypt(dissected(data),
                                 seq_num=self.sa.seq_num)
        if not self.natt:
            return raw(sealed)
        esp = raw(sealed[ipsec.ESP])
        header = raw(sealed)[:len(raw(sealed)) - len(esp)]
        return header[:-4] + struct.pack('!HH', 8 + len(esp), 0) + esp

    def open(self, data, number):
        """The packet, or IntegrityError."""
        self.number(number)
        if self.natt and not self.tunnel:
            data = without_udp(data)
        return raw(self.sa.decrypt(dissected(data)))
