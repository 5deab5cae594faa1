/* SPDX-License-Identifier: MIT */
#include "inner.h"

/* The transforms: a row each. What they do is the backend's affair; here is
 * what they mean for the layout of a packet and for keys. */

struct encr {
    uint8_t id;
    struct ipsec_alg alg;
    uint8_t salt_len, key_min, key_max;
};

struct integ {
    uint8_t id, icv_len, key_len;
};

#define AEAD (ALG_AEAD | ALG_COUNTER)

/* All ciphertexts end on a 4-byte boundary (RFC 4303 section 2.4). */
static const struct encr encr_rows[] = {
    { IPSEC_ENCR_NULL, { 0, 4, 0, 0 }, 0, 0, 0 },
    { IPSEC_ENCR_AES_CBC, { 16, 16, 0, ALG_IV_TEXT }, 0, 16, 32 },
    { IPSEC_ENCR_AES_GCM_16, { 8, 4, 16, AEAD }, 4, 16, 32 },
    { IPSEC_ENCR_CHACHA20_POLY1305, { 8, 4, 16, AEAD }, 4, 32, 32 },
#if !defined(IPSEC_NO_GCM_SHORT)
    { IPSEC_ENCR_AES_GCM_8, { 8, 4, 8, AEAD }, 4, 16, 32 },
    { IPSEC_ENCR_AES_GCM_12, { 8, 4, 12, AEAD }, 4, 16, 32 },
#endif
#if !defined(IPSEC_NO_CCM)
    { IPSEC_ENCR_AES_CCM_8, { 8, 4, 8, AEAD }, 3, 16, 32 },
    { IPSEC_ENCR_AES_CCM_12, { 8, 4, 12, AEAD }, 3, 16, 32 },
    { IPSEC_ENCR_AES_CCM_16, { 8, 4, 16, AEAD }, 3, 16, 32 },
#endif
#if !defined(IPSEC_NO_CTR)
    { IPSEC_ENCR_AES_CTR, { 8, 4, 0, ALG_COUNTER | ALG_IV_AAD }, 4, 16, 32 },
#endif
#if !defined(IPSEC_NO_GMAC)
    { IPSEC_ENCR_NULL_AES_GMAC, { 8, 4, 16, AEAD | ALG_IV_AAD }, 4, 16, 32 },
#endif
#if !defined(IPSEC_NO_IIV)
    { IPSEC_ENCR_AES_GCM_16_IIV, { 0, 4, 16, AEAD | ALG_IV_SEQ }, 4, 16, 32 },
    { IPSEC_ENCR_CHACHA20_POLY1305_IIV, { 0, 4, 16, AEAD | ALG_IV_SEQ }, 4,
      32, 32 },
#if !defined(IPSEC_NO_CCM)
    { IPSEC_ENCR_AES_CCM_8_IIV, { 0, 4, 8, AEAD | ALG_IV_SEQ }, 3, 16, 32 },
#endif
#endif
};

/* An HMAC key is as long as the digest (RFC 4868 section 2.1.1). */
static const struct integ integ_rows[] = {
    { IPSEC_INTEG_HMAC_SHA2_256_128, 16, 32 },
#if !defined(IPSEC_NO_SHA512)
    { IPSEC_INTEG_HMAC_SHA2_384_192, 24, 48 },
    { IPSEC_INTEG_HMAC_SHA2_512_256, 32, 64 },
#endif
#if !defined(IPSEC_NO_SHA1)
    { IPSEC_INTEG_HMAC_SHA1_96, 12, 20 },
#endif
#if !defined(IPSEC_NO_CMAC)
    { IPSEC_INTEG_AES_CMAC_96, 12, 16 },
#endif
#if !defined(IPSEC_NO_XCBC)
    { IPSEC_INTEG_AES_XCBC_96, 12, 16 },
#endif
#if ALG_AH != 0u
    { IPSEC_INTEG_AES_GMAC_128, 16, 20 }, /* with a salt, as an AEAD has it */
    { IPSEC_INTEG_AES_GMAC_192, 16, 28 },
    { IPSEC_INTEG_AES_GMAC_256, 16, 36 },
#endif
};

#if ALG_AH != 0u
/* With GMAC, the Authentication Data of AH begins with an IV (RFC 4543 section
 * 4); and there is no cipher in AH. */
