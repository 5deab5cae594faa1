/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Path MTUs, where the header that will forbid fragments is not the
 * packet's own. */

static struct fx fx;
static struct fx_sa in, out;
static struct ipsec_policy inner, outer;
static struct fx_pkt p;

/* DF_COPY sets DF round an IPv6 packet, a tunnel's own included. */
static void
test_df_copied_from_an_ipv6_tunnel_heeds_the_mtu(void **state)
{
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2",
                                .proto = 17, .payload = 471 - 28 };

    (void)state;
    fx_init(&fx, 0);
    fx_sa_set(&in, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x1001,
              "2001:db8::1", "2001:db8::2");
    fx_sa_set(&out, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x1002,
              "192.0.2.1", "203.0.113.3");
    out.params.reqid = 2;
    out.params.flags |= IPSEC_SA_DF_COPY;
    out.params.mtu = 600;
    inner.action = IPSEC_ACTION_PROTECT;
    inner.dir = IPSEC_OUT;
    inner.reqid = 1;
    outer = inner;
    outer.reqid = 2;
    inner.outer = &outer;
    assert_status(fx_sa_add(&fx, &in), IPSEC_OK);
    assert_status(fx_sa_add(&fx, &out), IPSEC_OK);
    assert_status(ipsec_spd_add(&fx.ips, &inner), IPSEC_OK);

    fx_pkt_build(&p, &spec, 2 * IPSEC_HEADROOM, 2 * IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_ERR_TOO_BIG);
    assert_int_equal(p.pkt.mtu, 470);
    fx_pkt_free(&p);
    spec.payload--;
    fx_pkt_build(&p, &spec, 2 * IPSEC_HEADROOM, 2 * IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_OK);
    assert_int_equal(p.pkt.buf.len, 600);
    assert_int_equal(p.pkt.buf.data[6], 0x40);
    fx_pkt_free(&p);
}

/* IPv6 of 1280 bytes goes over any path: where that is IPv4, in fragments. */
static void
test_ipv6_that_must_go_may_be_fragmented(void **state)
{
    struct packet_spec spec = { .src = "2001:db8:a::1",
                                .dst = "2001:db8:b::1", .proto = 17 };
    static const uint16_t df[] = { IPSEC_SA_DF_COPY, IPSEC_SA_DF_SET };
    size_t i, len;

    (void)state;
    for (i = 0; i < 2; i++) {
        fx_init(&fx, 0);
        fx_sa_set(&out, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x1002,
                  "192.0.2.1", "203.0.113.3");
        out.params.flags |= df[i];
        out.params.mtu = 1300;
        memset(&outer, 0, sizeof outer);
        outer.action = IPSEC_ACTION_PROTECT;
        outer.dir = IPSEC_OUT;
        outer.reqid = 1;
        assert_status(fx_sa_add(&fx, &out), IPSEC_OK);
        assert_status(ipsec_spd_add(&fx.ips, &outer), IPSEC_OK);
        for (len = 1240; len <= 1281; len++) {
            spec.payload = len - 48;
            fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
            fx_note("%zu bytes", len);
            assert_status(ipsec_outbound(&fx.ips, &p.pkt),
                          len <= 1280 ? IPSEC_OK : IPSEC_ERR_TOO_BIG);
            if (len <= 1280) {
                assert_int_equal(p.pkt.buf.data[6],
                                 p.pkt.buf.len <= 1300 ? 0x40 : 0);
            }
            fx_pkt_free(&p);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_df_copied_from_an_ipv6_tunnel_heeds_the_mtu),
        cmocka_unit_test(test_ipv6_that_must_go_may_be_fragmented)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
