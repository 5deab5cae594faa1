/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#ifdef LAN_BUMP
#include "ipsec_lwip_bump.h"
#else
#include "ipsec_lwip.h"
#include "ipsec_lwip_tunnel.h"
#endif

#include "lwip/api.h"
#include "lwip/sys.h"
#include "lwip/tcpip.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

#include <pthread.h>

/*
 * The port, or with LAN_BUMP the bump, where lwIP has threads (NO_SYS 0).
 * Applications send and wait for
 * the echo, all over ESP; the peer, a thread of its own, answers as a driver
 * would hand it in; meanwhile the main thread works on policies and SAs. And
 * each function of the port's says so if it is called without the lock.
 */

#define APPS   3
#define ROUNDS 60

#define DEV4  "192.0.2.1"
#define PEER4 "192.0.2.2"
#define DEV6  "2001:db8::1"
#define PEER6 "2001:db8::2"

struct packet {
    struct packet *next;
    size_t         len;
    uint8_t        ip[2000];
};

static struct fx dev, peer;
static struct fx_sa out[2], in[2], peer_in[2], peer_out[2];
static struct ipsec_policy all[2], peer_all[2], extra;
static struct netif netif;
#ifdef LAN_BUMP
static struct ipsec_lwip_bump port;
#else
static struct ipsec_lwip port;
static struct ipsec_lwip_slot slot[4];
#endif
static pthread_t main_thread;
static int ending, expecting, asserts; /* the last two: its own */

/* ------------------------------------------------- lwIP's surroundings */

void
lan_abort(const char *what, const char *file, int line)
{
    if (pthread_equal(pthread_self(), main_thread) && expecting) {
        asserts++;
        return;
    }
    fprintf(stderr, "lwIP: %s (%s:%d)\n", what, file, line);
    abort();
}

uint32_t
lan_rand(void)
{
    static uint32_t seed = 1;

    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

/* Run `f` where the port may be called: under the lock, or in lwIP's
 * thread. */
static void
locked(void (*f)(void *))
{
#if LWIP_TCPIP_CORE_LOCKING
    LOCK_TCPIP_CORE();
    f(NULL);
    UNLOCK_TCPIP_CORE();
#else
    assert_int_equal(tcpip_callback(f, NULL), ERR_OK);
#endif
}

static sys_sem_t passed;

static void
pass(void *arg)
{
    (void)arg;
    sys_sem_signal(&passed);
}

/* Until lwIP's thread has done what it was told before. */
static void
settle(void)
{
    assert_int_equal(tcpip_callback(pass, NULL), ERR_OK);
    (void)sys_sem_wait(&passed);
}

/* ---------------------------------------------------------------- the wire */

static pthread_mutex_t wire_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wire_cond = PTHREAD_COND_INITIALIZER;
static struct packet *wire, **wire_end = &wire;
static size_t clear_frames;

static err_t
transmit(struct pbuf *p)
{
    struct packet *q = malloc(sizeof *q);

    q->next = NULL;
    q->len = pbuf_copy_partial(p, q->ip, sizeof q->ip, 0);
    (void)pthread_mutex_lock(&wire_mutex);
    *wire_end = q;
    wire_end = &q->next;
    clear_frames += q->ip[q->ip[0] >> 4 == 4 ? 9 : 6] != 50;
    (void)pthread_cond_signal(&wire_cond);
    (void)pthread_mutex_unlock(&wire_mutex);
    return ERR_OK;
}

#ifdef LAN_BUMP

/* The driver of an Ethernet where nobody has to be asked for his address. */
static err_t
linkoutput(struct netif *n, struct pbuf *p)
{
    struct pbuf *q = pbuf_clone(PBUF_RAW, PBUF_RAM, p);

    (void)n;
    if (((struct eth_hdr *)q->payload)->type == PP_HTONS(ETHTYPE_ARP)) {
        (void)pbuf_free(q);
        return ERR_OK;
    }
    (void)pbuf_remove_header(q, SIZEOF_ETH_HDR);
    (void)transmit(q);
    (void)pbuf_free(q);
    return ERR_OK;
}

static err_t
output4(struct netif *n, struct pbuf *p, const ip4_addr_t *hop)
{
    (void)hop;
    return ethernet_output(n, p, &ethbroadcast, &ethbroadcast, ETHTYPE_IP);
}

static err_t
output6(struct netif *n, struct pbuf *p, const ip6_addr_t *hop)
{
    (void)hop;
    return ethernet_output(n, p, &ethbroadcast, &ethbroadcast, ETHTYPE_IPV6);
}

static err_t
netif_begin(struct netif *n)
{
    n->mtu = 1500;
    n->hwaddr_len = 6;
    n->flags = NETIF_FLAG_ETHERNET | NETIF_FLAG_ETHARP;
    n->linkoutput = linkoutput;
    n->output = output4;
    n->output_ip6 = output6;
    return ERR_OK;
}

/* What the driver hands in. */
static struct pbuf *
frame(const uint8_t *ip, size_t len)
{
    struct pbuf *p = pbuf_alloc(PBUF_LINK, (u16_t)len, PBUF_RAM);
    struct eth_hdr *eth;

    (void)pbuf_take(p, ip, (u16_t)len);
    (void)pbuf_add_header(p, SIZEOF_ETH_HDR);
    eth = p->payload;
    memset(eth, 2, sizeof *eth);
    eth->type = lwip_htons(ip[0] >> 4 == 4 ? ETHTYPE_IP : ETHTYPE_IPV6);
    return p;
}

static err_t
attach(void)
{
    port.ips = &dev.ips;
    return ipsec_lwip_bump_attach(&port, &netif);
}

#define poll_port ipsec_lwip_bump_poll
#define detach    ipsec_lwip_bump_detach

#else

static err_t
output4(struct netif *n, struct pbuf *p, const ip4_addr_t *hop)
{
    (void)n;
    (void)hop;
    return transmit(p);
}

static err_t
output6(struct netif *n, struct pbuf *p, const ip6_addr_t *hop)
{
    (void)n;
    (void)hop;
    return transmit(p);
}

static err_t
netif_begin(struct netif *n)
{
    n->name[0] = 'w';
    n->name[1] = 'i';
    n->mtu = 1500;
    n->output = output4;
    n->output_ip6 = output6;
    return ERR_OK;
}

static struct pbuf *
frame(const uint8_t *ip, size_t len)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);

    (void)pbuf_take(p, ip, (u16_t)len);
    return p;
}

