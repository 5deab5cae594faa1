/*
 * What the device serves.
 * SPDX-License-Identifier: MIT
 */
#include "services.h"

#include <string.h>

#include "lwip/tcp.h"
#include "lwip/udp.h"

#define ECHO_PORT 7
#define HTTP_PORT 80

static const char page[] = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n"
                           "\r\nfrom the metal\n";

static void on_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *p,
                        const ip_addr_t *from, u16_t port)
{
    (void)arg;
    (void)udp_sendto(pcb, p, from, port);
    (void)pbuf_free(p);
}

static err_t finish(struct tcp_pcb *pcb)
{
    tcp_recv(pcb, NULL);
    if (tcp_close(pcb) != ERR_OK) {
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    return ERR_OK;
}

/* Whatever is asked for, when a request's first piece has come. */
static err_t on_request(void *arg, struct tcp_pcb *pcb, struct pbuf *p,
                        err_t err)
{
    (void)arg;
    if (p == NULL || err != ERR_OK) {
        return finish(pcb);
    }
    tcp_recved(pcb, p->tot_len);
    (void)pbuf_free(p);
    (void)tcp_write(pcb, page, sizeof page - 1, 0);
    return finish(pcb);
}

static err_t on_caller(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    if (err != ERR_OK || pcb == NULL) {
        return ERR_VAL;
    }
    tcp_recv(pcb, on_request);
    return ERR_OK;
}

int services_open(void)
{
    struct udp_pcb *echo = udp_new_ip_type(IPADDR_TYPE_ANY);
    struct tcp_pcb *http = tcp_new_ip_type(IPADDR_TYPE_ANY);

    if (echo == NULL || http == NULL ||
        udp_bind(echo, IP_ANY_TYPE, ECHO_PORT) != ERR_OK ||
        tcp_bind(http, IP_ANY_TYPE, HTTP_PORT) != ERR_OK) {
        return -1;
    }
    udp_recv(echo, on_datagram, NULL);
    http = tcp_listen(http);
    if (http == NULL) {
        return -1;
    }
    tcp_accept(http, on_caller);
    return 0;
}
