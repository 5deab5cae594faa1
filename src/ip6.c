/* SPDX-License-Identifier: MIT */
#include "inner.h"

/* IPv6 (RFC 8200): everything that knows where its fields are. */

#define EXT_MAX 8 /* extension headers in a row: more is nothing honest */

static int
is_ext(uint8_t proto)
{
    return proto == PROTO_HOPOPTS || proto == PROTO_ROUTING ||
           proto == PROTO_FRAGMENT || proto == PROTO_DSTOPTS;
}

/* A fragment with offset 0 and nothing to follow is whole (RFC 6946). */
static uint8_t
frag_of(const uint8_t *p)
{
    if (get16(p + 2) & 0xfff8) {
        return FRAG_LATER;
    }
    return (p[3] & 1) ? FRAG_FIRST : FRAG_NONE;
}

/* The extension header at ip->off, named ip->proto: verify it and step over
 * it. */
static int
step(struct ipsec_ip *ip, const uint8_t *p, int *frag_seen)
{
    const uint8_t *h = p + ip->off;
    size_t n;

    if (ip->len - ip->off < 8) {
        return IPSEC_ERR_MALFORMED;
    }
    n = ip->proto == PROTO_FRAGMENT ? 8 : ((size_t)h[1] + 1) * 8;
    if (n > ip->len - ip->off) {
        return IPSEC_ERR_MALFORMED;
    }
    if (ip->proto == PROTO_HOPOPTS && ip->off != IP6_HDR) {
        return IPSEC_ERR_MALFORMED; /* RFC 8200 section 4.1: first or not */
    }
    if (ip->proto == PROTO_ROUTING && h[2] == 0) {
        return IPSEC_ERR_MALFORMED; /* type 0 (RFC 5095 section 3) */
    }
    if (ip->proto == PROTO_FRAGMENT) {
        if (*frag_seen) {
            return IPSEC_ERR_MALFORMED; /* RFC 8200 section 4.1 */
        }
        *frag_seen = 1;
        ip->frag = frag_of(h);
    }
    ip->nh = ip->off;
    ip->off += n;
    /* ESP and AH come behind these (RFC 4303 section 3.1.1); destination
     * options are for the far end, and so are protected, unless a routing
     * header behind them says that they are for its stops. */
    if (ip->proto != PROTO_DSTOPTS) {
        ip->ins = ip->off;
        ip->ins_nh = ip->nh;
    }
    ip->proto = h[0];
    return IPSEC_OK;
}

/* see inner.h */
int
ipsec_ip6_parse(struct ipsec_ip *ip, const uint8_t *p, size_t len)
{
    int i, rc, frag_seen = 0;

    if (len < IP6_HDR) {
        return IPSEC_ERR_MALFORMED;
    }
    memset(ip, 0, sizeof *ip);
    ip->version = 6;
    ip->len = IP6_HDR + (size_t)get16(p + 4);
    if (ip->len > len) {
        return IPSEC_ERR_MALFORMED;
    }
    ip->tos = (uint8_t)(p[0] << 4 | p[1] >> 4);
    ip->df = 1;
    ip->off = ip->ins = IP6_HDR;
    ip->nh = ip->ins_nh = 6;
    ip->proto = p[6];
    for (i = 0; is_ext(ip->proto) && ip->frag != FRAG_LATER; i++) {
        rc = i < EXT_MAX ? step(ip, p, &frag_seen) : IPSEC_ERR_MALFORMED;
        if (rc != IPSEC_OK) {
            return rc;
        }
    }
    return IPSEC_OK;
}

/* see inner.h */
void
ipsec_ip6_set_tos(uint8_t *p, uint8_t tos)
{
    p[0] = (uint8_t)(0x60 | tos >> 4);
    p[1] = (uint8_t)((p[1] & 0x0f) | tos << 4);
}
