/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "fake/icmp.h"

/* What an ICMP "too big" tells of an SA's path (RFC 4301 section 8.2). */

static const char *const us[] = { "192.0.2.1", "2001:db8::1" };
static const char *const peer[] = { "198.51.100.2", "2001:db8:ff::2" };
static const char *const router[] = { "203.0.113.9", "2001:db8:99::9" };

static struct pair pair;
static struct fx_pkt p;
static uint8_t wire[4096], error[4096];
static size_t wire_len;

#define A (&pair.a.ips)
#define SA (&pair.out.sa)

/* A host whose SA, with a link MTU of 1500, has sent a packet. */
static void
begin_as(const struct suite *suite, int proto, int mode, int version)
{
    struct packet_spec spec;

    pair_prepare(&pair, suite, mode, version);
    pair.a.cfg.flags = IPSEC_ACCEPT_PTB;
    pair.out.params.proto = pair.in.params.proto = (uint8_t)proto;
    pair.pa.proto = pair.pb.proto = (uint8_t)proto;
    pair.out.params.mtu = 1500;
    pair.pa.dir = IPSEC_OUT;
    pair_begin(&pair);
    spec = pair_spec(&pair, version, 17, 64);
    wire_len = pair_seal(&pair, &spec, wire);
}

static void
begin(int version)
{
    begin_as(&suites[GCM128], IPSEC_PROTO_ESP, IPSEC_MODE_TUNNEL, version);
}

static struct icmp_spec
too_big(int version, uint32_t mtu)
{
    struct icmp_spec spec = { 0 };
    int v6 = version == 6;

    spec.src = router[v6];
    spec.dst = us[v6];
    spec.type = v6 ? 2 : 3;
    spec.code = v6 ? 0 : 4;
    spec.word = mtu;
    spec.quote = wire;
    spec.quote_len = wire_len;
    return spec;
}

/* Offer what is at `error`, in memory of just its size. */
static int
offer_raw(size_t len, uint8_t flags)
{
    int rc;

    fx_pkt_new(&p, error, len, 0, 0);
    p.pkt.flags = flags;
    rc = ipsec_inbound(A, &p.pkt);
    assert_true(fx_pkt_is(&p, error, len));
    fx_pkt_free(&p);
    return rc;
}

static int
offer(const struct icmp_spec *spec)
{
    return offer_raw(icmp_build(error, spec), 0);
}

static int
offer_mtu(int version, uint32_t mtu)
{
    struct icmp_spec spec = too_big(version, mtu);

    return offer(&spec);
}

