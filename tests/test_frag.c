/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"

/* Stateful fragment checking: RFC 4301 sections 7.2 to 7.4. */

#define SLOTS 3
#define SECONDS 30

static struct fx fx;
static struct ipsec_frag frag;
static struct ipsec_frag_slot slot[SLOTS];
static struct ipsec_policy port, other, opaque;
static struct pair pair;

static const char *const us[] = { "10.1.0.1", "fd00::1" };
static const char *const peer[] = { "10.2.0.2", "fd00::2" };

enum { FIRST, LATER };

/* A fragment of datagram `id` of UDP, seen from us; ports as they are in the
 * first, and something else in the place where a later one would have them. */
static struct packet_spec
piece(int v6, int dir, int which, unsigned id, uint16_t remote_port)
{
    struct packet_spec spec = { .proto = 17, .payload = 32 };
    int out = dir == IPSEC_OUT;

    spec.src = out ? us[v6] : peer[v6];
    spec.dst = out ? peer[v6] : us[v6];
    spec.sport = out ? 1000 : remote_port;
    spec.dport = out ? remote_port : 1000;
    spec.id = (uint16_t)id;
    if (v6) {
        spec.ext = which == FIRST ? "f" : "l";
    } else {
        spec.mf = which == FIRST;
        spec.frag = which == FIRST ? 0 : 100;
    }
    if (which == LATER) {
        spec.sport = spec.dport = 7;
    }
    return spec;
}

/* What becomes of it at `f`. */
static int
offer(struct fx *f, int v6, int dir, int which, unsigned id,
      uint16_t remote_port)
{
    struct packet_spec spec = piece(v6, dir, which, id, remote_port);
    struct fx_pkt p;
    int rc;

    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    if (v6) {
        p.pkt.buf.data[46] = (uint8_t)(id >> 8);
        p.pkt.buf.data[47] = (uint8_t)id;
    }
    rc = dir == IPSEC_OUT ? ipsec_outbound(&f->ips, &p.pkt)
                          : ipsec_inbound(&f->ips, &p.pkt);
    fx_pkt_free(&p);
    return rc;
}

static void
policy_set(struct ipsec_policy *policy, uint8_t action, uint16_t lo,
           uint16_t hi, uint32_t priority)
{
    memset(policy, 0, sizeof *policy);
    policy->action = action;
    policy->dir = IPSEC_OUT | IPSEC_IN;
    policy->priority = priority;
    policy->sel.proto = 17;
    policy->sel.set = IPSEC_SEL_REMOTE_PORT;
    policy->sel.remote_port_lo = lo;
    policy->sel.remote_port_hi = hi;
}

static void
with_frag(struct fx *f, uint16_t len)
{
    memset(slot, 0, sizeof slot);
    frag.slot = slot;
    frag.len = len;
    frag.seconds = SECONDS;
    f->cfg.frag = &frag;
}

/* One to remote port 119 is `action`; to 23, nothing. */
static void
setup(uint8_t action, uint16_t len)
{
    fx_config(&fx, 0);
    with_frag(&fx, len);
    assert_status(ipsec_init(&fx.ips, &fx.cfg), IPSEC_OK);
    policy_set(&port, action, 119, 119, 10);
    assert_status(ipsec_spd_add(&fx.ips, &port), IPSEC_OK);
}

/* RFC 4301 section 7.4: A-7.4-2, attacks.md 77: an orphan is dropped; one
 * whose first fragment went by a policy goes by it too. */
