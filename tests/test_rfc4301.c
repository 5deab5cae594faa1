/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Requirements of RFC 4301 that more than one source file meets. Names such
 * as "A-4.1-1" are rows of docs/RFC.md. */

static struct pair pair;
static uint8_t plain[1024], wire[1024];
static size_t plain_len, wire_len;

#define A (&pair.a.ips)
#define B (&pair.b.ips)

/* A fresh pair, and a packet of A's in `wire`. */
static void
begin(int mode, int version)
{
    struct packet_spec spec;

    pair_init(&pair, &suites[GCM128], mode, version);
    spec = pair_spec(&pair, version, 17, 32);
    plain_len = packet_build(plain, &spec);
    wire_len = pair_seal(&pair, &spec, wire);
}

/* Both ways: what the boundary says of `spec`. */
static void
check_both(const struct packet_spec *spec, int want)
{
    struct fx_pkt p;

    fx_pkt_build(&p, spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(B, &p.pkt), want);
    assert_status(ipsec_inbound(B, &p.pkt), want);
    assert_int_equal(p.pkt.layers, 0);
    fx_pkt_free(&p);
}

/* Section 4.1: SPI and protocol find the SA. A-4.1-1, P-2.1-1, H-2.4-1 */
static void
test_rfc4301_esp_and_ah_share_an_spi(void **state)
{
    static struct fx_sa out, in;
    struct ipsec_policy pa, pb;
    struct packet_spec spec;
    int order;

    (void)state;
    for (order = 0; order < 2; order++) {
        pair_prepare(&pair, &suites[NULL_SHA256], IPSEC_MODE_TUNNEL, 4);
        fx_sa_set(&out, &suites[NULL_SHA256], IPSEC_OUT, IPSEC_MODE_TUNNEL,
                  0x1001, "192.0.2.1", "198.51.100.2");
        fx_sa_set(&in, &suites[NULL_SHA256], IPSEC_IN, IPSEC_MODE_TUNNEL,
                  0x1001, "198.51.100.2", "192.0.2.1");
        out.params.reqid = in.params.reqid = 2;
        out.params.proto = in.params.proto = IPSEC_PROTO_AH;
        if (order) {
            assert_status(fx_sa_add(&pair.a, &out), IPSEC_OK);
            assert_status(fx_sa_add(&pair.b, &in), IPSEC_OK);
        }
        pair.pa.sel.proto = pair.pb.sel.proto = 17;
        pair_begin(&pair);
        if (!order) {
            assert_status(fx_sa_add(&pair.a, &out), IPSEC_OK);
            assert_status(fx_sa_add(&pair.b, &in), IPSEC_OK);
        }
        pa = pair.pa;
        pa.linked = 0;
        pa.reqid = 2;
        pa.proto = IPSEC_PROTO_AH;
        pa.sel.proto = 6;
        pb = pa;
        assert_status(ipsec_spd_add(A, &pa), IPSEC_OK);
        assert_status(ipsec_spd_add(B, &pb), IPSEC_OK);
        spec = pair_spec(&pair, 4, 17, 8);
        wire_len = pair_seal(&pair, &spec, wire);
        assert_int_equal(wire[9], 50);
        assert_status(pair_offer(&pair, wire, wire_len), IPSEC_OK);
        spec = pair_spec(&pair, 4, 6, 8);
        wire_len = pair_seal(&pair, &spec, wire);
        assert_int_equal(wire[9], 51);
        assert_status(pair_offer(&pair, wire, wire_len), IPSEC_OK);
        assert_true(pair.in.sa.packets == 1 && in.sa.packets == 1);
    }
}

/* Section 4.1: a receiver takes a class as it comes. A-4.1-7 */
static void
test_rfc4301_inbound_dscp_is_not_checked(void **state)
{
    unsigned dscp;
    int version;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        for (dscp = 0; dscp < 64; dscp++) {
            begin(IPSEC_MODE_TUNNEL, version);
            if (version == 4) {
                wire[1] = (uint8_t)(dscp << 2);
                packet_fix(wire);
            } else {
                wire[0] = (uint8_t)(0x60 | dscp >> 2);
                wire[1] = (uint8_t)((dscp & 3) << 6);
            }
            assert_status(pair_offer(&pair, wire, wire_len), IPSEC_OK);
        }
    }
}

/* Add an IKE packet's policy, or ICMP's, and see that nothing else lets it
 * pass. */
static void
check_needs_bypass(struct packet_spec *spec, uint16_t port)
{
    struct ipsec_policy bypass = { 0 };
    int version;

    for (version = 4; version <= FX_IP_LAST; version += 2) {
        pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, version);
        ipsec_spd_remove(B, &pair.pb);
        spec->src = version == 4 ? "192.0.2.1" : "2001:db8::1";
        spec->dst = version == 4 ? "198.51.100.2" : "2001:db8:ff::2";
        check_both(spec, IPSEC_ERR_NO_POLICY);
        assert_int_equal(pair.b.acquires, 0);
        memset(&bypass, 0, sizeof bypass);
        bypass.action = IPSEC_ACTION_BYPASS;
        bypass.dir = IPSEC_IN | IPSEC_OUT;
        bypass.sel.proto = spec->proto;
        bypass.sel.set = IPSEC_SEL_LOCAL_PORT;
        bypass.sel.local_port_lo = bypass.sel.local_port_hi = port;
        assert_status(ipsec_spd_add(B, &bypass), IPSEC_OK);
        check_both(spec, IPSEC_BYPASS);
    }
}

