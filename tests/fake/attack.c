/* SPDX-License-Identifier: MIT */
#include "fake/attack.h"
#include "ipsec_mbedtls.h"

/* Runner of the attack tables: see attack.h. */

/* A backend that counts what mbedTLS is asked to do. */

static size_t real_runs;

static size_t
real_size(const struct ipsec_crypto *self, const struct ipsec_keymat *km)
{
    (void)self;
    return ipsec_mbedtls.key_size(&ipsec_mbedtls, km);
}

static int
real_init(const struct ipsec_crypto *self, void *key,
          const struct ipsec_keymat *km, int open)
{
    (void)self;
    return ipsec_mbedtls.key_init(&ipsec_mbedtls, key, km, open);
}

static void
real_wipe(const struct ipsec_crypto *self, void *key)
{
    (void)self;
    ipsec_mbedtls.key_wipe(&ipsec_mbedtls, key);
}

static int
real_run(const struct ipsec_crypto *self, struct ipsec_op *op)
{
    (void)self;
    real_runs += op->open;
    return ipsec_mbedtls.run(&ipsec_mbedtls, op);
}

static const struct ipsec_crypto real = {
    "counted", real_size, real_init, real_wipe, real_run
};

size_t
stage_runs(const struct stage *s)
{
    return s->pair.b.cfg.crypto == &real ? real_runs : s->pair.b.st.runs;
}

/* Where ESP or AH begins in a packet without extension headers. */
static void
locate(struct stage *s)
{
    s->at = s->is & V4 ? (size_t)(s->wire[0] & 15) * 4 : 40;
}

void
stage_seal(struct stage *s, uint64_t seq)
{
    struct packet_spec spec = pair_spec(&s->pair, s->is & V4 ? 4 : 6, 17, 33);

    s->pair.out.sa.seq = seq - 1;
    s->plain_len = packet_build(s->plain, &spec);
    s->len = pair_seal(&s->pair, &spec, s->wire);
    locate(s);
}

void
stage_receive(struct stage *s, uint64_t seq)
{
    stage_seal(s, seq);
    assert_status(pair_offer(&s->pair, s->wire, s->len), IPSEC_OK);
}

void
stage_craft(struct stage *s, const uint8_t *body, size_t len)
{
    struct craft craft = { 0 };

    craft.body = body;
    craft.len = len;
    craft.seq = s->pair.in.sa.seq + 1;
    s->len = pair_craft(&s->pair, &craft, s->wire);
    locate(s);
}

void
stage_resize(struct stage *s, size_t len)
{
    size_t said = s->is & V4 ? len : len - 40;

    s->wire[s->is & V4 ? 2 : 4] = (uint8_t)(said >> 8);
    s->wire[s->is & V4 ? 3 : 5] = (uint8_t)said;
    if (s->is & V4) {
        packet_fix(s->wire);
    }
    s->len = len;
}

void
stage_insert(struct stage *s, size_t at, const uint8_t *bytes, size_t n)
{
    memmove(s->wire + at + n, s->wire + at, s->len - at);
    memcpy(s->wire + at, bytes, n);
    if (at < s->at || (at == s->at && at == (s->is & V4 ? 20u : 40u))) {
        s->at += n;
    }
    stage_resize(s, s->len + n);
}

void
stage_begin(struct stage *s, unsigned is, int with_real,
            void (*set)(struct stage *s))
{
    struct pair *pair = &s->pair;

    s->is = is;
    s->runs = 0;
    s->flags = 0;
    memset(&s->life, 0, sizeof s->life);
    s->suite = &suites[is & GCM ? GCM128 : is & CBC ? CBC128 : NULL_SHA256];
    pair_prepare(pair, s->suite, is & TUN ? IPSEC_MODE_TUNNEL
                 : IPSEC_MODE_TRANSPORT, is & V4 ? 4 : 6);
    if (with_real) {
        pair->a.cfg.crypto = pair->b.cfg.crypto = &real;
    }
    if (is & AH) {
        pair->out.params.proto = pair->in.params.proto = IPSEC_PROTO_AH;
        pair->pa.proto = pair->pb.proto = IPSEC_PROTO_AH;
    }
    if (set != NULL) {
        set(s);
    }
    pair_begin(pair);
    stage_seal(s, pair->out.sa.seq + 1);
}

/* Everything that a packet could change. */
struct before {
    struct ipsec_stats stats;
    struct ipsec_sa    sa;
    uint32_t           window[64];
    uint32_t           generation, sa_generation;
    size_t             audits, events, acquires, randoms, runs, inits;
};

static void
before_take(struct before *x, const struct stage *s)
{
    const struct fx *b = &s->pair.b;

    x->stats = b->ips.stats;
    x->sa = s->pair.in.sa;
    if (x->sa.state == IPSEC_SA_MATURE) {
        memcpy(x->window, x->sa.window, x->sa.window_len * 4u);
    }
    x->generation = b->ips.generation;
    x->sa_generation = b->ips.sa_generation;
    x->audits = b->audits;
    x->events = b->events;
    x->acquires = b->acquires;
    x->randoms = b->randoms;
    x->runs = stage_runs(s);
    x->inits = b->st.inits;
}

/* Which counter must have moved. */
static size_t *
counter_of(struct ipsec_stats *stats, int status)
{
    switch (status) {
    case IPSEC_OK:       return &stats->in_protect;
    case IPSEC_BYPASS:   return &stats->in_bypass;
    case IPSEC_CONSUMED: return &stats->in_consumed;
    default:             return &stats->in_drop[-status];
    }
}

