#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What Cppcheck or clang-tidy finds, but for what scripts/known.txt knows of.

  analyse.py cppcheck [FILE...]       or of these files alone
  analyse.py clang-tidy [FILE...]

Without files: src/, and where lwIP and mbedTLS are known (make demo finds
them) ports/ and examples/. Silent, and 0, if there is nothing to say; 77, and
a line that says why, if it is skipped.
"""

import collections
import glob
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

KNOWN = os.environ.get("KNOWN", "scripts/known.txt")
DEPS = os.environ.get("DEPS", "build/deps")
JOBS = 2

# The builds that are looked at: see include/ipsec/options.h.
LEAST = ["-DIPSEC_NO_ADDITIONS", "-DIPSEC_NO_TRANSFORMS",
         "-DIPSEC_NO_IPV6"]
FOLDERS = ["include", "examples/host", "examples/accelerator", "ports/linux",
           "ports/lwip", "ports/lwip_bump", "ports/mbedtls",
           "ports/template"]

Finding = collections.namedtuple("Finding", "file line check message")


def tree_of(name):
    """The source tree of lwIP or mbedTLS, "" for the system's, or None."""
    if os.environ.get(name + "_DIR"):
        return os.environ[name + "_DIR"]
    try:
        with open(f"{DEPS}/{name.lower()}.mk", encoding="utf-8") as f:
            return f.read().split(":=")[1].strip()
    except (OSError, IndexError):
        return None


LWIP, MBEDTLS = tree_of("LWIP"), tree_of("MBEDTLS")


def sources(given):
    """What there is to look at: the core, and what needs headers of others."""
    if given:
        return [os.path.relpath(file) for file in given], []
    others = []
    if LWIP and MBEDTLS is not None:
        others = glob.glob("ports/*/*.c") + glob.glob("examples/**/*.c",
                                                      recursive=True)
    return sorted(glob.glob("src/*.c")), sorted(others)


def includes(flag):
    """Options for the headers of ours, and, by `flag`, of others."""
    return ["-I" + folder for folder in FOLDERS] + [
        flag + os.path.join(tree, folder)
        for tree, folder in ((LWIP, "src/include"), (MBEDTLS, "include"))
        if tree]


def run(command):
    done = subprocess.run(command, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout


def cppcheck(files, options):
    # variableScope: declarations are at the head of a function here.
    command = ["cppcheck", "-q", "--std=c99", "--max-configs=1",
               "--enable=warning,performance,portability,style",
               "--inconclusive", "-D__GNUC__=12", "-D__linux__=1",
               "--suppress=variableScope", "--template-location=",
               "--template={file}:{line}: [{id}] {message}"]
    if LWIP:
        command.append(f"--suppress=*:{LWIP}/*")
    return run(command + includes("-I") + options + files)


def cppcheck_jobs(core, others):
    """For machines of 32 and 64 bits; the core with and without options."""
    jobs = []
    for platform in ("--platform=unix32", "--platform=unix64"):
        jobs += [(cppcheck, core + others, [platform]),
                 (cppcheck, core, [platform] + LEAST)]
    return jobs


def tidy(files, options):
    return run(["clang-tidy", "--quiet"] + files + ["--", "-std=c99"] +
               includes("-isystem") + options)


def tidy_jobs(core, others):
    # A process each: what several files do with a va_list is mixed up.
    return [(tidy, [file], []) for file in core + others]


CPPCHECK_LINE = re.compile(r"^(.+?):(\d+): \[(\w+)\] (.*)$")
TIDY_LINE = re.compile(
    r"^(.+?):(\d+):\d+: (?:warning|error): (.*) \[([\w.,-]+)\]$")


def findings_in(text):
    for line in text.splitlines():
        match = CPPCHECK_LINE.match(line)
        if match:
            yield Finding(os.path.relpath(match[1]), int(match[2]), match[3],
                          match[4])
            continue
        match = TIDY_LINE.match(line)
        if match:
            yield Finding(os.path.relpath(match[1]), int(match[2]),
                          match[4].split(",")[0], match[3])


def known(tool):
    """{(file, check): how many} of known.txt."""
    allowed = {}
    with open(KNOWN, encoding="utf-8") as f:
        for line in f:
            fields = line.split("#")[0].split()
            if len(fields) == 4 and fields[0] == tool:
                allowed[fields[1], fields[2]] = int(fields[3])
            elif fields and len(fields) != 4:
                sys.exit(f"{KNOWN}: not a line of four: {line}")
    return allowed


def differences(findings, allowed, files):
    """Lines about what isn't as known.txt has it."""
    by_kind = collections.defaultdict(list)
    for finding in sorted(findings):
        by_kind[finding.file, finding.check].append(finding)
    for kind, those in by_kind.items():
        if len(those) > allowed.get(kind, 0):
            for one in those:
                yield f"{one.file}:{one.line}: {one.message} [{one.check}]"
    for (file, check), number in allowed.items():
        there = len(by_kind.get((file, check), []))
        if there < number and (file in files or not os.path.exists(file)):
            yield f"{KNOWN}: {file} has {check} {there} times, not {number}"


def main():
    tool, given = sys.argv[1], sys.argv[2:]
    package = "apt-get install " + tool
    if shutil.which(tool) is None:
        print(package)
        return 77
    with open(KNOWN, encoding="utf-8") as f:
        about = re.search(rf"^# {tool} ([\d.]+)$", f.read(), re.M)[1]
    here = re.search(r"\d+\.[\d.]+", run([tool, "--version"]))[0]
    if not (here + ".").startswith(about + "."):
        print(f"{KNOWN} is about version {about}, here is {here}")
        return 77
    core, others = sources(given)
    jobs = (cppcheck_jobs if tool == "cppcheck" else tidy_jobs)(core, others)
    with ThreadPoolExecutor(JOBS) as pool:
        texts = list(pool.map(lambda job: job[0](*job[1:]), jobs))
    findings = set()
    for text in texts:
        findings.update(findings_in(text))
    lines = list(differences(findings, known(tool), core + others))
    print("\n".join(lines), end="\n" if lines else "")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
