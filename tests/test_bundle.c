/* SPDX-License-Identifier: MIT */
#include "fake/nest.h"

/* SAs in one another (RFC 4301 sections 4.3, 4.4.1 and appendix E). */

static struct nest nest;
static struct flight f;
static uint8_t plain[2048], wire[2048];
static size_t wire_len;

static int
stop(void **state)
{
    (void)state;
    nest_free(&nest);
    fx_pkt_free(&f.p);
    return 0;
}

/* Send one packet and keep what goes out. */
static void
send(size_t payload)
{
    fx_pkt_free(&f.p);
    flight_out(&f, &nest, payload);
    flights_land(&nest.a);
    assert_status(f.verdict, IPSEC_OK);
    assert_int_equal(f.p.pkt.layers, nest.layers);
    wire_len = f.p.pkt.buf.len;
    memcpy(wire, f.p.pkt.buf.data, wire_len);
    fx_pkt_free(&f.p);
}

static int
receive(void)
{
    fx_pkt_free(&f.p);
    flight_in(&f, &nest, wire, wire_len);
    flights_land(&nest.b);
    return f.verdict;
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

/* All depths, all suites, all ways to answer: at once, later, and mixed. */
static void
test_bundle_there_and_back(void **state)
{
    size_t layers, n, i;
    uint32_t mix;
    int suite;

    (void)state;
    for (layers = 1; layers <= IPSEC_DEPTH; layers++) {
        for (suite = 0; suite < SUITES; suite++) {
            nest_init(&nest, layers, suite);
            nest.a.st.mode = nest.b.st.mode = FAKE_MIXED;
            for (mix = 0; mix < 1u << layers; mix++) {
                fx_note("%zu layers, suite %d, mix %x", layers, suite, mix);
                nest.a.st.runs = nest.b.st.runs = 0;
                nest.a.st.mix = nest.b.st.mix = mix; /* a bit for a layer */
                send(mix);
                n = nest_plain(&nest, mix, plain);
                assert_status(receive(), IPSEC_OK);
                assert_true(fx_pkt_is(&f.p, plain, n));
                assert_int_equal(f.p.pkt.layers, layers);
                for (i = 0; i < layers; i++) {
                    assert_ptr_equal(f.p.pkt.sa[i],
                                     &nest.in[layers - 1 - i]->sa);
                    assert_true(nest.in[i]->sa.packets == mix + 1);
                    assert_true(nest.out[i]->sa.packets == mix + 1);
                }
            }
            check_idle(&nest.a);
            check_idle(&nest.b);
            assert_int_equal(nest.a.ips.stats.out_protect, 1u << layers);
            assert_int_equal(nest.b.ips.stats.in_protect, 1u << layers);
            stop(NULL);
        }
    }
}

/* In the order applied. */
static void
test_bundle_order_of_sas(void **state)
{
    size_t i;

    (void)state;
    nest_init(&nest, 3, GCM128);
    flight_out(&f, &nest, 9);
    for (i = 0; i < 3; i++) {
        assert_ptr_equal(f.p.pkt.sa[i], &nest.out[i]->sa);
    }
    /* the outermost header is that of the last SA */
    assert_memory_equal(f.p.pkt.buf.data + 12,
                        nest.out[2]->params.local.byte, 4);
}

/* Resolve first: without one of its SAs nothing is burnt. */
static void
test_bundle_missing_sa_burns_nothing(void **state)
{
    size_t gone, i, n;

    (void)state;
    for (gone = 0; gone < 3; gone++) {
        nest_init(&nest, 3, CBC128);
        assert_status(ipsec_sad_remove(&nest.a.ips, &nest.out[gone]->sa),
                      IPSEC_OK);
        flight_out(&f, &nest, 9);
        assert_status(f.verdict, IPSEC_ERR_NO_SA);
        n = nest_plain(&nest, 9, plain);
        assert_true(fx_pkt_is(&f.p, plain, n));
        assert_int_equal(f.p.pkt.layers, 0);
        assert_int_equal(nest.a.acquires, 1);
        assert_ptr_equal(nest.a.acquire[0].policy, &nest.pa[gone]);
        for (i = 0; i < 3; i++) {
            assert_true(i == gone || nest.out[i]->sa.seq == 0);
        }
        check_idle(&nest.a);
        stop(NULL);
    }
}

/* Likewise room, for all layers together, and MTU. */
static void
test_bundle_room_and_mtu(void **state)
{
    size_t len, head, tail, best, i;
    struct fx_pkt p;

    (void)state;
    nest_init(&nest, 3, CHACHA);
    len = nest_plain(&nest, 9, plain);
    fx_pkt_new(&p, plain, len, 0, 0);
    assert_status(ipsec_outbound(&nest.a.ips, &p.pkt), IPSEC_ERR_ROOM);
    head = p.pkt.head;
    tail = p.pkt.tail;
    fx_pkt_free(&p);
    for (i = 0; i < 3; i++) {
        fx_pkt_new(&p, plain, len, head - (i == 1), tail - (i == 2));
        assert_status(ipsec_outbound(&nest.a.ips, &p.pkt),
                      i ? IPSEC_ERR_ROOM : IPSEC_OK);
        if (i == 0) {
            assert_ptr_equal(p.pkt.buf.data, p.mem);
            assert_ptr_equal(p.pkt.buf.data + p.pkt.buf.len, p.pkt.buf.end);
        }
        fx_pkt_free(&p);
    }
    stop(NULL);
    for (i = 1400; i < 1420; i++) {
        nest_init(&nest, 3, CHACHA);
        nest.out[2]->sa.mtu = (uint16_t)i;
        nest.out[2]->sa.flags |= IPSEC_SA_DF_SET;
        flight_out(&f, &nest, 1400);
        assert_status(f.verdict, IPSEC_ERR_TOO_BIG);
        best = f.p.pkt.mtu;
        fx_pkt_free(&f.p);
        flight_out(&f, &nest, best - 27);
        assert_status(f.verdict, IPSEC_ERR_TOO_BIG);
        assert_int_equal(f.p.pkt.mtu, best);
        fx_pkt_free(&f.p);
        flight_out(&f, &nest, best - 28);
        assert_status(f.verdict, IPSEC_OK);
        assert_true(f.p.pkt.buf.len <= i && f.p.pkt.buf.len + 16 > i);
        stop(NULL);
    }
}

/* The path of a layer in between counts, too. */
static void
test_bundle_mtu_of_an_inner_layer(void **state)
{
    size_t best, i;

    (void)state;
    nest_init(&nest, 3, GCM128);
    nest.out[1]->sa.mtu = 1000;
    nest.out[1]->sa.flags |= IPSEC_SA_DF_SET;
    nest.out[2]->sa.mtu = 9000;
    flight_out(&f, &nest, 1400);
    /* the first tunnel is over IPv6, which its source may fragment */
    assert_status(f.verdict, IPSEC_OK);
    fx_pkt_free(&f.p);
    /* the second is over IPv4, and has DF: copied from IPv6, or set */
    for (i = 0; i < 2; i++) {
        nest.out[2]->sa.flags = i ? IPSEC_SA_DF_SET : IPSEC_SA_DF_COPY;
        flight_out(&f, &nest, 1400);
        assert_status(f.verdict, IPSEC_ERR_TOO_BIG);
        best = f.p.pkt.mtu;
        assert_true(best > 850 && best < 950);
        fx_pkt_free(&f.p);
        flight_out(&f, &nest, best - 28);
        assert_status(f.verdict, IPSEC_OK);
        fx_pkt_free(&f.p);
    }
}

/* Transport mode round a tunnel: between the tunnel's own ends, behind the
 * header that the tunnel made (or, round transport mode, the packet's). */
static struct {
    struct pair         pair;
    struct fx_sa        out, in;
    struct ipsec_policy pa, pb;
} two;

static void
adjacent_begin(int mode, int version, uint16_t mtu)
{
    pair_init(&two.pair, &suites[GCM128], mode, version);
    two.out = two.pair.out;
    two.in = two.pair.in;
    memset(&two.out.sa, 0, sizeof two.out.sa);
    memset(&two.in.sa, 0, sizeof two.in.sa);
    two.out.params.spi = two.in.params.spi = 0x3003;
    two.out.params.reqid = two.in.params.reqid = 2;
    two.out.params.mode = two.in.params.mode = IPSEC_MODE_TRANSPORT;
    two.out.params.mtu = mtu;
    two.out.params.key = &two.out.key;
    two.in.params.key = &two.in.key;
    assert_status(fx_sa_add(&two.pair.a, &two.out), IPSEC_OK);
    assert_status(fx_sa_add(&two.pair.b, &two.in), IPSEC_OK);
    two.pa = two.pair.pa;
    two.pa.reqid = 2;
    two.pa.mode = IPSEC_MODE_TRANSPORT;
    two.pb = two.pa;
    two.pair.pa.outer = &two.pa;
    two.pair.pb.outer = &two.pb;
}

static void
adjacent(int mode, int version, size_t opt, uint16_t mtu)
{
    struct packet_spec spec;
    struct fx_pkt p;
    size_t n, len, head, tail;

    adjacent_begin(mode, version, mtu);
    spec = pair_spec(&two.pair, version, 17, 1200);
    spec.df = 1;
    spec.opt_len = opt;
    len = packet_build(plain, &spec);
    fx_pkt_new(&p, plain, len, 0, 0);
    assert_status(ipsec_outbound(&two.pair.a.ips, &p.pkt), IPSEC_ERR_ROOM);
    head = p.pkt.head;
    tail = p.pkt.tail;
    fx_pkt_free(&p);
    fx_pkt_new(&p, plain, len, head, tail);
    assert_status(ipsec_outbound(&two.pair.a.ips, &p.pkt), IPSEC_OK);
    assert_ptr_equal(p.pkt.buf.data, p.mem);
    assert_int_equal(p.pkt.buf.len, p.size);
    n = p.pkt.buf.len;
    memcpy(wire, p.pkt.buf.data, n);
    fx_pkt_free(&p);
    assert_status(pair_open(&two.pair, wire, n, &p), IPSEC_OK);
    assert_true(fx_pkt_is(&p, plain, len));
    fx_pkt_free(&p);
    spec.payload = 1500;
    fx_pkt_build(&p, &spec, head, tail + 3);
    assert_status(ipsec_outbound(&two.pair.a.ips, &p.pkt),
                  IPSEC_ERR_TOO_BIG);
    n = p.pkt.mtu;
    fx_pkt_free(&p);
    spec.payload -= len + 300 - n;
    fx_pkt_build(&p, &spec, head, tail + 6);
    assert_int_equal(p.pkt.buf.len, n);
    assert_status(ipsec_outbound(&two.pair.a.ips, &p.pkt), IPSEC_OK);
    assert_true(p.pkt.buf.len <= mtu && p.pkt.buf.len + 4 > mtu);
    fx_pkt_free(&p);
}

static void
test_bundle_transport_adjacency(void **state)
{
    uint16_t mtu;

    (void)state;
    for (mtu = 1400; mtu < 1408; mtu++) {
        fx_note("mtu %u", mtu);
        adjacent(IPSEC_MODE_TUNNEL, 4, 0, mtu);
        adjacent(IPSEC_MODE_TUNNEL, 4, 12, mtu);
        adjacent(IPSEC_MODE_TUNNEL, 6, 0, mtu);
        adjacent(IPSEC_MODE_TRANSPORT, 4, 0, mtu);
        adjacent(IPSEC_MODE_TRANSPORT, 4, 12, mtu);
        adjacent(IPSEC_MODE_TRANSPORT, 6, 0, mtu);
    }
}

/* attacks.md 119: one layer where two are asked for. */
static void
test_bundle_inner_layer_alone(void **state)
{
    (void)state;
    nest_init(&nest, 2, GCM128);
    nest.pa[0].outer = NULL;
    nest.layers = 1;
    send(9);
    nest.layers = 2;
    assert_status(receive(), IPSEC_ERR_UNPROTECTED);
    assert_int_equal(nest.b.ips.stats.in_drop[6], 1);
    check_idle(&nest.b);
}

static void
test_bundle_outer_layer_alone(void **state)
{
    (void)state;
    nest_init(&nest, 2, GCM128);
    ipsec_spd_remove(&nest.a.ips, &nest.pa[0]);
    assert_status(ipsec_spd_add(&nest.a.ips, &nest.pa[1]), IPSEC_OK);
    nest.layers = 1;
    send(9);
    nest.layers = 2;
    assert_status(receive(), IPSEC_ERR_SELECTOR);
    check_idle(&nest.b);
}

/* attacks.md 120: both layers, in the wrong order. */
static void
test_bundle_wrong_order(void **state)
{
    (void)state;
    nest_init(&nest, 3, GCM128);
    nest.pb[0].outer = &nest.pb[2];
    nest.pb[2].outer = &nest.pb[1];
    nest.pb[1].outer = NULL;
    send(9);
    assert_status(receive(), IPSEC_ERR_SELECTOR);
    nest.pb[0].outer = &nest.pb[1];
    nest.pb[1].outer = &nest.pb[2];
    nest.pb[2].outer = NULL;
    nest.pb[1].mode = IPSEC_MODE_TRANSPORT;
    send(9);
    assert_status(receive(), IPSEC_ERR_MODE);
    nest.pb[1].mode = 0;
    send(9);
    assert_status(receive(), IPSEC_OK);
}

/* A layer that is not in the bundle, and has no policy of its own. */
static void
test_bundle_stray_layer(void **state)
{
    (void)state;
    nest_init(&nest, 2, GCM128);
    nest.pb[0].outer = NULL;
    send(9);
    assert_status(receive(), IPSEC_ERR_SELECTOR);
    check_idle(&nest.b);
}

/* ... and one that has: nesting as in RFC 4301 appendix E. */
static void
test_bundle_stray_layer_with_a_policy_of_its_own(void **state)
{
    struct ipsec_policy own;

    (void)state;
    nest_init(&nest, 2, GCM128);
    nest.pb[0].outer = NULL;
    memset(&own, 0, sizeof own);
    own.action = IPSEC_ACTION_PROTECT;
    own.dir = IPSEC_IN;
    own.reqid = 2;
    own.mode = IPSEC_MODE_TUNNEL;
    own.sel.proto = 50;
    own.sel.version = 4;
    assert_status(ipsec_spd_add(&nest.b.ips, &own), IPSEC_OK);
    nest.pb[0].priority = 0;
    own.priority = 0;
    send(9);
    assert_status(receive(), IPSEC_ERR_SELECTOR); /* the older one matches */
    ipsec_spd_remove(&nest.b.ips, &nest.pb[0]);
    assert_status(ipsec_spd_add(&nest.b.ips, &nest.pb[0]), IPSEC_OK);
    send(9);
    assert_status(receive(), IPSEC_OK);
    own.reqid = 3;
    send(9);
    assert_status(receive(), IPSEC_ERR_SELECTOR);
    own.reqid = 2;
    own.action = IPSEC_ACTION_BYPASS;
    send(9);
    assert_status(receive(), IPSEC_ERR_SELECTOR);
}

/* attacks.md 109: five layers, all of them ours. */
static void
test_bundle_depth(void **state)
{
    static struct nest deep;
    struct fx_pkt p;
    size_t i;

    (void)state;
    nest_init(&nest, 4, GCM128);
    send(9);
    nest_init(&deep, 5, GCM128);
    /* its fifth layer goes round what the four made */
    assert_status(ipsec_spd_add(&deep.a.ips, &deep.pa[4]), IPSEC_OK);
    fx_pkt_new(&p, wire, wire_len, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&deep.a.ips, &p.pkt), IPSEC_OK);
    memcpy(wire, p.pkt.buf.data, p.pkt.buf.len);
    wire_len = p.pkt.buf.len;
    fx_pkt_free(&p);
    deep.pb[3].outer = NULL;
    assert_status(ipsec_spd_add(&deep.b.ips, &deep.pb[0]), IPSEC_OK);
    flight_in(&f, &deep, wire, wire_len);
    assert_status(f.verdict, IPSEC_ERR_DEPTH);
    assert_int_equal(deep.b.ips.stats.in_drop[16], 1);
    assert_int_equal(deep.b.audit[0].status, IPSEC_ERR_DEPTH);
    assert_int_equal(deep.b.audit[0].spi, 0x1000);
    for (i = 0; i < 5; i++) {
        assert_true(deep.in[i]->sa.packets == (i > 0));
    }
    check_idle(&deep.b);
    nest_free(&deep);
}

