/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "porting/port.h"

/* docs/PORTING.md followed literally: a stack that knows nothing of IPsec
 * (porting/stack.c), and a port to it (porting/port.c). */

static struct host a, b;
static struct port pa, pb;
static struct fx   fa, fb; /* for their engines and callbacks */
static struct fx_sa sa[4]; /* A's out and in, B's out and in */
static struct ipsec_policy policy[2];
static uint8_t text[2500];

/* Each with a policy that protects everything, and SAs both ways. */
static void
protect(struct port *port, const char *from, const char *to, uint32_t spi_out,
        uint32_t spi_in, uint16_t udp, uint16_t mtu)
{
    struct ipsec_policy *p = &policy[port == &pb];
    struct fx_sa *out = &sa[port == &pa ? 0 : 2], *in = out + 1;

    memset(p, 0, sizeof *p);
    p->action = IPSEC_ACTION_PROTECT;
    p->dir = IPSEC_OUT | IPSEC_IN;
    p->reqid = 1;
    assert_status(ipsec_spd_add(&port->ips, p), IPSEC_OK);
    fx_sa_set(out, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TRANSPORT, spi_out,
              from, to);
    fx_sa_set(in, &suites[GCM128], IPSEC_IN, IPSEC_MODE_TRANSPORT, spi_in,
              from, to);
    out->params.reqid = in->params.reqid = 1;
    out->params.local_port = out->params.remote_port = udp;
    in->params.local_port = in->params.remote_port = udp;
    out->params.mtu = mtu;
    assert_status(ipsec_sad_add(&port->ips, &out->sa, &out->params),
                  IPSEC_OK);
    assert_status(ipsec_sad_add(&port->ips, &in->sa, &in->params), IPSEC_OK);
}

static void
begin(uint16_t udp, uint16_t mtu)
{
    static const uint8_t addr_a[4] = { 10, 1, 0, 1 };
    static const uint8_t addr_b[4] = { 10, 1, 0, 2 };
    size_t i;

    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    memcpy(a.addr, addr_a, 4);
    memcpy(b.addr, addr_b, 4);
    a.mtu = b.mtu = 1500;
    a.peer = &b;
    b.peer = &a;
    fx_config(&fa, 0);
    fx_config(&fb, 0);
    fa.cfg.natt_port = fb.cfg.natt_port = udp;
    assert_status(port_attach(&pa, &a, &fa.cfg), IPSEC_OK);
    assert_status(port_attach(&pb, &b, &fb.cfg), IPSEC_OK);
    port_tick(&pa, 1);
    port_tick(&pb, 1);
    protect(&pa, "10.1.0.1", "10.1.0.2", 0x1000, 0x2000, udp, mtu);
    protect(&pb, "10.1.0.2", "10.1.0.1", 0x2000, 0x1000, udp, mtu);
    for (i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(i * 7);
    }
}

static void
settle(void)
{
    int rounds;

    for (rounds = 0; host_poll(&a) + host_poll(&b) != 0; rounds++) {
        assert_true(rounds < 100);
    }
}

static void
echo_of(size_t len)
{
    a.text_len = 0;
    host_send(&a, b.addr, 7, 0, text, len);
    settle();
    fx_note("%zu bytes", len);
    assert_int_equal(a.text_len, len);
    assert_memory_equal(a.text, text, len);
}

static void
test_porting_echo(void **unused)
{
    (void)unused;
    begin(0, 0);
    echo_of(5);
    assert_int_equal(a.frames + b.frames, 2);
    assert_true(a.on_wire > 33);
    assert_int_equal(pa.ips.stats.out_protect, 1);
    assert_int_equal(pa.ips.stats.in_protect, 1);
    assert_int_equal(pa.drops + pb.drops + a.lost + b.lost, 0);
}

/* What the stack makes by itself passes the hook as well. */
static void
test_porting_no_way_round(void **unused)
{
    (void)unused;
    begin(0, 0);
    host_ping(&a, b.addr);
    settle();
    assert_int_equal(a.pongs, 1);
    assert_int_equal(pb.ips.stats.out_protect, 1);
    assert_int_equal(b.frames, 1);

    ipsec_sad_remove(&pb.ips, &sa[2].sa); /* B can't answer any more */
    host_ping(&a, b.addr);
    settle();
    assert_int_equal(a.pongs, 1);
    assert_int_equal(b.frames, 1);
    assert_status(pb.dropped, IPSEC_ERR_NO_SA);
}

