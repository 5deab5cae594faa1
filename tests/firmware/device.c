/*
 * The device: an lwIP host with libipsec on bare metal, told what to do over
 * its UART. SPDX-License-Identifier: MIT
 *
 *     seed HEX            its random source works from now on
 *     set NAME=VALUE      tests/interop/settings.c
 *     provision SEQ       a new key: flash begins at this number
 *     start               "ready"; or "refused: " and why
 *     ping, udp, ...      tests/interop/commands.h
 *     memory              "heap N pool N": of lwIP's, in use
 *     stack               "stack N": bytes ever used
 *     fault WHAT          random, flash, tear, unaligned
 *     reset               as after a brown-out
 *     exit STATUS         of QEMU
 */
#include <string.h>

#include "board.h"
#include "chance.h"
#include "commands.h"
#include "console.h"
#include "flash.h"
#include "host.h"
#include "lwip/memp.h"
#include "lwip/stats.h"
#include "reserve.h"
#include "services.h"
#include "settings.h"

#define LINE_MAX  256
#define HEALTH_MS 100

static struct host host;

/* A source that has died is noticed here, whoever asks it next: without it
 * nothing leaves the device any more. */
static void watch(void)
{
    static uint32_t last;
    uint8_t sample[4];

    if (host.ips == NULL || !netif_is_up(&host.netif) ||
        board_ms() - last < HEALTH_MS) {
        return;
    }
    last = board_ms();
    if (chance(NULL, sample, sizeof sample) != 0 || chance_failed) {
        netif_set_down(&host.netif);
        print("note: random source failed: the network is down\n");
    }
}

static void start(void)
{
    const char *why = NULL;
    ip_addr_t target;
    uint32_t test;

    if (host.ips != NULL) {
        why = "started already";
    } else if (chance(NULL, &test, sizeof test) != 0) {
        why = "no random source";
    } else if (!ipaddr_aton(setting("target"), &target)) {
        why = "no target";
    } else if (host_open(&host, setting("ip4"), setting("ip6")) != 0) {
        why = "no interface";
    } else {
        why = reserve_open(&host);
    }
    if (why == NULL && services_open() != 0) {
        why = "no services";
    }
    if (why != NULL) {
        print("refused: %s\n", why);
        return;
    }
    host_up(&host);
    print("ready\n");
}

static void do_seed(const char *arg)
{
    uint8_t seed[64];

    chance_seed(seed, hex_parse(seed, sizeof seed, arg));
    print("ok\n");
}

static void do_set(const char *arg)
{
    print(setting_set(arg) == 0 ? "ok\n" : "what?\n");
}

static void do_provision(const char *arg)
{
    struct flash_numbers n;

    n.out = n.in = number_parse(arg);
    print(flash_provision(&n) == 0 ? "ok\n" : "flash failed\n");
}

static void do_start(const char *arg)
{
    (void)arg;
    start();
}

static void do_memory(const char *arg)
{
    (void)arg;
    print("heap %u pool %u\n", (unsigned)lwip_stats.mem.used,
          (unsigned)lwip_stats.memp[MEMP_PBUF_POOL]->used);
}

static void do_stack(const char *arg)
{
    (void)arg;
    print("stack %zu\n", board_stack());
}

static void do_fault(const char *arg)
{
    static const uint32_t words[2];
    volatile uintptr_t odd = (uintptr_t)words + 1; /* gcc must not know */

    if (strcmp(arg, "random") == 0) {
        chance_fail();
    } else if (strcmp(arg, "flash") == 0) {
        flash_fail();
    } else if (strcmp(arg, "tear") == 0) {
        flash_tear();
    } else if (strcmp(arg, "unaligned") == 0) {
        print("%u\n", (unsigned)REG(odd));
    }
    print("ok\n");
}

static void do_reset(const char *arg)
{
    (void)arg;
    board_reset();
}

static void do_exit(const char *arg)
{
    board_exit((int)number_parse(arg));
}

static const struct {
    const char *name;
    void      (*run)(const char *arg);
} commands[] = {
    { "seed", do_seed }, { "set", do_set }, { "provision", do_provision },
    { "start", do_start }, { "memory", do_memory }, { "stack", do_stack },
    { "fault", do_fault }, { "reset", do_reset }, { "exit", do_exit },
};

static void command(const char *line)
{
    const char *arg;
    size_t i;

    for (i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        arg = command_is(line, commands[i].name);
        if (arg != NULL) {
            commands[i].run(arg);
            return;
        }
    }
    if (!command_run(&host, line)) {
        print("what? %s\n", line);
    }
}

static void key(void)
{
    static char line[LINE_MAX];
    static size_t len;
    int c = board_getc();

    if (c >= 0 && c != '\n' && len + 1 < sizeof line) {
        line[len++] = (char)c;
    } else if (c == '\n') {
        line[len] = '\0';
        len = 0;
        command(line);
    }
}

int main(void)
{
    (void)setting_set("ip4=10.9.0.1");
    (void)setting_set("ip6=fd09::1");
    print("boot\n");
    for (;;) {
        while (host_poll(&host, 0, 1000)) {
            key();
        }
        watch();
    }
}
