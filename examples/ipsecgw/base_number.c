/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Keys of a file live on, so their numbers must outlive a restart (RFC 4106
 * section 2): noted first, used then. What a number belongs to is the key, not
 * the SPI: a key moved to another SPI goes on where it was. Where numbers are
 * no nonces, SPI and destination count too, for two SAs may have one key then.
 * A number is of one context at a time, or two would use it.
 */

#define STEP_MIN 4096u
#define STEP_MAX (1u << 20)
#define QUICK_S  2  /* reservations that last less than this grow, */
#define SLOW_S   60 /* and more than this, shrink */

#define NUMBER_MAX 0xffffffffu /* without ESN */

int
base_is_counter_mode(const struct setkey_sa *said)
{
    return said->encr >= IPSEC_ENCR_AES_CTR ||
           (said->integ >= IPSEC_INTEG_AES_GMAC_128 &&
            said->integ <= IPSEC_INTEG_AES_GMAC_256);
}

/* A fingerprint of the key: an HMAC of it, by the backend that is there. */
static int
fingerprint(const struct base *base, const struct setkey_sa *said, int dir,
            uint8_t id[16])
{
    static const uint8_t label[32] = "ipsecgw sequence numbers, 1";
    const struct ipsec_crypto *crypto = base->env->crypto;
    uint8_t text[24 + 2 * SETKEY_KEY];
    struct ipsec_keymat km;
    struct ipsec_op op;
    int rc;

    memset(&km, 0, sizeof km);
    km.encr = IPSEC_ENCR_NULL;
    km.integ = IPSEC_INTEG_HMAC_SHA2_256_128;
    km.integ_key = label;
    km.integ_key_len = sizeof label;
    memset(text, 0, sizeof text);
    text[0] = (uint8_t)dir;
    text[1] = said->proto;
    text[2] = (uint8_t)said->encr;
    text[3] = (uint8_t)said->integ;
    if (!base_is_counter_mode(said)) {
        memcpy(text + 4, &said->spi, 4);
        memcpy(text + 8, said->dst.byte, 16);
    }
    memcpy(text + 24, said->encr_key, SETKEY_KEY);
    memcpy(text + 24 + SETKEY_KEY, said->integ_key, SETKEY_KEY);
    memset(&op, 0, sizeof op);
    op.key = malloc(crypto->key_size(crypto, &km));
    if (op.key == NULL ||
        crypto->key_init(crypto, op.key, &km, 0) != IPSEC_OK) {
        free(op.key);
        return -1;
    }
    op.text = text;
    op.len = sizeof text;
    op.icv = id;
    rc = crypto->run(crypto, &op);
    crypto->key_wipe(crypto, op.key);
    free(op.key);
    explicit_bzero(text, sizeof text);
    return rc == IPSEC_OK ? 0 : -1;
}

static struct ipsec_linux_number *
number_of(const struct base *base, const struct setkey_sa *said, int dir)
{
    uint8_t id[16];

    return fingerprint(base, said, dir, id) != 0 ? NULL
        : ipsec_linux_store_get(base->env->store, id);
}

/* Which SAs have one: all that send, and those that check for replays. */
static int
has_number(const struct base *base, const struct setkey_sa *said, int dir)
{
    return base->env->store != NULL && (dir == IPSEC_OUT || said->replay != 0);
}

/* The first reservations of what `cmds` adds, with one write for all: a disk
 * that fails is found before anything takes effect. */
int
base_number_prepare(struct base *base, const struct setkey_command *cmds,
                    size_t n, struct setkey_error *error)
{
    struct ipsec_linux_number *number;
    struct setkey_error none;
    size_t i, count = 0;

    for (i = 0; i < n && base->env->store != NULL; i++) {
        int dir = cmds[i].verb == SETKEY_ADD
            ? base_dir(base, &cmds[i].sa, cmds[i].at, &none) : -1;

        if (dir < 0 || !has_number(base, &cmds[i].sa, dir)) {
            continue;
        }
        number = number_of(base, &cmds[i].sa, dir);
        if (number == NULL) {
            return base_fail(error, cmds[i].at, "no memory for its sequence "
                             "number");
        }
        if (number->user != NULL && number->user != base) {
            return base_fail(error, cmds[i].sa.alg_at, "another file has this "
                             "key too: each SA needs its own");
        }
        if (dir == IPSEC_OUT && number->noted > UINT64_MAX - STEP_MIN) {
            return base_fail(error, cmds[i].sa.alg_at, "the sequence numbers "
                             "of this key are used up");
        }
        number->noted += dir == IPSEC_OUT ? STEP_MIN : 0;
        count++;
    }
    if (count > 0 && ipsec_linux_store_save(base->env->store) != 0) {
        return base_fail(error, cmds[0].at, "sequence numbers can't be noted "
                         "in %s: %s", base->env->store->path, strerror(errno));
    }
    return 0;
}

