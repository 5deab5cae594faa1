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
    lan.port.sa_generation--;
    ipsec_lwip_poll(&lan.port);
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

/* -------------------------------------------------------- between netifs */

/* A second netif, not attached: inside. What it is handed is counted. */
static size_t handed;
static uint8_t last[PACKET_MAX];

static err_t
hand4(struct netif *netif, struct pbuf *p)
{
    (void)netif;
    handed++;
    (void)pbuf_copy_partial(p, last, p->tot_len, 0);
    return ERR_OK;
}

#if LWIP_IPV4
static err_t
inside_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *hop)
{
    (void)hop;
    return hand4(netif, p);
}
#endif

#if LWIP_IPV6
static err_t
inside_output_ip6(struct netif *netif, struct pbuf *p, const ip6_addr_t *hop)
{
    (void)hop;
    return hand4(netif, p);
}
#endif

static err_t
inside_begin(struct netif *netif)
{
    netif->name[0] = 'i';
    netif->name[1] = 'n';
    netif->mtu = 1500;
    netif->flags = NETIF_FLAG_LINK_UP | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
#if LWIP_IPV4
    netif->output = inside_output;
#endif
#if LWIP_IPV6
    netif->output_ip6 = inside_output_ip6;
#endif
    NETIF_SET_CHECKSUM_CTRL(netif, NETIF_CHECKSUM_ENABLE_ALL);
    return ERR_OK;
}

#define IN4   "172.16.0.1" /* of the device */
#define HOST4 "172.16.0.5"
#define IN6   "2001:db8:5::1"
#define HOST6 "2001:db8:5::5"

static struct netif inside;

static void
inside_up(void)
{
#if LWIP_IPV4
    ip4_addr_t addr, mask, gw;

    (void)ip4addr_aton(IN4, &addr);
    (void)ip4addr_aton("255.255.255.0", &mask);
    (void)ip4addr_aton("0.0.0.0", &gw);
    assert_non_null(netif_add(&inside, &addr, &mask, &gw, NULL, inside_begin,
                              ip_input));
#else
    assert_non_null(netif_add(&inside, NULL, inside_begin, ip_input));
#endif
#if LWIP_IPV6
    {
        ip6_addr_t addr6;

        (void)ip6addr_aton(IN6, &addr6);
        netif_ip6_addr_set(&inside, 1, &addr6);
        netif_ip6_addr_set_state(&inside, 1, IP6_ADDR_PREFERRED);
    }
#endif
    netif_set_up(&inside);
    handed = 0;
}

static void
to_inside(size_t len)
{
    struct pbuf *p = pbuf_alloc(PBUF_LINK, (u16_t)len, PBUF_RAM);

    assert_int_equal(pbuf_take(p, ip, (u16_t)len), ERR_OK);
    p->flags |= 0x80; /* as on pbufs that the port has sent: no passport */
    assert_int_equal(inside.input(p, &inside), ERR_OK);
}

static const char *
host_addr(int v)
{
    return v == 4 ? HOST4 : HOST6;
}

/* What comes in on a netif that is not attached passes. */
static void
from_inside(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        inside_up();
        pcb = lan_socket(4000);
        to_inside(udp_packet(ip, host_addr(v), v == 4 ? IN4 : IN6, 9, 4000,
                             30));
        assert_int_equal(lan.gots, 1);
        assert_int_equal(lan.dev.ips.stats.in_bypass, 0);
        udp_remove(pcb);
        netif_remove(&inside);
        lan_end();
    }
}

#ifdef LAN_GATEWAY

/* lwIP 2.2 spoils the checksums of IPv4 packets that it forwards. */
#define SPOILT(v) ((v) == 4 && LWIP_VERSION_MINOR >= 2)

