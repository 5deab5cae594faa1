/* SPDX-License-Identifier: MIT */
#include "lwip_inner.h"

#include "ipsec/mtu.h"

#include "lwip/igmp.h"
#include "lwip/ip.h"
#include "lwip/mld6.h"

#include <string.h>

/*
 * From lwIP's input hooks to its sockets. A packet on an attached netif gets
 * past a hook in one of two ways: policy has let it pass in clear, or it is
 * the one that deliver() is just handing in. No fragment to us ever does, so
 * lwIP's own reassembly, where what came in clear and what came out of a tunnel
 * might meet after they were judged, has nothing to do.
 */

#define CHECK_ALL (NETIF_CHECKSUM_CHECK_IP | NETIF_CHECKSUM_CHECK_UDP | \
                   NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_ICMP | \
                   NETIF_CHECKSUM_CHECK_ICMP6)

/* see lwip_inner.h */
int (*ipsec_lwip_under_input)(struct pbuf *p, struct netif *inp);

static void
hand_in(struct pbuf *p, struct netif *netif)
{
    int version = IP_HDR_GET_VERSION(p->payload);

#if LWIP_IPV4
    if (version == 4) {
        (void)ip4_input(p, netif);
        return;
    }
#endif
#if LWIP_IPV6
    if (version == 6) {
        (void)ip6_input(p, netif);
        return;
    }
#endif
    LWIP_UNUSED_ARG(version);
    LWIP_UNUSED_ARG(netif);
    (void)pbuf_free(p);
}

/* Give `p`, which has been judged, to lwIP. Its checksums the chip has not
 * verified: it saw ESP, or fragments. */
static void
deliver(struct ipsec_lwip *port, struct pbuf *p)
{
    struct netif *netif = port->netif;
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    const u16_t chip = (u16_t)(CHECK_ALL & ~netif->chksum_flags);

    netif->chksum_flags |= CHECK_ALL;
#endif
    port->passing = p;
    hand_in(p, netif);
    port->passing = NULL; /* even if lwIP dropped it before it asked */
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    netif->chksum_flags &= (u16_t)~chip;
#endif
}

#if LWIP_IPV4
static int
is_for_us4(const u8_t *addr, struct netif *inp)
{
    struct netif *netif;
    ip4_addr_t dst;

    memcpy(&dst, addr, 4);
    if (ip4_addr_ismulticast(&dst)) {
#if LWIP_IGMP
        return igmp_lookfor_group(inp, &dst) != NULL;
#else
        return 1;
#endif
    }
    if (ip4_addr_isany_val(*netif_ip4_addr(inp))) {
        return 1; /* DHCP servers already use the address that we shall have */
    }
    NETIF_FOREACH(netif) {
        if (ip4_addr_isbroadcast(&dst, netif)) {
            return 1;
        }
    }
    return ipsec_lwip_is_own(4, addr);
}
#endif

#if LWIP_IPV6
static int
is_for_us6(const u8_t *addr, struct netif *inp)
{
    ip6_addr_t dst;

    memcpy(dst.addr, addr, 16);
    ip6_addr_clear_zone(&dst);
    if (!ip6_addr_ismulticast(&dst)) {
        return ipsec_lwip_is_own(6, addr);
    }
#if LWIP_IPV6_MLD
    ip6_addr_assign_zone(&dst, IP6_UNKNOWN, inp);
    return ip6_addr_isallnodes_iflocal(&dst) ||
           ip6_addr_isallnodes_linklocal(&dst) ||
           mld6_lookfor_group(inp, &dst) != NULL;
#else
    LWIP_UNUSED_ARG(inp);
    return 1;
#endif
}
#endif

/* see lwip_inner.h */
int
ipsec_lwip_is_for_us(const struct pbuf *p, struct netif *inp)
{
    u8_t ip[40];
    u16_t len = pbuf_copy_partial(p, ip, sizeof ip, 0);

#if LWIP_IPV4
    if (len >= 20 && ip[0] >> 4 == 4) {
        return is_for_us4(ip + 16, inp);
    }
#endif
#if LWIP_IPV6
    if (len == 40 && ip[0] >> 4 == 6) {
        return is_for_us6(ip + 24, inp);
    }
#endif
    LWIP_UNUSED_ARG(len);
    LWIP_UNUSED_ARG(inp);
    return 1;
}

