/*
 * libipsec - IPsec for systems of any size (RFC 4301, 4302, 4303)
 * SPDX-License-Identifier: MIT
 */
#ifndef IPSEC_IPSEC_H
#define IPSEC_IPSEC_H

#include "ipsec/crypto.h"
#include "ipsec/sad.h"
#include "ipsec/spd.h"
#include "ipsec/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @file ipsec.h
 *
 * The library turns IP packets into ESP or AH packets and back. It sends
 * nothing, receives nothing, allocates nothing, and keeps no global state: the
 * caller hands in a packet and gets back the packet and a verdict.
 *
 * Memory.    Every object is the caller's. An object added to a database
 *            (a policy, an SA) is linked in place and must stay valid, and
 *            must not be moved, until it is removed. There is no close
 *            function: a context with empty databases may be discarded.
 * Contents.  Members below a "private" line are visible only so that the
 *            compiler knows the size. No build option changes a public
 *            structure: the library and its user may be built apart.
 * Threads.   No locks inside. Contexts are independent. Within one context,
 *            packet calls (ipsec_outbound, _inbound, _resume) may run on
 *            several processors at once, provided that each brings its own
 *            `stats`, that no SA is on two of them at a time (give each its
 *            lane), and that no other call runs meanwhile; callbacks then
 *            only take note. An ICMP "too big" that is heeded is on the
 *            outbound SA that it is about.
 * Callbacks. May call anything on the databases, but not the packet calls,
 *            nor ipsec_tick(). Nothing may be called from an interrupt.
 * Integers.  Host byte order, except bytes in arrays, which are as on the
 *            wire. Lengths are in bytes, times in seconds.
 * Errors.    `int` results: 0 or a positive verdict, or a negative
 *            IPSEC_ERR_* (types.h). A negative verdict on a packet means
 *            "drop it".
 */

#define IPSEC_VERSION_MAJOR 0
#define IPSEC_VERSION_MINOR 1
#define IPSEC_VERSION_PATCH 0

/** Room that suffices for any one SA: see ipsec_sa_room() for its need. What
 * ipsec_sa_params.tfc is longer than the packet comes on top of the tail. */
#define IPSEC_HEADROOM 88 /**< IPv6 40 + AH 48, or IPv6 40 + UDP 8 + ESP 8 +
                           *   IV 16 */
#define IPSEC_TAILROOM 52 /**< pad 15 + trailer 2 + ICV 32, rounded up */

/** Most SAs around one packet, nested or in a bundle. */
#define IPSEC_DEPTH 4

/** Counters of packets. They wrap; they are never reset. */
struct ipsec_stats {
    size_t out_protect, out_bypass, in_protect, in_bypass;
    size_t in_consumed;               /**< dummy packets, */
    size_t in_keepalive;              /**< NAT keepalives, */
    size_t in_too_big;                /**< and ICMP "too big" that was heeded:
                                       *   IPSEC_CONSUMED, each */
    size_t in_drop[IPSEC_DROP_COUNT]; /**< by reason: in_drop[-status] */
    size_t out_drop[IPSEC_DROP_COUNT];
};

/** A policy that a caller remembers. Zeroed: none. It must belong to one
 * context and to one flow (addresses, protocol, ports), as that of a connected
 * socket does: the library looks it up again when the SPD has changed, but not
 * whether a packet of another flow would have a better one. Packets without
 * ports, later fragments among them, neither use nor change it. */
struct ipsec_hint {
    struct ipsec_policy *policy;
    uint32_t             generation;
};

#define IPSEC_PKT_TRANSIT 0x01u /**< neither from nor to this host: forwarded.
                                 *   Out: transport mode is refused (RFC 4301
                                 *   section 4.1). In: IPsec that isn't ours
                                 *   goes by its policy, not to NO_SA */
#define IPSEC_PKT_FRAG_OK 0x02u /**< out, IPv6: the result may be fragmented,
                                 *   we being its source (for IPv4 its DF
                                 *   says so) */

/**
 * A packet on its way through the library. `buf.data` points at the IP
 * header before and after. Zero it, then set the first part, or use
 * ipsec_pkt_init(). It may live on the stack unless `done` is set.
 */
struct ipsec_pkt {
    struct ipsec_buf     buf;
    void                *user;     /**< the caller's; never touched */
    struct ipsec_hint   *hint;     /**< out: or NULL */
    struct ipsec_stats  *stats;    /**< or NULL: the context's */

