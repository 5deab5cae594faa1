/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "ipsec_mbedtls.h"

/* AES-GMAC as the MAC of AH (RFC 4543 section 4; C-14, C-15, G-14). */

#define GMAC(bits, key) \
    { "GMAC-" #bits, IPSEC_ENCR_NULL, IPSEC_INTEG_AES_GMAC_ ## bits, 0, key, \
      8, 4, 16 }

static const struct suite gmac[] = { GMAC(128, 20), GMAC(192, 28),
                                     GMAC(256, 36) };

static struct pair pair;
static uint8_t wire[2048], plain[2048];
static size_t wire_len, plain_len;

/* mbedTLS's GCM has memory of its own, which it gives back with the key. */
static int
finish(void **state)
{
    (void)state;
    if (pair.out.sa.state == IPSEC_SA_MATURE) {
        (void)ipsec_sad_remove(&pair.a.ips, &pair.out.sa);
    }
    if (pair.in.sa.state == IPSEC_SA_MATURE) {
        (void)ipsec_sad_remove(&pair.b.ips, &pair.in.sa);
    }
    return 0;
}

static void
prepare(const struct suite *s, int mode, int version, int real)
{
    finish(NULL);
    pair_prepare(&pair, s, mode, version);
    pair.out.params.proto = pair.in.params.proto = IPSEC_PROTO_AH;
    pair.pa.proto = pair.pb.proto = IPSEC_PROTO_AH;
    if (real) {
        pair.a.cfg.crypto = pair.b.cfg.crypto = &ipsec_mbedtls;
    }
}

static void
esn(void)
{
    pair.out.params.flags |= IPSEC_SA_ESN;
    pair.in.params.flags |= IPSEC_SA_ESN;
}

static void
seal(const uint8_t *data, size_t len)
{
    struct fx_pkt p;

    fx_pkt_new(&p, data, len, IPSEC_HEADROOM, 0);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_OK);
    wire_len = p.pkt.buf.len;
    memcpy(wire, p.pkt.buf.data, wire_len);
    fx_pkt_free(&p);
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
build(int version, size_t payload)
{
    struct packet_spec spec = pair_spec(&pair, version, 17, payload);

    plain_len = packet_build(plain, &spec);
}

/*
 * Known answers. Made with a script that has nothing of this library: packets
 * with Python's struct, as RFC 4302 draws them, mutable fields zero in what is
 * authenticated; the tag with the AESGCM of Python's `cryptography` (OpenSSL),
 * of an empty text, with headers, AH (IV as sent, ICV zero, padding), payload
 * and, with ESN, the high half as additional data. Keys are 00 01 02 ..., the
 * salt is cafebabe, the SPI 1001. The IV is the number.
 */
static const struct answer {
    const char *name;
    int         mode, version;
    uint16_t    integ, key_len, flags;
    uint64_t    seq;
    const char *plain, *wire;
} answers[] = {
    { "128, IPv4, transport", IPSEC_MODE_TRANSPORT, 4,
      IPSEC_INTEG_AES_GMAC_128, 20, 0, UINT64_C(0x1),
      "450000301234000040117c52c0000201c633640213880007001ca58b00010203"
      "0405060708090a0b0c0d0e0f10111213",
      "450000541234000040337c0cc0000201c6336402110700000000100100000001"
      "00000000000000010f1fa0aa993a861e25f88a04d21b796c13880007001ca58b"
      "000102030405060708090a0b0c0d0e0f10111213" },
    { "192, IPv4, tunnel", IPSEC_MODE_TUNNEL, 4,
      IPSEC_INTEG_AES_GMAC_192, 28, 0, UINT64_C(0xfffffffe),
      "4500002300010000401166c40a0100010a02000213880007000fcc3200010203"
      "040506",
      "4500005befff000040339e39c0000201c63364020407000000001001fffffffe"
      "00000000fffffffec91608b87c90e2b2310948bd3e133b084500002300010000"
      "401166c40a0100010a02000213880007000fcc3200010203040506" },
    { "256, IPv6, transport, ESN", IPSEC_MODE_TRANSPORT, 6,
      IPSEC_INTEG_AES_GMAC_256, 36, IPSEC_SA_ESN, UINT64_C(0x500000007),
      "600000000029114020010db800000000000000000000000120010db800ff0000"
      "00000000000000021388000700297e98000102030405060708090a0b0c0d0e0f"
      "101112131415161718191a1b1c1d1e1f20",
      "600000000051334020010db800000000000000000000000120010db800ff0000"
      "0000000000000002110800000000100100000007000000050000000766a337dc"
      "9a2e2a967de9397126721ebd000000001388000700297e980001020304050607"
      "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20" },
    { "128, IPv6, tunnel, ESN", IPSEC_MODE_TUNNEL, 6,
      IPSEC_INTEG_AES_GMAC_128, 20, IPSEC_SA_ESN, UINT64_C(0x1122334455),
      "4500002100010000401166c60a0100010a02000213880007000dd23b00010203"
      "04",
      "600000000049334020010db800000000000000000000000120010db800ff0000"
      "000000000000000204080000000010012233445500000011223344559f345da9"
      "d947b07d1317ee4754da0bbb000000004500002100010000401166c60a010001"
      "0a02000213880007000dd23b0001020304" },
};

