/* SPDX-License-Identifier: MIT */
#include "lan.h"

#include "lwip/icmp.h"
#include "lwip/inet_chksum.h"
#include "lwip/raw.h"

/* What applications do, in all modes and families. */

static uint8_t ip[PACKET_MAX], ip2[PACKET_MAX];

/* The modes and families that can be: those of the packets, and of the outer
 * header. */
struct way {
    int mode, inner, outer;
};

static const struct way ways[] = {
#if LWIP_IPV4
    { IPSEC_MODE_TRANSPORT, 4, 4 }, { IPSEC_MODE_TUNNEL, 4, 4 },
#endif
#if LWIP_IPV6
    { IPSEC_MODE_TRANSPORT, 6, 6 }, { IPSEC_MODE_TUNNEL, 6, 6 },
#endif
#if LWIP_IPV4 && LWIP_IPV6
    { IPSEC_MODE_TUNNEL, 4, 6 },    { IPSEC_MODE_TUNNEL, 6, 4 },
#endif
};

/* Who talks to the device: the peer itself, or a host behind it. */
static const char *
other(const struct way *way)
{
    return way->mode == IPSEC_MODE_TUNNEL ? far_addr(way->inner)
                                          : peer_addr(way->inner);
}

static void
begin(const struct way *way, int slots)
{
    fx_note("mode %d, inner %d, outer %d", way->mode, way->inner, way->outer);
    lan_begin(way->mode, way->outer, slots);
}

static const size_t lengths[] = { 0, 1, 5, 100, 1300, 1472, 4000, 9000 };

static void
udp_out_one(const struct way *way, struct udp_pcb *pcb, size_t payload)
{
    size_t len, want, frames, most;
    uint16_t port = pcb->local_port;

    lan_clear();
    assert_int_equal(lan_udp_send(pcb, other(way), 7, payload), ERR_OK);
    len = lan_take(ip, &frames, &most);
    assert_true(len > 0 && most <= LAN_MTU);
    assert_int_equal(frames > 1, len > LAN_MTU);
    assert_int_equal(lan_take(ip2, NULL, NULL), 0);
    len = peer_open(ip, len);
    want = udp_packet(ip2, dev_addr(way->inner), other(way), port, 7, payload);
    assert_int_equal(len, want);
    /* TTL, identification and checksum are lwIP's to choose */
    assert_memory_equal(upper_of(ip), upper_of(ip2), payload + 8);
    assert_true(upper_intact(ip));
}

static void
udp_out(void **state)
{
    struct udp_pcb *pcb;
    size_t i, k;

    (void)state;
    for (i = 0; i < COUNT(ways); i++) {
        begin(&ways[i], 0);
        pcb = lan_socket(0);
        for (k = 0; k < COUNT(lengths); k++) {
            udp_out_one(&ways[i], pcb, lengths[k]);
        }
        assert_int_equal(lan.dev.ips.stats.out_protect, COUNT(lengths));
        udp_remove(pcb);
        lan_end();
    }
}

/* The last fragment need not be a multiple of 8: it fills the link, before
 * there is one more. */
static void
udp_out_in_fewest(void **state)
{
    size_t i, payload;

    (void)state;
    for (i = 0; i < COUNT(ways); i++) {
        size_t hdr = ways[i].outer == 4 ? 20 : 40, mtu = LAN_MTU;
        struct udp_pcb *pcb;

        begin(&ways[i], 0);
        pcb = lan_socket(0);
#ifndef LAN_BUMP /* which takes the link's when it begins */
        mtu -= 98;
        lan.netif.mtu = (u16_t)mtu;
        lan_poll();
#endif
        for (payload = 2500; payload < 3000; payload++) {
            size_t room = mtu - hdr - (hdr == 40 ? 8 : 0), len, frames, most;

            lan_clear();
            assert_int_equal(lan_udp_send(pcb, other(&ways[i]), 7, payload),
                             ERR_OK);
            len = lan_take(ip, &frames, &most) - hdr;
            assert_true(most <= mtu);
            assert_int_equal(frames, len <= (room & ~(size_t)7) + room
                                         ? 2 : 3);
        }
        lan.netif.mtu = LAN_MTU;
        lan_poll();
        udp_remove(pcb);
        lan_end();
    }
}

