/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

#define US "192.0.2.1"
#define PEER "198.51.100.2"
#define OTHER "203.0.113.3"

static struct fx fx;

static int
start(void **state)
{
    (void)state;
    fx_init(&fx, 0);
    return 0;
}

static int
start_tables(void **state)
{
    (void)state;
    fx_init(&fx, 1);
    return 0;
}

static void
set(struct fx_sa *s, int dir, uint32_t spi)
{
    fx_sa_set(s, &suites[GCM128], dir, IPSEC_MODE_TUNNEL, spi, US, PEER);
}

static void
add(struct fx_sa *s, int dir, uint32_t spi, uint32_t reqid, uint8_t lane)
{
    set(s, dir, spi);
    s->params.reqid = reqid;
    s->params.lane = lane;
    assert_status(fx_sa_add(&fx, s), IPSEC_OK);
}

static void
test_sad_add_fills_the_readable_part(void **state)
{
    struct fx_sa s;
    uint32_t generation = fx.ips.sa_generation;

    (void)state;
    set(&s, IPSEC_OUT, 0x1234);
    s.sa.user = &fx;
    s.params.lane = 3;
    s.params.spd_id = 4;
    s.params.dscp = 46;
    s.params.flags |= IPSEC_SA_ESN | IPSEC_SA_DSCP_SET;
    s.params.mtu = 1400;
    s.params.seq = 77;
    ipsec_tick(&fx.ips, 1000);
    assert_status(fx_sa_add(&fx, &s), IPSEC_OK);
    assert_int_equal(s.sa.spi, 0x1234);
    assert_int_equal(s.sa.reqid, 1);
    assert_int_equal(s.sa.dir, IPSEC_OUT);
    assert_int_equal(s.sa.proto, IPSEC_PROTO_ESP);
    assert_int_equal(s.sa.mode, IPSEC_MODE_TUNNEL);
    assert_int_equal(s.sa.lane, 3);
    assert_int_equal(s.sa.spd_id, 4);
    assert_int_equal(s.sa.dscp, 46);
    assert_int_equal(s.sa.mtu, 1400);
    assert_int_equal(s.sa.flags, s.params.flags);
    assert_int_equal(s.sa.state, IPSEC_SA_MATURE);
    assert_int_equal(s.sa.used, 1000);
    assert_int_equal(s.sa.in_flight, 0);
    assert_true(s.sa.seq == 77 && s.sa.packets == 0 && s.sa.bytes == 0);
    assert_ptr_equal(s.sa.user, &fx);
    assert_memory_equal(&s.sa.local, &s.params.local, sizeof s.sa.local);
    assert_memory_equal(&s.sa.remote, &s.params.remote, sizeof s.sa.remote);
    assert_int_equal(s.key.fake.magic, FAKE_KEY);
    assert_int_equal(s.key.fake.open, 0);
    assert_int_not_equal(fx.ips.sa_generation, generation);
}

static void
test_sad_key_is_for_one_direction(void **state)
{
    struct fx_sa in;

    (void)state;
    set(&in, IPSEC_IN, 0x1234);
    assert_status(fx_sa_add(&fx, &in), IPSEC_OK);
    assert_true(in.key.fake.open);
}

static void
test_sad_one_sa_for_each_place(void **state)
{
    struct fx_sa a, b;

    (void)state;
    add(&a, IPSEC_IN, 1000, 1, 0);
    assert_status(fx_sa_add(&fx, &a), IPSEC_ERR_EXISTS);
    set(&b, IPSEC_IN, 1000); /* in, an SPI is unique, whoever sends */
    b.params.remote = addr(OTHER);
    assert_status(fx_sa_add(&fx, &b), IPSEC_ERR_EXISTS);
    assert_int_equal(b.sa.state, IPSEC_SA_NONE);
    add(&b, IPSEC_OUT, 1000, 1, 0); /* directions do not meet */
    set(&a, IPSEC_OUT, 1000);
    memset(&a.sa, 0, sizeof a.sa);
    assert_status(fx_sa_add(&fx, &a), IPSEC_ERR_EXISTS);
    a.params.remote = addr(OTHER); /* another peer's choice */
    assert_status(fx_sa_add(&fx, &a), IPSEC_OK);
    assert_ptr_equal(ipsec_sad_lookup(&fx.ips, IPSEC_OUT, 1000, 50,
                                      &a.sa.remote), &a.sa);
    assert_ptr_equal(ipsec_sad_lookup(&fx.ips, IPSEC_OUT, 1000, 50,
                                      &b.sa.remote), &b.sa);
}

