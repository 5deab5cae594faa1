/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_NATT_H
#define TESTS_FAKE_NATT_H

#include "fake/fixture.h"

/* A pair that speaks ESP in UDP, and a NAT between them. */

#define NATT_SPORT 40000 /* A's port */
#define NATT_PORT  4500  /* B's */

/* As pair_prepare() and pair_init(). */
void natt_prepare(struct pair *pair, const struct suite *suite, int mode,
                  int version);
void natt_begin(struct pair *pair, const struct suite *suite, int mode,
                int version);

/* Rewrite the source of the datagram at `wire`, which has no options and no
 * extension header but one of 8 bytes for each hop. */
void natt_translate(uint8_t *wire, const char *src, uint16_t port);

/* Put a UDP header round the ESP in the packet at `wire`, which has no options
 * and room for it; its length. */
size_t natt_wrap(uint8_t *wire, size_t len);

/* One's complement sum of `len` bytes of `proto` at `p`, behind the IP header
 * at `ip`, and their pseudo header; 0 where the checksum is right. */
uint16_t natt_sum(const uint8_t *ip, uint8_t proto, const uint8_t *p,
                  size_t len);

size_t natt_get16(const uint8_t *p);
void natt_set16(uint8_t *p, size_t v);

/* Tell an IP header its packet's length. */
void natt_resize(uint8_t *wire, size_t len);

#endif
