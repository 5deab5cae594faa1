/* SPDX-License-Identifier: MIT */
#include "lwip_inner.h"

#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/sys.h"

#include <string.h>

/*
 * Reassembly in front of policy, for IPv4 and IPv6 alike.
 *
 * lwIP's own can't do this: it knows a datagram by addresses and number only.
 * Whoever sends a clear fragment with those of a datagram that comes through a
 * tunnel in fragments would have it become part of that datagram, after both
 * were judged. Here what was opened has its own datagrams, and what came in
 * clear is judged when it is whole: whether it is ESP or not.
 *
 * Fragments that overlap spoil the datagram (RFC 5722 section 4).
 */

#define PROTO_FRAGMENT 44u

/* What a fragment says of itself. */
struct frag {
    u8_t  addr[32];
    u32_t id;
    u16_t at, start, len;
    u16_t hdr, nh;
    u8_t  next, more;
    u8_t  version, proto;
};

static u16_t
get16(const u8_t *p)
{
    return (u16_t)((unsigned)p[0] << 8 | p[1]);
}

/* 1: a fragment, 0: none, -1: one that nobody should believe. */
static int
parse4(const struct pbuf *p, struct frag *f)
{
    u8_t ip[60];
    u16_t got = pbuf_copy_partial(p, ip, sizeof ip, 0);
    u16_t hdr, total, word;

    if (got < 20 || (get16(ip + 6) & 0x3fff) == 0) {
        return 0;
    }
    hdr = (u16_t)((ip[0] & 15) * 4);
    total = get16(ip + 2);
    word = get16(ip + 6);
    if (hdr < 20 || got < hdr || total <= hdr || total > p->tot_len ||
        inet_chksum(ip, hdr) != 0) {
        return -1;
    }
    f->version = 4;
    f->proto = f->next = ip[9];
    f->id = get16(ip + 4);
    f->at = f->hdr = hdr;
    f->nh = 9;
    f->start = (u16_t)((word & 0x1fff) * 8);
    f->len = (u16_t)(total - hdr);
    f->more = (word & 0x2000) != 0;
    memcpy(f->addr, ip + 12, 4);
    memcpy(f->addr + 16, ip + 16, 4);
    return 1;
}

/* Likewise; what stands before the fragment header stays with each of them. */
static int
parse6(const struct pbuf *p, struct frag *f)
{
    u8_t ip[40], ext[8];
    size_t at = 40, nh = 6, total;
    u8_t next;

    if (pbuf_copy_partial(p, ip, 40, 0) < 40) {
        return 0;
    }
    total = 40u + get16(ip + 4);
    total = LWIP_MIN(total, p->tot_len);
    for (next = ip[6]; ; next = ext[0]) {
        if (at + 8 > total ||
            pbuf_copy_partial(p, ext, 8, (u16_t)at) < 8) {
            return 0;
        }
        if (next == PROTO_FRAGMENT) {
            break;
        }
        if (next != 0 && next != 43 && next != 60) {
            return 0;
        }
        nh = at;
        at += 8u + 8u * ext[1];
    }
    if (40u + get16(ip + 4) > p->tot_len || at + 8 == total) {
        return -1;
    }
    f->version = 6;
    f->proto = 0;
    f->next = ext[0];
    memcpy(&f->id, ext + 4, 4);
    f->at = (u16_t)(at + 8);
    f->hdr = (u16_t)at;
    f->nh = (u16_t)nh;
    f->start = get16(ext + 2) & 0xfff8;
    f->len = (u16_t)(total - at - 8);
    f->more = ext[3] & 1;
    memcpy(f->addr, ip + 8, 32);
    return 1;
}

static int
parse(const struct pbuf *p, struct frag *f)
{
    u8_t first;
    int rc;

    if (pbuf_copy_partial(p, &first, 1, 0) < 1) {
        return 0;
    }
    memset(f, 0, sizeof *f);
    rc = first >> 4 == 4 ? parse4(p, f) : first >> 4 == 6 ? parse6(p, f) : 0;
    if (rc > 0 && ((f->more && f->len % 8 != 0) ||
                   f->start + f->len + f->hdr > 0xFFFF)) {
        return -1;
    }
    return rc;
}

static void
drop(struct ipsec_lwip *port, struct ipsec_lwip_reass *r)
{
    while (r->count > 0) {
        (void)pbuf_free(r->piece[--r->count].p);
        port->frag_drop++;
    }
}

/* see lwip_inner.h */
void
ipsec_lwip_reass_expire(struct ipsec_lwip *port, u32_t ms)
{
    u32_t now = sys_now();
    size_t i;

    for (i = 0; i < IPSEC_LWIP_REASS; i++) {
        if (now - port->reass[i].since >= ms) {
            drop(port, &port->reass[i]);
        }
    }
}

static int
is_clear(const u32_t *over)
{
    return over[0] == 0;
}

static int
is_same(const struct ipsec_lwip_reass *r, const struct frag *f,
        const u32_t *over)
{
    return r->count > 0 && r->id == f->id && r->proto == f->proto &&
           r->version == f->version &&
           memcmp(r->over, over, sizeof r->over) == 0 &&
           memcmp(r->addr, f->addr, sizeof r->addr) == 0;
}

/* Should `r` make room sooner than `best`? A free place first, then what is
 * in clear, for anybody can send that, then the oldest. */
static int
is_lesser(const struct ipsec_lwip_reass *r,
          const struct ipsec_lwip_reass *best, u32_t now)
{
    if (r->count == 0 || best->count == 0) {
        return best->count > 0;
    }
    if (is_clear(r->over) != is_clear(best->over)) {
        return is_clear(r->over);
    }
    return now - r->since > now - best->since;
}

