/* SPDX-License-Identifier: MIT */
#include "fake/nest.h"

/* An SPI that nobody is given for a while (sad.h), so that late packets of an
 * SA don't meet another. */

static struct pair pair;
static struct nest nest;
static uint8_t wire[512];

#define B (&pair.b.ips)

static size_t
begin(int tables)
{
    struct packet_spec spec;

    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    fx_init(&pair.b, tables);
    pair_begin(&pair);
    ipsec_tick(B, 1000);
    spec = pair_spec(&pair, 4, 17, 30);
    return pair_seal(&pair, &spec, wire);
}

static void
test_quarantine_late_packets_have_no_sa(void **state)
{
    size_t len, tables;

    (void)state;
    for (tables = 0; tables < 2; tables++) {
        len = begin((int)tables);
        assert_status(ipsec_sad_quarantine(B, &pair.in.sa, 30), IPSEC_OK);
        assert_int_equal(pair.in.sa.state, IPSEC_SA_LARVAL);
        assert_int_equal(pair.in.sa.spi, 0x1001);
        assert_true(fake_key_wiped(&pair.in.key));
        assert_int_equal(pair.b.st.wipes, 1);
        memset(&pair.in.key, 0xdb, sizeof pair.in.key);
        assert_status(pair_offer(&pair, wire, len), IPSEC_ERR_NO_SA);
        assert_int_equal(pair.b.st.runs, 0);
        assert_status(ipsec_sad_remove(B, &pair.in.sa), IPSEC_OK);
        assert_int_equal(pair.b.st.wipes, 1);
        assert_null(ipsec_sad_next(B, NULL));
    }
}

/* Its end is told as that of any larval SA. */
static void
test_quarantine_ends_by_the_hard_event(void **state)
{
    size_t tables;
    uint32_t t;

    (void)state;
    for (tables = 0; tables < 2; tables++) {
        begin((int)tables);
        pair.in.sa.reason = IPSEC_REASON_REKEYED;
        assert_status(ipsec_sad_quarantine(B, &pair.in.sa, 30), IPSEC_OK);
        assert_int_equal(pair.in.sa.reason, IPSEC_REASON_REKEYED);
        for (t = 1001; t < 1030; t++) {
            ipsec_tick(B, t);
        }
        assert_int_equal(pair.b.events, 0);
        ipsec_tick(B, 1030 + 64); /* all of a table */
        ipsec_tick(B, 1200);
        assert_int_equal(pair.b.events, 1);
        assert_int_equal(fx_events(&pair.b, &pair.in.sa, IPSEC_EVENT_HARD),
                         1);
        assert_status(ipsec_sad_remove(B, &pair.in.sa), IPSEC_OK);
    }
}

/* A limit that was reported before does not keep the end from being told. */
static void
test_quarantine_of_an_expired_sa(void **state)
{
    (void)state;
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.in.params.life = &pair.in.life;
    pair.in.life.hard_s = 10;
    pair_begin(&pair);
    ipsec_tick(B, 10);
    assert_int_equal(pair.b.events, 1);
    assert_status(ipsec_sad_quarantine(B, &pair.in.sa, 30), IPSEC_OK);
    ipsec_tick(B, 39);
    assert_int_equal(pair.b.events, 1);
    ipsec_tick(B, 40);
    assert_int_equal(pair.b.events, 2);
}

/* A random source that offers the SPI first, and then another. */

static int
offer(void *user, void *buf, size_t len)
{
    static const uint32_t spis[] = { 0x1001, 0x1001, 0x2002 };
    size_t *n = user;

    assert_int_equal(len, sizeof spis[0]);
    memcpy(buf, &spis[(*n)++ % COUNT(spis)], len);
    return 0;
}

