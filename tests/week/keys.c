/* SPDX-License-Identifier: MIT */
#include "week.h"

#include "ipsec_mbedtls.h"

/*
 * Key management, of both ends at once: what a daemon does of its own accord
 * and on events, as docs/KEYMGMT.md has it. Two channels have static keys and
 * note their numbers in non-volatile memory, which takes seconds to write; the
 * others are keyed anew. Restarts, moves and changes of policy are here, too.
 */

#define LARVAL_S     60
#define LATE_S       30   /* old inbound SAs stay so long */
#define STATIC_UID   0x10000000u
#define STATIC_SPI   0x5000u
#define OTHER_REQID  1000u
#define GATE_PRIO    5
#define PRIO         10

#define TUNNEL    IPSEC_MODE_TUNNEL
#define TRANSPORT IPSEC_MODE_TRANSPORT
#define GCM       IPSEC_ENCR_AES_GCM_16
#define CBC       IPSEC_ENCR_AES_CBC
#define SHA256    IPSEC_INTEG_HMAC_SHA2_256_128

const struct channel channels[CHANNELS] = {
    { "ESP tunnel 4 in 4, GCM, ESN", { A, B }, TUNNEL, 4, 4, 1, BY_TIME, 0, 0,
      GCM, 0, 20, 0, IPSEC_SA_ESN | IPSEC_SA_DF_COPY, 8 },
    { "ESP tunnel 6 in 6, CBC", { A, B }, TUNNEL, 6, 6, 1, BY_BYTES, 0, 0,
      CBC, SHA256, 16, 32, 0, 0 },
    { "ESP tunnel 6 in 4, GCM, static", { A, B }, TUNNEL, 4, 6, 1, STATIC, 0,
      0, GCM, 0, 20, 0, IPSEC_SA_DF_SET, 4 },
    { "ESP tunnel 4 in 6, GCM, engine", { A, B }, TUNNEL, 6, 4, 1, BY_SEQ, 1,
      0, IPSEC_ENCR_AES_GCM_16_IIV, 0, 36, 0, IPSEC_SA_ESN, 8 },
    { "ESP transport 6, CBC, static", { H, B }, TRANSPORT, 6, 6, 1, STATIC, 0,
      0, CBC, SHA256, 32, 32, 0, 0 },
    { "ESP in UDP, GCM, engine", { H, B }, TUNNEL, 4, 4, 1, BY_TIME, 1, 1,
      GCM, 0, 20, 0, 0, 8 },
    { "ESP transport 4, ChaCha, engine", { A, B }, TRANSPORT, 4, 4, 1,
      BY_BYTES, 1, 0, IPSEC_ENCR_CHACHA20_POLY1305, 0, 36, 0, 0, 0 },
    { "ESP tunnel in AH, engine", { A, B }, TUNNEL, 4, 4, 2, BY_TIME, 1, 0,
      CBC, SHA256, 16, 32, 0, 8 }
};

/* SAs in the making, and what is to be done about a channel. */
static struct {
    int         active, wanted;
    uint32_t    done_at, uid;
    struct box *in[2][2];           /* by way and layer */
    uint32_t    reset_at, reset_uid; /* 0: nothing */
} nego[CHANNELS];

static uint32_t uids;

/* Where gateway A and the host are, and where B believes them to be. */
static struct ipsec_addr a_here = { 4, { 192, 0, 2, 20 } };
static struct ipsec_addr a_known = { 4, { 192, 0, 2, 20 } };
static struct ipsec_addr h_known = { 4, { 203, 0, 113, 10 } };
static uint16_t          h_port = 20000;
static uint32_t          move_at;

/* --- what SAs are like */

struct ipsec_addr
outer_addr(const struct station *s, unsigned chan, int remote)
{
    const struct channel *c = &channels[chan];
    unsigned end = c->end[1] == s->index;
    unsigned who = c->end[remote ? !end : end];

    if (chan == 0 && who == A) {
        return remote ? a_known : a_here;
    }
    if (c->natt && who == H && remote) {
        return h_known;
    }
    return week.station[who].addr[c->outer == 6];
}

static uint64_t
share(void)
{
    return week.packets / (2 * CHANNELS); /* of a channel, one way */
}

