/* SPDX-License-Identifier: MIT */
#ifndef TESTS_PORTING_PORT_H
#define TESTS_PORTING_PORT_H

#include "ipsec/netif.h"
#include "porting/stack.h"

/*
 * docs/PORTING.md, followed for porting/stack.h. The stack can't fragment or
 * reassemble, so this is its chapter "Bumps", with "Outbound" and "Inbound" for
 * what is around the two calls.
 */

#define PORT_SLOTS   2
#define PORT_PAYLOAD 3000 /* the longest datagram that is put together */
#define PORT_SLOT    IPSEC_REASS_SIZE(PORT_PAYLOAD, IPSEC_HEADROOM, \
                                      IPSEC_TAILROOM)

struct port {
    struct ipsec             ips;
    struct ipsec_netif       nif;
    struct host             *host;
    struct ipsec_reass       in;
    struct ipsec_reass_slot  slot[PORT_SLOTS];
    uint8_t                  memory[PORT_SLOTS][PORT_SLOT];
    uint8_t                  frag[1500];
    uint8_t                  room[IPSEC_HEADROOM + FRAME + IPSEC_TAILROOM];
    int                      dropped; /* status of the last */
    size_t                   drops;
};

/* Put `port` around `host`. */
int port_attach(struct port *port, struct host *host,
                const struct ipsec_config *cfg);

/* The time, in seconds. */
void port_tick(struct port *port, uint32_t now);

#endif
