/* SPDX-License-Identifier: MIT */
#include "week.h"

/*
 * What is between the stations: a LAN that does no harm, a NAT, a router with
 * an MTU of its own, and a wire that loses, doubles, holds up and spoils a
 * hundredth of the frames each; and whoever listens, and repeats some of them
 * later.
 */

#define FRAMES 8192 /* that wait */
#define RING   512  /* that the listener has */

struct ipsec_addr nat_public = { 4, { 203, 0, 113, 10 } };
uint16_t          nat_port = 20000;
size_t            wire_mtu = 1500;

static struct frame *heap[FRAMES];
static size_t        heap_len;
static uint64_t      heap_order;
static struct frame *ring[RING];

/* --- frames that wait, the earliest first */

static int
earlier(const struct frame *a, const struct frame *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void
heap_put(struct frame *f)
{
    size_t i = heap_len++;

    if (heap_len > FRAMES) {
        fprintf(stderr, "week: too many frames wait\n");
        exit(2);
    }
    f->order = heap_order++;
    while (i > 0 && earlier(f, heap[(i - 1) / 2])) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = f;
}

static struct frame *
heap_take(void)
{
    struct frame *first = heap[0], *last = heap[--heap_len];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < heap_len) {
        if (child + 1 < heap_len && earlier(heap[child + 1], heap[child])) {
            child++;
        }
        if (!earlier(heap[child], last)) {
            break;
        }
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return first;
}

static struct frame *
frame_new(const struct tag *tag, const uint8_t *p, size_t len)
{
    struct frame *f = malloc(sizeof *f + len);

    if (f == NULL) {
        abort();
    }
    memset(f, 0, sizeof *f);
    f->tag = *tag;
    f->at = tag->to;
    f->len = len;
    f->due = week.step + 1;
    memcpy(f->p, p, len);
    return f;
}

static struct frame *
frame_copy(const struct frame *f)
{
    struct frame *copy = frame_new(&f->tag, f->p, f->len);

    copy->at = f->at;
    return copy;
}

/* --- the wire */

/* Other bits, or fewer bytes. */
static void
spoil(struct frame *f)
{
    size_t n = chance(3) ? 1 + below(4) : 1;

    if (chance(4) && f->len > 1) {
        f->len = 1 + below((uint32_t)f->len - 1);
        week.event[EV_TRUNCATED]++;
    } else {
        for (; n > 0; n--) {
            f->p[chance(2) ? below((uint32_t)f->len)
                           : below(f->len < 64 ? (uint32_t)f->len : 64)] ^=
                (uint8_t)(1u << below(8));
        }
        week.event[EV_FLIPPED]++;
    }
    f->tag.kind = SPOILED;
    book_spoiled(&f->tag);
}

static void
remember(const struct frame *f)
{
    size_t at = below(RING);

    free(ring[at]);
    ring[at] = frame_copy(f);
}

static void
impair(struct frame *f)
{
    struct frame *copy;

    if (chance(100)) {
        week.event[EV_DUPLICATED]++;
        copy = frame_copy(f);
        copy->tag.kind = DOUBLE;
        copy->due += below(10);
        book_frame();
        heap_put(copy);
    }
    if (f->tag.kind == GENUINE && chance(8)) {
        remember(f);
    }
    if (chance(100)) {
        week.event[EV_LOST]++;
        book_lost(&f->tag);
        free(f);
        return;
    }
    if (chance(100)) {
        week.event[EV_REORDERED]++;
        f->due += 2 + below(chance(5) ? 300 : 30);
    }
    if (chance(100)) {
        spoil(f);
    }
    heap_put(f);
}

static void
onto_wire(const struct tag *tag, const uint8_t *p, size_t len)
{
    book_frame();
    impair(frame_new(tag, p, len));
}

/* Whoever listens sends one again, as it was. */
static void
repeat(void)
{
    const struct frame *old = ring[below(RING)];
    struct frame *f;

    if (old == NULL) {
        return;
    }
    week.event[EV_REPLAYED]++;
    f = frame_copy(old);
    f->tag.kind = REPLAY;
    book_frame();
    heap_put(f);
}

/* --- the router: a path's MTU */

static void
tell_too_big(const struct tag *tag, const uint8_t *p, size_t len)
{
    struct tag answer;
    uint8_t icmp[200];

    memset(&answer, 0, sizeof answer);
    answer.kind = OTHER;
    answer.chan = tag->chan;
    answer.from = tag->to;
    answer.to = tag->from;
    len = ip_too_big(icmp, p, len, wire_mtu);
    onto_wire(&answer, icmp, len);
}

static void
route(const struct tag *tag, const uint8_t *p, size_t len)
{
    uint8_t part[1600];
    size_t off = 0, n;

    if (len <= wire_mtu) {
        onto_wire(tag, p, len);
        return;
    }
    if (p[0] >> 4 == 6 || (p[6] & 0x40)) {
        book_frame();
        book_lost(tag);
        tell_too_big(tag, p, len);
        return;
    }
    week.event[EV_CUT_ROUTER]++;
    while ((n = ip_cut(p, wire_mtu, 0, &off, part)) > 0) {
        onto_wire(tag, part, n);
    }
}

/* --- the NAT, of gateway A: one host, one mapping. */

static int
nat_out(uint8_t *p, size_t len)
{
    if (p[0] >> 4 == 6) {
        return 1;
    }
    if (!ip4_intact(p, len)) {
        return 0;
    }
    memcpy(p + 12, nat_public.byte, 4);
    if (p[9] == 17 && ((p[6] & 0x1f) | p[7]) == 0 && len >= 28) {
        p[20] = (uint8_t)(nat_port >> 8);
        p[21] = (uint8_t)nat_port;
    }
    ip4_fix(p);
    return 1;
}

static int
nat_in(uint8_t *p, size_t len)
{
    const uint8_t *to = week.station[H].addr[0].byte;

    if (len > 0 && p[0] >> 4 == 6) {
        return len >= 40; /* a router drops what is no header */
    }
    if (len < 20 || !ip4_intact(p, len) ||
        memcmp(p + 16, nat_public.byte, 4) != 0) {
        return 0;
    }
    memcpy(p + 16, to, 4);
    if (p[9] == 17 && ((p[6] & 0x1f) | p[7]) == 0) {
        if (len < 28 || p[22] != nat_port >> 8 || p[23] != (nat_port & 0xff)) {
            return 0;
        }
        p[22] = 4500 >> 8;
        p[23] = 4500 & 0xff;
    }
    ip4_fix(p);
    return 1;
}

/* A reboot of the NAT: the host is somebody else for the world. */
void
wire_remap(void)
{
    nat_public.byte[3] = (uint8_t)(10 + below(200));
    nat_port = (uint16_t)(1024 + below(60000));
    week.event[EV_REMAPPED]++;
}

/* --- what stations send */

/* On its black side. */
void
wire_from(struct station *s, const struct tag *tag, const uint8_t *p,
          size_t len)
{
    uint8_t copy[1600];
    struct frame *f;

    if (dgram_marked(p, len)) {
        fail("datagram %u is in clear on the wire", (unsigned)tag->id);
    }
    if (s->index == H) { /* to its gateway */
        f = frame_new(tag, p, len);
        f->at = A;
        f->red = 1;
        f->due = week.step;
        heap_put(f);
        return;
    }
    memcpy(copy, p, len);
    if (tag->from == H && !nat_out(copy, len)) {
        fail("the host sent what is no IP");
    }
    route(tag, copy, len);
}

/* Gateway A to the host. */
void
wire_lan(uint8_t to, const struct tag *tag, const uint8_t *p, size_t len)
{
    struct frame *f = frame_new(tag, p, len);

    f->at = to;
    f->red = 2;
    f->due = week.step;
    heap_put(f);
}

/* What somebody on the wire has made himself. */
void
wire_forge(uint8_t to, const struct tag *tag, const uint8_t *p, size_t len)
{
    struct frame *f = frame_new(tag, p, len);

    f->at = to;
    book_frame();
    heap_put(f);
}

static void
arrive(struct frame *f)
{
    struct station *s = &week.station[f->at];

    if (f->at == H && f->red == 0 && f->tag.kind != CLEAR) {
        /* from the wire it comes to its gateway first */
        if (!nat_in(f->p, f->len)) {
            book_lost(&f->tag);
            return;
        }
        station_input(&week.station[A], f);
        return;
    }
    station_input(s, f);
}

void
wire_run(void)
{
    struct frame *f;

    if (chance(100)) {
        repeat();
    }
    while (heap_len > 0 && heap[0]->due <= week.step) {
        f = heap_take();
        if (f->red == 1) {
            week.event[EV_TRANSIT]++;
            station_output(&week.station[A], &f->tag, f->p, f->len,
                           IPSEC_PKT_TRANSIT);
        } else {
            arrive(f);
        }
        free(f);
    }
}

int
wire_busy(void)
{
    return heap_len > 0;
}

void
wire_close(void)
{
    size_t i;

    for (i = 0; i < RING; i++) {
        free(ring[i]);
        ring[i] = NULL;
    }
}
