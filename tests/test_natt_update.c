/* SPDX-License-Identifier: MIT */
#include "fake/natt.h"
#include "fake/nest.h"

/* UDP turned on and off by ipsec_sad_update(), in nests of SAs and while
 * packets are in an engine. */

#define FLIGHTS 6

static struct nest nest;
static struct flight f[FLIGHTS];
static uint8_t wire[FLIGHTS][1024], plain[1024];
static size_t wire_len[FLIGHTS];

static int
udp_set(struct fx *fx, struct ipsec_sa *sa, uint16_t local, uint16_t remote)
{
    return ipsec_sad_update(&fx->ips, sa, 0, &sa->local, local, &sa->remote,
                            remote);
}

/* Layers whose bit is set in `udp` are in UDP. */
static void
begin(size_t layers, int suite, unsigned udp, enum fake_mode mode)
{
    size_t i;

    nest_init(&nest, layers, suite);
    nest.a.st.mode = nest.b.st.mode = mode;
    nest.a.st.mix = nest.b.st.mix = 0x5a;
    nest.b.cfg.natt_port = NATT_PORT;
    for (i = 0; i < layers; i++) {
        if (udp >> i & 1) {
            assert_status(udp_set(&nest.a, &nest.out[i]->sa, NATT_SPORT,
                                  NATT_PORT), IPSEC_OK);
        }
    }
}

static void
free_all(void)
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
    free_all();
    return 0;
}

/* The outermost UDP header over IPv6 has its checksum. */
static void
check_sum(const uint8_t *p, size_t len)
{
    if (p[0] >> 4 == 6 && p[6] == 17) {
        assert_int_not_equal(natt_get16(p + 46), 0);
        assert_int_equal(natt_sum(p, 17, p + 40, len - 40), 0);
    }
}

static void
seal_all(void)
{
    size_t i;

    for (i = 0; i < FLIGHTS; i++) {
        flight_out(&f[i], &nest, i);
    }
    flights_land(&nest.a);
    for (i = 0; i < FLIGHTS; i++) {
        assert_status(f[i].verdict, IPSEC_OK);
        wire_len[i] = f[i].p.pkt.buf.len;
        memcpy(wire[i], f[i].p.pkt.buf.data, wire_len[i]);
        check_sum(wire[i], wire_len[i]);
    }
    free_all();
}

/* Every nest of up to four SAs, each in UDP or not, with engines that answer
 * now, later, or as it comes. Inner UDP over IPv6 is right too: see
 * test_natt_inner_checksum. */
static void
test_natt_nests(void **state)
{
    static const enum fake_mode modes[] = { FAKE_SYNC, FAKE_ASYNC,
                                            FAKE_MIXED };
    size_t layers, i, n, m;
    unsigned udp;

    (void)state;
    for (layers = 1; layers <= 4; layers++) {
        for (udp = 0; udp < 1u << layers; udp++) {
            for (m = 0; m < COUNT(modes); m++) {
                fx_note("%zu layers, UDP %x, mode %zu", layers, udp, m);
                begin(layers, (int)(udp + layers) % SUITES, udp, modes[m]);
                seal_all();
                for (i = 0; i < FLIGHTS; i++) {
                    flight_in(&f[i], &nest, wire[i], wire_len[i]);
                }
                flights_land(&nest.b);
                for (i = 0; i < FLIGHTS; i++) {
                    assert_status(f[i].verdict, IPSEC_OK);
                    n = nest_plain(&nest, i, plain);
                    assert_true(fx_pkt_is(&f[i].p, plain, n));
                }
                assert_int_equal(nest.in[0]->sa.in_flight, 0);
                assert_int_equal(nest.a.st.misuse + nest.b.st.misuse, 0);
                stop(NULL);
            }
        }
    }
}

/* Layer 1 is over IPv6: its UDP checksum is right when layer 2 seals it. */
static void
test_natt_inner_checksum(void **state)
{
    (void)state;
    begin(3, NULL_SHA256, 2, FAKE_ASYNC);
    flight_out(&f[0], &nest, 33);
    while (nest.a.st.seals < 3) {
        fake_complete(&nest.a.st, 0);
    }
    /* what layer 2 sealed: an IPv6 packet, padding behind it */
    assert_int_equal(nest.a.st.text[0] >> 4, 6);
    check_sum(nest.a.st.text, packet_len(nest.a.st.text));
    assert_int_equal(nest.a.st.text[6], 17);
    assert_status(f[0].verdict, IPSEC_OK);
}

