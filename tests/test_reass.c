/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"
#include "ipsec/netif.h"

/* Reassembly: RFC 791, RFC 8200 section 4.5, RFC 5722. That whatever is cut
 * up comes out again is in test_fragment.c. */

#define SLOTS 4
#define HEAD 10
#define TAIL 7
#define HOLDS 512 /* bytes of payload */
#define SECONDS 30

static struct ipsec_reass re;
static struct ipsec_reass_slot slot[SLOTS];
static struct ipsec_buf out;
static uint32_t now;

/* A fragment, of bytes that follow from where they are and from `seed`. */
struct frag_spec {
    int         v6;
    size_t      at, len;
    int         more;
    uint32_t    id;
    uint8_t     seed, tos;
    const char *src, *dst;
    size_t      hdr;  /* more of headers than the least */
    uint8_t     proto;
};

static size_t
frag_build(uint8_t *b, const struct frag_spec *f)
{
    struct packet_spec spec = { .dst = f->v6 ? "fd00::9" : "10.0.0.9" };
    size_t hdr, i;

    spec.src = f->src != NULL ? f->src : f->v6 ? "fd00::1" : "10.0.0.1";
    spec.dst = f->dst != NULL ? f->dst : spec.dst;
    spec.tos = f->tos;
    spec.proto = f->proto ? f->proto : 253;
    spec.mf = (uint8_t)f->more;
    spec.frag = (uint16_t)(f->at / 8);
    spec.id = (uint16_t)f->id;
    spec.opt_len = f->v6 ? 0 : f->hdr;
    spec.ext = f->hdr >= 24 ? "rl" : "l";
    hdr = packet_build(b, &spec);
    if (f->v6) {
        put16(b + hdr - 6, (uint32_t)f->at | (f->more ? 1u : 0));
        put32(b + hdr - 4, f->id);
        put16(b + 4, (uint32_t)(hdr + f->len - 40));
    } else {
        put16(b + 2, (uint32_t)(hdr + f->len));
        packet_fix(b);
    }
    for (i = 0; i < f->len; i++) {
        b[hdr + i] = (uint8_t)((f->at + i) * 13 + f->seed);
    }
    return hdr + f->len;
}

static int
give_bytes(const uint8_t *b, size_t len)
{
    struct fx_pkt p;
    int rc;

    fx_pkt_new(&p, b, len, 0, 0);
    out = p.pkt.buf;
    rc = ipsec_reass(&re, &out, now);
    fx_pkt_free(&p);
    return rc;
}

static int
give(const struct frag_spec *f)
{
    static uint8_t b[70000];

    return give_bytes(b, frag_build(b, f));
}

static int
give4(size_t at, size_t len, int more)
{
    struct frag_spec f = { .at = at, .len = len, .more = more };

    return give(&f);
}

static void
setup(uint8_t len)
{
    size_t i;

    memset(&re, 0, sizeof re);
    re.slot = slot;
    re.len = len;
    re.seconds = SECONDS;
    re.headroom = HEAD;
    re.tailroom = TAIL;
    now = 1000;
    for (i = 0; i < SLOTS; i++) {
        free(slot[i].buf);
        memset(&slot[i], 0, sizeof slot[i]);
        slot[i].size = IPSEC_REASS_SIZE(HOLDS, HEAD, TAIL);
        slot[i].buf = malloc(slot[i].size);
        assert_non_null(slot[i].buf);
        memset(slot[i].buf, 0xee, slot[i].size);
    }
}

static int
teardown(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < SLOTS; i++) {
        free(slot[i].buf);
        slot[i].buf = NULL;
    }
    return 0;
}

