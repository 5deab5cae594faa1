#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Find, install or fetch what the tests and examples need.
#
#   sh scripts/deps.sh cc lwip mbedtls cmocka decoder   what make asks for
#   sh scripts/deps.sh packages                         cmake and its like
#   sh scripts/deps.sh lint                             what make lint needs
#   sh scripts/deps.sh size                             ... make size
#   sh scripts/deps.sh misra                            ... make misra
#   sh scripts/deps.sh peers                            ... make interop, all
#   sh scripts/deps.sh foreign                          ... make test-foreign
#   sh scripts/deps.sh lwip-2.2.1 mbedtls-3.6.6 ...     source trees by version
#
# The first kind leave a NAME.mk in $DEPS (build/deps) that says where NAME
# is. Root on Debian installs packages. Anyone else, and root for lwIP, of
# which there is no package that would do, fetches Debian's copy of the
# upstream source: from the mirror the machine already uses, by apt-get with
# lists of its own in $DEPS, so that nothing outside is touched. The sums in
# deps.sha256 are checked.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
DEPS=${DEPS:-build/deps}
CC=${CC:-cc}
here=$(dirname "$0")

say() { echo "deps: $*"; }

die() {
    for line; do
        echo "deps: $line" >&2
    done
    exit 1
}

have() { command -v "$1" > /dev/null 2>&1; }

# links FLAG...: does the program on standard input compile and link?
links() { $CC -x c -o "$DEPS/try" - "$@" > /dev/null 2>&1; }

may_install() { [ "$(id -u)" = 0 ] && have apt-get && have dpkg; }

# --- packages

updated=
install() {
    say "installing $* (log: $DEPS/apt.log)"
    if [ -z "$updated" ]; then
        apt-get -q update > "$DEPS/apt.log" 2>&1 || true
        updated=yes
    fi
    apt-get -q -y --no-install-recommends install "$@" \
        < /dev/null >> "$DEPS/apt.log" 2>&1 ||
        die "$(tail -n 3 "$DEPS/apt.log")" "could not install: $*"
}

# want PACKAGE...: install, or say what to do and stop
want() {
    if may_install; then
        install "$@"
    else
        die "missing: $*" "as root, run: apt-get install $*"
    fi
}

# --- sources

# Where this machine gets Debian from: "[options] URI", from the one-line and
# the deb822 lists. Debian's own suites only, not their updates.
mirror() {
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    suites="$codename|bookworm|trixie|oldstable|stable|testing|sid|unstable"
    {
        cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
            2> /dev/null | one_line
        for f in /etc/apt/sources.list.d/*.sources; do
            [ ! -f "$f" ] || { cat "$f"; echo; } | deb822
        done
    } | awk -v suites="^($suites)\$" '$NF ~ suites && $(NF - 1) !~ /^cdrom/ {
            $NF = ""; print; exit }'
}

# Both print "[options] URI SUITE" for each suite that has main.
one_line() {
    awk '$1 == "deb" || $1 == "deb-src" {
        options = ""
        if (match($0, /\[[^]]*\]/)) {
            options = substr($0, RSTART, RLENGTH)
            $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
            gsub(/arch[+-]?=[^] ]*/, "", options)
        }
        for (i = 4; i <= NF; i++) {
            if ($i == "main") { print options, $2, $3; break }
        }
    }'
}

deb822() {
    awk '
    function flush(    u, s, i, j, options) {
        if (f["signed-by"] ~ /^[\/0-9A-F]/) {
            options = "signed-by=" f["signed-by"]
        }
        if (f["trusted"] == "yes") { options = options " trusted=yes" }
        if (options != "") { options = "[" options "]" }
        if (" " f["components"] " " ~ / main / && f["enabled"] != "no") {
            split(f["uris"], u); split(f["suites"], s)
            for (i = 1; i in u; i++) {
                for (j = 1; j in s; j++) { print options, u[i], s[j] }
            }
        }
        split("", f)
    }
    /^#/ { next }
    /^[ \t]*$/ { flush(); next }
    /^[^ \t]/ { name = tolower($1); sub(/:.*/, "", name)
                sub(/^[^:]*:[ \t]*/, ""); f[name] = $0; next }
    { sub(/^[ \t]+/, " "); f[name] = f[name] $0 }
    END { flush() }'
}

# checked FILE: is it there, and what it should be?
checked() {
    [ -f "$DEPS/apt/$1" ] || return 1
    sum=$(grep " $1\$" "$here/deps.sha256" | cut -d ' ' -f 1)
    [ "$(sha256sum < "$DEPS/apt/$1" | cut -d ' ' -f 1)" = "$sum" ]
}

