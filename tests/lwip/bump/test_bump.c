/* SPDX-License-Identifier: MIT */
#include "lan.h"

#include "netif/ethernet.h"

/* What only a bump below lwIP has to do: frames, fragments that lwIP makes, and
 * what it must be told. */

#define ETH (ETH_PAD_SIZE + 14u)
#define UDP 17

static const uint8_t dev_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };
static uint8_t ip[PACKET_MAX], ip2[PACKET_MAX];

/* --- frames */

static struct pbuf *
frame(int out, uint16_t type, const uint8_t *data, size_t len)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(ETH + len), PBUF_RAM);
    uint8_t eth[ETH];

    memset(eth, 0, sizeof eth);
    memcpy(eth + ETH_PAD_SIZE, out ? peer_mac : dev_mac, 6);
    memcpy(eth + ETH_PAD_SIZE + 6, out ? dev_mac : peer_mac, 6);
    eth[ETH - 2] = (uint8_t)(type >> 8);
    eth[ETH - 1] = (uint8_t)type;
    assert_int_equal(pbuf_take(p, eth, sizeof eth), ERR_OK);
    assert_int_equal(pbuf_take_at(p, data, (u16_t)len, (u16_t)ETH), ERR_OK);
    return p;
}

static uint16_t
type_of(const uint8_t *packet)
{
    return packet[0] >> 4 == 4 ? ETHTYPE_IP : ETHTYPE_IPV6;
}

/* As lwIP would hand it to the driver. */
static err_t
send_frame(uint16_t type, const uint8_t *data, size_t len)
{
    struct pbuf *p = frame(1, type, data, len);
    err_t err = lan.netif.linkoutput(&lan.netif, p);

    (void)pbuf_free(p);
    return err;
}

/* What lwIP would get, in its place. */
static uint8_t up[PACKET_MAX];
static size_t ups;

static err_t
on_up(struct pbuf *p, struct netif *netif)
{
    assert_true(netif == &lan.netif && p->tot_len <= sizeof up);
    (void)pbuf_copy_partial(p, up, p->tot_len, 0);
    (void)pbuf_free(p);
    ups++;
    return ERR_OK;
}

static size_t
from_dev(int v, size_t payload, int df)
{
    struct packet_spec spec;

    memset(&spec, 0, sizeof spec);
    spec.src = dev_addr(v);
    spec.dst = peer_addr(v);
    spec.proto = UDP;
    spec.sport = 4000;
    spec.dport = 7;
    spec.payload = payload;
    spec.df = (uint8_t)df;
    return packet_build(ip, &spec);
}

/* --- begin and end */

static void
attach(void **state)
{
    struct ipsec_lwip_bump *bump = &lan.port;
    netif_linkoutput_fn linkoutput;
    struct netif *netif = &lan.netif;
    struct ipsec_lwip_bump other;
    uint8_t mem[LAN_MTU];

    (void)state;
    lan_bare(0);
    memset(&other, 0, sizeof other);
    assert_int_equal(ipsec_lwip_bump_attach(NULL, netif), ERR_ARG);
    assert_int_equal(ipsec_lwip_bump_attach(&other, NULL), ERR_ARG);
    assert_int_equal(ipsec_lwip_bump_attach(&other, netif), ERR_ARG);
    other.ips = &lan.dev.ips;
    assert_int_equal(ipsec_lwip_bump_attach(&other, netif), ERR_USE);
    assert_int_equal(ipsec_lwip_bump_attach(bump, netif), ERR_USE);
    assert_int_equal(ipsec_lwip_bump_detach(&other), ERR_ARG);
    assert_int_equal(ipsec_lwip_bump_detach(NULL), ERR_ARG);
    ipsec_lwip_bump_poll(&other);

    linkoutput = netif->linkoutput;
    netif->linkoutput = NULL; /* somebody else's, on top */
    assert_int_equal(ipsec_lwip_bump_detach(bump), ERR_USE);
    netif->linkoutput = linkoutput;
    assert_int_equal(ipsec_lwip_bump_detach(bump), ERR_OK);
    assert_true(netif->linkoutput != linkoutput);
    assert_true(netif->input == ethernet_input);
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    assert_int_equal(netif->chksum_flags, 0);
#endif

    netif->hwaddr_len = 8;
    assert_int_equal(ipsec_lwip_bump_attach(&other, netif), ERR_IF);
    netif->hwaddr_len = 6;
    other.reserve = LAN_MTU - 1280 + 1;
    assert_int_equal(ipsec_lwip_bump_attach(&other, netif), ERR_VAL);
    other.reserve--;
    other.frag = mem;
    other.frag_len = sizeof mem - 1;
    assert_int_equal(ipsec_lwip_bump_attach(&other, netif), ERR_VAL);
    other.frag_len++;
    assert_int_equal(ipsec_lwip_bump_attach(&other, netif), ERR_OK);
    assert_int_equal(netif->mtu, 1280);
    assert_int_equal(other.mtu, LAN_MTU);
    assert_int_equal(ipsec_lwip_bump_detach(&other), ERR_OK);
    assert_int_equal(netif->mtu, LAN_MTU);
    lan_attach(0);
    lan_end();
}

