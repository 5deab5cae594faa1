/* SPDX-License-Identifier: MIT */
#include "fake/nest.h"

/* Inbound SAs whose mode the packet decides (IPSEC_WILD_CARD), and that there
 * are none unless they were asked for. */

static struct pair pair;
static struct nest nest;
static uint8_t wire[1024], plain[1024];
static size_t wire_len;

/* `mode` is what the sender has, `asked` what the receiver's policy wants. */
static void
prepare(int proto, int mode, int version, int asked)
{
    pair_prepare(&pair, &suites[NULL_SHA256], mode, version);
    pair.out.params.proto = pair.in.params.proto = (uint8_t)proto;
    pair.pa.proto = pair.pb.proto = (uint8_t)proto;
    pair.pb.mode = (uint8_t)asked;
    pair.in.params.mode = IPSEC_MODE_ANY;
    pair.b.cfg.flags = IPSEC_WILD_CARD;
}

static void
seal(int inner)
{
    struct packet_spec spec = pair_spec(&pair, inner, 17, 20);

    packet_build(plain, &spec);
    wire_len = pair_seal(&pair, &spec, wire);
}

static void
test_wild_card_next_header_decides(void **state)
{
    int proto, mode, version, asked, inner, want;
    struct fx_pkt p;

    (void)state;
    for (proto = 50; proto <= 51; proto++) {
        for (mode = 1; mode <= 2; mode++) {
            for (version = 4; version <= FX_IP_LAST; version += 2) {
                for (asked = 0; asked <= 2; asked++) {
                    inner = mode == IPSEC_MODE_TUNNEL ? 10 - version : version;
                    fx_note("%d, mode %d, IPv%d, asked for %d", proto, mode,
                            version, asked);
                    prepare(proto, mode, version, asked);
                    pair_begin(&pair);
                    seal(inner);
                    want = asked == 0 || asked == mode
                        ? IPSEC_OK : IPSEC_ERR_MODE;
                    assert_status(pair_open(&pair, wire, wire_len, &p), want);
                    assert_int_equal(p.pkt.tunnels, mode == 2);
                    if (want == IPSEC_OK) {
                        assert_true(fx_pkt_is(&p, plain, packet_len(plain)));
                    }
                    fx_pkt_free(&p);
                }
            }
        }
    }
}

static void
test_wild_card_only_if_asked_for(void **state)
{
    int proto;

    (void)state;
    for (proto = 50; proto <= 51; proto++) {
        prepare(proto, IPSEC_MODE_TUNNEL, 4, 0);
        pair.b.cfg.flags = (uint8_t)~IPSEC_WILD_CARD;
        assert_status(fx_sa_add(&pair.b, &pair.in), IPSEC_ERR_UNSUPPORTED);
        pair.b.cfg.flags = IPSEC_WILD_CARD;
        pair.out.params.mode = IPSEC_MODE_ANY;
        assert_status(fx_sa_add(&pair.b, &pair.out), IPSEC_ERR_UNSUPPORTED);
        assert_status(fx_sa_add(&pair.b, &pair.in), IPSEC_OK);
    }
}

/* No SA in tunnel mode takes a packet of transport mode (A-4.4.2.1-12). One in
 * transport mode can't know the other kind from a packet that carries one. */
static void
test_wild_card_changes_no_other_sa(void **state)
{
    int mode;

    (void)state;
    for (mode = 1; mode <= 2; mode++) {
        prepare(50, mode, 4, 0);
        pair.in.params.mode = (uint8_t)(3 - mode);
        pair_begin(&pair);
        seal(4);
        assert_status(pair_offer(&pair, wire, wire_len), mode == 2
                      ? IPSEC_OK : IPSEC_ERR_MODE);
    }
}

/* Transport mode binds the source address, as ever. */
static void
test_wild_card_source_of_transport_mode(void **state)
{
    int proto, mode;

    (void)state;
    for (proto = 50; proto <= 51; proto++) {
        for (mode = 1; mode <= 2; mode++) {
            fx_note("%d, mode %d", proto, mode);
            prepare(proto, mode, 4, 0);
            pair.in.params.remote = addr("192.0.2.99");
            pair_begin(&pair);
            seal(4);
            assert_status(pair_offer(&pair, wire, wire_len),
                          mode == 1 ? IPSEC_ERR_SELECTOR : IPSEC_OK);
        }
    }
}