static uint64_t
chunk(int in)
{
    uint64_t n = week.packets / 32768;

    n = n > 4 ? n : 4;
    return in ? 4 * n : n;
}

static void
life_set(struct box *b)
{
    struct ipsec_lifetime *life = &b->life;
    int in = b->sa.dir == IPSEC_IN;
    uint64_t most = share() / 600 + 6;

    memset(life, 0, sizeof *life);
    if (channels[b->chan].life == BY_TIME) {
        life->soft_s = in ? 0 : 1200 + below(300);
        life->hard_s = in ? 2600 : life->soft_s + 500;
    } else if (channels[b->chan].life == BY_BYTES) {
        life->soft_bytes = in ? 0 : most * 900;
        life->hard_bytes = in ? most * 9000 : most * 2000;
    } else if (channels[b->chan].life == BY_SEQ && !in) {
        life->soft_seq = most;
        life->hard_seq = 2 * most;
    }
}

/* Static: what was noted is where it begins, and more is noted before. */
static uint64_t
reserve(struct box *b, int in)
{
    struct nvm *nvm = &week.station[b->at].nvm[b->chan][in];
    uint64_t seq = nvm->noted;

    nvm->noted = seq + chunk(in);
    nvm->done_at = 0;
    b->life.hard_seq = nvm->noted;
    b->life.soft_seq = nvm->noted - chunk(in) / 2;
    return seq;
}

static void
material(uint8_t *key, size_t len, const struct box *b)
{
    uint64_t x = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        if (i % 8 == 0) {
            x = mix(mix(week.seed, b->uid), (uint64_t)b->way << 40 |
                    (uint64_t)b->layer << 32 | i);
        }
        key[i] = (uint8_t)(x >> i % 8 * 8);
    }
}

static void
keymat(const struct box *b, struct ipsec_keymat *km, uint8_t key[128])
{
    const struct channel *c = &channels[b->chan];

    memset(km, 0, sizeof *km);
    material(key, 128, b);
    if (b->layer == 1) { /* AH */
        km->encr = IPSEC_ENCR_NULL;
        km->integ = SHA256;
        km->integ_key_len = 32;
    } else {
        km->encr = c->encr;
        km->integ = c->integ;
        km->encr_key_len = c->key_len;
        km->integ_key_len = c->integ_len;
    }
    km->encr_key = key;
    km->integ_key = key + 64;
}

static void
params_set(struct box *b, struct ipsec_sa_params *q, int dir, uint32_t spi)
{
    const struct channel *c = &channels[b->chan];
    struct station *s = &week.station[b->at];

    memset(q, 0, sizeof *q);
    q->spi = spi;
    q->reqid = b->chan * 2u + 1 + b->layer;
    q->dir = (uint8_t)dir;
    q->proto = b->layer == 1 ? IPSEC_PROTO_AH : IPSEC_PROTO_ESP;
    q->mode = b->layer == 1 ? IPSEC_MODE_TRANSPORT : c->mode;
    q->flags = b->layer == 1 ? 0 : c->flags;
    q->flags |= c->life != STATIC ? IPSEC_SA_NEGOTIATED : 0;
    q->local = outer_addr(s, b->chan, 0);
    q->remote = outer_addr(s, b->chan, 1);
    q->mtu = dir == IPSEC_OUT ? 1500 : 0;
    q->crypto = c->async ? &s->engine.api : NULL;
    q->life = &b->life;
    if (c->natt) {
        q->local_port = 4500;
        q->remote_port = s->index == B ? h_port : 4500;
    }
    if (dir == IPSEC_IN && c->window > 0) {
        q->window = b->window;
        q->window_len = c->window;
    }
    if (dir == IPSEC_IN && b->chan == 1 && sabotaged("replay")) {
        q->flags |= IPSEC_SA_NO_REPLAY;
    }
}

/* --- boxes */

static struct box *
box_new(uint8_t at, uint8_t chan, uint8_t layer, uint8_t way)
{
    struct box *b = calloc(1, sizeof *b);

    if (b == NULL) {
        abort();
    }
    b->at = at;
    b->chan = chan;
    b->layer = layer;
    b->way = way;
    b->next = week.station[at].boxes;
    week.station[at].boxes = b;
    b->sa.user = b;
    return b;
}

