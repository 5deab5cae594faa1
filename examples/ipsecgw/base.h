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

#define BASE_DUE       1
#define BASE_UNWRITTEN 2

struct base_sa {
    struct base_sa       *next;
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
    struct base_policy   *next;
    struct ipsec_policy   policy[SETKEY_LAYERS]; /**< [0] is in the SPD */
    struct setkey_policy  said;
    unsigned              id;
    time_t                added;
};

struct base_class {
    struct ipsec_addr src, dst;
    uint8_t           proto, mode;
    uint32_t          id;
};

#define BASE_FRAGS 64

struct base {
    struct ipsec           ips;
    struct ipsec_config    cfg;
    struct ipsec_frag      frag;
    struct ipsec_frag_slot frag_slot[BASE_FRAGS];
    const struct base_env *env;
    struct base_sa        *sas;
    struct base_policy    *policies;
    struct base_class     *classes;   /**< reqid is the index + 1 */
    size_t                 class_len, class_room;
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

/** Note inbound windows, where they have moved. Now and then. */
void base_note(struct base *base);

/** The last numbers used, to the disk, so that nothing is lost: at the end. */
int base_settle(struct base *base);

/* base_policy.c */
int base_policy_add(struct base *base, const struct setkey_command *cmd,
                    struct setkey_error *error);
int base_policy_delete(struct base *base, const struct setkey_command *cmd,
                       struct setkey_error *error);
void base_policy_remove(struct base *base, struct base_policy **at);

/* base_number.c */
int base_number_prepare(struct base *base, const struct setkey_command *cmds,
                        size_t n, struct setkey_error *error);
void base_number_set(struct base *base, struct base_sa *s,
                     struct ipsec_sa_params *params);
void base_number_poll(struct base *base);
uint64_t base_numbers(const struct base_sa *s); /**< of its kind of SA */
int base_is_over(const struct base *base, const struct base_sa *s);

/* base_find.c */
int base_fail(struct setkey_error *error, struct setkey_pos at,
              const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
const struct base_sa *base_shares_key(const struct base *base,
                                      const struct setkey_sa *said);
int base_dir(const struct base *base, const struct setkey_sa *said,
             struct setkey_pos at, struct setkey_error *error);
uint8_t base_mode(const struct base *base, const struct setkey_sa *said,
                  const struct setkey_command *cmds, size_t n);
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
