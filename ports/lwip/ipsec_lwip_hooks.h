/* SPDX-License-Identifier: MIT */
#ifndef IPSEC_LWIP_HOOKS_H
#define IPSEC_LWIP_HOOKS_H

/* For LWIP_HOOK_FILENAME: lwIP's own files include this. */

struct pbuf;
struct netif;

#ifdef __cplusplus
extern "C" {
#endif

int ipsec_lwip_ip4_input(struct pbuf *p, struct netif *inp);
int ipsec_lwip_ip6_input(struct pbuf *p, struct netif *inp);

#ifdef __cplusplus
}
#endif

#ifndef LWIP_HOOK_IP4_INPUT
#define LWIP_HOOK_IP4_INPUT(p, inp) ipsec_lwip_ip4_input(p, inp)
#endif
#ifndef LWIP_HOOK_IP6_INPUT
#define LWIP_HOOK_IP6_INPUT(p, inp) ipsec_lwip_ip6_input(p, inp)
#endif

#endif
