/* SPDX-License-Identifier: MIT */
#include "ipsec_mbedtls.h"

#include <mbedtls/aes.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#include <string.h>

/*
 * Keyed contexts, made once for each SA. HMAC stands on the SHA-256 contexts
 * rather than on mbedTLS's md layer, which allocates; and the states after
 * the two padded keys are kept, which for short packets halves the work
 * (RFC 2104 section 4).
 */

#define SALT    4
#define NONCE   12
#define BLOCK   64 /* of SHA-256 */
#define DIGEST  32

#if MBEDTLS_VERSION_NUMBER < 0x03000000
#define sha256_starts mbedtls_sha256_starts_ret
#define sha256_update mbedtls_sha256_update_ret
#define sha256_finish mbedtls_sha256_finish_ret
#else
#define sha256_starts mbedtls_sha256_starts
#define sha256_update mbedtls_sha256_update
#define sha256_finish mbedtls_sha256_finish
#endif

struct head {
    uint16_t encr;
    uint8_t  salt[SALT];
};

#if defined(MBEDTLS_GCM_C)
struct gcm_key {
    struct head         head;
    mbedtls_gcm_context gcm;
};
#endif

#if defined(MBEDTLS_CHACHAPOLY_C)
struct chacha_key {
    struct head                head;
    mbedtls_chachapoly_context chacha;
};
#endif

#if defined(MBEDTLS_SHA256_C)
struct mac_key {
    struct head            head;
    mbedtls_sha256_context inner, outer;
};

#if defined(MBEDTLS_CIPHER_MODE_CBC)
struct cbc_key {
    struct mac_key      mac; /* first: a cbc_key is a mac_key */
    mbedtls_aes_context aes;
};
#endif
#endif

/* AEADs */

static void
nonce_make(uint8_t *nonce, const struct head *head, const uint8_t *iv)
{
    memcpy(nonce, head->salt, SALT);
    memcpy(nonce + SALT, iv, NONCE - SALT);
}

#if defined(MBEDTLS_GCM_C)
static int
gcm_init(struct gcm_key *key, const struct ipsec_keymat *km)
{
    unsigned bits = (unsigned)(km->encr_key_len - SALT) * 8;

    memcpy(key->head.salt, km->encr_key + km->encr_key_len - SALT, SALT);
    mbedtls_gcm_init(&key->gcm);
    return mbedtls_gcm_setkey(&key->gcm, MBEDTLS_CIPHER_ID_AES, km->encr_key,
                              bits);
}

static int
gcm_run(struct gcm_key *key, struct ipsec_op *op)
{
    uint8_t nonce[NONCE];
    int rc;

    nonce_make(nonce, &key->head, op->iv);
    if (!op->open) {
        rc = mbedtls_gcm_crypt_and_tag(&key->gcm, MBEDTLS_GCM_ENCRYPT,
                                       op->len, nonce, NONCE, op->aad,
                                       op->aad_len, op->text, op->text, 16,
                                       op->icv);
        return rc == 0 ? IPSEC_OK : IPSEC_ERR_CRYPTO;
    }
    rc = mbedtls_gcm_auth_decrypt(&key->gcm, op->len, nonce, NONCE, op->aad,
                                  op->aad_len, op->icv, 16, op->text,
                                  op->text);
    if (rc == MBEDTLS_ERR_GCM_AUTH_FAILED) {
        return IPSEC_ERR_AUTH;
    }
    return rc == 0 ? IPSEC_OK : IPSEC_ERR_CRYPTO;
}
#endif

#if defined(MBEDTLS_CHACHAPOLY_C)
static int
chacha_init(struct chacha_key *key, const struct ipsec_keymat *km)
{
    memcpy(key->head.salt, km->encr_key + km->encr_key_len - SALT, SALT);
    mbedtls_chachapoly_init(&key->chacha);
    return mbedtls_chachapoly_setkey(&key->chacha, km->encr_key);
}

static int
chacha_run(struct chacha_key *key, struct ipsec_op *op)
{
    uint8_t nonce[NONCE];
    int rc;

    nonce_make(nonce, &key->head, op->iv);
    if (!op->open) {
        rc = mbedtls_chachapoly_encrypt_and_tag(&key->chacha, op->len, nonce,
                                                op->aad, op->aad_len,
                                                op->text, op->text, op->icv);
        return rc == 0 ? IPSEC_OK : IPSEC_ERR_CRYPTO;
    }
    rc = mbedtls_chachapoly_auth_decrypt(&key->chacha, op->len, nonce,
                                         op->aad, op->aad_len, op->icv,
                                         op->text, op->text);
    if (rc == MBEDTLS_ERR_CHACHAPOLY_AUTH_FAILED) {
        return IPSEC_ERR_AUTH;
    }
    return rc == 0 ? IPSEC_OK : IPSEC_ERR_CRYPTO;
}
#endif

/* HMAC-SHA2-256-128, alone or with CBC */

