/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"

static const struct packet_spec udp = {
    .src = "10.1.0.1", .dst = "10.2.0.2", .proto = 17, .sport = 5000,
    .dport = 7, .payload = 12, .tos = 0xb8, .df = 1
};

static int
parse(struct ipsec_ip *ip, const uint8_t *data, size_t len)
{
    struct fx_pkt p;
    int rc;

    fx_pkt_new(&p, data, len, 3, 0);
    rc = ipsec_ip4_parse(ip, p.pkt.buf.data, len);
    fx_pkt_free(&p);
    return rc;
}

static void
test_ip4_parse_reads_the_header(void **state)
{
    struct packet_spec spec = udp;
    struct ipsec_ip ip;
    uint8_t b[128];
    size_t len = packet_build(b, &spec), opt;

    (void)state;
    assert_status(parse(&ip, b, len), IPSEC_OK);
    assert_int_equal(ip.version, 4);
    assert_int_equal(ip.len, len);
    assert_int_equal(ip.off, 20);
    assert_int_equal(ip.ins, 20);
    assert_int_equal(ip.nh, 9);
    assert_int_equal(ip.ins_nh, 9);
    assert_int_equal(ip.proto, 17);
    assert_int_equal(ip.tos, 0xb8);
    assert_int_equal(ip.df, 1);
    assert_int_equal(ip.frag, FRAG_NONE);
    for (opt = 4; opt <= 40; opt += 4) {
        spec.opt_len = opt;
        len = packet_build(b, &spec);
        assert_status(parse(&ip, b, len), IPSEC_OK);
        assert_int_equal(ip.off, 20 + opt);
        assert_int_equal(ip.ins, 20 + opt);
        assert_int_equal(ip.len, len);
    }
}

static void
test_ip4_parse_knows_fragments(void **state)
{
    static const struct {
        uint8_t df, mf;
        uint16_t frag;
        int want;
    } row[] = {
        { 0, 0, 0, FRAG_NONE },  { 1, 0, 0, FRAG_NONE },
        { 0, 1, 0, FRAG_FIRST }, { 1, 1, 0, FRAG_FIRST },
        { 0, 0, 1, FRAG_LATER }, { 0, 1, 1, FRAG_LATER },
        { 0, 0, 0x1ff8, FRAG_LATER }, { 0, 1, 0x1000, FRAG_LATER },
        { 1, 0, 0x100, FRAG_LATER }
    };
    struct packet_spec spec = udp;
    struct ipsec_ip ip;
    uint8_t b[128];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        spec.df = row[i].df;
        spec.mf = row[i].mf;
        spec.frag = row[i].frag;
        spec.id = (uint16_t)(0xfff0 + i);
        assert_status(parse(&ip, b, packet_build(b, &spec)), IPSEC_OK);
#ifndef IPSEC_NO_FRAGMENTS
        assert_true(ip.id == 0xfff0 + i);
#endif
        assert_int_equal(ip.frag, row[i].want);
        assert_int_equal(ip.df, row[i].df);
    }
}

/* attacks.md 1, 3 to 7 */
/* attacks.md 75, A-7.2-1: what would lie on top of a TCP header (RFC 3128). */
static void
test_ip4_minimum_offset(void **state)
{
    static const struct {
        uint8_t proto;
        uint16_t frag;
        int want;
    } row[] = {
        { 6, 1, IPSEC_ERR_MALFORMED }, { 6, 2, IPSEC_OK },
        { 6, 0x101, IPSEC_OK }, { 6, 0, IPSEC_OK },
        { 17, 1, IPSEC_OK }, { 50, 1, IPSEC_OK }
    };
    struct packet_spec spec = udp;
    struct ipsec_ip ip;
    uint8_t b[128];
    size_t i, len;

    (void)state;
    for (i = 0; i < 2 * COUNT(row); i++) {
        fx_note("row %zu", i / 2);
        spec.proto = row[i / 2].proto;
        spec.frag = row[i / 2].frag;
        spec.mf = i & 1;
        len = packet_build(b, &spec);
        assert_status(ipsec_ip4_parse(&ip, b, len), row[i / 2].want);
    }
}

