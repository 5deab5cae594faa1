/*
 * Instructions for a packet: through the library, and in crypto.
 * SPDX-License-Identifier: MIT
 *
 * QEMU's -icount shift=6 makes each instruction take 64 ns, and timer0 counts
 * 40 ns: these are instructions, not cycles, and every run gives the same.
 *
 * The case: IPv4 tunnel, outer header and its checksum made; 4 policies of
 * which the fourth matches; 2 SAs; no tables, no hint; anti-replay on.
 */
#include <string.h>

#include "board.h"
#include "console.h"
#include "ipsec/ipsec.h"
#include "ipsec_mbedtls.h"

#define TIMER_CTRL   REG(0x40000000u)
#define TIMER_VALUE  REG(0x40000004u)
#define TIMER_RELOAD REG(0x40000008u)

#define POLICIES 4
#define KEY_MEM  1024
#define ROOM     1600

struct end {
    struct ipsec        ips;
    struct ipsec_policy policy[POLICIES];
    struct ipsec_sa     sa[2];
    uint64_t            key[2][KEY_MEM / 8];
};

struct cost {
    uint32_t all, crypto;
};

static struct end device, gateway;
static uint8_t mem[ROOM];
static uint32_t in_crypto, reading;

/* ------------------------------------------------------------ measuring */

static uint32_t now(void)
{
    return 0xffffffffu - TIMER_VALUE;
}

static uint32_t instructions(uint32_t ticks)
{
    return ticks * 5u / 8u;
}

static int timed_run(const struct ipsec_crypto *self, struct ipsec_op *op)
{
    uint32_t start = now();
    int rc;

    (void)self;
    rc = ipsec_mbedtls.run(&ipsec_mbedtls, op);
    in_crypto += now() - start - reading;
    return rc;
}

static size_t key_size(const struct ipsec_crypto *self,
                       const struct ipsec_keymat *km)
{
    (void)self;
    return ipsec_mbedtls.key_size(&ipsec_mbedtls, km);
}

static int key_init(const struct ipsec_crypto *self, void *key,
                    const struct ipsec_keymat *km, int open)
{
    (void)self;
    return ipsec_mbedtls.key_init(&ipsec_mbedtls, key, km, open);
}

static void key_wipe(const struct ipsec_crypto *self, void *key)
{
    (void)self;
    ipsec_mbedtls.key_wipe(&ipsec_mbedtls, key);
}

static const struct ipsec_crypto timed = {
    "timed", key_size, key_init, key_wipe, timed_run
};

/* --------------------------------------------------------------- set-up */

static int no_chance(void *user, void *buf, size_t len)
{
    (void)user;
    memset(buf, 42, len); /* nothing here is secret */
    return 0;
}

static const struct ipsec_config config = { .crypto = &timed,
                                            .random = no_chance };

static const struct suite {
    const char *name;
    uint16_t    encr, encr_len, integ, integ_len;
} suites[] = {
    { "AES-128-GCM", IPSEC_ENCR_AES_GCM_16, 20, 0, 0 },
    { "AES-128-CCM-8", IPSEC_ENCR_AES_CCM_8, 19, 0, 0 },
    { "ChaCha20-Poly1305", IPSEC_ENCR_CHACHA20_POLY1305, 36, 0, 0 },
    { "AES-128-CBC, SHA-256", IPSEC_ENCR_AES_CBC, 16,
      IPSEC_INTEG_HMAC_SHA2_256_128, 32 },
    { "NULL, SHA-256", IPSEC_ENCR_NULL, 0, IPSEC_INTEG_HMAC_SHA2_256_128,
      32 },
};

static int add_sa(struct end *end, const struct suite *suite, int dir,
                  int which, uint8_t us)
{
    static const uint8_t keys[64] = "it is known to everybody, so is the salt";
    struct ipsec_sa_params p;

    memset(&p, 0, sizeof p);
    p.spi = 0x1000u + (uint32_t)which;
    p.reqid = 7;
    p.dir = (uint8_t)dir;
    p.proto = IPSEC_PROTO_ESP;
    p.mode = IPSEC_MODE_TUNNEL;
    p.flags = IPSEC_SA_NEGOTIATED;
    p.mtu = 1500;
    p.local = (struct ipsec_addr){ 4, { 192, 0, 2, us } };
    p.remote = (struct ipsec_addr){ 4, { 192, 0, 2, (uint8_t)(3 - us) } };
    p.km.encr = suite->encr;
    p.km.integ = suite->integ;
    p.km.encr_key = p.km.integ_key = keys;
    p.km.encr_key_len = suite->encr_len;
    p.km.integ_key_len = suite->integ_len;
    p.key = end->key[which];
    p.key_len = sizeof end->key[which];
    return ipsec_sad_add(&end->ips, &end->sa[which], &p);
}

