/* SPDX-License-Identifier: MIT */
#include "inner.h"

/*
 * A packet on its way out (RFC 4301 section 5.1): its policy, then all SAs
 * of its bundle, with room, lifetimes and MTU; only then, layer by layer, the
 * packet itself.
 */

#define IP6_MIN_MTU 1280 /* RFC 8200 section 5 */

/* How many SAs a packet holds, and which comes next. */
#ifdef IPSEC_NO_BUNDLES
#define HELD(pkt)  ((size_t)1)
#define STAGE(pkt) ((size_t)0)
#else
#define HELD(pkt)  ((size_t)(pkt)->held)
#define STAGE(pkt) ((size_t)(pkt)->stage)
#endif

#ifdef IPSEC_NO_AUDIT_DETAILS
#define details_put(why, pkt, sa) ((void)0)
#else
/* The number of a packet that has none yet: the last, if that is what it lacks
 * (RFC 4303 section 3.3.3). A dummy may have no header yet. */
static void
details_put(struct ipsec_audit *why, const struct ipsec_pkt *pkt,
            const struct ipsec_sa *sa)
{
    why->seq = why->status == IPSEC_ERR_SEQ_OVERFLOW ? sa->seq : pkt->seq;
    if (why->flow != NULL && pkt->buf.len != 0) {
        why->label = ipsec_ip_label(pkt->buf.data);
    }
}
#endif

static int
drop(struct ipsec *ips, struct ipsec_pkt *pkt, int status,
     const struct ipsec_flow *flow, struct ipsec_sa *sa)
{
    struct ipsec_audit why = { 0 };
    struct ipsec_flow none;

    why.status = status;
    why.dir = IPSEC_OUT;
    why.flow = flow;
    details_put(&why, pkt, sa);
    if (flow == NULL) {
        memset(&none, 0, sizeof none);
        why.flow = &none;
    }
    ipsec_pkt_drop(ips, pkt, sa, &why);
    if (status == IPSEC_ERR_EXPIRED || status == IPSEC_ERR_SEQ_OVERFLOW) {
        ipsec_life_warn(ips, sa);
    }
    ipsec_sa_release(ips, pkt);
    return status;
}

static struct ipsec_policy *
policy_of(const struct ipsec *ips, struct ipsec_pkt *pkt,
          const struct ipsec_flow *flow)
{
    /* what is said of a fragment without ports is not for whole packets */
    struct ipsec_hint *hint = flow->opaque ? NULL : pkt->hint;
    struct ipsec_policy *policy;

    if (hint != NULL && hint->policy != NULL &&
        hint->generation == ips->generation &&
        ipsec_policy_match(hint->policy, IPSEC_OUT, flow)) {
        return hint->policy;
    }
    policy = ipsec_spd_lookup(ips, IPSEC_OUT, flow);
    if (hint != NULL) {
        hint->policy = policy;
        hint->generation = ips->generation;
    }
    return policy;
}

/* May `sa` carry a packet between these addresses, as this policy asks? */
static int
sa_check(const struct ipsec *ips, int transit,
         const struct ipsec_policy *policy, const struct ipsec_sa *sa,
         const struct ipsec_addr *local, const struct ipsec_addr *remote)
{
    int rc = ipsec_policy_accepts(policy, sa);

    if (rc == IPSEC_OK && sa->mode == IPSEC_MODE_TRANSPORT) {
        if (transit) {
            return IPSEC_ERR_MODE; /* RFC 4301 section 4.1 */
        }
        if (!ipsec_addr_equal(local, &sa->local) ||
            !ipsec_addr_equal(remote, &sa->remote)) {
            return IPSEC_ERR_SELECTOR;
        }
    }
    if (rc == IPSEC_OK && sa->in_flight == UINT16_MAX) {
        return IPSEC_ERR_BUSY; /* one more would be taken for none */
    }
    return rc == IPSEC_OK ? ipsec_life_check(ips, sa, sa->seq) : rc;
}

#ifdef IPSEC_NO_KEYMGMT
#define acquire(ips, policy, flow, lane) ((void)(ips), (void)(flow))
#else
static void
acquire(const struct ipsec *ips, struct ipsec_policy *policy,
        const struct ipsec_flow *flow, int lane)
{
    const struct ipsec_config *cfg = ips->cfg;

    if (cfg->acquire != NULL) {
        cfg->acquire(cfg->user, policy, flow, lane);
    }
}
#endif

