/* SPDX-License-Identifier: MIT */
#include "vectors/walker.h"

#include "ipsec_mbedtls.h"

#include <mbedtls/aes.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A backend in front of the real one that puts the record's IV in place. */

struct iv_crypto {
    struct ipsec_crypto api;
    const struct walk  *walk;
};

static const struct iv_crypto *
iv_of(const struct ipsec_crypto *self)
{
    return (const struct iv_crypto *)(const void *)self;
}

/* The block that AES enciphers to the record's IV: see crypto.h. */
static int
iv_decipher(const struct walk *w, uint8_t *block)
{
    mbedtls_aes_context aes;
    int rc;

    mbedtls_aes_init(&aes);
    rc = mbedtls_aes_setkey_dec(&aes, w->encr_key, w->km.encr_key_len * 8u);
    if (rc == 0) {
        rc = mbedtls_aes_crypt_ecb(&aes, MBEDTLS_AES_DECRYPT, w->iv, block);
    }
    mbedtls_aes_free(&aes);
    return rc;
}

static int
iv_in_aad(const struct walk *w)
{
    return w->km.encr == IPSEC_ENCR_AES_CTR ||
           w->km.encr == IPSEC_ENCR_NULL_AES_GMAC;
}

/* The real operation, with the SPI and the IV of the record. */
static int
run_real(const struct walk *w, const struct ipsec_op *op)
{
    struct ipsec_op real = *op;
    uint8_t aad[IPSEC_AAD_MAX];

    memcpy(aad, op->aad, op->aad_len);
    real.aad = aad;
    if (w->spi != w->aad_spi) {
        memset(aad, 0, 3);
        aad[3] = (uint8_t)w->aad_spi;
    }
    if (!op->open && iv_in_aad(w)) {
        memcpy(aad + op->aad_len - 8, w->iv, 8);
    }
    return ipsec_mbedtls.run(&ipsec_mbedtls, &real);
}

static int
iv_run(const struct ipsec_crypto *self, struct ipsec_op *op)
{
    const struct walk *w = iv_of(self)->walk;

    if (!op->open && w->km.encr == IPSEC_ENCR_AES_CBC) {
        if (w->iv_len != 16 || op->len < 16 || iv_decipher(w, op->text) != 0) {
            return IPSEC_ERR_CRYPTO;
        }
    } else if (!op->open && w->iv_len != 0) {
        if (w->iv_len != 8 || op->iv != op->text - 8) {
            return IPSEC_ERR_CRYPTO;
        }
        memcpy(op->text - w->iv_len, w->iv, w->iv_len);
    }
    return run_real(w, op);
}

static size_t
iv_key_size(const struct ipsec_crypto *self, const struct ipsec_keymat *km)
{
    (void)self;
    return ipsec_mbedtls.key_size(&ipsec_mbedtls, km);
}

static int
iv_key_init(const struct ipsec_crypto *self, void *key,
            const struct ipsec_keymat *km, int open)
{
    (void)self;
    return ipsec_mbedtls.key_init(&ipsec_mbedtls, key, km, open);
}

static void
iv_key_wipe(const struct ipsec_crypto *self, void *key)
{
    (void)self;
    ipsec_mbedtls.key_wipe(&ipsec_mbedtls, key);
}

/* A context with one SA and a policy that protects everything with it. */

struct site {
    struct ipsec           ips;
    struct ipsec_config    cfg;
    struct iv_crypto       crypto;
    struct ipsec_sa        sa;
    struct ipsec_sa_params params;
    struct ipsec_policy    policy;
    void                  *key;
};

static int
no_random(void *user, void *buf, size_t len)
{
    (void)user;
    memset(buf, 1, len);
    return 0;
}

static void
addrs_load(struct ipsec_addr *src, struct ipsec_addr *dst, const uint8_t *p)
{
    size_t n = p[0] >> 4 == 4 ? 4 : 16;

    memset(src, 0, sizeof *src);
    memset(dst, 0, sizeof *dst);
    src->version = dst->version = p[0] >> 4;
    memcpy(src->byte, p + (n == 4 ? 12 : 8), n);
    memcpy(dst->byte, p + (n == 4 ? 16 : 24), n);
}

/* The record's ports. */
static void
ports_load(struct site *s, const struct walk *w, int dir)
{
    const uint8_t *udp = w->wire + w->esp_at - 8;
    uint16_t src = (uint16_t)(udp[0] << 8 | udp[1]);
    uint16_t dst = (uint16_t)(udp[2] << 8 | udp[3]);

    s->params.local_port = dir == IPSEC_IN ? dst : src;
    s->params.remote_port = dir == IPSEC_IN ? src : dst;
    s->cfg.natt_port = dst;
}