static void
test_frag_bypass_follows_the_first(void **state)
{
    int i, v6, dir;

    (void)state;
    for (i = 0; i < 4; i++) {
        v6 = i & 1;
        dir = i & 2 ? IPSEC_OUT : IPSEC_IN;
        fx_note("%s IPv%d", i & 2 ? "out" : "in", v6 ? 6 : 4);
        setup(IPSEC_ACTION_BYPASS, SLOTS);
        assert_status(offer(&fx, v6, dir, LATER, 1, 119),
                      IPSEC_ERR_NO_POLICY);
        assert_status(offer(&fx, v6, dir, FIRST, 1, 119), IPSEC_BYPASS);
        assert_status(offer(&fx, v6, dir, LATER, 1, 119), IPSEC_BYPASS);
        assert_status(offer(&fx, v6, dir, LATER, 1, 119), IPSEC_BYPASS);
        assert_status(offer(&fx, v6, dir, LATER, 2, 119),
                      IPSEC_ERR_NO_POLICY);
        assert_status(offer(&fx, v6, dir, FIRST, 2, 23), IPSEC_ERR_NO_POLICY);
        assert_status(offer(&fx, v6, dir, LATER, 2, 23), IPSEC_ERR_NO_POLICY);
        assert_status(offer(&fx, v6, dir ^ 3, LATER, 1, 119),
                      IPSEC_ERR_NO_POLICY);
    }
}

/* Without memory for it, A-5.1-5: no ports, no policy that has some. */
static void
test_frag_without_state_matches_no_ports(void **state)
{
    int dir;

    (void)state;
    for (dir = IPSEC_OUT; dir <= IPSEC_IN; dir++) {
        setup(IPSEC_ACTION_BYPASS, 0);
        assert_status(offer(&fx, 0, dir, FIRST, 1, 119), IPSEC_BYPASS);
        assert_status(offer(&fx, 0, dir, LATER, 1, 119),
                      IPSEC_ERR_NO_POLICY);
        fx.cfg.frag = NULL;
        assert_status(offer(&fx, 0, dir, FIRST, 1, 119), IPSEC_BYPASS);
        assert_status(offer(&fx, 0, dir, LATER, 1, 119),
                      IPSEC_ERR_NO_POLICY);
    }
}

/* A-7.4-1: where the first is discarded, so are the others, whatever a policy
 * for any port would say. */
static void
test_frag_discard_follows_the_first(void **state)
{
    int dir;

    (void)state;
    for (dir = IPSEC_OUT; dir <= IPSEC_IN; dir++) {
        setup(IPSEC_ACTION_DISCARD, SLOTS);
        memset(&other, 0, sizeof other);
        other.action = IPSEC_ACTION_BYPASS;
        other.dir = IPSEC_OUT | IPSEC_IN;
        other.priority = 20;
        assert_status(ipsec_spd_add(&fx.ips, &other), IPSEC_OK);
        assert_status(offer(&fx, 0, dir, FIRST, 1, 119), IPSEC_ERR_DISCARD);
        assert_status(offer(&fx, 0, dir, LATER, 1, 119), IPSEC_ERR_DISCARD);
        assert_int_equal(fx.audit[1].flow.remote_port, 119);
        assert_status(offer(&fx, 0, dir, FIRST, 2, 120), IPSEC_BYPASS);
        assert_status(offer(&fx, 0, dir, LATER, 2, 120), IPSEC_BYPASS);
    }
}

/* A rule for fragments as such counts where it comes first. */
static void
test_frag_opaque_policy_by_priority(void **state)
{
    static const struct {
        uint32_t priority;
        int want;
    } row[] = { { 5, IPSEC_ERR_DISCARD }, { 10, IPSEC_ERR_DISCARD },
                { 11, IPSEC_BYPASS } };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("priority %u", (unsigned)row[i].priority);
        setup(IPSEC_ACTION_BYPASS, SLOTS);
        policy_set(&opaque, IPSEC_ACTION_DISCARD, 65535, 0, row[i].priority);
        assert_status(ipsec_spd_add(&fx.ips, &opaque), IPSEC_OK);
        assert_status(offer(&fx, 0, IPSEC_IN, FIRST, 1, 119), IPSEC_BYPASS);
        assert_status(offer(&fx, 0, IPSEC_IN, LATER, 1, 119), row[i].want);
        assert_status(offer(&fx, 0, IPSEC_IN, FIRST, 2, 23),
                      IPSEC_ERR_NO_POLICY);
        assert_status(offer(&fx, 0, IPSEC_IN, LATER, 2, 23),
                      IPSEC_ERR_DISCARD);
    }
}

