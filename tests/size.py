#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/size: small cores whose code, stack and budgets are known, and
outputs of the tools that were made up. Needs gcc 10 for this machine."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOOL = os.path.join(HERE, "..", "scripts", "size")
sys.path.insert(0, TOOL)

import build        # noqa: E402
import stack        # noqa: E402

# Frames of at least 512, 256 and 1024 bytes; top calls both others, middle
# calls deep last but keeps its frame.
SOURCE = """#include "ipsec/one.h"

static const unsigned char table[40] = { 1, 2, 3 };

__attribute__((noinline)) static int
deep(int n)
{
    volatile char room[1024];

    room[n] = (char)n;
    return room[0] + table[n];
}

__attribute__((noinline)) static int
middle(int n)
{
    volatile char room[256];

    room[n] = (char)n;
    return deep(n) + room[0];
}

int
ipsec_top(struct ipsec_one *one, int n)
{
    volatile char room[512];

    room[n] = (char)n;
    one->told(n);
    return middle(n) + room[0];
}

#ifndef IPSEC_NO_MORE
int
ipsec_more(int n)
{
    return n + 1;
}
#endif
"""
TREE = {
    "src/one.c": SOURCE,
    "include/ipsec/one.h": "struct ipsec_one {\n    void (*told)(int);\n"
                           "    char room[24];\n};\n"
                           "int ipsec_top(struct ipsec_one *one, int n);\n"
                           "int ipsec_more(int n);\n",
    "include/ipsec/options.h": "#if defined(IPSEC_NO_ADDITIONS)\n"
                               "#undef IPSEC_NO_MORE\n"
                               "#define IPSEC_NO_MORE\n#endif\n",
    "scripts/size/targets.txt": "host | Host | | -O1 | gcc\n",
    "scripts/size/configurations.txt": "least | IPSEC_NO_ADDITIONS | least\n"
                                       "everything | | all of it\n",
    "scripts/size/indirect.txt": "src/one.c:ipsec_top told outside\n",
    "scripts/size/budgets.txt": "sizeof:ipsec_one host * 40 40\n"
                                "data * * 0 0\nbss * * 0 0\n"
                                "text host everything 9000 9000\n"
                                "stack host everything 9000 9000\n",
    "README.md": "# one\n\n  <!--size:begin-->\n  <!--size:end-->\n",
}


