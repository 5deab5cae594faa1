/* SPDX-License-Identifier: MIT */
#include "vectors/walker.h"

#include <string.h>

/* From a record to a packet before and after. */

struct name {
    const char *name;
    uint16_t    id; /* IKEv2 transform ID */
};

static const struct name encr_names[] = {
    { "NULL", 11 }, { "AES-CBC", 12 }, { "AES-CTR", 13 }, { "AES-CCM-8", 14 },
    { "AES-CCM-12", 15 }, { "AES-CCM-16", 16 }, { "AES-GCM-8", 18 },
    { "AES-GCM-12", 19 }, { "AES-GCM-16", 20 }, { "NULL-AES-GMAC", 21 },
    { "CHACHA20-POLY1305", 28 }, { "AES-CCM-8-IIV", 29 },
    { "AES-GCM-16-IIV", 30 }, { "CHACHA20-POLY1305-IIV", 31 }, { NULL, 0 }
};

static const struct name integ_names[] = {
    { "HMAC-SHA1-96", 2 }, { "AES-XCBC-96", 5 }, { "AES-CMAC-96", 8 },
    { "AES-GMAC-128", 9 }, { "HMAC-SHA2-256-128", 12 },
    { "HMAC-SHA2-384-192", 13 }, { "HMAC-SHA2-512-256", 14 }, { NULL, 0 }
};

static int
name_find(const struct name *row, const char *name, uint16_t *id)
{
    for (; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            *id = row->id;
            return 1;
        }
    }
    return 0;
}

/* Hex that may be missing, which is as good as none at all. */
static int
hex_opt(const struct record *rec, const char *key, uint8_t *buf, size_t max,
        size_t *len)
{
    long n = record_get(rec, key) == NULL ? 0 : record_hex(rec, key, buf, max);

    *len = n < 0 ? 0 : (size_t)n;
    return n >= 0;
}

static const char *
keys_read(struct walk *w, const struct record *rec)
{
    const char *encr = record_get(rec, "encr"), *integ;
    const char *proto = record_get(rec, "proto");
    size_t key, salt, mac;

    integ = record_get(rec, "integ");
    if (encr == NULL && proto != NULL && strcmp(proto, "ah") == 0) {
        encr = "NULL"; /* AH enciphers nothing */
    }
    if (encr == NULL || !name_find(encr_names, encr, &w->km.encr) ||
        (integ != NULL && !name_find(integ_names, integ, &w->km.integ))) {
        return "an algorithm without a number";
    }
    if (!hex_opt(rec, "encr_key", w->encr_key, sizeof w->encr_key - 8, &key) ||
        !hex_opt(rec, "salt", w->encr_key + key, 8, &salt) ||
        !hex_opt(rec, "integ_key", w->integ_key, sizeof w->integ_key, &mac) ||
        !hex_opt(rec, "iv", w->iv, sizeof w->iv, &w->iv_len)) {
        return "keys, salt or iv can't be read";
    }
    w->km.encr_key = w->encr_key;
    w->km.encr_key_len = (uint16_t)(key + salt);
    w->km.integ_key = w->integ_key;
    w->km.integ_key_len = (uint16_t)mac;
    return NULL;
}

static const char *
numbers_read(struct walk *w, const struct record *rec)
{
    uint64_t spi, esn = 0, udp = 0;

    if (!record_number(rec, "spi", &spi) || spi > UINT32_MAX ||
        !record_number(rec, "seq", &w->seq) || w->seq == 0 ||
        (record_get(rec, "esn") != NULL &&
         (!record_number(rec, "esn", &esn) || esn > 1)) ||
        (record_get(rec, "udp") != NULL &&
         (!record_number(rec, "udp", &udp) || udp > 1))) {
        return "spi, seq, esn or udp can't be read";
    }
    w->spi = w->aad_spi = (uint32_t)spi;
    w->esn = (uint8_t)esn;
    w->udp = (uint8_t)udp;
    return NULL;
}

/* Is `p` an IP packet of exactly `len` bytes? */
static int
whole(const uint8_t *p, size_t len)
{
    if (len >= 20 && p[0] >> 4 == 4) {
        return (p[0] & 15) >= 5 && ((size_t)p[2] << 8 | p[3]) == len;
    }
    return len >= 40 && p[0] >> 4 == 6 &&
           ((size_t)p[4] << 8 | p[5]) + 40 == len;
}

/* Where `proto` is: behind the IP header, its options and extension headers;
 * 0: nowhere. */
static size_t
proto_find(const uint8_t *p, size_t len, uint8_t proto)
{
    size_t at = p[0] >> 4 == 4 ? (size_t)(p[0] & 15) * 4 : 40;
    uint8_t next = p[0] >> 4 == 4 ? p[9] : p[6];

    while (next != proto && p[0] >> 4 == 6 && at + 8 <= len) {
        if (next != 0 && next != 43 && next != 44 && next != 60) {
            return 0;
        }
        next = p[at];
        at += ((size_t)p[at + 1] + 1) * 8;
    }
    return next == proto && at + 8 <= len ? at : 0;
}

