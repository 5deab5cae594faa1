/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Room around a packet, and how large it may be: to the byte. */

static struct pair pair;

/* What becomes of a packet of `len` bytes whose IP header has `ip`, by
 * RFC 4303's own arithmetic. */
static size_t
sealed(const struct suite *s, int tunnel, int outer, size_t ip, size_t len)
{
    size_t out = outer == 4 ? 20 : 40, body = tunnel ? len : len - ip;

    body = (body + 2 + s->align - 1) / s->align * s->align;
    return (tunnel ? out : ip) + 8 + s->iv + body + s->icv;
}

static int
send(const struct packet_spec *spec, size_t head, size_t tail,
     struct fx_pkt *p)
{
    fx_pkt_build(p, spec, head, tail);
    return ipsec_outbound(&pair.a.ips, &p->pkt);
}

static void
check_room(const struct suite *s, int mode, int outer, int inner,
           size_t payload)
{
    struct packet_spec spec;
    size_t head, tail, most_head, most_tail, len, total;
    uint8_t copy[512];
    struct fx_pkt p;

    pair_init(&pair, s, mode, outer);
    spec = pair_spec(&pair, inner, 17, payload);
    ipsec_sa_room(&pair.out.sa, &most_head, &most_tail);
    len = packet_build(copy, &spec);
    total = sealed(s, mode == IPSEC_MODE_TUNNEL, outer,
                   outer == 4 ? 20 : 40, len);
    head = 8 + s->iv + (mode == IPSEC_MODE_TUNNEL
                        ? (outer == 4 ? 20u : 40u) : 0);
    tail = total - len - head;
    assert_int_equal(most_head, head);
    assert_int_equal(most_tail, s->align - 1 + 2 + s->icv);
    assert_true(most_head <= IPSEC_HEADROOM && most_tail <= IPSEC_TAILROOM);
    assert_true(tail <= most_tail);
    assert_status(send(&spec, head - 1, tail, &p), IPSEC_ERR_ROOM);
    assert_int_equal(p.pkt.head, head);
    assert_int_equal(p.pkt.tail, tail);
    assert_true(fx_pkt_is(&p, copy, len) && p.pkt.layers == 0);
    fx_pkt_free(&p);
    assert_status(send(&spec, head, tail - 1, &p), IPSEC_ERR_ROOM);
    assert_int_equal(p.pkt.head, head);
    assert_int_equal(p.pkt.tail, tail);
    assert_true(fx_pkt_is(&p, copy, len));
    fx_pkt_free(&p);
    assert_status(send(&spec, 0, 0, &p), IPSEC_ERR_ROOM);
    fx_pkt_free(&p);
    assert_true(pair.out.sa.seq == 0 && pair.a.st.runs == 0);
    assert_status(send(&spec, head, tail, &p), IPSEC_OK);
    assert_int_equal(p.pkt.buf.len, total);
    assert_ptr_equal(p.pkt.buf.data, p.mem);
    assert_ptr_equal(p.pkt.buf.data + p.pkt.buf.len, p.mem + p.size);
    fx_pkt_free(&p);
}

static void
test_room_one_byte_short_leaves_all_as_it_was(void **state)
{
    size_t s, n;
    int v;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (n = 0; n < 18; n++) {
            for (v = 0; v < 4; v++) {
                fx_note("%s, %zu bytes, %d", suites[s].name, n, v);
                check_room(&suites[s], IPSEC_MODE_TUNNEL, v % 2 ? 4 : 6,
                           v / 2 ? 4 : 6, n);
            }
            check_room(&suites[s], IPSEC_MODE_TRANSPORT, 4, 4, n);
            check_room(&suites[s], IPSEC_MODE_TRANSPORT, 6, 6, n);
        }
    }
}

