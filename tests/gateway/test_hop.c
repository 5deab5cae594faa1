/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "fake/fixture.h"
#include "linux_inner.h"

#include <sys/socket.h>
#include <unistd.h>

/* A bump's own addresses, ports/linux/linux_hop.c and linux_nd.c: both sides
 * are sockets, whose other ends the test has. All policies bypass. */

#define OWN    "10.9.0.1"
#define HOST   "10.77.1.5"
#define PEER   "10.9.0.2"
#define ROUTER "10.9.0.254"

static const uint8_t red_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t black_mac[6] = { 2, 0, 0, 0, 0, 2 };
static const uint8_t host_mac[6] = { 2, 0, 0, 0, 0, 5 };
static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 9 };
static const uint8_t all_mac[6] = { 255, 255, 255, 255, 255, 255 };

struct bump {
    struct fx               fx;
    struct ipsec_linux      port;
    struct ipsec_linux_hops hops;
    struct ipsec_linux_side red, black;
    struct ipsec_policy     policy[4];
    int                     host, wire; /* the other ends */
    uint8_t                 frame[2000];
    size_t                  len;
};

static int
is_ours(void *user, const struct ipsec_addr *a)
{
    const struct bump *b = user;

    return ipsec_linux_hop_is_own(&b->port, a);
}

static void
own(struct bump *b, const char *text, uint8_t bits)
{
    b->hops.own[b->hops.owns].addr = addr(text);
    b->hops.own[b->hops.owns++].bits = bits;
}

static void
route(struct bump *b, const char *net, uint8_t bits, const char *via)
{
    struct ipsec_linux_route *r = &b->hops.route[b->hops.routes++];

    r->net.addr = addr(net);
    r->net.bits = bits;
    r->via = addr(via);
}

static int
side_set(struct ipsec_linux_side *side, const uint8_t mac[6])
{
    int pair[2];

    assert_int_equal(ipsec_linux_side_init(side, "packet:x"), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair),
                     0);
    side->fd[0] = pair[0];
    side->lost = 0;
    memcpy(side->mac, mac, 6);
    return pair[1];
}

static int
setup(void **state)
{
    struct bump *b = calloc(1, sizeof *b);
    int i;

    *state = b;
    fx_init(&b->fx, 0);
    for (i = 0; i < 4; i++) {
        b->policy[i].action = IPSEC_ACTION_BYPASS;
        b->policy[i].dir = i % 2 ? IPSEC_OUT : IPSEC_IN;
        b->policy[i].sel.version = i < 2 ? 4 : 6;
        assert_int_equal(ipsec_spd_add(&b->fx.ips, &b->policy[i]), 0);
    }
    b->host = side_set(&b->red, red_mac);
    b->wire = side_set(&b->black, black_mac);
    own(b, OWN, 24);
    own(b, "10.77.1.1", 24);
    own(b, "fd09::1", 64);
    b->port.ips = &b->fx.ips;
    b->port.red = &b->red;
    b->port.black = &b->black;
    b->port.hops = &b->hops;
    b->port.is_ours = is_ours;
    b->port.user = b;
    return ipsec_linux_begin(&b->port);
}

static int
teardown(void **state)
{
    struct bump *b = *state;

    ipsec_linux_end(&b->port);
    assert_int_equal(b->hops.waiting, 0);
    ipsec_linux_close(&b->red);
    ipsec_linux_close(&b->black);
    close(b->host);
    close(b->wire);
    free(b);
    return 0;
}

/* --- frames */

static void
put_header(struct bump *b, const uint8_t *to, const uint8_t *from,
           unsigned type)
{
    memset(b->frame, 0, sizeof b->frame);
    memcpy(b->frame, to, 6);
    memcpy(b->frame + 6, from, 6);
    b->frame[12] = (uint8_t)(type >> 8);
    b->frame[13] = (uint8_t)type;
    b->len = 14;
}

/* What is in b->frame comes in on that side. */
static void
come(struct bump *b, int end)
{
    assert_int_equal(send(end, b->frame, b->len, 0), b->len);
    ipsec_linux_poll(&b->port, end == b->host ? &b->red : &b->black, 0, 9);
}

