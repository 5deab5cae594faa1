/* SPDX-License-Identifier: MIT */
#include "inner.h"

#if !defined(IPSEC_NO_NATT) || !defined(IPSEC_NO_ICMP)

/* see inner.h */
uint32_t
ipsec_sum_add(uint32_t sum, const uint8_t *p, size_t len)
{
    size_t whole = len & ~(size_t)3;

    sum = ipsec_sum_words(sum, p, whole);
    sum = (sum & 0xffff) + (sum >> 16); /* so that what follows has room */
    if (len & 2) {
        sum += get16(p + whole);
    }
    if (len & 1) {
        sum += (uint32_t)p[len - 1] << 8;
    }
    return sum;
}

/* see inner.h */
uint32_t
ipsec_sum_pseudo(const uint8_t *ip, uint8_t proto, size_t len)
{
    /* both addresses, as they stand */
    uint32_t sum = IS_IP6(ip[0] >> 4) ? ipsec_sum_add(0, ip + 8, 32)
                                      : ipsec_sum_add(0, ip + 12, 8);

    return sum + proto + (uint32_t)len;
}

/* see inner.h */
uint16_t
ipsec_sum_whole(const uint8_t *ip, size_t off, uint8_t proto, size_t len)
{
    uint32_t sum = proto == PROTO_ICMP ? 0
                                       : ipsec_sum_pseudo(ip, proto, len);

    return ipsec_sum_fold(ipsec_sum_add(sum, ip + off, len));
}

#endif
