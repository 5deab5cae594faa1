/*
 * Arm's MPS2 board as QEMU emulates it: Cortex-M3, -M4 and -M7 images.
 * SPDX-License-Identifier: MIT
 */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

/* Where an386 and an500 differ: the Makefile says which board this is. */
#ifdef BOARD_AN500
#define BOARD_ETHERNET 0xa0000000u
#define BOARD_FLASH    0x60000000u
#else
#define BOARD_ETHERNET 0x40200000u
#define BOARD_FLASH    0x21000000u
#endif

/** Clocks, UART and interrupt lines. Called ahead of main(). */
void board_init(void);

/** Milliseconds since the start. */
uint32_t board_ms(void);

/** Wait for an interrupt: the timer's, at most 1 ms away, or a device's. */
void board_sleep(void);

/** The UART: has anything come? What; or -1. */
int board_readable(void);
int board_getc(void);
void board_putc(char c);

/** End QEMU with this status (semihosting), or start again. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void board_exit(int status);
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void board_reset(void);

/** Bytes of stack that were ever used. */
size_t board_stack(void);

#endif
