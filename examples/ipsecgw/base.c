/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base.h"

#include <stdlib.h>
#include <string.h>

#define FRAG_S 30

/* --- SAs */

/* Is it only that no more numbers could be noted? */
static int
is_waiting(const struct base *base, const struct ipsec_sa *sa)
{
    const struct base_sa *s = sa->user;

    return s->number != NULL && sa->dir == IPSEC_OUT &&
           sa->seq >= s->life.hard_seq && s->life.hard_seq < base_numbers(s) &&
           !base_is_over(base, s);
}

/* Called within a packet's call: takes note. */
static void
on_event(void *user, struct ipsec_sa *sa, int event)
{
    struct base *base = user;
    struct base_sa *s = sa->user;

    if (event == IPSEC_EVENT_HARD && !is_waiting(base, sa)) {
        s->ended = 1;
        base->reap = 1;
    } else if (s->number != NULL && s->life.soft_seq != 0 &&
               sa->seq >= s->life.soft_seq) {
        s->due = s->due == 0 ? BASE_DUE : s->due;
        base->due = 1;
    }
}

static void
sa_free(struct base_sa *s)
{
    if (s->number != NULL) {
        s->number->user = NULL;
    }
    explicit_bzero(&s->said, sizeof s->said);
    free(s->key);
    free(s->window);
    free(s);
}

static void
sa_remove(struct base *base, struct base_sa *s)
{
    *s->at = s->next;
    if (s->next != NULL) {
        s->next->at = s->at;
    } else {
        base->sas_end = s->at;
    }
    base_index_remove(&base->by_key, &s->by_key);
    base_index_remove(&base->by_ends, &s->by_ends);
    (void)ipsec_sad_remove(&base->ips, &s->sa);
    sa_free(s);
}

/* -r is in bytes, and each has eight packets. */
static void
window_set(struct base_sa *s, struct ipsec_sa_params *params)
{
    unsigned words = 1;

    if (params->dir != IPSEC_IN) {
        return;
    }
    if (s->said.replay == 0) {
        params->flags |= IPSEC_SA_NO_REPLAY;
        return;
    }
    while (words * 4 < s->said.replay) {
        words *= 2;
    }
    if (words > 2) { /* two words are in every SA */
        s->window = calloc(words, sizeof *s->window);
        params->window = s->window;
        params->window_len = (uint16_t)words;
    }
}

static void
ends_set(const struct setkey_sa *said, struct ipsec_sa_params *params)
{
    int out = params->dir == IPSEC_OUT;

    params->local = out ? said->src : said->dst;
    params->remote = out ? said->dst : said->src;
    if (said->natt) {
        params->local_port = out ? said->src_port : said->dst_port;
        params->remote_port = out ? said->dst_port : said->src_port;
    }
}

static int
params_set(struct base *base, struct base_sa *s,
           struct ipsec_sa_params *params, int dir, uint8_t mode)
{
    const struct ipsec_crypto *crypto = base->env->crypto;
    int tunnel_out = dir == IPSEC_OUT && mode == IPSEC_MODE_TUNNEL;

    setkey_params(params, &s->said);
    params->dir = (uint8_t)dir;
    params->mode = mode;
    params->reqid = base_class_sa(base, &s->said, mode);
    params->mtu = dir == IPSEC_OUT ? base->env->mtu : 0;
    params->flags |= s->said.esn ? IPSEC_SA_ESN : 0;
    params->flags |= s->said.align8 ? IPSEC_SA_AH_ALIGN8 : 0;
    params->flags |= tunnel_out && s->said.df_copy ? IPSEC_SA_DF_COPY : 0;
    /* which addresses a NAT took away nobody has said: sum anew */
    params->flags |= s->said.natt && mode == IPSEC_MODE_TRANSPORT &&
                     dir == IPSEC_IN ? IPSEC_SA_NAT_CSUM : 0;
    ends_set(&s->said, params);
    window_set(s, params);
    s->life.soft_s = s->said.soft_s;
    s->life.hard_s = s->said.hard_s;
    s->life.soft_bytes = s->said.soft_bytes;
    s->life.hard_bytes = s->said.hard_bytes;
    params->life = &s->life;
    base_number_set(base, s, params);
    params->key_len = crypto->key_size(crypto, &params->km);
    s->key = malloc(params->key_len + 1);
    params->key = s->key;
    return params->reqid != 0 && s->key != NULL ? 0 : -1;
}

