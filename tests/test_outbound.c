/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* From policy to verdict (RFC 4301 section 5.1). */

static struct pair pair;
static struct fx_pkt p;
static uint8_t before[4096];

#define A (&pair.a.ips)

static int
stop(void **state)
{
    (void)state;
    fx_pkt_free(&p);
    return 0;
}

static void
build(const struct packet_spec *spec)
{
    fx_pkt_free(&p);
    fx_pkt_build(&p, spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    memcpy(before, p.mem, p.size);
}

static void
begin(int mode, int version)
{
    struct packet_spec spec;

    pair_init(&pair, &suites[GCM128], mode, version);
    spec = pair_spec(&pair, version, 17, 32);
    build(&spec);
}

/* Dropped with nothing done: not a byte, not a number, no SA held. */
static void
check_untouched(int rc, int want)
{
    assert_status(rc, want);
    assert_int_equal(p.pkt.layers, 0);
    assert_memory_equal(p.mem, before, p.size);
    assert_true(pair.out.sa.seq == pair.out.params.seq);
    assert_int_equal(pair.out.sa.in_flight, 0);
    assert_int_equal(pair.a.st.runs, 0);
    if (want < 0) {
        assert_int_equal(pair.a.ips.stats.out_drop[-want], 1);
        assert_int_equal(pair.a.audits, 1);
        assert_int_equal(pair.a.audit[0].status, want);
        assert_int_equal(pair.a.audit[0].dir, IPSEC_OUT);
        assert_int_equal(pair.a.audit[0].layers, 0);
    }
}

static void
test_outbound_three_actions(void **state)
{
    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    pair.pa.action = IPSEC_ACTION_BYPASS;
    check_untouched(ipsec_outbound(A, &p.pkt), IPSEC_BYPASS);
    assert_int_equal(pair.a.ips.stats.out_bypass, 1);
    assert_int_equal(pair.a.audits, 0);
    pair.pa.action = IPSEC_ACTION_DISCARD;
    check_untouched(ipsec_outbound(A, &p.pkt), IPSEC_ERR_DISCARD);
    assert_int_equal(pair.a.audit[0].flow.remote_port, 7);
    assert_int_equal(pair.a.audit[0].flow.proto, 17);
    pair.pa.action = IPSEC_ACTION_PROTECT;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
    assert_int_equal(pair.a.ips.stats.out_protect, 1);
    assert_int_equal(p.pkt.layers, 1);
    assert_ptr_equal(p.pkt.sa[0], &pair.out.sa);
    assert_int_equal(pair.out.sa.in_flight, 0);
    assert_true(pair.out.sa.packets == 1);
}

/* Results of an earlier call are not left over. */
static void
test_outbound_results_are_of_this_call(void **state)
{
    struct ipsec_sa *none[IPSEC_DEPTH] = { NULL };

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    p.pkt.buf.end = p.pkt.buf.data + p.pkt.buf.len;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_ROOM);
    assert_true(p.pkt.head != 0 && p.pkt.tail != 0);
    p.pkt.mtu = 99;
    p.pkt.layers = 3;
    pair.pa.action = IPSEC_ACTION_BYPASS;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_BYPASS);
    assert_int_equal(p.pkt.head | p.pkt.tail | p.pkt.mtu | p.pkt.layers, 0);
    assert_memory_equal(p.pkt.sa, none, sizeof none);
    p.pkt.seq = 99;
    pair.pa.action = IPSEC_ACTION_DISCARD;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_DISCARD);
    assert_true(pair.a.audit[1].seq == 0);
}

static void
test_outbound_no_policy(void **state)
{
    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    ipsec_spd_remove(A, &pair.pa);
    check_untouched(ipsec_outbound(A, &p.pkt), IPSEC_ERR_NO_POLICY);
}

/* Policies of the other direction, and of another SPD, are not ours. */
static void
test_outbound_policy_by_direction_and_spd(void **state)
{
    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    pair.pa.dir = IPSEC_IN;
    check_untouched(ipsec_outbound(A, &p.pkt), IPSEC_ERR_NO_POLICY);
    begin(IPSEC_MODE_TUNNEL, 4);
    p.pkt.spd_id = 9;
    check_untouched(ipsec_outbound(A, &p.pkt), IPSEC_ERR_NO_POLICY);
    pair.pa.sel.spd_id = 9;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
}

