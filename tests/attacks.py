#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is each row of attacks.txt there, and does each test that it names exist?"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = 204
CLASSES = {"length", "version", "checksum", "trailer", "icv", "replay", "esn",
           "spi", "frag", "v6ext", "ah", "nest", "policy", "udp", "icmp",
           "ecn", "dscp", "ttl", "nonce", "keys", "life", "acquire", "mem",
           "dos", "tfs", "iiv", "esp", "link", "ike"}
texts = {}


def text_of(name):
    if name not in texts:
        path = os.path.join(HERE, name)
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as f:
            texts[name] = f.read()
    return texts[name]


def missing(proof, number):
    """What of FILE:TEST[LABEL] is not there, or None."""
    match = re.fullmatch(r"([\w/]+\.c):(\w+)(?:\[(.+)\])?", proof)
    if match is None:
        return f"not FILE:TEST: {proof}"
    name, test, label = match.groups()
    text = text_of(name)
    if text is None:
        return f"no file {name}"
    # defined, and on the list of those that run
    if not re.search(rf"^{test}\(void", text, re.M) or \
            not re.search(rf"\b{test}[,)]", text):
        return f"no test {test} in {name}"
    if label is not None and f'"{label}"' not in text:
        return f"no row \"{label}\" in {name}"
    if label is not None and "fake/attack.h" in text and \
            f'{{ {number}, "{label}"' not in text:
        return f"row \"{label}\" in {name} is not of number {number}"
    return None


def judge(number, proof, counts, errors):
    if proof.startswith("- ") and len(proof) > 8:
        counts["not for us"] += 1
        return
    for one in proof.split("; "):
        wrong = missing(one, number)
        if wrong:
            errors.append(f"row {number}: {wrong}")
    counts["proved"] += 1


def main():
    counts = {"proved": 0, "not for us": 0}
    errors, seen = [], []
    for line in text_of("attacks.txt").splitlines():
        if not line or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 5 or not fields[0].isdigit():
            errors.append(f"not a row: {line}")
            continue
        number = int(fields[0])
        seen.append(number)
        if fields[1] not in CLASSES or not fields[2] or not fields[4]:
            errors.append(f"row {number} is incomplete")
        if not fields[3] and not fields[4].startswith("- "):
            errors.append(f"row {number} has no outcome")
        judge(number, fields[4], counts, errors)
    if seen != list(range(1, ROWS + 1)):
        errors.append(f"rows are not 1 to {ROWS}, each once")
    for error in errors:
        print(error)
    print(f"{len(seen)} rows: " +
          ", ".join(f"{n} {what}" for what, n in counts.items()) +
          f", {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
