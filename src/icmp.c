/* SPDX-License-Identifier: MIT */
#include "inner.h"

#ifndef IPSEC_NO_ICMP

/*
 * ICMP errors: the path MTU that one tells of an SA (RFC 4301 section 8.2),
 * the policy for one by the packet that it quotes (section 6.2), and one of
 * our own. `ip` is always the header of the error, `quote` of what it quotes.
 */

#define ICMP_HDR    8u
#define MTU_AGE   600 /* seconds (RFC 1191 section 6.3) */
#define SEQ_AGE 65536 /* packets: what may be under way, with its answer */

/* Most that an error of ours is long (RFC 1812 section 4.3.2.3, RFC 4443
 * section 2.4 (c)), and least that we believe a path takes. */
#define IP4_LEN   576u
#define IP6_LEN  1280u

/* Type << 8 | code */
#define HOST_UNREACHABLE  0x0301u
#define TOO_BIG           0x0304u
#define PROHIBITED        0x030du
#define PROHIBITED6       0x0101u
#define ADDR_UNREACHABLE6 0x0103u
#define TOO_BIG6          0x0200u
#define REDIRECT6         0x8900u

/* Types of ICMPv4 that are errors, a bit each: 3 to 5, 11 and 12 */
#define ERRORS4 0x1838u

#define TTL               64
#define TOS_CONTROL     0xc0 /* precedence 6 (RFC 1812 section 4.3.2.5) */

/* ICMP, of this IP version? */
static int
is_icmp(const struct ipsec_flow *flow)
{
    return flow->proto ==
           (IS_IP6(flow->local.version) ? PROTO_ICMPV6 : PROTO_ICMP);
}

/* An ICMP error, whose first bytes are there? */
static int
is_error(const struct ipsec_ip *ip, const struct ipsec_flow *flow)
{
    unsigned type = flow->local_port >> 8;

    if (!is_icmp(flow) || flow->opaque != 0 || ip->frag == FRAG_LATER) {
        return 0;
    }
    if (IS_IP6(ip->version)) {
        return type < 128; /* RFC 4443 section 2.1 */
    }
    return type < 16 && (ERRORS4 >> type & 1u);
}

struct quote {
    struct ipsec_ip   ip;
    struct ipsec_flow flow; /* in the other direction than the error */
    const uint8_t    *p;
};

enum { NO_ERROR, UNKNOWN, KNOWN };

/* What does an error, that goes in direction `dir`, quote? UNKNOWN: nothing
 * that can be read, or a packet that was not sent by who it goes to. */
static int
quote_take(struct quote *quote, int dir, const uint8_t *p,
           const struct ipsec_ip *ip, const struct ipsec_flow *flow)
{
    size_t at = ip->off + ICMP_HDR;
    int rc, in = dir == IPSEC_IN;

    if (!is_error(ip, flow)) {
        return NO_ERROR;
    }
    if (ip->len <= at || p[at] >> 4 != ip->version) {
        return UNKNOWN;
    }
    p += at;
    rc = IS_IP6(ip->version)
        ? ipsec_ip6_quote(&quote->ip, p, ip->len - at)
        : ipsec_ip4_quote(&quote->ip, p, ip->len - at);
    if (rc != IPSEC_OK) {
        return UNKNOWN;
    }
    quote->p = p;
    ipsec_flow_fill(&quote->flow, in ? IPSEC_OUT : IPSEC_IN, &quote->ip, p);
    quote->flow.spd_id = flow->spd_id;
    return (in ? ipsec_addr_equal(&flow->local, &quote->flow.local)
               : ipsec_addr_equal(&flow->remote, &quote->flow.remote))
        ? KNOWN : UNKNOWN;
}

/* Path MTU */

/* The MTU that an error tells, but no less than we believe; 0: none. */
static uint32_t
mtu_told(const struct ipsec_flow *flow, const uint8_t *icmp)
{
    uint32_t mtu, least = IP4_LEN;

    if (IS_IP6(flow->local.version)) {
        if (flow->local_port >> 8 != TOO_BIG6 >> 8) {
            return 0; /* of any code (RFC 4443 section 3.2) */
        }
        mtu = get32(icmp + 4);
        least = IP6_LEN;
    } else {
        if (flow->local_port != TOO_BIG) {
            return 0;
        }
        mtu = get16(icmp + 6);
    }
    return mtu > least ? mtu : least;
}

static int
is_intact(const struct ipsec_ip *ip, const uint8_t *p)
{
    return ipsec_sum_whole(p, ip->off, ip->proto, ip->len - ip->off) == 0;
}

