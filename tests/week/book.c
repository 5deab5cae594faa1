/* SPDX-License-Identifier: MIT */
#include "week.h"

#include <stdarg.h>

/*
 * The book. Of each datagram: what it was, and what became of it. Of each
 * number that an SA sent or took: that it was the first time. Of each context:
 * whether the library's counters say what was seen from outside. A drop of
 * what nobody has touched needs a reason that is known from elsewhere.
 */

#define REASONS 40
#define PARTS   4096
#define PART_S  100
#define FAILURES_SHOWN 20

struct dgram {
    uint64_t print;
    uint8_t  from, to, chan, may_be_big;
    uint8_t  delivered, spoiled, lost, crashed, absorbed;
    int8_t   out_status, in_status;
};

static struct dgram *dgrams;

static struct {
    size_t calls[2], hops[2], delivered, sealed, silent, silent_part;
    size_t silent_out, crashed[2], other[2];
    size_t audit[2][IPSEC_DROP_COUNT];
} seen[STATIONS];

static size_t frames, frames_lost, arrived, failures;
static size_t in_drop[KINDS][REASONS], out_drop[REASONS], other_out[REASONS];
static size_t library[2][REASONS], unaudited[2][REASONS];

/* --- failures */

void
fail(const char *format, ...)
{
    va_list args;

    if (failures++ >= FAILURES_SHOWN) {
        return;
    }
    printf("FAILED at packet %lu, second %lu: ", (unsigned long)week.step,
           (unsigned long)week.now);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    printf("\n");
}

/* --- numbers: sets of (SPI, number) */

struct set {
    uint64_t *key;
    size_t    len, used;
};

static struct set sent_once, taken_once;

static size_t
set_place(const struct set *set, uint64_t key)
{
    size_t i = (size_t)mix(key, 1) & (set->len - 1);

    while (set->key[i] != 0 && set->key[i] != key) {
        i = (i + 1) & (set->len - 1);
    }
    return i;
}

static void
set_grow(struct set *set)
{
    struct set more = { NULL, set->len == 0 ? 4096 : set->len * 2, 0 };
    size_t i;

    more.key = calloc(more.len, sizeof *more.key);
    if (more.key == NULL) {
        abort();
    }
    for (i = 0; i < set->len; i++) {
        if (set->key[i] != 0) {
            more.key[set_place(&more, set->key[i])] = set->key[i];
        }
    }
    more.used = set->used;
    free(set->key);
    *set = more;
}

static int
set_has(const struct set *set, uint64_t key)
{
    return set->len > 0 && set->key[set_place(set, key)] == key;
}

/* Was it new? */
static int
set_add(struct set *set, uint64_t key)
{
    size_t i;

    if (set->used * 2 >= set->len) {
        set_grow(set);
    }
    i = set_place(set, key);
    if (set->key[i] == key) {
        return 0;
    }
    set->key[i] = key;
    set->used++;
    return 1;
}

static uint64_t
number_of(const struct tag *tag)
{
    return (uint64_t)tag->spi << 32 | tag->seq;
}

/* --- fragments: has another datagram had this one's identification? */

static struct {
    uint64_t key;
    uint32_t id, at, mixed_until;
} parts[STATIONS][PARTS];

void
book_part(const struct station *s, const struct tag *tag, const uint8_t *p)
{
    uint64_t key = ip_part_key(p);
    size_t i = (size_t)key % PARTS;

    if (parts[s->index][i].key == key && parts[s->index][i].id != tag->id &&
        week.now - parts[s->index][i].at < PART_S) {
        parts[s->index][i].mixed_until = week.now + PART_S;
    }
    parts[s->index][i].key = key;
    parts[s->index][i].id = tag->id;
    parts[s->index][i].at = week.now;
}

static int
is_mixed(const struct station *s, const struct lent *l)
{
    size_t i;

    if (!l->part) {
        return 0;
    }
    i = (size_t)ip_part_key(l->mem + ROOM) % PARTS;
    return parts[s->index][i].mixed_until >= week.now;
}