static size_t
unhex(uint8_t *to, const char *hex)
{
    size_t n = 0;
    unsigned byte;

    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        to[n++] = (uint8_t)byte;
    }
    return n;
}

static void
answer_prepare(const struct answer *a, const uint8_t *key)
{
    struct ipsec_sa_params *q[2];
    size_t i;

    prepare(&gmac[a->integ - IPSEC_INTEG_AES_GMAC_128], a->mode, a->version,
            1);
    q[0] = &pair.out.params;
    q[1] = &pair.in.params;
    for (i = 0; i < 2; i++) {
        q[i]->km.integ_key = key;
        q[i]->flags |= a->flags;
        q[i]->seq = a->seq - 1;
    }
    assert_int_equal(q[0]->km.integ_key_len, a->key_len);
    pair_begin(&pair);
}

static void
test_gmac_known_answers(void **state)
{
    uint8_t key[36], want[256];
    size_t i, k, len;

    (void)state;
    for (i = 0; i < COUNT(answers); i++) {
        fx_note("%s", answers[i].name);
        for (k = 0; k + 4 < answers[i].key_len; k++) {
            key[k] = (uint8_t)k;
        }
        memcpy(key + k, "\xca\xfe\xba\xbe", 4);
        answer_prepare(&answers[i], key);
        plain_len = unhex(plain, answers[i].plain);
        len = unhex(want, answers[i].wire);
        seal(plain, plain_len);
        assert_int_equal(wire_len, len);
        assert_memory_equal(wire, want, len);
        opens();
    }
}

/* 36 bytes, and in IPv6 40, for there the header is a multiple of 8 (RFC 4302
 * section 2.2). The number is the IV. */
static void
test_gmac_layout(void **state)
{
    static const struct { int version; uint16_t flags; size_t len; } row[] = {
        { 4, 0, 36 }, { 4, IPSEC_SA_AH_ALIGN8, 40 }, { 6, 0, 40 },
    };
    size_t i, m, s, k, head, tail, at;

    (void)state;
    for (i = 0; i < COUNT(row) * 6; i++) {
        m = i % 2 + 1;
        s = i / 2 % 3;
        fx_note("row %zu, mode %zu, %s", i / 6, m, gmac[s].name);
        prepare(&gmac[s], (int)m, row[i / 6].version, 0);
        pair.out.params.flags |= row[i / 6].flags;
        pair.in.params.flags |= row[i / 6].flags;
        pair.out.params.seq = 0xfffff;
        pair_begin(&pair);
        build(row[i / 6].version, 10);
        seal(plain, plain_len);
        at = row[i / 6].version == 4 ? 20 : 40;
        ipsec_sa_room(&pair.out.sa, &head, &tail);
        assert_int_equal(head, row[i / 6].len + (m == 2 ? at : 0));
        assert_int_equal(wire_len, plain_len + head);
        assert_int_equal(wire[at + 1], row[i / 6].len / 4 - 2);
        assert_memory_equal(wire + at + 12, "\0\0\0\0\0\x10\0\0", 8);
        for (k = 36; k < row[i / 6].len; k++) {
            assert_int_equal(wire[at + k], 0);
        }
        opens();
    }
}

