/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "ipsec/lint.h"

/*
 * Policies as text: "LOCAL>REMOTE WORD..." with addresses as prefixes, or *;
 * ";" ends one. Words: tcp udp icmp icmp6; l80 l80-90 lO (OPAQUE), r80 ...;
 * bypass discard; in out; transport any; ah; p10 (priority), q5 (reqid), s1
 * (SPD); +esp +ah (a layer around it); frag, name.
 */

#define MAX 12

struct set {
    struct fx           fx;
    struct ipsec_policy p[MAX], outer[MAX];
    size_t              n;
};

static void
set_prefix(struct ipsec_selector *s, struct ipsec_prefix *prefix,
           const char *text)
{
    char copy[64];
    struct ipsec_addr a;
    char *slash;

    if (strcmp(text, "*") == 0) {
        return;
    }
    snprintf(copy, sizeof copy, "%s", text);
    slash = strchr(copy, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    a = addr(copy);
    s->version = a.version;
    memcpy(prefix->byte, a.byte, 16);
    prefix->bits = (uint8_t)(slash != NULL ? atoi(slash + 1)
                                           : a.version == 4 ? 32 : 128);
}

static void
set_ports(struct ipsec_selector *s, const char *text, int remote)
{
    int lo = 65535, hi = 0;

    if (text[0] != 'O' && sscanf(text, "%d-%d", &lo, &hi) == 1) {
        hi = lo;
    }
    s->set |= remote ? IPSEC_SEL_REMOTE_PORT : IPSEC_SEL_LOCAL_PORT;
    *(remote ? &s->remote_port_lo : &s->local_port_lo) = (uint16_t)lo;
    *(remote ? &s->remote_port_hi : &s->local_port_hi) = (uint16_t)hi;
}

static void
layer(struct ipsec_policy *p, struct ipsec_policy *outer, int proto)
{
    *outer = *p;
    outer->outer = NULL;
    outer->proto = (uint8_t)proto;
    outer->mode = IPSEC_MODE_TUNNEL;
    outer->reqid = 99;
    p->outer = outer;
}

static void
word(struct ipsec_policy *p, struct ipsec_policy *outer, const char *w)
{
    static const struct { const char *word; uint8_t proto; } protos[] = {
        { "tcp", 6 }, { "udp", 17 }, { "icmp", 1 }, { "icmp6", 58 }
    };
    size_t i;

    for (i = 0; i < COUNT(protos); i++) {
        if (strcmp(w, protos[i].word) == 0) {
            p->sel.proto = protos[i].proto;
            return;
        }
    }
    if (strcmp(w, "bypass") == 0) {
        p->action = IPSEC_ACTION_BYPASS;
    } else if (strcmp(w, "discard") == 0) {
        p->action = IPSEC_ACTION_DISCARD;
    } else if (strcmp(w, "in") == 0 || strcmp(w, "out") == 0) {
        p->dir = w[0] == 'i' ? IPSEC_IN : IPSEC_OUT;
    } else if (strcmp(w, "transport") == 0) {
        p->mode = IPSEC_MODE_TRANSPORT;
    } else if (strcmp(w, "any") == 0) {
        p->mode = p->proto = 0;
    } else if (strcmp(w, "ah") == 0) {
        p->proto = IPSEC_PROTO_AH;
    } else if (strcmp(w, "frag") == 0) {
        p->flags = IPSEC_POLICY_FRAGMENTS;
    } else if (w[0] == '+') {
        layer(p, outer, w[1] == 'a' ? IPSEC_PROTO_AH : IPSEC_PROTO_ESP);
    } else if (w[0] == 'p') {
        p->priority = (uint32_t)atoi(w + 1);
    } else if (w[0] == 'q') {
        p->reqid = (uint32_t)atoi(w + 1);
    } else if (w[0] == 's') {
        p->sel.spd_id = (uint8_t)atoi(w + 1);
    } else {
        assert_true(w[0] == 'l' || w[0] == 'r');
        set_ports(&p->sel, w + 1, w[0] == 'r');
    }
}

static void
policy(struct set *set, char *text)
{
    struct ipsec_policy *p = &set->p[set->n], *outer = &set->outer[set->n];
    char *arrow = strchr(text, '>'), *w, *next;

    p->action = IPSEC_ACTION_PROTECT;
    p->dir = IPSEC_IN | IPSEC_OUT;
    p->proto = IPSEC_PROTO_ESP;
    p->mode = IPSEC_MODE_TUNNEL;
    p->reqid = 1;
    assert_non_null(arrow);
    *arrow++ = '\0';
    next = strchr(arrow, ' ');
    while (next != NULL) {
        *next++ = '\0';
        w = next;
        next = strchr(w, ' ');
        if (next != NULL) {
            *next = '\0';
        }
        word(p, outer, w);
    }
    set_prefix(&p->sel, &p->sel.local, text);
    set_prefix(&p->sel, &p->sel.remote, arrow);
    assert_status(ipsec_spd_add(&set->fx.ips, p), IPSEC_OK);
    set->n++;
}

static void
build(struct set *set, const char *text, int tables)
{
    char copy[512], *at, *end;

    memset(set, 0, sizeof *set);
    fx_init(&set->fx, tables);
    snprintf(copy, sizeof copy, "%s", text);
    for (at = copy; *at != '\0'; at = end) {
        end = strchr(at, ';');
        if (end != NULL) {
            *end++ = '\0';
        } else {
            end = at + strlen(at);
        }
        policy(set, at + strspn(at, " "));
    }
}

/* What was found, and about whom. */
struct log {
    const struct set *ours, *theirs;
    size_t n, seen[IPSEC_LINT_COUNT];
    size_t ours_at[IPSEC_LINT_COUNT], theirs_at[IPSEC_LINT_COUNT]; /* from 1 */
};

static void
found(void *user, int finding, const struct ipsec_policy *ours,
      const struct ipsec_policy *theirs)
{
    struct log *log = user;

    assert_in_range(finding, 1, IPSEC_LINT_SA_DIR - 1);
    assert_in_range(ours - log->ours->p, 0, MAX - 1);
    log->n++;
    log->seen[finding]++;
    log->ours_at[finding] = (size_t)(ours - log->ours->p) + 1;
    log->theirs_at[finding] = theirs == NULL
        ? 0 : (size_t)(theirs - log->theirs->p) + 1;
}

struct row {
    const char *ours, *theirs;
    int         finding[3];     /* each once, and no other */
    size_t      ours_at, theirs_at; /* of the first; from 1 */
};

static void
expect(const struct log *log, const struct row *row, size_t n)
{
    size_t i, wanted = 0;

    for (i = 0; i < COUNT(row->finding) && row->finding[i] != 0; i++) {
        wanted++;
        if (log->seen[row->finding[i]] == 0) {
            print_error("\"%s\" / \"%s\": not found: %s\n", row->ours,
                        row->theirs != NULL ? row->theirs : "",
                        ipsec_lint_str(row->finding[i]));
            fail();
        }
    }
    for (i = 0; i < IPSEC_LINT_COUNT && n != wanted; i++) {
        if (log->seen[i] != 0) {
            print_error("\"%s\" / \"%s\": %zu x %s\n", row->ours,
                        row->theirs != NULL ? row->theirs : "", log->seen[i],
                        ipsec_lint_str((int)i));
        }
    }
    assert_int_equal(n, wanted);
    assert_int_equal(n, log->n);
    if (row->ours_at != 0) {
        assert_int_equal(log->ours_at[row->finding[0]], row->ours_at);
        assert_int_equal(log->theirs_at[row->finding[0]], row->theirs_at);
    }
}

#define NETS "10.1.0.0/16>10.2.0.0/16"
#define STEN "10.2.0.0/16>10.1.0.0/16"

static const struct row peers[] = {
    /* they can talk */
    { NETS, STEN, { 0 }, 0, 0 },
    { NETS " tcp r80", STEN " tcp l80", { 0 }, 0, 0 },
    { NETS " tcp l80 r1-9", STEN " tcp l1-9 r80", { 0 }, 0, 0 },
    { NETS " tcp lO", STEN " tcp rO", { 0 }, 0, 0 },
    { NETS " any", STEN " ah", { 0 }, 0, 0 },
    { NETS " ah +esp", STEN " ah +esp", { 0 }, 0, 0 },
    { NETS " icmp l2048", STEN " icmp l2048", { 0 }, 0, 0 },
    { NETS " icmp l2048", STEN " icmp r2048", { 0 }, 0, 0 },
    { NETS " out p1;" NETS " in p2", STEN, { 0 }, 0, 0 },
    { NETS, STEN " out p1;" STEN " in p2", { 0 }, 0, 0 },
    { NETS " s3", STEN " s4", { 0 }, 0, 0 },
    { "*>* udp l500 r500 bypass p1;*>* p9",
      "*>* udp l500 r500 bypass p1;*>* p9", { 0 }, 0, 0 },
    { "2001:db8:1::/48>2001:db8:2::/48", "2001:db8:2::/48>2001:db8:1::/48",
      { 0 }, 0, 0 },
    { "10.1.0.0/20>10.2.0.0/17", "10.2.0.0/17>10.1.0.0/20", { 0 }, 0, 0 },
    /* only what we protect is asked for */
    { NETS " bypass in", "", { 0 }, 0, 0 },
    { NETS " bypass out", "", { 0 }, 0, 0 },
    { NETS " bypass", STEN, { 0 }, 0, 0 },
    { "", STEN, { 0 }, 0, 0 },

    /* nothing there */
    { NETS, "", { IPSEC_LINT_NO_PEER }, 1, 0 },
    { NETS, "10.2.0.0/16>10.3.0.0/16", { IPSEC_LINT_NO_PEER }, 1, 0 },
    { NETS, "2001:db8:2::/48>2001:db8:1::/48", { IPSEC_LINT_NO_PEER }, 1, 0 },
    { NETS, "10.2.0.0/16>10.1.0.0/16 in", { IPSEC_LINT_PEER_ONE_WAY }, 1, 1 },
    { NETS " out", STEN " out", { IPSEC_LINT_PEER_ONE_WAY }, 1, 1 },
    { NETS " in", STEN " in", { IPSEC_LINT_PEER_ONE_WAY }, 1, 1 },
    { NETS, NETS, { IPSEC_LINT_COPIED }, 1, 1 },
    { NETS " tcp l80", STEN " tcp l80", { IPSEC_LINT_PORTS }, 1, 1 },
    { NETS " tcp r80", STEN " tcp l81", { IPSEC_LINT_PORTS }, 1, 1 },
    { NETS " tcp r80", STEN " tcp lO", { IPSEC_LINT_PORTS }, 1, 1 },
    { NETS " icmp l2048", STEN " icmp l0", { IPSEC_LINT_PORTS }, 1, 1 },
    { NETS " tcp", STEN " udp", { IPSEC_LINT_NEXT_PROTO }, 1, 1 },
    { NETS, "10.9.0.0/16>10.1.0.0/16;" STEN " in", { IPSEC_LINT_PEER_ONE_WAY },
      1, 2 },

    { "10.1.0.0/16>10.2.0.0/17", "10.2.128.0/17>10.1.0.0/16",
      { IPSEC_LINT_NO_PEER }, 1, 0 },
    { "10.1.0.0/16>10.2.0.0/17", "10.2.64.0/18>10.1.0.0/16",
      { IPSEC_LINT_WIDER }, 1, 1 },
    { NETS " out", "10.2.3.0/24>10.1.0.0/16 in", { IPSEC_LINT_WIDER }, 1, 1 },
    { NETS " in", "10.2.3.0/24>10.1.0.0/16 out", { IPSEC_LINT_WIDER }, 1, 1 },
    { NETS " out", STEN " in bypass", { IPSEC_LINT_PEER_BYPASS }, 1, 1 },
    { NETS " tcp r80", STEN " udp;" STEN " tcp l81 p9", { IPSEC_LINT_PORTS },
      1, 2 },
    { NETS " tcp r80", STEN " tcp l81;" STEN " udp p9", { IPSEC_LINT_PORTS },
      1, 1 },
    { NETS " tcp l1-65535", STEN " tcp rO", { IPSEC_LINT_PORTS }, 1, 1 },
    { NETS " tcp l0-65535", STEN " tcp", { IPSEC_LINT_NARROWER }, 1, 1 },

    /* something else there */
    { "*>* udp l500 bypass p1;*>* p9", "*>* udp l500 bypass p1;*>* p9",
      { IPSEC_LINT_PEER_BYPASS }, 2, 1 },
    { NETS, STEN " bypass", { IPSEC_LINT_PEER_BYPASS }, 1, 1 },
    { NETS, STEN " discard", { IPSEC_LINT_PEER_DISCARD }, 1, 1 },
    { NETS, STEN " p5;*>* bypass p1", { IPSEC_LINT_PEER_BYPASS }, 1, 2 },
    { NETS, STEN " p5;*>* bypass p9", { 0 }, 0, 0 },
    { NETS, "*>* bypass p1 out;" STEN " p5",
      { IPSEC_LINT_PEER_BYPASS }, 1, 1 },
    { NETS, "10.2.3.0/24>10.1.0.0/16 bypass p1;" STEN " p5",
      { IPSEC_LINT_PEER_BYPASS }, 1, 1 },
    { NETS " p5", STEN " tcp discard p1;" STEN " p5",
      { IPSEC_LINT_PEER_DISCARD }, 1, 1 },
    { NETS " p5;" NETS " tcp discard p1",
      STEN " tcp discard p1;" STEN " p5", { 0 }, 0, 0 },
    { NETS " p1;" NETS " tcp discard p5",
      STEN " tcp discard p1;" STEN " p5", { IPSEC_LINT_PEER_DISCARD }, 1, 1 },
    { NETS, "10.2.3.0/24>10.1.0.0/16", { IPSEC_LINT_WIDER }, 1, 1 },
    { NETS, STEN " tcp", { IPSEC_LINT_WIDER }, 1, 1 },
    { NETS, "10.2.0.0/15>10.1.0.0/16", { IPSEC_LINT_NARROWER }, 1, 1 },
    { NETS, "*>*", { IPSEC_LINT_NARROWER }, 1, 1 },
    { NETS " tcp l80", STEN " tcp", { IPSEC_LINT_NARROWER }, 1, 1 },
    { NETS, "10.2.3.0/24>10.0.0.0/8", { IPSEC_LINT_OVERLAP }, 1, 1 },
    { NETS " tcp l80-90", STEN " tcp r85-99", { IPSEC_LINT_OVERLAP }, 1, 1 },
    { NETS " p5;*>* p9", STEN " p5;*>* p9", { 0 }, 0, 0 },

    /* in another way */
    { NETS, STEN " ah", { IPSEC_LINT_PROTO }, 1, 1 },
    { NETS, STEN " transport", { IPSEC_LINT_MODE }, 1, 1 },
    { NETS " +esp", STEN, { IPSEC_LINT_LAYERS }, 1, 1 },
    { NETS, STEN " +esp", { IPSEC_LINT_LAYERS }, 1, 1 },
    { NETS " +esp", STEN " +ah", { IPSEC_LINT_PROTO }, 1, 1 },
    { NETS " ah +esp", STEN " +ah", { IPSEC_LINT_PROTO, 0 }, 0, 0 },
    { NETS " frag", STEN, { IPSEC_LINT_FRAGMENTS }, 1, 1 },
    { NETS, "10.2.0.0/15>10.1.0.0/16 ah transport",
      { IPSEC_LINT_NARROWER, IPSEC_LINT_PROTO, IPSEC_LINT_MODE }, 1, 1 }
};

static void
run_peer(const struct row *row, int tables)
{
    static struct set ours, theirs;
    struct log log = { &ours, &theirs, 0, { 0 }, { 0 }, { 0 } };

    build(&ours, row->ours, tables);
    build(&theirs, row->theirs, tables);
    expect(&log, row, ipsec_lint_peer(&ours.fx.ips, &theirs.fx.ips, found,
                                      &log));
    assert_int_equal(ipsec_lint_peer(&ours.fx.ips, &theirs.fx.ips, NULL, NULL),
                     log.n);
}

/* RFC 4301 section 4.4.1: "local" here is "remote" there. */
static void
test_lint_peer_says_why_they_cant_talk(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(peers); i++) {
        run_peer(&peers[i], 0);
        run_peer(&peers[i], 1);
    }
}

