/* SPDX-License-Identifier: MIT */
#include "fake/crypto.h"
#include "ipsec/ipsec.h"
#include "options/status.h"

#include <stdio.h>
#include <string.h>

/* Print which features a build has, by asking for each; what it lacks answers
 * UNSUPPORTED, or else that is printed. See run.sh. */

static struct ipsec ips;
static struct ipsec_config cfg;
static struct fake_crypto crypto;
static struct fake_state st;
static struct ipsec_sa sa;
static struct ipsec_audit event;
static const struct ipsec_lifetime *limits; /* of the SA to add */

static int
zero(void *user, void *buf, size_t len)
{
    (void)user;
    memset(buf, 7, len);
    return 0;
}

static void
audit(void *user, const struct ipsec_audit *why)
{
    (void)user;
    event = *why;
}

static void
tell(const char *name, int rc)
{
    if (rc == IPSEC_OK) {
        printf("%s ", name);
    } else if (rc != IPSEC_ERR_UNSUPPORTED) {
        printf("%s:%s ", name, status_name(rc));
    }
}

/* An SA with one wish. */
static int
add(int dir, int mode, uint16_t flags, uint16_t tfc, uint16_t gmac)
{
    static const uint8_t keys[32] = { 1 };
    static struct fake_key key;
    struct ipsec_sa_params q;
    int rc;

    memset(&q, 0, sizeof q);
    memset(&sa, 0, sizeof sa);
    fake_crypto_init(&crypto, &st);
    cfg.crypto = &crypto.api;
    cfg.random = zero;
    cfg.audit = audit;
    cfg.flags = mode == IPSEC_MODE_ANY ? IPSEC_WILD_CARD : 0;
    rc = ipsec_init(&ips, &cfg);
    if (rc != IPSEC_OK) {
        /* a flag for what was left out is refused here */
        return cfg.flags != 0 ? rc : IPSEC_ERR_ARG;
    }
    q.spi = 0x1001;
    q.reqid = 1;
    q.dir = (uint8_t)dir;
    q.mode = (uint8_t)mode;
    q.proto = gmac ? IPSEC_PROTO_AH : IPSEC_PROTO_ESP;
    q.flags = (uint16_t)(flags | IPSEC_SA_NEGOTIATED);
    q.tfc = tfc;
    q.local.version = q.remote.version = 4;
    q.km.encr = IPSEC_ENCR_NULL;
    q.km.integ = gmac ? gmac : IPSEC_INTEG_HMAC_SHA2_256_128;
    q.km.integ_key = keys;
    q.km.integ_key_len = gmac ? 20 : 32;
    q.life = limits;
    q.key = &key;
    q.key_len = sizeof key;
    rc = ipsec_sad_add(&ips, &sa, &q);
    /* ... and not only here */
    return cfg.flags != 0 && rc == IPSEC_ERR_UNSUPPORTED ? IPSEC_ERR_ARG : rc;
}

static int
dummy(void)
{
    uint8_t mem[256];
    struct ipsec_pkt pkt;

    (void)add(IPSEC_OUT, IPSEC_MODE_TUNNEL, 0, 0, 0);
    ipsec_pkt_init(&pkt, mem, sizeof mem, 100, 0);
    return ipsec_dummy(&ips, &pkt, &sa, 10);
}

/* Does an event say more than the status? */
static int
details(void)
{
    uint8_t mem[48] = { 0x60, 0, 0, 9, 0, 8, 50, 64 };
    struct ipsec_pkt pkt;

    (void)add(IPSEC_OUT, IPSEC_MODE_TUNNEL, 0, 0, 0);
    ipsec_tick(&ips, 5);
    mem[42] = 1;
    mem[47] = 1;
    ipsec_pkt_init(&pkt, mem, sizeof mem, 0, sizeof mem);
    if (ipsec_inbound(&ips, &pkt) != IPSEC_ERR_NO_SA) {
        return IPSEC_ERR_ARG;
    }
    if (event.time == 5 && event.label == 9 && event.spi == 256 &&
        event.seq == 1) {
        return IPSEC_OK;
    }
    return event.time == 0 && event.label == 0 && event.spi == 0 &&
           event.seq == 0
        ? IPSEC_ERR_UNSUPPORTED : IPSEC_ERR_ARG;
}

