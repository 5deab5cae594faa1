/* SPDX-License-Identifier: MIT */
#include "inner.h"
#include "ipsec/lint.h"

#ifndef IPSEC_NO_LINT

/*
 * Why two policy sets, or two ends of an SA, can't talk.
 *
 * Selectors are compared as intervals and prefixes: how two of them lie is a
 * set of bits, and that of several fields is what all have in common.
 */

#define APART    0u
#define OVERLAP  1u
#define COVERS   2u /* the first contains the second */
#define COVERED  4u
#define EQUAL    (OVERLAP | COVERS | COVERED)

#define OPAQUE_PORT  65536u /* beside the 65,536 that can be seen */
#define OPAQUE_NEXT  256u

#define PORT_IKE     500u
#define PORT_NATT    4500u
#define ND_SOLICIT   0x8700u /* 135, neighbour solicitation; code 0 */

struct lint {
    const struct ipsec *ours, *theirs;
    ipsec_lint_found   *found;
    void               *user;
    size_t              count;
    int                 dirs; /* in which the policy at hand isn't hidden */
};

struct span {
    uint32_t lo, hi;
};

/* A selector as it is compared with another: the local side of one and the
 * remote side of one, which is the same as a rule; or `swap`, the remote side
 * and the local side, as the other end would say it. */
struct view {
    const struct ipsec_selector *local, *remote;
    int swap;
};

static void
tell(struct lint *l, int finding, const struct ipsec_policy *ours,
     const struct ipsec_policy *theirs)
{
    l->count++;
    if (l->found != NULL) {
        l->found(l->user, finding, ours, theirs);
    }
}

/* How selectors lie to each other */

static unsigned
span_relate(struct span a, struct span b)
{
    if (a.hi < b.lo || b.hi < a.lo) {
        return APART;
    }
    return OVERLAP | (a.lo <= b.lo && b.hi <= a.hi ? COVERS : 0) |
           (b.lo <= a.lo && a.hi <= b.hi ? COVERED : 0);
}

static unsigned
prefix_relate(const struct ipsec_prefix *a, const struct ipsec_prefix *b)
{
    unsigned bits = a->bits < b->bits ? a->bits : b->bits;
    unsigned rest = bits % 8u;

    if (memcmp(a->byte, b->byte, bits / 8) != 0 ||
        (rest != 0 &&
         ((a->byte[bits / 8] ^ b->byte[bits / 8]) >> (8 - rest)) != 0)) {
        return APART;
    }
    return OVERLAP | (a->bits == bits ? COVERS : 0) |
           (b->bits == bits ? COVERED : 0);
}

static struct span
span_of(uint32_t value, uint32_t any_lo, uint32_t any_hi)
{
    struct span s;

    s.lo = value != 0 ? value : any_lo;
    s.hi = value != 0 ? value : any_hi;
    return s;
}

static struct span
next_span(const struct ipsec_selector *s)
{
    return span_of((s->set & IPSEC_SEL_PROTO_OPAQUE) ? OPAQUE_NEXT : s->proto,
                   0, OPAQUE_NEXT);
}

static struct view
view_of(const struct ipsec_selector *s, int swap)
{
    struct view v;

    v.local = v.remote = s;
    v.swap = swap;
    return v;
}

/* Type and code stand in both ports, and may be asked for in either. */
static int
has_types(uint8_t proto)
{
    return ipsec_proto_is_icmp(proto) || proto == PROTO_MOBILITY;
}

static struct span
port_span(const struct view *v, int remote)
{
    const struct ipsec_selector *s = remote ? v->remote : v->local;
    unsigned own;
    struct span span;

    remote ^= v->swap;
    own = remote ? IPSEC_SEL_REMOTE_PORT : IPSEC_SEL_LOCAL_PORT;
    if ((s->set & own) == 0 && has_types(s->proto)) {
        s = v->local == s ? v->remote : v->local;
        remote = !remote;
        own ^= IPSEC_SEL_REMOTE_PORT | IPSEC_SEL_LOCAL_PORT;
    }
    span.lo = remote ? s->remote_port_lo : s->local_port_lo;
    span.hi = remote ? s->remote_port_hi : s->local_port_hi;
    if ((s->set & own) == 0) {
        span.lo = 0;
        span.hi = OPAQUE_PORT;
    } else if (ipsec_port_opaque((uint16_t)span.lo, (uint16_t)span.hi)) {
        span.lo = span.hi = OPAQUE_PORT;
    }
    return span;
}

