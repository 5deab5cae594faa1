/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/*
 * Several SPDs, and the parts of one (RFC 4301 section 4.4.1): SPD-S secures,
 * SPD-O and SPD-I bypass or discard, out and in. Here an entry is in a part by
 * its action and direction.
 */

#define US "192.0.2.1"
#define PEER "198.51.100.2"

static struct fx fx;
static struct pair pair;

static struct ipsec_policy
policy(int action, int dir, uint32_t priority)
{
    struct ipsec_policy p;

    memset(&p, 0, sizeof p);
    p.action = (uint8_t)action;
    p.dir = (uint8_t)dir;
    p.priority = priority;
    p.reqid = action == IPSEC_ACTION_PROTECT;
    return p;
}

static void
prefix(struct ipsec_prefix *p, const char *text, unsigned bits)
{
    struct ipsec_addr a = addr(text);

    memcpy(p->byte, a.byte, sizeof p->byte);
    p->bits = (uint8_t)bits;
}

/* What becomes of a packet in clear that goes out, or has come. */
static int
verdict(struct fx *f, int dir, uint8_t spd_id, const struct packet_spec *spec)
{
    struct fx_pkt p;
    int rc;

    fx_pkt_build(&p, spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    p.pkt.spd_id = spd_id;
    rc = dir == IPSEC_OUT ? ipsec_outbound(&f->ips, &p.pkt)
                          : ipsec_inbound(&f->ips, &p.pkt);
    fx_pkt_free(&p);
    return rc;
}

static struct packet_spec
spec_of(int dir)
{
    struct packet_spec spec = { .src = US, .dst = PEER, .proto = 17,
                                .sport = 5000, .dport = 7, .payload = 8 };

    if (dir == IPSEC_IN) {
        spec.src = PEER;
        spec.dst = US;
        spec.sport = 7;
        spec.dport = 5000;
    }
    return spec;
}

/* One entry alone, in each part. A-4.4.1-3 to -7; attacks.md 116: no acquire
 * for cleartext that was to be protected. */
static void
test_spd_parts_of_one_entry(void **state)
{
    enum { S = IPSEC_ACTION_PROTECT, B = IPSEC_ACTION_BYPASS,
           D = IPSEC_ACTION_DISCARD, NONE = 9 };
    static const struct {
        int action, dir, out, in;
    } row[] = {
        { NONE, 0, IPSEC_ERR_NO_POLICY, IPSEC_ERR_NO_POLICY },
        { S, IPSEC_OUT | IPSEC_IN, IPSEC_ERR_NO_SA, IPSEC_ERR_UNPROTECTED },
        { S, IPSEC_OUT, IPSEC_ERR_NO_SA, IPSEC_ERR_NO_POLICY },
        { S, IPSEC_IN, IPSEC_ERR_NO_POLICY, IPSEC_ERR_UNPROTECTED },
        { B, IPSEC_OUT, IPSEC_BYPASS, IPSEC_ERR_NO_POLICY },
        { B, IPSEC_IN, IPSEC_ERR_NO_POLICY, IPSEC_BYPASS },
        { B, IPSEC_OUT | IPSEC_IN, IPSEC_BYPASS, IPSEC_BYPASS },
        { D, IPSEC_OUT, IPSEC_ERR_DISCARD, IPSEC_ERR_NO_POLICY },
        { D, IPSEC_IN, IPSEC_ERR_NO_POLICY, IPSEC_ERR_DISCARD },
        { D, IPSEC_OUT | IPSEC_IN, IPSEC_ERR_DISCARD, IPSEC_ERR_DISCARD },
    };
    struct packet_spec out = spec_of(IPSEC_OUT), in = spec_of(IPSEC_IN);
    struct ipsec_policy p;
    size_t i;

    (void)state;
    for (i = 0; i < 2 * COUNT(row); i++) {
        fx_note("row %zu", i / 2);
        fx_init(&fx, (int)i % 2);
        p = policy(row[i / 2].action, row[i / 2].dir, 0);
        if (row[i / 2].action != NONE) {
            assert_status(ipsec_spd_add(&fx.ips, &p), IPSEC_OK);
        }
        assert_status(verdict(&fx, IPSEC_IN, 0, &in), row[i / 2].in);
        assert_int_equal(fx.acquires, 0);
        assert_int_equal(fx.audits, row[i / 2].in < 0);
        assert_status(verdict(&fx, IPSEC_OUT, 0, &out), row[i / 2].out);
        assert_int_equal(fx.acquires, row[i / 2].out == IPSEC_ERR_NO_SA);
        assert_int_equal(fx.audits,
                         (row[i / 2].in < 0) + (row[i / 2].out < 0));
    }
}

/* Out, SPD-S and SPD-O are one ordered list: what only one of them has is
 * found, and of what both have the earlier (section 4.4.1, 5.1 step 3).
 * A-4.4.1-2, -5 */
static void
test_spd_parts_are_in_one_order(void **state)
{
    struct packet_spec udp = spec_of(IPSEC_OUT), tcp = udp, icmp = udp;
    struct ipsec_policy secure, bypass, discard;
    int s_first, i;

    (void)state;
    tcp.proto = 6;
    icmp.proto = 1;
    for (i = 0; i < 4; i++) {
        s_first = i / 2;
        fx_init(&fx, i % 2);
        secure = policy(IPSEC_ACTION_PROTECT, IPSEC_OUT | IPSEC_IN,
                        s_first ? 1 : 2);
        prefix(&secure.sel.remote, PEER, 24);
        secure.sel.version = 4;
        bypass = policy(IPSEC_ACTION_BYPASS, IPSEC_OUT, s_first ? 2 : 1);
        bypass.sel.proto = 6;
        discard = policy(IPSEC_ACTION_DISCARD, IPSEC_OUT, 9);
        assert_status(ipsec_spd_add(&fx.ips, &discard), IPSEC_OK);
        assert_status(ipsec_spd_add(&fx.ips, &bypass), IPSEC_OK);
        assert_status(ipsec_spd_add(&fx.ips, &secure), IPSEC_OK);
        fx_note("S %s O", s_first ? "before" : "behind");
        assert_status(verdict(&fx, IPSEC_OUT, 0, &udp), IPSEC_ERR_NO_SA);
        assert_status(verdict(&fx, IPSEC_OUT, 0, &tcp),
                      s_first ? IPSEC_ERR_NO_SA : IPSEC_BYPASS);
        tcp.dst = "203.0.113.1"; /* in SPD-O alone */
        assert_status(verdict(&fx, IPSEC_OUT, 0, &tcp), IPSEC_BYPASS);
        icmp.dst = "203.0.113.1"; /* and in the last entry alone */
        assert_status(verdict(&fx, IPSEC_OUT, 0, &icmp), IPSEC_ERR_DISCARD);
        tcp.dst = PEER;
        icmp.dst = PEER;
    }
}

/* The caller's selection function is a number with each packet; that of an SA
 * goes with the packets that it brings. A-4.4.1-1; attacks.md 117: what comes
 * in by another interface is judged by another SPD. */
static void
test_spd_parts_several_spds(void **state)
{
    struct packet_spec out = spec_of(IPSEC_OUT), in = spec_of(IPSEC_IN);
    struct ipsec_policy red = policy(IPSEC_ACTION_BYPASS, 3, 5);
    struct ipsec_policy black = policy(IPSEC_ACTION_DISCARD, 3, 5);
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        fx_init(&fx, i);
        red.sel.spd_id = 1;
        black.sel.spd_id = 255;
        assert_status(ipsec_spd_add(&fx.ips, &red), IPSEC_OK);
        assert_status(ipsec_spd_add(&fx.ips, &black), IPSEC_OK);
        assert_status(verdict(&fx, IPSEC_OUT, 1, &out), IPSEC_BYPASS);
        assert_status(verdict(&fx, IPSEC_IN, 1, &in), IPSEC_BYPASS);
        assert_status(verdict(&fx, IPSEC_OUT, 255, &out), IPSEC_ERR_DISCARD);
        assert_status(verdict(&fx, IPSEC_IN, 255, &in), IPSEC_ERR_DISCARD);
        assert_status(verdict(&fx, IPSEC_OUT, 0, &out), IPSEC_ERR_NO_POLICY);
        assert_status(verdict(&fx, IPSEC_IN, 2, &in), IPSEC_ERR_NO_POLICY);
        ipsec_spd_remove(&fx.ips, &red);
        ipsec_spd_remove(&fx.ips, &black);
    }
}

