/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_FIXTURE_H
#define TESTS_FAKE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/crypto.h"
#include "fake/needs.h"
#include "fake/packet.h"
#include "ipsec/ipsec.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Of tests that go through the IP versions: the last, and how many. */
#ifdef IPSEC_NO_IPV6
#define FX_IP_LAST 4
#define FX_IPS     1
#else
#define FX_IP_LAST 6
#define FX_IPS     2
#endif

/* Of what the fixtures make: where IPv6 was left out, it is IPv4. */
#define FX_IS_IP6(version) (FX_IPS == 2 && (version) == 6)

/* Like assert_int_equal, but it names the statuses, and says where in a
 * table the test was (see fx_note). */
#define assert_status(got, want) \
    fx_assert_status((got), (want), __FILE__, __LINE__)

void fx_assert_status(int got, int want, const char *file, int line);

/* Printed when an assert_status() fails: which row, which case. */
void fx_note(const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 1, 2)))
#endif
    ;

/* What is known of the transforms from their RFCs, beside alg.c. */
struct suite {
    const char *name;
    uint16_t encr, integ, encr_key, integ_key;
    size_t   iv, align, icv; /* iv: on the wire */
};

/* Tests that go through SUITES take what the build has; what it leaves out
 * comes behind. */
enum {
    CBC128, CBC192, CBC256, GCM128, GCM192, GCM256, CHACHA, NULL_SHA256,
#define LEFT_OUT 0
#include "fake/suites.h"
    SUITES,
    SUITES_LAST = SUITES - 1,
#undef LEFT_OUT
#define LEFT_OUT 1
#include "fake/suites.h"
#undef LEFT_OUT
    SUITES_ALL
};

/* No cipher: the payload shows. */
#define SUITE_IS_CLEAR(s) \
    ((s)->encr == IPSEC_ENCR_NULL || (s)->encr == IPSEC_ENCR_NULL_AES_GMAC)

/* The IV is at the end of the AAD. */
#define SUITE_HAS_IV_IN_AAD(s) \
    ((s)->encr == IPSEC_ENCR_AES_CTR || (s)->encr == IPSEC_ENCR_NULL_AES_GMAC)

/* The IV is the sequence number, and not sent. */
#define SUITE_HAS_IIV(s) ((s)->integ == IPSEC_INTEG_NONE && (s)->iv == 0)

extern const struct suite suites[SUITES_ALL];

/* A context with all callbacks logged. */

#define FX_LOG 64
#define FX_SAD 4
#define FX_BUCKETS 8
#define FX_TUPLES 4

struct fx;

struct fx_audit {
    int               status;
    int               dir;
    uint32_t          spi;
    uint64_t          seq;
    uint32_t          time, label;
    struct ipsec_flow flow;
    int               layers;
};

struct fx_acquire {
    struct ipsec_policy *policy;
    struct ipsec_flow    flow;
    int                  lane;
};

struct fx {
    struct ipsec        ips;
    struct ipsec_config cfg;
    struct fake_crypto  crypto;
    struct fake_state   st;

    uint64_t random;
    size_t   randoms, random_fails_at;

    struct { struct ipsec_sa *sa; int event; } event[FX_LOG];
    struct fx_audit   audit[FX_LOG];
    struct fx_acquire acquire[FX_LOG];
    size_t events, audits, acquires; /* may be more than were kept */

    void *user; /* of the test, for these: */
    void (*on_event)(struct fx *fx, struct ipsec_sa *sa, int event);
    void (*on_acquire)(struct fx *fx, struct ipsec_policy *policy,
                       const struct ipsec_flow *flow);
    void (*on_audit)(struct fx *fx, const struct ipsec_audit *event);

    struct ipsec_sad_bucket sad[FX_SAD];
    struct ipsec_policy    *bucket[FX_BUCKETS];
    struct ipsec_tuple      tuple[FX_TUPLES];
    struct ipsec_spd_index  index;
};

/* `tables`: with a table and an index, small enough to be crowded. */
void fx_init(struct fx *fx, int tables);

