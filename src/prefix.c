/* SPDX-License-Identifier: MIT */
#include "inner.h"

#ifndef IPSEC_NO_RANGES

/* Address ranges as prefixes. Addresses are big-endian numbers here. */

static uint8_t
trailing_zeros(const uint8_t *a, size_t len)
{
    uint8_t n = 0;

    while (n < 8 * len && (a[len - 1 - n / 8] >> (n % 8) & 1) == 0) {
        n++;
    }
    return n;
}

/* b = a with its last n bits set */
static void
fill_bits(uint8_t *b, const uint8_t *a, size_t len, uint8_t n)
{
    uint8_t i;

    memcpy(b, a, len);
    for (i = 0; i < n; i++) {
        b[len - 1 - i / 8] |= (uint8_t)(1u << (i % 8));
    }
}

/* a += 1; 0 when that wraps */
static int
increment(uint8_t *a, size_t len)
{
    while (len > 0) {
        if (++a[--len] != 0) {
            return 1;
        }
    }
    return 0;
}

/* see spd.h */
size_t
ipsec_prefix_split(struct ipsec_prefix *prefix, size_t max,
                   const struct ipsec_addr *lo, const struct ipsec_addr *hi)
{
    size_t len = IS_IP6(lo->version) ? 16 : 4, n = 0;
    uint8_t at[16], last[16], host;

    if (!ipsec_addr_pair(lo, hi) || memcmp(lo->byte, hi->byte, len) > 0) {
        return 0;
    }
    memcpy(at, lo->byte, len);
    do {
        if (n == max) {
            return 0;
        }
        /* the largest block that begins here and does not pass the end */
        host = trailing_zeros(at, len);
        fill_bits(last, at, len, host);
        while (memcmp(last, hi->byte, len) > 0) {
            fill_bits(last, at, len, --host);
        }
        memset(&prefix[n], 0, sizeof prefix[n]);
        memcpy(prefix[n].byte, at, len);
        prefix[n].bits = (uint8_t)(8 * len - host);
        n++;
        memcpy(at, last, len);
    } while (memcmp(last, hi->byte, len) < 0 && increment(at, len));
    return n;
}

#endif