static void
site_params(struct site *s, const struct walk *w, int dir)
{
    struct ipsec_sa_params *q = &s->params;

    q->spi = w->spi;
    q->reqid = 1;
    q->dir = (uint8_t)dir;
    q->proto = w->proto;
    q->mode = w->mode;
    q->flags = (uint16_t)(IPSEC_SA_NEGOTIATED | (w->esn ? IPSEC_SA_ESN : 0));
    q->seq = w->seq - 1;
    q->km = w->km;
    if (dir == IPSEC_IN) {
        addrs_load(&q->remote, &q->local, w->wire);
    } else {
        addrs_load(&q->local, &q->remote, w->wire);
    }
    if (w->udp) {
        ports_load(s, w, dir);
    }
    q->key_len = iv_key_size(NULL, &w->km);
    q->key = s->key = malloc(q->key_len > 0 ? q->key_len : 1);
}

static int
site_open(struct site *s, const struct walk *w, int dir)
{
    int rc;

    memset(s, 0, sizeof *s);
    s->crypto.api.name = "records' IVs";
    s->crypto.api.key_size = iv_key_size;
    s->crypto.api.key_init = iv_key_init;
    s->crypto.api.key_wipe = iv_key_wipe;
    s->crypto.api.run = iv_run;
    s->crypto.walk = w;
    s->cfg.crypto = &s->crypto.api;
    s->cfg.random = no_random;
    s->policy.action = IPSEC_ACTION_PROTECT;
    s->policy.dir = (uint8_t)dir;
    s->policy.proto = w->proto;
    s->policy.mode = w->mode;
    s->policy.reqid = 1;
    site_params(s, w, dir);
    rc = s->key == NULL ? IPSEC_ERR_ARG : ipsec_init(&s->ips, &s->cfg);
    if (rc == IPSEC_OK) {
        rc = ipsec_sad_add(&s->ips, &s->sa, &s->params);
    }
    if (rc == IPSEC_OK) {
        rc = ipsec_spd_add(&s->ips, &s->policy);
    }
    if (rc != IPSEC_OK) {
        free(s->key);
    }
    return rc;
}

static void
site_close(struct site *s)
{
    ipsec_sad_remove(&s->ips, &s->sa);
    free(s->key);
}

/* A packet in memory of exactly its size. */

struct parcel {
    struct ipsec_pkt pkt;
    uint8_t         *mem;
};

static int
parcel_make(struct parcel *p, const uint8_t *data, size_t len, size_t head,
            size_t tail)
{
    p->mem = malloc(head + len + tail + (head + len + tail == 0));
    if (p->mem == NULL) {
        return 0;
    }
    memcpy(p->mem + head, data, len);
    ipsec_pkt_init(&p->pkt, p->mem, head + len + tail, head, len);
    return 1;
}

static int
offer(struct site *s, const uint8_t *data, size_t len)
{
    struct parcel p;
    int rc;

    if (!parcel_make(&p, data, len, 0, 0)) {
        return IPSEC_OK; /* no drop: the check fails */
    }
    rc = ipsec_inbound(&s->ips, &p.pkt);
    free(p.mem);
    return rc;
}

/* The checks */

static int
is_plain(const struct walk *w, const struct ipsec_buf *buf)
{
    return buf->len == w->plain_len &&
           memcmp(buf->data, w->plain, w->plain_len) == 0;
}

/* Open; the same once more is a replay, and changes nothing. */
static const char *
check_open(const struct walk *w, const uint8_t *wire, size_t len)
{
    const char *wrong = NULL;
    struct parcel p;
    struct site s;

    if (site_open(&s, w, IPSEC_IN) != IPSEC_OK ||
        !parcel_make(&p, wire, len, 0, 0)) {
        return "the build lacks this";
    }
    if (ipsec_inbound(&s.ips, &p.pkt) != IPSEC_OK) {
        wrong = "does not open";
    } else if (!is_plain(w, &p.pkt.buf)) {
        wrong = "opens to something else";
    } else if (s.sa.seq != w->seq || s.sa.packets != 1) {
        wrong = "opens, and counts wrongly";
    } else if (offer(&s, wire, len) >= 0 || s.sa.packets != 1) {
        wrong = "opens twice";
    }
    free(p.mem);
    site_close(&s);
    return wrong;
}

