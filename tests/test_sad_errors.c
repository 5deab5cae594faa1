/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Everything that ipsec_sad_add() can refuse, one fault at a time. */

static struct fx fx;
static struct fx_sa s;

/* A fault: what it does to good parameters. */
struct fault {
    const char *name;
    void (*make)(struct ipsec_sa_params *q);
    int suite, dir, want;
};

#define FAULT(name, code) \
    static void name(struct ipsec_sa_params *q) { code; }

FAULT(nothing, (void)q)
FAULT(dir_0, q->dir = 0)
FAULT(dir_3, q->dir = 3)
FAULT(reqid_0, q->reqid = 0)
FAULT(mode_0, q->mode = 0)
FAULT(mode_3, q->mode = 3)
FAULT(mode_4, q->mode = 4)
FAULT(dscp_64, q->dscp = 64; q->flags |= IPSEC_SA_DSCP_SET)
FAULT(dscp_63, q->dscp = 63; q->flags |= IPSEC_SA_DSCP_SET)
FAULT(no_key_memory, q->key = NULL)
FAULT(proto_ah, q->proto = IPSEC_PROTO_AH)
FAULT(port_local, q->local_port = 4500)
FAULT(port_remote, q->remote_port = 4500)
FAULT(port_both, q->local_port = q->remote_port = 4500)
FAULT(proto_0, q->proto = 0)
FAULT(spi_0, q->spi = 0)
FAULT(spi_1, q->spi = 1)
FAULT(spi_255, q->spi = 255)
FAULT(spi_256, q->spi = 256)
FAULT(spi_max, q->spi = 0xffffffff)
FAULT(no_local, q->local.version = 0)
FAULT(no_remote, q->remote.version = 0)
FAULT(no_addresses, q->local.version = q->remote.version = 0)
FAULT(version_5, q->local.version = q->remote.version = 5)
FAULT(local_6, q->local = addr("2001:db8::1"))
FAULT(remote_6, q->remote = addr("2001:db8::1"))
FAULT(encr_0, q->km.encr = 0)
FAULT(encr_10, q->km.encr = 10)
FAULT(encr_17, q->km.encr = 17)
FAULT(encr_22, q->km.encr = 22)
FAULT(encr_32, q->km.encr = 32)
FAULT(encr_3des, q->km.encr = 3; q->km.encr_key_len = 24)
FAULT(encr_1, q->km.encr = 1)
FAULT(encr_9, q->km.encr = 9)
FAULT(integ_md5, q->km.integ = 1; q->km.integ_key_len = 16)
FAULT(integ_des, q->km.integ = 3)
FAULT(integ_kpdk, q->km.integ = 4)
FAULT(integ_6, q->km.integ = 6)
FAULT(integ_7, q->km.integ = 7)
FAULT(integ_15, q->km.integ = 15)
FAULT(weak_alone, q->km.encr = 2; q->km.integ = 0; q->km.integ_key_len = 0)
FAULT(weak_both, q->km.encr = 3; q->km.integ = 1)
FAULT(weak_and_unknown, q->km.encr = 200; q->km.integ = 1)
FAULT(encr_big, q->km.encr = 256 + 12)
FAULT(integ_big, q->km.integ = 256 + 12)
FAULT(aead_and_integ, q->km.integ = 12)
FAULT(no_integ, q->km.integ = 0; q->km.integ_key_len = 0)
FAULT(no_encr_key, q->km.encr_key = NULL)
FAULT(no_integ_key, q->km.integ_key = NULL)
FAULT(encr_key_0, q->km.encr_key_len = 0)
FAULT(encr_key_12, q->km.encr_key_len = 12)
FAULT(encr_key_15, q->km.encr_key_len = 15)
FAULT(encr_key_16, q->km.encr_key_len = 16)
FAULT(encr_key_17, q->km.encr_key_len = 17)
FAULT(encr_key_20, q->km.encr_key_len = 20)
FAULT(encr_key_28, q->km.encr_key_len = 28)
FAULT(encr_key_32, q->km.encr_key_len = 32)
FAULT(encr_key_40, q->km.encr_key_len = 40)
FAULT(encr_key_44, q->km.encr_key_len = 44)
FAULT(integ_key_0, q->km.integ_key_len = 0)
FAULT(integ_key_31, q->km.integ_key_len = 31)
FAULT(integ_key_33, q->km.integ_key_len = 33)
FAULT(null_with_key, q->km.encr_key_len = 16; q->km.encr_key = s.material)
FAULT(zero_encr_key, memset(s.material, 0, 36);
      q->flags = 0; s.life.hard_seq = 99; q->life = &s.life)
