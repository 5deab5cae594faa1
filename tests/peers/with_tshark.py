# SPDX-License-Identifier: MIT
"""Cases with tshark: it decrypts what we seal, and finds its ICV good; and bad
where it was damaged. The whole of what a packet carries is compared. tshark
4.0 has no CCM, GMAC, ChaCha20 nor CMAC, and no 64-bit numbers."""
import os
import shutil
import subprocess

import suites
from endpoint import OUT
from group import Failed, Group, Skipped, install
from packets import ECHO, ICMP, Packet, echo, ip, write_pcap
from suites import ENCR, INTEG
from with_scapy import Link, flipped

SPI_FIRST = 0x4000
SIZES = 0, 13, 1001
ENCR_NAME = {
    suites.NULL: 'NULL',
    suites.CBC: 'AES-CBC [RFC3602]',
    suites.CTR: 'AES-CTR [RFC3686]',
    suites.GCM_8: 'AES-GCM with 8 octet ICV [RFC4106]',
    suites.GCM_12: 'AES-GCM with 12 octet ICV [RFC4106]',
    suites.GCM_16: 'AES-GCM with 16 octet ICV [RFC4106]',
}
INTEG_NAME = {
    0: 'NULL',
    suites.SHA1_96: 'HMAC-SHA-1-96 [RFC2404]',
    suites.SHA256_128: 'HMAC-SHA-256-128 [RFC4868]',
    suites.SHA384_192: 'HMAC-SHA-384-192 [RFC4868]',
    suites.SHA512_256: 'HMAC-SHA-512-256 [RFC4868]',
}
YES = '1', 'True'
FIELDS = ('esp.spi', 'esp.sequence', 'esp.icv_good', 'esp.icv_bad',
          'esp.contained_data')


def links():
    for encr, (number, _) in ENCR.items():
        if number not in ENCR_NAME:
            continue
        macs = [None] if suites.is_aead(encr) else \
            [i for i in INTEG if INTEG[i][0] in INTEG_NAME]
        for integ in macs:
            for v, outer, mode in (
                    (4, None, 'transport/v4'), (6, None, 'transport/v6'),
                    (4, 4, 'tunnel/4in4'), (6, 6, 'tunnel/6in6'),
                    (4, 6, 'tunnel/4in6'), (6, 4, 'tunnel/6in4')):
                for natt in '', '/natt':
                    yield Link('tshark/%s%s/%s' % (
                        mode, natt,
                        '+'.join(filter(None, (encr, integ)))),
                        'esp', encr, integ, v, outer, False)


class Tshark(Group):
    links = {x.name: x for x in links()}
    names = tuple(links)

    def begin(self, names):
        if not shutil.which('tshark'):
            raise Skipped('tshark is not here. As root, this installs it:\n'
                          + install('tshark'))
        Group.begin(self, names)
        self.spi = {n: SPI_FIRST + i for i, n in enumerate(names)}
        self.sent, packets, keys = {}, [], []
        for name in names:
            self.sent[name] = self.seal(self.links[name], self.spi[name])
            packets += [sealed for sealed, _ in self.sent[name]]
            keys.append(self.key(self.links[name], self.spi[name]))
        self.seen = self.read(packets, keys)

    def seal(self, link, spi):
        """[(sealed, what is in it)]; the last one is damaged."""
        natt = '/natt/' in link.name
        self.endpoint.reset()
        self.endpoint.sa(**dict(link.settings(OUT, natt), spi=spi))
        self.endpoint.policy(**link.policy())
        done = []
        for i, size in enumerate(SIZES):
            plain = ip(link.src, link.dst, ICMP[link.v],
                       echo(ECHO, link.src, link.dst, i, bytes(size)))
            inside = plain if link.outer else Packet(plain).payload
            done.append((self.endpoint.seal(plain), inside))
        done.append((flipped(self.endpoint.seal(plain)), inside))
        return done

    @staticmethod
    def key(link, spi):
        """A line of Wireshark's table esp_sa. Its last field 4.0 discards,
        and later ones know."""
        k = link.keys[OUT]
        return '"IPv%d","*","*","0x%08x","%s","%s","%s","%s",' \
            '"32-bit"\n' % (
                link.outer or link.v, spi, ENCR_NAME[k.encr],
                '0x' + k.ekey.hex() if k.ekey else '', INTEG_NAME[k.integ],
                '0x' + k.ikey.hex() if k.ikey else '')

    def read(self, packets, keys):
        """What tshark says of them: fields by SPI and number."""
        config = self.log + '/tshark'
        os.makedirs(config)
        with open(config + '/esp_sa', 'w') as f:
            f.write(''.join(keys))
        write_pcap(self.log + '/tshark.pcap', packets)
        command = ['tshark', '-r', self.log + '/tshark.pcap',
                   '-o', 'esp.enable_encryption_decode:TRUE',
                   '-o', 'esp.enable_authentication_check:TRUE',
                   '-T', 'fields', '-E', 'occurrence=f']
        for f in FIELDS:
            command += ['-e', f]
        r = subprocess.run(command, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, check=False,
                           env=dict(os.environ, WIRESHARK_CONFIG_DIR=config))
        self.errors = r.stderr
        seen = {}
        for line in r.stdout.splitlines():
            spi, seq, good, bad, data = (line + '\t' * len(FIELDS)).split(
                '\t')[:len(FIELDS)]
            if spi:
                seen[int(spi, 0), int(seq)] = good, bad, data
        return seen

    def run(self, name):
        spi = self.spi[name]
        for i, (_, inside) in enumerate(self.sent[name]):
            damaged = i == len(SIZES)
            good, bad, data = self.seen.get((spi, i + 1), ('', '', ''))
            if (good in YES, bad in YES) != (not damaged, damaged):
                raise Failed('packet %d: good "%s", bad "%s"; %s' % (
                    i + 1, good, bad, self.errors[:300]))
            if not damaged and data != inside.hex():
                raise Failed('packet %d: decrypted to %s' % (i + 1, data))
        return '%d good, 1 bad' % len(SIZES)

    def explain(self, name):
        return self.log + '/tshark.pcap, /tshark/esp_sa'
