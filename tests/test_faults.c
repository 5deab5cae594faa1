/* SPDX-License-Identifier: MIT */
#include "fake/nest.h"

/* The engine fails at call 1, 2, 3 ...: dropped, counted, audited, and what
 * comes after it passes as if nothing had been. */

#define PACKETS 6

static struct nest nest;
static uint8_t wire[PACKETS][1024], plain[1024];
static size_t wire_len[PACKETS];

static const int reasons[] = {
    IPSEC_ERR_AUTH, IPSEC_ERR_CRYPTO, IPSEC_ERR_BUSY
};

static int
stop(void **state)
{
    (void)state;
    nest_free(&nest);
    return 0;
}

static void
seal_all(void)
{
    struct flight f;
    size_t i;

    for (i = 0; i < PACKETS; i++) {
        flight_out(&f, &nest, i);
        flights_land(&nest.a);
        assert_status(f.verdict, IPSEC_OK);
        wire_len[i] = f.p.pkt.buf.len;
        memcpy(wire[i], f.p.pkt.buf.data, wire_len[i]);
        fx_pkt_free(&f.p);
    }
}

static void
check_idle(struct fx *fx)
{
    struct ipsec_sa *sa = NULL;

    while ((sa = ipsec_sad_next(&fx->ips, sa)) != NULL) {
        assert_int_equal(sa->in_flight, 0);
    }
    assert_int_equal(fx->st.misuse, 0);
}

static void
check_drop(struct fx *fx, int dir, int reason, size_t spi)
{
    const size_t *drops = dir == IPSEC_IN ? fx->ips.stats.in_drop
                                          : fx->ips.stats.out_drop;

    assert_int_equal(drops[-reason], 1);
    assert_int_equal(fx->audits, 1);
    assert_int_equal(fx->audit[0].status, reason);
    assert_int_equal(fx->audit[0].dir, dir);
    assert_int_equal(fx->audit[0].spi, spi);
    /* of the header that is outermost by now (RFC 4303 section 4) */
    assert_int_equal(fx->audit[0].flow.proto, 50);
    assert_int_equal(fx->audit[0].flow.opaque, 1);
    assert_int_equal(fx->audit[0].flow.local.version,
                     spi == 0x1001 ? 6 : 4);
}

/* Let call `n` of A fail, at the beginning or at the end of the operation. */
static void
fail_outbound(size_t layers, size_t n, int at_end, int reason)
{
    struct flight f;
    size_t i, bad = (n - 1) / layers, k;

    nest_init(&nest, layers, GCM128);
    nest.a.st.mode = at_end ? FAKE_ASYNC : FAKE_SYNC;
    if (at_end) {
        nest.a.st.end_fails_at = n;
        nest.a.st.end_fails_with = reason;
    } else {
        nest.a.st.run_fails_at = n;
        nest.a.st.run_fails_with = reason;
    }
    for (i = 0; nest.a.st.runs < n + 2 * layers; i++) {
        flight_out(&f, &nest, i);
        flights_land(&nest.a);
        assert_status(f.verdict, i == bad ? reason : IPSEC_OK);
        if (f.verdict == IPSEC_OK) {
            memcpy(wire[0], f.p.pkt.buf.data, f.p.pkt.buf.len);
            fx_pkt_free(&f.p);
            flight_in(&f, &nest, wire[0], packet_len(wire[0]));
            flights_land(&nest.b);
            assert_status(f.verdict, IPSEC_OK);
            k = nest_plain(&nest, i, plain);
            assert_true(fx_pkt_is(&f.p, plain, k));
        }
        fx_pkt_free(&f.p);
    }
    check_drop(&nest.a, IPSEC_OUT, reason, 0x1000 + (n - 1) % layers);
    assert_int_equal(nest.a.ips.stats.out_protect, i - 1);
    /* its number is burnt, never used again (attacks.md 162) */
    assert_true(nest.out[0]->sa.seq == i);
    assert_true(nest.out[0]->sa.packets == i - ((n - 1) % layers == 0));
    check_idle(&nest.a);
    stop(NULL);
}

static void
test_faults_outbound_at_each_call(void **state)
{
    size_t layers, n, r;

    (void)state;
    for (layers = 1; layers <= 3; layers++) {
        for (n = 1; n <= 2 * layers; n++) {
            for (r = 1; r < COUNT(reasons); r++) {
                fx_note("%zu layers, call %zu, %s", layers, n,
                        ipsec_status_str(reasons[r]));
                fail_outbound(layers, n, 0, reasons[r]);
            }
            fail_outbound(layers, n, 1, IPSEC_ERR_CRYPTO);
        }
    }
}

