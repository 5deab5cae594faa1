/*
 * SPDX-License-Identifier: MIT
 *
 * The guest's echo servers: UDP and TCP port 7, IPv4 and IPv6; and the sockets
 * at which the kernel takes ESP out of UDP (RFC 3948). What is left to read at
 * these is IKE: it is echoed, after a NAT keepalive. With arguments ADDRESS
 * COUNT SIZE, a client of somebody else's UDP echo.
 *
 * UDP answers come from the address the question went to, which with a
 * tunnel is not the one that the route would choose.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/types.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT      7
#define PORT_NATT 4500
#define QUEUE     (4 << 20) /* bytes: a window's worth comes at once */

/* Of <linux/udp.h> and <linux/in.h>, which don't go with <netinet/in.h>. */
#define OPT_ENCAP      100
#define ENCAP_ESPINUDP 2
#define OPT_POLICY4    17
#define OPT_POLICY6    35

static char buf[65536];

static void
fail(const char *what)
{
    perror(what);
    exit(1);
}

static int
listener(int family, int type, unsigned short port)
{
    struct sockaddr_in6 a6 = {0};
    struct sockaddr_in a4 = {0};
    int s = socket(family, type, 0), one = 1, queue = QUEUE, bad;

    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (type == SOCK_DGRAM) {
        setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof queue);
    }
    if (family == AF_INET6) {
        a6.sin6_family = AF_INET6;
        a6.sin6_port = htons(port);
        setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
        setsockopt(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one);
        bad = bind(s, (void *)&a6, sizeof a6);
    } else {
        a4.sin_family = AF_INET;
        a4.sin_port = htons(port);
        setsockopt(s, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
        bad = bind(s, (void *)&a4, sizeof a4);
    }
    if (bad || (type == SOCK_STREAM && listen(s, 8))) {
        fail("agent: listener");
    }
    return s;
}

/* Its own datagrams, and ESP that is still in UDP, go by no other policy. */
static void
bypass(int s, int family)
{
    struct xfrm_userpolicy_info p;
    int dir;

    for (dir = XFRM_POLICY_IN; dir <= XFRM_POLICY_OUT; dir++) {
        memset(&p, 0, sizeof p);
        p.action = XFRM_POLICY_ALLOW;
        p.sel.family = (unsigned short)family;
        p.dir = (unsigned char)dir;
        if (setsockopt(s, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
                       family == AF_INET ? OPT_POLICY4 : OPT_POLICY6,
                       &p, sizeof p)) {
            fail("agent: policy");
        }
    }
}

static int
decapsulator(int family)
{
    int s = listener(family, SOCK_DGRAM, PORT_NATT), type = ENCAP_ESPINUDP;

    if (setsockopt(s, IPPROTO_UDP, OPT_ENCAP, &type, sizeof type)) {
        fail("agent: UDP_ENCAP");
    }
    bypass(s, family);
    return s;
}

/* The packet info of a question, with what would pin the answer to a route
 * taken out, does as that of the answer. */
static void
answer_source(struct msghdr *m)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);

    if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;

        memcpy(&info, CMSG_DATA(c), sizeof info);
        info.ipi_spec_dst = info.ipi_addr;
        info.ipi_ifindex = 0;
        memcpy(CMSG_DATA(c), &info, sizeof info);
    } else if (c && c->cmsg_level == IPPROTO_IPV6) {
        struct in6_pktinfo info;

        memcpy(&info, CMSG_DATA(c), sizeof info);
        info.ipi6_ifindex = 0;
        memcpy(CMSG_DATA(c), &info, sizeof info);
    }
}

static void
answer(int s, struct msghdr *m, void *data, size_t len)
{
    m->msg_iov->iov_base = data;
    m->msg_iov->iov_len = len;
    if (sendmsg(s, m, 0) < 0) {
        perror("agent: sendmsg");
    }
}

static void
echo_datagram(int s, int keepalive)
{
    char control[256];
    struct sockaddr_storage from;
    struct iovec v = {buf, sizeof buf};
    struct msghdr m = {0};
    ssize_t n;

    m.msg_name = &from;
    m.msg_namelen = sizeof from;
    m.msg_iov = &v;
    m.msg_iovlen = 1;
    m.msg_control = control;
    m.msg_controllen = sizeof control;
    n = recvmsg(s, &m, 0);
    if (n < 0) {
        return;
    }
    answer_source(&m);
    if (keepalive) {
        answer(s, &m, "\xff", 1);
    }
    answer(s, &m, buf, (size_t)n);
}

static void
echo_stream(int s)
{
    int c = accept(s, NULL, NULL);
    ssize_t n, done, k;

    if (c < 0 || fork() != 0) {
        close(c);
        return;
    }
    while ((n = read(c, buf, sizeof buf)) > 0) {
        for (done = 0; done < n; done += k) {
            k = write(c, buf + done, (size_t)(n - done));
            if (k < 0) {
                _exit(1);
            }
        }
    }
    _exit(0);
}

/* Datagrams one by one; each that comes back as it was counts. */
static int
client(const char *address, int count, size_t size)
{
    struct sockaddr_in6 a6 = {0};
    struct sockaddr_in a4 = {0};
    struct timeval wait = {2, 0};
    int six = strchr(address, ':') != NULL, good = 0, s;
    static char back[sizeof buf];

    s = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    a6.sin6_family = AF_INET6;
    a4.sin_family = AF_INET;
    a6.sin6_port = a4.sin_port = htons(PORT);
    inet_pton(six ? AF_INET6 : AF_INET, address,
              six ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr);
    if (size > sizeof buf ||
        setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) ||
        connect(s, six ? (void *)&a6 : (void *)&a4,
                six ? sizeof a6 : sizeof a4)) {
        perror("agent");
        return 1;
    }
    for (int i = 0; i < count; i++) {
        memset(buf, i + 1, size);
        if (send(s, buf, size, 0) == (ssize_t)size &&
            recv(s, back, sizeof back, 0) == (ssize_t)size) {
            good += memcmp(buf, back, size) == 0;
        }
    }
    printf("%d of %d\n", good, count);
    return good != count;
}

int
main(int argc, char **argv)
{
    if (argc == 4) {
        return client(argv[1], atoi(argv[2]), (size_t)atoi(argv[3]));
    }

    struct pollfd p[6] = {
        {listener(AF_INET, SOCK_DGRAM, PORT), POLLIN, 0},
        {listener(AF_INET6, SOCK_DGRAM, PORT), POLLIN, 0},
        {decapsulator(AF_INET), POLLIN, 0},
        {decapsulator(AF_INET6), POLLIN, 0},
        {listener(AF_INET, SOCK_STREAM, PORT), POLLIN, 0},
        {listener(AF_INET6, SOCK_STREAM, PORT), POLLIN, 0},
    };

    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        poll(p, 6, -1);
        for (int i = 0; i < 6; i++) {
            if (!(p[i].revents & POLLIN)) {
                continue;
            }
            if (i < 4) {
                echo_datagram(p[i].fd, i >= 2);
            } else {
                echo_stream(p[i].fd);
            }
        }
    }
}
