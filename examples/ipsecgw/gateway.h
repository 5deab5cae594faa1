/* SPDX-License-Identifier: MIT */
#ifndef EXAMPLES_GATEWAY_H
#define EXAMPLES_GATEWAY_H

#include "base.h"

#include <poll.h>

/* The program round the databases: its contexts, files, sockets and loop. */

#define GATEWAY_CONTEXTS 16
#define GATEWAY_CLIENTS  4
#define GATEWAY_OURS     16

/** Who talks over the control socket. */
struct client {
    int         fd;
    struct text in, out;
    size_t      sent;
    int         answered;
    unsigned    heard;              /**< when, of context.turns */
};

/** An SPD, a SAD and the two sides between which they are. */
struct context {
    const char             *file;
    const char             *socket;   /**< or NULL */
    const char             *red_spec, *black_spec;
    unsigned                mtu;      /**< -M, or 0 */
    struct ipsec_linux_side red, black;
    struct ipsec_linux      port;
    struct ipsec_linux_hops hops;         /**< -o, -g */
    struct base             base;
    struct base_env         env;
    struct gateway         *gateway;
    int                     listener;
    struct client           client[GATEWAY_CLIENTS];
    unsigned                turns;
};

struct gateway {
    struct context           context[GATEWAY_CONTEXTS];
    size_t                   contexts;
    struct ipsec_addr        ours[GATEWAY_OURS]; /**< -l */
    size_t                   ours_len;
    struct ipsec_addr       *host;    /**< of the interfaces */
    size_t                   host_len, host_room;
    uint64_t                 ours_bits; /**< one set for each of both */
    int                      news;    /**< of addresses: a netlink socket */
    const char              *numbers; /**< path of the store */
    struct ipsec_linux_store store;
    int                      drop_frames, plain, verbose, check_only;
    uint32_t                 last_second, last_note, audits;
};

/* load.c: a whole text at once. */

/** Words of ours, beside setkey's. */
extern const char *const gateway_words[];

/** All of `text`, or an error. The commands are malloc()ed. */
int load_text(const char *text, size_t len, struct setkey_command **cmds,
              size_t *n, struct setkey_error *error);
void load_free(struct setkey_command *cmds, size_t n);

/** A file, with messages to stderr. It may not be readable by everybody if
 * there are keys in it. */
int load_file(const char *path, struct setkey_command **cmds, size_t *n);

/* address.c: which addresses are ours. */
int  address_news(void); /**< a socket that is readable after a change, or -1 */
void gateway_addresses(struct gateway *g);
void address_index(struct gateway *g); /**< both lists have changed */
int  address_is_ours(const struct gateway *g, const struct ipsec_addr *addr);

/** Of the command line. 0, or -1: said why. */
int  address_read(struct ipsec_addr *addr, const char *text, char option);
int  address_own(struct ipsec_linux_hops *hops, const char *text);
int  address_route(struct ipsec_linux_hops *hops, const char *text);

/* context.c */
int  context_begin(struct context *c);
void context_end(struct context *c);
void context_second(struct context *c);
void context_reload(struct context *c); /**< its file, all of it or nothing */
void context_report(const struct context *c, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* control.c: the socket. */
int  control_open(struct context *c);
void control_close(struct context *c);
size_t control_poll_set(struct context *c, struct pollfd *fds);
void control_poll(struct context *c, const struct pollfd *fds, size_t n);

/** The other end: send `text`, print the answer. The exit status. */
int control_ask(const char *path, const char *text, int every_second);

#endif
