/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_SITE_H
#define TESTS_FUZZ_SITE_H

#include "fake/crypto.h"
#include "ipsec/ipsec.h"

#include <stdlib.h>
#include <string.h>

/* A context for the fuzz targets, with SAs and policies that suit a packet
 * of the fuzzer's, so that it gets past the lookups. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define SITE_SAS 4

/* What an SA is: bits 0, 1, 8 and 9 are a suite, 2 tunnel mode, 3 ESN, 4 DF
 * copied, 5 no anti-replay, 6 an MTU, 7 is the target's; and these. */
#define SITE_TUNNEL 0x0004u
#define SITE_ESN    0x0008u
#define SITE_AH     0x0400u
#define SITE_ALIGN8 0x0800u
#define SITE_COPY   0x1000u /* flow label */
#define SITE_OWN    0x2000u /* DSCP and ECN */

struct site_sa {
    struct ipsec_sa sa;
    struct fake_key key;
};

struct site {
    struct ipsec         ips;
    struct ipsec_config  cfg;
    struct fake_crypto   crypto;
    struct fake_state    st;
    struct site_sa       sa[SITE_SAS];
    struct ipsec_policy  policy[SITE_SAS];
    size_t               sas;
};

#define CHECK(condition) ((condition) ? (void)0 : abort())

void site_init(struct site *site);

/* An SA as `choice` says, number `site->sas`, of the next reqid; its policy
 * too, in the bundle of the one before, or in the SPD. */
void site_add(struct site *site, int dir, unsigned choice, uint32_t spi,
              const struct ipsec_addr *local, const struct ipsec_addr *remote);

/* Addresses of a packet, seen from our side; 0: it has none. */
int site_addrs(const uint8_t *p, size_t len, int dir,
               struct ipsec_addr *local, struct ipsec_addr *remote);

#endif
