/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_ICMP_H
#define TESTS_FAKE_ICMP_H

#include "fake/fixture.h"

/* ICMP errors to test with, written without a line of src/. */
struct icmp_spec {
    const char    *src, *dst; /* as text; they decide on the version */
    uint8_t        type, code;
    uint32_t       word;      /* bytes 4 to 7 */
    const uint8_t *quote;
    size_t         quote_len;
};

#define ICMP_MAX 2048u

/* Build it at `p`, which has room; its length. */
size_t icmp_build(uint8_t *p, const struct icmp_spec *spec);

/* Where the ICMP header is in a packet without extension headers, and what it
 * quotes. */
#define ICMP_AT(p)    ((p)[0] >> 4 == 4 ? (size_t)((p)[0] & 15) * 4 : 40u)
#define ICMP_QUOTE(p) ((p) + ICMP_AT(p) + 8)

/* Is its checksum right? And make it so. */
int icmp_intact(const uint8_t *p);
void icmp_fix(uint8_t *p);

/* A host, `pair.a`, whose SA, with a link MTU of 1500, has sent the packet
 * `wire`; with no inbound policy, and IPSEC_ACCEPT_PTB. */
struct path {
    struct pair   pair;
    struct fx_pkt p;
    uint8_t       wire[4096];
    size_t        wire_len;
    uint8_t       error[4096]; /* the last that was offered */
};

extern const char *const path_us[2], *const path_peer[2];
extern const char *const path_router[2]; /* on the way; of IPv4 and IPv6 */

void path_begin(struct path *path, int version);
void path_begin_as(struct path *path, const struct suite *suite, int proto,
                   int mode, int version);

/* A "too big" about that packet, of which it quotes all. */
struct icmp_spec path_too_big(const struct path *path, int version,
                              uint32_t mtu);

/* Offer `spec` to the host, or the `len` bytes at path->error, in memory of
 * just its size; it is left as it was. */
int path_offer(struct path *path, const struct icmp_spec *spec);
int path_offer_mtu(struct path *path, int version, uint32_t mtu);
int path_offer_raw(struct path *path, size_t len, uint8_t flags);

/* How many inbound packets were counted. */
size_t path_counted(const struct ipsec_stats *s);

#endif