# download SUITE PACKAGE FILE
download() {
    have apt-get && [ -r /etc/os-release ] || return 1
    from=$(mirror)
    [ -n "$from" ] || return 1
    (
        cd "$DEPS/apt"
        top=$(pwd)
        mkdir -p "$top/lists/partial" "$top/cache/archives/partial"
        echo "deb-src $from $1 main" > src.list
        apt() {
            apt-get -q -o Dir::State::Lists="$top/lists" \
                -o Dir::Etc::SourceList="$top/src.list" \
                -o Dir::Etc::SourceParts=/dev/null \
                -o Dir::Cache="$top/cache" -o APT::Sandbox::User= "$@"
        }
        { [ "$(cat lists/suite 2> /dev/null)" = "$1" ] || apt update; } &&
            echo "$1" > lists/suite &&
            apt source --download-only --tar-only "$2"
    ) > "$DEPS/apt.log" 2>&1
}

# tree NAME-VERSION SUITE FILE: have that source tree in $DEPS
tree() {
    [ ! -d "$DEPS/$1" ] || return 0
    if ! checked "$3"; then
        say "fetching the source of $1 with apt-get, without installing it"
        mkdir -p "$DEPS/apt"
        download "$2" "${1%-*}" "$3" || true
    fi
    if ! checked "$3"; then
        [ ! -f "$DEPS/apt.log" ] || tail -n 3 "$DEPS/apt.log" >&2
        die "no $3 with the right sum to be had here." \
            "Get the source of $1 and give its place:" \
            "make $(echo "${1%-*}" | tr a-z A-Z)_DIR=path/to/$1"
    fi
    # apt-helper unpacks xz and bzip2 on machines without those programs.
    rm -rf "$DEPS/$1.new"
    mkdir "$DEPS/$1.new"
    /usr/lib/apt/apt-helper cat-file "$DEPS/apt/$3" |
        tar -x --strip-components=1 --no-same-owner -f - -C "$DEPS/$1.new"
    mv "$DEPS/$1.new" "$DEPS/$1"
    say "$1 is in $DEPS/$1"
}

fetch() {
    case $1 in
    lwip-2.1.3)     tree "$1" bookworm lwip_2.1.3+dfsg1.orig.tar.xz ;;
    lwip-2.2.1)     tree "$1" trixie lwip_2.2.1+dfsg1.orig.tar.xz ;;
    mbedtls-2.28.3) tree "$1" bookworm mbedtls_2.28.3.orig.tar.gz ;;
    mbedtls-3.6.6)  tree "$1" trixie mbedtls_3.6.6.orig.tar.bz2 ;;
    cmocka-1.1.5)   tree "$1" bookworm cmocka_1.1.5.orig.tar.xz ;;
    cmocka-1.1.7)   tree "$1" trixie cmocka_1.1.7.orig.tar.xz ;;
    *)              die "don't know $1" ;;
    esac
}

# --- what make asks for

found() { echo "$2" > "$DEPS/$1.mk"; }

need_cc() {
    echo '#include <stdio.h>
          int main(void) { return puts("") < 0; }' > "$DEPS/try.c"
    if ! links < "$DEPS/try.c"; then
        case $CC in cc | gcc) want gcc libc6-dev ;; esac
        links < "$DEPS/try.c" ||
            die "$CC does not compile and link a program here" \
                "give a compiler for this machine: make CC=..."
    fi
    found cc "# $CC works"
}

need_lwip() {
    fetch lwip-2.1.3
    found lwip "LWIP_DIR := $DEPS/lwip-2.1.3"
}

mbedtls_links() {
    echo '#include <mbedtls/gcm.h>
          #include <mbedtls/version.h>
          #if MBEDTLS_VERSION_MAJOR > 3
          #error has no classic API
          #endif
          int main(void) { mbedtls_gcm_init(0); return 0; }' |
        links -lmbedcrypto
}

cmocka_links() {
    echo '#include <stdarg.h>
          #include <stddef.h>
          #include <stdint.h>
          #include <setjmp.h>
          #include <cmocka.h>
          int main(void) { skip(); return 0; }' | links -lcmocka
}

# library NAME PACKAGE TREE: a package's, or else our own copy
library() {
    if ! "$1_links" && may_install; then
        install "$2"
    fi
    variable=$(echo "$1" | tr a-z A-Z)_DIR
    if "$1_links"; then
        found "$1" "$variable :="
    else
        fetch "$3"
        found "$1" "$variable := $DEPS/$3"
    fi
}

need_mbedtls() { library mbedtls libmbedtls-dev mbedtls-2.28.3; }
need_cmocka() { library cmocka libcmocka-dev cmocka-1.1.5; }

decodes() {
    have tshark || /usr/bin/python3 -c 'import scapy, cryptography'
}

need_decoder() {
    if ! decodes 2> /dev/null; then
        if may_install; then
            install python3 python3-scapy python3-cryptography
        else
            say "neither scapy nor tshark here: one test will be skipped"
        fi
    fi
    found decoder '# looked for'
}

# What tests/packages.sh builds with; where it is missing, that is skipped.
need_packages() {
    if ! have cmake || ! have pkg-config; then
        if may_install; then
            install cmake pkg-config python3-yaml python3-kconfiglib
        else
            say "neither cmake nor pkg-config here: one test will be skipped"
        fi
    fi
    found packages '# looked for'
}

