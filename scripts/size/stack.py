# SPDX-License-Identifier: MIT
"""The worst stack from the call graphs that gcc writes for each file.

-fcallgraph-info=su gives a node for each function, with the bytes of its frame,
and an edge for each call. A call through a pointer goes to __indirect_call; the
table in indirect.txt says what that may be. A call at the end of a function may
be a jump, which drops the frame first: the disassembly tells.
"""

import os
import re

from build import CLONE, Failure, rows_of

INDIRECT = "__indirect_call"
OUTSIDE = "outside"
NODE = re.compile(r'node: \{ title: "([^"]+)" label: "((?:[^"\\]|\\.)*)"')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"'
                  r'(?: label: "([^"]*)")?')
BYTES = re.compile(r"(\d+) bytes \(([a-z,]+)\)")


class Graph:
    """All files' call graphs in one."""

    def __init__(self, texts):
        self.frame = {}     # of each function that is defined
        self.calls = {}     # names that it calls
        self.sites = []     # (function, "file:line:column") of pointers
        self.unbounded = set()
        for text in texts:
            for line in text.splitlines():
                self.read(line)

    def read(self, line):
        found = NODE.match(line)
        if found:
            size = BYTES.search(found[2])
            if size:
                # Two of one name, as clones are: the larger frame.
                self.frame[found[1]] = max(int(size[1]),
                                           self.frame.get(found[1], 0))
                self.calls.setdefault(found[1], set())
                if size[2] == "dynamic":
                    self.unbounded.add(found[1])
            return
        found = EDGE.match(line)
        if found and found[2] == INDIRECT:
            self.sites.append((found[1], found[3] or "nowhere:0:0"))
        elif found:
            self.calls.setdefault(found[1], set()).add(found[2])

    def outside(self):
        """What is called and not defined."""
        called = set().union(*self.calls.values()) if self.calls else set()
        return called - set(self.frame)

    def uncalled(self):
        called = set().union(*self.calls.values()) if self.calls else set()
        return set(self.frame) - called


def shown(name):
    """A graph's name as people know it."""
    return CLONE.sub("", re.sub(r"^.*:", "", name))


class Table:
    """indirect.txt: (file:function, member) -> functions of the core."""

    def __init__(self, path):
        self.path = path
        self.rows = {}
        self.seen = set()
        for where, member, what in rows_of(path, 3, None):
            if (where, member) in self.rows:
                raise Failure(f"{path}: {where} {member} is there twice")
            names = what.split()
            self.rows[where, member] = [n for n in names if n != OUTSIDE]

    def targets(self, root, place):
        """What the call at "file:line:column" may reach: names, and what is
        wrong, or None."""
        where, member = site(root, place)
        if (where, member) not in self.rows:
            return [], (f"{place}: {where} calls through {member}, which "
                        f"{os.path.basename(self.path)} does not list")
        self.seen.add((where, member))
        return self.rows[where, member], None

    def unseen(self):
        return [f"{os.path.basename(self.path)}: no call through {m} in {w}"
                for w, m in self.rows if (w, m) not in self.seen]


def lines_of(root, file, cache={}):
    path = os.path.join(root, file)
    if path not in cache:
        try:
            with open(path, encoding="utf-8") as f:
                cache[path] = f.read().splitlines()
        except OSError:
            cache[path] = []
    return cache[path]


def site(root, place):
    """("file:function", member) of a call at "file:line:column"."""
    file, line, column = place.rsplit(":", 2)
    lines = lines_of(root, file)
    if not 0 < int(line) <= len(lines):
        return f"{file}:?", "?"
    function = "?"
    for text in lines[:int(line)]:
        found = re.match(r"(?:[A-Za-z_][\w *]*[ *])?(\w+)\(", text)
        if found and not text.rstrip().endswith(";"):
            function = found[1]
    text = lines[int(line) - 1][int(column) - 1:]
    found = re.match(r"[(*\s]*(?:\w+(?:\[[^]]*\])*(?:->|\.))*(\w+)"
                     r"(?:\[[^]]*\])*\)?\s*\(", text)
    return f"{file}:{function}", found[1] if found else "?"


class Stack:
    """The worst stack of each entry point of a build, and what is wrong."""

    def __init__(self, root, result, table):
        self.graph = Graph(result.graphs)
        self.errors = [f"{shown(f)}: its frame has no fixed size"
                       for f in sorted(self.graph.unbounded)]
        for function, place in self.graph.sites:
            targets, error = table.targets(root, place)
            if error and error not in self.errors:
                self.errors.append(error)
            self.graph.calls.setdefault(function, set()).update(
                t for t in targets if t in self.graph.frame)
        self.jumps = {(self.title(file, a), self.title(file, b))
                      for file, a, b in result.jumps}
        # Besides the public ones: what nobody here calls is called back.
        self.entries = sorted((result.public & set(self.graph.frame)) |
                              self.graph.uncalled())
        self.outside = sorted(result.needs)
        self.worst = {}
        for entry in sorted(self.graph.frame):
            self.search(entry, [])
        if not self.graph.frame:
            self.errors.append("no call graph")

    def search(self, name, path):
        """(bytes, chain) of the deepest way down from `name`."""
        if name in path:
            cycle = " > ".join(shown(x)
                               for x in path[path.index(name):] + [name])
            text = f"recursion: {cycle}"
            if text not in self.errors:
                self.errors.append(text)
            return 0, []
        if name in self.worst:
            return self.worst[name]
        frame = self.graph.frame[name]
        worst = (frame, [(name, frame, False)])
        for called in sorted(self.graph.calls.get(name, ())):
            if called not in self.graph.frame:
                continue
            size, chain = self.search(called, path + [name])
            jump = (name, called) in self.jumps
            size += 0 if jump else frame
            if size > worst[0] or len(worst[1]) == 1 and size == worst[0]:
                worst = (size, [(name, frame, jump)] + chain)
        self.worst[name] = worst
        return worst

    def title(self, file, symbol):
        """What the graph calls a symbol of an object."""
        return symbol if symbol in self.graph.frame else f"{file}:{symbol}"

    def ranked(self):
        """(entry, bytes, chain), the worst first."""
        rows = [(shown(e), *self.worst[e]) for e in self.entries]
        return sorted(rows, key=lambda r: (-r[1], r[0]))

    def deepest(self):
        """The first of them."""
        ranked = self.ranked()
        return ranked[0] if ranked else ("", 0, [])


def chain_text(chain):
    """"a 16 > b 8": a calls b. "(a 16) > b 8": a jumps there."""
    return " > ".join(f"({shown(n)} {size})" if jump else f"{shown(n)} {size}"
                      for n, size, jump in chain)