/* The next one that left there, into b->frame: its length, or 0. */
static size_t
left(struct bump *b, int end)
{
    ssize_t n = recv(end, b->frame, sizeof b->frame, 0);

    b->len = n < 0 ? 0 : (size_t)n;
    return b->len;
}

static void
nothing(struct bump *b)
{
    assert_int_equal(left(b, b->host), 0);
    assert_int_equal(left(b, b->wire), 0);
}

static void
arp(struct bump *b, int end, int ask, const char *from, const uint8_t *mac,
    const char *to)
{
    struct ipsec_addr f = addr(from), t = addr(to);

    put_header(b, ask ? all_mac : end == b->host ? red_mac : black_mac, mac,
               0x0806);
    memcpy(b->frame + 14, "\0\1\10\0\6\4\0", 7);
    b->frame[21] = ask ? 1 : 2;
    memcpy(b->frame + 22, mac, 6);
    memcpy(b->frame + 28, f.byte, 4);
    memcpy(b->frame + 38, t.byte, 4);
    b->len = 60; /* padded, as by a card */
    come(b, end);
}

static void
assert_arp(struct bump *b, int end, int ask, const char *from, const char *to,
           const uint8_t *to_mac)
{
    struct ipsec_addr f = addr(from), t = addr(to);
    const uint8_t *mac = end == b->host ? red_mac : black_mac;

    assert_int_equal(left(b, end), 42);
    assert_memory_equal(b->frame, ask ? all_mac : to_mac, 6);
    assert_memory_equal(b->frame + 6, mac, 6);
    assert_memory_equal(b->frame + 12, "\10\6\0\1\10\0\6\4\0", 9);
    assert_int_equal(b->frame[21], ask ? 1 : 2);
    assert_memory_equal(b->frame + 22, mac, 6);
    assert_memory_equal(b->frame + 28, f.byte, 4);
    assert_memory_equal(b->frame + 38, t.byte, 4);
    if (!ask) {
        assert_memory_equal(b->frame + 32, to_mac, 6);
    }
}

static unsigned
header_sum(const uint8_t *p)
{
    unsigned s = 0;
    int i;

    for (i = 0; i < 20; i += 2) {
        s += (unsigned)p[i] << 8 | p[i + 1];
    }
    while (s >> 16) {
        s = (s & 0xffff) + (s >> 16);
    }
    return s;
}

/* An IPv4 packet of 28 bytes, of which `mark` is the last. */
static void
ip4_set(struct bump *b, const uint8_t *to_mac, const uint8_t *from_mac,
        const char *from, const char *to, int ttl, int mark)
{
    struct ipsec_addr f = addr(from), t = addr(to);
    uint8_t *p = b->frame + 14;
    unsigned s;

    put_header(b, to_mac, from_mac, 0x0800);
    p[0] = 0x45;
    p[3] = 28;
    p[8] = (uint8_t)ttl;
    p[9] = 17;
    memcpy(p + 12, f.byte, 4);
    memcpy(p + 16, t.byte, 4);
    s = ~header_sum(p) & 0xffff;
    p[10] = (uint8_t)(s >> 8);
    p[11] = (uint8_t)s;
    p[25] = 8;
    p[27] = (uint8_t)mark;
    b->len = 14 + 28;
}

/* From the host, through our station. */
static void
ip4(struct bump *b, const char *to, int mark)
{
    ip4_set(b, red_mac, host_mac, HOST, to, 64, mark);
    come(b, b->host);
}

static void
assert_ip4(struct bump *b, int end, const uint8_t *to_mac,
           const uint8_t *from_mac, int ttl, int mark)
{
    assert_int_equal(left(b, end), 14 + 28);
    assert_memory_equal(b->frame, to_mac, 6);
    assert_memory_equal(b->frame + 6, from_mac, 6);
    assert_memory_equal(b->frame + 12, "\10\0\105", 3);
    assert_int_equal(b->frame[14 + 8], ttl);
    assert_int_equal(b->frame[14 + 27], mark);
    assert_int_equal(header_sum(b->frame + 14), 0xffff);
}

/* It is `seconds` later. */
static void
later(struct bump *b, uint32_t seconds)
{
    (void)ipsec_tick(&b->fx.ips, ipsec_now(&b->fx.ips) + seconds);
    ipsec_linux_tick(&b->port);
}

