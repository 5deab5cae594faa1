/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_DAEMON_H
#define TESTS_FAKE_DAEMON_H

#include "fake/fixture.h"

/*
 * A key daemon in small, and the way it uses the library: docs/KEYMGMT.md
 * quotes it. Two of them "negotiate" by handing each other a struct km_msg;
 * keys come from the SPI. Its functions have the names of strongSwan's kernel
 * interface where there is one.
 */

#define KM_CHILDREN 4
#define KM_POLICIES 16
#define KM_LARVAL_S 30   /* for an SPI that is offered, and between acquires */
#define KM_LATE_S   5    /* for which an old inbound SA is kept */

/* What the two say to each other about a pair of SAs. */
struct km_msg {
    uint32_t              spi;  /* of the inbound SA of who says it */
    struct ipsec_selector sel;  /* of the policy, as seen by who says it */
};

/* A policy that several users have asked for. */
struct km_policy {
    struct ipsec_policy policy;
    unsigned            used;
};

/* A pair of SAs: a CHILD_SA. */
struct km_child {
    struct fx_sa          in, out;
    struct ipsec_selector sel;
    uint32_t              reqid;
    uint32_t              retire_at;  /* when `in` goes; 0: not yet */
    int                   is_used;
    int                   wants_keys; /* acquired: ask the peer */
    int                   wants_rekey;
};

struct km {
    struct fx        fx;
    const char      *local, *remote; /* outer addresses */
    struct km_child  child[KM_CHILDREN];
    struct km_policy policy[KM_POLICIES];
    struct ipsec_lifetime life;
    uint32_t         reqids;
    size_t           turned_away; /* acquires without a free child */
    size_t           mappings;
    size_t           reasons[IPSEC_REASON_REKEYED + 1]; /* of SAs that ended */
};

void km_init(struct km *km, const char *local, const char *remote, int tables);

/* strongSwan's kernel interface. */
int km_get_spi(struct km *km, struct km_child *c);
int km_add_sa(struct km *km, struct km_child *c, int dir, uint32_t spi);
int km_update_sa(struct km *km, struct km_child *c,
                 const struct ipsec_addr *local, uint16_t local_port,
                 const struct ipsec_addr *remote, uint16_t remote_port);
int km_del_sa(struct km *km, struct fx_sa *s, int reason);
void km_flush_sas(struct km *km);
size_t km_dump_sas(struct km *km, int dir);
int km_add_policy(struct km *km, const struct ipsec_policy *policy);
int km_del_policy(struct km *km, const struct ipsec_policy *policy);
void km_flush_policies(struct km *km);
uint32_t km_query_policy(struct km *km, const struct ipsec_flow *flow);
int km_bypass_socket(struct km *km, uint16_t port);

/* The steps of an exchange, in their order. Fail the test if they can't. */
void km_offer(struct km *km, struct km_child *c, struct km_msg *offer);
struct km_child *km_answer(struct km *km, const struct km_msg *offer,
                           struct km_msg *answer);
void km_install(struct km *km, struct km_child *c,
                const struct km_msg *answer);
void km_confirm(struct km *km, struct km_child *c, const struct km_msg *offer);

/* The old pair, once there is a new one: out goes now, in later. */
void km_retire(struct km *km, struct km_child *old);

/* The peer's DELETE, or ours: both SAs and the policy. */
void km_delete(struct km *km, struct km_child *c, int reason);

/* Time passes. */
void km_tick(struct km *km, uint32_t now);

struct km_child *km_child_new(struct km *km, uint32_t reqid,
                              const struct ipsec_selector *sel);
struct km_child *km_child_wanting(struct km *km);

/* `encr` and `integ` keys out of one string (RFC 4301 section 4.5.2). */
void km_cut(struct ipsec_keymat *km, const uint8_t *string);

#endif
