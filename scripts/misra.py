#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold the core against docs/MISRA.md, with the MISRA add-on of Cppcheck.

Each rule of which there are findings needs a row there that allows as many;
a row of which there are none is stale. Rules are named by number alone: their
texts are not free. The last line is "N passed, N failed, N skipped".

  misra.py                  the table, and whether docs/MISRA.md agrees
  misra.py --places 12.2    where the findings of these rules are, too
  misra.py --update         write the counts of findings into docs/MISRA.md
"""

import argparse
import collections
import glob
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

# Builds that are looked at: with everything, and with nothing that can be
# left out. What differs between them is in include/ipsec/options.h.
BUILDS = {
    "everything": [],
    "least": ["-DIPSEC_NO_ADDITIONS", "-DIPSEC_NO_TRANSFORMS",
              "-DIPSEC_NO_IPV6"],
}
FLAGS = ["--std=c99", "--platform=unix32", "-D__GNUC__=12", "-Iinclude",
         "--max-configs=1"]

# What is unused has to be so in each build, not in one of them.
UNUSED = {"2.3", "2.4", "2.5", "8.7"}

# From the table of rules in Cppcheck's source (lib/checkers.cpp, from 2.12
# on); all others are required. The add-on itself doesn't tell.
MANDATORY = set("""9.1 12.5 13.6 17.3 17.4 17.6 19.1 21.13 21.18 21.19 21.20
    22.2 22.4 22.5 22.6""".split())
ADVISORY = set("""1.2 2.3 2.4 2.5 2.6 2.7 4.2 5.9 8.7 8.9 8.11 8.13 10.5 11.4
    11.5 12.1 12.3 12.4 13.3 13.4 15.1 15.4 15.5 17.5 17.8 18.4 18.5 19.2 20.1
    20.5 20.10 21.12""".split())
# Rules of amendments 1 and 2 that the add-on's own list leaves out.
UNLISTED = ["1.4", "12.5"]

Finding = collections.namedtuple("Finding", "rule file line column")


def order(rule):
    return [int(part) for part in rule.split(".")]


def category(rule):
    return ("mandatory" if rule in MANDATORY else
            "advisory" if rule in ADVISORY else "required")


def addon():
    """Where misra.py of Cppcheck is."""
    places = [os.environ.get("MISRA_ADDON", "")]
    for pattern in ("/usr/lib/*/cppcheck/addons", "/usr/lib/cppcheck/addons",
                    "/usr/share/cppcheck/addons",
                    "/usr/local/share/Cppcheck/addons"):
        places += glob.glob(pattern + "/misra.py")
    return next((place for place in places if os.path.isfile(place)), None)


def run(command, where=None):
    """Its output; Cppcheck ends with 0 whatever it finds."""
    done = subprocess.run(command, cwd=where, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout


def findings_of(script, options, work, tree):
    """What the add-on finds in one build."""
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    # Dumps are written beside the sources, so these have to be copies.
    for folder in ("src", "include"):
        if os.path.isdir(os.path.join(tree, folder)):
            shutil.copytree(os.path.join(tree, folder),
                            os.path.join(work, folder))
    files = sorted(os.path.relpath(path, work)
                   for path in glob.glob(os.path.join(work, "src", "*.c")))
    said = run(["cppcheck", "-q", "--dump"] + FLAGS + options + files, work)
    for suffix in (".dump", ".ctu-info"):
        # The first writes what the second, about all files at once, reads.
        made = [name + suffix for name in files]
        missing = [name for name in made
                   if not os.path.isfile(os.path.join(work, name))]
        if missing or not files:
            sys.exit(f"no {' '.join(missing) or 'src/*.c'}\n{said}")
        said = run([sys.executable, script, "--cli"] + made, work)
        if "Traceback" in said:
            sys.exit(said)
        for line in said.splitlines():
            if line.startswith("{"):
                one = json.loads(line)
                yield Finding(one["errorId"].split("-")[1], one["file"],
                              one["linenr"], one["column"])


def all_findings(script, build, tree):
    """{rule: set of findings} of all builds."""
    with ThreadPoolExecutor(2) as pool:
        jobs = {name: pool.submit(lambda n, o: set(findings_of(
                    script, o, os.path.join(build, "misra", n), tree)),
                    name, options)
                for name, options in BUILDS.items()}
        found = [job.result() for job in jobs.values()]
    common = set.intersection(*found)
    rules = collections.defaultdict(set)
    for finding in set.union(*found):
        if finding.rule not in UNUSED or finding in common:
            rules[finding.rule].add(finding)
    return rules


ROW = re.compile(r"^\| (\d+\.\d+) \| (\w+) \| (\d+) \| (.*) \|$")


def rows_of(text):
    """[section, rule, category, allowed, reason] of each row."""
    section = ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:]
        match = ROW.match(line)
        if match:
            yield [section, match[1], match[2], int(match[3]), match[4]]


def files_in(reason):
    return set(re.findall(r"`((?:src|include)/[\w./]+)`", reason))


class Page:
    """docs/MISRA.md: what it allows."""

    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8") as f:
            self.text = f.read()
        version = re.search(r"Cppcheck (\d[\d.]*\d)", self.text)
        self.version = version[1] if version else "none"
        self.deviations, self.wrong, self.errors = {}, {}, []
        for section, rule, kind, allowed, reason in rows_of(self.text):
            table = (self.wrong if section.startswith("False")
                     else self.deviations)
            if rule in table:
                self.errors.append(f"{rule} has two rows")
            if kind != category(rule):
                self.errors.append(f"{rule} is {category(rule)}, not {kind}")
            if kind == "mandatory" and table is self.deviations:
                self.errors.append(f"{rule} is mandatory: it has no deviation")
            if len(reason) < 20:
                self.errors.append(f"{rule} has no reason")
            table[rule] = (allowed, files_in(reason))

    def judge(self, rule, findings):
        """What is said of a rule, and whether that is right."""
        allowed = self.deviations.get(rule, (0, None))[0]
        wrong, files = self.wrong.get(rule, (0, set()))
        said = []
        if rule in self.deviations:
            said.append(f"deviation {allowed}")
        if rule in self.wrong:
            said.append(f"false {wrong}")
        text = ", ".join(said)
        places = {finding.file for finding in findings}
        if not findings or (rule in self.wrong and not files <= places):
            return text + ": STALE", False
        if len(findings) > allowed + wrong:
            return (text + ": OPEN").lstrip(": "), False
        if len(findings) < allowed + wrong:
            text += f": lower by {allowed + wrong - len(findings)}"
        return text, True

    def update(self, rules):
        """Give the table of deviations the counts that there are."""
        section, lines = "", []
        for line in self.text.splitlines():
            if line.startswith("## "):
                section = line[3:]
            match = ROW.match(line)
            if match and not section.startswith("False"):
                rule = match[1]
                count = len(rules[rule]) - self.wrong.get(rule, (0,))[0]
                line = f"| {rule} | {match[2]} | {count} | {match[4]} |"
            lines.append(line)
        with open(self.path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")


def coverage(script):
    """Rules that nothing here looks at, and those that Cppcheck does."""
    none, core = list(UNLISTED), []
    for line in run([sys.executable, script, "-generate-table"]).splitlines():
        fields = line.split()
        if len(fields) == 1:
            none.append(fields[0])
        elif "(Cppcheck)" in line:
            core.append(fields[0])
    return sorted(none, key=order), core


def report(page, rules, script, places):
    passed = failed = 0
    print(f"Cppcheck {page.version}, builds: {', '.join(BUILDS)}")
    print("  rule   category   findings")
    known = set(rules) | set(page.deviations) | set(page.wrong)
    for rule in sorted(known, key=order):
        text, good = page.judge(rule, rules.get(rule, set()))
        passed, failed = passed + good, failed + (not good)
        print(f"  {rule:6} {category(rule):10} {len(rules.get(rule, ())):8}"
              f"  {text}")
        if rule in places or (not good and "STALE" not in text):
            for finding in sorted(rules.get(rule, ()))[:None if rule in places
                                                       else 20]:
                print(f"           {finding.file}:{finding.line}:"
                      f"{finding.column}")
    for error in page.errors:
        failed += 1
        print(f"  {page.path}: {error}")
    none, core = coverage(script)
    print("Not checked: " + " ".join(none) + ", all directives, amendments 3 "
          "and later.")
    print("Not by the add-on, in part by Cppcheck itself (make lint), which "
          "names no rule:\n  " + " ".join(core))
    return passed, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tree", default=".")
    parser.add_argument("--page", default="docs/MISRA.md")
    parser.add_argument("--build", default=os.environ.get("BUILD", "build"))
    parser.add_argument("--places", nargs="*", default=[], metavar="RULE")
    parser.add_argument("--update", action="store_true")
    args = parser.parse_args()
    script = addon()
    if script is None or shutil.which("cppcheck") is None:
        print("no Cppcheck with its add-ons here: apt-get install cppcheck")
        print("0 passed, 0 failed, 1 skipped")
        return 77
    page = Page(args.page)
    version = run(["cppcheck", "--version"]).split()[-1]
    if version != page.version:
        # Another version finds other things: neither good nor bad.
        print(f"{args.page} is about Cppcheck {page.version}, here is "
              f"{version}")
        print("0 passed, 0 failed, 1 skipped")
        return 77
    rules = all_findings(script, args.build, args.tree)
    if args.update:
        page.update(rules)
        page = Page(args.page)
    passed, failed = report(page, rules, script, args.places)
    for rule in set(args.places) - set(rules):
        print(f"RULES={rule}: no findings")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
