/* SPDX-License-Identifier: MIT */
#ifndef EXAMPLES_ACCELERATOR_H
#define EXAMPLES_ACCELERATOR_H

#include "ipsec/crypto.h"

#include <pthread.h>

/*
 * A crypto accelerator that answers later, as a backend: what to write in front
 * of an AES engine with DMA. Here a second thread is the engine, and has
 * another backend (ports/mbedtls) do the work; in a device that thread is
 * silicon, its end of work an interrupt, and the lock a masked interrupt.
 *
 * The engine takes the shortest job first, so they end in another order than
 * they began in, as in any engine with several channels.
 */

#define ACCELERATOR_JOBS 8

struct accelerator_job {
    struct ipsec_op *op; /* NULL: free */
    int              result;
    enum { JOB_WAITS, JOB_RUNS, JOB_ENDED } state;
    unsigned         begun, ended; /* to count them by */
};

struct accelerator {
    struct ipsec_crypto        api; /* first: run() finds the rest by it */
    const struct ipsec_crypto *engine;
    struct accelerator_job     job[ACCELERATOR_JOBS];
    unsigned                   begun, ended;
    int                        stop;
    pthread_t                  thread;
    pthread_mutex_t            lock, busy; /* of the jobs; of the engine */
    pthread_cond_t             work;
    size_t                     overtaken; /* ended before one that had begun
                                           * before: read-only */
};

/* Zeroed. Then &accelerator->api is a backend. 0, or an error of pthread. */
int accelerator_start(struct accelerator *accelerator,
                      const struct ipsec_crypto *engine);

/* From the main loop: call done() of what has ended, in that order. How many
 * jobs are still there. */
size_t accelerator_poll(struct accelerator *accelerator);

/* When no job is there any more. */
void accelerator_stop(struct accelerator *accelerator);

#endif