/* ARP passes; all else that isn't IP, or says so wrongly, is dropped, for no
 * policy would have seen what is in it. */
static void
foreign(void **state)
{
    static const struct {
        uint16_t type;
        uint8_t  first;
    } row[] = { { 0x8100, 0x45 }, { 0x88a8, 0x45 }, { 0x8863, 0x45 },
                { 0x8864, 0x45 }, { 0x888e, 1 },    { 0x0800, 0x60 },
                { 0x86dd, 0x45 }, { 0x0800, 0 },    { 0x0040, 0x45 } };
    struct ipsec_policy any;
    uint8_t data[64];
    struct pbuf *p;
    size_t i, n;

    (void)state;
    lan_bare(0);
    lan_policy(&any, IPSEC_ACTION_BYPASS, 50, 0, 0, 0);
    lan.port.input = on_up;
    ups = 0;
    for (i = 0; i < COUNT(row); i++) {
        memset(data, 0, sizeof data);
        data[0] = row[i].first;
        assert_int_equal(send_frame(row[i].type, data, sizeof data), ERR_IF);
        p = frame(0, row[i].type, data, sizeof data);
        assert_int_equal(lan.netif.input(p, &lan.netif), ERR_OK);
        assert_int_equal(lan.port.foreign, 2 * (i + 1));
    }
    for (n = 1; n <= ETH; n++) { /* too short */
        p = pbuf_alloc(PBUF_RAW, (u16_t)n, PBUF_RAM);
        memset(p->payload, 8, n);
        assert_int_equal(lan.netif.input(p, &lan.netif), ERR_OK);
    }
    assert_int_equal(ups, 0);
    assert_int_equal(lan.frames, 0);
    memset(data, 0, sizeof data);
    assert_int_equal(send_frame(ETHTYPE_ARP, data, 28), ERR_OK);
    assert_int_equal(lan.frames, 1);
    assert_int_equal(lan.netif.input(frame(0, ETHTYPE_ARP, data, 28),
                                     &lan.netif), ERR_OK);
    assert_int_equal(ups, 1);
    ipsec_spd_remove(&lan.dev.ips, &any);
    lan_end();
}

/* lwIP hands out pbufs that it keeps, and gets those that a driver keeps: they
 * are as they were. */
static void
memory_of_others(void **state)
{
    int v, mode;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (mode = IPSEC_MODE_TRANSPORT; mode <= IPSEC_MODE_TUNNEL; mode++) {
            struct udp_pcb *pcb;
            struct pbuf *p;
            size_t len;

            lan_begin(mode, v, 0);
            len = from_dev(v, 200, 0);
            p = frame(1, type_of(ip), ip, len);
            memcpy(ip2, p->payload, p->len);
            assert_int_equal(lan.netif.linkoutput(&lan.netif, p), ERR_OK);
            assert_memory_equal(p->payload, ip2, p->len);
            (void)pbuf_free(p);
            assert_int_equal(peer_take(ip2), len);
            assert_memory_equal(ip2, ip, len);

            pcb = lan_socket(4000);
            len = udp_packet(ip, peer_addr(v), dev_addr(v), 7, 4000, 50);
            len = peer_seal(ip2, ip, len);
            p = frame(0, type_of(ip2), ip2, len);
            pbuf_ref(p);
            assert_int_equal(lan.netif.input(p, &lan.netif), ERR_OK);
            assert_int_equal(lan.gots, 1);
            assert_memory_equal((uint8_t *)p->payload + ETH, ip2, len);
            (void)pbuf_free(p);
            udp_remove(pcb);
            lan_end();
        }
    }
}

/* --- fragments */

