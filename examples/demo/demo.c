/*
 * The demo: starts device and gateway, hands out keys as a key daemon would,
 * has them do what IPsec is for, and judges what was seen.
 * SPDX-License-Identifier: MIT
 *
 * usage: demo DIRECTORY [key|policy|replay]
 *
 * Writes demo.pcap, demo.keys and demo.wireshark/ into DIRECTORY. Exits 0
 * only if all of it was seen to work. The second argument sabotages it.
 */
#define _POSIX_C_SOURCE 200809L

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "demo.h"

#define PATIENCE_MS 5000 /* for what ought to happen */
#define HASTE_MS    1000 /* ... once something has not */
#define LIMIT_S     40   /* for everything */
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

static const char *const role_name[DEMO_ROLES] = { "device", "gateway" };

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static void path_make(char *path, const char *dir, const char *name)
{
    if (snprintf(path, PATH_LEN, "%s/%s", dir, name) >= PATH_LEN) {
        (void)fprintf(stderr, "%s: too long\n", dir);
        exit(2);
    }
}

/* ------------------------------------------------------- orders, reports */

/* Any order is answered at once; what it sets going may take longer. */
static int obey(struct demo *d, int role, const struct demo_order *order)
{
    struct pollfd on = { d->control[role], POLLIN, 0 };

    if (send(on.fd, order, sizeof *order, MSG_NOSIGNAL) < 0 ||
        poll(&on, 1, PATIENCE_MS) != 1 ||
        recv(on.fd, &d->now[role], sizeof d->now[role], 0) !=
            (ssize_t)sizeof d->now[role]) {
        (void)fprintf(stderr, "demo: the %s does not answer\n",
                      role_name[role]);
        exit(2);
    }
    return d->now[role].status;
}

static int tell(struct demo *d, int role, int verb, int version, size_t take)
{
    struct demo_order order;

    memset(&order, 0, sizeof order);
    order.verb = verb;
    order.version = version;
    order.take = take;
    return obey(d, role, &order);
}

static void ask(struct demo *d)
{
    (void)tell(d, DEMO_DEVICE, DEMO_REPORT, 0, 0);
    (void)tell(d, DEMO_GATEWAY, DEMO_REPORT, 0, 0);
}

/* Wait until `seen` says so. */
static int wait_for(struct demo *d, int (*seen)(const struct demo *d))
{
    const struct timespec moment = { 0, 2000000 };
    int n;

    for (n = 0; n < d->patience; n += 2) {
        ask(d);
        if (seen(d)) {
            return 1;
        }
        (void)nanosleep(&moment, NULL);
    }
    d->patience = HASTE_MS;
    return 0;
}

static void detail(struct demo *d, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(d->detail, sizeof d->detail, format, args);
    va_end(args);
}

/* What was dropped meanwhile, for the reader of a failure. */
static void add_drops(struct demo *d)
{
    int role, n;

    for (role = 0; role < DEMO_ROLES; role++) {
        for (n = 1; n < IPSEC_DROP_COUNT; n++) {
            size_t drops = d->now[role].stats.in_drop[n] -
                           d->before[role].stats.in_drop[n];
            size_t at = strlen(d->detail);

            if (drops > 0) {
                (void)snprintf(d->detail + at, sizeof d->detail - at,
                               "\n      (the %s dropped %zu: %s)",
                               role_name[role], drops, ipsec_status_str(-n));
            }
        }
    }
}

/* ------------------------------------------------------------------ SAs */

static void fill(void *buf, size_t len)
{
    if (getrandom(buf, len, 0) != (ssize_t)len) {
        die("getrandom");
    }
}

static struct demo_sa *sa_make(struct demo *d, uint32_t reqid, int from,
                               enum demo_cipher cipher)
{
    struct demo_sa *sa = &d->sa[d->sas++];

    fill(sa, sizeof *sa);
    sa->spi |= 0x10000000; /* 0 to 255 are reserved */
    sa->reqid = reqid;
    sa->from = (uint8_t)from;
    sa->cipher = (uint8_t)cipher;
    sa->flags = 0;
    return sa;
}

