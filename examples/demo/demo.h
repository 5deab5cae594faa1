/*
 * The demo: what its processes say to each other, and what they agreed on.
 * SPDX-License-Identifier: MIT
 *
 *   demo.c      tells the story, step by step, and judges
 *   stage.c     starts the two hosts, gives them keys and orders
 *   device.c    an lwIP host that fetches pages, pings and opens a valve
 *   gateway.c   an lwIP host that serves pages and has a valve
 *   station.c   what those two have in common: an lwIP host, its IPsec
 *               boundary, and a wire to the process that gives the orders
 *   agreed.c    addresses, policies, algorithms and the page
 *   attacker.c  somebody with access to the wire
 *   print.c     tables
 */
#ifndef DEMO_H
#define DEMO_H

#include <stdio.h>

#include "ipsec/ipsec.h"

/* ------------------------------------------------------------- agreed on */

enum demo_role { DEMO_DEVICE, DEMO_GATEWAY, DEMO_ROLES };

/* Both are on one Ethernet; the pages are in the net behind the gateway. */
#define DEVICE_IP4  "192.0.2.1"
#define GATEWAY_IP4 "192.0.2.2"
#define PAGES_IP4   "198.51.100.1"
#define DEVICE_IP6  "2001:db8::1"
#define GATEWAY_IP6 "2001:db8::2"
#define PAGES_IP6   "2001:db8:1::1"

#define DEMO_URI          "/page.txt"
#define DEMO_PAGE_LINES   1600
#define DEMO_PAGE_LEN     ((size_t)DEMO_PAGE_LINES * 64)
#define DEMO_PINGS        3
#define DEMO_VALVE_PORT   7000 /* UDP */
#define DEMO_VALVE_ORDER  "open valve 7"
#define DEMO_VALVE_ANSWER "valve 7 is open"

#define DEMO_POLICIES 7
#define DEMO_SAS      16

enum demo_reqid {
    DEMO_TUNNEL4 = 1, DEMO_TUNNEL6, DEMO_PING4, DEMO_PING6
};

enum demo_cipher {
    DEMO_AES_128_GCM, DEMO_AES_256_GCM, DEMO_AES_128_CBC, DEMO_CHACHA20
};

struct demo_cipher_info {
    const char *name;
    uint16_t    encr, encr_len, integ, integ_len;
    const char *wireshark_encr, *wireshark_integ;
};
extern const struct demo_cipher_info demo_cipher[];

/** One SA, as a key daemon would have negotiated it. */
struct demo_sa {
    uint32_t spi, reqid;
    uint8_t  from;    /**< enum demo_role; the other one is its receiver */
    uint8_t  cipher;  /**< enum demo_cipher */
    uint16_t flags;   /**< IPSEC_SA_* beyond the usual */
    uint8_t  key[36], integ_key[32];
};

extern const uint8_t demo_mac[DEMO_ROLES][6];

/** Fill in the SPD of one side; returns how many policies it has.
 * `sabotaged`: the valve is not protected. */
size_t demo_policies(struct ipsec_policy *policy, int role, int sabotaged);

int demo_mode(uint32_t reqid);
int demo_version(uint32_t reqid);
struct ipsec_addr demo_addr(int role, int version);
void demo_page(char *page); /**< writes DEMO_PAGE_LEN bytes, no 0 */

/* --------------------------------------------------- orders and reports */

enum demo_verb {
    DEMO_REPORT,      /**< nothing but that */
    DEMO_UP,          /**< plug in */
    DEMO_ADD,         /**< the SA `sa` */
    DEMO_REMOVE,      /**< the SA with the SPI of `sa` */
    DEMO_FETCH,       /**< device: the page, over IP `version`; `take` bytes
                       *   of it to begin with */
    DEMO_TAKE,        /**< device: `take` bytes more */
    DEMO_PING,        /**< device: DEMO_PINGS times */
    DEMO_VALVE,       /**< device: tell the gateway to open it */
    DEMO_STOP
};

struct demo_order {
    int            verb;
    int            version;
    size_t         take;
    struct demo_sa sa;
};

/** The answer to every order: how it went and how things stand. */
struct demo_report {
    int      status;      /**< of the order: IPSEC_OK or IPSEC_ERR_* */
    size_t   fetched;     /**< device: bytes of the page, all as they should */
    int      complete;    /**< device: the server's end has been seen, too */
    unsigned pongs;       /**< device: right answers to pings */
    unsigned valve;       /**< gateway: times opened; device: times told so */
    struct ipsec_stats  stats;
    size_t              policies, sas;
    struct ipsec_policy policy[DEMO_POLICIES];
    struct ipsec_sa     sa[DEMO_SAS]; /**< also those that were removed:
                                       *   state IPSEC_SA_NONE */
};

/** A child process. Obeys until DEMO_STOP or the end of `control`. */
struct demo_child {
    int         control;
    const char *path, *peer, *pcap;
    int         sabotaged;
};

int device_main(const struct demo_child *child);
int gateway_main(const struct demo_child *child);

/* ------------------------------------------------------ on the wire */

/** Send the gateway at `path` an order for the valve, in clear. */
int attacker_clear(const char *path, int version);

/** Send the gateway all ESP packets of the capture with this SPI again. How
 * many, or -1. */
int attacker_replay(const char *path, const char *pcap, uint32_t spi);

/** What the capture shows. */
struct attacker_view {
    size_t frames, esp, arp, nd, valve, other, readable;
};
int attacker_look(const char *pcap, struct attacker_view *view);

/* ------------------------------------------------------------- print.c */

void print_scene(void);
void print_step(const char *what, int ok, const char *detail);
void print_policies(const struct demo_report *report);
void print_sas(const struct demo_report report[DEMO_ROLES],
               const struct demo_sa *sa, size_t n);
void print_packets(const struct demo_report report[DEMO_ROLES]);
int print_keys(const char *path, const struct demo_sa *sa, size_t n);

#endif
