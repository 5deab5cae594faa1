/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Dummy packets out (RFC 4303 section 2.6; P-2.6-1, P-2.6-2): they go the way
 * of all packets, and the receiver forgets them (attacks.md 28, 29). */

static struct pair pair;
static struct fx_pkt p;
static uint8_t before[4096];
static int dones, verdict;

#define A (&pair.a.ips)
#define SA (&pair.out.sa)

static int
stop(void **state)
{
    (void)state;
    fx_pkt_free(&p);
    return 0;
}

/* An empty packet with `head` and `tail` around nothing. */
static void
empty(size_t head, size_t tail)
{
    fx_pkt_free(&p);
    fx_pkt_new(&p, NULL, 0, head, tail);
    memcpy(before, p.mem, p.size < sizeof before ? p.size : sizeof before);
}

/* Of the whole packet. */
static size_t
sealed(const struct suite *s, int version, size_t len)
{
    return (version == 4 ? 20u : 40u) + 8 + s->iv +
           (len + 2 + s->align - 1) / s->align * s->align + s->icv;
}

static void
check(const struct suite *s, int mode, int version, size_t len)
{
    size_t head = (version == 4 ? 20u : 40u) + 8 + s->iv, i;
    size_t tail = sealed(s, version, len) - head - len;
    size_t at = s->encr == IPSEC_ENCR_AES_CBC ? s->iv : 0; /* of the text */

    fx_note("%s, mode %d, IPv%d, %zu bytes", s->name, mode, version, len);
    pair_init(&pair, s, mode, version);
    empty(head - 1, len + tail);
    assert_status(ipsec_dummy(A, &p.pkt, SA, len), IPSEC_ERR_ROOM);
    assert_int_equal(p.pkt.head, head);
    assert_int_equal(p.pkt.tail, tail);
    assert_ptr_equal(p.pkt.buf.data, p.mem + head - 1);
    empty(3, len + tail);
    assert_status(ipsec_dummy(A, &p.pkt, SA, len), IPSEC_ERR_ROOM);
    assert_int_equal(p.pkt.head, head);
    assert_int_equal(p.pkt.tail, tail);
    empty(head, len + tail - 1);
    assert_status(ipsec_dummy(A, &p.pkt, SA, len), IPSEC_ERR_ROOM);
    assert_int_equal(p.pkt.head, head);
    assert_int_equal(p.pkt.tail, tail);
    assert_ptr_equal(p.pkt.buf.data, p.mem + head);
    assert_int_equal(p.pkt.buf.len, 0);
    assert_true(SA->seq == 0 && SA->in_flight == 0 && p.pkt.layers == 0);
    empty(head, len + tail);
    assert_status(ipsec_dummy(A, &p.pkt, SA, len), IPSEC_OK);
    assert_int_equal(p.pkt.buf.len, p.size);
    assert_int_equal(packet_len(p.pkt.buf.data), p.size);
    assert_true(packet_intact(p.pkt.buf.data));
    assert_int_equal(p.pkt.buf.data[version == 4 ? 9 : 6], 50);
    assert_true(SA->seq == 1 && SA->packets == 1 && SA->in_flight == 0);
    assert_int_equal(A->stats.out_protect, 1);
    for (i = 0; i < len; i++) {
        assert_int_equal(pair.a.st.text[at + i], 0);
    }
    assert_int_equal(pair.a.st.text[pair.a.st.text_len - 1], 59);
    assert_status(pair_offer(&pair, p.mem, p.size), IPSEC_CONSUMED);
    assert_int_equal(pair.b.ips.stats.in_consumed, 1);
    assert_int_equal(pair.b.audits, 0);
    assert_true(pair.in.sa.seq == 1);
    assert_status(pair_offer(&pair, p.mem, p.size), IPSEC_ERR_REPLAY);
}

static void
test_dummy_there_and_forgotten(void **state)
{
    size_t s, n;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (n = 0; n < 40; n += n < 18 ? 1 : 7) {
            check(&suites[s], IPSEC_MODE_TUNNEL, 4, n);
            check(&suites[s], IPSEC_MODE_TUNNEL, 6, n);
            check(&suites[s], IPSEC_MODE_TRANSPORT, 4, n);
            check(&suites[s], IPSEC_MODE_TRANSPORT, 6, n);
        }
    }
    check(&suites[GCM128], IPSEC_MODE_TUNNEL, 4, 1400);
}