static void
box_unlink(struct box *b)
{
    struct box **p = &week.station[b->at].boxes;
    size_t i;

    while (*p != b) {
        p = &(*p)->next;
    }
    *p = b->next;
    for (i = 0; i < 4; i++) {
        if (nego[b->chan].in[i / 2][i % 2] == b) {
            nego[b->chan].in[i / 2][i % 2] = NULL;
        }
    }
}

static void
box_free(struct box *b)
{
    box_unlink(b);
    free(b->key);
    free(b);
}

/* Out of the SAD; its memory when the engine has done with it. */
static void
box_remove(struct box *b)
{
    int rc = ipsec_sad_remove(&week.station[b->at].ips, &b->sa);

    if (rc == IPSEC_PENDING) {
        b->zombie = 1;
    } else if (rc == IPSEC_OK) {
        box_free(b);
    } else {
        fail("ipsec_sad_remove: %s", ipsec_status_str(rc));
    }
}

static void
box_add(struct box *b, int dir, uint32_t spi)
{
    struct station *s = &week.station[b->at];
    struct ipsec_sa_params q;
    uint8_t key[128];
    int rc;

    params_set(b, &q, dir, spi);
    keymat(b, &q.km, key);
    b->sa.dir = (uint8_t)dir;
    life_set(b);
    if (channels[b->chan].life == STATIC) {
        q.seq = reserve(b, dir == IPSEC_IN);
    }
    b->floor = b->top = q.seq;
    b->key_len = q.key_len = ipsec_mbedtls.key_size(&ipsec_mbedtls, &q.km);
    b->key = q.key = malloc(q.key_len);
    rc = ipsec_sad_add(&s->ips, &b->sa, &q);
    if (rc != IPSEC_OK) {
        fail("%s: ipsec_sad_add, %s: %s", s->name, channels[b->chan].name,
             ipsec_status_str(rc));
    }
}

struct box *
box_in(struct station *s, uint32_t spi)
{
    struct box *b = s->boxes;

    while (b != NULL &&
           (b->zombie || b->sa.dir != IPSEC_IN || b->sa.spi != spi ||
            b->sa.state != IPSEC_SA_MATURE)) {
        b = b->next;
    }
    return b;
}

struct box *
box_out(struct station *s, unsigned chan, unsigned layer)
{
    struct box *b = s->boxes;

    while (b != NULL &&
           (b->zombie || b->sa.dir != IPSEC_OUT || b->chan != chan ||
            b->layer != layer || b->sa.state != IPSEC_SA_MATURE)) {
        b = b->next;
    }
    return b;
}

static struct box *
box_larval(struct station *s, unsigned chan, unsigned layer)
{
    struct box *b = s->boxes;

    while (b != NULL &&
           (b->zombie || b->sa.dir != IPSEC_OUT || b->chan != chan ||
            b->layer != layer || b->sa.state != IPSEC_SA_LARVAL)) {
        b = b->next;
    }
    return b;
}

/* --- negotiations */

static void
nego_begin(uint8_t chan)
{
    const struct channel *c = &channels[chan];
    uint8_t way, layer;
    struct box *b;
    int rc;

    nego[chan].active = 1;
    nego[chan].wanted = 0;
    nego[chan].uid = ++uids;
    nego[chan].done_at = week.now + 1 + below(4);
    for (way = 0; way < 2; way++) {
        for (layer = 0; layer < c->layers; layer++) {
            b = box_new(c->end[!way], chan, layer, way);
            b->uid = nego[chan].uid;
            rc = ipsec_sad_reserve(&week.station[b->at].ips, &b->sa, IPSEC_IN,
                                   layer == 1 ? IPSEC_PROTO_AH
                                              : IPSEC_PROTO_ESP,
                                   chan * 2u + 1 + layer, LARVAL_S);
            if (rc != IPSEC_OK) {
                fail("ipsec_sad_reserve: %s", ipsec_status_str(rc));
            }
            nego[chan].in[way][layer] = b;
        }
    }
}

