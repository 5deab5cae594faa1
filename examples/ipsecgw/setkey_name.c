/* SPDX-License-Identifier: MIT */
#include "setkey.h"

#include <string.h>

/* Names of setkey(8) and of its successors in the BSDs. Of two for one number,
 * the first is written. */
static const struct setkey_alg algs[] = {
    { "null", IPSEC_ENCR_NULL, 0, 0, 0, 1, 0 },
    { "aes-cbc", IPSEC_ENCR_AES_CBC, 0, 16, 32, 8, 0 },
    { "rijndael-cbc", IPSEC_ENCR_AES_CBC, 0, 16, 32, 8, 0 },
    { "aes-ctr", IPSEC_ENCR_AES_CTR, 0, 20, 36, 8, 0 },
    { "aes-gcm-16", IPSEC_ENCR_AES_GCM_16, 0, 20, 36, 8, 1 },
    { "aes-gcm-12", IPSEC_ENCR_AES_GCM_12, 0, 20, 36, 8, 1 },
    { "aes-gcm-8", IPSEC_ENCR_AES_GCM_8, 0, 20, 36, 8, 1 },
    { "aes-ccm-16", IPSEC_ENCR_AES_CCM_16, 0, 19, 35, 8, 1 },
    { "aes-ccm-12", IPSEC_ENCR_AES_CCM_12, 0, 19, 35, 8, 1 },
    { "aes-ccm-8", IPSEC_ENCR_AES_CCM_8, 0, 19, 35, 8, 1 },
    { "aes-gmac", IPSEC_ENCR_NULL_AES_GMAC, 0, 20, 36, 8, 1 },
    { "chacha20-poly1305", IPSEC_ENCR_CHACHA20_POLY1305, 0, 36, 36, 1, 1 },
    { "hmac-sha1", IPSEC_INTEG_HMAC_SHA1_96, 1, 20, 20, 1, 0 },
    { "hmac-sha2-256", IPSEC_INTEG_HMAC_SHA2_256_128, 1, 32, 32, 1, 0 },
    { "hmac-sha256", IPSEC_INTEG_HMAC_SHA2_256_128, 1, 32, 32, 1, 0 },
    { "hmac-sha2-384", IPSEC_INTEG_HMAC_SHA2_384_192, 1, 48, 48, 1, 0 },
    { "hmac-sha384", IPSEC_INTEG_HMAC_SHA2_384_192, 1, 48, 48, 1, 0 },
    { "hmac-sha2-512", IPSEC_INTEG_HMAC_SHA2_512_256, 1, 64, 64, 1, 0 },
    { "hmac-sha512", IPSEC_INTEG_HMAC_SHA2_512_256, 1, 64, 64, 1, 0 },
    { "aes-xcbc-mac", IPSEC_INTEG_AES_XCBC_96, 1, 16, 16, 1, 0 },
    { "aes-cmac", IPSEC_INTEG_AES_CMAC_96, 1, 16, 16, 1, 0 },
    /* of AH; which of the three, the key's length says */
    { "aes-gmac", IPSEC_INTEG_AES_GMAC_128, 1, 20, 36, 8, 0 },
};

static const struct {
    const char *name, *why;
} refused[] = {
    { "des-cbc", "MUST NOT by RFC 8221" },
    { "des-deriv", "MUST NOT by RFC 8221" },
    { "des-32iv", "MUST NOT by RFC 8221" },
    { "3des-cbc", "SHOULD NOT by RFC 8221" },
    { "3des-deriv", "SHOULD NOT by RFC 8221" },
    { "blowfish-cbc", "MUST NOT by RFC 8221" },
    { "cast128-cbc", "not in RFC 8221's list, and its blocks of 64 bits are "
                     "too short" },
    { "simple", "obsolete" },
    { "twofish-cbc", "not in RFC 8221's list" },
    { "camellia-cbc", "not in RFC 8221's list" },
    { "hmac-md5", "MUST NOT by RFC 8221" },
    { "keyed-md5", "MUST NOT by RFC 8221" },
    { "keyed-sha1", "obsolete" },
    { "hmac-ripemd160", "not in RFC 8221's list" },
    { "tcp-md5", "not of IPsec" },
};

static const struct {
    const char *name;
    uint8_t     number;
} protos[] = {
    { "any", 0 }, { "icmp", 1 }, { "igmp", 2 }, { "ip4", 4 }, { "ipip", 4 },
    { "ipencap", 4 }, { "tcp", 6 }, { "udp", 17 }, { "dccp", 33 },
    { "ip6", 41 }, { "ipv6", 41 }, { "gre", 47 }, { "esp", 50 }, { "ah", 51 },
    { "icmp6", 58 }, { "ipv6-icmp", 58 }, { "ospf", 89 }, { "pim", 103 },
    { "vrrp", 112 }, { "l2tp", 115 }, { "sctp", 132 }, { "mobility", 135 },
    { "udplite", 136 },
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

const struct setkey_alg *
setkey_alg_named(const char *name, int integ)
{
    size_t i;

    for (i = 0; i < COUNT(algs); i++) {
        if (algs[i].integ == integ && strcmp(algs[i].name, name) == 0) {
            return &algs[i];
        }
    }
    return NULL;
}

const struct setkey_alg *
setkey_alg_numbered(uint16_t id, int integ)
{
    size_t i;

    if (integ && (id == IPSEC_INTEG_AES_GMAC_192 ||
                  id == IPSEC_INTEG_AES_GMAC_256)) {
        id = IPSEC_INTEG_AES_GMAC_128;
    }
    for (i = 0; i < COUNT(algs); i++) {
        if (algs[i].integ == integ && algs[i].id == id) {
            return &algs[i];
        }
    }
    return NULL;
}

const char *
setkey_alg_refusal(const char *name)
{
    size_t i;

    for (i = 0; i < COUNT(refused); i++) {
        if (strcmp(refused[i].name, name) == 0) {
            return refused[i].why;
        }
    }
    return "unknown";
}

int
setkey_proto_number(const char *name)
{
    size_t i;

    for (i = 0; i < COUNT(protos); i++) {
        if (strcmp(protos[i].name, name) == 0) {
            return protos[i].number;
        }
    }
    return -1;
}

const char *
setkey_proto_name(unsigned proto)
{
    size_t i;

    for (i = 0; i < COUNT(protos); i++) {
        if (protos[i].number == proto) {
            return protos[i].name;
        }
    }
    return NULL;
}

void
setkey_params(struct ipsec_sa_params *params, const struct setkey_sa *sa)
{
    memset(params, 0, sizeof *params);
    params->spi = sa->spi;
    params->proto = sa->proto;
    params->mode = sa->mode;
    params->km.encr = sa->encr;
    params->km.integ = sa->integ;
    params->km.encr_key = sa->encr_key;
    params->km.integ_key = sa->integ_key;
    params->km.encr_key_len = sa->encr_key_len;
    params->km.integ_key_len = sa->integ_key_len;
}
