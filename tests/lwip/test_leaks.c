/* SPDX-License-Identifier: MIT */
#include "lan.h"

#include "lwip/icmp.h"
#include "lwip/igmp.h"
#include "lwip/init.h"
#include "lwip/mld6.h"
#include "lwip/raw.h"

/* Nothing leaks: no packet to the wire, no pbuf from its pool. */

static uint8_t ip[PACKET_MAX];

/* ------------------------------------------------- protect everything */

/*
 * A device whose policy is "protect everything but ICMPv6 133 to 137" does all
 * that makes lwIP send something. Without libipsec each of the kinds below
 * must be seen on the wire: else the test would show nothing.
 */
enum kind {
    ARP, ND, ESP, UDP, TCP, RESET, PING, PONG, UNREACHABLE, FRAGMENT, GROUP,
    KINDS
};

static const char *const names[KINDS] = {
    "ARP", "ND", "ESP", "UDP", "TCP", "reset", "ping", "pong", "unreachable",
    "fragment", "group"
};

static enum kind
icmp_kind(int version, const uint8_t *icmp)
{
    int type = icmp[0];

    if (version == 4) {
        return type == 8 ? PING : type == 0 ? PONG : UNREACHABLE;
    }
    if (type >= 133 && type <= 137) {
        return ND;
    }
    return type == 128 ? PING : type == 129 ? PONG
         : type < 128 ? UNREACHABLE : GROUP;
}

/* By its own means, not the port's. */
static enum kind
kind_of(const struct frame *f)
{
    int version = f->ip[0] >> 4;
    size_t at = version == 4 ? (f->ip[0] & 15) * 4u : 40;
    unsigned proto = f->ip[version == 4 ? 9 : 6];

    if (f->type == 0x0806) {
        return ARP;
    }
    if (version == 6 && proto == 0) { /* hop-by-hop: router alert */
        proto = f->ip[40];
        at = 48;
    }
    if (version == 4 ? (f->ip[6] & 0x3f) | f->ip[7] : proto == 44) {
        proto = version == 4 ? proto : f->ip[at];
        return proto == 50 ? ESP : FRAGMENT;
    }
    switch (proto) {
    case 50: return ESP;
    case 17: return UDP;
    case 6:  return f->ip[at + 13] & 4 ? RESET : TCP;
    case 2:  return GROUP;
    case 1: case 58: return icmp_kind(version, f->ip + at);
    default: fail_msg("a frame of protocol %u", proto); return KINDS;
    }
}

/* From the peer, sealed or as it is. */
static void
from_peer(int secure, size_t len)
{
    if (secure) {
        peer_send(ip, len);
    } else {
        lan_send(ip, len);
    }
    lan_pump();
}

static size_t
built(int v, uint8_t proto, uint16_t type, uint16_t dport, size_t payload)
{
    struct packet_spec spec;

    memset(&spec, 0, sizeof spec);
    spec.src = peer_addr(v);
    spec.dst = dev_addr(v);
    spec.proto = proto;
    spec.sport = type;
    spec.dport = dport;
    spec.payload = payload;
    return packet_build(ip, &spec);
}

static void
group(int v, int join)
{
#if LWIP_IPV4
    ip4_addr_t g4;

    (void)ip4addr_aton("239.1.2.3", &g4);
    if (v == 4) {
        (void)(join ? igmp_joingroup_netif(&lan.netif, &g4)
                    : igmp_leavegroup_netif(&lan.netif, &g4));
    }
#endif
#if LWIP_IPV6
    ip6_addr_t g6;

    (void)ip6addr_aton("ff05::1:3", &g6);
    if (v == 6) {
        (void)(join ? mld6_joingroup_netif(&lan.netif, &g6)
                    : mld6_leavegroup_netif(&lan.netif, &g6));
    }
#endif
}

static void
ping(int v)
{
    struct raw_pcb *pcb = raw_new_ip_type(v == 4 ? IPADDR_TYPE_V4
                                                 : IPADDR_TYPE_V6,
                                          v == 4 ? 1 : 58);
    struct pbuf *p = pbuf_alloc(PBUF_IP, 16, PBUF_RAM);
    ip_addr_t to = lwip_addr(peer_addr(v));

    memset(p->payload, 0, 16);
    ((uint8_t *)p->payload)[0] = v == 4 ? 8 : 128;
    (void)raw_sendto(pcb, p, &to);
    (void)pbuf_free(p);
    raw_remove(pcb);
    lan_pump();
}

static void
tcp_calls(int v)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(v == 4 ? IPADDR_TYPE_V4
                                                 : IPADDR_TYPE_V6);
    ip_addr_t to = lwip_addr(peer_addr(v));

    (void)tcp_connect(pcb, &to, 80, NULL);
    lan_wait(4000); /* the SYN is repeated */
    tcp_abort(pcb);
}

