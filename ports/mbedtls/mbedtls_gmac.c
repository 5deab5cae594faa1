/* SPDX-License-Identifier: MIT */
#include "mbedtls_inner.h"

#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>

/*
 * AES-GMAC as the MAC of AH (RFC 4543 section 4): GCM with a text of no bytes,
 * and all that is authenticated as its additional data. Of AH that is in three
 * pieces: headers, payload and, with 64-bit numbers, their high half.
 */

#if defined(MBEDTLS_AES_C) && defined(MBEDTLS_GCM_C) &&                       \
    !defined(IPSEC_NO_AH) && !defined(IPSEC_NO_GMAC)
#define HAVE_GMAC
#endif

#define BLOCK 16
#define SALT   4

#if defined(HAVE_GMAC)
struct gmac {
    mbedtls_gcm_context gcm;
    uint8_t salt[SALT];
};

static int
gmac_init(const struct mac_row *row, void *ctx, const uint8_t *key)
{
    struct gmac *m = ctx;
    size_t len = (size_t)row->key_len - SALT;

    memcpy(m->salt, key + len, SALT);
    mbedtls_gcm_init(&m->gcm);
    return mbedtls_gcm_setkey(&m->gcm, MBEDTLS_CIPHER_ID_AES, key,
                              (unsigned)len * 8);
}

static void
gmac_free(const struct mac_row *row, void *ctx)
{
    struct gmac *m = ctx;

    (void)row;
    mbedtls_gcm_free(&m->gcm);
    mbedtls_platform_zeroize(m, sizeof *m);
}

#if MBEDTLS_VERSION_NUMBER >= 0x03000000

static int
pieces_make(mbedtls_gcm_context *gcm, const struct ipsec_op *op,
            const uint8_t *nonce, uint8_t *mac)
{
    size_t n;
    int rc = mbedtls_gcm_starts(gcm, MBEDTLS_GCM_ENCRYPT, nonce, NONCE);

    if (rc == 0) {
        rc = mbedtls_gcm_update_ad(gcm, op->aad, op->aad_len);
    }
    if (rc == 0) {
        rc = mbedtls_gcm_update_ad(gcm, op->text, op->len);
    }
    if (rc == 0) {
        rc = mbedtls_gcm_update_ad(gcm, op->tail, op->tail_len);
    }
    return rc == 0 ? mbedtls_gcm_finish(gcm, NULL, 0, &n, mac, BLOCK) : rc;
}

#else

/* mbedTLS 2.28 takes additional data in one piece only, but a ciphertext in as
 * many as there are, of whole blocks. GHASH takes both alike, and tells them
 * apart by their lengths, which come last (SP 800-38D section 7.1): so all is
 * deciphered, to nowhere, and the lengths are then set. */

#define CHUNK ((size_t)8 * BLOCK)

struct feed {
    mbedtls_gcm_context *gcm;
    uint8_t rest[BLOCK];
    size_t  n;
};

static int
feed(struct feed *f, const uint8_t *p, size_t len)
{
    uint8_t nowhere[CHUNK];
    size_t take;
    int rc = 0;

    while (rc == 0 && len > 0) {
        if (f->n == 0 && len >= BLOCK) {
            take = len < CHUNK ? len & ~(size_t)(BLOCK - 1) : CHUNK;
            rc = mbedtls_gcm_update(f->gcm, take, p, nowhere);
        } else {
            take = len < BLOCK - f->n ? len : BLOCK - f->n;
            memcpy(f->rest + f->n, p, take);
            f->n += take;
            if (f->n == BLOCK) {
                rc = mbedtls_gcm_update(f->gcm, BLOCK, f->rest, nowhere);
                f->n = 0;
            }
        }
        p += take;
        len -= take;
    }
    mbedtls_platform_zeroize(nowhere, sizeof nowhere);
    return rc;
}

static int
pieces_make(mbedtls_gcm_context *gcm, const struct ipsec_op *op,
            const uint8_t *nonce, uint8_t *mac)
{
    uint8_t nowhere[BLOCK];
    struct feed f = { gcm, { 0 }, 0 };
    int rc = mbedtls_gcm_starts(gcm, MBEDTLS_GCM_DECRYPT, nonce, NONCE, NULL,
                                0);

    if (rc == 0) {
        rc = feed(&f, op->aad, op->aad_len);
    }
    if (rc == 0) {
        rc = feed(&f, op->text, op->len);
    }
    if (rc == 0) {
        rc = feed(&f, op->tail, op->tail_len);
    }
    if (rc == 0) {
        rc = mbedtls_gcm_update(gcm, f.n, f.rest, nowhere);
    }
    gcm->add_len = gcm->len;
    gcm->len = 0;
    mbedtls_platform_zeroize(nowhere, sizeof nowhere);
    return rc == 0 ? mbedtls_gcm_finish(gcm, mac, BLOCK) : rc;
}

#endif

static int
gmac_make(const struct mac_row *row, void *ctx, const struct ipsec_op *op,
          uint8_t mac[MAC_MAX])
{
    struct gmac *m = ctx;
    uint8_t nonce[NONCE];

    (void)row;
    memcpy(nonce, m->salt, SALT);
    memcpy(nonce + SALT, op->iv, NONCE - SALT);
    return pieces_make(&m->gcm, op, nonce, mac);
}

#define GMAC(id, key)                                                         \
    { id, (key) + SALT, BLOCK, sizeof(struct gmac), gmac_init, gmac_free,     \
      gmac_make, NULL }
#endif

static const struct mac_row rows[] = {
#if defined(HAVE_GMAC)
    GMAC(IPSEC_INTEG_AES_GMAC_128, 16),
#if AES_MAX > 16
    GMAC(IPSEC_INTEG_AES_GMAC_192, 24),
    GMAC(IPSEC_INTEG_AES_GMAC_256, 32),
#endif
#endif
    { 0 }
};

/* see mbedtls_inner.h */
const struct mac_row *
ipsec_mbedtls_gmac(uint16_t id)
{
    const struct mac_row *row = rows;

    while (row->id != 0 && row->id != id) {
        row++;
    }
    return row->id != 0 ? row : NULL;
}
