/* SPDX-License-Identifier: MIT */
#include "lan.h"

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/icmp.h"
#include "lwip/igmp.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/mld6.h"
#include "lwip/nd6.h"
#include "lwip/prot/ip.h"
#include "lwip/raw.h"

/*
 * The go-around test: by every way that lwIP has of sending something
 * (senders.txt lists them from its source), try to get a packet in clear past
 * the port. Policy is "protect everything but ICMPv6 133 to 137". Without the
 * port each way must bring something in clear to the wire, or it is no try.
 */

#ifndef IP_OPTIONS_SEND
#define IP_OPTIONS_SEND 0
#endif

#define MARK "in clear for all to see"

static uint8_t ip[PACKET_MAX], other[PACKET_MAX];

/* ------------------------------------------------------ what is to be seen */

static int
has_mark(const struct frame *f)
{
    size_t i, n = sizeof MARK - 1;

    for (i = 0; i + n <= f->len; i++) {
        if (memcmp(f->ip + i, MARK, n) == 0) {
            return 1;
        }
    }
    return 0;
}

/* ARP; IPv6 neighbour discovery; ESP, if it hides what is in it. By its own
 * means, not the port's. */
static int
is_allowed(const struct frame *f)
{
    unsigned proto = frame_proto(f);

    if (proto == 0xffff) {
        return !has_mark(f);
    }
    if (f->ip[0] >> 4 == 6 && f->ip[6] == 58 && f->ip[40] >= 133 &&
        f->ip[40] <= 137) {
        return !has_mark(f);
    }
    return proto == 50 && !has_mark(f);
}

static size_t
clear_frames(void)
{
    size_t i, n = 0;

    for (i = 0; i < lan.frames; i++) {
        n += !is_allowed(&lan.frame[i]);
    }
    return n;
}

/* ------------------------------------------------------------ small things */

static struct pbuf *
marked(pbuf_layer layer, size_t len)
{
    struct pbuf *p = pbuf_alloc(layer, (u16_t)len, PBUF_RAM);

    assert_non_null(p);
    memset(p->payload, 0, len);
    memcpy((uint8_t *)p->payload + len - sizeof MARK, MARK, sizeof MARK);
    return p;
}

static struct pbuf *
packet(const char *from, const char *to, uint8_t proto, size_t len)
{
    struct packet_spec spec;
    struct pbuf *p;

    memset(&spec, 0, sizeof spec);
    spec.src = from;
    spec.dst = to;
    spec.proto = proto;
    spec.payload = len;
    spec.sport = proto == 17 ? 9 : 0;
    spec.dport = 7;
    len = packet_build(ip, &spec);
    memcpy(ip + len - sizeof MARK, MARK, sizeof MARK);
    if (proto == 17 || proto == 58 || proto == 1) {
        upper_fix(ip);
    }
    p = pbuf_alloc(PBUF_LINK, (u16_t)len, PBUF_RAM);
    assert_int_equal(pbuf_take(p, ip, (u16_t)len), ERR_OK);
    return p;
}

static ip_addr_t
peer_ip(int v)
{
    return lwip_addr(peer_addr(v));
}

static const ip_addr_t *
own_ip(int v)
{
    static ip_addr_t a;

    a = lwip_addr(dev_addr(v));
    return &a;
}

/* `ip`, from the peer. */
static void
arrive(int secure, size_t len)
{
    if (secure) {
        peer_send(ip, len);
    } else {
        lan_send(ip, len);
    }
    lan_pump();
}

static u8_t
type_of(int v)
{
    return v == 4 ? IPADDR_TYPE_V4 : IPADDR_TYPE_V6;
}

/* ----------------------------------------------- lwIP's output functions */

enum { PLAIN, IF, IF_SRC, HINTED, HDRINCL, OUTPUTS };

static void
output(int v, int how, struct pbuf *p)
{
    ip_addr_t to = peer_ip(v);
#if LWIP_NETIF_USE_HINTS
    struct netif_hint hint;

    memset(&hint, 0, sizeof hint);
#endif
    switch (how) {
    case PLAIN:
        (void)ip_output(p, own_ip(v), &to, 64, 0, 200);
        break;
    case IF:
        (void)ip_output_if(p, own_ip(v), &to, 64, 0, 200, &lan.netif);
        break;
    case IF_SRC:
        (void)ip_output_if_src(p, own_ip(v), &to, 64, 0, 200, &lan.netif);
        break;
    case HINTED:
#if LWIP_NETIF_USE_HINTS
        (void)ip_output_hinted(p, own_ip(v), &to, 64, 0, 200, &hint);
#else
        (void)ip_output(p, own_ip(v), &to, 64, 0, 200);
#endif
        break;
    default:
        (void)ip_output_if_hdrincl(p, own_ip(v), &to, &lan.netif);
        break;
    }
}