    /** An asynchronous engine calls this, instead of making the caller wait,
     * when it is done with an operation of ipsec_op_pkt(op), and it goes on
     * with ipsec_resume(). NULL: no call on this packet answers PENDING. */
    void               (*done)(struct ipsec_op *op, int result);
    uint8_t              spd_id;   /**< which SPD; often 0 */
    uint8_t              lane;     /**< out: see ipsec_sa_params.lane */
    uint8_t              flags;    /**< IPSEC_PKT_* */

    /* results */
    uint8_t              layers;   /**< how many SAs: 0 is "in clear" */
    struct ipsec_sa     *sa[IPSEC_DEPTH]; /**< in the order applied; valid
                                    *   until the next call on the SAD. NULL:
                                    *   a callback has removed it */
    uint16_t             head, tail; /**< of IPSEC_ERR_ROOM: what it takes */
    uint16_t             mtu;      /**< of IPSEC_ERR_TOO_BIG */

    /* private */
    uint8_t              held, stage, passed, tunnels;
    uint64_t             seq;
    struct ipsec_op      op;
    uint8_t              aad[IPSEC_AAD_MAX];
};

/** An auditable event: a packet was dropped (RFC 4301 sections 4.4.1 and 5.2,
 * RFC 4302 and 4303 section 4). Valid during the callback. */
struct ipsec_audit {
    int                      status; /**< why: the IPSEC_ERR_* */
    uint8_t                  dir;    /**< IPSEC_IN or IPSEC_OUT */
    uint32_t                 spi;    /**< of the SA, or as it was sent; 0:
                                      *   none yet, or not in this fragment */
    uint64_t                 seq;    /**< with the high half, if ESN; likewise.
                                      *   Out: of SEQ_OVERFLOW the last used */
    uint32_t                 time;   /**< as last told */
    uint32_t                 label;  /**< IPv6 flow label of that header, or
                                      *   0 */
    const struct ipsec_flow *flow;   /**< of the outermost header still there;
                                      *   zeroed where none could be read */
    const struct ipsec_pkt  *pkt;    /**< to quote it while layers is 0 */
};

struct ipsec_frag;

/** What happened to an SA. */
enum ipsec_event {
    IPSEC_EVENT_SOFT = 1, /**< due for replacement; once */
    IPSEC_EVENT_HARD,     /**< carries no packet any more: remove it; once */
    IPSEC_EVENT_RELEASED  /**< removed earlier; its memory is now free; once */
};

/* ipsec_config.flags */
#define IPSEC_ACCEPT_PTB   0x01u /**< heed unauthenticated ICMP "too big" about
                                  *   packets of ours (RFC 4301 section 8.2) */
#define IPSEC_ICMP_RELATED 0x02u /**< an ICMP error that no policy matches, not
                                  *   even one that discards, goes over the
                                  *   SAs of the traffic that it is about, by
                                  *   the packet it quotes (section 6.2) */
#define IPSEC_ICMP_CHECK   0x04u /**< in: an ICMP error must quote a packet
                                  *   whose answer would have come over the
                                  *   SAs that it came over, whatever else
                                  *   matches it (section 6.2) */
#define IPSEC_WILD_CARD    0x08u /**< inbound SAs may have IPSEC_MODE_ANY:
                                  *   tunnel mode if the next header is an IP
                                  *   version, else transport mode. It takes
                                  *   away a check */

/**
 * What the library needs from its surroundings. Shared and constant; must
 * stay valid as long as the context. Zero it, then set what you need:
 * only `crypto` and `random` are required.
 */
struct ipsec_config {
    void                      *user;   /**< first argument of each callback */
    const struct ipsec_crypto *crypto; /**< e.g. &ipsec_mbedtls */

    /** Fill `buf` with unpredictable bytes (SPIs, hash keys). 0 or negative. */
    int (*random)(void *user, void *buf, size_t len);

    /**
     * A packet needs an SA that is not there. Raised for every such packet
     * until one is, if only a larval one: reserve it here and now. The
     * packet is unchanged: its caller may keep it and offer it again, once
     * sa_generation differs from what it was before the call.
     */
    void (*acquire)(void *user, struct ipsec_policy *policy,
                    const struct ipsec_flow *flow, int lane);

    /**
     * `event` is an enum ipsec_event, of an outbound or an inbound SA. HARD
     * comes alone where SOFT is overdue too. SOFT comes again for an SA whose
     * life->soft_seq was raised, HARD for one whose life->hard_seq was. The SA
     * may be removed here and now; if a packet of it is being processed,
     * RELEASED follows.
     */
    void (*sa_event)(void *user, struct ipsec_sa *sa, int event);

