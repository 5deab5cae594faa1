/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* What AH looks like on the wire, and what it covers (RFC 4302). */

static struct pair pair;
static uint8_t plain[2048], wire[2048];
static size_t plain_len, wire_len, ah_at;

#define SUITE (&suites[NULL_SHA256])

static uint32_t
be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static void
prepare(int mode, int version)
{
    pair_prepare(&pair, SUITE, mode, version);
    pair.out.params.proto = pair.in.params.proto = IPSEC_PROTO_AH;
    pair.pa.proto = pair.pb.proto = IPSEC_PROTO_AH;
}

static void
begin(int mode, int version)
{
    prepare(mode, version);
    pair_begin(&pair);
}

/* Seal what is in `plain`; where AH then is. */
static void
seal_plain(void)
{
    struct fx_pkt p;

    fx_pkt_new(&p, plain, plain_len, IPSEC_HEADROOM, 0);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_OK);
    wire_len = p.pkt.buf.len;
    memcpy(wire, p.pkt.buf.data, wire_len);
    ah_at = (size_t)(p.pkt.op.icv - p.pkt.buf.data) - 12;
    fx_pkt_free(&p);
}

static void
seal(const struct packet_spec *spec)
{
    plain_len = packet_build(plain, spec);
    seal_plain();
}

static void
opens(void)
{
    struct fx_pkt p;

    assert_status(pair_open(&pair, wire, wire_len, &p), IPSEC_OK);
    assert_true(fx_pkt_is(&p, plain, plain_len));
    fx_pkt_free(&p);
}

static void
check_header(size_t ah_len, uint8_t next, size_t head)
{
    const uint8_t *ah = wire + ah_at;
    size_t i;

    assert_int_equal(ah_at, head);
    assert_int_equal(packet_len(wire), wire_len);
    assert_true(packet_intact(wire));
    assert_int_equal(ah[0], next);
    assert_int_equal(ah[1], ah_len / 4 - 2);
    assert_int_equal(ah[2] | ah[3], 0);
    assert_int_equal(be32(ah + 4), 0x1001);
    assert_int_equal(be32(ah + 8), pair.out.sa.seq);
    for (i = 28; i < ah_len; i++) {
        assert_int_equal(ah[i], 0);
    }
}

static void
test_ah_layout(void **state)
{
    struct packet_spec spec;
    size_t m, v, n, ah_len, head;
    int outer, inner;

    (void)state;
    for (m = 1; m <= 2; m++) {
        for (v = 0; v < 4; v++) {
            outer = v % 2 ? 6 : 4;
            inner = v / 2 ? 6 : 4;
            if (m == IPSEC_MODE_TRANSPORT && inner != outer) {
                continue;
            }
            begin((int)m, outer);
            ah_len = outer == 6 ? 32 : 28; /* section 2.2 */
            head = outer == 6 ? 40 : 20;
            for (n = 0; n < 40; n++) {
                fx_note("mode %zu, IPv%d in IPv%d, %zu bytes", m, inner,
                        outer, n);
                spec = pair_spec(&pair, inner, 17, n);
                seal(&spec);
                check_header(ah_len, m == 1 ? 17 : inner == 4 ? 4 : 41, head);
                assert_int_equal(wire_len, plain_len + ah_len +
                                 (m == 2 ? head : 0));
                opens();
            }
        }
    }
}

/* Linux pads it to 8 in IPv4 too, unless told otherwise. */
static void
test_ah_align8(void **state)
{
    struct packet_spec spec;

    (void)state;
    prepare(IPSEC_MODE_TRANSPORT, 4);
    pair.out.params.flags |= IPSEC_SA_AH_ALIGN8;
    pair.in.params.flags |= IPSEC_SA_AH_ALIGN8;
    pair_begin(&pair);
    spec = pair_spec(&pair, 4, 17, 10);
    seal(&spec);
    check_header(32, 17, 20);
    opens();
    pair.in.sa.flags &= (uint16_t)~IPSEC_SA_AH_ALIGN8;
    seal(&spec);
    assert_status(pair_offer(&pair, wire, wire_len), IPSEC_ERR_MALFORMED);
}