static unsigned
ports_relate(const struct ipsec_selector *a, const struct view *b)
{
    struct view v = view_of(a, 0);

    return span_relate(port_span(&v, 0), port_span(b, 0)) &
           span_relate(port_span(&v, 1), port_span(b, 1));
}

static unsigned
next_relate(const struct ipsec_selector *a, const struct view *b)
{
    return span_relate(next_span(a), next_span(b->local));
}

static unsigned
addr_relate(const struct ipsec_selector *a, const struct view *b)
{
    return span_relate(span_of(a->version, 4, 6),
                       span_of(b->local->version, 4, 6)) &
           prefix_relate(&a->local, b->swap ? &b->local->remote
                                            : &b->local->local) &
           prefix_relate(&a->remote, b->swap ? &b->remote->local
                                             : &b->remote->remote);
}

static unsigned
relate(const struct ipsec_selector *a, const struct view *b)
{
    return addr_relate(a, b) & next_relate(a, b) & ports_relate(a, b);
}

/* Is `a` asked before `b`, of the same SPD? */
static int
before(const struct ipsec_policy *a, const struct ipsec_policy *b)
{
    return a->priority != b->priority ? a->priority < b->priority
                                      : (int32_t)(a->age - b->age) < 0;
}

/* A policy that packets can match. */
static int
is_live(const struct ipsec_policy *p)
{
    return (p->sel.set & IPSEC_SEL_NAME) == 0;
}

static int
is_protect(const struct ipsec_policy *p)
{
    return p->action == IPSEC_ACTION_PROTECT && is_live(p);
}

#define AHEAD 1u /* before `p` */
#define REQID 2u /* `p` itself, or protected by the same SAs */

/* A policy of our set, and of the SPD of `p`, for all of `sel`. */
static const struct ipsec_policy *
covering(const struct lint *l, const struct ipsec_policy *p,
         const struct view *sel, int dir, unsigned how)
{
    const struct ipsec_policy *q = NULL;

    while ((q = ipsec_spd_next(l->ours, q)) != NULL) {
        if (is_live(q) && q->sel.spd_id == p->sel.spd_id &&
            (dir & ~q->dir) == 0 && (how == REQID || q != p) &&
            (how != AHEAD || before(q, p)) &&
            (how != REQID || (is_protect(q) && q->reqid == p->reqid)) &&
            (relate(&q->sel, sel) & COVERS) != 0) {
            break;
        }
    }
    return q;
}

/* Two sets */

/* A finding about a policy that does not protect; 0: it does. */
static int
action_finding(const struct ipsec_policy *q)
{
    return q->action == IPSEC_ACTION_PROTECT ? 0
        : q->action == IPSEC_ACTION_BYPASS ? IPSEC_LINT_PEER_BYPASS
                                           : IPSEC_LINT_PEER_DISCARD;
}

/* Both protect the same: in the same way? Layer by layer, outward. */
static void
compare(struct lint *l, const struct ipsec_policy *ours,
        const struct ipsec_policy *theirs)
{
    const struct ipsec_policy *p = ours, *q = theirs;
    int proto = 0, mode = 0;

    for (; p != NULL && q != NULL; p = p->outer, q = q->outer) {
        proto |= p->proto != 0 && q->proto != 0 && p->proto != q->proto;
        mode |= p->mode != 0 && q->mode != 0 && p->mode != q->mode;
    }
    if (proto) {
        tell(l, IPSEC_LINT_PROTO, ours, theirs);
    }
    if (mode) {
        tell(l, IPSEC_LINT_MODE, ours, theirs);
    }
    if (p != NULL || q != NULL) {
        tell(l, IPSEC_LINT_LAYERS, ours, theirs);
    }
    if ((ours->flags ^ theirs->flags) & IPSEC_POLICY_FRAGMENTS) {
        tell(l, IPSEC_LINT_FRAGMENTS, ours, theirs);
    }
}