/* What came out has these bytes as its payload, and is whole. */
static void
assert_whole(int v6, size_t hdr, size_t len)
{
    size_t i;

    assert_int_equal(out.len, hdr + len);
    assert_int_equal(packet_len(out.data), hdr + len);
    assert_true(packet_intact(out.data));
    assert_int_equal(out.data[v6 ? 6 : 9], hdr > 60 ? 43 : 253);
    if (!v6) {
        assert_int_equal(get16(out.data + 6), 0); /* P-3.4.1-2 */
    }
    for (i = 0; i < len; i++) {
        assert_int_equal(out.data[hdr + i], (uint8_t)(i * 13));
    }
    assert_true(out.data - out.head >= HEAD);
    assert_true((size_t)(out.end - out.data) >= out.len + TAIL);
    ipsec_reass_release(&re, out.head);
}

/* Three fragments in each order, over both versions. */
static void
test_reass_in_any_order(void **state)
{
    static const int order[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                     { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    static const struct frag_spec part[3] = {
        { .at = 0, .len = 64, .more = 1 }, { .at = 64, .len = 8, .more = 1 },
        { .at = 72, .len = 13 }
    };
    struct frag_spec f;
    size_t i, k;
    int v6;

    (void)state;
    for (v6 = 0; v6 < FX_IPS; v6++) {
        setup(1);
        for (i = 0; i < 6; i++) {
            for (k = 0; k < 3; k++) {
                f = part[order[i][k]];
                f.v6 = v6;
                f.id = (uint32_t)(i + 0x70000);
                assert_status(give(&f), k < 2 ? IPSEC_CONSUMED : IPSEC_OK);
            }
            assert_whole(v6, v6 ? 40 : 20, 85);
        }
        assert_true(re.datagrams == 6);
        assert_true(re.timeouts + re.evicted + re.overlaps == 0);
    }
}

/* attacks.md 83, P-3.3.4-3, X-19 (RFC 6946): atomic fragments are whole; so
 * is what is none. Not a byte is looked at twice. */
static void
test_reass_whole_ones_pass(void **state)
{
    static const char *const exts[] = { "", "a", "hadr", NULL };
    struct packet_spec spec = { .proto = 17, .payload = 40, .df = 1 };
    uint8_t b[256];
    struct fx_pkt p;
    size_t i, len;

    (void)state;
    setup(0);
    for (i = 0; i < COUNT(exts); i++) {
        spec.src = exts[i] != NULL ? "fd00::1" : "10.0.0.1";
        spec.dst = exts[i] != NULL ? "fd00::2" : "10.0.0.2";
        spec.ext = exts[i];
        len = packet_build(b, &spec);
        fx_pkt_new(&p, b, len, 3, 0);
        out = p.pkt.buf;
        assert_status(ipsec_reass(&re, &out, now), IPSEC_OK);
        assert_memory_equal(&out, &p.pkt.buf, sizeof out);
        assert_true(fx_pkt_is(&p, b, len));
        fx_pkt_free(&p);
    }
    assert_true(re.datagrams == 0);
}

/* Each is given after 64..127, more to come, and 128..135, the end. */
static const struct {
    size_t at, len;
    int more;
    uint8_t seed;
    int want;
} clash[] = {
    /* attacks.md 81: the same again */
    { 64, 64, 1, 0, IPSEC_CONSUMED },
    { 128, 8, 0, 0, IPSEC_CONSUMED },
    { 72, 16, 1, 0, IPSEC_CONSUMED }, /* cut otherwise, not a byte new */
    /* attacks.md 72 and 73: overlaps, or other contents */
    { 64, 64, 1, 1, IPSEC_ERR_MALFORMED },
    { 56, 16, 1, 0, IPSEC_ERR_MALFORMED },
    { 120, 8, 1, 3, IPSEC_ERR_MALFORMED },
    { 0, 72, 1, 0, IPSEC_ERR_MALFORMED },
    { 0, 128, 1, 0, IPSEC_ERR_MALFORMED },
    { 128, 8, 0, 1, IPSEC_ERR_MALFORMED },
    /* another end, or beyond it */
    { 128, 7, 0, 0, IPSEC_ERR_MALFORMED },
    { 128, 9, 0, 0, IPSEC_ERR_MALFORMED },
    { 128, 8, 1, 0, IPSEC_ERR_MALFORMED },
    { 136, 8, 0, 0, IPSEC_ERR_MALFORMED },
    { 136, 8, 1, 0, IPSEC_ERR_MALFORMED },
    { 8, 16, 0, 0, IPSEC_ERR_MALFORMED },
};

/* A clash is the end of the datagram and of all that still comes of it (RFC
 * 5722): until its time is up it is not begun again. */
static void
test_reass_overlaps(void **state)
{
    struct frag_spec f;
    size_t i;

    (void)state;
    for (i = 0; i < 2 * COUNT(clash); i++) {
        fx_note("row %zu, IPv%d", i / 2, i % 2 ? 6 : 4);
        setup(SLOTS);
        f = (struct frag_spec){ .at = 64, .len = 64, .more = 1 };
        f.v6 = i % 2;
        assert_status(give(&f), IPSEC_CONSUMED);
        f.at = 128;
        f.len = 8;
        f.more = 0;
        assert_status(give(&f), IPSEC_CONSUMED);
        f.at = clash[i / 2].at;
        f.len = clash[i / 2].len;
        f.more = clash[i / 2].more;
        f.seed = clash[i / 2].seed;
        assert_status(give(&f), clash[i / 2].want);
        f = (struct frag_spec){ .at = 0, .len = 64, .more = 1 };
        f.v6 = i % 2;
        if (clash[i / 2].want == IPSEC_CONSUMED) {
            assert_status(give(&f), IPSEC_OK);
            assert_whole(f.v6, f.v6 ? 40 : 20, 136);
            continue;
        }
        assert_true(re.overlaps == 1 && re.datagrams == 0);
        assert_status(give(&f), IPSEC_ERR_MALFORMED);
        now += SECONDS - 1;
        assert_status(give(&f), IPSEC_ERR_MALFORMED);
        now++;
        assert_status(give(&f), IPSEC_CONSUMED);
        assert_true(re.overlaps == 1 && re.timeouts == 0);
    }
}

/* What an earlier datagram has left in the slot is no part of this one. */
static void
test_reass_leftovers_are_not_there(void **state)
{
    (void)state;
    setup(1);
    assert_status(give4(0, 64, 1), IPSEC_CONSUMED);
    assert_status(give4(64, 64, 0), IPSEC_OK);
    assert_whole(0, 20, 128);
    assert_status(give4(0, 64, 1), IPSEC_CONSUMED);
    assert_status(give4(32, 64, 1), IPSEC_ERR_MALFORMED);
    assert_true(re.overlaps == 1);
}

/* The end, told late and too near; or where it is already filled. */
static void
test_reass_late_end(void **state)
{
    (void)state;
    setup(1);
    assert_status(give4(64, 8, 1), IPSEC_CONSUMED);
    assert_status(give4(16, 8, 0), IPSEC_ERR_MALFORMED);
    setup(1);
    assert_status(give4(64, 8, 1), IPSEC_CONSUMED);
    assert_status(give4(64, 8, 0), IPSEC_ERR_MALFORMED);
    assert_true(re.overlaps == 1);
}

/* Each alone: dropped, and leaves nothing behind. */
static void
test_reass_malformed(void **state)
{
    static const struct frag_spec row[] = {
        { .at = 0, .len = 12, .more = 1 }, { .at = 8, .len = 7, .more = 1 },
        { .at = 8, .len = 0, .more = 1 }, { .at = 8, .len = 0 },
        /* attacks.md 78 */
        { .at = 65528, .len = 9 }, { .at = 65520, .len = 24, .more = 1 },
        { .v6 = 1, .at = 65528, .len = 8 }, { .v6 = 1, .at = 65528, .len = 9 },
        { .v6 = 1, .at = 8, .len = 65535 - 7 },
        { .v6 = 1, .at = 0, .len = 9, .more = 1 },
        { .v6 = 1, .at = 8, .len = 65528 - 16, .hdr = 24 },
    };
    static uint8_t b[70000];
    size_t i, len;

    (void)state;
    setup(SLOTS);
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        assert_status(give(&row[i]), IPSEC_ERR_MALFORMED);
        assert_true(re.malformed == i + 1);
        assert_int_equal(slot[0].state, 0);
    }
    len = frag_build(b, &(struct frag_spec){ .at = 8, .len = 8 });
    b[8]++; /* attacks.md 20: the checksum */
    assert_status(give_bytes(b, len), IPSEC_ERR_MALFORMED);
    assert_status(give_bytes(b, 3), IPSEC_ERR_MALFORMED);
    assert_status(give_bytes(b, 0), IPSEC_ERR_MALFORMED);
    assert_int_equal(slot[0].state, 0);
}

/* More than the slot holds: nothing of it can come of use. */
static void
test_reass_what_a_slot_holds(void **state)
{
    (void)state;
    setup(1);
    assert_status(give4(0, HOLDS - 8, 1), IPSEC_CONSUMED);
    assert_status(give4(HOLDS - 8, 8, 0), IPSEC_OK);
    assert_whole(0, 20, HOLDS);
    assert_status(give4(HOLDS, 1, 0), IPSEC_ERR_MALFORMED);
    assert_true(re.malformed == 1);
    assert_status(give4(0, 8, 1), IPSEC_ERR_MALFORMED);
}

/* IPSEC_REASS_SIZE() to the byte, for any payload, and no memory at all. */
static void
test_reass_size(void **state)
{
    size_t n, size;
    int less;

    (void)state;
    for (n = 16; n <= 700; n++) {
        for (less = 0; less < 2; less++) {
            setup(1);
            free(slot[0].buf);
            size = IPSEC_REASS_SIZE(n, HEAD, TAIL) - (size_t)less;
            slot[0].size = size;
            slot[0].buf = malloc(size);
            assert_non_null(slot[0].buf);
            assert_status(give4(0, 8, 1), IPSEC_CONSUMED);
            assert_status(give4(8, n - 8, 0),
                          less ? IPSEC_ERR_MALFORMED : IPSEC_OK);
        }
    }
    setup(1);
    for (slot[0].size = 0; slot[0].size <= HEAD + TAIL + 112;
         slot[0].size++) {
        slot[0].state = 0;
        assert_status(give4(0, 8, 1), IPSEC_ERR_MALFORMED);
    }
}

/* The longest there is: 65,535 bytes. */
static void
test_reass_longest(void **state)
{
    struct frag_spec f = { .at = 0, .len = 32768, .more = 1 };
    int v6;

    (void)state;
    for (v6 = 0; v6 < FX_IPS; v6++) {
        setup(1);
        free(slot[0].buf);
        slot[0].size = IPSEC_REASS_SIZE(65535, HEAD, TAIL);
        slot[0].buf = malloc(slot[0].size);
        assert_non_null(slot[0].buf);
        f.v6 = v6;
        f.at = 32768;
        f.len = v6 ? 32767 : 32747;
        f.more = 0;
        assert_status(give(&f), IPSEC_CONSUMED);
        f.at = 0;
        f.len = 32768;
        f.more = 1;
        assert_status(give(&f), IPSEC_OK);
        assert_whole(v6, v6 ? 40 : 20, v6 ? 65535 : 65515);
    }
}

/* Headers are the first's: its options, its TTL; over IPv6 its next header.
 * Then it may be too long after all. */
static void
test_reass_headers_are_the_firsts(void **state)
{
    struct frag_spec f = { .at = 16, .len = 8 };
    static uint8_t b[256];
    size_t len;

    (void)state;
    setup(1);
    assert_status(give(&f), IPSEC_CONSUMED);
    f.at = 0;
    f.len = 16;
    f.more = 1;
    f.hdr = 8;
    f.tos = 0x50;
    len = frag_build(b, &f);
    b[8] = 33;
    packet_fix(b);
    assert_status(give_bytes(b, len), IPSEC_OK);
    assert_int_equal(out.data[0], 0x47);
    assert_int_equal(out.data[1], 0x50);
    assert_int_equal(out.data[8], 33);
    assert_whole(0, 28, 24);

    f = (struct frag_spec){ .v6 = 1, .at = 16, .len = 8, .hdr = 24 };
    f.proto = 99;
    assert_status(give(&f), IPSEC_CONSUMED);
    f.at = 0;
    f.len = 16;
    f.more = 1;
    f.proto = 253;
    assert_status(give(&f), IPSEC_OK);
    assert_int_equal(out.data[6], 43);
    assert_int_equal(out.data[40], 253);
    assert_whole(1, 64, 24);

    setup(1);
    free(slot[0].buf);
    slot[0].size = IPSEC_REASS_SIZE(65535, HEAD, TAIL);
    slot[0].buf = malloc(slot[0].size);
    assert_non_null(slot[0].buf);
    assert_status(give4(32768, 32747, 0), IPSEC_CONSUMED);
    f = (struct frag_spec){ .len = 32768, .more = 1, .hdr = 4 };
    assert_status(give(&f), IPSEC_ERR_MALFORMED);
    assert_true(re.malformed == 1 && re.datagrams == 0);
}

/* Headers longer than there is room for. */
static void
test_reass_long_headers(void **state)
{
    struct packet_spec spec = { .src = "fd00::1", .dst = "fd00::2",
                                .proto = 253, .payload = 16 };
    uint8_t b[256];

    (void)state;
    setup(1);
    spec.ext = "hDDf"; /* 40 + 56 */
    assert_status(give_bytes(b, packet_build(b, &spec)), IPSEC_CONSUMED);
    setup(1);
    spec.ext = "hDDddf"; /* 40 + 72 */
    assert_status(give_bytes(b, packet_build(b, &spec)),
                  IPSEC_ERR_MALFORMED);
}

/* attacks.md 92: over IPv6 the first fragment has all headers (RFC 8200
 * section 4.5, RFC 7112). */
static void
test_reass_first_has_the_header_chain(void **state)
{
    static const struct {
        uint8_t proto;
        const char *ext;
        size_t len; /* of the first: a byte less is refused */
    } row[] = {
        { 6, "f", 72 }, { 17, "f", 56 }, { 132, "f", 56 }, { 6, "fD", 96 },
        { 17, "hfd", 72 }, { 58, "fd", 64 }
    };
    struct packet_spec spec = { .src = "fd00::1", .dst = "fd00::2",
                                .payload = 64 };
    uint8_t b[512];
    size_t i, len;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        spec.proto = row[i].proto;
        spec.ext = row[i].ext;
        packet_build(b, &spec);
        for (len = 56; len <= row[i].len; len += 8) {
            fx_note("row %zu, %zu bytes", i, len);
            setup(1);
            put16(b + 4, (uint32_t)len - 40);
            assert_status(give_bytes(b, len), len < row[i].len
                          ? IPSEC_ERR_MALFORMED : IPSEC_CONSUMED);
        }
    }
}

