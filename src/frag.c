/* SPDX-License-Identifier: MIT */
#include "inner.h"

#ifndef IPSEC_NO_FRAGMENTS

/*
 * Stateful fragment checking (RFC 4301 sections 7.3 and 7.4). Fragments behind
 * the first have no ports; here it is remembered what the first had, so that
 * all of a datagram meet the same policy.
 */

#define SLOT_CLEAR 1 /* values of `used`: the first came in clear, ... */
#define SLOT_OURS  2 /* ... over an SA that may carry it, or from us */

#define SEL_PORTS (IPSEC_SEL_LOCAL_PORT | IPSEC_SEL_REMOTE_PORT)

static int
is_valid(const struct ipsec_frag_slot *slot, uint32_t now)
{
    return slot->used != 0 && (int32_t)(slot->until - now) > 0;
}

/* Is `slot` of the datagram that this is a fragment of? Over IPv6 the next
 * header isn't part of that (RFC 8200 section 4.5): only that in the first
 * fragment counts. */
static int
is_of(const struct ipsec_frag_slot *slot, int dir, const struct ipsec_ip *ip,
      const struct ipsec_flow *flow)
{
    return slot->id == ip->id && slot->dir == dir &&
           slot->spd_id == flow->spd_id &&
           (IS_IP6(ip->version) || slot->proto == flow->proto) &&
           memcmp(slot, flow, FLOW_ADDRS) == 0;
}

/* How far is what comes this way, after `layers` layers, to be believed? */
static uint8_t
rank(int dir, size_t layers)
{
    return dir == IPSEC_OUT || layers > 0 ? SLOT_OURS : SLOT_CLEAR;
}

/* The slot of the datagram; NULL: there is none. */
static struct ipsec_frag_slot *
slot_find(const struct ipsec *ips, int dir, const struct ipsec_ip *ip,
          const struct ipsec_flow *flow)
{
    const struct ipsec_frag *frag = ips->cfg->frag;
    struct ipsec_frag_slot *slot = frag->slot;
    size_t n = frag->len;

    for (; n > 0; n--, slot++) {
        if (is_valid(slot, ips->now) && is_of(slot, dir, ip, flow)) {
            return slot;
        }
    }
    return NULL;
}

/* Of two slots, is `a` to be forgotten? What came in clear, then the older. */
static int
is_lesser(const struct ipsec_frag_slot *a, const struct ipsec_frag_slot *b)
{
    return a->used != b->used ? a->used < b->used
                              : (int32_t)(a->until - b->until) < 0;
}

/* A slot that isn't in use, or one to be forgotten, for one that is `used` so:
 * a flood in clear makes nothing else forgotten. NULL: there are none. */
static struct ipsec_frag_slot *
slot_take(const struct ipsec *ips, uint8_t used)
{
    const struct ipsec_frag *frag = ips->cfg->frag;
    struct ipsec_frag_slot *slot = frag->slot, *best = NULL;
    size_t n = frag->len;

    for (; n > 0; n--, slot++) {
        if (!is_valid(slot, ips->now)) {
            return slot;
        }
        if (slot->used <= used && (best == NULL || is_lesser(slot, best))) {
            best = slot;
        }
    }
    return best;
}

/* see inner.h */
void
ipsec_frag_note(const struct ipsec *ips, int dir, const struct ipsec_ip *ip,
                const struct ipsec_flow *flow, size_t layers)
{
    uint8_t used = rank(dir, layers);
    struct ipsec_frag_slot *slot;

    if (ips->cfg->frag == NULL || ip->frag != FRAG_FIRST || flow->opaque) {
        return;
    }
    slot = slot_find(ips, dir, ip, flow);
    if (slot == NULL) {
        slot = slot_take(ips, used);
    } else if (slot->used > used) {
        return; /* forged: it may not speak for what has authenticated */
    }
    if (slot == NULL) {
        return;
    }
    memcpy(slot, flow, FLOW_ADDRS);
    slot->local_port = flow->local_port;
    slot->remote_port = flow->remote_port;
    slot->id = ip->id;
    slot->until = ips->now + ips->cfg->frag->seconds;
    slot->proto = flow->proto;
    slot->dir = (uint8_t)dir;
    slot->spd_id = flow->spd_id;
    slot->used = used;
}

/* Does `policy` not carry fragments by their ports (RFC 4301 section 7.3)? */
static int
is_refused(const struct ipsec_policy *policy)
{
    return policy != NULL && policy->action == IPSEC_ACTION_PROTECT &&
           (policy->sel.set & SEL_PORTS) &&
           (policy->flags & IPSEC_POLICY_FRAGMENTS) == 0;
}

/* Is `opaque`, a policy for fragments and nothing else, the one that counts,
 * rather than that of the ports? It is if it comes first; or if it is there to
 * carry what that one does not (RFC 4301 section 7.2). */
static int
is_first(const struct ipsec_policy *opaque, const struct ipsec_policy *policy)
{
    if (opaque == NULL ||
        (opaque->sel.set & (SEL_PORTS | IPSEC_SEL_PROTO_OPAQUE)) == 0) {
        return 0;
    }
    return policy == NULL || opaque->priority <= policy->priority ||
           (opaque->action == IPSEC_ACTION_PROTECT && is_refused(policy));
}

/* see inner.h */
int
ipsec_frag_check(const struct ipsec *ips, int dir, const struct ipsec_ip *ip,
                 struct ipsec_flow *flow, size_t layers,
                 struct ipsec_policy **policy, int refuse)
{
    const struct ipsec_frag_slot *slot;
    struct ipsec_policy *opaque = *policy;
    uint8_t unseen = flow->opaque;

    if (ips->cfg->frag == NULL || ip->frag != FRAG_LATER) {
        return IPSEC_OK;
    }
    slot = slot_find(ips, dir, ip, flow);
    if (slot == NULL || slot->used < rank(dir, layers)) {
        return IPSEC_OK;
    }
    flow->opaque = 0;
    flow->proto = slot->proto;
    flow->local_port = slot->local_port;
    flow->remote_port = slot->remote_port;
    *policy = ipsec_spd_lookup(ips, dir, flow);
    if (!is_first(opaque, *policy)) {
        return is_refused(*policy) ? refuse : IPSEC_OK;
    }
    *policy = opaque; /* and the flow as it was */
    flow->opaque = unseen;
    flow->proto = ip->proto;
    flow->local_port = flow->remote_port = 0;
    return IPSEC_OK;
}

#endif
