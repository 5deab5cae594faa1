/* SPDX-License-Identifier: MIT */
#include "fake/packet.h"

#include <string.h>

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
addr4(struct ipsec_addr *a, const char *text)
{
    unsigned n = 0, at = 0;

    a->version = 4;
    for (; at < 4; text++) {
        if (*text >= '0' && *text <= '9') {
            n = n * 10 + (unsigned)(*text - '0');
        } else {
            a->byte[at++] = (uint8_t)n;
            n = 0;
            if (*text == '\0') {
                break;
            }
        }
    }
}

/* Groups of hex digits; one "::" at most. */
static void
addr6(struct ipsec_addr *a, const char *text)
{
    uint8_t byte[16] = { 0 };
    size_t at = 0, gap = 16, tail;
    unsigned n;

    a->version = 6;
    if (text[0] == ':') {
        text++;
    }
    while (*text != '\0' && at < 16) {
        if (*text == ':') {
            gap = at;
            text++;
            continue;
        }
        for (n = 0; hex_digit(*text) >= 0; text++) {
            n = n * 16 + (unsigned)hex_digit(*text);
        }
        byte[at++] = (uint8_t)(n >> 8);
        byte[at++] = (uint8_t)n;
        if (*text == ':') {
            text++;
        }
    }
    tail = gap < at ? at - gap : 0;
    memcpy(a->byte, byte, at - tail);
    memcpy(a->byte + 16 - tail, byte + at - tail, tail);
}

struct ipsec_addr
addr(const char *text)
{
    struct ipsec_addr a;

    memset(&a, 0, sizeof a);
    if (strchr(text, ':') != NULL) {
        addr6(&a, text);
    } else {
        addr4(&a, text);
    }
    return a;
}

static uint32_t
sum_add(uint32_t sum, const uint8_t *p, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    }
    return sum;
}

static uint16_t
sum_fold(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)(sum ^ 0xffff);
}

uint16_t
packet_sum(const uint8_t *p, size_t len)
{
    return sum_fold(sum_add(0, p, len));
}

static void
set16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

void
packet_fix(uint8_t *p)
{
    set16(p + 10, 0);
    set16(p + 10, packet_sum(p, (size_t)(p[0] & 15) * 4));
}

int
packet_intact(const uint8_t *p)
{
    return p[0] >> 4 == 6 || packet_sum(p, (size_t)(p[0] & 15) * 4) == 0;
}

size_t
packet_len(const uint8_t *p)
{
    return p[0] >> 4 == 4 ? (size_t)p[2] << 8 | p[3]
                          : ((size_t)p[4] << 8 | p[5]) + 40;
}

/* Header length of a next layer, and where its checksum is; 0: none. */
static size_t
upper_shape(uint8_t proto, size_t *sum_at)
{
    switch (proto) {
    case 1: case 58:   *sum_at = 2;  return 8;
    case 6:            *sum_at = 16; return 20;
    case 17: case 136: *sum_at = 6;  return 8;
    case 135:          *sum_at = 4;  return 8;
    case 33: case 132: *sum_at = 0;  return 12;
    default:           *sum_at = 0;  return 0;
    }
}

static size_t
upper_build(uint8_t *p, const struct packet_spec *spec,
            const struct ipsec_addr *src, const struct ipsec_addr *dst)
{
    size_t at, head = upper_shape(spec->proto, &at), i;
    size_t len = head + spec->payload, n = src->version == 4 ? 4 : 16;
    uint32_t sum = 0;

    memset(p, 0, head);
    if (spec->proto == 135) {
        p[0] = 59; /* no next header */
        p[1] = (uint8_t)(len / 8 - 1);
        p[2] = (uint8_t)(spec->sport >> 8);
    } else if (head > 0) {
        set16(p, spec->sport);
    }
    if (head > 0 && spec->proto != 1 && spec->proto != 58 &&
        spec->proto != 135) {
        set16(p + 2, spec->dport);
    }
    if (spec->proto == 6) {
        p[12] = 5 << 4;
    } else if (spec->proto == 17) {
        set16(p + 4, len);
    }
    for (i = head; i < len; i++) {
        p[i] = (uint8_t)(i * 7 + 3);
    }
    if (at != 0) {
        if (spec->proto != 1) {
            sum = sum_add(sum, src->byte, n);
            sum = sum_add(sum, dst->byte, n) + (uint32_t)len + spec->proto;
        }
        set16(p + at, sum_fold(sum_add(sum, p, len)));
    }
    return len;
}

static uint8_t
ext_proto(char c)
{
    switch (c) {
    case 'h':           return 0;
    case 'r': case 'R': return 43;
    case 'd': case 'D': return 60;
    default:            return 44;
    }
}

static size_t
ext_one(uint8_t *p, char c, uint8_t next)
{
    size_t len = c == 'D' || c == 'r' || c == 'R' ? 24 : 8;

    memset(p, 0, len);
    p[0] = next;
    if (ext_proto(c) != 44) {
        p[1] = (uint8_t)(len / 8 - 1);
    }
    if (c == 'h' || c == 'd' || c == 'D') {
        p[2] = 1; /* PadN */
        p[3] = (uint8_t)(len - 4);
    } else if (c == 'r') {
        p[2] = 2;
        p[3] = 1;
        p[15] = 9;
    } else if (c == 'f') {
        p[3] = 1;
        p[7] = 77;
    } else if (c == 'l') {
        set16(p + 2, 100 << 3);
        p[7] = 77;
    }
    return len;
}

static size_t
build6(uint8_t *p, const struct packet_spec *spec,
       const struct ipsec_addr *src, const struct ipsec_addr *dst)
{
    const char *e = spec->ext != NULL ? spec->ext : "";
    size_t len = 40;

    p[0] = (uint8_t)(0x60 | spec->tos >> 4);
    p[1] = (uint8_t)((unsigned)spec->tos << 4 | (spec->label >> 16 & 15));
    set16(p + 2, spec->label & 0xffff);
    p[6] = *e != '\0' ? ext_proto(*e) : spec->proto;
    p[7] = spec->ttl ? spec->ttl : 64;
    memcpy(p + 8, src->byte, 16);
    memcpy(p + 24, dst->byte, 16);
    for (; *e != '\0'; e++) {
        len += ext_one(p + len, *e,
                       e[1] != '\0' ? ext_proto(e[1]) : spec->proto);
    }
    len += upper_build(p + len, spec, src, dst);
    set16(p + 4, len - 40);
    return len;
}

static size_t
build4(uint8_t *p, const struct packet_spec *spec,
       const struct ipsec_addr *src, const struct ipsec_addr *dst)
{
    size_t len = 20 + spec->opt_len;

    p[0] = (uint8_t)(0x40 | len / 4);
    p[1] = spec->tos;
    set16(p + 4, spec->id);
    set16(p + 6, (spec->df ? 0x4000u : 0) | (spec->mf ? 0x2000u : 0) |
                 spec->frag);
    p[8] = spec->ttl ? spec->ttl : 64;
    p[9] = spec->proto;
    memcpy(p + 12, src->byte, 4);
    memcpy(p + 16, dst->byte, 4);
    memset(p + 20, 1, spec->opt_len);
    len += upper_build(p + len, spec, src, dst);
    set16(p + 2, len);
    packet_fix(p);
    return len;
}

size_t
packet_build(uint8_t *p, const struct packet_spec *spec)
{
    struct ipsec_addr src = addr(spec->src), dst = addr(spec->dst);

    return src.version == 4 ? build4(p, spec, &src, &dst)
                            : build6(p, spec, &src, &dst);
}
