/* SPDX-License-Identifier: MIT */
#ifndef IPSEC_WIRE_H
#define IPSEC_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Next layer protocols. */
#define PROTO_HOPOPTS   0u
#define PROTO_ICMP      1u
#define PROTO_IPIP      4u
#define PROTO_TCP       6u
#define PROTO_UDP      17u
#define PROTO_DCCP     33u
#define PROTO_IPV6     41u
#define PROTO_ROUTING  43u
#define PROTO_FRAGMENT 44u
#define PROTO_ICMPV6   58u
#define PROTO_NONE     59u
#define PROTO_DSTOPTS  60u
#define PROTO_SCTP    132u
#define PROTO_MOBILITY 135u
#define PROTO_UDPLITE 136u

#define IP4_HDR 20u
#define IP6_HDR 40u
#define ESP_HDR  8u /* SPI and sequence number (RFC 4303 section 2) */
#define AH_HDR  12u /* without the ICV (RFC 4302 section 2) */
#define UDP_HDR  8u

/* Big-endian load and store, at any alignment. Where the processor does it at
 * once, gcc finds that out by itself when it loads, but not, at -Os or of 16
 * bits, when it stores. */
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && \
    (defined(__ARM_FEATURE_UNALIGNED) || defined(__x86_64__))
#define SWAPS_BYTES 1
#else
#define SWAPS_BYTES 0
#endif

/* Where it takes no longer to load a word, its bytes swapped, than a byte. */
#if SWAPS_BYTES && (defined(__x86_64__) || defined(__aarch64__))
#define LOADS_WORDS 1
#else
#define LOADS_WORDS 0
#endif

static inline uint16_t
get16(const uint8_t *p)
{
#if SWAPS_BYTES
    uint16_t v;

    memcpy(&v, p, sizeof v);
    return __builtin_bswap16(v);
#else
    return (uint16_t)(p[0] << 8 | p[1]);
#endif
}

static inline uint32_t
get32(const uint8_t *p)
{
#if SWAPS_BYTES
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return __builtin_bswap32(v);
#else
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
           (uint32_t)p[2] << 8 | p[3];
#endif
}

static inline void
put16(uint8_t *p, uint32_t v)
{
#if SWAPS_BYTES
    uint16_t big = __builtin_bswap16((uint16_t)v);

    memcpy(p, &big, sizeof big);
#else
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
#endif
}

static inline void
put32(uint8_t *p, uint32_t v)
{
#if SWAPS_BYTES
    v = __builtin_bswap32(v);
    memcpy(p, &v, sizeof v);
#else
    put16(p, v >> 16);
    put16(p + 2, v);
#endif
}

/* Copy and clear four bytes. For a core without unaligned words compilers call
 * memcpy() and memset(), for however few. */
#if defined(__arm__) && !defined(__ARM_FEATURE_UNALIGNED)

static inline void
copy4(uint8_t *to, const uint8_t *from)
{
    uint8_t a = from[0], b = from[1], c = from[2], d = from[3];

    to[0] = a;
    to[1] = b;
    to[2] = c;
    to[3] = d;
}

static inline void
zero4(uint8_t *to)
{
    put32(to, 0);
}

#else

static inline void
copy4(uint8_t *to, const uint8_t *from)
{
    memcpy(to, from, 4);
}

static inline void
zero4(uint8_t *to)
{
    memset(to, 0, 4);
}

#endif

static inline void
put64(uint8_t *p, uint64_t v)
{
    put32(p, (uint32_t)(v >> 32));
    put32(p + 4, (uint32_t)v);
}

/* One's complement sum of 16-bit words (RFC 1071), and its complement. */

/* Of `len` bytes, a multiple of 4 and no more than a packet has. The carry goes
 * round (RFC 1071 section 2 (C)). */
static inline uint32_t
ipsec_sum_words(uint32_t sum, const uint8_t *p, size_t len)
{
    const uint8_t *behind = p + len;
    uint32_t words;
#if SWAPS_BYTES

    for (; p < behind; p += 4) {
        words = get32(p);
        sum += words;
        sum += sum < words;
    }
#else
    uint32_t high = 0, low = 0; /* 32,788 bytes each have room for a shift */

    for (; p < behind; p += 4) {
        high += p[0];
        low += p[1];
        high += p[2];
        low += p[3];
    }
    words = (high << 8) + low;
    sum += words;
    sum += sum < words;
#endif
    return sum;
}

static inline uint16_t
ipsec_sum_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~(sum + (sum >> 16));
}

#endif