/* ipsec_sa_mtu() against all lengths there are. */
static void
test_room_sa_mtu_is_the_largest_that_fits(void **state)
{
    size_t s, mtu, len, best, ip;
    int v, tunnel;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (v = 0; v < 4; v++) {
            tunnel = v % 2;
            pair_init(&pair, &suites[s], tunnel ? IPSEC_MODE_TUNNEL
                      : IPSEC_MODE_TRANSPORT, v / 2 ? 4 : 6);
            ip = v / 2 ? 20 : 40;
            for (mtu = 0; mtu < 300; mtu++) {
                for (best = 0, len = tunnel ? 0 : ip; len < 300; len++) {
                    if (sealed(&suites[s], tunnel, v / 2 ? 4 : 6, ip, len) <=
                        mtu) {
                        best = len;
                    }
                }
                if (ipsec_sa_mtu(&pair.out.sa, mtu) != best) {
                    fail_msg("%s, %d, link %zu: %zu, not %zu", suites[s].name,
                             v, mtu, ipsec_sa_mtu(&pair.out.sa, mtu), best);
                }
            }
        }
    }
}

/* A packet of pkt->mtu passes, one byte more doesn't, and no larger one is
 * ever made (attacks.md 188). */
static void
check_edge(const struct suite *s, int mode, int outer, int inner,
           uint16_t mtu, size_t opt)
{
    size_t ip = (inner == 4 ? 20u : 40u) + opt, best = ip + 8, out;
    int tunnel = mode == IPSEC_MODE_TUNNEL;
    struct packet_spec spec;
    struct fx_pkt p;

    pair_prepare(&pair, s, mode, outer);
    pair.out.params.mtu = mtu;
    pair_begin(&pair);
    while (sealed(s, tunnel, outer, ip, best + 1) <= mtu) {
        best++;
    }
    spec = pair_spec(&pair, inner, 17, best - ip - 8 + 1);
    spec.df = 1;
    spec.opt_len = opt;
    assert_status(send(&spec, IPSEC_HEADROOM, IPSEC_TAILROOM, &p),
                  IPSEC_ERR_TOO_BIG);
    assert_int_equal(p.pkt.mtu, best);
    assert_int_equal(p.pkt.layers, 0);
    assert_true(pair.out.sa.seq == 0);
    fx_pkt_free(&p);
    spec.payload--;
    assert_status(send(&spec, IPSEC_HEADROOM, IPSEC_TAILROOM, &p), IPSEC_OK);
    out = p.pkt.buf.len;
    fx_pkt_free(&p);
    assert_true(out <= mtu && out + s->align > mtu);
}

static void
test_room_too_big_to_the_byte(void **state)
{
    uint16_t mtu;
    size_t s;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (mtu = 1400; mtu < 1417; mtu++) {
            fx_note("%s, %u", suites[s].name, mtu);
            check_edge(&suites[s], IPSEC_MODE_TUNNEL, 4, 4, mtu, 0);
            check_edge(&suites[s], IPSEC_MODE_TUNNEL, 6, 4, mtu, 0);
            check_edge(&suites[s], IPSEC_MODE_TUNNEL, 4, 6, mtu, 0);
            check_edge(&suites[s], IPSEC_MODE_TUNNEL, 6, 6, mtu, 0);
            check_edge(&suites[s], IPSEC_MODE_TRANSPORT, 4, 4, mtu, 0);
            check_edge(&suites[s], IPSEC_MODE_TRANSPORT, 4, 4, mtu, 16);
            check_edge(&suites[s], IPSEC_MODE_TRANSPORT, 6, 6, mtu, 0);
        }
    }
}

