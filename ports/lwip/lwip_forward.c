/* SPDX-License-Identifier: MIT */
#include "lwip_inner.h"

#include "lwip/inet_chksum.h"
#include "lwip/init.h"
#include "lwip/ip.h"

#include <string.h>

/*
 * lwIP 2.2's ip4_forward() sets the checksums of a packet to 0 where lwIP is
 * built to compute checksums, and leaves them so. It does that between the
 * input hook and netif->output, in one call and in the same pbuf: so what
 * stood there is kept at the one end and put back at the other. Nothing is
 * computed anew but the IP header's: a packet that came damaged stays so.
 */

#if LWIP_IPV4 && IP_FORWARD

static struct {
    const struct pbuf *p;
    u16_t              at;
    u8_t               sum[2];
} seen;

/* Where ip4_forward() writes behind the IP header; 0: nowhere. */
static u16_t
place(u8_t proto)
{
    switch (proto) {
    case IP_PROTO_TCP:
        return 16;
    case IP_PROTO_UDP:
    case IP_PROTO_UDPLITE:
        return 6;
    case IP_PROTO_ICMP:
        return 2;
    default:
        return 0;
    }
}

/* see lwip_inner.h */
int
ipsec_lwip_forward_note(const struct pbuf *p)
{
    const u8_t *ip = p->payload;

    seen.p = NULL;
    if (p->len < IP_HLEN) {
        return 1;
    }
    seen.at = place(ip[9]);
    if (seen.at > 0) {
        seen.at = (u16_t)(seen.at + (ip[0] & 15) * 4);
        if (seen.at + 2u > p->len) {
            return LWIP_VERSION_MAJOR == 2 && LWIP_VERSION_MINOR < 2;
        }
        memcpy(seen.sum, ip + seen.at, 2);
    }
    seen.p = p;
    return 1;
}

/* see lwip_inner.h */
void
ipsec_lwip_forward_mend(struct pbuf *p)
{
    static const u8_t none[2];
    struct ip_hdr *ip = p->payload;
    u8_t *sum;

    if (seen.p != p || seen.at + 2u > p->len ||
        memcmp(&ip->src, ip4_current_src_addr(), sizeof ip->src) != 0 ||
        memcmp(&ip->dest, ip4_current_dest_addr(), sizeof ip->dest) != 0) {
        return; /* lwIP's own; also an answer in the pbuf of the question */
    }
    seen.p = NULL;
    sum = (u8_t *)p->payload + seen.at;
    if (seen.at > 0 && memcmp(sum, none, sizeof none) == 0) {
        memcpy(sum, seen.sum, sizeof seen.sum);
    }
    if (IPH_CHKSUM(ip) == 0) {
        IPH_CHKSUM_SET(ip, inet_chksum(ip, IPH_HL_BYTES(ip)));
    }
}

#endif
