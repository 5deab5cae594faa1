/* SPDX-License-Identifier: MIT */
#include "inner.h"
#include "ipsec/netif.h"

#ifndef IPSEC_NO_FRAGMENTS

/* Fragmentation (RFC 791 section 3.2, RFC 8200 section 4.5). */

#define DONE SIZE_MAX /* value of `*off` behind the last */

#define DF 0x4000u
#define MF 0x2000u

#define OPT_COPY 0x80 /* goes into all fragments (RFC 791 section 3.1) */

/* What a piece is to be. */
struct cut {
    size_t hdr;   /* of its headers */
    size_t start; /* of the payload, in the packet */
    size_t at;    /* where it begins in that, ... */
    size_t len;   /* ... and how much it takes */
    int    more;
};

#ifndef IPSEC_NO_IPV6

/* see inner.h */
size_t
ipsec_chain_len(const struct ipsec_ip *ip)
{
    if (ip->proto == PROTO_TCP) {
        return ip->off + 20;
    }
    if (ipsec_proto_has_ports(ip->proto)) {
        return ip->off + 8;
    }
    return ip->off + (ip->proto == PROTO_ICMPV6 ? 4 : 0);
}

#endif

/* The header of a piece, at `to`, which has room for `hdr` bytes: some options
 * are for the first piece alone. Bytes of it; 0: malformed. */
static size_t
options_copy(uint8_t *to, const uint8_t *p, size_t hdr, int first)
{
    size_t at = IP4_HDR, n = IP4_HDR, len;

    memcpy(to, p, hdr);
    for (; at < hdr && p[at] != IP4_OPT_END; at += len) {
        len = ipsec_ip4_option(p + at, hdr - at);
        if (len == 0) {
            return 0;
        }
        if (!first && (p[at] & OPT_COPY)) {
            memcpy(to + n, p + at, len);
            n += len;
        }
    }
    if (first) {
        return hdr;
    }
    while (n % 4 != 0) {
        to[n++] = IP4_OPT_END;
    }
    to[0] = (uint8_t)(0x40 | n / 4);
    return n;
}

/* Where its payload is, and what headers it gets: those of IPv4, which may
 * become shorter, are at `to` then, which has `room`. */
static int
cut_begin(struct cut *cut, uint8_t *to, const uint8_t *p,
          const struct ipsec_ip *ip, size_t room)
{
    if (IS_IP6(ip->version)) {
        cut->start = ip->ins;
        cut->hdr = ip->ins + 8;
        return ip->fh != 0 ? IPSEC_ERR_TOO_BIG /* it isn't cut again */
                           : IPSEC_OK;
    }
    cut->start = ip->off;
    if (ip->df || room < ip->off) {
        return IPSEC_ERR_TOO_BIG;
    }
    cut->hdr = options_copy(to, p, ip->off, cut->at == 0);
    if (cut->hdr == 0 ||
        ((get16(p + 6) & MF) && (ip->len - ip->off) % 8 != 0)) {
        return IPSEC_ERR_MALFORMED;
    }
    return IPSEC_OK;
}

/* How much fits into the piece? */
static int
cut_fit(struct cut *cut, const struct ipsec_ip *ip, size_t mtu)
{
    size_t left = ip->len - cut->start, room = mtu - cut->hdr;

    if (cut->at > left) {
        return IPSEC_ERR_MALFORMED; /* another packet than before */
    }
    if (mtu < cut->hdr + 8) {
        return IPSEC_ERR_TOO_BIG;
    }
    cut->len = left - cut->at;
    if (cut->len > room) {
        cut->len = room & ~(size_t)7;
        cut->more = 1;
    }
    if (IS_IP6(ip->version) && cut->at == 0 && cut->more &&
        ipsec_chain_len(ip) > cut->start + cut->len) {
        return IPSEC_ERR_TOO_BIG; /* all headers must be in the first */
    }
    return IPSEC_OK;
}

static void
cut_end(const struct cut *cut, uint8_t *to, const uint8_t *p,
        const struct ipsec_ip *ip, uint32_t id)
{
    size_t nh = ip->ins_nh;
    uint8_t *fh = to + cut->start;

    if (!IS_IP6(ip->version)) {
        put16(to + 6, (get16(to + 6) + (uint32_t)(cut->at / 8)) |
                      (cut->more ? MF : 0));
        ipsec_ip_resize(to, cut->hdr + cut->len, nh, p[nh]);
        return;
    }
    memcpy(to, p, cut->start);
    fh[0] = p[nh];
    fh[1] = 0;
    put16(fh + 2, (uint32_t)cut->at | (cut->more ? 1 : 0));
    put32(fh + 4, id);
    ipsec_ip_resize(to, cut->hdr + cut->len, nh, PROTO_FRAGMENT);
}

/* see netif.h */
int
ipsec_fragment(const struct ipsec_buf *buf, size_t mtu, uint32_t id,
               size_t *off, struct ipsec_buf *frag)
{
    size_t room = (size_t)(frag->end - frag->data);
    struct cut cut = { 0, 0, 0, 0, 0 };
    struct ipsec_ip ip;
    int rc;

    if (*off == DONE) {
        return IPSEC_CONSUMED;
    }
    rc = ipsec_ip_parse(&ip, buf);
    if (rc != IPSEC_OK) {
        return rc;
    }
    if (room < (mtu < ip.len ? mtu : ip.len)) {
        return IPSEC_ERR_ROOM;
    }
    cut.at = *off;
    if (*off == 0 && ip.len <= mtu) {
        cut.len = ip.len;
    } else {
        rc = cut_begin(&cut, frag->data, buf->data, &ip, room);
        if (rc == IPSEC_OK) {
            rc = cut_fit(&cut, &ip, mtu);
        }
        if (rc != IPSEC_OK) {
            return rc;
        }
        cut_end(&cut, frag->data, buf->data, &ip, id);
    }
    memcpy(frag->data + cut.hdr, buf->data + cut.start + cut.at, cut.len);
    frag->len = cut.hdr + cut.len;
    *off = cut.more ? cut.at + cut.len : DONE;
    return IPSEC_OK;
}

#else

/* see netif.h */
int
ipsec_fragment(const struct ipsec_buf *buf, size_t mtu, uint32_t id,
               size_t *off, struct ipsec_buf *frag)
{
    (void)buf;
    (void)mtu;
    (void)id;
    (void)off;
    (void)frag;
    return IPSEC_ERR_UNSUPPORTED;
}

#endif
