#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Seeds for the fuzz targets, from the vectors: seeds.py DIRECTORY

fills DIRECTORY/TARGET.corpus."""

import os
import random
import re
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


def ah_packets(rng):
    """AH of each length there is behind what its ICV has to mask."""
    ends = bytes.fromhex("20010db8" + "00" * 11 + "01" +
                         "20010db8" + "00" * 11 + "02")
    options = [b"", b"\x07\x04\x04\x00", b"\x83\x07\x04\xc6\x33\x64\x02\x00",
               b"\x94\x04\x00\x00", b"\x44\x08\x05\x00\x00\x00\x00\x00"]
    chains = [[], [(0, b"\x00\x05\x02\x00\x00\x01\x00")],
              [(0, b"\x00\x3e\x02\x05\x05\x00\x00"),
               (60, b"\x00\x1e\x02\x05\x05\x00\x00")],
              [(43, b"\x02\x02\x01\x00\x00\x00\x00" + ends[:16])],
              [(44, b"\x00\x00\x00\x00\x00\x00\x01")],
              [(60, b"\x00\x01\x04\x00\x00\x00\x00"),
               (43, b"\x02\x02\x00\x00\x00\x00\x00" + ends[16:])]]
    for length in (24, 28, 32, 36, 40):
        body = bytes(rng.randrange(256) for _ in range(length - 12))
        ah = bytes([17, length // 4 - 2, 0, 0, 0, 0, 16, 1, 0, 0, 0, 1])
        ah += body + bytes(16)
        for option in options:
            total = 20 + len(option) + len(ah)
            head = bytes([0x45 + len(option) // 4, 0, 0, total, 0, 1, 0, 0,
                          64, 51, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2])
            head += option
            total = sum(head[i] << 8 | head[i + 1]
                        for i in range(0, len(head), 2))
            total = 0xffff - (total % 0xffff)
            yield head[:10] + total.to_bytes(2, "big") + head[12:] + ah
        for chain in chains:
            kinds = [kind for kind, _ in chain] + [51]
            ext = b"".join(bytes([kinds[i + 1]]) + data
                           for i, (_, data) in enumerate(chain))
            yield (b"\x60\x00\x00\x00" +
                   (len(ext) + len(ah)).to_bytes(2, "big") +
                   bytes([kinds[0], 64]) + ends + ext + ah)


def blocks(name, count):
    """The first records of a file, one seed each, and all of it in one."""
    with open(os.path.join(VECTORS, name), encoding="utf-8") as f:
        text = f.read()
    records = [r for r in text.split("\n\n") if "proto = " in r]
    return [(r + "\n").encode() for r in records[:count]]


def numbers(rng):
    """Replay windows of all sizes, near the ends of both subspaces."""
    tops = [0, 1, 63, 2**32 - 2, 2**32, 2**32 + 30, 5 * 2**32 - 1, 2**64 - 40]
    for i, top in enumerate(tops):
        for flags in (0, 1):
            head = bytes([flags, i % 7]) + top.to_bytes(8, "big")
            steps = (bytes([4 | rng.randrange(4), 0, rng.randrange(256)])
                     for _ in range(50))
            yield head + b"".join(steps)


def flights(rng):
    """Up to eight packets each, both ways, with all layers and suites."""
    for i in range(128):
        head = bytes([i % 32] + [rng.randrange(256) for _ in range(5)])
        rest = bytearray(rng.randrange(256) for _ in range(64))
        if i % 2:
            rest[0::8] = bytes(8)  # nothing is spoilt,
            rest[7::8] = bytes(8)  # and the engine never fails
        yield head + bytes(rest)


def total(data):
    """One's complement sum of 16-bit words."""
    data += bytes(len(data) % 2)
    n = sum(data[i] << 8 | data[i + 1] for i in range(0, len(data), 2))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return n


def header4(proto, length, tos=0):
    head = (bytes([0x45, tos]) + (20 + length).to_bytes(2, "big") + bytes(4) +
            bytes([64, proto]))
    ends = bytes([192, 0, 2, 1, 198, 51, 100, 2])
    return head + (0xffff - total(head + ends)).to_bytes(2, "big") + ends


