/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

#define CBC IPSEC_ENCR_AES_CBC
#define CTR IPSEC_ENCR_AES_CTR
#define GCM IPSEC_ENCR_AES_GCM_16
#define GMAC IPSEC_ENCR_NULL_AES_GMAC
#define SHA IPSEC_INTEG_HMAC_SHA2_256_128
#define SHA1 IPSEC_INTEG_HMAC_SHA1_96
#define SHA384 IPSEC_INTEG_HMAC_SHA2_384_192
#define SHA512 IPSEC_INTEG_HMAC_SHA2_512_256
#define CMAC IPSEC_INTEG_AES_CMAC_96
#define XCBC IPSEC_INTEG_AES_XCBC_96

const struct suite suites[SUITES_ALL] = {
    [CBC128] = { "AES-CBC-128/SHA-256", CBC, SHA, 16, 32, 16, 16, 16 },
    [CBC192] = { "AES-CBC-192/SHA-256", CBC, SHA, 24, 32, 16, 16, 16 },
    [CBC256] = { "AES-CBC-256/SHA-256", CBC, SHA, 32, 32, 16, 16, 16 },
    [GCM128] = { "AES-GCM-128", GCM, 0, 20, 0, 8, 4, 16 },
    [GCM192] = { "AES-GCM-192", GCM, 0, 28, 0, 8, 4, 16 },
    [GCM256] = { "AES-GCM-256", GCM, 0, 36, 0, 8, 4, 16 },
    [CHACHA] = { "ChaCha20-Poly1305",
        IPSEC_ENCR_CHACHA20_POLY1305, 0, 36, 0, 8, 4, 16 },
    [NULL_SHA256] = { "NULL/SHA-256", IPSEC_ENCR_NULL, SHA, 0, 32, 0, 4, 16 },
    [CBC128_SHA1] = { "AES-CBC-128/SHA-1", CBC, SHA1, 16, 20, 16, 16, 12 },
    [CBC192_SHA384] = { "AES-CBC-192/SHA-384",
        CBC, SHA384, 24, 48, 16, 16, 24 },
    [CBC256_SHA512] = { "AES-CBC-256/SHA-512",
        CBC, SHA512, 32, 64, 16, 16, 32 },
    [CBC256_CMAC] = { "AES-CBC-256/CMAC", CBC, CMAC, 32, 16, 16, 16, 12 },
    [CBC192_XCBC] = { "AES-CBC-192/XCBC", CBC, XCBC, 24, 16, 16, 16, 12 },
    [CTR128_SHA256] = { "AES-CTR-128/SHA-256", CTR, SHA, 20, 32, 8, 4, 16 },
    [CTR192_SHA512] = { "AES-CTR-192/SHA-512", CTR, SHA512, 28, 64, 8, 4, 32 },
    [CTR256_SHA1] = { "AES-CTR-256/SHA-1", CTR, SHA1, 36, 20, 8, 4, 12 },
    [CTR256_CMAC] = { "AES-CTR-256/CMAC", CTR, CMAC, 36, 16, 8, 4, 12 },
    [CTR192_XCBC] = { "AES-CTR-192/XCBC", CTR, XCBC, 28, 16, 8, 4, 12 },
    [NULL_SHA1] = { "NULL/SHA-1", IPSEC_ENCR_NULL, SHA1, 0, 20, 0, 4, 12 },
    [NULL_SHA384] = { "NULL/SHA-384",
        IPSEC_ENCR_NULL, SHA384, 0, 48, 0, 4, 24 },
    [NULL_SHA512] = { "NULL/SHA-512",
        IPSEC_ENCR_NULL, SHA512, 0, 64, 0, 4, 32 },
    [NULL_CMAC] = { "NULL/CMAC", IPSEC_ENCR_NULL, CMAC, 0, 16, 0, 4, 12 },
    [NULL_XCBC] = { "NULL/XCBC", IPSEC_ENCR_NULL, XCBC, 0, 16, 0, 4, 12 },
    [CCM8_128] = { "AES-CCM-8-128", IPSEC_ENCR_AES_CCM_8, 0, 19, 0, 8, 4, 8 },
    [CCM12_192] = { "AES-CCM-12-192",
        IPSEC_ENCR_AES_CCM_12, 0, 27, 0, 8, 4, 12 },
    [CCM16_256] = { "AES-CCM-16-256",
        IPSEC_ENCR_AES_CCM_16, 0, 35, 0, 8, 4, 16 },
    [GCM8_192] = { "AES-GCM-8-192", IPSEC_ENCR_AES_GCM_8, 0, 28, 0, 8, 4, 8 },
    [GCM12_256] = { "AES-GCM-12-256",
        IPSEC_ENCR_AES_GCM_12, 0, 36, 0, 8, 4, 12 },
    [GMAC128] = { "NULL-AES-GMAC-128", GMAC, 0, 20, 0, 8, 4, 16 },
    [GMAC192] = { "NULL-AES-GMAC-192", GMAC, 0, 28, 0, 8, 4, 16 },
    [GMAC256] = { "NULL-AES-GMAC-256", GMAC, 0, 36, 0, 8, 4, 16 },
    [CCM8_IIV128] = { "AES-CCM-8-IIV-128",
        IPSEC_ENCR_AES_CCM_8_IIV, 0, 19, 0, 0, 4, 8 },
    [CCM8_IIV256] = { "AES-CCM-8-IIV-256",
        IPSEC_ENCR_AES_CCM_8_IIV, 0, 35, 0, 0, 4, 8 },
    [GCM_IIV128] = { "AES-GCM-IIV-128",
        IPSEC_ENCR_AES_GCM_16_IIV, 0, 20, 0, 0, 4, 16 },
    [GCM_IIV192] = { "AES-GCM-IIV-192",
        IPSEC_ENCR_AES_GCM_16_IIV, 0, 28, 0, 0, 4, 16 },
    [CHACHA_IIV] = { "ChaCha20-Poly1305-IIV",
        IPSEC_ENCR_CHACHA20_POLY1305_IIV, 0, 36, 0, 0, 4, 16 }
};