/* What a datagram is known by. */
static void
test_frag_key(void **state)
{
    static const uint8_t at4[] = { 4, 5, 9, 12, 15, 16, 19 };
    static const uint8_t at6[] = { 8, 23, 24, 39, 44, 45, 46, 47 };
    struct packet_spec spec;
    struct fx_pkt p;
    size_t i, n;
    int v6;

    (void)state;
    for (v6 = 0; v6 < FX_IPS; v6++) {
        n = v6 ? COUNT(at6) : COUNT(at4);
        for (i = 0; i < n + 2; i++) {
            fx_note("IPv%d, byte %zu", v6 ? 6 : 4, i);
            setup(IPSEC_ACTION_BYPASS, SLOTS);
            port.sel.proto = 0; /* and so "any protocol with that port" */
            assert_status(offer(&fx, v6, IPSEC_IN, FIRST, 1, 119),
                          IPSEC_BYPASS);
            spec = piece(v6, IPSEC_IN, LATER, 1, 119);
            fx_pkt_build(&p, &spec, 0, 0);
            if (v6) {
                p.pkt.buf.data[47] = 1;
            }
            if (i < n) {
                p.pkt.buf.data[v6 ? at6[i] : at4[i]] ^= 1;
            }
            p.pkt.spd_id = i == n;
            port.sel.spd_id = i == n;
            if (!v6) {
                packet_fix(p.pkt.buf.data);
            }
            assert_status(ipsec_inbound(&fx.ips, &p.pkt),
                          i == n + 1 ? IPSEC_BYPASS : IPSEC_ERR_NO_POLICY);
            fx_pkt_free(&p);
        }
    }
}

/* Over IPv6 only the first fragment says what follows (RFC 8200 section
 * 4.5). */
static void
test_frag_ipv6_goes_by_the_first_next_header(void **state)
{
    struct packet_spec spec = piece(1, IPSEC_IN, LATER, 1, 119);
    struct fx_pkt p;

    (void)state;
    setup(IPSEC_ACTION_BYPASS, SLOTS);
    assert_status(offer(&fx, 1, IPSEC_IN, FIRST, 77, 119), IPSEC_BYPASS);
    spec.proto = 99;
    fx_pkt_build(&p, &spec, 0, 0);
    assert_status(ipsec_inbound(&fx.ips, &p.pkt), IPSEC_BYPASS);
    fx_pkt_free(&p);
}

/* Where the rule for fragments counts, the flow shows no more than this one
 * does: not what its first has. */
static void
test_frag_opaque_policy_leaves_the_flow(void **state)
{
    struct packet_spec spec = piece(1, IPSEC_IN, LATER, 1, 119);
    struct ipsec_policy *policy = &opaque;
    struct ipsec_flow flow, before;
    struct ipsec_ip ip;
    struct fx_pkt p;

    (void)state;
    setup(IPSEC_ACTION_BYPASS, SLOTS);
    policy_set(&opaque, IPSEC_ACTION_DISCARD, 65535, 0, 5);
    assert_status(offer(&fx, 1, IPSEC_IN, FIRST, 77, 119), IPSEC_BYPASS);
    spec.proto = 99;
    fx_pkt_build(&p, &spec, 0, 0);
    assert_status(ipsec_ip_parse(&ip, &p.pkt.buf), IPSEC_OK);
    ipsec_flow_fill(&flow, IPSEC_IN, &ip, p.pkt.buf.data);
    before = flow;
    assert_status(ipsec_frag_check(&fx.ips, IPSEC_IN, &ip, &flow, 0, &policy,
                                   IPSEC_ERR_SELECTOR), IPSEC_OK);
    assert_ptr_equal(policy, &opaque);
    assert_memory_equal(&flow, &before,
                        offsetof(struct ipsec_flow, opaque) + 1);
    fx_pkt_free(&p);
}

