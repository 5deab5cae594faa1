/* SPDX-License-Identifier: MIT */
#include "fake/crypto.h"
#include "ipsec/netif.h"

#include <stdio.h>
#include <string.h>

/* IPv6 in a build that may be without it: of addresses, of packets in clear
 * both ways though policy would let them pass, and inside a tunnel. Each is
 * dropped, counted and audited, or refused; IPv4 is as ever. Prints "passes" or
 * "refused": see run.sh. */

static struct fake_crypto crypto;
static struct fake_state state;
static struct ipsec_config cfg;
static struct ipsec ips;
static struct ipsec_sa sa[3];
static struct fake_key key[3];
static struct ipsec_policy bypass;
static int wrong, there, events, drops, sent;

#define CHECK(condition)                                            \
    do {                                                            \
        if (!(condition)) {                                         \
            printf("family.c:%d: %s\n", __LINE__, #condition);      \
            wrong = 1;                                              \
        }                                                           \
    } while (0)

static int
zeros(void *user, void *buf, size_t len)
{
    (void)user;
    memset(buf, 0, len);
    return 0;
}

static void
audit(void *user, const struct ipsec_audit *why)
{
    (void)user;
    events += why->status == IPSEC_ERR_MALFORMED && why->flow != NULL &&
              why->flow->local.version == 0 && why->label == 0;
}

static int
add(int which, int dir, uint8_t local, uint8_t remote)
{
    static const uint8_t secret[20] = { 1 };
    struct ipsec_sa_params q;

    memset(&q, 0, sizeof q);
    q.spi = 0x1000;
    q.reqid = 1;
    q.dir = (uint8_t)dir;
    q.proto = IPSEC_PROTO_ESP;
    q.mode = IPSEC_MODE_TUNNEL;
    q.flags = IPSEC_SA_NEGOTIATED;
    q.local.version = local;
    q.remote.version = remote;
    q.km.encr = IPSEC_ENCR_AES_GCM_16;
    q.km.encr_key = secret;
    q.km.encr_key_len = sizeof secret;
    q.key = &key[which];
    q.key_len = sizeof key[which];
    return ipsec_sad_add(&ips, &sa[which], &q);
}

/* What IPv6 is answered where it is there, and where not. */
static int
is_right(int status, int with, int without)
{
    return status == (there ? with : without);
}

static void
databases(void)
{
    const struct ipsec_addr four = { 4, { 0 } }, six = { 6, { 0 } };
    struct ipsec_policy policy;
    struct ipsec_prefix prefix[1];
    int no = IPSEC_ERR_UNSUPPORTED;

    CHECK(is_right(add(2, IPSEC_OUT, 6, 6), IPSEC_OK, no));
    (void)ipsec_sad_remove(&ips, &sa[2]);
    CHECK(is_right(add(2, IPSEC_IN, 4, 6), IPSEC_ERR_ADDR, no));
    CHECK(is_right(add(2, IPSEC_IN, 6, 4), IPSEC_ERR_ADDR, no));
    CHECK(add(2, IPSEC_IN, 5, 5) == IPSEC_ERR_ADDR);
    CHECK(sa[2].state == IPSEC_SA_NONE);
    CHECK(add(0, IPSEC_OUT, 4, 4) == IPSEC_OK);
    CHECK(is_right(ipsec_sad_update(&ips, &sa[0], 0, &six, 0, &six, 0),
                   IPSEC_OK, no));
    CHECK(ipsec_sad_update(&ips, &sa[0], 0, &four, 0, &four, 0) == IPSEC_OK);
    CHECK(add(1, IPSEC_IN, 4, 4) == IPSEC_OK);
    memset(&policy, 0, sizeof policy);
    policy.action = IPSEC_ACTION_PROTECT;
    policy.dir = IPSEC_IN | IPSEC_OUT;
    policy.reqid = 1;
    policy.sel.version = 6;
    CHECK(is_right(ipsec_spd_add(&ips, &policy), IPSEC_OK, no));
    ipsec_spd_remove(&ips, &policy);
    policy.sel.version = 5;
    CHECK(ipsec_spd_add(&ips, &policy) == IPSEC_ERR_PREFIX);
    CHECK(ipsec_prefix_split(prefix, 1, &six, &six) == (size_t)there);
    CHECK(ipsec_prefix_split(prefix, 1, &four, &four) == 1);
}

/* UDP; behind a hop-by-hop header, and its length is right as if it were IPv4;
 * a first and a later fragment. */
static const uint8_t six[4][56] = {
    { 0x60, 0, 0, 9, 0, 16, 17, 64 },
    { 0x65, 0, 0, 56, 0, 16, 0, 0, [40] = 17, 0, 1, 4 },
    { 0x60, 0, 0, 9, 0, 16, 44, 64, [40] = 17, 0, 0, 1 },
    { 0x60, 0, 0, 9, 0, 16, 44, 64, [40] = 17, 0, 0, 8 },
};

static const uint8_t four[28] = { 0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0x7a,
                                  0xd1, [25] = 8 };

/* A policy of any version would let them pass. */
static void
clear(const uint8_t *p, size_t len, int with, int without)
{
    struct ipsec_stats was = ips.stats;
    uint8_t mem[64];
    struct ipsec_pkt pkt;
    int rc, seen = events;

    memcpy(mem, p, len);
    ipsec_pkt_init(&pkt, mem, sizeof mem, 0, len);
    rc = ipsec_outbound(&ips, &pkt);
    CHECK(is_right(rc, with, without));
    ipsec_pkt_init(&pkt, mem, sizeof mem, 0, len);
    CHECK(ipsec_inbound(&ips, &pkt) == rc);
    CHECK(memcmp(mem, p, len) == 0);
    CHECK(rc >= 0 ||
          (ips.stats.out_drop[-rc] == was.out_drop[-rc] + 1 &&
           ips.stats.in_drop[-rc] == was.in_drop[-rc] + 1 &&
           ips.stats.out_bypass == was.out_bypass &&
           ips.stats.in_bypass == was.in_bypass && events == seen + 2));
}

static void
on_drop(void *user, struct ipsec_pkt *pkt, int status)
{
    (void)user;
    (void)pkt;
    drops += status == IPSEC_ERR_MALFORMED;
}

static void
on_packet(void *user, struct ipsec_pkt *pkt)
{
    (void)user;
    (void)pkt;
    sent++;
}

static void
on_frame(void *user, struct ipsec_pkt *pkt, const struct ipsec_buf *buf)
{
    (void)user;
    (void)pkt;
    (void)buf;
    sent++;
}

/* Through the binding, which puts fragments together. */
static void
binding(void)
{
    static uint8_t slots[2][512], mem[64];
    struct ipsec_reass_slot slot[2];
    struct ipsec_reass re;
    struct ipsec_netif nif;
    struct ipsec_pkt pkt;
    size_t i;

    memset(&nif, 0, sizeof nif);
    memset(&re, 0, sizeof re);
    memset(slot, 0, sizeof slot);
    for (i = 0; i < 2; i++) {
        slot[i].buf = slots[i];
        slot[i].size = sizeof slots[i];
    }
    re.slot = slot;
    re.len = 2;
    re.seconds = 9;
    nif.ips = &ips;
    nif.mtu = 1500;
    nif.reass_in = nif.reass_out = &re;
    nif.flags = IPSEC_NETIF_REASS_CLEAR;
    nif.transmit = on_frame;
    nif.deliver = on_packet;
    nif.drop = on_drop;
    drops = sent = 0;
    for (i = 0; i < 4; i++) {
        memcpy(mem, six[i], sizeof six[i]);
        ipsec_pkt_init(&pkt, mem, sizeof mem, 0, sizeof six[i]);
        ipsec_netif_output(&nif, &pkt);
        ipsec_pkt_init(&pkt, mem, sizeof mem, 0, sizeof six[i]);
        ipsec_netif_input(&nif, &pkt);
    }
    CHECK(there ? sent > 0 : drops == 8 && sent == 0);
}

/* IPv4 outside, `p` inside: the one who seals it has IPv6. */
static int
inside(const uint8_t *p, size_t len, uint8_t next)
{
    static uint8_t mem[256];
    struct ipsec_pkt pkt;
    uint8_t *at;

    memset(mem, 0, sizeof mem);
    ipsec_pkt_init(&pkt, mem, sizeof mem, 100, sizeof four);
    memcpy(mem + 100, four, sizeof four);
    bypass.action = IPSEC_ACTION_PROTECT;
    bypass.reqid = 1;
    CHECK(ipsec_outbound(&ips, &pkt) == IPSEC_OK);
    /* another body, sealed again */
    at = pkt.op.text;
    memcpy(at, p, len);
    at[len] = at[len + 1] = 0;
    pkt.op.len = (len + 2 + 3) & ~(size_t)3;
    memset(at + len, 0, pkt.op.len - len);
    if (pkt.op.len - len == 4) {
        at[len] = 1;
        at[len + 1] = 2;
    }
    at[pkt.op.len - 2] = (uint8_t)(pkt.op.len - len - 2);
    at[pkt.op.len - 1] = next;
    pkt.op.icv = at + pkt.op.len;
    CHECK(crypto.api.run(&crypto.api, &pkt.op) == IPSEC_OK);
    pkt.buf.len = (size_t)(pkt.op.icv + 16 - pkt.buf.data);
    pkt.buf.data[2] = 0;
    pkt.buf.data[3] = (uint8_t)pkt.buf.len;
    pkt.buf.data[10] = pkt.buf.data[11] = 0;
    {
        uint32_t sum = 0;
        int i;

        for (i = 0; i < 20; i += 2) {
            sum += (uint32_t)(pkt.buf.data[i] << 8 | pkt.buf.data[i + 1]);
        }
        sum = ~((sum & 0xffff) + (sum >> 16));
        pkt.buf.data[10] = (uint8_t)(sum >> 8);
        pkt.buf.data[11] = (uint8_t)sum;
    }
    return ipsec_inbound(&ips, &pkt);
}

int
main(void)
{
    size_t i;

    fake_crypto_init(&crypto, &state);
    cfg.crypto = &crypto.api;
    cfg.random = zeros;
    cfg.audit = audit;
    CHECK(ipsec_init(&ips, &cfg) == IPSEC_OK);
    there = add(2, IPSEC_OUT, 6, 6) == IPSEC_OK;
    (void)ipsec_sad_remove(&ips, &sa[2]);
    databases();
    bypass.action = IPSEC_ACTION_BYPASS;
    bypass.dir = IPSEC_IN | IPSEC_OUT;
    CHECK(ipsec_spd_add(&ips, &bypass) == IPSEC_OK);
    for (i = 0; i < 4; i++) {
        clear(six[i], sizeof six[i], IPSEC_BYPASS, IPSEC_ERR_MALFORMED);
    }
    clear(four, sizeof four, IPSEC_BYPASS, IPSEC_BYPASS);
    binding();
    CHECK(inside(four, sizeof four, 4) == IPSEC_OK);
    CHECK(is_right(inside(six[0], sizeof six[0], 41), IPSEC_OK,
                   IPSEC_ERR_MALFORMED));
    CHECK(inside(six[0], sizeof six[0], 4) == IPSEC_ERR_MALFORMED);
    CHECK(inside(four, sizeof four, 41) == IPSEC_ERR_MALFORMED);
    printf(there ? "passes\n" : "refused\n");
    return wrong;
}