static size_t
counted(const struct ipsec_stats *s)
{
    size_t n = s->in_protect + s->in_bypass + s->in_consumed +
               s->in_keepalive + s->in_too_big, i;

    for (i = 0; i < IPSEC_DROP_COUNT; i++) {
        n += s->in_drop[i];
    }
    return n;
}

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
        begin_as(&suites[suite[i >> 2 & 1]],
                 i & 4 ? IPSEC_PROTO_AH : IPSEC_PROTO_ESP, mode, version);
        spec = too_big(version, 1400);
        if (i & 8) {
            spec.quote_len = ICMP_AT(wire) + 8;
        }
        ipsec_tick(A, 50);
        fx_note("row %d", i);
        assert_status(offer(&spec), IPSEC_CONSUMED);
        assert_int_equal(SA->mtu, 1400);
        assert_int_equal(SA->until, 650);
        assert_int_equal(A->stats.in_too_big, 1);
        assert_int_equal(counted(&A->stats), 1);
        assert_int_equal(pair.a.audits, 0);
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
    begin(4);
    pair.a.cfg.flags = 0;
    check_ignored(offer_mtu(4, 1400));
    pair.a.cfg.flags = (uint8_t)~IPSEC_ACCEPT_PTB;
    check_ignored(offer_mtu(4, 1400));
    pair.a.cfg.flags = IPSEC_ACCEPT_PTB;
    spec = too_big(4, 1400);
    len = icmp_build(error, &spec);
    fx_pkt_new(&p, error, len, 0, 0);
    p.pkt.stats = &own;
    assert_status(ipsec_inbound(A, &p.pkt), IPSEC_CONSUMED);
    fx_pkt_free(&p);
    assert_int_equal(own.in_too_big, 1);
    assert_int_equal(counted(&own), 1);
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
        begin(row[i].version);
        SA->mtu = SA->link_mtu = row[i].link;
        fx_note("row %zu", i);
        rc = offer_mtu(row[i].version, row[i].mtu);
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
    begin(4);
    ipsec_tick(A, 100);
    assert_status(offer_mtu(4, 1400), IPSEC_CONSUMED);
    ipsec_tick(A, 200);
    assert_status(offer_mtu(4, 1400), IPSEC_ERR_NO_POLICY);
    assert_status(offer_mtu(4, 1450), IPSEC_ERR_NO_POLICY);
    assert_int_equal(SA->mtu, 1400);
    assert_int_equal(SA->until, 700);
    assert_status(offer_mtu(4, 1300), IPSEC_CONSUMED);
    assert_int_equal(SA->mtu, 1300);
    assert_int_equal(SA->until, 800);
    /* long past, but no packet has gone since */
    ipsec_tick(A, 5000);
    assert_status(offer_mtu(4, 1400), IPSEC_CONSUMED);
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
    size_t i;
    uint8_t old;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        begin(4);
        fx_note("%s", row[i].what);
        old = wire[row[i].at];
        wire[row[i].at] = row[i].value;
        check_ignored(offer_mtu(4, 1400));
        wire[row[i].at] = old;
        assert_status(offer_mtu(4, 1400), IPSEC_CONSUMED);
    }
    begin(4);
    spec = too_big(4, 1400);
    spec.dst = "192.0.2.2"; /* not who has sent it */
    check_ignored(offer(&spec));
    check_ignored(offer_raw(icmp_build(error, &spec), IPSEC_PKT_TRANSIT));
    spec.dst = us[0];
    check_ignored(offer_raw(icmp_build(error, &spec), IPSEC_PKT_TRANSIT));
    /* not an SA that can have sent anything */
    SA->state = IPSEC_SA_LARVAL;
    check_ignored(offer(&spec));
    SA->state = IPSEC_SA_MATURE;
    SA->local_port = SA->remote_port = 4500; /* in UDP, not bare */
    check_ignored(offer(&spec));
    SA->local_port = SA->remote_port = 0;
    assert_status(offer(&spec), IPSEC_CONSUMED);
}

/* An inbound SA sends nothing. */
static void
test_icmp_too_big_about_an_inbound_sa_is_ignored(void **state)
{
    struct packet_spec spec;
    struct icmp_spec e;

    (void)state;
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.b.cfg.flags = IPSEC_ACCEPT_PTB;
    pair.in.params.mtu = 1500;
    pair_begin(&pair);
    spec = pair_spec(&pair, 4, 17, 64);
    wire_len = pair_seal(&pair, &spec, wire);
    memcpy(wire + 12, addr(peer[0]).byte, 4);
    memcpy(wire + 16, addr(us[0]).byte, 4);
    e = too_big(4, 1400);
    e.dst = peer[0];
    assert_status(pair_offer(&pair, error, icmp_build(error, &e)),
                  IPSEC_ERR_UNPROTECTED);
    assert_int_equal(pair.in.sa.mtu, 1500);
    assert_int_equal(pair.b.ips.stats.in_too_big, 0);
}

/* Types and codes that tell no MTU; redirects among them. A-6.1.2-1, attacks.md
 * 149: 3/3 and redirects are ignored though 3/4 is accepted. */
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
        begin(row[i].version);
        spec = too_big(row[i].version, 1400);
        spec.type = row[i].type;
        spec.code = row[i].code;
        fx_note("row %zu", i);
        if (row[i].heeded) {
            assert_status(offer(&spec), IPSEC_CONSUMED);
        } else {
            check_ignored(offer(&spec));
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
    begin(4);
    spec = too_big(4, 1400);
    spec.type = 2;
    spec.code = 0;
    len = icmp_build(error, &spec);
    error[9] = 58;
    packet_fix(error);
    check_ignored(offer_raw(len, 0));
    begin(6);
    spec = too_big(6, 1400);
    spec.type = 3;
    spec.code = 4;
    len = icmp_build(error, &spec);
    error[6] = 1;
    check_ignored(offer_raw(len, 0));
    /* one that quotes the other version */
    begin(6);
    spec = too_big(4, 1400);
    spec.dst = us[0];
    check_ignored(offer(&spec));
}