/* attacks.md 82 (RFC 3168 section 5.3): CE wherever it was, and never on one
 * that doesn't know of it. */
static void
test_reass_ecn(void **state)
{
    static const struct {
        uint8_t tos[3];
        int want; /* the first's DSCP with this; -1: drop */
    } row[] = {
        { { 0, 0, 0 }, 0 }, { { 1, 1, 1 }, 1 }, { { 2, 2, 2 }, 2 },
        { { 3, 3, 3 }, 3 }, { { 2, 3, 2 }, 3 }, { { 1, 1, 3 }, 3 },
        { { 3, 2, 1 }, 3 }, { { 2, 1, 2 }, 2 }, { { 0, 3, 0 }, -1 },
        { { 3, 0, 3 }, -1 }, { { 2, 2, 0 }, -1 }, { { 0, 1, 0 }, -1 },
        { { 0x88, 0x20, 0 }, 0 }
    };
    struct frag_spec f;
    size_t i, k;
    int rc = 0;

    (void)state;
    for (i = 0; i < 2 * COUNT(row); i++) {
        fx_note("row %zu, IPv%d", i / 2, i % 2 ? 6 : 4);
        setup(1);
        for (k = 0; k < 3; k++) {
            f = (struct frag_spec){ .at = k * 8, .len = 8, .more = k < 2 };
            f.v6 = i % 2;
            f.tos = row[i / 2].tos[k] | (k == 0 ? 0xa0 : 0x14);
            rc = give(&f);
            if (rc < 0) {
                break;
            }
        }
        if (row[i / 2].want < 0) {
            assert_status(rc, IPSEC_ERR_ECN);
            assert_status(give(&f), IPSEC_ERR_MALFORMED);
            assert_true(re.datagrams == 0 && re.malformed == 1);
            continue;
        }
        assert_status(rc, IPSEC_OK);
        rc = i % 2 ? out.data[0] << 4 | out.data[1] >> 4 : out.data[1];
        assert_int_equal(rc & 255,
                         ((row[i / 2].tos[0] | 0xa0) & 0xfc) |
                             row[i / 2].want);
        assert_whole(f.v6, f.v6 ? 40 : 20, 24);
    }
}

