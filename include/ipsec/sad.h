/*
 * libipsec - IPsec for systems of any size (RFC 4301, 4302, 4303)
 * SPDX-License-Identifier: MIT
 */
#ifndef IPSEC_SAD_H
#define IPSEC_SAD_H

#include "ipsec/crypto.h"
#include "ipsec/spd.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @file sad.h  Security Association Database (RFC 4301 section 4.4.2). */

#define IPSEC_SA_ESN         0x0001u /**< 64-bit sequence numbers */
#define IPSEC_SA_NO_REPLAY   0x0002u /**< in: no anti-replay */
#define IPSEC_SA_NEGOTIATED  0x0004u /**< the key is new: never used before */
#define IPSEC_SA_ENCAP_ONLY  0x0008u /**< in: only in UDP where it has ports,
                                      *   only without where it has none;
                                      *   otherwise either way will do (RFC
                                      *   7296 section 2.23) */
#define IPSEC_SA_NAT_CSUM    0x0010u /**< in, transport mode in UDP: a NAT has
                                      *   changed addresses, so compute TCP's,
                                      *   UDP's and ICMPv6's checksum anew (RFC
                                      *   3948 section 3.1.2) */
#define IPSEC_SA_MULTICAST   0x0020u /**< in: `local` is a group's address,
                                      *   and the SPI the group's choice, so
                                      *   only the two together are unique
                                      *   (RFC 4301 section 4.1) */
#define IPSEC_SA_MATCH_REMOTE 0x0040u /**< ... and with `remote`, the sender.
                                      *   Without it anybody of the family of
                                      *   `remote` is, with numbers of his own:
                                      *   NO_REPLAY is required (RFC 4303
                                      *   section 2.2) */
#define IPSEC_SA_DF_COPY     0x0080u /**< tunnel out: outer DF as the inner's
                                      *   (set, where that is IPv6) */
#define IPSEC_SA_DF_SET      0x0100u /**< ... or always; neither: clear */
#define IPSEC_SA_DSCP_SET    0x0200u /**< outer DSCP is `dscp`, not a copy */
#define IPSEC_SA_NO_ECN      0x0400u /**< RFC 6040 compatibility mode: outer
                                      *   ECN is Not-ECT */
#define IPSEC_SA_ROLLOVER    0x0800u /**< numbers may begin again at 0 (RFC
                                      *   4303 section 3.3.3): no ESN, no
                                      *   counter mode, no life->hard_seq; in:
                                      *   with NO_REPLAY only */
#define IPSEC_SA_LABEL_COPY  0x1000u /**< 6 in 6: outer flow label as the
                                      *   inner's; otherwise 0 */
#define IPSEC_SA_AH_ALIGN8   0x2000u /**< AH over IPv4 padded to 8 bytes, as
                                      *   Linux has it unless told `align4` */

/**
 * When an SA must be replaced (`soft`) and may not be used any more
 * (`hard`): time, bytes or sequence number, whichever comes first; 0 is
 * "none". Bytes are those that the algorithms are applied to, padding
 * included, headers not. The last packet allowed is the one that reaches
 * `hard`.
 *
 * The caller's, shared by any number of SAs, valid as long as they; constant
 * but for `soft_seq` and `hard_seq` of an SA whose numbers are noted in
 * non-volatile memory: raise both when the next reservation is written.
 */
struct ipsec_lifetime {
    uint64_t soft_bytes, hard_bytes;
    uint64_t soft_seq, hard_seq;
    uint32_t soft_s, hard_s;       /**< seconds after ipsec_sad_add() */
};

/** All that ipsec_sad_add() needs to know. Zero it first. Not kept: it may
 * be on the stack, and the caller wipes the keys in it. */
struct ipsec_sa_params {
    uint32_t            spi;       /**< a larval SA keeps the one it has */
    uint32_t            reqid;     /**< whose packets it carries; not 0 */
    uint8_t             dir;       /**< IPSEC_OUT or IPSEC_IN */
    uint8_t             proto;     /**< enum ipsec_proto */
    uint8_t             mode;      /**< enum ipsec_mode */
    uint8_t             lane;      /**< out: 0, or only for packets of this
                                    *   lane: a class of traffic (RFC 4301
                                    *   4.1), a processor (RFC 9611) */
    uint8_t             spd_id;    /**< in: of the SPD to check against */
    uint8_t             dscp;      /**< of IPSEC_SA_DSCP_SET, 0 to 63 */
    uint16_t            flags;     /**< IPSEC_SA_* */
    struct ipsec_addr   local, remote; /**< outer addresses; in transport mode
                                    *   those of the packets themselves */
    uint16_t            local_port, remote_port; /**< ESP in UDP (RFC 3948),
                                    *   e.g. 4500; both 0: not in UDP */
    uint16_t            mtu;       /**< out: MTU of the link, or of the path
                                    *   if known; 0: unknown. ICMP may lower
                                    *   it for a time (IPSEC_ACCEPT_PTB) */
    uint16_t            tfc;       /**< out, tunnel mode: pad packets to this
                                    *   many bytes (RFC 4303 section 2.7), as
                                    *   far as `mtu` lets, and those of a
                                    *   bundle's further SAs; 0: don't, as in
                                    *   any other SA. The peer must have
                                    *   agreed */
    const uint8_t      *dscp_map;  /**< out, tunnel mode: outer DSCP for each of
                                    *   the 64 inner ones, the low six bits of
                                    *   each; NULL: a copy. Kept */

