/* SPDX-License-Identifier: MIT */
#include "porting/stack.h"

#include <string.h>

static void
put(uint8_t *p, size_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static uint16_t
sum(const uint8_t *p, size_t len)
{
    uint32_t total = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        total += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    }
    total = (total & 0xffff) + (total >> 16);
    return (uint16_t)~((total & 0xffff) + (total >> 16));
}

static void
push(struct host *host, struct queue *q, const uint8_t *p, size_t len)
{
    size_t at = (q->first + q->count) % FRAMES;

    if (q->count == FRAMES || len > FRAME) {
        host->lost++;
        return;
    }
    memcpy(q->frame[at].byte, p, len);
    q->frame[at].len = len;
    q->count++;
}

/* Everything that leaves comes by here. */
static void
ip_output(struct host *host, const uint8_t dst[4], uint8_t proto, int df,
          uint8_t *ip, size_t len)
{
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put(ip + 2, len);
    ip[6] = df ? 0x40 : 0;
    ip[8] = 64;
    ip[9] = proto;
    memcpy(ip + 12, host->addr, 4);
    memcpy(ip + 16, dst, 4);
    put(ip + 10, sum(ip, 20));
    if (host->output != NULL) {
        host->output(host, ip, len);
    } else {
        host_transmit(host, ip, len);
    }
}

void
host_send(struct host *host, const uint8_t dst[4], uint16_t to, int df,
          const uint8_t *text, size_t len)
{
    uint8_t ip[FRAME];

    put(ip + 20, 1000);
    put(ip + 22, to);
    put(ip + 24, 8 + len);
    put(ip + 26, 0); /* no checksum */
    memcpy(ip + 28, text, len);
    ip_output(host, dst, 17, df, ip, 28 + len);
}

void
host_ping(struct host *host, const uint8_t dst[4])
{
    uint8_t ip[28] = { 0 };

    ip[20] = 8;
    put(ip + 22, sum(ip + 20, 8));
    ip_output(host, dst, 1, 0, ip, sizeof ip);
}

static void
icmp_input(struct host *host, uint8_t *ip, size_t len)
{
    uint8_t src[4];

    memcpy(src, ip + 12, 4);
    if (ip[20] == 8) {
        ip[20] = 0;
        put(ip + 22, 0);
        put(ip + 22, sum(ip + 20, len - 20));
        ip_output(host, src, 1, 0, ip, len);
    } else if (ip[20] == 3 && ip[21] == 4) {
        host->path_mtu = (size_t)ip[26] << 8 | ip[27];
    } else if (ip[20] == 0) {
        host->pongs++;
    }
}

static void
ip_input(struct host *host, uint8_t *ip, size_t len)
{
    uint8_t src[4];

    memcpy(src, ip + 12, 4);
    if (len < 28 || ip[0] != 0x45 || (((ip[6] & 0x3f) | ip[7]) != 0)) {
        host->lost++;
    } else if (ip[9] == 1) {
        icmp_input(host, ip, len);
    } else if (ip[9] == 17 && ip[22] == 0 && ip[23] == 7) { /* echo */
        host_send(host, src, 1000, 0, ip + 28, len - 28);
    } else if (ip[9] == 17) {
        memcpy(host->text, ip + 28, len - 28);
        host->text_len = len - 28;
    }
}

void
host_transmit(struct host *host, const uint8_t *ip, size_t len)
{
    if (len > host->mtu) {
        host->lost++;
        return;
    }
    host->frames++;
    host->on_wire = len;
    push(host->peer, &host->peer->wire, ip, len);
}

void
host_deliver(struct host *host, const uint8_t *ip, size_t len)
{
    push(host, &host->judged, ip, len);
}

static int
pop(struct queue *q, uint8_t *ip, size_t *len)
{
    if (q->count == 0) {
        return 0;
    }
    *len = q->frame[q->first].len;
    memcpy(ip, q->frame[q->first].byte, *len);
    q->first = (q->first + 1) % FRAMES;
    q->count--;
    return 1;
}

int
host_poll(struct host *host)
{
    uint8_t ip[FRAME];
    size_t len;

    if (pop(&host->judged, ip, &len)) {
        ip_input(host, ip, len);
        return 1;
    }
    if (!pop(&host->wire, ip, &len)) {
        return 0;
    }
    if (host->input != NULL) {
        host->input(host, ip, len);
    } else {
        ip_input(host, ip, len);
    }
    return 1;
}
