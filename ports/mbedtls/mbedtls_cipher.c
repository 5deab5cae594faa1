/* SPDX-License-Identifier: MIT */
#include "mbedtls_inner.h"

#include <mbedtls/aes.h>
#include <mbedtls/platform_util.h>

/* Ciphers that need a MAC beside them: RFC 2410, 3602, 3686. */

#if defined(MBEDTLS_AES_C) && defined(MBEDTLS_CIPHER_MODE_CBC)
#define HAVE_CBC
#endif
#if defined(MBEDTLS_AES_C) && defined(MBEDTLS_CIPHER_MODE_CTR) && \
    !defined(IPSEC_NO_CTR)
#define HAVE_CTR
#endif

#if defined(HAVE_CBC) || defined(HAVE_CTR)
static void
aes_free(void *ctx)
{
    mbedtls_aes_free(ctx);
}
#endif

#if defined(HAVE_CBC)
static int
cbc_init(void *ctx, const uint8_t *key, unsigned bits, int open)
{
    mbedtls_aes_init(ctx);
    return open ? mbedtls_aes_setkey_dec(ctx, key, bits)
                : mbedtls_aes_setkey_enc(ctx, key, bits);
}

/* The text begins with the IV field: see crypto.h. */
static int
cbc_crypt(void *ctx, const struct ipsec_op *op, const uint8_t *nonce,
          size_t tag_len)
{
    uint8_t chain[16] = { 0 };

    (void)nonce;
    (void)tag_len;
    return mbedtls_aes_crypt_cbc(ctx, op->open ? MBEDTLS_AES_DECRYPT
                                               : MBEDTLS_AES_ENCRYPT,
                                 op->len, chain, op->text, op->text);
}
#endif

#if defined(HAVE_CTR)
static int
ctr_init(void *ctx, const uint8_t *key, unsigned bits, int open)
{
    (void)open;
    mbedtls_aes_init(ctx);
    return mbedtls_aes_setkey_enc(ctx, key, bits);
}

/* The counter follows the nonce and begins at 1 (RFC 3686 section 4). */
static int
ctr_crypt(void *ctx, const struct ipsec_op *op, const uint8_t *nonce,
          size_t tag_len)
{
    uint8_t counter[16] = { 0 }, stream[16];
    size_t used = 0;
    int rc;

    (void)tag_len;
    memcpy(counter, nonce, NONCE);
    counter[15] = 1;
    rc = mbedtls_aes_crypt_ctr(ctx, op->len, &used, counter, stream, op->text,
                               op->text);
    mbedtls_platform_zeroize(stream, sizeof stream);
    return rc;
}
#endif

static const struct encr_row rows[] = {
#if defined(HAVE_CBC)
    { IPSEC_ENCR_AES_CBC, 16, AES_MAX, 0, 0, 0,
      sizeof(mbedtls_aes_context), cbc_init, aes_free, cbc_crypt },
#endif
#if defined(HAVE_CTR)
    { IPSEC_ENCR_AES_CTR, 16, AES_MAX, 4, 0, 0,
      sizeof(mbedtls_aes_context), ctr_init, aes_free, ctr_crypt },
#endif
    { IPSEC_ENCR_NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL },
    { 0 }
};

/* see mbedtls_inner.h */
const struct encr_row *
ipsec_mbedtls_cipher(uint16_t id)
{
    const struct encr_row *row = rows;

    while (row->id != 0 && row->id != id) {
        row++;
    }
    return row->id != 0 ? row : NULL;
}
