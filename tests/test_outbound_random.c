/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/*
 * Bundles made at random, of one to four SAs: ESP, ESP in UDP and AH, both
 * modes, both IP versions, TFC padding, path MTUs, DF. What must hold of any:
 * room is told to the byte; what is refused is as it was; the MTU told is the
 * largest packet that passes; headers say how long the packet is; and the peer
 * gets what was sent (RFC 4301 sections 5.1 and 8.2.1).
 */

#define ROUNDS 6000

/* What a build may lack is not drawn. */
#ifdef IPSEC_NO_AH
#define HAS_AH 0
#else
#define HAS_AH 1
#endif
#ifdef IPSEC_NO_NATT
#define HAS_NATT 0
#else
#define HAS_NATT 1
#endif
#ifdef IPSEC_NO_TFC
#define HAS_TFC 0
#else
#define HAS_TFC 1
#endif

static struct fx a, b;
static struct fx_sa out[IPSEC_DEPTH], in[IPSEC_DEPTH];
static struct ipsec_policy pa[IPSEC_DEPTH], pb[IPSEC_DEPTH];
static struct packet_spec spec;
static uint8_t plain[PACKET_MAX + 64], flags;
static size_t plain_len, layers;
static uint64_t dice;

static const char *const ends[2][5] = {
    { "10.1.0.1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4" },
    { "2001:db8::1", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1",
      "2001:db8:4::1" }
};
static const char *const peers[2][5] = {
    { "10.2.0.2", "198.51.100.1", "198.51.100.2", "198.51.100.3",
      "198.51.100.4" },
    { "2001:db8:ff::1", "2001:db8:f1::1", "2001:db8:f2::1", "2001:db8:f3::1",
      "2001:db8:f4::1" }
};

static unsigned
roll(unsigned sides)
{
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(dice >> 33) % sides;
}

static uint16_t
mtu_roll(void)
{
    static const uint16_t mtu[] = { 0, 0, 576, 1280, 1500, 65535 };
    unsigned n = roll(9);

    return n < COUNT(mtu) ? mtu[n] : (uint16_t)(100 + roll(2000));
}

static void
outbound_only(struct ipsec_sa_params *q)
{
    static const uint16_t df[] = { 0, IPSEC_SA_DF_COPY, IPSEC_SA_DF_SET };

    q->flags |= df[roll(3)];
    q->mtu = mtu_roll();
    if (q->proto == IPSEC_PROTO_ESP && q->mode == IPSEC_MODE_TUNNEL &&
        roll(3) == 0 && HAS_TFC) {
        q->tfc = (uint16_t)(roll(8) ? roll(1600) : 65535);
    }
}

/* `end`: of the innermost header so far, and its version; as it is then. */
static void
layer_make(size_t i, unsigned *end, unsigned *v6)
{
    int ah = roll(4) == 0 && HAS_AH;
    int mode = roll(2) ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT;
    const struct suite *s = &suites[ah ? NULL_SHA256 : roll(SUITES)];
    uint32_t spi = (uint32_t)(0x1000 + i);

    if (mode == IPSEC_MODE_TUNNEL) {
        *end = (unsigned)i + 1;
        *v6 = roll(2);
    }
    fx_sa_set(&out[i], s, IPSEC_OUT, mode, spi, ends[*v6][*end],
              peers[*v6][*end]);
    fx_sa_set(&in[i], s, IPSEC_IN, mode, spi, peers[*v6][*end],
              ends[*v6][*end]);
    in[i].params.reqid = out[i].params.reqid = (uint32_t)i + 1;
    if (ah) {
        in[i].params.proto = out[i].params.proto = IPSEC_PROTO_AH;
    } else if (i + 1 == layers && roll(3) == 0 && HAS_NATT) {
        out[i].params.local_port = out[i].params.remote_port = 4500;
        in[i].params.local_port = in[i].params.remote_port = 4500;
    }
    if (roll(4) == 0) {
        in[i].params.flags |= IPSEC_SA_ESN;
        out[i].params.flags |= IPSEC_SA_ESN;
    }
    outbound_only(&out[i].params);
    assert_status(fx_sa_add(&a, &out[i]), IPSEC_OK);
    assert_status(fx_sa_add(&b, &in[i]), IPSEC_OK);
    memset(&pa[i], 0, sizeof pa[i]);
    pa[i].action = IPSEC_ACTION_PROTECT;
    pa[i].dir = IPSEC_OUT | IPSEC_IN;
    pa[i].reqid = (uint32_t)i + 1;
    pb[i] = pa[i];
}