/* A pair that can talk, can when seen from the other side. */
static void
test_lint_peer_of_a_good_pair_is_quiet_from_both_sides(void **state)
{
    struct row row = { 0 };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(peers); i++) {
        if (peers[i].finding[0] == 0 &&
            strstr(peers[i].ours, "bypass") == NULL &&
            strstr(peers[i].theirs, "bypass") == NULL &&
            peers[i].ours[0] != '\0') {
            row.ours = peers[i].theirs;
            row.theirs = peers[i].ours;
            run_peer(&row, 0);
        }
    }
}

#define IKE "*>* udp l500 bypass p0;*>* udp l4500 bypass p0;"

static const struct row sets[] = {
    { NETS, NULL, { 0 }, 0, 0 },
    { NETS " p5;*>* discard p9", NULL, { 0 }, 0, 0 },

    { NETS " p5;*>* p1 icmp;*>* discard p4", NULL, { IPSEC_LINT_SHADOWED }, 1,
      3 },
    { NETS " p5;" NETS " p5", NULL, { IPSEC_LINT_SHADOWED }, 2, 1 },
    { "*>* bypass p5;*>* discard p1", NULL, { IPSEC_LINT_SHADOWED }, 1, 2 },
    { NETS " p5;*>* discard p1 in", NULL, { 0 }, 0, 0 },
    { NETS " p5;*>* discard p1 s1", NULL, { 0 }, 0, 0 },

    { NETS " out", NULL, { IPSEC_LINT_ONE_WAY }, 1, 0 },
    { NETS " in", NULL, { IPSEC_LINT_ONE_WAY }, 1, 0 },
    { NETS " in;" NETS " out", NULL, { 0 }, 0, 0 },
    { NETS " in;10.1.0.0/16>10.2.3.0/24 out", NULL, { IPSEC_LINT_ONE_WAY }, 1,
      0 },

    { NETS " q0", NULL, { IPSEC_LINT_NO_IKE }, 1, 0 },
    { IKE NETS " q0 p5", NULL, { 0 }, 0, 0 },
    { "*>* udp l500 bypass p0;" NETS " q0 p5", NULL, { IPSEC_LINT_NO_IKE }, 2,
      0 },
    { "*>* udp l500 bypass out;*>* udp l4500 bypass;" NETS " q0 p5", NULL,
      { IPSEC_LINT_NO_IKE }, 3, 0 },
    { NETS " tcp q0;*>* udp bypass p9", NULL, { 0 }, 0, 0 },
    { NETS " udp q0;*>* udp bypass p9", NULL, { IPSEC_LINT_NO_IKE }, 1, 0 },
    { NETS " tcp q0;*>* bypass p9", NULL, { 0 }, 0, 0 },

    { "*>*", NULL, { IPSEC_LINT_NO_ND }, 1, 0 },
    { "*>* icmp6", NULL, { IPSEC_LINT_NO_ND }, 1, 0 },
    { "*>* icmp6 l34048-35327 bypass p0;*>* p5", NULL, { 0 }, 0, 0 },
    { "*>* icmp6 l34048-35327 bypass p6;*>* p5", NULL,
      { IPSEC_LINT_NO_ND, IPSEC_LINT_SHADOWED }, 2, 0 },
    { "*>* tcp", NULL, { 0 }, 0, 0 },

    { NETS " tcp l80", NULL, { IPSEC_LINT_PORT_FRAGMENTS }, 1, 0 },
    { NETS " tcp l80 frag", NULL, { 0 }, 0, 0 },
    { NETS " icmp l2048", NULL, { 0 }, 0, 0 },
    { NETS " tcp l80;" NETS " tcp p9", NULL, { 0 }, 0, 0 },
    { NETS " tcp l80;" NETS " tcp lO p9", NULL, { 0 }, 0, 0 },
    { NETS " tcp l80;" NETS " tcp lO p9 in", NULL,
      { IPSEC_LINT_PORT_FRAGMENTS, IPSEC_LINT_ONE_WAY }, 1, 0 },
    { NETS " tcp l80;10.1.0.0/24>10.2.0.0/16 tcp p9 q2", NULL,
      { IPSEC_LINT_PORT_FRAGMENTS }, 1, 0 },
    { NETS " tcp l80;" NETS " tcp lO rO p9", NULL, { 0 }, 0, 0 },
    { "10.1.0.0/16>10.2.0.1 tcp l80 transport", NULL, { 0 }, 0, 0 },

    { "10.1.0.0/24>10.2.0.0/24;10.1.1.0/24>10.2.1.0/24", NULL,
      { IPSEC_LINT_MIX }, 0, 0 },
    { "10.1.0.0/24>10.2.0.0/24;10.1.1.0/24>10.2.1.0/24 q2", NULL, { 0 }, 0,
      0 },
    { "10.1.0.0/24>10.2.0.0/24;10.1.1.0/24>10.2.0.0/24", NULL, { 0 }, 0, 0 },
    { "10.1.0.0/24>10.2.0.0/24;10.1.1.0/24>10.2.1.0/24;"
      "10.1.0.0/24>10.2.1.0/24;10.1.1.0/24>10.2.0.0/24", NULL, { 0 }, 0, 0 },
    { "10.1.0.1>10.2.0.1 tcp l80 r1 transport;"
      "10.1.0.1>10.2.0.1 tcp l81 r2 transport", NULL, { IPSEC_LINT_MIX }, 0,
      0 },
    { "10.1.0.1>10.2.0.1 tcp l80 transport;"
      "10.1.0.1>10.2.0.1 udp l53 transport", NULL, { 0 }, 0, 0 },

    { "10.1.0.1>10.2.0.1 tcp l80 r1 transport;"
      "10.1.0.1>10.2.0.1 tcp l81 r2 transport;"
      "10.1.0.1>10.2.0.1 tcp l80 r2 transport;"
      "10.1.0.1>10.2.0.1 tcp l81 r1 transport", NULL, { 0 }, 0, 0 },
    { "10.1.0.0/24>10.2.0.0/24;10.1.1.0/24>10.2.1.0/24;"
      "10.1.0.0/24>10.2.1.0/24", NULL, { IPSEC_LINT_MIX }, 0, 0 },

    { NETS " ah +esp", NULL, { IPSEC_LINT_AH_ESP }, 1, 0 },
    { NETS " any +esp", NULL, { 0 }, 0, 0 },
    { NETS " +ah", NULL, { IPSEC_LINT_AH_ESP }, 1, 0 },
    { NETS " +esp", NULL, { 0 }, 0, 0 },

    { NETS " transport", NULL, { IPSEC_LINT_TRANSPORT_NET }, 1, 0 },
    { IKE NETS " transport q0 p5", NULL, { 0 }, 0, 0 },
    { "2001:db8::1>2001:db8:2::/64 transport", NULL,
      { IPSEC_LINT_TRANSPORT_NET }, 1, 0 },
    { "10.1.0.0/16>10.2.0.1 transport", NULL, { 0 }, 0, 0 },
    { "2001:db8::1>2001:db8::2 transport", NULL, { 0 }, 0, 0 }
};

