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


def main():
    top = sys.argv[1]
    rng = random.Random(1)
    seeds = {"inbound": [], "outbound": [], "flow": [], "spd": []}
    for name in ("esp_packets.txt", "ah_packets.txt"):
        for i, (key, data) in enumerate(packets(name)):
            seeds["flow"].append(data)
            if key == "plain":
                choices = bytes(rng.randrange(256) for _ in range(3))
                seeds["outbound"].append(choices + data)
            for choice in (i % 8, 0x24 + i % 4):
                seeds["inbound"].append(bytes([choice]) + data)
    for _ in range(40):
        length = 16 * rng.randrange(1, 60)
        seeds["spd"].append(bytes(rng.randrange(256) for _ in range(length)))
    for target, inputs in seeds.items():
        folder = os.path.join(top, target + ".corpus")
        os.makedirs(folder, exist_ok=True)
        for i, data in enumerate(inputs):
            with open(os.path.join(folder, f"seed-{i:03}"), "wb") as f:
                f.write(data)


if __name__ == "__main__":
    main()
