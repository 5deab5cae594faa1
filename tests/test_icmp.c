/* SPDX-License-Identifier: MIT */
#include "fake/icmp.h"

/* Which ICMP "too big" is heeded (RFC 4301 sections 6.1.1 and 8.2.1). */

static struct path path;

#define A (&path.pair.a.ips)
#define SA (&path.pair.out.sa)

/* What was last offered has gone the way of all packets. */
static void
check_ignored(int rc)
{
    assert_status(rc, IPSEC_ERR_NO_POLICY);
    assert_int_equal(SA->mtu, 1500);
    assert_int_equal(A->stats.in_too_big, 0);
}

/* A-8.2.1-1: ESP and AH, whatever the mode and the family; 8 bytes of their
 * header suffice. */
static void
test_icmp_too_big_lowers_the_mtu_of_its_sa(void **state)
{
    static const int suite[] = { GCM128, NULL_SHA256 };
    int i, version, mode;
    struct icmp_spec spec;

    (void)state;
    for (i = 0; i < 16; i++) {
        version = i & 1 ? 6 : 4;
        mode = i & 2 ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT;
        path_begin_as(&path, &suites[suite[i >> 2 & 1]],
                 i & 4 ? IPSEC_PROTO_AH : IPSEC_PROTO_ESP, mode, version);
        spec = path_too_big(&path, version, 1400);
        if (i & 8) {
            spec.quote_len = ICMP_AT(path.wire) + 8;
        }
        ipsec_tick(A, 50);
        fx_note("row %d", i);
        assert_status(path_offer(&path, &spec), IPSEC_CONSUMED);
        assert_int_equal(SA->mtu, 1400);
        assert_int_equal(SA->until, 650);
        assert_int_equal(A->stats.in_too_big, 1);
        assert_int_equal(path_counted(&A->stats), 1);
        assert_int_equal(path.pair.a.audits, 0);
    }
}

/* RFC 4301 section 6.1.1: not unless it was asked for, and where the caller
 * has counters of its own they are used. */
static void
test_icmp_too_big_by_configuration(void **state)
{
    struct ipsec_stats own = { 0 };
    struct icmp_spec spec;
    size_t len;

    (void)state;
    path_begin(&path, 4);
    path.pair.a.cfg.flags = 0;
    check_ignored(path_offer_mtu(&path, 4, 1400));
    path.pair.a.cfg.flags = (uint8_t)~IPSEC_ACCEPT_PTB;
    check_ignored(path_offer_mtu(&path, 4, 1400));
    path.pair.a.cfg.flags = IPSEC_ACCEPT_PTB;
    spec = path_too_big(&path, 4, 1400);
    len = icmp_build(path.error, &spec);
    fx_pkt_new(&path.p, path.error, len, 0, 0);
    path.p.pkt.stats = &own;
    assert_status(ipsec_inbound(A, &path.p.pkt), IPSEC_CONSUMED);
    fx_pkt_free(&path.p);
    assert_int_equal(own.in_too_big, 1);
    assert_int_equal(path_counted(&own), 1);
    assert_int_equal(A->stats.in_too_big, 0);
}

/* A-6.1.1-2, attacks.md 141, 142, 148. */
static void
test_icmp_too_big_floor_and_ceiling(void **state)
{
    static const struct {
        int      version;
        uint32_t mtu;
        uint16_t link, want;  /* 0: ignored */
    } row[] = {
        { 4, 0, 1500, 576 }, { 4, 68, 1500, 576 }, { 4, 575, 1500, 576 },
        { 4, 576, 1500, 576 }, { 4, 577, 1500, 577 }, { 4, 1499, 1500, 1499 },
        { 4, 1500, 1500, 0 }, { 4, 1501, 1500, 0 }, { 4, 65535, 1500, 0 },
        { 4, 0, 576, 0 }, { 4, 0, 500, 0 }, { 4, 400, 500, 0 },
        { 4, 1400, 0, 1400 }, { 4, 0, 0, 576 }, { 4, 65534, 0, 65534 },
        { 4, 65535, 0, 0 },
        { 4, 0xffff0578, 1500, 1400 }, /* the high half is unused */
        { 6, 0, 1500, 1280 }, { 6, 68, 1500, 1280 }, { 6, 1279, 1500, 1280 },
        { 6, 1280, 1500, 1280 }, { 6, 1281, 1500, 1281 },
        { 6, 1500, 1500, 0 }, { 6, 65535, 0, 0 }, { 6, 65536 + 1300, 0, 0 },
        { 6, 65536 + 1300, 1500, 0 }, { 6, UINT32_MAX, 1500, 0 },
        { 6, 1279, 1280, 0 }
    };
    size_t i;
    int rc;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        path_begin(&path, row[i].version);
        SA->mtu = SA->link_mtu = row[i].link;
        fx_note("row %zu", i);
        rc = path_offer_mtu(&path, row[i].version, row[i].mtu);
        assert_status(rc, row[i].want ? IPSEC_CONSUMED : IPSEC_ERR_NO_POLICY);
        assert_int_equal(SA->mtu, row[i].want ? row[i].want : row[i].link);
    }
}

