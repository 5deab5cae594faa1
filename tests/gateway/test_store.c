/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "fake/fixture.h"
#include "ipsec_linux.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Sequence numbers on disk, ports/linux/linux_store.c. */

static char folder[40], path[80];
static const uint8_t id_a[16] = { 0xa1, 2, 3 }, id_b[16] = { 0xb1, 2, 3 };

static int
setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/ipsec-store-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/numbers", folder);
    return 0;
}

static void
forget(const char *end)
{
    char name[100];

    snprintf(name, sizeof name, "%s%s", path, end);
    (void)unlink(name);
}

static int
teardown(void **state)
{
    (void)state;
    forget("");
    forget(".lock");
    forget(".new");
    return rmdir(folder);
}

static int
open_store(struct ipsec_linux_store *store)
{
    memset(store, 0, sizeof *store);
    return ipsec_linux_store_open(store, path);
}

static void
write_file(const char *text, const char *end)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fputs(end, f);
    fclose(f);
}

/* The last line of a file: FNV-1a of the others. */
static const char *
end_of(const char *text)
{
    static char line[40];
    uint64_t hash = 14695981039346656037u;

    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * 1099511628211u;
    }
    snprintf(line, sizeof line, "# end %016llx\n", (unsigned long long)hash);
    return line;
}

static void
test_store_keeps_numbers(void **state)
{
    struct ipsec_linux_store store;
    struct stat st;

    (void)state;
    assert_int_equal(open_store(&store), 0);
    ipsec_linux_store_get(&store, id_a)->noted = 4096;
    ipsec_linux_store_get(&store, id_b)->noted = UINT64_MAX;
    assert_int_equal(store.dirty, 1);
    assert_int_equal(ipsec_linux_store_save(&store), 0);
    assert_int_equal(store.dirty, 0);
    ipsec_linux_store_close(&store);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    assert_int_equal(open_store(&store), 0);
    assert_int_equal(store.len, 2);
    assert_true(ipsec_linux_store_get(&store, id_a)->noted == 4096);
    assert_true(ipsec_linux_store_get(&store, id_b)->noted == UINT64_MAX);
    ipsec_linux_store_close(&store);
}

/* They are pointed at by SAs: more of them don't move those that are there. */
static void
test_store_numbers_stay_where_they_are(void **state)
{
    struct ipsec_linux_number *first;
    struct ipsec_linux_store store;
    uint8_t id[16] = { 0 };
    unsigned i;

    (void)state;
    assert_int_equal(open_store(&store), 0);
    first = ipsec_linux_store_get(&store, id_a);
    for (i = 0; i < 200; i++) {
        id[0] = (uint8_t)i;
        id[1] = 1;
        assert_non_null(ipsec_linux_store_get(&store, id));
    }
    assert_ptr_equal(ipsec_linux_store_get(&store, id_a), first);
    assert_int_equal(store.len, 201);
    ipsec_linux_store_close(&store);
}

static void
test_store_refuses_what_it_can_not_read(void **state)
{
#define ID "a1020300000000000000000000000000"
    static const struct {
        const char *text;
        int         line;
    } rows[] = {
        { "", 0 },
        { "# comment\n" ID " 7\n", 0 },
        { ID " 99999999999999999999\n", 1 },
        { ID " +7\n", 1 },
        { ID " 7 \n", 1 },
        { ID " 7\n" ID "\n", 2 },
        { ID " 7\n" ID " \n", 2 },
        { ID " -7\n", 1 },
        { ID " 7 8\n", 1 },
        { ID "7\n", 1 },
        { "A1020300000000000000000000000000 7\n", 1 },
        { "a1 7\n", 1 },
        { "\n", 1 },
        { ID " 7\nrubbish\n", 2 },
    };
    struct ipsec_linux_store store;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_file(rows[i].text, end_of(rows[i].text));
        assert_int_equal(open_store(&store), rows[i].line);
        ipsec_linux_store_close(&store);
    }
#undef ID
}

