/* SPDX-License-Identifier: MIT */
#include "fake/attack.h"

/* attacks.txt 10 to 60: ESP itself, its trailer, ICV and numbers; the numbers
 * of AH too. */

/* Bytes of the packet from ESP on; body: between IV and ICV. */
static size_t
more(const struct stage *s)
{
    return 8 + s->suite->iv + s->suite->icv;
}

static int
cut_to(struct stage *s)
{
    stage_resize(s, s->at + s->n);
    return 1;
}

static int
cut_icv(struct stage *s)
{
    if (s->n >= more(s)) {
        return 0;
    }
    return cut_to(s);
}

static int
no_text(struct stage *s)
{
    s->n = (unsigned)more(s) + s->n;
    return cut_to(s);
}

static int
cut_by(struct stage *s)
{
    stage_resize(s, s->len - s->n);
    return 1;
}

static const struct attack lengths[] = {
    { 10, "shorter than its header", ESP, 0, 7, NULL, cut_to,
      IPSEC_ERR_MALFORMED },
    { 11, "a header alone", ESP, 8, 8, NULL, cut_to, IPSEC_ERR_MALFORMED },
    { 12, "no room for IV and ICV", ESP, 9, 39, NULL, cut_icv,
      IPSEC_ERR_MALFORMED },
    { 13, "IV and ICV, no text", ESP, 0, 3, NULL, no_text,
      IPSEC_ERR_MALFORMED },
    { 14, "CBC in broken blocks", CBC, 1, 15, NULL, cut_by,
      IPSEC_ERR_MALFORMED },
    { 15, "GCM out of step", GCM, 1, 3, NULL, cut_by, IPSEC_ERR_MALFORMED },
};

static void
test_attacks_esp_lengths(void **state)
{
    (void)state;
    ATTACK_RUN(lengths);
}

/* Bodies whose ICV is right. */

static uint8_t body[2048];

static size_t
inner(struct stage *s, size_t payload)
{
    struct packet_spec spec = pair_spec(&s->pair, s->is & V4 ? 4 : 6, 17,
                                        payload);

    return packet_build(body, &spec);
}

/* With padding of `pad` bytes, as far as there is room for it. */
static void
padded(struct stage *s, size_t len, size_t pad, uint8_t said, uint8_t next)
{
    size_t i;

    for (i = 0; i < pad; i++) {
        body[len + i] = (uint8_t)(i + 1);
    }
    body[len + pad] = said;
    body[len + pad + 1] = next;
    stage_craft(s, body, len + pad + 2);
}

static uint8_t
next_of(const struct stage *s)
{
    return s->is & V4 ? 4 : 41;
}

static int
pad_beyond(struct stage *s)
{
    memset(body, 1, 10);
    padded(s, 10, 20, (uint8_t)s->n, next_of(s));
    return 1;
}

static int
pad_all(struct stage *s)
{
    padded(s, 0, 30, 30, next_of(s));
    return 1;
}

static int
pad_zeros(struct stage *s)
{
    size_t len = inner(s, 0); /* 28 or 48 bytes */

    memset(body + len, 0, 20);
    len += s->is & V4 ? 18 : 14;
    body[len] = (uint8_t)(s->is & V4 ? 18 : 14);
    body[len + 1] = next_of(s);
    stage_craft(s, body, len + 2);
    return 1;
}

static int
pad_last_wrong(struct stage *s)
{
    size_t pad = s->is & V4 ? 18 : 14, len = inner(s, 0), i;

    for (i = 0; i < pad; i++) {
        body[len + i] = (uint8_t)(i + 1);
    }
    body[len + pad - 1] ^= 0x80;
    body[len + pad] = (uint8_t)pad;
    body[len + pad + 1] = next_of(s);
    stage_craft(s, body, len + pad + 2);
    return 1;
}

/* 255 bytes of padding; the inner packet is as long as the blocks ask. */
static int
pad_most(struct stage *s)
{
    size_t len = inner(s, s->is & V4 ? 3 : 15);

    memcpy(s->plain, body, len);
    s->plain_len = len;
    padded(s, len, 255, 255, next_of(s));
    return 1;
}