/* One after the other, only lower ones count, and only those put it off that
 * it is forgotten. */
static void
test_icmp_too_big_only_lowers(void **state)
{
    (void)state;
    path_begin(&path, 4);
    ipsec_tick(A, 100);
    assert_status(path_offer_mtu(&path, 4, 1400), IPSEC_CONSUMED);
    ipsec_tick(A, 200);
    assert_status(path_offer_mtu(&path, 4, 1400), IPSEC_ERR_NO_POLICY);
    assert_status(path_offer_mtu(&path, 4, 1450), IPSEC_ERR_NO_POLICY);
    assert_int_equal(SA->mtu, 1400);
    assert_int_equal(SA->until, 700);
    assert_status(path_offer_mtu(&path, 4, 1300), IPSEC_CONSUMED);
    assert_int_equal(SA->mtu, 1300);
    assert_int_equal(SA->until, 800);
    /* long past, but no packet has gone since */
    ipsec_tick(A, 5000);
    assert_status(path_offer_mtu(&path, 4, 1400), IPSEC_CONSUMED);
    assert_int_equal(SA->mtu, 1400);
    assert_int_equal(SA->until, 5600);
}

/* attacks.md 143, 149: what isn't about a packet of ours is ignored. */
static void
test_icmp_too_big_about_others_is_ignored(void **state)
{
    static const struct {
        const char *what;
        size_t      at;  /* of the quoted packet */
        uint8_t     value;
    } row[] = {
        { "SPI", 20 + 3, 2 }, { "source", 12, 193 }, { "source", 15, 9 },
        { "destination", 16, 199 }, { "destination", 19, 3 },
        { "protocol AH", 9, 51 }, { "protocol UDP", 9, 17 },
        { "protocol TCP", 9, 6 }, { "protocol 0", 9, 0 },
        { "later fragment", 7, 1 }, { "version 6", 0, 0x65 },
        { "version 0", 0, 5 }, { "IHL 4", 0, 0x44 }, { "IHL 6", 0, 0x46 },
        { "IHL 15", 0, 0x4f }
    };
    struct icmp_spec spec;
    size_t i, len;
    uint8_t old;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        path_begin(&path, 4);
        fx_note("%s", row[i].what);
        old = path.wire[row[i].at];
        path.wire[row[i].at] = row[i].value;
        check_ignored(path_offer_mtu(&path, 4, 1400));
        path.wire[row[i].at] = old;
        assert_status(path_offer_mtu(&path, 4, 1400), IPSEC_CONSUMED);
    }
    path_begin(&path, 4);
    spec = path_too_big(&path, 4, 1400);
    spec.dst = "192.0.2.2"; /* not who has sent it */
    check_ignored(path_offer(&path, &spec));
    spec.dst = path_us[0];
    len = icmp_build(path.error, &spec);
    check_ignored(path_offer_raw(&path, len, IPSEC_PKT_TRANSIT));
    /* not an SA that can have sent anything */
    SA->state = IPSEC_SA_LARVAL;
    check_ignored(path_offer(&path, &spec));
    SA->state = IPSEC_SA_MATURE;
    SA->local_port = SA->remote_port = 4500; /* in UDP, not bare */
    check_ignored(path_offer(&path, &spec));
    SA->local_port = SA->remote_port = 0;
    assert_status(path_offer(&path, &spec), IPSEC_CONSUMED);
}

