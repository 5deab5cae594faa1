/* SPDX-License-Identifier: MIT */
#include "inner.h"

#ifndef IPSEC_NO_NATT

/*
 * ESP in UDP (RFC 3948), to get through NATs.
 *
 *     IP | source and destination port, length, checksum | SPI seq ...
 *          \ UDP_HDR                                       \ see esp.c
 */

#define KEEPALIVE 0xff /* section 2.3 */
#define MARKER 4       /* zeros, where ESP has its SPI: IKE (section 2.2) */

/* see inner.h */
void
ipsec_udp_wrap(const struct ipsec_sa *sa, uint8_t *udp, size_t len)
{
    put16(udp, sa->local_port);
    put16(udp + 2, sa->remote_port);
    put16(udp + 4, (uint32_t)len);
    put16(udp + 6, 0); /* and so it stays, over IPv4 (section 2.1) */
}

/* see inner.h */
int
ipsec_udp_strip(struct ipsec_ip *ip, const uint8_t *p, uint16_t port)
{
    const uint8_t *udp = p + ip->off;
    size_t len = ip->len - ip->off;

    if (port == 0 || ip->proto != PROTO_UDP || ip->frag != FRAG_NONE ||
        len < 4 || get16(udp + 2) != port) {
        return IPSEC_OK;
    }
    if (len < UDP_HDR || get16(udp + 4) < UDP_HDR || get16(udp + 4) > len) {
        return IPSEC_ERR_MALFORMED;
    }
    /* The checksum is let be: NATs write what they like there, also 0 over
     * IPv6, and it is the ICV that protects what follows. */
    len = get16(udp + 4) - UDP_HDR;
    udp += UDP_HDR;
    if (len == 1 && udp[0] == KEEPALIVE) {
        return IPSEC_CONSUMED;
    }
    if (len > MARKER && get32(udp) == 0) {
        return IPSEC_OK;
    }
    if (len < ESP_HDR) {
        return IPSEC_ERR_MALFORMED;
    }
    ip->udp = UDP_HDR;
    ip->off += UDP_HDR;
    ip->len = ip->off + len;
    ip->proto = IPSEC_PROTO_ESP;
    return IPSEC_OK;
}

/* A NAT has another mapping, or the peer moved (RFC 7296 section 2.23). */
static void
mapping_check(struct ipsec *ips, struct ipsec_sa *sa,
              const struct ipsec_flow *flow)
{
    const struct ipsec_config *cfg = ips->cfg;

    if (cfg->mapping != NULL && sa->local_port != 0 &&
        ipsec_addr_equal(&flow->local, &sa->local) &&
        (flow->remote_port != sa->remote_port ||
         !ipsec_addr_equal(&flow->remote, &sa->remote))) {
        cfg->mapping(cfg->user, sa, &flow->remote, flow->remote_port);
    }
}

/* see inner.h */
int
ipsec_udp_opened(struct ipsec *ips, struct ipsec_pkt *pkt,
                 struct ipsec_sa *sa, const struct ipsec_flow *flow,
                 int newest, int rc)
{
    if (newest) {
        mapping_check(ips, sa, flow);
    }
    if (rc != IPSEC_OK ||
        ipsec_layer_mode(pkt, pkt->layers - 1u) != IPSEC_MODE_TRANSPORT) {
        return rc;
    }
    if (HAS_SENDER(sa) && !ipsec_addr_equal(&flow->remote, &sa->remote)) {
        return IPSEC_ERR_SELECTOR; /* its addresses are the packet's */
    }
    if (sa->flags & IPSEC_SA_NAT_CSUM) {
        ipsec_sum_renew(&pkt->buf); /* section 3.1.2, the second way */
    }
    return IPSEC_OK;
}

/* Where `proto` has its checksum, which covers a pseudo header; 0: it is none
 * of those. */
static size_t
sum_at(uint8_t proto)
{
    switch (proto) {
    case PROTO_TCP:
        return 16;
    case PROTO_UDP:
        return 6;
    case PROTO_ICMPV6:
        return 2;
    default:
        return 0;
    }
}

/* see inner.h */
void
ipsec_sum_renew(struct ipsec_buf *buf)
{
    struct ipsec_ip ip;
    size_t len, at;
    uint16_t sum;
    uint8_t *p;

    if (ipsec_ip_parse(&ip, buf) != IPSEC_OK || ip.frag != FRAG_NONE) {
        return;
    }
    p = buf->data + ip.off;
    len = ip.len - ip.off;
    at = sum_at(ip.proto);
    if (at == 0 || len < at + 2) {
        return;
    }
    if (ip.proto == PROTO_UDP) {
        if (get16(p + 4) < UDP_HDR || get16(p + 4) > len ||
            (!IS_IP6(ip.version) && get16(p + at) == 0)) {
            return;
        }
        len = get16(p + 4);
    }
    put16(p + at, 0);
    sum = ipsec_sum_whole(buf->data, ip.off, ip.proto, len);
    if (sum == 0 && ip.proto == PROTO_UDP) {
        sum = 0xffff; /* 0 is "none" (RFC 768) */
    }
    put16(p + at, sum);
}

#endif
