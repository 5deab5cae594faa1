#!/bin/sh
# SPDX-License-Identifier: MIT
# docs/COUNTERS.md has one row for each drop reason of types.h, each member of
# struct ipsec_stats, and each counter of an SA; and none for what isn't there.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# members STRUCT FILE: names of its members
members() {
    awk -v head="struct $1 {" '
        { line = line " " $0 }
        $0 == head { line = ""; on = 1 }
        on && /^};/ { exit }
        END { print line }' "$2" |
        sed -e 's,/\*\([^*]\|\*[^/]\)*\*/,,g' -e 's/\[[^]]*\]//g' |
        tr ';' '\n' |
        sed -n 's/^ *size_t  *\(.*\)$/\1/p' | tr -d ' ' | tr ',' '\n'
}

{
    sed -n 's/^ *IPSEC_ERR_\([A-Z_]*\) *= *-\([0-9]*\),.*/\2 \1/p' \
        include/ipsec/types.h |
        while read -r number name; do
            if [ "$number" -lt "$(sed -n \
                's/^ *IPSEC_DROP_COUNT *= *\([0-9]*\),.*/\1/p' \
                include/ipsec/types.h)" ]; then
                echo "$name"
            fi
        done
    members ipsec_stats include/ipsec/ipsec.h
    members ipsec_sa include/ipsec/sad.h
    printf '%s\n' packets bytes seq used in_flight
} | sort > "$work/wanted"
sed -n 's/^| `\([A-Za-z_]*\)` | .*/\1/p' docs/COUNTERS.md | sort > "$work/rows"

[ "$(wc -l < "$work/wanted")" -gt 30 ] || { echo "names not found"; exit 1; }
diff -u "$work/wanted" "$work/rows"
