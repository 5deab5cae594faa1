/*
 * libipsec - IPsec for systems of any size (RFC 4301, 4302, 4303)
 * SPDX-License-Identifier: MIT
 */
#ifndef IPSEC_MTU_H
#define IPSEC_MTU_H

#include "ipsec/ipsec.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @file mtu.h  How long packets may be, so that none of them has to be cut.
 *
 * What becomes of one that is too long is in docs/MTU.md. The functions are in
 * this header: a build without them has not a byte of them.
 */

/**
 * Largest packet, IP header included, that the SAs which `policy` asks for make
 * no larger than `link_mtu` (0: no limit), nor than their own mtu, which ICMP
 * may have lowered. An SA that isn't there counts with the most that any adds.
 * In transport mode as ipsec_sa_mtu(). Of a policy that doesn't protect, or
 * NULL: `link_mtu`. 0: none.
 */
static inline size_t
ipsec_policy_mtu(const struct ipsec *ips, const struct ipsec_policy *policy,
                 int lane, size_t link_mtu)
{
    const struct ipsec_sa *sa[IPSEC_DEPTH];
    size_t n = 0, mtu = link_mtu != 0 ? link_mtu : UINT16_MAX;
    size_t most = IPSEC_HEADROOM + IPSEC_TAILROOM;

    if (policy == NULL || policy->action != IPSEC_ACTION_PROTECT) {
        return link_mtu;
    }
    for (; policy != NULL && n < IPSEC_DEPTH; policy = policy->outer) {
        sa[n] = policy->reqid == 0
            ? NULL : ipsec_sad_newest(ips, policy->reqid, lane);
        n++;
    }
    while (n-- > 0) { /* the last is on the outside */
        if (sa[n] == NULL || sa[n]->state != IPSEC_SA_MATURE) {
            mtu = mtu > most ? mtu - most : 0;
            continue;
        }
        if (sa[n]->mtu != 0 && sa[n]->mtu < mtu) {
            mtu = sa[n]->mtu;
        }
        mtu = ipsec_sa_mtu(sa[n], mtu);
    }
    return mtu;
}

/**
 * The link of the outbound `sa` now has this MTU, or its path, if known; 0:
 * unknown. As ipsec_sa_params.mtu: what ICMP has told stays, if it is less,
 * until it is too old.
 */
static inline void
ipsec_sa_set_mtu(struct ipsec_sa *sa, uint16_t mtu)
{
    if (sa->mtu == sa->link_mtu || (mtu != 0 && mtu < sa->mtu)) {
        sa->mtu = mtu;
    }
    sa->link_mtu = mtu;
}

/** Where the TCP header of the packet at `buf` is: right behind the IP header,
 * if it is a SYN whose header is all there. 0: it isn't. */
static inline size_t
ipsec_mss_syn(const struct ipsec_buf *buf)
{
    const uint8_t *p = buf->data;
    size_t at = 0;

    if (buf->len >= 40 && p[0] >> 4 == 4 && p[9] == 6 &&
        ((p[6] & 0x1f) | p[7]) == 0) {
        at = (size_t)(p[0] & 15) * 4;
    } else if (buf->len >= 60 && p[0] >> 4 == 6 && p[6] == 6) {
        at = 40;
    }
    return at >= 20 && at + 20 <= buf->len && (p[at + 13] & 0x02) != 0 ? at : 0;
}

/** Private: the value of the MSS option of a TCP header of `len` bytes with
 * what follows it, or NULL. */
static inline uint8_t *
ipsec_mss_find(uint8_t *tcp, size_t len)
{
    size_t end = (size_t)(tcp[12] >> 4) * 4, i = 20;

    while (i + 1 < end && end <= len && tcp[i] != 0) {
        if (tcp[i] == 1) {
            i++; /* No-Operation */
        } else if (tcp[i + 1] < 2 || i + tcp[i + 1] > end) {
            return NULL;
        } else if (tcp[i] == 2 && tcp[i + 1] == 4) {
            return tcp + i + 2;
        } else {
            i += tcp[i + 1];
        }
    }
    return NULL;
}

/**
 * Lower the MSS option of a TCP SYN, so that no segment that answers it makes a
 * packet longer than `mtu` (RFC 6691): what ipsec_policy_mtu() says of the way
 * that the answers' policy, or this packet's own, asks for. The checksum stays
 * right, or wrong. Anything else is let be, and so is a SYN without the option.
 *
 * @return 1: it was lowered; 0.
 */
static inline int
ipsec_mss_clamp(const struct ipsec_buf *buf, size_t mtu)
{
    size_t at = ipsec_mss_syn(buf), hdr;
    uint8_t *tcp = buf->data + at, *mss;
    uint32_t old, now, sum;

    mss = at == 0 ? NULL : ipsec_mss_find(tcp, buf->len - at);
    if (mss == NULL) {
        return 0;
    }
    hdr = buf->data[0] >> 4 == 4 ? 40 : 60;
    if (mtu <= hdr || mtu - hdr > UINT16_MAX) {
        return 0;
    }
    old = (uint32_t)mss[0] << 8 | mss[1];
    now = (uint32_t)(mtu - hdr);
    if (old <= now) {
        return 0;
    }
    mss[0] = (uint8_t)(now >> 8);
    mss[1] = (uint8_t)now;
    if (((mss - tcp) & 1) != 0) { /* it is half of two words of the sum */
        old = (old << 8 | old >> 8) & 0xffff;
        now = (now << 8 | now >> 8) & 0xffff;
    }
    sum = (uint32_t)tcp[16] << 8 | tcp[17]; /* RFC 1624 */
    sum = (~sum & 0xffff) + (~old & 0xffff) + now;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    tcp[16] = (uint8_t)(sum >> 8);
    tcp[17] = (uint8_t)sum;
    return 1;
}

#ifdef __cplusplus
}
#endif

#endif