/* In an IPv6 packet it stands behind these headers and before those. */
static void
test_ah_position(void **state)
{
    static const struct { const char *ext; size_t at; } row[] = {
        { "", 40 }, { "h", 48 }, { "hd", 48 }, { "d", 40 }, { "hr", 72 },
        { "dr", 72 }, { "drd", 72 }, { "a", 48 }, { "ha", 56 }, { "had", 56 },
    };
    struct packet_spec spec;
    size_t i;

    (void)state;
    begin(IPSEC_MODE_TRANSPORT, 6);
    for (i = 0; i < COUNT(row); i++) {
        fx_note("%s", row[i].ext);
        spec = pair_spec(&pair, 6, 17, 30);
        spec.ext = row[i].ext;
        seal(&spec);
        assert_int_equal(ah_at, row[i].at);
        opens();
    }
}

/* What may change on the way, and what may not. */

static void tos(uint8_t *p)       { p[1] = 0xfd; }
static void ttl(uint8_t *p)       { p[8]--; }
static void df(uint8_t *p)        { p[6] ^= 0x40; }
static void id(uint8_t *p)        { p[4] ^= 1; }
static void source4(uint8_t *p)   { p[15] ^= 1; }
static void option(uint8_t *p)    { p[23] ^= 1; }
static void next(uint8_t *p)      { p[ah_at] ^= 1; }
static void reserved(uint8_t *p)  { p[ah_at + 3] ^= 1; }
static void number(uint8_t *p)    { p[ah_at + 11] ^= 2; }
static void padding(uint8_t *p)   { p[ah_at + 29] ^= 2; }
static void payload(uint8_t *p)   { p[wire_len - 1] ^= 1; }
static void icv(uint8_t *p)       { p[ah_at + 27] ^= 1; }
static void class6(uint8_t *p)    { p[0] ^= 1; }
static void label(uint8_t *p)     { p[3] ^= 1; }
static void hops(uint8_t *p)      { p[7]--; }
static void source6(uint8_t *p)   { p[9] ^= 1; }
static void hop_option(uint8_t *p) { p[45] ^= 1; }

struct change {
    const char *name;
    int         mode, version;
    uint8_t     type;              /* of an option with two bytes of data */
    void      (*make)(uint8_t *p);
    int         want;
};

#define TR IPSEC_MODE_TRANSPORT
#define TU IPSEC_MODE_TUNNEL

static const struct change changes[] = {
    { "DSCP and ECN", TR, 4, 0, tos, IPSEC_OK },
    { "TTL", TU, 4, 0, ttl, IPSEC_OK },
    { "DF", TR, 4, 0, df, IPSEC_OK },
    { "id", TR, 4, 0, id, IPSEC_ERR_AUTH },
    { "outer source", TU, 4, 0, source4, IPSEC_ERR_AUTH },
    { "outer source, bound", TR, 4, 0, source4, IPSEC_ERR_SELECTOR },
    { "record route", TR, 4, 7, option, IPSEC_OK },
    { "timestamp", TR, 4, 68, option, IPSEC_OK },
    { "an unknown option", TR, 4, 0x99, option, IPSEC_OK },
    { "security", TR, 4, 130, option, IPSEC_ERR_AUTH },
    { "extended security", TR, 4, 133, option, IPSEC_ERR_AUTH },
    { "commercial security", TR, 4, 134, option, IPSEC_ERR_AUTH },
    { "router alert", TR, 4, 148, option, IPSEC_ERR_AUTH },
    { "sender-directed", TR, 4, 149, option, IPSEC_ERR_AUTH },
    { "next header", TR, 4, 0, next, IPSEC_ERR_AUTH },
    { "reserved", TR, 4, 0, reserved, IPSEC_ERR_AUTH },
    { "number", TU, 6, 0, number, IPSEC_ERR_AUTH },
    { "padding", TU, 6, 0, padding, IPSEC_ERR_AUTH },
    { "payload", TU, 6, 0, payload, IPSEC_ERR_AUTH },
    { "ICV", TR, 4, 0, icv, IPSEC_ERR_AUTH },
    { "class", TR, 6, 0, class6, IPSEC_OK },
    { "label", TR, 6, 0, label, IPSEC_OK },
    { "hop limit", TR, 6, 0, hops, IPSEC_OK },
    { "outer source", TU, 6, 0, source6, IPSEC_ERR_AUTH },
    { "an option that may change", TR, 6, 0x3e, hop_option, IPSEC_OK },
    { "an option that may not", TR, 6, 0x1e, hop_option, IPSEC_ERR_AUTH },
};

