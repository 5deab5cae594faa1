/* SPDX-License-Identifier: MIT */
#include "lwip_inner.h"

#include "lwip/sys.h"

#include <string.h>

/* Where the port takes hold of a netif, and lets go of it. */

#ifdef LWIP_HOOK_FILENAME
#include LWIP_HOOK_FILENAME
#endif

#if LWIP_IPV4 && !defined(LWIP_HOOK_IP4_INPUT)
#error "Packets would come in unseen: in lwipopts.h, \
#define LWIP_HOOK_FILENAME \"ipsec_lwip_hooks.h\" (see ipsec_lwip.h)"
#endif
#if LWIP_IPV6 && !defined(LWIP_HOOK_IP6_INPUT)
#error "Packets would come in unseen: in lwipopts.h, \
#define LWIP_HOOK_FILENAME \"ipsec_lwip_hooks.h\" (see ipsec_lwip.h)"
#endif
#if !CHECKSUM_GEN_IP || !CHECKSUM_GEN_UDP || !CHECKSUM_GEN_TCP || \
    !CHECKSUM_GEN_ICMP || (LWIP_IPV6 && !CHECKSUM_GEN_ICMP6)
#error "No chip can sum what is encrypted: #define CHECKSUM_GEN_* 1; with \
LWIP_CHECKSUM_CTRL_PER_NETIF 1, netifs without IPsec can do without"
#endif
#if LWIP_DHCP && LWIP_IPV6 && !LWIP_ND6_ALLOW_RA_UPDATES
#error "With DHCP and IPv6: #define LWIP_ND6_ALLOW_RA_UPDATES 1"
#endif
#if IPSEC_LWIP_REASS < 1 || IPSEC_LWIP_REASS > 255 || \
    IPSEC_LWIP_PIECES < 2 || IPSEC_LWIP_PIECES > 255
#error "IPSEC_LWIP_REASS or IPSEC_LWIP_PIECES is out of range"
#endif

#define GEN_ALL (NETIF_CHECKSUM_GEN_IP | NETIF_CHECKSUM_GEN_UDP | \
                 NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_GEN_ICMP | \
                 NETIF_CHECKSUM_GEN_ICMP6)

/*
 * The mtu with which lwIP never fragments. 0 says so too, but DHCP refuses to
 * run with it. Only where there is no mtu6 it must be 0, for then IPv6 would
 * go by a path MTU that it has learnt.
 */
#if LWIP_IPV6 && !LWIP_ND6_ALLOW_RA_UPDATES
#define MTU_WHOLE 0u
#else
#define MTU_WHOLE 0xFFFFu
#endif

#if LWIP_IPV6
#define MTU_MIN 1280u
#else
#define MTU_MIN 576u
#endif

static struct ipsec_lwip *ports;

/* see lwip_inner.h */
struct ipsec_lwip *
ipsec_lwip_find(const struct netif *netif)
{
    struct ipsec_lwip *port = ports;

    while (port != NULL && port->netif != netif) {
        port = port->next;
    }
    return port;
}

/* see lwip_inner.h */
void
ipsec_lwip_set_mtu(struct ipsec_lwip *port)
{
    struct netif *netif = port->netif;

    if (netif->mtu != MTU_WHOLE) {
        if (netif->mtu >= MTU_MIN) {
            port->mtu = netif->mtu;
        }
        netif->mtu = MTU_WHOLE;
    }
#if LWIP_IPV6 && LWIP_ND6_ALLOW_RA_UPDATES
    netif->mtu6 = 0; /* netif_set_link_down() copies mtu here */
#endif
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    netif->chksum_flags |= GEN_ALL; /* a driver may set them with each link */
#endif
}

static int
has_outputs(const struct netif *netif)
{
#if LWIP_IPV4
    if (netif->output == NULL) {
        return 0;
    }
#endif
#if LWIP_IPV6
    if (netif->output_ip6 == NULL) {
        return 0;
    }
#endif
    return 1;
}

static void
wrap(struct ipsec_lwip *port, struct netif *netif)
{
#if LWIP_IPV4
    port->output = netif->output;
    netif->output = ipsec_lwip_output;
#endif
#if LWIP_IPV6
    port->output_ip6 = netif->output_ip6;
    netif->output_ip6 = ipsec_lwip_output_ip6;
#endif
}

/* Is there nobody between lwIP and us? */
static int
is_outermost(const struct netif *netif)
{
#if LWIP_IPV4
    if (netif->output != ipsec_lwip_output) {
        return 0;
    }
#endif
#if LWIP_IPV6
    if (netif->output_ip6 != ipsec_lwip_output_ip6) {
        return 0;
    }
#endif
    return 1;
}