#if defined(MBEDTLS_SHA256_C)
/* The state after the key, padded to a block and XORed with `pad`. */
static int
pad_init(mbedtls_sha256_context *ctx, const struct ipsec_keymat *km,
         uint8_t pad)
{
    uint8_t block[BLOCK];
    size_t i;
    int rc;

    memset(block, pad, sizeof block);
    for (i = 0; i < km->integ_key_len; i++) {
        block[i] ^= km->integ_key[i];
    }
    rc = sha256_starts(ctx, 0);
    if (rc == 0) {
        rc = sha256_update(ctx, block, sizeof block);
    }
    mbedtls_platform_zeroize(block, sizeof block);
    return rc;
}

static int
mac_init(struct mac_key *key, const struct ipsec_keymat *km)
{
    int rc;

    mbedtls_sha256_init(&key->inner);
    mbedtls_sha256_init(&key->outer);
    rc = pad_init(&key->inner, km, 0x36);
    return rc == 0 ? pad_init(&key->outer, km, 0x5c) : rc;
}

static int
digest_end(mbedtls_sha256_context *ctx, uint8_t *digest, int rc)
{
    if (rc == 0) {
        rc = sha256_finish(ctx, digest);
    }
    mbedtls_sha256_free(ctx);
    return rc;
}

/* HMAC(aad | text | tail) */
static int
mac_make(const struct mac_key *key, const struct ipsec_op *op,
         uint8_t *digest)
{
    mbedtls_sha256_context ctx;
    int rc;

    mbedtls_sha256_init(&ctx);
    mbedtls_sha256_clone(&ctx, &key->inner);
    rc = sha256_update(&ctx, op->aad, op->aad_len);
    if (rc == 0) {
        rc = sha256_update(&ctx, op->text, op->len);
    }
    if (rc == 0 && op->tail_len != 0) {
        rc = sha256_update(&ctx, op->tail, op->tail_len);
    }
    rc = digest_end(&ctx, digest, rc);
    if (rc != 0) {
        return rc;
    }
    mbedtls_sha256_init(&ctx);
    mbedtls_sha256_clone(&ctx, &key->outer);
    rc = sha256_update(&ctx, digest, DIGEST);
    return digest_end(&ctx, digest, rc);
}

static int
mac_seal(const struct mac_key *key, struct ipsec_op *op)
{
    uint8_t digest[DIGEST];

    if (mac_make(key, op, digest) != 0) {
        return IPSEC_ERR_CRYPTO;
    }
    memcpy(op->icv, digest, 16);
    return IPSEC_OK;
}

static int
mac_check(const struct mac_key *key, const struct ipsec_op *op)
{
    uint8_t digest[DIGEST];
    int rc;

    if (mac_make(key, op, digest) != 0) {
        return IPSEC_ERR_CRYPTO;
    }
    rc = mbedtls_ct_memcmp(digest, op->icv, 16) == 0
        ? IPSEC_OK : IPSEC_ERR_AUTH;
    mbedtls_platform_zeroize(digest, sizeof digest); /* a forger's wish */
    return rc;
}

static int
mac_run(const struct mac_key *key, struct ipsec_op *op)
{
    return op->open ? mac_check(key, op) : mac_seal(key, op);
}

#if defined(MBEDTLS_CIPHER_MODE_CBC)
static int
cbc_init(struct cbc_key *key, const struct ipsec_keymat *km, int open)
{
    unsigned bits = (unsigned)km->encr_key_len * 8;

    mbedtls_aes_init(&key->aes);
    if (mac_init(&key->mac, km) != 0) {
        return -1;
    }
    return open ? mbedtls_aes_setkey_dec(&key->aes, km->encr_key, bits)
                : mbedtls_aes_setkey_enc(&key->aes, km->encr_key, bits);
}

/* The text begins with the IV field: see crypto.h. */
static int
cbc_crypt(struct cbc_key *key, struct ipsec_op *op, int mode)
{
    uint8_t chain[16] = { 0 };

    return mbedtls_aes_crypt_cbc(&key->aes, mode, op->len, chain, op->text,
                                 op->text) == 0
        ? IPSEC_OK : IPSEC_ERR_CRYPTO;
}

static int
cbc_run(struct cbc_key *key, struct ipsec_op *op)
{
    int rc;

    if (op->open) {
        rc = mac_check(&key->mac, op);
        return rc == IPSEC_OK ? cbc_crypt(key, op, MBEDTLS_AES_DECRYPT) : rc;
    }
    rc = cbc_crypt(key, op, MBEDTLS_AES_ENCRYPT);
    return rc == IPSEC_OK ? mac_seal(&key->mac, op) : rc;
}
#endif
#endif

/* The class */

static int
is_aes(unsigned len)
{
    return len == 16 || len == 24 || len == 32;
}

