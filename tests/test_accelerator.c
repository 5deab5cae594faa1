/* SPDX-License-Identifier: MIT */
#include "accelerator.h"
#include "fake/fixture.h"
#include "ipsec_mbedtls.h"

#include <sched.h>

/* examples/accelerator in front of mbedTLS, behind a gate that the test opens
 * for one job after the other. */

static struct accelerator acc;
static pthread_mutex_t    lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t     change = PTHREAD_COND_INITIALIZER;
static size_t             came, may_pass, passed; /* the gate */
static int                gated;
static size_t             order[16], dones;
static struct fx          fx;
static struct fx_sa       out, in;
static struct ipsec_policy policy;

struct load {
    struct fx_pkt p;
    size_t        number;
    int           verdict;
};

static struct load load[16];

static size_t
size_of(const struct ipsec_crypto *self, const struct ipsec_keymat *km)
{
    (void)self;
    return ipsec_mbedtls.key_size(&ipsec_mbedtls, km);
}

static int
init(const struct ipsec_crypto *self, void *key,
     const struct ipsec_keymat *km, int open)
{
    (void)self;
    return ipsec_mbedtls.key_init(&ipsec_mbedtls, key, km, open);
}

static void
wipe(const struct ipsec_crypto *self, void *key)
{
    (void)self;
    ipsec_mbedtls.key_wipe(&ipsec_mbedtls, key);
}

static int
run(const struct ipsec_crypto *self, struct ipsec_op *op)
{
    int rc;

    (void)self;
    if (op->done == NULL) {
        return ipsec_mbedtls.run(&ipsec_mbedtls, op);
    }
    pthread_mutex_lock(&lock);
    came++;
    pthread_cond_broadcast(&change);
    while (gated && may_pass == passed) {
        pthread_cond_wait(&change, &lock);
    }
    rc = ipsec_mbedtls.run(&ipsec_mbedtls, op);
    passed++;
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&lock);
    return rc;
}

static const struct ipsec_crypto gate = { "gate", size_of, init, wipe, run };

static void
release(size_t jobs)
{
    pthread_mutex_lock(&lock);
    may_pass += jobs;
    pthread_cond_broadcast(&change);
    while (passed < may_pass) {
        pthread_cond_wait(&change, &lock);
    }
    pthread_mutex_unlock(&lock);
}

