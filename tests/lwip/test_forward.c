/* SPDX-License-Identifier: MIT */
#include "lan.h"

#include "lwip/init.h"

/* Between netifs: one attached, the other inside, and what is forwarded. */

static uint8_t ip[PACKET_MAX];
#ifdef LAN_GATEWAY
static uint8_t ip2[PACKET_MAX];
#endif

/* A second netif, not attached: inside. What it is handed is counted. */
static size_t handed;
static uint8_t last[PACKET_MAX];

static err_t
hand4(struct netif *netif, struct pbuf *p)
{
    static uint8_t got[PACKET_MAX];
    size_t len = pbuf_copy_partial(p, got, p->tot_len, 0);

    (void)netif;
    if (got[0] >> 4 == 4 ? got[9] != 2 : got[6] != 0) { /* no group report */
        handed++;
        memcpy(last, got, len);
    }
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

#ifdef LAN_GATEWAY
/* Of a library that writes no ICMP errors, none can be expected. */
static void
need_icmp(void)
{
#ifdef IPSEC_NO_ICMP
    skip();
#endif
}
#endif

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
        assert_int_equal(peer_take(ip), len);
        assert_true(upper_intact(ip));
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

/* Fragments between others go on: of IPv6 as they came, for nobody but their
 * source may cut them (RFC 8200 section 4.5). Through the tunnel or in clear,
 * and each is judged. */
static void
forwarded_fragments(void **state)
{
    struct cut cut[3];
    size_t i, len;
    int v, clear;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (clear = 0; clear <= 1; clear++) {
            struct ipsec_policy any;

            lan_begin(IPSEC_MODE_TUNNEL, v, 0);
            inside_up();
            lan_policy(&any, clear ? IPSEC_ACTION_BYPASS
                                   : IPSEC_ACTION_DISCARD,
                       clear ? 50 : 200, 0, 0, 0);
            len = udp_packet(ip, far_addr(v), host_addr(v), 7, 9, 3000);
            assert_int_equal(packet_cut(cut, ip, len, 1400, 5), 3);
            for (i = 0; i < 3; i++) {
                if (clear) {
                    lan_send(cut[i].ip, cut[i].len);
                } else {
                    peer_send(cut[i].ip, cut[i].len);
                }
                if (v == 6) {
                    assert_int_equal(handed, i + 1);
                    assert_memory_equal(last + 8, cut[i].ip + 8,
                                        cut[i].len - 8);
                }
            }
            assert_int_equal(handed, 3);
            assert_int_equal(lan.port.frag_drop, 0);
            ipsec_spd_remove(&lan.dev.ips, &any);
            netif_remove(&inside);
            lan_end();
        }
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
    need_icmp();
    FOR_EACH_VERSION(v) {
        for (secure = 0; secure <= 1; secure++) {
            struct packet_spec spec;
            struct ipsec_policy any;
            unsigned mtu;
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
            assert_int_equal(upper_of(last)[1], v == 4 ? 4 : 0);
            mtu = (unsigned)upper_of(last)[6] << 8 | upper_of(last)[7];
            assert_true(secure ? mtu < 1400 && mtu >= 1280 : mtu == 1300);
            assert_true(upper_intact(last));
            netif_remove(&inside);
            ipsec_spd_remove(&lan.dev.ips, &any);
            lan_wait(10);
            lan.netif.mtu = LAN_MTU;
            lan_wait(10);
            lan_end();
        }
    }
}

/* Policy refuses it, or no SA comes in time: its sender is told, unless he is
 * not to be, and not too often. */
static void
transit_refused(void **state)
{
    static const struct {
        int     action, silent;
        uint8_t code4, code6;
    } row[] = {
        { IPSEC_ACTION_DISCARD, 0, 13, 1 }, /* administratively prohibited */
        { IPSEC_ACTION_PROTECT, 0, 1, 3 },  /* host, address unreachable */
        { IPSEC_ACTION_DISCARD, 1, 0, 0 },
        { IPSEC_ACTION_PROTECT, 1, 0, 0 },
    };
    size_t i, len;
    int v;

    (void)state;
    need_icmp();
    FOR_EACH_VERSION(v) {
        for (i = 0; i < COUNT(row); i++) {
            uint8_t code = v == 4 ? row[i].code4 : row[i].code6;
            struct ipsec_policy any;

            lan_bare(1);
            lan_policy(&any, row[i].action, 50, 0, 0, 0);
            lan.port.silent = (uint8_t)row[i].silent;
            inside_up();
            len = udp_packet(ip, host_addr(v), far_addr(v), 9, 7, 100);
            to_inside(len);
            lan_wait(IPSEC_LWIP_HOLD_MS + 100);
            assert_int_equal(lan_take(ip2, NULL, NULL), 0);
            assert_int_equal(handed, row[i].silent ? 0 : 1);
            assert_int_equal(lan.port.icmp_sent, handed);
            if (!row[i].silent) {
                assert_int_equal(upper_of(last)[0], v == 4 ? 3 : 1);
                assert_int_equal(upper_of(last)[1], code);
                assert_true(upper_intact(last));
                /* as it came, but for the hop that lwIP has counted */
                ip[v == 4 ? 8 : 7]--;
                if (v == 4) {
                    packet_fix(ip);
                }
                assert_memory_equal(upper_of(last) + 8, ip, len);
            }
            netif_remove(&inside);
            ipsec_spd_remove(&lan.dev.ips, &any);
            lan_end();
        }
    }
}

static void
transit_flood(void **state)
{
    size_t i;
    int v;

    (void)state;
    need_icmp();
    FOR_EACH_VERSION(v) {
        lan_bare(0); /* no policy but neighbour discovery's */
        inside_up();
        for (i = 0; i < IPSEC_LWIP_ICMP_BURST + 5; i++) {
            to_inside(udp_packet(ip, host_addr(v), far_addr(v), 9, 7, 100));
        }
        assert_int_equal(handed, IPSEC_LWIP_ICMP_BURST);
        assert_int_equal(lan.port.icmp_limited, 5);
        lan_wait(3 * IPSEC_LWIP_ICMP_MS);
        for (i = 0; i < 5; i++) {
            to_inside(udp_packet(ip, host_addr(v), far_addr(v), 9, 7, 100));
        }
        assert_int_equal(handed, IPSEC_LWIP_ICMP_BURST + 3);
        /* an ICMP error about an ICMP error is never sent */
        lan_wait(3 * IPSEC_LWIP_ICMP_MS);
        (void)udp_packet(ip, host_addr(v), far_addr(v), 9, 7, 100);
        ip[v == 4 ? 9 : 6] = v == 4 ? 1 : 58;
        memset(upper_of(ip), 0, 8);
        upper_of(ip)[0] = v == 4 ? 3 : 1;
        upper_of(ip)[8] = v == 4 ? 0x45 : 0x60;
        if (v == 4) {
            packet_fix(ip);
        }
        upper_fix(ip);
        to_inside(packet_len(ip));
        assert_int_equal(handed, IPSEC_LWIP_ICMP_BURST + 3);
        netif_remove(&inside);
        lan_end();
    }
}

/* A SYN with an MSS of 1460, between others. */
static size_t
syn(const char *from, const char *to)
{
    static const uint8_t mss[] = { 2, 4, 0x05, 0xb4 };
    struct packet_spec spec;
    size_t len;

    memset(&spec, 0, sizeof spec);
    spec.src = from;
    spec.dst = to;
    spec.proto = 6;
    spec.sport = 1234;
    spec.dport = 80;
    spec.payload = sizeof mss;
    len = packet_build(ip, &spec);
    upper_of(ip)[12] = 6 << 4;
    upper_of(ip)[13] = 2;
    memcpy(upper_of(ip) + 20, mss, sizeof mss);
    upper_fix(ip);
    return len;
}

static unsigned
mss_of(uint8_t *p)
{
    return (unsigned)upper_of(p)[22] << 8 | upper_of(p)[23];
}

/* The MSS of a connection between others fits the tunnel, both ways; of one
 * that is bypassed, the link. */
static void
transit_mss(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        /* outer header, ESP with IV, ICV; a multiple of 4 less the trailer */
        unsigned room = LAN_MTU - (v == 4 ? 20u : 40u) - 16 - 16;
        unsigned due = (room & ~3u) - 2 - (v == 4 ? 40 : 60);
        struct ipsec_policy any;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        inside_up();
        to_inside(syn(host_addr(v), far_addr(v)));
        assert_true(peer_take(ip) > 0);
        assert_int_equal(mss_of(ip), due);
        assert_true(upper_intact(ip));
        peer_send(ip, syn(far_addr(v), host_addr(v)));
        assert_int_equal(handed, 1);
        assert_int_equal(mss_of(last), due);
        if (v == 6 || LWIP_VERSION_MINOR < 2) { /* which spoils it there */
            assert_true(upper_intact(last));
        }
        lan_policy(&any, IPSEC_ACTION_BYPASS, 50, 0, 0, 0);
        to_inside(syn(host_addr(v), peer_addr(v)));
        assert_true(lan_take(ip, NULL, NULL) > 0);
        assert_int_equal(mss_of(ip), v == 4 ? 1460 : 1440);
        assert_true(upper_intact(ip));
        ipsec_spd_remove(&lan.dev.ips, &any);
        netif_remove(&inside);
        lan_end();
    }
}

