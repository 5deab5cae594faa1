/* SPDX-License-Identifier: MIT */
#include "lan.h"

/* Packets that wait: for an SA, or in the engine. */

static uint8_t ip[PACKET_MAX];

/* Policy asks for SAs that are not there yet. */
static void
begin_without_sas(int v, int slots)
{
    lan_bare(slots);
    lan_sas(IPSEC_MODE_TUNNEL, v);
    lan_policy(&lan.all, IPSEC_ACTION_PROTECT, 100, 0, 0, 0);
    ipsec_spd_remove(&lan.dev.ips, &lan.all);
    lan.all.reqid = 1;
    assert_status(ipsec_spd_add(&lan.dev.ips, &lan.all), IPSEC_OK);
    lan.peer_all = lan.all;
    lan.peer_all.linked = 0;
    assert_status(ipsec_spd_add(&lan.peer.ips, &lan.peer_all), IPSEC_OK);
    lan.dev.audits = 0;
}

static unsigned
dport(void)
{
    const uint8_t *udp = upper_of(ip);

    return (unsigned)udp[2] << 8 | udp[3];
}

/* They are sent when there is one: in order, and ahead of what comes next. */
static void
held(void **state)
{
    int v, how;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (how = 0; how < 2; how++) {
            struct udp_pcb *pcb;
            uint16_t port;

            begin_without_sas(v, 3);
            pcb = lan_socket(0);
            for (port = 1; port <= 3; port++) {
                assert_int_equal(lan_udp_send(pcb, far_addr(v), port, 100),
                                 ERR_OK);
            }
            assert_int_equal(lan.port.held, 3);
            assert_int_equal(lan.dev.acquires, 3);
            assert_int_equal(lan_take(ip, NULL, NULL), 0);
            lan_wait(100);
            assert_int_equal(lan_take(ip, NULL, NULL), 0);
            assert_int_equal(lan.dev.acquires, 3); /* no new SA, no new try */
            lan_sas_add();
            if (how == 0) {
                ipsec_lwip_poll(&lan.port);
            }
            assert_int_equal(lan_udp_send(pcb, far_addr(v), 4, 100), ERR_OK);
            for (port = 1; port <= 4; port++) {
                assert_int_equal(peer_take(ip), (v == 4 ? 28 : 48) + 100);
                assert_int_equal(dport(), port);
                assert_true(upper_intact(ip));
            }
            assert_int_equal(lan.port.held, 3);
            udp_remove(pcb);
            lan_end();
        }
    }
}

/* The newest is dropped when all slots are taken, the others in time. */
static void
bounded(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        size_t before;

        begin_without_sas(v, 2);
        pcb = lan_socket(0);
        before = lan_allocated;
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 1, 10), ERR_OK);
        lan_wait(IPSEC_LWIP_HOLD_MS / 2);
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 2, 10), ERR_OK);
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 3, 10), ERR_MEM);
        assert_int_equal(lan.port.hold_full, 1);
        lan_wait(IPSEC_LWIP_HOLD_MS / 2 + 100);
        assert_int_equal(lan.port.hold_late, 1);
        lan_sas_add();
        lan_wait(100);
        (void)peer_take(ip);
        assert_int_equal(dport(), 2);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        assert_int_equal(lan_allocated, before);
        udp_remove(pcb);
        lan_end();
    }
}

static void
no_slots(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;

        begin_without_sas(v, 0);
        pcb = lan_socket(0);
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 1, 10), ERR_MEM);
        assert_int_equal(lan.port.hold_full, 1);
        assert_int_equal(lan.dev.acquires, 1);
        lan_sas_add();
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 2, 10), ERR_OK);
        (void)peer_take(ip);
        assert_int_equal(dport(), 2);
        udp_remove(pcb);
        lan_end();
    }
}

/* A larval SA is no SA; a policy that goes, and the port that goes, take what
 * waits along. */
