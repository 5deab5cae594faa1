/*
 * The demo: an lwIP host with an IPsec boundary that takes orders.
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L

#include "station.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ipsec_mbedtls.h"

/* ------------------------------------------------------- the boundary */

/* Where all of libipsec that a product must set up is set up. */
static int boundary_open(struct station *s, int sabotaged)
{
    size_t n;

    s->ips_cfg.crypto = &ipsec_mbedtls;
    s->ips_cfg.random = host_random;
    if (ipsec_init(&s->ips, &s->ips_cfg) != IPSEC_OK) {
        return -1;
    }
    s->policies = demo_policies(s->policy, s->role, sabotaged);
    for (n = 0; n < s->policies; n++) {
        if (ipsec_spd_add(&s->ips, &s->policy[n]) != IPSEC_OK) {
            return -1;
        }
    }
    s->host.ips = &s->ips;
    return ipsec_lwip_attach(&s->port, &s->host.netif, &s->ips, s->slot,
                             STATION_SLOTS) == ERR_OK ? 0 : -1;
}

static void sa_params(struct ipsec_sa_params *params,
                      const struct demo_sa *sa, int role)
{
    const struct demo_cipher_info *cipher = &demo_cipher[sa->cipher];
    int version = demo_version(sa->reqid);

    memset(params, 0, sizeof *params);
    params->spi = sa->spi;
    params->reqid = sa->reqid;
    params->dir = sa->from == role ? IPSEC_OUT : IPSEC_IN;
    params->proto = IPSEC_PROTO_ESP;
    params->mode = (uint8_t)demo_mode(sa->reqid);
    params->flags = (uint16_t)(sa->flags | IPSEC_SA_NEGOTIATED);
    params->local = demo_addr(role, version);
    params->remote = demo_addr(1 - role, version);
    params->km.encr = cipher->encr;
    params->km.encr_key = sa->key;
    params->km.encr_key_len = cipher->encr_len;
    params->km.integ = cipher->integ;
    params->km.integ_key = sa->integ_key;
    params->km.integ_key_len = cipher->integ_len;
}

static int sa_add(struct station *s, const struct demo_sa *sa)
{
    struct station_sa *slot = &s->sa[s->sas];
    struct ipsec_sa_params params;
    int status;

    if (s->sas == DEMO_SAS) {
        return IPSEC_ERR_ROOM;
    }
    sa_params(&params, sa, s->role);
    params.key = &slot->key;
    params.key_len = sizeof slot->key;
    status = ipsec_sad_add(&s->ips, &slot->sa, &params);
    if (status == IPSEC_OK) {
        s->sas++;
    }
    return status;
}

static int sa_remove(struct station *s, const struct demo_sa *sa)
{
    size_t n;

    for (n = 0; n < s->sas; n++) {
        struct station_sa *slot = &s->sa[n];

        if (slot->sa.spi == sa->spi && slot->sa.state == IPSEC_SA_MATURE) {
            slot->last = slot->sa;
            slot->last.state = IPSEC_SA_NONE;
            return ipsec_sad_remove(&s->ips, &slot->sa);
        }
    }
    return IPSEC_ERR_NO_SA;
}

/* -------------------------------------------------------------- orders */

static int obey(struct station *s, const struct demo_order *order)
{
    switch (order->verb) {
    case DEMO_REPORT:
        return IPSEC_OK;
    case DEMO_UP:
        host_up(&s->host);
        return IPSEC_OK;
    case DEMO_ADD:
        return sa_add(s, &order->sa);
    case DEMO_REMOVE:
        return sa_remove(s, &order->sa);
    default:
        return s->obey(order);
    }
}

static void report(struct station *s, struct demo_report *r)
{
    const struct ipsec_policy *policy = NULL;
    size_t n;

    r->stats = s->ips.stats;
    while ((policy = ipsec_spd_next(&s->ips, policy)) != NULL) {
        r->policy[r->policies++] = *policy;
    }
    for (n = 0; n < s->sas; n++) {
        const struct station_sa *slot = &s->sa[n];

        r->sa[n] = slot->last.spi != 0 ? slot->last : slot->sa;
    }
    r->sas = s->sas;
    s->report(r);
}

/* False when it is time to go. */
static int answer(struct station *s, int control)
{
    struct demo_order order;
    struct demo_report r;

    if (recv(control, &order, sizeof order, 0) != (ssize_t)sizeof order ||
        order.verb == DEMO_STOP) {
        return 0;
    }
    memset(&r, 0, sizeof r);
    r.status = obey(s, &order);
    memset(&order, 0, sizeof order); /* there may have been keys in it */
    report(s, &r);
    return send(control, &r, sizeof r, MSG_NOSIGNAL) == (ssize_t)sizeof r;
}

void station_run(struct station *s, int control)
{
    int more = 1;

    while (more) {
        if (host_poll(&s->host, control, 250)) {
            more = answer(s, control);
        }
        ipsec_lwip_poll(&s->port);
    }
    (void)ipsec_lwip_detach(&s->port);
    host_close(&s->host);
}

int station_open(struct station *s, const struct demo_child *child)
{
    s->host_cfg.path = child->path;
    s->host_cfg.peer = child->peer;
    s->host_cfg.pcap = child->pcap;
    memcpy(s->host_cfg.mac, demo_mac[s->role], sizeof s->host_cfg.mac);
    if (host_open(&s->host, &s->host_cfg) != 0 ||
        boundary_open(s, child->sabotaged) != 0) {
        perror(child->path);
        return -1;
    }
    return 0;
}