/* Neighbour discovery in b->frame; `mac` NULL: without an option. */
static void
nd_set(struct bump *b, int kind, const char *from, const char *to,
       const char *target, const uint8_t *mac, uint8_t flags)
{
    struct ipsec_addr f = addr(from), t = addr(to), of = addr(target);
    size_t n = mac != NULL ? 32 : 24;
    uint8_t *p = b->frame + 14;
    uint16_t s;

    put_header(b, black_mac, peer_mac, 0x86dd);
    p[0] = 0x60;
    p[5] = (uint8_t)n;
    p[6] = 58;
    p[7] = 255;
    memcpy(p + 8, f.byte, 16);
    memcpy(p + 24, t.byte, 16);
    p[40] = (uint8_t)kind;
    p[44] = flags;
    memcpy(p + 48, of.byte, 16);
    if (mac != NULL) {
        p[64] = kind == 135 ? 1 : 2;
        p[65] = 1;
        memcpy(p + 66, mac, 6);
    }
    s = ipsec_linux_checksum(p, p + 40, n, 58);
    p[42] = (uint8_t)(s >> 8);
    p[43] = (uint8_t)s;
    b->len = 14 + 40 + n;
}

static void
assert_nd(struct bump *b, int end, int kind, const char *to,
          const char *target, const uint8_t *to_mac, unsigned flags)
{
    struct ipsec_addr t = addr(to), of = addr(target);
    const uint8_t *p = b->frame + 14;
    const uint8_t *mac = end == b->host ? red_mac : black_mac;

    assert_int_equal(left(b, end), 14 + 72);
    assert_memory_equal(b->frame, to_mac, 6);
    assert_memory_equal(b->frame + 6, mac, 6);
    assert_memory_equal(p + 24, t.byte, 16);
    assert_int_equal(p[7], 255);
    assert_int_equal(p[40], kind);
    assert_int_equal(p[44], flags);
    assert_memory_equal(p + 48, of.byte, 16);
    assert_memory_equal(p + 66, mac, 6);
    assert_int_equal(ipsec_linux_checksum(p, p + 40, 32, 58), 0);
}

/* --- who asks for us */

static void
test_hop_answers_arp_for_its_own(void **state)
{
    struct bump *b = *state;

    arp(b, b->wire, 1, PEER, peer_mac, OWN);
    assert_arp(b, b->wire, 0, OWN, PEER, peer_mac);
    arp(b, b->host, 1, HOST, host_mac, "10.77.1.1");
    assert_arp(b, b->host, 0, "10.77.1.1", HOST, host_mac);
    nothing(b);
}

/* ARP of others goes by configuration, as ever. */
static void
test_hop_lets_arp_of_others_be(void **state)
{
    struct bump *b = *state;

    arp(b, b->wire, 1, PEER, peer_mac, "10.9.0.3");
    nothing(b);
    assert_int_equal(b->black.count.frames_dropped, 1);
    b->port.pass_frames = 1;
    arp(b, b->wire, 1, PEER, peer_mac, "10.9.0.3");
    assert_int_equal(left(b, b->host), 60);
    nothing(b);
}

static void
test_hop_answers_neighbour_discovery(void **state)
{
    struct bump *b = *state;

    nd_set(b, 135, "fd09::2", "ff02::1:ff00:1", "fd09::1", peer_mac, 0);
    come(b, b->wire);
    assert_nd(b, b->wire, 136, "fd09::2", "fd09::1", peer_mac, 0xe0);
    nd_set(b, 135, "fe80::2", "fd09::1", "fd09::1", NULL, 0);
    come(b, b->wire);
    assert_nd(b, b->wire, 136, "fe80::2", "fd09::1", peer_mac, 0xe0);
    /* somebody wants to have it: all are told that it is ours */
    nd_set(b, 135, "::", "ff02::1:ff00:1", "fd09::1", NULL, 0);
    come(b, b->wire);
    assert_nd(b, b->wire, 136, "ff02::1", "fd09::1",
              (const uint8_t *)"\x33\x33\0\0\0\1", 0xa0);
    nothing(b);
    nd_set(b, 135, "fd09::2", "ff02::1:ff00:3", "fd09::3", peer_mac, 0);
    memcpy(b->frame, "\x33\x33\xff\0\0\3", 6);
    come(b, b->wire);
    assert_int_equal(left(b, b->host), 14 + 72); /* by policy */
}