/* Those of before are done with: out at once, in when all has arrived. */
static void
retire(struct station *s, unsigned chan, uint32_t uid)
{
    struct box *b, *next;

    for (b = s->boxes; b != NULL; b = next) {
        next = b->next;
        if (b->chan != chan || b->uid == uid || b->zombie ||
            b->sa.state != IPSEC_SA_MATURE) {
            continue;
        }
        if (b->sa.dir == IPSEC_OUT) {
            b->sa.reason = IPSEC_REASON_REKEYED;
            box_remove(b);
        } else if (!b->retired) {
            b->retired = 1;
            b->retire_at = week.now + LATE_S;
        }
    }
}

static void
nego_cancel(unsigned chan)
{
    size_t i;

    for (i = 0; i < 4; i++) {
        struct box *b = nego[chan].in[i / 2][i % 2];

        if (b != NULL) {
            box_remove(b);
        }
    }
    nego[chan].active = 0;
}

static void
nego_out(uint8_t chan, uint8_t way, uint8_t layer)
{
    const struct channel *c = &channels[chan];
    struct station *s = &week.station[c->end[way]];
    struct box *b = box_larval(s, chan, layer);

    if (b == NULL) {
        b = box_new(s->index, chan, layer, way);
    }
    b->uid = nego[chan].uid;
    b->ended = 0;
    box_add(b, IPSEC_OUT, nego[chan].in[way][layer]->sa.spi);
}

static void
nego_end(uint8_t chan)
{
    const struct channel *c = &channels[chan];
    uint8_t way, layer;

    for (way = 0; way < 2; way++) {
        for (layer = 0; layer < c->layers; layer++) {
            if (nego[chan].in[way][layer] == NULL) {
                nego_cancel(chan);
                nego[chan].wanted = 1;
                return;
            }
        }
    }
    for (way = 0; way < 2; way++) {
        for (layer = 0; layer < c->layers; layer++) {
            box_add(nego[chan].in[way][layer], IPSEC_IN, 0);
        }
    }
    for (way = 0; way < 2; way++) {
        for (layer = 0; layer < c->layers; layer++) {
            nego_out(chan, way, layer);
        }
    }
    memset(nego[chan].in, 0, sizeof nego[chan].in);
    nego[chan].active = 0;
    retire(&week.station[c->end[0]], chan, nego[chan].uid);
    retire(&week.station[c->end[1]], chan, nego[chan].uid);
    week.event[EV_REKEYED]++;
}

/* --- what the library says */

void
keys_acquire(void *user, struct ipsec_policy *policy,
             const struct ipsec_flow *flow, int lane)
{
    struct station *s = user;
    struct box *b;
    uint8_t chan = (uint8_t)((policy->reqid - 1) / 2), way;
    int rc;

    (void)flow;
    (void)lane;
    if (policy->reqid >= OTHER_REQID || channels[chan].life == STATIC) {
        return;
    }
    week.event[EV_ACQUIRE]++;
    way = channels[chan].end[0] != s->index;
    b = box_new(s->index, chan, (uint8_t)((policy->reqid - 1) % 2), way);
    rc = ipsec_sad_reserve(&s->ips, &b->sa, IPSEC_OUT, policy->proto,
                           policy->reqid, LARVAL_S);
    if (rc != IPSEC_OK) {
        fail("ipsec_sad_reserve, out: %s", ipsec_status_str(rc));
    }
    nego[chan].wanted = 1;
}

/* Takes note. One in six peers doesn't answer. */
static void
soft(struct box *b)
{
    static const uint8_t kind[] = { 0, EV_REKEY_TIME, EV_REKEY_BYTES,
                                    EV_REKEY_SEQ };
    struct nvm *nvm = &week.station[b->at].nvm[b->chan]
                                              [b->sa.dir == IPSEC_IN];

    if (channels[b->chan].life == STATIC) {
        if (nvm->done_at == 0) {
            nvm->pending = b->sa.seq + chunk(b->sa.dir == IPSEC_IN);
            nvm->done_at = week.now + 1 + below(3);
        }
        return;
    }
    if (b->sa.reason < COUNT(kind)) {
        week.event[kind[b->sa.reason]]++;
    }
    if (!chance(6)) {
        nego[b->chan].wanted = 1;
    }
}

