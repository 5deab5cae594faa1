/* SPDX-License-Identifier: MIT */
#include "fake/nest.h"

/* Callbacks "may call anything on the databases": they remove and add what
 * the caller of theirs is just looking at, and free its memory. */

static struct nest nest;
static struct flight f;
static struct fx_sa *spare[8];
static size_t spares;

static int
stop(void **state)
{
    size_t i;

    (void)state;
    nest_free(&nest);
    fx_pkt_free(&f.p);
    for (i = 0; i < COUNT(spare); i++) {
        nest_sa_free(&spare[i]);
    }
    spares = 0;
    return 0;
}

/* Free the fx_sa that an SA is part of, wherever it is noted. */
static void
give_back(struct ipsec_sa *sa)
{
    size_t i;

    for (i = 0; i < NEST_MAX; i++) {
        if (nest.out[i] != NULL && &nest.out[i]->sa == sa) {
            nest_sa_free(&nest.out[i]);
        } else if (nest.in[i] != NULL && &nest.in[i]->sa == sa) {
            nest_sa_free(&nest.in[i]);
        }
    }
    for (i = 0; i < COUNT(spare); i++) {
        if (spare[i] != NULL && &spare[i]->sa == sa) {
            nest_sa_free(&spare[i]);
        }
    }
}

static void
drop_sa(struct fx *fx, struct ipsec_sa *sa)
{
    if (ipsec_sad_remove(&fx->ips, sa) == IPSEC_OK) {
        give_back(sa);
    }
}

static void
remove_on_any_event(struct fx *fx, struct ipsec_sa *sa, int event)
{
    if (event == IPSEC_EVENT_RELEASED) {
        give_back(sa);
    } else {
        drop_sa(fx, sa);
    }
}

static struct fx_sa *
spare_add(struct fx *fx, uint32_t spi, const struct ipsec_lifetime *life)
{
    struct fx_sa *s = calloc(1, sizeof *s);

    assert_non_null(s);
    assert_true(spares < COUNT(spare));
    spare[spares++] = s;
    fx_sa_set(s, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TRANSPORT, spi,
              "10.1.0.1", "10.2.0.2");
    if (life != NULL) {
        s->life = *life;
        s->params.life = &s->life;
    }
    assert_status(fx_sa_add(fx, s), IPSEC_OK);
    return s;
}

/* A sweep whose events take SAs out of the chain it walks, one or all. */
static void
remove_all(struct fx *fx, struct ipsec_sa *sa, int event)
{
    struct ipsec_sa *next;

    (void)event;
    for (sa = ipsec_sad_next(&fx->ips, NULL); sa != NULL; sa = next) {
        next = ipsec_sad_next(&fx->ips, sa);
        drop_sa(fx, sa);
    }
}

static void
test_callbacks_sweep_removes(void **state)
{
    static const struct ipsec_lifetime life = { .hard_s = 10 };
    static struct fx fx;
    int tables, all;
    uint32_t i;

    (void)state;
    for (tables = 0; tables < 2; tables++) {
        for (all = 0; all < 2; all++) {
            fx_init(&fx, tables);
            fx.on_event = all ? remove_all : remove_on_any_event;
            for (i = 0; i < 6; i++) {
                spare_add(&fx, 0x5000 + i, i % 3 == 2 && !all ? NULL : &life);
            }
            ipsec_tick(&fx.ips, 100);
            assert_int_equal(fx.events, all ? 1 : 4);
            for (i = 0; i < 6; i++) {
                assert_int_equal(spare[i] == NULL, all || i % 3 != 2);
            }
            assert_int_equal(fx.st.misuse, 0);
            stop(NULL);
        }
    }
}

/* Replace an SA the moment it is due, as a key daemon in a hurry would. */
static void
replace(struct fx *fx, struct ipsec_sa *sa, int event)
{
    static const struct ipsec_lifetime life = { .hard_s = 100 };

    if (event == IPSEC_EVENT_HARD) {
        spare_add(fx, sa->spi + 1, &life);
        drop_sa(fx, sa);
    }
}

static void
test_callbacks_sweep_adds(void **state)
{
    static const struct ipsec_lifetime life = { .hard_s = 10 };
    static struct fx fx;
    int tables;

    (void)state;
    for (tables = 0; tables < 2; tables++) {
        fx_init(&fx, tables);
        fx.on_event = replace;
        spare_add(&fx, 0x5000, &life);
        ipsec_tick(&fx.ips, 70);
        assert_int_equal(fx.events, 1);
        assert_null(spare[0]);
        assert_ptr_equal(ipsec_sad_newest(&fx.ips, 1, 0), &spare[1]->sa);
        ipsec_tick(&fx.ips, 140);
        assert_int_equal(fx.events, 1);
        stop(NULL);
    }
}

