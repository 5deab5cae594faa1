/* SPDX-License-Identifier: MIT */
#include "mbedtls_inner.h"

#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>

/*
 * The class: which rows an SA's algorithms are, and where a key keeps what.
 * Keyed contexts are made once for each SA.
 */

#define IV 8 /* of all algorithms that have a salt */

/* Contexts of any kind may follow. */
#define ALIGNED(n) (((n) + 7) & ~(size_t)7)

struct key {
    const struct encr_row *encr;
    const struct mac_row  *mac; /* NULL: an AEAD */
    uint8_t                salt[NONCE - IV];
};

static const struct encr_row *
encr_find(uint16_t id)
{
    const struct encr_row *row = ipsec_mbedtls_aead(id);

    return row != NULL ? row : ipsec_mbedtls_cipher(id);
}

static const struct mac_row *
mac_find(uint16_t id)
{
    const struct mac_row *row = ipsec_mbedtls_hmac(id);

    if (row == NULL) {
        row = ipsec_mbedtls_cbcmac(id);
    }
    return row != NULL ? row : ipsec_mbedtls_gmac(id);
}

static void *
encr_state(struct key *key)
{
    return (uint8_t *)key + ALIGNED(sizeof *key);
}

static void *
mac_state(struct key *key)
{
    return (uint8_t *)encr_state(key) + ALIGNED(key->encr->size);
}

static size_t
size_of(const struct encr_row *encr, const struct mac_row *mac)
{
    return ALIGNED(sizeof(struct key)) + ALIGNED(encr->size) +
           (mac != NULL ? mac->size : 0);
}

static int
encr_takes(const struct encr_row *row, size_t len)
{
    return len >= (size_t)row->key_min + row->salt_len &&
           len <= (size_t)row->key_max + row->salt_len &&
           (len - row->salt_len) % 8 == 0;
}

static size_t
key_size(const struct ipsec_crypto *self, const struct ipsec_keymat *km)
{
    const struct encr_row *encr = encr_find(km->encr);
    const struct mac_row *mac = mac_find(km->integ);

    (void)self;
    if (encr == NULL || !encr_takes(encr, km->encr_key_len)) {
        return 0;
    }
    if (encr->tag_len != 0) {
        return km->integ == IPSEC_INTEG_NONE ? size_of(encr, NULL) : 0;
    }
    return mac != NULL && km->integ_key_len == mac->key_len
        ? size_of(encr, mac) : 0;
}

static void
key_wipe(const struct ipsec_crypto *self, void *mem)
{
    struct key *key = mem;

    (void)self;
    if (key->encr->free != NULL) {
        key->encr->free(encr_state(key));
    }
    if (key->mac != NULL) {
        key->mac->free(key->mac, mac_state(key));
    }
    mbedtls_platform_zeroize(key, size_of(key->encr, key->mac));
}

static int
states_init(struct key *key, const struct ipsec_keymat *km, int open)
{
    const struct encr_row *encr = key->encr;
    size_t len = (size_t)km->encr_key_len - encr->salt_len;
    int rc = 0;

    if (encr->salt_len != 0) {
        memcpy(key->salt, km->encr_key + len, encr->salt_len);
    }
    if (encr->init != NULL) {
        rc = encr->init(encr_state(key), km->encr_key, (unsigned)len * 8,
                        open);
    }
    if (rc == 0 && key->mac != NULL) {
        rc = key->mac->init(key->mac, mac_state(key), km->integ_key);
    }
    return rc;
}

static int
key_init(const struct ipsec_crypto *self, void *mem,
         const struct ipsec_keymat *km, int open)
{
    struct key *key = mem;
    size_t size = key_size(self, km);

    if (size == 0) {
        return IPSEC_ERR_UNSUPPORTED;
    }
    memset(key, 0, size);
    key->encr = encr_find(km->encr);
    key->mac = mac_find(km->integ);
    if (states_init(key, km, open) != 0) {
        key_wipe(self, key);
        return IPSEC_ERR_CRYPTO;
    }
    return IPSEC_OK;
}

static int
text_run(struct key *key, struct ipsec_op *op)
{
    const struct encr_row *row = key->encr;
    uint8_t nonce[NONCE] = { 0 };
    int rc;

    if (row->crypt == NULL) {
        return IPSEC_OK;
    }
    if (row->salt_len != 0) {
        memcpy(nonce, key->salt, row->salt_len);
        memcpy(nonce + row->salt_len, op->iv, IV);
    }
    rc = row->crypt(encr_state(key), op, nonce, row->tag_len);
    if (rc == 0) {
        return IPSEC_OK;
    }
    return op->open && rc == row->bad_tag ? IPSEC_ERR_AUTH : IPSEC_ERR_CRYPTO;
}

static int
mac_seal(struct key *key, struct ipsec_op *op)
{
    uint8_t mac[MAC_MAX];

    if (key->mac->make(key->mac, mac_state(key), op, mac) != 0) {
        return IPSEC_ERR_CRYPTO;
    }
    memcpy(op->icv, mac, key->mac->icv_len);
    return IPSEC_OK;
}

static int
mac_check(struct key *key, const struct ipsec_op *op)
{
    uint8_t mac[MAC_MAX];
    int rc;

    if (key->mac->make(key->mac, mac_state(key), op, mac) != 0) {
        return IPSEC_ERR_CRYPTO;
    }
    rc = mbedtls_ct_memcmp(mac, op->icv, key->mac->icv_len) == 0
        ? IPSEC_OK : IPSEC_ERR_AUTH;
    mbedtls_platform_zeroize(mac, sizeof mac); /* a forger's wish */
    return rc;
}

static int
run(const struct ipsec_crypto *self, struct ipsec_op *op)
{
    struct key *key = op->key;
    int rc;

    (void)self;
    if (key->mac == NULL) {
        return text_run(key, op);
    }
    rc = op->open ? mac_check(key, op) : text_run(key, op);
    if (rc != IPSEC_OK) {
        return rc;
    }
    return op->open ? text_run(key, op) : mac_seal(key, op);
}

const struct ipsec_crypto ipsec_mbedtls = {
    "mbedtls", key_size, key_init, key_wipe, run
};