/* An inbound SA sends nothing. */
static void
test_icmp_too_big_about_an_inbound_sa_is_ignored(void **state)
{
    struct packet_spec spec;
    struct icmp_spec e;
    size_t len;

    (void)state;
    pair_prepare(&path.pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    path.pair.b.cfg.flags = IPSEC_ACCEPT_PTB;
    path.pair.in.params.mtu = 1500;
    pair_begin(&path.pair);
    spec = pair_spec(&path.pair, 4, 17, 64);
    path.wire_len = pair_seal(&path.pair, &spec, path.wire);
    memcpy(path.wire + 12, addr(path_peer[0]).byte, 4);
    memcpy(path.wire + 16, addr(path_us[0]).byte, 4);
    e = path_too_big(&path, 4, 1400);
    e.dst = path_peer[0];
    len = icmp_build(path.error, &e);
    assert_status(pair_offer(&path.pair, path.error, len),
                  IPSEC_ERR_UNPROTECTED);
    assert_int_equal(path.pair.in.sa.mtu, 1500);
    assert_int_equal(path.pair.b.ips.stats.in_too_big, 0);
}

/* A-6.1.1-1, A-6.1.2-1, attacks.md 149: types and codes that tell no MTU,
 * redirects among them. 3/3 is ignored though 3/4 is accepted. */
static void
test_icmp_other_errors_tell_no_mtu(void **state)
{
    static const struct {
        int     version;
        uint8_t type, code;
        int     heeded;
    } row[] = {
        { 4, 3, 0, 0 }, { 4, 3, 1, 0 }, { 4, 3, 3, 0 }, { 4, 3, 5, 0 },
        { 4, 3, 13, 0 }, { 4, 4, 0, 0 }, { 4, 4, 4, 0 }, { 4, 5, 1, 0 },
        { 4, 5, 4, 0 }, { 4, 11, 0, 0 }, { 4, 12, 0, 0 }, { 4, 0, 4, 0 },
        { 4, 8, 4, 0 }, { 4, 2, 0, 0 }, { 4, 3, 4, 1 },
        { 6, 1, 0, 0 }, { 6, 3, 4, 0 }, { 6, 4, 0, 0 }, { 6, 128, 0, 0 },
        { 6, 130, 0, 0 }, { 6, 137, 0, 0 }, { 6, 2, 0, 1 }, { 6, 2, 1, 1 }
    };
    struct icmp_spec spec;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        path_begin(&path, row[i].version);
        spec = path_too_big(&path, row[i].version, 1400);
        spec.type = row[i].type;
        spec.code = row[i].code;
        fx_note("row %zu", i);
        if (row[i].heeded) {
            assert_status(path_offer(&path, &spec), IPSEC_CONSUMED);
        } else {
            check_ignored(path_offer(&path, &spec));
        }
    }
}

/* A protocol number of the other IP version means nothing. */
static void
test_icmp_of_the_other_version_is_ignored(void **state)
{
    struct icmp_spec spec;
    size_t len;

    (void)state;
    path_begin(&path, 4);
    spec = path_too_big(&path, 4, 1400);
    spec.type = 2;
    spec.code = 0;
    len = icmp_build(path.error, &spec);
    path.error[9] = 58;
    packet_fix(path.error);
    check_ignored(path_offer_raw(&path, len, 0));
    path_begin(&path, 6);
    spec = path_too_big(&path, 6, 1400);
    spec.type = 3;
    spec.code = 4;
    len = icmp_build(path.error, &spec);
    path.error[6] = 1;
    check_ignored(path_offer_raw(&path, len, 0));
    /* one that quotes the other version */
    path_begin(&path, 6);
    spec = path_too_big(&path, 4, 1400);
    spec.dst = path_us[0];
    check_ignored(path_offer(&path, &spec));
}

static void
test_icmp_checksum_must_be_right(void **state)
{
    struct icmp_spec spec;
    size_t len, i;
    int version;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        path_begin(&path, version);
        spec = path_too_big(&path, version, 1400);
        len = icmp_build(path.error, &spec);
        for (i = ICMP_AT(path.error); i < len; i++) {
            path.error[i] ^= 0x10;
            check_ignored(path_offer_raw(&path, len, 0));
            path.error[i] ^= 0x10;
        }
        assert_status(path_offer_raw(&path, len, 0), IPSEC_CONSUMED);
    }
    /* the pseudo-header is part of it */
    path_begin(&path, 6);
    spec = path_too_big(&path, 6, 1400);
    len = icmp_build(path.error, &spec);
    path.error[8] ^= 1;
    check_ignored(path_offer_raw(&path, len, 0));
}

