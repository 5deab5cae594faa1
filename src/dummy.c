/* SPDX-License-Identifier: MIT */
#include "inner.h"

/*
 * Dummy packets (RFC 4303 section 2.6): payload that is no packet, behind the
 * headers of its SA. They are sealed as all others are; an ipsec_ip of version
 * 0 says what they are.
 */

#ifdef IPSEC_NO_TFC

/* see ipsec.h */
int
ipsec_dummy(struct ipsec *ips, struct ipsec_pkt *pkt, struct ipsec_sa *sa,
            size_t len)
{
    (void)ips;
    (void)pkt;
    (void)sa;
    (void)len;
    return IPSEC_ERR_UNSUPPORTED;
}

#else

/* In transport mode the IP header is the packet's own: here, as a tunnel of
 * this SA would have it. */
static int
header_put(struct ipsec_pkt *pkt, const struct ipsec_sa *sa,
           struct ipsec_ip *ip)
{
    struct ipsec_buf *buf = &pkt->buf;
    size_t hdr = ipsec_tunnel_len(sa);

    ip->len += hdr;
    ip->off = ip->ins = hdr;
    ip->nh = ip->ins_nh = hdr == IP4_HDR ? 9 : 6;
    if ((size_t)(buf->data - buf->head) < hdr) {
        pkt->head = (uint16_t)(hdr + ipsec_layer_head(sa));
        pkt->tail = (uint16_t)ipsec_layer_tail(sa, hdr, ip->len);
        return IPSEC_ERR_ROOM;
    }
    buf->data -= hdr;
    ipsec_tunnel_wrap(sa, buf->data, ip->len, ip, NULL);
    if (hdr == IP4_HDR) {
        put32(buf->data + 4, 0x4000); /* DF: its id means nothing (RFC 6864) */
    }
    return IPSEC_OK;
}

/* As if nothing had been there ahead of the payload. */
static void
header_drop(struct ipsec_pkt *pkt, size_t hdr)
{
    pkt->buf.data += hdr;
    pkt->head = (uint16_t)(pkt->head + (pkt->head != 0 ? hdr : 0));
    pkt->mtu = (uint16_t)(pkt->mtu > hdr ? pkt->mtu - hdr : 0);
}

static int
begin(struct ipsec *ips, struct ipsec_pkt *pkt, struct ipsec_sa *sa,
      struct ipsec_ip *ip, const struct ipsec_flow *flow)
{
    const uint8_t *payload = pkt->buf.data;
    int rc = IPSEC_OK;

    ipsec_sa_hold(pkt, sa);
    ipsec_icmp_age(ips, sa);
    if (sa->in_flight == UINT16_MAX) {
        rc = IPSEC_ERR_BUSY; /* one more would be taken for none */
    }
    if (rc == IPSEC_OK) {
        rc = ipsec_life_check(ips, sa, sa->seq);
    }
    if (rc == IPSEC_OK && sa->mode == IPSEC_MODE_TRANSPORT) {
        rc = header_put(pkt, sa, ip);
    }
    rc = ipsec_outbound_begin(ips, pkt, ip, flow, rc);
    if (rc < 0 && pkt->layers == 0) {
        header_drop(pkt, (size_t)(payload - pkt->buf.data));
    }
    return rc;
}

/* see ipsec.h */
int
ipsec_dummy(struct ipsec *ips, struct ipsec_pkt *pkt, struct ipsec_sa *sa,
            size_t len)
{
    struct ipsec_audit why = { 0 };
    struct ipsec_flow flow;
    struct ipsec_ip ip;

    ipsec_pkt_reset(pkt);
    pkt->buf.len = 0;
    memset(&flow, 0, sizeof flow);
    memcpy(&flow, (const uint8_t *)sa + offsetof(struct ipsec_sa, local),
           FLOW_ADDRS);
    flow.proto = PROTO_NONE;
    if (sa->dir != IPSEC_OUT || sa->proto != IPSEC_PROTO_ESP ||
        sa->state != IPSEC_SA_MATURE) {
        why.status = IPSEC_ERR_MODE;
        why.dir = IPSEC_OUT;
        why.flow = &flow;
        return ipsec_pkt_drop(ips, pkt, NULL, &why);
    }
    memset(&ip, 0, sizeof ip);
    ip.len = len <= UINT16_MAX ? len : (size_t)UINT16_MAX + 1;
    ip.df = 1; /* in pieces it would only cost more */
    return begin(ips, pkt, sa, &ip, &flow);
}

#endif
