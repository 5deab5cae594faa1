/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base.h"

#include <stdlib.h>
#include <string.h>

/* What is left behind may have keys in it, and is wiped. */
static char *
grow(const struct text *t, size_t room)
{
    char *more = malloc(room);

    if (more != NULL && t->text != NULL) {
        memcpy(more, t->text, t->len + 1);
        explicit_bzero(t->text, t->room);
        free(t->text);
    }
    return more;
}

/* see base.h */
void
tell(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
}

void
text_add(struct text *t, const char *format, ...)
{
    size_t room;
    va_list args;
    char *more;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || t->failed) {
        t->failed = 1;
        return;
    }
    if (t->room < t->len + (size_t)n + 1) {
        room = (t->len + (size_t)n + 1) * 2;
        more = grow(t, room);
        if (more == NULL) {
            t->failed = 1;
            return;
        }
        t->text = more;
        t->room = room;
    }
    va_start(args, format);
    (void)vsnprintf(t->text + t->len, t->room - t->len, format, args);
    va_end(args);
    t->len += (size_t)n;
}

void
text_free(struct text *t)
{
    if (t->text != NULL) {
        explicit_bzero(t->text, t->room); /* it may have keys in it */
    }
    free(t->text);
    memset(t, 0, sizeof *t);
}
