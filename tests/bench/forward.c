/* SPDX-License-Identifier: MIT */

/*
 * What ipsecgw does with a packet, between two interfaces in memory: its
 * databases, its port, and nothing of the kernel. A packet that is bypassed,
 * against one that is forwarded without IPsec (-p); TCP that is protected,
 * with one policy and with a thousand. All take short turns in one run, and
 * the medians are compared.
 */

#define _GNU_SOURCE
#include "gateway.h"
#include "ipsec_mbedtls.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define ROUNDS    11 /* with databases in other places, and other hash keys */
#define TURNS    101
#define BURST    32
#define MANY   1000
#define PACKET 1600

#define BYPASS_NS  60.0
#define SPEED_MIN  0.90

/* --- interfaces in memory, in place of linux_side.c */

struct queue {
    uint8_t data[BURST][PACKET];
    size_t  len[BURST], n, at;
};

static struct queue queues[3]; /* numbers: side->fd[0] in, out[0] out */

int
ipsec_linux_receive(struct ipsec_linux_side *side, unsigned i,
                    struct ipsec_linux_frame *frame)
{
    struct queue *q = &queues[side->fd[i]];

    if (q->at == q->n) {
        return 0;
    }
    frame->data = frame->mem + IPSEC_LINUX_HEADROOM + 14;
    frame->len = q->len[q->at];
    memcpy(frame->data, q->data[q->at++], frame->len);
    memset(frame->ethernet, 0, sizeof frame->ethernet);
    frame->ethernet[12] = 0x08;
    frame->ethernet_len = 14;
    frame->is_ip = 1;
    frame->no_csum = frame->to_us = frame->about_ours = 0;
    frame->gso = 0;
    side->count.received++;
    return 1;
}

void
ipsec_linux_send(struct ipsec_linux_side *side,
                 const struct ipsec_linux_frame *frame,
                 const struct ipsec_buf *ip)
{
    struct queue *q = &queues[side->out[0]];
    uint8_t ethernet[IPSEC_LINUX_ETHERNET];

    memcpy(ethernet, frame->ethernet, sizeof ethernet);
    if (q->n == BURST || ip->len > PACKET - 14) {
        side->count.full++;
        return;
    }
    memcpy(q->data[q->n], ip->data, ip->len);
    q->len[q->n++] = ip->len;
    side->count.sent++;
}

void
ipsec_linux_send_frame(struct ipsec_linux_side *side,
                       const struct ipsec_linux_frame *frame)
{
    (void)frame;
    side->count.frames++;
}

int
ipsec_linux_random(void *user, void *buf, size_t len)
{
    (void)user;
    return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -1;
}

/* --- gateways */

struct box {
    struct gateway          gateway;
    struct ipsec_linux_side red, black;
    struct ipsec_linux      port;
    struct base             base;
    struct base_env         env;
};

static void
stop(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(2);
}

static int
is_ours(void *user, const struct ipsec_addr *addr)
{
    return address_is_ours(&((struct box *)user)->gateway, addr);
}

static void
log_text(void *user, const char *text)
{
    (void)user;
    stop(text);
}

/* --- what it is to do */

/* A policy each way, seen from `side`: to protect, or, with a priority, to
 * bypass. */
static void
add_policy(struct text *t, int side, const char *near, const char *far,
           const char *proto, const char *peer, const char *prio)
{
    const char *here = side == 0 ? "192.0.2.1" : "192.0.2.2";

    if (prio != NULL) {
        text_add(t, "spdadd %s %s %s -P out %s none;\n"
                 "spdadd %s %s %s -P in %s none;\n", near, far, proto, prio,
                 far, near, proto, prio);
        return;
    }
    text_add(t, "spdadd %s %s %s -P out ipsec esp/tunnel/%s-%s/require;\n"
             "spdadd %s %s %s -P in ipsec esp/tunnel/%s-%s/require;\n",
             near, far, proto, here, peer, far, near, proto, peer, here);
}

static void
add_sas(struct text *t, const char *a, const char *b, unsigned number)
{
    text_add(t, "add %s %s esp %u -m tunnel -r 8 -E aes-gcm-16 0x%040x;\n"
             "add %s %s esp %u -m tunnel -r 8 -E aes-gcm-16 0x%040x;\n",
             a, b, 1000 + 2 * number, 1000 + 2 * number,
             b, a, 1001 + 2 * number, 1001 + 2 * number);
}

