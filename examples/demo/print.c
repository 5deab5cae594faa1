/*
 * The demo: tables for a person, and the key table for Wireshark.
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "demo.h"

#define TEXT_LEN 64

/* Zeros in a table are in the way of what is there to be seen. */
static const char *number(char *text, size_t n)
{
    (void)snprintf(text, TEXT_LEN, n == 0 ? "-" : "%zu", n);
    return text;
}

/* --------------------------------------------------------------- story */

void print_scene(void)
{
    static const char *const scene[] = {
        "  device  ----------------- Ethernet -----------------  gateway",
        "  192.0.2.1                    |                      192.0.2.2",
        "  2001:db8::1               attacker                2001:db8::2",
        "                                                           |",
        "            a page and a valve on 198.51.100.1, 2001:db8:1::1",
    };
    size_t n;

    printf("libipsec %d.%d.%d: two lwIP hosts speak ESP, and somebody else "
           "is on the wire\n\n", IPSEC_VERSION_MAJOR, IPSEC_VERSION_MINOR,
           IPSEC_VERSION_PATCH);
    for (n = 0; n < sizeof scene / sizeof *scene; n++) {
        (void)puts(scene[n]);
    }
    (void)puts("");
}

void print_step(const char *what, int ok, const char *detail)
{
    const char *colour = ok ? "\033[32m" : "\033[1;31m", *plain = "\033[0m";

    if (!isatty(STDOUT_FILENO)) {
        colour = plain = "";
    }
    if (ok) {
        printf("  %-39s %-32s %s   ok%s\n", what, detail, colour, plain);
    } else {
        printf("  %-71s %sFAILED%s\n      not seen: %s\n", what, colour,
               plain, detail);
    }
    (void)fflush(stdout);
}

/* ------------------------------------------------------------- policies */

static const char *prefix(char *text, const struct ipsec_prefix *p,
                          int version)
{
    char addr[INET6_ADDRSTRLEN];

    if (p->bits == 0) {
        return "any";
    }
    (void)inet_ntop(version == 4 ? AF_INET : AF_INET6, p->byte, addr,
                    sizeof addr);
    (void)snprintf(text, TEXT_LEN, "%s/%d", addr, p->bits);
    return text;
}

static const char *proto(char *text, const struct ipsec_selector *sel)
{
    int icmp = sel->proto == 1 || sel->proto == 58;
    const char *name = sel->proto == 1 ? "icmp" : sel->proto == 58 ? "icmpv6"
                     : sel->proto == 17 ? "udp" : "any";

    if (sel->set == 0) {
        return name;
    }
    (void)snprintf(text, TEXT_LEN, icmp ? "%s %d-%d" : "%s %d", name,
                   icmp ? sel->local_port_lo >> 8 : sel->local_port_lo,
                   sel->local_port_hi >> 8);
    return text;
}

static const char *action(char *text, const struct ipsec_policy *policy)
{
    if (policy->action != IPSEC_ACTION_PROTECT) {
        return policy->action == IPSEC_ACTION_BYPASS ? "bypass" : "discard";
    }
    (void)snprintf(text, TEXT_LEN, "ESP %s #%u",
                   policy->mode == IPSEC_MODE_TUNNEL ? "tunnel" : "transport",
                   (unsigned)policy->reqid);
    return text;
}

void print_policies(const struct demo_report *report)
{
    char local[TEXT_LEN], remote[TEXT_LEN], upper[TEXT_LEN], act[TEXT_LEN];
    size_t n;

    printf("\nPolicies of the gateway; the device has their mirror image\n\n"
           "  %4s  %-17s %-17s %-15s %s\n", "prio", "local", "remote",
           "protocol", "action (#: reqid)");
    for (n = 0; n < report->policies; n++) {
        const struct ipsec_policy *p = &report->policy[n];

        printf("  %4u  %-17s %-17s %-15s %s\n", (unsigned)p->priority,
               prefix(local, &p->sel.local, p->sel.version),
               prefix(remote, &p->sel.remote, p->sel.version),
               proto(upper, &p->sel), action(act, p));
    }
}

/* ------------------------------------------------------------------ SAs */

static const struct ipsec_sa *find(const struct demo_report *report,
                                   uint32_t spi)
{
    static const struct ipsec_sa none;
    size_t n;

    for (n = 0; n < report->sas; n++) {
        if (report->sa[n].spi == spi) {
            return &report->sa[n];
        }
    }
    return &none;
}

