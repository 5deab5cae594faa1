/* SPDX-License-Identifier: MIT */
#include "lan.h"
#include "lan_hooks.h"

/* The device's boundary: a bump below lwIP. */

#define LONGEST 10000
#define HEAD (IPSEC_DEPTH * IPSEC_HEADROOM) /* there are bundles */
#define TAIL (IPSEC_DEPTH * IPSEC_TAILROOM)

static struct ipsec_reass_slot slot[2 * LAN_SLOTS];
static uint8_t mem[2 * LAN_SLOTS][IPSEC_REASS_SIZE(LONGEST, HEAD, TAIL)];
static uint8_t frag[LAN_MTU];

const struct ip6_addr *
lan_router6(struct netif *netif, const struct ip6_addr *to)
{
    static ip6_addr_t router;

    (void)to;
    if (netif != &lan.netif || !ip6addr_aton(PEER6, &router)) {
        return NULL;
    }
    return &router;
}

void
lan_attach(int slots)
{
    struct ipsec_lwip_bump *bump = &lan.port;
    size_t i;

    (void)slots;
    memset(slot, 0, sizeof slot);
    for (i = 0; i < COUNT(slot); i++) {
        slot[i].buf = mem[i];
        slot[i].size = sizeof mem[i];
    }
    bump->ips = &lan.dev.ips;
    bump->frag = frag;
    bump->frag_len = sizeof frag;
    bump->out.slot = slot;
    bump->in.slot = slot + LAN_SLOTS;
    bump->out.headroom = HEAD;
    bump->out.tailroom = TAIL;
    bump->out.len = bump->in.len = LAN_SLOTS;
    assert_int_equal(ipsec_lwip_bump_attach(bump, &lan.netif), ERR_OK);
}

void
lan_detach(void)
{
    assert_int_equal(ipsec_lwip_bump_detach(&lan.port), ERR_OK);
}

void
lan_poll(void)
{
    ipsec_lwip_bump_poll(&lan.port);
}
