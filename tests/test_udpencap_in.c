/* SPDX-License-Identifier: MIT */
#include "fake/natt.h"
#include "vectors/record.h"

/* ESP in UDP (RFC 3948): what comes in at our port. */

static struct pair pair;
static uint8_t wire[4096], plain[4096];

/* A UDP datagram of `n` bytes at `payload` to B's port; its length. */
static size_t
datagram(const uint8_t *payload, size_t n, int v)
{
    struct packet_spec spec;
    size_t len;

    memset(&spec, 0, sizeof spec);
    spec.src = v == 4 ? "192.0.2.1" : "2001:db8::1";
    spec.dst = v == 4 ? "198.51.100.2" : "2001:db8:ff::2";
    spec.proto = 17;
    spec.sport = NATT_SPORT;
    spec.dport = NATT_PORT;
    spec.payload = n;
    len = packet_build(wire, &spec);
    if (n > 0) {
        memcpy(wire + len - n, payload, n);
    }
    return len;
}

/* Let B take UDP to its port in clear: IKE. */
static void
bypass_udp(struct ipsec_policy *policy)
{
    memset(policy, 0, sizeof *policy);
    policy->action = IPSEC_ACTION_BYPASS;
    policy->dir = IPSEC_IN;
    policy->sel.proto = 17;
    policy->sel.set = IPSEC_SEL_LOCAL_PORT;
    policy->sel.local_port_lo = policy->sel.local_port_hi = NATT_PORT;
    assert_status(ipsec_spd_add(&pair.b.ips, policy), IPSEC_OK);
}

static int
demux_want(const char *verdict)
{
    if (strcmp(verdict, "ike") == 0) {
        return IPSEC_BYPASS;
    } else if (strcmp(verdict, "esp") == 0) {
        return IPSEC_ERR_AUTH; /* it found its SA, and has some key */
    } else if (strncmp(verdict, "keepalive", 9) == 0) {
        return IPSEC_CONSUMED;
    }
    return strstr(verdict, "no_sa") ? IPSEC_ERR_NO_SA : IPSEC_ERR_MALFORMED;
}

/* B's SA has the SPI that the table's has. */
static void
begin_demux(int v, struct ipsec_policy *bypass)
{
    natt_prepare(&pair, &suites[NULL_SHA256], IPSEC_MODE_TUNNEL, v);
    pair.pb.priority = 1;
    pair_begin(&pair);
    bypass_udp(bypass);
}

/* U-5, U-6; attacks.md 128 to 131: the table, of both families. */
static void
test_udpencap_demux_table(void **state)
{
    struct ipsec_policy bypass;
    struct reader reader;
    struct record rec;
    uint8_t payload[64];
    size_t n = 0, len;
    struct fx_pkt p;
    int v, want;
    long bytes;

    (void)state;
    assert_int_equal(
        reader_open(&reader, "tests/vectors/table_udp4500_demux.txt"), 0);
    for (; reader_next(&reader, &rec); n++) {
        for (v = 4; v <= FX_IP_LAST; v += 2) {
            fx_note("%s, IPv%d", record_get(&rec, "id"), v);
            begin_demux(v, &bypass);
            bytes = record_hex(&rec, "payload", payload, sizeof payload);
            assert_true(bytes >= 0);
            len = datagram(payload, (size_t)bytes, v);
            want = demux_want(record_get(&rec, "verdict"));
            assert_status(pair_open(&pair, wire, len, &p), want);
            assert_true(want < 0 || fx_pkt_is(&p, wire, len));
            assert_int_equal(p.pkt.layers, want == IPSEC_ERR_AUTH);
            assert_int_equal(pair.b.ips.stats.in_keepalive,
                             want == IPSEC_CONSUMED);
            assert_int_equal(pair.b.ips.stats.in_consumed, 0);
            assert_int_equal(pair.b.audits, want < 0);
            fx_pkt_free(&p);
        }
    }
    reader_close(&reader);
    assert_int_equal(n, 10);
}

/* attacks.md 132, 133; U-3: lengths that can't be, and those that may; a
 * checksum of any value, none at all over IPv6 included. */
static void
test_udpencap_header_fields(void **state)
{
    static const struct {
        int at, want;
        size_t value; /* 0xffff: see the code */
    } row[] = {
        { 4, IPSEC_ERR_MALFORMED, 0 }, { 4, IPSEC_ERR_MALFORMED, 7 },
        { 4, IPSEC_ERR_MALFORMED, 8 }, { 4, IPSEC_ERR_MALFORMED, 15 },
        { 4, IPSEC_ERR_MALFORMED, 16 }, { 4, IPSEC_ERR_MALFORMED, 0xfffe },
        { 4, IPSEC_ERR_MALFORMED, 0xffff }, { 6, IPSEC_OK, 0 },
        { 6, IPSEC_OK, 0x1234 }, { 6, IPSEC_OK, 0xffff },
        { 0, IPSEC_OK, 1 }, { 0, IPSEC_OK, 0 },
        { 2, IPSEC_ERR_UNPROTECTED, 0 }, { 2, IPSEC_ERR_UNPROTECTED, 4501 }
    };
    struct packet_spec spec;
    size_t i, len, at;
    int v;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        for (v = 4; v <= FX_IP_LAST; v += 2) {
            fx_note("row %zu, IPv%d", i, v);
            natt_begin(&pair, &suites[CBC128], IPSEC_MODE_TUNNEL, v);
            spec = pair_spec(&pair, 4, 17, 9);
            len = pair_seal(&pair, &spec, wire);
            at = v == 4 ? 20 : 40;
            natt_set16(wire + at + (size_t)row[i].at,
                  row[i].at == 4 && row[i].value == 0xffff ? len - at + 1
                                                           : row[i].value);
            assert_status(pair_offer(&pair, wire, len), row[i].want);
            assert_true(pair.in.sa.packets == (row[i].want == IPSEC_OK));
        }
    }
}

