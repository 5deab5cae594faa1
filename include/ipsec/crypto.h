/*
 * libipsec - IPsec for systems of any size (RFC 4301, 4302, 4303)
 * SPDX-License-Identifier: MIT
 */
#ifndef IPSEC_CRYPTO_H
#define IPSEC_CRYPTO_H

#include "ipsec/options.h"
#include "ipsec/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @file crypto.h  Algorithms, and what a crypto backend provides. */

/* Algorithms, by their IKEv2 transform ID (IANA), so that a key daemon's
 * numbers pass through unchanged. Others: IPSEC_ERR_UNSUPPORTED, or
 * IPSEC_ERR_WEAK. AES takes keys of 16, 24 and 32 bytes. Behind them, what
 * a build can leave out: see options.h. */
#define IPSEC_ENCR_NULL               11u /**< RFC 2410 */
#define IPSEC_ENCR_AES_CBC            12u /**< RFC 3602 */
#define IPSEC_ENCR_AES_CTR            13u /**< RFC 3686; salt 4 */
#define IPSEC_ENCR_AES_CCM_8          14u /**< RFC 4309; salt 3 */
#define IPSEC_ENCR_AES_CCM_12         15u
#define IPSEC_ENCR_AES_CCM_16         16u
#define IPSEC_ENCR_AES_GCM_8          18u /**< RFC 4106; salt 4 */
#define IPSEC_ENCR_AES_GCM_12         19u
#define IPSEC_ENCR_AES_GCM_16         20u
#define IPSEC_ENCR_NULL_AES_GMAC      21u /**< RFC 4543; salt 4 */
#define IPSEC_ENCR_CHACHA20_POLY1305  28u /**< RFC 7634; key 32, salt 4 */
#define IPSEC_ENCR_AES_CCM_8_IIV      29u /**< RFC 8750: no IV on the wire */
#define IPSEC_ENCR_AES_GCM_16_IIV     30u
#define IPSEC_ENCR_CHACHA20_POLY1305_IIV 31u
#define IPSEC_INTEG_NONE               0u /**< with the AEADs: CCM, GCM, GMAC,
                                           *   ChaCha20-Poly1305; only there */
#define IPSEC_INTEG_HMAC_SHA1_96       2u /**< RFC 2404; key 20 */
#define IPSEC_INTEG_AES_XCBC_96        5u /**< RFC 3566; key 16 */
#define IPSEC_INTEG_AES_CMAC_96        8u /**< RFC 4494; key 16 */
#define IPSEC_INTEG_AES_GMAC_128       9u /**< RFC 4543, of AH alone; key 16,
                                           *   salt 4 */
#define IPSEC_INTEG_AES_GMAC_192      10u /**< ... 24, 4 */
#define IPSEC_INTEG_AES_GMAC_256      11u /**< ... 32, 4 */
#define IPSEC_INTEG_HMAC_SHA2_256_128 12u /**< RFC 4868; key 32 */
#define IPSEC_INTEG_HMAC_SHA2_384_192 13u /**< ... 48 */
#define IPSEC_INTEG_HMAC_SHA2_512_256 14u /**< ... 64 */

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
 * backend needs no IV. AEAD: `iv` is the 8 bytes of IV, on the wire or not
 * (RFC 8750), `aad` is SPI and sequence number (64 bits of it with ESN). CTR:
 * `iv` as with an AEAD, `aad` is SPI, number and IV. GMAC: `aad` is SPI,
 * number (64 bits with ESN) and IV, and the text stays as it is. As the MAC of
 * AH it is a MAC like any other, of aad, text and tail, that also takes `iv`;
 * its salt ends the integ_key.
 *
 * GMAC of ESP authenticates aad and text as one, and some libraries take it in
 * one piece only. So the `aad_len` bytes ahead of `text` are always memory of
 * the packet: run() may write there, if it leaves them as they were.
 */
struct ipsec_op {
    void             *key;         /**< as made by key_init() */
    const uint8_t    *iv;          /**< AEAD, CTR, GMAC: 8 bytes; the salt is
                                    *   in `key` */
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
     * messages) may use it at will. */
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
     * text that did not verify: leave it enciphered, or erase it.
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
