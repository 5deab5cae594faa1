/*
 * What a device may be told while it runs.
 * SPDX-License-Identifier: MIT
 */
#include "commands.h"

#include <string.h>

#include "boundary.h"
#include "settings.h"
#include "traffic.h"

#define NUMBERS 3

static void do_ping(struct host *host, const ip_addr_t *to, const unsigned *n)
{
    traffic_ping(host, to, n[0], n[1], n[2]);
}

static void do_udp(struct host *host, const ip_addr_t *to, const unsigned *n)
{
    traffic_udp(host, to, n[0], n[1], n[2]);
}

static void do_tcp(struct host *host, const ip_addr_t *to, const unsigned *n)
{
    traffic_tcp(host, to, n[0], n[1]);
}

static void do_ike(struct host *host, const ip_addr_t *to, const unsigned *n)
{
    traffic_ike(host, to, n[0], n[1], n[2]);
}

static void do_dummy(struct host *host, const ip_addr_t *to,
                     const unsigned *n)
{
    (void)host;
    (void)to;
    boundary_dummies(n[0], n[1]);
}

static void do_stats(struct host *host, const ip_addr_t *to,
                     const unsigned *n)
{
    (void)to;
    (void)n;
    printf("lost %zu\n", host->lost);
    printf("gap_ms %u\n", traffic_gap());
    boundary_stats();
    printf("end\n");
}

static const struct {
    const char *name, *to; /* a setting */
    void      (*run)(struct host *, const ip_addr_t *, const unsigned *n);
} commands[] = {
    { "ping", "target", do_ping },   { "udp", "target", do_udp },
    { "tcp", "target", do_tcp },     { "ike", "remote", do_ike },
    { "dummy", "target", do_dummy }, { "stats", "target", do_stats },
};

const char *command_is(const char *line, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(line, word, len) != 0) {
        return NULL;
    }
    if (line[len] == ' ') {
        return line + len + 1;
    }
    return line[len] == '\0' ? line + len : NULL;
}

static void numbers(unsigned n[NUMBERS], const char *arg)
{
    unsigned i;

    for (i = 0; i < NUMBERS; i++) {
        n[i] = (unsigned)number_parse(arg);
        while (*arg != '\0' && *arg != ' ') {
            arg++;
        }
        arg += *arg == ' ';
    }
}

int command_run(struct host *host, const char *line)
{
    unsigned n[NUMBERS];
    const char *arg;
    ip_addr_t to;
    size_t i;

    for (i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        arg = command_is(line, commands[i].name);
        if (arg != NULL && ipaddr_aton(setting(commands[i].to), &to)) {
            numbers(n, arg);
            commands[i].run(host, &to, n);
            return 1;
        }
    }
    return 0;
}