class Core(unittest.TestCase):
    """A tree with the tool's data, and what the tool says about it."""

    ready = None    # a tree that the tool has seen: most is copied

    def setUp(self):
        if Core.ready is None:
            self.prepare()
            Core.ready = self.root
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        shutil.copytree(Core.ready, self.root, dirs_exist_ok=True)

    def prepare(self):
        self.root = tempfile.mkdtemp()
        unittest.addModuleCleanup(shutil.rmtree, self.root)
        version = build.Target("host", "Host", "", "", "gcc").version
        for path, text in TREE.items():
            if path.endswith("budgets.txt"):
                text = f"compiler gcc {version}\n" + text
            self.write(path, text)
        self.update()

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as f:
            return f.read()

    def change(self, path, old, new):
        text = self.read(path)
        self.assertIn(old, text)
        self.write(path, text.replace(old, new))

    def tool(self, *arguments, expect=0):
        """Its output; `expect` is what it must return."""
        done = subprocess.run(
            [sys.executable, os.path.join(TOOL, "size.py"), "--root",
             self.root, "--build", os.path.join(self.root, "build"),
             *arguments], capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        self.assertEqual(done.returncode, expect, output)
        self.assertNotIn("Traceback", output)
        return output

    def update(self):
        return self.tool("--update")

    def csv(self, name):
        lines = self.read(f"build/size/{name}.csv").splitlines()
        head = lines[0].split(",")
        return [dict(zip(head, line.split(",", len(head) - 1)))
                for line in lines[1:]]


class Figures(Core):
    """What is measured."""

    def test_size_tells_stack_of_the_deepest_chain(self):
        rows = {r["entry"]: r for r in self.csv("stack")
                if r["configuration"] == "everything"}
        worst = rows["ipsec_top"]
        self.assertRegex(worst["chain"],
                         r"^ipsec_top \d+ > middle \d+ > deep \d+$")
        frames = [int(n) for n in re.findall(r"\d+", worst["chain"])]
        for frame, room in zip(frames, (512, 256, 1024)):
            # x86-64 leaves 128 bytes below a leaf's frame to it.
            self.assertTrue(room - 128 <= frame < room + 128, worst)
        self.assertEqual(sum(frames), int(worst["bytes"]))
        self.assertLess(int(rows["ipsec_more"]["bytes"]), 64)

    def test_size_tells_files_functions_and_constants(self):
        rows = [r for r in self.csv("text")
                if r["configuration"] == "everything"]
        kinds = {r["name"]: (r["kind"], int(r["bytes"])) for r in rows}
        self.assertEqual(kinds["table"], ("constants", 40))
        self.assertEqual(kinds["ipsec_more"][0], "text")
        self.assertTrue(all(r["file"] == "src/one.c" for r in rows))
        summary = {r["configuration"]: r for r in self.csv("summary")}
        self.assertEqual(int(summary["everything"]["text"]),
                         sum(int(r["bytes"]) for r in rows))
        self.assertEqual(summary["everything"]["entry"], "ipsec_top")

    def test_size_tells_what_an_option_saves(self):
        text = {r["configuration"]: int(r["text"]) for r in
                self.csv("summary")}
        options = {r["option"]: int(r["bytes"]) for r in self.csv("options")}
        self.assertEqual(options["IPSEC_NO_MORE"],
                         text["everything"] - text["least"])
        self.assertGreater(options["IPSEC_NO_MORE"], 0)

    def test_size_tells_structures(self):
        self.assertEqual(
            {r["structure"]: r["bytes"] for r in self.csv("structures")},
            {"ipsec_one": str(24 + 8)})

    def test_size_prints_functions_when_asked(self):
        self.assertNotRegex(self.tool(), r"src/one\.c +deep ")
        self.assertRegex(self.tool("--functions"), r"src/one\.c +deep +\d")

    def test_size_sees_a_new_option_in_a_group(self):
        self.change("include/ipsec/options.h", "#endif",
                    "#undef IPSEC_NO_DEEP\n#define IPSEC_NO_DEEP\n#endif")
        self.change("src/one.c", "return deep(n) +",
                    "return\n#ifndef IPSEC_NO_DEEP\ndeep(n) +\n#endif\n")
        self.change("src/one.c", "int\nipsec_more",
                    "int ipsec_deep(int n);\nint\nipsec_deep(int n)\n"
                    "{\n    return deep(n);\n}\nint\nipsec_more")
        self.update()
        rows = {(r["configuration"], r["name"]) for r in self.csv("text")}
        self.assertNotIn(("least", "deep"), rows)
        self.assertIn(("everything", "deep"), rows)


class Checks(Core):
    """What must fail, and what must not."""

    def test_size_passes(self):
        self.assertRegex(self.tool(), r"\n\d+ passed, 0 failed, 0 skipped\n$")
        self.assertEqual(self.tool("--check"), "")

    def test_size_rejects_unlisted_indirect_call(self):
        self.write("scripts/size/indirect.txt", "# none\n")
        self.assertIn("src/one.c:ipsec_top calls through told",
                      self.tool(expect=1))
        self.assertIn("told", self.tool("--check", expect=1))

    def test_size_rejects_row_of_no_indirect_call(self):
        self.change("scripts/size/indirect.txt", "outside\n",
                    "outside\nsrc/one.c:middle told outside\n")
        self.assertIn("no call through told in src/one.c:middle",
                      self.tool(expect=1))

    def test_size_counts_what_an_indirect_call_may_reach(self):
        self.change("src/one.c", "return n + 1;\n}\n", """return n + 1;
}

int
ipsec_back(struct ipsec_one *one, int n)
{
    one->told(n);
    return n + 1;
}
""")
        self.change("scripts/size/indirect.txt", "outside\n",
                    "outside\nsrc/one.c:ipsec_back told src/one.c:middle\n")
        self.update()
        rows = {r["entry"]: r["chain"] for r in self.csv("stack")}
        self.assertRegex(rows["ipsec_back"],
                         r"^ipsec_back \d+ > middle \d+ > deep \d+$")

    def test_size_rejects_recursion(self):
        self.change("src/one.c", "room[n] = (char)n;\n    return room[0] +",
                    "room[n] = (char)n;\n    return (n ? ipsec_top(0, 0) : 0)"
                    " + room[0] +")
        self.assertRegex(self.tool(expect=1),
                         r"recursion: (\w+ > )+\w+")

    def test_size_rejects_recursion_through_a_pointer(self):
        self.change("scripts/size/indirect.txt", "outside", "ipsec_top")
        self.assertIn("recursion: ipsec_top > ipsec_top",
                      self.tool(expect=1))

    def test_size_rejects_frame_without_a_fixed_size(self):
        self.change("src/one.c", "char room[256];", "char room[n + 256];")
        self.assertIn("middle: its frame has no fixed size",
                      self.tool(expect=1))

    def test_size_rejects_writable_data(self):
        for text, figure in (("int ipsec_x = 1;", "data"),
                             ("int ipsec_x;", "bss")):
            self.write("src/two.c", text + "\n")
            self.assertRegex(self.tool(expect=1),
                             rf"FAILED   {figure}: 4, aim 0")

    def test_size_rejects_larger_structure(self):
        self.change("include/ipsec/one.h", "room[24]", "room[40]")
        self.assertIn("struct ipsec_one host: 48, aim 40 missed by 8",
                      self.tool("--check", expect=1))

    def budget(self, figure, aim, ceiling):
        self.change("scripts/size/budgets.txt",
                    f"{figure} host everything 9000 9000",
                    f"{figure} host everything {aim} {ceiling}")

    def test_size_rejects_more_than_a_ceiling(self):
        for figure in ("text", "stack"):
            self.budget(figure, 10, 20)
            output = self.tool("--check", expect=1)
            self.assertRegex(output, rf"FAILED   {figure} host everything: "
                                     r"\d+, aim 10 missed by \d+ bytes, "
                                     r"ceiling 20: \d+ bytes above")
            self.assertIn("ceiling 20", self.tool(expect=1))
            self.change("scripts/size/budgets.txt", "10 20", "9000 9000")

    def test_size_says_what_an_aim_is_missed_by(self):
        self.budget("stack", 100, 9000)
        worst = max(int(r["bytes"]) for r in self.csv("stack"))
        output = self.tool()
        self.assertIn(f"missed   stack host everything: {worst}, aim 100 "
                      f"missed by {worst - 100} bytes, ceiling 9000", output)
        self.assertIn("lower its ceiling", output)
        self.assertEqual(self.tool("--check"), "")

    def test_size_update_lowers_ceilings_and_raises_none(self):
        self.budget("stack", 100, 9000)
        self.budget("text", 10, 20)
        self.tool("--update", expect=1)
        worst = max(int(r["bytes"]) for r in self.csv("stack"))
        text = self.read("scripts/size/budgets.txt")
        self.assertIn(f"stack host everything 100 {worst}\n", text)
        self.assertIn("text host everything 10 20\n", text)

    def test_size_update_lowers_no_ceiling_below_its_aim(self):
        self.budget("stack", 8000, 9000)
        self.update()
        self.assertIn("stack host everything 8000 8000\n",
                      self.read("scripts/size/budgets.txt"))

    def test_size_holds_no_ceiling_against_another_compiler(self):
        self.budget("text", 10, 20)
        text = self.read("scripts/size/budgets.txt")
        self.write("scripts/size/budgets.txt",
                   re.sub("compiler gcc .*", "compiler gcc 1.2.3", text))
        self.assertRegex(self.tool(), r"skipped  text host everything: .*"
                                      r"another compiler")
        self.assertIn("another compiler", self.tool("--check", expect=77))

    def test_size_rejects_budget_of_nothing(self):
        self.change("scripts/size/budgets.txt", "text host everything",
                    "text host nothing")
        self.assertIn("nothing is text host nothing", self.tool(expect=1))

    def test_size_rejects_damaged_budgets(self):
        for old, new in (("9000 9000", "9000"), ("data", "dada"),
                         ("0 0", "0 x"), ("40 40", "40 39")):
            before = self.read("scripts/size/budgets.txt")
            self.change("scripts/size/budgets.txt", old, new)
            self.assertIn("budgets.txt", self.tool(expect=2))
            self.write("scripts/size/budgets.txt", before)

    def test_size_holds_esp_alone_against_its_base(self):
        self.change("include/ipsec/options.h", "#endif", "#endif\n"
                    "#if defined(IPSEC_NO_TRANSFORMS)\n#endif")
        self.write("scripts/size.base", "# bytes\n100000\n")
        self.assertRegex(self.tool(), r"ok +ESP alone \(IPSEC_NO_ADDITIONS, "
                                      r"IPSEC_NO_TRANSFORMS\): \d+ bytes of "
                                      r"text, at most 105000")
        self.write("scripts/size.base", "# bytes\n100\n")
        self.assertRegex(self.tool(expect=1), r"FAILED   ESP alone .* at most"
                                              r" 105\n")
        self.assertIn("at most 105", self.tool("--check", expect=1))


class Readme(Core):
    """The table between the markers."""

    def test_size_writes_the_readme(self):
        self.write("README.md", TREE["README.md"])
        self.assertIn("README.md says something else", self.tool(expect=1))
        self.update()
        text = self.read("README.md")
        self.assertTrue(text.startswith("# one\n\n  <!--size:begin-->\n"))
        self.assertTrue(text.endswith("  <!--size:end-->\n"))
        total = [r for r in self.csv("summary")
                 if r["configuration"] == "everything"][0]
        code, deep = (f"{int(total[k]):,}" for k in ("text", "stack"))
        self.assertIn(f"| all of it: code | {code} |", text)
        self.assertIn(f"| all of it: stack | {deep} |", text)
        self.assertIn("Compilers: gcc ", text)
        self.update()
        self.assertEqual(self.read("README.md"), text)

    def test_size_rejects_stale_readme(self):
        self.change("src/one.c", "return n + 1;", "return (n | 7) * 5;")
        output = self.tool(expect=1)
        self.assertIn("README.md says something else", output)
        self.assertRegex(output, r"now:  \| all of it: code \| \d")
        self.assertIn("README.md", self.tool("--check", expect=1))
        self.update()
        self.tool()

    def test_size_lets_readme_of_another_compiler_be(self):
        text = re.sub(r"Compilers: gcc \S+\.\n", "Compilers: gcc 1.2.\n",
                      self.read("README.md"))
        self.write("README.md", text.replace("code | ", "code | 9"))
        self.assertRegex(self.tool(), r"skipped  README.md, host: made with "
                                      r"gcc 1\.2, here is")

    def test_size_rejects_readme_without_markers(self):
        self.write("README.md", "# one\n")
        self.assertIn("size:begin", self.tool(expect=2))


class Missing(Core):
    """Tools and macros that are not there."""

    def test_size_skips_machine_without_compiler(self):
        before = self.read("README.md")
        self.change("scripts/size/targets.txt", "gcc\n",
                    "gcc\nother | Other | no-such- | | gcc-no-such libc\n")
        output = self.tool("--update", expect=1)
        self.assertIn("skipped  other (no no-such-gcc): apt-get install "
                      "gcc-no-such libc", output)
        self.assertIn("to write it takes all compilers", output)
        self.assertEqual(self.read("README.md"), before)

    def test_size_measures_this_machine_where_no_other_can_be(self):
        self.write("scripts/size/targets.txt",
                   "host | Host | no-such- | | gcc-no-such\n")
        self.assertRegex(self.tool(), r"\n  here +\d+ ")
        self.assertIn("apt-get install gcc-no-such",
                      self.tool("--check", expect=77))

    def test_size_leaves_out_configuration_of_no_macro(self):
        self.change("scripts/size/configurations.txt", "everything | |",
                    "v4 | IPSEC_NO_ADDITIONS IPSEC_NO_SUCH | v4\n"
                    "everything | |")
        self.assertIn("skipped  v4: include/ipsec/options.h has no "
                      "IPSEC_NO_SUCH", self.tool())

    def test_size_says_why_a_file_does_not_compile(self):
        self.change("src/one.c", "return n + 1;", "return n +;")
        self.assertIn("one.c", self.tool(expect=2))


class Difference(Core):
    """make size-diff."""

    def setUp(self):
        super().setUp()
        self.git("init", "-q")
        self.write(".gitignore", "build/\n")
        self.git("add", ".")
        self.git("-c", "user.name=x", "-c", "user.email=x@example.org",
                 "commit", "-qm", "one")

    def git(self, *arguments):
        subprocess.run(["git", "-C", self.root, *arguments], check=True,
                       capture_output=True)

    def test_size_diff_tells_nothing_of_the_same(self):
        self.assertIn("no function differs", self.tool("--diff", "HEAD"))

    def test_size_diff_tells_what_differs(self):
        self.change("src/one.c", "return n + 1;",
                    "return deep(n / 7) / 9 + 1;")
        self.change("src/one.c", "room[512]", "room[2048]")
        self.write("src/two.c", "int ipsec_two(int n);\nint\nipsec_two(int n)"
                                "\n{\n    return n * 3;\n}\n")
        output = self.tool("--diff", "HEAD")
        self.assertRegex(output, r"src/one\.c +ipsec_more +\. +\+\d+")
        self.assertRegex(output, r"src/two\.c +ipsec_two +new +\+\d+ +\+\d+")
        self.assertNotRegex(output, r"src/one\.c +(deep|middle) ")
        self.assertRegex(output, r"host +everything +(\d+) +(\d+) +\+\d+")
        self.assertRegex(output, r"host +everything +\d+ +\d+ +\+1536 ")

    def test_size_diff_rejects_unknown_commit(self):
        for rev in ("nowhere", "", "--all"):
            self.assertIn("no commit", self.tool("--diff=" + rev, expect=2))


class Graphs(unittest.TestCase):
    """Chains, by call graphs that were made up."""

    def stack_of(self, ci, jumps=(), public=("a",), table=""):
        result = build.Result()
        result.graphs = ci if isinstance(ci, list) else [ci]
        result.public, result.jumps = set(public), set(jumps)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
            f.write(table)
            f.flush()
            return stack.Stack("/nowhere", result, stack.Table(f.name))

    @staticmethod
    def ci(frames, calls):
        lines = [f'node: {{ title: "{n}" label: "{n}\\nx.c:1:1\\n'
                 f'{b} bytes (static)" }}' for n, b in frames.items()]
        lines += [f'edge: {{ sourcename: "{a}" targetname: "{b}" label: '
                  f'"x.c:2:2" }}' for a, b in calls]
        return "\n".join(lines)

    def test_stack_takes_the_deepest_of_two_ways(self):
        s = self.stack_of(self.ci({"a": 10, "b": 100, "c": 20, "d": 90},
                                  ["ab", "ac", "cd"]))
        self.assertEqual(s.deepest()[:2], ("a", 120))
        self.assertEqual(stack.chain_text(s.deepest()[2]),
                         "a 10 > c 20 > d 90")
        self.assertEqual(s.errors, [])

    def test_stack_goes_through_several_files(self):
        outside = ('node: { title: "x.c:b" label: "b\\ny.h:1:1" shape : '
                   'ellipse }')
        s = self.stack_of([self.ci({"a": 8}, [("a", "x.c:b")]) + "\n" +
                           outside, self.ci({"x.c:b": 16}, [])])
        self.assertEqual(s.deepest()[:2], ("a", 24))

    def test_stack_drops_the_frame_of_a_jump(self):
        graph = self.ci({"a": 100, "x.c:b": 8, "c": 16},
                        [("a", "x.c:b"), ("x.c:b", "c")])
        jump = self.stack_of(graph, {("x.c", "a", "b")})
        self.assertEqual(jump.deepest()[1], 100)
        jump = self.stack_of(graph, {("x.c", "b", "c")})
        self.assertEqual(jump.deepest()[1], 116)
        self.assertEqual(stack.chain_text(jump.deepest()[2]),
                         "a 100 > (b 8) > c 16")
        self.assertEqual(self.stack_of(graph).deepest()[1], 124)

    def test_stack_counts_what_is_called_back(self):
        s = self.stack_of(self.ci({"a": 10, "x.c:back": 50}, []))
        self.assertEqual(s.deepest()[:2], ("back", 50))

    def test_stack_does_not_count_what_is_outside(self):
        s = self.stack_of(self.ci({"a": 10}, [("a", "memcpy")]))
        self.assertEqual(s.deepest()[1], 10)
        self.assertEqual(s.graph.outside(), {"memcpy"})

    def test_stack_finds_a_cycle(self):
        s = self.stack_of(self.ci({"a": 1, "b": 1, "c": 1},
                                  ["ab", "bc", "cb"]))
        self.assertEqual(s.errors, ["recursion: b > c > b"])

    def test_stack_finds_a_cycle_that_no_entry_reaches(self):
        s = self.stack_of(self.ci({"a": 1, "b": 1, "c": 1}, ["bc", "cb"]))
        self.assertEqual(s.errors, ["recursion: b > c > b"])

    def test_stack_rejects_no_graph(self):
        self.assertEqual(self.stack_of("").errors, ["no call graph"])


class Outputs(unittest.TestCase):
    """What the toolchains print."""

    def test_objects_are_read(self):
        text = """
k1.o:     file format elf32-littlearm

Sections:
Idx Name          Size      VMA       LMA       File off  Algn  Flags
  0 .text         00000000  00000000  00000000  00000034  2**1  CONTENTS, \
ALLOC, LOAD, READONLY, CODE
  1 .text.f       0000002a  00000000  00000000  00000034  2**2  CONTENTS, \
ALLOC, LOAD, RELOC, READONLY, CODE
  2 .text.g.isra.0 00000010  00000000  00000000  00000034  2**2  CONTENTS, \
ALLOC, LOAD, READONLY, CODE
  3 .rodata       00000020  00000000  00000000  00000034  2**2  CONTENTS, \
ALLOC, LOAD, READONLY, DATA
  4 .data         00000004  00000000  00000000  00000034  2**2  CONTENTS, \
ALLOC, LOAD, DATA
  5 .bss          00000008  00000000  00000000  00000034  2**2  ALLOC
  6 .comment      00000100  00000000  00000000  00000034  2**0  CONTENTS, \
READONLY
SYMBOL TABLE:
00000000 l    df *ABS*\t00000000 one.c
00000000 g     F .text.f\t0000002a f
00000000 l     F .text.g.isra.0\t00000010 g.isra.0
00000000 g     O .rodata\t00000018 .hidden rows.12
00000000 g     F .text.h\t00000018 .hidden h
00000000         *UND*\t00000000 memcpy
00000004       O *COM*\t00000008 shared
"""
        result = build.Result()
        build.Objects(result, {"k1.o": "src/one.c"}).read(text)
        self.assertEqual(
            {(x.file, x.name, x.kind, x.size) for x in result.items},
            {("src/one.c", "f", "text", 42), ("src/one.c", "g", "text", 16),
             ("src/one.c", "rows", "constants", 24),
             ("src/one.c", "(constants)", "constants", 8),
             ("src/one.c", "(data)", "data", 4),
             ("src/one.c", "shared", "bss", 8),
             ("src/one.c", "(bss)", "bss", 8)})
        self.assertEqual(result.public, {"f"})
        self.assertEqual(result.needs, {"memcpy"})
        self.assertEqual(result.text(), 42 + 16 + 32)

    def jumps(self, *lines):
        head = "k1.o:     file format elf32\n" \
            "Disassembly of section .text.f:\n\n00000000 <f>:\n"
        return build.jumps_of(head + "\n".join(lines),
                              {"k1.o": "src/one.c"})

    def test_jumps_are_told_from_calls(self):
        jump = {("src/one.c", "f", "g")}
        for line, found in (
                ("  1c:\tb.w\t0 <f>\t1c: R_ARM_THM_JUMP24\tg", jump),
                ("  1c:\tbne.w\t0 <f>\t1c: R_ARM_THM_JUMP19\tg", jump),
                ("  1c:\tbl\t0 <g>\t1c: R_ARM_THM_CALL\tg", set()),
                ("  1c:\tbl.w\t0 <g>\t1c: R_ARM_THM_CALL\tg", set()),
                ("  1e:\tauipc\tt1,0x0\t1e: R_RISCV_CALL\tg", jump),
                ("  1e:\tauipc\tra,0x0\t1e: R_RISCV_CALL\tg", set()),
                ("  30:\tjmp    35 <f+0x35>\t31: R_X86_64_PC32\t.text.g-0x4",
                 jump),
                ("  30:\tcall   35 <f+0x35>\t31: R_X86_64_PC32\tg-0x4",
                 set()),
                ("  30:\tlui\ta5,0x0\t30: R_RISCV_HI20\tg", set())):
            self.assertEqual(self.jumps(line), found, line)

    def test_a_call_beside_a_jump_counts(self):
        self.assertEqual(self.jumps(
            "  10:\tbl\t0 <g>\t10: R_ARM_THM_CALL\tg",
            "  1c:\tb.w\t0 <f>\t1c: R_ARM_THM_JUMP24\tg"), set())


def can_run():
    try:
        return build.Target("host", "Host", "", "", "gcc").missing is None
    except OSError:
        return False


if __name__ == "__main__":
    if not can_run() or shutil.which("objdump") is None or \
            shutil.which("git") is None:
        print("needs gcc 10, binutils and git: apt-get install gcc binutils "
              "git")
        sys.exit(77)
    unittest.main()
