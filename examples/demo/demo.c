/*
 * The demo: starts device and gateway, hands out keys as a key daemon would,
 * has them do what IPsec is for, and judges what was seen.
 * SPDX-License-Identifier: MIT
 *
 * usage: demo DIRECTORY [key|policy|replay]
 *
 * Writes demo.pcap, demo.keys and demo.wireshark/ into DIRECTORY. Exits 0
 * only if all of it was seen to work. The second argument sabotages it.
 */
#define _POSIX_C_SOURCE 200809L

#include <string.h>
#include <unistd.h>

#include "stage.h"

#define LIMIT_S 40 /* for everything */

/* ---------------------------------------------------------------- steps */

static int seen_page(const struct demo *d)
{
    return d->now[DEMO_DEVICE].complete;
}

static int step_fetch(struct demo *d, int version, uint32_t reqid)
{
    const struct demo_sa *sa = d->newest[DEMO_GATEWAY][reqid];
    int ok;

    (void)stage_tell(d, DEMO_DEVICE, DEMO_FETCH, version, DEMO_PAGE_LEN);
    ok = stage_wait(d, seen_page) &&
         stage_received(d->now, sa)->bytes >= DEMO_PAGE_LEN;
    stage_detail(d, ok ? "%zu bytes in %zu packets"
                       : "the page (%zu bytes of it in %zu packets)",
                 d->now[DEMO_DEVICE].fetched, stage_opened(d, sa));
    return ok;
}

static int step_fetch4(struct demo *d)
{
    return step_fetch(d, 4, DEMO_TUNNEL4);
}

static int step_fetch6(struct demo *d)
{
    return step_fetch(d, 6, DEMO_TUNNEL6);
}

static int seen_pongs(const struct demo *d)
{
    return d->now[DEMO_DEVICE].pongs == DEMO_PINGS;
}

static int step_ping(struct demo *d, int version, uint32_t reqid)
{
    size_t there, back;
    int ok;

    (void)stage_tell(d, DEMO_DEVICE, DEMO_PING, version, 0);
    ok = stage_wait(d, seen_pongs);
    there = stage_opened(d, d->newest[DEMO_DEVICE][reqid]);
    back = stage_opened(d, d->newest[DEMO_GATEWAY][reqid]);
    stage_detail(d, "%u of %d answers, %zu + %zu packets",
                 d->now[DEMO_DEVICE].pongs, DEMO_PINGS, there, back);
    return ok && there == DEMO_PINGS && back == DEMO_PINGS;
}

static int step_ping4(struct demo *d)
{
    return step_ping(d, 4, DEMO_PING4);
}

static int step_ping6(struct demo *d)
{
    return step_ping(d, 6, DEMO_PING6);
}

static unsigned turns(const struct demo *d, int role)
{
    return d->now[role].valve - d->before[role].valve;
}

static int seen_valve(const struct demo *d)
{
    return turns(d, DEMO_DEVICE) > 0;
}

static int step_valve(struct demo *d)
{
    int ok;

    (void)stage_tell(d, DEMO_DEVICE, DEMO_VALVE, 4, 0);
    ok = stage_wait(d, seen_valve) && turns(d, DEMO_GATEWAY) == 1;
    stage_detail(d, ok ? "opened once, and answered"
                       : "the valve open once and the answer (%u, %u)",
                 turns(d, DEMO_GATEWAY), turns(d, DEMO_DEVICE));
    return ok;
}

static size_t dropped(const struct demo *d, int role, int status)
{
    return d->now[role].stats.in_drop[-status] -
           d->before[role].stats.in_drop[-status];
}

static int seen_clear(const struct demo *d)
{
    return dropped(d, DEMO_GATEWAY, IPSEC_ERR_UNPROTECTED) +
           turns(d, DEMO_GATEWAY) >= 2;
}

static int step_clear(struct demo *d)
{
    int ok = attacker_clear(d->path[DEMO_GATEWAY], 4) == 0 &&
             attacker_clear(d->path[DEMO_GATEWAY], 6) == 0 &&
             stage_wait(d, seen_clear);
    size_t drops = dropped(d, DEMO_GATEWAY, IPSEC_ERR_UNPROTECTED);

    if (ok && drops == 2 && turns(d, DEMO_GATEWAY) == 0) {
        stage_detail(d, "2 of 2 dropped: UNPROTECTED");
        return 1;
    }
    stage_detail(d, "orders in clear dropped (%zu of 2; valve opened %u times)",
                 drops, turns(d, DEMO_GATEWAY));
    return 0;
}

