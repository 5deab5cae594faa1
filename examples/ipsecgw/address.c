/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "gateway.h"

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

/* What the interfaces have now, in this namespace. */
void
gateway_addresses(struct gateway *g)
{
    struct ifaddrs *list, *i;
    struct ipsec_addr addr;

    if (getifaddrs(&list) != 0) {
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

int
address_is_ours(const struct gateway *g, const struct ipsec_addr *addr)
{
    return is_in(g->ours, g->ours_len, addr) ||
           is_in(g->host, g->host_len, addr);
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
