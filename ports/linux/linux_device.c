/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "linux_inner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23 /* Linux 4.20 */
#endif

/* Without offloads asked for, the kernel hands over packets that are cut to
 * the MTU and have their checksums. */
static int
open_tun(struct ipsec_linux_side *side)
{
    struct ifreq ifr;

    side->fd[0] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (side->fd[0] < 0) {
        return -1;
    }
    memset(&ifr, 0, sizeof ifr);
    ifr.ifr_flags = IFF_NO_PI;
    ifr.ifr_flags |= side->kind == IPSEC_LINUX_TUN ? IFF_TUN : IFF_TAP;
    memcpy(ifr.ifr_name, side->name, sizeof side->name);
    return ioctl(side->fd[0], TUNSETIFF, &ifr) < 0 ? -1 : 0;
}

static int
set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

/* Frames as they were on the wire: the kernel would make long ones of several.
 * What can't be set need not be. */
static void
keep_frames(int fd, const char *name)
{
    struct ethtool_value value = { ETHTOOL_SGRO, 0 };
    struct ifreq ifr;

    memset(&ifr, 0, sizeof ifr);
    memcpy(ifr.ifr_name, name, IPSEC_LINUX_NAME);
    ifr.ifr_data = (char *)&value;
    (void)ioctl(fd, SIOCETHTOOL, &ifr);
    value.cmd = ETHTOOL_SFLAGS; /* LRO among them */
    (void)ioctl(fd, SIOCETHTOOL, &ifr);
}

/* Of others, headers aren't Ethernet's, and packets would pass as frames that
 * no policy is asked about. */
static int
is_ethernet(int fd, const char *name, uint8_t mac[6])
{
    struct ifreq ifr;

    memset(&ifr, 0, sizeof ifr);
    memcpy(ifr.ifr_name, name, IPSEC_LINUX_NAME);
    if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0) {
        return 0;
    }
    memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
    errno = EMEDIUMTYPE;
    return ifr.ifr_hwaddr.sa_family == ARPHRD_ETHER ||
           ifr.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
}

/* All frames, also those for others: a bump is between two stations. */
static int
open_packet(struct ipsec_linux_side *side)
{
    struct packet_mreq all;
    struct sockaddr_ll at;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    side->fd[0] = fd;
    memset(&at, 0, sizeof at);
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(ETH_P_ALL);
    at.sll_ifindex = (int)if_nametoindex(side->name);
    if (fd < 0 || at.sll_ifindex == 0) {
        errno = fd < 0 ? errno : ENODEV;
        return -1;
    }
    if (!is_ethernet(fd, side->name, side->mac)) {
        return -1;
    }
    memset(&all, 0, sizeof all);
    all.mr_ifindex = at.sll_ifindex;
    all.mr_type = PACKET_MR_PROMISC;
    keep_frames(fd, side->name);
    ipsec_linux_queue(fd);
    (void)set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    side->vnet = set(fd, SOL_PACKET, PACKET_VNET_HDR, 1) == 0;
    if (set(fd, SOL_PACKET, PACKET_AUXDATA, 1) != 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all,
                   sizeof all) != 0) {
        return -1;
    }
    return bind(fd, (struct sockaddr *)&at, sizeof at);
}

int
ipsec_linux_device_open(struct ipsec_linux_side *side)
{
    return side->kind == IPSEC_LINUX_PACKET ? open_packet(side)
                                            : open_tun(side);
}

/* The kernel takes a VLAN's tag out of the frame: put it back. It is a frame
 * that isn't plain IP then, and goes by configuration. */
static void
restore_tag(struct ipsec_linux_frame *frame, uint16_t tpid, uint16_t tci)
{
    memmove(frame->ethernet + 16, frame->ethernet + 12, 2);
    frame->ethernet[12] = (uint8_t)(tpid >> 8);
    frame->ethernet[13] = (uint8_t)tpid;
    frame->ethernet[14] = (uint8_t)(tci >> 8);
    frame->ethernet[15] = (uint8_t)tci;
    frame->ethernet_len = 18;
    frame->is_ip = 0;
}