static void
test_sad_lookup_by_all_it_is_given(void **state)
{
    struct ipsec_addr us = addr(US), peer = addr(PEER), six = addr("::1");
    struct fx_sa in, out;

    (void)state;
    add(&in, IPSEC_IN, 1000, 1, 0);
    add(&out, IPSEC_OUT, 2000, 1, 0);
    assert_ptr_equal(ipsec_sad_lookup(&fx.ips, IPSEC_IN, 1000, 50, NULL),
                     &in.sa);
    assert_ptr_equal(ipsec_sad_lookup(&fx.ips, IPSEC_IN, 1000, 50, &us),
                     &in.sa);
    assert_ptr_equal(ipsec_sad_lookup(&fx.ips, IPSEC_OUT, 2000, 50, &peer),
                     &out.sa);
    assert_null(ipsec_sad_lookup(&fx.ips, IPSEC_IN, 1000, 50, &peer));
    assert_null(ipsec_sad_lookup(&fx.ips, IPSEC_OUT, 2000, 50, &us));
    assert_null(ipsec_sad_lookup(&fx.ips, IPSEC_IN, 1000, 50, &six));
    assert_null(ipsec_sad_lookup(&fx.ips, IPSEC_OUT, 1000, 50, NULL));
    assert_null(ipsec_sad_lookup(&fx.ips, IPSEC_IN, 2000, 50, NULL));
    assert_null(ipsec_sad_lookup(&fx.ips, IPSEC_IN, 1000, 51, NULL));
    assert_null(ipsec_sad_lookup(&fx.ips, IPSEC_IN, 1001, 50, NULL));
}

static void
test_sad_newest_by_reqid_and_lane(void **state)
{
    static struct fx_sa s[6];

    (void)state;
    assert_null(ipsec_sad_newest(&fx.ips, 1, 0));
    add(&s[0], IPSEC_OUT, 1000, 1, 0);
    assert_ptr_equal(ipsec_sad_newest(&fx.ips, 1, 0), &s[0].sa);
    assert_ptr_equal(ipsec_sad_newest(&fx.ips, 1, 7), &s[0].sa);
    add(&s[1], IPSEC_OUT, 1001, 1, 0);
    assert_ptr_equal(ipsec_sad_newest(&fx.ips, 1, 0), &s[1].sa);
    add(&s[2], IPSEC_OUT, 1002, 1, 7);
    assert_ptr_equal(ipsec_sad_newest(&fx.ips, 1, 7), &s[2].sa);
    assert_ptr_equal(ipsec_sad_newest(&fx.ips, 1, 0), &s[1].sa);
    assert_ptr_equal(ipsec_sad_newest(&fx.ips, 1, 6), &s[1].sa);
    add(&s[3], IPSEC_OUT, 1003, 2, 0);
    add(&s[4], IPSEC_IN, 1004, 1, 0);
    add(&s[5], IPSEC_OUT, 1005, 1, 0); /* newer, but not of that lane */
    assert_ptr_equal(ipsec_sad_newest(&fx.ips, 1, 7), &s[2].sa);
    assert_ptr_equal(ipsec_sad_newest(&fx.ips, 1, 0), &s[5].sa);
    assert_ptr_equal(ipsec_sad_newest(&fx.ips, 2, 0), &s[3].sa);
    assert_null(ipsec_sad_newest(&fx.ips, 3, 0));
    assert_status(ipsec_sad_remove(&fx.ips, &s[5].sa), IPSEC_OK);
    assert_ptr_equal(ipsec_sad_newest(&fx.ips, 1, 0), &s[1].sa);
}

static void
test_sad_larval_is_found_and_gives_way(void **state)
{
    struct ipsec_sa larval = { 0 };
    struct fx_sa old, new;

    (void)state;
    assert_status(ipsec_sad_reserve(&fx.ips, &larval, IPSEC_OUT, 50, 1, 30),
                  IPSEC_OK);
    assert_ptr_equal(ipsec_sad_newest(&fx.ips, 1, 0), &larval);
    add(&old, IPSEC_OUT, 1000, 1, 0);
    assert_ptr_equal(ipsec_sad_newest(&fx.ips, 1, 0), &old.sa);
    set(&new, IPSEC_OUT, 1001);
    assert_status(ipsec_sad_add(&fx.ips, &larval, &new.params), IPSEC_OK);
    assert_int_equal(larval.state, IPSEC_SA_MATURE);
    assert_int_equal(larval.spi, 1001);
    assert_ptr_equal(ipsec_sad_newest(&fx.ips, 1, 0), &larval);
    assert_ptr_equal(ipsec_sad_lookup(&fx.ips, IPSEC_OUT, 1001, 50, NULL),
                     &larval);
    assert_null(ipsec_sad_lookup(&fx.ips, IPSEC_OUT, 0, 50, NULL));
}

