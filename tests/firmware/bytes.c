/*
 * Copies that never touch an unaligned word: newlib's memcpy() for ARMv7-M
 * does, which UNALIGN_TRP traps. Whole words where both ends are aligned.
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static int aligned(const void *a, const void *b)
{
    return (((uintptr_t)a | (uintptr_t)b) & 3) == 0;
}

void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
    uint8_t *d = to;
    const uint8_t *s = from;

    if (aligned(d, s)) {
        for (; len >= 4; len -= 4, d += 4, s += 4) {
            *(uint32_t *)(void *)d = *(const uint32_t *)(const void *)s;
        }
    }
    while (len-- > 0) {
        *d++ = *s++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t len)
{
    uint8_t *d = to;
    const uint8_t *s = from;

    if ((uintptr_t)d <= (uintptr_t)s) {
        while (len-- > 0) {
            *d++ = *s++;
        }
    } else {
        while (len-- > 0) {
            d[len] = s[len];
        }
    }
    return to;
}

void *memset(void *to, int c, size_t len)
{
    uint8_t *d = to;

    while (len-- > 0) {
        *d++ = (uint8_t)c;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a, *y = b;

    for (; len > 0; len--, x++, y++) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}