def congested():
    """Tunnels in which congestion was met (RFC 6040 section 4.2)."""
    for tos in (0, 1, 2, 3):
        inner = header4(17, 16, tos) + bytes([1, 2, 3, 4, 0, 16]) + bytes(10)
        text = inner + bytes([1, 2, 2, 4])
        esp = bytes([0, 0, 16, 1, 0, 0, 0, 1]) + text + bytes(16)
        yield bytes([4, 0, 0]) + header4(50, len(esp), 3) + esp


def unsummed():
    """UDP in transport mode through a NAT, whose new checksum is 0."""
    udp = bytes([1, 2, 3, 4, 0, 12, 9, 9, 0, 0])
    pseudo = bytes([192, 0, 2, 1, 198, 51, 100, 2, 0, 17, 0, 12])
    rest = 0xffff - total(pseudo + udp[:6] + udp[8:] + bytes(2))
    text = udp + rest.to_bytes(2, "big") + bytes([1, 2, 2, 17])
    esp = bytes([0, 0, 16, 1, 0, 0, 0, 1]) + text + bytes(16)
    udp = bytes([17, 148, 17, 148]) + (8 + len(esp)).to_bytes(2, "big")
    yield bytes([0, 3]) + header4(17, 8 + len(esp)) + udp + bytes(2) + esp


def commands():
    """Of setkey's language: texts of its unit test, and each as one."""
    name = os.path.join(HERE, "..", "gateway", "test_setkey.c")
    with open(name, encoding="utf-8") as f:
        source = f.read()
    keys = {"KEY16": "0x" + "0f" * 16, "KEY20": "0x" + "0f" * 20,
            "KEY32": "0x" + "0f" * 32}
    piece = r'"(?:[^"\\\n]|\\.)*"|KEY16|KEY20|KEY32'
    for m in re.finditer(r"(?:(?:%s)\s*){1,9}" % piece, source):
        text = "".join(keys.get(p) or p[1:-1].replace('\\"', '"')
                       .replace("\\n", "\n").replace("\\t", "\t")
                       for p in re.findall(piece, m.group(0)))
        if ";" in text:
            yield text.encode()


def any_bytes(rng, length):
    return bytes(rng.randrange(256) for _ in range(length))


def main():
    top = sys.argv[1]
    rng = random.Random(1)
    seeds = {"inbound": [], "outbound": [], "flow": [], "spd": [],
             "icmp": [], "udp4500": [], "ah": [],
             "reass": list(reass(random.Random(2))),
             "setkey": list(commands()),
             "replay": list(numbers(rng)), "resume": list(flights(rng)),
             "vectors": blocks("esp_packets.txt", 20) +
             blocks("ah_packets.txt", 10) +
             blocks("esp_payloads_published.txt", 10)}
    for name in ("esp_packets.txt", "ah_packets.txt"):
        for i, (key, data) in enumerate(packets(name)):
            seeds["flow"].append(data)
            if key == "plain":
                seeds["outbound"].append(any_bytes(rng, 6) + data)
            for cut in (28, 36, 68, 1500):
                choices = bytes([rng.randrange(256), rng.randrange(256) | 1])
                seeds["icmp"].append(choices + data[:cut])
            for choice in (i % 8, 0x24 + i % 4):
                seeds["inbound"].append(bytes([choice, i % 64, 0]) + data)
    for _, data in packets("ah_packets.txt"):
        seeds["ah"] += [bytes([choice]) + data for choice in (1, 5, 0x11)]
    for data in ah_packets(rng):
        seeds["ah"] += [bytes([choice]) + data
                        for choice in (0, 1, 2, 0x13, 0x44)]
    for _ in range(40):
        seeds["spd"].append(any_bytes(rng, 16 * rng.randrange(1, 40)))
    for i, payload in enumerate(payloads()):
        choices = bytes([i % 64, i * 5 % 64])
        seeds["udp4500"].append(choices + datagram(payload, 4 + i % 2 * 2))
    seeds["inbound"] += congested()
    seeds["udp4500"] += unsummed()
    for target, inputs in seeds.items():
        folder = os.path.join(top, target + ".corpus")
        os.makedirs(folder, exist_ok=True)
        for i, data in enumerate(inputs):
            with open(os.path.join(folder, f"seed-{i:03}"), "wb") as f:
                f.write(data)


if __name__ == "__main__":
    main()
