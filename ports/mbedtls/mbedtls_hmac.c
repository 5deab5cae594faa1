/* SPDX-License-Identifier: MIT */
#include "mbedtls_inner.h"

#include <mbedtls/platform_util.h>
#include <mbedtls/sha1.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>

/*
 * HMAC: RFC 2404, 4868. It stands on the hashes' contexts rather than on
 * mbedTLS's md layer, which allocates; and the states after the two padded
 * keys are kept, which for short packets halves the work (RFC 2104 section
 * 4). So the state is two contexts, inner and outer.
 */

#if defined(MBEDTLS_SHA1_C) && !defined(IPSEC_NO_SHA1)
#define HAVE_SHA1
#endif
#if defined(MBEDTLS_SHA512_C) && !defined(IPSEC_NO_SHA512)
#define HAVE_SHA512
#endif
#if !defined(IPSEC_NO_SHA512) && \
    (defined(MBEDTLS_SHA384_C) || \
     (MBEDTLS_VERSION_NUMBER < 0x03000000 && defined(MBEDTLS_SHA512_C) && \
      !defined(MBEDTLS_SHA512_NO_SHA384)))
#define HAVE_SHA384
#endif

#if defined(MBEDTLS_SHA256_C) || defined(HAVE_SHA1) || \
    defined(HAVE_SHA384) || defined(HAVE_SHA512)
#define HAVE_HMAC
#endif

#define BLOCK_MAX 128

struct hash {
    uint8_t block, digest;
    size_t  size;
    int   (*start)(void *ctx);
    int   (*update)(void *ctx, const uint8_t *p, size_t len);
    int   (*finish)(void *ctx, uint8_t *digest);
    void  (*clone)(void *ctx, const void *from);
    void  (*free)(void *ctx);
};

#if defined(HAVE_HMAC)
/* Memory for any of them. */
union context {
#if defined(HAVE_SHA1)
    mbedtls_sha1_context   sha1;
#endif
#if defined(MBEDTLS_SHA256_C)
    mbedtls_sha256_context sha256;
#endif
#if defined(HAVE_SHA512) || defined(HAVE_SHA384)
    mbedtls_sha512_context sha512;
#endif
};
#endif

#if MBEDTLS_VERSION_NUMBER < 0x03000000
#define CALL(name) mbedtls_ ## name ## _ret
#else
#define CALL(name) mbedtls_ ## name
#endif

