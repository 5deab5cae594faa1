#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is docs/RFC.md true? Each row of its tables names a requirement, where the
code obeys it and a test that would fail if it didn't. This looks whether the
functions are there, runs the tests that are named, and whether each row that
must be there (ids.txt) is there once. Prints what fails, a line each, and as
the last line "N passed, N failed".

With --mutate N it takes N rows at random, disables in a copy of the tree the
line that lines.txt names for each, and expects the tests of the row to fail.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PAGE = "docs/RFC.md"
IDS = "tests/conformance/ids.txt"
LINES = "tests/conformance/lines.txt"
MOST_NOT_APPLYING = 5  # percent of the rows that count
TIMEOUT = 300          # seconds for a test program, or a build
PATIENCE = 60          # ... and for one that may never end
SOURCES = ("src", "ports/mbedtls", "ports/lwip", "include/ipsec",
           "tests/fake")
QUICK = ["make", "-s", "TEST_SAN=", "CFLAGS=-O1", "BUILD=build"]


def read(path, top=TOP):
    with open(os.path.join(top, path), encoding="utf-8") as f:
        return f.read()


# --- the page: | id | section | requirement | level | where | test |

REF = re.compile(r"`([\w/.-]+\.[chy]+):(\w+)`")


class Row:
    def __init__(self, cells):
        self.id, _, _, _, self.where, self.test = cells
        low = self.where.lower()
        self.outside = low.startswith("key management")
        self.not_applying = low.startswith("doesn't apply:")
        self.otherwise = low.startswith("otherwise:")
        self.functions = REF.findall(self.where)
        self.tests = REF.findall(self.test)


def rows_of(text):
    out = []
    for line in text.split("\n"):
        if re.match(r"\| [A-Z]+-[\w.-]+ \|", line):
            cells = [c.strip() for c in
                     re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            if len(cells) != 6:
                sys.exit("%s: not six cells: %s" % (PAGE, line))
            out.append(Row(cells))
    return out


# --- functions and tables of the sources

def find_file(name):
    if "/" in name:
        return name if os.path.exists(os.path.join(TOP, name)) else None
    for folder in SOURCES:
        path = folder + "/" + name
        if os.path.exists(os.path.join(TOP, path)):
            return path
    return None


def spans_of(text, name):
    """Where in `text` a function, table, structure or macro is defined: often
    once, but a build option may have it twice. [(begin, end)...]"""
    for pattern in (r"^%s\([^;{}]*?\)\n\{.*?^\}",
                    r"^(?:static |const )[^;(\n]*\b%s\[.*?^\};",
                    r"^struct %s \{.*?^\}",
                    r"^ *# *define %s\b.*?(?<!\\)$"):
        found = [m.span() for m in
                 re.finditer(pattern % name, text, re.M | re.S)]
        if found:
            return found
    return []


def is_defined(ref):
    path = find_file(ref[0])
    return path is not None and bool(spans_of(read(path), ref[1]))


# --- tests

def test_path(name):
    for folder in ("tests/", "tests/lwip/"):
        if "/" in name:
            folder = "" if name.startswith("tests/") else "tests/"
        if os.path.exists(os.path.join(TOP, folder + name)):
            return folder + name
    return None


def programs_of(path, exe):
    """The programs that have the cases of a test file."""
    base = os.path.basename(path)[:-2]
    if path.startswith("tests/lwip/"):
        folder = os.path.join(TOP, exe)
        return sorted(os.path.join(exe, n) for n in os.listdir(folder)
                      if re.match(r"test_lwip-[\w.]+$", n))
    return [os.path.join(exe, base)]


CASE = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] +(.+?)$", re.M)


def run(program, top, timeout=TIMEOUT):
    """{case: passed} of a CMocka program; None if it isn't there."""
    if not os.path.exists(os.path.join(top, program)):
        return None
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="STDOUT")
    try:
        p = subprocess.run([os.path.join(top, program)], cwd=top, env=env,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=timeout)
        said = p.stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        return {}
    out = {}
    for word, case in CASE.findall(said):
        name = case.split()[0].rstrip(":")
        if word != "SKIPPED":
            out[name] = out.get(name, True) and word == "OK"
    return out


class Runner:
    """Runs each program once."""

    def __init__(self, top, exe):
        self.top, self.exe, self.results = top, exe, {}

    def result(self, program):
        if program not in self.results:
            self.results[program] = run(program, self.top)
        return self.results[program]

    def fault(self, ref):
        """What is wrong with this test; None: it passed."""
        path = test_path(ref[0])
        if path is None:
            return "no such test file: %s" % ref[0]
        if not re.search(r"\b%s\b" % ref[1], read(path)):
            return "%s has no test %s" % ref
        ran = 0
        for program in programs_of(path, self.exe):
            results = self.result(program)
            if results is None:
                return "%s was not built" % program
            if ref[1] in results:
                ran += 1
                if not results[ref[1]]:
                    return "%s:%s failed" % ref
        return None if ran else "%s:%s did not run" % ref


