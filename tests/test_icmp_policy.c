/* SPDX-License-Identifier: MIT */
#include "fake/icmp.h"

/* Policy for ICMP errors (RFC 4301 sections 6.1.1 and 6.2): by themselves, or
 * by the packet that they quote. Hosts behind `a`, 10.1.0.1, and behind `b`,
 * 10.2.0.2, speak UDP on ports 53 and 9000. */

static struct pair pair;
static struct fx_sa out2, in2;
static struct ipsec_policy more, icmp, around_a, around_b;
static struct fx_pkt p;
static uint8_t error[2048];
static uint8_t quote[256];
static size_t quote_len;

#define A (&pair.a.ips)
#define B (&pair.b.ips)

static const char *const in_a[] = { "10.1.0.1", "2001:db8:a::1" };
static const char *const in_b[] = { "10.2.0.2", "2001:db8:b::2" };
static const char *const router[] = { "10.9.9.9", "2001:db8:99::9" };

static struct ipsec_prefix
host(const char *text)
{
    struct ipsec_prefix prefix = { { 0 }, 0 };
    struct ipsec_addr a = addr(text);

    memcpy(prefix.byte, a.byte, 16);
    prefix.bits = a.version == 4 ? 32 : 128;
    return prefix;
}

/* Only UDP between these, on these ports. */
static void
narrow(struct ipsec_policy *policy, const char *local, uint16_t local_port,
       const char *remote, uint16_t remote_port)
{
    struct ipsec_selector *s = &policy->sel;

    s->version = strchr(local, ':') != NULL ? 6 : 4;
    s->local = host(local);
    s->remote = host(remote);
    s->proto = 17;
    s->set = IPSEC_SEL_LOCAL_PORT | IPSEC_SEL_REMOTE_PORT;
    s->local_port_lo = s->local_port_hi = local_port;
    s->remote_port_lo = s->remote_port_hi = remote_port;
}

/* What the error is about. */
static void
quote_set(const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
    struct packet_spec spec = { 0 };

    spec.src = src;
    spec.dst = dst;
    spec.proto = 17;
    spec.sport = sport;
    spec.dport = dport;
    spec.payload = 100;
    quote_len = packet_build(quote, &spec);
}

/* Time exceeded, from a router behind `a`, about a packet from b to a. */
static struct icmp_spec
exceeded(int version)
{
    struct icmp_spec spec = { 0 };
    int v6 = version == 6;

    spec.src = router[v6];
    spec.dst = in_b[v6];
    spec.type = v6 ? 3 : 11;
    spec.quote = quote;
    spec.quote_len = quote_len;
    return spec;
}

static void
narrow_a(int version)
{
    int v6 = version == 6;

    narrow(&pair.pa, in_a[v6], 53, in_b[v6], 9000);
}

static void
narrow_b(int version)
{
    int v6 = version == 6;

    narrow(&pair.pb, in_b[v6], 9000, in_a[v6], 53);
}

/* `a` sends what it likes if `open`; `b` lets in that flow alone. */
static void
begin(int version, int open)
{
    int v6 = version == 6;

    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, version);
    if (!open) {
        narrow_a(version);
    }
    narrow_b(version);
    pair_begin(&pair);
    pair.a.cfg.flags = pair.b.cfg.flags = IPSEC_ICMP_RELATED;
    quote_set(in_b[v6], 9000, in_a[v6], 53);
}

/* Offer it to `a`, to be sent; what became of it is in `p`. */
static int
send(const struct icmp_spec *spec)
{
    size_t len = icmp_build(error, spec);

    fx_pkt_new(&p, error, len, 2 * IPSEC_HEADROOM, 2 * IPSEC_TAILROOM);
    return ipsec_outbound(A, &p.pkt);
}

static int
sent(const struct icmp_spec *spec)
{
    int rc = send(spec);

    fx_pkt_free(&p);
    return rc;
}

/* ... and, sent, to `b`. */
static int
passed(const struct icmp_spec *spec)
{
    uint8_t wire[4096];
    size_t len;
    int rc;

    assert_status(send(spec), IPSEC_OK);
    len = p.pkt.buf.len;
    memcpy(wire, p.pkt.buf.data, len);
    fx_pkt_free(&p);
    rc = pair_open(&pair, wire, len, &p);
    if (rc == IPSEC_OK) {
        assert_true(fx_pkt_is(&p, error, packet_len(error)));
    }
    fx_pkt_free(&p);
    return rc;
}