static void
ip_outputs(int v, int secure)
{
    struct pbuf *p;
    int how, big;

    (void)secure;
    for (how = 0; how < OUTPUTS; how++) {
        for (big = 0; big <= 1; big++) {
            size_t len = big ? 3000 : 100;

            p = how == HDRINCL
                ? packet(dev_addr(v), peer_addr(v), 17, len)
                : marked(PBUF_IP, len);
            output(v, how, p);
            (void)pbuf_free(p);
            lan_pump();
        }
    }
}

/* ip4_output_if_opt(): with a router alert, as IGMP does. */
static void
ip_options(int v, int secure)
{
#if LWIP_IPV4 && IP_OPTIONS_SEND
    u32_t alert = PP_HTONL(0x94040000UL);
    ip_addr_t to = peer_ip(v);
    struct pbuf *p = marked(PBUF_IP, 100);

    if (v == 4) {
        (void)ip4_output_if_opt(p, ip_2_ip4(own_ip(4)), ip_2_ip4(&to), 64, 0,
                                200, &lan.netif, &alert, sizeof alert);
        lan_pump();
    }
    (void)pbuf_free(p);
#endif
    (void)v;
    (void)secure;
}

/* Straight at the netif, in a chain and in one piece, with the flags that lwIP
 * leaves free: one of them, with IPv6, is the port's own. */
static void
netif_output(int v, int secure)
{
    static const u8_t flags[] = { 0, 0x40, 0x80, 0xc0 };
    ip_addr_t to = peer_ip(v);
    size_t i;

    (void)secure;
    for (i = 0; i < 2 * COUNT(flags); i++) {
        struct pbuf *p = packet(dev_addr(v), peer_addr(v), 17, 100);
        struct pbuf *q = pbuf_alloc(PBUF_LINK, 44, PBUF_RAM);

        assert_int_equal(pbuf_take(q, p->payload, 44), ERR_OK);
        (void)pbuf_remove_header(p, 44);
        if (i < COUNT(flags)) {
            pbuf_cat(q, p);
        } else { /* in one piece */
            pbuf_cat(q, p);
            p = pbuf_clone(PBUF_LINK, PBUF_RAM, q);
            (void)pbuf_free(q);
            q = p;
        }
#if LWIP_IPV4
        if (v == 4) {
            q->flags |= flags[i % COUNT(flags)];
            (void)lan.netif.output(&lan.netif, q, ip_2_ip4(&to));
        }
#endif
#if LWIP_IPV6
        if (v == 6 && !(flags[i % COUNT(flags)] & 0x80)) {
            q->flags |= flags[i % COUNT(flags)];
            (void)lan.netif.output_ip6(&lan.netif, q, ip_2_ip6(&to));
        }
#endif
        (void)pbuf_free(q);
        lan_pump();
    }
}

/* lwIP's own fragmentation, which is not called for an attached netif. */
static void
frag(int v, int secure)
{
    ip_addr_t to = peer_ip(v);
    struct pbuf *p = packet(dev_addr(v), peer_addr(v), 17, 3000);

    (void)secure;
#if LWIP_IPV4
    if (v == 4) {
        (void)ip4_frag(p, &lan.netif, ip_2_ip4(&to));
    }
#endif
#if LWIP_IPV6
    if (v == 6) {
        (void)ip6_frag(p, &lan.netif, ip_2_ip6(&to));
    }
#endif
    (void)pbuf_free(p);
    lan_pump();
}

/* --------------------------------------------------------------- sockets */

static void
raw(int v, int secure)
{
    struct raw_pcb *pcb = raw_new_ip_type(type_of(v), 200);
    ip_addr_t to = peer_ip(v);
    struct pbuf *p = marked(PBUF_IP, 100);

    (void)secure;
    (void)raw_sendto(pcb, p, &to);
    lan_pump();
    (void)raw_sendto_if_src(pcb, p, &to, &lan.netif, own_ip(v));
    (void)raw_connect(pcb, &to);
    (void)raw_send(pcb, p);
    (void)pbuf_free(p);
    raw_set_flags(pcb, RAW_FLAGS_HDRINCL);
    p = packet(dev_addr(v), peer_addr(v), 17, 100);
    (void)raw_sendto(pcb, p, &to);
    (void)pbuf_free(p);
    raw_remove(pcb);
    lan_pump();
}

