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

/* linux_gso.c: the next one of the segments in `whole`, from `*off` of TCP's
 * payload on, into part->mem. 0: there is none; or, at 0, it is not TCP. */
int ipsec_linux_segment(const struct ipsec_linux_frame *whole, size_t *off,
                        struct ipsec_linux_frame *part);

/* What ARP or neighbour discovery says: the sender is at `mac`, and asks for
 * the target, or answers it. */
struct ipsec_linux_nd {
    struct ipsec_addr sender, target; /* the sender may be ::, who has none */
    uint8_t           ask, sure, has_mac, mac[6];
};

#define IPSEC_LINUX_ND 72 /* bytes behind the Ethernet header, at most */

/* linux_nd.c. 0: it is something else. */
int ipsec_linux_nd_read(struct ipsec_linux_nd *nd,
                        const struct ipsec_linux_frame *frame);

/* At frame->data, which has room. An answer is `to` this station; a question
 * is to all. */
void ipsec_linux_nd_write(struct ipsec_linux_frame *frame,
                          const struct ipsec_linux_nd *nd, const uint8_t *to);

/* linux_hop.c. */
int ipsec_linux_hop_is_own(const struct ipsec_linux *port,
                           const struct ipsec_addr *addr);
const uint8_t *ipsec_linux_hop_mac(const struct ipsec_linux *port,
                                   const struct ipsec_linux_side *side);

/* What `side` has received: 1, it was ARP or neighbour discovery for us, or as
 * if from us; 0, go on with it, frame->to_us is set. */
int ipsec_linux_hop_take(struct ipsec_linux *port,
                         struct ipsec_linux_side *side,
                         struct ipsec_linux_frame *frame);

/* Send it, which isn't to one of our own, to who is next: now or when that is
 * known. */
void ipsec_linux_hop_send(struct ipsec_linux *port,
                          struct ipsec_linux_side *side,
                          const struct ipsec_buf *ip);
void ipsec_linux_hop_tick(struct ipsec_linux *port);
void ipsec_linux_hop_end(struct ipsec_linux *port);

/* linux_port.c */
int ipsec_linux_addresses(const uint8_t *p, size_t len, struct ipsec_addr *src,
                          struct ipsec_addr *dst);
uint16_t ipsec_linux_header_checksum(const uint8_t *p, size_t len);
uint16_t ipsec_linux_checksum(const uint8_t *ip, const uint8_t *payload,
                              size_t len, unsigned proto);

/* linux_mtu.c */
int ipsec_linux_icmp_filter(int fd, int family);
void ipsec_linux_clamp(const struct ipsec_linux *port, int dir,
                       const struct ipsec_pkt *pkt);

/* linux_side.c */
int ipsec_linux_errno_is_loss(int error);
void ipsec_linux_queue(int fd);
unsigned ipsec_linux_mtu(const char *name);

#endif
