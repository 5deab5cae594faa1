/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"

static uint16_t
checksum(const uint8_t *p, size_t len)
{
    return ipsec_sum_fold(ipsec_sum_add(0, p, len));
}

static void
test_checksum_of_rfc1071_example(void **state)
{
    /* RFC 1071 section 3: the sum is ddf2 */
    static const uint8_t p[] = { 0x00, 0x01, 0xf2, 0x03,
                                 0xf4, 0xf5, 0xf6, 0xf7 };

    (void)state;
    assert_int_equal(checksum(p, sizeof p), 0x220d);
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
        assert_int_equal(checksum(row[i].p, row[i].len), row[i].sum);
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
        assert_int_equal(checksum(p + 1, len), packet_sum(p + 1, len));
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
    assert_int_equal(checksum(p, 65535), packet_sum(p, 65535));
    assert_int_equal(checksum(p, 65534), 0);
    free(p);
}

/* In pieces, cut at every even place; carries between them too. */
static void
test_checksum_in_pieces(void **state)
{
    uint8_t p[65];
    size_t i, cut;
    uint32_t sum;

    (void)state;
    for (i = 0; i < sizeof p; i++) {
        p[i] = (uint8_t)(255 - i * i);
    }
    for (cut = 0; cut <= 64; cut += 2) {
        for (i = 64; i <= 65; i++) {
            sum = ipsec_sum_add(0, p, cut);
            sum = ipsec_sum_add(sum, p + cut, i - cut);
            assert_int_equal(ipsec_sum_fold(sum), packet_sum(p, i));
        }
    }
    assert_int_equal(ipsec_sum_fold(0), 0xffff);
    assert_int_equal(ipsec_sum_fold(UINT32_MAX), 0);
    assert_int_equal(ipsec_sum_fold(0x0001ffff), 0xfffe);
}

/* RFC 9293 section 3.1, RFC 8200 section 8.1: with it, what a packet carries
 * comes to 0. */
static void
test_checksum_with_a_pseudo_header(void **state)
{
    static const uint8_t protos[] = { 6, 17, 58 };
    struct packet_spec spec = { .sport = 5000, .dport = 7 };
    size_t i, ip, len;
    uint8_t p[512];
    uint32_t sum;

    (void)state;
    for (i = 0; i < 400; i++) {
        spec.src = i % 2 ? "2001:db8::ffff" : "203.0.113.255";
        spec.dst = i % 2 ? "2001:db8:ffff::2" : "198.51.100.2";
        spec.proto = protos[i % 2 ? i % 3 : i % 4 / 2];
        spec.payload = i;
        len = packet_build(p, &spec);
        ip = i % 2 ? 40 : 20;
        sum = ipsec_sum_pseudo(p, spec.proto, len - ip);
        sum = ipsec_sum_add(sum, p + ip, len - ip);
        assert_int_equal(ipsec_sum_fold(sum), 0);
    }
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
        cmocka_unit_test(test_checksum_in_pieces),
        cmocka_unit_test(test_checksum_with_a_pseudo_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
