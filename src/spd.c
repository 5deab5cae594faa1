/* SPDX-License-Identifier: MIT */
#include "inner.h"

/*
 * Security Policy Database (RFC 4301 section 4.4.1): a tuple space search.
 *
 * Policies of one shape (which fields count, and how many bits of the
 * addresses) can be found by hashing those fields: each shape in use is a
 * tuple, and a lookup probes the tuples, those with the lowest priority
 * number first, until none can hold a better policy than the one found.
 * A chain is in order of (priority, age), so its first match is its best.
 *
 * The list is the one chain that needs no hashing. It takes what finds no
 * tuple: without an index, everything.
 */

#define PORTS (IPSEC_SEL_LOCAL_PORT | IPSEC_SEL_REMOTE_PORT)

#ifdef IPSEC_NO_PFP
#define proto_match(s, flow) ((s)->proto == 0 || (s)->proto == (flow)->proto)
#define others_check(policy) \
    (((policy)->sel.set & ~PORTS) != 0 || (policy)->pfp != 0 \
     ? IPSEC_ERR_UNSUPPORTED : IPSEC_OK)
#else
#define others_check(policy) ipsec_pfp_valid(policy)
#endif

static inline int
prefix_match(const struct ipsec_prefix *prefix, const uint8_t *addr)
{
    const uint8_t *p = prefix->byte;
    unsigned bits = prefix->bits;

#if LOADS_WORDS
    for (; bits >= 32; bits -= 32, p += 4, addr += 4) {
        if (get32(p) != get32(addr)) {
            return 0;
        }
    }
    return bits == 0 || (get32(p) ^ get32(addr)) >> (32 - bits) == 0;
#else
    for (; bits >= 8; bits -= 8) {
        if (*p++ != *addr++) {
            return 0;
        }
    }
    return bits == 0 || ((*p ^ *addr) >> (8 - bits)) == 0;
#endif
}

static int
port_match(uint16_t lo, uint16_t hi, uint16_t port, uint8_t opaque)
{
    if (opaque || ipsec_port_opaque(lo, hi)) {
        return opaque && ipsec_port_opaque(lo, hi);
    }
    return lo <= port && port <= hi;
}

#ifndef IPSEC_NO_PFP

static int
proto_match(const struct ipsec_selector *s, const struct ipsec_flow *flow)
{
    int unseen = (flow->opaque & IPSEC_OPAQUE_PROTO) != 0;

    if (s->set & IPSEC_SEL_NAME) {
        return 0; /* it isn't for packets (RFC 4301 section 4.4.1.1) */
    }
    if (s->proto == 0) {
        return unseen || (s->set & IPSEC_SEL_PROTO_OPAQUE) == 0;
    }
    return !unseen && s->proto == flow->proto;
}

#endif

/* Does all but the remote address match? */
static int
fields_match(const struct ipsec_policy *policy, const struct ipsec_flow *flow)
{
    const struct ipsec_selector *s = &policy->sel;

    return s->spd_id == flow->spd_id && proto_match(s, flow) &&
           (s->version == 0 || s->version == flow->local.version) &&
           ((s->set & IPSEC_SEL_LOCAL_PORT) == 0 ||
            port_match(s->local_port_lo, s->local_port_hi,
                       flow->local_port, flow->opaque)) &&
           ((s->set & IPSEC_SEL_REMOTE_PORT) == 0 ||
            port_match(s->remote_port_lo, s->remote_port_hi,
                       flow->remote_port, flow->opaque)) &&
           prefix_match(&s->local, flow->local.byte);
}

/* see inner.h */
int
ipsec_policy_match(const struct ipsec_policy *policy, int dir,
                   const struct ipsec_flow *flow)
{
    return (policy->dir & dir) != 0 &&
           prefix_match(&policy->sel.remote, flow->remote.byte) &&
           fields_match(policy, flow);
}

#ifdef IPSEC_NO_INDEX
#define policy_bucket(ips, policy) \
    ((void)(policy), (struct ipsec_policy **)&(ips)->spd_one)
#define index_join(ips, policy)  ((void)0)
#define index_leave(ips, policy) ((void)0)
#define is_linked(ips, policy)   ((policy)->linked)
#else

/* Shapes and keys */

#define KEY_PROTO       0x01u
#define KEY_LOCAL_PORT  0x02u
#define KEY_REMOTE_PORT 0x04u

static uint8_t
fields_of(const struct ipsec_selector *s)
{
    uint8_t fields = s->proto != 0 ? KEY_PROTO : 0;

    if ((s->set & IPSEC_SEL_LOCAL_PORT) &&
        s->local_port_lo == s->local_port_hi) {
        fields |= KEY_LOCAL_PORT;
    }
    if ((s->set & IPSEC_SEL_REMOTE_PORT) &&
        s->remote_port_lo == s->remote_port_hi) {
        fields |= KEY_REMOTE_PORT;
    }
    return fields;
}