static int sa_tell(struct demo *d, int role, int verb,
                   const struct demo_sa *sa)
{
    struct demo_order order;

    memset(&order, 0, sizeof order);
    order.verb = verb;
    order.sa = *sa;
    if (role == DEMO_GATEWAY && d->sabotage == SABOTAGE_KEY &&
        sa->reqid == DEMO_TUNNEL4) {
        order.sa.key[0] ^= 1;
    }
    if (role == DEMO_GATEWAY && d->sabotage == SABOTAGE_REPLAY &&
        sa->from == DEMO_DEVICE) {
        order.sa.flags |= IPSEC_SA_NO_REPLAY;
    }
    return obey(d, role, &order);
}

/* A pair, both ways, at both ends. */
static void sa_pair(struct demo *d, uint32_t reqid, enum demo_cipher cipher)
{
    int from;

    for (from = 0; from < DEMO_ROLES; from++) {
        struct demo_sa *sa = sa_make(d, reqid, from, cipher);
        int status = sa_tell(d, 1 - from, DEMO_ADD, sa);

        if (status == IPSEC_OK) {
            status = sa_tell(d, from, DEMO_ADD, sa);
        }
        if (status != IPSEC_OK) {
            (void)fprintf(stderr, "demo: SA refused: %s\n",
                          ipsec_status_str(status));
            exit(2);
        }
        d->newest[from][reqid] = sa;
    }
}

/* How many packets, or bytes, the SA's receiver has opened. */
static const struct ipsec_sa *received(const struct demo_report *report,
                                       const struct demo_sa *sa)
{
    static const struct ipsec_sa none;
    const struct demo_report *at = &report[1 - sa->from];
    size_t n;

    for (n = 0; n < at->sas; n++) {
        if (at->sa[n].spi == sa->spi) {
            return &at->sa[n];
        }
    }
    return &none;
}

static size_t opened(const struct demo *d, const struct demo_sa *sa)
{
    return (size_t)(received(d->now, sa)->packets -
                    received(d->before, sa)->packets);
}

/* ---------------------------------------------------------------- steps */

static int seen_page(const struct demo *d)
{
    return d->now[DEMO_DEVICE].complete;
}

static int step_fetch(struct demo *d, int version, uint32_t reqid)
{
    const struct demo_sa *sa = d->newest[DEMO_GATEWAY][reqid];
    int ok;

    (void)tell(d, DEMO_DEVICE, DEMO_FETCH, version, DEMO_PAGE_LEN);
    ok = wait_for(d, seen_page) &&
         received(d->now, sa)->bytes >= DEMO_PAGE_LEN;
    detail(d, ok ? "%zu bytes in %zu packets"
                 : "the page (%zu bytes of it in %zu packets)",
           d->now[DEMO_DEVICE].fetched, opened(d, sa));
    return ok;
}

static int step_fetch4(struct demo *d)
{
    return step_fetch(d, 4, DEMO_TUNNEL4);
}

static int step_fetch6(struct demo *d)
{
    return step_fetch(d, 6, DEMO_TUNNEL6);
}

static int seen_pongs(const struct demo *d)
{
    return d->now[DEMO_DEVICE].pongs == DEMO_PINGS;
}

static int step_ping(struct demo *d, int version, uint32_t reqid)
{
    size_t there, back;
    int ok;

    (void)tell(d, DEMO_DEVICE, DEMO_PING, version, 0);
    ok = wait_for(d, seen_pongs);
    there = opened(d, d->newest[DEMO_DEVICE][reqid]);
    back = opened(d, d->newest[DEMO_GATEWAY][reqid]);
    detail(d, "%u of %d answers, %zu + %zu packets",
           d->now[DEMO_DEVICE].pongs, DEMO_PINGS, there, back);
    return ok && there == DEMO_PINGS && back == DEMO_PINGS;
}

static int step_ping4(struct demo *d)
{
    return step_ping(d, 4, DEMO_PING4);
}

static int step_ping6(struct demo *d)
{
    return step_ping(d, 6, DEMO_PING6);
}

static unsigned turns(const struct demo *d, int role)
{
    return d->now[role].valve - d->before[role].valve;
}

static int seen_valve(const struct demo *d)
{
    return turns(d, DEMO_DEVICE) > 0;
}

static int step_valve(struct demo *d)
{
    int ok;

    (void)tell(d, DEMO_DEVICE, DEMO_VALVE, 4, 0);
    ok = wait_for(d, seen_valve) && turns(d, DEMO_GATEWAY) == 1;
    detail(d, ok ? "opened once, and answered"
                 : "the valve open once and the answer (%u, %u)",
           turns(d, DEMO_GATEWAY), turns(d, DEMO_DEVICE));
    return ok;
}