static void
test_frag_slots_expire(void **state)
{
    static const uint32_t start[] = { 0, 5, UINT32_MAX - 3 };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(start); i++) {
        setup(IPSEC_ACTION_BYPASS, SLOTS);
        ipsec_tick(&fx.ips, start[i]);
        assert_status(offer(&fx, 0, IPSEC_IN, FIRST, 1, 119), IPSEC_BYPASS);
        assert_status(offer(&fx, 0, IPSEC_IN, LATER, 1, 119), IPSEC_BYPASS);
        ipsec_tick(&fx.ips, start[i] + SECONDS - 1);
        assert_status(offer(&fx, 0, IPSEC_IN, LATER, 1, 119), IPSEC_BYPASS);
        ipsec_tick(&fx.ips, start[i] + SECONDS);
        assert_status(offer(&fx, 0, IPSEC_IN, LATER, 1, 119),
                      IPSEC_ERR_NO_POLICY);
    }
}

/* The oldest makes room; one that comes again takes its own place. */
static void
test_frag_the_oldest_makes_room(void **state)
{
    unsigned id;

    (void)state;
    setup(IPSEC_ACTION_BYPASS, SLOTS);
    for (id = 0; id < SLOTS; id++) {
        ipsec_tick(&fx.ips, id);
        assert_status(offer(&fx, 0, IPSEC_IN, FIRST, id, 119), IPSEC_BYPASS);
    }
    ipsec_tick(&fx.ips, 4);
    assert_status(offer(&fx, 0, IPSEC_IN, FIRST, 0, 119), IPSEC_BYPASS);
    assert_status(offer(&fx, 0, IPSEC_IN, LATER, 1, 119), IPSEC_BYPASS);
    assert_status(offer(&fx, 0, IPSEC_IN, FIRST, 9, 119), IPSEC_BYPASS);
    assert_status(offer(&fx, 0, IPSEC_IN, LATER, 1, 119),
                  IPSEC_ERR_NO_POLICY);
    assert_status(offer(&fx, 0, IPSEC_IN, LATER, 0, 119), IPSEC_BYPASS);
    assert_status(offer(&fx, 0, IPSEC_IN, LATER, 2, 119), IPSEC_BYPASS);
    assert_status(offer(&fx, 0, IPSEC_IN, LATER, 9, 119), IPSEC_BYPASS);
}

/* Ports that can't be seen are not noted: attacks.md 74 (RFC 1858) and 92. */
static void
test_frag_tiny_firsts_show_nothing(void **state)
{
    struct packet_spec spec = piece(0, IPSEC_IN, FIRST, 1, 119);
    struct fx_pkt p;
    size_t cut;

    (void)state;
    for (cut = 0; cut < 5; cut++) {
        setup(IPSEC_ACTION_BYPASS, SLOTS);
        port.sel.remote_port_lo = 0; /* unknown is not 0 */
        fx_pkt_build(&p, &spec, 0, 0);
        p.pkt.buf.data[3] = (uint8_t)(20 + cut);
        packet_fix(p.pkt.buf.data);
        assert_status(ipsec_inbound(&fx.ips, &p.pkt),
                      cut < 4 ? IPSEC_ERR_NO_POLICY : IPSEC_BYPASS);
        fx_pkt_free(&p);
        assert_status(offer(&fx, 0, IPSEC_IN, LATER, 1, 119),
                      cut < 4 ? IPSEC_ERR_NO_POLICY : IPSEC_BYPASS);
    }
}

/* Destination options that push the ports out of the first fragment. */
static void
test_frag_options_may_hide_the_ports(void **state)
{
    struct packet_spec spec = piece(1, IPSEC_IN, FIRST, 1, 119);
    struct fx_pkt p;
    size_t len;

    (void)state;
    spec.ext = "fD"; /* 40 + 8 + 24, then UDP */
    for (len = 49; len < 76; len++) {
        fx_note("%zu bytes", len);
        setup(IPSEC_ACTION_BYPASS, SLOTS);
        fx_pkt_build(&p, &spec, 0, 0);
        p.pkt.buf.data[5] = (uint8_t)(len - 40);
        assert_status(ipsec_inbound(&fx.ips, &p.pkt),
                      len < 72 ? IPSEC_ERR_MALFORMED : IPSEC_ERR_NO_POLICY);
        fx_pkt_free(&p);
        assert_status(offer(&fx, 1, IPSEC_IN, LATER, 77, 119),
                      IPSEC_ERR_NO_POLICY);
    }
}