/* What lwIP cuts is one datagram again before policy sees it. */
static void
put_together(void **state)
{
    int v, mode;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (mode = IPSEC_MODE_TRANSPORT; mode <= IPSEC_MODE_TUNNEL; mode++) {
            struct udp_pcb *pcb;

            lan_begin(mode, v, 0);
            pcb = lan_socket(4000);
            assert_int_equal(lan_udp_send(pcb, peer_addr(v), 7, 9000),
                             ERR_OK);
            assert_true(peer_take(ip) > 9000);
            assert_int_equal(lan.port.out.datagrams, 1);
            assert_int_equal(lan.dev.ips.stats.out_protect, 1);
            udp_remove(pcb);
            lan_end();
        }
    }
}

/* A fragment in clear, of the datagram that comes through a tunnel in
 * fragments: a policy for any port passes it, but the two never meet, in
 * whatever order they come. */
static void
clear_joins_nothing(void **state)
{
    int v, order;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (order = 0; order < 4; order++) {
            struct ipsec_policy any;
            struct udp_pcb *pcb;
            struct cut cut[2];
            size_t i;

            lan_begin(IPSEC_MODE_TUNNEL, v, 0);
            pcb = lan_socket(4000);
            ipsec_spd_remove(&lan.dev.ips, &lan.all);
            lan.all.sel.proto = UDP;
            lan.all.sel.set = IPSEC_SEL_REMOTE_PORT;
            lan.all.sel.remote_port_lo = lan.all.sel.remote_port_hi = 7;
            assert_status(ipsec_spd_add(&lan.dev.ips, &lan.all), IPSEC_OK);
            lan_policy(&any, IPSEC_ACTION_BYPASS, 200, 0, 0, 0);
            i = udp_packet(ip, peer_addr(v), dev_addr(v), 7, 4000, 1000);
            assert_int_equal(packet_cut(cut, ip, i, 800, 9), 2);
            for (i = 0; i < 2; i++) {
                size_t k = (i ^ (size_t)order) & 1;

                if (k == (order >= 2)) {
                    peer_send(cut[k].ip, cut[k].len);
                } else {
                    lan_send(cut[k].ip, cut[k].len);
                }
            }
            assert_int_equal(lan.gots, 0);
            lan_wait(61000); /* until lwIP forgets its fragment */
            udp_remove(pcb);
            ipsec_spd_remove(&lan.dev.ips, &any);
            lan_end();
        }
    }
}

/* --- too big */

/* Of our own all that may be cut is, and IPv6 is, by us. */
static void
own_is_cut(void **state)
{
    size_t len, frames, most;
    int v, mode;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (mode = IPSEC_MODE_TRANSPORT; mode <= IPSEC_MODE_TUNNEL; mode++) {
            lan_begin(mode, v, 0);
            lan.out.sa.mtu = LAN_MTU;
            len = from_dev(v, LAN_MTU - (v == 4 ? 28u : 48u), 0);
            assert_int_equal(len, LAN_MTU);
            assert_int_equal(send_frame(type_of(ip), ip, len), ERR_OK);
            len = lan_take(ip2, &frames, &most);
            assert_int_equal(frames, 2);
            assert_true(most <= LAN_MTU);
            assert_int_equal(peer_open(ip2, len), LAN_MTU);
            assert_memory_equal(ip2, ip, LAN_MTU);
            assert_int_equal(lan.port.told, 0);
            lan_end();
        }
    }
}

#ifndef IPSEC_NO_ICMP

/* What may not be cut: IPv4 with DF, and IPv6 of others. lwIP hears of it, but
 * not while it sends. */
