/*
 * The demo's gateway: serves pages from the net behind it with lwIP's own
 * web server, and has a valve that opens when told to.
 * SPDX-License-Identifier: MIT
 *
 * Nothing here knows of IPsec: that is what the boundary in station.c is for.
 */
#include <string.h>

#include "lwip/apps/fs.h"
#include "lwip/apps/httpd.h"
#include "lwip/udp.h"
#include "station.h"

static struct station gateway;
static char page[DEMO_PAGE_LEN];
static unsigned valve;

/* ------------------------------------------------------------- the pages */

/* lwIP's web server asks here before it looks into its own pages. */
int fs_open_custom(struct fs_file *file, const char *name);
void fs_close_custom(struct fs_file *file);

int fs_open_custom(struct fs_file *file, const char *name)
{
    if (strcmp(name, DEMO_URI) != 0) {
        return 0;
    }
    memset(file, 0, sizeof *file);
    file->data = page;
    file->len = file->index = DEMO_PAGE_LEN;
    file->flags = FS_FILE_FLAGS_HEADER_PERSISTENT; /* with its length */
    return 1;
}

void fs_close_custom(struct fs_file *file)
{
    (void)file;
}

/* ------------------------------------------------------------- the valve */

static void valve_recv(void *arg, struct udp_pcb *pcb, struct pbuf *p,
                       const ip_addr_t *from, u16_t port)
{
    static const char answer[] = DEMO_VALVE_ANSWER;
    struct pbuf *reply;

    (void)arg;
    if (pbuf_memcmp(p, 0, DEMO_VALVE_ORDER, sizeof DEMO_VALVE_ORDER) == 0) {
        valve++;
        reply = pbuf_alloc(PBUF_TRANSPORT, sizeof answer, PBUF_RAM);
        if (reply != NULL) {
            (void)pbuf_take(reply, answer, sizeof answer);
            /* From the address it was sent to: that of the pages. */
            (void)udp_sendto_if_src(pcb, reply, from, port,
                                    ip_current_input_netif(),
                                    ip_current_dest_addr());
            (void)pbuf_free(reply);
        }
    }
    (void)pbuf_free(p);
}

static void valve_init(void)
{
    struct udp_pcb *pcb = udp_new_ip_type(IPADDR_TYPE_ANY);

    (void)udp_bind(pcb, IP_ANY_TYPE, DEMO_VALVE_PORT);
    udp_recv(pcb, valve_recv, NULL);
}

/* ------------------------------------- the interface to the net behind */

/* There is nobody in that net but the gateway itself. */
static err_t lan_output(struct netif *netif, struct pbuf *p,
                        const ip4_addr_t *to)
{
    (void)netif, (void)p, (void)to;
    return ERR_OK;
}

static err_t lan_output_ip6(struct netif *netif, struct pbuf *p,
                            const ip6_addr_t *to)
{
    (void)netif, (void)p, (void)to;
    return ERR_OK;
}

static err_t lan_init(struct netif *netif)
{
    netif->name[0] = 'l';
    netif->name[1] = 'n';
    netif->mtu = HOST_MTU;
    netif->output = lan_output;
    netif->output_ip6 = lan_output_ip6;
    return ERR_OK;
}

static void lan_up(void)
{
    static struct netif lan;
    ip4_addr_t addr, mask, none;
    ip6_addr_t addr6;
    s8_t n;

    (void)ip4addr_aton(PAGES_IP4, &addr);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    ip4_addr_set_any(&none);
    (void)netif_add(&lan, &addr, &mask, &none, NULL, lan_init, ip_input);
    (void)ip6addr_aton(PAGES_IP6, &addr6);
    if (netif_add_ip6_address(&lan, &addr6, &n) == ERR_OK) {
        netif_ip6_addr_set_state(&lan, n, IP6_ADDR_PREFERRED);
    }
    netif_set_link_up(&lan);
    netif_set_up(&lan);
}

/* ------------------------------------------------------------------------ */

static int obey(const struct demo_order *order)
{
    (void)order;
    return IPSEC_ERR_UNSUPPORTED;
}

static void report(struct demo_report *r)
{
    r->valve = valve;
}

int gateway_main(const struct demo_child *child)
{
    gateway.role = DEMO_GATEWAY;
    gateway.host_cfg.ip4 = GATEWAY_IP4;
    gateway.host_cfg.mask4 = "255.255.255.0";
    gateway.host_cfg.ip6 = GATEWAY_IP6;
    gateway.obey = obey;
    gateway.report = report;
    if (station_open(&gateway, child) != 0) {
        return 1;
    }
    lan_up();
    demo_page(page);
    httpd_init();
    valve_init();
    station_run(&gateway, child->control);
    return 0;
}
