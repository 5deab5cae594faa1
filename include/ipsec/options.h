/*
 * libipsec - IPsec for systems of any size (RFC 4301, 4302, 4303)
 * SPDX-License-Identifier: MIT
 */
#ifndef IPSEC_OPTIONS_H
#define IPSEC_OPTIONS_H

#include "ipsec/types.h"

/**
 * @file options.h  What can be left out of a build.
 *
 * Everything is in unless a macro says otherwise, defined (to anything) where
 * the library and its ports are compiled, e.g. make CFLAGS='-Os
 * -DIPSEC_NO_CCM'.
 * Options remove code and change neither a public structure nor a prototype:
 * who calls the library need not know them. Asked for what was left out, it
 * answers IPSEC_ERR_UNSUPPORTED.
 *
 *     IPSEC_NO_AH         AH (RFC 4302); AH that arrives has no SA
 *     IPSEC_NO_NATT       ESP in UDP (RFC 3948)
 *     IPSEC_NO_ICMP       path MTU from ICMP, ICMP errors by what they quote
 *                         (RFC 4301 sections 6 and 8.2), ipsec_icmp_error()
 *     IPSEC_NO_FRAGMENTS  stateful fragment checking, reassembly,
 *                         fragmentation (netif.h)
 *     IPSEC_NO_MULTICAST  inbound SAs of groups
 *     IPSEC_NO_PFP        populate from packet; as selectors, Mobility Header
 *                         types, OPAQUE protocols and names
 *     IPSEC_NO_TFC        TFC padding out, dummy packets out
 *     IPSEC_NO_MODE_ANY   wild-card mode
 *     IPSEC_NO_ROLLOVER   sequence numbers that begin again
 *     IPSEC_NO_QUARANTINE SPI quarantine
 *     IPSEC_NO_DSCP       DSCP maps, lanes by DSCP
 *     IPSEC_NO_AUDIT_DETAILS time, sequence number, flow label and SPI in
 *                         audit events: they are 0; reasons of an SA's end
 *     IPSEC_NO_LINT       lint.h: its functions are not there
 *     IPSEC_NO_INDEX      tables of SPD and SAD: both are lists, which do for
 *                         some dozens of policies and SAs
 *     IPSEC_NO_NAMES      texts of ipsec_status_str(): it answers "?"
 *     IPSEC_NO_RANGES     ipsec_prefix_split(): it is not there
 *     IPSEC_NO_KEYMGMT    what a key daemon calls: SPI reservation (and so
 *                         larval SAs), ipsec_sad_update(), `acquire`
 *     IPSEC_NO_EVENTS     events of lifetimes, SOFT and HARD, and the sweep
 *                         for them: hard limits hold all the same, soft ones
 *                         are refused; a larval SA stays until it is removed
 *     IPSEC_NO_ASYNC      engines that answer later, ipsec_resume(): pkt->done
 *                         is let be, and PENDING is IPSEC_ERR_CRYPTO
 *     IPSEC_NO_BUNDLES    more than one SA around a packet: policy.outer is
 *                         refused, and a second layer of IPsec to us dropped
 *                         with IPSEC_ERR_DEPTH
 *     IPSEC_NO_ADDITIONS  all of these
 *
 * A family. Addresses of public structures stay as they are.
 *
 *     IPSEC_NO_IPV6       IPv6, inside tunnels and outside: its packets are
 *                         IPSEC_ERR_MALFORMED both ways, whatever policy says,
 *                         as those of any unknown version are
 *
 * Transforms. AES-GCM-16, AES-CBC, ChaCha20-Poly1305, NULL and
 * HMAC-SHA2-256-128 are always in: they are what RFC 8221 demands, and a
 * row in a table each. A port leaves out besides what its crypto library was
 * built without.
 *
 *     IPSEC_NO_GCM_SHORT  AES-GCM-8, -12
 *     IPSEC_NO_CCM        AES-CCM-8, -12, -16
 *     IPSEC_NO_CTR        AES-CTR
 *     IPSEC_NO_GMAC       NULL-AUTH-AES-GMAC, and AES-GMAC of AH
 *     IPSEC_NO_IIV        implicit IV: AES-CCM-8, AES-GCM-16 and
 *                         ChaCha20-Poly1305 without IV on the wire
 *     IPSEC_NO_SHA1       HMAC-SHA1-96
 *     IPSEC_NO_SHA512     HMAC-SHA2-384-192, HMAC-SHA2-512-256
 *     IPSEC_NO_CMAC       AES-CMAC-96
 *     IPSEC_NO_XCBC       AES-XCBC-96
 *     IPSEC_NO_TRANSFORMS all of these, from IPSEC_NO_GCM_SHORT on
 */
#if defined(IPSEC_NO_ADDITIONS)
#undef IPSEC_NO_AH
#undef IPSEC_NO_NATT
#undef IPSEC_NO_ICMP
#undef IPSEC_NO_FRAGMENTS
#undef IPSEC_NO_MULTICAST
#undef IPSEC_NO_PFP
#undef IPSEC_NO_TFC
#undef IPSEC_NO_MODE_ANY
#undef IPSEC_NO_ROLLOVER
#undef IPSEC_NO_QUARANTINE
#undef IPSEC_NO_DSCP
#undef IPSEC_NO_AUDIT_DETAILS
#undef IPSEC_NO_LINT
#undef IPSEC_NO_INDEX
#undef IPSEC_NO_NAMES
#undef IPSEC_NO_RANGES
#undef IPSEC_NO_KEYMGMT
#undef IPSEC_NO_EVENTS
#undef IPSEC_NO_ASYNC
#undef IPSEC_NO_BUNDLES
#define IPSEC_NO_AH
#define IPSEC_NO_NATT
#define IPSEC_NO_ICMP
#define IPSEC_NO_FRAGMENTS
#define IPSEC_NO_MULTICAST
#define IPSEC_NO_PFP
#define IPSEC_NO_TFC
#define IPSEC_NO_MODE_ANY
#define IPSEC_NO_ROLLOVER
#define IPSEC_NO_QUARANTINE
#define IPSEC_NO_DSCP
#define IPSEC_NO_AUDIT_DETAILS
#define IPSEC_NO_LINT
#define IPSEC_NO_INDEX
#define IPSEC_NO_NAMES
#define IPSEC_NO_RANGES
#define IPSEC_NO_KEYMGMT
#define IPSEC_NO_EVENTS
#define IPSEC_NO_ASYNC
#define IPSEC_NO_BUNDLES
#endif

#if defined(IPSEC_NO_TRANSFORMS)
#undef IPSEC_NO_GCM_SHORT
#undef IPSEC_NO_CCM
#undef IPSEC_NO_CTR
#undef IPSEC_NO_GMAC
#undef IPSEC_NO_IIV
#undef IPSEC_NO_SHA1
#undef IPSEC_NO_SHA512
#undef IPSEC_NO_CMAC
#undef IPSEC_NO_XCBC
#define IPSEC_NO_GCM_SHORT
#define IPSEC_NO_CCM
#define IPSEC_NO_CTR
#define IPSEC_NO_GMAC
#define IPSEC_NO_IIV
#define IPSEC_NO_SHA1
#define IPSEC_NO_SHA512
#define IPSEC_NO_CMAC
#define IPSEC_NO_XCBC
#endif

#endif
