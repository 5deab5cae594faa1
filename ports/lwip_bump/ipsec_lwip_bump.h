/* SPDX-License-Identifier: MIT */
#ifndef IPSEC_LWIP_BUMP_H
#define IPSEC_LWIP_BUMP_H

#include "ipsec/netif.h"

#include "lwip/netif.h"
#include "lwip/pbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @file ipsec_lwip_bump.h  libipsec as a bump in the stack, below lwIP 2.1.3
 * and 2.2: between a netif and its driver.
 *
 * lwIP is as it is, prebuilt if need be: no hooks, no options. It makes IP
 * packets, fragments and Ethernet frames and resolves addresses; the bump takes
 * the frames that it hands to netif->linkoutput, and those that the driver
 * hands to netif->input. ports/lwip, the native port, has no part in it; it
 * copies as often, keeps packets that wait for an SA, and clamps the MSS by
 * itself, so prefer that where lwIP can be built anew.
 *
 *     static uint8_t frag[1500], mem[8][IPSEC_REASS_SIZE(8192,
 *                        IPSEC_HEADROOM, IPSEC_TAILROOM)];
 *     static struct ipsec_reass_slot slot[8];   // .buf, .size: mem[i]
 *     static struct ipsec_lwip_bump bump;
 *
 *     bump.ips = &ips;
 *     bump.frag = frag;
 *     bump.frag_len = sizeof frag;
 *     bump.out.slot = slot;
 *     bump.in.slot = slot + 4;
 *     bump.out.len = bump.in.len = 4;
 *     netif_add(&eth, ...);                 // the driver has set all members
 *     ipsec_lwip_bump_attach(&bump, &eth);
 *     netif_set_up(&eth);
 *     for (;;) {
 *         ...                               // driver, sys_check_timeouts()
 *         ipsec_lwip_bump_poll(&bump);      // some times a second
 *     }
 *
 * Build.   Add ports/lwip_bump/lwip_bump.c. The netif must be an Ethernet.
 *          CHECKSUM_GEN_* must be 1; with LWIP_CHECKSUM_CTRL_PER_NETIF, lwIP
 *          sums and checks all on this netif, whatever its driver has said, for
 *          no chip sees what is encrypted. The driver must not have the chip
 *          write sums, nor cut segments (TSO).
 * Policy.  All IP is judged, DHCP, IGMP, MLD and neighbour discovery included:
 *          give those that have to work the BYPASS policies they need (ICMPv6
 *          types 133 to 137, say). ARP passes. All other frames, tagged ones
 *          among them, are dropped, both ways, and counted in `foreign`.
 * Memory.  All of the bump's own is the caller's: `struct ipsec_lwip_bump`,
 *          `frag` and the slots' memory, until ipsec_lwip_bump_detach(). What
 *          is handed to lwIP and to the driver are lwIP's pbufs, from its heap
 *          (out) and its pool (datagrams put together, in). A packet is copied
 *          once on its way out, for what TCP hands out is its own; in, it is
 *          opened in place if it comes in one pbuf.
 * Fragments. Those that lwIP makes are put together below it (`out`), because
 *          transport mode takes whole datagrams and policy is to see ports; but
 *          not those that it forwards: a tunnel carries them as they are.
 *          Fragments of ESP and AH to this host are put together before they
 *          are opened (`in`), and so are those in clear, that none may join in
 *          lwIP what came over an SA. Without slots (len 0), neither is done.
 * MTU.     netif->mtu is the link's. Of this host's own packets those that have
 *          grown too long are fragmented behind ESP, both families (we are
 *          their source), but IPv4 with DF. For these, and for what lwIP
 *          forwards where it may not be cut, the bump hands up what a router
 *          would send: "fragmentation needed", or "packet too big" with the MTU
 *          that would do (RFC 4301 section 8.2.1), from the packet's
 *          destination; the stack believes it, or forwards it. Set
 *          ipsec_sa_params.mtu to the link's MTU, or nobody can be told.
 *          lwIP's TCP does not learn from these within a connection. So that
 *          it needs no fragments, set `reserve`: netif->mtu is that much less
 *          while attached, and lwIP's MSS, fragments and answers to what it
 *          forwards go by that. IPSEC_HEADROOM + IPSEC_TAILROOM suffices for
 *          any one SA, netif->mtu - ipsec_sa_mtu(sa, netif->mtu) for this one.
 * Route.   A protected packet goes to the Ethernet address that lwIP chose for
 *          the packet inside: a tunnel's other end must be there, or behind
 *          it.
 * Threads. Everything under lwIP's core lock; calls on `ips`, too. With NO_SYS
 *          0 the driver calls netif->input from a thread of its own, as ever.
 * Errors.  From netif->linkoutput, so from udp_send() etc., of what was not
 *          fragmented: ERR_RTE policy refuses the packet, or its SA has
 *          expired; ERR_MEM no memory, or no SA yet (`acquire` was raised; it
 *          is not kept); ERR_VAL too big; ERR_IF anything else.
 * NAT-T.   As in ipsec.h, with ipsec_config.natt_port. IKE and keepalives are
 *          sent from a socket bound to that port, which policies must BYPASS.
 * Limits.  No asynchronous crypto. A whole datagram with what its SAs add has
 *          65535 bytes at most. One error is kept for lwIP at a time. lwIP 2.2
 *          forwards IPv4 with checksums of 0 where CHECKSUM_GEN_* is 1: a
 *          gateway needs 2.1.
 */

