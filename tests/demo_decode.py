#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does anybody else understand what the demo puts on the wire?

Runs the demo. In its capture, scapy and tshark, whichever of them are there,
must find the page each time it was fetched, given the demo's keys. Without
keys, no eight bytes of the page may be found; nor with wrong keys.
"""
import csv
import logging
import os
import shutil
import struct
import subprocess
import sys
import tempfile

LINES = 1600
FETCHES = 3  # over IPv4, over IPv6, and while the SAs are replaced


def page():
    text = ''.join(f'line {n:4} of {LINES}: whoever reads this on the wire '
                   'has the keys.\n' for n in range(1, LINES + 1))
    return text.encode()


def frames(pcap):
    """The frames of a capture file."""
    with open(pcap, 'rb') as file:
        data = file.read()
    assert data[:4] == struct.pack('=L', 0xa1b2c3d4)
    at = 24
    while at < len(data):
        size = struct.unpack_from('=L', data, at + 8)[0]
        yield data[at + 16:at + 16 + size]
        at += 16 + size


def assemble(segments):
    """The byte streams of TCP connections, from (connection, sequence number,
    payload) in any order and any number of times."""
    streams = {}
    for connection, seq, payload in segments:
        streams.setdefault(connection, {})[seq] = payload
    for parts in streams.values():
        first = min(parts)
        stream = bytearray()
        for seq in sorted(parts):
            stream[seq - first:] = parts[seq]
        yield bytes(stream)


def times_found(segments):
    return sum(stream.count(page()) for stream in assemble(segments))


# ------------------------------------------------------------ the decoders

CRYPT = {'AES-GCM with 16 octet ICV [RFC4106]': 'AES-GCM',
         'AES-CBC [RFC3602]': 'AES-CBC',
         'ChaCha20 with Poly1305 [RFC7634]': 'CHACHA20-POLY1305'}
AUTH = {'NULL': None, 'HMAC-SHA-256-128 [RFC4868]': 'SHA2-256-128'}


def key_table(path):
    """Lines of Wireshark's table; those it can't use are comments there."""
    with open(path, encoding='ascii') as file:
        rows = list(csv.reader(line.removeprefix('# ') for line in file))
    return [(int(spi, 16), CRYPT[crypt], bytes.fromhex(key[2:]), AUTH[auth],
             bytes.fromhex(auth_key[2:]))
            for _, _, _, spi, crypt, key, auth, auth_key in rows]


def scapy_sas(keys, ipsec):
    sas = {}
    for spi, crypt, key, auth, auth_key in key_table(keys):
        sas[spi] = ipsec.SecurityAssociation(
            ipsec.ESP, spi=spi, crypt_algo=crypt, crypt_key=key,
            auth_algo=auth, auth_key=auth_key if auth else None)
    return sas


def scapy_segments(pcap, keys, damage=0):
    """TCP segments in the ESP packets; and how many of those would not
    decrypt. `damage` is done to the keys first."""
    from scapy.layers import inet, inet6, ipsec
    sas = scapy_sas(keys, ipsec)
    for sa in sas.values():
        key = bytearray(sa.crypt_key)
        key[0] ^= damage
        sa.crypt_key = bytes(key)
    segments, refused = [], 0
    for frame in frames(pcap):
        cls = {0x0800: inet.IP, 0x86dd: inet6.IPv6}.get(
            int.from_bytes(frame[12:14], 'big'))
        if cls is None or not cls(frame[14:]).haslayer(ipsec.ESP):
            continue
        packet = cls(frame[14:])
        try:
            packet = sas[packet[ipsec.ESP].spi].decrypt(packet)
        except ipsec.IPSecIntegrityError:
            refused += 1
            continue
        if packet.haslayer(inet.TCP):
            tcp = packet[inet.TCP]
            payload = bytes(tcp.payload)
            ip = tcp.underlayer
            size = (ip.len - 4 * ip.ihl if ip.version == 4 else ip.plen) \
                - 4 * tcp.dataofs
            segments.append(((ip.src, ip.dst, tcp.sport, tcp.dport),
                             tcp.seq, payload[:size]))
    return [s for s in segments if s[2]], refused


def by_scapy(pcap, directory):
    keys = f'{directory}/demo.keys'
    segments, refused = scapy_segments(pcap, keys)
    found = times_found(segments)
    print(f'scapy: the page {found} times in {len(segments)} TCP segments')
    nothing, all_refused = scapy_segments(pcap, keys, damage=1)
    # A damaged AES-CBC key decrypts to noise: there the ICV has its own key.
    print(f'scapy with wrong keys: {all_refused} packets refused, the page '
          f'{times_found(nothing)} times')
    return found == FETCHES and refused == 0 and all_refused > 0 and \
        times_found(nothing) == 0


def tshark_segments(pcap, config):
    env = dict(os.environ, WIRESHARK_CONFIG_DIR=config)
    out = subprocess.run(
        ['tshark', '-r', pcap, '-Y', 'esp && tcp.len > 0', '-T', 'fields',
         '-e', 'tcp.stream', '-e', 'tcp.srcport', '-e', 'tcp.seq',
         '-e', 'tcp.payload'],
        env=env, check=True, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL).stdout
    rows = (line.split('\t') for line in out.splitlines())
    return [((stream, port), int(seq), bytes.fromhex(payload))
            for stream, port, seq, payload in rows]


def by_tshark(pcap, directory):
    """Also: the directory that the demo tells a person to use works."""
    segments = tshark_segments(pcap, f'{directory}/demo.wireshark')
    found = times_found(segments)
    print(f'tshark: the page {found} times in {len(segments)} TCP segments')
    nothing = tshark_segments(pcap, f'{directory}/nothing')
    print(f'tshark without keys: {len(nothing)} TCP segments')
    return found == FETCHES and not nothing


def decoders():
    os.environ.setdefault('HOME', tempfile.gettempdir())
    logging.getLogger('scapy').setLevel(logging.ERROR)
    try:
        from scapy.layers import ipsec
        if not ipsec.CRYPT_ALGOS['AES-GCM'].cipher:
            raise ImportError('scapy without python3-cryptography')
        yield by_scapy
    except ImportError:
        pass
    if shutil.which('tshark'):
        yield by_tshark


# -------------------------------------------------------------------- main

def is_hidden(pcap):
    """No eight bytes of the page, wherever they begin, in any frame."""
    text = page()
    runs = {text[n:n + 8] for n in range(len(text) - 7)}
    seen = sum(1 for frame in frames(pcap) for n in range(len(frame) - 7)
               if frame[n:n + 8] in runs)
    print(f'without keys: {seen} runs of eight bytes of the page')
    return seen == 0


def main():
    build = os.environ.get('BUILD', 'build')
    found = list(decoders())
    if not found:
        print('needs python3-scapy with python3-cryptography, or tshark')
        return 77
    with tempfile.TemporaryDirectory() as directory:
        demo = subprocess.run([f'{build}/san/examples/demo/demo', directory],
                              stdout=subprocess.PIPE, text=True, check=False)
        if demo.returncode != 0:
            print(demo.stdout)
            return 1
        pcap = f'{directory}/demo.pcap'
        results = [is_hidden(pcap)]
        results += [decoder(pcap, directory) for decoder in found]
    return 0 if all(results) else 1


if __name__ == '__main__':
    sys.exit(main())
