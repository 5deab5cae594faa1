/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Lifetimes by time, bytes and sequence number (RFC 4301 4.4.2.1). */

static struct pair pair;

#define A (&pair.a.ips)

static void
begin(const struct suite *suite, int tables)
{
    pair_prepare(&pair, suite, IPSEC_MODE_TUNNEL, 4);
    if (tables) {
        fx_init(&pair.a, 1);
    }
    pair.out.params.life = &pair.out.life;
    pair.in.params.life = &pair.in.life;
}

static size_t
soft(void)
{
    return fx_events(&pair.a, &pair.out.sa, IPSEC_EVENT_SOFT);
}

static size_t
hard(void)
{
    return fx_events(&pair.a, &pair.out.sa, IPSEC_EVENT_HARD);
}

static int
send(size_t payload)
{
    struct packet_spec spec = pair_spec(&pair, 4, 17, payload);
    struct fx_pkt p;
    int rc;

    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    rc = ipsec_outbound(A, &p.pkt);
    assert_true(rc == IPSEC_OK || p.pkt.layers == 0);
    fx_pkt_free(&p);
    return rc;
}

static void
test_lifetime_by_time(void **state)
{
    (void)state;
    begin(&suites[GCM128], 0);
    ipsec_tick(A, 1000);
    pair.out.life.soft_s = 50;
    pair.out.life.hard_s = 60;
    pair_begin(&pair);
    assert_int_equal(ipsec_tick(A, 1001), 1050);
    assert_int_equal(ipsec_tick(A, 1049), 1050);
    assert_status(send(10), IPSEC_OK);
    assert_int_equal(pair.a.events, 0);
    assert_int_equal(ipsec_tick(A, 1050), 1060);
    assert_int_equal(soft(), 1);
    assert_int_equal(ipsec_tick(A, 1059), 1060);
    assert_status(send(10), IPSEC_OK);
    assert_int_equal(pair.a.events, 1);
    ipsec_tick(A, 1060);
    assert_int_equal(hard(), 1);
    assert_status(send(10), IPSEC_ERR_EXPIRED);
    ipsec_tick(A, 1061);
    ipsec_tick(A, 0x7fffffff);
    assert_status(send(10), IPSEC_ERR_EXPIRED);
    assert_int_equal(pair.a.events, 2);
    assert_true(pair.out.sa.seq == 2);
    assert_int_equal(pair.a.ips.stats.out_drop[9], 2);
    assert_status(ipsec_sad_remove(A, &pair.out.sa), IPSEC_OK);
}

/* A jump over both limits: only the hard one is worth telling. */
static void
test_lifetime_jump_over_both(void **state)
{
    (void)state;
    begin(&suites[GCM128], 0);
    pair.out.life.soft_s = 50;
    pair.out.life.hard_s = 60;
    pair_begin(&pair);
    ipsec_tick(A, 5000);
    assert_int_equal(hard(), 1);
    assert_int_equal(soft(), 0);
    ipsec_tick(A, 5001);
    ipsec_tick(A, 4000); /* backwards: ignored */
    assert_int_equal(pair.a.events, 1);
    assert_status(send(10), IPSEC_ERR_EXPIRED);
}

/* attacks.md 173 */
static void
test_lifetime_time_backwards_and_wrap(void **state)
{
    (void)state;
    begin(&suites[GCM128], 0);
    ipsec_tick(A, 0x7fffffff);
    ipsec_tick(A, 0xfffffff0);
    pair.out.life.soft_s = 50;
    pair.out.life.hard_s = 60;
    pair_begin(&pair);
    ipsec_tick(A, 0xffffff00);
    assert_int_equal(ipsec_now(A), 0xfffffff0);
    assert_int_equal(ipsec_tick(A, 10), 34);
    assert_int_equal(pair.a.events, 0);
    assert_status(send(1), IPSEC_OK);
    ipsec_tick(A, 34);
    assert_int_equal(soft(), 1);
    assert_status(send(1), IPSEC_OK);
    ipsec_tick(A, 44);
    assert_int_equal(hard(), 1);
    assert_status(send(1), IPSEC_ERR_EXPIRED);
}

/* A context that nobody ticks still refuses: at use, not at the sweep. */
static void
test_lifetime_hard_time_holds_without_a_sweep(void **state)
{
    size_t i;

    (void)state;
    begin(&suites[GCM128], 1);
    pair.out.life.hard_s = 10;
    pair_begin(&pair);
    for (i = 1; i < 12; i++) {
        ipsec_tick(A, (uint32_t)i);
        assert_status(send(10), i < 10 ? IPSEC_OK : IPSEC_ERR_EXPIRED);
    }
    assert_int_equal(hard(), 1);
}

