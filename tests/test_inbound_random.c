/* SPDX-License-Identifier: MIT */
#include "fake/icmp.h"
#include "fake/natt.h"

/*
 * What arrives is anything: layers of all kinds in any order, cut, changed,
 * repeated, sent from elsewhere, in the engine together; and every callback,
 * as anybody between two calls, removes, moves, quarantines and adds SAs, and
 * frees their memory at once. Each packet still ends in one verdict, one
 * counter and, if dropped, one audit event; what passes came over the SAs that
 * policy asks for; nothing stays held.
 */

#define SAS 8
#define POLICIES 6
#define FLIGHTS 12
#define OLD 16
#define STEPS 30000

static const char *const us[] = { "10.0.0.1", "10.0.0.2", "fd00::1",
                                  "239.1.1.1", "ff02::7" };
static const char *const them[] = { "192.0.2.1", "192.0.2.2", "fd00::9" };
static const int kinds[] = { CBC128, GCM128, NULL_SHA256, GMAC128,
                             CTR128_SHA256, GCM_IIV128 };

struct slot {
    struct fx_sa *in;    /* at B, from the heap; NULL: none */
    struct fx_sa  out;   /* at A */
};

/* A layer as it was put on, and what is inside it. */
struct layer {
    uint32_t          reqid;
    uint8_t           mode, proto;
    struct ipsec_flow flow;
};

struct sent {
    uint8_t      wire[2048];
    size_t       len, layers;
    struct layer layer[16]; /* the innermost first */
};

struct trip {
    struct fx_pkt p;
    struct sent   sent;
    size_t        counted, audited; /* before */
    int           busy, spoilt;
    unsigned      before;           /* changes */
};

static struct fx a, b, dice_of;
static struct slot slot[SAS];
static struct fx_sa *dying[64];
static struct ipsec_policy pa, pol[POLICIES], chain[POLICIES];
static struct trip trip[FLIGHTS];
static struct sent old[OLD];
static struct ipsec_frag frag;
static struct ipsec_frag_slot frag_slot[3];
static unsigned changes; /* of SAD and SPD */
static size_t verdicts[2 * IPSEC_DROP_COUNT], mapped, checked;
static int depth;

static uint32_t
dice(uint32_t n)
{
    uint32_t r;

    fx_random(&dice_of, &r, sizeof r);
    return r % n;
}

static void
give_back(struct ipsec_sa *sa)
{
    size_t i;

    for (i = 0; i < COUNT(dying); i++) {
        if (dying[i] != NULL && &dying[i]->sa == sa) {
            assert_int_equal(sa->in_flight, 0);
            memset(dying[i], 0xdd, sizeof *dying[i]);
            free(dying[i]);
            dying[i] = NULL;
            return;
        }
    }
    fail_msg("released what was not removed");
}

static void
sa_end(struct slot *s, int rc)
{
    size_t i;

    changes++;
    for (i = 0; dying[i] != NULL; i++) {
        assert_true(i + 1 < COUNT(dying));
    }
    dying[i] = s->in;
    s->in = NULL;
    if (rc == IPSEC_OK) {
        give_back(&dying[i]->sa);
    } else {
        assert_status(rc, IPSEC_PENDING);
        assert_true(dying[i]->sa.in_flight > 0);
    }
}

static void
flags_roll(struct ipsec_sa_params *q, int group)
{
    q->flags |= dice(4) == 0 ? IPSEC_SA_NO_REPLAY : 0;
    q->flags |= dice(4) == 0 ? IPSEC_SA_ENCAP_ONLY : 0;
    q->flags |= dice(2) == 0 ? IPSEC_SA_NAT_CSUM : 0;
    q->flags |= dice(4) == 0 ? IPSEC_SA_AH_ALIGN8 : 0;
    if (group) {
        q->flags |= IPSEC_SA_MULTICAST;
        q->flags |= dice(2) ? IPSEC_SA_MATCH_REMOTE : IPSEC_SA_NO_REPLAY;
    }
}

