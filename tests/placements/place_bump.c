/* SPDX-License-Identifier: MIT */
#include "place.h"

#include "boundary.h"
#include "ipsec_lwip_bump.h"
#include "settings.h"

/* The boundary below lwIP: a bump in the stack. */

#define SLOTS 4

static struct ipsec_lwip_bump bump;
static struct ipsec_reass_slot slot[2 * SLOTS];
static uint8_t mem[2 * SLOTS][IPSEC_REASS_SIZE(65535, IPSEC_HEADROOM,
                                               IPSEC_TAILROOM)];
static uint8_t frag[HOST_MTU];

err_t place_open(struct netif *netif, struct ipsec *ips)
{
    size_t i;

    for (i = 0; i < 2 * SLOTS; i++) {
        slot[i].buf = mem[i];
        slot[i].size = sizeof mem[i];
    }
    bump.ips = ips;
    bump.frag = frag;
    bump.frag_len = sizeof frag;
    bump.out.slot = slot;
    bump.in.slot = slot + SLOTS;
    bump.out.len = bump.in.len = SLOTS;
    bump.reserve = (u16_t)setting_number("reserve");
    return ipsec_lwip_bump_attach(&bump, netif);
}

void place_poll(void)
{
    ipsec_lwip_bump_poll(&bump);
}

void place_close(void)
{
    (void)ipsec_lwip_bump_detach(&bump);
}

err_t place_dummy(struct ipsec_sa *sa, uint16_t len)
{
    (void)sa;
    (void)len;
    return ERR_VAL; /* the bump sends none */
}

static void count_reass(const char *prefix, const struct ipsec_reass *re)
{
    boundary_count(prefix, "timeouts", re->timeouts);
    boundary_count(prefix, "evicted", re->evicted);
    boundary_count(prefix, "overlaps", re->overlaps);
    boundary_count(prefix, "malformed", re->malformed);
}

void place_stats(void)
{
    boundary_count("port.", "nomem", bump.nomem);
    boundary_count("port.", "foreign", bump.foreign);
    boundary_count("port.", "too_big", bump.too_big);
    count_reass("port.out_", &bump.out);
    count_reass("port.in_", &bump.in);
    boundary_count("", "told", bump.told);
    boundary_count("", "reass_out", bump.out.datagrams);
    boundary_count("", "reass_in", bump.in.datagrams);
}
