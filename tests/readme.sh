#!/bin/sh
# SPDX-License-Identifier: MIT
# The README's example is examples/readme.c, word for word, and works.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The first block of C in the README; the program but for its licence line.
awk '/^```c$/ { on = 1; next } on && /^```$/ { exit } on' README.md \
    > "$work/readme.c"
sed 1d examples/readme.c > "$work/example.c"
if [ ! -s "$work/readme.c" ]; then
    echo "README.md has no block of C, or an empty one"
    exit 1
fi
diff -u "$work/readme.c" "$work/example.c"

"$BUILD/examples/readme" | tee "$work/output"
grep -q '^33 bytes of IP became 68 of ESP$' "$work/output"
grep -q 'hello' "$work/output"
