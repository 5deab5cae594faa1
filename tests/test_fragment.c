/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"
#include "ipsec/netif.h"

/* Fragmentation: RFC 791 section 3.2, RFC 8200 section 4.5. */

#define PIECES 200

static struct fx fx;
static struct { uint8_t *p; size_t len; } piece[PIECES];
static size_t pieces;

static uint32_t
rnd(uint32_t below)
{
    uint32_t v;

    fx_random(&fx, &v, sizeof v);
    return v % below;
}

static void
pieces_free(void)
{
    while (pieces > 0) {
        free(piece[--pieces].p);
    }
}

/* Cut `p` up; each piece in memory of its own size. The last status. */
static int
cut(const uint8_t *p, size_t len, size_t mtu, uint32_t id)
{
    size_t off = 0, room = mtu < len ? mtu : len;
    struct ipsec_buf buf, frag;
    struct fx_pkt copy;
    uint8_t *mem;
    int rc;

    pieces_free();
    fx_pkt_new(&copy, p, len, 0, 0);
    buf = copy.pkt.buf;
    for (;;) {
        mem = malloc(room + 1);
        assert_non_null(mem);
        frag.head = frag.data = mem + 1;
        frag.end = mem + 1 + room;
        frag.len = 0;
        rc = ipsec_fragment(&buf, mtu, id, &off, &frag);
        if (rc != IPSEC_OK) {
            free(mem);
            break;
        }
        assert_true(pieces < PIECES && frag.len <= mtu);
        memmove(mem, mem + 1, frag.len);
        piece[pieces].p = mem;
        piece[pieces++].len = frag.len;
    }
    assert_memory_equal(copy.mem, p, len);
    fx_pkt_free(&copy);
    return rc;
}

/* RFC 791: 4000 bytes of payload over 1500. */
static void
test_fragment_ipv4(void **state)
{
    static const struct { size_t len; uint16_t field; } want[] = {
        { 1500, 0x2000 }, { 1500, 0x2000 | 185 }, { 20 + 1048, 370 }
    };
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2",
                                .proto = 17, .payload = 4000, .id = 0xabcd,
                                .tos = 0xba };
    static uint8_t b[5000];
    size_t len = packet_build(b, &spec), i, at = 20;

    (void)state;
    assert_status(cut(b, len, 1500, 0), IPSEC_CONSUMED);
    assert_int_equal(pieces, COUNT(want));
    for (i = 0; i < pieces; i++) {
        assert_int_equal(piece[i].len, want[i].len);
        assert_int_equal(packet_len(piece[i].p), want[i].len);
        assert_int_equal(get16(piece[i].p + 6), want[i].field);
        assert_true(packet_intact(piece[i].p));
        assert_memory_equal(piece[i].p, b, 2);
        assert_memory_equal(piece[i].p + 4, b + 4, 2);
        assert_memory_equal(piece[i].p + 8, b + 8, 2);
        assert_memory_equal(piece[i].p + 12, b + 12, 8);
        assert_memory_equal(piece[i].p + 20, b + at, piece[i].len - 20);
        at += piece[i].len - 20;
    }
    pieces_free();
}

static void
test_fragment_ipv6(void **state)
{
    struct packet_spec spec = { .src = "fd00::1", .dst = "fd00::2",
                                .proto = 17, .payload = 3000, .ext = "hrd" };
    static uint8_t b[5000];
    size_t len = packet_build(b, &spec), i, at = 72;

    (void)state;
    assert_status(cut(b, len, 1283, 0x01020304), IPSEC_CONSUMED);
    assert_int_equal(pieces, 3);
    for (i = 0; i < pieces; i++) {
        assert_int_equal(packet_len(piece[i].p), piece[i].len);
        assert_int_equal(piece[i].p[48], PROTO_FRAGMENT);
        assert_int_equal(piece[i].p[72], PROTO_DSTOPTS);
        assert_int_equal(piece[i].p[73], 0);
        assert_int_equal(get16(piece[i].p + 74), (at - 72) | (i < 2));
        assert_true(get32(piece[i].p + 76) == 0x01020304);
        assert_memory_equal(piece[i].p, b, 4);
        assert_memory_equal(piece[i].p + 6, b + 6, 42);
        assert_memory_equal(piece[i].p + 49, b + 49, 23);
        assert_memory_equal(piece[i].p + 80, b + at, piece[i].len - 80);
        assert_true(i == 2 || piece[i].len == 1280);
        at += piece[i].len - 80;
    }
    assert_int_equal(at, len);
    pieces_free();
}

