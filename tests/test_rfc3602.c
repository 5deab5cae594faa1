/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "vectors/walker.h"

/* The packets that RFC 3602 section 4 publishes: see vectors/bare.c. */

static void
check_record(const struct record *r)
{
    static struct walk w;
    const char *wrong;

    fx_note("%s", record_get(r, "name"));
    wrong = walk_read(&w, r);
    assert_true(wrong == NULL && walk_is_bare(&w));
    wrong = walk_check_bare(&w);
    if (wrong != NULL) {
        fail_msg("%s", wrong);
    }
    w.wire[w.esp_at + 30] ^= 1; /* it looks at the bytes */
    assert_non_null(walk_check_bare(&w));
}

static void
test_rfc3602_packets(void **state)
{
    struct reader reader;
    struct record r;
    size_t n = 0;

    (void)state;
    assert_int_equal(reader_open(&reader, "tests/vectors/"
                                          "esp_payloads_published.txt"), 0);
    while (reader_next(&reader, &r)) {
        if (strcmp(record_get(&r, "encr"), "AES-CBC") == 0) {
            check_record(&r);
            n++;
        }
    }
    reader_close(&reader);
    assert_int_equal(n, 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc3602_packets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