static char note[160];

void
fx_note(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(note, sizeof note, format, ap);
    va_end(ap);
}

void
fx_assert_status(int got, int want, const char *file, int line)
{
    if (got != want) {
        print_error("%s (%d), not %s (%d), in \"%s\"\n", ipsec_status_str(got),
                    got, ipsec_status_str(want), want, note);
        _fail(file, line);
    }
}

int
fx_random(void *user, void *buf, size_t len)
{
    struct fx *fx = user;
    uint8_t *p = buf;

    if (++fx->randoms == fx->random_fails_at) {
        return -1;
    }
    for (; len > 0; len--) {
        fx->random = fx->random * UINT64_C(6364136223846793005) + 1442695;
        *p++ = (uint8_t)(fx->random >> 56);
    }
    return 0;
}

static void
log_event(void *user, struct ipsec_sa *sa, int event)
{
    struct fx *fx = user;

    if (fx->events < FX_LOG) {
        fx->event[fx->events].sa = sa;
        fx->event[fx->events].event = event;
    }
    fx->events++;
    if (fx->on_event != NULL) {
        fx->on_event(fx, sa, event);
    }
}

static void
log_acquire(void *user, struct ipsec_policy *policy,
            const struct ipsec_flow *flow, int lane)
{
    struct fx *fx = user;

    if (fx->acquires < FX_LOG) {
        fx->acquire[fx->acquires].policy = policy;
        fx->acquire[fx->acquires].flow = *flow;
        fx->acquire[fx->acquires].lane = lane;
    }
    fx->acquires++;
    if (fx->on_acquire != NULL) {
        fx->on_acquire(fx, policy, flow);
    }
}

static void
log_audit(void *user, const struct ipsec_audit *event)
{
    struct fx *fx = user;
    struct fx_audit *to = &fx->audit[fx->audits % FX_LOG];

    to->status = event->status;
    to->dir = event->dir;
    to->spi = event->spi;
    to->seq = event->seq;
    to->time = event->time;
    to->label = event->label;
    to->flow = *event->flow;
    to->layers = event->pkt->layers;
    fx->audits++;
    if (fx->on_audit != NULL) {
        fx->on_audit(fx, event);
    }
}

