/* SPDX-License-Identifier: MIT */
#ifndef IPSEC_LWIP_H
#define IPSEC_LWIP_H

#include "ipsec/ipsec.h"

#include "lwip/netif.h"
#include "lwip/pbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @file ipsec_lwip.h  libipsec inside lwIP 2.1.3 and 2.2: IPv4, IPv6 or both.
 *
 * The port stands at the two places that every IP packet of a netif passes:
 * the netif's own output functions, and lwIP's input hooks. Sockets, TCP, DHCP
 * and the rest of lwIP know nothing of it.
 *
 *     static struct ipsec_lwip port;
 *     static struct ipsec_lwip_slot slot[4];
 *
 *     netif_add(&eth, ...);                 // mtu and output are set now
 *     ipsec_lwip_attach(&port, &eth, &ips, slot, 4);
 *     netif_set_up(&eth);
 *     for (;;) {
 *         ...                               // driver, sys_check_timeouts()
 *         ipsec_lwip_poll(&port);           // some times a second
 *     }
 *
 * Build.   Add ports/lwip/lwip_*.c. In lwipopts.h:
 *
 *              #define LWIP_HOOK_FILENAME "ipsec_lwip_hooks.h"
 *
 *          and compile lwIP itself with -Iports/lwip, for its own files include
 *          that one. A product with a hook file of its own includes ours in
 *          it, or calls ipsec_lwip_ip4_input() and _ip6_input() first thing
 *          from its hooks of these names and returns 1 if they do.
 *          CHECKSUM_GEN_* must be 1: what is encrypted can't be summed by a
 *          network chip any more. With LWIP_CHECKSUM_CTRL_PER_NETIF, lwIP sums
 *          what leaves on attached netifs, whatever their driver has said, and
 *          checks what was opened or put together, for the chip has not. Of
 *          what comes in clear the chip's word is taken, as ever. The driver
 *          must not have the chip write sums into what it is handed.
 *          What is missing is said at compile time. The port fragments and
 *          reassembles by itself: on an attached netif lwIP's IP_FRAG,
 *          IP_REASSEMBLY etc. have nothing to do and may be 0.
 * Policy.  All that lwIP sends and receives is judged, DHCP, IGMP, MLD and
 *          neighbour discovery included: give those that have to work the
 *          BYPASS policies they need (ICMPv6 types 133 to 137, say). ARP is
 *          not IP. A netif that is not attached is inside the boundary: its
 *          packets pass. Attach each one that leads outside.
 * Memory.  `struct ipsec_lwip` and the slots are the caller's, and stay where
 *          they are until ipsec_lwip_detach(). Packets are copied once, into
 *          PBUF_RAM with room for the bundle, for what TCP and applications
 *          hand out is theirs. ESP that arrives in one writable pbuf is opened
 *          in place. Bypassed packets in one pbuf are not copied.
 * Slots.   A slot keeps a packet that waits for an SA (the newest is dropped
 *          when all are taken, the older ones after IPSEC_LWIP_HOLD_MS), or is
 *          in an asynchronous crypto engine. With none free, a packet that
 *          needs an SA is dropped, and the engine is asked to work at once.
 * Threads. Everything under lwIP's core lock, the engine's done() and calls on
 *          `ips` too; done() must not be called from within another packet's
 *          way through lwIP: use the main loop or tcpip_callback(). With
 *          LWIP_TCPIP_CORE_LOCKING 0 that is lwIP's own thread only:
 *          tcpip_callback(), and sys_timeout() for ipsec_lwip_poll(). Where
 *          LWIP_ASSERT_CORE_LOCKED is defined, each function checks it. Crypto
 *          runs on the stack of that thread, of which the port takes 1 KiB
 *          (Cortex-M4: 700 bytes on the way in, 500 out; an application may
 *          send from its callback).
 * MTU.     netif->mtu becomes 65535 and mtu6 0: so lwIP hands over whole
 *          datagrams, as transport mode demands (RFC 4303 section 3.3.4). The
 *          real one is port.mtu; who writes netif->mtu later, as PPP does,
 *          changes that with the next packet or ipsec_lwip_poll(). What has
 *          grown too long is fragmented afterwards, and the MSS option of
 *          SYNs, of our own and forwarded ones, out and in, is lowered to what
 *          fits (RFC 6691), so TCP never needs it. MTU options of
 *          router advertisements have no effect. Fragments fit the path of
 *          the SA (ipsec_sa.mtu, which ICMP may lower: IPSEC_ACCEPT_PTB); with
 *          IPv6 also what lwIP has learnt by "packet too big" about the outer
 *          packets, down to 1280.
 * Route.   A protected packet leaves on the netif that lwIP chose for the
 *          packet inside; next hop there is that of the outer destination.
 * Loop.    What lwIP loops back to an address of its own on an attached netif
 *          (LWIP_NETIF_LOOPBACK) passes when netif_poll() is left to
 *          ipsec_lwip_poll(); for 127.0.0.1 and ::1 on loopif that is no
 *          matter. With LWIP_NETIF_LOOPBACK_MULTITHREADING it is judged.
 * Errors.  From netif->output, so from udp_send() etc.: ERR_RTE policy refuses
 *          the packet, or its SA has expired; ERR_MEM no memory, no SA yet and
 *          no slot, or an engine that is busy; ERR_VAL too big and not to be
 *          fragmented; ERR_IF anything else. ERR_OK while it waits. What lwIP
 *          received is dropped in silence: see ips->stats.
 * NAT-T.   UDP 4500 is shared in the input hook, not in a pcb. With
 *          ipsec_config.natt_port 4500 the port takes ESP and keepalives out of
 *          what comes there. The rest is the key daemon's: a pcb of its own,
 *          bound to 4500, gets it as it was sent, the four zero bytes of the
 *          non-ESP marker in front (RFC 3948 section 2.2), and puts them in
 *          front of what it sends. A socket does as well.
 *
 *              daemon = udp_new_ip_type(IPADDR_TYPE_ANY);
 *              udp_bind(daemon, IP_ANY_TYPE, 4500);   // a second one: 500
 *              udp_recv(daemon, ike_in, NULL);        // p: 0 0 0 0, then IKE
 *              ... policies that BYPASS UDP with local port 500 and 4500 ...
 *
 *          These policies let no ESP in: it is taken out before policy is
 *          asked. A keepalive (section 4) is one byte, 0xFF, that the daemon
 *          sends from this pcb when ipsec_sa.used is 20 seconds ago;
 *          ipsec_config.mapping tells it that the peer's address or port has
 *          changed. Fragments of both are put together first.
 * Forward. What lwIP forwards (IP_FORWARD, LWIP_IPV6_FORWARD) is judged as
 *          any packet; transport mode is not for it. Its sender is told, from
 *          our address towards him, and by the policy of that way, what lwIP
 *          can't tell him any more: "fragmentation needed" or "packet too big"
 *          with the MTU that would do; "administratively prohibited" when
 *          policy refuses it, and "host unreachable" when no SA came in time,
 *          both unless port.silent. At most IPSEC_LWIP_ICMP_BURST at once, and
 *          one each IPSEC_LWIP_ICMP_MS. What is refused on its way in is not
 *          answered.
 *          lwIP 2.2.1 sets the checksums of IPv4 packets that it forwards to 0
 *          when CHECKSUM_GEN_* is 1 (ip4_forward()). What leaves on an
 *          attached netif gets them back as they came. What leaves on another
 *          does not: attach that one as well, with a port.spd_id of its own
 *          and a BYPASS policy for all there.
 * Limits.  Reassembly sends no "time exceeded".
 */