static void
check_counts(const struct stage *s, const struct before *x, int rc)
{
    const struct fx *b = &s->pair.b;
    struct ipsec_stats want = x->stats;

    ++*counter_of(&want, rc);
    assert_memory_equal(&want, &b->ips.stats, sizeof want);
    assert_int_equal(b->audits, x->audits + (rc < 0));
    if (rc < 0) {
        assert_int_equal(b->audit[x->audits % FX_LOG].status, rc);
        assert_int_equal(b->audit[x->audits % FX_LOG].dir, IPSEC_IN);
    }
}

/* Drops may be counted at the SA, once. */
static void
check_sa(const struct ipsec_sa *old, const struct ipsec_sa *sa, int rc,
         unsigned in)
{
    size_t drops = sa->drop_auth + sa->drop_replay + sa->drop_other -
                   old->drop_auth - old->drop_replay - old->drop_other;

    assert_true(drops <= (rc < 0));
    assert_int_equal(sa->in_flight, 0);
    if (in & RECEIVED) {
        assert_true(sa->packets > old->packets);
        /* of the layer too many no SA is at fault */
        assert_int_equal(drops, rc < 0 && rc != IPSEC_ERR_DEPTH);
    } else if (rc != IPSEC_OK) {
        assert_true(sa->packets == old->packets && sa->bytes == old->bytes);
        assert_true(sa->seq == old->seq && sa->used == old->used);
        assert_true(sa->state == old->state);
    }
}

static void
check_state(const struct stage *s, const struct before *x, int rc,
            unsigned in)
{
    const struct fx *b = &s->pair.b;
    const struct ipsec_sa *sa = &s->pair.in.sa;
    int ran = rc == IPSEC_OK || rc == IPSEC_ERR_AUTH || (in & RECEIVED);

    check_sa(&x->sa, sa, rc, in);
    if (!(in & RECEIVED) && rc != IPSEC_OK && sa->state == IPSEC_SA_MATURE) {
        assert_memory_equal(x->window, sa->window, sa->window_len * 4u);
    }
    assert_true(b->ips.generation == x->generation);
    assert_true(b->ips.sa_generation == x->sa_generation);
    assert_int_equal(b->acquires, x->acquires);
    assert_int_equal(b->randoms, x->randoms);
    assert_int_equal(b->st.inits, x->inits);
    assert_int_equal(stage_runs(s), x->runs + (ran ? s->runs + 1 : 0));
    assert_int_equal(b->st.misuse, 0);
}

/* No piece of the payload shows in memory. */
static void
check_hidden(const struct stage *s, const struct fx_pkt *p)
{
    size_t i;

    for (i = 0; i + 12 <= p->size; i++) {
        assert_memory_not_equal(p->mem + i, s->plain + s->plain_len - 12, 12);
    }
}

void
stage_offer(struct stage *s, unsigned in, int want)
{
    struct before x;
    struct fx_pkt p;
    int rc;

    before_take(&x, s);
    fx_pkt_new(&p, s->wire, s->len, 0, 0);
    p.pkt.flags = s->flags;
    rc = ipsec_inbound(&s->pair.b.ips, &p.pkt);
    assert_status(rc, want);
    check_counts(s, &x, rc);
    check_state(s, &x, rc, in);
    if (rc == IPSEC_OK && (in & OTHER) == 0) {
        assert_true(fx_pkt_is(&p, s->plain, s->plain_len));
    } else if (rc < 0 && p.pkt.layers == 0) {
        assert_true(fx_pkt_is(&p, s->wire, s->len));
    } else if (rc == IPSEC_ERR_AUTH && (s->is & ESP)) {
        check_hidden(s, &p);
    }
    fx_pkt_free(&p);
}

static void
end(struct ipsec *ips)
{
    struct ipsec_sa *sa;

    while ((sa = ipsec_sad_next(ips, NULL)) != NULL) {
        assert_status(ipsec_sad_remove(ips, sa), IPSEC_OK);
    }
}

void
stage_end(struct stage *s)
{
    end(&s->pair.a.ips);
    end(&s->pair.b.ips);
}

static struct stage stage;

static void
row_run(const struct attack *row, unsigned is, int with_real, unsigned n)
{
    struct stage *s = &stage;

    fx_note("row %u, %s, variation %#x, %u%s", row->row, row->label, is, n,
            with_real ? ", mbedTLS" : "");
    s->n = n;
    stage_begin(s, is, with_real, row->set);
    if (row->make(s)) {
        stage_offer(s, row->in, row->want);
        s->flags = 0;
        s->runs = 0;
        if ((row->in & ONLY) == 0) {
            stage_seal(s, s->pair.in.sa.seq + 1);
            stage_offer(s, 0, IPSEC_OK);
        }
    }
    stage_end(s);
}

/* Is this one of each group that the row names? */
static int
row_takes(const struct attack *row, unsigned is)
{
    static const unsigned groups[] = { V4 | V6, TRAN | TUN, ESP | AH };
    size_t i;

    for (i = 0; i < COUNT(groups); i++) {
        if ((row->in & groups[i]) != 0 && (row->in & groups[i] & is) == 0) {
            return 0;
        }
    }
    return 1;
}

void
attack_run(const struct attack *row, size_t count)
{
    static const unsigned kinds[] = { GCM, CBC, AH };
    unsigned is, n;
    size_t v, runs = 0;

    for (; count > 0; count--, row++) {
        for (v = 0; v < 24; v++) {
            is = (v & 1 ? V6 : V4) | (v & 2 ? TUN : TRAN) | kinds[v / 8];
            for (n = row->from; row_takes(row, is) && n <= row->to; n++) {
                row_run(row, is, v & 4 ? 1 : 0, n);
                runs++;
            }
        }
    }
    assert_true(runs > 0);
}
