/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/*
 * Classes of traffic on SAs of their own (RFC 4301 section 4.1), and the DSCP
 * of outer headers (sections 4.4.2.1 and 5.1.2.1, note 5).
 */

#define EF 46
#define AF41 34

static struct pair pair;
static struct fx_sa ef_out, ef_in;
static uint8_t map[64], lanes[64], wire[512];

static unsigned
tos_of(const uint8_t *p)
{
    return p[0] >> 4 == 4 ? p[1] : (unsigned)(p[0] << 4 & 0xff) | p[1] >> 4;
}

static void
tos_set(uint8_t *p, unsigned tos)
{
    if (p[0] >> 4 == 4) {
        p[1] = (uint8_t)tos;
        packet_fix(p);
    } else {
        p[0] = (uint8_t)(0x60 | tos >> 4);
        p[1] = (uint8_t)((p[1] & 15) | (tos << 4 & 0xff));
    }
}

/* Two SAs between the same ends, of the same policy: lane 0, and lane 5 for
 * EF. A-4.1-5 */
static void
begin(int mode, int version)
{
    memset(lanes, 0, sizeof lanes);
    lanes[EF] = 5;
    pair_init(&pair, &suites[GCM128], mode, version);
    ef_out = pair.out;
    memset(&ef_out.sa, 0, sizeof ef_out.sa);
    ef_out.params.spi = 0x2002;
    ef_out.params.lane = 5;
    ef_out.params.km.encr_key = ef_out.material;
    ef_out.params.key = &ef_out.key;
    ef_in = ef_out;
    ef_in.params.dir = IPSEC_IN;
    ef_in.params.lane = 0;
    ef_in.params.local = pair.in.params.local;
    ef_in.params.remote = pair.in.params.remote;
    ef_in.params.km.encr_key = ef_in.material;
    ef_in.params.key = &ef_in.key;
    assert_status(fx_sa_add(&pair.a, &ef_out), IPSEC_OK);
    assert_status(fx_sa_add(&pair.b, &ef_in), IPSEC_OK);
    pair.a.cfg.dscp_lane = lanes;
}

static uint32_t
spi_of(const uint8_t *esp)
{
    return (uint32_t)esp[0] << 24 | (uint32_t)esp[1] << 16 |
           (uint32_t)esp[2] << 8 | esp[3];
}

/* A-4.1-6: EF and best effort leave on different SPIs; A-4.1-7: both are
 * taken, whatever became of their DSCP on the way, which is never looked at. */
static void
test_dscp_of_the_packet_chooses_the_lane(void **state)
{
    static const int modes[] = { IPSEC_MODE_TRANSPORT, IPSEC_MODE_TUNNEL };
    struct packet_spec spec;
    unsigned dscp, head;
    size_t len;
    int i, v6;

    (void)state;
    for (i = 0; i < 4; i++) {
        v6 = i / 2;
        head = v6 ? 40 : 20;
        begin(modes[i % 2], v6 ? 6 : 4);
        spec = pair_spec(&pair, v6 ? 6 : 4, 17, 20);
        for (dscp = 0; dscp < 64; dscp++) {
            fx_note("mode %d, DSCP %u", i % 2, dscp);
            spec.tos = (uint8_t)(dscp << 2 | 2);
            len = pair_seal(&pair, &spec, wire);
            assert_int_equal(spi_of(wire + head),
                             dscp == EF ? 0x2002 : 0x1001);
            tos_set(wire, (63 - dscp) << 2 | 2);
            assert_status(pair_offer(&pair, wire, len), IPSEC_OK);
        }
        assert_true(ef_in.sa.packets == 1);
        assert_true(pair.in.sa.packets == 63);
        assert_int_equal(pair.b.audits, 0);
    }
}

static uint32_t
lane_spi(uint8_t lane, unsigned dscp)
{
    struct packet_spec spec = pair_spec(&pair, 4, 17, 20);
    struct fx_pkt p;
    uint32_t spi;

    spec.tos = (uint8_t)(dscp << 2);
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    p.pkt.lane = lane;
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_OK);
    assert_int_equal(p.pkt.lane, lane); /* the caller's, and it stays */
    spi = p.pkt.sa[0]->spi;
    fx_pkt_free(&p);
    return spi;
}

