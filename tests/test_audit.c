/* SPDX-License-Identifier: MIT */
#include "fake/nest.h"

/*
 * Each auditable event of RFC 4301, 4302 and 4303, with each field that they
 * list for it: time, SPI, source and destination, sequence number, flow label
 * (A-9-1, A-5.1.1-3, P-4-1). Over ESP and AH, IPv4 and IPv6.
 */

#define TIME 77777u
#define LABEL 0xabcdeu
#define SPI 0x1001u

static struct pair pair;
static struct nest nest;
static uint8_t wire[2048];
static size_t wire_len;
static int proto, version;
static const struct fx_audit *seen; /* the event */

/* Outermost header of what B gets. */
static size_t
ip_len(void)
{
    return version == 4 ? 20 : 40;
}

static void
prepare(int mode)
{
    pair_prepare(&pair, &suites[NULL_SHA256], mode, version);
    pair.out.params.proto = pair.in.params.proto = (uint8_t)proto;
    pair.pa.proto = pair.pb.proto = (uint8_t)proto;
}

static void
begin(void)
{
    pair_begin(&pair);
    ipsec_tick(&pair.a.ips, TIME);
    ipsec_tick(&pair.b.ips, TIME);
}

/* A packet of A's on the wire; somebody gives it a flow label, which neither
 * protocol covers. */
static void
seal(void)
{
    struct packet_spec spec = pair_spec(&pair, version, 17, 30);

    wire_len = pair_seal(&pair, &spec, wire);
    if (version == 6) {
        wire[1] = (uint8_t)((wire[1] & 0xf0) | LABEL >> 16);
        wire[2] = (uint8_t)(LABEL >> 8);
        wire[3] = (uint8_t)LABEL;
    }
}

static void
offer(void)
{
    (void)pair_offer(&pair, wire, wire_len);
    seen = &pair.b.audit[pair.b.audits - 1];
}

static void
send(const char *ext, size_t frag)
{
    struct packet_spec spec = pair_spec(&pair, version, 17, 30);
    struct fx_pkt p;

    spec.label = LABEL;
    spec.ext = ext;
    spec.frag = (uint16_t)frag;
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_true(ipsec_outbound(&pair.a.ips, &p.pkt) < 0);
    fx_pkt_free(&p);
    seen = &pair.a.audit[pair.a.audits - 1];
}

/* In: RFC 4301 section 5.2, RFC 4302 and 4303 section 3.4 */

static void
no_sa(void)
{
    prepare(IPSEC_MODE_TUNNEL);
    pair.out.params.seq = 41;
    begin();
    seal();
    assert_status(ipsec_sad_remove(&pair.b.ips, &pair.in.sa), IPSEC_OK);
    offer();
}

static void
larval(void)
{
    prepare(IPSEC_MODE_TUNNEL);
    pair.out.params.seq = 41;
    begin();
    seal();
    assert_status(ipsec_sad_quarantine(&pair.b.ips, &pair.in.sa, 9), IPSEC_OK);
    offer();
}

/* Cut after `len` bytes of payload: with `off`, what comes behind. */
static void
fragment(size_t off)
{
    uint8_t whole[2048], *p = wire + ip_len();
    size_t keep = 24;

    prepare(IPSEC_MODE_TUNNEL);
    pair.out.params.seq = 41;
    begin();
    seal();
    memcpy(whole, p, wire_len - ip_len());
    if (version == 4) {
        memmove(p, whole + off * 8, keep);
        wire[3] = (uint8_t)(20 + keep);
        wire[6] = 0x20; /* more to come */
        wire[7] = (uint8_t)off;
        packet_fix(wire);
        wire_len = 20 + keep;
    } else {
        memset(p, 0, 8);
        p[0] = wire[6];
        p[3] = (uint8_t)(off * 8 | 1);
        wire[6] = 44;
        memcpy(p + 8, whole + off * 8, keep);
        wire[5] = (uint8_t)(8 + keep);
        wire_len = 40 + 8 + keep;
    }
    offer();
}

static void first_fragment(void) { fragment(0); }
static void later_fragment(void) { fragment(2); }

static void
replay(void)
{
    prepare(IPSEC_MODE_TUNNEL);
    pair.out.params.seq = 41;
    begin();
    seal();
    assert_status(pair_offer(&pair, wire, wire_len), IPSEC_OK);
    offer();
}

static void
esn(uint64_t out, uint64_t in)
{
    prepare(IPSEC_MODE_TUNNEL);
    pair.out.params.flags |= IPSEC_SA_ESN;
    pair.in.params.flags |= IPSEC_SA_ESN;
    pair.out.params.seq = out;
    pair.in.params.seq = in;
    begin();
    seal();
    offer();
}

