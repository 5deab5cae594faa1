/* SPDX-License-Identifier: MIT */
#include "ipsec_lwip_tunnel.h"

#include "lwip_inner.h"

#include "lwip/ip.h"

#include <string.h>

/* A tunnel as a netif: the port attached to a netif that sends by another. */

#define IKE_PORT 500u
#define PROTO_UDP 17

static struct ipsec_lwip_tunnel *tunnels;

/* ---------------------------------------------------------------- outbound */

#if LWIP_IPV4
static err_t
send4(struct netif *netif, struct pbuf *p, const ip4_addr_t *hop)
{
    const struct ipsec_lwip_tunnel *t = netif->state;

    LWIP_UNUSED_ARG(hop);
    if (!(p->flags & JUDGED)) {
        return ERR_RTE; /* not sealed */
    }
    return ip4_output_if(p, NULL, LWIP_IP_HDRINCL, 0, 0, 0, t->under);
}
#endif

#if LWIP_IPV6
static err_t
send6(struct netif *netif, struct pbuf *p, const ip6_addr_t *hop)
{
    const struct ipsec_lwip_tunnel *t = netif->state;

    LWIP_UNUSED_ARG(hop);
    if (!(p->flags & JUDGED)) {
        return ERR_RTE;
    }
    return ip6_output_if(p, NULL, LWIP_IP_HDRINCL, 0, 0, 0, t->under);
}
#endif

/* ----------------------------------------------------------------- inbound */

/* What is behind the IP headers of `p`, and where; -1: nobody can say. */
static int
upper_of(const struct pbuf *p, size_t *at)
{
    u8_t h[40];
    u16_t len = pbuf_copy_partial(p, h, sizeof h, 0);
    int next;

    if (len >= 20 && h[0] >> 4 == 4) {
        *at = (size_t)(h[0] & 15) * 4;
        return h[9];
    }
    if (len < sizeof h || h[0] >> 4 != 6) {
        return -1;
    }
    *at = sizeof h;
    next = h[6];
    while (next == 0 || next == 43 || next == 60) {
        if (*at + 8 > p->tot_len) {
            return -1;
        }
        (void)pbuf_copy_partial(p, h, 2, (u16_t)*at);
        next = h[0];
        *at += 8u + 8u * h[1];
    }
    return next;
}

/* 0, where the packet ends before. */
static u32_t
word_at(const struct pbuf *p, size_t at)
{
    u8_t w[4];

    if (at + 4 > p->tot_len || pbuf_copy_partial(p, w, 4, (u16_t)at) < 4) {
        return 0;
    }
    return (u32_t)w[0] << 24 | (u32_t)w[1] << 16 | (u32_t)w[2] << 8 | w[3];
}

/* The tunnel on `inp` that has an SA with this SPI, or else the first: there
 * it will be counted. */
static struct ipsec_lwip_tunnel *
tunnel_of(struct ipsec_lwip_tunnel *first, u32_t spi, int proto)
{
    struct ipsec_lwip_tunnel *t;
    const struct ipsec_sa *sa;

    for (t = first; t != NULL; t = t->next) {
        if (t->under == first->under) {
            sa = ipsec_sad_lookup(t->ips, IPSEC_IN, spi, proto, NULL);
            if (sa != NULL && sa->spd_id == t->spd_id &&
                sa->reqid == t->reqid) {
                return t;
            }
        }
    }
    return first;
}

/* Is it to the port for ESP in UDP of some tunnel here? */
static int
is_natt(const struct ipsec_lwip_tunnel *first, u32_t port)
{
    const struct ipsec_lwip_tunnel *t;

    for (t = first; t != NULL; t = t->next) {
        if (t->under == first->under && t->natt_port != 0 &&
            t->natt_port == port) {
            return 1;
        }
    }
    return 0;
}

/* The tunnel that a packet to us is to be opened by; NULL: it is in clear.
 * `key_mgmt`: and what key management speaks. */
static struct ipsec_lwip_tunnel *
owner_of(struct ipsec_lwip_tunnel *first, const struct pbuf *p, int *key_mgmt)
{
    size_t at = 0;
    int proto = upper_of(p, &at);
    u32_t port, spi;

    *key_mgmt = 0;
    switch (proto) {
    case IPSEC_PROTO_ESP:
        return tunnel_of(first, word_at(p, at), proto);
    case IPSEC_PROTO_AH:
        return tunnel_of(first, word_at(p, at + 4), proto);
    case PROTO_UDP:
        port = word_at(p, at) & 0xffff;
        spi = word_at(p, at + 8);
        if (is_natt(first, port)) {
            if (at + 12 > p->tot_len || spi != 0) { /* or a keepalive */
                return tunnel_of(first, spi, IPSEC_PROTO_ESP);
            }
            *key_mgmt = 1; /* RFC 3948 section 2.2 */
        }
        *key_mgmt |= port == IKE_PORT;
        return NULL;
    default:
        return NULL;
    }
}

/* Where lwIP would send the answer; NULL: nowhere, as to a host that has no
 * address yet (RFC 4862 section 5.4.2). */
