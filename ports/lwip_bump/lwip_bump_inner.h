/* SPDX-License-Identifier: MIT */
#ifndef LWIP_BUMP_INNER_H
#define LWIP_BUMP_INNER_H

#include "ipsec_lwip_bump.h"

/* All that is private to the bump and shared between its files. */

#define BUMP_MAC 6u

/* lwip_bump.c */

/* The bump below `netif`, or NULL. */
struct ipsec_lwip_bump *ipsec_lwip_bump_find(const struct netif *netif);

/* lwip_bump_frames.c */

/* What becomes of packets. */
void ipsec_lwip_bump_callbacks(struct ipsec_netif *nif);

/* Instead of the driver's netif->linkoutput. */
err_t ipsec_lwip_bump_linkoutput(struct netif *netif, struct pbuf *p);

/* Instead of netif->input: called by the driver, in a thread of its own. */
err_t ipsec_lwip_bump_input(struct pbuf *p, struct netif *netif);

/* Tell lwIP what has happened. Only where it is called from outside of it. */
void ipsec_lwip_bump_news(struct ipsec_lwip_bump *bump);

#endif