static size_t dropped(const struct demo *d, int role, int status)
{
    return d->now[role].stats.in_drop[-status] -
           d->before[role].stats.in_drop[-status];
}

static int seen_clear(const struct demo *d)
{
    return dropped(d, DEMO_GATEWAY, IPSEC_ERR_UNPROTECTED) +
           turns(d, DEMO_GATEWAY) >= 2;
}

static int step_clear(struct demo *d)
{
    int ok = attacker_clear(d->path[DEMO_GATEWAY], 4) == 0 &&
             attacker_clear(d->path[DEMO_GATEWAY], 6) == 0 &&
             wait_for(d, seen_clear);
    size_t drops = dropped(d, DEMO_GATEWAY, IPSEC_ERR_UNPROTECTED);

    if (ok && drops == 2 && turns(d, DEMO_GATEWAY) == 0) {
        detail(d, "2 of 2 dropped: UNPROTECTED");
        return 1;
    }
    detail(d, "orders in clear dropped (%zu of 2; valve opened %u times)",
           drops, turns(d, DEMO_GATEWAY));
    return 0;
}

static int replayed; /* how many packets the attacker sent again */

static int seen_replay(const struct demo *d)
{
    return dropped(d, DEMO_GATEWAY, IPSEC_ERR_REPLAY) >= (size_t)replayed ||
           turns(d, DEMO_GATEWAY) > 0;
}

static int step_replay(struct demo *d)
{
    const struct demo_sa *sa = d->newest[DEMO_DEVICE][DEMO_TUNNEL4];
    size_t drops;

    replayed = attacker_replay(d->path[DEMO_GATEWAY], d->pcap, sa->spi);
    (void)wait_for(d, seen_replay);
    drops = dropped(d, DEMO_GATEWAY, IPSEC_ERR_REPLAY);
    if (replayed > 0 && drops == (size_t)replayed &&
        opened(d, sa) == 0 && turns(d, DEMO_GATEWAY) == 0) {
        detail(d, "%zu of %d dropped: REPLAY", drops, replayed);
        return 1;
    }
    detail(d, "replayed packets dropped (%zu of %d; valve opened %u times)",
           drops, replayed, turns(d, DEMO_GATEWAY));
    return 0;
}

/* ----------------------------------------- the SAs replaced in mid-transfer */

#define CHUNK (DEMO_PAGE_LEN / 10)

static int seen_chunk(const struct demo *d)
{
    return d->now[DEMO_DEVICE].fetched >= CHUNK;
}

static int seen_new(const struct demo *d)
{
    return opened(d, d->newest[DEMO_DEVICE][DEMO_TUNNEL4]) > 0 &&
           opened(d, d->newest[DEMO_GATEWAY][DEMO_TUNNEL4]) > 0;
}

static void go_on(struct demo *d)
{
    (void)tell(d, DEMO_DEVICE, DEMO_TAKE, 0, CHUNK);
}

/* First all new SAs, so that nobody ever lacks one; then, when both sides
 * have been heard over those, away with the old ones. Meanwhile the page
 * comes in, a part at a time. */
static int replace(struct demo *d)
{
    const struct demo_sa *old[DEMO_ROLES];
    int from;

    for (from = 0; from < DEMO_ROLES; from++) {
        old[from] = d->newest[from][DEMO_TUNNEL4];
    }
    go_on(d);
    sa_pair(d, DEMO_TUNNEL4, DEMO_AES_256_GCM);
    go_on(d);
    if (!wait_for(d, seen_new)) {
        return 0;
    }
    for (from = 0; from < DEMO_ROLES; from++) {
        go_on(d);
        if (sa_tell(d, from, DEMO_REMOVE, old[from]) != IPSEC_OK ||
            sa_tell(d, 1 - from, DEMO_REMOVE, old[from]) != IPSEC_OK) {
            return 0;
        }
    }
    return 1;
}