static int
dummy(struct stage *s)
{
    memset(body, 0xc3, 78);
    stage_craft(s, body, body_end(s->suite, body, s->n, 59));
    return 1;
}

/* An inner packet, under a next header that is not its own. */
static int
next_wrong(struct stage *s)
{
    size_t len = inner(s, 20);

    stage_craft(s, body, body_end(s->suite, body, len, (uint8_t)s->n));
    return 1;
}

static int
next_other(struct stage *s)
{
    s->n = s->is & V4 ? 41 : 4;
    return next_wrong(s);
}

/* Transport mode: IP in IP stays what it is, and meets the policy so. */
static int
ip_in_ip(struct stage *s)
{
    s->pair.pb.sel.proto = 17;
    return next_wrong(s);
}

static int
spoilt(struct stage *s)
{
    size_t len = inner(s, 20);

    switch (s->n) {
    case 0: body[s->is & V4 ? 3 : 5]++; break;
    case 1: body[s->is & V4 ? 2 : 4] = 0xff; break;
    case 2: body[0] = s->is & V4 ? 0x44 : 0x50; break;
    case 3: body[0] = s->is & V4 ? 0x4f : 0x00; break;
    case 4: len = s->is & V4 ? 19 : 39; break;
    default: len = 0; break;
    }
    if ((s->is & V4) && s->n < 4) {
        packet_fix(body);
    }
    stage_craft(s, body, body_end(s->suite, body, len, next_of(s)));
    return 1;
}

static int
inner_sum(struct stage *s)
{
    size_t len = inner(s, 20);

    body[10 + s->n / 8] ^= (uint8_t)(1u << s->n % 8);
    stage_craft(s, body, body_end(s->suite, body, len, 4));
    return 1;
}

static int
tfc(struct stage *s)
{
    size_t len = inner(s, 20);

    memcpy(s->plain, body, len);
    s->plain_len = len;
    memset(body + len, 0x99, s->n);
    stage_craft(s, body, body_end(s->suite, body, len + s->n, next_of(s)));
    return 1;
}

static const struct attack trailers[] = {
    { 21, "pad length 255 in 32 bytes", ESP | RECEIVED, 255, 255, NULL,
      pad_beyond, IPSEC_ERR_PADDING },
    { 22, "nothing but padding", ESP | TUN | RECEIVED, 0, 0, NULL, pad_all,
      IPSEC_ERR_MALFORMED },
    { 23, "pad length one too large", ESP | RECEIVED, 31, 31, NULL,
      pad_beyond, IPSEC_ERR_PADDING },
    { 24, "padding of zeros", ESP | TUN | RECEIVED, 0, 0, NULL, pad_zeros,
      IPSEC_ERR_PADDING },
    { 25, "last byte of padding wrong", ESP | TUN | RECEIVED, 0, 0, NULL,
      pad_last_wrong, IPSEC_ERR_PADDING },
    { 26, "255 bytes of padding", ESP | TUN | RECEIVED, 0, 0, NULL, pad_most,
      IPSEC_OK },
    { 28, "a dummy", ESP | RECEIVED, 20, 78, NULL, dummy, IPSEC_CONSUMED },
    { 29, "a short dummy", ESP | RECEIVED, 0, 19, NULL, dummy,
      IPSEC_CONSUMED },
    { 30, "TCP in a tunnel", ESP | TUN | RECEIVED, 5, 40, NULL, next_wrong,
      IPSEC_ERR_MODE },
    { 31, "IPv4 in transport mode", ESP | TRAN | RECEIVED, 4, 4, NULL,
      ip_in_ip, IPSEC_ERR_SELECTOR },
    { 31, "IPv6 in transport mode", ESP | TRAN | RECEIVED, 41, 41, NULL,
      ip_in_ip, IPSEC_ERR_SELECTOR },
    { 32, "IPv6 announced as IPv4", ESP | TUN | V6 | RECEIVED, 0, 0, NULL,
      next_other, IPSEC_ERR_MALFORMED },
    { 33, "IPv4 announced as IPv6", ESP | TUN | V4 | RECEIVED, 0, 0, NULL,
      next_other, IPSEC_ERR_MALFORMED },
    { 34, "inner packet longer than it is", ESP | TUN | RECEIVED, 1, 1, NULL,
      spoilt, IPSEC_ERR_MALFORMED },
    { 35, "TFC padding", ESP | TUN | RECEIVED, 1, 50, NULL, tfc, IPSEC_OK },
    { 36, "inner header lies or is cut", ESP | TUN | RECEIVED, 2, 5, NULL,
      spoilt, IPSEC_ERR_MALFORMED },
    { 37, "inner header checksum", ESP | TUN | V4 | RECEIVED, 0, 15, NULL,
      inner_sum, IPSEC_ERR_MALFORMED },
};

