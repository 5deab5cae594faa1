/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* What changes while a packet is between two layers of its bundle: its SAs
 * are used by other packets, updated, or due. */

static const struct suite *const gcm = &suites[GCM128];

static struct fx fx;
static struct fx_sa in, out;
static struct ipsec_policy inner, outer;
static struct fx_pkt p, q;
static int answer;

static void
on_done(struct ipsec_op *op, int result)
{
    answer = ipsec_resume(&fx.ips, ipsec_op_pkt(op), result);
}

/* A bundle of two IPv4 tunnels, `in` and round it `out`. */
static void
setup(void)
{
    fx_init(&fx, 0);
    fx.st.mode = FAKE_ASYNC;
    fx_sa_set(&in, gcm, IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x1001, "192.0.2.1",
              "198.51.100.2");
    fx_sa_set(&out, gcm, IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x1002, "192.0.2.1",
              "203.0.113.3");
    out.params.reqid = 2;
    out.params.life = &out.life;
    memset(&inner, 0, sizeof inner);
    inner.action = IPSEC_ACTION_PROTECT;
    inner.dir = IPSEC_OUT;
    inner.reqid = 1;
    outer = inner;
    outer.reqid = 2;
    inner.outer = &outer;
}

static void
begin(void)
{
    assert_status(fx_sa_add(&fx, &in), IPSEC_OK);
    assert_status(fx_sa_add(&fx, &out), IPSEC_OK);
    assert_status(ipsec_spd_add(&fx.ips, &inner), IPSEC_OK);
}

/* A packet with room for two layers and no byte more. */
static void
pkt_build(struct fx_pkt *pkt, size_t payload)
{
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2",
                                .proto = 17 };

    spec.payload = payload;
    fx_pkt_build(pkt, &spec, 72, 38);
    pkt->pkt.done = on_done;
}

static void
test_two_packets_cannot_share_the_last_number(void **state)
{
    (void)state;
    setup();
    out.life.hard_seq = 100;
    out.params.seq = 99;
    begin();
    pkt_build(&p, 2);
    pkt_build(&q, 2);
    assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_PENDING);
    assert_status(ipsec_outbound(&fx.ips, &q.pkt), IPSEC_PENDING);
    fake_complete(&fx.st, 0);
    assert_status(answer, IPSEC_PENDING);
    fake_complete(&fx.st, 0);
    assert_status(answer, IPSEC_ERR_SEQ_OVERFLOW);
    assert_true(out.sa.seq == 100);
    fake_complete(&fx.st, 0);
    assert_status(answer, IPSEC_OK);
    assert_int_equal(in.sa.in_flight + out.sa.in_flight, 0);
    fx_pkt_free(&p);
    fx_pkt_free(&q);
}

static void
test_one_sa_in_two_layers_stops_at_its_last_number(void **state)
{
    (void)state;
    setup();
    fx.st.mode = FAKE_SYNC;
    in.params.life = &in.life;
    in.life.hard_seq = 3;
    outer.reqid = 1;
    begin();
    pkt_build(&p, 2);
    assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_OK);
    fx_pkt_free(&p);
    pkt_build(&p, 2);
    assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_ERR_SEQ_OVERFLOW);
    assert_true(in.sa.seq == 3);
    fx_pkt_free(&p);
}

static void
test_an_sa_that_expired_meanwhile_seals_nothing(void **state)
{
    (void)state;
    setup();
    out.life.hard_s = 10;
    begin();
    pkt_build(&p, 2);
    assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_PENDING);
    ipsec_tick(&fx.ips, 10);
    fake_complete(&fx.st, 0);
    assert_status(answer, IPSEC_ERR_EXPIRED);
    assert_true(out.sa.seq == 0);
    fx_pkt_free(&p);
}

static void
update(const char *local, const char *remote)
{
    struct ipsec_addr l = addr(local), r = addr(remote);

    assert_status(fx_move(&fx.ips, &out.sa, &l, &r), IPSEC_OK);
}

static void
test_a_header_that_grew_meanwhile_stays_in_the_buffer(void **state)
{
    (void)state;
    setup();
    begin();
    pkt_build(&p, 2);
    assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_PENDING);
    update("2001:db8::1", "2001:db8::2");
    fake_complete(&fx.st, 0);
    assert_status(answer, IPSEC_ERR_ROOM);
    assert_true(out.sa.seq == 0);
    assert_int_equal(in.sa.in_flight + out.sa.in_flight, 0);
    fx_pkt_free(&p);
}

static void
on_soft(struct fx *x, struct ipsec_sa *sa, int event)
{
    (void)x;
    (void)sa;
    if (event == IPSEC_EVENT_SOFT) {
        update("2001:db8::1", "2001:db8::2");
    }
}

