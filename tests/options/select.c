/* SPDX-License-Identifier: MIT */
#include "fake/crypto.h"
#include "ipsec/ipsec.h"
#include "options/status.h"

#include <stdio.h>
#include <string.h>

/* What a build answers who asks for selectors and SAs that an option leaves
 * out: populate from packet, an OPAQUE protocol, a name, Mobility Header
 * types; group SAs; a DSCP map, a lane by DSCP. See run.sh. */

static struct fake_crypto crypto;
static struct fake_state state;
static struct ipsec_config cfg;
static struct ipsec ips;
static struct ipsec_sa sa;
static struct fake_key key;
static struct ipsec_policy policy;
static int lane_told;
static uint8_t lanes[64];

static int
zeros(void *user, void *buf, size_t len)
{
    (void)user;
    memset(buf, 0, len);
    return 0;
}

static void
acquire(void *user, struct ipsec_policy *p, const struct ipsec_flow *flow,
        int lane)
{
    (void)user;
    (void)p;
    (void)flow;
    lane_told = lane;
}

static int
add(uint16_t flags, const uint8_t *map)
{
    static const uint8_t secret[20] = { 1 };
    struct ipsec_sa_params q;

    memset(&q, 0, sizeof q);
    q.spi = 0x1000;
    q.reqid = 1;
    q.dir = map != NULL ? IPSEC_OUT : IPSEC_IN;
    q.proto = IPSEC_PROTO_ESP;
    q.mode = IPSEC_MODE_TUNNEL;
    q.flags = (uint16_t)(IPSEC_SA_NEGOTIATED | flags);
    q.local.version = q.remote.version = 4;
    q.local.byte[0] = 239;
    q.dscp_map = map;
    q.km.encr = IPSEC_ENCR_AES_GCM_16;
    q.km.encr_key = secret;
    q.km.encr_key_len = sizeof secret;
    q.key = &key;
    q.key_len = sizeof key;
    return ipsec_sad_add(&ips, &sa, &q);
}

static int
policy_add(uint8_t version, uint8_t proto, uint8_t set, uint8_t pfp)
{
    int rc;

    memset(&policy, 0, sizeof policy);
    policy.action = IPSEC_ACTION_PROTECT;
    policy.dir = IPSEC_OUT;
    policy.sel.version = version;
    policy.sel.proto = proto;
    policy.sel.set = set;
    policy.pfp = pfp;
    rc = ipsec_spd_add(&ips, &policy);
    ipsec_spd_remove(&ips, &policy);
    return rc;
}

static void
send(void)
{
    uint8_t p[] = { 0x45, 0xb8, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0,
                    0, 0, 0, 0, 0, 0, 0, 0 };
    struct ipsec_pkt pkt;

    memset(&policy, 0, sizeof policy);
    policy.action = IPSEC_ACTION_PROTECT;
    policy.dir = IPSEC_OUT;
    (void)ipsec_spd_add(&ips, &policy);
    ipsec_pkt_init(&pkt, p, sizeof p, 0, sizeof p);
    (void)ipsec_outbound(&ips, &pkt);
}

static void
say(int status)
{
    printf("%s ", status_name(status));
}

int
main(void)
{
    struct ipsec_policy narrow;
    struct ipsec_flow flow;

    fake_crypto_init(&crypto, &state);
    cfg.crypto = &crypto.api;
    cfg.random = zeros;
    cfg.acquire = acquire;
    cfg.dscp_lane = lanes;
    lanes[46] = 5;
    memset(&flow, 0, sizeof flow);
    flow.proto = 135;
    say(ipsec_init(&ips, &cfg));
    say(policy_add(0, 0, 0, IPSEC_PFP_REMOTE));
    say(policy_add(6, 0, IPSEC_SEL_PROTO_OPAQUE, 0));
    say(policy_add(0, 0, IPSEC_SEL_NAME, 0));
    say(policy_add(6, 135, IPSEC_SEL_LOCAL_PORT, 0));
    say(ipsec_spd_narrow(&narrow, &policy, &flow));
    say(add(IPSEC_SA_MULTICAST | IPSEC_SA_NO_REPLAY, NULL));
    say(ipsec_sad_remove(&ips, &sa));
    say(add(IPSEC_SA_MULTICAST | IPSEC_SA_MATCH_REMOTE, NULL));
    say(ipsec_sad_remove(&ips, &sa));
    say(add(0, lanes));
    say(ipsec_sad_remove(&ips, &sa));
    send();
    printf("lane %d\n", lane_told);
    return 0;
}