static void
udp_in_one(const struct way *way, size_t payload, size_t cut)
{
    size_t len = udp_packet(ip, other(way), dev_addr(way->inner), 9, 4000,
                            payload);

    lan_clear();
    if (cut == 0 && payload <= 1300) {
        peer_send(ip, len);
    } else if (payload == 4000) {
        peer_send_cut(ip, len, 1400, "201");
    } else {
        return;
    }
    assert_int_equal(lan.gots, 1);
    assert_int_equal(lan.got_len, payload);
    assert_memory_equal(lan.got, upper_of(ip) + 8, payload);
    assert_int_equal(lan_take(ip2, NULL, NULL), 0);
}

static void
udp_in_pieces(size_t piece)
{
    struct udp_pcb *pcb;
    size_t i, k;

    for (i = 0; i < COUNT(ways); i++) {
        begin(&ways[i], 0);
        lan.piece = piece;
        pcb = lan_socket(4000);
        for (k = 0; k < COUNT(lengths); k++) {
            udp_in_one(&ways[i], lengths[k], 0);
        }
        assert_int_equal(lan.dev.ips.stats.in_protect, 6);
        assert_int_equal(lan.dev.audits, 0);
        udp_remove(pcb);
        lan_end();
    }
}

static void
udp_in(void **state)
{
    (void)state;
    udp_in_pieces(0);
}

static void
udp_in_one_byte_pbufs(void **state)
{
    (void)state;
    udp_in_pieces(1);
}

static size_t
ping_packet(uint8_t *p, const char *from, const char *to, size_t payload)
{
    struct packet_spec spec;
    int v6 = strchr(from, ':') != NULL;

    memset(&spec, 0, sizeof spec);
    spec.src = from;
    spec.dst = to;
    spec.proto = v6 ? 58 : 1;
    spec.sport = v6 ? 128 << 8 : 8 << 8;
    spec.payload = payload;
    return packet_build(p, &spec);
}

/* lwIP answers a ping on its own, in the packet that has come. */
static void
ping_in(void **state)
{
    static const size_t payload[] = { 0, 56, 1200, 3000 };
    size_t i, k, len;

    (void)state;
    for (i = 0; i < COUNT(ways); i++) {
        begin(&ways[i], 0);
        for (k = 0; k < COUNT(payload); k++) {
            len = ping_packet(ip, other(&ways[i]), dev_addr(ways[i].inner),
                              payload[k]);
            peer_send_cut(ip, len, 1400, payload[k] < 1300 ? "0" : "210");
            assert_int_equal(peer_take(ip2), len);
            assert_int_equal(upper_of(ip2)[0], ways[i].inner == 4 ? 0 : 129);
            assert_memory_equal(upper_of(ip2) + 8, upper_of(ip) + 8,
                                payload[k]);
            assert_true(upper_intact(ip2));
        }
        lan_end();
    }
}

static u8_t
pong(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    int v6 = IP_IS_V6_VAL(*from);

    (void)pcb;
    (void)from;
    if (pbuf_get_at(p, v6 ? 40 : 20) != (v6 ? 129 : 0)) {
        return 0; /* neighbour discovery, say */
    }
    ++*(int *)arg;
    (void)pbuf_free(p);
    return 1;
}

static void
ping_out(void **state)
{
    size_t i, len;

    (void)state;
    for (i = 0; i < COUNT(ways); i++) {
        int v6 = ways[i].inner == 6, pongs = 0;
        struct raw_pcb *pcb;
        ip_addr_t to;
        struct pbuf *p;

        begin(&ways[i], 0);
        pcb = raw_new_ip_type(v6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4,
                              v6 ? 58 : 1);
        raw_recv(pcb, pong, &pongs);
        to = lwip_addr(other(&ways[i]));
        p = pbuf_alloc(PBUF_IP, 40, PBUF_RAM);
        memset(p->payload, 0, 40);
        ((uint8_t *)p->payload)[0] = v6 ? 128 : 8;
        assert_int_equal(raw_sendto(pcb, p, &to), ERR_OK);
        (void)pbuf_free(p);
        len = peer_take(ip);
        assert_int_equal(upper_of(ip)[0], v6 ? 128 : 8);
        /* send it back as its answer */
        (void)ping_packet(ip2, other(&ways[i]), dev_addr(ways[i].inner), 32);
        upper_of(ip2)[0] = v6 ? 129 : 0;
        upper_fix(ip2);
        peer_send(ip2, len);
        assert_int_equal(pongs, 1);
        raw_remove(pcb);
        lan_end();
    }
}

