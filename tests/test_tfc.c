/* SPDX-License-Identifier: MIT */
#include "fake/nest.h"

/* TFC padding out (RFC 4303 section 2.7; P-2.7-1, P-2.7-2, attacks.md 35): all
 * lengths, all transforms, to the byte. */

static struct pair pair;
static struct nest nest;
static uint8_t plain[70000];
static size_t plain_len;

/* What becomes of `len` bytes in a tunnel, by RFC 4303's own arithmetic. */
static size_t
sealed(const struct suite *s, int outer, size_t len)
{
    return (outer == 4 ? 20u : 40u) + 8 + s->iv +
           (len + 2 + s->align - 1) / s->align * s->align + s->icv;
}

/* The longest payload that stays within `mtu`. */
static size_t
longest(const struct suite *s, int outer, size_t mtu)
{
    size_t len = mtu;

    while (len > 0 && sealed(s, outer, len) > mtu) {
        len--;
    }
    return len;
}

static int
send(const struct packet_spec *spec, size_t head, size_t tail,
     struct fx_pkt *p)
{
    plain_len = packet_build(plain, spec);
    fx_pkt_new(p, plain, plain_len, head, tail);
    return ipsec_outbound(&pair.a.ips, &p->pkt);
}

static void
begin(const struct suite *s, int outer, uint16_t tfc, uint16_t mtu)
{
    pair_prepare(&pair, s, IPSEC_MODE_TUNNEL, outer);
    pair.out.params.tfc = tfc;
    pair.out.params.mtu = mtu;
    pair_begin(&pair);
}

/* `want`: the payload that the packet is to become. */
static void
check(const struct suite *s, int outer, int inner, size_t payload, size_t want)
{
    struct packet_spec spec = pair_spec(&pair, inner, 17, payload);
    size_t len, head, tail, most_head, most_tail, i;
    struct fx_pkt p, back;

    len = packet_build(plain, &spec);
    want = len > want ? len : want;
    head = (outer == 4 ? 20u : 40u) + 8 + s->iv;
    tail = sealed(s, outer, want) - head - len;
    assert_status(send(&spec, head, tail - 1, &p), IPSEC_ERR_ROOM);
    assert_int_equal(p.pkt.head, head);
    assert_int_equal(p.pkt.tail, tail);
    assert_true(fx_pkt_is(&p, plain, len));
    fx_pkt_free(&p);
    assert_status(send(&spec, head, tail, &p), IPSEC_OK);
    assert_int_equal(p.pkt.buf.len, sealed(s, outer, want));
    ipsec_sa_room(&pair.out.sa, &most_head, &most_tail);
    assert_true(head == most_head && tail <= most_tail);
    i = s->encr == IPSEC_ENCR_AES_CBC ? s->iv : 0; /* of the text */
    assert_memory_equal(pair.a.st.text + i, plain, len);
    for (i += len; i < want && i < FAKE_TEXT; i++) {
        assert_int_equal(pair.a.st.text[i], 0);
    }
    assert_status(pair_open(&pair, p.pkt.buf.data, p.pkt.buf.len, &back),
                  IPSEC_OK);
    assert_true(fx_pkt_is(&back, plain, len));
    fx_pkt_free(&back);
    fx_pkt_free(&p);
}

static void
test_tfc_all_lengths(void **state)
{
    const uint16_t tfc = 90;
    size_t s, n;
    int v;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (v = 0; v < 4; v++) {
            begin(&suites[s], v % 2 ? 4 : 6, tfc, 0);
            for (n = 0; n < 80; n++) {
                fx_note("%s, %zu bytes, %d", suites[s].name, n, v);
                check(&suites[s], v % 2 ? 4 : 6, v / 2 ? 4 : 6, n, tfc);
            }
        }
    }
}

/* As far as the path lets, and a packet that is longer goes as ever. */
static void
test_tfc_within_mtu(void **state)
{
    size_t s, mtu, n, fit;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (mtu = 130; mtu < 163; mtu++) {
            begin(&suites[s], 4, 1400, (uint16_t)mtu);
            fit = longest(&suites[s], 4, mtu);
            for (n = 0; n < 60; n += 7) {
                fx_note("%s, %zu bytes, mtu %zu", suites[s].name, n, mtu);
                check(&suites[s], 4, 4, n, fit);
            }
        }
    }
}