/* Ready a packet, which `policy` is to protect. */
static int
send(struct ipsec_pkt *pkt, struct ipsec_policy *policy, uint32_t reqid)
{
    static uint8_t mem[256];
    int rc;

    (void)add(IPSEC_OUT, IPSEC_MODE_TUNNEL, 0, 0, 0);
    memset(policy, 0, sizeof *policy);
    policy->action = IPSEC_ACTION_PROTECT;
    policy->dir = IPSEC_OUT;
    policy->reqid = reqid;
    rc = ipsec_spd_add(&ips, policy);
    if (rc != IPSEC_OK) {
        return rc;
    }
    memset(mem, 0, sizeof mem);
    mem[100] = 0x45;
    mem[103] = 20;
    ipsec_pkt_init(pkt, mem, sizeof mem, 100, 20);
    return IPSEC_OK;
}

/* An SA with one soft limit; a hard one there is in any build. */
static int
warned(struct ipsec_lifetime life)
{
    int rc;

    life.hard_s = life.soft_s;
    life.hard_bytes = life.soft_bytes;
    life.hard_seq = life.soft_seq;
    limits = &life;
    rc = add(IPSEC_OUT, IPSEC_MODE_TUNNEL, 0, 0, 0);
    life.soft_s = 0;
    life.soft_bytes = life.soft_seq = 0;
    if (add(IPSEC_OUT, IPSEC_MODE_TUNNEL, 0, 0, 0) != IPSEC_OK) {
        rc = IPSEC_ERR_ARG;
    }
    limits = NULL;
    return rc;
}

static int told;

static void
told_of(void *user, struct ipsec_sa *which, int what)
{
    (void)user;
    (void)which;
    told |= 1 << what;
}

/* Of an SA past a limit in seconds, soft or hard: is there this event? The
 * limit holds in any build. */
static int
limit(int what)
{
    static struct ipsec_lifetime life;
    static struct ipsec_policy policy;
    struct ipsec_pkt pkt;
    int seen;

    if (send(&pkt, &policy, 1) != IPSEC_OK) {
        return IPSEC_ERR_ARG;
    }
    told = 0;
    life.soft_s = 1;
    life.hard_s = what == IPSEC_EVENT_HARD ? 1 : 9;
    sa.life = &life;
    cfg.sa_event = told_of;
    ipsec_tick(&ips, ipsec_now(&ips) + 2);
    seen = told;
    if (ipsec_outbound(&ips, &pkt) !=
        (what == IPSEC_EVENT_HARD ? IPSEC_ERR_EXPIRED : IPSEC_OK)) {
        return IPSEC_ERR_ARG;
    }
    return seen == 1 << what ? IPSEC_OK
        : seen == 0 ? IPSEC_ERR_UNSUPPORTED : IPSEC_ERR_ARG;
}

static int
reason(void)
{
    (void)limit(IPSEC_EVENT_HARD);
    return sa.reason == IPSEC_REASON_TIME ? IPSEC_OK : IPSEC_ERR_UNSUPPORTED;
}

static int
reserve(void)
{
    static struct ipsec_sa larval;
    int rc;

    (void)add(IPSEC_OUT, IPSEC_MODE_TUNNEL, 0, 0, 0);
    memset(&larval, 0, sizeof larval);
    rc = ipsec_sad_reserve(&ips, &larval, IPSEC_IN, IPSEC_PROTO_ESP, 2, 1);
    return (larval.state == IPSEC_SA_LARVAL) == (rc == IPSEC_OK)
        ? rc : IPSEC_ERR_ARG;
}

static int
update(void)
{
    struct ipsec_addr to = { 4, { 7 } };
    int rc;

    (void)add(IPSEC_OUT, IPSEC_MODE_TUNNEL, 0, 0, 0);
    rc = ipsec_sad_update(&ips, &sa, 0, &to, 0, &to, 0);
    return (sa.local.byte[0] == 7) == (rc == IPSEC_OK) ? rc : IPSEC_ERR_ARG;
}

static void
asked(void *user, struct ipsec_policy *policy, const struct ipsec_flow *flow,
      int lane)
{
    (void)user;
    (void)policy;
    (void)flow;
    (void)lane;
    told = 1;
}

