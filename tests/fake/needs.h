/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_NEEDS_H
#define TESTS_FAKE_NEEDS_H

#include "ipsec/options.h"

/* Tests are skipped, with the reason, that a build with something left out
 * (include/ipsec/options.h) cannot pass: needs.c lists them. */

int needs_run(const char *group, const struct CMUnitTest *tests, size_t n,
              CMFixtureFunction setup, CMFixtureFunction teardown);

#undef cmocka_run_group_tests
#define cmocka_run_group_tests(tests, setup, teardown) \
    needs_run(#tests, tests, sizeof(tests) / sizeof((tests)[0]), setup, \
              teardown)

#if defined(IPSEC_NO_NATT) && defined(IPSEC_NO_ICMP)
uint32_t ipsec_sum_add(uint32_t sum, const uint8_t *p, size_t len);
uint32_t ipsec_sum_pseudo(const uint8_t *ip, uint8_t proto, size_t len);
#endif

#endif