/* An SA that reaches its limit with a packet, and goes at once: the packet
 * is done with, or is of a bundle whose other layers are to come. */
static void
test_callbacks_event_removes_the_sa_in_use(void **state)
{
    size_t layer, layers;
    int async;

    (void)state;
    for (layers = 1; layers <= 3; layers++) {
        for (layer = 0; layer < layers; layer++) {
            for (async = 0; async < 2; async++) {
                fx_note("%zu of %zu, async %d", layer, layers, async);
                nest_init(&nest, layers, GCM128);
                nest.a.st.mode = async ? FAKE_ASYNC : FAKE_SYNC;
                nest.a.on_event = remove_on_any_event;
                nest.out[layer]->life.hard_bytes = 1;
                nest.out[layer]->sa.life = &nest.out[layer]->life;
                flight_out(&f, &nest, 3);
                flights_land(&nest.a);
                assert_status(f.verdict, layer + 1 == layers
                              ? IPSEC_OK : IPSEC_ERR_EXPIRED);
                assert_null(nest.out[layer]);
                assert_int_equal(nest.a.events, 2);
                assert_int_equal(nest.a.event[1].event,
                                 IPSEC_EVENT_RELEASED);
                assert_int_equal(nest.a.st.misuse, 0);
                stop(NULL);
            }
        }
    }
}

static void
test_callbacks_event_removes_the_sa_that_opened(void **state)
{
    uint8_t wire[1024];
    size_t layer, len;
    int async;

    (void)state;
    for (layer = 0; layer < 2; layer++) {
        for (async = 0; async < 2; async++) {
            nest_init(&nest, 2, GCM128);
            flight_out(&f, &nest, 3);
            len = f.p.pkt.buf.len;
            memcpy(wire, f.p.pkt.buf.data, len);
            fx_pkt_free(&f.p);
            nest.b.st.mode = async ? FAKE_ASYNC : FAKE_SYNC;
            nest.b.on_event = remove_on_any_event;
            nest.in[layer]->life.hard_bytes = 1;
            nest.in[layer]->sa.life = &nest.in[layer]->life;
            flight_in(&f, &nest, wire, len);
            flights_land(&nest.b);
            assert_true(f.verdict == IPSEC_OK ||
                        f.verdict == IPSEC_ERR_EXPIRED);
            assert_null(nest.in[layer]);
            assert_int_equal(nest.b.events, 2);
            assert_int_equal(nest.b.st.misuse, 0);
            stop(NULL);
        }
    }
}

static void
remove_it(struct fx *fx, struct ipsec_sa *sa, int event)
{
    if (event == IPSEC_EVENT_HARD) {
        assert_status(ipsec_sad_remove(&fx->ips, sa), IPSEC_PENDING);
    }
}

/* The same SA twice round one packet, which a peer may send: removed by the
 * inner layer's event, it is in no place of the results (ipsec.h). */
static void
test_callbacks_event_removes_an_sa_used_twice(void **state)
{
    static struct pair pair;
    struct packet_spec spec;
    uint8_t wire[1024];
    struct fx_pkt p, q;
    size_t len;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    spec = pair_spec(&pair, 4, 17, 9);
    len = pair_seal(&pair, &spec, wire);
    fx_pkt_new(&p, wire, len, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_OK);
    pair.in.life.hard_bytes = len + 20;
    pair.in.sa.life = &pair.in.life;
    pair.b.on_event = remove_it;
    assert_status(pair_open(&pair, p.pkt.buf.data, p.pkt.buf.len, &q),
                  IPSEC_OK);
    assert_int_equal(pair.b.events, 2);
    assert_int_equal(pair.b.event[1].event, IPSEC_EVENT_RELEASED);
    assert_int_equal(q.pkt.layers, 2);
    assert_null(q.pkt.sa[0]);
    assert_null(q.pkt.sa[1]);
    fx_pkt_free(&p);
    fx_pkt_free(&q);
}

/* Refused because expired: the event that says so may remove it. */
static void
test_callbacks_event_of_a_refused_packet(void **state)
{
    size_t layer;

    (void)state;
    for (layer = 0; layer < 3; layer++) {
        nest_init(&nest, 3, CBC128);
        nest.a.on_event = remove_on_any_event;
        nest.out[layer]->life.hard_s = 10;
        nest.out[layer]->sa.life = &nest.out[layer]->life;
        nest.a.ips.now = 10; /* as if the sweep had not come by */
        flight_out(&f, &nest, 3);
        assert_status(f.verdict, IPSEC_ERR_EXPIRED);
        assert_null(nest.out[layer]);
        assert_int_equal(f.p.pkt.layers, 0);
        assert_int_equal(nest.a.st.runs, 0);
        stop(NULL);
    }
}

