/* SPDX-License-Identifier: MIT */
#ifndef TESTS_VECTORS_WALKER_H
#define TESTS_VECTORS_WALKER_H

#include "vectors/record.h"

#include "ipsec/ipsec.h"

/* A packet or payload record, and what is to be checked of it. */

#define WALK_MAX 65535u

struct walk {
    struct ipsec_keymat km;
    uint8_t  encr_key[64], integ_key[64], iv[16];
    size_t   iv_len;
    uint32_t spi;     /* of the SA and in `wire` ... */
    uint32_t aad_spi; /* ... and the record's own, which may be reserved */
    uint64_t seq;
    uint8_t  proto, mode, esn, udp;
    uint8_t  own_header; /* made by the walker: it is no field of the record */
    size_t   plain_len, wire_len, esp_at; /* esp_at: of the SPI in `wire` */
    uint8_t  plain[WALK_MAX], wire[WALK_MAX];
};

/* NULL, or what the record lacks or what this build lacks. */
const char *walk_read(struct walk *w, const struct record *rec);

/* All checks: NULL, or the one that failed. */
const char *walk_check(const struct walk *w);

/* bare.c: the same of a record without integrity, as far as one can. */
int walk_is_bare(const struct walk *w);
const char *walk_check_bare(const struct walk *w);

#endif