static err_t
attach(void)
{
    return ipsec_lwip_attach(&port, &netif, &dev.ips, slot, 4);
}

#define poll_port ipsec_lwip_poll
#define detach    ipsec_lwip_detach

#endif

/* ---------------------------------------------------------------- the peer */

static void
swap(uint8_t *a, uint8_t *b, size_t n)
{
    for (; n > 0; n--, a++, b++) {
        uint8_t t = *a;

        *a = *b;
        *b = t;
    }
}

/* Open it, turn it round, seal it, hand it in. */
static void
echo(const struct packet *q)
{
    struct fx_pkt p, r;
    uint8_t *ip, *udp;
    struct pbuf *b;

    fx_pkt_new(&p, q->ip, q->len, 0, 0);
    if (ipsec_inbound(&peer.ips, &p.pkt) == IPSEC_OK) {
        ip = p.pkt.buf.data;
        udp = ip + (ip[0] >> 4 == 4 ? 20 : 40);
        if (ip[0] >> 4 == 4) {
            swap(ip + 12, ip + 16, 4);
        } else {
            swap(ip + 8, ip + 24, 16);
        }
        swap(udp, udp + 2, 2);
        fx_pkt_new(&r, ip, p.pkt.buf.len, IPSEC_HEADROOM, IPSEC_TAILROOM);
        if (ipsec_outbound(&peer.ips, &r.pkt) == IPSEC_OK) {
            b = frame(r.pkt.buf.data, r.pkt.buf.len);
            if (netif.input(b, &netif) != ERR_OK) {
                (void)pbuf_free(b);
            }
        }
        fx_pkt_free(&r);
    }
    fx_pkt_free(&p);
}

static void *
peer_run(void *arg)
{
    struct packet *q;

    (void)arg;
    for (;;) {
        (void)pthread_mutex_lock(&wire_mutex);
        while (wire == NULL && !ending) {
            (void)pthread_cond_wait(&wire_cond, &wire_mutex);
        }
        q = wire;
        if (q != NULL) {
            wire = q->next;
            wire_end = wire == NULL ? &wire : wire_end;
        }
        (void)pthread_mutex_unlock(&wire_mutex);
        if (q == NULL) {
            return NULL;
        }
        echo(q);
        free(q);
    }
}

/* -------------------------------------------------------- the applications */