/* UDP goes while a packet is in the engine, or comes: it leaves as it was
 * sealed, its checksum in order. */
static void
test_natt_update_while_sealing(void **state)
{
    struct ipsec_sa *sa;
    size_t len;
    int on;

    (void)state;
    for (on = 0; on < 2; on++) {
        begin(2, GCM128, on ? 2 : 0, FAKE_ASYNC);
        sa = &nest.out[1]->sa; /* over IPv6 */
        flight_out(&f[0], &nest, 9);
        fake_complete(&nest.a.st, 0);
        assert_status(f[0].verdict, IPSEC_PENDING);
        assert_status(udp_set(&nest.a, sa, on ? 0 : 1, on ? 0 : 2), IPSEC_OK);
        flights_land(&nest.a);
        assert_status(f[0].verdict, IPSEC_OK);
        len = f[0].p.pkt.buf.len;
        assert_int_equal(f[0].p.pkt.buf.data[6], on ? 17 : 50);
        check_sum(f[0].p.pkt.buf.data, len);
        memcpy(wire[0], f[0].p.pkt.buf.data, len);
        fx_pkt_free(&f[0].p);
        flight_in(&f[0], &nest, wire[0], len);
        flights_land(&nest.b);
        assert_status(f[0].verdict, IPSEC_OK);
        stop(NULL);
    }
}

/* UDP comes while an inner layer is in the engine: the eight bytes are not
 * there, and that is seen before they are written. */
static void
test_natt_update_takes_room(void **state)
{
    size_t head = 0, tail = 0, h, t, i, n;

    (void)state;
    begin(2, GCM128, 0, FAKE_ASYNC);
    for (i = 0; i < 2; i++) {
        ipsec_sa_room(&nest.out[i]->sa, &h, &t);
        head += h;
        tail += t;
    }
    n = nest_plain(&nest, 9, plain);
    flight_out(&f[0], &nest, 9);
    flights_land(&nest.a);
    for (i = 1; i < 3; i++) { /* the second time there is room */
        fx_pkt_free(&f[i].p);
        fx_pkt_new(&f[i].p, plain, n, head + 8 * (i - 1), tail);
        f[i].p.pkt.user = &f[i];
        f[i].p.pkt.done = f[0].p.pkt.done;
        f[i].fx = &nest.a;
        assert_status(udp_set(&nest.a, &nest.out[1]->sa, 0, 0), IPSEC_OK);
        assert_status(ipsec_outbound(&nest.a.ips, &f[i].p.pkt),
                      IPSEC_PENDING);
        assert_status(udp_set(&nest.a, &nest.out[1]->sa, 1, 2), IPSEC_OK);
        flights_land(&nest.a);
        assert_status(f[i].verdict, i == 1 ? IPSEC_ERR_ROOM : IPSEC_OK);
    }
}

static struct ipsec_sa *told;

static void
note_mapping(void *user, struct ipsec_sa *sa, const struct ipsec_addr *remote,
             uint16_t port)
{
    (void)user;
    (void)remote;
    assert_int_equal(port, NATT_SPORT);
    told = sa;
}

/* The mapping is told of when the engine has answered, by the packet's own
 * headers; of twins, once; of a packet whose SA has gone, not. */
static void
test_natt_mapping_after_the_engine(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        begin(2, GCM128, 2, FAKE_ASYNC);
        nest.b.cfg.mapping = note_mapping;
        told = NULL;
        seal_all();
        assert_status(udp_set(&nest.b, &nest.in[1]->sa, NATT_PORT, 1),
                      IPSEC_OK);
        flight_in(&f[0], &nest, wire[0], wire_len[0]);
        flight_in(&f[1], &nest, wire[0], wire_len[0]);
        assert_null(told);
        if (i == 1) {
            assert_status(ipsec_sad_remove(&nest.b.ips, &nest.in[1]->sa),
                          IPSEC_PENDING);
        }
        fake_complete(&nest.b.st, 1);
        assert_ptr_equal(told, i == 0 ? &nest.in[1]->sa : NULL);
        told = NULL;
        flights_land(&nest.b);
        assert_null(told);
        assert_status(f[0].verdict, i == 0 ? IPSEC_ERR_REPLAY
                                           : IPSEC_ERR_EXPIRED);
        assert_status(f[1].verdict, i == 0 ? IPSEC_OK : IPSEC_ERR_EXPIRED);
        stop(NULL);
    }
}

