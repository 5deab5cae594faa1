/*
 * The device's IPsec boundary: policies and a pair of SAs.
 * SPDX-License-Identifier: MIT
 */
#include "boundary.h"

#include <string.h>

#include "ipsec_mbedtls.h"
#include "lwip/ip_addr.h"
#include "lwip/timeouts.h"
#include "place.h"
#include "settings.h"

#define REQID       1
#define KEY_MEM     2048
#define WINDOW_MAX  (4096 / 32)
#define ICMP6       58
#define UDP         17
#define ND_FIRST    133 /* RFC 4861: router solicitation ... redirect */
#define ND_LAST     137
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
static struct half out, in;
static uint32_t window[WINDOW_MAX];
static struct ipsec_policy nd, ike, protect, multicast4, multicast6;
static unsigned mappings;

/* The peer is behind a NAT, and we are not: follow it (RFC 7296 section
 * 2.23). */
static void on_mapping(void *user, struct ipsec_sa *sa,
                       const struct ipsec_addr *remote, uint16_t port_new)
{
    (void)user;
    (void)sa;
    mappings += ipsec_sad_update(&ips, &in.sa, 0, &in.sa.local,
                                 in.sa.local_port, remote,
                                 port_new) == IPSEC_OK &&
                ipsec_sad_update(&ips, &out.sa, 0, &out.sa.local,
                                 out.sa.local_port, remote,
                                 port_new) == IPSEC_OK;
}

static struct ipsec_config config = {
    .crypto = &ipsec_mbedtls,
    .mapping = on_mapping,
};

/* ------------------------------------------------------------- settings */

