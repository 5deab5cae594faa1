/* SPDX-License-Identifier: MIT */
#include "fake/attack.h"

/* attacks.txt 1 to 20, 61 to 71, 85 to 93, 189: headers of IP and the SPI,
 * before an engine is asked. */

static int cut(struct stage *s)      { s->len = s->n; return 1; }
static int ihl(struct stage *s)      { s->wire[0] = (uint8_t)(0x40 | s->n);
                                       return 1; }
static int version(struct stage *s)  { s->wire[0] = (uint8_t)(s->n << 4 |
                                       (s->wire[0] & 15)); return 1; }
static int checksum(struct stage *s) { s->wire[10 + s->n / 8] ^=
                                       (uint8_t)(1u << s->n % 8); return 1; }

static int
ihl_beyond(struct stage *s)
{
    s->len = 40;
    s->wire[0] = 0x4f;
    s->wire[2] = 0;
    s->wire[3] = 40;
    return 1;
}

/* By its own account the packet is `n` bytes longer than it is. */
static int
longer(struct stage *s)
{
    size_t len = s->len;

    stage_resize(s, s->n == 0 ? 65535 : len + s->n);
    s->len = len;
    return 1;
}

static int
shorter_than_header(struct stage *s)
{
    size_t len = s->len;

    stage_resize(s, s->n);
    s->len = len;
    return 1;
}

/* Bytes of the link behind it. */
static int
link_padding(struct stage *s)
{
    memset(s->wire + s->len, 0xee, s->n);
    s->len += s->n;
    return 1;
}

/* RFC 2675: length 0, and how long it is in an option. */
static int
jumbo(struct stage *s)
{
    uint8_t hop[8] = { 0, 0, 0xc2, 4, 0, 1, 0, 0 };

    hop[0] = s->wire[6];
    stage_insert(s, 40, hop, 8);
    s->wire[6] = 0;
    s->wire[4] = s->wire[5] = 0;
    return 1;
}

static const struct attack lengths[] = {
    { 1, "IPv4 cut short", V4, 0, 19, NULL, cut, IPSEC_ERR_MALFORMED },
    { 2, "IPv6 cut short", V6, 0, 39, NULL, cut, IPSEC_ERR_MALFORMED },
    { 3, "IHL below 5", V4, 0, 4, NULL, ihl, IPSEC_ERR_MALFORMED },
    { 4, "IHL 15 in 40 bytes", V4, 0, 0, NULL, ihl_beyond,
      IPSEC_ERR_MALFORMED },
    { 5, "total length beyond the buffer", V4, 0, 3, NULL, longer,
      IPSEC_ERR_MALFORMED },
    { 6, "total length within the header", V4, 0, 19, NULL,
      shorter_than_header, IPSEC_ERR_MALFORMED },
    { 7, "bytes behind the packet", 0, 1, 24, NULL, link_padding, IPSEC_OK },
    { 8, "payload length beyond the buffer", V6, 0, 3, NULL, longer,
      IPSEC_ERR_MALFORMED },
    { 9, "jumbogram", V6, 0, 0, NULL, jumbo, IPSEC_ERR_MALFORMED },
    { 18, "version below 4", 0, 0, 3, NULL, version, IPSEC_ERR_MALFORMED },
    { 18, "version 5", 0, 5, 5, NULL, version, IPSEC_ERR_MALFORMED },
    { 18, "version over 6", 0, 7, 15, NULL, version, IPSEC_ERR_MALFORMED },
    { 19, "an IPv4 packet that says 6", V4, 6, 6, NULL, version,
      IPSEC_ERR_MALFORMED },
    { 19, "an IPv6 packet that says 4", V6, 4, 4, NULL, version,
      IPSEC_ERR_MALFORMED },
    { 20, "header checksum", V4, 0, 15, NULL, checksum, IPSEC_ERR_MALFORMED },
    { 189, "Ethernet padding", 0, 46, 46, NULL, link_padding, IPSEC_OK },
};

static void
test_attacks_wire_lengths(void **state)
{
    (void)state;
    ATTACK_RUN(lengths);
}

/* The SPI, and whose it is. */

static uint8_t *
spi_at(struct stage *s)
{
    return s->wire + s->at + (s->is & AH ? 4 : 0);
}

static int
spi_low(struct stage *s)
{
    memset(spi_at(s), 0, 4);
    spi_at(s)[3] = (uint8_t)s->n;
    return 1;
}

static int
spi_unknown(struct stage *s)
{
    spi_at(s)[s->n / 8] ^= (uint8_t)(1u << s->n % 8);
    return 1;
}

/* The next header says AH for ESP, or ESP for AH; the SPI is in place. */
static int
other_protocol(struct stage *s)
{
    s->wire[s->is & V4 ? 9 : 6] = s->is & AH ? 50 : 51;
    memcpy(s->wire + s->at + (s->is & AH ? 0 : 4), "\0\0\x10\x01", 4);
    stage_resize(s, s->len);
    return 1;
}