/* A new pair of SAs. */
static void
sa_roll(struct slot *s)
{
    uint32_t spi = 0x1000 + (uint32_t)(s - slot);
    size_t u = dice(COUNT(us)), t;
    int mode = 1 + (int)dice(2), group = u >= 3;
    const struct suite *suite = &suites[kinds[dice(COUNT(kinds))]];
    struct fx_sa *in;

    if (s->in != NULL) {
        return;
    }
    t = u == 2 || u == 4 ? 2 : dice(2);
    in = s->in = calloc(1, sizeof *s->in);
    assert_non_null(in);
    if (s->out.sa.state != IPSEC_SA_NONE) {
        (void)ipsec_sad_remove(&a.ips, &s->out.sa);
    }
    fx_sa_set(in, suite, IPSEC_IN, mode, spi, us[u], them[t]);
    in->params.reqid = spi - 0x1000 + 1;
    if (dice(3) == 0) {
        in->params.proto = IPSEC_PROTO_AH;
        in->params.km.encr = IPSEC_ENCR_NULL;
        in->params.km.encr_key_len = 0;
        in->params.km.encr_key = NULL;
        in->params.km.integ = dice(2) ? IPSEC_INTEG_HMAC_SHA2_256_128
                                      : IPSEC_INTEG_AES_GMAC_128;
        in->params.km.integ_key_len = in->params.km.integ ==
            IPSEC_INTEG_AES_GMAC_128 ? 20 : 32;
        in->params.km.integ_key = in->material + 36;
    }
    in->params.flags |= dice(2) ? IPSEC_SA_ESN : 0;
    s->out = *in;
    s->out.params.dir = IPSEC_OUT;
    s->out.params.local = in->params.remote;
    s->out.params.remote = in->params.local;
    s->out.params.key = &s->out.key;
    s->out.params.km.integ_key = in->params.km.integ_key == NULL
        ? NULL : s->out.material + 36;
    s->out.params.km.encr_key = in->params.km.encr_key == NULL
        ? NULL : s->out.material;
    if (in->params.proto == IPSEC_PROTO_ESP && dice(3) == 0) {
        s->out.params.local_port = NATT_SPORT;
        s->out.params.remote_port = NATT_PORT;
        if (!group && dice(4) != 0) {
            in->params.local_port = NATT_PORT;
            in->params.remote_port = NATT_SPORT;
        }
    }
    flags_roll(&in->params, group);
    s->out.params.flags |= in->params.flags & IPSEC_SA_AH_ALIGN8;
    in->params.mode = (uint8_t)(dice(2) ? IPSEC_MODE_ANY : mode);
    if (dice(4) == 0) {
        in->life.soft_bytes = 1 + dice(2000);
        in->life.hard_bytes = in->life.soft_bytes + dice(2000);
        in->params.life = &in->life;
    }
    changes++;
    if (fx_sa_add(&b, in) != IPSEC_OK) {
        assert_true(group && suite == &suites[GCM_IIV128]);
        free(in);
        s->in = NULL;
        return;
    }
    assert_status(fx_sa_add(&a, &s->out), IPSEC_OK);
}

static void
sa_move(struct slot *s)
{
    struct ipsec_addr local, remote;
    size_t u = dice(3), t = u == 2 ? 2 : dice(2);
    int udp = (int)dice(2);

    local = addr(us[u]);
    remote = addr(them[t]);
    changes++;
    (void)ipsec_sad_update(&b.ips, &s->in->sa, dice(2) ? 0
                           : IPSEC_SA_NAT_CSUM, &local,
                           udp ? NATT_PORT : 0, &remote,
                           udp ? (uint16_t)(NATT_SPORT + dice(2)) : 0);
}