/* Of others: each with a peer of its own, in four shapes. */
static void
add_others(struct text *t, int side)
{
    static const char *const proto[] = { "any", "any", "tcp", "udp" };
    char near[40], far[40], peer[40];
    unsigned i;

    (void)snprintf(near, sizeof near, "10.%d.0.0/16", side + 1);
    for (i = 1; i < MANY; i++) {
        (void)snprintf(far, sizeof far, "172.%u.%u.%s", 16 + i / 256, i % 256,
                       i % 4 == 1 ? "9/32" : "0/24");
        (void)snprintf(peer, sizeof peer, "198.18.%u.%u", i / 256, i % 256);
        add_policy(t, side, near, far, proto[i % 4], peer, NULL);
        add_sas(t, side == 0 ? "192.0.2.1" : "192.0.2.2", peer, i);
    }
}

/* How many policies there are each way, and where the one that counts is: an
 * exception, as those are written; or looked at behind all others. */
enum { ONE, FIRST, LAST };

static char *
config(int side, int protect, int many)
{
    static const char *const net[] = { "10.1.0.0/16", "10.2.0.0/16" };
    struct text t;

    memset(&t, 0, sizeof t);
    if (many != ONE) {
        add_others(&t, side);
    }
    add_policy(&t, side, net[side], net[!side], "any",
               side == 0 ? "192.0.2.2" : "192.0.2.1",
               protect ? NULL : many == LAST ? "" : "prio high");
    add_sas(&t, "192.0.2.1", "192.0.2.2", 0);
    if (t.failed) {
        stop("no memory");
    }
    return t.text;
}

static void
box_load(struct box *b, char *text)
{
    struct setkey_command *cmds;
    struct setkey_error error;
    struct text out;
    size_t n;

    memset(&out, 0, sizeof out);
    if (load_text(text, strlen(text), &cmds, &n, &error) != 0 ||
        base_apply(&b->base, cmds, n, &out, &error) != 0) {
        stop(error.text);
    }
    load_free(cmds, n);
    text_free(&out);
    free(text);
}

static void
box_port(struct box *b, int plain)
{
    b->red.kind = b->black.kind = IPSEC_LINUX_PACKET;
    b->red.mtu = b->black.mtu = 1500;
    b->port.ips = &b->base.ips;
    b->port.red = &b->red;
    b->port.black = &b->black;
    b->port.plain = (uint8_t)plain;
    b->port.is_ours = is_ours;
    b->port.user = b;
    if (ipsec_linux_begin(&b->port) != 0) {
        stop("ipsec_linux_begin");
    }
}

enum { PLAIN, BYPASS, PROTECT };

static struct box *
box_new(int side, int what, int many)
{
    struct box *b = calloc(1, sizeof *b);
    size_t i;

    if (b == NULL) {
        stop("no memory");
    }
    for (i = 0; i < 4; i++) { /* as many as a host has */
        struct ipsec_addr *addr = &b->gateway.ours[b->gateway.ours_len++];

        addr->version = 4;
        addr->byte[0] = 192;
        addr->byte[2] = (uint8_t)(5 - i);
        addr->byte[3] = (uint8_t)(side + 1);
    }
    address_index(&b->gateway);
    b->env.is_ours = is_ours;
    b->env.log = log_text;
    b->env.user = b;
    b->env.crypto = &ipsec_mbedtls;
    b->env.mtu = 1500;
    if (base_init(&b->base, &b->env) != 0) {
        stop("base_init");
    }
    (void)ipsec_tick(&b->base.ips, 1000);
    box_load(b, config(side, what == PROTECT, many));
    box_port(b, what == PLAIN);
    return b;
}

static void
box_free(struct box *b)
{
    base_free(&b->base);
    ipsec_linux_end(&b->port);
    free(b);
}

/* --- packets */

/* `n` TCP packets from one network to the other into the first queue. */
static void
fill(int from, size_t len, size_t n)
{
    struct queue *q = &queues[0];
    uint32_t sum = 0;
    uint8_t *p;
    size_t i, k;

    for (i = 0; i < n; i++) {
        p = q->data[i];
        memset(p, 0x5a, len);
        memset(p, 0, 40);
        p[0] = 0x45;
        p[2] = (uint8_t)(len >> 8);
        p[3] = (uint8_t)len;
        p[8] = 64;
        p[9] = 6;
        p[12] = p[16] = 10;
        p[13] = (uint8_t)(1 + from);
        p[17] = (uint8_t)(2 - from);
        p[14] = p[18] = 7;
        p[15] = p[19] = 1;
        p[21] = p[23] = 80;
        for (k = 0, sum = 0; k < 20; k += 2) {
            sum += (uint32_t)p[k] << 8 | p[k + 1];
        }
        sum = (sum & 0xffff) + (sum >> 16);
        p[10] = (uint8_t)(~sum >> 8);
        p[11] = (uint8_t)~sum;
        q->len[i] = len;
    }
    q->n = n;
    q->at = 0;
    queues[1].n = queues[1].at = queues[2].n = queues[2].at = 0;
}

