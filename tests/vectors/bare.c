/* SPDX-License-Identifier: MIT */
#include "vectors/walker.h"

#include "inner.h"
#include "ipsec_mbedtls.h"

#include <stdlib.h>
#include <string.h>

/*
 * Records without integrity, as RFC 3602 section 4 publishes them. No SA can
 * be like that: esp.c is called, through inner.h, on one made by hand, without
 * an ICV, and what it would hand to a backend is ciphered here. The backend
 * has no cipher alone, so it makes an ICV, elsewhere.
 */

struct bare {
    struct ipsec        ips;
    struct ipsec_config cfg;
    struct ipsec_sa     sa;
    struct ipsec_pkt    pkt;
    struct ipsec_ip     ip;
    uint8_t            *mem;
};

/* One run of the backend on `text`, with keys of `encr`; the ICV is lost. */
static int
backend(const struct walk *w, uint16_t encr, struct ipsec_op op, int open,
        uint8_t *icv)
{
    static const uint8_t mac_key[32];
    struct ipsec_keymat km = w->km;
    uint64_t key[256];
    int rc;

    km.encr = encr;
    km.encr_key_len = encr == IPSEC_ENCR_NULL ? 0 : w->km.encr_key_len;
    km.integ = IPSEC_INTEG_HMAC_SHA2_256_128;
    km.integ_key = mac_key;
    km.integ_key_len = sizeof mac_key;
    if (ipsec_mbedtls.key_size(&ipsec_mbedtls, &km) > sizeof key) {
        return IPSEC_ERR_UNSUPPORTED;
    }
    rc = ipsec_mbedtls.key_init(&ipsec_mbedtls, key, &km, open);
    if (rc == IPSEC_OK) {
        op.key = key;
        op.open = (uint8_t)open;
        op.icv = icv;
        rc = ipsec_mbedtls.run(&ipsec_mbedtls, &op);
        ipsec_mbedtls.key_wipe(&ipsec_mbedtls, key);
    }
    return rc;
}

static int
encipher(const struct walk *w, const struct ipsec_op *op)
{
    uint8_t icv[16];

    return backend(w, w->km.encr, *op, 0, icv);
}

/* The ICV that has to hold is that of the text as it is. */
static int
decipher(const struct walk *w, const struct ipsec_op *op)
{
    uint8_t icv[16];
    int rc = backend(w, IPSEC_ENCR_NULL, *op, 0, icv);

    return rc == IPSEC_OK ? backend(w, w->km.encr, *op, 1, icv) : rc;
}

static void
sa_make(struct ipsec_sa *sa, const struct walk *w, int dir)
{
    memset(sa, 0, sizeof *sa);
    sa->spi = w->spi;
    sa->dir = (uint8_t)dir;
    sa->proto = IPSEC_PROTO_ESP;
    sa->mode = w->mode;
    sa->local.version = sa->remote.version = 4;
    memcpy(sa->local.byte, w->wire + (dir == IPSEC_OUT ? 12 : 16), 4);
    memcpy(sa->remote.byte, w->wire + (dir == IPSEC_OUT ? 16 : 12), 4);
    sa->seq = w->seq - 1;
    sa->iv_len = sa->align = 16;
    sa->alg = ALG_IV_TEXT;
    sa->state = IPSEC_SA_MATURE;
    sa->window = sa->window_own;
    sa->window_len = 2;
    ipsec_replay_init(sa);
}

static int
no_random(void *user, void *buf, size_t len)
{
    (void)user;
    memset(buf, 1, len);
    return 0;
}

/* The packet in memory of exactly its size, its header read. */
static int
bare_begin(struct bare *b, const struct walk *w, int dir, const uint8_t *data,
           size_t len)
{
    size_t head = dir == IPSEC_OUT ? IPSEC_HEADROOM : 0;
    size_t tail = dir == IPSEC_OUT ? IPSEC_TAILROOM : 0;

    memset(b, 0, sizeof *b);
    b->cfg.crypto = &ipsec_mbedtls;
    b->cfg.random = no_random;
    b->mem = malloc(head + len + tail + 1);
    if (b->mem == NULL || ipsec_init(&b->ips, &b->cfg) != IPSEC_OK) {
        return 0;
    }
    memcpy(b->mem + head, data, len);
    ipsec_pkt_init(&b->pkt, b->mem, head + len + tail, head, len);
    sa_make(&b->sa, w, dir);
    return ipsec_ip_parse(&b->ip, &b->pkt.buf) == IPSEC_OK;
}

static const char *
open_wrong(struct bare *b, const struct walk *w)
{
    struct ipsec_pkt *pkt = &b->pkt;

    if (ipsec_esp_open(&b->ips, pkt, &b->sa, &b->ip) != IPSEC_OK) {
        return "does not open";
    }
    if (pkt->op.len != w->wire_len - w->esp_at - 8 ||
        memcmp(pkt->op.text, w->iv, 16) != 0) {
        return "would be deciphered at another place";
    }
    if (decipher(w, &pkt->op) != IPSEC_OK) {
        return "the build lacks this";
    }
    pkt->layers = 1;
    if (ipsec_layer_opened(pkt, &b->sa, &b->ip) != IPSEC_OK) {
        return "does not open";
    }
    if (pkt->buf.len != w->plain_len ||
        memcmp(pkt->buf.data, w->plain, w->plain_len) != 0) {
        return "opens to something else";
    }
    return b->sa.seq == w->seq ? NULL : "opens, and counts wrongly";
}

static const char *
seal_wrong(struct bare *b, const struct walk *w)
{
    struct ipsec_pkt *pkt = &b->pkt;
    struct ipsec_op first;

    pkt->sa[0] = &b->sa;
    ipsec_esp_seal(pkt, &b->ip);
    if (pkt->buf.len != w->wire_len) {
        return "seals to another length";
    }
    first = pkt->op; /* what enciphers to the IV of the record */
    first.len = 16;
    memcpy(first.text, w->iv, 16);
    if (decipher(w, &first) != IPSEC_OK ||
        encipher(w, &pkt->op) != IPSEC_OK) {
        return "the build lacks this";
    }
    return memcmp(pkt->buf.data + w->esp_at, w->wire + w->esp_at,
                  w->wire_len - w->esp_at) == 0
        ? NULL : "seals to something else";
}

int
walk_is_bare(const struct walk *w)
{
    return w->km.encr == IPSEC_ENCR_AES_CBC && w->km.integ == 0;
}

const char *
walk_check_bare(const struct walk *w)
{
    const char *wrong = "no memory";
    struct bare b;

    if (!w->own_header || w->iv_len != 16 || w->udp) {
        return "has no integrity";
    }
    if (bare_begin(&b, w, IPSEC_IN, w->wire, w->wire_len)) {
        wrong = open_wrong(&b, w);
    }
    free(b.mem);
    if (wrong == NULL) {
        wrong = bare_begin(&b, w, IPSEC_OUT, w->plain, w->plain_len)
            ? seal_wrong(&b, w) : "no memory";
        free(b.mem);
    }
    return wrong;
}