static void
option_put(const struct change *c)
{
    uint8_t *p = plain + (c->version == 4 ? 20 : 42);

    if (c->type != 0) {
        p[0] = c->type;
        p[1] = c->version == 4 ? 4 : 2;
        memset(p + 2, 5, 2);
        if (c->version == 6) {
            p[4] = p[5] = 0; /* Pad1 */
        } else {
            packet_fix(plain);
        }
    }
}

static void
test_ah_covers_what_does_not_change(void **state)
{
    struct packet_spec spec;
    struct ipsec_sa before;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(changes); i++) {
        fx_note("%s", changes[i].name);
        begin(changes[i].mode, changes[i].version);
        spec = pair_spec(&pair, changes[i].version, 17, 20);
        if (changes[i].type != 0) {
            spec.opt_len = 4;
            spec.ext = "h";
        }
        plain_len = packet_build(plain, &spec);
        option_put(&changes[i]);
        seal_plain();
        changes[i].make(wire);
        if (changes[i].version == 4) {
            packet_fix(wire);
        }
        before = pair.in.sa;
        assert_status(pair_offer(&pair, wire, wire_len), changes[i].want);
        assert_true(changes[i].want == IPSEC_OK ||
                    sa_same(&before, &pair.in.sa));
    }
}

/* With 64-bit numbers the high half is authenticated behind the payload. */
static void
test_ah_esn(void **state)
{
    struct packet_spec spec;

    (void)state;
    prepare(IPSEC_MODE_TRANSPORT, 4);
    pair.out.params.flags |= IPSEC_SA_ESN;
    pair.in.params.flags |= IPSEC_SA_ESN;
    pair.out.params.seq = pair.in.params.seq = 0xfffffffeu;
    pair_begin(&pair);
    spec = pair_spec(&pair, 4, 17, 5);
    seal(&spec);
    assert_int_equal(be32(pair.a.st.tail), 0);
    opens();
    seal(&spec);
    assert_int_equal(pair.a.st.tail_len, 4);
    assert_int_equal(be32(pair.a.st.tail), 1);
    opens();
    assert_true(pair.in.sa.seq == 0x100000000u);
}

/* Lengths that are not what they must be (sections 2.2 and 3.3.3.2.1). */
static void
test_ah_lengths(void **state)
{
    struct packet_spec spec;
    unsigned n;

    (void)state;
    begin(IPSEC_MODE_TRANSPORT, 4);
    spec = pair_spec(&pair, 4, 17, 40);
    seal(&spec);
    for (n = 0; n < 256; n++) {
        fx_note("payload length %u", n);
        if (n != 5) {
            wire[ah_at + 1] = (uint8_t)n;
            assert_status(pair_offer(&pair, wire, wire_len),
                          IPSEC_ERR_MALFORMED);
        }
    }
    wire[ah_at + 1] = 5;
    for (n = 20; n < 48; n++) {
        fx_note("cut to %u", n);
        wire[3] = (uint8_t)n;
        packet_fix(wire);
        assert_status(pair_offer(&pair, wire, n), IPSEC_ERR_MALFORMED);
    }
    assert_int_equal(pair.b.st.runs, 0);
    assert_int_equal(pair.in.sa.packets, 0);
}

/* Headers that can't be authenticated: nothing is touched. */