static void
test_outbound_malformed(void **state)
{
    static const struct ipsec_flow none;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    p.pkt.buf.len--;
    check_untouched(ipsec_outbound(A, &p.pkt), IPSEC_ERR_MALFORMED);
    assert_memory_equal(&pair.a.audit[0].flow, &none, sizeof none);
    assert_int_equal(pair.a.audit[0].spi, 0);
    pair.pa.action = IPSEC_ACTION_BYPASS; /* which is no way round */
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_MALFORMED);
}

static void
test_outbound_no_sa_raises_acquire_each_time(void **state)
{
    size_t i;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    assert_status(ipsec_sad_remove(A, &pair.out.sa), IPSEC_OK);
    p.pkt.lane = 5;
    check_untouched(ipsec_outbound(A, &p.pkt), IPSEC_ERR_NO_SA);
    for (i = 1; i < 4; i++) {
        assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_NO_SA);
    }
    assert_int_equal(pair.a.acquires, 4);
    assert_ptr_equal(pair.a.acquire[0].policy, &pair.pa);
    assert_int_equal(pair.a.acquire[0].lane, 5);
    assert_int_equal(pair.a.acquire[0].flow.local_port, 5000);
    assert_int_equal(pair.a.acquire[0].flow.remote.byte[3], 2);
    pair.a.cfg.acquire = NULL;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_NO_SA);
    assert_memory_equal(p.mem, before, p.size);
}

static struct ipsec_sa larval;

static void
reserve(struct fx *fx, struct ipsec_policy *policy,
        const struct ipsec_flow *flow)
{
    (void)flow;
    memset(&larval, 0, sizeof larval);
    assert_status(ipsec_sad_reserve(&fx->ips, &larval, IPSEC_OUT, 50,
                                    policy->reqid, 30), IPSEC_OK);
}

/* A larval SA made in the callback holds further ones off; completed, it
 * takes the packet that was kept. */
static void
test_outbound_larval_holds_acquire_off(void **state)
{
    uint32_t generation;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    assert_status(ipsec_sad_remove(A, &pair.out.sa), IPSEC_OK);
    pair.a.on_acquire = reserve;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_NO_SA);
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_NO_SA);
    assert_int_equal(pair.a.acquires, 1);
    assert_memory_equal(p.mem, before, p.size);
    generation = pair.a.ips.sa_generation;
    assert_status(ipsec_sad_add(A, &larval, &pair.out.params), IPSEC_OK);
    assert_int_not_equal(pair.a.ips.sa_generation, generation);
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
    assert_ptr_equal(p.pkt.sa[0], &larval);
}

/* reqid 0: only acquire; the daemon then adds a narrower policy. */
static struct ipsec_policy narrow;

static void
add_narrow(struct fx *fx, struct ipsec_policy *policy,
           const struct ipsec_flow *flow)
{
    assert_int_equal(policy->reqid, 0);
    memset(&narrow, 0, sizeof narrow);
    narrow.action = IPSEC_ACTION_PROTECT;
    narrow.dir = IPSEC_OUT;
    narrow.reqid = 1;
    narrow.sel.version = flow->remote.version;
    narrow.sel.remote.bits = 32;
    memcpy(narrow.sel.remote.byte, flow->remote.byte, 4);
    assert_status(ipsec_spd_add(&fx->ips, &narrow), IPSEC_OK);
}

static void
test_outbound_reqid_0_only_acquires(void **state)
{
    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    ipsec_spd_remove(A, &pair.pa);
    pair.pa.reqid = 0;
    pair.pa.priority = 10;
    assert_status(ipsec_spd_add(A, &pair.pa), IPSEC_OK);
    pair.a.on_acquire = add_narrow;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_NO_SA);
    assert_memory_equal(p.mem, before, p.size);
    assert_int_equal(pair.a.acquires, 1);
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
    assert_int_equal(pair.a.acquires, 1);
}

static void
test_outbound_takes_the_newest_sa_of_its_lane(void **state)
{
    static struct fx_sa s[3];
    struct packet_spec spec;
    size_t i;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    for (i = 0; i < 3; i++) {
        s[i].params = pair.out.params;
        memset(&s[i].sa, 0, sizeof s[i].sa);
        s[i].params.spi = (uint32_t)(0x2000 + i);
        s[i].params.key = &s[i].key;
        s[i].params.lane = i == 1 ? 4 : 0;
        assert_status(fx_sa_add(&pair.a, &s[i]), IPSEC_OK);
    }
    p.pkt.lane = 4;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
    assert_ptr_equal(p.pkt.sa[0], &s[1].sa);
    spec = pair_spec(&pair, 4, 17, 1);
    build(&spec);
    p.pkt.lane = 3;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
    assert_ptr_equal(p.pkt.sa[0], &s[2].sa);
}

