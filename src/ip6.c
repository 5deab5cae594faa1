/* SPDX-License-Identifier: MIT */
#include "inner.h"

#ifndef IPSEC_NO_IPV6

/* IPv6 (RFC 8200): everything that knows where its fields are. */

#define EXT_MAX 8 /* extension headers in a row: more is nothing honest */

/* A fragment with offset 0 and nothing to follow is whole (RFC 6946). */
static uint8_t
frag_of(const uint8_t *p)
{
    if (get16(p + 2) & 0xfff8) {
        return FRAG_LATER;
    }
    return (p[3] & 1) ? FRAG_FIRST : FRAG_NONE;
}

#ifndef IPSEC_NO_FRAGMENTS
/* What else the Fragment header at ip->off says. */
static void
frag_load(struct ipsec_ip *ip, const uint8_t *h)
{
    ip->fh = ip->off;
    ip->fh_nh = ip->nh;
    ip->id = get32(h + 4);
}
#else
#define frag_load(ip, h) ((void)0)
#endif

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
        frag_load(ip, h);
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

/* Of a packet that may be cut off, or not. */
static int
parse(struct ipsec_ip *ip, const uint8_t *p, size_t len, int cut)
{
    int i, rc, frag_seen = 0;

    if (len < IP6_HDR) {
        return IPSEC_ERR_MALFORMED;
    }
    ip->version = 6;
    ip->len = IP6_HDR + (size_t)get16(p + 4);
    if (cut && ip->len > len) {
        ip->len = len;
    }
    if (ip->len > len) {
        return IPSEC_ERR_MALFORMED;
    }
    ip->tos = (uint8_t)(p[0] << 4 | p[1] >> 4);
    ip->df = 1;
    ip->frag = FRAG_NONE;
    ip->udp = 0;
    ip->fh = ip->fh_nh = 0;
    ip->id = 0;
    ip->off = ip->ins = IP6_HDR;
    ip->nh = ip->ins_nh = 6;
    ip->proto = p[6];
    for (i = 0; ipsec_ip6_is_ext(ip->proto) && ip->frag != FRAG_LATER; i++) {
        rc = i < EXT_MAX ? step(ip, p, &frag_seen) : IPSEC_ERR_MALFORMED;
        if (rc != IPSEC_OK) {
            return rc;
        }
    }
    return IPSEC_OK;
}

/* see inner.h */
int
ipsec_ip6_parse(struct ipsec_ip *ip, const uint8_t *p, size_t len)
{
    return parse(ip, p, len, 0);
}

#ifndef IPSEC_NO_ICMP

/* see inner.h */
int
ipsec_ip6_quote(struct ipsec_ip *ip, const uint8_t *p, size_t len)
{
    return parse(ip, p, len, 1);
}

#endif

/* see inner.h */
void
ipsec_ip6_set_tos(uint8_t *p, uint8_t tos)
{
    p[0] = (uint8_t)(0x60 | tos >> 4);
    p[1] = (uint8_t)((p[1] & 0x0f) | tos << 4);
}

#ifndef IPSEC_NO_AH

#define OPT_PAD1        0
#define OPT_MUTABLE  0x20 /* may change on the way (RFC 8200 section 4.2) */
#define ROUTING_HOME    2 /* type 2 (RFC 6275 section 6.4) */

/* Of options, zero the data of those that may change. 0: malformed. */
static int
options_mask(uint8_t *h, size_t len)
{
    size_t at = 2, n;

    for (; at < len; at += n) {
        n = 1;
        if (h[at] == OPT_PAD1) {
            continue;
        }
        if (len - at < 2 || h[at + 1] > len - at - 2) {
            return 0;
        }
        n = (size_t)h[at + 1] + 2;
        if (h[at] & OPT_MUTABLE) {
            memset(h + at + 2, 0, n - 2);
        }
    }
    return 1;
}

/* A routing header as it arrives at the end of the route. Where the route has
 * not been followed, only one type says what that is; 0: another. */
static int
routing_mask(uint8_t *ip, uint8_t *h, size_t len)
{
    uint8_t via;
    size_t i;

    if (h[3] == 0) {
        return 1;
    }
    if (h[2] != ROUTING_HOME || h[3] != 1 || len != 24) {
        return 0;
    }
    for (i = 8; i < 24; i++) {
        via = ip[i + 16];
        ip[i + 16] = h[i];
        h[i] = via;
    }
    h[3] = 0;
    return 1;
}

/* A fragment header at `h` that cuts nothing off, with `len` bytes behind it:
 * as if it were not there, which is how a receiver that reassembles first sees
 * it (RFC 6946). */
static void
fragment_mask(uint8_t *ip, uint8_t *nh, uint8_t *h, size_t len)
{
    *nh = h[0];
    memmove(h, h + 8, len);
    put16(ip + 4, (uint32_t)get16(ip + 4) - 8);
}

/* see inner.h */
size_t
ipsec_ip6_mask(uint8_t *to, size_t hdr)
{
    uint8_t *nh = to + 6, *h;
    size_t at = IP6_HDR, len;

    put32(to, (uint32_t)6 << 28); /* DSCP, ECN, flow label */
    to[7] = 0;                    /* hop limit */
    while (at < hdr) {
        h = to + at;
        if (*nh == PROTO_FRAGMENT) {
            hdr -= 8;
            fragment_mask(to, nh, h, hdr - at);
            continue;
        }
        len = ((size_t)h[1] + 1) * 8;
        if (!(*nh == PROTO_ROUTING ? routing_mask(to, h, len)
                                   : options_mask(h, len))) {
            return 0;
        }
        nh = h;
        at += len;
    }
    return hdr;
}

#endif

#endif
