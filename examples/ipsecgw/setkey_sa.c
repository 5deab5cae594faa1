/* SPDX-License-Identifier: MIT */
#include "setkey_inner.h"

#include <string.h>

/* What follows add, get, delete, deleteall. */

#define NATT_PORT 4500 /* RFC 3948 */
#define LIFE_MAX  0x7fffffffu

static int
hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f'
        ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* 0x and digits. setkey takes an odd number of them, with a zero in front:
 * more often one was lost. */
static int
key_from_hex(struct setkey_reader *r, const struct setkey_token *t,
             uint8_t *key, uint16_t *len)
{
    size_t i, n = t->len - 2;

    for (i = 0; i < n; i++) {
        if (hex(t->text[2 + i]) < 0) {
            return setkey_fail(r, setkey_inside(t, 2 + i),
                               "not a hexadecimal digit");
        }
    }
    if (n % 2 != 0) {
        return setkey_fail(r, t->at, "a key of an odd number of digits (%u)",
                           (unsigned)n);
    }
    if (n / 2 > SETKEY_KEY) {
        return setkey_fail(r, t->at, "a key of more than %d bits",
                           SETKEY_KEY * 8);
    }
    for (i = 0; i < n / 2; i++) {
        key[i] = (uint8_t)(hex(t->text[2 + 2 * i]) << 4 |
                           hex(t->text[3 + 2 * i]));
    }
    *len = (uint16_t)(n / 2);
    return 0;
}

static int
key_from_text(struct setkey_reader *r, const struct setkey_token *t,
              uint8_t *key, uint16_t *len)
{
    if (t->len > SETKEY_KEY) {
        return setkey_fail(r, t->at, "a key of more than %d bits",
                           SETKEY_KEY * 8);
    }
    memcpy(key, t->text, t->len);
    *len = (uint16_t)t->len;
    return 0;
}

static int
key_fits(struct setkey_reader *r, struct setkey_pos at,
         const struct setkey_alg *alg, unsigned len)
{
    if (len >= alg->key_min && len <= alg->key_max &&
        (len - alg->key_min) % alg->step == 0) {
        return 0;
    }
    if (alg->key_min == alg->key_max) {
        return setkey_fail(r, at, "a key of %u bits, where %s takes %u",
                           len * 8, alg->name, alg->key_min * 8u);
    }
    return setkey_fail(r, at, "a key of %u bits, where %s takes %u, %u or %u",
                       len * 8, alg->name, alg->key_min * 8u,
                       (alg->key_min + 8u) * 8, alg->key_max * 8u);
}

static int
read_key(struct setkey_reader *r, const struct setkey_alg *alg, uint8_t *key,
         uint16_t *len)
{
    struct setkey_token t;
    int rc;

    if (setkey_peek(r, &t) != 0) {
        return -1;
    }
    *len = 0;
    if (t.kind != KIND_QUOTED &&
        !(t.kind == KIND_WORD && t.text[0] == '0' &&
          (t.text[1] == 'x' || t.text[1] == 'X'))) {
        return alg->key_max == 0 ? 0 /* null needs none */
            : setkey_fail(r, t.at, "expected a key of %s: \"text\" or 0x and "
                          "digits", alg->name);
    }
    rc = t.kind == KIND_QUOTED ? key_from_text(r, &t, key, len)
                               : key_from_hex(r, &t, key, len);
    if (rc == 0) {
        rc = key_fits(r, t.at, alg, *len);
    }
    memset(t.text, 0, sizeof t.text);
    return rc == 0 ? setkey_take(r, &t) : -1;
}

/* Behind -E or -A. */
static int
read_alg(struct setkey_reader *r, struct setkey_sa *sa, int integ)
{
    const struct setkey_alg *alg;
    struct setkey_token t;

    if (setkey_word(r, &t, "an algorithm") != 0) {
        return -1;
    }
    if (integ && strcmp(t.text, "null") == 0) {
        return setkey_fail(r, t.at, "null: nothing would protect integrity "
                           "(RFC 8221 section 4)");
    }
    alg = setkey_alg_named(t.text, integ);
    if (alg == NULL) {
        return setkey_alg_named(t.text, !integ) != NULL
            ? setkey_fail(r, t.at, "%s belongs behind %s", setkey_shown(&t),
                          integ ? "-E" : "-A")
            : setkey_fail(r, t.at, "algorithm %.40s: %s", setkey_shown(&t),
                          setkey_alg_refusal(t.text));
    }
    if (integ) {
        sa->integ = alg->id;
        return read_key(r, alg, sa->integ_key, &sa->integ_key_len);
    }
    sa->encr = alg->id;
    sa->alg_at = t.at;
    return read_key(r, alg, sa->encr_key, &sa->encr_key_len);
}

