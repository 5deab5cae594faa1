/* SPDX-License-Identifier: MIT */
#include "lan.h"

#include "ipsec_lwip_tunnel.h"

/* The tunnel as a netif: what is routed into it is protected, and what should
 * have come through it is not believed in clear. The device's Ethernet netif
 * has nothing attached. */

#define TUN4 "198.51.100.1"      /* FAR4 and FAR6 are routed into it */
#define TUN6 "2001:db8:9::1"

#ifdef IPSEC_NO_NATT
#define NATT 0
#else
#define NATT 1
#endif

static struct ipsec_lwip_tunnel tun;
static struct netif vpn;
static uint8_t ip[PACKET_MAX];

static void
tunnel_set(int slots)
{
    memset(&tun, 0, sizeof tun);
    memset(&vpn, 0, sizeof vpn);
    tun.ips = &lan.dev.ips;
    tun.under = &lan.netif;
    tun.reqid = 1;
    tun.spd_id = 1;
    tun.slot = lan.slot;
    tun.slots = (size_t)slots;
}

static struct netif *
tunnel_add(void)
{
#if LWIP_IPV4
    ip4_addr_t addr, mask;

    (void)ip4addr_aton(TUN4, &addr);
    (void)ip4addr_aton("255.255.255.0", &mask);
    return netif_add(&vpn, &addr, &mask, IP4_ADDR_ANY4, &tun,
                     ipsec_lwip_tunnel_init, ip_input);
#else
    return netif_add(&vpn, &tun, ipsec_lwip_tunnel_init, ip_input);
#endif
}

/* SAs between the device and the peer; the peer's policy is to protect all. */
static void
begin(int outer, int sas, int natt)
{
    lan_bare(-1);
    lan_sas(IPSEC_MODE_TUNNEL, outer);
    lan.in.params.spd_id = 1;
    if (natt) {
        lan.out.params.local_port = lan.out.params.remote_port = 4500;
        lan.in.params.local_port = lan.in.params.remote_port = 4500;
        lan.peer_out.params.local_port = lan.peer_out.params.remote_port = 4500;
        lan.peer_in.params.local_port = lan.peer_in.params.remote_port = 4500;
        lan.dev.cfg.natt_port = lan.peer.cfg.natt_port = 4500;
    }
    if (sas) {
        lan_sas_add();
    }
    lan.peer_all.action = IPSEC_ACTION_PROTECT;
    lan.peer_all.dir = IPSEC_OUT | IPSEC_IN;
    lan.peer_all.reqid = 1;
    assert_status(ipsec_spd_add(&lan.peer.ips, &lan.peer_all), IPSEC_OK);
    tunnel_set(LAN_SLOTS);
    tun.natt_port = natt ? 4500 : 0;
    assert_non_null(tunnel_add());
#if LWIP_IPV6
    {
        ip6_addr_t addr;

        (void)ip6addr_aton(TUN6, &addr);
        netif_ip6_addr_set(&vpn, 1, &addr);
        netif_ip6_addr_set_state(&vpn, 1, IP6_ADDR_PREFERRED);
    }
#endif
    netif_set_up(&vpn);
    lan_clear();
}

static void
end(void)
{
    assert_int_equal(ipsec_lwip_tunnel_remove(&vpn), ERR_OK);
    lan_end();
}

static const char *
tun_addr(int v)
{
    return v == 4 ? TUN4 : TUN6;
}

static void
there_and_back(int v, int outer, int natt)
{
    static const size_t payload[] = { 0, 100, 1400, 4000 };
    struct udp_pcb *pcb;
    size_t i, len, n, frames, most;

    fx_note("inner %d, outer %d, UDP %d", v, outer, natt);
    begin(outer, 1, natt);
    pcb = lan_socket(4000);
    for (i = 0; i < COUNT(payload); i++) {
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 7, payload[i]),
                         ERR_OK);
        len = lan_take(ip, &frames, &most);
        assert_int_equal(ip[outer == 4 ? 9 : 6], natt ? 17 : 50);
        assert_true(most <= LAN_MTU && frames >= payload[i] / LAN_MTU);
        assert_int_equal(peer_open(ip, len),
                         (v == 4 ? 28 : 48) + payload[i]);
        assert_true(upper_intact(ip));
        assert_int_equal(lan_take(ip, NULL, NULL), 0);

        n = lan.gots;
        len = udp_packet(ip, far_addr(v), tun_addr(v), 7, 4000, payload[i]);
        if (payload[i] == 4000) {
            peer_send_cut(ip, len, 1400, "120");
        } else {
            peer_send(ip, len);
        }
        assert_int_equal(lan.gots, n + 1);
        assert_int_equal(lan.got_len, payload[i]);
    }
    assert_int_equal(tun.spoofed, 0);
    udp_remove(pcb);
    end();
}

