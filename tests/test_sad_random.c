/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/*
 * Random work on three SADs at once: a list, a table, and an array with the
 * words of sad.h for code. All must agree at every step.
 */

#define SAS 40
#define STEPS 4000

static struct fx list, table;
static struct fx_sa in_list[SAS], in_table[SAS];

/* The model: what is in, in the order in which it came. */
static struct {
    int      in, larval;
    int      dir, lane;
    uint32_t spi, reqid;
    unsigned remote;
    uint32_t age;
} model[SAS];

static uint32_t clock_;
static const char *const peers[] = { "10.0.0.1", "10.0.0.2", "2001:db8::1" };
static const char *const ours[] = { "10.9.9.9", "10.9.9.9", "2001:db8::9" };

static uint32_t
dice(uint32_t n)
{
    uint32_t r;

    fx_random(&list, &r, sizeof r);
    return r % n;
}

static int
model_taken(size_t but, int dir, uint32_t spi, unsigned remote)
{
    size_t i;

    for (i = 0; i < SAS; i++) {
        if (i != but && model[i].in && model[i].spi == spi &&
            model[i].dir == dir && !(dir == IPSEC_OUT && model[i].larval) &&
            (dir == IPSEC_IN || model[i].remote == remote)) {
            return 1;
        }
    }
    return 0;
}