static int
same_shape(const struct ipsec_tuple *t, const struct ipsec_selector *s)
{
    return t->version == s->version && t->local_bits == s->local.bits &&
           t->remote_bits == s->remote.bits && t->fields == fields_of(s);
}

static inline uint32_t
addr_word(const uint8_t *addr, size_t i, uint8_t bits)
{
    size_t skip = 32 * i;

    if (bits <= skip) {
        return 0;
    }
    return bits - skip >= 32
        ? get32(addr + 4 * i)
        : get32(addr + 4 * i) & ~(UINT32_MAX >> (bits - skip));
}

/* The bucket of what has these values in the fields of `t`. Multilinear
 * hashing: strongly universal, so that neither packets nor peers' selectors can
 * be made to collide. */
static inline struct ipsec_policy **
key_bucket(const struct ipsec_spd_index *index, const struct ipsec_tuple *t,
           uint32_t spd_id, uint8_t proto, uint32_t ports,
           const uint8_t *local, const uint8_t *remote)
{
    const uint64_t *key = index->hash_key;
    uint32_t word = spd_id << 16 | (uint32_t)t->version << 8;
    uint64_t sum;
    size_t i;

    if (t->fields & KEY_PROTO) {
        word |= proto;
    }
    if ((t->fields & KEY_LOCAL_PORT) == 0) {
        ports &= 0xffffu;
    }
    if ((t->fields & KEY_REMOTE_PORT) == 0) {
        ports &= 0xffff0000u;
    }
    sum = key[10] + key[0] * word + key[1] * ports;
    for (i = 0; 32 * i < t->local_bits || 32 * i < t->remote_bits; i++) {
        sum += key[2 + i] * addr_word(local, i, t->local_bits) +
               key[6 + i] * addr_word(remote, i, t->remote_bits);
    }
    return &index->bucket[(size_t)(sum >> 32) & (index->bucket_len - 1)];
}

static struct ipsec_policy **
flow_bucket(const struct ipsec_spd_index *index, const struct ipsec_tuple *t,
            const struct ipsec_flow *flow)
{
    return key_bucket(index, t, flow->spd_id, flow->proto,
                      (uint32_t)flow->local_port << 16 | flow->remote_port,
                      flow->local.byte, flow->remote.byte);
}

/* The chain that `policy` is, or belongs, in. */
static struct ipsec_policy **
policy_bucket(const struct ipsec *ips, const struct ipsec_policy *policy)
{
    const struct ipsec_selector *s = &policy->sel;
    const struct ipsec_spd_index *index = ips->cfg->spd;

    if (policy->tuple == 0) {
        return (struct ipsec_policy **)&ips->spd_one;
    }
    return key_bucket(index, &index->tuple[policy->tuple - 1], s->spd_id,
                      s->proto,
                      (uint32_t)s->local_port_lo << 16 | s->remote_port_lo,
                      s->local.byte, s->remote.byte);
}

/* Tuples, in order of the best priority in them */

static void
tuple_unlink(struct ipsec_spd_index *index, uint16_t number)
{
    uint16_t *p = &index->tuple_first;

    while (*p != 0 && *p != number) {
        p = &index->tuple[*p - 1].next;
    }
    if (*p != 0) {
        *p = index->tuple[number - 1].next;
    }
}

static void
tuple_link(struct ipsec_spd_index *index, uint16_t number)
{
    struct ipsec_tuple *t = &index->tuple[number - 1];
    uint16_t *p = &index->tuple_first;

    while (*p != 0 && index->tuple[*p - 1].best <= t->best) {
        p = &index->tuple[*p - 1].next;
    }
    t->next = *p;
    *p = number;
}

/* Number of the tuple for a shape, in use or not; 0: there is none left. */
static uint16_t
tuple_find(const struct ipsec_spd_index *index,
           const struct ipsec_selector *s)
{
    uint16_t i, unused = 0;

    for (i = 0; i < index->tuple_len; i++) {
        if (index->tuple[i].count == 0) {
            unused = unused != 0 ? unused : (uint16_t)(i + 1);
        } else if (same_shape(&index->tuple[i], s)) {
            return (uint16_t)(i + 1);
        }
    }
    return unused;
}

