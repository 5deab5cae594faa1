/* SPDX-License-Identifier: MIT */
#include "lwip_inner.h"

#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/nd6.h"

#include <string.h>

/*
 * From the port to the link, in fragments where it must be. Each is one pbuf
 * of our own: those that lwIP's functions make refer to the packet, and
 * neighbour discovery would replace them by copies without our mark.
 */

#define FRAG_HDR 8u /* RFC 8200 section 4.5 */
#define MTU_MIN4 68u /* RFC 791 section 3.2 */
#define MTU_MIN6 1280u /* RFC 8201 section 4: path MTUs below are lies */

/* Refused: too long, and not to be fragmented. */
static err_t
refuse(struct ipsec_lwip *port, u16_t mtu, struct ipsec_pkt *transit)
{
    port->too_big++;
    if (transit != NULL) {
        transit->mtu = mtu;
        ipsec_lwip_tell(port, transit, IPSEC_ERR_TOO_BIG);
    }
    return ERR_VAL;
}

/* What the link takes of a packet sealed by `sa`, or NULL: no more than the
 * path of that. */
static u16_t
mtu_of(const struct ipsec_lwip *port, const struct ipsec_sa *sa, u16_t least)
{
    if (sa == NULL || sa->mtu == 0 || sa->mtu > port->mtu) {
        return port->mtu;
    }
    return LWIP_MAX(sa->mtu, least);
}

/* How much of the `left` bytes the next fragment takes, of which there is room
 * for `room`: all but the last a multiple of 8 (RFC 791 section 3.2, RFC 8200
 * section 4.5). */
static u16_t
piece_len(size_t left, size_t room)
{
    return (u16_t)(left <= room ? left : room & ~(size_t)7);
}

/* A fragment: `hdr` bytes for its header, and the `n` bytes of `p` from
 * `at` on. */
static struct pbuf *
piece(struct ipsec_lwip *port, struct ipsec_buf *buf, const struct pbuf *p,
      u16_t hdr, u16_t at, u16_t n)
{
    struct pbuf *q = ipsec_lwip_alloc(buf, (size_t)hdr + n, 0, 0);

    if (q == NULL) {
        port->nomem++;
        return NULL;
    }
    q->flags |= JUDGED;
    (void)pbuf_copy_partial(p, buf->data + hdr, n, at);
    return q;
}

#if LWIP_IPV4

static err_t
fragment4(struct ipsec_lwip *port, const struct pbuf *p, const ip4_addr_t *dst,
          u16_t mtu)
{
    const struct ip_hdr *from = p->payload;
    u16_t word = lwip_ntohs(IPH_OFFSET(from)), at, n, more;
    struct ipsec_buf buf;
    struct ip_hdr *ip;
    struct pbuf *q;
    err_t err = ERR_OK;

    for (at = IP_HLEN; at < p->tot_len && err == ERR_OK; at = (u16_t)(at + n)) {
        n = piece_len((size_t)p->tot_len - at, (size_t)mtu - IP_HLEN);
        q = piece(port, &buf, p, IP_HLEN, at, n);
        if (q == NULL) {
            return ERR_MEM;
        }
        ip = q->payload;
        memcpy(ip, from, IP_HLEN);
        IPH_LEN_SET(ip, lwip_htons((u16_t)(IP_HLEN + n)));
        more = at + n < p->tot_len ? IP_MF : 0;
        IPH_OFFSET_SET(ip, lwip_htons((u16_t)(word + (at - IP_HLEN) / 8u +
                                              more)));
        IPH_CHKSUM_SET(ip, 0);
        IPH_CHKSUM_SET(ip, inet_chksum(ip, IP_HLEN));
        err = port->output(port->netif, q, dst);
        (void)pbuf_free(q);
    }
    return err;
}

static err_t
transmit4(struct ipsec_lwip *port, struct pbuf *p, const struct ipsec_sa *sa,
          struct ipsec_pkt *transit)
{
    const struct ip_hdr *ip = p->payload;
    const u16_t mtu = mtu_of(port, sa, MTU_MIN4);
    ip4_addr_t dst;