/* attacks.md 133: what stands behind the datagram is let be. */
static void
test_udpencap_trailer_behind_the_datagram(void **state)
{
    struct packet_spec spec;
    size_t len, more, n;
    struct fx_pkt p;
    int v;

    (void)state;
    for (more = 1; more < 40; more++) {
        v = more % 2 ? 4 : 6;
        natt_begin(&pair, &suites[GCM128], more & 2 ? IPSEC_MODE_TUNNEL
                   : IPSEC_MODE_TRANSPORT, v);
        spec = pair_spec(&pair, v, 17, 50);
        n = packet_build(plain, &spec);
        len = pair_seal(&pair, &spec, wire);
        memset(wire + len, 0xee, more);
        natt_resize(wire, len + more);
        assert_status(pair_open(&pair, wire, len + more, &p), IPSEC_OK);
        assert_true(fx_pkt_is(&p, plain, n));
        fx_pkt_free(&p);
    }
}

/* Cut within the UDP header: there is no port to see, or no length. */
static void
test_udpencap_cut_headers(void **state)
{
    struct packet_spec spec;
    size_t len, n, at;
    int v;

    (void)state;
    for (v = 4; v <= FX_IP_LAST; v += 2) {
        natt_begin(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, v);
        spec = pair_spec(&pair, 4, 17, 50);
        len = pair_seal(&pair, &spec, wire);
        at = v == 4 ? 20 : 40;
        assert_true(len > at + 8);
        for (n = 0; n < 8; n++) {
            natt_resize(wire, at + n);
            assert_status(pair_offer(&pair, wire, at + n),
                          n < 4 ? IPSEC_ERR_UNPROTECTED
                                : IPSEC_ERR_MALFORMED);
        }
    }
}

/* Where there is no port for it, or another, it is UDP like any other; and
 * port 0 is none. */
static void
test_udpencap_only_at_our_port(void **state)
{
    static const uint16_t ports[] = { 0, 4501, NATT_SPORT };
    struct packet_spec spec;
    size_t i, len;

    (void)state;
    for (i = 0; i < COUNT(ports); i++) {
        natt_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
        pair.b.cfg.natt_port = ports[i];
        pair_begin(&pair);
        spec = pair_spec(&pair, 4, 17, 50);
        len = pair_seal(&pair, &spec, wire);
        assert_status(pair_offer(&pair, wire, len), IPSEC_ERR_UNPROTECTED);
        natt_set16(wire + 22, 0);
        assert_status(pair_offer(&pair, wire, len), IPSEC_ERR_UNPROTECTED);
        assert_int_equal(pair.b.st.runs, 0);
    }
}

/* A fragment is judged as UDP: what it holds can't be told. */
static void
test_udpencap_fragments_are_udp(void **state)
{
    struct ipsec_policy bypass;
    struct packet_spec spec;
    size_t len, i;

    (void)state;
    for (i = 0; i < 2; i++) {
        begin_demux(4, &bypass);
        spec = pair_spec(&pair, 4, 17, 50);
        len = pair_seal(&pair, &spec, wire);
        natt_set16(wire + 6, i == 0 ? 0x2000 : 5);
        packet_fix(wire);
        assert_status(pair_offer(&pair, wire, len),
                      i == 0 ? IPSEC_BYPASS : IPSEC_ERR_UNPROTECTED);
        assert_int_equal(pair.b.st.runs, 0);
    }
}

/* RFC 7296 section 2.23, U-12, attacks.md 136: any ESP SA takes both forms,
 * unless it is told to take its own alone. The other is refused before any
 * crypto. */