/* Bytes are what the algorithm is applied to: 20 + 8 + 10 bytes of a UDP
 * packet become 40 with padding and trailer. */
static void
test_lifetime_by_bytes(void **state)
{
    (void)state;
    begin(&suites[GCM128], 0);
    pair.out.life.soft_bytes = 80;
    pair.out.life.hard_bytes = 121;
    pair_begin(&pair);
    assert_status(send(10), IPSEC_OK);
    assert_true(pair.out.sa.bytes == 40);
    assert_int_equal(pair.a.events, 0);
    assert_status(send(10), IPSEC_OK);
    assert_int_equal(soft(), 1);
    assert_status(send(10), IPSEC_OK);
    assert_int_equal(hard(), 0);
    assert_status(send(10), IPSEC_OK); /* reaches it, and is the last */
    assert_true(pair.out.sa.bytes == 160);
    assert_int_equal(hard(), 1);
    assert_status(send(10), IPSEC_ERR_EXPIRED);
    assert_status(send(0), IPSEC_ERR_EXPIRED);
    ipsec_tick(A, 1);
    assert_int_equal(pair.a.events, 2);
    assert_true(pair.out.sa.seq == 4);
}

static void
test_lifetime_bytes_count_iv_and_padding_where_enciphered(void **state)
{
    static const struct {
        int suite;
        uint64_t bytes;
    } row[] = { { CBC128, 64 }, { GCM256, 40 }, { CHACHA, 40 },
                { NULL_SHA256, 40 } };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        begin(&suites[row[i].suite], 0);
        pair_begin(&pair);
        assert_status(send(10), IPSEC_OK);
        assert_true(pair.out.sa.bytes == row[i].bytes);
        assert_true(pair.out.sa.packets == 1);
    }
}

static void
test_lifetime_by_bytes_inbound(void **state)
{
    struct packet_spec spec;
    uint8_t wire[512];
    size_t len;
    int i;

    (void)state;
    begin(&suites[GCM128], 0);
    pair.in.life.soft_bytes = 40;
    pair.in.life.hard_bytes = 100;
    pair_begin(&pair);
    spec = pair_spec(&pair, 4, 17, 10);
    for (i = 1; i <= 5; i++) {
        len = pair_seal(&pair, &spec, wire);
        assert_status(pair_offer(&pair, wire, len),
                      i <= 3 ? IPSEC_OK : IPSEC_ERR_EXPIRED);
        assert_int_equal(fx_events(&pair.b, &pair.in.sa, IPSEC_EVENT_SOFT),
                         1);
        assert_int_equal(fx_events(&pair.b, &pair.in.sa, IPSEC_EVENT_HARD),
                         i >= 3);
    }
    assert_true(pair.in.sa.packets == 3 && pair.in.sa.bytes == 120);
    assert_true(pair.in.sa.seq == 3);
    assert_int_equal(pair.in.sa.drop_other, 2);
}

/* Events of an expired SA are raised by a refused packet, too. */
static void
test_lifetime_by_time_inbound(void **state)
{
    struct packet_spec spec;
    uint8_t wire[512];
    size_t len;

    (void)state;
    begin(&suites[CBC256], 0);
    fx_init(&pair.b, 1);
    pair.in.life.hard_s = 30;
    pair_begin(&pair);
    spec = pair_spec(&pair, 4, 17, 10);
    len = pair_seal(&pair, &spec, wire);
    ipsec_tick(&pair.b.ips, 29);
    assert_status(pair_offer(&pair, wire, len), IPSEC_OK);
    len = pair_seal(&pair, &spec, wire);
    ipsec_tick(&pair.b.ips, 30);
    assert_status(pair_offer(&pair, wire, len), IPSEC_ERR_EXPIRED);
    assert_int_equal(fx_events(&pair.b, NULL, IPSEC_EVENT_HARD), 1);
    assert_int_equal(pair.b.st.opens, 1);
}