/* A-6.2-2, A-6.2-3: a router behind a gateway, which no policy knows, tells
 * the sender that its packet took too long. */
static void
test_icmp_related_goes_with_the_flow_that_it_quotes(void **state)
{
    struct icmp_spec spec;
    int version;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        begin(version, 0);
        spec = exceeded(version);
        assert_status(passed(&spec), IPSEC_OK);
        assert_int_equal(A->stats.out_protect, 1);
        assert_int_equal(B->stats.in_protect, 1);
        assert_int_equal(pair.a.acquires + pair.a.audits + pair.b.audits, 0);

        begin(version, 0);
        pair.b.cfg.flags = (uint8_t)~IPSEC_ICMP_RELATED;
        assert_status(passed(&spec), IPSEC_ERR_SELECTOR);
        assert_int_equal(pair.b.audits, 1);
        assert_int_equal(pair.b.audit[0].flow.local_port,
                         version == 4 ? 0x0b00 : 0x0300);
        begin(version, 0);
        pair.a.cfg.flags = (uint8_t)~IPSEC_ICMP_RELATED;
        assert_status(sent(&spec), IPSEC_ERR_NO_POLICY);
        assert_int_equal(pair.a.audits, 1);
    }
}

/* What is about another flow, or isn't an error, is not related: neither way
 * out, nor, from somebody who sends what he likes, in. */
static void
check_unrelated(const struct icmp_spec *spec, int version)
{
    struct icmp_spec e = *spec;

    begin(version, 0);
    e.quote_len = spec->quote_len; /* begin() has made the right quote anew */
    assert_status(sent(&e), IPSEC_ERR_NO_POLICY);
    assert_int_equal(pair.a.acquires, 0);
    assert_int_equal(pair.out.sa.packets, 0);
    begin(version, 1);
    assert_status(passed(&e), IPSEC_ERR_SELECTOR);
}

static void
test_icmp_unrelated_by_type(void **state)
{
    static const uint8_t error4[] = { 3, 4, 5, 11, 12 };
    struct icmp_spec spec;
    unsigned type;

    (void)state;
    for (type = 0; type < 256; type++) {
        begin(4, 0);
        spec = exceeded(4);
        spec.type = (uint8_t)type;
        fx_note("type %u", type);
        if (memchr(error4, (int)type, sizeof error4) != NULL) {
            assert_status(passed(&spec), IPSEC_OK);
        } else {
            check_unrelated(&spec, 4);
        }
        begin(6, 0);
        spec = exceeded(6);
        spec.type = (uint8_t)type;
        if (type < 128) {
            assert_status(passed(&spec), IPSEC_OK);
        } else {
            check_unrelated(&spec, 6);
        }
    }
}

static void
test_icmp_unrelated_by_what_it_quotes(void **state)
{
    static const struct {
        size_t  at;
        uint8_t value;
    } row[] = {
        { 12, 11 }, { 15, 3 }, { 19, 2 }, { 9, 6 }, { 9, 1 }, { 9, 50 },
        { 21, 41 }, { 23, 54 }, { 0, 0x65 }, { 0, 0x44 }, { 0, 0x4f },
        { 0, 0x46 }, { 7, 1 }
    };
    uint8_t wrong[256];
    struct icmp_spec spec;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        begin(4, 0);
        spec = exceeded(4);
        memcpy(wrong, quote, quote_len);
        wrong[row[i].at] = row[i].value;
        spec.quote = wrong;
        fx_note("row %zu", i);
        check_unrelated(&spec, 4);
    }
    /* not reversed: what `a` has sent itself */
    begin(4, 0);
    quote_set(in_a[0], 53, in_b[0], 9000);
    memcpy(wrong, quote, quote_len);
    check_unrelated(&spec, 4);
    /* the right quote, but to somebody else */
    spec.quote = quote;
    spec.dst = "10.2.0.3";
    check_unrelated(&spec, 4);
}

/* Cut off: with the ports of a policy, their 4 bytes must be there. */
static void
test_icmp_related_with_a_cut_quote(void **state)
{
    struct icmp_spec spec;
    int version, ports;
    size_t head, len;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        head = version == 4 ? 20 : 40;
        for (ports = 0; ports < 2; ports++) {
            for (len = 0; len <= head + 16; len++) {
                begin(version, 0);
                spec = exceeded(version);
                spec.quote_len = len;
                fx_note("IPv%d, %zu bytes", version, len);
                if (!ports) {
                    pair.pa.sel.set = pair.pb.sel.set = 0;
                }
                if (len >= head + (ports ? 4 : 0)) {
                    assert_status(passed(&spec), IPSEC_OK);
                    continue;
                }
                assert_status(sent(&spec), IPSEC_ERR_NO_POLICY);
                memset(&pair.pa.sel, 0, sizeof pair.pa.sel);
                assert_status(passed(&spec), IPSEC_ERR_SELECTOR);
            }
        }
    }
}

