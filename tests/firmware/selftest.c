/*
 * Known answers on the metal: the records of tests/vectors, which are part of
 * the image. SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "console.h"
#include "vectors/walker.h"

/* The walker takes memory for each record's packets: from here. What is given
 * back last in, first out is taken again, and all of it with the next record.
 * The device has no such thing. */
static uint64_t arena[256 * 1024];
static size_t used; /* words */

void *malloc(size_t size)
{
    size_t words = (size + 7) / 8 + 1;

    if (words > sizeof arena / 8 - used) {
        return NULL;
    }
    used += words;
    arena[used - 1] = words;
    return &arena[used - words];
}

void free(void *p)
{
    if (used > 0 && p == &arena[used - (size_t)arena[used - 1]]) {
        used -= (size_t)arena[used - 1];
    }
}

/* The files, as they are. */
#define FILE_IN(name, path) \
    __asm__(".section .rodata." #name "\n" \
            #name ": .incbin \"" path "\"\n" \
            ".byte 0\n" \
            ".section .text\n"); \
    extern const char name[]

FILE_IN(esp_packets, "tests/vectors/esp_packets.txt");
FILE_IN(ah_packets, "tests/vectors/ah_packets.txt");
FILE_IN(implicit_iv, "tests/vectors/esp_gmac_implicit_iv.txt");

static unsigned passed, failed;

static void one(const struct record *rec)
{
    static struct walk w;
    const char *why = walk_read(&w, rec);

    used = 0;
    if (why == NULL) {
        why = walk_check(&w);
    }
    if (why == NULL) {
        passed++;
        return;
    }
    failed++;
    print("line %zu: %s\n", rec->line, why);
}

/* The reader cuts its text up in place. */
static void file(const char *contents)
{
    static char text[256 * 1024];
    struct reader reader;
    struct record rec;

    memset(&reader, 0, sizeof reader);
    if (strlen(contents) >= sizeof text) {
        failed++;
        return;
    }
    memcpy(text, contents, strlen(contents) + 1);
    reader.text = reader.at = text;
    while (reader_next(&reader, &rec)) {
        one(&rec);
    }
}

int main(void)
{
    file(esp_packets);
    file(ah_packets);
    file(implicit_iv);
    print("%u known answers, %u wrong, stack %zu\n", passed, failed,
          board_stack());
    return failed != 0 || passed == 0;
}