/* Where the SPI is: in UDP, behind its header, which has to be the whole
 * packet's; 0: nowhere. */
static size_t
spi_find(const struct walk *w)
{
    size_t at = proto_find(w->wire, w->wire_len, w->udp ? 17 : w->proto);
    const uint8_t *udp = w->wire + at;

    if (!w->udp || at == 0) {
        return at;
    }
    return at + 16 <= w->wire_len &&
           ((size_t)udp[4] << 8 | udp[5]) == w->wire_len - at ? at + 8 : 0;
}

static const char *
packets_read(struct walk *w, const struct record *rec)
{
    const char *mode = record_get(rec, "mode");
    long plain = record_hex(rec, "plain", w->plain, sizeof w->plain);
    long wire = record_hex(rec, "wire", w->wire, sizeof w->wire);

    if (mode == NULL || plain < 0 || wire < 0 ||
        !whole(w->plain, (size_t)plain) || !whole(w->wire, (size_t)wire)) {
        return "mode, plain or wire can't be read";
    }
    w->plain_len = (size_t)plain;
    w->wire_len = (size_t)wire;
    w->mode = strcmp(mode, "tunnel") == 0 ? IPSEC_MODE_TUNNEL
                                          : IPSEC_MODE_TRANSPORT;
    if (w->mode != IPSEC_MODE_TUNNEL && strcmp(mode, "transport") != 0) {
        return "unknown mode";
    }
    w->esp_at = spi_find(w);
    return w->esp_at != 0 ? NULL : "no SPI in wire";
}

/* An IPv4 header for what has none. */
static size_t
header_put(uint8_t *p, size_t len, uint8_t proto)
{
    static const uint8_t addrs[] = { 192, 0, 2, 1, 198, 51, 100, 2 };
    uint32_t sum = 0;
    size_t i;

    memset(p, 0, 20);
    p[0] = 0x45;
    p[2] = (uint8_t)((20 + len) >> 8);
    p[3] = (uint8_t)(20 + len);
    p[8] = 64;
    p[9] = proto;
    memcpy(p + 12, addrs, sizeof addrs);
    for (i = 0; i < 20; i += 2) {
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    p[10] = (uint8_t)(sum >> 8);
    p[11] = (uint8_t)sum;
    return 20 + len;
}

/* Published without an outer header: next header 4 is a tunnel, anything else
 * transport (README.md). */
static const char *
payload_read(struct walk *w, const struct record *rec)
{
    uint64_t next;
    size_t len, at;
    long esp = record_hex(rec, "esp", w->wire + 20, sizeof w->wire - 20);

    if (!record_number(rec, "next_header", &next) || next > 255) {
        return "next_header can't be read";
    }
    w->mode = next == 4 ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT;
    at = next == 4 ? 0 : 20;
    if (esp < 8 ||
        !hex_opt(rec, "payload", w->plain + at, sizeof w->plain - 20, &len)) {
        return "payload or esp can't be read";
    }
    w->plain_len = next == 4 ? len : header_put(w->plain, len, (uint8_t)next);
    w->wire_len = header_put(w->wire, (size_t)esp, w->proto);
    w->esp_at = 20;
    w->own_header = 1;
    return next != 4 || whole(w->plain, len) ? NULL : "payload is no packet";
}

/* No SA may have an SPI below 256, but a published record does: it travels
 * under another, and the walker's backend authenticates the record's. */
static void
spi_stand_in(struct walk *w)
{
    if (w->spi < 256 && w->proto == IPSEC_PROTO_ESP) {
        w->spi += 0x10000;
        w->wire[w->esp_at + 1] = 1;
    }
}

static const char *
content_read(struct walk *w, const struct record *rec)
{
    const char *wrong = record_get(rec, "esp") != NULL
        ? payload_read(w, rec) : packets_read(w, rec);

    if (wrong == NULL) {
        spi_stand_in(w);
    }
    return wrong;
}

const char *
walk_read(struct walk *w, const struct record *rec)
{
    const char *proto = record_get(rec, "proto"), *wrong;

    memset(w, 0, offsetof(struct walk, plain));
    if (rec->broken || proto == NULL) {
        return "not a record of a packet";
    }
    if (strcmp(proto, "esp") == 0) {
        w->proto = IPSEC_PROTO_ESP;
    } else if (strcmp(proto, "ah") == 0) {
        w->proto = IPSEC_PROTO_AH;
    } else {
        return "unknown proto";
    }
    wrong = keys_read(w, rec);
    if (wrong == NULL) {
        wrong = numbers_read(w, rec);
    }
    return wrong == NULL ? content_read(w, rec) : wrong;
}
