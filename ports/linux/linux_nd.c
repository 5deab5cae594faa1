/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "linux_inner.h"

#include <linux/if_ether.h>
#include <string.h>

/* ARP (RFC 826) and neighbour discovery (RFC 4861), read and written as one
 * thing: see linux_inner.h. */

#define ARP_LEN       28
#define IP6_LEN       40
#define ICMP6         58
#define SOLICITATION  135 /* and 136 is an advertisement */
#define HEAD          24  /* of both, ahead of options */
#define OPTION        8   /* with an Ethernet address */
#define SOURCE_MAC    1
#define TARGET_MAC    2
#define IS_ROUTER     0x80
#define IS_SOLICITED  0x40
#define OVERRIDE      0x20

static const uint8_t arp_ether[6] = { 0, 1, 8, 0, 6, 4 };
static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };
static const uint8_t solicited_node[16] = { 0xff, 2, [11] = 1, [12] = 0xff };

static void
addr_set(struct ipsec_addr *addr, int version, const uint8_t *p)
{
    memset(addr, 0, sizeof *addr);
    addr->version = (uint8_t)version;
    memcpy(addr->byte, p, version == 4 ? 4 : 16);
}

static int
is_none(const struct ipsec_addr *addr)
{
    static const uint8_t none[16];

    return memcmp(addr->byte, none, 16) == 0;
}

