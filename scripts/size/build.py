# SPDX-License-Identifier: MIT
"""Compiles the core for a target and a configuration, and reads the objects.

What a file compiles to is kept by the hash of what it was preprocessed to, of
the compiler and of the flags: most files are the same in most builds.
"""

import concurrent.futures
import hashlib
import os
import re
import shlex
import subprocess
import sys
import tempfile

FLAGS = ["-std=c99", "-Os", "-ffunction-sections", "-fno-pic",
         "-fno-asynchronous-unwind-tables", "-Iinclude"]
GRAPH = ["-fstack-usage", "-fcallgraph-info=su"]
OPTIONS = "include/ipsec/options.h"
KEPT_AT_MOST = 20000
NUMBER = re.compile(r"\.\d+$")  # of a static in a function: not the same in
                                # the next build
CLONE = re.compile(r"(\.(isra|constprop|part|cold)(\.\d+)*)+$")


class Failure(Exception):
    """What the user is told instead of a trace."""


def rows_of(path, columns, sep="|"):
    """Rows of a table in a text file, as lists of stripped fields."""
    rows = []
    try:
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
    except OSError as e:
        raise Failure(f"{path}: {e.strerror}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        row = [x.strip() for x in line.split(sep)] if sep else \
            line.split(None, columns - 1)
        if len(row) != columns:
            raise Failure(f"{path}:{number}: {len(row)} columns, "
                          f"not {columns}")
        rows.append(row)
    return rows


def run(command, cwd, **more):
    """Its standard output."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True,
                              check=False, **more)
    except OSError as e:
        raise Failure(f"{command[0]}: {e.strerror}") from None
    if done.returncode != 0:
        raise Failure(f"{shlex.join(command)} failed:\n{done.stderr.strip()}")
    return done.stdout


class Target:
    """A machine, and the tools for it."""

    def __init__(self, name, title, prefix, flags, packages, compiler=None):
        self.name, self.title, self.packages = name, title, packages
        self.prefix = prefix
        self.cc = shlex.split(compiler or prefix + "gcc") + shlex.split(flags)
        self.version = None
        self.graph = GRAPH
        self.missing = self.look()

    def look(self):
        """Why it can't be compiled for, or None."""
        text = "#include <stdint.h>\n#include <string.h>\n"
        try:
            # Beside the object go the files about its stack.
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run(
                    self.cc + self.graph + ["-x", "c", "-c", "-o", "try.o",
                                            "-"], cwd=folder,
                    input=text, capture_output=True, text=True, check=False)
            self.version = subprocess.run(
                [self.cc[0], "-dumpfullversion", "-dumpversion"],
                capture_output=True, text=True, check=False).stdout.strip()
        except OSError:
            return f"no {self.cc[0]}"
        if done.returncode == 0:
            return None
        why = done.stderr.strip().splitlines()
        return f"{self.cc[0]}: {why[0] if why else 'does not compile'}"

    def compiler(self):
        return f"{self.cc[0]} {self.version}"

    def without_graph(self):
        """A compiler that tells nothing of the stack: sizes only."""
        self.graph = []
        self.missing = self.look()


def targets(root):
    path = os.path.join(root, "scripts/size/targets.txt")
    return [Target(*row) for row in rows_of(path, 5)]


class Options:
    """What include/ipsec/options.h has: single macros, and groups of them."""

    def __init__(self, root):
        self.groups = {}
        group = None
        try:
            with open(os.path.join(root, OPTIONS), encoding="utf-8") as f:
                text = f.read()
        except OSError as e:
            raise Failure(f"{OPTIONS}: {e.strerror}") from None
        for line in text.splitlines():
            found = re.fullmatch(r"#if defined\((IPSEC_NO_\w+)\)", line)
            if found:
                group = self.groups.setdefault(found[1], [])
            found = re.fullmatch(r"#undef (IPSEC_NO_\w+)", line)
            if found and group is not None:
                group.append(found[1])
        # One that no group has is in the comment alone.
        self.single = re.findall(r"^ \*     (IPSEC_NO_\w+) ", text, re.M)
        self.single = [x for x in self.single if x not in self.groups]
        self.single += [x for g in self.groups.values() for x in g
                        if x not in self.single]

    def expand(self, words):
        """Macros that `words` mean, and those of them that there are not."""
        macros, unknown = [], []
        for word in words:
            if word.lstrip("-") not in self.single and \
                    word.lstrip("-") not in self.groups:
                unknown.append(word.lstrip("-"))
            elif not word.startswith("-"):
                macros += self.groups.get(word, [word])
        return [m for m in macros if "-" + m not in words], unknown


class Configuration:
    """A name for a set of macros."""

    def __init__(self, name, words, title, options):
        self.name, self.title = name, title
        self.macros, self.unknown = options.expand(words.split())


def configurations(root, data=None):
    """Of the tree at `root`, as the file in `data`, another tree, has them."""
    path = os.path.join(data or root, "scripts/size/configurations.txt")
    options = Options(root)
    return [Configuration(*row, options) for row in rows_of(path, 3)]


class Item:
    """A function, a constant, a variable."""

    def __init__(self, file, name, kind, size):
        self.file, self.name, self.kind, self.size = file, name, kind, size


class Result:
    """What one build is made of."""

    def __init__(self):
        self.items = []
        self.public = set()     # functions that a program may call
        self.needs = set()      # symbols that it does not define
        self.graphs = []        # texts of -fcallgraph-info
        self.defined = set()
        self.jumps = set()      # (file, function, function) that are no calls

    def total(self, *kinds):
        return sum(x.size for x in self.items if x.kind in kinds)

    def text(self):
        return self.total("text", "constants")

    def by_file(self):
        files = {}
        for x in self.items:
            sums = files.setdefault(x.file, dict.fromkeys(
                ("text", "constants", "data", "bss"), 0))
            sums[x.kind] += x.size
        return files


SECTION = re.compile(r"\s*\d+ (\S+)\s+([0-9a-f]+)\s+[0-9a-f]+\s.*2\*\*\d+\s+"
                     r"(.*)$")
SYMBOL = re.compile(r"[0-9a-f]+ (.{7}) (\S+)\s+([0-9a-f]+) (\.hidden )?(\S+)$")
FILE = re.compile(r"(\S+):\s+file format ")


def kind_of(flags):
    """What a section's flags make of it, or None: not in the image."""
    if "ALLOC" not in flags:
        return None
    if "CODE" in flags:
        return "text"
    if "READONLY" in flags:
        return "constants"
    return "data" if "CONTENTS" in flags else "bss"


def function_of(section):
    """The function that is alone in a section."""
    name = re.sub(r"^\.text\.?((unlikely|startup|hot|exit)\.)?", "", section)
    return CLONE.sub("", name) or "(code)"


class Objects:
    """Reads "objdump -w -h -t" of one file after the other into a Result."""

    def __init__(self, result, names):
        self.result, self.names = result, names
        self.file, self.sections = None, {}

    def read(self, text):
        for line in text.splitlines():
            found = FILE.match(line)
            if found:
                self.flush()
                self.file = self.names[os.path.basename(found[1])]
                continue
            found = SECTION.match(line)
            if found and kind_of(found[3]) and \
                    not re.match(r"\.(note|eh_frame)", found[1]):
                self.sections[found[1]] = [kind_of(found[3]),
                                           int(found[2], 16)]
                continue
            found = SYMBOL.match(line)
            if found:
                self.symbol(*found.groups())
        self.flush()

    def symbol(self, flags, section, size, hidden, name):
        if section == "*UND*":
            self.result.needs.add(name)
            return
        if flags[0] in "gu" or flags[1] == "w":
            self.result.defined.add(name)
            if "F" in flags and not hidden:
                self.result.public.add(name)
        size = int(size, 16)
        if section == "*COM*":
            self.add(name, "bss", size)
        elif "O" in flags and section in self.sections and size > 0:
            name = NUMBER.sub("", CLONE.sub("", name))
            self.add(name, self.sections[section][0], size)
            self.sections[section][1] -= size

    def add(self, name, kind, size):
        for x in self.result.items:
            if (x.file, x.name, x.kind) == (self.file, name, kind):
                x.size += size
                return
        self.result.items.append(Item(self.file, name, kind, size))

    def flush(self):
        for section, (kind, size) in self.sections.items():
            if size > 0:
                self.add(function_of(section) if kind == "text"
                         else f"({kind})", kind, size)
        self.sections = {}


CALLS = ("bl", "blx", "call", "callq", "jal")
JUMPS = re.compile(r"b|b[a-z]{0,2}\.[nw]|jmpq?|j[a-z]{1,3}|tail")
PART = re.compile(r"Disassembly of section \.text\.(\S+):")
RELOCATED = re.compile(r"\s*[0-9a-f]+:\s+(\S+)(?:\s+(\S+).*)?\t"
                       r"[0-9a-f]+: R_\w+\s+(\S+)")


def is_jump(mnemonic, operands):
    """Does it go to a function for good, leaving no frame behind?"""
    if mnemonic == "auipc":
        return not operands.startswith("ra,")
    return mnemonic.split(".")[0] not in CALLS and \
        bool(JUMPS.fullmatch(mnemonic))


def jumps_of(text, names):
    """(file, function, function) of "objdump -d -r -w": a call that is the
    last thing a function does may be a jump, which drops the frame first.
    Where one function both calls and jumps to another, it calls."""
    ways = {}
    file = function = None
    for line in text.splitlines():
        found = FILE.match(line) or PART.match(line)
        if found and found.re is FILE:
            file = names[os.path.basename(found[1])]
        elif found:
            function = found[1]
        else:
            found = RELOCATED.match(line)
            if found:
                to = re.sub(r"[-+]0x[0-9a-f]+$", "", found[3])
                to = re.sub(r"^\.text\.", "", to)
                ways.setdefault((file, function, to), set()).add(
                    is_jump(found[1], found[2] or ""))
    return {w for w, kinds in ways.items() if kinds == {True}}


class Builder:
    """Compiles the tree at `root`; keeps what it made in `kept`."""

    def __init__(self, root, kept, jobs=2, quiet=False):
        self.root, self.kept = root, os.path.abspath(kept)
        self.jobs, self.quiet = jobs, quiet
        self.sources = sorted(
            "src/" + x for x in os.listdir(os.path.join(root, "src"))
            if x.endswith(".c"))
        os.makedirs(self.kept, exist_ok=True)
        if len(os.listdir(self.kept)) > KEPT_AT_MOST:
            for name in os.listdir(self.kept):
                os.remove(os.path.join(self.kept, name))
        self.state = hashlib.sha256()
        for top in ("include", "src"):
            for path, folders, names in os.walk(os.path.join(root, top)):
                folders.sort()
                for name in sorted(names):
                    with open(os.path.join(path, name), "rb") as f:
                        self.state.update(name.encode() + b"\0" + f.read())

    def command(self, target, macros):
        return target.cc + FLAGS + target.graph + ["-D" + m for m in macros]

    def key(self, target, macros, source):
        """The name under which its object is kept."""
        text = run(self.command(target, macros) + ["-E", source], self.root)
        # The compiler's own name for its input does not matter; macros do
        # only as far as they change the text.
        flags = " ".join([source, target.version] + self.command(target, []))
        return hashlib.sha256((flags + text).encode()).hexdigest()[:32]

    def compile(self, target, macros, source, key):
        new = os.path.join(self.kept, f"{key}.{os.getpid()}")
        run(self.command(target, macros) + ["-c", "-o", new + ".o", source],
            self.root)
        for end in (".su", ".ci", ".o"):
            if os.path.exists(new + end):
                os.replace(new + end, os.path.join(self.kept, key + end))

    def have(self, key):
        return os.path.exists(os.path.join(self.kept, key + ".o"))

    def progress(self, what, n, of):
        if self.quiet or not sys.stderr.isatty():
            if not self.quiet and n % 200 == 0 and n < of:
                print(f"  {what} {n} of {of}", file=sys.stderr)
            return
        end = "\r" if n < of else "\r" + " " * 60 + "\r"
        print(f"  {what} {n} of {of}", end=end, file=sys.stderr, flush=True)

    def each(self, what, function, work):
        """function(*w) for each of `work`, two at a time; a dict by w."""
        done = {}
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            futures = {pool.submit(function, *w): w for w in work}
            try:
                for f in concurrent.futures.as_completed(futures):
                    done[futures[f]] = f.result()
                    self.progress(what, len(done), len(work))
            except Failure:
                for f in futures:
                    f.cancel()
                raise
        return done

    def index(self, target, macros):
        """The file that remembers which objects such a build was of."""
        what = self.state.copy()
        what.update(" ".join([target.version] +
                             self.command(target, macros)).encode())
        return os.path.join(self.kept, what.hexdigest()[:32] + ".index")

    def remembered(self, target, macros):
        """Keys by source, or None."""
        try:
            with open(self.index(target, macros), encoding="utf-8") as f:
                keys = dict(line.split() for line in f)
        except OSError:
            return None
        return keys if all(map(self.have, keys.values())) else None

    def remember(self, path, keys):
        new = f"{path}.{os.getpid()}"
        with open(new, "w", encoding="utf-8") as f:
            f.writelines(f"{s} {k}\n" for s, k in keys.items())
        os.replace(new, path)

    def prepare(self, builds):
        """Have all objects of `builds`, each a target and a tuple of
        macros."""
        keys = {b: self.remembered(*b) for b in builds}
        work = [(*b, s) for b in builds if keys[b] is None
                for s in self.sources]
        found = self.each("read", self.key, work)
        missing = {}
        for (target, macros, source), key in found.items():
            if not self.have(key):
                missing[key] = (target, macros, source, key)
        self.each("compiled", self.compile, list(missing.values()))
        for b in builds:
            if keys[b] is None:
                keys[b] = {s: found[(*b, s)] for s in self.sources}
                self.remember(self.index(*b), keys[b])
        return keys

    def measure(self, builds):
        """A Result for each of `builds`: (target, name, macros)."""
        keys = self.prepare([(t, tuple(m)) for t, _, m in builds])
        same, results = {}, {}
        for t, name, macros in builds:
            these = keys[t, tuple(macros)]
            objects = (t,) + tuple(these.values())
            if objects not in same:
                same[objects] = self.result(t, these)
            results[t.name, name] = same[objects]
        return results

    def result(self, target, keys):
        r = Result()
        objects = Objects(r, {k + ".o": s for s, k in keys.items()})
        files = [os.path.join(self.kept, k + ".o") for k in keys.values()]
        objects.read(run([target.prefix + "objdump", "-w", "-h", "-t"] + files,
                         self.root))
        if target.graph:
            r.jumps = jumps_of(
                run([target.prefix + "objdump", "-d", "-r", "-w",
                     "--no-show-raw-insn"] + files, self.root), objects.names)
            for k in keys.values():
                path = os.path.join(self.kept, k + ".ci")
                with open(path, encoding="utf-8") as f:
                    r.graphs.append(f.read())
        r.needs -= r.defined
        return r

    def structures(self, target):
        """Sizes of the public structures, by name, for any machine."""
        folder = os.path.join(self.root, "include/ipsec")
        names, lines = [], []
        for header in sorted(os.listdir(folder)):
            lines.append(f'#include "ipsec/{header}"')
            with open(os.path.join(folder, header), encoding="utf-8") as f:
                names += re.findall(r"^struct (ipsec\w*) \{$", f.read(), re.M)
        lines += [f"char size_of_{n}[sizeof(struct {n})];" for n in names]
        out = os.path.join(self.kept, f"structures.{os.getpid()}.o")
        run(target.cc + FLAGS + ["-fno-common", "-x", "c", "-c", "-o", out,
                                 "-"], self.root, input="\n".join(lines))
        text = run([target.prefix + "nm", "-S", out], self.root)
        os.remove(out)
        return {n: int(size, 16) for size, n in re.findall(
            r"^\w+ (\w+) \w size_of_(\w+)$", text, re.M)}