struct app {
    pthread_t thread;
    int       number;
    size_t    echoed;
};

static void
round_trip(struct app *app, struct netconn *conn, int i)
{
    static const size_t size[] = { 1, 100, 700, 1300 };
    size_t n = size[i % 4], k;
    struct netbuf *buf = netbuf_new(), *got = NULL;
    uint8_t *data = netbuf_alloc(buf, (u16_t)n);
    void *back;
    u16_t len;

    for (k = 0; k < n; k++) {
        data[k] = (uint8_t)(k * 7 + (size_t)app->number + (size_t)i);
    }
    if (netconn_send(conn, buf) == ERR_OK &&
        netconn_recv(conn, &got) == ERR_OK) {
        (void)netbuf_data(got, &back, &len);
        app->echoed += len == n && ((uint8_t *)back)[n - 1] ==
            (uint8_t)((n - 1) * 7 + (size_t)app->number + (size_t)i);
        netbuf_delete(got);
    }
    netbuf_delete(buf);
}

static void *
app_run(void *arg)
{
    struct app *app = arg;
    int v6 = app->number % 2, i;
    struct netconn *conn = netconn_new(v6 ? NETCONN_UDP_IPV6 : NETCONN_UDP);
    ip_addr_t to;

    memset(&to, 0, sizeof to);
    (void)ipaddr_aton(v6 ? PEER6 : PEER4, &to);
    netconn_set_recvtimeout(conn, 5000);
    (void)netconn_connect(conn, &to, 7);
    for (i = 0; i < ROUNDS; i++) {
        round_trip(app, conn, i);
    }
    (void)netconn_delete(conn);
    return NULL;
}

/* ------------------------------------------------------- under the lock */

static void
policy(struct ipsec *ips, struct ipsec_policy *p, int version)
{
    memset(p, 0, sizeof *p);
    p->action = IPSEC_ACTION_PROTECT;
    p->dir = IPSEC_OUT | IPSEC_IN;
    p->priority = 100;
    p->sel.version = (uint8_t)version;
    p->reqid = version == 4 ? 1 : 6;
    assert_status(ipsec_spd_add(ips, p), IPSEC_OK);
}

static void
sas(int i, int mode, const char *d, const char *p, uint32_t spi)
{
    const struct suite *suite = &suites[GCM128];

    fx_sa_set(&out[i], suite, IPSEC_OUT, mode, spi, d, p);
    fx_sa_set(&peer_in[i], suite, IPSEC_IN, mode, spi, p, d);
    fx_sa_set(&peer_out[i], suite, IPSEC_OUT, mode, spi + 1, p, d);
    fx_sa_set(&in[i], suite, IPSEC_IN, mode, spi + 1, d, p);
    out[i].params.reqid = in[i].params.reqid = i == 0 ? 1 : 6;
    peer_out[i].params.reqid = peer_in[i].params.reqid = i == 0 ? 1 : 6;
    assert_status(fx_sa_add(&dev, &out[i]), IPSEC_OK);
    assert_status(fx_sa_add(&dev, &in[i]), IPSEC_OK);
    assert_status(fx_sa_add(&peer, &peer_out[i]), IPSEC_OK);
    assert_status(fx_sa_add(&peer, &peer_in[i]), IPSEC_OK);
}

static void
poll_again(void *arg)
{
    (void)arg;
    if (port.netif != NULL) {
        poll_port(&port);
        sys_timeout(20, poll_again, NULL);
    }
}

static void
up(void *arg)
{
    ip4_addr_t addr, mask;
    ip6_addr_t addr6;

    (void)arg;
    (void)ip4addr_aton(DEV4, &addr);
    (void)ip4addr_aton("255.255.255.0", &mask);
    (void)netif_add(&netif, &addr, &mask, IP4_ADDR_ANY4, NULL, netif_begin,
                    tcpip_input);
    assert_int_equal(attach(), ERR_OK);
    (void)ip6addr_aton(DEV6, &addr6);
    netif_ip6_addr_set(&netif, 0, &addr6);
    netif_ip6_addr_set_state(&netif, 0, IP6_ADDR_PREFERRED);
    netif_set_default(&netif);
    netif_set_link_up(&netif);
    netif_set_up(&netif);
    poll_again(NULL);
}

