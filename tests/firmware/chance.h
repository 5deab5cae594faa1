/*
 * A random source that can fail: the board has none. The test gives a seed,
 * as a product's hardware generator would.
 * SPDX-License-Identifier: MIT
 */
#ifndef CHANCE_H
#define CHANCE_H

#include <stddef.h>
#include <stdint.h>

/** From now on there is randomness; until then, and after chance_fail(), every
 * request fails. */
void chance_seed(const uint8_t *seed, size_t len);
void chance_fail(void);

/** Of the form that struct ipsec_config wants. */
int chance(void *user, void *buf, size_t len);

/** lwIP's. Where there is none, device.c takes the network down. */
uint32_t chance_u32(void);

/** A request has failed: nothing may be sent any more. */
extern int chance_failed;

#endif
