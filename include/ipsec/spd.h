/*
 * libipsec - IPsec for systems of any size (RFC 4301, 4302, 4303)
 * SPDX-License-Identifier: MIT
 */
#ifndef IPSEC_SPD_H
#define IPSEC_SPD_H

#include "ipsec/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @file spd.h  Security Policy Database (RFC 4301 section 4.4.1). */

struct ipsec;

enum ipsec_dir    { IPSEC_OUT = 1, IPSEC_IN = 2 };
enum ipsec_action { IPSEC_ACTION_DISCARD, IPSEC_ACTION_BYPASS,
                    IPSEC_ACTION_PROTECT };
enum ipsec_proto  { IPSEC_PROTO_ESP = 50, IPSEC_PROTO_AH = 51 };
enum ipsec_mode   { IPSEC_MODE_TRANSPORT = 1, IPSEC_MODE_TUNNEL = 2,
                    IPSEC_MODE_ANY = 3 /**< of an SA: see IPSEC_WILD_CARD */ };

/** An address and how many of its leading bits count; 0: any address. */
struct ipsec_prefix {
    uint8_t byte[16];              /**< as on the wire; bits that do not
                                    *   count may be anything */
    uint8_t bits;
};

/* What else a selector says. */
#define IPSEC_SEL_LOCAL_PORT   0x01u /**< they count; otherwise ANY */
#define IPSEC_SEL_REMOTE_PORT  0x02u
#define IPSEC_SEL_PROTO_OPAQUE 0x04u /**< version 6, proto 0: only packets
                                      *   whose protocol can't be seen */
#define IPSEC_SEL_NAME         0x08u /**< for whom a name stands for, behind
                                      *   policy.user: matches no packet. Key
                                      *   management, having verified the name,
                                      *   adds a narrower policy for the
                                      *   peer's addresses (RFC 4301 section
                                      *   4.4.1.1) */

/* Populate from packet (RFC 4301 section 4.4.1.2): selectors that an SA takes
 * from the packet it is made for, not from the policy. */
#define IPSEC_PFP_LOCAL        0x01u /**< address */
#define IPSEC_PFP_REMOTE       0x02u
#define IPSEC_PFP_PROTO        0x04u
#define IPSEC_PFP_LOCAL_PORT   0x08u /**< or ICMP type and code, or Mobility */
#define IPSEC_PFP_REMOTE_PORT  0x10u /**< Header type: either flag */

/* Of a policy. */
#define IPSEC_POLICY_FRAGMENTS 0x01u /**< its SAs carry fragments whose ports
                                      *   are known from the first: both ends
                                      *   have agreed on that (RFC 4301 section
                                      *   7.3). See ipsec_config.frag */

/**
 * A set of flows; zeroed, every flow. Port ranges include both ends, and
 * 65535..0 is OPAQUE (RFC 4301 section 4.4.1.1), as in an IKEv2 traffic
 * selector: it matches packets whose ports can't be seen, and only those. ANY
 * matches both. For ICMP the ports are type << 8 | code, for the Mobility
 * Header (135) they are type << 8: set either side.
 *
 * An address range that is no prefix becomes several policies of one reqid:
 * see ipsec_prefix_split().
 */
struct ipsec_selector {
    struct ipsec_prefix local, remote;
    uint8_t             version;   /**< 4, 6, or 0: either */
    uint8_t             proto;     /**< next layer protocol; 0: ANY */
    uint8_t             spd_id;    /**< which SPD; often 0 */
    uint8_t             set;       /**< IPSEC_SEL_* */
    uint16_t            local_port_lo, local_port_hi;
    uint16_t            remote_port_lo, remote_port_hi;
};

/**
 * An SPD entry: SPD-S, SPD-O or SPD-I by `action` and `dir`. Zero it, fill
 * it in, then ipsec_spd_add(). Valid, unmoved and unchanged until removed.
 * To change a policy without a gap, add the new one at the same or a lower
 * priority number, then remove the old one.
 *
 * Policy and SA meet in the `reqid`, a number of the caller's: a packet out
 * goes over the newest SA with the policy's reqid, and a packet in must have
 * come over one. Several policies may share it (a CHILD_SA with several
 * traffic selectors). A PROTECT policy with reqid 0 has no SA of its own: it
 * only raises `acquire`, on which the key daemon adds a narrower policy: see
 * ipsec_spd_narrow().
 */
