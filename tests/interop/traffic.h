/*
 * What the device under test does with its network.
 * SPDX-License-Identifier: MIT
 *
 * Each function sends, waits until all came back or `wait_ms` has passed,
 * and prints one line. Every byte that comes back is checked.
 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include "host.h"
#include "lwip/ip_addr.h"

#define ECHO_PORT   7
#define NATT_PORT   4500
#define TRAFFIC_MAX 256 /* datagrams of one command */

/** "ping N of N bad 0 twice 0": echo requests with `size` bytes of data, all
 * at once. */
void traffic_ping(struct host *host, const ip_addr_t *to, unsigned count,
                  unsigned size, unsigned wait_ms);

/** "udp N of N bad 0 twice 0": datagrams of `size` bytes, all at once. */
void traffic_udp(struct host *host, const ip_addr_t *to, unsigned count,
                 unsigned size, unsigned wait_ms);

/** "ike N of N bad 0 twice 0": likewise, between ports 4500, each with the
 * marker of IKE ahead of its data (RFC 3948 section 2.2). Anything else that
 * comes to that port is bad. */
void traffic_ike(struct host *host, const ip_addr_t *to, unsigned count,
                 unsigned size, unsigned wait_ms);

/** "tcp BYTES of BYTES bad 0 closed 1": a connection, until both sides have
 * closed it. */
void traffic_tcp(struct host *host, const ip_addr_t *to, unsigned bytes,
                 unsigned wait_ms);

/** The longest time in which nothing came, of the last traffic_tcp(): ms. */
unsigned traffic_gap(void);

#endif