/* A later fragment of an error says nothing of itself. */
static void
test_icmp_later_fragment_is_not_an_error(void **state)
{
    struct icmp_spec spec;
    size_t len;

    (void)state;
    begin(4, 0);
    spec = exceeded(4);
    len = icmp_build(error, &spec);
    error[7] = 1;
    packet_fix(error);
    fx_pkt_new(&p, error, len, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_NO_POLICY);
    fx_pkt_free(&p);
}

/* RFC 4301 section 6.2: "If no such SA exists, no SA will be created, and this
 * is an auditable event." */
static void
test_icmp_related_makes_no_sa(void **state)
{
    struct icmp_spec spec = exceeded(4);

    (void)state;
    begin(4, 0);
    ipsec_sad_remove(A, &pair.out.sa);
    spec = exceeded(4);
    assert_status(sent(&spec), IPSEC_ERR_NO_POLICY);
    assert_int_equal(pair.a.acquires, 0);
    assert_int_equal(pair.a.audits, 1);
    assert_status(ipsec_sad_reserve(A, &pair.out.sa, IPSEC_OUT,
                                    IPSEC_PROTO_ESP, 1, 30), IPSEC_OK);
    assert_status(sent(&spec), IPSEC_ERR_NO_POLICY);
    /* the outer layer of a bundle is missing */
    begin(4, 0);
    around_a = pair.pa;
    around_a.reqid = 2;
    pair.pa.outer = &around_a;
    assert_status(sent(&spec), IPSEC_ERR_NO_POLICY);
    assert_int_equal(pair.a.acquires, 0);
    /* a policy that has no SA of its own */
    begin(4, 0);
    pair.pa.reqid = 0;
    assert_status(sent(&spec), IPSEC_ERR_NO_POLICY);
    assert_int_equal(pair.a.acquires, 0);
}

/* Of several SAs it takes the one for its own class of traffic, as any packet
 * does (RFC 4301 section 4.1). */
static void
test_icmp_related_by_class_of_traffic(void **state)
{
    static uint8_t lane[64];
    struct icmp_spec spec;
    size_t len;
    int i;

    (void)state;
    memset(lane, 1, sizeof lane);
    for (i = 0; i < 2; i++) {
        begin(4, 0);
        spec = exceeded(4);
        pair.a.cfg.dscp_lane = lane;
        pair.out.sa.lane = 2;
        lane[48] = (uint8_t)(2 + i);
        len = icmp_build(error, &spec);
        error[1] = 48 << 2;
        packet_fix(error);
        fx_pkt_new(&p, error, len, IPSEC_HEADROOM, IPSEC_TAILROOM);
        assert_status(ipsec_outbound(A, &p.pkt),
                      i ? IPSEC_ERR_NO_POLICY : IPSEC_OK);
        fx_pkt_free(&p);
        assert_status(sent(&spec), IPSEC_ERR_NO_POLICY);
        assert_int_equal(pair.a.acquires, 0);
    }
}

/* It is SAs that it is mapped to: a flow that passes in clear, or not at all,
 * does not let an error pass. Nor does one come in clear. */
static void
test_icmp_related_needs_protection(void **state)
{
    struct icmp_spec spec = exceeded(4);
    size_t len;
    int rc;

    (void)state;
    for (len = 0; len < 2; len++) {
        begin(4, 0);
        spec = exceeded(4);
        pair.pa.action = len ? IPSEC_ACTION_BYPASS : IPSEC_ACTION_DISCARD;
        pair.pb.action = pair.pa.action;
        assert_status(sent(&spec), IPSEC_ERR_NO_POLICY);
        rc = pair_offer(&pair, error, icmp_build(error, &spec));
        assert_status(rc, IPSEC_ERR_NO_POLICY);
        memset(&pair.pa.sel, 0, sizeof pair.pa.sel);
        pair.pa.action = IPSEC_ACTION_PROTECT;
        assert_status(passed(&spec), IPSEC_ERR_SELECTOR);
    }
    begin(4, 0);
    rc = pair_offer(&pair, error, icmp_build(error, &spec));
    assert_status(rc, IPSEC_ERR_NO_POLICY);
}

