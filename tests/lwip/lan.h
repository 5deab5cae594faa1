/* SPDX-License-Identifier: MIT */
#ifndef TESTS_LWIP_LAN_H
#define TESTS_LWIP_LAN_H

#include "fake/fixture.h"
#ifdef LAN_BUMP
#include "ipsec_lwip_bump.h"
#else
#include "ipsec_lwip.h"
#endif

#include "lwip/ip.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"

/*
 * A LAN in memory: on one end this process's lwIP, the device, with the port in
 * it or, with LAN_BUMP, a bump below it;
 * on the other the test, the peer, which has a context of the core library to
 * open and seal with, and answers ARP and neighbour solicitations by itself.
 */

#define DEV4  "192.0.2.1"
#define PEER4 "192.0.2.2"
#define FAR4  "198.51.100.9"     /* behind the peer */
#define DEV6  "2001:db8::1"
#define PEER6 "2001:db8::2"
#define FAR6  "2001:db8:9::9"

#define LAN_MTU    1500
#define LAN_SLOTS  4
#define LAN_FRAMES 256

struct frame {
    uint16_t type;               /* EtherType */
    uint8_t *ip;                 /* without Ethernet header */
    size_t   len;
};

struct lan {
    struct fx              dev, peer;
    struct netif           netif;
#ifdef LAN_BUMP
    struct ipsec_lwip_bump port;
#else
    struct ipsec_lwip      port;
    struct ipsec_lwip_slot slot[LAN_SLOTS];
#endif
    struct fx_sa           out, in;           /* of the device ... */
    struct fx_sa           peer_in, peer_out; /* ... and their other ends */
    struct ipsec_policy    nd, all, peer_all;

    struct frame           frame[LAN_FRAMES]; /* that the device has sent */
    size_t                 frames;
    size_t                 seen;              /* and lan_take() has taken */
    struct frame           reply[LAN_FRAMES]; /* by the peer, to come */
    size_t                 replies;

    size_t                 piece;  /* pbufs that arrive have so much; 0: all */
    int                    deaf;   /* the peer does not answer ARP or ND */
    uint8_t                got[PACKET_MAX]; /* last that a socket received */
    size_t                 got_len, gots;
};

extern struct lan lan;

/* Of which IP version are cases to be run? */
#define LAN_FROM (LWIP_IPV4 ? 4 : 6)
#define LAN_TO   (LWIP_IPV6 ? 6 : 4)
#define FOR_EACH_VERSION(v) for (v = LAN_FROM; v <= LAN_TO; v += 2)

const char *dev_addr(int version);
const char *peer_addr(int version);
const char *far_addr(int version);
ip_addr_t lwip_addr(const char *text);

/* The device comes up: with `slots` of the port, or without it (-1). SAs of
 * `mode`, outer addresses of `version`, protect all but neighbour discovery;
 * lan_bare() adds none and no policy but that. What it says on coming up is
 * forgotten. lan_end() checks that lwIP has given all memory back. */
void lan_begin(int mode, int version, int slots);
void lan_bare(int slots);
void lan_end(void);
void lan_clear(void);            /* forget what was sent and received */

void lan_sas(int mode, int version);  /* both ends, not yet added */
void lan_sas_add(void);

/* Around lan.netif: with `slots`, as far as there is such a thing. */
void lan_attach(int slots);
void lan_detach(void);
void lan_poll(void);

/* Add a policy of the device's: {proto, ports of the device} -> action. */
void lan_policy(struct ipsec_policy *policy, int action, uint32_t priority,
                uint8_t proto, uint16_t lo, uint16_t hi);

/* Let `ms` pass, for lwIP and the port. */
void lan_wait(unsigned ms);

/* Give the device an IP packet. */
void lan_send(const uint8_t *ip, size_t len);

/* Give it what the peer has answered so far. */
void lan_pump(void);

/* The next IP packet the device has sent, whole: its fragments are put
 * together, in order. 0: none. `frames` and `most`, or NULL: how many there
 * were, and the length of the longest. */
size_t lan_take(uint8_t *ip, size_t *frames, size_t *most);

/* Seal what the peer sends / open what it receives. 0: could not. */
size_t peer_seal(uint8_t *out, const uint8_t *ip, size_t len);
size_t peer_open(uint8_t *ip, size_t len);

/* Seal and send; in fragments of `most` bytes of data, if not 0, in the order
 * of `order`: digits. */
void peer_send(const uint8_t *ip, size_t len);
void peer_send_cut(const uint8_t *ip, size_t len, size_t most,
                   const char *order);

/* Cut an IP packet into fragments; how many. */
struct cut {
    uint8_t ip[2048];
    size_t  len;
};
size_t packet_cut(struct cut *cut, const uint8_t *ip, size_t len, size_t most,
                  uint16_t id);

/* Take what the device has sent, which must be one ESP packet, open it. Its
 * length; fails the test if there is none. */
size_t peer_take(uint8_t *ip);

/* Does the device's next packet, if any, look like this protocol? 0 if there
 * is none; protocol 0xffff for ARP. */
unsigned frame_proto(const struct frame *f);

/* A UDP socket that notes what it gets in `lan`. */
struct udp_pcb *lan_socket(uint16_t port);

/* Send `len` bytes of the usual pattern from it. */
err_t lan_udp_send(struct udp_pcb *pcb, const char *to, uint16_t port,
                   size_t len);

/* A UDP packet towards the device; its length. */
size_t udp_packet(uint8_t *ip, const char *from, const char *to,
                  uint16_t sport, uint16_t dport, size_t payload);

/* Init function of a netif that takes what it is handed, and forgets it. */
err_t netif_nothing(struct netif *netif);

/* Recompute the checksum of a packet's TCP, UDP or ICMPv6; and tell whether
 * it is right. */
void upper_fix(uint8_t *ip);
int upper_intact(const uint8_t *ip);
uint8_t *upper_of(uint8_t *ip);

/* What lwIP has allocated and not freed; make its allocation `n` from now on
 * fail, 0: none; did it come to that? */
extern size_t lan_allocated;
extern size_t lan_fail_at;
extern size_t lan_allocations;

int tests_exchange(void);
int tests_fragments(void);
int tests_tcp(void);
int tests_waiting(void);
int tests_port(void);
int tests_leaks(void);
int tests_forward(void);
int tests_around(void);
int tests_tunnel(void);
int tests_natt(void);
int tests_offload(void);
int tests_bump(void);

#endif
