/* SPDX-License-Identifier: MIT */
#include "fake/daemon.h"

/* A key daemon in small: see daemon.h. */

static struct ipsec_selector
mirror(const struct ipsec_selector *s)
{
    struct ipsec_selector m = *s;

    m.local = s->remote;
    m.remote = s->local;
    return m; /* ports: none here */
}

struct km_child *
km_child_new(struct km *km, uint32_t reqid, const struct ipsec_selector *sel)
{
    size_t i;

    for (i = 0; i < KM_CHILDREN; i++) {
        if (!km->child[i].is_used) {
            memset(&km->child[i], 0, sizeof km->child[i]);
            km->child[i].is_used = 1;
            km->child[i].reqid = reqid;
            km->child[i].sel = *sel;
            return &km->child[i];
        }
    }
    return NULL;
}

struct km_child *
km_child_wanting(struct km *km)
{
    size_t i;

    for (i = 0; i < KM_CHILDREN; i++) {
        if (km->child[i].is_used &&
            (km->child[i].wants_keys || km->child[i].wants_rekey)) {
            return &km->child[i];
        }
    }
    return NULL;
}

static struct km_child *
child_of(struct km *km, const struct ipsec_sa *sa)
{
    size_t i;

    for (i = 0; i < KM_CHILDREN; i++) {
        if (sa == &km->child[i].in.sa || sa == &km->child[i].out.sa) {
            return &km->child[i];
        }
    }
    fail();
    return NULL;
}

static struct ipsec_policy
protect_policy(const struct km_child *c)
{
    struct ipsec_policy p;

    memset(&p, 0, sizeof p);
    p.sel = c->sel;
    p.action = IPSEC_ACTION_PROTECT;
    p.dir = IPSEC_IN | IPSEC_OUT;
    p.proto = IPSEC_PROTO_ESP;
    p.mode = IPSEC_MODE_TUNNEL;
    p.priority = 999;
    p.reqid = c->reqid;
    return p;
}

/* SAs */

int
km_get_spi(struct km *km, struct km_child *c)
{
    return ipsec_sad_reserve(&km->fx.ips, &c->in.sa, IPSEC_IN,
                             IPSEC_PROTO_ESP, c->reqid, KM_LARVAL_S);
}

/* What was negotiated; the key comes from the SPI. */
static void
params_fill(const struct km *km, struct fx_sa *s, int dir, uint32_t spi)
{
    static struct fx_sa draft;

    fx_sa_set(&draft, &suites[GCM128], dir, IPSEC_MODE_TUNNEL, spi, km->local,
              km->remote);
    s->params = draft.params;
    memcpy(s->material, draft.material, sizeof s->material);
    s->params.km.encr_key = s->material;
    s->params.key = &s->key;
}

int
km_add_sa(struct km *km, struct km_child *c, int dir, uint32_t spi)
{
    struct fx_sa *s = dir == IPSEC_IN ? &c->in : &c->out;
    int rc;

    params_fill(km, s, dir, spi);
    s->params.reqid = c->reqid;
    s->params.life = &km->life;
    rc = ipsec_sad_add(&km->fx.ips, &s->sa, &s->params);
    memset(s->material, 0, sizeof s->material); /* not kept, not needed */
    return rc;
}

int
km_update_sa(struct km *km, struct km_child *c,
             const struct ipsec_addr *local, uint16_t local_port,
             const struct ipsec_addr *remote, uint16_t remote_port)
{
    int rc = ipsec_sad_update(&km->fx.ips, &c->in.sa, 0, local, local_port,
                              remote, remote_port);

    if (rc == IPSEC_OK) {
        rc = ipsec_sad_update(&km->fx.ips, &c->out.sa, 0, local, local_port,
                              remote, remote_port);
    }
    return rc;
}

int
km_del_sa(struct km *km, struct fx_sa *s, int reason)
{
    int rc;

    if (s->sa.state == IPSEC_SA_NONE) {
        return IPSEC_ERR_ARG;
    }
    s->sa.reason = (uint8_t)reason;
    rc = ipsec_sad_remove(&km->fx.ips, &s->sa);
    if (rc == IPSEC_OK) { /* PENDING: IPSEC_EVENT_RELEASED says when */
        km->reasons[s->sa.reason]++;
        memset(&s->sa, 0, sizeof s->sa);
    }
    return rc;
}

void
km_flush_sas(struct km *km)
{
    struct ipsec_sa *sa = ipsec_sad_next(&km->fx.ips, NULL), *next;

    while (sa != NULL) {
        next = ipsec_sad_next(&km->fx.ips, sa);
        (void)ipsec_sad_remove(&km->fx.ips, sa);
        sa = next;
    }
    memset(km->child, 0, sizeof km->child); /* nothing is in an engine here */
}

