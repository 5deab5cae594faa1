#!/bin/sh
# SPDX-License-Identifier: MIT
# Preliminary: sees only packages that are there and trees already unpacked.
set -eu
DEPS=${DEPS:-build/deps}
for n; do
    case $n in
    lwip)    echo "LWIP_DIR := $DEPS/lwip-2.1.3" > "$DEPS/lwip.mk" ;;
    mbedtls) echo "MBEDTLS_DIR :=" > "$DEPS/mbedtls.mk" ;;
    cmocka)  echo "CMOCKA_DIR :=" > "$DEPS/cmocka.mk" ;;
    esac
done
