/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"

static struct ipsec_keymat
keymat(const struct suite *s)
{
    struct ipsec_keymat km;

    memset(&km, 0, sizeof km);
    km.encr = s->encr;
    km.integ = s->integ;
    km.encr_key_len = s->encr_key;
    km.integ_key_len = s->integ_key;
    return km;
}

static void
test_alg_rows_are_as_their_rfcs_say(void **state)
{
    struct ipsec_keymat km;
    struct ipsec_alg alg;
    size_t i;

    (void)state;
    for (i = 0; i < SUITES; i++) {
        fx_note("%s", suites[i].name);
        km = keymat(&suites[i]);
        assert_status(ipsec_alg_find(&alg, &km), IPSEC_OK);
        assert_int_equal(alg.iv_len, suites[i].iv);
        assert_int_equal(alg.align, suites[i].align);
        assert_int_equal(alg.icv_len, suites[i].icv);
        assert_int_equal((alg.flags & ALG_AEAD) != 0, suites[i].integ == 0);
        assert_int_equal((alg.flags & ALG_IV_TEXT) != 0,
                         suites[i].encr == IPSEC_ENCR_AES_CBC);
    }
}

/* All numbers there are: what is not in the table is refused. */
static void
test_alg_numbers(void **state)
{
    struct ipsec_keymat km;
    struct ipsec_alg alg;
    unsigned id;

    (void)state;
    for (id = 0; id < 65536; id++) {
        fx_note("id %u", id);
        km = keymat(&suites[CBC128]);
        km.integ = (uint16_t)id;
        assert_status(ipsec_alg_find(&alg, &km),
                      id == 12 ? IPSEC_OK : id == 0 ? IPSEC_ERR_NO_INTEG
                                          : IPSEC_ERR_UNSUPPORTED);
        km = keymat(&suites[GCM128]);
        km.encr = (uint16_t)id;
        if (id != 11 && id != 12 && id != 20 && id != 28) {
            assert_status(ipsec_alg_find(&alg, &km), IPSEC_ERR_UNSUPPORTED);
        }
    }
}

static void
test_alg_key_lengths(void **state)
{
    struct ipsec_keymat km;
    struct ipsec_alg alg;
    unsigned i, len, good;

    (void)state;
    for (i = 0; i < SUITES; i++) {
        for (len = 0; len < 300; len++) {
            fx_note("%s, %u bytes", suites[i].name, len);
            km = keymat(&suites[i]);
            km.encr_key_len = (uint16_t)len;
            good = i < GCM128 ? len == 16 || len == 24 || len == 32
                 : i < CHACHA ? len == 20 || len == 28 || len == 36
                 : i == CHACHA ? len == 36 : len == 0;
            assert_status(ipsec_alg_find(&alg, &km),
                          good ? IPSEC_OK : IPSEC_ERR_KEY);
            km = keymat(&suites[i]);
            km.integ_key_len = (uint16_t)len;
            if (suites[i].integ != 0) {
                assert_status(ipsec_alg_find(&alg, &km),
                              len == 32 ? IPSEC_OK : IPSEC_ERR_KEY);
            } else {
                assert_true((ipsec_alg_find(&alg, &km) == IPSEC_OK) ==
                            (len == 0));
            }
        }
    }
}

/* A key that was never filled in is zero; one that was agreed on may be. */
static void
test_alg_keys_of_zeros(void **state)
{
    uint8_t encr[36] = { 0 }, integ[32] = { 0 };
    struct ipsec_keymat km;
    size_t i;

    (void)state;
    km = keymat(&suites[CBC256]);
    km.encr_key = encr;
    km.integ_key = integ;
    assert_status(ipsec_key_check(&km, 1), IPSEC_OK);
    assert_status(ipsec_key_check(&km, 0), IPSEC_ERR_KEY);
    for (i = 0; i < 32; i++) {
        encr[i] = 0x80;
        assert_status(ipsec_key_check(&km, 0), IPSEC_ERR_KEY);
        integ[31 - i] = 1;
        assert_status(ipsec_key_check(&km, 0), IPSEC_OK);
        encr[i] = 0;
        assert_status(ipsec_key_check(&km, 0), IPSEC_ERR_KEY);
        integ[31 - i] = 0;
    }
    km.encr_key = NULL;
    assert_status(ipsec_key_check(&km, 1), IPSEC_ERR_KEY);
    km.encr_key = encr;
    km.integ_key = NULL;
    assert_status(ipsec_key_check(&km, 1), IPSEC_ERR_KEY);
    km = keymat(&suites[NULL_SHA256]);
    integ[0] = 1;
    km.integ_key = integ;
    assert_status(ipsec_key_check(&km, 0), IPSEC_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alg_rows_are_as_their_rfcs_say),
        cmocka_unit_test(test_alg_numbers),
        cmocka_unit_test(test_alg_key_lengths),
        cmocka_unit_test(test_alg_keys_of_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
