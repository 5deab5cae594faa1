/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "fake/fixture.h"
#include "ipsec_linux.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The sides of ports/linux/linux_side.c, as far as nobody's rights go. */

static void
test_side_reads_what_it_is(void **state)
{
    static const struct {
        const char *spec;
        int         kind;
    } rows[] = {
        { "tun:ipsec0", IPSEC_LINUX_TUN },
        { "tap:a", IPSEC_LINUX_TAP },
        { "packet:sixteen-letters-", 0 },
        { "packet:fifteen-letters", IPSEC_LINUX_PACKET },
        { "raw", IPSEC_LINUX_RAW },
        { "raw:", IPSEC_LINUX_RAW },
        { "tun", 0 }, { "tun:", 0 }, { "", 0 }, { ":", 0 }, { ":eth0", 0 },
        { "tu:eth0", 0 }, { "tunnel:eth0", 0 }, { "TUN:eth0", 0 },
        { "tun:tun%d", 0 }, /* it would be the name of another */
    };
    struct ipsec_linux_side side;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(ipsec_linux_side_init(&side, rows[i].spec),
                         rows[i].kind != 0 ? 0 : -1);
        if (rows[i].kind != 0) {
            assert_int_equal(side.kind, rows[i].kind);
        }
    }
}

/* A kernel without IPv6 has no socket to send it by: this is no loss of the
 * side, which a packet could bring about then. */
static void
test_side_without_ipv6_stays(void **state)
{
    uint8_t packet[40] = { 0x60 };
    struct ipsec_linux_frame frame;
    struct ipsec_linux_side side;
    struct ipsec_buf buf;

    (void)state;
    assert_int_equal(ipsec_linux_side_init(&side, "raw"), 0);
    memset(&frame, 0, sizeof frame);
    memset(&buf, 0, sizeof buf);
    buf.data = packet;
    buf.len = sizeof packet;
    side.lost = 0;
    ipsec_linux_send(&side, &frame, &buf);
    assert_int_equal(side.lost, 0);
    assert_int_equal(side.count.unsent, 1);
    side.lost = 1;
    ipsec_linux_send(&side, &frame, &buf);
    assert_int_equal(side.count.down, 1);
}

/* What the kernel has no room for is dropped, and counted; what it took before
 * that is as it was. */
static void
test_side_drops_the_newest_when_full(void **state)
{
    struct ipsec_linux_frame frame;
    struct ipsec_linux_side side;
    uint8_t packet[20] = { 0x45 }, got[40];
    struct ipsec_buf buf;
    int pair[2], i;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair),
                     0);
    assert_int_equal(ipsec_linux_side_init(&side, "packet:x"), 0);
    side.fd[0] = pair[0];
    side.lost = 0;
    memset(&frame, 0, sizeof frame);
    memset(&buf, 0, sizeof buf);
    frame.ethernet_len = 14;
    buf.data = packet;
    buf.len = sizeof packet;
    for (i = 0; side.count.full < 3 && i < 100000; i++) {
        memcpy(packet + 4, &i, sizeof i);
        ipsec_linux_send(&side, &frame, &buf);
    }
    ipsec_linux_send_frame(&side, &frame);
    assert_int_equal(side.count.full, 4);
    assert_int_equal(side.count.sent, i - 3);
    assert_int_equal(side.lost, 0);
    for (i = 0; i < (int)side.count.sent; i++) {
        assert_int_equal(recv(pair[1], got, sizeof got, 0), 34);
        assert_memory_equal(got + 14 + 4, &i, sizeof i);
    }
    assert_int_equal(recv(pair[1], got, sizeof got, 0), -1);
    ipsec_linux_close(&side);
    close(pair[1]);
}

/* What was given to the kernel has this id, whatever became of it. */
static unsigned
id_sent(struct ipsec_linux_side *side, unsigned id, unsigned fragment)
{
    uint8_t packet[40] = { 0x45, 0, 0, sizeof packet };
    struct ipsec_linux_frame frame;
    struct ipsec_buf buf;

    memset(&frame, 0, sizeof frame);
    memset(&buf, 0, sizeof buf);
    packet[4] = (uint8_t)(id >> 8);
    packet[5] = (uint8_t)id;
    packet[6] = (uint8_t)(fragment >> 8);
    packet[7] = (uint8_t)fragment;
    buf.data = packet;
    buf.len = sizeof packet;
    ipsec_linux_send(side, &frame, &buf);
    assert_int_equal(packet[6] << 8 | packet[7], fragment);
    return (unsigned)packet[4] << 8 | packet[5];
}

