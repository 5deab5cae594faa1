/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"
#include "ipsec/netif.h"

/* Two bumps in the stack, and the wire between them. */

#define WIRE 16
#define PLAIN 4096

static struct pair pair;
static struct ipsec_netif na, nb;
static struct ipsec_reass ra, rb;
static struct ipsec_reass_slot sa_slot[2], sb_slot[4];
static uint8_t slot_mem[6][IPSEC_REASS_SIZE(3000, IPSEC_HEADROOM,
                                            IPSEC_TAILROOM)];
static uint8_t frag_mem[2][1500];

/* What the callbacks were told. */
static struct { uint8_t p[PLAIN]; size_t len; } wire[WIRE];
static size_t sent, delivered, dropped, released;
static uint8_t got[PLAIN];
static size_t got_len;
static int status, layers, mtu;

static void
on_transmit(void *user, struct ipsec_pkt *pkt, const struct ipsec_buf *buf)
{
    assert_true(user == &pair && pkt != NULL && sent < WIRE);
    assert_true(buf->len <= PLAIN);
    memcpy(wire[sent].p, buf->data, buf->len);
    wire[sent++].len = buf->len;
}

static void
on_deliver(void *user, struct ipsec_pkt *pkt)
{
    assert_true(user == &pair && pkt->buf.len <= PLAIN);
    memcpy(got, pkt->buf.data, pkt->buf.len);
    got_len = pkt->buf.len;
    layers = pkt->layers;
    delivered++;
}

static void
on_drop(void *user, struct ipsec_pkt *pkt, int why)
{
    assert_true(user == &pair);
    status = why;
    layers = pkt->layers;
    mtu = pkt->mtu;
    dropped++;
}

static void
on_release(void *user, struct ipsec_pkt *pkt)
{
    assert_true(user == &pair && pkt != NULL);
    released++;
}

static void
reass_set(struct ipsec_reass *re, struct ipsec_reass_slot *slot, uint8_t len,
          uint8_t (*mem)[sizeof slot_mem[0]])
{
    size_t i;

    memset(re, 0, sizeof *re);
    memset(slot, 0, len * sizeof *slot);
    for (i = 0; i < len; i++) {
        slot[i].buf = mem[i];
        slot[i].size = sizeof mem[i];
    }
    re->slot = slot;
    re->len = len;
    re->seconds = 30;
    re->headroom = IPSEC_HEADROOM;
    re->tailroom = IPSEC_TAILROOM;
}

static void
forget(void)
{
    sent = delivered = dropped = released = got_len = 0;
    status = layers = mtu = 0;
}

static void
bump(struct ipsec_netif *nif, struct ipsec *ips, struct ipsec_reass *out,
     struct ipsec_reass *in, uint8_t *frag)
{
    memset(nif, 0, sizeof *nif);
    nif->ips = ips;
    nif->user = &pair;
    nif->transmit = on_transmit;
    nif->deliver = on_deliver;
    nif->drop = on_drop;
    nif->release = on_release;
    nif->reass_out = out;
    nif->reass_in = in;
    nif->frag = frag;
    nif->mtu = 1400;
    nif->id = 0xfffffffe;
}

static void
setup(int mode, int version)
{
    pair_init(&pair, &suites[GCM128], mode, version);
    reass_set(&ra, sa_slot, 2, slot_mem);
    reass_set(&rb, sb_slot, 4, slot_mem + 2);
    bump(&na, &pair.a.ips, &ra, NULL, frag_mem[0]);
    bump(&nb, &pair.b.ips, NULL, &rb, frag_mem[1]);
    forget();
}

/* Give a packet to a bump, in memory that is gone when it returns. */
static void
output(const uint8_t *p, size_t len, uint8_t flags)
{
    struct fx_pkt pkt;

    fx_pkt_new(&pkt, p, len, IPSEC_HEADROOM, IPSEC_TAILROOM);
    pkt.pkt.flags = flags;
    pkt.pkt.layers = 3;
    ipsec_netif_output(&na, &pkt.pkt);
    fx_pkt_free(&pkt);
}

