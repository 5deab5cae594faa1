/* SPDX-License-Identifier: MIT */
#include "lan.h"

#include "lwip/dhcp.h"
#include "lwip/nd6.h"
#include "lwip/raw.h"

/* Coming and going, and what is not to be sent, answered or believed. */

static uint8_t ip[PACKET_MAX], ip2[PACKET_MAX];

static void
attach_errors(void **state)
{
    static struct ipsec_lwip second;
    static struct netif dumb;

    (void)state;
    lan_bare(0);
    memset(&second, 0, sizeof second);
    assert_int_equal(ipsec_lwip_attach(NULL, &lan.netif, &lan.dev.ips, NULL,
                                       0), ERR_ARG);
    assert_int_equal(ipsec_lwip_attach(&second, NULL, &lan.dev.ips, NULL, 0),
                     ERR_ARG);
    assert_int_equal(ipsec_lwip_attach(&second, &lan.netif, NULL, NULL, 0),
                     ERR_ARG);
    assert_int_equal(ipsec_lwip_attach(&second, &lan.netif, &lan.dev.ips,
                                       NULL, 1), ERR_ARG);
    assert_int_equal(ipsec_lwip_attach(&second, &lan.netif, &lan.dev.ips,
                                       NULL, 0), ERR_USE);
    assert_int_equal(ipsec_lwip_attach(&lan.port, &lan.netif, &lan.dev.ips,
                                       NULL, 0), ERR_USE);
    memset(&dumb, 0, sizeof dumb);
    dumb.mtu = 1500;
    assert_int_equal(ipsec_lwip_attach(&second, &dumb, &lan.dev.ips, NULL, 0),
                     ERR_IF);
#if LWIP_IPV4
    dumb.output = lan.port.output;
#endif
#if LWIP_IPV6
    dumb.output_ip6 = lan.port.output_ip6;
#endif
    dumb.mtu = LWIP_IPV6 ? 1279 : 575;
    assert_int_equal(ipsec_lwip_attach(&second, &dumb, &lan.dev.ips, NULL, 0),
                     ERR_IF);
    dumb.mtu++;
    assert_int_equal(ipsec_lwip_attach(&second, &dumb, &lan.dev.ips, NULL, 0),
                     ERR_OK);
    assert_int_equal(ipsec_lwip_detach(&second), ERR_OK);
    assert_int_equal(dumb.mtu, LWIP_IPV6 ? 1280 : 576);
    assert_int_equal(ipsec_lwip_detach(&second), ERR_ARG);
    assert_int_equal(ipsec_lwip_detach(NULL), ERR_ARG);
    ipsec_lwip_poll(&second); /* does nothing */
    lan_end();
}

#if LWIP_IPV4
typedef netif_output_fn outputs;
#define OUTPUT(netif) ((netif)->output)
#else
typedef netif_output_ip6_fn outputs;
#define OUTPUT(netif) ((netif)->output_ip6)
#endif

/* Somebody who wraps the output functions later must unwrap them first. */
static void
wrapped(void **state)
{
    outputs ours, theirs;

    (void)state;
    lan_bare(0);
    ours = OUTPUT(&lan.netif);
#if LWIP_IPV4
    theirs = lan.port.output;
#else
    theirs = lan.port.output_ip6;
#endif
    OUTPUT(&lan.netif) = theirs;
    assert_int_equal(ipsec_lwip_detach(&lan.port), ERR_USE);
    assert_non_null(lan.port.netif);
    OUTPUT(&lan.netif) = ours;
    lan_end();
}

/* Our output function on a netif that is not attached sends nothing. */
static void
stray_output(void **state)
{
    static struct netif copy;
    struct pbuf *p;

    (void)state;
    lan_bare(0);
    copy = lan.netif;
    p = pbuf_alloc(PBUF_LINK, 100, PBUF_RAM);
#if LWIP_IPV4
    assert_int_equal(copy.output(&copy, p, IP4_ADDR_BROADCAST), ERR_IF);
#else
    assert_int_equal(copy.output_ip6(&copy, p, IP6_ADDR_ANY6), ERR_IF);
#endif
    (void)pbuf_free(p);
    assert_int_equal(lan_take(ip, NULL, NULL), 0);
    lan_end();
}