/* `policy` is about to be put into the SPD: into which tuple? */
static void
index_join(const struct ipsec *ips, struct ipsec_policy *policy)
{
    struct ipsec_spd_index *index = ips->cfg->spd;
    const struct ipsec_selector *s = &policy->sel;
    uint16_t number = index != NULL ? tuple_find(index, s) : 0;
    struct ipsec_tuple *t;

    policy->tuple = number;
    if (number == 0) {
        return;
    }
    t = &index->tuple[number - 1];
    if (t->count++ == 0) {
        t->version = s->version;
        t->local_bits = s->local.bits;
        t->remote_bits = s->remote.bits;
        t->fields = fields_of(s);
    } else if (policy->priority >= t->best) {
        return;
    } else {
        tuple_unlink(index, number);
    }
    t->best = policy->priority;
    tuple_link(index, number);
}

static void
index_leave(const struct ipsec *ips, const struct ipsec_policy *policy)
{
    struct ipsec_spd_index *index = ips->cfg->spd;
    uint16_t number = policy->tuple;

    /* `best` may now be too low: that costs a probe, not a policy. */
    if (number != 0 && --index->tuple[number - 1].count == 0) {
        tuple_unlink(index, number);
    }
}

/* Is it in an SPD, and can that be this one? */
static int
is_linked(const struct ipsec *ips, const struct ipsec_policy *policy)
{
    const struct ipsec_spd_index *index = ips->cfg->spd;

    return policy->linked &&
           policy->tuple <= (index != NULL ? index->tuple_len : 0);
}

#endif

/* Chains */

static int
better(const struct ipsec_policy *a, const struct ipsec_policy *b)
{
    if (a->priority != b->priority) {
        return a->priority < b->priority;
    }
    return (int32_t)(a->age - b->age) < 0;
}

/* The first match of a chain, if it is better than `best`. */
static struct ipsec_policy *
chain_match(struct ipsec_policy *policy, struct ipsec_policy *best, int dir,
            const struct ipsec_flow *flow)
{
    for (; policy != NULL; policy = policy->next) {
        if (best != NULL && !better(policy, best)) {
            break;
        }
        /* in a list, most are about other remote addresses */
        if ((policy->dir & dir) != 0 &&
            prefix_match(&policy->sel.remote, flow->remote.byte) &&
            fields_match(policy, flow)) {
            return policy;
        }
    }
    return best;
}

#ifdef IPSEC_NO_INDEX
#define index_match(ips, best, dir, flow) (best)
#else
/* What a tuple has that is better than `best`. */
static struct ipsec_policy *
index_match(const struct ipsec *ips, struct ipsec_policy *best, int dir,
            const struct ipsec_flow *flow)
{
    const struct ipsec_spd_index *index = ips->cfg->spd;
    const struct ipsec_tuple *t;
    uint16_t number;

    if (index == NULL) {
        return best;
    }
    for (number = index->tuple_first; number != 0; number = t->next) {
        t = &index->tuple[number - 1];
        if (best != NULL && best->priority < t->best) {
            break;
        }
        if (t->version == 0 || t->version == flow->local.version) {
            best = chain_match(*flow_bucket(index, t, flow), best, dir, flow);
        }
    }
    return best;
}
#endif

/* see spd.h */
struct ipsec_policy *
ipsec_spd_lookup(const struct ipsec *ips, int dir,
                 const struct ipsec_flow *flow)
{
    struct ipsec_policy *best = chain_match(ips->spd_one, NULL, dir, flow);

    return index_match(ips, best, dir, flow);
}

/* Checks */

/* see inner.h */
int
ipsec_proto_has_selector(uint8_t proto)
{
    return ipsec_proto_has_ports(proto) || ipsec_proto_is_icmp(proto) ||
           IS_MOBILITY(proto);
}

/* Do these ports, if they count, run forward? */
static int
is_range(unsigned counts, uint16_t lo, uint16_t hi)
{
    return !counts || lo <= hi || ipsec_port_opaque(lo, hi);
}

static int
ports_check(const struct ipsec_selector *s)
{
    if ((s->set & PORTS) != 0 && !ipsec_proto_has_selector(s->proto)) {
        return IPSEC_ERR_PORTS; /* RFC 4301 appendix D.2 */
    }
    return is_range(s->set & IPSEC_SEL_LOCAL_PORT, s->local_port_lo,
                    s->local_port_hi) &&
           is_range(s->set & IPSEC_SEL_REMOTE_PORT, s->remote_port_lo,
                    s->remote_port_hi)
        ? IPSEC_OK : IPSEC_ERR_PORTS;
}

static int
selector_check(const struct ipsec_selector *s)
{
    uint8_t max = IS_IP6(s->version) ? 128 : s->version == 4 ? 32 : 0;

    if (LACKS_IP(s->version)) {
        return IPSEC_ERR_UNSUPPORTED;
    }
    if ((s->version != 0 && max == 0) || s->local.bits > max ||
        s->remote.bits > max) {
        return IPSEC_ERR_PREFIX;
    }
    return ports_check(s);
}

