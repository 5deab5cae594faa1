/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base.h"

#include <inttypes.h>
#include <string.h>

/* As setkey prints it, so that what reads setkey's output reads this. */

static void
add_time(struct text *out, const char *before, time_t when)
{
    struct tm tm;
    char text[40];

    if (localtime_r(&when, &tm) == NULL ||
        strftime(text, sizeof text, "%b %e %H:%M:%S %Y", &tm) == 0) {
        text[0] = '\0';
    }
    text_add(out, "%s%s", before, text);
}

static const char *
mode_name(unsigned mode)
{
    return mode == IPSEC_MODE_TUNNEL ? "tunnel" : "transport";
}

static const char *
proto_name(unsigned proto)
{
    return proto == IPSEC_PROTO_AH ? "ah" : "esp";
}

static void
add_key(struct text *out, const char *letter, uint16_t id, int integ,
        const uint8_t *key, size_t len, int keys)
{
    const struct setkey_alg *alg = setkey_alg_numbered(id, integ);
    size_t i;

    text_add(out, "\t%s: %s ", letter, alg != NULL ? alg->name : "?");
    if (!keys) {
        text_add(out, " (%u bits)", (unsigned)len * 8);
    }
    for (i = 0; keys && i < len; i++) {
        text_add(out, "%s%02x", i % 4 == 0 ? " " : "", key[i]);
    }
    text_add(out, "\n");
}

static void
add_end(struct text *out, const struct ipsec_addr *addr, unsigned port)
{
    char text[64];

    text_add(out, "%s", base_addr(addr, text));
    if (port != 0) {
        text_add(out, "[%u]", port);
    }
    text_add(out, " ");
}

static void
add_life(struct text *out, const struct base *base, const struct base_sa *s)
{
    time_t now = time(NULL);

    add_time(out, "\tcreated: ", s->added);
    add_time(out, "\tcurrent: ", now);
    text_add(out, "\n\tdiff: %ld(s)\thard: %u(s)\tsoft: %u(s)\n",
             (long)(now - s->added), (unsigned)s->said.hard_s,
             (unsigned)s->said.soft_s);
    text_add(out, "\tlast: ");
    if (s->sa.packets > 0) {
        add_time(out, "", now - (time_t)(ipsec_now(&base->ips) - s->sa.used));
    }
    text_add(out, "\thard: 0(s)\tsoft: 0(s)\n"
             "\tcurrent: %" PRIu64 "(bytes)\thard: %" PRIu64 "(bytes)\tsoft: %"
             PRIu64 "(bytes)\n\tallocated: %" PRIu64 "\thard: 0\tsoft: 0\n",
             s->sa.bytes, s->said.hard_bytes, s->said.soft_bytes,
             s->sa.packets);
}

void
show_sa(struct text *out, const struct base *base, const struct base_sa *s,
        int keys)
{
    const struct setkey_sa *said = &s->said;

    add_end(out, &said->src, said->src_port);
    add_end(out, &said->dst, said->dst_port);
    text_add(out, "\n\t%s mode=%s spi=%u(0x%08x) reqid=%u(0x%08x)\n",
             said->natt ? "esp-udp" : proto_name(said->proto),
             mode_name(s->sa.mode), (unsigned)said->spi, (unsigned)said->spi,
             (unsigned)said->reqid, (unsigned)said->reqid);
    if (said->proto == IPSEC_PROTO_ESP) {
        add_key(out, "E", said->encr, 0, said->encr_key, said->encr_key_len,
                keys);
    }
    if (said->integ != IPSEC_INTEG_NONE) {
        add_key(out, "A", said->integ, 1, said->integ_key,
                said->integ_key_len, keys);
    }
    text_add(out, "\tseq=0x%08" PRIx64 " replay=%u flags=0x00000000 "
             "state=mature \n", s->sa.seq, (unsigned)said->replay);
    add_life(out, base, s);
    text_add(out, "\tdrops: auth %zu, replay %zu, other %zu\n", s->sa.drop_auth,
             s->sa.drop_replay, s->sa.drop_other);
}

/* --- policies */

