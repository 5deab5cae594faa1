/* SPDX-License-Identifier: MIT */

/* Suites that a build may leave out: those that it does, or does not. */

#if defined(IPSEC_NO_SHA1) == LEFT_OUT
    CBC128_SHA1, NULL_SHA1,
#endif
#if defined(IPSEC_NO_SHA512) == LEFT_OUT
    CBC192_SHA384, CBC256_SHA512, NULL_SHA384, NULL_SHA512,
#endif
#if defined(IPSEC_NO_CMAC) == LEFT_OUT
    CBC256_CMAC, NULL_CMAC,
#endif
#if defined(IPSEC_NO_XCBC) == LEFT_OUT
    CBC192_XCBC, NULL_XCBC,
#endif
#if defined(IPSEC_NO_CTR) == LEFT_OUT
    CTR128_SHA256,
#endif
#if (defined(IPSEC_NO_CTR) || defined(IPSEC_NO_SHA512)) == LEFT_OUT
    CTR192_SHA512,
#endif
#if (defined(IPSEC_NO_CTR) || defined(IPSEC_NO_SHA1)) == LEFT_OUT
    CTR256_SHA1,
#endif
#if (defined(IPSEC_NO_CTR) || defined(IPSEC_NO_CMAC)) == LEFT_OUT
    CTR256_CMAC,
#endif
#if (defined(IPSEC_NO_CTR) || defined(IPSEC_NO_XCBC)) == LEFT_OUT
    CTR192_XCBC,
#endif
#if defined(IPSEC_NO_CCM) == LEFT_OUT
    CCM8_128, CCM12_192, CCM16_256,
#endif
#if defined(IPSEC_NO_GCM_SHORT) == LEFT_OUT
    GCM8_192, GCM12_256,
#endif
#if defined(IPSEC_NO_GMAC) == LEFT_OUT
    GMAC128, GMAC192, GMAC256,
#endif
#if (defined(IPSEC_NO_IIV) || defined(IPSEC_NO_CCM)) == LEFT_OUT
    CCM8_IIV128, CCM8_IIV256,
#endif
#if defined(IPSEC_NO_IIV) == LEFT_OUT
    GCM_IIV128, GCM_IIV192, CHACHA_IIV,
#endif
