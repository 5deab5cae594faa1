#!/bin/sh
# SPDX-License-Identifier: MIT
# The demo works; and it notices when what it shows is not there.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
demo=$BUILD/san/examples/demo/demo

# expect NAME STATUS WORDS: the demo, sabotaged by NAME or not at all, exits
# with STATUS and prints WORDS. They run side by side: most of their time is
# spent waiting for what does not come.
expect() {
    mkdir "$work/$1"
    "$demo" "$work/$1" ${1#good} > "$work/$1/output" 2>&1
    rc=$?
    if [ $rc -eq "$2" ] && grep -q "$3" "$work/$1/output"; then
        echo "$1: exit status $rc, \"$3\""
    else
        echo "$1: exit status $rc, not $2, or no \"$3\""
        cat "$work/$1/output"
        touch "$work/failed"
    fi
}

expect good 0 'All of it was seen to work' &
expect key 1 'not seen: the page (0 bytes of it in 0 packets)' &
expect policy 1 'dropped (0 of 2; valve opened 2 times)' &
expect replay 1 'not seen: replayed packets dropped (0 of' &
expect typo 2 'usage: demo' &
wait
[ ! -e "$work/failed" ]