/* A hint is of a whole packet's flow. What the policy for any port says of a
 * fragment must not become what is done with whole packets. */
static void
test_frag_hint_is_not_taken_from_fragments(void **state)
{
    struct packet_spec spec[2];
    struct ipsec_hint hint = { NULL, 0 };
    struct fx_pkt p;
    int i;

    (void)state;
    fx_init(&fx, 0);
    policy_set(&port, IPSEC_ACTION_DISCARD, 119, 119, 10);
    policy_set(&other, IPSEC_ACTION_BYPASS, 0, 0, 20);
    other.sel.set = 0;
    assert_status(ipsec_spd_add(&fx.ips, &port), IPSEC_OK);
    assert_status(ipsec_spd_add(&fx.ips, &other), IPSEC_OK);
    spec[0] = piece(0, IPSEC_OUT, LATER, 1, 119);
    spec[1] = piece(0, IPSEC_OUT, FIRST, 2, 119);
    spec[1].mf = 0;
    for (i = 0; i < 4; i++) {
        fx_pkt_build(&p, &spec[i & 1], 0, 0);
        p.pkt.hint = &hint;
        assert_status(ipsec_outbound(&fx.ips, &p.pkt),
                      i & 1 ? IPSEC_ERR_DISCARD : IPSEC_BYPASS);
        fx_pkt_free(&p);
    }
    assert_true(hint.policy == &port);
}

/* Tunnels, from here on: hosts behind the pair's gateways. */

static void
gateways(int flags_out, int flags_in)
{
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    policy_set(&pair.pa, IPSEC_ACTION_PROTECT, 119, 119, 10);
    pair.pa.dir = IPSEC_OUT;
    pair.pa.reqid = 1;
    pair.pb = pair.pa;
    pair.pb.dir = IPSEC_IN;
    pair.pb.sel.set = IPSEC_SEL_LOCAL_PORT;
    pair.pb.sel.local_port_lo = pair.pb.sel.local_port_hi = 119;
    pair.pa.flags = (uint8_t)flags_out;
    pair.pb.flags = (uint8_t)flags_in;
    pair_begin(&pair);
}

/* From `a` to `b`; the fragment is on its way whatever `a` thinks of it when
 * `force` is set. What `b` says, or else `a`. */
static int
pass(int force, int which, unsigned id, uint16_t dport)
{
    struct packet_spec spec = piece(0, IPSEC_OUT, which, id, dport);
    uint8_t keep = pair.pa.flags, set = pair.pa.sel.set;
    struct fx_pkt p;
    int rc;

    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    if (force) {
        pair.pa.sel.set = 0;
        pair.pa.flags = IPSEC_POLICY_FRAGMENTS;
    }
    rc = ipsec_outbound(&pair.a.ips, &p.pkt);
    pair.pa.flags = keep;
    pair.pa.sel.set = set;
    if (rc == IPSEC_OK) {
        rc = ipsec_inbound(&pair.b.ips, &p.pkt);
    }
    fx_pkt_free(&p);
    return rc;
}

/* A-7.3-1: not negotiated, not sent. */
static void
test_frag_protect_out_needs_the_flag(void **state)
{
    (void)state;
    gateways(0, IPSEC_POLICY_FRAGMENTS);
    pair.pb.sel.set = 0;
    with_frag(&pair.a, SLOTS);
    assert_status(pass(0, LATER, 1, 119), IPSEC_ERR_NO_POLICY);
    assert_status(pass(0, FIRST, 1, 119), IPSEC_OK);
    assert_status(pass(0, LATER, 1, 119), IPSEC_ERR_FRAGMENT);
    assert_int_equal(pair.a.audit[1].status, IPSEC_ERR_FRAGMENT);
    assert_int_equal(pair.a.audit[1].flow.remote_port, 119);
    assert_true(pair.out.sa.seq == 1);
    pair.pa.flags = IPSEC_POLICY_FRAGMENTS;
    assert_status(pass(0, LATER, 1, 119), IPSEC_OK);
    assert_status(pass(0, LATER, 2, 119), IPSEC_ERR_NO_POLICY);
}

