/* SPDX-License-Identifier: MIT */
#include "fake/natt.h"

/* What a NAT does to ESP in UDP: other source addresses and ports (RFC 7296
 * section 2.23), and checksums that don't suit them (RFC 3948 section
 * 3.1.2). */

#define WIRES 8

static struct pair pair;
static uint8_t wire[WIRES][1024], plain[2048];
static size_t wire_len[WIRES];

/* What the callback saw, and is to do. */
static struct {
    size_t calls;
    struct ipsec_sa *sa;
    struct ipsec_addr remote;
    uint16_t port, flags;
    int update, remove, removed;
} seen;

static void
log_mapping(void *user, struct ipsec_sa *sa, const struct ipsec_addr *remote,
            uint16_t port)
{
    struct fx *fx = user;

    seen.calls++;
    seen.sa = sa;
    seen.remote = *remote;
    seen.port = port;
    if (seen.update) {
        assert_status(ipsec_sad_update(&fx->ips, sa, seen.flags, &sa->local,
                                       sa->local_port, remote, port),
                      IPSEC_OK);
    }
    if (seen.remove) {
        seen.removed = ipsec_sad_remove(&fx->ips, sa);
    }
}

static void
prepare(const struct suite *suite, int mode, int version)
{
    memset(&seen, 0, sizeof seen);
    natt_prepare(&pair, suite, mode, version);
    pair.b.cfg.mapping = log_mapping;
}

/* Packets 1, 2, 3 ... in wire[0], wire[1], wire[2] ... */
static void
seal_all(void)
{
    struct packet_spec spec;
    size_t i;

    for (i = 0; i < WIRES; i++) {
        spec = pair_spec(&pair, 4, 6, 40 + i);
        if (pair.out.params.mode == IPSEC_MODE_TRANSPORT) {
            spec = pair_spec(&pair, 0, 6, 40 + i);
        }
        wire_len[i] = pair_seal(&pair, &spec, wire[i]);
    }
}

static void
begin(int mode, int version)
{
    prepare(&suites[GCM128], mode, version);
    pair_begin(&pair);
    seal_all();
}

static int
offer(size_t i)
{
    return pair_offer(&pair, wire[i], wire_len[i]);
}

static const char *
outside(int version)
{
    return version == 4 ? "203.0.113.77" : "2001:db8:dead::7";
}

static void
check_seen(size_t calls, int version, uint16_t port)
{
    struct ipsec_addr want = addr(outside(version));

    assert_int_equal(seen.calls, calls);
    assert_ptr_equal(seen.sa, &pair.in.sa);
    assert_int_equal(seen.port, port);
    assert_memory_equal(&seen.remote, &want, sizeof want);
}

/* U-11, attacks.md 137 and 138: the newest authentic packet tells, and no
 * repeated, late or forged one. The SA stays as it is until updated. */
static void
test_natt_mapping_is_told_by_the_newest_alone(void **state)
{
    struct ipsec_sa before;
    int v;

    (void)state;
    for (v = 4; v <= FX_IP_LAST; v += 2) {
        begin(IPSEC_MODE_TUNNEL, v);
        assert_status(offer(0), IPSEC_OK);
        assert_int_equal(seen.calls, 0);
        natt_translate(wire[2], outside(v), 1024);
        assert_status(offer(2), IPSEC_OK);
        check_seen(1, v, 1024);
        natt_translate(wire[2], outside(v), 666); /* replay */
        assert_status(offer(2), IPSEC_ERR_REPLAY);
        natt_translate(wire[1], outside(v), 666); /* late */
        assert_status(offer(1), IPSEC_OK);
        natt_translate(wire[3], outside(v), 666); /* forged */
        wire[3][wire_len[3] - 1] ^= 1;
        before = pair.in.sa;
        assert_status(offer(3), IPSEC_ERR_AUTH);
        assert_true(sa_same(&before, &pair.in.sa));
        assert_int_equal(seen.calls, 1);
        wire[3][wire_len[3] - 1] ^= 1;
        assert_status(offer(3), IPSEC_OK);
        check_seen(2, v, 666);
        assert_status(offer(4), IPSEC_OK); /* from where it always came */
        assert_int_equal(seen.calls, 2);
        assert_int_equal(pair.in.sa.remote_port, NATT_SPORT);
    }
}

