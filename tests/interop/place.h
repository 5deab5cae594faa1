/*
 * Where the boundary is: in lwIP, or below it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLACE_H
#define PLACE_H

#include "ipsec/ipsec.h"
#include "lwip/netif.h"

/** Put `ips` around the interface. */
err_t place_open(struct netif *netif, struct ipsec *ips);

/** Some times a second. */
void place_poll(void);

void place_close(void);

/** Send a dummy packet of `len` bytes of payload over `sa`. */
err_t place_dummy(struct ipsec_sa *sa, uint16_t len);

/** Print its counters, as boundary_stats(). */
void place_stats(void);

#endif