/* Does `sa` put such headers round its packets? */
static int
is_of(const struct ipsec_sa *sa, const struct ipsec_flow *flow)
{
    return sa->state == IPSEC_SA_MATURE &&
           ipsec_addr_equal(&sa->local, &flow->local) &&
           sa->local_port == flow->local_port &&
           sa->remote_port == flow->remote_port;
}

/* Has `sa` lately sent a packet whose number ends in `low`? */
static int
was_sent(const struct ipsec_sa *sa, uint32_t low)
{
    uint32_t ago = (uint32_t)sa->seq - low;

    return ago < SEQ_AGE && ago < sa->seq;
}

#ifndef IPSEC_NO_NATT

/* The SA in UDP between these addresses and ports, if there is only one. A
 * SAD that is a table is not searched: it may be long. */
static struct ipsec_sa *
sa_only(const struct ipsec *ips, const struct ipsec_flow *flow)
{
    struct ipsec_sa *sa = ips->sad_one.spi, *found = NULL;

    for (; sa != NULL; sa = sa->next_spi) {
        if (sa->dir == IPSEC_OUT && is_of(sa, flow) &&
            ipsec_addr_equal(&sa->remote, &flow->remote)) {
            if (found != NULL) {
                return NULL;
            }
            found = sa;
        }
    }
    return found;
}

#endif

/* The SA of ours that sent the quoted packet; or NULL. All that is sure to be
 * there is 8 bytes (RFC 792). */
static struct ipsec_sa *
sa_quoted(const struct ipsec *ips, const struct quote *quote)
{
    const struct ipsec_flow *flow = &quote->flow;
    const uint8_t *spi = quote->p + quote->ip.off;
    size_t left = quote->ip.len - quote->ip.off;
    uint8_t proto = flow->proto;
    struct ipsec_sa *sa;

    if (quote->ip.frag == FRAG_LATER || left < 8) {
        return NULL;
    }
#ifndef IPSEC_NO_NATT
    if (proto == PROTO_UDP && flow->local_port != 0) {
        if (left < UDP_HDR + 4) {
            return sa_only(ips, flow);
        }
        spi += UDP_HDR;
        left -= UDP_HDR;
        proto = IPSEC_PROTO_ESP;
    }
#endif
    if (proto == IPSEC_PROTO_AH) {
        spi += 4;
        left -= 4;
    } else if (proto != IPSEC_PROTO_ESP) {
        return NULL;
    }
    sa = ipsec_sad_lookup(ips, IPSEC_OUT, get32(spi), proto, &flow->remote);
    return sa != NULL && is_of(sa, flow) &&
           (left < 8 || was_sent(sa, get32(spi + 4))) ? sa : NULL;
}

/* see inner.h */
void
ipsec_icmp_age(const struct ipsec *ips, struct ipsec_sa *sa)
{
    if (sa->until != 0 && (int32_t)(ips->now - sa->until) >= 0) {
        sa->mtu = sa->link_mtu;
        sa->until = 0;
    }
}

static int
mtu_lower(const struct ipsec *ips, struct ipsec_sa *sa, uint32_t mtu)
{
    uint16_t age = ips->cfg->pmtu_age;

    ipsec_icmp_age(ips, sa);
    if (mtu >= (sa->mtu != 0 ? sa->mtu : UINT16_MAX)) {
        return 0;
    }
    sa->mtu = (uint16_t)mtu;
    sa->until = ips->now + (age != 0 ? age : MTU_AGE);
    sa->until += sa->until == 0; /* which says that nothing was learnt */
    return 1;
}

/* Is the error at `p` a whole "too big", about a packet of an SA of ours? Then
 * heed it. */
static int
too_big(const struct ipsec *ips, const uint8_t *p, const struct ipsec_ip *ip,
        const struct ipsec_flow *flow, const struct quote *quote)
{
    uint32_t mtu = mtu_told(flow, p + ip->off);
    struct ipsec_sa *sa = NULL;

    if (ip->frag == FRAG_NONE && mtu != 0 && is_intact(ip, p)) {
        sa = sa_quoted(ips, quote);
    }
    return sa != NULL && mtu_lower(ips, sa, mtu);
}