/* All that an application and lwIP itself can think of. */
static void
do_everything(int v, int secure)
{
    struct udp_pcb *pcb = lan_socket(4000);
    size_t len;

    (void)lan_udp_send(pcb, peer_addr(v), 7, 100);
    lan_pump();
    (void)lan_udp_send(pcb, peer_addr(v), 7, 4000);
    lan_pump();
    (void)lan_udp_send(pcb, v == 4 ? "239.1.2.3" : "ff05::1:3", 7, 10);
    tcp_calls(v);
    len = built(v, 6, 1234, 81, 0);
    upper_of(ip)[13] = 2; /* SYN, to nobody */
    upper_fix(ip);
    from_peer(secure, len);
    ping(v);
    from_peer(secure, built(v, v == 4 ? 1 : 58, v == 4 ? 8 << 8 : 128 << 8, 0,
                            56));
    from_peer(secure, built(v, 17, 9, 4001, 20)); /* port unreachable */
    from_peer(secure, built(v, 200, 0, 0, 20));   /* protocol likewise */
    group(v, 1);
    lan_wait(3000);
    group(v, 0);
    lan_wait(500);
    udp_remove(pcb);
}

static void
look(int v, int secure, size_t *count)
{
    size_t i;

    memset(count, 0, KINDS * sizeof *count);
    if (secure) {
        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
    } else {
        lan_bare(-1);
    }
    do_everything(v, secure);
    lan_pump();
    for (i = 0; i < lan.frames; i++) {
        count[kind_of(&lan.frame[i])]++;
    }
    lan_end();
}

static void
protect_everything(void **state)
{
    size_t count[KINDS];
    int v, k;

    (void)state;
    FOR_EACH_VERSION(v) {
        look(v, 0, count);
        for (k = UDP; k < KINDS; k++) {
            if (count[k] == 0) {
                fail_msg("IPv%d: no %s was sent in clear", v, names[k]);
            }
        }
        assert_int_equal(count[ESP], 0);
        look(v, 1, count);
        for (k = UDP; k < KINDS; k++) {
            if (count[k] > 0) {
                fail_msg("IPv%d: %zu %s in clear", v, count[k], names[k]);
            }
        }
        assert_true(count[ESP] >= 10);
        assert_true(count[v == 4 ? ARP : ND] > 0);
    }
}

/* ------------------------------------------------------- memory runs out */

/* A bit of everything, of which any allocation may fail. */
static void
busy(int v)
{
    struct udp_pcb *pcb = lan_socket(4000);
    size_t len;

    if (pcb == NULL) {
        return;
    }
    (void)lan_udp_send(pcb, peer_addr(v), 7, 100);
    (void)lan_udp_send(pcb, peer_addr(v), 7, 4000);
    lan_pump();
    (void)lan_udp_send(pcb, peer_addr(v), 7, 4000);
    len = built(v, 17, 9, 4000, 3000);
    peer_send_cut(ip, len, 1400, "120");
    lan.piece = 100;
    len = built(v, v == 4 ? 1 : 58, v == 4 ? 8 << 8 : 128 << 8, 0, 1000);
    peer_send(ip, len);
    len = built(v, 17, 9, 4001, 100);
    peer_send(ip, len);
    lan.piece = 0;
    len = built(v, 17, 9, 4000, 2000);
    {
        struct cut cut[2];

        if (packet_cut(cut, ip, len, 1200, 7) == 2) {
            peer_send(cut[0].ip, cut[0].len);
            peer_send(cut[1].ip, cut[1].len);
            lan_send(cut[0].ip, cut[0].len);
            lan_send(cut[1].ip, cut[1].len);
        }
    }
    udp_remove(pcb);
}

/* One that waits for its SA, and what is clear. */
static void
idle(int v)
{
    struct udp_pcb *pcb = lan_socket(4000);

    if (pcb == NULL) {
        return;
    }
    lan.all.reqid = 2; /* there are none of it; back to those there are */
    (void)lan_udp_send(pcb, peer_addr(v), 7, 500);
    lan.all.reqid = 1;
#ifndef LAN_BUMP /* where none waits */
    lan.port.sa_generation--;
#endif
    lan_poll();
    lan_pump();
    udp_remove(pcb);
}

static size_t
starve(int v, int slots, size_t n, void (*act)(int))
{
    size_t used;

    lan_begin(IPSEC_MODE_TUNNEL, v, slots);
    lan_allocations = 0;
    lan_fail_at = n;
    act(v);
    used = lan_allocations;
    lan_fail_at = 0;
#ifdef LAN_BUMP
    lan_wait(61000); /* what came out of a tunnel in fragments, lwIP has */
#endif
    lan_end(); /* all memory is back */
    return used;
}

static void
memory(void **state)
{
    void (*const acts[])(int) = { busy, idle };
    size_t n, used, a;
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (a = 0; a < COUNT(acts); a++) {
            used = starve(v, 2, 0, acts[a]);
            assert_true(used > 4);
            for (n = 1; n <= used; n++) {
                fx_note("IPv%d, act %zu, allocation %zu", v, a, n);
                (void)starve(v, (int)(n % 3), n, acts[a]);
            }
        }
    }
}

int
tests_leaks(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protect_everything),
        cmocka_unit_test(memory),
    };

    return cmocka_run_group_tests_name("leaks", tests, NULL, NULL);
}
