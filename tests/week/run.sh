#!/bin/sh
# SPDX-License-Identifier: MIT
# A shorter week, with sanitizers, twice the same; and it notices when
# something is broken.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
week=$BUILD/san/week/week

"$week" 20000 10 1 > "$work/1" 2>&1 && "$week" 20000 10 1 > "$work/2" 2>&1 &&
    cmp "$work/1" "$work/2" || { cat "$work/1"; exit 1; }
tail -n 1 "$work/1"

# expect NAME WORDS: sabotaged by NAME, it fails, and says WORDS.
expect() {
    "$week" 20000 10 1 "$1" > "$work/$1" 2>&1
    rc=$?
    if [ $rc -eq 1 ] && grep -q "^FAILED.*$2" "$work/$1"; then
        echo "$1: exit status $rc, \"$2\""
    else
        echo "$1: exit status $rc, not 1, or no \"$2\""
        head -n 30 "$work/$1"
        exit 1
    fi
}

expect replay 'took number .* twice'
expect reservation 'used number .* twice'
expect books 'AUTH coming in: .* in the book, .* in the library'
expect clear 'is in clear on the wire'
