/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

static struct fx fx;

static void
test_ipsec_init_needs_its_required_members(void **state)
{
    struct ipsec ips;

    (void)state;
    fx_config(&fx, 0);
    assert_status(ipsec_init(&ips, &fx.cfg), IPSEC_OK);
    assert_status(ipsec_init(NULL, &fx.cfg), IPSEC_ERR_ARG);
    assert_status(ipsec_init(&ips, NULL), IPSEC_ERR_ARG);
    fx.cfg.crypto = NULL;
    assert_status(ipsec_init(&ips, &fx.cfg), IPSEC_ERR_ARG);
    fx.cfg.crypto = &fx.crypto.api;
    fx.cfg.random = NULL;
    assert_status(ipsec_init(&ips, &fx.cfg), IPSEC_ERR_ARG);
    fx.cfg.random = fx_random;
    fx.cfg.acquire = NULL;
    fx.cfg.sa_event = NULL;
    fx.cfg.audit = NULL;
    assert_status(ipsec_init(&ips, &fx.cfg), IPSEC_OK);
}

static void
test_ipsec_init_checks_tables(void **state)
{
    static const size_t bad[] = { 0, 3, 6, 7 };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        fx_config(&fx, 1);
        fx.cfg.sad_len = bad[i];
        assert_status(ipsec_init(&fx.ips, &fx.cfg), IPSEC_ERR_ARG);
        fx_config(&fx, 1);
        fx.index.bucket_len = bad[i];
        assert_status(ipsec_init(&fx.ips, &fx.cfg), IPSEC_ERR_ARG);
    }
    fx_config(&fx, 1);
    fx.index.bucket = NULL;
    assert_status(ipsec_init(&fx.ips, &fx.cfg), IPSEC_ERR_ARG);
    fx_config(&fx, 1);
    fx.index.tuple = NULL;
    assert_status(ipsec_init(&fx.ips, &fx.cfg), IPSEC_ERR_ARG);
    fx_config(&fx, 1);
    fx.index.tuple_len = 0;
    assert_status(ipsec_init(&fx.ips, &fx.cfg), IPSEC_ERR_ARG);
    fx_config(&fx, 1);
    fx.cfg.sad_len = 1;
    fx.index.bucket_len = 1;
    fx.index.tuple_len = 1;
    assert_status(ipsec_init(&fx.ips, &fx.cfg), IPSEC_OK);
}

static void
test_ipsec_init_reports_a_failing_random_source(void **state)
{
    size_t n;

    (void)state;
    fx_init(&fx, 1);
    assert_int_equal(fx.randoms, 2); /* a hash key for each table */
    for (n = 1; n <= 2; n++) {
        fx_config(&fx, 1);
        fx.random_fails_at = n;
        assert_status(ipsec_init(&fx.ips, &fx.cfg), IPSEC_ERR_RANDOM);
    }
    fx_init(&fx, 0);
    assert_int_equal(fx.randoms, 0);
}

static void
test_ipsec_init_clears_what_was_in_the_tables(void **state)
{
    struct ipsec_flow f;

    (void)state;
    fx_config(&fx, 1);
    memset(fx.sad, 0xff, sizeof fx.sad);
    memset(fx.bucket, 0xff, sizeof fx.bucket);
    memset(fx.tuple, 0xff, sizeof fx.tuple);
    fx.index.tuple_first = 3;
    memset(&fx.ips, 0xff, sizeof fx.ips);
    memset(&f, 0, sizeof f);
    assert_status(ipsec_init(&fx.ips, &fx.cfg), IPSEC_OK);
    assert_null(ipsec_sad_next(&fx.ips, NULL));
    assert_null(ipsec_spd_next(&fx.ips, NULL));
    assert_null(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &f));
    assert_null(ipsec_sad_newest(&fx.ips, 1, 0));
    assert_int_equal(ipsec_now(&fx.ips), 0);
    assert_int_equal(fx.ips.stats.in_bypass, 0);
}

static void
test_ipsec_starts_by_discarding_everything(void **state)
{
    struct packet_spec spec = {
        .src = "10.0.0.1", .dst = "10.0.0.2", .proto = 17, .payload = 8
    };
    struct fx_pkt p;

    (void)state;
    fx_init(&fx, 0);
    fx_pkt_build(&p, &spec, 100, 100);
    assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_ERR_NO_POLICY);
    assert_status(ipsec_inbound(&fx.ips, &p.pkt), IPSEC_ERR_NO_POLICY);
    assert_int_equal(fx.ips.stats.out_drop[5], 1);
    assert_int_equal(fx.ips.stats.in_drop[5], 1);
    assert_int_equal(fx.audits, 2);
    fx_pkt_free(&p);
}

