/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* From arrival to verdict (RFC 4301 section 5.2). */

static struct pair pair;
static uint8_t wire[1024], plain[1024];
static size_t wire_len;

#define B (&pair.b.ips)

/* A fresh pair, and a packet of A's in `wire`. */
static void
begin(int mode, int version)
{
    struct packet_spec spec;

    pair_init(&pair, &suites[GCM128], mode, version);
    spec = pair_spec(&pair, version, 17, 32);
    packet_build(plain, &spec);
    wire_len = pair_seal(&pair, &spec, wire);
}

static int
offer(void)
{
    return pair_offer(&pair, wire, wire_len);
}

static size_t
drops(void)
{
    size_t i, n = 0;

    for (i = 0; i < IPSEC_DROP_COUNT; i++) {
        n += pair.b.ips.stats.in_drop[i];
    }
    return n;
}

/* Offer `data`: dropped once, counted, audited, and the packet and the SA
 * are as they were. */
static void
check_refused(const uint8_t *data, size_t len, uint8_t flags, int want)
{
    struct ipsec_sa before = pair.in.sa;
    size_t had = drops(), audits = pair.b.audits, runs = pair.b.st.runs;
    struct fx_pkt p;

    fx_pkt_new(&p, data, len, 0, 0);
    p.pkt.flags = flags;
    assert_status(ipsec_inbound(B, &p.pkt), want);
    assert_int_equal(p.pkt.layers, 0);
    assert_true(fx_pkt_is(&p, data, len));
    fx_pkt_free(&p);
    assert_true(sa_same(&before, &pair.in.sa));
    assert_int_equal(drops(), had + 1);
    assert_true(pair.b.ips.stats.in_drop[-want] > 0);
    assert_int_equal(pair.b.audits, audits + 1);
    assert_int_equal(pair.b.audit[audits].status, want);
    assert_int_equal(pair.b.audit[audits].dir, IPSEC_IN);
    assert_int_equal(pair.b.st.runs, runs);
}

static void
test_inbound_opens_and_counts(void **state)
{
    struct fx_pkt p;
    int mode;

    (void)state;
    for (mode = IPSEC_MODE_TRANSPORT; mode <= IPSEC_MODE_TUNNEL; mode++) {
        begin(mode, 4);
        ipsec_tick(B, 77);
        assert_status(pair_open(&pair, wire, wire_len, &p), IPSEC_OK);
        assert_true(fx_pkt_is(&p, plain, packet_len(plain)));
        fx_pkt_free(&p);
        assert_int_equal(B->stats.in_protect, 1);
        assert_int_equal(drops() + B->stats.in_bypass + pair.b.audits, 0);
        assert_true(pair.in.sa.packets == 1 && pair.in.sa.seq == 1);
        assert_int_equal(pair.in.sa.used, 77);
        assert_int_equal(pair.in.sa.in_flight, 0);
    }
}

static void
test_inbound_cleartext_by_policy(void **state)
{
    struct packet_spec spec;
    size_t len;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    len = packet_len(plain);
    check_refused(plain, len, 0, IPSEC_ERR_UNPROTECTED);
    assert_int_equal(pair.b.acquires, 0);
    assert_int_equal(pair.b.audit[0].spi, 0);
    assert_int_equal(pair.b.audit[0].flow.local_port, 7);
    assert_int_equal(pair.b.audit[0].flow.remote_port, 5000);
    pair.pb.action = IPSEC_ACTION_DISCARD;
    check_refused(plain, len, 0, IPSEC_ERR_DISCARD);
    pair.pb.action = IPSEC_ACTION_BYPASS;
    assert_status(pair_offer(&pair, plain, len), IPSEC_BYPASS);
    assert_int_equal(B->stats.in_bypass, 1);
    pair.pb.dir = IPSEC_OUT;
    check_refused(plain, len, 0, IPSEC_ERR_NO_POLICY);
    /* fragments meet the policy, too */
    pair.pb.dir = IPSEC_IN;
    pair.pb.action = IPSEC_ACTION_PROTECT;
    spec = pair_spec(&pair, 4, 17, 32);
    spec.mf = 1;
    check_refused(plain, packet_build(plain, &spec), 0,
                  IPSEC_ERR_UNPROTECTED);
    spec.mf = 0;
    spec.frag = 9;
    check_refused(plain, packet_build(plain, &spec), 0,
                  IPSEC_ERR_UNPROTECTED);
}

