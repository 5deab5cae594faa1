/* SPDX-License-Identifier: MIT */
#include "inner.h"

/*
 * Security Association Database (RFC 4301 section 4.4.2).
 *
 * Every SA is in a chain by SPI, every outbound one also in a chain by
 * reqid, newest first. Without a table there is one bucket; the code is the
 * same. Hashes are keyed, for outbound SPIs are the peers' choice.
 */

#define SPI_MIN   256 /* RFC 4303 section 2.1 */
#define SPI_TRIES 16

#ifdef IPSEC_NO_NATT
#define HAS_UDP 0
#define NATT_FLAGS 0u
#define UPDATE_FLAGS 0u
#define udp_set(sa, nat_csum, local, remote) ((void)0)
#else
#define HAS_UDP 1
#define NATT_FLAGS (IPSEC_SA_ENCAP_ONLY | IPSEC_SA_NAT_CSUM)
#define UPDATE_FLAGS IPSEC_SA_NAT_CSUM

static void
udp_set(struct ipsec_sa *sa, unsigned nat_csum, uint16_t local,
        uint16_t remote)
{
    sa->flags = (uint16_t)((sa->flags & ~IPSEC_SA_NAT_CSUM) | nat_csum);
    sa->local_port = local;
    sa->remote_port = remote;
}
#endif

#define KNOWN_FLAGS                                                           \
    (IPSEC_SA_ESN | IPSEC_SA_NO_REPLAY | IPSEC_SA_NEGOTIATED |                \
     NATT_FLAGS | IPSEC_SA_DF_COPY | IPSEC_SA_DF_SET | IPSEC_SA_DSCP_SET |    \
     IPSEC_SA_NO_ECN | IPSEC_SA_LABEL_COPY | IPSEC_SA_AH_ALIGN8 |             \
     GROUP_FLAGS | ROLLOVER)

#ifdef IPSEC_NO_DSCP
#define map_refused(q)  ((q)->dscp_map != NULL)
#define map_keep(sa, q) ((void)0)
#else
#define map_refused(q)  0
#define map_keep(sa, q) ((void)((sa)->dscp_map = (q)->dscp_map))
#endif

#ifdef IPSEC_NO_INDEX
#define index_next(ips, sa) NULL
#else

/* see inner.h */
int
ipsec_sad_init(struct ipsec *ips)
{
    const struct ipsec_config *cfg = ips->cfg;

    if (cfg->sad == NULL) {
        return IPSEC_OK;
    }
    if (cfg->sad_len == 0 || (cfg->sad_len & (cfg->sad_len - 1)) != 0) {
        return IPSEC_ERR_ARG;
    }
    memset(cfg->sad, 0, cfg->sad_len * sizeof *cfg->sad);
    return cfg->random(cfg->user, ips->hash_key, sizeof ips->hash_key) < 0
        ? IPSEC_ERR_RANDOM : IPSEC_OK;
}

/* see inner.h */
struct ipsec_sad_bucket *
ipsec_sad_bucket(const struct ipsec *ips, uint32_t key)
{
    uint64_t hash;

    if (ips->cfg->sad == NULL) {
        return (struct ipsec_sad_bucket *)&ips->sad_one;
    }
    hash = ips->hash_key[0] * key + ips->hash_key[1];
    return &ips->cfg->sad[(size_t)(hash >> 32) & (ips->cfg->sad_len - 1)];
}

/* The first of the next chain: `sa` is the last of its own. NULL: there was
 * none yet. */
static struct ipsec_sa *
index_next(const struct ipsec *ips, const struct ipsec_sa *sa)
{
    const struct ipsec_sad_bucket *b = ips->cfg->sad, *end;

    if (b == NULL) {
        return NULL;
    }
    end = b + ips->cfg->sad_len;
    if (sa != NULL) {
        b = ipsec_sad_bucket(ips, sa->spi) + 1;
    }
    while (b < end && b->spi == NULL) {
        b++;
    }
    return b < end ? b->spi : NULL;
}

#endif

static void
link_in(struct ipsec *ips, struct ipsec_sa *sa)
{
    struct ipsec_sad_bucket *b = ipsec_sad_bucket(ips, sa->spi);

    sa->next_spi = b->spi;
    b->spi = sa;
    if (sa->dir == IPSEC_OUT) {
        b = ipsec_sad_bucket(ips, sa->reqid);
        sa->next_reqid = b->reqid;
        b->reqid = sa;
    }
    ips->sa_generation++;
}