/* A-7.3-2, A-4.4.2.1-13, attacks.md 76: not negotiated, or no first seen, or
 * another policy's. Audited. */
static void
test_frag_protect_in_needs_the_flag(void **state)
{
    int flag;

    (void)state;
    for (flag = 0; flag < 2; flag++) {
        gateways(0, flag);
        with_frag(&pair.b, SLOTS);
        assert_status(pass(1, LATER, 1, 119), IPSEC_ERR_SELECTOR);
        assert_int_equal(pair.b.audits, 1);
        assert_status(pass(1, FIRST, 1, 119), IPSEC_OK);
        assert_status(pass(1, LATER, 1, 119),
                      flag ? IPSEC_OK : IPSEC_ERR_SELECTOR);
        assert_status(pass(1, FIRST, 2, 23), IPSEC_ERR_SELECTOR);
        assert_status(pass(1, LATER, 2, 23), IPSEC_ERR_SELECTOR);
        assert_int_equal(slot[1].used, 0); /* it was refused: not noted */
        assert_true(pair.b.ips.stats.in_drop[-IPSEC_ERR_SELECTOR] ==
                    pair.b.audits);
    }
}

/* A-7.1-1, A-7.2-2: ports, OPAQUE ones too, need a protocol. */
static void
test_frag_ports_need_a_protocol(void **state)
{
    (void)state;
    setup(IPSEC_ACTION_BYPASS, SLOTS);
    policy_set(&other, IPSEC_ACTION_PROTECT, 119, 119, 1);
    other.sel.proto = 0;
    assert_status(ipsec_spd_add(&fx.ips, &other), IPSEC_ERR_PORTS);
    policy_set(&other, IPSEC_ACTION_PROTECT, 65535, 0, 1);
    other.sel.proto = 0;
    assert_status(ipsec_spd_add(&fx.ips, &other), IPSEC_ERR_PORTS);
    other.sel.set = 0;
    assert_status(ipsec_spd_add(&fx.ips, &other), IPSEC_OK);
}

/* A-7-1: an SA for any port carries all fragments, with nothing agreed on. */
static void
test_frag_any_port_carries_all(void **state)
{
    int which;

    (void)state;
    for (which = FIRST; which <= LATER; which++) {
        gateways(0, 0);
        pair.pa.sel.set = pair.pb.sel.set = 0;
        with_frag(&pair.a, SLOTS);
        assert_status(pass(0, which, 1, 119), IPSEC_OK);
        assert_status(pass(0, LATER, 1, 119), IPSEC_OK);
        with_frag(&pair.b, SLOTS);
        assert_status(pass(0, which, 1, 119), IPSEC_OK);
        assert_status(pass(0, LATER, 1, 119), IPSEC_OK);
    }
}

/* A-7.2-1: an SA of its own for fragments carries those that the SA with
 * ports, by agreement, does not. */
