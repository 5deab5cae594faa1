/*
 * The demo: its processes, the orders they get, and the keys they are given.
 * SPDX-License-Identifier: MIT
 */
#ifndef STAGE_H
#define STAGE_H

#include <sys/types.h>

#include "demo.h"

#define PATH_LEN    200
#define DETAIL_LEN  300

enum sabotage { SABOTAGE_NONE, SABOTAGE_KEY, SABOTAGE_POLICY,
                SABOTAGE_REPLAY };

struct demo {
    enum sabotage      sabotage;
    int                control[DEMO_ROLES];
    pid_t              pid[DEMO_ROLES];
    struct demo_report now[DEMO_ROLES], before[DEMO_ROLES];
    struct demo_sa     sa[DEMO_SAS];    /* all there ever were */
    size_t             sas;
    struct demo_sa    *newest[DEMO_ROLES][DEMO_PING6 + 1]; /* by reqid */
    int                patience;
    char               dir[PATH_LEN];   /* of the sockets */
    char               path[DEMO_ROLES][PATH_LEN];
    char               pcap[PATH_LEN], keys[PATH_LEN], shark[PATH_LEN];
    char               detail[DETAIL_LEN];
};

/** Start both hosts, connect them, give them their SAs. They write what goes
 * over the wire to demo.pcap in the directory `out`. */
void stage_open(struct demo *d, const char *out);

/** End them. True if both came to a good end. */
int stage_close(struct demo *d);

/** Write the key tables into the directory that stage_open() was given. */
void stage_write_keys(struct demo *d);

/** Give an order; d->now is how things stand after it. IPSEC_OK or
 * IPSEC_ERR_*. */
int stage_tell(struct demo *d, int role, int verb, int version, size_t take);

/** Have both report to d->now. */
void stage_ask(struct demo *d);

/** Wait until `seen` says so. False if it never does. */
int stage_wait(struct demo *d, int (*seen)(const struct demo *d));

/** A new pair of SAs, with new keys, at both ends: d->newest. */
void stage_sa_pair(struct demo *d, uint32_t reqid, enum demo_cipher cipher);

/** Have `role` add or remove its part of an SA. */
int stage_sa_tell(struct demo *d, int role, int verb,
                  const struct demo_sa *sa);

/** An SA as its receiver reported it. */
const struct ipsec_sa *stage_received(const struct demo_report *report,
                                      const struct demo_sa *sa);

/** Packets of an SA that were opened since d->before. */
size_t stage_opened(const struct demo *d, const struct demo_sa *sa);

/** What a step has to say of itself: like printf(). */
void stage_detail(struct demo *d, const char *format, ...);

/** ... and, when it failed, what was dropped since d->before. */
void stage_add_drops(struct demo *d);

#endif
