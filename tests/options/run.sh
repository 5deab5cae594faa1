#!/bin/sh
# SPDX-License-Identifier: MIT
# Options (include/ipsec/options.h) leave out what they say, nothing else, and
# nothing to warn of.
set -u
cd "$(dirname "$0")/../.."
out=${BUILD:-build}/options
bad=0
mkdir -p "$out"

# has MACROS TRANSFORMS: a build with these macros has these
has() {
    flags=
    for macro in $1; do
        flags="$flags -D$macro"
    done
    # shellcheck disable=SC2086
    ${CC:-cc} -std=c99 -O1 ${WARN:--Wall} -Werror -Iinclude -Isrc \
        -Iports/mbedtls ${MBEDTLS_CFLAGS-} $flags -o "$out/options" \
        tests/options/options.c src/alg.c ports/mbedtls/*.c \
        ${MBEDTLS_LIBS:--lmbedcrypto} &&
        "$out/options" > "$out/output"
    if [ $? -ne 0 ] || [ "$(cat "$out/output")" != "$2" ]; then
        echo "$1: $(cat "$out/output")"
        echo "expected: $2"
        bad=1
    fi
}

has '' '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 2 5 8 12 13 14'
has IPSEC_NO_GCM_SHORT '11 12 13 14 15 16 20 21 28 29 30 31 / 2 5 8 12 13 14'
has IPSEC_NO_CCM '11 12 13 18 19 20 21 28 30 31 / 2 5 8 12 13 14'
has IPSEC_NO_CTR '11 12 14 15 16 18 19 20 21 28 29 30 31 / 2 5 8 12 13 14'
has IPSEC_NO_GMAC '11 12 13 14 15 16 18 19 20 28 29 30 31 / 2 5 8 12 13 14'
has 'IPSEC_NO_CTR IPSEC_NO_GMAC' \
    '11 12 14 15 16 18 19 20 28 29 30 31 / 2 5 8 12 13 14'
has IPSEC_NO_IIV '11 12 13 14 15 16 18 19 20 21 28 / 2 5 8 12 13 14'
has IPSEC_NO_SHA1 '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 5 8 12 13 14'
has IPSEC_NO_SHA512 '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 2 5 8 12'
has IPSEC_NO_CMAC '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 2 5 12 13 14'
has IPSEC_NO_XCBC '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 2 8 12 13 14'
has 'IPSEC_NO_CMAC IPSEC_NO_XCBC' \
    '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 2 12 13 14'
has IPSEC_NO_TRANSFORMS '11 12 20 28 / 12'
has IPSEC_NO_ADDITIONS \
    '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 2 5 8 12 13 14'
has 'IPSEC_NO_TRANSFORMS IPSEC_NO_CCM' '11 12 20 28 / 12'

# answers MACRO PROGRAM TEXT: what a program on the core prints, built so
answers() {
    # shellcheck disable=SC2086
    ${CC:-cc} -std=c99 -O1 ${WARN:--Wall} -Werror -Iinclude -Itests $1 \
        -o "$out/answers" "tests/options/$2.c" tests/fake/crypto.c src/*.c &&
        "$out/answers" > "$out/output"
    if [ $? -ne 0 ] || [ "$(tr '\n' ' ' < "$out/output")" != "$3  " ]; then
        echo "$1 $2: $(cat "$out/output")"
        echo "expected: $3"
        bad=1
    fi
}

answers '' natt 'OK OK OK OK OK OK OK OK OK OK OK OK CONSUMED'
no=UNSUPPORTED
for macro in IPSEC_NO_NATT IPSEC_NO_ADDITIONS; do
    answers -D$macro natt \
        "OK OK $no ARG $no ARG $no ARG OK $no $no OK BYPASS"
done
exit $bad
