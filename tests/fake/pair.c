/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Two hosts that talk to each other: see fixture.h. */

static const char *const outer_a[] = { "192.0.2.1", "2001:db8::1" };
static const char *const outer_b[] = { "198.51.100.2", "2001:db8:ff::2" };
static const char *const inner_a[] = { "10.1.0.1", "2001:db8:a::1" };
static const char *const inner_b[] = { "10.2.0.2", "2001:db8:b::2" };

void
pair_prepare(struct pair *pair, const struct suite *suite, int mode,
             int version)
{
    int v6 = FX_IS_IP6(version);

    fx_init(&pair->a, 0);
    fx_init(&pair->b, 0);
    fx_sa_set(&pair->out, suite, IPSEC_OUT, mode, 0x1001, outer_a[v6],
              outer_b[v6]);
    fx_sa_set(&pair->in, suite, IPSEC_IN, mode, 0x1001, outer_b[v6],
              outer_a[v6]);
    memset(&pair->pa, 0, sizeof pair->pa);
    pair->pa.action = IPSEC_ACTION_PROTECT;
    pair->pa.dir = IPSEC_OUT | IPSEC_IN;
    pair->pa.proto = IPSEC_PROTO_ESP;
    pair->pa.mode = (uint8_t)mode;
    pair->pa.reqid = 1;
    pair->pb = pair->pa;
}

void
pair_begin(struct pair *pair)
{
    assert_status(fx_sa_add(&pair->a, &pair->out), IPSEC_OK);
    assert_status(fx_sa_add(&pair->b, &pair->in), IPSEC_OK);
    assert_status(ipsec_spd_add(&pair->a.ips, &pair->pa), IPSEC_OK);
    assert_status(ipsec_spd_add(&pair->b.ips, &pair->pb), IPSEC_OK);
}

void
pair_init(struct pair *pair, const struct suite *suite, int mode, int version)
{
    pair_prepare(pair, suite, mode, version);
    pair_begin(pair);
}

struct packet_spec
pair_spec(const struct pair *pair, int version, uint8_t proto, size_t payload)
{
    int v6 = pair->out.params.local.version == 6;
    struct packet_spec spec;

    memset(&spec, 0, sizeof spec);
    if (pair->out.params.mode == IPSEC_MODE_TRANSPORT) {
        spec.src = outer_a[v6];
        spec.dst = outer_b[v6];
    } else {
        spec.src = inner_a[FX_IS_IP6(version)];
        spec.dst = inner_b[FX_IS_IP6(version)];
    }
    spec.proto = proto;
    spec.sport = proto == 1 || proto == 58 ? 0x0800 : 5000;
    spec.dport = 7;
    spec.payload = payload;
    return spec;
}

size_t
pair_seal(struct pair *pair, const struct packet_spec *spec, uint8_t *wire)
{
    struct fx_pkt p;
    size_t len;

    fx_pkt_build(&p, spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&pair->a.ips, &p.pkt), IPSEC_OK);
    len = p.pkt.buf.len;
    memcpy(wire, p.pkt.buf.data, len);
    fx_pkt_free(&p);
    return len;
}

int
pair_open(struct pair *pair, const uint8_t *wire, size_t len,
          struct fx_pkt *p)
{
    fx_pkt_new(p, wire, len, 0, 0);
    return ipsec_inbound(&pair->b.ips, &p->pkt);
}

int
pair_offer(struct pair *pair, const uint8_t *wire, size_t len)
{
    struct fx_pkt p;
    int rc = pair_open(pair, wire, len, &p);

    fx_pkt_free(&p);
    return rc;
}

const struct suite *
pair_suite(const struct pair *pair)
{
    const struct ipsec_keymat *km = &pair->out.params.km;
    size_t i;

    for (i = 0; i < SUITES_ALL; i++) {
        if (suites[i].encr == km->encr && suites[i].integ == km->integ &&
            suites[i].encr_key == km->encr_key_len) {
            break;
        }
    }
    assert_true(i < SUITES_ALL);
    return &suites[i];
}

static void
set32(uint8_t *p, uint64_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

/* Seal the ESP packet at `esp` as RFC 4303 says. */
static void
craft_seal(struct pair *pair, const struct suite *suite, uint8_t *esp,
           size_t len, uint64_t seq)
{
    const struct ipsec_crypto *crypto = pair->a.cfg.crypto;
    int esn = (pair->out.params.flags & IPSEC_SA_ESN) != 0;
    uint8_t aad[28] = { 0 };
    struct ipsec_op op;

    memset(&op, 0, sizeof op);
    op.key = &pair->out.key;
    op.aad = aad;
    op.aad_len = 8;
    op.iv = esp + 8;
    op.text = esp + 8 + suite->iv;
    op.len = len;
    op.icv = op.text + len;
    set32(aad, pair->out.params.spi);
    if (esn && suite->integ == 0) {
        set32(aad + 4, seq >> 32);
        op.aad_len = 12;
    } else if (esn) {
        set32(op.tail, seq >> 32);
        op.tail_len = 4;
    }
    set32(aad + op.aad_len - 4, seq);
    if (SUITE_HAS_IV_IN_AAD(suite)) {
        memcpy(aad + op.aad_len, op.iv, 8);
        op.aad_len = (uint8_t)(op.aad_len + 8);
    } else if (SUITE_HAS_IIV(suite)) {
        set32(aad + op.aad_len, seq >> 32);
        set32(aad + op.aad_len + 4, seq);
        op.iv = aad + op.aad_len;
    }
    if (suite->encr == IPSEC_ENCR_AES_CBC) {
        op.text -= suite->iv;
        op.len += suite->iv;
    }
    assert_status(crypto->run(crypto, &op), IPSEC_OK);
}

size_t
pair_craft(struct pair *pair, const struct craft *craft, uint8_t *wire)
{
    const struct suite *suite = pair_suite(pair);
    struct packet_spec spec;
    uint8_t *esp;
    size_t head, len;
    int v6 = pair->out.params.local.version == 6;

    memset(&spec, 0, sizeof spec);
    spec.src = outer_a[v6];
    spec.dst = outer_b[v6];
    spec.proto = 50;
    spec.tos = craft->tos;
    spec.ext = craft->ext;
    spec.payload = 8 + suite->iv + craft->len + suite->icv;
    len = packet_build(wire, &spec);
    head = len - spec.payload;
    esp = wire + head;
    set32(esp, pair->out.params.spi);
    set32(esp + 4, craft->seq);
    memset(esp + 8, 0, suite->iv);
    if (suite->iv >= 8) {
        set32(esp + suite->iv, craft->seq >> 32);
        set32(esp + suite->iv + 4, craft->seq);
    }
    memcpy(esp + 8 + suite->iv, craft->body, craft->len);
    craft_seal(pair, suite, esp, craft->len, craft->seq);
    return len;
}

size_t
body_end(const struct suite *suite, uint8_t *body, size_t len, uint8_t next)
{
    uint8_t pad = 0;

    while ((len + 2) % suite->align != 0) {
        body[len++] = ++pad;
    }
    body[len++] = pad;
    body[len++] = next;
    return len;
}
