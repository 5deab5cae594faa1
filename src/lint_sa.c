/* SPDX-License-Identifier: MIT */
#include "inner.h"
#include "ipsec/lint.h"

#ifndef IPSEC_NO_LINT

/* An SA seen from both ends, and what to do about findings. */

#define BIT(finding) ((uint32_t)1 << ((finding) - IPSEC_LINT_SA_DIR))

static int
ports_mirrored(const struct ipsec_sa_params *a,
               const struct ipsec_sa_params *b)
{
    return a->local_port == b->remote_port && a->remote_port == b->local_port;
}

static int
in_udp(const struct ipsec_sa_params *q)
{
    return q->local_port != 0 || q->remote_port != 0;
}

/* Equal or not, in a time that does not say where they differ. */
static int
keys_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    unsigned diff = 0;

    if (len != 0 && (a == NULL || b == NULL)) {
        return a == b;
    }
    for (; len > 0; len--) {
        diff |= (unsigned)(*a++ ^ *b++);
    }
    return diff == 0;
}

static uint32_t
crypto_findings(const struct ipsec_keymat *a, const struct ipsec_keymat *b)
{
    if (a->encr != b->encr || a->integ != b->integ ||
        a->encr_key_len != b->encr_key_len ||
        a->integ_key_len != b->integ_key_len) {
        return BIT(IPSEC_LINT_SA_ALG);
    }
    return keys_equal(a->encr_key, b->encr_key, a->encr_key_len) &&
           keys_equal(a->integ_key, b->integ_key, a->integ_key_len)
        ? 0 : BIT(IPSEC_LINT_SA_KEY);
}

static uint32_t
addr_findings(const struct ipsec_sa_params *a,
              const struct ipsec_sa_params *b)
{
    uint32_t set = 0;

    /* Behind a NAT each end knows other addresses, and other ports. */
    if (!in_udp(a) && (!ipsec_addr_equal(&a->local, &b->remote) ||
                       !ipsec_addr_equal(&a->remote, &b->local))) {
        set = a->proto == IPSEC_PROTO_AH ? BIT(IPSEC_LINT_SA_NAT_AH)
                                         : BIT(IPSEC_LINT_SA_ADDR);
    }
    if (in_udp(a) != in_udp(b) ||
        (in_udp(a) && !ports_mirrored(a, b) &&
         ipsec_addr_equal(&a->local, &b->remote) &&
         ipsec_addr_equal(&a->remote, &b->local))) {
        set |= BIT(IPSEC_LINT_SA_ENCAP);
    }
    return set;
}

/* Of who sends, and of who receives. */
static uint32_t
number_findings(const struct ipsec_sa_params *out,
                const struct ipsec_sa_params *in)
{
    uint32_t set = 0;

    if ((out->flags ^ in->flags) & IPSEC_SA_ESN) {
        set |= BIT(IPSEC_LINT_SA_ESN);
    }
    if ((in->flags & IPSEC_SA_ESN) && (in->flags & IPSEC_SA_NO_REPLAY)) {
        set |= BIT(IPSEC_LINT_SA_ESN_NO_REPLAY); /* RFC 4303 section 3.3.3 */
    }
    if ((out->flags & IPSEC_SA_ROLLOVER) &&
        (in->flags & IPSEC_SA_NO_REPLAY) == 0) {
        set |= BIT(IPSEC_LINT_SA_ROLLOVER);
    }
    if (out->seq < in->seq && (in->flags & IPSEC_SA_NO_REPLAY) == 0) {
        set |= BIT(IPSEC_LINT_SA_SEQ);
    }
    if (in->life != NULL && in->life->hard_s != 0 &&
        (out->life == NULL || out->life->hard_s == 0 ||
         out->life->hard_s > in->life->hard_s)) {
        set |= BIT(IPSEC_LINT_SA_LIFE);
    }
    return set;
}

static int
modes_agree(const struct ipsec_sa_params *out,
            const struct ipsec_sa_params *in)
{
    return out->mode == in->mode || in->mode == IPSEC_MODE_ANY;
}

/* see lint.h */
uint32_t
ipsec_lint_sa(const struct ipsec_sa_params *ours,
              const struct ipsec_sa_params *theirs)
{
    const struct ipsec_sa_params *out = ours, *in = theirs;
    uint32_t set = 0;

    if (ours->dir == IPSEC_IN) {
        out = theirs;
        in = ours;
    }
    if (out->dir != IPSEC_OUT || in->dir != IPSEC_IN) {
        set |= BIT(IPSEC_LINT_SA_DIR);
    }
    if (out->spi != in->spi) {
        set |= BIT(IPSEC_LINT_SA_SPI);
    }
    if (out->proto != in->proto) {
        set |= BIT(IPSEC_LINT_SA_PROTO);
    }
    if (!modes_agree(out, in)) {
        set |= BIT(IPSEC_LINT_SA_MODE);
    }
    if (out->proto == IPSEC_PROTO_AH && out->local.version == 4 &&
        ((out->flags ^ in->flags) & IPSEC_SA_AH_ALIGN8)) {
        set |= BIT(IPSEC_LINT_SA_ALIGN8);
    }
    return set | crypto_findings(&out->km, &in->km) |
           addr_findings(out, in) | number_findings(out, in);
}

