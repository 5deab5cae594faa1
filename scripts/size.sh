#!/bin/sh
# SPDX-License-Identifier: MIT
# What the core takes: bytes of code (with constants), data and bss for each
# file at -Os, and of each public structure; with $CC, and for a Cortex-M4
# where arm-none-eabi-gcc is there.
set -eu
export LC_ALL=C
tmp=${BUILD:-build}/size

# names of the public structures
structures() {
    sed -n 's/^struct \(ipsec[a-z0-9_]*\) {$/\1/p' include/ipsec/*.h | sort
}

# objects COMPILER...: the core, in $tmp
objects() {
    rm -rf "$tmp"
    mkdir -p "$tmp"
    for file in src/*.c; do
        "$@" -std=c99 -Os -ffunction-sections -fno-pic \
            -fno-asynchronous-unwind-tables -Iinclude -c \
            -o "$tmp/$(basename "$file" .c).o" "$file"
    done
}

# measure PREFIX COMPILER...: tables for one machine
measure() {
    prefix=$1
    shift
    objects "$@"
    echo "$*, -Os"
    (cd "$tmp" && "${prefix}size" -t ./*.o) | awk '
        NR == 1 { printf "  %-24s %8s %8s %8s\n", "", "text", "data", "bss" }
        NR > 1 { name = $6; sub(/^\.\//, "src/", name); sub(/\.o$/, ".c", name)
                 if (name == "(TOTALS)") { name = "all" }
                 printf "  %-24s %8d %8d %8d\n", name, $1, $2, $3 }'
    # An array as long as each structure: nm tells, for any machine.
    {
        for header in include/ipsec/*.h; do
            echo "#include \"ipsec/$(basename "$header")\""
        done
        for name in $(structures); do
            echo "char size_of_$name[sizeof(struct $name)];"
        done
    } | "$@" -fno-common -Iinclude -x c -c -o "$tmp/sizeof.o" -
    "${prefix}nm" -S "$tmp/sizeof.o" | while read -r _ bytes _ name; do
        printf '  %-24s %8d\n' "struct ${name#size_of_}" "0x$bytes"
    done
}

# total MACROS...: text on a Cortex-M4, of a build with these macros
total() {
    objects arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb "$@"
    arm-none-eabi-size "$tmp"/*.o | awk '{ n += $1 } END { print n }'
}

# ESP alone, against what it took when it was first whole
base() {
    alone=$(total -DIPSEC_NO_ADDITIONS -DIPSEC_NO_TRANSFORMS)
    base=$(grep -v '^#' scripts/size.base)
    echo "ESP alone (IPSEC_NO_ADDITIONS, IPSEC_NO_TRANSFORMS): $alone bytes of text," \
        "at most $((base * 105 / 100))"
    [ "$alone" -le $((base * 105 / 100)) ]
}

# What each option of options.h takes out, alone.
options() {
    echo "without"
    all=$(total)
    sed -n 's/^#undef \(IPSEC_NO_[A-Z0-9_]*\)$/\1/p' include/ipsec/options.h |
        while read -r option; do
            printf '  %-24s %8d less\n' "$option" \
                $((all - $(total "-D$option")))
        done
}

measure "" ${CC:-cc}
if command -v arm-none-eabi-gcc > /dev/null; then
    echo
    measure arm-none-eabi- arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb
    options
    base
else
    echo 'For a Cortex-M4 as well: apt-get install gcc-arm-none-eabi'
fi
