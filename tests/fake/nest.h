/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_NEST_H
#define TESTS_FAKE_NEST_H

#include "fake/fixture.h"

/*
 * Two hosts whose packets go through up to five SAs in one another: layer 0
 * in transport mode between the hosts, further ones in tunnels, over IPv4 and
 * IPv6 in turn. One policy is in the SPD, the others are its bundle.
 */

#define NEST_MAX 5

struct nest {
    struct fx           a, b;
    struct fx_sa       *out[NEST_MAX], *in[NEST_MAX]; /* from the heap */
    struct ipsec_policy pa[NEST_MAX], pb[NEST_MAX];
    size_t              layers;
};

/* `suite` for even layers, the next one of the table for odd ones. */
void nest_init(struct nest *nest, size_t layers, int suite);
void nest_free(struct nest *nest);

/* An SA that its owner has back; wrecks and frees its memory. */
void nest_sa_free(struct fx_sa **s);

/* A packet under way; it stays where it is. */
struct flight {
    struct fx_pkt p;
    struct fx    *fx;
    int           verdict; /* of the last call, PENDING included */
    int           dones;
};

/* Begin; `done` goes on with ipsec_resume(). */
void flight_out(struct flight *f, struct nest *nest, size_t payload);
void flight_in(struct flight *f, struct nest *nest, const uint8_t *wire,
               size_t len);

/* The packet that flight_out() sends, as it was; its length. */
size_t nest_plain(const struct nest *nest, size_t payload, uint8_t *plain);

/* Complete what is in the queue of `fx`, in the order of `fx->random`. */
void flights_land(struct fx *fx);

#endif