/* We have moved, to IPv6 or not, while it was in the engine: where it came from
 * belongs to the path that was left, and could not be the SA's. */
static void
test_natt_mapping_not_of_a_path_left(void **state)
{
    static const char *const here[] = { "203.0.113.9", "2001:db8::9", NULL };
    static const char *const there[] = { "192.0.2.9", "2001:db8::7", NULL };
    struct ipsec_addr local, remote;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(here); i++) {
        begin(2, GCM128, 2, FAKE_ASYNC);
        nest.b.cfg.mapping = note_mapping;
        told = NULL;
        seal_all();
        flight_in(&f[0], &nest, wire[0], wire_len[0]);
        local = nest.in[1]->sa.local;
        remote = nest.in[1]->sa.remote;
        if (here[i] != NULL) {
            local = addr(here[i]);
            remote = addr(there[i]);
        }
        assert_status(ipsec_sad_update(&nest.b.ips, &nest.in[1]->sa, 0, &local,
                                       NATT_PORT, &remote, 1), IPSEC_OK);
        flights_land(&nest.b);
        assert_ptr_equal(told, here[i] != NULL ? NULL : &nest.in[1]->sa);
        assert_status(f[0].verdict, IPSEC_OK);
        stop(NULL);
    }
}

/* The form is that of the packet, not of the SA: UDP may go meanwhile. */
static void
test_natt_update_while_opening(void **state)
{
    size_t n;
    int i;

    (void)state;
    for (i = 0; i < 4; i++) {
        begin(1, CBC128, i & 1, FAKE_ASYNC);
        seal_all();
        flight_in(&f[0], &nest, wire[0], wire_len[0]);
        assert_status(udp_set(&nest.b, &nest.in[0]->sa, i & 2 ? 1 : 0,
                              i & 2 ? 2 : 0), IPSEC_OK);
        flights_land(&nest.b);
        assert_status(f[0].verdict, IPSEC_OK);
        n = nest_plain(&nest, 0, plain);
        assert_true(fx_pkt_is(&f[0].p, plain, n));
        stop(NULL);
    }
}

/* ESP in UDP inside a tunnel that has a policy of its own: for the carrier it
 * is a UDP flow, both ways (RFC 4301 appendix E). */
static void
test_natt_inside_a_stranger_s_tunnel(void **state)
{
    static const uint8_t protos[] = { 17, 50 };
    size_t i, n;

    (void)state;
    for (i = 0; i < 2; i++) {
        begin(2, GCM128, 1, FAKE_SYNC);
        seal_all();
        ipsec_spd_remove(&nest.b.ips, &nest.pb[0]);
        nest.pb[0].outer = NULL;
        nest.pb[0].priority = 2;
        nest.pb[1].priority = 1;
        nest.pb[1].sel.proto = protos[i];
        if (i == 0) {
            nest.pb[1].sel.set = IPSEC_SEL_LOCAL_PORT;
            nest.pb[1].sel.local_port_lo = NATT_PORT;
            nest.pb[1].sel.local_port_hi = NATT_PORT;
        }
        assert_status(ipsec_spd_add(&nest.b.ips, &nest.pb[0]), IPSEC_OK);
        assert_status(ipsec_spd_add(&nest.b.ips, &nest.pb[1]), IPSEC_OK);
        flight_in(&f[0], &nest, wire[0], wire_len[0]);
        assert_status(f[0].verdict, i == 0 ? IPSEC_OK : IPSEC_ERR_SELECTOR);
        n = nest_plain(&nest, 0, plain);
        assert_true(i != 0 || fx_pkt_is(&f[0].p, plain, n));
        stop(NULL);
    }
}

/* A keepalive or rubbish that came through a tunnel is no affair of ours. */
static void
test_natt_keepalive_in_a_tunnel_is_udp(void **state)
{
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2",
                                .proto = 17, .sport = 1, .dport = NATT_PORT };
    size_t n, len;

    (void)state;
    for (n = 0; n < 4; n++) {
        begin(1, GCM128, 1, FAKE_SYNC);
        spec.payload = n;
        len = packet_build(plain, &spec);
        if (n == 1) {
            plain[28] = 0xff;
        }
        fx_pkt_new(&f[0].p, plain, len, IPSEC_HEADROOM, IPSEC_TAILROOM);
        assert_status(ipsec_outbound(&nest.a.ips, &f[0].p.pkt), IPSEC_OK);
        flight_in(&f[1], &nest, f[0].p.pkt.buf.data, f[0].p.pkt.buf.len);
        assert_status(f[1].verdict, IPSEC_OK);
        assert_true(fx_pkt_is(&f[1].p, plain, len));
        assert_int_equal(nest.b.ips.stats.in_keepalive, 0);
        stop(NULL);
    }
}

