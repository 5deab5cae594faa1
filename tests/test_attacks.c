/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Hostile input, systematically: cuts, flips, rubbish. Whatever comes, there
 * is one verdict, one count, and an audit event if it is a drop. */

static struct pair pair;
static uint8_t wire[1024], plain[1024], bad[1024];
static size_t wire_len, plain_len;

#define B (&pair.b.ips)

static void
begin(size_t suite, int mode, int version)
{
    struct packet_spec spec;

    pair_init(&pair, &suites[suite], mode, version);
    spec = pair_spec(&pair, version, 17, 20);
    plain_len = packet_build(plain, &spec);
    wire_len = pair_seal(&pair, &spec, wire);
    assert_int_equal(pair.b.st.runs, 0);
}

static size_t
counted(void)
{
    const struct ipsec_stats *s = &B->stats;
    size_t n = s->in_protect + s->in_bypass + s->in_consumed, i;

    for (i = 0; i < IPSEC_DROP_COUNT; i++) {
        n += s->in_drop[i];
    }
    return n;
}

/* Offer `len` bytes of `data`, in memory of just that size. */
static int
offer(const uint8_t *data, size_t len)
{
    size_t before = counted(), audits = pair.b.audits;
    int rc = pair_offer(&pair, data, len);

    assert_int_equal(counted(), before + 1);
    assert_int_equal(pair.b.audits, audits + (rc < 0));
    if (rc < 0) {
        assert_true(rc > -IPSEC_DROP_COUNT);
        assert_int_equal(pair.b.audit[audits % FX_LOG].status, rc);
    }
    assert_int_equal(pair.in.sa.in_flight, 0);
    assert_int_equal(pair.b.st.misuse, 0);
    return rc;
}

static void
check_no_trace(const struct ipsec_sa *before)
{
    assert_true(sa_same(before, &pair.in.sa));
}

static void
set_len(uint8_t *p, size_t len)
{
    if (p[0] >> 4 == 4) {
        p[2] = (uint8_t)(len >> 8);
        p[3] = (uint8_t)len;
        packet_fix(p);
    } else {
        p[4] = (uint8_t)((len - 40) >> 8);
        p[5] = (uint8_t)(len - 40);
    }
}

static void
cut(size_t suite, int mode, int version)
{
    struct ipsec_sa before;
    size_t n, head = version == 4 ? 20 : 40;
    int rc;

    begin(suite, mode, version);
    before = pair.in.sa;
    for (n = 0; n < wire_len; n++) {
        fx_note("%s mode %d IPv%d cut to %zu", suites[suite].name, mode,
                version, n);
        assert_status(offer(wire, n), IPSEC_ERR_MALFORMED);
        if (n < head) {
            continue;
        }
        memcpy(bad, wire, n);
        set_len(bad, n);
        rc = offer(bad, n);
        assert_true(rc == IPSEC_ERR_MALFORMED || rc == IPSEC_ERR_AUTH);
    }
    check_no_trace(&before);
    assert_status(offer(wire, wire_len), IPSEC_OK);
}

static void
test_attacks_cut_at_every_length(void **state)
{
    size_t s;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        cut(s, IPSEC_MODE_TUNNEL, 4);
        cut(s, IPSEC_MODE_TUNNEL, 6);
        cut(s, IPSEC_MODE_TRANSPORT, 4);
        cut(s, IPSEC_MODE_TRANSPORT, 6);
    }
}

/* May this bit change on the way? (Bits 0 to 7: the least significant
 * first.) With ECN in the outer header, what comes out differs. */
static int
mutable_bit(int version, int mode, size_t i, unsigned bit)
{
    if (version == 4) {
        return i == 1 || i == 4 || i == 5 || (i == 6 && bit >= 6) || i == 8 ||
               (mode == IPSEC_MODE_TUNNEL && i >= 12 && i < 16);
    }
    return (i == 0 && bit < 4) || i == 1 || i == 2 || i == 3 || i == 7 ||
           (mode == IPSEC_MODE_TUNNEL && i >= 8 && i < 24);
}

/* RFC 6040: Not-ECT inside, CE outside. Congestion can't be forged unseen. */
static int
makes_ce(const uint8_t *p)
{
    return p[0] >> 4 == 4 ? (p[1] & 3) == 3 : (p[1] >> 4 & 3) == 3;
}

static void
flip(size_t suite, int mode, int version)
{
    struct ipsec_sa before;
    size_t i;
    unsigned bit;
    int rc;

    for (i = 0; i < wire_len; i++) {
        for (bit = 0; bit < 8; bit++) {
            fx_note("%s mode %d IPv%d byte %zu bit %u", suites[suite].name,
                    mode, version, i, bit);
            begin(suite, mode, version);
            before = pair.in.sa;
            memcpy(bad, wire, wire_len);
            bad[i] ^= (uint8_t)(1u << bit);
            if (version == 4 && i < 20) {
                assert_status(offer(bad, wire_len), IPSEC_ERR_MALFORMED);
                packet_fix(bad);
                if (i == 10 || i == 11) {
                    continue;
                }
            }
            rc = offer(bad, wire_len);
            if (mutable_bit(version, mode, i, bit) && !makes_ce(bad)) {
                assert_status(rc, IPSEC_OK);
            } else {
                assert_true(rc < 0);
                check_no_trace(&before);
            }
        }
    }
}