# --- what disables a row: lines.txt

class Change:
    """In the definition `ref`, each (old, new)."""

    def __init__(self, ref):
        self.ref, self.pairs = ref, []

    def apply(self, text):
        spans = spans_of(text, self.ref[1])
        if not self.pairs:
            for begin, end in reversed(spans):
                text = (text[:begin] + emptied(text[begin:end], text[:begin]) +
                        text[end:])
            return text
        for old, new in self.pairs:
            pattern = re.compile(r"\s+".join(map(re.escape, old.split())))
            found = [m.span() for begin, end in spans
                     for m in pattern.finditer(text, begin, end)]
            if len(found) != 1:
                raise ValueError("%s:%s has %d of: %s" %
                                 (self.ref + (len(found), old)))
            begin, end = found[0]
            text = text[:begin] + new + text[end:]
            spans = spans_of(text, self.ref[1])
        return text


def emptied(body, before):
    """A function that does nothing."""
    kind = before.rstrip().split("\n")[-1]
    result = "" if kind.endswith("void") else "return 0;"
    return body[:body.index("{")] + "{" + result + "}"


def changes_of(text):
    """{id: [Change]}: an id and a definition, then lines "-old" and "+new"."""
    out, change = {}, None
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#") or not line.strip():
            continue
        if line[0] == "-":
            change.pairs.append((line[1:].strip(), ""))
        elif line[0] == "+":
            old, _ = change.pairs[-1]
            change.pairs[-1] = (old, line[1:].strip())
        else:
            m = re.match(r"(\S+) ([\w/.-]+):(\w+)$", line)
            if not m:
                sys.exit("%s:%d: what is this? %s" % (LINES, number, line))
            change = Change(m.groups()[1:])
            out.setdefault(m.group(1), []).append(change)
    return out


def changes_for(row, changes):
    return changes.get(row.id) or [Change(row.functions[0])]


# --- the check

def faults_of(row, changes, runner):
    out = []
    if "TODO" in row.where + row.test:
        return ["not done: %s %s" % (row.where, row.test)]
    if row.outside or row.not_applying:
        text = row.where.split(":", 1)[-1].strip()
        return [] if row.outside or text else ["gives no reason"]
    if row.otherwise and not row.where.split(":", 1)[1].strip():
        out.append("doesn't say how it is met otherwise")
    if not row.functions and not row.otherwise:
        out.append("names no function")
    if not row.tests and not row.otherwise:
        out.append("names no test")
    if bool(row.functions) != bool(row.tests):
        out.append("names a function or a test, not both")
    out += ["%s defines no %s" % ref for ref in row.functions
            if not is_defined(ref)]
    out += [f for f in map(runner.fault, row.tests) if f]
    if out or not row.functions:
        return out
    for change in changes_for(row, changes):
        if change.ref not in row.functions:
            out.append("%s disables %s:%s, which the row doesn't name" %
                       ((LINES,) + change.ref))
            continue
        try:
            change.apply(read(find_file(change.ref[0])))
        except ValueError as e:
            out.append(str(e))
    return out


def check(exe):
    rows = rows_of(read(PAGE))
    changes = changes_of(read(LINES))
    wanted = read(IDS).split()
    runner = Runner(TOP, exe)
    passed, failed = 0, 0

    def fail(text):
        nonlocal failed
        failed += 1
        print(text)

    have = [r.id for r in rows]
    for i in wanted:
        if have.count(i) != 1:
            fail("%s: %s" % (i, "twice" if i in have else "missing"))
    for i in set(have) - set(wanted):
        fail("%s: not in %s" % (i, IDS))
    for i in set(changes) - set(have):
        fail("%s: in %s, but there is no such row" % (i, LINES))
    for row in rows:
        faults = faults_of(row, changes, runner)
        if faults:
            fail("%s: %s" % (row.id, "; ".join(faults)))
        else:
            passed += 1
    counted = [r for r in rows if not r.outside]
    spared = sum(r.not_applying for r in counted)
    if spared * 100 > MOST_NOT_APPLYING * len(counted):
        fail("%d of %d rows don't apply: over %d %%" %
             (spared, len(counted), MOST_NOT_APPLYING))
    else:
        passed += 1
    print("%d rows count: %d met otherwise, %d don't apply; "
          "%d are of key management" %
          (len(counted), sum(r.otherwise for r in counted), spared,
           len(rows) - len(counted)))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


