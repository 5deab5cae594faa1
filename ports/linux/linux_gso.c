/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "linux_inner.h"

#include <string.h>

/* TCP's segments that a station on this machine has left to its card to cut,
 * which isn't there: cut here, before policy and MTUs see them. */

#define TCP     6
#define TCP_MIN 20
#define FIN_PSH 0x09
#define CWR     0x80 /* for the first alone (RFC 3168 section 6.1.2) */

/* Where TCP is, and how long its header; 0: it isn't there. */
static size_t
tcp_at(const uint8_t *p, size_t len, size_t *tcp_len)
{
    size_t at = p[0] >> 4 == 4 ? (size_t)(p[0] & 15) * 4 : 40;

    if (len < at + TCP_MIN || at < 20 ||
        (p[0] >> 4 == 4 ? p[9] : p[6]) != TCP) {
        return 0;
    }
    *tcp_len = (size_t)(p[at + 12] >> 4) * 4;
    return *tcp_len < TCP_MIN || at + *tcp_len > len ? 0 : at;
}

static void
put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void
ip_set(uint8_t *p, size_t head, size_t len, size_t index)
{
    if (p[0] >> 4 == 6) {
        put16(p + 4, len - 40);
        return;
    }
    put16(p + 2, len);
    put16(p + 4, (((size_t)p[4] << 8 | p[5]) + index) & 0xffff);
    put16(p + 10, 0);
    put16(p + 10, ipsec_linux_header_checksum(p, head));
}

static void
tcp_set(uint8_t *p, size_t at, size_t len, size_t off, int last)
{
    uint8_t *t = p + at;
    uint32_t seq = ((uint32_t)t[4] << 24 | (uint32_t)t[5] << 16 |
                    (uint32_t)t[6] << 8 | t[7]) + (uint32_t)off;

    put16(t + 4, seq >> 16);
    put16(t + 6, seq & 0xffff);
    if (!last) {
        t[13] &= (uint8_t)~FIN_PSH;
    }
    if (off > 0) {
        t[13] &= (uint8_t)~CWR;
    }
    put16(t + 16, 0);
    put16(t + 16, ipsec_linux_checksum(p, t, len - at, TCP));
}

int
ipsec_linux_segment(const struct ipsec_linux_frame *whole, size_t *off,
                    struct ipsec_linux_frame *part)
{
    size_t tcp_len = 0, at, head, rest, n;
    uint8_t *p = part->mem + IPSEC_LINUX_HEADROOM;

    at = whole->is_ip && whole->len >= 40
        ? tcp_at(whole->data, whole->len, &tcp_len) : 0;
    head = at + tcp_len;
    if (at == 0 || head + *off >= whole->len) {
        return 0;
    }
    rest = whole->len - head - *off;
    n = rest < whole->gso ? rest : whole->gso;
    memcpy(p, whole->data, head);
    memcpy(p + head, whole->data + head + *off, n);
    ip_set(p, at, head + n, *off / whole->gso);
    tcp_set(p, at, head + n, *off, n == rest);
    part->data = p;
    part->len = head + n;
    part->gso = 0;
    part->no_csum = 0;
    *off += n;
    return 1;
}