/* Who may be fragmented, is: later, by IP. RFC 4301 section 8.2.1 */
static void
test_room_too_big_only_where_df_forbids(void **state)
{
    static const struct {
        int mode, outer, inner, df;
        uint16_t flags;
        int frag_ok, want;
    } row[] = {
        { 2, 4, 4, 0, 0, 0, IPSEC_OK },
        { 2, 4, 4, 1, 0, 0, IPSEC_ERR_TOO_BIG },
        { 2, 4, 4, 0, IPSEC_SA_DF_SET, 0, IPSEC_ERR_TOO_BIG },
        { 2, 4, 4, 0, IPSEC_SA_DF_COPY, 0, IPSEC_OK },
        { 2, 4, 4, 1, IPSEC_SA_DF_COPY, 0, IPSEC_ERR_TOO_BIG },
        { 2, 6, 4, 0, 0, 0, IPSEC_OK },
        { 2, 6, 4, 0, IPSEC_SA_DF_SET, 0, IPSEC_OK },
        { 2, 4, 6, 0, 0, 0, IPSEC_ERR_TOO_BIG },
        { 2, 4, 6, 0, 0, 1, IPSEC_OK },
        { 2, 4, 6, 0, IPSEC_SA_DF_SET, 1, IPSEC_ERR_TOO_BIG },
        { 2, 6, 6, 0, 0, 1, IPSEC_OK },
        { 1, 4, 4, 0, 0, 0, IPSEC_OK },
        { 1, 4, 4, 1, 0, 0, IPSEC_ERR_TOO_BIG },
        { 1, 4, 4, 1, 0, 1, IPSEC_ERR_TOO_BIG }, /* of IPv6 only */
        { 1, 6, 6, 0, 0, 0, IPSEC_ERR_TOO_BIG },
        { 1, 6, 6, 0, 0, 1, IPSEC_OK },
    };
    struct packet_spec spec;
    struct fx_pkt p;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        pair_prepare(&pair, &suites[GCM128], row[i].mode, row[i].outer);
        pair.out.params.mtu = 1400;
        pair.out.params.flags |= row[i].flags;
        pair_begin(&pair);
        spec = pair_spec(&pair, row[i].inner, 17, 1400);
        spec.df = (uint8_t)row[i].df;
        fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
        p.pkt.flags = row[i].frag_ok ? IPSEC_PKT_FRAG_OK : 0;
        assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), row[i].want);
        fx_pkt_free(&p);
        spec.payload = 1200; /* it fits, whatever DF says */
        assert_status(send(&spec, IPSEC_HEADROOM, IPSEC_TAILROOM, &p),
                      IPSEC_OK);
        fx_pkt_free(&p);
    }
}

/* An IPv6 sender is never told to go below 1280 (RFC 8200 section 5). */
static void
test_room_ipv6_is_never_told_less_than_1280(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;

    (void)state;
    pair_prepare(&pair, &suites[CBC128], IPSEC_MODE_TUNNEL, 6);
    pair.out.params.mtu = 1280;
    pair_begin(&pair);
    spec = pair_spec(&pair, 6, 17, 1280 - 48 + 1);
    assert_status(send(&spec, IPSEC_HEADROOM, IPSEC_TAILROOM, &p),
                  IPSEC_ERR_TOO_BIG);
    assert_int_equal(p.pkt.mtu, 1280);
    fx_pkt_free(&p);
    spec.payload--;
    assert_status(send(&spec, IPSEC_HEADROOM, IPSEC_TAILROOM, &p), IPSEC_OK);
    fx_pkt_free(&p);
}

/* No MTU known: as long as an IP packet can be. */
static void
test_room_without_mtu(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    spec = pair_spec(&pair, 4, 17, 30000);
    spec.df = 1;
    assert_status(send(&spec, IPSEC_HEADROOM, IPSEC_TAILROOM, &p), IPSEC_OK);
    fx_pkt_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_one_byte_short_leaves_all_as_it_was),
        cmocka_unit_test(test_room_sa_mtu_is_the_largest_that_fits),
        cmocka_unit_test(test_room_too_big_to_the_byte),
        cmocka_unit_test(test_room_too_big_only_where_df_forbids),
        cmocka_unit_test(test_room_ipv6_is_never_told_less_than_1280),
        cmocka_unit_test(test_room_without_mtu),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