/* Policies of the packet's own SPD, and a hint that is none. */
static void
test_icmp_related_in_its_spd(void **state)
{
    struct icmp_spec spec;
    struct ipsec_hint hint = { NULL, 0 };
    size_t len;

    (void)state;
    begin(4, 0);
    spec = exceeded(4);
    pair.pa.sel.spd_id = 3;
    assert_status(sent(&spec), IPSEC_ERR_NO_POLICY);
    len = icmp_build(error, &spec);
    fx_pkt_new(&p, error, len, IPSEC_HEADROOM, IPSEC_TAILROOM);
    p.pkt.spd_id = 3;
    p.pkt.hint = &hint;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
    assert_null(hint.policy);
    fx_pkt_free(&p);
    pair.pb.sel.spd_id = 4;
    pair.in.sa.spd_id = 4;
    pair.pa.sel.spd_id = 0;
    assert_status(passed(&spec), IPSEC_OK);
    pair.in.sa.spd_id = 5;
    assert_status(passed(&spec), IPSEC_ERR_SELECTOR);
}

/* Another SA of the same peer's is not the one. */
static void
test_icmp_related_needs_the_very_sa(void **state)
{
    struct icmp_spec spec;

    (void)state;
    begin(4, 1);
    spec = exceeded(4);
    pair.pb.reqid = 2;
    assert_status(passed(&spec), IPSEC_ERR_SELECTOR);
    pair.pb.reqid = 1;
    pair.pb.mode = IPSEC_MODE_TRANSPORT;
    assert_status(passed(&spec), IPSEC_ERR_MODE);
    pair.pb.mode = 0;
    assert_status(passed(&spec), IPSEC_OK);
}

/* `b` takes all ICMP from the peer of SA 1, and has other peers. */
static void
begin_check(int version)
{
    int v6 = version == 6;

    begin(version, 1);
    memset(&icmp, 0, sizeof icmp);
    icmp.sel.proto = v6 ? 58 : 1;
    icmp.sel.version = (uint8_t)version;
    icmp.action = IPSEC_ACTION_PROTECT;
    icmp.dir = IPSEC_IN;
    icmp.reqid = 1;
    more = pair.pb;
    narrow(&more, in_b[v6], 9000, v6 ? "2001:db8:c::3" : "10.3.0.3", 53);
    more.linked = 0;
    more.reqid = 2;
    assert_status(ipsec_spd_add(B, &icmp), IPSEC_OK);
    assert_status(ipsec_spd_add(B, &more), IPSEC_OK);
}

/* A-6.2-1, attacks.md 150: one peer says that a packet to another one didn't
 * arrive. */
static void
test_icmp_check_of_what_an_error_quotes(void **state)
{
    static const int on[] = { 0, IPSEC_ICMP_CHECK,
                              IPSEC_ICMP_CHECK | IPSEC_ICMP_RELATED };
    struct icmp_spec spec;
    int version, v6;
    size_t i;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        v6 = version == 6;
        for (i = 0; i < COUNT(on); i++) {
            begin_check(version);
            pair.b.cfg.flags = (uint8_t)on[i];
            fx_note("IPv%d, %x", version, (unsigned)on[i]);
            /* of our own traffic over this SA */
            quote_set(in_b[v6], 9000, in_a[v6], 53);
            spec = exceeded(version);
            assert_status(passed(&spec), IPSEC_OK);
            /* of another peer's */
            quote_set(in_b[v6], 9000, v6 ? "2001:db8:c::3" : "10.3.0.3", 53);
            assert_status(passed(&spec), on[i] ? IPSEC_ERR_SELECTOR
                                               : IPSEC_OK);
            assert_int_equal(pair.b.audits, on[i] != 0);
            /* of nobody's */
            quote_set(in_b[v6], 9000, in_a[v6], 54);
            assert_status(passed(&spec), on[i] ? IPSEC_ERR_SELECTOR
                                               : IPSEC_OK);
            /* the wrong way round */
            quote_set(in_a[v6], 53, in_b[v6], 9000);
            assert_status(passed(&spec), on[i] ? IPSEC_ERR_SELECTOR
                                               : IPSEC_OK);
            /* to somebody who hasn't sent it */
            quote_set(in_b[v6], 9000, in_a[v6], 53);
            spec.dst = v6 ? "2001:db8:b::3" : "10.2.0.3";
            assert_status(passed(&spec), on[i] ? IPSEC_ERR_SELECTOR
                                               : IPSEC_OK);
            /* nothing that can be read */
            spec = exceeded(version);
            spec.quote_len = v6 ? 39 : 19;
            assert_status(passed(&spec), on[i] ? IPSEC_ERR_SELECTOR
                                               : IPSEC_OK);
            spec.quote_len = 0;
            assert_status(passed(&spec), on[i] ? IPSEC_ERR_SELECTOR
                                               : IPSEC_OK);
            /* no error: a reply to an echo */
            spec.type = v6 ? 129 : 0;
            assert_status(passed(&spec), IPSEC_OK);
        }
    }
}

