/* SPDX-License-Identifier: MIT */
#ifndef IPSEC_LINUX_H
#define IPSEC_LINUX_H

#include "ipsec/netif.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @file ipsec_linux.h  libipsec under Linux, beside or below the kernel's own
 * stack, which has no part in it.
 *
 * A port has two sides: red, where packets are in clear, and black, where they
 * are as the wire has them. What a side is decides the placement:
 *
 *     red       black     placement
 *     tun       raw       route-based: what is routed into the device
 *     tap       packet    bump in the stack of whoever has the device
 *     packet    packet    bump in the wire, for a host or a network
 *
 * MTU. What black's interface takes, or side->mtu_most, is how long a packet
 * is at most. TCP's SYNs that policy protects have their MSS option lowered to
 * what fits, both ways; senders on the red side are told what is too long and
 * may not be cut; what routers say of our packets is heeded (IPSEC_ACCEPT_PTB),
 * of RAW by sockets of its own. docs/MTU.md has the rest.
 *
 * It needs CAP_NET_ADMIN for devices of its own and CAP_NET_RAW for the rest,
 * in the network namespace that it is started in; no more while it runs.
 */

/** What a side is. */
enum ipsec_linux_kind {
    IPSEC_LINUX_TUN = 1, /**< a device of ours, of IP packets */
    IPSEC_LINUX_TAP,     /**< a device of ours, of Ethernet frames */
    IPSEC_LINUX_PACKET,  /**< an Ethernet interface, by AF_PACKET */
    IPSEC_LINUX_RAW      /**< the host's own addresses: raw sockets for ESP and
                          *   AH, a UDP socket on port 4500 */
};

#define IPSEC_LINUX_FDS  8
#define IPSEC_LINUX_NAME 16
#define IPSEC_LINUX_NATT 4500

/** What came of the packets and frames of a side. They wrap. */
struct ipsec_linux_count {
    size_t received, sent;   /**< IP packets */
    size_t frames;           /**< other frames, passed on, or of our own */
    size_t frames_dropped;   /**< ... or dropped, as `pass_frames` says */
    size_t full;             /**< a queue was full, ours to send or that of
                              *   what came: the newest is dropped */
    size_t unsent;           /**< refused by the kernel: no route, too long */
    size_t too_long;         /**< more than IPSEC_LINUX_PACKET_MAX bytes; or
                              *   not cut yet, and not TCP */
    size_t down;             /**< while the interface was lost */
};

/** A side. ipsec_linux_side_init(), then read only. */
struct ipsec_linux_side {
    uint8_t  kind;
    uint8_t  lost;           /**< the interface is not there: waited for */
    uint8_t  send_only;      /**< RAW: set it before ipsec_linux_open() where
                              *   another side receives for this one too */
    char     name[IPSEC_LINUX_NAME]; /**< of the interface; of RAW it may be
                              *   empty: any */
    int      fd[IPSEC_LINUX_FDS];    /**< to poll; -1: none */
    int      out[2];         /**< RAW: IPv4 and IPv6, to send */
    unsigned index;          /**< of the interface */
    unsigned mtu;
    uint8_t  mac[6];         /**< PACKET: of the interface */
    uint8_t  vnet;           /**< PACKET: of each frame the kernel tells what
                              *   was left to a card that isn't there */
    unsigned mtu_most;       /**< of the path, where it is known to be less than
                              *   the interface's; 0: it isn't. Set it before
                              *   ipsec_linux_open() */
    struct ipsec_linux_count count;
    /* private */
    uint32_t seen_full[IPSEC_LINUX_FDS]; /* by the kernel, so far */
    uint8_t  id[2];          /* of a datagram in fragments whose own is 0 */
};

/** Longest packet, and room for what SAs add. */
#define IPSEC_LINUX_PACKET_MAX 65535
#define IPSEC_LINUX_HEADROOM   ((size_t)IPSEC_DEPTH * IPSEC_HEADROOM)
#define IPSEC_LINUX_TAILROOM   ((size_t)IPSEC_DEPTH * IPSEC_TAILROOM)
#define IPSEC_LINUX_ETHERNET   18 /* with a VLAN's tag */

