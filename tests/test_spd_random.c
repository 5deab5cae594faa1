/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/*
 * Random rule sets in three SPDs at once: a list, an index with too few
 * tuples for the shapes, and an array that is searched with the words of
 * spd.h for code.
 */

#define POLICIES 48
#define STEPS 3000

static struct fx list, index_;
static struct ipsec_policy in_list[POLICIES], in_index[POLICIES];
static uint32_t age[POLICIES], clock_;

static uint32_t
dice(uint32_t n)
{
    uint32_t r;

    fx_random(&list, &r, sizeof r);
    return r % n;
}

/* Addresses of few different values, so that much is hit. */
static void
dice_addr(struct ipsec_addr *a, int version)
{
    memset(a, 0, sizeof *a);
    a->version = (uint8_t)version;
    a->byte[0] = (uint8_t)(10 + dice(2));
    a->byte[1] = (uint8_t)(dice(2) << 7);
    a->byte[3] = (uint8_t)dice(3);
    if (version == 6) {
        a->byte[4] = (uint8_t)(dice(2) << 4);
        a->byte[8] = (uint8_t)dice(2);
        a->byte[11] = (uint8_t)dice(2);
        a->byte[15] = (uint8_t)dice(3);
    }
}

static uint8_t
dice_proto(void)
{
    static const uint8_t protos[] = { 6, 17, 1, 58, 50, 47, 135, 60 };

    return protos[dice(COUNT(protos))];
}

static void
dice_prefix(struct ipsec_prefix *p, int version)
{
    static const uint8_t bits4[] = { 0, 8, 9, 24, 31, 32 };
    static const uint8_t bits6[] = { 0, 8, 36, 64, 96, 127, 128 };
    struct ipsec_addr a;

    dice_addr(&a, version == 6 ? 6 : 4);
    memcpy(p->byte, a.byte, 16);
    p->bits = version == 0 ? 0 : version == 4 ? bits4[dice(COUNT(bits4))]
                                              : bits6[dice(COUNT(bits6))];
}

static void
dice_range(uint16_t *lo, uint16_t *hi)
{
    uint32_t kind = dice(4);

    *lo = (uint16_t)dice(4);
    *hi = (uint16_t)(*lo + dice(3));
    if (kind == 0) {
        *lo = 65535;
        *hi = 0;
    } else if (kind < 3) {
        *hi = *lo;
    }
}

static void
dice_policy(struct ipsec_policy *p)
{
    struct ipsec_selector *s = &p->sel;

    memset(p, 0, sizeof *p);
    s->version = (uint8_t)(dice(5) == 0 ? 0 : dice(2) ? 4 : 6);
    dice_prefix(&s->local, s->version);
    dice_prefix(&s->remote, s->version);
    s->proto = dice(3) == 0 ? 0 : dice_proto();
    s->spd_id = (uint8_t)(dice(8) == 0);
    if (s->proto == 6 || s->proto == 17 || s->proto == 1 || s->proto == 58 ||
        s->proto == 135) {
        s->set = (uint8_t)dice(4);
    } else if (s->proto == 0 && s->version == 6 && dice(2) == 0) {
        s->set = IPSEC_SEL_PROTO_OPAQUE;
    }
    if (dice(12) == 0) {
        s->set |= IPSEC_SEL_NAME;
    }
    dice_range(&s->local_port_lo, &s->local_port_hi);
    dice_range(&s->remote_port_lo, &s->remote_port_hi);
    p->action = IPSEC_ACTION_BYPASS;
    p->dir = (uint8_t)(1 + dice(3));
    p->priority = dice(6) == 0 ? 0xffffffff - dice(2) : dice(8);
}

