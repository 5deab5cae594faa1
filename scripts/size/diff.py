# SPDX-License-Identifier: MIT
"""make size-diff REV=...: another commit against the tree as it is."""

import io
import os
import shutil
import subprocess
import tarfile

import build
from report import table
from stack import Stack, Table


def unpack(root, rev, to):
    """What that commit has of include/ and src/; its short name."""
    git = ["git", "-C", root]
    done = subprocess.run(git + ["rev-parse", "--verify", "--quiet", "--short",
                                 "--end-of-options", rev + "^{commit}"],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise build.Failure(f"no commit {rev!r} here: make size-diff "
                            "REV=HEAD~1, a branch, a tag or a hash")
    commit = done.stdout.strip()
    done = subprocess.run(git + ["archive", commit, "include", "src"],
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise build.Failure(f"{rev}: {done.stderr.decode().strip()}")
    shutil.rmtree(to, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        for member in tar:
            if member.isfile() and ".." not in member.name:
                path = os.path.join(to, member.name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    f.write(tar.extractfile(member).read())
    return commit


def by_name(result):
    sums = {}
    for x in result.items:
        key = (x.file, x.name)
        sums[key] = sums.get(key, 0) + x.size
    return sums


def totals(targets, names, old, new):
    print("Code with constants: before, after, difference")
    rows = []
    for t in targets:
        for c in names:
            a, b = old[t.name, c].text(), new[t.name, c].text()
            rows.append([t.name, c, a, b, f"{b - a:+}"])
            for kind in ("data", "bss"):
                a, b = (x[t.name, c].total(kind) for x in (old, new))
                if a or b:
                    rows.append([t.name, f"{c}: {kind}", a, b, f"{b - a:+}"])
    table(rows, 2)


def stacks(targets, names, roots, results):
    """Where the worst is another. Calls through pointers are looked up in
    today's table: what is wrong with it, make size says."""
    rows = []
    for t in targets:
        for c in names:
            a, b = (Stack(root, r[t.name, c], Table(os.path.join(
                roots[1], "scripts/size/indirect.txt"))).deepest()
                    for root, r in zip(roots, results))
            if a[:2] != b[:2]:
                rows.append([t.name, c, a[1], b[1], f"{b[1] - a[1]:+}", a[0],
                             b[0]])
    print("\nWorst stack: " + ("before, after" if rows else "no other"))
    if rows:
        table(rows, 2)


def differences(target, names, old, new):
    """Functions that differ in one of these configurations."""
    pairs = [(by_name(old[target.name, c]), by_name(new[target.name, c]))
             for c in names]
    keys = sorted({k for p in pairs for s in p for k in s})
    rows, files = [], {}
    for key in keys:
        change = [b.get(key, 0) - a.get(key, 0) for a, b in pairs]
        if any(change):
            there = [any(key in s for s in side) for side in zip(*pairs)]
            note = "" if all(there) else "new" if there[1] else "gone"
            rows.append([*key, note] + [f"{n:+}" if n else "." for n in
                                        change])
            files[key[0]] = [x + y for x, y in
                             zip(files.get(key[0], [0] * len(pairs)), change)]
    if not rows:
        print(f"\n{target.name}: no function differs")
        return
    print(f"\n{target.name}: what differs")
    table([["", "", ""] + list(names)] + rows, 3)
    print(f"\n{target.name}: by file")
    table([[""] + list(names)] +
          [[f] + [f"{n:+}" if n else "." for n in change]
           for f, change in sorted(files.items())])


def structures(targets, old, new):
    for t in targets:
        a, b = old.structures(t), new.structures(t)
        for n in sorted(set(a) | set(b)):
            if a.get(n) != b.get(n):
                print(f"  {t.name}: struct {n}: {a.get(n, 'none')} -> "
                      f"{b.get(n, 'none')}")


def main(root, kept, rev, targets, detail, jobs):
    """Prints what differs."""
    there = os.path.join(os.path.dirname(kept), "rev")
    commit = unpack(root, rev, there)
    print(f"{commit} against the tree as it is")
    before = build.Builder(there, kept, jobs)
    after = build.Builder(root, kept, jobs)
    both = [build.configurations(r, root) for r in (there, root)]
    fit = [[c for c in cs if not c.unknown] for cs in both]
    names = [c.name for c in fit[1] if c.name in {x.name for x in fit[0]}]
    old, new = (b.measure([(t, c.name, c.macros) for t in targets for c in cs
                           if c.name in names])
                for b, cs in zip((before, after), fit))
    totals(targets, names, old, new)
    stacks([t for t in targets if t.graph], names, (there, root), (old, new))
    differences(detail, names, old, new)
    structures(targets, before, after)
