/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Why an SA is due, told with the event (RFC 4301 section 4.4.2.1). */

static struct pair pair;

#define A (&pair.a.ips)
#define SA (&pair.out.sa)

static int last, reason_then;

static void
note(struct fx *fx, struct ipsec_sa *sa, int event)
{
    (void)fx;
    last = event;
    reason_then = sa->reason;
}

static void
begin(const struct ipsec_lifetime *life)
{
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.out.life = *life;
    pair.out.params.life = &pair.out.life;
    pair_begin(&pair);
    pair.a.on_event = note;
    last = 0;
    reason_then = -1;
}

static void
send(void)
{
    struct packet_spec spec = pair_spec(&pair, 4, 17, 70); /* 100 bytes */
    struct fx_pkt p;

    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    (void)ipsec_outbound(A, &p.pkt);
    fx_pkt_free(&p);
}

static const struct row {
    const char           *name;
    struct ipsec_lifetime life;
    uint32_t              time;
    int                   packets, event, reason;
} rows[] = {
    { "nothing", { .soft_s = 9, .hard_bytes = 201 }, 8, 2, 0, -1 },
    { "soft time", { .soft_s = 9, .hard_s = 10 }, 9, 0, 1,
      IPSEC_REASON_TIME },
    { "hard time", { .soft_s = 9, .hard_s = 10 }, 10, 0, 2,
      IPSEC_REASON_TIME },
    { "soft bytes", { .soft_bytes = 200 }, 0, 2, 1, IPSEC_REASON_BYTES },
    { "hard bytes", { .hard_bytes = 200 }, 0, 2, 2, IPSEC_REASON_BYTES },
    { "bytes before time", { .soft_bytes = 200, .soft_s = 9 }, 8, 2, 1,
      IPSEC_REASON_BYTES },
    { "soft number", { .soft_seq = 2 }, 0, 2, 1, IPSEC_REASON_SEQ },
    { "hard number", { .hard_seq = 2 }, 0, 2, 2, IPSEC_REASON_SEQ },
    { "number before time", { .soft_seq = 2, .soft_s = 9, .hard_s = 99 }, 8,
      2, 1, IPSEC_REASON_SEQ },
    { "hard number, soft bytes", { .hard_seq = 2, .soft_bytes = 150 }, 0, 2, 2,
      IPSEC_REASON_SEQ },
    { "hard bytes, soft time", { .hard_bytes = 100, .soft_s = 9 }, 9, 1, 2,
      IPSEC_REASON_BYTES },
};

static void
test_lifetime_reason_of_each_limit(void **state)
{
    size_t i;
    int n;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        begin(&rows[i].life);
        for (n = 0; n < rows[i].packets; n++) {
            send();
        }
        ipsec_tick(A, rows[i].time);
        if (last != rows[i].event || reason_then != rows[i].reason) {
            fail_msg("%s: event %d, reason %d", rows[i].name, last,
                     reason_then);
        }
    }
}

/* SOFT comes again for a reservation that was raised, whatever else is due. */
static void
test_lifetime_reason_of_a_later_reservation(void **state)
{
    static const struct ipsec_lifetime life = { .soft_seq = 2, .soft_s = 9 };

    (void)state;
    begin(&life);
    send();
    send();
    assert_int_equal(reason_then, IPSEC_REASON_SEQ);
    pair.out.life.soft_seq = 4;
    ipsec_tick(A, 9);
    send();
    reason_then = -1;
    send();
    assert_int_equal(last, IPSEC_EVENT_SOFT);
    assert_int_equal(reason_then, IPSEC_REASON_SEQ);
}

static void
test_lifetime_reason_of_larval(void **state)
{
    struct ipsec_sa sa = { 0 };

    (void)state;
    fx_init(&pair.a, 0);
    pair.a.on_event = note;
    assert_status(ipsec_sad_reserve(A, &sa, IPSEC_IN, IPSEC_PROTO_ESP, 1, 5),
                  IPSEC_OK);
    ipsec_tick(A, 5);
    assert_int_equal(last, IPSEC_EVENT_HARD);
    assert_int_equal(reason_then, IPSEC_REASON_TIME);
}

/* The end of all numbers, with no lifetime given. */
static void
test_lifetime_reason_of_the_last_number(void **state)
{
    (void)state;
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.out.params.seq = 0xfffffffe;
    pair_begin(&pair);
    pair.a.on_event = note;
    send();
    assert_int_equal(last, IPSEC_EVENT_HARD);
    assert_int_equal(reason_then, IPSEC_REASON_SEQ);
}

/* Otherwise it is the caller's. */
static void
test_lifetime_reason_is_kept(void **state)
{
    static const struct ipsec_lifetime life = { .hard_s = 99 };

    (void)state;
    begin(&life);
    assert_int_equal(SA->reason, IPSEC_REASON_NONE);
    SA->reason = IPSEC_REASON_ADMIN;
    send();
    ipsec_tick(A, 98);
    assert_int_equal(SA->reason, IPSEC_REASON_ADMIN);
    assert_status(ipsec_sad_remove(A, SA), IPSEC_OK);
    assert_int_equal(SA->reason, IPSEC_REASON_ADMIN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lifetime_reason_of_each_limit),
        cmocka_unit_test(test_lifetime_reason_of_a_later_reservation),
        cmocka_unit_test(test_lifetime_reason_of_larval),
        cmocka_unit_test(test_lifetime_reason_of_the_last_number),
        cmocka_unit_test(test_lifetime_reason_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
