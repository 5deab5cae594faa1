/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "linux_inner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The host's own addresses as the black side. The kernel reassembles, and has
 * taken headers off by the time that a socket has the packet: raw sockets of
 * IPv6, and UDP. They are made again, of what the kernel tells beside it, for
 * the library reads whole packets.
 */

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36 /* Linux 4.5 */
#endif

#define IP4 20
#define IP6 40
#define UDP 8

/* side->fd[]. */
static const struct socket_kind {
    int     family, type, proto;
    uint8_t made;           /* bytes of header to make */
} socket_kinds[IPSEC_LINUX_FDS] = {
    { AF_INET, SOCK_RAW, IPSEC_PROTO_ESP, 0 },
    { AF_INET, SOCK_RAW, IPSEC_PROTO_AH, 0 },
    { AF_INET, SOCK_DGRAM, IPPROTO_UDP, IP4 + UDP },
    { AF_INET6, SOCK_RAW, IPSEC_PROTO_ESP, IP6 },
    { AF_INET6, SOCK_RAW, IPSEC_PROTO_AH, IP6 },
    { AF_INET6, SOCK_DGRAM, IPPROTO_UDP, IP6 + UDP },
    { AF_INET, SOCK_RAW, IPPROTO_ICMP, 0 },
    { AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, IP6 },
};

/* What the kernel tells of a packet whose headers it has taken off. */
struct told {
    struct ipsec_addr src, dst;
    uint16_t          src_port;
    uint8_t           tos, ttl;
};

static int
set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

static int
to_device(int fd, const char *name)
{
    return name[0] == '\0' ? 0
        : setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name,
                     (socklen_t)strlen(name));
}

static int
ask4(int fd)
{
    return set(fd, IPPROTO_IP, IP_PKTINFO, 1) |
           set(fd, IPPROTO_IP, IP_RECVTOS, 1) |
           set(fd, IPPROTO_IP, IP_RECVTTL, 1);
}

static int
ask6(int fd)
{
    return set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) |
           set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) |
           set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
}

static int
bind_natt(int fd, int family)
{
    struct sockaddr_in6 six;
    struct sockaddr_in four;

    if (family == AF_INET) {
        memset(&four, 0, sizeof four);
        four.sin_family = AF_INET;
        four.sin_port = htons(IPSEC_LINUX_NATT);
        return bind(fd, (struct sockaddr *)&four, sizeof four);
    }
    memset(&six, 0, sizeof six);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(IPSEC_LINUX_NATT);
    (void)set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    return bind(fd, (struct sockaddr *)&six, sizeof six);
}

static int
is_icmp(const struct socket_kind *k)
{
    return k->proto == IPPROTO_ICMP || k->proto == IPPROTO_ICMPV6;
}

