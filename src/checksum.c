/* SPDX-License-Identifier: MIT */
#include "inner.h"

/* see inner.h */
uint16_t
ipsec_checksum(const uint8_t *p, size_t len)
{
    uint32_t sum = 0; /* 65,535 bytes are 32,768 words: it can't overflow */

    for (; len > 1; len -= 2, p += 2) {
        sum += get16(p);
    }
    if (len == 1) {
        sum += (uint32_t)p[0] << 8;
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}
