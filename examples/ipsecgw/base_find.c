/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base.h"

#include "ipsec/lint.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* Which SA belongs to which policy: see base.h. */

int
base_fail(struct setkey_error *error, struct setkey_pos at,
          const char *format, ...)
{
    va_list args;

    error->at = at;
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return -1;
}

const char *
base_addr(const struct ipsec_addr *addr, char text[64])
{
    if (inet_ntop(addr->version == 4 ? AF_INET : AF_INET6, addr->byte, text,
                  64) == NULL) {
        memcpy(text, "?", 2);
    }
    return text;
}

static int
same(const struct ipsec_addr *a, const struct ipsec_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* IPSEC_OUT, IPSEC_IN, or -1. */
int
base_dir(const struct base *base, const struct setkey_sa *said,
         struct setkey_pos at, struct setkey_error *error)
{
    int src = base->env->is_ours(base->env->user, &said->src);
    int dst = base->env->is_ours(base->env->user, &said->dst);
    char a[64], b[64];

    if (src != dst) {
        return src ? IPSEC_OUT : IPSEC_IN;
    }
    return base_fail(error, at, "%s %s %s %s is an address of ours: which way "
                     "does this SA go? (-l names addresses)",
                     src ? "each of" : "neither", base_addr(&said->src, a),
                     src ? "and" : "nor", base_addr(&said->dst, b));
}

uint64_t
base_hash_tunnel(unsigned proto, const struct ipsec_addr *src,
                 const struct ipsec_addr *dst)
{
    uint8_t byte = (uint8_t)proto;
    uint64_t hash = base_hash(BASE_HASH, &byte, 1);

    return base_hash(base_hash(hash, src, sizeof *src), dst, sizeof *dst);
}

static int
is_tunnel_of(const struct base_index *index, const struct setkey_sa *said)
{
    const struct base_link *link = base_index_first(
        index, base_hash_tunnel(said->proto, &said->src, &said->dst));

    for (; link != NULL; link = base_index_next(link)) {
        const struct setkey_layer *l = link->of;

        if (l->proto == said->proto && same(&l->src, &said->src) &&
            same(&l->dst, &said->dst)) {
            return 1;
        }
    }
    return 0;
}

/* Of `-m any`. */
uint8_t
base_mode(const struct base *base, const struct setkey_sa *said)
{
    if (said->mode != 0) {
        return said->mode;
    }
    return is_tunnel_of(&base->by_tunnel, said) ||
           is_tunnel_of(&base->said, said)
        ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT;
}

/* The reqid of a class, new or not; 0: no memory. */
static uint32_t
class_number(struct base *base, const struct base_ends *ends)
{
    uint64_t hash = base_hash(BASE_HASH, ends, sizeof *ends);
    const struct base_link *link = base_index_first(&base->by_class, hash);
    struct base_class *c;

    for (; link != NULL; link = base_index_next(link)) {
        const struct base_class *old = link->of;

        if (memcmp(&old->ends, ends, sizeof *ends) == 0) {
            return old->reqid;
        }
    }
    c = calloc(1, sizeof *c);
    if (c == NULL ||
        base_index_add(&base->by_class, &c->link, hash, c) != 0) {
        free(c);
        return 0;
    }
    memcpy(&c->ends, ends, sizeof *ends); /* padding too */
    c->reqid = (uint32_t)base->by_class.used;
    c->next = base->classes;
    base->classes = c;
    return c->reqid;
}

void
base_classes_free(struct base *base)
{
    struct base_class *c;

    while ((c = base->classes) != NULL) {
        base->classes = c->next;
        free(c);
    }
    base_index_free(&base->by_class);
}

static void
class_set(struct base_ends *c, unsigned proto, unsigned mode, uint32_t id,
          const struct ipsec_addr *src, const struct ipsec_addr *dst)
{
    memset(c, 0, sizeof *c); /* padding too: they are compared as bytes */
    c->proto = (uint8_t)proto;
    c->mode = (uint8_t)mode;
    c->id = id;
    if (mode == IPSEC_MODE_TUNNEL || id == 0) {
        memcpy(&c->src, src, sizeof c->src);
        memcpy(&c->dst, dst, sizeof c->dst);
    }
}

uint32_t
base_class_sa(struct base *base, const struct setkey_sa *said, uint8_t mode)
{
    struct base_ends c;

    class_set(&c, said->proto, mode, said->reqid, &said->src, &said->dst);
    return class_number(base, &c);
}

static uint64_t
hash_ends(unsigned proto, unsigned mode, const struct ipsec_addr *src,
          const struct ipsec_addr *dst)
{
    uint8_t byte = (uint8_t)mode;

    return base_hash(base_hash_tunnel(proto, src, dst), &byte, 1);
}

/* An SA between these addresses, whatever its identifier: the newest. */
static uint32_t
id_between(const struct base *base, const struct base_ends *c)
{
    const struct base_link *link = base_index_first(
        &base->by_ends, hash_ends(c->proto, c->mode, &c->src, &c->dst));

    for (; link != NULL; link = base_index_next(link)) {
        const struct base_sa *s = link->of;

        if (s->said.proto == c->proto && s->sa.mode == c->mode &&
            same(&s->said.src, &c->src) && same(&s->said.dst, &c->dst)) {
            return s->said.reqid;
        }
    }
    return 0;
}

/* Of the key that nonces are used with. */
static uint64_t
hash_key(const struct setkey_sa *said)
{
    int cipher = said->encr >= IPSEC_ENCR_AES_CTR;

    return base_hash(BASE_HASH, cipher ? said->encr_key : said->integ_key,
                     cipher ? said->encr_key_len : said->integ_key_len);
}

/* One key in a counter mode for two SAs, as files often have it for both
 * directions, repeats nonces. */
const struct base_sa *
base_shares_key(const struct base *base, const struct setkey_sa *said)
{
    const struct base_link *link;
    struct ipsec_sa_params ours, theirs;

    if (!base_is_counter_mode(said)) {
        return NULL;
    }
    setkey_params(&ours, said);
    link = base_index_first(&base->by_key, hash_key(said));
    for (; link != NULL; link = base_index_next(link)) {
        const struct base_sa *s = link->of;

        setkey_params(&theirs, &s->said);
        if (ipsec_lint_keys(&ours, &theirs) != 0) {
            return s;
        }
    }
    return NULL;
}

/* Of an SA that is in the SAD: 0, or -1, no memory. */
int
base_sa_index(struct base *base, struct base_sa *s)
{
    const struct setkey_sa *said = &s->said;

    if (base_index_add(&base->by_ends, &s->by_ends,
                       hash_ends(said->proto, s->sa.mode, &said->src,
                                 &said->dst), s) != 0) {
        return -1;
    }
    return base_is_counter_mode(said)
        ? base_index_add(&base->by_key, &s->by_key, hash_key(said), s) : 0;
}

uint32_t
base_class_layer(struct base *base, const struct setkey_layer *l,
                 const struct ipsec_addr *src, const struct ipsec_addr *dst)
{
    struct base_ends c;
    uint32_t id = l->id;

    class_set(&c, l->proto, l->mode, id, src, dst);
    if (id == 0) {
        id = id_between(base, &c);
        class_set(&c, l->proto, l->mode, id, src, dst);
    }
    return class_number(base, &c);
}

/* What a status of ipsec_sad_add() or ipsec_spd_add() means to who wrote the
 * line. */
const char *
base_reason(int status)
{
    switch (status) {
    case IPSEC_ERR_EXISTS:
        return "there is an SA with this SPI already";
    case IPSEC_ERR_UNSUPPORTED:
        return "this algorithm, or key length, isn't in this build";
    case IPSEC_ERR_KEY:
        return "the key is all zero";
    case IPSEC_ERR_LIFETIME:
        return "a soft lifetime above the hard one, or its sequence numbers "
               "are used up: it needs another key";
    case IPSEC_ERR_PORTS:
        return "ports, where these packets have none";
    case IPSEC_ERR_BUNDLE:
        return "these layers can't be one round the other";
    case IPSEC_ERR_RANDOM:
        return "no random numbers";
    case IPSEC_ERR_CRYPTO:
        return "the crypto library refused the key";
    default:
        return ipsec_status_str(status);
    }
}
