#!/bin/sh
# SPDX-License-Identifier: MIT
# The rules of the house that a machine can check: a line for each, and
# "N passed, N failed, N skipped" as the last.
set -u
export LC_ALL=C
BUILD=${BUILD:-build}
tmp=$BUILD/lint
out=$tmp/output
passed=0 failed=0 skipped=0

mkdir -p "$tmp"
DEPS=${DEPS:-build/deps} sh scripts/deps.sh lint || exit 1

# check TEXT COMMAND...: ok if the command succeeds, and silently so
check() {
    text=$1
    shift
    if "$@" > "$out" 2>&1 && [ ! -s "$out" ]; then
        passed=$((passed + 1))
        echo "  ok       $text"
    else
        failed=$((failed + 1))
        echo "  FAILED   $text"
        head -n 20 "$out" | sed 's/^/           /'
    fi
}

skip() {
    skipped=$((skipped + 1))
    echo "  skipped  $1"
}

# analyse TOOL: ok if it finds nothing that scripts/known.txt doesn't know of
analyse() {
    if ! command -v "${PYTHON:-python3}" > "$out"; then
        skip "$1 (apt-get install python3)"
        return
    fi
    "${PYTHON:-python3}" scripts/analyse.py "$1" > "$tmp/said" 2>&1
    if [ $? -eq 77 ]; then
        skip "$1 ($(cat "$tmp/said"))"
    else
        check "$1 finds nothing new" cat "$tmp/said"
    fi
}

c_files() { find "$@" -name '*.[ch]'; }

ours() { c_files src include ports examples tests; }

kept() { git ls-files --cached --others --exclude-standard; }