static void
still_waiting(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        static struct ipsec_sa larval;
        struct udp_pcb *pcb;

        begin_without_sas(v, 4);
        pcb = lan_socket(0);
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 1, 10), ERR_OK);
        memset(&larval, 0, sizeof larval);
        assert_status(ipsec_sad_reserve(&lan.dev.ips, &larval, IPSEC_OUT,
                                        IPSEC_PROTO_ESP, 1, 30), IPSEC_OK);
        lan_wait(100);
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 2, 10), ERR_OK);
        assert_int_equal(lan.port.held, 2);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        assert_status(ipsec_sad_remove(&lan.dev.ips, &larval), IPSEC_OK);

        ipsec_spd_remove(&lan.dev.ips, &lan.all);
        lan_wait(100);
        assert_int_equal(lan.dev.ips.stats.out_drop[-IPSEC_ERR_NO_POLICY], 2);
        assert_status(ipsec_spd_add(&lan.dev.ips, &lan.all), IPSEC_OK);
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 3, 10), ERR_OK);
        udp_remove(pcb);
        lan_end(); /* with one held */
    }
}

/* An engine that finishes out of order: each packet goes on by itself. */
static void
engine_out(void **state)
{
    static const size_t order[] = { 2, 0, 0 };
    static const uint16_t seen[] = { 3, 1, 2 };
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        uint16_t port;
        size_t i;

        lan_begin(IPSEC_MODE_TUNNEL, v, 4);
        lan.dev.st.mode = FAKE_ASYNC;
        pcb = lan_socket(0);
        for (port = 1; port <= 3; port++) {
            assert_int_equal(lan_udp_send(pcb, far_addr(v), port, 2000),
                             ERR_OK);
        }
        assert_int_equal(lan.port.in_flight, 3);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        for (i = 0; i < 3; i++) {
            fake_complete(&lan.dev.st, order[i]);
            (void)peer_take(ip);
            assert_int_equal(dport(), seen[i]);
        }
        assert_int_equal(lan.port.in_flight, 0);
        udp_remove(pcb);
        lan_end();
    }
}

static void
engine_in(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        size_t i, len;

        lan_begin(IPSEC_MODE_TUNNEL, v, 4);
        lan.dev.st.mode = FAKE_ASYNC;
        pcb = lan_socket(4000);
        for (i = 1; i <= 3; i++) {
            len = udp_packet(ip, far_addr(v), dev_addr(v), 9, 4000, 100 * i);
            peer_send(ip, len);
        }
        assert_int_equal(lan.gots, 0);
        fake_complete(&lan.dev.st, 1);
        assert_int_equal(lan.got_len, 200);
        fake_complete(&lan.dev.st, 1);
        assert_int_equal(lan.got_len, 300);
        fake_complete_with(&lan.dev.st, 0, IPSEC_ERR_AUTH);
        assert_int_equal(lan.gots, 2);
        assert_int_equal(lan.dev.ips.stats.in_drop[-IPSEC_ERR_AUTH], 1);
        assert_int_equal(lan.port.in_flight, 0);

        /* a ping whose answer goes to the engine in turn */
        len = udp_packet(ip, far_addr(v), dev_addr(v), 9, 4444, 8);
        peer_send(ip, len);
        fake_complete(&lan.dev.st, 0);
        assert_int_equal(lan.port.in_flight, 1);
        fake_complete(&lan.dev.st, 0);
        (void)peer_take(ip);
        udp_remove(pcb);
        lan_end();
    }
}

/* More packets than slots: the engine is asked to work at once. Two layers:
 * a slot is busy until both are done. */
static void
engine_full(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        uint16_t port;

        lan_begin(IPSEC_MODE_TUNNEL, v, 2);
        lan.dev.st.mode = FAKE_ASYNC;
        pcb = lan_socket(0);
        for (port = 1; port <= 3; port++) {
            assert_int_equal(lan_udp_send(pcb, far_addr(v), port, 20),
                             ERR_OK);
        }
        (void)peer_take(ip);
        assert_int_equal(dport(), 3);
        fake_complete(&lan.dev.st, 0);
        (void)peer_take(ip);
        assert_int_equal(dport(), 1);
        fake_complete_with(&lan.dev.st, 0, IPSEC_ERR_CRYPTO);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        lan.dev.st.runs = 0;
        lan.dev.st.run_fails_at = 1;
        lan.dev.st.run_fails_with = IPSEC_ERR_BUSY;
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 4, 20), ERR_MEM);
        udp_remove(pcb);
        lan_end();
    }
}

