/* SPDX-License-Identifier: MIT */
#ifndef IPSEC_MBEDTLS_H
#define IPSEC_MBEDTLS_H

#include "ipsec/crypto.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @file ipsec_mbedtls.h  The default crypto backend: mbedTLS 2.28 and 3.6.
 *
 * Synchronous: run() never answers PENDING. Set ipsec_config.crypto or
 * ipsec_sa_params.crypto to &ipsec_mbedtls.
 *
 * Memory. A key takes 744 bytes at most (AES-CBC or -CTR with HMAC-SHA2-512,
 * on a 64-bit machine).
 *
 * Heap. run() allocates nothing. Nor does key_init(), except that for GCM,
 * GMAC and CCM mbedTLS itself takes its AES context from its allocator (288
 * bytes with 2.28 on a 64-bit machine), and key_wipe() gives it back, erased.
 * Where even that must not be: mbedTLS 3.6 without MBEDTLS_CIPHER_C allocates
 * nothing, and any version can be given a static pool
 * (MBEDTLS_MEMORY_BUFFER_ALLOC_C).
 *
 * Which algorithms there are is up to mbedTLS's configuration, and to the
 * options of ipsec/options.h. SAs that need others are refused with
 * IPSEC_ERR_UNSUPPORTED.
 *
 *     GCM, with or without IV, GMAC   MBEDTLS_AES_C, MBEDTLS_GCM_C
 *     CCM, with or without IV         MBEDTLS_AES_C, MBEDTLS_CCM_C
 *     ChaCha20-Poly1305, likewise     MBEDTLS_CHACHAPOLY_C
 *     AES-CBC                         MBEDTLS_AES_C, MBEDTLS_CIPHER_MODE_CBC
 *     AES-CTR                         MBEDTLS_AES_C, MBEDTLS_CIPHER_MODE_CTR
 *     AES-CMAC, AES-XCBC              MBEDTLS_AES_C
 *     HMAC-SHA1, HMAC-SHA2-256        MBEDTLS_SHA1_C, MBEDTLS_SHA256_C
 *     HMAC-SHA2-384, HMAC-SHA2-512    MBEDTLS_SHA512_C; with 3.6 also
 *                                     MBEDTLS_SHA384_C
 *
 * Opening a packet that doesn't verify: MACs are checked before anything is
 * deciphered; mbedTLS's AEADs decipher as they go, and erase.
 *
 * Several processors: with 2.28, make one SA of each algorithm before the
 * second processor starts; mbedTLS fills its AES tables then (or build it with
 * MBEDTLS_AES_ROM_TABLES).
 */
extern const struct ipsec_crypto ipsec_mbedtls;

#ifdef __cplusplus
}
#endif

#endif