FAULT(zero_integ_key, memset(s.material + 36, 0, 36); q->flags = 0)
FAULT(last_bit_of_key, memset(s.material, 0, 36); s.material[15] = 1;
      q->flags = 0)
FAULT(static_key, q->flags = 0)
FAULT(static_time, q->flags = 0; s.life.hard_s = 9; q->life = &s.life)
FAULT(static_reserved, q->flags = 0; s.life.hard_seq = 9; q->life = &s.life)
FAULT(window_0, q->window = s.window)
FAULT(window_1, q->window = s.window; q->window_len = 1)
FAULT(window_3, q->window = s.window; q->window_len = 3)
FAULT(window_6, q->window = s.window; q->window_len = 6)
FAULT(window_128, q->window = s.window; q->window_len = 128)
FAULT(window_nowhere, q->window_len = 2)
FAULT(life_s, s.life.soft_s = 11; s.life.hard_s = 10; q->life = &s.life)
FAULT(life_s_equal, s.life.soft_s = s.life.hard_s = 9; q->life = &s.life)
FAULT(life_s_soft, s.life.soft_s = 11; q->life = &s.life)
FAULT(life_bytes, s.life.soft_bytes = 11; s.life.hard_bytes = 10;
      q->life = &s.life)
FAULT(life_bytes_equal, s.life.soft_bytes = s.life.hard_bytes = 10;
      q->life = &s.life)
FAULT(life_bytes_soft, s.life.soft_bytes = 11; q->life = &s.life)
FAULT(life_seq, s.life.soft_seq = 11; s.life.hard_seq = 10;
      q->life = &s.life)
FAULT(life_seq_equal, s.life.soft_seq = s.life.hard_seq = 11;
      q->life = &s.life)
FAULT(life_seq_soft, s.life.soft_seq = 11; q->life = &s.life)
FAULT(used_up, s.life.hard_seq = 10; q->seq = 10; q->life = &s.life)
FAULT(used_up_more, s.life.hard_seq = 10; q->seq = 11; q->life = &s.life)
FAULT(one_left, s.life.hard_seq = 10; q->seq = 9; q->life = &s.life)
FAULT(seq_32, q->seq = 0xffffffff)
FAULT(seq_32_one_left, q->seq = 0xfffffffe)
FAULT(seq_33, q->seq = UINT64_C(0x100000000))
FAULT(seq_33_esn, q->seq = UINT64_C(0x100000000); q->flags |= IPSEC_SA_ESN)
FAULT(seq_64, q->seq = UINT64_MAX; q->flags |= IPSEC_SA_ESN)
FAULT(seq_64_one_left, q->seq = UINT64_MAX - 1; q->flags |= IPSEC_SA_ESN)
FAULT(key_small, q->key_len = sizeof(struct fake_key) - 1)
FAULT(key_exact, q->key_len = sizeof(struct fake_key))
FAULT(backend_none, fx.st.size_none = 1; (void)q)
FAULT(backend_crypto, fx.st.init_fails_at = 1;
      fx.st.init_fails_with = IPSEC_ERR_CRYPTO; (void)q)
FAULT(backend_unsupported, fx.st.init_fails_at = 1;
      fx.st.init_fails_with = IPSEC_ERR_UNSUPPORTED; (void)q)