/* What a datagram is known by: for IPv4 the protocol too, for IPv6 not. */
static void
test_reass_key(void **state)
{
    static const struct {
        int v6;
        struct frag_spec f;
        int want;
    } row[] = {
        { 0, { .id = 7 }, IPSEC_OK },
        { 0, { .id = 8 }, IPSEC_CONSUMED },
        { 0, { .id = 7, .src = "10.0.0.2" }, IPSEC_CONSUMED },
        { 0, { .id = 7, .dst = "10.0.0.8" }, IPSEC_CONSUMED },
        { 0, { .id = 7, .proto = 99 }, IPSEC_CONSUMED },
        { 1, { .id = 7 }, IPSEC_OK },
        { 1, { .id = 0x10007 }, IPSEC_CONSUMED },
        { 1, { .id = 7, .src = "fd00::2" }, IPSEC_CONSUMED },
        { 1, { .id = 7, .dst = "fd00::8" }, IPSEC_CONSUMED },
        { 1, { .id = 7, .proto = 99 }, IPSEC_OK },
    };
    struct frag_spec f;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        setup(SLOTS);
        f = (struct frag_spec){ .len = 16, .more = 1, .id = 7 };
        f.v6 = row[i].v6;
        assert_status(give(&f), IPSEC_CONSUMED);
        f = row[i].f;
        f.v6 = row[i].v6;
        f.at = 16;
        f.len = 8;
        assert_status(give(&f), row[i].want);
    }
}