static void
too_big_is_told(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        size_t len, mtu;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        lan.out.sa.mtu = LAN_MTU;
        if (v == 4) {
            len = from_dev(4, LAN_MTU - 28, 1);
        } else {
            len = udp_packet(ip, "2001:db8:5::5", far_addr(6), 9, 7,
                             LAN_MTU - 48);
        }
        lan.port.input = on_up;
        ups = 0;
        assert_int_equal(send_frame(type_of(ip), ip, len), ERR_VAL);
        assert_int_equal(send_frame(type_of(ip), ip, len), ERR_VAL);
        assert_int_equal(lan.port.too_big, 2);
        assert_int_equal(lan.port.told, 1);
        assert_int_equal(ups, 0);
        ipsec_lwip_bump_poll(&lan.port);
        ipsec_lwip_bump_poll(&lan.port);
        assert_int_equal(ups, 1);
        assert_int_equal(lan_take(ip2, NULL, NULL), 0);
        assert_memory_equal(up + ETH_PAD_SIZE, dev_mac, 6);
        assert_memory_equal(up + ETH_PAD_SIZE + 6, peer_mac, 6);
        assert_int_equal(up[ETH - 2] << 8 | up[ETH - 1], type_of(ip));
        memmove(up, up + ETH, sizeof up - ETH);
        assert_true(upper_intact(up));
        assert_int_equal(upper_of(up)[0], v == 4 ? 3 : 2);
        assert_int_equal(upper_of(up)[1], v == 4 ? 4 : 0);
        /* to its source, from where it was to go */
        assert_memory_equal(up + (v == 4 ? 16 : 24), ip + (v == 4 ? 12 : 8),
                            v == 4 ? 4 : 16);
        assert_memory_equal(up + (v == 4 ? 12 : 8), ip + (v == 4 ? 16 : 24),
                            v == 4 ? 4 : 16);
        mtu = (size_t)upper_of(up)[6] << 8 | upper_of(up)[7];
        assert_int_equal(mtu, ipsec_sa_mtu(&lan.out.sa, LAN_MTU));

        /* as it comes with the next frame, too; and what is that long, goes */
        assert_int_equal(send_frame(type_of(ip), ip, len), ERR_VAL);
        lan_send(ip, 20);
        assert_int_equal(ups, 2);
        assert_int_equal(send_frame(type_of(ip), ip, len), ERR_VAL);
        len = v == 4 ? from_dev(4, mtu - 28, 1)
                     : udp_packet(ip, "2001:db8:5::5", far_addr(6), 9, 7,
                                  mtu - 48);
        assert_int_equal(send_frame(type_of(ip), ip, len), ERR_OK);
        assert_int_equal(peer_take(ip2), len);
        lan_end(); /* with news untold */
    }
}

static err_t
on_up_detach(struct pbuf *p, struct netif *netif)
{
    (void)netif;
    (void)pbuf_free(p);
    lan_detach();
    return ERR_OK;
}

/* Who hears of it may do anything, even take the bump away: the frame that it
 * came with is nobody's then. */
static void
news_may_end_it(void **state)
{
    size_t len;

    (void)state;
    lan_begin(IPSEC_MODE_TUNNEL, 4, 0);
    lan.out.sa.mtu = LAN_MTU;
    len = from_dev(4, LAN_MTU - 28, 1);
    assert_int_equal(send_frame(type_of(ip), ip, len), ERR_VAL);
    lan.port.input = on_up_detach;
    lan_send(ip, 20);
    lan_attach(0);
    lan_end();
}

#endif

/* With a reserve, what lwIP sends is never cut, neither its TCP. */
static void
reserve(void **state)
{
    int v, mode;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (mode = IPSEC_MODE_TRANSPORT; mode <= IPSEC_MODE_TUNNEL; mode++) {
            unsigned room = v == 4 ? 40 : 60;
            struct tcp_pcb *pcb;
            ip_addr_t to = lwip_addr(peer_addr(v));
            size_t frames, len;

            lan_begin(mode, v, 0);
            lan_detach();
            lan.port.reserve =
                (u16_t)(LAN_MTU - ipsec_sa_mtu(&lan.out.sa, LAN_MTU));
            lan_attach(0);
            pcb = tcp_new_ip_type(IP_GET_TYPE(&to));
            assert_int_equal(tcp_connect(pcb, &to, 80, NULL), ERR_OK);
            (void)peer_take(ip);
            assert_int_equal(upper_of(ip)[20] << 8 | upper_of(ip)[21],
                             0x0204);
            assert_int_equal(upper_of(ip)[22] << 8 | upper_of(ip)[23],
                             LAN_MTU - lan.port.reserve - room);
            tcp_abort(pcb);
            lan_clear();
            len = from_dev(v, lan.netif.mtu - (v == 4 ? 28u : 48u), 0);
            assert_int_equal(send_frame(type_of(ip), ip, len), ERR_OK);
            (void)lan_take(ip2, &frames, NULL);
            assert_int_equal(frames, 1);
            lan_end();
        }
    }
}

/* --- policy's word to who sends */

