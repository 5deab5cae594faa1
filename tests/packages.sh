#!/bin/sh
# SPDX-License-Identifier: MIT
# The ways into a product: CMake, pkg-config, ESP-IDF, Zephyr, PlatformIO,
# Arduino. Without their SDKs: their files parse, agree on the version and on
# the options, and what they list compiles and links, and nothing else is
# needed.
set -u
cd "$(dirname "$0")/.."
root=$(pwd)
PYTHON=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

missing() {
    if ! command -v "$1" > /dev/null; then
        echo "needs $1 (apt-get install $2)"
        exit 77
    fi
}

# quietly NAME COMMAND...: its output only if it fails
quietly() {
    what=$1
    shift
    if ! "$@" > "$work/log" 2>&1; then
        echo "$what: failed"
        cat "$work/log"
        failed=1
        return 1
    fi
}

same() {
    if [ "$2" != "$3" ]; then
        echo "$1:"
        echo "$2" > "$work/got"
        echo "$3" | diff "$work/got" - | head -n 20
        failed=1
    fi
}

runs() {
    quietly "$1" "$2" && same "$1" "$(head -n 1 "$work/log")" \
        '33 bytes of IP became 68 of ESP'
}

missing cmake cmake
missing pkg-config pkg-config
missing "$PYTHON" python3

version=$(awk '/define IPSEC_VERSION_/ { v = v s $3; s = "." } END { print v }' \
    include/ipsec/ipsec.h)