/* attacks.md 80: the last is missing. */
static void
test_reass_timeout(void **state)
{
    static const uint32_t start[] = { 0, 77, UINT32_MAX - 7 };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(start); i++) {
        setup(1);
        now = start[i];
        assert_status(give4(0, 16, 1), IPSEC_CONSUMED);
        now += SECONDS - 1;
        assert_status(give4(24, 8, 1), IPSEC_CONSUMED);
        assert_true(re.timeouts == 0);
        now++;
        assert_status(give4(16, 8, 0), IPSEC_CONSUMED);
        assert_true(re.timeouts == 1);
        ipsec_reass_tick(&re, now + SECONDS - 1);
        assert_true(re.timeouts == 1);
        ipsec_reass_tick(&re, now + SECONDS);
        assert_true(re.timeouts == 2);
        ipsec_reass_tick(&re, now + SECONDS);
        assert_true(re.timeouts == 2 && re.evicted == 0);
    }
}

static int
begin(const char *src, uint32_t id)
{
    struct frag_spec f = { .len = 16, .more = 1, .src = src, .id = id };

    return give(&f);
}

static int
end(const char *src, uint32_t id)
{
    struct frag_spec f = { .at = 16, .len = 8, .src = src, .id = id };
    int rc = give(&f);

    if (rc == IPSEC_OK) {
        ipsec_reass_release(&re, out.head);
    }
    return rc;
}

