/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "fake/attack.h"
#include "inner.h"
#include "ipsec_mbedtls.h"

#include <pthread.h>
#include <semaphore.h>

/* attacks.txt 69, 160, 163, 166, 170, 175, 186: what an attacker can make of
 * what is kept between packets. */

static struct pair pair;
static uint8_t wire[1024];

#define SAS 64
#define TABLE 64

static struct ipsec_sad_bucket table[TABLE];

static int
seeded(void *user, void *buf, size_t len)
{
    struct fx *fx = user;

    return fx_random(fx, buf, len);
}

/* The longest chain of inbound SAs with these SPIs, under a hash key of
 * `seed`. */
static size_t
longest_chain(const uint32_t *spi, uint64_t seed)
{
    static struct fx fx;
    size_t count[TABLE] = { 0 }, i, most = 0;

    fx_config(&fx, 0);
    fx.random = seed;
    fx.cfg.random = seeded;
    fx.cfg.sad = table;
    fx.cfg.sad_len = TABLE;
    assert_status(ipsec_init(&fx.ips, &fx.cfg), IPSEC_OK);
    for (i = 0; i < SAS; i++) {
        count[ipsec_sad_bucket(&fx.ips, spi[i]) - table]++;
    }
    for (i = 0; i < TABLE; i++) {
        most = count[i] > most ? count[i] : most;
    }
    return most;
}

/* Row 69: SPIs that collide under one hash key don't under another, and
 * nobody knows the key. */
static void
test_attacks_state_colliding_spis(void **state)
{
    static struct fx fx;
    uint32_t spi[SAS], next = 256;
    size_t i;
    uint64_t seed;

    (void)state;
    fx_config(&fx, 0);
    fx.random = 1;
    fx.cfg.sad = table;
    fx.cfg.sad_len = TABLE;
    assert_status(ipsec_init(&fx.ips, &fx.cfg), IPSEC_OK);
    for (i = 0; i < SAS; next++) {
        if (ipsec_sad_bucket(&fx.ips, next) == &table[7]) {
            spi[i++] = next;
        }
    }
    assert_int_equal(longest_chain(spi, 1), SAS);
    for (seed = 2; seed < 50; seed++) {
        assert_true(longest_chain(spi, seed) < SAS / 2);
    }
}

/* Row 160: the power is cut after each packet in turn; the numbers that were
 * noted before they were used are where it starts again. No number is sent
 * twice. */
static void
test_attacks_state_power_cuts(void **state)
{
    static uint8_t used[4096];
    struct ipsec_lifetime life;
    struct packet_spec spec;
    uint64_t noted = 0;
    size_t cut, i;

    (void)state;
    memset(used, 0, sizeof used);
    for (cut = 0; cut < 60; cut++) {
        pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
        pair.out.params.flags = 0; /* the key is not new */
        pair.out.params.seq = noted;
        memset(&life, 0, sizeof life);
        noted += 10; /* written before it is set */
        life.hard_seq = noted;
        pair.out.params.life = &life;
        pair_begin(&pair);
        spec = pair_spec(&pair, 4, 17, 10);
        for (i = 0; i < cut % 14; i++) {
            if (pair.out.sa.seq == noted) { /* reserve more */
                noted += 10;
                life.hard_seq = noted;
            }
            (void)pair_seal(&pair, &spec, wire);
            assert_int_equal(used[pair.out.sa.seq], 0);
            used[pair.out.sa.seq] = 1;
        }
    }
}

/* The same without a reservation, or from one that is used up: refused. */
static void
test_attacks_state_no_reservation(void **state)
{
    struct ipsec_lifetime life = { 0 };
    struct fx_pkt p;
    struct packet_spec spec;

    (void)state;
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.out.params.flags = 0;
    assert_status(fx_sa_add(&pair.a, &pair.out), IPSEC_ERR_STATIC_KEY);
    life.hard_seq = 50;
    pair.out.params.life = &life;
    pair.out.params.seq = 50;
    assert_status(fx_sa_add(&pair.a, &pair.out), IPSEC_ERR_LIFETIME);
    pair.out.params.seq = 49;
    pair_begin(&pair);
    spec = pair_spec(&pair, 4, 17, 10);
    (void)pair_seal(&pair, &spec, wire);
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt),
                  IPSEC_ERR_SEQ_OVERFLOW);
    fx_pkt_free(&p);
}

