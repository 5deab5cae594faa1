/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* What ESP looks like on the wire (RFC 4303 section 2). */

static struct pair pair;
static uint8_t plain[2048], wire[4096];

static uint32_t
be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

/* The body that was handed to the cipher: payload, then padding 1, 2, 3 ...,
 * as little as will do, pad length, next header. */
static void
check_body(const struct suite *suite, const uint8_t *payload, size_t len,
           uint8_t next)
{
    const uint8_t *text = pair.a.st.text;
    size_t n = pair.a.st.text_len, pad, i;

    if (suite->encr == IPSEC_ENCR_AES_CBC) { /* the IV field is text, too */
        for (i = 0; i < 12; i++) {
            assert_int_equal(text[i], 0);
        }
        assert_int_equal(be32(text + 12), pair.out.sa.seq);
        text += 16;
        n -= 16;
    }
    pad = n - len - 2;
    assert_true(pad < suite->align);
    assert_int_equal(n % suite->align, 0);
    assert_memory_equal(text, payload, len);
    for (i = 0; i < pad; i++) {
        assert_int_equal(text[len + i], i + 1);
    }
    assert_int_equal(text[n - 2], pad);
    assert_int_equal(text[n - 1], next);
}

static void
send_one(const struct suite *suite, const struct packet_spec *spec)
{
    size_t len = packet_build(plain, spec), n, head, body;
    int tunnel = pair.out.params.mode == IPSEC_MODE_TUNNEL;
    struct fx_pkt p;

    n = pair_seal(&pair, spec, wire);
    head = tunnel ? (wire[0] >> 4 == 4 ? 20u : 40u)
                  : (wire[0] >> 4 == 4 ? 20u : 40u) + spec->opt_len;
    body = tunnel ? len : len - head;
    check_body(suite, tunnel ? plain : plain + head, body, tunnel
               ? (plain[0] >> 4 == 4 ? 4 : 41) : spec->proto);
    assert_int_equal(n, head + 8 + suite->iv +
                     (body + 2 + suite->align - 1) / suite->align *
                     suite->align + suite->icv);
    assert_int_equal(packet_len(wire), n);
    assert_true(packet_intact(wire));
    assert_int_equal(wire[0] >> 4 == 4 ? wire[9] : wire[6], 50);
    assert_int_equal(be32(wire + head), 0x1001);
    assert_int_equal(be32(wire + head + 4), pair.out.sa.seq);
    assert_status(pair_open(&pair, wire, n, &p), IPSEC_OK);
    assert_true(fx_pkt_is(&p, plain, len));
    assert_int_equal(p.pkt.layers, 1);
    assert_ptr_equal(p.pkt.sa[0], &pair.in.sa);
    fx_pkt_free(&p);
}

/* Every suite, mode and family, with payloads of 0 to 64 bytes. */
static void
test_esp_padding_of_all_lengths(void **state)
{
    static const int modes[] = { IPSEC_MODE_TRANSPORT, IPSEC_MODE_TUNNEL };
    struct packet_spec spec;
    size_t s, m, v, n;
    int outer, inner;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (m = 0; m < 2; m++) {
            for (v = 0; v < 4; v++) {
                outer = v % 2 ? 6 : 4;
                inner = v / 2 ? 6 : 4;
                if (modes[m] == IPSEC_MODE_TRANSPORT && inner != outer) {
                    continue;
                }
                pair_init(&pair, &suites[s], modes[m], outer);
                for (n = 0; n <= 64; n++) {
                    fx_note("%s mode %d, IPv%d in IPv%d, %zu bytes",
                            suites[s].name, modes[m], inner, outer, n);
                    spec = pair_spec(&pair, inner, 17, n);
                    send_one(&suites[s], &spec);
                }
                assert_true(pair.in.sa.seq == 65);
                assert_int_equal(pair.a.ips.stats.out_protect, 65);
                assert_int_equal(pair.b.ips.stats.in_protect, 65);
                assert_int_equal(pair.a.st.misuse + pair.b.st.misuse, 0);
            }
        }
    }
}

/* Transport mode: behind IPv4 options, and these untouched. */
static void
test_esp_transport_behind_ipv4_options(void **state)
{
    struct packet_spec spec;
    size_t opt, len, n;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TRANSPORT, 4);
    for (opt = 0; opt <= 40; opt += 4) {
        spec = pair_spec(&pair, 4, 6, 33);
        spec.opt_len = opt;
        spec.tos = 0x2e;
        spec.id = 0x7777;
        spec.df = 1;
        spec.ttl = 3;
        len = packet_build(plain, &spec);
        n = pair_seal(&pair, &spec, wire);
        /* all but length, protocol and checksum is the packet's */
        assert_memory_equal(wire, plain, 2);
        assert_memory_equal(wire + 4, plain + 4, 5);
        assert_memory_equal(wire + 12, plain + 12, 8 + opt);
        assert_int_equal(wire[9], 50);
        assert_int_equal(packet_len(wire), n);
        assert_true(packet_intact(wire));
        assert_int_equal(be32(wire + 20 + opt), 0x1001);
        send_one(&suites[GCM128], &spec);
        assert_int_equal(n, 20 + opt + 8 + 8 + (len - 20 - opt + 5) / 4 * 4 +
                         16);
    }
}