static int
sa_insert(struct base *base, struct base_sa *s, int dir, uint8_t mode,
          const struct setkey_command *cmd, struct setkey_error *error)
{
    struct ipsec_sa_params params;
    int rc;

    if (params_set(base, s, &params, dir, mode) != 0) {
        return base_fail(error, cmd->at, "no memory");
    }
    rc = ipsec_sad_add(&base->ips, &s->sa, &params);
    if (rc != IPSEC_OK) {
        return base_fail(error, rc == IPSEC_ERR_EXISTS ? cmd->sa.spi_at
                         : cmd->at, "%s", base_reason(rc));
    }
    s->sa.user = s;
    s->added = time(NULL);
    s->at = base->sas_end;
    *s->at = s;
    base->sas_end = &s->next;
    return 0;
}

static int
sa_new(struct base *base, const struct setkey_command *cmd, int dir,
       uint8_t mode, struct setkey_error *error)
{
    struct base_sa *s = calloc(1, sizeof *s);

    if (s == NULL) {
        return base_fail(error, cmd->at, "no memory");
    }
    s->said = cmd->sa;
    if (sa_insert(base, s, dir, mode, cmd, error) != 0) {
        sa_free(s);
        return -1;
    }
    if (base_sa_index(base, s) != 0) {
        sa_remove(base, s);
        return base_fail(error, cmd->at, "no memory");
    }
    return 0;
}

static int
sa_add(struct base *base, const struct setkey_command *cmd, uint8_t mode,
       struct setkey_error *error)
{
    const struct base_env *env = base->env;
    const struct base_sa *other = base_shares_key(base, &cmd->sa);
    int dir = base_dir(base, &cmd->sa, cmd->at, error);

    if (dir < 0) {
        return -1;
    }
    if (other != NULL) {
        return base_fail(error, cmd->sa.alg_at, "SPI 0x%x has this key too: "
                         "in a counter mode each SA needs its own (RFC 4106 "
                         "section 2)", (unsigned)other->said.spi);
    }
    if (env->refuse != NULL && env->refuse(env->user, cmd, dir, error) != 0) {
        return -1;
    }
    return sa_new(base, cmd, dir, mode, error);
}

/* delete, get: the same two addresses, protocol and, but for deleteall, SPI. */
static int
is_named(const struct base_sa *s, const struct setkey_command *cmd)
{
    return memcmp(&s->said.src, &cmd->sa.src, sizeof s->said.src) == 0 &&
           memcmp(&s->said.dst, &cmd->sa.dst, sizeof s->said.dst) == 0 &&
           s->said.proto == cmd->sa.proto &&
           (cmd->verb == SETKEY_DELETEALL || s->said.spi == cmd->sa.spi);
}

static int
sa_delete(struct base *base, const struct setkey_command *cmd,
          struct setkey_error *error)
{
    struct base_sa *s, *next;
    int any = cmd->verb == SETKEY_DELETEALL;

    for (s = base->sas; s != NULL; s = next) {
        next = s->next;
        if (is_named(s, cmd)) {
            sa_remove(base, s);
            any = 1;
        }
    }
    return any ? 0 : base_fail(error, cmd->at, "there is no such SA");
}

static int
sa_get(struct base *base, const struct setkey_command *cmd, struct text *out,
       struct setkey_error *error)
{
    const struct base_sa *s;

    for (s = base->sas; s != NULL; s = s->next) {
        if (is_named(s, cmd)) {
            show_sa(out, base, s, 0);
            return 0;
        }
    }
    return base_fail(error, cmd->at, "there is no such SA");
}