/* Either, the address or the port. */
static void
test_natt_mapping_of_either(void **state)
{
    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    natt_translate(wire[0], "192.0.2.1", 1024);
    assert_status(offer(0), IPSEC_OK);
    assert_int_equal(seen.calls, 1);
    natt_translate(wire[1], "192.0.2.2", NATT_SPORT);
    assert_status(offer(1), IPSEC_OK);
    assert_int_equal(seen.calls, 2);
    pair.b.cfg.mapping = NULL;
    natt_translate(wire[2], "192.0.2.3", 1);
    assert_status(offer(2), IPSEC_OK);
}

/* An SA without anti-replay follows the newest number too. */
static void
test_natt_mapping_without_a_window(void **state)
{
    (void)state;
    prepare(&suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.in.params.flags |= IPSEC_SA_NO_REPLAY;
    pair_begin(&pair);
    seal_all();
    natt_translate(wire[1], outside(4), 1024);
    assert_status(offer(1), IPSEC_OK);
    assert_status(offer(1), IPSEC_OK);
    natt_translate(wire[0], outside(4), 1024);
    assert_status(offer(0), IPSEC_OK);
    check_seen(1, 4, 1024);
}

/* An SA that has no ports has no mapping; ESP without UDP tells of none. */
static void
test_natt_mapping_needs_udp(void **state)
{
    static const uint16_t none[2];
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        prepare(&suites[GCM128], IPSEC_MODE_TUNNEL, 4);
        if (i == 0) {
            pair.in.params.local_port = pair.in.params.remote_port = none[0];
        } else {
            pair.out.params.local_port = pair.out.params.remote_port = none[1];
        }
        pair_begin(&pair);
        seal_all();
        memcpy(wire[0] + 12, "\1\2\3\4", 4);
        packet_fix(wire[0]);
        assert_status(offer(0), IPSEC_OK);
        assert_int_equal(seen.calls, 0);
    }
}

/* A dummy packet is authentic too; one with a bad trailer as well, though it
 * is dropped. */
static void
test_natt_mapping_by_what_is_not_delivered(void **state)
{
    static uint8_t body[2][8] = { { 1, 2, 3, 4, 5, 6, 0, 59 },
                                  { 1, 2, 3, 4, 5, 6, 9, 4 } };
    struct craft craft = { .len = 8 };
    size_t i, len;

    (void)state;
    for (i = 0; i < 2; i++) {
        begin(IPSEC_MODE_TUNNEL, 4);
        craft.body = body[i];
        craft.seq = 100;
        len = natt_wrap(wire[0], pair_craft(&pair, &craft, wire[0]));
        natt_translate(wire[0], outside(4), 1024);
        assert_status(pair_offer(&pair, wire[0], len),
                      i == 0 ? IPSEC_CONSUMED : IPSEC_ERR_PADDING);
        check_seen(1, 4, 1024);
    }
}

/* Tunnel mode, both SAs updated: the next packet is from where it should be,
 * and ours go there. */
static void
test_natt_mapping_is_followed(void **state)
{
    (void)state;
    begin(IPSEC_MODE_TUNNEL, 6);
    seen.update = 1;
    natt_translate(wire[0], outside(6), 1024);
    natt_translate(wire[1], outside(6), 1024);
    assert_status(offer(0), IPSEC_OK);
    assert_status(offer(1), IPSEC_OK);
    check_seen(1, 6, 1024);
    assert_int_equal(pair.in.sa.remote_port, 1024);
    assert_memory_equal(&pair.in.sa.remote, &seen.remote, sizeof seen.remote);
    assert_true(pair.in.sa.seq == 2 && pair.in.sa.packets == 2);
}

/* The callback may remove the SA: the packet holds it. */
static void
test_natt_mapping_may_remove_the_sa(void **state)
{
    (void)state;
    begin(IPSEC_MODE_TUNNEL, 4);
    seen.remove = 1;
    natt_translate(wire[0], outside(4), 1024);
    assert_status(offer(0), IPSEC_OK);
    assert_int_equal(seen.removed, IPSEC_PENDING);
    assert_int_equal(fx_events(&pair.b, &pair.in.sa, IPSEC_EVENT_RELEASED), 1);
    assert_int_equal(pair.in.sa.state, IPSEC_SA_NONE);
    assert_true(fake_key_wiped(&pair.in.key));
    assert_status(offer(1), IPSEC_ERR_NO_SA);
}

