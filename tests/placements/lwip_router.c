/* SPDX-License-Identifier: MIT */
#include "lwip/netif.h"
#include "lwip_hooks.h"
#include "settings.h"

/* The one on the wire outside, as "gw6" says; NULL: none. */
const struct ip6_addr *
place_router6(struct netif *netif, const struct ip6_addr *to)
{
    static ip6_addr_t router;

    (void)to;
    if (netif != netif_default || !ip6addr_aton(setting("gw6"), &router)) {
        return NULL;
    }
    return &router;
}