static void replay_esn(void) { esn(UINT64_C(0x500000029),
                                   UINT64_C(0x50000002a)); }
static void no_such_esn(void) { esn(0xfffffff0, 0); } /* attacks.md 58 */

static void
wrong_icv(void)
{
    prepare(IPSEC_MODE_TUNNEL);
    pair.out.params.seq = 41;
    begin();
    seal();
    wire[wire_len - 1] ^= 1;
    offer();
}

static void
no_selector(void)
{
    prepare(IPSEC_MODE_TUNNEL);
    pair.out.params.seq = 41;
    begin();
    pair.pb.sel.proto = 6;
    seal();
    offer();
}

static void
wrong_source(void)
{
    prepare(IPSEC_MODE_TRANSPORT);
    pair.out.params.seq = 41;
    pair.in.params.remote.byte[3] ^= 1;
    begin();
    seal();
    offer();
}

static void
cut_short(void)
{
    prepare(IPSEC_MODE_TUNNEL);
    pair.out.params.seq = 41;
    begin();
    seal();
    wire_len = ip_len() + 16;
    wire[version == 4 ? 3 : 5] = (uint8_t)(version == 4 ? wire_len : 16);
    wire[version == 4 ? 2 : 4] = 0;
    if (version == 4) {
        packet_fix(wire);
    }
    offer();
}

/* In clear, where there is no SPI to tell: 5.2 step 3b. */
static void
clear_in(void)
{
    struct packet_spec spec;

    prepare(IPSEC_MODE_TUNNEL);
    begin();
    spec = pair_spec(&pair, version, 17, 30);
    spec.label = LABEL;
    wire_len = packet_build(wire, &spec);
    offer();
}

static void
no_policy_in(void)
{
    prepare(IPSEC_MODE_TUNNEL);
    begin();
    ipsec_spd_remove(&pair.b.ips, &pair.pb);
    clear_in();
    ipsec_spd_remove(&pair.b.ips, &pair.pb);
    offer();
}

/* Out: RFC 4301 sections 4.4.2.1 and 5.1, RFC 4302 and 4303 section 3.3.3 */

static void
overflow(void)
{
    prepare(IPSEC_MODE_TUNNEL);
    pair.out.params.seq = UINT32_MAX - 1;
    begin();
    seal();
    send("", 0);
}

static void
expired(void)
{
    prepare(IPSEC_MODE_TUNNEL);
    pair.out.life.hard_s = 5;
    pair.out.params.life = &pair.out.life;
    pair_begin(&pair);
    ipsec_tick(&pair.a.ips, 5);
    ipsec_tick(&pair.a.ips, TIME);
    send("", 0);
}

static void
discard(void)
{
    prepare(IPSEC_MODE_TUNNEL);
    begin();
    pair.pa.action = IPSEC_ACTION_DISCARD;
    send("", 0);
}

static void
no_policy(void)
{
    prepare(IPSEC_MODE_TUNNEL);
    begin();
    ipsec_spd_remove(&pair.a.ips, &pair.pa);
    send("", 0);
}

static void
no_sa_out(void)
{
    prepare(IPSEC_MODE_TUNNEL);
    begin();
    assert_status(ipsec_sad_remove(&pair.a.ips, &pair.out.sa), IPSEC_OK);
    send("", 0);
}

static void
fragment_out(void)
{
    prepare(IPSEC_MODE_TRANSPORT);
    begin();
    send("l", 5);
}

