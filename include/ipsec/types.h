/*
 * libipsec - IPsec for systems of any size (RFC 4301, 4302, 4303)
 * SPDX-License-Identifier: MIT
 */
#ifndef IPSEC_TYPES_H
#define IPSEC_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file types.h  Statuses, addresses, flows and buffers. */

/**
 * Verdicts and errors: one number is a call's result, the index of its
 * counter (negated) and the reason in its audit event. 0 and above: the
 * packet goes on; below: drop it. Numbers from -64 on are left to libraries
 * on top of this one.
 */
enum ipsec_status {
    IPSEC_OK               =   0, /**< done; a packet was rewritten: send it */
    IPSEC_BYPASS           =   1, /**< policy BYPASS: pass it on untouched */
    IPSEC_PENDING          =   2, /**< in the engine; see ipsec_resume() */
    IPSEC_CONSUMED         =   3, /**< nothing to deliver, e.g. a dummy */

    /* Drops. While pkt->layers is 0 the packet is as it was: it may be kept
     * and offered again, repaired, or quoted in an ICMP error. */
    IPSEC_ERR_NO_SA        =  -1, /**< out: no SA yet, `acquire` was raised:
                                   *   offer it again when sa_generation has
                                   *   changed, or drop it; in: no such SPI */
    IPSEC_ERR_ROOM         =  -2, /**< make room for pkt->head, pkt->tail */
    IPSEC_ERR_TOO_BIG      =  -3, /**< its sender must send pkt->mtu at most */
    IPSEC_ERR_DISCARD      =  -4, /**< policy DISCARD */
    IPSEC_ERR_NO_POLICY    =  -5, /**< no policy matched */
    IPSEC_ERR_UNPROTECTED  =  -6, /**< in: clear, or lacks a bundle layer */
    IPSEC_ERR_FRAGMENT     =  -7, /**< reassemble it first */
    IPSEC_ERR_MALFORMED    =  -8, /**< truncated or inconsistent headers; for
                                   *   AH, more than IPSEC_AAD_MAX bytes of
                                   *   them, or a route nobody can predict */
    IPSEC_ERR_EXPIRED      =  -9, /**< SA past its hard lifetime, or removed */
    IPSEC_ERR_SEQ_OVERFLOW = -10, /**< numbers, or those reserved, used up */
    IPSEC_ERR_REPLAY       = -11, /**< seen before, or left of the window */
    /* With these, and with layers, its contents are undefined. */
    IPSEC_ERR_AUTH         = -12, /**< ICV mismatch: forged or wrong key */
    IPSEC_ERR_SELECTOR     = -13, /**< the SA is not for this packet */
    IPSEC_ERR_MODE         = -14, /**< not the protocol or mode agreed on */
    IPSEC_ERR_PADDING      = -15, /**< opened packet has a bad trailer */
    IPSEC_ERR_DEPTH        = -16, /**< more than IPSEC_DEPTH layers */
    IPSEC_ERR_BUSY         = -17, /**< crypto queue full: later ones may pass */
    IPSEC_ERR_CRYPTO       = -18, /**< the backend failed: see there */
    IPSEC_ERR_ECN          = -19, /**< congestion marked where the inner packet
                                   *   can't bear it (RFC 6040 section 4.2) */
    IPSEC_DROP_COUNT       =  20, /**< length of a table by drop reason */

    /* Of management calls; nothing has changed. */
    IPSEC_ERR_RANDOM       = -20, /**< the random source failed: try again */
    IPSEC_ERR_UNSUPPORTED  = -21, /**< unknown, or built without it */
    IPSEC_ERR_EXISTS       = -22, /**< already in the database */
    IPSEC_ERR_ARG          = -23, /**< pointer missing, value out of range */
    IPSEC_ERR_SPI          = -24, /**< 0 to 255 are reserved (RFC 4303 2.1) */
    IPSEC_ERR_ADDR         = -25, /**< address missing, or families mixed */
    IPSEC_ERR_KEY          = -26, /**< missing, of wrong length; or all zero
                                   *   and not IPSEC_SA_NEGOTIATED */
    IPSEC_ERR_NO_INTEG     = -27, /**< nothing would protect integrity (RFC
                                   *   4301 section 4.2, RFC 8221 section 4) */
    IPSEC_ERR_STATIC_KEY   = -28, /**< a counter mode needs a fresh key or a
                                   *   reservation: see ipsec_sa_params.seq */
    IPSEC_ERR_WINDOW       = -29, /**< not a power of two from 1 word up; or one
                                   *   for a group in which anybody sends */
    IPSEC_ERR_LIFETIME     = -30, /**< soft above hard, or used up from the
                                   *   start */
    IPSEC_ERR_PORTS        = -31, /**< ports without a protocol that has them,
                                   *   a range that runs backwards, or one port
                                   *   of an SA and not the other */
    IPSEC_ERR_PREFIX       = -32, /**< longer than the address, or no version */
    IPSEC_ERR_BUNDLE       = -33, /**< a bundle that is too deep, or has a
                                   *   layer that does not protect */
    IPSEC_ERR_WEAK         = -34  /**< an algorithm that RFC 8221 says not to
                                   *   use: DES, 3DES, Blowfish, IDEA, CAST,
                                   *   RC5, MD5 and their like */
};

/** Name of a status, e.g. "REPLAY"; "?" for any other number, and for all if
 * built without. Constant. */
const char *ipsec_status_str(int status);

/** IPv4 or IPv6 address, as on the wire. */
struct ipsec_addr {
    uint8_t version;  /**< 4, 6, or 0 for "none" */
    uint8_t byte[16]; /**< the first 4 for IPv4, the others 0 */
};

/* What of a packet's selectors can't be seen (RFC 4301 section 4.4.1.1). */
#define IPSEC_OPAQUE_PORTS 0x01u /**< a fragment but the first, ESP, no ports */
#define IPSEC_OPAQUE_PROTO 0x02u /**< IPv6: an extension header that is not
                                  *   in this fragment names it */

/** A packet's selectors: "local" is our side of the boundary, whichever
 * way the packet goes. For ICMP, both ports hold type << 8 | code; for the
 * IPv6 Mobility Header, its type << 8. */
struct ipsec_flow {
    struct ipsec_addr local, remote;
    uint16_t          local_port, remote_port;
    uint8_t           proto;   /**< next layer protocol, behind extension
                                *   headers (RFC 4301 section 4.4.1.1) */
    uint8_t           spd_id;  /**< which SPD (RFC 4301 4.4.1); often 0 */
    uint8_t           opaque;  /**< IPSEC_OPAQUE_*: those members mean
                                *   nothing */
};

/**
 * A packet in one contiguous piece: `head <= data`, `data + len <= end`.
 * The bytes in [head, data) are headroom and those in [data + len, end)
 * tailroom; the library may write both, and everything between. Any
 * alignment will do.
 */
struct ipsec_buf {
    uint8_t *head;
    uint8_t *data;
    uint8_t *end;
    size_t   len;
};

#ifdef __cplusplus
}
#endif

#endif
