/*
 * The demo: somebody with access to the wire. He can record what goes over
 * it, look into it, send it again, and send what he makes up.
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "demo.h"
#include "pcap.h"

#define ETH_LEN   14
#define UDP_LEN   8
#define FRAME_MAX 1600
#define ESP       50
#define ICMPV6    58
#define UDP       17

/* ------------------------------------------------------------- sending */

struct tap {
    int                fd;
    struct sockaddr_un to;
};

static int tap_open(struct tap *tap, const char *path)
{
    memset(&tap->to, 0, sizeof tap->to);
    tap->to.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof tap->to.sun_path) {
        return -1;
    }
    memcpy(tap->to.sun_path, path, strlen(path));
    tap->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    return tap->fd < 0 ? -1 : 0;
}

static int tap_send(struct tap *tap, const uint8_t *frame, size_t len)
{
    return sendto(tap->fd, frame, len, 0, (struct sockaddr *)&tap->to,
                  sizeof tap->to) == (ssize_t)len ? 0 : -1;
}

/* --------------------------------------------------- making up packets */

static void put16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* The Internet checksum, on top of what was summed up before. */
static uint32_t sum(uint32_t so_far, const uint8_t *at, size_t len)
{
    size_t n;

    for (n = 0; n < len; n++) {
        so_far += n % 2 ? at[n] : (uint32_t)at[n] << 8;
    }
    return so_far;
}

static uint16_t fold(uint32_t total)
{
    while (total >> 16) {
        total = (total & 0xffff) + (total >> 16);
    }
    return (uint16_t)~total;
}

static size_t make_ip4(uint8_t *ip, size_t len)
{
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, 20 + len);
    ip[8] = 64;
    ip[9] = UDP;
    (void)inet_pton(AF_INET, DEVICE_IP4, ip + 12);
    (void)inet_pton(AF_INET, PAGES_IP4, ip + 16);
    put16(ip + 10, fold(sum(0, ip, 20)));
    return 20;
}

static size_t make_ip6(uint8_t *ip, size_t len)
{
    memset(ip, 0, 40);
    ip[0] = 0x60;
    put16(ip + 4, len);
    ip[6] = UDP;
    ip[7] = 64;
    (void)inet_pton(AF_INET6, DEVICE_IP6, ip + 8);
    (void)inet_pton(AF_INET6, PAGES_IP6, ip + 24);
    return 40;
}

/* An order for the valve that looks as if the device had sent it. */
static size_t make_order(uint8_t *frame, int version)
{
    const char order[] = DEMO_VALVE_ORDER;
    size_t len = UDP_LEN + sizeof order;
    uint8_t *ip = frame + ETH_LEN;
    size_t header = version == 4 ? make_ip4(ip, len) : make_ip6(ip, len);
    uint8_t *udp = ip + header;
    size_t addrs = version == 4 ? 8 : 32;

    memcpy(frame, demo_mac[DEMO_GATEWAY], 6);
    memcpy(frame + 6, demo_mac[DEMO_DEVICE], 6);
    put16(frame + 12, version == 4 ? 0x0800 : 0x86dd);
    put16(udp, 40000);
    put16(udp + 2, DEMO_VALVE_PORT);
    put16(udp + 4, len);
    put16(udp + 6, 0);
    memcpy(udp + UDP_LEN, order, sizeof order);
    put16(udp + 6, fold(sum(sum((uint32_t)(UDP + len), udp, len),
                            udp - addrs, addrs)));
    return ETH_LEN + header + len;
}

int attacker_clear(const char *path, int version)
{
    uint8_t frame[FRAME_MAX];
    size_t len = make_order(frame, version);
    struct tap tap;
    int rc;

    if (tap_open(&tap, path) != 0) {
        return -1;
    }
    rc = tap_send(&tap, frame, len);
    (void)close(tap.fd);
    return rc;
}

/* -------------------------------------------------- looking at packets */

enum kind { KIND_ESP, KIND_ARP, KIND_ND, KIND_VALVE, KIND_OTHER };

static int is_order(const uint8_t *frame, size_t len, size_t ip_len)
{
    return len >= ETH_LEN + ip_len + UDP_LEN &&
           frame[ETH_LEN + ip_len + 2] == DEMO_VALVE_PORT >> 8 &&
           frame[ETH_LEN + ip_len + 3] == (DEMO_VALVE_PORT & 0xff);
}

static enum kind kind_ip6(const uint8_t *frame, size_t len)
{
    int next = frame[ETH_LEN + 6], type = frame[ETH_LEN + 40];

    if (next == ESP) {
        return KIND_ESP;
    }
    if (next == ICMPV6 && type >= 133 && type <= 137) {
        return KIND_ND;
    }
    return next == UDP && is_order(frame, len, 40) ? KIND_VALVE : KIND_OTHER;
}

static enum kind kind(const uint8_t *frame, size_t len)
{
    unsigned type = (unsigned)frame[12] << 8 | frame[13];

    if (type == 0x0806) {
        return KIND_ARP;
    }
    if (type == 0x0800 && frame[ETH_LEN] == 0x45) {
        int proto = frame[ETH_LEN + 9];

        if (proto == ESP) {
            return KIND_ESP;
        }
        return proto == UDP && is_order(frame, len, 20) ? KIND_VALVE
                                                        : KIND_OTHER;
    }
    return type == 0x86dd ? kind_ip6(frame, len) : KIND_OTHER;
}

static uint32_t spi_of(const uint8_t *frame)
{
    const uint8_t *esp = frame + ETH_LEN + (frame[12] == 0x08 ? 20 : 40);

    return (uint32_t)esp[0] << 24 | (uint32_t)esp[1] << 16 |
           (uint32_t)esp[2] << 8 | esp[3];
}

/* Words that stand in each line of the page. */
static int is_readable(const uint8_t *frame, size_t len)
{
    static const char words[] = "whoever reads this on the wire";
    size_t n, words_len = sizeof words - 1;

    for (n = 0; n + words_len <= len; n++) {
        if (memcmp(frame + n, words, words_len) == 0) {
            return 1;
        }
    }
    return 0;
}

int attacker_look(const char *pcap, struct attacker_view *view)
{
    uint8_t frame[FRAME_MAX];
    FILE *file = pcap_open(pcap);
    size_t len;

    memset(view, 0, sizeof *view);
    if (file == NULL) {
        return -1;
    }
    while ((len = pcap_read(file, frame, sizeof frame)) > 0) {
        size_t *const by_kind[] = { &view->esp, &view->arp, &view->nd,
                                    &view->valve, &view->other };

        view->frames++;
        ++*by_kind[kind(frame, len)];
        view->readable += (size_t)is_readable(frame, len);
    }
    (void)fclose(file);
    return 0;
}

int attacker_replay(const char *path, const char *pcap, uint32_t spi)
{
    uint8_t frame[FRAME_MAX];
    struct attacker_view view;
    struct tap tap;
    FILE *file;
    size_t len;
    int sent = 0;

    /* The capture grows by what is sent here: stop where it ends now. */
    if (attacker_look(pcap, &view) != 0 || tap_open(&tap, path) != 0) {
        return -1;
    }
    file = pcap_open(pcap);
    while (file != NULL && view.frames-- > 0 &&
           (len = pcap_read(file, frame, sizeof frame)) > 0) {
        if (kind(frame, len) == KIND_ESP && spi_of(frame) == spi) {
            sent += tap_send(&tap, frame, len) == 0;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    (void)close(tap.fd);
    return sent;
}
