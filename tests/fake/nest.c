/* SPDX-License-Identifier: MIT */
#include "fake/nest.h"

static const char *const ends_a[] = {
    "10.1.0.1", "192.0.2.1", FX_IPS == 2 ? "2001:db8::1" : "192.0.2.11"
};
static const char *const ends_b[] = {
    "10.2.0.2", "198.51.100.2", FX_IPS == 2 ? "2001:db8:ff::2" : "198.51.100.12"
};

static void
layer_init(struct nest *nest, size_t i, int suite)
{
    size_t end = i == 0 ? 0 : 1 + i % 2;
    int mode = i == 0 ? IPSEC_MODE_TRANSPORT : IPSEC_MODE_TUNNEL;
    const struct suite *s = &suites[(suite + (int)(i % 2)) % SUITES];
    struct ipsec_policy *p = &nest->pa[i];
    uint32_t spi = (uint32_t)(0x1000 + i);

    nest->out[i] = calloc(1, sizeof **nest->out);
    nest->in[i] = calloc(1, sizeof **nest->in);
    assert_true(nest->out[i] != NULL && nest->in[i] != NULL);
    fx_sa_set(nest->out[i], s, IPSEC_OUT, mode, spi, ends_a[end],
              ends_b[end]);
    fx_sa_set(nest->in[i], s, IPSEC_IN, mode, spi, ends_b[end], ends_a[end]);
    nest->out[i]->params.reqid = nest->in[i]->params.reqid = (uint32_t)i + 1;
    nest->in[i]->params.window = nest->in[i]->window;
    nest->in[i]->params.window_len = 4;
    nest->out[i]->sa.user = nest->out[i];
    nest->in[i]->sa.user = nest->in[i];
    assert_status(fx_sa_add(&nest->a, nest->out[i]), IPSEC_OK);
    assert_status(fx_sa_add(&nest->b, nest->in[i]), IPSEC_OK);
    memset(p, 0, sizeof *p);
    p->action = IPSEC_ACTION_PROTECT;
    p->dir = IPSEC_OUT | IPSEC_IN;
    p->proto = IPSEC_PROTO_ESP;
    p->mode = (uint8_t)mode;
    p->reqid = (uint32_t)i + 1;
    nest->pb[i] = *p;
}

void
nest_init(struct nest *nest, size_t layers, int suite)
{
    size_t i;

    memset(nest, 0, sizeof *nest);
    fx_init(&nest->a, 0);
    fx_init(&nest->b, 0);
    nest->layers = layers;
    for (i = 0; i < layers; i++) {
        layer_init(nest, i, suite);
        if (i > 0) {
            nest->pa[i - 1].outer = &nest->pa[i];
            nest->pb[i - 1].outer = &nest->pb[i];
        }
    }
    if (layers <= IPSEC_DEPTH) {
        assert_status(ipsec_spd_add(&nest->a.ips, &nest->pa[0]), IPSEC_OK);
        assert_status(ipsec_spd_add(&nest->b.ips, &nest->pb[0]), IPSEC_OK);
    }
}

void
nest_sa_free(struct fx_sa **s)
{
    if (*s != NULL) {
        memset(*s, 0xdb, sizeof **s);
        free(*s);
        *s = NULL;
    }
}

void
nest_free(struct nest *nest)
{
    size_t i;

    for (i = 0; i < nest->layers; i++) {
        nest_sa_free(&nest->out[i]);
        nest_sa_free(&nest->in[i]);
    }
}

static void
land(struct ipsec_op *op, int result)
{
    struct ipsec_pkt *pkt = ipsec_op_pkt(op);
    struct flight *f = pkt->user;

    f->dones++;
    f->verdict = ipsec_resume(&f->fx->ips, pkt, result);
}

static void
start(struct flight *f, struct fx *fx)
{
    f->fx = fx;
    f->verdict = f->dones = 0;
    f->p.pkt.user = f;
    f->p.pkt.done = land;
}

size_t
nest_plain(const struct nest *nest, size_t payload, uint8_t *plain)
{
    struct packet_spec spec = {
        .src = "10.1.0.1", .dst = "10.2.0.2", .proto = 17, .sport = 5000,
        .dport = 7
    };

    (void)nest;
    spec.payload = payload;
    return packet_build(plain, &spec);
}

void
flight_out(struct flight *f, struct nest *nest, size_t payload)
{
    uint8_t plain[2048];
    size_t len = nest_plain(nest, payload, plain);

    fx_pkt_new(&f->p, plain, len, nest->layers * IPSEC_HEADROOM,
               nest->layers * IPSEC_TAILROOM);
    start(f, &nest->a);
    f->verdict = ipsec_outbound(&nest->a.ips, &f->p.pkt);
}

void
flight_in(struct flight *f, struct nest *nest, const uint8_t *wire,
          size_t len)
{
    fx_pkt_new(&f->p, wire, len, 0, 0);
    start(f, &nest->b);
    f->verdict = ipsec_inbound(&nest->b.ips, &f->p.pkt);
}

void
flights_land(struct fx *fx)
{
    uint32_t r;

    while (fx->st.queued > 0) {
        fx_random(fx, &r, sizeof r);
        fake_complete(&fx->st, r % fx->st.queued);
    }
}