/* Row 163: the same packet once more is another number, IV and ICV. */
static void
test_attacks_state_retransmission(void **state)
{
    struct packet_spec spec;
    uint8_t again[1024];
    size_t s, len;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        fx_note("%s", suites[s].name);
        pair_init(&pair, &suites[s], IPSEC_MODE_TUNNEL, 4);
        spec = pair_spec(&pair, 4, 17, 20);
        len = pair_seal(&pair, &spec, wire);
        assert_int_equal(pair_seal(&pair, &spec, again), len);
        assert_memory_not_equal(wire + 24, again + 24, 4);
        if (suites[s].iv > 0) {
            assert_memory_not_equal(wire + 28, again + 28, suites[s].iv);
        }
        assert_memory_not_equal(wire + len - suites[s].icv,
                                again + len - suites[s].icv, suites[s].icv);
    }
}

/* Row 186: with an implicit IV the nonce is the whole number, and duplicates
 * are dropped like any other. */
static void
test_attacks_state_implicit_iv(void **state)
{
    static const size_t some[] = { GCM_IIV128, CCM8_IIV128, CHACHA_IIV };
    struct packet_spec spec;
    size_t i, len;
    int esn;

    (void)state;
    for (i = 0; i < 2 * COUNT(some); i++) {
        esn = (int)(i % 2);
        pair_prepare(&pair, &suites[some[i / 2]], IPSEC_MODE_TUNNEL, 4);
        if (esn) {
            pair.out.params.flags |= IPSEC_SA_ESN;
            pair.in.params.flags |= IPSEC_SA_ESN;
            pair.out.params.seq = pair.in.params.seq = 0xfffffffeu;
        }
        pair_begin(&pair);
        spec = pair_spec(&pair, 4, 17, 20);
        len = pair_seal(&pair, &spec, wire);
        assert_status(pair_offer(&pair, wire, len), IPSEC_OK);
        pair.out.sa.seq += 40; /* a gap */
        len = pair_seal(&pair, &spec, wire);
        assert_int_equal(pair.a.st.iv[1][3], esn);
        assert_int_equal(pair.a.st.iv[1][7], esn ? 40 - 1 + 1 : 42);
        assert_status(pair_offer(&pair, wire, len), IPSEC_OK);
        assert_status(pair_offer(&pair, wire, len), IPSEC_ERR_REPLAY);
    }
}

/* Row 175: a flood to many destinations raises an acquire each, unless one is
 * under way; nothing is kept of it and nothing leaves in clear. */
static void
test_attacks_state_flood_of_destinations(void **state)
{
    static struct fx fx;
    struct ipsec_policy policy;
    struct packet_spec spec = { .src = "192.0.2.1", .proto = 17 };
    struct ipsec_sa larval;
    struct fx_pkt p;
    char dst[20];
    unsigned i;

    (void)state;
    fx_init(&fx, 0);
    memset(&policy, 0, sizeof policy);
    memset(&larval, 0, sizeof larval);
    policy.action = IPSEC_ACTION_PROTECT;
    policy.dir = IPSEC_OUT;
    policy.reqid = 1;
    assert_status(ipsec_spd_add(&fx.ips, &policy), IPSEC_OK);
    for (i = 0; i < 2000; i++) {
        if (i == 1000) {
            assert_status(ipsec_sad_reserve(&fx.ips, &larval, IPSEC_OUT, 50,
                                            1, 30), IPSEC_OK);
        }
        snprintf(dst, sizeof dst, "10.0.%u.%u", i / 250, i % 250);
        spec.dst = dst;
        fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
        assert_status(ipsec_outbound(&fx.ips, &p.pkt), IPSEC_ERR_NO_SA);
        assert_int_equal(p.pkt.layers, 0);
        fx_pkt_free(&p);
    }
    assert_int_equal(fx.acquires, 1000);
    assert_int_equal(fx.ips.stats.out_drop[1], 2000);
    assert_int_equal(fx.ips.stats.out_bypass + fx.ips.stats.out_protect, 0);
}

