/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "linux_inner.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MTU   1500 /* where the interface doesn't say */
#define QUEUE (4 << 20)

static const char *const kinds[] = { "", "tun", "tap", "packet", "raw" };

/* see ipsec_linux.h */
int
ipsec_linux_side_init(struct ipsec_linux_side *side, const char *spec)
{
    const char *name = strchr(spec, ':');
    size_t i, len = name != NULL ? (size_t)(name - spec) : strlen(spec);

    memset(side, 0, sizeof *side);
    for (i = 0; i < IPSEC_LINUX_FDS; i++) {
        side->fd[i] = -1;
    }
    side->out[0] = side->out[1] = -1;
    side->mtu = MTU;
    side->lost = 1;
    for (i = IPSEC_LINUX_TUN; i <= IPSEC_LINUX_RAW; i++) {
        if (strlen(kinds[i]) == len && memcmp(spec, kinds[i], len) == 0) {
            side->kind = (uint8_t)i;
        }
    }
    name = name != NULL ? name + 1 : "";
    if (strlen(name) >= sizeof side->name || strchr(name, '%') != NULL ||
        (*name == '\0' && side->kind != IPSEC_LINUX_RAW)) {
        return -1;
    }
    memcpy(side->name, name, strlen(name) + 1);
    return side->kind != 0 ? 0 : -1;
}

/* Of an interface; 1500 where it doesn't say. */
unsigned
ipsec_linux_mtu(const char *name)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq ifr;
    unsigned mtu = MTU;

    memset(&ifr, 0, sizeof ifr);
    memcpy(ifr.ifr_name, name, strlen(name));
    if (fd >= 0 && ioctl(fd, SIOCGIFMTU, &ifr) == 0 && ifr.ifr_mtu >= 68) {
        mtu = (unsigned)ifr.ifr_mtu;
    }
    if (fd >= 0) {
        close(fd);
    }
    return mtu < 65535 ? mtu : 65535;
}

static unsigned
mtu_now(const struct ipsec_linux_side *side)
{
    unsigned mtu = side->name[0] != '\0' ? ipsec_linux_mtu(side->name) : MTU;

    return side->mtu_most != 0 && side->mtu_most < mtu ? side->mtu_most : mtu;
}

/* see ipsec_linux.h */
int
ipsec_linux_open(struct ipsec_linux_side *side)
{
    int error, rc = side->kind == IPSEC_LINUX_RAW
        ? ipsec_linux_raw_open(side) : ipsec_linux_device_open(side);

    if (rc != 0) {
        error = errno;
        ipsec_linux_close(side);
        errno = error;
        return -1;
    }
    side->index = side->name[0] != '\0' ? if_nametoindex(side->name) : 0;
    side->mtu = mtu_now(side);
    side->lost = 0;
    memset(side->seen_full, 0, sizeof side->seen_full);
    return 0;
}