/* -E and -A together: what has to be said of both. */
static int
check_algs(struct setkey_reader *r, struct setkey_sa *sa, struct setkey_pos at,
           int has_e, int has_a)
{
    const struct setkey_alg *encr = setkey_alg_numbered(sa->encr, 0);

    if (sa->proto == IPSEC_PROTO_AH) {
        if (has_e || !has_a) {
            return setkey_fail(r, at, "ah takes -A and a key, and no -E");
        }
        sa->encr = IPSEC_ENCR_NULL;
        if (sa->integ == IPSEC_INTEG_AES_GMAC_128) {
            sa->integ = (uint16_t)(sa->integ + (sa->integ_key_len - 20) / 8);
        }
        return 0;
    }
    if (!has_e) {
        return setkey_fail(r, at, "esp takes -E and a key, if only -E null");
    }
    if (encr != NULL && encr->aead && has_a) {
        return setkey_fail(r, sa->alg_at, "%s protects integrity itself: no -A",
                           encr->name);
    }
    if (encr != NULL && !encr->aead && !has_a) {
        return setkey_fail(r, sa->alg_at, "%s needs -A: nothing would protect "
                           "integrity (RFC 8221 section 4)", encr->name);
    }
    if (sa->integ == IPSEC_INTEG_AES_GMAC_128) {
        return setkey_fail(r, sa->alg_at, "aes-gmac as -A is of ah alone: "
                           "esp takes -E aes-gmac");
    }
    return 0;
}

static int
read_mode(struct setkey_reader *r, struct setkey_sa *sa)
{
    struct setkey_token t;

    if (setkey_word(r, &t, "a mode") != 0) {
        return -1;
    }
    if (setkey_is(&t, "transport")) {
        sa->mode = IPSEC_MODE_TRANSPORT;
    } else if (setkey_is(&t, "tunnel")) {
        sa->mode = IPSEC_MODE_TUNNEL;
    } else if (setkey_is(&t, "any")) {
        sa->mode = 0;
    } else {
        return setkey_fail(r, t.at, "mode '%.40s' is not transport, tunnel or "
                           "any", setkey_shown(&t));
    }
    return 0;
}

/* -f. What pads the payload is not to be seen from outside, and receivers
 * check it (RFC 4303 section 2.4): seq-pad is what is always done. */
static int
read_option(struct setkey_reader *r, struct setkey_sa *sa)
{
    struct setkey_token t;

    if (setkey_word(r, &t, "an option of -f") != 0) {
        return -1;
    }
    if (setkey_is(&t, "align8")) {
        sa->align8 = 1;
        return 0;
    }
    if (setkey_is(&t, "df-copy")) {
        sa->df_copy = 1;
        return 0;
    }
    if (setkey_is(&t, "nocyclic-seq") || setkey_is(&t, "seq-pad")) {
        return 0;
    }
    if (setkey_is(&t, "zero-pad") || setkey_is(&t, "random-pad")) {
        return setkey_fail(r, t.at, "%s: padding is 1, 2, 3, ... (RFC 4303 "
                           "section 2.4)", t.text);
    }
    return setkey_fail(r, t.at, "'%.40s' is no option of -f",
                       setkey_shown(&t));
}

static int
read_number(struct setkey_reader *r, const char *what, uint32_t max,
            uint32_t *value)
{
    uint64_t v = 0;

    if (setkey_number_word(r, what, max, &v) != 0) {
        return -1;
    }
    *value = (uint32_t)v;
    return 0;
}

static int
read_extension(struct setkey_reader *r, struct setkey_sa *sa,
               const struct setkey_token *t)
{
    if (setkey_is(t, "-m")) {
        return read_mode(r, sa);
    }
    if (setkey_is(t, "-u")) {
        return read_number(r, "an identifier", 32767, &sa->reqid);
    }
    if (setkey_is(t, "-r")) {
        return read_number(r, "a window's bytes", 4096, &sa->replay);
    }
    if (setkey_is(t, "-f")) {
        return read_option(r, sa);
    }
    if (setkey_is(t, "-lh")) {
        return read_number(r, "seconds", LIFE_MAX, &sa->hard_s);
    }
    if (setkey_is(t, "-ls")) {
        return read_number(r, "seconds", LIFE_MAX, &sa->soft_s);
    }
    if (setkey_is(t, "-bh")) {
        return setkey_number_word(r, "bytes", UINT64_MAX / 2, &sa->hard_bytes);
    }
    if (setkey_is(t, "-bs")) {
        return setkey_number_word(r, "bytes", UINT64_MAX / 2, &sa->soft_bytes);
    }
    if (setkey_is(t, "-esn")) {
        sa->esn = 1; /* as in FreeBSD */
        return 0;
    }
    if (setkey_is(t, "-C") || setkey_is(t, "-R")) {
        return setkey_fail(r, t->at, "%s: there is no IPComp", t->text);
    }
    if (setkey_is(t, "-ctx")) {
        return setkey_fail(r, t->at, "-ctx: there are no security labels");
    }
    return setkey_fail(r, t->at, "'%.40s' is no option here, or one too many",
                       setkey_shown(t));
}

