/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

static struct fx fx;

static int
start(void **state)
{
    (void)state;
    fx_init(&fx, 0);
    return 0;
}

static int
start_index(void **state)
{
    (void)state;
    fx_init(&fx, 1);
    return 0;
}

static struct ipsec_policy
policy(int action, uint32_t priority)
{
    struct ipsec_policy p;

    memset(&p, 0, sizeof p);
    p.action = (uint8_t)action;
    p.dir = IPSEC_IN | IPSEC_OUT;
    p.priority = priority;
    p.reqid = action == IPSEC_ACTION_PROTECT;
    return p;
}

static struct ipsec_flow
flow(const char *local, const char *remote, int proto, int lport, int rport)
{
    struct ipsec_flow f;

    memset(&f, 0, sizeof f);
    f.local = addr(local);
    f.remote = addr(remote);
    f.proto = (uint8_t)proto;
    f.local_port = (uint16_t)lport;
    f.remote_port = (uint16_t)rport;
    return f;
}

static void
prefix(struct ipsec_prefix *p, const char *text, unsigned bits)
{
    struct ipsec_addr a = addr(text);

    memcpy(p->byte, a.byte, 16);
    p->bits = (uint8_t)bits;
}

static void
add(struct ipsec_policy *p)
{
    assert_status(ipsec_spd_add(&fx.ips, p), IPSEC_OK);
}

static int
matches(const struct ipsec_policy *p, const struct ipsec_flow *f)
{
    return ipsec_spd_lookup(&fx.ips, IPSEC_OUT, f) == p;
}

static void
test_spd_empty_finds_nothing(void **state)
{
    struct ipsec_flow f = flow("10.0.0.1", "10.0.0.2", 6, 1, 2);

    (void)state;
    assert_null(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &f));
    assert_null(ipsec_spd_lookup(&fx.ips, IPSEC_IN, &f));
    assert_null(ipsec_spd_next(&fx.ips, NULL));
}

static void
test_spd_zeroed_selector_is_every_flow(void **state)
{
    struct ipsec_policy p = policy(IPSEC_ACTION_BYPASS, 0);
    struct ipsec_flow f = flow("10.0.0.1", "10.0.0.2", 6, 1, 2);

    (void)state;
    add(&p);
    assert_true(matches(&p, &f));
    f = flow("2001:db8::1", "2001:db8::2", 50, 0, 0);
    f.opaque = 1;
    assert_true(matches(&p, &f));
    assert_ptr_equal(ipsec_spd_lookup(&fx.ips, IPSEC_IN, &f), &p);
    f.spd_id = 1;
    assert_false(matches(&p, &f));
}

/* One selector field a row: what it takes, and what it doesn't. */
static void
test_spd_selector_fields(void **state)
{
    struct ipsec_policy p = policy(IPSEC_ACTION_BYPASS, 0);
    static const struct {
        const char *local, *remote;
        int proto, lport, rport, opaque, spd_id, want;
    } row[] = {
        { "10.1.2.3", "172.16.0.9", 6, 1000, 80, 0, 3, 1 },
        { "10.1.2.255", "172.16.0.9", 6, 1000, 80, 0, 3, 1 },
        { "10.1.3.0", "172.16.0.9", 6, 1000, 80, 0, 3, 0 },
        { "11.1.2.3", "172.16.0.9", 6, 1000, 80, 0, 3, 0 },
        { "10.1.2.3", "172.31.255.255", 6, 1000, 80, 0, 3, 1 },
        { "10.1.2.3", "172.32.0.0", 6, 1000, 80, 0, 3, 0 },
        { "10.1.2.3", "172.15.255.255", 6, 1000, 80, 0, 3, 0 },
        { "172.16.0.9", "10.1.2.3", 6, 1000, 80, 0, 3, 0 },
        { "10.1.2.3", "172.16.0.9", 17, 1000, 80, 0, 3, 0 },
        { "10.1.2.3", "172.16.0.9", 6, 999, 80, 0, 3, 0 },
        { "10.1.2.3", "172.16.0.9", 6, 1001, 80, 0, 3, 1 },
        { "10.1.2.3", "172.16.0.9", 6, 2000, 80, 0, 3, 1 },
        { "10.1.2.3", "172.16.0.9", 6, 2001, 80, 0, 3, 0 },
        { "10.1.2.3", "172.16.0.9", 6, 1000, 81, 0, 3, 0 },
        { "10.1.2.3", "172.16.0.9", 6, 1000, 79, 0, 3, 0 },
        { "10.1.2.3", "172.16.0.9", 6, 1000, 80, 1, 3, 0 },
        { "10.1.2.3", "172.16.0.9", 6, 1000, 80, 0, 2, 0 },
        { "0a01:0203::", "ac10:0009::", 6, 1000, 80, 0, 3, 0 },
    };
    struct ipsec_flow f;
    size_t i;

    (void)state;
    prefix(&p.sel.local, "10.1.2.77", 24); /* bits that do not count */
    prefix(&p.sel.remote, "172.16.99.99", 12);
    p.sel.version = 4;
    p.sel.proto = 6;
    p.sel.spd_id = 3;
    p.sel.set = IPSEC_SEL_LOCAL_PORT | IPSEC_SEL_REMOTE_PORT;
    p.sel.local_port_lo = 1000;
    p.sel.local_port_hi = 2000;
    p.sel.remote_port_lo = p.sel.remote_port_hi = 80;
    add(&p);
    for (i = 0; i < COUNT(row); i++) {
        f = flow(row[i].local, row[i].remote, row[i].proto, row[i].lport,
                 row[i].rport);
        f.opaque = (uint8_t)row[i].opaque;
        f.spd_id = (uint8_t)row[i].spd_id;
        fx_note("row %zu", i);
        assert_status(matches(&p, &f), row[i].want);
    }
}