/* attacks.md 79: many sources; the oldest makes room. */
static void
test_reass_flood_evicts_the_oldest(void **state)
{
    static const char *const src[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3",
                                       "10.0.0.4", "10.0.0.5" };
    uint32_t i;

    (void)state;
    setup(SLOTS);
    for (i = 0; i < SLOTS; i++, now++) {
        assert_status(begin(src[i], 1), IPSEC_CONSUMED);
    }
    assert_true(re.evicted == 0);
    assert_status(begin(src[4], 1), IPSEC_CONSUMED);
    assert_true(re.evicted == 1);
    for (i = 1; i < 5; i++) {
        assert_status(end(src[i], 1), IPSEC_OK);
    }
    assert_status(end(src[0], 1), IPSEC_CONSUMED); /* it begins again */
}

/* attacks.md 79: one source has half of the slots at most. */
static void
test_reass_flood_of_one_source(void **state)
{
    uint32_t i;

    (void)state;
    setup(SLOTS);
    assert_status(begin("10.0.0.2", 1), IPSEC_CONSUMED);
    for (i = 0; i < 100; i++) {
        now += i % 8 == 7;
        assert_status(begin("10.0.0.1", i), IPSEC_CONSUMED);
    }
    assert_true(re.evicted == 98);
    assert_status(begin("10.0.0.3", 1), IPSEC_CONSUMED);
    assert_true(re.evicted == 98);
    assert_status(end("10.0.0.1", 99), IPSEC_OK);
    assert_status(end("10.0.0.2", 1), IPSEC_OK);
    assert_status(end("10.0.0.3", 1), IPSEC_OK);
}