/* The key that nonces are used with, salt included: the cipher's, or in AH the
 * MAC's. NULL: there are none. */
static const uint8_t *
nonce_key(const struct ipsec_keymat *km, size_t *len)
{
    struct ipsec_alg alg;

    if (ipsec_alg_find(&alg, km) != IPSEC_OK ||
        (alg.flags & ALG_COUNTER) == 0) {
        return NULL;
    }
    *len = (alg.flags & ALG_AH) ? km->integ_key_len : km->encr_key_len;
    return (alg.flags & ALG_AH) ? km->integ_key : km->encr_key;
}

/* see lint.h */
uint32_t
ipsec_lint_keys(const struct ipsec_sa_params *a,
                const struct ipsec_sa_params *b)
{
    size_t a_len = 0, b_len = 0;
    const uint8_t *a_key = nonce_key(&a->km, &a_len);
    const uint8_t *b_key = nonce_key(&b->km, &b_len);

    /* of any mode: GCM and GMAC, say, make one nonce of one number */
    return a_key != NULL && b_key != NULL && a_len == b_len &&
           keys_equal(a_key, b_key, a_len) ? BIT(IPSEC_LINT_SA_SAME_KEY) : 0;
}

/* In the order of enum ipsec_lint, one behind the other, which spares as many
 * pointers. */
static const char texts[] =
    "?\0"
    "the peer has this for one direction only: give its policy both\0"
    "the peer has a copy of this policy: swap local and remote there\0"
    "the peer protects other ports: local ports here are remote ones there\0"
    "the peer protects another next layer protocol: use one on both sides\0"
    "the peer has no policy for this: add the mirror image of ours there\0"
    "the peer lets this pass in clear, which we shall drop: protect it there, "
    "or bypass it here\0"
    "the peer discards this: protect it there, or raise that policy above\0"
    "the peer protects only a part of this: narrow our policy, or widen its\0"
    "the peer protects more than this: widen our policy, or narrow its\0"
    "the peer's selectors overlap with these: make them equal\0"
    "ESP on one side, AH on the other: choose one\0"
    "transport mode on one side, tunnel mode on the other: choose one\0"
    "bundles have different depths: give both the same layers, in one order\0"
    "fragments behind the first are carried by one side only: set "
    "IPSEC_POLICY_FRAGMENTS on both, or on none\0"
    "another policy takes all packets of this one: give this one a lower "
    "priority number, or remove it\0"
    "one direction is protected, the other is not: set both in dir\0"
    "reqid 0 asks for an SA, and nobody listens: set ipsec_config.acquire, or "
    "a reqid\0"
    "no SA has this reqid, and nobody is asked for one: add it, or set "
    "ipsec_config.acquire\0"
    "the SA of this reqid is of another protocol or mode: each packet ends "
    "with MODE\0"
    "key exchange would have to wait for the keys it makes: BYPASS UDP ports "
    "500 and 4500 both ways, with a lower priority number\0"
    "neighbour discovery would be protected: BYPASS ICMPv6 types 133 to 137, "
    "with a lower priority number\0"
    "fragments behind the first have no ports and will not match: add a "
    "policy with OPAQUE or ANY ports (RFC 4301 section 7)\0"
    "local of one and remote of another policy of this reqid have none: key "
    "exchange negotiates each with each; use a reqid a policy (RFC 4301 "
    "section 4.4.1.2)\0"
    "AH and ESP together are discouraged: ESP alone does it (RFC 8221 "
    "section 4)\0"
    "transport mode's SA has one peer: give each peer its policy and reqid, "
    "use reqid 0 with acquire, or tunnel mode\0"
    "one end must be outbound, the other inbound\0"
    "SPIs differ: the receiver chooses it, the sender uses it\0"
    "ESP at one end, AH at the other\0"
    "transport mode at one end, tunnel mode at the other\0"
    "algorithms or lengths of keys differ\0"
    "keys differ: every packet would end with AUTH\0"
    "extended sequence numbers (IPSEC_SA_ESN) at one end only\0"
    "addresses aren't mirrored: our local must be the peer's remote; with a "
    "NAT between, use ESP in UDP\0"
    "addresses aren't mirrored, and AH doesn't pass a NAT (RFC 3715): use ESP "
    "in UDP\0"
    "ESP in UDP at one end only, or ports that aren't mirrored\0"
    "AH's padding (IPSEC_SA_AH_ALIGN8) differs: Linux has it unless told "
    "align4\0"
    "extended sequence numbers without anti-replay: leave out one of them "
    "(RFC 4303 section 3.3.3)\0"
    "numbers begin again and the receiver's window stays: it needs "
    "IPSEC_SA_NO_REPLAY\0"
    "the receiver takes the sender's first numbers for replays: see "
    "ipsec_sa_params.seq\0"
    "the receiver's SA expires before the sender's: let the sender's be the "
    "shorter\0"
    "one key in two SAs, in a counter mode: nonces repeat; each needs its own "
    "(RFC 4106 section 2)";

/* see lint.h */
const char *
ipsec_lint_str(int finding)
{
    const char *text = texts;
    int n = finding > 0 && finding < IPSEC_LINT_COUNT ? finding : 0;

    while (n > 0) {
        n -= *text++ == '\0';
    }
    return text;
}

#endif
