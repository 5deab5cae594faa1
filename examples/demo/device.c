/*
 * The demo's device: fetches pages with lwIP's own HTTP client, pings its
 * gateway, and tells a valve to open.
 * SPDX-License-Identifier: MIT
 *
 * Nothing here knows of IPsec: that is what the boundary in station.c is for.
 */
#include <string.h>

#include "lwip/apps/http_client.h"
#include "lwip/icmp.h"
#include "lwip/inet_chksum.h"
#include "lwip/prot/icmp6.h"
#include "lwip/raw.h"
#include "lwip/udp.h"
#include "station.h"

static struct station device;
static char page[DEMO_PAGE_LEN]; /* as it should be */

static ip_addr_t addr(int version, const char *ip4, const char *ip6)
{
    ip_addr_t a;

    (void)ipaddr_aton(version == 4 ? ip4 : ip6, &a);
    return a;
}

/* -------------------------------------------------------- fetching pages */

/* The download at work. One that was given up is told from it by its
 * number, which its callbacks get as their argument. */
static struct {
    uintptr_t        number;
    struct tcp_pcb  *pcb;
    size_t           allowance;  /* how much to take in at most */
    size_t           received, taken;
    int              wrong, complete;
} fetch;

static int outdated(const void *arg)
{
    return (uintptr_t)arg != fetch.number;
}

/* TCP's window opens as the device takes bytes in: as slowly as it is told
 * to, like one that writes them to flash. */
static void take(void)
{
    size_t n = fetch.received - fetch.taken;

    if (fetch.received == DEMO_PAGE_LEN) {
        fetch.allowance = DEMO_PAGE_LEN;
    }
    if (n > fetch.allowance - fetch.taken) {
        n = fetch.allowance - fetch.taken;
    }
    if (n > 0 && fetch.pcb != NULL) {
        fetch.taken += n;
        tcp_recved(fetch.pcb, (u16_t)n);
    }
}

static err_t fetch_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p,
                        err_t err)
{
    const struct pbuf *q;

    (void)err;
    if (outdated(arg)) {
        tcp_recved(pcb, p->tot_len);
        (void)pbuf_free(p);
        return ERR_OK;
    }
    for (q = p; q != NULL; q = q->next) {
        if (q->len > DEMO_PAGE_LEN - fetch.received ||
            memcmp(q->payload, page + fetch.received, q->len) != 0) {
            fetch.wrong = 1;
            break;
        }
        fetch.received += q->len;
    }
    fetch.pcb = pcb;
    take();
    (void)pbuf_free(p);
    return ERR_OK;
}

static void fetch_result(void *arg, httpc_result_t result, u32_t len,
                         u32_t status, err_t err)
{
    (void)err;
    if (!outdated(arg)) {
        fetch.pcb = NULL;
        fetch.complete = result == HTTPC_RESULT_OK && status == 200 &&
                         len == DEMO_PAGE_LEN && !fetch.wrong;
    }
}

static int fetch_start(int version, size_t allowance)
{
    static httpc_connection_t settings;
    httpc_state_t *state;
    ip_addr_t server = addr(version, PAGES_IP4, PAGES_IP6);
    uintptr_t number = fetch.number + 1;

    memset(&fetch, 0, sizeof fetch);
    fetch.number = number;
    fetch.allowance = allowance;
    settings.result_fn = fetch_result;
    return httpc_get_file(&server, HTTP_DEFAULT_PORT, DEMO_URI, &settings,
                          fetch_recv, (void *)number, &state) == ERR_OK
           ? IPSEC_OK : IPSEC_ERR_ARG;
}

static int fetch_more(size_t bytes)
{
    fetch.allowance += bytes;
    take();
    return IPSEC_OK;
}

/* --------------------------------------------------------------- pinging */

#define PING_ID   0x4950
#define PING_DATA 56

static unsigned pongs;

static void ping_fill(struct icmp_echo_hdr *echo, int version, int n)
{
    ICMPH_TYPE_SET(echo, version == 4 ? ICMP_ECHO : ICMP6_TYPE_EREQ);
    ICMPH_CODE_SET(echo, 0);
    echo->chksum = 0;
    echo->id = lwip_htons(PING_ID);
    echo->seqno = lwip_htons((u16_t)n);
    memset(echo + 1, '0' + n, PING_DATA);
}