static void
add_side(struct text *out, const struct ipsec_selector *sel, int local)
{
    const struct ipsec_prefix *prefix = local ? &sel->local : &sel->remote;
    unsigned port = local ? sel->local_port_lo : sel->remote_port_lo;
    unsigned set = sel->set & (local ? IPSEC_SEL_LOCAL_PORT
                                     : IPSEC_SEL_REMOTE_PORT);
    struct ipsec_addr addr;
    char text[64];

    memset(&addr, 0, sizeof addr);
    addr.version = sel->version;
    memcpy(addr.byte, prefix->byte, 16);
    text_add(out, "%s/%u", base_addr(&addr, text), prefix->bits);
    if (set && sel->proto != 1 && sel->proto != 58) {
        text_add(out, "[%u] ", port);
    } else {
        text_add(out, "[any] ");
    }
}

static void
add_upper(struct text *out, const struct setkey_policy *said)
{
    const char *name = setkey_proto_name(said->sel.proto);

    if (name != NULL) {
        text_add(out, "%s", name);
    } else {
        text_add(out, "%u", said->sel.proto);
    }
    if (said->icmp_type != 0) {
        text_add(out, " %u,%u", said->icmp_type, said->icmp_code);
    }
}

static void
add_layer(struct text *out, const struct setkey_layer *l)
{
    char a[64], b[64];

    text_add(out, "\t%s/%s/", proto_name(l->proto), mode_name(l->mode));
    if (l->src.version != 0) {
        text_add(out, "%s", base_addr(&l->src, a));
        if (l->src_port != 0) {
            text_add(out, "[%u]", l->src_port);
        }
        text_add(out, "-%s", base_addr(&l->dst, b));
        if (l->dst_port != 0) {
            text_add(out, "[%u]", l->dst_port);
        }
    }
    text_add(out, "/%s", l->unique ? "unique" : "require");
    if (l->id != 0) {
        text_add(out, ":%u", l->id);
    }
    text_add(out, "\n");
}

void
show_policy(struct text *out, const struct base_policy *p)
{
    static const char *const dirs[] = { "", "out", "in", "fwd" };
    static const char *const actions[] = { "discard", "none", "ipsec" };
    const struct setkey_policy *said = &p->said;
    size_t i;

    add_side(out, &said->sel, 1);
    add_side(out, &said->sel, 0);
    add_upper(out, said);
    text_add(out, "\n\t%s ", dirs[said->dir]);
    if (said->priority != 0) {
        text_add(out, "prio def %c %lld ", said->priority < 0 ? '-' : '+',
                 (long long)(said->priority < 0 ? -said->priority
                                                : said->priority));
    }
    text_add(out, "%s\n", actions[said->action]);
    for (i = 0; i < said->layers; i++) {
        add_layer(out, &said->layer[i]);
    }
    add_time(out, "\tcreated: ", p->added);
    text_add(out, "  lastused:                     \n"
             "\tlifetime: 0(s) validtime: 0(s)\n\tspid=%u seq=0 pid=0\n"
             "\trefcnt=1\n", p->id);
}

/* --- tables for people */

void
show_table(struct text *out, const struct base *base)
{
    const struct base_policy *p;
    const struct base_sa *s;
    char a[64], b[64];

    text_add(out, "%-3s %-39s %-39s %-4s %-9s %-10s %12s %12s %8s\n", "SA",
             "source", "destination", "", "mode", "spi", "packets", "bytes",
             "drops");
    for (s = base->sas; s != NULL; s = s->next) {
        text_add(out, "%-3s %-39s %-39s %-4s %-9s 0x%08x %12" PRIu64 " %12"
                 PRIu64 " %8zu\n", s->sa.dir == IPSEC_OUT ? "out" : "in",
                 base_addr(&s->said.src, a), base_addr(&s->said.dst, b),
                 proto_name(s->said.proto), mode_name(s->sa.mode),
                 (unsigned)s->said.spi, s->sa.packets, s->sa.bytes,
                 s->sa.drop_auth + s->sa.drop_replay + s->sa.drop_other);
    }
    for (p = base->policies; p != NULL; p = p->next) {
        text_add(out, "policy %u: ", p->id);
        show_policy(out, p);
    }
}

