/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base.h"

#include <stdlib.h>
#include <string.h>

/* Policies: what spdadd, spdupdate and spddelete become. */

static void
selector_set(struct ipsec_selector *sel, const struct setkey_policy *said)
{
    const struct ipsec_selector *from = &said->sel;

    *sel = *from;
    if (said->dir == SETKEY_OUT) {
        return;
    }
    sel->local = from->remote; /* what comes in is for us */
    sel->remote = from->local;
    sel->set = (uint8_t)
        ((from->set & IPSEC_SEL_LOCAL_PORT ? IPSEC_SEL_REMOTE_PORT : 0) |
         (from->set & IPSEC_SEL_REMOTE_PORT ? IPSEC_SEL_LOCAL_PORT : 0));
    sel->local_port_lo = from->remote_port_lo;
    sel->local_port_hi = from->remote_port_hi;
    sel->remote_port_lo = from->local_port_lo;
    sel->remote_port_hi = from->local_port_hi;
}

/* The address of a prefix of all bits; 0: it isn't one. */
static int
host_of(const struct ipsec_prefix *prefix, uint8_t version,
        struct ipsec_addr *addr)
{
    memset(addr, 0, sizeof *addr);
    addr->version = version;
    memcpy(addr->byte, prefix->byte, version == 4 ? 4 : 16);
    return prefix->bits == (version == 4 ? 32 : 128);
}

/* The layers, from the innermost: `src` and `dst` are the addresses of what
 * goes into each. */
static int
layers_set(struct base *base, struct base_policy *p,
           struct setkey_error *error)
{
    const struct ipsec_selector *sel = &p->said.sel;
    struct ipsec_addr src, dst;
    int hosts, i;

    hosts = host_of(&sel->local, sel->version, &src);
    hosts &= host_of(&sel->remote, sel->version, &dst);
    for (i = 0; i < p->said.layers; i++) {
        const struct setkey_layer *l = &p->said.layer[i];
        struct ipsec_policy *policy = &p->policy[i];

        if (l->src.version != 0) {
            src = l->src;
            dst = l->dst;
            hosts = 1;
        }
        if (!hosts && l->id == 0) {
            return base_fail(error, l->at, "transport mode between networks: "
                             "name two hosts, or SAs by unique:ID");
        }
        policy->action = IPSEC_ACTION_PROTECT;
        policy->proto = l->proto;
        policy->mode = l->mode;
        policy->reqid = base_class_layer(base, l, &src, &dst);
        policy->dir = p->policy[0].dir;
        policy->outer = i + 1 < p->said.layers ? &p->policy[i + 1] : NULL;
        if (policy->reqid == 0) {
            return base_fail(error, l->at, "no memory");
        }
    }
    return 0;
}

static int
same_selector(const struct setkey_policy *a, const struct setkey_policy *b)
{
    return a->dir == b->dir && memcmp(&a->sel, &b->sel, sizeof a->sel) == 0;
}

static uint64_t
hash_selector(const struct setkey_policy *said)
{
    return base_hash(base_hash(BASE_HASH, &said->dir, 1), &said->sel,
                     sizeof said->sel);
}

static struct base_policy *
policy_find(const struct base *base, const struct setkey_policy *said)
{
    struct base_link *link = base_index_first(&base->by_selector,
                                              hash_selector(said));
    struct base_policy *p;

    for (; link != NULL; link = base_index_next(link)) {
        p = (void *)((char *)link - offsetof(struct base_policy, by_selector));
        if (same_selector(&p->said, said)) {
            return p;
        }
    }
    return NULL;
}

static void
unindex(struct base *base, struct base_policy *p)
{
    size_t i;

    base_index_remove(&base->by_selector, &p->by_selector);
    for (i = 0; i < SETKEY_LAYERS; i++) {
        base_index_remove(&base->by_tunnel, &p->by_tunnel[i]);
    }
}

/* 0, or -1: no memory. */
static int
index_all(struct base *base, struct base_policy *p)
{
    int rc = base_index_add(&base->by_selector, &p->by_selector,
                            hash_selector(&p->said), p), i;

    for (i = 0; i < p->said.layers && rc == 0; i++) {
        struct setkey_layer *l = &p->said.layer[i];

        if (l->mode == IPSEC_MODE_TUNNEL) {
            rc = base_index_add(&base->by_tunnel, &p->by_tunnel[i],
                                base_hash_tunnel(l->proto, &l->src, &l->dst),
                                l);
        }
    }
    return rc;
}

/* see base.h */
void
base_policy_remove(struct base *base, struct base_policy *p)
{
    *p->at = p->next;
    if (p->next != NULL) {
        p->next->at = p->at;
    } else {
        base->policies_end = p->at;
    }
    ipsec_spd_remove(&base->ips, &p->policy[0]);
    unindex(base, p);
    free(p);
}

/* Behind all others, or where `old` was. */
static void
policy_link(struct base *base, struct base_policy *p, struct base_policy *old)
{
    p->at = base->policies_end;
    if (old != NULL) {
        p->at = old->at;
        p->next = old->next;
        base_policy_remove(base, old);
    }
    *p->at = p;
    if (p->next != NULL) {
        p->next->at = &p->next;
    } else {
        base->policies_end = &p->next;
    }
}

static int
policy_insert(struct base *base, struct base_policy *p,
              const struct setkey_command *cmd, struct setkey_error *error)
{
    struct ipsec_policy *first = &p->policy[0];
    int rc;

    p->said = cmd->policy;
    first->action = p->said.action;
    first->dir = p->said.dir == SETKEY_OUT ? IPSEC_OUT : IPSEC_IN;
    first->priority = (uint32_t)(INT64_C(2147483648) - p->said.priority);
    selector_set(&first->sel, &p->said);
    if (layers_set(base, p, error) != 0) {
        return -1;
    }
    if (index_all(base, p) != 0) {
        return base_fail(error, cmd->at, "no memory");
    }
    rc = ipsec_spd_add(&base->ips, first);
    return rc == IPSEC_OK ? 0
        : base_fail(error, cmd->at, "%s", base_reason(rc));
}

/* see base.h */
int
base_policy_add(struct base *base, const struct setkey_command *cmd,
                struct setkey_error *error)
{
    struct base_policy *old = policy_find(base, &cmd->policy);
    struct base_policy *p;

    if (old != NULL && cmd->verb == SETKEY_SPDADD) {
        return base_fail(error, cmd->at, "there is a policy with these "
                         "addresses, protocol and direction: spdupdate would "
                         "replace it");
    }
    p = calloc(1, sizeof *p);
    if (p == NULL) {
        return base_fail(error, cmd->at, "no memory");
    }
    if (policy_insert(base, p, cmd, error) != 0) {
        unindex(base, p);
        free(p);
        return -1;
    }
    p->id = old != NULL ? old->id : base->next_id++;
    p->added = time(NULL);
    policy_link(base, p, old);
    return 0;
}

/* see base.h */
int
base_policy_delete(struct base *base, const struct setkey_command *cmd,
                   struct setkey_error *error)
{
    struct base_policy *p = policy_find(base, &cmd->policy);

    if (p == NULL) {
        return base_fail(error, cmd->at, "there is no such policy");
    }
    base_policy_remove(base, p);
    return 0;
}