static void
unwrap(struct ipsec_lwip *port, struct netif *netif)
{
#if LWIP_IPV4
    netif->output = port->output;
#endif
#if LWIP_IPV6
    netif->output_ip6 = port->output_ip6;
#if LWIP_ND6_ALLOW_RA_UPDATES
    netif->mtu6 = port->mtu;
#endif
#endif
    netif->mtu = port->mtu;
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    netif->chksum_flags &= (u16_t)~port->chip_gen;
#endif
}

/* see ipsec_lwip.h */
err_t
ipsec_lwip_attach(struct ipsec_lwip *port, struct netif *netif,
                  struct ipsec *ips, struct ipsec_lwip_slot *slot,
                  size_t slots)
{
    size_t i;

    LWIP_ASSERT_CORE_LOCKED();
    if (port == NULL || netif == NULL || ips == NULL ||
        (slot == NULL && slots > 0)) {
        return ERR_ARG;
    }
    if (ipsec_lwip_find(netif) != NULL || port->netif != NULL ||
        port->in_flight > 0) {
        return ERR_USE;
    }
    if (!has_outputs(netif) || netif->mtu < MTU_MIN) {
        return ERR_IF;
    }
    port->netif = netif;
    port->ips = ips;
    port->slot = slot;
    port->slots = slots;
    for (i = 0; i < slots; i++) {
        slot[i].state = SLOT_FREE;
    }
    port->sa_generation = ips->sa_generation;
    wrap(port, netif);
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    port->chip_gen = (u16_t)(GEN_ALL & ~netif->chksum_flags);
#endif
    ipsec_lwip_set_mtu(port);
#if defined(LWIP_RAND)
    port->frag_id = LWIP_RAND();
#else
    port->frag_id = sys_now();
#endif
    port->next = ports;
    ports = port;
    return ERR_OK;
}

static void
unlink_port(struct ipsec_lwip *port)
{
    struct ipsec_lwip **at = &ports;

    while (*at != port) {
        at = &(*at)->next;
    }
    *at = port->next;
}

/* Drop what has waited `ms` for an SA. */
static void
hold_expire(struct ipsec_lwip *port, u32_t ms)
{
    u32_t now = sys_now();
    size_t i;

    for (i = 0; i < port->slots; i++) {
        struct ipsec_lwip_slot *s = &port->slot[i];

        if (s->state == SLOT_HELD && now - s->since >= ms) {
            s->state = SLOT_WORK; /* what is sent here may offer the held */
            ipsec_lwip_view(&s->pkt.buf, s->p);
            if (ms > 0) { /* keys can't be had */
                ipsec_lwip_tell(port, &s->pkt, IPSEC_ERR_NO_SA);
            }
            (void)pbuf_free(s->p);
            s->state = SLOT_FREE;
            port->hold_late++;
        }
    }
}

/* see ipsec_lwip.h */
err_t
ipsec_lwip_detach(struct ipsec_lwip *port)
{
    LWIP_ASSERT_CORE_LOCKED();
    if (port == NULL || port->netif == NULL) {
        return ERR_ARG;
    }
    if (!is_outermost(port->netif)) {
        return ERR_USE;
    }
    unwrap(port, port->netif);
    unlink_port(port);
    hold_expire(port, 0);
    ipsec_lwip_reass_expire(port, 0);
    port->netif = NULL;
    return port->in_flight > 0 ? ERR_INPROGRESS : ERR_OK;
}

/* see ipsec_lwip.h */
void
ipsec_lwip_poll(struct ipsec_lwip *port)
{
    LWIP_ASSERT_CORE_LOCKED();
    if (port->netif == NULL) {
        return;
    }
    ipsec_lwip_set_mtu(port);
    ipsec_lwip_retry(port);
    hold_expire(port, IPSEC_LWIP_HOLD_MS);
    ipsec_lwip_reass_expire(port, IPSEC_LWIP_REASS_MS);
#if ENABLE_LOOPBACK && !LWIP_NETIF_LOOPBACK_MULTITHREADING
    port->looping = 1;
    netif_poll(port->netif);
    port->looping = 0;
#endif
}

/* see lwip_inner.h */
int
ipsec_lwip_is_own(int version, const u8_t *addr)
{
    struct netif *netif;

    NETIF_FOREACH(netif) {
#if LWIP_IPV4
        if (version == 4 && memcmp(addr, netif_ip4_addr(netif), 4) == 0) {
            return 1;
        }
#endif
#if LWIP_IPV6
        s8_t i;

        for (i = 0; version == 6 && i < LWIP_IPV6_NUM_ADDRESSES; i++) {
            if (!ip6_addr_isinvalid(netif_ip6_addr_state(netif, i)) &&
                memcmp(addr, netif_ip6_addr(netif, i)->addr, 16) == 0) {
                return 1;
            }
        }
#endif
    }
    return 0;
}
