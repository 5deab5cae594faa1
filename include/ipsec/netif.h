/*
 * libipsec - IPsec for systems of any size (RFC 4301, 4302, 4303)
 * SPDX-License-Identifier: MIT
 */
#ifndef IPSEC_NETIF_H
#define IPSEC_NETIF_H

#include "ipsec/ipsec.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @file netif.h  Optional: reassembly, fragmentation, and a binding of both
 * and a context to a stack or a wire.
 *
 * Where there is an IP stack beneath, it reassembles and fragments. In a bump
 * (in the stack, in the wire) this does: whole datagrams go through the
 * library, and fragments only over the link. Three pieces, each of use alone.
 * With IPSEC_NO_FRAGMENTS all answer IPSEC_ERR_UNSUPPORTED.
 */

/** Room for the headers of a datagram: those of its first fragment, over IPv6
 * those ahead of the Fragment header. Longer ones are not reassembled. */
#define IPSEC_REASS_HEADERS 104

/** Bytes of memory of a slot for datagrams with up to `payload` bytes behind
 * their headers: they, and a bit for each 8 of them. */
#define IPSEC_REASS_SIZE(payload, headroom, tailroom)                          \
    ((headroom) + IPSEC_REASS_HEADERS + (tailroom) +                           \
     (((size_t)(payload) + 7) / 8 * 65 + 7) / 8)

/** One datagram in the making. Set `buf`, `size`; zero the rest. */
struct ipsec_reass_slot {
    uint8_t          *buf;  /**< memory for the datagram, any alignment */
    size_t            size; /**< see IPSEC_REASS_SIZE() */
    /* private */
    struct ipsec_addr src, dst;
    uint32_t          id, until;
    uint16_t          total, have, top, hdr;
    uint8_t           proto, state, ecn;
};

/**
 * Reassembly (RFC 791, RFC 8200 section 4.5) in `len` slots of the caller's:
 * the one place that copies. Zero it, then set the first part. One for each
 * side of the boundary, so that nobody outside can add to what comes from
 * inside. Not where calls overlap.
 *
 * Any overlap that isn't a repetition to the byte discards the datagram and
 * what still comes of it (RFC 5722), IPv4 too; so do fragments that contradict
 * each other about the end, that the slot is too small for, or of which some
 * say ECN and others don't (RFC 3168 section 5.3). A flood is held off thus:
 * the oldest datagram makes room, and a source that has half of the slots gets
 * no more, but loses its own oldest.
 */
struct ipsec_reass {
    struct ipsec_reass_slot *slot;
    uint8_t                  len;
    uint8_t                  seconds; /**< from the first that comes, e.g. 30 */
    uint16_t headroom, tailroom;      /**< round each datagram, for what SAs
                                       *   add: IPSEC_HEADROOM, ... */
    /** Counters: they wrap, and are never reset. */
    size_t datagrams; /**< made */
    size_t timeouts;  /**< a fragment was missing */
    size_t evicted;   /**< made room for others */
    size_t overlaps;  /**< discarded: fragments contradict each other */
    size_t malformed; /**< fragments, or datagrams, that can't be right, are
                       *   longer than the slot, or mix ECN and none */
};

/**
 * Offer a packet, whatever it is.
 *
 * @return IPSEC_OK       `*buf` is a whole datagram: this one, untouched
 *                        (atomic fragments, RFC 6946, too), or one now
 *                        complete, in a slot's memory, which remains lent
 *                        until ipsec_reass_release(buf->head)
 *         IPSEC_CONSUMED copied, or had before
 *         negative       drop it: IPSEC_ERR_MALFORMED; IPSEC_ERR_ECN;
 *                        IPSEC_ERR_BUSY, all slots are lent
 */
int ipsec_reass(struct ipsec_reass *re, struct ipsec_buf *buf, uint32_t now);

/** A slot's memory is done with; any other is let be. */
void ipsec_reass_release(struct ipsec_reass *re, const uint8_t *head);

/** Let go of what was not completed in time. ipsec_reass() does so too. */
void ipsec_reass_tick(struct ipsec_reass *re, uint32_t now);