/* Take `sa` out of its chains. Is it in them at all? */
static int
link_out(struct ipsec *ips, struct ipsec_sa *sa)
{
    struct ipsec_sa **p = &ipsec_sad_bucket(ips, sa->spi)->spi;

    while (*p != NULL && *p != sa) {
        p = &(*p)->next_spi;
    }
    if (*p == NULL) {
        return 0;
    }
    *p = sa->next_spi;
    if (sa->dir == IPSEC_OUT) {
        p = &ipsec_sad_bucket(ips, sa->reqid)->reqid;
        while (*p != NULL && *p != sa) {
            p = &(*p)->next_reqid;
        }
        if (*p != NULL) {
            *p = sa->next_reqid;
        }
    }
    ips->sa_generation++;
    return 1;
}

/* Has another SA the place that these would take? `group` is GROUP_FLAGS. */
static int
taken(const struct ipsec *ips, const struct ipsec_sa *but, int dir,
      uint32_t spi, int proto, unsigned group,
      const struct ipsec_addr *local, const struct ipsec_addr *remote)
{
    const struct ipsec_sa *sa = ipsec_sad_bucket(ips, spi)->spi;

    for (; sa != NULL; sa = sa->next_spi) {
        if (sa != but && sa->spi == spi && sa->dir == dir &&
            sa->proto == proto &&
            (dir == IPSEC_IN ? ipsec_group_clash(sa, group, local, remote)
                             : ipsec_addr_equal(&sa->remote, remote))) {
            return 1;
        }
    }
    return 0;
}

#ifndef IPSEC_NO_KEYMGMT
/* A free SPI. With a million of them taken, each try fails once in 4,096. */
static int
spi_pick(const struct ipsec *ips, int proto, uint32_t *spi)
{
    const struct ipsec_config *cfg = ips->cfg;
    int i;

    for (i = 0; i < SPI_TRIES; i++) {
        if (cfg->random(cfg->user, spi, sizeof *spi) < 0) {
            return IPSEC_ERR_RANDOM;
        }
        if (*spi >= SPI_MIN &&
            !taken(ips, NULL, IPSEC_IN, *spi, proto, 0, NULL, NULL)) {
            return IPSEC_OK;
        }
    }
    return IPSEC_ERR_EXISTS;
}
#endif

/* see sad.h */
int
ipsec_sad_reserve(struct ipsec *ips, struct ipsec_sa *sa, int dir, int proto,
                  uint32_t reqid, uint32_t seconds)
{
#ifdef IPSEC_NO_KEYMGMT
    (void)ips, (void)sa, (void)dir, (void)proto, (void)reqid, (void)seconds;
    return IPSEC_ERR_UNSUPPORTED;
#else
    uint32_t spi = 0;
    int rc;

    if ((dir != IPSEC_IN && dir != IPSEC_OUT) || reqid == 0 || seconds == 0 ||
        seconds > INT32_MAX) {
        return IPSEC_ERR_ARG;
    }
    if (!ipsec_proto_known(proto)) {
        return IPSEC_ERR_UNSUPPORTED;
    }
    if (sa->state != IPSEC_SA_NONE) {
        return IPSEC_ERR_EXISTS;
    }
    rc = dir == IPSEC_IN ? spi_pick(ips, proto, &spi) : IPSEC_OK;
    if (rc != IPSEC_OK) {
        return rc;
    }
    sa->state = IPSEC_SA_LARVAL;
    sa->dir = (uint8_t)dir;
    sa->proto = (uint8_t)proto;
    sa->spi = spi;
    sa->reqid = reqid;
    sa->until = ips->now + seconds;
    sa->warned = 0;
    link_in(ips, sa);
    return IPSEC_OK;
#endif
}

/* ESP in UDP has both ports; what is not in UDP, neither. */
static int
check_ports(int proto, uint16_t local, uint16_t remote)
{
    if ((local | remote) == 0) {
        return IPSEC_OK;
    }
    if (!HAS_UDP || proto != IPSEC_PROTO_ESP) {
        return IPSEC_ERR_UNSUPPORTED;
    }
    return local != 0 && remote != 0 ? IPSEC_OK : IPSEC_ERR_PORTS;
}

