/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"

/*
 * Inbound SAs of groups (RFC 4301 section 4.1, RFC 4303 section 2.1).
 * Conformance A-4.1-1 to -4, I-2.
 */

#define US    "198.51.100.2"
#define GROUP "239.1.2.3"
#define OTHER_GROUP "239.1.2.4"
#define ALICE "192.0.2.1"
#define BOB   "192.0.2.9"
#define ALL   IPSEC_SA_MULTICAST                              /* senders */
#define ONE   (IPSEC_SA_MULTICAST | IPSEC_SA_MATCH_REMOTE)    /* sender */
#define SPI   0x1000

static struct fx rx, tx;
static struct ipsec_policy in_policy;
static uint16_t udp_port; /* of what arrives; 0: not in UDP */

/* A receiver that wants everything over an SA of reqid 1. */
static void
begin(int tables)
{
    fx_init(&rx, tables);
    memset(&in_policy, 0, sizeof in_policy);
    in_policy.action = IPSEC_ACTION_PROTECT;
    in_policy.dir = IPSEC_IN;
    in_policy.reqid = 1;
    assert_status(ipsec_spd_add(&rx.ips, &in_policy), IPSEC_OK);
}

/* An SA whose key is `key`'s, whatever its SPI. */
static void
set(struct fx_sa *s, int dir, int mode, uint8_t key, const char *local,
    const char *remote, unsigned flags)
{
    fx_sa_set(s, &suites[CBC128], dir, mode, SPI, local, remote);
    s->material[0] = key;
    s->params.flags |= (uint16_t)flags;
    if (flags == ALL) {
        s->params.flags |= IPSEC_SA_NO_REPLAY;
    }
}

static int
receive(struct fx_sa *s, uint8_t key, const char *local, const char *remote,
        unsigned flags)
{
    set(s, IPSEC_IN, IPSEC_MODE_TUNNEL, key, local, remote, flags);
    return fx_sa_add(&rx, s);
}

/* `from` sends to `to`, with number `seq`, and it arrives: over which SA? */
static int
arrive(struct ipsec_sa **over, int mode, int proto, uint8_t key,
       const char *from, const char *to, uint64_t seq)
{
    struct packet_spec spec = { .src = from, .dst = to, .proto = 17,
                                .payload = 9 };
    static struct ipsec_policy policy;
    static struct fx_sa s;
    struct fx_pkt p, q;
    int rc;

    fx_init(&tx, 0);
    memset(&policy, 0, sizeof policy);
    policy.action = IPSEC_ACTION_PROTECT;
    policy.dir = IPSEC_OUT;
    policy.reqid = 1;
    assert_status(ipsec_spd_add(&tx.ips, &policy), IPSEC_OK);
    set(&s, IPSEC_OUT, mode, key, from, to, 0);
    s.params.seq = seq - 1;
    s.params.local_port = s.params.remote_port = udp_port;
    if (proto == IPSEC_PROTO_AH) {
        s.params.proto = IPSEC_PROTO_AH;
        s.params.km.encr = IPSEC_ENCR_NULL;
        s.params.km.encr_key_len = 0;
        s.params.km.encr_key = NULL;
    }
    assert_status(fx_sa_add(&tx, &s), IPSEC_OK);
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&tx.ips, &p.pkt), IPSEC_OK);
    fx_pkt_new(&q, p.pkt.buf.data, p.pkt.buf.len, 0, 0);
    rc = ipsec_inbound(&rx.ips, &q.pkt);
    *over = q.pkt.layers > 0 ? q.pkt.sa[0] : NULL;
    fx_pkt_free(&p);
    fx_pkt_free(&q);
    return rc;
}

#define ARRIVE(over, key, from, to, seq) \
    arrive(over, IPSEC_MODE_TUNNEL, 50, key, from, to, seq)

/* A-4.1-2, -3: all of one SPI, each with a key of its own, in every order of
 * installation; the longest identifier takes the packet. */