/* --- whom we ask for */

static void
test_hop_asks_then_sends(void **state)
{
    struct bump *b = *state;

    ip4(b, PEER, 1);
    assert_arp(b, b->wire, 1, OWN, PEER, NULL);
    ip4(b, PEER, 2);
    nothing(b); /* asked already, in this second */
    arp(b, b->wire, 0, PEER, peer_mac, OWN);
    assert_ip4(b, b->wire, peer_mac, black_mac, 63, 1);
    assert_ip4(b, b->wire, peer_mac, black_mac, 63, 2);
    ip4(b, PEER, 3);
    assert_ip4(b, b->wire, peer_mac, black_mac, 63, 3);
    nothing(b);
    assert_int_equal(b->hops.full + b->hops.unanswered, 0);
}

static void
test_hop_asks_by_neighbour_discovery(void **state)
{
    struct bump *b = *state;
    struct ipsec_addr to = addr("fd09::2");
    uint8_t *p = b->frame + 14;

    put_header(b, red_mac, host_mac, 0x86dd);
    p[0] = 0x60;
    p[6] = 59;
    p[7] = 9;
    p[8] = 0xfd;
    memcpy(p + 24, to.byte, 16);
    b->len = 14 + 40;
    come(b, b->host);
    assert_nd(b, b->wire, 135, "ff02::1:ff00:2", "fd09::2",
              (const uint8_t *)"\x33\x33\xff\0\0\2", 0);
    nd_set(b, 136, "fd09::2", "fd09::1", "fd09::2", peer_mac, 0x60);
    come(b, b->wire);
    assert_int_equal(left(b, b->wire), 14 + 40);
    assert_memory_equal(b->frame, peer_mac, 6);
    assert_int_equal(p[7], 8);
    nothing(b);
    /* one that is not to override what is known, does not; another does */
    nd_set(b, 136, "fd09::2", "fd09::1", "fd09::2", host_mac, 0x40);
    come(b, b->wire);
    assert_memory_equal(b->hops.hop[0].mac, peer_mac, 6);
    nd_set(b, 136, "fd09::2", "ff02::1", "fd09::2", host_mac, 0x20);
    come(b, b->wire);
    assert_memory_equal(b->hops.hop[0].mac, host_mac, 6);
}

static void
test_hop_goes_by_its_routes(void **state)
{
    struct bump *b = *state;

    ip4(b, "203.0.113.1", 1);
    assert_int_equal(b->hops.no_route, 1);
    nothing(b);
    route(b, "0.0.0.0", 0, ROUTER);
    route(b, "203.0.113.128", 25, "10.9.0.3");
    route(b, "203.0.113.0", 24, "10.9.0.4");
    ip4(b, "198.51.100.1", 1);
    assert_arp(b, b->wire, 1, OWN, ROUTER, NULL);
    ip4(b, "203.0.113.129", 1);
    assert_arp(b, b->wire, 1, OWN, "10.9.0.3", NULL);
    ip4(b, "203.0.113.127", 1);
    assert_arp(b, b->wire, 1, OWN, "10.9.0.4", NULL);
    nothing(b);
}

/* What is for another station keeps its header, and has no hop counted. */
static void
test_hop_lets_the_rest_be(void **state)
{
    struct bump *b = *state;

    ip4_set(b, peer_mac, host_mac, "10.9.0.7", PEER, 64, 1);
    come(b, b->host);
    assert_ip4(b, b->wire, peer_mac, host_mac, 64, 1);
    ip4_set(b, host_mac, peer_mac, PEER, "10.9.0.7", 64, 2);
    come(b, b->wire);
    assert_ip4(b, b->host, host_mac, peer_mac, 64, 2);
    nothing(b);
}

static void
test_hop_delivers_what_came_to_us(void **state)
{
    struct bump *b = *state;

    ip4_set(b, black_mac, peer_mac, PEER, HOST, 64, 1);
    come(b, b->wire);
    assert_arp(b, b->host, 1, "10.77.1.1", HOST, NULL);
    /* an answer on the other side moves nothing */
    arp(b, b->wire, 0, HOST, peer_mac, "10.77.1.1");
    nothing(b);
    arp(b, b->host, 0, HOST, host_mac, "10.77.1.1");
    assert_ip4(b, b->host, host_mac, red_mac, 63, 1);
    nothing(b);
}