/* Inbound, the packet that failed was not received: offered again, it is. */
static void
fail_inbound(size_t layers, size_t n, int at_end, int reason)
{
    struct ipsec_sa before[3];
    struct flight f;
    size_t i, k, bad = (n - 1) / layers, layer = layers - 1 - (n - 1) % layers;

    nest_init(&nest, layers, CBC256);
    seal_all();
    nest.b.st.mode = at_end ? FAKE_ASYNC : FAKE_SYNC;
    if (at_end) {
        nest.b.st.end_fails_at = n;
        nest.b.st.end_fails_with = reason;
    } else {
        nest.b.st.run_fails_at = n;
        nest.b.st.run_fails_with = reason;
    }
    for (i = 0; i < PACKETS; i++) {
        for (k = 0; k < layers; k++) {
            before[k] = nest.in[k]->sa;
        }
        flight_in(&f, &nest, wire[i], wire_len[i]);
        flights_land(&nest.b);
        fx_pkt_free(&f.p);
        assert_status(f.verdict, i == bad ? reason : IPSEC_OK);
        for (k = 0; i == bad && k <= layer; k++) {
            assert_true(before[k].seq == nest.in[k]->sa.seq);
            assert_true(before[k].packets == nest.in[k]->sa.packets);
            assert_true(before[k].bytes == nest.in[k]->sa.bytes);
            assert_memory_equal(before[k].window_own,
                                nest.in[k]->sa.window_own, 8);
        }
    }
    check_drop(&nest.b, IPSEC_IN, reason, 0x1000 + layer);
    assert_int_equal(nest.in[layer]->sa.drop_auth, reason == IPSEC_ERR_AUTH);
    assert_int_equal(nest.in[layer]->sa.drop_other, reason != IPSEC_ERR_AUTH);
    flight_in(&f, &nest, wire[bad], wire_len[bad]);
    flights_land(&nest.b);
    fx_pkt_free(&f.p);
    assert_status(f.verdict, layer == layers - 1 ? IPSEC_OK
                                                 : IPSEC_ERR_REPLAY);
    check_idle(&nest.b);
    stop(NULL);
}

static void
test_faults_inbound_at_each_call(void **state)
{
    size_t layers, n, r;
    int at_end;

    (void)state;
    for (layers = 1; layers <= 3; layers++) {
        for (n = 1; n <= 2 * layers; n++) {
            for (r = 0; r < COUNT(reasons); r++) {
                for (at_end = 0; at_end < 2; at_end++) {
                    if (at_end && reasons[r] == IPSEC_ERR_BUSY) {
                        continue;
                    }
                    fx_note("%zu layers, call %zu, %s, %d", layers, n,
                            ipsec_status_str(reasons[r]), at_end);
                    fail_inbound(layers, n, at_end, reasons[r]);
                }
            }
        }
    }
}

/* A full queue: attacks.md 182 */
static void
test_faults_queue_full(void **state)
{
    static struct flight f[FAKE_OPS + 2];
    size_t i;

    (void)state;
    nest_init(&nest, 1, GCM128);
    nest.a.st.mode = FAKE_ASYNC;
    for (i = 0; i < COUNT(f); i++) {
        flight_out(&f[i], &nest, 0);
        assert_status(f[i].verdict, i < FAKE_OPS ? IPSEC_PENDING
                                                 : IPSEC_ERR_BUSY);
    }
    assert_int_equal(nest.out[0]->sa.in_flight, FAKE_OPS);
    flights_land(&nest.a);
    for (i = 0; i < COUNT(f); i++) {
        assert_int_equal(f[i].verdict == IPSEC_OK, i < FAKE_OPS);
        fx_pkt_free(&f[i].p);
    }
    assert_int_equal(nest.a.ips.stats.out_drop[17], 2);
    check_idle(&nest.a);
    stop(NULL);
}

/* The random source fails at call n: of SPIs, and nothing has changed. */
static void
test_faults_random_at_each_call(void **state)
{
    struct ipsec_sa sa[5];
    static struct fx fx;
    size_t n, i;

    (void)state;
    for (n = 1; n <= 5; n++) {
        fx_init(&fx, 0);
        fx.random_fails_at = n;
        memset(sa, 0, sizeof sa);
        for (i = 0; i < 5; i++) {
            assert_status(ipsec_sad_reserve(&fx.ips, &sa[i], IPSEC_IN, 50, 1,
                                            30),
                          i + 1 == n ? IPSEC_ERR_RANDOM : IPSEC_OK);
            assert_int_equal(sa[i].state, i + 1 == n ? IPSEC_SA_NONE
                                                     : IPSEC_SA_LARVAL);
        }
        assert_status(ipsec_sad_reserve(&fx.ips, &sa[n - 1], IPSEC_IN, 50, 1,
                                        30), IPSEC_OK);
    }
}

/* Packets need no random source: it may be broken for good. */
static void
test_faults_packets_need_no_random(void **state)
{
    static struct pair pair;
    struct packet_spec spec;
    size_t s, len;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        pair_init(&pair, &suites[s], IPSEC_MODE_TUNNEL, 4);
        spec = pair_spec(&pair, 4, 17, 20);
        len = pair_seal(&pair, &spec, wire[0]);
        assert_status(pair_offer(&pair, wire[0], len), IPSEC_OK);
        assert_int_equal(pair.a.randoms + pair.b.randoms, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults_outbound_at_each_call),
        cmocka_unit_test(test_faults_inbound_at_each_call),
        cmocka_unit_test(test_faults_queue_full),
        cmocka_unit_test(test_faults_random_at_each_call),
        cmocka_unit_test(test_faults_packets_need_no_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