/* Transport mode binds the source address, but behind a NAT that is known only
 * when the packet has proved authentic: nothing is delivered from elsewhere,
 * and nothing unauthentic counts. */
static void
test_natt_transport_binds_the_address_after_the_icv(void **state)
{
    int v;

    (void)state;
    for (v = 4; v <= FX_IP_LAST; v += 2) {
        begin(IPSEC_MODE_TRANSPORT, v);
        natt_translate(wire[0], outside(v), 1024);
        assert_status(offer(0), IPSEC_ERR_SELECTOR);
        check_seen(1, v, 1024);
        assert_int_equal(pair.b.audit[0].flow.remote_port, 1024);
        natt_translate(wire[1], outside(v), 1024);
        wire[1][wire_len[1] - 1] ^= 1;
        assert_status(offer(1), IPSEC_ERR_AUTH);
        assert_int_equal(seen.calls, 1);
        seen.update = 1;
        natt_translate(wire[3], outside(v), 1024);
        assert_status(offer(3), IPSEC_OK);
        check_seen(2, v, 1024);
        /* late, and from where nobody is any more */
        assert_status(offer(2), IPSEC_ERR_SELECTOR);
        assert_int_equal(seen.calls, 2);
        /* another port of the right address is right */
        seen.update = 0;
        natt_translate(wire[4], outside(v), 2048);
        assert_status(offer(4), IPSEC_OK);
        assert_int_equal(seen.calls, 3);
    }
}

/* Without UDP it is as it was: refused before any crypto. */
static void
test_natt_plain_esp_binds_the_address_before(void **state)
{
    (void)state;
    prepare(&suites[GCM128], IPSEC_MODE_TRANSPORT, 4);
    pair.out.params.local_port = pair.out.params.remote_port = 0;
    pair_begin(&pair);
    seal_all();
    memcpy(wire[0] + 12, "\1\2\3\4", 4);
    packet_fix(wire[0]);
    assert_status(offer(0), IPSEC_ERR_SELECTOR);
    assert_true(pair.b.st.runs == 0 && pair.in.sa.seq == 0);
}

/* Seal the packet in plain; it comes to B from outside, as `p`. */
static void
send_plain(size_t len, int version, uint16_t flags, struct fx_pkt *p)
{
    prepare(&suites[CHACHA], IPSEC_MODE_TRANSPORT, version);
    pair.in.params.remote = addr(outside(version));
    pair.in.params.remote_port = 1024;
    pair.in.params.flags |= flags;
    pair_begin(&pair);
    fx_pkt_new(p, plain, len, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&pair.a.ips, &p->pkt), IPSEC_OK);
    len = p->pkt.buf.len;
    memcpy(wire[0], p->pkt.buf.data, len);
    fx_pkt_free(p);
    natt_translate(wire[0], outside(version), 1024);
    assert_status(pair_open(&pair, wire[0], len, p), IPSEC_OK);
    assert_int_equal(seen.calls, 0);
}

/* The packet of `spec`, in plain. */
static size_t
build(struct packet_spec *spec, int version, uint8_t proto, size_t payload)
{
    prepare(&suites[CHACHA], IPSEC_MODE_TRANSPORT, version);
    *spec = pair_spec(&pair, 0, proto, payload);
    return packet_build(plain, spec);
}

/* U-8, attacks.md 139: as if it had been sent from the address that it now
 * has; without the flag, not. What has no pseudo header is left alone. */
static void
test_natt_checksums(void **state)
{
    static const struct { int version; uint8_t proto; const char *ext; } row[] =
    {
        { 4, 6, NULL }, { 4, 17, NULL }, { 4, 1, NULL }, { 4, 132, NULL },
        { 4, 99, NULL }, { 6, 6, NULL }, { 6, 17, NULL }, { 6, 58, NULL },
        { 6, 99, NULL }, { 6, 17, "d" }, { 6, 6, "hd" }
    };
    struct packet_spec spec;
    uint8_t want[1024];
    struct fx_pkt p;
    size_t i, n, pay;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        for (pay = 0; pay < 70; pay += 7) {
            fx_note("row %zu, %zu bytes", i, pay);
            build(&spec, row[i].version, row[i].proto, pay);
            spec.ext = row[i].ext;
            n = packet_build(plain, &spec);
            spec.src = outside(row[i].version);
            assert_int_equal(packet_build(want, &spec), n);
            send_plain(n, row[i].version, IPSEC_SA_NAT_CSUM, &p);
            assert_true(fx_pkt_is(&p, want, n));
            fx_pkt_free(&p);
            send_plain(n, row[i].version, 0, &p);
            n = row[i].version == 4 ? 20 : 40;
            assert_memory_equal(p.pkt.buf.data + n, plain + n,
                                p.pkt.buf.len - n);
            fx_pkt_free(&p);
        }
    }
}

