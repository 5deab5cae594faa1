#!/bin/sh
# SPDX-License-Identifier: MIT
# The lwIP port with each version and kind of lwIP, a line each: run by "make
# lwip-matrix" with the test programs, and last those with threads.
set -u
passed=0 failed=0

row() {
    printf '  %-8s %-28s %s\n' "$1" "$2" "$3"
    case $1 in
    ok) passed=$((passed + 1)) ;;
    FAILED) failed=$((failed + 1)) ;;
    esac
}

what() {
    case $1 in
    *_host) echo "IPv4 and IPv6, loopback" ;;
    *_gateway) echo "IPv4 and IPv6, forwarding, checksums by netif" ;;
    *_bump) echo "IPv4 and IPv6, forwarding, a bump below" ;;
    *_ip4) echo "IPv4 only, DHCP" ;;
    *_ip6) echo "IPv6 only" ;;
    *-LOCK-BUMP) echo "threads, core lock, a bump below" ;;
    *-MESSAGES-BUMP) echo "threads, messages, a bump below" ;;
    *-LOCK) echo "threads, core lock" ;;
    *-MESSAGES) echo "threads, messages" ;;
    esac
}

for program; do
    name=$(basename "$program")
    if timeout 600 "$program" > "$BUILD/tests/output" 2>&1; then
        n=$(awk '$1 == "[" && $2 == "PASSED" { n += $4 } END { print n + 0 }' \
            "$BUILD/tests/output")
        row ok "${name#test_}" "$(what "$name"), $n tests"
    else
        row FAILED "${name#test_}" "$(what "$name")"
        cat "$BUILD/tests/output"
    fi
done
sh tests/lwip/threads/run.sh > "$BUILD/tests/output" 2>&1
while read -r result name; do
    case $result in
    ok | FAILED) row "$result" "$name" "$(what "$name")" ;;
    esac
done < "$BUILD/tests/output"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
