/*
 * The chassis of the example programs: an lwIP host in one process.
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L

#include "host.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/init.h"
#include "lwip/ip6_addr.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"
#include "pcap.h"

#define FRAME_MIN 60 /* what a real MAC pads to, without its FCS */
#define INTERFACES 4 /* that wake host_poll() */
#define BURST     64 /* frames taken in before timers get their turn */

/* ------------------------------------------------------- clock, chance */

uint32_t host_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000u +
                      (uint64_t)now.tv_nsec / 1000000u);
}

uint32_t host_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)now.tv_sec;
}

/* lwIP's clock. */
u32_t sys_now(void)
{
    return host_ms();
}

int host_random(void *user, void *buf, size_t len)
{
    uint8_t *at = buf;

    (void)user;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno != EINTR) {
            return -1;
        }
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
    return 0;
}

uint32_t host_rand(void)
{
    uint32_t r;

    if (host_random(NULL, &r, sizeof r) != 0) {
        abort();
    }
    return r;
}

void host_diag(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
}

/* ------------------------------------------------------------- the wire */

static int address(struct sockaddr_un *sun, const char *path)
{
    size_t len = strlen(path);

    memset(sun, 0, sizeof *sun);
    sun->sun_family = AF_UNIX;
    if (len >= sizeof sun->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(sun->sun_path, path, len);
    return 0;
}

static int wire_open(struct host *host)
{
    struct sockaddr_un here;

    if (address(&here, host->cfg->path) != 0) {
        return -1;
    }
    (void)unlink(host->cfg->path);
    host->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (host->fd < 0) {
        return -1;
    }
    return bind(host->fd, (struct sockaddr *)&here, sizeof here);
}

/* False only while the peer's queue is full: then it is worth waiting. */
static int wire_send(struct host *host, const struct host_frame *frame)
{
    struct sockaddr_un there;
    ssize_t sent = -1;

    if (address(&there, host->cfg->peer) == 0) {
        sent = sendto(host->fd, frame->byte, frame->len, MSG_DONTWAIT,
                      (struct sockaddr *)&there, sizeof there);
        if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
            return 0;
        }
    }
    if (sent < 0) {
        host->lost++;
    }
    return 1;
}

static void wire_flush(struct host *host)
{
    while (host->waiting > 0 &&
           wire_send(host, &host->backlog[host->first])) {
        host->first = (host->first + 1) % HOST_BACKLOG;
        host->waiting--;
    }
}

/* lwIP's netif->linkoutput. The kernel queues only about ten datagrams for
 * a peer. Who is faster than that keeps his frames here, and never blocks:
 * the peer may be waiting for him in the same way. */
static err_t frame_output(struct netif *netif, struct pbuf *p)
{
    struct host *host = netif->state;
    struct host_frame *frame;
    size_t len = (size_t)p->tot_len - ETH_PAD_SIZE;

    if (host->waiting == HOST_BACKLOG || len > HOST_FRAME_MAX) {
        host->lost++;
        return ERR_BUF;
    }
    frame = &host->backlog[(host->first + host->waiting) % HOST_BACKLOG];
    host->waiting++;
    memset(frame->byte, 0, FRAME_MIN);
    (void)pbuf_copy_partial(p, frame->byte, (u16_t)len, ETH_PAD_SIZE);
    frame->len = len < FRAME_MIN ? FRAME_MIN : len;
    if (host->pcap != NULL) {
        pcap_write(host->pcap, frame->byte, frame->len);
    }
    wire_flush(host);
    return ERR_OK;
}

static void frame_input(struct host *host, const uint8_t *frame, size_t len)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(len + ETH_PAD_SIZE),
                                PBUF_POOL);

    if (host->pcap != NULL) {
        pcap_write(host->pcap, frame, len);
    }
    if (p == NULL) {
        host->lost++;
        return;
    }
    (void)pbuf_take_at(p, frame, (u16_t)len, ETH_PAD_SIZE);
    if (host->netif.input(p, &host->netif) != ERR_OK) {
        (void)pbuf_free(p);
    }
}