    /**
     * The newest authentic packet of `sa`, in UDP, came from another address
     * or port than its `remote`: a NAT has a new mapping, or the peer moved.
     * Answer with ipsec_sad_update() of the SAs of both directions, or not: a
     * host that is itself behind a NAT should not (RFC 7296 section 2.23). A
     * late, repeated or forged packet does not raise it, nor one to an address
     * that `sa` has left while it was in the engine. In transport mode the
     * packet is dropped unless `sa` now has its address.
     */
    void (*mapping)(void *user, struct ipsec_sa *sa,
                    const struct ipsec_addr *remote, uint16_t port);

    /** A packet was dropped. Rate limiting is the callee's affair. */
    void (*audit)(void *user, const struct ipsec_audit *event);

    uint16_t natt_port;            /**< ours, e.g. 4500, where ESP in UDP comes
                                    *   in, and IKE, which needs a BYPASS policy
                                    *   and keeps its marker; 0: it does not */
    uint16_t pmtu_age;             /**< seconds for which a path MTU is
                                    *   believed; 0: 600 (RFC 1191 section
                                    *   6.3) */
    uint8_t  flags;                /**< IPSEC_ACCEPT_PTB, ... */

    /** Out: lane for each of the 64 DSCPs, of packets that come with lane 0
     * (RFC 4301 section 4.1); or NULL. */
    const uint8_t *dscp_lane;

    /** Memory by which fragments behind the first get its ports; or NULL. Not
     * where packet calls overlap. */
    struct ipsec_frag *frag;

    /** Optional tables for O(1) lookup; without them, lists. `sad_len` is a
     * power of two, about one for each SA. Cleared by ipsec_init(). */
    struct ipsec_sad_bucket *sad;
    size_t                   sad_len;
    struct ipsec_spd_index  *spd;
};

/** The first fragment of a datagram, as far as policy goes: private. */
struct ipsec_frag_slot {
    struct ipsec_addr local, remote;
    uint32_t          id, until;
    uint16_t          local_port, remote_port;
    uint8_t           proto, dir, spd_id, used;
};

/**
 * Stateful fragment checking (RFC 4301 sections 7.3 and 7.4): fragments behind
 * the first have no ports, so policies with ports would not match them. Of each
 * first fragment the ports are kept in one of `len` slots, zeroed by the
 * caller; of what came over an SA, only after it met its policy. What came in
 * clear makes room first, then the oldest; it pushes out nothing else. Later
 * fragments then go by these ports, or by a policy for OPAQUE ports where that
 * comes first. One that overtakes the first, or whose first
 * was forgotten, is OPAQUE as ever. A policy to PROTECT certain ports takes
 * them only with IPSEC_POLICY_FRAGMENTS; otherwise they are IPSEC_ERR_FRAGMENT
 * out and IPSEC_ERR_SELECTOR in, unless a policy to PROTECT OPAQUE ports is
 * there for them (section 7.2). For placements that don't reassemble first.
 */
struct ipsec_frag {
    struct ipsec_frag_slot *slot;
    uint16_t                len;
    uint16_t                seconds; /**< for which a slot is valid, e.g. 30 */
};

/** One IPsec boundary: an SPD and a SAD. Use ipsec_init(). */
struct ipsec {
    struct ipsec_stats stats;      /**< read-only */
    uint32_t           generation; /**< of the SPD: another after a change */
    uint32_t           sa_generation; /**< likewise of the SAD: try again what
                                    *   met IPSEC_ERR_NO_SA */
    /* private */
    const struct ipsec_config *cfg;
    struct ipsec_sad_bucket    sad_one;
    struct ipsec_policy       *spd_one;
    uint64_t                   hash_key[2];
    uint32_t                   now;
    size_t                     swept;
};

/** Start with empty databases at time 0: every packet is discarded. Before any
 * other call.
 * IPSEC_OK, IPSEC_ERR_ARG (a required member is missing, a table's length is
 * not a power of two), IPSEC_ERR_UNSUPPORTED (`flags`, `frag` or tables for
 * what was left out of the build; other members for it are let be), or
 * IPSEC_ERR_RANDOM (hash keys). */
int ipsec_init(struct ipsec *ips, const struct ipsec_config *cfg);

/**
 * Tell the library the time, on any clock that only goes forward (an earlier
 * time than the last is ignored), and let it raise `sa_event`. Tell it before
 * the first SA is added or reserved: its lifetime begins at the time last
 * told. The library
 * never asks for the time: between calls it stands still. A SAD with a table
 * is swept a part at a time, all of it in 64 seconds, so events may be that
 * late (leave more between soft and hard); no packet passes a hard lifetime
 * whatever the sweep.
 *
 * @return when to call again, at the latest.
 */