/* Options with the copy bit go into all, others into the first alone. */
static void
test_fragment_options(void **state)
{
    static const uint8_t opts[20] = {
        7, 7, 4, 0, 0, 0, 0,     /* record route: first alone */
        1,                       /* no operation */
        0x94, 4, 0, 0,           /* router alert: all */
        0x82, 5, 9, 9, 9,        /* security: all */
        0, 0xff, 0xff            /* the end */
    };
    static const uint8_t later[12] = { 0x94, 4, 0, 0, 0x82, 5, 9, 9, 9,
                                       0, 0, 0 };
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2",
                                .proto = 17, .payload = 300, .opt_len = 20 };
    uint8_t b[512];
    size_t len = packet_build(b, &spec), off = 0, i;
    uint8_t room[60];
    struct ipsec_buf frag = { room, room, room + sizeof room, 0 };
    struct fx_pkt last;

    (void)state;
    memcpy(b + 20, opts, 20);
    packet_fix(b);
    assert_status(cut(b, len, 128, 0), IPSEC_CONSUMED);
    assert_memory_equal(piece[0].p + 20, opts, 20);
    assert_int_equal(piece[0].p[0], 0x4a);
    for (i = 1; i < pieces; i++) {
        assert_int_equal(piece[i].p[0], 0x48);
        assert_memory_equal(piece[i].p + 20, later, 12);
        assert_true(packet_intact(piece[i].p));
    }
    b[29] = 1; /* lengths that can't be */
    packet_fix(b);
    assert_status(cut(b, len, 128, 0), IPSEC_ERR_MALFORMED);
    b[29] = 4;
    b[33] = 9;
    packet_fix(b);
    assert_status(cut(b, len, 128, 0), IPSEC_ERR_MALFORMED);
    memset(b + 20, 1, 20);
    b[39] = 7; /* an option of one byte, the packet's last */
    b[2] = 0;
    b[3] = 40;
    packet_fix(b);
    fx_pkt_new(&last, b, 40, 0, 0);
    assert_status(ipsec_fragment(&last.pkt.buf, 30, 0, &off, &frag),
                  IPSEC_ERR_MALFORMED);
    fx_pkt_free(&last);
    assert_status(cut(b, 40, 30, 0), IPSEC_ERR_TOO_BIG);
    assert_int_equal(pieces, 0);
}

static void
test_fragment_what_fits_is_let_be(void **state)
{
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2",
                                .proto = 17, .payload = 72, .df = 1 };
    uint8_t b[128];
    size_t len;

    (void)state;
    len = packet_build(b, &spec);
    assert_status(cut(b, len, len, 0), IPSEC_CONSUMED);
    assert_int_equal(pieces, 1);
    assert_int_equal(piece[0].len, len);
    assert_memory_equal(piece[0].p, b, len);
    assert_status(cut(b, len, len - 1, 0), IPSEC_ERR_TOO_BIG);
    spec.src = "fd00::1";
    spec.dst = "fd00::2";
    spec.ext = "f";
    len = packet_build(b, &spec);
    assert_status(cut(b, len, len, 0), IPSEC_CONSUMED);
    assert_memory_equal(piece[0].p, b, len);
    assert_status(cut(b, len, len - 1, 0), IPSEC_ERR_TOO_BIG);
    pieces_free();
}

/* Room for 8 bytes behind the headers; for IPv6, for all headers. */
static void
test_fragment_least_mtu(void **state)
{
    static const struct {
        const char *src, *dst, *ext;
        uint8_t proto;
        size_t opt, mtu;
    } row[] = {
        { "10.1.0.1", "10.2.0.2", "", 17, 0, 28 },
        { "10.1.0.1", "10.2.0.2", "", 6, 0, 28 },
        { "10.1.0.1", "10.2.0.2", "", 17, 40, 68 },
        { "fd00::1", "fd00::2", "", 17, 0, 56 },
        { "fd00::1", "fd00::2", "", 6, 0, 72 },
        { "fd00::1", "fd00::2", "h", 132, 0, 64 },
        { "fd00::1", "fd00::2", "d", 58, 0, 64 },
        { "fd00::1", "fd00::2", "D", 253, 0, 72 },
    };
    struct packet_spec spec;
    uint8_t b[512];
    size_t i, len, mtu;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        memset(&spec, 0, sizeof spec);
        spec.src = row[i].src;
        spec.dst = row[i].dst;
        spec.ext = row[i].ext;
        spec.proto = row[i].proto;
        spec.opt_len = row[i].opt;
        spec.payload = 200;
        len = packet_build(b, &spec);
        for (mtu = 0; mtu < row[i].mtu; mtu++) {
            assert_status(cut(b, len, mtu, 0), IPSEC_ERR_TOO_BIG);
            assert_int_equal(pieces, 0);
        }
        for (; mtu < row[i].mtu + 20; mtu++) {
            assert_status(cut(b, len, mtu, 0), IPSEC_CONSUMED);
        }
    }
    pieces_free();
}

