/* SPDX-License-Identifier: MIT */
#include "inner.h"

/*
 * A packet that has arrived (RFC 4301 section 5.2): layer after layer of
 * IPsec that is addressed to us is opened; then policy is asked whether what
 * came out was to come, and over these SAs.
 */

/* What is known of the packet in its present form. */
struct view {
    struct ipsec_ip   ip;
    struct ipsec_flow flow;
    uint32_t          spi, seq; /* of its IPsec header, or the last one */
    uint32_t          label;
};

#ifdef IPSEC_NO_AUDIT_DETAILS
#define details_reset(view, pkt) ((void)0)
#define details_take(view, pkt) ((void)0)
#define details_put(why, pkt, view) ((void)0)
#else
/* So far they are those of the layer it came out of. */
static void
details_reset(struct view *view, const struct ipsec_pkt *pkt)
{
    view->spi = pkt->layers > 0 ? pkt->sa[pkt->layers - 1]->spi : 0;
    view->seq = view->label = 0;
}

/* SPI and number as sent, of AH or ESP: a fragment has them if it is the
 * first. */
static void
details_take(struct view *view, struct ipsec_pkt *pkt)
{
    size_t at = view->ip.off + (view->ip.proto == IPSEC_PROTO_AH ? 4 : 0);
    const uint8_t *hdr = pkt->buf.data + at;

    if (view->ip.frag != FRAG_LATER && at + ESP_HDR <= view->ip.len) {
        view->spi = get32(hdr);
        view->seq = get32(hdr + 4);
        pkt->seq = view->seq;
    }
}

/* The whole number, unless there is none of which this may be the low half. */
static void
details_put(struct ipsec_audit *why, const struct ipsec_pkt *pkt,
            const struct view *view)
{
    why->spi = view->spi;
    why->seq = pkt->seq != 0 ? pkt->seq : view->seq;
    why->label = view->label;
}
#endif

/* `sa` answers for it; NULL: the last that was opened, if any, but of a layer
 * too many none. */
static int
drop(struct ipsec *ips, struct ipsec_pkt *pkt, int status,
     const struct view *view, struct ipsec_sa *sa)
{
    struct ipsec_audit why = { 0 };

    if (sa == NULL && pkt->layers > 0 && status != IPSEC_ERR_DEPTH) {
        sa = pkt->sa[pkt->layers - 1];
    }
    why.status = status;
    why.dir = IPSEC_IN;
    why.flow = &view->flow;
    details_put(&why, pkt, view);
    ipsec_pkt_drop(ips, pkt, sa, &why);
    if (status == IPSEC_ERR_EXPIRED && sa != NULL) {
        ipsec_life_warn(ips, sa);
    }
    ipsec_sa_release(ips, pkt);
    return status;
}

static int
deliver(struct ipsec *ips, struct ipsec_pkt *pkt, int verdict)
{
    struct ipsec_stats *stats = ipsec_pkt_stats(ips, pkt);

    if (verdict == IPSEC_CONSUMED) {
        stats->in_consumed++;
    } else if (verdict == IPSEC_BYPASS) {
        stats->in_bypass++;
    } else {
        stats->in_protect++;
    }
    ipsec_sa_release(ips, pkt);
    return verdict;
}

/* The selectors, after `layers` layers were opened. */
static void
flow_take(struct view *view, const struct ipsec_pkt *pkt, size_t layers)
{
    ipsec_flow_fill(&view->flow, IPSEC_IN, &view->ip, pkt->buf.data);
    view->flow.spd_id = layers > 0
        ? pkt->sa[layers - 1]->spd_id : pkt->spd_id;
    AUDIT_DETAIL(view->label = ipsec_ip_label(pkt->buf.data));
}

/* Did it come out of a tunnel, and so view->ip from ipsec_layer_opened()? */
static int
is_unwrapped(const struct ipsec_pkt *pkt)
{
    return pkt->layers > 0 &&
           ipsec_layer_mode(pkt, pkt->layers - 1u) == IPSEC_MODE_TUNNEL;
}