static int replayed; /* how many packets the attacker sent again */

static int seen_replay(const struct demo *d)
{
    return dropped(d, DEMO_GATEWAY, IPSEC_ERR_REPLAY) >= (size_t)replayed ||
           turns(d, DEMO_GATEWAY) > 0;
}

static int step_replay(struct demo *d)
{
    const struct demo_sa *sa = d->newest[DEMO_DEVICE][DEMO_TUNNEL4];
    size_t drops;

    replayed = attacker_replay(d->path[DEMO_GATEWAY], d->pcap, sa->spi);
    (void)stage_wait(d, seen_replay);
    drops = dropped(d, DEMO_GATEWAY, IPSEC_ERR_REPLAY);
    if (replayed > 0 && drops == (size_t)replayed &&
        stage_opened(d, sa) == 0 && turns(d, DEMO_GATEWAY) == 0) {
        stage_detail(d, "%zu of %d dropped: REPLAY", drops, replayed);
        return 1;
    }
    stage_detail(d, "replayed packets dropped (%zu of %d; valve opened %u "
                 "times)", drops, replayed, turns(d, DEMO_GATEWAY));
    return 0;
}

/* ----------------------------------------- the SAs replaced in mid-transfer */

#define CHUNK (DEMO_PAGE_LEN / 10)

static int seen_chunk(const struct demo *d)
{
    return d->now[DEMO_DEVICE].fetched >= CHUNK;
}

static int seen_new(const struct demo *d)
{
    return stage_opened(d, d->newest[DEMO_DEVICE][DEMO_TUNNEL4]) > 0 &&
           stage_opened(d, d->newest[DEMO_GATEWAY][DEMO_TUNNEL4]) > 0;
}

static void go_on(struct demo *d)
{
    (void)stage_tell(d, DEMO_DEVICE, DEMO_TAKE, 0, CHUNK);
}

/* First all new SAs, so that nobody ever lacks one; then, when both sides
 * have been heard over those, away with the old ones. Meanwhile the page
 * comes in, a part at a time. */
static int replace(struct demo *d)
{
    const struct demo_sa *old[DEMO_ROLES];
    int from;

    for (from = 0; from < DEMO_ROLES; from++) {
        old[from] = d->newest[from][DEMO_TUNNEL4];
    }
    go_on(d);
    stage_sa_pair(d, DEMO_TUNNEL4, DEMO_AES_256_GCM);
    go_on(d);
    if (!stage_wait(d, seen_new)) {
        return 0;
    }
    for (from = 0; from < DEMO_ROLES; from++) {
        go_on(d);
        if (stage_sa_tell(d, from, DEMO_REMOVE, old[from]) != IPSEC_OK ||
            stage_sa_tell(d, 1 - from, DEMO_REMOVE, old[from]) != IPSEC_OK) {
            return 0;
        }
    }
    return 1;
}

/* Drops of any kind but of what policy discards, in and out. */
static size_t lost(const struct demo *d)
{
    size_t sum = 0;
    int role, n;

    for (role = 0; role < DEMO_ROLES; role++) {
        const struct ipsec_stats *now = &d->now[role].stats;
        const struct ipsec_stats *was = &d->before[role].stats;

        for (n = 1; n < IPSEC_DROP_COUNT; n++) {
            if (n != -IPSEC_ERR_DISCARD) {
                sum += now->in_drop[n] - was->in_drop[n] +
                       now->out_drop[n] - was->out_drop[n];
            }
        }
    }
    return sum;
}

static int step_replace(struct demo *d)
{
    size_t at;
    int ok;

    (void)stage_tell(d, DEMO_DEVICE, DEMO_FETCH, 4, 2 * CHUNK);
    ok = stage_wait(d, seen_chunk) && replace(d);
    stage_ask(d);
    at = d->now[DEMO_DEVICE].fetched;
    (void)stage_tell(d, DEMO_DEVICE, DEMO_TAKE, 0, DEMO_PAGE_LEN);
    ok = ok && at < DEMO_PAGE_LEN && stage_wait(d, seen_page) && lost(d) == 0;
    stage_detail(d, ok ? "by byte %zu, no packet lost"
                       : "the page, over two SA pairs (replaced at byte %zu)",
                 at);
    return ok;
}

