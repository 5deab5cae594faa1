/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "ipsec_mbedtls.h"
#include "vectors/record.h"

/* The published values of the algorithms themselves, through the backend as
 * the library uses it. Records of what is none of ours (MD5, keys of other
 * lengths, raw ChaCha20) are left out, and counted. */

#define MOST 1024

struct sample {
    struct ipsec_keymat km;
    uint8_t encr_key[40], integ_key[64], iv[8];
    uint8_t aad[IPSEC_AAD_MAX], text[MOST], sealed[MOST], icv[64];
    size_t  aad_len, len, icv_len;
    uint8_t tail[4];
    size_t  tail_len;
};

struct name {
    const char *alg;
    uint16_t    id, key_len;
};

static size_t
hex(const struct record *rec, const char *key, uint8_t *buf, size_t max)
{
    long n = record_get(rec, key) == NULL ? 0 : record_hex(rec, key, buf, max);

    assert_true(n >= 0);
    return (size_t)n;
}

/* Seal (or open) in memory of exactly the size; what comes out replaces
 * `text`, and when sealing `icv`. */
static int
operate(struct sample *s, const uint8_t *in, uint8_t *icv, int open,
        uint8_t *out)
{
    size_t key_len = ipsec_mbedtls.key_size(&ipsec_mbedtls, &s->km);
    size_t size = s->aad_len + s->len + s->icv_len, i;
    uint8_t *mem = malloc(size + 1);
    struct ipsec_op op;
    int rc;

    memset(&op, 0, sizeof op);
    assert_true(key_len > 0 && mem != NULL);
    op.key = malloc(key_len);
    assert_non_null(op.key);
    assert_status(ipsec_mbedtls.key_init(&ipsec_mbedtls, op.key, &s->km, open),
                  IPSEC_OK);
    memset(mem, 0xa5, size);
    op.open = (uint8_t)open;
    op.iv = s->iv;
    op.aad = s->aad;
    op.aad_len = (uint8_t)s->aad_len;
    op.text = mem + s->aad_len;
    op.len = s->len;
    op.icv = op.text + s->len;
    op.tail_len = (uint8_t)s->tail_len;
    memcpy(op.tail, s->tail, s->tail_len);
    memcpy(op.text, in, s->len);
    memcpy(op.icv, icv, s->icv_len);
    rc = ipsec_mbedtls.run(&ipsec_mbedtls, &op);
    memcpy(out, op.text, s->len);
    memcpy(icv, op.icv, s->icv_len);
    for (i = 0; i < s->aad_len; i++) {
        assert_int_equal(mem[i], 0xa5); /* as it was: crypto.h */
    }
    ipsec_mbedtls.key_wipe(&ipsec_mbedtls, op.key);
    for (i = 0; i < key_len; i++) {
        assert_int_equal(((uint8_t *)op.key)[i], 0);
    }
    free(op.key);
    free(mem);
    return rc;
}

