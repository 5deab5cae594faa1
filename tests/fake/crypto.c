/* SPDX-License-Identifier: MIT */
#include "fake/crypto.h"

#include <string.h>

#define BLOCK 16u

static struct fake_state *
state_of(const struct ipsec_crypto *self)
{
    return ((const struct fake_crypto *)(const void *)self)->st;
}

static void
misuse(struct fake_state *st, const char *what)
{
    st->misuse++;
    st->misuse_is = what;
}

static int
fails(size_t call, size_t at)
{
    return at != 0 && call == at;
}

/* After FNV-1a: each step is a bijection of the state, so that no change
 * within one step goes unnoticed. */
static uint64_t
mix(uint64_t h, const uint8_t *p, size_t len)
{
    uint64_t word;
    size_t i;

    for (i = 0; i + 8 <= len; i += 8) {
        memcpy(&word, p + i, 8);
        h = (h ^ word) * UINT64_C(0x100000001b3);
        h ^= h >> 32;
    }
    for (; i < len; i++) {
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    }
    return (h ^ len) * UINT64_C(0x100000001b3);
}

/* Of an AEAD by its own ID, of others by the MAC's. */
static size_t
icv_len(uint16_t encr, uint16_t integ)
{
    static const uint8_t encr_len[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                        0, 8, 12, 16, 0, 8, 12, 16, 16, 0, 0,
                                        0, 0, 0, 0, 16, 8, 16, 16 };
    static const uint8_t integ_len[] = { 0, 0, 12, 0, 0, 12, 0, 0, 12, 16, 16,
                                         16, 16, 24, 32 };

    if (integ != IPSEC_INTEG_NONE) {
        return integ < sizeof integ_len ? integ_len[integ] : 0;
    }
    return encr < sizeof encr_len ? encr_len[encr] : 0;
}

static int
uses_iv(const struct fake_key *key)
{
    return key->integ == IPSEC_INTEG_NONE || key->encr == IPSEC_ENCR_AES_CTR ||
           (key->integ >= IPSEC_INTEG_AES_GMAC_128 &&
            key->integ <= IPSEC_INTEG_AES_GMAC_256);
}

/* GMAC wants aad and text in one piece: crypto.h says how. */
static uint64_t
mix_joined(uint64_t h, const struct ipsec_op *op)
{
    uint8_t *at = op->text - op->aad_len, keep[IPSEC_AAD_MAX];

    memcpy(keep, at, op->aad_len);
    memcpy(at, op->aad, op->aad_len);
    h = mix(h, at, op->aad_len + op->len);
    memcpy(at, keep, op->aad_len);
    return h;
}

static void
icv_make(const struct fake_key *key, const struct ipsec_op *op, uint8_t *icv)
{
    uint64_t h = key->start;
    size_t i;

    if (uses_iv(key)) {
        h = mix(h, op->iv, 8);
    }
    if (key->encr == IPSEC_ENCR_NULL_AES_GMAC) {
        h = mix_joined(h, op);
    } else {
        h = mix(h, op->aad, op->aad_len);
        h = mix(h, op->text, op->len);
        h = mix(h, op->tail, op->tail_len);
    }
    for (i = 0; i < key->icv_len; i++) {
        h = (h ^ i) * UINT64_C(0x9e3779b97f4a7c15);
        icv[i] = (uint8_t)(h >> 56);
    }
}

static uint8_t
stream(const struct fake_key *key, const uint8_t *iv, size_t at)
{
    uint64_t h = mix(UINT64_C(0x8422232584222325), key->material, 36);

    h = mix(h, iv, 8) ^ at / 8;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint8_t)(h >> (8 * (at % 8)));
}

/* A permutation of a block that depends on the key, and its inverse. */
static void
block(const struct fake_key *key, uint8_t *b, int open)
{
    uint8_t in[BLOCK];
    size_t i;

    memcpy(in, b, BLOCK);
    for (i = 0; i < BLOCK; i++) {
        if (open) {
            b[i] = (uint8_t)((in[(i + 5) % BLOCK] ^ key->material[i]) - 77);
        } else {
            b[(i + 5) % BLOCK] = (uint8_t)((in[i] + 77) ^ key->material[i]);
        }
    }
}

static void
cbc(const struct fake_key *key, uint8_t *p, size_t len, int open)
{
    uint8_t chain[BLOCK] = { 0 }, keep[BLOCK];
    size_t i, k;

    for (i = 0; i + BLOCK <= len; i += BLOCK) {
        memcpy(keep, p + i, BLOCK);
        if (open) {
            block(key, p + i, 1);
        }
        for (k = 0; k < BLOCK; k++) {
            p[i + k] ^= chain[k];
        }
        if (!open) {
            block(key, p + i, 0);
            memcpy(keep, p + i, BLOCK);
        }
        memcpy(chain, keep, BLOCK);
    }
}

static void
cipher(const struct fake_key *key, const struct ipsec_op *op)
{
    size_t i;

    if (key->encr == IPSEC_ENCR_AES_CBC) {
        cbc(key, op->text, op->len, op->open);
    } else if (uses_iv(key) && key->encr != IPSEC_ENCR_NULL &&
               key->encr != IPSEC_ENCR_NULL_AES_GMAC) {
        for (i = 0; i < op->len; i++) {
            op->text[i] ^= stream(key, op->iv, i);
        }
    }
}

static void
record(struct fake_state *st, const struct fake_key *key,
       const struct ipsec_op *op)
{
    size_t n = op->len < FAKE_TEXT ? op->len : FAKE_TEXT;

    memcpy(st->text, op->text, n);
    st->text_len = op->len;
    memcpy(st->aad, op->aad, op->aad_len);
    st->aad_len = op->aad_len;
    memcpy(st->tail, op->tail, op->tail_len);
    st->tail_len = op->tail_len;
    if (st->ivs < FAKE_OPS && uses_iv(key)) {
        memcpy(st->iv[st->ivs++], op->iv, 8);
    }
}

