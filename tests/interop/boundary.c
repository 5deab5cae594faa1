/*
 * The device's IPsec boundary: one policy and a pair of SAs.
 * SPDX-License-Identifier: MIT
 */
#include "boundary.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ipsec_lwip.h"
#include "ipsec_mbedtls.h"
#include "lwip/ip_addr.h"
#include "lwip/timeouts.h"

#define REQID       1
#define KEY_MEM     2048
#define WINDOW_MAX  (4096 / 32)
#define ICMP6       58
#define UDP         17
#define ND_FIRST    133 /* RFC 4861: router solicitation ... redirect */
#define ND_LAST     137
#define SLOTS       4
#define POLL_MS     250

/* One direction of the pair. */
struct half {
    struct ipsec_sa sa;
    uint8_t         key[64], ikey[64];
    union {
        uint8_t     byte[KEY_MEM];
        void       *align_pointer;
        uint64_t    align_number;
    } expanded;
};

static struct ipsec ips;
static struct ipsec_lwip port;
static struct ipsec_lwip_slot slot[SLOTS];
static struct half out, in;
static uint32_t window[WINDOW_MAX];
static struct ipsec_policy nd, ike, protect, multicast4, multicast6;
static unsigned mappings;

/* What is dropped is listed by the callers, but why is only known here. */
static void on_audit(void *user, const struct ipsec_audit *event)
{
    (void)user;
    fprintf(stderr, "device: %s %s spi %08lx seq %llu proto %u\n",
            event->dir == IPSEC_IN ? "in" : "out",
            ipsec_status_str(event->status), (unsigned long)event->spi,
            (unsigned long long)event->seq, event->flow->proto);
}

/* The peer is behind a NAT, and we are not: follow it (RFC 7296 section
 * 2.23). */
static void on_mapping(void *user, struct ipsec_sa *sa,
                       const struct ipsec_addr *remote, uint16_t port_new)
{
    (void)user;
    (void)sa;
    mappings++;
    fprintf(stderr, "device: mapping: port %u\n", port_new);
    if (ipsec_sad_update(&ips, &in.sa, 0, &in.sa.local, in.sa.local_port,
                         remote, port_new) != IPSEC_OK ||
        ipsec_sad_update(&ips, &out.sa, 0, &out.sa.local, out.sa.local_port,
                         remote, port_new) != IPSEC_OK) {
        fprintf(stderr, "device: mapping: refused\n");
    }
}

static struct ipsec_config config = {
    .crypto = &ipsec_mbedtls,
    .random = host_random,
    .mapping = on_mapping,
    .audit = on_audit,
};

/* ------------------------------------------------------------- parsing */

static int address_parse(struct ipsec_addr *addr, const char *text)
{
    ip_addr_t a;

    memset(addr, 0, sizeof *addr);
    if (text == NULL || !ipaddr_aton(text, &a)) {
        return -1;
    }
    addr->version = IP_IS_V6(&a) ? 6 : 4;
    if (IP_IS_V6(&a)) {
        memcpy(addr->byte, ip_2_ip6(&a)->addr, 16);
    } else {
        memcpy(addr->byte, &ip_2_ip4(&a)->addr, 4);
    }
    return 0;
}

static int prefix_parse(struct ipsec_prefix *prefix, const char *text)
{
    struct ipsec_addr addr;

    if (address_parse(&addr, text) != 0) {
        return -1;
    }
    memcpy(prefix->byte, addr.byte, sizeof prefix->byte);
    prefix->bits = addr.version == 6 ? 128 : 32;
    return addr.version;
}

static unsigned long number(const char *text)
{
    return text == NULL ? 0 : strtoul(text, NULL, 0);
}

static uint16_t hex_parse(uint8_t *to, size_t size, const char *text)
{
    unsigned byte;
    size_t len = 0;

    while (text != NULL && len < size && sscanf(text, "%2x", &byte) == 1) {
        to[len++] = (uint8_t)byte;
        text += 2;
    }
    return (uint16_t)len;
}

/* --------------------------------------------------------- what to add */