/** Datagrams being reassembled on a netif, and fragments each may have: one of
 * 8,000 bytes that was cut for a link of 1500, and again on its way for one of
 * 1300, comes in 12. */
#ifndef IPSEC_LWIP_REASS
#define IPSEC_LWIP_REASS    4
#endif
#ifndef IPSEC_LWIP_PIECES
#define IPSEC_LWIP_PIECES   16
#endif

/** How long fragments, and packets without SA, wait; milliseconds. */
#ifndef IPSEC_LWIP_REASS_MS
#define IPSEC_LWIP_REASS_MS 15000u
#endif
#ifndef IPSEC_LWIP_HOLD_MS
#define IPSEC_LWIP_HOLD_MS  5000u
#endif

/** ICMP errors about forwarded packets: so many at once, then one each so many
 * milliseconds (RFC 4443 section 2.4 (f)). */
#ifndef IPSEC_LWIP_ICMP_BURST
#define IPSEC_LWIP_ICMP_BURST 10
#endif
#ifndef IPSEC_LWIP_ICMP_MS
#define IPSEC_LWIP_ICMP_MS    100u
#endif

/** A packet that waits. All private; need not be initialized. */
struct ipsec_lwip_slot {
    struct ipsec_pkt   pkt;
    struct ipsec_hint  hint;
    struct ipsec_lwip *port;
    struct pbuf       *p;
    u32_t              since;
    u32_t              order;
    u8_t               state;
    u8_t               dir;
};