#define ROW(name, suite, dir, want) \
    { #name, name, suite, IPSEC_ ## dir, IPSEC_ ## want }
#define GOOD(name, suite, dir) ROW(name, suite, dir, OK)
#define BAD(name, suite, dir, want) ROW(name, suite, dir, ERR_ ## want)

static const struct fault faults[] = {
    GOOD(nothing, GCM128, OUT), GOOD(nothing, GCM128, IN),
    GOOD(nothing, CBC192, OUT), GOOD(nothing, NULL_SHA256, IN),
    BAD(dir_0, GCM128, OUT, ARG), BAD(dir_3, GCM128, OUT, ARG),
    BAD(reqid_0, GCM128, OUT, ARG), BAD(reqid_0, GCM128, IN, ARG),
    BAD(mode_0, GCM128, OUT, ARG), BAD(mode_4, GCM128, IN, ARG),
    BAD(mode_3, GCM128, IN, UNSUPPORTED),
    BAD(mode_3, GCM128, OUT, UNSUPPORTED),
    BAD(dscp_64, GCM128, OUT, ARG), GOOD(dscp_63, GCM128, OUT),
    BAD(no_key_memory, GCM128, IN, ARG),
    BAD(proto_ah, GCM128, OUT, UNSUPPORTED),
    BAD(proto_0, GCM128, IN, UNSUPPORTED),
    BAD(port_local, GCM128, IN, PORTS), BAD(port_remote, GCM128, OUT, PORTS),
    GOOD(port_both, GCM128, IN), GOOD(port_both, GCM128, OUT),
    BAD(spi_0, GCM128, IN, SPI), BAD(spi_1, GCM128, OUT, SPI),
    BAD(spi_255, GCM128, OUT, SPI), GOOD(spi_256, GCM128, OUT),
    GOOD(spi_max, GCM128, IN),
    BAD(no_local, GCM128, OUT, ADDR), BAD(no_remote, GCM128, IN, ADDR),
    BAD(no_addresses, GCM128, IN, ADDR), BAD(version_5, GCM128, OUT, ADDR),
    BAD(local_6, GCM128, OUT, ADDR), BAD(remote_6, GCM128, IN, ADDR),
    BAD(encr_0, GCM128, OUT, UNSUPPORTED),
    BAD(encr_10, CBC128, OUT, UNSUPPORTED),
    BAD(encr_17, CCM8_128, OUT, UNSUPPORTED),
    BAD(encr_22, GMAC128, IN, UNSUPPORTED),
    BAD(encr_32, CHACHA_IIV, IN, UNSUPPORTED),
    BAD(encr_3des, CBC192, OUT, WEAK), BAD(encr_3des, CBC192, IN, WEAK),
    BAD(encr_1, CBC128, OUT, WEAK), BAD(encr_9, GCM128, IN, WEAK),
    BAD(integ_md5, CBC128, OUT, WEAK), BAD(integ_md5, NULL_SHA1, IN, WEAK),
    BAD(integ_des, CTR128_SHA256, OUT, WEAK), BAD(integ_kpdk, CBC128, IN, WEAK),
    BAD(weak_alone, CBC128, OUT, WEAK), BAD(weak_both, CBC128, IN, WEAK),
    BAD(weak_and_unknown, CBC128, OUT, WEAK),
    BAD(integ_6, CBC128, OUT, UNSUPPORTED),
    BAD(integ_7, GMAC128, OUT, UNSUPPORTED),
    BAD(integ_7, NULL_CMAC, IN, UNSUPPORTED),
    BAD(encr_big, CBC128, OUT, UNSUPPORTED),
    BAD(integ_15, CBC128, OUT, UNSUPPORTED),
    BAD(integ_big, CBC128, OUT, UNSUPPORTED),
    BAD(aead_and_integ, GCM128, OUT, UNSUPPORTED),
    BAD(aead_and_integ, CHACHA, IN, UNSUPPORTED),
    BAD(aead_and_integ, CCM16_256, IN, UNSUPPORTED),
    BAD(aead_and_integ, GMAC192, OUT, UNSUPPORTED),
    BAD(aead_and_integ, GCM_IIV128, IN, UNSUPPORTED),
    BAD(no_integ, CTR128_SHA256, OUT, NO_INTEG),
    BAD(no_integ, CTR256_CMAC, IN, NO_INTEG),
    BAD(no_integ, CBC128, OUT, NO_INTEG),
    BAD(no_integ, CBC256, IN, NO_INTEG),
    BAD(no_integ, NULL_SHA256, OUT, NO_INTEG),
    BAD(no_integ, NULL_SHA256, IN, NO_INTEG),
    BAD(no_encr_key, GCM128, OUT, KEY), BAD(no_encr_key, CBC128, IN, KEY),
    BAD(no_integ_key, CBC128, OUT, KEY),
    BAD(no_integ_key, NULL_SHA256, IN, KEY),
    BAD(encr_key_0, CBC128, OUT, KEY), BAD(encr_key_0, GCM128, OUT, KEY),
    BAD(encr_key_12, GCM128, OUT, KEY), BAD(encr_key_15, CBC128, IN, KEY),
    BAD(encr_key_16, GCM128, OUT, KEY), BAD(encr_key_17, CBC128, OUT, KEY),
    BAD(encr_key_20, CBC128, OUT, KEY), BAD(encr_key_28, CBC128, OUT, KEY),
    GOOD(encr_key_16, CBC256, OUT), GOOD(encr_key_32, CBC128, OUT),
    GOOD(encr_key_28, GCM128, OUT), GOOD(encr_key_20, GCM256, IN),
    BAD(encr_key_40, CBC128, IN, KEY), BAD(encr_key_44, GCM128, OUT, KEY),
    BAD(encr_key_32, CHACHA, OUT, KEY), BAD(encr_key_20, CHACHA, OUT, KEY),
    BAD(encr_key_28, CHACHA, IN, KEY), BAD(encr_key_44, CHACHA, OUT, KEY),
    BAD(integ_key_0, CBC128, OUT, KEY), BAD(integ_key_31, CBC128, OUT, KEY),
    BAD(integ_key_33, NULL_SHA256, IN, KEY),
    BAD(null_with_key, NULL_SHA256, OUT, KEY),
    BAD(zero_encr_key, CBC128, OUT, KEY),
    BAD(zero_encr_key, GCM256, OUT, KEY),
    BAD(zero_integ_key, CBC128, OUT, KEY),
    BAD(zero_integ_key, NULL_SHA256, IN, KEY),
    GOOD(last_bit_of_key, CBC128, OUT),
    BAD(static_key, GCM128, OUT, STATIC_KEY),
    BAD(static_key, CHACHA, OUT, STATIC_KEY),
    BAD(static_time, GCM256, OUT, STATIC_KEY),
    BAD(static_key, CTR128_SHA256, OUT, STATIC_KEY),
    BAD(static_key, CCM8_128, OUT, STATIC_KEY),
    BAD(static_key, GCM12_256, OUT, STATIC_KEY),
    BAD(static_key, GMAC128, OUT, STATIC_KEY),
    BAD(static_key, CHACHA_IIV, OUT, STATIC_KEY),
    BAD(static_time, CTR256_SHA1, OUT, STATIC_KEY),
    GOOD(static_reserved, CTR192_XCBC, OUT), GOOD(static_key, CTR192_XCBC, IN),
    GOOD(static_reserved, GMAC256, OUT), GOOD(static_key, CBC128_SHA1, OUT),
    GOOD(static_reserved, GCM128, OUT), GOOD(static_reserved, CHACHA, OUT),
    GOOD(static_key, CBC128, OUT), GOOD(static_key, NULL_SHA256, OUT),
    BAD(window_0, GCM128, IN, WINDOW), BAD(window_3, GCM128, IN, WINDOW),
    BAD(window_6, GCM128, IN, WINDOW), GOOD(window_1, GCM128, IN),
    GOOD(window_128, GCM128, IN), BAD(window_nowhere, GCM128, IN, WINDOW),
    BAD(life_s, GCM128, OUT, LIFETIME),
    BAD(life_bytes, GCM128, IN, LIFETIME),
    BAD(life_seq, GCM128, OUT, LIFETIME),
    GOOD(life_s_equal, GCM128, OUT), GOOD(life_bytes_equal, GCM128, OUT),
    GOOD(life_seq_equal, GCM128, OUT), GOOD(life_s_soft, GCM128, OUT),
    GOOD(life_bytes_soft, GCM128, OUT), GOOD(life_seq_soft, GCM128, OUT),
    BAD(used_up, GCM128, OUT, LIFETIME),
    BAD(used_up_more, GCM128, OUT, LIFETIME), GOOD(one_left, GCM128, OUT),
    BAD(seq_32, GCM128, OUT, LIFETIME), GOOD(seq_32_one_left, GCM128, OUT),
    BAD(seq_33, GCM128, OUT, LIFETIME), GOOD(seq_33_esn, GCM128, OUT),
    BAD(seq_64, GCM128, OUT, LIFETIME), GOOD(seq_64_one_left, GCM128, OUT),
    BAD(key_small, GCM128, OUT, ROOM), GOOD(key_exact, GCM128, OUT),
    BAD(backend_none, GCM128, OUT, UNSUPPORTED),
    BAD(backend_crypto, GCM128, OUT, CRYPTO),
    BAD(backend_unsupported, CBC128, IN, UNSUPPORTED),
};

/* Its suite is in this build. */
static int
is_there(const struct fault *f)
{
    return f->suite < SUITES;
}

static void
attempt(const struct fault *f, int tables)
{
    struct ipsec_sa zero;
    uint32_t generation;

    fx_note("%s on %s", f->name, suites[f->suite].name);
    fx_init(&fx, tables);
    generation = fx.ips.sa_generation;
    fx_sa_set(&s, &suites[f->suite], f->dir, IPSEC_MODE_TUNNEL, 0x1000,
              "192.0.2.1", "198.51.100.2");
    f->make(&s.params);
    memset(&zero, 0, sizeof zero);
    assert_status(fx_sa_add(&fx, &s), f->want);
    if (f->want == IPSEC_OK) {
        assert_int_equal(s.sa.state, IPSEC_SA_MATURE);
        assert_status(ipsec_sad_remove(&fx.ips, &s.sa), IPSEC_OK);
    } else {
        assert_memory_equal(&s.sa, &zero, sizeof zero);
        assert_int_equal(fx.ips.sa_generation, generation);
        assert_null(ipsec_sad_next(&fx.ips, NULL));
    }
    assert_true(fake_key_wiped(&s.key));
    assert_int_equal(fx.st.misuse, 0);
}

static void
test_sad_add_refuses_each_fault_and_changes_nothing(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(faults); i++) {
        if (is_there(&faults[i])) {
            attempt(&faults[i], 0);
            attempt(&faults[i], 1);
        }
    }
}

