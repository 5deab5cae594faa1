/*
 * Words out of the UART.
 * SPDX-License-Identifier: MIT
 */
#ifndef CONSOLE_H
#define CONSOLE_H

/** As printf(), of %s %c %d %u %x %lu %lx %llu %zu, %08lx and the like. */
int print(const char *format, ...);

#endif
