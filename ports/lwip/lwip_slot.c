/* SPDX-License-Identifier: MIT */
#include "lwip_inner.h"

#include <string.h>

/* Slots: where a packet is while the port has to remember it. */

/* The engine is done with the packet of a slot. */
static void
done(struct ipsec_op *op, int result)
{
    struct ipsec_lwip_slot *s = ipsec_op_pkt(op)->user;
    struct ipsec_lwip *port = s->port;
    struct pbuf *p = s->p;
    struct ipsec_pkt pkt;
    int rc;

    LWIP_ASSERT_CORE_LOCKED();
    rc = ipsec_resume(port->ips, &s->pkt, result);
    if (rc == IPSEC_PENDING) {
        return;
    }
    pkt = s->pkt;
    s->state = SLOT_FREE;
    port->in_flight--;
    if (port->netif == NULL) {
        (void)pbuf_free(p);
    } else if (s->dir == IPSEC_IN) {
        ipsec_lwip_opened(port, &pkt, p, rc);
    } else {
        (void)ipsec_lwip_sealed(port, &pkt, p, rc);
        (void)pbuf_free(p);
    }
}

/* see lwip_inner.h */
struct ipsec_lwip_slot *
ipsec_lwip_slot(struct ipsec_lwip *port, struct ipsec_lwip_slot *local,
                int dir)
{
    struct ipsec_lwip_slot *s = local;
    size_t i;

    for (i = 0; i < port->slots && s == local; i++) {
        if (port->slot[i].state == SLOT_FREE) {
            s = &port->slot[i];
        }
    }
    memset(s, 0, sizeof *s);
    s->state = SLOT_WORK;
    s->dir = (u8_t)dir;
    s->port = port;
    s->pkt.user = s;
    s->pkt.spd_id = port->spd_id;
    s->pkt.done = s == local ? NULL : done;
    return s;
}

/* see lwip_inner.h */
void
ipsec_lwip_slot_busy(struct ipsec_lwip_slot *s, struct pbuf *p)
{
    s->p = p;
    s->state = SLOT_BUSY;
    s->port->in_flight++;
}