size_t
km_dump_sas(struct km *km, int dir)
{
    const struct ipsec_sa *sa = NULL;
    size_t n = 0;

    while ((sa = ipsec_sad_next(&km->fx.ips, sa)) != NULL) {
        n += sa->dir == dir && sa->state == IPSEC_SA_MATURE;
    }
    return n;
}

/* Policies */

static int
same_policy(const struct ipsec_policy *a, const struct ipsec_policy *b)
{
    return memcmp(&a->sel, &b->sel, sizeof a->sel) == 0 && a->dir == b->dir &&
           a->action == b->action && a->priority == b->priority &&
           a->reqid == b->reqid;
}

static struct km_policy *
policy_find(struct km *km, const struct ipsec_policy *policy)
{
    struct km_policy *unused = NULL;
    size_t i;

    for (i = 0; i < KM_POLICIES; i++) {
        if (km->policy[i].used == 0) {
            unused = unused != NULL ? unused : &km->policy[i];
        } else if (same_policy(&km->policy[i].policy, policy)) {
            return &km->policy[i];
        }
    }
    return unused;
}

int
km_add_policy(struct km *km, const struct ipsec_policy *policy)
{
    struct km_policy *p = policy_find(km, policy);
    int rc = IPSEC_OK;

    if (p == NULL) {
        return IPSEC_ERR_ROOM; /* of the pool */
    }
    if (p->used == 0) {
        p->policy = *policy;
        rc = ipsec_spd_add(&km->fx.ips, &p->policy);
    }
    p->used += rc == IPSEC_OK;
    return rc;
}

int
km_del_policy(struct km *km, const struct ipsec_policy *policy)
{
    struct km_policy *p = policy_find(km, policy);

    if (p == NULL || p->used == 0) {
        return IPSEC_ERR_ARG;
    }
    if (--p->used == 0) {
        ipsec_spd_remove(&km->fx.ips, &p->policy);
    }
    return IPSEC_OK;
}

void
km_flush_policies(struct km *km)
{
    struct ipsec_policy *p;

    while ((p = ipsec_spd_next(&km->fx.ips, NULL)) != NULL) {
        ipsec_spd_remove(&km->fx.ips, p);
    }
    memset(km->policy, 0, sizeof km->policy);
}

uint32_t
km_query_policy(struct km *km, const struct ipsec_flow *flow)
{
    struct ipsec_policy *p = ipsec_spd_lookup(&km->fx.ips, IPSEC_OUT, flow);
    struct ipsec_sa *sa = p == NULL || p->reqid == 0
        ? NULL : ipsec_sad_newest(&km->fx.ips, p->reqid, 0);

    return sa != NULL ? sa->used : 0;
}

int
km_bypass_socket(struct km *km, uint16_t port)
{
    struct ipsec_policy p;

    memset(&p, 0, sizeof p);
    p.action = IPSEC_ACTION_BYPASS;
    p.dir = IPSEC_IN | IPSEC_OUT;
    p.sel.proto = 17;
    p.sel.set = IPSEC_SEL_LOCAL_PORT;
    p.sel.local_port_lo = p.sel.local_port_hi = port;
    p.priority = 1;
    return km_add_policy(km, &p);
}

/* Events */

static void
on_acquire(struct fx *fx, struct ipsec_policy *policy,
           const struct ipsec_flow *flow)
{
    struct km *km = fx->user;
    uint32_t reqid = policy->reqid != 0 ? policy->reqid : ++km->reqids;
    struct ipsec_policy narrow = *policy;
    struct km_child *c;

    if (policy->reqid == 0) { /* a trap: SAs of its own for this flow */
        if (ipsec_spd_narrow(&narrow, policy, flow) != IPSEC_OK) {
            return;
        }
        narrow.reqid = reqid;
        narrow.priority--;
    }
    c = km_child_new(km, reqid, &narrow.sel);
    if (c == NULL) {
        km->turned_away++; /* the packet is dropped, the next one asks again */
        return;
    }
    if (policy->reqid == 0) {
        assert_status(km_add_policy(km, &narrow), IPSEC_OK);
    }
    assert_status(ipsec_sad_reserve(&fx->ips, &c->out.sa, IPSEC_OUT,
                                    IPSEC_PROTO_ESP, reqid, KM_LARVAL_S),
                  IPSEC_OK);
    c->wants_keys = 1; /* talk to the peer later, from a place of our own */
}

/* Everything of `c` is gone. */
static void
child_free(struct km *km, struct km_child *c)
{
    struct ipsec_policy p = protect_policy(c);

    (void)km_del_policy(km, &p);
    c->is_used = 0;
}