/* The peer's policy for all that `p` protects in direction `dir`, or NULL. */
static const struct ipsec_policy *
counterpart(const struct lint *l, const struct ipsec_policy *p, int dir)
{
    const struct ipsec_policy *q = NULL, *best = NULL;
    struct view m;

    while ((q = ipsec_spd_next(l->theirs, q)) != NULL) {
        if ((q->dir & (dir ^ (IPSEC_IN | IPSEC_OUT))) != 0 && is_live(q) &&
            (best == NULL || before(q, best))) {
            m = view_of(&q->sel, 1);
            if (relate(&p->sel, &m) & COVERED) {
                best = q;
            }
        }
    }
    return best;
}

/* Was this said already, of the direction out? */
static int
is_repeat(const struct lint *l, const struct ipsec_policy *q, int dir)
{
    return dir == IPSEC_IN && (l->dirs & IPSEC_OUT) != 0 &&
           (q->dir & IPSEC_IN) != 0;
}

/* Policies of the peer that take a part of `p` ahead of `best`, or that are
 * all there is. How many were found, new or not? */
static size_t
partial(struct lint *l, const struct ipsec_policy *p, int dir,
        const struct ipsec_policy *best)
{
    const struct ipsec_policy *q = NULL;
    struct view m, same;
    unsigned how;
    size_t n = 0;
    int finding;

    while ((q = ipsec_spd_next(l->theirs, q)) != NULL) {
        same = view_of(&q->sel, 0);
        m = view_of(&q->sel, 1);
        how = relate(&p->sel, &m);
        if (how == APART || (how & COVERED) != 0 || !is_live(q) ||
            (q->dir & (dir ^ (IPSEC_IN | IPSEC_OUT))) == 0 ||
            (best != NULL && !before(q, best)) ||
            covering(l, p, &m, dir, AHEAD) != NULL) {
            continue;
        }
        finding = action_finding(q);
        if (finding == 0) {
            finding = (how & COVERS) ? IPSEC_LINT_WIDER
                : ports_relate(&p->sel, &m) != EQUAL &&
                  ports_relate(&p->sel, &same) == EQUAL
                ? IPSEC_LINT_PORTS : IPSEC_LINT_OVERLAP;
        }
        if (!is_repeat(l, q, dir)) {
            tell(l, finding, p, q);
        }
        n++;
    }
    return n;
}

/* What `q` has to do with `p`, which it is no counterpart of: the lower, the
 * more it tells. */
static int
near_miss(const struct ipsec_policy *p, const struct ipsec_policy *q)
{
    struct view m = view_of(&q->sel, 1), same = view_of(&q->sel, 0);

    if (relate(&p->sel, &m) != APART) {
        return IPSEC_LINT_PEER_ONE_WAY;
    }
    if (relate(&p->sel, &same) == EQUAL) {
        return IPSEC_LINT_COPIED;
    }
    if (addr_relate(&p->sel, &m) == APART || q->action != p->action) {
        return IPSEC_LINT_NO_PEER;
    }
    return next_relate(&p->sel, &m) == APART ? IPSEC_LINT_NEXT_PROTO
                                             : IPSEC_LINT_PORTS;
}

static void
nothing(struct lint *l, const struct ipsec_policy *p, int dir)
{
    const struct ipsec_policy *q = NULL, *best = NULL;
    int finding = IPSEC_LINT_NO_PEER, miss;

    while ((q = ipsec_spd_next(l->theirs, q)) != NULL) {
        miss = is_live(q) ? near_miss(p, q) : IPSEC_LINT_NO_PEER;
        if (miss < finding) {
            finding = miss;
            best = q;
        }
    }
    /* of both directions, one of them says it all, but for ONE_WAY */
    if (dir == IPSEC_OUT || l->dirs == IPSEC_IN ||
        finding == IPSEC_LINT_PEER_ONE_WAY) {
        tell(l, finding, p, best);
    }
}

static void
peer_check(struct lint *l, const struct ipsec_policy *p, int dir)
{
    const struct ipsec_policy *best = counterpart(l, p, dir);
    size_t n = partial(l, p, dir, best);
    struct view m;

    if (best == NULL) {
        if (n == 0) {
            nothing(l, p, dir);
        }
    } else if (is_repeat(l, best, dir)) {
        return;
    } else if (action_finding(best) != 0) {
        tell(l, action_finding(best), p, best);
    } else {
        m = view_of(&best->sel, 1);
        if (relate(&p->sel, &m) != EQUAL) {
            tell(l, IPSEC_LINT_NARROWER, p, best);
        }
        compare(l, p, best);
    }
}