/* RFC 4301 sections 4.4.1.2 and 7, RFC 8221 section 4. */
static void
test_lint_spd_says_what_users_trip_over(void **state)
{
    static struct set ours;
    size_t i;
    int tables;

    (void)state;
    for (i = 0; i < 2 * COUNT(sets); i++) {
        struct log log = { &ours, &ours, 0, { 0 }, { 0 }, { 0 } };

        tables = i >= COUNT(sets);
        build(&ours, sets[i % COUNT(sets)].ours, tables);
        expect(&log, &sets[i % COUNT(sets)],
               ipsec_lint_spd(&ours.fx.ips, found, &log));
        assert_int_equal(ipsec_lint_spd(&ours.fx.ips, NULL, NULL), log.n);
    }
}

/* attacks.md 175 asks for an answer to acquire: somebody must listen. */
static void
test_lint_spd_misses_sas_and_listeners(void **state)
{
    static const struct row none = { IKE NETS " q0 p5", NULL,
                                     { IPSEC_LINT_NO_ACQUIRE }, 3, 0 };
    static const struct row sa = { NETS " q7", NULL, { IPSEC_LINT_NO_SA }, 1,
                                   0 };
    static const struct row quiet = { NETS " in q7;" NETS " out q1", NULL,
                                      { 0 }, 0, 0 };
    static const struct row *const rows[] = { &none, &sa, &quiet };
    static struct set ours;
    static struct fx_sa out;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        struct log log = { &ours, &ours, 0, { 0 }, { 0 }, { 0 } };

        build(&ours, rows[i]->ours, 0);
        ours.fx.cfg.acquire = NULL;
        fx_sa_set(&out, &suites[CBC128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x1000,
                  "192.0.2.1", "192.0.2.2");
        assert_status(fx_sa_add(&ours.fx, &out), IPSEC_OK);
        expect(&log, rows[i], ipsec_lint_spd(&ours.fx.ips, found, &log));
    }
}