static int add_half(struct half *half, int dir, const struct options *opt)
{
    struct ipsec_sa_params p;
    int rc;

    memset(&p, 0, sizeof p);
    p.dir = (uint8_t)dir;
    p.spi = (uint32_t)number(dir == IPSEC_OUT ? opt->spi_out : opt->spi_in);
    p.reqid = REQID;
    p.proto = (uint8_t)number(opt->proto);
    p.mode = strcmp(opt->mode, "tunnel") == 0 ? IPSEC_MODE_TUNNEL
                                              : IPSEC_MODE_TRANSPORT;
    p.flags = IPSEC_SA_NEGOTIATED;
    p.flags |= number(opt->esn) ? IPSEC_SA_ESN : 0;
    p.flags |= number(opt->align8) ? IPSEC_SA_AH_ALIGN8 : 0;
    p.flags |= dir == IPSEC_OUT && number(opt->df) ? IPSEC_SA_DF_SET : 0;
    p.local_port = p.remote_port = (uint16_t)number(opt->natt);
    p.tfc = dir == IPSEC_OUT ? (uint16_t)number(opt->tfc) : 0;
    p.seq = opt->seq == NULL ? 0 : strtoull(opt->seq, NULL, 0);
    p.mtu = HOST_MTU;
    p.km.encr = (uint16_t)number(opt->encr);
    p.km.integ = (uint16_t)number(opt->integ);
    p.km.encr_key = half->key;
    p.km.integ_key = half->ikey;
    p.km.encr_key_len = hex_parse(
        half->key, sizeof half->key,
        dir == IPSEC_OUT ? opt->key_out : opt->key_in);
    p.km.integ_key_len = hex_parse(
        half->ikey, sizeof half->ikey,
        dir == IPSEC_OUT ? opt->ikey_out : opt->ikey_in);
    p.key = &half->expanded;
    p.key_len = sizeof half->expanded;
    if (dir == IPSEC_IN && number(opt->window) > 0) {
        p.window = window;
        p.window_len = (uint16_t)(number(opt->window) / 32);
    }
    if (address_parse(&p.local, opt->local) != 0 ||
        address_parse(&p.remote, opt->remote) != 0) {
        return IPSEC_ERR_ADDR;
    }
    rc = ipsec_sad_add(&ips, &half->sa, &p);
    if (rc != IPSEC_OK) {
        fprintf(stderr, "device: SA: %s\n", ipsec_status_str(rc));
    }
    return rc;
}

/* Neighbour discovery goes in clear, or no first packet ever leaves. */
static int add_bypass(void)
{
    nd.sel.version = 6;
    nd.sel.proto = ICMP6;
    nd.sel.set = IPSEC_SEL_LOCAL_PORT;
    nd.sel.local_port_lo = ND_FIRST << 8;
    nd.sel.local_port_hi = ND_LAST << 8 | 0xff;
    nd.dir = IPSEC_IN | IPSEC_OUT;
    nd.action = IPSEC_ACTION_BYPASS;
    nd.priority = 1;
    return ipsec_spd_add(&ips, &nd);
}

/* As does IKE, which shares its port with ESP in UDP. */
static int add_ike(const struct options *opt)
{
    struct ipsec_addr local;

    if (address_parse(&local, opt->local) != 0) {
        return IPSEC_ERR_ADDR;
    }
    ike.sel.version = local.version;
    ike.sel.proto = UDP;
    ike.sel.set = IPSEC_SEL_LOCAL_PORT;
    ike.sel.local_port_lo = ike.sel.local_port_hi =
        (uint16_t)number(opt->natt);
    ike.dir = IPSEC_IN | IPSEC_OUT;
    ike.action = IPSEC_ACTION_BYPASS;
    ike.priority = 1;
    return ipsec_spd_add(&ips, &ike);
}

static int add_protect(const struct options *opt)
{
    int version = prefix_parse(&protect.sel.remote, opt->target);

    if (version < 0 ||
        prefix_parse(&protect.sel.local,
                     version == 6 ? opt->ip6 : opt->ip4) != version) {
        return IPSEC_ERR_PREFIX;
    }
    protect.sel.version = (uint8_t)version;
    protect.dir = IPSEC_IN | IPSEC_OUT;
    protect.action = IPSEC_ACTION_PROTECT;
    protect.proto = (uint8_t)number(opt->proto);
    protect.mode = strcmp(opt->mode, "tunnel") == 0 ? IPSEC_MODE_TUNNEL
                                                    : IPSEC_MODE_TRANSPORT;
    protect.priority = 2;
    protect.reqid = REQID;
    return ipsec_spd_add(&ips, &protect);
}

static void on_timer(void *arg)
{
    ipsec_lwip_poll(arg);
    sys_timeout(POLL_MS, on_timer, arg);
}