/* As the engine gets it: IV included, ICV zero. */
static void
test_gmac_operation(void **state)
{
    (void)state;
    prepare(&gmac[0], IPSEC_MODE_TRANSPORT, 4, 0);
    esn();
    pair.out.params.seq = UINT64_C(0x700000000);
    pair_begin(&pair);
    build(4, 10);
    seal(plain, plain_len);
    assert_int_equal(pair.a.st.aad_len, 20 + 36);
    assert_memory_equal(pair.a.st.aad + 32, "\0\0\0\7\0\0\0\1", 8);
    assert_memory_equal(pair.a.st.aad + 40, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                        16);
    assert_memory_equal(pair.a.st.tail, "\0\0\0\7", 4);
    assert_memory_equal(pair.a.st.iv[0], "\0\0\0\7\0\0\0\1", 8);
}

/* With the real algorithm: all lengths, and nothing that is changed opens. */
static void
test_gmac_there_and_back(void **state)
{
    size_t s, n;
    int v;

    (void)state;
    for (s = 0; s < COUNT(gmac); s++) {
        for (v = 0; v < 8; v++) {
            prepare(&gmac[s], v % 2 + 1, v & 2 ? 6 : 4, 1);
            if (v & 4) {
                esn();
            }
            pair_begin(&pair);
            for (n = 0; n < 70; n++) {
                fx_note("%s, %d, %zu bytes", gmac[s].name, v, n);
                build(v & 2 ? 6 : 4, n);
                seal(plain, plain_len);
                opens();
            }
        }
    }
}

static void
test_gmac_changed_bytes(void **state)
{
    struct ipsec_sa before;
    size_t s, i;
    int v;

    (void)state;
    for (s = 0; s < COUNT(gmac); s++) {
        for (v = 4; v <= FX_IP_LAST; v += 2) {
            prepare(&gmac[s], IPSEC_MODE_TUNNEL, v, 1);
            pair_begin(&pair);
            build(4, 21);
            seal(plain, plain_len);
            before = pair.in.sa;
            for (i = v == 4 ? 28 : 48; i < wire_len; i++) {
                fx_note("%s, IPv%d, byte %zu", gmac[s].name, v, i);
                wire[i] ^= (uint8_t)(1u << i % 8);
                assert_status(pair_offer(&pair, wire, wire_len),
                              IPSEC_ERR_AUTH);
                wire[i] ^= (uint8_t)(1u << i % 8);
            }
            assert_true(sa_same(&before, &pair.in.sa));
            opens();
        }
    }
}

static void
test_gmac_wrong_key(void **state)
{
    size_t s, i;

    (void)state;
    for (s = 0; s < COUNT(gmac); s++) {
        for (i = 0; i < gmac[s].integ_key; i++) {
            prepare(&gmac[s], IPSEC_MODE_TUNNEL, 4, 1);
            pair.in.material[36 + i] ^= 4;
            pair_begin(&pair);
            build(4, 30);
            seal(plain, plain_len);
            assert_status(pair_offer(&pair, wire, wire_len), IPSEC_ERR_AUTH);
        }
    }
}

static void
test_gmac_wipes_its_keys(void **state)
{
    static const uint8_t zero[sizeof pair.in.key];
    size_t s, n;

    (void)state;
    for (s = 0; s < COUNT(gmac); s++) {
        prepare(&gmac[s], IPSEC_MODE_TUNNEL, 4, 1);
        pair_begin(&pair);
        n = ipsec_mbedtls.key_size(&ipsec_mbedtls, &pair.in.params.km);
        assert_true(n > 0 && n <= sizeof pair.in.key);
        assert_memory_not_equal(&pair.in.key, zero, n);
        assert_status(ipsec_sad_remove(&pair.b.ips, &pair.in.sa), IPSEC_OK);
        assert_memory_equal(&pair.in.key, zero, n);
    }
}

/* Not for ESP (RFC 4543 section 5.3), and with all that a counter mode must
 * not do (section 2; attacks.md 164, 165). */
