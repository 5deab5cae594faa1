/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"

/* The table of transforms: what each means for keys and for the layout of a
 * packet, from its RFC. */

struct encr_fact {
    uint16_t id;
    uint8_t  key[4]; /* lengths allowed, salt included */
    uint8_t  iv, align, icv, aead, counter;
};

/* RFC 2410, 3602, 3686, 4309, 4106, 4543, 7634, 8750 */
static const struct encr_fact encrs[] = {
    { 11, { 0, 0, 0, 0 }, 0, 4, 0, 0, 0 },
    { 12, { 16, 24, 32, 0 }, 16, 16, 0, 0, 0 },
    { 13, { 20, 28, 36, 0 }, 8, 4, 0, 0, 1 },
    { 14, { 19, 27, 35, 0 }, 8, 4, 8, 1, 1 },
    { 15, { 19, 27, 35, 0 }, 8, 4, 12, 1, 1 },
    { 16, { 19, 27, 35, 0 }, 8, 4, 16, 1, 1 },
    { 18, { 20, 28, 36, 0 }, 8, 4, 8, 1, 1 },
    { 19, { 20, 28, 36, 0 }, 8, 4, 12, 1, 1 },
    { 20, { 20, 28, 36, 0 }, 8, 4, 16, 1, 1 },
    { 21, { 20, 28, 36, 0 }, 8, 4, 16, 1, 1 },
    { 28, { 36, 0, 0, 0 }, 8, 4, 16, 1, 1 },
    { 29, { 19, 27, 35, 0 }, 0, 4, 8, 1, 1 },
    { 30, { 20, 28, 36, 0 }, 0, 4, 16, 1, 1 },
    { 31, { 36, 0, 0, 0 }, 0, 4, 16, 1, 1 }
};

struct integ_fact {
    uint16_t id;
    uint8_t  key, icv;
    int      ah; /* of AH alone: no cipher beside it (RFC 4543) */
};

/* RFC 2404, 3566, 4494, 4543, 4868 */
static const struct integ_fact integs[] = {
    { 2, 20, 12, 0 }, { 5, 16, 12, 0 }, { 8, 16, 12, 0 }, { 9, 20, 16, 1 },
    { 10, 28, 16, 1 }, { 11, 36, 16, 1 }, { 12, 32, 16, 0 },
    { 13, 48, 24, 0 }, { 14, 64, 32, 0 }
};

