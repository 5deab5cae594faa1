/* SPDX-License-Identifier: MIT */
#include "lan.h"

/* UDP 4500, which ESP shares with a key daemon on this device: an ordinary pcb
 * of lwIP's raw API. */

static uint8_t ip[PACKET_MAX], heard[PACKET_MAX];
static size_t heard_len, heards;
static struct ipsec_policy ike;

static void
need_natt(void)
{
#ifdef IPSEC_NO_NATT
    skip();
#endif
}

static void
ike_in(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
       u16_t port)
{
    (void)arg;
    (void)pcb;
    (void)from;
    (void)port;
    heards++;
    heard_len = pbuf_copy_partial(p, heard, sizeof heard, 0);
    (void)pbuf_free(p);
}

/* The daemon's pcb, with the policy that it needs, or not. */
static struct udp_pcb *
begin(int v, int mode, int policy)
{
    struct udp_pcb *daemon;

    lan_bare(2);
    lan.dev.cfg.natt_port = lan.peer.cfg.natt_port = 4500;
    lan_sas(mode, v);
    lan.out.params.local_port = lan.out.params.remote_port = 4500;
    lan.in.params.local_port = lan.in.params.remote_port = 4500;
    lan.peer_out.params.local_port = lan.peer_out.params.remote_port = 4500;
    lan.peer_in.params.local_port = lan.peer_in.params.remote_port = 4500;
    lan_sas_add();
    lan_policy(&lan.all, IPSEC_ACTION_PROTECT, 100, 0, 0, 0);
    ipsec_spd_remove(&lan.dev.ips, &lan.all);
    lan.all.reqid = 1;
    lan.peer_all = lan.all;
    lan.peer_all.linked = 0;
    assert_status(ipsec_spd_add(&lan.dev.ips, &lan.all), IPSEC_OK);
    assert_status(ipsec_spd_add(&lan.peer.ips, &lan.peer_all), IPSEC_OK);
    if (policy) {
        lan_policy(&ike, IPSEC_ACTION_BYPASS, 20, 17, 4500, 4500);
    }
    daemon = udp_new_ip_type(IPADDR_TYPE_ANY);
    assert_non_null(daemon);
    assert_int_equal(udp_bind(daemon, IP_ANY_TYPE, 4500), ERR_OK);
    udp_recv(daemon, ike_in, NULL);
    heards = heard_len = 0;
    return daemon;
}

static err_t
say(struct udp_pcb *daemon, int v, const void *data, size_t len)
{
    ip_addr_t to = lwip_addr(peer_addr(v));
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)len, PBUF_RAM);
    err_t err;

    assert_int_equal(pbuf_take(p, data, (u16_t)len), ERR_OK);
    err = udp_sendto(daemon, p, &to, 4500);
    (void)pbuf_free(p);
    return err;
}

/* A datagram to port 4500 that begins with these bytes; in fragments? */
static void
hear(int v, const void *data, size_t n, size_t payload, int cut)
{
    struct cut piece[3];
    size_t len = udp_packet(ip, peer_addr(v), dev_addr(v), 4500, 4500,
                            payload), i;

    memcpy(upper_of(ip) + 8, data, n);
    upper_fix(ip);
    if (!cut) {
        lan_send(ip, len);
        return;
    }
    for (i = packet_cut(piece, ip, len, 800, 3); i > 0; i--) {
        lan_send(piece[i - 1].ip, piece[i - 1].len);
    }
}

