#!/bin/sh
# SPDX-License-Identifier: MIT
# The demo's traffic needs no heap once all is set up; and it would be seen
# if it did.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
demo=${BUILD:-build}/noheap/demo

"$demo" "$work" > "$work/output" 2>&1 &&
    grep 'All of it was seen to work' "$work/output" || {
    cat "$work/output"
    exit 1
}
if "$demo-malloc" "$work" > "$work/output" 2>&1 ||
    ! grep 'alloc after set-up' "$work/output"; then
    echo 'with lwIP on malloc(), it should have stopped:'
    cat "$work/output"
    exit 1
fi