static int
acquire(void)
{
    static struct ipsec_policy policy;
    struct ipsec_pkt pkt;

    cfg.acquire = asked;
    told = 0;
    if (send(&pkt, &policy, 2) != IPSEC_OK ||
        ipsec_outbound(&ips, &pkt) != IPSEC_ERR_NO_SA) {
        return IPSEC_ERR_ARG;
    }
    return told ? IPSEC_OK : IPSEC_ERR_UNSUPPORTED;
}

static void
done(struct ipsec_op *op, int result)
{
    told = ipsec_resume(&ips, ipsec_op_pkt(op), result);
}

/* An engine that answers later, if it is let. */
static int
async(void)
{
    static struct ipsec_policy policy;
    static struct ipsec_pkt pkt;
    int rc;

    told = IPSEC_ERR_ARG;
    if (send(&pkt, &policy, 1) != IPSEC_OK) {
        return IPSEC_ERR_ARG;
    }
    pkt.done = done;
    st.mode = FAKE_ASYNC;
    rc = ipsec_outbound(&ips, &pkt);
    st.mode = FAKE_SYNC;
    if (rc == IPSEC_PENDING) {
        fake_complete(&st, 0);
        return told;
    }
    return rc == IPSEC_OK ? ipsec_resume(&ips, &pkt, rc) : IPSEC_ERR_ARG;
}

static int
bundle(void)
{
    static struct ipsec_policy policy, outer;

    memset(&policy, 0, sizeof policy);
    policy.action = outer.action = IPSEC_ACTION_PROTECT;
    policy.dir = IPSEC_OUT;
    policy.reqid = 1;
    outer.reqid = 2;
    policy.outer = &outer;
    return ipsec_spd_add(&ips, &policy);
}

/* Memory for the SAD, or for the SPD alone. */
static int
tables(void)
{
    static struct ipsec_sad_bucket sad[2];
    static struct ipsec_policy *bucket[2];
    static struct ipsec_tuple tuple[1];
    static struct ipsec_spd_index spd = { bucket, 2, tuple, 1, 0, { 0 } };
    struct ipsec_config with = cfg;
    int rc;

    with.flags = 0;
    with.sad = sad;
    with.sad_len = 2;
    rc = ipsec_init(&ips, &with);
    with.sad = NULL;
    with.spd = &spd;
    return ipsec_init(&ips, &with) == rc ? rc : IPSEC_ERR_ARG;
}

int
main(void)
{
    struct ipsec_lifetime life = { 0 };

    (void)add(IPSEC_IN, IPSEC_MODE_TUNNEL, 0, 0, 0);
    tell("quarantine", ipsec_sad_quarantine(&ips, &sa, 9));
    tell("rollover", add(IPSEC_OUT, IPSEC_MODE_TUNNEL, IPSEC_SA_ROLLOVER, 0,
                         0));
    tell("tfc", add(IPSEC_OUT, IPSEC_MODE_TUNNEL, 0, 100, 0));
    tell("dummy", dummy());
    tell("any", add(IPSEC_IN, IPSEC_MODE_ANY, 0, 0, 0));
    tell("gmac", add(IPSEC_OUT, IPSEC_MODE_TUNNEL, 0, 0,
                     IPSEC_INTEG_AES_GMAC_128));
    tell("details", details());
    tell("reason", reason());
    tell("tables", tables());
    tell("names", ipsec_status_str(IPSEC_OK)[0] == '?'
                      ? IPSEC_ERR_UNSUPPORTED : IPSEC_OK);
    tell("reserve", reserve());
    tell("update", update());
    tell("acquire", acquire());
    life.soft_s = 9;
    tell("soft_s", warned(life));
    life.soft_s = 0;
    life.soft_bytes = 9;
    tell("soft_bytes", warned(life));
    life.soft_bytes = 0;
    life.soft_seq = 9;
    tell("soft_seq", warned(life));
    tell("soft", limit(IPSEC_EVENT_SOFT));
    tell("hard", limit(IPSEC_EVENT_HARD));
    tell("async", async());
    tell("bundle", bundle());
    printf("\n");
    return 0;
}
