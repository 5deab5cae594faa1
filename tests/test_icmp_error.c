/* SPDX-License-Identifier: MIT */
#include "fake/icmp.h"

/* ICMP errors that a verdict calls for (RFC 4301 sections 5.1.1, 8.2.1). */

static struct fx_pkt p;

static const char *const inside[] = { "10.1.0.1", "2001:db8:a::1" };
static const char *const beyond[] = { "10.2.0.2", "2001:db8:b::2" };
static const char *const gate[] = { "10.1.0.254", "2001:db8:a::fe" };

static struct packet_spec
udp(int version, size_t payload)
{
    struct packet_spec spec = { 0 };

    spec.src = inside[version == 6];
    spec.dst = beyond[version == 6];
    spec.proto = 17;
    spec.payload = payload;
    spec.df = 1;
    return spec;
}

/* The error about `spec`, at `out`, of just `room` bytes. */
static size_t
tell_in(const struct packet_spec *spec, int status, uint8_t **out, size_t room)
{
    struct ipsec_addr from = addr(gate[strchr(spec->src, ':') != NULL]);
    uint8_t before[4096];
    size_t len;

    fx_pkt_build(&p, spec, 0, 0);
    memcpy(before, p.mem, p.size);
    p.pkt.mtu = 1346;
    *out = malloc(room > 0 ? room : 1);
    assert_non_null(*out);
    len = ipsec_icmp_error(&p.pkt, status, &from, *out, room);
    assert_memory_equal(p.mem, before, p.size);
    fx_pkt_free(&p);
    return len;
}

static size_t
tell(const struct packet_spec *spec, int status)
{
    uint8_t *out;
    size_t len = tell_in(spec, status, &out, 1280);

    free(out);
    return len;
}

/* A-5.1.1-1, A-8.2.1-2, A-8.2.1-4: each cause has its type and code. */
static void
test_icmp_error_of_each_verdict(void **state)
{
    static const struct {
        int      status;
        uint16_t v4, v6; /* type << 8 | code; 0: none */
    } row[] = {
        { IPSEC_ERR_TOO_BIG, 0x0304, 0x0200 },
        { IPSEC_ERR_DISCARD, 0x030d, 0x0101 },
        { IPSEC_ERR_NO_POLICY, 0x030d, 0x0101 },
        { IPSEC_ERR_SELECTOR, 0x030d, 0x0101 },
        { IPSEC_ERR_MODE, 0x030d, 0x0101 },
        { IPSEC_ERR_NO_SA, 0x0301, 0x0103 }
    };
    struct packet_spec spec;
    uint8_t *out, want[4096];
    size_t i, len, at;
    int version, status;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        at = version == 4 ? 20 : 40;
        spec = udp(version, 100);
        for (i = 0; i < COUNT(row); i++) {
            len = tell_in(&spec, row[i].status, &out, 300);
            assert_int_equal(len, at + 8 + at + 108);
            assert_int_equal(packet_len(out), len);
            assert_true(packet_intact(out) && icmp_intact(out));
            assert_int_equal(out[at] << 8 | out[at + 1],
                             version == 4 ? row[i].v4 : row[i].v6);
            assert_int_equal(out[at + 4] | out[at + 5], 0);
            assert_int_equal(out[at + 6] << 8 | out[at + 7],
                             row[i].status == IPSEC_ERR_TOO_BIG ? 1346 : 0);
            packet_build(want, &spec);
            assert_memory_equal(out + at + 8, want, at + 108);
            free(out);
        }
        for (status = -70; status < 10; status++) {
            for (i = 0; i < COUNT(row) && row[i].status != status; i++) {
            }
            assert_int_equal(tell(&spec, status) != 0, i < COUNT(row));
        }
    }
}

/* The header of it (RFC 1812 section 4.3.2, RFC 6864 section 4.1). */
static void
test_icmp_error_header(void **state)
{
    static const uint8_t want4[20] = {
        0x45, 0xc0, 0x00, 0x38, 0, 0, 0x40, 0, 64, 1, 0, 0,
        10, 1, 0, 254, 10, 1, 0, 1
    };
    static const uint8_t want6[8] = { 0x60, 0, 0, 0, 0, 56, 58, 64 };
    struct packet_spec spec = udp(4, 0);
    struct ipsec_addr a;
    uint8_t *out;

    (void)state;
    spec.tos = 0xb9;
    spec.ttl = 3;
    spec.id = 4711;
    assert_int_equal(tell_in(&spec, IPSEC_ERR_DISCARD, &out, 56), 56);
    out[10] = out[11] = 0;
    assert_memory_equal(out, want4, sizeof want4);
    free(out);
    spec = udp(6, 0);
    spec.tos = 0xb9;
    spec.label = 0x12345;
    assert_int_equal(tell_in(&spec, IPSEC_ERR_DISCARD, &out, 96), 96);
    assert_memory_equal(out, want6, sizeof want6);
    a = addr(gate[1]);
    assert_memory_equal(out + 8, a.byte, 16);
    a = addr(inside[1]);
    assert_memory_equal(out + 24, a.byte, 16);
    free(out);
}

