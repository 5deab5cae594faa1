/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "ipsec_mbedtls.h"

/* The transforms with real algorithms: ports/mbedtls behind the core. */

static struct pair pair;
static uint8_t wire[2048], plain[2048];
static size_t wire_len, plain_len;

#define B (&pair.b.ips)

static void
prepare(size_t suite, int esn)
{
    pair_prepare(&pair, &suites[suite], IPSEC_MODE_TUNNEL, 4);
    pair.a.cfg.crypto = pair.b.cfg.crypto = &ipsec_mbedtls;
    if (esn) {
        pair.out.params.flags |= IPSEC_SA_ESN;
        pair.in.params.flags |= IPSEC_SA_ESN;
    }
}

static void
seal(size_t payload)
{
    struct packet_spec spec = pair_spec(&pair, 4, 17, payload);

    plain_len = packet_build(plain, &spec);
    wire_len = pair_seal(&pair, &spec, wire);
}

static void
done(void)
{
    static const uint8_t zero[sizeof pair.in.key];
    size_t n;

    n = ipsec_mbedtls.key_size(&ipsec_mbedtls, &pair.in.params.km);
    assert_status(ipsec_sad_remove(&pair.a.ips, &pair.out.sa), IPSEC_OK);
    assert_status(ipsec_sad_remove(B, &pair.in.sa), IPSEC_OK);
    assert_memory_equal(&pair.out.key, zero, n);
    assert_memory_equal(&pair.in.key, zero, n);
}

static void
note(size_t s, const char *what, size_t i)
{
    fx_note("%s, %s %zu", suites[s].name, what, i);
}

static void
test_transforms_there_and_back(void **state)
{
    struct fx_pkt p;
    size_t s, n;

    (void)state;
    for (s = 0; s < 2 * SUITES; s++) {
        prepare(s / 2, s % 2);
        pair_begin(&pair);
        for (n = 0; n < 1500; n += n < 70 ? 1 : 111) {
            note(s / 2, "bytes", n);
            seal(n);
            assert_status(pair_open(&pair, wire, wire_len, &p), IPSEC_OK);
            assert_true(fx_pkt_is(&p, plain, plain_len));
            fx_pkt_free(&p);
        }
        done();
    }
}

/* The plaintext does not show; with NULL encryption and GMAC it does. */
static void
test_transforms_conceal(void **state)
{
    size_t s, i;
    int found;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        prepare(s, 0);
        pair_begin(&pair);
        seal(100);
        for (found = 0, i = 20; i + 16 <= wire_len; i++) {
            found |= memcmp(wire + i, plain + 60, 16) == 0;
        }
        assert_int_equal(found, SUITE_IS_CLEAR(&suites[s]));
        done();
    }
}

/* Offer `wire`, which must not authenticate, to a fresh SA. */
static void
check_forged(size_t suite, int esn, void (*spoil)(size_t i), size_t i,
             int want)
{
    struct ipsec_sa before;

    prepare(suite, esn);
    pair_begin(&pair);
    seal(50);
    before = pair.in.sa;
    spoil(i);
    assert_status(pair_offer(&pair, wire, wire_len), want);
    assert_true(sa_same(&before, &pair.in.sa));
    assert_int_equal(B->stats.in_drop[-want], 1);
    assert_int_equal(pair.in.sa.drop_auth, want == IPSEC_ERR_AUTH);
    assert_int_equal(pair.b.audits, 1);
    assert_int_equal(pair.b.audit[0].status, want);
    assert_int_equal(pair.b.audit[0].spi, 0x1001);
    done();
}

static void
flip(size_t i)
{
    wire[i] ^= (uint8_t)(1u << i % 8);
}

static void
icv_fill(size_t i)
{
    size_t n = pair_suite(&pair)->icv;

    memset(wire + wire_len - n, (int)i, n);
}

static void
icv_cut(size_t i)
{
    wire_len -= 4 * i; /* attacks.md 39 */
    wire[2] = (uint8_t)(wire_len >> 8);
    wire[3] = (uint8_t)wire_len;
    packet_fix(wire);
}

static void
icv_longer(size_t i)
{
    memset(wire + wire_len, 0, 64);
    wire_len += 4 * i; /* attacks.md 41 */
    wire[2] = (uint8_t)(wire_len >> 8);
    wire[3] = (uint8_t)wire_len;
    packet_fix(wire);
}

static void
swap(size_t i)
{
    uint8_t t = wire[i];

    wire[i] = wire[i + 1];
    wire[i + 1] = (uint8_t)(t + (t == wire[i + 1]));
}

