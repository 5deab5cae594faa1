/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "linux_inner.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define FRAG_S     30  /* for the fragments of a datagram */
#define ICMP_A_SECOND 100
#define ICMP_MAX   1280
#define FRAG       65536

#define SLOT IPSEC_REASS_SIZE(IPSEC_LINUX_PACKET_MAX, IPSEC_LINUX_HEADROOM, \
                              IPSEC_LINUX_TAILROOM)

/* --- checksums that the sender left to hardware that isn't there */

static uint32_t
sum(uint32_t s, const uint8_t *p, size_t len)
{
    size_t i;

    for (i = 0; i + 1 < len; i += 2) {
        s += (uint32_t)p[i] << 8 | p[i + 1];
    }
    return len % 2 ? s + ((uint32_t)p[len - 1] << 8) : s;
}

static uint16_t
folded(uint32_t s)
{
    s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~(s + (s >> 16));
}

uint16_t
ipsec_linux_header_checksum(const uint8_t *p, size_t len)
{
    return folded(sum(0, p, len));
}

/* Of what an IP packet carries, with its pseudo header. */
uint16_t
ipsec_linux_checksum(const uint8_t *ip, const uint8_t *payload, size_t len,
                     unsigned proto)
{
    int four = ip[0] >> 4 == 4;
    uint32_t s = sum(proto + (uint32_t)len, ip + (four ? 12 : 8),
                     four ? 8 : 32);

    return folded(sum(s, payload, len));
}

/* TCP or UDP of a whole packet, without IPv6 extension headers: a station on
 * this machine leaves no others. */
static void
fill_checksum(struct ipsec_linux_frame *frame)
{
    uint8_t *p = frame->data, *l4;
    size_t four = p[0] >> 4 == 4, at, head, total;
    unsigned proto, s;

    if (frame->len < (four ? 20u : 40u)) {
        return;
    }
    head = four ? (size_t)(p[0] & 15) * 4 : 40;
    total = four ? (size_t)p[2] << 8 | p[3]
                 : ((size_t)p[4] << 8 | p[5]) + 40;
    proto = four ? p[9] : p[6];
    at = proto == 6 ? 16 : proto == 17 ? 6 : 0;
    if (at == 0 || total > frame->len || total < head + at + 2 ||
        (four && ((p[6] & 0x3f) | p[7]) != 0)) {
        return;
    }
    l4 = p + head;
    l4[at] = l4[at + 1] = 0;
    s = ipsec_linux_checksum(p, l4, total - head, proto);
    s = s == 0 && proto == 17 ? 0xffff : s;
    l4[at] = (uint8_t)(s >> 8);
    l4[at + 1] = (uint8_t)s;
}

/* The two addresses of a packet; 0: too short for them. */
int
ipsec_linux_addresses(const uint8_t *p, size_t len, struct ipsec_addr *src,
                      struct ipsec_addr *dst)
{
    int four = p[0] >> 4 == 4;

    memset(src, 0, sizeof *src);
    memset(dst, 0, sizeof *dst);
    if (len < (four ? 20u : 40u)) {
        return 0;
    }
    src->version = dst->version = four ? 4 : 6;
    if (four) {
        memcpy(src->byte, p + 12, 4);
        memcpy(dst->byte, p + 16, 4);
    } else {
        memcpy(src->byte, p + 8, 16);
        memcpy(dst->byte, p + 24, 16);
    }
    return 1;
}

/* --- what becomes of packets: ipsec_netif's callbacks */

/* What is for an address of our own goes no further. Of what comes from one, or
 * whose sender has left that to us, it is ours to say who is next. */
static void
send_on(struct ipsec_linux *port, struct ipsec_linux_side *side,
        const struct ipsec_linux_frame *frame, const struct ipsec_buf *ip)
{
    struct ipsec_addr src, dst;

    if (port->hops != NULL) {
        if (!ipsec_linux_addresses(ip->data, ip->len, &src, &dst) ||
            ipsec_linux_hop_is_own(port, &dst)) {
            port->hops->refused++;
            return;
        }
        if (frame->to_us || ipsec_linux_hop_is_own(port, &src)) {
            ipsec_linux_hop_send(port, side, ip);
            return;
        }
    }
    ipsec_linux_send(side, frame, ip);
}

