#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Are the tests any good? Change one line of src/ at a time (an operator, a
constant, a condition, a statement left out) and see whether the unit tests
notice. A change they don't notice survives; it is printed, and tells where a
test is missing or a line is of no use.

Works in copies of the tree under build/mutate. The same seed and sources give
the same changes. Exit status 0: at least 80 % were killed."""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(TOP, "build", "mutate")
QUICK = ["make", "-s", "TEST_SAN=", "CFLAGS=-O1", "BUILD=build"]
TIMEOUT = 60  # seconds to build and test one change; longer: it hangs, killed
ENOUGH = 80   # percent that must be killed

# --- what to change

# Operators as the house writes them, with a space on both sides when binary.
OPERATORS = [
    (" == ", " != "), (" != ", " == "),
    (" < ", " <= "), (" < ", " >= "), (" <= ", " < "), (" <= ", " > "),
    (" > ", " >= "), (" > ", " <= "), (" >= ", " > "), (" >= ", " < "),
    (" && ", " || "), (" || ", " && "),
    (" + ", " - "), (" - ", " + "), (" * ", " + "), (" / ", " * "),
    (" % ", " / "), (" << ", " >> "), (" >> ", " << "),
    (" & ", " | "), (" | ", " & "), (" ^ ", " | "),
    (" += ", " -= "), (" -= ", " += "), (" |= ", " &= "), (" &= ", " |= "),
    ("++", "--"), ("--", "++"),
]
NUMBER = re.compile(r"(?<![\w.])(0x[0-9a-fA-F]+|\d+)(?=[uUlL]*\b)")
STATUS = re.compile(r"\bIPSEC_ERR_\w+")
CONDITION = re.compile(r"^(\s*(?:\} else )?(?:if|while) \()(.*)(\) \{)$")
STATEMENT = re.compile(r"^(\s+)([^\s{}#][^{}]*;)$")
TYPE = (r"(?:(?:static|const|volatile|unsigned|struct \w+|enum \w+|void|char|"
        r"int|long|size_t|u?int\d+_t)\b[ *]*)+")
DECLARATION = re.compile(r"^\s+" + TYPE + r"\w")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def masked(text):
    """The text with comments and literals blanked out, as long as before."""
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                  blank, text, flags=re.S)


def changed_number(digits, rng):
    n = int(digits, 0)
    other = rng.choice([m for m in (n + 1, n - 1, 0) if m >= 0 and m != n])
    return hex(other) if digits.startswith("0x") else str(other)


def line_changes(line, mask, start, whole, rng):
    """All (kind, new line) for one line; `start`: where changes may begin;
    `whole`: the line is a statement of its own."""
    out = []

    def replace(kind, begin, end, new):
        if begin >= start:
            out.append((kind, line[:begin] + new + line[end:]))

    for old, new in OPERATORS:
        for m in re.finditer(re.escape(old), mask):
            replace("operator", m.start(), m.end(), new)
    for m in NUMBER.finditer(mask):
        replace("constant", m.start(), m.end(),
                changed_number(m.group(1), rng))
    for m in STATUS.finditer(mask):
        replace("constant", m.start(), m.end(), "IPSEC_OK")
    m = CONDITION.match(mask.rstrip())
    if m and m.group(2).count("(") == m.group(2).count(")"):
        begin, end = m.span(2)
        for new in ("!(%s)" % line[begin:end], "0"):
            replace("condition", begin, end, new)
        if "if (" in m.group(1):
            replace("condition", begin, end, "1")
    m = STATEMENT.match(mask.rstrip())
    if m and whole and start == 0 and m.group(2) != "break;":
        out.append(("statement", m.group(1) + ";"))
    return out


def file_changes(path, rng):
    """[(path, line number, [(kind, new line)...])...]: lines with a change"""
    text = open(os.path.join(TOP, path), encoding="utf-8").read()
    lines, masks = text.split("\n"), masked(text).split("\n")
    out, depth, before = [], 0, ";"
    for i, (line, mask) in enumerate(zip(lines, masks)):
        code = mask.strip()
        start = 0
        inside = depth > 0
        depth += mask.count("{") - mask.count("}")
        if not code:
            continue
        whole = before[-1] in ";{}:"
        before = code
        if code.startswith("#"):
            m = re.match(r"\s*#\s*define\s+\w+(\([^)]*\))?\s", mask)
            if not m:
                continue
            start = m.end()
        elif not inside:
            continue
        elif DECLARATION.match(mask):
            if "=" not in mask:
                continue
            start = mask.index("=") + 1
        found = line_changes(line, mask, start, whole, rng)
        if found:
            out.append((path, i + 1, found))
    return out


def choose(paths, rng):
    """Every line that can be changed, in random order, a change for each."""
    out = []
    for path in paths:
        for name, number, found in file_changes(path, rng):
            kind = rng.choice(sorted({k for k, _ in found}))
            out.append((name, number, kind,
                        rng.choice([n for k, n in found if k == kind])))
    rng.shuffle(out)
    return out


# --- how to try it

def run(tree, *targets):
    """make `targets` in `tree`: its status, None if that took too long, and
    what it said."""
    p = subprocess.Popen(QUICK + list(targets), cwd=tree,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, start_new_session=True)
    try:
        out, _ = p.communicate(timeout=TIMEOUT)
        return p.returncode, out.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
        return None, ""


def copy_tree(tree):
    """The files that make needs, and the dependencies by a link."""
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(os.path.join(tree, "build"))
    shutil.copy2(os.path.join(TOP, "Makefile"), tree)
    for name in ("conf", "scripts", "include", "src", "ports", "tests",
                 "examples"):
        shutil.copytree(os.path.join(TOP, name), os.path.join(tree, name))
    os.makedirs(os.path.join(TOP, "build", "deps"), exist_ok=True)
    os.symlink(os.path.join(TOP, "build", "deps"),
               os.path.join(tree, "build", "deps"))


def read(path):
    with open(path, "rb") as f:
        return f.read()


def attempt(tree, mutant):
    """"killed", "survived", or None: the compiler makes the same of it"""
    path, number, _, new = mutant
    source = os.path.join(tree, path)
    obj = os.path.join(tree, "build", path[:-2] + ".o")
    text, times, original = read(source), os.stat(source), read(obj)
    lines = text.decode("utf-8").split("\n")
    lines[number - 1] = new
    with open(source, "w", encoding="utf-8") as f:
        f.write("\n".join(lines))
    try:
        status, _ = run(tree, os.path.join("build", path[:-2] + ".o"))
        if status != 0:
            return "killed"
        if read(obj) == original:
            return None
        status, _ = run(tree, "unit")
        return "survived" if status == 0 else "killed"
    finally:
        with open(source, "wb") as f:
            f.write(text)
        os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
        with open(obj, "wb") as f:  # newer than the source: not built again
            f.write(original)


class Trial:
    """Tries changes, one after the other, in as many trees as there are
    workers, until `count` of them have had an effect."""

    def __init__(self, mutants, count):
        self.mutants, self.count = mutants, count
        self.next, self.result = 0, {}
        self.lock = threading.Lock()
        self.begun = time.time()

    def effective(self):
        """The results in order, up to the first that is still missing."""
        out = []
        for i in range(self.next):
            if i not in self.result:
                break
            if self.result[i] is not None:
                out.append((self.mutants[i], self.result[i]))
        return out[:self.count]

    def work(self, tree):
        while True:
            with self.lock:
                have = sum(r is not None for r in self.result.values())
                if have >= self.count and \
                        len(self.effective()) == self.count or \
                        self.next == len(self.mutants):
                    return
                i = self.next
                self.next += 1
            result = attempt(tree, self.mutants[i])
            with self.lock:
                self.result[i] = result
                if result is not None:
                    self.report(i, result)

    def report(self, i, result):
        path, number, kind, _ = self.mutants[i]
        tried = sum(r is not None for r in self.result.values())
        print("  %4d %-8s %s:%d (%s) %.0f s" %
              (tried, result, path, number, kind, time.time() - self.begun),
              flush=True)


def show_survivors(results):
    for (path, number, _, new), result in results:
        if result == "survived":
            with open(os.path.join(TOP, path), encoding="utf-8") as f:
                old = f.read().split("\n")[number - 1]
            print("%s:%d %s -> %s" %
                  (path, number, old.strip(), new.strip()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, help="repeat a run")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--file", help="change this file only: src/esp.c")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.randrange(10 ** 6)
    print("seed %d" % seed)

    paths = sorted("src/" + n for n in os.listdir(os.path.join(TOP, "src"))
                   if n.endswith(".c"))
    mutants = choose([args.file] if args.file else paths,
                     random.Random(seed))
    trees = [os.path.join(WORK, str(i)) for i in range(args.jobs)]
    for tree in trees:
        copy_tree(tree)
        status, said = run(tree, "unit")
        if status != 0:
            print(said + "the tests fail as it is: nothing to learn")
            return 2

    trial = Trial(mutants, args.count)
    workers = [threading.Thread(target=trial.work, args=(tree,))
               for tree in trees]
    for w in workers:
        w.start()
    for w in workers:
        w.join()

    results = trial.effective()
    killed = sum(r == "killed" for _, r in results)
    show_survivors(results)
    print("killed %d of %d" % (killed, len(results)))
    return 0 if results and killed * 100 >= ENOUGH * len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
