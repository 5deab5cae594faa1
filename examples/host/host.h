/*
 * The chassis of the example programs: an lwIP host in one process.
 * SPDX-License-Identifier: MIT
 *
 * Its Ethernet is an AF_UNIX datagram socket: one frame per datagram, no
 * header, no root, no set-up. Two such hosts talk to each other when each
 * one's `peer` is the other's `path`; QEMU joins in with
 * `-netdev dgram,local.type=unix,local.path=PEER,
 *          remote.type=unix,remote.path=PATH`.
 */
#ifndef HOST_H
#define HOST_H

#include <stdio.h>

#include "ipsec/ipsec.h"
#include "lwip/netif.h"

#define HOST_MTU       1500
#define HOST_FRAME_MAX (14 + HOST_MTU)
#define HOST_BACKLOG   256 /* frames that wait while the peer is busy */

/** What a host is. Addresses are text; a NULL one is not set. */
struct host_config {
    const char *path;      /**< our end of the wire: made by host_open() */
    const char *peer;      /**< the other end */
    const char *pcap;      /**< capture of this host's wire, or NULL */
    uint8_t     mac[6];
    const char *ip4, *mask4, *gateway4;
    const char *ip6;       /**< its prefix has 64 bits. There is always a
                            *   link-local address, too */
};

struct host_frame {
    size_t  len;
    uint8_t byte[HOST_FRAME_MAX];
};

/** A host. Zero it, then host_open(). One per process, as lwIP is. */
struct host {
    struct netif      netif;   /**< its interface, and lwIP's default one */
    struct ipsec     *ips;     /**< or NULL. Set it: host_poll() tells time */
    struct host      *next;    /**< a further interface, or NULL */
    const struct host_config *cfg;
    int               fd;
    FILE             *pcap;
    size_t            lost;    /**< frames that found no room or no peer */
    size_t            first, waiting;
    struct host_frame backlog[HOST_BACKLOG];
};

/** Start lwIP, open the wire, make the interface. 0; or -1, with errno. */
int host_open(struct host *host, const struct host_config *cfg);

/** Give `host` a further interface, zeroed, with a wire of its own, which
 * host_poll(host) serves, too. As host_open(). host_up() and host_close() are
 * for each. */
int host_add(struct host *host, struct host *more,
             const struct host_config *cfg);

/** Plug in. Before: attach IPsec and give it policies, for lwIP sends its
 * first packets at once. */
void host_up(struct host *host);

/** Close the wire and remove our end of it. */
void host_close(struct host *host);

/**
 * Once round the main loop: wait for a frame, a timer, `fd` (-1: none) or
 * the end of `timeout_ms`; then do what there is to do. A program is
 * `while (...) { host_poll(...); }` plus lwIP callbacks.
 *
 * @return not 0 when there is something to read from `fd`.
 */
int host_poll(struct host *host, int fd, int timeout_ms);

/** Milliseconds, and seconds, on a clock that only goes forward. */
uint32_t host_ms(void);
uint32_t host_seconds(void);

/** Random source of the form that struct ipsec_config wants. */
int host_random(void *user, void *buf, size_t len);

#endif
