/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Databases and the clock. */

static struct fx fx, other;

/* A policy that another context has in its index is not ours to find. */
static void
test_removing_what_another_context_indexed(void **state)
{
    struct ipsec_policy policy[FX_TUPLES];
    struct ipsec_tuple *one = calloc(1, sizeof *one);
    size_t i;
    int index;

    (void)state;
    assert_non_null(one);
    memset(policy, 0, sizeof policy);
    fx_init(&fx, 1);
    for (i = 0; i < FX_TUPLES; i++) {
        policy[i].dir = IPSEC_OUT;
        policy[i].sel.version = 4;
        policy[i].sel.local.bits = (uint8_t)i;
        assert_status(ipsec_spd_add(&fx.ips, &policy[i]), IPSEC_OK);
    }
    for (index = 0; index < 2; index++) {
        fx_config(&other, index);
        other.index.tuple = one;
        other.index.tuple_len = 1;
        assert_status(ipsec_init(&other.ips, &other.cfg), IPSEC_OK);
        for (i = 0; i < FX_TUPLES; i++) {
            ipsec_spd_remove(&other.ips, &policy[i]);
            assert_int_equal(policy[i].linked, 1);
        }
    }
    free(one);
}

/* "Any clock": one that has come half round before it is told first. */
static void
test_the_first_time_told_may_be_any(void **state)
{
    static const uint32_t start[] = { 1, INT32_MAX, UINT32_C(0x80000000),
                                      UINT32_C(3000000000), UINT32_MAX };
    struct fx_sa sa;
    size_t i;
    int tables;

    (void)state;
    for (i = 0; i < COUNT(start); i++) {
        for (tables = 0; tables < 2; tables++) {
            fx_init(&fx, tables);
            ipsec_tick(&fx.ips, start[i]);
            assert_true(ipsec_now(&fx.ips) == start[i]);
            fx_sa_set(&sa, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TUNNEL,
                      0x1001, "192.0.2.1", "198.51.100.2");
            sa.params.life = &sa.life;
            sa.life.hard_s = 100;
            assert_status(fx_sa_add(&fx, &sa), IPSEC_OK);
            ipsec_tick(&fx.ips, start[i] - 1);
            assert_true(ipsec_now(&fx.ips) == start[i]);
            ipsec_tick(&fx.ips, start[i] + 99);
            assert_int_equal(fx.events, 0);
            ipsec_tick(&fx.ips, start[i] + 200);
            assert_int_equal(fx_events(&fx, &sa.sa, IPSEC_EVENT_HARD), 1);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_time_told_may_be_any),
        cmocka_unit_test(test_removing_what_another_context_indexed)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