/* Tunnels that cross: ESP inside that is for somebody else is not opened, but
 * is a packet like any other. */
static void
test_bundle_inner_esp_for_somebody_else(void **state)
{
    struct ipsec_addr us = addr("10.9.9.9"), peer = addr("10.1.0.1");
    struct ipsec_policy all;

    (void)state;
    nest_init(&nest, 2, GCM128);
    send(9);
    assert_status(fx_move(&nest.b.ips, &nest.in[0]->sa, &us, &peer),
                  IPSEC_OK);
    assert_status(receive(), IPSEC_ERR_SELECTOR);
    assert_true(nest.in[0]->sa.packets == 0);
    memset(&all, 0, sizeof all);
    all.action = IPSEC_ACTION_PROTECT;
    all.dir = IPSEC_IN;
    all.reqid = 2;
    all.sel.proto = 50;
    ipsec_spd_remove(&nest.b.ips, &nest.pb[0]);
    assert_status(ipsec_spd_add(&nest.b.ips, &all), IPSEC_OK);
    send(9);
    assert_status(receive(), IPSEC_OK);
    assert_int_equal(f.p.pkt.buf.data[9], 50);
}

#define T(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_bundle_there_and_back),
        T(test_bundle_order_of_sas),
        T(test_bundle_missing_sa_burns_nothing),
        T(test_bundle_room_and_mtu),
        T(test_bundle_mtu_of_an_inner_layer),
        T(test_bundle_transport_adjacency),
        T(test_bundle_inner_layer_alone),
        T(test_bundle_outer_layer_alone),
        T(test_bundle_wrong_order),
        T(test_bundle_stray_layer),
        T(test_bundle_stray_layer_with_a_policy_of_its_own),
        T(test_bundle_depth),
        T(test_bundle_inner_esp_for_somebody_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
