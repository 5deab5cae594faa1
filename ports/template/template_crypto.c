/* SPDX-License-Identifier: MIT */
#include "template.h"

#include <string.h>

/*
 * A backend of one algorithm, AES-GCM with a tag of 16 bytes, whose cipher is
 * to be filled in: see docs/CRYPTO.md for the shape of the others. As it is,
 * SAs can be added and each packet fails with IPSEC_ERR_CRYPTO.
 */

#define SALT 4
#define IV   8

struct key {
    uint8_t aes[32]; /* REPLACE: what your engine makes of a key */
    size_t  len;
    uint8_t salt[SALT];
};

/* REPLACE: op->text, of op->len bytes, in place; the tag is at op->icv. 0; 1:
 * the tag, compared in constant time, is another, and nothing of the plaintext
 * remains; negative: the engine failed. */
static int
engine_gcm(const struct key *key, const uint8_t nonce[SALT + IV],
           struct ipsec_op *op)
{
    (void)key;
    (void)nonce;
    (void)op;
    return -1;
}

static size_t
key_size(const struct ipsec_crypto *self, const struct ipsec_keymat *km)
{
    size_t len = km->encr_key_len;

    (void)self;
    return km->encr == IPSEC_ENCR_AES_GCM_16 &&
           km->integ == IPSEC_INTEG_NONE &&
           (len == 16 + SALT || len == 24 + SALT || len == 32 + SALT)
        ? sizeof(struct key) : 0;
}

static int
key_init(const struct ipsec_crypto *self, void *mem,
         const struct ipsec_keymat *km, int open)
{
    struct key *key = mem;

    (void)open; /* of CBC it decides on the schedule */
    if (key_size(self, km) == 0) {
        return IPSEC_ERR_UNSUPPORTED;
    }
    memset(key, 0, sizeof *key);
    key->len = (size_t)km->encr_key_len - SALT;
    memcpy(key->aes, km->encr_key, key->len);
    memcpy(key->salt, km->encr_key + key->len, SALT);
    return IPSEC_OK;
}

static void
key_wipe(const struct ipsec_crypto *self, void *mem)
{
    volatile uint8_t *byte = mem;
    size_t i;

    (void)self;
    for (i = 0; i < sizeof(struct key); i++) {
        byte[i] = 0;
    }
}

static int
run(const struct ipsec_crypto *self, struct ipsec_op *op)
{
    const struct key *key = op->key;
    uint8_t nonce[SALT + IV];
    int rc;

    (void)self;
    memcpy(nonce, key->salt, SALT);
    memcpy(nonce + SALT, op->iv, IV);
    rc = engine_gcm(key, nonce, op);
    if (rc == 0) {
        return IPSEC_OK;
    }
    return op->open && rc == 1 ? IPSEC_ERR_AUTH : IPSEC_ERR_CRYPTO;
}

const struct ipsec_crypto template_crypto = {
    "template", key_size, key_init, key_wipe, run
};