/* Transport mode over IPv6: behind hop-by-hop, routing and fragment headers,
 * ahead of destination options (RFC 4303 section 3.1.1). */
static void
test_esp_transport_among_extension_headers(void **state)
{
    static const struct {
        const char *ext;
        size_t at, nh;
    } row[] = {
        { "", 40, 6 }, { "h", 48, 40 }, { "d", 40, 6 }, { "hr", 72, 48 },
        { "hd", 48, 40 }, { "drd", 72, 48 }, { "hdrD", 80, 56 },
        { "a", 48, 40 }
    };
    struct packet_spec spec;
    struct fx_pkt p;
    size_t i, len, n;
    uint8_t was;

    (void)state;
    pair_init(&pair, &suites[CHACHA], IPSEC_MODE_TRANSPORT, 6);
    for (i = 0; i < COUNT(row); i++) {
        fx_note("ext \"%s\"", row[i].ext);
        spec = pair_spec(&pair, 6, 17, 21);
        spec.ext = row[i].ext;
        spec.label = 0xabcde;
        spec.tos = 0x41;
        len = packet_build(plain, &spec);
        n = pair_seal(&pair, &spec, wire);
        assert_int_equal(be32(wire + row[i].at), 0x1001);
        assert_int_equal(wire[row[i].nh], 50);
        was = wire[row[i].nh];
        wire[row[i].nh] = plain[row[i].nh];
        assert_memory_equal(wire, plain, 4);
        assert_memory_equal(wire + 6, plain + 6, row[i].at - 6);
        wire[row[i].nh] = was;
        assert_int_equal(packet_len(wire), n);
        assert_status(pair_open(&pair, wire, n, &p), IPSEC_OK);
        assert_true(fx_pkt_is(&p, plain, len));
        fx_pkt_free(&p);
    }
}

/* Destination options ahead of ESP, too: attacks.md 93 */
static void
test_esp_inbound_behind_destination_options(void **state)
{
    static const char *const exts[] = { "d", "hd", "hrd", "dr", "a" };
    struct packet_spec spec;
    struct craft craft = { 0 };
    struct fx_pkt p;
    size_t i, len, n;

    (void)state;
    for (i = 0; i < COUNT(exts); i++) {
        fx_note("ext \"%s\"", exts[i]);
        pair_init(&pair, &suites[GCM128], IPSEC_MODE_TRANSPORT, 6);
        spec = pair_spec(&pair, 6, 17, 21);
        spec.ext = exts[i];
        len = packet_build(plain, &spec);
        n = len - 8 - 21;
        craft.body = plain + 512;
        memcpy(plain + 512, plain + n, 29);
        craft.len = body_end(&suites[GCM128], plain + 512, 29, 17);
        craft.seq = 1;
        craft.ext = exts[i];
        n = pair_craft(&pair, &craft, wire);
        assert_status(pair_open(&pair, wire, n, &p), IPSEC_OK);
        assert_true(fx_pkt_is(&p, plain, len));
        fx_pkt_free(&p);
    }
}

/* aad, tail and numbers as the engine sees them (RFC 4303 2.2.1, RFC 4106
 * section 5). */
static void
test_esp_numbers_in_aad_tail_and_wire(void **state)
{
    static const uint64_t starts[] = {
        0, 1, 0xfffffffd, UINT64_C(0xffffffff), UINT64_C(0x7fffffffff)
    };
    struct packet_spec spec;
    size_t s, i, n;
    size_t aad_len;
    int esn, aead;
    uint64_t seq;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (i = 0; i < 2 * COUNT(starts); i++) {
            esn = i % 2;
            seq = starts[i / 2];
            if (!esn && seq > 0xfffffffe) {
                continue;
            }
            fx_note("%s esn %d seq %#llx", suites[s].name, esn,
                    (unsigned long long)seq);
            pair_prepare(&pair, &suites[s], IPSEC_MODE_TUNNEL, 4);
            pair.out.params.seq = pair.in.params.seq = seq;
            pair.out.params.flags |= esn ? IPSEC_SA_ESN : 0;
            pair.in.params.flags |= esn ? IPSEC_SA_ESN : 0;
            pair_begin(&pair);
            spec = pair_spec(&pair, 4, 17, 3);
            n = pair_seal(&pair, &spec, wire);
            seq++;
            aead = suites[s].integ == 0;
            assert_true(pair.out.sa.seq == seq);
            assert_int_equal(be32(wire + 24), seq & 0xffffffff);
            aad_len = aead && esn ? 12 : 8;
            assert_int_equal(pair.a.st.aad_len,
                             SUITE_HAS_IV_IN_AAD(&suites[s]) ? aad_len + 8
                                                             : aad_len);
            assert_int_equal(pair.a.st.tail_len, !aead && esn ? 4 : 0);
            assert_int_equal(be32(pair.a.st.aad), 0x1001);
            assert_int_equal(be32(pair.a.st.aad + aad_len - 4),
                             seq & 0xffffffff);
            if (SUITE_HAS_IV_IN_AAD(&suites[s])) {
                assert_memory_equal(pair.a.st.aad + aad_len, wire + 28, 8);
            }
            if (esn) {
                assert_int_equal(be32(aead ? pair.a.st.aad + 4
                                           : pair.a.st.tail), seq >> 32);
            }
            if (pair.a.st.ivs == 1 && suites[s].iv != 16) {
                /* the IV is the number, all 64 bits of it */
                assert_int_equal(be32(pair.a.st.iv[0]), seq >> 32);
                assert_int_equal(be32(pair.a.st.iv[0] + 4), seq & 0xffffffff);
            }
            assert_status(pair_offer(&pair, wire, n), IPSEC_OK);
            assert_true(pair.in.sa.seq == seq);
        }
    }
}