/* The datagram of `f`; or a new one, for which another has to make room; or
 * NULL: a fragment in clear, and all places have what came over SAs. */
static struct ipsec_lwip_reass *
find(struct ipsec_lwip *port, const struct frag *f, const u32_t *over)
{
    struct ipsec_lwip_reass *r, *best = port->reass;
    u32_t now = sys_now();

    for (r = port->reass; r < port->reass + IPSEC_LWIP_REASS; r++) {
        if (is_same(r, f, over)) {
            return r;
        }
        if (is_lesser(r, best, now)) {
            best = r;
        }
    }
    if (best->count > 0 && is_clear(over) && !is_clear(best->over)) {
        return NULL;
    }
    drop(port, best);
    best->id = f->id;
    best->proto = f->proto;
    best->version = f->version;
    memcpy(best->over, over, sizeof best->over);
    best->total = 0;
    best->since = now;
    memcpy(best->addr, f->addr, sizeof best->addr);
    return best;
}

/* Put `p` in its place. 0, 1: as it is there already, or -1: that datagram
 * can't be. */
static int
insert(struct ipsec_lwip_reass *r, const struct frag *f, struct pbuf *p)
{
    struct ipsec_lwip_piece *piece = r->piece;
    unsigned i = 0, n = r->count, end = (unsigned)f->start + f->len;
    unsigned last = n > 0
        ? (unsigned)piece[n - 1].start + piece[n - 1].len : 0;

    while (i < n && piece[i].start < f->start) {
        i++;
    }
    if (i < n && piece[i].start == f->start && piece[i].len == f->len) {
        return 1;
    }
    if (n == IPSEC_LWIP_PIECES || (i < n && end > piece[i].start) ||
        (i > 0 && piece[i - 1].start + piece[i - 1].len > f->start) ||
        (r->total > 0 && end > r->total) ||
        (!f->more && (r->total > 0 || last > end))) {
        return -1;
    }
    memmove(piece + i + 1, piece + i, (n - i) * sizeof *piece);
    piece[i].p = p;
    piece[i].at = f->at;
    piece[i].start = f->start;
    piece[i].len = f->len;
    r->count++;
    if (!f->more) {
        r->total = (u16_t)end;
    }
    if (f->start == 0) {
        r->hdr = f->hdr;
        r->nh = f->nh;
        r->next = f->next;
    }
    return 0;
}

static int
is_whole(const struct ipsec_lwip_reass *r)
{
    unsigned i, sum = 0;

    for (i = 0; i < r->count; i++) {
        sum += r->piece[i].len;
    }
    return r->total > 0 && sum == r->total;
}

/* The header of the first fragment becomes that of the whole. */
static void
header_fix(const struct ipsec_lwip_reass *r, u8_t *ip)
{
    u16_t len = (u16_t)(r->hdr + r->total - (r->version == 4 ? 0 : 40));
    u16_t sum;

    ip[r->nh] = r->next;
    if (r->version == 6) {
        ip[4] = (u8_t)(len >> 8);
        ip[5] = (u8_t)len;
        return;
    }
    ip[2] = (u8_t)(len >> 8);
    ip[3] = (u8_t)len;
    memset(ip + 6, 0, 2);
    memset(ip + 10, 0, 2);
    sum = inet_chksum(ip, r->hdr);
    memcpy(ip + 10, &sum, 2);
}

/* One pbuf of all pieces, which are freed. NULL: no memory. */
static struct pbuf *
join(struct ipsec_lwip *port, struct ipsec_lwip_reass *r)
{
    struct ipsec_lwip_piece *piece = r->piece;
    struct ipsec_buf buf;
    struct pbuf *q;

    q = ipsec_lwip_alloc(&buf, (size_t)r->hdr + r->total, 0, 0);
    if (q == NULL) {
        port->nomem++;
        drop(port, r);
        return NULL;
    }
    (void)pbuf_copy_partial(piece[0].p, buf.data, r->hdr, 0);
    q->if_idx = piece[0].p->if_idx;
    q->flags = piece[0].p->flags & (PBUF_FLAG_LLBCAST | PBUF_FLAG_LLMCAST);
    for (; r->count > 0; r->count--, piece++) {
        (void)pbuf_copy_partial(piece->p, buf.data + r->hdr + piece->start,
                                piece->len, piece->at);
        (void)pbuf_free(piece->p);
    }
    header_fix(r, buf.data);
    return q;
}

/* see lwip_inner.h */
int
ipsec_lwip_is_fragment(const struct pbuf *p)
{
    struct frag f;

    return parse(p, &f) != 0;
}

/* see lwip_inner.h */
struct pbuf *
ipsec_lwip_reass(struct ipsec_lwip *port, struct pbuf *p, const u32_t *over)
{
    struct ipsec_lwip_reass *r, alone;
    struct frag f;
    int rc = parse(p, &f);

    if (rc == 0) {
        return p;
    }
    if (rc > 0) {
        ipsec_lwip_reass_expire(port, IPSEC_LWIP_REASS_MS);
        memset(&alone, 0, sizeof alone);
        alone.version = f.version;
        /* one that is whole has nothing to do with others (RFC 6946) */
        r = f.start == 0 && !f.more ? &alone : find(port, &f, over);
        rc = r != NULL ? insert(r, &f, p) : 1;
        if (rc == 0) {
            return is_whole(r) ? join(port, r) : NULL;
        }
        if (rc < 0) {
            drop(port, r);
        }
    }
    port->frag_drop++;
    (void)pbuf_free(p);
    return NULL;
}