static void
test_group_longest_match(void **state)
{
    static const int order[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                     { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    static struct fx_sa s[3];
    struct ipsec_sa *over;
    size_t i, j;

    (void)state;
    for (i = 0; i < 12; i++) {
        begin((int)i % 2);
        for (j = 0; j < 3; j++) {
            switch (order[i / 2][j]) {
            case 0:
                assert_status(receive(&s[0], 10, US, ALICE, 0), IPSEC_OK);
                break;
            case 1:
                assert_status(receive(&s[1], 11, GROUP, ALICE, ALL),
                              IPSEC_OK);
                break;
            default:
                assert_status(receive(&s[2], 12, GROUP, ALICE, ONE),
                              IPSEC_OK);
            }
        }
        fx_note("order %zu", i);
        assert_status(ARRIVE(&over, 12, ALICE, GROUP, 1), IPSEC_OK);
        assert_ptr_equal(over, &s[2].sa);
        assert_status(ARRIVE(&over, 11, BOB, GROUP, 1), IPSEC_OK);
        assert_ptr_equal(over, &s[1].sa);
        assert_status(ARRIVE(&over, 10, ALICE, US, 1), IPSEC_OK);
        assert_ptr_equal(over, &s[0].sa);
        assert_status(ARRIVE(&over, 11, BOB, OTHER_GROUP, 1),
                      IPSEC_ERR_NO_SA);
        /* shorter ones step in where the longer are gone; none is left over
         * for the group in the end, the unicast SA is not its */
        assert_status(ipsec_sad_remove(&rx.ips, &s[2].sa), IPSEC_OK);
        assert_status(ARRIVE(&over, 11, ALICE, GROUP, 1), IPSEC_OK);
        assert_status(ipsec_sad_remove(&rx.ips, &s[1].sa), IPSEC_OK);
        assert_status(ARRIVE(&over, 10, ALICE, GROUP, 2), IPSEC_ERR_NO_SA);
        assert_int_equal(rx.ips.stats.in_drop[-IPSEC_ERR_NO_SA], 2);
        assert_int_equal(rx.st.misuse, 0);
    }
}

/* A-4.1-1, P-2.1-1: unicast SAs by SPI and protocol, groups' likewise. */
static void
test_group_and_unicast_by_protocol(void **state)
{
    static const char *const to[] = { US, GROUP };
    static struct fx_sa esp, ah;
    struct ipsec_sa *over;
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        begin(0);
        assert_status(receive(&esp, 10, to[i], ALICE, i ? ONE : 0), IPSEC_OK);
        set(&ah, IPSEC_IN, IPSEC_MODE_TUNNEL, 11, to[i], ALICE, i ? ONE : 0);
        ah.params.proto = IPSEC_PROTO_AH;
        ah.params.km.encr = IPSEC_ENCR_NULL;
        ah.params.km.encr_key_len = 0;
        ah.params.km.encr_key = NULL;
        assert_status(fx_sa_add(&rx, &ah), IPSEC_OK);
        assert_status(ARRIVE(&over, 10, ALICE, to[i], 1), IPSEC_OK);
        assert_ptr_equal(over, &esp.sa);
        assert_status(arrive(&over, IPSEC_MODE_TUNNEL, 51, 11, ALICE, to[i],
                             1), IPSEC_OK);
        assert_ptr_equal(over, &ah.sa);
    }
}

/* Over IPv6 as well; and a group's first byte in the other family's form is
 * no group's. */
static void
test_group_of_each_family(void **state)
{
    static struct fx_sa s[3];
    struct ipsec_sa *over;

    (void)state;
    begin(1);
    assert_status(receive(&s[0], 10, "ff05::1:3", "2001:db8::1", ONE),
                  IPSEC_OK);
    assert_status(receive(&s[1], 11, "ff05::1:3", "::", ALL), IPSEC_OK);
    assert_status(ARRIVE(&over, 10, "2001:db8::1", "ff05::1:3", 1), IPSEC_OK);
    assert_ptr_equal(over, &s[0].sa);
    assert_status(ARRIVE(&over, 11, "2001:db8::2", "ff05::1:3", 1), IPSEC_OK);
    assert_ptr_equal(over, &s[1].sa);
    assert_status(receive(&s[2], 9, "e001::1", "2001:db8::1", ALL),
                  IPSEC_ERR_ADDR);
    assert_status(receive(&s[2], 9, "fe80::1", "2001:db8::1", ALL),
                  IPSEC_ERR_ADDR);
    assert_status(receive(&s[2], 9, "255.255.255.255", ALICE, ALL),
                  IPSEC_ERR_ADDR);
    assert_status(receive(&s[2], 9, "223.255.255.255", ALICE, ALL),
                  IPSEC_ERR_ADDR);
    assert_status(receive(&s[2], 9, "240.0.0.0", ALICE, ALL),
                  IPSEC_ERR_ADDR);
    assert_status(receive(&s[2], 9, "224.0.0.0", ALICE, ALL), IPSEC_OK);
}

/* Which two identifiers are one. */
static void
test_group_identifiers_are_unique(void **state)
{
    static const struct {
        const char *local, *remote;
        unsigned flags;
        const char *local2, *remote2;
        unsigned flags2;
        int want;
    } row[] = {
        { US, ALICE, 0, US, BOB, 0, IPSEC_ERR_EXISTS },
        { US, ALICE, 0, "198.51.100.3", ALICE, 0, IPSEC_ERR_EXISTS },
        { US, ALICE, 0, GROUP, ALICE, ALL, IPSEC_OK },
        { US, ALICE, 0, GROUP, ALICE, ONE, IPSEC_OK },
        { GROUP, ALICE, ALL, GROUP, ALICE, ONE, IPSEC_OK },
        { GROUP, ALICE, ALL, GROUP, ALICE, ALL, IPSEC_ERR_EXISTS },
        { GROUP, ALICE, ALL, GROUP, BOB, ALL, IPSEC_ERR_EXISTS },
        { GROUP, ALICE, ALL, OTHER_GROUP, ALICE, ALL, IPSEC_OK },
        { GROUP, ALICE, ONE, GROUP, BOB, ONE, IPSEC_OK },
        { GROUP, ALICE, ONE, GROUP, ALICE, ONE, IPSEC_ERR_EXISTS },
        { GROUP, ALICE, ONE, OTHER_GROUP, ALICE, ONE, IPSEC_OK },
    };
    static struct fx_sa a, b;
    size_t i;

    (void)state;
    for (i = 0; i < 4 * COUNT(row); i++) {
        fx_note("row %zu", i / 4);
        begin((int)i & 1);
        if (i & 2) { /* the other way round */
            assert_status(receive(&b, 1, row[i / 4].local2, row[i / 4].remote2,
                                  row[i / 4].flags2), IPSEC_OK);
            assert_status(receive(&a, 2, row[i / 4].local, row[i / 4].remote,
                                  row[i / 4].flags), row[i / 4].want);
        } else {
            assert_status(receive(&a, 1, row[i / 4].local, row[i / 4].remote,
                                  row[i / 4].flags), IPSEC_OK);
            assert_status(receive(&b, 2, row[i / 4].local2, row[i / 4].remote2,
                                  row[i / 4].flags2), row[i / 4].want);
        }
    }
}

/* What ipsec_sad_add() refuses of groups: RFC 4303 section 2.2 (no window for
 * several senders), RFC 8750 (I-2). */
static void
test_group_faults(void **state)
{
    static const struct {
        int dir;
        const char *local;
        unsigned flags;
        int suite, want;
    } row[] = {
        { IPSEC_IN, GROUP, ALL | IPSEC_SA_NO_REPLAY, CBC128, IPSEC_OK },
        { IPSEC_IN, GROUP, ONE, CBC128, IPSEC_OK },
        { IPSEC_IN, GROUP, ONE | IPSEC_SA_NO_REPLAY, GCM128, IPSEC_OK },
        { IPSEC_IN, GROUP, ALL, CBC128, IPSEC_ERR_WINDOW },
        { IPSEC_IN, US, ALL | IPSEC_SA_NO_REPLAY, CBC128, IPSEC_ERR_ADDR },
        { IPSEC_IN, US, ONE, CBC128, IPSEC_ERR_ADDR },
        { IPSEC_IN, GROUP, IPSEC_SA_MATCH_REMOTE, CBC128, IPSEC_ERR_ARG },
        { IPSEC_IN, US, IPSEC_SA_MATCH_REMOTE, CBC128, IPSEC_ERR_ARG },
        { IPSEC_OUT, GROUP, ALL | IPSEC_SA_NO_REPLAY, CBC128, IPSEC_ERR_ARG },
        { IPSEC_OUT, GROUP, ONE, CBC128, IPSEC_ERR_ARG },
        { IPSEC_OUT, US, IPSEC_SA_MATCH_REMOTE, CBC128, IPSEC_ERR_ARG },
        { IPSEC_IN, GROUP, ONE, GCM_IIV128, IPSEC_ERR_UNSUPPORTED },
        { IPSEC_IN, GROUP, ALL | IPSEC_SA_NO_REPLAY, CHACHA_IIV,
          IPSEC_ERR_UNSUPPORTED },
    };
    static struct fx_sa s;
    struct ipsec_sa zero;
    size_t i;

    (void)state;
    memset(&zero, 0, sizeof zero);
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        fx_init(&rx, 0);
        fx_sa_set(&s, &suites[row[i].suite], row[i].dir, IPSEC_MODE_TUNNEL,
                  SPI, row[i].local, ALICE);
        s.params.flags |= (uint16_t)row[i].flags;
        assert_status(fx_sa_add(&rx, &s), row[i].want);
        if (row[i].want != IPSEC_OK) {
            assert_memory_equal(&s.sa, &zero, sizeof zero);
        } else {
            assert_int_equal(s.sa.flags & row[i].flags, row[i].flags);
        }
    }
    fx_sa_set(&s, &suites[CBC128], IPSEC_IN, IPSEC_MODE_TUNNEL, SPI, GROUP,
              ALICE);
    s.params.flags |= ONE;
    s.params.local_port = s.params.remote_port = 4500;
    assert_status(fx_sa_add(&rx, &s), IPSEC_ERR_UNSUPPORTED);
}

