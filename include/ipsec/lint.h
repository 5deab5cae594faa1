/*
 * libipsec - IPsec for systems of any size (RFC 4301, 4302, 4303)
 * SPDX-License-Identifier: MIT
 */
#ifndef IPSEC_LINT_H
#define IPSEC_LINT_H

#include "ipsec/ipsec.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @file lint.h  Why can't they talk?
 *
 * Looks at policies and at the parameters of SAs before, or instead of, a
 * packet: for a configuration tool, for tests, for the console of a device. It
 * changes nothing and needs no SA to be there. A finding is a number, and
 * ipsec_lint_str() says what to do about it.
 *
 * With IPSEC_NO_LINT these functions are not in the library.
 */
enum ipsec_lint {
    /* Of a PROTECT policy of ours and the peer's set. "theirs" is the peer's
     * policy that comes nearest. */
    IPSEC_LINT_PEER_ONE_WAY = 1,   /**< has it for the other direction only */
    IPSEC_LINT_COPIED,             /**< has ours, and not its mirror image */
    IPSEC_LINT_PORTS,              /**< has other ports */
    IPSEC_LINT_NEXT_PROTO,         /**< has another next layer protocol */
    IPSEC_LINT_NO_PEER,            /**< has nothing; "theirs" is NULL */
    IPSEC_LINT_PEER_BYPASS,        /**< lets it pass in clear */
    IPSEC_LINT_PEER_DISCARD,       /**< discards it */
    IPSEC_LINT_WIDER,              /**< protects less than we */
    IPSEC_LINT_NARROWER,           /**< protects more than we */
    IPSEC_LINT_OVERLAP,            /**< protects a part, and something else */
    IPSEC_LINT_PROTO,              /**< ESP here, AH there */
    IPSEC_LINT_MODE,               /**< transport here, tunnel there */
    IPSEC_LINT_LAYERS,             /**< bundles of different depth */
    IPSEC_LINT_FRAGMENTS,          /**< IPSEC_POLICY_FRAGMENTS on one side */

    /* Of one set alone. "theirs" is another policy of it, or NULL. */
    IPSEC_LINT_SHADOWED,           /**< hidden by "theirs": matches nothing */
    IPSEC_LINT_ONE_WAY,            /**< protects one direction only */
    IPSEC_LINT_NO_ACQUIRE,         /**< reqid 0, but nobody to be asked */
    IPSEC_LINT_NO_SA,              /**< no SA, and nobody to be asked */
    IPSEC_LINT_SA_KIND,            /**< its SA is of another protocol, mode */
    IPSEC_LINT_NO_IKE,             /**< nothing lets key exchange through */
    IPSEC_LINT_NO_ND,              /**< or neighbour discovery */
    IPSEC_LINT_PORT_FRAGMENTS,     /**< ports, but fragments have none */
    IPSEC_LINT_MIX,                /**< mix and match with "theirs" */
    IPSEC_LINT_AH_ESP,             /**< AH and ESP in one bundle */
    IPSEC_LINT_TRANSPORT_NET,      /**< transport mode to many peers */

    /* Of SAs: see ipsec_lint_sa(). */
    IPSEC_LINT_SA_DIR,             /**< not one out and the other in */
    IPSEC_LINT_SA_SPI,
    IPSEC_LINT_SA_PROTO,
    IPSEC_LINT_SA_MODE,
    IPSEC_LINT_SA_ALG,
    IPSEC_LINT_SA_KEY,
    IPSEC_LINT_SA_ESN,
    IPSEC_LINT_SA_ADDR,            /**< not mirrored */
    IPSEC_LINT_SA_NAT_AH,          /**< the same, with AH */
    IPSEC_LINT_SA_ENCAP,           /**< in UDP here, not there */
    IPSEC_LINT_SA_ALIGN8,          /**< IPSEC_SA_AH_ALIGN8 on one side */
    IPSEC_LINT_SA_ESN_NO_REPLAY,   /**< ESN without anti-replay */
    IPSEC_LINT_SA_ROLLOVER,        /**< begins again, into a window */
    IPSEC_LINT_SA_SEQ,             /**< first number is left of the window */
    IPSEC_LINT_SA_LIFE,            /**< the receiver's ends first */
    IPSEC_LINT_SA_SAME_KEY,        /**< see ipsec_lint_keys() */
    IPSEC_LINT_COUNT
};

/** What to do about a finding: a constant sentence; "?" for other numbers. */
const char *ipsec_lint_str(int finding);

/** Called for each finding. `theirs` may be NULL. */
typedef void ipsec_lint_found(void *user, int finding,
                              const struct ipsec_policy *ours,
                              const struct ipsec_policy *theirs);

/**
 * Hold each PROTECT policy of `ours` against the SPD of the peer, each seen
 * from its own side: local here is remote there. Call it the other way round
 * too, for what the peer protects and we don't. The peer's context needs
 * policies only. Selectors by name are left out; which SPD (`spd_id`) a
 * policy is in does not matter. Time: policies here times policies there;
 * times policies here again for those of the peer that overlap in part.
 *
 * @return how many findings there were.
 */
size_t ipsec_lint_peer(const struct ipsec *ours, const struct ipsec *theirs,
                       ipsec_lint_found *found, void *user);

/** Findings of one set alone, in its SPD and its SAD. Time: the square of the
 * number of policies.
 *
 * @return how many findings there were. */
size_t ipsec_lint_spd(const struct ipsec *ips, ipsec_lint_found *found,
                      void *user);

/** Is `finding` (IPSEC_LINT_SA_*) in the set that the next two return? */
#define IPSEC_LINT_HAS(set, finding) \
    (((set) >> ((finding) - IPSEC_LINT_SA_DIR) & 1u) != 0)

/** One SA, seen from both ends: parameters of who sends on it and of who
 * receives, in either order.
 *
 * @return a set of findings; 0: none. See IPSEC_LINT_HAS. */
uint32_t ipsec_lint_sa(const struct ipsec_sa_params *ours,
                       const struct ipsec_sa_params *theirs);

/** Two SAs of one host, as a rule out and in: may they have these keys? One key
 * in counter modes, with one salt, repeats nonces (RFC 4106 section 2), be the
 * modes equal or not.
 *
 * @return IPSEC_LINT_SA_SAME_KEY as a set, or 0. */
uint32_t ipsec_lint_keys(const struct ipsec_sa_params *a,
                         const struct ipsec_sa_params *b);

#ifdef __cplusplus
}
#endif

#endif