static void
test_attacks_flip_every_bit(void **state)
{
    static const size_t some[] = { CBC128, GCM256, NULL_SHA256 };
    size_t s;

    (void)state;
    for (s = 0; s < COUNT(some); s++) {
        begin(some[s], IPSEC_MODE_TUNNEL, 4);
        flip(some[s], IPSEC_MODE_TUNNEL, 4);
        begin(some[s], IPSEC_MODE_TUNNEL, 6);
        flip(some[s], IPSEC_MODE_TUNNEL, 6);
        begin(some[s], IPSEC_MODE_TRANSPORT, 4);
        flip(some[s], IPSEC_MODE_TRANSPORT, 4);
        begin(some[s], IPSEC_MODE_TRANSPORT, 6);
        flip(some[s], IPSEC_MODE_TRANSPORT, 6);
    }
}

/* The worst insider: everything authenticates. Any byte may have any value,
 * one or many of them. */
static void
test_attacks_rubbish_that_authenticates(void **state)
{
    static const int versions[] = { 4, 6 };
    size_t s, v, i, k;
    uint32_t r;
    int mode;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (v = 0; v < 4; v++) {
            mode = v / 2 ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT;
            begin(s, mode, versions[v % 2]);
            pair.b.st.any_icv = 1;
            pair.in.sa.flags |= IPSEC_SA_NO_REPLAY;
            for (i = 0; i < 3000; i++) {
                memcpy(bad, wire, wire_len);
                fx_random(&pair.a, &r, sizeof r);
                for (k = 0; k <= r % 4; k++) {
                    fx_random(&pair.a, &r, sizeof r);
                    bad[r % wire_len] = (uint8_t)(r >> 16);
                    r >>= 24;
                }
                if (bad[0] >> 4 == 4 && (bad[0] & 15) >= 5) {
                    packet_fix(bad);
                }
                offer(bad, wire_len);
            }
        }
    }
}

/* NULL encryption lets us write into an inner packet as we like. */
static void
test_attacks_rubbish_inside(void **state)
{
    size_t i;
    unsigned value;
    int version;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        begin(NULL_SHA256, IPSEC_MODE_TUNNEL, version);
        pair.b.st.any_icv = 1;
        pair.in.sa.flags |= IPSEC_SA_NO_REPLAY;
        for (i = version == 4 ? 28 : 48; i < wire_len - 16; i++) {
            for (value = 0; value < 256; value++) {
                memcpy(bad, wire, wire_len);
                bad[i] = (uint8_t)value;
                offer(bad, wire_len);
            }
        }
    }
}

/* attacks.md 110: what comes out is the packet itself, or an older one. */
static void
test_attacks_packet_inside_itself(void **state)
{
    struct craft craft = { 0 };
    static uint8_t body[1024], outer[1024];

    (void)state;
    begin(GCM128, IPSEC_MODE_TUNNEL, 4);
    memcpy(body, wire, wire_len); /* number 1 inside number 2 */
    craft.body = body;
    craft.len = body_end(&suites[GCM128], body, wire_len, 4);
    craft.seq = 2;
    /* "protect everything" lets the SA carry its own packets, once */
    assert_status(offer(outer, pair_craft(&pair, &craft, outer)), IPSEC_OK);
    assert_true(pair.in.sa.packets == 2);
    craft.seq = 3;
    assert_status(offer(outer, pair_craft(&pair, &craft, outer)),
                  IPSEC_ERR_REPLAY);
}

/* attacks.md 124 */
static void
test_attacks_mapped_addresses_are_not_ipv4(void **state)
{
    struct packet_spec spec;

    (void)state;
    begin(GCM128, IPSEC_MODE_TUNNEL, 6);
    ipsec_spd_remove(B, &pair.pb);
    pair.pb.sel.version = 4;
    assert_status(ipsec_spd_add(B, &pair.pb), IPSEC_OK);
    spec = pair_spec(&pair, 6, 17, 20);
    spec.src = "::ffff:0a01:0001";
    spec.dst = "::ffff:0a02:0002";
    wire_len = pair_seal(&pair, &spec, wire);
    assert_status(offer(wire, wire_len), IPSEC_ERR_SELECTOR);
}

/* attacks.md 45: a packet that did not verify shows no plaintext. */
static void
test_attacks_no_plaintext_before_the_icv(void **state)
{
    struct fx_pkt p;
    size_t s, i;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        if (SUITE_IS_CLEAR(&suites[s])) {
            continue;
        }
        begin(s, IPSEC_MODE_TUNNEL, 4);
        wire[wire_len - 1] ^= 1;
        assert_status(pair_open(&pair, wire, wire_len, &p), IPSEC_ERR_AUTH);
        for (i = 0; i + 12 <= p.size; i++) {
            assert_memory_not_equal(p.mem + i, plain + 8, 12);
        }
        fx_pkt_free(&p);
    }
}

/* attacks.md 63: nothing grows, whatever comes. */
static void
test_attacks_flood_of_unknown_spis(void **state)
{
    uint32_t i;

    (void)state;
    begin(GCM128, IPSEC_MODE_TUNNEL, 4);
    for (i = 0; i < 10000; i++) {
        wire[20] = (uint8_t)(i >> 8);
        wire[21] = (uint8_t)i;
        wire[22] = 0xff;
        assert_status(pair_offer(&pair, wire, wire_len), IPSEC_ERR_NO_SA);
    }
    assert_int_equal(pair.b.st.runs, 0);
    assert_int_equal(B->stats.in_drop[1], 10000);
    assert_int_equal(pair.b.acquires + pair.b.events, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attacks_cut_at_every_length),
        cmocka_unit_test(test_attacks_flip_every_bit),
        cmocka_unit_test(test_attacks_rubbish_that_authenticates),
        cmocka_unit_test(test_attacks_rubbish_inside),
        cmocka_unit_test(test_attacks_packet_inside_itself),
        cmocka_unit_test(test_attacks_mapped_addresses_are_not_ipv4),
        cmocka_unit_test(test_attacks_no_plaintext_before_the_icv),
        cmocka_unit_test(test_attacks_flood_of_unknown_spis),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
