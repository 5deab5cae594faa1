/*
 * A log of records in two flash pages.
 * SPDX-License-Identifier: MIT
 *
 * The flash is emulated by memory that QEMU keeps in a file: programming only
 * clears bits, erasing sets those of a page. A record is programmed into the
 * next blank place; when a page is full, the other one is erased first and
 * goes on, so one of them always has a whole record.
 *
 * A record that can't be read was torn by a reset, or has rotted. It may have
 * been in force, so each counts as one more step of the reservation.
 */
#include "flash.h"

#include <stddef.h>
#include <string.h>

#include "board.h"

#define PAGE  4096u
#define PAGES 2u
#define SLOTS (PAGE / sizeof(struct record))
#define ALL   (PAGES * SLOTS)

struct record {
    uint32_t             age; /* 1, 2, ...: the highest is in force */
    uint32_t             sum;
    struct flash_numbers n;
    uint32_t             spare[2];
};

static int broken, torn;

static volatile struct record *slot(size_t i)
{
    return (volatile struct record *)BOARD_FLASH + i;
}

/* FNV-1a. A torn record fails it; nobody forges what is inside the device. */
static uint32_t sum(const struct record *r)
{
    const uint8_t *byte = (const uint8_t *)&r->n;
    uint32_t h = 2166136261u ^ r->age;
    size_t i;

    for (i = 0; i < sizeof r->n; i++) {
        h = (h ^ byte[i]) * 16777619u;
    }
    return h;
}

static void read_slot(size_t i, struct record *r)
{
    *r = *slot(i);
}

static int is_blank(const struct record *r)
{
    const uint8_t *byte = (const uint8_t *)r;
    size_t i;

    for (i = 0; i < sizeof *r; i++) {
        if (byte[i] != 0xff) {
            return 0;
        }
    }
    return 1;
}

/* What a flash controller does. */

static void erase(size_t page)
{
    volatile uint32_t *word = (volatile uint32_t *)slot(page * SLOTS);
    size_t i;

    for (i = 0; i < PAGE / 4 && !broken; i++) {
        word[i] = 0xffffffffu;
    }
}

static void program(size_t i, const struct record *r)
{
    volatile uint32_t *word = (volatile uint32_t *)slot(i);
    const uint32_t *from = (const uint32_t *)(const void *)r;
    size_t n;

    for (n = 0; n < sizeof *r / 4 && !broken; n++) {
        if (torn && n == 3) {
            board_reset();
        }
        word[n] &= from[n];
    }
}

/* The log. */

/* Index of the record in force, in `r`; or ALL. */
static size_t newest(struct record *r)
{
    struct record one;
    size_t i, best = ALL;

    r->age = 0;
    for (i = 0; i < ALL; i++) {
        read_slot(i, &one);
        if (one.sum == sum(&one) && one.age > r->age) {
            *r = one;
            best = i;
        }
    }
    return best;
}

/* The first blank place behind it in its page; or ALL. */
static size_t place_behind(size_t best)
{
    struct record one;
    size_t i;

    for (i = best + 1; i % SLOTS != 0; i++) {
        read_slot(i, &one);
        if (is_blank(&one)) {
            return i;
        }
    }
    return ALL;
}

/* How many can't be read that may be newer than it. */
static size_t unreadable(size_t best)
{
    struct record one;
    size_t i, n = 0;

    for (i = 0; i < ALL; i++) {
        read_slot(i, &one);
        n += (i > best || i / SLOTS != best / SLOTS) && !is_blank(&one) &&
             one.sum != sum(&one);
    }
    return n;
}

static int note(size_t i, uint32_t age, const struct flash_numbers *n)
{
    struct record r, back;

    memset(&r, 0xff, sizeof r);
    r.age = age;
    r.n = *n;
    r.sum = sum(&r);
    program(i, &r);
    read_slot(i, &back);
    return memcmp(&r, &back, sizeof r) == 0 ? 0 : -1;
}

int flash_provision(const struct flash_numbers *n)
{
    erase(0);
    erase(1);
    return note(0, 1, n);
}

int flash_load(struct flash_numbers *n)
{
    struct record r;
    size_t best = newest(&r), lost;

    if (best == ALL) {
        return -1;
    }
    lost = unreadable(best);
    *n = r.n;
    n->out += lost * RESERVE_OUT;
    n->in += lost * RESERVE_IN;
    return 0;
}

int flash_store(const struct flash_numbers *n)
{
    struct record r;
    size_t best = newest(&r), next;

    if (best == ALL) {
        return -1;
    }
    next = place_behind(best);
    if (next == ALL) {
        size_t page = (best / SLOTS + 1) % PAGES;

        erase(page);
        next = page * SLOTS;
    }
    return note(next, r.age + 1, n);
}

void flash_fail(void)
{
    broken = 1;
}

void flash_tear(void)
{
    torn = 1;
}
