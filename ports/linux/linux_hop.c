/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "linux_inner.h"

#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

/* Who is next: a bump's own addresses, its routes, and the stations beside it,
 * on each side for itself, for what is heard on one must move nothing on the
 * other. Only what was asked for is kept. */

#define FRESH_S 60 /* for which an answer holds */
#define STALE_S 90 /* ... while, asked again, nobody answers */
#define TRIES   3  /* a second each */
#define SPARE_S 30 /* so much longer may who has answered be without use */
#define ALL     ((size_t)8 * IPSEC_LINUX_WAITING) /* bytes that wait, in all */

enum { FREE, ASKED, KNOWN };

/* A packet that waits. */
struct ipsec_linux_wait {
    struct ipsec_linux_wait *next;
    size_t                   len;
    uint8_t                  data[];
};

/* --- addresses and routes */

static int
same(const struct ipsec_addr *a, const struct ipsec_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static int
is_in(const struct ipsec_linux_net *net, const struct ipsec_addr *addr)
{
    size_t whole = net->bits / 8;
    unsigned rest = net->bits % 8;
    const uint8_t *a = net->addr.byte, *b = addr->byte;

    return net->addr.version == addr->version &&
           memcmp(a, b, whole) == 0 &&
           (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

int
ipsec_linux_hop_is_own(const struct ipsec_linux *port,
                       const struct ipsec_addr *addr)
{
    size_t i;

    for (i = 0; i < port->hops->owns; i++) {
        if (same(&port->hops->own[i].addr, addr)) {
            return 1;
        }
    }
    return 0;
}

/* A TAP's own address is that of who has the device. */
const uint8_t *
ipsec_linux_hop_mac(const struct ipsec_linux *port,
                    const struct ipsec_linux_side *side)
{
    return side->kind == IPSEC_LINUX_PACKET ? side->mac : port->black->mac;
}

/* The address of ours that is seen there; NULL: none is of this version. */
static const struct ipsec_addr *
own_beside(const struct ipsec_linux_hops *hops, const struct ipsec_addr *addr)
{
    const struct ipsec_addr *any = NULL;
    size_t i;

    for (i = 0; i < hops->owns; i++) {
        if (is_in(&hops->own[i], addr)) {
            return &hops->own[i].addr;
        }
        if (any == NULL && hops->own[i].addr.version == addr->version) {
            any = &hops->own[i].addr;
        }
    }
    return any;
}

/* Who is next on the way to `dst`; NULL: there is no way. */
static const struct ipsec_addr *
next_to(const struct ipsec_linux_hops *hops, const struct ipsec_addr *dst)
{
    const struct ipsec_linux_route *best = NULL, *r;
    size_t i;

    if (own_beside(hops, dst) == NULL) {
        return NULL; /* nobody could be asked */
    }
    for (i = 0; i < hops->owns; i++) {
        if (is_in(&hops->own[i], dst)) {
            return dst;
        }
    }
    for (i = 0; i < hops->routes; i++) {
        r = &hops->route[i];
        if (is_in(&r->net, dst) &&
            (best == NULL || r->net.bits > best->net.bits)) {
            best = r;
        }
    }
    return best != NULL ? &best->via : NULL;
}

/* --- stations */

static void
hop_free(struct ipsec_linux_hops *hops, struct ipsec_linux_hop *hop)
{
    struct ipsec_linux_wait *w;

    while (hop->first != NULL) {
        w = hop->first;
        hop->first = w->next;
        hops->unanswered++;
        free(w);
    }
    hops->waiting -= hop->waiting;
    memset(hop, 0, sizeof *hop);
}

static struct ipsec_linux_hop *
hop_find(struct ipsec_linux_hops *hops, int black,
         const struct ipsec_addr *addr)
{
    size_t i;

    for (i = 0; i < IPSEC_LINUX_HOPS; i++) {
        struct ipsec_linux_hop *hop = &hops->hop[i];

        if (hop->state != FREE && hop->black == black &&
            same(&hop->addr, addr)) {
            return hop;
        }
    }
    return NULL;
}

/* For how long it was without use. Who scans a network asks for many who do
 * not answer: they push out nobody who is being sent to (RFC 6583). */
static uint32_t
idle_for(const struct ipsec_linux_hop *hop, uint32_t now)
{
    return now - hop->used + (hop->state == KNOWN ? 0 : SPARE_S);
}

/* A free place, or that of who was longest without use. */
static struct ipsec_linux_hop *
hop_new(struct ipsec_linux_hops *hops, int black,
        const struct ipsec_addr *addr, uint32_t now)
{
    struct ipsec_linux_hop *hop = &hops->hop[0];
    size_t i;

    for (i = 1; i < IPSEC_LINUX_HOPS && hop->state != FREE; i++) {
        if (hops->hop[i].state == FREE ||
            idle_for(&hops->hop[i], now) > idle_for(hop, now)) {
            hop = &hops->hop[i];
        }
    }
    hop_free(hops, hop);
    hop->state = ASKED;
    hop->black = (uint8_t)black;
    hop->addr = *addr;
    return hop;
}

/* Once a second at most. */
static void
hop_ask(struct ipsec_linux *port, struct ipsec_linux_side *side,
        struct ipsec_linux_hop *hop, uint32_t now)
{
    const struct ipsec_addr *own = own_beside(port->hops, &hop->addr);
    struct ipsec_linux_frame frame;
    struct ipsec_linux_nd nd;
    uint8_t mem[IPSEC_LINUX_ND];

    if (own == NULL || (hop->tries > 0 && hop->asked == now)) {
        return;
    }
    memset(&nd, 0, sizeof nd);
    memset(&frame, 0, sizeof frame);
    frame.data = mem;
    nd.ask = 1;
    nd.sender = *own;
    nd.target = hop->addr;
    memcpy(nd.mac, ipsec_linux_hop_mac(port, side), 6);
    ipsec_linux_nd_write(&frame, &nd, NULL);
    ipsec_linux_send_frame(side, &frame);
    hop->asked = now;
    hop->tries = (uint8_t)(hop->tries + (hop->tries < TRIES));
}

static void
put(struct ipsec_linux *port, struct ipsec_linux_side *side,
    const struct ipsec_linux_hop *hop, uint8_t *data, size_t len)
{
    struct ipsec_linux_frame frame;
    struct ipsec_buf ip;

    memset(&frame, 0, sizeof frame);
    memset(&ip, 0, sizeof ip);
    memcpy(frame.ethernet, hop->mac, 6);
    memcpy(frame.ethernet + 6, ipsec_linux_hop_mac(port, side), 6);
    frame.ethernet_len = ETH_HLEN;
    ip.data = data;
    ip.len = len;
    ipsec_linux_send(side, &frame, &ip);
}

/* The first ones come first; who comes when it is full has to go. */
static void
keep(struct ipsec_linux_hops *hops, struct ipsec_linux_hop *hop,
     const struct ipsec_buf *ip)
{
    struct ipsec_linux_wait *w = NULL, **end = &hop->first;

    if (hop->waiting + ip->len <= IPSEC_LINUX_WAITING &&
        hops->waiting + ip->len <= ALL) {
        w = malloc(sizeof *w + ip->len);
    }
    if (w == NULL) {
        hops->full++;
        return;
    }
    w->next = NULL;
    w->len = ip->len;
    memcpy(w->data, ip->data, ip->len);
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = w;
    hop->waiting += ip->len;
    hops->waiting += ip->len;
}

/* Who is to have it next; NULL: nobody, and counted. */
static struct ipsec_linux_hop *
hop_of(struct ipsec_linux *port, int black, const struct ipsec_buf *ip)
{
    struct ipsec_linux_hops *hops = port->hops;
    const struct ipsec_addr *next;
    struct ipsec_linux_hop *hop;
    struct ipsec_addr src, dst;

    next = ipsec_linux_addresses(ip->data, ip->len, &src, &dst)
        ? next_to(hops, &dst) : NULL;
    if (next == NULL) {
        hops->no_route++;
        return NULL;
    }
    hop = hop_find(hops, black, next);
    return hop != NULL ? hop
        : hop_new(hops, black, next, ipsec_now(port->ips));
}

void
ipsec_linux_hop_send(struct ipsec_linux *port, struct ipsec_linux_side *side,
                     const struct ipsec_buf *ip)
{
    struct ipsec_linux_hop *hop = hop_of(port, side == port->black, ip);
    uint32_t now = ipsec_now(port->ips);

    if (hop == NULL) {
        return;
    }
    hop->used = now;
    if (hop->state == KNOWN && now - hop->heard >= STALE_S) {
        hop->state = ASKED;
        hop->tries = 0;
    }
    if (hop->state == KNOWN) {
        put(port, side, hop, ip->data, ip->len);
    } else {
        keep(port->hops, hop, ip);
    }
    if (hop->state == ASKED || now - hop->heard >= FRESH_S) {
        hop_ask(port, side, hop, now);
    }
}

/* --- what they say */

static void
learn(struct ipsec_linux *port, struct ipsec_linux_side *side,
      const struct ipsec_linux_nd *nd)
{
    struct ipsec_linux_hop *hop = hop_find(port->hops, side == port->black,
                                           &nd->sender);
    struct ipsec_linux_wait *w;

    if (hop == NULL || !nd->has_mac ||
        (hop->state == KNOWN && !nd->sure &&
         memcmp(hop->mac, nd->mac, 6) != 0)) {
        return; /* RFC 4861 section 7.2.5: not to override what is known */
    }
    memcpy(hop->mac, nd->mac, 6);
    hop->state = KNOWN;
    hop->tries = 0;
    hop->heard = ipsec_now(port->ips);
    while (hop->first != NULL) {
        w = hop->first;
        hop->first = w->next;
        put(port, side, hop, w->data, w->len);
        free(w);
    }
    port->hops->waiting -= hop->waiting;
    hop->waiting = 0;
}

static void
answer(struct ipsec_linux *port, struct ipsec_linux_side *side,
       const struct ipsec_linux_nd *question,
       const struct ipsec_linux_frame *from)
{
    struct ipsec_linux_frame frame;
    struct ipsec_linux_nd nd;
    uint8_t mem[IPSEC_LINUX_ND];

    memset(&nd, 0, sizeof nd);
    memset(&frame, 0, sizeof frame);
    frame.data = mem;
    nd.sender = question->target;
    nd.target = question->sender;
    memcpy(nd.mac, ipsec_linux_hop_mac(port, side), 6);
    ipsec_linux_nd_write(&frame, &nd, from->ethernet + 6);
    ipsec_linux_send_frame(side, &frame);
}

int
ipsec_linux_hop_take(struct ipsec_linux *port, struct ipsec_linux_side *side,
                     struct ipsec_linux_frame *frame)
{
    struct ipsec_linux_nd nd;
    int claimed; /* that it has an address of ours: not for the other side */

    frame->to_us = frame->ethernet_len != 0 &&
                   memcmp(frame->ethernet, ipsec_linux_hop_mac(port, side),
                          6) == 0;
    if (!ipsec_linux_nd_read(&nd, frame)) {
        return 0;
    }
    learn(port, side, &nd);
    if (!ipsec_linux_hop_is_own(port, &nd.target)) {
        claimed = ipsec_linux_hop_is_own(port, &nd.sender);
        port->hops->refused += claimed != 0;
        return claimed;
    }
    if (nd.ask) {
        answer(port, side, &nd, frame);
    }
    return 1;
}

/* --- time */

void
ipsec_linux_hop_tick(struct ipsec_linux *port)
{
    uint32_t now = ipsec_now(port->ips);
    struct ipsec_linux_hop *hop;
    size_t i;

    for (i = 0; port->hops != NULL && i < IPSEC_LINUX_HOPS; i++) {
        hop = &port->hops->hop[i];
        if (hop->state != ASKED || hop->asked == now) {
            continue;
        }
        if (hop->tries == TRIES) {
            hop_free(port->hops, hop);
        } else {
            hop_ask(port, hop->black ? port->black : port->red, hop, now);
        }
    }
}

void
ipsec_linux_hop_end(struct ipsec_linux *port)
{
    size_t i;

    for (i = 0; port->hops != NULL && i < IPSEC_LINUX_HOPS; i++) {
        hop_free(port->hops, &port->hops->hop[i]);
    }
}
