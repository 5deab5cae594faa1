/* SPDX-License-Identifier: MIT */
#ifndef TESTS_VECTORS_RECORD_H
#define TESTS_VECTORS_RECORD_H

#include <stddef.h>
#include <stdint.h>

/* Reader of the files in this folder: see README.md. */

#define RECORD_FIELDS 32

struct record {
    size_t line;   /* where it begins, from 1 */
    size_t fields;
    int    broken; /* a line that is not "key = value", or too many */
    struct { const char *key, *value; } field[RECORD_FIELDS];
};

struct reader {
    char  *text; /* the whole file, cut up in place */
    char  *at;
    size_t line;
};

/* 0, or -1: can't be read. */
int reader_open(struct reader *reader, const char *path);
void reader_close(struct reader *reader);

/* 1: `rec` is valid until the reader is closed; 0: there are no more. */
int reader_next(struct reader *reader, struct record *rec);

/* Value of a key, or NULL. */
const char *record_get(const struct record *rec, const char *key);

/* The same as a number: 1, or 0: missing, or not a number of 64 bits. */
int record_number(const struct record *rec, const char *key, uint64_t *v);

/* Bytes from hex: their number, or -1: missing, not hex, or over `max`. */
long record_hex(const struct record *rec, const char *key, uint8_t *buf,
                size_t max);

#endif