static void
test_icmp_checksum_must_be_right(void **state)
{
    struct icmp_spec spec;
    size_t len, i;
    int version;

    (void)state;
    for (version = 4; version <= 6; version += 2) {
        begin(version);
        spec = too_big(version, 1400);
        len = icmp_build(error, &spec);
        for (i = ICMP_AT(error); i < len; i++) {
            error[i] ^= 0x10;
            check_ignored(offer_raw(len, 0));
            error[i] ^= 0x10;
        }
        assert_status(offer_raw(len, 0), IPSEC_CONSUMED);
    }
    /* the pseudo-header is part of it */
    begin(6);
    spec = too_big(6, 1400);
    len = icmp_build(error, &spec);
    error[8] ^= 1;
    check_ignored(offer_raw(len, 0));
}

/* A fragment of one is not whole: neither first nor last. */
static void
test_icmp_too_big_in_fragments_is_ignored(void **state)
{
    struct icmp_spec spec;
    size_t len;

    (void)state;
    begin(4);
    spec = too_big(4, 1400);
    len = icmp_build(error, &spec);
    error[6] = 0x20;
    packet_fix(error);
    check_ignored(offer_raw(len, 0));
    error[6] = 0;
    error[7] = 1;
    packet_fix(error);
    check_ignored(offer_raw(len, 0));
    error[7] = 0;
    packet_fix(error);
    assert_status(offer_raw(len, 0), IPSEC_CONSUMED);
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
        begin(4);
        SA->seq = row[i].sent;
        for (n = 0; n < 4; n++) {
            wire[24 + n] = (uint8_t)(row[i].quoted >> (24 - 8 * n));
        }
        fx_note("row %zu", i);
        if (row[i].heeded) {
            assert_status(offer_mtu(4, 1400), IPSEC_CONSUMED);
        } else {
            check_ignored(offer_mtu(4, 1400));
        }
    }
    /* AH has its number in the second 8 bytes, which need not be there. */
    begin_as(&suites[NULL_SHA256], IPSEC_PROTO_AH, IPSEC_MODE_TUNNEL, 4);
    wire[20 + 8] ^= 1;
    check_ignored(offer_mtu(4, 1400));
    spec = too_big(4, 1400);
    spec.quote_len = 20 + 12;
    check_ignored(offer(&spec));
    spec.quote_len = 20 + 11;
    assert_status(offer(&spec), IPSEC_CONSUMED);
}

