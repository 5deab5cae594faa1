/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_ICMP_H
#define TESTS_FAKE_ICMP_H

#include <stddef.h>
#include <stdint.h>

/* ICMP errors to test with, written without a line of src/. */
struct icmp_spec {
    const char    *src, *dst; /* as text; they decide on the version */
    uint8_t        type, code;
    uint32_t       word;      /* bytes 4 to 7 */
    const uint8_t *quote;
    size_t         quote_len;
};

#define ICMP_MAX 2048u

/* Build it at `p`, which has room; its length. */
size_t icmp_build(uint8_t *p, const struct icmp_spec *spec);

/* Where the ICMP header is in a packet without extension headers, and what it
 * quotes. */
#define ICMP_AT(p)    ((p)[0] >> 4 == 4 ? (size_t)((p)[0] & 15) * 4 : 40u)
#define ICMP_QUOTE(p) ((p) + ICMP_AT(p) + 8)

/* Is its checksum right? And make it so. */
int icmp_intact(const uint8_t *p);
void icmp_fix(uint8_t *p);

#endif
