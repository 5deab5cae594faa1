/* SPDX-License-Identifier: MIT */
#include "fake/nest.h"
#include "ipsec/mtu.h"

/* How long packets may be: by calculation and by trying, and what TCP is told
 * of it. */

#define IN_CLEAR_MSS 1460

static struct pair pair;
static struct nest nest;
static struct fx_pkt p;
static uint8_t mem[256], was[256];

/* --- ipsec_policy_mtu() */

/* Does a packet of `len` bytes, which may not be cut, fit the SA's mtu? */
static int
fits(size_t len, int version)
{
    struct packet_spec spec = pair_spec(&pair, version, 17, 0);
    size_t hdr = version == 4 ? 28 : 48;
    int rc;

    spec.df = 1;
    spec.payload = len - hdr;
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    rc = ipsec_outbound(&pair.a.ips, &p.pkt);
    if (rc == IPSEC_OK) {
        assert_true(p.pkt.buf.len <= pair.out.sa.mtu);
    } else {
        assert_status(rc, IPSEC_ERR_TOO_BIG);
    }
    fx_pkt_free(&p);
    return rc == IPSEC_OK;
}

static void
check_mtu(int version, size_t link)
{
    size_t most = ipsec_policy_mtu(&pair.a.ips, &pair.pa, 0, link);

    if (most < (version == 4 ? 100u : 1280u)) {
        return; /* of IPv6 no sender need go below: it is cut outside */
    }
    ipsec_sa_set_mtu(&pair.out.sa, (uint16_t)link);
    assert_int_equal(ipsec_policy_mtu(&pair.a.ips, &pair.pa, 0, 0), most);
    assert_int_equal(ipsec_policy_mtu(&pair.a.ips, &pair.pa, 0, 9000), most);
    assert_true(fits(most, version));
    assert_false(fits(most + 1, version));
    ipsec_sa_set_mtu(&pair.out.sa, 0);
}

static void
test_mtu_of_a_policy_is_what_passes(void **state)
{
    static const struct { int mode, outer, inner; } row[] = {
        { IPSEC_MODE_TRANSPORT, 4, 4 }, { IPSEC_MODE_TRANSPORT, 6, 6 },
        { IPSEC_MODE_TUNNEL, 4, 4 },    { IPSEC_MODE_TUNNEL, 4, 6 },
        { IPSEC_MODE_TUNNEL, 6, 4 },    { IPSEC_MODE_TUNNEL, 6, 6 },
    };
    size_t s, i, link;

    (void)state;
    for (s = 0; s < SUITES; s++) {
        for (i = 0; i < COUNT(row); i++) {
            if (row[i].inner > FX_IP_LAST || row[i].outer > FX_IP_LAST) {
                continue;
            }
            pair_init(&pair, &suites[s], row[i].mode, row[i].outer);
            /* DF outside, too, so that it matters */
            pair.out.sa.flags |= IPSEC_SA_DF_COPY;
            for (link = 1300; link < 1332; link++) {
                fx_note("%s mode %d %d in %d, %zu bytes", suites[s].name,
                        row[i].mode, row[i].inner, row[i].outer, link);
                check_mtu(row[i].inner, link);
                check_mtu(row[i].inner, link + 100);
            }
        }
    }
}

/* How long a packet of `len` bytes comes out of all SAs. */
static size_t
sealed(size_t len)
{
    struct flight f;
    size_t out;

    flight_out(&f, &nest, len - 28);
    assert_status(f.verdict, IPSEC_OK);
    out = f.p.pkt.buf.len;
    fx_pkt_free(&f.p);
    return out;
}

static void
test_mtu_of_a_bundle(void **state)
{
    size_t layers, link, most;

    (void)state;
    for (layers = 1; layers <= IPSEC_DEPTH; layers++) {
        nest_init(&nest, layers, CBC128);
        for (link = 1400; link < 1500; link++) {
            most = ipsec_policy_mtu(&nest.a.ips, &nest.pa[0], 0, link);
            fx_note("%zu layers, %zu bytes: %zu", layers, link, most);
            assert_true(sealed(most) <= link);
            assert_true(sealed(most + 1) > link);
        }
        nest_free(&nest);
    }
}