void
keys_event(void *user, struct ipsec_sa *sa, int event)
{
    struct box *b = sa->user;

    (void)user;
    if (event == IPSEC_EVENT_RELEASED) {
        week.event[EV_RELEASED]++;
        b->released = 1;
    } else if (event == IPSEC_EVENT_SOFT) {
        soft(b);
    } else if (channels[b->chan].life != STATIC) {
        week.event[EV_HARD] += sa->state == IPSEC_SA_MATURE;
        b->ended = 1;
    } else {
        soft(b);
    }
}

static void
update(struct station *s, struct box *b)
{
    const struct channel *c = &channels[b->chan];
    struct ipsec_addr local = outer_addr(s, b->chan, 0);
    struct ipsec_addr remote = outer_addr(s, b->chan, 1);
    int rc;

    rc = ipsec_sad_update(&s->ips, &b->sa, 0, &local, c->natt ? 4500 : 0,
                          &remote, c->natt ? h_port : 0);
    if (rc != IPSEC_OK) {
        fail("ipsec_sad_update: %s", ipsec_status_str(rc));
    }
}

static void
update_all(struct station *s, unsigned chan)
{
    struct box *b;

    for (b = s->boxes; b != NULL; b = b->next) {
        if (b->chan == chan && b->sa.state == IPSEC_SA_MATURE) {
            update(s, b);
        }
    }
}

/* Gateway B follows the host. */
void
keys_mapping(void *user, struct ipsec_sa *sa, const struct ipsec_addr *remote,
             uint16_t port)
{
    const struct box *b = sa->user;

    week.event[EV_MAPPING]++;
    h_known = *remote;
    h_port = port;
    update_all(user, b->chan);
}

/* Gateway A is somewhere else; B hears of it later. */
void
keys_move(void)
{
    if (move_at != 0) {
        return;
    }
    week.event[EV_MOVE]++;
    a_here.byte[3] = (uint8_t)(20 + below(200));
    update_all(&week.station[A], 0);
    move_at = week.now + 1 + below(5);
}

/* --- policies */

static void
prefix_set(struct ipsec_prefix *prefix, const struct ipsec_addr *addr,
           uint8_t bits)
{
    memcpy(prefix->byte, addr->byte, 16);
    prefix->bits = bits;
}

static void
policy_set(struct station *s, unsigned chan, struct ipsec_policy *p,
           uint32_t priority)
{
    const struct channel *c = &channels[chan];
    unsigned end = c->end[1] == s->index;
    struct ipsec_addr local = inner_addr(chan, end, 1);
    struct ipsec_addr remote = inner_addr(chan, !end, 1);
    uint8_t bits = c->inner == 4 ? 32 : 128;

    if (c->mode == IPSEC_MODE_TUNNEL) {
        bits = c->inner == 4 ? 24 : 64;
    }
    memset(p, 0, sizeof *p);
    p->sel.version = c->inner;
    prefix_set(&p->sel.local, &local, bits);
    prefix_set(&p->sel.remote, &remote, bits);
    p->action = IPSEC_ACTION_PROTECT;
    p->dir = IPSEC_OUT | IPSEC_IN;
    p->proto = IPSEC_PROTO_ESP;
    p->mode = c->mode;
    p->priority = priority;
    p->reqid = chan * 2 + 1;
}

static void
policy_add(struct station *s, struct ipsec_policy *p)
{
    int rc = ipsec_spd_add(&s->ips, p);

    if (rc != IPSEC_OK) {
        fail("%s: ipsec_spd_add: %s", s->name, ipsec_status_str(rc));
    }
}

static void
gate_open(struct station *s, unsigned chan)
{
    if (s->gate[chan] == GATE_GONE) {
        policy_add(s, &s->policy[chan][0]);
    } else if (s->gate[chan] != GATE_OPEN) {
        ipsec_spd_remove(&s->ips, &s->gate_policy[chan]);
    }
    s->gate[chan] = GATE_OPEN;
}

