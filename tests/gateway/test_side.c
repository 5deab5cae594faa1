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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_side_reads_what_it_is),
        cmocka_unit_test(test_side_without_ipv6_stays),
        cmocka_unit_test(test_side_drops_the_newest_when_full),
        cmocka_unit_test(test_side_fragments_of_id_0_have_another_in_common),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
