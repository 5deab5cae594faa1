/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_ATTACK_H
#define TESTS_FAKE_ATTACK_H

#include "fake/fixture.h"

/*
 * Rows of tests/attacks.txt. Each is made of a genuine packet, in all the
 * variations that it is for, with the fake engine and with mbedTLS, and must
 * be answered as the row says: one counter moves, one audit event tells of
 * it, nothing else changes, no more work is done than must be, and the
 * genuine packet still passes.
 */

/* Variations; of a group that has none, all. */
#define V4   0x01u
#define V6   0x02u
#define TRAN 0x04u
#define TUN  0x08u
#define GCM  0x10u /* ESP, AES-GCM-16 */
#define CBC  0x20u /* ESP, AES-CBC and HMAC-SHA-256 */
#define AH   0x40u
#define ESP  (GCM | CBC)

/* And how it goes on. */
#define RECEIVED 0x100u /* it is authentic: the window moves */
#define ONLY     0x200u /* the genuine one won't pass, or has passed */
#define OTHER    0x400u /* what comes out is not the genuine one's content */

struct stage {
    struct pair         pair;      /* `b` is attacked */
    unsigned            is;        /* V4, TRAN, ... of this variation */
    const struct suite *suite;
    unsigned            n;         /* of the row's `from` to `to` */
    size_t              runs;      /* more operations than one */
    uint8_t             flags;     /* of the packet */
    uint8_t             plain[1024];
    size_t              plain_len;
    uint8_t             wire[70000]; /* genuine, to be changed */
    size_t              len, at;   /* at: of ESP or AH */
    struct ipsec_lifetime life;
    struct fx_sa        extra;
};

struct attack {
    unsigned    row;
    const char *label;
    unsigned    in;                /* variations and RECEIVED, ... */
    unsigned    from, to;          /* once for each */
    void      (*set)(struct stage *s);  /* before there are SAs; or NULL */
    int       (*make)(struct stage *s); /* 0: can't be made in this one */
    int         want;
};

void attack_run(const struct attack *rows, size_t count);

/* All rows of a table. */
#define ATTACK_RUN(table) attack_run(table, COUNT(table))

/* A pair in one variation (one of each group), set by `set` or NULL, and its
 * genuine packet. */
void stage_begin(struct stage *s, unsigned is, int real,
                 void (*set)(struct stage *s));

/* Have all SAs removed. */
void stage_end(struct stage *s);

/* Offer the packet and check all there is to check. `in`: RECEIVED. */
void stage_offer(struct stage *s, unsigned in, int want);

/* Operations of the attacked one's engine so far. */
size_t stage_runs(const struct stage *s);

/* Seal the plain packet under number `seq` into `wire`; and have it received
 * as well. */
void stage_seal(struct stage *s, uint64_t seq);
void stage_receive(struct stage *s, uint64_t seq);

/* Replace `wire` by ESP with this body. */
void stage_craft(struct stage *s, const uint8_t *body, size_t len);

/* Cut or extend the packet to `len` bytes, in its header too. */
void stage_resize(struct stage *s, size_t len);

/* Put `n` bytes at `at`, and tell the header. */
void stage_insert(struct stage *s, size_t at, const uint8_t *bytes, size_t n);

#endif