/* What ipsec_sa_room() promises is what the shortest packet takes. */
static void
test_tfc_room_is_exact(void **state)
{
    static const uint16_t tfc[] = { 0, 1, 20, 21, 22, 60, 61, 62, 63, 999,
                                    65535 };
    static const uint16_t mtus[] = { 0, 30, 100, 1500 };
    struct packet_spec spec;
    size_t s, i, m, n, head, tail, most, max, want;
    struct fx_pkt p;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (i = 0; i < COUNT(tfc) * COUNT(mtus); i++) {
            m = mtus[i % COUNT(mtus)];
            begin(&suites[s], 4, tfc[i / COUNT(mtus)], (uint16_t)m);
            ipsec_sa_room(&pair.out.sa, &head, &tail);
            max = longest(&suites[s], 4, m != 0 ? m : 65535);
            most = suites[s].align + 1 + suites[s].icv;
            for (n = 20; n < 100; n++) {
                want = tfc[i / COUNT(mtus)] < max ? tfc[i / COUNT(mtus)] : max;
                want = sealed(&suites[s], 4, n > want ? n : want) - head - n;
                most = want > most ? want : most;
            }
            fx_note("%s, tfc %u, mtu %zu", suites[s].name,
                    tfc[i / COUNT(mtus)], m);
            assert_int_equal(tail, most);
            spec = pair_spec(&pair, 4, 0, 0);
            assert_status(send(&spec, head, tail, &p), IPSEC_OK);
            fx_pkt_free(&p);
        }
    }
}

/* Never beyond what an IP packet can be. */
static void
test_tfc_ends_where_ip_does(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p, back;
    size_t head, tail, s;
    int outer;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (outer = 4; outer <= FX_IP_LAST; outer += 2) {
            begin(&suites[s], outer, 65535, 0);
            ipsec_sa_room(&pair.out.sa, &head, &tail);
            spec = pair_spec(&pair, 4, 17, 10);
            assert_status(send(&spec, head, tail, &p), IPSEC_OK);
            assert_true(p.pkt.buf.len <= (outer == 4 ? 65535u : 65575u));
            assert_true(p.pkt.buf.len + suites[s].align >
                        (outer == 4 ? 65535u : 65575u));
            assert_int_equal(packet_len(p.pkt.buf.data), p.pkt.buf.len);
            assert_status(pair_open(&pair, p.pkt.buf.data, p.pkt.buf.len,
                                    &back), IPSEC_OK);
            assert_true(fx_pkt_is(&back, plain, plain_len));
            fx_pkt_free(&back);
            fx_pkt_free(&p);
        }
    }
}

/* Too long for the path is too long, padding or not; and what ipsec_sa_mtu()
 * says has nothing to do with it. */
static void
test_tfc_leaves_mtu_alone(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;
    size_t mtu;

    (void)state;
    begin(&suites[GCM128], 4, 0, 1400);
    mtu = ipsec_sa_mtu(&pair.out.sa, 1400);
    begin(&suites[GCM128], 4, 1300, 1400);
    assert_int_equal(ipsec_sa_mtu(&pair.out.sa, 1400), mtu);
    spec = pair_spec(&pair, 4, 17, mtu - 28 + 1);
    spec.df = 1;
    assert_status(send(&spec, 100, 2000, &p), IPSEC_ERR_TOO_BIG);
    assert_int_equal(p.pkt.mtu, mtu);
    fx_pkt_free(&p);
    spec.payload--;
    assert_status(send(&spec, 100, 2000, &p), IPSEC_OK);
    assert_int_equal(p.pkt.buf.len, 1400);
    fx_pkt_free(&p);
}

/* A bundle: layer 1 and 2 are tunnels, the outermost has the narrower path. */
static void
check_bundle(uint16_t tfc_1, uint16_t tfc_2, uint16_t mtu, size_t payload)
{
    struct flight f = { 0 };
    uint8_t wire[4096];
    size_t len;

    nest_init(&nest, 3, GCM128);
    nest.out[1]->sa.tfc = tfc_1;
    nest.out[2]->sa.tfc = tfc_2;
    nest.out[2]->sa.mtu = mtu;
    plain_len = nest_plain(&nest, payload, plain);
    fx_pkt_new(&f.p, plain, plain_len, 300, 3000);
    assert_status(ipsec_outbound(&nest.a.ips, &f.p.pkt), IPSEC_OK);
    len = f.p.pkt.buf.len;
    assert_true(mtu == 0 || len <= mtu);
    assert_true(mtu == 0 || len + 16 > mtu || tfc_1 + tfc_2 == 0);
    assert_true(mtu != 0 || (len >= tfc_1 && len >= tfc_2));
    memcpy(wire, f.p.pkt.buf.data, len);
    fx_pkt_free(&f.p);
    flight_in(&f, &nest, wire, len);
    assert_status(f.verdict, IPSEC_OK);
    assert_true(fx_pkt_is(&f.p, plain, plain_len));
    fx_pkt_free(&f.p);
    nest_free(&nest);
}