/* An address of one station is no group's, and not all zero. */
static int
is_one(const uint8_t mac[6])
{
    return (mac[0] & 1) == 0 &&
           (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0;
}

static void
mac_set(struct ipsec_linux_nd *nd, const uint8_t *mac)
{
    memcpy(nd->mac, mac, 6);
    nd->has_mac = (uint8_t)is_one(mac);
}

/* --- read */

static int
arp_read(struct ipsec_linux_nd *nd, const uint8_t *p, size_t len)
{
    if (len < ARP_LEN || memcmp(p, arp_ether, sizeof arp_ether) != 0 ||
        p[6] != 0 || (p[7] != 1 && p[7] != 2)) {
        return 0;
    }
    nd->ask = p[7] == 1;
    nd->sure = 1;
    mac_set(nd, p + 8);
    addr_set(&nd->sender, 4, p + 14);
    addr_set(&nd->target, 4, p + 24);
    if (is_none(&nd->sender)) {
        nd->has_mac = 0; /* a probe (RFC 5227) */
    }
    return 1;
}

/* RFC 4861 sections 7.1.1 and 7.1.2; the length of the message, or 0. */
static size_t
nd_check(const uint8_t *p, size_t len)
{
    const uint8_t *m = p + IP6_LEN;
    size_t n, at, part;

    if (len < IP6_LEN + HEAD || p[0] >> 4 != 6 || p[6] != ICMP6 ||
        p[7] != 255) {
        return 0;
    }
    n = (size_t)p[4] << 8 | p[5];
    if (n < HEAD || n > len - IP6_LEN || m[1] != 0 ||
        (m[0] != SOLICITATION && m[0] != SOLICITATION + 1) ||
        m[8] == 0xff || ipsec_linux_checksum(p, m, n, ICMP6) != 0) {
        return 0;
    }
    for (at = HEAD; at < n; at += part) {
        part = at + 1 < n ? (size_t)m[at + 1] * 8 : 0;
        if (part == 0 || part > n - at) {
            return 0;
        }
    }
    return n;
}

/* The first option of this type, of Ethernet's length; or NULL. */
static const uint8_t *
option(const uint8_t *m, size_t n, int type)
{
    size_t at;

    for (at = HEAD; at < n; at += (size_t)m[at + 1] * 8) {
        if (m[at] == type && m[at + 1] == 1) {
            return m + at + 2;
        }
    }
    return NULL;
}

static int
nd_read(struct ipsec_linux_nd *nd, const uint8_t *p, size_t len)
{
    const uint8_t *m = p + IP6_LEN, *mac;
    size_t n = nd_check(p, len);

    if (n == 0) {
        return 0;
    }
    nd->ask = m[0] == SOLICITATION;
    nd->sure = nd->ask || (m[4] & OVERRIDE) != 0;
    addr_set(&nd->sender, 6, nd->ask ? p + 8 : m + 8);
    addr_set(&nd->target, 6, nd->ask ? m + 8 : p + 24);
    mac = option(m, n, nd->ask ? SOURCE_MAC : TARGET_MAC);
    if (mac != NULL && !is_none(&nd->sender)) {
        mac_set(nd, mac);
    }
    return 1;
}

int
ipsec_linux_nd_read(struct ipsec_linux_nd *nd,
                    const struct ipsec_linux_frame *frame)
{
    unsigned type = (unsigned)frame->ethernet[12] << 8 | frame->ethernet[13];

    memset(nd, 0, sizeof *nd);
    if (frame->ethernet_len != ETH_HLEN) {
        return 0;
    }
    return type == ETH_P_ARP ? arp_read(nd, frame->data, frame->len)
        : type == ETH_P_IPV6 ? nd_read(nd, frame->data, frame->len) : 0;
}

/* --- write */

static void
ethernet_set(struct ipsec_linux_frame *frame, const uint8_t *to,
             const uint8_t from[6], unsigned type)
{
    memcpy(frame->ethernet, to, 6);
    memcpy(frame->ethernet + 6, from, 6);
    frame->ethernet[12] = (uint8_t)(type >> 8);
    frame->ethernet[13] = (uint8_t)type;
    frame->ethernet_len = ETH_HLEN;
}

static void
arp_write(struct ipsec_linux_frame *frame, const struct ipsec_linux_nd *nd,
          const uint8_t *to)
{
    static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
    uint8_t *p = frame->data;

    memset(p, 0, ARP_LEN);
    memcpy(p, arp_ether, sizeof arp_ether);
    p[7] = nd->ask ? 1 : 2;
    memcpy(p + 8, nd->mac, 6);
    memcpy(p + 14, nd->sender.byte, 4);
    if (!nd->ask) {
        memcpy(p + 18, to, 6);
    }
    memcpy(p + 24, nd->target.byte, 4);
    frame->len = ARP_LEN;
    ethernet_set(frame, nd->ask ? all : to, nd->mac, ETH_P_ARP);
}

/* Who is asked for, by the group that it is in; or who asked, which may have
 * no address yet. Whether that is a group. */
static int
nd_destination(uint8_t dst[16], const struct ipsec_linux_nd *nd)
{
    int all = is_none(&nd->target);

    if (nd->ask) {
        memcpy(dst, solicited_node, 13);
        memcpy(dst + 13, nd->target.byte + 13, 3);
        return 1;
    }
    memcpy(dst, all ? all_nodes : nd->target.byte, 16);
    return all;
}

static void
nd_write(struct ipsec_linux_frame *frame, const struct ipsec_linux_nd *nd,
         const uint8_t *to)
{
    uint8_t *p = frame->data, *m = p + IP6_LEN, group[6] = { 0x33, 0x33 };
    uint16_t sum;
    int all;

    memset(p, 0, IP6_LEN + HEAD);
    p[0] = 0x60;
    p[5] = HEAD + OPTION;
    p[6] = ICMP6;
    p[7] = 255;
    memcpy(p + 8, nd->sender.byte, 16);
    all = nd_destination(p + 24, nd);
    m[0] = nd->ask ? SOLICITATION : SOLICITATION + 1;
    if (!nd->ask) {
        m[4] = IS_ROUTER | OVERRIDE | (all ? 0 : IS_SOLICITED);
    }
    memcpy(m + 8, nd->ask ? nd->target.byte : nd->sender.byte, 16);
    m[HEAD] = nd->ask ? SOURCE_MAC : TARGET_MAC;
    m[HEAD + 1] = 1;
    memcpy(m + HEAD + 2, nd->mac, 6);
    sum = ipsec_linux_checksum(p, m, HEAD + OPTION, ICMP6);
    m[2] = (uint8_t)(sum >> 8);
    m[3] = (uint8_t)sum;
    frame->len = IP6_LEN + HEAD + OPTION;
    memcpy(group + 2, p + 36, 4);
    ethernet_set(frame, all ? group : to, nd->mac, ETH_P_IPV6);
}

void
ipsec_linux_nd_write(struct ipsec_linux_frame *frame,
                     const struct ipsec_linux_nd *nd, const uint8_t *to)
{
    if (nd->sender.version == 4) {
        arp_write(frame, nd, to);
    } else {
        nd_write(frame, nd, to);
    }
}