/** What was received: a packet in memory with room around it. */
struct ipsec_linux_frame {
    uint8_t *mem;            /**< IPSEC_LINUX_FRAME bytes, the caller's */
    uint8_t *data;           /**< the IP packet, or what else it is */
    size_t   len;
    uint8_t  is_ip;          /**< by the Ethernet type */
    uint8_t  no_csum;        /**< TCP's or UDP's checksum isn't there yet */
    uint16_t gso;            /**< not 0: TCP's segments of so many bytes each,
                              *   not cut yet */
    uint8_t  to_us;          /**< to our own station, which has addresses */
    uint8_t  about_ours;     /**< RAW: a copy of an ICMP error that quotes
                              *   IPsec: to heed, not to deliver */
    uint8_t  ethernet_len;   /**< 0: it had none */
    uint8_t  ethernet[IPSEC_LINUX_ETHERNET];
};

#define IPSEC_LINUX_FRAME                                                      \
    (IPSEC_LINUX_HEADROOM + IPSEC_LINUX_ETHERNET + IPSEC_LINUX_PACKET_MAX +    \
     1 + IPSEC_LINUX_TAILROOM)

/** `spec` is KIND:NAME, e.g. "tun:ipsec0", "packet:eth0"; or "raw". 0, or -1:
 * it isn't. */
int ipsec_linux_side_init(struct ipsec_linux_side *side, const char *spec);

/** Open it. 0, or -1 with errno; `side` is then lost, and may be opened
 * again. */
int ipsec_linux_open(struct ipsec_linux_side *side);
void ipsec_linux_close(struct ipsec_linux_side *side);

/** Has the interface gone, or another one taken its name? Then close, and try
 * to open. About once a second. 1: something has changed. */
int ipsec_linux_watch(struct ipsec_linux_side *side);

/** One packet from side->fd[i]: 1; 0: there is none; -1: the side is lost. */
int ipsec_linux_receive(struct ipsec_linux_side *side, unsigned i,
                        struct ipsec_linux_frame *frame);

/** Send the IP packet `ip`, with the Ethernet header of `frame`, the one that
 * it came with (its type is set to the packet's). Counted, one way or the
 * other. */
void ipsec_linux_send(struct ipsec_linux_side *side,
                      const struct ipsec_linux_frame *frame,
                      const struct ipsec_buf *ip);

/** Send on a frame that isn't IP. */
void ipsec_linux_send_frame(struct ipsec_linux_side *side,
                            const struct ipsec_linux_frame *frame);

/* --- linux_hop.c: a bump's own addresses */

#define IPSEC_LINUX_OWN     8
#define IPSEC_LINUX_ROUTES  8
#define IPSEC_LINUX_HOPS    256
#define IPSEC_LINUX_WAITING 131072 /* bytes, for one station's answer */

/** An address, and how many bits of it are those of its network. */
struct ipsec_linux_net {
    struct ipsec_addr addr;
    uint8_t           bits;
};

/** A router, and the network behind it; of no bits: all else. */
struct ipsec_linux_route {
    struct ipsec_linux_net net;
    struct ipsec_addr      via;
};

/** A station next to us: private. */
struct ipsec_linux_hop {
    struct ipsec_addr        addr;
    uint8_t                  black, state, tries, mac[6];
    uint32_t                 heard, asked, used;
    size_t                   waiting;
    struct ipsec_linux_wait *first;
};

/**
 * A bump that has addresses of its own, the same on both sides: tunnels end
 * there, and hosts behind it, or routers, send to it what is to go through. It
 * answers ARP and neighbour discovery for them, ahead of policy, and itself
 * asks by these who is next: for what has one of them as its source, and for
 * what was sent to its own station. All else keeps its Ethernet header, as
 * without. What comes for the addresses themselves and is not for a tunnel is
 * dropped. Zero it, then set the first part.
 */
struct ipsec_linux_hops {
    struct ipsec_linux_net   own[IPSEC_LINUX_OWN];
    struct ipsec_linux_route route[IPSEC_LINUX_ROUTES];
    size_t                   owns, routes;

    /** Counters of packets: they wrap. */
    size_t unanswered;       /**< nobody has that address */
    size_t full;             /**< too much waits for an answer: the newest is
                              *   dropped */
    size_t no_route;
    size_t refused;          /**< to our own addresses, or as if from these */
    size_t expired;          /**< by time to live, or hop limit */
    /* private */
    size_t                   waiting; /* bytes */
    struct ipsec_linux_hop   hop[IPSEC_LINUX_HOPS];
};