static void
test_tfc_in_a_bundle(void **state)
{
    size_t n;

    (void)state;
    for (n = 0; n < 90; n++) {
        fx_note("%zu bytes", n);
        check_bundle(0, 0, 0, n);
        check_bundle(600, 0, 0, n);
        check_bundle(0, 900, 0, n);
        check_bundle(600, 900, 0, n);
        check_bundle(1500, 1500, 700, n);
        check_bundle(0, 1500, 700, n);
    }
}

/* The same with an engine between the layers. */
static void
test_tfc_with_an_engine(void **state)
{
    struct flight f = { 0 };
    size_t len[2], i;

    (void)state;
    for (i = 0; i < 2; i++) {
        nest_init(&nest, 3, GCM128);
        nest.out[1]->sa.tfc = 110;
        nest.out[2]->sa.tfc = 190;
        nest.a.st.mode = i ? FAKE_ASYNC : FAKE_SYNC;
        flight_out(&f, &nest, 20);
        assert_status(f.verdict, i ? IPSEC_PENDING : IPSEC_OK);
        flights_land(&nest.a);
        assert_status(f.verdict, IPSEC_OK);
        len[i] = f.p.pkt.buf.len;
        fx_pkt_free(&f.p);
        nest_free(&nest);
    }
    assert_int_equal(len[1], len[0]);
    assert_true(len[0] > 190);
}

/* Room of a bundle, to the byte. */
static void
test_tfc_room_of_a_bundle(void **state)
{
    size_t head, tail, i;
    struct fx_pkt p;

    (void)state;
    for (i = 0; i < 3; i++) {
        nest_init(&nest, 3, GCM128);
        nest.out[1]->sa.tfc = 600;
        nest.out[2]->sa.tfc = 900;
        plain_len = nest_plain(&nest, 33, plain);
        fx_pkt_new(&p, plain, plain_len, 0, 0);
        assert_status(ipsec_outbound(&nest.a.ips, &p.pkt), IPSEC_ERR_ROOM);
        head = p.pkt.head;
        tail = p.pkt.tail;
        fx_pkt_free(&p);
        fx_pkt_new(&p, plain, plain_len, head - (i == 1), tail - (i == 2));
        assert_status(ipsec_outbound(&nest.a.ips, &p.pkt),
                      i == 0 ? IPSEC_OK : IPSEC_ERR_ROOM);
        assert_true(i > 0 || p.pkt.buf.len == p.size);
        fx_pkt_free(&p);
        nest_free(&nest);
    }
}

/* Only where the receiver can tell padding from payload. */
static void
test_tfc_refused(void **state)
{
    static const struct { int proto, mode, dir, want; } row[] = {
        { 50, IPSEC_MODE_TUNNEL, IPSEC_OUT, IPSEC_OK },
        { 50, IPSEC_MODE_TUNNEL, IPSEC_IN, IPSEC_ERR_UNSUPPORTED },
        { 50, IPSEC_MODE_TRANSPORT, IPSEC_OUT, IPSEC_ERR_UNSUPPORTED },
        { 51, IPSEC_MODE_TUNNEL, IPSEC_OUT, IPSEC_ERR_UNSUPPORTED },
    };
    struct fx_sa *s;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        pair_prepare(&pair, &suites[NULL_SHA256], row[i].mode, 4);
        s = row[i].dir == IPSEC_OUT ? &pair.out : &pair.in;
        s->params.proto = (uint8_t)row[i].proto;
        s->params.tfc = 1;
        assert_status(fx_sa_add(&pair.a, s), row[i].want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tfc_all_lengths),
        cmocka_unit_test(test_tfc_within_mtu),
        cmocka_unit_test(test_tfc_room_is_exact),
        cmocka_unit_test(test_tfc_ends_where_ip_does),
        cmocka_unit_test(test_tfc_leaves_mtu_alone),
        cmocka_unit_test(test_tfc_in_a_bundle),
        cmocka_unit_test(test_tfc_with_an_engine),
        cmocka_unit_test(test_tfc_room_of_a_bundle),
        cmocka_unit_test(test_tfc_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
