/*
 * lwIP's view of the compiler and the machine: gcc or clang on POSIX.
 * SPDX-License-Identifier: MIT
 */
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

/* <sys/types.h> has ssize_t; lwIP makes its own unless it sees the limit,
 * which <limits.h> keeps from strict C99. */
#define LWIP_NO_UNISTD_H 1
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif

/* lwIP takes a machine that says nothing for little-endian. */
#define BYTE_ORDER __BYTE_ORDER__

/* Standard output belongs to the programs' own reports. */
#define LWIP_PLATFORM_DIAG(x) do { host_diag x; } while (0)
#define LWIP_PLATFORM_ASSERT(x) \
    do { \
        fprintf(stderr, "lwIP: %s (%s:%d)\n", x, __FILE__, __LINE__); \
        abort(); \
    } while (0)

/* Ports, sequence numbers and query IDs of lwIP come from here. */
#define LWIP_RAND() host_rand()

void host_diag(const char *format, ...);
uint32_t host_rand(void);

#endif
