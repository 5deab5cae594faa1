/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "gateway.h"

#include "ipsec_mbedtls.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define AUDITS_A_SECOND 10

static int
is_ours(void *user, const struct ipsec_addr *addr)
{
    return address_is_ours(((const struct context *)user)->gateway, addr);
}

static int
same_black(const struct context *a, const struct context *b)
{
    return a->black_spec != NULL && b->black_spec != NULL &&
           strcmp(a->black_spec, b->black_spec) == 0;
}

/* Where a packet's first ESP or AH header is, or that of the packet which an
 * ICMP error quotes, its protocol in *proto; 0: it has none there. Extension
 * headers ahead of it are left to the first context. */
static size_t
security_header(const struct ipsec_linux_frame *frame, uint8_t *proto)
{
    const uint8_t *p = frame->data;
    size_t at = p[0] >> 4 == 4 ? (size_t)(p[0] & 15) * 4 : 40;

    if (frame->len < 40) {
        return 0;
    }
    *proto = p[0] >> 4 == 4 ? p[9] : p[6];
    if (frame->about_ours) {
        at = ipsec_linux_quoted(p, frame->len, proto);
    }
    if (*proto == IPPROTO_UDP) {
        *proto = IPSEC_PROTO_ESP;
        at += 8;
    } else if (*proto == IPSEC_PROTO_AH) {
        at += 4;
    }
    return at + 4 <= frame->len ? at : 0;
}

/* Several contexts on one black side: whose SPI is it? */
static struct ipsec_linux *
choose(void *user, const struct ipsec_linux_frame *frame)
{
    struct context *c = user;
    struct gateway *g = c->gateway;
    uint8_t proto = 0;
    size_t at = security_header(frame, &proto), i;
    int dir = frame->about_ours ? IPSEC_OUT : IPSEC_IN;
    const uint8_t *p = frame->data + at;
    uint32_t spi = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
                   (uint32_t)p[2] << 8 | p[3];

    for (i = 0; at != 0 && i < g->contexts; i++) {
        struct context *one = &g->context[i];

        if (one->base.env != NULL &&
            same_black(one, c) &&
            ipsec_sad_lookup(&one->base.ips, dir, spi, proto, NULL) != NULL) {
            return &one->port;
        }
    }
    return &c->port;
}

/* --- what it says */

void
context_report(const struct context *c, const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tell("ipsecgw: %s: %s\n", c->file, text);
}

static void
report(void *user, const char *text)
{
    context_report(user, "%s", text);
}

static void
on_audit(void *user, const struct ipsec_audit *a)
{
    struct base *base = user;
    struct context *c = base->env->user;
    char src[64], dst[64];

    if (c->gateway->audits >= AUDITS_A_SECOND) {
        return;
    }
    c->gateway->audits++;
    context_report(c, "dropped %s: %s, %s to %s, protocol %u, SPI 0x%x, number "
                   "%llu", a->dir == IPSEC_OUT ? "out" : "in",
                   ipsec_status_str(a->status),
                   base_addr(a->dir == IPSEC_OUT ? &a->flow->local
                             : &a->flow->remote, src),
                   base_addr(a->dir == IPSEC_OUT ? &a->flow->remote
                             : &a->flow->local, dst),
                   a->flow->proto, (unsigned)a->spi,
                   (unsigned long long)a->seq);
}

static void
add_side(struct text *out, const char *name,
         const struct ipsec_linux_side *side)
{
    const struct ipsec_linux_count *n = &side->count;

    text_add(out, "%s.lost %u\n%s.received %zu\n%s.sent %zu\n%s.frames %zu\n"
             "%s.frames_dropped %zu\n%s.full %zu\n%s.unsent %zu\n"
             "%s.too_long %zu\n%s.down %zu\n", name, side->lost, name,
             n->received, name, n->sent, name, n->frames, name,
             n->frames_dropped, name, n->full, name, n->unsent, name,
             n->too_long, name, n->down);
}

static void
add_reass(struct text *out, const char *name, const struct ipsec_reass *re)
{
    text_add(out, "%s.datagrams %zu\n%s.timeouts %zu\n%s.evicted %zu\n"
             "%s.overlaps %zu\n%s.malformed %zu\n", name, re->datagrams, name,
             re->timeouts, name, re->evicted, name, re->overlaps, name,
             re->malformed);
}