/* The port is taken away while the engine has packets of it. */
static void
engine_left(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        size_t len;

        lan_begin(IPSEC_MODE_TUNNEL, v, 4);
        lan.dev.st.mode = FAKE_ASYNC;
        pcb = lan_socket(4000);
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 1, 20), ERR_OK);
        lan_clear();
        len = udp_packet(ip, far_addr(v), dev_addr(v), 9, 4000, 100);
        peer_send(ip, len);
        assert_int_equal(ipsec_lwip_detach(&lan.port), ERR_INPROGRESS);
        assert_int_equal(ipsec_lwip_attach(&lan.port, &lan.netif,
                                           &lan.dev.ips, NULL, 0), ERR_USE);
        fake_complete(&lan.dev.st, 0);
        fake_complete(&lan.dev.st, 0);
        assert_int_equal(lan.port.in_flight, 0);
        assert_int_equal(lan.gots, 0);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        assert_int_equal(lan.out.sa.in_flight, 0);
        udp_remove(pcb);
        lan_end();
    }
}

/* Held first, then in the engine. */
static void
held_then_engine(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;

        begin_without_sas(v, 2);
        lan.dev.st.mode = FAKE_ASYNC;
        pcb = lan_socket(0);
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 1, 20), ERR_OK);
        assert_int_equal(lan_udp_send(pcb, far_addr(v), 2, 20), ERR_OK);
        lan_sas_add();
        lan_wait(100);
        assert_int_equal(lan.port.in_flight, 2);
        fake_complete(&lan.dev.st, 0);
        (void)peer_take(ip);
        assert_int_equal(dport(), 1);
        fake_complete(&lan.dev.st, 0);
        (void)peer_take(ip);
        assert_int_equal(dport(), 2);
        udp_remove(pcb);
        lan_end();
    }
}

/* What waits for a neighbour's address is sealed once, fragments too. */
static void
neighbour(void **state)
{
    int v, mode;

    (void)state;
    FOR_EACH_VERSION(v) {
        for (mode = IPSEC_MODE_TRANSPORT; mode <= IPSEC_MODE_TUNNEL; mode++) {
            struct udp_pcb *pcb;
            uint16_t port;

            lan_begin(mode, v, 0);
            pcb = lan_socket(0);
            lan.deaf = 1;
            for (port = 1; port <= 2; port++) {
                assert_int_equal(lan_udp_send(pcb, peer_addr(v), port, 3000),
                                 ERR_OK);
            }
            assert_int_equal(lan_take(ip, NULL, NULL), 0);
            lan.deaf = 0;
            lan_wait(1500); /* lwIP asks again */
            for (port = 1; port <= 2; port++) {
                assert_int_equal(peer_take(ip), (v == 4 ? 28 : 48) + 3000);
                assert_int_equal(dport(), port);
            }
            udp_remove(pcb);
            lan_end();
        }
    }
}

/* A dummy packet waits in the engine as any other does. */
static void
engine_dummy(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        lan_begin(IPSEC_MODE_TRANSPORT, v, 1);
        lan.dev.st.mode = FAKE_ASYNC;
        assert_int_equal(ipsec_lwip_dummy(&lan.port, &lan.out.sa, 100),
                         ERR_OK);
        assert_int_equal(lan.port.in_flight, 1);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        fake_complete(&lan.dev.st, 0);
        assert_int_equal(lan.port.in_flight, 0);
        assert_int_equal(peer_open(ip, lan_take(ip, NULL, NULL)), 0);
        assert_int_equal(lan.peer.ips.stats.in_consumed, 1);
        lan_end();
    }
}

int
tests_waiting(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held),
        cmocka_unit_test(bounded),
        cmocka_unit_test(no_slots),
        cmocka_unit_test(still_waiting),
        cmocka_unit_test(engine_out),
        cmocka_unit_test(engine_in),
        cmocka_unit_test(engine_full),
        cmocka_unit_test(engine_left),
        cmocka_unit_test(engine_dummy),
        cmocka_unit_test(held_then_engine),
        cmocka_unit_test(neighbour),
    };

    return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