/* Anything that may be called from anywhere. */
static void
meddle(void)
{
    struct slot *s = &slot[dice(SAS)];
    int rc;

    if (s->in == NULL) {
        sa_roll(s);
        return;
    }
    switch (dice(24)) {
    case 0:
        sa_end(s, ipsec_sad_remove(&b.ips, &s->in->sa));
        break;
    case 1:
        rc = ipsec_sad_quarantine(&b.ips, &s->in->sa, 1 + dice(3));
        changes++;
        if (rc == IPSEC_PENDING) {
            sa_end(s, rc);
        } else if (rc == IPSEC_OK && dice(2)) {
            assert_status(fx_sa_add(&b, s->in), IPSEC_OK);
        }
        break;
    case 2:
        sa_move(s);
        break;
    default:
        break;
    }
}

static void
sometimes_meddle(void)
{
    if (depth == 0 && dice(12) == 0) {
        depth++;
        meddle();
        depth--;
    }
}

static void
on_event(struct fx *fx, struct ipsec_sa *sa, int event)
{
    size_t i;

    (void)fx;
    if (event == IPSEC_EVENT_RELEASED) {
        give_back(sa);
    } else if (event == IPSEC_EVENT_HARD) {
        for (i = 0; i < SAS; i++) {
            if (slot[i].in != NULL && &slot[i].in->sa == sa) {
                sa_end(&slot[i], ipsec_sad_remove(&b.ips, sa));
            }
        }
    }
    sometimes_meddle();
}

static void
on_audit(struct fx *fx, const struct ipsec_audit *event)
{
    (void)fx;
    (void)event;
    sometimes_meddle();
}

static void
on_mapping(void *user, struct ipsec_sa *sa, const struct ipsec_addr *remote,
           uint16_t port)
{
    struct ipsec_addr local = sa->local;

    (void)user;
    mapped++;
    if (dice(2)) {
        changes++;
        assert_status(ipsec_sad_update(&b.ips, sa, 0, &local, NATT_PORT,
                                       remote, port), IPSEC_OK);
    }
    sometimes_meddle();
}

/* Policies of all sorts, some with bundles. */
static void
policies_roll(void)
{
    static const uint8_t actions[] = { IPSEC_ACTION_BYPASS,
        IPSEC_ACTION_DISCARD, IPSEC_ACTION_PROTECT, IPSEC_ACTION_PROTECT,
        IPSEC_ACTION_PROTECT, IPSEC_ACTION_PROTECT };
    static const uint8_t protos[] = { 0, 0, 0, 0, 17, 50, 51, 1, 58 };
    size_t i;

    changes++;
    for (i = 0; i < POLICIES; i++) {
        ipsec_spd_remove(&b.ips, &pol[i]);
        memset(&pol[i], 0, sizeof pol[i]);
        memset(&chain[i], 0, sizeof chain[i]);
    }
    for (i = 0; i < POLICIES; i++) {
        pol[i].action = actions[dice(COUNT(actions))];
        pol[i].dir = IPSEC_IN | IPSEC_OUT;
        pol[i].priority = 1 + dice(9);
        pol[i].sel.proto = protos[dice(COUNT(protos))];
        pol[i].reqid = 1 + dice(SAS);
        pol[i].mode = (uint8_t)(dice(2) ? 0 : 1 + dice(2));
        pol[i].proto = (uint8_t)(dice(2) ? 0 : 50 + dice(2));
        pol[i].flags = (uint8_t)dice(2);
        if (pol[i].sel.proto == 17 && dice(2)) {
            pol[i].sel.set = IPSEC_SEL_LOCAL_PORT;
            pol[i].sel.local_port_lo = 1;
            pol[i].sel.local_port_hi = 1000;
        }
        if (dice(3) == 0 && pol[i].action == IPSEC_ACTION_PROTECT) {
            chain[i].action = IPSEC_ACTION_PROTECT;
            chain[i].reqid = 1 + dice(SAS);
            pol[i].outer = &chain[i];
        }
        assert_status(ipsec_spd_add(&b.ips, &pol[i]), IPSEC_OK);
    }
}

