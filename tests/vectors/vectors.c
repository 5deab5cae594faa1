/* SPDX-License-Identifier: MIT */
#include "vectors/walker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The walker: see README.md. */

static const char usage[] =
    "usage: vectors [-k ENCR[/INTEG]]... [-x KEY=VALUE]... FILE...\n"
    "\n"
    "Check the packet and payload records of each FILE.\n"
    "\n"
    "-k  only records of this suite, e.g. AES-CBC/HMAC-SHA2-256-128, or\n"
    "    AES-GCM-16, AES-GCM-16/NONE where there is no integ; more than\n"
    "    one: any of them. Others are left out.\n"
    "-x  leave out records that have this field, e.g. udp=1.\n";

#define MOST 16

struct choice {
    const char *keep[MOST], *without[MOST];
    size_t      keeps, withouts;
};

static int
suite_is(const struct record *rec, const char *suite)
{
    const char *encr = record_get(rec, "encr");
    const char *integ = record_get(rec, "integ");
    size_t n;

    if (encr == NULL) {
        encr = "NULL"; /* AH */
    }
    n = strlen(encr);
    if (strncmp(suite, encr, n) != 0) {
        return 0;
    }
    if (suite[n] == '\0') {
        return integ == NULL;
    }
    if (suite[n] != '/') {
        return 0;
    }
    return integ != NULL ? strcmp(suite + n + 1, integ) == 0
                         : suite[n + 1] == '\0' ||
                           strcmp(suite + n + 1, "NONE") == 0;
}

static int
has_field(const struct record *rec, const char *pair)
{
    const char *eq = strchr(pair, '=');
    size_t i, n = (size_t)(eq - pair);

    for (i = 0; i < rec->fields; i++) {
        if (strncmp(rec->field[i].key, pair, n) == 0 &&
            rec->field[i].key[n] == '\0' &&
            strcmp(rec->field[i].value, eq + 1) == 0) {
            return 1;
        }
    }
    return 0;
}

static int
is_chosen(const struct choice *c, const struct record *rec)
{
    size_t i;

    for (i = 0; i < c->withouts; i++) {
        if (has_field(rec, c->without[i])) {
            return 0;
        }
    }
    for (i = 0; i < c->keeps; i++) {
        if (suite_is(rec, c->keep[i])) {
            return 1;
        }
    }
    return c->keeps == 0;
}

static void
file_walk(const struct choice *choice, const char *path, size_t *passed,
          size_t *failed)
{
    static struct walk walk;
    const char *name, *wrong;
    struct reader reader;
    struct record rec;

    if (reader_open(&reader, path) != 0) {
        printf("%s: can't be read\n", path);
        ++*failed;
        return;
    }
    while (reader_next(&reader, &rec)) {
        if (!is_chosen(choice, &rec)) {
            continue;
        }
        wrong = walk_read(&walk, &rec);
        if (wrong == NULL) {
            wrong = walk_is_bare(&walk) ? walk_check_bare(&walk)
                                        : walk_check(&walk);
        }
        name = record_get(&rec, "name");
        if (wrong != NULL) {
            printf("%s:%zu: %s: %s\n", path, rec.line,
                   name != NULL ? name : "?", wrong);
            ++*failed;
        } else {
            ++*passed;
        }
    }
    reader_close(&reader);
}

static int
options(struct choice *c, int argc, char **argv)
{
    int i = 1;

    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "-k") == 0 && c->keeps < MOST) {
            c->keep[c->keeps++] = argv[i + 1];
        } else if (strcmp(argv[i], "-x") == 0 && c->withouts < MOST &&
                   strchr(argv[i + 1], '=') != NULL) {
            c->without[c->withouts++] = argv[i + 1];
        } else {
            return 0;
        }
    }
    return i < argc && argv[i][0] != '-' ? i : 0;
}

int
main(int argc, char **argv)
{
    static struct choice choice;
    size_t passed = 0, failed = 0;
    int i = options(&choice, argc, argv);

    if (i == 0) {
        fputs(usage, stderr);
        return 2;
    }
    for (; i < argc; i++) {
        file_walk(&choice, argv[i], &passed, &failed);
    }
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