static void
test_lifetime_by_sequence_number(void **state)
{
    (void)state;
    begin(&suites[GCM128], 0);
    pair.out.life.soft_seq = 2;
    pair.out.life.hard_seq = 4;
    pair_begin(&pair);
    assert_status(send(1), IPSEC_OK);
    assert_int_equal(pair.a.events, 0);
    assert_status(send(1), IPSEC_OK);
    assert_int_equal(soft(), 1);
    assert_status(send(1), IPSEC_OK);
    assert_int_equal(hard(), 0);
    assert_status(send(1), IPSEC_OK);
    assert_int_equal(hard(), 1);
    assert_status(send(1), IPSEC_ERR_SEQ_OVERFLOW);
    assert_status(send(1), IPSEC_ERR_SEQ_OVERFLOW);
    assert_true(pair.out.sa.seq == 4);
    assert_int_equal(pair.a.events, 2);
    assert_int_equal(pair.a.ips.stats.out_drop[10], 2);
    /* the reservation is written anew: both come again */
    pair.out.life.soft_seq = 6;
    pair.out.life.hard_seq = 8;
    ipsec_tick(A, 1);
    assert_int_equal(pair.a.events, 2);
    assert_status(send(1), IPSEC_OK);
    assert_int_equal(pair.a.events, 2);
    assert_status(send(1), IPSEC_OK);
    assert_int_equal(soft(), 2);
    assert_status(send(1), IPSEC_OK);
    assert_status(send(1), IPSEC_OK);
    assert_int_equal(hard(), 2);
    assert_status(send(1), IPSEC_ERR_SEQ_OVERFLOW);
    assert_true(pair.out.sa.seq == 8);
}

/* Inbound, too, the last number allowed is the one that reaches it. */
static void
test_lifetime_by_sequence_number_inbound(void **state)
{
    struct packet_spec spec;
    uint8_t wire[512];
    size_t len;
    int i;

    (void)state;
    begin(&suites[GCM128], 0);
    pair.in.life.soft_seq = 2;
    pair.in.life.hard_seq = 3;
    pair_begin(&pair);
    spec = pair_spec(&pair, 4, 17, 10);
    for (i = 1; i <= 5; i++) {
        len = pair_seal(&pair, &spec, wire);
        assert_status(pair_offer(&pair, wire, len),
                      i <= 3 ? IPSEC_OK : IPSEC_ERR_SEQ_OVERFLOW);
        assert_int_equal(fx_events(&pair.b, &pair.in.sa, IPSEC_EVENT_SOFT),
                         i >= 2);
        assert_int_equal(fx_events(&pair.b, &pair.in.sa, IPSEC_EVENT_HARD),
                         i >= 3);
    }
    assert_int_equal(pair.b.st.opens, 3);
    assert_true(pair.in.sa.seq == 3);
}

/* Raised in good time, the hard limit is never met. */
static void
test_lifetime_reservation_raised_from_the_soft_event(void **state)
{
    int i;

    (void)state;
    begin(&suites[GCM128], 0);
    pair.out.life.soft_seq = 2;
    pair.out.life.hard_seq = 4;
    pair_begin(&pair);
    for (i = 1; i <= 20; i++) {
        assert_status(send(1), IPSEC_OK);
        if (pair.out.sa.seq == pair.out.life.soft_seq) {
            assert_int_equal(soft(), pair.out.life.soft_seq / 2);
            pair.out.life.soft_seq += 2;
            pair.out.life.hard_seq += 2;
        }
    }
    assert_int_equal(soft(), 10);
    assert_int_equal(hard(), 0);
}

static void
raise_in_event(struct fx *fx, struct ipsec_sa *sa, int event)
{
    (void)fx;
    if (event == IPSEC_EVENT_SOFT) {
        pair.in.life.soft_seq = sa->seq + 2;
        pair.in.life.hard_seq = sa->seq + 20;
    }
}

/* Numbers jump where the sender restarts, or packets are lost: the next one
 * after the limit was raised may be past the new one at once. */
static void
test_lifetime_soft_comes_again_after_a_jump(void **state)
{
    static const uint64_t seqs[] = { 2, 9, 10, 20, 39 };
    uint8_t body[64] = { 0 }, wire[256];
    struct craft craft = { body, 0, 0, 0, NULL };
    size_t i;

    (void)state;
    begin(&suites[GCM128], 0);
    pair.in.life.soft_seq = 2;
    pair.in.life.hard_seq = 20;
    pair.in.params.life = &pair.in.life;
    pair.b.on_event = raise_in_event;
    pair_begin(&pair);
    craft.len = body_end(&suites[GCM128], body, 0, 59);
    for (i = 0; i < COUNT(seqs); i++) {
        craft.seq = seqs[i];
        assert_status(pair_offer(&pair, wire, pair_craft(&pair, &craft, wire)),
                      IPSEC_CONSUMED);
    }
    assert_int_equal(fx_events(&pair.b, NULL, IPSEC_EVENT_SOFT), 4);
    assert_int_equal(fx_events(&pair.b, NULL, IPSEC_EVENT_HARD), 0);
}

/* A reservation must be renewed although the SA is due for replacement by
 * time already: else it would stop before its hard time. */
