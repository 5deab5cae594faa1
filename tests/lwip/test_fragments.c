/* SPDX-License-Identifier: MIT */
#include "lan.h"

#include "lwip/sys.h"

/* Fragments in front of policy: clear, opened, and both pretending to be of
 * one datagram. */

static const char *const orders[] = { "012", "021", "102", "120", "201",
                                      "210" };

static uint8_t ip[PACKET_MAX];
static struct cut cut[9];
static uint16_t id = 1;

/* A datagram of `payload` bytes to port `port` in three fragments. */
static size_t
cut_udp(int v, uint16_t port, size_t payload)
{
    size_t len = udp_packet(ip, far_addr(v), dev_addr(v), 9, port, payload);
    size_t most = (payload + 8 + 2) / 3 + 7;

    assert_int_equal(packet_cut(cut, ip, len, most & ~(size_t)7, ++id), 3);
    return payload;
}

static size_t
drops(int status)
{
    return lan.dev.ips.stats.in_drop[-status];
}

/* Cleartext that policy protects, in all orders, reaches no socket, and each
 * datagram is counted and audited once. */
static void
clear(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        size_t i;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        for (i = 0; i < COUNT(orders); i++) {
            const char *o;

            (void)cut_udp(v, 4000, 3000);
            for (o = orders[i]; *o != '\0'; o++) {
                lan_send(cut[*o - '0'].ip, cut[*o - '0'].len);
            }
            assert_int_equal(drops(IPSEC_ERR_UNPROTECTED), i + 1);
            assert_int_equal(lan.dev.audits, i + 1);
        }
        assert_int_equal(lan.gots, 0);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        udp_remove(pcb);
        lan_end();
    }
}

/* What was fragmented before it went into the tunnel arrives. */
static void
opened(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        size_t i;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        for (i = 0; i < COUNT(orders); i++) {
            const char *o;

            (void)cut_udp(v, 4000, 3000);
            for (o = orders[i]; *o != '\0'; o++) {
                peer_send(cut[*o - '0'].ip, cut[*o - '0'].len);
            }
            assert_int_equal(lan.gots, i + 1);
            assert_int_equal(lan.got_len, 3000);
            assert_memory_equal(lan.got, upper_of(ip) + 8, 3000);
        }
        udp_remove(pcb);
        lan_end();
    }
}

/* Call a clear fragment ESP, which no policy looks at before it is whole. */
static void
disguise(struct cut *c)
{
    if (c->ip[0] >> 4 == 4) {
        c->ip[9] = 50;
        packet_fix(c->ip);
    } else {
        c->ip[40] = 50;
    }
}

/* Each of three fragments comes through the tunnel or in clear (one bit of
 * `how` for each, and another for disguise), in the order `o`. */
static void
mix(int v, unsigned how, int disguised, const char *o)
{
    (void)cut_udp(v, 4000, 3000);
    for (; *o != '\0'; o++) {
        struct cut c = cut[*o - '0'];

        if (how >> (*o - '0') & 1) {
            peer_send(c.ip, c.len);
        } else {
            if (disguised) {
                disguise(&c);
            }
            lan_send(c.ip, c.len);
        }
    }
}

/* The attack that is why the port has a reassembly of its own: a clear
 * fragment takes its place among those that come through the tunnel. */
static void
mixed(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        unsigned how;
        size_t i;
        int disguised;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        for (how = 0; how < 8; how++) {
            for (i = 0; i < COUNT(orders) * 2; i++) {
                disguised = (int)(i % 2);
                lan_clear();
                mix(v, how, disguised, orders[i / 2]);
                assert_int_equal(lan.gots, how == 7);
                assert_int_equal(lan_take(ip, NULL, NULL), 0);
            }
        }
        udp_remove(pcb);
        lan_end();
    }
}

/* A BYPASS for a port holds for fragments too (a long IKE message, say), and
 * for no other port. */
static void
bypassed(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct ipsec_policy ike;
        struct udp_pcb *pcb, *other;
        size_t i;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        lan_policy(&ike, IPSEC_ACTION_BYPASS, 20, 17, 500, 500);
        pcb = lan_socket(500);
        other = lan_socket(501);
        for (i = 0; i < COUNT(orders); i++) {
            uint16_t port;

            for (port = 500; port <= 501; port++) {
                const char *o;

                lan_clear();
                (void)cut_udp(v, port, 3000);
                for (o = orders[i]; *o != '\0'; o++) {
                    lan_send(cut[*o - '0'].ip, cut[*o - '0'].len);
                }
                assert_int_equal(lan.gots, port == 500);
            }
        }
        assert_int_equal(drops(IPSEC_ERR_UNPROTECTED), COUNT(orders));
        udp_remove(pcb);
        udp_remove(other);
        ipsec_spd_remove(&lan.dev.ips, &ike);
        lan_end();
    }
}

