/*
 * The device's IPsec boundary: policies and a pair of SAs, as the settings
 * say.
 * SPDX-License-Identifier: MIT
 */
#ifndef BOUNDARY_H
#define BOUNDARY_H

#include "host.h"

/** What the process and the board have of their own. */
struct boundary {
    int  (*random)(void *user, void *buf, size_t len);
    void (*audit)(void *user, const struct ipsec_audit *event);
    void (*sa_event)(void *user, struct ipsec_sa *sa, int event);
    uint16_t               flags;             /* of both SAs */
    uint64_t               seq_out, seq_in;   /* last numbers used */
    struct ipsec_lifetime *life_out, *life_in;
};

/** Put it around the host's interface. NULL; or why not. */
const char *boundary_open(struct host *host, const struct boundary *own);

void boundary_close(void);

/** Send dummy packets of `size` bytes of payload (RFC 4303 section 2.6):
 * "dummy N of COUNT bad 0 twice 0", how many left. */
void boundary_dummies(unsigned count, unsigned size);

/** Print a counter if it is not zero. */
void boundary_count(const char *prefix, const char *name, uint64_t value);

/** Print all counters of it that are not zero, as "NAME VALUE". */
void boundary_stats(void);

#endif