static int
open_in(const struct socket_kind *k, const char *name)
{
    int fd = socket(k->family, k->type | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    k->proto);

    if (fd < 0) {
        return -1;
    }
    ipsec_linux_queue(fd);
    if (to_device(fd, name) != 0 ||
        (is_icmp(k) && ipsec_linux_icmp_filter(fd, k->family) != 0) ||
        (k->made == 0 ? 0 : k->family == AF_INET ? ask4(fd) : ask6(fd)) != 0 ||
        (k->type == SOCK_DGRAM && bind_natt(fd, k->family) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* How long a packet may be is ours to say, not the kernel's by what it has
 * cached of the path. */
static int
open_out(int family, const char *name)
{
    int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    IPPROTO_RAW);

    if (fd < 0) {
        return -1;
    }
    if (to_device(fd, name) != 0 ||
        (family == AF_INET
         ? set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE) != 0
         : set(fd, IPPROTO_IPV6, IPV6_HDRINCL, 1) != 0 ||
           set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
               IPV6_PMTUDISC_PROBE) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A kernel without IPv6 has the rest. */
int
ipsec_linux_raw_open(struct ipsec_linux_side *side)
{
    size_t i;

    for (i = 0; i < IPSEC_LINUX_FDS && !side->send_only; i++) {
        side->fd[i] = open_in(&socket_kinds[i], side->name);
        if (side->fd[i] < 0 && errno != EAFNOSUPPORT) {
            return -1;
        }
    }
    side->out[0] = open_out(AF_INET, side->name);
    side->out[1] = open_out(AF_INET6, side->name);
    return side->out[0] < 0 ? -1 : 0;
}

static void
tell4(const struct cmsghdr *c, struct told *t)
{
    struct in_pktinfo info;
    int value;

    if (c->cmsg_type == IP_PKTINFO) {
        memcpy(&info, CMSG_DATA(c), sizeof info);
        memcpy(t->dst.byte, &info.ipi_addr, 4);
    } else if (c->cmsg_type == IP_TOS) {
        t->tos = *CMSG_DATA(c);
    } else if (c->cmsg_type == IP_TTL) {
        memcpy(&value, CMSG_DATA(c), sizeof value);
        t->ttl = (uint8_t)value;
    }
}

static void
tell6(const struct cmsghdr *c, struct told *t)
{
    struct in6_pktinfo info;
    int value;

    if (c->cmsg_type == IPV6_PKTINFO) {
        memcpy(&info, CMSG_DATA(c), sizeof info);
        memcpy(t->dst.byte, &info.ipi6_addr, 16);
        return;
    }
    memcpy(&value, CMSG_DATA(c), sizeof value);
    if (c->cmsg_type == IPV6_TCLASS) {
        t->tos = (uint8_t)value;
    } else if (c->cmsg_type == IPV6_HOPLIMIT) {
        t->ttl = (uint8_t)value;
    }
}

static void
tell(struct msghdr *msg, struct told *t)
{
    const struct sockaddr_in6 *six = msg->msg_name;
    const struct sockaddr_in *four = msg->msg_name;
    struct cmsghdr *c;

    t->src.version = t->dst.version = four->sin_family == AF_INET ? 4 : 6;
    if (t->src.version == 4) {
        memcpy(t->src.byte, &four->sin_addr, 4);
        t->src_port = ntohs(four->sin_port);
    } else {
        memcpy(t->src.byte, &six->sin6_addr, 16);
        t->src_port = ntohs(six->sin6_port);
    }
    for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == IPPROTO_IP) {
            tell4(c, t);
        } else if (c->cmsg_level == IPPROTO_IPV6) {
            tell6(c, t);
        }
    }
}

static void
put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void
make_ip4(uint8_t *p, size_t total, int proto, const struct told *t)
{
    unsigned sum = 0, i;

    memset(p, 0, IP4);
    p[0] = 0x45;
    p[1] = t->tos;
    put16(p + 2, (unsigned)total);
    p[8] = t->ttl;
    p[9] = (uint8_t)proto;
    memcpy(p + 12, t->src.byte, 4);
    memcpy(p + 16, t->dst.byte, 4);
    for (i = 0; i < IP4; i += 2) {
        sum += (unsigned)p[i] << 8 | p[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    put16(p + 10, ~sum & 0xffff);
}

static void
make_ip6(uint8_t *p, size_t total, int proto, const struct told *t)
{
    memset(p, 0, IP6);
    p[0] = (uint8_t)(0x60 | t->tos >> 4);
    p[1] = (uint8_t)(t->tos << 4);
    put16(p + 4, (unsigned)(total - IP6));
    p[6] = (uint8_t)proto;
    p[7] = t->ttl;
    memcpy(p + 8, t->src.byte, 16);
    memcpy(p + 24, t->dst.byte, 16);
}

/* What the kernel took off; the UDP checksum is 0, for it has been seen to,
 * and nobody looks again (RFC 3948 section 2.1). */
static void
make_headers(const struct socket_kind *k, struct ipsec_linux_frame *frame,
             const struct told *t)
{
    uint8_t *p = frame->data -= k->made;
    size_t ip = k->family == AF_INET ? IP4 : IP6;

    frame->len += k->made;
    if (k->family == AF_INET) {
        make_ip4(p, frame->len, k->proto, t);
    } else {
        make_ip6(p, frame->len, k->proto, t);
    }
    if (k->made > ip) {
        put16(p + ip, t->src_port);
        put16(p + ip + 2, IPSEC_LINUX_NATT);
        put16(p + ip + 4, (unsigned)(frame->len - ip));
        put16(p + ip + 6, 0);
    }
}

int
ipsec_linux_raw_receive(struct ipsec_linux_side *side, unsigned i,
                        struct ipsec_linux_frame *frame)
{
    const struct socket_kind *k = &socket_kinds[i];
    union {
        struct cmsghdr align;
        char           mem[256];
    } control;
    struct sockaddr_in6 from;
    struct iovec part;
    struct msghdr msg;
    struct told t;
    uint8_t proto;
    ssize_t n;

    memset(&msg, 0, sizeof msg);
    memset(&t, 0, sizeof t);
    memset(&from, 0, sizeof from);
    frame->data = frame->mem + IPSEC_LINUX_HEADROOM;
    part.iov_base = frame->data;
    part.iov_len = IPSEC_LINUX_PACKET_MAX;
    msg.msg_name = &from;
    msg.msg_namelen = sizeof from;
    msg.msg_iov = &part;
    msg.msg_iovlen = 1;
    msg.msg_control = control.mem;
    msg.msg_controllen = sizeof control.mem;
    n = recvmsg(side->fd[i], &msg, 0);
    if (n <= 0) {
        return n == 0 || errno == EAGAIN || errno == EINTR ||
               errno == ENETDOWN ? 0 : -1;
    }
    frame->len = (size_t)n;
    frame->is_ip = 1;
    if (k->made != 0) {
        tell(&msg, &t);
        make_headers(k, frame, &t);
    }
    frame->about_ours = (uint8_t)is_icmp(k);
    return !is_icmp(k) ||
           ipsec_linux_quoted(frame->data, frame->len, &proto) != 0;
}

/* Where the id is 0 the kernel puts one of its own, another in each fragment,
 * and nobody could put them together: so it is ours, one for all of them. The
 * kernel sums the header. */
static void
keep_id(struct ipsec_linux_side *side, uint8_t *p)
{
    unsigned offset = (unsigned)(p[6] & 0x1f) << 8 | p[7];
    int is_fragment = (p[6] & 0x20) != 0 || offset != 0;

    if (!is_fragment || p[4] != 0 || p[5] != 0) {
        return;
    }
    if (offset == 0 &&
        ipsec_linux_random(NULL, side->id, sizeof side->id) != 0) {
        side->id[0]++; /* any but the last will do */
    }
    p[4] = (uint8_t)(side->id[0] | 1);
    p[5] = side->id[1];
}

int
ipsec_linux_raw_send(struct ipsec_linux_side *side, const struct ipsec_buf *ip)
{
    struct sockaddr_in6 six;
    struct sockaddr_in four;

    if (side->out[ip->data[0] >> 4 != 4] < 0) {
        errno = EAFNOSUPPORT; /* not a loss of the side */
        return -1;
    }
    if (ip->data[0] >> 4 == 4) {
        keep_id(side, ip->data);
        memset(&four, 0, sizeof four);
        four.sin_family = AF_INET;
        memcpy(&four.sin_addr, ip->data + 16, 4);
        return sendto(side->out[0], ip->data, ip->len, 0,
                      (struct sockaddr *)&four, sizeof four) < 0 ? -1 : 0;
    }
    memset(&six, 0, sizeof six);
    six.sin6_family = AF_INET6;
    memcpy(&six.sin6_addr, ip->data + 24, 16);
    six.sin6_scope_id = (ip->data[24] == 0xfe && (ip->data[25] & 0xc0) == 0x80)
        ? side->index : 0;
    return sendto(side->out[1], ip->data, ip->len, 0,
                  (struct sockaddr *)&six, sizeof six) < 0 ? -1 : 0;
}