static void
udp(int v, int secure)
{
    struct udp_pcb *pcb = udp_new_ip_type(type_of(v));
    ip_addr_t to = peer_ip(v), group = lwip_addr(v == 4 ? "239.1.2.3"
                                                       : "ff05::1:3");
    struct pbuf *p = marked(PBUF_TRANSPORT, 100), *big;

    (void)secure;
    (void)udp_sendto(pcb, p, &to, 7);
    lan_pump();
    (void)udp_sendto_if(pcb, p, &to, 7, &lan.netif);
    (void)udp_sendto_if_src(pcb, p, &to, 7, &lan.netif, own_ip(v));
    (void)udp_sendto(pcb, p, &group, 7);
#if LWIP_IPV4
    if (v == 4) {
        ip_addr_t all = lwip_addr("255.255.255.255");

        (void)udp_sendto_if(pcb, p, &all, 7, &lan.netif);
        all = lwip_addr("192.0.2.255");
        (void)udp_sendto(pcb, p, &all, 7);
    }
#endif
    udp_bind_netif(pcb, &lan.netif);
    (void)udp_connect(pcb, &to, 7);
    (void)udp_send(pcb, p);
    (void)pbuf_free(p);
    big = marked(PBUF_TRANSPORT, 4000);
    (void)udp_send(pcb, big);
    (void)pbuf_free(big);
    udp_remove(pcb);
    lan_pump();
}

/* What waits for the neighbour's hardware address; then it comes, or the
 * packet is sent again. */
static void
queued(int v, int secure)
{
    static const size_t len[] = { 100, 4000 };
    struct udp_pcb *pcb = udp_new_ip_type(type_of(v));
    ip_addr_t to = peer_ip(v);
    size_t i, was;

    (void)secure;
#if LWIP_IPV4
    etharp_cleanup_netif(&lan.netif);
#endif
#if LWIP_IPV6
    nd6_cleanup_netif(&lan.netif);
#endif
    for (i = 0; i < 2 * COUNT(len); i++) {
        struct pbuf *p = marked(PBUF_TRANSPORT, len[i % COUNT(len)]);

        (void)udp_sendto(pcb, p, &to, 7);
        (void)pbuf_free(p);
    }
    was = lan.frames;
    lan_pump(); /* the answer */
    assert_true(lan.frames > was);
    udp_remove(pcb);
}

/* -------------------------------------------------------------------- TCP */

static uint32_t
get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
           (uint32_t)p[2] << 8 | p[3];
}

static void
put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

/* The next TCP segment of the device is in `other`. */
static void
hear_tcp(int v, int secure)
{
    size_t len;

    do {
        len = lan_take(other, NULL, NULL);
        if (len > 0 && secure) {
            len = peer_open(other, len);
        }
        assert_true(len > 0);
    } while (other[v == 4 ? 9 : 6] != 6);
}

static void
say_tcp(int v, int secure, unsigned flags, uint16_t port)
{
    struct packet_spec spec;
    uint8_t *tcp, *q = upper_of(other);
    size_t len;

    memset(&spec, 0, sizeof spec);
    spec.src = peer_addr(v);
    spec.dst = dev_addr(v);
    spec.proto = 6;
    spec.sport = 80;
    spec.dport = (uint16_t)(port != 0 ? port : q[0] << 8 | q[1]);
    len = packet_build(ip, &spec);
    tcp = upper_of(ip);
    put32(tcp + 4, 1000);
    put32(tcp + 8, port != 0 ? 0 : get32(q + 4) + 1);
    tcp[13] = (uint8_t)flags;
    tcp[14] = 0x40;
    upper_fix(ip);
    arrive(secure, len);
}

/* SYN, data, data again, keep-alive, reset. */
static void
tcp(int v, int secure)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(type_of(v));
    ip_addr_t to = peer_ip(v);
    size_t was;

    assert_int_equal(tcp_connect(pcb, &to, 80, NULL), ERR_OK);
    hear_tcp(v, secure);
    say_tcp(v, secure, 0x12, 0);
    assert_int_equal(tcp_write(pcb, MARK, sizeof MARK, 0), ERR_OK);
    assert_int_equal(tcp_output(pcb), ERR_OK);
    was = lan.frames;
    lan_wait(4000);
    assert_true(lan.frames > was); /* again */
    tcp_abort(pcb);
    say_tcp(v, secure, 0x02, 81);  /* to nobody: a reset */
    lan_pump();
}