/* The higher of two lines of one identifier: numbers only go up. */
static void
test_store_takes_the_higher(void **state)
{
    static const char text[] = "a1020300000000000000000000000000 9\n"
                               "a1020300000000000000000000000000 7\n";
    struct ipsec_linux_store store;

    (void)state;
    write_file(text, end_of(text));
    assert_int_equal(open_store(&store), 0);
    assert_true(ipsec_linux_store_get(&store, id_a)->noted == 9);
    ipsec_linux_store_close(&store);
}

/* Numbers that are gone, or lower than they were, would be used again. So none
 * of what cutting off or one wrong bit makes of a file is taken for it, if it
 * isn't taken for the same. */
static void
test_store_knows_a_damaged_file(void **state)
{
    struct ipsec_linux_store store;
    char text[1000], bad[1000];
    size_t len, i;
    FILE *f;

    (void)state;
    assert_int_equal(open_store(&store), 0);
    ipsec_linux_store_get(&store, id_a)->noted = 4096;
    ipsec_linux_store_get(&store, id_b)->noted = 8192;
    assert_int_equal(ipsec_linux_store_save(&store), 0);
    ipsec_linux_store_close(&store);
    f = fopen(path, "r");
    assert_non_null(f);
    len = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[len] = '\0';
    for (i = 0; i < len; i++) {
        memcpy(bad, text, len + 1);
        bad[i] = '\0';
        write_file(bad, "");
        assert_true(open_store(&store) > 0);
        ipsec_linux_store_close(&store);
        bad[i] = (char)(text[i] ^ 1);
        write_file(bad, "");
        assert_true(open_store(&store) > 0);
        ipsec_linux_store_close(&store);
    }
    write_file(text, "# more\n");
    assert_int_equal(open_store(&store), 5);
    ipsec_linux_store_close(&store);
    write_file(text, "");
    assert_int_equal(open_store(&store), 0);
    ipsec_linux_store_close(&store);
}

/* A link would be replaced by a file; and a pipe waited for. */
static void
test_store_is_a_file(void **state)
{
    struct ipsec_linux_store store;
    char name[100];

    (void)state;
    snprintf(name, sizeof name, "%s.new", path);
    assert_int_equal(symlink(name, path), 0);
    assert_int_equal(open_store(&store), -1);
    assert_int_equal(errno, ELOOP);
    ipsec_linux_store_close(&store);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(open_store(&store), -1);
    assert_int_equal(errno, EINVAL);
    ipsec_linux_store_close(&store);
}

static void
test_store_is_of_one_at_a_time(void **state)
{
    struct ipsec_linux_store store, other;

    (void)state;
    assert_int_equal(open_store(&store), 0);
    assert_int_equal(open_store(&other), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    ipsec_linux_store_close(&other);
    ipsec_linux_store_close(&store);
    assert_int_equal(open_store(&other), 0);
    ipsec_linux_store_close(&other);
}

/* A write that fails leaves the file of before, whole. */
static void
test_store_says_when_it_can_not_write(void **state)
{
    struct ipsec_linux_store store;
    char name[100];

    (void)state;
    assert_int_equal(open_store(&store), 0);
    ipsec_linux_store_get(&store, id_a)->noted = 1;
    assert_int_equal(ipsec_linux_store_save(&store), 0);
    snprintf(name, sizeof name, "%s.new", path);
    assert_int_equal(mkdir(name, 0700), 0);
    ipsec_linux_store_get(&store, id_a)->noted = 2;
    store.dirty = 1;
    assert_int_equal(ipsec_linux_store_save(&store), -1);
    assert_int_equal(store.dirty, 1);
    ipsec_linux_store_close(&store);
    assert_int_equal(rmdir(name), 0);

    assert_int_equal(open_store(&store), 0);
    assert_true(ipsec_linux_store_get(&store, id_a)->noted == 1);
    ipsec_linux_store_close(&store);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_store_keeps_numbers),
        STORE_TEST(test_store_numbers_stay_where_they_are),
        STORE_TEST(test_store_refuses_what_it_can_not_read),
        STORE_TEST(test_store_takes_the_higher),
        STORE_TEST(test_store_knows_a_damaged_file),
        STORE_TEST(test_store_is_a_file),
        STORE_TEST(test_store_is_of_one_at_a_time),
        STORE_TEST(test_store_says_when_it_can_not_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