/* Memory that somebody still uses is nobody else's. */
static void
test_reass_lent_slots(void **state)
{
    uint8_t keep[24];
    struct ipsec_buf first;

    (void)state;
    setup(1);
    assert_status(begin("10.0.0.1", 1), IPSEC_CONSUMED);
    assert_status(give(&(struct frag_spec){ .at = 16, .len = 8, .id = 1 }),
                  IPSEC_OK);
    first = out;
    memcpy(keep, first.data + 20, 24);
    assert_status(begin("10.0.0.1", 1), IPSEC_ERR_BUSY);
    assert_status(begin("10.0.0.2", 2), IPSEC_ERR_BUSY);
    ipsec_reass_tick(&re, now + 1000);
    assert_status(begin("10.0.0.2", 2), IPSEC_ERR_BUSY);
    assert_memory_equal(keep, first.data + 20, 24);
    ipsec_reass_release(&re, keep);
    assert_status(begin("10.0.0.2", 2), IPSEC_ERR_BUSY);
    ipsec_reass_release(&re, first.head);
    assert_status(begin("10.0.0.2", 2), IPSEC_CONSUMED);
    ipsec_reass_release(&re, first.head); /* not lent any more */
    assert_status(end("10.0.0.2", 2), IPSEC_OK);
    assert_true(re.timeouts == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reass_in_any_order),
        cmocka_unit_test(test_reass_whole_ones_pass),
        cmocka_unit_test(test_reass_overlaps),
        cmocka_unit_test(test_reass_leftovers_are_not_there),
        cmocka_unit_test(test_reass_late_end),
        cmocka_unit_test(test_reass_malformed),
        cmocka_unit_test(test_reass_what_a_slot_holds),
        cmocka_unit_test(test_reass_size),
        cmocka_unit_test(test_reass_longest),
        cmocka_unit_test(test_reass_headers_are_the_firsts),
        cmocka_unit_test(test_reass_long_headers),
        cmocka_unit_test(test_reass_first_has_the_header_chain),
        cmocka_unit_test(test_reass_ecn),
        cmocka_unit_test(test_reass_key),
        cmocka_unit_test(test_reass_timeout),
        cmocka_unit_test(test_reass_flood_evicts_the_oldest),
        cmocka_unit_test(test_reass_flood_of_one_source),
        cmocka_unit_test(test_reass_lent_slots)
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