static void
test_outbound_sa_must_be_as_policy_says(void **state)
{
    static const struct { int sa, policy, want; } row[] = {
        { IPSEC_MODE_TUNNEL, 0, IPSEC_OK },
        { IPSEC_MODE_TRANSPORT, 0, IPSEC_OK },
        { IPSEC_MODE_TUNNEL, IPSEC_MODE_TRANSPORT, IPSEC_ERR_MODE },
        { IPSEC_MODE_TRANSPORT, IPSEC_MODE_TUNNEL, IPSEC_ERR_MODE },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        begin(row[i].sa, 6);
        pair.pa.mode = (uint8_t)row[i].policy;
        pair.pa.proto = i % 2 ? 0 : IPSEC_PROTO_ESP;
        if (row[i].want == IPSEC_OK) {
            assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
        } else {
            check_untouched(ipsec_outbound(A, &p.pkt), row[i].want);
            assert_int_equal(pair.a.audit[0].spi, 0x1001);
            assert_int_equal(pair.out.sa.drop_other, 1);
        }
    }
}

/* Transport mode: the SA's addresses are the packet's, and not of transit
 * traffic (RFC 4301 section 4.1). A-4.1-9, -10 */
static void
test_outbound_transport_between_its_ends_only(void **state)
{
    struct packet_spec spec;

    (void)state;
    begin(IPSEC_MODE_TRANSPORT, 4);
    p.pkt.flags = IPSEC_PKT_TRANSIT;
    check_untouched(ipsec_outbound(A, &p.pkt), IPSEC_ERR_MODE);
    begin(IPSEC_MODE_TRANSPORT, 4);
    spec = pair_spec(&pair, 4, 17, 3);
    spec.src = "192.0.2.99";
    build(&spec);
    check_untouched(ipsec_outbound(A, &p.pkt), IPSEC_ERR_SELECTOR);
    begin(IPSEC_MODE_TRANSPORT, 4);
    spec.src = "192.0.2.1";
    spec.dst = "192.0.2.77";
    build(&spec);
    check_untouched(ipsec_outbound(A, &p.pkt), IPSEC_ERR_SELECTOR);
    begin(IPSEC_MODE_TUNNEL, 4);
    p.pkt.flags = IPSEC_PKT_TRANSIT;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
}

/* RFC 4303 section 3.3.4 */
static void
test_outbound_fragments(void **state)
{
    static const struct {
        int version;
        const char *ext;
        uint8_t mf;
        uint16_t frag;
        int transport;
    } row[] = {
        { 4, "", 1, 0, IPSEC_ERR_FRAGMENT },
        { 4, "", 0, 5, IPSEC_ERR_FRAGMENT },
        { 6, "f", 0, 0, IPSEC_ERR_FRAGMENT },
        { 6, "l", 0, 0, IPSEC_ERR_FRAGMENT },
        { 6, "a", 0, 0, IPSEC_OK },
    };
    struct packet_spec spec;
    size_t i;

    (void)state;
    for (i = 0; i < 2 * COUNT(row); i++) {
        fx_note("row %zu", i / 2);
        begin(i % 2 ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT,
              row[i / 2].version);
        spec = pair_spec(&pair, row[i / 2].version, 17, 64);
        spec.ext = row[i / 2].ext;
        spec.mf = row[i / 2].mf;
        spec.frag = row[i / 2].frag;
        build(&spec);
        if (i % 2 || row[i / 2].transport == IPSEC_OK) {
            assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
        } else {
            check_untouched(ipsec_outbound(A, &p.pkt), IPSEC_ERR_FRAGMENT);
        }
    }
}

