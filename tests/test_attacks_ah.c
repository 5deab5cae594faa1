/* SPDX-License-Identifier: MIT */
#include "fake/attack.h"

/* attacks.txt 94 to 108: AH. */

static int
cut_to(struct stage *s)
{
    stage_resize(s, s->at + s->n);
    return 1;
}

/* Payload length: the AH is 28 bytes with IPv4, 32 with IPv6. */
static int
payload_len(struct stage *s)
{
    if (s->n == (s->is & V4 ? 5 : 6)) {
        return 0;
    }
    s->wire[s->at + 1] = (uint8_t)s->n;
    return 1;
}

/* Four bytes of padding more than there must be, or in IPv6 four less. */
static int
padding(struct stage *s)
{
    uint8_t zero[4] = { 0 };

    if (s->is & V4) {
        s->wire[s->at + 1] = 6;
        stage_insert(s, s->at + 28, zero, 4);
    } else {
        s->wire[s->at + 1] = 5;
        memmove(s->wire + s->at + 28, s->wire + s->at + 32,
                s->len - s->at - 32);
        stage_resize(s, s->len - 4);
    }
    return 1;
}

/* Fields of IPv4, by their offset and a mask. */
static int
change4(struct stage *s)
{
    static const struct { uint8_t at, mask; } field[] = {
        { 1, 0xfc }, { 6, 0x40 }, { 6, 0x80 }, { 8, 0x07 }, { 8, 0xff },
        { 4, 0x01 }, { 5, 0x80 }, { 15, 0x01 }
    };

    s->wire[field[s->n].at] ^= field[s->n].mask;
    packet_fix(s->wire);
    return 1;
}

static int
change6(struct stage *s)
{
    static const struct { uint8_t at, mask; } field[] = {
        { 0, 0x0f }, { 1, 0xc0 }, { 1, 0x0f }, { 2, 0xff }, { 3, 0x01 },
        { 7, 0x3f }
    };

    s->wire[field[s->n].at] ^= field[s->n].mask;
    return 1;
}

/* It says that something follows on which it was not made. */
static int
next_header(struct stage *s)
{
    s->wire[s->at] ^= (uint8_t)(1u << s->n);
    return 1;
}

/* Options ahead of it that can't be walked. */
static int
bad_option(struct stage *s)
{
    static const uint8_t option[][4] = {
        { 7, 0, 4, 0 }, { 7, 1, 4, 0 }, { 7, 5, 4, 0 }, { 7, 255, 4, 0 },
        { 1, 1, 1, 7 }, { 148, 0, 0, 0 },
        { 131, 2, 4, 0 }, { 131, 3, 0, 0 }, { 131, 3, 3, 0 },
        { 131, 3, 5, 0 }, { 131, 3, 255, 0 }, { 137, 3, 5, 0 }
    };

    s->wire[0]++;
    stage_insert(s, 20, option[s->n], 4);
    return 1;
}

/* A route that has not been followed, of a kind whose end nobody can tell:
 * segments left, type, length in units of 8 but the first. */
static int
bad_route(struct stage *s)
{
    static const uint8_t route[][3] = {
        { 1, 3, 2 }, { 1, 4, 2 }, { 2, 2, 2 }, { 255, 2, 2 }, { 1, 2, 4 },
        { 1, 2, 1 }
    };
    uint8_t ext[40] = { 0 };

    ext[0] = s->wire[6];
    ext[1] = route[s->n][2];
    ext[2] = route[s->n][1];
    ext[3] = route[s->n][0];
    stage_insert(s, 40, ext, (ext[1] + 1u) * 8);
    s->wire[6] = 43;
    return 1;
}

/* An option of the sender's is one that the ICV did not cover. */
static int
good_option(struct stage *s)
{
    static const uint8_t option[][4] = {
        { 148, 4, 0, 0 }, { 130, 4, 0, 0 }, { 7, 4, 4, 0 }, { 1, 1, 1, 1 },
        { 131, 3, 4, 0 }
    };

    s->wire[0]++;
    stage_insert(s, 20, option[s->n], 4);
    return 1;
}