/* The first three are for other networks. */
static int add_policy(struct end *end, int i)
{
    struct ipsec_policy *policy = &end->policy[i];

    policy->sel.version = 4;
    policy->sel.remote.byte[0] = i == POLICIES - 1 ? 10 : 172;
    policy->sel.remote.byte[1] = (uint8_t)i;
    policy->sel.remote.bits = i == POLICIES - 1 ? 8 : 16;
    policy->dir = IPSEC_OUT | IPSEC_IN;
    policy->action = IPSEC_ACTION_PROTECT;
    policy->priority = (uint32_t)i;
    policy->reqid = 7;
    return ipsec_spd_add(&end->ips, policy);
}

static int set_up(struct end *end, const struct suite *suite, uint8_t us)
{
    int out = us == 1, rc, i;

    memset(end, 0, sizeof *end);
    rc = ipsec_init(&end->ips, &config);
    for (i = 0; rc == IPSEC_OK && i < POLICIES; i++) {
        rc = add_policy(end, i);
    }
    if (rc == IPSEC_OK) {
        rc = add_sa(end, suite, out ? IPSEC_OUT : IPSEC_IN, 0, us);
    }
    return rc == IPSEC_OK
        ? add_sa(end, suite, out ? IPSEC_IN : IPSEC_OUT, 1, us) : rc;
}

/* ---------------------------------------------------------- one packet */

/* UDP from 10.0.0.1 to 10.0.0.2, without a checksum. */
static void datagram(uint8_t *p, size_t len)
{
    static const uint8_t head[28] = {
        0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        0, 7, 0, 7
    };
    uint32_t sum = 0;
    size_t i;

    memset(p, 'x', len);
    memcpy(p, head, sizeof head);
    p[2] = (uint8_t)(len >> 8), p[3] = (uint8_t)len;
    p[24] = (uint8_t)((len - 20) >> 8), p[25] = (uint8_t)(len - 20);
    for (i = 0; i < 20; i += 2) {
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    }
    sum = ~((sum & 0xffff) + (sum >> 16));
    p[10] = (uint8_t)(sum >> 8), p[11] = (uint8_t)sum;
}

static int timed_call(int (*call)(struct ipsec *, struct ipsec_pkt *),
                      struct end *end, struct ipsec_pkt *pkt,
                      struct cost *cost)
{
    uint32_t start;
    int rc;

    in_crypto = 0;
    start = now();
    rc = call(&end->ips, pkt);
    cost->all = instructions(now() - start - reading);
    cost->crypto = instructions(in_crypto);
    return rc;
}

static int measure(size_t len, struct cost *out, struct cost *in)
{
    struct ipsec_pkt pkt;
    struct ipsec_buf buf;

    ipsec_pkt_init(&pkt, mem, sizeof mem, IPSEC_HEADROOM, len);
    datagram(pkt.buf.data, len);
    if (timed_call(ipsec_outbound, &device, &pkt, out) != IPSEC_OK) {
        return -1;
    }
    buf = pkt.buf;
    memset(&pkt, 0, sizeof pkt);
    pkt.buf = buf;
    if (timed_call(ipsec_inbound, &gateway, &pkt, in) != IPSEC_OK) {
        return -1;
    }
    return pkt.buf.len == len && pkt.buf.data[len - 1] == 'x' ? 0 : -1;
}

static void line(const char *name, size_t len, const struct cost *out,
                 const struct cost *in, unsigned rest)
{
    print("%s;%zu;%lu;%lu;%lu;%lu;%u\n", name, len,
          (unsigned long)out->crypto,
          (unsigned long)(out->all - out->crypto),
          (unsigned long)in->crypto, (unsigned long)(in->all - in->crypto),
          rest);
}

/* Three sizes of a suite; 0 if all went through. */
static int table(const struct suite *suite)
{
    static const size_t lengths[] = { 64, 512, 1400 };
    struct cost out, in;
    size_t i;

    if (set_up(&device, suite, 1) || set_up(&gateway, suite, 2)) {
        print("no %s\n", suite->name);
        return 1;
    }
    for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        unsigned rest;

        if (measure(lengths[i], &out, &in) != 0) {
            print("%s fails\n", suite->name);
            return 1;
        }
        rest = (unsigned)(out.all - out.crypto + in.all - in.crypto);
        line(suite->name, lengths[i], &out, &in, rest);
    }
    return 0;
}

int main(void)
{
    uint32_t start;
    int bad = 0;
    size_t i;

    __asm__ volatile("cpsid i");
    TIMER_RELOAD = 0xffffffffu;
    TIMER_VALUE = 0xffffffffu;
    TIMER_CTRL = 1;
    start = now();
    reading = now() - start;
    print("suite;bytes;out crypto;out rest;in crypto;in rest;rest\n");
    for (i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        bad |= table(&suites[i]);
    }
    return bad;
}
