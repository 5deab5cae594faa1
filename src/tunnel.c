/* SPDX-License-Identifier: MIT */
#include "inner.h"

/* Outer headers of tunnel mode (RFC 4301 section 5.1.2). */

#define TTL     64
#define ECN     0x03u
#define ECN_CE  0x03u
#define ECN_ECT1 0x01u
#define ECN_ECT0 0x02u

/* see inner.h */
int
ipsec_tunnel_df(const struct ipsec_sa *sa, int df)
{
    if (IS_IP6(sa->local.version)) {
        return 0; /* we are the source: we may fragment */
    }
    return (sa->flags & IPSEC_SA_DF_SET) ||
           ((sa->flags & IPSEC_SA_DF_COPY) && df);
}

/* The map is not checked, for it is the caller's and may change: the low six
 * bits of an entry count. */
#ifdef IPSEC_NO_DSCP
#define mapped(sa, inner) ((unsigned)(inner) & ~ECN)
#else
static unsigned
mapped(const struct ipsec_sa *sa, uint8_t inner)
{
    return sa->dscp_map == NULL ? inner & ~ECN
                                : (unsigned)sa->dscp_map[inner >> 2] << 2;
}
#endif

static uint8_t
outer_tos(const struct ipsec_sa *sa, uint8_t inner)
{
    unsigned dscp, ecn = inner & ECN;

    dscp = sa->flags & IPSEC_SA_DSCP_SET ? (unsigned)sa->dscp << 2
                                         : mapped(sa, inner);
    if (sa->flags & IPSEC_SA_NO_ECN) {
        ecn = 0; /* RFC 6040 section 4.1: compatibility mode */
    }
    return (uint8_t)(dscp | ecn);
}

static void
wrap4(const struct ipsec_sa *sa, uint8_t *p, size_t len,
      const struct ipsec_ip *inner)
{
    uint16_t id = 0;
    uint8_t flags = 0;

    p[0] = 0x45;
    p[1] = outer_tos(sa, inner->tos);
    put16(p + 2, (uint32_t)len);
    /* What goes though it is longer than its path is IPv6 of up to 1280 bytes,
     * and has to be fragmented (RFC 4213 section 3.2.2). */
    if (ipsec_tunnel_df(sa, inner->df) && (sa->mtu == 0 || len <= sa->mtu)) {
        flags = 0x40; /* atomic: its id means nothing (RFC 6864 section 4.1) */
    } else {
        /* no two of 65,536 packets of an SA alike; SAs set apart */
        id = (uint16_t)(sa->seq ^ sa->spi);
    }
    put16(p + 4, id);
    p[6] = flags;
    p[7] = 0;
    p[8] = TTL;
    p[9] = LAYER_PROTO(sa);
    copy4(p + 12, sa->local.byte);
    copy4(p + 16, sa->remote.byte);
    ipsec_ip4_seal(p);
}

static void
wrap6(const struct ipsec_sa *sa, uint8_t *p, size_t len,
      const struct ipsec_ip *inner, const uint8_t *in)
{
    put32(p, 0);
    if ((sa->flags & IPSEC_SA_LABEL_COPY) && IS_IP6(inner->version)) {
        memcpy(p, in, 4);
    }
    ipsec_ip6_set_tos(p, outer_tos(sa, inner->tos));
    put16(p + 4, (uint32_t)(len - IP6_HDR));
    p[6] = LAYER_PROTO(sa);
    p[7] = TTL;
    memcpy(p + 8, sa->local.byte, 16);
    memcpy(p + 24, sa->remote.byte, 16);
}

/* see inner.h */
void
ipsec_tunnel_wrap(const struct ipsec_sa *sa, uint8_t *p, size_t len,
                  const struct ipsec_ip *inner, const uint8_t *in)
{
    if (IS_IP6(sa->local.version)) {
        wrap6(sa, p, len, inner, in);
    } else {
        wrap4(sa, p, len, inner);
    }
}

/* The inner ECN field after decapsulation (RFC 6040 section 4.2, figure 4);
 * -1: drop. */
static int
ecn_merge(unsigned inner, unsigned outer)
{
    if (outer == ECN_CE) {
        return inner == 0 ? -1 : (int)ECN_CE;
    }
    if (outer == ECN_ECT1 && inner == ECN_ECT0) {
        return (int)ECN_ECT1;
    }
    return (int)inner;
}

/* see inner.h */
int
ipsec_tunnel_unwrap(struct ipsec_buf *buf, uint8_t proto, struct ipsec_ip *ip)
{
    unsigned outer = ip->tos & ECN, inner;
    int rc, ecn;

    if (proto != PROTO_IPIP && proto != PROTO_IPV6) {
        return IPSEC_ERR_MODE;
    }
    rc = ipsec_ip_parse(ip, buf);
    if (rc != IPSEC_OK || IS_IP6(ip->version) != (proto == PROTO_IPV6) ||
        (!IS_IP6(ip->version) && !ipsec_ip4_intact(buf->data))) {
        return IPSEC_ERR_MALFORMED;
    }
    buf->len = ip->len; /* the rest is TFC padding (RFC 4303 section 2.7) */
    inner = ip->tos & ECN;
    ecn = ecn_merge(inner, outer);
    if (ecn < 0) {
        return IPSEC_ERR_ECN;
    }
    if ((unsigned)ecn != inner) {
        ip->tos = (uint8_t)((ip->tos & ~ECN) | (unsigned)ecn);
        if (IS_IP6(ip->version)) {
            ipsec_ip6_set_tos(buf->data, ip->tos);
        } else {
            ipsec_ip4_set_tos(buf->data, ip->tos);
        }
    }
    return IPSEC_OK;
}