/* attacks.md 145: cut off anywhere, in memory of just that size. */
static void
test_icmp_quote_of_any_length(void **state)
{
    struct icmp_spec spec;
    int version;
    size_t len;

    (void)state;
    for (version = 4; version <= 6; version += 2) {
        begin(version);
        for (len = 0; len <= wire_len; len++) {
            spec = too_big(version, 1400);
            spec.quote_len = len;
            SA->mtu = 1500;
            A->stats.in_too_big = 0;
            fx_note("%zu bytes", len);
            if (len < ICMP_AT(wire) + 8) {
                check_ignored(offer(&spec));
            } else {
                assert_status(offer(&spec), IPSEC_CONSUMED);
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
    begin(4);
    for (words = 1; words <= 10; words++) {
        /* as the source has sent it, or what options a router has put in */
        memcpy(quote, wire, 20);
        memset(quote + 20, 1, (size_t)words * 4);
        memcpy(quote + 20 + words * 4, wire + 20, wire_len - 20);
        quote[0] = (uint8_t)(0x45 + words);
        spec = too_big(4, (uint32_t)(1400 - words));
        spec.quote = quote;
        spec.quote_len = 20 + (size_t)words * 4 + 8;
        assert_status(offer(&spec), IPSEC_CONSUMED);
        spec.word--;
        spec.quote_len--;
        assert_status(offer(&spec), IPSEC_ERR_NO_POLICY);
    }
    begin(4);
    for (i = 0; i < 65536; i += 7) {
        len = i & 0xffff;
        wire[2] = (uint8_t)(len >> 8);
        wire[3] = (uint8_t)len;
        SA->mtu = 1500;
        fx_note("total length %zu", len);
        assert_status(offer_mtu(4, 1400),
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
        begin(6);
        memset(&out, 0, sizeof out);
        out.src = us[1];
        out.dst = peer[1];
        out.proto = 50;
        out.ext = ext[i];
        out.payload = 40;
        full = packet_build(quote, &out);
        memcpy(quote + full - 40, wire + 40, 40);
        spec = too_big(6, 1400);
        spec.quote = quote;
        for (len = 0; len <= full; len++) {
            spec.quote_len = len;
            SA->mtu = 1500;
            A->stats.in_too_big = 0;
            fx_note("%s, %zu bytes", ext[i], len);
            if (len < full - 40 + 8) {
                check_ignored(offer(&spec));
            } else {
                assert_status(offer(&spec), IPSEC_CONSUMED);
            }
        }
        SA->mtu = 1500;
        A->stats.in_too_big = 0;
        if (ext[i][0] != 'a' && ext[i][0] != 'f') {
            quote[41] = 255;
            check_ignored(offer(&spec));
        }
    }
    out.ext = "l";
    full = packet_build(quote, &out);
    memcpy(quote + full - 40, wire + 40, 40);
    spec.quote_len = full;
    check_ignored(offer(&spec));
}

#ifndef IPSEC_NO_NATT

/* A quote of `len` bytes of a packet of the SA at `from`, in UDP. */
static int
offer_udp(size_t len, const char *src, const char *dst, int sport, int dport,
          uint32_t spi, uint32_t seq)
{
    struct packet_spec out;
    struct icmp_spec spec = too_big(4, 1400);
    uint8_t quote[128];
    int i;

    memset(&out, 0, sizeof out);
    out.src = src;
    out.dst = dst;
    out.proto = 17;
    out.sport = (uint16_t)sport;
    out.dport = (uint16_t)dport;
    out.payload = 60;
    packet_build(quote, &out);
    for (i = 0; i < 4; i++) {
        quote[28 + i] = (uint8_t)(spi >> (24 - 8 * i));
        quote[32 + i] = (uint8_t)(seq >> (24 - 8 * i));
    }
    spec.quote = quote;
    spec.quote_len = 20 + len;
    return offer(&spec);
}

/* ESP in UDP: by SPI where the quote reaches so far, else by addresses and
 * ports. */
static void
test_icmp_too_big_about_esp_in_udp(void **state)
{
    size_t len;

    (void)state;
    begin(4);
    SA->local_port = 4500;
    SA->remote_port = 61000;
    for (len = 0; len <= 68; len++) {
        SA->mtu = 1500;
        A->stats.in_too_big = 0;
        fx_note("%zu bytes", len);
        if (len < 8) {
            check_ignored(offer_udp(len, us[0], peer[0], 4500, 61000, 0x1001,
                                    1));
        } else {
            assert_status(offer_udp(len, us[0], peer[0], 4500, 61000, 0x1001,
                                    1), IPSEC_CONSUMED);
        }
        SA->mtu = 1500;
        A->stats.in_too_big = 0;
        check_ignored(offer_udp(len, us[0], peer[0], 4500, 61001, 0x1001, 1));
        check_ignored(offer_udp(len, us[0], peer[0], 4501, 61000, 0x1001, 1));
        check_ignored(offer_udp(len, router[0], peer[0], 4500, 61000, 0x1001,
                                1));
        check_ignored(offer_udp(len, us[0], router[0], 4500, 61000, 0x1001,
                                1));
        if (len >= 12) {
            check_ignored(offer_udp(len, us[0], peer[0], 4500, 61000, 0x1002,
                                    1));
            check_ignored(offer_udp(len, us[0], peer[0], 4500, 61000, 0, 1));
        }
        if (len >= 16) {
            check_ignored(offer_udp(len, us[0], peer[0], 4500, 61000, 0x1001,
                                    2));
        }
    }
    /* an SA that is not in UDP has no port 0 */
    SA->local_port = SA->remote_port = 0;
    for (len = 8; len <= 60; len++) {
        check_ignored(offer_udp(len, us[0], peer[0], 0, 0, 0x1001, 1));
    }
}

/* Without an SPI it must be clear which is meant, and cheap to tell. */
static void
test_icmp_too_big_without_spi_needs_a_single_sa(void **state)
{
    static struct fx_sa more;

    (void)state;
    begin(4);
    SA->local_port = SA->remote_port = 4500;
    fx_sa_set(&more, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x2001,
              us[0], peer[0]);
    assert_status(fx_sa_add(&pair.a, &more), IPSEC_OK);
    assert_status(offer_udp(8, us[0], peer[0], 4500, 4500, 0, 0),
                  IPSEC_CONSUMED);
    SA->mtu = 1500;
    A->stats.in_too_big = 0;
    more.sa.local_port = more.sa.remote_port = 4500;
    check_ignored(offer_udp(11, us[0], peer[0], 4500, 4500, 0x1001, 0));
    assert_status(offer_udp(12, us[0], peer[0], 4500, 4500, 0x1001, 0),
                  IPSEC_CONSUMED);
    assert_int_equal(more.sa.mtu, 0);

    fx_init(&pair.a, 1);
    pair.a.cfg.flags = IPSEC_ACCEPT_PTB;
    memset(SA, 0, sizeof *SA);
    assert_status(fx_sa_add(&pair.a, &pair.out), IPSEC_OK);
    SA->local_port = SA->remote_port = 4500;
    check_ignored(offer_udp(11, us[0], peer[0], 4500, 4500, 0x1001, 0));
    assert_status(offer_udp(12, us[0], peer[0], 4500, 4500, 0x1001, 0),
                  IPSEC_CONSUMED);
}

#endif

/* One packet of `len` bytes out. */
static int
send(int version, size_t len, int df)
{
    struct packet_spec spec = pair_spec(&pair, version, 17, 0);

    spec.payload = len - (version == 4 ? 28 : 48);
    spec.df = (uint8_t)df;
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    return ipsec_outbound(A, &p.pkt);
}

static int
sent(int version, size_t len, int df)
{
    int rc = send(version, len, df);

    fx_pkt_free(&p);
    return rc;
}

/* A-8.2.2-1: after its time the link's MTU is tried again, by the first packet
 * that goes out. */
static void
test_icmp_mtu_is_forgotten_in_time(void **state)
{
    static const struct {
        uint16_t age, want;
    } row[] = { { 0, 600 }, { 1, 1 }, { 600, 600 }, { 65535, 65535 } };
    uint32_t base;
    size_t i;

    (void)state;
    for (i = 0; i < 2 * COUNT(row); i++) {
        begin(4);
        base = i & 1 ? UINT32_MAX - 10 : 1000; /* the clock may go round */
        ipsec_tick(A, base);
        pair.a.cfg.pmtu_age = row[i / 2].age;
        assert_status(offer_mtu(4, 1400), IPSEC_CONSUMED);
        ipsec_tick(A, base + row[i / 2].want - 1);
        assert_status(sent(4, 1400, 1), IPSEC_ERR_TOO_BIG);
        assert_int_equal(SA->mtu, 1400);
        ipsec_tick(A, base + row[i / 2].want);
        assert_int_equal(SA->mtu, 1400);
        assert_status(sent(4, 1400, 1), IPSEC_OK);
        assert_int_equal(SA->mtu, 1500);
        assert_int_equal(fx_events(&pair.a, NULL, IPSEC_EVENT_HARD), 0);
    }
}

/* Where nothing was learnt there is nothing to forget: `until` is 0 then. */
static void
test_icmp_mtu_of_the_link_stays(void **state)
{
    (void)state;
    begin(4);
    ipsec_tick(A, 100000);
    assert_status(sent(4, 1400, 1), IPSEC_OK);
    assert_int_equal(SA->mtu, 1500);
}

/* A-8.2.1-1, A-8.2.1-2, A-8.2.1-3, A-8.2.1-4, P-3.3.4-2: from what a router
 * says to what a sender is told: a packet of just that size goes through, and
 * fills the path as far as the algorithm's blocks let it. */
static void
check_propagates(const struct suite *suite, int proto, int outer, int inner,
                 uint32_t path)
{
    struct ipsec_addr from = addr(inner == 4 ? "10.1.0.254" :
                                  "2001:db8:a::254");
    size_t align = proto == IPSEC_PROTO_AH ? 1 : suite->align, len, mtu;
    uint8_t tell[1280];

    begin_as(suite, proto, IPSEC_MODE_TUNNEL, outer);
    assert_status(offer_mtu(outer, path), IPSEC_CONSUMED);
    assert_status(send(inner, 1490, 1), IPSEC_ERR_TOO_BIG);
    mtu = p.pkt.mtu;
    len = ipsec_icmp_error(&p.pkt, IPSEC_ERR_TOO_BIG, &from, tell,
                           sizeof tell);
    assert_int_equal(len, inner == 4 ? 576 : 1280);
    if (inner == 4) {
        assert_int_equal(tell[20] << 8 | tell[21], 0x0304);
        assert_int_equal(tell[26] << 8 | tell[27], mtu);
        assert_int_equal(tell[24] | tell[25], 0);
    } else {
        assert_int_equal(tell[40] << 8 | tell[41], 0x0200);
        assert_int_equal(tell[46] << 8 | tell[47], mtu);
        assert_int_equal(tell[44] | tell[45], 0);
        assert_true(mtu >= 1280);
    }
    assert_true(icmp_intact(tell));
    fx_pkt_free(&p);
    assert_status(send(inner, mtu, 1), IPSEC_OK);
    if (inner == 4 || mtu > 1280) {
        assert_in_range(p.pkt.buf.len, path + 1 - align, path);
    }
    fx_pkt_free(&p);
    assert_status(sent(inner, mtu + 1, 1), IPSEC_ERR_TOO_BIG);
    if (inner == 4) {
        assert_status(send(4, mtu + 1, 0), IPSEC_OK); /* to be fragmented */
        assert_int_equal(ipsec_icmp_error(&p.pkt, IPSEC_ERR_TOO_BIG, &from,
                                          tell, sizeof tell), 0);
        fx_pkt_free(&p);
    }
}

static void
test_icmp_mtu_propagates_to_the_sender(void **state)
{
    static const int suite[] = { GCM128, CBC128, NULL_SHA256, CBC256_SHA512 };
    uint32_t path;
    size_t i;
    int v;

    (void)state;
    for (i = 0; i < COUNT(suite); i++) {
        for (path = 1340; path <= 1372; path++) {
            for (v = 0; v < 4; v++) {
                fx_note("%s, %u, %d", suites[suite[i]].name, path, v);
                check_propagates(&suites[suite[i]], IPSEC_PROTO_ESP,
                                 v & 1 ? 6 : 4, v & 2 ? 6 : 4, path);
            }
        }
    }
    for (v = 0; v < 4; v++) {
        check_propagates(&suites[NULL_SHA256], IPSEC_PROTO_AH, v & 1 ? 6 : 4,
                         v & 2 ? 6 : 4, 1371 + 1);
    }
}

/* A path of 1400 as GCM makes it: RFC 4303 with an IV of 8 and an ICV of 16
 * round packets of 1400 - 20 - 8 - 8 - 16 - 2 = 1346 bytes. */
static void
test_icmp_mtu_of_an_example(void **state)
{
    (void)state;
    begin(4);
    assert_status(offer_mtu(4, 1400), IPSEC_CONSUMED);
    assert_status(send(4, 1500, 1), IPSEC_ERR_TOO_BIG);
    assert_int_equal(p.pkt.mtu, 1346);
    fx_pkt_free(&p);
    assert_status(send(4, 1346, 1), IPSEC_OK);
    assert_int_equal(p.pkt.buf.len, 1400);
    fx_pkt_free(&p);
}

/* Whom the learnt MTU of an outer layer concerns in a bundle: the sender. */
static void
test_icmp_mtu_of_an_outer_layer(void **state)
{
    static struct fx_sa outer;
    static struct ipsec_policy around;
    struct packet_spec spec;
    struct icmp_spec e;
    size_t mtu;

    (void)state;
    begin(4);
    fx_sa_set(&outer, &suites[CBC128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x2001,
              us[0], "203.0.113.3");
    outer.params.reqid = 2;
    outer.params.mtu = 1500;
    assert_status(fx_sa_add(&pair.a, &outer), IPSEC_OK);
    around = pair.pa;
    around.reqid = 2;
    pair.pa.outer = &around;
    spec = pair_spec(&pair, 4, 17, 64);
    fx_pkt_build(&p, &spec, 2 * IPSEC_HEADROOM, 2 * IPSEC_TAILROOM);
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
    wire_len = p.pkt.buf.len;
    memcpy(wire, p.pkt.buf.data, wire_len);
    fx_pkt_free(&p);
    e = too_big(4, 1300);
    assert_status(offer(&e), IPSEC_CONSUMED);
    assert_int_equal(outer.sa.mtu, 1300);
    assert_int_equal(SA->mtu, 1500);

    spec.df = 1;
    spec.payload = 1400;
    fx_pkt_build(&p, &spec, 2 * IPSEC_HEADROOM, 2 * IPSEC_TAILROOM);
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_TOO_BIG);
    mtu = p.pkt.mtu;
    fx_pkt_free(&p);
    for (spec.payload = mtu - 28; spec.payload <= mtu - 27; spec.payload++) {
        fx_pkt_build(&p, &spec, 2 * IPSEC_HEADROOM, 2 * IPSEC_TAILROOM);
        assert_status(ipsec_outbound(A, &p.pkt), spec.payload == mtu - 28
                      ? IPSEC_OK : IPSEC_ERR_TOO_BIG);
        assert_true(spec.payload != mtu - 28 || p.pkt.buf.len <= 1300);
        fx_pkt_free(&p);
    }
}

/* RFC 4301 section 8.2.1: what came over an SA and passed policy is authentic:
 * no flag is asked, and it is delivered. `a` gets it from the peer of another
 * SA, whose packets must go over the path in question. */
static void
check_protected(int flags, int allowed)
{
    static struct pair other;
    struct fx_pkt in;
    struct icmp_spec e;
    size_t len;
    int rc;

    begin(4);
    pair.a.cfg.flags = (uint8_t)flags;
    pair_prepare(&other, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    /* `other.b` stands for our second SA: same host as pair.a */
    other.in.params.spi = other.out.params.spi = 0x3001;
    other.in.params.reqid = 7;
    assert_status(fx_sa_add(&other.a, &other.out), IPSEC_OK);
    assert_status(ipsec_spd_add(&other.a.ips, &other.pa), IPSEC_OK);
    assert_status(fx_sa_add(&pair.a, &other.in), IPSEC_OK);
    other.pb.reqid = 7;
    other.pb.dir = IPSEC_IN;
    other.pb.priority = 1;
    if (!allowed) {
        other.pb.reqid = 8;
    }
    assert_status(ipsec_spd_add(A, &other.pb), IPSEC_OK);

    e = too_big(4, 1400);
    len = icmp_build(error, &e);
    fx_pkt_new(&in, error, len, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&other.a.ips, &in.pkt), IPSEC_OK);
    rc = ipsec_inbound(A, &in.pkt);
    assert_status(rc, allowed ? IPSEC_OK : IPSEC_ERR_SELECTOR);
    assert_int_equal(SA->mtu, allowed ? 1400 : 1500);
    assert_int_equal(A->stats.in_too_big, 0);
    assert_int_equal(A->stats.in_protect, allowed);
    assert_int_equal(counted(&A->stats), 1);
    if (allowed) {
        assert_true(fx_pkt_is(&in, error, len));
    }
    fx_pkt_free(&in);
}

static void
test_icmp_protected_too_big_is_heeded_and_delivered(void **state)
{
    (void)state;
    check_protected(0, 1);
    check_protected(IPSEC_ACCEPT_PTB, 1);
    check_protected(0, 0);
    check_protected(IPSEC_ACCEPT_PTB, 0);
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
        cmocka_unit_test(test_icmp_quote_with_extension_headers),
#ifndef IPSEC_NO_NATT
        cmocka_unit_test(test_icmp_too_big_about_esp_in_udp),
        cmocka_unit_test(test_icmp_too_big_without_spi_needs_a_single_sa),
#endif
        cmocka_unit_test(test_icmp_mtu_is_forgotten_in_time),
        cmocka_unit_test(test_icmp_mtu_of_the_link_stays),
        cmocka_unit_test(test_icmp_mtu_propagates_to_the_sender),
        cmocka_unit_test(test_icmp_mtu_of_an_example),
        cmocka_unit_test(test_icmp_mtu_of_an_outer_layer),
        cmocka_unit_test(test_icmp_protected_too_big_is_heeded_and_delivered)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