static void
bundle_make(void)
{
    unsigned v6 = roll(2), end = 0;
    size_t i;

    fx_init(&a, (int)roll(2));
    fx_config(&b, (int)roll(2));
    b.cfg.natt_port = 4500;
    assert_status(ipsec_init(&b.ips, &b.cfg), IPSEC_OK);
    memset(&spec, 0, sizeof spec);
    spec.src = ends[v6][0];
    spec.dst = peers[v6][0];
    spec.proto = 17;
    spec.df = (uint8_t)roll(2);
    spec.payload = roll(9) ? roll(1600) : 60000 + roll(5480);
    spec.ext = v6 && roll(3) == 0 ? "hd" : NULL;
    flags = roll(2) ? IPSEC_PKT_FRAG_OK : 0;
    plain_len = packet_build(plain, &spec);
    layers = 1 + roll(IPSEC_DEPTH);
    for (i = 0; i < layers; i++) {
        layer_make(i, &end, &v6);
        if (i > 0) {
            pa[i - 1].outer = &pa[i];
            pb[i - 1].outer = &pb[i];
        }
    }
    assert_status(ipsec_spd_add(&a.ips, &pa[0]), IPSEC_OK);
    assert_status(ipsec_spd_add(&b.ips, &pb[0]), IPSEC_OK);
}

static int
send(struct fx_pkt *p, size_t head, size_t tail)
{
    int rc;

    fx_pkt_new(p, plain, plain_len, head, tail);
    p->pkt.flags = flags;
    rc = ipsec_outbound(&a.ips, &p->pkt);
    assert_int_equal(a.st.misuse, 0);
    if (rc != IPSEC_OK) {
        assert_int_equal(p->pkt.layers, 0);
        assert_true(fx_pkt_is(p, plain, plain_len));
        assert_ptr_equal(p->pkt.buf.data, p->mem + head);
        assert_true(out[0].sa.in_flight == 0);
    }
    return rc;
}

static int
offer(size_t head, size_t tail, struct fx_pkt *p)
{
    fx_pkt_free(p);
    return send(p, head, tail);
}

/* One more of payload, or less. */
static void
resize(size_t len)
{
    spec.payload += len - plain_len;
    plain_len = packet_build(plain, &spec);
    assert_int_equal(plain_len, len);
}

static void
check_mtu(size_t mtu, struct fx_pkt *p)
{
    size_t least = plain_len - spec.payload;

    assert_true(mtu < plain_len);
    if (mtu + 1 >= least) {
        resize(mtu + 1);
        assert_status(offer(0, 0, p), IPSEC_ERR_TOO_BIG);
        assert_int_equal(p->pkt.mtu, mtu);
    }
    if (mtu >= least) {
        resize(mtu);
        assert_status(offer(0, 0, p), IPSEC_ERR_ROOM);
    }
}

static void
check_wire(const struct fx_pkt *p)
{
    const struct ipsec_sa *sa = &out[layers - 1].sa;
    const uint8_t *wire = p->pkt.buf.data;
    struct fx_pkt back;
    size_t i;

    assert_int_equal(packet_len(wire), p->pkt.buf.len);
    assert_true(packet_intact(wire));
    assert_int_equal(p->pkt.layers, layers);
    for (i = 0; i < layers; i++) {
        assert_true(out[i].sa.seq == 1 && out[i].sa.in_flight == 0);
    }
    if (wire[0] >> 4 == 4 && (wire[6] & 0x40) && sa->mtu != 0) {
        assert_true(p->pkt.buf.len <= sa->mtu ||
                    (layers == 1 && plain[0] >> 4 == 6) || layers > 1);
    }
    fx_pkt_new(&back, wire, p->pkt.buf.len, 0, 0);
    assert_status(ipsec_inbound(&b.ips, &back.pkt), IPSEC_OK);
    assert_true(fx_pkt_is(&back, plain, plain_len));
    fx_pkt_free(&back);
}

static void
round_trip(unsigned n)
{
    size_t head, tail;
    struct fx_pkt p;
    int rc;

    dice = n * 2654435761u + 1;
    bundle_make();
    fx_note("round %u", n);
    rc = send(&p, 0, 0);
    if (rc == IPSEC_ERR_TOO_BIG) {
        check_mtu(p.pkt.mtu, &p);
        rc = offer(0, 0, &p);
    }
    if (rc == IPSEC_ERR_TOO_BIG || rc == IPSEC_ERR_MALFORMED) {
        fx_pkt_free(&p);
        return;
    }
    assert_status(rc, IPSEC_ERR_ROOM);
    head = p.pkt.head;
    tail = p.pkt.tail;
    assert_status(offer(head - 1, tail, &p), IPSEC_ERR_ROOM);
    if (tail > 0) {
        assert_status(offer(head, tail - 1, &p), IPSEC_ERR_ROOM);
    }
    assert_status(offer(head, tail, &p), IPSEC_OK);
    assert_int_equal(p.pkt.buf.len, p.size);
    check_wire(&p);
    fx_pkt_free(&p);
}

static void
test_outbound_random_bundles(void **state)
{
    unsigned n;

    (void)state;
    for (n = 0; n < ROUNDS; n++) {
        round_trip(n);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outbound_random_bundles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
