/*
 * From reset to main(), and what a fault says.
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>

#include "board.h"
#include "console.h"

#define STATUS_FAULT 100 /* + exception number */
#define PAINT        0xdeadbeefu

extern uint32_t stack_bottom[], stack_top[];
extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[];

int main(void);
void board_irq(void);
void board_tick(void);
void startup_reset(void);
void startup_fault(void);
void startup_report(const uint32_t *stacked);

/* No library call: nothing is set up yet. */
void startup_reset(void)
{
    const uint32_t *from = data_load;
    uint32_t *to;
    /* what lies above is in use by this very function */
    uint32_t *here = (uint32_t *)((uintptr_t)stack_top - 256);

    for (to = data_start; to < data_end; to++) {
        *to = *from++;
    }
    for (to = bss_start; to < bss_end; to++) {
        *to = 0;
    }
    for (to = stack_bottom; to < here; to++) {
        *to = PAINT;
    }
    board_init();
    board_exit(main());
}

/* r0 to r3, r12, lr, pc and psr, as the core has stacked them */
void startup_report(const uint32_t *stacked)
{
    uint32_t number;

    __asm__ volatile("mrs %0, ipsr" : "=r"(number));
    print("fault %u at %08x status %08x\n", (unsigned)number,
          (unsigned)stacked[6], (unsigned)REG(0xe000ed28u));
    board_exit(STATUS_FAULT + (int)number);
}

__attribute__((naked)) void startup_fault(void)
{
    __asm__ volatile("mov r0, sp\n\tbl startup_report");
}

typedef void (*vector)(void);

__attribute__((section(".vectors"), used))
static const struct {
    uint32_t *stack;
    vector    handler[15 + 32];
} vectors = { stack_top, {
    startup_reset,
    startup_fault, startup_fault, startup_fault, startup_fault, startup_fault,
    0, 0, 0, 0, startup_fault, startup_fault, 0, startup_fault, board_tick,
    /* 0 ... : UART receive is 0, Ethernet 13; no other line is enabled */
    board_irq, board_irq, board_irq, board_irq, board_irq, board_irq,
    board_irq, board_irq, board_irq, board_irq, board_irq, board_irq,
    board_irq, board_irq,
} };
