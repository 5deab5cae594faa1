#!/bin/sh
# SPDX-License-Identifier: MIT
# Lines and branches of src/, or of FILES in it, that the programs just run have
# reached, and how many percent that is: of lines at least $MINIMUM must be, of
# branches $MINIMUM_BRANCHES. build/coverage/*.gcov shows which; with
# COVERAGE=branches each branch that was never taken is named.
set -eu
export LC_ALL=C
MINIMUM=${MINIMUM:-97}
MINIMUM_BRANCHES=${MINIMUM_BRANCHES:-90}
rm -f "$BUILD"/*.gcov
for file in ${FILES:-src/*.c}; do
    name=$(basename "$file" .c)
    [ -f "$file" ] || continue
    "${GCOV:-gcov}" -b -t -o "$BUILD/san/src/$name.o" "$file" \
        > "$BUILD/$name.gcov" 2> /dev/null
done
# A line of a header counts once, in whatever file it was reached; so does the
# first, second ... branch of a line.
awk -F : -v minimum="$MINIMUM" -v least="$MINIMUM_BRANCHES" \
    -v names="${COVERAGE-}" '
    /^branch / {
        split($0, part, " ")
        way = line " " ++ways
        if (!(way in branch)) { branch[way]; branches[file]++; all_ways++ }
        if (part[3] == "taken" && part[4] + 0 > 0 && !(way in went)) {
            went[way]; takes[file]++; all_takes++
        }
        next
    }
    /^(call|function|unconditional) / { next }
    $3 == "Source" { file = $4 }
    { gsub(/ /, "", $1); line = file ":" $2 + 0; ways = 0 }
    $2 + 0 == 0 || $1 == "-" { next }
    !(line in lines) { lines[line] = file; total[file]++; all++ }
    $1 !~ /^[#=]/ && !(line in reached) { reached[line]; hit[file]++; hits++ }
    END {
        for (file in total) {
            share = branches[file] ? 100 * takes[file] / branches[file] : 100
            printf "  %-18s %4d of %4d lines %5.1f %%,", file, hit[file],
                total[file], 100 * hit[file] / total[file] | "sort"
            printf " %4d of %4d branches %5.1f %%\n", takes[file],
                branches[file], share | "sort"
        }
        close("sort")
        if (names == "branches") {
            for (way in branch) {
                if (!(way in went)) { print "  never: " way | "sort -V" }
            }
            close("sort -V")
        }
        percent = all ? 100 * hits / all : 0
        ways = all_ways ? 100 * all_takes / all_ways : 0
        printf "line coverage of src/: %.1f %% (%d %% needed), ", percent,
            minimum
        printf "branch coverage: %.1f %% (%d %% needed)\n", ways, least
        exit percent < minimum || ways < least
    }' "$BUILD"/*.gcov