/* attacks.md 139, 140; RFC 768: no checksum stays none over IPv4, and over
 * IPv6 becomes one; one that comes to 0 is sent as ffff; TCP's 0 is 0. */
static void
test_natt_checksum_zero(void **state)
{
    static const struct { int version; uint8_t proto; uint16_t want; } row[] = {
        { 4, 17, 0xffff }, { 6, 17, 0xffff }, { 4, 6, 0 }, { 6, 6, 0 },
        { 6, 58, 0 }
    };
    size_t i, n, ip, at, data;
    struct packet_spec spec;
    uint8_t b[1024];
    struct fx_pkt p;
    uint32_t sum;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        ip = row[i].version == 4 ? 20 : 40;
        at = ip + (row[i].proto == 17 ? 6 : row[i].proto == 6 ? 16 : 2);
        data = ip + (row[i].proto == 6 ? 20 : 8);
        n = build(&spec, row[i].version, row[i].proto, 12);
        spec.src = outside(row[i].version);
        packet_build(b, &spec);
        sum = (uint32_t)(natt_get16(b + at) + natt_get16(plain + data));
        natt_set16(plain + data, (sum & 0xffff) + (sum >> 16));
        send_plain(n, row[i].version, IPSEC_SA_NAT_CSUM, &p);
        assert_int_equal(natt_get16(p.pkt.buf.data + at), row[i].want);
        assert_int_equal(natt_sum(p.pkt.buf.data, row[i].proto,
                                  p.pkt.buf.data + ip, n - ip), 0);
        fx_pkt_free(&p);
    }
    for (i = 4; i <= FX_IP_LAST; i += 2) {
        ip = i == 4 ? 20 : 40;
        n = build(&spec, (int)i, 17, 11);
        natt_set16(plain + ip + 6, 0);
        send_plain(n, (int)i, IPSEC_SA_NAT_CSUM, &p);
        assert_true((natt_get16(p.pkt.buf.data + ip + 6) == 0) == (i == 4));
        assert_true(i == 4 || natt_sum(p.pkt.buf.data, 17, p.pkt.buf.data + ip,
                                       n - ip) == 0);
        fx_pkt_free(&p);
    }
}

/* Payloads too short for a checksum, and UDP lengths that can't be: let be.
 * UDP that is shorter than its packet: it is its own length that counts. */
static void
test_natt_checksum_of_the_malformed(void **state)
{
    static const struct { uint8_t proto; size_t len, udp; int renewed; } row[] =
    {
        { 6, 0, 0, 0 }, { 6, 17, 0, 0 }, { 6, 18, 0, 1 }, { 17, 0, 0, 0 },
        { 17, 7, 0, 0 }, { 17, 20, 7, 0 }, { 17, 20, 21, 0 },
        { 17, 20, 0xffff, 0 }, { 17, 20, 0, 0 }, { 17, 20, 20, 1 },
        { 17, 20, 13, 1 }, { 17, 20, 8, 1 }, { 58, 3, 0, 0 }, { 58, 4, 0, 1 }
    };
    struct packet_spec spec;
    size_t i, len;
    struct fx_pkt p;
    uint8_t *at;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        build(&spec, 6, 99, row[i].len);
        plain[6] = row[i].proto;
        if (row[i].proto == 17 && row[i].len >= 8) {
            natt_set16(plain + 44, row[i].udp);
        }
        send_plain(40 + row[i].len, 6, IPSEC_SA_NAT_CSUM, &p);
        at = p.pkt.buf.data + 40;
        len = row[i].proto == 17 ? row[i].udp : row[i].len;
        if (row[i].renewed) {
            assert_int_equal(natt_sum(p.pkt.buf.data, row[i].proto, at, len),
                             0);
        } else {
            assert_memory_equal(at, plain + 40, row[i].len);
        }
        fx_pkt_free(&p);
    }
}

/* What a sender of ours would not put into transport mode: a fragment, which
 * has no whole checksum, and an extension header that overruns. */
