/* SPDX-License-Identifier: MIT */
#ifndef ARCH_CC_H
#define ARCH_CC_H

/* lwIP's view of compiler and machine, for the tests. */

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#define LWIP_NO_UNISTD_H 1
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif

#define BYTE_ORDER __BYTE_ORDER__

#define LWIP_PLATFORM_DIAG(x) do { } while (0)
#define LWIP_PLATFORM_ASSERT(x) lan_abort(x, __FILE__, __LINE__)
#define LWIP_RAND() lan_rand()

void lan_abort(const char *what, const char *file, int line);
uint32_t lan_rand(void);
void *lan_malloc(size_t size);
void *lan_calloc(size_t count, size_t size);
void lan_free(void *p);

#endif