/* Fragments that overlap spoil the datagram; the same one twice does not. */
static void
overlapping(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        struct cut liar;
        uint8_t *word;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        (void)cut_udp(v, 4000, 3000);
        peer_send(cut[0].ip, cut[0].len);
        peer_send(cut[0].ip, cut[0].len);
        peer_send(cut[2].ip, cut[2].len);
        peer_send(cut[1].ip, cut[1].len);
        assert_int_equal(lan.gots, 1);
        assert_int_equal(lan.port.frag_drop, 1);

        (void)cut_udp(v, 4000, 3000);
        liar = cut[1];
        word = liar.ip + (v == 4 ? 7 : 43);
        *word = (uint8_t)(*word + (v == 4 ? 1 : 8)); /* 8 bytes later */
        packet_fix(liar.ip);
        if (v == 6) {
            liar = cut[1];
            liar.ip[43] = (uint8_t)(liar.ip[43] + 8);
        }
        peer_send(cut[0].ip, cut[0].len);
        peer_send(cut[1].ip, cut[1].len);
        peer_send(liar.ip, liar.len);
        peer_send(cut[2].ip, cut[2].len);
        assert_int_equal(lan.gots, 1);
        assert_int_equal(lan.port.frag_drop, 4);

        (void)cut_udp(v, 4000, 3000); /* now with the one that follows */
        liar = cut[0];
        liar.len += 8;
        liar.ip[v == 4 ? 2 : 4] = (uint8_t)((liar.len - (v == 4 ? 0 : 40))
                                            >> 8);
        liar.ip[v == 4 ? 3 : 5] = (uint8_t)(liar.len - (v == 4 ? 0 : 40));
        if (v == 4) {
            packet_fix(liar.ip);
        }
        peer_send(cut[2].ip, cut[2].len);
        peer_send(cut[1].ip, cut[1].len);
        peer_send(liar.ip, liar.len);
        peer_send(cut[0].ip, cut[0].len);
        assert_int_equal(lan.gots, 1);
        assert_int_equal(lan.port.frag_drop, 7);
        udp_remove(pcb);
        lan_end();
    }
}

/* Fragments that can't be: a wrong checksum, a part of 8 bytes that is not
 * the last, one longer than what has arrived. */
static void
impossible(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        struct cut c;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        if (v == 4) {
            (void)cut_udp(v, 4000, 3000);
            cut[0].ip[10] ^= 1;
            lan_send(cut[0].ip, cut[0].len);
            assert_int_equal(lan.port.frag_drop, 1);
        }
        lan.port.frag_drop = 0;
        (void)cut_udp(v, 4000, 3000);
        c = cut[1];
        c.len -= 4;
        c.ip[v == 4 ? 3 : 5] = (uint8_t)(c.ip[v == 4 ? 3 : 5] - 4);
        if (v == 4) {
            packet_fix(c.ip);
        }
        lan_send(c.ip, c.len);
        assert_int_equal(lan.port.frag_drop, 1);
        lan_send(cut[1].ip, cut[1].len - 1);
        assert_int_equal(lan.port.frag_drop, 2);
        assert_int_equal(lan.dev.audits, 0);
        udp_remove(pcb);
        lan_end();
    }
}

/* Datagrams that never become whole are forgotten, the oldest first. */
static void
forgotten(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        static struct cut second[3];
        struct udp_pcb *pcb;
        size_t before, i;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        before = lan_allocated;
        (void)cut_udp(v, 4000, 3000);
        peer_send(cut[0].ip, cut[0].len);
        peer_send(cut[1].ip, cut[1].len);
        assert_true(lan_allocated > before);
        lan_wait(IPSEC_LWIP_REASS_MS / 2);
        assert_int_equal(lan.port.frag_drop, 0);
        lan_wait(IPSEC_LWIP_REASS_MS / 2 + 100);
        assert_int_equal(lan.port.frag_drop, 2);
        assert_int_equal(lan_allocated, before);
        peer_send(cut[2].ip, cut[2].len);
        assert_int_equal(lan.gots, 0);
        lan_wait(IPSEC_LWIP_REASS_MS + 100);
        assert_int_equal(lan_allocated, before);

        for (i = 0; i < 3 * IPSEC_LWIP_REASS; i++) {
            if (i + 2 == 3 * IPSEC_LWIP_REASS) {
                memcpy(second, cut, sizeof second);
            }
            (void)cut_udp(v, 4000, 3000);
            lan_wait(10);
            lan_send(cut[1].ip, cut[1].len);
        }
        assert_int_equal(lan.port.frag_drop, 3 + 2 * IPSEC_LWIP_REASS);
        lan_send(second[0].ip, second[0].len); /* the newest are still there */
        lan_send(second[2].ip, second[2].len);
        lan_send(cut[0].ip, cut[0].len);
        lan_send(cut[2].ip, cut[2].len);
        assert_int_equal(drops(IPSEC_ERR_UNPROTECTED), 2);
        udp_remove(pcb);
        lan_end();
    }
}

