#!/bin/sh
# SPDX-License-Identifier: MIT
# Settings of lwIP with which the port, or the bump, would not be safe are
# refused by the compiler, in words that say what to write.
set -u

failed=0

compile() {
    ${CC:-cc} -std=c99 -fsyntax-only -DLAN_HOST -Iinclude -Itests/lwip \
        -Iports/lwip -Iports/lwip_bump -I"$LWIP_DIR/src/include" "$@" \
        "ports/$port" 2>&1
}

# refused WORDS FLAGS...
refused() {
    words=$1
    shift
    out=$(compile "$@")
    if [ $? -eq 0 ]; then
        echo "accepted: $*"
        failed=1
    elif ! echo "$out" | grep -F "#error" | grep -qF "$words" &&
         ! echo "$out" | grep -F "error:" | grep -qF "$words"; then
        echo "no word of \"$words\" for: $*"
        echo "$out" | head -n 3
        failed=1
    fi
}

common() {
    if ! compile; then
        echo "refused as it is: $port"
        failed=1
    fi
    for sum in IP UDP TCP ICMP ICMP6; do
        refused 'CHECKSUM_GEN_*' -DCHECKSUM_GEN_$sum=0
    done
}

port=lwip_bump/lwip_bump.c
common
port=lwip/lwip_attach.c
common
refused LWIP_HOOK_FILENAME -DLWIP_HOOK_FILENAME='"stddef.h"'
refused LWIP_ND6_ALLOW_RA_UPDATES -DLWIP_DHCP=1 -DLWIP_ND6_ALLOW_RA_UPDATES=0
refused IPSEC_LWIP_REASS -DIPSEC_LWIP_REASS=0
refused IPSEC_LWIP_PIECES -DIPSEC_LWIP_PIECES=1
exit $failed
