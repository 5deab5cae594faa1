#!/bin/sh
# SPDX-License-Identifier: MIT
# The records that this build has the algorithms for: all of them, and no
# fewer than there are. EMULATOR runs a build for another machine.
set -eu
vectors=${BUILD:-build}/tests/vectors
cd "$(dirname "$0")/../.."

walk() { ${EMULATOR-} "$vectors" "$@"; }

# expect N ARGUMENT...: exactly N records pass
expect() {
    want="$1 passed, 0 failed"
    shift
    walk "$@" | tee "$vectors.out"
    [ "$(tail -n 1 "$vectors.out")" = "$want" ] || {
        echo "expected: $want"
        exit 1
    }
}

# The walker itself: a record that is wrong anywhere must not pass.
sed -n '/gen-esp-049/,/^$/p' tests/vectors/esp_packets.txt > "$vectors.one"
walk "$vectors.one" > /dev/null
for change in 's/^\(wire = .*\).$/\1x/' 's/^\(wire = 45000\)/\11/' \
    's/^\(wire = .*\)\(..\)$/\100/' 's/^\(plain = .*\)..$/\100/' \
    's/^seq = .*/seq = 48/' 's/^esn = 0/esn = 1/' 's/^spi = .*/spi = 999/' \
    's/^salt = ..../salt = 0000/' 's/^encr_key = ..../encr_key = 0000/' \
    's/^\(iv = .*\)..$/\100/' 's/^encr = .*/encr = ROT13/' \
    's/^udp = 0/udp = 1/' 's/^mode = .*/mode = tunnel/' '/^plain/d'; do
    sed "$change" "$vectors.one" > "$vectors.bad"
    if walk "$vectors.bad" > "$vectors.out"; then
        echo "passed: $change"
        exit 1
    fi
    [ "$(tail -n 1 "$vectors.out")" = "0 passed, 1 failed" ]
done

# The same of UDP: a port is the SA's, the length counts, nothing is left out.
sed -n '/gen-esp-050/,/^$/p' tests/vectors/esp_packets.txt > "$vectors.one"
walk "$vectors.one" > /dev/null
for change in 's/^udp = 1/udp = 0/' 's/1194119400400000/1194119400410000/' \
    's/1194119400400000/1194119400400001/'; do
    sed "$change" "$vectors.one" > "$vectors.bad"
    if walk "$vectors.bad" > "$vectors.out"; then
        echo "passed: $change"
        exit 1
    fi
    [ "$(tail -n 1 "$vectors.out")" = "0 passed, 1 failed" ]
done

# One without integrity: the plain packet, the IV and the text all count.
sed -n '/rfc3602-case7/,/^$/p' tests/vectors/esp_payloads_published.txt \
    > "$vectors.one"
walk "$vectors.one" > /dev/null
for change in 's/^\(esp = .*\)..$/\100/' 's/^\(payload = .*\)..$/\100/' \
    's/^iv = ../iv = 00/' 's/^seq = .*/seq = 1/' 's/^spi = .*/spi = 999/' \
    's/^\(esp = 0000876500000002\)../\100/' '/^iv/d' \
    's/^encr_key = ../encr_key = 00/' 's/^next_header = .*/next_header = 1/'; do
    sed "$change" "$vectors.one" > "$vectors.bad"
    if walk "$vectors.bad" > "$vectors.out"; then
        echo "passed: $change"
        exit 1
    fi
    [ "$(tail -n 1 "$vectors.out")" = "0 passed, 1 failed" ]
done

expect 68 tests/vectors/esp_packets.txt
expect 34 tests/vectors/ah_packets.txt
expect 10 tests/vectors/esp_gmac_implicit_iv.txt
expect 20 tests/vectors/esp_payloads_published.txt
