/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Packets that come back from an engine, and engines that misbehave. */

#define MANY 65536

static struct pair pair;
static struct fx_pkt p, q;
static uint8_t wire[2][2048];
static size_t len[2];
static int answer;

static void
on_done(struct ipsec_op *op, int result)
{
    answer = ipsec_resume(&pair.b.ips, ipsec_op_pkt(op), result);
}

/* Two packets, sealed; the receiver's engine takes its time. */
static void
setup(void)
{
    struct packet_spec spec;
    int i;

    spec = pair_spec(&pair, 4, 17, 10);
    for (i = 0; i < 2; i++) {
        len[i] = pair_seal(&pair, &spec, wire[i]);
    }
    pair.b.st.mode = FAKE_ASYNC;
}

static int
offer(struct fx_pkt *pkt, int i)
{
    fx_pkt_new(pkt, wire[i], len[i], 0, 0);
    pkt->pkt.done = on_done;
    pkt->pkt.spd_id = 5;
    return ipsec_inbound(&pair.b.ips, &pkt->pkt);
}

static void
offer_both(void)
{
    assert_status(offer(&p, 0), IPSEC_PENDING);
    assert_status(offer(&q, 1), IPSEC_PENDING);
}

static void
free_both(void)
{
    assert_int_equal(pair.in.sa.in_flight, 0);
    fx_pkt_free(&p);
    fx_pkt_free(&q);
}

static void
test_bytes_used_up_while_in_the_engine(void **state)
{
    (void)state;
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.in.params.life = &pair.in.life;
    pair.in.life.hard_bytes = 40;
    pair_begin(&pair);
    setup();
    offer_both();
    fake_complete(&pair.b.st, 0);
    assert_status(answer, IPSEC_OK);
    fake_complete(&pair.b.st, 0);
    assert_status(answer, IPSEC_ERR_EXPIRED);
    assert_true(pair.in.sa.packets == 1);
    free_both();
}

static void
test_time_up_while_in_the_engine(void **state)
{
    (void)state;
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.in.params.life = &pair.in.life;
    pair.in.life.hard_s = 10;
    pair_begin(&pair);
    setup();
    offer_both();
    ipsec_tick(&pair.b.ips, 9);
    fake_complete(&pair.b.st, 0);
    assert_status(answer, IPSEC_OK);
    ipsec_tick(&pair.b.ips, 10);
    fake_complete(&pair.b.st, 0);
    assert_status(answer, IPSEC_ERR_EXPIRED);
    assert_true(pair.in.sa.seq == 1);
    free_both();
}

static void
test_a_resumed_drop_is_audited_like_any_other(void **state)
{
    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    setup();
    offer_both();
    fake_complete_with(&pair.b.st, 0, IPSEC_ERR_AUTH);
    assert_status(answer, IPSEC_ERR_AUTH);
    assert_int_equal(pair.b.audits, 1);
    assert_int_equal(pair.b.audit[0].flow.spd_id, 5);
    fake_complete(&pair.b.st, 0);
    free_both();
}

/* AH is longer over IPv6; the one in the engine is not. */
static void
test_an_ah_sa_may_move_to_ipv6_meanwhile(void **state)
{
    struct ipsec_addr us = addr("2001:db8::2"), peer = addr("2001:db8::1");
    struct packet_spec spec;
    uint8_t plain[64];
    size_t n;

    (void)state;
    for (n = 0; n < 8; n++) {
        fx_note("%zu bytes", n);
        pair_prepare(&pair, &suites[NULL_SHA256], IPSEC_MODE_TRANSPORT, 4);
        pair.out.params.proto = pair.in.params.proto = IPSEC_PROTO_AH;
        pair.pa.proto = pair.pb.proto = IPSEC_PROTO_AH;
        pair_begin(&pair);
        spec = pair_spec(&pair, 4, 253, n);
        len[0] = pair_seal(&pair, &spec, wire[0]);
        pair.b.st.mode = FAKE_ASYNC;
        assert_status(offer(&p, 0), IPSEC_PENDING);
        assert_status(fx_move(&pair.b.ips, &pair.in.sa, &us, &peer),
                      IPSEC_OK);
        fake_complete(&pair.b.st, 0);
        assert_status(answer, IPSEC_OK);
        assert_true(fx_pkt_is(&p, plain, packet_build(plain, &spec)));
        fx_pkt_free(&p);
    }
}

static int bad;

static int
bad_run(const struct ipsec_crypto *self, struct ipsec_op *op)
{
    (void)self;
    (void)op;
    return bad;
}

static const int not_allowed[] = { 1, 3, 100, -1, -20, -0x7780, INT32_MIN };

static void
test_answers_that_no_engine_may_give_are_failures(void **state)
{
    size_t i;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    setup();
    pair.b.crypto.api.run = bad_run;
    for (i = 0; i < COUNT(not_allowed); i++) {
        bad = not_allowed[i];
        assert_status(offer(&p, 0), IPSEC_ERR_CRYPTO);
        fx_pkt_free(&p);
    }
    assert_true(pair.b.ips.stats.in_drop[-IPSEC_ERR_CRYPTO] == i);
    assert_true(pair.in.sa.seq == 0);
}

static void
test_results_that_no_engine_may_report_are_failures(void **state)
{
    size_t i;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    setup();
    for (i = 0; i < COUNT(not_allowed); i++) {
        assert_status(offer(&p, 0), IPSEC_PENDING);
        fake_complete_with(&pair.b.st, 0, not_allowed[i]);
        assert_status(answer, IPSEC_ERR_CRYPTO);
        fx_pkt_free(&p);
    }
    assert_status(offer(&p, 0), IPSEC_PENDING);
    fake_complete_with(&pair.b.st, 0, IPSEC_PENDING);
    assert_status(answer, IPSEC_ERR_CRYPTO);
    fx_pkt_free(&p);
    assert_true(pair.in.sa.seq == 0 && pair.in.sa.in_flight == 0);
}

/* An engine that never ends: a packet more than `in_flight` can count. */
static void
test_in_flight_does_not_wrap(void **state)
{
    struct ipsec_pkt *many = calloc(MANY, sizeof *many);
    size_t i;

    (void)state;
    assert_non_null(many);
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.in.params.flags |= IPSEC_SA_NO_REPLAY;
    setup();
    bad = IPSEC_PENDING;
    pair.b.crypto.api.run = bad_run;
    for (i = 0; i < MANY; i++) {
        many[i].buf.head = many[i].buf.data = wire[0];
        many[i].buf.end = wire[0] + len[0];
        many[i].buf.len = len[0];
        many[i].done = on_done;
        answer = ipsec_inbound(&pair.b.ips, &many[i]);
        if (answer != IPSEC_PENDING) {
            break;
        }
    }
    assert_true(i == UINT16_MAX - 1);
    assert_status(answer, IPSEC_ERR_BUSY);
    assert_status(ipsec_sad_remove(&pair.b.ips, &pair.in.sa), IPSEC_PENDING);
    free(many);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_used_up_while_in_the_engine),
        cmocka_unit_test(test_time_up_while_in_the_engine),
        cmocka_unit_test(test_a_resumed_drop_is_audited_like_any_other),
        cmocka_unit_test(test_an_ah_sa_may_move_to_ipv6_meanwhile),
        cmocka_unit_test(test_in_flight_does_not_wrap),
        cmocka_unit_test(test_results_that_no_engine_may_report_are_failures),
        cmocka_unit_test(test_answers_that_no_engine_may_give_are_failures)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
