/* SPDX-License-Identifier: MIT */
#include "week.h"

#include "ipsec_mbedtls.h"

/*
 * A station: a context with its binding to the wire, an engine that answers
 * later and in no order, and the packets that are lent to them. It tells the
 * book what the library tells it.
 */

#define LINK_MTU 1500
#define NATT     4500

/* --- the engine: mbedTLS, some steps later */

static int
engine_run(const struct ipsec_crypto *self, struct ipsec_op *op)
{
    struct engine *e = (struct engine *)(void *)(uintptr_t)self;

    if (op->done == NULL) {
        return ipsec_mbedtls.run(&ipsec_mbedtls, op);
    }
    if (e->n == ENGINE) {
        week.event[EV_FULL]++;
        return IPSEC_ERR_BUSY;
    }
    week.event[EV_ASYNC]++;
    e->op[e->n++] = op;
    return IPSEC_PENDING;
}

static size_t
engine_key_size(const struct ipsec_crypto *self, const struct ipsec_keymat *km)
{
    (void)self;
    return ipsec_mbedtls.key_size(&ipsec_mbedtls, km);
}

static int
engine_key_init(const struct ipsec_crypto *self, void *key,
                const struct ipsec_keymat *km, int open)
{
    (void)self;
    return ipsec_mbedtls.key_init(&ipsec_mbedtls, key, km, open);
}

static void
engine_key_wipe(const struct ipsec_crypto *self, void *key)
{
    (void)self;
    ipsec_mbedtls.key_wipe(&ipsec_mbedtls, key);
}

static void
engine_end_one(struct engine *e)
{
    size_t i = below((uint32_t)e->n);
    struct ipsec_op *op = e->op[i];

    week.event[EV_DISORDER] += i > 0;
    e->n--;
    memmove(&e->op[i], &e->op[i + 1], (e->n - i) * sizeof e->op[0]);
    op->done(op, ipsec_mbedtls.run(&ipsec_mbedtls, op));
}

/* Some of what waits; now and then nothing for a while. */
void
station_engine(struct station *s, int all)
{
    struct engine *e = &s->engine;

    if (!all && e->stalled > 0) {
        e->stalled--;
        return;
    }
    if (!all && chance(600)) {
        e->stalled = 40;
    }
    while (e->n > 0 && (all || !chance(3))) {
        engine_end_one(e);
    }
}

/* --- what the library says */

static int
on_random(void *user, void *buf, size_t len)
{
    uint8_t *p = buf;

    (void)user;
    for (; len > 0; len--) {
        *p++ = (uint8_t)draw();
    }
    return 0;
}

static void
on_audit(void *user, const struct ipsec_audit *a)
{
    struct lent *l = a->pkt->user;

    l->audited = a->status;
    book_audit(user, a->dir == IPSEC_IN, a->status);
}

static void
on_done(struct ipsec_op *op, int result)
{
    struct ipsec_pkt *pkt = ipsec_op_pkt(op);
    struct lent *l = pkt->user;

    ipsec_netif_resume(&l->at->nif, pkt, result);
}

/* Where it is from and goes to is what the daemon said last; what was in the
 * engine meanwhile may be older. */
static void
check_addresses(const struct station *s, const struct lent *l,
                const uint8_t *p)
{
    struct ipsec_addr local = outer_addr(s, l->tag.chan, 0), src, dst;
    struct ipsec_addr remote = outer_addr(s, l->tag.chan, 1);

    src = ip_addr(p, 0);
    dst = ip_addr(p, 1);
    if (!channels[l->tag.chan].async &&
        (!addr_same(&src, &local) || !addr_same(&dst, &remote))) {
        fail("%s: datagram %u (%s) goes between other addresses", s->name,
             (unsigned)l->tag.id, channels[l->tag.chan].name);
    }
}

static void
on_transmit(void *user, struct ipsec_pkt *pkt, const struct ipsec_buf *buf)
{
    struct station *s = user;
    struct lent *l = pkt->user;

    l->ended = 1;
    if (pkt->layers > 0 && l->sent == 0) {
        if (!ip_sealed(buf->data, buf->len, &l->tag.spi, &l->tag.seq)) {
            fail("%s sent neither ESP nor AH", s->name);
        }
        check_addresses(s, l, buf->data);
        book_sealed(s, &l->tag);
    }
    week.event[EV_CUT_SEALED] += l->sent == 1;
    if (l->sent == 0 && pkt->layers == 0) {
        book_hop(s, 1);
    }
    l->sent = l->sent < 2 ? l->sent + 1 : 2;
    wire_from(s, &l->tag, buf->data, buf->len);
}

