/* SPDX-License-Identifier: MIT */
#include "inner.h"

/*
 * Anti-replay window (RFC 4303 section 3.4.3).
 *
 * The window is a ring of bits: sequence number s has bit s mod w, where w,
 * the size of the window, is a power of two. sa->seq is the highest number
 * accepted so far; the bits stand for the numbers sa->seq - w + 1 to
 * sa->seq. Moving the right edge clears the bits of the numbers it passes,
 * which are those that fall off on the left.
 *
 * The check is done before the ICV is verified, to save the work, and the
 * update after: a forged packet must not move the window.
 */

static uint32_t
window_size(const struct ipsec_sa *sa)
{
    return (uint32_t)32 * sa->window_len;
}

/* The window is shorter than 2^32 numbers: their low halves tell them apart. */
static uint32_t *
word_of(const struct ipsec_sa *sa, uint32_t seq)
{
    return &sa->window[seq / 32 & (sa->window_len - 1u)];
}

static uint32_t
bit_of(uint32_t seq)
{
    return (uint32_t)1 << (seq % 32);
}

/* see inner.h */
void
ipsec_replay_init(struct ipsec_sa *sa)
{
    /* Everything up to sa->seq counts as seen. */
    memset(sa->window, 0xff, sa->window_len * sizeof *sa->window);
}

/* see inner.h */
uint64_t
ipsec_replay_seq(const struct ipsec_sa *sa, uint32_t low)
{
    uint32_t top = (uint32_t)sa->seq, high = (uint32_t)(sa->seq >> 32);
    uint32_t left = top - (window_size(sa) - 1);

    if ((sa->flags & IPSEC_SA_ESN) == 0) {
        return low;
    }
    if (top >= window_size(sa) - 1) {
        /* case A: the window is within one subspace */
        if (low < left && ++high == 0) {
            return 0;
        }
    } else if (low >= left && high-- == 0) {
        return 0; /* case B: it spans two, but there was none before */
    }
    return (uint64_t)high << 32 | low;
}

/* see inner.h */
int
ipsec_replay_check(const struct ipsec_sa *sa, uint64_t seq)
{
    if (sa->flags & IPSEC_SA_NO_REPLAY) {
        return IPSEC_OK;
    }
    if (seq == 0) {
        return IPSEC_ERR_REPLAY; /* never sent (section 3.3.3) */
    }
    if (seq > sa->seq) {
        return IPSEC_OK;
    }
    if (sa->seq - seq >= window_size(sa)) {
        return IPSEC_ERR_REPLAY;
    }
    return (*word_of(sa, (uint32_t)seq) & bit_of((uint32_t)seq))
        ? IPSEC_ERR_REPLAY : IPSEC_OK;
}

/* see inner.h */
void
ipsec_replay_update(struct ipsec_sa *sa, uint64_t seq)
{
    uint32_t low = (uint32_t)seq, s;

    if (seq > sa->seq) {
        if (seq - sa->seq >= window_size(sa)) {
            memset(sa->window, 0, sa->window_len * sizeof *sa->window);
        } else {
            for (s = (uint32_t)sa->seq + 1; s != low; s++) {
                *word_of(sa, s) &= ~bit_of(s);
            }
        }
        sa->seq = seq;
    }
    *word_of(sa, low) |= bit_of(low);
}
