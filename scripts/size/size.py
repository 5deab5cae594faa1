#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the core takes: code, data and stack, by machine and configuration.

    size.py               the tables; fails above a budget, or where the
                          README says something else        (make size)
    size.py --update      ... writes the README, lowers ceilings
    size.py --functions   ... by function too
    size.py --check       budgets alone, and silent if kept  (make lint)
    size.py --diff REV    another commit against this tree   (make size-diff)

docs/SIZE.md says what the figures mean.
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import budget       # noqa: E402
import build        # noqa: E402
import diff         # noqa: E402
import readme       # noqa: E402
import report       # noqa: E402
import stack        # noqa: E402

BASE = "scripts/size.base"
BASE_MACROS = ("IPSEC_NO_ADDITIONS", "IPSEC_NO_TRANSFORMS")
WHOLE = "everything"


class Outcome:
    """Counts what passed, and says what did not."""

    def __init__(self, silent):
        self.silent = silent
        self.why = []       # what was skipped
        self.passed = self.failed = self.skipped = 0

    def say(self, text):
        if not self.silent:
            print(text)

    def ok(self, text, word="ok"):
        self.passed += 1
        self.say(f"  {word:<8} {text}")

    def fail(self, text):
        self.failed += 1
        print(f"  FAILED   {text}")

    def skip(self, text):
        self.skipped += 1
        self.why.append(text)
        self.say(f"  skipped  {text}")

    def status(self):
        """Of the process. A check is skipped if a part of it was."""
        if self.failed:
            return 1
        if self.silent and self.skipped:
            print("; ".join(self.why))
            return 77
        return 0


