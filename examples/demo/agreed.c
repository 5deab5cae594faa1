/*
 * The demo: what device and gateway agreed on.
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L

#include "demo.h"

#include <arpa/inet.h>
#include <string.h>

const struct demo_cipher_info demo_cipher[] = {
    { "AES-128-GCM", IPSEC_ENCR_AES_GCM_16, 20, IPSEC_INTEG_NONE, 0,
      "AES-GCM with 16 octet ICV [RFC4106]", "NULL" },
    { "AES-256-GCM", IPSEC_ENCR_AES_GCM_16, 36, IPSEC_INTEG_NONE, 0,
      "AES-GCM with 16 octet ICV [RFC4106]", "NULL" },
    { "AES-128-CBC-SHA256", IPSEC_ENCR_AES_CBC, 16,
      IPSEC_INTEG_HMAC_SHA2_256_128, 32,
      "AES-CBC [RFC3602]", "HMAC-SHA-256-128 [RFC4868]" },
    { "CHACHA20-POLY1305", IPSEC_ENCR_CHACHA20_POLY1305, 36,
      IPSEC_INTEG_NONE, 0,
      "ChaCha20 with Poly1305 [RFC7634]", "NULL" },
};

const uint8_t demo_mac[DEMO_ROLES][6] = {
    { 0x02, 0, 0, 0, 0, 0x01 },
    { 0x02, 0, 0, 0, 0, 0x02 },
};

/* ------------------------------------------------------------- policies */

/* A line of the table below; addresses in the order of enum demo_role. */
struct rule {
    uint32_t    priority;
    uint8_t     action, version, proto;
    uint8_t     type_lo, type_hi;       /* of ICMP; 0, 0: any */
    uint32_t    reqid;
    const char *addr[DEMO_ROLES];       /* NULL: any */
    uint8_t     bits[DEMO_ROLES];
};

static const struct rule rules[] = {
    /* Neighbours must find each other before they can protect anything. */
    { 10, IPSEC_ACTION_BYPASS, 6, 58, 133, 137, 0,
      { NULL, NULL }, { 0, 0 } },
    { 20, IPSEC_ACTION_PROTECT, 4, 1, 0, 0, DEMO_PING4,
      { DEVICE_IP4, GATEWAY_IP4 }, { 32, 32 } },
    { 20, IPSEC_ACTION_PROTECT, 6, 58, 128, 129, DEMO_PING6,
      { DEVICE_IP6, GATEWAY_IP6 }, { 128, 128 } },
    { 30, IPSEC_ACTION_PROTECT, 4, 0, 0, 0, DEMO_TUNNEL4,
      { DEVICE_IP4, "198.51.100.0" }, { 32, 24 } },
    { 30, IPSEC_ACTION_PROTECT, 6, 0, 0, 0, DEMO_TUNNEL6,
      { DEVICE_IP6, "2001:db8:1::" }, { 128, 64 } },
    /* As an empty SPD would; but so it is seen in the table. */
    { 99, IPSEC_ACTION_DISCARD, 0, 0, 0, 0, 0,
      { NULL, NULL }, { 0, 0 } },
};

static void set_prefix(struct ipsec_prefix *prefix, int version,
                       const char *addr, uint8_t bits)
{
    prefix->bits = bits;
    if (addr != NULL) {
        (void)inet_pton(version == 4 ? AF_INET : AF_INET6, addr,
                        prefix->byte);
    }
}

static void set_policy(struct ipsec_policy *policy, const struct rule *rule,
                       int role)
{
    struct ipsec_selector *sel = &policy->sel;
    int peer = 1 - role;

    memset(policy, 0, sizeof *policy);
    set_prefix(&sel->local, rule->version, rule->addr[role],
               rule->bits[role]);
    set_prefix(&sel->remote, rule->version, rule->addr[peer],
               rule->bits[peer]);
    sel->version = rule->version;
    sel->proto = rule->proto;
    if (rule->type_hi != 0) {
        sel->set = IPSEC_SEL_LOCAL_PORT; /* ICMP: type << 8 | code */
        sel->local_port_lo = (uint16_t)(rule->type_lo << 8);
        sel->local_port_hi = (uint16_t)(rule->type_hi << 8 | 0xff);
    }
    policy->action = rule->action;
    policy->dir = IPSEC_IN | IPSEC_OUT;
    policy->priority = rule->priority;
    if (rule->action == IPSEC_ACTION_PROTECT) {
        policy->reqid = rule->reqid;
        policy->proto = IPSEC_PROTO_ESP;
        policy->mode = (uint8_t)demo_mode(rule->reqid);
    }
}

/* The hole that SABOTAGE=policy makes: the valve obeys everybody. */
static void set_hole(struct ipsec_policy *policy)
{
    memset(policy, 0, sizeof *policy);
    policy->sel.proto = 17;
    policy->sel.set = IPSEC_SEL_LOCAL_PORT;
    policy->sel.local_port_lo = DEMO_VALVE_PORT;
    policy->sel.local_port_hi = DEMO_VALVE_PORT;
    policy->action = IPSEC_ACTION_BYPASS;
    policy->dir = IPSEC_IN;
    policy->priority = 5;
}

size_t demo_policies(struct ipsec_policy *policy, int role, int sabotaged)
{
    size_t n;

    for (n = 0; n < sizeof rules / sizeof *rules; n++) {
        set_policy(&policy[n], &rules[n], role);
    }
    if (sabotaged) {
        set_hole(&policy[n++]);
    }
    return n;
}

/* ------------------------------------------------------ SAs, addresses */

int demo_mode(uint32_t reqid)
{
    return reqid == DEMO_TUNNEL4 || reqid == DEMO_TUNNEL6
           ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT;
}

int demo_version(uint32_t reqid)
{
    return reqid == DEMO_TUNNEL4 || reqid == DEMO_PING4 ? 4 : 6;
}

struct ipsec_addr demo_addr(int role, int version)
{
    static const char *const text[DEMO_ROLES][2] = {
        { DEVICE_IP4, DEVICE_IP6 }, { GATEWAY_IP4, GATEWAY_IP6 },
    };
    struct ipsec_addr addr;

    memset(&addr, 0, sizeof addr);
    addr.version = (uint8_t)version;
    (void)inet_pton(version == 4 ? AF_INET : AF_INET6,
                    text[role][version == 6], addr.byte);
    return addr;
}

/* ------------------------------------------------------------- the page */

void demo_page(char *page)
{
    char line[80];
    int n;

    for (n = 0; n < DEMO_PAGE_LINES; n++) {
        (void)snprintf(line, sizeof line,
                       "line %4d of %d: whoever reads this on the wire has "
                       "the keys.\n", n + 1, DEMO_PAGE_LINES);
        memcpy(page + (size_t)n * 64, line, 64);
    }
}