static void
on_deliver(void *user, struct ipsec_pkt *pkt)
{
    struct station *s = user;
    struct lent *l = pkt->user;

    l->ended = 1;
    if (s->index == A && l->tag.to == H && pkt->layers == 0) {
        book_hop(s, 0);
        wire_lan(H, &l->tag, pkt->buf.data, pkt->buf.len);
        return;
    }
    week.event[EV_WHOLE] += pkt->buf.head != l->mem;
    book_delivered(s, l);
}

static void
on_drop(void *user, struct ipsec_pkt *pkt, int status)
{
    struct station *s = user;
    struct lent *l = pkt->user;
    uint8_t error[1280];

    l->ended = 1;
    if (!l->out) {
        book_in(s, l, status);
        return;
    }
    if (status == IPSEC_ERR_TOO_BIG && pkt->layers == 0) {
        week.event[EV_TOO_BIG] +=
            ipsec_icmp_error(pkt, status,
                             &s->addr[pkt->buf.data[0] >> 4 == 6], error,
                             sizeof error) > 0;
    }
    book_out(s, l, status);
}

static void
lent_free(struct lent *l)
{
    struct station *s = l->at;

    if (l->prev != NULL) {
        l->prev->next = l->next;
    } else {
        s->lent = l->next;
    }
    if (l->next != NULL) {
        l->next->prev = l->prev;
    }
    free(l);
}

static void
on_release(void *user, struct ipsec_pkt *pkt)
{
    struct lent *l = pkt->user;

    if (!l->ended) {
        book_silent(user, l);
    }
    lent_free(l);
}

/* --- packets */

static struct lent *
lent_new(struct station *s, const struct tag *tag, const uint8_t *p,
         size_t len, int out)
{
    struct lent *l = calloc(1, sizeof *l + len + 2 * ROOM);

    if (l == NULL) {
        abort();
    }
    l->at = s;
    l->tag = *tag;
    l->out = (uint8_t)out;
    ipsec_pkt_init(&l->pkt, l->mem, len + 2 * ROOM, ROOM, len);
    if (len > 0 && p != NULL) {
        memcpy(l->pkt.buf.data, p, len);
        l->part = (uint8_t)ip_is_part(p, len);
    }
    l->pkt.user = l;
    l->pkt.done = on_done;
    l->next = s->lent;
    if (s->lent != NULL) {
        s->lent->prev = l;
    }
    s->lent = l;
    return l;
}

/* Gateway A has moved about in its network: what is late is for it, too. */
static int
is_own(const struct station *s, const struct ipsec_addr *addr)
{
    return addr_same(addr, &s->addr[0]) || addr_same(addr, &s->addr[1]) ||
           (s->index == A && addr->version == 4 &&
            memcmp(addr->byte, s->addr[0].byte, 3) == 0);
}

/* Neither from nor to it? */
static unsigned
transit(const struct station *s, const uint8_t *p, size_t len)
{
    struct ipsec_addr src, dst;

    if (s->index == H || len < (p[0] >> 4 == 6 ? 40u : 20u)) {
        return 0;
    }
    src = ip_addr(p, 0);
    dst = ip_addr(p, 1);
    return !is_own(s, &src) && !is_own(s, &dst) ? IPSEC_PKT_TRANSIT : 0;
}

void
station_output(struct station *s, const struct tag *tag, const uint8_t *p,
               size_t len, unsigned flags)
{
    struct lent *l = lent_new(s, tag, p, len, 1);

    l->pkt.flags = (uint8_t)flags;
    book_call(s, 1, tag);
    ipsec_netif_output(&s->nif, &l->pkt);
}

void
station_input(struct station *s, const struct frame *f)
{
    struct lent *l = lent_new(s, &f->tag, f->p, f->len, 0);

    l->pkt.flags = (uint8_t)transit(s, f->p, f->len);
    book_call(s, 0, &f->tag);
    if (l->part) {
        book_part(s, &f->tag, f->p);
    }
    ipsec_netif_input(&s->nif, &l->pkt);
}