static const struct row {
    const char *name;
    void      (*make)(void);
    int         status, dir;
    uint32_t    spi;
    uint64_t    seq;
    int         inner; /* the addresses are those of the packet inside */
} rows[] = {
    { "no SA", no_sa, IPSEC_ERR_NO_SA, IPSEC_IN, SPI, 42, 0 },
    { "a larval SA", larval, IPSEC_ERR_NO_SA, IPSEC_IN, SPI, 42, 0 },
    { "first fragment", first_fragment, IPSEC_ERR_FRAGMENT, IPSEC_IN, SPI, 42,
      0 },
    { "later fragment", later_fragment, IPSEC_ERR_FRAGMENT, IPSEC_IN, 0, 0,
      0 },
    { "replay", replay, IPSEC_ERR_REPLAY, IPSEC_IN, SPI, 42, 0 },
    { "replay, ESN", replay_esn, IPSEC_ERR_REPLAY, IPSEC_IN, SPI,
      UINT64_C(0x50000002a), 0 },
    { "before the first ESN", no_such_esn, IPSEC_ERR_REPLAY, IPSEC_IN, SPI,
      0xfffffff1, 0 },
    { "ICV", wrong_icv, IPSEC_ERR_AUTH, IPSEC_IN, SPI, 42, 0 },
    { "selectors", no_selector, IPSEC_ERR_SELECTOR, IPSEC_IN, SPI, 42, 1 },
    { "source", wrong_source, IPSEC_ERR_SELECTOR, IPSEC_IN, SPI, 42, 0 },
    { "length", cut_short, IPSEC_ERR_MALFORMED, IPSEC_IN, SPI, 42, 0 },
    { "in clear", clear_in, IPSEC_ERR_UNPROTECTED, IPSEC_IN, 0, 0, 1 },
    { "in clear, no policy", no_policy_in, IPSEC_ERR_NO_POLICY, IPSEC_IN, 0,
      0, 1 },
    { "overflow", overflow, IPSEC_ERR_SEQ_OVERFLOW, IPSEC_OUT, SPI,
      UINT32_MAX, 1 },
    { "expired", expired, IPSEC_ERR_EXPIRED, IPSEC_OUT, SPI, 0, 1 },
    { "discard", discard, IPSEC_ERR_DISCARD, IPSEC_OUT, 0, 0, 1 },
    { "no policy", no_policy, IPSEC_ERR_NO_POLICY, IPSEC_OUT, 0, 0, 1 },
    { "no SA, out", no_sa_out, IPSEC_ERR_NO_SA, IPSEC_OUT, 0, 0, 1 },
    { "fragment out", fragment_out, IPSEC_ERR_FRAGMENT, IPSEC_OUT, 0, 0, 0 },
};

static void
check(const struct row *row)
{
    struct ipsec_addr a, b;
    int in = row->dir == IPSEC_IN;

    fx_note("%s, %s over IPv%d", row->name, proto == 50 ? "ESP" : "AH",
            version);
    seen = NULL;
    row->make();
    assert_non_null(seen);
    assert_status(seen->status, row->status);
    a = addr(row->inner ? version == 4 ? "10.1.0.1" : "2001:db8:a::1"
             : version == 4 ? "192.0.2.1" : "2001:db8::1");
    b = addr(row->inner ? version == 4 ? "10.2.0.2" : "2001:db8:b::2"
             : version == 4 ? "198.51.100.2" : "2001:db8:ff::2");
    if (seen->dir != row->dir || seen->spi != row->spi ||
        seen->seq != row->seq || seen->time != TIME) {
        fail_msg("%s, %d, IPv%d: dir %d, spi %#x, seq %#llx, time %u",
                 row->name, proto, version, seen->dir, seen->spi,
                 (unsigned long long)seen->seq, seen->time);
    }
    assert_memory_equal(seen->flow.local.byte, in ? b.byte : a.byte, 16);
    assert_memory_equal(seen->flow.remote.byte, in ? a.byte : b.byte, 16);
    assert_int_equal(seen->flow.local.version, version);
    /* what came out of a tunnel has a label of its own: 0 here */
    assert_int_equal(seen->label, version == 4 ||
                     row->make == no_selector ? 0 : LABEL);
}

static void
test_audit_each_event_with_its_fields(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows) * 4; i++) {
        proto = i % 2 ? 50 : 51;
        version = i / 2 % 2 ? 4 : 6;
        check(&rows[i / 4]);
    }
}

/* The protocol is told where it is the packet's own (5.2 step 3a). */
static void
test_audit_ipsec_protocol(void **state)
{
    (void)state;
    version = 6;
    for (proto = 50; proto <= 51; proto++) {
        no_sa();
        assert_int_equal(seen->flow.proto, proto);
        replay();
        assert_int_equal(seen->flow.proto, proto);
    }
}

/* Of nested layers, those of the one that failed. */
static void
check_layers(int engine, size_t failing, uint64_t seq)
{
    struct flight f = { 0 };
    const struct fx_audit *event = &nest.b.audit[0];
    size_t i, len;

    fx_note("layer %zu, engine %d", failing, engine);
    nest_init(&nest, 3, GCM128);
    for (i = 0; i < 3; i++) {
        nest.out[i]->sa.seq = 10 * (i + 1);
    }
    flight_out(&f, &nest, 20);
    len = f.p.pkt.buf.len;
    memcpy(wire, f.p.pkt.buf.data, len);
    fx_pkt_free(&f.p);
    nest.b.st.mode = engine ? FAKE_ASYNC : FAKE_SYNC;
    nest.in[failing]->sa.seq = 1000; /* with 128 behind it: a replay */
    nest.in[failing]->sa.window[0] = UINT32_MAX;
    flight_in(&f, &nest, wire, len);
    flights_land(&nest.b);
    assert_status(f.verdict, IPSEC_ERR_REPLAY);
    assert_int_equal(event->spi, 0x1000 + failing);
    assert_true(event->seq == seq);
    fx_pkt_free(&f.p);
    nest_free(&nest);
}