/* --- what happens */

static struct dgram *
of(const struct tag *tag)
{
    static struct dgram none;

    return tag->id != 0 ? &dgrams[tag->id - 1] : &none;
}

void
book_begin(void)
{
    free(dgrams);
    dgrams = calloc(week.packets, sizeof *dgrams);
    if (dgrams == NULL) {
        abort();
    }
}

void
book_sent(const struct plan *plan, uint8_t from, uint64_t print,
          int may_be_big)
{
    struct dgram *d = &dgrams[plan->id - 1];

    d->print = print;
    d->from = from;
    d->chan = plan->chan;
    d->to = channels[plan->chan].end[!plan->way];
    d->may_be_big = (uint8_t)may_be_big;
}

void
book_call(const struct station *s, int out, const struct tag *tag)
{
    seen[s->index].calls[!out]++;
    if (!out) {
        arrived += s->index != H || tag->kind == CLEAR;
    }
}

void
book_audit(const struct station *s, int in, int status)
{
    seen[s->index].audit[in][-status]++;
}

void
book_sealed(struct station *s, const struct tag *tag)
{
    seen[s->index].sealed++;
    if (!set_add(&sent_once, number_of(tag))) {
        fail("%s used number %u of SPI %x twice", s->name, (unsigned)tag->seq,
             (unsigned)tag->spi);
    }
}

void
book_hop(const struct station *s, int out)
{
    seen[s->index].hops[!out]++;
    if (s->index != A) {
        fail("%s let a packet pass in clear", s->name);
    }
}

void
book_frame(void)
{
    frames++;
}

void
book_lost(const struct tag *tag)
{
    frames_lost++;
    of(tag)->lost = 1;
}

void
book_spoiled(const struct tag *tag)
{
    of(tag)->spoiled = 1;
}

void
book_silent(const struct station *s, const struct lent *l)
{
    if (l->out) {
        seen[s->index].silent_out++;
    } else if (l->part) {
        seen[s->index].silent_part++;
        of(&l->tag)->absorbed = 1; /* as a fragment, may it be one or not */
    } else {
        seen[s->index].silent++;
    }
}

void
book_crashed(const struct station *s, const struct lent *l)
{
    seen[s->index].crashed[!l->out]++;
    of(&l->tag)->crashed = 1;
}

/* The SA has it behind its window now. */
static void
taken(struct station *s, const struct lent *l)
{
    struct box *b = box_in(s, l->tag.spi);

    if (!set_add(&taken_once, number_of(&l->tag))) {
        fail("%s took number %u of SPI %x twice", s->name,
             (unsigned)l->tag.seq, (unsigned)l->tag.spi);
    }
    if (b != NULL && l->tag.seq > b->top) {
        b->top = l->tag.seq;
    }
}

void
book_delivered(struct station *s, const struct lent *l)
{
    const struct ipsec_buf *buf = &l->pkt.buf;
    uint32_t id = dgram_id(buf->data, buf->len);
    struct dgram *d;

    seen[s->index].delivered++;
    if (id == 0 || id > week.packets || id != l->tag.id) {
        fail("%s was given what nobody sent", s->name);
        return;
    }
    d = &dgrams[id - 1];
    note(mix(id, week.step));
    if (l->tag.kind == CLEAR || l->pkt.layers == 0) {
        fail("%s took datagram %u in clear", s->name, (unsigned)id);
    }
    if (d->to != s->index || d->print != dgram_print(buf->data, buf->len)) {
        fail("datagram %u is not what was sent", (unsigned)id);
    }
    if (d->delivered++ > 0) {
        fail("datagram %u was delivered twice", (unsigned)id);
    }
    taken(s, l);
}

/* --- drops, and whether they had to be */

static int
is_over(const struct box *b, const struct station *s)
{
    return b == NULL ||
           (b->life.hard_s != 0 &&
            ipsec_now(&s->ips) - b->sa.born >= b->life.hard_s) ||
           (b->life.hard_bytes != 0 && b->sa.bytes >= b->life.hard_bytes);
}