/**
 * Cut the next fragment of the packet at `buf` into `frag`: at frag->data, with
 * frag->end behind at least `mtu` bytes. `*off` is 0 to begin with. A packet
 * no longer than `mtu` is its own only fragment. Over IPv6, where only a
 * packet's source may do this, `id` names the datagram: no two alike between
 * two hosts within a minute, and best not to be guessed (RFC 7739).
 *
 * @return IPSEC_OK            here is one; go on
 *         IPSEC_CONSUMED      there are no more
 *         IPSEC_ERR_TOO_BIG   IPv4 with DF; IPv6 that is a fragment; `mtu` too
 *                             small for 8 bytes, or over IPv6 for all headers
 *         IPSEC_ERR_MALFORMED
 *         IPSEC_ERR_ROOM      in `frag`
 */
int ipsec_fragment(const struct ipsec_buf *buf, size_t mtu, uint32_t id,
                   size_t *off, struct ipsec_buf *frag);

/* Of a netif. */
#define IPSEC_NETIF_REASS_CLEAR 0x01u /**< in: reassemble all fragments, not
                                       *   only those of IPsec to this host, so
                                       *   that policy sees their ports. Where
                                       *   it isn't set, ipsec_config.frag */

/**
 * A stack's, or a wire's, side of the boundary. Zero it, then set what you
 * need.
 *
 * A packet and its memory are lent from the call that offers it until
 * release(), which comes once for each, whatever became of it; before that
 * transmit() has come (once for each fragment), or deliver(), or drop(), or
 * none: it went into a datagram that isn't complete, or was a dummy. Unless the
 * engine is asynchronous, all come before the call returns. What these
 * callbacks are given is theirs until they return: they copy what they want to
 * keep. A datagram that was put together lies in a slot's memory, and
 * pkt->buf with it: find your own by pkt->user. They may not offer packets.
 * `pkt` is to be as for ipsec_outbound() and ipsec_inbound(); its flags may
 * come back with IPSEC_PKT_FRAG_OK.
 */
struct ipsec_netif {
    struct ipsec *ips;
    void         *user; /**< first argument of each callback */

    /** To the wire: `buf`, which is pkt->buf or a fragment of it. */
    void (*transmit)(void *user, struct ipsec_pkt *pkt,
                     const struct ipsec_buf *buf);
    /** To the stack: pkt->buf. */
    void (*deliver)(void *user, struct ipsec_pkt *pkt);
    /** `status` says why. While pkt->layers is 0 the packet is as it was, or
     * as it was put together: it may be kept in a copy, or quoted. */
    void (*drop)(void *user, struct ipsec_pkt *pkt, int status);
    void (*release)(void *user, struct ipsec_pkt *pkt); /**< or NULL */

    /** Out: fragments that come from the stack are put together, so that
     * transport mode can take them (RFC 4303 section 3.3.4) and policy sees
     * their ports. Not those of IPSEC_PKT_TRANSIT. Or NULL. */
    struct ipsec_reass *reass_out;

    /** In: ESP and AH, or UDP where these may be in it, is put together before
     * it is opened (RFC 4303 section 3.4.1); not IPSEC_PKT_TRANSIT. Or NULL:
     * it comes whole. */
    struct ipsec_reass *reass_in;

    uint8_t *frag;      /**< `mtu` bytes to make fragments in, or NULL */
    uint16_t mtu;       /**< of the link, for fragments out; 0: no limit. They
                         *   fit the SA's mtu, too, unless `frag` is NULL. What
                         *   is longer and may not be cut is dropped as
                         *   IPSEC_ERR_TOO_BIG. With DF in outer headers also
                         *   set the SA's mtu: its sender is told in time */
    uint8_t  flags;     /**< IPSEC_NETIF_* */
    uint32_t id;        /**< of the next IPv6 datagram that is cut; begin
                         *   anywhere, at random */
};

/** ipsec_outbound(), then transmit() or drop(), now or when resumed. */
void ipsec_netif_output(struct ipsec_netif *nif, struct ipsec_pkt *pkt);

/** ipsec_inbound(), then deliver() or drop(), now or when resumed. */
void ipsec_netif_input(struct ipsec_netif *nif, struct ipsec_pkt *pkt);

/** ipsec_resume(), then as above: to be called where pkt->done() would call
 * that. */
void ipsec_netif_resume(struct ipsec_netif *nif, struct ipsec_pkt *pkt,
                        int result);

#ifdef __cplusplus
}
#endif

#endif