/* A packet that isn't one, over some SA. */
void
station_dummy(struct station *s)
{
    unsigned chan = below(CHANNELS);
    struct box *b = box_out(s, chan, 0);
    struct tag tag;
    struct lent *l;
    int rc;

    if (b == NULL || channels[chan].layers > 1) {
        return;
    }
    memset(&tag, 0, sizeof tag);
    tag.kind = OTHER;
    tag.chan = (uint8_t)chan;
    tag.from = s->index;
    tag.to = channels[chan].end[channels[chan].end[0] == s->index];
    l = lent_new(s, &tag, NULL, 300, 1);
    l->pkt.buf.len = 0;
    book_call(s, 1, &tag);
    rc = ipsec_dummy(&s->ips, &l->pkt, &b->sa, 1 + below(200));
    if (rc == IPSEC_PENDING) {
        return;
    }
    if (rc == IPSEC_OK) {
        on_transmit(s, &l->pkt, &l->pkt.buf);
    } else {
        on_drop(s, &l->pkt, rc);
    }
    on_release(s, &l->pkt);
}

/* --- begin and end */

static void
reass_set(struct station *s, int in)
{
    struct ipsec_reass *re = &s->reass[in];
    size_t i;

    memset(re, 0, sizeof *re);
    memset(s->slot[in], 0, sizeof s->slot[in]);
    for (i = 0; i < SLOTS; i++) {
        s->slot[in][i].buf = s->slot_mem + ((size_t)in * SLOTS + i) * SLOT;
        s->slot[in][i].size = SLOT;
    }
    re->slot = s->slot[in];
    re->len = SLOTS;
    re->seconds = 30;
    re->headroom = re->tailroom = ROOM;
}

static void
config_set(struct station *s)
{
    struct ipsec_config *cfg = &s->cfg;

    memset(cfg, 0, sizeof *cfg);
    cfg->user = s;
    cfg->crypto = &ipsec_mbedtls;
    cfg->random = on_random;
    cfg->acquire = keys_acquire;
    cfg->sa_event = keys_event;
    cfg->mapping = s->index == B ? keys_mapping : NULL;
    cfg->audit = on_audit;
    cfg->natt_port = NATT;
    cfg->flags = IPSEC_ACCEPT_PTB;
    if (s->index != H) { /* the host does with lists */
        s->spd.bucket = s->bucket;
        s->spd.bucket_len = BUCKETS;
        s->spd.tuple = s->tuple;
        s->spd.tuple_len = TUPLES;
        cfg->spd = &s->spd;
        cfg->sad = s->sad;
        cfg->sad_len = BUCKETS;
    }
}

/* As when the power comes: all memory is new. */
void
station_init(struct station *s)
{
    struct ipsec_netif *nif = &s->nif;
    int rc;

    config_set(s);
    rc = ipsec_init(&s->ips, &s->cfg);
    if (rc != IPSEC_OK) {
        fail("%s: ipsec_init: %s", s->name, ipsec_status_str(rc));
    }
    (void)ipsec_tick(&s->ips, week.now);
    reass_set(s, 0);
    reass_set(s, 1);
    memset(nif, 0, sizeof *nif);
    nif->ips = &s->ips;
    nif->user = s;
    nif->transmit = on_transmit;
    nif->deliver = on_deliver;
    nif->drop = on_drop;
    nif->release = on_release;
    nif->reass_out = &s->reass[0];
    nif->reass_in = &s->reass[1];
    nif->frag = s->frag;
    nif->mtu = LINK_MTU;
    nif->id = (uint32_t)draw();
    s->engine.n = 0;
}

void
station_begin(struct station *s)
{
    static const struct ipsec_crypto api = {
        "engine", engine_key_size, engine_key_init, engine_key_wipe, engine_run
    };

    s->engine.api = api;
    s->slot_mem = malloc(2 * (size_t)SLOTS * SLOT);
    if (s->slot_mem == NULL) {
        abort();
    }
    station_init(s);
}

/* What is in the engine, and all that is lent, is gone. */
void
station_crash(struct station *s)
{
    while (s->lent != NULL) {
        week.event[EV_IN_CRASH]++;
        book_crashed(s, s->lent);
        lent_free(s->lent);
    }
    s->engine.n = 0;
}

void
station_end(struct station *s)
{
    free(s->slot_mem);
}