static int
gmac_set(struct ipsec_alg *alg, const struct ipsec_keymat *km)
{
    if (km->integ < IPSEC_INTEG_AES_GMAC_128 ||
        km->integ > IPSEC_INTEG_AES_GMAC_256) {
        return IPSEC_OK;
    }
    alg->iv_len = 8;
    alg->flags = ALG_COUNTER | ALG_AH;
    return km->encr == IPSEC_ENCR_NULL ? IPSEC_OK : IPSEC_ERR_UNSUPPORTED;
}
#else
#define gmac_set(alg, km) IPSEC_OK
#endif

/* What RFC 8221 sections 5 and 6 put at MUST NOT or SHOULD NOT: DES, 3DES,
 * RC5, IDEA, CAST, Blowfish; HMAC-MD5-96, DES-MAC, KPDK-MD5. */
static int
is_weak(const struct ipsec_keymat *km)
{
    return (km->encr >= 1 && km->encr <= 9) || km->integ == 1 ||
           km->integ == 3 || km->integ == 4;
}

static const struct encr *
encr_find(uint16_t id)
{
    size_t i;

    for (i = 0; i < sizeof encr_rows / sizeof encr_rows[0]; i++) {
        if (encr_rows[i].id == id) {
            return &encr_rows[i];
        }
    }
    return NULL;
}

static const struct integ *
integ_find(uint16_t id)
{
    size_t i;

    for (i = 0; i < sizeof integ_rows / sizeof integ_rows[0]; i++) {
        if (integ_rows[i].id == id) {
            return &integ_rows[i];
        }
    }
    return NULL;
}

static int
key_check(const struct encr *encr, const struct ipsec_keymat *km)
{
    size_t len = km->encr_key_len;

    if (encr->key_max == 0) {
        return len == 0 ? IPSEC_OK : IPSEC_ERR_KEY;
    }
    if (len < (size_t)encr->key_min + encr->salt_len ||
        len > (size_t)encr->key_max + encr->salt_len ||
        (len - encr->salt_len) % 8 != 0) {
        return IPSEC_ERR_KEY;
    }
    return IPSEC_OK;
}

/* see inner.h */
int
ipsec_alg_find(struct ipsec_alg *alg, const struct ipsec_keymat *km)
{
    const struct encr *encr = encr_find(km->encr);
    const struct integ *integ = integ_find(km->integ);
    int rc;

    if (encr == NULL || (integ == NULL && km->integ != IPSEC_INTEG_NONE)) {
        return is_weak(km) ? IPSEC_ERR_WEAK : IPSEC_ERR_UNSUPPORTED;
    }
    *alg = encr->alg;
    rc = key_check(encr, km);
    if (rc != IPSEC_OK) {
        return rc;
    }
    if (alg->flags & ALG_AEAD) {
        /* it brings its own integrity (RFC 4303 section 3.2.3) */
        return integ == NULL && km->integ_key_len == 0
            ? IPSEC_OK : IPSEC_ERR_UNSUPPORTED;
    }
    if (integ == NULL) {
        return IPSEC_ERR_NO_INTEG;
    }
    alg->icv_len = integ->icv_len;
    rc = gmac_set(alg, km);
    if (rc != IPSEC_OK) {
        return rc;
    }
    return km->integ_key_len == integ->key_len ? IPSEC_OK : IPSEC_ERR_KEY;
}

/* Is there a key of `len` bytes, not all of them zero or else `fresh`? */
static int
is_given(const uint8_t *key, size_t len, int fresh)
{
    uint8_t any = fresh != 0 || len == 0;

    if (key == NULL) {
        return len == 0;
    }
    while (len > 0) {
        any |= key[--len];
    }
    return any != 0;
}

/* see inner.h */
int
ipsec_key_check(const struct ipsec_keymat *km, int fresh)
{
    return is_given(km->encr_key, km->encr_key_len, fresh) &&
           is_given(km->integ_key, km->integ_key_len, fresh)
        ? IPSEC_OK : IPSEC_ERR_KEY;
}

/* see inner.h */
int
ipsec_proto_known(int proto)
{
#ifndef IPSEC_NO_AH
    if (proto == IPSEC_PROTO_AH) {
        return 1;
    }
#endif
    return proto == IPSEC_PROTO_ESP;
}