/* RFC 4301 section 4.4.1.1: ANY, OPAQUE and values. */
static void
test_spd_any_opaque_and_ports(void **state)
{
    struct ipsec_policy any = policy(IPSEC_ACTION_BYPASS, 5);
    struct ipsec_policy opaque = policy(IPSEC_ACTION_BYPASS, 4);
    struct ipsec_policy full = policy(IPSEC_ACTION_BYPASS, 3);
    struct ipsec_flow seen = flow("10.0.0.1", "10.0.0.2", 17, 0, 65535);
    struct ipsec_flow unseen = seen;

    (void)state;
    unseen.opaque = 1;
    unseen.remote_port = 0;
    any.sel.proto = opaque.sel.proto = full.sel.proto = 17;
    opaque.sel.set = full.sel.set = IPSEC_SEL_REMOTE_PORT;
    opaque.sel.remote_port_lo = 65535;
    opaque.sel.remote_port_hi = 0;
    full.sel.remote_port_lo = 0;
    full.sel.remote_port_hi = 65535;
    add(&any);
    assert_true(matches(&any, &seen) && matches(&any, &unseen));
    add(&opaque);
    assert_true(matches(&any, &seen) && matches(&opaque, &unseen));
    add(&full);
    assert_true(matches(&full, &seen) && matches(&opaque, &unseen));
    ipsec_spd_remove(&fx.ips, &opaque);
    assert_true(matches(&full, &seen) && matches(&any, &unseen));
    ipsec_spd_remove(&fx.ips, &full);
    ipsec_spd_remove(&fx.ips, &any);
    opaque.sel.set = IPSEC_SEL_LOCAL_PORT;
    opaque.sel.local_port_lo = 65535;
    opaque.sel.local_port_hi = 0;
    add(&opaque);
    assert_true(matches(&opaque, &unseen) && !matches(&opaque, &seen));
}

/* An exact port finds no opaque flow, although its fields hold 0. */
static void
test_spd_exact_port_0_is_not_opaque(void **state)
{
    struct ipsec_policy p = policy(IPSEC_ACTION_BYPASS, 0);
    struct ipsec_flow f = flow("10.0.0.1", "10.0.0.2", 17, 0, 0);

    (void)state;
    p.sel.proto = 17;
    p.sel.set = IPSEC_SEL_LOCAL_PORT | IPSEC_SEL_REMOTE_PORT;
    add(&p);
    assert_true(matches(&p, &f));
    f.opaque = 1;
    assert_false(matches(&p, &f));
}

/* ICMP type << 8 | code: conformance A-4.4.1.1-6 */
static void
test_spd_icmp_range(void **state)
{
    struct ipsec_policy p = policy(IPSEC_ACTION_BYPASS, 0);
    struct ipsec_flow f = flow("10.0.0.1", "10.0.0.2", 1, 0x0304, 0x0304);

    (void)state;
    p.sel.proto = 1;
    p.sel.set = IPSEC_SEL_LOCAL_PORT;
    p.sel.local_port_lo = 0x0300;
    p.sel.local_port_hi = 0x030f;
    add(&p);
    assert_true(matches(&p, &f));
    f.local_port = f.remote_port = 0x0400;
    assert_false(matches(&p, &f));
    f.local_port = f.remote_port = 0x02ff;
    assert_false(matches(&p, &f));
}