/* For somebody behind us. */
static int
transit(struct stage *s)
{
    s->wire[s->is & V4 ? 19 : 39] ^= 1;
    stage_resize(s, s->len);
    s->flags = IPSEC_PKT_TRANSIT;
    return 1;
}

/* The same SPI in a packet of the other version. */
static int
other_family(struct stage *s)
{
    struct packet_spec spec = { .src = "192.0.2.1", .dst = "198.51.100.2" };
    uint8_t body[512];
    size_t len = s->len - s->at;

    memcpy(body, s->wire + s->at, len);
    if (s->is & V4) {
        spec.src = "2001:db8::1";
        spec.dst = "2001:db8:ff::2";
    }
    spec.proto = s->is & AH ? 51 : 50;
    spec.payload = len;
    s->len = packet_build(s->wire, &spec);
    memcpy(s->wire + s->len - len, body, len);
    return 1;
}

static int
source(struct stage *s)
{
    s->wire[s->is & V4 ? 15 : 23] ^= 1;
    stage_resize(s, s->len);
    return 1;
}

static int
removed(struct stage *s)
{
    assert_status(ipsec_sad_remove(&s->pair.b.ips, &s->pair.in.sa), IPSEC_OK);
    return 1;
}

static int
larval(struct stage *s)
{
    static struct ipsec_sa sa;
    uint32_t spi;

    memset(&sa, 0, sizeof sa);
    assert_status(ipsec_sad_reserve(&s->pair.b.ips, &sa, IPSEC_IN,
                                    s->is & AH ? 51 : 50, 9, 30), IPSEC_OK);
    spi = sa.spi;
    spi_at(s)[0] = (uint8_t)(spi >> 24);
    spi_at(s)[1] = (uint8_t)(spi >> 16);
    spi_at(s)[2] = (uint8_t)(spi >> 8);
    spi_at(s)[3] = (uint8_t)spi;
    return 1;
}

static void
hour(struct stage *s)
{
    s->life.soft_s = 3000;
    s->life.hard_s = 3600;
    s->pair.in.params.life = &s->life;
}

static int
grow_old(struct stage *s)
{
    ipsec_tick(&s->pair.b.ips, s->n);
    assert_int_equal(s->pair.b.events, 1);
    return 1;
}

/* Our own packet comes back: the SPI is only that of an SA the other way. */
static int
reflected(struct stage *s)
{
    removed(s);
    fx_sa_set(&s->extra, s->suite, IPSEC_OUT, s->pair.in.params.mode, 0x1001,
              s->is & V4 ? "198.51.100.2" : "2001:db8:ff::2",
              s->is & V4 ? "192.0.2.1" : "2001:db8::1");
    s->extra.params.proto = s->pair.in.params.proto;
    s->extra.params.crypto = s->pair.b.cfg.crypto;
    assert_status(fx_sa_add(&s->pair.b, &s->extra), IPSEC_OK);
    return 1;
}

static const struct attack spis[] = {
    { 61, "SPI 0", 0, 0, 0, NULL, spi_low, IPSEC_ERR_NO_SA },
    { 62, "a reserved SPI", 0, 1, 255, NULL, spi_low, IPSEC_ERR_NO_SA },
    { 63, "an unknown SPI", 0, 0, 31, NULL, spi_unknown, IPSEC_ERR_NO_SA },
    { 64, "the other protocol", 0, 0, 0, NULL, other_protocol,
      IPSEC_ERR_NO_SA },
    { 65, "for somebody else", 0, 0, 0, NULL, transit,
      IPSEC_ERR_UNPROTECTED },
    { 66, "the other IP version", 0, 0, 0, NULL, other_family,
      IPSEC_ERR_NO_SA },
    { 67, "an unexpected source, transport", TRAN, 0, 0, NULL, source,
      IPSEC_ERR_SELECTOR },
    { 67, "an unexpected source, ESP tunnel", TUN | ESP, 0, 0, NULL, source,
      IPSEC_OK },
    { 67, "an unexpected source, AH tunnel", TUN | AH, 0, 0, NULL, source,
      IPSEC_ERR_AUTH },
    { 68, "reflected", ONLY, 0, 0, NULL, reflected, IPSEC_ERR_NO_SA },
    { 70, "a larval SA", 0, 0, 0, NULL, larval, IPSEC_ERR_NO_SA },
    { 70, "an SA that was removed", ONLY, 0, 0, NULL, removed,
      IPSEC_ERR_NO_SA },
    { 70, "an SA that is to be replaced", 0, 3000, 3000, hour, grow_old,
      IPSEC_OK },
    { 70, "an SA past its time", ONLY, 3600, 3600, hour, grow_old,
      IPSEC_ERR_EXPIRED },
};

static void
test_attacks_wire_spis(void **state)
{
    (void)state;
    ATTACK_RUN(spis);
}

