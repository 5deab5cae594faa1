/* SPDX-License-Identifier: MIT */
#include "fake/nest.h"

/* Each status of types.h, and one way to it. More ways are in the tests of
 * the files that answer it. */

static struct pair pair;
static struct nest nest;
static struct flight flight;
static uint8_t wire[1024];

static void
begin(int suite, int mode)
{
    pair_init(&pair, &suites[suite], mode, 4);
}

static struct packet_spec
udp(void)
{
    return pair_spec(&pair, 4, 17, 40);
}

static int
send_spec(const struct packet_spec *spec, size_t head)
{
    struct fx_pkt p;
    int rc;

    fx_pkt_build(&p, spec, head, IPSEC_TAILROOM);
    rc = ipsec_outbound(&pair.a.ips, &p.pkt);
    fx_pkt_free(&p);
    return rc;
}

static int
send(void)
{
    struct packet_spec spec = udp();

    return send_spec(&spec, IPSEC_HEADROOM);
}

/* Seal at A, change byte `at` (0: none), open at B. */
static int
pass(size_t at)
{
    struct packet_spec spec = udp();
    size_t len = pair_seal(&pair, &spec, wire);

    if (at != 0) {
        wire[at] ^= 1;
    }
    return pair_offer(&pair, wire, len);
}

static int
craft(uint8_t tos, const char *body, size_t len)
{
    struct craft c = { 0 };

    c.body = (const uint8_t *)body;
    c.len = len;
    c.seq = 1;
    c.tos = tos;
    return pair_offer(&pair, wire, pair_craft(&pair, &c, wire));
}

static int
do_ok(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    return pass(0);
}

static int
do_bypass(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    pair.pa.action = IPSEC_ACTION_BYPASS;
    return send();
}

static int
do_pending(void)
{
    int rc;

    nest_init(&nest, 1, GCM128);
    nest.a.st.mode = FAKE_ASYNC;
    flight_out(&flight, &nest, 1);
    rc = flight.verdict;
    flights_land(&nest.a);
    fx_pkt_free(&flight.p);
    nest_free(&nest);
    return rc;
}

static int
do_consumed(void)
{
    begin(NULL_SHA256, IPSEC_MODE_TUNNEL);
    return craft(0, "\x01\x02\x02\x3b", 4);
}

static int
do_no_sa(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    return pass(23);
}

static int
do_room(void)
{
    struct packet_spec spec;

    begin(GCM128, IPSEC_MODE_TUNNEL);
    spec = udp();
    return send_spec(&spec, 1);
}

static int
do_too_big(void)
{
    struct packet_spec spec;

    begin(GCM128, IPSEC_MODE_TUNNEL);
    pair.out.sa.mtu = 100;
    spec = udp();
    spec.df = 1;
    return send_spec(&spec, IPSEC_HEADROOM);
}

static int
do_discard(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    pair.pa.action = IPSEC_ACTION_DISCARD;
    return send();
}

static int
do_no_policy(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    ipsec_spd_remove(&pair.a.ips, &pair.pa);
    return send();
}

static int
do_unprotected(void)
{
    struct packet_spec spec;

    begin(GCM128, IPSEC_MODE_TUNNEL);
    spec = udp();
    return pair_offer(&pair, wire, packet_build(wire, &spec));
}

static int
do_fragment(void)
{
    struct packet_spec spec;

    begin(GCM128, IPSEC_MODE_TRANSPORT);
    spec = udp();
    spec.mf = 1;
    return send_spec(&spec, IPSEC_HEADROOM);
}

static int
do_malformed(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    return pair_offer(&pair, wire, 19);
}

static int
do_expired(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    pair.out.life.hard_s = 5;
    pair.out.sa.life = &pair.out.life;
    ipsec_tick(&pair.a.ips, 5);
    return send();
}

static int
do_seq_overflow(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    pair.out.sa.seq = 0xffffffff;
    return send();
}

static int
do_replay(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    assert_status(pass(0), IPSEC_OK);
    pair.out.sa.seq = 0;
    return pass(0);
}

static int
do_auth(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    return pass(60);
}

static int
do_selector(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    pair.pb.reqid = 2;
    return pass(0);
}

static int
do_mode(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    pair.pb.mode = IPSEC_MODE_TRANSPORT;
    return pass(0);
}

static int
do_padding(void)
{
    begin(NULL_SHA256, IPSEC_MODE_TUNNEL);
    return craft(0, "\x01\x03\x02\x04", 4);
}

/* More layers than were checked when the policy was added. */
static int
do_depth(void)
{
    int rc;

    nest_init(&nest, 2, GCM128);
    nest.pa[1].outer = &nest.pa[1];
    flight_out(&flight, &nest, 1);
    rc = flight.verdict;
    fx_pkt_free(&flight.p);
    nest_free(&nest);
    return rc;
}

static int
fail_run(int with)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    pair.a.st.run_fails_at = 1;
    pair.a.st.run_fails_with = with;
    return send();
}

static int
do_busy(void)
{
    return fail_run(IPSEC_ERR_BUSY);
}

static int
do_crypto(void)
{
    return fail_run(IPSEC_ERR_CRYPTO);
}

static int
do_ecn(void)
{
    struct packet_spec spec;
    uint8_t body[256];
    size_t len;

    begin(GCM128, IPSEC_MODE_TUNNEL);
    spec = udp();
    len = body_end(&suites[GCM128], body, packet_build(body, &spec), 4);
    return craft(3, (const char *)body, len);
}