/* More fragments than there is room for, all in one datagram. */
static void
too_many(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        static struct cut many[IPSEC_LWIP_PIECES + 1];
        struct udp_pcb *pcb;
        size_t len, i, n = IPSEC_LWIP_PIECES;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        for (; n <= IPSEC_LWIP_PIECES + 1; n++) {
            lan_clear();
            len = udp_packet(ip, far_addr(v), dev_addr(v), 9, 4000,
                             n * 64 - 8);
            assert_int_equal(packet_cut(many, ip, len, 64, ++id), n);
            for (i = 0; i < n; i++) {
                peer_send(many[i].ip, many[i].len);
            }
            assert_int_equal(lan.gots, n == IPSEC_LWIP_PIECES);
        }
        udp_remove(pcb);
        lan_end();
    }
}

#if LWIP_IPV6

/* A packet with a fragment header that is whole all the same (RFC 6946). */
static void
atomic(void **state)
{
    struct packet_spec spec;
    struct udp_pcb *pcb;
    size_t len;

    (void)state;
    lan_begin(IPSEC_MODE_TUNNEL, 6, 0);
    pcb = lan_socket(4000);
    memset(&spec, 0, sizeof spec);
    spec.src = FAR6;
    spec.dst = DEV6;
    spec.proto = 17;
    spec.sport = 9;
    spec.dport = 4000;
    spec.payload = 100;
    spec.ext = "a";
    len = packet_build(ip, &spec);
    peer_send(ip, len);
    assert_int_equal(lan.gots, 1);
    lan_send(ip, len);
    assert_int_equal(lan.gots, 1);
    assert_int_equal(drops(IPSEC_ERR_UNPROTECTED), 1);
    udp_remove(pcb);
    lan_end();
}

/* The port that policy does not want is hidden behind options, so that no
 * fragment alone shows it: the whole does. */
static void
hidden_port(void **state)
{
    struct ipsec_policy no;
    struct packet_spec spec;
    struct udp_pcb *pcb;
    size_t len, n, i;
    uint16_t port;

    (void)state;
    lan_begin(IPSEC_MODE_TUNNEL, 6, 0);
    lan_policy(&no, IPSEC_ACTION_DISCARD, 20, 17, 4001, 4001);
    for (port = 4000; port <= 4001; port++) {
        lan_clear();
        pcb = lan_socket(port);
        memset(&spec, 0, sizeof spec);
        spec.src = FAR6;
        spec.dst = DEV6;
        spec.proto = 17;
        spec.sport = 9;
        spec.dport = port;
        spec.payload = 40;
        spec.ext = "D";
        len = packet_build(ip, &spec);
        n = packet_cut(cut, ip, len, 24, ++id);
        for (i = 0; i < n; i++) {
            peer_send(cut[i].ip, cut[i].len);
        }
        assert_int_equal(lan.gots, port == 4000);
        assert_int_equal(lan.port.frag_drop, port == 4001);
        udp_remove(pcb);
    }
    ipsec_spd_remove(&lan.dev.ips, &no);
    lan_end();
}

/* Policy wants reqid 1 for a port and reqid 2 for all else. Behind options no
 * fragment shows its port: the whole, which came over 2, is refused all the
 * same (RFC 4301 section 5.2 step 4). */
static void
other_sa(void **state)
{
    struct ipsec_policy one, rest;
    struct packet_spec spec;
    struct udp_pcb *pcb;
    uint16_t port;
    size_t n, i;

    (void)state;
    lan_begin(IPSEC_MODE_TUNNEL, 6, 0);
    ipsec_spd_remove(&lan.dev.ips, &lan.all);
    lan_policy(&one, IPSEC_ACTION_PROTECT, 10, 17, 4001, 4001);
    one.reqid = 1;
    lan_policy(&rest, IPSEC_ACTION_PROTECT, 20, 0, 0, 0);
    rest.sel.set = 0;
    rest.reqid = lan.in.sa.reqid = 2;
    for (port = 4000; port <= 4001; port++) {
        lan_clear();
        pcb = lan_socket(port);
        memset(&spec, 0, sizeof spec);
        spec.src = FAR6;
        spec.dst = DEV6;
        spec.proto = 17;
        spec.sport = 9;
        spec.dport = port;
        spec.payload = 40;
        spec.ext = "D";
        n = packet_cut(cut, ip, packet_build(ip, &spec), 24, ++id);
        for (i = 0; i < n; i++) {
            peer_send(cut[i].ip, cut[i].len);
        }
        assert_int_equal(lan.gots, port == 4000);
        assert_int_equal(lan.port.frag_drop, port == 4001);
        udp_remove(pcb);
    }
    ipsec_spd_remove(&lan.dev.ips, &one);
    ipsec_spd_remove(&lan.dev.ips, &rest);
    lan_end();
}

