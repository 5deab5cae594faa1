/*
 * The device under test: an lwIP host with libipsec, told what to do.
 * SPDX-License-Identifier: MIT
 *
 *     device NAME=VALUE...        what it is: see settings.c
 *
 * Then a line of standard input is a command: see commands.h. It ends with
 * its input.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "boundary.h"
#include "commands.h"
#include "settings.h"

static struct host host, inside;

/* What is dropped is listed by the callers, but why is only known here. */
static void on_audit(void *user, const struct ipsec_audit *event)
{
    (void)user;
    fprintf(stderr, "device: %s %s spi %08lx seq %llu proto %u\n",
            event->dir == IPSEC_IN ? "in" : "out",
            ipsec_status_str(event->status), (unsigned long)event->spi,
            (unsigned long long)event->seq, event->flow->proto);
}

static int mac_parse(uint8_t mac[6], const char *text)
{
    unsigned b[6], i;

    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3],
               &b[4], &b[5]) != 6) {
        return -1;
    }
    for (i = 0; i < 6; i++) {
        mac[i] = (uint8_t)b[i];
    }
    return 0;
}

/* Lines of standard input, without ever waiting for the rest of one: the
 * network must go on. 0 at the end. */
static int commands(void)
{
    static char line[128];
    static size_t len;
    char c;

    if (read(STDIN_FILENO, &c, 1) <= 0) {
        return 0;
    }
    if (c != '\n' && len + 1 < sizeof line) {
        line[len++] = c;
        return 1;
    }
    line[len] = '\0';
    len = 0;
    if (!command_run(&host, line)) {
        printf("what? %s\n", line);
    }
    (void)fflush(stdout);
    return 1;
}

static void run(void)
{
    for (;;) {
        if (host_poll(&host, STDIN_FILENO, 1000) && !commands()) {
            return;
        }
    }
}

static int usage(const char *why)
{
    fprintf(stderr, "device: %s\n", why);
    return 2;
}

/* Or NULL, where nothing was said. */
static const char *said(const char *name)
{
    const char *value = setting(name);

    return *value == '\0' ? NULL : value;
}

/* A gateway's other side, in clear. NULL; or why not. */
static const char *inside_open(void)
{
    static struct host_config cfg;

    if (said("in-wire") == NULL) {
        return NULL;
    }
    cfg.path = said("in-wire");
    cfg.peer = said("in-peer");
    cfg.ip4 = said("in-ip4");
    cfg.mask4 = "255.255.255.0";
    cfg.ip6 = said("in-ip6");
    if (cfg.peer == NULL || mac_parse(cfg.mac, "02:00:00:00:00:11")) {
        return "in-peer= is needed";
    }
    return host_add(&host, &inside, &cfg) == 0 ? NULL : strerror(errno);
}

int main(int argc, char **argv)
{
    static struct boundary own = { .random = host_random, .audit = on_audit,
                                   .flags = IPSEC_SA_NEGOTIATED };
    struct host_config cfg;
    const char *why;
    int i;

    (void)setting_set("mac=02:00:00:00:00:01");
    for (i = 1; i < argc; i++) {
        if (setting_set(argv[i]) != 0) {
            return usage(argv[i]);
        }
    }
    memset(&cfg, 0, sizeof cfg);
    cfg.path = said("wire");
    cfg.peer = said("peer");
    cfg.pcap = said("pcap");
    cfg.ip4 = said("ip4");
    cfg.mask4 = "255.255.255.0";
    cfg.gateway4 = said("gw4");
    cfg.ip6 = said("ip6");
    if (!cfg.path || !cfg.peer || !said("target") ||
        mac_parse(cfg.mac, setting("mac"))) {
        return usage("wire=, peer= and target= are needed");
    }
    if (host_open(&host, &cfg) != 0) {
        return usage(strerror(errno));
    }
    own.seq_out = own.seq_in = setting_number("seq");
    why = inside_open();
    if (why == NULL && said("mode")) {
        why = boundary_open(&host, &own);
    }
    if (why != NULL) {
        return usage(why);
    }
    host_up(&host);
    if (host.next != NULL) {
        host_up(host.next);
    }
    puts("ready");
    (void)fflush(stdout);
    run();
    if (said("mode")) {
        boundary_close();
    }
    if (host.next != NULL) {
        host_close(host.next);
    }
    host_close(&host);
    return 0;
}