/* see inner.h */
int
ipsec_icmp_heeded(struct ipsec *ips, const struct ipsec_pkt *pkt,
                  const struct ipsec_ip *ip, const struct ipsec_flow *flow)
{
    const uint8_t *p = pkt->buf.data;
    struct quote quote;

    if ((ips->cfg->flags & IPSEC_ACCEPT_PTB) == 0 || pkt->layers > 0 ||
        (pkt->flags & IPSEC_PKT_TRANSIT) != 0 ||
        quote_take(&quote, IPSEC_IN, p, ip, flow) != KNOWN ||
        !too_big(ips, p, ip, flow, &quote)) {
        return 0;
    }
    ipsec_pkt_stats(ips, pkt)->in_too_big++;
    return 1;
}

/* Policy */

/* Are there SAs for all its layers? */
static int
is_ready(const struct ipsec *ips, const struct ipsec_pkt *pkt,
         const struct ipsec_ip *ip, const struct ipsec_policy *policy)
{
    uint8_t lane = ipsec_pkt_lane(ips, pkt, ip);
    const struct ipsec_sa *sa;

    for (; policy != NULL; policy = policy->outer) {
        sa = ipsec_sad_newest(ips, policy->reqid, lane);
        if (sa == NULL || sa->state != IPSEC_SA_MATURE) {
            return 0;
        }
    }
    return 1;
}

/* see inner.h */
struct ipsec_policy *
ipsec_icmp_related(const struct ipsec *ips, int dir,
                   const struct ipsec_pkt *pkt, const struct ipsec_ip *ip,
                   const struct ipsec_flow *flow)
{
    struct ipsec_policy *policy;
    struct quote quote;

    if ((ips->cfg->flags & IPSEC_ICMP_RELATED) == 0 ||
        (dir == IPSEC_IN && pkt->layers == 0) ||
        quote_take(&quote, dir, pkt->buf.data, ip, flow) != KNOWN) {
        return NULL;
    }
    policy = ipsec_spd_lookup(ips, dir, &quote.flow);
    if (policy == NULL || policy->action != IPSEC_ACTION_PROTECT ||
        (dir == IPSEC_OUT && !is_ready(ips, pkt, ip, policy))) {
        return NULL; /* no SA is made for it (RFC 4301 section 6.2) */
    }
    return policy;
}

/* Would the traffic that the error is about have come over just the SAs that
 * the error came over, which are those that `policy` asks for? */
static int
is_same_way(const struct ipsec_pkt *pkt, const struct ipsec_policy *policy,
            const struct ipsec_policy *quoted)
{
    size_t i = pkt->layers;

    for (; policy != NULL && quoted != NULL;
         policy = policy->outer, quoted = quoted->outer) {
        i--;
        if (quoted->action != IPSEC_ACTION_PROTECT ||
            quoted->reqid != pkt->sa[i]->reqid ||
            ipsec_policy_accepts(quoted, pkt->sa[i]) != IPSEC_OK ||
            !ipsec_layer_fits(pkt, i, quoted)) {
            return 0;
        }
    }
    return policy == quoted;
}

/* see inner.h */
int
ipsec_icmp_passed(struct ipsec *ips, const struct ipsec_pkt *pkt,
                  const struct ipsec_ip *ip, const struct ipsec_flow *flow,
                  const struct ipsec_policy *policy)
{
    const uint8_t *p = pkt->buf.data;
    struct quote quote;
    int what = quote_take(&quote, IPSEC_IN, p, ip, flow);

    if (what != NO_ERROR && (ips->cfg->flags & IPSEC_ICMP_CHECK) != 0 &&
        !is_same_way(pkt, policy, what != KNOWN ? NULL
                     : ipsec_spd_lookup(ips, IPSEC_IN, &quote.flow))) {
        return IPSEC_ERR_SELECTOR;
    }
    if (what == KNOWN) {
        (void)too_big(ips, p, ip, flow, &quote);
    }
    return IPSEC_OK;
}

/* Errors of our own */

/* Type and code; 0: none. */
static uint16_t
kind_of(int status, int v6)
{
    switch (status) {
    case IPSEC_ERR_TOO_BIG:
        return v6 ? TOO_BIG6 : TOO_BIG;
    case IPSEC_ERR_DISCARD:
    case IPSEC_ERR_NO_POLICY:
    case IPSEC_ERR_SELECTOR:
    case IPSEC_ERR_MODE:
        return v6 ? PROHIBITED6 : PROHIBITED;
    case IPSEC_ERR_NO_SA:
        return v6 ? ADDR_UNREACHABLE6 : HOST_UNREACHABLE;
    default:
        return 0;
    }
}