/* The administrator: for a minute, a policy is another one. */
void
keys_gate(struct station *s)
{
    unsigned chan = below(CHANNELS);
    const struct channel *c = &channels[chan];
    struct ipsec_policy *p = &s->gate_policy[chan];

    if ((c->end[0] != s->index && c->end[1] != s->index) ||
        s->gate[chan] != GATE_OPEN) {
        return;
    }
    s->gate[chan] = (uint8_t)(GATE_DISCARD + below(3));
    s->gate_until[chan] = week.now + 5 + below(60);
    week.event[EV_DISCARD + s->gate[chan] - GATE_DISCARD]++;
    if (s->gate[chan] == GATE_GONE) {
        ipsec_spd_remove(&s->ips, &s->policy[chan][0]);
        return;
    }
    policy_set(s, chan, p, GATE_PRIO);
    if (s->gate[chan] == GATE_DISCARD) {
        p->action = IPSEC_ACTION_DISCARD;
    } else {
        p->reqid = OTHER_REQID + chan;
    }
    policy_add(s, p);
}

static void
policies_boot(struct station *s)
{
    struct ipsec_policy *outer;
    unsigned i;

    for (i = 0; i < CHANNELS; i++) {
        const struct channel *c = &channels[i];

        if (c->end[0] != s->index && c->end[1] != s->index) {
            continue;
        }
        s->gate[i] = GATE_OPEN;
        policy_set(s, i, &s->policy[i][0], PRIO);
        if (c->layers == 2) {
            outer = &s->policy[i][1];
            policy_set(s, i, outer, PRIO);
            outer->proto = IPSEC_PROTO_AH;
            outer->mode = IPSEC_MODE_TRANSPORT;
            outer->reqid++;
            s->policy[i][0].outer = outer;
        }
        if (i == 1 && sabotaged("clear")) {
            s->policy[i][0].action = IPSEC_ACTION_BYPASS;
        }
        policy_add(s, &s->policy[i][0]);
    }
    for (i = 0; i < 2 && s->index == A; i++) {
        memset(&s->pass[i], 0, sizeof s->pass[i]);
        s->pass[i].action = IPSEC_ACTION_BYPASS;
        s->pass[i].dir = IPSEC_OUT | IPSEC_IN;
        s->pass[i].priority = PRIO;
        s->pass[i].sel.version = i == 0 ? 4 : 6;
        prefix_set(&s->pass[i].sel.local, &week.station[H].addr[i],
                   i == 0 ? 32 : 128);
        policy_add(s, &s->pass[i]);
    }
}

/* --- restarts */

/* A station as it is when it has come up: static keys from what was noted. */
void
keys_boot(struct station *s)
{
    uint8_t chan, way;

    policies_boot(s);
    for (chan = 0; chan < CHANNELS; chan++) {
        const struct channel *c = &channels[chan];

        for (way = 0; way < 2 && c->life == STATIC; way++) {
            struct box *b;

            if (c->end[0] != s->index && c->end[1] != s->index) {
                continue;
            }
            b = box_new(s->index, chan, 0, way);
            b->uid = STATIC_UID + chan;
            box_add(b, c->end[way] == s->index ? IPSEC_OUT : IPSEC_IN,
                    STATIC_SPI + chan * 2u + way);
        }
    }
}

/* In order: all numbers are noted as they are. */
static void
settle(const struct station *s)
{
    const struct box *b;

    for (b = s->boxes; b != NULL; b = b->next) {
        if (channels[b->chan].life == STATIC) {
            week.station[b->at].nvm[b->chan][b->sa.dir == IPSEC_IN].noted =
                b->sa.seq;
        }
    }
}

/* The power goes: a write under way is done, or isn't. */
static void
cut_power(struct station *s)
{
    struct nvm *nvm;
    size_t i;

    for (i = 0; i < 2 * CHANNELS; i++) {
        nvm = &s->nvm[i / 2][i % 2];
        if (nvm->done_at != 0 && chance(2)) {
            week.event[EV_WRITE_LOST]++;
        } else if (nvm->done_at != 0) {
            nvm->noted = nvm->pending;
        }
        nvm->done_at = 0;
        if (sabotaged("reservation") && i % 2 == 0 &&
            nvm->noted >= 2 * chunk(0)) {
            nvm->noted -= 2 * chunk(0);
        }
    }
}

