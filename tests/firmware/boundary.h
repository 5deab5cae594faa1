/*
 * The device's IPsec boundary: a policy, a pair of SAs, and numbers that are
 * reserved in flash.
 * SPDX-License-Identifier: MIT
 */
#ifndef BOUNDARY_H
#define BOUNDARY_H

#include "host.h"

/** Put it around the host's interface, as the settings say. NULL; or why
 * not. */
const char *boundary_open(struct host *host);

/** Print all counters of it that are not zero, as "NAME VALUE". */
void boundary_stats(void);

#endif
