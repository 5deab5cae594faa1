#!/bin/sh
# SPDX-License-Identifier: MIT
# The port, and the bump, where lwIP has threads (NO_SYS 0), with the core lock
# and with messages alone, for each version of lwIP in DEPS. The sys_arch.c is that of
# lwIP's own unix port, which only the source of 2.2 brings along. With the
# thread sanitizer where that works.
set -u
BUILD=${BUILD:-build} DEPS=${DEPS:-build/deps} CC=${CC:-cc}
unix=
for tree in "$DEPS"/lwip-*[0-9] "${LWIP_DIR:-}"; do
    [ ! -f "$tree/contrib/ports/unix/port/sys_arch.c" ] ||
        unix=$tree/contrib/ports/unix/port
done
if [ -z "$unix" ]; then
    echo "needs lwIP's unix port: sh scripts/deps.sh lwip-2.2.1"
    exit 77
fi

dir=$BUILD/threads
mkdir -p "$dir"
echo 'int main(void) { return 0; }' > "$dir/try.c"
tsan=-fsanitize=thread
$CC $tsan -o "$dir/try" "$dir/try.c" 2> /dev/null && "$dir/try" || tsan=
# lwIP's port reads who holds a lock without one.
printf 'race:%s\n' sys_arch_protect sys_arch_unprotect sys_check_core_locking \
    sys_lock_tcpip_core sys_unlock_tcpip_core > "$dir/known"
export TSAN_OPTIONS="suppressions=$dir/known print_suppressions=0"
[ -n "$tsan" ] || echo "without the thread sanitizer, which does not work here"

# compile FOLDER FLAGS... -- FILES...
compile() {
    folder=$dir/$1 flags=
    shift
    while [ "$1" != -- ]; do
        flags="$flags $1"
        shift
    done
    shift
    mkdir -p "$folder" && rm -f "$folder"/*.o
    for file; do
        # shellcheck disable=SC2086
        $CC -std=gnu99 -O1 -g -w $tsan $flags ${CMOCKA_CFLAGS:-} -c \
            -o "$folder/$(echo "${file%.c}" | tr / _).o" "$file" || return 1
    done
}

# one NAME TREE KIND PORT
one() {
    src=$2/src bump=
    [ "$4" = lwip ] || bump=-DLAN_BUMP
    # shellcheck disable=SC2086
    compile "$1" "-DLAN_$3" $bump -Itests/lwip/threads -Itests/lwip \
        "-Iports/$4" -Iinclude -Itests -isystem "$src/include" \
        -isystem "$unix/include" -- \
        "$src"/core/*.c "$src"/core/ipv4/*.c "$src"/core/ipv6/*.c \
        "$src"/api/tcpip.c "$src"/api/api_lib.c "$src"/api/api_msg.c \
        "$src"/api/err.c "$src"/api/netbuf.c "$unix/sys_arch.c" \
        "$src/netif/ethernet.c" "ports/$4"/*.c \
        tests/lwip/threads/main.c &&
    # shellcheck disable=SC2086
    $CC $tsan -pthread -o "$dir/$1/test" "$dir/$1"/*.o "$dir"/common/*.o \
        ${CMOCKA_LIBS:--lcmocka} &&
    timeout 120 "$dir/$1/test" > "$dir/$1/output" 2>&1
}

compile common -Iinclude -Isrc -Itests -- src/*.c tests/fake/crypto.c \
    tests/fake/fixture.c tests/fake/needs.c tests/fake/packet.c || exit 1

passed=0 failed=0
for tree in "$DEPS"/lwip-*[0-9]; do
    for kind in LOCK MESSAGES LOCK-BUMP MESSAGES-BUMP; do
        name=$(basename "$tree")-$kind port=lwip
        [ "$kind" = "${kind%-BUMP}" ] || port=lwip_bump
        if one "$name" "$tree" "${kind%-BUMP}" $port; then
            passed=$((passed + 1))
            echo "ok      $name"
        else
            failed=$((failed + 1))
            echo "FAILED  $name"
            tail -n 40 "$dir/$name/output" 2> /dev/null
        fi
    done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