/* Is it to be put together, if it is a fragment? IPv6 that is forwarded is not:
 * only its source could cut it again (RFC 8200 section 4.5). */
static int
is_joined(const struct pbuf *p, int ours)
{
    return ours || IP_HDR_GET_VERSION(p->payload) != 6;
}

/* Has lwIP sent it to itself? Then it is in netif_poll(), called by us, and
 * its source is one of our addresses. */
static int
is_looped(const struct ipsec_lwip *port, const struct pbuf *p)
{
    u8_t ip[40];
    u16_t len = pbuf_copy_partial(p, ip, sizeof ip, 0);
    int version = ip[0] >> 4;

    return port->looping && len >= 20 &&
           (version == 4 || len == sizeof ip) &&
           ipsec_lwip_is_own(version, ip + (version == 4 ? 12 : 8));
}

/* May the library work in it? */
static int
is_writable(const struct pbuf *p)
{
    return p->next == NULL && p->ref == 1 &&
           ((p->type_internal & PBUF_TYPE_FLAG_STRUCT_DATA_CONTIGUOUS) ||
            (p->flags & PBUF_FLAG_IS_CUSTOM));
}

/* What policy asks for packets that go the other way, has bearing on how long
 * they may be. */
static void
clamp(struct ipsec_lwip *port, const struct ipsec_buf *buf)
{
    struct ipsec_lwip_bundle b;
    struct ipsec_flow flow;

    if (ipsec_mss_syn(buf) &&
        ipsec_flow_parse(&flow, IPSEC_IN, buf) == IPSEC_OK) {
        flow.spd_id = port->spd_id;
        ipsec_lwip_bundle(&b, port,
                          ipsec_spd_lookup(port->ips, IPSEC_OUT, &flow));
        (void)ipsec_mss_clamp(buf, b.mtu);
    }
}

/* The reqids of the SAs that a packet came over. 0: one of them is gone, for a
 * callback removed it at its limit. */
static int
over_take(u32_t *over, const struct ipsec_pkt *pkt)
{
    size_t i;

    memset(over, 0, IPSEC_DEPTH * sizeof *over);
    for (i = 0; i < pkt->layers; i++) {
        if (pkt->sa[i] == NULL) {
            return 0;
        }
        over[i] = pkt->sa[i]->reqid;
    }
    return 1;
}

/* Do these SAs, from the innermost outward, answer to `policy`? That more of
 * them were allowed was seen fragment by fragment. */
static int
is_answered(const struct ipsec_policy *policy, const struct ipsec_pkt *pkt)
{
    const struct ipsec_sa *sa;
    size_t i = pkt->layers;

    for (; policy != NULL; policy = policy->outer) {
        if (i == 0 || policy->action != IPSEC_ACTION_PROTECT) {
            return 0;
        }
        sa = pkt->sa[--i];
        if (sa->reqid != policy->reqid ||
            (policy->proto != 0 && policy->proto != sa->proto) ||
            (policy->mode != 0 && policy->mode != sa->mode)) {
            return 0;
        }
    }
    return 1;
}

/* The fragments of `p` were allowed as such, over the SAs of the last of them:
 * but as a whole it shows its ports, and policy may want others for these, or
 * none (RFC 4301 section 5.2 step 4). Nor is it ESP, which would be ours to
 * open. */
static int
is_welcome(const struct ipsec_lwip *port, const struct ipsec_pkt *pkt,
           const struct ipsec_buf *buf)
{
    const struct ipsec_policy *policy;
    struct ipsec_flow flow;

    if (ipsec_flow_parse(&flow, IPSEC_IN, buf) != IPSEC_OK) {
        return 0;
    }
    flow.spd_id = pkt->sa[pkt->layers - 1]->spd_id;
    policy = ipsec_spd_lookup(port->ips, IPSEC_IN, &flow);
    return policy != NULL && is_answered(policy, pkt) &&
           flow.proto != IPSEC_PROTO_ESP && flow.proto != IPSEC_PROTO_AH;
}

/* see lwip_inner.h */
void
ipsec_lwip_opened(struct ipsec_lwip *port, const struct ipsec_pkt *pkt,
                  struct pbuf *p, int rc)
{
    u32_t over[IPSEC_DEPTH];
    struct ipsec_buf buf;
    struct pbuf *q = p;