/* attacks.md 20: before anything is looked up */
static void
test_inbound_header_checksum(void **state)
{
    size_t i;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    for (i = 1; i < 20; i++) {
        fx_note("byte %zu", i);
        wire[i] ^= 0x04;
        check_refused(wire, wire_len, 0, IPSEC_ERR_MALFORMED);
        wire[i] ^= 0x04;
    }
    pair.pb.action = IPSEC_ACTION_BYPASS;
    plain[8] ^= 1;
    check_refused(plain, packet_len(plain), 0, IPSEC_ERR_MALFORMED);
}

/* No header that can be read, no flow to tell of. */
static void
test_inbound_malformed(void **state)
{
    static const struct ipsec_flow none;
    size_t n;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 6);
    for (n = 0; n < 40; n++) {
        check_refused(wire, n, 0, IPSEC_ERR_MALFORMED);
        assert_memory_equal(&pair.b.audit[n].flow, &none, sizeof none);
        assert_int_equal(pair.b.audit[n].spi, 0);
        assert_true(pair.b.audit[n].seq == 0);
    }
}

static void
test_inbound_no_such_sa(void **state)
{
    static const uint32_t spis[] = { 0, 1, 255, 0x1000, 0x1002, 0xffffffff };
    uint8_t *esp;
    size_t i;
    int version;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        begin(IPSEC_MODE_TUNNEL, version);
        esp = wire + (version == 4 ? 20 : 40);
        for (i = 0; i < COUNT(spis); i++) {
            esp[0] = (uint8_t)(spis[i] >> 24);
            esp[1] = (uint8_t)(spis[i] >> 16);
            esp[2] = (uint8_t)(spis[i] >> 8);
            esp[3] = (uint8_t)spis[i];
            check_refused(wire, wire_len, 0, IPSEC_ERR_NO_SA);
            assert_int_equal(pair.b.audit[i].spi, spis[i]);
            assert_true(pair.b.audit[i].seq == 1);
            assert_int_equal(pair.b.audit[i].flow.proto, 50);
            assert_int_equal(pair.b.audit[i].flow.opaque, 1);
        }
    }
}

/* attacks.md 64 to 66, 68, 70 */
static void
test_inbound_sa_of_another_kind(void **state)
{
    struct ipsec_addr us = addr("198.51.100.9"), peer = addr("192.0.2.1");
    struct ipsec_sa larval;
    struct fx_sa out;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    assert_status(fx_move(B, &pair.in.sa, &us, &peer), IPSEC_OK);
    check_refused(wire, wire_len, 0, IPSEC_ERR_NO_SA); /* not for it */
    begin(IPSEC_MODE_TUNNEL, 4);
    wire[9] = 51;
    packet_fix(wire);
    check_refused(wire, wire_len, 0, IPSEC_ERR_NO_SA); /* AH */
    begin(IPSEC_MODE_TUNNEL, 4);
    assert_status(ipsec_sad_remove(B, &pair.in.sa), IPSEC_OK);
    fx_sa_set(&out, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x1001,
              "198.51.100.2", "192.0.2.1");
    assert_status(fx_sa_add(&pair.b, &out), IPSEC_OK);
    assert_status(offer(), IPSEC_ERR_NO_SA); /* reflected */
    memset(&larval, 0, sizeof larval);
    assert_status(ipsec_sad_reserve(B, &larval, IPSEC_IN, 50, 1, 30),
                  IPSEC_OK);
    wire[20] = (uint8_t)(larval.spi >> 24);
    wire[21] = (uint8_t)(larval.spi >> 16);
    wire[22] = (uint8_t)(larval.spi >> 8);
    wire[23] = (uint8_t)larval.spi;
    assert_status(offer(), IPSEC_ERR_NO_SA);
    assert_int_equal(larval.state, IPSEC_SA_LARVAL);
}