/* The driver changes its mind about the mtu, as PPP does; the link goes down
 * and up. */
static void
mtu_changes(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        size_t frames, most;

        lan_begin(IPSEC_MODE_TRANSPORT, v, 0);
        pcb = lan_socket(0);
        lan.netif.mtu = 1300;
        ipsec_lwip_poll(&lan.port);
        assert_int_equal(lan_udp_send(pcb, peer_addr(v), 7, 4000), ERR_OK);
        (void)lan_take(ip, &frames, &most);
        assert_true(most <= 1300 && most > 1280);
        assert_int_equal(lan.port.mtu, 1300);
        netif_set_link_down(&lan.netif);
        netif_set_link_up(&lan.netif);
        assert_int_equal(lan_udp_send(pcb, peer_addr(v), 7, 4000), ERR_OK);
        (void)lan_take(ip, &frames, &most);
        assert_true(most <= 1300);
        lan.netif.mtu = 1500;
        ipsec_lwip_poll(&lan.port);
        assert_int_equal(lan.port.mtu, 1500);
        udp_remove(pcb);
        lan_end();
    }
}

/* What policy refuses, the application is told. */
static void
refused(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct ipsec_policy no;
        struct udp_pcb *pcb;

        lan_bare(4);
        pcb = lan_socket(4000);
        assert_int_equal(lan_udp_send(pcb, peer_addr(v), 7, 10), ERR_RTE);
        lan_policy(&no, IPSEC_ACTION_DISCARD, 50, 0, 0, 0);
        assert_int_equal(lan_udp_send(pcb, peer_addr(v), 7, 10), ERR_RTE);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        lan_send(ip, udp_packet(ip, peer_addr(v), dev_addr(v), 9, 4000, 10));
        assert_int_equal(lan.gots, 0);
        assert_int_equal(lan.dev.ips.stats.in_drop[-IPSEC_ERR_DISCARD], 1);
        ipsec_spd_remove(&lan.dev.ips, &no);
        udp_remove(pcb);
        lan_end();
    }
}

/* A netif with an SPD of its own. */
static void
own_spd(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct ipsec_policy any;
        struct udp_pcb *pcb;

        lan_bare(0);
        lan_policy(&any, IPSEC_ACTION_BYPASS, 50, 0, 0, 0);
        lan.port.spd_id = 3;
        pcb = lan_socket(4000);
        assert_int_equal(lan_udp_send(pcb, peer_addr(v), 7, 10), ERR_RTE);
        lan_send(ip, udp_packet(ip, peer_addr(v), dev_addr(v), 9, 4000, 10));
        assert_int_equal(lan.gots, 0);
        ipsec_spd_remove(&lan.dev.ips, &any);
        any.sel.spd_id = 3;
        assert_status(ipsec_spd_add(&lan.dev.ips, &any), IPSEC_OK);
        assert_int_equal(lan_udp_send(pcb, peer_addr(v), 7, 10), ERR_OK);
        lan_send(ip, udp_packet(ip, peer_addr(v), dev_addr(v), 9, 4000, 10));
        assert_int_equal(lan.gots, 1);
        lan.port.spd_id = 0;
        ipsec_spd_remove(&lan.dev.ips, &any);
        udp_remove(pcb);
        lan_end();
    }
}

/* Bypassed packets: as they are if they are in one piece, fragmented if they
 * are too long. */
static void
bypassed(void **state)
{
    static const size_t payload[] = { 0, 100, 1472, 4000 };
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct ipsec_policy any;
        struct udp_pcb *pcb;
        size_t i, len, most, want;

        lan_bare(0);
        lan_policy(&any, IPSEC_ACTION_BYPASS, 50, 0, 0, 0);
        pcb = lan_socket(4000);
        for (i = 0; i < COUNT(payload); i++) {
            lan_clear();
            assert_int_equal(lan_udp_send(pcb, peer_addr(v), 7, payload[i]),
                             ERR_OK);
            len = lan_take(ip, NULL, &most);
            want = udp_packet(ip2, dev_addr(v), peer_addr(v), 4000, 7,
                              payload[i]);
            assert_int_equal(len, want);
            assert_true(most <= LAN_MTU);
            assert_memory_equal(upper_of(ip), upper_of(ip2), payload[i] + 8);
            assert_true(upper_intact(ip));
            if (payload[i] < 1000) {
                len = udp_packet(ip, peer_addr(v), dev_addr(v), 9, 4000,
                                 payload[i]);
                lan.piece = i;
                lan_send(ip, len);
                assert_int_equal(lan.gots, 1);
                assert_int_equal(lan.got_len, payload[i]);
            }
        }
        ipsec_spd_remove(&lan.dev.ips, &any);
        udp_remove(pcb);
        lan_end();
    }
}

