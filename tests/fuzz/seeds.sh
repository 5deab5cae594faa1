#!/bin/sh
# SPDX-License-Identifier: MIT
# Run each fuzz target, built as a plain program, on the seeds.
set -eu
here=$(dirname "$0")
build=${BUILD:-build}
python=${PYTHON:-python3}
if ! command -v "$python" > /dev/null; then
    echo "needs python3"
    exit 77
fi
"$python" "$here/seeds.py" "$build/fuzz"
for file in "$here"/*.c; do
    target=$(basename "$file" .c)
    "$build/tests/fuzz_$target" "$build/fuzz/$target.corpus/"seed-*
done