/* attacks.md 38 to 41: every byte behind the sequence number. */
static void
test_transforms_wrong_bytes(void **state)
{
    size_t s, i, len, grain;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        prepare(s, 0);
        pair_begin(&pair);
        seal(50);
        done();
        len = wire_len;
        grain = suites[s].align / 4;
        for (i = 28; i < len; i++) {
            note(s, "byte", i);
            check_forged(s, 0, flip, i, IPSEC_ERR_AUTH);
            if (i + 1 < len) {
                check_forged(s, 1, swap, i, IPSEC_ERR_AUTH);
            }
        }
        for (i = 0; i < 256; i += 51) {
            check_forged(s, 0, icv_fill, i, IPSEC_ERR_AUTH);
        }
        for (i = 1; i < 8; i++) {
            note(s, "words", i);
            check_forged(s, 0, icv_cut, i,
                         i % grain ? IPSEC_ERR_MALFORMED : IPSEC_ERR_AUTH);
            check_forged(s, 0, icv_longer, i,
                         i % grain ? IPSEC_ERR_MALFORMED : IPSEC_ERR_AUTH);
        }
    }
}

/* Any bit of any key, the salt included. */
static void
test_transforms_wrong_key(void **state)
{
    size_t s, i, n;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        n = (size_t)suites[s].encr_key;
        for (i = 0; i < n + suites[s].integ_key; i++) {
            note(s, "key byte", i);
            if (suites[s].integ != IPSEC_INTEG_NONE && i < n) {
                continue; /* see below */
            }
            prepare(s, 0);
            pair.in.material[i < n ? i : 36 + i - n] ^= 0x10;
            pair_begin(&pair);
            seal(50);
            assert_status(pair_offer(&pair, wire, wire_len), IPSEC_ERR_AUTH);
            assert_int_equal(pair.in.sa.drop_auth, 1);
            assert_true(pair.in.sa.seq == 0 && pair.in.sa.packets == 0);
            assert_int_equal(B->stats.in_drop[12], 1);
            assert_int_equal(pair.b.audits, 1);
            done();
        }
    }
}

/* A MAC covers the ciphertext: with the wrong cipher key alone the packet is
 * authentic, and full of rubbish, which goes nowhere either. */
static void
test_transforms_wrong_cipher_key_beside_mac(void **state)
{
    size_t s, i;
    int rc;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        if (suites[s].integ == IPSEC_INTEG_NONE) {
            continue;
        }
        for (i = 0; i < suites[s].encr_key; i++) {
            note(s, "key byte", i);
            prepare(s, 0);
            pair.in.material[i] ^= 0x10;
            pair_begin(&pair);
            seal(50);
            rc = pair_offer(&pair, wire, wire_len);
            assert_true(rc == IPSEC_ERR_PADDING || rc == IPSEC_ERR_MODE ||
                        rc == IPSEC_ERR_MALFORMED);
            assert_int_equal(pair.b.audits, 1);
            done();
        }
    }
}

/* The right key of another SA: attacks.md 42 */
static void
test_transforms_of_another_sa(void **state)
{
    size_t s;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        prepare(s, 0);
        pair_begin(&pair);
        seal(50);
        done();
        prepare(s, 0);
        pair.in.params.spi = 0x1002; /* same key, other SPI */
        pair_begin(&pair);
        wire[23] = 2;
        assert_status(pair_offer(&pair, wire, wire_len), IPSEC_ERR_AUTH);
        assert_true(pair.in.sa.seq == 0);
        done();
    }
}

/* attacks.md 43, 187: the high half is authenticated, though not sent. */
static void
test_transforms_wrong_high_half(void **state)
{
    static const uint64_t wrong[] = {
        0, UINT64_C(0x200000000), UINT64_C(0xffffffff00000000)
    };
    size_t s, i;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (i = 0; i < COUNT(wrong); i++) {
            note(s, "high half", i);
            prepare(s, 1);
            pair.out.params.seq = UINT64_C(0x100000000) + 70;
            pair.in.params.seq = wrong[i] + 70;
            pair_begin(&pair);
            seal(50);
            assert_status(pair_offer(&pair, wire, wire_len), IPSEC_ERR_AUTH);
            assert_true(pair.in.sa.seq == wrong[i] + 70);
            done();
        }
        prepare(s, 1); /* an SA without ESN, and one with */
        pair.out.params.flags &= (uint16_t)~IPSEC_SA_ESN;
        pair_begin(&pair);
        seal(50);
        assert_status(pair_offer(&pair, wire, wire_len), IPSEC_ERR_AUTH);
        done();
    }
}

/* N packets, N IVs; CBC's are not the sequence number, and unlike. Where none
 * is sent, N ciphertexts. */
