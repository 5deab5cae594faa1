/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/*
 * Packets whose ICV is right and whose contents are not: padding, trailer,
 * next header, what is inside (attacks.md 13, 21 to 37). A packet that
 * authenticated has been received: the window moves, whatever is in it.
 */

static struct pair pair;
static uint8_t body[4096], wire[8192];

static void
begin(int suite, int mode, int version)
{
    pair_init(&pair, &suites[suite], mode, version);
}

/* Offer a body; the packet in `p` must be freed. */
static int
offer_keep(size_t len, uint8_t tos, struct fx_pkt *p)
{
    struct craft craft = { 0 };

    craft.body = body;
    craft.len = len;
    craft.seq = pair.in.sa.seq + 1;
    craft.tos = tos;
    return pair_open(&pair, wire, pair_craft(&pair, &craft, wire), p);
}

static int
offer(size_t len)
{
    struct fx_pkt p;
    int rc = offer_keep(len, 0, &p);

    fx_pkt_free(&p);
    return rc;
}

/* `rc` was answered, and the packet counts as received and dropped once. */
static void
check_dropped(int rc, int want)
{
    size_t total = 0, i;

    assert_status(rc, want);
    for (i = 0; i < IPSEC_DROP_COUNT; i++) {
        total += pair.b.ips.stats.in_drop[i];
    }
    assert_int_equal(total, 1);
    assert_int_equal(pair.b.ips.stats.in_drop[-want], 1);
    assert_int_equal(pair.in.sa.drop_other, 1);
    assert_int_equal(pair.b.audits, 1);
    assert_int_equal(pair.b.audit[0].status, want);
    assert_int_equal(pair.b.audit[0].dir, IPSEC_IN);
    assert_int_equal(pair.b.audit[0].spi, 0x1001);
    assert_true(pair.b.audit[0].seq == 1);
    assert_true(pair.in.sa.seq == 1 && pair.in.sa.in_flight == 0);
}

/* A UDP packet within `version` as the payload; its length. */
static size_t
inner(int version, size_t payload)
{
    struct packet_spec spec = pair_spec(&pair, version, 17, payload);

    return packet_build(body, &spec);
}

/* RFC 4303 section 2.4: up to 255 bytes, all of which are looked at. */
static void
test_trailer_padding_of_all_lengths(void **state)
{
    struct fx_pkt p;
    size_t len, pad, i;
    uint8_t keep[64];

    (void)state;
    for (pad = 2; pad <= 255; pad += 4) {
        begin(GCM128, IPSEC_MODE_TUNNEL, 4);
        len = inner(4, 12);
        memcpy(keep, body, len);
        for (i = 0; i < pad; i++) {
            body[len + i] = (uint8_t)(i + 1);
        }
        body[len + pad] = (uint8_t)pad;
        body[len + pad + 1] = 4;
        assert_status(offer_keep(len + pad + 2, 0, &p), IPSEC_OK);
        assert_true(fx_pkt_is(&p, keep, len));
        fx_pkt_free(&p);
    }
}

static void
test_trailer_wrong_padding_byte_anywhere(void **state)
{
    static const uint8_t wrong[] = { 0x01, 0x80, 0xff };
    size_t len, i, k, pad;

    (void)state;
    for (pad = 2; pad <= 254; pad += 84) {
        for (i = 0; i < pad; i++) {
            for (k = 0; k < COUNT(wrong); k++) {
                begin(GCM128, IPSEC_MODE_TUNNEL, 4);
                len = inner(4, 12);
                for (body[len + pad] = 0; body[len + pad] < pad;
                     body[len + pad]++) {
                    body[len + body[len + pad]] =
                        (uint8_t)(body[len + pad] + 1);
                }
                body[len + pad + 1] = 4;
                body[len + i] ^= wrong[k];
                check_dropped(offer(len + pad + 2), IPSEC_ERR_PADDING);
            }
        }
    }
}