/* Both netifs attached, the inner one with an SPD that lets all pass: so lwIP
 * 2.2 forwards without a checksum spoilt, whichever way. A packet that comes
 * damaged goes on so. */
static void
both_attached(void **state)
{
    static const uint8_t protos[] = { 6, 17, 1, 200 };
    static struct ipsec_lwip port;
    size_t i, len;
    int v, damage;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct ipsec_policy any;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        inside_up();
        memset(&port, 0, sizeof port);
        port.spd_id = 1;
        assert_int_equal(ipsec_lwip_attach(&port, &inside, &lan.dev.ips, NULL,
                                           0), ERR_OK);
        lan_policy(&any, IPSEC_ACTION_BYPASS, 50, 0, 0, 0);
        ipsec_spd_remove(&lan.dev.ips, &any);
        any.sel.spd_id = 1;
        assert_status(ipsec_spd_add(&lan.dev.ips, &any), IPSEC_OK);
        for (i = 0; i < COUNT(protos) * 2; i++) {
            struct packet_spec spec;

            damage = i >= COUNT(protos);
            memset(&spec, 0, sizeof spec);
            spec.src = host_addr(v);
            spec.dst = far_addr(v);
            spec.proto = protos[i % COUNT(protos)];
            if (spec.proto == 1 && v == 6) {
                spec.proto = 58;
            }
            spec.sport = spec.proto == 17 ? 9 : 128 << 8;
            spec.payload = 100;
            len = packet_build(ip, &spec);
            upper_of(ip)[9] ^= (uint8_t)damage;
            to_inside(len);
            assert_int_equal(peer_take(ip2), len);
            assert_memory_equal(upper_of(ip2), upper_of(ip),
                                len - (v == 4 ? 20 : 40));
            spec.src = far_addr(v);
            spec.dst = host_addr(v);
            len = packet_build(ip, &spec);
            upper_of(ip)[9] ^= (uint8_t)damage;
            handed = 0;
            peer_send(ip, len);
            assert_int_equal(handed, 1);
            assert_true(packet_intact(last));
            assert_memory_equal(upper_of(last), upper_of(ip),
                                len - (v == 4 ? 20 : 40));
        }
        assert_int_equal(ipsec_lwip_detach(&port), ERR_OK);
        netif_remove(&inside);
        lan_end();
    }
}