uint32_t ipsec_tick(struct ipsec *ips, uint32_t now);

/** The time last told. */
uint32_t ipsec_now(const struct ipsec *ips);

/**
 * Process a packet on its way out (RFC 4301 section 5.1), in place.
 *
 * All SAs of a bundle are chosen, and room, lifetimes and MTU checked, before
 * the first byte is changed and the first sequence number used. TCP, UDP and
 * IPv4 header checksums must be final. Transport mode takes whole datagrams
 * only (RFC 4303 section 3.3.4).
 *
 * @return IPSEC_OK       protected: send `pkt->buf`
 *         IPSEC_BYPASS   send it as it is
 *         IPSEC_PENDING  `pkt` and its buffers are lent to the backend
 *                        until pkt->done() is called
 *         negative       drop it
 */
int ipsec_outbound(struct ipsec *ips, struct ipsec_pkt *pkt);

/**
 * Process a packet that has arrived (RFC 4301 section 5.2), in place: ESP, in
 * UDP or not, AH, or plain. Bytes behind the IP packet's own length (link
 * padding) are let be. Fragments of ESP and AH must be reassembled first, see
 * netif.h. Plaintext is exposed only after its ICV was verified. No room around
 * the packet is needed.
 *
 * @return as ipsec_outbound(); IPSEC_OK and IPSEC_BYPASS mean "deliver",
 *         IPSEC_CONSUMED "forget it".
 */
int ipsec_inbound(struct ipsec *ips, struct ipsec_pkt *pkt);

/**
 * Next part of a call that returned IPSEC_PENDING, from pkt->done() or later,
 * where ipsec_outbound() may be called. `result` is what the engine reported.
 * Packets may be resumed in any order; the replay window is checked again
 * here, for two copies of one packet may have been in the engine together.
 *
 * @return as the first part: IPSEC_PENDING when there is another layer. Built
 *         without, IPSEC_ERR_UNSUPPORTED, and nothing is touched.
 */
int ipsec_resume(struct ipsec *ips, struct ipsec_pkt *pkt, int result);

/**
 * Make a dummy packet (RFC 4303 section 2.6) of `len` bytes of payload, which
 * are zeroed, on outbound ESP `sa`, in the empty `pkt`: buf.data where the
 * payload shall begin, with room for it behind. sa->tfc pads it as any other.
 * The receiver forgets it. When and how often is the caller's to say; so are
 * further SAs of a bundle, none of which is put round it.
 *
 * @return as ipsec_outbound(); IPSEC_ERR_MODE: AH, inbound, or not in the SAD;
 *         _ROOM: pkt->tail is what it takes behind the payload; _TOO_BIG:
 *         pkt->mtu is the largest `len`; IPSEC_ERR_UNSUPPORTED: built without.
 */
int ipsec_dummy(struct ipsec *ips, struct ipsec_pkt *pkt, struct ipsec_sa *sa,
                size_t len);

/**
 * The ICMP error that a verdict of ipsec_outbound() calls for (RFC 4301
 * sections 5.1.1 and 8.2.1), as an IP packet from `from` to the source of the
 * unchanged `pkt`, into `out`: of IPSEC_ERR_TOO_BIG, "fragmentation needed" or
 * "packet too big" with pkt->mtu; of _DISCARD, _NO_POLICY, _SELECTOR and
 * _MODE, "administratively prohibited"; of _NO_SA, when keys can't be had,
 * "host" or "address unreachable". 576 bytes of room always do for IPv4, 1280
 * for IPv6.
 *
 * @return its length; 0: none (not called for; `from` is of the other family;
 *         no room; or not allowed about such a packet: an ICMP error, a
 *         fragment but the first, one to or from more than a single host, IPv4
 *         that is too big but may be fragmented). Rate limiting is the
 *         caller's, and whether to answer at all; so are broadcast addresses
 *         of subnets, which the library doesn't know.
 */
size_t ipsec_icmp_error(const struct ipsec_pkt *pkt, int status,
                        const struct ipsec_addr *from,
                        uint8_t *out, size_t out_len);

/** Ready `pkt` for a packet of `len` bytes at `mem + headroom` in `size`
 * bytes of memory; all else is cleared. */
void ipsec_pkt_init(struct ipsec_pkt *pkt, void *mem, size_t size,
                    size_t headroom, size_t len);

/** The selectors of a packet, seen from our side. IPSEC_OK, or
 * IPSEC_ERR_MALFORMED. */
int ipsec_flow_parse(struct ipsec_flow *flow, int dir,
                     const struct ipsec_buf *buf);

#ifdef __cplusplus
}
#endif

#endif
