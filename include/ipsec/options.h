/*
 * libipsec - IPsec for systems of any size (RFC 4301, 4302, 4303)
 * SPDX-License-Identifier: MIT
 */
#ifndef IPSEC_OPTIONS_H
#define IPSEC_OPTIONS_H

#include "ipsec/types.h"

/**
 * @file options.h  What can be left out of a build.
 *
 * Everything is in unless a macro says otherwise, defined (to anything) where
 * the library and its ports are compiled, e.g. make CFLAGS='-Os
 * -DIPSEC_NO_CCM'.
 * Options remove code and change neither a public structure nor a prototype:
 * who calls the library need not know them. Asked for what was left out, it
 * answers IPSEC_ERR_UNSUPPORTED.
 *
 *     IPSEC_NO_AH         AH (RFC 4302); AH that arrives has no SA
 *
 * Transforms. AES-GCM-16, AES-CBC, ChaCha20-Poly1305, NULL and
 * HMAC-SHA2-256-128 are always in: they are what RFC 8221 demands, and a
 * row in a table each. A port leaves out besides what its crypto library was
 * built without.
 *
 *     IPSEC_NO_GCM_SHORT  AES-GCM-8, -12
 *     IPSEC_NO_CCM        AES-CCM-8, -12, -16
 *     IPSEC_NO_CTR        AES-CTR
 *     IPSEC_NO_GMAC       NULL-AUTH-AES-GMAC
 *     IPSEC_NO_IIV        implicit IV: AES-CCM-8, AES-GCM-16 and
 *                         ChaCha20-Poly1305 without IV on the wire
 *     IPSEC_NO_SHA1       HMAC-SHA1-96
 *     IPSEC_NO_SHA512     HMAC-SHA2-384-192, HMAC-SHA2-512-256
 *     IPSEC_NO_CMAC       AES-CMAC-96
 *     IPSEC_NO_XCBC       AES-XCBC-96
 *     IPSEC_NO_TRANSFORMS all of these, from IPSEC_NO_GCM_SHORT on
 */
#if defined(IPSEC_NO_TRANSFORMS)
#undef IPSEC_NO_GCM_SHORT
#undef IPSEC_NO_CCM
#undef IPSEC_NO_CTR
#undef IPSEC_NO_GMAC
#undef IPSEC_NO_IIV
#undef IPSEC_NO_SHA1
#undef IPSEC_NO_SHA512
#undef IPSEC_NO_CMAC
#undef IPSEC_NO_XCBC
#define IPSEC_NO_GCM_SHORT
#define IPSEC_NO_CCM
#define IPSEC_NO_CTR
#define IPSEC_NO_GMAC
#define IPSEC_NO_IIV
#define IPSEC_NO_SHA1
#define IPSEC_NO_SHA512
#define IPSEC_NO_CMAC
#define IPSEC_NO_XCBC
#endif

#endif