/* Row 170: after an SA's whole life no key is left on the stack. A thread lives
 * it, well below what it then needs to wait until its stack has been read. */

static sem_t lived, seen;

static void
whole_life(const struct suite *suite)
{
    struct packet_spec spec;
    size_t len;

    pair_prepare(&pair, suite, IPSEC_MODE_TUNNEL, 4);
    pair.a.cfg.crypto = pair.b.cfg.crypto = &ipsec_mbedtls;
    pair_begin(&pair);
    spec = pair_spec(&pair, 4, 17, 50);
    len = pair_seal(&pair, &spec, wire);
    assert_status(pair_offer(&pair, wire, len), IPSEC_OK);
    assert_status(ipsec_sad_remove(&pair.a.ips, &pair.out.sa), IPSEC_OK);
    assert_status(ipsec_sad_remove(&pair.b.ips, &pair.in.sa), IPSEC_OK);
}

static void
deep_down(const struct suite *suite)
{
    volatile uint8_t room[8192];

    room[0] = 0;
    whole_life(suite);
    room[sizeof room - 1] = room[0];
}

static void *
thread_main(void *suite)
{
    deep_down(suite);
    sem_post(&lived);
    sem_wait(&seen);
    return NULL;
}

/* Of another thread's stack: all of it, what a sanitizer keeps free between
 * its variables too. */
#if defined(__GNUC__)
__attribute__((no_sanitize_address))
#endif
static int
holds(const volatile uint8_t *mem, size_t size, const uint8_t *what, size_t n)
{
    size_t i, k;

    for (i = 0; i + n <= size; i++) {
        for (k = 0; k < n && mem[i + k] == what[k]; k++) {
        }
        if (k == n) {
            return 1;
        }
    }
    return 0;
}

#define STACK ((size_t)256 * 1024)

static void
test_attacks_state_stack_without_keys(void **state)
{
    pthread_attr_t attr;
    pthread_t thread;
    void *memory;
    const uint8_t *stack;
    size_t s;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        assert_int_equal(posix_memalign(&memory, 4096, STACK), 0);
        stack = memory;
        memset(memory, 0, STACK);
        fx_note("%s", suites[s].name);
        /* Once elsewhere: the first call of a shared function goes by way of
         * the dynamic linker, which keeps all registers on the stack. */
        whole_life(&suites[s]);
        assert_int_equal(sem_init(&lived, 0, 0) | sem_post(&lived), 0);
        assert_int_equal(sem_wait(&lived), 0);
        assert_int_equal(pthread_attr_init(&attr), 0);
        assert_int_equal(pthread_attr_setstack(&attr, memory, STACK), 0);
        assert_int_equal(sem_init(&lived, 0, 0) | sem_init(&seen, 0, 0), 0);
        assert_int_equal(pthread_create(&thread, &attr, thread_main,
                                        (void *)(uintptr_t)&suites[s]), 0);
        sem_wait(&lived);
        if (suites[s].encr_key > 0) {
            assert_false(holds(stack, STACK, pair.out.material, 16));
        }
        if (suites[s].integ_key > 0) {
            assert_false(holds(stack, STACK, pair.out.material + 36, 16));
        }
        sem_post(&seen);
        assert_int_equal(pthread_join(thread, NULL), 0);
        pthread_attr_destroy(&attr);
        free(memory);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attacks_state_colliding_spis),
        cmocka_unit_test(test_attacks_state_power_cuts),
        cmocka_unit_test(test_attacks_state_no_reservation),
        cmocka_unit_test(test_attacks_state_retransmission),
        cmocka_unit_test(test_attacks_state_implicit_iv),
        cmocka_unit_test(test_attacks_state_flood_of_destinations),
        cmocka_unit_test(test_attacks_state_stack_without_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