/* Who forwards takes one off (RFC 4301 section 5.1.2.1, RFC 1141). 0: that was
 * the last. */
static int
count_hop(struct ipsec_linux *port, const struct ipsec_linux_frame *frame,
          uint8_t *p)
{
    int four = p[0] >> 4 == 4;
    uint8_t *ttl = p + (four ? 8 : 7);
    unsigned s;

    if (port->hops == NULL || !frame->to_us) {
        return 1;
    }
    if (*ttl <= 1) {
        port->hops->expired++;
        return 0;
    }
    --*ttl;
    if (four) {
        s = ((unsigned)p[10] << 8 | p[11]) + 0x100;
        s += s >> 16;
        p[10] = (uint8_t)(s >> 8);
        p[11] = (uint8_t)s;
    }
    return 1;
}

static void
transmit(void *user, struct ipsec_pkt *pkt, const struct ipsec_buf *buf)
{
    struct ipsec_linux *port = user;

    if (port->black->kind == IPSEC_LINUX_RAW &&
        port->black->name[0] == '\0' && pkt->layers == 0) {
        port->no_return++;
        return;
    }
    send_on(port, port->black, pkt->user, buf);
}

/* The red side may be a wire, too, which takes no more than its MTU. Of IPv6 we
 * stand for the source here, which cut the datagram before it was sealed. */
static void
deliver(void *user, struct ipsec_pkt *pkt)
{
    struct ipsec_linux *port = user;
    struct ipsec_buf frag = { port->nif.frag, port->nif.frag, NULL, 0 };
    size_t off = 0;

    if (!count_hop(port, pkt->user, pkt->buf.data)) {
        return;
    }
    if (pkt->layers > 0) {
        ipsec_linux_clamp(port, IPSEC_IN, pkt);
    }
    if (port->red->kind != IPSEC_LINUX_PACKET ||
        pkt->buf.len <= port->red->mtu) {
        send_on(port, port->red, pkt->user, &pkt->buf);
        return;
    }
    frag.end = frag.head + FRAG;
    port->nif.id++;
    while (ipsec_fragment(&pkt->buf, port->red->mtu, port->nif.id, &off,
                          &frag) == IPSEC_OK) {
        send_on(port, port->red, pkt->user, &frag);
    }
    port->red->count.unsent += off == 0;
}

static int
icmp_allowed(struct ipsec_linux *port)
{
    uint32_t now = ipsec_now(port->ips);

    if (now != port->icmp_second) {
        port->icmp_second = now;
        port->icmp_now = 0;
    }
    if (port->icmp_now == ICMP_A_SECOND) {
        port->icmp_limited++;
        return 0;
    }
    port->icmp_now++;
    return 1;
}

/* Its sender and where it was to go. */
static void
turn_round(struct ipsec_linux_frame *frame, const struct ipsec_linux_frame *of)
{
    *frame = *of;
    if (of->ethernet_len != 0) {
        memcpy(frame->ethernet, of->ethernet + 6, 6);
        memcpy(frame->ethernet + 6, of->ethernet, 6);
    }
}

/* Was it sent to a group of stations? */
static int
is_group(const struct ipsec_linux_frame *frame)
{
    return frame->ethernet_len != 0 && (frame->ethernet[0] & 1) != 0;
}

/* The sender on the red side hears how long its packets may be, from where
 * they were to go: an address of ours may be the sender's own, which it would
 * not believe. Other drops are silent: audit has them. */
static void
drop(void *user, struct ipsec_pkt *pkt, int status)
{
    struct ipsec_linux *port = user;
    struct ipsec_linux_frame frame;
    struct ipsec_addr src, dst;
    struct ipsec_buf buf;
    uint8_t error[ICMP_MAX];

    memset(&buf, 0, sizeof buf);
    if (status != IPSEC_ERR_TOO_BIG || pkt->layers > 0 ||
        is_group(pkt->user) ||
        !ipsec_linux_addresses(pkt->buf.data, pkt->buf.len, &src, &dst)) {
        return;
    }
    buf.data = error;
    buf.len = ipsec_icmp_error(pkt, status, &dst, error, sizeof error);
    if (buf.len == 0 || !icmp_allowed(port)) {
        return;
    }
    turn_round(&frame, pkt->user);
    port->icmp_sent++;
    ipsec_linux_send(port->red, &frame, &buf);
}