static const uint16_t weak_encrs[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
static const uint16_t weak_integs[] = { 1, 3, 4 };

#define IDS 70

static int
find(uint16_t encr, size_t encr_len, uint16_t integ, size_t integ_len,
     struct ipsec_alg *alg)
{
    struct ipsec_keymat km;

    memset(&km, 0, sizeof km);
    km.encr = encr;
    km.encr_key_len = (uint16_t)encr_len;
    km.integ = integ;
    km.integ_key_len = (uint16_t)integ_len;
    fx_note("encr %u (%zu), integ %u (%zu)", encr, encr_len, integ, integ_len);
    return ipsec_alg_find(alg, &km);
}

static const struct encr_fact *
encr_fact(uint16_t id)
{
    size_t i;

    for (i = 0; i < COUNT(encrs); i++) {
        if (encrs[i].id == id) {
            return &encrs[i];
        }
    }
    return NULL;
}

static const struct integ_fact *
integ_fact(uint16_t id)
{
    size_t i;

    for (i = 0; i < COUNT(integs); i++) {
        if (integs[i].id == id) {
            return &integs[i];
        }
    }
    return NULL;
}

static int
is_in(const uint16_t *ids, size_t n, uint16_t id)
{
    size_t i;

    for (i = 0; i < n && ids[i] != id; i++) {
    }
    return i < n;
}

static int
key_is_right(const struct encr_fact *fact, size_t len)
{
    size_t i;

    for (i = 0; i < 4; i++) {
        if (fact->key[i] == len && (len != 0 || fact->key[0] == 0)) {
            return 1;
        }
    }
    return 0;
}

/* Every length of key, for every row. */
static void
test_alg_lengths_of_keys(void **state)
{
    const struct encr_fact *e;
    const struct integ_fact *m;
    struct ipsec_alg alg;
    size_t i, k, len;

    (void)state;
    for (i = 0; i < COUNT(encrs); i++) {
        e = &encrs[i];
        for (len = 0; len < 300; len++) {
            assert_status(find(e->id, len, e->aead ? 0 : 12, e->aead ? 0 : 32,
                               &alg),
                          key_is_right(e, len) ? IPSEC_OK : IPSEC_ERR_KEY);
        }
        for (k = 0; k < COUNT(integs) && !e->aead; k++) {
            m = &integs[k];
            if (m->ah && e->id != 11) {
                continue;
            }
            for (len = 0; len < 300; len++) {
                assert_status(find(e->id, e->key[0], m->id, len, &alg),
                              len == m->key ? IPSEC_OK : IPSEC_ERR_KEY);
            }
        }
    }
}

static void
test_alg_layout(void **state)
{
    const struct encr_fact *e;
    struct ipsec_alg alg;
    size_t i, k;
    int ah;

    (void)state;
    for (i = 0; i < COUNT(encrs); i++) {
        e = &encrs[i];
        for (k = 0; k < COUNT(integs); k++) {
            ah = integs[k].ah;
            if (ah && e->id != 11) {
                continue;
            }
            assert_status(e->aead
                ? find(e->id, e->key[0], 0, 0, &alg)
                : find(e->id, e->key[0], integs[k].id, integs[k].key, &alg),
                IPSEC_OK);
            assert_int_equal(alg.iv_len, ah ? 8 : e->iv);
            assert_int_equal(alg.align, e->align);
            assert_int_equal(alg.icv_len, e->aead ? e->icv : integs[k].icv);
            assert_int_equal((alg.flags & ALG_AEAD) != 0, e->aead);
            assert_int_equal((alg.flags & ALG_COUNTER) != 0, e->counter || ah);
            assert_int_equal((alg.flags & ALG_AH) != 0, ah);
            assert_int_equal((alg.flags & ALG_IV_SEQ) != 0, e->id > 28);
            assert_int_equal((alg.flags & ALG_IV_AAD) != 0,
                             e->id == 13 || e->id == 21);
            assert_int_equal((alg.flags & ALG_IV_TEXT) != 0, e->id == 12);
        }
    }
}

static int
want(uint16_t encr, uint16_t integ)
{
    const struct encr_fact *e = encr_fact(encr);
    const struct integ_fact *m = integ_fact(integ);

    if (e == NULL || (m == NULL && integ != 0)) {
        return is_in(weak_encrs, COUNT(weak_encrs), encr) ||
               is_in(weak_integs, COUNT(weak_integs), integ)
            ? IPSEC_ERR_WEAK : IPSEC_ERR_UNSUPPORTED;
    }
    if (e->aead) {
        return m == NULL ? IPSEC_OK : IPSEC_ERR_UNSUPPORTED;
    }
    if (m != NULL && m->ah && encr != 11) {
        return IPSEC_ERR_UNSUPPORTED;
    }
    return m != NULL ? IPSEC_OK : IPSEC_ERR_NO_INTEG;
}

/* Each transform ID with each other, and those a multiple of 256 away: weak
 * ones say so, and nothing goes without integrity (RFC 8221 sections 4 to
 * 6). */
static void
test_alg_every_pair(void **state)
{
    const struct encr_fact *e;
    const struct integ_fact *m;
    struct ipsec_alg alg;
    uint16_t encr, integ;
    size_t ok = 0, weak = 0;
    int rc;

    (void)state;
    for (encr = 0; encr < IDS; encr++) {
        for (integ = 0; integ < IDS; integ++) {
            e = encr_fact(encr);
            m = integ_fact(integ);
            rc = find(encr, e != NULL ? e->key[0] : 16, integ,
                      m != NULL ? m->key : 0, &alg);
            assert_status(rc, want(encr, integ));
            ok += rc == IPSEC_OK;
            weak += rc == IPSEC_ERR_WEAK;
            assert_status(find((uint16_t)(encr + 256), 16, integ, 0, &alg),
                          is_in(weak_integs, 3, integ)
                              ? IPSEC_ERR_WEAK : IPSEC_ERR_UNSUPPORTED);
        }
    }
    assert_int_equal(ok, 3 * 6 + 3 + 11);
    assert_int_equal(weak, 9 * IDS + (IDS - 9) * 3);
}

/* All numbers there are: what is not in the table is refused. */
static void
test_alg_numbers(void **state)
{
    struct ipsec_alg alg;
    unsigned id;

    (void)state;
    for (id = 0; id < 65536; id++) {
        if (integ_fact((uint16_t)id) == NULL) {
            assert_status(find(12, 16, (uint16_t)id, 16, &alg),
                          want(12, (uint16_t)id));
        }
        if (encr_fact((uint16_t)id) == NULL) {
            assert_status(find((uint16_t)id, 20, 0, 0, &alg),
                          want((uint16_t)id, 0));
        }
    }
}

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

/* What the other tests believe. */
static void
test_alg_agrees_with_suites(void **state)
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
        cmocka_unit_test(test_alg_lengths_of_keys),
        cmocka_unit_test(test_alg_layout),
        cmocka_unit_test(test_alg_every_pair),
        cmocka_unit_test(test_alg_numbers),
        cmocka_unit_test(test_alg_agrees_with_suites),
        cmocka_unit_test(test_alg_keys_of_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