static void
test_gmac_refused(void **state)
{
    static const struct {
        const char *name;
        int proto, dir;
        uint16_t encr, flags;
        uint64_t hard_seq;
        int key, want;
    } row[] = {
        { "AH", 51, 1, 11, IPSEC_SA_NEGOTIATED, 0, 0, IPSEC_OK },
        { "ESP, NULL", 50, 1, 11, IPSEC_SA_NEGOTIATED, 0, 0,
          IPSEC_ERR_UNSUPPORTED },
        { "ESP, CBC", 50, 1, 12, IPSEC_SA_NEGOTIATED, 0, 0,
          IPSEC_ERR_UNSUPPORTED },
        { "ESP in", 50, 2, 12, IPSEC_SA_NEGOTIATED, 0, 0,
          IPSEC_ERR_UNSUPPORTED },
        { "AH, CBC", 51, 1, 12, IPSEC_SA_NEGOTIATED, 0, 0,
          IPSEC_ERR_UNSUPPORTED },
        { "static", 51, 1, 11, 0, 0, 0, IPSEC_ERR_STATIC_KEY },
        { "static, in", 51, 2, 11, 0, 0, 0, IPSEC_OK },
        { "static, reserved", 51, 1, 11, 0, 99, 0, IPSEC_OK },
        { "rollover", 51, 1, 11, IPSEC_SA_NEGOTIATED | IPSEC_SA_ROLLOVER, 0,
          0, IPSEC_ERR_UNSUPPORTED },
        { "rollover, in", 51, 2, 11,
          IPSEC_SA_NEGOTIATED | IPSEC_SA_ROLLOVER | IPSEC_SA_NO_REPLAY, 0, 0,
          IPSEC_ERR_UNSUPPORTED },
        { "no salt", 51, 1, 11, IPSEC_SA_NEGOTIATED, 0, -4, IPSEC_ERR_KEY },
        { "long key", 51, 1, 11, IPSEC_SA_NEGOTIATED, 0, 1, IPSEC_ERR_KEY },
        { "another's", 51, 1, 11, IPSEC_SA_NEGOTIATED, 0, 8, IPSEC_ERR_KEY },
    };
    struct fx_sa *sa;
    size_t s, i;

    (void)state;
    for (s = 0; s < COUNT(gmac); s++) {
        for (i = 0; i < COUNT(row); i++) {
            fx_note("%s, %s", gmac[s].name, row[i].name);
            prepare(&gmac[s], IPSEC_MODE_TUNNEL, 4, 0);
            sa = row[i].dir == IPSEC_OUT ? &pair.out : &pair.in;
            sa->params.proto = (uint8_t)row[i].proto;
            sa->params.flags = row[i].flags;
            sa->params.km.encr = row[i].encr;
            if (row[i].encr == IPSEC_ENCR_AES_CBC) {
                sa->params.km.encr_key = sa->material;
                sa->params.km.encr_key_len = 16;
            }
            sa->params.km.integ_key_len =
                (uint16_t)(sa->params.km.integ_key_len + row[i].key);
            sa->life.hard_seq = row[i].hard_seq;
            sa->params.life = &sa->life;
            assert_status(fx_sa_add(&pair.a, sa), row[i].want);
        }
    }
}

/* The end of its numbers is the end (attacks.md 164). */
static void
test_gmac_never_wraps(void **state)
{
    struct fx_pkt p;

    (void)state;
    prepare(&gmac[0], IPSEC_MODE_TUNNEL, 4, 0);
    pair.out.params.seq = UINT32_MAX - 1;
    pair_begin(&pair);
    build(4, 10);
    seal(plain, plain_len);
    fx_pkt_new(&p, plain, plain_len, IPSEC_HEADROOM, 0);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_ERR_SEQ_OVERFLOW);
    fx_pkt_free(&p);
    assert_int_equal(pair.a.st.seals, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gmac_known_answers),
        cmocka_unit_test(test_gmac_layout),
        cmocka_unit_test(test_gmac_operation),
        cmocka_unit_test(test_gmac_there_and_back),
        cmocka_unit_test(test_gmac_changed_bytes),
        cmocka_unit_test(test_gmac_wrong_key),
        cmocka_unit_test(test_gmac_wipes_its_keys),
        cmocka_unit_test(test_gmac_refused),
        cmocka_unit_test(test_gmac_never_wraps),
    };

    return cmocka_run_group_tests(tests, NULL, finish);
}