/* What comes in clear, from somebody without the port, is not answered. */
static void
test_porting_clear_is_refused(void **unused)
{
    (void)unused;
    begin(0, 0);
    a.output = NULL;
    host_ping(&a, b.addr);
    host_send(&a, b.addr, 7, 0, text, 10);
    settle();
    assert_int_equal(b.frames, 0);
    assert_status(pb.dropped, IPSEC_ERR_UNPROTECTED);
    assert_int_equal(pb.drops, 2);
}

/* Whole datagrams are sealed, fragments only travel (RFC 4303 3.3.4). */
static void
test_porting_fragments(void **unused)
{
    size_t len;

    (void)unused;
    begin(0, 0);
    for (len = 1400; len <= 1500; len++) {
        echo_of(len);
    }
    a.frames = b.frames = 0;
    echo_of(2500);
    assert_int_equal(a.frames, 2);
    assert_int_equal(b.frames, 2);
    assert_int_equal(a.lost + b.lost + pa.drops + pb.drops, 0);
}

/* TOO_BIG becomes an ICMP error that the stack understands. */
static void
test_porting_path_mtu(void **unused)
{
    (void)unused;
    begin(0, 1500);
    host_send(&a, b.addr, 1000, 1, text, 1472);
    settle();
    assert_status(pa.dropped, IPSEC_ERR_TOO_BIG);
    assert_int_equal(a.frames, 0);
    assert_true(a.path_mtu > 1400 && a.path_mtu < 1500);
    host_send(&a, b.addr, 1000, 1, text, a.path_mtu - 27);
    settle();
    assert_int_equal(a.frames, 0);
    host_send(&a, b.addr, 1000, 1, text, a.path_mtu - 28);
    settle();
    assert_int_equal(a.frames, 1);
    assert_int_equal(b.text_len, a.path_mtu - 28);
    echo_of(2500); /* without DF: cut behind ESP */
    assert_int_equal(pa.drops, 2);
}

/* An SA that has no mtu: too late to tell, and nothing about ESP is told. */
static void
test_porting_path_mtu_untold(void **unused)
{
    (void)unused;
    begin(0, 0);
    host_send(&a, b.addr, 1000, 1, text, 1472);
    settle();
    assert_status(pa.dropped, IPSEC_ERR_TOO_BIG);
    assert_int_equal(a.path_mtu, 0);
    assert_int_equal(a.frames, 0);
}

/* ESP in UDP (RFC 3948), and the mapping kept alive. */
static void
test_porting_behind_a_nat(void **unused)
{
    uint32_t t;

    (void)unused;
    begin(4500, 0);
    echo_of(100);
    echo_of(2000);
    a.frames = 0;
    for (t = 2; t < 62; t++) {
        port_tick(&pa, t);
        settle();
    }
    assert_int_equal(a.frames, 3);
    assert_int_equal(a.on_wire, 29);
    assert_int_equal(pb.ips.stats.in_keepalive, 3);
    assert_int_equal(pb.drops, 0);
}

/* A fragment that never comes holds no slot for good. */
static void
test_porting_lost_fragment(void **unused)
{
    (void)unused;
    begin(0, 0);
    host_send(&a, b.addr, 7, 0, text, 2500);
    assert_int_equal(b.wire.count, 2);
    b.wire.count = 1;
    settle();
    port_tick(&pb, 40);
    assert_int_equal(pb.in.timeouts, 1);
    echo_of(2500);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_porting_echo),
        cmocka_unit_test(test_porting_no_way_round),
        cmocka_unit_test(test_porting_clear_is_refused),
        cmocka_unit_test(test_porting_fragments),
        cmocka_unit_test(test_porting_path_mtu),
        cmocka_unit_test(test_porting_path_mtu_untold),
        cmocka_unit_test(test_porting_behind_a_nat),
        cmocka_unit_test(test_porting_lost_fragment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