void print_sas(const struct demo_report report[DEMO_ROLES],
               const struct demo_sa *sa, size_t n)
{
    char sent[TEXT_LEN], opened[TEXT_LEN], bytes[TEXT_LEN], drop[TEXT_LEN];

    printf("\nSAs\n\n  %-8s  #  %-7s %-9s %-18s %5s %6s %7s %5s\n", "SPI",
           "from", "mode", "algorithm", "sent", "opened", "bytes", "drops");
    for (; n > 0; n--, sa++) {
        const struct ipsec_sa *out = find(&report[sa->from], sa->spi);
        const struct ipsec_sa *in = find(&report[1 - sa->from], sa->spi);

        printf("  %08x  %u  %-7s %-9s %-18s %5s %6s %7s %5s%s\n",
               (unsigned)sa->spi, (unsigned)sa->reqid,
               sa->from == DEMO_DEVICE ? "device" : "gateway",
               demo_mode(sa->reqid) == IPSEC_MODE_TUNNEL ? "tunnel"
                                                         : "transport",
               demo_cipher[sa->cipher].name,
               number(sent, (size_t)out->packets),
               number(opened, (size_t)in->packets),
               number(bytes, (size_t)in->bytes),
               number(drop, in->drop_auth + in->drop_replay +
                            in->drop_other),
               in->state == IPSEC_SA_NONE ? " x" : "");
    }
    (void)puts("  x: replaced and removed");
}

/* -------------------------------------------------------------- packets */

static void packets(const char *what, size_t device_out, size_t device_in,
                    size_t gateway_out, size_t gateway_in)
{
    char a[TEXT_LEN], b[TEXT_LEN], c[TEXT_LEN], d[TEXT_LEN];

    printf("  %-34s %10s %10s %10s %10s\n", what, number(a, device_out),
           number(b, device_in), number(c, gateway_out),
           number(d, gateway_in));
}

void print_packets(const struct demo_report report[DEMO_ROLES])
{
    const struct ipsec_stats *d = &report[DEMO_DEVICE].stats;
    const struct ipsec_stats *g = &report[DEMO_GATEWAY].stats;
    char what[TEXT_LEN];
    int n;

    printf("\n%-36s %21s %21s\n  %-34s %10s %10s %10s %10s\n", "Packets",
           "device", "gateway", "", "out", "in", "out", "in");
    packets("protected", d->out_protect, d->in_protect, g->out_protect,
            g->in_protect);
    packets("bypassed", d->out_bypass, d->in_bypass, g->out_bypass,
            g->in_bypass);
    for (n = 1; n < IPSEC_DROP_COUNT; n++) {
        if (d->out_drop[n] + d->in_drop[n] + g->out_drop[n] +
            g->in_drop[n] > 0) {
            (void)snprintf(what, sizeof what, "dropped: %s",
                           ipsec_status_str(-n));
            packets(what, d->out_drop[n], d->in_drop[n], g->out_drop[n],
                    g->in_drop[n]);
        }
    }
}

/* ----------------------------------------------------------------- keys */

static void hex(FILE *file, const uint8_t *key, size_t len)
{
    if (len > 0) {
        (void)fputs("0x", file);
    }
    while (len-- > 0) {
        (void)fprintf(file, "%02x", *key++);
    }
}

/* A line of Wireshark's table "ESP SAs", as its file esp_sa has it. */
static void key_line(FILE *file, const struct demo_sa *sa)
{
    const struct demo_cipher_info *cipher = &demo_cipher[sa->cipher];
    int version = demo_version(sa->reqid);
    const char *const ip[DEMO_ROLES][2] = {
        { DEVICE_IP4, DEVICE_IP6 }, { GATEWAY_IP4, GATEWAY_IP6 },
    };

    if (cipher->encr == IPSEC_ENCR_CHACHA20_POLY1305) {
        (void)fputs("# ", file); /* Wireshark 4.0 does not know it */
    }
    (void)fprintf(file, "\"IPv%d\",\"%s\",\"%s\",\"0x%08x\",\"%s\",\"",
                  version, ip[sa->from][version == 6],
                  ip[1 - sa->from][version == 6], (unsigned)sa->spi,
                  cipher->wireshark_encr);
    hex(file, sa->key, cipher->encr_len);
    (void)fprintf(file, "\",\"%s\",\"", cipher->wireshark_integ);
    hex(file, sa->integ_key, cipher->integ_len);
    (void)fputs("\"\n", file);
}

int print_keys(const char *path, const struct demo_sa *sa, size_t n)
{
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        return -1;
    }
    (void)fputs("# The table \"ESP SAs\" of Wireshark: its file esp_sa\n",
                file);
    for (; n > 0; n--, sa++) {
        key_line(file, sa);
    }
    return fclose(file);
}
