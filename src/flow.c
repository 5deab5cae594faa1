/* SPDX-License-Identifier: MIT */
#include "inner.h"

/* From a packet to its selectors (RFC 4301 section 4.4.1.1). */

/* see inner.h */
int
ipsec_ip_parse(struct ipsec_ip *ip, const struct ipsec_buf *buf)
{
    if (buf->len > 0 && buf->data[0] >> 4 == 4) {
        return ipsec_ip4_parse(ip, buf->data, buf->len);
    }
    if (buf->len > 0 && buf->data[0] >> 4 == 6) {
        return ipsec_ip6_parse(ip, buf->data, buf->len);
    }
    return IPSEC_ERR_MALFORMED;
}

static void
addr4_load(struct ipsec_addr *addr, const uint8_t *p)
{
    addr->version = 4;
    copy4(addr->byte, p);
    zero4(addr->byte + 4);
    zero4(addr->byte + 8);
    zero4(addr->byte + 12);
}

static void
addr6_load(struct ipsec_addr *addr, const uint8_t *p)
{
    addr->version = 6;
    memcpy(addr->byte, p, 16);
}

/* see inner.h */
int
ipsec_proto_has_ports(uint8_t proto)
{
    return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP ||
           proto == PROTO_DCCP || proto == PROTO_UDPLITE;
}

static void
ports_hide(struct ipsec_flow *flow)
{
    flow->local_port = flow->remote_port = 0;
    flow->opaque = IPSEC_OPAQUE_PORTS;
}

/* Ports, or what stands for them, at `p`: what can't be seen is OPAQUE. */
static void
ports_load(struct ipsec_flow *flow, int dir, const uint8_t *p, size_t len)
{
    int out = dir == IPSEC_OUT;

    flow->opaque = 0;
    if (ipsec_proto_has_ports(flow->proto) && len >= 4) {
        flow->local_port = get16(out ? p : p + 2);
        flow->remote_port = get16(out ? p + 2 : p);
    } else if (ipsec_proto_is_icmp(flow->proto) && len >= 2) {
        flow->local_port = flow->remote_port = get16(p);
    } else if (IS_MOBILITY(flow->proto) && len >= 3) {
        /* RFC 6275 section 6.1.1 */
        flow->local_port = flow->remote_port = (uint16_t)(p[2] << 8);
    } else {
        ports_hide(flow);
    }
}

/* see inner.h */
void
ipsec_flow_fill(struct ipsec_flow *flow, int dir, const struct ipsec_ip *ip,
                const uint8_t *p)
{
    struct ipsec_addr *src = dir == IPSEC_OUT ? &flow->local : &flow->remote;
    struct ipsec_addr *dst = dir == IPSEC_OUT ? &flow->remote : &flow->local;

    if (IS_IP6(ip->version)) {
        addr6_load(src, p + 8);
        addr6_load(dst, p + 24);
    } else {
        addr4_load(src, p + 12);
        addr4_load(dst, p + 16);
    }
    flow->proto = ip->proto;
    flow->spd_id = 0;
    if (ip->frag == FRAG_LATER) {
        ports_hide(flow);
        if (HIDES_PROTO(ip)) {
            flow->opaque |= IPSEC_OPAQUE_PROTO;
        }
    } else {
        ports_load(flow, dir, p + ip->off, ip->len - ip->off);
    }
}

/* see ipsec.h */
int
ipsec_flow_parse(struct ipsec_flow *flow, int dir, const struct ipsec_buf *buf)
{
    struct ipsec_ip ip;
    int rc = ipsec_ip_parse(&ip, buf);

    if (rc == IPSEC_OK) {
        ipsec_flow_fill(flow, dir, &ip, buf->data);
    }
    return rc;
}

/* see inner.h */
void
ipsec_ip_resize(uint8_t *p, size_t len, size_t nh, uint8_t proto)
{
    p[nh] = proto;
    if (IS_IP6(p[0] >> 4)) {
        put16(p + 4, (uint32_t)(len - IP6_HDR));
    } else {
        put16(p + 2, (uint32_t)len);
        ipsec_ip4_seal(p);
    }
}

/* see inner.h */
int
ipsec_addr_equal(const struct ipsec_addr *a, const struct ipsec_addr *b)
{
    size_t len = IS_IP6(a->version) ? 16 : 4, i;

    for (i = 0; i < len; i += 4) {
        if (get32(a->byte + i) != get32(b->byte + i)) {
            return 0;
        }
    }
    return a->version == b->version;
}

/* see inner.h */
int
ipsec_addr_pair(const struct ipsec_addr *a, const struct ipsec_addr *b)
{
    return (a->version == 4 || IS_IP6(a->version)) &&
           a->version == b->version;
}

#ifndef IPSEC_NO_AH

/* see inner.h */
size_t
ipsec_ip_mask(uint8_t *to, size_t room, const uint8_t *p, size_t hdr)
{
    if (hdr > room) {
        return 0;
    }
    memcpy(to, p, hdr);
    return IS_IP6(p[0] >> 4) ? ipsec_ip6_mask(to, hdr)
                             : ipsec_ip4_mask(to, hdr);
}

#endif
