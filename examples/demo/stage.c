/*
 * The demo: its processes, the orders they get, and the keys they are given.
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L

#include "stage.h"

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 5000 /* for what ought to happen */
#define HASTE_MS    1000 /* ... once something has not */

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

int stage_tell(struct demo *d, int role, int verb, int version, size_t take)
{
    struct demo_order order;

    memset(&order, 0, sizeof order);
    order.verb = verb;
    order.version = version;
    order.take = take;
    return obey(d, role, &order);
}

void stage_ask(struct demo *d)
{
    (void)stage_tell(d, DEMO_DEVICE, DEMO_REPORT, 0, 0);
    (void)stage_tell(d, DEMO_GATEWAY, DEMO_REPORT, 0, 0);
}

/* Wait until `seen` says so. */
int stage_wait(struct demo *d, int (*seen)(const struct demo *d))
{
    const struct timespec moment = { 0, 2000000 };
    int n;

    for (n = 0; n < d->patience; n += 2) {
        stage_ask(d);
        if (seen(d)) {
            return 1;
        }
        (void)nanosleep(&moment, NULL);
    }
    d->patience = HASTE_MS;
    return 0;
}

void stage_detail(struct demo *d, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(d->detail, sizeof d->detail, format, args);
    va_end(args);
}

/* What was dropped meanwhile, for the reader of a failure. */
void stage_add_drops(struct demo *d)
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

int stage_sa_tell(struct demo *d, int role, int verb,
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
void stage_sa_pair(struct demo *d, uint32_t reqid, enum demo_cipher cipher)
{
    int from;

    for (from = 0; from < DEMO_ROLES; from++) {
        struct demo_sa *sa = sa_make(d, reqid, from, cipher);
        int status = stage_sa_tell(d, 1 - from, DEMO_ADD, sa);

        if (status == IPSEC_OK) {
            status = stage_sa_tell(d, from, DEMO_ADD, sa);
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
const struct ipsec_sa *stage_received(const struct demo_report *report,
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

size_t stage_opened(const struct demo *d, const struct demo_sa *sa)
{
    return (size_t)(stage_received(d->now, sa)->packets -
                    stage_received(d->before, sa)->packets);
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

/* They also stop when this process ends in whatever way. True if both came
 * to a good end. */
int stage_close(struct demo *d)
{
    struct demo_order order;
    int role, status, ok = 1;

    memset(&order, 0, sizeof order);
    order.verb = DEMO_STOP;
    for (role = 0; role < DEMO_ROLES; role++) {
        (void)send(d->control[role], &order, sizeof order, MSG_NOSIGNAL);
        (void)close(d->control[role]);
        if (waitpid(d->pid[role], &status, 0) < 0 || status != 0) {
            (void)fprintf(stderr, "demo: the %s ended badly\n",
                          role_name[role]);
            ok = 0;
        }
    }
    (void)rmdir(d->dir);
    return ok;
}

void stage_open(struct demo *d, const char *out)
{
    const char *tmp = getenv("TMPDIR");
    int role;

    d->patience = PATIENCE_MS;
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
    stage_sa_pair(d, DEMO_TUNNEL4, DEMO_AES_128_GCM);
    stage_sa_pair(d, DEMO_TUNNEL6, DEMO_AES_128_CBC);
    stage_sa_pair(d, DEMO_PING4, DEMO_CHACHA20);
    stage_sa_pair(d, DEMO_PING6, DEMO_AES_256_GCM);
    (void)stage_tell(d, DEMO_GATEWAY, DEMO_UP, 0, 0);
    (void)stage_tell(d, DEMO_DEVICE, DEMO_UP, 0, 0);
}

/* ----------------------------------------------------------------- keys */

/* Wireshark takes a directory for its settings: with the key table in it,
 * one command opens the capture, and a person's own settings stay. */
void stage_write_keys(struct demo *d)
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
