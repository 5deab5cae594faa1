/*
 * libipsec - IPsec for systems of any size (RFC 4301, 4302, 4303)
 * SPDX-License-Identifier: MIT
 */
#ifndef IPSEC_CRYPTO_H
#define IPSEC_CRYPTO_H

#include "ipsec/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @file crypto.h  Algorithms, and what a crypto backend provides. */

/* Algorithms, by their IKEv2 transform ID (IANA), so that a key daemon's
 * numbers pass through unchanged. Others: IPSEC_ERR_UNSUPPORTED. */
#define IPSEC_ENCR_NULL               11u /**< RFC 2410 */
#define IPSEC_ENCR_AES_CBC            12u /**< RFC 3602 */
#define IPSEC_ENCR_AES_GCM_16         20u /**< RFC 4106 */
#define IPSEC_ENCR_CHACHA20_POLY1305  28u /**< RFC 7634 */
#define IPSEC_INTEG_NONE               0u /**< with the two AEADs only */
#define IPSEC_INTEG_HMAC_SHA2_256_128 12u /**< RFC 4868 */

/** Algorithms and keys of one SA. Keys are as cut from KEYMAT: where the
 * algorithm has a salt, it follows the key (RFC 4106 section 8.1). */
struct ipsec_keymat {
    uint16_t       encr;           /**< IPSEC_ENCR_* */
    uint16_t       integ;          /**< IPSEC_INTEG_* */
    uint16_t       encr_key_len;   /**< bytes, salt included */
    uint16_t       integ_key_len;
    const uint8_t *encr_key;
    const uint8_t *integ_key;
};

/** Most bytes of additional authenticated data an operation can have. */
#define IPSEC_AAD_MAX 128

/**
 * One seal or open, in place. AEAD; cipher, then MAC; NULL, then MAC; and AH,
 * which is the latter with the headers as aad: all share this shape:
 *
 *     ICV = authenticate(aad | text | tail)
 *
 * CBC, both ways: the text starts at the IV field and the chaining value is
 * zero; sealing, that field holds the sequence number. So the IV on the wire
 * is the enciphered sequence number, it is authenticated as text, and a
 * backend needs no IV. AEAD: `iv` is the 8 bytes of IV, `aad` is SPI and
 * sequence number (64 bits of it with ESN).
 */
struct ipsec_op {
    void             *key;         /**< as made by key_init() */
    const uint8_t    *iv;          /**< AEAD: 8 bytes; the salt is in `key` */
    const uint8_t    *aad;
    uint8_t          *text;        /**< changed in place */
    size_t            len;
    uint8_t          *icv;         /**< seal: write; open: compare. Behind
                                    *   the text (ESP), or before it (AH) */
    uint8_t           aad_len;
    uint8_t           open;        /**< 0 seal; 1 verify, then decrypt */
    uint8_t           tail_len;    /**< 0, or 4: high half of the ESN */
    uint8_t           tail[4];

    /** Whose operation this is: of the library's own, the packet. Whoever
     * makes operations that belong to no packet (a key daemon, for its own
     * messages) may use it as he likes. */
    void             *owner;

    /**
     * Called by the backend, once, when an operation that it answered with
     * PENDING has ended: IPSEC_OK, IPSEC_ERR_AUTH or IPSEC_ERR_CRYPTO. Called
     * where ipsec_outbound() might be called too, so never from an interrupt;
     * the backend is done with `op` by then, and may be given more work from
     * within. NULL: whoever made this can't wait, run() must not answer
     * PENDING. In the library's operations, a copy of pkt->done.
     */
    void            (*done)(struct ipsec_op *op, int result);
};

/**
 * A crypto backend. Define one constant instance; `self` lets a driver
 * embed it in a structure of its own. The library calls run() on one key
 * from one place at a time; different keys may be in use on several
 * processors.
 */
struct ipsec_crypto {
    const char *name;

    /** Bytes of memory one key takes, or 0: can't do these algorithms or
     * lengths. The key pointers may be NULL: a key daemon asks before it
     * proposes. */
    size_t (*key_size)(const struct ipsec_crypto *self,
                       const struct ipsec_keymat *km);

    /**
     * Expand keys into `key`, of key_size() bytes and aligned for any type.
     * The keymat is not kept. `open` is what operations will have: a key is
     * used in one direction only.
     *
     * @return IPSEC_OK; or, with `key` wiped, IPSEC_ERR_UNSUPPORTED or
     *         IPSEC_ERR_CRYPTO.
     */
    int (*key_init)(const struct ipsec_crypto *self, void *key,
                    const struct ipsec_keymat *km, int open);

    /** Erase so that the compiler can't leave it out. */
    void (*key_wipe)(const struct ipsec_crypto *self, void *key);

    /**
     * Do `op`. Compare ICVs in constant time; release no plaintext of a
     * text that did not verify.
     *
     * @return IPSEC_OK, IPSEC_ERR_AUTH, IPSEC_ERR_CRYPTO; or
     *         IPSEC_PENDING  begun: op->done() will be called, from another
     *                        place than within run(). A backend that works
     *                        best in batches collects here.
     *         IPSEC_ERR_BUSY the queue is full; nothing was begun
     */
    int (*run)(const struct ipsec_crypto *self, struct ipsec_op *op);
};

struct ipsec_pkt;

/** The packet that one of the library's operations belongs to. */
struct ipsec_pkt *ipsec_op_pkt(const struct ipsec_op *op);

#ifdef __cplusplus
}
#endif

#endif
