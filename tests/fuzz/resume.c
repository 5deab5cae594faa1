/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"

/*
 * One site whose engine answers at once, and one whose engine lets packets
 * wait, to be ended in the order that the input gives: the same packets get
 * the same verdicts, bytes and counts. Six bytes of choices, then eight a
 * packet.
 *
 * Where packets overlap, what one does may depend on whether another was
 * before it. So each is given to the first site when its fate is decided at
 * the other: outbound at its beginning, inbound at its end. With several
 * layers, or 64-bit numbers inbound, there is no one such moment: then only
 * one at a time is under way.
 */

#define PACKETS 8
#define HEAD (4 * IPSEC_HEADROOM)
#define TAIL (4 * IPSEC_TAILROOM)
#define BODY 64
#define SIZE (HEAD + 40 + BODY + HEAD + TAIL)

struct flight {
    uint8_t          mem[SIZE], twin[SIZE], sealed[SIZE];
    size_t           len;
    struct ipsec_pkt pkt, other;
    uint8_t          fail;    /* what the engine says of its first layer */
    int              waiting, verdict, want;
};

static struct site source, now, later;
static struct flight flight[PACKETS];
static int dir, alone;
static size_t layers;

static const int fates[] = {
    IPSEC_OK, IPSEC_OK, IPSEC_OK, IPSEC_OK, IPSEC_OK, IPSEC_ERR_AUTH,
    IPSEC_ERR_CRYPTO, 77
};

static void
sas_add(struct site *site, int to, const uint8_t *data)
{
    struct ipsec_addr a, b;
    unsigned choice;
    size_t i;

    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    a.version = b.version = data[0] & 4 ? 6 : 4;
    a.byte[0] = 10;
    b.byte[0] = 11;
    for (i = 0; i < layers; i++) {
        choice = (data[1 + i] | (unsigned)data[5] << 8) & ~0x40u;
        choice ^= (unsigned)(i & 1) << 9;
        site_add(site, to, choice, (uint32_t)(0x1000 + i),
                 to == IPSEC_OUT ? &a : &b, to == IPSEC_OUT ? &b : &a);
    }
}

/* A packet of `n` bytes of payload from 10.0.0.0 or a00:: */
static size_t
plain_build(uint8_t *p, size_t n, uint8_t proto, int v6)
{
    size_t head = v6 ? 40 : 20;

    memset(p, 0, head + n);
    if (v6) {
        p[0] = 0x60;
        p[5] = (uint8_t)n;
        p[6] = proto;
        p[8] = 10;
        p[24] = 11;
    } else {
        p[0] = 0x45;
        p[2] = (uint8_t)((head + n) >> 8);
        p[3] = (uint8_t)(head + n);
        p[8] = 64;
        p[9] = proto;
        p[12] = 10;
        p[16] = 11;
    }
    return head + n;
}

