#!/bin/sh
# SPDX-License-Identifier: MIT
# scripts/analyse.py sees a defect that is planted, lets it pass where
# known.txt has it, and sees a known.txt that has what isn't there.
set -u
cd "$(dirname "$0")/.."
command -v "${PYTHON:-python3}" > /dev/null || {
    echo 'needs Python 3: apt-get install python3'
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

cat > "$work/planted.c" << 'END'
int planted(int n);

int
planted(int n)
{
    int *p = 0;

    if (n == 0) {
        *p = 1;
    }
    return n;
}
END

# expect STATUS TEXT TOOL: a line of what it says, with $work/known.txt, or "end$"
expect() {
    KNOWN=$work/known.txt "${PYTHON:-python3}" scripts/analyse.py "$3" \
        "$work/planted.c" > "$work/output" 2>&1
    rc=$?
    if [ $rc -ne "$1" ] || ! { cat "$work/output"; echo end; } |
        grep -qE "^$2"; then
        echo "$3: not $1 and '$2' but $rc:"
        cat "$work/known.txt" "$work/output"
        bad=1
    fi
}

# known LINE...: versions as they are, and these
known() {
    echo '# cppcheck' "$(cppcheck --version | sed 's/.* //')"
    echo '# clang-tidy' "$(clang-tidy --version |
        sed -n 's/.*version \([0-9.]*\).*/\1/p')"
    printf '%s\n' "$@"
}

tested=0
while read -r tool check; do
    command -v "$tool" > /dev/null || continue
    tested=1
    file=$("${PYTHON:-python3}" -c \
        'import os, sys; print(os.path.relpath(sys.argv[1]))' \
        "$work/planted.c")
    known > "$work/known.txt"
    expect 1 ".*planted[.]c:9: .*$check" "$tool"
    known "$tool $file $check 1" > "$work/known.txt"
    expect 0 'end$' "$tool"
    known "$tool $file $check 2" > "$work/known.txt"
    expect 1 ".* has $check 1 times, not 2" "$tool"
    known | sed "s/^# $tool .*/# $tool 0.1/" > "$work/known.txt"
    expect 77 '.* is about version 0.1' "$tool"
done << 'END'
cppcheck nullPointer
clang-tidy clang-analyzer-core.NullDereference
END
if [ $tested -eq 0 ]; then
    echo 'neither here: apt-get install cppcheck clang-tidy'
    exit 77
fi
exit $bad
