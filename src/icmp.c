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

#define TTL               64
#define TOS_CONTROL     0xc0 /* precedence 6 (RFC 1812 section 4.3.2.5) */

/* ICMP, of this IP version? */
static int
is_icmp(const struct ipsec_flow *flow)
{
    return flow->proto ==
           (flow->local.version == 4 ? PROTO_ICMP : PROTO_ICMPV6);
}

/* An ICMP error, whose first bytes are there? */
static int
is_error(const struct ipsec_ip *ip, const struct ipsec_flow *flow)
{
    unsigned type = flow->local_port >> 8;

    if (!is_icmp(flow) || flow->opaque != 0 || ip->frag == FRAG_LATER) {
        return 0;
    }
    if (ip->version == 6) {
        return type < 128; /* RFC 4443 section 2.1 */
    }
    return (type >= 3 && type <= 5) || type == 11 || type == 12;
}

/* The packet that the error at `p` quotes; NULL: nothing that can be read. */
static const uint8_t *
quote_take(struct ipsec_ip *quote, const struct ipsec_ip *ip, const uint8_t *p)
{
    size_t at = ip->off + ICMP_HDR;
    int rc;

    if (ip->len <= at || p[at] >> 4 != ip->version) {
        return NULL;
    }
    p += at;
    rc = ip->version == 4 ? ipsec_ip4_quote(quote, p, ip->len - at)
                          : ipsec_ip6_quote(quote, p, ip->len - at);
    return rc == IPSEC_OK ? p : NULL;
}

/* Path MTU */

/* The MTU that an error tells, but no less than we believe; 0: none. */
static uint32_t
mtu_told(const struct ipsec_flow *flow, const uint8_t *icmp)
{
    uint32_t mtu, least;

    if (flow->local.version == 6) {
        mtu = get32(icmp + 4);
        least = IP6_LEN;
        if (flow->local_port >> 8 != TOO_BIG6 >> 8) {
            return 0; /* of any code (RFC 4443 section 3.2) */
        }
    } else {
        mtu = get16(icmp + 6);
        least = IP4_LEN;
        if (flow->local_port != TOO_BIG) {
            return 0;
        }
    }
    return mtu > least ? mtu : least;
}

