/* SPDX-License-Identifier: MIT */
#include "mbedtls_inner.h"

#include <mbedtls/aes.h>
#include <mbedtls/platform_util.h>

/*
 * AES-CMAC-96 (RFC 4494) and AES-XCBC-96 (RFC 3566): CBC-MACs which differ
 * only in the keys derived for the last block. mbedTLS has no XCBC, and its
 * CMAC allocates; so both are made here, of its AES.
 */

#if defined(MBEDTLS_AES_C) && \
    !(defined(IPSEC_NO_CMAC) && defined(IPSEC_NO_XCBC))
#define HAVE_CBCMAC
#endif

#define BLOCK 16

#if defined(HAVE_CBCMAC)
struct cbcmac {
    mbedtls_aes_context aes;
    uint8_t full[BLOCK]; /* XORed to a last block that is whole ... */
    uint8_t part[BLOCK]; /* ... and to one that was padded */
};

static int
cipher(struct cbcmac *m, const uint8_t *in, uint8_t *out)
{
    return mbedtls_aes_crypt_ecb(&m->aes, MBEDTLS_AES_ENCRYPT, in, out);
}

static void
cbcmac_free(const struct mac_row *row, void *ctx)
{
    struct cbcmac *m = ctx;

    (void)row;
    mbedtls_aes_free(&m->aes);
    mbedtls_platform_zeroize(m, sizeof *m);
}
#endif

#if defined(HAVE_CBCMAC) && !defined(IPSEC_NO_CMAC)
/* Times x in GF(2^128) (RFC 4493 section 2.3). */
static void
times_x(uint8_t *out, const uint8_t *in)
{
    unsigned carry = in[0] >> 7;
    size_t i;

    for (i = 0; i < BLOCK - 1; i++) {
        out[i] = (uint8_t)(in[i] << 1 | in[i + 1] >> 7);
    }
    out[i] = (uint8_t)((unsigned)in[i] << 1 ^ carry * 0x87);
}

static int
cmac_init(const struct mac_row *row, void *ctx, const uint8_t *key)
{
    struct cbcmac *m = ctx;
    uint8_t block[BLOCK] = { 0 };
    int rc;

    mbedtls_aes_init(&m->aes);
    rc = mbedtls_aes_setkey_enc(&m->aes, key, row->key_len * 8u);
    if (rc == 0) {
        rc = cipher(m, block, block);
    }
    times_x(m->full, block);
    times_x(m->part, m->full);
    mbedtls_platform_zeroize(block, sizeof block);
    return rc;
}
#endif

#if defined(HAVE_CBCMAC) && !defined(IPSEC_NO_XCBC)
/* Out of the key, one of three: the ciphertext of `n` 16 times. */
static int
derive(struct cbcmac *m, uint8_t *out, uint8_t n)
{
    memset(out, n, BLOCK);
    return cipher(m, out, out);
}

/* RFC 3566 section 4 */
static int
xcbc_init(const struct mac_row *row, void *ctx, const uint8_t *key)
{
    struct cbcmac *m = ctx;
    uint8_t k1[BLOCK];
    int rc;

    mbedtls_aes_init(&m->aes);
    rc = mbedtls_aes_setkey_enc(&m->aes, key, row->key_len * 8u);
    if (rc == 0) {
        rc = derive(m, k1, 1);
    }
    if (rc == 0) {
        rc = derive(m, m->full, 2);
    }
    if (rc == 0) {
        rc = derive(m, m->part, 3);
    }
    if (rc == 0) {
        rc = mbedtls_aes_setkey_enc(&m->aes, k1, BLOCK * 8);
    }
    mbedtls_platform_zeroize(k1, sizeof k1);
    return rc;
}
#endif

#if defined(HAVE_CBCMAC)
/* More of the message into `mac`, where the last block has `*fill` bytes. It
 * waits there until it is known not to be the last of all. */
static int
absorb(struct cbcmac *m, uint8_t *mac, size_t *fill, const uint8_t *p,
       size_t len)
{
    int rc = 0;

    for (; len > 0 && rc == 0; len--) {
        if (*fill == BLOCK) {
            rc = cipher(m, mac, mac);
            *fill = 0;
        }
        mac[(*fill)++] ^= *p++;
    }
    return rc;
}

static int
finish(struct cbcmac *m, uint8_t *mac, size_t fill)
{
    const uint8_t *last = fill == BLOCK ? m->full : m->part;
    size_t i;

    if (fill < BLOCK) {
        mac[fill] ^= 0x80;
    }
    for (i = 0; i < BLOCK; i++) {
        mac[i] ^= last[i];
    }
    return cipher(m, mac, mac);
}

static int
cbcmac_make(const struct mac_row *row, void *ctx, const struct ipsec_op *op,
            uint8_t mac[MAC_MAX])
{
    size_t fill = 0;
    int rc;

    (void)row;
    memset(mac, 0, BLOCK);
    rc = absorb(ctx, mac, &fill, op->aad, op->aad_len);
    if (rc == 0) {
        rc = absorb(ctx, mac, &fill, op->text, op->len);
    }
    if (rc == 0) {
        rc = absorb(ctx, mac, &fill, op->tail, op->tail_len);
    }
    return rc == 0 ? finish(ctx, mac, fill) : rc;
}
#endif

static const struct mac_row rows[] = {
#if defined(HAVE_CBCMAC) && !defined(IPSEC_NO_CMAC)
    { IPSEC_INTEG_AES_CMAC_96, BLOCK, 12, sizeof(struct cbcmac), cmac_init,
      cbcmac_free, cbcmac_make, NULL },
#endif
#if defined(HAVE_CBCMAC) && !defined(IPSEC_NO_XCBC)
    { IPSEC_INTEG_AES_XCBC_96, BLOCK, 12, sizeof(struct cbcmac), xcbc_init,
      cbcmac_free, cbcmac_make, NULL },
#endif
    { 0 }
};

/* see mbedtls_inner.h */
const struct mac_row *
ipsec_mbedtls_cbcmac(uint16_t id)
{
    const struct mac_row *row = rows;

    while (row->id != 0 && row->id != id) {
        row++;
    }
    return row->id != 0 ? row : NULL;
}