/* TFC padding, which only a packet inside has the length to do without. */
static int
tfc_known(const struct ipsec_sa_params *q)
{
#ifdef IPSEC_NO_TFC
    return q->tfc == 0;
#else
    return q->tfc == 0 ||
           (q->dir == IPSEC_OUT && q->proto == IPSEC_PROTO_ESP &&
            q->mode == IPSEC_MODE_TUNNEL);
#endif
}

/* Wild-card mode: inbound, where the configuration says so. */
static int
mode_known(const struct ipsec *ips, const struct ipsec_sa_params *q)
{
#ifdef IPSEC_NO_MODE_ANY
    (void)ips;
    return q->mode != IPSEC_MODE_ANY;
#else
    return q->mode != IPSEC_MODE_ANY ||
           (q->dir == IPSEC_IN && (ips->cfg->flags & IPSEC_WILD_CARD));
#endif
}

static int
check_shape(const struct ipsec *ips, const struct ipsec_sa *sa,
            const struct ipsec_sa_params *q)
{
    int rc;

    if ((q->dir != IPSEC_IN && q->dir != IPSEC_OUT) || q->reqid == 0 ||
        q->mode < IPSEC_MODE_TRANSPORT || q->mode > IPSEC_MODE_ANY ||
        q->dscp > 63 || q->key == NULL) {
        return IPSEC_ERR_ARG;
    }
    if (!ipsec_proto_known(q->proto) || !mode_known(ips, q) ||
        (q->proto == IPSEC_PROTO_AH && q->km.encr != IPSEC_ENCR_NULL) ||
        (q->flags & ~(unsigned)KNOWN_FLAGS) != 0 ||
        !tfc_known(q) || map_refused(q) || LACKS_IP(q->local.version) ||
        LACKS_IP(q->remote.version)) {
        return IPSEC_ERR_UNSUPPORTED;
    }
    if (sa->state != IPSEC_SA_NONE &&
        (!IS_LARVAL(sa) || sa->dir != q->dir ||
         sa->proto != q->proto)) {
        return IPSEC_ERR_EXISTS;
    }
    rc = check_ports(q->proto, q->local_port, q->remote_port);
    if (rc != IPSEC_OK) {
        return rc;
    }
    return ipsec_addr_pair(&q->local, &q->remote) ? IPSEC_OK : IPSEC_ERR_ADDR;
}

/* Numbers may begin again (RFC 4303 section 3.3.3) where they are no nonces,
 * nobody tells packets apart by them, and none are reserved. */
static int
may_roll_over(const struct ipsec_sa_params *q, const struct ipsec_alg *alg)
{
    return (alg->flags & ALG_COUNTER) == 0 && (q->flags & IPSEC_SA_ESN) == 0 &&
           (q->dir == IPSEC_OUT || (q->flags & IPSEC_SA_NO_REPLAY)) &&
           (q->life == NULL || q->life->hard_seq == 0);
}

/* Sequence numbers, window and lifetime. */
static int
check_numbers(const struct ipsec_sa_params *q, const struct ipsec_alg *alg)
{
    size_t len = q->window_len;

    if (q->window != NULL ? len == 0 || (len & (len - 1)) != 0 : len != 0) {
        return IPSEC_ERR_WINDOW;
    }
    if ((alg->flags & ALG_COUNTER) && (q->flags & IPSEC_SA_NEGOTIATED) == 0 &&
        q->dir == IPSEC_OUT && (q->life == NULL || q->life->hard_seq == 0)) {
        return IPSEC_ERR_STATIC_KEY; /* RFC 4106 section 2 */
    }
    if ((q->flags & ROLLOVER) && !may_roll_over(q, alg)) {
        return IPSEC_ERR_UNSUPPORTED;
    }
    return ipsec_life_valid(q->life, q->seq, q->flags);
}

static int
check_key(const struct ipsec_sa_params *q, const struct ipsec_crypto *crypto)
{
    size_t need = crypto->key_size(crypto, &q->km);

    if (need == 0) {
        return IPSEC_ERR_UNSUPPORTED;
    }
    return q->key_len < need ? IPSEC_ERR_ROOM : IPSEC_OK;
}

static int
check(const struct ipsec *ips, const struct ipsec_sa *sa,
      const struct ipsec_sa_params *q, const struct ipsec_crypto *crypto,
      struct ipsec_alg *alg, uint32_t spi)
{
    int rc = check_shape(ips, sa, q);