static void
test_icmp_check_asks_a_policy_that_protects(void **state)
{
    struct icmp_spec spec;

    (void)state;
    begin_check(4);
    pair.b.cfg.flags = IPSEC_ICMP_CHECK;
    spec = exceeded(4);
    pair.pb.action = IPSEC_ACTION_BYPASS;
    assert_status(passed(&spec), IPSEC_ERR_SELECTOR);
    pair.pb.action = IPSEC_ACTION_DISCARD;
    assert_status(passed(&spec), IPSEC_ERR_SELECTOR);
    pair.pb.action = IPSEC_ACTION_PROTECT;
    pair.pb.mode = IPSEC_MODE_TRANSPORT;
    assert_status(passed(&spec), IPSEC_ERR_SELECTOR);
    pair.pb.mode = IPSEC_MODE_TUNNEL;
    pair.pb.proto = IPSEC_PROTO_AH;
    assert_status(passed(&spec), IPSEC_ERR_SELECTOR);
    pair.pb.proto = IPSEC_PROTO_ESP;
    assert_status(passed(&spec), IPSEC_OK);
}

/* In clear there is no SA to be consistent with: policy alone decides. */
static void
test_icmp_check_is_of_what_came_over_sas(void **state)
{
    struct icmp_spec spec;
    int rc;

    (void)state;
    begin_check(4);
    pair.b.cfg.flags = IPSEC_ICMP_CHECK;
    icmp.action = IPSEC_ACTION_BYPASS;
    spec = exceeded(4);
    spec.quote_len = 0;
    rc = pair_offer(&pair, error, icmp_build(error, &spec));
    assert_status(rc, IPSEC_BYPASS);
}

/* Bundles: all layers, and no other. */
static void
test_icmp_check_and_bundles(void **state)
{
    static const struct {
        uint32_t inner, outer; /* reqid; 0: no such layer */
        int      verdict;
    } row[] = {
        { 1, 2, IPSEC_OK }, { 1, 0, IPSEC_ERR_SELECTOR },
        { 2, 0, IPSEC_ERR_SELECTOR }, { 2, 1, IPSEC_ERR_SELECTOR },
        { 1, 1, IPSEC_ERR_SELECTOR }, { 1, 3, IPSEC_ERR_SELECTOR }
    };
    static struct ipsec_policy quoted_around;
    struct icmp_spec spec;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        begin_check(4);
        pair.b.cfg.flags = IPSEC_ICMP_CHECK;
        fx_sa_set(&out2, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TUNNEL,
                  0x2001, "192.0.2.1", "198.51.100.2");
        fx_sa_set(&in2, &suites[GCM128], IPSEC_IN, IPSEC_MODE_TUNNEL, 0x2001,
                  "198.51.100.2", "192.0.2.1");
        out2.params.reqid = in2.params.reqid = 2;
        assert_status(fx_sa_add(&pair.a, &out2), IPSEC_OK);
        assert_status(fx_sa_add(&pair.b, &in2), IPSEC_OK);
        around_a = pair.pa;
        around_a.reqid = 2;
        pair.pa.outer = &around_a;
        around_b = icmp;
        around_b.reqid = 2;
        icmp.outer = &around_b;
        pair.pb.reqid = row[i].inner;
        quoted_around = pair.pb;
        quoted_around.reqid = row[i].outer;
        pair.pb.outer = row[i].outer ? &quoted_around : NULL;
        spec = exceeded(4);
        fx_note("row %zu", i);
        assert_status(passed(&spec), row[i].verdict);
        /* and the other way round: one layer, but the flow has two */
        if (row[i].outer != 0) {
            pair.pa.outer = icmp.outer = NULL;
            assert_status(passed(&spec), IPSEC_ERR_SELECTOR);
        }
    }
}

