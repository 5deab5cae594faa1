/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "gateway.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ipsecgw(8): IPsec between two sides of this machine. */

#define FOLDER  "/var/lib/ipsecgw"
#define NUMBERS FOLDER "/numbers"
#define BURST   32 /* packets of one socket, before others have their turn */
#define MTU_MIN 576 /* below, ICMP isn't believed either */
#define NOTE_S  5  /* how often inbound numbers are noted */
#define FDS     (2 * IPSEC_LINUX_FDS + 1 + GATEWAY_CLIENTS)

static volatile sig_atomic_t stop, again;

static void
on_signal(int number)
{
    if (number == SIGHUP) {
        again = 1;
    } else {
        stop = 1;
    }
}

static const char usage[] =
    "usage: ipsecgw [-dnpv] [-a NUMBERS] [-l ADDRESS]...\n"
    "               {-r RED -b BLACK [-M MTU] [-o OWN/BITS]...\n"
    "                [-g [NET/BITS,]ROUTER]... [-s SOCKET] -f FILE}...\n"
    "       ipsecgw -c SOCKET [-w] [COMMAND]...\n"
    "RED is tun:NAME, tap:NAME or packet:NAME; BLACK is raw, raw:NAME or\n"
    "packet:NAME. COMMAND is of setkey(8), or stats, table, esp_sa,\n"
    "dumpkeys, mtu; without one, they are read from standard input.\n";

static uint32_t
seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* it is always there */
    return (uint32_t)now.tv_sec;
}

/* --- the command line */

struct ask {
    const char *socket;
    int         every_second;
};

static int
add_ours(struct gateway *g, const char *text)
{
    if (g->ours_len == GATEWAY_OURS) {
        tell("ipsecgw: more than %d addresses\n", GATEWAY_OURS);
        return -1;
    }
    if (address_read(&g->ours[g->ours_len], text, 'l') != 0) {
        return -1;
    }
    g->ours_len++;
    return 0;
}

/* Of its own the bump needs a wire; and a router, an address to ask from. */
static int
check_own(const struct context *c)
{
    if ((c->hops.owns > 0 || c->hops.routes > 0) && c->black_spec != NULL &&
        c->black.kind != IPSEC_LINUX_PACKET) {
        tell("ipsecgw: -o and -g are for bumps: elsewhere the kernel has "
             "addresses and routes\n");
        return -1;
    }
    if (c->hops.routes > 0 && c->hops.owns == 0) {
        tell("ipsecgw: -g needs an address of its own, -o\n");
        return -1;
    }
    return 0;
}

static int
set_mtu(struct context *c, const char *text)
{
    char *end;
    unsigned long mtu = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || mtu < MTU_MIN ||
        mtu > IPSEC_LINUX_PACKET_MAX) {
        tell("ipsecgw: -M %s: not from %d to %d bytes\n", text, MTU_MIN,
             IPSEC_LINUX_PACKET_MAX);
        return -1;
    }
    c->mtu = (unsigned)mtu;
    return 0;
}

/* -f ends what belongs to a context. */
static int
end_context(struct gateway *g, const char *file)
{
    struct context *c = &g->context[g->contexts];

    c->file = file;
    if (!g->check_only && (c->red_spec == NULL || c->black_spec == NULL)) {
        tell("ipsecgw: -f %s needs -r and -b before it\n", file);
        return -1;
    }
    if ((c->red_spec != NULL &&
         (ipsec_linux_side_init(&c->red, c->red_spec) != 0 ||
          c->red.kind == IPSEC_LINUX_RAW)) ||
        (c->black_spec != NULL &&
         (ipsec_linux_side_init(&c->black, c->black_spec) != 0 ||
          c->black.kind < IPSEC_LINUX_PACKET)) ||
        (c->red_spec != NULL && c->black_spec != NULL &&
         (c->red.kind == IPSEC_LINUX_TUN) !=
         (c->black.kind == IPSEC_LINUX_RAW))) {
        tell("ipsecgw: -r %s -b %s: no such placement: see the manual\n",
             c->red_spec != NULL ? c->red_spec : "",
             c->black_spec != NULL ? c->black_spec : "");
        return -1;
    }
    if (check_own(c) != 0) {
        return -1;
    }
    if (c->mtu != 0) {
        c->black.mtu = c->black.mtu_most = c->mtu;
    }
    if (++g->contexts == GATEWAY_CONTEXTS) {
        tell("ipsecgw: %d files or more\n", GATEWAY_CONTEXTS);
        return -1;
    }
    return 0;
}