#if LWIP_IPV4
/* The path of an SA is narrower than the link: IPv4 packets without DF are
 * fragmented for it. It can't be so narrow that no fragment fits (RFC 791
 * section 3.2). */
static void
narrow_sa4(void **state)
{
    static const unsigned mtu[] = { 1400, 576, 68, 1 };
    struct udp_pcb *pcb;
    size_t i, len, most, due;

    (void)state;
    lan_begin(IPSEC_MODE_TUNNEL, 4, 0);
    pcb = lan_socket(0);
    for (i = 0; i < COUNT(mtu); i++) {
        lan.out.sa.mtu = (uint16_t)mtu[i];
        assert_int_equal(lan_udp_send(pcb, FAR4, 7, 2000), ERR_OK);
        len = lan_take(ip, NULL, &most);
        assert_int_equal(peer_open(ip, len), 2028);
        due = mtu[i] < 68 ? 68 : mtu[i];
        assert_true(most <= due && most > due - 8);
    }
    udp_remove(pcb);
    lan_end();
}
#endif

#if LWIP_IPV4
/* Don't Fragment is obeyed, for what an application writes itself too. */
static void
dont_fragment(void **state)
{
    struct ipsec_policy any;
    struct packet_spec spec;
    struct raw_pcb *pcb;
    ip_addr_t to = lwip_addr(PEER4);
    struct pbuf *p;
    size_t len;
    int df;

    (void)state;
    lan_bare(0);
    lan_policy(&any, IPSEC_ACTION_BYPASS, 50, 0, 0, 0);
    pcb = raw_new_ip_type(IPADDR_TYPE_V4, 17);
    raw_set_flags(pcb, RAW_FLAGS_HDRINCL);
    for (df = 0; df <= 1; df++) {
        memset(&spec, 0, sizeof spec);
        spec.src = DEV4;
        spec.dst = PEER4;
        spec.proto = 17;
        spec.payload = 2000;
        spec.df = (uint8_t)df;
        len = packet_build(ip, &spec);
        p = pbuf_alloc(PBUF_LINK, (u16_t)len, PBUF_RAM);
        assert_int_equal(pbuf_take(p, ip, (u16_t)len), ERR_OK);
        assert_int_equal(raw_sendto(pcb, p, &to), df ? ERR_VAL : ERR_OK);
        (void)pbuf_free(p);
        assert_int_equal(lan_take(ip2, NULL, NULL), df ? 0 : len);
        assert_int_equal(lan.port.too_big, df);
    }
    /* options would have to be sorted into fragments */
    spec.df = 0;
    spec.opt_len = 4;
    len = packet_build(ip, &spec);
    p = pbuf_alloc(PBUF_LINK, (u16_t)len, PBUF_RAM);
    assert_int_equal(pbuf_take(p, ip, (u16_t)len), ERR_OK);
    assert_int_equal(raw_sendto(pcb, p, &to), ERR_VAL);
    (void)pbuf_free(p);
    assert_int_equal(lan.port.too_big, 2);
    raw_remove(pcb);
    ipsec_spd_remove(&lan.dev.ips, &any);
    lan_end();
}
#endif