/* ipsec_sad_update() of an SA that is not in UDP. */
int fx_move(struct ipsec *ips, struct ipsec_sa *sa,
            const struct ipsec_addr *local, const struct ipsec_addr *remote);

/* The parts of fx_init(): everything but the call of ipsec_init(). */
void fx_config(struct fx *fx, int tables);

size_t fx_events(const struct fx *fx, const struct ipsec_sa *sa, int event);

/* Deterministic. */
int fx_random(void *user, void *buf, size_t len);

/* An SA with memory for all that it needs. */

struct fx_sa {
    struct ipsec_sa        sa;
    struct ipsec_sa_params params;
    struct ipsec_lifetime  life;
    uint8_t                material[FAKE_MATERIAL];
    uint32_t               window[128];
    union {
        struct fake_key fake;
        uint8_t         byte[2048];
        uint64_t        align;
        void           *align_too;
    } key;
};

/* Parameters for `suite`, with keys made from `seed`. Local and remote are
 * as seen from the one who owns the SA. */
void fx_sa_set(struct fx_sa *s, const struct suite *suite, int dir, int mode,
               uint32_t spi, const char *local, const char *remote);

int fx_sa_add(struct fx *fx, struct fx_sa *s);

/* A packet in memory of exactly its size. */

struct fx_pkt {
    struct ipsec_pkt pkt;
    uint8_t         *mem;
    size_t           size;
};

void fx_pkt_new(struct fx_pkt *p, const uint8_t *data, size_t len,
                size_t head, size_t tail);
void fx_pkt_build(struct fx_pkt *p, const struct packet_spec *spec,
                  size_t head, size_t tail);
void fx_pkt_free(struct fx_pkt *p);

/* Is its content what `data` says? */
int fx_pkt_is(const struct fx_pkt *p, const uint8_t *data, size_t len);

/* Two hosts with one SA and one policy each, from `a` to `b`. */

struct pair {
    struct fx           a, b;
    struct fx_sa        out, in;
    struct ipsec_policy pa, pb;
};

/* `version` is of the outer header. The policies protect everything. */
void pair_init(struct pair *pair, const struct suite *suite, int mode,
               int version);

/* The same before the SAs are added, to change pair->out.params and so on;
 * and what is left. */
void pair_prepare(struct pair *pair, const struct suite *suite, int mode,
                  int version);
void pair_begin(struct pair *pair);

/* A packet that goes from `a` to `b`: in transport mode between the SA's own
 * addresses, in tunnel mode between `version`'s networks behind them. */
struct packet_spec pair_spec(const struct pair *pair, int version,
                             uint8_t proto, size_t payload);

/* Seal `spec` at `a`; the result at `wire`, its length. Fails the test if it
 * can't. */
size_t pair_seal(struct pair *pair, const struct packet_spec *spec,
                 uint8_t *wire);

/* Offer it to `b`, who has nothing to spare around it. */
int pair_open(struct pair *pair, const uint8_t *wire, size_t len,
              struct fx_pkt *p);

/* The same, and throw away what comes out. */
int pair_offer(struct pair *pair, const uint8_t *wire, size_t len);

/* A packet to `b` with a body (payload, padding, pad length, next header) of
 * the test's own making, sealed with the right key. */
struct craft {
    const uint8_t *body;
    size_t         len;
    uint64_t       seq;
    uint8_t        tos;     /* of the outer header */
    const char    *ext;     /* IPv6 extension headers of the outer header */
};

size_t pair_craft(struct pair *pair, const struct craft *craft,
                  uint8_t *wire);

/* Put padding 1, 2, 3 ... and trailer behind `len` bytes of payload, so that
 * `suite` can carry it; the new length. */
size_t body_end(const struct suite *suite, uint8_t *body, size_t len,
                uint8_t next);

/* The suite of the pair's SAs. */
const struct suite *pair_suite(const struct pair *pair);

/* Everything of `sa` that a packet which is dropped may not change. */
int sa_same(const struct ipsec_sa *x, const struct ipsec_sa *y);

#endif