static void
test_trailer_pad_length_against_payload(void **state)
{
    static const struct {
        size_t len;
        unsigned pad;
        int transport, tunnel;
    } row[] = {
        { 4, 0, IPSEC_OK, IPSEC_ERR_MALFORMED },
        { 4, 2, IPSEC_OK, IPSEC_ERR_MALFORMED }, /* nothing is left */
        { 4, 3, IPSEC_ERR_PADDING, IPSEC_ERR_PADDING },
        { 4, 4, IPSEC_ERR_PADDING, IPSEC_ERR_PADDING },
        { 4, 255, IPSEC_ERR_PADDING, IPSEC_ERR_PADDING },
        { 12, 10, IPSEC_OK, IPSEC_ERR_MALFORMED },
        { 12, 11, IPSEC_ERR_PADDING, IPSEC_ERR_PADDING },
        { 12, 255, IPSEC_ERR_PADDING, IPSEC_ERR_PADDING },
        { 256, 254, IPSEC_OK, IPSEC_ERR_MALFORMED },
        { 256, 255, IPSEC_ERR_PADDING, IPSEC_ERR_PADDING },
        { 260, 255, IPSEC_OK, IPSEC_ERR_MALFORMED },
    };
    size_t i, k, mode;
    int want;

    (void)state;
    for (i = 0; i < 2 * COUNT(row); i++) {
        fx_note("row %zu, mode %zu", i / 2, i % 2 + 1);
        mode = i % 2 ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT;
        want = i % 2 ? row[i / 2].tunnel : row[i / 2].transport;
        begin(NULL_SHA256, (int)mode, 4);
        memset(body, 0, sizeof body);
        for (k = 0; k < row[i / 2].pad && k + 2 < row[i / 2].len; k++) {
            body[row[i / 2].len - 3 - k] = (uint8_t)(row[i / 2].pad - k);
        }
        body[row[i / 2].len - 2] = (uint8_t)row[i / 2].pad;
        body[row[i / 2].len - 1] = i % 2 ? 4 : 17;
        if (want == IPSEC_OK) {
            assert_status(offer(row[i / 2].len), IPSEC_OK);
        } else {
            check_dropped(offer(row[i / 2].len), want);
        }
    }
}

/* RFC 4303 section 2.7: the inner packet's own length counts. */
static void
test_trailer_tfc_padding_is_trimmed(void **state)
{
    size_t len, tfc, n;
    struct fx_pkt p;
    uint8_t keep[128];
    int version;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        for (tfc = 1; tfc < 1400; tfc += 37) {
            begin(CBC128, IPSEC_MODE_TUNNEL, 4);
            len = inner(version, 12);
            memcpy(keep, body, len);
            memset(body + len, 0x99, tfc);
            n = body_end(&suites[CBC128], body, len + tfc,
                         version == 4 ? 4 : 41);
            assert_status(offer_keep(n, 0, &p), IPSEC_OK);
            assert_true(fx_pkt_is(&p, keep, len));
            fx_pkt_free(&p);
        }
    }
}

/* RFC 4303 section 2.6: no error, and what is in it is not looked at. */
static void
test_trailer_dummy_packets_are_consumed(void **state)
{
    static const size_t lens[] = { 0, 1, 13, 19, 20, 700 };
    size_t i, mode;

    (void)state;
    for (mode = IPSEC_MODE_TRANSPORT; mode <= IPSEC_MODE_TUNNEL; mode++) {
        for (i = 0; i < COUNT(lens); i++) {
            begin(GCM256, (int)mode, 6);
            memset(body, 0xc3, sizeof body);
            assert_status(offer(body_end(&suites[GCM256], body, lens[i], 59)),
                          IPSEC_CONSUMED);
            assert_int_equal(pair.b.ips.stats.in_consumed, 1);
            assert_int_equal(pair.b.ips.stats.in_protect, 0);
            assert_int_equal(pair.b.audits, 0);
            assert_true(pair.in.sa.seq == 1 && pair.in.sa.packets == 1);
            assert_int_equal(pair.in.sa.drop_other, 0);
            assert_int_equal(pair.in.sa.in_flight, 0);
        }
    }
}

/* Bad padding in a dummy packet is bad padding. */
static void
test_trailer_dummy_with_bad_padding(void **state)
{
    (void)state;
    begin(GCM256, IPSEC_MODE_TUNNEL, 4);
    memset(body, 0, 8);
    body[6] = 3;
    body[7] = 59;
    check_dropped(offer(8), IPSEC_ERR_PADDING);
}

/* A tunnel carries IP and nothing else. attacks.md 30 */
static void
test_trailer_next_header_of_a_tunnel(void **state)
{
    unsigned next;
    size_t len;

    (void)state;
    for (next = 0; next < 256; next++) {
        if (next == 4 || next == 41 || next == 59) {
            continue;
        }
        begin(GCM128, IPSEC_MODE_TUNNEL, 4);
        len = inner(4, 12);
        check_dropped(offer(body_end(&suites[GCM128], body, len,
                                     (uint8_t)next)), IPSEC_ERR_MODE);
    }
}

/* Transport mode: IP in IP is a protocol like any other, never taken for a
 * tunnel. attacks.md 31 */
