/*
 * SPDX-License-Identifier: MIT
 *
 * One end of a link, for tests/peers: a context with policies and SAs, told
 * what to do by lines on standard input, each with one line of answer. Packets
 * are in hexadecimal, from their IP header on.
 *
 *     reset                     ok: a new context
 *     sa dir=1 spi=0x2001 ...   ok, or "error WEAK"; add_sa() has the names
 *     policy dir=1 ...          likewise; add_policy()
 *     out PACKET, in PACKET     "ok PACKET", "bypass PACKET", "drop AUTH"
 *     books                     counters, as NAME=NUMBER
 *
 * A packet is in memory of its own, with no more room around it than the
 * library has asked for: a sanitizer sees any byte beside it that is touched.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipsec/ipsec.h"
#include "ipsec_mbedtls.h"

#define KEY_MAX   64
#define TOKEN_MAX 160
#define NATT_PORT 4500

/* What the context was given, in a list, to be freed with it. */
struct item {
    struct item        *next;
    struct ipsec_sa     sa;
    struct ipsec_policy policy;
    void               *key;
    uint32_t           *window;
};

static struct ipsec ips;
static struct item *items;

static int
on_random(void *user, void *buf, size_t len)
{
    FILE *f = fopen("/dev/urandom", "rb");
    size_t n = f == NULL ? 0 : fread(buf, 1, len, f);

    (void)user;
    if (f != NULL) {
        fclose(f);
    }
    return n == len ? 0 : -1;
}

static const struct ipsec_config config = {
    .crypto = &ipsec_mbedtls,
    .random = on_random,
    .natt_port = NATT_PORT,
};

static void *
must_have(void *memory)
{
    if (memory == NULL) {
        perror("endpoint");
        exit(1);
    }
    return memory;
}

/* ---------------------------------------------------- what a line says */

/* The value of `name` in "... name=value ...", copied to `token`; or "". */
static const char *
value(const char *line, const char *name, char token[TOKEN_MAX])
{
    size_t len = strlen(name), n = 0;

    token[0] = '\0';
    while ((line = strchr(line, ' ')) != NULL) {
        line++;
        if (strncmp(line, name, len) == 0 && line[len] == '=') {
            n = strcspn(line + len + 1, " ");
            n = n < TOKEN_MAX ? n : TOKEN_MAX - 1;
            memcpy(token, line + len + 1, n);
            token[n] = '\0';
            break;
        }
    }
    return token;
}

static uint64_t
number(const char *line, const char *name)
{
    char token[TOKEN_MAX];

    return strtoull(value(line, name, token), NULL, 0);
}

/* How many bytes. */
static size_t
hex(uint8_t *to, size_t size, const char *text)
{
    unsigned byte;
    size_t n;

    for (n = 0; n < size && sscanf(text, "%2x", &byte) == 1; n++) {
        to[n] = (uint8_t)byte;
        text += 2;
    }
    return n;
}

/* ADDRESS or ADDRESS/BITS; the bits, or -1. */
static int
address(const char *line, const char *name, struct ipsec_addr *to)
{
    char token[TOKEN_MAX], *slash;
    int six, bits;

    memset(to, 0, sizeof *to);
    value(line, name, token);
    six = strchr(token, ':') != NULL;
    bits = six ? 128 : 32;
    slash = strchr(token, '/');
    if (slash != NULL) {
        *slash = '\0';
        bits = atoi(slash + 1);
    }
    to->version = six ? 6 : 4;
    return inet_pton(six ? AF_INET6 : AF_INET, token, to->byte) == 1 ? bits
                                                                     : -1;
}

/* ------------------------------------------------------- the databases */

static struct item *
item_new(void)
{
    struct item *item = must_have(calloc(1, sizeof *item));

    item->next = items;
    items = item;
    return item;
}

static int
reset(void)
{
    struct item *item;

    while ((item = items) != NULL) {
        ipsec_sad_remove(&ips, &item->sa);
        ipsec_spd_remove(&ips, &item->policy);
        items = item->next;
        free(item->key);
        free(item->window);
        free(item);
    }
    return ipsec_init(&ips, &config);
}

static uint16_t
key(const char *line, const char *name, uint8_t to[KEY_MAX])
{
    char token[TOKEN_MAX];

    return (uint16_t)hex(to, KEY_MAX, value(line, name, token));
}

/* Memory of exactly the size that they need. */
static void
add_memory(struct item *item, struct ipsec_sa_params *p)
{
    p->key_len = ipsec_mbedtls.key_size(&ipsec_mbedtls, &p->km);
    p->key = item->key = must_have(malloc(p->key_len ? p->key_len : 1));
    if (p->window_len != 0) {
        p->window = item->window =
            must_have(calloc(p->window_len, sizeof *p->window));
    }
}

static int
add_sa(const char *line)
{
    struct item *item = item_new();
    uint8_t ekey[KEY_MAX], ikey[KEY_MAX];
    struct ipsec_sa_params p;

    memset(&p, 0, sizeof p);
    p.spi = (uint32_t)number(line, "spi");
    p.reqid = (uint32_t)number(line, "reqid");
    p.dir = (uint8_t)number(line, "dir");
    p.proto = (uint8_t)number(line, "proto");
    p.mode = (uint8_t)number(line, "mode");
    p.flags = (uint16_t)(number(line, "flags") | IPSEC_SA_NEGOTIATED);
    p.local_port = p.remote_port = (uint16_t)number(line, "ports");
    p.seq = number(line, "seq");
    p.window_len = (uint16_t)(number(line, "window") / 32);
    p.km.encr = (uint16_t)number(line, "encr");
    p.km.integ = (uint16_t)number(line, "integ");
    p.km.encr_key = ekey;
    p.km.integ_key = ikey;
    p.km.encr_key_len = key(line, "ekey", ekey);
    p.km.integ_key_len = key(line, "ikey", ikey);
    if (address(line, "local", &p.local) < 0 ||
        address(line, "remote", &p.remote) < 0) {
        return IPSEC_ERR_ADDR;
    }
    add_memory(item, &p);
    return ipsec_sad_add(&ips, &item->sa, &p);
}

