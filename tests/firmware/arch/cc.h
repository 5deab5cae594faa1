/*
 * lwIP's view of the compiler and the board.
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "board.h"
#include "console.h"

#define LWIP_NO_UNISTD_H 1
#ifndef SSIZE_MAX
#define SSIZE_MAX        INT_MAX
#endif
#define BYTE_ORDER       __BYTE_ORDER__

#define LWIP_PLATFORM_DIAG(x) do { (void)print x; } while (0)
#define LWIP_PLATFORM_ASSERT(x) \
    do { \
        (void)print("lwIP: %s (%s:%d)\n", x, __FILE__, __LINE__); \
        board_exit(99); \
    } while (0)

#define LWIP_RAND() chance_u32()

uint32_t chance_u32(void);

#endif
