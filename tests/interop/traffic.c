/*
 * What the device under test does with its network.
 * SPDX-License-Identifier: MIT
 */
#include "traffic.h"

#include <string.h>

#include "lwip/icmp.h"
#include "lwip/inet_chksum.h"
#include "lwip/prot/icmp6.h"
#include "lwip/raw.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"

#define ICMP_HEADER 8
#define MARKER      4    /* zeros */
#define SEND_MAX    1024 /* bytes of stream handed to lwIP in one call */

/* Datagrams out and back. Their contents tell them apart. */
struct burst {
    unsigned count, size;
    uint8_t  nonce;
    unsigned got, bad, twice;
    uint8_t  seen[TRAFFIC_MAX];
};

struct stream {
    struct tcp_pcb *pcb;
    unsigned        total, sent, got, bad;
    int             over, closed;
};

static uint8_t nonce; /* another for each command: late answers show */
static struct { uint32_t last, longest; } gap;

/* --------------------------------------------------------------- bytes */

static uint8_t pattern(unsigned seed, unsigned i)
{
    return (uint8_t)(seed + i * 7u + (i >> 8) * 13u + (i >> 16) * 29u);
}

static unsigned seed_of(const struct burst *b, unsigned index)
{
    return (unsigned)b->nonce * 31u + index;
}

static int is_datagram(const struct burst *b, unsigned index,
                       const struct pbuf *p, u16_t at)
{
    unsigned i;

    for (i = 0; i < b->size; i++) {
        if (pbuf_get_at(p, (u16_t)(at + i)) !=
            pattern(seed_of(b, index), i)) {
            return 0;
        }
    }
    return 1;
}

/* Which one came back? Its data start `at` bytes into `p`. */
static void judge(struct burst *b, const struct pbuf *p, u16_t at)
{
    unsigned index;

    for (index = 0; p->tot_len == at + b->size && index < b->count;
         index++) {
        if (is_datagram(b, index, p, at)) {
            b->twice += b->seen[index];
            b->got += !b->seen[index];
            b->seen[index] = 1;
            return;
        }
    }
    b->bad++;
}

/* Room for headers ahead is lwIP's affair (`layer`). */
static struct pbuf *datagram(const struct burst *b, unsigned index,
                             pbuf_layer layer, u16_t header)
{
    struct pbuf *p = pbuf_alloc(layer, (u16_t)(b->size + header), PBUF_RAM);
    unsigned i;

    for (i = 0; p != NULL && i < b->size; i++) {
        pbuf_put_at(p, (u16_t)(header + i), pattern(seed_of(b, index), i));
    }
    return p;
}

static void begin(struct burst *b, unsigned count, unsigned size)
{
    memset(b, 0, sizeof *b);
    b->count = count < TRAFFIC_MAX ? count : TRAFFIC_MAX;
    b->size = size;
    b->nonce = ++nonce;
}

static void await(struct host *host, const struct burst *b, unsigned wait_ms)
{
    uint32_t start = host_ms();

    while (b->got < b->count && host_ms() - start < wait_ms) {
        (void)host_poll(host, -1, 10);
    }
}

static void report(const char *name, const struct burst *b)
{
    printf("%s %u of %u bad %u twice %u\n", name, b->got, b->count, b->bad,
           b->twice);
}

/* ---------------------------------------------------------------- ping */

static void ping_header(struct pbuf *p, const ip_addr_t *to,
                        const struct burst *b, unsigned index)
{
    uint8_t h[ICMP_HEADER] = { ICMP_ECHO, 0, 0, 0, 'L', 0, 0, 0 };

    h[0] = IP_IS_V6(to) ? ICMP6_TYPE_EREQ : ICMP_ECHO;
    h[5] = b->nonce;
    h[7] = (uint8_t)index;
    (void)pbuf_take(p, h, sizeof h);
    if (!IP_IS_V6(to)) {
        u16_t sum = inet_chksum_pbuf(p);

        (void)pbuf_take_at(p, &sum, sizeof sum, 2);
    }
}

static u8_t on_ping(void *arg, struct raw_pcb *pcb, struct pbuf *p,
                    const ip_addr_t *from)
{
    struct burst *b = arg;
    u16_t at = ip_current_header_tot_len();
    int reply = IP_IS_V6(from) ? ICMP6_TYPE_EREP : ICMP_ER;

    (void)pcb;
    if (pbuf_get_at(p, at) != reply || pbuf_get_at(p, (u16_t)(at + 4)) != 'L' ||
        pbuf_get_at(p, (u16_t)(at + 5)) != b->nonce) {
        return 0;
    }
    judge(b, p, (u16_t)(at + ICMP_HEADER));
    (void)pbuf_free(p);
    return 1;
}

