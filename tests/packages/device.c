/* SPDX-License-Identifier: MIT */
#include "ipsec/ipsec.h"
#include "ipsec/netif.h"

/* Links with all that a device uses of the core. */
static struct ipsec ips;
static struct ipsec_config cfg;
static struct ipsec_pkt pkt;
static struct ipsec_sa sa;
static struct ipsec_sa_params params;
static struct ipsec_policy policy;
static struct ipsec_netif nif;

int
main(void)
{
    int rc = ipsec_init(&ips, &cfg) | ipsec_spd_add(&ips, &policy) |
             ipsec_sad_add(&ips, &sa, &params) |
             ipsec_outbound(&ips, &pkt) | ipsec_inbound(&ips, &pkt);

    ipsec_netif_output(&nif, &pkt);
    ipsec_netif_input(&nif, &pkt);
    return rc + (int)ipsec_tick(&ips, 1);
}