static void
port_unreachable(void **state)
{
    size_t i, len;

    (void)state;
    for (i = 0; i < COUNT(ways); i++) {
        begin(&ways[i], 0);
        len = udp_packet(ip, other(&ways[i]), dev_addr(ways[i].inner), 9,
                         4001, 8);
        peer_send(ip, len);
        (void)peer_take(ip2);
        assert_int_equal(upper_of(ip2)[0], ways[i].inner == 4 ? 3 : 1);
        lan_end();
    }
}

/* An application sends from memory of its own, and in pieces: neither is
 * written to. */
static void
senders_memory(void **state)
{
    static uint8_t text[] = "read only, says the application";
    uint8_t before[sizeof text];
    size_t i;

    (void)state;
    memcpy(before, text, sizeof text);
    for (i = 0; i < COUNT(ways); i++) {
        struct udp_pcb *pcb;
        ip_addr_t to;
        struct pbuf *p, *q;

        begin(&ways[i], 0);
        pcb = lan_socket(0);
        to = lwip_addr(other(&ways[i]));
        p = pbuf_alloc(PBUF_TRANSPORT, 10, PBUF_RAM);
        memset(p->payload, 'x', 10);
        q = pbuf_alloc(PBUF_RAW, sizeof text, PBUF_REF);
        q->payload = text;
        pbuf_cat(p, q);
        assert_int_equal(udp_sendto(pcb, p, &to, 7), ERR_OK);
        assert_memory_equal(text, before, sizeof text);
        (void)pbuf_free(p);
        (void)peer_take(ip);
        assert_memory_equal(upper_of(ip) + 18, text, sizeof text);
        assert_true(upper_intact(ip));
        udp_remove(pcb);
        lan_end();
    }
}

#ifndef LAN_BUMP /* to which the driver gives frames */

/* A pbuf that somebody else holds too is opened in a copy. */
static void
receivers_memory(void **state)
{
    static uint8_t esp[PACKET_MAX], before[PACKET_MAX];
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        struct pbuf *p;
        size_t len;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        len = udp_packet(ip, far_addr(v), dev_addr(v), 9, 4000, 50);
        len = peer_seal(esp, ip, len);
        memcpy(before, esp, len);
        p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
        assert_int_equal(pbuf_take(p, esp, (u16_t)len), ERR_OK);
        pbuf_ref(p);
#if LWIP_IPV4 && LWIP_IPV6
        (void)ip_input(p, &lan.netif);
#elif LWIP_IPV4
        (void)ip4_input(p, &lan.netif);
#else
        (void)ip6_input(p, &lan.netif);
#endif
        assert_int_equal(lan.gots, 1);
        assert_memory_equal(p->payload, before, len);
        (void)pbuf_free(p);

        /* and one that isn't lwIP's own memory */
        len = udp_packet(ip, far_addr(v), dev_addr(v), 9, 4000, 50);
        len = peer_seal(esp, ip, len);
        memcpy(before, esp, len);
        p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_ROM);
        p->payload = esp;
        p->len = p->tot_len = (u16_t)len;
#if LWIP_IPV4 && LWIP_IPV6
        (void)ip_input(p, &lan.netif);
#elif LWIP_IPV4
        (void)ip4_input(p, &lan.netif);
#else
        (void)ip6_input(p, &lan.netif);
#endif
        assert_int_equal(lan.gots, 2);
        assert_memory_equal(esp, before, len);
        udp_remove(pcb);
        lan_end();
    }
}

#endif

/* A bundle: transport mode inside a tunnel. The room it takes is more than
 * that of one SA. */