/** A datagram being reassembled. Private. */
struct ipsec_lwip_reass {
    struct ipsec_lwip_piece {
        struct pbuf *p;
        u16_t        at;            /* where in `p` its data begin ... */
        u16_t        start, len;    /* ... and their place in the whole */
    }     piece[IPSEC_LWIP_PIECES]; /* by `start` */
    u32_t id, since;
    u16_t total;                    /* 0: not known yet */
    u16_t hdr, nh;                  /* of the first one: length of its header,
                                     * where it names what follows */
    u8_t  next;                     /* ... and what that is */
    u8_t  count;
    u8_t  version, proto;
    u8_t  addr[32];                 /* source and destination */
    u32_t over[IPSEC_DEPTH];        /* reqids of the SAs it came over; all 0:
                                     * in clear */
};

/** A netif with IPsec. Zero it. */
struct ipsec_lwip {
    /* may be set, before or after ipsec_lwip_attach() */
    u8_t  spd_id;        /**< which SPD */
    u8_t  silent;        /**< 1: who sends what is to be forwarded is told
                          *   "too big" only */

    /* read-only */
    u16_t mtu;           /**< of the link */
    u32_t held;          /**< packets that had to wait for an SA ... */
    u32_t hold_full;     /**< ... and for which no slot was free */
    u32_t hold_late;     /**< ... and that waited too long */
    u32_t nomem;         /**< dropped: no pbuf */
    u32_t too_big;       /**< dropped: may not be fragmented */
    u32_t not_ours;      /**< dropped: to another host, and no forwarding */
    u32_t icmp_sent;     /**< errors about forwarded packets ... */
    u32_t icmp_limited;  /**< ... and those that would have been too many */
    u32_t frag_drop;     /**< fragments dropped: malformed, overlapping, late,
                          *   too many */

    /* private */
    struct ipsec_lwip      *next;
    struct netif           *netif;
    struct ipsec           *ips;
    struct ipsec_lwip_slot *slot;
    size_t                  slots;
    size_t                  in_flight;
    u32_t                   order;
    u32_t                   frag_id;
    u32_t                   icmp_since;
    u32_t                   sa_generation;
    struct pbuf            *passing;
    u8_t                    looping;
    u8_t                    icmp_used;
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    u16_t                   chip_gen;
#endif
#if LWIP_IPV4
    netif_output_fn         output;
#endif
#if LWIP_IPV6
    netif_output_ip6_fn     output_ip6;
#endif
    struct ipsec_lwip_reass reass[IPSEC_LWIP_REASS];
};

/**
 * Put `ips` around `netif`, which was added and has its output functions and
 * its mtu. `port` is zeroed but for what may be set before.
 *
 * @return ERR_OK, ERR_ARG (a missing pointer), ERR_USE (attached already), or
 *         ERR_IF (no output function, or an mtu under 576; with IPv6, 1280).
 */
err_t ipsec_lwip_attach(struct ipsec_lwip *port, struct netif *netif,
                        struct ipsec *ips, struct ipsec_lwip_slot *slot,
                        size_t slots);

/**
 * Undo it, and drop what waits. Before netif_remove().
 *
 * @return ERR_OK          `port` and the slots are the caller's again
 *         ERR_INPROGRESS  when port->in_flight is 0: the engine still has
 *                         packets, which will be dropped
 *         ERR_USE         somebody else has wrapped the output functions
 *                         since; nothing was changed
 *         ERR_ARG         it was not attached
 */
err_t ipsec_lwip_detach(struct ipsec_lwip *port);

/** Time has passed: offer again what waits for an SA, drop what is too old,
 * deliver what was looped back. A few times a second, and after SAs were
 * added. */
void ipsec_lwip_poll(struct ipsec_lwip *port);

/**
 * Send a dummy packet with `len` bytes of payload over `sa`, as ipsec_dummy()
 * has it, on the netif of `port`.
 *
 * @return as netif->output (see Errors): ERR_VAL too long for its path; ERR_IF
 *         no outbound ESP SA, or built without; ERR_ARG not attached.
 */
err_t ipsec_lwip_dummy(struct ipsec_lwip *port, struct ipsec_sa *sa,
                       u16_t len);

/* Hooks: see ipsec_lwip_hooks.h. 1: the packet was taken. */
int ipsec_lwip_ip4_input(struct pbuf *p, struct netif *inp);
int ipsec_lwip_ip6_input(struct pbuf *p, struct netif *inp);

#ifdef __cplusplus
}
#endif

#endif
