/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"
#include "vectors/record.h"

/*
 * The window against a model that remembers the numbers themselves: slot
 * n mod SLOTS holds the last n accepted that falls there.
 */

#define SLOTS 16384u /* more than twice the largest window */
#define W_MAX 4096u

struct model {
    uint64_t base, top; /* all up to `base` count as seen */
    uint64_t slot[SLOTS];
    uint32_t w;
    int      esn;
};

static struct model model;
static struct ipsec_sa sa;
static uint32_t memory[W_MAX / 32];

static void
begin(uint32_t w, int esn, uint64_t top)
{
    memset(&model, 0, sizeof model);
    model.base = model.top = top;
    model.w = w;
    model.esn = esn;
    memset(&sa, 0, sizeof sa);
    sa.window = memory;
    sa.window_len = (uint16_t)(w / 32);
    sa.seq = top;
    sa.flags = esn ? IPSEC_SA_ESN : 0;
    ipsec_replay_init(&sa);
}

static int
model_check(uint64_t n)
{
    if (n == 0) {
        return IPSEC_ERR_REPLAY;
    }
    if (n > model.top) {
        return IPSEC_OK;
    }
    if (model.top - n >= model.w || n <= model.base ||
        model.slot[n % SLOTS] == n) {
        return IPSEC_ERR_REPLAY;
    }
    return IPSEC_OK;
}

static void
model_update(uint64_t n)
{
    model.slot[n % SLOTS] = n;
    if (n > model.top) {
        model.top = n;
    }
}

/* RFC 4303 appendix A2.2, in words: the number in the window that ends in
 * `low`, or else the next one right of it. */
static uint64_t
model_infer(uint32_t low)
{
    const uint64_t step = UINT64_C(1) << 32;
    uint64_t left = model.top - (model.w - 1), n;

    if (!model.esn) {
        return low;
    }
    if (model.top < model.w - 1 && low >= (uint32_t)left) {
        return 0; /* it would lie before the first number */
    }
    if (model.top < model.w - 1) {
        left = 0;
    }
    n = (left & ~(step - 1)) | low;
    if (n >= left) {
        return n;
    }
    return n > UINT64_MAX - step ? 0 : n + step;
}

static void
offer(uint64_t n)
{
    uint64_t seq = ipsec_replay_seq(&sa, (uint32_t)n);

    if (seq != model_infer((uint32_t)n) ||
        ipsec_replay_check(&sa, seq) != model_check(seq) ||
        ipsec_replay_check(&sa, n) != model_check(n) ||
        sa.seq != model.top) {
        fail_msg("w %u, top %llx, number %llx", model.w,
                 (unsigned long long)model.top, (unsigned long long)n);
    }
}

/* Every number of [top - 2W, top], and some on the right. */
static void
offer_all(void)
{
    uint64_t n = model.top > 2 * model.w ? model.top - 2 * model.w : 0;

    for (; n != model.top; n++) {
        offer(n);
    }
    offer(n);
    for (n = 1; n < 2 * model.w; n += 1 + n) {
        if (model.top <= UINT64_MAX - n) {
            offer(model.top + n);
        }
        offer((n - 1) ^ 0xffffffff); /* left of the very first number */
    }
}

static void
accept(uint64_t n)
{
    assert_int_equal(ipsec_replay_check(&sa, n), IPSEC_OK);
    ipsec_replay_update(&sa, n);
    model_update(n);
}

/* Neighbourhood of words and windows in full, the rest in samples. */
static int
is_edge(uint64_t top, uint32_t w)
{
    uint64_t r = top % w;

    return w <= 256 || r < 2 || r > w - 2 || top % (w / 32 + 13) == 0;
}

/* Let the top go from `from` to `to`, three numbers of four being used. */
static void
walk(uint32_t w, int esn, uint64_t from, uint64_t to)
{
    uint64_t n = from, late;

    begin(w, esn, from);
    offer_all();
    while (n < to) {
        n++;
        if (n % 4 == 3 && n != to) {
            continue;
        }
        accept(n);
        late = n - (n * 13) % w;
        if (late < n && model_check(late) == IPSEC_OK) {
            accept(late);
        }
        if (is_edge(n, w) || n == to) {
            offer_all();
        }
    }
}

static void
test_replay_agrees_with_model_from_zero(void **state)
{
    uint32_t w;

    (void)state;
    for (w = 32; w <= W_MAX; w *= 2) {
        walk(w, 0, 0, 4 * w);
        walk(w, 1, 0, 4 * w);
    }
}

static void
test_replay_agrees_with_model_around_2_to_32(void **state)
{
    const uint64_t edge = UINT64_C(1) << 32;
    uint32_t w;

    (void)state;
    for (w = 32; w <= W_MAX; w *= 2) {
        walk(w, 0, edge - 2 * w, edge - 1);
        walk(w, 1, edge - 2 * w, edge + 2 * w);
        walk(w, 1, 7 * edge - 2 * w, 7 * edge + 2 * w);
    }
}

static void
test_replay_agrees_with_model_below_2_to_64(void **state)
{
    uint32_t w;

    (void)state;
    for (w = 32; w <= W_MAX; w *= 2) {
        walk(w, 1, UINT64_MAX - 2 * w, UINT64_MAX);
    }
}

