/* SPDX-License-Identifier: MIT */
#include "lwip_inner.h"

#include "lwip/ip.h"
#include "lwip/sys.h"

#include <string.h>

/* What the sender of a forwarded packet is told when it can't go on (RFC 4301
 * sections 5.1.1 and 8.2.1). */

#if IPSEC_LWIP_ICMP_BURST < 1 || IPSEC_LWIP_ICMP_BURST > 255
#error "IPSEC_LWIP_ICMP_BURST is out of range"
#endif

#if FORWARDING

/* A token bucket (RFC 4443 section 2.4 (f)). */
static int
may_send(struct ipsec_lwip *port)
{
    u32_t n = (sys_now() - port->icmp_since) / IPSEC_LWIP_ICMP_MS;

    port->icmp_since += n * IPSEC_LWIP_ICMP_MS;
    port->icmp_used = n < port->icmp_used ? (u8_t)(port->icmp_used - n) : 0;
    if (port->icmp_used == IPSEC_LWIP_ICMP_BURST) {
        port->icmp_limited++;
        return 0;
    }
    port->icmp_used++;
    return 1;
}

/* The way back to the source of `ip`, and our address on it. NULL: none. */
static struct netif *
way_back(struct ipsec_addr *from, const u8_t *ip)
{
    struct netif *netif = NULL;

    memset(from, 0, sizeof *from);
    from->version = ip[0] >> 4;
#if LWIP_IPV4 && LWIP_ICMP
    if (from->version == 4) {
        ip4_addr_t src;

        memcpy(&src, ip + 12, 4);
        netif = ip4_route(&src);
        if (netif != NULL) {
            memcpy(from->byte, netif_ip4_addr(netif), 4);
        }
    }
#endif
#if LWIP_IPV6 && LWIP_ICMP6
    if (from->version == 6) {
        const ip_addr_t *own = NULL;
        ip6_addr_t src;

        memcpy(src.addr, ip + 8, 16);
        ip6_addr_clear_zone(&src);
        netif = ip6_route(IP6_ADDR_ANY6, &src);
        if (netif != NULL) {
            own = ip6_select_source_address(netif, &src);
        }
        if (own == NULL) {
            return NULL;
        }
        memcpy(from->byte, ip_2_ip6(own)->addr, 16);
    }
#endif
    return netif;
}

static void
send(struct netif *netif, int version, struct pbuf *p)
{
#if LWIP_IPV4
    if (version == 4) {
        (void)ip4_output_if(p, NULL, LWIP_IP_HDRINCL, 0, 0, 0, netif);
    }
#endif
#if LWIP_IPV6
    if (version == 6) {
        (void)ip6_output_if(p, NULL, LWIP_IP_HDRINCL, 0, 0, 0, netif);
    }
#endif
    LWIP_UNUSED_ARG(netif);
    LWIP_UNUSED_ARG(version);
    LWIP_UNUSED_ARG(p);
}

/* see lwip_inner.h */
void
ipsec_lwip_tell(struct ipsec_lwip *port, const struct ipsec_pkt *pkt,
                int status)
{
    struct ipsec_addr from;
    struct ipsec_buf buf;
    struct netif *netif;
    struct pbuf *p;

    if ((pkt->flags & IPSEC_PKT_TRANSIT) == 0 || pkt->layers > 0 ||
        (port->silent && status != IPSEC_ERR_TOO_BIG)) {
        return;
    }
    netif = way_back(&from, pkt->buf.data);
    if (netif == NULL) {
        return;
    }
    p = ipsec_lwip_alloc(&buf, from.version == 4 ? 576 : 1280, 0, 0);
    if (p == NULL) {
        port->nomem++;
        return;
    }
    buf.len = ipsec_icmp_error(pkt, status, &from, buf.data, buf.len);
    if (buf.len > 0 && may_send(port)) {
        ipsec_lwip_fit(p, &buf);
        port->icmp_sent++;
        send(netif, from.version, p);
    }
    (void)pbuf_free(p);
}

#else

/* see lwip_inner.h */
void
ipsec_lwip_tell(struct ipsec_lwip *port, const struct ipsec_pkt *pkt,
                int status)
{
    LWIP_UNUSED_ARG(port);
    LWIP_UNUSED_ARG(pkt);
    LWIP_UNUSED_ARG(status);
}

#endif