    if (rc == IPSEC_OK && spi < SPI_MIN) {
        rc = IPSEC_ERR_SPI;
    }
    if (rc == IPSEC_OK) {
        rc = ipsec_alg_find(alg, &q->km);
    }
    if (rc == IPSEC_OK && (alg->flags & ALG_AH) &&
        q->proto != IPSEC_PROTO_AH) {
        rc = IPSEC_ERR_UNSUPPORTED; /* RFC 4543 section 5.3 */
    }
    if (rc == IPSEC_OK) {
        rc = ipsec_key_check(&q->km, (q->flags & IPSEC_SA_NEGOTIATED) != 0);
    }
    if (rc == IPSEC_OK) {
        rc = ipsec_group_valid(q, alg);
    }
    if (rc == IPSEC_OK) {
        rc = check_numbers(q, alg);
    }
    if (rc == IPSEC_OK) {
        rc = check_key(q, crypto);
    }
    if (rc == IPSEC_OK &&
        taken(ips, sa, q->dir, spi, q->proto, q->flags & GROUP_FLAGS,
              &q->local, &q->remote)) {
        rc = IPSEC_ERR_EXISTS;
    }
    return rc;
}

static void
fill(const struct ipsec *ips, struct ipsec_sa *sa,
     const struct ipsec_sa_params *q, const struct ipsec_crypto *crypto,
     const struct ipsec_alg *alg)
{
    void *user = sa->user;

    memset(sa, 0, sizeof *sa);
    sa->user = user;
    sa->reqid = q->reqid;
    sa->dir = q->dir;
    sa->proto = q->proto;
    sa->mode = q->mode;
    sa->lane = q->lane;
    sa->spd_id = q->spd_id;
    sa->dscp = q->dscp;
    sa->flags = q->flags;
    sa->local = q->local;
    sa->remote = q->remote;
    udp_set(sa, q->flags & IPSEC_SA_NAT_CSUM, q->local_port, q->remote_port);
    sa->mtu = sa->link_mtu = q->mtu;
    map_keep(sa, q);
#ifndef IPSEC_NO_TFC
    sa->tfc = q->tfc;
#endif
    sa->seq = q->seq;
    sa->life = q->life;
    sa->crypto = crypto;
    sa->key = q->key;
    sa->window = q->window != NULL ? q->window : sa->window_own;
    sa->window_len = q->window != NULL ? q->window_len : 2;
    sa->iv_len = alg->iv_len;
    sa->align = alg->align;
    sa->icv_len = alg->icv_len;
    sa->alg = alg->flags;
    sa->born = sa->used = ips->now;
    sa->state = IPSEC_SA_MATURE;
}

/* see sad.h */
int
ipsec_sad_add(struct ipsec *ips, struct ipsec_sa *sa,
              const struct ipsec_sa_params *params)
{
    const struct ipsec_crypto *crypto =
        params->crypto != NULL ? params->crypto : ips->cfg->crypto;
    uint32_t spi = IS_LARVAL(sa) && sa->spi != 0
        ? sa->spi : params->spi;
    struct ipsec_alg alg;
    int rc = check(ips, sa, params, crypto, &alg, spi);

    if (rc == IPSEC_OK) {
        rc = crypto->key_init(crypto, params->key, &params->km,
                              params->dir == IPSEC_IN);
    }
    if (rc != IPSEC_OK) {
        return rc;
    }
    if (IS_LARVAL(sa)) {
        link_out(ips, sa);
    }
    fill(ips, sa, params, crypto, &alg);
    sa->spi = spi;
    ipsec_replay_init(sa);
    link_in(ips, sa);
    return IPSEC_OK;
}

/* see sad.h */
int
ipsec_sad_update(struct ipsec *ips, struct ipsec_sa *sa, uint16_t flags,
                 const struct ipsec_addr *local, uint16_t local_port,
                 const struct ipsec_addr *remote, uint16_t remote_port)
{
#ifdef IPSEC_NO_KEYMGMT
    (void)ips, (void)sa, (void)flags, (void)local, (void)local_port;
    (void)remote, (void)remote_port;
    return IPSEC_ERR_UNSUPPORTED;
#else
    int rc;

    if (sa->state != IPSEC_SA_MATURE) {
        return IPSEC_ERR_ARG;
    }
    if ((flags & ~(unsigned)UPDATE_FLAGS) != 0 ||
        (IS_GROUP(sa) && local_port != 0) || LACKS_IP(local->version) ||
        LACKS_IP(remote->version)) {
        return IPSEC_ERR_UNSUPPORTED;
    }
    rc = check_ports(sa->proto, local_port, remote_port);
    if (rc != IPSEC_OK) {
        return rc;
    }
    if (!ipsec_addr_pair(local, remote) ||
        (IS_GROUP(sa) && !ipsec_addr_is_group(local))) {
        return IPSEC_ERR_ADDR;
    }
    if (taken(ips, sa, sa->dir, sa->spi, sa->proto, sa->flags & GROUP_FLAGS,
              local, remote)) {
        return IPSEC_ERR_EXISTS;
    }
    sa->local = *local;
    sa->remote = *remote;
    udp_set(sa, flags, local_port, remote_port);
    sa->mtu = sa->link_mtu;
    ips->sa_generation++;
    return IPSEC_OK;
#endif
}

