/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"
#include "inner.h"

/*
 * The replay window against a model (RFC 4303 section 3.4.3, appendix A2).
 * Ten bytes of choices: how wide, 64-bit numbers or not, where to begin; then
 * three bytes a packet. The model is a row of bytes, moved along when the
 * right edge moves; a whole number is the least one that is not left of the
 * window and ends in what was on the wire.
 */

#define WORDS_LOG 6 /* up to 64 words: 2048 packets */
#define WIDEST ((size_t)32 << WORDS_LOG)

struct model {
    uint64_t top;
    size_t   size;
    int      esn, off;
    uint8_t  seen[WIDEST]; /* of top, top - 1, ... */
};

static uint64_t
model_seq(const struct model *m, uint32_t low)
{
    uint64_t left = m->top - (m->size - 1), seq;

    if (!m->esn) {
        return low;
    }
    if (m->top < m->size - 1) {
        /* left of 0 by so many: what is there was never sent */
        return low >= (uint32_t)left ? 0 : low;
    }
    seq = (left & ~(uint64_t)UINT32_MAX) | low;
    if (seq < left) {
        seq = seq > UINT64_MAX - ((uint64_t)1 << 32)
            ? 0 : seq + ((uint64_t)1 << 32);
    }
    return seq;
}

static int
model_passes(const struct model *m, uint64_t seq)
{
    if (m->off || seq > m->top) {
        return 1;
    }
    return seq != 0 && m->top - seq < m->size && !m->seen[m->top - seq];
}

static void
model_take(struct model *m, uint64_t seq)
{
    size_t by;

    if (seq > m->top) {
        by = seq - m->top < m->size ? (size_t)(seq - m->top) : m->size;
        memmove(m->seen + by, m->seen, m->size - by);
        memset(m->seen, 0, by);
        m->top = seq;
    }
    if (m->top - seq < m->size) {
        m->seen[m->top - seq] = 1;
    }
}

static void
begin(struct ipsec_sa *sa, struct model *m, uint32_t *window,
      const uint8_t *data)
{
    size_t i;

    memset(sa, 0, sizeof *sa);
    sa->window = window;
    sa->window_len = (uint16_t)(1u << data[1] % (WORDS_LOG + 1));
    sa->flags = (uint16_t)(data[0] & 1 ? IPSEC_SA_ESN : 0);
    sa->flags |= (uint16_t)(data[0] & 2 ? IPSEC_SA_NO_REPLAY : 0);
    for (i = 0; i < 8; i++) {
        sa->seq = sa->seq << 8 | data[2 + i];
    }
    if (!(data[0] & 1)) {
        sa->seq &= UINT32_MAX;
    }
    ipsec_replay_init(sa);
    m->top = sa->seq;
    m->size = (size_t)32 * sa->window_len;
    m->esn = data[0] & 1;
    m->off = data[0] >> 1 & 1;
    memset(m->seen, 1, m->size);
}

/* What is on the wire: near the right edge, or anywhere. */
static uint32_t
low_of(const struct model *m, const uint8_t *data)
{
    uint32_t by = (uint32_t)data[1] << 8 | data[2];

    switch (data[0] & 3) {
    case 0:
        return (uint32_t)m->top + by;
    case 1:
        return (uint32_t)m->top - by;
    case 2:
        return by << 16;
    default:
        return (uint32_t)(m->top - m->size + by - 32768);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint32_t window[1 << WORDS_LOG];
    static struct model m;
    struct ipsec_sa sa;
    uint64_t seq, s;
    uint32_t low;

    if (len < 10) {
        return 0;
    }
    begin(&sa, &m, window, data);
    for (data += 10, len -= 10; len >= 3; data += 3, len -= 3) {
        low = low_of(&m, data);
        seq = ipsec_replay_seq(&sa, low);
        CHECK(seq == model_seq(&m, low));
        CHECK((ipsec_replay_check(&sa, seq) == IPSEC_OK) ==
              model_passes(&m, seq));
        if (data[0] & 4 && model_passes(&m, seq)) { /* it is authentic */
            ipsec_replay_update(&sa, seq);
            model_take(&m, seq);
            CHECK(sa.seq == m.top);
        }
    }
    for (s = m.top < m.size ? m.top : m.size; s > 0; s--) {
        seq = m.top - s + 1;
        CHECK((ipsec_replay_check(&sa, seq) == IPSEC_OK) ==
              model_passes(&m, seq));
    }
    return 0;
}
