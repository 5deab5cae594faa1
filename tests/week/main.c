/* SPDX-License-Identifier: MIT */
#include "week.h"

/*
 * week PACKETS LEAST SEED [SABOTAGE]: a simulated week. Each kind of event
 * must have come LEAST times. What SABOTAGE breaks must be noticed: "replay",
 * "reservation", "books" or "clear".
 */

#define WEEK_S 604800u
#define ALL    65535

struct week week;

static const char *const names[EVENTS_LEN] = {
#define NAME(name, text) text,
    EVENTS(NAME)
#undef NAME
};

/* --- chance: all of it from one seed */

uint64_t
mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b + UINT64_C(0x9e3779b97f4a7c15))) *
                 UINT64_C(0xbf58476d1ce4e5b9);

    x = (x ^ (x >> 29)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 32);
}

uint64_t
draw(void)
{
    return mix(week.random[0], week.random[1]++);
}

uint32_t
below(uint32_t n)
{
    return (uint32_t)(((draw() >> 32) * n) >> 32);
}

int
chance(uint32_t one_in)
{
    return below(one_in) == 0;
}

void
note(uint64_t what)
{
    week.digest = mix(week.digest, what);
}

int
sabotaged(const char *name)
{
    return week.sabotage != NULL && strcmp(week.sabotage, name) == 0;
}

/* --- traffic */

static size_t
payload_draw(const struct channel *c, uint8_t proto)
{
    uint32_t kind = below(1000);

    if (proto == 6 && kind < 100) {
        week.event[EV_TINY]++;
        return 1 + below(15);
    }
    if (kind < 550) {
        return 16 + below(200);
    }
    if (kind < 900 || (c->flags & IPSEC_SA_DF_SET)) {
        return 16 + below(kind % 16 == 0 ? 3000 : 1050);
    }
    if (kind < 990) {
        return 1000 + below(4000);
    }
    return 1 + below(65000 - 16) + 15;
}

static void
count_plan(const struct plan *plan)
{
    const struct channel *c = &channels[plan->chan];

    week.event[c->inner == 4 ? EV_IPV4 : EV_IPV6]++;
    week.event[plan->proto == 17 ? EV_UDP : plan->proto == 6 ? EV_TCP
               : EV_ICMP]++;
    week.event[EV_LONG] += plan->payload > 4000;
    week.event[EV_LONGEST] += plan->payload > 40000;
    week.event[c->mode == IPSEC_MODE_TUNNEL ? EV_TUNNEL : EV_TRANSPORT]++;
    week.event[EV_NATT] += c->natt;
    week.event[EV_BUNDLE] += c->layers == 2;
}

static void
plan_draw(struct plan *plan)
{
    static uint32_t burst;
    static uint8_t chan, way;
    const struct channel *c;

    if (burst == 0) {
        burst = chance(40) ? 200 : 1 + below(12);
        chan = (uint8_t)below(CHANNELS);
        way = (uint8_t)below(2);
    }
    burst--;
    c = &channels[chan];
    plan->id = (uint32_t)week.step + 1;
    plan->chan = chan;
    plan->way = way;
    plan->proto = chance(2) ? 6 : !chance(4) ? 17 : c->inner == 4 ? 1 : 58;
    plan->payload = payload_draw(c, plan->proto);
    plan->df = c->inner == 4 && plan->payload < 2000 && chance(5);
    count_plan(plan);
}

/* As its source would: in pieces, the last first or the first. */
static void
send_cut(struct station *s, const struct tag *tag, const uint8_t *p)
{
    static uint8_t piece[64][1400];
    size_t len[64], n = 0, i, off = 0;
    int back = chance(2);

    week.event[EV_CUT_SOURCE]++;
    while ((len[n] = ip_cut(p, 1400, tag->id, &off, piece[n])) > 0) {
        n++;
    }
    for (i = 0; i < n; i++) {
        size_t k = back ? n - 1 - i : i;

        station_output(s, tag, piece[k], len[k], 0);
    }
}

static void
forge(const struct tag *tag, const uint8_t *p, size_t len)
{
    struct tag copy = *tag;

    week.event[EV_CLEAR]++;
    copy.kind = CLEAR;
    wire_forge(tag->to, &copy, p, len);
}

static void
send_one(void)
{
    static uint8_t p[ALL];
    const struct channel *c;
    struct station *s;
    struct plan plan;
    struct tag tag;
    unsigned flags = 0;
    size_t len;

    plan_draw(&plan);
    c = &channels[plan.chan];
    s = &week.station[c->end[plan.way]];
    memset(&tag, 0, sizeof tag);
    tag.id = plan.id;
    tag.chan = plan.chan;
    tag.from = s->index;
    tag.to = c->end[!plan.way];
    len = dgram_build(p, &plan);
    if (c->mode == IPSEC_MODE_TUNNEL && s->index != H) {
        flags = IPSEC_PKT_TRANSIT;
    }
    if (c->inner == 6 && !chance(8)) {
        flags |= IPSEC_PKT_FRAG_OK;
    }
    book_sent(&plan, s->index, dgram_print(p, len), len > 1100 &&
              (plan.df || (c->flags & IPSEC_SA_DF_SET) ||
               (c->inner == 6 && (flags & IPSEC_PKT_FRAG_OK) == 0)));
    if (len > 1400 && (flags & IPSEC_PKT_TRANSIT) == 0 && !plan.df &&
        chance(2)) {
        send_cut(s, &tag, p);
    } else {
        station_output(s, &tag, p, len, flags);
    }
    if (chance(100)) {
        forge(&tag, p, len);
    }
}

