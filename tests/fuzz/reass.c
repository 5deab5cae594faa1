/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"
#include "ipsec/netif.h"

/*
 * Reassembly. The first byte says what the others are:
 *   0: steps of 8 bytes, each a fragment; a model without slots, bits or
 *      headers must agree on every answer and every byte;
 *   1: packets with a length ahead of each, whatever they are, the clock going
 *      on;
 *   2: a packet, which is cut up and put together: the same comes out.
 */

#define SLOTS 8
#define HOLDS 1024
#define HEAD 20
#define TAIL 12
#define SECONDS 5

static struct ipsec_reass re;
static struct ipsec_reass_slot slot[SLOTS];

static void
reass_init(uint8_t len, size_t holds)
{
    size_t i;

    memset(&re, 0, sizeof re);
    memset(slot, 0, sizeof slot);
    re.slot = slot;
    re.len = len;
    re.seconds = SECONDS;
    re.headroom = HEAD;
    re.tailroom = TAIL;
    for (i = 0; i < len; i++) {
        slot[i].size = IPSEC_REASS_SIZE(holds, HEAD, TAIL);
        slot[i].buf = malloc(slot[i].size);
        CHECK(slot[i].buf != NULL);
    }
}

static void
reass_end(void)
{
    size_t i;

    for (i = 0; i < re.len; i++) {
        free(slot[i].buf);
    }
}

/* From memory of its own size. */
static int
give(const uint8_t *p, size_t len, uint32_t now, struct ipsec_buf *out)
{
    uint8_t *copy = malloc(len + (len == 0));
    int rc;

    CHECK(copy != NULL);
    if (len > 0) {
        memcpy(copy, p, len);
    }
    out->head = out->data = copy;
    out->end = copy + len;
    out->len = len;
    rc = ipsec_reass(&re, out, now);
    CHECK(rc == IPSEC_OK || rc == IPSEC_CONSUMED ||
          rc == IPSEC_ERR_MALFORMED || rc == IPSEC_ERR_ECN ||
          rc == IPSEC_ERR_BUSY);
    if (rc == IPSEC_OK && out->head != copy) {
        CHECK((size_t)(out->data - out->head) >= HEAD);
        CHECK((size_t)(out->end - out->data) >= out->len + TAIL);
    }
    free(copy);
    return rc;
}