/* A gateway: what it forwards goes through the tunnel, both ways. */
static void
forwarded(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        size_t len;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        inside_up();
        len = udp_packet(ip, host_addr(v), far_addr(v), 9, 7, 1400);
        to_inside(len);
        if (!SPOILT(v)) {
            assert_int_equal(peer_take(ip), len);
        }
        assert_int_equal(lan.dev.ips.stats.out_protect, 1);

        len = udp_packet(ip, far_addr(v), host_addr(v), 7, 9, 200);
        peer_send(ip, len);
        assert_int_equal(handed, 1);
        assert_memory_equal(upper_of(last) + 8, upper_of(ip) + 8, 200);
        lan_send(ip, len); /* in clear, it does not get by */
        assert_int_equal(handed, 1);
        assert_int_equal(lan.dev.ips.stats.in_drop[-IPSEC_ERR_UNPROTECTED], 1);
        netif_remove(&inside);
        lan_end();
    }
}

/* ESP between other hosts goes by its policy, unopened. */
static void
transit_esp(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct ipsec_policy esp;
        struct packet_spec spec;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        inside_up();
        lan_policy(&esp, IPSEC_ACTION_BYPASS, 20, 50, 0, 0);
        memset(&spec, 0, sizeof spec);
        spec.src = far_addr(v);
        spec.dst = host_addr(v);
        spec.proto = 50;
        spec.payload = 80;
        lan_send(ip, packet_build(ip, &spec));
        assert_int_equal(handed, 1);
        ipsec_spd_remove(&lan.dev.ips, &esp);
        netif_remove(&inside);
        lan_end();
    }
}

/* Transport mode is not for other hosts' packets (RFC 4301 section 4.1). */
static void
transit_transport(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        lan_begin(IPSEC_MODE_TRANSPORT, v, 0);
        inside_up();
        to_inside(udp_packet(ip, host_addr(v), peer_addr(v), 9, 7, 100));
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        assert_int_equal(lan.dev.ips.stats.out_drop[-IPSEC_ERR_MODE], 1);
        netif_remove(&inside);
        lan_end();
    }
}

/* Too big to go on: the sender is told, whether the link or the SA's path is
 * too narrow. */
static void
transit_too_big(void **state)
{
    int v, secure;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (secure = 0; secure <= 1; secure++) {
            struct packet_spec spec;
            struct ipsec_policy any;
            size_t len;

            lan_bare(0);
            if (secure) {
                lan_sas(IPSEC_MODE_TUNNEL, v);
                lan.out.params.mtu = 1400;
                lan.out.params.flags |= IPSEC_SA_DF_SET;
                lan_sas_add();
            }
            lan_policy(&any, secure ? IPSEC_ACTION_PROTECT
                                    : IPSEC_ACTION_BYPASS, 50, 0, 0, 0);
            ipsec_spd_remove(&lan.dev.ips, &any);
            any.reqid = 1;
            assert_status(ipsec_spd_add(&lan.dev.ips, &any), IPSEC_OK);
            lan.netif.mtu = secure ? 1500 : 1300;
            ipsec_lwip_poll(&lan.port);
            inside_up();
            memset(&spec, 0, sizeof spec);
            spec.src = host_addr(v);
            spec.dst = far_addr(v);
            spec.proto = 17;
            spec.payload = 1420;
            spec.df = 1;
            len = packet_build(ip, &spec);
            to_inside(len);
            assert_int_equal(lan_take(ip, NULL, NULL), 0);
            assert_int_equal(lan.port.too_big, 1);
            assert_int_equal(handed, 1);
            assert_int_equal(upper_of(last)[0], v == 4 ? 3 : 2);
            if (v == 6) {
                unsigned mtu = (unsigned)last[46] << 8 | last[47];

                assert_true(secure ? mtu < 1400 && mtu >= 1280 : mtu == 1300);
            } else {
                assert_int_equal(upper_of(last)[1], 4);
            }
            netif_remove(&inside);
            ipsec_spd_remove(&lan.dev.ips, &any);
            lan_wait(10);
            lan.netif.mtu = LAN_MTU;
            lan_wait(10);
            lan_end();
        }
    }
}

#endif

int
tests_leaks(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protect_everything),
        cmocka_unit_test(memory),
        cmocka_unit_test(from_inside),
#ifdef LAN_GATEWAY
        cmocka_unit_test(forwarded),
        cmocka_unit_test(transit_esp),
        cmocka_unit_test(transit_transport),
        cmocka_unit_test(transit_too_big),
#endif
    };

    return cmocka_run_group_tests_name("leaks", tests, NULL, NULL);
}