static void
routed(void **state)
{
    int v, natt;

    (void)state;
    for (natt = 0; natt <= NATT; natt++) {
        FOR_EACH_VERSION(v) {
            there_and_back(v, v, natt);
        }
#if LWIP_IPV4 && LWIP_IPV6
        there_and_back(4, 6, natt);
        there_and_back(6, 4, natt);
#endif
    }
}

/* What is not routed into it is in clear, both ways, also in fragments; what
 * should have come through it is dropped, but for key management. */
static void
beside(void **state)
{
    static const struct {
        int      far, natt;
        uint16_t port;
        uint8_t  first;     /* of the payload */
        size_t   got, spoofed;
    } row[] = {
        { 0, 1, 4000, 9, 1, 0 },
        { 1, 1, 4000, 9, 0, 1 },
        { 1, 1, 500,  9, 1, 0 },
        { 1, 1, 4500, 0, 1, 0 },
        { 0, 1, 4500, 0, 1, 0 },
        { 0, 1, 4500, 9, 0, 0 }, /* ESP, of no SA */
        { 0, 0, 4500, 9, 1, 0 },
    };
    size_t i, len;
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (i = 0; i < (NATT ? COUNT(row) : 3); i++) {
            struct udp_pcb *pcb;
            struct cut cut[3];

            fx_note("IPv%d, row %zu", v, i);
            begin(v, 1, row[i].natt && NATT);
            pcb = lan_socket(row[i].port);
            len = udp_packet(ip, row[i].far ? far_addr(v) : peer_addr(v),
                             dev_addr(v), 9, row[i].port, 2000);
            memset(upper_of(ip) + 8, row[i].first, 8);
            upper_fix(ip);
            assert_int_equal(packet_cut(cut, ip, len, 1400, 5), 2);
            lan_send(cut[1].ip, cut[1].len);
            lan_send(cut[0].ip, cut[0].len);
            assert_int_equal(lan.gots, row[i].got);
            assert_int_equal(tun.spoofed, row[i].spoofed);
            assert_int_equal(lan_take(ip, NULL, NULL), 0); /* no answer */
            assert_int_equal(lan_udp_send(pcb, peer_addr(v), 9, 100), ERR_OK);
            assert_int_equal(lan_take(ip, NULL, NULL), v == 4 ? 128 : 148);
            assert_int_equal(upper_of(ip)[3], 9);
            udp_remove(pcb);
            end();
        }
    }
}

/* With the default route into the tunnel all else is beside it but the link's
 * own net, and who has no address yet. */
static void
default_route(void **state)
{
    static const struct {
        const char *from4, *from6;
        size_t      spoofed;
    } row[] = {
        { PEER4, PEER6, 0 },
        { "203.0.113.5", "2001:db8:77::5", 1 },
        { "0.0.0.0", "::", 0 },
        { PEER4, "fe80::2", 0 },
    };
    size_t i;
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (i = 0; i < COUNT(row); i++) {
            begin(v, 1, 0);
            netif_set_default(&vpn);
            lan_send(ip, udp_packet(ip, v == 4 ? row[i].from4 : row[i].from6,
                                    dev_addr(v), 9, 4000, 10));
            assert_int_equal(tun.spoofed, row[i].spoofed);
            end();
        }
    }
}

/* ESP and AH of no SA are counted, and not answered. */
static void
unknown(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct packet_spec spec;

        begin(v, 1, 0);
        memset(&spec, 0, sizeof spec);
        spec.src = peer_addr(v);
        spec.dst = dev_addr(v);
        spec.payload = 100;
        for (spec.proto = 50; spec.proto <= 51; spec.proto++) {
            lan_send(ip, packet_build(ip, &spec));
        }
        assert_int_equal(lan.dev.ips.stats.in_drop[-IPSEC_ERR_NO_SA] +
                         lan.dev.ips.stats.in_drop[-IPSEC_ERR_MALFORMED], 2);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        end();
    }
}