#if LWIP_IPV4
/* Too short for a checksum where lwIP 2.2 writes one. */
static void
stubs(void **state)
{
    static const uint8_t protos[] = { 6, 17, 1 };
    size_t i, n;

    (void)state;
    for (i = 0; i < COUNT(protos); i++) {
        for (n = 0; n < 20; n++) {
            struct packet_spec spec;

            lan_begin(IPSEC_MODE_TUNNEL, 4, 0);
            inside_up();
            memset(&spec, 0, sizeof spec);
            spec.src = HOST4;
            spec.dst = FAR4;
            spec.proto = 200;
            spec.payload = n;
            (void)packet_build(ip, &spec);
            ip[9] = protos[i];
            packet_fix(ip);
            to_inside(20 + n); /* the sanitizer watches its end */
            netif_remove(&inside);
            lan_end();
        }
    }
}
#endif

#endif

int
tests_forward(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_inside),
#ifdef LAN_GATEWAY
        cmocka_unit_test(forwarded),
        cmocka_unit_test(forwarded_fragments),
        cmocka_unit_test(transit_esp),
        cmocka_unit_test(transit_transport),
        cmocka_unit_test(transit_too_big),
        cmocka_unit_test(transit_refused),
        cmocka_unit_test(transit_flood),
        cmocka_unit_test(transit_mss),
        cmocka_unit_test(both_attached),
#if LWIP_IPV4
        cmocka_unit_test(stubs),
#endif
#endif
    };

    return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