static void
refused(uint8_t version, const char *hex, size_t len)
{
    struct packet_spec spec = pair_spec(&pair, version, 17, 8);
    struct fx_pkt p;

    spec.opt_len = len;
    spec.ext = "h";
    plain_len = packet_build(plain, &spec);
    memcpy(plain + (version == 4 ? 20 : 42), hex, len);
    if (version == 4) {
        packet_fix(plain);
    }
    fx_pkt_new(&p, plain, plain_len, IPSEC_HEADROOM, 0);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_ERR_MALFORMED);
    assert_int_equal(p.pkt.layers, 0);
    assert_true(fx_pkt_is(&p, plain, plain_len));
    assert_true(pair.out.sa.seq == 0);
    fx_pkt_free(&p);
}

static void
test_ah_refuses_headers(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;

    (void)state;
    begin(IPSEC_MODE_TRANSPORT, 4);
    refused(4, "\x07\x00\x04\x00", 4);         /* no length */
    refused(4, "\x07\x01\x04\x00", 4);
    refused(4, "\x07\x05\x04\x00", 4);         /* beyond the header */
    refused(4, "\x01\x01\x01\x07", 4);         /* no room for a length */
    refused(4, "\x83\x02\x01\x01", 4);         /* a route without pointer */
    refused(4, "\x83\x03\x03\x01", 4);         /* that points at itself */
    refused(4, "\x89\x03\x05\x01", 4);         /* that points beyond */
    begin(IPSEC_MODE_TRANSPORT, 6);
    refused(6, "\x1e\x05\x00\x00\x00\x00", 6);
    refused(6, "\x00\x00\x00\x00\x00\x1e", 6);
    spec = pair_spec(&pair, 6, 17, 8);
    spec.ext = "hDDDr"; /* 40 + 8 + 72 + 24 bytes, and AH */
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, 0);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_ERR_MALFORMED);
    fx_pkt_free(&p);
}

/* A loose source route: the destination is where it will end. */
static void
test_ah_source_route(void **state)
{
    static const uint8_t route[8] = { 131, 7, 4, 198, 51, 100, 2, 0 };
    struct packet_spec spec;

    (void)state;
    begin(IPSEC_MODE_TRANSPORT, 4);
    spec = pair_spec(&pair, 4, 17, 8);
    spec.opt_len = 8;
    plain_len = packet_build(plain, &spec);
    memcpy(plain + 20, route, 8);
    plain[19] = 77; /* first hop */
    packet_fix(plain);
    pair.out.sa.remote.byte[3] = 77;
    seal_plain();
    memcpy(wire + 16, route + 3, 4); /* the hop moved on */
    wire[22] = 8;
    wire[26] = 99;
    packet_fix(wire);
    assert_status(pair_offer(&pair, wire, wire_len), IPSEC_OK);
}

/* A routing header of type 2: as it is at its end (RFC 6275 section 6.4). */
static void
test_ah_routing_header(void **state)
{
    struct packet_spec spec;
    uint8_t via[16];

    (void)state;
    begin(IPSEC_MODE_TRANSPORT, 6);
    spec = pair_spec(&pair, 6, 17, 8);
    spec.ext = "r";
    seal(&spec);
    memcpy(via, wire + 24, 16);
    memcpy(wire + 24, wire + 48, 16);
    memcpy(wire + 48, via, 16);
    wire[43] = 0;
    memcpy(pair.in.sa.local.byte, wire + 24, 16);
    assert_status(pair_offer(&pair, wire, wire_len), IPSEC_OK);
    wire[42] = 3; /* another type may do the same: nobody knows */
    wire[43] = 1;
    wire[ah_at + 11]++;
    assert_status(pair_offer(&pair, wire, wire_len), IPSEC_ERR_MALFORMED);
}

/* An atomic fragment may lose its header on the way (RFC 6946). */
static void
test_ah_atomic_fragment(void **state)
{
    struct packet_spec spec;

    (void)state;
    begin(IPSEC_MODE_TRANSPORT, 6);
    spec = pair_spec(&pair, 6, 17, 8);
    spec.ext = "a";
    seal(&spec);
    wire[6] = wire[40];
    memmove(wire + 40, wire + 48, wire_len - 48);
    wire_len -= 8;
    wire[5] = (uint8_t)(wire[5] - 8);
    assert_status(pair_offer(&pair, wire, wire_len), IPSEC_OK);
}