static void
on_event(struct fx *fx, struct ipsec_sa *sa, int event)
{
    struct km *km = fx->user;
    struct km_child *c = child_of(km, sa);

    if (event == IPSEC_EVENT_SOFT) {
        if (sa->dir == IPSEC_OUT) { /* one side asks, not both */
            c->wants_rekey = 1;
        }
        return;
    }
    if (event == IPSEC_EVENT_HARD) { /* of a larval SA, too: no answer came */
        (void)km_del_sa(km, sa == &c->in.sa ? &c->in : &c->out,
                        sa->reason);
    }
    c->wants_keys = 0;
    if (c->in.sa.state == IPSEC_SA_NONE && c->out.sa.state == IPSEC_SA_NONE) {
        child_free(km, c);
    }
}

/* A NAT has a new mapping for the peer: follow it. */
static void
on_mapping(void *user, struct ipsec_sa *sa, const struct ipsec_addr *remote,
           uint16_t port)
{
    struct km *km = ((struct fx *)user)->user;

    km->mappings++;
    assert_status(km_update_sa(km, child_of(km, sa), &sa->local,
                               sa->local_port, remote, port), IPSEC_OK);
}

void
km_init(struct km *km, const char *local, const char *remote, int tables)
{
    memset(km, 0, sizeof *km);
    fx_init(&km->fx, tables);
    km->fx.user = km;
    km->fx.on_acquire = on_acquire;
    km->fx.on_event = on_event;
    km->fx.cfg.mapping = on_mapping;
    km->fx.cfg.natt_port = 4500;
    km->fx.random = (uint64_t)(uintptr_t)local * 7;
    km->local = local;
    km->remote = remote;
    (void)ipsec_tick(&km->fx.ips, 1000);
}

/* Exchanges */

void
km_offer(struct km *km, struct km_child *c, struct km_msg *offer)
{
    assert_status(km_get_spi(km, c), IPSEC_OK);
    c->wants_keys = 0;
    offer->spi = c->in.sa.spi;
    offer->sel = c->sel;
}

struct km_child *
km_answer(struct km *km, const struct km_msg *offer, struct km_msg *answer)
{
    struct ipsec_selector sel = mirror(&offer->sel);
    struct km_child *c;
    struct ipsec_policy p;
    uint32_t reqid = 0;
    size_t i;

    for (i = 0; i < KM_CHILDREN; i++) { /* a successor has the old reqid */
        if (km->child[i].is_used &&
            memcmp(&km->child[i].sel, &sel, sizeof sel) == 0) {
            reqid = km->child[i].reqid;
        }
    }
    c = km_child_new(km, reqid != 0 ? reqid : ++km->reqids, &sel);
    assert_non_null(c);
    assert_status(km_get_spi(km, c), IPSEC_OK);
    assert_status(km_add_sa(km, c, IPSEC_IN, c->in.sa.spi), IPSEC_OK);
    p = protect_policy(c);
    assert_status(km_add_policy(km, &p), IPSEC_OK);
    answer->spi = c->in.sa.spi;
    answer->sel = sel;
    return c;
}

void
km_install(struct km *km, struct km_child *c, const struct km_msg *answer)
{
    assert_status(km_add_sa(km, c, IPSEC_IN, c->in.sa.spi), IPSEC_OK);
    assert_status(km_add_sa(km, c, IPSEC_OUT, answer->spi), IPSEC_OK);
}

void
km_confirm(struct km *km, struct km_child *c, const struct km_msg *offer)
{
    assert_status(km_add_sa(km, c, IPSEC_OUT, offer->spi), IPSEC_OK);
}

void
km_retire(struct km *km, struct km_child *old)
{
    (void)km_del_sa(km, &old->out, IPSEC_REASON_REKEYED);
    old->wants_rekey = 0;
    old->retire_at = ipsec_now(&km->fx.ips) + KM_LATE_S;
}

void
km_delete(struct km *km, struct km_child *c, int reason)
{
    (void)km_del_sa(km, &c->out, reason);
    (void)km_del_sa(km, &c->in, reason);
    child_free(km, c);
}

void
km_tick(struct km *km, uint32_t now)
{
    size_t i;

    (void)ipsec_tick(&km->fx.ips, now);
    for (i = 0; i < KM_CHILDREN; i++) {
        if (km->child[i].is_used && km->child[i].retire_at != 0 &&
            km->child[i].retire_at <= now) {
            km_delete(km, &km->child[i], IPSEC_REASON_REKEYED);
        }
    }
}

void
km_cut(struct ipsec_keymat *km, const uint8_t *string)
{
    km->encr_key = string;
    km->integ_key = string + km->encr_key_len;
}