static void
test_an_event_between_layers_may_update_the_next(void **state)
{
    (void)state;
    setup();
    fx.st.mode = FAKE_SYNC;
    fx.on_event = on_soft;
    in.params.life = &in.life;
    in.life.soft_seq = 1;
    begin();
    pkt_build(&p, 2);
    assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_ERR_ROOM);
    fx_pkt_free(&p);
}

static void
test_a_length_that_grew_meanwhile_is_not_cut_to_16_bits(void **state)
{
    struct packet_spec spec = { .src = "2001:db8:a::1",
                                .dst = "2001:db8:b::1", .proto = 17 };
    static uint8_t data[PACKET_MAX + 64];

    (void)state;
    setup();
    in.params.local = addr("2001:db8::1");
    in.params.remote = addr("2001:db8::2");
    out.params.local = addr("2001:db8::1");
    out.params.remote = addr("2001:db8::2");
    begin();
    spec.payload = 65420 - 48; /* 65,496 and 65,572 with one and two layers */
    fx_pkt_new(&p, data, packet_build(data, &spec), 2 * IPSEC_HEADROOM,
               2 * IPSEC_TAILROOM);
    p.pkt.done = on_done;
    assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_PENDING);
    update("192.0.2.1", "203.0.113.3");
    fake_complete(&fx.st, 0);
    assert_status(answer, IPSEC_ERR_ROOM);
    assert_int_equal(p.pkt.mtu, 0);
    fx_pkt_free(&p);
}

/* Transport mode keeps the packet's header, so it is not for an SA that moved
 * to the other IP version meanwhile: no address in it is the SA's, and an IPv4
 * length would be cut, for IPv6 allows of 40 bytes more. */
static void
test_an_sa_that_changed_its_version_meanwhile_seals_nothing(void **state)
{
    static const size_t len[] = { 100, 65480 };
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2",
                                .proto = 17 };
    struct ipsec_addr v6 = addr("2001:db8::1");
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(len); i++) {
        setup();
        out.params.mode = IPSEC_MODE_TRANSPORT;
        out.params.remote = in.params.remote;
        in.params.km.encr = IPSEC_ENCR_AES_GCM_8;
        out.params.km.encr = IPSEC_ENCR_AES_GCM_8;
        begin();
        spec.payload = len[i] - 28 - 64;
        fx_pkt_build(&p, &spec, 2 * IPSEC_HEADROOM, 2 * IPSEC_TAILROOM);
        p.pkt.done = on_done;
        assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_PENDING);
        assert_status(ipsec_sad_update(&fx.ips, &out.sa, 0, &v6, 4500, &v6,
                                       4500), IPSEC_OK);
        while (fx.st.queued > 0) {
            fake_complete(&fx.st, 0);
        }
        if (answer == IPSEC_OK) {
            assert_int_equal(p.pkt.buf.len, packet_len(p.pkt.buf.data));
        }
        assert_status(answer, IPSEC_ERR_SELECTOR);
        assert_true(out.sa.seq == 0);
        fx_pkt_free(&p);
    }
}

/* The packet round a tunnel is the gateway's own: transport mode may carry it,
 * though it may not carry what is inside (RFC 4301 section 4.1). */
static void
test_a_gateway_may_send_its_own_tunnel_in_transport_mode(void **state)
{
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2",
                                .proto = 17 };

    (void)state;
    setup();
    fx.st.mode = FAKE_SYNC;
    out.params.mode = IPSEC_MODE_TRANSPORT;
    out.params.remote = in.params.remote;
    begin();
    fx_pkt_build(&p, &spec, 99, 99);
    p.pkt.flags = IPSEC_PKT_TRANSIT;
    assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_OK);
    assert_int_equal(p.pkt.layers, 2);
    fx_pkt_free(&p);

    ipsec_spd_remove(&fx.ips, &inner);
    inner.outer = NULL;
    inner.reqid = 2;
    assert_status(ipsec_spd_add(&fx.ips, &inner), IPSEC_OK);
    fx_pkt_build(&p, &spec, 99, 99);
    p.pkt.flags = IPSEC_PKT_TRANSIT;
    assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_ERR_MODE);
    fx_pkt_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_packets_cannot_share_the_last_number),
        cmocka_unit_test(test_one_sa_in_two_layers_stops_at_its_last_number),
        cmocka_unit_test(test_an_sa_that_expired_meanwhile_seals_nothing),
        cmocka_unit_test(
            test_a_length_that_grew_meanwhile_is_not_cut_to_16_bits),
        cmocka_unit_test(test_a_header_that_grew_meanwhile_stays_in_the_buffer),
        cmocka_unit_test(
            test_an_sa_that_changed_its_version_meanwhile_seals_nothing),
        cmocka_unit_test(test_an_event_between_layers_may_update_the_next),
        cmocka_unit_test(
            test_a_gateway_may_send_its_own_tunnel_in_transport_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
