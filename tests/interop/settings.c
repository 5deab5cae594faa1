/*
 * What the device was told to be.
 * SPDX-License-Identifier: MIT
 */
#include "settings.h"

#include <string.h>

#define VALUE_MAX 160

static struct {
    const char *name;
    char        value[VALUE_MAX];
} all[] = {
    { "wire", "" },  { "peer", "" },   /* sockets: ours, the relay's */
    { "pcap", "" },  { "mac", "" },
    { "ip4", "" },   { "ip6", "" },    /* ours, /24 and /64 */
    { "gw4", "" },   { "gw6", "" },    /* routers, ours or of the network */
    { "target", "" },                  /* whom to talk to */
    { "source", "" },                  /* who does: a host behind us, or "" */
    /* A gateway's other interface, with a wire of its own. */
    { "in-wire", "" }, { "in-peer", "" },
    { "in-ip4", "" },  { "in-ip6", "" },
    { "reserve", "" },                 /* of the link's MTU, below lwIP */
    /* Without a mode, all goes in clear. */
    { "proto", "" }, { "mode", "" },   /* 50, 51; transport, tunnel */
    { "local", "" }, { "remote", "" }, /* outer addresses */
    { "encr", "" },  { "integ", "" },  /* IKEv2 transform IDs */
    { "spi-out", "" }, { "spi-in", "" },
    { "key-out", "" }, { "key-in", "" }, /* hex, with salt */
    { "ikey-out", "" }, { "ikey-in", "" },
    { "align8", "" },                  /* AH over IPv4 */
    { "esn", "" },   { "window", "" }, /* packets */
    { "seq", "" },                     /* last one used */
    { "natt", "" },                    /* ESP in UDP: its ports */
    { "tfc", "" },   { "df", "" },     /* bytes padded to; set, outside */
    { "ptb", "" },   { "mtu", "" },    /* believe ICMP; the path's */
};

static char *value_of(const char *name, size_t len)
{
    size_t i;

    for (i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strlen(all[i].name) == len &&
            memcmp(all[i].name, name, len) == 0) {
            return all[i].value;
        }
    }
    return NULL;
}

int setting_set(const char *text)
{
    size_t len = 0;
    char *value;

    while (text[len] != '\0' && text[len] != '=') {
        len++;
    }
    value = value_of(text, len);
    if (value == NULL || text[len] != '=' ||
        strlen(text + len + 1) >= VALUE_MAX) {
        return -1;
    }
    memcpy(value, text + len + 1, strlen(text + len + 1) + 1);
    return 0;
}

const char *setting(const char *name)
{
    const char *value = value_of(name, strlen(name));

    return value == NULL ? "" : value;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

uint64_t number_parse(const char *text)
{
    unsigned base = 10;
    uint64_t n = 0;

    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    while (digit(*text) >= 0 && (unsigned)digit(*text) < base) {
        n = n * base + (unsigned)digit(*text++);
    }
    return n;
}

uint64_t setting_number(const char *name)
{
    return number_parse(setting(name));
}

size_t hex_parse(uint8_t *to, size_t size, const char *text)
{
    size_t n = 0;

    while (n < size && digit(text[0]) >= 0 && digit(text[1]) >= 0) {
        to[n++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
        text += 2;
    }
    return n;
}
