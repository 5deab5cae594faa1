/*
 * The board as an lwIP host: the same face as examples/host shows, so that
 * tests/interop's traffic runs here unchanged.
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_H
#define HOST_H

#include <stdio.h>

#include "ipsec/ipsec.h"
#include "lwip/netif.h"

#define HOST_MTU 1500

struct host {
    struct netif  netif;
    struct ipsec *ips;  /* or NULL: told the time by host_poll() */
    size_t        lost; /* frames for which there was no room */
};

/** Start lwIP and make the interface, which is down. 0, or -1. */
int host_open(struct host *host, const char *ip4, const char *ip6);

/** Plug in, once IPsec is attached. */
void host_up(struct host *host);

/** Once round the main loop. `fd` not negative: not 0 when the console has
 * something to read. */
int host_poll(struct host *host, int fd, int timeout_ms);

uint32_t host_ms(void);

#endif
