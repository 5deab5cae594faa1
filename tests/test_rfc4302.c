/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Requirements of RFC 4302 that more than one source file meets. Names such
 * as "H-2.3-1" are rows of docs/RFC.md. */

static struct pair pair;
static uint8_t plain[1024], wire[1024];
static size_t plain_len, wire_len, hdr;

#define AH_HDR 12
#define ICV    16

static void
prepare(int version)
{
    pair_prepare(&pair, &suites[NULL_SHA256], IPSEC_MODE_TRANSPORT, version);
    pair.out.params.proto = pair.in.params.proto = IPSEC_PROTO_AH;
    pair.pa.proto = pair.pb.proto = IPSEC_PROTO_AH;
    hdr = version == 4 ? 20 : 40;
}

/* A packet of A's in `wire`. */
static void
seal(int version)
{
    struct packet_spec spec = pair_spec(&pair, version, 17, 32);

    plain_len = packet_build(plain, &spec);
    wire_len = pair_seal(&pair, &spec, wire);
}

static void
begin(int version)
{
    prepare(version);
    pair_begin(&pair);
    seal(version);
}

static int
offer(void)
{
    return pair_offer(&pair, wire, wire_len);
}

/* Compute the ICV of `wire` anew, as its sender would: mutable fields of the
 * header and the ICV are zero, nothing else is (section 3.3.3). */
static void
reseal(void)
{
    size_t ah_len = ((size_t)wire[hdr + 1] + 2) * 4;
    const struct ipsec_crypto *crypto = pair.a.cfg.crypto;
    uint8_t aad[IPSEC_AAD_MAX];
    struct ipsec_op op = { 0 };

    memcpy(aad, wire, hdr + ah_len);
    if (hdr == 20) {
        aad[1] = 0;
        memset(aad + 6, 0, 3);
        memset(aad + 10, 0, 2);
    } else {
        aad[0] = 0x60;
        memset(aad + 1, 0, 3);
        aad[7] = 0;
    }
    memset(aad + hdr + AH_HDR, 0, ICV);
    op.key = &pair.out.key;
    op.aad = aad;
    op.aad_len = (uint8_t)(hdr + ah_len);
    op.text = wire + hdr + ah_len;
    op.len = wire_len - hdr - ah_len;
    op.icv = wire + hdr + AH_HDR;
    assert_status(crypto->run(crypto, &op), IPSEC_OK);
}

static void
opens(void)
{
    struct fx_pkt p;

    assert_status(pair_open(&pair, wire, wire_len, &p), IPSEC_OK);
    assert_true(fx_pkt_is(&p, plain, plain_len));
    fx_pkt_free(&p);
}

/* Section 2.3: sent as 0, in the ICV as received, and otherwise ignored.
 * H-2.3-1 */
static void
test_rfc4302_reserved_is_ignored_but_covered(void **state)
{
    int version;

    (void)state;
    for (version = 4; version <= FX_IP_LAST; version += 2) {
        begin(version);
        assert_int_equal(wire[hdr + 2] | wire[hdr + 3], 0);
        wire[hdr + 2] = 0xbe;
        wire[hdr + 3] = 0xef;
        assert_status(offer(), IPSEC_ERR_AUTH);
        reseal();
        opens();
    }
}

/* Section 3.3.3.2.1: the sender chooses the padding of the ICV. H-3.3.3-9 */
static void
test_rfc4302_padding_is_any_but_covered(void **state)
{
    (void)state;
    begin(6);
    memset(wire + hdr + AH_HDR + ICV, 0xff, 4);
    assert_status(offer(), IPSEC_ERR_AUTH);
    reseal();
    opens();
}

/* Section 2.4, H-2.4-1 */
static void
test_rfc4302_reserved_spis(void **state)
{
    static const uint32_t spis[] = { 0, 1, 255 };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(spis); i++) {
        prepare(4);
        pair.out.params.spi = pair.in.params.spi = spis[i];
        assert_status(fx_sa_add(&pair.a, &pair.out), IPSEC_ERR_SPI);
        assert_status(fx_sa_add(&pair.b, &pair.in), IPSEC_ERR_SPI);
        begin(4);
        memset(wire + hdr + 4, 0, 4);
        wire[hdr + 7] = (uint8_t)spis[i];
        assert_status(offer(), IPSEC_ERR_NO_SA);
    }
}

/* Section 3.3.2: the last number is sent, the next refused and audited.
 * H-3.3.2-1 */