static int
is_none(const uint8_t *addr)
{
    unsigned any = 0, i;

    for (i = 0; i < 16; i++) {
        any |= addr[i];
    }
    return any == 0;
}

/* May its sender be told? Not where that might begin a loop, or where nobody
 * knows who it was (RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e)). */
static int
may_tell(const struct ipsec_ip *ip, const struct ipsec_flow *flow, int big)
{
    uint8_t src = flow->local.byte[0], dst = flow->remote.byte[0];

    if (ip->frag == FRAG_LATER || is_error(ip, flow) ||
        (is_icmp(flow) && (flow->opaque != 0 ||
                           (IS_IP6(ip->version) &&
                            flow->local_port >> 8 == REDIRECT6 >> 8)))) {
        return 0;
    }
    if (IS_IP6(ip->version)) {
        return src != 0xff && !is_none(flow->local.byte) &&
               (dst != 0xff || big);
    }
    if (big && !ip->df) {
        return 0; /* it may be fragmented (RFC 4301 section 8.2.1) */
    }
    return src != 0 && src != 127 && src < 224 && dst < 224;
}

/* The header, of `hdr` bytes, of a packet of `len` bytes between these, at
 * `p`: addresses are at its end, whatever the family. */
static void
header_write(uint8_t *p, size_t hdr, size_t len,
             const struct ipsec_addr *from, const struct ipsec_addr *to)
{
    size_t n = hdr == IP6_HDR ? 16 : 4;

    memset(p, 0, hdr);
    memcpy(p + hdr - 2 * n, from->byte, n);
    memcpy(p + hdr - n, to->byte, n);
    if (hdr == IP6_HDR) {
        p[0] = 0x60;
        p[7] = TTL;
        ipsec_ip_resize(p, len, 6, PROTO_ICMPV6);
    } else {
        p[0] = 0x45;
        p[1] = TOS_CONTROL;
        p[6] = 0x40; /* DF: its id means nothing (RFC 6864 section 4.1) */
        p[8] = TTL;
        ipsec_ip_resize(p, len, 9, PROTO_ICMP);
    }
}

/* The error of type and code `kind` at `p`, `len` bytes, of which the header
 * takes `hdr`: quote what `pkt` has room for. */
static void
error_write(uint8_t *p, size_t hdr, size_t len, uint16_t kind,
            const struct ipsec_pkt *pkt)
{
    uint8_t *icmp = p + hdr;
    int v6 = hdr == IP6_HDR;

    memset(icmp, 0, ICMP_HDR);
    put16(icmp, kind);
    if (kind == (v6 ? TOO_BIG6 : TOO_BIG)) {
        put16(icmp + 6, pkt->mtu); /* of IPv6, the low half */
    }
    memcpy(icmp + ICMP_HDR, pkt->buf.data, len - hdr - ICMP_HDR);
    put16(icmp + 2, ipsec_sum_whole(p, hdr, v6 ? PROTO_ICMPV6 : PROTO_ICMP,
                                    len - hdr));
}

/* see ipsec.h */
size_t
ipsec_icmp_error(const struct ipsec_pkt *pkt, int status,
                 const struct ipsec_addr *from, uint8_t *out, size_t out_len)
{
    size_t hdr = IP4_HDR, most = IP4_LEN, len;
    struct ipsec_flow flow;
    struct ipsec_ip ip;
    uint16_t kind;

    if (pkt->layers > 0 || ipsec_ip_parse(&ip, &pkt->buf) != IPSEC_OK ||
        from->version != ip.version) {
        return 0;
    }
    if (IS_IP6(ip.version)) {
        hdr = IP6_HDR;
        most = IP6_LEN;
    }
    len = ip.len + ICMP_HDR + hdr;
    len = len < most ? len : most;
    kind = kind_of(status, hdr == IP6_HDR);
    ipsec_flow_fill(&flow, IPSEC_OUT, &ip, pkt->buf.data);
    if (len > out_len || kind == 0 ||
        !may_tell(&ip, &flow, status == IPSEC_ERR_TOO_BIG)) {
        return 0;
    }
    header_write(out, hdr, len, from, &flow.local);
    error_write(out, hdr, len, kind, pkt);
    return len;
}

#else

/* see ipsec.h */
size_t
ipsec_icmp_error(const struct ipsec_pkt *pkt, int status,
                 const struct ipsec_addr *from, uint8_t *out, size_t out_len)
{
    (void)pkt;
    (void)status;
    (void)from;
    (void)out;
    (void)out_len;
    return 0;
}

#endif