static void
in_udp(struct pair *two)
{
    two->out.params.local_port = two->out.params.remote_port = 4500;
    two->in.params.local_port = two->in.params.remote_port = 4500;
    two->b.cfg.natt_port = 4500;
}

/* The same of ESP in UDP (RFC 3948), where a NAT may change it in tunnel mode;
 * and a dummy goes there too. */
static void
test_wild_card_in_udp(void **state)
{
    struct fx_pkt p;
    int mode, moved;

    (void)state;
    for (mode = 1; mode <= 2; mode++) {
        for (moved = 0; moved < 2; moved++) {
            fx_note("mode %d, moved %d", mode, moved);
            prepare(50, mode, 4, mode);
            in_udp(&pair);
            pair.in.params.remote.byte[3] ^= (uint8_t)moved;
            pair_begin(&pair);
            seal(4);
            assert_status(pair_offer(&pair, wire, wire_len),
                          mode == 1 && moved ? IPSEC_ERR_SELECTOR : IPSEC_OK);
            fx_pkt_new(&p, NULL, 0, IPSEC_HEADROOM, 40 + IPSEC_TAILROOM);
            assert_status(ipsec_dummy(&pair.a.ips, &p.pkt, &pair.out.sa, 40),
                          IPSEC_OK);
            assert_int_equal(p.pkt.buf.data[9], 17);
            assert_status(pair_offer(&pair, p.pkt.buf.data, p.pkt.buf.len),
                          IPSEC_CONSUMED);
            fx_pkt_free(&p);
        }
    }
}

/* A bundle: each layer for itself, an engine between them or not. */
static void
check_bundle(int engine, uint8_t asked_0, uint8_t asked_1, int want)
{
    struct flight f = { 0 };
    size_t i;

    nest_init(&nest, 2, GCM128);
    flight_out(&f, &nest, 20);
    assert_status(f.verdict, IPSEC_OK);
    wire_len = f.p.pkt.buf.len;
    memcpy(wire, f.p.pkt.buf.data, wire_len);
    fx_pkt_free(&f.p);
    for (i = 0; i < 2; i++) {
        nest.in[i]->sa.mode = IPSEC_MODE_ANY;
    }
    nest.pb[0].mode = asked_0;
    nest.pb[1].mode = asked_1;
    nest.b.st.mode = engine ? FAKE_ASYNC : FAKE_SYNC;
    flight_in(&f, &nest, wire, wire_len);
    flights_land(&nest.b);
    assert_status(f.verdict, want);
    assert_int_equal(f.p.pkt.tunnels, 1); /* the outermost is number 0 */
    fx_pkt_free(&f.p);
    nest_free(&nest);
}

static void
test_wild_card_in_a_bundle(void **state)
{
    int engine;

    (void)state;
    for (engine = 0; engine < 2; engine++) {
        check_bundle(engine, 0, 0, IPSEC_OK);
        check_bundle(engine, IPSEC_MODE_TRANSPORT, IPSEC_MODE_TUNNEL,
                     IPSEC_OK);
        check_bundle(engine, IPSEC_MODE_TUNNEL, IPSEC_MODE_TUNNEL,
                     IPSEC_ERR_MODE);
        check_bundle(engine, IPSEC_MODE_TRANSPORT, IPSEC_MODE_TRANSPORT,
                     IPSEC_ERR_MODE);
    }
}

static void
test_wild_card_dummy_packet(void **state)
{
    uint8_t body[64] = { 0 };
    struct craft craft = { 0 };

    (void)state;
    prepare(50, IPSEC_MODE_TRANSPORT, 4, 0);
    pair.in.params.remote = addr("192.0.2.99");
    pair_begin(&pair);
    craft.body = body;
    craft.len = body_end(&suites[NULL_SHA256], body, 30, 59);
    craft.seq = 7;
    wire_len = pair_craft(&pair, &craft, wire);
    assert_status(pair_offer(&pair, wire, wire_len), IPSEC_CONSUMED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wild_card_next_header_decides),
        cmocka_unit_test(test_wild_card_only_if_asked_for),
        cmocka_unit_test(test_wild_card_changes_no_other_sa),
        cmocka_unit_test(test_wild_card_source_of_transport_mode),
        cmocka_unit_test(test_wild_card_in_udp),
        cmocka_unit_test(test_wild_card_in_a_bundle),
        cmocka_unit_test(test_wild_card_dummy_packet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
