/* SPDX-License-Identifier: MIT */
#ifndef IPSEC_LINUX_INNER_H
#define IPSEC_LINUX_INNER_H

#include "ipsec_linux.h"

/* linux_device.c: TUN, TAP and AF_PACKET. */
int ipsec_linux_device_open(struct ipsec_linux_side *side);
int ipsec_linux_device_receive(struct ipsec_linux_side *side,
                               struct ipsec_linux_frame *frame);

/* linux_raw.c: raw sockets and UDP. */
int ipsec_linux_raw_open(struct ipsec_linux_side *side);
int ipsec_linux_raw_receive(struct ipsec_linux_side *side, unsigned i,
                            struct ipsec_linux_frame *frame);
int ipsec_linux_raw_send(struct ipsec_linux_side *side,
                         const struct ipsec_buf *ip);

/* linux_side.c */
int ipsec_linux_errno_is_loss(int error);
void ipsec_linux_queue(int fd);
unsigned ipsec_linux_mtu(const char *name);

#endif
