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


def main():
    top = sys.argv[1]
    rng = random.Random(1)
    seeds = {"inbound": [], "outbound": [], "flow": [], "spd": [],
             "icmp": [], "udp4500": []}
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
