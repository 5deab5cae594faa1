#!/bin/sh
# SPDX-License-Identifier: MIT
# Instructions for a packet, on each core: runs each image of cost.txt twice,
# and fails unless both say the same and all is below its ceiling there.
# SPLIT=c3-O2 says where those of that image go, by function.
#
#   sh tests/firmware/cost.sh DIRECTORY
set -u
dir=$1 passed=0 failed=0 skipped=0
here=$(dirname "$0")
table=${COST:-$here/cost.txt}

if [ -n "${SPLIT:-}" ]; then
    if [ ! -f "$dir/cost-$SPLIT.elf" ]; then
        # shellcheck disable=SC2046
        echo "SPLIT=$SPLIT is none of:" \
            $(sed -n 's/^\([cl][03][^ ]*\) .*/\1/p' "$table")
        exit 2
    fi
    exec ${PYTHON:-python3} "$here/cost_split.py" "$dir/cost-$SPLIT.elf"
fi

aim=$(awk '$1 == "aim" { print $2 }' "$table")
known=$(awk '$1 == "compiler" { print $2 }' "$table")
version=$(arm-none-eabi-gcc -dumpfullversion)

run() {
    timeout 120 qemu-system-arm -M mps2-an385 -icount shift=6 -display none \
        -monitor none -serial stdio \
        -semihosting-config enable=on,target=native \
        -kernel "$dir/cost-$1.elf" < /dev/null
}

# measure IMAGE CEILING TITLE
measure() {
    first=$(run "$1")
    status=$?
    second=$(run "$1")
    echo "$3, instructions ($1)"
    echo "$first" | awk -F ';' '
        { printf "  %-22s %6s %11s %9s %10s %8s %6s\n",
                 $1, $2, $3, $4, $5, $6, $7 }'
    most=$(echo "$first" | awk -F ';' '
        NR > 1 && $7 + 0 > most { most = $7 + 0 } END { print most + 0 }')
    if [ "$status" != 0 ] || [ "$most" = 0 ]; then
        failed=$((failed + 1))
        echo '  FAILED: a packet was lost'
    elif [ "$first" != "$second" ]; then
        failed=$((failed + 1))
        echo '  FAILED: two runs differ'
    elif [ "$most" -le "$2" ]; then
        passed=$((passed + 1))
        if [ "$most" -le "$aim" ]; then
            echo "  ok: $most, aim $aim"
        else
            echo "  aim missed: $most, aim $aim missed by" \
                "$((most - aim)), ceiling $2"
        fi
    elif [ "$version" != "$known" ]; then
        skipped=$((skipped + 1))
        echo "  skipped: $most is above $2, which is for gcc $known," \
            "and this is $version"
    else
        failed=$((failed + 1))
        echo "  FAILED: $most is above the ceiling, $2"
    fi
}

while read -r image ceiling title; do
    case $image in
    '' | '#'* | aim | compiler) ;;
    *) measure "$image" "$ceiling" "$title" ;;
    esac
done < "$table"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