static struct raw_pcb *ping_open(const ip_addr_t *to, struct burst *b)
{
    struct raw_pcb *pcb = raw_new_ip_type(
        IP_GET_TYPE(to), IP_IS_V6(to) ? IP6_NEXTH_ICMP6 : IP_PROTO_ICMP);

    if (pcb != NULL) {
        pcb->chksum_reqd = IP_IS_V6(to);
        pcb->chksum_offset = 2;
        raw_recv(pcb, on_ping, b);
    }
    return pcb;
}

void traffic_ping(struct host *host, const ip_addr_t *to, unsigned count,
                  unsigned size, unsigned wait_ms)
{
    struct burst b;
    struct raw_pcb *pcb;
    unsigned index;

    begin(&b, count, size);
    pcb = ping_open(to, &b);
    for (index = 0; pcb != NULL && index < b.count; index++) {
        struct pbuf *p = datagram(&b, index, PBUF_IP, ICMP_HEADER);

        if (p != NULL) {
            ping_header(p, to, &b, index);
            (void)raw_sendto(pcb, p, to);
            (void)pbuf_free(p);
        }
    }
    await(host, &b, wait_ms);
    if (pcb != NULL) {
        raw_remove(pcb);
    }
    report("ping", &b);
}

/* ----------------------------------------------------------------- UDP */

static void on_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *p,
                        const ip_addr_t *from, u16_t port)
{
    (void)pcb;
    (void)from;
    (void)port;
    judge(arg, p, 0);
    (void)pbuf_free(p);
}

/* One for the whole run: a late answer is to meet nothing worse than an
 * open port. */
static struct udp_pcb *udp_socket(struct burst *b)
{
    static struct udp_pcb *pcb;

    if (pcb == NULL) {
        pcb = udp_new_ip_type(IPADDR_TYPE_ANY);
    }
    if (pcb != NULL) {
        udp_recv(pcb, b == NULL ? NULL : on_datagram, b);
    }
    return pcb;
}

void traffic_udp(struct host *host, const ip_addr_t *to, unsigned count,
                 unsigned size, unsigned wait_ms)
{
    struct burst b;
    struct udp_pcb *pcb;
    unsigned index;

    begin(&b, count, size);
    pcb = udp_socket(&b);
    for (index = 0; pcb != NULL && index < b.count; index++) {
        struct pbuf *p = datagram(&b, index, PBUF_TRANSPORT, 0);

        if (p != NULL) {
            (void)udp_sendto(pcb, p, to, ECHO_PORT);
            (void)pbuf_free(p);
        }
    }
    await(host, &b, wait_ms);
    (void)udp_socket(NULL);
    report("udp", &b);
}

/* ----------------------------------------------------------------- IKE */

static void on_ike(void *arg, struct udp_pcb *pcb, struct pbuf *p,
                   const ip_addr_t *from, u16_t port)
{
    static const uint8_t marker[MARKER];
    struct burst *b = arg;

    (void)pcb;
    (void)from;
    (void)port;
    if (b != NULL && pbuf_memcmp(p, 0, marker, MARKER) == 0) {
        judge(b, p, MARKER);
    } else if (b != NULL) {
        b->bad++;
    }
    (void)pbuf_free(p);
}

static struct udp_pcb *ike_socket(struct burst *b)
{
    static struct udp_pcb *pcb;

    if (pcb == NULL) {
        pcb = udp_new_ip_type(IPADDR_TYPE_ANY);
        if (pcb != NULL && udp_bind(pcb, IP_ANY_TYPE, NATT_PORT) != ERR_OK) {
            udp_remove(pcb);
            pcb = NULL;
        }
    }
    if (pcb != NULL) {
        udp_recv(pcb, on_ike, b);
    }
    return pcb;
}

