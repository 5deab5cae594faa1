/* SPDX-License-Identifier: MIT */
#include "lwip_inner.h"

#include "ipsec/mtu.h"

#include "lwip/sys.h"

#include <string.h>

/* From lwIP to the link: whole datagrams, judged, sealed, and handed on. */

#define IP_MAX 40u /* longest IP header that a dummy packet is given */

/* Flags that depend on whose packet it is. */
static u8_t
flags_of(const struct ipsec_flow *flow)
{
    static const u8_t any[16];
    int version = flow->local.version;
    int own = memcmp(flow->local.byte, any, 16) == 0 ||
              ipsec_lwip_is_own(version, flow->local.byte);

    if (!own) {
        return IPSEC_PKT_TRANSIT;
    }
    return version == 6 ? IPSEC_PKT_FRAG_OK : 0;
}

/* Policy for the packet of `s`, and what it takes. NULL: none, or malformed,
 * which the library will say in its own words. */
static struct ipsec_policy *
policy_of(struct ipsec_lwip_slot *s, struct ipsec_lwip_bundle *b)
{
    const struct ipsec *ips = s->port->ips;
    struct ipsec_flow flow;

    s->hint.policy = NULL;
    if (ipsec_flow_parse(&flow, IPSEC_OUT, &s->pkt.buf) == IPSEC_OK) {
        flow.spd_id = s->port->spd_id;
        s->pkt.flags = flags_of(&flow);
        s->hint.policy = ipsec_spd_lookup(ips, IPSEC_OUT, &flow);
        s->hint.generation = ips->generation;
    }
    s->pkt.hint = &s->hint;
    ipsec_lwip_bundle(b, s->port, s->hint.policy);
    return s->hint.policy;
}

static int
has_room(const struct ipsec_buf *buf, const struct ipsec_lwip_bundle *b)
{
    return (size_t)(buf->data - buf->head) >= b->head &&
           (size_t)(buf->end - buf->data) - buf->len >= b->tail;
}

/* Where the library may work: in `p`, if it will only look, or else in a copy
 * with room enough. NULL: no memory. */
static struct pbuf *
ready(struct ipsec_lwip_slot *s, struct pbuf *p)
{
    struct ipsec_buf *buf = &s->pkt.buf;
    struct ipsec_lwip_bundle b;
    struct pbuf *q = p, *old;
    int syn;

    ipsec_lwip_view(buf, p);
    if (p->next != NULL) {
        q = ipsec_lwip_copy(buf, p, IPSEC_HEADROOM, IPSEC_TAILROOM);
    }
    if (q == NULL || policy_of(s, &b) == NULL) {
        return q;
    }
    syn = b.complete && ipsec_mss_syn(buf);
    if (!has_room(buf, &b) || (syn && q == p)) {
        old = q;
        q = ipsec_lwip_copy(buf, old, b.head, b.tail);
        if (old != p) {
            (void)pbuf_free(old);
        }
    }
    if (q != NULL && syn) {
        (void)ipsec_mss_clamp(buf, b.mtu);
    }
    return q;
}

/* No SA yet: keep a copy of `p`, if there is a slot and not yet one in it. */
static err_t
hold(struct ipsec_lwip_slot *s, struct pbuf *p)
{
    struct ipsec_lwip *port = s->port;

    if (s->pkt.done == NULL) {
        port->hold_full++;
        return ERR_MEM;
    }
    if (s->p == NULL) {
        s->p = pbuf_clone(PBUF_LINK, PBUF_RAM, p);
        if (s->p == NULL) {
            port->nomem++;
            s->state = SLOT_FREE;
            return ERR_MEM;
        }
        s->since = sys_now();
        s->order = port->order++;
        port->held++;
    }
    s->state = SLOT_HELD;
    return ERR_OK;
}

static err_t
error_of(int rc)
{
    switch (rc) {
    case IPSEC_ERR_DISCARD:
    case IPSEC_ERR_NO_POLICY:
    case IPSEC_ERR_EXPIRED:
    case IPSEC_ERR_SEQ_OVERFLOW:
        return ERR_RTE;
    case IPSEC_ERR_BUSY:
    case IPSEC_ERR_ROOM:
        return ERR_MEM;
    case IPSEC_ERR_TOO_BIG:
        return ERR_VAL;
    default:
        return ERR_IF;
    }
}

/* see lwip_inner.h */
err_t
ipsec_lwip_sealed(struct ipsec_lwip *port, struct ipsec_pkt *pkt,
                  struct pbuf *p, int rc)
{
    int transit = (pkt->flags & IPSEC_PKT_TRANSIT) != 0;

    if (rc == IPSEC_OK) {
        ipsec_lwip_fit(p, &pkt->buf);
        p->flags |= JUDGED;
        return ipsec_lwip_transmit(port, p, pkt->sa[pkt->layers - 1], NULL);
    }
    if (rc == IPSEC_BYPASS) {
        return ipsec_lwip_transmit(port, p, NULL, transit ? pkt : NULL);
    }
    port->too_big += rc == IPSEC_ERR_TOO_BIG;
    ipsec_lwip_tell(port, pkt, rc);
    return error_of(rc);
}

