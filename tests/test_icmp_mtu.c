/* SPDX-License-Identifier: MIT */
#include "fake/icmp.h"

/* What becomes of a path MTU that was learnt (RFC 4301 section 8.2). */

static struct path path;

#define A (&path.pair.a.ips)
#define SA (&path.pair.out.sa)

/* One packet of `len` bytes out. */
static int
send(int version, size_t len, int df)
{
    struct packet_spec spec = pair_spec(&path.pair, version, 17, 0);

    spec.payload = len - (version == 4 ? 28 : 48);
    spec.df = (uint8_t)df;
    fx_pkt_build(&path.p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    return ipsec_outbound(A, &path.p.pkt);
}

static int
sent(int version, size_t len, int df)
{
    int rc = send(version, len, df);

    fx_pkt_free(&path.p);
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
        path_begin(&path, 4);
        base = i & 1 ? UINT32_MAX - 590 : 1000; /* the clock may go round */
        ipsec_tick(A, base);
        path.pair.a.cfg.pmtu_age = row[i / 2].age;
        assert_status(path_offer_mtu(&path, 4, 1400), IPSEC_CONSUMED);
        ipsec_tick(A, base + row[i / 2].want - 1);
        assert_status(sent(4, 1400, 1), IPSEC_ERR_TOO_BIG);
        assert_int_equal(SA->mtu, 1400);
        ipsec_tick(A, base + row[i / 2].want);
        assert_int_equal(SA->mtu, 1400);
        assert_status(sent(4, 1400, 1), IPSEC_OK);
        assert_int_equal(SA->mtu, 1500);
        assert_int_equal(fx_events(&path.pair.a, NULL, IPSEC_EVENT_HARD), 0);
    }
}

/* A time of 0 is a time like any other, but a second late. */
static void
test_icmp_mtu_is_forgotten_though_the_clock_goes_round(void **state)
{
    (void)state;
    path_begin(&path, 4);
    ipsec_tick(A, (uint32_t)-600);
    assert_status(path_offer_mtu(&path, 4, 1400), IPSEC_CONSUMED);
    ipsec_tick(A, 1);
    assert_status(sent(4, 1400, 1), IPSEC_OK);
    assert_int_equal(SA->mtu, 1500);
}

/* By a dummy too (RFC 4303 section 2.6), which may be all that goes out. */
static void
test_icmp_mtu_is_forgotten_by_a_dummy(void **state)
{
    int rc;

    (void)state;
    path_begin(&path, 4);
    assert_status(path_offer_mtu(&path, 4, 1280), IPSEC_CONSUMED);
    fx_pkt_new(&path.p, NULL, 0, IPSEC_HEADROOM, 1400 + IPSEC_TAILROOM);
    assert_status(ipsec_dummy(A, &path.p.pkt, SA, 1400), IPSEC_ERR_TOO_BIG);
    ipsec_tick(A, 600);
    rc = ipsec_dummy(A, &path.p.pkt, SA, 1400);
    fx_pkt_free(&path.p);
    assert_status(rc, IPSEC_OK);
    assert_int_equal(SA->mtu, 1500);
}

/* The most that TFC padding adds is what it adds once the path MTU has been
 * forgotten: who asks meanwhile must not be told less. */
static void
test_icmp_mtu_that_was_learnt_makes_no_less_room(void **state)
{
    size_t head, tail, most;

    (void)state;
    path_begin(&path, 4);
    SA->tfc = 1400;
    ipsec_sa_room(SA, &head, &most);
    assert_status(path_offer_mtu(&path, 4, 576), IPSEC_CONSUMED);
    assert_int_equal(SA->mtu, 576);
    ipsec_sa_room(SA, &head, &tail);
    assert_int_equal(tail, most);
}

/* Where nothing was learnt there is nothing to forget: `until` is 0 then. */
static void
test_icmp_mtu_of_the_link_stays(void **state)
{
    (void)state;
    path_begin(&path, 4);
    ipsec_tick(A, 100000);
    assert_status(sent(4, 1400, 1), IPSEC_OK);
    assert_int_equal(SA->mtu, 1500);
}

/* A-8.2.1-1, A-8.2.1-2, A-8.2.1-3, A-8.2.1-4, P-3.3.4-2: from what a router
 * says to what a sender is told: a packet of just that size goes through, and
 * fills the path as far as the algorithm's blocks let it. */