static void
test_lint_spd_knows_an_sa_of_the_wrong_kind(void **state)
{
    static const struct row row = { NETS " ah", NULL, { IPSEC_LINT_SA_KIND },
                                    1, 0 };
    static struct set ours;
    static struct fx_sa out;
    struct log log = { &ours, &ours, 0, { 0 }, { 0 }, { 0 } };
    struct ipsec_sa larval = { 0 };

    (void)state;
    build(&ours, row.ours, 0);
    assert_status(ipsec_sad_reserve(&ours.fx.ips, &larval, IPSEC_OUT,
                                    IPSEC_PROTO_ESP, 1, 9), IPSEC_OK);
    assert_int_equal(ipsec_lint_spd(&ours.fx.ips, NULL, NULL), 0);
    fx_sa_set(&out, &suites[CBC128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x1000,
              "192.0.2.1", "192.0.2.2");
    assert_status(fx_sa_add(&ours.fx, &out), IPSEC_OK);
    expect(&log, &row, ipsec_lint_spd(&ours.fx.ips, found, &log));
}

/* A policy for a name matches no packet (RFC 4301 section 4.4.1.1): put in
 * by hand, whether or not this build's SPD takes it. */
static void
test_lint_leaves_names_out(void **state)
{
    static struct set ours, theirs;

    (void)state;
    build(&ours, NETS " p5", 0);
    build(&theirs, STEN " bypass p1;" STEN " p5", 0);
    assert_int_equal(ipsec_lint_peer(&ours.fx.ips, &theirs.fx.ips, NULL,
                                     NULL), 1);
    theirs.p[0].sel.set |= IPSEC_SEL_NAME;
    assert_int_equal(ipsec_lint_peer(&ours.fx.ips, &theirs.fx.ips, NULL,
                                     NULL), 0);
    assert_int_equal(ipsec_lint_spd(&theirs.fx.ips, NULL, NULL), 0);
    build(&ours, NETS " p5;" NETS " p9", 0);
    ours.p[1].sel.set |= IPSEC_SEL_NAME;
    assert_int_equal(ipsec_lint_spd(&ours.fx.ips, NULL, NULL), 0);
    ours.p[0].sel.set |= IPSEC_SEL_NAME;
    theirs.p[1].sel.set |= IPSEC_SEL_NAME;
    assert_int_equal(ipsec_lint_peer(&ours.fx.ips, &theirs.fx.ips, NULL,
                                     NULL), 0);
}

/* What another policy takes one way is no finding that way, and hides none of
 * the other way. */
static void
test_lint_leaves_out_what_is_hidden_one_way(void **state)
{
    static struct set ours, theirs;
    struct log log = { &ours, &theirs, 0, { 0 }, { 0 }, { 0 } };

    (void)state;
    build(&ours, NETS " discard out p1;" NETS " p5", 0);
    build(&theirs, STEN " discard in p1;" STEN " p5", 0);
    assert_int_equal(ipsec_lint_peer(&ours.fx.ips, &theirs.fx.ips, found,
                                     &log), 0);
    assert_int_equal(ipsec_lint_peer(&theirs.fx.ips, &ours.fx.ips, found,
                                     &log), 0);
    build(&theirs, STEN " discard in p1;" STEN " bypass p5", 0);
    log.theirs = &theirs;
    assert_int_equal(ipsec_lint_peer(&ours.fx.ips, &theirs.fx.ips, found,
                                     &log), 1);
    assert_int_equal(log.seen[IPSEC_LINT_PEER_BYPASS], 1);
    build(&theirs, "10.9.0.0/16>10.1.0.0/16", 0);
    assert_int_equal(ipsec_lint_peer(&ours.fx.ips, &theirs.fx.ips, found,
                                     &log), 1);
    assert_int_equal(log.seen[IPSEC_LINT_NO_PEER], 1);
}

/* OPAQUE as a protocol is apart from each that can be seen. */
static void
test_lint_tells_an_opaque_protocol(void **state)
{
    static struct set ours, theirs;
    struct log log = { &ours, &theirs, 0, { 0 }, { 0 }, { 0 } };

    (void)state;
    build(&ours, "2001:db8:1::/48>2001:db8:2::/48", 0);
    build(&theirs, "2001:db8:2::/48>2001:db8:1::/48 tcp", 0);
    ours.p[0].sel.set |= IPSEC_SEL_PROTO_OPAQUE;
    assert_int_equal(ipsec_lint_peer(&ours.fx.ips, &theirs.fx.ips, found,
                                     &log), 1);
    assert_int_equal(log.seen[IPSEC_LINT_NEXT_PROTO], 1);
    theirs.p[0].sel.proto = 0;
    ipsec_lint_peer(&ours.fx.ips, &theirs.fx.ips, found, &log);
    assert_int_equal(log.seen[IPSEC_LINT_NARROWER], 1);
    theirs.p[0].sel.set |= IPSEC_SEL_PROTO_OPAQUE;
    assert_int_equal(ipsec_lint_peer(&ours.fx.ips, &theirs.fx.ips, found,
                                     &log), 0);
}

/* SAs */

static struct fx_sa out, in;
static struct ipsec_lifetime life;

static void c_none(void) { }
static void c_dir(void) { in.params.dir = IPSEC_OUT; }
static void c_spi(void) { in.params.spi++; }
static void c_proto(void) { in.params.proto = IPSEC_PROTO_AH; }
static void c_mode(void) { in.params.mode = IPSEC_MODE_TRANSPORT; }
static void c_mode_any(void) { in.params.mode = IPSEC_MODE_ANY; }
static void c_encr(void) { in.params.km.encr = IPSEC_ENCR_AES_CTR; }
static void c_integ(void) { in.params.km.integ = IPSEC_INTEG_AES_CMAC_96; }
static void c_len(void) { in.params.km.encr_key_len = 24; }
static void c_integ_len(void) { in.params.km.integ_key_len = 20; }
static void c_key(void) { in.material[15] ^= 1; }
static void c_mac_key(void) { in.material[36 + 31] ^= 1; }
static void c_past_key(void) { in.material[16] ^= 1; }
static void c_no_key(void) { in.params.km.encr_key = NULL; }
static void c_esn(void) { in.params.flags |= IPSEC_SA_ESN; }
static void c_addr(void) { in.params.local = addr("192.0.2.77"); }
static void c_addr2(void) { in.params.remote = addr("192.0.2.77"); }

static void
c_nat_ah(void)
{
    in.params.proto = out.params.proto = IPSEC_PROTO_AH;
    c_addr();
}

static void
c_align(void)
{
    in.params.proto = out.params.proto = IPSEC_PROTO_AH;
    in.params.flags |= IPSEC_SA_AH_ALIGN8;
}

static void c_align_esp(void) { in.params.flags |= IPSEC_SA_AH_ALIGN8; }

static void
c_udp(void)
{
    out.params.local_port = 4500;
    out.params.remote_port = 4501;
    in.params.local_port = 4501;
    in.params.remote_port = 4500;
}

static void c_udp_one(void) { c_udp(); in.params.local_port = 0;
                              in.params.remote_port = 0; }
static void c_udp_other(void) { c_udp(); in.params.remote_port = 4502; }
static void c_udp_local(void) { c_udp(); in.params.local_port = 4502; }
static void c_udp_nat(void) { c_udp_other(); c_addr2(); }

static void
c_esn_no_replay(void)
{
    out.params.flags |= IPSEC_SA_ESN;
    in.params.flags |= IPSEC_SA_ESN | IPSEC_SA_NO_REPLAY;
}

static void c_rollover(void) { out.params.flags |= IPSEC_SA_ROLLOVER; }
static void c_rollover_ok(void) { c_rollover();
                                  in.params.flags |= IPSEC_SA_NO_REPLAY; }
static void c_seq(void) { out.params.seq = 4; in.params.seq = 5; }
static void c_seq_ok(void) { out.params.seq = in.params.seq = 5; }
static void c_seq_free(void) { c_seq();
                               in.params.flags |= IPSEC_SA_NO_REPLAY; }
static void c_life(void) { life.hard_s = 60; in.params.life = &life; }
static void c_life_same(void) { c_life(); out.params.life = &life; }
static void c_life_none(void) { in.params.life = &life;
                                out.params.life = &life; }

static void
c_life_longer(void)
{
    c_life();
    out.life.hard_s = 61;
    out.params.life = &out.life;
}

static void c_life_open(void) { c_life(); out.params.life = &out.life; }

#define BIT(finding) (1u << ((finding) - IPSEC_LINT_SA_DIR))

static const struct { void (*change)(void); uint32_t set; } ends[] = {
    { c_none, 0 },
    { c_dir, BIT(IPSEC_LINT_SA_DIR) },
    { c_spi, BIT(IPSEC_LINT_SA_SPI) },
    { c_proto, BIT(IPSEC_LINT_SA_PROTO) },
    { c_mode, BIT(IPSEC_LINT_SA_MODE) },
    { c_mode_any, 0 },
    { c_encr, BIT(IPSEC_LINT_SA_ALG) },
    { c_integ, BIT(IPSEC_LINT_SA_ALG) },
    { c_len, BIT(IPSEC_LINT_SA_ALG) },
    { c_integ_len, BIT(IPSEC_LINT_SA_ALG) },
    { c_key, BIT(IPSEC_LINT_SA_KEY) },
    { c_mac_key, BIT(IPSEC_LINT_SA_KEY) },
    { c_past_key, 0 },
    { c_no_key, BIT(IPSEC_LINT_SA_KEY) },
    { c_esn, BIT(IPSEC_LINT_SA_ESN) },
    { c_addr, BIT(IPSEC_LINT_SA_ADDR) },
    { c_addr2, BIT(IPSEC_LINT_SA_ADDR) },
    { c_nat_ah, BIT(IPSEC_LINT_SA_NAT_AH) },
    { c_align, BIT(IPSEC_LINT_SA_ALIGN8) },
    { c_align_esp, 0 },
    { c_udp, 0 },
    { c_udp_one, BIT(IPSEC_LINT_SA_ENCAP) },
    { c_udp_other, BIT(IPSEC_LINT_SA_ENCAP) },
    { c_udp_local, BIT(IPSEC_LINT_SA_ENCAP) },
    { c_udp_nat, 0 },
    { c_esn_no_replay, BIT(IPSEC_LINT_SA_ESN_NO_REPLAY) },
    { c_rollover, BIT(IPSEC_LINT_SA_ROLLOVER) },
    { c_rollover_ok, 0 },
    { c_seq, BIT(IPSEC_LINT_SA_SEQ) },
    { c_seq_ok, 0 },
    { c_seq_free, 0 },
    { c_life, BIT(IPSEC_LINT_SA_LIFE) },
    { c_life_same, 0 },
    { c_life_none, 0 },
    { c_life_longer, BIT(IPSEC_LINT_SA_LIFE) },
    { c_life_open, BIT(IPSEC_LINT_SA_LIFE) }
};

/* Conformance P-3.3.3-4 among them: no ESN when replay is off. */
static void
test_lint_sa_compares_both_ends(void **state)
{
    size_t i;
    uint32_t set;

    (void)state;
    for (i = 0; i < COUNT(ends); i++) {
        memset(&life, 0, sizeof life);
        fx_sa_set(&out, &suites[CBC128], IPSEC_OUT, IPSEC_MODE_TUNNEL, 0x1000,
                  "192.0.2.1", "192.0.2.2");
        fx_sa_set(&in, &suites[CBC128], IPSEC_IN, IPSEC_MODE_TUNNEL, 0x1000,
                  "192.0.2.2", "192.0.2.1");
        ends[i].change();
        set = ipsec_lint_sa(&out.params, &in.params);
        fx_note("row %zu", i);
        if (set != ends[i].set) {
            print_error("row %zu: %#x\n", i, (unsigned)set);
        }
        assert_int_equal(set, ends[i].set);
        assert_int_equal(ipsec_lint_sa(&in.params, &out.params), set);
    }
    assert_true(IPSEC_LINT_HAS(BIT(IPSEC_LINT_SA_ESN), IPSEC_LINT_SA_ESN));
    assert_false(IPSEC_LINT_HAS(BIT(IPSEC_LINT_SA_ESN), IPSEC_LINT_SA_KEY));
}

/* attacks.md 166: one key in both directions, in a counter mode. */
static void
test_lint_keys_refuses_one_key_both_ways(void **state)
{
    static const struct { int a, b; int differ; uint32_t set; } rows[] = {
        { GCM128, GCM128, -1, BIT(IPSEC_LINT_SA_SAME_KEY) },
        { CTR128_SHA256, CTR128_SHA256, -1, BIT(IPSEC_LINT_SA_SAME_KEY) },
        { GMAC128, GMAC128, -1, BIT(IPSEC_LINT_SA_SAME_KEY) },
        { CHACHA, CHACHA, -1, BIT(IPSEC_LINT_SA_SAME_KEY) },
        { GCM128, GCM128, 0, 0 },
        { GCM128, GCM128, 19, 0 }, /* salts differ */
        { GCM128, GCM128, 20, BIT(IPSEC_LINT_SA_SAME_KEY) }, /* behind it */
        { CBC128, CBC128, -1, 0 },
        { GCM128, GCM192, -1, 0 },
        { GCM128, CCM8_128, -1, 0 }
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        fx_sa_set(&out, &suites[rows[i].a], IPSEC_OUT, IPSEC_MODE_TUNNEL,
                  0x1000, "192.0.2.1", "192.0.2.2");
        fx_sa_set(&in, &suites[rows[i].b], IPSEC_IN, IPSEC_MODE_TUNNEL, 0x1000,
                  "192.0.2.1", "192.0.2.2");
        if (rows[i].differ >= 0) {
            in.material[rows[i].differ] ^= 0x80;
        }
        fx_note("row %zu", i);
        assert_int_equal(ipsec_lint_keys(&out.params, &in.params),
                         rows[i].set);
    }
    in.params.km.encr = out.params.km.encr = 999; /* unknown: not ours to say */
    assert_int_equal(ipsec_lint_keys(&out.params, &in.params), 0);
}

/* Of AH the MAC has the key: GMAC's is a counter mode's (RFC 4543). And the
 * mode does not have to be the same one: with one key and one salt, GCM, its
 * short tags, GMAC and AH's GMAC make one nonce of one number. */
static void
test_lint_keys_of_ah_are_the_macs(void **state)
{
    static const struct { uint16_t encr, other; int differ; uint32_t set; }
    rows[] = {
        { 0, 0, -1, BIT(IPSEC_LINT_SA_SAME_KEY) },
        { 0, 0, 36, 0 },
        { 0, 0, 55, 0 },
        { 0, IPSEC_ENCR_NULL, -1, 0 },
        { 0, IPSEC_ENCR_AES_GCM_16, -1, BIT(IPSEC_LINT_SA_SAME_KEY) },
        { 0, IPSEC_ENCR_AES_GCM_16, 36, 0 },
        { IPSEC_ENCR_AES_GCM_16, IPSEC_ENCR_AES_GCM_8, -1,
          BIT(IPSEC_LINT_SA_SAME_KEY) },
        { IPSEC_ENCR_AES_GCM_16, IPSEC_ENCR_AES_GCM_16_IIV, -1,
          BIT(IPSEC_LINT_SA_SAME_KEY) },
        { IPSEC_ENCR_AES_GCM_8, IPSEC_ENCR_NULL_AES_GMAC, -1,
          BIT(IPSEC_LINT_SA_SAME_KEY) },
        { IPSEC_ENCR_NULL, IPSEC_ENCR_NULL, -1, 0 }
    };
    struct ipsec_keymat *km[2] = { &out.params.km, &in.params.km };
    size_t i, j;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        for (j = 0; j < 2; j++) {
            struct fx_sa *s = j ? &in : &out;
            uint16_t encr = j ? rows[i].other : rows[i].encr;

            if (encr == 0) {
                /* AH, its 16 bytes of key and 4 of salt */
                fx_sa_set(s, &suites[NULL_SHA256], j ? IPSEC_IN : IPSEC_OUT,
                          IPSEC_MODE_TUNNEL, 0x1000, "192.0.2.1",
                          "192.0.2.2");
                s->params.proto = IPSEC_PROTO_AH;
                km[j]->integ = IPSEC_INTEG_AES_GMAC_128;
                km[j]->integ_key_len = 20;
            } else {
                fx_sa_set(s, &suites[encr == IPSEC_ENCR_NULL ? NULL_SHA256
                                                             : GCM128],
                          j ? IPSEC_IN : IPSEC_OUT, IPSEC_MODE_TUNNEL,
                          0x1000, "192.0.2.1", "192.0.2.2");
                km[j]->encr = encr;
                if (encr != IPSEC_ENCR_NULL) {
                    km[j]->encr_key = s->material + 36;
                }
            }
        }
        if (rows[i].differ >= 0) {
            in.material[rows[i].differ] ^= 0x80;
        }
        fx_note("row %zu", i);
        assert_int_equal(ipsec_lint_keys(&out.params, &in.params),
                         rows[i].set);
        assert_int_equal(ipsec_lint_keys(&in.params, &out.params),
                         rows[i].set);
    }
}