static size_t
key_size(const struct ipsec_crypto *self, const struct ipsec_keymat *km)
{
    unsigned len = km->encr_key_len;
    int aead = km->integ == IPSEC_INTEG_NONE && len > SALT;
    int mac = km->integ == IPSEC_INTEG_HMAC_SHA2_256_128 &&
              km->integ_key_len <= BLOCK;

    (void)self;
    (void)aead;
    (void)mac;
    switch (km->encr) {
#if defined(MBEDTLS_GCM_C)
    case IPSEC_ENCR_AES_GCM_16:
        return aead && is_aes(len - SALT) ? sizeof(struct gcm_key) : 0;
#endif
#if defined(MBEDTLS_CHACHAPOLY_C)
    case IPSEC_ENCR_CHACHA20_POLY1305:
        return aead && len == 32 + SALT ? sizeof(struct chacha_key) : 0;
#endif
#if defined(MBEDTLS_SHA256_C)
#if defined(MBEDTLS_CIPHER_MODE_CBC)
    case IPSEC_ENCR_AES_CBC:
        return mac && is_aes(len) ? sizeof(struct cbc_key) : 0;
#endif
    case IPSEC_ENCR_NULL:
        return mac && len == 0 ? sizeof(struct mac_key) : 0;
#endif
    default:
        return 0;
    }
}

static void
key_wipe(const struct ipsec_crypto *self, void *key)
{
    struct head *head = key;
    size_t size = 0;

    (void)self;
    switch (head->encr) {
#if defined(MBEDTLS_GCM_C)
    case IPSEC_ENCR_AES_GCM_16:
        mbedtls_gcm_free(&((struct gcm_key *)key)->gcm);
        size = sizeof(struct gcm_key);
        break;
#endif
#if defined(MBEDTLS_CHACHAPOLY_C)
    case IPSEC_ENCR_CHACHA20_POLY1305:
        mbedtls_chachapoly_free(&((struct chacha_key *)key)->chacha);
        size = sizeof(struct chacha_key);
        break;
#endif
#if defined(MBEDTLS_SHA256_C)
#if defined(MBEDTLS_CIPHER_MODE_CBC)
    case IPSEC_ENCR_AES_CBC:
        mbedtls_aes_free(&((struct cbc_key *)key)->aes);
        mbedtls_sha256_free(&((struct mac_key *)key)->inner);
        mbedtls_sha256_free(&((struct mac_key *)key)->outer);
        size = sizeof(struct cbc_key);
        break;
#endif
    case IPSEC_ENCR_NULL:
        mbedtls_sha256_free(&((struct mac_key *)key)->inner);
        mbedtls_sha256_free(&((struct mac_key *)key)->outer);
        size = sizeof(struct mac_key);
        break;
#endif
    default:
        break;
    }
    mbedtls_platform_zeroize(key, size);
}

static int
key_init(const struct ipsec_crypto *self, void *key,
         const struct ipsec_keymat *km, int open)
{
    struct head *head = key;
    int rc = -1;

    (void)open;
    if (key_size(self, km) == 0) {
        return IPSEC_ERR_UNSUPPORTED;
    }
    memset(key, 0, key_size(self, km));
    head->encr = km->encr;
    switch (km->encr) {
#if defined(MBEDTLS_GCM_C)
    case IPSEC_ENCR_AES_GCM_16:
        rc = gcm_init(key, km);
        break;
#endif
#if defined(MBEDTLS_CHACHAPOLY_C)
    case IPSEC_ENCR_CHACHA20_POLY1305:
        rc = chacha_init(key, km);
        break;
#endif
#if defined(MBEDTLS_SHA256_C)
#if defined(MBEDTLS_CIPHER_MODE_CBC)
    case IPSEC_ENCR_AES_CBC:
        rc = cbc_init(key, km, open);
        break;
#endif
    case IPSEC_ENCR_NULL:
        rc = mac_init(key, km);
        break;
#endif
    default:
        break;
    }
    if (rc != 0) {
        key_wipe(self, key);
        return IPSEC_ERR_CRYPTO;
    }
    return IPSEC_OK;
}

static int
run(const struct ipsec_crypto *self, struct ipsec_op *op)
{
    const struct head *head = op->key;

    (void)self;
    switch (head->encr) {
#if defined(MBEDTLS_GCM_C)
    case IPSEC_ENCR_AES_GCM_16:
        return gcm_run(op->key, op);
#endif
#if defined(MBEDTLS_CHACHAPOLY_C)
    case IPSEC_ENCR_CHACHA20_POLY1305:
        return chacha_run(op->key, op);
#endif
#if defined(MBEDTLS_SHA256_C)
#if defined(MBEDTLS_CIPHER_MODE_CBC)
    case IPSEC_ENCR_AES_CBC:
        return cbc_run(op->key, op);
#endif
    case IPSEC_ENCR_NULL:
        return mac_run(op->key, op);
#endif
    default:
        return IPSEC_ERR_CRYPTO;
    }
}

const struct ipsec_crypto ipsec_mbedtls = {
    "mbedtls", key_size, key_init, key_wipe, run
};