static void
close_one(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

/* see ipsec_linux.h */
void
ipsec_linux_close(struct ipsec_linux_side *side)
{
    size_t i;

    for (i = 0; i < IPSEC_LINUX_FDS; i++) {
        close_one(&side->fd[i]);
    }
    close_one(&side->out[0]);
    close_one(&side->out[1]);
    side->lost = 1;
}

/* Room for a burst while another is being sealed; and where even that was full,
 * the kernel has counted. */
void
ipsec_linux_queue(int fd)
{
    int size = QUEUE;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
}

static void
count_full(struct ipsec_linux_side *side)
{
    uint32_t info[SK_MEMINFO_VARS];
    socklen_t len;
    size_t i;

    for (i = 0; i < IPSEC_LINUX_FDS; i++) {
        len = sizeof info;
        if (side->fd[i] >= 0 &&
            getsockopt(side->fd[i], SOL_SOCKET, SO_MEMINFO, info, &len) == 0 &&
            len > SK_MEMINFO_DROPS * sizeof info[0]) {
            side->count.full += info[SK_MEMINFO_DROPS] - side->seen_full[i];
            side->seen_full[i] = info[SK_MEMINFO_DROPS];
        }
    }
}

/* see ipsec_linux.h */
int
ipsec_linux_watch(struct ipsec_linux_side *side)
{
    unsigned mtu;

    count_full(side);
    /* A TAP may be in somebody else's namespace by now, where its name says
     * nothing here: its file tells. */
    if (!side->lost && side->name[0] != '\0' &&
        side->kind >= IPSEC_LINUX_PACKET &&
        if_nametoindex(side->name) != side->index) {
        ipsec_linux_close(side);
        (void)ipsec_linux_open(side);
        return 1;
    }
    if (side->lost) {
        return ipsec_linux_open(side) == 0;
    }
    mtu = mtu_now(side);
    if (side->kind >= IPSEC_LINUX_PACKET && mtu != side->mtu) {
        side->mtu = mtu;
        return 1;
    }
    return 0;
}

/* The interface has gone; what is only down comes up again by itself. */
int
ipsec_linux_errno_is_loss(int error)
{
    return error == ENODEV || error == ENXIO || error == EBADFD ||
           error == EBADF;
}

/* see ipsec_linux.h */
int
ipsec_linux_receive(struct ipsec_linux_side *side, unsigned i,
                    struct ipsec_linux_frame *frame)
{
    int rc;

    frame->ethernet_len = 0;
    frame->no_csum = 0;
    frame->gso = 0;
    frame->to_us = 0;
    frame->about_ours = 0;
    rc = side->kind == IPSEC_LINUX_RAW
        ? ipsec_linux_raw_receive(side, i, frame)
        : ipsec_linux_device_receive(side, frame);
    if (rc < 0 && ipsec_linux_errno_is_loss(errno)) {
        ipsec_linux_close(side);
        return -1;
    }
    if (rc > 0 && frame->is_ip) {
        side->count.received++;
    }
    return rc > 0;
}

/* The kernel has said no: why? */
static void
count_refusal(struct ipsec_linux_side *side, int error)
{
    if (error == EAGAIN || error == ENOBUFS) {
        side->count.full++;
    } else if (error == ENETDOWN || error == EIO) { /* of TUN and TAP */
        side->count.down++;
    } else {
        side->count.unsent++;
    }
    if (ipsec_linux_errno_is_loss(error)) {
        ipsec_linux_close(side);
    }
}

static int
send_with(struct ipsec_linux_side *side, uint8_t *ethernet,
          size_t ethernet_len, uint8_t *data, size_t len)
{
    struct virtio_net_hdr vnet; /* nothing is left to a card */
    struct iovec part[3];

    memset(&vnet, 0, sizeof vnet);
    part[0].iov_base = &vnet;
    part[0].iov_len = side->vnet ? sizeof vnet : 0;
    part[1].iov_base = ethernet;
    part[1].iov_len = ethernet_len;
    part[2].iov_base = data;
    part[2].iov_len = len;
    return writev(side->fd[0], part, 3) < 0 ? -1 : 0;
}

/* see ipsec_linux.h */
void
ipsec_linux_send(struct ipsec_linux_side *side,
                 const struct ipsec_linux_frame *frame,
                 const struct ipsec_buf *ip)
{
    uint8_t ethernet[IPSEC_LINUX_ETHERNET];
    size_t n = frame->ethernet_len;
    int rc;

    if (side->lost) {
        side->count.down++;
        return;
    }
    if (side->kind == IPSEC_LINUX_RAW) {
        rc = ipsec_linux_raw_send(side, ip);
    } else if (side->kind == IPSEC_LINUX_TUN) {
        rc = send_with(side, NULL, 0, ip->data, ip->len);
    } else {
        memcpy(ethernet, frame->ethernet, sizeof ethernet);
        ethernet[n - 2] = ip->data[0] >> 4 == 6 ? 0x86 : 0x08;
        ethernet[n - 1] = ip->data[0] >> 4 == 6 ? 0xdd : 0x00;
        rc = send_with(side, ethernet, n, ip->data, ip->len);
    }
    if (rc == 0) {
        side->count.sent++;
    } else {
        count_refusal(side, errno);
    }
}

/* see ipsec_linux.h */
void
ipsec_linux_send_frame(struct ipsec_linux_side *side,
                       const struct ipsec_linux_frame *frame)
{
    uint8_t ethernet[IPSEC_LINUX_ETHERNET];

    memcpy(ethernet, frame->ethernet, sizeof ethernet);
    if (side->lost) {
        side->count.down++;
    } else if (send_with(side, ethernet, frame->ethernet_len,
                         frame->data, frame->len) == 0) {
        side->count.frames++;
    } else {
        count_refusal(side, errno);
    }
}

/* see ipsec_linux.h */
int
ipsec_linux_random(void *user, void *buf, size_t len)
{
    (void)user;
    return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -1;
}