/* Called with the IP header still there, as raw_recv() does. */
static u8_t ping_recv(void *arg, struct raw_pcb *pcb, struct pbuf *p,
                      const ip_addr_t *from)
{
    struct icmp_echo_hdr echo;
    int v6 = IP_IS_V6(from);
    u16_t at = v6 ? IP6_HLEN : IP_HLEN;
    u16_t data = (u16_t)(at + sizeof echo);

    (void)arg, (void)pcb;
    if (pbuf_copy_partial(p, &echo, sizeof echo, at) != sizeof echo ||
        ICMPH_TYPE(&echo) != (v6 ? ICMP6_TYPE_EREP : ICMP_ER) ||
        echo.id != lwip_htons(PING_ID)) {
        return 0;
    }
    if (p->tot_len == data + PING_DATA &&
        pbuf_get_at(p, data) == '0' + lwip_ntohs(echo.seqno)) {
        pongs++;
    }
    (void)pbuf_free(p);
    return 1;
}

static struct raw_pcb *ping_pcb(int version)
{
    static struct raw_pcb *pcb[2];
    struct raw_pcb **at = &pcb[version == 6];

    if (*at == NULL) {
        *at = version == 4 ? raw_new_ip_type(IPADDR_TYPE_V4, IP_PROTO_ICMP)
                           : raw_new_ip_type(IPADDR_TYPE_V6, IP6_NEXTH_ICMP6);
        (*at)->chksum_reqd = version == 6;
        (*at)->chksum_offset = offsetof(struct icmp_echo_hdr, chksum);
        raw_recv(*at, ping_recv, NULL);
    }
    return *at;
}

static int ping_start(int version)
{
    struct raw_pcb *pcb = ping_pcb(version);
    ip_addr_t to = addr(version, GATEWAY_IP4, GATEWAY_IP6);
    u16_t len = sizeof(struct icmp_echo_hdr) + PING_DATA;
    struct pbuf *p;
    int n;

    pongs = 0;
    for (n = 0; n < DEMO_PINGS; n++) {
        p = pbuf_alloc(PBUF_IP, len, PBUF_RAM);
        ping_fill(p->payload, version, n);
        if (version == 4) {
            ((struct icmp_echo_hdr *)p->payload)->chksum =
                inet_chksum(p->payload, len);
        }
        (void)raw_sendto(pcb, p, &to);
        (void)pbuf_free(p);
    }
    return IPSEC_OK;
}

/* ------------------------------------------------------------- the valve */

static unsigned valve;

static void valve_recv(void *arg, struct udp_pcb *pcb, struct pbuf *p,
                       const ip_addr_t *from, u16_t port)
{
    (void)arg, (void)pcb, (void)from, (void)port;
    if (pbuf_memcmp(p, 0, DEMO_VALVE_ANSWER, sizeof DEMO_VALVE_ANSWER) == 0) {
        valve++;
    }
    (void)pbuf_free(p);
}

static int valve_open(int version)
{
    static struct udp_pcb *pcb;
    static const char order[] = DEMO_VALVE_ORDER;
    ip_addr_t to = addr(version, PAGES_IP4, PAGES_IP6);
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, sizeof order, PBUF_RAM);

    if (pcb == NULL) {
        pcb = udp_new_ip_type(IPADDR_TYPE_ANY);
        (void)udp_bind(pcb, IP_ANY_TYPE, 0);
        udp_recv(pcb, valve_recv, NULL);
    }
    (void)pbuf_take(p, order, sizeof order);
    (void)udp_sendto(pcb, p, &to, DEMO_VALVE_PORT);
    (void)pbuf_free(p);
    return IPSEC_OK;
}

/* ------------------------------------------------------------------------ */

static int obey(const struct demo_order *order)
{
    switch (order->verb) {
    case DEMO_FETCH:
        return fetch_start(order->version, order->take);
    case DEMO_TAKE:
        return fetch_more(order->take);
    case DEMO_PING:
        return ping_start(order->version);
    case DEMO_VALVE:
        return valve_open(order->version);
    default:
        return IPSEC_ERR_UNSUPPORTED;
    }
}

static void report(struct demo_report *r)
{
    r->fetched = fetch.received;
    r->complete = fetch.complete;
    r->pongs = pongs;
    r->valve = valve;
}

int device_main(const struct demo_child *child)
{
    device.role = DEMO_DEVICE;
    device.host_cfg.ip4 = DEVICE_IP4;
    device.host_cfg.mask4 = "255.255.255.0";
    device.host_cfg.gateway4 = GATEWAY_IP4;
    device.host_cfg.ip6 = DEVICE_IP6;
    device.obey = obey;
    device.report = report;
    if (station_open(&device, child) != 0) {
        return 1;
    }
    demo_page(page);
    station_run(&device, child->control);
    return 0;
}
