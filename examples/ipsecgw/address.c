/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "gateway.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
add_address(struct gateway *g, const struct ipsec_addr *addr)
{
    size_t room = g->host_room * 2 + 16;
    struct ipsec_addr *more;

    if (g->host_len == g->host_room) {
        more = realloc(g->host, room * sizeof *more);
        if (more == NULL) {
            return;
        }
        g->host = more;
        g->host_room = room;
    }
    g->host[g->host_len++] = *addr;
}

/* It is asked twice of each packet whether an address is ours: most times a
 * glance says that it isn't. */
static uint64_t
bit_of(const struct ipsec_addr *addr)
{
    uint32_t word;

    memcpy(&word, addr->byte + (addr->version == 6 ? 12 : 0), sizeof word);
    return UINT64_C(1) << (word * 0x9e3779b1u >> 26);
}

void
address_index(struct gateway *g)
{
    size_t i, k;

    g->ours_bits = 0;
    for (i = 0; i < g->ours_len; i++) {
        g->ours_bits |= bit_of(&g->ours[i]);
    }
    for (i = 0; i < g->host_len; i++) {
        g->ours_bits |= bit_of(&g->host[i]);
    }
    for (i = 0; i < g->contexts; i++) {
        const struct ipsec_linux_hops *hops = &g->context[i].hops;

        for (k = 0; k < hops->owns; k++) {
            g->ours_bits |= bit_of(&hops->own[k].addr);
        }
    }
}

/* What the interfaces have now, in this namespace. */
void
gateway_addresses(struct gateway *g)
{
    struct ifaddrs *list, *i;
    struct ipsec_addr addr;

    if (getifaddrs(&list) != 0) {
        address_index(g);
        return;
    }
    g->host_len = 0;
    for (i = list; i != NULL; i = i->ifa_next) {
        memset(&addr, 0, sizeof addr);
        if (i->ifa_addr == NULL) {
            continue;
        }
        if (i->ifa_addr->sa_family == AF_INET) {
            const struct sockaddr_in *four = (void *)i->ifa_addr;

            addr.version = 4;
            memcpy(addr.byte, &four->sin_addr, 4);
            add_address(g, &addr);
        } else if (i->ifa_addr->sa_family == AF_INET6) {
            const struct sockaddr_in6 *six = (void *)i->ifa_addr;

            addr.version = 6;
            memcpy(addr.byte, &six->sin6_addr, 16);
            add_address(g, &addr);
        }
    }
    freeifaddrs(list);
    address_index(g);
}

static int
is_in(const struct ipsec_addr *list, size_t n, const struct ipsec_addr *addr)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (memcmp(&list[i], addr, sizeof *addr) == 0) {
            return 1;
        }
    }
    return 0;
}

/* ... or of a bump's own? */
static int
is_own(const struct gateway *g, const struct ipsec_addr *addr)
{
    size_t i, k;

    for (i = 0; i < g->contexts; i++) {
        const struct ipsec_linux_hops *hops = &g->context[i].hops;

        for (k = 0; k < hops->owns; k++) {
            if (is_in(&hops->own[k].addr, 1, addr)) {
                return 1;
            }
        }
    }
    return 0;
}

int
address_is_ours(const struct gateway *g, const struct ipsec_addr *addr)
{
    return (g->ours_bits & bit_of(addr)) != 0 &&
           (is_in(g->ours, g->ours_len, addr) ||
            is_in(g->host, g->host_len, addr) || is_own(g, addr));
}

/* --- of the command line */

int
address_read(struct ipsec_addr *addr, const char *text, char option)
{
    memset(addr, 0, sizeof *addr);
    addr->version = strchr(text, ':') != NULL ? 6 : 4;
    if (inet_pton(addr->version == 6 ? AF_INET6 : AF_INET, text,
                  addr->byte) != 1) {
        tell("ipsecgw: -%c %s: not an address\n", option, text);
        return -1;
    }
    return 0;
}

/* ADDRESS/BITS */
static int
read_net(struct ipsec_linux_net *net, const char *text, size_t len,
         char option)
{
    char part[80];
    char *slash, *end;
    unsigned long bits;

    (void)snprintf(part, sizeof part, "%.*s", (int)len, text);
    slash = strchr(part, '/');
    if (slash == NULL || slash[1] < '0' || slash[1] > '9') {
        tell("ipsecgw: -%c %s: how long is the network's part? "
             "(192.0.2.1/24)\n", option, part);
        return -1;
    }
    *slash = '\0';
    if (address_read(&net->addr, part, option) != 0) {
        return -1;
    }
    bits = strtoul(slash + 1, &end, 10);
    if (*end != '\0' || bits > (net->addr.version == 4 ? 32 : 128)) {
        tell("ipsecgw: -%c %s/%s: not a length\n", option, part, slash + 1);
        return -1;
    }
    net->bits = (uint8_t)bits;
    return 0;
}

/* Of one station: neither a group's, nor none, nor such as stay on a host. */
static int
is_station(const struct ipsec_addr *addr)
{
    static const uint8_t none[16];
    uint8_t first = addr->byte[0];

    return addr->version == 4
        ? first != 0 && first != 127 && first < 224
        : first != 0xff && memcmp(addr->byte, none, 15) != 0;
}

int
address_own(struct ipsec_linux_hops *hops, const char *text)
{
    if (hops->owns == IPSEC_LINUX_OWN) {
        tell("ipsecgw: -o: more than %d\n", IPSEC_LINUX_OWN);
        return -1;
    }
    if (read_net(&hops->own[hops->owns], text, strlen(text), 'o') != 0) {
        return -1;
    }
    if (!is_station(&hops->own[hops->owns].addr)) {
        tell("ipsecgw: -o %s: not an address that a station may have\n",
             text);
        return -1;
    }
    hops->owns++;
    return 0;
}

/* ROUTER, or NETWORK/BITS,ROUTER */
int
address_route(struct ipsec_linux_hops *hops, const char *text)
{
    struct ipsec_linux_route *r = &hops->route[hops->routes];
    const char *comma = strchr(text, ',');

    if (hops->routes == IPSEC_LINUX_ROUTES) {
        tell("ipsecgw: -g: more than %d\n", IPSEC_LINUX_ROUTES);
        return -1;
    }
    if (address_read(&r->via, comma != NULL ? comma + 1 : text, 'g') != 0) {
        return -1;
    }
    r->net.addr.version = r->via.version;
    if (comma != NULL &&
        read_net(&r->net, text, (size_t)(comma - text), 'g') != 0) {
        return -1;
    }
    if (r->net.addr.version != r->via.version) {
        tell("ipsecgw: -g %s: of two families\n", text);
        return -1;
    }
    hops->routes++;
    return 0;
}

/* Without it, they are looked up every second. */
int
address_news(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    NETLINK_ROUTE);
    struct sockaddr_nl at;

    memset(&at, 0, sizeof at);
    at.nl_family = AF_NETLINK;
    at.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}