/* Both ways; and with any bit of the ICV wrong, no plaintext. */
static void
check(struct sample *s)
{
    static const uint8_t zero[MOST];
    uint8_t out[MOST], icv[64];
    size_t bit;

    memset(icv, 0, sizeof icv);
    assert_status(operate(s, s->text, icv, 0, out), IPSEC_OK);
    assert_memory_equal(out, s->sealed, s->len);
    assert_memory_equal(icv, s->icv, s->icv_len);
    assert_status(operate(s, s->sealed, icv, 1, out), IPSEC_OK);
    assert_memory_equal(out, s->text, s->len);
    for (bit = 0; bit < s->icv_len * 8; bit++) {
        memcpy(icv, s->icv, s->icv_len);
        icv[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_status(operate(s, s->sealed, icv, 1, out), IPSEC_ERR_AUTH);
        assert_true(memcmp(out, s->sealed, s->len) == 0 ||
                    memcmp(out, zero, s->len) == 0);
    }
}

/* Call `one` on each record of a file; how many it took. */
static size_t
each(const char *path, int (*one)(const struct record *))
{
    struct reader reader;
    struct record rec;
    size_t n = 0;

    assert_int_equal(reader_open(&reader, path), 0);
    while (reader_next(&reader, &rec)) {
        assert_false(rec.broken);
        fx_note("%s", record_get(&rec, "name"));
        n += one(&rec) != 0;
    }
    reader_close(&reader);
    return n;
}

static const struct name *
find(const struct name *row, const char *alg, size_t key_len)
{
    for (; row->alg != NULL; row++) {
        if (strncmp(alg, row->alg, strlen(row->alg)) == 0 &&
            row->key_len == key_len) {
            return row;
        }
    }
    return NULL;
}

/* MACs, whole (PRF) or cut to this or that: ours is the beginning, or as
 * long. */
static int
mac_one(const struct record *rec)
{
    static const struct name names[] = {
        { "AUTH_HMAC_SHA1", 2, 20 }, { "PRF_HMAC_SHA1", 2, 20 },
        { "AUTH_HMAC_SHA2_256", 12, 32 }, { "PRF_HMAC_SHA2_256", 12, 32 },
        { "AUTH_HMAC_SHA2_384", 13, 48 }, { "PRF_HMAC_SHA2_384", 13, 48 },
        { "AUTH_HMAC_SHA2_512", 14, 64 }, { "PRF_HMAC_SHA2_512", 14, 64 },
        { "AUTH_AES_CMAC", 8, 16 }, { "PRF_AES128_CMAC", 8, 16 },
        { "AUTH_AES_XCBC", 5, 16 }, { "PRF_AES128_XCBC", 5, 16 },
        { NULL, 0, 0 }
    };
    static const uint8_t cut[] = { 0, 0, 12, 0, 0, 12, 0, 0, 12, 0, 0, 0, 16,
                                   24, 32 };
    static struct sample s;
    uint8_t key[160], data[MOST];
    size_t n = hex(rec, "key", key, sizeof key), len, i;
    const struct name *row = find(names, record_get(rec, "alg"), n);

    if (row == NULL) {
        return 0;
    }
    memset(&s, 0, sizeof s);
    s.km.encr = IPSEC_ENCR_NULL;
    s.km.integ = row->id;
    s.km.integ_key = key;
    s.km.integ_key_len = row->key_len;
    s.icv_len = cut[row->id];
    assert_true(hex(rec, "mac", s.icv, sizeof s.icv) >= s.icv_len);
    len = hex(rec, "data", data, sizeof data);
    for (i = 0; i <= len && i <= IPSEC_AAD_MAX; i++) { /* aad | text | tail */
        s.aad_len = i;
        s.tail_len = len - i >= 4 && i % 2 ? 4 : 0;
        s.len = len - i - s.tail_len;
        memcpy(s.aad, data, i);
        memcpy(s.text, data + i, s.len);
        memcpy(s.sealed, s.text, s.len);
        memcpy(s.tail, data + i + s.len, s.tail_len);
        check(&s);
    }
    return 1;
}

static void
test_primitives_hmac(void **state)
{
    (void)state;
    /* SHA-1: 8, SHA-256: 7, SHA-384: 3, SHA-512: 3 */
    assert_int_equal(each("tests/vectors/mac_hmac.txt", mac_one), 21);
}

static void
test_primitives_cmac_and_xcbc(void **state)
{
    (void)state;
    /* CMAC: 9, XCBC: 12 */
    assert_int_equal(each("tests/vectors/mac_cmac_xcbc.txt", mac_one), 21);
}

static uint16_t
aead_id(const char *alg, uint64_t tag)
{
    if (strcmp(alg, "AES-CCM") == 0) {
        return (uint16_t)(14 + (tag - 8) / 4);
    }
    if (strcmp(alg, "AES-GCM") == 0) {
        return (uint16_t)(18 + (tag - 8) / 4);
    }
    return strcmp(alg, "CHACHA20-POLY1305") == 0 ? 28 : 0;
}

static int
aead_one(const struct record *rec)
{
    static struct sample s;
    uint8_t both[MOST];
    uint64_t tag;
    size_t key, salt;

    memset(&s, 0, sizeof s);
    if (!record_number(rec, "tag_len", &tag) ||
        record_get(rec, "salt") == NULL) {
        return 0;
    }
    s.km.encr = aead_id(record_get(rec, "alg"), tag);
    key = hex(rec, "key", s.encr_key, 32);
    salt = hex(rec, "salt", s.encr_key + key, 4);
    s.km.encr_key = s.encr_key;
    s.km.encr_key_len = (uint16_t)(key + salt);
    assert_int_equal(hex(rec, "iv", s.iv, 8), 8);
    s.aad_len = hex(rec, "aad", s.aad, sizeof s.aad);
    s.len = hex(rec, "plaintext", s.text, sizeof s.text);
    s.icv_len = (size_t)tag;
    assert_int_equal(hex(rec, "ciphertext_and_tag", both, sizeof both),
                     s.len + s.icv_len);
    memcpy(s.sealed, both, s.len);
    memcpy(s.icv, both + s.len, s.icv_len);
    check(&s);
    if (s.km.encr == 14 || s.km.encr == 20 || s.km.encr == 28) {
        s.km.encr = s.km.encr == 14 ? 29 : s.km.encr == 20 ? 30 : 31;
        check(&s); /* the same with an implicit IV: it is no less an IV */
    }
    return 1;
}

static void
test_primitives_aead(void **state)
{
    (void)state;
    /* one CCM record has no salt, and a nonce of 13 bytes */
    assert_int_equal(each("tests/vectors/prim_aes_ccm.txt", aead_one), 11);
    assert_int_equal(each("tests/vectors/prim_aes_gcm.txt", aead_one), 21);
    assert_int_equal(each("tests/vectors/prim_chacha20poly1305.txt",
                          aead_one), 4);
}

static int
gmac_one(const struct record *rec)
{
    static struct sample s;
    uint8_t nonce[12], data[MOST];
    size_t key, len, i;

    memset(&s, 0, sizeof s);
    s.km.encr = IPSEC_ENCR_NULL_AES_GMAC;
    key = hex(rec, "key", s.encr_key, 32);
    assert_int_equal(hex(rec, "nonce", nonce, 12), 12);
    memcpy(s.encr_key + key, nonce, 4);
    memcpy(s.iv, nonce + 4, 8);
    s.km.encr_key = s.encr_key;
    s.km.encr_key_len = (uint16_t)(key + 4);
    s.icv_len = 16;
    assert_int_equal(hex(rec, "mac", s.icv, 16), 16);
    len = hex(rec, "aad", data, sizeof data);
    for (i = 0; i <= len; i++) { /* aad | text */
        s.aad_len = i;
        s.len = len - i;
        memcpy(s.aad, data, i);
        memcpy(s.text, data + i, s.len);
        memcpy(s.sealed, s.text, s.len);
        check(&s);
    }
    return 1;
}

static void
test_primitives_gmac(void **state)
{
    (void)state;
    assert_int_equal(each("tests/vectors/mac_gmac.txt", gmac_one), 45);
}

/* The ICV is not the record's: only what it covers is looked at. */
static int
ctr_one(const struct record *rec)
{
    static struct sample s;
    uint8_t out[MOST];
    size_t key, n, bit;

    memset(&s, 0, sizeof s);
    s.km.encr = IPSEC_ENCR_AES_CTR;
    s.km.integ = IPSEC_INTEG_AES_CMAC_96;
    key = hex(rec, "key", s.encr_key, 32);
    assert_int_equal(hex(rec, "salt", s.encr_key + key, 4), 4);
    assert_int_equal(hex(rec, "iv", s.iv, 8), 8);
    s.km.encr_key = s.encr_key;
    s.km.encr_key_len = (uint16_t)(key + 4);
    s.km.integ_key = s.integ_key;
    s.km.integ_key_len = 16;
    s.aad_len = 16;
    s.icv_len = 12;
    s.len = hex(rec, "plaintext", s.text, sizeof s.text);
    n = hex(rec, "ciphertext", s.sealed, sizeof s.sealed);
    assert_int_equal(n, s.len);
    assert_status(operate(&s, s.text, s.icv, 0, out), IPSEC_OK);
    check(&s);
    for (bit = 0; bit < s.len * 8; bit++) { /* nothing is deciphered */
        s.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_status(operate(&s, s.sealed, s.icv, 1, out), IPSEC_ERR_AUTH);
        assert_memory_equal(out, s.sealed, s.len);
        s.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    return 1;
}

static void
test_primitives_ctr(void **state)
{
    (void)state;
    assert_int_equal(each("tests/vectors/prim_aes_ctr.txt", ctr_one), 9);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_primitives_hmac),
        cmocka_unit_test(test_primitives_cmac_and_xcbc),
        cmocka_unit_test(test_primitives_aead),
        cmocka_unit_test(test_primitives_gmac),
        cmocka_unit_test(test_primitives_ctr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