/* Fragments and extension headers. */

static int
fragment4(struct stage *s)
{
    s->wire[6] = (uint8_t)(s->n == 0 ? 0x20 : 0);
    s->wire[7] = (uint8_t)s->n;
    packet_fix(s->wire);
    return 1;
}

/* `n` bytes of extension header of kind `proto`, ahead of all that is there;
 * data[0] is filled in. */
static void
ext_put(struct stage *s, uint8_t proto, uint8_t *ext, size_t n)
{
    ext[0] = s->wire[6];
    stage_insert(s, 40, ext, n);
    s->wire[6] = proto;
}

static int
fragment6(struct stage *s)
{
    uint8_t ext[8] = { 0 };

    ext[3] = (uint8_t)(s->n * 8 + (s->n == 0));
    ext_put(s, 44, ext, 8);
    return 1;
}

static int
two_fragment_headers(struct stage *s)
{
    uint8_t ext[8] = { 0 };

    ext_put(s, 44, ext, 8);
    ext_put(s, 44, ext, 8);
    return 1;
}

/* Destination options, PadN. */
static int
dst_opts(struct stage *s)
{
    uint8_t ext[8] = { 0, 0, 1, 4 };
    unsigned i;

    for (i = 0; i < s->n; i++) {
        ext_put(s, 60, ext, 8);
    }
    return 1;
}

static int
late_hop_by_hop(struct stage *s)
{
    uint8_t ext[8] = { 0, 0, 1, 4 };

    ext_put(s, 0, ext, 8);
    return dst_opts(s);
}

static int
ext_overrun(struct stage *s)
{
    uint8_t ext[8] = { 0, 0, 1, 4 };

    ext_put(s, 60, ext, 8);
    s->wire[41] = (uint8_t)((s->len - 40) / 8 + s->n);
    return 1;
}

static int
option_overrun(struct stage *s)
{
    uint8_t ext[8] = { 0, 0, 1, 4 };

    ext_put(s, 60, ext, 8);
    s->wire[43] = (uint8_t)s->n;
    return 1;
}

static int
option_overrun_first(struct stage *s)
{
    uint8_t ext[8] = { 0, 0, 1, 4 };

    ext_put(s, 60, ext, 8);
    return option_overrun(s);
}

static int
routing_0(struct stage *s)
{
    uint8_t ext[24] = { 0, 2, 0, 1 };

    ext_put(s, 43, ext, 24);
    return 1;
}

static int
unknown_ext(struct stage *s)
{
    static const uint8_t numbers[] = { 139, 140, 200, 253, 254, 255 };
    uint8_t ext[8] = { 0, 0, 1, 4 };

    ext_put(s, numbers[s->n], ext, 8);
    return 1;
}

static const struct attack extensions[] = {
    { 71, "a fragment of IPv4", V4, 0, 3, NULL, fragment4,
      IPSEC_ERR_FRAGMENT },
    { 71, "a fragment of IPv6", V6, 0, 3, NULL, fragment6,
      IPSEC_ERR_FRAGMENT },
    { 85, "9 extension headers", V6, 9, 9, NULL, dst_opts,
      IPSEC_ERR_MALFORMED },
    { 85, "100 extension headers", V6, 100, 100, NULL, dst_opts,
      IPSEC_ERR_MALFORMED },
    { 86, "hop-by-hop behind others", V6, 1, 1, NULL, late_hop_by_hop,
      IPSEC_ERR_MALFORMED },
    { 87, "a header beyond the packet", V6, 0, 9, NULL, ext_overrun,
      IPSEC_ERR_MALFORMED },
    { 88, "an option beyond its header", V6 | AH, 5, 255, NULL,
      option_overrun, IPSEC_ERR_MALFORMED },
    { 88, "the same in the first of two", V6 | AH, 5, 9, NULL,
      option_overrun_first, IPSEC_ERR_MALFORMED },
    { 88, "the same in front of ESP, which doesn't look", V6 | ESP | TUN, 5,
      255, NULL, option_overrun, IPSEC_OK },
    { 89, "routing header of type 0", V6, 0, 0, NULL, routing_0,
      IPSEC_ERR_MALFORMED },
    { 90, "an unknown header", V6, 0, 5, NULL, unknown_ext,
      IPSEC_ERR_UNPROTECTED },
    { 91, "two fragment headers", V6, 0, 0, NULL, two_fragment_headers,
      IPSEC_ERR_MALFORMED },
    { 93, "ESP behind destination options", V6 | ESP | TUN, 1, 8, NULL,
      dst_opts, IPSEC_OK },
};

static void
test_attacks_wire_extensions(void **state)
{
    (void)state;
    ATTACK_RUN(extensions);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attacks_wire_lengths),
        cmocka_unit_test(test_attacks_wire_spis),
        cmocka_unit_test(test_attacks_wire_extensions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