/* By address, or not at all: the SPI alone is not a group's to give. A-4.1-4 */
static void
test_group_lookup(void **state)
{
    struct ipsec_addr us = addr(US), group = addr(GROUP);
    struct ipsec_addr other = addr(OTHER_GROUP);
    static struct fx_sa uni, all, one, two;
    struct ipsec *ips = &rx.ips;

    (void)state;
    begin(1);
    assert_status(receive(&all, 2, GROUP, ALICE, ALL), IPSEC_OK);
    assert_null(ipsec_sad_lookup(ips, IPSEC_IN, SPI, 50, NULL));
    assert_status(receive(&uni, 1, US, ALICE, 0), IPSEC_OK);
    assert_ptr_equal(ipsec_sad_lookup(ips, IPSEC_IN, SPI, 50, NULL),
                     &uni.sa);
    assert_ptr_equal(ipsec_sad_lookup(ips, IPSEC_IN, SPI, 50, &us), &uni.sa);
    assert_ptr_equal(ipsec_sad_lookup(ips, IPSEC_IN, SPI, 50, &group),
                     &all.sa);
    assert_null(ipsec_sad_lookup(ips, IPSEC_IN, SPI, 50, &other));
    assert_null(ipsec_sad_lookup(ips, IPSEC_IN, SPI, 51, &group));
    assert_null(ipsec_sad_lookup(ips, IPSEC_IN, SPI + 1, 50, &group));
    assert_null(ipsec_sad_lookup(ips, IPSEC_OUT, SPI, 50, &group));
    assert_status(receive(&one, 3, GROUP, ALICE, ONE), IPSEC_OK);
    assert_status(receive(&two, 4, GROUP, BOB, ONE), IPSEC_OK);
    assert_ptr_equal(ipsec_sad_lookup(ips, IPSEC_IN, SPI, 50, &group),
                     &two.sa); /* the newest */
    assert_ptr_equal(ipsec_sad_lookup(ips, IPSEC_IN, SPI, 50, NULL),
                     &uni.sa);
}

