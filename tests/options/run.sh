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

# says PROGRAM MACROS WORDS: linked with a core that was built with these
# macros, which nothing warns of, tests/options/PROGRAM.c prints this
says() {
    flags=
    for macro in $2; do
        flags="$flags -D$macro"
    done
    # shellcheck disable=SC2086
    ${CC:-cc} -std=c99 -O1 ${WARN:--Wall} -Werror -Iinclude -Itests \
        $flags -o "$out/$1" "tests/options/$1.c" tests/fake/crypto.c \
        src/*.c && "$out/$1" > "$out/output"
    # shellcheck disable=SC2046
    if [ $? -ne 0 ] || [ "$(echo $(cat "$out/output"))" != "$3" ]; then
        echo "$1, $2: $(cat "$out/output")"
        echo "expected: $3"
        bad=1
    fi
}

has '' '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 2 5 8 9 10 11 12 13 14'
has IPSEC_NO_GCM_SHORT \
    '11 12 13 14 15 16 20 21 28 29 30 31 / 2 5 8 9 10 11 12 13 14'
has IPSEC_NO_CCM '11 12 13 18 19 20 21 28 30 31 / 2 5 8 9 10 11 12 13 14'
has IPSEC_NO_CTR \
    '11 12 14 15 16 18 19 20 21 28 29 30 31 / 2 5 8 9 10 11 12 13 14'
has IPSEC_NO_GMAC '11 12 13 14 15 16 18 19 20 28 29 30 31 / 2 5 8 12 13 14'
has 'IPSEC_NO_CTR IPSEC_NO_GMAC' \
    '11 12 14 15 16 18 19 20 28 29 30 31 / 2 5 8 12 13 14'
has IPSEC_NO_IIV '11 12 13 14 15 16 18 19 20 21 28 / 2 5 8 9 10 11 12 13 14'
has IPSEC_NO_SHA1 \
    '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 5 8 9 10 11 12 13 14'
has IPSEC_NO_SHA512 \
    '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 2 5 8 9 10 11 12'
has IPSEC_NO_CMAC \
    '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 2 5 9 10 11 12 13 14'
has IPSEC_NO_XCBC \
    '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 2 8 9 10 11 12 13 14'
has 'IPSEC_NO_CMAC IPSEC_NO_XCBC' \
    '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 2 9 10 11 12 13 14'
has IPSEC_NO_TRANSFORMS '11 12 20 28 / 12'
has IPSEC_NO_AH \
    '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 2 5 8 12 13 14'
has IPSEC_NO_ADDITIONS \
    '11 12 13 14 15 16 18 19 20 21 28 29 30 31 / 2 5 8 12 13 14'
has 'IPSEC_NO_TRANSFORMS IPSEC_NO_CCM' '11 12 20 28 / 12'

says natt '' 'OK OK OK OK OK OK OK OK OK OK OK OK CONSUMED'
no=UNSUPPORTED
says natt IPSEC_NO_NATT "OK OK $no ARG $no ARG $no ARG OK $no $no OK BYPASS"
says natt IPSEC_NO_ADDITIONS \
    "OK OK $no ARG $no ARG $no ARG OK $no $no $no BYPASS"
says icmp '' 'OK OK OK OK NO_POLICY 48'
says icmp IPSEC_NO_NATT 'OK OK OK OK NO_POLICY 48'
says icmp IPSEC_NO_ICMP \
    'OK UNSUPPORTED UNSUPPORTED UNSUPPORTED NO_POLICY 0'
says icmp 'IPSEC_NO_ADDITIONS IPSEC_NO_TRANSFORMS' \
    'OK UNSUPPORTED UNSUPPORTED UNSUPPORTED NO_POLICY 0'

ok='OK OK OK OK OK OK'
says select '' "$ok OK OK OK OK OK OK lane 5"
says select IPSEC_NO_PFP "OK $no $no $no PORTS $no OK OK OK OK OK OK lane 5"
says select IPSEC_NO_MULTICAST "$ok $no ARG $no ARG OK OK lane 5"
says select IPSEC_NO_DSCP "$ok OK OK OK OK $no ARG lane 0"
says select IPSEC_NO_ADDITIONS \
    "OK $no $no $no PORTS $no $no ARG $no ARG $no ARG lane 0"
says fragments IPSEC_NO_FRAGMENTS 'refused'
says family '' passes
says family IPSEC_NO_IPV6 refused
says family 'IPSEC_NO_IPV6 IPSEC_NO_ICMP' refused

# What refused.c asks for; lacks MACROS FEATURE...: a build without these.
features='quarantine rollover tfc dummy any gmac details reason tables
names reserve update acquire soft_s soft_bytes soft_seq soft hard async
bundle'
lacks() {
    macros=$1
    shift
    left=
    for feature in $features; do
        case " $* " in
            *" $feature "*) ;;
            *) left="$left $feature" ;;
        esac
    done
    says refused "$macros" "${left# }"
}

lacks ''
lacks IPSEC_NO_QUARANTINE quarantine
lacks IPSEC_NO_ROLLOVER rollover
lacks IPSEC_NO_TFC tfc dummy
lacks IPSEC_NO_MODE_ANY any
lacks IPSEC_NO_GMAC gmac
lacks IPSEC_NO_AH gmac
lacks IPSEC_NO_AUDIT_DETAILS details reason
lacks IPSEC_NO_INDEX tables
lacks IPSEC_NO_NAMES names
lacks IPSEC_NO_KEYMGMT reserve update acquire
lacks IPSEC_NO_EVENTS reason soft_s soft_bytes soft_seq soft hard
lacks IPSEC_NO_ASYNC async
lacks IPSEC_NO_BUNDLES bundle
# shellcheck disable=SC2086
lacks IPSEC_NO_ADDITIONS $features
# shellcheck disable=SC2086
lacks 'IPSEC_NO_ADDITIONS IPSEC_NO_TRANSFORMS' $features
exit $bad
