#!/bin/sh
# SPDX-License-Identifier: MIT
# What make firmware-cost says of images, of which a made-up QEMU says what
# their packets take: the last line, and whether it fails.
set -u
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
mkdir "$work/bin"
cat > "$work/bin/arm-none-eabi-gcc" <<'END'
#!/bin/sh
echo 12.2.1
END
cat > "$work/bin/qemu-system-arm" <<'END'
#!/bin/sh
for image; do :; done
. "$image"
END
chmod +x "$work/bin/"*

# takes IMAGE INSTRUCTIONS STATUS: what the image does
takes() {
    echo "echo 'suite;bytes;out crypto;out rest;in crypto;in rest;rest'
        echo 'one;64;9;1;9;1;$2'; echo 'two;64;9;1;9;1;7'
        exit $3" > "$work/cost-$1.elf"
}

# says RC PATTERN LAST: with the table that is read
says() {
    cat > "$work/table"
    COST=$work/table PATH=$work/bin:$PATH SPLIT='' \
        sh tests/firmware/cost.sh "$work" > "$work/said" 2>&1
    rc=$?
    if [ $rc -ne "$1" ] || ! grep -q "$2" "$work/said" ||
        [ "$(tail -n 1 "$work/said")" != "$3" ]; then
        echo "expected status $1, '$2' and '$3'; status $rc:"
        cat "$work/said"
        bad=1
    fi
}

takes a 2500 0
takes b 2600 0
says 0 'ok: 2500, aim 2500' '1 passed, 0 failed, 0 skipped' <<'END'
compiler 12.2.1
aim 2500
a 2500 the first
END
says 0 'aim missed: 2600, aim 2500 missed by 100, ceiling 2650' \
    '2 passed, 0 failed, 0 skipped' <<'END'
compiler 12.2.1
aim 2500
a 2500 the first
b 2650 the second
END
says 1 'FAILED: 2600 is above the ceiling, 2599' \
    '1 passed, 1 failed, 0 skipped' <<'END'
compiler 12.2.1
aim 2500
a 2500 the first
b 2599 the second
END
says 0 'skipped: 2600 is above 2599' '1 passed, 0 failed, 1 skipped' <<'END'
compiler 13.0.0
aim 2500
a 2500 the first
b 2599 the second
END
takes b 2600 1
says 1 'FAILED: a packet was lost' '1 passed, 1 failed, 0 skipped' <<'END'
compiler 12.2.1
aim 2500
a 2500 the first
b 2700 the second
END
cat > "$work/cost-b.elf" <<'END'
echo >> "$image.runs"
echo suite
echo "one;64;9;1;9;1;$(($(wc -l < "$image.runs")))"
END
says 1 'FAILED: two runs differ' '1 passed, 1 failed, 0 skipped' <<'END'
compiler 12.2.1
aim 2500
a 2500 the first
b 2700 the second
END
says 1 '' '0 passed, 0 failed, 0 skipped' < /dev/null
exit $bad