/* ESP that is nobody's is dropped, counted, and not answered. */
static void
unknown_esp(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct packet_spec spec;
        struct cut cut[3];
        size_t len, i;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        memset(&spec, 0, sizeof spec);
        spec.src = peer_addr(v);
        spec.dst = dev_addr(v);
        spec.proto = 50;
        spec.payload = 2400;
        len = packet_build(ip, &spec);
        for (i = packet_cut(cut, ip, len, 800, 5); i > 0; i--) {
            lan_send(cut[i - 1].ip, cut[i - 1].len);
        }
        assert_int_equal(lan.dev.ips.stats.in_drop[-IPSEC_ERR_NO_SA], 1);
        spec.proto = 51;
        spec.payload = 100;
        lan_send(ip, packet_build(ip, &spec));
        assert_int_equal(lan.dev.ips.stats.in_drop[-IPSEC_ERR_NO_SA], 2);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        lan_end();
    }
}

/* Cleartext in the name of the device itself is no loopback. */
static void
spoofed(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        lan_send(ip, udp_packet(ip, dev_addr(v), dev_addr(v), 9, 4000, 10));
        assert_int_equal(lan.gots, 0);
        assert_int_equal(lan.dev.ips.stats.in_drop[-IPSEC_ERR_UNPROTECTED], 1);
        lan_send(ip, udp_packet(ip, v == 4 ? "127.0.0.1" : "::1",
                                v == 4 ? "127.0.0.1" : "::1", 9, 4000, 10));
        assert_int_equal(lan.gots, 0);
        udp_remove(pcb);
        lan_end();
    }
}

#if ENABLE_LOOPBACK
static void
loopback(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        assert_int_equal(lan_udp_send(pcb, v == 4 ? "127.0.0.1" : "::1", 4000,
                                      100), ERR_OK);
        assert_int_equal(lan_udp_send(pcb, dev_addr(v), 4000, 100), ERR_OK);
        assert_int_equal(lan_udp_send(pcb, dev_addr(v), 4000, 4000), ERR_OK);
        lan_wait(50);
        assert_int_equal(lan.gots, 3);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        /* and outside of ipsec_lwip_poll() it is judged */
        assert_int_equal(lan_udp_send(pcb, dev_addr(v), 4000, 100), ERR_OK);
        netif_poll(&lan.netif);
        assert_int_equal(lan.gots, 3);
        udp_remove(pcb);
        lan_end();
    }
}
#endif

#ifndef LAN_GATEWAY
/* Frames for others, on a hub or in promiscuous mode: counted, no audit. */
static void
not_ours(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        lan_send(ip, udp_packet(ip, peer_addr(v), far_addr(v), 9, 4000, 10));
        lan_send(ip, udp_packet(ip, peer_addr(v), v == 4 ? "239.1.2.3"
                                : "ff0e::1:2:3", 9, 4000, 10));
        assert_int_equal(lan.port.not_ours, 2);
        assert_int_equal(lan.dev.audits, 0);
        lan_end();
    }
}
#endif

/* Packets too short for what they say, down to a byte. */
static void
truncated(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        struct pbuf *p;
        size_t len, n;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        len = udp_packet(ip, far_addr(v), dev_addr(v), 9, 4000, 10);
        len = peer_seal(ip2, ip, len);
        for (n = 4; n < len; n++) { /* of fewer, lwIP reads 4 all the same */
            p = pbuf_alloc(PBUF_RAW, (u16_t)n, PBUF_RAM);
            assert_int_equal(pbuf_take(p, ip2, (u16_t)n), ERR_OK);
#if LWIP_IPV4
            if (v == 4) {
                assert_int_equal(ip4_input(p, &lan.netif), ERR_OK);
            }
#endif
#if LWIP_IPV6
            if (v == 6) {
                assert_int_equal(ip6_input(p, &lan.netif), ERR_OK);
            }
#endif
        }
        assert_int_equal(lan.dev.ips.stats.in_drop[-IPSEC_ERR_MALFORMED],
                         len - 4);
        lan_send(ip2, len);
        assert_int_equal(lan.gots, 1);
        udp_remove(pcb);
        lan_end();
    }
}