static int
add_policy(const char *line)
{
    struct ipsec_policy *p = &item_new()->policy;
    struct ipsec_addr local, remote;
    int local_bits = address(line, "local", &local);
    int remote_bits = address(line, "remote", &remote);

    if (local_bits < 0 || remote_bits < 0) {
        return IPSEC_ERR_ADDR;
    }
    p->sel.version = local.version;
    memcpy(p->sel.local.byte, local.byte, sizeof local.byte);
    memcpy(p->sel.remote.byte, remote.byte, sizeof remote.byte);
    p->sel.local.bits = (uint8_t)local_bits;
    p->sel.remote.bits = (uint8_t)remote_bits;
    p->dir = (uint8_t)number(line, "dir");
    p->action = (uint8_t)number(line, "action");
    p->proto = (uint8_t)number(line, "proto");
    p->mode = (uint8_t)number(line, "mode");
    p->reqid = (uint32_t)number(line, "reqid");
    return ipsec_spd_add(&ips, p);
}

/* ------------------------------------------------------------- packets */

static void
answer(int status, const struct ipsec_buf *buf)
{
    size_t i;

    if (status != IPSEC_OK && status != IPSEC_BYPASS) {
        printf("drop %s\n", ipsec_status_str(status));
        return;
    }
    printf("%s ", status == IPSEC_OK ? "ok" : "bypass");
    for (i = 0; i < buf->len; i++) {
        printf("%02x", buf->data[i]);
    }
    printf("\n");
}

/* Its status; ROOM has been answered, in `head` and `tail`. */
static int
process(int dir, const char *text, size_t *head, size_t *tail)
{
    size_t len = strlen(text) / 2, size = *head + len + *tail;
    uint8_t *memory = must_have(malloc(size ? size : 1));
    struct ipsec_pkt pkt;
    int status;

    ipsec_pkt_init(&pkt, memory, size, *head, len);
    hex(pkt.buf.data, len, text);
    status = dir == IPSEC_OUT ? ipsec_outbound(&ips, &pkt)
                              : ipsec_inbound(&ips, &pkt);
    if (status != IPSEC_ERR_ROOM || size > len) {
        answer(status, &pkt.buf);
    }
    *head = pkt.head;
    *tail = pkt.tail;
    free(memory);
    return status;
}

static void
packet(int dir, const char *text)
{
    size_t head = 0, tail = 0;

    if (process(dir, text, &head, &tail) == IPSEC_ERR_ROOM) {
        process(dir, text, &head, &tail);
    }
}

/* --------------------------------------------------------------- books */

static void
drops(const char *name, const size_t *drop)
{
    int i;

    for (i = 0; i < IPSEC_DROP_COUNT; i++) {
        /* ROOM is how packet() asks for the room. */
        if (drop[i] != 0 && i != -IPSEC_ERR_ROOM) {
            printf(" %s.%s=%zu", name, ipsec_status_str(-i), drop[i]);
        }
    }
}

static void
books(void)
{
    const struct ipsec_stats *s = &ips.stats;
    const struct ipsec_sa *sa;

    printf("out_protect=%zu in_protect=%zu out_bypass=%zu in_bypass=%zu",
           s->out_protect, s->in_protect, s->out_bypass, s->in_bypass);
    drops("out_drop", s->out_drop);
    drops("in_drop", s->in_drop);
    for (sa = ipsec_sad_next(&ips, NULL); sa != NULL;
         sa = ipsec_sad_next(&ips, sa)) {
        printf(" %x.packets=%llu %x.bytes=%llu %x.seq=%llu %x.drops=%zu",
               sa->spi, (unsigned long long)sa->packets, sa->spi,
               (unsigned long long)sa->bytes, sa->spi,
               (unsigned long long)sa->seq, sa->spi,
               sa->drop_auth + sa->drop_replay + sa->drop_other);
    }
    printf("\n");
}

static void
say(int status)
{
    if (status == IPSEC_OK) {
        printf("ok\n");
    } else {
        printf("error %s\n", ipsec_status_str(status));
    }
}

static void
obey(const char *line)
{
    if (strncmp(line, "out ", 4) == 0) {
        packet(IPSEC_OUT, line + 4);
    } else if (strncmp(line, "in ", 3) == 0) {
        packet(IPSEC_IN, line + 3);
    } else if (strncmp(line, "sa ", 3) == 0) {
        say(add_sa(line));
    } else if (strncmp(line, "policy ", 7) == 0) {
        say(add_policy(line));
    } else if (strcmp(line, "reset") == 0) {
        say(reset());
    } else if (strcmp(line, "books") == 0) {
        books();
    } else {
        printf("what?\n");
    }
    fflush(stdout);
}

int
main(void)
{
    char *line = NULL;
    size_t size = 0;

    say(reset());
    fflush(stdout);
    while (getline(&line, &size, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        obey(line);
    }
    free(line);
    return reset() == IPSEC_OK ? 0 : 1;
}
