#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold lwIP's source against senders.txt: who in it sends?

senders.txt lists every function of lwIP that hands a packet on towards a
wire, and how test_around.c tries it or why it need not. A function that is
not in the list fails this, so a new lwIP with a new way out is noticed; so
does a line that no lwIP looked at has any more, but for lines of a version,
"(2.1)", that is not among them.

usage: senders.py [lwIP's tree ...]     those of LWIP_DIR and DEPS by default
       senders.py --print tree          what it finds
"""
import glob
import os
import re
import sys

CALLS = re.compile(
    r'(?:->|\.)(output|output_ip6|linkoutput)\b(?!\s*=[^=])|'
    r'(?<![\w>.])(ethernet_output|etharp_output|ethip6_output|'
    r'netif_loop_output|ip4_frag|ip6_frag|'
    r'ip[46]?_output(?:_if|_hinted)?\w*)\s*\(')
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
HEAD = re.compile(r'^(?:[a-z][\w \t*]*[ \t*])?(\w+)\([^;]*?\)\s*\{', re.M)


def functions(text):
    """Name and body of each function: lwIP's begin in column 0."""
    text = COMMENT.sub(lambda m: re.sub(r'[^\n]', ' ', m.group()), text)
    heads = list(HEAD.finditer(text))
    for i, head in enumerate(heads):
        end = heads[i + 1].start() if i + 1 < len(heads) else len(text)
        yield head.group(1), text[head.end():end]


def senders(tree):
    found = set()
    src = os.path.join(tree, 'src')
    for path in glob.glob(src + '/**/*.c', recursive=True):
        name = os.path.relpath(path, src)
        if name.startswith('apps/mqtt') or name == 'core/altcp.c':
            continue  # "output" there is a buffer, or a function of TCP
        with open(path, encoding='utf-8', errors='replace') as f:
            for function, body in functions(f.read()):
                for call in CALLS.finditer(body):
                    found.add((name, function, call.group(1) or call.group(2)))
    return found


def version(tree):
    """2.1 of 2.1.3"""
    with open(os.path.join(tree, 'src/include/lwip/init.h'),
              encoding='utf-8') as f:
        text = f.read()
    return '.'.join(re.search(rf'LWIP_VERSION_{part}\s+(\d+)', text).group(1)
                    for part in ('MAJOR', 'MINOR'))


def gone(rows, seen, versions):
    """Lines that something looked at should have, and nothing has."""
    for row in sorted(set(rows) - seen):
        mark = re.search(r'\((\d+\.\d+)\)$', rows[row])
        if not mark or mark.group(1) in versions:
            yield row


def listed(path):
    rows = {}
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            words = line.split(None, 3)
            if words and not words[0].startswith('#'):
                if len(words) < 4:
                    sys.exit(f'{path}:{number}: no word of what becomes of it')
                rows[tuple(words[:3])] = words[3].strip()
    return rows


def trees():
    env = os.environ
    some = glob.glob(env.get('DEPS', 'build/deps') + '/lwip-*[0-9]')
    return sorted({t.rstrip('/') for t in some + [env.get('LWIP_DIR', '')]
                   if t})


def main(args):
    if args and args[0] == '--print':
        for row in sorted(senders(args[1])):
            print(*row)
        return 0
    here = os.path.dirname(os.path.abspath(__file__))
    rows = listed(os.path.join(here, 'senders.txt'))
    with open(os.path.join(here, 'test_around.c'), encoding='utf-8') as f:
        tests = f.read()
    bad, seen, versions = [], set(), set()
    for tree in args or trees():
        found = senders(tree)
        versions.add(version(tree))
        seen |= found
        bad += [f'{tree}: not in senders.txt: {" ".join(row)}'
                for row in sorted(found - set(rows))]
    if not seen:
        print('no source of lwIP: LWIP_DIR=... or sh scripts/deps.sh lwip')
        return 77
    bad += [f'no lwIP has it: {" ".join(row)}'
            for row in gone(rows, seen, versions)]
    for row, what in rows.items():
        for way in re.findall(r'try:(\w+)', what):
            if f'"{way}"' not in tests:
                bad.append(f'{" ".join(row)}: test_around.c has no "{way}"')
    print('\n'.join(bad) or f'{len(rows)} ways to send, all accounted for')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
