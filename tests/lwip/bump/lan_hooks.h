/* SPDX-License-Identifier: MIT */
#ifndef LAN_HOOKS_H
#define LAN_HOOKS_H

struct netif;
struct ip6_addr;

/* lwIP takes a router of IPv6 from advertisements only. */
const struct ip6_addr *lan_router6(struct netif *netif,
                                   const struct ip6_addr *to);
#define LWIP_HOOK_ND6_GET_GW(netif, to) lan_router6(netif, to)

#endif