/* What a key daemon might do meanwhile. */
static void
manage(void *arg)
{
    (void)arg;
    if (extra.linked) {
        ipsec_spd_remove(&dev.ips, &extra);
    } else {
        memset(&extra, 0, sizeof extra);
        extra.action = IPSEC_ACTION_DISCARD;
        extra.dir = IPSEC_OUT | IPSEC_IN;
        extra.sel.proto = 99;
        assert_status(ipsec_spd_add(&dev.ips, &extra), IPSEC_OK);
    }
#ifndef LAN_BUMP
    assert_int_equal(ipsec_lwip_dummy(&port, &out[0].sa, 50), ERR_OK);
#endif
    poll_port(&port);
}

static void
down(void *arg)
{
    (void)arg;
    assert_int_equal(detach(&port), ERR_OK);
    sys_untimeout(poll_again, NULL);
    netif_remove(&netif);
}

/* ---------------------------------------------------------------- the tests */

static void
echoes(void **state)
{
    struct app app[APPS];
    pthread_t thread;
    int i;

    (void)state;
    fx_init(&dev, 0);
    fx_init(&peer, 0);
    for (i = 0; i < 2; i++) {
        policy(&dev.ips, &all[i], i == 0 ? 4 : 6);
        policy(&peer.ips, &peer_all[i], i == 0 ? 4 : 6);
    }
    sas(0, IPSEC_MODE_TRANSPORT, DEV4, PEER4, 0x1001);
    sas(1, IPSEC_MODE_TUNNEL, DEV6, PEER6, 0x2001);
    locked(up);
    settle();
    assert_int_equal(pthread_create(&thread, NULL, peer_run, NULL), 0);
    memset(app, 0, sizeof app);
    for (i = 0; i < APPS; i++) {
        app[i].number = i;
        assert_int_equal(pthread_create(&app[i].thread, NULL, app_run,
                                        &app[i]), 0);
    }
    for (i = 0; i < 40; i++) {
        locked(manage);
        sys_msleep(2);
    }
    for (i = 0; i < APPS; i++) {
        (void)pthread_join(app[i].thread, NULL);
        assert_int_equal(app[i].echoed, ROUNDS);
    }
    settle();
    (void)pthread_mutex_lock(&wire_mutex);
    ending = 1;
    (void)pthread_cond_signal(&wire_cond);
    (void)pthread_mutex_unlock(&wire_mutex);
    (void)pthread_join(thread, NULL);
    locked(down);
    settle();
    assert_int_equal(clear_frames, 0);
    assert_true(dev.ips.stats.in_protect >= APPS * ROUNDS);
}

/* Called from here, without the lock, each says so. */
static void
lock_is_asserted(void **state)
{
#ifdef LAN_BUMP
    static struct ipsec_lwip_bump none;
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        asserts = 0;
        expecting = 1;
        switch (i) {
        case 0: (void)ipsec_lwip_bump_attach(NULL, NULL); break;
        case 1: (void)ipsec_lwip_bump_detach(NULL); break;
        default: ipsec_lwip_bump_poll(&none); break;
        }
        expecting = 0;
        assert_true(asserts > 0);
    }
#else
    static struct ipsec_lwip none;
    static struct ipsec_sa sa;
    static struct netif idle;
    struct {
        const char *name;
        int         said;
    } call[6] = { { "attach", 0 }, { "detach", 0 }, { "poll", 0 },
                  { "dummy", 0 }, { "tunnel_init", 0 },
                  { "tunnel_remove", 0 } };
    size_t i;

    (void)state;
    expecting = 1;
    for (i = 0; i < COUNT(call); i++) {
        asserts = 0;
        switch (i) {
        case 0: (void)ipsec_lwip_attach(NULL, NULL, NULL, NULL, 0); break;
        case 1: (void)ipsec_lwip_detach(NULL); break;
        case 2: ipsec_lwip_poll(&none); break;
        case 3: (void)ipsec_lwip_dummy(&none, &sa, 1); break;
        case 4: (void)ipsec_lwip_tunnel_init(&idle); break;
        default: (void)ipsec_lwip_tunnel_remove(&idle); break;
        }
        call[i].said = asserts;
    }
    expecting = 0;
    for (i = 0; i < COUNT(call); i++) {
        if (call[i].said == 0) {
            fail_msg("ipsec_lwip_%s() without the lock", call[i].name);
        }
    }
#endif
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echoes),
        cmocka_unit_test(lock_is_asserted),
    };

    main_thread = pthread_self();
    tcpip_init(NULL, NULL);
    (void)sys_sem_new(&passed, 0);
    settle();
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL) != 0;
}