/* What stands behind the last -f would be nobody's. */
static int
is_left_over(const struct context *c)
{
    if (c->red_spec == NULL && c->black_spec == NULL && c->socket == NULL &&
        c->hops.owns == 0 && c->hops.routes == 0 && c->mtu == 0) {
        return 0;
    }
    tell("ipsecgw: -r, -b, -o, -g, -M and -s belong to the -f behind them: "
         "there is none\n");
    return 1;
}

static int
read_option(struct gateway *g, struct ask *ask, int option)
{
    struct context *c = &g->context[g->contexts];

    switch (option) {
    case 'a':
        g->numbers = optarg;
        return 0;
    case 'b':
        c->black_spec = optarg;
        return 0;
    case 'c':
        ask->socket = optarg;
        return 0;
    case 'd':
        g->drop_frames = 1;
        return 0;
    case 'f':
        return end_context(g, optarg);
    case 'g':
        return address_route(&c->hops, optarg);
    case 'l':
        return add_ours(g, optarg);
    case 'M':
        return set_mtu(c, optarg);
    case 'n':
        g->check_only = 1;
        return 0;
    case 'o':
        return address_own(&c->hops, optarg);
    case 'p':
        g->plain = 1;
        return 0;
    case 'r':
        c->red_spec = optarg;
        return 0;
    case 's':
        c->socket = optarg;
        return 0;
    case 'v':
        g->verbose = 1;
        return 0;
    case 'w':
        ask->every_second = 1;
        return 0;
    default:
        tell("%s", usage);
        return -1;
    }
}

static void
contexts_init(struct gateway *g)
{
    size_t i, k;

    for (i = 0; i < GATEWAY_CONTEXTS; i++) {
        struct context *c = &g->context[i];

        c->gateway = g;
        c->listener = -1;
        (void)ipsec_linux_side_init(&c->red, "raw");
        (void)ipsec_linux_side_init(&c->black, "raw");
        for (k = 0; k < GATEWAY_CLIENTS; k++) {
            c->client[k].fd = -1;
        }
    }
}

/* --- the loop */

static size_t
side_poll_set(const struct ipsec_linux_side *side, struct pollfd *fds)
{
    size_t i;

    for (i = 0; i < IPSEC_LINUX_FDS; i++) {
        fds[i].fd = side->fd[i];
        fds[i].events = POLLIN;
        fds[i].revents = 0;
    }
    return IPSEC_LINUX_FDS;
}

static void
side_poll(struct context *c, struct ipsec_linux_side *side,
          const struct pollfd *fds)
{
    unsigned i;

    for (i = 0; i < IPSEC_LINUX_FDS; i++) {
        if (fds[i].fd >= 0 && fds[i].fd == side->fd[i] &&
            fds[i].revents != 0) {
            ipsec_linux_poll(&c->port, side, i, BURST);
        }
    }
}

/* Sets, or uses, its part of `fds`. */
static size_t
context_poll_set(struct context *c, struct pollfd *fds)
{
    size_t n = side_poll_set(&c->red, fds);

    n += side_poll_set(&c->black, fds + n);
    return n + control_poll_set(c, fds + n);
}

static void
context_poll(struct context *c, const struct pollfd *fds, size_t n)
{
    size_t sides = 2 * (size_t)IPSEC_LINUX_FDS;

    side_poll(c, &c->red, fds);
    side_poll(c, &c->black, fds + IPSEC_LINUX_FDS);
    base_poll(&c->base);
    control_poll(c, fds + sides, n - sides);
}

static void
each_second(struct gateway *g)
{
    uint32_t now = seconds();
    size_t i;

    if (now == g->last_second) {
        return;
    }
    g->last_second = now;
    g->audits = 0;
    gateway_addresses(g);
    for (i = 0; i < g->contexts; i++) {
        context_second(&g->context[i]);
        if (now - g->last_note >= NOTE_S) {
            base_note(&g->context[i].base);
        }
    }
    if (now - g->last_note >= NOTE_S) {
        g->last_note = now;
    }
}

/* An address has come or gone: what it says is read anew. */
static void
news_poll(struct gateway *g, const struct pollfd *fd)
{
    char some[4096];

    if (fd->revents == 0) {
        return;
    }
    while (read(g->news, some, sizeof some) > 0) {
    }
    gateway_addresses(g);
}

static void
reload(struct gateway *g)
{
    size_t i;

    for (i = 0; again && i < g->contexts; i++) {
        context_reload(&g->context[i]);
    }
    again = 0;
}