/* Hold the SAs of all layers. On an error, the last one held is at fault. */
static int
bundle_hold(struct ipsec *ips, struct ipsec_pkt *pkt,
            const struct ipsec_ip *ip, struct ipsec_policy *policy,
            const struct ipsec_flow *flow)
{
    const struct ipsec_addr *local = &flow->local, *remote = &flow->remote;
    struct ipsec_sa *sa;
    int rc, transit = (pkt->flags & IPSEC_PKT_TRANSIT) != 0;
    uint8_t lane = ipsec_pkt_lane(ips, pkt, ip);

    for (; policy != NULL; policy = OUTER(policy)) {
        if (pkt->held == LAYERS) {
            return IPSEC_ERR_DEPTH;
        }
        sa = policy->reqid == 0
            ? NULL : ipsec_sad_newest(ips, policy->reqid, lane);
        if (sa == NULL) {
            acquire(ips, policy, flow, lane);
        }
        if (sa == NULL || IS_LARVAL(sa)) {
            return IPSEC_ERR_NO_SA;
        }
        ipsec_sa_hold(pkt, sa);
        ipsec_icmp_age(ips, sa);
        rc = sa_check(ips, transit, policy, sa, local, remote);
        if (rc != IPSEC_OK) {
            return rc;
        }
        local = &sa->local;
        remote = &sa->remote;
        if (sa->mode == IPSEC_MODE_TUNNEL) {
            transit = 0; /* the packet round it is ours */
        }
    }
    return IPSEC_OK;
}

/* Length of the headers that layer `i` leaves in front in transport mode. */
static size_t
ins_of(const struct ipsec_pkt *pkt, const struct ipsec_ip *ip, size_t i)
{
    while (i > STAGE(pkt)) {
        if (pkt->sa[--i]->mode == IPSEC_MODE_TUNNEL) {
            return ipsec_tunnel_len(pkt->sa[i]);
        }
    }
    return ip->ins;
}

/* The largest packet that passes through the layers from `from` on, path MTUs
 * heeded or not. */
static size_t
mtu_from(const struct ipsec_pkt *pkt, const struct ipsec_ip *ip, size_t from,
         int heed)
{
    const struct ipsec_sa *sa;
    size_t i = HELD(pkt), mtu = SIZE_MAX, max;

    while (i > from) {
        sa = pkt->sa[--i];
        max = UINT16_MAX + (IS_IP6(sa->local.version) ? IP6_HDR : 0);
        if (heed && sa->mtu != 0) {
            max = sa->mtu;
        }
        mtu = ipsec_layer_mtu(sa, ins_of(pkt, ip, i), mtu < max ? mtu : max);
    }
    return mtu;
}

/* ... and through all layers yet to come. */
static size_t
mtu_of(const struct ipsec_pkt *pkt, const struct ipsec_ip *ip, int heed)
{
    return mtu_from(pkt, ip, STAGE(pkt), heed);
}

#ifdef IPSEC_NO_TFC
#define tfc_of(pkt, ip, i, len) ((size_t)0)
#else
/* Bytes of TFC padding (RFC 4303 section 2.7) that layer `i` puts behind a
 * packet of `len`: no more than the paths of all further layers take. */
static size_t
tfc_of(const struct ipsec_pkt *pkt, const struct ipsec_ip *ip, size_t i,
       size_t len)
{
    size_t want = pkt->sa[i]->tfc, most;

    if (want <= len) {
        return 0;
    }
    most = mtu_from(pkt, ip, i, 1);
    want = want < most ? want : most;
    return want > len ? want - len : 0;
}
#endif

/* Will any of the headers, the packet's own or a new one, forbid that it be
 * fragmented? */
static int
df_of(const struct ipsec_pkt *pkt, const struct ipsec_ip *ip)
{
    int df = ip->df, any = df;
    size_t i;

    if (IS_IP6(ip->version) && (pkt->flags & IPSEC_PKT_FRAG_OK)) {
        any = 0;
    }
    for (i = 0; i < HELD(pkt); i++) {
        if (pkt->sa[i]->mode == IPSEC_MODE_TUNNEL) {
            df = ipsec_tunnel_df(pkt->sa[i], df);
            any |= df;
            /* we may fragment our own IPv6, but not once it is inside */
            df |= IS_IP6(pkt->sa[i]->local.version);
        }
    }
    return any;
}

/* One of the layers exceeds an MTU: does it matter (RFC 4301 section 8.2.1)? */
static int
mtu_check(struct ipsec_pkt *pkt, const struct ipsec_ip *ip)
{
    size_t mtu = mtu_of(pkt, ip, df_of(pkt, ip));

    if (IS_IP6(ip->version) && mtu < IP6_MIN_MTU) {
        mtu = IP6_MIN_MTU; /* a sender need not go below: fragment outside */
    }
    if (ip->len <= mtu) {
        return IPSEC_OK;
    }
    pkt->mtu = (uint16_t)(mtu < UINT16_MAX ? mtu : UINT16_MAX);
    return IPSEC_ERR_TOO_BIG;
}

/* Is there room for all layers yet to come, to the byte? `*big`: one of them
 * makes it longer than its path's MTU, or than an IPv4 packet may be. */