/* On a gateway, ESP for others goes by its policy: attacks.md 65 */
static void
test_inbound_transit(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    wire[23] ^= 1;
    check_refused(wire, wire_len, IPSEC_PKT_TRANSIT, IPSEC_ERR_UNPROTECTED);
    pair.pb.action = IPSEC_ACTION_DISCARD;
    check_refused(wire, wire_len, IPSEC_PKT_TRANSIT, IPSEC_ERR_DISCARD);
    pair.pb.action = IPSEC_ACTION_BYPASS;
    fx_pkt_new(&p, wire, wire_len, 0, 0);
    p.pkt.flags = IPSEC_PKT_TRANSIT;
    assert_status(ipsec_inbound(B, &p.pkt), IPSEC_BYPASS);
    p.pkt.flags = 0;
    assert_status(ipsec_inbound(B, &p.pkt), IPSEC_ERR_NO_SA);
    fx_pkt_free(&p);
    spec = pair_spec(&pair, 4, 51, 24);
    fx_pkt_build(&p, &spec, 0, 0);
    p.pkt.flags = IPSEC_PKT_TRANSIT;
    assert_status(ipsec_inbound(B, &p.pkt), IPSEC_BYPASS);
    fx_pkt_free(&p);
    spec.proto = 50;
    spec.mf = 1;
    fx_pkt_build(&p, &spec, 0, 0);
    p.pkt.flags = IPSEC_PKT_TRANSIT;
    assert_status(ipsec_inbound(B, &p.pkt), IPSEC_BYPASS);
    fx_pkt_free(&p);
}

/* Ours is opened on a gateway as well. */
static void
test_inbound_transit_of_our_own(void **state)
{
    struct fx_pkt p;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 6);
    fx_pkt_new(&p, wire, wire_len, 0, 0);
    p.pkt.flags = IPSEC_PKT_TRANSIT;
    assert_status(ipsec_inbound(B, &p.pkt), IPSEC_OK);
    assert_true(fx_pkt_is(&p, plain, packet_len(plain)));
    fx_pkt_free(&p);
}

/* RFC 4303 section 3.4.1 */
static void
test_inbound_fragments_of_esp(void **state)
{
    static const struct {
        const char *ext;
        uint8_t mf;
        uint16_t frag;
        int want;
    } row[] = {
        { NULL, 1, 0, IPSEC_ERR_FRAGMENT }, { NULL, 0, 3, IPSEC_ERR_FRAGMENT },
        { "f", 0, 0, IPSEC_ERR_FRAGMENT }, { "l", 0, 0, IPSEC_ERR_FRAGMENT },
        { "hl", 0, 0, IPSEC_ERR_FRAGMENT }
    };
    struct packet_spec spec;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        begin(IPSEC_MODE_TRANSPORT, row[i].ext != NULL ? 6 : 4);
        spec = pair_spec(&pair, row[i].ext != NULL ? 6 : 4, 50, 60);
        spec.ext = row[i].ext;
        spec.mf = row[i].mf;
        spec.frag = row[i].frag;
        check_refused(plain, packet_build(plain, &spec), 0, row[i].want);
    }
}

/* A replay costs no crypto: attacks.md 46 */
static void
test_inbound_replay(void **state)
{
    uint8_t first[1024];
    size_t first_len, i;
    struct packet_spec spec;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    memcpy(first, wire, wire_len);
    first_len = wire_len;
    assert_status(offer(), IPSEC_OK);
    check_refused(wire, wire_len, 0, IPSEC_ERR_REPLAY);
    assert_int_equal(pair.in.sa.drop_replay, 1);
    assert_true(pair.b.audit[0].seq == 1);
    assert_int_equal(pair.b.audit[0].spi, 0x1001);
    spec = pair_spec(&pair, 4, 17, 32);
    for (i = 0; i < 64; i++) {
        wire_len = pair_seal(&pair, &spec, wire);
    }
    assert_status(offer(), IPSEC_OK); /* number 65: 1 is left of 64 now */
    check_refused(first, first_len, 0, IPSEC_ERR_REPLAY);
    pair.in.sa.flags |= IPSEC_SA_NO_REPLAY;
    assert_status(pair_offer(&pair, first, first_len), IPSEC_OK);
    assert_status(pair_offer(&pair, first, first_len), IPSEC_OK);
}

/* After a restart all numbers up to the noted one count as seen, whatever is
 * in the memory for the window. */
