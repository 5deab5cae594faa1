/* SPDX-License-Identifier: MIT */
#include "week.h"

/*
 * Datagrams, and IP as the wire needs it, written without the library. Each
 * has its id and a mark that no sealed frame may show: in the payload, every
 * 256 bytes of it; where that has no room, in TCP's sequence and
 * acknowledgement numbers.
 */

#define MARK  "WEEK"
#define EVERY 256

static void
put2(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void
put4(uint8_t *p, uint32_t v)
{
    put2(p, v >> 16);
    put2(p + 2, v & 0xffff);
}

static uint32_t
get2(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t
get4(const uint8_t *p)
{
    return get2(p) << 16 | get2(p + 2);
}

/* --- addresses */

int
addr_same(const struct ipsec_addr *a, const struct ipsec_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

struct ipsec_addr
ip_addr(const uint8_t *p, int dst)
{
    struct ipsec_addr a;

    memset(&a, 0, sizeof a);
    if (p[0] >> 4 == 6) {
        a.version = 6;
        memcpy(a.byte, p + (dst ? 24 : 8), 16);
    } else {
        a.version = 4;
        memcpy(a.byte, p + (dst ? 16 : 12), 4);
    }
    return a;
}

/* Of who talks: behind a tunnel's end, or the end itself. */
struct ipsec_addr
inner_addr(unsigned chan, unsigned end, unsigned host)
{
    const struct channel *c = &channels[chan];
    struct ipsec_addr a;

    if (c->mode == IPSEC_MODE_TRANSPORT) {
        return week.station[c->end[end]].addr[c->inner == 6];
    }
    memset(&a, 0, sizeof a);
    a.version = c->inner;
    if (c->inner == 4) {
        a.byte[0] = 10;
        a.byte[1] = (uint8_t)(end + 1);
        a.byte[2] = (uint8_t)chan;
        a.byte[3] = (uint8_t)host;
    } else {
        put4(a.byte, 0x20010db8);
        a.byte[5] = (uint8_t)(end + 10);
        a.byte[7] = (uint8_t)chan;
        a.byte[15] = (uint8_t)host;
    }
    return a;
}

/* --- checksums */

uint16_t
ip_sum(uint32_t start, const uint8_t *p, size_t len)
{
    uint64_t sum = start;
    size_t i;

    for (i = 0; i + 1 < len; i += 2) {
        sum += get2(p + i);
    }
    sum += len % 2 ? (uint32_t)p[len - 1] << 8 : 0;
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

void
ip4_fix(uint8_t *p)
{
    put2(p + 10, 0);
    put2(p + 10, ip_sum(0, p, (size_t)(p[0] & 15) * 4));
}

int
ip4_intact(const uint8_t *p, size_t len)
{
    size_t head = (size_t)(p[0] & 15) * 4;

    return len >= 20 && head >= 20 && head <= len && ip_sum(0, p, head) == 0;
}

/* Of TCP, UDP and ICMP behind a header of 20 or 40 bytes. */
static void
sum_set(uint8_t *p, size_t head, size_t len, uint8_t proto, size_t at)
{
    size_t four = head == 20;
    uint32_t pseudo = 0;

    if (proto != 1) {
        pseudo = (uint32_t)(proto + len - head);
        pseudo += (uint16_t)~ip_sum(0, p + (four ? 12 : 8), four ? 8 : 32);
    }
    put2(p + head + at, 0);
    put2(p + head + at, ip_sum(pseudo, p + head, len - head));
    if (proto == 17 && get2(p + head + at) == 0) {
        put2(p + head + at, 0xffff);
    }
}

/* --- datagrams */

static void
fill(uint8_t *p, size_t len, uint32_t id)
{
    uint64_t x = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        if (i % 8 == 0) {
            x = mix(id, i);
        }
        p[i] = (uint8_t)(x >> i % 8 * 8);
    }
    for (i = 0; i + 8 <= len; i += EVERY) {
        memcpy(p + i, MARK, 4);
        put4(p + i + 4, id);
    }
}

static size_t
header(uint8_t *p, const struct plan *plan, size_t len)
{
    const struct channel *c = &channels[plan->chan];
    struct ipsec_addr src, dst;
    unsigned host = 1 + plan->id % 9;

    src = inner_addr(plan->chan, plan->way, host);
    dst = inner_addr(plan->chan, !plan->way, host);
    memset(p, 0, 40);
    if (c->inner == 4) {
        p[0] = 0x45;
        p[1] = (uint8_t)(plan->id % 5 == 0 ? 0x02 : 0); /* ECT(0) */
        put2(p + 2, 20 + len);
        put2(p + 4, plan->id & 0xffff);
        p[6] = plan->df ? 0x40 : 0;
        p[8] = 64;
        p[9] = plan->proto;
        memcpy(p + 12, src.byte, 4);
        memcpy(p + 16, dst.byte, 4);
        ip4_fix(p);
        return 20;
    }
    p[0] = 0x60;
    put2(p + 4, len);
    p[6] = plan->proto;
    p[7] = 64;
    memcpy(p + 8, src.byte, 16);
    memcpy(p + 24, dst.byte, 16);
    return 40;
}

size_t
dgram_build(uint8_t *p, const struct plan *plan)
{
    size_t more = plan->proto == 6 ? 20 : 8, head, len;
    uint8_t *l4;

    head = header(p, plan, more + plan->payload);
    len = head + more + plan->payload;
    l4 = p + head;
    memset(l4, 0, more);
    if (plan->proto == 6) {
        put2(l4, 40000);
        put2(l4 + 2, 80);
        memcpy(l4 + 4, MARK, 4);
        put4(l4 + 8, plan->id);
        l4[12] = 0x50;
        l4[13] = 0x10;
    } else if (plan->proto == 17) {
        put2(l4, 5000 + plan->id % 7);
        put2(l4 + 2, 7000);
        put2(l4 + 4, more + plan->payload);
    } else {
        l4[0] = plan->proto == 1 ? 8 : 128;
        put2(l4 + 4, plan->id & 0xffff);
    }
    fill(l4 + more, plan->payload, plan->id);
    sum_set(p, head, len, plan->proto, plan->proto == 6 ? 16
            : plan->proto == 17 ? 6 : 2);
    return len;
}

uint32_t
dgram_id(const uint8_t *p, size_t len)
{
    size_t head = p[0] >> 4 == 6 ? 40 : 20;
    uint8_t proto = p[p[0] >> 4 == 6 ? 6 : 9];
    const uint8_t *at = p + head + (proto == 6 ? 4 : 8);

    if ((size_t)(at - p) + 8 > len || memcmp(at, MARK, 4) != 0) {
        return 0;
    }
    return get4(at + 4);
}

/* Of all that must arrive as it was sent: not what routers may change, nor ECN
 * that a tunnel's end takes from the outer header. */
uint64_t
dgram_print(const uint8_t *p, size_t len)
{
    uint8_t head[40];
    size_t n = len < 40 ? len : 40, i;
    uint64_t print = len, word;

    memset(head, 0, sizeof head);
    memcpy(head, p, n);
    if (head[0] >> 4 == 6) {
        head[0] = 0x60;
        head[1] = head[2] = head[3] = head[7] = 0;
    } else {
        head[1] = head[8] = head[10] = head[11] = 0;
    }
    for (i = 0; i < 40; i += 8) {
        memcpy(&word, head + i, 8);
        print = mix(print, word);
    }
    for (i = 40; i < len; i += 8) {
        word = 0;
        memcpy(&word, p + i, len - i < 8 ? len - i : 8);
        print = mix(print, word);
    }
    return print;
}

/* Is there a mark in it? */
int
dgram_marked(const uint8_t *p, size_t len)
{
    const uint8_t *end = p + len, *at = p;

    while (end - at >= 8 &&
           (at = memchr(at, MARK[0], (size_t)(end - at) - 7)) != NULL) {
        if (memcmp(at, MARK, 4) == 0 && get4(at + 4) - 1 < week.packets) {
            return 1;
        }
        at++;
    }
    return 0;
}

/* --- fragments */

int
ip_is_part(const uint8_t *p, size_t len)
{
    if (p[0] >> 4 == 6) {
        return len >= 48 && p[6] == 44;
    }
    return len >= 20 && (get2(p + 6) & 0x3fff) != 0;
}

/* Which datagram it is of. */
uint64_t
ip_part_key(const uint8_t *p)
{
    uint64_t key = p[0] >> 4, word;
    size_t i, four = key == 4;

    for (i = 0; i < (four ? 8u : 32u); i += 8) {
        memcpy(&word, p + (four ? 12 : 8) + i, 8);
        key = mix(key, word);
    }
    return mix(key, four ? get2(p + 4) : get4(p + 44));
}

/* The outermost ESP or AH header of a frame that shows one. */
int
ip_sealed(const uint8_t *p, size_t len, uint32_t *spi, uint32_t *seq)
{
    int six = p[0] >> 4 == 6;
    size_t at = six ? 40 : 20;
    uint8_t proto = p[six ? 6 : 9];

    if (six && proto == 44) {
        if ((get2(p + 42) & 0xfff8) != 0) {
            return 0;
        }
        proto = p[40];
        at += 8;
    } else if (!six && (get2(p + 6) & 0x1fff) != 0) {
        return 0;
    }
    at += proto == 17 ? 8 : proto == 51 ? 4 : 0;
    if ((proto != 50 && proto != 51 && proto != 17) || at + 8 > len) {
        return 0;
    }
    *spi = get4(p + at);
    *seq = get4(p + at + 4);
    return 1;
}

/* As a router does, IPv4 without options; or, over IPv6, a source. 0: done. */
size_t
ip_cut(const uint8_t *p, size_t mtu, uint32_t id, size_t *off, uint8_t *to)
{
    size_t four = p[0] >> 4 == 4, head = four ? 20 : 40;
    size_t total = (four ? get2(p + 2) : get2(p + 4) + 40) - head;
    size_t more = four ? 0 : 8, n = (mtu - head - more) & ~(size_t)7;
    size_t left, old;

    if (*off >= total) {
        return 0;
    }
    left = total - *off;
    n = n < left ? n : left;
    memcpy(to, p, head);
    memcpy(to + head + more, p + head + *off, n);
    if (four) {
        old = get2(p + 6);
        put2(to + 2, head + n);
        put2(to + 6, (old & 0xe000) | ((old & 0x1fff) + *off / 8) |
                     (n < left ? 0x2000u : 0));
        ip4_fix(to);
    } else {
        put2(to + 4, n + 8);
        to[40] = p[6];
        to[6] = 44;
        to[41] = 0;
        put2(to + 42, *off | (n < left));
        put4(to + 44, id);
    }
    *off += n;
    return head + more + n;
}

/* What a router answers about `p`, in the name of nobody in particular. */
size_t
ip_too_big(uint8_t *to, const uint8_t *p, size_t len, size_t mtu)
{
    size_t four = p[0] >> 4 == 4, head = four ? 20 : 40;
    size_t quote = len < 100 ? len : 100;

    memset(to, 0, head + 8);
    if (four) {
        to[0] = 0x45;
        put2(to + 2, head + 8 + quote);
        to[8] = 60;
        to[9] = 1;
        put4(to + 12, 0xcb007101); /* 203.0.113.1 */
        memcpy(to + 16, p + 12, 4);
        ip4_fix(to);
        to[20] = 3;
        to[21] = 4;
        put2(to + 26, mtu);
    } else {
        to[0] = 0x60;
        put2(to + 4, 8 + quote);
        to[6] = 58;
        to[7] = 60;
        put4(to + 8, 0x20010db8);
        to[23] = 0xee;
        memcpy(to + 24, p + 8, 16);
        to[40] = 2;
        put4(to + 44, (uint32_t)mtu);
    }
    memcpy(to + head + 8, p, quote);
    sum_set(to, head, head + 8 + quote, four ? 1 : 58, 2);
    return head + 8 + quote;
}