    if (rc != IPSEC_OK && rc != IPSEC_BYPASS) {
        (void)pbuf_free(p);
        return;
    }
    if (rc == IPSEC_OK) {
        ipsec_lwip_fit(p, &pkt->buf);
        if (!over_take(over, pkt) && ipsec_lwip_is_fragment(p)) {
            port->frag_drop++; /* nobody can say with whom it may join */
            (void)pbuf_free(p);
            return;
        }
        if (is_joined(p, ipsec_lwip_is_for_us(p, port->netif))) {
            q = ipsec_lwip_reass(port, p, over);
        }
        if (q == NULL) {
            return;
        }
    }
    ipsec_lwip_view(&buf, q);
    if (q != p && !is_welcome(port, pkt, &buf)) {
        port->frag_drop++;
        (void)pbuf_free(q);
        return;
    }
    clamp(port, &buf);
    deliver(port, q);
}

/* Judge `p`, one writable piece. 1: it was taken; 0: it may pass as it is. */
static int
judge(struct ipsec_lwip *port, struct pbuf *p, int ours)
{
    struct ipsec_lwip_slot local, *s;
    int rc;

    s = ipsec_lwip_slot(port, &local, IPSEC_IN);
    if (!ours) {
        s->pkt.flags = IPSEC_PKT_TRANSIT;
    }
    ipsec_lwip_view(&s->pkt.buf, p);
    rc = ipsec_inbound(port->ips, &s->pkt);
    if (rc == IPSEC_PENDING) {
        ipsec_lwip_slot_busy(s, p);
        return 1;
    }
    s->state = SLOT_FREE;
    if (rc == IPSEC_BYPASS) {
        clamp(port, &s->pkt.buf);
        return 0;
    }
    local.pkt = s->pkt; /* others may need the slot meanwhile */
    ipsec_lwip_opened(port, &local.pkt, p, rc);
    return 1;
}

/* `p`, or a copy in its place that is writable, or NULL. */
static struct pbuf *
writable(struct ipsec_lwip *port, struct pbuf *p)
{
    struct ipsec_buf buf;
    struct pbuf *q;

    if (is_writable(p)) {
        return p;
    }
    q = ipsec_lwip_copy(&buf, p, 0, 0);
    if (q == NULL) {
        port->nomem++;
    }
    (void)pbuf_free(p);
    return q;
}

/* see lwip_inner.h */
void
ipsec_lwip_open(struct ipsec_lwip *port, struct pbuf *p)
{
    p = writable(port, p);
    if (p != NULL && !judge(port, p, 1)) {
        (void)pbuf_free(p);
    }
}

static int
input(struct pbuf *p, struct netif *inp)
{
    static const u32_t clear[IPSEC_DEPTH];
    struct ipsec_lwip *port = ipsec_lwip_find(inp);
    struct pbuf *q;
    int ours;

    p->flags &= (u8_t)~JUDGED; /* if a driver looped it back as it was */
    if (port == NULL) {
        return ipsec_lwip_under_input != NULL &&
               ipsec_lwip_under_input(p, inp);
    }
    if (p == port->passing) {
        port->passing = NULL;
        return 0;
    }
    if (is_looped(port, p)) {
        return 0;
    }
    ours = ipsec_lwip_is_for_us(p, inp);
    if (!ours && !FORWARDING) {
        port->not_ours++;
        (void)pbuf_free(p);
        return 1;
    }
    q = is_joined(p, ours) ? ipsec_lwip_reass(port, p, clear) : p;
    q = q == p ? writable(port, p) : q;
    if (q != NULL && !judge(port, q, ours)) {
        if (q == p) {
            return 0;
        }
        deliver(port, q);
    }
    return 1;
}

/* see ipsec_lwip.h */
int
ipsec_lwip_ip4_input(struct pbuf *p, struct netif *inp)
{
    int taken = input(p, inp);

#if LWIP_IPV4 && IP_FORWARD
    if (!taken && !ipsec_lwip_forward_note(p) &&
        !ipsec_lwip_is_for_us(p, inp)) {
        (void)pbuf_free(p);
        taken = 1;
    }
#endif
    return taken;
}

/* see ipsec_lwip.h */
int
ipsec_lwip_ip6_input(struct pbuf *p, struct netif *inp)
{
    return input(p, inp);
}