void traffic_ike(struct host *host, const ip_addr_t *to, unsigned count,
                 unsigned size, unsigned wait_ms)
{
    static const uint8_t marker[MARKER];
    struct burst b;
    struct udp_pcb *pcb;
    unsigned index;

    begin(&b, count, size);
    pcb = ike_socket(&b);
    for (index = 0; pcb != NULL && index < b.count; index++) {
        struct pbuf *p = datagram(&b, index, PBUF_TRANSPORT, MARKER);

        if (p != NULL) {
            (void)pbuf_take(p, marker, MARKER);
            (void)udp_sendto(pcb, p, to, NATT_PORT);
            (void)pbuf_free(p);
        }
    }
    await(host, &b, wait_ms);
    (void)ike_socket(NULL);
    report("ike", &b);
}

/* ----------------------------------------------------------------- TCP */

static void feed(struct stream *s)
{
    while (s->sent < s->total) {
        uint8_t chunk[SEND_MAX];
        unsigned n = s->total - s->sent, i;

        n = n < SEND_MAX ? n : SEND_MAX;
        n = n < tcp_sndbuf(s->pcb) ? n : tcp_sndbuf(s->pcb);
        for (i = 0; i < n; i++) {
            chunk[i] = pattern(nonce, s->sent + i);
        }
        if (n == 0 || tcp_write(s->pcb, chunk, (u16_t)n,
                                TCP_WRITE_FLAG_COPY) != ERR_OK) {
            break;
        }
        s->sent += n;
    }
    (void)tcp_output(s->pcb);
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    (void)pcb;
    (void)len;
    feed(arg);
    return ERR_OK;
}

static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
    (void)pcb;
    feed(arg);
    return ERR_OK;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)err;
    tcp_sent(pcb, on_sent);
    tcp_poll(pcb, on_poll, 1);
    feed(arg);
    return ERR_OK;
}

static void gap_note(void)
{
    uint32_t now = host_ms();

    if (now - gap.last > gap.longest) {
        gap.longest = now - gap.last;
    }
    gap.last = now;
}

unsigned traffic_gap(void)
{
    return gap.longest;
}

static void check_bytes(struct stream *s, const struct pbuf *p)
{
    u16_t i;

    for (i = 0; i < p->tot_len; i++) {
        s->bad += pbuf_get_at(p, i) != pattern(nonce, s->got + i);
    }
    s->got += p->tot_len;
}

static err_t on_bytes(void *arg, struct tcp_pcb *pcb, struct pbuf *p,
                      err_t err)
{
    struct stream *s = arg;

    (void)err;
    gap_note();
    if (p == NULL) {
        s->over = s->closed = 1;
        return ERR_OK;
    }
    check_bytes(s, p);
    tcp_recved(pcb, p->tot_len);
    (void)pbuf_free(p);
    if (s->got >= s->total) {
        (void)tcp_shutdown(pcb, 0, 1);
    }
    return ERR_OK;
}

static void on_error(void *arg, err_t err)
{
    struct stream *s = arg;

    fprintf(stderr, "device: TCP error %d\n", (int)err);
    s->pcb = NULL; /* lwIP has freed it */
    s->over = 1;
}

static void stream_open(struct stream *s, const ip_addr_t *to)
{
    s->pcb = tcp_new_ip_type(IP_GET_TYPE(to));
    if (s->pcb == NULL) {
        s->over = 1;
        return;
    }
    tcp_arg(s->pcb, s);
    tcp_recv(s->pcb, on_bytes);
    tcp_err(s->pcb, on_error);
    s->over = tcp_connect(s->pcb, to, ECHO_PORT, on_connected) != ERR_OK;
}

static void stream_close(struct stream *s)
{
    if (s->pcb == NULL) {
        return;
    }
    tcp_arg(s->pcb, NULL);
    tcp_recv(s->pcb, NULL);
    tcp_sent(s->pcb, NULL);
    tcp_err(s->pcb, NULL);
    tcp_poll(s->pcb, NULL, 0);
    if (!s->closed || tcp_close(s->pcb) != ERR_OK) {
        tcp_abort(s->pcb);
    }
}

void traffic_tcp(struct host *host, const ip_addr_t *to, unsigned bytes,
                 unsigned wait_ms)
{
    struct stream s;
    uint32_t start = host_ms();

    memset(&s, 0, sizeof s);
    s.total = bytes;
    nonce++;
    gap.last = start;
    gap.longest = 0;
    stream_open(&s, to);
    while (!s.over && host_ms() - start < wait_ms) {
        (void)host_poll(host, -1, 10);
    }
    gap_note();
    stream_close(&s);
    printf("tcp %u of %u bad %u closed %d\n", s.got, s.total, s.bad,
           s.closed);
}
