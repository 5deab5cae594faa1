/* SPDX-License-Identifier: MIT */
#include "fake/natt.h"

void
natt_prepare(struct pair *pair, const struct suite *suite, int mode,
             int version)
{
    pair_prepare(pair, suite, mode, version);
    pair->out.params.local_port = pair->in.params.remote_port = NATT_SPORT;
    pair->out.params.remote_port = pair->in.params.local_port = NATT_PORT;
    pair->b.cfg.natt_port = NATT_PORT;
}

void
natt_begin(struct pair *pair, const struct suite *suite, int mode, int version)
{
    natt_prepare(pair, suite, mode, version);
    pair_begin(pair);
}

size_t
natt_get16(const uint8_t *p)
{
    return (size_t)p[0] << 8 | p[1];
}

void
natt_set16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

void
natt_resize(uint8_t *wire, size_t len)
{
    if (wire[0] >> 4 == 4) {
        natt_set16(wire + 2, len);
        packet_fix(wire);
    } else {
        natt_set16(wire + 4, len - 40);
    }
}

void
natt_translate(uint8_t *wire, const char *src, uint16_t port)
{
    struct ipsec_addr a = addr(src);

    if (a.version == 4) {
        memcpy(wire + 12, a.byte, 4);
        natt_set16(wire + 20, port);
        packet_fix(wire);
    } else {
        memcpy(wire + 8, a.byte, 16);
        natt_set16(wire + (wire[6] == 0 ? 48 : 40), port);
    }
}

size_t
natt_wrap(uint8_t *wire, size_t len)
{
    size_t at = wire[0] >> 4 == 4 ? 20 : 40;

    memmove(wire + at + 8, wire + at, len - at);
    natt_set16(wire + at, NATT_SPORT);
    natt_set16(wire + at + 2, NATT_PORT);
    natt_set16(wire + at + 4, len - at + 8);
    natt_set16(wire + at + 6, 0);
    wire[at == 20 ? 9 : 6] = 17;
    natt_resize(wire, len + 8);
    return len + 8;
}

uint16_t
natt_sum(const uint8_t *ip, uint8_t proto, const uint8_t *p, size_t len)
{
    static uint8_t b[PACKET_MAX + 64];
    size_t n = ip[0] >> 4 == 4 ? 8 : 32;

    memset(b, 0, n + 4);
    memcpy(b, ip + (n == 8 ? 12 : 8), n);
    natt_set16(b + n, len);
    b[n + 3] = proto;
    memcpy(b + n + 4, p, len);
    return packet_sum(b, n + 4 + len);
}