# --- rows disabled

def copy_tree(tree):
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(os.path.join(tree, "build"))
    shutil.copy2(os.path.join(TOP, "Makefile"), tree)
    for name in ("conf", "scripts", "include", "src", "ports", "tests",
                 "examples"):
        shutil.copytree(os.path.join(TOP, name), os.path.join(tree, name))
    os.symlink(os.path.join(TOP, "build", "deps"),
               os.path.join(tree, "build", "deps"))


def make(tree, targets):
    try:
        p = subprocess.run(QUICK + targets, cwd=tree, timeout=TIMEOUT,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        return p.returncode, p.stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        return 1, "make took too long"


def lwip_programs():
    """Two kinds that have each case between them."""
    names = [n for n in os.listdir(os.path.join(TOP, "build/tests"))
             if re.match(r"test_lwip-[\w.]+_(host|gateway)$", n)]
    return sorted("build/tests/" + n for n in names)[:2]


def quick_programs(row):
    out = []
    for name, _ in row.tests:
        path = test_path(name)
        for p in (lwip_programs() if path.startswith("tests/lwip/")
                  else programs_of(path, "build/quick")):
            if p not in out:
                out.append(p)
    return out


def disable(tree, row, change):
    """The tests of `row` that still pass after `change`; or None, and why
    that could not be tried."""
    path = find_file(change.ref[0])
    source = os.path.join(tree, path)
    text = read(path, tree)
    programs = quick_programs(row)
    new = change.apply(text)
    with open(source, "w", encoding="utf-8") as f:
        f.write(new)
    try:
        status, said = make(tree, programs)
        if status != 0:
            errors = [s for s in said.split("\n") if "rror" in s]
            return None, "does not compile: " + "; ".join(errors[:2])
        survivors = []
        for name, case in row.tests:
            found = [r for r in (run(p, tree, PATIENCE) for p in programs
                                 if os.path.basename(p).startswith(
                                     os.path.basename(name)[:-2]) or
                                 test_path(name).startswith("tests/lwip/"))
                     if r is not None]
            if any(case in r for r in found) and \
                    all(r.get(case, True) for r in found):
                survivors.append(case)
        return survivors, ""
    finally:
        with open(source, "w", encoding="utf-8") as f:
            f.write(text)


def attempt(tree, row, changes):
    """Each change must make one of the row's tests fail, and each test must
    fail for one of them: what is wrong, or ""."""
    missing = [r for r in row.functions if not is_defined(r)] + \
        [t for t in row.tests if test_path(t[0]) is None]
    if missing:
        return "there is no %s:%s" % missing[0]
    tests = {case for _, case in row.tests}
    unmoved = set(tests)
    for change in changes:
        try:
            survivors, why = disable(tree, row, change)
        except ValueError as e:
            survivors, why = None, str(e)
        if survivors is None:
            return why
        if tests == set(survivors):
            return "%s:%s can be disabled" % change.ref
        unmoved &= set(survivors)
    return "passes still: " + ", ".join(sorted(unmoved)) if unmoved else ""


def mutate(count, seed, only):
    rows = [r for r in rows_of(read(PAGE)) if r.functions and r.tests]
    changes = changes_of(read(LINES))
    tree = os.path.join(TOP, "build", "conformance")
    rng = random.Random(seed)
    print("seed %d" % seed, flush=True)
    chosen = [r for r in rows if r.id in only] if only else \
        rng.sample(rows, min(count, len(rows)))
    copy_tree(tree)
    passed = 0
    for row in chosen:
        done = changes_for(row, changes)
        why = attempt(tree, row, done)
        passed += not why
        print("  %-8s %-16s %s" %
              ("SURVIVES" if why else "fails", row.id, why or ", ".join(
                  sorted({"%s:%s" % c.ref for c in done}))), flush=True)
    print("%d passed, %d failed" % (passed, len(chosen) - passed))
    return 0 if passed == len(chosen) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--exe", default="build/tests",
                        help="where the test programs are")
    parser.add_argument("--mutate", type=int, default=0, metavar="N",
                        help="disable N rows at random")
    parser.add_argument("--seed", type=int, help="repeat a run")
    parser.add_argument("--row", action="append", default=[],
                        help="disable this one; may be repeated")
    args = parser.parse_args()
    if args.mutate or args.row:
        seed = args.seed if args.seed is not None else \
            random.randrange(10 ** 6)
        return mutate(args.mutate, seed, args.row)
    return check(args.exe)


if __name__ == "__main__":
    sys.exit(main())