#endif

static void
remove_it(struct fx *fx, struct ipsec_sa *sa, int event)
{
    if (event == IPSEC_EVENT_HARD) {
        (void)ipsec_sad_remove(&fx->ips, sa);
    }
}

/* The last packet that an SA may carry brings the last fragment, and the
 * product removes the SA on that event: nobody can say over which SAs the
 * datagram came. */
static void
last_packet(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        size_t i;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        lan.in.life.hard_seq = 3;
        lan.in.sa.life = &lan.in.life;
        lan.dev.on_event = remove_it;
        pcb = lan_socket(4000);
        (void)cut_udp(v, 4000, 3000);
        for (i = 0; i < 3; i++) {
            peer_send(cut[i].ip, cut[i].len);
        }
        assert_int_equal(lan.in.sa.state, IPSEC_SA_NONE);
        assert_int_equal(lan.gots, 0);
        assert_int_equal(lan.port.frag_drop, 1);
        udp_remove(pcb);
        lan_wait(20000);
        lan_end();
    }
}

/* Who may send in clear can't push out what comes through a tunnel. */
static void
pushed(void **state)
{
    int v, i;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        struct cut mine[3];

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        (void)cut_udp(v, 4000, 3000);
        memcpy(mine, cut, sizeof mine);
        peer_send(mine[0].ip, mine[0].len);
        peer_send(mine[1].ip, mine[1].len);
        for (i = 0; i < 3 * IPSEC_LWIP_REASS; i++) {
            (void)cut_udp(v, 4000, 3000);
            lan_send(cut[0].ip, cut[0].len);
        }
        peer_send(mine[2].ip, mine[2].len);
        assert_int_equal(lan.gots, 1);
        assert_int_equal(lan.got_len, 3000);
        udp_remove(pcb);
        lan_wait(20000);
        lan_end();
    }
}

/* ESP inside a tunnel, in fragments: not for lwIP to answer. */
static void
esp_inside(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        size_t i;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        (void)cut_udp(v, 4000, 3000);
        for (i = 0; i < 3; i++) {
            disguise(&cut[i]);
            peer_send(cut[i].ip, cut[i].len);
        }
        assert_int_equal(lan.port.frag_drop, 1);
        assert_int_equal(lan_take(ip, NULL, NULL), 0);
        lan_end();
    }
}

/* Whatever the headers of fragments say: nothing is delivered in clear, and
 * nothing lost. */
static void
garbage(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct udp_pcb *pcb;
        unsigned round;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        pcb = lan_socket(4000);
        for (round = 0; round < 3000; round++) {
            struct cut c;
            unsigned n;

            (void)cut_udp(v, 4000, 60);
            c = cut[round % 3];
            for (n = 0; n < 1 + round % 3; n++) {
                c.ip[lan_rand() % (v == 4 ? 20 : 48)] = (uint8_t)lan_rand();
            }
            if (round % 2) {
                c.len -= lan_rand() % c.len;
            }
            c.ip[0] = cut[0].ip[0];
            if (v == 4 && round % 5) {
                packet_fix(c.ip);
            }
            lan.piece = round % 4;
            lan_send(c.ip, c.len > 0 ? c.len : 1);
            lan_clear();
            lan.dev.audits = 0;
        }
        assert_int_equal(lan.gots, 0);
        udp_remove(pcb);
        lan_end();
    }
}

int
tests_fragments(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clear),
        cmocka_unit_test(opened),
        cmocka_unit_test(mixed),
        cmocka_unit_test(bypassed),
        cmocka_unit_test(overlapping),
        cmocka_unit_test(impossible),
        cmocka_unit_test(forgotten),
        cmocka_unit_test(too_many),
#if LWIP_IPV6
        cmocka_unit_test(atomic),
        cmocka_unit_test(hidden_port),
        cmocka_unit_test(other_sa),
#endif
        cmocka_unit_test(last_packet),
        cmocka_unit_test(pushed),
        cmocka_unit_test(esp_inside),
        cmocka_unit_test(garbage),
    };

    return cmocka_run_group_tests_name("fragments", tests, NULL, NULL);
}