/* A-6-1, A-6-2, A-6.1.1-1, A-6.1.2-1, attacks.md 149: what isn't about SAs of
 * ours goes by policies with type and code, to accept or reject, and by none
 * in the first place; drops are audited with type and code. */
static void
test_icmp_in_clear_goes_by_type_and_code(void **state)
{
    static const struct {
        uint8_t type, code;
        int     none, some;
    } row[] = {
        { 3, 4, IPSEC_ERR_NO_POLICY, IPSEC_BYPASS },
        { 3, 3, IPSEC_ERR_NO_POLICY, IPSEC_ERR_DISCARD },
        { 3, 0, IPSEC_ERR_NO_POLICY, IPSEC_ERR_DISCARD },
        { 5, 1, IPSEC_ERR_NO_POLICY, IPSEC_ERR_NO_POLICY },
        { 11, 0, IPSEC_ERR_NO_POLICY, IPSEC_BYPASS },
        { 11, 1, IPSEC_ERR_NO_POLICY, IPSEC_BYPASS },
        { 8, 0, IPSEC_ERR_NO_POLICY, IPSEC_ERR_NO_POLICY }
    };
    static struct ipsec_policy need_frag, unreachable, exceeds;
    struct ipsec_policy *all[] = { &need_frag, &unreachable, &exceeds };
    static const uint16_t lo[] = { 0x0304, 0x0300, 0x0b00 };
    static const uint16_t hi[] = { 0x0304, 0x03ff, 0x0bff };
    struct icmp_spec spec = { 0 };
    size_t i, k;
    int rc;

    (void)state;
    spec.src = "203.0.113.9";
    spec.dst = "198.51.100.2";
    for (k = 0; k < 2; k++) {
        fx_init(&pair.b, 1);
        pair.b.cfg.flags = IPSEC_ACCEPT_PTB | IPSEC_ICMP_RELATED |
                           IPSEC_ICMP_CHECK;
        for (i = 0; k == 1 && i < COUNT(all); i++) {
            memset(all[i], 0, sizeof *all[i]);
            all[i]->sel.proto = 1;
            all[i]->sel.set = IPSEC_SEL_LOCAL_PORT;
            all[i]->sel.local_port_lo = lo[i];
            all[i]->sel.local_port_hi = hi[i];
            all[i]->dir = IPSEC_IN;
            all[i]->action = i == 1 ? IPSEC_ACTION_DISCARD
                                    : IPSEC_ACTION_BYPASS;
            assert_status(ipsec_spd_add(B, all[i]), IPSEC_OK);
        }
        for (i = 0; i < COUNT(row); i++) {
            spec.type = row[i].type;
            spec.code = row[i].code;
            pair.b.audits = 0;
            rc = pair_offer(&pair, error, icmp_build(error, &spec));
            fx_note("%u/%u", row[i].type, row[i].code);
            assert_status(rc, k ? row[i].some : row[i].none);
            assert_int_equal(pair.b.audits, rc < 0);
            if (rc < 0) {
                assert_int_equal(pair.b.audit[0].flow.proto, 1);
                assert_int_equal(pair.b.audit[0].flow.local_port,
                                 row[i].type << 8 | row[i].code);
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_icmp_related_goes_with_the_flow_that_it_quotes),
        cmocka_unit_test(test_icmp_unrelated_by_type),
        cmocka_unit_test(test_icmp_unrelated_by_what_it_quotes),
        cmocka_unit_test(test_icmp_related_with_a_cut_quote),
        cmocka_unit_test(test_icmp_later_fragment_is_not_an_error),
        cmocka_unit_test(test_icmp_related_makes_no_sa),
        cmocka_unit_test(test_icmp_related_by_class_of_traffic),
        cmocka_unit_test(test_icmp_related_needs_protection),
        cmocka_unit_test(test_icmp_related_in_its_spd),
        cmocka_unit_test(test_icmp_related_needs_the_very_sa),
        cmocka_unit_test(test_icmp_check_of_what_an_error_quotes),
        cmocka_unit_test(test_icmp_check_asks_a_policy_that_protects),
        cmocka_unit_test(test_icmp_check_is_of_what_came_over_sas),
        cmocka_unit_test(test_icmp_check_and_bundles),
        cmocka_unit_test(test_icmp_in_clear_goes_by_type_and_code)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
