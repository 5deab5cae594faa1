/* SPDX-License-Identifier: MIT */
#ifndef TESTS_WEEK_H
#define TESTS_WEEK_H

#include "ipsec/netif.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A week in the life of two gateways and a host behind one of them:
 *
 *     host - (LAN) - gateway A, with a NAT - (wire) - gateway B
 *
 * Each has a context of its own; what key management would tell the other end
 * is told out of band. Whatever the wire does to frames, each carries a tag
 * with it that says which datagram it belongs to. By that the book (book.c) is
 * kept, which shares no code with the library.
 */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { A, B, H, STATIONS };

/* What must have happened, each so many times. */
#define EVENTS(X)                                                             \
    X(IPV4, "IPv4 datagrams")                                                 \
    X(IPV6, "IPv6 datagrams")                                                 \
    X(UDP, "UDP")                                                             \
    X(TCP, "TCP-like")                                                        \
    X(ICMP, "ICMP and ICMPv6")                                                \
    X(TINY, "payloads of 1 to 15 bytes")                                      \
    X(LONG, "payloads over 4,000 bytes")                                      \
    X(LONGEST, "payloads over 40,000 bytes")                                  \
    X(TUNNEL, "through tunnels")                                              \
    X(TRANSPORT, "in transport mode")                                         \
    X(NATT, "in UDP, through the NAT")                                        \
    X(BUNDLE, "over two SAs, ESP in AH")                                      \
    X(TRANSIT, "the host's frames passed on by gateway A")                    \
    X(CUT_SOURCE, "cut by their source, put together to be sealed")           \
    X(CUT_SEALED, "cut after they were sealed")                               \
    X(CUT_ROUTER, "frames cut by a router")                                   \
    X(WHOLE, "put together to be opened")                                     \
    X(LOST, "frames lost")                                                    \
    X(DUPLICATED, "frames duplicated")                                        \
    X(REORDERED, "frames held up")                                            \
    X(FLIPPED, "frames with bits flipped")                                    \
    X(TRUNCATED, "frames truncated")                                          \
    X(CLEAR, "forged copies in clear")                                        \
    X(REPLAYED, "old frames repeated")                                        \
    X(REKEY_TIME, "due for rekeying by time")                                 \
    X(REKEY_BYTES, "... by bytes")                                            \
    X(REKEY_SEQ, "... by numbers")                                            \
    X(REKEYED, "rekeyed")                                                     \
    X(ACQUIRE, "acquires")                                                    \
    X(HARD, "SAs past a hard limit")                                          \
    X(QUARANTINE, "SPIs put in quarantine")                                   \
    X(RELEASED, "SAs removed with packets in the engine")                     \
    X(RESERVED, "reservations of numbers written")                            \
    X(CLEAN, "restarts in order")                                             \
    X(CRASH, "crashes")                                                       \
    X(WRITE_LOST, "crashes that took a write with them")                      \
    X(IN_CRASH, "datagrams in the engine at a crash")                         \
    X(REMAPPED, "NAT: new mapping")                                           \
    X(MAPPING, "peers followed")                                              \
    X(MOVE, "gateway A: new address")                                         \
    X(FORWARD, "clock: jumps ahead")                                          \
    X(BACK, "clock: jumps back")                                              \
    X(PMTU, "path: another MTU")                                              \
    X(PTB, "ICMP \"too big\" heeded")                                         \
    X(TOO_BIG, "senders told of the MTU")                                     \
    X(DISCARD, "policy: DISCARD put in front")                                \
    X(GONE, "policy: removed")                                                \
    X(OTHER, "policy: other SAs asked for")                                   \
    X(ASYNC, "operations of the engine")                                      \
    X(DISORDER, "... ended out of order")                                     \
    X(FULL, "... refused, for it was full")                                   \
    X(DUMMY, "dummy packets received")

enum {
#define NUMBER(name, text) EV_##name,
    EVENTS(NUMBER)
#undef NUMBER
    EVENTS_LEN
};

/* How a frame came to be. */
enum { GENUINE, DOUBLE, SPOILED, REPLAY, CLEAR, OTHER, KINDS };

