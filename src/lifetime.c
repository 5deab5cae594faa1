/* SPDX-License-Identifier: MIT */
#include "inner.h"

/*
 * Lifetimes (RFC 4301 section 4.4.2.1).
 *
 * Limits are enforced where an SA is used; events are raised there and by a
 * sweep. sa->warned says which were raised. Those of the sequence number are
 * taken back when the caller has raised the limit, so that they come again.
 */

static int
reached(uint64_t value, uint64_t limit)
{
    return limit != 0 && value >= limit;
}

/* Is there no number after `seq`? */
static int
is_last(uint64_t seq, const struct ipsec_lifetime *life, uint16_t flags)
{
    if (life != NULL && reached(seq, life->hard_seq)) {
        return 1;
    }
    return (flags & (IPSEC_SA_ESN | ROLLOVER)) ? seq == UINT64_MAX
                                               : seq >= UINT32_MAX;
}

static int
expired(const struct ipsec *ips, const struct ipsec_sa *sa)
{
    const struct ipsec_lifetime *life = sa->life;

    return life != NULL && (reached(ips->now - sa->born, life->hard_s) ||
                            reached(sa->bytes, life->hard_bytes));
}

/* see inner.h */
int
ipsec_life_check(const struct ipsec *ips, const struct ipsec_sa *sa,
                 uint64_t seq)
{
    if (expired(ips, sa)) {
        return IPSEC_ERR_EXPIRED;
    }
    return is_last(seq, sa->life, sa->flags)
        ? IPSEC_ERR_SEQ_OVERFLOW : IPSEC_OK;
}

/* see inner.h */
int
ipsec_life_valid(const struct ipsec_lifetime *life, uint64_t seq,
                 uint16_t flags)
{
#ifdef IPSEC_NO_EVENTS
    if (life != NULL &&
        (life->soft_bytes | life->soft_seq | life->soft_s) != 0) {
        return IPSEC_ERR_UNSUPPORTED; /* nobody would be told */
    }
#endif
    if (is_last(seq, life, flags)) {
        return IPSEC_ERR_LIFETIME;
    }
#ifndef IPSEC_NO_EVENTS
    if (life != NULL &&
        ((life->hard_s != 0 && life->soft_s > life->hard_s) ||
         (life->hard_bytes != 0 && life->soft_bytes > life->hard_bytes) ||
         (life->hard_seq != 0 && life->soft_seq > life->hard_seq))) {
        return IPSEC_ERR_LIFETIME;
    }
#endif
    return IPSEC_OK;
}

#ifndef IPSEC_NO_EVENTS

#define SOFT      0x01u
#define SOFT_SEQ  0x02u
#define HARD      0x04u
#define HARD_SEQ  0x08u
#define RENEWED   0x10u /* soft_seq was reached and raised: it is watched on
                         * its own, whatever else the SA is due for */
#define ANY_SOFT  (SOFT | SOFT_SEQ)
#define ANY_HARD  (HARD | HARD_SEQ)

static uint8_t
due(const struct ipsec *ips, const struct ipsec_sa *sa)
{
    const struct ipsec_lifetime *life = sa->life;
    uint8_t bits = 0;

    if (IS_LARVAL(sa)) {
        return (int32_t)(ips->now - sa->until) >= 0 ? HARD : 0;
    }
    if (expired(ips, sa)) {
        bits |= HARD;
    }
    if (is_last(sa->seq, life, sa->flags)) {
        bits |= HARD_SEQ;
    }
    if (life != NULL && (reached(ips->now - sa->born, life->soft_s) ||
                         reached(sa->bytes, life->soft_bytes))) {
        bits |= SOFT;
    }
    if (life != NULL && reached(sa->seq, life->soft_seq)) {
        bits |= SOFT_SEQ;
    }
    return bits;
}

#ifdef IPSEC_NO_AUDIT_DETAILS
#define noted(ips, sa, fresh, event) (event)
#else
/* `event` is to be raised: which of the limits is behind it (RFC 4301 section
 * 4.4.2.1)? Those of `fresh` were reached now. */
static int
noted(const struct ipsec *ips, struct ipsec_sa *sa, unsigned fresh, int event)
{
    const struct ipsec_lifetime *life = sa->life;
    int hard = event == IPSEC_EVENT_HARD;

    sa->reason = IPSEC_REASON_SEQ;
    if (fresh & (hard ? HARD : SOFT)) {
        sa->reason = IPSEC_REASON_TIME;
        if (!IS_LARVAL(sa) &&
            !reached(ips->now - sa->born, hard ? life->hard_s : life->soft_s)) {
            sa->reason = IPSEC_REASON_BYTES;
        }
    }
    return event;
}
#endif

/* The event that `sa` has yet to raise, now noted as raised; or 0. */
static int
event_take(const struct ipsec *ips, struct ipsec_sa *sa)
{
    uint8_t bits = due(ips, sa), old;

    if ((bits | sa->warned) == 0) {
        return 0; /* nearly always */
    }
    if (sa->warned & ~bits & SOFT_SEQ) {
        sa->warned |= RENEWED;
    }
    sa->warned = (uint8_t)(sa->warned & (bits | SOFT | HARD | RENEWED));
    old = sa->warned;
    sa->warned |= bits;
    if ((bits & ANY_HARD) && (old & ANY_HARD) == 0) {
        return noted(ips, sa, bits & ~old, IPSEC_EVENT_HARD);
    }
    if (((bits & ANY_SOFT) && (old & (ANY_SOFT | ANY_HARD)) == 0) ||
        ((bits & ~old & SOFT_SEQ) && (old & RENEWED))) {
        return noted(ips, sa, bits & ~old, IPSEC_EVENT_SOFT);
    }
    return 0;
}

/* see inner.h */
void
ipsec_life_warn(struct ipsec *ips, struct ipsec_sa *sa)
{
    int event;

    /* Again after each: a limit that was raised is armed from then on, and the
     * next packet may be past it at once. */
    while (sa->state != IPSEC_SA_DEAD && (event = event_take(ips, sa)) != 0 &&
           ips->cfg->sa_event != NULL) {
        ips->cfg->sa_event(ips->cfg->user, sa, event);
    }
}

static uint32_t
earlier(const struct ipsec *ips, uint32_t next, uint32_t at)
{
    return (int32_t)(at - ips->now) > 0 && (int32_t)(at - next) < 0
        ? at : next;
}

/* The earlier of `next` and when time alone will make `sa` due. */
static uint32_t
next_due(const struct ipsec *ips, const struct ipsec_sa *sa, uint32_t next)
{
    if (IS_LARVAL(sa)) {
        return earlier(ips, next, sa->until);
    }
    if (sa->life != NULL && sa->life->soft_s != 0) {
        next = earlier(ips, next, sa->born + sa->life->soft_s);
    }
    if (sa->life != NULL && sa->life->hard_s != 0) {
        next = earlier(ips, next, sa->born + sa->life->hard_s);
    }
    return next;
}

/* see inner.h */
void
ipsec_life_sweep(struct ipsec *ips, struct ipsec_sad_bucket *bucket,
                 uint32_t *next)
{
    struct ipsec_sa *sa = bucket->spi;
    int event;

    while (sa != NULL) {
        event = event_take(ips, sa);
        if (event == 0) {
            *next = next_due(ips, sa, *next);
            sa = sa->next_spi;
        } else {
            if (ips->cfg->sa_event != NULL) {
                ips->cfg->sa_event(ips->cfg->user, sa, event);
            }
            sa = bucket->spi; /* the callee may have changed the chain */
        }
    }
}

#endif