/* flush, dump. */
static void
sa_each(struct base *base, const struct setkey_command *cmd, struct text *out)
{
    struct base_sa *s, *next;

    for (s = base->sas; s != NULL; s = next) {
        int wanted = cmd->proto == 0 || s->said.proto == cmd->proto;

        next = s->next;
        if (wanted && cmd->verb == SETKEY_FLUSH) {
            sa_remove(base, s);
        } else if (wanted) {
            show_sa(out, base, s, 0);
        }
    }
}

/* --- commands */

static int
do_one(struct base *base, const struct setkey_command *cmd, struct text *out,
       struct setkey_error *error)
{
    const struct base_policy *p;

    switch (cmd->verb) {
    case SETKEY_ADD:
        return sa_add(base, cmd, base_mode(base, &cmd->sa), error);
    case SETKEY_DELETE:
    case SETKEY_DELETEALL:
        return sa_delete(base, cmd, error);
    case SETKEY_GET:
        return sa_get(base, cmd, out, error);
    case SETKEY_FLUSH:
    case SETKEY_DUMP:
        sa_each(base, cmd, out);
        return 0;
    case SETKEY_SPDADD:
    case SETKEY_SPDUPDATE:
        return base_policy_add(base, cmd, error);
    case SETKEY_SPDDELETE:
        return base_policy_delete(base, cmd, error);
    case SETKEY_SPDFLUSH:
        while (base->policies != NULL) {
            base_policy_remove(base, base->policies);
        }
        return 0;
    case SETKEY_SPDDUMP:
        for (p = base->policies; p != NULL; p = p->next) {
            show_policy(out, p);
        }
        return 0;
    case SETKEY_OTHER:
        if (base->env->other != NULL) {
            base->env->other(base->env->user, cmd->other, out);
        }
        return 0;
    default:
        return 0;
    }
}

/* The tunnels that `cmds` name, wherever in the text: `-m any` goes by them.
 * The links; NULL: no memory. */
static struct base_link *
tunnels_said(struct base *base, const struct setkey_command *cmds, size_t n)
{
    struct base_link *links = calloc(n * SETKEY_LAYERS + 1, sizeof *links);
    struct base_link *link = links;
    size_t i, k;

    for (i = 0; i < n && links != NULL; i++) {
        for (k = 0; k < cmds[i].policy.layers; k++) {
            const struct setkey_layer *l = &cmds[i].policy.layer[k];

            if (l->mode == IPSEC_MODE_TUNNEL &&
                base_index_add(&base->said, link++,
                               base_hash_tunnel(l->proto, &l->src, &l->dst),
                               l) != 0) {
                free(links);
                return NULL;
            }
        }
    }
    return links;
}

static int
do_all(struct base *base, const struct setkey_command *cmds, size_t n,
       struct text *out, struct setkey_error *error)
{
    struct base_link *links = tunnels_said(base, cmds, n);
    size_t i;
    int rc = 0;

    if (links == NULL) {
        rc = base_fail(error, cmds[0].at, "no memory");
    }
    for (i = 0; i < n && rc == 0; i++) {
        rc = do_one(base, &cmds[i], out, error);
    }
    base_index_free(&base->said);
    free(links);
    return rc;
}

/* Put into `copy` what is in `base`, whatever is to be said of it by now: our
 * addresses may be others. */
static int
copy_all(struct base *copy, const struct base *base,
         struct setkey_error *error)
{
    const struct base_policy *p;
    const struct base_sa *s;
    struct setkey_command cmd;
    int rc = 0;

    memset(&cmd, 0, sizeof cmd);
    cmd.verb = SETKEY_ADD;
    for (s = base->sas; s != NULL && rc == 0; s = s->next) {
        cmd.sa = s->said;
        rc = sa_new(copy, &cmd, s->sa.dir, s->sa.mode, error);
    }
    cmd.verb = SETKEY_SPDADD;
    for (p = base->policies; p != NULL && rc == 0; p = p->next) {
        cmd.policy = p->said;
        rc = base_policy_add(copy, &cmd, error);
    }
    explicit_bzero(&cmd, sizeof cmd);
    return rc;
}

