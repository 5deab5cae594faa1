/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

static int
parse(struct ipsec_flow *flow, int dir, const uint8_t *data, size_t len)
{
    struct fx_pkt p;
    int rc;

    memset(flow, 0x5a, sizeof *flow); /* nothing of it must be left */
    fx_pkt_new(&p, data, len, 1, 0);
    rc = ipsec_flow_parse(flow, dir, &p.pkt.buf);
    fx_pkt_free(&p);
    return rc;
}

static void
assert_addr(const struct ipsec_addr *a, const char *text)
{
    struct ipsec_addr want = addr(text);

    assert_memory_equal(a, &want, sizeof want);
}

/* Selectors of RFC 4301 section 4.4.1.1. */
static void
test_flow_of_each_protocol(void **state)
{
    static const struct {
        uint8_t proto;
        uint8_t opaque;
        size_t payload;
    } row[] = {
        { 6, 0, 0 }, { 17, 0, 5 }, { 33, 0, 0 }, { 132, 0, 9 }, { 136, 0, 0 },
        { 1, 0, 0 }, { 58, 0, 0 }, { 50, 1, 40 }, { 51, 1, 40 }, { 47, 1, 20 },
        { 4, 1, 20 }, { 41, 1, 40 }, { 59, 1, 0 }, { 0xfd, 1, 4 },
        { 135, 0, 0 }, { 135, 0, 16 }
    };
    struct packet_spec spec = { .sport = 0x1234, .dport = 0x5678 };
    struct ipsec_flow f;
    uint8_t b[256];
    size_t i, len;
    int v6, icmp;

    (void)state;
    for (i = 0; i < 2 * COUNT(row); i++) {
        v6 = i % 2;
        spec.src = v6 ? "2001:db8:a::1" : "10.1.0.1";
        spec.dst = v6 ? "2001:db8:b::2" : "10.2.0.2";
        spec.proto = row[i / 2].proto;
        spec.payload = row[i / 2].payload;
        icmp = spec.proto == 1 || spec.proto == 58 || spec.proto == 135;
        spec.sport = spec.proto == 135 ? 0x1200 : 0x1234;
        fx_note("proto %u over IPv%d", spec.proto, v6 ? 6 : 4);
        len = packet_build(b, &spec);
        assert_status(parse(&f, IPSEC_OUT, b, len), IPSEC_OK);
        assert_addr(&f.local, spec.src);
        assert_addr(&f.remote, spec.dst);
        assert_int_equal(f.proto, spec.proto);
        assert_int_equal(f.opaque, row[i / 2].opaque);
        assert_int_equal(f.local_port, f.opaque ? 0 : spec.sport);
        assert_int_equal(f.remote_port,
                         f.opaque ? 0 : icmp ? spec.sport : 0x5678);
        assert_int_equal(f.spd_id, 0);
        assert_status(parse(&f, IPSEC_IN, b, len), IPSEC_OK);
        assert_addr(&f.local, spec.dst);
        assert_addr(&f.remote, spec.src);
        assert_int_equal(f.local_port,
                         f.opaque ? 0 : icmp ? spec.sport : 0x5678);
        assert_int_equal(f.remote_port, f.opaque ? 0 : spec.sport);
    }
}

/* RFC 4301 section 4.4.1.1: what a fragment does not show is OPAQUE. */
static void
test_flow_of_fragments(void **state)
{
    static const struct {
        const char *src, *ext;
        uint8_t mf;
        uint16_t frag;
        uint8_t opaque;
    } row[] = {
        { "10.1.0.1", "", 1, 0, 0 },
        { "10.1.0.1", "", 0, 1, 1 },
        { "10.1.0.1", "", 1, 100, 1 },
        { "fd00::1", "f", 0, 0, 0 },
        { "fd00::1", "l", 0, 0, 1 },
        { "fd00::1", "a", 0, 0, 0 },
        { "fd00::1", "hdrl", 0, 0, 1 },
    };
    struct packet_spec spec = {
        .proto = 17, .sport = 1000, .dport = 2000, .payload = 32
    };
    struct ipsec_flow f;
    uint8_t b[256];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        spec.src = row[i].src;
        spec.dst = strchr(spec.src, ':') != NULL ? "fd00::2" : "10.9.9.9";
        spec.ext = row[i].ext;
        spec.mf = row[i].mf;
        spec.frag = row[i].frag;
        assert_status(parse(&f, IPSEC_OUT, b, packet_build(b, &spec)),
                      IPSEC_OK);
        assert_int_equal(f.proto, 17);
        assert_int_equal(f.opaque, row[i].opaque);
        assert_int_equal(f.remote_port, row[i].opaque ? 0 : 2000);
    }
}