static void
bundle(void **state)
{
    static struct fx_sa out, in, peer_in, peer_out;
    static struct ipsec_policy first, peer_first, second, peer_second;
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        const char *dev = dev_addr(v), *peer = peer_addr(v);
        struct udp_pcb *pcb;
        size_t len;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        fx_sa_set(&out, &suites[CBC256], IPSEC_OUT, IPSEC_MODE_TRANSPORT,
                  0x3001, dev, peer);
        fx_sa_set(&peer_in, &suites[CBC256], IPSEC_IN, IPSEC_MODE_TRANSPORT,
                  0x3001, peer, dev);
        fx_sa_set(&peer_out, &suites[CBC256], IPSEC_OUT, IPSEC_MODE_TRANSPORT,
                  0x3002, peer, dev);
        fx_sa_set(&in, &suites[CBC256], IPSEC_IN, IPSEC_MODE_TRANSPORT,
                  0x3002, dev, peer);
        out.params.reqid = in.params.reqid = 2;
        peer_out.params.reqid = peer_in.params.reqid = 2;
        assert_status(fx_sa_add(&lan.dev, &out), IPSEC_OK);
        assert_status(fx_sa_add(&lan.dev, &in), IPSEC_OK);
        assert_status(fx_sa_add(&lan.peer, &peer_out), IPSEC_OK);
        assert_status(fx_sa_add(&lan.peer, &peer_in), IPSEC_OK);
        second = lan.all;
        second.linked = 0;
        peer_second = second;
        first = second;
        first.reqid = 2;
        first.mode = IPSEC_MODE_TRANSPORT;
        first.priority = 50;
        peer_first = first;
        first.outer = &second;
        peer_first.outer = &peer_second;
        assert_status(ipsec_spd_add(&lan.dev.ips, &first), IPSEC_OK);
        assert_status(ipsec_spd_add(&lan.peer.ips, &peer_first), IPSEC_OK);
        pcb = lan_socket(4000);
        assert_int_equal(lan_udp_send(pcb, peer, 7, 2000), ERR_OK);
        len = peer_take(ip);
        assert_int_equal(len, (v == 4 ? 28 : 48) + 2000);
        assert_int_equal(lan.dev.ips.stats.out_drop[-IPSEC_ERR_ROOM], 0);
        len = udp_packet(ip, peer, dev, 9, 4000, 700);
        peer_send(ip, len);
        assert_int_equal(lan.got_len, 700);
        udp_remove(pcb);
        lan_end();
    }
}

#ifndef LAN_BUMP

/* RFC 4303 section 2.6: the peer forgets it. */
static void
dummies(void **state)
{
    static const u16_t length[] = { 0, 1, 700, 1300 };
    struct udp_pcb *pcb;
    size_t i, w, len;

    (void)state;
    for (w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        begin(&ways[w], 1);
        if (ways[w].mode == IPSEC_MODE_TUNNEL) {
            lan.out.sa.tfc = 1000;
        }
        for (i = 0; i < sizeof length / sizeof length[0]; i++) {
            assert_int_equal(ipsec_lwip_dummy(&lan.port, &lan.out.sa,
                                              length[i]), ERR_OK);
            len = lan_take(ip, NULL, NULL);
            assert_true(len > lan.out.sa.tfc && len > length[i]);
            assert_int_equal(peer_open(ip, len), 0);
            assert_int_equal(lan.peer.ips.stats.in_consumed, i + 1);
        }
        lan.out.sa.mtu = 1400;
        assert_int_equal(ipsec_lwip_dummy(&lan.port, &lan.out.sa, 1401),
                         ERR_VAL);
        assert_int_equal(ipsec_lwip_dummy(&lan.port, &lan.in.sa, 1), ERR_IF);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        lan_fail_at = 1;
        lan_allocations = 0;
        assert_int_equal(ipsec_lwip_dummy(&lan.port, &lan.out.sa, 1),
                         ERR_MEM);
        lan_fail_at = 0;
        assert_int_equal(lan.port.nomem, 1);
        pcb = lan_socket(0);   /* and the slot is free */
        assert_int_equal(lan_udp_send(pcb, other(&ways[w]), 7, 10), ERR_OK);
        udp_remove(pcb);
        lan_end();
    }
}

#endif

int
tests_exchange(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_out),
        cmocka_unit_test(udp_out_in_fewest),
        cmocka_unit_test(udp_in),
        cmocka_unit_test(udp_in_one_byte_pbufs),
        cmocka_unit_test(ping_in),
        cmocka_unit_test(ping_out),
        cmocka_unit_test(port_unreachable),
        cmocka_unit_test(senders_memory),
#ifndef LAN_BUMP
        cmocka_unit_test(receivers_memory),
#endif
        cmocka_unit_test(bundle),
#ifndef LAN_BUMP
        cmocka_unit_test(dummies),
#endif
    };

    return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