void
fx_config(struct fx *fx, int tables)
{
    memset(fx, 0, sizeof *fx);
    fake_crypto_init(&fx->crypto, &fx->st);
    fx->random = 42;
    fx->cfg.user = fx;
    fx->cfg.crypto = &fx->crypto.api;
    fx->cfg.random = fx_random;
    fx->cfg.acquire = log_acquire;
    fx->cfg.sa_event = log_event;
    fx->cfg.audit = log_audit;
#ifdef IPSEC_NO_INDEX
    tables = 0;
#endif
    if (tables) {
        fx->cfg.sad = fx->sad;
        fx->cfg.sad_len = FX_SAD;
        fx->index.bucket = fx->bucket;
        fx->index.bucket_len = FX_BUCKETS;
        fx->index.tuple = fx->tuple;
        fx->index.tuple_len = FX_TUPLES;
        fx->cfg.spd = &fx->index;
    }
}

void
fx_init(struct fx *fx, int tables)
{
    fx_config(fx, tables);
    assert_status(ipsec_init(&fx->ips, &fx->cfg), IPSEC_OK);
}

size_t
fx_events(const struct fx *fx, const struct ipsec_sa *sa, int event)
{
    size_t i, n = 0;

    for (i = 0; i < fx->events && i < FX_LOG; i++) {
        n += fx->event[i].event == event &&
             (sa == NULL || fx->event[i].sa == sa);
    }
    return n;
}

void
fx_sa_set(struct fx_sa *s, const struct suite *suite, int dir, int mode,
          uint32_t spi, const char *local, const char *remote)
{
    struct ipsec_sa_params *q = &s->params;
    size_t i;

    memset(s, 0, sizeof *s);
    for (i = 0; i < sizeof s->material; i++) {
        s->material[i] = (uint8_t)(i * 11 + spi);
    }
    q->spi = spi;
    q->reqid = 1;
    q->dir = (uint8_t)dir;
    q->proto = IPSEC_PROTO_ESP;
    q->mode = (uint8_t)mode;
    q->flags = IPSEC_SA_NEGOTIATED;
    q->local = addr(local);
    q->remote = addr(remote);
    q->km.encr = suite->encr;
    q->km.integ = suite->integ;
    q->km.encr_key_len = suite->encr_key;
    q->km.integ_key_len = suite->integ_key;
    q->km.encr_key = suite->encr_key ? s->material : NULL;
    q->km.integ_key = suite->integ_key ? s->material + 36 : NULL;
    q->key = &s->key;
    q->key_len = sizeof s->key;
}

int
fx_sa_add(struct fx *fx, struct fx_sa *s)
{
    return ipsec_sad_add(&fx->ips, &s->sa, &s->params);
}

void
fx_pkt_new(struct fx_pkt *p, const uint8_t *data, size_t len, size_t head,
           size_t tail)
{
    p->size = head + len + tail;
    p->mem = malloc(p->size > 0 ? p->size : 1);
    assert_non_null(p->mem);
    memset(p->mem, 0xa5, p->size);
    if (len > 0) {
        memcpy(p->mem + head, data, len);
    }
    ipsec_pkt_init(&p->pkt, p->mem, p->size, head, len);
}

void
fx_pkt_build(struct fx_pkt *p, const struct packet_spec *spec, size_t head,
             size_t tail)
{
    static uint8_t data[PACKET_MAX + 64];

    fx_pkt_new(p, data, packet_build(data, spec), head, tail);
}

void
fx_pkt_free(struct fx_pkt *p)
{
    free(p->mem);
    p->mem = NULL;
}

int
fx_pkt_is(const struct fx_pkt *p, const uint8_t *data, size_t len)
{
    return p->pkt.buf.len == len && memcmp(p->pkt.buf.data, data, len) == 0;
}

int
sa_same(const struct ipsec_sa *x, const struct ipsec_sa *y)
{
    return x->packets == y->packets && x->bytes == y->bytes &&
           x->seq == y->seq && x->used == y->used && x->state == y->state &&
           x->in_flight == y->in_flight &&
           memcmp(x->window, y->window, x->window_len * 4u) == 0;
}

/* see fixture.h */
int
fx_move(struct ipsec *ips, struct ipsec_sa *sa,
        const struct ipsec_addr *local, const struct ipsec_addr *remote)
{
    return ipsec_sad_update(ips, sa, 0, local, 0, remote, 0);
}