/* The header checksum of an IPv4 packet, as it has to be. */
static uint16_t
sum4(const uint8_t *p)
{
    uint32_t sum = 0;
    size_t i;

    for (i = 0; i < (size_t)(p[0] & 15) * 4; i += 2) {
        sum += i == 10 ? 0 : (uint32_t)p[i] << 8 | p[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~((sum & 0xffff) + (sum >> 16));
}

static void
length_put(uint8_t *p, size_t len)
{
    uint16_t sum;

    if (p[0] >> 4 == 6) {
        p[4] = (uint8_t)((len - 40) >> 8);
        p[5] = (uint8_t)(len - 40);
        return;
    }
    p[2] = (uint8_t)(len >> 8);
    p[3] = (uint8_t)len;
    sum = sum4(p);
    p[10] = (uint8_t)(sum >> 8);
    p[11] = (uint8_t)sum;
}

/* What a sender may choose in an outer header is the record's. */
static void
choices_copy(const struct walk *w, uint8_t *p)
{
    if (w->mode != IPSEC_MODE_TUNNEL) {
        return;
    }
    if (p[0] >> 4 == 4) {
        memcpy(p + 4, w->wire + 4, 2);
        p[6] = (uint8_t)((p[6] & ~0x40) | (w->wire[6] & 0x40));
        p[8] = w->wire[8];
        memcpy(p + 10, w->wire + 10, 2);
    } else {
        p[1] = (uint8_t)((p[1] & 0xf0) | (w->wire[1] & 0x0f));
        memcpy(p + 2, w->wire + 2, 2);
        p[7] = w->wire[7];
    }
}

static const char *
check_sealed(const struct walk *w, struct ipsec_buf *buf)
{
    /* AH in a tunnel over IPv4 covers what the sender chooses */
    if (w->proto == IPSEC_PROTO_AH && w->mode == IPSEC_MODE_TUNNEL &&
        w->wire[0] >> 4 == 4) {
        return check_open(w, buf->data, buf->len);
    }
    if (buf->len != w->wire_len) {
        return "seals to another length";
    }
    if (buf->data[0] >> 4 == 4 &&
        ((unsigned)buf->data[10] << 8 | buf->data[11]) != sum4(buf->data)) {
        return "seals with a wrong header checksum";
    }
    choices_copy(w, buf->data);
    return memcmp(buf->data, w->wire, w->wire_len) == 0
        ? NULL : "seals to something else";
}

static const char *
check_seal(const struct walk *w)
{
    const char *wrong = NULL;
    struct parcel p;
    struct site s;

    if (site_open(&s, w, IPSEC_OUT) != IPSEC_OK ||
        !parcel_make(&p, w->plain, w->plain_len, IPSEC_HEADROOM,
                     IPSEC_TAILROOM)) {
        return "the build lacks this";
    }
    if (ipsec_outbound(&s.ips, &p.pkt) != IPSEC_OK) {
        wrong = "does not seal";
    } else if (s.sa.seq != w->seq) {
        wrong = "seals with another number";
    } else {
        wrong = check_sealed(w, &p.pkt.buf);
    }
    free(p.mem);
    site_close(&s);
    return wrong;
}

/* `data` must be dropped by a fresh SA and leave no trace but the count. */
static const char *
check_drop(const struct walk *w, const uint8_t *data, size_t len)
{
    struct ipsec_sa before;
    struct site s;
    int rc;

    if (site_open(&s, w, IPSEC_IN) != IPSEC_OK) {
        return "the build lacks this";
    }
    before = s.sa;
    rc = offer(&s, data, len);
    before.drop_auth = s.sa.drop_auth;
    before.drop_replay = s.sa.drop_replay;
    before.drop_other = s.sa.drop_other;
    if (rc < 0) {
        rc = memcmp(&before, &s.sa, sizeof before) == 0 &&
             s.ips.stats.in_drop[-rc] == 1 ? -1 : 0;
    }
    site_close(&s);
    return rc < 0 ? NULL : "is not dropped, or changes the SA";
}

static const char *
check_flips(const struct walk *w)
{
    static char what[80];
    uint8_t *p = malloc(w->wire_len);
    const char *wrong = NULL;
    size_t bit;

    if (p == NULL) {
        return "no memory";
    }
    for (bit = w->esp_at * 8; bit < w->wire_len * 8 && wrong == NULL; bit++) {
        memcpy(p, w->wire, w->wire_len);
        p[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        wrong = check_drop(w, p, w->wire_len);
    }
    free(p);
    if (wrong != NULL) {
        snprintf(what, sizeof what, "with bit %zu flipped %s", bit - 1, wrong);
        wrong = what;
    }
    return wrong;
}

/* Cut short on its way; and the same with an IP header that admits it, and a
 * UDP header. */
static const char *
check_cuts(const struct walk *w)
{
    static char what[80];
    uint8_t *p = malloc(w->wire_len);
    const char *wrong = NULL;
    size_t len;

    if (p == NULL) {
        return "no memory";
    }
    memcpy(p, w->wire, w->wire_len);
    for (len = 0; len < w->wire_len && wrong == NULL; len++) {
        wrong = check_drop(w, w->wire, len);
        if (wrong != NULL || len < w->esp_at) {
            continue;
        }
        length_put(p, len);
        if (w->udp) {
            p[w->esp_at - 4] = (uint8_t)((len - w->esp_at + 8) >> 8);
            p[w->esp_at - 3] = (uint8_t)(len - w->esp_at + 8);
        }
        wrong = check_drop(w, p, len);
    }
    free(p);
    if (wrong != NULL) {
        snprintf(what, sizeof what, "cut to %zu bytes %s", len - 1, wrong);
        wrong = what;
    }
    return wrong;
}

const char *
walk_check(const struct walk *w)
{
    const char *wrong = check_open(w, w->wire, w->wire_len);

    if (wrong == NULL) {
        wrong = check_seal(w);
    }
    if (wrong == NULL) {
        wrong = check_flips(w);
    }
    return wrong == NULL ? check_cuts(w) : wrong;
}
