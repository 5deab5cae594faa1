/* SPDX-License-Identifier: MIT */
#include "fake/crypto.h"
#include "ipsec/ipsec.h"
#include "options/status.h"

#include <stdio.h>
#include <string.h>

/* What a build answers who asks for ESP in UDP: ports, each flag, ports of an
 * SA that is there, and the datagram itself. See run.sh. */

static struct fake_crypto crypto;
static struct fake_state state;
static struct ipsec_config cfg;
static struct ipsec ips;
static struct ipsec_sa sa;
static struct fake_key key;
static struct ipsec_policy policy;

static int
zeros(void *user, void *buf, size_t len)
{
    (void)user;
    memset(buf, 0, len);
    return 0;
}

static int
add(uint16_t flags, uint16_t port)
{
    static const uint8_t secret[20] = { 1 };
    struct ipsec_sa_params q;

    memset(&q, 0, sizeof q);
    q.spi = 0x1000;
    q.reqid = 1;
    q.dir = IPSEC_IN;
    q.proto = IPSEC_PROTO_ESP;
    q.mode = IPSEC_MODE_TUNNEL;
    q.flags = (uint16_t)(IPSEC_SA_NEGOTIATED | flags);
    q.local.version = q.remote.version = 4;
    q.local_port = q.remote_port = port;
    q.km.encr = IPSEC_ENCR_AES_GCM_16;
    q.km.encr_key = secret;
    q.km.encr_key_len = sizeof secret;
    q.key = &key;
    q.key_len = sizeof key;
    return ipsec_sad_add(&ips, &sa, &q);
}

/* A keepalive (RFC 3948 section 2.3), which policy would let pass. */
static int
keepalive(void)
{
    uint8_t p[] = { 0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0x7a, 0xd1,
                    0, 0, 0, 0, 0, 0, 0, 0, 17, 148, 17, 148, 0, 9, 0, 0,
                    0xff };
    struct ipsec_pkt pkt;

    ipsec_pkt_init(&pkt, p, sizeof p, 0, sizeof p);
    return ipsec_inbound(&ips, &pkt);
}

static void
say(int status)
{
    printf("%s ", status_name(status));
}

int
main(void)
{
    fake_crypto_init(&crypto, &state);
    cfg.crypto = &crypto.api;
    cfg.random = zeros;
    cfg.natt_port = 4500;
    policy.action = IPSEC_ACTION_BYPASS;
    policy.dir = IPSEC_IN;
    say(ipsec_init(&ips, &cfg));
    say(ipsec_spd_add(&ips, &policy));
    say(add(0, 4500));
    say(ipsec_sad_remove(&ips, &sa));
    say(add(IPSEC_SA_ENCAP_ONLY, 0));
    say(ipsec_sad_remove(&ips, &sa));
    say(add(IPSEC_SA_NAT_CSUM, 0));
    say(ipsec_sad_remove(&ips, &sa));
    say(add(0, 0));
    say(ipsec_sad_update(&ips, &sa, 0, &sa.local, 1, &sa.remote, 1));
    say(ipsec_sad_update(&ips, &sa, IPSEC_SA_NAT_CSUM, &sa.local, 0,
                         &sa.remote, 0));
    say(ipsec_sad_update(&ips, &sa, 0, &sa.local, 0, &sa.remote, 0));
    say(keepalive());
    printf("\n");
    return 0;
}
