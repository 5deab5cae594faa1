/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base.h"

#include <stdlib.h>
#include <string.h>

/* Tables by hash, the newest first. Who fills them writes the files, and so
 * nothing here is keyed. */

#define LEN_MIN 64

/* FNV-1a */
uint64_t
base_hash(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;

    for (; len > 0; len--) {
        hash = (hash ^ *p++) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static struct base_link **
place(const struct base_index *index, uint64_t hash)
{
    return &index->bucket[(size_t)(hash ^ hash >> 32) & (index->len - 1)];
}

/* Without memory for more, chains become longer. */
static void
grow(struct base_index *index)
{
    struct base_index more = *index;
    struct base_link *link, *next, **end;
    size_t i;

    more.len = index->len == 0 ? LEN_MIN : index->len * 2;
    more.bucket = calloc(more.len, sizeof(void *));
    if (more.bucket == NULL) {
        return;
    }
    for (i = 0; i < index->len; i++) {
        for (link = index->bucket[i]; link != NULL; link = next) {
            next = link->next;
            link->next = NULL;
            for (end = place(&more, link->hash); *end != NULL;
                 end = &(*end)->next) {
            }
            *end = link;
        }
    }
    free(index->bucket);
    *index = more;
}

int
base_index_add(struct base_index *index, struct base_link *link, uint64_t hash,
               const void *of)
{
    struct base_link **at;

    if (index->used == index->len) {
        grow(index);
    }
    if (index->len == 0) {
        return -1;
    }
    at = place(index, hash);
    link->hash = hash;
    link->of = of;
    link->next = *at;
    *at = link;
    index->used++;
    return 0;
}

void
base_index_remove(struct base_index *index, const struct base_link *link)
{
    struct base_link **at;

    if (link->of == NULL) {
        return;
    }
    at = place(index, link->hash);
    while (*at != link) {
        at = &(*at)->next;
    }
    *at = link->next;
    index->used--;
}

static struct base_link *
of_hash(struct base_link *link, uint64_t hash)
{
    while (link != NULL && link->hash != hash) {
        link = link->next;
    }
    return link;
}

struct base_link *
base_index_first(const struct base_index *index, uint64_t hash)
{
    return index->len == 0 ? NULL : of_hash(*place(index, hash), hash);
}

struct base_link *
base_index_next(const struct base_link *link)
{
    return of_hash(link->next, link->hash);
}

void
base_index_free(struct base_index *index)
{
    free(index->bucket);
    memset(index, 0, sizeof *index);
}