/* Mobility Header type << 8, either side: A-4.4.1.1-7 */
static void
test_spd_mobility_header_type(void **state)
{
    struct ipsec_policy p = policy(IPSEC_ACTION_BYPASS, 0);
    struct ipsec_flow f = flow("fd00::1", "fd00::2", 135, 5 << 8, 5 << 8);

    (void)state;
    p.sel.version = 6;
    p.sel.proto = 135;
    p.sel.set = IPSEC_SEL_REMOTE_PORT;
    p.sel.remote_port_lo = p.sel.remote_port_hi = 5 << 8;
    add(&p);
    assert_true(matches(&p, &f));
    f.local_port = f.remote_port = 6 << 8;
    assert_false(matches(&p, &f));
    f.local_port = f.remote_port = 0;
    f.opaque = IPSEC_OPAQUE_PORTS;
    assert_false(matches(&p, &f));
}

/* A protocol that can't be seen is OPAQUE or ANY, whatever number stands in
 * its place (RFC 4301 section 4.4.1.1). A-4.4.1.1-2 */
static void
test_spd_opaque_protocol(void **state)
{
    struct ipsec_policy any = policy(IPSEC_ACTION_BYPASS, 5);
    struct ipsec_policy opaque = policy(IPSEC_ACTION_BYPASS, 4);
    struct ipsec_policy number = policy(IPSEC_ACTION_BYPASS, 3);
    struct ipsec_policy ports = policy(IPSEC_ACTION_BYPASS, 2);
    struct ipsec_flow seen = flow("fd00::1", "fd00::2", 60, 0, 0);
    struct ipsec_flow unseen = seen, four = seen;

    (void)state;
    seen.opaque = IPSEC_OPAQUE_PORTS;
    unseen.opaque = IPSEC_OPAQUE_PORTS | IPSEC_OPAQUE_PROTO;
    four = flow("10.0.0.1", "10.0.0.2", 60, 0, 0);
    four.opaque = IPSEC_OPAQUE_PORTS;
    opaque.sel.version = 6;
    opaque.sel.set = IPSEC_SEL_PROTO_OPAQUE;
    number.sel.proto = 60;
    ports.sel.proto = 17;
    ports.sel.set = IPSEC_SEL_LOCAL_PORT;
    ports.sel.local_port_lo = 65535;
    add(&any);
    assert_true(matches(&any, &seen) && matches(&any, &unseen));
    add(&opaque);
    assert_true(matches(&any, &seen) && matches(&opaque, &unseen));
    assert_true(matches(&any, &four));
    add(&number);
    assert_true(matches(&number, &seen) && matches(&opaque, &unseen));
    add(&ports);
    unseen.proto = 17;
    assert_true(matches(&opaque, &unseen));
    unseen.opaque = IPSEC_OPAQUE_PROTO; /* which says the ports are too */
    assert_true(matches(&opaque, &unseen));
    ipsec_spd_remove(&fx.ips, &opaque);
    assert_true(matches(&any, &unseen));
    ipsec_spd_remove(&fx.ips, &any);
    assert_false(matches(&number, &unseen) || matches(&ports, &unseen));
}

/* For key management alone: no packet finds it, a walk does. A-4.4.1.1-8 */
static void
test_spd_name_matches_no_packet(void **state)
{
    struct ipsec_policy p = policy(IPSEC_ACTION_BYPASS, 0), *q;
    struct ipsec_flow f = flow("10.0.0.1", "10.0.0.2", 17, 1, 2);
    struct ipsec_policy below = policy(IPSEC_ACTION_DISCARD, 1);

    (void)state;
    p.sel.set = IPSEC_SEL_NAME;
    p.user = "mozart@foo.example.com";
    add(&p);
    assert_null(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &f));
    assert_null(ipsec_spd_lookup(&fx.ips, IPSEC_IN, &f));
    add(&below);
    assert_true(matches(&below, &f));
    for (q = NULL; (q = ipsec_spd_next(&fx.ips, q)) != &p;) {
        assert_non_null(q);
    }
    ipsec_spd_remove(&fx.ips, &p);
    assert_ptr_equal(ipsec_spd_next(&fx.ips, NULL), &below);
}

static void
test_spd_directions(void **state)
{
    struct ipsec_policy in = policy(IPSEC_ACTION_BYPASS, 0), out = in;
    struct ipsec_flow f = flow("10.0.0.1", "10.0.0.2", 6, 1, 2);

    (void)state;
    in.dir = IPSEC_IN;
    add(&in);
    assert_null(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &f));
    assert_ptr_equal(ipsec_spd_lookup(&fx.ips, IPSEC_IN, &f), &in);
    out.dir = IPSEC_OUT;
    add(&out);
    assert_ptr_equal(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &f), &out);
    assert_ptr_equal(ipsec_spd_lookup(&fx.ips, IPSEC_IN, &f), &in);
}

