/*
 * The boundary in lwIP: the native port.
 * SPDX-License-Identifier: MIT
 */
#include "place.h"

#include "boundary.h"
#include "ipsec_lwip.h"

#define SLOTS 4

static struct ipsec_lwip port;
static struct ipsec_lwip_slot slot[SLOTS];

err_t place_open(struct netif *netif, struct ipsec *ips)
{
    return ipsec_lwip_attach(&port, netif, ips, slot, SLOTS);
}

void place_poll(void)
{
    ipsec_lwip_poll(&port);
}

void place_close(void)
{
    (void)ipsec_lwip_detach(&port);
}

err_t place_dummy(struct ipsec_sa *sa, uint16_t len)
{
    return ipsec_lwip_dummy(&port, sa, len);
}

void place_stats(void)
{
    boundary_count("port.", "held", port.held);
    boundary_count("port.", "nomem", port.nomem);
    boundary_count("port.", "too_big", port.too_big);
    boundary_count("port.", "not_ours", port.not_ours);
    boundary_count("port.", "frag_drop", port.frag_drop);
}