/* A policy and the layers around it. */
static int
bundle_check(const struct ipsec_policy *policy)
{
    const struct ipsec_policy *p;
    int layers = 0;

    if (LAYERS == 1 && policy->outer != NULL) {
        return IPSEC_ERR_UNSUPPORTED;
    }
    for (p = policy; p != NULL; p = OUTER(p)) {
        if (++layers > LAYERS ||
            ((p != policy || OUTER(p) != NULL) &&
             (p->action != IPSEC_ACTION_PROTECT || p->reqid == 0))) {
            return IPSEC_ERR_BUNDLE;
        }
        if (p->proto != 0 && !ipsec_proto_known(p->proto)) {
            return IPSEC_ERR_UNSUPPORTED;
        }
        if (p->mode > IPSEC_MODE_TUNNEL) {
            return IPSEC_ERR_ARG;
        }
    }
    return IPSEC_OK;
}

static int
policy_check(const struct ipsec_policy *policy)
{
    int rc;

    if (policy->linked) {
        return IPSEC_ERR_EXISTS;
    }
    if (policy->action > IPSEC_ACTION_PROTECT || policy->dir == 0 ||
        policy->dir > (IPSEC_IN | IPSEC_OUT)) {
        return IPSEC_ERR_ARG;
    }
    rc = selector_check(&policy->sel);
    if (rc == IPSEC_OK) {
        rc = others_check(policy);
    }
    return rc == IPSEC_OK ? bundle_check(policy) : rc;
}

/* The database */

#ifndef IPSEC_NO_INDEX

/* see inner.h */
int
ipsec_spd_init(struct ipsec *ips)
{
    const struct ipsec_config *cfg = ips->cfg;
    struct ipsec_spd_index *index = cfg->spd;

    if (index == NULL) {
        return IPSEC_OK;
    }
    if (index->bucket == NULL || index->bucket_len == 0 ||
        (index->bucket_len & (index->bucket_len - 1)) != 0 ||
        index->tuple == NULL || index->tuple_len == 0 ||
        index->tuple_len == UINT16_MAX) {
        return IPSEC_ERR_ARG;
    }
    memset(index->bucket, 0, index->bucket_len * sizeof *index->bucket);
    memset(index->tuple, 0, index->tuple_len * sizeof *index->tuple);
    index->tuple_first = 0;
    return cfg->random(cfg->user, index->hash_key, sizeof index->hash_key) < 0
        ? IPSEC_ERR_RANDOM : IPSEC_OK;
}

#endif

/* see spd.h */
int
ipsec_spd_add(struct ipsec *ips, struct ipsec_policy *policy)
{
    struct ipsec_policy **p;
    int rc = policy_check(policy);

    if (rc != IPSEC_OK) {
        return rc;
    }
    index_join(ips, policy);
    policy->age = ips->generation++;
    policy->linked = 1;
    p = policy_bucket(ips, policy);
    while (*p != NULL && better(*p, policy)) {
        p = &(*p)->next;
    }
    policy->next = *p;
    *p = policy;
    return IPSEC_OK;
}

/* see spd.h */
void
ipsec_spd_remove(struct ipsec *ips, struct ipsec_policy *policy)
{
    struct ipsec_policy **p;

    if (!is_linked(ips, policy)) {
        return;
    }
    p = policy_bucket(ips, policy);
    while (*p != NULL && *p != policy) {
        p = &(*p)->next;
    }
    if (*p == NULL) {
        return; /* another context's */
    }
    *p = policy->next;
    index_leave(ips, policy);
    policy->linked = 0;
    ips->generation++;
}

#ifdef IPSEC_NO_INDEX
#define index_next(ips, policy) NULL
#else
/* The first of the next chain: `policy` is the last of its own; NULL: the list
 * is empty. */
static struct ipsec_policy *
index_next(const struct ipsec *ips, const struct ipsec_policy *policy)
{
    const struct ipsec_spd_index *index = ips->cfg->spd;
    struct ipsec_policy *const *b, *const *end;

    if (index == NULL) {
        return NULL;
    }
    b = policy != NULL && policy->tuple != 0
        ? policy_bucket(ips, policy) + 1 : index->bucket;
    end = index->bucket + index->bucket_len;
    while (b < end && *b == NULL) {
        b++;
    }
    return b < end ? *b : NULL;
}
#endif

/* see spd.h */
struct ipsec_policy *
ipsec_spd_next(const struct ipsec *ips, const struct ipsec_policy *policy)
{
    struct ipsec_policy *next = policy != NULL ? policy->next : ips->spd_one;

    return next != NULL ? next : index_next(ips, policy);
}