/* "What protects this flow?", "what protected this packet?": capabilities.md
 * 143. The SA's `user` leads to the peer's identity. */
static void
test_spd_parts_tell_what_protects(void **state)
{
    struct packet_spec spec;
    struct ipsec_policy *p;
    struct ipsec_flow flow;
    struct fx_pkt plain, got;
    uint8_t wire[256];
    size_t len;
    int peer;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.in.sa.user = &peer;
    spec = pair_spec(&pair, 4, 17, 30);
    fx_pkt_build(&plain, &spec, 0, 0);
    assert_status(ipsec_flow_parse(&flow, IPSEC_OUT, &plain.pkt.buf),
                  IPSEC_OK);
    p = ipsec_spd_lookup(&pair.a.ips, IPSEC_OUT, &flow);
    assert_ptr_equal(p, &pair.pa);
    assert_ptr_equal(ipsec_sad_newest(&pair.a.ips, p->reqid, 0),
                     &pair.out.sa);
    len = pair_seal(&pair, &spec, wire);
    assert_status(pair_open(&pair, wire, len, &got), IPSEC_OK);
    assert_int_equal(got.pkt.layers, 1);
    assert_ptr_equal(got.pkt.sa[0], &pair.in.sa);
    assert_ptr_equal(got.pkt.sa[0]->user, &peer);
    assert_int_equal(got.pkt.sa[0]->spi, 0x1001);
    fx_pkt_free(&got);
    /* and a packet in clear was protected by nothing */
    pair.pb.action = IPSEC_ACTION_BYPASS;
    fx_pkt_new(&got, plain.pkt.buf.data, plain.pkt.buf.len, 0, 0);
    assert_status(ipsec_inbound(&pair.b.ips, &got.pkt), IPSEC_BYPASS);
    assert_int_equal(got.pkt.layers, 0);
    assert_null(got.pkt.sa[0]);
    fx_pkt_free(&got);
    fx_pkt_free(&plain);
}