/* What any SA may add counts for one that isn't there. */
static void
test_mtu_without_an_sa(void **state)
{
    size_t room = IPSEC_HEADROOM + IPSEC_TAILROOM;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    assert_status(ipsec_sad_remove(&pair.a.ips, &pair.out.sa), IPSEC_OK);
    assert_int_equal(ipsec_policy_mtu(&pair.a.ips, &pair.pa, 0, 1500),
                     1500 - room);
    assert_int_equal(ipsec_policy_mtu(&pair.a.ips, &pair.pa, 0, room + 1), 1);
    assert_int_equal(ipsec_policy_mtu(&pair.a.ips, &pair.pa, 0, room), 0);
    assert_int_equal(ipsec_policy_mtu(&pair.a.ips, &pair.pa, 0, room - 1), 0);
}

static void
test_mtu_of_a_policy_in_clear(void **state)
{
    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    assert_int_equal(ipsec_policy_mtu(&pair.a.ips, NULL, 0, 1500), 1500);
    pair.pa.action = IPSEC_ACTION_BYPASS;
    assert_int_equal(ipsec_policy_mtu(&pair.a.ips, &pair.pa, 0, 1500), 1500);
}

/* --- ipsec_sa_set_mtu() */

static void
test_mtu_set_keeps_what_icmp_told(void **state)
{
    struct ipsec_sa *sa = &pair.out.sa;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    ipsec_sa_set_mtu(sa, 1500);
    assert_int_equal(sa->mtu, 1500);
    sa->mtu = 1300; /* as src/icmp.c does */
    sa->until = 600;
    ipsec_sa_set_mtu(sa, 9000);
    assert_int_equal(sa->mtu, 1300);
    ipsec_sa_set_mtu(sa, 0);
    assert_int_equal(sa->mtu, 1300);
    ipsec_sa_set_mtu(sa, 1400);
    assert_int_equal(sa->mtu, 1300);
    ipsec_sa_set_mtu(sa, 1280);
    assert_int_equal(sa->mtu, 1280);
    ipsec_sa_set_mtu(sa, 1500);
    assert_int_equal(sa->mtu, 1500);
}

/* ... and when that is too old, it is the new one that counts. */
static void
test_mtu_set_is_what_ageing_goes_back_to(void **state)
{
    struct ipsec_sa *sa = &pair.out.sa;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    ipsec_sa_set_mtu(sa, 1500);
    sa->mtu = 1300;
    sa->until = 600;
    ipsec_sa_set_mtu(sa, 1400);
    (void)ipsec_tick(&pair.a.ips, 601);
    assert_true(fits(1300, 4));
    assert_int_equal(sa->mtu, 1400);
}

/* --- ipsec_mss_clamp() */

/* TCP options, behind which memory ends, and what becomes of their MSS when
 * it is to be 1000. 0: there is none to be lowered, nothing may change. */