/* --- time */

static void
happen(void)
{
    static const size_t mtu[] = { 1500, 1400, 1300, 1280 };
    struct station *s = &week.station[below(STATIONS)];
    size_t i, writing = 0;

    for (i = 0; i < 2 * CHANNELS; i++) {
        writing |= s->nvm[i / 2][i % 2].done_at != 0;
    }
    if (writing && chance(week.packets < 500000 ? 20 : 18)) {
        keys_restart(s, 1);
    } else if (chance(2500)) {
        keys_restart(s, chance(3));
    }
    if (chance(3000)) {
        wire_remap();
    }
    if (chance(2500)) {
        keys_move();
    }
    if (chance(2500)) {
        week.event[EV_PMTU]++;
        wire_mtu = mtu[below(COUNT(mtu))];
    }
    if (chance(600)) {
        keys_gate(s);
    }
    if (chance(700)) {
        station_dummy(s);
    }
}

static void
second(void)
{
    uint32_t told, i;

    week.now++;
    if (chance(4200)) {
        week.event[EV_FORWARD]++;
        week.now += 60 + below(800);
    }
    for (i = 0; i < STATIONS; i++) {
        told = week.now;
        if (chance(8000) && told > 2000) {
            week.event[EV_BACK]++;
            told -= 1 + below(2000);
        }
        (void)ipsec_tick(&week.station[i].ips, told);
        ipsec_reass_tick(&week.station[i].reass[0], week.now);
        ipsec_reass_tick(&week.station[i].reass[1], week.now);
    }
    keys_second();
    happen();
}

static void
engines(int all)
{
    uint8_t i;

    for (i = 0; i < STATIONS; i++) {
        station_engine(&week.station[i], all);
    }
}

static void
run(void)
{
    double due = 0;

    for (week.step = 0; week.step < week.packets; week.step++) {
        due += (double)(WEEK_S - (week.now < WEEK_S ? week.now : WEEK_S)) /
               (double)(week.packets - week.step) *
               (double)below(2000) / 1000;
        while (due >= 1) {
            due--;
            second();
        }
        send_one();
        wire_run();
        engines(0);
    }
    while (wire_busy() || week.station[A].engine.n + week.station[B].engine.n +
           week.station[H].engine.n > 0) {
        week.step++;
        wire_run();
        engines(1);
    }
}

/* --- from begin to end */

static void
stations_begin(void)
{
    static const struct ipsec_addr addr[STATIONS][2] = {
        { { 4, { 192, 0, 2, 1 } },
          { 6, { 0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } } },
        { { 4, { 198, 51, 100, 2 } },
          { 6, { 0x20, 1, 0xd, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 } } },
        { { 4, { 172, 16, 0, 77 } },
          { 6, { 0x20, 1, 0xd, 0xb8, 0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 7 } } }
    };
    static const char *const name[] = { "gateway A", "gateway B", "host" };
    uint8_t i;

    for (i = 0; i < STATIONS; i++) {
        struct station *s = &week.station[i];

        s->index = i;
        s->name = name[i];
        memcpy(s->addr, addr[i], sizeof s->addr);
    }
    for (i = 0; i < STATIONS; i++) {
        station_begin(&week.station[i]);
        keys_boot(&week.station[i]);
    }
}

static void
print_events(size_t least)
{
    size_t i;

    printf("Events:\n");
    for (i = 0; i < EVENTS_LEN; i++) {
        printf("  %8lu  %s\n", (unsigned long)week.event[i], names[i]);
        if (week.event[i] < least) {
            fail("\"%s\" came %lu times, not %lu", names[i],
                 (unsigned long)week.event[i], (unsigned long)least);
        }
    }
}

int
main(int argc, char **argv)
{
    int failures;
    uint8_t i;

    if (argc < 4) {
        fprintf(stderr, "usage: week PACKETS LEAST SEED [SABOTAGE]\n");
        return 2;
    }
    week.packets = (uint32_t)strtoul(argv[1], NULL, 10);
    week.seed = strtoull(argv[3], NULL, 10);
    week.sabotage = argc > 4 ? argv[4] : NULL;
    week.random[0] = mix(week.seed, 0);
    week.now = 1;
    book_begin();
    stations_begin();
    run();
    for (i = 0; i < STATIONS; i++) {
        book_context_ends(&week.station[i]);
        keys_end(&week.station[i]);
        station_end(&week.station[i]);
    }
    print_events(strtoul(argv[2], NULL, 10));
    wire_close();
    failures = book_end();
    printf("Seed %s, %lu packets: digest %016llx, %d failures\n", argv[3],
           (unsigned long)week.packets, (unsigned long long)week.digest,
           failures);
    return failures > 0;
}
