#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Seeds for the fuzz targets, from the vectors: seeds.py DIRECTORY

fills DIRECTORY/TARGET.corpus."""

import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
VECTORS = os.path.join(HERE, "..", "vectors")


def packets(name):
    with open(os.path.join(VECTORS, name), encoding="utf-8") as f:
        for line in f:
            key, _, value = line.partition(" = ")
            if key in ("plain", "wire"):
                yield key, bytes.fromhex(value.strip())


def payloads():
    """What comes in on UDP 4500: ESP, IKE, keepalives, rubbish."""
    for _, data in packets("esp_packets.txt"):
        if data[0] >> 4 == 4 and data[9] == 50:
            yield data[20:]
        elif data[0] >> 4 == 4 and data[9] == 17:
            yield data[28:]
    name = os.path.join(VECTORS, "table_udp4500_demux.txt")
    with open(name, encoding="utf-8") as f:
        for line in f:
            if line.startswith("payload"):
                yield bytes.fromhex(line.partition("=")[2].strip())


def datagram(payload, version):
    udp = bytes([17, 148, 17, 148]) + (len(payload) + 8).to_bytes(2, "big")
    udp += bytes(2) + payload
    if version == 4:
        return (b"E\0" + (len(udp) + 20).to_bytes(2, "big") + bytes(4) +
                bytes([64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2]) + udp)
    return (b"`\0\0\0" + len(udp).to_bytes(2, "big") + bytes([17, 64]) +
            bytes(range(32)) + udp)


def steps(rng):
    """Datagrams in fragments, in some order, now and then one again."""
    pieces = []
    for which in range(4):
        units = [rng.randrange(1, 16) for _ in range(rng.randrange(2, 8))]
        for i, n in enumerate(units):
            more = 4 if i + 1 < len(units) else 0
            size = n if more else rng.choice((n, 128 + rng.randrange(1, 99)))
            pieces.append(bytes((which | more, sum(units[:i]), size,
                                 0, 0, 0, 0, 0)))
    pieces += rng.sample(pieces, 2)
    rng.shuffle(pieces)
    late = bytes((0xf8 | rng.randrange(8), 3, 2, rng.randrange(8), 251, 1,
                  0, 0))
    pieces.insert(rng.randrange(len(pieces)), late)
    return b"\0" + b"".join(pieces)


def reass(rng):
    for _ in range(30):
        yield steps(rng)
    for name in ("esp_packets.txt", "ah_packets.txt"):
        for i, (_, data) in enumerate(packets(name)):
            yield bytes((2, 60 + i % 40, i * 32 & 63)) + data
            first = bytearray(data)
            if first[0] >> 4 == 4:
                first[6] = 0x20
            last = bytearray(first)
            last[6:8] = bytes((0, rng.randrange(40)))
            both = b""
            for p in (first, last):
                both += bytes((len(p) >> 8 & 7, len(p) & 255, 1)) + p
            yield b"\1" + both


def main():
    top = sys.argv[1]
    rng = random.Random(1)
    seeds = {"inbound": [], "outbound": [], "flow": [], "spd": [],
             "icmp": [], "udp4500": [],
             "reass": list(reass(random.Random(2)))}
    for name in ("esp_packets.txt", "ah_packets.txt"):
        for i, (key, data) in enumerate(packets(name)):
            seeds["flow"].append(data)
            if key == "plain":
                choices = bytes(rng.randrange(256) for _ in range(3))
                seeds["outbound"].append(choices + data)
            for cut in (28, 36, 68, 1500):
                choices = bytes([rng.randrange(256), rng.randrange(256) | 1])
                seeds["icmp"].append(choices + data[:cut])
            for choice in (i % 8, 0x24 + i % 4):
                seeds["inbound"].append(bytes([choice]) + data)
    for _ in range(40):
        length = 16 * rng.randrange(1, 60)
        seeds["spd"].append(bytes(rng.randrange(256) for _ in range(length)))
    for i, payload in enumerate(payloads()):
        choices = bytes([i % 64, i * 5 % 64])
        seeds["udp4500"].append(choices + datagram(payload, 4 + i % 2 * 2))
    for target, inputs in seeds.items():
        folder = os.path.join(top, target + ".corpus")
        os.makedirs(folder, exist_ok=True)
        for i, data in enumerate(inputs):
            with open(os.path.join(folder, f"seed-{i:03}"), "wb") as f:
                f.write(data)


if __name__ == "__main__":
    main()
