/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"

/* What a layer adds, and the largest packet that it leaves small enough: the
 * one is the inverse of the other, to the byte, for each suite and mode. */

static struct ipsec_sa sa;

static void
sa_make(const struct suite *suite, int proto, int mode, int version)
{
    memset(&sa, 0, sizeof sa);
    sa.proto = (uint8_t)proto;
    sa.mode = (uint8_t)mode;
    sa.local.version = sa.remote.version = (uint8_t)version;
    sa.iv_len = (uint8_t)suite->iv;
    sa.align = (uint8_t)suite->align;
    sa.icv_len = (uint8_t)suite->icv;
}

static size_t
grown(size_t ins, size_t len)
{
    return len + ipsec_layer_head(&sa) + ipsec_layer_tail(&sa, ins, len);
}

static void
check_sa(void)
{
    size_t ins, mtu, most;

    for (ins = sa.local.version == 4 ? 20 : 40; ins <= 104; ins += 28) {
        for (mtu = 0; mtu < 700; mtu++) {
            most = ipsec_layer_mtu(&sa, ins, mtu);
            if (most >= ins) {
                assert_true(grown(ins, most) <= mtu);
            }
            if (most >= ins || mtu >= 400) {
                assert_true(grown(ins, most + 1) > mtu);
            }
        }
    }
}

static void
test_layer_mtu_is_the_inverse_of_what_it_adds(void **state)
{
    static const int protos[] = { IPSEC_PROTO_ESP, IPSEC_PROTO_AH };
    size_t s, p, m, v;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (p = 0; p < COUNT(protos); p++) {
            for (m = 0; m < 4; m++) {
                v = m / 2 ? 6 : 4;
                fx_note("%s proto %d mode %zu IPv%zu", suites[s].name,
                        protos[p], 1 + m % 2, v);
                sa_make(&suites[s], protos[p], 1 + (int)(m % 2), (int)v);
                check_sa();
            }
        }
    }
}

/* Nothing fits a link that is shorter than what is added. */
static void
test_layer_mtu_of_nothing(void **state)
{
    size_t s, mtu;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        sa_make(&suites[s], IPSEC_PROTO_ESP, IPSEC_MODE_TUNNEL, 6);
        for (mtu = 0; mtu < ipsec_layer_head(&sa); mtu++) {
            assert_int_equal(ipsec_layer_mtu(&sa, 40, mtu), 0);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer_mtu_is_the_inverse_of_what_it_adds),
        cmocka_unit_test(test_layer_mtu_of_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
