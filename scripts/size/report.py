# SPDX-License-Identifier: MIT
"""Tables of what was measured, on paper and as CSV."""

import csv
import os

from stack import chain_text

SHOWN_CHAINS = 5


def table(rows, left=1):
    """Columns as wide as they need be; the first `left` are text."""
    rows = [[str(x) for x in r] for r in rows]
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for r in rows:
        cells = [c.ljust(w) if i < left else c.rjust(w)
                 for i, (c, w) in enumerate(zip(r, widths))]
        print(("  " + "  ".join(cells)).rstrip())


def summary(targets, configurations, results, stacks):
    """All machines, all configurations."""
    print("Bytes at -Os: code with constants, and the worst stack")
    head = [""]
    for c in configurations:
        head += [c.name, "stack"]
    rows = [head]
    for t in targets:
        row = [t.name]
        for c in configurations:
            result = results.get((t.name, c.name))
            stack = stacks.get((t.name, c.name))
            row.append(result.text() if result else "-")
            row.append(stack.deepest()[1] if stack else "-")
        rows.append(row)
    table(rows)


def files(target, configurations, results):
    """Each file, in each configuration."""
    print(f"\n{target.name}: code with constants, by file")
    sums = {c.name: results[target.name, c.name].by_file()
            for c in configurations}
    names = sorted({f for s in sums.values() for f in s})
    rows = [[""] + [c.name for c in configurations]]
    for f in names + ["all"]:
        row = [f]
        for c in configurations:
            if f == "all":
                row.append(results[target.name, c.name].text())
            else:
                s = sums[c.name].get(f, {})
                row.append(s.get("text", 0) + s.get("constants", 0))
        rows.append(row)
    for kind in ("data", "bss"):
        rows.append([kind] + [results[target.name, c.name].total(kind)
                              for c in configurations])
    table(rows)


def functions(target, configurations, results):
    """Each function and constant, in each configuration."""
    print(f"\n{target.name}: by function")
    columns = []
    for c in configurations:
        sums = {}
        for x in results[target.name, c.name].items:
            key = (x.file, x.name)
            sums[key] = sums.get(key, 0) + x.size
        columns.append(sums)
    rows = [["", ""] + [c.name for c in configurations]]
    for key in sorted({k for s in columns for k in s}):
        rows.append([*key] + [s.get(key, 0) for s in columns])
    table(rows, 2)


def structures(target, sizes):
    print(f"\n{target.name}: public structures")
    table([["struct " + n, size] for n, size in sorted(sizes.items())])


def stack(target, configurations, stacks):
    """Worst chains; "(f 16)" leaves no frame behind: it jumps."""
    print(f"\n{target.name}: worst stack; (f 16) jumps on, its frame is gone")
    last = None
    for c in configurations:
        found = stacks.get((target.name, c.name))
        if found is None:
            continue
        print(f"  {c.name}")
        worst = found.ranked()[:SHOWN_CHAINS]
        if worst == last:
            print("    the same")
            continue
        last = worst
        for _, size, chain in worst:
            print(f"    {size:4} {chain_text(chain)}")
        if found.outside:
            print("    not counted: " + " ".join(found.outside))


def options(target, whole, savings):
    """What each option takes out, alone."""
    print(f"\n{target.name}: {whole} without (IPSEC_NO_LINT: with it)")
    table([[o, f"{n} less"] for o, n in savings.items()])


class Csv:
    """Files in `folder`, one a table."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, head, rows):
        path = os.path.join(self.folder, name + ".csv")
        with open(path, "w", encoding="utf-8", newline="") as f:
            out = csv.writer(f, lineterminator="\n")
            out.writerow(head)
            out.writerows(rows)

    def builds(self, results):
        self.write("text", ("target", "configuration", "file", "name", "kind",
                            "bytes"),
                   [(t, c, x.file, x.name, x.kind, x.size)
                    for (t, c), r in results.items() for x in
                    sorted(r.items, key=lambda x: (x.file, x.name, x.kind))])

    def summary(self, targets, results, stacks):
        compilers = {t.name: t.compiler() for t in targets}
        rows = []
        for (t, c), r in results.items():
            entry, size = stacks[t, c].deepest()[:2] if (t, c) in stacks \
                else ("", "")
            rows.append((t, compilers[t], c, r.text(), r.total("data"),
                         r.total("bss"), size, entry))
        self.write("summary", ("target", "compiler", "configuration", "text",
                               "data", "bss", "stack", "entry"), rows)

    def stacks(self, stacks):
        self.write("stack", ("target", "configuration", "entry", "bytes",
                             "chain"),
                   [(t, c, entry, size, chain_text(chain))
                    for (t, c), s in stacks.items()
                    for entry, size, chain in s.ranked()])

    def structures(self, sizes):
        self.write("structures", ("target", "structure", "bytes"),
                   [(t, n, size) for t, s in sizes.items()
                    for n, size in sorted(s.items())])

    def options(self, target, savings):
        self.write("options", ("target", "option", "bytes"),
                   [(target, o, n) for o, n in savings.items()])
