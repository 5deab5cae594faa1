#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Each option of include/ipsec/options.h alone, those that stand for many
# among them, and all at once: the core and its port compile without a warning
# of $CC or clang, no public structure or prototype is another one, and the
# unit tests pass that do not need what was left out (tests/fake/needs.c).
#
#   sh tests/options/matrix.sh [MACRO...]      only builds with these
#
# An object is kept by what it was preprocessed to: most are the same in most
# builds. All tests are one program, which is linked once a build. The last
# line is "N passed, N failed, N skipped".
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.."
CC=${CC:-cc}
WARN=${WARN:--Wall}
top=${BUILD:-build}/matrix
kept=$top/kept
include="-Iinclude -Isrc -Itests -Iports/mbedtls ${MBEDTLS_CFLAGS-}
    ${CMOCKA_CFLAGS-}"

# Programs with parts of their own, which may bear the same names, are out.
tests=$(ls tests/test_*.c | grep -vE '_(accelerator|porting|template)[.]c')

options() {
    sed -n 's/^ [*]     \(IPSEC_NO_[A-Z0-9_]*\) .*/\1/p' \
        include/ipsec/options.h
}

# object DIRECTORY FLAG... FILE: its name, after it was compiled if need be
object() {
    dir=$1
    shift
    $CC "$@" -E -P -o "$dir/i.c" &&
        key=$(cksum < "$dir/i.c" | tr ' ' -).o || return 1
    [ -f "$kept/$key" ] || {
        $CC "$@" -c -o "$dir/o.o" && mv "$dir/o.o" "$kept/$key" || return 1
    }
    echo "$kept/$key"
}

# objects DIRECTORY FLAG...: of all that the tests are linked from
objects() {
    dir=$1
    shift
    for file in src/*.c ports/mbedtls/*.c; do
        object "$dir" -std=c99 -O1 $WARN -Werror $include "$@" "$file" ||
            return 1
    done
    for file in tests/fake/*.c tests/vectors/record.c tests/vectors/read.c \
        tests/vectors/bare.c; do
        object "$dir" -std=c99 -O1 -w $include "$@" "$file" || return 1
    done
    for file in $tests; do
        main=${file##*/}
        object "$dir" -std=c99 -O1 -w $include "$@" \
            "-Dmain=main_${main%.c}" "$file" || return 1
    done
    echo "$top/one.o"
}