/* The innermost packet. */
static size_t
plain_roll(uint8_t *wire)
{
    static const uint8_t protos[] = { 17, 6, 1, 58, 50, 4, 17 };
    static const char *const exts[] = { NULL, NULL, "h", "d", "f", "l", "a" };
    struct packet_spec spec = { .payload = dice(60) };
    struct icmp_spec icmp = { .type = 3, .code = 4, .word = 1000 };
    size_t u = dice(3), t = u == 2 ? 2 : dice(2);
    uint8_t quote[600];

    spec.src = them[t];
    spec.dst = us[u];
    spec.proto = protos[dice(COUNT(protos))];
    spec.sport = (uint16_t)dice(2000);
    spec.dport = (uint16_t)(dice(8) ? dice(2000) : NATT_PORT);
    spec.id = (uint16_t)dice(4);
    if (u == 2) {
        spec.ext = exts[dice(COUNT(exts))];
    } else if (dice(4) == 0) {
        spec.mf = (uint8_t)dice(2);
        spec.frag = (uint16_t)(dice(2) * 30);
    } else if (dice(4) == 0) {
        spec.opt_len = 4 * dice(5);
    }
    if (dice(6) == 0) {
        spec.src = us[u];
        spec.dst = them[t];
        icmp.quote = quote;
        icmp.quote_len = packet_build(quote, &spec);
        icmp.type = u == 2 ? 2 : 3;
        icmp.src = them[t];
        icmp.dst = us[u];
        return icmp_build(wire, &icmp);
    }
    return packet_build(wire, &spec);
}

/* The policy of B for what is at `wire`; or NULL. */
static const struct ipsec_policy *
policy_for(const uint8_t *wire, size_t len)
{
    struct ipsec_buf buf = { NULL, NULL, NULL, 0 };
    struct ipsec_flow flow;

    buf.data = (uint8_t *)(uintptr_t)wire;
    buf.len = len;
    return ipsec_flow_parse(&flow, IPSEC_IN, &buf) == IPSEC_OK
        ? ipsec_spd_lookup(&b.ips, IPSEC_IN, &flow) : NULL;
}

static void
layer_note(struct sent *to, const struct fx_pkt *p)
{
    struct layer *layer = &to->layer[to->layers++];
    const struct ipsec_sa *sa = p->pkt.sa[0];
    struct ipsec_buf buf = p->pkt.buf;

    buf.data = to->wire;
    buf.len = to->len;
    assert_status(ipsec_flow_parse(&layer->flow, IPSEC_IN, &buf), IPSEC_OK);
    layer->reqid = sa->reqid;
    layer->mode = sa->mode;
    layer->proto = sa->proto;
    to->len = p->pkt.buf.len;
    memcpy(to->wire, p->pkt.buf.data, to->len);
}

/* Up to six layers round it: as policy asks, or what SAs there are. */
static void
layers_roll(struct sent *to)
{
    const struct ipsec_policy *policy = NULL;
    size_t n = dice(3) + dice(3) * dice(3), tries = 12;
    struct fx_pkt p;

    for (to->layers = 0; to->layers < n && tries > 0; tries--) {
        if (policy == NULL && dice(4) != 0) {
            policy = policy_for(to->wire, to->len);
        }
        pa.reqid = policy == NULL ? 1 + dice(SAS) : policy->reqid;
        fx_pkt_new(&p, to->wire, to->len, IPSEC_HEADROOM, IPSEC_TAILROOM);
        if (ipsec_outbound(&a.ips, &p.pkt) == IPSEC_OK &&
            p.pkt.buf.len <= 1500) {
            layer_note(to, &p);
            policy = policy == NULL ? NULL : policy->outer;
        } else {
            policy = NULL;
        }
        fx_pkt_free(&p);
    }
}

static size_t
counted(void)
{
    return path_counted(&b.ips.stats);
}

/* Which layers does the policy for what is inside the first `n` of them, the
 * outermost, ask for? 0: not these. */
