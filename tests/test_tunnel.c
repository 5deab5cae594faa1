/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "vectors/record.h"

/* Outer headers (RFC 4301 section 5.1.2) and ECN (RFC 6040). */

static struct pair pair;
static uint8_t body[256], wire[512], plain[512];

static size_t
seal(const struct packet_spec *spec, int outer, uint16_t flags, uint8_t dscp)
{
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, outer);
    pair.out.params.flags |= flags;
    pair.out.params.dscp = dscp;
    pair_begin(&pair);
    return pair_seal(&pair, spec, wire);
}

static struct packet_spec
spec_of(int version)
{
    struct packet_spec spec = {
        .src = version == 4 ? "10.1.0.1" : "2001:db8:a::1",
        .dst = version == 4 ? "10.2.0.2" : "2001:db8:b::2",
        .proto = 17, .sport = 5000, .dport = 7, .payload = 10
    };

    return spec;
}

static unsigned
tos_of(const uint8_t *p)
{
    return p[0] >> 4 == 4 ? p[1] : (unsigned)(p[0] << 4 & 0xff) | p[1] >> 4;
}

static void
test_tunnel_outer_ipv4_field_by_field(void **state)
{
    static const uint8_t addrs[] = { 192, 0, 2, 1, 198, 51, 100, 2 };
    struct packet_spec spec;
    size_t n;
    int version;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        spec = spec_of(version);
        spec.ttl = 1;
        spec.opt_len = version == 4 ? 8 : 0;
        spec.ext = version == 6 ? "h" : NULL;
        spec.id = 0x1234;
        n = seal(&spec, 4, 0, 0);
        assert_int_equal(wire[0], 0x45); /* options are never copied */
        assert_int_equal(wire[1], 0);
        assert_int_equal(packet_len(wire), n);
        assert_int_equal(wire[6] << 8 | wire[7], 0);
        assert_int_equal(wire[8], 64); /* its own */
        assert_int_equal(wire[9], 50);
        assert_true(packet_intact(wire));
        assert_memory_equal(wire + 12, addrs, 8);
    }
}

static void
test_tunnel_outer_ipv6_field_by_field(void **state)
{
    struct ipsec_addr src = addr("2001:db8::1"), dst = addr("2001:db8:ff::2");
    struct packet_spec spec;
    size_t n;
    int version;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        spec = spec_of(version);
        spec.ttl = 1;
        spec.ext = version == 6 ? "h" : NULL;
        spec.label = 0xfedcb;
        n = seal(&spec, 6, 0, 0);
        assert_int_equal(wire[0], 0x60);
        assert_int_equal(wire[1] | wire[2] | wire[3], 0);
        assert_int_equal(packet_len(wire), n);
        assert_int_equal(wire[6], 50); /* extension headers neither */
        assert_int_equal(wire[7], 64);
        assert_memory_equal(wire + 8, src.byte, 16);
        assert_memory_equal(wire + 24, dst.byte, 16);
    }
}

/* The inner packet goes in as it is: TTL, DF, everything. */
static void
test_tunnel_inner_packet_is_untouched(void **state)
{
    struct packet_spec spec = spec_of(4);
    struct fx_pkt p;
    size_t n, len;

    (void)state;
    spec.ttl = 1;
    spec.df = 1;
    spec.tos = 0xff;
    spec.opt_len = 12;
    len = packet_build(plain, &spec);
    n = seal(&spec, 6, 0, 0);
    assert_status(pair_open(&pair, wire, n, &p), IPSEC_OK);
    assert_true(fx_pkt_is(&p, plain, len));
    fx_pkt_free(&p);
}

/* DF: clear, set, or copied (RFC 4301 section 8.1). */
static void
test_tunnel_df(void **state)
{
    static const struct {
        int version, df;
        uint16_t flags;
        int want;
    } row[] = {
        { 4, 0, 0, 0 }, { 4, 1, 0, 0 }, { 6, 0, 0, 0 },
        { 4, 0, IPSEC_SA_DF_SET, 1 }, { 4, 1, IPSEC_SA_DF_SET, 1 },
        { 6, 0, IPSEC_SA_DF_SET, 1 },
        { 4, 0, IPSEC_SA_DF_COPY, 0 }, { 4, 1, IPSEC_SA_DF_COPY, 1 },
        { 6, 0, IPSEC_SA_DF_COPY, 1 },
        { 4, 0, IPSEC_SA_DF_COPY | IPSEC_SA_DF_SET, 1 },
    };
    struct packet_spec spec;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        spec = spec_of(row[i].version);
        spec.df = (uint8_t)row[i].df;
        seal(&spec, 4, row[i].flags, 0);
        assert_int_equal(wire[6], row[i].want ? 0x40 : 0);
        assert_true(packet_intact(wire));
    }
}

/* DSCP copied or set; ECN copied, or Not-ECT in compatibility mode (RFC 6040
 * section 4.1); the flow label only where asked. */