/* From acquire and audit: everything goes. */
static void
wipe_out(struct fx *fx)
{
    struct ipsec_policy *policy;

    while ((policy = ipsec_spd_next(&fx->ips, NULL)) != NULL) {
        ipsec_spd_remove(&fx->ips, policy);
        memset(policy, 0xdb, sizeof *policy);
    }
    remove_all(fx, NULL, 0);
}

static void
wipe_on_acquire(struct fx *fx, struct ipsec_policy *policy,
                const struct ipsec_flow *flow)
{
    (void)policy;
    (void)flow;
    wipe_out(fx);
}

static void
wipe_on_audit(struct fx *fx, const struct ipsec_audit *event)
{
    (void)event;
    wipe_out(fx);
}

static void
test_callbacks_acquire_removes_everything(void **state)
{
    size_t missing;

    (void)state;
    for (missing = 0; missing < 3; missing++) {
        nest_init(&nest, 3, GCM128);
        drop_sa(&nest.a, &nest.out[missing]->sa);
        nest.a.on_acquire = wipe_on_acquire;
        nest.a.on_event = remove_on_any_event;
        flight_out(&f, &nest, 3);
        assert_status(f.verdict, IPSEC_ERR_NO_SA);
        assert_int_equal(f.p.pkt.layers, 0);
        assert_null(ipsec_sad_next(&nest.a.ips, NULL));
        assert_true(nest.out[0] == NULL && nest.out[1] == NULL &&
                    nest.out[2] == NULL);
        assert_int_equal(nest.a.st.misuse, 0);
        stop(NULL);
    }
}

static void
test_callbacks_audit_removes_everything(void **state)
{
    uint8_t wire[1024];
    size_t len, i;

    (void)state;
    for (i = 0; i < 3; i++) { /* the tag of which layer is wrong */
        nest_init(&nest, 3, GCM128);
        flight_out(&f, &nest, 3);
        len = f.p.pkt.buf.len;
        memcpy(wire, f.p.pkt.buf.data, len);
        fx_pkt_free(&f.p);
        nest.b.on_audit = wipe_on_audit;
        nest.b.on_event = remove_on_any_event;
        nest.b.st.run_fails_at = i + 1;
        nest.b.st.run_fails_with = IPSEC_ERR_AUTH;
        flight_in(&f, &nest, wire, len);
        assert_status(f.verdict, IPSEC_ERR_AUTH);
        assert_null(ipsec_sad_next(&nest.b.ips, NULL));
        assert_true(nest.in[0] == NULL && nest.in[1] == NULL &&
                    nest.in[2] == NULL);
        assert_int_equal(nest.b.st.misuse, 0);
        stop(NULL);
    }
    nest_init(&nest, 2, GCM128);
    nest.a.on_audit = wipe_on_audit;
    nest.a.on_event = remove_on_any_event;
    nest.a.st.run_fails_at = 2;
    nest.a.st.run_fails_with = IPSEC_ERR_BUSY;
    flight_out(&f, &nest, 3);
    assert_status(f.verdict, IPSEC_ERR_BUSY);
    assert_null(ipsec_sad_next(&nest.a.ips, NULL));
}

/* The audited packet may be quoted while it is whole. */
static void
quote(struct fx *fx, const struct ipsec_audit *event)
{
    uint8_t *copy = fx->user;

    assert_int_equal(event->pkt->layers, 0);
    memcpy(copy, event->pkt->buf.data, event->pkt->buf.len);
}

static void
test_callbacks_audit_can_quote(void **state)
{
    uint8_t copy[512], plain[512];
    size_t len;

    (void)state;
    nest_init(&nest, 1, GCM128);
    nest.pa[0].action = IPSEC_ACTION_DISCARD;
    nest.a.on_audit = quote;
    nest.a.user = copy;
    flight_out(&f, &nest, 30);
    assert_status(f.verdict, IPSEC_ERR_DISCARD);
    len = nest_plain(&nest, 30, plain);
    assert_memory_equal(copy, plain, len);
}

#define T(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_callbacks_sweep_removes),
        T(test_callbacks_sweep_adds),
        T(test_callbacks_event_removes_the_sa_in_use),
        T(test_callbacks_event_removes_the_sa_that_opened),
        T(test_callbacks_event_removes_an_sa_used_twice),
        T(test_callbacks_event_of_a_refused_packet),
        T(test_callbacks_acquire_removes_everything),
        T(test_callbacks_audit_removes_everything),
        T(test_callbacks_audit_can_quote),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
