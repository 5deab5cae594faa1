/* SPDX-License-Identifier: MIT */
#include "fake/nest.h"

/* Packets in an engine: order, twins, SAs removed meanwhile. */

#define FLIGHTS 12

static struct nest nest;
static struct flight f[FLIGHTS];
static uint8_t wire[FLIGHTS][1024], plain[1024];
static size_t wire_len[FLIGHTS];

static void
begin(size_t layers, int suite)
{
    nest_init(&nest, layers, suite);
    nest.a.st.mode = nest.b.st.mode = FAKE_ASYNC;
}

static void
land_all(void)
{
    size_t i;

    for (i = 0; i < FLIGHTS; i++) {
        fx_pkt_free(&f[i].p);
    }
    memset(f, 0, sizeof f);
}

static int
stop(void **state)
{
    (void)state;
    nest_free(&nest);
    land_all();
    return 0;
}

/* Fill wire[] with packets of A's. */
static void
seal_all(void)
{
    size_t i;

    for (i = 0; i < FLIGHTS; i++) {
        flight_out(&f[i], &nest, i);
        assert_status(f[i].verdict, IPSEC_PENDING);
    }
    flights_land(&nest.a);
    for (i = 0; i < FLIGHTS; i++) {
        assert_status(f[i].verdict, IPSEC_OK);
        assert_int_equal(f[i].dones, nest.layers);
        wire_len[i] = f[i].p.pkt.buf.len;
        memcpy(wire[i], f[i].p.pkt.buf.data, wire_len[i]);
    }
    land_all();
}

static void
check_idle(void)
{
    size_t i;

    for (i = 0; i < nest.layers; i++) {
        assert_true(nest.out[i] == NULL || nest.out[i]->sa.in_flight == 0);
        assert_true(nest.in[i] == NULL || nest.in[i]->sa.in_flight == 0);
    }
    assert_int_equal(nest.a.st.misuse + nest.b.st.misuse, 0);
    assert_int_equal(nest.a.st.queued + nest.b.st.queued, 0);
}

/* Many packets in the engine, done in any order, several layers each. */
static void
test_async_out_of_order(void **state)
{
    size_t layers, i, n;
    int round;

    (void)state;
    for (round = 0; round < 20; round++) {
        layers = (size_t)round % 4 + 1;
        begin(layers, round % SUITES);
        nest.a.random = nest.b.random = (uint64_t)round;
        seal_all();
        for (i = 0; i < FLIGHTS; i++) {
            flight_in(&f[i], &nest, wire[i], wire_len[i]);
            assert_status(f[i].verdict, IPSEC_PENDING);
        }
        flights_land(&nest.b);
        for (i = 0; i < FLIGHTS; i++) {
            fx_note("round %d, packet %zu", round, i);
            assert_status(f[i].verdict, IPSEC_OK);
            assert_int_equal(f[i].dones, layers);
            n = nest_plain(&nest, i, plain);
            assert_true(fx_pkt_is(&f[i].p, plain, n));
        }
        assert_true(nest.in[0]->sa.packets == FLIGHTS);
        assert_true(nest.in[0]->sa.seq == FLIGHTS);
        assert_int_equal(nest.b.ips.stats.in_protect, FLIGHTS);
        check_idle();
        stop(NULL);
    }
}

/* While PENDING, all SAs of the packet are held, and no verdict is counted. */
static void
test_async_holds_all_its_sas(void **state)
{
    size_t i;

    (void)state;
    begin(3, GCM128);
    flight_out(&f[0], &nest, 1);
    flight_out(&f[1], &nest, 2);
    for (i = 0; i < 3; i++) {
        assert_int_equal(nest.out[i]->sa.in_flight, 2);
        assert_true(nest.out[i]->sa.packets == 0);
    }
    assert_int_equal(nest.a.ips.stats.out_protect, 0);
    fake_complete(&nest.a.st, 1);
    assert_status(f[1].verdict, IPSEC_PENDING);
    assert_int_equal(nest.out[0]->sa.in_flight, 2);
    flights_land(&nest.a);
    check_idle();
    assert_int_equal(nest.a.ips.stats.out_protect, 2);
}

/* Two copies of one packet in the engine together: one is delivered. */
static void
test_async_twins(void **state)
{
    size_t first, good, i;

    (void)state;
    for (first = 0; first < 2; first++) {
        begin(2, CHACHA);
        seal_all();
        flight_in(&f[0], &nest, wire[0], wire_len[0]);
        flight_in(&f[1], &nest, wire[0], wire_len[0]);
        assert_status(f[1].verdict, IPSEC_PENDING);
        fake_complete(&nest.b.st, first);
        assert_status(f[first].verdict, IPSEC_PENDING); /* next layer */
        fake_complete(&nest.b.st, 0);
        assert_status(f[1 - first].verdict, IPSEC_ERR_REPLAY);
        flights_land(&nest.b);
        assert_status(f[first].verdict, IPSEC_OK);
        for (good = 0, i = 0; i < 2; i++) {
            good += f[i].verdict == IPSEC_OK;
        }
        assert_int_equal(good, 1);
        assert_int_equal(nest.in[1]->sa.drop_replay, 1);
        assert_int_equal(nest.b.ips.stats.in_drop[11], 1);
        assert_true(nest.in[1]->sa.packets == 1);
        check_idle();
        stop(NULL);
    }
}

