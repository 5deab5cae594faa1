/*
 * The device's IPsec boundary.
 * SPDX-License-Identifier: MIT
 *
 * Its keys are static, so its numbers must never begin again: RFC 4106
 * section 2, RFC 4303 section 2.2. They are reserved in flash, a step ahead;
 * where that fails, the library stops at the last number that was noted.
 */
#include "boundary.h"

#include <string.h>

#include "chance.h"
#include "console.h"
#include "flash.h"
#include "ipsec_lwip.h"
#include "ipsec_mbedtls.h"
#include "lwip/ip_addr.h"
#include "lwip/timeouts.h"
#include "settings.h"

#define REQID      1
#define KEY_MEM    1024
#define WINDOW_MAX 32 /* words of 32 packets */
#define ICMP6      58
#define ND_FIRST   133 /* RFC 4861: router solicitation ... redirect */
#define ND_LAST    137
#define SLOTS      4
#define POLL_MS    250

struct half {
    struct ipsec_sa       sa;
    struct ipsec_lifetime life;
    uint8_t               key[64], ikey[64];
    uint64_t              expanded[KEY_MEM / sizeof(uint64_t)];
};

static struct ipsec ips;
static struct ipsec_lwip port;
static struct ipsec_lwip_slot slot[SLOTS];
static struct half out, in;
static uint32_t window[WINDOW_MAX];
static struct ipsec_policy nd, protect, multicast4, multicast6;
static struct flash_numbers noted;

/* ------------------------------------------------------ sequence numbers */

static uint32_t step(int dir)
{
    return dir == IPSEC_OUT ? RESERVE_OUT : RESERVE_IN;
}

/* Only what was noted may be used. */
static void renew(struct half *half, uint64_t hard, int dir)
{
    half->life.hard_seq = hard;
    half->life.soft_seq = hard - step(dir) / 2;
}

static int reserve(int dir)
{
    struct flash_numbers next = noted;

    if (dir == IPSEC_OUT) {
        next.out += RESERVE_OUT;
    } else {
        next.in += RESERVE_IN;
    }
    if (flash_store(&next) != 0) {
        return -1;
    }
    noted = next;
    renew(&out, noted.out, IPSEC_OUT);
    renew(&in, noted.in, IPSEC_IN);
    return 0;
}

static void on_sa(void *user, struct ipsec_sa *sa, int event)
{
    (void)user;
    if (event == IPSEC_EVENT_SOFT && reserve(sa->dir) != 0) {
        print("note: flash failed: %s at most to %llu\n",
              sa->dir == IPSEC_OUT ? "out" : "in",
              (unsigned long long)sa->life->hard_seq);
    } else if (event == IPSEC_EVENT_HARD) {
        print("note: %s stopped at %llu\n",
              sa->dir == IPSEC_OUT ? "out" : "in",
              (unsigned long long)sa->seq);
    }
}

static const struct ipsec_config config = {
    .crypto = &ipsec_mbedtls,
    .random = chance,
    .sa_event = on_sa,
};

/* ---------------------------------------------------------- what to add */

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

static void prefix(struct ipsec_prefix *to, const struct ipsec_addr *addr)
{
    memcpy(to->byte, addr->byte, sizeof to->byte);
    to->bits = addr->version == 6 ? 128 : 32;
}

static uint8_t mode(void)
{
    return strcmp(setting("mode"), "tunnel") == 0 ? IPSEC_MODE_TUNNEL
                                                  : IPSEC_MODE_TRANSPORT;
}

