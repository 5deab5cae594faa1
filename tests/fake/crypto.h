/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_CRYPTO_H
#define TESTS_FAKE_CRYPTO_H

#include "ipsec/crypto.h"

/*
 * A toy crypto backend that does what a test tells it. It protects nothing,
 * but it keeps the whole contract of crypto.h: the text is enciphered in
 * place, the ICV depends on every byte of key, IV, aad, text and tail, an ICV
 * that does not match leaves the text alone, and keys are wiped. It has the
 * lengths of all transforms, and GMAC writes ahead of the text.
 */

#define FAKE_OPS 256 /* operations that can wait, and IVs that are kept */
#define FAKE_TEXT 2048
#define FAKE_MATERIAL 100 /* the longest keys together */

enum fake_mode {
    FAKE_SYNC,
    FAKE_ASYNC,
    FAKE_MIXED /* by the bits of `mix`, one a call, repeated */
};

struct fake_key {
    uint32_t magic; /* FAKE_KEY, FAKE_WIPED or garbage */
    uint16_t encr;
    uint16_t integ;
    int      open;
    size_t   icv_len;
    uint64_t start;   /* of an ICV: made of the material */
    uint8_t  material[FAKE_MATERIAL];
};

#define FAKE_KEY   0x4b455921u
#define FAKE_WIPED 0u

struct fake_state {
    enum fake_mode mode;
    uint32_t mix;
    int      any_icv;          /* accept whatever ICV: for fuzzing */
    int      clear;            /* and encipher nothing */

    /* What goes wrong: at call n, counted from 1; 0: never. */
    size_t   run_fails_at;
    int      run_fails_with;   /* IPSEC_ERR_AUTH, _CRYPTO or _BUSY */
    size_t   end_fails_at;     /* as above, of those that were PENDING */
    int      end_fails_with;
    size_t   init_fails_at;
    int      init_fails_with;
    size_t   size_none;        /* key_size() answers 0 */

    /* What happened. */
    size_t   runs, seals, opens, ends, inits, wipes, sizes;
    size_t   misuse;           /* the library broke the contract */
    const char *misuse_is;
    size_t   ivs;
    uint8_t  iv[FAKE_OPS][16]; /* of sealed packets, as on the wire */
    uint8_t  text[FAKE_TEXT];  /* plaintext last sealed */
    size_t   text_len;
    uint8_t  aad[IPSEC_AAD_MAX];
    size_t   aad_len;
    uint8_t  tail[4];
    size_t   tail_len;

    struct ipsec_op *queue[FAKE_OPS];
    size_t   queued;
};

struct fake_crypto {
    struct ipsec_crypto api; /* first: callbacks find the rest by it */
    struct fake_state  *st;
};

void fake_crypto_init(struct fake_crypto *crypto, struct fake_state *st);

/* End the operation at place `at` of the queue: do it, call its done(). */
void fake_complete(struct fake_state *st, size_t at);

/* The same, with an answer of the test's and the work not done. */
void fake_complete_with(struct fake_state *st, size_t at, int result);

/* Is there no trace of a key in `key`? */
int fake_key_wiped(const void *key);

#endif