static void
test_tunnel_tos_and_label(void **state)
{
    struct packet_spec spec;
    unsigned tos, v, want;
    int inner, outer;

    (void)state;
    for (v = 0; v < 4; v++) {
        inner = v & 1 ? 6 : 4;
        outer = v & 2 ? 6 : 4;
        spec = spec_of(inner);
        for (tos = 0; tos < 256; tos += 3) {
            spec.tos = (uint8_t)tos;
            spec.label = 0x54321;
            seal(&spec, outer, 0, 0);
            assert_int_equal(tos_of(wire), tos);
            seal(&spec, outer, IPSEC_SA_NO_ECN, 0);
            assert_int_equal(tos_of(wire), tos & 0xfc);
            seal(&spec, outer, IPSEC_SA_DSCP_SET, 46);
            assert_int_equal(tos_of(wire), 46u << 2 | (tos & 3));
            seal(&spec, outer, IPSEC_SA_DSCP_SET | IPSEC_SA_NO_ECN |
                               IPSEC_SA_LABEL_COPY, 63);
            assert_int_equal(tos_of(wire), 63u << 2);
            if (outer == 6) {
                want = inner == 6 ? 0x54321 : 0;
                assert_int_equal((unsigned)(wire[1] & 15) << 16 |
                                 (unsigned)wire[2] << 8 | wire[3], want);
            }
        }
    }
}

/* RFC 6864: where it may be fragmented, no id twice in 65,536 packets. */
static void
test_tunnel_ipv4_ids_do_not_repeat(void **state)
{
    static uint8_t seen[65536];
    struct packet_spec spec = spec_of(4);
    unsigned id;
    int i;

    (void)state;
    memset(seen, 0, sizeof seen);
    seal(&spec, 4, 0, 0);
    for (i = 0; i < 65536; i++) {
        id = (unsigned)wire[4] << 8 | wire[5];
        assert_int_equal(seen[id]++, 0);
        pair_seal(&pair, &spec, wire);
    }
}

static size_t
inner_of(int version, unsigned ecn)
{
    struct packet_spec spec = spec_of(version);

    spec.tos = (uint8_t)(0x28 << 2 | ecn);
    return packet_build(body, &spec);
}

/* One row of table_ecn_decap.txt, in one pair of families. */
static void
ecn_row(const struct record *rec, int outer, int inner)
{
    uint64_t from, over, want;
    struct craft craft = { 0 };
    struct fx_pkt p;
    size_t len, n;
    int drops;

    assert_true(record_number(rec, "inner_ecn", &from));
    assert_true(record_number(rec, "outer_ecn", &over));
    drops = strcmp(record_get(rec, "action"), "drop") == 0;
    assert_int_equal(record_number(rec, "result_inner_ecn", &want), !drops);
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, outer);
    len = inner_of(inner, (unsigned)from);
    n = body_end(&suites[GCM128], body, len, inner == 4 ? 4 : 41);
    craft.body = body;
    craft.len = n;
    craft.seq = 1;
    craft.tos = (uint8_t)(0x11 << 2 | over); /* DSCP does not get in */
    n = pair_craft(&pair, &craft, wire);
    assert_status(pair_open(&pair, wire, n, &p),
                  drops ? IPSEC_ERR_ECN : IPSEC_OK);
    if (drops) {
        assert_int_equal(pair.b.ips.stats.in_drop[19], 1);
        assert_int_equal(pair.b.audit[0].status, IPSEC_ERR_ECN);
    } else {
        inner_of(inner, (unsigned)want); /* checksum and all */
        assert_true(fx_pkt_is(&p, body, len));
    }
    fx_pkt_free(&p);
}

static void
test_tunnel_ecn_table(void **state)
{
    struct reader reader;
    struct record rec;
    size_t n;

    (void)state;
    assert_int_equal(
        reader_open(&reader, "tests/vectors/table_ecn_decap.txt"), 0);
    for (n = 0; reader_next(&reader, &rec); n++) {
        fx_note("%s", record_get(&rec, "id"));
        ecn_row(&rec, 4, 4);
        ecn_row(&rec, 4, 6);
        ecn_row(&rec, 6, 4);
        ecn_row(&rec, 6, 6);
    }
    assert_int_equal(n, 16);
    reader_close(&reader);
}

/* In transport mode the one header there is has the marks. */
static void
test_tunnel_ecn_is_not_for_transport_mode(void **state)
{
    struct craft craft = { 0 };
    struct fx_pkt p;
    size_t n;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TRANSPORT, 4);
    memset(body, 7, 20);
    craft.body = body;
    craft.len = body_end(&suites[GCM128], body, 20, 17);
    craft.seq = 1;
    craft.tos = 3;
    n = pair_craft(&pair, &craft, wire);
    assert_status(pair_open(&pair, wire, n, &p), IPSEC_OK);
    assert_int_equal(p.pkt.buf.data[1], 3);
    assert_true(packet_intact(p.pkt.buf.data));
    fx_pkt_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tunnel_outer_ipv4_field_by_field),
        cmocka_unit_test(test_tunnel_outer_ipv6_field_by_field),
        cmocka_unit_test(test_tunnel_inner_packet_is_untouched),
        cmocka_unit_test(test_tunnel_df),
        cmocka_unit_test(test_tunnel_tos_and_label),
        cmocka_unit_test(test_tunnel_ipv4_ids_do_not_repeat),
        cmocka_unit_test(test_tunnel_ecn_table),
        cmocka_unit_test(test_tunnel_ecn_is_not_for_transport_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
