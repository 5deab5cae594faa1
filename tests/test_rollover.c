/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Numbers that begin again: RFC 4302 and 4303 section 3.3.3 (P-3.3.3-3,
 * A-4.4.2.1-3). */

static struct pair pair;
static uint8_t wire[512];
static size_t wire_len;

static void
prepare(size_t suite, int proto)
{
    pair_prepare(&pair, &suites[suite], IPSEC_MODE_TUNNEL, 4);
    pair.out.params.flags |= IPSEC_SA_ROLLOVER;
    pair.in.params.flags |= IPSEC_SA_ROLLOVER | IPSEC_SA_NO_REPLAY;
    pair.out.params.proto = pair.in.params.proto = (uint8_t)proto;
    pair.pa.proto = pair.pb.proto = (uint8_t)proto;
    pair.out.params.life = &pair.out.life;
    pair.in.params.life = &pair.in.life;
}

static uint32_t
number_sent(void)
{
    const uint8_t *p = wire + (wire[9] == 51 ? 28 : 24);

    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static void
send(void)
{
    struct packet_spec spec = pair_spec(&pair, 4, 17, 20);

    wire_len = pair_seal(&pair, &spec, wire);
}

static void
test_rollover_past_the_last_number(void **state)
{
    static const struct { size_t suite; int proto; } row[] = {
        { CBC128, 50 }, { CBC256_SHA512, 50 }, { NULL_SHA256, 50 },
        { NULL_SHA256, 51 }, { NULL_XCBC, 51 },
    };
    size_t i, n;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        prepare(row[i].suite, row[i].proto);
        pair.out.params.seq = UINT32_MAX - 2;
        pair_begin(&pair);
        for (n = 0; n < 6; n++) {
            send();
            assert_int_equal(number_sent(), (uint32_t)(UINT32_MAX - 1 + n));
            assert_status(pair_offer(&pair, wire, wire_len), IPSEC_OK);
        }
        assert_true(pair.out.sa.seq == UINT64_C(0x100000003));
        assert_true(pair.in.sa.packets == 6);
        assert_int_equal(pair.a.events + pair.b.events, 0);
        assert_int_equal(pair.a.audits + pair.b.audits, 0);
    }
}

/* The IV of CBC is made of all 64 bits: none comes twice, though the numbers
 * on the wire do. */
static void
test_rollover_repeats_no_iv(void **state)
{
    size_t i, k;

    (void)state;
    prepare(CBC128, 50);
    pair_begin(&pair);
    for (i = 0; i < 40; i++) {
        if (i == 20) {
            pair.out.sa.seq += UINT64_C(0x100000000) - 20;
        }
        send();
        assert_int_equal(number_sent(), i % 20 + 1);
    }
    assert_int_equal(pair.a.st.ivs, 40);
    for (i = 0; i < 40; i++) {
        for (k = 0; k < i; k++) {
            assert_memory_not_equal(pair.a.st.iv[i], pair.a.st.iv[k], 16);
        }
    }
}

/* `soft_seq` counts on, and so may tell of the wrap to come. */
static void
test_rollover_soft_event(void **state)
{
    (void)state;
    prepare(CBC128, 50);
    pair.out.life.soft_seq = UINT64_C(0x100000001);
    pair.out.params.seq = UINT32_MAX - 1;
    pair_begin(&pair);
    send();
    send();
    assert_int_equal(pair.a.events, 0);
    send();
    assert_int_equal(fx_events(&pair.a, &pair.out.sa, IPSEC_EVENT_SOFT), 1);
    assert_int_equal(pair.out.sa.reason, IPSEC_REASON_SEQ);
    send();
    ipsec_tick(&pair.a.ips, 1);
    assert_int_equal(pair.a.events, 1);
}

/* A hard limit set later is kept: it is the caller's word. */
static void
test_rollover_stops_at_a_limit_set_later(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;

    (void)state;
    prepare(CBC128, 50);
    pair_begin(&pair);
    pair.out.life.hard_seq = 1;
    send();
    spec = pair_spec(&pair, 4, 17, 20);
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_ERR_SEQ_OVERFLOW);
    fx_pkt_free(&p);
}

/* attacks.md 164: a counter mode never, nor ESN, a reservation, or a window. */
static void
test_rollover_refused(void **state)
{
    static const uint16_t no_replay = IPSEC_SA_NO_REPLAY;
    static const struct {
        int dir;
        uint16_t flags;
        uint64_t hard_seq;
        int want;
    } row[] = {
        { IPSEC_OUT, 0, 0, IPSEC_OK },
        { IPSEC_OUT, IPSEC_SA_ESN, 0, IPSEC_ERR_UNSUPPORTED },
        { IPSEC_OUT, 0, 99, IPSEC_ERR_UNSUPPORTED },
        { IPSEC_IN, no_replay, 0, IPSEC_OK },
        { IPSEC_IN, 0, 0, IPSEC_ERR_UNSUPPORTED },
        { IPSEC_IN, no_replay | IPSEC_SA_ESN, 0, IPSEC_ERR_UNSUPPORTED },
        { IPSEC_IN, no_replay, 99, IPSEC_ERR_UNSUPPORTED },
    };
    struct fx_sa *s;
    size_t i, k;
    int counter;

    (void)state;
    for (k = 0; k < SUITES; k++) {
        counter = suites[k].integ == IPSEC_INTEG_NONE ||
                  suites[k].encr == IPSEC_ENCR_AES_CTR;
        for (i = 0; i < COUNT(row); i++) {
            fx_note("%s, row %zu", suites[k].name, i);
            prepare(k, 50);
            s = row[i].dir == IPSEC_OUT ? &pair.out : &pair.in;
            s->params.flags = (uint16_t)(row[i].flags | IPSEC_SA_ROLLOVER |
                                         IPSEC_SA_NEGOTIATED);
            s->life.hard_seq = row[i].hard_seq;
            assert_status(fx_sa_add(&pair.a, s),
                          counter ? IPSEC_ERR_UNSUPPORTED : row[i].want);
        }
    }
}

/* Without the flag, one that does not look at numbers still ends. */
static void
test_rollover_only_if_asked_for(void **state)
{
    (void)state;
    prepare(CBC128, 50);
    pair.out.params.flags = pair.in.params.flags = 0;
    pair.out.params.seq = UINT32_MAX - 1;
    pair_begin(&pair);
    send();
    assert_int_equal(fx_events(&pair.a, &pair.out.sa, IPSEC_EVENT_HARD), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rollover_past_the_last_number),
        cmocka_unit_test(test_rollover_repeats_no_iv),
        cmocka_unit_test(test_rollover_soft_event),
        cmocka_unit_test(test_rollover_stops_at_a_limit_set_later),
        cmocka_unit_test(test_rollover_refused),
        cmocka_unit_test(test_rollover_only_if_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