static void
errors(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;

        lan_begin(IPSEC_MODE_TRANSPORT, v, 0);
        pcb = lan_socket(4000);
        assert_int_equal(lan_udp_send(pcb, peer_addr(v), 7, 10), ERR_OK);
        lan_pump();
        lan.all.reqid = 2;
        assert_int_equal(lan_udp_send(pcb, peer_addr(v), 7, 10), ERR_MEM);
        assert_int_equal(lan.dev.acquires, 1);
        lan.all.reqid = 1;
        lan.all.action = IPSEC_ACTION_DISCARD;
        assert_int_equal(lan_udp_send(pcb, peer_addr(v), 7, 10), ERR_RTE);
        lan.all.action = IPSEC_ACTION_PROTECT;
        /* transport mode is not for others (RFC 4301 section 4.1) */
        (void)udp_packet(ip, v == 4 ? "172.16.0.5" : "2001:db8:5::5",
                         peer_addr(v), 9, 7, 10);
        lan_clear();
        assert_int_equal(send_frame(type_of(ip), ip, packet_len(ip)),
                         ERR_IF);
        assert_int_equal(lan.dev.ips.stats.out_drop[-IPSEC_ERR_MODE], 1);
        assert_int_equal(lan.frames, 0);
        udp_remove(pcb);
        lan_end();
    }
}

/* Of what goes between others, fragments are sealed and opened as they are. */
static void
transit_fragments(void **state)
{
    struct cut cut[3];
    size_t i, len;
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        const char *host = v == 4 ? "172.16.0.5" : "2001:db8:5::5";

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        lan.port.input = on_up;
        ups = 0;
        len = udp_packet(ip, host, far_addr(v), 9, 7, 3000);
        assert_int_equal(packet_cut(cut, ip, len, 1200, 3), 3);
        for (i = 0; i < 3; i++) {
            assert_int_equal(send_frame(type_of(ip), cut[i].ip, cut[i].len),
                             ERR_OK);
            assert_int_equal(peer_take(ip2), cut[i].len);
            assert_memory_equal(ip2, cut[i].ip, cut[i].len);
        }
        len = udp_packet(ip, far_addr(v), host, 7, 9, 3000);
        assert_int_equal(packet_cut(cut, ip, len, 1200, 4), 3);
        for (i = 0; i < 3; i++) {
            peer_send(cut[i].ip, cut[i].len);
            assert_int_equal(ups, i + 1);
            assert_memory_equal(up + ETH, cut[i].ip, cut[i].len);
        }
        assert_int_equal(lan.port.out.datagrams, 0);
        assert_int_equal(lan.port.in.datagrams, 0);
        lan_end();
    }
}

/* In clear and in ESP that isn't ours, too: each by its policy. But without an
 * address, all is ours: it may be what DHCP is about to say. */
static void
transit_in_clear(void **state)
{
    struct ipsec_policy any;
    struct cut cut[3];
    size_t i, len;
    int v, none;

    (void)state;
    FOR_EACH_VERSION(v) {
        const char *host = v == 4 ? "172.16.0.5" : "2001:db8:5::5";

        for (none = 0; none <= (v == 4); none++) {
            ip4_addr_t own;

            lan_begin(IPSEC_MODE_TUNNEL, v, 0);
            lan_policy(&any, IPSEC_ACTION_BYPASS, 50, 0, 0, 0);
            lan.port.input = on_up;
            ups = 0;
            own = *netif_ip4_addr(&lan.netif);
            if (none) {
                netif_set_ipaddr(&lan.netif, IP4_ADDR_ANY4);
            }
            len = udp_packet(ip, far_addr(v), host, 7, 9, 3000);
            ip[v == 4 ? 9 : 6] = 50;
            if (v == 4) {
                packet_fix(ip);
            }
            assert_int_equal(packet_cut(cut, ip, len, 1200, 4), 3);
            for (i = 0; i < 3; i++) {
                lan_send(cut[i].ip, cut[i].len);
                assert_int_equal(ups, none ? 0 : i + 1);
            }
            assert_int_equal(lan.dev.ips.stats.in_bypass, none ? 0 : 3);
            assert_int_equal(lan.port.in.datagrams, none);
            netif_set_ipaddr(&lan.netif, &own);
            ipsec_spd_remove(&lan.dev.ips, &any);
            lan_end();
        }
    }
}

int
tests_bump(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attach),
        cmocka_unit_test(foreign),
        cmocka_unit_test(memory_of_others),
        cmocka_unit_test(put_together),
        cmocka_unit_test(clear_joins_nothing),
        cmocka_unit_test(own_is_cut),
#ifndef IPSEC_NO_ICMP
        cmocka_unit_test(too_big_is_told),
        cmocka_unit_test(news_may_end_it),
#endif
        cmocka_unit_test(reserve),
        cmocka_unit_test(errors),
        cmocka_unit_test(transit_fragments),
        cmocka_unit_test(transit_in_clear),
    };

    return cmocka_run_group_tests_name("bump", tests, NULL, NULL);
}
