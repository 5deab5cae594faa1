/* SPDX-License-Identifier: MIT */
#include "inner.h"

/*
 * Encapsulating Security Payload (RFC 4303).
 *
 *     IP | SPI seq | IV | payload, padding, pad length, next header | ICV
 *          \ ESP_HDR       \ "body": a multiple of sa->align
 *
 * In UDP, its header comes ahead of the SPI (RFC 3948 section 2.1).
 *
 * Tunnel mode: the payload is a packet, behind a new IP header. Transport
 * mode: it is what stood behind the packet's own header, and the header moves
 * ahead to make room.
 */

static size_t
pad_of(const struct ipsec_sa *sa, size_t len)
{
    return (0 - (len + 2)) & ((size_t)sa->align - 1);
}

/* see inner.h */
size_t
ipsec_esp_tail(const struct ipsec_sa *sa, size_t len)
{
    return pad_of(sa, len) + 2 + sa->icv_len;
}

/* see inner.h */
size_t
ipsec_esp_fit(const struct ipsec_sa *sa, size_t room)
{
    if (room < (size_t)sa->icv_len + sa->align) {
        return 0;
    }
    return ((room - sa->icv_len) & ~((size_t)sa->align - 1)) - 2;
}

/* Self-describing padding and trailer (RFC 4303 section 2.4). */
static size_t
trailer_write(uint8_t *p, size_t pad, uint8_t next)
{
    size_t i;

    for (i = pad; i > 0; i--) {
        p[i - 1] = (uint8_t)i;
    }
    p[pad] = (uint8_t)pad;
    p[pad + 1] = next;
    return pad + 2;
}

/* What both ways have in common: `esp` is where the SPI is, followed by a
 * body of `len` bytes and the ICV; pkt->seq is the whole sequence number. */
static void
op_set(struct ipsec_pkt *pkt, const struct ipsec_sa *sa, uint8_t *esp,
       size_t len, uint8_t open)
{
    struct ipsec_op *op = &pkt->op;
    uint32_t high = (uint32_t)(pkt->seq >> 32);
    int esn = (sa->flags & IPSEC_SA_ESN) != 0;
    uint8_t *aad = pkt->aad;

    op->open = open;
    op->tail_len = 0;
    op->aad = aad;
    op->text = esp + ipsec_esp_head(sa);
    op->len = len;
    op->icv = op->text + len;
    op->iv = esp + ESP_HDR;
    put32(aad, sa->spi);
    aad += 4;
    if (esn && (sa->alg & ALG_AEAD)) {
        put32(aad, high); /* RFC 4106 section 5 */
        aad += 4;
    } else if (esn) {
        put32(op->tail, high); /* RFC 4303 section 2.2.1 */
        op->tail_len = 4;
    }
    put32(aad, (uint32_t)pkt->seq);
    aad += 4;
    if (sa->alg & ALG_IV_AAD) {
        memcpy(aad, op->iv, sa->iv_len); /* RFC 4543 section 3.3 */
        aad += sa->iv_len;
    }
    op->aad_len = (uint8_t)(aad - pkt->aad);
    if (sa->alg & ALG_IV_SEQ) {
        put64(aad, pkt->seq); /* RFC 8750 section 4 */
        op->iv = aad;
    }
    if (sa->alg & ALG_IV_TEXT) {
        op->text -= sa->iv_len;
        op->len += sa->iv_len;
    }
}

/* The sequence number is the IV, as it is (RFC 4106 section 3.1, RFC 7634
 * section 2) or to be enciphered (crypto.h): unique, no random source. */
static void
iv_write(const struct ipsec_sa *sa, uint8_t *iv)
{
    if (sa->iv_len >= 8) {
        put64(iv, 0);
        put64(iv + sa->iv_len - 8, sa->seq);
    }
}

/* see inner.h */
void
ipsec_esp_seal(struct ipsec_pkt *pkt, const struct ipsec_ip *ip)
{
    struct ipsec_sa *sa = pkt->sa[pkt->stage];
    size_t keep = sa->mode == IPSEC_MODE_TUNNEL ? 0 : ip->ins;
    size_t grow = ipsec_layer_head(sa);
    uint8_t *payload = pkt->buf.data + keep, *esp;
    size_t len = ip->len - keep; /* without padding of the link */
    uint8_t next = ipsec_layer_next(sa, ip, pkt->buf.data);

    pkt->seq = ++sa->seq;
    len += trailer_write(payload + len, pad_of(sa, len), next);
    ipsec_encapsulate(&pkt->buf, sa, ip, grow,
                      keep + grow + len + sa->icv_len);
    esp = pkt->buf.data + keep + grow - ipsec_esp_head(sa);
    if (IN_UDP(sa)) {
        ipsec_udp_wrap(sa, esp - UDP_HDR, UDP_HDR + ipsec_esp_head(sa) + len +
                                          sa->icv_len);
    }
    put32(esp + 4, (uint32_t)sa->seq);
    iv_write(sa, esp + ESP_HDR);
    op_set(pkt, sa, esp, len, 0);
    copy4(esp, pkt->aad); /* the SPI */
    sa->bytes += pkt->op.len;
}

/* see inner.h */
int
ipsec_esp_open(const struct ipsec *ips, struct ipsec_pkt *pkt,
               const struct ipsec_sa *sa, const struct ipsec_ip *ip)
{
    uint8_t *esp = pkt->buf.data + ip->off;
    size_t len = ip->len - ip->off;
    size_t more = ipsec_esp_head(sa) + sa->icv_len;
    int rc;

    if (len < more + sa->align || ((len - more) & (sa->align - 1u)) != 0) {
        return IPSEC_ERR_MALFORMED;
    }
    rc = ipsec_layer_check(ips, pkt, sa, get32(esp + 4));
    if (rc == IPSEC_OK) {
        op_set(pkt, sa, esp, len - more, 1);
    }
    return rc;
}

/* Length of the payload in a body of `len` bytes: without padding, which has
 * to be right (RFC 4303 section 2.4), and trailer. */
static int
trailer_check(const uint8_t *body, size_t *len)
{
    size_t pad = body[*len - 2], i;
    unsigned wrong = 0;

    if (pad + 2 > *len) {
        return IPSEC_ERR_PADDING;
    }
    *len -= pad + 2;
    body += *len;
    for (i = pad; i > 0; i--) {
        wrong |= body[i - 1] ^ (unsigned)i;
    }
    return wrong ? IPSEC_ERR_PADDING : IPSEC_OK;
}

/* see inner.h */
int
ipsec_esp_opened(struct ipsec_pkt *pkt, struct ipsec_sa *sa,
                 struct ipsec_ip *ip)
{
    struct ipsec_buf *buf = &pkt->buf;
    uint8_t *body = buf->data + ip->off + ipsec_esp_head(sa);
    size_t len = ip->len - ip->off - ipsec_esp_head(sa) - sa->icv_len;
    uint8_t next = body[len - 1];
    int rc = trailer_check(body, &len);

    if (rc != IPSEC_OK) {
        return rc;
    }
    if (next == PROTO_NONE) {
        return IPSEC_CONSUMED; /* dummy packet (RFC 4303 section 2.6) */
    }
    if (ipsec_layer_tunnel(pkt, sa, next)) {
        buf->data = body;
        buf->len = len;
        return ipsec_tunnel_unwrap(buf, next, ip);
    }
    ipsec_decapsulate(buf, ip, body, len, next);
    return IPSEC_OK;
}