static void
test_inbound_starts_from_a_noted_number(void **state)
{
    struct packet_spec spec;
    int filled, own;
    uint64_t seq;

    (void)state;
    for (filled = 0; filled < 4; filled++) {
        own = filled & 1;
        pair_prepare(&pair, &suites[CBC128], IPSEC_MODE_TUNNEL, 4);
        pair.in.params.seq = 100;
        memset(pair.in.window, filled & 2 ? 0xff : 0, sizeof pair.in.window);
        pair.in.params.window = own ? NULL : pair.in.window;
        pair.in.params.window_len = own ? 0 : 8;
        pair_begin(&pair);
        spec = pair_spec(&pair, 4, 17, 0);
        for (seq = 1; seq <= 103; seq++) {
            wire_len = pair_seal(&pair, &spec, wire);
            assert_status(offer(), seq <= 100 ? IPSEC_ERR_REPLAY : IPSEC_OK);
        }
        assert_int_equal(pair.b.st.runs, 3);
        assert_status(offer(), IPSEC_ERR_REPLAY);
    }
}

/* A window of the caller's, and its width. */
static void
test_inbound_window_sizes(void **state)
{
    static uint8_t kept[300][128];
    struct packet_spec spec;
    size_t w, i, len = 0;

    (void)state;
    for (w = 1; w <= 8; w *= 2) {
        pair_prepare(&pair, &suites[CHACHA], IPSEC_MODE_TUNNEL, 4);
        pair.in.params.window = pair.in.window;
        pair.in.params.window_len = (uint16_t)w;
        pair_begin(&pair);
        spec = pair_spec(&pair, 4, 17, 0);
        for (i = 0; i < 300; i++) {
            len = pair_seal(&pair, &spec, kept[i]);
        }
        assert_status(pair_offer(&pair, kept[299], len), IPSEC_OK);
        for (i = 0; i < 299; i++) {
            fx_note("window %zu, number %zu", 32 * w, i + 1);
            assert_status(pair_offer(&pair, kept[i], len), i + 32 * w >= 300
                          ? IPSEC_OK : IPSEC_ERR_REPLAY);
        }
        assert_true(pair.in.sa.packets == 32 * w);
    }
}

/* What a forger can't do: move the window. attacks.md 51 */
static void
test_inbound_forgery_changes_nothing(void **state)
{
    struct ipsec_sa before;
    uint8_t *seq = wire + 24;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    before = pair.in.sa;
    memset(seq, 0xff, 4);
    assert_status(offer(), IPSEC_ERR_AUTH);
    assert_true(sa_same(&before, &pair.in.sa));
    assert_int_equal(pair.in.sa.drop_auth, 1);
    assert_int_equal(B->stats.in_drop[12], 1);
    assert_true(pair.b.audit[0].seq == 0xffffffff);
    assert_int_equal(pair.b.audit[0].spi, 0x1001);
    memset(seq, 0, 4);
    assert_status(offer(), IPSEC_ERR_REPLAY); /* 0: attacks.md 50 */
    seq[3] = 1;
    assert_status(offer(), IPSEC_OK);
}