static void
test_sad_add_knows_its_flags(void **state)
{
    static const uint16_t known = 0x0001 | 0x0002 | 0x0004 | 0x0008 | 0x0010 |
                                  0x0080 | 0x0100 | 0x0200 | 0x0400 | 0x0800 |
                                  0x1000 | 0x2000;
    static const uint16_t group = 0x0020 | 0x0040; /* inbound only */
    unsigned bit;

    (void)state;
    for (bit = 1; bit < 0x10000; bit <<= 1) {
        fx_note("flag %#x", bit);
        fx_init(&fx, 0);
        fx_sa_set(&s, &suites[CBC128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x1000,
                  "192.0.2.1", "198.51.100.2");
        s.params.flags = (uint16_t)bit;
        assert_status(fx_sa_add(&fx, &s),
                      bit & known ? IPSEC_OK :
                      bit & group ? IPSEC_ERR_ARG : IPSEC_ERR_UNSUPPORTED);
    }
}

/* A larval SA that could not be completed stays what it was. */
static void
test_sad_add_that_fails_leaves_a_larval_sa_alone(void **state)
{
    struct ipsec_sa before;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(faults); i++) {
        if (!is_there(&faults[i])) {
            continue;
        }
        fx_init(&fx, i % 2);
        fx_sa_set(&s, &suites[faults[i].suite], faults[i].dir,
                  IPSEC_MODE_TUNNEL, 0x1000, "192.0.2.1", "198.51.100.2");
        assert_status(ipsec_sad_reserve(&fx.ips, &s.sa, faults[i].dir, 50, 1,
                                        30), IPSEC_OK);
        before = s.sa;
        faults[i].make(&s.params);
        if (faults[i].want != IPSEC_OK && faults[i].want != IPSEC_ERR_SPI) {
            fx_note("%s", faults[i].name);
            assert_status(fx_sa_add(&fx, &s), faults[i].want);
            assert_memory_equal(&s.sa, &before, sizeof before);
            assert_ptr_equal(ipsec_sad_next(&fx.ips, NULL), &s.sa);
        }
    }
}

/* The context's backend is not the only one. */
static void
test_sad_add_with_a_backend_of_its_own(void **state)
{
    struct fake_crypto own;
    static struct fake_state st;

    (void)state;
    fx_init(&fx, 0);
    fake_crypto_init(&own, &st);
    fx_sa_set(&s, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x1000,
              "192.0.2.1", "198.51.100.2");
    s.params.crypto = &own.api;
    assert_status(fx_sa_add(&fx, &s), IPSEC_OK);
    assert_int_equal(st.inits, 1);
    assert_status(ipsec_sad_remove(&fx.ips, &s.sa), IPSEC_OK);
    assert_int_equal(st.wipes, 1);
    assert_int_equal(fx.st.sizes + fx.st.inits + fx.st.wipes, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sad_add_refuses_each_fault_and_changes_nothing),
        cmocka_unit_test(test_sad_add_knows_its_flags),
        cmocka_unit_test(test_sad_add_that_fails_leaves_a_larval_sa_alone),
        cmocka_unit_test(test_sad_add_with_a_backend_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
