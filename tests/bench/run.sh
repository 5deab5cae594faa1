#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh FORWARD IPSECGW: what IPsec costs the gateway. The last line is
# "N held, N not held, N skipped".
set -u
out=$(mktemp)
trap 'rm -f "$out"' EXIT
failed=0 skipped=0

# run COMMAND...: its lines, and its exit status: 1 over a limit, 77 skipped
run() {
    { "$@" 2>&1; echo "status $?"; } | tee -a "$out" | grep -v '^status '
    case $(tail -n 1 "$out") in
    'status 0' | 'status 1') ;;
    'status 77') skipped=$((skipped + 1)) ;;
    *)           failed=$((failed + 1)) ;;
    esac
}

run "$1"
if command -v "$PYTHON" > /dev/null; then
    run "$PYTHON" tests/bench/interfaces.py --program "$2"
else
    echo '  skipped: needs Python 3: apt-get install python3'
    skipped=$((skipped + 1))
fi
held=$(grep -c ': held$' "$out")
failed=$((failed + $(grep -c ': NOT HELD$' "$out")))
echo "$held held, $failed not held, $skipped skipped"
[ $failed -eq 0 ]