static void
check_propagates(const struct suite *suite, int proto, int outer, int inner,
                 uint32_t limit)
{
    struct ipsec_addr from = addr(inner == 4 ? "10.1.0.254" :
                                  "2001:db8:a::254");
    size_t align = proto == IPSEC_PROTO_AH ? 1 : suite->align, len, mtu;
    uint8_t tell[1280];

    path_begin_as(&path, suite, proto, IPSEC_MODE_TUNNEL, outer);
    assert_status(path_offer_mtu(&path, outer, limit), IPSEC_CONSUMED);
    assert_status(send(inner, 1490, 1), IPSEC_ERR_TOO_BIG);
    mtu = path.p.pkt.mtu;
    len = ipsec_icmp_error(&path.p.pkt, IPSEC_ERR_TOO_BIG, &from, tell,
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
    fx_pkt_free(&path.p);
    assert_status(send(inner, mtu, 1), IPSEC_OK);
    if (inner == 4 || mtu > 1280) {
        assert_in_range(path.p.pkt.buf.len, limit + 1 - align, limit);
    }
    fx_pkt_free(&path.p);
    assert_status(sent(inner, mtu + 1, 1), IPSEC_ERR_TOO_BIG);
    if (inner == 4) {
        assert_status(send(4, mtu + 1, 0), IPSEC_OK); /* to be fragmented */
        assert_int_equal(ipsec_icmp_error(&path.p.pkt, IPSEC_ERR_TOO_BIG,
                                          &from, tell, sizeof tell), 0);
        fx_pkt_free(&path.p);
    }
}

static void
test_icmp_mtu_propagates_to_the_sender(void **state)
{
    static const int suite[] = { GCM128, CBC128, NULL_SHA256, CBC256_SHA512 };
    uint32_t limit;
    size_t i;
    int v;

    (void)state;
    for (i = 0; i < COUNT(suite); i++) {
        for (limit = 1340; limit <= 1372; limit++) {
            for (v = 0; v < 4; v++) {
                fx_note("%s, %u, %d", suites[suite[i]].name, limit, v);
                check_propagates(&suites[suite[i]], IPSEC_PROTO_ESP,
                                 v & 1 ? 6 : 4, v & 2 ? 6 : 4, limit);
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
    path_begin(&path, 4);
    assert_status(path_offer_mtu(&path, 4, 1400), IPSEC_CONSUMED);
    assert_status(send(4, 1500, 1), IPSEC_ERR_TOO_BIG);
    assert_int_equal(path.p.pkt.mtu, 1346);
    fx_pkt_free(&path.p);
    assert_status(send(4, 1346, 1), IPSEC_OK);
    assert_int_equal(path.p.pkt.buf.len, 1400);
    fx_pkt_free(&path.p);
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
    path_begin(&path, 4);
    fx_sa_set(&outer, &suites[CBC128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x2001,
              path_us[0], "203.0.113.3");
    outer.params.reqid = 2;
    outer.params.mtu = 1500;
    assert_status(fx_sa_add(&path.pair.a, &outer), IPSEC_OK);
    around = path.pair.pa;
    around.reqid = 2;
    path.pair.pa.outer = &around;
    spec = pair_spec(&path.pair, 4, 17, 64);
    fx_pkt_build(&path.p, &spec, 2 * IPSEC_HEADROOM, 2 * IPSEC_TAILROOM);
    assert_status(ipsec_outbound(A, &path.p.pkt), IPSEC_OK);
    path.wire_len = path.p.pkt.buf.len;
    memcpy(path.wire, path.p.pkt.buf.data, path.wire_len);
    fx_pkt_free(&path.p);
    e = path_too_big(&path, 4, 1300);
    assert_status(path_offer(&path, &e), IPSEC_CONSUMED);
    assert_int_equal(outer.sa.mtu, 1300);
    assert_int_equal(SA->mtu, 1500);

    spec.df = 1;
    spec.payload = 1400;
    fx_pkt_build(&path.p, &spec, 2 * IPSEC_HEADROOM, 2 * IPSEC_TAILROOM);
    assert_status(ipsec_outbound(A, &path.p.pkt), IPSEC_ERR_TOO_BIG);
    mtu = path.p.pkt.mtu;
    fx_pkt_free(&path.p);
    for (spec.payload = mtu - 28; spec.payload <= mtu - 27; spec.payload++) {
        fx_pkt_build(&path.p, &spec, 2 * IPSEC_HEADROOM, 2 * IPSEC_TAILROOM);
        assert_status(ipsec_outbound(A, &path.p.pkt), spec.payload == mtu - 28
                      ? IPSEC_OK : IPSEC_ERR_TOO_BIG);
        assert_true(spec.payload != mtu - 28 || path.p.pkt.buf.len <= 1300);
        fx_pkt_free(&path.p);
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

    path_begin(&path, 4);
    path.pair.a.cfg.flags = (uint8_t)flags;
    pair_prepare(&other, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    /* `other.b` stands for our second SA: same host as path.pair.a */
    other.in.params.spi = other.out.params.spi = 0x3001;
    other.in.params.reqid = 7;
    assert_status(fx_sa_add(&other.a, &other.out), IPSEC_OK);
    assert_status(ipsec_spd_add(&other.a.ips, &other.pa), IPSEC_OK);
    assert_status(fx_sa_add(&path.pair.a, &other.in), IPSEC_OK);
    other.pb.reqid = 7;
    other.pb.dir = IPSEC_IN;
    other.pb.priority = 1;
    if (!allowed) {
        other.pb.reqid = 8;
    }
    assert_status(ipsec_spd_add(A, &other.pb), IPSEC_OK);

    e = path_too_big(&path, 4, 1400);
    len = icmp_build(path.error, &e);
    fx_pkt_new(&in, path.error, len, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&other.a.ips, &in.pkt), IPSEC_OK);
    rc = ipsec_inbound(A, &in.pkt);
    assert_status(rc, allowed ? IPSEC_OK : IPSEC_ERR_SELECTOR);
    assert_int_equal(SA->mtu, allowed ? 1400 : 1500);
    assert_int_equal(A->stats.in_too_big, 0);
    assert_int_equal(A->stats.in_protect, allowed);
    assert_int_equal(path_counted(&A->stats), 1);
    if (allowed) {
        assert_true(fx_pkt_is(&in, path.error, len));
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
        cmocka_unit_test(test_icmp_mtu_is_forgotten_in_time),
        cmocka_unit_test(
            test_icmp_mtu_is_forgotten_though_the_clock_goes_round),
        cmocka_unit_test(test_icmp_mtu_is_forgotten_by_a_dummy),
        cmocka_unit_test(test_icmp_mtu_that_was_learnt_makes_no_less_room),
        cmocka_unit_test(test_icmp_mtu_of_the_link_stays),
        cmocka_unit_test(test_icmp_mtu_propagates_to_the_sender),
        cmocka_unit_test(test_icmp_mtu_of_an_example),
        cmocka_unit_test(test_icmp_mtu_of_an_outer_layer),
        cmocka_unit_test(test_icmp_protected_too_big_is_heeded_and_delivered)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