static void
test_sad_larval_inbound_keeps_its_spi(void **state)
{
    struct ipsec_sa sa = { 0 };
    struct fx_sa s;
    uint32_t spi;

    (void)state;
    sa.user = &s;
    assert_status(ipsec_sad_reserve(&fx.ips, &sa, IPSEC_IN, 50, 9, 30),
                  IPSEC_OK);
    spi = sa.spi;
    assert_true(spi > 255);
    assert_int_equal(sa.state, IPSEC_SA_LARVAL);
    assert_int_equal(sa.reqid, 9);
    assert_ptr_equal(ipsec_sad_lookup(&fx.ips, IPSEC_IN, spi, 50, NULL), &sa);
    assert_status(ipsec_sad_reserve(&fx.ips, &sa, IPSEC_IN, 50, 9, 30),
                  IPSEC_ERR_EXISTS);
    set(&s, IPSEC_IN, spi + 1);
    assert_status(ipsec_sad_add(&fx.ips, &sa, &s.params), IPSEC_OK);
    assert_int_equal(sa.spi, spi);
    assert_ptr_equal(sa.user, &s);
    assert_null(ipsec_sad_lookup(&fx.ips, IPSEC_IN, spi + 1, 50, NULL));
    assert_status(ipsec_sad_remove(&fx.ips, &sa), IPSEC_OK);
    assert_null(ipsec_sad_lookup(&fx.ips, IPSEC_IN, spi, 50, NULL));
}

static void
test_sad_larval_of_another_kind_is_not_completed(void **state)
{
    struct ipsec_sa sa = { 0 }, copy;
    struct fx_sa s;

    (void)state;
    assert_status(ipsec_sad_reserve(&fx.ips, &sa, IPSEC_IN, 50, 1, 30),
                  IPSEC_OK);
    copy = sa;
    set(&s, IPSEC_OUT, 1000);
    assert_true(ipsec_sad_add(&fx.ips, &sa, &s.params) < 0);
    assert_memory_equal(&sa, &copy, sizeof sa);
    assert_ptr_equal(ipsec_sad_lookup(&fx.ips, IPSEC_IN, sa.spi, 50, NULL),
                     &sa);
}

static void
test_sad_reserve_errors(void **state)
{
    static const struct {
        int dir, proto;
        uint32_t reqid, seconds;
        int want;
    } row[] = {
        { 0, 50, 1, 30, IPSEC_ERR_ARG },
        { 3, 50, 1, 30, IPSEC_ERR_ARG },
        { IPSEC_IN, 50, 1, 0, IPSEC_ERR_ARG },
        { IPSEC_OUT, 50, 1, 0, IPSEC_ERR_ARG },
        { IPSEC_IN, 108, 1, 30, IPSEC_ERR_UNSUPPORTED },
        { IPSEC_OUT, 0, 1, 30, IPSEC_ERR_UNSUPPORTED },
    };
    struct ipsec_sa sa = { 0 }, zero = { 0 };
    uint32_t generation = fx.ips.sa_generation;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        assert_status(ipsec_sad_reserve(&fx.ips, &sa, row[i].dir,
                                        row[i].proto, row[i].reqid,
                                        row[i].seconds), row[i].want);
        assert_memory_equal(&sa, &zero, sizeof sa);
    }
    assert_null(ipsec_sad_next(&fx.ips, NULL));
    assert_int_equal(fx.ips.sa_generation, generation);
}

/* A random source that says what the test wrote down. */
static uint32_t script[40];
static size_t script_at, script_len;

static int
scripted(void *user, void *buf, size_t len)
{
    (void)user;
    if (script_at >= script_len || len != sizeof script[0]) {
        return -1;
    }
    memcpy(buf, &script[script_at++], len);
    return 0;
}

static void
test_sad_reserve_takes_no_reserved_or_used_spi(void **state)
{
    static const uint32_t spis[] = { 0, 1, 255, 5000, 256 };
    struct ipsec_sa sa = { 0 };
    struct fx_sa in, out;

    (void)state;
    add(&in, IPSEC_IN, 5000, 1, 0);
    add(&out, IPSEC_OUT, 256, 1, 0); /* the peer's: does not count */
    fx.cfg.random = scripted;
    memcpy(script, spis, sizeof spis);
    script_at = 0;
    script_len = COUNT(spis);
    assert_status(ipsec_sad_reserve(&fx.ips, &sa, IPSEC_IN, 50, 1, 30),
                  IPSEC_OK);
    assert_int_equal(sa.spi, 256);
    assert_int_equal(script_at, COUNT(spis));
}