/* --------------------------------------------- what lwIP answers by itself */

/* Echo replies, to ourselves and to a group that we are in. */
static void
echo(int v, int secure)
{
    const char *to[2];
    size_t i;

    to[0] = dev_addr(v);
    to[1] = v == 4 ? "224.0.0.1" : "ff02::1";
    for (i = 0; i < COUNT(to); i++) {
        struct packet_spec spec;
        size_t len;

        memset(&spec, 0, sizeof spec);
        spec.src = peer_addr(v);
        spec.dst = to[i];
        spec.proto = v == 4 ? 1 : 58;
        spec.sport = v == 4 ? 8 << 8 : 128 << 8;
        spec.payload = 100;
        len = packet_build(ip, &spec);
        memcpy(ip + len - sizeof MARK, MARK, sizeof MARK);
        upper_fix(ip);
        arrive(secure, len);
    }
}

/* ICMP errors, which quote what they are about. */
static void
errors(int v, int secure)
{
    static const struct {
        uint8_t     proto;
        const char *ext;
        uint8_t     next; /* IPv6: in place of the protocol */
    } row[] = { { 17, NULL, 0 }, { 200, NULL, 0 }, { 17, "d", 0 },
                { 17, "r", 0 } };
    size_t i;

    for (i = 0; i < (v == 4 ? 2 : COUNT(row)); i++) {
        struct packet_spec spec;
        size_t len;

        memset(&spec, 0, sizeof spec);
        spec.src = peer_addr(v);
        spec.dst = dev_addr(v);
        spec.proto = row[i].proto;
        spec.ext = row[i].ext;
        spec.sport = row[i].proto == 17 ? 9 : 0;
        spec.dport = row[i].proto == 17 ? 4001 : 0;
        spec.payload = 60;
        len = packet_build(ip, &spec);
        memcpy(ip + (v == 4 ? 30 : 60), "", 1);
        memcpy(ip + len - sizeof MARK, MARK, sizeof MARK);
        if (row[i].ext != NULL && *row[i].ext == 'd') {
            ip[42] = 0xc0; /* an option that calls for an answer */
        }
        if (row[i].proto == 17 && row[i].ext == NULL) {
            upper_fix(ip);
        }
        arrive(secure, len);
    }
}

/* Reports of groups: joined, asked for, left. */
static void
groups(int v, int secure)
{
#if LWIP_IPV4
    ip4_addr_t g4;

    if (v == 4) {
        struct packet_spec spec;
        size_t len;

        (void)ip4addr_aton("239.1.2.3", &g4);
        (void)igmp_joingroup_netif(&lan.netif, &g4);
        lan_wait(2500);
        memset(&spec, 0, sizeof spec);
        spec.src = PEER4;
        spec.dst = "224.0.0.1";
        spec.proto = 2;
        spec.payload = 8;
        len = packet_build(ip, &spec);
        memset(ip + 20, 0, 8);
        ip[20] = 0x11; /* a query */
        ip[21] = 10;
        ip[22] = 0xee;
        ip[23] = 0xf5;
        arrive(secure, len);
        lan_wait(2500);
        (void)igmp_leavegroup_netif(&lan.netif, &g4);
    }
#endif
#if LWIP_IPV6
    ip6_addr_t g6;

    if (v == 6) {
        (void)ip6addr_aton("ff05::1:3", &g6);
        (void)mld6_joingroup_netif(&lan.netif, &g6);
        lan_wait(2500);
        (void)mld6_leavegroup_netif(&lan.netif, &g6);
    }
#endif
    (void)secure;
    lan_wait(500);
}

#if LWIP_DHCP
static void
dhcp(int v, int secure)
{
    (void)v;
    (void)secure;
    netif_set_addr(&lan.netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4);
    assert_int_equal(dhcp_start(&lan.netif), ERR_OK);
    lan_wait(5000);
    dhcp_release_and_stop(&lan.netif);
    dhcp_cleanup(&lan.netif);
}
#endif

