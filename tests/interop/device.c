/*
 * The device under test: an lwIP host with libipsec, told what to do.
 * SPDX-License-Identifier: MIT
 *
 *     device NAME=VALUE...        what it is: see options[]
 *
 * Then a line of standard input is a command, answered with one line:
 *
 *     ping COUNT SIZE WAIT_MS     echo requests         see traffic.h
 *     udp COUNT SIZE WAIT_MS      to the echo port
 *     tcp BYTES WAIT_MS           to the echo port
 *     ike COUNT SIZE WAIT_MS      to port 4500 of the outer address
 *     dummy COUNT SIZE            see boundary.h
 *     stats                       lines "NAME VALUE", then "end"
 *
 * It ends with its input.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "boundary.h"
#include "host.h"
#include "traffic.h"

static struct host host;
static struct options opt = { .mac = "02:00:00:00:00:01" };

/* ------------------------------------------------------------- options */

static const struct {
    const char *name;
    size_t      at;
} options[] = {
    { "wire", offsetof(struct options, wire) },   /* our socket */
    { "peer", offsetof(struct options, peer) },   /* the relay's */
    { "pcap", offsetof(struct options, pcap) },
    { "mac", offsetof(struct options, mac) },
    { "ip4", offsetof(struct options, ip4) },     /* ours, /24 */
    { "ip6", offsetof(struct options, ip6) },     /* ours, /64 */
    { "target", offsetof(struct options, target) }, /* whom to talk to */
    /* Without a mode, all goes in clear. */
    { "proto", offsetof(struct options, proto) }, /* 50, 51 */
    { "mode", offsetof(struct options, mode) },   /* transport, tunnel */
    { "local", offsetof(struct options, local) }, /* outer addresses */
    { "remote", offsetof(struct options, remote) },
    { "encr", offsetof(struct options, encr) },   /* IKEv2 transform IDs */
    { "integ", offsetof(struct options, integ) },
    { "spi-out", offsetof(struct options, spi_out) },
    { "spi-in", offsetof(struct options, spi_in) },
    { "key-out", offsetof(struct options, key_out) }, /* hex, with salt */
    { "key-in", offsetof(struct options, key_in) },
    { "ikey-out", offsetof(struct options, ikey_out) },
    { "ikey-in", offsetof(struct options, ikey_in) },
    { "align8", offsetof(struct options, align8) }, /* AH over IPv4 */
    { "esn", offsetof(struct options, esn) },
    { "window", offsetof(struct options, window) }, /* packets */
    { "seq", offsetof(struct options, seq) },     /* last one used */
    { "natt", offsetof(struct options, natt) },   /* ESP in UDP: its ports */
    { "tfc", offsetof(struct options, tfc) },     /* bytes padded to */
    { "df", offsetof(struct options, df) },       /* set, outside */
    { "ptb", offsetof(struct options, ptb) },     /* believe ICMP */
};

static int option(char *arg)
{
    char *value = strchr(arg, '=');
    size_t i;

    if (value == NULL) {
        return -1;
    }
    *value++ = '\0';
    for (i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strcmp(arg, options[i].name) == 0) {
            memcpy((char *)&opt + options[i].at, &value, sizeof value);
            return 0;
        }
    }
    return -1;
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

/* ------------------------------------------------------------ commands */

static void command(const char *line, const ip_addr_t *target)
{
    unsigned count, size, wait_ms;
    ip_addr_t remote;

    if (sscanf(line, "ping %u %u %u", &count, &size, &wait_ms) == 3) {
        traffic_ping(&host, target, count, size, wait_ms);
    } else if (sscanf(line, "udp %u %u %u", &count, &size, &wait_ms) == 3) {
        traffic_udp(&host, target, count, size, wait_ms);
    } else if (sscanf(line, "tcp %u %u", &size, &wait_ms) == 2) {
        traffic_tcp(&host, target, size, wait_ms);
    } else if (sscanf(line, "ike %u %u %u", &count, &size, &wait_ms) == 3 &&
               opt.remote != NULL && ipaddr_aton(opt.remote, &remote)) {
        traffic_ike(&host, &remote, count, size, wait_ms);
    } else if (sscanf(line, "dummy %u %u", &count, &size) == 2) {
        boundary_dummies(count, size);
    } else if (strcmp(line, "stats") == 0) {
        printf("lost %zu\n", host.lost);
        boundary_stats();
        puts("end");
    } else {
        printf("what? %s\n", line);
    }
    (void)fflush(stdout);
}

/* Lines of standard input, without ever waiting for the rest of one: the
 * network must go on. 0 at the end. */
static int commands(const ip_addr_t *target)
{
    static char line[128];
    static size_t len;
    char c;
    ssize_t n;

    n = read(STDIN_FILENO, &c, 1);
    if (n <= 0) {
        return 0;
    }
    if (c != '\n' && len + 1 < sizeof line) {
        line[len++] = c;
    } else {
        line[len] = '\0';
        len = 0;
        command(line, target);
    }
    return 1;
}

static void run(const ip_addr_t *target)
{
    for (;;) {
        if (host_poll(&host, STDIN_FILENO, 1000) && !commands(target)) {
            return;
        }
    }
}

static int usage(const char *why)
{
    size_t i;

    fprintf(stderr, "device: %s\noptions:", why);
    for (i = 0; i < sizeof options / sizeof options[0]; i++) {
        fprintf(stderr, " %s=", options[i].name);
    }
    fputc('\n', stderr);
    return 2;
}

int main(int argc, char **argv)
{
    struct host_config cfg;
    ip_addr_t target;
    int i;

    for (i = 1; i < argc; i++) {
        if (option(argv[i]) != 0) {
            return usage(argv[i]);
        }
    }
    memset(&cfg, 0, sizeof cfg);
    cfg.path = opt.wire;
    cfg.peer = opt.peer;
    cfg.pcap = opt.pcap;
    cfg.ip4 = opt.ip4;
    cfg.mask4 = "255.255.255.0";
    cfg.ip6 = opt.ip6;
    if (!opt.wire || !opt.peer || !opt.target ||
        !ipaddr_aton(opt.target, &target) || mac_parse(cfg.mac, opt.mac)) {
        return usage("wire=, peer= and target= are needed");
    }
    if (host_open(&host, &cfg) != 0) {
        return usage(strerror(errno));
    }
    if (opt.mode != NULL && boundary_open(&host, &opt) != 0) {
        return 2;
    }
    host_up(&host);
    puts("ready");
    (void)fflush(stdout);
    run(&target);
    if (opt.mode != NULL) {
        boundary_close();
    }
    host_close(&host);
    return 0;
}