/* --- packets in */

static int
is_transit(const struct ipsec_linux *port, const struct ipsec_addr *src,
           const struct ipsec_addr *dst)
{
    return !port->is_ours(port->user, src) && !port->is_ours(port->user, dst);
}

static void
pass_plain(struct ipsec_linux *port, struct ipsec_linux_side *to,
           struct ipsec_linux_frame *frame)
{
    struct ipsec_buf buf;

    memset(&buf, 0, sizeof buf);
    buf.data = frame->data;
    buf.len = frame->len;
    send_on(port, to, frame, &buf);
}

/* What is to be known of it before policy is asked: its pkt.flags, or -1: drop
 * it. Of those of our addresses that are the bump's own, nobody else has one,
 * and no tunnel ends there on the red side. */
static int
look_at(struct ipsec_linux *port, int out, struct ipsec_linux_frame *frame)
{
    struct ipsec_addr src, dst;

    if (!ipsec_linux_addresses(frame->data, frame->len, &src, &dst)) {
        return 0;
    }
    if (port->hops != NULL &&
        (ipsec_linux_hop_is_own(port, &src) ||
         (out && ipsec_linux_hop_is_own(port, &dst)))) {
        port->hops->refused++;
        return -1;
    }
    if (out && !count_hop(port, frame, frame->data)) {
        return -1;
    }
    return is_transit(port, &src, &dst) ? (int)IPSEC_PKT_TRANSIT : 0;
}

/* May it be one? Over IPv6 a Fragment header may be behind others, which is
 * rare, so any of those counts. */
static int
may_be_fragment(const struct ipsec_linux_frame *frame)
{
    const uint8_t *p = frame->data;

    if (frame->len < 20) {
        return 1;
    }
    if (p[0] >> 4 == 4) {
        return ((p[6] & 0x3f) | p[7]) != 0;
    }
    return p[6] == IPPROTO_HOPOPTS || p[6] == IPPROTO_ROUTING ||
           p[6] == IPPROTO_FRAGMENT || p[6] == IPPROTO_DSTOPTS;
}

/* Whole packets need nobody to put them together. */
static void
set_reass(struct ipsec_linux *port, const struct ipsec_linux_frame *frame)
{
    int is = may_be_fragment(frame);

    port->nif.reass_out = is ? &port->reass_out : NULL;
    port->nif.reass_in = is ? &port->reass_in : NULL;
}

static void
take_packet(struct ipsec_linux *port, int out, struct ipsec_linux_frame *frame)
{
    struct ipsec_pkt *pkt = &port->pkt;
    int flags;

    if (frame->no_csum) {
        fill_checksum(frame);
    }
    if (port->plain) {
        pass_plain(port, out ? port->black : port->red, frame);
        return;
    }
    flags = look_at(port, out, frame);
    if (flags < 0) {
        return;
    }
    pkt->buf.head = frame->mem;
    pkt->buf.data = frame->data;
    pkt->buf.end = frame->mem + IPSEC_LINUX_FRAME;
    pkt->buf.len = frame->len;
    pkt->user = frame;
    pkt->flags = (uint8_t)flags;
    set_reass(port, frame);
    if (frame->about_ours) {
        (void)ipsec_inbound(port->ips, pkt); /* the kernel has it, too */
    } else if (out) {
        ipsec_linux_clamp(port, IPSEC_OUT, pkt);
        ipsec_netif_output(&port->nif, pkt);
    } else {
        ipsec_netif_input(&port->nif, pkt);
    }
}

/* What claims to be IP and isn't is nobody's: as a frame, no policy would have
 * seen it. */
static int
has_version(const struct ipsec_linux_frame *frame)
{
    unsigned version = frame->ethernet_len == 0 ? 0
        : frame->ethernet[12] == 0x08 ? 4 : 6;

    return frame->len > 0 &&
           (version == 0 || frame->data[0] >> 4 == version);
}

