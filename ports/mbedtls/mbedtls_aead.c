/* SPDX-License-Identifier: MIT */
#include "mbedtls_inner.h"

#include <mbedtls/ccm.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>

/* Algorithms that bring their own integrity: RFC 4106, 4309, 4543, 7634,
 * 8750. */

#if defined(MBEDTLS_AES_C) && defined(MBEDTLS_GCM_C)
#define HAVE_GCM
#endif
#if defined(MBEDTLS_AES_C) && defined(MBEDTLS_CCM_C) && !defined(IPSEC_NO_CCM)
#define HAVE_CCM
#endif

#if defined(HAVE_GCM)
static int
gcm_init(void *ctx, const uint8_t *key, unsigned bits, int open)
{
    (void)open;
    mbedtls_gcm_init(ctx);
    return mbedtls_gcm_setkey(ctx, MBEDTLS_CIPHER_ID_AES, key, bits);
}

static void
gcm_free(void *ctx)
{
    mbedtls_gcm_free(ctx);
}

static int
gcm_crypt(void *ctx, const struct ipsec_op *op, const uint8_t *nonce,
          size_t tag_len)
{
    if (op->open) {
        return mbedtls_gcm_auth_decrypt(ctx, op->len, nonce, NONCE, op->aad,
                                        op->aad_len, op->icv, tag_len,
                                        op->text, op->text);
    }
    return mbedtls_gcm_crypt_and_tag(ctx, MBEDTLS_GCM_ENCRYPT, op->len, nonce,
                                     NONCE, op->aad, op->aad_len, op->text,
                                     op->text, tag_len, op->icv);
}
#endif

#if defined(HAVE_GCM) && !defined(IPSEC_NO_GMAC)
/* GCM of an empty text, with aad | text as its AAD. That has to be in one
 * piece, so the aad is put ahead of the text for the while: see crypto.h. */
static int
gmac_crypt(void *ctx, const struct ipsec_op *op, const uint8_t *nonce,
           size_t tag_len)
{
    uint8_t *aad = op->text - op->aad_len, keep[IPSEC_AAD_MAX];
    size_t len = op->aad_len + op->len;
    int rc;

    memcpy(keep, aad, op->aad_len);
    memcpy(aad, op->aad, op->aad_len);
    if (op->open) {
        rc = mbedtls_gcm_auth_decrypt(ctx, 0, nonce, NONCE, aad, len, op->icv,
                                      tag_len, op->text, op->text);
    } else {
        rc = mbedtls_gcm_crypt_and_tag(ctx, MBEDTLS_GCM_ENCRYPT, 0, nonce,
                                       NONCE, aad, len, op->text, op->text,
                                       tag_len, op->icv);
    }
    memcpy(aad, keep, op->aad_len);
    return rc;
}
#endif

#if defined(HAVE_CCM)
#define CCM_NONCE 11 /* salt 3, IV 8 (RFC 4309 section 4) */

static int
ccm_init(void *ctx, const uint8_t *key, unsigned bits, int open)
{
    (void)open;
    mbedtls_ccm_init(ctx);
    return mbedtls_ccm_setkey(ctx, MBEDTLS_CIPHER_ID_AES, key, bits);
}

static void
ccm_free(void *ctx)
{
    mbedtls_ccm_free(ctx);
}

static int
ccm_crypt(void *ctx, const struct ipsec_op *op, const uint8_t *nonce,
          size_t tag_len)
{
    if (op->open) {
        return mbedtls_ccm_auth_decrypt(ctx, op->len, nonce, CCM_NONCE,
                                        op->aad, op->aad_len, op->text,
                                        op->text, op->icv, tag_len);
    }
    return mbedtls_ccm_encrypt_and_tag(ctx, op->len, nonce, CCM_NONCE,
                                       op->aad, op->aad_len, op->text,
                                       op->text, op->icv, tag_len);
}
#endif

#if defined(MBEDTLS_CHACHAPOLY_C)
static int
chacha_init(void *ctx, const uint8_t *key, unsigned bits, int open)
{
    (void)bits;
    (void)open;
    mbedtls_chachapoly_init(ctx);
    return mbedtls_chachapoly_setkey(ctx, key);
}

static void
chacha_free(void *ctx)
{
    mbedtls_chachapoly_free(ctx);
}

static int
chacha_crypt(void *ctx, const struct ipsec_op *op, const uint8_t *nonce,
             size_t tag_len)
{
    (void)tag_len;
    if (op->open) {
        return mbedtls_chachapoly_auth_decrypt(ctx, op->len, nonce, op->aad,
                                               op->aad_len, op->icv, op->text,
                                               op->text);
    }
    return mbedtls_chachapoly_encrypt_and_tag(ctx, op->len, nonce, op->aad,
                                              op->aad_len, op->text, op->text,
                                              op->icv);
}
#endif

#define GCM(id, tag, crypt)                                                   \
    { id, 16, AES_MAX, 4, tag, MBEDTLS_ERR_GCM_AUTH_FAILED,              \
      sizeof(mbedtls_gcm_context), gcm_init, gcm_free, crypt }
#define CCM(id, tag)                                                          \
    { id, 16, AES_MAX, 3, tag, MBEDTLS_ERR_CCM_AUTH_FAILED,              \
      sizeof(mbedtls_ccm_context), ccm_init, ccm_free, ccm_crypt }
#define CHACHA(id)                                                            \
    { id, 32, 32, 4, 16, MBEDTLS_ERR_CHACHAPOLY_AUTH_FAILED,                  \
      sizeof(mbedtls_chachapoly_context), chacha_init, chacha_free,           \
      chacha_crypt }

static const struct encr_row rows[] = {
#if defined(HAVE_GCM)
    GCM(IPSEC_ENCR_AES_GCM_16, 16, gcm_crypt),
#if !defined(IPSEC_NO_GCM_SHORT)
    GCM(IPSEC_ENCR_AES_GCM_8, 8, gcm_crypt),
    GCM(IPSEC_ENCR_AES_GCM_12, 12, gcm_crypt),
#endif
#if !defined(IPSEC_NO_IIV)
    GCM(IPSEC_ENCR_AES_GCM_16_IIV, 16, gcm_crypt),
#endif
#if !defined(IPSEC_NO_GMAC)
    GCM(IPSEC_ENCR_NULL_AES_GMAC, 16, gmac_crypt),
#endif
#endif
#if defined(HAVE_CCM)
    CCM(IPSEC_ENCR_AES_CCM_8, 8),
    CCM(IPSEC_ENCR_AES_CCM_12, 12),
    CCM(IPSEC_ENCR_AES_CCM_16, 16),
#if !defined(IPSEC_NO_IIV)
    CCM(IPSEC_ENCR_AES_CCM_8_IIV, 8),
#endif
#endif
#if defined(MBEDTLS_CHACHAPOLY_C)
    CHACHA(IPSEC_ENCR_CHACHA20_POLY1305),
#if !defined(IPSEC_NO_IIV)
    CHACHA(IPSEC_ENCR_CHACHA20_POLY1305_IIV),
#endif
#endif
    { 0 }
};

/* see mbedtls_inner.h */
const struct encr_row *
ipsec_mbedtls_aead(uint16_t id)
{
    const struct encr_row *row = rows;

    while (row->id != 0 && row->id != id) {
        row++;
    }
    return row->id != 0 ? row : NULL;
}