static void
dice_flow(struct ipsec_flow *f)
{
    int version = dice(2) ? 4 : 6;

    memset(f, 0, sizeof *f);
    dice_addr(&f->local, version);
    dice_addr(&f->remote, version);
    f->proto = dice_proto();
    f->spd_id = (uint8_t)(dice(8) == 0);
    f->opaque = dice(4) == 0 ? IPSEC_OPAQUE_PORTS : 0;
    if (version == 6 && dice(4) == 0) {
        f->opaque = IPSEC_OPAQUE_PORTS | IPSEC_OPAQUE_PROTO;
    }
    if (!f->opaque) {
        f->local_port = (uint16_t)dice(5);
        f->remote_port = (uint16_t)dice(5);
    }
}

/* The model: bit by bit. */
static int
in_prefix(const struct ipsec_prefix *p, const struct ipsec_addr *a)
{
    unsigned i;

    for (i = 0; i < p->bits; i++) {
        if ((p->byte[i / 8] ^ a->byte[i / 8]) >> (7 - i % 8) & 1) {
            return 0;
        }
    }
    return 1;
}

static int
in_range(uint16_t lo, uint16_t hi, uint16_t port, int opaque)
{
    if (lo == 65535 && hi == 0) {
        return opaque;
    }
    return !opaque && port >= lo && port <= hi;
}

static int
in_proto(const struct ipsec_selector *s, const struct ipsec_flow *f)
{
    if (f->opaque & IPSEC_OPAQUE_PROTO) {
        return s->proto == 0; /* ANY, or OPAQUE */
    }
    return (s->set & IPSEC_SEL_PROTO_OPAQUE) == 0 &&
           (s->proto == 0 || s->proto == f->proto);
}

static int
model_match(const struct ipsec_policy *p, int dir, const struct ipsec_flow *f)
{
    const struct ipsec_selector *s = &p->sel;

    if (!(p->dir & dir) || s->spd_id != f->spd_id ||
        (s->version != 0 && s->version != f->local.version) ||
        (s->set & IPSEC_SEL_NAME) || !in_proto(s, f)) {
        return 0;
    }
    if (!in_prefix(&s->local, &f->local) ||
        !in_prefix(&s->remote, &f->remote)) {
        return 0;
    }
    if ((s->set & IPSEC_SEL_LOCAL_PORT) &&
        !in_range(s->local_port_lo, s->local_port_hi, f->local_port,
                  f->opaque)) {
        return 0;
    }
    return !(s->set & IPSEC_SEL_REMOTE_PORT) ||
           in_range(s->remote_port_lo, s->remote_port_hi, f->remote_port,
                    f->opaque);
}

static size_t
model_lookup(int dir, const struct ipsec_flow *f)
{
    size_t i, best = POLICIES;

    for (i = 0; i < POLICIES; i++) {
        if (age[i] == 0 || !model_match(&in_list[i], dir, f)) {
            continue;
        }
        if (best == POLICIES ||
            in_list[i].priority < in_list[best].priority ||
            (in_list[i].priority == in_list[best].priority &&
             age[i] < age[best])) {
            best = i;
        }
    }
    return best;
}

static void
compare(void)
{
    struct ipsec_flow f;
    int dir, n;
    size_t i;

    for (n = 0; n < 20; n++) {
        dice_flow(&f);
        dir = dice(2) ? IPSEC_IN : IPSEC_OUT;
        i = model_lookup(dir, &f);
        assert_ptr_equal(ipsec_spd_lookup(&list.ips, dir, &f),
                         i < POLICIES ? &in_list[i] : NULL);
        assert_ptr_equal(ipsec_spd_lookup(&index_.ips, dir, &f),
                         i < POLICIES ? &in_index[i] : NULL);
    }
}

static void
count(size_t want)
{
    struct ipsec_policy *p;
    size_t n = 0, m = 0;

    for (p = NULL; (p = ipsec_spd_next(&list.ips, p)) != NULL; n++) {
        assert_true(n < want);
    }
    for (p = NULL; (p = ipsec_spd_next(&index_.ips, p)) != NULL; m++) {
        assert_true(m < want);
    }
    assert_int_equal(n, want);
    assert_int_equal(m, want);
}