static void
test_attacks_esp_trailers(void **state)
{
    (void)state;
    ATTACK_RUN(trailers);
}

/* The ICV. */

static int
flip(struct stage *s)
{
    size_t skip = s->is & AH ? 8 : 4; /* behind the SPI */

    if (s->at + skip + s->n >= s->len) {
        return 0;
    }
    s->wire[s->at + skip + s->n] ^= (uint8_t)(1u << s->n % 8);
    return 1;
}

static uint8_t *
icv_at(struct stage *s)
{
    return s->is & AH ? s->wire + s->at + 12 : s->wire + s->len - 16;
}

static int
icv_set(struct stage *s)
{
    memset(icv_at(s), (int)s->n, 16);
    return 1;
}

static int
longer_by(struct stage *s)
{
    memset(s->wire + s->len, 0, s->n);
    stage_resize(s, s->len + s->n);
    return 1;
}

static void
other_key(struct stage *s)
{
    s->pair.in.material[3] ^= 1;
    s->pair.in.material[40] ^= 1;
}

static int
as_it_is(struct stage *s)
{
    (void)s;
    return 1;
}

static void
esn(struct stage *s)
{
    s->pair.out.params.flags |= IPSEC_SA_ESN;
    s->pair.in.params.flags |= IPSEC_SA_ESN;
}

/* As if numbers had 32 bits. */
static int
no_high_half(struct stage *s)
{
    s->pair.out.sa.flags &= (uint16_t)~IPSEC_SA_ESN;
    stage_seal(s, 2);
    s->pair.out.sa.flags |= IPSEC_SA_ESN;
    return 1;
}

static const struct attack icvs[] = {
    { 38, "a bit of any byte", 0, 0, 120, NULL, flip, IPSEC_ERR_AUTH },
    { 39, "ICV cut by 4", GCM | AH, 4, 4, NULL, cut_by, IPSEC_ERR_AUTH },
    { 39, "ICV cut by 4, CBC", CBC, 4, 4, NULL, cut_by,
      IPSEC_ERR_MALFORMED },
    { 40, "ICV of zeros", 0, 0, 0, NULL, icv_set, IPSEC_ERR_AUTH },
    { 40, "ICV of ones", 0, 255, 255, NULL, icv_set, IPSEC_ERR_AUTH },
    { 41, "bytes behind the ICV", GCM, 1, 3, NULL, longer_by,
      IPSEC_ERR_MALFORMED },
    { 41, "a block behind the ICV", CBC, 16, 16, NULL, longer_by,
      IPSEC_ERR_AUTH },
    { 41, "bytes behind the payload", AH, 1, 4, NULL, longer_by,
      IPSEC_ERR_AUTH },
    { 42, "another key", ONLY, 0, 0, other_key, as_it_is, IPSEC_ERR_AUTH },
    { 43, "no high half", 0, 0, 0, esn, no_high_half, IPSEC_ERR_AUTH },
};

static void
test_attacks_esp_icvs(void **state)
{
    (void)state;
    ATTACK_RUN(icvs);
}

/* Numbers. */

static int
again(struct stage *s)
{
    assert_status(pair_offer(&s->pair, s->wire, s->len), IPSEC_OK);
    return 1;
}

static int
right_edge(struct stage *s)
{
    stage_receive(s, 1000);
    return 1;
}

static int
left(struct stage *s)
{
    stage_receive(s, 1000);
    stage_seal(s, 1000 - s->n);
    return 1;
}

static int
left_twice(struct stage *s)
{
    left(s);
    return again(s);
}

static int
zero(struct stage *s)
{
    memset(s->wire + s->at + (s->is & AH ? 8 : 4), 0, 4);
    return 1;
}

