/* SPDX-License-Identifier: MIT */
#include "fake/icmp.h"

/* "Too big" about ESP in UDP (RFC 3948), whose SPI may not be in the quote:
 * RFC 792 has routers quote the UDP header and no more. */

static struct path path;
static struct fx_sa more;

#define A (&path.pair.a.ips)
#define SA (&path.pair.out.sa)

/* The quoted packet. */
struct udp {
    const char *src, *dst;
    uint16_t    sport, dport;
    uint32_t    spi, seq;
};

/* Offer a quote of `len` bytes from its UDP header on. */
static int
offer(const struct udp *u, size_t len)
{
    struct icmp_spec spec = path_too_big(&path, 4, 1400);
    struct packet_spec out;
    uint8_t quote[128];
    int i;

    memset(&out, 0, sizeof out);
    out.src = u->src;
    out.dst = u->dst;
    out.proto = 17;
    out.sport = u->sport;
    out.dport = u->dport;
    out.payload = 60;
    packet_build(quote, &out);
    for (i = 0; i < 4; i++) {
        quote[28 + i] = (uint8_t)(u->spi >> (24 - 8 * i));
        quote[32 + i] = (uint8_t)(u->seq >> (24 - 8 * i));
    }
    spec.quote = quote;
    spec.quote_len = 20 + len;
    SA->mtu = 1500;
    A->stats.in_too_big = 0;
    fx_note("%s:%u to %s:%u, SPI %x, number %u, %zu bytes", u->src, u->sport,
            u->dst, u->dport, u->spi, u->seq, len);
    return path_offer(&path, &spec);
}

static void
ports_set(struct ipsec_sa *sa, uint16_t local, uint16_t remote)
{
    sa->local_port = local;
    sa->remote_port = remote;
}

/* From which length on such a quote is heeded; SIZE_MAX: never. */
static void
test_icmp_udp_quote_of_any_length(void **state)
{
    static const struct {
        struct udp u;
        size_t     from, to;
    } row[] = {
        { { "192.0.2.1", "198.51.100.2", 4500, 61000, 0x1001, 1 }, 8, 69 },
        { { "192.0.2.1", "198.51.100.2", 4500, 61000, 0x1001, 2 }, 8, 16 },
        { { "192.0.2.1", "198.51.100.2", 4500, 61000, 0x1001, 0 }, 8, 16 },
        { { "192.0.2.1", "198.51.100.2", 4500, 61000, 0x1002, 1 }, 8, 12 },
        { { "192.0.2.1", "198.51.100.2", 4500, 61000, 0, 1 }, 8, 12 },
        { { "192.0.2.1", "198.51.100.2", 4500, 61001, 0x1001, 1 }, 0, 0 },
        { { "192.0.2.1", "198.51.100.2", 4501, 61000, 0x1001, 1 }, 0, 0 },
        { { "192.0.2.1", "198.51.100.2", 61000, 4500, 0x1001, 1 }, 0, 0 },
        { { "192.0.2.9", "198.51.100.2", 4500, 61000, 0x1001, 1 }, 0, 0 },
        { { "192.0.2.1", "198.51.100.9", 4500, 61000, 0x1001, 1 }, 0, 0 }
    };
    size_t i, len;
    int heeded;

    (void)state;
    path_begin(&path, 4);
    ports_set(SA, 4500, 61000);
    for (i = 0; i < COUNT(row); i++) {
        for (len = 0; len <= 68; len++) {
            heeded = len >= row[i].from && len < row[i].to;
            assert_status(offer(&row[i].u, len), heeded
                          ? IPSEC_CONSUMED : IPSEC_ERR_NO_POLICY);
            assert_int_equal(SA->mtu, heeded ? 1400 : 1500);
            assert_int_equal(A->stats.in_too_big, heeded);
        }
    }
}

/* An SA that is not in UDP does not have port 0. */
static void
test_icmp_udp_needs_an_sa_in_udp(void **state)
{
    static const struct udp u = { "192.0.2.1", "198.51.100.2", 0, 0, 0x1001,
                                  1 };
    size_t len;

    (void)state;
    path_begin(&path, 4);
    for (len = 8; len <= 60; len++) {
        assert_status(offer(&u, len), IPSEC_ERR_NO_POLICY);
    }
}

/* Without an SPI it must be clear which is meant, and cheap to tell: a table
 * is not searched. */
static void
test_icmp_udp_without_spi_needs_a_single_sa(void **state)
{
    static const struct udp u = { "192.0.2.1", "198.51.100.2", 4500, 4500,
                                  0x1001, 1 };

    (void)state;
    path_begin(&path, 4);
    ports_set(SA, 4500, 4500);
    fx_sa_set(&more, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x2001,
              path_us[0], path_peer[0]);
    assert_status(fx_sa_add(&path.pair.a, &more), IPSEC_OK);
    assert_status(offer(&u, 8), IPSEC_CONSUMED);
    ports_set(&more.sa, 4500, 4500);
    assert_status(offer(&u, 11), IPSEC_ERR_NO_POLICY);
    more.sa.dir = IPSEC_IN;
    assert_status(offer(&u, 11), IPSEC_CONSUMED);
    more.sa.dir = IPSEC_OUT;
    assert_status(offer(&u, 12), IPSEC_CONSUMED);
    assert_int_equal(more.sa.mtu, 0);

    fx_init(&path.pair.a, 1);
    path.pair.a.cfg.flags = IPSEC_ACCEPT_PTB;
    memset(SA, 0, sizeof *SA);
    assert_status(fx_sa_add(&path.pair.a, &path.pair.out), IPSEC_OK);
    ports_set(SA, 4500, 4500);
    SA->seq = 1;
    assert_status(offer(&u, 11), IPSEC_ERR_NO_POLICY);
    assert_status(offer(&u, 12), IPSEC_CONSUMED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_icmp_udp_quote_of_any_length),
        cmocka_unit_test(test_icmp_udp_needs_an_sa_in_udp),
        cmocka_unit_test(test_icmp_udp_without_spi_needs_a_single_sa)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