static void
loop(struct gateway *g, const sigset_t *open)
{
    static const struct timespec second = { 1, 0 };
    struct pollfd fds[1 + GATEWAY_CONTEXTS * FDS];
    size_t i, n, part[GATEWAY_CONTEXTS] = { 0 };

    fds[0].fd = g->news;
    fds[0].events = POLLIN;
    while (!stop) {
        for (i = 0, n = 1; i < g->contexts; i++) {
            part[i] = context_poll_set(&g->context[i], fds + n);
            n += part[i];
        }
        if (ppoll(fds, n, &second, open) > 0) {
            news_poll(g, &fds[0]);
            for (i = 0, n = 1; i < g->contexts; i++) {
                context_poll(&g->context[i], fds + n, part[i]);
                n += part[i];
            }
        }
        each_second(g);
        reload(g);
    }
}

/* --- from begin to end */

/* Signals come while it waits, and at no other time. */
static void
catch_signals(sigset_t *open)
{
    static const int caught[] = { SIGTERM, SIGINT, SIGHUP };
    struct sigaction action;
    sigset_t closed;
    size_t i;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&closed);
    for (i = 0; i < sizeof caught / sizeof caught[0]; i++) {
        sigaction(caught[i], &action, NULL);
        sigaddset(&closed, caught[i]);
    }
    sigprocmask(SIG_BLOCK, &closed, open);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

static int
open_numbers(struct gateway *g)
{
    int rc;

    if (g->numbers == NULL) {
        (void)mkdir(FOLDER, 0700);
        g->numbers = NUMBERS;
    }
    rc = ipsec_linux_store_open(&g->store, g->numbers);
    if (rc > 0) {
        tell("%s:%d:1: can't be read: which numbers its keys have used is not "
             "known, so they may not be used again\n", g->numbers, rc);
    } else if (rc < 0) {
        tell("%s: %s\n", g->numbers, errno == EWOULDBLOCK
             ? "in use by another ipsecgw" : strerror(errno));
    }
    return rc;
}

static int
run(struct gateway *g)
{
    sigset_t open;
    size_t i;
    int rc = 0;

    g->last_second = seconds();
    g->last_note = g->last_second;
    g->news = address_news();
    gateway_addresses(g);
    if (!g->check_only && open_numbers(g) != 0) {
        return 1;
    }
    catch_signals(&open);
    for (i = 0; i < g->contexts && rc == 0; i++) {
        rc = context_begin(&g->context[i]);
    }
    if (rc == 0 && !g->check_only) {
        loop(g, &open);
    }
    for (i = 0; i < g->contexts; i++) {
        context_end(&g->context[i]);
    }
    ipsec_linux_store_close(&g->store);
    if (g->news >= 0) {
        close(g->news);
    }
    free(g->host);
    return rc == 0 ? 0 : 1;
}

/* All of standard input: 0, or -1: half a list is none. */
static int
read_input(struct text *text)
{
    char some[4096];
    size_t n;

    while ((n = fread(some, 1, sizeof some - 1, stdin)) > 0) {
        some[n] = '\0';
        if (strlen(some) != n) {
            tell("ipsecgw: standard input: a control character (0)\n");
            return -1;
        }
        text_add(text, "%s", some);
    }
    explicit_bzero(some, sizeof some);
    if (ferror(stdin)) {
        tell("ipsecgw: standard input: %s\n", strerror(errno));
        return -1;
    }
    return 0;
}

/* Commands as words, or from standard input; each word ends one, unless it
 * says so itself. */
static int
ask_all(const struct ask *ask, int argc, char **argv)
{
    struct text text;
    int i, rc = 0;

    memset(&text, 0, sizeof text);
    for (i = 0; i < argc; i++) {
        size_t len = strlen(argv[i]);

        text_add(&text, "%s%s\n", argv[i],
                 len > 0 && argv[i][len - 1] == ';' ? "" : ";");
    }
    if (argc == 0) {
        rc = read_input(&text);
    }
    if (text.failed) {
        tell("ipsecgw: no memory\n");
    }
    rc = rc != 0 || text.failed ? 1
        : control_ask(ask->socket, text.text != NULL ? text.text : "",
                      ask->every_second);
    text_free(&text);
    return rc;
}

int
main(int argc, char **argv)
{
    static struct gateway gateway;
    struct ask ask = { NULL, 0 };
    int option;

    contexts_init(&gateway);
    while ((option = getopt(argc, argv,
                            "a:b:c:df:g:l:M:no:pr:s:vw")) != -1) {
        if (read_option(&gateway, &ask, option) != 0) {
            return 2;
        }
    }
    if (is_left_over(&gateway.context[gateway.contexts])) {
        return 2;
    }
    if (ask.socket != NULL) {
        return ask_all(&ask, argc - optind, argv + optind);
    }
    if (gateway.contexts == 0 || optind != argc) {
        tell("%s", usage);
        return 2;
    }
    return run(&gateway);
}