/* attacks.md 112 to 115, 118, 121 */
static void
test_inbound_opened_packet_against_policy(void **state)
{
    static const struct {
        int mode, action, policy_mode;
        uint32_t reqid;
        const char *remote;
        int want;
        uint8_t policy_proto;
    } row[] = {
        { 2, IPSEC_ACTION_PROTECT, 2, 1, "10.1.0.1", IPSEC_OK, 0 },
        { 2, IPSEC_ACTION_PROTECT, 2, 1, "10.1.0.1", IPSEC_OK,
          IPSEC_PROTO_ESP },
#ifndef IPSEC_NO_AH
        { 2, IPSEC_ACTION_PROTECT, 2, 1, "10.1.0.1", IPSEC_ERR_MODE,
          IPSEC_PROTO_AH },
#endif
        { 2, IPSEC_ACTION_PROTECT, 0, 1, "10.1.0.1", IPSEC_OK, 0 },
        { 2, IPSEC_ACTION_PROTECT, 2, 1, "10.1.0.2", IPSEC_ERR_SELECTOR, 0 },
        { 2, IPSEC_ACTION_PROTECT, 2, 2, "10.1.0.1", IPSEC_ERR_SELECTOR, 0 },
        { 2, IPSEC_ACTION_PROTECT, 1, 1, "10.1.0.1", IPSEC_ERR_MODE, 0 },
        { 1, IPSEC_ACTION_PROTECT, 1, 1, "192.0.2.1", IPSEC_OK, 0 },
        { 1, IPSEC_ACTION_PROTECT, 2, 1, "192.0.2.1", IPSEC_ERR_MODE, 0 },
        { 1, IPSEC_ACTION_PROTECT, 1, 1, "192.0.2.2", IPSEC_ERR_SELECTOR, 0 },
        { 2, IPSEC_ACTION_BYPASS, 0, 0, "10.1.0.1", IPSEC_ERR_SELECTOR, 0 },
        { 2, IPSEC_ACTION_DISCARD, 0, 0, "10.1.0.1", IPSEC_ERR_DISCARD, 0 },
    };
    struct ipsec_addr a;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        begin(row[i].mode, 4);
        ipsec_spd_remove(B, &pair.pb);
        pair.pb.action = (uint8_t)row[i].action;
        pair.pb.mode = (uint8_t)row[i].policy_mode;
        pair.pb.proto = row[i].policy_proto;
        pair.pb.reqid = row[i].reqid;
        a = addr(row[i].remote);
        pair.pb.sel.version = 4;
        memcpy(pair.pb.sel.remote.byte, a.byte, 16);
        pair.pb.sel.remote.bits = 32;
        assert_status(ipsec_spd_add(B, &pair.pb), IPSEC_OK);
        assert_status(offer(), row[i].want);
        assert_true(pair.in.sa.seq == 1); /* it was authentic, anyhow */
        assert_int_equal(pair.in.sa.in_flight, 0);
        if (row[i].want < 0) {
            assert_int_equal(B->stats.in_drop[-row[i].want], 1);
            assert_int_equal(pair.in.sa.drop_other, 1);
            assert_int_equal(pair.b.audit[0].layers, 1);
            /* of the packet that came out */
            assert_int_equal(pair.b.audit[0].flow.proto, 17);
        }
    }
}

/* A transport SA is between two hosts: nobody else uses it. */
static void
test_inbound_transport_from_its_peer_only(void **state)
{
    (void)state;
    begin(IPSEC_MODE_TRANSPORT, 4);
    wire[15] ^= 1;
    packet_fix(wire);
    check_refused(wire, wire_len, 0, IPSEC_ERR_SELECTOR);
    begin(IPSEC_MODE_TUNNEL, 4); /* a tunnel's source is not bound */
    wire[15] ^= 1;
    packet_fix(wire);
    assert_status(offer(), IPSEC_OK);
}

/* The SA's own SPD judges what came out of it. A-4.4.1-1 */
static void
test_inbound_spd_of_the_sa(void **state)
{
    struct packet_spec spec;

    (void)state;
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.in.params.spd_id = 3;
    pair_begin(&pair);
    spec = pair_spec(&pair, 4, 17, 8);
    wire_len = pair_seal(&pair, &spec, wire);
    assert_status(offer(), IPSEC_ERR_SELECTOR);
    pair.pb.sel.spd_id = 3;
    wire_len = pair_seal(&pair, &spec, wire);
    assert_status(offer(), IPSEC_OK);
}

static void
test_inbound_spd_of_clear_packets(void **state)
{
    struct fx_pkt p;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    pair.pb.sel.spd_id = 7;
    pair.pb.action = IPSEC_ACTION_BYPASS;
    fx_pkt_new(&p, plain, packet_len(plain), 0, 0);
    assert_status(ipsec_inbound(B, &p.pkt), IPSEC_ERR_NO_POLICY);
    p.pkt.spd_id = 7;
    assert_status(ipsec_inbound(B, &p.pkt), IPSEC_BYPASS);
    fx_pkt_free(&p);
}