static unsigned
asked(const struct sent *sent, size_t n)
{
    const struct layer *layer = &sent->layer[sent->layers - n];
    const struct ipsec_policy *policy =
        ipsec_spd_lookup(&b.ips, IPSEC_IN, &layer->flow);
    unsigned set = 0;

    if (policy == NULL || policy->action != IPSEC_ACTION_PROTECT) {
        return 0;
    }
    for (; policy != NULL; policy = policy->outer, layer++) {
        if (n-- == 0 || layer->reqid != policy->reqid ||
            (policy->proto != 0 && policy->proto != layer->proto) ||
            (policy->mode != 0 && policy->mode != layer->mode)) {
            return 0;
        }
        set |= 1u << n;
    }
    return set;
}

/* Would it have passed, by RFC 4301 section 5.2 and appendix E? */
static int
may_pass(const struct sent *sent, size_t layers)
{
    unsigned set = asked(sent, layers), all = (1u << layers) - 1;
    size_t n;

    if (set == 0) {
        return 0;
    }
    for (n = 1; n < layers; n++) {
        set |= asked(sent, n);
    }
    return set == all;
}

/* By its ports, or what it quotes: what asked() doesn't know. */
static int
is_special(const struct sent *sent)
{
    const struct ipsec_flow *flow = &sent->layer[0].flow;

    return flow->opaque != 0 || flow->proto == 1 || flow->proto == 58;
}

static void
trip_end(struct trip *t, int rc)
{
    const struct ipsec_pkt *pkt = &t->p.pkt;

    if (rc == IPSEC_PENDING) {
        return;
    }
    t->busy = 0;
    verdicts[rc + IPSEC_DROP_COUNT]++;
    assert_true(counted() == t->counted + 1);
    assert_true(b.audits == t->audited + (rc < 0));
    assert_int_equal(pkt->held, 0);
    assert_true(pkt->layers <= IPSEC_DEPTH);
    if (rc < 0) {
        assert_int_equal(b.audit[(b.audits - 1) % FX_LOG].status, rc);
    }
    if (rc != IPSEC_OK && pkt->layers == 0) {
        assert_true(fx_pkt_is(&t->p, t->sent.wire, t->sent.len));
        assert_true(pkt->buf.data == t->p.mem);
    }
    if (rc == IPSEC_OK) {
        assert_true(pkt->layers > 0);
        assert_true(pkt->layers <= t->sent.layers);
    }
    if (rc == IPSEC_OK && !t->spoilt && !is_special(&t->sent) &&
        t->before == changes) {
        checked++;
        assert_true(may_pass(&t->sent, pkt->layers));
    }
    fx_pkt_free(&t->p);
}

static void
on_done(struct ipsec_op *op, int result)
{
    struct trip *t = ipsec_op_pkt(op)->user;

    t->counted = counted();
    t->audited = b.audits;
    trip_end(t, ipsec_resume(&b.ips, ipsec_op_pkt(op), result));
}

static int
spoil(struct sent *s)
{
    static const char *const from[] = { "192.0.2.1", "192.0.2.7" };
    uint8_t *p = s->wire;

    switch (dice(10)) {
    case 0:
        p[dice((uint32_t)s->len)] ^= (uint8_t)(1u << dice(8));
        return 1;
    case 1:
        s->len = dice((uint32_t)s->len + 1);
        return 1;
    case 2:
        if (s->len > 28 && p[0] == 0x45 && p[9] == 17) {
            natt_translate(p, from[dice(2)],
                           (uint16_t)(NATT_SPORT + dice(3)));
        }
        return 1;
    default:
        return 0;
    }
}

static void
trip_begin(struct trip *t)
{
    unsigned o = dice(OLD);

    t->spoilt = 0;
    if (old[o].len > 0 && dice(6) == 0) {
        t->sent = old[o];
    } else {
        t->sent.len = plain_roll(t->sent.wire);
        layers_roll(&t->sent);
        old[o] = t->sent;
        t->spoilt = spoil(&t->sent);
    }
    fx_pkt_new(&t->p, t->sent.wire, t->sent.len, 0, 0);
    t->p.pkt.user = t;
    t->p.pkt.done = on_done;
    t->p.pkt.flags = dice(5) == 0 ? IPSEC_PKT_TRANSIT : 0;
    t->busy = 1;
    t->before = changes;
    t->counted = counted();
    t->audited = b.audits;
    trip_end(t, ipsec_inbound(&b.ips, &t->p.pkt));
}