static void
test_spd_lowest_priority_then_the_oldest(void **state)
{
    struct ipsec_policy p[6], *q;
    struct ipsec_flow f = flow("10.0.0.1", "10.0.0.2", 6, 1, 2);
    static const uint32_t priority[6] = { 7, 7, 3, 0xffffffff, 3, 0 };
    static const int order[6] = { 5, 2, 4, 0, 1, 3 };
    size_t i;

    (void)state;
    for (i = 0; i < 6; i++) {
        p[i] = policy(IPSEC_ACTION_BYPASS, priority[i]);
        p[i].sel.proto = i % 2 ? 6 : 0; /* two shapes */
        add(&p[i]);
    }
    for (i = 0; i < 6; i++) {
        fx_note("place %zu", i);
        q = ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &f);
        assert_ptr_equal(q, &p[order[i]]);
        ipsec_spd_remove(&fx.ips, q);
    }
    assert_null(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &f));
}

/* "To change a policy without a gap": the new one first. */
static void
test_spd_replace_without_a_gap(void **state)
{
    struct ipsec_policy old = policy(IPSEC_ACTION_BYPASS, 5), new = old;
    struct ipsec_flow f = flow("10.0.0.1", "10.0.0.2", 6, 1, 2);

    (void)state;
    add(&old);
    add(&new);
    assert_true(matches(&old, &f));
    ipsec_spd_remove(&fx.ips, &old);
    assert_true(matches(&new, &f));
    add(&old);
    assert_true(matches(&new, &f));
}

static void
test_spd_generation_tells_of_each_change(void **state)
{
    struct ipsec_policy p = policy(IPSEC_ACTION_BYPASS, 0);
    uint32_t before = fx.ips.generation;

    (void)state;
    add(&p);
    assert_int_not_equal(fx.ips.generation, before);
    before = fx.ips.generation;
    assert_status(ipsec_spd_add(&fx.ips, &p), IPSEC_ERR_EXISTS);
    assert_int_equal(fx.ips.generation, before);
    ipsec_spd_remove(&fx.ips, &p);
    assert_int_not_equal(fx.ips.generation, before);
    before = fx.ips.generation;
    ipsec_spd_remove(&fx.ips, &p);
    assert_int_equal(fx.ips.generation, before);
}

static void
test_spd_walk(void **state)
{
    struct ipsec_policy p[12], *q;
    unsigned seen = 0, n = 0;
    uint32_t last = 0;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(p); i++) {
        p[i] = policy(IPSEC_ACTION_BYPASS, (uint32_t)(i * 5 % 12));
        p[i].sel.version = i % 3 ? 4 : 6;
        prefix(&p[i].sel.local, "10.0.0.1", (unsigned)i % 4 * 8);
        add(&p[i]);
    }
    for (q = NULL; (q = ipsec_spd_next(&fx.ips, q)) != NULL; n++) {
        assert_true(n < COUNT(p));
        seen |= 1u << (q - p);
        assert_true(fx.cfg.spd != NULL || q->priority >= last);
        last = q->priority;
    }
    assert_int_equal(n, COUNT(p));
    assert_int_equal(seen, 0xfff);
}

/* Removing what another context has, or nobody, does nothing. */
static void
test_spd_remove_of_a_strangers_policy(void **state)
{
    static struct fx other;
    struct ipsec_policy ours = policy(IPSEC_ACTION_BYPASS, 0), theirs = ours;
    struct ipsec_policy nobodys = ours;

    (void)state;
    fx_init(&other, 0);
    add(&ours);
    assert_status(ipsec_spd_add(&other.ips, &theirs), IPSEC_OK);
    ipsec_spd_remove(&fx.ips, &theirs);
    ipsec_spd_remove(&fx.ips, &nobodys);
    assert_ptr_equal(ipsec_spd_next(&other.ips, NULL), &theirs);
    assert_ptr_equal(ipsec_spd_next(&fx.ips, NULL), &ours);
    assert_status(ipsec_spd_add(&other.ips, &theirs), IPSEC_ERR_EXISTS);
}

#define BOTH(test) \
    cmocka_unit_test_setup(test, start), \
    { #test " (index)", test, start_index, NULL, NULL }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_spd_empty_finds_nothing),
        BOTH(test_spd_zeroed_selector_is_every_flow),
        BOTH(test_spd_selector_fields),
        BOTH(test_spd_any_opaque_and_ports),
        BOTH(test_spd_exact_port_0_is_not_opaque),
        BOTH(test_spd_icmp_range),
        BOTH(test_spd_mobility_header_type),
        BOTH(test_spd_opaque_protocol),
        BOTH(test_spd_name_matches_no_packet),
        BOTH(test_spd_directions),
        BOTH(test_spd_lowest_priority_then_the_oldest),
        BOTH(test_spd_replace_without_a_gap),
        BOTH(test_spd_generation_tells_of_each_change),
        BOTH(test_spd_walk),
        BOTH(test_spd_remove_of_a_strangers_policy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