static void
input(const uint8_t *p, size_t len, uint8_t flags)
{
    struct fx_pkt pkt;

    fx_pkt_new(&pkt, p, len, 0, 0);
    pkt.pkt.flags = flags;
    pkt.pkt.layers = 3; /* of an earlier use */
    ipsec_netif_input(&nb, &pkt.pkt);
    fx_pkt_free(&pkt);
}

/* All that is on the wire, the last first. */
static void
carry(void)
{
    size_t i = sent;

    while (i-- > 0) {
        input(wire[i].p, wire[i].len, 0);
    }
}

/* A-5.2-1, P-3.3.4-1: ESP in fragments over the link, opened once. */
static void
test_netif_long_packets_go_in_fragments(void **state)
{
    static const int modes[] = { IPSEC_MODE_TRANSPORT, IPSEC_MODE_TUNNEL };
    struct packet_spec spec;
    uint8_t plain[PLAIN];
    size_t i, k, len, n;

    (void)state;
    for (i = 0; i < 4; i++) {
        fx_note("mode %d, IPv%d", modes[i % 2], i / 2 ? 6 : 4);
        setup(modes[i % 2], i / 2 ? 6 : 4);
        spec = pair_spec(&pair, i / 2 ? 6 : 4, 17, 2900);
        len = packet_build(plain, &spec);
        output(plain, len, 0);
        assert_int_equal(sent, 3);
        assert_true(released == 1 && dropped == 0);
        for (k = 0; k < sent; k++) {
            assert_true(wire[k].len <= 1400);
            assert_int_equal(packet_len(wire[k].p), wire[k].len);
        }
        n = sent;
        carry();
        assert_int_equal(delivered, 1);
        assert_int_equal(released, 1 + n);
        assert_int_equal(layers, 1);
        assert_int_equal(got_len, len);
        assert_memory_equal(got, plain, len);
        assert_true(pair.in.sa.packets == 1 && rb.datagrams == 1);
        assert_int_equal(sb_slot[0].state, 0); /* it was given back */
    }
}

/* A-8.2.1-3: the path of the SA, which ICMP may have lowered, is narrower than
 * the link. What may be cut is: nobody else knows of that path. Each IP version
 * has a least that every link takes (RFC 791 section 3.2, RFC 8200
 * section 5). */
static void
test_netif_narrow_paths(void **state)
{
    static const struct {
        uint16_t path;
        size_t   most[2];
    } row[] = { { 1399, { 1399, 1399 } }, { 1280, { 1280, 1280 } },
                { 600, { 600, 1280 } }, { 1, { 68, 1280 } },
                { 0, { 1400, 1400 } }, { 9000, { 1400, 1400 } } };
    struct packet_spec spec;
    uint8_t plain[PLAIN];
    size_t i, k, len, v6, most;

    (void)state;
    for (i = 0; i < 4 * COUNT(row); i++) {
        v6 = i & 1;
        fx_note("row %zu, IPv%d", i / 4, v6 ? 6 : 4);
        setup(i & 2 ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT, v6 ? 6 : 4);
        pair.out.sa.mtu = row[i / 4].path;
        spec = pair_spec(&pair, v6 ? 6 : 4, 17, i / 4 == 3 ? 600 : 1360);
        len = packet_build(plain, &spec);
        output(plain, len, IPSEC_PKT_FRAG_OK);
        most = row[i / 4].most[v6];
        for (k = 0; k < sent; k++) {
            assert_true(wire[k].len <= most);
        }
        assert_true(sent == 1 || wire[0].len > most - 8);
        carry();
        assert_true(delivered == 1 && dropped == 0 && released == 1 + sent);
        assert_true(got_len == len && memcmp(got, plain, len) == 0);
    }
}

