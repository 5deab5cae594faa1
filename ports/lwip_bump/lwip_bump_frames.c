/* SPDX-License-Identifier: MIT */
#include "lwip_bump_inner.h"

#include "lwip/ip.h"
#include "lwip/tcpip.h"
#include "netif/ethernet.h"

#include <string.h>

/* Between lwIP and its driver: frames out, frames in. */

#define ETH (ETH_PAD_SIZE + 14u) /* what is ahead of the IP packet */

/* One frame on its way: pkt->user. */
struct way {
    struct pbuf *p;          /* whose memory the packet is in */
    u8_t        *head;       /* ... from where on */
    struct pbuf *up;         /* what lwIP gets */
    u8_t         eth[14];
    err_t        err;
};

/* --- frames */

/* The version of IP that its Ethernet type tells; or 0: it is none. */
static int
version_of(const u8_t *eth)
{
    unsigned type = (unsigned)eth[12] << 8 | eth[13];

    return type == ETHTYPE_IP ? 4 : type == ETHTYPE_IPV6 ? 6 : 0;
}

static int
is_arp(const u8_t *eth)
{
    return eth[12] == ETHTYPE_ARP >> 8 && eth[13] == (ETHTYPE_ARP & 0xff);
}

/* Put the header ahead of the IP packet at `ip`. */
static u8_t *
eth_put(u8_t *ip, const u8_t *eth)
{
    int six = ip[0] >> 4 == 6;

    memcpy(ip - 14, eth, 12);
    ip[-2] = (u8_t)((six ? ETHTYPE_IPV6 : ETHTYPE_IP) >> 8);
    ip[-1] = (u8_t)((six ? ETHTYPE_IPV6 : ETHTYPE_IP) & 0xff);
    return ip - ETH;
}

/* `p`, one piece, is the frame with the IP packet at `buf`, which is in it. */
static void
frame_fit(struct pbuf *p, const struct ipsec_buf *buf, const u8_t *eth)
{
    p->payload = eth_put(buf->data, eth);
    p->len = p->tot_len = (u16_t)(ETH + buf->len);
}

/* A frame with a copy of it. NULL: no memory. */
static struct pbuf *
frame_new(struct ipsec_lwip_bump *bump, const struct ipsec_buf *buf,
          const u8_t *eth, pbuf_type type)
{
    u8_t front[ETH + 1];
    struct pbuf *p = ETH + buf->len > UINT16_MAX
        ? NULL : pbuf_alloc(PBUF_RAW, (u16_t)(ETH + buf->len), type);

    if (p == NULL) {
        bump->nomem++;
        return NULL;
    }
    memset(front, 0, sizeof front);
    front[ETH] = buf->data[0];
    (void)eth_put(front + ETH, eth);
    (void)pbuf_take(p, front, ETH);
    (void)pbuf_take_at(p, buf->data, (u16_t)buf->len, ETH);
    return p;
}

/* --- what lwIP knows of addresses */

#if LWIP_IPV4
static int
is_own4(const struct netif *netif, const u8_t *addr)
{
    ip4_addr_t a;

    memcpy(&a, addr, 4);
    return ip4_addr_cmp(&a, netif_ip4_addr(netif)) ||
           ip4_addr_isany_val(a) || ip4_addr_ismulticast(&a) ||
           ip4_addr_isbroadcast(&a, netif);
}
#endif

#if LWIP_IPV6
static int
is_own6(const struct netif *netif, const u8_t *addr)
{
    static const u8_t any[16];
    s8_t i;

    for (i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (!ip6_addr_isinvalid(netif_ip6_addr_state(netif, i)) &&
            memcmp(addr, netif_ip6_addr(netif, i)->addr, 16) == 0) {
            return 1;
        }
    }
    return addr[0] == 0xff || memcmp(addr, any, sizeof any) == 0;
}
#endif

/* Is the address of `buf` that is `at` ours, or not that of a host at all? Of
 * what is too short to say, the library will. */
static int
is_own(const struct ipsec_lwip_bump *bump, const struct ipsec_buf *buf,
       size_t at4, size_t at6)
{
    struct netif *netif;

#if LWIP_IPV4
    if (buf->data[0] >> 4 == 4 &&
        ip4_addr_isany_val(*netif_ip4_addr(bump->netif))) {
        return 1; /* DHCP servers already use the address that we shall have */
    }
#endif

    NETIF_FOREACH(netif) {
#if LWIP_IPV4
        if (buf->data[0] >> 4 == 4 &&
            (buf->len < 20 || is_own4(netif, buf->data + at4))) {
            return 1;
        }
#endif
#if LWIP_IPV6
        if (buf->data[0] >> 4 == 6 &&
            (buf->len < 40 || is_own6(netif, buf->data + at6))) {
            return 1;
        }
#endif
    }
    LWIP_UNUSED_ARG(bump);
    LWIP_UNUSED_ARG(at4);
    LWIP_UNUSED_ARG(at6);
    return 0;
}