static void wire_receive(struct host *host)
{
    uint8_t frame[HOST_FRAME_MAX];
    int n;

    for (n = 0; n < BURST; n++) {
        ssize_t len = recv(host->fd, frame, sizeof frame,
                           MSG_DONTWAIT | MSG_TRUNC);

        if (len < 0) {
            return;
        }
        if ((size_t)len > sizeof frame) {
            host->lost++; /* a jumbo frame: not ours */
            continue;
        }
        frame_input(host, frame, (size_t)len);
    }
}

/* ------------------------------------------------------------- the host */

static err_t interface_init(struct netif *netif)
{
    struct host *host = netif->state;

    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->mtu = HOST_MTU;
    netif->hwaddr_len = sizeof host->cfg->mac;
    memcpy(netif->hwaddr, host->cfg->mac, sizeof host->cfg->mac);
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = frame_output;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
                   NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    return ERR_OK;
}

static ip4_addr_t ip4(const char *text)
{
    ip4_addr_t addr;

    ip4_addr_set_any(&addr);
    if (text != NULL) {
        (void)ip4addr_aton(text, &addr);
    }
    return addr;
}

static void interface_make(struct host *host)
{
    const struct host_config *cfg = host->cfg;
    ip4_addr_t addr = ip4(cfg->ip4), mask = ip4(cfg->mask4),
               gateway = ip4(cfg->gateway4);
    ip6_addr_t addr6;

    (void)netif_add(&host->netif, &addr, &mask, &gateway, host,
                    interface_init, ethernet_input);
    netif_create_ip6_linklocal_address(&host->netif, 1);
    if (cfg->ip6 != NULL && ip6addr_aton(cfg->ip6, &addr6)) {
        (void)netif_add_ip6_address(&host->netif, &addr6, NULL);
    }
}

static int attach_wire(struct host *host, const struct host_config *cfg)
{
    host->cfg = cfg;
    if (wire_open(host) != 0) {
        return -1;
    }
    if (cfg->pcap != NULL) {
        host->pcap = pcap_create(cfg->pcap);
        if (host->pcap == NULL) {
            return -1;
        }
    }
    return 0;
}

int host_open(struct host *host, const struct host_config *cfg)
{
    if (attach_wire(host, cfg) != 0) {
        return -1;
    }
    lwip_init();
    interface_make(host);
    netif_set_default(&host->netif);
    return 0;
}

int host_add(struct host *host, struct host *more,
             const struct host_config *cfg)
{
    if (attach_wire(more, cfg) != 0) {
        return -1;
    }
    interface_make(more);
    more->next = host->next;
    host->next = more;
    return 0;
}

/* Nobody else is on this wire: duplicate address detection would only make
 * the first packet wait for a second. */
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

void host_close(struct host *host)
{
    netif_remove(&host->netif);
    (void)close(host->fd);
    (void)unlink(host->cfg->path);
    if (host->pcap != NULL) {
        (void)fclose(host->pcap);
    }
}

/* How long to sleep: until the caller's, lwIP's or the wire's next need. */
static int patience(const struct host *host, int timeout_ms)
{
    u32_t timer = sys_timeouts_sleeptime();

    do {
        if (host->waiting > 0 && timeout_ms > 1) {
            return 1;
        }
        host = host->next;
    } while (host != NULL);
    if (timeout_ms < 0 || timer < (u32_t)timeout_ms) {
        return timer > 1000 ? 1000 : (int)timer;
    }
    return timeout_ms;
}

int host_poll(struct host *host, int fd, int timeout_ms)
{
    struct pollfd on[1 + INTERFACES] = { { fd, POLLIN, 0 } };
    struct host *each = host;
    nfds_t n = 1; /* poll() passes over a negative one */

    do {
        on[n].fd = each->fd;
        on[n++].events = POLLIN;
        each = each->next;
    } while (each != NULL && n <= INTERFACES);
    (void)poll(on, n, patience(host, timeout_ms));
    for (each = host; each != NULL; each = each->next) {
        wire_flush(each);
        wire_receive(each);
    }
    sys_check_timeouts();
    if (host->ips != NULL) {
        (void)ipsec_tick(host->ips, host_seconds());
    }
    return on[0].revents != 0;
}
