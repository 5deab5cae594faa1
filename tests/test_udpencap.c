/* SPDX-License-Identifier: MIT */
#include "fake/natt.h"

/* ESP in UDP (RFC 3948): what goes out, and how large it is. What comes
 * in is in test_udpencap_in.c, and what a NAT does to it in test_natt.c. */

static struct pair pair;
static uint8_t wire[4096], other[4096], plain[4096];

/* Seal the same without UDP; its length. */
static size_t
seal_bare(const struct suite *suite, int mode, int version,
          const struct packet_spec *spec)
{
    static struct pair bare;

    pair_init(&bare, suite, mode, version);
    return pair_seal(&bare, spec, other);
}

/* wire is other with eight bytes more at `at`, which are as RFC 3948 section
 * 2.1 has them. */
static void
check_wire(size_t len, size_t bare, size_t at)
{
    int v6 = wire[0] >> 4 == 6;
    uint8_t *udp = wire + at, *nh = other + (v6 ? 6 : 9);

    assert_int_equal(len, bare + 8);
    assert_int_equal(natt_get16(udp), NATT_SPORT);
    assert_int_equal(natt_get16(udp + 2), NATT_PORT);
    assert_int_equal(natt_get16(udp + 4), len - at);
    if (v6) {
        assert_int_not_equal(natt_get16(udp + 6), 0);
        assert_int_equal(natt_sum(wire, 17, udp, len - at), 0);
    } else {
        assert_int_equal(natt_get16(udp + 6), 0);
    }
    assert_memory_equal(udp + 8, other + at, bare - at);
    if (*nh == 0 || *nh == 60 || *nh == 43) {
        for (nh = other + 40; *nh != 50; nh += ((size_t)nh[1] + 1) * 8) {
        }
    }
    assert_int_equal(*nh, 50);
    *nh = 17;
    natt_set16(other + (v6 ? 4 : 2), len - (v6 ? 40 : 0));
    if (!v6) {
        packet_fix(other);
    }
    assert_memory_equal(wire, other, at);
}

/* RFC 3948 sections 3.2 and 3.4, U-1, U-2, U-13: as ESP alone, with a UDP
 * header ahead of the SPI. And back. */
static void
test_udpencap_is_esp_behind_a_udp_header(void **state)
{
    static const int modes[] = { IPSEC_MODE_TRANSPORT, IPSEC_MODE_TUNNEL };
    struct packet_spec spec;
    size_t s, n, bare, len;
    struct fx_pkt p;
    int i, mode, v;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (i = 0; i < 8; i++) {
            mode = modes[i & 1];
            v = i & 2 ? 6 : 4;
            natt_begin(&pair, &suites[s], mode, v);
            spec = pair_spec(&pair, i & 4 ? 6 : 4, 17, 100 + s);
            fx_note("%s, mode %d, IPv%d", suites[s].name, mode, v);
            n = packet_build(plain, &spec);
            bare = seal_bare(&suites[s], mode, v, &spec);
            len = pair_seal(&pair, &spec, wire);
            check_wire(len, bare, v == 4 ? 20 : 40);
            assert_status(pair_open(&pair, wire, len, &p), IPSEC_OK);
            assert_true(fx_pkt_is(&p, plain, n));
            fx_pkt_free(&p);
            assert_int_equal(pair.b.ips.stats.in_protect, 1);
            assert_true(pair.in.sa.packets == 1 && pair.in.sa.seq == 1);
            assert_true(pair.in.sa.bytes == pair.out.sa.bytes);
            assert_status(pair_offer(&pair, wire, len), IPSEC_ERR_REPLAY);
            assert_int_equal(pair.a.st.misuse + pair.b.st.misuse, 0);
        }
    }
}

/* Behind options, and behind the extension headers that transport mode keeps
 * (RFC 4303 section 3.1.1). */
static void
test_udpencap_behind_options_and_extension_headers(void **state)
{
    static const struct { const char *ext; size_t opt, at; } row[] = {
        { NULL, 4, 24 }, { NULL, 40, 60 }, { "h", 0, 48 }, { "hd", 0, 48 },
        { "d", 0, 40 }, { "hD", 0, 48 }
    };
    struct packet_spec spec;
    size_t i, n, bare, len;
    struct fx_pkt p;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        natt_begin(&pair, &suites[GCM128], IPSEC_MODE_TRANSPORT,
                   row[i].opt ? 4 : 6);
        spec = pair_spec(&pair, 0, 6, 33);
        spec.ext = row[i].ext;
        spec.opt_len = row[i].opt;
        n = packet_build(plain, &spec);
        bare = seal_bare(&suites[GCM128], IPSEC_MODE_TRANSPORT,
                         row[i].opt ? 4 : 6, &spec);
        len = pair_seal(&pair, &spec, wire);
        check_wire(len, bare, row[i].at);
        assert_status(pair_open(&pair, wire, len, &p), IPSEC_OK);
        assert_true(fx_pkt_is(&p, plain, n));
        fx_pkt_free(&p);
    }
}

