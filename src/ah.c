/* SPDX-License-Identifier: MIT */
#include "inner.h"

#ifndef IPSEC_NO_AH

/*
 * Authentication Header (RFC 4302).
 *
 *     IP | next, length, 0, SPI, seq | IV, ICV, padding | payload
 *          \ AH_HDR                     \ of GMAC only
 *
 * The ICV covers the headers in front too, but for what changes on the way:
 * of those, and of the AH itself, a copy is made in which it is zero. The
 * packet is left alone.
 */

/* Where the ICV is: with GMAC, an IV is ahead of it (RFC 4543 section 4). */
static size_t
icv_at(const struct ipsec_sa *sa)
{
    return AH_HDR + (size_t)sa->iv_len;
}

/*
 * see inner.h
 *
 * RFC 4302 section 2.2: in IPv6 the whole header is a multiple of 8 bytes. RFC
 * 4543 section 4 says that GMAC needs no padding, for its 8 bytes of IV and 16
 * of tag are a multiple of 64 bits. That is so of the field, but not of the
 * header, whose other fields have 12 bytes. So the two texts fit: RFC 4543
 * asks for no padding of its own, and in IPv6 RFC 4302 adds 4 bytes, as it
 * does to an ICV of 128 or 192 bits.
 */
size_t
ipsec_ah_len(const struct ipsec_sa *sa)
{
    int by8 = IS_IP6(sa->local.version) || (sa->flags & IPSEC_SA_AH_ALIGN8);
    size_t align = by8 ? 8 : 4;

    return (icv_at(sa) + sa->icv_len + align - 1) & ~(align - 1);
}

/* see inner.h */
int
ipsec_ah_covers(const struct ipsec_sa *sa, const uint8_t *p, size_t hdr)
{
    uint8_t copy[IPSEC_AAD_MAX];

    if (hdr == (IS_IP6(p[0] >> 4) ? IP6_HDR : IP4_HDR)) {
        return IPSEC_OK; /* nothing in it that could not */
    }
    return ipsec_ip_mask(copy, sizeof copy - ipsec_ah_len(sa), p, hdr) != 0
        ? IPSEC_OK : IPSEC_ERR_MALFORMED;
}

/* The same, as an AH itself has it. */
static size_t
len_of(const uint8_t *ah)
{
    return ((size_t)ah[1] + 2) * 4;
}

/* The operation on the AH behind `hdr` bytes of headers, in a packet of `len`
 * bytes. In the copy its ICV is zero. */
static int
op_set(struct ipsec_pkt *pkt, const struct ipsec_sa *sa, size_t hdr,
       size_t len, uint8_t open)
{
    struct ipsec_op *op = &pkt->op;
    uint8_t *ah = pkt->buf.data + hdr;
    size_t ah_len = ipsec_ah_len(sa);
    size_t n = ipsec_ip_mask(pkt->aad, sizeof pkt->aad - ah_len,
                             pkt->buf.data, hdr);

    if (n == 0) {
        return IPSEC_ERR_MALFORMED;
    }
    memcpy(pkt->aad + n, ah, ah_len);
    memset(pkt->aad + n + icv_at(sa), 0, sa->icv_len);
    memset(op, 0, sizeof *op);
    op->open = open;
    op->aad = pkt->aad;
    op->aad_len = (uint8_t)(n + ah_len);
    op->iv = ah + AH_HDR;
    op->icv = ah + icv_at(sa);
    op->text = ah + ah_len;
    op->len = len - hdr - ah_len;
    if (sa->flags & IPSEC_SA_ESN) {
        put32(op->tail, (uint32_t)(pkt->seq >> 32)); /* section 2.5.1 */
        op->tail_len = 4;
    }
    return IPSEC_OK;
}

/* see inner.h */
void
ipsec_ah_seal(struct ipsec_pkt *pkt, const struct ipsec_ip *ip)
{
    struct ipsec_sa *sa = pkt->sa[pkt->stage];
    int tunnel = sa->mode == IPSEC_MODE_TUNNEL;
    size_t ah_len = ipsec_ah_len(sa);
    size_t outer = tunnel ? ipsec_tunnel_len(sa) : 0;
    size_t hdr = tunnel ? outer : ip->ins;
    uint8_t next = ipsec_layer_next(sa, ip, pkt->buf.data), *ah;

    pkt->seq = ++sa->seq;
    ipsec_encapsulate(&pkt->buf, sa, ip, ah_len + outer,
                      ip->len + ah_len + outer);
    ah = pkt->buf.data + hdr;
    memset(ah, 0, ah_len);
    ah[0] = next;
    ah[1] = (uint8_t)(ah_len / 4 - 2);
    put32(ah + 4, sa->spi);
    put32(ah + 8, (uint32_t)sa->seq);
    if (sa->iv_len != 0) {
        put64(ah + AH_HDR, sa->seq); /* RFC 4543 section 3.1 */
    }
    (void)op_set(pkt, sa, hdr, pkt->buf.len, 0); /* it was tried before */
    sa->bytes += pkt->op.len;
}

/* see inner.h */
int
ipsec_ah_open(const struct ipsec *ips, struct ipsec_pkt *pkt,
              const struct ipsec_sa *sa, const struct ipsec_ip *ip)
{
    const uint8_t *ah = pkt->buf.data + ip->off;
    size_t len = ip->len - ip->off;
    int rc;

    /* neither more padding nor less than there must be (section 3.3.3.2.1) */
    if (len < ipsec_ah_len(sa) || len_of(ah) != ipsec_ah_len(sa)) {
        return IPSEC_ERR_MALFORMED;
    }
    rc = ipsec_layer_check(ips, pkt, sa, get32(ah + 8));
    return rc == IPSEC_OK ? op_set(pkt, sa, ip->off, ip->len, 1) : rc;
}

/* see inner.h */
int
ipsec_ah_opened(struct ipsec_pkt *pkt, struct ipsec_sa *sa,
                struct ipsec_ip *ip)
{
    struct ipsec_buf *buf = &pkt->buf;
    uint8_t *ah = buf->data + ip->off, next = ah[0];
    /* not the SA's: it may have moved to IPv6 since the AH was checked */
    uint8_t *payload = ah + len_of(ah);
    size_t len = ip->len - ip->off - len_of(ah);

    if (ipsec_layer_tunnel(pkt, sa, next)) {
        buf->data = payload;
        buf->len = len;
        return ipsec_tunnel_unwrap(buf, next, ip);
    }
    ipsec_decapsulate(buf, ip, payload, len, next);
    return IPSEC_OK;
}

#endif
