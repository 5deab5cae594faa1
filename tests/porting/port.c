/* SPDX-License-Identifier: MIT */
#include "porting/port.h"

#include <string.h>

/* Outbound 4: a copy with room around it. */
static void
output(struct host *host, const uint8_t *ip, size_t len)
{
    struct port *port = host->port;
    struct ipsec_pkt pkt;

    ipsec_pkt_init(&pkt, port->room, sizeof port->room, IPSEC_HEADROOM, len);
    memcpy(pkt.buf.data, ip, len);
    ipsec_netif_output(&port->nif, &pkt);
}

/* Inbound 1: in one piece, and it may be changed. */
static void
input(struct host *host, uint8_t *ip, size_t len)
{
    struct port *port = host->port;
    struct ipsec_pkt pkt;

    ipsec_pkt_init(&pkt, ip, len, 0, len);
    ipsec_netif_input(&port->nif, &pkt);
}

static void
transmit(void *user, struct ipsec_pkt *pkt, const struct ipsec_buf *buf)
{
    struct port *port = user;

    (void)pkt;
    host_transmit(port->host, buf->data, buf->len);
}

static void
deliver(void *user, struct ipsec_pkt *pkt)
{
    struct port *port = user;

    host_deliver(port->host, pkt->buf.data, pkt->buf.len);
}

/* ICMP: a host hands it to its own stack, as if it had arrived. */
static void
drop(void *user, struct ipsec_pkt *pkt, int status)
{
    struct port *port = user;
    struct ipsec_addr from = { 4, { 0 } };
    uint8_t error[576];
    size_t len;

    port->drops++;
    port->dropped = status;
    if (status != IPSEC_ERR_TOO_BIG) {
        return;
    }
    memcpy(from.byte, port->host->addr, 4);
    len = ipsec_icmp_error(pkt, status, &from, error, sizeof error);
    if (len != 0) {
        host_deliver(port->host, error, len);
    }
}

int
port_attach(struct port *port, struct host *host,
            const struct ipsec_config *cfg)
{
    size_t i;

    memset(port, 0, sizeof *port);
    for (i = 0; i < PORT_SLOTS; i++) {
        port->slot[i].buf = port->memory[i];
        port->slot[i].size = PORT_SLOT;
    }
    port->in.slot = port->slot;
    port->in.len = PORT_SLOTS;
    port->in.seconds = 30;
    port->in.headroom = IPSEC_HEADROOM;
    port->in.tailroom = IPSEC_TAILROOM;

    port->nif.ips = &port->ips;
    port->nif.user = port;
    port->nif.transmit = transmit;
    port->nif.deliver = deliver;
    port->nif.drop = drop;
    port->nif.reass_in = &port->in;
    port->nif.frag = port->frag;
    port->nif.mtu = (uint16_t)host->mtu;
    port->nif.flags = IPSEC_NETIF_REASS_CLEAR;

    port->host = host;
    host->port = port;
    host->output = output;
    host->input = input;
    return ipsec_init(&port->ips, cfg);
}

/* Behind a NAT: below the hook, for it isn't policy's. */
static void
keep_alive(struct port *port, const struct ipsec_sa *sa)
{
    uint8_t ip[29] = { 0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17 };
    uint32_t sum = 0;
    size_t i;

    memcpy(ip + 12, sa->local.byte, 4);
    memcpy(ip + 16, sa->remote.byte, 4);
    for (i = 0; i < 20; i += 2) {
        sum += (uint32_t)ip[i] << 8 | ip[i + 1];
    }
    sum = ~((sum & 0xffff) + (sum >> 16));
    ip[10] = (uint8_t)(sum >> 8);
    ip[11] = (uint8_t)sum;
    ip[20] = (uint8_t)(sa->local_port >> 8);
    ip[21] = (uint8_t)sa->local_port;
    ip[22] = (uint8_t)(sa->remote_port >> 8);
    ip[23] = (uint8_t)sa->remote_port;
    ip[25] = 9; /* UDP's length; no checksum (RFC 3948 section 2.3) */
    ip[28] = 0xff;
    host_transmit(port->host, ip, sizeof ip);
}

void
port_tick(struct port *port, uint32_t now)
{
    struct ipsec_sa *sa = NULL;

    ipsec_tick(&port->ips, now);
    ipsec_reass_tick(&port->in, now);
    while ((sa = ipsec_sad_next(&port->ips, sa)) != NULL) {
        if (sa->dir == IPSEC_OUT && sa->local_port != 0 &&
            now - sa->used >= 20 && (now - sa->used) % 20 == 0) {
            keep_alive(port, sa);
        }
    }
}