#ifdef LAN_GATEWAY
/* From another netif on to the wire; and errors about what can't go on. */
static void
forward(int v, int secure)
{
    const char *from = v == 4 ? FAR4 : FAR6;
    static struct netif in;
    struct pbuf *p;
    int i;
#if LWIP_IPV6
    ip_addr_t addr6;
#endif

    (void)secure;
    memset(&in, 0, sizeof in);
#if LWIP_IPV4
    assert_non_null(netif_add(&in, IP4_ADDR_ANY4, IP4_ADDR_ANY4,
                              IP4_ADDR_ANY4, NULL, netif_nothing, ip_input));
#else
    assert_non_null(netif_add(&in, NULL, netif_nothing, ip_input));
#endif
#if LWIP_IPV6
    addr6 = lwip_addr("2001:db8:7::1");
    netif_ip6_addr_set(&in, 1, ip_2_ip6(&addr6));
    netif_ip6_addr_set_state(&in, 1, IP6_ADDR_PREFERRED);
#endif
    netif_set_link_up(&in);
    netif_set_up(&in);
    for (i = 0; i < 4; i++) {
        p = packet(from, peer_addr(v), 17, i % 2 ? 3000 : 100);
        if (i >= 2) {
            ((uint8_t *)p->payload)[v == 4 ? 8 : 7] = 1; /* its last hop */
            if (v == 4) {
                packet_fix(p->payload);
            }
        }
        assert_int_equal(in.input(p, &in), ERR_OK);
        lan_pump();
    }
    netif_remove(&in);
}
#endif

/* --------------------------------------------------------------- the table */

static const struct {
    const char *name;
    void      (*send)(int v, int secure);
    int         versions; /* 4, 6, or 10: both */
} way[] = {
    { "ip_outputs",   ip_outputs,   10 },
    { "ip_options",   ip_options,   IP_OPTIONS_SEND ? 4 : 0 },
    { "netif_output", netif_output, 10 },
    { "frag",         frag,         10 },
    { "raw",          raw,          10 },
    { "udp",          udp,          10 },
    { "queued",       queued,       10 },
    { "tcp",          tcp,          10 },
    { "echo",         echo,         10 },
    { "errors",       errors,       10 },
    { "groups",       groups,       10 },
#if LWIP_DHCP
    { "dhcp",         dhcp,         4 },
#endif
#ifdef LAN_GATEWAY
    { "forward",      forward,      10 },
#endif
};

static void
by_every_way(void **state)
{
    size_t i;
    int v;

    (void)state;
    for (i = 0; i < COUNT(way); i++) {
        FOR_EACH_VERSION(v) {
            if (way[i].versions != v && way[i].versions != 10) {
                continue;
            }
            fx_note("%s, IPv%d", way[i].name, v);
            lan_bare(-1);
            way[i].send(v, 0);
            if (clear_frames() == 0) {
                fail_msg("%s, IPv%d: is no try", way[i].name, v);
            }
            lan_end();
            lan_begin(IPSEC_MODE_TUNNEL, v, 4);
            way[i].send(v, 1);
            if (clear_frames() > 0) {
                fail_msg("%s, IPv%d: %zu frames in clear", way[i].name, v,
                         clear_frames());
            }
            lan_end();
        }
    }
}

/* Without any SA, and without any policy, nothing comes out at all. */
static void
by_nobody(void **state)
{
    static const char *const answers[] = { "tcp", "echo", "errors", "groups",
                                           "queued" };
    size_t i, k;
    int v, sas;

    (void)state;
    for (i = 0; i < COUNT(way); i++) {
        for (k = 0; k < COUNT(answers); k++) {
            if (strcmp(way[i].name, answers[k]) == 0) {
                break;
            }
        }
        FOR_EACH_VERSION(v) {
            if (k < COUNT(answers) ||
                (way[i].versions != v && way[i].versions != 10)) {
                continue;
            }
            for (sas = 0; sas <= 1; sas++) {
                lan_begin(IPSEC_MODE_TUNNEL, v, 4);
                if (sas) { /* but not of the policy */
                    lan.all.reqid = 7;
                } else {
                    ipsec_spd_remove(&lan.dev.ips, &lan.all);
                }
                ipsec_spd_remove(&lan.dev.ips, &lan.nd);
                way[i].send(v, 1);
                if (lan.frames > 0) {
                    fail_msg("%s, IPv%d: %zu frames", way[i].name, v,
                             lan.frames);
                }
                lan_end();
            }
        }
    }
}

int
tests_around(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_every_way),
        cmocka_unit_test(by_nobody),
    };

    return cmocka_run_group_tests_name("around", tests, NULL, NULL);
}