/* The engine has taken its next job, and stands before the gate. */
static void
await(size_t jobs)
{
    pthread_mutex_lock(&lock);
    while (came < jobs) {
        pthread_cond_wait(&change, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static void
done(struct ipsec_op *op, int result)
{
    struct ipsec_pkt *pkt = ipsec_op_pkt(op);
    struct load *l = pkt->user;

    order[dones++] = l->number;
    l->verdict = ipsec_resume(&fx.ips, pkt, result);
}

static void
finish(void)
{
    while (accelerator_poll(&acc) != 0) {
        sched_yield();
    }
}

static int
begin(void **unused)
{
    (void)unused;
    memset(&acc, 0, sizeof acc);
    memset(&policy, 0, sizeof policy);
    came = may_pass = passed = dones = 0;
    gated = 1;
    assert_int_equal(accelerator_start(&acc, &gate), 0);
    fx_config(&fx, 0);
    fx.cfg.crypto = &acc.api;
    assert_status(ipsec_init(&fx.ips, &fx.cfg), IPSEC_OK);
    policy.action = IPSEC_ACTION_PROTECT;
    policy.dir = IPSEC_OUT | IPSEC_IN;
    policy.reqid = 1;
    assert_status(ipsec_spd_add(&fx.ips, &policy), IPSEC_OK);
    fx_sa_set(&out, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TRANSPORT, 0x1000,
              "10.1.0.1", "10.1.0.2");
    fx_sa_set(&in, &suites[GCM128], IPSEC_IN, IPSEC_MODE_TRANSPORT, 0x1000,
              "10.1.0.2", "10.1.0.1");
    assert_status(fx_sa_add(&fx, &out), IPSEC_OK);
    assert_status(fx_sa_add(&fx, &in), IPSEC_OK);
    return 0;
}

static int
end(void **unused)
{
    size_t i;

    (void)unused;
    accelerator_stop(&acc);
    ipsec_sad_remove(&fx.ips, &out.sa);
    ipsec_sad_remove(&fx.ips, &in.sa);
    for (i = 0; i < COUNT(load); i++) {
        fx_pkt_free(&load[i].p);
    }
    memset(load, 0, sizeof load);
    return 0;
}

static void
offer(size_t number, size_t payload, int waits)
{
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.1.0.2",
                                .proto = 253 };
    struct load *l = &load[number];

    spec.payload = payload;
    fx_pkt_build(&l->p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    l->number = number;
    l->p.pkt.user = l;
    l->p.pkt.done = waits ? done : NULL;
    l->verdict = ipsec_outbound(&fx.ips, &l->p.pkt);
}

static void
reopen(size_t number)
{
    struct load *l = &load[number];
    struct ipsec_buf buf = l->p.pkt.buf;

    memset(&l->p.pkt, 0, sizeof l->p.pkt);
    l->p.pkt.buf = buf;
    l->p.pkt.user = l;
    l->p.pkt.done = done;
    l->verdict = ipsec_inbound(&fx.ips, &l->p.pkt);
}

/* The first is in the engine before the others come; these end shortest first.
 * On the way in numbers then come in another order than they were sent. */
static void
test_accelerator_out_of_order(void **unused)
{
    static const size_t want[] = { 0, 7, 6, 5, 4, 3, 2, 1 };
    size_t i;

    (void)unused;
    offer(0, 1000, 1);
    await(1);
    for (i = 1; i < ACCELERATOR_JOBS; i++) {
        offer(i, 1000 - 100 * i, 1);
        assert_status(load[i].verdict, IPSEC_PENDING);
    }
    assert_int_equal(out.sa.in_flight, ACCELERATOR_JOBS);
    release(ACCELERATOR_JOBS);
    finish();
    assert_int_equal(dones, ACCELERATOR_JOBS);
    assert_memory_equal(order, want, sizeof want);
    assert_int_equal(acc.overtaken, ACCELERATOR_JOBS - 2);

    gated = 0;
    for (i = ACCELERATOR_JOBS; i-- > 0;) {
        reopen(i);
    }
    finish();
    for (i = 0; i < ACCELERATOR_JOBS; i++) {
        assert_status(load[i].verdict, IPSEC_OK);
        assert_int_equal(load[i].p.pkt.buf.len, 20 + 1000 - 100 * i);
    }
    assert_true(in.sa.packets == ACCELERATOR_JOBS);
}

static void
test_accelerator_full_is_busy(void **unused)
{
    size_t i;

    (void)unused;
    for (i = 0; i < ACCELERATOR_JOBS; i++) {
        offer(i, 100, 1);
        assert_status(load[i].verdict, IPSEC_PENDING);
    }
    offer(i, 100, 1);
    assert_status(load[i].verdict, IPSEC_ERR_BUSY);
    assert_int_equal(accelerator_poll(&acc), ACCELERATOR_JOBS);
    release(ACCELERATOR_JOBS);
    finish();
    offer(i + 1, 100, 1);
    release(1);
    finish();
    assert_status(load[i + 1].verdict, IPSEC_OK);
}

/* Its maker set no done(): done before run() returns. */
static void
test_accelerator_of_one_that_cannot_wait(void **unused)
{
    (void)unused;
    gated = 0;
    offer(0, 100, 0);
    assert_status(load[0].verdict, IPSEC_OK);
    assert_int_equal(accelerator_poll(&acc), 0);
    assert_int_equal(dones, 0);
}

/* An SA that goes while the engine has packets of it: its key stays. */
static void
test_accelerator_sa_removed_meanwhile(void **unused)
{
    (void)unused;
    offer(0, 100, 1);
    assert_status(ipsec_sad_remove(&fx.ips, &out.sa), IPSEC_PENDING);
    release(1);
    finish();
    assert_status(load[0].verdict, IPSEC_ERR_EXPIRED);
    assert_int_equal(fx_events(&fx, &out.sa, IPSEC_EVENT_RELEASED), 1);
}

#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_accelerator_out_of_order),
        T(test_accelerator_full_is_busy),
        T(test_accelerator_of_one_that_cannot_wait),
        T(test_accelerator_sa_removed_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
