/* SPDX-License-Identifier: MIT */
#include "lan.h"

/* The device's boundary: the port. */

void
lan_attach(int slots)
{
    assert_int_equal(ipsec_lwip_attach(&lan.port, &lan.netif, &lan.dev.ips,
                                       lan.slot, (size_t)slots), ERR_OK);
}

void
lan_detach(void)
{
    assert_int_equal(ipsec_lwip_detach(&lan.port), ERR_OK);
}

void
lan_poll(void)
{
    ipsec_lwip_poll(&lan.port);
}
