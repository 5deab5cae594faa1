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
        lines = [line.removeprefix('# ') for line in file]
    rows = csv.reader(line for line in lines if line.startswith('"'))
    return [(int(spi, 16), CRYPT[crypt], bytes.fromhex(key[2:]), AUTH[auth],
             bytes.fromhex(auth_key[2:]))
            for _, _, _, spi, crypt, key, auth, auth_key in rows]


def damaged(key, damage):
    return bytes([key[0] ^ damage]) + key[1:] if key else None


def scapy_sas(keys, damage, ipsec):
    sas = {}
    for spi, crypt, key, auth, auth_key in key_table(keys):
        sas[spi] = ipsec.SecurityAssociation(
            ipsec.ESP, spi=spi, crypt_algo=crypt,
            crypt_key=damaged(key, damage), auth_algo=auth,
            auth_key=damaged(auth_key, damage))
    return sas


def scapy_segments(pcap, keys, damage=0):
    """TCP segments in the ESP packets, how many of these decrypted, and how
    many did not. `damage` is done to the keys first."""
    from scapy.layers import inet, inet6, ipsec
    sas = scapy_sas(keys, damage, ipsec)
    segments, opened, refused = [], 0, 0
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
        opened += 1
        if packet.haslayer(inet.TCP):
            tcp = packet[inet.TCP]
            payload = bytes(tcp.payload)
            ip = tcp.underlayer
            size = (ip.len - 4 * ip.ihl if ip.version == 4 else ip.plen) \
                - 4 * tcp.dataofs
            segments.append(((ip.src, ip.dst, tcp.sport, tcp.dport),
                             tcp.seq, payload[:size]))
    return [s for s in segments if s[2]], opened, refused


def by_scapy(pcap, directory):
    keys = f'{directory}/demo.keys'
    segments, opened, refused = scapy_segments(pcap, keys)
    found = times_found(segments)
    print(f'scapy: {opened} ESP packets opened, {refused} not; the page '
          f'{found} times in {len(segments)} TCP segments')
    _, wrong, all_refused = scapy_segments(pcap, keys, damage=1)
    print(f'scapy with wrong keys: {wrong} opened, {all_refused} not')
    return found == FETCHES and refused == 0 and wrong == 0 and \
        all_refused == opened


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
