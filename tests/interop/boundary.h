/*
 * The device's IPsec boundary: one policy and a pair of SAs.
 * SPDX-License-Identifier: MIT
 */
#ifndef BOUNDARY_H
#define BOUNDARY_H

#include "host.h"

/** The command line: see device.c. NULL where nothing was said. */
struct options {
    const char *wire, *peer, *pcap, *mac, *ip4, *ip6, *target;
    const char *proto, *mode, *local, *remote, *encr, *integ;
    const char *spi_out, *spi_in, *key_out, *key_in, *ikey_out, *ikey_in;
    const char *esn, *window, *seq, *align8, *natt, *tfc, *df, *ptb;
};

/** Put it around the host's interface. 0; or -1, having said why. */
int boundary_open(struct host *host, const struct options *opt);

void boundary_close(void);

/** Send dummy packets of `size` bytes of payload (RFC 4303 section 2.6):
 * "dummy N of COUNT bad 0 twice 0", how many left. */
void boundary_dummies(unsigned count, unsigned size);

/** Print all counters of it that are not zero, as "NAME VALUE". */
void boundary_stats(void);

#endif