/* As much as fits 576 bytes (RFC 1812 section 4.3.2.3), 1280 over IPv6, and
 * what the link has put behind the packet is no part of it. */
static void
test_icmp_error_quotes_what_fits(void **state)
{
    struct packet_spec spec;
    struct ipsec_addr from;
    uint8_t *out, data[4096];
    int version;
    size_t len, most, head, want;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        most = version == 4 ? 576 : 1280;
        head = version == 4 ? 28 : 48;
        for (len = head; len < 1600; len += len > most ? 97 : 1) {
            spec = udp(version, len - head);
            want = len + head < most ? len + head : most;
            assert_int_equal(tell_in(&spec, IPSEC_ERR_DISCARD, &out, want),
                             want);
            assert_true(icmp_intact(out));
            free(out);
            assert_int_equal(tell_in(&spec, IPSEC_ERR_DISCARD, &out,
                                     want - 1), 0);
            free(out);
        }
        from = addr(gate[version == 6]);
        spec = udp(version, 10);
        len = packet_build(data, &spec);
        memset(data + len, 0xee, 20);
        fx_pkt_new(&p, data, len + 20, 0, 0);
        out = malloc(1280);
        assert_non_null(out);
        assert_int_equal(ipsec_icmp_error(&p.pkt, IPSEC_ERR_DISCARD, &from,
                                          out, 1280), len + head);
        free(out);
        fx_pkt_free(&p);
    }
}

/* attacks.md 147: never about an ICMP error; about other ICMP it is fine. */
static void
test_icmp_error_about_icmp(void **state)
{
    static const uint8_t error4[] = { 3, 4, 5, 11, 12 };
    struct packet_spec spec;
    unsigned type;
    int told;

    (void)state;
    for (type = 0; type < 256; type++) {
        spec = udp(4, 40);
        spec.proto = 1;
        spec.sport = (uint16_t)(type << 8);
        fx_note("type %u", type);
        told = memchr(error4, (int)type, sizeof error4) == NULL;
        assert_int_equal(tell(&spec, IPSEC_ERR_DISCARD) != 0, told);
        spec.proto = 58; /* which it is not, over IPv4 */
        assert_true(tell(&spec, IPSEC_ERR_DISCARD) != 0);
        spec = udp(6, 40);
        spec.proto = 58;
        spec.sport = (uint16_t)(type << 8);
        told = type >= 128 && type != 137;
        assert_int_equal(tell(&spec, IPSEC_ERR_TOO_BIG) != 0, told);
        spec.ext = "hd";
        assert_int_equal(tell(&spec, IPSEC_ERR_TOO_BIG) != 0, told);
        spec.ext = "f";
        assert_int_equal(tell(&spec, IPSEC_ERR_TOO_BIG) != 0, told);
    }
}

/* ICMP whose type can't be seen may be an error. */
static void
test_icmp_error_about_icmp_without_a_type(void **state)
{
    struct ipsec_addr from = addr(gate[0]);
    struct packet_spec spec = udp(4, 0);
    uint8_t data[64], out[576];
    size_t len;

    (void)state;
    spec.proto = 1;
    spec.sport = 0x0800;
    packet_build(data, &spec);
    for (len = 20; len <= 28; len++) {
        data[3] = (uint8_t)len;
        packet_fix(data);
        fx_pkt_new(&p, data, len, 0, 0);
        assert_int_equal(ipsec_icmp_error(&p.pkt, IPSEC_ERR_DISCARD, &from,
                                          out, sizeof out),
                         len >= 22 ? len + 28 : 0);
        fx_pkt_free(&p);
    }
}

/* RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e). */
static void
test_icmp_error_about_whom(void **state)
{
    static const struct {
        const char *src, *dst;
        int         told, told_big;
    } row[] = {
        { "10.1.0.1", "10.2.0.2", 1, 1 },
        { "0.0.0.0", "10.2.0.2", 0, 0 }, { "0.1.2.3", "10.2.0.2", 0, 0 },
        { "127.0.0.1", "10.2.0.2", 0, 0 },
        { "126.0.0.1", "10.2.0.2", 1, 1 }, { "128.0.0.1", "10.2.0.2", 1, 1 },
        { "223.255.255.1", "10.2.0.2", 1, 1 },
        { "224.0.0.1", "10.2.0.2", 0, 0 }, { "239.1.1.1", "10.2.0.2", 0, 0 },
        { "240.0.0.1", "10.2.0.2", 0, 0 },
        { "255.255.255.255", "10.2.0.2", 0, 0 },
        { "10.1.0.1", "224.0.0.5", 0, 0 }, { "10.1.0.1", "239.9.9.9", 0, 0 },
        { "10.1.0.1", "223.9.9.9", 1, 1 },
        { "10.1.0.1", "255.255.255.255", 0, 0 },
        { "2001:db8::1", "2001:db8::2", 1, 1 },
        { "::", "2001:db8::2", 0, 0 }, { "ff02::1", "2001:db8::2", 0, 0 },
        { "2001:db8::1", "ff02::1", 0, 1 }, { "::1", "2001:db8::2", 1, 1 },
        { "fe80::1", "2001:db8::2", 1, 1 }
    };
    struct packet_spec spec;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        spec = udp(4, 40);
        spec.src = row[i].src;
        spec.dst = row[i].dst;
        assert_int_equal(tell(&spec, IPSEC_ERR_NO_SA) != 0, row[i].told);
        assert_int_equal(tell(&spec, IPSEC_ERR_TOO_BIG) != 0,
                         row[i].told_big);
    }
}

/* Fragments but the first; and of those that may be fragmented none is too
 * big (RFC 4301 section 8.2.1, case 2). */
static void
test_icmp_error_about_fragments(void **state)
{
    struct packet_spec spec = udp(4, 40);

    (void)state;
    spec.df = 0;
    assert_int_equal(tell(&spec, IPSEC_ERR_TOO_BIG), 0);
    assert_true(tell(&spec, IPSEC_ERR_DISCARD) != 0);
    spec.mf = 1;
    assert_true(tell(&spec, IPSEC_ERR_DISCARD) != 0);
    spec.frag = 1;
    assert_int_equal(tell(&spec, IPSEC_ERR_DISCARD), 0);
    spec.mf = 0;
    assert_int_equal(tell(&spec, IPSEC_ERR_DISCARD), 0);
    spec = udp(6, 40);
    spec.ext = "f";
    assert_true(tell(&spec, IPSEC_ERR_TOO_BIG) != 0);
    spec.ext = "l";
    assert_int_equal(tell(&spec, IPSEC_ERR_TOO_BIG), 0);
    spec.ext = "a";
    assert_true(tell(&spec, IPSEC_ERR_TOO_BIG) != 0);
}

/* A packet that is not as it was, or is none; an address that doesn't suit. */
static void
test_icmp_error_refuses(void **state)
{
    struct packet_spec spec = udp(4, 40);
    struct ipsec_addr from = addr(gate[0]), from6 = addr(gate[1]);
    struct ipsec_addr none = { 0 };
    uint8_t out[576];
    size_t len;

    (void)state;
    fx_pkt_build(&p, &spec, 0, 0);
    assert_int_equal(ipsec_icmp_error(&p.pkt, IPSEC_ERR_NO_SA, &from6, out,
                                      sizeof out), 0);
    assert_int_equal(ipsec_icmp_error(&p.pkt, IPSEC_ERR_NO_SA, &none, out,
                                      sizeof out), 0);
    assert_int_equal(ipsec_icmp_error(&p.pkt, IPSEC_ERR_NO_SA, &from, NULL,
                                      0), 0);
    p.pkt.layers = 1;
    assert_int_equal(ipsec_icmp_error(&p.pkt, IPSEC_ERR_SELECTOR, &from, out,
                                      sizeof out), 0);
    p.pkt.layers = 0;
    assert_true(ipsec_icmp_error(&p.pkt, IPSEC_ERR_SELECTOR, &from, out,
                                 sizeof out) > 0);
    for (len = 0; len < 68; len++) {
        p.pkt.buf.len = len;
        assert_int_equal(ipsec_icmp_error(&p.pkt, IPSEC_ERR_NO_SA, &from, out,
                                          sizeof out), 0);
    }
    fx_pkt_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_icmp_error_of_each_verdict),
        cmocka_unit_test(test_icmp_error_header),
        cmocka_unit_test(test_icmp_error_quotes_what_fits),
        cmocka_unit_test(test_icmp_error_about_icmp),
        cmocka_unit_test(test_icmp_error_about_icmp_without_a_type),
        cmocka_unit_test(test_icmp_error_about_whom),
        cmocka_unit_test(test_icmp_error_about_fragments),
        cmocka_unit_test(test_icmp_error_refuses)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
