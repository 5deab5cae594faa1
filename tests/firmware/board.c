/*
 * Arm's MPS2 board: clock, UART, interrupts, the way out.
 * SPDX-License-Identifier: MIT
 */
#include "board.h"

#define SYST_CSR   REG(0xe000e010u)
#define SYST_RVR   REG(0xe000e014u)
#define SYST_CVR   REG(0xe000e018u)
#define NVIC_ISER  REG(0xe000e100u)
#define NVIC_ICER  REG(0xe000e180u)
#define NVIC_ICPR  REG(0xe000e280u)
#define SCB_AIRCR  REG(0xe000ed0cu)
#define SCB_CCR    REG(0xe000ed14u)
#define SCB_SHCSR  REG(0xe000ed24u)

#define UART_DATA  REG(0x40004000u)
#define UART_STATE REG(0x40004004u)
#define UART_CTRL  REG(0x40004008u)
#define UART_BAUD  REG(0x40004010u)

#define CLOCK_HZ     25000000u
#define IRQ_UART     (1u << 0)
#define IRQ_ETHERNET (1u << 13)
#define UNALIGN_TRP  (1u << 3)
#define DIV_0_TRP    (1u << 4)
#define USAGE_FAULT  (1u << 18)
#define PAINT        0xdeadbeefu

static volatile uint32_t ms;
extern uint32_t stack_bottom[], stack_top[];

void board_init(void)
{
    /* Traps are what this image is for: a core that copes with unaligned
     * words would hide that others don't. */
#ifndef BOARD_UNALIGNED
    SCB_CCR |= UNALIGN_TRP | DIV_0_TRP;
#endif
    SCB_SHCSR |= USAGE_FAULT;
    UART_BAUD = 16;
    UART_CTRL = 0x0b; /* send, receive, interrupt when something came */
    SYST_RVR = CLOCK_HZ / 1000 - 1;
    SYST_CVR = 0;
    SYST_CSR = 7;
}

/* The lines stay pending until somebody has read what came: the main loop
 * does. Here they only have to wake it. */
void board_irq(void);
void board_irq(void)
{
    NVIC_ICER = IRQ_UART | IRQ_ETHERNET;
}

void board_tick(void);
void board_tick(void)
{
    ms++;
}

uint32_t board_ms(void)
{
    return ms;
}

void board_sleep(void)
{
    REG(0x4000400cu) = 2; /* the UART's receive interrupt, seen */
    NVIC_ICPR = IRQ_UART | IRQ_ETHERNET;
    NVIC_ISER = IRQ_UART | IRQ_ETHERNET;
    if (!board_readable()) {
        __asm__ volatile("wfi");
    }
}

int board_readable(void)
{
    return (UART_STATE & 2) != 0;
}

int board_getc(void)
{
    return board_readable() ? (int)(UART_DATA & 0xff) : -1;
}

void board_putc(char c)
{
    while (UART_STATE & 1) {
    }
    UART_DATA = (uint8_t)c;
}

/* SYS_EXIT_EXTENDED: Arm's semihosting, version 2. */
void board_exit(int status)
{
    uint32_t block[2];

    block[0] = 0x20026; /* ADP_Stopped_ApplicationExit */
    block[1] = (uint32_t)status;
    for (;;) {
        __asm__ volatile("mov r1, %0\n\t"
                         "movs r0, #0x20\n\t"
                         "bkpt 0xab"
                         : : "r"(block) : "r0", "r1", "cc", "memory");
    }
}

void board_reset(void)
{
    __asm__ volatile("dsb" : : : "memory");
    SCB_AIRCR = 0x05fa0004u;
    for (;;) {
    }
}

size_t board_stack(void)
{
    const uint32_t *at = stack_bottom;

    while (at < stack_top && *at == PAINT) {
        at++;
    }
    return (size_t)(stack_top - at) * sizeof *at;
}
