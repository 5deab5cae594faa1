/*
 * The boundary's sequence numbers.
 * SPDX-License-Identifier: MIT
 *
 * Keys are static, so numbers must never begin again: RFC 4106 section 2,
 * RFC 4303 section 2.2. They are reserved in flash, a step ahead; where that
 * fails, the library stops at the last number that was noted.
 */
#include "reserve.h"

#include "boundary.h"
#include "chance.h"
#include "console.h"
#include "flash.h"

static struct ipsec_lifetime out, in;
static struct flash_numbers noted;

/* Only what was noted may be used. */
static void renew(struct ipsec_lifetime *life, uint64_t hard, uint32_t step)
{
    life->hard_seq = hard;
    life->soft_seq = hard - step / 2;
}

static int reserve(int dir)
{
    struct flash_numbers next = noted;

    if (dir == IPSEC_OUT) {
        next.out += RESERVE_OUT;
    } else {
        next.in += RESERVE_IN;
    }
    if (flash_store(&next) != 0) {
        return -1;
    }
    noted = next;
    renew(&out, noted.out, RESERVE_OUT);
    renew(&in, noted.in, RESERVE_IN);
    return 0;
}

static void on_sa(void *user, struct ipsec_sa *sa, int event)
{
    (void)user;
    if (event == IPSEC_EVENT_SOFT && reserve(sa->dir) != 0) {
        print("note: flash failed: %s at most to %llu\n",
              sa->dir == IPSEC_OUT ? "out" : "in",
              (unsigned long long)sa->life->hard_seq);
    } else if (event == IPSEC_EVENT_HARD) {
        print("note: %s stopped at %llu\n",
              sa->dir == IPSEC_OUT ? "out" : "in",
              (unsigned long long)sa->seq);
    }
}

const char *reserve_open(struct host *host)
{
    static struct boundary own = { .random = chance, .sa_event = on_sa,
                                   .life_out = &out, .life_in = &in };

    if (flash_load(&noted) != 0) {
        return "flash has no numbers";
    }
    own.seq_out = noted.out;
    own.seq_in = noted.in;
    if (reserve(IPSEC_OUT) != 0 || reserve(IPSEC_IN) != 0) {
        return "flash failed";
    }
    return boundary_open(host, &own);
}