    /**
     * The last sequence number used (out), or up to which all count as seen
     * (in): 0 for a new key; the noted life->hard_seq after a restart.
     *
     * A counter-mode key (GCM, GMAC, CCM, CTR, ChaCha20-Poly1305) must never
     * seal two packets under one number (RFC 4106 section 2). So without
     * IPSEC_SA_NEGOTIATED, which says that the key is new, such an outbound
     * SA is refused unless life->hard_seq reserves its numbers: the caller
     * notes hard_seq in non-volatile memory before setting it, starts from it
     * the next time, and the library never passes it. Inbound, the same keeps
     * packets of before a restart from being accepted again after it.
     */
    uint64_t            seq;

    const struct ipsec_lifetime *life;     /**< or NULL: none. Kept. */
    const struct ipsec_crypto   *crypto;   /**< or NULL: the context's. Kept. */
    struct ipsec_keymat          km; /**< AH: IPSEC_ENCR_NULL and a MAC */
    void     *key;                 /**< memory for the expanded key, aligned
                                    *   for any type. Kept ... */
    size_t    key_len;             /**< ... at least crypto->key_size() bytes */
    uint32_t *window;              /**< in: replay window, or NULL. Kept ... */
    uint16_t  window_len;          /**< ... in words of 32 packets, a power of
                                    *   two; with NULL, 0: 64 packets */
};

enum ipsec_sa_state {
    IPSEC_SA_NONE,                 /**< in no database */
    IPSEC_SA_LARVAL,               /**< reserved: carries nothing (yet) */
    IPSEC_SA_MATURE,
    IPSEC_SA_DEAD                  /**< removed, with packets in the engine */
};

/** Why an SA ended, or is to be replaced. */
enum ipsec_reason {
    IPSEC_REASON_NONE,
    IPSEC_REASON_TIME, IPSEC_REASON_BYTES, IPSEC_REASON_SEQ,
                                   /**< a limit of its ipsec_lifetime, or the
                                    *   end of its numbers: set by the library
                                    *   ahead of IPSEC_EVENT_SOFT and _HARD */
    IPSEC_REASON_PEER, IPSEC_REASON_ADMIN, IPSEC_REASON_COMPROMISED,
    IPSEC_REASON_REKEYED           /**< the caller's to set, for its records,
                                    *   ahead of ipsec_sad_remove() */
};

/** An SA. Zeroed memory of the caller's; only read the upper part. */
struct ipsec_sa {
    uint64_t            packets, bytes;
    uint64_t            seq;       /**< last used, or highest accepted; out,
                                    *   with ROLLOVER: the low half is sent */
    size_t              drop_auth, drop_replay, drop_other;
    void               *user;      /**< the caller's; never touched */
    uint32_t            spi, reqid;
    uint32_t            used;      /**< when it last carried a packet */
    struct ipsec_addr   local, remote;
    uint8_t             dir, proto, mode, lane, spd_id, dscp;
    uint8_t             state;     /**< enum ipsec_sa_state */
    uint8_t             reason;    /**< enum ipsec_reason; may be written */
    uint16_t            flags;
    uint16_t            local_port, remote_port;
    uint16_t            mtu;       /**< of the path, as far as known; 0 */
    uint16_t            tfc;
    uint16_t            in_flight; /**< packets being processed */
    /* private */
    uint8_t                      warned, iv_len, align, icv_len, alg;
    uint16_t                     window_len, link_mtu;
    const uint8_t               *dscp_map;
    struct ipsec_sa             *next_spi, *next_reqid;
    const struct ipsec_lifetime *life;
    const struct ipsec_crypto   *crypto;
    void                        *key;
    uint32_t                    *window;
    uint32_t                     window_own[2];
    uint32_t                     born, until;
};

/** Heads of two chains: by SPI (all SAs) and by reqid (outbound ones). */
struct ipsec_sad_bucket {
    struct ipsec_sa *spi, *reqid;
};

/**
 * Make `sa`, zeroed, larval: an SA to be, found but carrying nothing.
 *
 * IPSEC_IN gives it an SPI (random, over 255, of no other SA): read
 * sa->spi. IPSEC_OUT stops further `acquire` for its reqid. Complete it with
 * ipsec_sad_add(), or have IPSEC_EVENT_HARD raised when `seconds` (not 0) have
 * passed; remove it then.
 *
 * @return IPSEC_OK, IPSEC_ERR_RANDOM, IPSEC_ERR_EXISTS (`sa` is in, or no
 *         free SPI was found), IPSEC_ERR_UNSUPPORTED (protocol, or built
 *         without), IPSEC_ERR_ARG.
 */