static int
do_random(void)
{
    struct ipsec_sa sa = { 0 };

    begin(GCM128, IPSEC_MODE_TUNNEL);
    pair.a.random_fails_at = 1;
    return ipsec_sad_reserve(&pair.a.ips, &sa, IPSEC_IN, 50, 1, 9);
}

static int
do_exists(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    return ipsec_spd_add(&pair.a.ips, &pair.pa);
}

static int
do_arg(void)
{
    return ipsec_init(&pair.a.ips, NULL);
}

/* An SA of A's which differs from a good one by one thing. */
static struct ipsec_sa_params *
good(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    ipsec_sad_remove(&pair.a.ips, &pair.out.sa);
    pair.out.params.life = &pair.out.life;
    return &pair.out.params;
}

static int
add(void)
{
    return ipsec_sad_add(&pair.a.ips, &pair.out.sa, &pair.out.params);
}

#define SA_FAULT(name, code) \
    static int name(void) { struct ipsec_sa_params *q = good(); code; \
                            return add(); }

SA_FAULT(do_unsupported, q->proto = IPSEC_PROTO_AH)
SA_FAULT(do_spi, q->spi = 255)
SA_FAULT(do_addr, q->local = addr("::1"))
SA_FAULT(do_key, q->km.encr_key_len--)
SA_FAULT(do_no_integ, q->km.encr = IPSEC_ENCR_AES_CBC;
         q->km.encr_key_len = 16)
SA_FAULT(do_weak, q->km.encr = 3; q->km.encr_key_len = 24)
SA_FAULT(do_static_key, q->flags = 0)
SA_FAULT(do_window, q->window_len = 3)
SA_FAULT(do_lifetime, pair.out.life.soft_s = 2; pair.out.life.hard_s = 1;
         (void)q)

static struct ipsec_policy *
policy(void)
{
    begin(GCM128, IPSEC_MODE_TUNNEL);
    ipsec_spd_remove(&pair.a.ips, &pair.pa);
    return &pair.pa;
}

static int
do_ports(void)
{
    policy()->sel.set = IPSEC_SEL_LOCAL_PORT;
    return ipsec_spd_add(&pair.a.ips, &pair.pa);
}

static int
do_prefix(void)
{
    policy()->sel.local.bits = 1;
    return ipsec_spd_add(&pair.a.ips, &pair.pa);
}

static int
do_bundle(void)
{
    policy()->outer = &pair.pa;
    return ipsec_spd_add(&pair.a.ips, &pair.pa);
}

static const struct {
    int status;
    int (*provoke)(void);
} rows[] = {
    { IPSEC_OK, do_ok }, { IPSEC_BYPASS, do_bypass },
    { IPSEC_PENDING, do_pending }, { IPSEC_CONSUMED, do_consumed },
    { IPSEC_ERR_NO_SA, do_no_sa }, { IPSEC_ERR_ROOM, do_room },
    { IPSEC_ERR_TOO_BIG, do_too_big }, { IPSEC_ERR_DISCARD, do_discard },
    { IPSEC_ERR_NO_POLICY, do_no_policy },
    { IPSEC_ERR_UNPROTECTED, do_unprotected },
    { IPSEC_ERR_FRAGMENT, do_fragment },
    { IPSEC_ERR_MALFORMED, do_malformed }, { IPSEC_ERR_EXPIRED, do_expired },
    { IPSEC_ERR_SEQ_OVERFLOW, do_seq_overflow },
    { IPSEC_ERR_REPLAY, do_replay }, { IPSEC_ERR_AUTH, do_auth },
    { IPSEC_ERR_SELECTOR, do_selector }, { IPSEC_ERR_MODE, do_mode },
    { IPSEC_ERR_PADDING, do_padding }, { IPSEC_ERR_DEPTH, do_depth },
    { IPSEC_ERR_BUSY, do_busy }, { IPSEC_ERR_CRYPTO, do_crypto },
    { IPSEC_ERR_ECN, do_ecn }, { IPSEC_ERR_RANDOM, do_random },
    { IPSEC_ERR_UNSUPPORTED, do_unsupported },
    { IPSEC_ERR_EXISTS, do_exists }, { IPSEC_ERR_ARG, do_arg },
    { IPSEC_ERR_SPI, do_spi }, { IPSEC_ERR_ADDR, do_addr },
    { IPSEC_ERR_KEY, do_key }, { IPSEC_ERR_NO_INTEG, do_no_integ },
    { IPSEC_ERR_STATIC_KEY, do_static_key },
    { IPSEC_ERR_WINDOW, do_window }, { IPSEC_ERR_LIFETIME, do_lifetime },
    { IPSEC_ERR_PORTS, do_ports }, { IPSEC_ERR_PREFIX, do_prefix },
    { IPSEC_ERR_BUNDLE, do_bundle }, { IPSEC_ERR_WEAK, do_weak },
};

static void
test_status_each_is_provoked(void **state)
{
    int status;
    size_t i;

    (void)state;
    for (status = IPSEC_ERR_WEAK; status <= IPSEC_CONSUMED; status++) {
        for (i = 0; i < COUNT(rows) && rows[i].status != status; i++) {
        }
        assert_true(i < COUNT(rows));
        fx_note("row %zu", i);
        assert_status(rows[i].provoke(), status);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_each_is_provoked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