static void
read_auxdata(struct msghdr *msg, struct ipsec_linux_frame *frame)
{
    struct tpacket_auxdata aux;
    struct cmsghdr *c;

    for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) {
            continue;
        }
        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        frame->no_csum = (aux.tp_status & TP_STATUS_CSUMNOTREADY) != 0;
        if (aux.tp_status & TP_STATUS_VLAN_VALID) {
            restore_tag(frame, (aux.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0
                        ? aux.tp_vlan_tpid : 0x8100, aux.tp_vlan_tci);
        }
    }
}

/* Cut off the Ethernet header, and tell what is behind it. */
static void
frame_parse(struct ipsec_linux_frame *frame)
{
    unsigned type;

    memcpy(frame->ethernet, frame->data, ETH_HLEN);
    frame->ethernet_len = ETH_HLEN;
    frame->data += ETH_HLEN;
    frame->len -= ETH_HLEN;
    type = (unsigned)frame->ethernet[12] << 8 | frame->ethernet[13];
    frame->is_ip = type == ETH_P_IP || type == ETH_P_IPV6;
}

/* Segments that a station on this machine has left to its card to cut: see
 * linux_gso.c, which finds no TCP in other kinds. */
static void
read_vnet(const struct virtio_net_hdr *vnet, struct ipsec_linux_frame *frame)
{
    if (vnet->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
        frame->gso = vnet->gso_size > 0 ? vnet->gso_size : 1;
    }
}

/* Into frame->data; its length, 0: nothing to be had. What the kernel can't
 * say in such a header is EINVAL. */
static ssize_t
read_into(struct ipsec_linux_side *side, struct ipsec_linux_frame *frame,
          struct msghdr *msg)
{
    struct virtio_net_hdr vnet;
    struct iovec part[2];
    ssize_t n, skip = side->vnet ? (ssize_t)sizeof vnet : 0;

    memset(&vnet, 0, sizeof vnet);
    part[0].iov_base = &vnet;
    part[0].iov_len = (size_t)skip;
    part[1].iov_base = frame->data;
    part[1].iov_len = IPSEC_LINUX_ETHERNET + IPSEC_LINUX_PACKET_MAX + 1;
    msg->msg_iov = part;
    msg->msg_iovlen = 2;
    n = side->kind == IPSEC_LINUX_PACKET
        ? recvmsg(side->fd[0], msg, MSG_TRUNC)
        : read(side->fd[0], part[1].iov_base, part[1].iov_len);
    msg->msg_iov = NULL;
    if (n < 0) {
        side->count.too_long += skip > 0 && errno == EINVAL;
        return errno == EAGAIN || errno == EINTR || errno == ENETDOWN ? 0 : -1;
    }
    read_vnet(&vnet, frame);
    n -= skip;
    if (n >= (ssize_t)part[1].iov_len) {
        side->count.too_long++;
        return 0;
    }
    return n < 0 ? 0 : n;
}

int
ipsec_linux_device_receive(struct ipsec_linux_side *side,
                           struct ipsec_linux_frame *frame)
{
    union {
        struct cmsghdr align;
        char           mem[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
    struct sockaddr_ll from;
    struct msghdr msg;
    ssize_t n;

    memset(&msg, 0, sizeof msg);
    from.sll_pkttype = 0;
    msg.msg_name = &from;
    msg.msg_namelen = sizeof from;
    msg.msg_control = control.mem;
    msg.msg_controllen = sizeof control.mem;
    frame->data = frame->mem + IPSEC_LINUX_HEADROOM;
    n = read_into(side, frame, &msg);
    if (n <= 0) {
        return (int)n;
    }
    frame->len = (size_t)n;
    if (side->kind == IPSEC_LINUX_TUN) {
        frame->is_ip = 1; /* of what version, the library looks at */
        return 1;
    }
    if (n < ETH_HLEN || (side->kind == IPSEC_LINUX_PACKET &&
                         from.sll_pkttype == PACKET_OUTGOING)) {
        return 0;
    }
    frame_parse(frame);
    if (side->kind == IPSEC_LINUX_PACKET) {
        read_auxdata(&msg, frame);
    }
    return 1;
}