/* The directions in which no policy ahead of `p` takes all of it: what it says
 * of the others is not what we do. */
static int
dirs_of(const struct lint *l, const struct ipsec_policy *p)
{
    struct view all = view_of(&p->sel, 0);
    int dir, dirs = p->dir;

    for (dir = IPSEC_OUT; dir <= IPSEC_IN; dir++) {
        if (covering(l, p, &all, dir, AHEAD) != NULL) {
            dirs &= ~dir;
        }
    }
    return dirs;
}

/* see lint.h */
size_t
ipsec_lint_peer(const struct ipsec *ours, const struct ipsec *theirs,
                ipsec_lint_found *found, void *user)
{
    struct lint l = { ours, theirs, found, user, 0, 0 };
    const struct ipsec_policy *p = NULL;

    while ((p = ipsec_spd_next(ours, p)) != NULL) {
        l.dirs = is_protect(p) ? dirs_of(&l, p) : 0;
        if (l.dirs & IPSEC_OUT) {
            peer_check(&l, p, IPSEC_OUT);
        }
        if (l.dirs & IPSEC_IN) {
            peer_check(&l, p, IPSEC_IN);
        }
    }
    return l.count;
}

/* One set */

static void
way_check(struct lint *l, const struct ipsec_policy *p)
{
    int other = p->dir ^ (IPSEC_IN | IPSEC_OUT);
    struct view all = view_of(&p->sel, 0);

    if (other != 0 && covering(l, p, &all, other, 0) == NULL) {
        tell(l, IPSEC_LINT_ONE_WAY, p, NULL);
    }
}

static void
sa_check(struct lint *l, const struct ipsec_policy *p)
{
    const struct ipsec_policy *layer = p;
    const struct ipsec_sa *sa;

    for (; layer != NULL && (p->dir & IPSEC_OUT); layer = layer->outer) {
        sa = layer->reqid == 0
            ? NULL : ipsec_sad_newest(l->ours, layer->reqid, 0);
        if (sa != NULL) {
            if (sa->state == IPSEC_SA_MATURE &&
                ipsec_policy_accepts(layer, sa) != IPSEC_OK) {
                tell(l, IPSEC_LINT_SA_KIND, p, NULL);
            }
        } else if (l->ours->cfg->acquire == NULL) {
            tell(l, layer->reqid == 0 ? IPSEC_LINT_NO_ACQUIRE
                                      : IPSEC_LINT_NO_SA, p, NULL);
        }
    }
}

/* Does a policy ahead of `p` (or any one, if `p` can't match it) let a packet
 * for `port` of the service `s` pass in clear, both ways? */
static int
has_bypass(const struct lint *l, const struct ipsec_policy *p,
           struct ipsec_selector *s, uint16_t port)
{
    struct view sel = view_of(s, 0);
    const struct ipsec_policy *q = NULL;
    int dir = IPSEC_IN | IPSEC_OUT, rival;

    s->local_port_lo = s->local_port_hi = port;
    rival = relate(&p->sel, &sel) != APART;
    while ((q = ipsec_spd_next(l->ours, q)) != NULL) {
        if (q->action == IPSEC_ACTION_BYPASS && is_live(q) &&
            q->sel.spd_id == p->sel.spd_id && (!rival || before(q, p)) &&
            next_relate(&q->sel, &sel) != APART &&
            ports_relate(&q->sel, &sel) != APART) {
            dir &= ~q->dir;
        }
    }
    return dir == 0;
}

/* What must pass so that there can be keys, or a next hop. */
static void
clear_check(struct lint *l, const struct ipsec_policy *p)
{
    struct ipsec_selector s;
    struct view sel = view_of(&s, 0);

    memset(&s, 0, sizeof s);
    s.set = IPSEC_SEL_LOCAL_PORT;
    s.proto = PROTO_UDP;
    if (p->reqid == 0 && (!has_bypass(l, p, &s, PORT_IKE) ||
                          !has_bypass(l, p, &s, PORT_NATT))) {
        tell(l, IPSEC_LINT_NO_IKE, p, NULL);
    }
    s.version = 6;
    s.proto = PROTO_ICMPV6;
    if (!LACKS_IP(s.version) && p->sel.local.bits == 0 &&
        p->sel.remote.bits == 0 &&
        !has_bypass(l, p, &s, ND_SOLICIT) && relate(&p->sel, &sel) != APART) {
        tell(l, IPSEC_LINT_NO_ND, p, NULL);
    }
}