static void
test_lint_str_has_a_sentence_for_each(void **state)
{
    int i, j;

    (void)state;
    for (i = 1; i < IPSEC_LINT_COUNT; i++) {
        assert_true(strlen(ipsec_lint_str(i)) > 20);
        for (j = 1; j < i; j++) {
            assert_string_not_equal(ipsec_lint_str(i), ipsec_lint_str(j));
        }
    }
    assert_string_equal(ipsec_lint_str(0), "?");
    assert_string_equal(ipsec_lint_str(-1), "?");
    assert_string_equal(ipsec_lint_str(IPSEC_LINT_COUNT), "?");
    assert_non_null(strstr(ipsec_lint_str(IPSEC_LINT_SA_SAME_KEY), "nonces"));
    assert_non_null(strstr(ipsec_lint_str(IPSEC_LINT_AH_ESP), "8221"));
    assert_non_null(strstr(ipsec_lint_str(IPSEC_LINT_SA_NAT_AH), "3715"));
    assert_non_null(strstr(ipsec_lint_str(IPSEC_LINT_NO_PEER), "mirror"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lint_peer_says_why_they_cant_talk),
        cmocka_unit_test(
            test_lint_peer_of_a_good_pair_is_quiet_from_both_sides),
        cmocka_unit_test(test_lint_spd_says_what_users_trip_over),
        cmocka_unit_test(test_lint_spd_misses_sas_and_listeners),
        cmocka_unit_test(test_lint_spd_knows_an_sa_of_the_wrong_kind),
        cmocka_unit_test(test_lint_leaves_names_out),
        cmocka_unit_test(test_lint_leaves_out_what_is_hidden_one_way),
        cmocka_unit_test(test_lint_tells_an_opaque_protocol),
        cmocka_unit_test(test_lint_sa_compares_both_ends),
        cmocka_unit_test(test_lint_keys_refuses_one_key_both_ways),
        cmocka_unit_test(test_lint_keys_of_ah_are_the_macs),
        cmocka_unit_test(test_lint_str_has_a_sentence_for_each)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