static void
test_frag_opaque_sa_takes_what_ports_may_not(void **state)
{
    static struct fx_sa out;

    (void)state;
    gateways(0, 0);
    with_frag(&pair.a, SLOTS);
    pair.pb.sel.set = 0;
    pair.pb.reqid = 2;
    fx_sa_set(&out, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x2001,
              "192.0.2.1", "203.0.113.2");
    out.params.reqid = 2;
    assert_status(fx_sa_add(&pair.a, &out), IPSEC_OK);
    policy_set(&opaque, IPSEC_ACTION_PROTECT, 65535, 0, 20);
    opaque.dir = IPSEC_OUT;
    opaque.reqid = 2;
    assert_status(ipsec_spd_add(&pair.a.ips, &opaque), IPSEC_OK);
    (void)pass(0, FIRST, 1, 119);
    assert_true(pair.out.sa.seq == 1 && out.sa.seq == 0);
    (void)pass(0, LATER, 1, 119);
    assert_true(pair.out.sa.seq == 1 && out.sa.seq == 1);
    opaque.action = IPSEC_ACTION_BYPASS; /* never in clear instead */
    assert_status(pass(0, LATER, 1, 119), IPSEC_ERR_FRAGMENT);
    opaque.action = IPSEC_ACTION_PROTECT;
    pair.pa.flags = IPSEC_POLICY_FRAGMENTS;
    (void)pass(0, LATER, 1, 119);
    assert_true(pair.out.sa.seq == 2 && out.sa.seq == 1);
}

/* Protected traffic to 119 and a bypass of 120 between the same two. */
static void
gateways_and_bypass(void)
{
    static struct ipsec_policy bypass;

    gateways(0, IPSEC_POLICY_FRAGMENTS);
    with_frag(&pair.b, SLOTS);
    policy_set(&bypass, IPSEC_ACTION_BYPASS, 120, 120, 5);
    bypass.dir = IPSEC_IN;
    assert_status(ipsec_spd_add(&pair.b.ips, &bypass), IPSEC_OK);
}

/* What `b` says of a fragment that is sent to it in clear, from port 120. The
 * ends of the flow are turned round: us[] is behind `a`. */
static int
forge(int which, unsigned id)
{
    struct packet_spec spec = piece(0, IPSEC_OUT, which, id, 5);
    struct fx_pkt p;
    int rc;

    spec.sport = 120;
    fx_pkt_build(&p, &spec, 0, 0);
    rc = ipsec_inbound(&pair.b.ips, &p.pkt);
    fx_pkt_free(&p);
    return rc;
}

/* attacks.md 77: a forged first fragment in clear may not lend its ports to
 * what would then be put into the protected datagram. */
static void
test_frag_forged_first_does_not_speak_for_protected(void **state)
{
    (void)state;
    gateways_and_bypass();
    assert_status(pass(1, FIRST, 1, 119), IPSEC_OK);
    assert_status(forge(FIRST, 1), IPSEC_BYPASS);
    assert_status(forge(LATER, 1), IPSEC_ERR_UNPROTECTED);
    assert_status(pass(1, LATER, 1, 119), IPSEC_OK);
    assert_status(pass(1, FIRST, 1, 119), IPSEC_OK);
}

/* Nor may a flood of them make it forgotten first (attacks.md 77, RFC 4301
 * section 7.4): what has authenticated makes room for its like alone. */
static void
test_frag_flood_in_clear_evicts_nothing_protected(void **state)
{
    unsigned id;

    (void)state;
    gateways_and_bypass();
    assert_status(pass(1, FIRST, 1, 119), IPSEC_OK);
    ipsec_tick(&pair.b.ips, 1);
    for (id = 0x100; id < 0x100 + 2 * SLOTS; id++) {
        assert_status(forge(FIRST, id), IPSEC_BYPASS);
        assert_status(forge(LATER, id), IPSEC_BYPASS);
    }
    assert_status(forge(FIRST, 1), IPSEC_BYPASS);
    assert_status(forge(LATER, 1), IPSEC_ERR_UNPROTECTED);
    assert_status(pass(1, LATER, 1, 119), IPSEC_OK);
    for (id = 2; id < 2 + SLOTS; id++) {
        assert_status(pass(1, FIRST, id, 119), IPSEC_OK);
    }
    assert_status(pass(1, LATER, 2, 119), IPSEC_OK);
    assert_status(pass(1, LATER, 3, 119), IPSEC_OK);
    assert_status(pass(1, LATER, 1, 119), IPSEC_ERR_SELECTOR);
    assert_status(forge(FIRST, 0x300), IPSEC_BYPASS); /* it finds no room */
    assert_status(forge(LATER, 0x300), IPSEC_ERR_NO_POLICY);
    assert_status(pass(1, LATER, 2, 119), IPSEC_OK);
}