/* In the engine while the window moved past it. */
static void
test_async_overtaken_by_the_window(void **state)
{
    (void)state;
    begin(1, GCM128);
    seal_all();
    flight_in(&f[0], &nest, wire[0], wire_len[0]);
    nest.b.st.mode = FAKE_SYNC;
    nest.in[0]->sa.window_len = 1;
    nest.out[0]->sa.seq = 32;
    flight_out(&f[1], &nest, 0);
    flights_land(&nest.a);
    flight_in(&f[2], &nest, f[1].p.pkt.buf.data, f[1].p.pkt.buf.len);
    assert_status(f[2].verdict, IPSEC_OK); /* number 33 */
    flights_land(&nest.b);
    assert_status(f[0].verdict, IPSEC_ERR_REPLAY);
    check_idle();
}

/* Free what was released, there and then: nothing may touch it any more. */
static void
free_released(struct fx *fx, struct ipsec_sa *sa, int event)
{
    struct fx_sa *s = sa->user;
    size_t i;

    (void)fx;
    if (event != IPSEC_EVENT_RELEASED) {
        return;
    }
    assert_true(fake_key_wiped(&s->key));
    for (i = 0; i < nest.layers; i++) {
        if (nest.out[i] == s) {
            nest_sa_free(&nest.out[i]);
            return;
        }
        if (nest.in[i] == s) {
            nest_sa_free(&nest.in[i]);
            return;
        }
    }
    fail_msg("an SA that nobody knows");
}

/* Each layer's SA removed after each step, outbound. */
static void
test_async_removal_in_flight_outbound(void **state)
{
    size_t layer, step, i;
    int rc;

    (void)state;
    for (layer = 0; layer < 3; layer++) {
        for (step = 0; step < 3; step++) {
            fx_note("layer %zu, step %zu", layer, step);
            begin(3, GCM128);
            nest.a.on_event = free_released;
            flight_out(&f[0], &nest, 5);
            flight_out(&f[1], &nest, 6);
            for (i = 0; i < step; i++) {
                fake_complete(&nest.a.st, 0); /* of the one ... */
                fake_complete(&nest.a.st, 0); /* and the other */
            }
            rc = ipsec_sad_remove(&nest.a.ips, &nest.out[layer]->sa);
            assert_status(rc, IPSEC_PENDING);
            assert_int_equal(nest.out[layer]->sa.state, IPSEC_SA_DEAD);
            assert_status(ipsec_sad_remove(&nest.a.ips,
                                           &nest.out[layer]->sa),
                          IPSEC_ERR_ARG);
            fake_complete(&nest.a.st, 0);
            assert_int_equal(nest.a.events, 0); /* the other holds it yet */
            flights_land(&nest.a);
            assert_status(f[0].verdict, IPSEC_ERR_EXPIRED);
            assert_status(f[1].verdict, IPSEC_ERR_EXPIRED);
            assert_int_equal(nest.a.events, 1);
            assert_int_equal(nest.a.event[0].event, IPSEC_EVENT_RELEASED);
            assert_null(nest.out[layer]);
            assert_null(f[1].p.pkt.sa[layer]); /* the last to let go */
            assert_int_equal(nest.a.ips.stats.out_drop[9], 2);
            check_idle();
            stop(NULL);
        }
    }
}

static void
test_async_removal_in_flight_inbound(void **state)
{
    size_t layer, step, i;

    (void)state;
    for (layer = 0; layer < 3; layer++) {
        for (step = 0; step < 3; step++) {
            if (layer < 2 - step) {
                continue; /* not come to yet: nothing holds it */
            }
            fx_note("layer %zu, step %zu", layer, step);
            begin(3, CBC128);
            seal_all();
            nest.b.on_event = free_released;
            flight_in(&f[0], &nest, wire[0], wire_len[0]);
            flight_in(&f[1], &nest, wire[1], wire_len[1]);
            for (i = 0; i < step; i++) {
                fake_complete(&nest.b.st, 0);
                fake_complete(&nest.b.st, 0);
            }
            assert_status(ipsec_sad_remove(&nest.b.ips,
                                           &nest.in[layer]->sa),
                          IPSEC_PENDING);
            flights_land(&nest.b);
            assert_status(f[0].verdict, IPSEC_ERR_EXPIRED);
            assert_status(f[1].verdict, IPSEC_ERR_EXPIRED);
            assert_int_equal(nest.b.events, 1);
            assert_null(nest.in[layer]);
            check_idle();
            stop(NULL);
        }
    }
}

