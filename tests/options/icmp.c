/* SPDX-License-Identifier: MIT */
#include "ipsec/ipsec.h"
#include "options/status.h"

#include <stdio.h>
#include <string.h>

/* Print what ipsec_init() says to each of the flags about ICMP, and how long
 * the ICMP error is that a packet dropped by policy calls for. See run.sh. */

static int
random_none(void *user, void *buf, size_t len)
{
    (void)user;
    memset(buf, 0, len);
    return 0;
}

int
main(void)
{
    static const uint8_t flags[] = { 0, IPSEC_ACCEPT_PTB, IPSEC_ICMP_RELATED,
                                     IPSEC_ICMP_CHECK };
    static const struct ipsec_crypto crypto;
    static uint8_t packet[20] = { 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 99, 0, 0,
                                  10, 0, 0, 1, 10, 0, 0, 2 };
    struct ipsec_addr from = { 4, { 10, 0, 0, 3 } };
    struct ipsec_config cfg;
    struct ipsec_pkt pkt;
    struct ipsec ips;
    uint8_t out[576];
    size_t i;

    memset(&cfg, 0, sizeof cfg);
    cfg.crypto = &crypto;
    cfg.random = random_none;
    for (i = 0; i < sizeof flags; i++) {
        cfg.flags = flags[i];
        printf("%s ", status_name(ipsec_init(&ips, &cfg)));
    }
    cfg.flags = 0;
    (void)ipsec_init(&ips, &cfg);
    ipsec_pkt_init(&pkt, packet, sizeof packet, 0, sizeof packet);
    printf("%s ", status_name(ipsec_outbound(&ips, &pkt)));
    printf("%u\n", (unsigned)ipsec_icmp_error(&pkt, IPSEC_ERR_NO_POLICY,
                                              &from, out, sizeof out));
    return 0;
}