/* IPv6 only: a later fragment may name an extension header, and what that
 * would name is not in it (RFC 4301 section 4.4.1.1). A-4.4.1.1-2 */
static void
test_flow_of_fragments_that_hide_their_protocol(void **state)
{
    static const struct {
        const char *src, *ext;
        uint8_t proto, opaque;
    } row[] = {
        { "fd00::1", "lh", 17, 3 }, { "fd00::1", "lr", 17, 3 },
        { "fd00::1", "ld", 17, 3 }, { "fd00::1", "hll", 17, 3 },
        { "fd00::1", "hdl", 17, 1 }, { "fd00::1", "l", 135, 1 },
        { "fd00::1", "l", 50, 1 }, { "fd00::1", "l", 51, 1 },
        { "fd00::1", "l", 59, 1 }, { "fd00::1", "fd", 17, 0 },
        { "fd00::1", "ad", 17, 0 }, { "fd00::1", "", 50, 1 },
        { "10.1.0.1", "", 0, 1 }, { "10.1.0.1", "", 43, 1 },
        { "10.1.0.1", "", 44, 1 }, { "10.1.0.1", "", 60, 1 },
    };
    struct packet_spec spec = { .payload = 32 };
    struct ipsec_flow f;
    uint8_t b[256];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        spec.src = row[i].src;
        spec.dst = strchr(spec.src, ':') != NULL ? "fd00::2" : "10.9.9.9";
        spec.ext = row[i].ext;
        spec.proto = row[i].proto;
        spec.frag = spec.dst[0] == '1' ? 9 : 0;
        assert_status(parse(&f, IPSEC_IN, b, packet_build(b, &spec)),
                      IPSEC_OK);
        assert_int_equal(f.opaque, row[i].opaque);
    }
}

/* Packets that end within the ports: opaque, and not a byte read beyond. */
static void
test_flow_of_short_next_layers(void **state)
{
    static const struct {
        uint8_t proto;
        size_t need;
    } row[] = { { 6, 4 }, { 17, 4 }, { 33, 4 }, { 132, 4 }, { 136, 4 },
                { 1, 2 }, { 58, 2 }, { 135, 3 } };
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2" };
    struct ipsec_flow f;
    uint8_t b[256] = { 0 };
    size_t i, n;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        for (n = 0; n < 8; n++) {
            fx_note("proto %u, %zu bytes", row[i].proto, n);
            spec.proto = row[i].proto;
            packet_build(b, &spec);
            b[2] = 0;
            b[3] = (uint8_t)(20 + n);
            assert_status(parse(&f, IPSEC_IN, b, 20 + n), IPSEC_OK);
            assert_int_equal(f.opaque, n < row[i].need);
        }
    }
}

/* attacks.md 1, 2, 18 */
static void
test_flow_refuses_what_is_no_ip(void **state)
{
    struct packet_spec spec = {
        .src = "10.1.0.1", .dst = "10.2.0.2", .proto = 17, .payload = 30
    };
    struct ipsec_flow f;
    uint8_t b[128];
    size_t len = packet_build(b, &spec), i;
    unsigned version;

    (void)state;
    for (i = 0; i < len; i++) {
        assert_status(parse(&f, IPSEC_IN, b, i), IPSEC_ERR_MALFORMED);
    }
    for (version = 0; version < 16; version++) {
        b[0] = (uint8_t)(version << 4 | 5);
        assert_status(parse(&f, IPSEC_IN, b, len), version == 4
                      ? IPSEC_OK : IPSEC_ERR_MALFORMED);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flow_of_each_protocol),
        cmocka_unit_test(test_flow_of_fragments),
        cmocka_unit_test(test_flow_of_fragments_that_hide_their_protocol),
        cmocka_unit_test(test_flow_of_short_next_layers),
        cmocka_unit_test(test_flow_refuses_what_is_no_ip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