uint64_t
base_numbers(const struct base_sa *s)
{
    return s->said.esn ? UINT64_MAX : NUMBER_MAX;
}

/* By its time, or its bytes. */
int
base_is_over(const struct base *base, const struct base_sa *s)
{
    const struct ipsec_lifetime *life = &s->life;

    return (life->hard_bytes != 0 && s->sa.bytes >= life->hard_bytes) ||
           (life->hard_s != 0 &&
            ipsec_now(&base->ips) - s->sa.born >= life->hard_s);
}

static void
limits_set(struct base_sa *s)
{
    uint64_t most = base_numbers(s);

    s->life.hard_seq = s->number->noted < most ? s->number->noted : most;
    s->life.soft_seq = s->life.hard_seq - s->step / 2;
}

/* What prepare() has reserved, or, of a copy, anything at all. */
void
base_number_set(struct base *base, struct base_sa *s,
                struct ipsec_sa_params *params)
{
    if (base->env->store == NULL) {
        s->life.hard_seq = NUMBER_MAX;
        return;
    }
    if (!has_number(base, &s->said, params->dir)) {
        return;
    }
    s->number = number_of(base, &s->said, params->dir);
    if (s->number == NULL) {
        return; /* ipsec_sad_add() refuses what needs one */
    }
    s->number->user = base;
    params->seq = s->number->noted;
    if (params->dir == IPSEC_OUT) {
        s->step = STEP_MIN;
        s->reserved = ipsec_now(&base->ips);
        params->seq -= STEP_MIN;
        limits_set(s);
    }
}

/* A step lasts some seconds, whatever the traffic. */
static void
reserve(struct base *base, struct base_sa *s)
{
    uint32_t now = ipsec_now(&base->ips), lasted = now - s->reserved;

    if (lasted < QUICK_S && s->step < STEP_MAX) {
        s->step *= 2;
    } else if (lasted > SLOW_S && s->step > STEP_MIN) {
        s->step /= 2;
    }
    s->reserved = now;
    s->number->noted += s->step < UINT64_MAX - s->number->noted
        ? s->step : UINT64_MAX - s->number->noted;
}

/* Those that are due, or were when the disk failed. What is over meanwhile has
 * no event of its own any more: the library raises HARD once. */
static int
reserve_all(struct base *base)
{
    struct base_sa *s;
    int any = 0;

    for (s = base->sas; s != NULL; s = s->next) {
        if (s->due != 0 && base_is_over(base, s)) {
            s->due = 0;
            s->ended = 1;
            base->reap = 1;
        } else if (s->due == BASE_DUE) {
            reserve(base, s);
            s->due = BASE_UNWRITTEN;
        }
        any |= s->due != 0;
    }
    return any;
}

static void
log_store(const struct base *base)
{
    char text[300];

    (void)snprintf(text, sizeof text, "%s: %s", base->env->store->path,
                   strerror(errno));
    base->env->log(base->env->user, text);
}

/* see base.h: written first, used then. A disk that fails is tried again a
 * second later; the library stops where the reservation ends. */
void
base_number_poll(struct base *base)
{
    struct base_sa *s;

    if (base->failed && base->failed_at == ipsec_now(&base->ips)) {
        return;
    }
    base->due = reserve_all(base);
    if (!base->due) {
        return;
    }
    if (ipsec_linux_store_save(base->env->store) != 0) {
        log_store(base);
        base->failed = 1;
        base->failed_at = ipsec_now(&base->ips);
        return;
    }
    base->due = base->failed = 0;
    for (s = base->sas; s != NULL; s = s->next) {
        if (s->due == BASE_UNWRITTEN) {
            s->due = 0;
            limits_set(s);
        }
    }
}

static void
note(struct base *base, int dirs)
{
    struct base_sa *s;

    for (s = base->sas; s != NULL; s = s->next) {
        if (s->number != NULL && (s->sa.dir & dirs) != 0 &&
            s->number->noted != s->sa.seq) {
            s->number->noted = s->sa.seq;
            base->env->store->dirty = 1;
        }
    }
}

/* see base.h */
void
base_note(struct base *base)
{
    note(base, IPSEC_IN);
    if (base->env->store == NULL || !base->env->store->dirty) {
        return;
    }
    if (ipsec_linux_store_save(base->env->store) != 0) {
        log_store(base);
    }
}

/* see base.h */
int
base_settle(struct base *base)
{
    if (base->env->store == NULL) {
        return 0;
    }
    note(base, IPSEC_IN | IPSEC_OUT);
    return ipsec_linux_store_save(base->env->store);
}
