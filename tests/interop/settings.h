/*
 * What the device was told to be, as "NAME=VALUE": settings.c lists them.
 * SPDX-License-Identifier: MIT
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stddef.h>
#include <stdint.h>

/** "NAME=VALUE". 0, or -1: there is no such name, or it is too long. */
int setting_set(const char *text);

/** Its value; "" where nothing was set. */
const char *setting(const char *name);

/** Decimal, or hexadecimal with 0x. */
uint64_t number_parse(const char *text);
uint64_t setting_number(const char *name);

/** Hexadecimal bytes: how many. */
size_t hex_parse(uint8_t *to, size_t size, const char *text);

#endif