/* attacks.md 78: the end of what a datagram can hold. */
static void
test_ip4_fragments_end_within_a_datagram(void **state)
{
    struct packet_spec spec = udp;
    struct ipsec_ip ip;
    uint8_t b[128];
    size_t len;

    (void)state;
    for (spec.opt_len = 0; spec.opt_len <= 40; spec.opt_len += 20) {
        for (spec.payload = 0; spec.payload < 40; spec.payload++) {
            len = packet_build(b, &spec);
            put16(b + 6, (uint32_t)(65535 - len) / 8);
            assert_status(ipsec_ip4_parse(&ip, b, len), IPSEC_OK);
            put16(b + 6, (uint32_t)(65535 - len) / 8 + 1);
            assert_status(ipsec_ip4_parse(&ip, b, len), IPSEC_ERR_MALFORMED);
            put16(b + 6, 0x3fff);
            assert_status(ipsec_ip4_parse(&ip, b, len), IPSEC_ERR_MALFORMED);
        }
    }
}

static void
test_ip4_parse_refuses_what_does_not_add_up(void **state)
{
    struct ipsec_ip ip;
    uint8_t b[128];
    size_t len = packet_build(b, &udp), i;
    uint8_t ihl;

    (void)state;
    for (i = 0; i < len; i++) {
        assert_status(parse(&ip, b, i), IPSEC_ERR_MALFORMED);
    }
    assert_status(parse(&ip, b, len), IPSEC_OK);
    for (ihl = 0; ihl < 5; ihl++) {
        b[0] = (uint8_t)(0x40 | ihl);
        assert_status(parse(&ip, b, len), IPSEC_ERR_MALFORMED);
    }
    b[0] = 0x4b; /* 44 bytes, and the packet has 40 */
    assert_int_equal(len, 40);
    assert_status(parse(&ip, b, len), IPSEC_ERR_MALFORMED);
    b[0] = 0x4a;
    assert_status(parse(&ip, b, len), IPSEC_OK);
    b[0] = 0x45;
    for (i = 0; i < 65536; i++) {
        b[2] = (uint8_t)(i >> 8);
        b[3] = (uint8_t)i;
        assert_status(parse(&ip, b, len), i >= 20 && i <= len
                      ? IPSEC_OK : IPSEC_ERR_MALFORMED);
    }
}

static void
test_ip4_length_is_its_own_not_the_links(void **state)
{
    struct ipsec_ip ip;
    uint8_t b[128] = { 0 };
    size_t len = packet_build(b, &udp);

    (void)state;
    assert_status(parse(&ip, b, len + 6), IPSEC_OK);
    assert_int_equal(ip.len, len);
}

static void
test_ip4_checksum_is_seen_and_made(void **state)
{
    struct packet_spec spec = udp;
    uint8_t b[128], keep[128];
    size_t i, opt;

    (void)state;
    for (opt = 0; opt <= 40; opt += 20) {
        spec.opt_len = opt;
        packet_build(b, &spec);
        memcpy(keep, b, sizeof b);
        assert_true(ipsec_ip4_intact(b));
        for (i = 1; i < 20 + opt; i++) { /* byte 0 says how long it is */
            b[i] ^= 0x10;
            assert_false(ipsec_ip4_intact(b));
            b[i] ^= 0x10;
        }
        b[10] = b[11] = 0x77;
        ipsec_ip4_seal(b);
        assert_memory_equal(b, keep, 20 + opt);
    }
}

static void
test_ip4_set_tos_keeps_the_rest(void **state)
{
    struct packet_spec spec = udp;
    uint8_t b[128], want[128];
    unsigned tos;

    (void)state;
    for (tos = 0; tos < 256; tos++) {
        spec.tos = (uint8_t)tos;
        packet_build(want, &spec);
        packet_build(b, &udp);
        ipsec_ip4_set_tos(b, (uint8_t)tos);
        assert_memory_equal(b, want, 40);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ip4_parse_reads_the_header),
        cmocka_unit_test(test_ip4_parse_knows_fragments),
        cmocka_unit_test(test_ip4_minimum_offset),
        cmocka_unit_test(test_ip4_fragments_end_within_a_datagram),
        cmocka_unit_test(test_ip4_parse_refuses_what_does_not_add_up),
        cmocka_unit_test(test_ip4_length_is_its_own_not_the_links),
        cmocka_unit_test(test_ip4_checksum_is_seen_and_made),
        cmocka_unit_test(test_ip4_set_tos_keeps_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