# The program that is all tests: its first argument says which.
one() {
    echo '#include <string.h>'
    for file in $tests; do
        file=${file##*/}
        echo "int main_${file%.c}(void);"
    done
    echo 'int main(int argc, char **argv) { (void)argc;'
    for file in $tests; do
        file=${file##*/}
        echo "if (!strcmp(argv[1], \"${file%.c}\"))"
        echo "{ return main_${file%.c}(); }"
    done
    echo 'return 99; }'
}

headers() {
    for header in include/ipsec/*.h; do
        echo "#include \"ipsec/$(basename "$header")\""
    done
}

# layout DIRECTORY FLAG...: the public headers as the compiler sees them, and
# offset and size of each structure and member, from what a debugger is told
layout() {
    dir=$1
    shift
    headers | $CC -std=c99 "$@" -Iinclude -E -P -x c - |
        grep -v '^$' > "$dir/seen"
    headers | $CC -std=c99 "$@" -Iinclude -g -gdwarf-4 -O0 -x c -c \
        -fno-eliminate-unused-debug-types -o "$dir/layout.o" - &&
        readelf --debug-dump=info "$dir/layout.o" | awk '
            /DW_TAG_/ { tag = $NF }
            /DW_AT_name/ { name = $NF }
            /DW_AT_byte_size/ && tag ~ /structure|union/ { print name, $NF }
            /DW_AT_data_member_location/ { print "   ", name, $NF }' \
        > "$dir/layout"
    [ "$(grep -c '^struct ipsec.* {$' include/ipsec/*.h |
         awk -F : '{ n += $2 } END { print n }')" -le \
      "$(grep -c '^ipsec' "$dir/layout")" ]
}

# run DIRECTORY: "N passed, N failed, N skipped" of its tests, and failures
run() {
    for file in $tests; do
        name=$(basename "$file" .c)
        timeout 120 "$1/tests" "$name" > "$1/output" 2>&1
        rc=$?
        # A program may have more than one group of tests.
        sed -n 's/^\[  PASSED  \] \([0-9]*\) .*/passed \1/p
            s/^\[  SKIPPED \] \(.*: \)*\([0-9]*\) test(s).*/skipped \2/p
            s/^\[  FAILED  \] \(test_[^:]*\)$/failed \1/p
            s/^\[  SKIPPED \] \(test_[^:]*\)$/left '"$name"' \1/p
            s/^\[ RUN      \] /ran /p' "$1/output"
        [ $rc -eq 0 ] || grep -q '^\[  FAILED  \]' "$1/output" ||
            echo "failed $name (status $rc)"
    done > "$1/results"
    awk '$1 == "passed" { ok += $2 } $1 == "skipped" { left += $2 }
         $1 == "failed" && !seen[$2]++ { bad++; names = names "\n    " $2 }
         END { printf "%d passed, %d failed, %d skipped%s\n", ok, bad, left,
                   names
               exit bad > 0 || ok == 0 }' "$1/results"
}

# needless DIRECTORY: tests that were skipped, and would have passed
needless() {
    sed -n 's/^left //p' "$1/results" | sort -u |
        while read -r program name; do
            TEST_ALONE=$name timeout 120 "$1/tests" "$program" \
                > "$1/output" 2>&1 && echo "$name"
        done > "$1/needless"
    [ ! -s "$1/needless" ]
}

# failed WHY: the end of a build, and what there is to read of it
failed() {
    echo "0 passed, 1 failed, 0 skipped: $1"
    cat "$dir/log"
    exit 1
}

# build MACRO...: all of it for one build
build() {
    mkdir -p "$dir"
    flags=
    for macro; do
        flags="$flags -D$macro"
    done
    layout "$dir" $flags > "$dir/log" 2>&1 || failed 'no layout'
    if command -v clang > /dev/null; then
        clang -std=c99 -O1 $WARN -Werror $include $flags -fsyntax-only \
            src/*.c ports/mbedtls/*.c > "$dir/log" 2>&1 ||
            failed 'clang warns'
    fi
    objects "$dir" $flags > "$dir/objects" 2> "$dir/log" ||
        failed 'does not compile'
    # shellcheck disable=SC2046
    $CC -o "$dir/tests" $(cat "$dir/objects") ${CMOCKA_LIBS:--lcmocka} \
        ${MBEDTLS_LIBS:--lmbedcrypto} > "$dir/log" 2>&1 ||
        failed 'does not link'
    run "$dir"
    case ${1-} in
    *_ADDITIONS | *_TRANSFORMS) ;; # a test may need one of many
    *) needless "$dir" || {
           echo 'needs.c lists tests that pass without:'
           sed 's/^/    /' "$dir/needless"
       } ;;
    esac
}

# name MACRO...: of a build's directory
name() { echo "${*:-all-in}" | tr ' ' +; }

if [ "${1-}" = --build ]; then
    shift
    dir=$top/$(name "$@")
    build "$@" > "$dir.result"
    exit 0
fi

rm -rf "$top"
mkdir -p "$kept"
one > "$top/one.c"
$CC -o "$top/one.o" -c "$top/one.c" || exit 1
for macro; do
    options | grep -qx "$macro" || {
        echo "include/ipsec/options.h has no $macro; it has:" $(options)
        exit 2
    }
done
if [ $# -gt 0 ]; then
    echo "$*" > "$top/builds"
else
    options > "$top/builds"
    echo IPSEC_NO_ADDITIONS IPSEC_NO_TRANSFORMS IPSEC_NO_IPV6 >> "$top/builds"
fi
# The one that has everything comes first: the others find its objects.
sh "$0" --build
if ! grep -q ' 0 failed, 0 skipped' "$top/all-in.result"; then
    cat "$top/all-in.result"
    exit 1
fi
xargs -L 1 -P 2 sh "$0" --build < "$top/builds"

passed=0 failed=0 skipped=0
report() {
    read -r p _ f _ s _ < "$top/$1.result"
    for what in seen layout; do
        cmp -s "$top/all-in/$what" "$top/$1/$what" && continue
        f=$((f + 1))
        echo "$1: not the same $what:"
        diff "$top/all-in/$what" "$top/$1/$what" | head -n 20
    done
    [ ! -s "$top/$1/needless" ] || f=$((f + 1))
    printf '  %-40s %s\n' "$1" "$(cat "$top/$1.result")"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}
report all-in
while read -r macros; do
    report "$(name $macros)"
done < "$top/builds"

# A name of needs.c must be a test's.
sed -n '/needs\[\] = {/,/^};/s/^      "\(.*\)".*/\1/p' tests/fake/needs.c |
    tr -s ' ' '\n' | sed '/^$/d' | while read -r pattern; do
    awk -v p="$pattern" '
        BEGIN { stem = p; sub(/[*]$/, "", stem) }
        $1 == "ran" && (stem == p ? $2 == p : index($2, stem) == 1) { hit = 1 }
        END { exit !hit }' "$top/all-in/results" || echo "$pattern"
done > "$top/strangers"
if [ -s "$top/strangers" ]; then
    echo "tests/fake/needs.c: no such tests:" $(cat "$top/strangers")
    failed=$((failed + 1))
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
