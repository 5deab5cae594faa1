/* SPDX-License-Identifier: MIT */

/*
 * What ESP costs on top of the bare cipher: the time of ipsec_outbound() and
 * ipsec_inbound() for one tunnel packet with AES-128-GCM over mbedTLS, as a
 * ratio to mbedTLS's own GCM calls on as many bytes and as much AAD, with a
 * key that was expanded before as well. Both take turns in one run, and the
 * medians over many turns are printed: the nanoseconds are of this machine,
 * the ratios carry over.
 */

#define _POSIX_C_SOURCE 200112L

#include "ipsec/ipsec.h"
#include "ipsec_mbedtls.h"

#include <mbedtls/gcm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURNS   401
#define BURST    64 /* packets that are timed together */
#define ROOM   1600
#define SPI  0x1001u
#define AAD       8 /* SPI and sequence number (RFC 4106 section 5) */

/* One end of the tunnel, or a boundary that lets everything pass. */
struct end {
    struct ipsec        ips;
    struct ipsec_config cfg;
    struct ipsec_policy policy;
    struct ipsec_sa     sa;
    void               *key;
};

struct bare {
    mbedtls_gcm_context gcm;
    uint8_t             mem[BURST][ROOM];
    uint8_t             icv[BURST][16];
};

struct flight {
    struct ipsec_pkt pkt[BURST];
    uint8_t          mem[BURST][ROOM];
};

/* Nanoseconds a packet, of each turn. */
struct times {
    double seal[TURNS], open[TURNS], out[TURNS], in[TURNS], bypass[TURNS];
};

static const uint8_t keymat[20] = "sixteen key bytes,";

static struct end device, gateway, open_end;
static struct bare bare;
static struct flight flight;
static struct times times;

static void
expect(int result, int wanted, const char *what)
{
    if (result != wanted) {
        fprintf(stderr, "bench: %s: %s\n", what, ipsec_status_str(result));
        exit(1);
    }
}

static double
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Hash keys only, and none of the tables here is hashed by anybody's data. */
static int
random_fill(void *user, void *buf, size_t len)
{
    (void)user;
    memset(buf, 0x5a, len);
    return 0;
}

static void
end_init(struct end *end, int action)
{
    end->cfg.crypto = &ipsec_mbedtls;
    end->cfg.random = random_fill;
    expect(ipsec_init(&end->ips, &end->cfg), IPSEC_OK, "ipsec_init");
    end->policy.action = (uint8_t)action;
    end->policy.dir = IPSEC_OUT | IPSEC_IN;
    end->policy.reqid = 1;
    end->policy.proto = IPSEC_PROTO_ESP;
    end->policy.mode = IPSEC_MODE_TUNNEL;
    expect(ipsec_spd_add(&end->ips, &end->policy), IPSEC_OK, "ipsec_spd_add");
}

static void
sa_add(struct end *end, int dir)
{
    static const struct ipsec_addr a = { 4, { 192, 0, 2, 1 } };
    static const struct ipsec_addr b = { 4, { 192, 0, 2, 2 } };
    struct ipsec_sa_params p = { 0 };

    p.spi = SPI;
    p.reqid = 1;
    p.dir = (uint8_t)dir;
    p.proto = IPSEC_PROTO_ESP;
    p.mode = IPSEC_MODE_TUNNEL;
    p.flags = IPSEC_SA_NEGOTIATED;
    p.local = dir == IPSEC_OUT ? a : b;
    p.remote = dir == IPSEC_OUT ? b : a;
    p.km.encr = IPSEC_ENCR_AES_GCM_16;
    p.km.encr_key = keymat;
    p.km.encr_key_len = sizeof keymat;
    p.key_len = ipsec_mbedtls.key_size(&ipsec_mbedtls, &p.km);
    p.key = end->key = malloc(p.key_len);
    expect(ipsec_sad_add(&end->ips, &end->sa, &p), IPSEC_OK, "ipsec_sad_add");
}

static void
sa_remove(struct end *end)
{
    expect(ipsec_sad_remove(&end->ips, &end->sa), IPSEC_OK,
           "ipsec_sad_remove");
    free(end->key);
}