static void
test_natt_checksum_of_what_can_t_be_parsed(void **state)
{
    static const uint8_t heads[2][8] = { { 17, 0, 0, 1, 0, 0, 0, 77 },
                                         { 17, 255, 1, 4 } };
    struct craft craft = { .seq = 1 };
    uint8_t body[64];
    struct fx_pkt p;
    size_t i, len;

    (void)state;
    for (i = 0; i < 2; i++) {
        prepare(&suites[GCM128], IPSEC_MODE_TRANSPORT, 6);
        pair.in.params.flags |= IPSEC_SA_NAT_CSUM;
        pair_begin(&pair);
        memset(body, 0x5a, sizeof body);
        memcpy(body, heads[i], 8);
        natt_set16(body + 12, 16);
        craft.body = body;
        craft.len = body_end(&suites[GCM128], body, 24, i == 0 ? 44 : 60);
        len = natt_wrap(wire[0], pair_craft(&pair, &craft, wire[0]));
        assert_status(pair_open(&pair, wire[0], len, &p),
                      i == 0 ? IPSEC_OK : IPSEC_ERR_MALFORMED);
        assert_int_equal(p.pkt.buf.len, 64);
        assert_memory_equal(p.pkt.buf.data + 40, body, 24);
        fx_pkt_free(&p);
    }
}

/* Tunnel mode leaves what is inside alone (section 3.1.2), and so does ESP
 * that was not in UDP. */
static void
test_natt_checksum_not_renewed(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;
    size_t n, len;
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        prepare(&suites[CHACHA], i ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT,
                4);
        pair.in.params.flags |= IPSEC_SA_NAT_CSUM;
        if (i == 0) {
            pair.out.params.local_port = pair.out.params.remote_port = 0;
        }
        pair_begin(&pair);
        spec = pair_spec(&pair, 4, 6, 40);
        n = packet_build(plain, &spec);
        plain[36] ^= 1;
        fx_pkt_new(&p, plain, n, IPSEC_HEADROOM, IPSEC_TAILROOM);
        assert_status(ipsec_outbound(&pair.a.ips, &p.pkt), IPSEC_OK);
        len = p.pkt.buf.len;
        memcpy(wire[0], p.pkt.buf.data, len);
        fx_pkt_free(&p);
        assert_status(pair_open(&pair, wire[0], len, &p), IPSEC_OK);
        assert_true(fx_pkt_is(&p, plain, n));
        fx_pkt_free(&p);
    }
}

/* The flag may come with the mapping, for this very packet. */
static void
test_natt_checksum_by_the_mapping(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;
    size_t n;

    (void)state;
    begin(IPSEC_MODE_TRANSPORT, 4);
    seen.update = 1;
    seen.flags = IPSEC_SA_NAT_CSUM;
    natt_translate(wire[0], outside(4), 1024);
    assert_status(pair_open(&pair, wire[0], wire_len[0], &p), IPSEC_OK);
    spec = pair_spec(&pair, 0, 6, 40);
    spec.src = outside(4);
    n = packet_build(plain, &spec);
    assert_true(fx_pkt_is(&p, plain, n));
    fx_pkt_free(&p);
    assert_true(pair.in.sa.flags & IPSEC_SA_NAT_CSUM);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_natt_mapping_is_told_by_the_newest_alone),
        cmocka_unit_test(test_natt_mapping_of_either),
        cmocka_unit_test(test_natt_mapping_without_a_window),
        cmocka_unit_test(test_natt_mapping_needs_udp),
        cmocka_unit_test(test_natt_mapping_by_what_is_not_delivered),
        cmocka_unit_test(test_natt_mapping_is_followed),
        cmocka_unit_test(test_natt_mapping_may_remove_the_sa),
        cmocka_unit_test(test_natt_transport_binds_the_address_after_the_icv),
        cmocka_unit_test(test_natt_plain_esp_binds_the_address_before),
        cmocka_unit_test(test_natt_checksums),
        cmocka_unit_test(test_natt_checksum_zero),
        cmocka_unit_test(test_natt_checksum_of_the_malformed),
        cmocka_unit_test(test_natt_checksum_of_what_can_t_be_parsed),
        cmocka_unit_test(test_natt_checksum_not_renewed),
        cmocka_unit_test(test_natt_checksum_by_the_mapping)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