/* Fill up to `most`, then let policies come and go. */
static void
work(size_t most, int shapes)
{
    size_t i, in = 0;
    int step;

    fx_init(&list, 0);
    fx_config(&index_, 1);
    index_.index.tuple_len = (uint16_t)shapes;
    assert_status(ipsec_init(&index_.ips, &index_.cfg), IPSEC_OK);
    memset(age, 0, sizeof age);
    list.random += most * 77 + (size_t)shapes;
    for (step = 0; step < STEPS; step++) {
        i = dice(POLICIES);
        if (age[i] != 0) {
            ipsec_spd_remove(&list.ips, &in_list[i]);
            ipsec_spd_remove(&index_.ips, &in_index[i]);
            age[i] = 0;
            in--;
        } else if (in < most) {
            dice_policy(&in_list[i]);
            in_index[i] = in_list[i];
            assert_status(ipsec_spd_add(&list.ips, &in_list[i]), IPSEC_OK);
            assert_status(ipsec_spd_add(&index_.ips, &in_index[i]), IPSEC_OK);
            age[i] = ++clock_;
            in++;
        }
        compare();
        count(in);
    }
}

static void
test_spd_list_index_and_model_agree(void **state)
{
    (void)state;
    work(POLICIES, FX_TUPLES);
    work(12, FX_TUPLES);
    work(5, FX_TUPLES);
    work(30, 1);
}

/* Enough policies of one shape that hashing is all there is. */
static void
test_spd_index_with_one_shape(void **state)
{
    static struct ipsec_policy p[200];
    struct ipsec_flow f;
    size_t i;

    (void)state;
    fx_init(&index_, 1);
    for (i = 0; i < COUNT(p); i++) {
        memset(&p[i], 0, sizeof p[i]);
        p[i].dir = IPSEC_OUT;
        p[i].sel.version = 6;
        p[i].sel.local.bits = p[i].sel.remote.bits = 128;
        p[i].sel.local.byte[15] = (uint8_t)i;
        p[i].sel.remote.byte[0] = (uint8_t)(i * 3);
        assert_status(ipsec_spd_add(&index_.ips, &p[i]), IPSEC_OK);
        assert_int_not_equal(p[i].tuple, 0);
    }
    for (i = 0; i < COUNT(p); i++) {
        memset(&f, 0, sizeof f);
        f.local.version = f.remote.version = 6;
        f.local.byte[15] = (uint8_t)i;
        f.remote.byte[0] = (uint8_t)(i * 3);
        assert_ptr_equal(ipsec_spd_lookup(&index_.ips, IPSEC_OUT, &f), &p[i]);
        f.remote.byte[7] = 1;
        assert_null(ipsec_spd_lookup(&index_.ips, IPSEC_OUT, &f));
    }
}

/* A tuple that lost its last policy is there for another shape. */
static void
test_spd_index_uses_tuples_again(void **state)
{
    struct ipsec_policy p, q;
    unsigned bits;

    (void)state;
    fx_config(&index_, 1);
    index_.index.tuple_len = 1;
    assert_status(ipsec_init(&index_.ips, &index_.cfg), IPSEC_OK);
    for (bits = 0; bits <= 32; bits++) {
        memset(&p, 0, sizeof p);
        p.dir = IPSEC_OUT;
        p.sel.version = 4;
        p.sel.local.bits = (uint8_t)bits;
        q = p;
        q.sel.remote.bits = 1;
        assert_status(ipsec_spd_add(&index_.ips, &p), IPSEC_OK);
        assert_status(ipsec_spd_add(&index_.ips, &q), IPSEC_OK);
        assert_int_equal(p.tuple, 1);
        assert_int_equal(q.tuple, 0); /* one too many: in the list */
        ipsec_spd_remove(&index_.ips, &p);
        ipsec_spd_remove(&index_.ips, &q);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spd_list_index_and_model_agree),
        cmocka_unit_test(test_spd_index_with_one_shape),
        cmocka_unit_test(test_spd_index_uses_tuples_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
