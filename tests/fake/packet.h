/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_PACKET_H
#define TESTS_FAKE_PACKET_H

#include "ipsec/types.h"

/* Packets to test with. Written without a line of src/, checksums included,
 * so that a mistake there does not cancel out here. */

#define PACKET_MAX 65535u

/* What a packet is to be. All 0 but `src` and `dst` will do: an IP packet
 * that carries no protocol that has a name and no payload. */
struct packet_spec {
    const char *src, *dst;   /* as text; they decide on the version */
    uint8_t     proto;       /* of the next layer */
    uint16_t    sport, dport; /* ICMP: sport is type << 8 | code; Mobility
                              * Header: type << 8 */
    size_t      payload;     /* bytes behind the next layer's header */
    uint8_t     tos;
    uint8_t     ttl;         /* 0: 64 */
    uint8_t     df, mf;
    uint16_t    id;
    uint16_t    frag;        /* offset in units of 8; over IPv6 see `ext` */
    uint32_t    label;       /* IPv6 flow label */
    size_t      opt_len;     /* IPv4: bytes of options (No Operation) */

    /* IPv6 extension headers in their order: h hop-by-hop, r routing, R
     * routing of type 0, d destination options, D the same with 24 bytes, f
     * first fragment, l later fragment, a atomic fragment. */
    const char *ext;
};

/* Build it at `p`, which has room; its length. */
size_t packet_build(uint8_t *p, const struct packet_spec *spec);

/* Recompute the header checksum of an IPv4 packet. */
void packet_fix(uint8_t *p);

/* Is the header checksum right? Always, for IPv6. */
int packet_intact(const uint8_t *p);

/* By its own account. */
size_t packet_len(const uint8_t *p);

uint16_t packet_sum(const uint8_t *p, size_t len);

struct ipsec_addr addr(const char *text);

#endif