static void
add_hops(struct text *out, const struct ipsec_linux_hops *hops)
{
    text_add(out, "own.unanswered %zu\nown.full %zu\nown.no_route %zu\n"
             "own.refused %zu\nown.expired %zu\n", hops->unanswered,
             hops->full, hops->no_route, hops->refused, hops->expired);
}

static void
add_stats(struct text *out, const struct context *c)
{
    show_counters(out, &c->base);
    add_side(out, "red", &c->red);
    add_side(out, "black", &c->black);
    add_reass(out, "reass.out", &c->port.reass_out);
    add_reass(out, "reass.in", &c->port.reass_in);
    text_add(out, "icmp.sent %zu\nicmp.limited %zu\nno_return %zu\n",
             c->port.icmp_sent, c->port.icmp_limited, c->port.no_return);
    if (c->port.hops != NULL) {
        add_hops(out, c->port.hops);
    }
}

/* The words of load.c. */
static void
other(void *user, unsigned which, struct text *out)
{
    const struct context *c = user;
    const struct base_sa *s;

    if (which == 0) {
        add_stats(out, c);
    } else if (which == 1) {
        show_table(out, &c->base);
    } else if (which == 2) {
        show_esp_sa(out, &c->base);
    } else if (which == 4) {
        show_mtu(out, &c->base);
    } else {
        for (s = c->base.sas; s != NULL; s = s->next) {
            show_sa(out, &c->base, s, 1);
        }
    }
}

/* --- from begin to end */

/* What stands in front of a file that is read again. */
static int
put_flush(struct setkey_command **cmds, size_t *n)
{
    struct setkey_command *more = calloc(*n + 2, sizeof *more);

    if (more != NULL) {
        more[0].verb = SETKEY_FLUSH;
        more[1].verb = SETKEY_SPDFLUSH;
        memcpy(more + 2, *cmds, *n * sizeof *more);
    }
    load_free(*cmds, *n);
    *cmds = more;
    *n = more != NULL ? *n + 2 : 0;
    return more != NULL ? 0 : -1;
}

static void
print(const struct context *c, const struct text *out)
{
    if (out->len > 0 && (fwrite(out->text, 1, out->len, stdout) != out->len ||
                         fflush(stdout) != 0)) {
        context_report(c, "standard output: %s", strerror(errno));
    }
}

static int
apply_file(struct context *c, int again)
{
    struct setkey_command *cmds;
    struct setkey_error error;
    struct text out;
    size_t n;
    int rc;

    if (load_file(c->file, &cmds, &n) != 0) {
        return -1;
    }
    if (again && put_flush(&cmds, &n) != 0) {
        context_report(c, "no memory");
        return -1;
    }
    memset(&out, 0, sizeof out);
    rc = base_apply(&c->base, cmds, n, &out, &error);
    if (rc != 0) {
        tell("%s:%u:%u: %s\n", c->file, error.at.line, error.at.column,
             error.text);
    } else {
        print(c, &out);
    }
    text_free(&out);
    load_free(cmds, n);
    return rc;
}

/* Windows begin behind what was received, numbers behind what was reserved. */
void
context_reload(struct context *c)
{
    gateway_addresses(c->gateway);
    base_note(&c->base);
    context_report(c, apply_file(c, 1) == 0 ? "read again"
                   : "nothing has changed");
}

/* What another file has already: a key is of one SA, and of contexts with one
 * black side choose() goes by the SPI. */
static int
refuse(void *user, const struct setkey_command *add, int dir,
       struct setkey_error *error)
{
    const struct context *c = user;
    struct context *one = c->gateway->context;
    const struct context *end = one + c->gateway->contexts;

