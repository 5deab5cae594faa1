/* SPDX-License-Identifier: MIT */
#include "mbedtls_inner.h"

#include <mbedtls/aes.h>
#include <mbedtls/platform_util.h>

/*
 * AES-GMAC as the MAC of AH (RFC 4543 section 4): GCM with a text of no bytes,
 * and all that is authenticated as its additional data. mbedTLS 2.28 takes
 * those in one piece only, and of AH there are three: headers, payload and,
 * with 64-bit numbers, their high half. So GHASH is made here, 4 bits at a time
 * with a table of 16 multiples, which is mbedTLS's way too.
 */

#if defined(MBEDTLS_AES_C) && !defined(IPSEC_NO_AH) && !defined(IPSEC_NO_GMAC)
#define HAVE_GMAC
#endif

#define BLOCK 16
#define SALT   4

#if defined(HAVE_GMAC)
struct word {
    uint64_t high, low;
};

struct gmac {
    mbedtls_aes_context aes;
    struct word table[16]; /* H times each 4 bits */
    uint8_t salt[SALT];
};

/* What falls off on the right comes back on the left (SP 800-38D section 6.3):
 * x^128 = 1 + x + x^2 + x^7, the lowest power being the first bit. */
static struct word
shifted(struct word w, unsigned bits)
{
    static const uint16_t back[16] = {
        0x0000, 0x1c20, 0x3840, 0x2460, 0x7080, 0x6ca0, 0x48c0, 0x54e0,
        0xe100, 0xfd20, 0xd940, 0xc560, 0x9180, 0x8da0, 0xa9c0, 0xb5e0
    };
    uint64_t off = w.low << (4 - bits) & 15;

    w.low = w.high << (64 - bits) | w.low >> bits;
    w.high = w.high >> bits ^ (uint64_t)back[off] << 48;
    return w;
}

static void
add(struct word *to, const struct word *w)
{
    to->high ^= w->high;
    to->low ^= w->low;
}

static uint64_t
load(const uint8_t *p)
{
    uint64_t v = 0;
    size_t i;

    for (i = 0; i < 8; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

static void
store(uint8_t *p, uint64_t v)
{
    size_t i;

    for (i = 8; i > 0; i--) {
        p[i - 1] = (uint8_t)v;
        v >>= 8;
    }
}

static void
table_make(struct word *table, const uint8_t *h)
{
    size_t i, k;

    memset(table, 0, 16 * sizeof *table);
    table[8].high = load(h);
    table[8].low = load(h + 8);
    for (i = 4; i > 0; i /= 2) {
        table[i] = shifted(table[i * 2], 1);
    }
    for (i = 2; i < 16; i *= 2) {
        for (k = 1; k < i; k++) {
            table[i + k] = table[i];
            add(&table[i + k], &table[k]);
        }
    }
}

/* `x` times H. */
static void
times_h(const struct gmac *m, uint8_t *x)
{
    struct word z = { 0, 0 };
    size_t i;

    for (i = BLOCK; i > 0; i--) {
        z = shifted(z, 4);
        add(&z, &m->table[x[i - 1] & 15]);
        z = shifted(z, 4);
        add(&z, &m->table[x[i - 1] >> 4]);
    }
    store(x, z.high);
    store(x + 8, z.low);
}

static void
absorb(const struct gmac *m, uint8_t *x, size_t *done, const uint8_t *p,
       size_t len)
{
    for (; len > 0; len--) {
        x[*done % BLOCK] ^= *p++;
        if (++*done % BLOCK == 0) {
            times_h(m, x);
        }
    }
}

static int
gmac_init(const struct mac_row *row, void *ctx, const uint8_t *key)
{
    struct gmac *m = ctx;
    uint8_t h[BLOCK] = { 0 };
    size_t len = (size_t)row->key_len - SALT;
    int rc;

    memcpy(m->salt, key + len, SALT);
    mbedtls_aes_init(&m->aes);
    rc = mbedtls_aes_setkey_enc(&m->aes, key, (unsigned)len * 8);
    if (rc == 0) {
        rc = mbedtls_aes_crypt_ecb(&m->aes, MBEDTLS_AES_ENCRYPT, h, h);
    }
    table_make(m->table, h);
    mbedtls_platform_zeroize(h, sizeof h);
    return rc;
}

static void
gmac_free(const struct mac_row *row, void *ctx)
{
    struct gmac *m = ctx;

    (void)row;
    mbedtls_aes_free(&m->aes);
    mbedtls_platform_zeroize(m, sizeof *m);
}

/* The last block of GHASH has the lengths, in bits; its result is enciphered
 * with the first counter block (SP 800-38D section 7.1). */
static int
gmac_make(const struct mac_row *row, void *ctx, const struct ipsec_op *op,
          uint8_t mac[MAC_MAX])
{
    struct gmac *m = ctx;
    uint8_t pad[BLOCK] = { 0 };
    size_t done = 0, i;
    int rc;

    (void)row;
    memset(mac, 0, BLOCK);
    absorb(m, mac, &done, op->aad, op->aad_len);
    absorb(m, mac, &done, op->text, op->len);
    absorb(m, mac, &done, op->tail, op->tail_len);
    if (done % BLOCK != 0) {
        times_h(m, mac);
    }
    store(pad, (uint64_t)done * 8);
    for (i = 0; i < BLOCK; i++) {
        mac[i] ^= pad[i];
    }
    times_h(m, mac);
    memset(pad, 0, sizeof pad);
    memcpy(pad, m->salt, SALT);
    memcpy(pad + SALT, op->iv, NONCE - SALT);
    pad[BLOCK - 1] = 1;
    rc = mbedtls_aes_crypt_ecb(&m->aes, MBEDTLS_AES_ENCRYPT, pad, pad);
    for (i = 0; i < BLOCK; i++) {
        mac[i] ^= pad[i];
    }
    mbedtls_platform_zeroize(pad, sizeof pad);
    return rc;
}

#define GMAC(id, key)                                                         \
    { id, key + SALT, BLOCK, sizeof(struct gmac), gmac_init, gmac_free,       \
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