static void
take_frame(struct ipsec_linux *port, struct ipsec_linux_side *side,
           struct ipsec_linux_frame *frame)
{
    int out = side == port->red;
    struct ipsec_linux_side *to = out ? port->black : port->red;

    if (frame->is_ip && has_version(frame)) {
        take_packet(out || port->choose == NULL ? port
                    : port->choose(port->user, frame), out, frame);
    } else if (!frame->is_ip && port->pass_frames &&
               to->kind != IPSEC_LINUX_TUN && to->kind != IPSEC_LINUX_RAW) {
        ipsec_linux_send_frame(to, frame);
    } else {
        side->count.frames_dropped++;
    }
}

/* As a wire would have it. */
static void
take_segments(struct ipsec_linux *port, struct ipsec_linux_side *side,
              struct ipsec_linux_frame *whole)
{
    struct ipsec_linux_frame part = *whole;
    size_t off = 0;

    part.mem = port->segment;
    while (ipsec_linux_segment(whole, &off, &part)) {
        take_frame(port, side, &part);
    }
    side->count.too_long += off == 0;
}

/* see ipsec_linux.h */
void
ipsec_linux_poll(struct ipsec_linux *port, struct ipsec_linux_side *side,
                 unsigned i, unsigned most)
{
    struct ipsec_linux_frame frame;

    frame.mem = port->mem;
    while (most-- > 0 && ipsec_linux_receive(side, i, &frame) > 0) {
        if (port->hops != NULL && ipsec_linux_hop_take(port, side, &frame)) {
            continue;
        }
        if (frame.gso != 0) {
            take_segments(port, side, &frame);
        } else {
            take_frame(port, side, &frame);
        }
    }
}

/* --- begin and end */

static void
reass_set(struct ipsec_reass *re, struct ipsec_reass_slot *slot, uint8_t *mem)
{
    size_t i;

    for (i = 0; i < IPSEC_LINUX_SLOTS; i++) {
        slot[i].buf = mem + i * SLOT;
        slot[i].size = SLOT;
    }
    re->slot = slot;
    re->len = IPSEC_LINUX_SLOTS;
    re->seconds = FRAG_S;
    re->headroom = IPSEC_LINUX_HEADROOM;
    re->tailroom = IPSEC_LINUX_TAILROOM;
}

/* see ipsec_linux.h */
int
ipsec_linux_begin(struct ipsec_linux *port)
{
    struct ipsec_netif *nif = &port->nif;
    uint8_t *mem = malloc(2 * IPSEC_LINUX_FRAME + FRAG +
                          2 * (size_t)IPSEC_LINUX_SLOTS * SLOT);

    if (mem == NULL ||
        ipsec_linux_random(NULL, &nif->id, sizeof nif->id) != 0) {
        free(mem);
        return -1;
    }
    port->mem = mem;
    mem += IPSEC_LINUX_FRAME;
    port->segment = mem;
    mem += IPSEC_LINUX_FRAME;
    nif->frag = mem;
    mem += FRAG;
    reass_set(&port->reass_out, port->slot[0], mem);
    reass_set(&port->reass_in, port->slot[1], mem + IPSEC_LINUX_SLOTS * SLOT);
    nif->ips = port->ips;
    nif->user = port;
    nif->transmit = transmit;
    nif->deliver = deliver;
    nif->drop = drop;
    nif->flags = IPSEC_NETIF_REASS_CLEAR;
    nif->mtu = (uint16_t)port->black->mtu;
    return 0;
}

/* see ipsec_linux.h */
void
ipsec_linux_end(struct ipsec_linux *port)
{
    ipsec_linux_hop_end(port);
    free(port->mem);
    port->mem = NULL;
}

/* see ipsec_linux.h */
void
ipsec_linux_tick(struct ipsec_linux *port)
{
    port->nif.mtu = (uint16_t)port->black->mtu;
    ipsec_reass_tick(&port->reass_out, ipsec_now(port->ips));
    ipsec_reass_tick(&port->reass_in, ipsec_now(port->ips));
    ipsec_linux_hop_tick(port);
}
