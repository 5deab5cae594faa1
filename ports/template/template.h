/* SPDX-License-Identifier: MIT */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include "ipsec/ipsec.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @file template.h  A port to begin with: copy the folder, rename what is
 * called template, and fill in what is marked REPLACE.
 *
 *     template_stack.c   the two hooks, and whom they call
 *     template_crypto.c  a crypto backend; ports/mbedtls/ is a whole one
 *     template_system.c  randomness, time, reservations in non-volatile memory
 *
 * It works as it is, for packets of one link and a synchronous engine, and
 * sends nothing that a policy wants protected until the engine is filled in.
 */

/* --- what the port gives to its stack and to the product */

/** The longest packet that the stack hands over. Datagrams come whole (RFC 4303
 * section 3.3.4), so it is more than the link's MTU if the stack sends such. */
#define TEMPLATE_PACKET 1500
#define TEMPLATE_LAYERS 1 /**< SAs round a packet: more with bundles */

extern struct ipsec template_ips;
extern const struct ipsec_crypto template_crypto;

/** Once, before the network is up. Then policies and SAs may be added. */
int template_start(void);

/** Some times a second, from where the hooks are called. The time at which it
 * is due at the latest. */
uint32_t template_poll(void);

/** The hook for each packet that leaves: `ip` is left as it is. What became
 * of it: IPSEC_OK, IPSEC_BYPASS, or negative, dropped. */
int template_output(const uint8_t *ip, size_t len);

/** The hook for each packet that arrives: `ip` is changed in place. */
int template_input(uint8_t *ip, size_t len);

/**
 * The numbers of an outbound SA whose key outlives a restart, in non-volatile
 * memory. Zero it, set `slot`, and keep it as long as the SA.
 */
struct template_numbers {
    unsigned              slot; /**< which of the words in that memory */
    struct ipsec_lifetime life; /**< may have limits of time and bytes too */
    int                   due;  /**< the next reservation has to be written:
                                 *   template_poll() does */
};

/** Numbers reserved by a write: twice what can be sent between two calls of
 * template_poll(), or packets are dropped until then. */
#define TEMPLATE_STEP 4096u

/** Reserve the first, and set params->seq and ->life; sa->user is `numbers`. 0,
 * or negative: the memory fails, and the SA must not be added. */
int template_numbers_begin(struct template_numbers *numbers,
                           struct ipsec_sa_params *params);

/** ipsec_config.random, .sa_event. */
int template_random(void *user, void *buf, size_t len);
void template_event(void *user, struct ipsec_sa *sa, int event);

/* --- REPLACE: what the port needs; call your stack's and your chip's own */

/** Send below the hook: route by the destination it has now, fragment it if
 * it is too long and may be. Copy it: the memory is used again. */
void stack_transmit(const uint8_t *ip, size_t len);

/** Go on above the hook, as if it had just arrived, but judged. */
void stack_deliver(const uint8_t *ip, size_t len);

/** Ours, of this version, for ICMP errors to the sender. */
struct ipsec_addr stack_address(int version);

int hw_random(void *buf, size_t len); /**< 0, or the generator fails */
uint32_t hw_seconds(void);            /**< since start; never backwards */
int nvm_read(unsigned slot, uint64_t *value); /**< 0 where none was written */
int nvm_write(unsigned slot, uint64_t value); /**< 0: it would be read so */

#ifdef __cplusplus
}
#endif

#endif
