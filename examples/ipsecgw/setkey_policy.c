/* SPDX-License-Identifier: MIT */
#include "setkey_inner.h"

#include <string.h>

/* What follows spdadd, spdupdate, spddelete. */

#define PRIORITY_BASE 1073741824 /* of `high`, and negative of `low` */
#define PRIORITY_MIN  (-2147483647ll)
#define PRIORITY_MAX  2147483648ll
#define UNIQUE_MAX    32767

/* Bits that don't count are 0, so that equal prefixes are. */
static void
mask(struct ipsec_prefix *prefix, const struct ipsec_addr *addr)
{
    unsigned i, bits = prefix->bits;

    for (i = 0; i < 16; i++) {
        prefix->byte[i] = (uint8_t)(i < bits / 8 ? addr->byte[i]
            : i == bits / 8 ? addr->byte[i] & (0xff00u >> bits % 8) : 0);
    }
}

/* address/bits[port]: a side of the flow. */
static int
read_range(struct setkey_reader *r, const char *what, struct ipsec_addr *addr,
           struct ipsec_prefix *prefix, long *port)
{
    struct setkey_token t;
    uint64_t bits;
    char *slash;

    if (setkey_range_word(r, &t, what) != 0 ||
        setkey_port(r, t.at, t.text, port) != 0) {
        return -1;
    }
    slash = strchr(t.text, '/');
    if (slash != NULL) {
        *slash++ = '\0';
    }
    if (setkey_addr(r, t.at, t.text, addr) != 0) {
        return -1;
    }
    bits = addr->version == 4 ? 32 : 128;
    if (slash != NULL && setkey_number(slash, bits, &bits) != 0) {
        return setkey_fail(r, setkey_inside(&t, (size_t)(slash - t.text)),
                           "'%.40s' is not a prefix length: up to %u", slash,
                           (unsigned)bits);
    }
    prefix->bits = (uint8_t)bits;
    mask(prefix, addr);
    return 0;
}

/* `type,code`. */
static int
read_icmp(struct setkey_reader *r, struct setkey_policy *p,
          struct setkey_token *t)
{
    char *comma = strchr(t->text, ',');
    uint64_t type, code;

    if (comma == NULL) {
        return setkey_fail(r, t->at, "expected ICMP's type,code");
    }
    *comma++ = '\0';
    if (setkey_number(t->text, 255, &type) != 0 ||
        setkey_number(comma, 255, &code) != 0) {
        return setkey_fail(r, t->at, "an ICMP type or code is a number up to "
                           "255");
    }
    p->icmp_type = (uint16_t)type;
    p->icmp_code = (uint16_t)code;
    return 0;
}

/* The protocol, and what there may be between it and -P. */
static int
read_upper(struct setkey_reader *r, struct setkey_policy *p)
{
    struct setkey_token t, more;
    uint64_t number;
    int proto;

    if (setkey_word(r, &t, "a protocol") != 0 || setkey_peek(r, &more) != 0) {
        return -1;
    }
    proto = setkey_proto_number(t.text);
    if (proto < 0 && setkey_number(t.text, 255, &number) == 0) {
        proto = (int)number;
    }
    if (proto < 0) {
        return setkey_fail(r, t.at, "'%.40s' is no protocol: take its number",
                           setkey_shown(&t));
    }
    p->sel.proto = (uint8_t)proto;
    if (more.kind != KIND_WORD || more.text[0] == '-') {
        return setkey_is(&more, "-ctx")
            ? setkey_fail(r, more.at, "-ctx: there are no security labels") : 0;
    }
    (void)setkey_take(r, &more);
    if (proto != 1 && proto != 58) {
        return setkey_fail(r, more.at, "'%.40s': only ICMP has more to it",
                           setkey_shown(&more));
    }
    return read_icmp(r, p, &more);
}

static int
has_ports(unsigned proto)
{
    return proto == 6 || proto == 17 || proto == 33 || proto == 132 ||
           proto == 136;
}

static void
set_ports(struct ipsec_selector *sel, long local, long remote)
{
    if (local > 0) {
        sel->set |= IPSEC_SEL_LOCAL_PORT;
        sel->local_port_lo = sel->local_port_hi = (uint16_t)local;
    }
    if (remote > 0) {
        sel->set |= IPSEC_SEL_REMOTE_PORT;
        sel->remote_port_lo = sel->remote_port_hi = (uint16_t)remote;
    }
}

/* ICMP's type and code are the library's local port. */
static void
set_icmp(struct setkey_policy *p)
{
    unsigned type = p->icmp_type, code = p->icmp_code;

    if (type != 0) {
        p->sel.set |= IPSEC_SEL_LOCAL_PORT;
        p->sel.local_port_lo = (uint16_t)(type << 8 | code);
        p->sel.local_port_hi = (uint16_t)(type << 8 | (code ? code : 255));
    }
}

