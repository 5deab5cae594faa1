/* SPDX-License-Identifier: MIT */
#include "inner.h"

/* One layer of IPsec, put round a packet or taken off: what ESP and AH have
 * in common, and the choice between them. */

#ifdef IPSEC_NO_AH
#define IS_AH(sa) 0
#define ipsec_ah_len(sa) ((size_t)0)
#define ipsec_ah_seal(pkt, ip) ((void)0)
#define ipsec_ah_open(ips, pkt, sa, ip) IPSEC_ERR_UNSUPPORTED
#define ipsec_ah_opened(pkt, sa, ip) IPSEC_ERR_UNSUPPORTED
#else
#define IS_AH(sa) ((sa)->proto == IPSEC_PROTO_AH)
#endif

/* see inner.h */
size_t
ipsec_layer_head(const struct ipsec_sa *sa)
{
    return (IS_AH(sa) ? ipsec_ah_len(sa) : ipsec_esp_head(sa)) +
           (sa->mode == IPSEC_MODE_TUNNEL ? ipsec_tunnel_len(sa) : 0) +
           (IN_UDP(sa) ? UDP_HDR : 0);
}

/* see inner.h */
size_t
ipsec_layer_tail(const struct ipsec_sa *sa, size_t ins, size_t len)
{
    if (IS_AH(sa)) {
        return 0;
    }
    return ipsec_esp_tail(sa, sa->mode == IPSEC_MODE_TUNNEL ? len : len - ins);
}

/* see inner.h */
size_t
ipsec_layer_mtu(const struct ipsec_sa *sa, size_t ins, size_t mtu)
{
    size_t head = ipsec_layer_head(sa);
    size_t keep = sa->mode == IPSEC_MODE_TUNNEL ? 0 : ins;

    if (mtu < head + keep) {
        return 0;
    }
    if (IS_AH(sa)) {
        return mtu - head;
    }
    mtu = ipsec_esp_fit(sa, mtu - head - keep);
    return mtu == 0 ? 0 : mtu + keep;
}

#ifdef IPSEC_NO_TFC
#define tfc_room(sa, tail) ((void)0)
#else
/* The shortest packet is padded most, and when no path MTU is known that is
 * less than the link's: it will be forgotten. */
static void
tfc_room(const struct ipsec_sa *sa, size_t *tail)
{
    size_t max = sa->link_mtu, len = sa->tfc, need;

    if (max == 0) {
        max = UINT16_MAX + (IS_IP6(sa->local.version) ? IP6_HDR : 0);
    }
    max = ipsec_layer_mtu(sa, 0, max);
    len = len < max ? len : max;
    if (len > IP4_HDR) {
        need = len - IP4_HDR + ipsec_layer_tail(sa, 0, len);
        *tail = need > *tail ? need : *tail;
    }
}
#endif

/* see sad.h */
void
ipsec_sa_room(const struct ipsec_sa *sa, size_t *head, size_t *tail)
{
    *head = ipsec_layer_head(sa);
    *tail = sa->proto == IPSEC_PROTO_ESP
        ? (size_t)sa->align - 1 + 2 + sa->icv_len : 0;
    tfc_room(sa, tail);
}

/* see sad.h */
size_t
ipsec_sa_mtu(const struct ipsec_sa *sa, size_t link_mtu)
{
    return ipsec_layer_mtu(sa, ipsec_tunnel_len(sa), link_mtu);
}

/* see inner.h */
uint8_t
ipsec_layer_next(const struct ipsec_sa *sa, const struct ipsec_ip *ip,
                 const uint8_t *p)
{
#ifndef IPSEC_NO_TFC
    if (ip->version == 0) {
        return PROTO_NONE; /* RFC 4303 section 2.6 */
    }
#endif
    if (sa->mode == IPSEC_MODE_TRANSPORT) {
        return p[ip->ins_nh];
    }
    return IS_IP6(ip->version) ? PROTO_IPV6 : PROTO_IPIP;
}

