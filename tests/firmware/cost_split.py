#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where the instructions of a packet go, by function: cost_split.py IMAGE.

QEMU single-steps the image of cost.c and says each address. Of the first
packet, those from entry to return of ipsec_outbound() and ipsec_inbound()
count, but for those of the crypto backend. What was inlined is counted as the
function it was, and what isn't ours (memset() and its like) by its symbol.
cost.c reckons the calls to and from its clock in: some 30 more.
"""
import collections
import re
import subprocess
import sys

QEMU = ['qemu-system-arm', '-M', 'mps2-an385', '-icount', 'shift=6',
        '-display', 'none', '-monitor', 'none', '-serial', 'null',
        '-semihosting-config', 'enable=on,target=native', '-singlestep',
        '-d', 'exec,nochain', '-D', '/dev/stdout', '-kernel']
ADDRESS = re.compile(rb'\[[0-9a-f]*/([0-9a-f]*)/')
OURS = re.compile(r'.*/((?:src|ports|include)/[\w/]+\.[ch]):')


def symbols(image):
    """Address and name of each function, in order."""
    out = subprocess.run(['arm-none-eabi-nm', '-n', image], check=True,
                         capture_output=True, text=True).stdout
    rows = [line.split() for line in out.splitlines()]
    return [(int(address, 16) & ~1, name) for address, kind, name in rows
            if kind in 'tTwW' and not name.startswith('$')]


def step(image):
    """Each address that is executed."""
    with subprocess.Popen(QEMU + [image], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as qemu:
        try:
            for line in qemu.stdout:
                found = ADDRESS.search(line)
                if found:
                    yield int(found.group(1), 16)
        finally:
            qemu.kill()


def count(image, at):
    """How often each address was executed, in [out, in]."""
    entry = {name: address for address, name in at}
    ways = {entry['ipsec_outbound']: 0, entry['ipsec_inbound']: 1}
    counts = [collections.Counter(), collections.Counter()]
    calls = []          # addresses of the calls that we are in
    way = last = None
    for address in step(image):
        if calls and address in (calls[-1] + 2, calls[-1] + 4):
            calls.pop()  # it has returned
            if not calls and way == 1:
                break
        if not calls and address in ways:
            way = ways[address]
            calls.append(last)
        elif calls and address == entry['timed_run']:
            calls.append(last)
        if len(calls) == 1:
            counts[way][address] += 1
        last = address
    return counts


def names(image, addresses, at):
    """The function, and its file, that each address is of."""
    addresses = sorted(addresses)
    out = subprocess.run(
        ['arm-none-eabi-addr2line', '-f', '-e', image],
        input='\n'.join('%x' % a for a in addresses), check=True,
        capture_output=True, text=True).stdout.splitlines()
    named = {}
    for address, name, place in zip(addresses, out[0::2], out[1::2]):
        ours = OURS.match(place)
        if not ours:
            name = [n for a, n in at if a <= address][-1]
        named[address] = (name, ours.group(1) if ours else '')
    return named


def main():
    image = sys.argv[1]
    at = symbols(image)
    counts = count(image, at)
    named = names(image, set(counts[0]) | set(counts[1]), at)
    rows = collections.defaultdict(lambda: [0, 0])
    for way in (0, 1):
        for address, n in counts[way].items():
            rows[named[address]][way] += n
            rows[('all', '')][way] += n
    form = '  %-24s %-20s %6s %6s %6s'
    print(form % ('function', 'file', 'out', 'in', 'both'))
    for (name, file), (out, back) in sorted(
            rows.items(), key=lambda row: (-sum(row[1]), row[0])):
        print(form % (name, file, out, back, out + back))


main()