static const struct {
    uint8_t  opt[12];
    size_t   len;
    uint8_t  offset; /* the data offset, in words; 0: as it should be */
    unsigned at;     /* where the MSS stands; 0: nothing changes */
} mss_row[] = {
    { { 2, 4, 5, 180 }, 4, 0, 2 },
    { { 1, 2, 4, 5, 180, 1, 1, 0 }, 8, 0, 3 },
    { { 4, 2, 2, 4, 5, 180, 0, 0 }, 8, 0, 4 },
    { { 8, 10, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4 }, 12, 0, 0 },
    { { 2, 4, 3, 232 }, 4, 0, 0 },          /* 1000 already */
    { { 2, 4, 3, 231 }, 4, 0, 0 },
    { { 2, 4, 3, 233 }, 4, 0, 2 },
    { { 0 }, 0, 0, 0 },
    { { 2, 4, 5, 180 }, 4, 4, 0 },          /* offset within the header */
    { { 2, 4, 5, 180 }, 4, 5, 0 },          /* no options, it says */
    { { 2, 4, 5, 180 }, 4, 15, 0 },         /* more than there is */
    { { 2, 3, 5, 180 }, 4, 0, 0 },
    { { 2, 5, 5, 180 }, 4, 0, 0 },
    { { 2, 0, 5, 180 }, 4, 0, 0 },
    { { 2, 1, 5, 180 }, 4, 0, 0 },
    { { 2, 255, 5, 180 }, 4, 0, 0 },
    { { 1, 1, 1, 2 }, 4, 0, 0 },
    { { 1, 1, 2, 4 }, 4, 0, 0 },
    { { 1, 2, 4, 5 }, 4, 0, 0 },
    { { 0, 1, 1, 1, 2, 4, 5, 180 }, 8, 0, 0 }, /* behind the end */
    { { 30, 4, 2, 4, 2, 4, 5, 180 }, 8, 0, 6 },
    { { 2, 6, 5, 180, 0, 0, 0, 0 }, 8, 0, 0 },
};

/* Of TCP in the packet at `ip`, which has `hdr` bytes of header. */
static uint16_t
tcp_sum(const uint8_t *ip, size_t hdr, size_t len)
{
    uint8_t all[300];
    size_t ends = hdr == 40 ? 32 : 8;

    memcpy(all, ip + hdr - ends, ends);
    memset(all + ends, 0, 4);
    all[ends + 1] = 6;
    all[ends + 3] = (uint8_t)(len - hdr);
    memcpy(all + ends + 4, ip + hdr, len - hdr);
    return packet_sum(all, ends + 4 + len - hdr);
}

/* A SYN with these options, in `mem`; its length. */
static size_t
syn_build(int v, const uint8_t *opt, size_t opt_len, unsigned offset)
{
    size_t hdr = v == 4 ? 20 : 40, len;
    struct packet_spec spec = { .proto = 6, .sport = 7, .dport = 8 };
    uint16_t sum;

    spec.src = v == 4 ? "192.0.2.1" : "2001:db8::1";
    spec.dst = v == 4 ? "192.0.2.2" : "2001:db8::2";
    spec.payload = opt_len;
    len = packet_build(mem, &spec);
    memset(mem + hdr, 0, 20);
    mem[hdr + 12] = (uint8_t)((offset != 0 ? offset : 5 + opt_len / 4) << 4);
    mem[hdr + 13] = 2;
    memcpy(mem + hdr + 20, opt, opt_len);
    sum = tcp_sum(mem, hdr, len);
    mem[hdr + 16] = (uint8_t)(sum >> 8);
    mem[hdr + 17] = (uint8_t)sum;
    return len;
}

static int
clamp(uint8_t *data, size_t len, size_t mtu)
{
    struct ipsec_buf buf = { data, data, data + len, len };

    return ipsec_mss_clamp(&buf, mtu);
}

/* Exactly as long as it says, so that the sanitizer sees what is read behind
 * it; and shorter. */
static void
mss_one(size_t i, int v, size_t short_by)
{
    size_t hdr = v == 4 ? 20 : 40, at = hdr + 20 + mss_row[i].at;
    size_t len = syn_build(v, mss_row[i].opt, mss_row[i].len,
                           mss_row[i].offset);
    int due = mss_row[i].at > 0 && short_by == 0, got;
    uint8_t *data = malloc(len - short_by);

    memcpy(was, mem, len);
    memcpy(data, mem, len - short_by);
    got = clamp(data, len - short_by, hdr + 20 + 1000);
    assert_int_equal(got, due);
    memcpy(mem, data, len - short_by);
    free(data);
    if (due) {
        assert_int_equal(mem[at] << 8 | mem[at + 1], 1000);
        assert_int_equal(tcp_sum(mem, hdr, len), 0);
        memcpy(mem + at, was + at, 2);
        memcpy(mem + hdr + 16, was + hdr + 16, 2);
    }
    assert_memory_equal(mem, was, len);
}