static int
read_selector(struct setkey_reader *r, struct setkey_policy *p)
{
    struct ipsec_addr src, dst;
    struct setkey_token t, u;
    long src_port, dst_port;

    if (setkey_peek(r, &t) == 0 && setkey_is(&t, "tagged")) {
        return setkey_fail(r, t.at, "tagged: there are no tags");
    }
    if (read_range(r, "a source", &src, &p->sel.local, &src_port) != 0 ||
        setkey_peek(r, &t) != 0 ||
        read_range(r, "a destination", &dst, &p->sel.remote, &dst_port) != 0 ||
        setkey_peek(r, &u) != 0 || read_upper(r, p) != 0) {
        return -1;
    }
    if (src.version != dst.version) {
        return setkey_fail(r, t.at, "an IPv4 and an IPv6 address");
    }
    p->sel.version = src.version;
    if ((src_port > 0 || dst_port > 0) && !has_ports(p->sel.proto)) {
        return setkey_fail(r, u.at, "a port needs a protocol that has them, "
                           "such as tcp");
    }
    if (p->icmp_type == 0 && p->icmp_code != 0) {
        return setkey_fail(r, u.at, "type 0 is any type, which has no code");
    }
    set_ports(&p->sel, src_port, dst_port);
    set_icmp(p);
    return 0;
}

static int
read_dir(struct setkey_reader *r, struct setkey_policy *p)
{
    struct setkey_token t;

    if (setkey_word(r, &t, "-P") != 0) {
        return -1;
    }
    if (!setkey_is(&t, "-P")) {
        return setkey_fail(r, t.at, "expected -P before '%.40s'",
                           setkey_shown(&t));
    }
    if (setkey_word(r, &t, "a direction") != 0) {
        return -1;
    }
    p->dir = setkey_is(&t, "out") ? SETKEY_OUT : setkey_is(&t, "in")
        ? SETKEY_IN : setkey_is(&t, "fwd") ? SETKEY_FWD : 0;
    return p->dir != 0 ? 0
        : setkey_fail(r, t.at, "direction '%.40s' is not out, in or fwd",
                      setkey_shown(&t));
}

/* The number behind `sign`, in this word or the next. */
static int
read_offset(struct setkey_reader *r, struct setkey_token *t, const char *text,
            int64_t *value)
{
    uint64_t v;

    if (*text == '\0') {
        if (setkey_word(r, t, "a number") != 0) {
            return -1;
        }
        text = t->text;
    }
    if (setkey_number(text, (uint64_t)PRIORITY_MAX, &v) != 0) {
        return setkey_fail(r, t->at, "'%.40s' is not a priority", text);
    }
    *value = (int64_t)v;
    return 0;
}

/* What follows `priority`: [low|def|high] [+|-] number. */
static int
read_priority(struct setkey_reader *r, struct setkey_policy *p)
{
    struct setkey_token t;
    int64_t base = 0, offset = 0;
    int sign = 1, named;

    if (setkey_word(r, &t, "a priority") != 0) {
        return -1;
    }
    named = setkey_is(&t, "low") || setkey_is(&t, "def") ||
            setkey_is(&t, "high");
    if (named) {
        base = t.text[0] == 'l' ? -PRIORITY_BASE : t.text[0] == 'h'
            ? PRIORITY_BASE : 0;
        if (setkey_peek(r, &t) != 0) {
            return -1;
        }
        if (t.text[0] != '+' && t.text[0] != '-') {
            p->priority = base;
            return 0;
        }
        (void)setkey_take(r, &t);
    }
    sign = t.text[0] == '-' ? -1 : 1;
    if (read_offset(r, &t, t.text + (t.text[0] == '-' || t.text[0] == '+'),
                    &offset) != 0) {
        return -1;
    }
    p->priority = base + sign * offset;
    return p->priority >= PRIORITY_MIN && p->priority <= PRIORITY_MAX ? 0
        : setkey_fail(r, t.at, "a priority is from -2147483647 to 2147483648");
}

/* src-dst of a layer. */
static int
read_ends(struct setkey_reader *r, const struct setkey_token *t, char *text,
          struct setkey_layer *l)
{
    struct setkey_pos at = setkey_inside(t, (size_t)(text - t->text));
    char *dash = strchr(text, '-');
    long src, dst;

    if (*text == '\0') {
        return l->mode == IPSEC_MODE_TRANSPORT ? 0
            : setkey_fail(r, t->at, "a tunnel needs its ends: SRC-DST");
    }
    if (dash == NULL) {
        return setkey_fail(r, at, "expected SRC-DST, two addresses");
    }
    *dash++ = '\0';
    if (setkey_port(r, at, text, &src) != 0 ||
        setkey_addr(r, at, text, &l->src) != 0) {
        return -1;
    }
    at.column += (unsigned)(dash - text);
    if (setkey_port(r, at, dash, &dst) != 0 ||
        setkey_addr(r, at, dash, &l->dst) != 0) {
        return -1;
    }
    l->src_port = (uint16_t)(src > 0 ? src : 0);
    l->dst_port = (uint16_t)(dst > 0 ? dst : 0);
    return l->src.version == l->dst.version ? 0
        : setkey_fail(r, at, "an IPv4 and an IPv6 address");
}

