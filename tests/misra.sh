#!/bin/sh
# SPDX-License-Identifier: MIT
# scripts/misra.py sees a violation that is planted, allows it where a page
# does, and sees a page that allows what isn't there.
set -u
cd "$(dirname "$0")/.."
command -v "${PYTHON:-python3}" > /dev/null || {
    echo 'needs Python 3: apt-get install python3'
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

mkdir -p "$work/src"
cat > "$work/src/planted.c" << 'END'
#include <stdint.h>
int planted(int n);

int
planted(int n)
{
    if (n > 3) {
        return 1;
    }
    if (n < -3) {
        goto out;
    }
    n = 2;
out:
    return n;
}
END

# page ROW...: what is allowed, and why
page() {
    version=$(cppcheck --version 2> /dev/null | sed 's/.* //')
    printf 'Cppcheck %s\n\n## Deviations\n\n' "${version:-0.0}"
    for row; do
        echo "| $row | where it is, and why it is right there |"
    done
}

# run STATUS: the tool, with $work/page.md
run() {
    "${PYTHON:-python3}" scripts/misra.py --tree "$work" \
        --page "$work/page.md" --build "$work/build" > "$work/output" 2>&1
    rc=$?
    if [ $rc -eq 77 ] && [ "$1" -ne 77 ]; then
        head -n 1 "$work/output"
        exit 77
    fi
    [ $rc -eq "$1" ] || { echo "not $1 but $rc:"; cat "$work/output"; bad=1; }
}

# says TEXT: a line of that
says() {
    grep -qE "$1" "$work/output" ||
        { echo "no '$1':"; cat "$work/output"; bad=1; }
}

page '15.1 | advisory | 1' '15.5 | advisory | 1' '17.8 | advisory | 1' \
    > "$work/page.md"
run 0
says '^3 passed, 0 failed, 0 skipped'

# Allowed: a jump elsewhere, no return, two changes of a parameter, and what
# there is none of.
{
    page '15.5 | advisory | 0' '17.8 | required | 2' '17.2 | required | 1' \
        '13.6 | mandatory | 0'
    printf '\n## False positives\n\n'
    echo '| 15.1 | advisory | 1 | `src/other.c`, where there is none of it |'
} > "$work/page.md"
run 1
says '^  15\.1 .*STALE'
says '^  15\.5 .*OPEN'
says '^           src/planted\.c:8:'
says '^  17\.8 .*lower by 1'
says '^  17\.2 .*STALE'
says '17\.8 is advisory'
says '13\.6 is mandatory'
says '^1 passed, 6 failed, 0 skipped'

page > "$work/page.md"
run 1
says '^  15\.1 .*OPEN'

page | sed 's/^Cppcheck .*/Cppcheck 0.1/' > "$work/page.md"
run 77
says 'is about Cppcheck 0\.1'
exit $bad