/* ipsec_sad_update(): what it takes, keeps and forgets (U-12). */
static void
test_natt_update(void **state)
{
    static const struct { uint16_t flags, local, remote; int want; } row[] = {
        { 0, 0, 0, IPSEC_OK }, { 0, 1, 2, IPSEC_OK },
        { 0, 0, 2, IPSEC_ERR_PORTS }, { 0, 1, 0, IPSEC_ERR_PORTS },
        { IPSEC_SA_NAT_CSUM, 1, 2, IPSEC_OK },
        { IPSEC_SA_NAT_CSUM, 0, 0, IPSEC_OK },
        { IPSEC_SA_ENCAP_ONLY, 1, 2, IPSEC_ERR_UNSUPPORTED },
        { IPSEC_SA_ESN, 0, 0, IPSEC_ERR_UNSUPPORTED },
        { 0xffff, 1, 2, IPSEC_ERR_UNSUPPORTED }
    };
    static struct fx fx;
    static struct fx_sa s;
    struct ipsec_sa before;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        fx_init(&fx, 0);
        fx_sa_set(&s, &suites[GCM128], IPSEC_IN, IPSEC_MODE_TRANSPORT, 0x1000,
                  "192.0.2.1", "198.51.100.2");
        s.params.flags |= IPSEC_SA_ENCAP_ONLY | IPSEC_SA_ESN;
        s.params.flags |= i % 2 ? IPSEC_SA_NAT_CSUM : 0;
        s.params.mtu = 1400;
        s.params.seq = 77;
        assert_status(fx_sa_add(&fx, &s), IPSEC_OK);
        s.sa.mtu = 1000; /* as ICMP would */
        before = s.sa;
        assert_status(ipsec_sad_update(&fx.ips, &s.sa, row[i].flags,
                                       &s.sa.local, row[i].local,
                                       &s.sa.remote, row[i].remote),
                      row[i].want);
        if (row[i].want == IPSEC_OK) {
            before.local_port = row[i].local;
            before.remote_port = row[i].remote;
            before.mtu = 1400;
            before.flags &= (uint16_t)~IPSEC_SA_NAT_CSUM;
            before.flags |= row[i].flags;
        }
        assert_memory_equal(&s.sa, &before, sizeof before);
    }
}

static void
test_natt_update_of_ah(void **state)
{
    static struct fx fx;
    static struct fx_sa s;
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        fx_init(&fx, 0);
        fx_sa_set(&s, &suites[NULL_SHA256], IPSEC_OUT, IPSEC_MODE_TUNNEL,
                  0x1000, "192.0.2.1", "198.51.100.2");
        s.params.proto = IPSEC_PROTO_AH;
        s.params.local_port = i > 0;
        s.params.remote_port = i > 1;
        assert_status(fx_sa_add(&fx, &s),
                      i > 0 ? IPSEC_ERR_UNSUPPORTED : IPSEC_OK);
        if (i == 0) {
            assert_status(udp_set(&fx, &s.sa, 1, 2), IPSEC_ERR_UNSUPPORTED);
            assert_status(udp_set(&fx, &s.sa, 0, 0), IPSEC_OK);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_natt_nests, stop),
        cmocka_unit_test_teardown(test_natt_inner_checksum, stop),
        cmocka_unit_test_teardown(test_natt_update_while_sealing, stop),
        cmocka_unit_test_teardown(test_natt_update_takes_room, stop),
        cmocka_unit_test_teardown(test_natt_mapping_after_the_engine, stop),
        cmocka_unit_test_teardown(test_natt_mapping_not_of_a_path_left, stop),
        cmocka_unit_test_teardown(test_natt_update_while_opening, stop),
        cmocka_unit_test_teardown(test_natt_inside_a_stranger_s_tunnel, stop),
        cmocka_unit_test_teardown(test_natt_keepalive_in_a_tunnel_is_udp,
                                  stop),
        cmocka_unit_test(test_natt_update),
        cmocka_unit_test(test_natt_update_of_ah)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