/* Packets wait for SAs; never do they go out in clear, whatever its SPD. */
static void
waits(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct ipsec_policy bypass;
        struct udp_pcb *pcb;

        begin(v, 0, 0);
        pcb = lan_socket(4000);
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 7, 100), ERR_OK);
        assert_int_equal(tun.port.held, 1);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        lan_sas_add();
        ipsec_lwip_poll(&tun.port);
        assert_int_equal(peer_take(ip), (v == 4 ? 28 : 48) + 100);
        lan_policy(&bypass, IPSEC_ACTION_BYPASS, 50, 0, 0, 0);
        ipsec_spd_remove(&lan.dev.ips, &bypass);
        bypass.sel.spd_id = 1;
        assert_status(ipsec_spd_add(&lan.dev.ips, &bypass), IPSEC_OK);
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 7, 100), ERR_RTE);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        ipsec_spd_remove(&lan.dev.ips, &bypass);
        udp_remove(pcb);
        end();
    }
}

/* Two tunnels over one netif: each gets what is its own. */
static void
two(void **state)
{
    static struct ipsec_lwip_tunnel other;
    static struct netif vpn2;
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;

        begin(v, 1, 0);
        memset(&other, 0, sizeof other);
        memset(&vpn2, 0, sizeof vpn2);
        other.ips = &lan.dev.ips;
        other.under = &lan.netif;
        other.reqid = 2;
        other.spd_id = 2;
#if LWIP_IPV4
        assert_non_null(netif_add(&vpn2, IP4_ADDR_ANY4, IP4_ADDR_ANY4,
                                  IP4_ADDR_ANY4, &other,
                                  ipsec_lwip_tunnel_init, ip_input));
#else
        assert_non_null(netif_add(&vpn2, &other, ipsec_lwip_tunnel_init,
                                  ip_input));
#endif
        netif_set_up(&vpn2);
        pcb = lan_socket(4000);
        peer_send(ip, udp_packet(ip, far_addr(v), tun_addr(v), 7, 4000, 50));
        assert_int_equal(lan.gots, 1);
        udp_remove(pcb);
        assert_int_equal(ipsec_lwip_tunnel_remove(&vpn2), ERR_OK);
        end();
    }
}

static void
init_errors(void **state)
{
    struct ipsec_lwip port;
    size_t i;

    (void)state;
    lan_bare(-1);
    for (i = 0; i < 5; i++) {
        tunnel_set(0);
        tun.ips = i == 0 ? NULL : tun.ips;
        tun.under = i == 1 ? NULL : tun.under;
        tun.reqid = i == 2 ? 0 : tun.reqid;
        vpn.state = i == 3 ? NULL : &tun;
        lan.netif.mtu = i == 4 ? 500 : LAN_MTU;
        assert_int_equal(ipsec_lwip_tunnel_init(&vpn),
                         i == 4 ? ERR_IF : ERR_ARG);
    }
    lan.netif.mtu = LAN_MTU;
    tunnel_set(0);
    memset(&port, 0, sizeof port);
    assert_int_equal(ipsec_lwip_attach(&port, &lan.netif, &lan.dev.ips, NULL,
                                       0), ERR_OK);
    vpn.state = &tun;
    assert_int_equal(ipsec_lwip_tunnel_init(&vpn), ERR_USE);
    assert_int_equal(ipsec_lwip_tunnel_remove(&vpn), ERR_ARG);
    assert_int_equal(ipsec_lwip_detach(&port), ERR_OK);
    tunnel_set(0);
    assert_non_null(tunnel_add());
    assert_int_equal(ipsec_lwip_tunnel_init(&vpn), ERR_USE);
    assert_int_equal(ipsec_lwip_tunnel_remove(&vpn), ERR_OK);
    assert_int_equal(ipsec_lwip_tunnel_remove(&vpn), ERR_ARG);
    lan_end();
}

int
tests_tunnel(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routed),
        cmocka_unit_test(beside),
        cmocka_unit_test(default_route),
        cmocka_unit_test(unknown),
        cmocka_unit_test(waits),
        cmocka_unit_test(two),
        cmocka_unit_test(init_errors),
    };

    return cmocka_run_group_tests_name("tunnel", tests, NULL, NULL);
}
