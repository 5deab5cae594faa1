#!/bin/sh
# SPDX-License-Identifier: MIT
# Lines of src/ that the tests just run have reached, and how many percent
# that is: at least $MINIMUM must be. build/coverage/*.gcov shows which.
set -eu
export LC_ALL=C
MINIMUM=${MINIMUM:-90}
for file in src/*.c; do
    name=$(basename "$file" .c)
    "${GCOV:-gcov}" -t -o "$BUILD/san/src/$name.o" "$file" \
        > "$BUILD/$name.gcov" 2> /dev/null
done
# A line of a header counts once, in whatever file it was reached.
awk -F : -v minimum="$MINIMUM" '
    $3 == "Source" { file = $4 }
    { gsub(/ /, "", $1); line = file ":" $2 + 0 }
    $2 + 0 == 0 || $1 == "-" { next }
    !(line in lines) { lines[line] = file; total[file]++; all++ }
    $1 !~ /^[#=]/ && !(line in reached) { reached[line]; hit[file]++; hits++ }
    END {
        for (file in total) {
            printf "  %-24s %5d of %5d lines  %5.1f %%\n", file, hit[file],
                total[file], 100 * hit[file] / total[file] | "sort"
        }
        close("sort")
        percent = all ? 100 * hits / all : 0
        printf "line coverage of src/: %.1f %% (%d %% needed)\n", percent,
            minimum
        exit percent < minimum
    }' "$BUILD"/*.gcov
