/*
 * The board as an lwIP host.
 * SPDX-License-Identifier: MIT
 */
#include "host.h"

#include <string.h>

#include "board.h"
#include "lan9118.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/init.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

#define FRAME_MIN 60
#define BURST     16 /* frames taken in before timers get their turn */

/* The one that tests/interop's relay knows. */
static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

uint32_t host_ms(void)
{
    return board_ms();
}

u32_t sys_now(void)
{
    return board_ms();
}

/* lwIP's netif->linkoutput: the frame in one piece, padded, to the FIFO. It
 * would answer ARP also for an interface that is down. */
static err_t frame_output(struct netif *netif, struct pbuf *p)
{
    static uint32_t frame[(LAN9118_PAD + LAN9118_FRAME_MAX + 3) / 4];
    struct host *host = netif->state;
    size_t len = (size_t)p->tot_len - ETH_PAD_SIZE;

    if (!netif_is_up(netif)) {
        return ERR_IF;
    }
    if (len > LAN9118_FRAME_MAX) {
        host->lost++;
        return ERR_BUF;
    }
    memset(frame, 0, LAN9118_PAD + FRAME_MIN);
    (void)pbuf_copy_partial(p, frame, p->tot_len, 0);
    if (lan9118_send(frame, len < FRAME_MIN ? FRAME_MIN : len) != 0) {
        host->lost++;
        return ERR_BUF;
    }
    return ERR_OK;
}

static void frame_input(struct host *host, const uint8_t *frame, size_t len)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(ETH_PAD_SIZE + len),
                                PBUF_POOL);

    if (p == NULL) {
        host->lost++;
        return;
    }
    (void)pbuf_take(p, frame, (u16_t)(ETH_PAD_SIZE + len));
    if (host->netif.input(p, &host->netif) != ERR_OK) {
        (void)pbuf_free(p);
    }
}

static err_t interface_init(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->mtu = HOST_MTU;
    netif->hwaddr_len = sizeof mac;
    memcpy(netif->hwaddr, mac, sizeof mac);
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = frame_output;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
                   NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    return ERR_OK;
}

int host_open(struct host *host, const char *ip4, const char *ip6)
{
    ip4_addr_t addr, mask, gateway;
    ip6_addr_t addr6;

    if (!ip4addr_aton(ip4, &addr) || !ip6addr_aton(ip6, &addr6) ||
        lan9118_open(mac) != 0) {
        return -1;
    }
    lwip_init();
    IP4_ADDR(&mask, 255, 255, 255, 0);
    ip4_addr_set_any(&gateway);
    (void)netif_add(&host->netif, &addr, &mask, &gateway, host,
                    interface_init, ethernet_input);
    netif_set_default(&host->netif);
    netif_create_ip6_linklocal_address(&host->netif, 1);
    (void)netif_add_ip6_address(&host->netif, &addr6, NULL);
    return 0;
}

void host_up(struct host *host)
{
    s8_t n;

    for (n = 0; n < LWIP_IPV6_NUM_ADDRESSES; n++) {
        if (!ip6_addr_isinvalid(netif_ip6_addr_state(&host->netif, n))) {
            netif_ip6_addr_set_state(&host->netif, n, IP6_ADDR_PREFERRED);
        }
    }
    netif_set_link_up(&host->netif);
    netif_set_up(&host->netif);
}

/* 1 if there was any. */
static int frames(struct host *host)
{
    const uint8_t *frame;
    size_t len;
    int n;

    for (n = 0; n < BURST; n++) {
        frame = lan9118_receive(&len);
        if (frame == NULL) {
            break;
        }
        frame_input(host, frame, len);
    }
    return n > 0;
}

int host_poll(struct host *host, int fd, int timeout_ms)
{
    int key = fd >= 0 && board_readable();
    int busy = host->ips != NULL && frames(host);

    if (!busy && !key && timeout_ms > 0) {
        board_sleep();
    }
    if (host->ips != NULL) {
        sys_check_timeouts();
        (void)ipsec_tick(host->ips, board_ms() / 1000u);
    }
    return key;
}