/* What can't be cut goes as it is, as far as the link takes it. */
static void
test_netif_narrow_path_uncut(void **state)
{
    struct packet_spec spec;
    uint8_t plain[PLAIN];
    size_t len;

    (void)state;
    setup(IPSEC_MODE_TUNNEL, 6);
    pair.out.sa.mtu = 1300;
    na.frag = NULL;
    spec = pair_spec(&pair, 4, 17, 1270);
    len = packet_build(plain, &spec);
    output(plain, len, 0);
    assert_true(sent == 1 && dropped == 0 && wire[0].len > 1300);
    na.mtu = 0;
    output(plain, len, 0);
    assert_true(sent == 2 && dropped == 0);
}

/* P-3.3.4-1: fragments of the stack's make one datagram for transport mode;
 * A-5.1-4: over the link they are fragments again. */
static void
test_netif_stack_fragments_are_put_together(void **state)
{
    struct packet_spec spec;
    struct ipsec_buf buf, frag;
    uint8_t plain[PLAIN], piece[1400];
    size_t len, off;
    int v6;

    (void)state;
    for (v6 = 0; v6 < FX_IPS; v6++) {
        setup(IPSEC_MODE_TRANSPORT, v6 ? 6 : 4);
        spec = pair_spec(&pair, v6 ? 6 : 4, 17, 2800);
        len = packet_build(plain, &spec);
        buf.head = buf.data = plain;
        buf.end = plain + sizeof plain;
        buf.len = len;
        frag.head = frag.data = piece;
        frag.end = piece + sizeof piece;
        off = 0;
        while (ipsec_fragment(&buf, 1400, 5, &off, &frag) == IPSEC_OK) {
            assert_int_equal(sent, 0);
            output(piece, frag.len, 0);
        }
        assert_true(ra.datagrams == 1 && released == 3);
        assert_int_equal(sent, 3);
        assert_true(pair.out.sa.packets == 1);
        carry();
        assert_true(delivered == 1 && dropped == 0);
        assert_int_equal(got_len, len);
        assert_memory_equal(got, plain, len);
        assert_int_equal(sa_slot[0].state, 0);
    }
}

/* Without reassembly, or on their way through: they are refused. */
static void
test_netif_transport_mode_refuses_other_fragments(void **state)
{
    struct packet_spec spec;
    uint8_t b[256];
    int transit;

    (void)state;
    for (transit = 0; transit < 2; transit++) {
        setup(IPSEC_MODE_TRANSPORT, 4);
        spec = pair_spec(&pair, 4, 17, 64);
        spec.mf = 1;
        if (!transit) {
            na.reass_out = NULL;
        }
        output(b, packet_build(b, &spec), transit ? IPSEC_PKT_TRANSIT : 0);
        assert_true(dropped == 1 && released == 1 && sent == 0);
        assert_status(status,
                      transit ? IPSEC_ERR_MODE : IPSEC_ERR_FRAGMENT);
        assert_int_equal(layers, 0);
    }
}

/* attacks.md 84: what comes out of a tunnel may be a fragment, and stays
 * one. */
static void
test_netif_tunnels_carry_fragments(void **state)
{
    struct packet_spec spec;
    uint8_t b[2048];
    size_t len;

    (void)state;
    setup(IPSEC_MODE_TUNNEL, 4);
    spec = pair_spec(&pair, 4, 17, 1392);
    spec.mf = 1;
    len = packet_build(b, &spec);
    output(b, len, IPSEC_PKT_TRANSIT);
    assert_int_equal(sent, 2); /* itself in fragments */
    carry();
    assert_int_equal(delivered, 1);
    assert_int_equal(got_len, len);
    assert_memory_equal(got, b, len);
}

