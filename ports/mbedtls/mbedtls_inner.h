/* SPDX-License-Identifier: MIT */
#ifndef IPSEC_MBEDTLS_INNER_H
#define IPSEC_MBEDTLS_INNER_H

#include "ipsec_mbedtls.h"

#include <mbedtls/version.h>

#include <string.h>

#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

/*
 * The algorithms: a row each. `ctx` is the state of one that was keyed, as
 * large as its row says. Functions of a row return 0 or an error of mbedTLS.
 */

#define NONCE   12 /* salt and IV; of CCM, 11 */
#define MAC_MAX 64 /* HMAC with SHA-512, before it is cut */

/* Bytes of the longest key. */
#if defined(MBEDTLS_AES_ONLY_128_BIT_KEY_LENGTH)
#define AES_MAX 16
#else
#define AES_MAX 32
#endif

/* A cipher; or an AEAD, which has a tag and no MAC beside it. */
struct encr_row {
    uint8_t id;
    uint8_t key_min, key_max; /* without the salt; in steps of 8 */
    uint8_t salt_len, tag_len;
    int     bad_tag;          /* mbedTLS's error for it */
    size_t  size;             /* of the state */
    int   (*init)(void *ctx, const uint8_t *key, unsigned bits, int open);
    void  (*free)(void *ctx);

    /* The text, and with an AEAD its tag; NULL: leave it as it is. */
    int   (*crypt)(void *ctx, const struct ipsec_op *op, const uint8_t *nonce,
                   size_t tag_len);
};

struct mac_row {
    uint8_t id;
    uint8_t key_len, icv_len;
    size_t  size;
    int   (*init)(const struct mac_row *row, void *ctx, const uint8_t *key);
    void  (*free)(const struct mac_row *row, void *ctx);

    /* MAC(aad | text | tail), the whole of it; of GMAC, with op->iv */
    int   (*make)(const struct mac_row *row, void *ctx,
                  const struct ipsec_op *op, uint8_t mac[MAC_MAX]);
    const struct hash *hash;  /* of HMAC */
};

/* mbedtls_aead.c, mbedtls_cipher.c, mbedtls_hmac.c, mbedtls_cbcmac.c,
 * mbedtls_gmac.c: the row of an algorithm, or NULL: not one of these, or
 * mbedTLS lacks it. */
const struct encr_row *ipsec_mbedtls_aead(uint16_t id);
const struct encr_row *ipsec_mbedtls_cipher(uint16_t id);
const struct mac_row *ipsec_mbedtls_hmac(uint16_t id);
const struct mac_row *ipsec_mbedtls_cbcmac(uint16_t id);
const struct mac_row *ipsec_mbedtls_gmac(uint16_t id);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