static void
test_ipsec_time_only_goes_forward(void **state)
{
    (void)state;
    fx_init(&fx, 0);
    assert_int_equal(ipsec_now(&fx.ips), 0);
    ipsec_tick(&fx.ips, 100);
    assert_int_equal(ipsec_now(&fx.ips), 100);
    ipsec_tick(&fx.ips, 99);
    ipsec_tick(&fx.ips, 100);
    ipsec_tick(&fx.ips, 0);
    assert_int_equal(ipsec_now(&fx.ips), 100);
    ipsec_tick(&fx.ips, 101);
    assert_int_equal(ipsec_now(&fx.ips), 101);
    /* and round the end of its 32 bits */
    ipsec_tick(&fx.ips, 0x70000000);
    ipsec_tick(&fx.ips, 0xe0000000);
    ipsec_tick(&fx.ips, 5);
    assert_int_equal(ipsec_now(&fx.ips), 5);
}

static void
test_ipsec_pkt_init_clears_and_points(void **state)
{
    struct ipsec_pkt pkt, zero;
    uint8_t mem[100];

    (void)state;
    memset(&pkt, 0xff, sizeof pkt);
    ipsec_pkt_init(&pkt, mem, sizeof mem, 30, 50);
    assert_ptr_equal(pkt.buf.head, mem);
    assert_ptr_equal(pkt.buf.data, mem + 30);
    assert_ptr_equal(pkt.buf.end, mem + 100);
    assert_int_equal(pkt.buf.len, 50);
    memset(&zero, 0, sizeof zero);
    zero.buf = pkt.buf;
    assert_memory_equal(&pkt, &zero, sizeof zero);
}

static void
test_ipsec_op_pkt_is_its_owner(void **state)
{
    struct ipsec_pkt pkt;
    struct ipsec_op op;

    (void)state;
    memset(&op, 0, sizeof op);
    assert_null(ipsec_op_pkt(&op));
    op.owner = &pkt;
    assert_ptr_equal(ipsec_op_pkt(&op), &pkt);
}

#define NAME(status) { IPSEC_ ## status, #status }
#define ERR(status) { IPSEC_ERR_ ## status, #status }

static void
test_ipsec_status_str_names_all(void **state)
{
    static const struct {
        int status;
        const char *name;
    } row[] = {
        NAME(OK), NAME(BYPASS), NAME(PENDING), NAME(CONSUMED), ERR(NO_SA),
        ERR(ROOM), ERR(TOO_BIG), ERR(DISCARD), ERR(NO_POLICY),
        ERR(UNPROTECTED), ERR(FRAGMENT), ERR(MALFORMED), ERR(EXPIRED),
        ERR(SEQ_OVERFLOW), ERR(REPLAY), ERR(AUTH), ERR(SELECTOR), ERR(MODE),
        ERR(PADDING), ERR(DEPTH), ERR(BUSY), ERR(CRYPTO), ERR(ECN),
        ERR(RANDOM), ERR(UNSUPPORTED), ERR(EXISTS), ERR(ARG), ERR(SPI),
        ERR(ADDR), ERR(KEY), ERR(NO_INTEG), ERR(STATIC_KEY), ERR(WINDOW),
        ERR(LIFETIME), ERR(PORTS), ERR(PREFIX), ERR(BUNDLE),
        ERR(WEAK)
    };
    size_t i, named = 0;
    int status;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        assert_string_equal(ipsec_status_str(row[i].status), row[i].name);
    }
    for (status = -100; status < 100; status++) {
        named += strcmp(ipsec_status_str(status), "?") != 0;
    }
    assert_int_equal(named, COUNT(row));
    assert_string_equal(ipsec_status_str(-2147483647 - 1), "?");
    assert_string_equal(ipsec_status_str(2147483647), "?");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipsec_init_needs_its_required_members),
        cmocka_unit_test(test_ipsec_init_checks_tables),
        cmocka_unit_test(test_ipsec_init_reports_a_failing_random_source),
        cmocka_unit_test(test_ipsec_init_clears_what_was_in_the_tables),
        cmocka_unit_test(test_ipsec_starts_by_discarding_everything),
        cmocka_unit_test(test_ipsec_time_only_goes_forward),
        cmocka_unit_test(test_ipsec_pkt_init_clears_and_points),
        cmocka_unit_test(test_ipsec_op_pkt_is_its_owner),
        cmocka_unit_test(test_ipsec_status_str_names_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