/* What we send is not for them to push out either. */
static void
test_frag_flood_in_clear_evicts_nothing_sent(void **state)
{
    unsigned id;

    (void)state;
    setup(IPSEC_ACTION_BYPASS, SLOTS);
    assert_status(offer(&fx, 0, IPSEC_OUT, FIRST, 1, 119), IPSEC_BYPASS);
    for (id = 0x100; id < 0x100 + 2 * SLOTS; id++) {
        assert_status(offer(&fx, 0, IPSEC_IN, FIRST, id, 119), IPSEC_BYPASS);
    }
    assert_status(offer(&fx, 0, IPSEC_OUT, LATER, 1, 119), IPSEC_BYPASS);
}

/* Of a protected datagram a first fragment in clear says nothing, also when it
 * comes ahead of it all: the others are then as those without a first are. */
static void
test_frag_first_in_clear_is_of_no_protected_datagram(void **state)
{
    (void)state;
    gateways_and_bypass();
    pair.pb.sel.set = 0;
    assert_status(pass(1, LATER, 1, 119), IPSEC_OK);
    assert_status(forge(FIRST, 1), IPSEC_BYPASS);
    assert_status(pass(1, LATER, 1, 119), IPSEC_OK);
    assert_status(forge(LATER, 1), IPSEC_BYPASS);
    assert_status(pass(1, FIRST, 1, 119), IPSEC_OK);
    assert_status(forge(LATER, 1), IPSEC_ERR_UNPROTECTED);
}

/* P-3.3.4-1: whatever is known of ports, transport mode takes no fragments. */
static void
test_frag_transport_mode_takes_none(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;
    int which;

    (void)state;
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TRANSPORT, 4);
    pair.pa.flags = IPSEC_POLICY_FRAGMENTS;
    with_frag(&pair.a, SLOTS);
    pair_begin(&pair);
    for (which = FIRST; which <= LATER; which++) {
        spec = pair_spec(&pair, 4, 17, 32);
        spec.mf = which == FIRST;
        spec.frag = which == FIRST ? 0 : 5;
        fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
        assert_status(ipsec_outbound(&pair.a.ips, &p.pkt),
                      IPSEC_ERR_FRAGMENT);
        fx_pkt_free(&p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frag_bypass_follows_the_first),
        cmocka_unit_test(test_frag_without_state_matches_no_ports),
        cmocka_unit_test(test_frag_discard_follows_the_first),
        cmocka_unit_test(test_frag_opaque_policy_by_priority),
        cmocka_unit_test(test_frag_key),
        cmocka_unit_test(test_frag_ipv6_goes_by_the_first_next_header),
        cmocka_unit_test(test_frag_opaque_policy_leaves_the_flow),
        cmocka_unit_test(test_frag_slots_expire),
        cmocka_unit_test(test_frag_the_oldest_makes_room),
        cmocka_unit_test(test_frag_tiny_firsts_show_nothing),
        cmocka_unit_test(test_frag_options_may_hide_the_ports),
        cmocka_unit_test(test_frag_hint_is_not_taken_from_fragments),
        cmocka_unit_test(test_frag_protect_out_needs_the_flag),
        cmocka_unit_test(test_frag_protect_in_needs_the_flag),
        cmocka_unit_test(test_frag_ports_need_a_protocol),
        cmocka_unit_test(test_frag_any_port_carries_all),
        cmocka_unit_test(test_frag_opaque_sa_takes_what_ports_may_not),
        cmocka_unit_test(test_frag_forged_first_does_not_speak_for_protected),
        cmocka_unit_test(test_frag_flood_in_clear_evicts_nothing_protected),
        cmocka_unit_test(test_frag_flood_in_clear_evicts_nothing_sent),
        cmocka_unit_test(
            test_frag_first_in_clear_is_of_no_protected_datagram),
        cmocka_unit_test(test_frag_transport_mode_takes_none)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