static int
may_drop_out(struct station *s, const struct lent *l, int status)
{
    const struct channel *c = &channels[l->tag.chan];
    struct box *b = box_out(s, l->tag.chan, 0);
    int gate = s->gate[l->tag.chan];

    switch (status) {
    case IPSEC_ERR_NO_SA:
        return b == NULL || gate == GATE_OTHER ||
               (c->layers == 2 && box_out(s, l->tag.chan, 1) == NULL);
    case IPSEC_ERR_TOO_BIG:
        return of(&l->tag)->may_be_big;
    case IPSEC_ERR_DISCARD:
        return gate == GATE_DISCARD;
    case IPSEC_ERR_NO_POLICY:
        return gate == GATE_GONE;
    case IPSEC_ERR_EXPIRED:
        return is_over(b, s) || c->async; /* removed while in the engine */
    case IPSEC_ERR_SEQ_OVERFLOW:
        return b != NULL && b->life.hard_seq != 0 &&
               b->sa.seq >= b->life.hard_seq;
    case IPSEC_ERR_BUSY:
        return c->async;
    default:
        return 0;
    }
}

/* Is another copy of it on its way through the layers? */
static int
is_ahead(const struct station *s, const struct lent *l)
{
    const struct lent *other = s->lent;

    while (other != NULL && (other == l || other->pkt.layers == 0 ||
                             other->tag.id != l->tag.id)) {
        other = other->next;
    }
    return other != NULL;
}

static int
is_repeated(const struct station *s, const struct lent *l, const struct box *b)
{
    uint32_t size = b == NULL ? 0 : 32u * b->sa.window_len;

    return b == NULL || l->tag.seq <= b->floor || is_ahead(s, l) ||
           l->tag.seq + (uint64_t)size <= b->top ||
           set_has(&taken_once, number_of(&l->tag)) ||
           of(&l->tag)->in_status != 0;
}

static int
may_drop_in(struct station *s, const struct lent *l, int status)
{
    const struct channel *c = &channels[l->tag.chan];
    struct box *b = box_in(s, l->tag.spi);
    int gate = s->gate[l->tag.chan], inner = c->layers == 2;
    struct ipsec_addr dst = ip_addr(l->mem + ROOM, 1);

    switch (status) {
    case IPSEC_ERR_NO_SA:
        return b == NULL || (inner && l->pkt.layers > 0) ||
               !addr_same(&dst, &b->sa.local);
    case IPSEC_ERR_REPLAY:
        return is_repeated(s, l, b);
    case IPSEC_ERR_EXPIRED:
        return is_over(b, s) || (inner && l->pkt.layers > 0);
    case IPSEC_ERR_SEQ_OVERFLOW:
        return b != NULL && b->life.hard_seq != 0 &&
               (l->tag.seq > b->life.hard_seq ||
                b->sa.seq >= b->life.hard_seq);
    case IPSEC_ERR_DISCARD:
        return gate == GATE_DISCARD;
    case IPSEC_ERR_SELECTOR:
        return gate == GATE_GONE || gate == GATE_OTHER;
    case IPSEC_ERR_BUSY:
        return c->async || l->part;
    case IPSEC_ERR_AUTH:
    case IPSEC_ERR_MALFORMED:
    case IPSEC_ERR_ECN:
        return is_mixed(s, l);
    default:
        return 0;
    }
}

void
book_out(struct station *s, const struct lent *l, int status)
{
    struct dgram *d = of(&l->tag);

    note(mix(l->tag.id, (uint64_t)-status));
    if (l->audited != status) {
        unaudited[0][-status]++;
        seen[s->index].other[0]++;
    } else if (l->tag.id == 0 || d->from != s->index) {
        other_out[-status]++;
    } else {
        out_drop[-status]++;
    }
    if (l->tag.id == 0 || d->from != s->index) {
        return;
    }
    d->out_status = d->out_status == 0 ? (int8_t)status : d->out_status;
    if (l->tag.kind == GENUINE && !may_drop_out(s, l, status)) {
        fail("%s dropped datagram %u (%s) going out: %s", s->name,
             (unsigned)l->tag.id, channels[l->tag.chan].name,
             ipsec_status_str(status));
    }
}