static int
view_take(struct view *view, const struct ipsec_pkt *pkt)
{
    int rc = is_unwrapped(pkt) ? IPSEC_OK
                               : ipsec_ip_parse(&view->ip, &pkt->buf);

    details_reset(view, pkt);
    if (rc != IPSEC_OK) {
        memset(&view->flow, 0, sizeof view->flow);
        return rc;
    }
    flow_take(view, pkt, pkt->layers);
    if (pkt->layers == 0 && !IS_IP6(view->ip.version) &&
        !ipsec_ip4_intact(pkt->buf.data)) {
        return IPSEC_ERR_MALFORMED;
    }
    return IPSEC_OK;
}

/* Do the SAs that the packet came over, from the innermost outward, answer
 * to `policy`? Notes those that do. */
static int
bundle_check(struct ipsec_pkt *pkt, const struct ipsec_policy *policy)
{
    size_t i = pkt->layers;
    unsigned passed = 0;

    for (; policy != NULL; policy = OUTER(policy)) {
        if (i == 0) {
            return IPSEC_ERR_UNPROTECTED;
        }
        if (pkt->sa[--i]->reqid != policy->reqid) {
            return IPSEC_ERR_SELECTOR;
        }
        if (ipsec_policy_accepts(policy, pkt->sa[i]) != IPSEC_OK ||
            !ipsec_layer_fits(pkt, i, policy)) {
            return IPSEC_ERR_MODE;
        }
        passed |= 1u << i;
    }
    pkt->passed |= (uint8_t)passed;
    return IPSEC_OK;
}

/* Another layer of IPsec inside: those around it may have a policy of their
 * own that lets them carry it (RFC 4301 appendix E). */
static void
layer_vouch(const struct ipsec *ips, struct ipsec_pkt *pkt,
            const struct ipsec_flow *flow)
{
    const struct ipsec_policy *policy =
        ipsec_spd_lookup(ips, IPSEC_IN, flow);

    if (policy != NULL && policy->action == IPSEC_ACTION_PROTECT) {
        (void)bundle_check(pkt, policy);
    }
}

/* Was the packet to come, and in this way? */
static int
judge(struct ipsec *ips, struct ipsec_pkt *pkt, struct view *view)
{
    struct ipsec_policy *policy =
        ipsec_spd_lookup(ips, IPSEC_IN, &view->flow);
    int rc = IPSEC_OK;

    if (view->ip.frag != FRAG_NONE) {
        rc = ipsec_frag_check(ips, IPSEC_IN, &view->ip, &view->flow,
                              pkt->layers, &policy, IPSEC_ERR_SELECTOR);
    }
    if (policy == NULL) {
        policy = ipsec_icmp_related(ips, IPSEC_IN, pkt, &view->ip,
                                    &view->flow);
    }
    if (rc != IPSEC_OK) {
        /* a fragment that this SA is not for (RFC 4301 section 7.3) */
    } else if (policy == NULL) {
        rc = pkt->layers > 0 ? IPSEC_ERR_SELECTOR : IPSEC_ERR_NO_POLICY;
    } else if (policy->action == IPSEC_ACTION_DISCARD) {
        rc = IPSEC_ERR_DISCARD;
    } else if (policy->action == IPSEC_ACTION_BYPASS) {
        rc = pkt->layers > 0 ? IPSEC_ERR_SELECTOR : IPSEC_BYPASS;
    } else {
        rc = bundle_check(pkt, policy);
        if (LAYERS > 1 && rc == IPSEC_OK &&
            pkt->passed != (1u << pkt->layers) - 1) {
            rc = IPSEC_ERR_SELECTOR; /* a layer that nobody asked for */
        }
    }
    if (rc == IPSEC_OK && ipsec_proto_is_icmp(view->ip.proto)) {
        rc = ipsec_icmp_passed(ips, pkt, &view->ip, &view->flow, policy);
    }
    if (view->ip.frag != FRAG_NONE && (rc >= 0 || pkt->layers == 0)) {
        ipsec_frag_note(ips, IPSEC_IN, &view->ip, &view->flow, pkt->layers);
    }
    if (rc >= 0) {
        return deliver(ips, pkt, rc);
    }
    return drop(ips, pkt, rc, view, NULL);
}