static void
land(void)
{
    while (b.st.queued > 0) {
        fake_complete(&b.st, dice((uint32_t)b.st.queued));
    }
}

static void
begin(int tables, uint64_t seed)
{
    memset(slot, 0, sizeof slot);
    memset(old, 0, sizeof old);
    memset(pol, 0, sizeof pol);
    memset(frag_slot, 0, sizeof frag_slot);
    dice_of.random = seed;
    fx_init(&a, 0);
    memset(&pa, 0, sizeof pa);
    pa.action = IPSEC_ACTION_PROTECT;
    pa.dir = IPSEC_OUT;
    assert_status(ipsec_spd_add(&a.ips, &pa), IPSEC_OK);
    fx_config(&b, tables);
    b.cfg.flags = (uint8_t)(IPSEC_WILD_CARD | dice(8));
    b.cfg.natt_port = NATT_PORT;
    b.cfg.mapping = on_mapping;
    frag.slot = frag_slot;
    frag.len = COUNT(frag_slot);
    frag.seconds = 2;
    b.cfg.frag = dice(2) ? &frag : NULL;
    b.on_event = on_event;
    b.on_audit = on_audit;
    assert_status(ipsec_init(&b.ips, &b.cfg), IPSEC_OK);
    b.st.mode = FAKE_MIXED;
    b.st.mix = 0x3a5c96e1;
    policies_roll();
}

static void
end(void)
{
    size_t i;

    land();
    for (i = 0; i < FLIGHTS; i++) {
        assert_false(trip[i].busy);
    }
    for (i = 0; i < SAS; i++) {
        if (slot[i].in != NULL) {
            assert_int_equal(slot[i].in->sa.in_flight, 0);
            sa_end(&slot[i], ipsec_sad_remove(&b.ips, &slot[i].in->sa));
        }
    }
    for (i = 0; i < COUNT(dying); i++) {
        assert_null(dying[i]);
    }
    assert_null(ipsec_sad_next(&b.ips, NULL));
    assert_int_equal(b.st.misuse, 0);
    assert_int_equal(a.st.misuse, 0);
}

static void
test_inbound_random(void **state)
{
    static const int led_to[] = { IPSEC_OK, IPSEC_BYPASS, IPSEC_ERR_NO_SA,
        IPSEC_ERR_DISCARD, IPSEC_ERR_NO_POLICY, IPSEC_ERR_UNPROTECTED,
        IPSEC_ERR_FRAGMENT, IPSEC_ERR_MALFORMED, IPSEC_ERR_EXPIRED,
        IPSEC_ERR_REPLAY, IPSEC_ERR_AUTH, IPSEC_ERR_SELECTOR, IPSEC_ERR_MODE,
        IPSEC_ERR_DEPTH };
    size_t step, i;
    int round;

    (void)state;
    for (round = 0; round < 6; round++) {
        begin(round & 1, (uint64_t)round + 1);
        for (step = 0; step < STEPS / 6; step++) {
            fx_note("round %d, step %u", round, (unsigned)step);
            if (dice(3) == 0) {
                meddle();
            }
            if (dice(60) == 0) {
                policies_roll();
            }
            if (dice(50) == 0) {
                ipsec_tick(&b.ips, ipsec_now(&b.ips) + 1);
            }
            for (i = 0; i < FLIGHTS && trip[i].busy; i++) {
            }
            if (i == FLIGHTS || dice(16) == 0) {
                land();
            } else {
                trip_begin(&trip[i]);
            }
            if (b.st.queued > 0 && dice(3) == 0) {
                fake_complete(&b.st, dice((uint32_t)b.st.queued));
            }
        }
        end();
    }
    for (i = 0; i < COUNT(led_to); i++) {
        fx_note("%s", ipsec_status_str(led_to[i]));
        assert_true(verdicts[led_to[i] + IPSEC_DROP_COUNT] > 20);
    }
    assert_true(mapped > 20 && checked > 200);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inbound_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