static void
test_sad_reserve_gives_up_on_a_stuck_random_source(void **state)
{
    struct ipsec_sa sa = { 0 }, zero = { 0 };

    (void)state;
    fx.cfg.random = scripted;
    memset(script, 0, sizeof script);
    script_at = 0;
    script_len = COUNT(script);
    assert_status(ipsec_sad_reserve(&fx.ips, &sa, IPSEC_IN, 50, 1, 30),
                  IPSEC_ERR_EXISTS);
    assert_memory_equal(&sa, &zero, sizeof sa);
    script_len = script_at = 0;
    assert_status(ipsec_sad_reserve(&fx.ips, &sa, IPSEC_IN, 50, 1, 30),
                  IPSEC_ERR_RANDOM);
    assert_memory_equal(&sa, &zero, sizeof sa);
    assert_null(ipsec_sad_next(&fx.ips, NULL));
    /* an outbound one needs no number */
    assert_status(ipsec_sad_reserve(&fx.ips, &sa, IPSEC_OUT, 50, 1, 30),
                  IPSEC_OK);
}

static void
test_sad_update_moves_and_keeps(void **state)
{
    struct ipsec_addr us = addr("10.0.0.1"), peer = addr(OTHER);
    uint32_t generation;
    struct fx_sa s;

    (void)state;
    set(&s, IPSEC_OUT, 1000);
    s.params.seq = 5;
    assert_status(fx_sa_add(&fx, &s), IPSEC_OK);
    generation = fx.ips.sa_generation;
    assert_status(fx_move(&fx.ips, &s.sa, &us, &peer), IPSEC_OK);
    assert_int_not_equal(fx.ips.sa_generation, generation);
    assert_memory_equal(&s.sa.local, &us, sizeof us);
    assert_memory_equal(&s.sa.remote, &peer, sizeof peer);
    assert_true(s.sa.seq == 5);
    assert_int_equal(s.key.fake.magic, FAKE_KEY);
    assert_ptr_equal(ipsec_sad_lookup(&fx.ips, IPSEC_OUT, 1000, 50, &peer),
                     &s.sa);
    us = addr("2001:db8::1");
    peer = addr("2001:db8::2");
    assert_status(fx_move(&fx.ips, &s.sa, &us, &peer), IPSEC_OK);
    assert_status(fx_move(&fx.ips, &s.sa, &us, &peer), IPSEC_OK);
}

static void
test_sad_update_errors(void **state)
{
    struct ipsec_addr us = addr(US), peer = addr(PEER), other = addr(OTHER);
    struct ipsec_addr six = addr("2001:db8::1"), none = { 0 };
    struct ipsec_sa zero = { 0 }, larval = { 0 }, before;
    struct fx_sa a, b;

    (void)state;
    add(&a, IPSEC_OUT, 1000, 1, 0);
    set(&b, IPSEC_OUT, 1000);
    b.params.remote = other;
    assert_status(fx_sa_add(&fx, &b), IPSEC_OK);
    before = b.sa;
    assert_status(fx_move(&fx.ips, &b.sa, &us, &peer),
                  IPSEC_ERR_EXISTS);
    assert_status(fx_move(&fx.ips, &b.sa, &us, &six),
                  IPSEC_ERR_ADDR);
    assert_status(fx_move(&fx.ips, &b.sa, &six, &peer),
                  IPSEC_ERR_ADDR);
    assert_status(fx_move(&fx.ips, &b.sa, &none, &none),
                  IPSEC_ERR_ADDR);
    assert_memory_equal(&b.sa, &before, sizeof before);
    assert_status(fx_move(&fx.ips, &zero, &us, &peer),
                  IPSEC_ERR_ARG);
    assert_status(ipsec_sad_reserve(&fx.ips, &larval, IPSEC_IN, 50, 1, 30),
                  IPSEC_OK);
    assert_status(ipsec_sad_remove(&fx.ips, &a.sa), IPSEC_OK);
    assert_status(fx_move(&fx.ips, &a.sa, &us, &peer),
                  IPSEC_ERR_ARG);
    assert_status(fx_move(&fx.ips, &b.sa, &us, &peer), IPSEC_OK);
}