/* Is this IPsec that must be ours, or else is nobody's? */
static int
is_for_us(const struct ipsec_pkt *pkt)
{
    return pkt->layers == 0 && (pkt->flags & IPSEC_PKT_TRANSIT) == 0;
}

#ifdef IPSEC_NO_NATT
#define udp_strip(ips, pkt, ip) IPSEC_OK
#define udp_accepts(sa, ip) 1
#else

/* ESP in UDP (RFC 3948) is from here on as ESP, but for view->flow. What is
 * none, and not for us, is somebody else's datagram. */
static int
udp_strip(struct ipsec *ips, const struct ipsec_pkt *pkt, struct ipsec_ip *ip)
{
    int rc = ipsec_udp_strip(ip, pkt->buf.data, ips->cfg->natt_port);

    if (!is_for_us(pkt)) {
        return IPSEC_OK;
    }
    if (rc == IPSEC_CONSUMED) {
        ipsec_pkt_stats(ips, pkt)->in_keepalive++;
    }
    return rc;
}

/* In UDP or not: may `sa` have it? RFC 7296 section 2.23 says so, of both. */
static int
udp_accepts(const struct ipsec_sa *sa, const struct ipsec_ip *ip)
{
    return (sa->flags & IPSEC_SA_ENCAP_ONLY) == 0 ||
           (sa->local_port != 0) == (ip->udp != 0);
}

#endif

/* The SA by which to open the packet; NULL with IPSEC_OK: it is not ours to
 * open (RFC 4301 section 5.2 step 2). */
static int
sa_find(const struct ipsec *ips, struct ipsec_pkt *pkt, struct view *view,
        struct ipsec_sa **sa)
{
    const uint8_t *hdr = pkt->buf.data + view->ip.off;
    int proto = view->ip.proto, ah = proto == IPSEC_PROTO_AH;

    *sa = NULL;
    if (proto != IPSEC_PROTO_ESP && !ah) {
        return IPSEC_OK;
    }
    if (pkt->layers == 0) {
        details_take(view, pkt);
    }
    if (view->ip.frag != FRAG_NONE) {
        return is_for_us(pkt) ? IPSEC_ERR_FRAGMENT : IPSEC_OK;
    }
    if (view->ip.len - view->ip.off < (ah ? AH_HDR : ESP_HDR)) {
        return IPSEC_ERR_MALFORMED;
    }
    hdr += ah ? 4 : 0;
    view->spi = get32(hdr);
    *sa = ipsec_addr_is_group(&view->flow.local)
        ? ipsec_group_find(ips, view->spi, proto, &view->flow.local,
                           &view->flow.remote)
        : ipsec_sad_lookup(ips, IPSEC_IN, view->spi, proto,
                           &view->flow.local);
    if (*sa != NULL && (*sa)->state == IPSEC_SA_MATURE) {
        if (pkt->layers > 0) {
            details_take(view, pkt);
        }
        return IPSEC_OK;
    }
    *sa = NULL;
    return is_for_us(pkt) ? IPSEC_ERR_NO_SA : IPSEC_OK;
}

/* Is it from the SA's peer? In UDP that is asked later. */
static int
source_fits(const struct ipsec_sa *sa, const struct view *view)
{
    return IP_UDP(&view->ip) != 0 || !HAS_SENDER(sa) ||
           ipsec_addr_equal(&view->flow.remote, &sa->remote);
}

/* Begin to open a layer. */
static int
layer_open(struct ipsec *ips, struct ipsec_pkt *pkt, struct ipsec_sa *sa,
           const struct view *view)
{
    int rc;

    if (!udp_accepts(sa, &view->ip)) {
        return IPSEC_ERR_MODE;
    }
    if (sa->mode == IPSEC_MODE_TRANSPORT && !source_fits(sa, view)) {
        return IPSEC_ERR_SELECTOR; /* its addresses are the packet's */
    }
    if (sa->in_flight == UINT16_MAX) {
        return IPSEC_ERR_BUSY; /* one more would be taken for none */
    }
    rc = ipsec_layer_open(ips, pkt, sa, &view->ip);
    if (rc != IPSEC_OK) {
        return rc;
    }
    if (LAYERS > 1 && pkt->layers > 0) {
        layer_vouch(ips, pkt, &view->flow);
    }
    pkt->layers++;
    return ipsec_op_run(pkt, sa);
}