static void
test_hop_refuses_its_own(void **state)
{
    struct bump *b = *state;

    ip4(b, "10.77.1.1", 1);
    ip4_set(b, black_mac, peer_mac, PEER, OWN, 64, 1);
    come(b, b->wire);
    assert_int_equal(b->hops.refused, 2);
    ip4_set(b, peer_mac, host_mac, OWN, PEER, 64, 1); /* as if from us */
    come(b, b->host);
    ip4_set(b, host_mac, peer_mac, OWN, HOST, 64, 1);
    come(b, b->wire);
    assert_int_equal(b->hops.refused, 4);
    nothing(b);
}

/* Whatever station it was sent to: it goes no further. */
static void
test_hop_refuses_its_own_past_its_station(void **state)
{
    struct bump *b = *state;

    ip4_set(b, all_mac, peer_mac, PEER, OWN, 64, 1);
    come(b, b->wire);
    ip4_set(b, host_mac, peer_mac, PEER, OWN, 64, 1);
    come(b, b->wire);
    ip4_set(b, peer_mac, host_mac, HOST, OWN, 64, 1);
    come(b, b->host);
    assert_int_equal(b->hops.refused, 3);
    assert_int_equal(b->fx.ips.stats.out_bypass, 0); /* ahead of policy */
    nothing(b);
}

/* Who says it has our address is not heard on the other side. */
static void
test_hop_lets_nobody_claim_its_own(void **state)
{
    struct bump *b = *state;

    b->port.pass_frames = 1;
    arp(b, b->wire, 0, OWN, peer_mac, "10.9.0.3");
    arp(b, b->wire, 1, OWN, peer_mac, "10.9.0.3");
    nd_set(b, 136, "fd09::2", "ff02::1", "fd09::1", peer_mac, 0x20);
    memcpy(b->frame, "\x33\x33\0\0\0\1", 6);
    come(b, b->wire);
    assert_int_equal(b->hops.refused, 3);
    nothing(b);
    nd_set(b, 136, "fd09::2", "ff02::1", "fd09::2", peer_mac, 0x20);
    memcpy(b->frame, "\x33\x33\0\0\0\1", 6);
    come(b, b->wire);
    assert_int_equal(left(b, b->host), 14 + 72); /* its own, it may */
}

static void
test_hop_counts_hops(void **state)
{
    struct bump *b = *state;

    ip4_set(b, red_mac, host_mac, HOST, PEER, 1, 1);
    come(b, b->host);
    ip4_set(b, black_mac, peer_mac, PEER, HOST, 0, 1);
    come(b, b->wire);
    assert_int_equal(b->hops.expired, 2);
    nothing(b);
}

static void
test_hop_keeps_the_checksum_right(void **state)
{
    struct bump *b = *state;
    int i;

    ip4(b, PEER, 1);
    arp(b, b->wire, 0, PEER, peer_mac, OWN);
    while (left(b, b->wire) > 0) {
    }
    for (i = 1; i < 255; i++) {
        char from[20];

        snprintf(from, sizeof from, "10.%d.1.5", i);
        ip4_set(b, red_mac, host_mac, from, PEER, 256 - i, i);
        come(b, b->host);
        assert_ip4(b, b->wire, peer_mac, black_mac, 255 - i, i);
    }
}

/* --- errors of ours */

/* 1600 bytes that may not be cut, for a link of 1500. */
static void
too_long(struct bump *b, const uint8_t *to_mac)
{
    uint8_t *p = b->frame + 14;
    unsigned s;

    ip4_set(b, to_mac, host_mac, HOST, PEER, 64, 1);
    p[2] = 1600 >> 8;
    p[3] = 1600 & 0xff;
    p[6] = 0x40;
    p[10] = p[11] = 0;
    s = ~header_sum(p) & 0xffff;
    p[10] = (uint8_t)(s >> 8);
    p[11] = (uint8_t)s;
    b->len = 14 + 1600;
    come(b, b->host);
}