static void
test_lifetime_reservation_outlives_the_soft_time(void **state)
{
    (void)state;
    begin(&suites[GCM128], 0);
    pair.out.life.soft_s = 50;
    pair.out.life.soft_seq = 2;
    pair.out.life.hard_seq = 5;
    pair_begin(&pair);
    assert_status(send(1), IPSEC_OK);
    assert_status(send(1), IPSEC_OK);
    assert_int_equal(soft(), 1);
    pair.out.life.soft_seq = 4;
    pair.out.life.hard_seq = 7;
    assert_status(send(1), IPSEC_OK);
    ipsec_tick(A, 50);
    assert_int_equal(soft(), 2); /* of the time */
    assert_status(send(1), IPSEC_OK);
    assert_int_equal(soft(), 3); /* soft_seq was raised: it comes again */
    assert_status(send(1), IPSEC_OK);
    ipsec_tick(A, 51);
    assert_int_equal(pair.a.events, 3);
}

/* Never raised, it is just another reason for what was said before. */
static void
test_lifetime_soft_once_whatever_the_reasons(void **state)
{
    (void)state;
    begin(&suites[GCM128], 0);
    pair.out.life.soft_s = 50;
    pair.out.life.soft_seq = 2;
    pair.out.life.soft_bytes = 1;
    pair_begin(&pair);
    assert_status(send(1), IPSEC_OK);
    assert_status(send(1), IPSEC_OK);
    ipsec_tick(A, 50);
    assert_status(send(1), IPSEC_OK);
    assert_int_equal(soft(), 1);
    assert_int_equal(pair.a.events, 1);
}

/* RFC 4303 section 3.3.3: the last number is sent, then no more. */
static void
test_lifetime_numbers_never_wrap(void **state)
{
    static const struct {
        uint64_t last, hard;
        uint16_t flags;
    } row[] = {
        { UINT32_MAX, 0, 0 },
        { UINT64_MAX, 0, IPSEC_SA_ESN },
        { UINT32_MAX, UINT64_MAX, 0 },
        { UINT64_MAX, UINT64_MAX, IPSEC_SA_ESN },
        { 0x80000000, 0x80000000, 0 },
        { UINT64_C(0x100000000), UINT64_C(0x100000000), IPSEC_SA_ESN },
    };
    size_t i, k;

    (void)state;
    for (i = 0; i < COUNT(row) * 2; i++) {
        fx_note("row %zu", i / 2);
        begin(&suites[i % 2 ? GCM128 : CBC128], 0);
        pair.out.params.flags |= row[i / 2].flags;
        pair.out.params.seq = row[i / 2].last - 2;
        pair.out.life.hard_seq = row[i / 2].hard;
        pair_begin(&pair);
        assert_status(send(1), IPSEC_OK);
        assert_int_equal(hard(), 0);
        assert_status(send(1), IPSEC_OK);
        assert_int_equal(hard(), 1);
        for (k = 0; k < 3; k++) {
            assert_status(send(1), IPSEC_ERR_SEQ_OVERFLOW);
            assert_true(pair.out.sa.seq == row[i / 2].last);
        }
        assert_int_equal(hard(), 1);
        assert_int_equal(pair.a.st.seals, 2);
        assert_int_equal(pair.a.audit[0].status, IPSEC_ERR_SEQ_OVERFLOW);
    }
}

static void
test_lifetime_of_larval(void **state)
{
    static struct fx fx;
    struct ipsec_sa in = { 0 }, out = { 0 };
    int tables;

    (void)state;
    for (tables = 0; tables < 2; tables++) {
        fx_init(&fx, tables);
        memset(&in, 0, sizeof in);
        memset(&out, 0, sizeof out);
        ipsec_tick(&fx.ips, 100);
        assert_status(ipsec_sad_reserve(&fx.ips, &in, IPSEC_IN, 50, 1, 30),
                      IPSEC_OK);
        assert_status(ipsec_sad_reserve(&fx.ips, &out, IPSEC_OUT, 50, 1, 90),
                      IPSEC_OK);
        assert_true(ipsec_tick(&fx.ips, 129) <= 130);
        assert_int_equal(fx.events, 0);
        if (!tables) {
            assert_int_equal(ipsec_tick(&fx.ips, 130), 190);
            assert_int_equal(fx.events, 1);
        }
        ipsec_tick(&fx.ips, 194); /* a sweep of a table takes 64 seconds */
        assert_int_equal(fx_events(&fx, &in, IPSEC_EVENT_HARD), 1);
        ipsec_tick(&fx.ips, 300);
        assert_int_equal(fx_events(&fx, &out, IPSEC_EVENT_HARD), 1);
        ipsec_tick(&fx.ips, 400);
        assert_int_equal(fx.events, 2);
        assert_status(ipsec_sad_remove(&fx.ips, &in), IPSEC_OK);
        assert_status(ipsec_sad_remove(&fx.ips, &out), IPSEC_OK);
    }
}