core=$(ls src/*.c)
mbedtls=$(ls ports/mbedtls/*.c)
lwip=
if [ -n "${LWIP_DIR-}" ]; then
    LWIP_DIR=$(cd "$LWIP_DIR" && pwd)
    lwip=$(cd ports/lwip && ls ./*.c | sed 's|^\./||')
fi

quietly 'package files' "$PYTHON" tests/packages/files.py .

# --- CMake and pkg-config

if [ -n "${MBEDTLS_DIR-}" ]; then
    mbed_libs=$(cd "$(dirname "$MBEDTLS_LIBS")" &&
        pwd)/$(basename "$MBEDTLS_LIBS")
    mbed_include=$(cd "$MBEDTLS_DIR/include" && pwd)
else
    mbed_libs=mbedcrypto
    mbed_include=/usr/include
fi
export CMAKE_BUILD_PARALLEL_LEVEL=2
if command -v ninja > /dev/null; then
    export CMAKE_GENERATOR="${CMAKE_GENERATOR:-Ninja}" # quicker
fi

compiler=${CC:-cc}
flags=
if [ "${compiler#* }" != "$compiler" ]; then
    flags=${compiler#* } compiler=${compiler%% *}
fi
[ "$mbed_include" = /usr/include ] || flags="$flags -isystem $mbed_include"

# configure DIR SOURCE FLAGS...
configure() {
    dir=$1 source=$2
    shift 2
    cmake -S "$source" -B "$work/$dir" -DCMAKE_C_COMPILER="$compiler" \
        -DCMAKE_C_FLAGS="-O0 $flags" \
        -DIPSEC_MBEDTLS="$mbed_libs" -DCMAKE_COLOR_MAKEFILE=OFF \
        -DEXAMPLE="$root/examples/readme.c" "$@"
}

# A copy without anything else of this tree, to be fetched and unpacked.
mkdir "$work/libipsec"
cp -R CMakeLists.txt packaging include src ports scripts "$work/libipsec"
(cd "$work" && tar cf libipsec.tar libipsec)

in_tree() {
    quietly "$1" configure "$1" tests/packages -DWAY="$1" \
        -DLIBIPSEC="$2" -DHOST="$root/examples/host" \
        -DLWIP_DIR="${LWIP_DIR-}" "$3" &&
        quietly "$1" cmake --build "$work/$1" &&
        runs "$1" "$work/$1/readme"
}

in_tree add_subdirectory "$root" -DIPSEC_NO_LINT=ON
if [ -n "${LWIP_DIR-}" ]; then
    same ipsec_lwip "$(ar t \
        "$work/add_subdirectory/libipsec/libipsec_lwip.a" |
        sed 's/\.o$//' | sort)" "$lwip"
fi
if nm "$work/add_subdirectory/libipsec/libipsec.a" | grep -q ' T ipsec_lint'
then
    echo 'IPSEC_NO_LINT=ON: ipsec_lint() is there'
    failed=1
fi
in_tree FetchContent "file://$work/libipsec.tar" -DIPSEC_NO_ADDITIONS=ON

# installed VERSION FLAG: find_package() of that version
installed() {
    configure "find_package$1" tests/packages -DWAY=find_package \
        -DVERSION="$1" -DCMAKE_PREFIX_PATH="$work/moved;$work/prefix"
}

if quietly install configure build . -DIPSEC_PORT_MBEDTLS=ON \
        -DCMAKE_INSTALL_PREFIX="$work/prefix" \
        -DCMAKE_INSTALL_LIBDIR=lib &&
    quietly install cmake --build "$work/build" --target install; then
    mv "$work/prefix" "$work/moved"
    quietly find_package installed "$version" &&
        quietly find_package cmake --build "$work/find_package$version" &&
        runs find_package "$work/find_package$version/readme"
    mv "$work/moved" "$work/prefix"
    if installed 9.0 > "$work/log" 2>&1; then
        echo "find_package: $version was taken for 9.0"
        failed=1
    fi
fi

# The Makefile's install and CMake's: the same files, and they work.
quietly 'make install' make -s install PREFIX="$work/made" \
    BUILD="$BUILD" CONF=default
same 'installed headers' \
    "$(cd "$work/prefix/include" && ls ipsec)" \
    "$(cd "$work/made/include" && ls ipsec)"
for pc in made/lib/pkgconfig prefix/lib/pkgconfig; do
    flags=$(PKG_CONFIG_PATH=$work/$pc pkg-config --cflags --libs \
        libipsec-embedded)
    same "$pc" "$(PKG_CONFIG_PATH=$work/$pc pkg-config --modversion \
        libipsec-embedded)" "$version"
    # shellcheck disable=SC2086
    quietly "$pc" ${CC:-cc} -std=gnu99 -o "$work/readme" examples/readme.c \
        $mbedtls -Iports/mbedtls ${MBEDTLS_CFLAGS-} $flags \
        ${MBEDTLS_LIBS:--lmbedcrypto} && runs "$pc" "$work/readme"
done

# --- SDKs

if command -v arm-none-eabi-gcc > /dev/null; then
    cross='arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb --specs=nosys.specs'
else
    cross=${CC:-cc}
fi
mkdir "$work/mbed"
ln -s "$mbed_include/mbedtls" "$work/mbed/mbedtls"
[ ! -d "$mbed_include/psa" ] || ln -s "$mbed_include/psa" "$work/mbed/psa"

# listed NAME FILES WANTED: a list of an SDK's is what is there, and it
# compiles, with the flags in it, and links.
listed() {
    sources=$(grep '\.c$' "$2")
    flags=$(grep '^-' "$2")
    same "$1" "$(echo "$sources" | sed "s|^$root/||" | sort)" \
        "$(echo "$3" | sort)"
    mkdir "$work/$1.o"
    # shellcheck disable=SC2086
    (
        cd "$work/$1.o" &&
            quietly "$1" $cross -O0 -c -isystem "$work/mbed" $flags \
                $sources "$root/tests/packages/device.c" &&
            rm -f ipsec_mbedtls.o mbedtls_*.o lwip_*.o &&
            quietly "$1" $cross -o device ./*.o
        exit $failed
    ) || failed=1
}

# sdk NAME FILES FLAGS...: of tests/packages/NAME, with these CONFIG_*
sdk() {
    dir=$1 wanted=$2
    shift 2
    quietly "$dir" cmake -S "tests/packages/$dir" -B "$work/$dir" \
        -DLIBIPSEC="$root" "$@" &&
        listed "$dir" "$work/$dir/asked" "$wanted"
}

# All options of Kconfig but these two.
config=
for symbol in $(sed -n 's/^config \(LIBIPSEC_\)/\1/p' \
        packaging/Kconfig.options | grep -v -e _NATT -e _CCM); do
    config="$config -DCONFIG_$symbol=y"
done
left_out='-DIPSEC_NO_CCM
-DIPSEC_NO_NATT'

# shellcheck disable=SC2086
for name in idf zephyr; do
    sdk $name "$core
$mbedtls" -DCONFIG_LIBIPSEC=y -DCONFIG_LIBIPSEC_PORT_MBEDTLS=y $config
    same "$name: options" "$(grep '^-D' "$work/$name/asked" | sort)" "$left_out"
done

# With the binding to lwIP, of which this is only looked at.
sources=$(for file in $core $mbedtls ports/lwip/*.c; do echo "$file"; done)
rm -f "$work/idf/asked"
quietly 'idf, lwIP' cmake "$work/idf" -DCONFIG_LIBIPSEC_PORT_LWIP=y
same 'idf, lwIP' "$(sed -n "s|^$root/\(.*\.c\)$|\1|p" "$work/idf/asked" |
    sort)" "$(echo "$sources" | sort)"
same 'idf, hooks' "$(grep -c '^-DESP_IDF_LWIP_HOOK_FILENAME="ipsec_lwip_' \
    "$work/idf/asked")" 1
same 'platformio, lwIP' "$("$PYTHON" tests/packages/files.py . mbedtls lwip |
    sed -n "s|^$root/\(.*\.c\)$|\1|p" | sort)" "$(echo "$sources" | sort)"

"$PYTHON" tests/packages/files.py . mbedtls > "$work/pio"
listed platformio "$work/pio" "$core
$mbedtls"

quietly arduino sh packaging/arduino.sh "$work/arduino"
{
    ls "$work"/arduino/libipsec/src/*.c
    echo "-I$work/arduino/libipsec/src"
} > "$work/files"
listed arduino "$work/files" "$(echo "$core" |
    sed "s|^|$work/arduino/libipsec/|")"
exit $failed
