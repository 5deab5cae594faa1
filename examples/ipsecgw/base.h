/* SPDX-License-Identifier: MIT */
#ifndef EXAMPLES_BASE_H
#define EXAMPLES_BASE_H

#include "ipsec_linux.h"
#include "setkey.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

/*
 * One SPD and one SAD, as setkey's commands make them: what was said is kept
 * beside each object of the library, to be shown again, and to try a list of
 * commands on a copy before any of it takes effect.
 *
 * How setkey's terms are mapped to the library's:
 *
 *  - An SA has no direction there. Here it is outbound if its source is ours
 *    and inbound if its destination is; both or neither is refused.
 *  - `-m any` is tunnel mode if a policy names a tunnel between the same two
 *    addresses, and transport mode otherwise.
 *  - A policy finds its SAs by protocol, mode, the two addresses and the
 *    identifier. The library has one number for that, the reqid: a "class" is
 *    given one when it is first named.
 *  - `require` without an identifier takes the SA of these addresses whatever
 *    its -u; that is settled when the policy is added.
 *  - `fwd` is checked as `in` is, for all that the tunnel delivers.
 *  - Of the layers the first is the innermost, as in setkey.
 */

/** Text that grows. `text` may be NULL. */
struct text {
    char  *text;
    size_t len, room;
    int    failed;
};

void text_add(struct text *t, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
void text_free(struct text *t);

/** To stderr. Where that fails, there is nobody to tell. */
void tell(const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 1, 2)))
#endif
    ;

/* What a base asks of the program round it. */
struct base_env {
    int  (*is_ours)(void *user, const struct ipsec_addr *addr);
    void (*log)(void *user, const char *text);
    void (*other)(void *user, unsigned which, struct text *out); /**< commands
                                       *   that aren't setkey's; or NULL */
    int  (*refuse)(void *user, const struct setkey_command *add, int dir,
                   struct setkey_error *error); /**< what there is against an
                                       *   SA: 0, or -1 and why; or NULL */
    void  *user;
    const struct ipsec_crypto *crypto;
    struct ipsec_linux_store  *store; /**< or NULL: numbers are made up, as for
                                       *   a copy that carries no packet */
    uint16_t                   mtu;   /**< of the black side */
};

/* base_index.c: tables by hash. Zeroed: empty. */
struct base_link {
    struct base_link *next;
    uint64_t          hash;
    const void       *of;             /**< NULL: in no table */
};

struct base_index {
    struct base_link **bucket;
    size_t             len, used;
};

#define BASE_HASH UINT64_C(0xcbf29ce484222325) /**< to begin with */
uint64_t base_hash(uint64_t hash, const void *bytes, size_t len);

/** 0, or -1: no memory. */
int  base_index_add(struct base_index *index, struct base_link *link,
                    uint64_t hash, const void *of);
void base_index_remove(struct base_index *index, const struct base_link *link);
void base_index_free(struct base_index *index);

/** Those with this hash, which may be others: the newest first. */
struct base_link *base_index_first(const struct base_index *index,
                                   uint64_t hash);
struct base_link *base_index_next(const struct base_link *link);

#define BASE_DUE       1
#define BASE_UNWRITTEN 2

struct base_sa {
    struct base_sa       *next, **at; /**< what points at it */
    struct base_link      by_key, by_ends;
    struct ipsec_sa       sa;
    struct ipsec_lifetime life;
    struct setkey_sa      said;
    struct ipsec_linux_number *number; /**< or NULL */
    uint64_t              step;       /**< of the last reservation */
    uint32_t              reserved;   /**< when */
    uint8_t               due;        /**< BASE_DUE, or reserved, and not yet
                                       *   on the disk */
    uint8_t               ended;      /**< to be removed */
    time_t                added;
    void                 *key;
    uint32_t             *window;
};

struct base_policy {
    struct base_policy   *next, **at;
    struct base_link      by_selector;
    struct base_link      by_tunnel[SETKEY_LAYERS];
    struct ipsec_policy   policy[SETKEY_LAYERS]; /**< [0] is in the SPD */
    struct setkey_policy  said;
    unsigned              id;
    time_t                added;
};

/** Compared as bytes. */
struct base_ends {
    struct ipsec_addr src, dst;
    uint8_t           proto, mode;
    uint32_t          id;
};

struct base_class {
    struct base_link   link;
    struct base_class *next;
    struct base_ends   ends;
    uint32_t           reqid;
};