void
keys_end(struct station *s)
{
    while (s->boxes != NULL) {
        struct box *b = s->boxes;

        if (b->key != NULL && b->sa.key != NULL) {
            ipsec_mbedtls.key_wipe(&ipsec_mbedtls, b->key);
        }
        box_free(b);
    }
}

void
keys_restart(struct station *s, int crash)
{
    uint8_t chan;

    if (!crash) {
        week.event[EV_CLEAN]++;
        station_engine(s, 1);
        settle(s);
    } else {
        week.event[EV_CRASH]++;
        cut_power(s);
    }
    station_crash(s);
    book_context_ends(s);
    keys_end(s);
    station_init(s);
    keys_boot(s);
    for (chan = 0; chan < CHANNELS; chan++) {
        const struct channel *c = &channels[chan];

        if ((c->end[0] == s->index || c->end[1] == s->index) &&
            c->life != STATIC) {
            nego[chan].reset_at = week.now + 2 + below(15);
            nego[chan].reset_uid = uids;
        }
    }
}

/* The peer notices that its SAs are nobody's any more (RFC 7296 section 2.4):
 * all of before the restart go, and new ones are made. */
static void
reset(uint8_t chan)
{
    struct box *b, *next;
    unsigned end;

    if (nego[chan].active) {
        nego_cancel(chan);
    }
    for (end = 0; end < 2; end++) {
        struct station *s = &week.station[channels[chan].end[end]];

        for (b = s->boxes; b != NULL; b = next) {
            next = b->next;
            if (b->chan == chan && !b->zombie && b->sa.state ==
                IPSEC_SA_MATURE && b->uid <= nego[chan].reset_uid) {
                box_remove(b);
            }
        }
    }
    nego[chan].reset_at = 0;
    nego[chan].wanted = 1;
}

/* --- each second */

static void
box_second(struct station *s, struct box *b)
{
    if (b->released) {
        box_free(b);
        return;
    }
    if (b->zombie) {
        return;
    }
    if (b->ended) {
        box_remove(b);
    } else if (b->retired && b->sa.state == IPSEC_SA_MATURE &&
               week.now >= b->retire_at) {
        if (chance(2)) {
            box_remove(b);
            return;
        }
        if (ipsec_sad_quarantine(&s->ips, &b->sa, LARVAL_S) == IPSEC_OK) {
            week.event[EV_QUARANTINE]++;
        } else {
            b->zombie = 1;
        }
    }
}

static void
nvm_second(struct station *s)
{
    struct nvm *nvm;
    struct box *b;

    for (b = s->boxes; b != NULL; b = b->next) {
        int in = b->sa.dir == IPSEC_IN;

        nvm = &s->nvm[b->chan][in];
        if (channels[b->chan].life == STATIC && nvm->done_at != 0 &&
            week.now >= nvm->done_at) {
            week.event[EV_RESERVED]++;
            nvm->noted = nvm->pending;
            nvm->done_at = 0;
            b->life.hard_seq = nvm->noted;
            b->life.soft_seq = nvm->noted - chunk(in) / 2;
        }
    }
}

static void
station_second(struct station *s)
{
    struct box *b, *next;
    unsigned i;

    for (b = s->boxes; b != NULL; b = next) {
        next = b->next;
        box_second(s, b);
    }
    nvm_second(s);
    for (i = 0; i < CHANNELS; i++) {
        if (s->gate[i] != GATE_OPEN && week.now >= s->gate_until[i]) {
            gate_open(s, i);
        }
    }
}

void
keys_second(void)
{
    uint8_t i;

    for (i = 0; i < STATIONS; i++) {
        station_second(&week.station[i]);
    }
    if (move_at != 0 && week.now >= move_at) {
        move_at = 0;
        a_known = a_here;
        update_all(&week.station[B], 0);
    }
    for (i = 0; i < CHANNELS; i++) {
        if (nego[i].reset_at != 0 && week.now >= nego[i].reset_at) {
            reset(i);
        }
        if (nego[i].active && week.now >= nego[i].done_at) {
            nego_end(i);
        } else if (!nego[i].active && nego[i].wanted &&
                   nego[i].reset_at == 0) {
            nego_begin(i);
        }
    }
}