static void
seal4(uint8_t *p)
{
    uint32_t sum = 0;
    size_t i;

    p[10] = p[11] = 0;
    for (i = 0; i < (size_t)(p[0] & 15) * 4; i += 2) {
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    p[10] = (uint8_t)(sum >> 8);
    p[11] = (uint8_t)sum;
}

/* The model: a datagram is bytes that are there or not. */

struct model {
    uint8_t  byte[HOLDS], there[HOLDS];
    int      live, dead;
    size_t   total;    /* or 0 */
    uint32_t until;
};

static struct model model[4];

static int
model_add(struct model *m, size_t at, const uint8_t *p, size_t len, int more,
          uint32_t now)
{
    size_t i, old = 0, same = 0, beyond = 0, have = 0, end = at + len;

    if (m->live && (int32_t)(now - m->until) >= 0) {
        m->live = 0;
    }
    if (len == 0 || (more && len % 8 != 0)) {
        return IPSEC_ERR_MALFORMED;
    }
    if (!m->live) {
        memset(m, 0, sizeof *m);
        m->live = 1;
        m->until = now + SECONDS;
    }
    if (m->dead || end > HOLDS) {
        m->dead = 1;
        return IPSEC_ERR_MALFORMED;
    }
    for (i = 0; i < HOLDS; i++) {
        beyond += m->there[i] && i >= end;
        if (i >= at && i < end && m->there[i]) {
            old++;
            same += m->byte[i] == p[i - at];
        }
    }
    if ((m->total != 0 && (more ? end >= m->total : end != m->total)) ||
        (!more && m->total == 0 && (beyond > 0 || old > 0)) ||
        (old > 0 && (old < len || same < len))) {
        m->dead = 1;
        return IPSEC_ERR_MALFORMED;
    }
    memcpy(m->byte + at, p, len);
    memset(m->there + at, 1, len);
    m->total = more ? m->total : end;
    for (i = 0; i < HOLDS; i++) {
        have += m->there[i];
    }
    return m->total != 0 && have == m->total ? IPSEC_OK : IPSEC_CONSUMED;
}

/* A fragment of datagram `which`, which has a source of its own, so that none
 * is evicted. The length of its headers. */
static size_t
header(uint8_t *p, unsigned which, size_t at, size_t len, int more)
{
    size_t hdr = which & 1 ? 48 : 20;

    memset(p, 0, hdr);
    if (hdr == 20) {
        p[0] = 0x45;
        p[2] = (uint8_t)((hdr + len) >> 8);
        p[3] = (uint8_t)(hdr + len);
        p[6] = (uint8_t)((more ? 0x20 : 0) | at >> 11);
        p[7] = (uint8_t)(at >> 3);
        p[8] = 64;
        p[9] = 253;
        p[15] = (uint8_t)which;
        seal4(p);
        return hdr;
    }
    p[0] = 0x60;
    p[4] = (uint8_t)((8 + len) >> 8);
    p[5] = (uint8_t)(8 + len);
    p[6] = 44;
    p[23] = (uint8_t)which;
    p[40] = 253;
    p[42] = (uint8_t)(at >> 8);
    p[43] = (uint8_t)(at | (more ? 1u : 0));
    return hdr;
}

static void
step(const uint8_t *b, uint32_t *now)
{
    uint8_t p[48 + 1024];
    unsigned which = b[0] & 3;
    size_t at = (size_t)(b[1] % 140) * 8, i, hdr;
    size_t len = b[2] & 128 ? b[2] & 127u : (b[2] & 127u) * 8;
    int more = b[0] >> 2 & 1, rc;
    struct ipsec_buf out;

    *now += (b[0] & 0xf8) == 0xf8 ? b[3] & 7u : 0;
    if (at == 0 && !more) {
        return; /* no fragment */
    }
    hdr = header(p, which, at, len, more);
    for (i = 0; i < len; i++) {
        p[hdr + i] = (uint8_t)(at + i);
    }
    if (len > 0 && b[4] > 250) {
        p[hdr + b[5] % len] ^= 1;
    }
    rc = give(p, hdr + len, *now, &out);
    CHECK(rc == model_add(&model[which], at, p + hdr, len, more, *now));
    if (rc == IPSEC_OK) {
        hdr = which & 1 ? 40 : 20;
        CHECK(out.len == hdr + model[which].total);
        CHECK(memcmp(out.data + hdr, model[which].byte,
                     model[which].total) == 0);
        ipsec_reass_release(&re, out.head);
        model[which].live = 0;
    }
}

static void
steps(const uint8_t *data, size_t len)
{
    uint32_t now = UINT32_MAX - 20;

    reass_init(SLOTS, HOLDS);
    memset(model, 0, sizeof model);
    for (; len >= 8; len -= 8, data += 8) {
        step(data, &now);
    }
    CHECK(re.evicted == 0);
    reass_end();
}

static void
anything(const uint8_t *data, size_t len)
{
    struct ipsec_buf out;
    uint8_t p[2048];
    uint32_t now = 0;
    size_t n;
    int rc;

    reass_init(3, 300);
    while (len >= 3) {
        n = (size_t)(data[0] & 7) << 8 | data[1];
        n = n < len - 3 ? n : len - 3;
        now += data[0] >> 6;
        memcpy(p, data + 3, n);
        if (n >= 20 && p[0] >> 4 == 4 && (size_t)(p[0] & 15) * 4 <= n) {
            seal4(p);
        }
        rc = give(p, n, now, &out);
        if (rc == IPSEC_OK && data[2] & 1) {
            ipsec_reass_release(&re, out.head);
        }
        if (data[2] & 2) {
            ipsec_reass_tick(&re, now + (data[2] >> 2));
        }
        data += n + 3;
        len -= n + 3;
    }
    reass_end();
}

/* Fields that need not come back: the header checksum may have been wrong. */
static void
same(const struct ipsec_buf *out, const uint8_t *p, size_t len)
{
    size_t i;

    CHECK(out->len == len);
    for (i = 0; i < len; i++) {
        CHECK(out->data[i] == p[i] ||
              (p[0] >> 4 == 4 && (i == 10 || i == 11)));
    }
}

static void
there_and_back(const uint8_t *data, size_t len)
{
    static uint8_t piece[600][2048];
    struct ipsec_buf buf, frag, out;
    uint8_t p[2048];
    size_t off = 0, n, i, k, lens[600], mtu, total;
    int rc, first;

    if (len < 42 || len - 2 > sizeof p) {
        return;
    }
    mtu = data[0] + 20u * (data[1] & 31);
    len -= 2;
    memcpy(p, data + 2, len);
    buf.head = buf.data = p;
    buf.end = p + len;
    buf.len = len;
    for (n = 0; n < 600; n++) {
        frag.head = frag.data = piece[n];
        frag.end = piece[n] + sizeof piece[n];
        rc = ipsec_fragment(&buf, mtu, 9, &off, &frag);
        if (rc != IPSEC_OK) {
            break;
        }
        CHECK(frag.len <= mtu);
        lens[n] = frag.len;
    }
    total = p[0] >> 4 == 4 ? (size_t)p[2] << 8 | p[3]
                           : ((size_t)p[4] << 8 | p[5]) + 40;
    first = p[0] >> 4 == 4 && ((p[6] & 0x3f) | p[7]) != 0;
    if (rc != IPSEC_CONSUMED || n < 2 || first) {
        return; /* it was too big, is whole, or was a fragment before */
    }
    reass_init(1, 2048);
    for (i = 0; i < n; i++) {
        k = data[1] & 32 ? n - 1 - i : i;
        rc = give(piece[k], lens[k], 1, &out);
        if (rc == IPSEC_ERR_MALFORMED) {
            break; /* TCP on top of its header, long headers */
        }
        CHECK(rc == (i + 1 < n ? IPSEC_CONSUMED : IPSEC_OK));
    }
    if (i == n) {
        p[6] &= p[0] >> 4 == 4 ? 0xc0 : 0xff;
        same(&out, p, total);
    }
    reass_end();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1) {
        return 0;
    }
    switch (data[0] % 3) {
    case 0:
        steps(data + 1, len - 1);
        break;
    case 1:
        anything(data + 1, len - 1);
        break;
    default:
        there_and_back(data + 1, len - 1);
        break;
    }
    return 0;
}
