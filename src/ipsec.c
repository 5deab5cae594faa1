/* SPDX-License-Identifier: MIT */
#include "inner.h"

/* The context, and what packets have in common both ways. */

#ifdef IPSEC_NO_ICMP
#define ICMP_FLAGS (IPSEC_ACCEPT_PTB | IPSEC_ICMP_RELATED | IPSEC_ICMP_CHECK)
#else
#define ICMP_FLAGS 0u
#endif

#ifdef IPSEC_NO_MODE_ANY
#define LEFT_OUT (ICMP_FLAGS | IPSEC_WILD_CARD)
#else
#define LEFT_OUT ICMP_FLAGS
#endif

#define SWEEP_S 64 /* a table is swept once in so many seconds */

/* see ipsec.h */
int
ipsec_init(struct ipsec *ips, const struct ipsec_config *cfg)
{
    int rc = IPSEC_OK;

    if (ips == NULL || cfg == NULL || cfg->crypto == NULL ||
        cfg->random == NULL) {
        return IPSEC_ERR_ARG;
    }
    if ((cfg->flags & LEFT_OUT) != 0) {
        return IPSEC_ERR_UNSUPPORTED;
    }
#ifdef IPSEC_NO_FRAGMENTS
    if (cfg->frag != NULL) {
        return IPSEC_ERR_UNSUPPORTED;
    }
#endif
#ifdef IPSEC_NO_INDEX
    if (cfg->sad != NULL || cfg->spd != NULL) {
        return IPSEC_ERR_UNSUPPORTED;
    }
#endif
    memset(ips, 0, sizeof *ips);
    ips->cfg = cfg;
    ips->generation = ips->sa_generation = 1;
#ifndef IPSEC_NO_INDEX
    rc = ipsec_sad_init(ips);
    if (rc == IPSEC_OK) {
        rc = ipsec_spd_init(ips);
    }
#endif
    return rc;
}

#if !defined(IPSEC_NO_EVENTS) && !defined(IPSEC_NO_INDEX)
/* The part of the table whose turn it is. When to come again. */
static uint32_t
table_sweep(struct ipsec *ips, uint32_t passed)
{
    const struct ipsec_config *cfg = ips->cfg;
    uint32_t next = 0;
    size_t n;

    if (passed == 0) {
        return ips->now + 1;
    }
    n = passed < SWEEP_S
        ? (cfg->sad_len + SWEEP_S - 1) / SWEEP_S * passed
        : cfg->sad_len;
    for (n = n < cfg->sad_len ? n : cfg->sad_len; n > 0; n--) {
        ips->swept = (ips->swept + 1) & (cfg->sad_len - 1);
        ipsec_life_sweep(ips, &cfg->sad[ips->swept], &next);
    }
    return ips->now + 1;
}
#endif

/* see ipsec.h */
uint32_t
ipsec_tick(struct ipsec *ips, uint32_t now)
{
    uint32_t passed = now - ips->now, next;

    if (passed > INT32_MAX && ips->now != 0) {
        passed = 0; /* earlier; but the first may be anywhere on the clock */
    }
    ips->now += passed;
    next = ips->now + INT32_MAX;
#ifndef IPSEC_NO_EVENTS
#ifndef IPSEC_NO_INDEX
    if (ips->cfg->sad != NULL) {
        return table_sweep(ips, passed);
    }
#endif
    ipsec_life_sweep(ips, &ips->sad_one, &next);
#endif
    return next;
}

/* see ipsec.h */
uint32_t
ipsec_now(const struct ipsec *ips)
{
    return ips->now;
}

/* see ipsec.h */
void
ipsec_pkt_init(struct ipsec_pkt *pkt, void *mem, size_t size,
               size_t headroom, size_t len)
{
    memset(pkt, 0, sizeof *pkt);
    pkt->buf.head = mem;
    pkt->buf.data = pkt->buf.head + headroom;
    pkt->buf.end = pkt->buf.head + size;
    pkt->buf.len = len;
}

/* see crypto.h */
struct ipsec_pkt *
ipsec_op_pkt(const struct ipsec_op *op)
{
    return op->owner;
}

/* What a backend answered. It is somebody else's code: a status that it may
 * not give must neither pass for success nor count outside the tables. */
static int
checked(int result)
{
    return result == IPSEC_OK || result == IPSEC_ERR_AUTH ||
           result == IPSEC_ERR_BUSY
        ? result : IPSEC_ERR_CRYPTO;
}

