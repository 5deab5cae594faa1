/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"

static struct packet_spec
spec_of(const char *ext)
{
    struct packet_spec spec = {
        .src = "2001:db8:a::1", .dst = "2001:db8:b::2", .proto = 17,
        .sport = 5000, .dport = 7, .payload = 12, .tos = 0xb8,
        .label = 0x12345
    };

    spec.ext = ext;
    return spec;
}

static int
parse(struct ipsec_ip *ip, const uint8_t *data, size_t len)
{
    struct fx_pkt p;
    int rc;

    fx_pkt_new(&p, data, len, 1, 0);
    rc = ipsec_ip6_parse(ip, p.pkt.buf.data, len);
    fx_pkt_free(&p);
    return rc;
}

/* Where the next layer is; where transport mode puts ESP: behind hop-by-hop,
 * routing and fragment headers, before destination options for the far end
 * (RFC 4303 section 3.1.1). A-4.1-11, A-4.4.1.1-3 */
static void
test_ip6_parse_walks_extension_headers(void **state)
{
    static const struct {
        const char *ext;
        size_t off, nh, ins, ins_nh;
        int frag;
    } row[] = {
        { "", 40, 6, 40, 6, FRAG_NONE },
        { "h", 48, 40, 48, 40, FRAG_NONE },
        { "d", 48, 40, 40, 6, FRAG_NONE },
        { "D", 64, 40, 40, 6, FRAG_NONE },
        { "r", 64, 40, 64, 40, FRAG_NONE },
        { "hd", 56, 48, 48, 40, FRAG_NONE },
        { "hr", 72, 48, 72, 48, FRAG_NONE },
        { "dr", 72, 48, 72, 48, FRAG_NONE },
        { "drd", 80, 72, 72, 48, FRAG_NONE },
        { "hdrD", 104, 80, 80, 56, FRAG_NONE },
        { "a", 48, 40, 48, 40, FRAG_NONE },
        { "ad", 56, 48, 48, 40, FRAG_NONE },
        { "f", 48, 40, 48, 40, FRAG_FIRST },
        { "hf", 56, 48, 56, 48, FRAG_FIRST },
        { "hrfd", 88, 80, 80, 72, FRAG_FIRST },
        { "l", 48, 40, 48, 40, FRAG_LATER },
        { "hl", 56, 48, 56, 48, FRAG_LATER },
    };
    struct packet_spec spec;
    struct ipsec_ip ip;
    uint8_t b[256];
    size_t i, len;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("ext \"%s\"", row[i].ext);
        spec = spec_of(row[i].ext);
        len = packet_build(b, &spec);
        assert_status(parse(&ip, b, len), IPSEC_OK);
        assert_int_equal(ip.version, 6);
        assert_int_equal(ip.len, len);
        assert_int_equal(ip.off, row[i].off);
        assert_int_equal(ip.nh, row[i].nh);
        assert_int_equal(ip.ins, row[i].ins);
        assert_int_equal(ip.ins_nh, row[i].ins_nh);
        assert_int_equal(ip.frag, row[i].frag);
        assert_int_equal(ip.proto, 17);
        assert_int_equal(ip.tos, 0xb8);
        assert_int_equal(ip.df, 1);
    }
}

/* What follows a later fragment's header is not a header. */
static void
test_ip6_parse_stops_at_a_later_fragment(void **state)
{
    struct packet_spec spec = spec_of("ld");
    struct ipsec_ip ip;
    uint8_t b[256];

    (void)state;
    assert_status(parse(&ip, b, packet_build(b, &spec)), IPSEC_OK);
    assert_int_equal(ip.proto, 60);
    assert_int_equal(ip.off, 48);
}

/* attacks.md 2, 8, 9, 85 to 87, 89, 91 */
static void
test_ip6_parse_refuses_bad_chains(void **state)
{
    static const struct {
        const char *ext;
        int want;
    } row[] = {
        { "dh", IPSEC_ERR_MALFORMED },  /* hop-by-hop not first */
        { "hh", IPSEC_ERR_MALFORMED },
        { "R", IPSEC_ERR_MALFORMED },   /* routing header of type 0 */
        { "hdR", IPSEC_ERR_MALFORMED },
        { "ff", IPSEC_ERR_MALFORMED },  /* two fragment headers */
        { "af", IPSEC_ERR_MALFORMED },
        { "al", IPSEC_ERR_MALFORMED },
        { "hdddddd", IPSEC_OK },
        { "hddddddd", IPSEC_OK },       /* eight */
        { "hdddddddd", IPSEC_ERR_MALFORMED },
        { "dddddddddddddddd", IPSEC_ERR_MALFORMED },
    };
    struct packet_spec spec;
    struct ipsec_ip ip;
    uint8_t b[512];
    size_t i, len;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("ext \"%s\"", row[i].ext);
        spec = spec_of(row[i].ext);
        len = packet_build(b, &spec);
        assert_status(parse(&ip, b, len), row[i].want);
    }
}