/* Has a layer been opened, and so its number been taken? */
static int
is_opened(const struct lent *l, int status)
{
    return l->pkt.layers > 0 &&
           (status == IPSEC_ERR_DISCARD || status == IPSEC_ERR_SELECTOR ||
            status == IPSEC_ERR_NO_SA || status == IPSEC_ERR_ECN ||
            l->pkt.layers > 1);
}

void
book_in(struct station *s, const struct lent *l, int status)
{
    struct dgram *d = of(&l->tag);

    note(mix(l->tag.id, (uint64_t)-status << 8));
    if (l->audited != status) {
        unaudited[1][-status]++;
        seen[s->index].other[1]++;
    } else if (l->tag.kind != SPOILED || !sabotaged("books")) {
        in_drop[l->tag.kind][-status]++;
    }
    if (l->tag.id == 0) {
        return;
    }
    if (l->tag.kind == GENUINE && !d->spoiled && !may_drop_in(s, l, status)) {
        fail("%s dropped datagram %u (%s) coming in: %s, SPI %x, number %u",
             s->name, (unsigned)l->tag.id, channels[l->tag.chan].name,
             ipsec_status_str(status), (unsigned)l->tag.spi,
             (unsigned)l->tag.seq);
    }
    if (is_opened(l, status)) {
        taken(s, l);
    }
    if (l->tag.kind != CLEAR &&
        (d->in_status == 0 || l->tag.kind == GENUINE)) {
        d->in_status = (int8_t)status;
    }
}

/* --- the books of a context */

static void
same(const struct station *s, const char *what, size_t a, size_t b)
{
    if (a != b) {
        fail("%s: %s: %lu in the book, %lu in the library", s->name, what,
             (unsigned long)a, (unsigned long)b);
    }
}

void
book_context_ends(struct station *s)
{
    const struct ipsec_stats *st = &s->ips.stats;
    size_t in = 0, out = 0, i, n = s->index;

    for (i = 0; i < IPSEC_DROP_COUNT; i++) {
        same(s, "drops out", seen[n].audit[0][i], st->out_drop[i]);
        same(s, "drops in", seen[n].audit[1][i], st->in_drop[i]);
        out += st->out_drop[i];
        in += st->in_drop[i];
        library[0][i] += st->out_drop[i];
        library[1][i] += st->in_drop[i];
    }
    same(s, "sealed", seen[n].sealed, st->out_protect);
    same(s, "delivered", seen[n].delivered, st->in_protect);
    same(s, "passed out", seen[n].hops[0], st->out_bypass);
    same(s, "passed in", seen[n].hops[1], st->in_bypass);
    same(s, "forgotten", seen[n].silent,
         st->in_consumed + st->in_keepalive + st->in_too_big);
    same(s, "offered out", seen[n].calls[0],
         st->out_protect + st->out_bypass + out + seen[n].silent_out +
         seen[n].other[0] + seen[n].crashed[0]);
    same(s, "offered in", seen[n].calls[1],
         st->in_protect + st->in_bypass + in + seen[n].silent +
         seen[n].silent_part + seen[n].other[1] + seen[n].crashed[1]);
    week.event[EV_DUMMY] += st->in_consumed;
    week.event[EV_PTB] += st->in_too_big;
    memset(&seen[n], 0, sizeof seen[n]);
}

/* --- at the end */

struct sums {
    size_t delivered, crashed, lost, never_whole, vanished;
    size_t out[REASONS], in[REASONS];
};

