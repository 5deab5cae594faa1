#!/bin/sh
# SPDX-License-Identifier: MIT
# reach.sh PROGRAM...: run the fuzz targets, built to measure coverage, on their
# corpora, and print what they reach of the files that packets go through.
set -eu
corpora=$(dirname "$BUILD")/fuzz # BUILD is .../coverage
"${PYTHON:-python3}" tests/fuzz/seeds.py "$corpora"
find "$BUILD" -name '*.gcda' -exec rm {} +
for program; do
    corpus=$corpora/${program##*/fuzz_}.corpus
    find "$corpus" -type f | xargs -n 1000 "$program" > /dev/null
    echo "${program##*/}: $(find "$corpus" -type f | wc -l) inputs"
done
FILES='src/esp.c src/ah.c src/inbound.c src/layer.c src/ip4.c src/ip6.c
       src/flow.c src/tunnel.c src/checksum.c src/replay.c src/udpencap.c
       src/icmp.c' MINIMUM=95 MINIMUM_BRANCHES=${MINIMUM_BRANCHES:-0} \
    sh scripts/coverage.sh