/* see inner.h */
void
ipsec_sa_end(struct ipsec_sa *sa)
{
    if (sa->key != NULL) {
        sa->crypto->key_wipe(sa->crypto, sa->key);
        sa->key = NULL;
    }
    sa->state = IPSEC_SA_NONE;
}

/* see sad.h */
int
ipsec_sad_remove(struct ipsec *ips, struct ipsec_sa *sa)
{
    if ((!IS_LARVAL(sa) && sa->state != IPSEC_SA_MATURE) ||
        !link_out(ips, sa)) {
        return IPSEC_ERR_ARG;
    }
    if (sa->in_flight != 0) {
        sa->state = IPSEC_SA_DEAD;
        return IPSEC_PENDING;
    }
    ipsec_sa_end(sa);
    return IPSEC_OK;
}

/* see sad.h */
int
ipsec_sad_quarantine(struct ipsec *ips, struct ipsec_sa *sa, uint32_t seconds)
{
#ifdef IPSEC_NO_QUARANTINE
    (void)ips;
    (void)sa;
    (void)seconds;
    return IPSEC_ERR_UNSUPPORTED;
#else
    int rc;

    if (sa->dir != IPSEC_IN || sa->state != IPSEC_SA_MATURE || seconds == 0 ||
        seconds > INT32_MAX) {
        return IPSEC_ERR_ARG;
    }
    rc = ipsec_sad_remove(ips, sa);
    if (rc == IPSEC_OK) {
        sa->state = IPSEC_SA_LARVAL;
        sa->until = ips->now + seconds;
        sa->warned = 0;
        link_in(ips, sa);
    }
    return rc;
#endif
}

/* see sad.h */
struct ipsec_sa *
ipsec_sad_lookup(const struct ipsec *ips, int dir, uint32_t spi, int proto,
                 const struct ipsec_addr *dst)
{
    struct ipsec_sa *sa = ipsec_sad_bucket(ips, spi)->spi;

    if (dir == IPSEC_IN && dst != NULL && ipsec_addr_is_group(dst)) {
        return ipsec_group_find(ips, spi, proto, dst, NULL);
    }
    for (; sa != NULL; sa = sa->next_spi) {
        if (sa->spi == spi && sa->dir == dir && sa->proto == proto &&
            !IS_GROUP(sa) && (dst == NULL || ipsec_addr_equal(
                dst, dir == IPSEC_IN ? &sa->local : &sa->remote))) {
            break;
        }
    }
    return sa;
}

/* Which of two candidates for a lane: mature before larval, the lane's own
 * before lane 0, the newer before the older. */
static int
rank(const struct ipsec_sa *sa, int lane)
{
    return !IS_LARVAL(sa) * 2 + (sa->lane == lane);
}

/* see sad.h */
struct ipsec_sa *
ipsec_sad_newest(const struct ipsec *ips, uint32_t reqid, int lane)
{
    struct ipsec_sa *sa = ipsec_sad_bucket(ips, reqid)->reqid, *best = NULL;

    for (; sa != NULL; sa = sa->next_reqid) {
        if (sa->reqid == reqid && (sa->lane == lane || sa->lane == 0) &&
            (best == NULL || rank(sa, lane) > rank(best, lane))) {
            best = sa;
        }
    }
    return best;
}

/* see sad.h */
struct ipsec_sa *
ipsec_sad_next(const struct ipsec *ips, const struct ipsec_sa *sa)
{
    /* `sad_one` is empty where there is a table */
    struct ipsec_sa *next = sa != NULL ? sa->next_spi : ips->sad_one.spi;

    return next != NULL ? next : index_next(ips, sa);
}
