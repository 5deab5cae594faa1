/* SPDX-License-Identifier: MIT */
#include "fake/icmp.h"

#include "fake/packet.h"

#include <string.h>

static uint16_t
sum(const uint8_t *p)
{
    uint8_t all[40 + ICMP_MAX] = { 0 };
    size_t at = ICMP_AT(p), len = packet_len(p) - at;

    memcpy(all + 40, p + at, len);
    if (p[0] >> 4 == 6) {
        memcpy(all, p + 8, 32);
        all[34] = (uint8_t)(len >> 8);
        all[35] = (uint8_t)len;
        all[39] = 58;
    }
    return packet_sum(all, 40 + len);
}

int
icmp_intact(const uint8_t *p)
{
    return sum(p) == 0;
}

void
icmp_fix(uint8_t *p)
{
    uint8_t *icmp = p + ICMP_AT(p);
    uint16_t s;

    icmp[2] = icmp[3] = 0;
    s = sum(p);
    icmp[2] = (uint8_t)(s >> 8);
    icmp[3] = (uint8_t)s;
}

size_t
icmp_build(uint8_t *p, const struct icmp_spec *spec)
{
    struct packet_spec ip;
    uint8_t *icmp;
    size_t len;
    int i;

    memset(&ip, 0, sizeof ip);
    ip.src = spec->src;
    ip.dst = spec->dst;
    ip.proto = strchr(spec->dst, ':') != NULL ? 58 : 1;
    ip.sport = (uint16_t)(spec->type << 8 | spec->code);
    ip.payload = spec->quote_len;
    len = packet_build(p, &ip);
    icmp = p + ICMP_AT(p);
    for (i = 0; i < 4; i++) {
        icmp[4 + i] = (uint8_t)(spec->word >> (24 - 8 * i));
    }
    if (spec->quote_len > 0) {
        memcpy(icmp + 8, spec->quote, spec->quote_len);
    }
    icmp_fix(p);
    return len;
}