static void
sum_up(struct sums *sums, const struct dgram *d)
{
    unsigned long id = (unsigned long)(d - dgrams) + 1;

    if (d->delivered > 0) {
        sums->delivered++;
    } else if (d->out_status != 0) {
        sums->out[-d->out_status]++;
    } else if (d->crashed) {
        sums->crashed++;
    } else if (d->in_status != 0) {
        sums->in[-d->in_status]++;
    } else if (d->lost) {
        sums->lost++;
    } else if (d->absorbed) {
        sums->never_whole++;
    } else {
        sums->vanished++;
        fail("datagram %lu (%s) has vanished", id, channels[d->chan].name);
    }
}

static size_t
line(const char *text, size_t n)
{
    if (n > 0) {
        printf("  %8lu  %s\n", (unsigned long)n, text);
    }
    return n;
}

static size_t
lines(const char *text, const size_t *n)
{
    size_t i, sum = 0;

    for (i = 0; i < REASONS; i++) {
        if (n[i] > 0) {
            printf("  %8lu  %s: %s\n", (unsigned long)n[i], text,
                   ipsec_status_str(-(int)i));
            sum += n[i];
        }
    }
    return sum;
}

static void
print_sums(const struct sums *sums)
{
    size_t sum;

    printf("Datagrams:\n");
    sum = line("delivered", sums->delivered);
    sum += lines("dropped by the sender", sums->out);
    sum += line("in an engine when the power went", sums->crashed);
    sum += line("lost on the way", sums->lost);
    sum += lines("dropped by the receiver", sums->in);
    sum += line("of which fragments came, but never all that fit together",
                sums->never_whole);
    printf("  %8lu  in all, of %lu sent\n", (unsigned long)sum,
           (unsigned long)week.packets);
    if (sum != week.packets || sums->vanished > 0) {
        fail("%lu datagrams in the book, %lu sent", (unsigned long)sum,
             (unsigned long)week.packets);
    }
}

/* What the library counted is what was seen to happen to each kind. */
static void
print_drops(void)
{
    static const char *const name[] = { "genuine", "double", "spoiled",
                                        "replay", "clear", "other" };
    size_t i, k, sum;

    printf("Dropped by receivers, whatever it was:\n  %-14s", "");
    for (k = 0; k < KINDS; k++) {
        printf(" %8s", name[k]);
    }
    printf("  library\n");
    for (i = 1; i < IPSEC_DROP_COUNT; i++) {
        for (k = sum = 0; k < KINDS; k++) {
            sum += in_drop[k][i];
        }
        if (sum != library[1][i]) {
            fail("%s coming in: %lu in the book, %lu in the library",
                 ipsec_status_str(-(int)i), (unsigned long)sum,
                 (unsigned long)library[1][i]);
        }
        if (out_drop[i] + other_out[i] != library[0][i]) {
            fail("%s going out: %lu in the book, %lu in the library",
                 ipsec_status_str(-(int)i),
                 (unsigned long)(out_drop[i] + other_out[i]),
                 (unsigned long)library[0][i]);
        }
        if (sum == 0) {
            continue;
        }
        printf("  %-14s", ipsec_status_str(-(int)i));
        for (k = 0; k < KINDS; k++) {
            printf(" %8lu", (unsigned long)in_drop[k][i]);
        }
        printf(" %8lu\n", (unsigned long)library[1][i]);
    }
}

int
book_end(void)
{
    static struct sums sums;
    size_t i;

    for (i = 0; i < week.packets; i++) {
        sum_up(&sums, &dgrams[i]);
    }
    print_sums(&sums);
    print_drops();
    if (frames != frames_lost + arrived) {
        fail("%lu frames on the wire, %lu lost, %lu arrived",
             (unsigned long)frames, (unsigned long)frames_lost,
             (unsigned long)arrived);
    }
    printf("Frames on the wire: %lu lost + %lu arrived = %lu.\n",
           (unsigned long)frames_lost, (unsigned long)arrived,
           (unsigned long)frames);
    free(dgrams);
    free(sent_once.key);
    free(taken_once.key);
    return (int)failures;
}