/* Completed in time, a larval SA has a life of its own. */
static void
test_lifetime_of_completed_larval(void **state)
{
    (void)state;
    begin(&suites[GCM128], 0);
    assert_status(ipsec_sad_reserve(A, &pair.out.sa, IPSEC_OUT, 50, 1, 30),
                  IPSEC_OK);
    ipsec_tick(A, 29);
    pair.out.life.hard_s = 10;
    pair_begin(&pair);
    ipsec_tick(A, 31);
    assert_int_equal(pair.a.events, 0);
    ipsec_tick(A, 39);
    assert_int_equal(hard(), 1);
}

/* A table is swept in 64 seconds, a part of it each: everybody's turn comes,
 * however the seconds come. */
static void
test_lifetime_sweep_of_a_table(void **state)
{
    static const struct ipsec_lifetime life = { .hard_s = 1 };
    static const uint32_t steps[] = { 1, 3, 63, 64, 65, 1000 };
    static struct ipsec_sad_bucket table[256];
    static struct fx_sa s[100];
    static struct fx fx;
    uint32_t t, n, bits;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(steps) * 3; i++) {
        bits = (uint32_t)(i / COUNT(steps)) * 4; /* 1, 16 and 256 buckets */
        fx_config(&fx, 1);
        fx.cfg.sad = table;
        fx.cfg.sad_len = (size_t)1 << bits;
        assert_status(ipsec_init(&fx.ips, &fx.cfg), IPSEC_OK);
        for (n = 0; n < COUNT(s); n++) {
            fx_sa_set(&s[n], &suites[GCM128], IPSEC_IN, IPSEC_MODE_TUNNEL,
                      5000 + n, "10.0.0.1", "10.0.0.2");
            s[n].params.life = &life;
            assert_status(fx_sa_add(&fx, &s[n]), IPSEC_OK);
        }
        for (t = 1; t < 66; t += steps[i % COUNT(steps)]) {
            assert_int_equal(ipsec_tick(&fx.ips, t), t + 1);
            if (bits == 8 && t < 40) { /* never all at once */
                assert_true(fx.events < COUNT(s));
            }
        }
        ipsec_tick(&fx.ips, t);
        fx_note("%u buckets, steps of %u", 1u << bits,
                steps[i % COUNT(steps)]);
        assert_status((int)fx.events, COUNT(s));
        ipsec_tick(&fx.ips, t + 5000);
        assert_int_equal(fx.events, COUNT(s));
    }
}

/* No lifetime, nothing to tell. */
static void
test_lifetime_none(void **state)
{
    (void)state;
    begin(&suites[GCM128], 0);
    pair.out.params.life = NULL;
    pair_begin(&pair);
    assert_status(send(1), IPSEC_OK);
    assert_true(ipsec_tick(A, 0x7fffffff) > 0x7fffffff);
    assert_status(send(1), IPSEC_OK);
    assert_int_equal(pair.a.events, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lifetime_by_time),
        cmocka_unit_test(test_lifetime_jump_over_both),
        cmocka_unit_test(test_lifetime_time_backwards_and_wrap),
        cmocka_unit_test(test_lifetime_hard_time_holds_without_a_sweep),
        cmocka_unit_test(test_lifetime_by_bytes),
        cmocka_unit_test(
            test_lifetime_bytes_count_iv_and_padding_where_enciphered),
        cmocka_unit_test(test_lifetime_by_bytes_inbound),
        cmocka_unit_test(test_lifetime_by_time_inbound),
        cmocka_unit_test(test_lifetime_by_sequence_number),
        cmocka_unit_test(test_lifetime_by_sequence_number_inbound),
        cmocka_unit_test(
            test_lifetime_reservation_raised_from_the_soft_event),
        cmocka_unit_test(test_lifetime_soft_comes_again_after_a_jump),
        cmocka_unit_test(test_lifetime_reservation_outlives_the_soft_time),
        cmocka_unit_test(test_lifetime_soft_once_whatever_the_reasons),
        cmocka_unit_test(test_lifetime_numbers_never_wrap),
        cmocka_unit_test(test_lifetime_of_larval),
        cmocka_unit_test(test_lifetime_of_completed_larval),
        cmocka_unit_test(test_lifetime_sweep_of_a_table),
        cmocka_unit_test(test_lifetime_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