    for (; one < end; one++) {
        if (one == c || one->base.env == NULL) {
            continue;
        }
        if (base_shares_key(&one->base, &add->sa) != NULL) {
            return base_fail(error, add->sa.alg_at, "%.80s has this key too: "
                             "each SA needs its own", one->file);
        }
        if (dir == IPSEC_IN && same_black(c, one) &&
            ipsec_sad_lookup(&one->base.ips, IPSEC_IN, add->sa.spi,
                             add->sa.proto, NULL) != NULL) {
            return base_fail(error, add->sa.spi_at, "%.80s has an inbound SA "
                             "with this SPI, on the same black side",
                             one->file);
        }
    }
    return 0;
}

/* An interface that isn't there is waited for; one that may not be had is
 * the end. */
static int
open_side(struct context *c, struct ipsec_linux_side *side, const char *spec)
{
    int error;

    if (ipsec_linux_open(side) == 0) {
        return 0;
    }
    error = errno;
    context_report(c, "%s: %s%s", spec, strerror(error),
                   error == ENODEV ? ": waiting for it" : "");
    return error == ENODEV ? 0 : -1;
}

static void
env_set(struct context *c)
{
    c->env.is_ours = is_ours;
    c->env.log = report;
    c->env.other = other;
    c->env.refuse = refuse;
    c->env.user = c;
    c->env.crypto = &ipsec_mbedtls;
    c->env.store = c->gateway->check_only ? NULL : &c->gateway->store;
    c->env.mtu = (uint16_t)c->black.mtu;
}

static int
begin_port(struct context *c)
{
    c->port.ips = &c->base.ips;
    c->port.red = &c->red;
    c->port.black = &c->black;
    c->port.pass_frames = !c->gateway->drop_frames;
    c->port.plain = (uint8_t)c->gateway->plain;
    c->port.is_ours = is_ours;
    c->port.choose = c->black.kind == IPSEC_LINUX_RAW ? choose : NULL;
    c->port.hops = c->hops.owns > 0 ? &c->hops : NULL;
    c->port.user = c;
    return ipsec_linux_begin(&c->port);
}

/* Its black side is that of a context before it, which receives for both. */
static int
shares_black(const struct context *c)
{
    const struct context *before = c->gateway->context;

    for (; before < c; before++) {
        if (same_black(before, c)) {
            return 1;
        }
    }
    return 0;
}

int
context_begin(struct context *c)
{
    int check = c->gateway->check_only;

    if (!check && c->black.kind == IPSEC_LINUX_RAW) {
        c->black.send_only = (uint8_t)shares_black(c);
    }
    if (!check && (open_side(c, &c->red, c->red_spec) != 0 ||
                   open_side(c, &c->black, c->black_spec) != 0)) {
        return -1;
    }
    env_set(c);
    if (base_init(&c->base, &c->env) != 0 || begin_port(c) != 0) {
        context_report(c, "no memory, or random numbers");
        return -1;
    }
    c->base.cfg.audit = c->gateway->verbose ? on_audit : NULL;
    (void)ipsec_tick(&c->base.ips, c->gateway->last_second);
    if (apply_file(c, 0) != 0) {
        return -1;
    }
    return check || c->socket == NULL ? 0 : control_open(c);
}

void
context_end(struct context *c)
{
    control_close(c);
    if (c->base.env != NULL) {
        if (base_settle(&c->base) != 0) {
            context_report(c, "sequence numbers could not be written: what "
                           "was reserved is lost");
        }
        base_free(&c->base);
    }
    ipsec_linux_end(&c->port);
    ipsec_linux_close(&c->red);
    ipsec_linux_close(&c->black);
}

static void
watch(struct context *c, struct ipsec_linux_side *side, const char *spec)
{
    uint8_t lost = side->lost;

    (void)ipsec_linux_watch(side);
    if (side->lost != lost) {
        context_report(c, "%s is %s", spec,
                       side->lost ? "gone: waiting for it" : "back");
    }
}

void
context_second(struct context *c)
{
    watch(c, &c->red, c->red_spec);
    watch(c, &c->black, c->black_spec);
    if (c->env.mtu != c->black.mtu) {
        c->env.mtu = (uint16_t)c->black.mtu;
        base_mtu_set(&c->base);
    }
    (void)ipsec_tick(&c->base.ips, c->gateway->last_second);
    base_second(&c->base);
    ipsec_linux_tick(&c->port);
    base_poll(&c->base);
}
