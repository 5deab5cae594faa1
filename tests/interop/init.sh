#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The guest's first process. Prepares the network card, starts the agent,
# then serves a root shell on the second serial line. Programs that are no
# part of busybox go by their path: its shell prefers its own.
/bin/busybox --install -s /bin
export PATH=/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r m; do
    insmod "/modules/$m" 2>/dev/null
done </modules/order

# a card may take a moment to appear
n=0
while [ ! -e /sys/class/net/eth0 ] && [ $n -lt 50 ]; do
    sleep 0.1
    n=$((n + 1))
done

# Addresses at once: no duplicate address detection, no waiting for routers,
# multicast reports within a moment instead of ten seconds.
for f in all default eth0; do
    c=/proc/sys/net/ipv6/conf/$f
    echo 0 >$c/accept_dad
    echo 0 >$c/accept_ra
    echo 0 >$c/router_solicitations
    echo 10 >$c/mldv2_unsolicited_report_interval
    echo 0 >/proc/sys/net/ipv4/conf/$f/rp_filter
done
/sbin/ip link set lo up
/sbin/ip link set eth0 up

/sbin/agent &

ctl=/dev/ttyS1
while :; do
    setsid sh -c "stty raw -echo <$ctl; exec sh <$ctl >$ctl 2>&1"
    sleep 0.2
done