/* An SA that doesn't say that its address is a group's is found by SPI, last
 * of all (step 3); one that goes out, never. */
static void
test_group_address_of_a_plain_sa(void **state)
{
    struct ipsec_addr group = addr(GROUP);
    static struct fx_sa all, plain, out;
    struct ipsec_sa *over;
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        begin(i);
        assert_status(receive(&all, 1, GROUP, ALICE, ALL), IPSEC_OK);
        assert_status(receive(&plain, 2, GROUP, ALICE, 0), IPSEC_OK);
        set(&out, IPSEC_OUT, IPSEC_MODE_TUNNEL, 3, GROUP, ALICE, 0);
        assert_status(fx_sa_add(&rx, &out), IPSEC_OK);
        assert_status(ARRIVE(&over, 1, ALICE, GROUP, 1), IPSEC_OK);
        assert_ptr_equal(over, &all.sa);
        assert_status(ipsec_sad_remove(&rx.ips, &all.sa), IPSEC_OK);
        assert_status(ARRIVE(&over, 2, BOB, GROUP, 1), IPSEC_OK);
        assert_ptr_equal(over, &plain.sa);
        assert_status(ipsec_sad_remove(&rx.ips, &plain.sa), IPSEC_OK);
        assert_null(ipsec_sad_lookup(&rx.ips, IPSEC_IN, SPI, 50, &group));
        assert_status(ARRIVE(&over, 3, ALICE, GROUP, 1), IPSEC_ERR_NO_SA);
    }
}