/* Index of the newest for a reqid and lane, or SAS. */
static size_t
model_newest(uint32_t reqid, int lane)
{
    size_t i, best = SAS;
    int rank, best_rank = -1;

    for (i = 0; i < SAS; i++) {
        if (!model[i].in || model[i].dir != IPSEC_OUT ||
            model[i].reqid != reqid ||
            (model[i].lane != lane && model[i].lane != 0)) {
            continue;
        }
        rank = (model[i].larval ? 0 : 2) + (model[i].lane == lane);
        if (rank > best_rank ||
            (rank == best_rank && model[i].age > model[best].age)) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

static void
set(struct fx_sa *s, size_t i)
{
    struct ipsec_sa keep = s->sa;

    fx_sa_set(s, &suites[NULL_SHA256], model[i].dir, IPSEC_MODE_TUNNEL,
              model[i].spi, ours[model[i].remote], peers[model[i].remote]);
    s->params.reqid = model[i].reqid;
    s->params.lane = (uint8_t)model[i].lane;
    s->sa = keep;
}

static void
do_add(size_t i)
{
    int want;

    if (!model[i].in) {
        memset(&in_list[i].sa, 0, sizeof in_list[i].sa);
        memset(&in_table[i].sa, 0, sizeof in_table[i].sa);
        model[i].dir = dice(2) ? IPSEC_IN : IPSEC_OUT;
    } else if (!model[i].larval) {
        return;
    }
    if (!(model[i].in && model[i].dir == IPSEC_IN)) {
        model[i].spi = 1000 + dice(30);
    }
    model[i].reqid = 1 + dice(6);
    model[i].lane = (int)dice(3);
    model[i].remote = dice(3);
    want = model_taken(i, model[i].dir, model[i].spi, model[i].remote)
        ? IPSEC_ERR_EXISTS : IPSEC_OK;
    set(&in_list[i], i);
    set(&in_table[i], i);
    assert_status(fx_sa_add(&list, &in_list[i]), want);
    assert_status(fx_sa_add(&table, &in_table[i]), want);
    if (want == IPSEC_OK) {
        model[i].in = 1;
        model[i].larval = 0;
        model[i].age = ++clock_;
    } else if (model[i].in) {
        model[i].reqid = in_list[i].sa.reqid;
        model[i].spi = in_list[i].sa.spi;
        model[i].lane = 0;
    }
}

static void
do_reserve(size_t i)
{
    uint64_t random = list.random;

    if (model[i].in) {
        return;
    }
    memset(&in_list[i].sa, 0, sizeof in_list[i].sa);
    memset(&in_table[i].sa, 0, sizeof in_table[i].sa);
    model[i].dir = dice(2) ? IPSEC_IN : IPSEC_OUT;
    model[i].reqid = 1 + dice(6);
    model[i].lane = 0;
    random = list.random;
    assert_status(ipsec_sad_reserve(&list.ips, &in_list[i].sa, model[i].dir,
                                    50, model[i].reqid, 30), IPSEC_OK);
    table.random = random; /* both get the same SPI */
    assert_status(ipsec_sad_reserve(&table.ips, &in_table[i].sa, model[i].dir,
                                    50, model[i].reqid, 30), IPSEC_OK);
    model[i].spi = in_list[i].sa.spi;
    assert_int_equal(in_table[i].sa.spi, model[i].spi);
    assert_false(model_taken(i, model[i].dir, model[i].spi, 99));
    model[i].in = model[i].larval = 1;
    model[i].age = ++clock_;
}

static void
do_remove(size_t i)
{
    int want = model[i].in ? IPSEC_OK : IPSEC_ERR_ARG;

    assert_status(ipsec_sad_remove(&list.ips, &in_list[i].sa), want);
    assert_status(ipsec_sad_remove(&table.ips, &in_table[i].sa), want);
    model[i].in = 0;
}

static void
do_update(size_t i)
{
    unsigned remote = dice(3);
    struct ipsec_addr to = addr(peers[remote]), from = addr(ours[remote]);
    int want = IPSEC_OK;

    if (!model[i].in || model[i].larval) {
        want = IPSEC_ERR_ARG;
    } else if (model_taken(i, model[i].dir, model[i].spi, remote)) {
        want = IPSEC_ERR_EXISTS;
    }
    assert_status(fx_move(&list.ips, &in_list[i].sa, &from, &to),
                  want);
    assert_status(fx_move(&table.ips, &in_table[i].sa, &from, &to),
                  want);
    if (want == IPSEC_OK) {
        model[i].remote = remote;
    }
}

static void
compare_lookups(void)
{
    uint32_t spi = 1000 + dice(30), reqid = 1 + dice(7);
    int dir = dice(2) ? IPSEC_IN : IPSEC_OUT, lane = (int)dice(4);
    unsigned remote = dice(3);
    struct ipsec_addr dst = addr(dir == IPSEC_IN ? ours[remote]
                                                 : peers[remote]);
    struct ipsec_sa *a, *b;
    size_t i = model_newest(reqid, lane);

    a = ipsec_sad_newest(&list.ips, reqid, lane);
    b = ipsec_sad_newest(&table.ips, reqid, lane);
    assert_ptr_equal(a, i < SAS ? &in_list[i].sa : NULL);
    assert_ptr_equal(b, i < SAS ? &in_table[i].sa : NULL);
    a = ipsec_sad_lookup(&list.ips, dir, spi, 50, &dst);
    b = ipsec_sad_lookup(&table.ips, dir, spi, 50, &dst);
    for (i = 0; i < SAS; i++) {
        if (model[i].in && !model[i].larval && model[i].spi == spi &&
            model[i].dir == dir &&
            strcmp(dir == IPSEC_IN ? ours[model[i].remote]
                                   : peers[model[i].remote],
                   dir == IPSEC_IN ? ours[remote] : peers[remote]) == 0) {
            break;
        }
    }
    assert_ptr_equal(a, i < SAS ? &in_list[i].sa : NULL);
    assert_ptr_equal(b, i < SAS ? &in_table[i].sa : NULL);
}

static void
compare_walks(void)
{
    struct ipsec_sa *sa = NULL;
    size_t i, want = 0, n = 0, m = 0;

    for (i = 0; i < SAS; i++) {
        want += model[i].in != 0;
    }
    while ((sa = ipsec_sad_next(&list.ips, sa)) != NULL) {
        n++;
        assert_true(n <= want);
    }
    while ((sa = ipsec_sad_next(&table.ips, sa)) != NULL) {
        m++;
        assert_true(m <= want);
    }
    assert_int_equal(n, want);
    assert_int_equal(m, want);
}

static void
test_sad_list_table_and_model_agree(void **state)
{
    size_t i;
    int step;

    (void)state;
    fx_init(&list, 0);
    fx_init(&table, 1);
    for (step = 0; step < STEPS; step++) {
        fx_note("step %d", step);
        i = dice(SAS);
        switch (dice(6)) {
        case 0:  do_remove(i); break;
        case 1:  do_reserve(i); break;
        case 2:  do_update(i); break;
        default: do_add(i); break;
        }
        compare_lookups();
        compare_walks();
    }
    for (i = 0; i < SAS; i++) {
        do_remove(i);
    }
    compare_walks();
    assert_int_equal(list.st.misuse + table.st.misuse, 0);
    assert_int_equal(list.st.inits, list.st.wipes);
    assert_int_equal(table.st.inits, table.st.wipes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sad_list_table_and_model_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