static void
test_udpencap_both_forms(void **state)
{
    struct packet_spec spec;
    int i, has, sent, only, want;
    struct ipsec_sa before;
    size_t len;

    (void)state;
    for (i = 0; i < 16; i++) {
        has = i & 1;
        sent = (i & 2) != 0;
        only = (i & 4) != 0;
        natt_prepare(&pair, &suites[GCM128], i & 8 ? IPSEC_MODE_TUNNEL
                     : IPSEC_MODE_TRANSPORT, 4);
        if (!sent) {
            pair.out.params.local_port = pair.out.params.remote_port = 0;
        }
        if (!has) {
            pair.in.params.local_port = pair.in.params.remote_port = 0;
        }
        pair.in.params.flags |= only ? IPSEC_SA_ENCAP_ONLY : 0;
        pair_begin(&pair);
        spec = pair_spec(&pair, 4, 17, 50);
        len = pair_seal(&pair, &spec, wire);
        before = pair.in.sa;
        want = only && has != sent ? IPSEC_ERR_MODE : IPSEC_OK;
        fx_note("SA in UDP %d, packet %d, only %d", has, sent, only);
        assert_status(pair_offer(&pair, wire, len), want);
        if (want != IPSEC_OK) {
            assert_true(sa_same(&before, &pair.in.sa));
            assert_int_equal(pair.in.sa.drop_other, 1);
            assert_int_equal(pair.b.st.runs, 0);
        }
    }
}

/* Both forms, one window: a number counts once. */
static void
test_udpencap_one_window_for_both_forms(void **state)
{
    struct packet_spec spec;
    size_t len;

    (void)state;
    natt_begin(&pair, &suites[CHACHA], IPSEC_MODE_TUNNEL, 4);
    spec = pair_spec(&pair, 4, 17, 50);
    len = pair_seal(&pair, &spec, wire);
    assert_status(pair_offer(&pair, wire, len), IPSEC_OK);
    memmove(wire + 20, wire + 28, len - 28);
    wire[9] = 50;
    natt_resize(wire, len - 8);
    assert_status(pair_offer(&pair, wire, len - 8), IPSEC_ERR_REPLAY);
}

/* What is not for us: ESP of an SA of ours is opened, all else goes by its
 * policy, keepalives and the malformed too. */
static void
test_udpencap_in_transit(void **state)
{
    static const uint8_t esp[40] = { 0, 0, 0x77, 0x77, 0, 0, 0, 1 };
    static const uint8_t keepalive[1] = { 0xff }, three[3] = { 1, 2, 3 };
    static const struct { const uint8_t *p; size_t len; int ours; } row[] = {
        { esp, 40, IPSEC_ERR_NO_SA }, { keepalive, 1, IPSEC_CONSUMED },
        { three, 3, IPSEC_ERR_MALFORMED }, { esp, 7, IPSEC_ERR_MALFORMED },
        { esp, 8, IPSEC_ERR_NO_SA }
    };
    struct ipsec_policy bypass;
    struct fx_pkt p;
    size_t i, len;
    int transit;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        for (transit = 0; transit < 2; transit++) {
            fx_note("row %zu, transit %d", i, transit);
            begin_demux(4, &bypass);
            len = datagram(row[i].p, row[i].len, 4);
            fx_pkt_new(&p, wire, len, 0, 0);
            p.pkt.flags = transit ? IPSEC_PKT_TRANSIT : 0;
            assert_status(ipsec_inbound(&pair.b.ips, &p.pkt),
                          transit ? IPSEC_BYPASS : row[i].ours);
            assert_true(fx_pkt_is(&p, wire, len));
            assert_int_equal(pair.b.ips.stats.in_keepalive,
                             i == 1 && !transit);
            fx_pkt_free(&p);
        }
    }
}

static void
test_udpencap_of_ours_in_transit_is_opened(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;
    size_t len;

    (void)state;
    natt_begin(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    spec = pair_spec(&pair, 4, 17, 50);
    len = pair_seal(&pair, &spec, wire);
    fx_pkt_new(&p, wire, len, 0, 0);
    p.pkt.flags = IPSEC_PKT_TRANSIT;
    assert_status(ipsec_inbound(&pair.b.ips, &p.pkt), IPSEC_OK);
    fx_pkt_free(&p);
}

/* IKE needs its policy like any other flow, and is audited as such. */
static void
test_udpencap_ike_needs_a_policy(void **state)
{
    static const uint8_t ike[32] = { 0, 0, 0, 0, 1 };
    size_t len;

    (void)state;
    natt_begin(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 6);
    len = datagram(ike, 32, 6);
    assert_status(pair_offer(&pair, wire, len), IPSEC_ERR_UNPROTECTED);
    assert_int_equal(pair.b.audit[0].flow.proto, 17);
    assert_int_equal(pair.b.audit[0].flow.local_port, NATT_PORT);
    assert_int_equal(pair.b.audit[0].flow.remote_port, NATT_SPORT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_udpencap_demux_table),
        cmocka_unit_test(test_udpencap_header_fields),
        cmocka_unit_test(test_udpencap_trailer_behind_the_datagram),
        cmocka_unit_test(test_udpencap_cut_headers),
        cmocka_unit_test(test_udpencap_only_at_our_port),
        cmocka_unit_test(test_udpencap_fragments_are_udp),
        cmocka_unit_test(test_udpencap_both_forms),
        cmocka_unit_test(test_udpencap_one_window_for_both_forms),
        cmocka_unit_test(test_udpencap_in_transit),
        cmocka_unit_test(test_udpencap_of_ours_in_transit_is_opened),
        cmocka_unit_test(test_udpencap_ike_needs_a_policy)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