/* see ipsec.h */
int
ipsec_resume(struct ipsec *ips, struct ipsec_pkt *pkt, int result)
{
#ifdef IPSEC_NO_ASYNC
    (void)ips, (void)pkt, (void)result;
    return IPSEC_ERR_UNSUPPORTED;
#else
    result = checked(result);
    return pkt->op.open ? ipsec_inbound_resume(ips, pkt, result)
                        : ipsec_outbound_resume(ips, pkt, result);
#endif
}

/* see inner.h */
int
ipsec_op_run(struct ipsec_pkt *pkt, const struct ipsec_sa *sa)
{
    int rc;

    pkt->op.key = sa->key;
    pkt->op.owner = pkt;
#ifndef IPSEC_NO_ASYNC
    pkt->op.done = pkt->done;
#endif
    rc = sa->crypto->run(sa->crypto, &pkt->op);
    return rc == PENDING ? rc : checked(rc);
}

/* see inner.h */
void
ipsec_pkt_reset(struct ipsec_pkt *pkt)
{
    size_t i;

    pkt->layers = pkt->held = pkt->stage = pkt->passed = 0;
    pkt->head = pkt->tail = pkt->mtu = 0;
    pkt->seq = 0;
    for (i = 0; i < IPSEC_DEPTH; i++) {
        pkt->sa[i] = NULL;
    }
}

/* see inner.h */
void
ipsec_sa_release(struct ipsec *ips, struct ipsec_pkt *pkt)
{
    const struct ipsec_config *cfg = ips->cfg;
    struct ipsec_sa *sa;

    while (pkt->held > 0) {
        sa = pkt->sa[--pkt->held];
        sa->in_flight--;
        if (sa->state != IPSEC_SA_DEAD) {
            continue;
        }
        pkt->sa[pkt->held] = NULL; /* in whatever other place it is, too */
        if (sa->in_flight == 0) {
            ipsec_sa_end(sa);
            if (cfg->sa_event != NULL) {
                cfg->sa_event(cfg->user, sa, IPSEC_EVENT_RELEASED);
            }
        }
    }
}

/* see inner.h */
int
ipsec_sa_alive(const struct ipsec_pkt *pkt)
{
    size_t i;

    for (i = 0; i < pkt->held; i++) {
        if (pkt->sa[i]->state != IPSEC_SA_MATURE) {
            return IPSEC_ERR_EXPIRED;
        }
    }
    return IPSEC_OK;
}

static void
sa_count_drop(struct ipsec_sa *sa, int status)
{
    if (status == IPSEC_ERR_AUTH) {
        sa->drop_auth++;
    } else if (status == IPSEC_ERR_REPLAY) {
        sa->drop_replay++;
    } else {
        sa->drop_other++;
    }
}

/* see inner.h */
int
ipsec_pkt_drop(struct ipsec *ips, struct ipsec_pkt *pkt, struct ipsec_sa *sa,
               struct ipsec_audit *why)
{
    struct ipsec_stats *stats = ipsec_pkt_stats(ips, pkt);

    if (why->dir == IPSEC_IN) {
        stats->in_drop[-why->status]++;
    } else {
        stats->out_drop[-why->status]++;
    }
    if (sa != NULL) {
        sa_count_drop(sa, why->status);
        AUDIT_DETAIL(why->spi = sa->spi);
    }
    AUDIT_DETAIL(why->time = ips->now);
    why->pkt = pkt;
    if (ips->cfg->audit != NULL) {
        ips->cfg->audit(ips->cfg->user, why);
    }
    return why->status;
}

/* see types.h */
const char *
ipsec_status_str(int status)
{
#ifdef IPSEC_NO_NAMES
    (void)status;
    return "?";
#else
    /* from IPSEC_CONSUMED down, one behind the other: no pointers to keep */
    static const char names[] =
        "CONSUMED\0PENDING\0BYPASS\0OK\0NO_SA\0ROOM\0TOO_BIG\0DISCARD\0"
        "NO_POLICY\0UNPROTECTED\0FRAGMENT\0MALFORMED\0EXPIRED\0"
        "SEQ_OVERFLOW\0REPLAY\0AUTH\0SELECTOR\0MODE\0PADDING\0DEPTH\0BUSY\0"
        "CRYPTO\0ECN\0RANDOM\0UNSUPPORTED\0EXISTS\0ARG\0SPI\0ADDR\0KEY\0"
        "NO_INTEG\0STATIC_KEY\0WINDOW\0LIFETIME\0PORTS\0PREFIX\0BUNDLE\0"
        "WEAK";
    const char *name = names;

    if (status > IPSEC_CONSUMED || status < IPSEC_ERR_WEAK) {
        return "?";
    }
    while (status < IPSEC_CONSUMED) {
        status += *name++ == '\0';
    }
    return name;
#endif
}