/* Offer `p`, for which `s` is there, to the library. What is held stays the
 * slot's; the caller's `p` stays the caller's. */
static err_t
offer(struct ipsec_lwip_slot *s, struct pbuf *p)
{
    struct ipsec_lwip *port = s->port;
    struct pbuf *q = ready(s, p);
    int rc, held = s->p == p;
    err_t err = ERR_MEM;

    if (q != NULL) {
        rc = ipsec_outbound(port->ips, &s->pkt);
        if (rc == IPSEC_PENDING) {
            LWIP_ASSERT("worked in place", q != p);
            ipsec_lwip_slot_busy(s, q);
            err = ERR_OK;
        } else if (rc == IPSEC_ERR_NO_SA) {
            err = hold(s, p);
        } else {
            err = ipsec_lwip_sealed(port, &s->pkt, q, rc);
        }
        if (q != p && s->state != SLOT_BUSY) {
            (void)pbuf_free(q);
        }
    } else {
        port->nomem++;
    }
    if (held && s->state != SLOT_HELD) {
        (void)pbuf_free(p);
    }
    if (s->state == SLOT_WORK) {
        s->state = SLOT_FREE;
    }
    return err;
}

/* The packet that has waited longest and was not offered in this round. */
static struct ipsec_lwip_slot *
oldest(const struct ipsec_lwip *port)
{
    struct ipsec_lwip_slot *best = NULL;
    size_t i;

    for (i = 0; i < port->slots; i++) {
        struct ipsec_lwip_slot *s = &port->slot[i];

        if (s->state == SLOT_AGAIN &&
            (best == NULL || (s32_t)(s->order - best->order) < 0)) {
            best = s;
        }
    }
    return best;
}

/* see lwip_inner.h */
void
ipsec_lwip_retry(struct ipsec_lwip *port)
{
    struct ipsec_lwip_slot *s;
    size_t i;

    if (port->sa_generation == port->ips->sa_generation) {
        return;
    }
    port->sa_generation = port->ips->sa_generation;
    for (i = 0; i < port->slots; i++) {
        if (port->slot[i].state == SLOT_HELD) {
            port->slot[i].state = SLOT_AGAIN;
        }
    }
    while ((s = oldest(port)) != NULL) {
        s->state = SLOT_WORK;
        (void)offer(s, s->p);
    }
}

/* see ipsec_lwip.h */
err_t
ipsec_lwip_dummy(struct ipsec_lwip *port, struct ipsec_sa *sa, u16_t len)
{
    struct ipsec_lwip_slot local, *s;
    size_t head, tail;
    struct pbuf *p;
    err_t err;
    int rc;

    LWIP_ASSERT_CORE_LOCKED();
    if (port->netif == NULL) {
        return ERR_ARG;
    }
    ipsec_lwip_set_mtu(port);
    s = ipsec_lwip_slot(port, &local, IPSEC_OUT);
    ipsec_sa_room(sa, &head, &tail); /* round a packet with its IP header */
    p = ipsec_lwip_alloc(&s->pkt.buf, len, head + IP_MAX, tail + IP_MAX);
    if (p == NULL) {
        port->nomem++;
        s->state = SLOT_FREE;
        return ERR_MEM;
    }
    rc = ipsec_dummy(port->ips, &s->pkt, sa, len);
    if (rc == IPSEC_PENDING) {
        ipsec_lwip_slot_busy(s, p);
        return ERR_OK;
    }
    s->state = SLOT_FREE;
    local.pkt = s->pkt; /* others may need the slot meanwhile */
    err = ipsec_lwip_sealed(port, &local.pkt, p, rc);
    (void)pbuf_free(p);
    return err;
}

static err_t
output(struct netif *netif, struct pbuf *p)
{
    struct ipsec_lwip *port = ipsec_lwip_find(netif);
    struct ipsec_lwip_slot local;

    if (port == NULL) {
        return ERR_IF; /* our function, on a netif that isn't ours */
    }
    ipsec_lwip_set_mtu(port);
    ipsec_lwip_retry(port);
    return offer(ipsec_lwip_slot(port, &local, IPSEC_OUT), p);
}

/* The hop is what lwIP finds in the packet, too: its destination. */

#if LWIP_IPV4
/* see lwip_inner.h */
err_t
ipsec_lwip_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *hop)
{
    LWIP_UNUSED_ARG(hop);
#if IP_FORWARD
    ipsec_lwip_forward_mend(p);
#endif
    return output(netif, p);
}
#endif

#if LWIP_IPV6
/* see lwip_inner.h */
err_t
ipsec_lwip_output_ip6(struct netif *netif, struct pbuf *p,
                      const ip6_addr_t *hop)
{
    struct ipsec_lwip *port = ipsec_lwip_find(netif);

    if (port != NULL && (p->flags & JUDGED)) {
        return port->output_ip6(netif, p, hop); /* it has waited there */
    }
    return output(netif, p);
}
#endif