/* Make the ICV again, over the header with what may change zeroed. */
static void
icv_again(struct stage *s)
{
    const struct ipsec_crypto *crypto = s->pair.a.cfg.crypto;
    size_t ah_len = ((size_t)s->wire[s->at + 1] + 2) * 4;
    uint8_t aad[IPSEC_AAD_MAX];
    struct ipsec_op op;

    memset(&op, 0, sizeof op);
    memcpy(aad, s->wire, s->at + ah_len);
    memset(aad + s->at + 12, 0, 16);
    if (s->is & V4) {
        aad[1] = 0;
        memset(aad + 6, 0, 3);
        memset(aad + 10, 0, 2);
    } else {
        aad[0] = 0x60;
        memset(aad + 1, 0, 3);
        aad[7] = 0;
    }
    op.key = &s->pair.out.key;
    op.aad = aad;
    op.aad_len = (uint8_t)(s->at + ah_len);
    op.icv = s->wire + s->at + 12;
    op.text = s->wire + s->at + ah_len;
    op.len = s->len - s->at - ah_len;
    assert_status(crypto->run(crypto, &op), IPSEC_OK);
}

static int
reserved(struct stage *s)
{
    s->wire[s->at + 2] = (uint8_t)s->n;
    s->wire[s->at + 3] = (uint8_t)~s->n;
    icv_again(s);
    return 1;
}

/* AH in AH in AH ..., all of them ours, and right. */
static int
chain(struct stage *s)
{
    uint8_t ah[32];
    size_t len = s->is & V4 ? 28 : 32, i;

    for (i = 1; i < s->n; i++) {
        memcpy(ah, s->wire + s->at, len);
        ah[0] = 51;
        ah[11] = (uint8_t)(i + 1);
        stage_insert(s, s->at + len, s->wire + s->at, len);
        memcpy(s->wire + s->at, ah, len);
    }
    s->pair.b.st.any_icv = 1;
    s->runs = 3;
    return s->pair.b.cfg.crypto == &s->pair.b.crypto.api;
}

/* The same of a forger, who gets no further than the first. */
static int
chain_forged(struct stage *s)
{
    chain(s);
    s->pair.b.st.any_icv = 0;
    s->runs = 0;
    return 1;
}

static const struct attack rows[] = {
    { 94, "shorter than its header", AH, 0, 11, NULL, cut_to,
      IPSEC_ERR_MALFORMED },
    { 94, "payload length 0 to 3", AH, 0, 3, NULL, payload_len,
      IPSEC_ERR_MALFORMED },
    { 95, "longer than the packet", AH, 100, 255, NULL, payload_len,
      IPSEC_ERR_MALFORMED },
    { 95, "cut within the ICV", AH, 12, 27, NULL, cut_to,
      IPSEC_ERR_MALFORMED },
    { 96, "payload length is not the SA's", AH, 4, 99, NULL, payload_len,
      IPSEC_ERR_MALFORMED },
    { 97, "no multiple of 8 in IPv6", AH | V6, 0, 0, NULL, padding,
      IPSEC_ERR_MALFORMED },
    { 98, "more padding than needed", AH | V4, 0, 0, NULL, padding,
      IPSEC_ERR_MALFORMED },
    { 99, "DSCP, flags, TTL", AH | V4 | OTHER, 0, 4, NULL, change4,
      IPSEC_OK },
    { 100, "identification", AH | V4, 5, 6, NULL, change4, IPSEC_ERR_AUTH },
    { 100, "source, tunnel", AH | V4 | TUN, 7, 7, NULL, change4,
      IPSEC_ERR_AUTH },
    { 100, "source, transport", AH | V4 | TRAN, 7, 7, NULL, change4,
      IPSEC_ERR_SELECTOR },
    { 100, "next header", AH, 0, 7, NULL, next_header, IPSEC_ERR_AUTH },
    { 102, "an option put in, covered or not", AH | V4, 0, 4, NULL,
      good_option, IPSEC_ERR_AUTH },
    { 103, "options that can't be walked", AH | V4, 0, 5, NULL, bad_option,
      IPSEC_ERR_MALFORMED },
    { 104, "source route that points nowhere", AH | V4, 6, 11, NULL,
      bad_option, IPSEC_ERR_MALFORMED },
    { 104, "routing header that leads nobody knows where", AH | V6, 0, 5,
      NULL, bad_route, IPSEC_ERR_MALFORMED },
    { 106, "class, flow label, hop limit", AH | V6 | OTHER, 0, 5, NULL,
      change6, IPSEC_OK },
    { 107, "reserved bits", AH | RECEIVED, 0, 3, NULL, reserved, IPSEC_OK },
    { 108, "50 in one another", AH | TRAN | RECEIVED | ONLY, 50, 50, NULL,
      chain, IPSEC_ERR_DEPTH },
    { 108, "50 in one another, forged", AH | TRAN, 50, 50, NULL,
      chain_forged, IPSEC_ERR_AUTH },
};

static void
test_attacks_ah_rows(void **state)
{
    (void)state;
    ATTACK_RUN(rows);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attacks_ah_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