static void
test_audit_of_nested_layers(void **state)
{
    size_t layer;

    (void)state;
    for (layer = 0; layer < 3; layer++) {
        check_layers(0, layer, 10 * (layer + 1) + 1);
        check_layers(1, layer, 10 * (layer + 1) + 1);
    }
}

/* Out, a bundle whose second SA was used up while the first was in the engine:
 * the last number of that SA, not the one of the first. */
static void
test_audit_overflow_of_an_outer_layer(void **state)
{
    struct flight f = { 0 };

    (void)state;
    nest_init(&nest, 2, GCM128);
    nest.a.st.mode = FAKE_ASYNC;
    flight_out(&f, &nest, 20);
    assert_status(f.verdict, IPSEC_PENDING);
    nest.out[1]->sa.seq = UINT32_MAX;
    flights_land(&nest.a);
    assert_status(f.verdict, IPSEC_ERR_SEQ_OVERFLOW);
    assert_int_equal(nest.a.audit[0].spi, 0x1001);
    assert_true(nest.a.audit[0].seq == UINT32_MAX);
    assert_int_equal(nest.a.audit[0].flow.proto, 50);
    fx_pkt_free(&f.p);
    nest_free(&nest);
}

/* The same, removed meanwhile: it has given this packet no number. */
static void
test_audit_outer_layer_without_number(void **state)
{
    struct flight f = { 0 };

    (void)state;
    nest_init(&nest, 2, GCM128);
    nest.out[1]->params.life = &nest.out[1]->life;
    nest.out[1]->sa.life = &nest.out[1]->life;
    nest.a.st.mode = FAKE_ASYNC;
    flight_out(&f, &nest, 20);
    assert_status(f.verdict, IPSEC_PENDING);
    nest.out[1]->life.hard_bytes = 1;
    nest.out[1]->sa.bytes = 1;
    flights_land(&nest.a);
    assert_status(f.verdict, IPSEC_ERR_EXPIRED);
    assert_int_equal(nest.a.audit[0].spi, 0x1001);
    assert_true(nest.a.audit[0].seq == 0);
    fx_pkt_free(&f.p);
    nest_free(&nest);
}

/* What came out of a layer can't be read: which layer that was. */
static void
test_audit_malformed_inside(void **state)
{
    uint8_t body[64] = { 0 };
    struct craft craft = { 0 };

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TRANSPORT, 6);
    craft.body = body;
    craft.len = body_end(&suites[GCM128], body, 4, 43);
    craft.seq = 9;
    wire_len = pair_craft(&pair, &craft, wire);
    assert_status(pair_offer(&pair, wire, wire_len), IPSEC_ERR_MALFORMED);
    assert_int_equal(pair.b.audit[0].spi, SPI);
    assert_true(pair.b.audit[0].seq == 9);
    assert_int_equal(pair.b.audit[0].flow.local.version, 0);
}

/* A dummy has no header yet to take a label from. */
static void
test_audit_of_a_dummy(void **state)
{
    struct fx_pkt p;

    (void)state;
    proto = 50;
    version = 6;
    prepare(IPSEC_MODE_TUNNEL);
    begin();
    fx_pkt_new(&p, NULL, 0, 1, 0);
    p.pkt.buf.data = p.mem; /* all there is behind it is one byte */
    p.pkt.buf.len = 1;
    *p.mem = 0x6f;
    assert_status(ipsec_dummy(&pair.a.ips, &p.pkt, &pair.out.sa, 0),
                  IPSEC_ERR_ROOM);
    fx_pkt_free(&p);
    assert_int_equal(pair.a.audit[0].label, 0);
    assert_int_equal(pair.a.audit[0].time, TIME);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_audit_each_event_with_its_fields),
        cmocka_unit_test(test_audit_ipsec_protocol),
        cmocka_unit_test(test_audit_of_nested_layers),
        cmocka_unit_test(test_audit_overflow_of_an_outer_layer),
        cmocka_unit_test(test_audit_outer_layer_without_number),
        cmocka_unit_test(test_audit_malformed_inside),
        cmocka_unit_test(test_audit_of_a_dummy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
