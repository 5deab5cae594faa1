/* SPDX-License-Identifier: MIT */
#include "inner.h"
#include "ipsec/netif.h"

#ifndef IPSEC_NO_FRAGMENTS

/* Fragmentation (RFC 791 section 3.2, RFC 8200 section 4.5). */

#define DONE SIZE_MAX /* value of `*off` behind the last */

#define DF 0x4000u
#define MF 0x2000u

#define OPT_END 0
#define OPT_NOP 1
#define OPT_COPY 0x80 /* goes into all fragments (RFC 791 section 3.1) */

/* What a piece is to be. */
struct cut {
    size_t hdr;   /* of its headers */
    size_t start; /* of the payload, in the packet */
    size_t at;    /* where it begins in that, ... */
    size_t len;   /* ... and how much it takes */
    int    more;
};

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

/* The header for all pieces but the first, at `to`, which has room for 60
 * bytes: some options are for the first alone. `*n` bytes of it. */
static int
options_copy(uint8_t *to, size_t *n, const uint8_t *p, size_t hdr)
{
    size_t at = IP4_HDR, len;

    memcpy(to, p, IP4_HDR);
    *n = IP4_HDR;
    for (; at < hdr && p[at] != OPT_END; at += len) {
        len = 1;
        if (p[at] == OPT_NOP) {
            continue;
        }
        if (hdr - at < 2 || p[at + 1] < 2 || p[at + 1] > hdr - at) {
            return IPSEC_ERR_MALFORMED;
        }
        len = p[at + 1];
        if (p[at] & OPT_COPY) {
            memcpy(to + *n, p + at, len);
            *n += len;
        }
    }
    while (*n % 4 != 0) {
        to[(*n)++] = OPT_END;
    }
    to[0] = (uint8_t)(0x40 | *n / 4);
    return IPSEC_OK;
}

/* How much fits into the piece? */
static int
cut_fit(struct cut *cut, const struct ipsec_ip *ip, size_t mtu)
{
    size_t left = ip->len - cut->start;

    if (cut->at > left) {
        return IPSEC_ERR_MALFORMED; /* another packet than before */
    }
    if (mtu < cut->hdr + 8) {
        return IPSEC_ERR_TOO_BIG;
    }
    left -= cut->at;
    cut->more = left > mtu - cut->hdr;
    cut->len = cut->more ? (mtu - cut->hdr) & ~(size_t)7 : left;
    return IPSEC_OK;
}

static int
cut4(struct cut *cut, uint8_t *to, const uint8_t *p,
     const struct ipsec_ip *ip, size_t mtu)
{
    uint32_t field = get16(p + 6);
    uint8_t hdr[60];
    int rc;

    if (ip->df) {
        return IPSEC_ERR_TOO_BIG;
    }
    cut->start = ip->off;
    if ((field & MF) && (ip->len - cut->start) % 8 != 0) {
        return IPSEC_ERR_MALFORMED;
    }
    rc = options_copy(hdr, &cut->hdr, p, ip->off);
    if (rc == IPSEC_OK && cut->at == 0) {
        memcpy(hdr, p, ip->off);
        cut->hdr = ip->off;
    }
    rc = rc == IPSEC_OK ? cut_fit(cut, ip, mtu) : rc;
    if (rc != IPSEC_OK) {
        return rc;
    }
    memcpy(to, hdr, cut->hdr);
    put16(to + 2, (uint32_t)(cut->hdr + cut->len));
    put16(to + 6, (field + (uint32_t)(cut->at / 8)) | (cut->more ? MF : 0));
    ipsec_ip4_seal(to);
    return IPSEC_OK;
}

static int
cut6(struct cut *cut, uint8_t *to, const uint8_t *p,
     const struct ipsec_ip *ip, size_t mtu, uint32_t id)
{
    int rc;

    if (ip->fh != 0) {
        return IPSEC_ERR_TOO_BIG; /* a fragment isn't cut again */
    }
    cut->start = ip->ins;
    cut->hdr = ip->ins + 8;
    rc = cut_fit(cut, ip, mtu);
    if (rc != IPSEC_OK) {
        return rc;
    }
    if (cut->at == 0 && cut->more &&
        ipsec_chain_len(ip) > cut->start + cut->len) {
        return IPSEC_ERR_TOO_BIG; /* all headers must be in the first */
    }
    memcpy(to, p, ip->ins);
    put16(to + 4, (uint32_t)(cut->hdr + cut->len - IP6_HDR));
    to[ip->ins] = p[ip->ins_nh];
    to[ip->ins_nh] = PROTO_FRAGMENT;
    to[ip->ins + 1] = 0;
    put16(to + ip->ins + 2, (uint32_t)cut->at | (cut->more ? 1 : 0));
    put32(to + ip->ins + 4, id);
    return IPSEC_OK;
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
        rc = ip.version == 4 ? cut4(&cut, frag->data, buf->data, &ip, mtu)
                             : cut6(&cut, frag->data, buf->data, &ip, mtu, id);
    }
    if (rc != IPSEC_OK) {
        return rc;
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
