/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

static struct ipsec_prefix out[256];

static size_t
split(const char *lo, const char *hi, size_t max)
{
    struct ipsec_addr a = addr(lo), b = addr(hi);

    memset(out, 0xee, sizeof out);
    return ipsec_prefix_split(out, max, &a, &b);
}

static void
assert_prefix(size_t i, const char *text, unsigned bits)
{
    struct ipsec_addr a = addr(text);

    assert_memory_equal(out[i].byte, a.byte, 16);
    assert_int_equal(out[i].bits, bits);
}

static void
test_prefix_split_known_ranges(void **state)
{
    (void)state;
    assert_int_equal(split("10.0.0.0", "10.0.0.255", 62), 1);
    assert_prefix(0, "10.0.0.0", 24);
    assert_int_equal(split("10.0.0.7", "10.0.0.7", 62), 1);
    assert_prefix(0, "10.0.0.7", 32);
    assert_int_equal(split("0.0.0.0", "255.255.255.255", 62), 1);
    assert_prefix(0, "0.0.0.0", 0);
    assert_int_equal(split("10.0.0.1", "10.0.0.6", 62), 4);
    assert_prefix(0, "10.0.0.1", 32);
    assert_prefix(1, "10.0.0.2", 31);
    assert_prefix(2, "10.0.0.4", 31);
    assert_prefix(3, "10.0.0.6", 32);
    assert_int_equal(split("9.255.255.255", "10.0.0.0", 62), 2);
    assert_prefix(0, "9.255.255.255", 32);
    assert_prefix(1, "10.0.0.0", 32);
    assert_int_equal(split("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                           254), 1);
    assert_prefix(0, "::", 0);
    assert_int_equal(split("2001:db8::1", "2001:db8::1", 254), 1);
    assert_prefix(0, "2001:db8::1", 128);
    assert_int_equal(split("2001:db8::", "2001:db8:0:3::", 254), 3);
    assert_prefix(0, "2001:db8::", 63);
    assert_prefix(1, "2001:db8:0:2::", 64);
    assert_prefix(2, "2001:db8:0:3::", 128);
}

static void
test_prefix_split_worst_cases_take_what_the_header_says(void **state)
{
    (void)state;
    assert_int_equal(split("0.0.0.1", "255.255.255.254", 62), 62);
    assert_int_equal(split("0.0.0.1", "255.255.255.254", 61), 0);
    assert_int_equal(split("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
                           254), 254);
    assert_int_equal(split("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
                           253), 0);
}

static void
test_prefix_split_refusals(void **state)
{
    struct ipsec_addr four = addr("10.0.0.1"), six = addr("::1");
    struct ipsec_addr none = { 0 };

    (void)state;
    assert_int_equal(split("10.0.0.2", "10.0.0.1", 62), 0);
    assert_int_equal(split("::2", "::1", 254), 0);
    assert_int_equal(split("10.0.0.1", "10.0.0.1", 0), 0);
    assert_int_equal(split("10.0.0.1", "10.0.0.2", 1), 0);
    assert_int_equal(ipsec_prefix_split(out, 62, &four, &six), 0);
    assert_int_equal(ipsec_prefix_split(out, 62, &six, &four), 0);
    assert_int_equal(ipsec_prefix_split(out, 62, &none, &none), 0);
    four.version = six.version = 5;
    assert_int_equal(ipsec_prefix_split(out, 62, &four, &six), 0);
}

/* Does a prefix hold the address whose last 16 bits are `n`? */
static int
holds(const struct ipsec_prefix *p, unsigned n)
{
    unsigned first = (unsigned)p->byte[2] << 8 | p->byte[3];

    return p->bits == 32 ? first == n
                         : first >> (32 - p->bits) == n >> (32 - p->bits);
}

/* Random ranges of 16 bits: each address in just one prefix, or in none. */
static void
test_prefix_split_covers_the_range_exactly(void **state)
{
    struct ipsec_addr lo = addr("10.1.0.0"), hi = lo;
    unsigned a, b, n, hits;
    struct fx fx;
    uint16_t r[2];
    size_t i, k;
    int round;

    (void)state;
    fx_config(&fx, 0);
    for (round = 0; round < 40; round++) {
        fx_random(&fx, r, sizeof r);
        a = r[0] < r[1] ? r[0] : r[1];
        b = r[0] < r[1] ? r[1] : r[0];
        lo.byte[2] = (uint8_t)(a >> 8);
        lo.byte[3] = (uint8_t)a;
        hi.byte[2] = (uint8_t)(b >> 8);
        hi.byte[3] = (uint8_t)b;
        k = ipsec_prefix_split(out, 62, &lo, &hi);
        assert_true(k > 0 && k <= 30);
        for (n = 0; n < 65536; n += n + 3 < a || n > b + 3 ? 7 : 1) {
            for (hits = 0, i = 0; i < k; i++) {
                hits += (unsigned)holds(&out[i], n);
            }
            assert_int_equal(hits, n >= a && n <= b);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix_split_known_ranges),
        cmocka_unit_test(
            test_prefix_split_worst_cases_take_what_the_header_says),
        cmocka_unit_test(test_prefix_split_refusals),
        cmocka_unit_test(test_prefix_split_covers_the_range_exactly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