/* Its sender is told, but not of what went to a group of stations (RFC 1122
 * section 3.2.2), none of which could be the error's source. */
static void
test_hop_tells_nothing_of_broadcasts(void **state)
{
    struct bump *b = *state;

    too_long(b, peer_mac);
    assert_int_equal(left(b, b->host), 14 + 576);
    assert_memory_equal(b->frame, host_mac, 6);
    assert_memory_equal(b->frame + 6, peer_mac, 6);
    too_long(b, all_mac);
    nothing(b);
    assert_int_equal(b->port.icmp_sent, 1);
}

/* --- silence */

static void
test_hop_gives_up(void **state)
{
    struct bump *b = *state;
    int i;

    ip4(b, PEER, 1);
    ip4(b, PEER, 2);
    for (i = 0; i < 3; i++) {
        assert_arp(b, b->wire, 1, OWN, PEER, NULL);
        assert_int_equal(b->hops.unanswered, 0);
        later(b, 1);
    }
    assert_int_equal(b->hops.unanswered, 2);
    arp(b, b->wire, 0, PEER, peer_mac, OWN);
    later(b, 1);
    nothing(b);
    ip4(b, PEER, 3); /* and begins again */
    assert_arp(b, b->wire, 1, OWN, PEER, NULL);
}

static void
test_hop_drops_the_newest_when_full(void **state)
{
    struct bump *b = *state;
    size_t i, room = IPSEC_LINUX_WAITING / 28;

    ip4(b, PEER, 1);
    assert_int_equal(left(b, b->wire), 42);
    for (i = 1; i < room + 3; i++) {
        ip4(b, PEER, 2);
    }
    assert_int_equal(b->hops.full, 3);
    assert_int_equal(b->hops.waiting, room * 28);
    assert_int_equal(b->hops.unanswered, 0);
}

/* In all, too: each of many has little, and then there is no more. */
static void
test_hop_keeps_so_much_in_all(void **state)
{
    struct bump *b = *state;
    size_t i, n = IPSEC_LINUX_WAITING / 1028;
    char to[20];

    for (i = 0; i < 10 * n; i++) {
        snprintf(to, sizeof to, "10.9.0.%u", (unsigned)(i / n) + 2);
        ip4_set(b, red_mac, host_mac, HOST, to, 64, 1);
        b->frame[14 + 2] = 4; /* 1052 bytes; its checksum is nobody's here */
        b->len = 14 + 1052;
        come(b, b->host);
        while (left(b, b->wire) > 0) {
        }
    }
    assert_true(b->hops.waiting <= 8u * IPSEC_LINUX_WAITING);
    assert_true(b->hops.waiting + 1052 > 8u * IPSEC_LINUX_WAITING);
    assert_true(b->hops.full > n);
}

static void
test_hop_asks_again_in_time(void **state)
{
    struct bump *b = *state;

    ip4(b, PEER, 1);
    arp(b, b->wire, 0, PEER, peer_mac, OWN);
    while (left(b, b->wire) > 0) {
    }
    later(b, 59);
    ip4(b, PEER, 2);
    assert_ip4(b, b->wire, peer_mac, black_mac, 63, 2);
    nothing(b);
    later(b, 1); /* still good, but to be confirmed */
    ip4(b, PEER, 3);
    assert_ip4(b, b->wire, peer_mac, black_mac, 63, 3);
    assert_arp(b, b->wire, 1, OWN, PEER, NULL);
    nothing(b);
    later(b, 30);
    ip4(b, PEER, 4);
    assert_arp(b, b->wire, 1, OWN, PEER, NULL);
    nothing(b);
    arp(b, b->wire, 0, PEER, host_mac, OWN); /* it has moved */
    assert_ip4(b, b->wire, host_mac, black_mac, 63, 4);
    nothing(b);
}

/* A whole network is asked for: the oldest make room, and what waited there
 * is counted. */