static const struct netif *
way_back(const struct pbuf *p, struct netif *inp)
{
    u8_t ip[40];
    u16_t len = pbuf_copy_partial(p, ip, sizeof ip, 0);

#if LWIP_IPV4
    if (len >= 20 && ip[0] >> 4 == 4) {
        ip4_addr_t src;

        memcpy(&src, ip + 12, 4);
        return ip4_addr_isany_val(src) ? NULL : ip4_route(&src);
    }
#endif
#if LWIP_IPV6
    if (len == sizeof ip && ip[0] >> 4 == 6) {
        ip6_addr_t src;

        memcpy(src.addr, ip + 8, 16);
        ip6_addr_clear_zone(&src);
        ip6_addr_assign_zone(&src, IP6_UNICAST, inp);
        return ip6_addr_isany_val(src) ? NULL : ip6_route(IP6_ADDR_ANY6, &src);
    }
#endif
    LWIP_UNUSED_ARG(inp);
    LWIP_UNUSED_ARG(len);
    return NULL;
}

/* Should this, which is in clear, have come by a tunnel? */
static int
is_spoofed(const struct pbuf *p, struct netif *inp)
{
    const struct netif *netif = way_back(p, inp);
    const struct ipsec_lwip_tunnel *t;

    for (t = tunnels; t != NULL; t = t->next) {
        if (netif != NULL && t->port.netif == netif) {
            return 1;
        }
    }
    return 0;
}

/* Is `p`, which came on `inp`, ours? 1: it was taken. */
static int
input(struct pbuf *p, struct netif *inp)
{
    static const u32_t clear[IPSEC_DEPTH];
    struct ipsec_lwip_tunnel *first = tunnels, *owner = NULL;
    struct pbuf *q = p;
    int key_mgmt = 0;

    while (first != NULL && first->under != inp) {
        first = first->next;
    }
    if (first == NULL) {
        return 0;
    }
    if (p == first->passing) {
        first->passing = NULL;
        return 0;
    }
    if (ipsec_lwip_is_for_us(p, inp)) {
        q = ipsec_lwip_reass(&first->port, p, clear);
        if (q == NULL) {
            return 1;
        }
        owner = owner_of(first, q, &key_mgmt);
    }
    if (owner != NULL) {
        ipsec_lwip_open(&owner->port, q);
        return 1;
    }
    if (!key_mgmt && is_spoofed(q, inp)) {
        first->spoofed++;
        (void)pbuf_free(q);
        return 1;
    }
    if (q == p) {
        return 0;
    }
    first->passing = q;
    (void)ip_input(q, inp);
    first->passing = NULL;
    return 1;
}

/* ------------------------------------------------------- coming and going */

static int
is_complete(const struct ipsec_lwip_tunnel *t)
{
    return t != NULL && t->ips != NULL && t->under != NULL && t->reqid != 0;
}

/* The one policy of its SPD. */
static int
policy_add(struct ipsec_lwip_tunnel *t)
{
    memset(&t->policy, 0, sizeof t->policy);
    t->policy.action = IPSEC_ACTION_PROTECT;
    t->policy.dir = IPSEC_OUT | IPSEC_IN;
    t->policy.mode = IPSEC_MODE_TUNNEL;
    t->policy.priority = IPSEC_LWIP_TUNNEL_PRIORITY;
    t->policy.reqid = t->reqid;
    t->policy.sel.spd_id = t->spd_id;
    return ipsec_spd_add(t->ips, &t->policy);
}

/* see ipsec_lwip_tunnel.h */
err_t
ipsec_lwip_tunnel_init(struct netif *netif)
{
    struct ipsec_lwip_tunnel *t = netif->state;
    err_t err;

    LWIP_ASSERT_CORE_LOCKED();
    if (!is_complete(t)) {
        return ERR_ARG;
    }
    if (t->port.netif != NULL || ipsec_lwip_find(t->under) != NULL) {
        return ERR_USE;
    }
    netif->name[0] = 'i';
    netif->name[1] = 's';
    netif->mtu = t->under->mtu;
#if LWIP_IPV4
    netif->output = send4;
#endif
#if LWIP_IPV6
    netif->output_ip6 = send6;
#endif
    t->port.spd_id = t->spd_id;
    err = ipsec_lwip_attach(&t->port, netif, t->ips, t->slot, t->slots);
    if (err == ERR_OK && policy_add(t) != IPSEC_OK) {
        (void)ipsec_lwip_detach(&t->port);
        err = ERR_IF;
    }
    if (err == ERR_OK) {
        t->next = tunnels;
        tunnels = t;
        ipsec_lwip_under_input = input;
        netif_set_link_up(netif);
    }
    return err;
}

/* see ipsec_lwip_tunnel.h */
err_t
ipsec_lwip_tunnel_remove(struct netif *netif)
{
    struct ipsec_lwip_tunnel *t = netif->state, **at = &tunnels;
    err_t err;

    LWIP_ASSERT_CORE_LOCKED();
    while (*at != NULL && *at != t) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return ERR_ARG;
    }
    err = ipsec_lwip_detach(&t->port);
    if (err == ERR_OK || err == ERR_INPROGRESS) {
        *at = t->next;
        ipsec_spd_remove(t->ips, &t->policy);
        netif_remove(netif);
    }
    return err;
}