foreign_includes() {
    grep -n '^ *# *include' src/*.[ch] |
        grep -vE 'include (<(stdint|stddef|string)\.h>|"(inner|ip|wire)\.h")' |
        grep -vE 'include "ipsec/[a-z]+\.h"'
    return 0
}

# The core as one object, with constant tables in .rodata.
link_core() {
    rm -f "$tmp"/*.o "$tmp"/*.a
    for file in src/*.c; do
        gcc -std=c99 -O2 -fno-pic -Iinclude -c \
            -o "$tmp/$(basename "$file" .c).o" "$file" || return 1
    done
    ar rcs "$tmp/core.a" "$tmp"/*.o &&
        ld -r --whole-archive -o "$tmp/core.o" "$tmp/core.a"
}

foreign_symbols() {
    nm -u "$tmp/core.o" | awk '{ print $2 }' |
        grep -vE '^(memcpy|memmove|memset|memcmp)$'
    return 0
}

# linked COMPILER FLAGS: the core as one object for a small machine: of others
# it calls only those four and, of its compiler, helpers for long division,
# multiplication and shifts; and it has no writable data.
linked() {
    rm -rf "$tmp/cross"
    mkdir "$tmp/cross"
    { # all that the core knows of it; a bare compiler may have none
        echo '#include <stddef.h>'
        echo 'void *memcpy(void *, const void *, size_t);'
        echo 'void *memmove(void *, const void *, size_t);'
        echo 'void *memset(void *, int, size_t);'
        echo 'int memcmp(const void *, const void *, size_t);'
    } > "$tmp/cross/string.h"
    for file in src/*.c; do
        "$@" -std=c99 -Os -ffreestanding -Iinclude -isystem "$tmp/cross" -c \
            -o "$tmp/cross/$(basename "$file" .c).o" "$file" || return 1
    done
    "$@" -nostdlib -r -o "$tmp/cross/core" "$tmp"/cross/*.o || return 1
    ${1%gcc}nm -u "$tmp/cross/core" | awk '{ print $2 }' |
        grep -vxE -e 'mem(cpy|move|set|cmp)' \
            -e '__aeabi_(u?idiv|u?idivmod|u?ldivmod|lmul|l[al]s[lr])' \
            -e '__gnu_thumb1_case_[us][qh]i' \
            -e '__(u?div|u?mod|mul|ashl|ashr|lshr)[ds]i3' |
        sed "s/^/$2: needs /"
    ${1%gcc}size -A "$tmp/cross/core" |
        awk -v cpu="$2" '$1 ~ /^\.s?(data|bss|common)/ && $2 > 0 {
            print cpu ": " $1 " of " $2 " bytes" }'
}

linked_arm() {
    for cpu in cortex-m0plus cortex-m3 cortex-m4 cortex-m7; do
        linked arm-none-eabi-gcc -mcpu=$cpu -mthumb
    done
}

writable_data() {
    nm "$tmp/core.o" | awk '$2 ~ /^[bBcCdDgGsS]$/'
    size -A "$tmp/core.o" |
        awk '$1 ~ /^\.(data|bss|tdata|tbss|common)/ && $2 > 0'
}

# alone COMPILER FLAGS: each public header, with nothing before it
alone() {
    for header in include/ipsec/*.h; do
        echo "#include \"ipsec/$(basename "$header")\"" |
            "$@" -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only -
    done
}

# Budgets: 0 and silent, or what is wrong; 77 and why, where they can't be told.
within_budgets() {
    if ! command -v "${PYTHON:-python3}" > "$tmp/size"; then
        echo 'apt-get install python3' > "$tmp/size"
        return 77
    fi
    "${PYTHON:-python3}" scripts/size/size.py --check > "$tmp/size" 2>&1
}

long_lines() {
    ours | xargs awk 'length > 80 { print FILENAME ":" FNR ": " length }'
}

blanks() {
    ours | xargs grep -nE '	|[[:space:]]$'
    return 0
}

long_files() {
    c_files src include | xargs awk 'FNR == 601 { print FILENAME }'
}

long_functions() {
    c_files src include | xargs awk '/^\{/ { start = FNR }
        /^\}/ { if (start && FNR - start > 80) {
                    print FILENAME ":" start ": " FNR - start }
                start = 0 }'
}

licences() {
    kept | grep -E '\.([ch]|sh|py|mk)$|^Makefile$' | while read -r file; do
        head -n 5 "$file" | grep -q 'SPDX-License-Identifier: MIT' ||
            echo "$file"
    done
}

machines() {
    kept | xargs grep -nIE \
        -e '(^|[^A-Za-z0-9_./])/(work|root|home|farm)/[A-Za-z]' \
        -e '(deb|security|snapshot|ftp)[.]debian[.]org' \
        -e 'pypi[.]org|pythonhosted[.]org|npmjs[.]org|crates[.]io'
    return 0
}

shell_syntax() {
    kept | grep -E '\.sh$' | while read -r file; do
        sh -n "$file"
    done
    bash -n .ci/run
}

check 'src/ includes only stdint.h, stddef.h, string.h and its own' \
    foreign_includes
check 'the core links' link_core
check 'it needs only memcpy, memmove, memset, memcmp' foreign_symbols
check 'it has no writable data' writable_data
check 'gcc has nothing to warn of' sh scripts/warnings.sh gcc
check 'clang has nothing to warn of' sh scripts/warnings.sh clang
if echo '#include <string.h>' | gcc -m32 -fsyntax-only -x c - 2> "$out"; then
    check 'gcc -m32 has nothing to warn of' \
        sh scripts/warnings.sh 'gcc -m32'
else
    skip 'gcc -m32 (no headers: apt-get install gcc-multilib)'
fi
if command -v arm-none-eabi-gcc > "$out"; then
    check 'arm-none-eabi-gcc has nothing to warn of' \
        sh scripts/warnings.sh 'arm-none-eabi-gcc -mcpu=cortex-m4'
    check 'linked for Cortex-M0+, M3, M4, M7 it needs no more, but helpers' \
        linked_arm
else
    skip 'arm-none-eabi-gcc (apt-get install gcc-arm-none-eabi)'
fi
if command -v riscv64-unknown-elf-gcc > "$out"; then
    check 'linked for RV32 it needs no more, but helpers of the compiler' \
        linked riscv64-unknown-elf-gcc -march=rv32imac -mabi=ilp32
else
    skip 'RV32 (apt-get install gcc-riscv64-unknown-elf)'
fi
within_budgets
if [ $? -eq 77 ]; then
    skip "budgets of size and stack: $(tail -n 1 "$tmp/size")"
else
    check 'sizes and stacks are within budgets, the README has them' \
        cat "$tmp/size"
fi
analyse cppcheck
analyse clang-tidy
[ -e "${DEPS:-build/deps}/lwip.mk" ] ||
    skip 'both, of ports/ and examples/ (no lwIP here: make demo fetches it)'
check 'each public header compiles alone as C99' alone gcc -std=c99 -x c
check 'each public header compiles alone as C++11' alone g++ -std=c++11 -x c++
check 'no line is over 80 columns' long_lines
check 'no tabs, no blanks at the end of a line' blanks
check 'no file of the core is over 600 lines' long_files
check 'no function of the core is over 80 lines' long_functions
if git rev-parse > "$out" 2>&1; then
    check 'each file names its licence' licences
    check 'no path of a machine, no mirror host in any file' machines
    check 'shell scripts parse' shell_syntax
else
    skip 'what looks at tracked files (not a git tree)'
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
