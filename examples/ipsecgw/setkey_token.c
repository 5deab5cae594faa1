/* SPDX-License-Identifier: MIT */
#include "setkey_inner.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
setkey_fail(struct setkey_reader *r, struct setkey_pos at,
            const char *format, ...)
{
    va_list args;

    r->error->at = at;
    va_start(args, format);
    (void)vsnprintf(r->error->text, sizeof r->error->text, format, args);
    va_end(args);
    return -1;
}

static void
step(struct setkey_reader *r)
{
    if (r->text[r->pos++] == '\n') {
        r->at.line++;
        r->at.column = 1;
    } else {
        r->at.column++;
    }
}

static int
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
skip(struct setkey_reader *r)
{
    int comment = 0;

    for (; r->pos < r->len; step(r)) {
        char c = r->text[r->pos];

        if (c == '\n') {
            comment = 0;
        } else if (c == '#') {
            comment = 1;
        } else if (!comment && !is_blank(c)) {
            return;
        }
    }
}

static int
is_word(char c)
{
    return !is_blank(c) && c != ';' && c != '#' && c != '"';
}

/* A byte of the token that begins at t->at. */
static int
keep(struct setkey_reader *r, struct setkey_token *t)
{
    char c = r->text[r->pos];

    if (t->len + 1 >= sizeof t->text) {
        return setkey_fail(r, t->at, "a word of more than %d characters",
                           SETKEY_WORD - 1);
    }
    if (c == '\0' || ((unsigned char)c < ' ' && t->kind != KIND_QUOTED)) {
        return setkey_fail(r, r->at, "a control character (%d)", c);
    }
    t->text[t->len++] = c;
    step(r);
    return 0;
}

/* Behind its opening quote. */
static int
take_quoted(struct setkey_reader *r, struct setkey_token *t)
{
    step(r);
    while (r->pos < r->len && r->text[r->pos] != '"') {
        if (keep(r, t) != 0) {
            return -1;
        }
    }
    if (r->pos == r->len) {
        return setkey_fail(r, t->at, "a quote that isn't closed");
    }
    step(r);
    return 0;
}

int
setkey_take(struct setkey_reader *r, struct setkey_token *t)
{
    int rc = 0;

    skip(r);
    t->at = r->at;
    t->len = 0;
    if (r->pos == r->len) {
        t->kind = KIND_END;
    } else if (r->text[r->pos] == ';') {
        t->kind = KIND_STOP;
        step(r);
    } else if (r->text[r->pos] == '"') {
        t->kind = KIND_QUOTED;
        rc = take_quoted(r, t);
    } else {
        t->kind = KIND_WORD;
        while (rc == 0 && r->pos < r->len && is_word(r->text[r->pos])) {
            rc = keep(r, t);
        }
    }
    t->text[t->len] = '\0';
    return rc;
}

int
setkey_peek(struct setkey_reader *r, struct setkey_token *t)
{
    struct setkey_reader before = *r;
    int rc = setkey_take(r, t);

    *r = before;
    return rc;
}

int
setkey_word(struct setkey_reader *r, struct setkey_token *t, const char *what)
{
    if (setkey_take(r, t) != 0) {
        return -1;
    }
    if (t->kind == KIND_WORD) {
        return 0;
    }
    if (t->kind == KIND_QUOTED) {
        return setkey_fail(r, t->at, "expected %s, without quotes", what);
    }
    return setkey_fail(r, t->at, "expected %s before %s", what,
                       t->kind == KIND_STOP ? "';'" : "the end");
}

int
setkey_stop(struct setkey_reader *r, const char *verb)
{
    struct setkey_token t;

    if (setkey_take(r, &t) != 0) {
        return -1;
    }
    if (t.kind == KIND_STOP) {
        return 0;
    }
    if (t.kind == KIND_END) {
        return setkey_fail(r, t.at, "expected ';' at the end of '%s'", verb);
    }
    return setkey_fail(r, t.at, "expected ';' at the end of '%s' before "
                       "'%.40s'", verb, setkey_shown(&t));
}

int
setkey_range_word(struct setkey_reader *r, struct setkey_token *t,
                  const char *what)
{
    struct setkey_token next;

    if (setkey_word(r, t, what) != 0 || setkey_peek(r, &next) != 0) {
        return -1;
    }
    if (next.kind != KIND_WORD || next.text[0] != '[' ||
        t->len + next.len >= sizeof t->text) {
        return 0;
    }
    memcpy(t->text + t->len, next.text, next.len + 1);
    t->len += next.len;
    return setkey_take(r, &next);
}

int
setkey_is(const struct setkey_token *t, const char *word)
{
    return t->kind == KIND_WORD && strcmp(t->text, word) == 0;
}

/* A word that may be a key, where something else is expected. */
static const char *
hidden(const char *text)
{
    return strlen(text) > 12 && text[0] == '0' && (text[1] | 32) == 'x'
        ? "0x..." : text;
}

const char *
setkey_shown(const struct setkey_token *t)
{
    if (t->kind == KIND_QUOTED) {
        return "\"...\"";
    }
    return hidden(t->text);
}

struct setkey_pos
setkey_inside(const struct setkey_token *t, size_t from)
{
    struct setkey_pos at = t->at;

    at.column += (unsigned)from;
    return at;
}

static int
digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f'
        ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

int
setkey_number(const char *text, uint64_t max, uint64_t *value)
{
    unsigned base = 10;
    uint64_t v = 0;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    if (*text == '\0') {
        return -1;
    }
    for (; *text != '\0'; text++) {
        unsigned d = (unsigned)digit(*text);

        if (d >= base || d > max || v > (max - d) / base) {
            return -1;
        }
        v = v * base + d;
    }
    *value = v;
    return 0;
}

int
setkey_number_word(struct setkey_reader *r, const char *what, uint64_t max,
                   uint64_t *value)
{
    struct setkey_token t;

    if (setkey_word(r, &t, what) != 0) {
        return -1;
    }
    if (setkey_number(t.text, max, value) != 0) {
        return setkey_fail(r, t.at, "'%.40s' is not %s: a number up to %llu",
                           setkey_shown(&t), what, (unsigned long long)max);
    }
    return 0;
}

int
setkey_addr(struct setkey_reader *r, struct setkey_pos at, const char *text,
            struct ipsec_addr *addr)
{
    memset(addr, 0, sizeof *addr);
    if (inet_pton(AF_INET, text, addr->byte) == 1) {
        addr->version = 4;
        return 0;
    }
    if (inet_pton(AF_INET6, text, addr->byte) == 1) {
        addr->version = 6;
        return 0;
    }
    memset(addr, 0, sizeof *addr);
    return setkey_fail(r, at, "'%.60s' is not an address (names aren't looked "
                       "up)", hidden(text));
}

int
setkey_port(struct setkey_reader *r, struct setkey_pos at, char *text,
            long *port)
{
    char *open = strchr(text, '[');
    size_t len = strlen(text);
    uint64_t value;

    *port = -1;
    if (open == NULL) {
        return 0;
    }
    at.column += (unsigned)(open - text);
    *open++ = '\0';
    if (text[len - 1] != ']') {
        return setkey_fail(r, at, "a port's bracket that isn't closed");
    }
    text[len - 1] = '\0';
    if (strcmp(open, "any") == 0) {
        *port = 0;
        return 0;
    }
    if (setkey_number(open, 65535, &value) != 0) {
        return setkey_fail(r, at, "port '%.40s' is neither 'any' nor a number "
                           "up to 65535", open);
    }
    *port = (long)value;
    return 0;
}