/* --- what became of a packet: ipsec_netif's callbacks. lwIP gets nothing
 * while they run, for it may answer at once. */

static void
transmit(void *user, struct ipsec_pkt *pkt, const struct ipsec_buf *buf)
{
    struct ipsec_lwip_bump *bump = user;
    struct way *way = pkt->user;
    struct pbuf *p;

    if (buf->head == way->head) {
        frame_fit(way->p, buf, way->eth);
        way->err = bump->linkoutput(bump->netif, way->p);
        return;
    }
    p = frame_new(bump, buf, way->eth, PBUF_RAM);
    if (p == NULL) {
        way->err = ERR_MEM;
        return;
    }
    way->err = bump->linkoutput(bump->netif, p);
    (void)pbuf_free(p);
}

static void
deliver(void *user, struct ipsec_pkt *pkt)
{
    struct ipsec_lwip_bump *bump = user;
    struct way *way = pkt->user;

    if (pkt->buf.head == way->head) {
        frame_fit(way->p, &pkt->buf, way->eth);
        way->up = way->p;
    } else {
        way->up = frame_new(bump, &pkt->buf, way->eth, PBUF_POOL);
    }
}

/* What a router would say of it, as if it came from where `pkt` was to go: an
 * address of ours might be its own sender's, which it would not believe. */
static void
tell(struct ipsec_lwip_bump *bump, const struct ipsec_pkt *pkt,
     const u8_t *eth, int status)
{
    const u8_t *ip = pkt->buf.data;
    int six = ip[0] >> 4 == 6;
    struct ipsec_addr from;
    struct ipsec_buf buf;
    struct pbuf *p;
    u8_t back[14];

    p = bump->news != NULL ? NULL
        : pbuf_alloc(PBUF_RAW, (u16_t)(ETH + (six ? 1280 : 576)), PBUF_RAM);
    if (p == NULL) {
        return;
    }
    memset(&from, 0, sizeof from);
    from.version = six ? 6 : 4;
    memcpy(from.byte, ip + (six ? 24 : 16), six ? 16 : 4);
    memcpy(back, bump->netif->hwaddr, BUMP_MAC);
    memcpy(back + BUMP_MAC, eth, BUMP_MAC);
    buf.data = (u8_t *)p->payload + ETH;
    buf.len = ipsec_icmp_error(pkt, status, &from, buf.data,
                               (size_t)p->len - ETH);
    if (buf.len == 0) {
        (void)pbuf_free(p);
        return;
    }
    frame_fit(p, &buf, back);
    bump->told++;
    bump->news = p;
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
    case IPSEC_ERR_NO_SA:
    case IPSEC_ERR_BUSY:
    case IPSEC_ERR_ROOM:
        return ERR_MEM;
    case IPSEC_ERR_TOO_BIG:
        return ERR_VAL;
    default:
        return ERR_IF;
    }
}

static void
drop(void *user, struct ipsec_pkt *pkt, int status)
{
    struct ipsec_lwip_bump *bump = user;
    struct way *way = pkt->user;

    way->err = error_of(status);
    if (status == IPSEC_ERR_TOO_BIG) { /* which nothing is on its way in */
        bump->too_big++;
        tell(bump, pkt, way->eth, status);
    }
}

/* see lwip_bump_inner.h */
void
ipsec_lwip_bump_callbacks(struct ipsec_netif *nif)
{
    nif->transmit = transmit;
    nif->deliver = deliver;
    nif->drop = drop;
}

/* --- from lwIP to the driver */

/* A copy of the packet in frame `p`, with room for what SAs add. */
static int
copy_out(struct ipsec_lwip_bump *bump, struct ipsec_buf *buf, struct way *way,
         const struct pbuf *p)
{
    size_t front = LWIP_MEM_ALIGN_SIZE(ETH + (size_t)bump->out.headroom);
    size_t len = (size_t)p->tot_len - ETH;
    size_t size = front + len + bump->out.tailroom;

    way->p = size <= UINT16_MAX
        ? pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_RAM) : NULL;
    if (way->p == NULL) {
        bump->nomem++;
        return 0;
    }
    buf->data = (u8_t *)way->p->payload + front;
    way->head = buf->head = buf->data - bump->out.headroom;
    buf->end = (u8_t *)way->p->payload + size;
    buf->len = len;
    (void)pbuf_copy_partial(p, buf->data, (u16_t)len, ETH);
    return 1;
}

/* Of our own IPv6 we are the source, which may have its packets in
 * fragments. */
static u8_t
flags_out(const struct ipsec_lwip_bump *bump, const struct ipsec_buf *buf)
{
    if (!is_own(bump, buf, 12, 8)) {
        return IPSEC_PKT_TRANSIT;
    }
    return buf->data[0] >> 4 == 6 ? IPSEC_PKT_FRAG_OK : 0;
}

