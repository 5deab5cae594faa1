#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What a newcomer sees: the README's two commands, make demo and make test, in
# a fresh clone on a bare Debian 12, made for the purpose, with nothing but git,
# make and ca-certificates: as root, and then in a second tree, with gcc, as an
# ordinary user. Needs root and debootstrap; takes some minutes and 3 GB, and
# leaves nothing behind. The clone has what is committed. KEEP=1 keeps the
# trees.
set -eu
export LC_ALL=C
suite=bookworm
room=3000000 # KiB
top=$(cd "$(dirname "$0")/../.." && pwd)

die() { echo "newcomer: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "needs root, for debootstrap and chroot"
command -v debootstrap > /dev/null || die "needs: apt-get install debootstrap"

# Mounts of ours are seen by nobody else, and end with us.
if [ -z "${NEWCOMER-}" ] && unshare --mount true 2> /dev/null; then
    NEWCOMER=1 exec unshare --mount --propagation private sh "$0" "$@"
fi

place=
for dir in "${TMPDIR:-/tmp}" /var/tmp "$top/build"; do
    if [ -d "$dir" ] && [ "$(df -Pk "$dir" | awk 'END { print $4 }')" -gt $room ]
    then
        place=$dir
        break
    fi
done
[ -n "$place" ] || die "no filesystem with $room KiB to spare"
tmp=$(mktemp -d "$place/newcomer.XXXXXX")

clean_up() {
    for tree in root user; do
        umount "$tmp/$tree/proc" 2> /dev/null || true
    done
    if [ -z "${KEEP-}" ]; then
        rm -rf --one-file-system "$tmp"
    else
        echo "newcomer: the trees are in $tmp"
    fi
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# The mirror that this machine uses itself.
mirror=$(apt-get indextargets --no-release-info --format '$(REPO_URI)' \
    'Created-By: Packages' 'Component: main' "Release: $suite" | head -n 1)
mirror=${mirror%/}
[ -n "$mirror" ] || die "this machine has no package source for $suite"

passed=0 failed=0

# step TEXT COMMAND...: run it, say how it went
step() {
    text=$1
    shift
    start=$(date +%s)
    if "$@" > "$tmp/log" 2>&1; then
        passed=$((passed + 1))
        verdict=ok
    else
        failed=$((failed + 1))
        verdict=FAILED
    fi
    printf '%-6s  %-50s %4d s\n' $verdict "$text" $(($(date +%s) - start))
    grep -E '^[0-9]+ passed, [0-9]+ failed' "$tmp/log" | sed 's/^/        /' ||
        true
    [ $verdict = ok ] || sed 's/^/        | /' "$tmp/log"
}

# What of this machine apt needs in there to reach the same mirror.
copy_apt() {
    etc=$1/etc/apt
    rm -rf "$etc/sources.list" "$etc/sources.list.d"/*
    mkdir -p "$etc/sources.list.d" "$etc/keyrings" "$etc/apt.conf.d" \
        "$1/usr/share/keyrings"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        if [ -f "$file" ] && grep -q "$mirror" "$file"; then
            cp "$file" "$1$file"
        fi
    done
    for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
        if [ -f "$file" ] && grep -qiE 'proxy|verify|cainfo' "$file"; then
            cp "$file" "$1$file"
        fi
    done
    for dir in /etc/apt/keyrings /etc/apt/trusted.gpg.d /etc/apt/auth.conf.d \
        /usr/share/keyrings; do
        if [ -d "$dir" ]; then
            mkdir -p "$1$dir"
            cp -r "$dir/." "$1$dir"
        fi
    done
    cp /etc/resolv.conf /etc/hosts "$1/etc"
}

# inside TREE [USER] -- COMMAND...
inside() {
    tree=$tmp/$1
    who=$2
    shift 3
    chroot --userspec="$who" "$tree" env -i LC_ALL=C TERM=dumb \
        HOME=/srv/newcomer PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        ${http_proxy+"http_proxy=$http_proxy"} \
        ${https_proxy+"https_proxy=$https_proxy"} \
        sh -c "$@"
}

make_tree() {
    debootstrap --variant=minbase --include=git,make,ca-certificates \
        $suite "$tmp/root" "$mirror"
    copy_apt "$tmp/root"
    git clone -q --bare --no-hardlinks "$top" "$tmp/root/srv/libipsec.git"
    mkdir "$tmp/root/srv/newcomer"
    rm -rf "$tmp/root/var/cache/apt/archives"/*.deb
    cp -a "$tmp/root" "$tmp/user"
    chroot "$tmp/user" useradd --home-dir /srv/newcomer newcomer
    chroot "$tmp/user" chown -R newcomer: /srv
    for tree in root user; do
        mount -t proc proc "$tmp/$tree/proc" || echo "no /proc"
    done
}

bare() {
    for program in gcc cc xz bzip2 python3 sudo; do
        if inside root root -- "command -v $program"; then
            echo "$program should not be there"
            return 1
        fi
    done
}

# told TREE USER: without a compiler, make must say what is missing, and fail
told() {
    inside "$1" "$2" -- "$go && make demo" > "$tmp/told" 2>&1 && return 1
    cat "$tmp/told"
    grep -q 'apt-get install gcc' "$tmp/told"
}

clone='cd /srv/newcomer && git clone -q /srv/libipsec.git'
go='cd /srv/newcomer/libipsec'

step "a bare Debian 12 ($suite), twice" make_tree
[ $failed -eq 0 ] || exit 1
step 'no compiler, xz, bzip2, python3, sudo in it' bare

step 'root: git clone' inside root root -- "$clone"
step 'root: make demo, installing what it needs' \
    inside root root -- "$go && make demo"
step 'root: make demo again' inside root root -- "$go && make demo"
step 'root: make test' inside root root -- "$go && make test"

step 'user: git clone' inside user newcomer -- "$clone"
step 'user without gcc is told what to install' told user newcomer
step 'user: root adds gcc' inside user root -- \
    'apt-get -q update; apt-get -q -y --no-install-recommends install \
     gcc libc6-dev'
step 'user: make demo, fetching what it needs' \
    inside user newcomer -- "$go && make demo"
step 'user: make demo again' inside user newcomer -- "$go && make demo"
step 'user: make test' inside user newcomer -- "$go && make test"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