/* attacks.md 122, 123, 125: addresses that nobody has, and ICMP that wasn't
 * agreed on, inside a good tunnel: a DISCARD entry before it, a range. */
static void
test_spd_parts_refuse_martians_in_a_tunnel(void **state)
{
    static const struct {
        const char *src, *dst;
        uint8_t proto;
        uint16_t type;
        int want;
    } row[] = {
        { "10.1.0.1", "10.2.0.2", 1, 0x0800, IPSEC_OK },
        { "10.1.0.1", "10.2.0.2", 1, 0x08ff, IPSEC_OK },
        { "10.1.0.1", "10.2.0.2", 1, 0x0900, IPSEC_ERR_SELECTOR },
        { "10.1.0.1", "10.2.0.2", 1, 0x0000, IPSEC_ERR_SELECTOR },
        { "10.1.0.1", "10.2.0.2", 17, 0x0800, IPSEC_ERR_SELECTOR },
        { "127.0.0.1", "10.2.0.2", 1, 0x0800, IPSEC_ERR_DISCARD },
        { "224.0.0.1", "10.2.0.2", 1, 0x0800, IPSEC_ERR_DISCARD },
        { "255.255.255.255", "10.2.0.2", 1, 0x0800, IPSEC_ERR_DISCARD },
        { "10.1.0.1", "127.0.0.1", 1, 0x0800, IPSEC_ERR_DISCARD },
        { "::1", "2001:db8::2", 58, 0x8000, IPSEC_ERR_SELECTOR },
    };
    struct ipsec_policy martian[4], *m;
    struct packet_spec spec;
    uint8_t wire[256];
    size_t i, j;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
        pair.pa.priority = pair.pb.priority = 10;
        pair.pb.sel.version = 4;
        pair.pb.sel.proto = 1;
        pair.pb.sel.set = IPSEC_SEL_LOCAL_PORT;
        pair.pb.sel.local_port_lo = 0x0800;
        pair.pb.sel.local_port_hi = 0x08ff;
        pair_begin(&pair);
        for (j = 0; j < 4; j++) {
            m = &martian[j];
            *m = policy(IPSEC_ACTION_DISCARD, IPSEC_IN, 1);
            m->sel.version = 4;
            prefix(j == 3 ? &m->sel.local : &m->sel.remote,
                   j == 1 ? "224.0.0.0" : j == 2 ? "255.255.255.255"
                                                 : "127.0.0.0",
                   j == 1 ? 4 : j == 2 ? 32 : 8);
            assert_status(ipsec_spd_add(&pair.b.ips, m), IPSEC_OK);
        }
        spec = pair_spec(&pair, 4, row[i].proto, 10);
        spec.src = row[i].src;
        spec.dst = row[i].dst;
        spec.sport = row[i].type;
        assert_status(pair_offer(&pair, wire, pair_seal(&pair, &spec, wire)),
                      row[i].want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spd_parts_of_one_entry),
        cmocka_unit_test(test_spd_parts_are_in_one_order),
        cmocka_unit_test(test_spd_parts_several_spds),
        cmocka_unit_test(test_spd_parts_tell_what_protects),
        cmocka_unit_test(test_spd_parts_refuse_martians_in_a_tunnel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
