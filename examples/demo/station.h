/*
 * The demo: an lwIP host with an IPsec boundary that takes orders.
 * SPDX-License-Identifier: MIT
 */
#ifndef STATION_H
#define STATION_H

#include "demo.h"
#include "host.h"
#include "ipsec_lwip.h"

#define STATION_KEY_LEN 1024 /* suffices for any key of ports/mbedtls */
#define STATION_SLOTS   4    /* packets that may wait for an SA */

/** An SA and the memory that it needs. */
struct station_sa {
    struct ipsec_sa sa, last;      /**< `last`: as it was when removed */
    union {
        uint8_t     byte[STATION_KEY_LEN];
        long double align;
        void       *align_pointer;
    } key;
};

/** One per process. */
struct station {
    struct host         host;
    struct host_config  host_cfg;
    struct ipsec        ips;
    struct ipsec_config ips_cfg;
    struct ipsec_lwip   port;
    struct ipsec_lwip_slot slot[STATION_SLOTS];
    size_t              policies, sas;
    struct ipsec_policy policy[DEMO_POLICIES];
    struct station_sa   sa[DEMO_SAS];

    int  role;
    int (*obey)(const struct demo_order *order);  /**< the orders that are
                                                   *   not all stations' */
    void (*report)(struct demo_report *report);   /**< the part likewise */
};

/** Start an lwIP host with its policies, but without any SA. 0 or -1. */
int station_open(struct station *station, const struct demo_child *child);

/** Be that host, until told to stop. */
void station_run(struct station *station, int control);

#endif