/* A fragment of one is not whole: neither first nor last. */
static void
test_icmp_too_big_in_fragments_is_ignored(void **state)
{
    struct icmp_spec spec;
    size_t len;

    (void)state;
    path_begin(&path, 4);
    spec = path_too_big(&path, 4, 1400);
    len = icmp_build(path.error, &spec);
    path.error[6] = 0x20;
    packet_fix(path.error);
    check_ignored(path_offer_raw(&path, len, 0));
    path.error[6] = 0;
    path.error[7] = 1;
    packet_fix(path.error);
    check_ignored(path_offer_raw(&path, len, 0));
    path.error[7] = 0;
    packet_fix(path.error);
    assert_status(path_offer_raw(&path, len, 0), IPSEC_CONSUMED);
}

/* attacks.md 144: a number that was lately sent, where the quote has one. */
static void
test_icmp_too_big_needs_a_number_lately_sent(void **state)
{
    static const struct {
        uint64_t sent;
        uint32_t quoted;
        int      heeded;
    } row[] = {
        { 1, 1, 1 }, { 1, 0, 0 }, { 1, 2, 0 }, { 1, UINT32_MAX, 0 },
        { 0, 0, 0 }, { 0, 1, 0 }, { 5, 1, 1 }, { 5, 0, 0 }, { 5, 6, 0 },
        { 5, 0xfffffff0, 0 },
        { 100000, 100000, 1 }, { 100000, 100001, 0 },
        { 100000, 100000 - 65535, 1 }, { 100000, 100000 - 65536, 0 },
        { 0x100000005, 5, 1 }, { 0x100000005, 0, 1 },
        { 0x100000005, 0xfffffff0, 1 }, { 0x100000005, 6, 0 },
        { 0x100000005, 0xffff0006, 1 }, { 0x100000005, 0xffff0005, 0 }
    };
    struct icmp_spec spec;
    size_t i;
    int n;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        path_begin(&path, 4);
        SA->seq = row[i].sent;
        for (n = 0; n < 4; n++) {
            path.wire[24 + n] = (uint8_t)(row[i].quoted >> (24 - 8 * n));
        }
        fx_note("row %zu", i);
        if (row[i].heeded) {
            assert_status(path_offer_mtu(&path, 4, 1400), IPSEC_CONSUMED);
        } else {
            check_ignored(path_offer_mtu(&path, 4, 1400));
        }
    }
    /* AH has its number in the second 8 bytes, which need not be there. */
    path_begin_as(&path, &suites[NULL_SHA256], IPSEC_PROTO_AH,
                  IPSEC_MODE_TUNNEL, 4);
    path.wire[20 + 8] ^= 1;
    check_ignored(path_offer_mtu(&path, 4, 1400));
    spec = path_too_big(&path, 4, 1400);
    spec.quote_len = 20 + 12;
    check_ignored(path_offer(&path, &spec));
    spec.quote_len = 20 + 11;
    assert_status(path_offer(&path, &spec), IPSEC_CONSUMED);
}

/* attacks.md 145: cut off anywhere, in memory of just that size. */
static void
test_icmp_quote_of_any_length(void **state)
{
    struct icmp_spec spec;
    int version;
    size_t len;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        path_begin(&path, version);
        for (len = 0; len <= path.wire_len; len++) {
            spec = path_too_big(&path, version, 1400);
            spec.quote_len = len;
            SA->mtu = 1500;
            A->stats.in_too_big = 0;
            fx_note("%zu bytes", len);
            if (len < ICMP_AT(path.wire) + 8) {
                check_ignored(path_offer(&path, &spec));
            } else {
                assert_status(path_offer(&path, &spec), IPSEC_CONSUMED);
            }
        }
    }
}

