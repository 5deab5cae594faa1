/* SPDX-License-Identifier: MIT */
#include "lan.h"

#include "lwip_inner.h"

/* A chip that sums and checks: lwIP must not leave it to it, for what it sees
 * is ESP. And the MSS option, on which a checksum depends as well. */

static uint8_t ip[PACKET_MAX];

#if LWIP_CHECKSUM_CTRL_PER_NETIF

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
#endif

/* ------------------------------------------------------------------- MSS */

/* TCP options, behind which memory ends, and what becomes of their MSS when
 * it is to be 1000. 0: there is none to be lowered, nothing may change. */
static const struct {
    uint8_t  opt[12];
    size_t   len;
    uint8_t  offset; /* the data offset, in words; 0: as it should be */
    unsigned at;     /* where the MSS stands; 0: nothing changes */
} mss_row[] = {
    { { 2, 4, 5, 180 }, 4, 0, 2 },
    { { 1, 2, 4, 5, 180, 1, 1, 0 }, 8, 0, 3 },
    { { 4, 2, 2, 4, 5, 180, 0, 0 }, 8, 0, 4 },
    { { 8, 10, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4 }, 12, 0, 0 },
    { { 2, 4, 3, 232 }, 4, 0, 0 },          /* 1000 already */
    { { 2, 4, 3, 231 }, 4, 0, 0 },
    { { 0 }, 0, 0, 0 },
    { { 2, 4, 5, 180 }, 4, 4, 0 },          /* offset within the header */
    { { 2, 4, 5, 180 }, 4, 5, 0 },          /* no options, it says */
    { { 2, 4, 5, 180 }, 4, 0, 2 },
    { { 2, 4, 5, 180 }, 4, 15, 0 },         /* more than there is */
    { { 2, 3, 5, 180 }, 4, 0, 0 },
    { { 2, 5, 5, 180 }, 4, 0, 0 },
    { { 2, 0, 5, 180 }, 4, 0, 0 },
    { { 2, 1, 5, 180 }, 4, 0, 0 },
    { { 2, 255, 5, 180 }, 4, 0, 0 },
    { { 1, 1, 1, 2 }, 4, 0, 0 },
    { { 1, 1, 2, 4 }, 4, 0, 0 },
    { { 1, 2, 4, 5 }, 4, 0, 0 },
    { { 0, 1, 1, 1, 2, 4, 5, 180 }, 8, 0, 0 }, /* behind the end */
    { { 30, 4, 2, 4, 2, 4, 5, 180 }, 8, 0, 6 },
    { { 2, 6, 5, 180, 0, 0, 0, 0 }, 8, 0, 0 },
};

/* Exactly as long as it says, so that the sanitizer sees what is read behind
 * it; and shorter. */
static void
mss_one(size_t i, int v, size_t short_by)
{
    size_t hdr = v == 4 ? 20 : 40, len = hdr + 20 + mss_row[i].len - short_by;
    uint8_t *p = malloc(len), *was = malloc(len), *tcp = p + hdr;
    struct ipsec_buf buf;
    unsigned flags_seen;

    memset(ip, 0, sizeof ip);
    (void)udp_packet(ip, far_addr(v), dev_addr(v), 1, 2, mss_row[i].len + 12);
    ip[v == 4 ? 9 : 6] = 6;
    memset(ip + hdr, 0, 20);
    ip[hdr + 12] = (uint8_t)((mss_row[i].offset != 0 ? mss_row[i].offset
                              : 5 + mss_row[i].len / 4) << 4);
    ip[hdr + 13] = 2;
    memcpy(ip + hdr + 20, mss_row[i].opt, mss_row[i].len);
    if (v == 4) {
        packet_fix(ip);
    }
    upper_fix(ip);
    memcpy(p, ip, len);
    memcpy(was, ip, len);
    buf.head = buf.data = p;
    buf.len = len;
    buf.end = p + len;
    flags_seen = (unsigned)ipsec_lwip_is_syn(&buf);
    if (flags_seen) {
        ipsec_lwip_clamp(&buf, hdr + 20 + 1000);
    }
    if (mss_row[i].at > 0 && short_by == 0) {
        tcp += 20 + mss_row[i].at;
        assert_int_equal(tcp[0] << 8 | tcp[1], 1000);
        memcpy(ip, p, len);
        assert_true(upper_intact(ip));
        tcp[0] = 5;
        tcp[1] = 180;
        p[hdr + 16] = was[hdr + 16];
        p[hdr + 17] = was[hdr + 17];
    }
    assert_memory_equal(p, was, len);
    free(p);
    free(was);
}

static void
mss_options(void **state)
{
    size_t i, n;
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (i = 0; i < COUNT(mss_row); i++) {
            for (n = 0; n < mss_row[i].len + 20; n++) {
                fx_note("IPv%d, row %zu, %zu bytes short", v, i, n);
                mss_one(i, v, n);
            }
        }
    }
}

/* Any bytes at all for options: nothing outside of them changes, and the
 * checksum stays what it was, right or wrong. */
static void
mss_random(void **state)
{
    size_t i, k, len;
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (i = 0; i < 20000; i++) {
            size_t hdr = v == 4 ? 20 : 40, opt = lan_rand() % 10 * 4;
            struct ipsec_buf buf;
            uint8_t *p;

            len = udp_packet(ip, far_addr(v), dev_addr(v), 1, 2, 12 + opt);
            ip[v == 4 ? 9 : 6] = 6;
            memset(ip + hdr, 0, 20);
            ip[hdr + 12] = (uint8_t)(lan_rand() % 8 > 0 ? (5 + opt / 4) << 4
                                                        : lan_rand());
            ip[hdr + 13] = 2;
            for (k = 0; k < opt; k++) { /* mostly what options are made of */
                static const uint8_t likely[] = { 0, 1, 2, 2, 3, 4, 4, 8 };
                uint32_t r = lan_rand();

                ip[hdr + 20 + k] = r & 8 ? (uint8_t)(r >> 8)
                                         : likely[r % COUNT(likely)];
            }
            if (v == 4) {
                packet_fix(ip);
            }
            upper_fix(ip);
            p = malloc(len);
            memcpy(p, ip, len);
            buf.head = buf.data = p;
            buf.len = len;
            buf.end = p + len;
            assert_true(ipsec_lwip_is_syn(&buf));
            ipsec_lwip_clamp(&buf, 600);
            memcpy(ip, p, len);
            assert_true(upper_intact(ip));
            free(p);
        }
    }
}

int
tests_offload(void)
{
    const struct CMUnitTest tests[] = {
#if LWIP_CHECKSUM_CTRL_PER_NETIF
        cmocka_unit_test(sums_out),
        cmocka_unit_test(sums_in),
#endif
        cmocka_unit_test(mss_options),
        cmocka_unit_test(mss_random),
    };

    return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}