static void
test_replay_jumps(void **state)
{
    static const uint64_t far[] = { 0x7fffffff, 0x80000000, 0xfffffff0 };
    uint64_t jump[12];
    uint32_t w, i;

    (void)state;
    for (w = 32; w <= W_MAX; w *= 2) {
        for (i = 0; i < COUNT(jump); i++) {
            jump[i] = i < 3 ? far[i] : i < 6 ? w - 4 + i : i < 9
                ? 2 * w - 7 + i : i < 11 ? i - 8 : w / 2;
            walk(w, 0, 0, w + 5);
            accept(w + 5 + jump[i] - (i < 3 ? w + 5 : 0));
            offer_all();
            walk(w, 1, UINT64_C(0xfffffffff), UINT64_C(0xfffffffff) + w);
            accept(UINT64_C(0xfffffffff) + w + jump[i]);
            offer_all();
        }
    }
}

/* In random order, each number twice: once accepted. */
static void
test_replay_random_order(void **state)
{
    struct fx fx;
    uint32_t w, r;
    uint64_t n;
    int i;

    (void)state;
    fx_config(&fx, 0);
    for (w = 32; w <= W_MAX; w *= 2) {
        begin(w, 1, UINT64_C(0xffffff00));
        for (i = 0; i < 20000; i++) {
            fx_random(&fx, &r, sizeof r);
            n = model.top + r % (w / 4) - w / 8;
            r >>= 20;
            n = r % 64 == 0 ? model.top + r : r % 64 == 1 ? model.top - r : n;
            offer(n);
            if (model_check(n) == IPSEC_OK) {
                accept(n);
                offer(n);
            }
        }
        offer_all();
    }
}

static void
test_replay_init_takes_all_up_to_seq_as_seen(void **state)
{
    uint64_t n;

    (void)state;
    begin(64, 0, 1000);
    for (n = 900; n <= 1000; n++) {
        assert_int_equal(ipsec_replay_check(&sa, n), IPSEC_ERR_REPLAY);
    }
    assert_int_equal(ipsec_replay_check(&sa, 1001), IPSEC_OK);
}

static void
test_replay_off_takes_everything(void **state)
{
    (void)state;
    begin(64, 0, 1000);
    sa.flags |= IPSEC_SA_NO_REPLAY;
    assert_int_equal(ipsec_replay_check(&sa, 1000), IPSEC_OK);
    assert_int_equal(ipsec_replay_check(&sa, 1), IPSEC_OK);
    /* a sender that goes on after 2^32 - 1 numbers: RFC 4303 section 3.3.3 */
    assert_int_equal(ipsec_replay_check(&sa, 0), IPSEC_OK);
}

/* A rejected or a checked number leaves the window alone. */
static void
test_replay_check_changes_nothing(void **state)
{
    uint32_t before[2];
    struct ipsec_sa copy;
    uint64_t n;

    (void)state;
    walk(64, 1, 0, 100);
    memcpy(before, memory, sizeof before);
    copy = sa;
    for (n = 0; n < 300; n++) {
        ipsec_replay_check(&sa, ipsec_replay_seq(&sa, (uint32_t)n));
    }
    assert_memory_equal(before, memory, sizeof before);
    assert_memory_equal(&copy, &sa, sizeof sa);
}

/* One row of replay_window.txt; "check-bit" expects both answers. */
static void
vector(const struct record *rec)
{
    const char *verdict = record_get(rec, "verdict");
    uint64_t esn, w, top, low, high = 0, seq;

    fx_note("%s", record_get(rec, "name"));
    assert_true(record_number(rec, "esn", &esn));
    assert_true(record_number(rec, "window", &w));
    assert_true(record_number(rec, "top", &top));
    assert_true(record_number(rec, "seq_low", &low));
    begin((uint32_t)w, (int)esn, top);
    seq = ipsec_replay_seq(&sa, (uint32_t)low);
    if (record_number(rec, "seq_high", &high)) {
        assert_int_equal(seq >> 32, high);
    }
    if (strcmp(verdict, "check-bit") == 0) {
        assert_status(ipsec_replay_check(&sa, seq), IPSEC_ERR_REPLAY);
        memset(memory, 0, sizeof memory);
        assert_status(ipsec_replay_check(&sa, seq), IPSEC_OK);
        ipsec_replay_update(&sa, seq);
        assert_status(ipsec_replay_check(&sa, seq), IPSEC_ERR_REPLAY);
        assert_true(sa.seq == top);
    } else if (strcmp(verdict, "advance") == 0) {
        assert_status(ipsec_replay_check(&sa, seq), IPSEC_OK);
        assert_true(seq > top);
    } else {
        assert_string_equal(verdict, "reject");
        assert_status(ipsec_replay_check(&sa, seq), IPSEC_ERR_REPLAY);
        memset(memory, 0, sizeof memory);
        assert_status(ipsec_replay_check(&sa, seq), IPSEC_ERR_REPLAY);
    }
}

static void
test_replay_vectors(void **state)
{
    struct reader reader;
    struct record rec;
    size_t n = 0;

    (void)state;
    assert_int_equal(
        reader_open(&reader, "tests/vectors/replay_window.txt"), 0);
    for (; reader_next(&reader, &rec); n++) {
        assert_false(rec.broken);
        vector(&rec);
    }
    reader_close(&reader);
    assert_int_equal(n, 72);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay_agrees_with_model_from_zero),
        cmocka_unit_test(test_replay_agrees_with_model_around_2_to_32),
        cmocka_unit_test(test_replay_agrees_with_model_below_2_to_64),
        cmocka_unit_test(test_replay_jumps),
        cmocka_unit_test(test_replay_random_order),
        cmocka_unit_test(test_replay_init_takes_all_up_to_seq_as_seen),
        cmocka_unit_test(test_replay_off_takes_everything),
        cmocka_unit_test(test_replay_check_changes_nothing),
        cmocka_unit_test(test_replay_vectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