static int
read_level(struct setkey_reader *r, struct setkey_pos at, const char *level,
           struct setkey_layer *l)
{
    uint64_t id = 0;

    if (strcmp(level, "require") == 0 || strcmp(level, "default") == 0) {
        return 0;
    }
    if (strcmp(level, "use") == 0) {
        return setkey_fail(r, at, "level use would let packets pass in clear "
                           "while there is no SA: write require");
    }
    if (strncmp(level, "unique", 6) != 0 ||
        (level[6] != '\0' && level[6] != ':')) {
        return setkey_fail(r, at, "level '%.40s' is not require or unique",
                           level);
    }
    if (level[6] == ':' && (setkey_number(level + 7, UNIQUE_MAX, &id) != 0 ||
                            id == 0)) {
        return setkey_fail(r, at, "unique takes an identifier from 1 to %d",
                           UNIQUE_MAX);
    }
    l->unique = 1;
    l->id = (uint16_t)id;
    return 0;
}

/* Cut `text` at its first slash: the rest, or an empty text. */
static char *
cut(char *text)
{
    char *slash = strchr(text, '/');

    if (slash == NULL) {
        return text + strlen(text);
    }
    *slash = '\0';
    return slash + 1;
}

/* protocol/mode/src-dst/level */
static int
read_layer(struct setkey_reader *r, struct setkey_token *t,
           struct setkey_layer *l)
{
    char *mode = cut(t->text), *ends = cut(mode), *level = cut(ends);
    struct setkey_pos at;

    memset(l, 0, sizeof *l);
    l->at = t->at;
    l->proto = strcmp(t->text, "esp") == 0 ? IPSEC_PROTO_ESP
        : strcmp(t->text, "ah") == 0 ? IPSEC_PROTO_AH : 0;
    if (l->proto == 0) {
        return setkey_fail(r, t->at, strcmp(t->text, "ipcomp") == 0
                           ? "%.40s: there is no IPComp"
                           : "'%.40s' is not esp or ah", t->text);
    }
    l->mode = strcmp(mode, "transport") == 0 ? IPSEC_MODE_TRANSPORT
        : strcmp(mode, "tunnel") == 0 ? IPSEC_MODE_TUNNEL : 0;
    if (l->mode == 0) {
        at = setkey_inside(t, (size_t)(mode - t->text));
        return setkey_fail(r, at, "mode '%.40s' is not transport or tunnel",
                           mode);
    }
    at = setkey_inside(t, (size_t)(level - t->text));
    if (read_ends(r, t, ends, l) != 0) {
        return -1;
    }
    return *level == '\0' ? 0 : read_level(r, at, level, l);
}

static int
read_layers(struct setkey_reader *r, struct setkey_policy *p)
{
    struct setkey_token t;

    for (;;) {
        if (setkey_peek(r, &t) != 0) {
            return -1;
        }
        if (t.kind != KIND_WORD) {
            break;
        }
        if (p->layers == SETKEY_LAYERS) {
            return setkey_fail(r, t.at, "more than %d layers", SETKEY_LAYERS);
        }
        (void)setkey_take(r, &t);
        if (read_layer(r, &t, &p->layer[p->layers]) != 0) {
            return -1;
        }
        p->layers++;
    }
    return p->layers > 0 ? 0
        : setkey_fail(r, t.at, "ipsec needs protocol/mode/src-dst/level");
}

static int
read_action(struct setkey_reader *r, struct setkey_policy *p)
{
    struct setkey_token t;

    if (setkey_word(r, &t, "ipsec, none or discard") != 0) {
        return -1;
    }
    if (setkey_is(&t, "priority") || setkey_is(&t, "prio")) {
        if (read_priority(r, p) != 0 ||
            setkey_word(r, &t, "ipsec, none or discard") != 0) {
            return -1;
        }
    }
    if (setkey_is(&t, "ipsec")) {
        p->action = IPSEC_ACTION_PROTECT;
        return read_layers(r, p);
    }
    if (setkey_is(&t, "none") || setkey_is(&t, "discard")) {
        p->action = t.text[0] == 'n' ? IPSEC_ACTION_BYPASS
                                     : IPSEC_ACTION_DISCARD;
        return 0;
    }
    return setkey_fail(r, t.at, "'%.40s' is not ipsec, none or discard",
                       setkey_shown(&t));
}

/* spddelete names a policy by selector and direction; what it does may be
 * left out. */
int
setkey_read_policy(struct setkey_reader *r, struct setkey_command *cmd)
{
    struct setkey_policy *p = &cmd->policy;
    struct setkey_token t;

    if (read_selector(r, p) != 0 || read_dir(r, p) != 0) {
        return -1;
    }
    if (cmd->verb == SETKEY_SPDDELETE) {
        if (setkey_peek(r, &t) != 0) {
            return -1;
        }
        if (t.kind != KIND_WORD) {
            return 0;
        }
    }
    return read_action(r, p);
}
