/* SPDX-License-Identifier: MIT */
#include "lan.h"

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/init.h"
#include "lwip/nd6.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

#define ETH 14u
#define ARP_LEN 28u

struct lan lan;
size_t lan_allocated, lan_fail_at, lan_allocations;

static uint32_t now = 1000000, seed = 1;
static size_t baseline;

static const uint8_t dev_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };

/* ------------------------------------------------ lwIP's surroundings */

u32_t
sys_now(void)
{
    return now;
}

uint32_t
lan_rand(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

void
lan_abort(const char *what, const char *file, int line)
{
    print_error("lwIP: %s (%s:%d)\n", what, file, line);
    abort();
}

void *
lan_malloc(size_t size)
{
    void *p;

    if (++lan_allocations == lan_fail_at) {
        return NULL;
    }
    p = malloc(size);
    lan_allocated += p != NULL;
    return p;
}

void *
lan_calloc(size_t count, size_t size)
{
    void *p = lan_malloc(count * size);

    if (p != NULL) {
        memset(p, 0, count * size);
    }
    return p;
}

void
lan_free(void *p)
{
    lan_allocated -= p != NULL;
    free(p);
}

/* --------------------------------------------------- the peer's reflexes */

static void
put(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static size_t
get(const uint8_t *p)
{
    return (size_t)p[0] << 8 | p[1];
}

static void
keep(struct frame *f, uint16_t type, const uint8_t *ip, size_t len)
{
    f->type = type;
    f->len = len;
    f->ip = malloc(len);
    assert_non_null(f->ip);
    memcpy(f->ip, ip, len);
}

static void
reply(uint16_t type, const uint8_t *ip, size_t len)
{
    assert_true(lan.replies < LAN_FRAMES);
    keep(&lan.reply[lan.replies++], type, ip, len);
}

static void
answer_arp(const uint8_t *q)
{
    uint8_t r[ARP_LEN];

    if (q[7] == 1 && memcmp(q + 14, q + 24, 4) != 0) { /* not gratuitous */
        memcpy(r, q, 8);
        r[7] = 2;
        memcpy(r + 8, peer_mac, 6);
        memcpy(r + 14, q + 24, 4);
        memcpy(r + 18, q + 8, 10);
        reply(ETHTYPE_ARP, r, sizeof r);
    }
}

static void
answer_ns(const uint8_t *q)
{
    uint8_t r[72] = { 0x60, 0, 0, 0, 0, 32, 58, 255 };

    memcpy(r + 8, q + 48, 16);
    memcpy(r + 24, q + 8, 16);
    r[40] = 136;
    r[44] = 0x60; /* solicited, override */
    memcpy(r + 48, q + 48, 16);
    r[64] = 2;
    r[65] = 1;
    memcpy(r + 66, peer_mac, 6);
    upper_fix(r);
    reply(ETHTYPE_IPV6, r, sizeof r);
}

/* What the device sends is kept, and answered if it asks for an address. */
static err_t
linkoutput(struct netif *netif, struct pbuf *p)
{
    static uint8_t mem[PACKET_MAX + 32];
    uint8_t *ip = mem + ETH_PAD_SIZE + ETH;
    size_t len = p->tot_len - ETH_PAD_SIZE - ETH;
    uint16_t type;

    (void)netif;
    (void)pbuf_copy_partial(p, mem, p->tot_len, 0);
    type = (uint16_t)get(ip - 2);
    assert_true(len <= LAN_MTU);
    assert_true(lan.frames < LAN_FRAMES);
    keep(&lan.frame[lan.frames++], type, ip, len);
    if (!lan.deaf && type == ETHTYPE_ARP) {
        answer_arp(ip);
    }
    if (!lan.deaf && type == ETHTYPE_IPV6 && ip[6] == 58 && ip[40] == 135) {
        answer_ns(ip);
    }
    return ERR_OK;
}

/* ---------------------------------------------------- the device's netif */

static err_t
netif_begin(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->mtu = LAN_MTU;
    netif->hwaddr_len = 6;
    memcpy(netif->hwaddr, dev_mac, 6);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
                   NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP |
                   NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    netif->linkoutput = linkoutput;
#if LWIP_IPV4
    netif->output = etharp_output;
#endif
#if LWIP_IPV6
    netif->output_ip6 = ethip6_output;
#if LWIP_ND6_ALLOW_RA_UPDATES
    netif->mtu6 = LAN_MTU;
#endif
#endif
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    netif->chksum_flags = 0; /* of a chip that sums what leaves, and checks */
#endif
    return ERR_OK;
}

#if LWIP_IPV4
static err_t
nothing(struct netif *netif, struct pbuf *p, const ip4_addr_t *hop)
{
    (void)netif;
    (void)p;
    (void)hop;
    return ERR_OK;
}
#endif

#if LWIP_IPV6
static err_t
nothing6(struct netif *netif, struct pbuf *p, const ip6_addr_t *hop)
{
    (void)netif;
    (void)p;
    (void)hop;
    return ERR_OK;
}
#endif

err_t
netif_nothing(struct netif *netif)
{
    netif->mtu = LAN_MTU;
#if LWIP_IPV4
    netif->output = nothing;
#endif
#if LWIP_IPV6
    netif->output_ip6 = nothing6;
#endif
    return ERR_OK;
}

static void
netif_bring_up(struct netif *netif)
{
#if LWIP_IPV4
    ip4_addr_t addr, mask, gw;

    addr = *ip_2_ip4(&(ip_addr_t){ 0 });
    (void)ip4addr_aton(DEV4, &addr);
    (void)ip4addr_aton("255.255.255.0", &mask);
    (void)ip4addr_aton(PEER4, &gw);
    assert_non_null(netif_add(netif, &addr, &mask, &gw, NULL, netif_begin,
                              ethernet_input));
#else
    assert_non_null(netif_add(netif, NULL, netif_begin, ethernet_input));
#endif
    netif_set_default(netif);
}

static void
netif_addresses(struct netif *netif)
{
#if LWIP_IPV6
    ip6_addr_t addr;

    netif_create_ip6_linklocal_address(netif, 1);
    netif_ip6_addr_set_state(netif, 0, IP6_ADDR_PREFERRED);
    (void)ip6addr_aton(DEV6, &addr);
    netif_ip6_addr_set(netif, 1, &addr);
    netif_ip6_addr_set_state(netif, 1, IP6_ADDR_PREFERRED);
#else
    (void)netif;
#endif
}

const char *
dev_addr(int version)
{
    return version == 4 ? DEV4 : DEV6;
}

const char *
peer_addr(int version)
{
    return version == 4 ? PEER4 : PEER6;
}

const char *
far_addr(int version)
{
    return version == 4 ? FAR4 : FAR6;
}

ip_addr_t
lwip_addr(const char *text)
{
    ip_addr_t a;

    memset(&a, 0, sizeof a);
    assert_true(ipaddr_aton(text, &a));
    return a;
}

/* ------------------------------------------------------------ beginnings */

void
lan_policy(struct ipsec_policy *policy, int action, uint32_t priority,
           uint8_t proto, uint16_t lo, uint16_t hi)
{
    memset(policy, 0, sizeof *policy);
    policy->action = (uint8_t)action;
    policy->dir = IPSEC_OUT | IPSEC_IN;
    policy->priority = priority;
    policy->sel.proto = proto;
    if (hi > 0) {
        policy->sel.set = IPSEC_SEL_LOCAL_PORT;
        policy->sel.local_port_lo = lo;
        policy->sel.local_port_hi = hi;
    }
    assert_status(ipsec_spd_add(&lan.dev.ips, policy), IPSEC_OK);
}

void
lan_bare(int slots)
{
    static int begun;

    if (!begun) {
        lwip_init();
        begun = 1;
    }
    memset(&lan, 0, sizeof lan);
    baseline = lan_allocated;
    lan_fail_at = 0;
    fx_init(&lan.dev, 0);
    fx_init(&lan.peer, 0);
    lan_policy(&lan.nd, IPSEC_ACTION_BYPASS, 10, 58, 133 << 8, 137 << 8 | 255);
    netif_bring_up(&lan.netif);
    if (slots >= 0) {
        lan_attach(slots);
    }
    netif_addresses(&lan.netif);
    netif_set_up(&lan.netif);
    lan_wait(1200); /* reports of groups are repeated once */
    lan_clear();
    lan.dev.audits = 0; /* of its first words, which no policy permits */
    memset(&lan.dev.ips.stats, 0, sizeof lan.dev.ips.stats);
}

void
lan_sas(int mode, int version)
{
    const char *dev = dev_addr(version), *peer = peer_addr(version);
    const struct suite *suite = &suites[GCM128];

    fx_sa_set(&lan.out, suite, IPSEC_OUT, mode, 0x1001, dev, peer);
    fx_sa_set(&lan.peer_in, suite, IPSEC_IN, mode, 0x1001, peer, dev);
    fx_sa_set(&lan.peer_out, suite, IPSEC_OUT, mode, 0x2002, peer, dev);
    fx_sa_set(&lan.in, suite, IPSEC_IN, mode, 0x2002, dev, peer);
}

void
lan_sas_add(void)
{
    assert_status(fx_sa_add(&lan.dev, &lan.out), IPSEC_OK);
    assert_status(fx_sa_add(&lan.dev, &lan.in), IPSEC_OK);
    assert_status(fx_sa_add(&lan.peer, &lan.peer_out), IPSEC_OK);
    assert_status(fx_sa_add(&lan.peer, &lan.peer_in), IPSEC_OK);
}

/* Everything is protected by the SAs of reqid 1, at both ends. */
static void
protect_all(int mode)
{
    struct ipsec_policy *p = &lan.all;

    memset(p, 0, sizeof *p);
    p->action = IPSEC_ACTION_PROTECT;
    p->dir = IPSEC_OUT | IPSEC_IN;
    p->priority = 100;
    p->proto = IPSEC_PROTO_ESP;
    p->mode = (uint8_t)mode;
    p->reqid = 1;
    lan.peer_all = *p;
    assert_status(ipsec_spd_add(&lan.dev.ips, p), IPSEC_OK);
    assert_status(ipsec_spd_add(&lan.peer.ips, &lan.peer_all), IPSEC_OK);
}

void
lan_begin(int mode, int version, int slots)
{
    lan_bare(slots);
    lan_sas(mode, version);
    lan_sas_add();
    protect_all(mode);
}

void
lan_clear(void)
{
    size_t i;

    for (i = 0; i < lan.frames; i++) {
        free(lan.frame[i].ip);
    }
    lan.frames = lan.seen = lan.gots = lan.got_len = 0;
}

void
lan_end(void)
{
    size_t i;

    if (lan.port.netif != NULL) {
        lan_detach();
        assert_int_equal(lan.netif.mtu, LAN_MTU);
    }
    netif_remove(&lan.netif);
    lan.port.netif = NULL;
    lan_wait(600); /* TCP's timer stops when it finds nothing to do */
#if LWIP_IPV6
    nd6_clear_destination_cache();
#endif
    lan_clear();
    for (i = 0; i < lan.replies; i++) {
        free(lan.reply[i].ip);
    }
    lan.replies = 0;
    assert_int_equal(lan.dev.st.misuse, 0);
    assert_int_equal(lan_allocated, baseline);
}

/* --------------------------------------------------------------- traffic */

/* A pbuf as a driver might make it: whole, or in small pieces. Of the first
 * one, lwIP itself reads 4 bytes of the IP header unasked. */
static struct pbuf *
received(const uint8_t *frame, size_t len)
{
    size_t first = ETH_PAD_SIZE + ETH + 3 + lan.piece, at;
    struct pbuf *p, *q;

    if (lan.piece == 0 || first > len) {
        first = len;
    }
    p = pbuf_alloc(PBUF_RAW, (u16_t)first, PBUF_RAM);
    if (p == NULL) {
        return NULL;
    }
    for (at = first; at < len; at += lan.piece) {
        size_t n = len - at < lan.piece ? len - at : lan.piece;

        q = pbuf_alloc(PBUF_RAW, (u16_t)n, PBUF_RAM);
        if (q == NULL) {
            (void)pbuf_free(p);
            return NULL;
        }
        pbuf_cat(p, q);
    }
    assert_int_equal(pbuf_take(p, frame, (u16_t)len), ERR_OK);
    return p;
}

static void
receive(uint16_t type, const uint8_t *ip, size_t len)
{
    static uint8_t frame[PACKET_MAX + 32];
    uint8_t *eth = frame + ETH_PAD_SIZE;
    size_t n = len < 46 ? 46 : len;
    struct pbuf *p;

    memset(frame, 0xee, ETH_PAD_SIZE + ETH + n); /* link padding is no zeros */
    memcpy(eth, dev_mac, 6);
    memcpy(eth + 6, peer_mac, 6);
    put(eth + 12, type);
    memcpy(eth + ETH, ip, len);
    p = received(frame, ETH_PAD_SIZE + ETH + n);
    if (p != NULL && lan.netif.input(p, &lan.netif) != ERR_OK) {
        (void)pbuf_free(p);
    }
}

void
lan_send(const uint8_t *ip, size_t len)
{
    receive(ip[0] >> 4 == 4 ? ETHTYPE_IP : ETHTYPE_IPV6, ip, len);
}

void
lan_pump(void)
{
    size_t i;

    for (i = 0; i < lan.replies; i++) {
        struct frame f = lan.reply[i];

        receive(f.type, f.ip, f.len);
        free(f.ip);
    }
    lan.replies = 0;
}

void
lan_wait(unsigned ms)
{
    unsigned step;

    for (; ms > 0; ms -= step) {
        step = ms < 50 ? ms : 50;
        now += step;
        sys_check_timeouts();
#if LWIP_HAVE_LOOPIF
        netif_poll(netif_get_by_index(1)); /* lwIP's loopif */
#endif
        if (lan.port.netif != NULL) {
            lan_poll();
        }
        lan_pump();
    }
}
