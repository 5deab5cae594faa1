# SPDX-License-Identifier: MIT
"""The README's table, between two markers: written, and held against what was
measured. What can't be measured here (no compiler, or another version of it)
stays as it stands there."""

import os
import re
import textwrap

from build import Failure

BEGIN, END = "<!--size:begin-->", "<!--size:end-->"
STRUCTURES = (("ipsec_sa", "an SA"), ("ipsec_policy", "a policy"),
              ("ipsec", "the context"), ("ipsec_pkt", "a packet"))
OPTION_FROM = 400   # bytes that an option must save to be worth a word
INDENT = "  "


class Block:
    """The text between the markers as cells by label and column."""

    def __init__(self, root):
        self.path = os.path.join(root, "README.md")
        try:
            with open(self.path, encoding="utf-8") as f:
                self.text = f.read()
        except OSError as e:
            raise Failure(f"{self.path}: {e.strerror}") from None
        if self.text.count(BEGIN) != 1 or self.text.count(END) != 1 or \
                self.text.index(BEGIN) > self.text.index(END):
            raise Failure(f"README.md: not one {BEGIN} and then one {END}")
        self.start = self.text.index(BEGIN) + len(BEGIN)
        self.end = self.text.index(END)
        self.old = self.text[self.start:self.end]
        self.cells = {}
        titles = []
        for line in self.old.splitlines():
            if line.strip().startswith("|"):
                row = [x.strip() for x in line.strip().strip("|").split("|")]
                if not titles:
                    titles = row[1:]
                for title, cell in zip(titles, row[1:]):
                    self.cells[row[0], title] = cell
        flat = " ".join(self.old.split())
        found = re.search(r"Left out of everything.*?\.(?= |$)", flat)
        self.options = found[0] if found else ""
        found = re.search(r"Compilers: (.*?)\.(?= |$)", flat)
        self.compilers = dict(x.rsplit(" ", 1) for x in
                              found[1].split(", ")) if found else {}

    def write(self, new):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(self.text[:self.start] + new + self.text[self.end:])


def number(n):
    return f"{n:,}"


def labels(configurations):
    """Of the rows, in their order."""
    rows = []
    for c in configurations:
        rows.append((f"{c.title}: code", "text", c.name))
        rows.append(("stack", "stack", c.name))
    rows.append(("all: data and bss", "data", None))
    rows += [(f"memory of {words}", "sizeof:" + name, None)
             for name, words in STRUCTURES]
    return rows


def unique(rows):
    """Labels that differ: "stack" alone says nothing to a parser."""
    last, out = "", []
    for label, figure, name in rows:
        if figure == "text":
            last = label.rsplit(":", 1)[0]
        out.append((f"{last}: stack" if figure == "stack" else label, figure,
                    name))
    return out


def options_text(savings, title):
    parts = [f"`{o}` {number(n)}" for o, n in
             sorted(savings.items(), key=lambda x: (-x[1], x[0]))
             if n >= OPTION_FROM]
    if not parts:
        return ""
    return f"Left out of everything, it gives back ({title}): " + \
        ", ".join(parts) + "."


def render(block, targets, configurations, value, savings, compilers):
    """The block as it should be. value(target, figure, configuration) is a
    number, or None: not measured, keep what is there. `savings`: a machine's
    title and what its options give back, or None likewise."""
    titles = [t.title for t in targets]
    lines = ["| bytes, at `-Os` | " + " | ".join(titles) + " |",
             "|---|" + "--:|" * len(titles)]
    for label, figure, name in unique(labels(configurations)):
        cells = []
        for t in targets:
            n = value(t, figure, name)
            cells.append(block.cells.get((label, t.title), "-")
                         if n is None else number(n))
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    lines.append("")
    text = options_text(*savings) if savings is not None else block.options
    known = {**block.compilers, **compilers}
    end = "Compilers: " + ", ".join(
        f"{k} {v}" for k, v in sorted(known.items())) + "."
    for part in (text, end):
        if part:
            lines += textwrap.wrap(part, 78, break_long_words=False,
                                   break_on_hyphens=False)
            lines.append("")
    lines.pop()
    return "\n" + "".join((INDENT + x).rstrip() + "\n" for x in lines) + \
        INDENT