static void
test_transforms_distinct_ivs(void **state)
{
    static uint8_t iv[300][16];
    size_t s, i, k, n;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        n = SUITE_HAS_IIV(&suites[s]) ? 16 : suites[s].iv;
        if (n == 0) {
            continue;
        }
        prepare(s, 1);
        pair.out.params.seq = UINT64_C(0xffffff80);
        pair_begin(&pair);
        for (i = 0; i < COUNT(iv); i++) {
            seal(0);
            memset(iv[i], 0, 16);
            memcpy(iv[i], wire + 28, n);
            for (k = 0; k < i; k++) {
                assert_memory_not_equal(iv[i], iv[k], 16);
                if (suites[s].iv == 16) {
                    assert_memory_not_equal(iv[i], iv[k], 8);
                    assert_memory_not_equal(iv[i] + 8, iv[k] + 8, 8);
                }
            }
        }
        done();
    }
}

/* attacks.md 179 */
static void
test_transforms_at_any_alignment(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;
    size_t s, off;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (off = 0; off < 8; off++) {
            prepare(s, 0);
            pair_begin(&pair);
            spec = pair_spec(&pair, 4, 17, 33);
            plain_len = packet_build(plain, &spec);
            fx_pkt_new(&p, plain, plain_len, IPSEC_HEADROOM + off,
                       IPSEC_TAILROOM);
            assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_OK);
            wire_len = p.pkt.buf.len;
            memcpy(wire, p.pkt.buf.data, wire_len);
            fx_pkt_free(&p);
            fx_pkt_new(&p, wire, wire_len, off, 0);
            assert_status(ipsec_inbound(B, &p.pkt), IPSEC_OK);
            assert_true(fx_pkt_is(&p, plain, plain_len));
            fx_pkt_free(&p);
            done();
        }
    }
}

/* A key daemon asks before it proposes. */
static void
test_transforms_key_sizes(void **state)
{
    static const struct { uint16_t encr, integ, encr_len, integ_len; } no[] = {
        { 0, 12, 0, 32 }, { 17, 12, 20, 32 }, { 12, 0, 16, 0 },
        { 12, 1, 16, 16 }, { 20, 12, 20, 32 }, { 20, 0, 21, 0 },
        { 20, 0, 16, 0 }, { 28, 0, 32, 0 }, { 11, 0, 0, 0 },
        { 11, 12, 16, 32 }, { 12, 12, 20, 32 }, { 28, 0, 20, 0 },
        { 20, 0, 0, 0 }, { 20, 0, 4, 0 }, { 12, 12, 16, 65 },
        { 13, 0, 20, 0 }, { 13, 12, 16, 32 }, { 13, 12, 40, 32 },
        { 14, 0, 16, 0 }, { 14, 0, 20, 0 }, { 15, 2, 19, 20 },
        { 16, 0, 43, 0 }, { 18, 0, 19, 0 }, { 19, 0, 12, 0 },
        { 21, 0, 16, 0 }, { 21, 8, 20, 16 }, { 29, 0, 20, 0 },
        { 30, 0, 35, 0 }, { 31, 0, 20, 0 }, { 12, 2, 16, 16 },
        { 12, 5, 16, 20 }, { 12, 8, 16, 32 }, { 12, 13, 16, 64 },
        { 12, 14, 16, 48 }, { 11, 14, 0, 0 }, { 32, 0, 36, 0 }
    };
    struct ipsec_keymat km;
    union { uint8_t byte[2048]; uint64_t align; void *too; } key;
    size_t i;

    (void)state;
    for (i = 0; i < SUITES; i++) {
        memset(&km, 0, sizeof km);
        km.encr = suites[i].encr;
        km.integ = suites[i].integ;
        km.encr_key_len = suites[i].encr_key;
        km.integ_key_len = suites[i].integ_key;
        assert_in_range(ipsec_mbedtls.key_size(&ipsec_mbedtls, &km), 1, 2048);
    }
    for (i = 0; i < COUNT(no); i++) {
        fx_note("row %zu", i);
        km.encr = no[i].encr;
        km.integ = no[i].integ;
        km.encr_key_len = no[i].encr_len;
        km.integ_key_len = no[i].integ_len;
        assert_status((int)ipsec_mbedtls.key_size(&ipsec_mbedtls, &km), 0);
        assert_status(ipsec_mbedtls.key_init(&ipsec_mbedtls, &key, &km, 0),
                      IPSEC_ERR_UNSUPPORTED);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transforms_there_and_back),
        cmocka_unit_test(test_transforms_conceal),
        cmocka_unit_test(test_transforms_wrong_bytes),
        cmocka_unit_test(test_transforms_wrong_key),
        cmocka_unit_test(test_transforms_wrong_cipher_key_beside_mac),
        cmocka_unit_test(test_transforms_of_another_sa),
        cmocka_unit_test(test_transforms_wrong_high_half),
        cmocka_unit_test(test_transforms_distinct_ivs),
        cmocka_unit_test(test_transforms_at_any_alignment),
        cmocka_unit_test(test_transforms_key_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
