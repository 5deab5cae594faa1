/* SPDX-License-Identifier: MIT */
#ifndef LWIP_INNER_H
#define LWIP_INNER_H

#include "ipsec_lwip.h"

/* All that is private to the port and shared between its files. */

/*
 * In p->flags, where lwIP uses the lower bits: made by the library, or cut from
 * what it has judged. Neighbour discovery keeps what waits for an address and
 * then hands it to netif->output_ip6() again. Only pbufs of our own are marked,
 * never one that TCP or an application may send another time.
 */
#define JUDGED 0x80u

#if (LWIP_IPV4 && IP_FORWARD) || (LWIP_IPV6 && LWIP_IPV6_FORWARD)
#define FORWARDING 1
#else
#define FORWARDING 0
#endif

enum { SLOT_FREE, SLOT_WORK, SLOT_HELD, SLOT_AGAIN, SLOT_BUSY };

/* lwip_attach.c */

/* The port of `netif`, or NULL. */
struct ipsec_lwip *ipsec_lwip_find(const struct netif *netif);

/* Keep netif->mtu such that lwIP never fragments, and lwIP summing. */
void ipsec_lwip_set_mtu(struct ipsec_lwip *port);

/* Is this the address of a netif of ours? In network byte order. */
int ipsec_lwip_is_own(int version, const u8_t *addr);

/* lwip_buf.c */

/* `buf` is what is in `p`, which is one piece; no room around it. */
void ipsec_lwip_view(struct ipsec_buf *buf, const struct pbuf *p);

/* Room for `len` bytes in one piece, `head` and `tail` around them, and what
 * the link needs in front. NULL: no memory. */
struct pbuf *ipsec_lwip_alloc(struct ipsec_buf *buf, size_t len, size_t head,
                              size_t tail);

/* Likewise, with the bytes of `p`. */
struct pbuf *ipsec_lwip_copy(struct ipsec_buf *buf, const struct pbuf *p,
                             size_t head, size_t tail);

/* `p` now begins and ends where `buf` does. */
void ipsec_lwip_fit(struct pbuf *p, const struct ipsec_buf *buf);

/* lwip_slot.c */

/* A free slot, or else `local`; ready for a packet. */
struct ipsec_lwip_slot *ipsec_lwip_slot(struct ipsec_lwip *port,
                                        struct ipsec_lwip_slot *local,
                                        int dir);

/* The engine has the packet of `s`, which is in `p`. */
void ipsec_lwip_slot_busy(struct ipsec_lwip_slot *s, struct pbuf *p);

/* lwip_outbound.c */

#if LWIP_IPV4
err_t ipsec_lwip_output(struct netif *netif, struct pbuf *p,
                        const ip4_addr_t *hop);
#endif
#if LWIP_IPV6
err_t ipsec_lwip_output_ip6(struct netif *netif, struct pbuf *p,
                            const ip6_addr_t *hop);
#endif

/* The library has answered `rc` for `pkt`, which is in `p`. */
err_t ipsec_lwip_sealed(struct ipsec_lwip *port, struct ipsec_pkt *pkt,
                        struct pbuf *p, int rc);

/* Offer packets that wait, if there are new SAs. */
void ipsec_lwip_retry(struct ipsec_lwip *port);

/* lwip_transmit.c */

/* Hand an IP packet to the link, in fragments if it must be. `sa`: by which it
 * was sealed last, or NULL. `transit`: the packet as the library left it, if it
 * is another host's, as it came, who is told if it can't; or NULL. */
err_t ipsec_lwip_transmit(struct ipsec_lwip *port, struct pbuf *p,
                          const struct ipsec_sa *sa,
                          struct ipsec_pkt *transit);

/* lwip_icmp.c */

/* Tell the sender of `pkt`, if it is being forwarded and was dropped for
 * `status`, why. */
void ipsec_lwip_tell(struct ipsec_lwip *port, const struct ipsec_pkt *pkt,
                     int status);

/* lwip_forward.c */

#if LWIP_IPV4 && IP_FORWARD
/* `p` gets past the input hook. 0: it must not be forwarded, for lwIP would
 * write behind its end. */
int ipsec_lwip_forward_note(const struct pbuf *p);

/* `p` is at an output function: if it is being forwarded, its checksums are
 * as they came. */
void ipsec_lwip_forward_mend(struct pbuf *p);
#endif

/* lwip_inbound.c */

/* Of what comes on a netif that is not attached: 1, if a tunnel took it. Set
 * where there are tunnels, so that others need not have the code. */
extern int (*ipsec_lwip_under_input)(struct pbuf *p, struct netif *inp);

/* Is it to us, or to a group that we are in? Of what is too short to say, the
 * library will. */
int ipsec_lwip_is_for_us(const struct pbuf *p, struct netif *inp);

/* Take `p`, in clear or not, as if it came on the netif of `port`, which lets
 * nothing in that is in clear. */
void ipsec_lwip_open(struct ipsec_lwip *port, struct pbuf *p);

/* The library has answered `rc` for `pkt`, which is in `p` and is ours. */
void ipsec_lwip_opened(struct ipsec_lwip *port, const struct ipsec_pkt *pkt,
                       struct pbuf *p, int rc);

/* lwip_reass.c */

/**
 * Take a fragment in. Only those meet that came `over` the same SAs, told by
 * IPSEC_DEPTH reqids; all 0: from the wire, in clear.
 *
 * @return `p`, if it is none; another pbuf, with the whole datagram; or NULL.
 */
struct pbuf *ipsec_lwip_reass(struct ipsec_lwip *port, struct pbuf *p,
                              const u32_t *over);

/* Is `p` a fragment, or does it pretend to be? */
int ipsec_lwip_is_fragment(const struct pbuf *p);

/* Drop those that are older than `ms`. */
void ipsec_lwip_reass_expire(struct ipsec_lwip *port, u32_t ms);

/* lwip_mss.c; the MSS itself is in ipsec/mtu.h */

/* What policy wants for packets of a flow: the bundle, as far as it is. */
struct ipsec_lwip_bundle {
    size_t head, tail;    /* the room it takes */
    size_t mtu;           /* the largest packet that fits the link with it */
    int    complete;      /* all SAs are there */
};

void ipsec_lwip_bundle(struct ipsec_lwip_bundle *b, struct ipsec_lwip *port,
                       const struct ipsec_policy *policy);

#endif
