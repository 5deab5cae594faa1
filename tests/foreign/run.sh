#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The unit tests and the vectors on other machines, under qemu-user, and on
# this one with another ABI: each must pass as many as the first one does.
#
#   sh tests/foreign/run.sh [NAME...]   names of targets.txt; else all of it
#
# Two at a time. All is linked statically; mbedTLS and CMocka are compiled for
# the target. Undefined behaviour traps; there is no AddressSanitizer, which
# qemu-user cannot do. The last line is "N passed, N failed, N skipped".
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.."
table=tests/foreign/targets.txt
top=${BUILD:-build}/foreign
sanitizer='-fsanitize=undefined -fsanitize-undefined-trap-on-error'
[ $# -gt 0 ] || set -- $(awk '!/^#/ { print $1 }' $table)
first=$1
mkdir -p "$top"

say() { echo "foreign: $*" >&2; }

# field NAME N: of a target's line
field() { awk -v name="$1" -v n="$2" '$1 == name { print $n }' $table; }

# flags NAME: what its line ends with
flags() { awk -v name="$1" '$1 == name { $1 = $2 = $3 = ""; print }' $table; }

# traps COMPILER: can it do without a library for its sanitizer?
traps() {
    echo 'int main(void) { return 0; }' |
        $1 -static $sanitizer -x c -o "$top/try.$$" - 2> /dev/null
}

# build NAME
build() {
    case $(field "$1" 2) in
    -)  cc=${CC:-cc} ar=${AR:-ar} ;;
    *)  cc=$(field "$1" 2)-gcc ar=$(field "$1" 2)-ar ;;
    esac
    san=-O1
    if traps "$cc"; then
        san="-O1 $sanitizer"
    else
        say "$1: $cc has no sanitizer that traps"
    fi
    "${MAKE:-make}" -s CC="$cc" AR="$ar" CFLAGS="-O1 $(flags "$1")" \
        LDFLAGS=-static SAN="$san" TEST_SAN="$san" BUILD="$top/$1" \
        COVERAGE= MBEDTLS_DIR="$DEPS/mbedtls-2.28.3" \
        CMOCKA_DIR="$DEPS/cmocka-1.1.5" units > "$top/$1.log" 2>&1 && return
    say "$1 does not build:"
    tail -n 20 "$top/$1.log" >&2
    return 1
}

# result NAME PROGRAM PASSED FAILED OUTPUT, kept in $top/NAME.results
result() {
    echo "$1 $2 $3 $4" >> "$top/$1.results"
    [ "$4" -eq 0 ] || { say "$1: $2"; cat "$5"; } >&2
}

# Run NAME's programs, as scripts/test.sh counts.
run() {
    emulator=$(field "$1" 3)
    [ "$emulator" != - ] || emulator=
    out=$top/$1/output
    for program in tests/test_*.c; do
        program=$top/$1/${program%.c}
        timeout 600 $emulator "$program" > "$out" 2>&1
        rc=$?
        p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) .*/\1/p' "$out" |
            awk '{ n += $1 } END { print n + 0 }')
        result "$1" "${program##*/}" "$p" $((rc != 0)) "$out"
    done
    EMULATOR=$emulator BUILD=$top/$1 timeout 600 sh tests/vectors/run.sh \
        > "$out" 2>&1
    rc=$?
    p=$(sed -n 's/^\([0-9]*\) passed, .*/\1/p' "$out" |
        awk '{ n += $1 } END { print n + 0 }')
    result "$1" vectors "$p" $((rc != 0)) "$out"
}

# The results side by side, and what is to be said of them in the end.
compare() {
    awk -v first="$first" '
        !($1 in known) { known[$1] = 1; name[++names] = $1 }
        !($2 in row) { row[$2] = 1; program[++programs] = $2 }
        { got[$1, $2] = $3; ok += $3; bad += $4; sum[$1] += $3 }
        function line(title, i) {
            printf "  %-24s", title
            for (i = 1; i <= names; i++) { printf " %8s", cell[i] }
        }
        END {
            for (i = 1; i <= names; i++) { cell[i] = name[i] }
            line(""); print ""
            for (n = 1; n <= programs; n++) {
                differs = 0
                for (i = 1; i <= names; i++) {
                    cell[i] = got[name[i], program[n]] + 0
                    differs += cell[i] != got[first, program[n]] + 0
                }
                line(program[n]); print differs ? "  DIFFERS" : ""
                bad += differs
            }
            for (i = 1; i <= names; i++) { cell[i] = sum[name[i]] }
            line("all"); print ""
            printf "%d passed, %d failed, 0 skipped\n", ok, bad
            exit bad > 0 || programs < 2
        }' "$top/results"
}

# one NAME: build and run it
one() {
    : > "$top/$1.results"
    start=$(date +%s)
    build "$1" || { echo "$1 build 0 1" > "$top/$1.results"; return; }
    built=$(date +%s)
    run "$1"
    say "$1: built in $((built - start)) s," \
        "ran in $(($(date +%s) - built)) s"
}

if [ "${1-}" = --one ]; then
    one "$2"
    exit 0
fi
for name; do
    [ -n "$(field "$name" 3)" ] || { say "$table has no $name"; exit 1; }
done
printf '%s\n' "$@" | xargs -L 1 -P 2 sh "$0" --one
for name; do
    cat "$top/$name.results"
done > "$top/results"
compare