int ipsec_sad_reserve(struct ipsec *ips, struct ipsec_sa *sa, int dir,
                      int proto, uint32_t reqid, uint32_t seconds);

/**
 * Set up `sa`, zeroed or larval, and put it in the SAD. An outbound SA is
 * used from the next packet on, in preference to older ones of its reqid.
 * On an error `sa` is as it was.
 *
 * @return IPSEC_OK, or
 *         IPSEC_ERR_EXISTS      `sa` is in; or SPI and protocol (out: and
 *                               remote address; of a group: and its address,
 *                               and the sender's if it counts) are another's
 *         IPSEC_ERR_UNSUPPORTED protocol, algorithms or flags; ports of AH
 *                               or of a group; what is not in this build
 *         IPSEC_ERR_SPI, _ADDR, _KEY, _NO_INTEG, _WEAK, _STATIC_KEY,
 *         IPSEC_ERR_WINDOW, _LIFETIME, _PORTS  see there
 *         IPSEC_ERR_ROOM        `key_len` is too small
 *         IPSEC_ERR_CRYPTO      the backend could not take the key
 *         IPSEC_ERR_ARG         anything else: the caller's mistake
 */
int ipsec_sad_add(struct ipsec *ips, struct ipsec_sa *sa,
                  const struct ipsec_sa_params *params);

/**
 * The peer, or we, moved, or a NAT came or went: new outer addresses and, with
 * ESP in UDP, ports (both 0: no UDP). `flags` is IPSEC_SA_NAT_CSUM or 0. Keys,
 * sequence number and window stay; a path MTU that ICMP told is forgotten.
 *
 * @return IPSEC_OK, IPSEC_ERR_ADDR, IPSEC_ERR_PORTS (only one of them 0),
 *         IPSEC_ERR_EXISTS (as in ipsec_sad_add()), IPSEC_ERR_UNSUPPORTED
 *         (flags; ports of AH; built without UDP, IPv6, or this),
 *         IPSEC_ERR_ARG (not in the SAD).
 */
int ipsec_sad_update(struct ipsec *ips, struct ipsec_sa *sa, uint16_t flags,
                     const struct ipsec_addr *local, uint16_t local_port,
                     const struct ipsec_addr *remote, uint16_t remote_port);

/**
 * Take `sa` out and wipe its key.
 *
 * @return IPSEC_OK       its memory is the caller's again
 *         IPSEC_PENDING  packets of it are being processed: those in the
 *                        engine will be dropped, and IPSEC_EVENT_RELEASED
 *                        tells when the memory (and the key's and window's)
 *                        may be used again
 *         IPSEC_ERR_ARG  it was not in
 */
int ipsec_sad_remove(struct ipsec *ips, struct ipsec_sa *sa);

/**
 * As ipsec_sad_remove(), of an inbound SA, but nobody else is given its SPI for
 * `seconds` (not 0), so that late packets of this SA don't meet another. It is
 * a larval SA until then: IPSEC_EVENT_HARD follows; remove it then.
 *
 * @return IPSEC_OK       it is larval; its key and window are free
 *         IPSEC_PENDING  as of ipsec_sad_remove(): the SPI is free
 *         IPSEC_ERR_ARG  it was not in, is outbound, or larval; `seconds`
 *         IPSEC_ERR_UNSUPPORTED  built without it
 */
int ipsec_sad_quarantine(struct ipsec *ips, struct ipsec_sa *sa,
                         uint32_t seconds);

/** SA by direction, SPI and protocol and, if not NULL, where its packets
 * go to: in, our address, or a group's; out, the peer's. Larval ones too. Or
 * NULL. A group's SA is found by its address only; of several with
 * IPSEC_SA_MATCH_REMOTE, the newest. */
struct ipsec_sa *ipsec_sad_lookup(const struct ipsec *ips, int dir,
                                  uint32_t spi, int proto,
                                  const struct ipsec_addr *dst);

/** The outbound SA that the next packet of `reqid` and `lane` will use: the
 * newest of that lane, or else of lane 0; a larval one only if there is no
 * other; or NULL. */
struct ipsec_sa *ipsec_sad_newest(const struct ipsec *ips, uint32_t reqid,
                                  int lane);

/** Walk: NULL gives the first, the last gives NULL. Do not change the SAD
 * during a walk, except by removing `sa` after its successor was asked for. */
struct ipsec_sa *ipsec_sad_next(const struct ipsec *ips,
                                const struct ipsec_sa *sa);

/** Most bytes that `sa` adds ahead of (`*head`) and behind (`*tail`) a
 * packet. */
void ipsec_sa_room(const struct ipsec_sa *sa, size_t *head, size_t *tail);

/** Largest packet, IP header included, that `sa` makes no larger than
 * `link_mtu`; 0: none. In transport mode: one whose IP header has neither
 * options nor extension headers. */
size_t ipsec_sa_mtu(const struct ipsec_sa *sa, size_t link_mtu);

#ifdef __cplusplus
}
#endif

#endif
