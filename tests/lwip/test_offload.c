/* SPDX-License-Identifier: MIT */
#include "lan.h"

#include "lwip_inner.h"

/* A chip that sums and checks: lwIP must not leave it to it, for what it sees
 * is ESP. */

#if LWIP_CHECKSUM_CTRL_PER_NETIF

static uint8_t ip[PACKET_MAX];

/* The device's netif claims it all: see lan.c. */
static void
sums_out(void **state)
{
    int v, late;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (late = 0; late <= 1; late++) {
            struct udp_pcb *pcb;
            struct packet_spec spec;

            lan_begin(IPSEC_MODE_TUNNEL, v, 0);
            if (late) { /* the driver says it again, with a new link */
                lan.netif.chksum_flags = 0;
                ipsec_lwip_poll(&lan.port);
            }
            pcb = lan_socket(4000);
            assert_int_equal(lan_udp_send(pcb, peer_addr(v), 7, 100), ERR_OK);
            assert_int_equal(peer_take(ip), (v == 4 ? 128 : 148));
            assert_true(upper_intact(ip));
            assert_true(upper_of(ip)[6] != 0 || upper_of(ip)[7] != 0);
            memset(&spec, 0, sizeof spec);
            spec.src = peer_addr(v);
            spec.dst = dev_addr(v);
            spec.proto = v == 4 ? 1 : 58;
            spec.sport = v == 4 ? 8 << 8 : 128 << 8;
            spec.payload = 56;
            peer_send(ip, packet_build(ip, &spec));
            assert_true(peer_take(ip) > 0);
            assert_true(upper_intact(ip));
            udp_remove(pcb);
            assert_int_equal(ipsec_lwip_detach(&lan.port), ERR_OK);
            assert_int_equal(lan.netif.chksum_flags, 0); /* as it was */
            lan_end();
        }
    }
}

/* What was opened, or put together, is checked; of what came in clear the
 * chip's word is taken. */
static void
sums_in(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct ipsec_policy any;
        struct udp_pcb *pcb;
        struct cut cut[2];
        size_t len;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        len = udp_packet(ip, far_addr(v), dev_addr(v), 9, 4000, 100);
        peer_send(ip, len);
        assert_int_equal(lan.gots, 1);
        ip[len - 1] ^= 1;
        peer_send(ip, len);
        assert_int_equal(lan.dev.ips.stats.in_protect, 2);
        assert_int_equal(lan.gots, 1);
        lan_policy(&any, IPSEC_ACTION_BYPASS, 50, 0, 0, 0);
        lan_send(ip, len);
        assert_int_equal(lan.gots, 2);
        len = udp_packet(ip, far_addr(v), dev_addr(v), 9, 4000, 100);
        ip[len - 1] ^= 1;
        assert_int_equal(packet_cut(cut, ip, len, 64, 3), 2);
        lan_send(cut[0].ip, cut[0].len);
        lan_send(cut[1].ip, cut[1].len);
        assert_int_equal(lan.dev.ips.stats.in_bypass, 2);
        assert_int_equal(lan.gots, 2);
        assert_int_equal(lan.netif.chksum_flags & NETIF_CHECKSUM_CHECK_UDP, 0);
        ipsec_spd_remove(&lan.dev.ips, &any);
        udp_remove(pcb);
        lan_end();
    }
}

int
tests_offload(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_out),
        cmocka_unit_test(sums_in),
    };

    return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}

#else

int
tests_offload(void)
{
    return 0;
}

#endif