static int
forged_top(struct stage *s)
{
    memset(s->wire + s->at + (s->is & AH ? 8 : 4), 0xff, 4);
    return 1;
}

static int
jump(struct stage *s)
{
    stage_receive(s, 5);
    stage_seal(s, 0xffffffffu);
    return 1;
}

/* The SA was deleted and is added again, starting from a noted number. */
static int
added_again(struct stage *s)
{
    struct ipsec *b = &s->pair.b.ips;
    struct fx_sa *in = &s->pair.in;

    stage_receive(s, 7);
    assert_status(ipsec_sad_remove(b, &in->sa), IPSEC_OK);
    in->params.seq = 7 + s->n;
    assert_status(fx_sa_add(&s->pair.b, in), IPSEC_OK);
    return 1;
}

static int
wraps(struct stage *s)
{
    stage_receive(s, 0x40); /* the window then begins behind 0 */
    stage_receive(s, 0xffffffffu);
    stage_seal(s, 0x100000000u + s->n);
    return 1;
}

/* What is left of the window is taken for one of the next subspace. */
static int
next_subspace(struct stage *s)
{
    stage_receive(s, 1000);
    stage_seal(s, 1000 - 64 - s->n);
    return 1;
}

static int
before_the_first(struct stage *s)
{
    uint8_t *seq = s->wire + s->at + (s->is & AH ? 8 : 4);

    memset(seq, 0xff, 3);
    seq[3] = (uint8_t)s->n;
    return 1;
}

static const struct attack numbers[] = {
    { 46, "replayed", ONLY, 0, 0, NULL, again, IPSEC_ERR_REPLAY },
    { 47, "the right edge again", 0, 0, 0, NULL, right_edge,
      IPSEC_ERR_REPLAY },
    { 48, "left of the window", 0, 64, 66, NULL, left, IPSEC_ERR_REPLAY },
    { 49, "the left edge", 0, 63, 63, NULL, left, IPSEC_OK },
    { 49, "the left edge twice", 0, 63, 63, NULL, left_twice,
      IPSEC_ERR_REPLAY },
    { 50, "number 0", 0, 0, 0, NULL, zero, IPSEC_ERR_REPLAY },
    { 51, "a forged last number", 0, 0, 0, NULL, forged_top,
      IPSEC_ERR_AUTH },
    { 52, "a jump to the last number", ONLY, 0, 0, NULL, jump, IPSEC_OK },
    { 55, "a number from before", 0, 0, 3, NULL, added_again,
      IPSEC_ERR_REPLAY },
    { 56, "the low half begins again", 0, 0, 9, esn, wraps, IPSEC_OK },
    { 57, "left of the window, ESN", 0, 0, 3, esn, next_subspace,
      IPSEC_ERR_AUTH },
    { 58, "a subspace before the first", 0, 0xc1, 0xff, esn,
      before_the_first, IPSEC_ERR_REPLAY },
};

static void
test_attacks_esp_numbers(void **state)
{
    (void)state;
    ATTACK_RUN(numbers);
}

/* Row 59, 181: forged packets of the next subspace cost one operation each,
 * and after any number of them nothing has changed. */
static void
test_attacks_esp_flood_of_the_next_subspace(void **state)
{
    static struct stage s;
    unsigned i;

    (void)state;
    stage_begin(&s, V4 | TUN | GCM, 0, esn);
    stage_receive(&s, 5000);
    for (i = 0; i < 2000; i++) {
        fx_note("number %u", i);
        stage_seal(&s, 1 + i);
        stage_offer(&s, 0, IPSEC_ERR_AUTH);
    }
    assert_int_equal(stage_runs(&s), 2001);
    assert_int_equal(s.pair.in.sa.drop_auth, 2000);
    stage_seal(&s, 5001);
    stage_offer(&s, 0, IPSEC_OK);
    stage_end(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attacks_esp_lengths),
        cmocka_unit_test(test_attacks_esp_trailers),
        cmocka_unit_test(test_attacks_esp_icvs),
        cmocka_unit_test(test_attacks_esp_numbers),
        cmocka_unit_test(test_attacks_esp_flood_of_the_next_subspace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