need_lint() {
    have gcc && have clang || want gcc libc6-dev clang
    have g++ || want g++
    have git || ! may_install || install git
    need_misra
    have clang-tidy || ! may_install || install clang-tidy
    have arm-none-eabi-gcc || ! may_install || install gcc-arm-none-eabi
    have riscv64-unknown-elf-gcc || ! may_install ||
        install gcc-riscv64-unknown-elf
}

# Without these, what they would do is skipped.
need_misra() {
    have cppcheck && have python3 || ! may_install || install cppcheck python3
}

# Compilers of scripts/size/targets.txt; where one is missing, its machines are
# skipped.
need_size() {
    echo '#include <string.h>
          size_t f(const char *s) { return strlen(s); }' > "$DEPS/try.c"
    packages=$(awk -F '[|]' '!/^#/ && NF == 5' "$here/size/targets.txt" |
        while IFS='|' read -r _ _ prefix flags packages; do
            prefix=$(echo $prefix)
            "${prefix}gcc" $flags -c -o "$DEPS/try" "$DEPS/try.c" \
                2> /dev/null || echo $packages
        done | tr ' ' '\n' | sort -u)
    have python3 || packages="$packages python3"
    if [ -n "$packages" ]; then
        if may_install; then
            install $packages
        else
            say "for all of make size, as root: apt-get install" $packages
        fi
    fi
    found size '# looked for'
}

# clang with its sanitizers and libFuzzer
need_fuzz() {
    have clang || want clang libc6-dev
    echo 'int main(void) { return 0; }' |
        CC=clang links -fsanitize=address ||
        want "libclang-rt-$(clang -dumpversion | cut -d . -f 1)-dev"
    found fuzz '# clang works'
}

# a Linux kernel as the peer; its package is only downloaded, by the test
need_interop() {
    have qemu-system-x86_64 && have ip && have python3 &&
        { have busybox || [ -x /bin/busybox ]; } ||
        want qemu-system-x86 busybox-static iproute2 python3 gcc libc6-dev
}

# install, and start none of the daemons in it
install_quietly() {
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        trap 'rm -f $policy' EXIT
        printf '#!/bin/sh\nexit 101\n' > $policy
        chmod +x $policy
    fi
    install "$@"
}

# the other implementations that make interop knows; without one, its cases
# are skipped
need_peers() {
    packages=$(
        have tshark || echo tshark
        /usr/bin/python3 -c 'import scapy, cryptography' 2> /dev/null ||
            echo python3-scapy python3-cryptography
        plugins=/usr/lib/ipsec/plugins
        [ -e $plugins/libstrongswan-kernel-libipsec.so ] &&
            [ -e $plugins/libstrongswan-chapoly.so ] &&
            [ -e /usr/lib/ipsec/charon ] && { have swanctl ||
                [ -e /usr/sbin/swanctl ]; } ||
            echo strongswan-charon strongswan-swanctl \
                libcharon-extra-plugins libstrongswan-standard-plugins \
                libstrongswan-extra-plugins
    )
    if [ -n "$packages" ]; then
        if may_install; then
            install_quietly $packages
        else
            say "for all of make interop, as root: apt-get install" $packages
        fi
    fi
}

# a compiler for boards, and an emulator of them; the test's other side is
# that of interop
need_firmware() {
    echo '#include <string.h>
          size_t f(const char *s) { return strlen(s); }' > "$DEPS/try.c"
    if ! have qemu-system-arm || ! arm-none-eabi-gcc --specs=nano.specs \
        -mthumb -mcpu=cortex-m3 -c -o "$DEPS/try" "$DEPS/try.c" \
        2> /dev/null; then
        want gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm
    fi
    need_interop
    fetch mbedtls-3.6.6
    found firmware '# arm-none-eabi-gcc and qemu-system-arm are there'
}

# compilers and emulators of other machines: those that $FOREIGN names
need_foreign() {
    packages=$(awk -v names="${FOREIGN-}" '
        !/^#/ && $2 != "-" && (names == "" || index(" " names " ",
                                                    " " $1 " ")) {
            print $2, $1, $3
        }' "$here/../tests/foreign/targets.txt" |
        while read -r tools name emulator; do
            echo '#include <stdio.h>
                  int main(void) { return puts("") < 0; }' |
                CC=$tools-gcc links -static ||
                echo "gcc-$tools libc6-dev-$name-cross"
            have "$emulator" || echo qemu-user
        done)
    [ -z "$packages" ] || want $packages
}

mkdir -p "$DEPS"
for name; do
    case $name in
    *-*) fetch "$name" ;;
    *)   "need_$name" ;;
    esac
done
rm -rf "$DEPS/try" "$DEPS/try.c" "$DEPS/apt/lists" "$DEPS/apt/cache"