/* --- linux_port.c: both sides and a context */

#define IPSEC_LINUX_SLOTS 8  /* datagrams that are put together at a time */

/** Zero it, set the first part, then ipsec_linux_begin(). */
struct ipsec_linux {
    struct ipsec            *ips;
    struct ipsec_linux_side *red, *black;
    uint8_t                  pass_frames; /**< what isn't IP: 1 pass, 0 drop */
    uint8_t                  plain;       /**< forward all, without IPsec: to
                                           *   measure against */
    struct ipsec_linux_hops *hops;        /**< of TAP and PACKET; or NULL: it
                                           *   has no addresses of its own */

    /** Is it an address of ours? Packets neither from nor to one of these are
     * in transit. */
    int  (*is_ours)(void *user, const struct ipsec_addr *addr);
    /** Which port is a packet for that came on black? Where several share it,
     * and the others have side->send_only. NULL: this one */
    struct ipsec_linux *(*choose)(void *user,
                                  const struct ipsec_linux_frame *frame);
    void  *user;

    /** Counters: they wrap. */
    size_t icmp_sent;        /**< "too big", to the red side */
    size_t icmp_limited;
    size_t no_return;        /**< passed by policy, but back into the tunnel
                              *   device: there is no way without it */
    /* private */
    struct ipsec_netif       nif;
    struct ipsec_reass       reass_out, reass_in;
    struct ipsec_reass_slot  slot[2][IPSEC_LINUX_SLOTS];
    struct ipsec_pkt         pkt;    /* the one that is under way */
    uint8_t                 *mem, *segment;
    uint32_t                 icmp_second;
    unsigned                 icmp_now;
};

/** 0, or -1: no memory, or random numbers. The sides need not be open. */
int ipsec_linux_begin(struct ipsec_linux *port);
void ipsec_linux_end(struct ipsec_linux *port);

/** At most `most` packets of red's or black's fd[i]. */
void ipsec_linux_poll(struct ipsec_linux *port, struct ipsec_linux_side *side,
                      unsigned i, unsigned most);

/** With ipsec_tick(): datagrams that never became whole. */
void ipsec_linux_tick(struct ipsec_linux *port);

/**
 * Is the packet at `p` an ICMP error, "fragmentation needed" or "packet too
 * big", about ESP, AH or UDP from IPSEC_LINUX_NATT? Then where what is behind
 * the IP header that it quotes begins, and its protocol in *proto; otherwise 0.
 */
size_t ipsec_linux_quoted(const uint8_t *p, size_t len, uint8_t *proto);

/** ipsec_config.random. */
int ipsec_linux_random(void *user, void *buf, size_t len);

/* --- linux_store.c: sequence numbers on disk */

/** What an identifier's SAs have used, or reserved. */
struct ipsec_linux_number {
    uint8_t  id[16];
    uint64_t noted;          /**< on disk, after ipsec_linux_store_save() */
    void    *user;           /**< the caller's: who uses it; NULL at first */
};

/**
 * A text file of numbers, a line each: 32 digits of identifier, a blank, the
 * number; the last has a checksum of all others. It is written anew as a whole:
 * beside the old one, to the disk, then in its place. Zero it, then
 * ipsec_linux_store_open().
 */
struct ipsec_linux_store {
    char   path[200];
    int    lock;
    struct ipsec_linux_number **number;
    size_t len, room;
    size_t *table;           /* private: places in `number`, + 1, by id */
    int    dirty;
};

/**
 * Read `path`, if it is there, and keep others from it.
 *
 * @return 0; -1 with errno; or the number of a line that can't be read, or
 *         where one is missing: then nothing can be said of the numbers, and
 *         none may be used.
 */
int ipsec_linux_store_open(struct ipsec_linux_store *store, const char *path);

/** The number of `id`, at 0 where it is new; NULL: no memory. It stays where
 * it is. */
struct ipsec_linux_number *
ipsec_linux_store_get(struct ipsec_linux_store *store, const uint8_t id[16]);

/** 0: all numbers are on the disk; or -1 with errno. */
int ipsec_linux_store_save(struct ipsec_linux_store *store);

void ipsec_linux_store_close(struct ipsec_linux_store *store);

#ifdef __cplusplus
}
#endif

#endif
