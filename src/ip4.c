/* SPDX-License-Identifier: MIT */
#include "inner.h"

/* IPv4 (RFC 791): everything that knows where its fields are. */

#define DF 0x4000u
#define MF 0x2000u

/* see inner.h */
int
ipsec_ip4_parse(struct ipsec_ip *ip, const uint8_t *p, size_t len)
{
    uint16_t frag;

    if (len < IP4_HDR) {
        return IPSEC_ERR_MALFORMED;
    }
    memset(ip, 0, sizeof *ip);
    ip->version = 4;
    ip->len = get16(p + 2);
    ip->off = (size_t)(p[0] & 15) * 4;
    if (ip->off < IP4_HDR || ip->off > ip->len || ip->len > len) {
        return IPSEC_ERR_MALFORMED;
    }
    ip->nh = 9;
    ip->ins = ip->off;
    ip->ins_nh = ip->nh;
    ip->proto = p[9];
    ip->tos = p[1];
    frag = get16(p + 6);
    ip->df = (frag & DF) != 0;
    if (frag & 0x1fff) {
        ip->frag = FRAG_LATER;
    } else if (frag & MF) {
        ip->frag = FRAG_FIRST;
    }
    return IPSEC_OK;
}

/* see inner.h */
int
ipsec_ip4_intact(const uint8_t *p)
{
    return ipsec_checksum(p, (size_t)(p[0] & 15) * 4) == 0;
}

/* see inner.h */
void
ipsec_ip4_seal(uint8_t *p)
{
    put16(p + 10, 0);
    put16(p + 10, ipsec_checksum(p, (size_t)(p[0] & 15) * 4));
}

/* see inner.h */
void
ipsec_ip4_set_tos(uint8_t *p, uint8_t tos)
{
    p[1] = tos;
    ipsec_ip4_seal(p);
}
