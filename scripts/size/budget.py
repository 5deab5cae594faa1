# SPDX-License-Identifier: MIT
"""What the core may take: budgets.txt, and what of it is kept."""

import os
import re

from build import Failure, rows_of

PATH = "scripts/size/budgets.txt"
SLACK = 16      # bytes below a ceiling that nobody need be told of
FIGURES = re.compile(r"text|data|bss|stack|sizeof:\w+")


class Row:
    """One line: a figure, for which builds, its aim and its ceiling."""

    def __init__(self, figure, target, configuration, aim, ceiling):
        self.figure, self.target = figure, target
        self.configuration = configuration
        try:
            self.aim, self.ceiling = int(aim), int(ceiling)
        except ValueError:
            raise Failure(f"{PATH}: {aim} {ceiling}: no numbers") from None
        if not FIGURES.fullmatch(figure):
            raise Failure(f"{PATH}: no figure {figure}")
        if self.ceiling < self.aim:
            raise Failure(f"{PATH}: {self.name()}: ceiling below the aim")
        self.worst = None

    def name(self):
        where = [x for x in (self.target, self.configuration) if x != "*"]
        return " ".join([self.figure.replace("sizeof:", "struct "),
                         *where])

    def by_compiler(self):
        """Does it depend on the compiler's version?"""
        return self.figure in ("text", "stack")

    def covers(self, target, configuration):
        return self.target in ("*", target) and \
            self.configuration in ("*", configuration)


class Budgets:
    """The file."""

    def __init__(self, root):
        self.path = os.path.join(root, PATH)
        self.compilers, self.rows = set(), []
        for line in rows_of(self.path, 2, None):
            if line[0] == "compiler":
                self.compilers.add(line[1])
                continue
            words = " ".join(line).split()
            if len(words) != 5:
                raise Failure(f"{self.path}: {' '.join(words)}: not 5 columns")
            self.rows.append(Row(*words))

    def targets(self):
        """Those that are named."""
        return {r.target for r in self.rows if r.target != "*"}

    def measured(self, figure, target, configuration, value):
        """`target` and `configuration` are names; keeps the worst."""
        for r in self.rows:
            if r.figure == figure and r.covers(target, configuration) and \
                    (r.worst is None or value > r.worst):
                r.worst = value

    def lower(self):
        """Ceilings come down to what was measured, or to the aim."""
        with open(self.path, encoding="utf-8") as f:
            lines = f.read().splitlines(True)
        changed = []
        for r in self.rows:
            new = max(r.aim, r.worst if r.worst is not None else r.ceiling)
            if new >= r.ceiling:
                continue
            head = [r.figure, r.target, r.configuration, str(r.aim)]
            for i, line in enumerate(lines):
                if line.split() == head + [str(r.ceiling)]:
                    at = line.rindex(str(r.ceiling))
                    old = len(str(r.ceiling))
                    lines[i] = line[:at] + str(new).rjust(old) + "\n"
            changed.append(f"{r.name()}: ceiling {r.ceiling} -> {new}")
            r.ceiling = new
        if changed:
            with open(self.path, "w", encoding="utf-8") as f:
                f.writelines(lines)
        return changed