static int
room_check(struct ipsec_pkt *pkt, const struct ipsec_ip *ip, int *big)
{
    const struct ipsec_buf *buf = &pkt->buf;
    const struct ipsec_sa *sa;
    size_t i, more, head = 0, len = ip->len;
    int over = 0;

    for (i = STAGE(pkt); i < HELD(pkt); i++) {
        sa = pkt->sa[i];
        more = ipsec_layer_head(sa);
        head += more;
        len += tfc_of(pkt, ip, i, len);
        len += more + ipsec_layer_tail(sa, ins_of(pkt, ip, i), len);
        over |= len > (sa->mtu != 0 ? sa->mtu : UINT16_MAX);
    }
    *big = over;
    pkt->head = (uint16_t)head;
    pkt->tail = (uint16_t)(len - head - ip->len);
    return (size_t)(buf->data - buf->head) < head ||
           (size_t)(buf->end - buf->data) < len - head
        ? IPSEC_ERR_ROOM : IPSEC_OK;
}

/* Can AH authenticate the packet's own headers? Those of tunnels it can. */
static int
headers_check(const struct ipsec_pkt *pkt, const struct ipsec_ip *ip)
{
#ifndef IPSEC_NO_AH
    size_t i;
    int rc;

    for (i = 0; i < pkt->held &&
                pkt->sa[i]->mode == IPSEC_MODE_TRANSPORT; i++) {
        if (pkt->sa[i]->proto == IPSEC_PROTO_AH) {
            rc = ipsec_ah_covers(pkt->sa[i], pkt->buf.data, ip->ins);
            if (rc != IPSEC_OK) {
                return rc;
            }
        }
    }
#else
    (void)pkt;
    (void)ip;
#endif
    return IPSEC_OK;
}

static int
bundle_check(struct ipsec_pkt *pkt, const struct ipsec_ip *ip)
{
    int rc, room, big;

    if (ip->frag != FRAG_NONE && pkt->sa[0]->mode == IPSEC_MODE_TRANSPORT) {
        return IPSEC_ERR_FRAGMENT; /* RFC 4303 section 3.3.4 */
    }
    rc = headers_check(pkt, ip);
    if (rc != IPSEC_OK) {
        return rc;
    }
    room = room_check(pkt, ip, &big);
    rc = big ? mtu_check(pkt, ip) : IPSEC_OK;
    return rc == IPSEC_OK ? room : rc;
}

#if defined(IPSEC_NO_IPV6) ||                                                 \
    (defined(IPSEC_NO_AH) && defined(IPSEC_NO_NATT))
#define is_foreign(sa, ip) 0 /* or if so, no length changes by it */
#else
/* In transport mode the header stays: is it of another IP version than `sa`
 * is by now, by which lengths are reckoned? */
static int
is_foreign(const struct ipsec_sa *sa, const struct ipsec_ip *ip)
{
    return sa->mode == IPSEC_MODE_TRANSPORT &&
           sa->local.version != ip->version;
}
#endif

/* Since the SAs were chosen a callback has run, or the packet was in the
 * engine: the next may have been removed, updated (to longer addresses), or
 * used up by other packets. */
static int
layer_check(const struct ipsec *ips, struct ipsec_pkt *pkt,
            const struct ipsec_ip *ip)
{
    const struct ipsec_sa *sa = pkt->sa[pkt->stage];
    int rc = ipsec_sa_alive(pkt), big = 0;

    if (rc == IPSEC_OK) {
        rc = ipsec_life_check(ips, sa, sa->seq);
    }
    if (rc == IPSEC_OK && is_foreign(sa, ip)) {
        rc = IPSEC_ERR_SELECTOR;
    }
    if (rc == IPSEC_OK) {
        rc = room_check(pkt, ip, &big);
    }
    if (rc == IPSEC_OK && big && ip->len > mtu_of(pkt, ip, 0)) {
        rc = IPSEC_ERR_ROOM; /* its sender has no part in it: not TOO_BIG */
    }
    return rc;
}

/* Begin the layer pkt->stage. */
static int
layer_seal(struct ipsec_pkt *pkt, struct ipsec_ip *ip)
{
#ifndef IPSEC_NO_TFC
    size_t at = ip->version == 0 ? ip->off : ip->len; /* 0: dummy.c */

    ip->len += tfc_of(pkt, ip, pkt->stage, ip->len);
    if (ip->len > at) {
        memset(pkt->buf.data + at, 0, ip->len - at);
    }
#endif
    ipsec_layer_seal(pkt, ip);
    return ipsec_op_run(pkt, pkt->sa[pkt->stage]);
}