/* Who gets what comes to 4500. */
static void
shared(void **state)
{
    static const struct {
        uint8_t first[4];
        size_t  len;
        int     policy;
        size_t  daemon, keepalive, dropped;
    } row[] = {
        { { 0, 0, 0, 0 }, 100,  1, 1, 0, 0 },
        { { 0, 0, 0, 0 }, 1500, 1, 1, 0, 0 },
        { { 0, 0, 0, 0 }, 100,  0, 0, 0, 1 }, /* not permitted */
        { { 0xff }, 1,          1, 0, 1, 0 },
        { { 0, 0, 0x99, 9 }, 100,  1, 0, 0, 1 }, /* ESP, of no SA */
        { { 0, 0, 0x99, 9 }, 1500, 1, 0, 0, 1 },
    };
    size_t i;
    int v, cut;

    (void)state;
    need_natt();
    FOR_EACH_VERSION(v) {
        for (i = 0; i < COUNT(row); i++) {
            struct udp_pcb *daemon = begin(v, IPSEC_MODE_TUNNEL,
                                           row[i].policy);
            size_t drops = 0, k;

            fx_note("IPv%d, row %zu", v, i);
            cut = row[i].len > 1000;
            hear(v, row[i].first, row[i].len < 4 ? row[i].len : 4, row[i].len,
                 cut);
            assert_int_equal(heards, row[i].daemon);
            if (row[i].daemon > 0) { /* with the marker, as it came */
                assert_int_equal(heard_len, row[i].len);
                assert_memory_equal(heard, upper_of(ip) + 8, row[i].len);
            }
            assert_int_equal(lan.dev.ips.stats.in_keepalive,
                             row[i].keepalive);
            for (k = 0; k < IPSEC_DROP_COUNT; k++) {
                drops += lan.dev.ips.stats.in_drop[k];
            }
            assert_int_equal(drops, row[i].dropped);
            assert_int_equal(lan_take(ip, NULL, NULL), 0); /* no answer */
            udp_remove(daemon);
            lan_end();
        }
    }
}

/* What the daemon sends goes as it is, a keepalive too; what others send, in
 * ESP from the same port. */
static void
sent(void **state)
{
    static const uint8_t msg[] = { 0, 0, 0, 0, 'I', 'K', 'E' }, alive = 0xff;
    int v;

    (void)state;
    need_natt();
    FOR_EACH_VERSION(v) {
        struct udp_pcb *daemon = begin(v, IPSEC_MODE_TUNNEL, 1), *pcb;
        size_t hdr = v == 4 ? 28 : 48, len;

        assert_int_equal(say(daemon, v, msg, sizeof msg), ERR_OK);
        assert_int_equal(lan_take(ip, NULL, NULL), hdr + sizeof msg);
        assert_memory_equal(ip + hdr, msg, sizeof msg);
        assert_int_equal(say(daemon, v, &alive, 1), ERR_OK);
        assert_int_equal(lan_take(ip, NULL, NULL), hdr + 1);
        assert_int_equal(ip[hdr], 0xff);

        pcb = lan_socket(4000);
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 7, 100), ERR_OK);
        len = lan_take(ip, NULL, NULL);
        assert_int_equal(ip[v == 4 ? 9 : 6], 17);
        assert_int_equal(upper_of(ip)[0] << 8 | upper_of(ip)[1], 4500);
        assert_int_equal(peer_open(ip, len), hdr + 100);
        ipsec_spd_remove(&lan.dev.ips, &ike);
        udp_remove(daemon);
        udp_remove(pcb);
        lan_end();
    }
}

/* ESP in UDP, whole and in fragments: the daemon sees none of it. */
static void
opened(void **state)
{
    int v, mode;

    (void)state;
    need_natt();
    FOR_EACH_VERSION(v) {
        for (mode = IPSEC_MODE_TRANSPORT; mode <= IPSEC_MODE_TUNNEL; mode++) {
            struct udp_pcb *daemon = begin(v, mode, 1);
            struct udp_pcb *pcb = lan_socket(4000);
            const char *from = mode == IPSEC_MODE_TUNNEL ? far_addr(v)
                                                         : peer_addr(v);

            peer_send(ip, udp_packet(ip, from, dev_addr(v), 7, 4000, 200));
            assert_int_equal(lan.gots, 1);
            assert_int_equal(lan.got_len, 200);
            peer_send_cut(ip, udp_packet(ip, from, dev_addr(v), 7, 4000, 2000),
                          800, "210");
            assert_int_equal(lan.gots, 2);
            assert_int_equal(lan.got_len, 2000);
            assert_int_equal(heards, 0);
            udp_remove(daemon);
            udp_remove(pcb);
            lan_end();
        }
    }
}

int
tests_natt(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared),
        cmocka_unit_test(sent),
        cmocka_unit_test(opened),
    };

    return cmocka_run_group_tests_name("natt", tests, NULL, NULL);
}