/* attacks.md 71: fragments of ESP never get to ESP as such. */
static void
test_netif_esp_fragments_alone_are_nothing(void **state)
{
    struct packet_spec spec;
    uint8_t plain[PLAIN];
    size_t n;

    (void)state;
    setup(IPSEC_MODE_TUNNEL, 4);
    spec = pair_spec(&pair, 4, 17, 2000);
    output(plain, packet_build(plain, &spec), 0);
    n = sent;
    assert_int_equal(n, 2);
    forget();
    input(wire[0].p, wire[0].len, 0);
    assert_true(released == 1 && delivered == 0 && dropped == 0);
    wire[1].p[30] ^= 1;
    input(wire[1].p, wire[1].len, 0);
    assert_status(status, IPSEC_ERR_AUTH);
    assert_int_equal(sb_slot[0].state, 0);
    nb.reass_in = NULL;
    input(wire[0].p, wire[0].len, 0);
    assert_status(status, IPSEC_ERR_FRAGMENT);
    nb.reass_in = &rb;
    input(wire[0].p, wire[0].len, IPSEC_PKT_TRANSIT); /* by its policy */
    assert_status(status, IPSEC_ERR_UNPROTECTED);
    input(wire[0].p, 0, 0);
    assert_status(status, IPSEC_ERR_MALFORMED);
}

/* What reassembly refuses has not been touched. */
static void
test_netif_malformed_fragments(void **state)
{
    struct packet_spec spec;
    uint8_t b[256];

    (void)state;
    setup(IPSEC_MODE_TUNNEL, 4);
    spec = pair_spec(&pair, 4, 50, 25);
    spec.mf = 1;
    layers = 1;
    input(b, packet_build(b, &spec), 0);
    assert_status(status, IPSEC_ERR_MALFORMED);
    assert_int_equal(layers, 0);
    layers = 1;
    output(b, packet_build(b, &spec), 0);
    assert_true(dropped == 2 && released == 2 && layers == 0);
    assert_true(ra.malformed == 1 && rb.malformed == 1);
}

/* Clear fragments: by their policy, or whole if that is asked for. */
static void
test_netif_clear_fragments(void **state)
{
    static struct ipsec_policy clear;
    struct packet_spec spec;
    uint8_t b[2][256];
    size_t len[2];
    int flag;

    (void)state;
    for (flag = 0; flag < 2; flag++) {
        setup(IPSEC_MODE_TUNNEL, 4);
        nb.flags = (uint8_t)flag;
        memset(&clear, 0, sizeof clear);
        clear.action = IPSEC_ACTION_BYPASS;
        clear.dir = IPSEC_IN;
        clear.sel.proto = 17;
        clear.sel.set = IPSEC_SEL_LOCAL_PORT;
        clear.sel.local_port_lo = clear.sel.local_port_hi = 53;
        ipsec_spd_remove(&pair.b.ips, &pair.pb);
        assert_status(ipsec_spd_add(&pair.b.ips, &clear), IPSEC_OK);
        spec = pair_spec(&pair, 4, 17, 24);
        spec.dport = 53;
        spec.mf = 1;
        len[0] = packet_build(b[0], &spec);
        spec.mf = 0;
        spec.frag = 4;
        len[1] = packet_build(b[1], &spec);
        input(b[0], len[0], 0);
        input(b[1], len[1], 0);
        assert_int_equal(delivered, 1);
        assert_int_equal(dropped, flag ? 0 : 1);
        assert_int_equal(got_len, flag ? 20 + 32 + 32 : 20 + 32);
        assert_int_equal(released, 2);
    }
}

/* Destination options may be ahead of ESP: only the first fragment tells. And
 * UDP may be ESP, where that is on. */
