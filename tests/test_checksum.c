/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"

static void
test_checksum_of_rfc1071_example(void **state)
{
    /* RFC 1071 section 3: the sum is ddf2 */
    static const uint8_t p[] = { 0x00, 0x01, 0xf2, 0x03,
                                 0xf4, 0xf5, 0xf6, 0xf7 };

    (void)state;
    assert_int_equal(ipsec_checksum(p, sizeof p), 0x220d);
}

static void
test_checksum_edges(void **state)
{
    static const struct {
        uint8_t p[4];
        size_t len;
        uint16_t sum;
    } row[] = {
        { { 0 }, 0, 0xffff },
        { { 0x12 }, 1, 0xedff },
        { { 0x12, 0x34 }, 2, 0xedcb },
        { { 0xff, 0xff }, 2, 0x0000 },
        { { 0xff, 0xff, 0x00, 0x01 }, 4, 0xfffe },
        { { 0x12, 0x34, 0x56 }, 3, 0x97cb },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        assert_int_equal(ipsec_checksum(row[i].p, row[i].len), row[i].sum);
    }
}

/* Carries out of carries: sums that need folding twice. */
static void
test_checksum_agrees_with_another_on_random_bytes(void **state)
{
    struct fx fx;
    size_t len;
    uint8_t *p;
    int i;

    (void)state;
    fx_config(&fx, 0);
    for (i = 0; i < 2000; i++) {
        len = (size_t)i % 97;
        p = malloc(len + 1);
        assert_non_null(p);
        fx_random(&fx, p + 1, len);
        if (i % 3 == 0) {
            memset(p + 1, 0xff, len);
        }
        assert_int_equal(ipsec_checksum(p + 1, len), packet_sum(p + 1, len));
        free(p);
    }
}

static void
test_checksum_of_the_longest_packet_does_not_overflow(void **state)
{
    uint8_t *p = malloc(65535);

    (void)state;
    assert_non_null(p);
    memset(p, 0xff, 65535);
    assert_int_equal(ipsec_checksum(p, 65535), packet_sum(p, 65535));
    assert_int_equal(ipsec_checksum(p, 65534), 0);
    free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksum_of_rfc1071_example),
        cmocka_unit_test(test_checksum_edges),
        cmocka_unit_test(test_checksum_agrees_with_another_on_random_bytes),
        cmocka_unit_test(
            test_checksum_of_the_longest_packet_does_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