static void
test_hop_forgets_the_oldest(void **state)
{
    struct bump *b = *state;
    char to[20];
    int i;

    own(b, "10.8.0.1", 16);
    for (i = 0; i < IPSEC_LINUX_HOPS + 20; i++) {
        snprintf(to, sizeof to, "10.8.%d.%d", 1 + i / 200, i % 200);
        ip4(b, to, 1);
        assert_int_equal(left(b, b->wire), 42);
        if (i == 0) {
            later(b, 1);
            assert_int_equal(left(b, b->wire), 42);
        }
    }
    assert_int_equal(b->hops.unanswered, 20);
    arp(b, b->wire, 0, "10.8.1.0", peer_mac, "10.8.0.1");
    nothing(b); /* it was the oldest */
}

/* A scan of a network pushes out nobody who is being sent to (RFC 6583). */
static void
test_hop_outlasts_a_scan(void **state)
{
    struct bump *b = *state;
    char to[20];
    int i;

    own(b, "10.8.0.1", 16);
    ip4(b, PEER, 1);
    arp(b, b->wire, 0, PEER, peer_mac, OWN);
    while (left(b, b->wire) > 0) {
    }
    for (i = 0; i < 2 * IPSEC_LINUX_HOPS; i++) {
        if (i % 200 == 0) {
            later(b, 1);
        }
        snprintf(to, sizeof to, "10.8.%d.%d", 1 + i / 200, i % 200);
        ip4(b, to, 1);
        while (left(b, b->wire) > 0) {
        }
    }
    ip4(b, PEER, 2);
    assert_ip4(b, b->wire, peer_mac, black_mac, 63, 2);
    nothing(b);
}

/* ... but who was not, for long, makes room. */
static void
test_hop_forgets_who_is_idle(void **state)
{
    struct bump *b = *state;
    char to[20];
    int i;

    own(b, "10.8.0.1", 16);
    for (i = 0; i < IPSEC_LINUX_HOPS; i++) {
        snprintf(to, sizeof to, "10.8.%d.%d", 1 + i / 200, i % 200);
        ip4(b, to, 1);
        arp(b, b->wire, 0, to, peer_mac, "10.8.0.1");
        while (left(b, b->wire) > 0) {
        }
    }
    later(b, 50);
    ip4(b, PEER, 1);
    ip4(b, "10.9.0.3", 2);
    while (left(b, b->wire) > 0) {
    }
    arp(b, b->wire, 0, PEER, peer_mac, OWN);
    assert_ip4(b, b->wire, peer_mac, black_mac, 63, 1);
}

/* --- hostile */

static void
test_hop_learns_only_what_it_asked_for(void **state)
{
    static const uint8_t none[6];
    struct bump *b = *state;

    arp(b, b->wire, 0, PEER, peer_mac, OWN);
    arp(b, b->wire, 1, PEER, peer_mac, OWN);
    assert_int_equal(left(b, b->wire), 42);
    ip4(b, PEER, 1);
    assert_arp(b, b->wire, 1, OWN, PEER, NULL);
    arp(b, b->wire, 0, PEER, all_mac, OWN);
    arp(b, b->wire, 0, PEER, none, OWN);
    nothing(b);
    arp(b, b->wire, 0, PEER, peer_mac, OWN);
    assert_ip4(b, b->wire, peer_mac, black_mac, 63, 1);
}

/* Not ARP, nor neighbour discovery, though much like it. Nothing is answered,
 * and nothing read behind the end. */