/* see inner.h */
void
ipsec_layer_seal(struct ipsec_pkt *pkt, const struct ipsec_ip *ip)
{
    if (IS_AH(pkt->sa[pkt->stage])) {
        ipsec_ah_seal(pkt, ip);
    } else {
        ipsec_esp_seal(pkt, ip);
    }
}

/* see inner.h */
int
ipsec_layer_open(const struct ipsec *ips, struct ipsec_pkt *pkt,
                 const struct ipsec_sa *sa, const struct ipsec_ip *ip)
{
    return IS_AH(sa) ? ipsec_ah_open(ips, pkt, sa, ip)
                     : ipsec_esp_open(ips, pkt, sa, ip);
}

/* see inner.h */
int
ipsec_layer_life(const struct ipsec *ips, const struct ipsec_pkt *pkt,
                 const struct ipsec_sa *sa)
{
    return ipsec_life_check(ips, sa, pkt->seq == 0 ? 0 : pkt->seq - 1);
}

/* see inner.h */
int
ipsec_layer_check(const struct ipsec *ips, struct ipsec_pkt *pkt,
                  const struct ipsec_sa *sa, uint32_t low)
{
    int rc;

    pkt->seq = ipsec_replay_seq(sa, low);
    rc = ipsec_replay_check(sa, pkt->seq);
    return rc == IPSEC_OK ? ipsec_layer_life(ips, pkt, sa) : rc;
}

#ifndef IPSEC_NO_MODE_ANY

/* see inner.h */
int
ipsec_layer_tunnel(struct ipsec_pkt *pkt, const struct ipsec_sa *sa,
                   uint8_t next)
{
    unsigned layer = 1u << (pkt->layers - 1);

    if (sa->mode == IPSEC_MODE_TUNNEL ||
        (sa->mode == IPSEC_MODE_ANY &&
         (next == PROTO_IPIP || next == PROTO_IPV6))) {
        pkt->tunnels = (uint8_t)(pkt->tunnels | layer);
        return 1;
    }
    pkt->tunnels = (uint8_t)(pkt->tunnels & ~layer);
    return 0;
}

#endif

/* see inner.h */
int
ipsec_layer_opened(struct ipsec_pkt *pkt, struct ipsec_sa *sa,
                   struct ipsec_ip *ip)
{
#ifndef IPSEC_NO_ASYNC
    int rc = ipsec_replay_check(sa, pkt->seq);

    if (rc != IPSEC_OK) {
        return rc; /* its twin was in the engine with it */
    }
#endif
    ipsec_replay_update(sa, pkt->seq);
    sa->packets++;
    sa->bytes += pkt->op.len;
    return IS_AH(sa) ? ipsec_ah_opened(pkt, sa, ip)
                     : ipsec_esp_opened(pkt, sa, ip);
}

/* see inner.h */
void
ipsec_encapsulate(struct ipsec_buf *buf, const struct ipsec_sa *sa,
                  const struct ipsec_ip *ip, size_t grow, size_t len)
{
    uint8_t *old = buf->data;

    buf->data -= grow;
    buf->len = len;
    if (sa->mode == IPSEC_MODE_TUNNEL) {
        ipsec_tunnel_wrap(sa, buf->data, len, ip, old);
    } else {
        memmove(buf->data, old, ip->ins);
        ipsec_ip_resize(buf->data, len, ip->ins_nh, LAYER_PROTO(sa));
    }
}

/* see inner.h */
void
ipsec_decapsulate(struct ipsec_buf *buf, const struct ipsec_ip *ip,
                  uint8_t *payload, size_t len, uint8_t next)
{
    size_t hdr = ip->off - IP_UDP(ip);

    memmove(payload - hdr, buf->data, hdr);
    buf->data = payload - hdr;
    buf->len = hdr + len;
    ipsec_ip_resize(buf->data, buf->len, ip->nh, next);
}