static void
test_dummy_has_the_addresses_of_its_sa(void **state)
{
    int mode;

    (void)state;
    for (mode = 1; mode <= 2; mode++) {
        pair_init(&pair, &suites[GCM128], mode, 4);
        empty(IPSEC_HEADROOM, 100 + IPSEC_TAILROOM);
        assert_status(ipsec_dummy(A, &p.pkt, SA, 100), IPSEC_OK);
        assert_memory_equal(p.pkt.buf.data + 12, SA->local.byte, 4);
        assert_memory_equal(p.pkt.buf.data + 16, SA->remote.byte, 4);
        assert_int_equal(p.pkt.layers, 1);
        assert_ptr_equal(p.pkt.sa[0], SA);
    }
}

/* Padded as any other packet of the SA. */
static void
test_dummy_is_as_long_as_others(void **state)
{
    size_t len, n;

    (void)state;
    for (n = 0; n < 300; n += 50) {
        pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
        pair.out.params.tfc = 300;
        pair_begin(&pair);
        empty(IPSEC_HEADROOM, 300 + IPSEC_TAILROOM);
        assert_status(ipsec_dummy(A, &p.pkt, SA, n), IPSEC_OK);
        len = p.pkt.buf.len;
        assert_int_equal(len, sealed(&suites[GCM128], 4, 300));
        assert_status(pair_offer(&pair, p.pkt.buf.data, len), IPSEC_CONSUMED);
    }
}

/* No error leaves a trace but its counter and its audit event. */
static void
check_refused(size_t len, int want)
{
    struct fx_audit *audit = &pair.a.audit[0];
    uint64_t seq = SA->seq;

    empty(IPSEC_HEADROOM, 2000);
    assert_status(ipsec_dummy(A, &p.pkt, SA, len), want);
    assert_memory_equal(p.mem + IPSEC_HEADROOM, before + IPSEC_HEADROOM,
                        2000);
    assert_ptr_equal(p.pkt.buf.data, p.mem + IPSEC_HEADROOM);
    assert_int_equal(p.pkt.layers, 0);
    assert_true(SA->seq == seq && SA->in_flight == 0);
    assert_int_equal(pair.a.st.runs, 0);
    assert_int_equal(A->stats.out_drop[-want], 1);
    assert_int_equal(pair.a.audits, 1);
    assert_int_equal(audit->status, want);
    assert_int_equal(audit->dir, IPSEC_OUT);
    assert_memory_equal(audit->flow.local.byte, SA->local.byte, 16);
    assert_memory_equal(audit->flow.remote.byte, SA->remote.byte, 16);
}

static void
test_dummy_errors(void **state)
{
    int mode;

    (void)state;
    for (mode = 1; mode <= 2; mode++) {
        pair_prepare(&pair, &suites[CBC128], mode, 4);
        pair.out.params.seq = UINT32_MAX - 1;
        pair_begin(&pair);
        SA->seq = UINT32_MAX;
        check_refused(10, IPSEC_ERR_SEQ_OVERFLOW);
        assert_int_equal(fx_events(&pair.a, SA, IPSEC_EVENT_HARD), 1);
        pair_prepare(&pair, &suites[CBC128], mode, 4);
        pair.out.params.life = &pair.out.life;
        pair.out.life.hard_s = 5;
        pair_begin(&pair);
        A->now = 5;
        check_refused(10, IPSEC_ERR_EXPIRED);
        pair_init(&pair, &suites[CBC128], mode, 4);
        SA->in_flight = UINT16_MAX - 1;
        empty(IPSEC_HEADROOM, 2000);
        assert_status(ipsec_dummy(A, &p.pkt, SA, 10), IPSEC_ERR_BUSY);
        assert_int_equal(SA->in_flight, UINT16_MAX - 1);
    }
}

/* Not longer than the path, nor than IP: DF or not. */
static void
test_dummy_too_big(void **state)
{
    static const size_t huge[] = { 65535, 65536, 70000, SIZE_MAX - 2,
                                   SIZE_MAX };
    size_t i, most;
    int mode, version;

    (void)state;
    for (mode = 1; mode <= 2; mode++) {
        for (version = 4; version <= FX_IP_LAST; version += 2) {
            fx_note("mode %d, IPv%d", mode, version);
            pair_prepare(&pair, &suites[GCM128], mode, version);
            pair.out.params.mtu = 1400;
            pair_begin(&pair);
            most = 1400 - sealed(&suites[GCM128], version, 2) + 2;
            check_refused(most + 1, IPSEC_ERR_TOO_BIG);
            assert_int_equal(p.pkt.mtu, most);
            empty(IPSEC_HEADROOM, 2000);
            assert_status(ipsec_dummy(A, &p.pkt, SA, most), IPSEC_OK);
            assert_true(p.pkt.buf.len > 1396 && p.pkt.buf.len <= 1400);
            for (i = 0; i < COUNT(huge); i++) {
                pair_init(&pair, &suites[GCM128], mode, version);
                check_refused(huge[i], IPSEC_ERR_TOO_BIG);
            }
        }
    }
}