static void
add_drops(struct text *out, const char *dir, const size_t *drop)
{
    int i;

    for (i = 1; i < IPSEC_DROP_COUNT; i++) {
        if (drop[i] != 0) {
            text_add(out, "%s.drop.%s %zu\n", dir, ipsec_status_str(-i),
                     drop[i]);
        }
    }
}

void
show_counters(struct text *out, const struct base *base)
{
    const struct ipsec_stats *st = &base->ips.stats;

    text_add(out, "out.protect %zu\nout.bypass %zu\nin.protect %zu\n"
             "in.bypass %zu\nin.dummy %zu\nin.keepalive %zu\n"
             "in.too_big %zu\n", st->out_protect, st->out_bypass,
             st->in_protect, st->in_bypass, st->in_consumed,
             st->in_keepalive, st->in_too_big);
    add_drops(out, "out", st->out_drop);
    add_drops(out, "in", st->in_drop);
}

/* --- Wireshark's table of keys, the file esp_sa among its preferences */

static const struct {
    uint16_t    id;
    uint8_t     integ;
    const char *name;
} wireshark[] = {
    { IPSEC_ENCR_NULL, 0, "NULL" },
    { IPSEC_ENCR_AES_CBC, 0, "AES-CBC [RFC3602]" },
    { IPSEC_ENCR_AES_CTR, 0, "AES-CTR [RFC3686]" },
    { IPSEC_ENCR_AES_GCM_8, 0, "AES-GCM with 8 octet ICV [RFC4106]" },
    { IPSEC_ENCR_AES_GCM_12, 0, "AES-GCM with 12 octet ICV [RFC4106]" },
    { IPSEC_ENCR_AES_GCM_16, 0, "AES-GCM with 16 octet ICV [RFC4106]" },
    { IPSEC_INTEG_NONE, 1, "NULL" },
    { IPSEC_INTEG_HMAC_SHA1_96, 1, "HMAC-SHA-1-96 [RFC2404]" },
    { IPSEC_INTEG_HMAC_SHA2_256_128, 1, "HMAC-SHA-256-128 [RFC4868]" },
    { IPSEC_INTEG_HMAC_SHA2_384_192, 1, "HMAC-SHA-384-192 [RFC4868]" },
    { IPSEC_INTEG_HMAC_SHA2_512_256, 1, "HMAC-SHA-512-256 [RFC4868]" },
};

static const char *
wireshark_name(uint16_t id, int integ)
{
    size_t i;

    for (i = 0; i < sizeof wireshark / sizeof wireshark[0]; i++) {
        if (wireshark[i].id == id && wireshark[i].integ == integ) {
            return wireshark[i].name;
        }
    }
    return NULL;
}

static void
add_hex(struct text *out, const uint8_t *key, size_t len)
{
    size_t i;

    text_add(out, len > 0 ? ",\"0x" : ",\"");
    for (i = 0; i < len; i++) {
        text_add(out, "%02x", key[i]);
    }
    text_add(out, "\"");
}

/* What Wireshark 4.0 knows, for a line that it doesn't know spoils the file;
 * AH has nothing to decipher. */
void
show_esp_sa(struct text *out, const struct base *base)
{
    const struct base_sa *s;
    char a[64], b[64];

    for (s = base->sas; s != NULL; s = s->next) {
        const struct setkey_sa *said = &s->said;
        const char *encr = wireshark_name(said->encr, 0);
        const char *integ = wireshark_name(said->integ, 1);

        if (said->proto != IPSEC_PROTO_ESP) {
            continue;
        }
        if (encr == NULL || integ == NULL) {
            text_add(out, "# SPI 0x%08x: Wireshark lacks its algorithm\n",
                     (unsigned)said->spi);
            continue;
        }
        text_add(out, "\"IPv%u\",\"%s\",\"%s\",\"0x%08x\",\"%s\"",
                 said->src.version, base_addr(&said->src, a),
                 base_addr(&said->dst, b), (unsigned)said->spi, encr);
        add_hex(out, said->encr_key, said->encr_key_len);
        text_add(out, ",\"%s\"", integ);
        add_hex(out, said->integ_key, said->integ_key_len);
        text_add(out, said->esn ? ",\"64-bit\"\n" : "\n");
    }
}
