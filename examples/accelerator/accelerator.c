/* SPDX-License-Identifier: MIT */
#include "accelerator.h"

#include <limits.h>

static struct accelerator *
of(const struct ipsec_crypto *self)
{
    return (struct accelerator *)(uintptr_t)self;
}

/* Keys are expanded by the processor: it happens once for each SA. */
static size_t
key_size(const struct ipsec_crypto *self, const struct ipsec_keymat *km)
{
    const struct ipsec_crypto *engine = of(self)->engine;

    return engine->key_size(engine, km);
}

static int
key_init(const struct ipsec_crypto *self, void *key,
         const struct ipsec_keymat *km, int open)
{
    const struct ipsec_crypto *engine = of(self)->engine;

    return engine->key_init(engine, key, km, open);
}

/* The library wipes no key that a job still uses. */
static void
key_wipe(const struct ipsec_crypto *self, void *key)
{
    const struct ipsec_crypto *engine = of(self)->engine;

    engine->key_wipe(engine, key);
}

static int
compute(struct accelerator *a, struct ipsec_op *op)
{
    int result;

    pthread_mutex_lock(&a->busy);
    result = a->engine->run(a->engine, op);
    pthread_mutex_unlock(&a->busy);
    return result;
}

/* Take the job, or refuse it: never wait here, and never call done() here. */
static int
run(const struct ipsec_crypto *self, struct ipsec_op *op)
{
    struct accelerator *a = of(self);
    int rc = IPSEC_ERR_BUSY;
    size_t i;

    if (op->done == NULL) { /* its maker can't wait: the engine's turn, now */
        return compute(a, op);
    }
    pthread_mutex_lock(&a->lock);
    for (i = 0; i < ACCELERATOR_JOBS && rc != IPSEC_PENDING; i++) {
        if (a->job[i].op == NULL) {
            a->job[i].op = op;
            a->job[i].state = JOB_WAITS;
            a->job[i].begun = a->begun++;
            rc = IPSEC_PENDING;
        }
    }
    pthread_cond_signal(&a->work);
    pthread_mutex_unlock(&a->lock);
    return rc;
}

static struct accelerator_job *
shortest(struct accelerator *a)
{
    struct accelerator_job *best = NULL;
    size_t i;

    for (i = 0; i < ACCELERATOR_JOBS; i++) {
        struct accelerator_job *job = &a->job[i];

        if (job->op != NULL && job->state == JOB_WAITS &&
            (best == NULL || job->op->len < best->op->len)) {
            best = job;
        }
    }
    return best;
}

/* The engine. What it touches of a packet is what `op` points at. */
static void *
engine_main(void *user)
{
    struct accelerator *a = user;
    struct accelerator_job *job;

    pthread_mutex_lock(&a->lock);
    for (;;) {
        while ((job = shortest(a)) == NULL && !a->stop) {
            pthread_cond_wait(&a->work, &a->lock);
        }
        if (job == NULL) {
            break;
        }
        job->state = JOB_RUNS;
        pthread_mutex_unlock(&a->lock);
        job->result = compute(a, job->op);
        pthread_mutex_lock(&a->lock); /* the interrupt: only take note */
        job->state = JOB_ENDED;
        job->ended = a->ended++;
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* Counters wrap. */
static int
before(unsigned x, unsigned y)
{
    return x - y > UINT_MAX / 2;
}

/* The job that ended first is given up before its done() is called, for that
 * may bring the next layer's. */
static struct ipsec_op *
ended(struct accelerator *a, int *result)
{
    struct accelerator_job *first = NULL;
    struct ipsec_op *op = NULL;
    size_t i;

    pthread_mutex_lock(&a->lock);
    for (i = 0; i < ACCELERATOR_JOBS; i++) {
        struct accelerator_job *job = &a->job[i];

        if (job->op != NULL && job->state == JOB_ENDED &&
            (first == NULL || before(job->ended, first->ended))) {
            first = job;
        }
    }
    if (first != NULL) {
        op = first->op;
        *result = first->result;
        first->op = NULL;
        for (i = 0; i < ACCELERATOR_JOBS; i++) {
            if (a->job[i].op != NULL &&
                before(a->job[i].begun, first->begun)) {
                a->overtaken++;
                break;
            }
        }
    }
    pthread_mutex_unlock(&a->lock);
    return op;
}

size_t
accelerator_poll(struct accelerator *a)
{
    struct ipsec_op *op;
    size_t i, left = 0;
    int result;

    while ((op = ended(a, &result)) != NULL) {
        op->done(op, result);
    }
    pthread_mutex_lock(&a->lock);
    for (i = 0; i < ACCELERATOR_JOBS; i++) {
        left += a->job[i].op != NULL;
    }
    pthread_mutex_unlock(&a->lock);
    return left;
}

int
accelerator_start(struct accelerator *a, const struct ipsec_crypto *engine)
{
    a->api.name = "accelerator";
    a->api.key_size = key_size;
    a->api.key_init = key_init;
    a->api.key_wipe = key_wipe;
    a->api.run = run;
    a->engine = engine;
    pthread_mutex_init(&a->lock, NULL);
    pthread_mutex_init(&a->busy, NULL);
    pthread_cond_init(&a->work, NULL);
    return pthread_create(&a->thread, NULL, engine_main, a);
}

void
accelerator_stop(struct accelerator *a)
{
    pthread_mutex_lock(&a->lock);
    a->stop = 1;
    pthread_cond_signal(&a->work);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
}