/* What goes with a frame, and no station sees. */
struct tag {
    uint32_t id;          /* of its datagram; 0: none */
    uint32_t spi, seq;    /* of the outermost header it was sealed with */
    uint8_t  kind;
    uint8_t  chan;
    uint8_t  from, to;    /* stations, end to end */
};

struct frame {
    uint64_t   due, order;
    struct tag tag;
    uint8_t    at;        /* where it arrives */
    uint8_t    red;       /* 1: from the host to its gateway; 2: back */
    size_t     len;
    uint8_t    p[];
};

/* Two ends and what protects their traffic. */
enum { BY_TIME, BY_BYTES, BY_SEQ, STATIC };

struct channel {
    const char *name;
    uint8_t  end[2];      /* stations */
    uint8_t  mode, outer, inner, layers, life, async, natt;
    uint16_t encr, integ, key_len, integ_len, flags, window;
};

#define CHANNELS 8
extern const struct channel channels[CHANNELS];

/* An SA with its memory, at one station. */
struct box {
    struct box           *next;
    struct ipsec_sa       sa;
    struct ipsec_lifetime life;
    void                 *key;
    size_t                key_len;
    uint32_t              window[16];
    uint32_t              uid;     /* of the negotiation */
    uint8_t               at, chan, layer, way;  /* way 0: end[0] to end[1] */
    uint8_t               ended, released, zombie, retired;
    uint32_t              retire_at;
    uint64_t              floor, top; /* in: seen from the start; highest */
};

/* What a policy has become for a time. */
enum { GATE_OPEN, GATE_DISCARD, GATE_GONE, GATE_OTHER };

#define ENGINE 12

struct engine {
    struct ipsec_crypto api; /* first */
    struct ipsec_op    *op[ENGINE];
    size_t              n;
    unsigned            stalled;
};

/* A packet while it is in a station. */
struct lent {
    struct lent     *next, *prev;
    struct ipsec_pkt pkt;
    struct tag       tag;
    struct station  *at;
    uint8_t          out, part, sent, ended;
    int              audited;
    uint8_t          mem[];
};

#define SLOTS   16
#define SLOT    IPSEC_REASS_SIZE(65535, ROOM, ROOM)
#define ROOM    192u
#define BUCKETS 64
#define TUPLES  8

struct nvm {
    uint64_t noted, pending;
    uint32_t done_at;     /* 0: nothing is being written */
};

struct station {
    const char             *name;
    uint8_t                 index;
    struct ipsec            ips;
    struct ipsec_config     cfg;
    struct ipsec_sad_bucket sad[BUCKETS];
    struct ipsec_policy    *bucket[BUCKETS];
    struct ipsec_tuple      tuple[TUPLES];
    struct ipsec_spd_index  spd;
    struct ipsec_netif      nif;
    struct ipsec_reass      reass[2];     /* out, in */
    struct ipsec_reass_slot slot[2][SLOTS];
    uint8_t                *slot_mem;
    uint8_t                 frag[1500];
    struct engine           engine;
    struct ipsec_policy     policy[CHANNELS][2], gate_policy[CHANNELS];
    struct ipsec_policy     pass[2];
    uint8_t                 gate[CHANNELS];
    uint32_t                gate_until[CHANNELS];
    struct nvm              nvm[CHANNELS][2];
    struct box             *boxes;
    struct lent            *lent;
    struct ipsec_addr       addr[2];      /* its own: IPv4, IPv6 */
};

/* --- main.c */

struct week {
    uint32_t       packets;
    uint64_t       seed, random[2], digest;
    uint64_t       step;
    uint32_t       now;
    const char    *sabotage;
    size_t         event[EVENTS_LEN];
    struct station station[STATIONS];
};
extern struct week week;

uint64_t draw(void);
uint32_t below(uint32_t n);
int      chance(uint32_t one_in);
uint64_t mix(uint64_t a, uint64_t b);
void     note(uint64_t what);   /* into the digest */
int      sabotaged(const char *name);

/* --- dgram.c */