/* Drops of any kind but of what policy discards, in and out. */
static size_t lost(const struct demo *d)
{
    size_t sum = 0;
    int role, n;

    for (role = 0; role < DEMO_ROLES; role++) {
        const struct ipsec_stats *now = &d->now[role].stats;
        const struct ipsec_stats *was = &d->before[role].stats;

        for (n = 1; n < IPSEC_DROP_COUNT; n++) {
            if (n != -IPSEC_ERR_DISCARD) {
                sum += now->in_drop[n] - was->in_drop[n] +
                       now->out_drop[n] - was->out_drop[n];
            }
        }
    }
    return sum;
}

static int step_replace(struct demo *d)
{
    size_t at;
    int ok;

    (void)tell(d, DEMO_DEVICE, DEMO_FETCH, 4, 2 * CHUNK);
    ok = wait_for(d, seen_chunk) && replace(d);
    ask(d);
    at = d->now[DEMO_DEVICE].fetched;
    (void)tell(d, DEMO_DEVICE, DEMO_TAKE, 0, DEMO_PAGE_LEN);
    ok = ok && at < DEMO_PAGE_LEN && wait_for(d, seen_page) && lost(d) == 0;
    detail(d, ok ? "new keys by byte %zu, no packet lost"
                 : "the page whole over two SA pairs (replaced at byte %zu)",
           at);
    return ok;
}

/* ------------------------------------------------------- looking back */

static int seen_balance(const struct demo *d)
{
    const struct ipsec_stats *device = &d->now[DEMO_DEVICE].stats;
    const struct ipsec_stats *gateway = &d->now[DEMO_GATEWAY].stats;

    return device->out_protect == gateway->in_protect &&
           gateway->out_protect == device->in_protect;
}

static int step_balance(struct demo *d)
{
    int ok = wait_for(d, seen_balance);
    const struct ipsec_stats *device = &d->now[DEMO_DEVICE].stats;
    const struct ipsec_stats *gateway = &d->now[DEMO_GATEWAY].stats;

    detail(d, ok ? "%zu there, %zu back"
                 : "that: %zu there, %zu back; opened %zu, %zu",
           device->out_protect, gateway->out_protect, gateway->in_protect,
           device->in_protect);
    return ok;
}

static int step_look(struct demo *d)
{
    struct attacker_view view;
    int ok = attacker_look(d->pcap, &view) == 0 && view.esp > 0 &&
             view.readable == 0 && view.other == 0 &&
             view.valve == 2; /* his own */

    detail(d, ok ? "%zu ESP, %zu ARP, %zu neighbours"
                 : "that: %zu ESP, %zu ARP, %zu neighbours, %zu others, "
                   "%zu orders, %zu with text of the page",
           view.esp, view.arp, view.nd, view.other, view.valve,
           view.readable);
    return ok;
}

/* ---------------------------------------------------------------- story */

static const struct {
    const char *what;
    int       (*run)(struct demo *d);
} steps[] = {
    { "fetch a page through the IPv4 tunnel",   step_fetch4 },
    { "fetch it through the IPv6 tunnel",       step_fetch6 },
    { "ping in transport mode, IPv4",           step_ping4 },
    { "ping in transport mode, IPv6",           step_ping6 },
    { "open the valve, through the tunnel",     step_valve },
    { "attacker tells it to open, in clear",    step_clear },
    { "attacker replays what he recorded",      step_replay },
    { "replace the SAs while a page is coming", step_replace },
    { "what one side protects the other opens", step_balance },
    { "on the wire nothing else can be read",   step_look },
};

static int story(struct demo *d)
{
    size_t n, failed = 0;

    for (n = 0; n < sizeof steps / sizeof *steps; n++) {
        int ok;

        ask(d);
        memcpy(d->before, d->now, sizeof d->before);
        ok = steps[n].run(d);
        if (!ok) {
            add_drops(d);
        }
        print_step(steps[n].what, ok, d->detail);
        failed += !ok;
    }
    return failed == 0;
}

/* ------------------------------------------------- beginning and end */

static void start(struct demo *d, int role)
{
    struct demo_child child;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0) {
        die("socketpair");
    }
    (void)fflush(NULL);
    d->pid[role] = fork();
    if (d->pid[role] < 0) {
        die("fork");
    }
    if (d->pid[role] > 0) {
        (void)close(pair[1]);
        d->control[role] = pair[0];
        return;
    }
    (void)close(pair[0]);
    if (role == DEMO_GATEWAY) {
        (void)close(d->control[DEMO_DEVICE]);
    }
    child.control = pair[1];
    child.path = d->path[role];
    child.peer = d->path[1 - role];
    child.pcap = role == DEMO_GATEWAY ? d->pcap : NULL;
    child.sabotaged = role == DEMO_GATEWAY &&
                      d->sabotage == SABOTAGE_POLICY;
    exit(role == DEMO_DEVICE ? device_main(&child) : gateway_main(&child));
}