/* The engine has answered `rc` for the layer last begun. */
static int
layer_opened(struct ipsec *ips, struct ipsec_pkt *pkt, struct ipsec_sa *sa,
             struct view *view, int rc)
{
    uint64_t seq = sa->seq;
    int in_udp = IP_UDP(&view->ip) != 0;

    if (rc != IPSEC_OK) {
        return rc;
    }
    sa->used = ips->now;
    rc = ipsec_layer_opened(pkt, sa, &view->ip);
    if (rc == IPSEC_OK && IS_WILD(sa) && !is_unwrapped(pkt) &&
        !source_fits(sa, view)) {
        rc = IPSEC_ERR_SELECTOR; /* as in layer_open(), known only now */
    }
    if (in_udp) {
        rc = ipsec_udp_opened(ips, pkt, sa, &view->flow, sa->seq > seq, rc);
    }
    ipsec_life_warn(ips, sa);
    return rc;
}

/* Open all that is ours, then judge. */
static int
peel(struct ipsec *ips, struct ipsec_pkt *pkt, struct view *view)
{
    struct ipsec_sa *sa = NULL;
    int rc;

    do {
        rc = view_take(view, pkt);
        if (rc == IPSEC_OK) {
            rc = udp_strip(ips, pkt, &view->ip);
        }
        if (rc == IPSEC_CONSUMED) {
            return rc;
        }
        if (rc == IPSEC_OK) {
            rc = sa_find(ips, pkt, view, &sa);
        }
        if (rc != IPSEC_OK) {
            return drop(ips, pkt, rc, view, NULL);
        }
        if (sa == NULL && ipsec_proto_is_icmp(view->ip.proto) &&
            ipsec_icmp_heeded(ips, pkt, &view->ip, &view->flow)) {
            return IPSEC_CONSUMED;
        }
        if (sa == NULL) {
            return judge(ips, pkt, view);
        }
        if (pkt->held == LAYERS) {
            return drop(ips, pkt, IPSEC_ERR_DEPTH, view, NULL);
        }
        ipsec_sa_hold(pkt, sa);
        rc = layer_open(ips, pkt, sa, view);
        rc = layer_opened(ips, pkt, sa, view, rc);
    } while (rc == IPSEC_OK);
    if (rc == PENDING) {
        return rc;
    }
    return rc > 0 ? deliver(ips, pkt, rc) : drop(ips, pkt, rc, view, sa);
}

/* see ipsec.h */
int
ipsec_inbound(struct ipsec *ips, struct ipsec_pkt *pkt)
{
    struct view view;

    ipsec_pkt_reset(pkt);
    return peel(ips, pkt, &view);
}

#ifndef IPSEC_NO_ASYNC

/* see inner.h */
int
ipsec_inbound_resume(struct ipsec *ips, struct ipsec_pkt *pkt, int result)
{
    struct ipsec_sa *sa = pkt->sa[pkt->layers - 1];
    struct view view;
    int rc;

    (void)ipsec_ip_parse(&view.ip, &pkt->buf); /* the header is untouched */
    flow_take(&view, pkt, pkt->layers - 1u);
    (void)ipsec_udp_strip(&view.ip, pkt->buf.data, ips->cfg->natt_port);
    view.spi = sa->spi;
    view.seq = 0;
    if (result == IPSEC_OK) {
        result = ipsec_sa_alive(pkt);
    }
    if (result == IPSEC_OK) {
        /* others may have used it up meanwhile */
        result = ipsec_layer_life(ips, pkt, sa);
    }
    rc = layer_opened(ips, pkt, sa, &view, result);
    if (rc == IPSEC_OK) {
        return peel(ips, pkt, &view);
    }
    return rc > 0 ? deliver(ips, pkt, rc) : drop(ips, pkt, rc, &view, sa);
}

#endif
