/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Requirements of RFC 4303 that more than one source file meets. Names such
 * as "P-3.4.3-5" are rows of docs/RFC.md. */

static struct pair pair;

#define MOST 80

/* Section 3.4.3: who gives no window has one of 64. P-3.4.3-5 */
static void
test_rfc4303_default_window_is_64(void **state)
{
    static uint8_t kept[MOST][256];
    struct packet_spec spec;
    size_t i, len = 0;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    spec = pair_spec(&pair, 4, 17, 0);
    for (i = 0; i < MOST; i++) {
        len = pair_seal(&pair, &spec, kept[i]);
    }
    assert_status(pair_offer(&pair, kept[MOST - 1], len), IPSEC_OK);
    for (i = 0; i < MOST - 1; i++) {
        fx_note("%zu back", MOST - 1 - i);
        assert_status(pair_offer(&pair, kept[i], len),
                      i + 64 >= MOST ? IPSEC_OK : IPSEC_ERR_REPLAY);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc4303_default_window_is_64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
