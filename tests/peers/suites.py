# SPDX-License-Identifier: MIT
"""The transforms, as the peers' cases call them, and keys for them."""
import hashlib

DES3, NULL, CBC, CTR = 3, 11, 12, 13           # IKEv2 transform IDs
CCM_8, CCM_12, CCM_16 = 14, 15, 16
GCM_8, GCM_12, GCM_16, GMAC, CHACHA = 18, 19, 20, 21, 28
MD5_96, SHA1_96, XCBC_96, CMAC_96 = 1, 2, 5, 8
SHA256_128, SHA384_192, SHA512_256 = 12, 13, 14

ENCR = {                       # transform, its key with salt
    'null': (NULL, 0),
    'aes128-cbc': (CBC, 16),
    'aes192-cbc': (CBC, 24),
    'aes256-cbc': (CBC, 32),
    'aes128-ctr': (CTR, 20),
    'aes192-ctr': (CTR, 28),
    'aes256-ctr': (CTR, 36),
    '3des-cbc': (DES3, 24),
    'aes128-gcm8': (GCM_8, 20),
    'aes256-gcm12': (GCM_12, 36),
    'aes128-gcm16': (GCM_16, 20),
    'aes192-gcm16': (GCM_16, 28),
    'aes256-gcm16': (GCM_16, 36),
    'aes128-ccm16': (CCM_16, 19),
    'aes256-ccm16': (CCM_16, 35),
    'aes128-ccm8': (CCM_8, 19),
    'aes256-ccm12': (CCM_12, 35),
    'aes128-gmac': (GMAC, 20),
    'aes256-gmac': (GMAC, 36),
    'chacha20-poly1305': (CHACHA, 36),
}
INTEG = {
    'sha1-96': (SHA1_96, 20),
    'sha2-256-128': (SHA256_128, 32),
    'sha2-384-192': (SHA384_192, 48),
    'sha2-512-256': (SHA512_256, 64),
    'aes-cmac-96': (CMAC_96, 16),
    'md5-96': (MD5_96, 16),
}
WEAK = DES3, MD5_96            # RFC 8221 says not to use them


def is_aead(encr):
    return ENCR[encr][0] not in (DES3, NULL, CBC, CTR)


def material(label, size):
    return hashlib.shake_256(label.encode()).digest(size)


class Keys:
    """Transforms and keys of an SA: `encr` and `integ` are names, or None."""

    def __init__(self, label, encr=None, integ=None):
        self.encr, encr_len = ENCR[encr or 'null']
        self.integ, integ_len = INTEG[integ] if integ else (0, 0)
        self.ekey = material(label + '/encr', encr_len)
        self.ikey = material(label + '/integ', integ_len)
        self.weak = self.encr in WEAK or self.integ in WEAK

    def settings(self):
        """For the endpoint."""
        return {'encr': self.encr, 'integ': self.integ,
                'ekey': self.ekey, 'ikey': self.ikey}
