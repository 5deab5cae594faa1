/* SPDX-License-Identifier: MIT */
#include "inner.h"

/* IPv4 (RFC 791): everything that knows where its fields are. */

#define DF 0x4000u
#define MF 0x2000u

/* A fragment, `at` units of 8 bytes behind the first: not on top of the TCP
 * header's flags (RFC 3128, RFC 4301 section 7.2), nor beyond what a datagram
 * can hold. */
static int
is_sound(const struct ipsec_ip *ip, size_t at)
{
    return (at > 1 || ip->proto != PROTO_TCP) &&
           at * 8 + ip->len <= FRAG_END;
}

/* Of a packet that may be cut off, or not. */
static int
parse(struct ipsec_ip *ip, const uint8_t *p, size_t len, int cut)
{
    uint16_t frag;

    if (len < IP4_HDR) {
        return IPSEC_ERR_MALFORMED;
    }
    ip->version = 4;
    ip->len = get16(p + 2);
    if (cut && ip->len > len) {
        ip->len = len;
    }
    ip->off = (size_t)(p[0] & 15) * 4;
    if (ip->off < IP4_HDR || ip->off > ip->len || ip->len > len) {
        return IPSEC_ERR_MALFORMED;
    }
    ip->nh = 9;
    ip->ins = ip->off;
    ip->ins_nh = ip->nh;
    ip->proto = p[9];
    ip->tos = p[1];
    ip->udp = 0;
#ifndef IPSEC_NO_FRAGMENTS
    ip->id = get16(p + 4);
    ip->fh = 0;
#endif
    frag = get16(p + 6);
    ip->df = (frag & DF) != 0;
    ip->frag = FRAG_NONE;
    if (frag & 0x1fff) {
        ip->frag = FRAG_LATER;
        if (!is_sound(ip, frag & 0x1fffu)) {
            return IPSEC_ERR_MALFORMED;
        }
    } else if (frag & MF) {
        ip->frag = FRAG_FIRST;
    }
    return IPSEC_OK;
}

/* see inner.h */
int
ipsec_ip4_parse(struct ipsec_ip *ip, const uint8_t *p, size_t len)
{
    return parse(ip, p, len, 0);
}

#ifndef IPSEC_NO_ICMP

/* see inner.h */
int
ipsec_ip4_quote(struct ipsec_ip *ip, const uint8_t *p, size_t len)
{
    return parse(ip, p, len, 1);
}

#endif

/* The checksum of the header, which is 0 if it holds its own. */
static inline uint16_t
checksum(const uint8_t *p)
{
    return ipsec_sum_fold(ipsec_sum_words(0, p, (size_t)(p[0] & 15) * 4));
}

/* see inner.h */
int
ipsec_ip4_intact(const uint8_t *p)
{
    return checksum(p) == 0;
}

/* see inner.h */
void
ipsec_ip4_seal(uint8_t *p)
{
    put16(p + 10, 0);
    put16(p + 10, checksum(p));
}

/* see inner.h */
void
ipsec_ip4_set_tos(uint8_t *p, uint8_t tos)
{
    p[1] = tos;
    ipsec_ip4_seal(p);
}

#if !defined(IPSEC_NO_AH) || !defined(IPSEC_NO_FRAGMENTS)

/* see inner.h */
size_t
ipsec_ip4_option(const uint8_t *opt, size_t room)
{
    if (opt[0] == IP4_OPT_NOP) {
        return 1;
    }
    return room < 2 || opt[1] < 2 || opt[1] > room ? 0 : opt[1];
}

#endif

#ifndef IPSEC_NO_AH

#define OPT_LSRR  131
#define OPT_SSRR  137

/* Options that nobody changes on the way (RFC 4302 appendix A1): no operation,
 * security, extended security, commercial security, router alert,
 * sender-directed multi-destination delivery. */
static int
is_immutable(uint8_t type)
{
    return type == IP4_OPT_NOP || type == 130 || type == 133 ||
           type == 134 || type == 148 || type == 149;
}

/* A source route: where it has not been followed to its end, the last address
 * in it is where the packet will have arrived. 0: malformed. */
static int
route_follow(uint8_t *to, const uint8_t *opt, size_t len)
{
    if (len < 3 || opt[2] < 4 || opt[2] > len + 1) {
        return 0;
    }
    if (len >= 7 && opt[2] <= len - 3) {
        memcpy(to + 16, opt + len - 4, 4);
    }
    return 1;
}

/* see inner.h */
size_t
ipsec_ip4_mask(uint8_t *to, size_t hdr)
{
    size_t at = IP4_HDR, len;
    uint8_t type, *opt;

    to[1] = 0;             /* DSCP and ECN */
    memset(to + 6, 0, 3);  /* flags, fragment offset, TTL */
    memset(to + 10, 0, 2); /* checksum */
    for (; at < hdr && to[at] != IP4_OPT_END; at += len) {
        opt = to + at;
        type = opt[0];
        len = ipsec_ip4_option(opt, hdr - at);
        if (len == 0 || ((type == OPT_LSRR || type == OPT_SSRR) &&
                         !route_follow(to, opt, len))) {
            return 0;
        }
        if (!is_immutable(type)) {
            memset(opt, 0, len); /* type and length, too */
        }
    }
    return hdr;
}

#endif