/* On a copy first: does all of it go? */
static int
try_all(const struct base *base, const struct setkey_command *cmds, size_t n,
        struct setkey_error *error)
{
    struct base_env env = *base->env;
    struct base *copy = calloc(1, sizeof *copy);
    struct text out;
    int rc = -1;

    memset(&out, 0, sizeof out);
    env.store = NULL;
    env.other = NULL;
    if (copy != NULL && base_init(copy, &env) == 0) {
        rc = copy_all(copy, base, error);
        if (rc == 0) {
            rc = do_all(copy, cmds, n, &out, error);
        }
        base_free(copy);
    } else {
        (void)base_fail(error, cmds[0].at, "no memory, or random numbers");
    }
    free(copy);
    text_free(&out);
    return rc;
}

static int
only_shows(const struct setkey_command *cmds, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (cmds[i].verb != SETKEY_GET && cmds[i].verb != SETKEY_DUMP &&
            cmds[i].verb != SETKEY_SPDDUMP && cmds[i].verb != SETKEY_OTHER) {
            return 0;
        }
    }
    return 1;
}

/* see base.h */
int
base_apply(struct base *base, const struct setkey_command *cmds, size_t n,
           struct text *out, struct setkey_error *error)
{
    if (!only_shows(cmds, n) &&
        (try_all(base, cmds, n, error) != 0 ||
         base_number_prepare(base, cmds, n, error) != 0)) {
        return -1;
    }
    return do_all(base, cmds, n, out, error);
}

/* see base.h */
void
base_poll(struct base *base)
{
    struct base_sa *s, *next;

    if (base->due) {
        base_number_poll(base);
    }
    if (!base->reap) {
        return;
    }
    base->reap = 0;
    for (s = base->sas; s != NULL; s = next) {
        next = s->next;
        if (s->ended) {
            sa_remove(base, s);
        }
    }
}

/* see base.h: of a table the library looks through a part at a time. */
void
base_second(struct base *base)
{
    struct base_sa *s;

    for (s = base->sas; s != NULL; s = s->next) {
        if (base_is_over(base, s)) {
            s->ended = 1;
            base->reap = 1;
        }
    }
}

/* see base.h */
int
base_init(struct base *base, const struct base_env *env)
{
    memset(base, 0, sizeof *base);
    base->env = env;
    base->next_id = 1;
    base->frag.slot = base->frag_slot;
    base->frag.len = BASE_FRAGS;
    base->frag.seconds = FRAG_S;
    base->cfg.user = base;
    base->cfg.crypto = env->crypto;
    base->cfg.random = ipsec_linux_random;
    base->cfg.sa_event = on_event;
    base->cfg.natt_port = IPSEC_LINUX_NATT;
    base->cfg.flags = IPSEC_ACCEPT_PTB;
    base->cfg.frag = &base->frag;
    base->sas_end = &base->sas;
    base->policies_end = &base->policies;
    base->spd.bucket = base->spd_bucket;
    base->spd.bucket_len = BASE_PLACES;
    base->spd.tuple = base->spd_tuple;
    base->spd.tuple_len = BASE_TUPLES;
    base->cfg.spd = &base->spd;
    base->cfg.sad = base->sad;
    base->cfg.sad_len = BASE_BUCKETS;
    return ipsec_init(&base->ips, &base->cfg) == IPSEC_OK ? 0 : -1;
}

/* see base.h */
void
base_free(struct base *base)
{
    while (base->sas != NULL) {
        sa_remove(base, base->sas);
    }
    while (base->policies != NULL) {
        base_policy_remove(base, base->policies);
    }
    base_classes_free(base);
    base_index_free(&base->by_key);
    base_index_free(&base->by_ends);
    base_index_free(&base->by_selector);
    base_index_free(&base->by_tunnel);
}
