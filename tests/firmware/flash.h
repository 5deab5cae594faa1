/*
 * What must outlive a reset: how far the sequence numbers are reserved.
 * SPDX-License-Identifier: MIT
 */
#ifndef FLASH_H
#define FLASH_H

#include <stdint.h>

/** The numbers up to which packets may be sent, and count as received. */
struct flash_numbers {
    uint64_t out, in;
};

/** Steps in which they are reserved. */
#define RESERVE_OUT 128u
#define RESERVE_IN  256u

/** A new key: forget everything, begin with these. 0, or -1: it failed. */
int flash_provision(const struct flash_numbers *n);

/** What was noted last. 0; or -1: nothing, or nothing that can be read. */
int flash_load(struct flash_numbers *n);

/** Note it: 0 only when it was read back. */
int flash_store(const struct flash_numbers *n);

/** From now on what is written stays as it was. */
void flash_fail(void);

/** Power fails in the middle of the next record. */
void flash_tear(void);

#endif