/* An SPI that only a group has is free for our own SAs. */
static void
test_group_spi_is_not_taken(void **state)
{
    struct ipsec_sa larval;
    static struct fx_sa s;
    uint32_t spi;
    uint64_t random;

    (void)state;
    begin(0);
    memset(&larval, 0, sizeof larval);
    random = rx.random;
    assert_status(ipsec_sad_reserve(&rx.ips, &larval, IPSEC_IN, 50, 1, 30),
                  IPSEC_OK);
    spi = larval.spi;
    assert_status(ipsec_sad_remove(&rx.ips, &larval), IPSEC_OK);
    set(&s, IPSEC_IN, IPSEC_MODE_TUNNEL, 1, GROUP, ALICE, ONE);
    s.params.spi = spi;
    assert_status(fx_sa_add(&rx, &s), IPSEC_OK);
    rx.random = random;
    assert_status(ipsec_sad_reserve(&rx.ips, &larval, IPSEC_IN, 50, 1, 30),
                  IPSEC_OK);
    assert_int_equal(larval.spi, spi);
}

static void
test_group_update(void **state)
{
    struct ipsec_addr us = addr(US), group = addr(GROUP);
    struct ipsec_addr other = addr(OTHER_GROUP);
    struct ipsec_addr alice = addr(ALICE), bob = addr(BOB);
    static struct fx_sa one, two;

    (void)state;
    begin(1);
    assert_status(receive(&one, 1, GROUP, ALICE, ONE), IPSEC_OK);
    assert_status(receive(&two, 2, GROUP, BOB, ONE), IPSEC_OK);
    assert_status(fx_move(&rx.ips, &two.sa, &us, &bob), IPSEC_ERR_ADDR);
    assert_status(ipsec_sad_update(&rx.ips, &two.sa, 0, &group, 4500, &bob,
                                   4500), IPSEC_ERR_UNSUPPORTED);
    assert_status(fx_move(&rx.ips, &two.sa, &group, &alice),
                  IPSEC_ERR_EXISTS);
    assert_status(fx_move(&rx.ips, &two.sa, &other, &alice), IPSEC_OK);
    assert_ptr_equal(ipsec_sad_lookup(&rx.ips, IPSEC_IN, SPI, 50, &other),
                     &two.sa);
}

/* Several senders, each with numbers of its own, on one SA without a window;
 * one sender each on SAs with one: a copy is dropped there, and there only. */
static void
test_group_senders_and_numbers(void **state)
{
    static struct fx_sa all, one, two;
    struct ipsec_sa *over;

    (void)state;
    begin(0);
    assert_status(receive(&all, 7, GROUP, ALICE, ALL), IPSEC_OK);
    assert_status(ARRIVE(&over, 7, ALICE, GROUP, 500), IPSEC_OK);
    assert_status(ARRIVE(&over, 7, BOB, GROUP, 1), IPSEC_OK);
    assert_status(ARRIVE(&over, 7, ALICE, GROUP, 500), IPSEC_OK);
    begin(0);
    assert_status(receive(&one, 7, GROUP, ALICE, ONE), IPSEC_OK);
    assert_status(receive(&two, 7, GROUP, BOB, ONE), IPSEC_OK);
    assert_status(ARRIVE(&over, 7, ALICE, GROUP, 500), IPSEC_OK);
    assert_status(ARRIVE(&over, 7, BOB, GROUP, 1), IPSEC_OK);
    assert_ptr_equal(over, &two.sa);
    assert_status(ARRIVE(&over, 7, ALICE, GROUP, 500), IPSEC_ERR_REPLAY);
    assert_status(ARRIVE(&over, 7, BOB, GROUP, 1), IPSEC_ERR_REPLAY);
    assert_int_equal(one.sa.drop_replay, 1);
    assert_int_equal(two.sa.drop_replay, 1);
}

/* Transport mode: the sender's address is the packet's, and a matter of
 * MATCH_REMOTE alone. */