static void
sum_set(uint8_t *p)
{
    uint32_t sum = 0;
    size_t i;

    p[10] = p[11] = 0;
    for (i = 0; i < 20; i += 2) {
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    p[10] = (uint8_t)(sum >> 8);
    p[11] = (uint8_t)sum;
}

/* Packet `i`, as data[0..7] say, at HEAD in its memory. Inbound it is one that
 * a peer has sealed, or a copy of an earlier one, and then spoilt. */
static void
packet_make(size_t i, const uint8_t *data, int v6)
{
    struct flight *f = &flight[i];
    size_t at;

    memset(f->mem, 0, sizeof f->mem);
    /* a copy may have taken its place before the engine said no */
    f->fail = dir == IPSEC_OUT || alone ? data[7] & 7 : 0;
    f->len = plain_build(f->mem + HEAD, data[1] % 61, data[2], v6);
    if (!v6) {
        sum_set(f->mem + HEAD);
    }
    if (dir == IPSEC_IN && i > 0 && data[0] & 1) {
        memcpy(f->mem, flight[i - 1].sealed, SIZE);
        f->len = flight[i - 1].len;
    } else if (dir == IPSEC_IN) {
        ipsec_pkt_init(&f->pkt, f->mem, SIZE, HEAD, f->len);
        if (ipsec_outbound(&source.ips, &f->pkt) == IPSEC_OK) {
            f->len = f->pkt.buf.len;
            memmove(f->mem + HEAD, f->pkt.buf.data, f->len);
        }
    }
    memcpy(f->sealed, f->mem, SIZE);
    if (data[0] & 2) {
        at = (data[3] | (size_t)data[4] << 8) % f->len;
        f->mem[HEAD + at] ^= data[5];
        if (data[0] & 4 && f->mem[HEAD] == 0x45) {
            sum_set(f->mem + HEAD);
        }
    }
    memcpy(f->twin, f->mem, SIZE);
}

/* The same in one go. */
static void
decide(struct flight *f)
{
    struct fake_state *st = &now.st;

    st->run_fails_at = fates[f->fail] != IPSEC_OK ? st->runs + 1 : 0;
    st->run_fails_with = fates[f->fail];
    ipsec_pkt_init(&f->other, f->twin, SIZE, HEAD, f->len);
    f->want = dir == IPSEC_IN ? ipsec_inbound(&now.ips, &f->other)
                              : ipsec_outbound(&now.ips, &f->other);
}

static void
check_same(const struct flight *f)
{
    CHECK(f->verdict == f->want);
    CHECK(f->pkt.seq == f->other.seq && f->pkt.mtu == f->other.mtu);
    if (f->verdict == IPSEC_ERR_REPLAY) {
        return; /* one was told before it got to the engine */
    }
    CHECK(f->pkt.layers == f->other.layers);
    CHECK(f->pkt.buf.len == f->other.buf.len);
    CHECK(f->pkt.buf.data - f->mem == f->other.buf.data - f->twin);
    if (f->verdict >= 0) {
        CHECK(memcmp(f->pkt.buf.data, f->other.buf.data, f->pkt.buf.len) == 0);
    }
}

static void
ended(struct flight *f)
{
    f->waiting = 0;
    if (dir == IPSEC_IN) {
        decide(f);
    }
    check_same(f);
}

static void
land(struct ipsec_op *op, int result)
{
    struct flight *f = ipsec_op_pkt(op)->user;

    f->verdict = ipsec_resume(&later.ips, &f->pkt, result);
}

/* The operation at `at` of the queue ends. */
static void
complete(size_t at)
{
    struct flight *f = ipsec_op_pkt(later.st.queue[at])->user;
    int fate = f->waiting == 1 ? fates[f->fail] : IPSEC_OK;

    f->waiting++;
    if (fate == IPSEC_OK) {
        fake_complete(&later.st, at);
    } else {
        fake_complete_with(&later.st, at, fate);
    }
    if (f->verdict != IPSEC_PENDING) {
        ended(f);
    }
}

static void
start(struct flight *f)
{
    struct fake_state *st = &later.st;
    int waits = st->mix >> st->runs % 32 & 1;

    if (dir == IPSEC_OUT) {
        decide(f);
    }
    st->run_fails_at = waits || fates[f->fail] == IPSEC_OK ? 0 : st->runs + 1;
    st->run_fails_with = fates[f->fail];
    ipsec_pkt_init(&f->pkt, f->mem, SIZE, HEAD, f->len);
    f->pkt.user = f;
    f->pkt.done = land;
    f->waiting = 1;
    f->verdict = dir == IPSEC_IN ? ipsec_inbound(&later.ips, &f->pkt)
                                 : ipsec_outbound(&later.ips, &f->pkt);
    if (f->verdict != IPSEC_PENDING) {
        ended(f);
    }
}

static void
check_sites(void)
{
    const struct ipsec_sa *x, *y;
    size_t i;

    CHECK(memcmp(&now.ips.stats, &later.ips.stats, sizeof now.ips.stats) == 0);
    CHECK(now.st.misuse == 0 && later.st.misuse == 0);
    for (i = 0; i < now.sas; i++) {
        x = &now.sa[i].sa;
        y = &later.sa[i].sa;
        CHECK(x->seq == y->seq && x->packets == y->packets);
        CHECK(x->bytes == y->bytes && x->in_flight + y->in_flight == 0);
        CHECK(x->drop_auth == y->drop_auth);
        CHECK(x->drop_replay == y->drop_replay);
        CHECK(x->drop_other == y->drop_other);
        CHECK(memcmp(x->window_own, y->window_own, 8) == 0);
    }
}

static void
sites_init(const uint8_t *data)
{
    dir = data[0] & 1 ? IPSEC_IN : IPSEC_OUT;
    layers = 1u + (data[0] >> 3 & 3);
    site_init(&source);
    site_init(&now);
    site_init(&later);
    source.st.clear = now.st.clear = later.st.clear = 1;
    sas_add(&source, IPSEC_OUT, data);
    sas_add(&now, dir, data);
    sas_add(&later, dir, data);
    later.st.mode = FAKE_MIXED;
    later.st.mix = data[0] & 2 ? UINT32_MAX : data[4] * 0x01010101u;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    int v6;
    size_t i;

    if (len < 14) {
        return 0;
    }
    sites_init(data);
    v6 = (data[0] & 4) != 0;
    alone = layers > 1 || (dir == IPSEC_IN && data[1] & SITE_ESN);
    data += 6;
    for (i = 0; i < PACKETS && (i + 1) * 8 <= len - 6; i++) {
        packet_make(i, data + 8 * i, v6);
        start(&flight[i]);
        while (later.st.queued > 0 && (alone || data[8 * i + 6] & 128)) {
            complete((data[8 * i + 6] & 127) % later.st.queued);
        }
    }
    while (later.st.queued > 0) {
        complete(data[6] % later.st.queued);
    }
    check_sites();
    return 0;
}