static void
seal(struct fake_state *st, const struct fake_key *key, struct ipsec_op *op)
{
    record(st, key, op);
    if (!st->clear) {
        cipher(key, op);
    }
    icv_make(key, op, op->icv);
    if (key->encr == IPSEC_ENCR_AES_CBC && st->ivs < FAKE_OPS) {
        memcpy(st->iv[st->ivs++], op->text, BLOCK);
    }
    st->seals++;
}

static int
open_up(struct fake_state *st, const struct fake_key *key, struct ipsec_op *op)
{
    uint8_t icv[32];

    st->opens++;
    if (!st->any_icv) {
        icv_make(key, op, icv);
        if (memcmp(icv, op->icv, key->icv_len) != 0) {
            return IPSEC_ERR_AUTH;
        }
    }
    if (!st->clear) {
        cipher(key, op);
    }
    return IPSEC_OK;
}

static int
work(struct fake_state *st, struct ipsec_op *op)
{
    const struct fake_key *key = op->key;

    if (key == NULL || key->magic != FAKE_KEY) {
        misuse(st, "an operation on a key that is not there");
        return IPSEC_ERR_CRYPTO;
    }
    if (key->open != op->open) {
        misuse(st, "a key used in the wrong direction");
    }
    if (key->encr == IPSEC_ENCR_AES_CBC &&
        (op->len % BLOCK != 0 || op->len < 2 * BLOCK)) {
        misuse(st, "CBC text that is no whole blocks");
        return IPSEC_ERR_CRYPTO;
    }
    if (op->aad_len < 8 || (op->tail_len != 0 && op->tail_len != 4)) {
        misuse(st, "lengths of aad or tail");
    }
    if (op->open) {
        return open_up(st, key, op);
    }
    seal(st, key, op);
    return IPSEC_OK;
}

static int
waits(const struct fake_state *st)
{
    return st->mode == FAKE_ASYNC ||
           (st->mode == FAKE_MIXED && st->mix >> (st->runs - 1) % 32 & 1);
}

static int
fake_run(const struct ipsec_crypto *self, struct ipsec_op *op)
{
    struct fake_state *st = state_of(self);

    st->runs++;
    if (fails(st->runs, st->run_fails_at)) {
        return st->run_fails_with;
    }
    if (op->done == NULL || !waits(st)) {
        return work(st, op);
    }
    if (st->queued == FAKE_OPS) {
        return IPSEC_ERR_BUSY;
    }
    st->queue[st->queued++] = op;
    return IPSEC_PENDING;
}

static struct ipsec_op *
take(struct fake_state *st, size_t at)
{
    struct ipsec_op *op = st->queue[at];

    st->queued--;
    memmove(&st->queue[at], &st->queue[at + 1],
            (st->queued - at) * sizeof st->queue[0]);
    st->ends++;
    return op;
}

void
fake_complete(struct fake_state *st, size_t at)
{
    struct ipsec_op *op = take(st, at);
    int result = fails(st->ends, st->end_fails_at)
        ? st->end_fails_with : work(st, op);

    op->done(op, result);
}

void
fake_complete_with(struct fake_state *st, size_t at, int result)
{
    struct ipsec_op *op = take(st, at);

    op->done(op, result);
}

static size_t
fake_key_size(const struct ipsec_crypto *self, const struct ipsec_keymat *km)
{
    struct fake_state *st = state_of(self);

    st->sizes++;
    if (st->size_none ||
        (size_t)km->encr_key_len + km->integ_key_len > FAKE_MATERIAL) {
        return 0;
    }
    return sizeof(struct fake_key);
}

static int
fake_key_init(const struct ipsec_crypto *self, void *mem,
              const struct ipsec_keymat *km, int open)
{
    struct fake_state *st = state_of(self);
    struct fake_key *key = mem;

    memset(key, 0, sizeof *key);
    if (fails(++st->inits, st->init_fails_at)) {
        return st->init_fails_with;
    }
    key->magic = FAKE_KEY;
    key->encr = km->encr;
    key->integ = km->integ;
    key->open = open;
    key->icv_len = icv_len(km->encr, km->integ);
    if (km->encr_key_len > 0) {
        memcpy(key->material, km->encr_key, km->encr_key_len);
    }
    if (km->integ_key_len > 0) {
        memcpy(key->material + km->encr_key_len, km->integ_key,
               km->integ_key_len);
    }
    key->start = mix(UINT64_C(0xcbf29ce484222325), key->material,
                     sizeof key->material);
    return IPSEC_OK;
}

static void
fake_key_wipe(const struct ipsec_crypto *self, void *key)
{
    struct fake_state *st = state_of(self);

    if (((struct fake_key *)key)->magic != FAKE_KEY) {
        misuse(st, "a key wiped that is not there");
    }
    st->wipes++;
    memset(key, 0, sizeof(struct fake_key));
}

int
fake_key_wiped(const void *key)
{
    static const struct fake_key zero;

    return memcmp(key, &zero, sizeof zero) == 0;
}

void
fake_crypto_init(struct fake_crypto *crypto, struct fake_state *st)
{
    memset(st, 0, sizeof *st);
    crypto->api.name = "fake";
    crypto->api.key_size = fake_key_size;
    crypto->api.key_init = fake_key_init;
    crypto->api.key_wipe = fake_key_wipe;
    crypto->api.run = fake_run;
    crypto->st = st;
}