static void
test_ip6_parse_refuses_what_does_not_add_up(void **state)
{
    struct packet_spec spec = spec_of("hr");
    struct ipsec_ip ip;
    uint8_t b[256];
    size_t len = packet_build(b, &spec), i;

    (void)state;
    for (i = 0; i < len; i++) {
        assert_status(parse(&ip, b, i), IPSEC_ERR_MALFORMED);
    }
    for (i = 0; i < 65536; i++) { /* headers take 32 bytes of its payload */
        b[4] = (uint8_t)(i >> 8);
        b[5] = (uint8_t)i;
        assert_status(parse(&ip, b, len), i >= 32 && i <= len - 40
                      ? IPSEC_OK : IPSEC_ERR_MALFORMED);
    }
    len = packet_build(b, &spec);
    for (i = 0; i < 256; i++) {
        b[49] = (uint8_t)i; /* length of the routing header */
        assert_status(parse(&ip, b, len),
                      48 + (i + 1) * 8 <= len ? IPSEC_OK
                                              : IPSEC_ERR_MALFORMED);
    }
}

/* Where the Fragment header is, and what names it and the datagram. */
static void
test_ip6_fragment_header_is_found(void **state)
{
    static const struct {
        const char *ext;
        size_t fh, nh;
    } row[] = {
        { "", 0, 0 }, { "hdr", 0, 0 }, { "f", 40, 6 }, { "a", 40, 6 },
        { "hf", 48, 40 }, { "drlh", 72, 48 }, { "hrfd", 72, 48 }
    };
    struct packet_spec spec;
    struct ipsec_ip ip;
    uint8_t b[256];
    size_t i, len;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("ext \"%s\"", row[i].ext);
        spec = spec_of(row[i].ext);
        len = packet_build(b, &spec);
        if (row[i].fh != 0) {
            put32(b + row[i].fh + 4, 0xfedcba98);
        }
        assert_status(parse(&ip, b, len), IPSEC_OK);
        assert_int_equal(ip.fh, row[i].fh);
        assert_int_equal(ip.fh_nh, row[i].nh);
        assert_true(ip.id == (row[i].fh != 0 ? 0xfedcba98 : 0));
    }
}

static void
test_ip6_fragment_header_is_cut(void **state)
{
    struct packet_spec spec = spec_of("f");
    struct ipsec_ip ip;
    uint8_t b[256];
    size_t i;

    (void)state;
    packet_build(b, &spec);
    for (i = 0; i < 8; i++) {
        b[4] = 0;
        b[5] = (uint8_t)i;
        assert_status(parse(&ip, b, 40 + i), IPSEC_ERR_MALFORMED);
    }
    b[5] = 8;
    assert_status(parse(&ip, b, 48), IPSEC_OK);
    /* its second byte is reserved, not a length */
    b[41] = 0xff;
    assert_status(parse(&ip, b, 48), IPSEC_OK);
    assert_int_equal(ip.off, 48);
}

/* attacks.md 90: a number that is no extension header ends the chain. */
static void
test_ip6_unknown_next_header_is_the_protocol(void **state)
{
    struct packet_spec spec = spec_of("hd");
    struct ipsec_ip ip;
    uint8_t b[256];
    unsigned proto;
    size_t len;

    (void)state;
    for (proto = 0; proto < 256; proto++) {
        if (proto == 0 || proto == 43 || proto == 44 || proto == 60) {
            continue;
        }
        spec.proto = (uint8_t)proto;
        len = packet_build(b, &spec);
        assert_status(parse(&ip, b, len), IPSEC_OK);
        assert_int_equal(ip.proto, proto);
        assert_int_equal(ip.off, 56);
    }
}

static void
test_ip6_set_tos_keeps_the_rest(void **state)
{
    struct packet_spec spec = spec_of("");
    uint8_t b[256], want[256];
    unsigned tos;

    (void)state;
    for (tos = 0; tos < 256; tos++) {
        spec.tos = 0xb8;
        packet_build(b, &spec);
        spec.tos = (uint8_t)tos;
        ipsec_ip6_set_tos(b, (uint8_t)tos);
        assert_memory_equal(b, want, packet_build(want, &spec));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ip6_parse_walks_extension_headers),
        cmocka_unit_test(test_ip6_parse_stops_at_a_later_fragment),
        cmocka_unit_test(test_ip6_parse_refuses_bad_chains),
        cmocka_unit_test(test_ip6_parse_refuses_what_does_not_add_up),
        cmocka_unit_test(test_ip6_fragment_header_is_found),
        cmocka_unit_test(test_ip6_fragment_header_is_cut),
        cmocka_unit_test(test_ip6_unknown_next_header_is_the_protocol),
        cmocka_unit_test(test_ip6_set_tos_keeps_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