static void
test_netif_hidden_esp_is_put_together(void **state)
{
    static const struct {
        const char *src, *dst, *ext;
        uint8_t proto;
        uint16_t natt;
        int kept;
    } row[] = {
        { "fd00::1", "fd00::2", "fd", 50, 0, 1 },
        { "fd00::1", "fd00::2", "fd", 17, 0, 1 }, /* as its others are */
        { "fd00::1", "fd00::2", "f", 51, 0, 1 },
        { "fd00::1", "fd00::2", "f", 17, 0, 0 },
        { "fd00::1", "fd00::2", "f", 17, 4500, 1 },
        { "10.0.0.1", "10.0.0.2", "", 17, 4500, 1 },
        { "10.0.0.1", "10.0.0.2", "", 17, 0, 0 },
        { "10.0.0.1", "10.0.0.2", "", 60, 0, 0 },
        { "10.0.0.1", "10.0.0.2", "", 51, 0, 1 },
    };
    struct packet_spec spec = { .payload = 24, .mf = 1 };
    uint8_t b[256];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("row %zu", i);
        setup(IPSEC_MODE_TUNNEL, 4);
        pair.b.cfg.natt_port = row[i].natt;
        spec.src = row[i].src;
        spec.dst = row[i].dst;
        spec.ext = row[i].ext;
        spec.proto = row[i].proto;
        input(b, packet_build(b, &spec), 0);
        assert_int_equal(dropped, !row[i].kept);
        assert_int_equal(sb_slot[0].state != 0, row[i].kept);
        assert_int_equal(released, 1);
    }
}

/* What may not be cut: DF; IPv6 that isn't ours; nowhere to cut it in. */
static void
test_netif_too_big(void **state)
{
    static struct ipsec_policy clear;
    struct packet_spec spec;
    uint8_t plain[PLAIN];
    size_t len, i;

    (void)state;
    for (i = 0; i < 4; i++) {
        fx_note("row %zu", i);
        setup(IPSEC_MODE_TUNNEL, 4);
        memset(&clear, 0, sizeof clear);
        clear.action = IPSEC_ACTION_BYPASS;
        clear.dir = IPSEC_OUT;
        ipsec_spd_remove(&pair.a.ips, &pair.pa);
        assert_status(ipsec_spd_add(&pair.a.ips, &clear), IPSEC_OK);
        spec = pair_spec(&pair, i % 2 ? 6 : 4, 17, 1400);
        spec.df = i == 0;
        len = packet_build(plain, &spec);
        if (i == 2) {
            na.frag = NULL;
        }
        output(plain, len, i == 3 ? IPSEC_PKT_FRAG_OK : 0);
        if (i == 3) {
            assert_true(sent == 2 && dropped == 0);
            continue;
        }
        assert_true(sent == 0 && dropped == 1 && released == 1);
        assert_status(status, IPSEC_ERR_TOO_BIG);
        assert_int_equal(mtu, 1400);
        na.mtu = 0;
        output(plain, len, 0);
        assert_true(sent == 1 && wire[0].len == len);
        na.mtu = (uint16_t)len;
        output(plain, len, 0);
        assert_true(sent == 2 && wire[1].len == len);
    }
}

/* No two IPv6 datagrams that were cut have one id. */
static void
test_netif_ids(void **state)
{
    struct packet_spec spec;
    uint8_t plain[PLAIN];
    size_t i, len;

    (void)state;
    setup(IPSEC_MODE_TUNNEL, 6);
    spec = pair_spec(&pair, 4, 17, 1500);
    len = packet_build(plain, &spec);
    for (i = 0; i < 6; i++) {
        output(plain, len, 0);
    }
    assert_int_equal(sent, 12);
    for (i = 0; i < 12; i += 2) {
        assert_true(get32(wire[i].p + 44) == get32(wire[i + 1].p + 44));
        assert_true(get32(wire[i].p + 44) == (uint32_t)(0xffffffff + i / 2));
    }
}

/* Engines that answer later */

static struct fx_pkt later[WIRE];

static void
done_a(struct ipsec_op *op, int result)
{
    ipsec_netif_resume(&na, ipsec_op_pkt(op), result);
}

static void
done_b(struct ipsec_op *op, int result)
{
    ipsec_netif_resume(&nb, ipsec_op_pkt(op), result);
}