/* Any alignment, both ways, and no byte outside the buffer. */
static void
test_udpencap_at_any_alignment(void **state)
{
    struct packet_spec spec;
    size_t head, tail, i, len, n;
    struct fx_pkt p;
    int v;

    (void)state;
    for (i = 0; i < 32; i++) {
        v = i & 8 ? 6 : 4;
        natt_begin(&pair, &suites[i & 16 ? CBC128 : CHACHA],
                   i & 4 ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT, v);
        spec = pair_spec(&pair, v, 6, i);
        n = packet_build(plain, &spec);
        ipsec_sa_room(&pair.out.sa, &head, &tail);
        fx_pkt_build(&p, &spec, head + (i & 3), tail);
        assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_OK);
        assert_ptr_equal(p.pkt.buf.data, p.mem + (i & 3));
        len = p.pkt.buf.len;
        memcpy(wire, p.pkt.buf.data, len);
        fx_pkt_free(&p);
        fx_pkt_new(&p, wire, len, i & 3, 0);
        assert_status(ipsec_inbound(&pair.b.ips, &p.pkt), IPSEC_OK);
        assert_true(fx_pkt_is(&p, plain, n));
        fx_pkt_free(&p);
    }
}

/* To the byte: eight more than without. */
static void
test_udpencap_room(void **state)
{
    struct packet_spec spec;
    size_t head, tail, i;
    uint8_t *before;
    struct fx_pkt p;

    (void)state;
    for (i = 0; i < 2 * SUITES * 2; i++) {
        natt_begin(&pair, &suites[i / 4], i & 1 ? IPSEC_MODE_TUNNEL
                   : IPSEC_MODE_TRANSPORT, i & 2 ? 6 : 4);
        spec = pair_spec(&pair, 4, 17, 50);
        ipsec_sa_room(&pair.out.sa, &head, &tail);
        assert_int_equal(head, 16 + suites[i / 4].iv +
                               (i & 1 ? (i & 2 ? 40u : 20u) : 0u));
        assert_true(head <= IPSEC_HEADROOM);
        fx_pkt_build(&p, &spec, head - 1, tail);
        before = p.pkt.buf.data;
        assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_ERR_ROOM);
        assert_int_equal(p.pkt.head, head);
        assert_ptr_equal(p.pkt.buf.data, before);
        tail = p.pkt.tail;
        fx_pkt_free(&p);
        fx_pkt_build(&p, &spec, head, tail);
        assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_OK);
        assert_ptr_equal(p.pkt.buf.data, p.mem);
        assert_ptr_equal(p.pkt.buf.data + p.pkt.buf.len, p.mem + p.size);
        fx_pkt_free(&p);
    }
}

/* The largest packet that fits, and one byte more (attacks.md 188). */
static void
check_mtu(size_t s, int mode, int v, uint16_t mtu)
{
    struct packet_spec spec;
    struct fx_pkt p;
    size_t best;

    natt_prepare(&pair, &suites[s], mode, v);
    pair.out.params.mtu = mtu;
    pair_begin(&pair);
    best = ipsec_sa_mtu(&pair.out.sa, mtu);
    spec = pair_spec(&pair, v, 17, best - (v == 4 ? 28 : 48));
    spec.df = 1;
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_OK);
    assert_true(p.pkt.buf.len <= mtu &&
                p.pkt.buf.len + suites[s].align > mtu);
    fx_pkt_free(&p);
    spec.payload++;
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_ERR_TOO_BIG);
    assert_int_equal(p.pkt.mtu, best);
    fx_pkt_free(&p);
}

static void
test_udpencap_mtu(void **state)
{
    size_t s;
    int i;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (i = 0; i < 4 * 20; i++) {
            fx_note("%s, %d", suites[s].name, i);
            check_mtu(s, i & 1 ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT,
                      i & 2 ? 6 : 4, (uint16_t)(1430 + i / 4));
        }
    }
}

/* The largest packets there are: 65535 bytes over IPv4, and as much behind the
 * header of IPv6. */
static void
test_udpencap_of_the_largest(void **state)
{
    static uint8_t big[PACKET_MAX + 200];
    struct packet_spec spec;
    size_t i, most, len;

    (void)state;
    for (i = 0; i < 4; i++) {
        natt_begin(&pair, &suites[NULL_SHA256], i & 1 ? IPSEC_MODE_TUNNEL
                   : IPSEC_MODE_TRANSPORT, i & 2 ? 6 : 4);
        most = ipsec_sa_mtu(&pair.out.sa, i & 2 ? 65575 : 65535);
        most = i & 1 && most > 65535 ? 65535 : most;
        spec = pair_spec(&pair, i & 2 ? 6 : 4, 17, most - (i & 2 ? 48 : 28));
        len = pair_seal(&pair, &spec, big);
        assert_int_equal(natt_get16(big + (i & 2 ? 44 : 24)),
                         len - (i & 2 ? 40 : 20));
        assert_true(len > 65500);
        assert_status(pair_offer(&pair, big, len), IPSEC_OK);
    }
}

/* U-4: the SPI that is sent can't be the marker. */
static void
test_udpencap_spi_is_not_zero(void **state)
{
    (void)state;
    natt_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.out.params.spi = 0;
    assert_status(fx_sa_add(&pair.a, &pair.out), IPSEC_ERR_SPI);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_udpencap_is_esp_behind_a_udp_header),
        cmocka_unit_test(test_udpencap_behind_options_and_extension_headers),
        cmocka_unit_test(test_udpencap_at_any_alignment),
        cmocka_unit_test(test_udpencap_room),
        cmocka_unit_test(test_udpencap_mtu),
        cmocka_unit_test(test_udpencap_of_the_largest),
        cmocka_unit_test(test_udpencap_spi_is_not_zero)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