/* attacks.md 146: options, and lengths that lie. */
static void
test_icmp_quote_with_options(void **state)
{
    uint8_t quote[4096];
    struct icmp_spec spec;
    size_t i, len;
    int words;

    (void)state;
    path_begin(&path, 4);
    for (words = 1; words <= 10; words++) {
        /* as the source has sent it, or what options a router has put in */
        memcpy(quote, path.wire, 20);
        memset(quote + 20, 1, (size_t)words * 4);
        memcpy(quote + 20 + words * 4, path.wire + 20, path.wire_len - 20);
        quote[0] = (uint8_t)(0x45 + words);
        spec = path_too_big(&path, 4, (uint32_t)(1400 - words));
        spec.quote = quote;
        spec.quote_len = 20 + (size_t)words * 4 + 8;
        assert_status(path_offer(&path, &spec), IPSEC_CONSUMED);
        spec.word--;
        spec.quote_len--;
        assert_status(path_offer(&path, &spec), IPSEC_ERR_NO_POLICY);
    }
    path_begin(&path, 4);
    for (i = 0; i < 65536; i += 7) {
        len = i & 0xffff;
        path.wire[2] = (uint8_t)(len >> 8);
        path.wire[3] = (uint8_t)len;
        SA->mtu = 1500;
        fx_note("total length %zu", len);
        assert_status(path_offer_mtu(&path, 4, 1400),
                      len < 28 ? IPSEC_ERR_NO_POLICY : IPSEC_CONSUMED);
    }
}

/* Extension headers stand ahead of ESP in transport mode; ones that lie, or
 * are cut off, lead nowhere. */
static void
test_icmp_quote_with_extension_headers(void **state)
{
    static const char *const ext[] = { "h", "d", "r", "hd", "hrd", "a", "f",
                                       "hdrdf" };
    struct packet_spec out;
    struct icmp_spec spec;
    uint8_t quote[4096];
    size_t i, len, full;

    (void)state;
    for (i = 0; i < COUNT(ext); i++) {
        path_begin(&path, 6);
        memset(&out, 0, sizeof out);
        out.src = path_us[1];
        out.dst = path_peer[1];
        out.proto = 50;
        out.ext = ext[i];
        out.payload = 40;
        full = packet_build(quote, &out);
        memcpy(quote + full - 40, path.wire + 40, 40);
        spec = path_too_big(&path, 6, 1400);
        spec.quote = quote;
        for (len = 0; len <= full; len++) {
            spec.quote_len = len;
            SA->mtu = 1500;
            A->stats.in_too_big = 0;
            fx_note("%s, %zu bytes", ext[i], len);
            if (len < full - 40 + 8) {
                check_ignored(path_offer(&path, &spec));
            } else {
                assert_status(path_offer(&path, &spec), IPSEC_CONSUMED);
            }
        }
        SA->mtu = 1500;
        A->stats.in_too_big = 0;
        if (ext[i][0] != 'a' && ext[i][0] != 'f') {
            quote[41] = 255;
            check_ignored(path_offer(&path, &spec));
        }
    }
    out.ext = "l";
    full = packet_build(quote, &out);
    memcpy(quote + full - 40, path.wire + 40, 40);
    spec.quote_len = full;
    check_ignored(path_offer(&path, &spec));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_icmp_too_big_lowers_the_mtu_of_its_sa),
        cmocka_unit_test(test_icmp_too_big_by_configuration),
        cmocka_unit_test(test_icmp_too_big_floor_and_ceiling),
        cmocka_unit_test(test_icmp_too_big_only_lowers),
        cmocka_unit_test(test_icmp_too_big_about_others_is_ignored),
        cmocka_unit_test(test_icmp_too_big_about_an_inbound_sa_is_ignored),
        cmocka_unit_test(test_icmp_other_errors_tell_no_mtu),
        cmocka_unit_test(test_icmp_of_the_other_version_is_ignored),
        cmocka_unit_test(test_icmp_checksum_must_be_right),
        cmocka_unit_test(test_icmp_too_big_in_fragments_is_ignored),
        cmocka_unit_test(test_icmp_too_big_needs_a_number_lately_sent),
        cmocka_unit_test(test_icmp_quote_of_any_length),
        cmocka_unit_test(test_icmp_quote_with_options),
        cmocka_unit_test(test_icmp_quote_with_extension_headers)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
