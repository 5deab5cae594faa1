#!/bin/sh
# SPDX-License-Identifier: MIT
# Compile the core with each compiler given, or with $CC and clang: a warning
# is an error.
set -u
WARN=${WARN:-'-Wall -Wextra -Wpedantic -Wconversion -Wshadow
    -Wmissing-prototypes'}
if [ $# -eq 0 ]; then
    set -- "${CC:-cc}" clang
fi
bad=0
for compiler; do
    command -v "${compiler%% *}" > /dev/null || continue
    for file in src/*.c; do
        $compiler -std=c99 -O2 $WARN -Werror -Iinclude -c -o /dev/null \
            "$file" || { bad=1; break; }
    done
done
exit $bad