/* A lane that the caller gives goes first; without a table, lane 0. */
static void
test_dscp_lane_of_the_caller_goes_first(void **state)
{
    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    assert_int_equal(lane_spi(0, EF), 0x2002);
    assert_int_equal(lane_spi(9, EF), 0x1001); /* 9 has none: lane 0's */
    assert_int_equal(lane_spi(5, 0), 0x2002);
    pair.a.cfg.dscp_lane = NULL;
    assert_int_equal(lane_spi(0, EF), 0x1001);
}

/* acquire says which lane has no SA. */
static void
test_dscp_lane_is_told_to_acquire(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    assert_status(ipsec_sad_remove(&pair.a.ips, &pair.out.sa), IPSEC_OK);
    assert_status(ipsec_sad_remove(&pair.a.ips, &ef_out.sa), IPSEC_OK);
    spec = pair_spec(&pair, 4, 17, 20);
    spec.tos = EF << 2;
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_ERR_NO_SA);
    assert_int_equal(pair.a.acquires, 1);
    assert_int_equal(pair.a.acquire[0].lane, 5);
    fx_pkt_free(&p);
}

/* A-5.1.2-4, A-4.4.2.1-15: a fixed value, then the map, then a copy. ECN is
 * none of it, and of an entry the low six bits count. */
static void
test_dscp_of_the_outer_header(void **state)
{
    static const struct {
        uint16_t flags;
        int mapped;
    } row[] = { { 0, 0 }, { 0, 1 }, { IPSEC_SA_DSCP_SET, 0 },
                { IPSEC_SA_DSCP_SET, 1 }, { IPSEC_SA_NO_ECN, 1 } };
    struct packet_spec spec;
    unsigned dscp, want;
    size_t i, len;

    (void)state;
    for (dscp = 0; dscp < 64; dscp++) {
        map[dscp] = (uint8_t)((dscp * 5 + 3) % 64 + dscp % 4 * 64);
    }
    map[EF] = AF41;
    for (i = 0; i < 4 * COUNT(row); i++) {
        pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, i & 1 ? 6 : 4);
        pair.out.params.flags |= row[i / 4].flags;
        pair.out.params.dscp = 11;
        pair.out.params.dscp_map = row[i / 4].mapped ? map : NULL;
        pair_begin(&pair);
        spec = pair_spec(&pair, i & 2 ? 6 : 4, 17, 20);
        for (dscp = 0; dscp < 64; dscp++) {
            fx_note("row %zu, DSCP %u", i / 4, dscp);
            spec.tos = (uint8_t)(dscp << 2 | 1);
            len = pair_seal(&pair, &spec, wire);
            want = row[i / 4].flags & IPSEC_SA_DSCP_SET ? 11 :
                   row[i / 4].mapped ? map[dscp] & 63 : dscp;
            assert_int_equal(tos_of(wire) >> 2, want);
            assert_int_equal(tos_of(wire) & 3,
                             row[i / 4].flags & IPSEC_SA_NO_ECN ? 0 : 1);
            assert_status(pair_offer(&pair, wire, len), IPSEC_OK);
        }
    }
}

/* The map is of tunnels: a packet's own DSCP is nobody's to change. */
static void
test_dscp_map_leaves_transport_mode_alone(void **state)
{
    struct packet_spec spec;

    (void)state;
    memset(map, AF41, sizeof map);
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TRANSPORT, 4);
    pair.out.params.dscp_map = map;
    pair_begin(&pair);
    spec = pair_spec(&pair, 4, 17, 20);
    spec.tos = EF << 2;
    pair_seal(&pair, &spec, wire);
    assert_int_equal(tos_of(wire), EF << 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dscp_of_the_packet_chooses_the_lane),
        cmocka_unit_test(test_dscp_lane_of_the_caller_goes_first),
        cmocka_unit_test(test_dscp_lane_is_told_to_acquire),
        cmocka_unit_test(test_dscp_of_the_outer_header),
        cmocka_unit_test(test_dscp_map_leaves_transport_mode_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
