/* SPDX-License-Identifier: MIT */
#ifndef LWIP_HOOKS_H
#define LWIP_HOOKS_H

#ifndef PLACE_BUMP
#include "ipsec_lwip_hooks.h"
#endif

struct netif;
struct ip6_addr;

/* lwIP takes a router of IPv6 from advertisements only. */
const struct ip6_addr *place_router6(struct netif *netif,
                                     const struct ip6_addr *to);
#define LWIP_HOOK_ND6_GET_GW(netif, to) place_router6(netif, to)

#endif