/* The packet has a new header by now: that is the one to tell of. */
static int
layer_drop(struct ipsec *ips, struct ipsec_pkt *pkt, int status,
           struct ipsec_sa *sa)
{
    struct ipsec_flow flow;
    int rc = ipsec_flow_parse(&flow, IPSEC_OUT, &pkt->buf);

    return drop(ips, pkt, status, rc == IPSEC_OK ? &flow : NULL, sa);
}

/* An operation ended with `rc`: this layer's end, and all further ones. */
static int
go_on(struct ipsec *ips, struct ipsec_pkt *pkt, int rc)
{
    struct ipsec_ip ip;
    struct ipsec_sa *sa = pkt->sa[pkt->stage];

    while (rc == IPSEC_OK) {
        if (IS_IP6(pkt->buf.data[0] >> 4)) {
            ipsec_sum_renew(&pkt->buf); /* of UDP: all is final now */
        }
        sa->packets++;
        sa->used = ips->now;
        ipsec_life_warn(ips, sa);
        if (LAYERS == 1 || ++pkt->stage == pkt->layers) {
            ipsec_pkt_stats(ips, pkt)->out_protect++;
            ipsec_sa_release(ips, pkt);
            return IPSEC_OK;
        }
        sa = pkt->sa[pkt->stage];
        AUDIT_DETAIL(pkt->seq = 0);
        rc = ipsec_ip_parse(&ip, &pkt->buf);
        if (rc == IPSEC_OK) {
            rc = layer_check(ips, pkt, &ip);
        }
        if (rc == IPSEC_OK) {
            rc = layer_seal(pkt, &ip);
        }
    }
    return rc == PENDING ? rc : layer_drop(ips, pkt, rc, sa);
}

/* see inner.h */
int
ipsec_outbound_begin(struct ipsec *ips, struct ipsec_pkt *pkt,
                     struct ipsec_ip *ip, const struct ipsec_flow *flow,
                     int rc)
{
    struct ipsec_sa *sa = NULL;

    if (rc == IPSEC_OK) {
        rc = bundle_check(pkt, ip);
    } else if (rc != IPSEC_ERR_NO_SA) {
        sa = pkt->sa[pkt->held - 1];
    }
    if (rc != IPSEC_OK) {
        return drop(ips, pkt, rc, flow, sa);
    }
    pkt->layers = pkt->held;
    return go_on(ips, pkt, layer_seal(pkt, ip));
}

/* see ipsec.h */
int
ipsec_outbound(struct ipsec *ips, struct ipsec_pkt *pkt)
{
    struct ipsec_policy *policy;
    struct ipsec_flow flow;
    struct ipsec_ip ip;
    int rc;

    ipsec_pkt_reset(pkt);
    rc = ipsec_ip_parse(&ip, &pkt->buf);
    if (rc != IPSEC_OK) {
        return drop(ips, pkt, rc, NULL, NULL);
    }
    ipsec_flow_fill(&flow, IPSEC_OUT, &ip, pkt->buf.data);
    flow.spd_id = pkt->spd_id;
    policy = policy_of(ips, pkt, &flow);
    if (ip.frag != FRAG_NONE) {
        ipsec_frag_note(ips, IPSEC_OUT, &ip, &flow, 0);
        rc = ipsec_frag_check(ips, IPSEC_OUT, &ip, &flow, 0, &policy,
                              IPSEC_ERR_FRAGMENT);
    }
    if (rc != IPSEC_OK) {
        return drop(ips, pkt, rc, &flow, NULL);
    }
    if (policy == NULL) {
        policy = ipsec_icmp_related(ips, IPSEC_OUT, pkt, &ip, &flow);
    }
    if (policy == NULL) {
        return drop(ips, pkt, IPSEC_ERR_NO_POLICY, &flow, NULL);
    }
    switch (policy->action) {
    case IPSEC_ACTION_PROTECT:
        if (ipsec_pfp_check(policy, &flow) != IPSEC_OK) {
            /* no SA can be made for it (RFC 4301 section 4.4.2.2) */
            return drop(ips, pkt, IPSEC_ERR_SELECTOR, &flow, NULL);
        }
        rc = bundle_hold(ips, pkt, &ip, policy, &flow);
        return ipsec_outbound_begin(ips, pkt, &ip, &flow, rc);
    case IPSEC_ACTION_BYPASS:
        ipsec_pkt_stats(ips, pkt)->out_bypass++;
        return IPSEC_BYPASS;
    default:
        return drop(ips, pkt, IPSEC_ERR_DISCARD, &flow, NULL);
    }
}

#ifndef IPSEC_NO_ASYNC

/* see inner.h */
int
ipsec_outbound_resume(struct ipsec *ips, struct ipsec_pkt *pkt, int result)
{
    return go_on(ips, pkt, result == IPSEC_OK ? ipsec_sa_alive(pkt) : result);
}

#endif