/* Inbound, an inner SA that went before its layer was come to: NO_SA. */
static void
test_async_inner_sa_removed_before_its_turn(void **state)
{
    (void)state;
    begin(2, GCM128);
    seal_all();
    flight_in(&f[0], &nest, wire[0], wire_len[0]);
    assert_status(ipsec_sad_remove(&nest.b.ips, &nest.in[0]->sa), IPSEC_OK);
    nest_sa_free(&nest.in[0]);
    flights_land(&nest.b);
    assert_true(f[0].verdict < 0);
    check_idle();
}

/* All SAs of a packet removed: an event each. */
static void
test_async_removal_of_all(void **state)
{
    size_t i;

    (void)state;
    begin(4, GCM128);
    nest.a.on_event = free_released;
    flight_out(&f[0], &nest, 5);
    for (i = 0; i < 4; i++) {
        assert_status(ipsec_sad_remove(&nest.a.ips, &nest.out[i]->sa),
                      IPSEC_PENDING);
    }
    assert_null(ipsec_sad_next(&nest.a.ips, NULL));
    fake_complete_with(&nest.a.st, 0, IPSEC_ERR_CRYPTO);
    assert_status(f[0].verdict, IPSEC_ERR_CRYPTO);
    assert_int_equal(fx_events(&nest.a, NULL, IPSEC_EVENT_RELEASED), 4);
    assert_int_equal(nest.a.events, 4);
    check_idle();
}

/* Its place may be taken while packets of the old one are on their way. */
static void
test_async_spi_reused_while_the_old_sa_is_in_flight(void **state)
{
    struct fx_sa new;

    (void)state;
    begin(1, GCM128);
    seal_all();
    flight_in(&f[0], &nest, wire[0], wire_len[0]);
    assert_status(ipsec_sad_remove(&nest.b.ips, &nest.in[0]->sa),
                  IPSEC_PENDING);
    fx_sa_set(&new, &suites[GCM128], IPSEC_IN, IPSEC_MODE_TRANSPORT, 0x1000,
              "10.2.0.2", "10.1.0.1");
    assert_status(fx_sa_add(&nest.b, &new), IPSEC_OK);
    flights_land(&nest.b);
    assert_status(f[0].verdict, IPSEC_ERR_EXPIRED);
    assert_true(new.sa.packets == 0 && new.sa.seq == 0);
    assert_int_equal(nest.b.events, 1);
    flight_in(&f[1], &nest, wire[0], wire_len[0]);
    flights_land(&nest.b);
    assert_status(f[1].verdict, IPSEC_OK);
    assert_status(ipsec_sad_remove(&nest.b.ips, &new.sa), IPSEC_OK);
}

/* Without done(), nobody answers PENDING, and the stack will do. */
static void
test_async_packet_that_cannot_wait(void **state)
{
    size_t n;
    struct fx_pkt p;

    (void)state;
    begin(2, GCM128);
    n = nest_plain(&nest, 4, plain);
    fx_pkt_new(&p, plain, n, 200, 100);
    assert_status(ipsec_outbound(&nest.a.ips, &p.pkt), IPSEC_OK);
    assert_int_equal(nest.a.st.queued, 0);
    fx_pkt_free(&p);
}

/* An operation of the engine's that belongs to no packet, among others: its
 * owner and done() are its maker's. */
static int own_result, own_calls;

static void
own_done(struct ipsec_op *op, int result)
{
    assert_ptr_equal(ipsec_op_pkt(op), (void *)&own_calls);
    own_result = result;
    own_calls++;
}

static void
test_async_operation_of_no_packet(void **state)
{
    struct fx_sa *s;
    struct ipsec_op op;
    uint8_t text[64] = "a key daemon's message", icv[16], aad[8] = { 0 };

    (void)state;
    begin(1, GCM128);
    s = nest.out[0];
    flight_out(&f[0], &nest, 5);
    memset(&op, 0, sizeof op);
    op.key = &s->key;
    op.iv = aad;
    op.aad = aad;
    op.aad_len = sizeof aad;
    op.text = text;
    op.len = sizeof text;
    op.icv = icv;
    op.owner = &own_calls;
    op.done = own_done;
    own_calls = 0;
    assert_status(nest.a.crypto.api.run(&nest.a.crypto.api, &op),
                  IPSEC_PENDING);
    flight_out(&f[1], &nest, 5);
    fake_complete(&nest.a.st, 1);
    assert_int_equal(own_calls, 1);
    assert_status(own_result, IPSEC_OK);
    flights_land(&nest.a);
    assert_status(f[0].verdict, IPSEC_OK);
    assert_status(f[1].verdict, IPSEC_OK);
    check_idle();
}

#define T(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_async_out_of_order),
        T(test_async_holds_all_its_sas),
        T(test_async_twins),
        T(test_async_overtaken_by_the_window),
        T(test_async_removal_in_flight_outbound),
        T(test_async_removal_in_flight_inbound),
        T(test_async_inner_sa_removed_before_its_turn),
        T(test_async_removal_of_all),
        T(test_async_spi_reused_while_the_old_sa_is_in_flight),
        T(test_async_packet_that_cannot_wait),
        T(test_async_operation_of_no_packet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