static void
test_netif_resumes(void **state)
{
    struct packet_spec spec;
    uint8_t plain[PLAIN];
    size_t len, i, n;

    (void)state;
    setup(IPSEC_MODE_TUNNEL, 4);
    pair.a.st.mode = pair.b.st.mode = FAKE_ASYNC;
    spec = pair_spec(&pair, 4, 17, 2000);
    len = packet_build(plain, &spec);
    fx_pkt_new(&later[0], plain, len, IPSEC_HEADROOM, IPSEC_TAILROOM);
    later[0].pkt.done = done_a;
    ipsec_netif_output(&na, &later[0].pkt);
    assert_true(sent + released + dropped == 0);
    fake_complete(&pair.a.st, 0);
    assert_true(sent == 2 && released == 1);
    fx_pkt_free(&later[0]);
    n = sent;
    forget();
    for (i = 0; i < n; i++) {
        fx_pkt_new(&later[i], wire[i].p, wire[i].len, 0, 0);
        later[i].pkt.done = done_b;
        ipsec_netif_input(&nb, &later[i].pkt);
        assert_int_equal(released, 1);
    }
    fx_pkt_free(&later[0]); /* copied; the other lies in the slot by now */
    fx_pkt_free(&later[1]);
    assert_int_equal(delivered, 0);
    assert_int_not_equal(sb_slot[0].state, 0);
    fake_complete(&pair.b.st, 0);
    assert_true(delivered == 1 && released == 2 && dropped == 0);
    assert_memory_equal(got, plain, len);
    assert_int_equal(sb_slot[0].state, 0);
}

static void
test_netif_resumes_failures(void **state)
{
    struct packet_spec spec;
    uint8_t plain[PLAIN];
    size_t len;

    (void)state;
    setup(IPSEC_MODE_TUNNEL, 4);
    pair.a.st.mode = pair.b.st.mode = FAKE_ASYNC;
    spec = pair_spec(&pair, 4, 17, 20);
    len = packet_build(plain, &spec);
    fx_pkt_new(&later[0], plain, len, IPSEC_HEADROOM, IPSEC_TAILROOM);
    later[0].pkt.done = done_a;
    ipsec_netif_output(&na, &later[0].pkt);
    fake_complete_with(&pair.a.st, 0, IPSEC_ERR_BUSY);
    assert_status(status, IPSEC_ERR_BUSY);
    assert_true(dropped == 1 && released == 1 && sent == 0);
    fx_pkt_free(&later[0]);
    pair.a.st.mode = FAKE_SYNC;
    output(plain, len, 0);
    assert_int_equal(sent, 1);
    fx_pkt_new(&later[0], wire[0].p, wire[0].len, 0, 0);
    later[0].pkt.done = done_b;
    ipsec_netif_input(&nb, &later[0].pkt);
    fake_complete_with(&pair.b.st, 0, IPSEC_ERR_CRYPTO);
    assert_status(status, IPSEC_ERR_CRYPTO);
    assert_true(dropped == 2 && released == 3 && delivered == 0);
    fx_pkt_free(&later[0]);
}

/* A-4.4.2.1-10: a packet of which a part was there in the SA's lifetime. */
static void
test_netif_late_for_the_sa(void **state)
{
    struct packet_spec spec;
    uint8_t plain[PLAIN];

    (void)state;
    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.in.params.life = &pair.in.life;
    pair.in.life.hard_s = 10;
    pair_begin(&pair);
    reass_set(&rb, sb_slot, 4, slot_mem + 2);
    bump(&na, &pair.a.ips, NULL, NULL, frag_mem[0]);
    bump(&nb, &pair.b.ips, NULL, &rb, frag_mem[1]);
    forget();
    spec = pair_spec(&pair, 4, 17, 2000);
    output(plain, packet_build(plain, &spec), 0);
    assert_int_equal(sent, 2);
    input(wire[0].p, wire[0].len, 0);
    ipsec_tick(&pair.b.ips, 10);
    input(wire[1].p, wire[1].len, 0);
    assert_status(status, IPSEC_ERR_EXPIRED);
    assert_int_equal(delivered, 0);
}

static void
remove_it(struct fx *fx, struct ipsec_sa *sa, int event)
{
    if (event == IPSEC_EVENT_HARD) {
        assert_status(ipsec_sad_remove(&fx->ips, sa), IPSEC_PENDING);
    }
}