/* The last may be as long as the others; there is no empty one. */
static void
test_fragment_exact_fit(void **state)
{
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2",
                                .proto = 253 };
    uint8_t b[512];
    size_t last;
    int v6;

    (void)state;
    for (v6 = 0; v6 < FX_IPS; v6++) {
        if (v6) {
            spec.src = "fd00::1";
            spec.dst = "fd00::2";
        }
        for (last = 1; last <= 80; last++) {
            spec.payload = 160 + last;
            assert_status(cut(b, packet_build(b, &spec), v6 ? 128 : 100, 0),
                          IPSEC_CONSUMED);
            assert_int_equal(pieces, 3);
            assert_int_equal(piece[2].len, (v6 ? 48 : 20) + last);
        }
    }
    pieces_free();
}

static void
test_fragment_bad_input(void **state)
{
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2",
                                .proto = 17, .payload = 201, .mf = 1 };
    struct ipsec_buf buf, frag;
    uint8_t b[512], to[512];
    size_t len, off;

    (void)state;
    len = packet_build(b, &spec);
    assert_status(cut(b, len, 100, 0), IPSEC_ERR_MALFORMED); /* no multiple */
    assert_status(cut(b, len - 1, 100, 0), IPSEC_ERR_MALFORMED);
    assert_status(cut(b, 0, 100, 0), IPSEC_ERR_MALFORMED);
    spec.mf = 0;
    len = packet_build(b, &spec);
    buf.head = buf.data = b;
    buf.end = b + sizeof b;
    buf.len = len;
    frag.head = frag.data = to;
    frag.end = to + 99;
    off = 0;
    assert_status(ipsec_fragment(&buf, 100, 0, &off, &frag), IPSEC_ERR_ROOM);
    assert_status(ipsec_fragment(&buf, len, 0, &off, &frag), IPSEC_ERR_ROOM);
    frag.end++;
    assert_status(ipsec_fragment(&buf, 100, 0, &off, &frag), IPSEC_OK);
    assert_int_equal(off, 80);
    off = len - 20 + 8; /* the packet has become shorter, say */
    assert_status(ipsec_fragment(&buf, 100, 0, &off, &frag),
                  IPSEC_ERR_MALFORMED);
}

/* A fragment, cut again: offsets and "more" as if it had been done at once. */
static void
test_fragment_of_a_fragment(void **state)
{
    static const uint16_t fields[] = { 0x2000, 0x2000 | 100, 100 };
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2",
                                .proto = 17, .payload = 192 };
    uint8_t b[512];
    size_t len = packet_build(b, &spec), i, k, at;

    (void)state;
    for (i = 0; i < COUNT(fields); i++) {
        put16(b + 6, fields[i]);
        packet_fix(b);
        assert_status(cut(b, len, 99, 0), IPSEC_CONSUMED);
        at = fields[i] & 0x1fff;
        for (k = 0; k < pieces; k++) {
            assert_int_equal(get16(piece[k].p + 6) & 0x1fff, at);
            assert_int_equal(get16(piece[k].p + 6) >> 13,
                             k + 1 < pieces || (fields[i] & 0x2000));
            at += (piece[k].len - 20) / 8;
        }
    }
    pieces_free();
}

/* Random packets and back */

static size_t
random_packet(uint8_t *b)
{
    static const uint8_t protos[] = { 17, 6, 1, 132, 50, 253, 58 };
    static const char *const exts[] = { "", "h", "hr", "d", "hdrD", "r", "D" };
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2" };
    size_t len, i, from;

    if (rnd(2)) {
        spec.src = "fd00::1";
        spec.dst = "fd00::2";
        spec.ext = exts[rnd(COUNT(exts))];
    } else {
        spec.opt_len = rnd(3) ? 0 : 4 * rnd(11);
    }
    spec.proto = protos[rnd(COUNT(protos))];
    spec.payload = 1 + (rnd(2) ? rnd(300) : rnd(4000));
    spec.tos = (uint8_t)rnd(256);
    spec.id = (uint16_t)rnd(65536);
    spec.label = rnd(1 << 20);
    len = packet_build(b, &spec);
    from = len - spec.payload;
    for (i = from; i < len; i++) {
        b[i] = (uint8_t)rnd(256);
    }
    return len;
}