/* Sections 5 and 5.2: IKE is traffic like any other. A-5-1, A-5.2-8 */
static void
test_rfc4301_ike_needs_a_bypass_policy(void **state)
{
    struct packet_spec spec = { .proto = 17, .payload = 28 };

    (void)state;
    spec.sport = spec.dport = 500;
    check_needs_bypass(&spec, 500);
    spec.sport = spec.dport = 4500;
    check_needs_bypass(&spec, 4500);
}

/* Section 6: and so is ICMP that isn't an error. A-6-1 */
static void
test_rfc4301_echo_needs_a_policy(void **state)
{
    struct packet_spec spec = { .proto = 1, .sport = 0x0800, .payload = 8 };

    (void)state;
    check_needs_bypass(&spec, 0x0800);
    spec.proto = 58;
    spec.sport = 0x8000;
    check_needs_bypass(&spec, 0x8000);
}

/* Section 5.2: what was opened and is forwarded leaves as any packet does.
 * A-5.2-9 */
static void
test_rfc4301_opened_packet_meets_the_outbound_spd(void **state)
{
    struct ipsec_policy out = { 0 };
    struct fx_pkt p;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    ipsec_spd_remove(B, &pair.pb);
    pair.pb.dir = IPSEC_IN;
    assert_status(ipsec_spd_add(B, &pair.pb), IPSEC_OK);
    assert_status(pair_open(&pair, wire, wire_len, &p), IPSEC_OK);
    p.pkt.flags = IPSEC_PKT_TRANSIT;
    assert_status(ipsec_outbound(B, &p.pkt), IPSEC_ERR_NO_POLICY);
    assert_true(fx_pkt_is(&p, plain, plain_len));
    out.action = IPSEC_ACTION_BYPASS;
    out.dir = IPSEC_OUT;
    assert_status(ipsec_spd_add(B, &out), IPSEC_OK);
    assert_status(ipsec_outbound(B, &p.pkt), IPSEC_BYPASS);
    fx_pkt_free(&p);
}

/* Section 7.4: a policy without ports takes all fragments. A-7.4-1 */
static void
test_rfc4301_fragments_meet_a_discard_policy(void **state)
{
    static const struct {
        int version;
        const char *ext;
        uint8_t mf;
        uint16_t frag;
    } row[] = { { 4, NULL, 1, 0 }, { 4, NULL, 1, 4 }, { 4, NULL, 0, 9 },
                { 6, "f", 0, 0 }, { 6, "l", 0, 0 }, { 6, "a", 0, 0 } };
    struct packet_spec spec;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, row[i].version);
        spec = pair_spec(&pair, row[i].version, 17, 64);
        spec.ext = row[i].ext;
        spec.mf = row[i].mf;
        spec.frag = row[i].frag;
        pair.pb.action = IPSEC_ACTION_DISCARD;
        check_both(&spec, IPSEC_ERR_DISCARD);
        pair.pb.action = IPSEC_ACTION_BYPASS;
        check_both(&spec, IPSEC_BYPASS);
    }
}

/* RFC 6864 section 4.1: 0 is as good as any, here and on receipt. IP-2 */
static void
test_rfc4301_id_of_an_atomic_datagram_means_nothing(void **state)
{
    struct packet_spec spec;
    int i;

    (void)state;
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.out.params.flags |= IPSEC_SA_DF_SET;
    pair_begin(&pair);
    spec = pair_spec(&pair, 4, 17, 32);
    for (i = 0; i < 3; i++) {
        wire_len = pair_seal(&pair, &spec, wire);
        assert_int_equal(wire[4] | wire[5], 0);
        assert_int_equal(wire[6], 0x40);
        wire[4] = wire[5] = (uint8_t)(i * 85);
        packet_fix(wire);
        assert_status(pair_offer(&pair, wire, wire_len), IPSEC_OK);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc4301_esp_and_ah_share_an_spi),
        cmocka_unit_test(test_rfc4301_inbound_dscp_is_not_checked),
        cmocka_unit_test(test_rfc4301_ike_needs_a_bypass_policy),
        cmocka_unit_test(test_rfc4301_echo_needs_a_policy),
        cmocka_unit_test(test_rfc4301_opened_packet_meets_the_outbound_spd),
        cmocka_unit_test(test_rfc4301_fragments_meet_a_discard_policy),
        cmocka_unit_test(test_rfc4301_id_of_an_atomic_datagram_means_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
