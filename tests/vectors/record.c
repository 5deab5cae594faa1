/* SPDX-License-Identifier: MIT */
#include "vectors/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *
slurp(FILE *f)
{
    size_t size = 4096, len = 0, n;
    char *text = malloc(size), *more;

    while (text != NULL) {
        n = fread(text + len, 1, size - len - 1, f);
        len += n;
        if (n == 0) {
            text[len] = '\0';
            return text;
        }
        if (len + 1 == size) {
            more = realloc(text, size *= 2);
            if (more == NULL) {
                free(text);
            }
            text = more;
        }
    }
    return NULL;
}

int
reader_open(struct reader *reader, const char *path)
{
    FILE *f = fopen(path, "rb");

    memset(reader, 0, sizeof *reader);
    if (f == NULL) {
        return -1;
    }
    reader->text = reader->at = slurp(f);
    fclose(f);
    return reader->text != NULL ? 0 : -1;
}

void
reader_close(struct reader *reader)
{
    free(reader->text);
    reader->text = reader->at = NULL;
}

static int
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cut white space off both ends of [s, end), and end it there. */
static char *
trim(char *s, char *end)
{
    while (s < end && is_space(*s)) {
        s++;
    }
    while (end > s && is_space(end[-1])) {
        end--;
    }
    *end = '\0';
    return s;
}

/* The next line, trimmed, or NULL. */
static char *
line_next(struct reader *reader)
{
    char *s = reader->at, *end;

    if (*s == '\0') {
        return NULL;
    }
    end = strchr(s, '\n');
    if (end == NULL) {
        end = s + strlen(s);
        reader->at = end;
    } else {
        reader->at = end + 1;
    }
    reader->line++;
    return trim(s, end);
}

static void
field_add(struct record *rec, char *line)
{
    char *eq = strchr(line, '='), *end = line + strlen(line);

    if (eq == NULL || rec->fields == RECORD_FIELDS) {
        rec->broken = 1;
        return;
    }
    rec->field[rec->fields].key = trim(line, eq);
    rec->field[rec->fields].value = trim(eq + 1, end);
    rec->fields++;
}

int
reader_next(struct reader *reader, struct record *rec)
{
    char *line;

    memset(rec, 0, sizeof *rec);
    while ((line = line_next(reader)) != NULL) {
        if (*line == '#') {
            continue;
        }
        if (*line == '\0') {
            if (rec->line != 0) {
                break;
            }
            continue;
        }
        if (rec->line == 0) {
            rec->line = reader->line;
        }
        field_add(rec, line);
    }
    return rec->line != 0;
}

const char *
record_get(const struct record *rec, const char *key)
{
    size_t i;

    for (i = 0; i < rec->fields; i++) {
        if (strcmp(rec->field[i].key, key) == 0) {
            return rec->field[i].value;
        }
    }
    return NULL;
}

static int
digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

int
record_number(const struct record *rec, const char *key, uint64_t *v)
{
    const char *s = record_get(rec, key);
    unsigned base = 10, d;

    *v = 0;
    if (s == NULL || *s == '\0') {
        return 0;
    }
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && s[2] != '\0') {
        base = 16;
        s += 2;
    }
    for (; *s != '\0'; s++) {
        d = (unsigned)digit(*s);
        if (d >= base || *v > (UINT64_MAX - d) / base) {
            return 0;
        }
        *v = *v * base + d;
    }
    return 1;
}

long
record_hex(const struct record *rec, const char *key, uint8_t *buf,
           size_t max)
{
    const char *s = record_get(rec, key);
    size_t n = 0;

    if (s == NULL) {
        return -1;
    }
    for (; *s != '\0'; s += 2) {
        if (n == max || digit(s[0]) > 15 || digit(s[1]) > 15) {
            return -1;
        }
        buf[n++] = (uint8_t)(digit(s[0]) << 4 | digit(s[1]));
    }
    return (long)n;
}