static double
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* From the red side of `b` to its black one, or back. Nanoseconds in all. */
static double
pass(struct box *b, int out, int from_queue)
{
    struct ipsec_linux_side *in = out ? &b->red : &b->black;
    double start;

    in->fd[0] = from_queue;
    (out ? &b->black : &b->red)->out[0] = from_queue + 1;
    start = now_ns();
    ipsec_linux_poll(&b->port, in, 0, BURST);
    return now_ns() - start;
}

static void
arrived(const struct queue *q, size_t n)
{
    if (q->n != n) {
        stop("packets are missing");
    }
}

static double
one_way(struct box *b, int out, size_t len)
{
    double t;

    fill(!out, len, BURST);
    t = pass(b, out, 0);
    arrived(&queues[1], BURST);
    return t / BURST;
}

/* TCP: two segments, and an acknowledgement back. */
static double
stream(struct box *const end[2])
{
    size_t n[] = { BURST, BURST / 2 }, len[] = { 1400, 52 };
    double t = 0;
    int way;

    for (way = 0; way < 2; way++) {
        fill(way, len[way], n[way]);
        t += pass(end[way], 1, 0);
        t += pass(end[!way], 0, 1);
        arrived(&queues[2], n[way]);
    }
    return t / BURST;
}

/* --- results */

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
median(double *value, size_t n)
{
    qsort(value, n, sizeof *value, by_value);
    return value[n / 2];
}

static int
verdict(int held)
{
    printf("%s\n", held ? "held" : "NOT HELD");
    return !held;
}

struct result {
    double base[ROUNDS], value[ROUNDS];
};

/* The median of what each turn has more than the plain one beside it. */
static void
bypass(struct box *plain, struct box *box, int out, size_t len,
       struct result *result, size_t round)
{
    double base[TURNS], more[TURNS];
    size_t i;

    for (i = 0; i < TURNS; i++) {
        base[i] = one_way(plain, out, len);
        more[i] = one_way(box, out, len) - base[i];
    }
    result->base[round] = median(base, TURNS);
    result->value[round] = median(more, TURNS);
}

static int
bypass_result(struct result *result, int out, size_t len, int many)
{
    static const char *const text[] = { "1 policy", "the first of 1000",
                                        "the last of 1000, of 4 shapes" };
    double ns = median(result->value, ROUNDS);

    printf("  bypass %-3s %5zu bytes, %s: %3.0f ns + %3.0f ns", out ? "out"
           : "in", len, text[many], median(result->base, ROUNDS), ns);
    if (many == LAST) {
        printf("\n");
        return 0;
    }
    printf(" (limit %2.0f): ", BYPASS_NS);
    return verdict(ns <= BYPASS_NS);
}

static int
bypasses(int many)
{
    static const size_t size[] = { 64, 1400 };
    static struct result result[4];
    struct box *plain, *box;
    size_t round, i;
    int rc = 0;

    for (round = 0; round < ROUNDS; round++) {
        plain = box_new(0, PLAIN, ONE);
        box = box_new(0, BYPASS, many);
        for (i = 0; i < 4; i++) {
            bypass(plain, box, i < 2, size[i % 2], &result[i], round);
        }
        box_free(plain);
        box_free(box);
    }
    for (i = 0; i < 4; i++) {
        rc |= bypass_result(&result[i], i < 2, size[i % 2], many);
    }
    return rc;
}

static int
protected(void)
{
    static struct result result;
    double ratio[TURNS], base[TURNS], speed;
    struct box *one[2], *many[2];
    size_t round, i;

    for (round = 0; round < ROUNDS; round++) {
        for (i = 0; i < 2; i++) {
            one[i] = box_new((int)i, PROTECT, ONE);
            many[i] = box_new((int)i, PROTECT, LAST);
        }
        for (i = 0; i < TURNS; i++) {
            base[i] = stream(one);
            ratio[i] = base[i] / stream(many);
        }
        result.base[round] = median(base, TURNS);
        result.value[round] = median(ratio, TURNS);
        for (i = 0; i < 2; i++) {
            box_free(one[i]);
            box_free(many[i]);
        }
    }
    speed = median(result.value, ROUNDS);
    printf("  protected TCP, both ends %.0f ns a segment; 1000 policies: %.3f "
           "of the speed with one (limit %.2f): ",
           median(result.base, ROUNDS), speed, SPEED_MIN);
    return verdict(speed >= SPEED_MIN);
}

int
main(void)
{
    int rc = 0, many;

    printf("ipsecgw between interfaces in memory; medians of %d turns, each "
           "beside the other:\n", ROUNDS * TURNS);
    for (many = ONE; many <= LAST; many++) {
        rc |= bypasses(many);
    }
    return protected() | rc;
}