static int address(struct ipsec_addr *addr, const char *text)
{
    ip_addr_t a;

    memset(addr, 0, sizeof *addr);
    if (!ipaddr_aton(text, &a)) {
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

static int prefix(struct ipsec_prefix *to, const char *text)
{
    struct ipsec_addr addr;

    if (address(&addr, text) != 0) {
        return -1;
    }
    memcpy(to->byte, addr.byte, sizeof to->byte);
    to->bits = addr.version == 6 ? 128 : 32;
    return addr.version;
}

static uint8_t mode(void)
{
    return strcmp(setting("mode"), "tunnel") == 0 ? IPSEC_MODE_TUNNEL
                                                  : IPSEC_MODE_TRANSPORT;
}

static void keys(struct ipsec_keymat *km, struct half *half, int dir)
{
    int o = dir == IPSEC_OUT;

    km->encr = (uint16_t)setting_number("encr");
    km->integ = (uint16_t)setting_number("integ");
    km->encr_key = half->key;
    km->integ_key = half->ikey;
    km->encr_key_len = (uint16_t)hex_parse(
        half->key, sizeof half->key, setting(o ? "key-out" : "key-in"));
    km->integ_key_len = (uint16_t)hex_parse(
        half->ikey, sizeof half->ikey, setting(o ? "ikey-out" : "ikey-in"));
}

/* --------------------------------------------------------- what to add */

static int add_half(struct half *half, int dir, const struct boundary *own)
{
    struct ipsec_sa_params p;
    int o = dir == IPSEC_OUT;

    memset(&p, 0, sizeof p);
    p.dir = (uint8_t)dir;
    p.spi = (uint32_t)setting_number(o ? "spi-out" : "spi-in");
    p.reqid = REQID;
    p.proto = (uint8_t)setting_number("proto");
    p.mode = mode();
    p.flags = own->flags;
    p.flags |= setting_number("esn") ? IPSEC_SA_ESN : 0;
    p.flags |= setting_number("align8") ? IPSEC_SA_AH_ALIGN8 : 0;
    p.flags |= o && setting_number("df") ? IPSEC_SA_DF_SET : 0;
    p.local_port = p.remote_port = (uint16_t)setting_number("natt");
    p.tfc = o ? (uint16_t)setting_number("tfc") : 0;
    p.seq = o ? own->seq_out : own->seq_in;
    p.life = o ? own->life_out : own->life_in;
    p.mtu = (uint16_t)(*setting("mtu") != '\0' ? setting_number("mtu")
                                            : HOST_MTU);
    keys(&p.km, half, dir);
    p.key = &half->expanded;
    p.key_len = sizeof half->expanded;
    if (!o && setting_number("window") >= 32) {
        p.window = window;
        p.window_len = (uint16_t)(setting_number("window") / 32);
    }
    if (p.window_len > WINDOW_MAX || address(&p.local, setting("local")) ||
        address(&p.remote, setting("remote"))) {
        return IPSEC_ERR_ARG;
    }
    return ipsec_sad_add(&ips, &half->sa, &p);
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
static int add_ike(void)
{
    struct ipsec_addr local;

    if (config.natt_port == 0) {
        return IPSEC_OK;
    }
    if (address(&local, setting("local")) != 0) {
        return IPSEC_ERR_ADDR;
    }
    ike.sel.version = local.version;
    ike.sel.proto = UDP;
    ike.sel.set = IPSEC_SEL_LOCAL_PORT;
    ike.sel.local_port_lo = ike.sel.local_port_hi = config.natt_port;
    ike.dir = IPSEC_IN | IPSEC_OUT;
    ike.action = IPSEC_ACTION_BYPASS;
    ike.priority = 1;
    return ipsec_spd_add(&ips, &ike);
}

static int add_protect(void)
{
    int version = prefix(&protect.sel.remote, setting("target"));
    const char *source = setting("source");

    if (*source == '\0') {
        source = setting(version == 6 ? "ip6" : "ip4");
    }
    if (version < 0 || prefix(&protect.sel.local, source) != version) {
        return IPSEC_ERR_PREFIX;
    }
    protect.sel.version = (uint8_t)version;
    protect.dir = IPSEC_IN | IPSEC_OUT;
    protect.action = IPSEC_ACTION_PROTECT;
    protect.proto = (uint8_t)setting_number("proto");
    protect.mode = mode();
    protect.priority = 2;
    protect.reqid = REQID;
    return ipsec_spd_add(&ips, &protect);
}

/* Reports of multicast groups: nobody here wants to know. All else is
 * discarded, too, but counted as having no policy. */
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

static int add_all(const struct boundary *own)
{
    int rc;

    if ((rc = ipsec_init(&ips, &config)) != IPSEC_OK ||
        (rc = add_bypass()) != IPSEC_OK || (rc = add_ike()) != IPSEC_OK ||
        (rc = add_protect()) != IPSEC_OK ||
        (rc = add_discard(&multicast4, 4, 224, 4)) != IPSEC_OK ||
        (rc = add_discard(&multicast6, 6, 0xff, 8)) != IPSEC_OK ||
        (rc = add_half(&out, IPSEC_OUT, own)) != IPSEC_OK) {
        return rc;
    }
    return add_half(&in, IPSEC_IN, own);
}

static void on_timer(void *arg)
{
    place_poll();
    sys_timeout(POLL_MS, on_timer, arg);
}

const char *boundary_open(struct host *host, const struct boundary *own)
{
    int rc;

    config.random = own->random;
    config.audit = own->audit;
    config.sa_event = own->sa_event;
    config.natt_port = (uint16_t)setting_number("natt");
    config.flags = setting_number("ptb") ? IPSEC_ACCEPT_PTB : 0;
    rc = add_all(own);
    if (rc != IPSEC_OK) {
        return ipsec_status_str(rc);
    }
    if (place_open(&host->netif, &ips) != ERR_OK) {
        return "the port refuses";
    }
    host->ips = &ips;
    sys_timeout(POLL_MS, on_timer, NULL);
    return NULL;
}

void boundary_close(void)
{
    sys_untimeout(on_timer, NULL);
    place_close();
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
        sent += place_dummy(&out.sa, (uint16_t)size) == ERR_OK;
    }
    printf("dummy %u of %u bad 0 twice 0\n", sent, count);
}

/* ---------------------------------------------------------- statistics */

void boundary_count(const char *prefix, const char *name, uint64_t value)
{
    if (value != 0) {
        printf("%s%s %llu\n", prefix, name, (unsigned long long)value);
    }
}

static void count_sa(const char *prefix, const struct ipsec_sa *sa)
{
    boundary_count(prefix, "packets", sa->packets);
    boundary_count(prefix, "bytes", sa->bytes);
    boundary_count(prefix, "seq", sa->seq);
    boundary_count(prefix, "mtu", sa->mtu);
    boundary_count(prefix, "remote_port", sa->remote_port);
    boundary_count(prefix, "drop_auth", sa->drop_auth);
    boundary_count(prefix, "drop_replay", sa->drop_replay);
    boundary_count(prefix, "drop_other", sa->drop_other);
}

void boundary_stats(void)
{
    const struct ipsec_stats *s = &ips.stats;
    int i;

    boundary_count("", "out_protect", s->out_protect);
    boundary_count("", "out_bypass", s->out_bypass);
    boundary_count("", "in_protect", s->in_protect);
    boundary_count("", "in_bypass", s->in_bypass);
    boundary_count("", "in_consumed", s->in_consumed);
    boundary_count("", "in_keepalive", s->in_keepalive);
    boundary_count("", "in_too_big", s->in_too_big);
    boundary_count("", "mappings", mappings);
    for (i = 1; i < IPSEC_DROP_COUNT; i++) {
        boundary_count("in_drop.", ipsec_status_str(-i), s->in_drop[i]);
        boundary_count("out_drop.", ipsec_status_str(-i), s->out_drop[i]);
    }
    place_stats();
    count_sa("sa_out.", &out.sa);
    count_sa("sa_in.", &in.sa);
}
