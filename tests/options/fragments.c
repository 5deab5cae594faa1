/* SPDX-License-Identifier: MIT */
#include "ipsec/netif.h"

#include <stdio.h>
#include <string.h>

/* A build with IPSEC_NO_FRAGMENTS: everything links, refuses what it is asked
 * for, and keeps the rest of the contract. See run.sh. */

static int wrong, drops, releases, why;

#define CHECK(condition)                                            \
    do {                                                            \
        if (!(condition)) {                                         \
            printf("fragments.c:%d: %s\n", __LINE__, #condition);   \
            wrong = 1;                                              \
        }                                                           \
    } while (0)

static int
no_random(void *user, void *buf, size_t len)
{
    (void)user;
    memset(buf, 1, len);
    return 0;
}

static void
on_drop(void *user, struct ipsec_pkt *pkt, int status)
{
    (void)user;
    (void)pkt;
    drops++;
    why = status;
}

static void
on_release(void *user, struct ipsec_pkt *pkt)
{
    (void)user;
    (void)pkt;
    releases++;
}

static void
netif_refuses(struct ipsec *ips)
{
    struct ipsec_netif nif;
    struct ipsec_pkt pkt;

    memset(&nif, 0, sizeof nif);
    memset(&pkt, 0, sizeof pkt);
    nif.ips = ips;
    nif.drop = on_drop;
    ipsec_netif_output(&nif, &pkt);
    nif.release = on_release;
    ipsec_netif_input(&nif, &pkt);
    ipsec_netif_resume(&nif, &pkt, 0);
    CHECK(drops == 3 && releases == 2 && why == IPSEC_ERR_UNSUPPORTED);
}

/* Fragments without ports are OPAQUE, as ever. */
static void
policy_judges(struct ipsec *ips)
{
    uint8_t later[24] = { 0x45, 0, 0, 24, 0, 1, 0, 9, 64, 17, 0, 0,
                          10, 0, 0, 1, 10, 0, 0, 2, 0, 53, 0, 53 };
    struct ipsec_policy policy;
    struct ipsec_pkt pkt;

    memset(&policy, 0, sizeof policy);
    policy.action = IPSEC_ACTION_BYPASS;
    policy.dir = IPSEC_OUT;
    policy.sel.proto = 17;
    policy.sel.set = IPSEC_SEL_REMOTE_PORT;
    policy.sel.remote_port_lo = policy.sel.remote_port_hi = 53;
    CHECK(ipsec_spd_add(ips, &policy) == IPSEC_OK);
    ipsec_pkt_init(&pkt, later, sizeof later, 0, sizeof later);
    CHECK(ipsec_outbound(ips, &pkt) == IPSEC_ERR_NO_POLICY);
    later[7] = 0;
    CHECK(ipsec_outbound(ips, &pkt) == IPSEC_BYPASS);
    later[7] = 1;
    later[9] = 6;
    CHECK(ipsec_outbound(ips, &pkt) == IPSEC_ERR_MALFORMED);
}

int
main(void)
{
    static const struct ipsec_crypto crypto;
    static struct ipsec_frag frag;
    struct ipsec_config cfg;
    struct ipsec_reass re;
    struct ipsec_buf buf;
    struct ipsec ips;
    size_t off = 0;

    memset(&cfg, 0, sizeof cfg);
    memset(&re, 0, sizeof re);
    memset(&buf, 0, sizeof buf);
    cfg.crypto = &crypto;
    cfg.random = no_random;
    cfg.frag = &frag;
    CHECK(ipsec_init(&ips, &cfg) == IPSEC_ERR_UNSUPPORTED);
    cfg.frag = NULL;
    CHECK(ipsec_init(&ips, &cfg) == IPSEC_OK);
    CHECK(ipsec_reass(&re, &buf, 0) == IPSEC_ERR_UNSUPPORTED);
    ipsec_reass_release(&re, NULL);
    ipsec_reass_tick(&re, 0);
    CHECK(ipsec_fragment(&buf, 100, 0, &off, &buf) == IPSEC_ERR_UNSUPPORTED);
    netif_refuses(&ips);
    policy_judges(&ips);
    printf("refused\n");
    return wrong;
}