static void
test_rfc4302_numbers_never_wrap(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;

    (void)state;
    prepare(4);
    pair.out.params.seq = pair.in.params.seq = UINT32_MAX - 1;
    pair_begin(&pair);
    seal(4);
    opens();
    spec = pair_spec(&pair, 4, 17, 32);
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt),
                  IPSEC_ERR_SEQ_OVERFLOW);
    assert_int_equal(p.pkt.layers, 0);
    assert_true(fx_pkt_is(&p, plain, plain_len));
    fx_pkt_free(&p);
    assert_true(pair.out.sa.seq == UINT32_MAX);
    assert_int_equal(pair.a.audits, 1);
    assert_int_equal(pair.a.audit[0].status, IPSEC_ERR_SEQ_OVERFLOW);
    assert_int_equal(pair.a.audit[0].spi, 0x1001);
}

static void
check_fragment(const char *ext, uint8_t mf, uint16_t frag)
{
    struct packet_spec spec;
    struct fx_pkt p;

    begin(ext != NULL ? 6 : 4);
    spec = pair_spec(&pair, ext != NULL ? 6 : 4, 51, 60);
    spec.ext = ext;
    spec.mf = mf;
    spec.frag = frag;
    wire_len = packet_build(wire, &spec);
    assert_status(offer(), IPSEC_ERR_FRAGMENT);
    assert_int_equal(pair.b.audits, 1);
    assert_int_equal(pair.b.audit[0].status, IPSEC_ERR_FRAGMENT);
    assert_int_equal(pair.b.audit[0].flow.proto, 51);
    assert_int_equal(pair.b.st.runs, 0);
    spec.proto = 17;
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_ERR_FRAGMENT);
    fx_pkt_free(&p);
}

/* Sections 3.3.4 and 3.4.1: AH is of whole datagrams. H-3.3.4-1 */
static void
test_rfc4302_fragments(void **state)
{
    (void)state;
    check_fragment(NULL, 1, 0);
    check_fragment(NULL, 0, 3);
    check_fragment("f", 0, 0);
    check_fragment("l", 0, 0);
}

/* Section 3.4.2: dropped, and audited with SPI, number and addresses.
 * H-3.4.2-1 */
static void
test_rfc4302_no_such_sa(void **state)
{
    struct ipsec_addr peer;

    (void)state;
    begin(4);
    wire[hdr + 7] ^= 1;
    assert_status(offer(), IPSEC_ERR_NO_SA);
    assert_int_equal(pair.b.audits, 1);
    assert_int_equal(pair.b.audit[0].status, IPSEC_ERR_NO_SA);
    assert_int_equal(pair.b.audit[0].spi, 0x1000);
    assert_true(pair.b.audit[0].seq == 1);
    assert_int_equal(pair.b.audit[0].flow.proto, 51);
    peer = addr("192.0.2.1");
    assert_memory_equal(&pair.b.audit[0].flow.remote, &peer, sizeof peer);
    assert_int_equal(pair.b.st.runs, 0);
}

/* Section 3.4.3: a number once, 64 of them back, after the ICV. H-3.4.3-1 */
static void
test_rfc4302_replay(void **state)
{
    uint8_t first[1024];
    struct ipsec_sa before;
    size_t i;

    (void)state;
    begin(4);
    before = pair.in.sa;
    wire[hdr + 8] = 0x7f; /* a number far ahead */
    assert_status(offer(), IPSEC_ERR_AUTH);
    assert_true(sa_same(&before, &pair.in.sa));
    wire[hdr + 8] = 0;
    opens();
    assert_status(offer(), IPSEC_ERR_REPLAY);
    assert_int_equal(pair.in.sa.drop_replay, 1);
    assert_int_equal(pair.b.st.runs, 2);
    seal(4);
    memcpy(first, wire, wire_len); /* number 2 */
    for (i = 0; i < 64; i++) {
        seal(4);
    }
    opens(); /* 66 */
    assert_status(pair_offer(&pair, first, wire_len), IPSEC_ERR_REPLAY);
    assert_int_equal(pair.b.st.runs, 3);
}

/* Section 5: after a restart, nothing of before is accepted again. H-5-1 */
static void
test_rfc4302_starts_from_a_noted_number(void **state)
{
    (void)state;
    prepare(4);
    pair.in.params.seq = 1;
    pair_begin(&pair);
    seal(4);
    assert_status(offer(), IPSEC_ERR_REPLAY);
    seal(4);
    opens();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc4302_reserved_is_ignored_but_covered),
        cmocka_unit_test(test_rfc4302_padding_is_any_but_covered),
        cmocka_unit_test(test_rfc4302_reserved_spis),
        cmocka_unit_test(test_rfc4302_numbers_never_wrap),
        cmocka_unit_test(test_rfc4302_fragments),
        cmocka_unit_test(test_rfc4302_no_such_sa),
        cmocka_unit_test(test_rfc4302_replay),
        cmocka_unit_test(test_rfc4302_starts_from_a_noted_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