#define BASE_FRAGS   64
#define BASE_BUCKETS 4096 /* of the SAD: chains of few for some 10,000 */
#define BASE_PLACES 16384 /* of the SPD, where each shape is a look */
#define BASE_TUPLES  64   /* shapes of policies */

struct base {
    struct ipsec           ips;
    struct ipsec_config    cfg;
    struct ipsec_frag      frag;
    struct ipsec_frag_slot frag_slot[BASE_FRAGS];
    const struct base_env *env;
    struct ipsec_spd_index spd;
    struct ipsec_policy   *spd_bucket[BASE_PLACES];
    struct ipsec_tuple     spd_tuple[BASE_TUPLES];
    struct ipsec_sad_bucket sad[BASE_BUCKETS];
    struct base_sa        *sas, **sas_end;
    struct base_policy    *policies, **policies_end;
    struct base_class     *classes;
    struct base_index      by_key, by_ends, by_selector, by_tunnel, by_class;
    struct base_index      said;      /**< tunnels of what is being applied */
    unsigned               next_id;
    int                    reap;      /**< there are SAs that ended */
    int                    due;       /**< ... or reservations due */
    int                    failed;    /**< the disk did, */
    uint32_t               failed_at; /**< then */
};

/** 0, or -1: random numbers. */
int base_init(struct base *base, const struct base_env *env);
void base_free(struct base *base);

/**
 * Do all of `cmds`, or none: then 0 is not the result, and `error` says which
 * and why. What get, dump and spddump print is in `out`.
 */
int base_apply(struct base *base, const struct setkey_command *cmds, size_t n,
               struct text *out, struct setkey_error *error);

/** Write reservations that are due, remove SAs that ended. After each round
 * of packets. */
void base_poll(struct base *base);

/** env->mtu has changed: mtu.c. */
void base_mtu_set(struct base *base);

/** With ipsec_tick(): SAs that end by their time. */
void base_second(struct base *base);

/** Note inbound windows, where they have moved. Now and then. */
void base_note(struct base *base);

/** The last numbers used, to the disk, so that nothing is lost: at the end. */
int base_settle(struct base *base);

/* base_policy.c */
int base_policy_add(struct base *base, const struct setkey_command *cmd,
                    struct setkey_error *error);
int base_policy_delete(struct base *base, const struct setkey_command *cmd,
                       struct setkey_error *error);
void base_policy_remove(struct base *base, struct base_policy *p);

/* base_number.c */
int base_number_prepare(struct base *base, const struct setkey_command *cmds,
                        size_t n, struct setkey_error *error);
void base_number_set(struct base *base, struct base_sa *s,
                     struct ipsec_sa_params *params);
void base_number_poll(struct base *base);
uint64_t base_numbers(const struct base_sa *s); /**< of its kind of SA */
int base_is_over(const struct base *base, const struct base_sa *s);
int base_is_counter_mode(const struct setkey_sa *said);

/* base_find.c */
int base_fail(struct setkey_error *error, struct setkey_pos at,
              const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
const struct base_sa *base_shares_key(const struct base *base,
                                      const struct setkey_sa *said);
int base_sa_index(struct base *base, struct base_sa *s);
uint64_t base_hash_tunnel(unsigned proto, const struct ipsec_addr *src,
                          const struct ipsec_addr *dst);
void base_classes_free(struct base *base);
int base_dir(const struct base *base, const struct setkey_sa *said,
             struct setkey_pos at, struct setkey_error *error);
uint8_t base_mode(const struct base *base, const struct setkey_sa *said);
uint32_t base_class_sa(struct base *base, const struct setkey_sa *said,
                       uint8_t mode);
uint32_t base_class_layer(struct base *base, const struct setkey_layer *l,
                          const struct ipsec_addr *src,
                          const struct ipsec_addr *dst);
const char *base_reason(int status);
const char *base_addr(const struct ipsec_addr *addr, char text[64]);

/* show.c: as setkey prints it. Keys only if `keys`. */
void show_sa(struct text *out, const struct base *base,
             const struct base_sa *s, int keys);
void show_policy(struct text *out, const struct base_policy *p);
void show_table(struct text *out, const struct base *base);
void show_counters(struct text *out, const struct base *base);
void show_esp_sa(struct text *out, const struct base *base);

/* mtu.c: how long packets of each policy may be. */
void show_mtu(struct text *out, const struct base *base);

#endif