static int
is_intact(const struct ipsec_ip *ip, const uint8_t *p)
{
    size_t len = ip->len - ip->off;
    uint32_t sum = ip->version == 6 ? ipsec_sum_pseudo(p, ip->proto, len) : 0;

    return ipsec_sum_fold(ipsec_sum_add(sum, p + ip->off, len)) == 0;
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

/* Where the SPI of `proto` is; SIZE_MAX: it has none. */
static size_t
spi_at(const struct ipsec_flow *flow)
{
    if (flow->proto == IPSEC_PROTO_ESP) {
        return 0;
    }
    if (flow->proto == IPSEC_PROTO_AH) {
        return 4;
    }
#ifndef IPSEC_NO_NATT
    if (flow->proto == PROTO_UDP && flow->local_port != 0) {
        return 8;
    }
#endif
    return SIZE_MAX;
}

/* The SA of ours that sent the quoted packet; or NULL. All that is sure to be
 * there is 8 bytes (RFC 792). */
static struct ipsec_sa *
sa_quoted(const struct ipsec *ips, const struct ipsec_ip *quote,
          const uint8_t *p, struct ipsec_flow *flow)
{
    const uint8_t *hdr = p + quote->off;
    size_t len = quote->len - quote->off, at;
    struct ipsec_sa *sa;

    ipsec_flow_fill(flow, IPSEC_OUT, quote, p);
    at = spi_at(flow);
    if (at == SIZE_MAX || quote->frag == FRAG_LATER || len < 8) {
        return NULL;
    }
#ifndef IPSEC_NO_NATT
    if (len < at + 4) {
        return sa_only(ips, flow);
    }
#endif
    sa = ipsec_sad_lookup(ips, IPSEC_OUT, get32(hdr + at),
                          at == 4 ? IPSEC_PROTO_AH : IPSEC_PROTO_ESP,
                          &flow->remote);
    if (sa == NULL || !is_of(sa, flow) ||
        (len >= at + 8 && !was_sent(sa, get32(hdr + at + 4)))) {
        return NULL;
    }
    return sa;
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

/* A whole "too big", to the address that an SA of ours sends from, about a
 * packet of that SA? Then heed it. */
static int
too_big(const struct ipsec *ips, const uint8_t *p, const struct ipsec_ip *ip,
        const struct ipsec_flow *flow)
{
    struct ipsec_flow sent;
    struct ipsec_ip quote;
    struct ipsec_sa *sa;
    const uint8_t *q;
    uint32_t mtu;

    if (!is_error(ip, flow) || ip->frag != FRAG_NONE) {
        return 0;
    }
    q = quote_take(&quote, ip, p);
    mtu = q != NULL ? mtu_told(flow, p + ip->off) : 0;
    if (mtu == 0 || !is_intact(ip, p)) {
        return 0;
    }
    sa = sa_quoted(ips, &quote, q, &sent);
    return sa != NULL && ipsec_addr_equal(&sa->local, &flow->local) &&
           mtu_lower(ips, sa, mtu);
}

/* see inner.h */
int
ipsec_icmp_heeded(struct ipsec *ips, const struct ipsec_pkt *pkt,
                  const struct ipsec_ip *ip, const struct ipsec_flow *flow)
{
    if ((ips->cfg->flags & IPSEC_ACCEPT_PTB) == 0 || pkt->layers > 0 ||
        (pkt->flags & IPSEC_PKT_TRANSIT) != 0 ||
        !too_big(ips, pkt->buf.data, ip, flow)) {
        return 0;
    }
    ipsec_pkt_stats(ips, pkt)->in_too_big++;
    return 1;
}

/* Policy */

/* The policy in direction `dir` of the traffic that an error is about: the
 * quoted packet went the other way. NULL: none, or no error, or one that goes
 * to another than who sent that packet. */
static struct ipsec_policy *
policy_quoted(const struct ipsec *ips, int dir, const struct ipsec_pkt *pkt,
              const struct ipsec_ip *ip, const struct ipsec_flow *flow)
{
    int out = dir == IPSEC_OUT;
    struct ipsec_flow back;
    struct ipsec_ip quote;
    const uint8_t *q;

    if (!is_error(ip, flow)) {
        return NULL;
    }
    q = quote_take(&quote, ip, pkt->buf.data);
    if (q == NULL) {
        return NULL;
    }
    ipsec_flow_fill(&back, out ? IPSEC_IN : IPSEC_OUT, &quote, q);
    back.spd_id = flow->spd_id;
    if (!ipsec_addr_equal(out ? &flow->remote : &flow->local,
                          out ? &back.remote : &back.local)) {
        return NULL;
    }
    return ipsec_spd_lookup(ips, dir, &back);
}

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

    if ((ips->cfg->flags & IPSEC_ICMP_RELATED) == 0 ||
        (dir == IPSEC_IN && pkt->layers == 0)) {
        return NULL;
    }
    policy = policy_quoted(ips, dir, pkt, ip, flow);
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
    if (is_error(ip, flow) && (ips->cfg->flags & IPSEC_ICMP_CHECK) != 0 &&
        !is_same_way(pkt, policy,
                     policy_quoted(ips, IPSEC_IN, pkt, ip, flow))) {
        return IPSEC_ERR_SELECTOR;
    }
    (void)too_big(ips, pkt->buf.data, ip, flow);
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

/* May its sender be told? Not where that might begin a loop, or where nobody
 * knows who it was (RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e)). */
static int
may_tell(const struct ipsec_ip *ip, const struct ipsec_flow *flow, int big)
{
    static const uint8_t none[16];
    const uint8_t *src = flow->local.byte, *dst = flow->remote.byte;

    if (ip->frag == FRAG_LATER || is_error(ip, flow) ||
        (is_icmp(flow) && (flow->opaque != 0 ||
                           (ip->version == 6 &&
                            flow->local_port >> 8 == REDIRECT6 >> 8)))) {
        return 0;
    }
    if (ip->version == 6) {
        return src[0] != 0xff && memcmp(src, none, sizeof none) != 0 &&
               (dst[0] != 0xff || big);
    }
    if (big && !ip->df) {
        return 0; /* it may be fragmented (RFC 4301 section 8.2.1) */
    }
    return src[0] != 0 && src[0] != 127 && src[0] < 224 && dst[0] < 224;
}

/* The header of a packet of `len` bytes between these, at `p`; its length. */
static size_t
header_write(uint8_t *p, size_t len, const struct ipsec_addr *from,
             const struct ipsec_addr *to)
{
    int v6 = from->version == 6;

    memset(p, 0, v6 ? IP6_HDR : IP4_HDR);
    if (v6) {
        p[0] = 0x60;
        p[7] = TTL;
        memcpy(p + 8, from->byte, 16);
        memcpy(p + 24, to->byte, 16);
        ipsec_ip_resize(p, len, 6, PROTO_ICMPV6);
        return IP6_HDR;
    }
    p[0] = 0x45;
    p[1] = TOS_CONTROL;
    p[6] = 0x40; /* DF: its id means nothing (RFC 6864 section 4.1) */
    p[8] = TTL;
    memcpy(p + 12, from->byte, 4);
    memcpy(p + 16, to->byte, 4);
    ipsec_ip_resize(p, len, 9, PROTO_ICMP);
    return IP4_HDR;
}

/* see ipsec.h */
size_t
ipsec_icmp_error(const struct ipsec_pkt *pkt, int status,
                 const struct ipsec_addr *from, uint8_t *out, size_t out_len)
{
    struct ipsec_flow flow;
    struct ipsec_ip ip;
    uint32_t sum = 0;
    size_t len, at;
    uint16_t kind;

    if (pkt->layers > 0 || ipsec_ip_parse(&ip, &pkt->buf) != IPSEC_OK ||
        from->version != ip.version) {
        return 0;
    }
    ipsec_flow_fill(&flow, IPSEC_OUT, &ip, pkt->buf.data);
    kind = kind_of(status, ip.version == 6);
    if (kind == 0 || !may_tell(&ip, &flow, status == IPSEC_ERR_TOO_BIG)) {
        return 0;
    }
    len = ip.len + ICMP_HDR + (ip.version == 6 ? IP6_HDR : IP4_HDR);
    at = ip.version == 6 ? IP6_LEN : IP4_LEN;
    len = len < at ? len : at;
    if (len > out_len) {
        return 0;
    }
    at = header_write(out, len, from, &flow.local);
    memset(out + at, 0, ICMP_HDR);
    put16(out + at, kind);
    if (status == IPSEC_ERR_TOO_BIG) {
        put16(out + at + 6, pkt->mtu); /* of IPv6, the low half */
    }
    memcpy(out + at + ICMP_HDR, pkt->buf.data, len - at - ICMP_HDR);
    if (ip.version == 6) {
        sum = ipsec_sum_pseudo(out, PROTO_ICMPV6, len - at);
    }
    put16(out + at + 2,
          ipsec_sum_fold(ipsec_sum_add(sum, out + at, len - at)));
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