/* Fragments behind the first have no ports (RFC 4301 section 7). Transport
 * mode takes whole datagrams. */
static void
fragment_check(struct lint *l, const struct ipsec_policy *p)
{
    struct ipsec_selector opaque = p->sel;
    struct view sel = view_of(&opaque, 0);

    if ((p->sel.set & (IPSEC_SEL_LOCAL_PORT | IPSEC_SEL_REMOTE_PORT)) == 0 ||
        p->mode == IPSEC_MODE_TRANSPORT || has_types(p->sel.proto) ||
        (p->flags & IPSEC_POLICY_FRAGMENTS) != 0) {
        return;
    }
    opaque.set = IPSEC_SEL_LOCAL_PORT | IPSEC_SEL_REMOTE_PORT;
    opaque.local_port_lo = opaque.remote_port_lo = 65535;
    opaque.local_port_hi = opaque.remote_port_hi = 0;
    if ((relate(&p->sel, &sel) & COVERS) == 0 &&
        covering(l, p, &sel, p->dir, 0) == NULL) {
        tell(l, IPSEC_LINT_PORT_FRAGMENTS, p, NULL);
    }
}

/* Several policies of one reqid are one SA with several selector sets. Key
 * exchange knows lists of local and of remote selectors, and means each with
 * each (RFC 4301 section 4.4.1.2; RFC 7296 section 2.9). */
static void
mix_check(struct lint *l, const struct ipsec_policy *p)
{
    const struct ipsec_policy *q = NULL;
    struct view a, b;

    while (p->reqid != 0 && (q = ipsec_spd_next(l->ours, q)) != NULL) {
        if (q == p) {
            return; /* the other half of the pairs is told from there */
        }
        a = view_of(&p->sel, 0);
        b = view_of(&q->sel, 0);
        if (is_protect(q) && q->reqid == p->reqid &&
            q->sel.version == p->sel.version &&
            q->sel.proto == p->sel.proto &&
            port_span(&a, 0).lo != OPAQUE_PORT &&
            port_span(&b, 0).lo != OPAQUE_PORT) {
            a.remote = &q->sel;
            b.remote = &p->sel;
            if (covering(l, p, &a, 0, REQID) == NULL ||
                covering(l, p, &b, 0, REQID) == NULL) {
                tell(l, IPSEC_LINT_MIX, p, q);
                return;
            }
        }
    }
}

static void
bundle_check(struct lint *l, const struct ipsec_policy *p)
{
    const struct ipsec_policy *layer = p;
    unsigned seen = 0;

    for (; layer != NULL; layer = layer->outer) {
        seen |= layer->proto == IPSEC_PROTO_AH ? 1u : 0;
        seen |= layer->proto == IPSEC_PROTO_ESP ? 2u : 0;
    }
    if (seen == 3) {
        tell(l, IPSEC_LINT_AH_ESP, p, NULL);
    }
    if (p->mode == IPSEC_MODE_TRANSPORT && p->reqid != 0 &&
        p->sel.remote.bits < (p->sel.version == 6 ? 128 : 32)) {
        tell(l, IPSEC_LINT_TRANSPORT_NET, p, NULL);
    }
}

/* see lint.h */
size_t
ipsec_lint_spd(const struct ipsec *ips, ipsec_lint_found *found, void *user)
{
    struct lint l = { ips, NULL, found, user, 0, 0 };
    const struct ipsec_policy *p = NULL, *q;
    struct view all;

    while ((p = ipsec_spd_next(ips, p)) != NULL) {
        all = view_of(&p->sel, 0);
        q = is_live(p) ? covering(&l, p, &all, p->dir, AHEAD) : NULL;
        if (q != NULL) {
            tell(&l, IPSEC_LINT_SHADOWED, p, q);
        }
        if (is_protect(p)) {
            way_check(&l, p);
            sa_check(&l, p);
            clear_check(&l, p);
            fragment_check(&l, p);
            mix_check(&l, p);
            bundle_check(&l, p);
        }
    }
    return l.count;
}

#endif