static void
test_trailer_next_header_of_transport(void **state)
{
    static const uint8_t protos[] = { 4, 41, 6, 255, 50 };
    struct fx_pkt p;
    size_t len, i;

    (void)state;
    for (i = 0; i < COUNT(protos); i++) {
        begin(GCM128, IPSEC_MODE_TRANSPORT, 4);
        len = inner(4, 12);
        fx_note("proto %u", protos[i]);
        assert_status(offer_keep(body_end(&suites[GCM128], body, len,
                                          protos[i]), 0, &p), IPSEC_OK);
        assert_int_equal(p.pkt.buf.data[9], protos[i]);
        assert_int_equal(p.pkt.buf.len, 20 + len);
        assert_memory_equal(p.pkt.buf.data + 20, body, len);
        fx_pkt_free(&p);
    }
}

static void
spoil(int what, size_t *len, uint8_t *next)
{
    switch (what) {
    case 0: *next = *next == 4 ? 41 : 4; break;     /* the other version */
    case 1: body[0] ^= 0x20; break;                 /* 4 <-> 6 inside */
    case 2: body[0] = (uint8_t)(body[0] & 15); break;
    case 3: *len -= 1; break;                       /* cut short */
    case 4: *len = 0; break;
    case 5: *len = 19; break;
    case 6: body[3]++; packet_fix(body); break;     /* longer than it is */
    case 7: body[0] = 0x44; break;                  /* header length lies */
    case 8: body[0] = 0x4f; break;
    case 9: body[10] ^= 1; break;                   /* header checksum */
    default: body[8] ^= 1; break;
    }
}

static void
test_trailer_what_is_no_packet_inside(void **state)
{
    uint8_t next;
    size_t len;
    int what, version;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        for (what = 0; what <= (version == 4 ? 10 : 5); what++) {
            fx_note("version %d, spoilt %d", version, what);
            begin(GCM128, IPSEC_MODE_TUNNEL, 6);
            len = inner(version, 12);
            next = version == 4 ? 4 : 41;
            spoil(what, &len, &next);
            check_dropped(offer(body_end(&suites[GCM128], body, len, next)),
                          IPSEC_ERR_MALFORMED);
        }
    }
}

/* A body that is too short, or not whole blocks, never gets to the engine.
 * attacks.md 10 to 15 */
static void
test_trailer_lengths_before_the_engine(void **state)
{
    struct packet_spec spec;
    size_t s, n, least;
    int version, want;

    (void)state;
    for (s = 0; s < 2 * SUITES; s++) {
        version = s % 2 ? 6 : 4;
        pair_init(&pair, &suites[s / 2], IPSEC_MODE_TUNNEL, version);
        least = 8 + suites[s / 2].iv + suites[s / 2].align +
                suites[s / 2].icv;
        memset(&spec, 0, sizeof spec);
        spec.src = version == 4 ? "192.0.2.1" : "2001:db8::1";
        spec.dst = version == 4 ? "198.51.100.2" : "2001:db8:ff::2";
        spec.proto = 50;
        for (n = 0; n < 200; n++) {
            spec.payload = n;
            packet_build(body, &spec);
            if (n >= 8) {
                memcpy(body + (version == 4 ? 20 : 40), "\0\0\x10\x01\0\0\0\1",
                       8);
            }
            fx_note("%s, %zu bytes", suites[s / 2].name, n);
            want = n >= least && (n - least) % suites[s / 2].align == 0
                ? IPSEC_ERR_AUTH : IPSEC_ERR_MALFORMED;
            assert_status(pair_offer(&pair, body, packet_len(body)), want);
        }
        assert_true(pair.in.sa.seq == 0);
        assert_int_equal(pair.b.st.misuse, 0);
        assert_int_equal(pair.b.st.runs, pair.b.ips.stats.in_drop[12]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trailer_padding_of_all_lengths),
        cmocka_unit_test(test_trailer_wrong_padding_byte_anywhere),
        cmocka_unit_test(test_trailer_pad_length_against_payload),
        cmocka_unit_test(test_trailer_tfc_padding_is_trimmed),
        cmocka_unit_test(test_trailer_dummy_packets_are_consumed),
        cmocka_unit_test(test_trailer_dummy_with_bad_padding),
        cmocka_unit_test(test_trailer_next_header_of_a_tunnel),
        cmocka_unit_test(test_trailer_next_header_of_transport),
        cmocka_unit_test(test_trailer_what_is_no_packet_inside),
        cmocka_unit_test(test_trailer_lengths_before_the_engine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