#if LWIP_DHCP
/* DHCP runs, by a policy for its ports. */
static void
dhcp(void **state)
{
    struct ipsec_policy ports;

    (void)state;
    lan_begin(IPSEC_MODE_TUNNEL, 4, 0);
    netif_set_addr(&lan.netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4);
    lan_policy(&ports, IPSEC_ACTION_BYPASS, 20, 17, 68, 68);
    assert_int_equal(dhcp_start(&lan.netif), ERR_OK);
    assert_true(lan_take(ip, NULL, NULL) > 240);
    assert_int_equal(ip[9], 17);
    assert_int_equal(upper_of(ip)[3], 67);
    /* an offer, to an address that is not ours yet, is judged, not ignored */
    lan_send(ip, udp_packet(ip, PEER4, DEV4, 67, 68, 300));
    assert_int_equal(lan.dev.ips.stats.in_bypass, 1);
    dhcp_release_and_stop(&lan.netif);
    dhcp_cleanup(&lan.netif);
    lan_clear();
    ipsec_spd_remove(&lan.dev.ips, &ports);
    lan_end();
}
#endif

#if LWIP_IPV6
/* Headers that must not come behind a fragment header. */
static void
unfragmentable(void **state)
{
    static const char *const ext[] = { "h", "r", "f", "d" };
    struct ipsec_policy any;
    struct packet_spec spec;
    ip_addr_t to = lwip_addr(PEER6);
    size_t i, len;

    (void)state;
    lan_bare(0);
    lan_policy(&any, IPSEC_ACTION_BYPASS, 50, 0, 0, 0);
    for (i = 0; i < COUNT(ext); i++) {
        struct raw_pcb *pcb = raw_new_ip_type(IPADDR_TYPE_V6, 17);
        struct pbuf *p;

        raw_set_flags(pcb, RAW_FLAGS_HDRINCL);
        memset(&spec, 0, sizeof spec);
        spec.src = DEV6;
        spec.dst = PEER6;
        spec.proto = 17;
        spec.payload = 2000;
        spec.ext = ext[i];
        len = packet_build(ip, &spec);
        p = pbuf_alloc(PBUF_LINK, (u16_t)len, PBUF_RAM);
        assert_int_equal(pbuf_take(p, ip, (u16_t)len), ERR_OK);
        assert_int_equal(raw_sendto(pcb, p, &to),
                         *ext[i] == 'd' ? ERR_OK : ERR_VAL);
        (void)pbuf_free(p);
        raw_remove(pcb);
    }
    assert_int_equal(lan.port.too_big, 3);
    ipsec_spd_remove(&lan.dev.ips, &any);
    lan_end();
}

/* Each datagram has a number of its own. */
static void
fragment_id(void **state)
{
    struct udp_pcb *pcb;
    const uint8_t *one, *two;

    (void)state;
    lan_begin(IPSEC_MODE_TUNNEL, 6, 0);
    pcb = lan_socket(0);
    assert_int_equal(lan_udp_send(pcb, FAR6, 7, 10), ERR_OK);
    lan_pump();
    lan_clear();
    assert_int_equal(lan_udp_send(pcb, FAR6, 7, 2000), ERR_OK);
    assert_int_equal(lan_udp_send(pcb, FAR6, 7, 2000), ERR_OK);
    assert_int_equal(lan.frames, 4);
    one = lan.frame[0].ip;
    two = lan.frame[2].ip;
    assert_memory_equal(one + 44, lan.frame[1].ip + 44, 4);
    assert_memory_not_equal(one + 44, two + 44, 4);
    udp_remove(pcb);
    lan_end();
}

/* The path of an SA is narrower than the link: IPv6 packets of our own are
 * fragmented for it all the same. */
static void
narrow_sa(void **state)
{
    static const struct {
        unsigned mtu;
        size_t   most;
    } row[] = { { 1400, 1400 }, { 1280, 1280 }, { 1, 1280 }, { 9000, 1500 } };
    struct udp_pcb *pcb;
    size_t i, len, most;

    (void)state;
    lan_begin(IPSEC_MODE_TRANSPORT, 6, 0);
    pcb = lan_socket(0);
    for (i = 0; i < COUNT(row); i++) {
        lan.out.sa.mtu = (uint16_t)row[i].mtu;
        assert_int_equal(lan_udp_send(pcb, PEER6, 7, 2000), ERR_OK);
        len = lan_take(ip, NULL, &most);
        assert_int_equal(peer_open(ip, len), 2048);
        assert_true(most <= row[i].most && most > row[i].most - 16);
    }
    udp_remove(pcb);
    lan_end();
}

