/*
 * A random source that can fail: SHA-256 of seed and counter.
 * SPDX-License-Identifier: MIT
 */
#include "chance.h"

#include <mbedtls/sha256.h>
#include <string.h>

int chance_failed;

static uint8_t pool[32 + 4]; /* seed, counter */
static int seeded;

void chance_seed(const uint8_t *seed, size_t len)
{
    seeded = len >= 16 && mbedtls_sha256(seed, len, pool, 0) == 0;
}

void chance_fail(void)
{
    seeded = 0;
}

static int block(uint8_t out[32])
{
    uint32_t counter;

    memcpy(&counter, pool + 32, sizeof counter);
    counter++;
    memcpy(pool + 32, &counter, sizeof counter);
    return seeded ? mbedtls_sha256(pool, sizeof pool, out, 0) : -1;
}

int chance(void *user, void *buf, size_t len)
{
    uint8_t out[32], *to = buf;
    size_t n;

    (void)user;
    for (; len > 0; to += n, len -= n) {
        if (block(out) != 0) {
            chance_failed = 1;
            return -1;
        }
        n = len < sizeof out ? len : sizeof out;
        memcpy(to, out, n);
    }
    return 0;
}

uint32_t chance_u32(void)
{
    uint32_t r = 0;

    (void)chance(NULL, &r, sizeof r);
    return r;
}
