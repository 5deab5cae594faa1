#!/bin/sh
# SPDX-License-Identifier: MIT
# Instructions for a packet, on each core: runs each image twice, and fails
# unless both say the same and all is within the budget (cost.c). SPLIT=c3-O2
# says where those of that image go, by function.
set -u
dir=$1 passed=0 failed=0

if [ -n "${SPLIT:-}" ]; then
    exec ${PYTHON:-python3} "$(dirname "$0")/cost_split.py" \
        "$dir/cost-$SPLIT.elf"
fi

run() {
    timeout 120 qemu-system-arm -M mps2-an385 -icount shift=6 -display none \
        -monitor none -serial stdio \
        -semihosting-config enable=on,target=native \
        -kernel "$dir/cost-$1.elf" < /dev/null
}

# measure IMAGE TITLE
measure() {
    first=$(run "$1")
    status=$?
    second=$(run "$1")
    echo "$2, instructions"
    echo "$first" | awk -F ';' '
        { printf "  %-22s %6s %11s %9s %10s %8s %6s\n",
                 $1, $2, $3, $4, $5, $6, $7 }'
    if [ "$first" != "$second" ]; then
        failed=$((failed + 1))
        echo '  FAILED: two runs differ'
    elif [ "$status" != 0 ]; then
        failed=$((failed + 1))
        echo '  FAILED: the rest is over the budget of 2500, or a packet was lost'
    else
        passed=$((passed + 1))
    fi
}

measure c0 'Cortex-M0+, -Os'
measure c0-O2 'Cortex-M0+, -O2'
measure c3 'Cortex-M3, -Os'
measure c3-O2 'Cortex-M3, -O2'
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