static void
test_group_transport_mode(void **state)
{
    static struct fx_sa s;
    struct ipsec_sa *over;
    int mode = IPSEC_MODE_TRANSPORT;

    (void)state;
    begin(0);
    set(&s, IPSEC_IN, mode, 7, GROUP, ALICE, ALL);
    assert_status(fx_sa_add(&rx, &s), IPSEC_OK);
    assert_status(arrive(&over, mode, 50, 7, ALICE, GROUP, 1), IPSEC_OK);
    assert_status(arrive(&over, mode, 50, 7, BOB, GROUP, 1), IPSEC_OK);
    assert_ptr_equal(over, &s.sa);
    begin(0);
    set(&s, IPSEC_IN, mode, 7, GROUP, ALICE, ONE);
    assert_status(fx_sa_add(&rx, &s), IPSEC_OK);
    assert_status(arrive(&over, mode, 50, 7, ALICE, GROUP, 1), IPSEC_OK);
    assert_status(arrive(&over, mode, 50, 7, BOB, GROUP, 2), IPSEC_ERR_NO_SA);
    begin(0); /* a unicast SA still binds its peer: attacks.md 115 */
    set(&s, IPSEC_IN, mode, 7, US, ALICE, 0);
    assert_status(fx_sa_add(&rx, &s), IPSEC_OK);
    assert_status(arrive(&over, mode, 50, 7, BOB, US, 1), IPSEC_ERR_SELECTOR);
}

/* In UDP as without (RFC 7296 section 2.23): from anybody, if that is what the
 * SA says, and from one sender otherwise; nobody's mapping is told of. */
static void
no_mapping(void *user, struct ipsec_sa *sa, const struct ipsec_addr *remote,
           uint16_t port)
{
    (void)user;
    (void)sa;
    (void)remote;
    (void)port;
    fail();
}

static void
test_group_in_udp(void **state)
{
    static const int modes[] = { IPSEC_MODE_TRANSPORT, IPSEC_MODE_TUNNEL,
                                 IPSEC_MODE_ANY };
    static struct fx_sa s;
    struct ipsec_sa *over;
    int i, all, mode;

    (void)state;
    for (i = 0; i < 6; i++) {
        all = i & 1;
        mode = modes[i / 2] == IPSEC_MODE_TUNNEL ? 2 : 1;
        fx_note("mode %d, %s", modes[i / 2], all ? "all" : "one");
        begin(0);
        rx.cfg.flags = IPSEC_WILD_CARD;
        rx.cfg.natt_port = 4500;
        rx.cfg.mapping = no_mapping;
        set(&s, IPSEC_IN, modes[i / 2], 7, GROUP, ALICE, all ? ALL : ONE);
        assert_status(fx_sa_add(&rx, &s), IPSEC_OK);
        udp_port = 4500;
        assert_status(arrive(&over, mode, 50, 7, ALICE, GROUP, 1), IPSEC_OK);
        assert_status(arrive(&over, mode, 50, 7, BOB, GROUP, 2),
                      all ? IPSEC_OK : IPSEC_ERR_NO_SA);
        udp_port = 0;
    }
}

/* Groups' packets answer to policy as others do: attacks.md 112, 113. */
static void
test_group_packets_answer_to_policy(void **state)
{
    static struct fx_sa s;
    struct ipsec_addr bob = addr(BOB);
    struct ipsec_sa *over;

    (void)state;
    begin(0);
    ipsec_spd_remove(&rx.ips, &in_policy);
    in_policy.sel.version = 4;
    memcpy(in_policy.sel.remote.byte, bob.byte, 4);
    in_policy.sel.remote.bits = 32;
    assert_status(ipsec_spd_add(&rx.ips, &in_policy), IPSEC_OK);
    assert_status(receive(&s, 7, GROUP, ALICE, ALL), IPSEC_OK);
    assert_status(ARRIVE(&over, 7, BOB, GROUP, 1), IPSEC_OK);
    assert_status(ARRIVE(&over, 7, ALICE, GROUP, 2), IPSEC_ERR_SELECTOR);
}

/* Random SADs: list, table and the RFC's three steps agree. */

#define SAS 24

static struct fx list, table;
static struct fx_sa in_list[SAS], in_table[SAS];
static int is_in[SAS];
static uint32_t age[SAS];

static uint32_t
dice(uint32_t n)
{
    uint32_t r;

    fx_random(&list, &r, sizeof r);
    return r % n;
}