static void
test_sad_remove_wipes_once(void **state)
{
    struct ipsec_sa larval = { 0 };
    struct fx_sa in, out;

    (void)state;
    add(&in, IPSEC_IN, 1000, 1, 0);
    add(&out, IPSEC_OUT, 1000, 1, 0);
    assert_status(ipsec_sad_remove(&fx.ips, &in.sa), IPSEC_OK);
    assert_true(fake_key_wiped(&in.key));
    assert_false(fake_key_wiped(&out.key));
    assert_int_equal(in.sa.state, IPSEC_SA_NONE);
    assert_status(ipsec_sad_remove(&fx.ips, &in.sa), IPSEC_ERR_ARG);
    assert_int_equal(fx.st.wipes, 1);
    assert_status(ipsec_sad_reserve(&fx.ips, &larval, IPSEC_IN, 50, 1, 30),
                  IPSEC_OK);
    assert_status(ipsec_sad_remove(&fx.ips, &larval), IPSEC_OK);
    assert_int_equal(fx.st.wipes, 1); /* it had none */
    assert_status(ipsec_sad_remove(&fx.ips, &out.sa), IPSEC_OK);
    assert_null(ipsec_sad_next(&fx.ips, NULL));
    assert_null(ipsec_sad_newest(&fx.ips, 1, 0));
    assert_int_equal(fx.st.misuse, 0);
    assert_int_equal(fx.events, 0);
    /* and its memory is as good as new */
    set(&in, IPSEC_IN, 1000);
    assert_status(fx_sa_add(&fx, &in), IPSEC_OK);
}

static void
test_sad_remove_of_a_strangers_sa_is_refused(void **state)
{
    static struct fx other;
    struct fx_sa a, b;

    (void)state;
    fx_init(&other, 0);
    add(&a, IPSEC_OUT, 1000, 1, 0);
    set(&b, IPSEC_OUT, 1000);
    assert_status(fx_sa_add(&other, &b), IPSEC_OK);
    assert_status(ipsec_sad_remove(&fx.ips, &b.sa), IPSEC_ERR_ARG);
    assert_int_equal(b.key.fake.magic, FAKE_KEY);
    assert_ptr_equal(ipsec_sad_next(&fx.ips, NULL), &a.sa);
    assert_ptr_equal(ipsec_sad_next(&other.ips, NULL), &b.sa);
}

static void
test_sad_walk_sees_each_once_even_when_it_removes(void **state)
{
    static struct fx_sa s[20];
    struct ipsec_sa *sa, *next;
    size_t i, n = 0, seen;

    (void)state;
    assert_null(ipsec_sad_next(&fx.ips, NULL));
    for (i = 0; i < COUNT(s); i++) {
        add(&s[i], i % 2 ? IPSEC_IN : IPSEC_OUT, (uint32_t)(3000 + i), 1, 0);
    }
    for (sa = ipsec_sad_next(&fx.ips, NULL); sa != NULL; sa = next) {
        for (seen = 0, i = 0; i < COUNT(s); i++) {
            seen += sa == &s[i].sa;
        }
        assert_int_equal(seen, 1);
        next = ipsec_sad_next(&fx.ips, sa);
        assert_status(ipsec_sad_remove(&fx.ips, sa), IPSEC_OK);
        n++;
    }
    assert_int_equal(n, COUNT(s));
    assert_null(ipsec_sad_next(&fx.ips, NULL));
}

#define BOTH(test) \
    cmocka_unit_test_setup(test, start), \
    { #test " (tables)", test, start_tables, NULL, NULL }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_sad_add_fills_the_readable_part),
        BOTH(test_sad_key_is_for_one_direction),
        BOTH(test_sad_one_sa_for_each_place),
        BOTH(test_sad_lookup_by_all_it_is_given),
        BOTH(test_sad_newest_by_reqid_and_lane),
        BOTH(test_sad_larval_is_found_and_gives_way),
        BOTH(test_sad_larval_inbound_keeps_its_spi),
        BOTH(test_sad_larval_of_another_kind_is_not_completed),
        BOTH(test_sad_reserve_errors),
        BOTH(test_sad_reserve_takes_no_reserved_or_used_spi),
        BOTH(test_sad_reserve_gives_up_on_a_stuck_random_source),
        BOTH(test_sad_update_moves_and_keeps),
        BOTH(test_sad_update_errors),
        BOTH(test_sad_remove_wipes_once),
        BOTH(test_sad_remove_of_a_strangers_sa_is_refused),
        BOTH(test_sad_walk_sees_each_once_even_when_it_removes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