/* Reports of multicast groups: nobody here wants to know. */
static int add_discard(struct ipsec_policy *policy, uint8_t version,
                       uint8_t first, uint8_t bits)
{
    policy->sel.version = version;
    policy->sel.remote.byte[0] = first;
    policy->sel.remote.bits = bits;
    policy->dir = IPSEC_OUT;
    policy->action = IPSEC_ACTION_DISCARD;
    policy->priority = 3;
    return ipsec_spd_add(&ips, policy);
}

int boundary_open(struct host *host, const struct options *opt)
{
    int rc;

    config.natt_port = (uint16_t)number(opt->natt);
    config.flags = number(opt->ptb) ? IPSEC_ACCEPT_PTB : 0;
    rc = ipsec_init(&ips, &config);
    if (rc != IPSEC_OK || (rc = add_bypass()) != IPSEC_OK ||
        (config.natt_port && (rc = add_ike(opt)) != IPSEC_OK) ||
        (rc = add_protect(opt)) != IPSEC_OK ||
        (rc = add_discard(&multicast4, 4, 224, 4)) != IPSEC_OK ||
        (rc = add_discard(&multicast6, 6, 0xff, 8)) != IPSEC_OK ||
        (rc = add_half(&out, IPSEC_OUT, opt)) != IPSEC_OK ||
        (rc = add_half(&in, IPSEC_IN, opt)) != IPSEC_OK) {
        fprintf(stderr, "device: boundary: %s\n", ipsec_status_str(rc));
        return -1;
    }
    if (ipsec_lwip_attach(&port, &host->netif, &ips, slot, SLOTS) != ERR_OK) {
        fprintf(stderr, "device: boundary: the port refuses\n");
        return -1;
    }
    host->ips = &ips;
    sys_timeout(POLL_MS, on_timer, &port);
    return 0;
}

void boundary_close(void)
{
    sys_untimeout(on_timer, &port);
    (void)ipsec_lwip_detach(&port);
    (void)ipsec_sad_remove(&ips, &out.sa);
    (void)ipsec_sad_remove(&ips, &in.sa);
    ipsec_spd_remove(&ips, &multicast6);
    ipsec_spd_remove(&ips, &multicast4);
    ipsec_spd_remove(&ips, &protect);
    if (config.natt_port) {
        ipsec_spd_remove(&ips, &ike);
    }
    ipsec_spd_remove(&ips, &nd);
}

void boundary_dummies(unsigned count, unsigned size)
{
    unsigned i, sent = 0;

    for (i = 0; i < count; i++) {
        sent += ipsec_lwip_dummy(&port, &out.sa, (uint16_t)size) == ERR_OK;
    }
    printf("dummy %u of %u bad 0 twice 0\n", sent, count);
}

/* ---------------------------------------------------------- statistics */

static void print(const char *prefix, const char *name, uint64_t value)
{
    if (value != 0) {
        printf("%s%s %llu\n", prefix, name, (unsigned long long)value);
    }
}

static void print_sa(const char *prefix, const struct ipsec_sa *sa)
{
    print(prefix, "packets", sa->packets);
    print(prefix, "bytes", sa->bytes);
    print(prefix, "seq", sa->seq);
    print(prefix, "mtu", sa->mtu);
    print(prefix, "remote_port", sa->remote_port);
    print(prefix, "drop_auth", sa->drop_auth);
    print(prefix, "drop_replay", sa->drop_replay);
    print(prefix, "drop_other", sa->drop_other);
}

void boundary_stats(void)
{
    const struct ipsec_stats *s = &ips.stats;
    int i;

    print("", "out_protect", s->out_protect);
    print("", "out_bypass", s->out_bypass);
    print("", "in_protect", s->in_protect);
    print("", "in_bypass", s->in_bypass);
    print("", "in_consumed", s->in_consumed);
    print("", "in_keepalive", s->in_keepalive);
    print("", "in_too_big", s->in_too_big);
    print("", "mappings", mappings);
    for (i = 1; i < IPSEC_DROP_COUNT; i++) {
        print("in_drop.", ipsec_status_str(-i), s->in_drop[i]);
        print("out_drop.", ipsec_status_str(-i), s->out_drop[i]);
    }
    print("port.", "held", port.held);
    print("port.", "nomem", port.nomem);
    print("port.", "too_big", port.too_big);
    print("port.", "not_ours", port.not_ours);
    print("port.", "frag_drop", port.frag_drop);
    print_sa("sa_out.", &out.sa);
    print_sa("sa_in.", &in.sa);
}