/* The kernel writes an id of its own where it is 0, into each fragment another,
 * and no datagram would come of them: so none is sent with 0. */
static void
test_side_fragments_of_id_0_have_another_in_common(void **state)
{
    struct ipsec_linux_side side;
    unsigned id, i, others = 0;

    (void)state;
    assert_int_equal(ipsec_linux_side_init(&side, "raw"), 0);
    side.lost = 0;
    side.out[0] = open("/dev/null", O_RDWR);
    assert_true(side.out[0] >= 0);
    for (i = 0; i < 32; i++) {
        id = id_sent(&side, 0, 0x2000);
        assert_int_not_equal(id, 0);
        assert_int_equal(id_sent(&side, 0, 0x2000 + 100), id);
        assert_int_equal(id_sent(&side, 0, 0x1fff), id);
        others += id_sent(&side, 0, 0x2000) != id;
    }
    assert_true(others > 16);
    assert_int_equal(id_sent(&side, 0, 0), 0);
    assert_int_equal(id_sent(&side, 0, 0x4000), 0);
    assert_int_equal(id_sent(&side, 1, 0x2000), 1);
    assert_int_equal(id_sent(&side, 256, 0x2001), 256);
    close(side.out[0]);
}

/* An ICMP error that quotes a packet of `proto`, of the given family, behind a
 * header of `hdr` bytes; its length. */
static size_t
icmp_build(uint8_t *p, int four, unsigned type, unsigned code, uint8_t proto,
           unsigned port, int with_fragment)
{
    uint8_t *quote = p + (four ? 24 : 40) + 8;
    size_t hdr = four ? 20 : 40;

    memset(p, 0, 200);
    p[0] = four ? 0x46 : 0x60; /* of IPv4, with options */
    p[four ? 9 : 6] = four ? 1 : 58;
    quote[-8] = (uint8_t)type;
    quote[-7] = (uint8_t)code;
    quote[0] = four ? 0x45 : 0x60;
    quote[four ? 9 : 6] = proto;
    if (with_fragment) {
        quote[6] = 44;
        quote[40] = proto;
        hdr += 8;
    }
    quote[hdr] = (uint8_t)(port >> 8);
    quote[hdr + 1] = (uint8_t)port;
    return (size_t)(quote - p) + hdr + 8;
}

static void
test_side_knows_errors_about_ipsec(void **state)
{
    static const struct {
        int      four;
        unsigned type, code;
        uint8_t  proto;
        unsigned port;
        int      fragment;
        size_t   at; /* 0: none of ours */
    } rows[] = {
        { 1, 3, 4, 50, 0, 0, 52 },     { 0, 2, 0, 50, 0, 0, 88 },
        { 1, 3, 4, 51, 0, 0, 52 },     { 0, 2, 7, 51, 0, 0, 88 },
        { 1, 3, 4, 17, 4500, 0, 52 },  { 0, 2, 0, 17, 4500, 0, 88 },
        { 0, 2, 0, 50, 0, 1, 96 },     { 0, 2, 0, 17, 4500, 1, 96 },
        { 1, 3, 4, 17, 4501, 0, 0 },   { 0, 2, 0, 17, 53, 0, 0 },
        { 1, 3, 4, 6, 4500, 0, 0 },    { 0, 2, 0, 58, 0, 0, 0 },
        { 1, 3, 3, 50, 0, 0, 0 },      { 1, 11, 4, 50, 0, 0, 0 },
        { 0, 1, 4, 50, 0, 0, 0 },      { 0, 2, 0, 6, 4500, 1, 0 },
    };
    uint8_t p[200], proto, *exact;
    size_t i, len, n;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        fx_note("row %zu", i);
        len = icmp_build(p, rows[i].four, rows[i].type, rows[i].code,
                         rows[i].proto, rows[i].port, rows[i].fragment);
        for (n = 0; n <= len; n++) {
            size_t got;

            exact = malloc(n + 1); /* the sanitizer sees what is behind it */
            memcpy(exact, p, n);
            exact = realloc(exact, n > 0 ? n : 1);
            got = ipsec_linux_quoted(exact, n, &proto);
            assert_true(got == 0 || (got == rows[i].at && got <= n &&
                                     proto == rows[i].proto));
            assert_true(n < len || got == rows[i].at);
            free(exact);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_side_reads_what_it_is),
        cmocka_unit_test(test_side_without_ipv6_stays),
        cmocka_unit_test(test_side_drops_the_newest_when_full),
        cmocka_unit_test(test_side_fragments_of_id_0_have_another_in_common),
        cmocka_unit_test(test_side_knows_errors_about_ipsec),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