/* Up to the `;`, in any order, though setkey wants algorithms last. get and
 * delete take extensions too, and make nothing of them. */
static int
read_rest(struct setkey_reader *r, struct setkey_command *cmd)
{
    struct setkey_sa *sa = &cmd->sa;
    struct setkey_token t;
    int e = 0, a = 0, rc = 0, add = cmd->verb == SETKEY_ADD;

    sa->alg_at = cmd->at;
    while (rc == 0) {
        if (setkey_peek(r, &t) != 0) {
            return -1;
        }
        if (t.kind != KIND_WORD || t.text[0] != '-') {
            return add ? check_algs(r, sa, cmd->at, e, a) : 0;
        }
        (void)setkey_take(r, &t);
        if (add && setkey_is(&t, "-E") && e++ == 0) {
            rc = read_alg(r, sa, 0);
        } else if (add && setkey_is(&t, "-A") && a++ == 0) {
            rc = read_alg(r, sa, 1);
        } else {
            rc = read_extension(r, sa, &t);
        }
    }
    return -1;
}

static int
read_proto(struct setkey_reader *r, struct setkey_sa *sa)
{
    struct setkey_token t;

    if (setkey_word(r, &t, "a protocol") != 0) {
        return -1;
    }
    if (setkey_is(&t, "esp") || setkey_is(&t, "esp-udp")) {
        sa->proto = IPSEC_PROTO_ESP;
        sa->natt = t.text[3] != '\0';
        return 0;
    }
    if (setkey_is(&t, "ah")) {
        sa->proto = IPSEC_PROTO_AH;
        return 0;
    }
    if (setkey_is(&t, "esp-old") || setkey_is(&t, "ah-old")) {
        return setkey_fail(r, t.at, "%s: obsolete", t.text);
    }
    return setkey_fail(r, t.at, "protocol '%.40s' is not esp, esp-udp or ah",
                       setkey_shown(&t));
}

/* address[port]; *port is as of setkey_port(). */
static int
read_end(struct setkey_reader *r, const char *what, struct ipsec_addr *addr,
         long *port)
{
    struct setkey_token t;

    return setkey_range_word(r, &t, what) != 0 ||
           setkey_port(r, t.at, t.text, port) != 0 ||
           setkey_addr(r, t.at, t.text, addr) != 0 ? -1 : 0;
}

static uint16_t
port_of(long port)
{
    return port > 0 ? (uint16_t)port : NATT_PORT;
}

static int
read_spi(struct setkey_reader *r, struct setkey_sa *sa)
{
    struct setkey_token t;

    if (setkey_peek(r, &t) != 0 ||
        read_number(r, "an SPI", 0xffffffffu, &sa->spi) != 0) {
        return -1;
    }
    sa->spi_at = t.at;
    return sa->spi > 255 ? 0
        : setkey_fail(r, t.at, "SPIs up to 255 are reserved (RFC 4303 section "
                      "2.1)");
}

int
setkey_read_sa(struct setkey_reader *r, struct setkey_command *cmd)
{
    struct setkey_sa *sa = &cmd->sa;
    long src_port = -1, dst_port = -1;
    struct setkey_token t;

    if (read_end(r, "a source address", &sa->src, &src_port) != 0 ||
        setkey_peek(r, &t) != 0 ||
        read_end(r, "a destination address", &sa->dst, &dst_port) != 0) {
        return -1;
    }
    if (sa->src.version != sa->dst.version) {
        return setkey_fail(r, t.at, "an IPv4 and an IPv6 address");
    }
    if (setkey_peek(r, &t) != 0 || read_proto(r, sa) != 0) {
        return -1;
    }
    if (sa->natt) {
        sa->src_port = port_of(src_port);
        sa->dst_port = port_of(dst_port);
    } else if (src_port > 0 || dst_port > 0) {
        return setkey_fail(r, t.at, "only esp-udp has ports");
    }
    if (cmd->verb == SETKEY_DELETEALL) {
        return 0;
    }
    return read_spi(r, sa) != 0 ? -1 : read_rest(r, cmd);
}
