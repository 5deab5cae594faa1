/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "linux_inner.h"

#include "ipsec/mtu.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/*
 * How long packets may be: what routers say of ours, and what TCP is told.
 *
 * Beside the kernel's stack, on raw sockets, it is the kernel that hears ICMP,
 * and it knows nothing of our SAs. A raw socket has a copy of each message.
 * What isn't about ESP, AH or ESP in UDP is the kernel's alone.
 */

#define IP4 20
#define IP6 40
#define ICMP 8
#define FRAGMENT 44 /* IPv6's header of that name */

/* Only "destination unreachable", of which "fragmentation needed" is one, and
 * "packet too big". What a filter lets through is looked at again. */
int
ipsec_linux_icmp_filter(int fd, int family)
{
    struct icmp6_filter six;
    struct icmp_filter four;

    if (family == AF_INET) {
        four.data = ~(1u << ICMP_DEST_UNREACH);
        return setsockopt(fd, SOL_RAW, ICMP_FILTER, &four, sizeof four);
    }
    ICMP6_FILTER_SETBLOCKALL(&six);
    ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &six);
    return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &six, sizeof six);
}

static int
is_ipsec(unsigned proto, const uint8_t *p, size_t len)
{
    return proto == IPSEC_PROTO_ESP || proto == IPSEC_PROTO_AH ||
           (proto == IPPROTO_UDP && len >= 2 &&
            ((unsigned)p[0] << 8 | p[1]) == IPSEC_LINUX_NATT);
}

/* see ipsec_linux.h */
size_t
ipsec_linux_quoted(const uint8_t *p, size_t len, uint8_t *proto)
{
    int four = len > 0 && p[0] >> 4 == 4;
    size_t at = four ? (size_t)(p[0] & 15) * 4 : IP6, hdr = four ? IP4 : IP6;
    const uint8_t *quote = p + at + ICMP;

    if (at < IP4 || len < at + ICMP + hdr ||
        (four ? p[9] != IPPROTO_ICMP || p[at] != ICMP_DEST_UNREACH ||
                p[at + 1] != ICMP_FRAG_NEEDED
              : p[6] != IPPROTO_ICMPV6 || p[at] != ICMP6_PACKET_TOO_BIG)) {
        return 0;
    }
    *proto = four ? quote[9] : quote[6];
    hdr = four ? (size_t)(quote[0] & 15) * 4 : IP6;
    if (!four && *proto == FRAGMENT && len >= at + ICMP + IP6 + 8) {
        *proto = quote[IP6];
        hdr += 8;
    }
    at += ICMP + hdr;
    return at <= len && is_ipsec(*proto, p + at, len - at) ? at : 0;
}

/* What policy asks for packets of this connection that go out decides how long
 * they may be, and as long the answers, for they go the same way. */
void
ipsec_linux_clamp(const struct ipsec_linux *port, int dir,
                  const struct ipsec_pkt *pkt)
{
    const struct ipsec_policy *policy;
    struct ipsec_flow flow;

    if (ipsec_mss_syn(&pkt->buf) == 0 ||
        ipsec_flow_parse(&flow, dir, &pkt->buf) != IPSEC_OK) {
        return;
    }
    flow.spd_id = pkt->spd_id;
    policy = ipsec_spd_lookup(port->ips, IPSEC_OUT, &flow);
    if (policy != NULL && policy->action == IPSEC_ACTION_PROTECT) {
        (void)ipsec_mss_clamp(&pkt->buf,
                              ipsec_policy_mtu(port->ips, policy, 0,
                                               port->nif.mtu));
    }
}
