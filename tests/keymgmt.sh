#!/bin/sh
# SPDX-License-Identifier: MIT
# Each block of C in docs/KEYMGMT.md is in the tests that are run, line for
# line but for its indentation.
set -eu
cd "$(dirname "$0")/.."
awk '
    function plain(s) { sub(/^ +/, "", s); return s }
    FILENAME !~ /[.]md$/ { if (plain($0) != "") { code = code "\n" plain($0) }
                           next }
    /^```c$/ { block = ""; on = 1; at = FNR; next }
    /^```$/ && on {
        on = 0
        blocks++
        if (block == "" || index(code "\n", block "\n") == 0) {
            print FILENAME ":" at ": not in the tests:" block
            bad = 1
        }
    }
    on && plain($0) != "" { block = block "\n" plain($0) }
    END { if (blocks == 0) { print "no block of C"; bad = 1 }; exit bad }
' tests/fake/daemon.c tests/test_keymgmt.c docs/KEYMGMT.md