/* The last packet of an SA, which a callback removes with the packet on its
 * way: there is no path MTU any more, and the packet goes out, whole or cut. */
static void
test_netif_last_of_the_sa(void **state)
{
    static const struct { size_t payload, sent; } row[] = {
        { 100, 1 }, { 2000, 2 }
    };
    struct packet_spec spec;
    uint8_t plain[PLAIN];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
        pair.out.params.mtu = 1000;
        pair.out.params.life = &pair.out.life;
        pair.out.life.hard_seq = 1;
        pair_begin(&pair);
        pair.a.on_event = remove_it;
        bump(&na, &pair.a.ips, NULL, NULL, frag_mem[0]);
        forget();
        spec = pair_spec(&pair, 4, 17, row[i].payload);
        output(plain, packet_build(plain, &spec), 0);
        assert_int_equal(sent, row[i].sent);
        assert_true(released == 1 && dropped == 0);
        assert_int_equal(
            fx_events(&pair.a, &pair.out.sa, IPSEC_EVENT_RELEASED), 1);
    }
}

/* A dummy packet is forgotten: released, no more. */
static void
test_netif_consumed(void **state)
{
    static uint8_t dummy[64];
    struct craft craft = { .body = dummy, .seq = 1 };
    uint8_t b[256];
    size_t len;

    (void)state;
    setup(IPSEC_MODE_TUNNEL, 4);
    craft.len = body_end(pair_suite(&pair), dummy, 20, PROTO_NONE);
    len = pair_craft(&pair, &craft, b);
    input(b, len, 0);
    assert_true(released == 1 && delivered == 0 && dropped == 0);
    assert_true(pair.b.ips.stats.in_consumed == 1);
    nb.release = NULL;
    craft.seq = 2;
    len = pair_craft(&pair, &craft, b);
    input(b, len, 0);
    assert_true(released == 1 && pair.b.ips.stats.in_consumed == 2);
}

/* Nobody outside can add to what comes from inside. */
static void
test_netif_sides_do_not_mix(void **state)
{
    struct packet_spec spec;
    struct fx_pkt p;
    uint8_t b[256];

    (void)state;
    setup(IPSEC_MODE_TRANSPORT, 4);
    na.reass_in = &rb;
    na.flags = IPSEC_NETIF_REASS_CLEAR;
    spec = pair_spec(&pair, 4, 17, 24);
    spec.mf = 1;
    output(b, packet_build(b, &spec), 0);
    spec.mf = 0;
    spec.frag = 4;
    packet_build(b, &spec);
    fx_pkt_new(&p, b, packet_build(b, &spec), 0, 0);
    ipsec_netif_input(&na, &p.pkt);
    fx_pkt_free(&p);
    assert_true(ra.datagrams == 0 && rb.datagrams == 0);
    assert_true(released == 2 && sent == 0 && delivered == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_netif_long_packets_go_in_fragments),
        cmocka_unit_test(test_netif_narrow_paths),
        cmocka_unit_test(test_netif_narrow_path_uncut),
        cmocka_unit_test(test_netif_stack_fragments_are_put_together),
        cmocka_unit_test(test_netif_transport_mode_refuses_other_fragments),
        cmocka_unit_test(test_netif_tunnels_carry_fragments),
        cmocka_unit_test(test_netif_esp_fragments_alone_are_nothing),
        cmocka_unit_test(test_netif_malformed_fragments),
        cmocka_unit_test(test_netif_clear_fragments),
        cmocka_unit_test(test_netif_hidden_esp_is_put_together),
        cmocka_unit_test(test_netif_too_big),
        cmocka_unit_test(test_netif_ids),
        cmocka_unit_test(test_netif_resumes),
        cmocka_unit_test(test_netif_resumes_failures),
        cmocka_unit_test(test_netif_late_for_the_sa),
        cmocka_unit_test(test_netif_last_of_the_sa),
        cmocka_unit_test(test_netif_consumed),
        cmocka_unit_test(test_netif_sides_do_not_mix)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
