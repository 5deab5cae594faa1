/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "fake/fixture.h"
#include "linux_inner.h"

/* TCP's segments that were not cut yet, ports/linux/linux_gso.c. */

#define MSS  1448
#define DATA 4000
#define OPTS 12

static uint8_t mem[2][IPSEC_LINUX_FRAME];

/* All of TCP's flags but SYN and RST; a sequence number that wraps. */
static void
whole_set(struct ipsec_linux_frame *f, int version, size_t data)
{
    size_t head = version == 4 ? 20 : 40, i, n = head + 20 + OPTS + data;
    uint8_t *p = mem[0] + IPSEC_LINUX_HEADROOM, *t = p + head;

    memset(f, 0, sizeof *f);
    memset(p, 0, head + 20 + OPTS);
    f->mem = mem[0];
    f->data = p;
    f->len = n;
    f->is_ip = 1;
    f->gso = MSS;
    f->no_csum = 1;
    p[0] = (uint8_t)(version << 4 | (version == 4 ? 5 : 0));
    if (version == 4) {
        p[2] = (uint8_t)(n >> 8);
        p[3] = (uint8_t)n;
        p[4] = p[5] = 0xff;
        p[8] = 64;
        p[9] = 6;
        memcpy(p + 12, "\12\0\0\1\12\0\0\2", 8);
    } else {
        p[4] = (uint8_t)((n - 40) >> 8);
        p[5] = (uint8_t)(n - 40);
        p[6] = 6;
        p[8] = p[24] = 0xfd;
    }
    memcpy(t + 4, "\xff\xff\xff\xf0", 4);
    t[12] = (20 + OPTS) / 4 << 4;
    t[13] = 0xf9; /* CWR, ECE, URG, ACK, PSH, FIN */
    memset(t + 20, 1, OPTS);
    for (i = 0; i < data; i++) {
        t[20 + OPTS + i] = (uint8_t)(i * 7);
    }
}

static void
test_gso_cuts_as_a_card_would(void **state)
{
    static const int versions[] = { 4, 6 };
    struct ipsec_linux_frame whole, part;
    size_t v, off, n, head, i, at;

    (void)state;
    for (v = 0; v < COUNT(versions); v++) {
        fx_note("IPv%d", versions[v]);
        whole_set(&whole, versions[v], DATA);
        head = versions[v] == 4 ? 20 : 40;
        part = whole;
        part.mem = mem[1];
        for (off = n = 0; ipsec_linux_segment(&whole, &off, &part); n++) {
            const uint8_t *p = part.data, *t = p + head;
            size_t len = n < 2 ? MSS : DATA - 2 * MSS;

            at = n * MSS;
            assert_int_equal(part.len, head + 20 + OPTS + len);
            assert_int_equal(part.no_csum, 0);
            assert_int_equal(part.gso, 0);
            assert_int_equal(versions[v] == 4 ? p[2] << 8 | p[3]
                             : (p[4] << 8 | p[5]) + 40, part.len);
            if (versions[v] == 4) {
                assert_int_equal((p[4] << 8 | p[5]),
                                 (0xffff + n) & 0xffff);
                assert_int_equal(ipsec_linux_header_checksum(p, 20), 0);
            }
            assert_int_equal((uint32_t)t[4] << 24 | (uint32_t)t[5] << 16 |
                             (uint32_t)t[6] << 8 | t[7],
                             (uint32_t)(0xfffffff0 + at));
            assert_int_equal(t[13], 0x70 | (n == 0 ? 0x80 : 0) |
                             (n == 2 ? 0x09 : 0));
            assert_int_equal(ipsec_linux_checksum(p, t, part.len - head, 6),
                             0);
            for (i = 0; i < len; i++) {
                assert_int_equal(t[20 + OPTS + i], (uint8_t)((at + i) * 7));
            }
        }
        assert_int_equal(n, 3);
        assert_int_equal(off, DATA);
    }
}

/* Whatever else it is, is none of it: never read behind its end. */
static void
test_gso_takes_tcp_alone(void **state)
{
    static const struct {
        int    version, at, value;
        size_t len; /* or 0 */
    } rows[] = {
        { 4, 9, 17, 0 }, { 6, 6, 17, 0 }, { 6, 6, 0, 0 }, { 4, 0, 0x41, 0 },
        { 4, 0, 0x4f, 41 }, { 4, 32, 0x40, 0 }, { 4, 32, 0xf0, 79 },
        { 6, 52, 0xf0, 99 }, { 4, 9, 6, 39 }, { 6, 6, 6, 59 },
    };
    struct ipsec_linux_frame whole, part;
    size_t i, off;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        uint8_t *exact;

        whole_set(&whole, rows[i].version, DATA);
        whole.data[rows[i].at] = (uint8_t)rows[i].value;
        whole.len = rows[i].len != 0 ? rows[i].len : whole.len;
        exact = malloc(whole.len);
        memcpy(exact, whole.data, whole.len);
        whole.data = exact;
        part = whole;
        part.mem = mem[1];
        off = 0;
        assert_int_equal(ipsec_linux_segment(&whole, &off, &part), 0);
        assert_int_equal(off, 0);
        free(exact);
    }
    whole_set(&whole, 4, DATA);
    whole.is_ip = 0; /* a frame of another type */
    off = 0;
    assert_int_equal(ipsec_linux_segment(&whole, &off, &part), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gso_cuts_as_a_card_would),
        cmocka_unit_test(test_gso_takes_tcp_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
