/* SPDX-License-Identifier: MIT */
#ifndef TESTS_PORTING_STACK_H
#define TESTS_PORTING_STACK_H

#include <stddef.h>
#include <stdint.h>

/*
 * A small IPv4 stack of somebody else's, who has heard of IPsec and left two
 * hooks in it. UDP with an echo server, ping, path MTU; it neither fragments
 * nor reassembles, which docs/PORTING.md calls a bump.
 */

#define FRAME  4096
#define FRAMES 8

struct queue {
    struct { size_t len; uint8_t byte[FRAME]; } frame[FRAMES];
    size_t first, count;
};

struct host {
    uint8_t       addr[4];
    struct host  *peer;     /* at the other end of the wire */
    size_t        mtu;      /* of the wire: no frame is longer */

    /* Whole packets, out and in; NULL: straight on. */
    void        (*output)(struct host *host, const uint8_t *ip, size_t len);
    void        (*input)(struct host *host, uint8_t *ip, size_t len);
    void         *port;     /* the hooks' own */

    size_t        path_mtu; /* as ICMP tells */
    struct queue  wire;     /* frames that have come */
    struct queue  judged;   /* packets on their way up */
    size_t        frames, on_wire, lost, pongs;
    uint8_t       text[FRAME];
    size_t        text_len; /* of the last UDP datagram, to port 1000 */
};

/* A UDP datagram from port 1000 to `to`, with or without DF. */
void host_send(struct host *host, const uint8_t dst[4], uint16_t to, int df,
               const uint8_t *text, size_t len);
void host_ping(struct host *host, const uint8_t dst[4]);

/* Below the hook, onto the wire. Above the hook, to TCP and the like, when the
 * stack comes round to it. Both copy. */
void host_transmit(struct host *host, const uint8_t *ip, size_t len);
void host_deliver(struct host *host, const uint8_t *ip, size_t len);

/* One round of the main loop; 0: there was nothing to do. */
int host_poll(struct host *host);

#endif