/* "Packet too big" about an outer packet, and lies about it. */
static void
path_mtu(void **state)
{
    static const unsigned told[] = { 1400, 1280, 1279, 56, 50, 0 };
    static const size_t due[] = { 1400, 1280, 1280, 1280, 1280, 1500 };
    struct ipsec_policy ptb;
    struct udp_pcb *pcb;
    size_t i, len, frames, most;

    (void)state;
    lan_begin(IPSEC_MODE_TUNNEL, 6, 0);
    lan_policy(&ptb, IPSEC_ACTION_BYPASS, 20, 58, 2 << 8, 2 << 8 | 255);
    pcb = lan_socket(4000);
    for (i = 0; i < COUNT(told); i++) {
        lan_clear();
        assert_int_equal(lan_udp_send(pcb, FAR6, 7, 2000), ERR_OK);
        assert_true(lan_take(ip2, NULL, NULL) > 0);
        memset(ip, 0, 88);
        len = udp_packet(ip, PEER6, DEV6, 0, 0, 40);
        ip[6] = 58;
        ip[40] = 2;
        memset(ip + 41, 0, 47);
        ip[46] = (uint8_t)(told[i] >> 8);
        ip[47] = (uint8_t)told[i];
        memcpy(ip + 48, ip2, 40);
        upper_fix(ip);
        lan_send(ip, len);
        assert_int_equal(lan_udp_send(pcb, FAR6, 7, 4000), ERR_OK);
        len = lan_take(ip, &frames, &most);
        assert_true(most <= due[i] && most > due[i] - 16);
        assert_true(peer_open(ip, len) > 0);
    }
    ipsec_spd_remove(&lan.dev.ips, &ptb);
    udp_remove(pcb);
    lan_end();
}

/* A router's MTU option does not make lwIP cut packets ahead of the port. */
static void
router_mtu(void **state)
{
    struct packet_spec spec;
    struct udp_pcb *pcb;

    (void)state;
    lan_begin(IPSEC_MODE_TRANSPORT, 6, 0);
    pcb = lan_socket(4000);
    memset(&spec, 0, sizeof spec);
    spec.src = "fe80::2";
    spec.dst = "ff02::1";
    spec.proto = 58;
    spec.sport = 134 << 8;
    spec.payload = 16;
    spec.ttl = 255;
    (void)packet_build(ip, &spec);
    memset(ip + 44, 0, 12);
    ip[56] = 5; /* MTU: 1400 */
    ip[57] = 1;
    memset(ip + 58, 0, 4);
    ip[62] = 1400 >> 8;
    ip[63] = 1400 & 255;
    upper_fix(ip);
    lan_send(ip, 64);
    assert_int_equal(lan.dev.ips.stats.in_bypass, 1);
    assert_int_equal(lan_udp_send(pcb, PEER6, 7, 4000), ERR_OK);
    assert_int_equal(peer_take(ip), 4048);
    udp_remove(pcb);
    lan_end();
}
#endif

int
tests_port(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attach_errors),
        cmocka_unit_test(wrapped),
        cmocka_unit_test(stray_output),
        cmocka_unit_test(mtu_changes),
        cmocka_unit_test(refused),
        cmocka_unit_test(own_spd),
        cmocka_unit_test(bypassed),
#if LWIP_IPV4
        cmocka_unit_test(narrow_sa4),
        cmocka_unit_test(dont_fragment),
#endif
        cmocka_unit_test(unknown_esp),
        cmocka_unit_test(spoofed),
#if ENABLE_LOOPBACK
        cmocka_unit_test(loopback),
#endif
#ifndef LAN_GATEWAY
        cmocka_unit_test(not_ours),
#endif
        cmocka_unit_test(truncated),
#if LWIP_DHCP
        cmocka_unit_test(dhcp),
#endif
#if LWIP_IPV6
        cmocka_unit_test(unfragmentable),
        cmocka_unit_test(fragment_id),
        cmocka_unit_test(narrow_sa),
        cmocka_unit_test(path_mtu),
        cmocka_unit_test(router_mtu),
#endif
    };

    return cmocka_run_group_tests_name("port", tests, NULL, NULL);
}