/* ------------------------------------------------------- looking back */

static int seen_balance(const struct demo *d)
{
    const struct ipsec_stats *device = &d->now[DEMO_DEVICE].stats;
    const struct ipsec_stats *gateway = &d->now[DEMO_GATEWAY].stats;

    return device->out_protect == gateway->in_protect &&
           gateway->out_protect == device->in_protect;
}

static int step_balance(struct demo *d)
{
    int ok = stage_wait(d, seen_balance);
    const struct ipsec_stats *device = &d->now[DEMO_DEVICE].stats;
    const struct ipsec_stats *gateway = &d->now[DEMO_GATEWAY].stats;

    stage_detail(d, ok ? "%zu there, %zu back"
                       : "that (protected: %zu, %zu; opened: %zu, %zu)",
                 device->out_protect, gateway->out_protect, gateway->in_protect,
                 device->in_protect);
    return ok;
}

static int step_look(struct demo *d)
{
    struct attacker_view view;
    int ok = attacker_look(d->pcap, &view) == 0 && view.esp > 0 &&
             view.readable == 0 && view.other == 0 &&
             view.valve == 2; /* his own */

    stage_detail(d, ok ? "%zu ESP, %zu ARP, %zu neighbours"
                       : "that (%zu ESP, %zu ARP, %zu neighbours, %zu others, "
                         "%zu orders, %zu with text of the page)",
                 view.esp, view.arp, view.nd, view.other, view.valve,
                 view.readable);
    return ok;
}

/* ---------------------------------------------------------------- story */

static const struct {
    const char *what;
    int       (*run)(struct demo *d);
} steps[] = {
    { "fetch a page through the IPv4 tunnel",   step_fetch4 },
    { "fetch it through the IPv6 tunnel",       step_fetch6 },
    { "ping in transport mode, IPv4",           step_ping4 },
    { "ping in transport mode, IPv6",           step_ping6 },
    { "open the valve, through the tunnel",     step_valve },
    { "attacker tells it to open, in clear",    step_clear },
    { "attacker replays what he recorded",      step_replay },
    { "replace the SAs while a page is coming", step_replace },
    { "what one side protects the other opens", step_balance },
    { "on the wire nothing else can be read",   step_look },
};

static int story(struct demo *d)
{
    size_t n, failed = 0;

    for (n = 0; n < sizeof steps / sizeof *steps; n++) {
        int ok;

        stage_ask(d);
        memcpy(d->before, d->now, sizeof d->before);
        ok = steps[n].run(d);
        if (!ok) {
            stage_add_drops(d);
        }
        print_step(steps[n].what, ok, d->detail);
        failed += !ok;
    }
    return failed == 0;
}

static void look_closer(const struct demo *d)
{
    printf("\nCapture: %s   Keys: %s   To look inside:\n"
           "  WIRESHARK_CONFIG_DIR=%s wireshark %s\n",
           d->pcap, d->keys, d->shark, d->pcap);
}

static int usage(void)
{
    (void)fputs("usage: demo DIRECTORY [key|policy|replay]\n"
                "       make demo [SABOTAGE=key|policy|replay]\n", stderr);
    return 2;
}

static int parse(struct demo *d, const char *word)
{
    static const char *const words[] = { "", "key", "policy", "replay" };
    int n;

    for (n = 0; n < 4; n++) {
        if (strcmp(word, words[n]) == 0) {
            d->sabotage = (enum sabotage)n;
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct demo d;
    int ok;

    if (argc < 2 || argc > 3 || !parse(&d, argc == 3 ? argv[2] : "")) {
        return usage();
    }
    (void)alarm(LIMIT_S);
    print_scene();
    stage_open(&d, argv[1]);
    ok = story(&d);
    stage_ask(&d);
    print_policies(&d.now[DEMO_GATEWAY]);
    print_sas(d.now, d.sa, d.sas);
    print_packets(d.now);
    stage_write_keys(&d);
    ok = stage_close(&d) && ok;
    look_closer(&d);
    printf("\n%s\n", ok ? "All of it was seen to work."
                        : "FAILED: not all of it was seen to work.");
    return ok ? 0 : 1;
}