/* Fragments do not show their ports: RFC 4301 section 7. */
static void
test_outbound_fragment_matches_no_port_policy(void **state)
{
    struct packet_spec spec;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    pair.pa.sel.proto = 17;
    pair.pa.sel.set = IPSEC_SEL_REMOTE_PORT;
    pair.pa.sel.remote_port_lo = 0;
    pair.pa.sel.remote_port_hi = 65535;
    spec = pair_spec(&pair, 4, 17, 64);
    spec.frag = 10;
    build(&spec);
    check_untouched(ipsec_outbound(A, &p.pkt), IPSEC_ERR_NO_POLICY);
    pair.pa.sel.remote_port_lo = 65535;
    pair.pa.sel.remote_port_hi = 0;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
}

/* A hint spares the lookup (a socket's: RFC 4301 section 4.4.1.1), but not its
 * result: attacks.md 126, 127. */
static void
test_outbound_hint_is_revalidated(void **state)
{
    struct ipsec_hint hint = { NULL, 0 };
    struct ipsec_policy bypass;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    pair.pa.priority = 5;
    pair.pa.action = IPSEC_ACTION_DISCARD;
    p.pkt.hint = &hint;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_DISCARD);
    assert_ptr_equal(hint.policy, &pair.pa);
    assert_int_equal(hint.generation, pair.a.ips.generation);
    memset(&bypass, 0, sizeof bypass);
    bypass.action = IPSEC_ACTION_BYPASS;
    bypass.dir = IPSEC_OUT;
    assert_status(ipsec_spd_add(A, &bypass), IPSEC_OK);
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_BYPASS);
    assert_ptr_equal(hint.policy, &bypass);
    ipsec_spd_remove(A, &bypass);
    memset(&bypass, 0xff, sizeof bypass); /* its memory is another's now */
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_DISCARD);
    ipsec_spd_remove(A, &pair.pa);
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_NO_POLICY);
    assert_null(hint.policy);
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_NO_POLICY);
}

/* It is really used: a better policy that came without a new generation
 * (which can't happen) goes unseen; one that doesn't match is not. */
static void
test_outbound_hint_is_used_where_it_matches(void **state)
{
    struct ipsec_hint hint;
    struct ipsec_policy mine;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    memset(&mine, 0, sizeof mine);
    mine.action = IPSEC_ACTION_BYPASS;
    mine.dir = IPSEC_OUT;
    hint.policy = &mine;
    hint.generation = pair.a.ips.generation;
    p.pkt.hint = &hint;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_BYPASS);
    mine.sel.proto = 6;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
    assert_ptr_equal(hint.policy, &pair.pa);
}

static void
test_outbound_counts_where_it_is_told_to(void **state)
{
    struct ipsec_stats mine, zero;

    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    memset(&zero, 0, sizeof zero);
    memset(&mine, 0, sizeof mine);
    p.pkt.stats = &mine;
    pair.pa.action = IPSEC_ACTION_DISCARD;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_DISCARD);
    pair.pa.action = IPSEC_ACTION_BYPASS;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_BYPASS);
    pair.pa.action = IPSEC_ACTION_PROTECT;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
    assert_int_equal(mine.out_drop[4], 1);
    assert_int_equal(mine.out_bypass, 1);
    assert_int_equal(mine.out_protect, 1);
    assert_memory_equal(&pair.a.ips.stats, &zero, sizeof zero);
}

/* No callbacks: the same verdicts. */
static void
test_outbound_without_callbacks(void **state)
{
    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    pair.a.cfg.audit = NULL;
    pair.a.cfg.sa_event = NULL;
    pair.a.cfg.acquire = NULL;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_OK);
    pair.pa.action = IPSEC_ACTION_DISCARD;
    assert_status(ipsec_outbound(A, &p.pkt), IPSEC_ERR_DISCARD);
}

#define T(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_outbound_three_actions),
        T(test_outbound_results_are_of_this_call),
        T(test_outbound_no_policy),
        T(test_outbound_policy_by_direction_and_spd),
        T(test_outbound_malformed),
        T(test_outbound_no_sa_raises_acquire_each_time),
        T(test_outbound_larval_holds_acquire_off),
        T(test_outbound_reqid_0_only_acquires),
        T(test_outbound_takes_the_newest_sa_of_its_lane),
        T(test_outbound_sa_must_be_as_policy_says),
        T(test_outbound_transport_between_its_ends_only),
        T(test_outbound_fragments),
        T(test_outbound_fragment_matches_no_port_policy),
        T(test_outbound_hint_is_revalidated),
        T(test_outbound_hint_is_used_where_it_matches),
        T(test_outbound_counts_where_it_is_told_to),
        T(test_outbound_without_callbacks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