class Size:
    """One run of the tool."""

    def __init__(self, args):
        self.args, self.root = args, args.root
        self.outcome = Outcome(args.check)
        self.kept = os.path.join(args.build, "size", "kept")
        self.budgets = budget.Budgets(self.root)
        self.all = build.targets(self.root)
        self.targets = [t for t in self.all if not t.missing]
        self.detail = self.choose_detail()
        found = build.configurations(self.root)
        self.configurations = [c for c in found if not c.unknown]
        self.unknown = {c.name: c.unknown for c in found if c.unknown}
        self.results, self.stacks, self.sizes = {}, {}, {}
        self.savings = None

    def choose_detail(self):
        """The machine to show all of: that of the budgets, or this one."""
        named = [t for t in self.targets if t.name in self.budgets.targets()]
        return (named or self.targets or [None])[0]

    def this_machine(self):
        """Where no compiler of the table is there: $CC."""
        t = build.Target("here", "here", "", "", "",
                         os.environ.get("CC") or "cc")
        if t.missing:
            t.without_graph()
        if t.missing:
            raise build.Failure(t.missing)
        self.targets, self.detail = [t], t

    def missing(self):
        """Tools and macros that are not there: skipped."""
        named = self.budgets.targets()
        for t in self.all:
            if t.missing and (t.name in named or not self.args.check):
                self.outcome.skip(f"{t.name} ({t.missing}): apt-get install "
                                  f"{t.packages}")
        for name, macros in self.unknown.items() \
                if not self.args.check else ():
            self.outcome.skip(f"{name}: {build.OPTIONS} has no "
                              + ", ".join(macros))

    def measure(self):
        builder = build.Builder(self.root, self.kept, self.args.jobs,
                                self.args.check)
        builds = [(t, c.name, c.macros) for t in self.targets
                  for c in self.configurations]
        extra = [] if self.args.check else self.option_builds()
        base = self.base_build()
        found = builder.measure(builds + extra + base)
        for t, name, _ in builds:
            self.results[t.name, name] = found[t.name, name]
        for t in self.targets:
            self.sizes[t.name] = builder.structures(t)
        self.savings = self.option_savings(found, extra)
        self.table = stack.Table(
            os.path.join(self.root, "scripts/size/indirect.txt"))
        for key, r in self.results.items():
            if r.graphs:
                self.stacks[key] = stack.Stack(self.root, r, self.table)
        self.base = found[self.detail.name, "base"] if base else None

    def whole(self):
        for c in self.configurations:
            if c.name == WHOLE:
                return c
        return None

    def option_builds(self):
        """Each option alone, left out of everything; one that everything is
        without is put in."""
        if self.whole() is None:
            return []
        macros = self.whole().macros
        return [(self.detail, "-" + o,
                 [m for m in macros if m != o] if o in macros
                 else macros + [o]) for o in build.Options(self.root).single]

    def option_savings(self, found, extra):
        if not extra:
            return None
        all_of_it = self.results[self.detail.name, WHOLE].text()
        return {name[1:]: abs(all_of_it - found[t.name, name].text())
                for t, name, _ in extra}

    def base_build(self):
        options = build.Options(self.root)
        macros, unknown = options.expand(BASE_MACROS)
        there = os.path.exists(os.path.join(self.root, BASE))
        if not there or unknown or \
                self.detail.name not in self.budgets.targets():
            return []
        return [(self.detail, "base", macros)]

    # what is checked

    def check_base(self):
        """ESP alone may be 5 % larger than when it was first whole."""
        if self.base is None:
            return
        most = int(build.rows_of(os.path.join(self.root, BASE), 1,
                                 None)[0][0]) * 105 // 100
        text = f"ESP alone ({', '.join(BASE_MACROS)}): " \
            f"{self.base.text()} bytes of text, at most {most}"
        (self.outcome.ok if self.base.text() <= most
         else self.outcome.fail)(text)

    def figures(self):
        """(figure, target, configuration, bytes) of all that was measured."""
        for (t, c), r in self.results.items():
            yield "text", t, c, r.text()
            yield "data", t, c, r.total("data")
            yield "bss", t, c, r.total("bss")
            if (t, c) in self.stacks:
                yield "stack", t, c, self.stacks[t, c].deepest()[1]
            for name, size in self.sizes[t].items():
                yield "sizeof:" + name, t, c, size

    def other_compiler(self, row):
        """The compiler that this budget is not for, or None."""
        for t in self.targets:
            if row.by_compiler() and row.target in ("*", t.name) and \
                    t.compiler() not in self.budgets.compilers:
                return t.compiler()
        return None

    def check_budgets(self):
        for figure in self.figures():
            self.budgets.measured(*figure)
        for row in self.budgets.rows:
            self.check_budget(row)

    def check_budget(self, row):
        if row.worst is None:
            if row.target in {t.name for t in self.all if t.missing} or \
                    row.configuration in self.unknown:
                self.outcome.skip(f"{row.name()}: not measured here")
            else:
                self.outcome.fail(f"{budget.PATH}: nothing is {row.name()}")
            return
        text = f"{row.name()}: {row.worst}, aim {row.aim}"
        if row.worst > row.aim:
            text += f" missed by {row.worst - row.aim} bytes, " \
                f"ceiling {row.ceiling}"
        if row.worst <= row.aim:
            self.outcome.ok(text)
        elif row.worst <= row.ceiling:
            self.outcome.ok(text, "missed")
        if row.worst <= row.ceiling:
            if row.ceiling - max(row.aim, row.worst) > budget.SLACK and \
                    not self.args.update:
                self.outcome.say("           lower its ceiling: make size "
                                 "UPDATE=1")
        elif self.other_compiler(row):
            self.outcome.skip(f"{text}, a ceiling for another compiler than "
                              f"{self.other_compiler(row)}")
        else:
            self.outcome.fail(f"{text}: {row.worst - row.ceiling} bytes above "
                              "its ceiling")

    def check_stacks(self):
        if not self.stacks:
            self.outcome.skip("stack: no compiler here that tells (gcc does)")
            return
        errors = []
        for (t, c), s in self.stacks.items():
            errors += [f"{t} {c}: {e}" for e in s.errors]
        # A row is of use if a call of it is in the whole of the core.
        errors += self.table.unseen()
        for e in errors:
            self.outcome.fail(e)
        if not errors:
            self.outcome.ok("no recursion, no frame without a fixed size; "
                            "each call through a pointer is in the table")

    def value(self, target, figure, configuration):
        """For the README; None: not measured, or another compiler."""
        if target.name not in self.sizes or \
                self.block.compilers.get(target.cc[0], target.version) != \
                target.version and not self.args.update:
            return None
        if figure.startswith("sizeof:"):
            return self.sizes[target.name].get(figure[7:])
        if configuration is None:
            return max(r.total("data", "bss") for (t, _), r in
                       self.results.items() if t == target.name)
        if (target.name, configuration) not in self.results:
            return None
        if figure == "text":
            return self.results[target.name, configuration].text()
        return self.stacks[target.name, configuration].deepest()[1]

    def check_readme(self):
        self.block = readme.Block(self.root)
        compilers = {}
        for t in self.targets:
            theirs = self.block.compilers.get(t.cc[0], t.version)
            if theirs != t.version and not self.args.update:
                self.outcome.skip(f"README.md, {t.name}: made with "
                                  f"{t.cc[0]} {theirs}, here is {t.version}")
            else:
                compilers[t.cc[0]] = t.version
        savings = self.savings
        if self.detail.cc[0] not in compilers:
            savings = None
        if savings is not None:
            # What lint takes is in the table.
            savings = ({o: n for o, n in savings.items()
                        if o not in self.whole().macros}, self.detail.title)
        if self.detail.name == "here" or not compilers:
            self.outcome.skip("README.md: nothing that it says was measured")
            return
        new = readme.render(self.block, self.all, self.configurations,
                            self.value, savings, compilers)
        if new == self.block.old:
            self.outcome.ok("README.md says the same")
        elif not self.args.update:
            self.outcome.fail("README.md says something else: make size "
                              "UPDATE=1")
            old = self.block.old.splitlines()
            for line in new.splitlines():
                if line not in old:
                    print(f"           now:  {line.strip()}")
        elif any(t.missing for t in self.all):
            self.outcome.fail("README.md: to write it takes all compilers")
        else:
            self.block.write(new)
            self.outcome.ok("README.md is written")

    # what is printed

    def print_tables(self):
        shown, t = self.configurations, self.detail
        report.summary(self.targets, shown, self.results, self.stacks)
        report.files(t, shown, self.results)
        if self.args.functions:
            report.functions(t, shown, self.results)
        report.structures(t, self.sizes[t.name])
        if self.savings is not None:
            report.options(t, WHOLE, self.savings)
        report.stack(t, shown, self.stacks)

    def write_csv(self):
        folder = os.path.join(self.args.build, "size")
        out = report.Csv(folder)
        out.builds(self.results)
        out.summary(self.targets, self.results, self.stacks)
        out.stacks(self.stacks)
        out.structures(self.sizes)
        if self.savings is not None:
            out.options(self.detail.name, self.savings)
        print(f"\nAs CSV: {folder}/*.csv\n")

    def run(self):
        if self.args.check:
            self.targets = [t for t in self.targets
                            if t.name in self.budgets.targets()]
            if not self.targets:
                self.missing()
                return self.outcome.status()
        elif not self.targets:
            self.this_machine()
        self.measure()
        if not self.args.check:
            self.print_tables()
            self.write_csv()
            self.missing()
        self.check_base()
        self.check_stacks()
        self.check_budgets()
        if self.args.update:
            for line in self.budgets.lower():
                print(f"           {line}")
        self.check_readme()
        o = self.outcome
        o.say(f"{o.passed} passed, {o.failed} failed, {o.skipped} skipped")
        return o.status()


def difference(args):
    targets = [t for t in build.targets(args.root) if not t.missing]
    if not targets:
        raise build.Failure("no compiler of scripts/size/targets.txt is here: "
                            "sh scripts/deps.sh size")
    named = budget.Budgets(args.root).targets()
    detail = next((t for t in targets if t.name in named), targets[0])
    diff.main(args.root, os.path.join(args.build, "size", "kept"), args.diff,
              targets, detail, args.jobs)
    return 0


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description="What the core takes.")
    parser.add_argument("--root", default=os.path.join(here, "..", ".."))
    parser.add_argument("--build", default=os.environ.get("BUILD", "build"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--functions", action="store_true")
    parser.add_argument("--diff", metavar="REV")
    args = parser.parse_args()
    args.root = os.path.abspath(args.root)
    try:
        sys.exit(difference(args) if args.diff is not None
                 else Size(args).run())
    except build.Failure as e:
        print(f"size: {e}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