static int add_half(struct half *half, int dir, uint64_t seq)
{
    struct ipsec_sa_params p;
    int o = dir == IPSEC_OUT;

    memset(&p, 0, sizeof p);
    p.dir = (uint8_t)dir;
    p.spi = (uint32_t)setting_number(o ? "spi-out" : "spi-in");
    p.reqid = REQID;
    p.proto = (uint8_t)setting_number("proto");
    p.mode = mode();
    p.flags |= setting_number("esn") ? IPSEC_SA_ESN : 0;
    p.flags |= setting_number("align8") ? IPSEC_SA_AH_ALIGN8 : 0;
    p.seq = seq;
    p.life = &half->life;
    p.mtu = HOST_MTU;
    p.km.encr = (uint16_t)setting_number("encr");
    p.km.integ = (uint16_t)setting_number("integ");
    p.km.encr_key = half->key;
    p.km.integ_key = half->ikey;
    p.km.encr_key_len = (uint16_t)hex_parse(
        half->key, sizeof half->key, setting(o ? "key-out" : "key-in"));
    p.km.integ_key_len = (uint16_t)hex_parse(
        half->ikey, sizeof half->ikey, setting(o ? "ikey-out" : "ikey-in"));
    p.key = half->expanded;
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

static int add_protect(void)
{
    struct ipsec_addr here, there;

    if (address(&there, setting("target")) != 0 ||
        address(&here, setting(there.version == 6 ? "ip6" : "ip4")) != 0) {
        return IPSEC_ERR_PREFIX;
    }
    prefix(&protect.sel.local, &here);
    prefix(&protect.sel.remote, &there);
    protect.sel.version = there.version;
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

static int add_all(const struct flash_numbers *begin)
{
    int rc = ipsec_init(&ips, &config);

    if (rc != IPSEC_OK || (rc = add_bypass()) != IPSEC_OK ||
        (rc = add_protect()) != IPSEC_OK ||
        (rc = add_discard(&multicast4, 4, 224, 4)) != IPSEC_OK ||
        (rc = add_discard(&multicast6, 6, 0xff, 8)) != IPSEC_OK ||
        (rc = add_half(&out, IPSEC_OUT, begin->out)) != IPSEC_OK) {
        return rc;
    }
    return add_half(&in, IPSEC_IN, begin->in);
}

static void on_timer(void *arg)
{
    ipsec_lwip_poll(arg);
    sys_timeout(POLL_MS, on_timer, arg);
}

const char *boundary_open(struct host *host)
{
    struct flash_numbers begin;
    int rc;

    if (flash_load(&begin) != 0) {
        return "flash has no numbers";
    }
    noted = begin;
    if (reserve(IPSEC_OUT) != 0 || reserve(IPSEC_IN) != 0) {
        return "flash failed";
    }
    rc = add_all(&begin);
    if (rc != IPSEC_OK) {
        return ipsec_status_str(rc);
    }
    if (ipsec_lwip_attach(&port, &host->netif, &ips, slot, SLOTS) != ERR_OK) {
        return "the port refuses";
    }
    host->ips = &ips;
    sys_timeout(POLL_MS, on_timer, &port);
    return NULL;
}

/* ----------------------------------------------------------- statistics */

static void count(const char *name, const char *detail, uint64_t value)
{
    if (value != 0) {
        print("%s%s %llu\n", name, detail, (unsigned long long)value);
    }
}

static void count_sa(const char *name, const struct ipsec_sa *sa)
{
    count(name, "packets", sa->packets);
    count(name, "bytes", sa->bytes);
    count(name, "seq", sa->seq);
    count(name, "drop_auth", sa->drop_auth);
    count(name, "drop_replay", sa->drop_replay);
    count(name, "drop_other", sa->drop_other);
}

void boundary_stats(void)
{
    const struct ipsec_stats *s = &ips.stats;
    int i;

    count("out_protect", "", s->out_protect);
    count("out_bypass", "", s->out_bypass);
    count("in_protect", "", s->in_protect);
    count("in_bypass", "", s->in_bypass);
    count("in_consumed", "", s->in_consumed);
    for (i = 1; i < IPSEC_DROP_COUNT; i++) {
        count("in_drop.", ipsec_status_str(-i), s->in_drop[i]);
        count("out_drop.", ipsec_status_str(-i), s->out_drop[i]);
    }
    count("port.", "held", port.held);
    count("port.", "nomem", port.nomem);
    count("port.", "too_big", port.too_big);
    count("port.", "not_ours", port.not_ours);
    count("port.", "frag_drop", port.frag_drop);
    count_sa("sa_out.", &out.sa);
    count_sa("sa_in.", &in.sa);
}
