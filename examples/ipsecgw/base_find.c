/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base.h"

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

static int
names_tunnel(const struct setkey_policy *p, const struct setkey_sa *said)
{
    size_t i;

    for (i = 0; i < p->layers; i++) {
        const struct setkey_layer *l = &p->layer[i];

        if (l->mode == IPSEC_MODE_TUNNEL && l->proto == said->proto &&
            same(&l->src, &said->src) && same(&l->dst, &said->dst)) {
            return 1;
        }
    }
    return 0;
}

/* Of `-m any`. */
uint8_t
base_mode(const struct base *base, const struct setkey_sa *said,
          const struct setkey_command *cmds, size_t n)
{
    const struct base_policy *p;
    size_t i;

    if (said->mode != 0) {
        return said->mode;
    }
    for (p = base->policies; p != NULL; p = p->next) {
        if (names_tunnel(&p->said, said)) {
            return IPSEC_MODE_TUNNEL;
        }
    }
    for (i = 0; i < n; i++) {
        if (names_tunnel(&cmds[i].policy, said)) {
            return IPSEC_MODE_TUNNEL;
        }
    }
    return IPSEC_MODE_TRANSPORT;
}

/* The reqid of a class, new or not; 0: no memory. */
static uint32_t
class_number(struct base *base, const struct base_class *c)
{
    size_t i, room = base->class_room * 2 + 16;
    void *more;

    for (i = 0; i < base->class_len; i++) {
        if (memcmp(&base->classes[i], c, sizeof *c) == 0) {
            return (uint32_t)i + 1;
        }
    }
    if (base->class_len == base->class_room) {
        more = realloc(base->classes, room * sizeof *c);
        if (more == NULL) {
            return 0;
        }
        base->classes = more;
        base->class_room = room;
    }
    base->classes[base->class_len++] = *c;
    return (uint32_t)base->class_len;
}

static void
class_set(struct base_class *c, unsigned proto, unsigned mode, uint32_t id,
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
    struct base_class c;

    class_set(&c, said->proto, mode, said->reqid, &said->src, &said->dst);
    return class_number(base, &c);
}

/* An SA between these addresses, whatever its identifier: the newest. */
static uint32_t
id_between(const struct base *base, const struct base_class *c)
{
    const struct base_sa *s;
    uint32_t id = 0;

    for (s = base->sas; s != NULL; s = s->next) {
        if (s->said.proto == c->proto && s->sa.mode == c->mode &&
            same(&s->said.src, &c->src) && same(&s->said.dst, &c->dst)) {
            id = s->said.reqid;
        }
    }
    return id;
}

uint32_t
base_class_layer(struct base *base, const struct setkey_layer *l,
                 const struct ipsec_addr *src, const struct ipsec_addr *dst)
{
    struct base_class c;
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
