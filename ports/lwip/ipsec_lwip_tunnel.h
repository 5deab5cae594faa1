/* SPDX-License-Identifier: MIT */
#ifndef IPSEC_LWIP_TUNNEL_H
#define IPSEC_LWIP_TUNNEL_H

#include "ipsec_lwip.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @file ipsec_lwip_tunnel.h  A tunnel as a netif of its own, for those who
 * think in routes: what lwIP routes into it is protected.
 *
 *     static struct ipsec_lwip_tunnel tun = {
 *         .ips = &ips, .under = &eth, .reqid = 1, .spd_id = 1,
 *         .slot = slot, .slots = 4
 *     };
 *     static struct netif vpn;
 *
 *     netif_add(&vpn, &addr, &mask, &gw, &tun, ipsec_lwip_tunnel_init,
 *               ip_input);
 *     netif_set_up(&vpn);
 *     ... outbound and inbound SA of reqid 1, tunnel mode; the inbound one
 *         with params.spd_id 1 ...
 *     ipsec_lwip_poll(&tun.port);           // some times a second
 *
 * The same core, hooks and build as ipsec_lwip.h, which is to be read first: a
 * tunnel is a netif to which that port is attached, and beneath which sealed
 * packets go to `under`. Its SPD has one policy for all packets, PROTECT with
 * `reqid`, made by ipsec_lwip_tunnel_init(); narrower ones of yours, with a
 * priority below IPSEC_LWIP_TUNNEL_PRIORITY, may DISCARD. BYPASS there drops,
 * too. (Not ipsec_netif_init, as libipsec's own ipsec_netif_...() of
 * ipsec/netif.h are something else.)
 *
 * Routes.  Policy is what lwIP's routes say, and no more: all else leaves and
 *          comes on `under` in clear. While the tunnel is down, or its route is
 *          not there, lwIP takes another: leave it up. Without SAs it sends
 *          nothing. lwIP chooses by the netif's address and mask (IPv6: the
 *          first 64 bits), LWIP_HOOK_IP4_ROUTE_SRC and _IP6_ROUTE, the default
 *          netif last. Who needs it without exceptions takes ipsec_lwip.h.
 * Spoof.   What comes in clear on `under` from a source that is routed into a
 *          tunnel is dropped (tun.spoofed), but for key management: UDP to port
 *          500, or with the zero marker to `natt_port`. If that peer is
 *          itself routed into the tunnel, as with a default route, the daemon
 *          binds its pcb to `under` (udp_bind_netif()).
 * Under.   An Ethernet netif, say, with nothing attached to it; several tunnels
 *          may share it, each with `reqid` and `spd_id` of its own. Fragments
 *          to this host that come there are put together by the first of them.
 *          ESP and AH there belong to the tunnels.
 * MTU.     That of `under` when the tunnel is added. ICMP about the outer
 *          packets has no effect: set ipsec_sa_params.mtu.
 */

#define IPSEC_LWIP_TUNNEL_PRIORITY 1000u

/** A tunnel netif: its netif->state. Zero it, set the first part. */
struct ipsec_lwip_tunnel {
    struct ipsec           *ips;
    struct netif           *under;
    u32_t                   reqid;     /**< of its SAs; not 0 */
    u8_t                    spd_id;    /**< and their SPD: of no other use */
    u16_t                   natt_port; /**< as ipsec_config's; 0: no ESP in
                                        *   UDP */
    struct ipsec_lwip_slot *slot;      /**< for ipsec_lwip_attach() */
    size_t                  slots;

    /* read-only */
    struct ipsec_lwip       port;      /**< for ipsec_lwip_poll(); counters */
    u32_t                   spoofed;   /**< dropped: in clear, from where the
                                        *   tunnel leads */

    /* private */
    struct ipsec_policy       policy;
    struct ipsec_lwip_tunnel *next;
    struct pbuf              *passing;
};

/**
 * For netif_add(), with a struct ipsec_lwip_tunnel as state, and ip_input.
 *
 * @return ERR_OK; ERR_ARG (a missing member); ERR_USE (`under` is attached or
 *         a tunnel itself, or the tunnel is added already); ERR_IF (the mtu of
 *         `under`, see ipsec_lwip_attach(); or what ipsec_spd_add() refused).
 */
err_t ipsec_lwip_tunnel_init(struct netif *netif);

/** Undo it, netif_remove() included. As ipsec_lwip_detach(). */
err_t ipsec_lwip_tunnel_remove(struct netif *netif);

#ifdef __cplusplus
}
#endif

#endif
