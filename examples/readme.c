/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "ipsec/ipsec.h"
#include "ipsec_mbedtls.h"

static int chance(void *user, void *buf, size_t len)
{
    (void)user; /* a device asks its hardware generator */
    return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -1;
}

/* All memory is yours. Here it is static. */
static const struct ipsec_config cfg = { .crypto = &ipsec_mbedtls,
                                         .random = chance };
static struct ipsec ips;
static struct ipsec_sa sa[2];
static long long expanded_key[2][128];
static uint8_t mem[IPSEC_HEADROOM + 33 + IPSEC_TAILROOM];

int main(void)
{
    static const uint8_t hello[33] = /* UDP, 10.0.0.1 to 10.0.0.2 */
        "\x45\0\0\x21\0\0\0\0\x40\x11\x66\xca\x0a\0\0\1\x0a\0\0\2"
        "\0\7\0\7\0\x0d\0\0hello";
    /* A policy: whatever goes out or comes in is protected by ESP. "reqid"
     * is a number of yours by which policies and SAs find each other. */
    struct ipsec_policy policy = { .action = IPSEC_ACTION_PROTECT,
                                   .dir = IPSEC_OUT | IPSEC_IN, .reqid = 1 };
    uint8_t key[16 + 4]; /* AES-128-GCM: key and salt */
    struct ipsec_sa_params out = {
        .spi = 0x1001, .reqid = 1, .dir = IPSEC_OUT,
        .proto = IPSEC_PROTO_ESP, .mode = IPSEC_MODE_TRANSPORT,
        .local = { 4, { 10, 0, 0, 1 } }, .remote = { 4, { 10, 0, 0, 2 } },
        .flags = IPSEC_SA_NEGOTIATED, /* the key is new */
        .km = { .encr = IPSEC_ENCR_AES_GCM_16, .encr_key = key,
                .encr_key_len = sizeof key },
        .key = expanded_key[0], .key_len = sizeof expanded_key[0] };
    struct ipsec_sa_params in = out; /* the peer's; this is its own peer */
    struct ipsec_pkt pkt;

    in.dir = IPSEC_IN, in.local = out.remote, in.remote = out.local;
    in.key = expanded_key[1];
    if (chance(NULL, key, sizeof key) || ipsec_init(&ips, &cfg) ||
        ipsec_spd_add(&ips, &policy) || ipsec_sad_add(&ips, &sa[0], &out) ||
        ipsec_sad_add(&ips, &sa[1], &in)) {
        return 1;
    }

    ipsec_pkt_init(&pkt, mem, sizeof mem, IPSEC_HEADROOM, sizeof hello);
    memcpy(pkt.buf.data, hello, sizeof hello);
    if (ipsec_outbound(&ips, &pkt) != IPSEC_OK) { /* sealed, in place */
        return 1;
    }
    printf("%zu bytes of IP became %zu of ESP\n", sizeof hello, pkt.buf.len);

    pkt = (struct ipsec_pkt){ .buf = pkt.buf }; /* ... and has arrived */
    if (ipsec_inbound(&ips, &pkt) != IPSEC_OK) { /* verified, opened */
        return 1;
    }
    printf("and out came \"%.5s\"\n", (const char *)pkt.buf.data + 28);
    return pkt.buf.len != sizeof hello || memcmp(pkt.buf.data, hello, 33) != 0;
}