static void
test_dummy_on_the_wrong_sa(void **state)
{
    struct ipsec_sa larval = { 0 };

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    empty(IPSEC_HEADROOM, 2000);
    assert_status(ipsec_dummy(&pair.b.ips, &p.pkt, &pair.in.sa, 9),
                  IPSEC_ERR_MODE);
    assert_status(ipsec_sad_reserve(A, &larval, IPSEC_OUT, 50, 9, 9),
                  IPSEC_OK);
    assert_status(ipsec_dummy(A, &p.pkt, &larval, 9), IPSEC_ERR_MODE);
    assert_status(ipsec_sad_remove(A, SA), IPSEC_OK);
    assert_status(ipsec_dummy(A, &p.pkt, SA, 9), IPSEC_ERR_MODE);
    assert_int_equal(A->stats.out_drop[14], 2);
    assert_int_equal(pair.a.audits, 2);
    pair_prepare(&pair, &suites[NULL_SHA256], IPSEC_MODE_TUNNEL, 4);
    pair.out.params.proto = IPSEC_PROTO_AH;
    assert_status(fx_sa_add(&pair.a, &pair.out), IPSEC_OK);
    assert_status(ipsec_dummy(A, &p.pkt, SA, 9), IPSEC_ERR_MODE);
    assert_int_equal(pair.a.st.runs, 0);
}

/* In an engine, and removed meanwhile. */

static void
land(struct ipsec_op *op, int result)
{
    dones++;
    verdict = ipsec_resume(A, ipsec_op_pkt(op), result);
}

static void
test_dummy_with_an_engine(void **state)
{
    int gone;

    (void)state;
    for (gone = 0; gone < 2; gone++) {
        pair_init(&pair, &suites[GCM128], IPSEC_MODE_TRANSPORT, 6);
        pair.a.st.mode = FAKE_ASYNC;
        empty(IPSEC_HEADROOM, 100 + IPSEC_TAILROOM);
        p.pkt.done = land;
        dones = 0;
        assert_status(ipsec_dummy(A, &p.pkt, SA, 100), IPSEC_PENDING);
        assert_int_equal(SA->in_flight, 1);
        assert_int_equal(A->stats.out_protect, 0);
        if (gone) {
            assert_status(ipsec_sad_remove(A, SA), IPSEC_PENDING);
        }
        fake_complete(&pair.a.st, 0);
        assert_int_equal(dones, 1);
        assert_status(verdict, gone ? IPSEC_ERR_EXPIRED : IPSEC_OK);
        assert_int_equal(SA->in_flight, 0);
        assert_int_equal(fx_events(&pair.a, SA, IPSEC_EVENT_RELEASED), gone);
        assert_status(gone ? IPSEC_CONSUMED
                      : pair_offer(&pair, p.pkt.buf.data, p.pkt.buf.len),
                      IPSEC_CONSUMED);
    }
}

static void
test_dummy_engine_fails(void **state)
{
    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TRANSPORT, 4);
    pair.a.st.run_fails_at = 1;
    pair.a.st.run_fails_with = IPSEC_ERR_BUSY;
    empty(IPSEC_HEADROOM, 100 + IPSEC_TAILROOM);
    assert_status(ipsec_dummy(A, &p.pkt, SA, 100), IPSEC_ERR_BUSY);
    assert_int_equal(p.pkt.layers, 1);
    assert_true(SA->seq == 1 && SA->packets == 0 && SA->in_flight == 0);
    empty(IPSEC_HEADROOM, 100 + IPSEC_TAILROOM);
    assert_status(ipsec_dummy(A, &p.pkt, SA, 100), IPSEC_OK);
    assert_true(SA->seq == 2); /* attacks.md 162: burnt, not used again */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_dummy_there_and_forgotten, stop),
        cmocka_unit_test_teardown(test_dummy_has_the_addresses_of_its_sa,
                                  stop),
        cmocka_unit_test_teardown(test_dummy_is_as_long_as_others, stop),
        cmocka_unit_test_teardown(test_dummy_errors, stop),
        cmocka_unit_test_teardown(test_dummy_too_big, stop),
        cmocka_unit_test_teardown(test_dummy_on_the_wrong_sa, stop),
        cmocka_unit_test_teardown(test_dummy_with_an_engine, stop),
        cmocka_unit_test_teardown(test_dummy_engine_fails, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