static err_t
seal(struct ipsec_lwip_bump *bump, struct way *way, const struct pbuf *p)
{
    struct ipsec_pkt pkt;

    memset(&pkt, 0, sizeof pkt);
    if (!copy_out(bump, &pkt.buf, way, p)) {
        return ERR_MEM;
    }
    pkt.user = way;
    pkt.spd_id = bump->spd_id;
    pkt.flags = flags_out(bump, &pkt.buf);
    ipsec_netif_output(&bump->nif, &pkt);
    (void)pbuf_free(way->p);
    return way->err;
}

/* see lwip_bump_inner.h */
err_t
ipsec_lwip_bump_linkoutput(struct netif *netif, struct pbuf *p)
{
    struct ipsec_lwip_bump *bump = ipsec_lwip_bump_find(netif);
    struct way way;

    if (bump == NULL) {
        return ERR_IF; /* our function, on a netif that isn't ours */
    }
    memset(&way, 0, sizeof way);
    if (pbuf_copy_partial(p, way.eth, sizeof way.eth, ETH_PAD_SIZE) ==
        sizeof way.eth) {
        if (is_arp(way.eth)) {
            return bump->linkoutput(netif, p);
        }
        if (version_of(way.eth) != 0 && p->tot_len > ETH &&
            pbuf_get_at(p, ETH) >> 4 == version_of(way.eth)) {
            return seal(bump, &way, p);
        }
    }
    bump->foreign++;
    return ERR_IF;
}

/* --- from the driver to lwIP */

static void
hand_up(struct ipsec_lwip_bump *bump, struct pbuf *p)
{
    if (p == NULL) {
        return;
    }
#if NO_SYS
    if (bump->input(p, bump->netif) != ERR_OK) {
#else
    if (ethernet_input(p, bump->netif) != ERR_OK) { /* we are in its thread */
#endif
        (void)pbuf_free(p);
    }
}

/* see lwip_bump_inner.h */
void
ipsec_lwip_bump_news(struct ipsec_lwip_bump *bump)
{
    struct pbuf *p = bump->news;

    bump->news = NULL;
    hand_up(bump, p);
}

static int
is_writable(const struct pbuf *p)
{
    return p->next == NULL && p->ref == 1 &&
           ((p->type_internal & PBUF_TYPE_FLAG_STRUCT_DATA_CONTIGUOUS) ||
            (p->flags & PBUF_FLAG_IS_CUSTOM));
}

/* `p`, or a copy in its place in which the library may work, or NULL. */
static struct pbuf *
writable(struct ipsec_lwip_bump *bump, struct pbuf *p)
{
    struct pbuf *q;

    if (is_writable(p)) {
        return p;
    }
    q = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
    if (q == NULL) {
        bump->nomem++;
    }
    (void)pbuf_free(p);
    return q;
}

/* `p`, an IP packet in a frame, is ours. */
static void
unseal(struct ipsec_lwip_bump *bump, struct way *way, struct pbuf *p)
{
    struct ipsec_pkt pkt;

    way->p = writable(bump, p);
    if (way->p == NULL) {
        return;
    }
    memset(&pkt, 0, sizeof pkt);
    way->head = pkt.buf.head = pkt.buf.data = (u8_t *)way->p->payload + ETH;
    pkt.buf.len = (size_t)way->p->len - ETH;
    pkt.buf.end = pkt.buf.data + pkt.buf.len;
    pkt.user = way;
    pkt.spd_id = bump->spd_id;
    if (is_own(bump, &pkt.buf, 16, 24)) {
        bump->nif.flags = IPSEC_NETIF_REASS_CLEAR;
    } else {
        bump->nif.flags = 0; /* lwIP forwards fragments as they are */
        pkt.flags = IPSEC_PKT_TRANSIT;
    }
    ipsec_netif_input(&bump->nif, &pkt);
    if (way->up != way->p) {
        (void)pbuf_free(way->p);
    }
    hand_up(bump, way->up);
}

/* Under the lock. */
static err_t
input(struct pbuf *p, struct netif *netif)
{
    struct ipsec_lwip_bump *bump = ipsec_lwip_bump_find(netif);
    struct way way;

    if (bump != NULL) {
        ipsec_lwip_bump_news(bump);
        bump = ipsec_lwip_bump_find(netif); /* who heard may have detached it */
    }
    if (bump == NULL) {
        return ERR_IF;
    }
    memset(&way, 0, sizeof way);
    if (pbuf_copy_partial(p, way.eth, sizeof way.eth, ETH_PAD_SIZE) ==
        sizeof way.eth) {
        if (is_arp(way.eth)) {
            hand_up(bump, p);
            return ERR_OK;
        }
        if (version_of(way.eth) != 0 && p->tot_len > ETH &&
            pbuf_get_at(p, ETH) >> 4 == version_of(way.eth)) {
            unseal(bump, &way, p);
            return ERR_OK;
        }
    }
    bump->foreign++;
    (void)pbuf_free(p);
    return ERR_OK;
}

/* see lwip_bump_inner.h */
err_t
ipsec_lwip_bump_input(struct pbuf *p, struct netif *netif)
{
#if NO_SYS
    return input(p, netif);
#else
    return tcpip_inpkt(p, netif, input);
#endif
}
