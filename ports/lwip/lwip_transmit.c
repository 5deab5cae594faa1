/* SPDX-License-Identifier: MIT */
#include "lwip_inner.h"

#include "lwip/icmp.h"
#include "lwip/icmp6.h"
#include "lwip/ip.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/nd6.h"

/*
 * From the port to the link. What is too long is cut by lwIP's own functions,
 * which believe to work for a netif with the real mtu: the shadow, whose
 * output functions lead to those of the real one.
 */

#if LWIP_IPV4

static err_t
shadow_output(struct netif *shadow, struct pbuf *p, const ip4_addr_t *hop)
{
    struct ipsec_lwip *port = shadow->state;

    return port->output(port->netif, p, hop);
}

static err_t
transmit4(struct ipsec_lwip *port, struct pbuf *p, unsigned flags)
{
    const struct ip_hdr *ip = p->payload;
    ip4_addr_t dst;

    ip4_addr_copy(dst, ip->dest);
    if (p->tot_len <= port->mtu) {
        return port->output(port->netif, p, &dst);
    }
    if (IPH_OFFSET(ip) & PP_HTONS(IP_DF)) {
        port->too_big++;
        if (flags & TRANSMIT_TRANSIT) {
            ipsec_lwip_too_big(p, port->mtu);
        }
        return ERR_VAL;
    }
    port->shadow.mtu = port->mtu;
    return ip4_frag(p, &port->shadow, &dst);
}

#endif

#if LWIP_IPV6

#define IP6_MTU_MIN 1280 /* RFC 8201 section 4: path MTUs below are lies */

static err_t
shadow_output_ip6(struct netif *shadow, struct pbuf *p, const ip6_addr_t *hop)
{
    struct ipsec_lwip *port = shadow->state;

    LWIP_UNUSED_ARG(hop);
    p->flags |= JUDGED;
    return port->output_ip6(port->netif, p, port->hop);
}

static void
shadow_mtu6(struct ipsec_lwip *port, u16_t mtu)
{
    port->shadow.mtu = mtu;
#if LWIP_ND6_ALLOW_RA_UPDATES
    port->shadow.mtu6 = mtu;
#endif
}

/* What lwIP has learnt of the path to `dst`. */
static u16_t
path_mtu(struct ipsec_lwip *port, const ip6_addr_t *dst)
{
    u16_t mtu;

    shadow_mtu6(port, port->mtu);
    mtu = nd6_get_destination_mtu(dst, &port->shadow);
    mtu = LWIP_MIN(mtu, port->mtu);
    return LWIP_MAX(mtu, IP6_MTU_MIN);
}

/* `dst` is not told to ip6_frag(): it would ask for the path MTU itself, and
 * run forever on one of 48 bytes. */
static err_t
fragment6(struct ipsec_lwip *port, struct pbuf *p, const ip6_addr_t *dst,
          u16_t mtu)
{
    ip6_addr_t none;

    IP6_ADDR(&none, PP_HTONL(0xff0e0000UL), 0, 0, 0);
    ip6_addr_clear_zone(&none);
    shadow_mtu6(port, mtu);
    port->hop = dst;
    return ip6_frag(p, &port->shadow, &none);
}

static err_t
transmit6(struct ipsec_lwip *port, struct pbuf *p, unsigned flags)
{
    const struct ip6_hdr *ip = p->payload;
    struct pbuf *q = p;
    struct ipsec_buf buf;
    ip6_addr_t dst;
    u16_t mtu;
    err_t err;

    ip6_addr_copy_from_packed(dst, ip->dest);
    ip6_addr_assign_zone(&dst, IP6_UNKNOWN, port->netif);
    mtu = path_mtu(port, &dst);
    if (p->tot_len <= mtu) {
        return port->output_ip6(port->netif, p, &dst);
    }
    /* ip6_frag() can't put its header behind those of RFC 8200 section 4.5 */
    if ((flags & TRANSMIT_TRANSIT) || IP6H_NEXTH(ip) == IP6_NEXTH_HOPBYHOP ||
        IP6H_NEXTH(ip) == IP6_NEXTH_ROUTING) {
        port->too_big++;
        if (flags & TRANSMIT_TRANSIT) {
            ipsec_lwip_too_big(p, mtu);
        }
        return ERR_VAL;
    }
    if (flags & TRANSMIT_KEEP) { /* ip6_frag() eats up what it is given */
        q = ipsec_lwip_copy(&buf, p, 0, 0);
        if (q == NULL) {
            port->nomem++;
            return ERR_MEM;
        }
    }
    err = fragment6(port, q, &dst, mtu);
    if (q != p) {
        (void)pbuf_free(q);
    }
    return err;
}

#endif

/* see lwip_inner.h */
err_t
ipsec_lwip_transmit(struct ipsec_lwip *port, struct pbuf *p, unsigned flags)
{
#if LWIP_IPV4
    if (IP_HDR_GET_VERSION(p->payload) == 4) {
        return transmit4(port, p, flags);
    }
#endif
#if LWIP_IPV6
    if (IP_HDR_GET_VERSION(p->payload) == 6) {
        return transmit6(port, p, flags);
    }
#endif
    LWIP_UNUSED_ARG(flags);
    return ERR_IF; /* a tunnel of the version that lwIP was built without */
}

/* see lwip_inner.h */
void
ipsec_lwip_too_big(struct pbuf *p, u32_t mtu)
{
#if LWIP_IPV4 && LWIP_ICMP
    if (IP_HDR_GET_VERSION(p->payload) == 4) {
        icmp_dest_unreach(p, ICMP_DUR_FRAG);
    }
#endif
#if LWIP_IPV6 && LWIP_ICMP6
    const struct ip6_hdr *ip = p->payload;

    /* can be answered only while lwIP forwards it */
    if (IP_HDR_GET_VERSION(p->payload) == 6 && ip_current_netif() != NULL &&
        IP6H_NEXTH(ip) != IP6_NEXTH_ICMP6) {
        icmp6_packet_too_big(p, mtu);
    }
#endif
    LWIP_UNUSED_ARG(mtu);
}

/* see lwip_inner.h */
void
ipsec_lwip_shadow(struct ipsec_lwip *port)
{
    port->shadow.state = port;
#if LWIP_IPV4
    port->shadow.output = shadow_output;
#endif
#if LWIP_IPV6
    port->shadow.output_ip6 = shadow_output_ip6;
#endif
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    port->shadow.chksum_flags = NETIF_CHECKSUM_ENABLE_ALL;
#endif
}