static void
test_hop_ignores_malformed(void **state)
{
    static const struct {
        int at, value;  /* a byte to change, or */
        size_t len;     /* how much of it comes */
    } arps[] = {
        { 0, 0, 41 }, { 0, 0, 14 }, { 15, 6, 42 }, { 16, 9, 42 },
        { 18, 8, 42 }, { 19, 6, 42 }, { 20, 1, 42 }, { 21, 3, 42 },
        { 21, 0, 42 },
    }, nds[] = {
        { 0, 0, 85 }, { 0, 0, 14 + 40 + 23 }, { 0, 0, 14 + 39 },
        { 14 + 7, 254, 86 }, { 14 + 5, 40, 86 }, { 14 + 5, 23, 86 },
        { 14 + 41, 1, 86 }, { 14 + 43, 9, 86 }, { 14 + 65, 0, 86 },
        { 14 + 65, 2, 86 }, { 14 + 40, 134, 86 }, { 14, 0x40, 86 },
    };
    struct bump *b = *state;
    size_t i;

    for (i = 0; i < COUNT(arps); i++) {
        arp(b, b->wire, 1, PEER, peer_mac, OWN);
        assert_int_equal(left(b, b->wire), 42);
        memcpy(b->frame + 6, peer_mac, 6);
        b->frame[21] = 1;
        b->frame[arps[i].at] = (uint8_t)arps[i].value;
        b->len = arps[i].len;
        come(b, b->wire);
        assert_int_equal(left(b, b->wire), 0);
        (void)left(b, b->host);
    }
    for (i = 0; i < COUNT(nds); i++) {
        nd_set(b, 135, "fd09::2", "ff02::1:ff00:1", "fd09::1", peer_mac, 0);
        b->frame[nds[i].at] = (uint8_t)nds[i].value;
        b->len = nds[i].len;
        if (nds[i].at != 14 + 43) { /* the checksum is right all the same */
            b->frame[14 + 42] = b->frame[14 + 43] = 0;
            if (b->len == 86 && b->frame[14 + 5] == 32) {
                uint16_t s = ipsec_linux_checksum(b->frame + 14,
                                                  b->frame + 54, 32, 58);

                b->frame[14 + 42] = (uint8_t)(s >> 8);
                b->frame[14 + 43] = (uint8_t)s;
            }
        }
        come(b, b->wire);
        assert_int_equal(left(b, b->wire), 0);
        (void)left(b, b->host);
    }
}

/* From memory that has no byte more. */
static void
read_exactly(const struct bump *b)
{
    struct ipsec_linux_frame frame;
    struct ipsec_linux_nd nd;

    if (b->len <= 14) {
        return;
    }
    memset(&frame, 0, sizeof frame);
    memcpy(frame.ethernet, b->frame, 14);
    frame.ethernet_len = 14;
    frame.len = b->len - 14;
    frame.data = malloc(frame.len);
    memcpy(frame.data, b->frame + 14, frame.len);
    (void)ipsec_linux_nd_read(&nd, &frame);
    free(frame.data);
}

/* Any bytes at all, for the sanitizers. */
static void
test_hop_survives_noise(void **state)
{
    struct bump *b = *state;
    uint64_t x = 1;
    int i, k;

    for (i = 0; i < 20000; i++) {
        if (i % 2) {
            nd_set(b, 135 + i % 4 / 2, "fd09::2", "fd09::1", "fd09::1",
                   i % 3 ? peer_mac : NULL, 0);
        } else {
            put_header(b, black_mac, peer_mac, 0x0806);
            memcpy(b->frame + 14, "\0\1\10\0\6\4\0\1", 8);
            b->len = 42;
        }
        for (k = 0; k < 3; k++) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
            b->frame[(x >> 33) % 100] = (uint8_t)(x >> 50);
        }
        b->len -= (x >> 40) % 3 == 0 ? (x >> 42) % 30 : 0;
        read_exactly(b);
        come(b, b->wire);
        while (left(b, b->wire) > 0 || left(b, b->host) > 0) {
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hop_answers_arp_for_its_own),
        TEST(test_hop_lets_arp_of_others_be),
        TEST(test_hop_answers_neighbour_discovery),
        TEST(test_hop_asks_then_sends),
        TEST(test_hop_asks_by_neighbour_discovery),
        TEST(test_hop_goes_by_its_routes),
        TEST(test_hop_lets_the_rest_be),
        TEST(test_hop_delivers_what_came_to_us),
        TEST(test_hop_refuses_its_own),
        TEST(test_hop_refuses_its_own_past_its_station),
        TEST(test_hop_lets_nobody_claim_its_own),
        TEST(test_hop_counts_hops),
        TEST(test_hop_keeps_the_checksum_right),
        TEST(test_hop_tells_nothing_of_broadcasts),
        TEST(test_hop_gives_up),
        TEST(test_hop_drops_the_newest_when_full),
        TEST(test_hop_keeps_so_much_in_all),
        TEST(test_hop_asks_again_in_time),
        TEST(test_hop_forgets_the_oldest),
        TEST(test_hop_outlasts_a_scan),
        TEST(test_hop_forgets_who_is_idle),
        TEST(test_hop_learns_only_what_it_asked_for),
        TEST(test_hop_ignores_malformed),
        TEST(test_hop_survives_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