/* AH round ESP (RFC 4301 section 4.3 of old: ESP first), one packet. */
static void
test_ah_around_esp(void **state)
{
    static struct fx_sa out, in;
    struct ipsec_policy oa, ob;
    struct packet_spec spec;
    struct fx_pkt p;

    (void)state;
    prepare(IPSEC_MODE_TRANSPORT, 4);
    fx_sa_set(&out, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TRANSPORT, 0x2001,
              "192.0.2.1", "198.51.100.2");
    fx_sa_set(&in, &suites[GCM128], IPSEC_IN, IPSEC_MODE_TRANSPORT, 0x2001,
              "198.51.100.2", "192.0.2.1");
    out.params.reqid = in.params.reqid = 2;
    oa = pair.pa; /* AH, reqid 1, is the outer one */
    ob = pair.pb;
    pair.pa.proto = pair.pb.proto = IPSEC_PROTO_ESP;
    pair.pa.reqid = pair.pb.reqid = 2;
    pair.pa.outer = &oa;
    pair.pb.outer = &ob;
    pair_begin(&pair);
    assert_status(fx_sa_add(&pair.a, &out), IPSEC_OK);
    assert_status(fx_sa_add(&pair.b, &in), IPSEC_OK);
    spec = pair_spec(&pair, 4, 17, 30);
    plain_len = packet_build(plain, &spec);
    fx_pkt_new(&p, plain, plain_len, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_OK);
    wire_len = p.pkt.buf.len;
    memcpy(wire, p.pkt.buf.data, wire_len);
    fx_pkt_free(&p);
    assert_int_equal(wire[9], 51);
    assert_int_equal(wire[20], 50);
    assert_status(pair_open(&pair, wire, wire_len, &p), IPSEC_OK);
    assert_true(fx_pkt_is(&p, plain, plain_len));
    assert_int_equal(p.pkt.layers, 2);
    assert_ptr_equal(p.pkt.sa[0], &pair.in.sa);
    assert_ptr_equal(p.pkt.sa[1], &in.sa);
    fx_pkt_free(&p);
}

/* Its room and MTU, to the byte. */
static void
test_ah_mtu(void **state)
{
    struct packet_spec spec;
    size_t m, v, head, tail;

    (void)state;
    for (m = 1; m <= 2; m++) {
        for (v = 4; v <= FX_IP_LAST; v += 2) {
            begin((int)m, (int)v);
            ipsec_sa_room(&pair.out.sa, &head, &tail);
            spec = pair_spec(&pair, (int)v, 17, 33);
            seal(&spec);
            assert_int_equal(head, wire_len - plain_len);
            assert_int_equal(tail, 0);
            assert_int_equal(ipsec_sa_mtu(&pair.out.sa, 1500), 1500 - head);
            assert_int_equal(ipsec_sa_mtu(&pair.out.sa, head - 1), 0);
        }
    }
}

/* AH enciphers nothing. */
static void
test_ah_algorithms(void **state)
{
    size_t s;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        pair_prepare(&pair, &suites[s], IPSEC_MODE_TUNNEL, 4);
        pair.out.params.proto = IPSEC_PROTO_AH;
        assert_status(fx_sa_add(&pair.a, &pair.out),
                      suites[s].encr == IPSEC_ENCR_NULL
                      ? IPSEC_OK : IPSEC_ERR_UNSUPPORTED);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ah_layout),
        cmocka_unit_test(test_ah_align8),
        cmocka_unit_test(test_ah_position),
        cmocka_unit_test(test_ah_covers_what_does_not_change),
        cmocka_unit_test(test_ah_esn),
        cmocka_unit_test(test_ah_lengths),
        cmocka_unit_test(test_ah_refuses_headers),
        cmocka_unit_test(test_ah_source_route),
        cmocka_unit_test(test_ah_routing_header),
        cmocka_unit_test(test_ah_atomic_fragment),
        cmocka_unit_test(test_ah_around_esp),
        cmocka_unit_test(test_ah_mtu),
        cmocka_unit_test(test_ah_algorithms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