/* Cut some of the pieces again, as a path does. */
static void
pieces_cut_again(size_t mtu)
{
    static uint8_t old[PIECES][1600];
    size_t n = pieces, lens[PIECES], i, k, got = 0;
    static uint8_t fresh[PIECES][1600];
    static size_t fresh_len[PIECES];

    for (i = 0; i < n; i++) {
        lens[i] = piece[i].len;
        memcpy(old[i], piece[i].p, lens[i]);
    }
    for (i = 0; i < n; i++) {
        assert_status(cut(old[i], lens[i], mtu, 0), IPSEC_CONSUMED);
        for (k = 0; k < pieces && got < PIECES; k++, got++) {
            memcpy(fresh[got], piece[k].p, piece[k].len);
            fresh_len[got] = piece[k].len;
        }
    }
    pieces_free();
    assert_true(got < PIECES);
    for (; pieces < got; pieces++) {
        piece[pieces].p = malloc(fresh_len[pieces]);
        assert_non_null(piece[pieces].p);
        memcpy(piece[pieces].p, fresh[pieces], fresh_len[pieces]);
        piece[pieces].len = fresh_len[pieces];
    }
}

static int
give(struct ipsec_reass *re, size_t i, struct ipsec_buf *out)
{
    struct fx_pkt p;
    int rc;

    fx_pkt_new(&p, piece[i].p, piece[i].len, 0, 0);
    *out = p.pkt.buf;
    rc = ipsec_reass(re, out, 5);
    fx_pkt_free(&p);
    return rc;
}

/* In any order, some twice: what comes out is what went in. */
static void
put_together(struct ipsec_reass *re, const uint8_t *want, size_t len)
{
    struct ipsec_buf out;
    size_t order[PIECES], i, k, swap;
    int rc;

    for (i = 0; i < pieces; i++) {
        order[i] = i;
    }
    for (i = pieces; i > 1; i--) {
        k = rnd((uint32_t)i);
        swap = order[i - 1];
        order[i - 1] = order[k];
        order[k] = swap;
    }
    for (i = 0; i < pieces; i++) {
        if (i > 0 && rnd(4) == 0) {
            assert_status(give(re, order[rnd((uint32_t)i)], &out),
                          IPSEC_CONSUMED);
        }
        rc = give(re, order[i], &out);
        assert_status(rc, i + 1 < pieces ? IPSEC_CONSUMED : IPSEC_OK);
    }
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, want, len);
    assert_true((size_t)(out.data - out.head) >= re->headroom);
    assert_true((size_t)(out.end - out.data) >= out.len + re->tailroom);
    ipsec_reass_release(re, out.head);
}

static void
test_fragment_and_back(void **state)
{
    static uint8_t b[6000];
    struct ipsec_reass_slot slot;
    struct ipsec_reass re;
    size_t n, len, mtu;

    (void)state;
    fx_init(&fx, 0);
    memset(&re, 0, sizeof re);
    memset(&slot, 0, sizeof slot);
    re.slot = &slot;
    re.len = 1;
    re.seconds = 30;
    re.headroom = IPSEC_HEADROOM;
    re.tailroom = IPSEC_TAILROOM;
    slot.size = IPSEC_REASS_SIZE(4200, IPSEC_HEADROOM, IPSEC_TAILROOM);
    slot.buf = malloc(slot.size);
    assert_non_null(slot.buf);
    for (n = 0; n < 1500; n++) {
        len = random_packet(b);
        mtu = 152 + rnd(1400);
        fx_note("packet %zu: IPv%d, %zu bytes, mtu %zu", n, b[0] >> 4, len,
                mtu);
        if (len <= mtu) {
            continue;
        }
        assert_status(cut(b, len, mtu, (uint32_t)n), IPSEC_CONSUMED);
        if (b[0] >> 4 == 4 && len < 2000 && rnd(2)) {
            pieces_cut_again(120);
        }
        put_together(&re, b, len);
    }
    pieces_free();
    assert_true(re.datagrams > 500 && re.overlaps + re.malformed == 0);
    assert_true(re.timeouts + re.evicted == 0);
    free(slot.buf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fragment_ipv4),
        cmocka_unit_test(test_fragment_ipv6),
        cmocka_unit_test(test_fragment_options),
        cmocka_unit_test(test_fragment_what_fits_is_let_be),
        cmocka_unit_test(test_fragment_least_mtu),
        cmocka_unit_test(test_fragment_exact_fit),
        cmocka_unit_test(test_fragment_bad_input),
        cmocka_unit_test(test_fragment_of_a_fragment),
        cmocka_unit_test(test_fragment_and_back)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
