/*
 * An IPsec boundary whose sequence numbers are reserved in flash.
 * SPDX-License-Identifier: MIT
 */
#ifndef RESERVE_H
#define RESERVE_H

#include "host.h"

/** Put it around the host's interface, as the settings say. NULL; or why
 * not. */
const char *reserve_open(struct host *host);

#endif