static void
test_mss_of_each_kind_of_options(void **state)
{
    size_t i, n;
    int v;

    (void)state;
    for (v = 4; v <= 6; v += 2) {
        for (i = 0; i < COUNT(mss_row); i++) {
            for (n = 0; n <= mss_row[i].len + 20u + (v == 4 ? 20 : 40); n++) {
                fx_note("IPv%d, row %zu, %zu bytes short", v, i, n);
                mss_one(i, v, n);
            }
        }
    }
}

/* Any bytes at all for options: the checksum stays what it was. */
static void
test_mss_of_random_options(void **state)
{
    static const uint8_t likely[] = { 0, 1, 2, 2, 3, 4, 4, 8 };
    struct fx fx;
    uint8_t r[41];
    size_t i, k, len;
    int v, lowered = 0;

    (void)state;
    fx_init(&fx, 0);
    for (i = 0; i < 40000; i++) {
        v = i % 2 ? 4 : 6;
        assert_int_equal(fx_random(&fx, r, sizeof r), 0);
        for (k = 0; k < 40; k++) { /* mostly what options are made of */
            r[k] = r[k] & 8 ? r[k] : likely[r[k] % COUNT(likely)];
        }
        len = syn_build(v, r, r[40] % 10u * 4u, 0);
        lowered += clamp(mem, len, 600);
        assert_int_equal(tcp_sum(mem, v == 4 ? 20 : 40, len), 0);
    }
    assert_true(lowered > 100);
}

/* What isn't a SYN, or can't be seen to be one, and MTUs that say nothing. */
static void
test_mss_lets_others_be(void **state)
{
    static const uint8_t opt[] = { 2, 4, 5, 180 };
    static const struct { int v; size_t at; uint8_t value; size_t mtu; } row[] =
    {
        { 4, 33, 0x10, 600 },   /* an ACK */
        { 4, 9, 17, 600 },      /* UDP */
        { 4, 6, 0x01, 600 },    /* a fragment behind the first */
        { 4, 7, 0x02, 600 },
        { 4, 0, 0x44, 600 },    /* a header too short for IP */
        { 4, 0, 0x55, 600 },    /* no version that we know */
        { 4, 0, 0x45, 40 },     /* no room for any segment */
        { 4, 0, 0x45, 0 },
        { 4, 0, 0x45, 65535 + 40 },
        { 4, 0, 0x45, 1u << 20 },
        { 6, 53, 0x04, 600 },   /* a RST */
        { 6, 6, 0, 600 },       /* extension headers */
        { 6, 0, 0x60, 60 },
    };
    size_t i, len;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        len = syn_build(row[i].v, opt, sizeof opt, 0);
        mem[row[i].at] = row[i].value;
        memcpy(was, mem, len);
        assert_int_equal(clamp(mem, len, row[i].mtu), 0);
        assert_memory_equal(mem, was, len);
    }
    len = syn_build(4, opt, sizeof opt, 0);
    mem[33] = 0x12; /* SYN and ACK */
    assert_int_equal(clamp(mem, len, IN_CLEAR_MSS + 40), 0);
    assert_int_equal(clamp(mem, len, IN_CLEAR_MSS + 39), 1);
    assert_int_equal(clamp(mem, 0, 600), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mtu_of_a_policy_is_what_passes),
        cmocka_unit_test(test_mtu_of_a_bundle),
        cmocka_unit_test(test_mtu_without_an_sa),
        cmocka_unit_test(test_mtu_of_a_policy_in_clear),
        cmocka_unit_test(test_mtu_set_keeps_what_icmp_told),
        cmocka_unit_test(test_mtu_set_is_what_ageing_goes_back_to),
        cmocka_unit_test(test_mss_of_each_kind_of_options),
        cmocka_unit_test(test_mss_of_random_options),
        cmocka_unit_test(test_mss_lets_others_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