/* They also stop when this process ends in whatever way. */
static void stop(struct demo *d)
{
    struct demo_order order;
    int role;

    memset(&order, 0, sizeof order);
    order.verb = DEMO_STOP;
    for (role = 0; role < DEMO_ROLES; role++) {
        (void)send(d->control[role], &order, sizeof order, MSG_NOSIGNAL);
        (void)close(d->control[role]);
        (void)waitpid(d->pid[role], NULL, 0);
    }
    (void)rmdir(d->dir);
}

static void begin(struct demo *d, const char *out)
{
    const char *tmp = getenv("TMPDIR");
    int role;

    path_make(d->dir, tmp != NULL ? tmp : "/tmp", "ipsec-demo.XXXXXX");
    if (mkdtemp(d->dir) == NULL) {
        die(d->dir);
    }
    path_make(d->pcap, out, "demo.pcap");
    path_make(d->keys, out, "demo.keys");
    path_make(d->shark, out, "demo.wireshark");
    for (role = 0; role < DEMO_ROLES; role++) {
        path_make(d->path[role], d->dir, role_name[role]);
    }
    start(d, DEMO_DEVICE);
    start(d, DEMO_GATEWAY);
    sa_pair(d, DEMO_TUNNEL4, DEMO_AES_128_GCM);
    sa_pair(d, DEMO_TUNNEL6, DEMO_AES_128_CBC);
    sa_pair(d, DEMO_PING4, DEMO_CHACHA20);
    sa_pair(d, DEMO_PING6, DEMO_AES_256_GCM);
    (void)tell(d, DEMO_GATEWAY, DEMO_UP, 0, 0);
    (void)tell(d, DEMO_DEVICE, DEMO_UP, 0, 0);
}

/* Wireshark takes a directory for its settings: with the key table in it,
 * one command opens the capture, and a person's own settings stay. */
static void write_keys(struct demo *d)
{
    char path[PATH_LEN];
    FILE *file;

    (void)mkdir(d->shark, 0777);
    path_make(path, d->shark, "esp_sa");
    if (print_keys(d->keys, d->sa, d->sas) != 0 ||
        print_keys(path, d->sa, d->sas) != 0) {
        die(d->keys);
    }
    path_make(path, d->shark, "preferences");
    file = fopen(path, "w");
    if (file == NULL) {
        die(path);
    }
    (void)fputs("esp.enable_encryption_decode: TRUE\n"
                "esp.enable_authentication_check: TRUE\n", file);
    (void)fclose(file);
}

static void look_closer(const struct demo *d)
{
    printf("\nThe capture is %s, its keys are %s. To look inside:\n"
           "  WIRESHARK_CONFIG_DIR=%s wireshark %s\n",
           d->pcap, d->keys, d->shark, d->pcap);
}

static int usage(void)
{
    (void)fputs("usage: demo DIRECTORY [key|policy|replay]\n"
                "       make demo [SABOTAGE=key|policy|replay]\n", stderr);
    return 2;
}

static int parse(struct demo *d, const char *word)
{
    static const char *const words[] = { "", "key", "policy", "replay" };
    int n;

    for (n = 0; n < 4; n++) {
        if (strcmp(word, words[n]) == 0) {
            d->sabotage = (enum sabotage)n;
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct demo d;
    int ok;

    if (argc < 2 || argc > 3 || !parse(&d, argc == 3 ? argv[2] : "")) {
        return usage();
    }
    d.patience = PATIENCE_MS;
    (void)alarm(LIMIT_S);
    print_scene();
    begin(&d, argv[1]);
    ok = story(&d);
    ask(&d);
    print_policies(&d.now[DEMO_GATEWAY]);
    print_sas(d.now, d.sa, d.sas);
    print_packets(d.now);
    write_keys(&d);
    stop(&d);
    look_closer(&d);
    printf("\n%s\n", ok ? "All of it was seen to work."
                        : "FAILED: not all of it was seen to work.");
    return ok ? 0 : 1;
}