/** A netif with a bump below it. Zero it, then set the first part. */
struct ipsec_lwip_bump {
    struct ipsec      *ips;
    u8_t              *frag;     /**< memory to cut packets in, or NULL: what is
                                  *   too long is dropped */
    size_t             frag_len; /**< at least netif->mtu */
    struct ipsec_reass out, in;  /**< `slot` and `len`; `seconds`, `headroom`
                                  *   and `tailroom` where 30, IPSEC_HEADROOM
                                  *   and IPSEC_TAILROOM won't do: bundles, TFC
                                  *   padding */
    u16_t              reserve;  /**< of netif->mtu: see MTU */
    u8_t               spd_id;   /**< which SPD */

    /* read-only */
    u16_t              mtu;      /**< of the link */
    u32_t              nomem;    /**< dropped: no pbuf, or too long for one */
    u32_t              foreign;  /**< frames dropped: neither IP nor ARP */
    u32_t              too_big;  /**< dropped: may not be fragmented ... */
    u32_t              told;     /**< ... and lwIP was told */

    /* private */
    struct ipsec_lwip_bump *next;
    struct netif           *netif;
    struct ipsec_netif      nif;
    struct pbuf            *news;     /* for lwIP, as soon as it may be */
    netif_linkoutput_fn     linkoutput;
    netif_input_fn          input;
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    u16_t                   chip;     /* flags that the driver had not set */
#endif
};

/**
 * Put `bump` between `netif`, which was added, and its driver.
 *
 * @return ERR_OK, ERR_ARG (a pointer is missing), ERR_USE (attached already),
 *         ERR_IF (no Ethernet), or ERR_VAL (netif->mtu less `reserve` is under
 *         576; with IPv6, 1280; or more than `frag_len`).
 */
err_t ipsec_lwip_bump_attach(struct ipsec_lwip_bump *bump,
                             struct netif *netif);

/**
 * Undo it. Before netif_remove().
 *
 * @return ERR_OK; ERR_USE: somebody else has wrapped the functions since, and
 *         nothing was changed; ERR_ARG: it was not attached.
 */
err_t ipsec_lwip_bump_detach(struct ipsec_lwip_bump *bump);

/** Time has passed: drop what will not be whole any more, tell lwIP of packets
 * that were too big. Some times a second. */
void ipsec_lwip_bump_poll(struct ipsec_lwip_bump *bump);

#ifdef __cplusplus
}
#endif

#endif