/* While both are there, old and new SA carry: no packet is lost in rekeying. */
static void
test_inbound_old_and_new_sa_of_one_reqid(void **state)
{
    struct fx_sa out, in;
    struct packet_spec spec;
    uint8_t other[1024];
    size_t len;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    fx_sa_set(&out, &suites[CBC256], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x2002,
              "192.0.2.1", "198.51.100.2");
    fx_sa_set(&in, &suites[CBC256], IPSEC_IN, IPSEC_MODE_TUNNEL, 0x2002,
              "198.51.100.2", "192.0.2.1");
    assert_status(fx_sa_add(&pair.a, &out), IPSEC_OK);
    assert_status(fx_sa_add(&pair.b, &in), IPSEC_OK);
    spec = pair_spec(&pair, 4, 17, 32);
    len = pair_seal(&pair, &spec, other);
    assert_status(pair_offer(&pair, other, len), IPSEC_OK);
    assert_status(offer(), IPSEC_OK);
    assert_true(in.sa.packets == 1 && pair.in.sa.packets == 1);
}

static void
test_inbound_counts_where_it_is_told_to(void **state)
{
    struct ipsec_stats mine, zero;
    struct fx_pkt p;

    (void)state;
    memset(&mine, 0, sizeof mine);
    memset(&zero, 0, sizeof zero);
    begin(IPSEC_MODE_TUNNEL, 4);
    fx_pkt_new(&p, wire, wire_len, 0, 0);
    p.pkt.stats = &mine;
    assert_status(ipsec_inbound(B, &p.pkt), IPSEC_OK);
    assert_status(ipsec_inbound(B, &p.pkt), IPSEC_ERR_UNPROTECTED);
    pair.pb.action = IPSEC_ACTION_BYPASS;
    assert_status(ipsec_inbound(B, &p.pkt), IPSEC_BYPASS);
    fx_pkt_free(&p);
    assert_int_equal(mine.in_protect, 1);
    assert_int_equal(mine.in_bypass, 1);
    assert_int_equal(mine.in_drop[6], 1);
    assert_memory_equal(&B->stats, &zero, sizeof zero);
}

/* Authentic, and no packet: its SA answers for it, in either mode (RFC 4301
 * section 5.2, ipsec_sa.drop_other). */
static void
test_inbound_sa_answers_for_its_contents(void **state)
{
    static const uint8_t next[] = { 41, 0 }; /* no IPv6; options that are not
                                              * the first header */
    static struct pair two;
    uint8_t body[64], packet[256];
    struct craft craft = { 0 };
    size_t len;
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        pair_init(&two, &suites[GCM128],
                  i == 0 ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT, 6);
        memset(body, 0, sizeof body);
        craft.body = body;
        craft.len = body_end(&suites[GCM128], body, 24, next[i]);
        craft.seq = 7;
        len = pair_craft(&two, &craft, packet);
        assert_status(pair_offer(&two, packet, len), IPSEC_ERR_MALFORMED);
        assert_int_equal(two.in.sa.drop_other, 1);
        assert_int_equal(two.b.audit[0].spi, two.in.sa.spi);
        assert_true(two.b.audit[0].seq == 7);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inbound_opens_and_counts),
        cmocka_unit_test(test_inbound_cleartext_by_policy),
        cmocka_unit_test(test_inbound_header_checksum),
        cmocka_unit_test(test_inbound_malformed),
        cmocka_unit_test(test_inbound_no_such_sa),
        cmocka_unit_test(test_inbound_sa_of_another_kind),
        cmocka_unit_test(test_inbound_transit),
        cmocka_unit_test(test_inbound_transit_of_our_own),
        cmocka_unit_test(test_inbound_fragments_of_esp),
        cmocka_unit_test(test_inbound_replay),
        cmocka_unit_test(test_inbound_starts_from_a_noted_number),
        cmocka_unit_test(test_inbound_window_sizes),
        cmocka_unit_test(test_inbound_forgery_changes_nothing),
        cmocka_unit_test(test_inbound_opened_packet_against_policy),
        cmocka_unit_test(test_inbound_transport_from_its_peer_only),
        cmocka_unit_test(test_inbound_spd_of_the_sa),
        cmocka_unit_test(test_inbound_spd_of_clear_packets),
        cmocka_unit_test(test_inbound_old_and_new_sa_of_one_reqid),
        cmocka_unit_test(test_inbound_counts_where_it_is_told_to),
        cmocka_unit_test(test_inbound_sa_answers_for_its_contents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