/* A UDP packet from 10.0.1.1 to 10.0.2.1. */
static void
packet_write(uint8_t *p, size_t len)
{
    static const uint8_t head[24] = {
        0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0,
        10, 0, 1, 1, 10, 0, 2, 1, 0x13, 0x88, 0x13, 0x88
    };
    uint32_t sum = 0;

    memset(p, 0xa5, len);
    memcpy(p, head, sizeof head);
    p[2] = (uint8_t)(len >> 8);
    p[3] = (uint8_t)len;
    p[24] = (uint8_t)((len - 20) >> 8);
    p[25] = (uint8_t)(len - 20);
    for (size_t i = 0; i < 20; i += 2) {
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~(sum + (sum >> 16));
    p[10] = (uint8_t)(sum >> 8);
    p[11] = (uint8_t)sum;
}

static void
flight_ready(size_t len)
{
    for (size_t i = 0; i < BURST; i++) {
        packet_write(flight.mem[i] + IPSEC_HEADROOM, len);
        ipsec_pkt_init(&flight.pkt[i], flight.mem[i], ROOM, IPSEC_HEADROOM,
                       len);
    }
}

typedef int call(struct ipsec *ips, struct ipsec_pkt *pkt);

static double
flight_time(struct end *end, call *process, int wanted)
{
    double start = now_ns();

    for (size_t i = 0; i < BURST; i++) {
        expect(process(&end->ips, &flight.pkt[i]), wanted, "a packet");
    }
    return (now_ns() - start) / BURST;
}

/* What ESP enciphers: the packet, padded to 4 bytes with a trailer of 2. */
static size_t
text_len(size_t len)
{
    return (len + 2 + 3) / 4 * 4;
}

static double
bare_seal(size_t len)
{
    uint8_t nonce[12] = { 0 };
    double start = now_ns();

    for (size_t i = 0; i < BURST; i++) {
        uint8_t *p = bare.mem[i] + IPSEC_HEADROOM;

        nonce[11] = (uint8_t)i;
        expect(mbedtls_gcm_crypt_and_tag(&bare.gcm, MBEDTLS_GCM_ENCRYPT,
                                         text_len(len), nonce, sizeof nonce,
                                         p - 16, AAD, p, p, 16, bare.icv[i]),
               0, "mbedtls_gcm_crypt_and_tag");
    }
    return (now_ns() - start) / BURST;
}

static double
bare_open(size_t len)
{
    uint8_t nonce[12] = { 0 };
    double start = now_ns();

    for (size_t i = 0; i < BURST; i++) {
        uint8_t *p = bare.mem[i] + IPSEC_HEADROOM;

        nonce[11] = (uint8_t)i;
        expect(mbedtls_gcm_auth_decrypt(&bare.gcm, text_len(len), nonce,
                                        sizeof nonce, p - 16, AAD,
                                        bare.icv[i], 16, p, p),
               0, "mbedtls_gcm_auth_decrypt");
    }
    return (now_ns() - start) / BURST;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
median(const double *value)
{
    double sorted[TURNS];

    memcpy(sorted, value, sizeof sorted);
    qsort(sorted, TURNS, sizeof *sorted, by_value);
    return sorted[TURNS / 2];
}

static void
turn(size_t i, size_t len)
{
    times.seal[i] = bare_seal(len);
    times.open[i] = bare_open(len);
    flight_ready(len);
    times.out[i] = flight_time(&device, ipsec_outbound, IPSEC_OK);
    times.in[i] = flight_time(&gateway, ipsec_inbound, IPSEC_OK);
    flight_ready(len);
    times.bypass[i] = flight_time(&open_end, ipsec_outbound, IPSEC_BYPASS);
}

/* GCM's speed varies by a tenth with where its stack frame lies to cache lines
 * and to the buffers: so that is another place each turn. */
static void
turn_elsewhere(size_t i, size_t len)
{
    volatile uint8_t pad[64 + i * 16 % 4096];

    pad[0] = 0;
    turn(i, len);
    pad[1] = pad[0];
}

static void
measure(size_t len)
{
    struct times *t = &times;
    double seal, open, out, in;

    for (size_t i = 0; i < BURST; i++) {
        packet_write(bare.mem[i] + IPSEC_HEADROOM, len);
    }
    turn(0, len); /* fills the caches; timed again below */
    for (size_t i = 0; i < TURNS; i++) {
        turn_elsewhere(i, len);
    }
    seal = median(t->seal);
    open = median(t->open);
    out = median(t->out);
    in = median(t->in);
    printf("%6zu %8.0f %8.0f %8.0f %8.0f %8.2f %8.2f %8.2f %8.0f\n", len,
           seal, open, out, in, out / seal, in / open,
           (out + in) / (seal + open), median(t->bypass));
}

int
main(void)
{
    static const size_t size[] = { 64, 256, 512, 1400 };

    end_init(&device, IPSEC_ACTION_PROTECT);
    end_init(&gateway, IPSEC_ACTION_PROTECT);
    end_init(&open_end, IPSEC_ACTION_BYPASS);
    sa_add(&device, IPSEC_OUT);
    sa_add(&gateway, IPSEC_IN);
    mbedtls_gcm_init(&bare.gcm);
    expect(mbedtls_gcm_setkey(&bare.gcm, MBEDTLS_CIPHER_ID_AES, keymat, 128),
           0, "mbedtls_gcm_setkey");

    printf("ESP tunnel, IPv4, AES-128-GCM, one packet at a time; medians of "
           "%d turns.\n\n", TURNS);
    printf("%6s %17s %17s %26s %8s\n", "", "mbedTLS GCM, ns", "libipsec, ns",
           "ratio", "bypass");
    printf("%6s %8s %8s %8s %8s %8s %8s %8s %8s\n", "bytes", "seal", "open",
           "out", "in", "out", "in", "both", "ns");
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        measure(size[i]);
    }
    mbedtls_gcm_free(&bare.gcm);
    sa_remove(&device);
    sa_remove(&gateway);
    return 0;
}
