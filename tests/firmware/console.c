/*
 * Words out of the UART: no more of printf() than tests need, for newlib's
 * own would bring malloc().
 * SPDX-License-Identifier: MIT
 */
#include "console.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "board.h"

/* Where words go instead, while snprintf() runs. */
static char *into, *into_end;

static void put(char c)
{
    if (into == NULL) {
        board_putc(c);
    } else if (into < into_end) {
        *into++ = c;
    }
}

static int text(const char *s)
{
    int n = 0;

    while (s[n] != '\0') {
        put(s[n++]);
    }
    return n;
}

static int number(uint64_t value, unsigned base, int width, char pad)
{
    char buf[24];
    int n = 0, i;

    do {
        buf[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0 || (n < width && n < (int)sizeof buf && pad == '0'));
    for (i = n; i < width; i++) {
        put(pad);
    }
    for (i = n; i > 0; i--) {
        put(buf[i - 1]);
    }
    return n > width ? n : width;
}

static uint64_t unsigned_arg(va_list *args, int longs)
{
    if (longs >= 2) {
        return va_arg(*args, unsigned long long);
    }
    return longs == 1 ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);
}

static int signed_arg(int value)
{
    if (value >= 0) {
        return number((uint64_t)value, 10, 0, ' ');
    }
    put('-');
    return 1 + number((uint64_t)-(int64_t)value, 10, 0, ' ');
}

/* One conversion, behind its '%'. */
static const char *convert(const char *f, va_list *args, int *n)
{
    char pad = ' ';
    int width = 0, longs = 0;

    if (*f == '0') {
        pad = *f++;
    }
    while (*f >= '0' && *f <= '9') {
        width = width * 10 + (*f++ - '0');
    }
    while (*f == 'l' || *f == 'z' || *f == 'h') {
        longs += *f++ == 'l';
    }
    switch (*f) {
    case 's': *n += text(va_arg(*args, const char *)); break;
    case 'c': put((char)va_arg(*args, int)); *n += 1; break;
    case 'd': *n += signed_arg(va_arg(*args, int)); break;
    case 'u': *n += number(unsigned_arg(args, longs), 10, width, pad); break;
    case 'x': *n += number(unsigned_arg(args, longs), 16, width, pad); break;
    default:  put(*f); *n += 1; break;
    }
    return f + 1;
}

static int vprint(const char *format, va_list *args)
{
    int n = 0;

    while (*format != '\0') {
        if (*format == '%') {
            format = convert(format + 1, args, &n);
        } else {
            put(*format++);
            n++;
        }
    }
    return n;
}

int print(const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vprint(format, &args);
    va_end(args);
    return n;
}

/* What tests/interop and the compiler call it. */
int printf(const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vprint(format, &args);
    va_end(args);
    return n;
}

int fprintf(FILE *file, const char *format, ...)
{
    va_list args;
    int n;

    (void)file;
    va_start(args, format);
    n = vprint(format, &args);
    va_end(args);
    return n;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
    va_list args;
    int n;

    into = to;
    into_end = to + size - 1;
    va_start(args, format);
    n = vprint(format, &args);
    va_end(args);
    *into = '\0';
    into = NULL;
    return n;
}

int puts(const char *s)
{
    int n = text(s);

    put('\n');
    return n + 1;
}

#undef putchar
int putchar(int c)
{
    put((char)c);
    return c;
}