/* N packets, N IVs. */
static void
test_esp_ivs_are_distinct(void **state)
{
    static const uint64_t starts[] = { 0, 0xffffff80 };
    struct packet_spec spec;
    size_t s, i, k, n, iv;

    (void)state;
    for (s = 0; s < 2 * SUITES; s++) {
        iv = SUITE_HAS_IIV(&suites[s / 2]) ? 8 : suites[s / 2].iv;
        if (iv == 0) {
            continue;
        }
        pair_prepare(&pair, &suites[s / 2], IPSEC_MODE_TUNNEL, 4);
        pair.out.params.seq = starts[s % 2];
        pair.out.params.flags |= IPSEC_SA_ESN;
        pair_begin(&pair);
        spec = pair_spec(&pair, 4, 17, 0);
        for (i = 0; i < FAKE_OPS; i++) {
            n = pair_seal(&pair, &spec, wire);
            assert_memory_equal(wire + 28, pair.a.st.iv[i],
                                suites[s / 2].iv);
            assert_true(n > 28);
        }
        assert_int_equal(pair.a.st.ivs, FAKE_OPS);
        for (i = 0; i < FAKE_OPS; i++) {
            for (k = 0; k < i; k++) {
                assert_memory_not_equal(pair.a.st.iv[i], pair.a.st.iv[k], iv);
            }
        }
    }
}

/* Padding of the link goes neither in nor out. */
static void
test_esp_ignores_link_padding(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;
    size_t n, len;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    spec = pair_spec(&pair, 4, 17, 0);
    len = packet_build(plain, &spec);
    memset(plain + len, 0xee, 18);
    fx_pkt_new(&p, plain, len + 18, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_OK);
    n = p.pkt.buf.len;
    assert_int_equal(n, 20 + 8 + 8 + 32 + 16);
    memcpy(wire, p.pkt.buf.data, n);
    memset(wire + n, 0xee, 7);
    fx_pkt_free(&p);
    assert_status(pair_open(&pair, wire, n + 7, &p), IPSEC_OK);
    assert_true(fx_pkt_is(&p, plain, len));
    fx_pkt_free(&p);
}

/* The largest there is, and one byte more. attacks.md 16, 17 */
static void
test_esp_largest_packet(void **state)
{
    static uint8_t big[PACKET_MAX + 64];
    struct packet_spec spec;
    struct fx_pkt p;
    size_t payload, n;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    /* 65535 - 20 - 8 - 8 - 16 = 65483, of which 65480 are whole words; less
     * trailer, 65478 bytes of packet, 65450 of payload */
    for (payload = 65449; payload <= 65452; payload++) {
        fx_note("%zu bytes", payload);
        spec = pair_spec(&pair, 4, 17, payload);
        fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
        if (payload > 65450) {
            assert_status(ipsec_outbound(&pair.a.ips, &p.pkt),
                          IPSEC_ERR_TOO_BIG);
            assert_int_equal(p.pkt.mtu, 65478);
        } else {
            assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_OK);
            n = p.pkt.buf.len;
            assert_int_equal(n, 65480 + 52);
            assert_int_equal(packet_len(p.pkt.buf.data), n);
            memcpy(big, p.pkt.buf.data, n);
            assert_status(pair_offer(&pair, big, n), IPSEC_OK);
        }
        fx_pkt_free(&p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_esp_padding_of_all_lengths),
        cmocka_unit_test(test_esp_transport_behind_ipv4_options),
        cmocka_unit_test(test_esp_transport_among_extension_headers),
        cmocka_unit_test(test_esp_inbound_behind_destination_options),
        cmocka_unit_test(test_esp_numbers_in_aad_tail_and_wire),
        cmocka_unit_test(test_esp_ivs_are_distinct),
        cmocka_unit_test(test_esp_ignores_link_padding),
        cmocka_unit_test(test_esp_largest_packet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