/* What is alike in all of them. */
#define HASH(sha)                                                             \
    static int                                                                \
    sha ## _more(void *ctx, const uint8_t *p, size_t len)                     \
    {                                                                         \
        return CALL(sha ## _update)(ctx, p, len);                             \
    }                                                                         \
    static int                                                                \
    sha ## _end(void *ctx, uint8_t *digest)                                   \
    {                                                                         \
        return CALL(sha ## _finish)(ctx, digest);                             \
    }                                                                         \
    static void                                                               \
    sha ## _copy(void *ctx, const void *from)                                 \
    {                                                                         \
        mbedtls_ ## sha ## _init(ctx);                                        \
        mbedtls_ ## sha ## _clone(ctx, from);                                 \
    }                                                                         \
    static void                                                               \
    sha ## _free(void *ctx)                                                   \
    {                                                                         \
        mbedtls_ ## sha ## _free(ctx);                                        \
    }

#define HASH_ROW(sha, start, block, digest)                                   \
    { block, digest, sizeof(mbedtls_ ## sha ## _context), start,              \
      sha ## _more, sha ## _end, sha ## _copy, sha ## _free }

#if defined(HAVE_SHA1)
HASH(sha1)

static int
sha1_start(void *ctx)
{
    mbedtls_sha1_init(ctx);
    return CALL(sha1_starts)(ctx);
}

static const struct hash sha1 = HASH_ROW(sha1, sha1_start, 64, 20);
#endif

#if defined(MBEDTLS_SHA256_C)
HASH(sha256)

static int
sha256_start(void *ctx)
{
    mbedtls_sha256_init(ctx);
    return CALL(sha256_starts)(ctx, 0);
}

static const struct hash sha256 = HASH_ROW(sha256, sha256_start, 64, 32);
#endif

#if defined(HAVE_SHA384) || defined(HAVE_SHA512)
HASH(sha512)
#endif

#if defined(HAVE_SHA384)
static int
sha384_start(void *ctx)
{
    mbedtls_sha512_init(ctx);
    return CALL(sha512_starts)(ctx, 1);
}

static const struct hash sha384 = HASH_ROW(sha512, sha384_start, 128, 48);
#endif

#if defined(HAVE_SHA512)
static int
sha512_start(void *ctx)
{
    mbedtls_sha512_init(ctx);
    return CALL(sha512_starts)(ctx, 0);
}

static const struct hash sha512 = HASH_ROW(sha512, sha512_start, 128, 64);
#endif

#if defined(HAVE_HMAC)
/* The state after the key, padded to a block and XORed with `pad`. */
static int
pad_init(const struct mac_row *row, void *ctx, const uint8_t *key, uint8_t pad)
{
    uint8_t block[BLOCK_MAX];
    size_t i;
    int rc;

    memset(block, pad, sizeof block);
    for (i = 0; i < row->key_len; i++) {
        block[i] ^= key[i];
    }
    rc = row->hash->start(ctx);
    if (rc == 0) {
        rc = row->hash->update(ctx, block, row->hash->block);
    }
    mbedtls_platform_zeroize(block, sizeof block);
    return rc;
}

static void *
outer_of(const struct mac_row *row, void *ctx)
{
    return (uint8_t *)ctx + row->hash->size;
}

static int
hmac_init(const struct mac_row *row, void *ctx, const uint8_t *key)
{
    int rc = pad_init(row, ctx, key, 0x36);

    return rc == 0 ? pad_init(row, outer_of(row, ctx), key, 0x5c) : rc;
}

static void
hmac_free(const struct mac_row *row, void *ctx)
{
    row->hash->free(ctx);
    row->hash->free(outer_of(row, ctx));
}

/* End what was begun, unless it went wrong: `rc`. */
static int
digest_end(const struct hash *hash, void *ctx, uint8_t *digest, int rc)
{
    if (rc == 0) {
        rc = hash->finish(ctx, digest);
    }
    hash->free(ctx);
    return rc;
}

static int
hmac_make(const struct mac_row *row, void *ctx, const struct ipsec_op *op,
          uint8_t mac[MAC_MAX])
{
    const struct hash *hash = row->hash;
    union context work;
    int rc;

    hash->clone(&work, ctx);
    rc = hash->update(&work, op->aad, op->aad_len);
    if (rc == 0) {
        rc = hash->update(&work, op->text, op->len);
    }
    if (rc == 0 && op->tail_len != 0) {
        rc = hash->update(&work, op->tail, op->tail_len);
    }
    rc = digest_end(hash, &work, mac, rc);
    if (rc != 0) {
        return rc;
    }
    hash->clone(&work, outer_of(row, ctx));
    rc = hash->update(&work, mac, hash->digest);
    return digest_end(hash, &work, mac, rc);
}

#endif

#define HMAC(id, key, icv, context, hash)                                     \
    { id, key, icv, 2 * sizeof(context), hmac_init, hmac_free, hmac_make,     \
      hash }

static const struct mac_row rows[] = {
#if defined(MBEDTLS_SHA256_C)
    HMAC(IPSEC_INTEG_HMAC_SHA2_256_128, 32, 16, mbedtls_sha256_context,
         &sha256),
#endif
#if defined(HAVE_SHA384)
    HMAC(IPSEC_INTEG_HMAC_SHA2_384_192, 48, 24, mbedtls_sha512_context,
         &sha384),
#endif
#if defined(HAVE_SHA512)
    HMAC(IPSEC_INTEG_HMAC_SHA2_512_256, 64, 32, mbedtls_sha512_context,
         &sha512),
#endif
#if defined(HAVE_SHA1)
    HMAC(IPSEC_INTEG_HMAC_SHA1_96, 20, 12, mbedtls_sha1_context, &sha1),
#endif
    { 0 }
};

/* see mbedtls_inner.h */
const struct mac_row *
ipsec_mbedtls_hmac(uint16_t id)
{
    const struct mac_row *row = rows;

    while (row->id != 0 && row->id != id) {
        row++;
    }
    return row->id != 0 ? row : NULL;
}
