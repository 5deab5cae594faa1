/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "accelerator.h"
#include "ipsec/ipsec.h"
#include "ipsec_mbedtls.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/*
 * Eight datagrams are in the engine together, are sealed in whatever order it
 * likes, "travel", are in the engine together again, and come out. What a port
 * has to do: keep packet and memory until it is over (`struct flight`), go on
 * in done(), and treat its verdict as that of the first call.
 */

#define FLIGHTS 8

struct flight {
    struct ipsec_pkt pkt;
    size_t           len; /* of the datagram, 0 when delivered */
    uint8_t          mem[IPSEC_HEADROOM + 1500 + IPSEC_TAILROOM];
};

static int
chance(void *user, void *buf, size_t len)
{
    (void)user;
    return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -1;
}

static struct accelerator accelerator;
static struct ipsec_config cfg = { .crypto = &accelerator.api,
                                   .random = chance };
static struct ipsec ips;
static struct ipsec_sa sa[2];
static long long key[2][128];
static struct flight flight[FLIGHTS];
static size_t opened;

static void sealed(struct flight *f, int verdict);
static void arrived(struct flight *f, int verdict);

/* Called by accelerator_poll(), in the main loop. */
static void
seal_done(struct ipsec_op *op, int result)
{
    struct ipsec_pkt *pkt = ipsec_op_pkt(op);

    sealed(pkt->user, ipsec_resume(&ips, pkt, result));
}

static void
open_done(struct ipsec_op *op, int result)
{
    struct ipsec_pkt *pkt = ipsec_op_pkt(op);

    arrived(pkt->user, ipsec_resume(&ips, pkt, result));
}

static void
arrived(struct flight *f, int verdict)
{
    if (verdict == IPSEC_PENDING) {
        return; /* another layer */
    }
    printf("  number %llu, %zu bytes: %s\n", (unsigned long long)f->pkt.seq,
           f->len, ipsec_status_str(verdict));
    opened += verdict == IPSEC_OK && f->pkt.buf.len == f->len;
    f->len = 0;
}

/* The wire leads back to us. */
static void
sealed(struct flight *f, int verdict)
{
    struct ipsec_buf buf = f->pkt.buf;

    if (verdict == IPSEC_PENDING) {
        return;
    }
    if (verdict != IPSEC_OK) {
        printf("  not sealed: %s\n", ipsec_status_str(verdict));
        f->len = 0;
        return;
    }
    memset(&f->pkt, 0, sizeof f->pkt);
    f->pkt.buf = buf;
    f->pkt.user = f;
    f->pkt.done = open_done;
    arrived(f, ipsec_inbound(&ips, &f->pkt));
}

/* An IP packet of no protocol in particular, 10.0.0.1 to 10.0.0.2. */
static void
begin(struct flight *f, size_t len)
{
    static const uint8_t head[20] =
        "\x45\0\0\0\0\0\0\0\x40\xfd\0\0\x0a\0\0\1\x0a\0\0\2";
    uint32_t sum = 0;
    uint8_t *ip;
    size_t i;

    ipsec_pkt_init(&f->pkt, f->mem, sizeof f->mem, IPSEC_HEADROOM, len);
    ip = f->pkt.buf.data;
    memset(ip, 0x55, len);
    memcpy(ip, head, sizeof head);
    ip[2] = (uint8_t)(len >> 8);
    ip[3] = (uint8_t)len;
    for (i = 0; i < sizeof head; i += 2) {
        sum += (uint32_t)ip[i] << 8 | ip[i + 1];
    }
    sum = ~((sum & 0xffff) + (sum >> 16));
    ip[10] = (uint8_t)(sum >> 8);
    ip[11] = (uint8_t)sum;
    f->len = len;
    f->pkt.user = f;
    f->pkt.done = seal_done; /* PENDING will do */
    sealed(f, ipsec_outbound(&ips, &f->pkt));
}

static int
set_up(void)
{
    static struct ipsec_policy policy = { .action = IPSEC_ACTION_PROTECT,
                                          .dir = IPSEC_OUT | IPSEC_IN,
                                          .reqid = 1 };
    uint8_t secret[16 + 4];
    struct ipsec_sa_params out = {
        .spi = 0x1001, .reqid = 1, .dir = IPSEC_OUT,
        .proto = IPSEC_PROTO_ESP, .mode = IPSEC_MODE_TRANSPORT,
        .local = { 4, { 10, 0, 0, 1 } }, .remote = { 4, { 10, 0, 0, 2 } },
        .flags = IPSEC_SA_NEGOTIATED,
        .km = { .encr = IPSEC_ENCR_AES_GCM_16, .encr_key = secret,
                .encr_key_len = sizeof secret },
        .key = key[0], .key_len = sizeof key[0] };
    struct ipsec_sa_params in = out;

    in.dir = IPSEC_IN;
    in.local = out.remote;
    in.remote = out.local;
    in.key = key[1];
    return chance(NULL, secret, sizeof secret) != 0 ||
           accelerator_start(&accelerator, &ipsec_mbedtls) != 0 ||
           ipsec_init(&ips, &cfg) != IPSEC_OK ||
           ipsec_spd_add(&ips, &policy) != IPSEC_OK ||
           ipsec_sad_add(&ips, &sa[0], &out) != IPSEC_OK ||
           ipsec_sad_add(&ips, &sa[1], &in) != IPSEC_OK;
}

int
main(void)
{
    const struct timespec nap = { 0, 100000 };
    size_t i;

    if (set_up()) {
        return 1;
    }
    for (i = 0; i < FLIGHTS; i++) {
        begin(&flight[i], 1400 - 150 * i);
    }
    while (accelerator_poll(&accelerator) != 0) { /* the main loop */
        nanosleep(&nap, NULL);
    }
    accelerator_stop(&accelerator);
    printf("%zu of %d came out; %zu had overtaken another\n", opened, FLIGHTS,
           accelerator.overtaken);
    return opened != FLIGHTS;
}
