/* SPDX-License-Identifier: MIT */
#include "fake/icmp.h"

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

const char *const path_us[2] = { "192.0.2.1", "2001:db8::1" };
const char *const path_peer[2] = { "198.51.100.2", "2001:db8:ff::2" };
const char *const path_router[2] = { "203.0.113.9", "2001:db8:99::9" };

void
path_begin_as(struct path *path, const struct suite *suite, int proto,
              int mode, int version)
{
    struct pair *pair = &path->pair;
    struct packet_spec spec;

    pair_prepare(pair, suite, mode, version);
    pair->a.cfg.flags = IPSEC_ACCEPT_PTB;
    pair->out.params.proto = pair->in.params.proto = (uint8_t)proto;
    pair->pa.proto = pair->pb.proto = (uint8_t)proto;
    pair->out.params.mtu = 1500;
    pair->pa.dir = IPSEC_OUT;
    pair_begin(pair);
    spec = pair_spec(pair, version, 17, 64);
    path->wire_len = pair_seal(pair, &spec, path->wire);
}

void
path_begin(struct path *path, int version)
{
    path_begin_as(path, &suites[GCM128], IPSEC_PROTO_ESP, IPSEC_MODE_TUNNEL,
                  version);
}

struct icmp_spec
path_too_big(const struct path *path, int version, uint32_t mtu)
{
    struct icmp_spec spec = { 0 };
    int v6 = FX_IS_IP6(version);

    spec.src = path_router[v6];
    spec.dst = path_us[v6];
    spec.type = v6 ? 2 : 3;
    spec.code = v6 ? 0 : 4;
    spec.word = mtu;
    spec.quote = path->wire;
    spec.quote_len = path->wire_len;
    return spec;
}

int
path_offer_raw(struct path *path, size_t len, uint8_t flags)
{
    struct fx_pkt *p = &path->p;
    int rc;

    fx_pkt_new(p, path->error, len, 0, 0);
    p->pkt.flags = flags;
    rc = ipsec_inbound(&path->pair.a.ips, &p->pkt);
    assert_true(fx_pkt_is(p, path->error, len));
    fx_pkt_free(p);
    return rc;
}

int
path_offer(struct path *path, const struct icmp_spec *spec)
{
    return path_offer_raw(path, icmp_build(path->error, spec), 0);
}

int
path_offer_mtu(struct path *path, int version, uint32_t mtu)
{
    struct icmp_spec spec = path_too_big(path, version, mtu);

    return path_offer(path, &spec);
}

size_t
path_counted(const struct ipsec_stats *s)
{
    size_t n = s->in_protect + s->in_bypass + s->in_consumed +
               s->in_keepalive + s->in_too_big, i;

    for (i = 0; i < IPSEC_DROP_COUNT; i++) {
        n += s->in_drop[i];
    }
    return n;
}
