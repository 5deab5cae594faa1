/* SPDX-License-Identifier: MIT */
#include "template.h"

#include <string.h>

/* The numbers are those of docs/PORTING.md, "Outbound" and "Inbound". */

#define HEAD ((size_t)TEMPLATE_LAYERS * IPSEC_HEADROOM)
#define TAIL ((size_t)TEMPLATE_LAYERS * IPSEC_TAILROOM)

struct ipsec template_ips;

static const struct ipsec_config config = {
    .crypto = &template_crypto,
    .random = template_random,
    .sa_event = template_event,
};

/* One packet at a time: the hooks are called under the stack's one lock. */
static uint8_t room[HEAD + TEMPLATE_PACKET + TAIL];

int
template_start(void)
{
    int rc = ipsec_init(&template_ips, &config);

    if (rc == IPSEC_OK) {
        ipsec_tick(&template_ips, hw_seconds());
    }
    return rc;
}

/* REPLACE, if your stack can be told an MTU in another way: it is told by an
 * ICMP error, which must be of a limited rate where others forward over us. */
static void
tell_sender(const struct ipsec_pkt *pkt, int status)
{
    uint8_t error[576];
    struct ipsec_addr from = stack_address(pkt->buf.data[0] >> 4);
    size_t len = ipsec_icmp_error(pkt, status, &from, error, sizeof error);

    if (len != 0) {
        stack_deliver(error, len);
    }
}

int
template_output(const uint8_t *ip, size_t len)
{
    struct ipsec_pkt pkt;
    int rc;

    if (len == 0 || len > TEMPLATE_PACKET) {
        return IPSEC_ERR_ROOM;
    }
    ipsec_pkt_init(&pkt, room, sizeof room, HEAD, len); /* 4 */
    memcpy(pkt.buf.data, ip, len);
    rc = ipsec_outbound(&template_ips, &pkt);
    if (rc == IPSEC_OK || rc == IPSEC_BYPASS) { /* 5 */
        stack_transmit(pkt.buf.data, pkt.buf.len);
    } else if (rc == IPSEC_ERR_TOO_BIG) {
        tell_sender(&pkt, rc);
    }
    return rc;
}

int
template_input(uint8_t *ip, size_t len)
{
    struct ipsec_pkt pkt;
    int rc;

    ipsec_pkt_init(&pkt, ip, len, 0, len);
    rc = ipsec_inbound(&template_ips, &pkt);
    if (rc == IPSEC_OK || rc == IPSEC_BYPASS) { /* 2 */
        stack_deliver(pkt.buf.data, pkt.buf.len);
    }
    return rc;
}
