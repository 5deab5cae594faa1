#!/bin/sh
# SPDX-License-Identifier: MIT
# Run test programs (CMocka) and, behind "--", test scripts, one line each.
# The last line is "N passed, N failed, N skipped".
set -u
export LC_ALL=C
passed=0 failed=0 skipped=0
limit='timeout 600' # seconds that one program or script may take
out=$BUILD/tests/output
mkdir -p "$BUILD/tests"
find "$BUILD" -name '*.gcda' -exec rm {} +

# count WORD: cases that CMocka's summaries in $out give for it, such as
# "[  PASSED  ] 7 test(s)." or "[  SKIPPED ] group: 1 test(s), listed below:"
count() {
    awk -v word="$1" '$1 == "[" && $2 == word && $3 == "]" {
            for (i = 5; i <= NF; i++) {
                if ($i ~ /^test\(s\)/) { n += $(i - 1) }
            }
        }
        END { print n + 0 }' "$out"
}

line() {
    printf '  %-7s %-40s %s s\n' "$1" "$2" "$(($(date +%s) - start))"
}

program() {
    $limit "$1" > "$out" 2>&1
    rc=$?
    p=$(count PASSED) f=$(count FAILED) s=$(count SKIPPED)
    # A crash, or no case at all, is a failure too.
    if [ $rc -ne 0 ] && [ "$f" -eq 0 ] || [ $((p + f + s)) -eq 0 ]; then
        f=$((f + 1))
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    if [ "$f" -gt 0 ]; then
        line FAILED "$1"
        cat "$out"
    else
        line ok "$1 ($p)"
    fi
}

execute() {
    case $1 in
    *.sh) $limit sh "$1" ;;
    *.py) if command -v "$PYTHON"; then
              $limit "$PYTHON" "$1"
          else
              echo "needs python3"
              return 77
          fi ;;
    *)    $limit "$1" ;;
    esac
}

script() {
    execute "$1" > "$out" 2>&1
    rc=$?
    case $rc in
    0)  passed=$((passed + 1))
        line ok "$1" ;;
    77) skipped=$((skipped + 1))
        line skipped "$1"
        tail -n 1 "$out" ;;
    *)  failed=$((failed + 1))
        line FAILED "$1"
        cat "$out" ;;
    esac
}

run=program
for t; do
    if [ "$t" = -- ]; then
        run=script
        continue
    fi
    start=$(date +%s)
    $run "$t"
done
if [ -n "${COVERAGE-}" ]; then
    if sh scripts/coverage.sh; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