static void
test_quarantine_keeps_the_spi_from_others(void **state)
{
    struct ipsec_config cfg;
    struct ipsec_sa sa = { 0 };
    struct fx_sa other;
    size_t n = 0;

    (void)state;
    begin(0);
    assert_status(ipsec_sad_quarantine(B, &pair.in.sa, 30), IPSEC_OK);
    cfg = pair.b.cfg;
    cfg.random = offer;
    cfg.user = &n;
    B->cfg = &cfg;
    assert_status(ipsec_sad_reserve(B, &sa, IPSEC_IN, IPSEC_PROTO_ESP, 7, 9),
                  IPSEC_OK);
    assert_int_equal(sa.spi, 0x2002);
    assert_int_equal(n, 3);
    fx_sa_set(&other, &suites[GCM128], IPSEC_IN, IPSEC_MODE_TUNNEL, 0x1001,
              "198.51.100.2", "192.0.2.1");
    assert_status(fx_sa_add(&pair.b, &other), IPSEC_ERR_EXISTS);
    assert_status(ipsec_sad_remove(B, &pair.in.sa), IPSEC_OK);
    assert_status(fx_sa_add(&pair.b, &other), IPSEC_OK);
}

static void
test_quarantine_errors(void **state)
{
    struct ipsec_sa larval = { 0 }, none = { 0 };

    (void)state;
    begin(0);
    assert_status(ipsec_sad_quarantine(B, &pair.in.sa, 0), IPSEC_ERR_ARG);
    assert_status(ipsec_sad_quarantine(B, &pair.in.sa, 0x80000000u),
                  IPSEC_ERR_ARG);
    assert_status(ipsec_sad_quarantine(&pair.a.ips, &pair.out.sa, 9),
                  IPSEC_ERR_ARG);
    assert_status(ipsec_sad_quarantine(B, &none, 9), IPSEC_ERR_ARG);
    none.dir = IPSEC_IN;
    none.state = IPSEC_SA_MATURE; /* of another context */
    assert_status(ipsec_sad_quarantine(B, &none, 9), IPSEC_ERR_ARG);
    assert_status(ipsec_sad_reserve(B, &larval, IPSEC_IN, IPSEC_PROTO_ESP, 7,
                                    9), IPSEC_OK);
    assert_status(ipsec_sad_quarantine(B, &larval, 9), IPSEC_ERR_ARG);
    assert_int_equal(pair.in.sa.state, IPSEC_SA_MATURE);
    assert_int_equal(pair.b.st.wipes, 0);
    assert_status(ipsec_sad_quarantine(B, &pair.in.sa, 0x7fffffff), IPSEC_OK);
    assert_status(ipsec_sad_quarantine(B, &pair.in.sa, 9), IPSEC_ERR_ARG);
}

/* With packets in the engine it is a removal, and the SPI is free. */
static void
test_quarantine_with_packets_in_flight(void **state)
{
    struct flight f = { 0 };
    size_t len;

    (void)state;
    nest_init(&nest, 1, GCM128);
    flight_out(&f, &nest, 20);
    len = f.p.pkt.buf.len;
    memcpy(wire, f.p.pkt.buf.data, len);
    fx_pkt_free(&f.p);
    nest.b.st.mode = FAKE_ASYNC;
    flight_in(&f, &nest, wire, len);
    assert_status(f.verdict, IPSEC_PENDING);
    assert_status(ipsec_sad_quarantine(&nest.b.ips, &nest.in[0]->sa, 30),
                  IPSEC_PENDING);
    assert_int_equal(nest.in[0]->sa.state, IPSEC_SA_DEAD);
    assert_null(ipsec_sad_lookup(&nest.b.ips, IPSEC_IN, 0x1000,
                                 IPSEC_PROTO_ESP, NULL));
    flights_land(&nest.b);
    assert_status(f.verdict, IPSEC_ERR_EXPIRED);
    assert_int_equal(fx_events(&nest.b, NULL, IPSEC_EVENT_RELEASED), 1);
    assert_true(fake_key_wiped(&nest.in[0]->key));
    fx_pkt_free(&f.p);
    nest_free(&nest);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quarantine_late_packets_have_no_sa),
        cmocka_unit_test(test_quarantine_ends_by_the_hard_event),
        cmocka_unit_test(test_quarantine_of_an_expired_sa),
        cmocka_unit_test(test_quarantine_keeps_the_spi_from_others),
        cmocka_unit_test(test_quarantine_errors),
        cmocka_unit_test(test_quarantine_with_packets_in_flight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