struct plan {
    uint32_t id;
    uint8_t  chan, way, proto, df;
    size_t   payload;
};

size_t   dgram_build(uint8_t *p, const struct plan *plan);
uint32_t dgram_id(const uint8_t *p, size_t len);     /* 0: none */
uint64_t dgram_print(const uint8_t *p, size_t len);
int      dgram_marked(const uint8_t *p, size_t len);
uint16_t ip_sum(uint32_t start, const uint8_t *p, size_t len);
void     ip4_fix(uint8_t *p);
int      ip4_intact(const uint8_t *p, size_t len);
int      ip_is_part(const uint8_t *p, size_t len);   /* a fragment */
uint64_t ip_part_key(const uint8_t *p);
int      ip_sealed(const uint8_t *p, size_t len, uint32_t *spi,
                   uint32_t *seq);
size_t   ip_cut(const uint8_t *p, size_t mtu, uint32_t id, size_t *off,
                uint8_t *to);
size_t   ip_too_big(uint8_t *to, const uint8_t *p, size_t len, size_t mtu);
struct ipsec_addr ip_addr(const uint8_t *p, int dst);
struct ipsec_addr inner_addr(unsigned chan, unsigned end, unsigned host);
int      addr_same(const struct ipsec_addr *a, const struct ipsec_addr *b);

/* --- wire.c */

extern struct ipsec_addr nat_public;
extern uint16_t          nat_port;
extern size_t            wire_mtu;

void wire_from(struct station *s, const struct tag *tag, const uint8_t *p,
               size_t len);
void wire_lan(uint8_t to, const struct tag *tag, const uint8_t *p, size_t len);
void wire_forge(uint8_t to, const struct tag *tag, const uint8_t *p,
                size_t len);
void wire_run(void);
int  wire_busy(void);
void wire_remap(void);
void wire_close(void);

/* --- station.c */

void station_begin(struct station *s);
void station_init(struct station *s);         /* a context, from zero */
void station_output(struct station *s, const struct tag *tag,
                    const uint8_t *p, size_t len, unsigned flags);
void station_input(struct station *s, const struct frame *f);
void station_dummy(struct station *s);
void station_engine(struct station *s, int all);
void station_crash(struct station *s);        /* what it held is gone */
void station_end(struct station *s);

/* --- keys.c */

void keys_boot(struct station *s);
void keys_second(void);
void keys_event(void *user, struct ipsec_sa *sa, int event);
void keys_acquire(void *user, struct ipsec_policy *policy,
                  const struct ipsec_flow *flow, int lane);
void keys_mapping(void *user, struct ipsec_sa *sa,
                  const struct ipsec_addr *remote, uint16_t port);
void keys_restart(struct station *s, int crash);
void keys_move(void);
void keys_gate(struct station *s);
void keys_end(struct station *s);
struct ipsec_addr outer_addr(const struct station *s, unsigned chan,
                             int remote);
struct box *box_in(struct station *s, uint32_t spi);  /* mature, inbound */
struct box *box_out(struct station *s, unsigned chan, unsigned layer);

/* --- book.c: the oracle */

void book_begin(void);
void book_sent(const struct plan *plan, uint8_t from, uint64_t print,
               int may_be_big);
void book_call(const struct station *s, int out, const struct tag *tag);
void book_out(struct station *s, const struct lent *l, int status);
void book_in(struct station *s, const struct lent *l, int status);
void book_delivered(struct station *s, const struct lent *l);
void book_hop(const struct station *s, int out);
void book_silent(const struct station *s, const struct lent *l);
void book_crashed(const struct station *s, const struct lent *l);
void book_audit(const struct station *s, int in, int status);
void book_context_ends(struct station *s);
void book_sealed(struct station *s, const struct tag *tag);
void book_frame(void);                             /* onto the wire */
void book_lost(const struct tag *tag);             /* ... off it */
void book_spoiled(const struct tag *tag);
void book_part(const struct station *s, const struct tag *tag,
               const uint8_t *p);
int  book_end(void);                                /* how many failures */
void fail(const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 1, 2)))
#endif
    ;

#endif