static int
same(const struct ipsec_addr *a, const struct ipsec_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* RFC 4301 section 4.1, steps 1 to 3; `src` NULL: anybody. */
static size_t
model_find(uint32_t spi, const struct ipsec_addr *dst,
           const struct ipsec_addr *src)
{
    static const unsigned steps[] = { ONE, ALL, 0 };
    const struct ipsec_sa_params *q;
    size_t step, i, best;

    for (step = 0; step < 3; step++) {
        for (best = SAS, i = 0; i < SAS; i++) {
            q = &in_list[i].params;
            if (is_in[i] && q->spi == spi && (q->flags & ONE) == steps[step] &&
                same(&q->local, dst) &&
                (step != 0 || src == NULL || same(&q->remote, src)) &&
                (best == SAS || age[i] > age[best])) {
                best = i;
            }
        }
        if (best != SAS) {
            return best;
        }
    }
    return SAS;
}

static void
change(size_t i)
{
    static const char *const locals[] = { US, GROUP, OTHER_GROUP };
    static const char *const remotes[] = { ALICE, BOB };
    static const unsigned kinds[] = { ALL, ONE };
    static uint32_t clock;
    uint32_t local = dice(3), spi = SPI + dice(3);
    const char *remote = remotes[dice(2)];
    unsigned flags = local == 0 ? 0 : kinds[dice(2)];
    int rc;

    if (is_in[i]) {
        assert_status(ipsec_sad_remove(&list.ips, &in_list[i].sa), IPSEC_OK);
        assert_status(ipsec_sad_remove(&table.ips, &in_table[i].sa),
                      IPSEC_OK);
        is_in[i] = 0;
        return;
    }
    set(&in_list[i], IPSEC_IN, IPSEC_MODE_TUNNEL, 1, locals[local], remote,
        flags);
    set(&in_table[i], IPSEC_IN, IPSEC_MODE_TUNNEL, 1, locals[local], remote,
        flags);
    in_list[i].params.spi = in_table[i].params.spi = spi;
    rc = fx_sa_add(&list, &in_list[i]);
    assert_status(fx_sa_add(&table, &in_table[i]), rc);
    is_in[i] = rc == IPSEC_OK;
    age[i] = ++clock;
}

static void
test_group_list_table_and_model_agree(void **state)
{
    static const char *const dsts[] = { US, GROUP, OTHER_GROUP, "239.0.0.1" };
    static const char *const srcs[] = { ALICE, BOB, "192.0.2.77" };
    struct ipsec_addr dst, src;
    struct ipsec_sa *a, *b;
    uint32_t spi, who;
    size_t i;
    int step;

    (void)state;
    fx_init(&list, 0);
    fx_init(&table, 1);
    for (step = 0; step < 4000; step++) {
        change(dice(SAS));
        spi = SPI + dice(3);
        dst = addr(dsts[dice(4)]);
        who = dice(3);
        src = addr(srcs[who]);
        i = model_find(spi, &dst, NULL);
        a = ipsec_sad_lookup(&list.ips, IPSEC_IN, spi, 50, &dst);
        b = ipsec_sad_lookup(&table.ips, IPSEC_IN, spi, 50, &dst);
        assert_ptr_equal(a, i < SAS ? &in_list[i].sa : NULL);
        assert_ptr_equal(b, i < SAS ? &in_table[i].sa : NULL);
        if (ipsec_addr_is_group(&dst)) {
            i = model_find(spi, &dst, &src);
            a = ipsec_group_find(&list.ips, spi, 50, &dst, &src);
            b = ipsec_group_find(&table.ips, spi, 50, &dst, &src);
            assert_ptr_equal(a, i < SAS ? &in_list[i].sa : NULL);
            assert_ptr_equal(b, i < SAS ? &in_table[i].sa : NULL);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group_longest_match),
        cmocka_unit_test(test_group_and_unicast_by_protocol),
        cmocka_unit_test(test_group_of_each_family),
        cmocka_unit_test(test_group_identifiers_are_unique),
        cmocka_unit_test(test_group_faults),
        cmocka_unit_test(test_group_lookup),
        cmocka_unit_test(test_group_address_of_a_plain_sa),
        cmocka_unit_test(test_group_spi_is_not_taken),
        cmocka_unit_test(test_group_update),
        cmocka_unit_test(test_group_senders_and_numbers),
        cmocka_unit_test(test_group_transport_mode),
        cmocka_unit_test(test_group_in_udp),
        cmocka_unit_test(test_group_packets_answer_to_policy),
        cmocka_unit_test(test_group_list_table_and_model_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