struct ipsec_policy {
    struct ipsec_selector sel;
    uint8_t               action;   /**< enum ipsec_action */
    uint8_t               dir;      /**< IPSEC_OUT, IPSEC_IN, or both (|) */
    uint8_t               proto;    /**< what SAs of its reqid must be: enum */
    uint8_t               mode;     /**< ipsec_proto, ipsec_mode; 0: either */
    uint8_t               pfp;      /**< IPSEC_PFP_*; of PROTECT, reqid 0 */
    uint8_t               flags;    /**< IPSEC_POLICY_* */
    uint32_t              priority; /**< lowest wins; of equals, the oldest */
    uint32_t              reqid;
    struct ipsec_policy  *outer;    /**< SA bundle: protect the result again,
                                     *   as this one says, whether it is in
                                     *   the SPD or not; NULL: no more. Valid
                                     *   as long as this one */
    void                 *user;     /**< the caller's; never touched */
    /* private */
    uint8_t               linked;
    uint16_t              tuple;
    uint32_t              age;
    struct ipsec_policy  *next;
};

/**
 * Put `policy` into the SPD.
 *
 * @return IPSEC_OK, IPSEC_ERR_EXISTS (it is in), IPSEC_ERR_PREFIX,
 *         IPSEC_ERR_BUNDLE, or
 *         IPSEC_ERR_PORTS       see there; or `pfp` takes ports where they
 *                               are OPAQUE, or no protocol has them (RFC 4301
 *                               section 4.4.2.2)
 *         IPSEC_ERR_UNSUPPORTED protocol of the SAs; `sel.set`, `pfp`,
 *                               `outer` or IPv6 is not in this build
 *         IPSEC_ERR_ARG         action, direction, mode; unknown bits; an
 *                               OPAQUE protocol with a number, not in IPv6, or
 *                               to be taken from the packet; `pfp` of what
 *                               isn't PROTECT with reqid 0
 */
int ipsec_spd_add(struct ipsec *ips, struct ipsec_policy *policy);

/** Take `policy` out; SAs of its reqid stay. Its memory is the caller's.
 * One that is not in is left alone. */
void ipsec_spd_remove(struct ipsec *ips, struct ipsec_policy *policy);

/**
 * Make `narrow` the policy for the SAs that a packet calls for: `policy`, as
 * `acquire` gave it, with the packet's values where its `pfp` says so (RFC
 * 4301 section 4.4.2.2). A port is taken where the packet's protocol has it.
 * `outer` and `user` are as in `policy`, and so is `priority`: lower it by one
 * (so don't give such a policy 0), give it a reqid, and ipsec_spd_add() it.
 *
 * A policy with a name becomes one without, for the flow's remote address:
 * there `flow` says what key management has verified.
 *
 * @return IPSEC_OK; IPSEC_ERR_SELECTOR: the packet lacks what is to be taken
 *         from it or what the policy names, and has to be dropped, as
 *         ipsec_outbound() does instead of raising `acquire` (`narrow` is as
 *         it was); or IPSEC_ERR_UNSUPPORTED: not in this build.
 */
int ipsec_spd_narrow(struct ipsec_policy *narrow,
                     const struct ipsec_policy *policy,
                     const struct ipsec_flow *flow);

/** The policy for a flow in one direction, or NULL. With ipsec_sad_newest()
 * of its reqid it answers "what protects this flow?". */
struct ipsec_policy *ipsec_spd_lookup(const struct ipsec *ips, int dir,
                                      const struct ipsec_flow *flow);

/** Walk: NULL gives the first, the last gives NULL. In order of priority
 * when the SPD has no index. Do not change the SPD during a walk. */
struct ipsec_policy *ipsec_spd_next(const struct ipsec *ips,
                                    const struct ipsec_policy *policy);

/** Cut the range `lo`..`hi`, both included, into prefixes, at most `max` (62
 * always do for IPv4, 254 for IPv6). With IPSEC_NO_RANGES it is not there.
 *
 * @return how many; 0: more than `max`, lo > hi, mixed versions, or one that
 *         is not in this build. */
size_t ipsec_prefix_split(struct ipsec_prefix *prefix, size_t max,
                          const struct ipsec_addr *lo,
                          const struct ipsec_addr *hi);

/** A tuple space of one key shape: private. */
struct ipsec_tuple {
    uint32_t best;                 /* no policy here has a lower number */
    uint32_t count;
    uint16_t next;                 /* by `best`; index + 1, or 0 */
    uint8_t  local_bits, remote_bits;
    uint8_t  version, fields;
};

/**
 * Optional memory that makes policy lookup a hash probe per key shape in
 * use, best priority first. Without it the SPD is one list, which is right
 * for some dozens of policies: the same code, with one shape, one bucket.
 * A rule set with more shapes than `tuple_len` puts the rest in one list.
 * Set the first four members; it belongs to one context, until its end.
 */
struct ipsec_spd_index {
    struct ipsec_policy **bucket;
    size_t                bucket_len; /**< a power of two, about one a policy */
    struct ipsec_tuple   *tuple;
    uint16_t              tuple_len;
    /* private */
    uint16_t              tuple_first; /* index + 1, or 0 */
    uint64_t              hash_key[11];
};

#ifdef __cplusplus
}
#endif

#endif