    ip4_addr_copy(dst, ip->dest);
    if (p->tot_len <= mtu) {
        return port->output(port->netif, p, &dst);
    }
    if ((IPH_OFFSET(ip) & PP_HTONS(IP_DF | IP_MF)) ||
        IPH_HL_BYTES(ip) != IP_HLEN) {
        return refuse(port, mtu, transit);
    }
    return fragment4(port, p, &dst, mtu);
}

#endif

#if LWIP_IPV6

/* The less of what lwIP and `sa` have learnt of the path to `dst`. */
static u16_t
path_mtu(const struct ipsec_lwip *port, const struct ipsec_sa *sa,
         const ip6_addr_t *dst)
{
    u16_t mtu = nd6_get_destination_mtu(dst, port->netif);
    u16_t most = mtu_of(port, sa, MTU_MIN6);

    if (mtu == 0 || mtu > most) {
        return most;
    }
    return LWIP_MAX(mtu, MTU_MIN6);
}

static void
header6(const struct ipsec_buf *buf, const struct pbuf *p, u32_t id,
        u16_t word)
{
    const struct ip6_hdr *from = p->payload;
    struct ip6_hdr *ip = (void *)buf->data;
    struct ip6_frag_hdr *frag = (void *)(buf->data + IP6_HLEN);

    memcpy(ip, from, IP6_HLEN);
    IP6H_NEXTH_SET(ip, IP6_NEXTH_FRAGMENT);
    IP6H_PLEN_SET(ip, (u16_t)(buf->len - IP6_HLEN));
    frag->_nexth = IP6H_NEXTH(from);
    frag->reserved = 0;
    frag->_fragment_offset = lwip_htons(word);
    frag->_identification = lwip_htonl(id);
}

static err_t
fragment6(struct ipsec_lwip *port, const struct pbuf *p, const ip6_addr_t *dst,
          u16_t mtu)
{
    const u32_t id = port->frag_id++;
    struct ipsec_buf buf;
    struct pbuf *q;
    err_t err = ERR_OK;
    u16_t at, n;

    for (at = IP6_HLEN; at < p->tot_len && err == ERR_OK;
         at = (u16_t)(at + n)) {
        n = piece_len((size_t)p->tot_len - at,
                      (size_t)mtu - IP6_HLEN - FRAG_HDR);
        q = piece(port, &buf, p, IP6_HLEN + FRAG_HDR, at, n);
        if (q == NULL) {
            return ERR_MEM;
        }
        header6(&buf, p, id,
                (u16_t)(at - IP6_HLEN + (at + n < p->tot_len ? 1 : 0)));
        err = port->output_ip6(port->netif, q, dst);
        (void)pbuf_free(q);
    }
    return err;
}

/* Must a fragment header not come right behind the IP header? (RFC 8200
 * section 4.5) */
static int
is_unfragmentable(u8_t next)
{
    return next == IP6_NEXTH_HOPBYHOP || next == IP6_NEXTH_ROUTING ||
           next == IP6_NEXTH_FRAGMENT;
}

static err_t
transmit6(struct ipsec_lwip *port, struct pbuf *p, const struct ipsec_sa *sa,
          struct ipsec_pkt *transit)
{
    const struct ip6_hdr *ip = p->payload;
    ip6_addr_t dst;
    u16_t mtu;

    ip6_addr_copy_from_packed(dst, ip->dest);
    ip6_addr_assign_zone(&dst, IP6_UNKNOWN, port->netif);
    mtu = path_mtu(port, sa, &dst);
    if (p->tot_len <= mtu) {
        return port->output_ip6(port->netif, p, &dst);
    }
    if (transit != NULL || is_unfragmentable(IP6H_NEXTH(ip))) {
        return refuse(port, mtu, transit);
    }
    return fragment6(port, p, &dst, mtu);
}

#endif

/* see lwip_inner.h */
err_t
ipsec_lwip_transmit(struct ipsec_lwip *port, struct pbuf *p,
                    const struct ipsec_sa *sa, struct ipsec_pkt *transit)
{
#if LWIP_IPV4
    if (IP_HDR_GET_VERSION(p->payload) == 4) {
        return transmit4(port, p, sa, transit);
    }
#endif
#if LWIP_IPV6
    if (IP_HDR_GET_VERSION(p->payload) == 6) {
        return transmit6(port, p, sa, transit);
    }
#endif
    return ERR_IF; /* a tunnel of the version that lwIP was built without */
}
