/* SPDX-License-Identifier: MIT */
#include "fake/daemon.h"
#include "ipsec_mbedtls.h"

/*
 * The life of a key daemon: docs/KEYMGMT.md, with two of tests/fake/daemon.c.
 * Every packet goes through send(), which counts what passes in clear.
 */

#define HOST_A "10.1.0.1"
#define HOST_B "10.2.0.2"
#define IKE    500

static struct km a, b;
static size_t in_clear, delivered;
static int in_udp; /* that is how SAs should send */

/* A sealed packet under way. */
struct wire {
    uint8_t data[512];
    size_t  len;
    uint8_t plain[256];
    size_t  plain_len;
};

static uint32_t
wire_spi(const struct wire *w)
{
    const uint8_t *p = w->data + 20;

    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
           (uint32_t)p[2] << 8 | p[3];
}

/* Does `wire` show what `plain` says behind its IP header? */
static int
shows(const struct wire *w)
{
    size_t i, n = w->plain_len - 20;

    for (i = 0; i + n <= w->len; i++) {
        if (memcmp(w->data + i, w->plain + 20, n) == 0) {
            return 1;
        }
    }
    return 0;
}

static int
seal(struct km *from, const char *src, const char *dst, uint16_t port,
     struct wire *w)
{
    struct packet_spec spec;
    struct fx_pkt p;
    int rc;

    memset(&spec, 0, sizeof spec);
    spec.src = src;
    spec.dst = dst;
    spec.proto = 17;
    spec.sport = spec.dport = port;
    spec.payload = 40;
    w->plain_len = packet_build(w->plain, &spec);
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    rc = ipsec_outbound(&from->fx.ips, &p.pkt);
    w->len = p.pkt.buf.len;
    memcpy(w->data, p.pkt.buf.data, w->len);
    if (rc == IPSEC_OK) {
        assert_int_equal(w->data[9], in_udp ? 17 : 50);
        assert_false(shows(w));
    } else {
        in_clear += rc == IPSEC_BYPASS && port != IKE;
        assert_true(fx_pkt_is(&p, w->plain, w->plain_len));
    }
    fx_pkt_free(&p);
    return rc;
}

static int
deliver(struct km *to, const struct wire *w)
{
    struct fx_pkt p;
    int rc;

    fx_pkt_new(&p, w->data, w->len, 0, 0);
    rc = ipsec_inbound(&to->fx.ips, &p.pkt);
    if (rc >= 0) {
        assert_true(fx_pkt_is(&p, w->plain, w->plain_len));
        in_clear += rc == IPSEC_BYPASS && w->plain[23] != (IKE & 0xff);
        delivered++;
    }
    fx_pkt_free(&p);
    return rc;
}

/* From one to the other; the verdict of who didn't let it pass. */
static int
send(struct km *from, struct km *to, const char *src, const char *dst)
{
    struct wire w;
    int rc = seal(from, src, dst, 7, &w);

    return rc == IPSEC_OK ? deliver(to, &w) : rc;
}

/* Both ways. */
#define assert_talk() \
    do { \
        assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_OK); \
        assert_status(send(&b, &a, HOST_B, HOST_A), IPSEC_OK); \
    } while (0)

static void
prefix(struct ipsec_prefix *p, const char *text, uint8_t bits)
{
    memcpy(p->byte, addr(text).byte, 16);
    p->bits = bits;
}

/* Protect between 10.1/16 and 10.2/16: asks for an SA for each remote host,
 * where `pfp`. */
static void
trap(struct km *km, const char *local, const char *remote, uint8_t pfp)
{
    struct ipsec_policy p;

    memset(&p, 0, sizeof p);
    p.action = IPSEC_ACTION_PROTECT;
    p.dir = IPSEC_IN | IPSEC_OUT;
    p.proto = IPSEC_PROTO_ESP;
    p.mode = IPSEC_MODE_TUNNEL;
    p.priority = 1000;
    p.pfp = pfp;
    p.sel.version = 4;
    prefix(&p.sel.local, local, 16);
    prefix(&p.sel.remote, remote, 16);
    assert_status(km_add_policy(km, &p), IPSEC_OK);
}

static void
begin(int tables, uint8_t pfp)
{
    in_clear = delivered = 0;
    in_udp = 0;
    km_init(&a, "192.0.2.1", "198.51.100.2", tables);
    km_init(&b, "198.51.100.2", "192.0.2.1", tables);
    assert_status(km_bypass_socket(&a, IKE), IPSEC_OK);
    assert_status(km_bypass_socket(&b, IKE), IPSEC_OK);
    trap(&a, "10.1.0.0", "10.2.0.0", pfp);
    trap(&b, "10.2.0.0", "10.1.0.0", pfp);
}

/* The daemons can talk whatever the SAs: in clear, by their own BYPASS. */
static void
ike(void)
{
    struct wire w;

    assert_status(seal(&a, "192.0.2.1", "198.51.100.2", IKE, &w),
                  IPSEC_BYPASS);
    assert_status(deliver(&b, &w), IPSEC_BYPASS);
    assert_status(seal(&b, "198.51.100.2", "192.0.2.1", IKE, &w),
                  IPSEC_BYPASS);
    assert_status(deliver(&a, &w), IPSEC_BYPASS);
}

/* A whole exchange, begun by `from`. */
static void
negotiate(struct km *from, struct km *to, struct km_child *c)
{
    struct km_msg offer, answer;
    struct km_child *other;

    km_offer(from, c, &offer);
    ike();
    other = km_answer(to, &offer, &answer);
    km_install(from, c, &answer);
    km_confirm(to, other, &offer);
}

/* The first packet asks for SAs; they are negotiated. */
static void
connect_both(void)
{
    assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_ERR_NO_SA);
    assert_int_equal(a.fx.acquires, 1);
    negotiate(&a, &b, km_child_wanting(&a));
    assert_talk();
}

/* Negotiate on acquire: K-1, K-2, K-6; RFC 4301 section 4.4.1.1. */
static void
acquire_asks_once(int tables)
{
    uint32_t generation;
    struct km_msg offer, answer;
    struct km_child *c, *other;
    int i;

    begin(tables, IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE);
    ike();
    generation = a.fx.ips.sa_generation;
    for (i = 0; i < 3; i++) { /* a larval SA holds further ones off */
        assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_ERR_NO_SA);
    }
    assert_int_equal(a.fx.acquires, 1);
    assert_true(a.fx.ips.sa_generation != generation); /* the larval one */
    c = km_child_wanting(&a);
    km_offer(&a, c, &offer);
    assert_true(offer.spi > 255);
    other = km_answer(&b, &offer, &answer);
    assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_ERR_NO_SA);
    generation = a.fx.ips.sa_generation;
    km_install(&a, c, &answer);
    assert_true(a.fx.ips.sa_generation != generation); /* try again now */
    assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_OK);
    assert_status(send(&b, &a, HOST_B, HOST_A), IPSEC_ERR_NO_SA);
    km_confirm(&b, other, &offer);
    assert_talk();
    assert_int_equal(a.fx.acquires, 1);
    assert_int_equal(in_clear, 0);
}

static void
test_keymgmt_negotiates_on_acquire(void **state)
{
    (void)state;
    acquire_asks_once(0);
    acquire_asks_once(1);
}

/* Populate from packet: each remote host has SAs of its own (RFC 4301
 * section 4.4.1.2), and none of them carries the other's packets. */
static void
test_keymgmt_gives_each_host_its_sa(void **state)
{
    struct wire w;
    uint32_t spi;

    (void)state;
    begin(1, IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE);
    connect_both();
    assert_status(send(&a, &b, HOST_A, "10.2.0.3"), IPSEC_ERR_NO_SA);
    assert_int_equal(a.fx.acquires, 2);
    negotiate(&a, &b, km_child_wanting(&a));
    assert_status(seal(&a, HOST_A, HOST_B, 7, &w), IPSEC_OK);
    spi = wire_spi(&w);
    assert_status(seal(&a, HOST_A, "10.2.0.3", 7, &w), IPSEC_OK);
    assert_true(wire_spi(&w) != spi);
    assert_talk();
    assert_int_equal(a.fx.acquires, 2);
    assert_int_equal(in_clear, 0);
}

/* Rekeying: traffic both ways between all steps, and nothing is lost. K-8,
 * K-10. */
static void
rekey(int tables)
{
    struct km_child *old, *c, *peers_old, *other;
    struct km_msg offer, answer;
    struct ipsec_policy p;
    struct wire late, w;
    uint32_t spi;
    int i;

    begin(tables, IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE);
    a.life.soft_seq = 10;
    a.life.hard_seq = 100;
    connect_both();
    for (i = 0; i < 8; i++) {
        assert_null(km_child_wanting(&a));
        assert_talk();
    }
    assert_talk(); /* the tenth */
    old = km_child_wanting(&a);
    assert_non_null(old);
    assert_true(old->wants_rekey);
    peers_old = &b.child[0];
    assert_status(seal(&a, HOST_A, HOST_B, 7, &late), IPSEC_OK);

    /* a successor has the reqid and the policy of the old pair */
    c = km_child_new(&a, old->reqid, &old->sel);
    assert_non_null(c);
    p = *ipsec_spd_lookup(&a.fx.ips, IPSEC_OUT, &a.fx.acquire[0].flow);
    assert_status(km_add_policy(&a, &p), IPSEC_OK);
    km_offer(&a, c, &offer);
    assert_talk();
    other = km_answer(&b, &offer, &answer); /* inbound: may be sent to now */
    assert_int_equal(other->reqid, peers_old->reqid);
    assert_talk();
    spi = old->out.sa.spi;
    assert_status(seal(&a, HOST_A, HOST_B, 7, &w), IPSEC_OK);
    assert_int_equal(wire_spi(&w), spi);
    km_install(&a, c, &answer);
    assert_status(seal(&a, HOST_A, HOST_B, 7, &w), IPSEC_OK);
    assert_int_equal(wire_spi(&w), c->out.sa.spi); /* the newest */
    assert_status(deliver(&b, &w), IPSEC_OK);
    assert_talk();
    km_confirm(&b, other, &offer); /* it has seen the peer use the new one */
    assert_talk();
    km_retire(&a, old);
    km_retire(&b, peers_old);
    assert_talk();
    assert_status(deliver(&b, &late), IPSEC_OK); /* inbound lives on */
    assert_status(deliver(&b, &late), IPSEC_ERR_REPLAY);
    assert_int_equal(km_dump_sas(&b, IPSEC_IN), 2);
    assert_int_equal(km_dump_sas(&b, IPSEC_OUT), 1);

    km_tick(&a, ipsec_now(&a.fx.ips) + KM_LATE_S);
    km_tick(&b, ipsec_now(&b.fx.ips) + KM_LATE_S);
    assert_int_equal(km_dump_sas(&b, IPSEC_IN), 1);
    assert_status(deliver(&b, &late), IPSEC_ERR_NO_SA);
    assert_talk();
    assert_int_equal(b.reasons[IPSEC_REASON_REKEYED], 2);
    assert_int_equal(a.fx.acquires, 1);
    assert_int_equal(in_clear, 0);
}

static void
test_keymgmt_rekeys_without_a_gap(void **state)
{
    (void)state;
    rekey(0);
    rekey(1);
}

/* Both ends ask for a successor at once (RFC 7296 section 2.8.1): four SAs,
 * any pair of which may go. */
static void
test_keymgmt_survives_simultaneous_rekeying(void **state)
{
    struct km_child *ca, *cb, *for_a, *for_b;
    struct km_msg offer_a, offer_b, answer_a, answer_b;

    (void)state;
    begin(1, 0);
    connect_both();
    ca = km_child_new(&a, a.child[0].reqid, &a.child[0].sel);
    cb = km_child_new(&b, b.child[0].reqid, &b.child[0].sel);
    km_offer(&a, ca, &offer_a);
    km_offer(&b, cb, &offer_b);
    for_a = km_answer(&b, &offer_a, &answer_b);
    for_b = km_answer(&a, &offer_b, &answer_a);
    km_install(&a, ca, &answer_b);
    km_install(&b, cb, &answer_a);
    assert_talk();
    km_confirm(&a, for_b, &offer_b);
    km_confirm(&b, for_a, &offer_a);
    assert_talk();
    km_delete(&a, ca, IPSEC_REASON_REKEYED); /* the redundant pair */
    km_delete(&b, for_a, IPSEC_REASON_REKEYED);
    assert_talk();
    assert_int_equal(in_clear, 0);
}

static int
move(struct km *km, const char *local, uint16_t local_port,
     const char *remote, uint16_t remote_port)
{
    struct ipsec_addr l = addr(local), r = addr(remote);

    return km_update_sa(km, &km->child[0], &l, local_port, &r, remote_port);
}

/* The peer has another address: keys, numbers and window stay (RFC 4555;
 * update_sa). */
static void
test_keymgmt_follows_a_peer_that_moves(void **state)
{
    struct wire before, w;
    uint64_t seq;

    (void)state;
    begin(1, IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE);
    connect_both();
    assert_status(seal(&a, HOST_A, HOST_B, 7, &before), IPSEC_OK);
    seq = a.child[0].out.sa.seq;
    assert_status(move(&a, "203.0.113.9", 0, "198.51.100.2", 0), IPSEC_OK);
    assert_status(move(&b, "198.51.100.2", 0, "203.0.113.9", 0), IPSEC_OK);
    assert_int_equal(a.child[0].out.sa.seq, seq);
    assert_status(seal(&a, HOST_A, HOST_B, 7, &w), IPSEC_OK);
    assert_memory_equal(w.data + 12, addr("203.0.113.9").byte, 4);
    assert_status(deliver(&b, &w), IPSEC_OK);
    assert_status(deliver(&b, &w), IPSEC_ERR_REPLAY);
    assert_status(deliver(&b, &before), IPSEC_OK); /* sent before it moved */
    assert_talk();
    assert_int_equal(a.fx.acquires, 1);
    assert_int_equal(in_clear, 0);
}

/* What a NAT does to a packet of `a`. */
static void
translate(struct wire *w, const char *src, uint16_t port)
{
    memcpy(w->data + 12, addr(src).byte, 4);
    w->data[20] = (uint8_t)(port >> 8);
    w->data[21] = (uint8_t)port;
    packet_fix(w->data);
}

/* A NAT between the two appears, and changes its mind (RFC 3948, RFC 7296
 * section 2.23): only the newest authentic packet moves the peer. */
static void
test_keymgmt_follows_a_nat(void **state)
{
    struct wire late, w;

    (void)state;
    begin(1, IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE);
    connect_both();
    assert_status(move(&a, "192.0.2.1", 4500, "198.51.100.2", 4500),
                  IPSEC_OK);
    assert_status(move(&b, "198.51.100.2", 4500, "192.0.2.1", 4500),
                  IPSEC_OK);
    in_udp = 1;
    assert_talk();
    assert_int_equal(b.mappings, 0);
    assert_status(seal(&a, HOST_A, HOST_B, 7, &late), IPSEC_OK);
    assert_status(seal(&a, HOST_A, HOST_B, 7, &w), IPSEC_OK);
    translate(&w, "203.0.113.9", 61000);
    w.data[w.len - 1] ^= 1;
    assert_status(deliver(&b, &w), IPSEC_ERR_AUTH); /* forged: nothing moves */
    assert_int_equal(b.mappings, 0);
    w.data[w.len - 1] ^= 1;
    assert_status(deliver(&b, &w), IPSEC_OK);
    assert_int_equal(b.mappings, 1);
    assert_status(deliver(&b, &late), IPSEC_OK); /* by the old way */
    assert_int_equal(b.mappings, 1);
    assert_status(seal(&b, HOST_B, HOST_A, 7, &w), IPSEC_OK);
    assert_memory_equal(w.data + 16, addr("203.0.113.9").byte, 4);
    assert_int_equal(w.data[22] << 8 | w.data[23], 61000);
    assert_int_equal(a.fx.acquires, 1);
    assert_int_equal(in_clear, 0);
}

/* The peer deletes (PF_KEY's K-4): both SAs go, their policy stays as long as
 * someone uses it; the next packet asks again. */
static void
test_keymgmt_peer_deletes(void **state)
{
    struct wire w;

    (void)state;
    begin(1, IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE);
    connect_both();
    assert_status(seal(&a, HOST_A, HOST_B, 7, &w), IPSEC_OK);
    km_delete(&b, &b.child[0], IPSEC_REASON_ADMIN);
    assert_status(deliver(&b, &w), IPSEC_ERR_NO_SA);
    km_delete(&a, &a.child[0], IPSEC_REASON_PEER);
    assert_true(fake_key_wiped(&a.child[0].out.key));
    assert_true(fake_key_wiped(&a.child[0].in.key));
    assert_int_equal(a.reasons[IPSEC_REASON_PEER], 2);
    assert_int_equal(b.reasons[IPSEC_REASON_ADMIN], 2);
    assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_ERR_NO_SA);
    assert_int_equal(a.fx.acquires, 2);
    negotiate(&a, &b, km_child_wanting(&a));
    assert_talk();
    assert_int_equal(in_clear, 0);
}

/* No proposal chosen: the larval SA stays, and holds further attempts off
 * until its time is over (attacks.md 176). */
static void
test_keymgmt_backs_off_after_a_refusal(void **state)
{
    struct km_child *c;
    struct km_msg offer;
    uint32_t now;

    (void)state;
    begin(1, IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE);
    assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_ERR_NO_SA);
    c = km_child_wanting(&a);
    km_offer(&a, c, &offer);
    assert_status(km_del_sa(&a, &c->in, IPSEC_REASON_PEER), IPSEC_OK);
    for (now = 1000; now < 1000 + KM_LARVAL_S; now++) {
        km_tick(&a, now);
        assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_ERR_NO_SA);
        assert_int_equal(a.fx.acquires, 1);
    }
    km_tick(&a, now + 64); /* a table is swept in 64 s */
    assert_int_equal(fx_events(&a.fx, NULL, IPSEC_EVENT_HARD), 1);
    assert_false(c->is_used);
    assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_ERR_NO_SA);
    assert_int_equal(a.fx.acquires, 2);
    negotiate(&a, &b, km_child_wanting(&a));
    assert_talk();
    assert_int_equal(in_clear, 0);
}

/* Packets to many hosts, none of which answers: as many children as there is
 * memory for, no packet in clear, and what there was stays (attacks.md 175,
 * 177). */
static void
test_keymgmt_bounds_a_flood_of_acquires(void **state)
{
    char dst[32];
    int i;

    (void)state;
    begin(1, IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE);
    connect_both();
    for (i = 0; i < 200; i++) {
        snprintf(dst, sizeof dst, "10.2.9.%d", i);
        assert_status(send(&a, &b, HOST_A, dst), IPSEC_ERR_NO_SA);
        if (i % 50 == 0) {
            assert_talk();
        }
    }
    assert_int_equal(a.turned_away, 200 - (KM_CHILDREN - 1));
    assert_int_equal(a.fx.ips.stats.out_drop[-IPSEC_ERR_NO_SA], 201);
    assert_talk();
    km_tick(&a, 1000 + KM_LARVAL_S + 64); /* nobody answered: all free again */
    assert_status(send(&a, &b, HOST_A, "10.2.9.250"), IPSEC_ERR_NO_SA);
    assert_non_null(km_child_wanting(&a));
    assert_int_equal(in_clear, 0);
}

/* Nobody replaces the SAs: they end at the hard limit, and nothing goes out
 * in clear for it (RFC 4301 section 4.4.2.1). */
static void
test_keymgmt_expires_without_a_daemon(void **state)
{
    struct wire w;

    (void)state;
    begin(0, IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE);
    a.life.soft_s = b.life.soft_s = 50;
    a.life.hard_s = b.life.hard_s = 60;
    connect_both();
    a.fx.on_event = NULL; /* it has died */
    a.fx.on_acquire = NULL;
    km_tick(&a, 1059);
    km_tick(&b, 1059);
    assert_talk();
    assert_status(seal(&a, HOST_A, HOST_B, 7, &w), IPSEC_OK);
    km_tick(&a, 1060);
    km_tick(&b, 1060);
    assert_int_equal(fx_events(&a.fx, &a.child[0].out.sa, IPSEC_EVENT_SOFT),
                     1);
    assert_int_equal(fx_events(&a.fx, &a.child[0].out.sa, IPSEC_EVENT_HARD),
                     1);
    assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_ERR_EXPIRED);
    assert_status(deliver(&b, &w), IPSEC_ERR_NO_SA); /* b's daemon lives */
    assert_status(send(&b, &a, HOST_B, HOST_A), IPSEC_ERR_NO_SA);
    assert_int_equal(b.fx.acquires, 1);
    assert_int_equal(in_clear, 0);
}

/* add_policy and del_policy count: a CHILD_SA and its successor share one. */
static void
test_keymgmt_counts_users_of_a_policy(void **state)
{
    struct ipsec_policy p;
    uint32_t generation;

    (void)state;
    begin(1, 0);
    memset(&p, 0, sizeof p);
    p.action = IPSEC_ACTION_DISCARD;
    p.dir = IPSEC_OUT;
    p.priority = 5;
    assert_status(km_add_policy(&a, &p), IPSEC_OK);
    generation = a.fx.ips.generation;
    assert_status(km_add_policy(&a, &p), IPSEC_OK);
    assert_int_equal(a.fx.ips.generation, generation);
    assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_ERR_DISCARD);
    assert_status(km_del_policy(&a, &p), IPSEC_OK);
    assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_ERR_DISCARD);
    assert_status(km_del_policy(&a, &p), IPSEC_OK);
    assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_ERR_NO_SA);
    assert_status(km_del_policy(&a, &p), IPSEC_ERR_ARG);
    assert_int_equal(in_clear, 0);
}

/* A-4.4.1-14: a change of the SPD acts at once on SAs that exist; they stay,
 * or go, as the daemon has it. */
static void
test_keymgmt_policy_change_acts_at_once(void **state)
{
    struct ipsec_policy p;
    struct wire w;

    (void)state;
    begin(1, IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE);
    connect_both();
    assert_status(seal(&a, HOST_A, HOST_B, 7, &w), IPSEC_OK);
    memset(&p, 0, sizeof p);
    p.action = IPSEC_ACTION_DISCARD;
    p.dir = IPSEC_OUT | IPSEC_IN;
    p.priority = 5;
    assert_status(km_add_policy(&b, &p), IPSEC_OK);
    assert_status(deliver(&b, &w), IPSEC_ERR_DISCARD);
    assert_int_equal(km_dump_sas(&b, IPSEC_IN), 1); /* kept ... */
    assert_status(km_del_policy(&b, &p), IPSEC_OK);
    assert_talk();
    km_delete(&b, &b.child[0], IPSEC_REASON_ADMIN); /* ... or deleted */
    assert_int_equal(km_dump_sas(&b, IPSEC_IN), 0);
    assert_int_equal(in_clear, 0);
}

/* SADB_FLUSH, SADB_DUMP, SADB_GET, X_SPDFLUSH, query_sa, query_policy: K-4,
 * K-5, K-12. */
static void
flush_and_dump(int tables)
{
    const struct ipsec_sa *sa;

    begin(tables, IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE);
    connect_both();
    km_tick(&a, 1007);
    assert_talk();
    sa = ipsec_sad_lookup(&a.fx.ips, IPSEC_OUT, b.child[0].in.sa.spi,
                          IPSEC_PROTO_ESP, NULL);
    assert_ptr_equal(sa, &a.child[0].out.sa);
    assert_int_equal(sa->packets, 2);
    assert_int_equal(sa->used, 1007);
    assert_int_equal(km_query_policy(&a, &a.fx.acquire[0].flow), 1007);
    assert_int_equal(km_dump_sas(&a, IPSEC_IN), 1);
    assert_int_equal(km_dump_sas(&a, IPSEC_OUT), 1);

    km_flush_sas(&a);
    assert_null(ipsec_sad_next(&a.fx.ips, NULL));
    assert_int_equal(a.fx.st.wipes, 2);
    assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_ERR_NO_SA);
    km_flush_policies(&a);
    assert_null(ipsec_spd_next(&a.fx.ips, NULL));
    assert_status(send(&a, &b, HOST_A, HOST_B), IPSEC_ERR_NO_POLICY);
    assert_int_equal(in_clear, 0);
}

static void
test_keymgmt_flushes_and_dumps(void **state)
{
    (void)state;
    flush_and_dump(0);
    flush_and_dump(1);
}

/* SADB_REGISTER: what can be had, and with which lengths of keys (K-7). */
static void
test_keymgmt_asks_before_it_proposes(void **state)
{
    const struct ipsec_crypto *crypto = &ipsec_mbedtls;
    struct ipsec_keymat km = { 0 };

    (void)state;
    km.encr = IPSEC_ENCR_AES_GCM_16;
    km.encr_key_len = 16 + 4; /* and the salt */
    assert_true(crypto->key_size(crypto, &km) > 0);
    km.encr_key_len = 17 + 4;
    assert_int_equal(crypto->key_size(crypto, &km), 0);
    km.encr = 3; /* 3DES */
    assert_int_equal(crypto->key_size(crypto, &km), 0);
}

/* A-4.5.2-1: of a single string, the encryption key is the left part. */
static void
test_keymgmt_cuts_keys_left_to_right(void **state)
{
    struct ipsec_keymat km = { 0 };
    uint8_t string[48] = { 0 };

    (void)state;
    km.encr_key_len = 16;
    km.integ_key_len = 32;
    km_cut(&km, string);
    assert_ptr_equal(km.encr_key, string);
    assert_ptr_equal(km.integ_key, string + 16);
}

/* Restart from a reservation */

#define CHUNK 32 /* numbers, a write */

/* Non-volatile memory, and a power cut at the n-th point. */
struct flash {
    uint64_t hard;
    uint64_t margin; /* between soft and hard */
};

static struct flash flash_out = { 0, 8 };
/* The receiver's: more than all that a sender reserves, which is how far it
 * may jump; for a packet that reaches `hard` raises no SOFT any more. */
static struct flash flash_in = { 0, CHUNK + 8 + 2 };
static size_t points, cut_at, cut_n;
static const struct flash *cut_whose;
static jmp_buf power;

static void
point(const struct flash *whose)
{
    if (whose == cut_whose && ++points == cut_at) {
        longjmp(power, 1);
    }
}

static void
flash_write(struct flash *flash, uint64_t hard)
{
    point(flash);
    flash->hard = hard;
    point(flash);
}

/* Write first, then use: the numbers after `seq`. */
static void
reserve(struct flash *flash, struct ipsec_lifetime *life, uint64_t seq)
{
    uint64_t hard = seq + CHUNK + flash->margin;

    flash_write(flash, hard);
    life->hard_seq = hard;
    life->soft_seq = hard - flash->margin; /* above sa->seq, or it won't come */
}

static struct fx sender, receiver;
static struct fx_sa key_out, key_in;
static struct ipsec_policy static_policy;

static void
static_event(struct fx *fx, struct ipsec_sa *sa, int event)
{
    (void)fx;
    if (event == IPSEC_EVENT_SOFT && sa->dir == IPSEC_OUT) {
        reserve(&flash_out, &key_out.life, sa->seq);
    } else if (event == IPSEC_EVENT_SOFT) {
        reserve(&flash_in, &key_in.life, sa->seq);
    }
}

/* The same key as ever. */
static void
static_start(struct fx *fx, struct fx_sa *s, int dir, struct flash *flash)
{
    static struct ipsec_policy policy[2];
    struct ipsec_policy *p = &policy[dir == IPSEC_IN];

    fx_init(fx, 0);
    fx->on_event = static_event;
    fx_sa_set(s, &suites[GCM128], dir, IPSEC_MODE_TRANSPORT, 0x1001,
              dir == IPSEC_OUT ? "192.0.2.1" : "192.0.2.2",
              dir == IPSEC_OUT ? "192.0.2.2" : "192.0.2.1");
    s->params.flags = 0;
    s->params.seq = flash->hard;
    s->params.life = &s->life;
    reserve(flash, &s->life, flash->hard);
    assert_status(fx_sa_add(fx, s), IPSEC_OK);
    *p = static_policy;
    assert_status(ipsec_spd_add(&fx->ips, p), IPSEC_OK);
}

/* All numbers sent, all packets accepted, through all restarts. */
#define SENT_MAX 4096
static uint8_t number_used[SENT_MAX];
static struct { uint8_t data[128]; size_t len; } taken[64];
static size_t takens, sent, replays, lost;

static void
static_send(void)
{
    struct packet_spec spec = { "192.0.2.1", "192.0.2.2", 17, 5, 7, 20, 0, 0,
                                0, 0, 0, 0, 0, 0, NULL };
    uint8_t mem[256], wire[128];
    struct ipsec_pkt pkt; /* no heap: a power cut would lose it */
    size_t len;
    uint64_t seq;
    int rc;

    len = packet_build(mem + IPSEC_HEADROOM, &spec);
    ipsec_pkt_init(&pkt, mem, sizeof mem, IPSEC_HEADROOM, len);
    assert_status(ipsec_outbound(&sender.ips, &pkt), IPSEC_OK);
    len = pkt.buf.len;
    memcpy(wire, pkt.buf.data, len);
    sent++;
    seq = (uint64_t)wire[26] << 8 | wire[27];
    assert_true(seq < SENT_MAX && seq <= flash_out.hard);
    assert_int_equal(number_used[seq], 0); /* attacks.md 160 */
    number_used[seq] = 1;
    point(&flash_out);

    ipsec_pkt_init(&pkt, pkt.buf.data, len, 0, len);
    rc = ipsec_inbound(&receiver.ips, &pkt);
    fx_note("cut %u of %s: number %u, receiver at %u, %u, %u", (unsigned)cut_n,
            cut_whose == &flash_in ? "receiver" : "sender", (unsigned)seq,
            (unsigned)key_in.sa.seq, (unsigned)key_in.life.soft_seq,
            (unsigned)key_in.life.hard_seq);
    if (rc == IPSEC_OK) {
        taken[takens % 64].len = len;
        memcpy(taken[takens++ % 64].data, wire, len);
    } else {
        assert_status(rc, IPSEC_ERR_REPLAY); /* but never overflow */
        lost++;
    }
    point(&flash_in);
}

static void
replay_all(void)
{
    struct fx_pkt p;
    size_t i;

    for (i = 0; i < takens && i < 64; i++) {
        fx_pkt_new(&p, taken[i].data, taken[i].len, 0, 0);
        assert_status(ipsec_inbound(&receiver.ips, &p.pkt),
                      IPSEC_ERR_REPLAY);
        fx_pkt_free(&p);
        replays++;
    }
}

/* One life with a power cut of either host at point `n`, and a second one
 * with none. 0: it never came to that point. */
static int
power_cut(size_t n, int of_sender)
{
    volatile int was_cut = 0;
    int i;

    flash_out.hard = flash_in.hard = 0;
    memset(number_used, 0, sizeof number_used);
    points = takens = sent = lost = 0;
    cut_at = 0;
    cut_whose = of_sender ? &flash_out : &flash_in;
    static_start(&receiver, &key_in, IPSEC_IN, &flash_in);
    points = 0;
    cut_at = cut_n = n;
    if (setjmp(power) == 0) {
        static_start(&sender, &key_out, IPSEC_OUT, &flash_out);
        for (i = 0; i < 3 * CHUNK; i++) {
            static_send();
        }
    } else {
        was_cut = 1;
    }
    cut_at = 0;
    if (of_sender) {
        static_start(&sender, &key_out, IPSEC_OUT, &flash_out);
    }
    if (!of_sender) {
        static_start(&receiver, &key_in, IPSEC_IN, &flash_in);
        replay_all(); /* attacks.md 55 */
    }
    for (i = 0; i < 8 * CHUNK; i++) {
        static_send();
    }
    replay_all();
    if (of_sender) {
        assert_int_equal(lost, 0); /* a jump ahead is no loss */
    } else {
        assert_true(lost <= CHUNK + flash_in.margin);
    }
    return was_cut;
}

/* attacks.md 160: a power cut at each point of it; RFC 4106 section 2. */
static void
test_keymgmt_restarts_from_the_reservation(void **state)
{
    size_t n, cuts = 0;
    int of_sender;

    (void)state;
    memset(&static_policy, 0, sizeof static_policy);
    static_policy.action = IPSEC_ACTION_PROTECT;
    static_policy.dir = IPSEC_IN | IPSEC_OUT;
    static_policy.reqid = 1;
    for (of_sender = 0; of_sender < 2; of_sender++) {
        for (n = 1; power_cut(n, of_sender); n++) {
            cuts++;
        }
    }
    assert_true(cuts > 2 * 3 * CHUNK);
    assert_true(replays > 0);
}

/* attacks.md 55: the same SPI and key again. Out, a counter mode is refused
 * without a reservation; in, what counts as seen is what the caller says. */
static void
test_keymgmt_static_key_again_needs_its_number(void **state)
{
    static struct pair pair;
    struct packet_spec spec;
    uint8_t wire[256];
    size_t len;

    (void)state;
    pair_init(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    spec = pair_spec(&pair, 4, 17, 30);
    len = pair_seal(&pair, &spec, wire);
    assert_status(pair_offer(&pair, wire, len), IPSEC_OK);

    pair.in.params.seq = pair.in.sa.seq;
    assert_status(ipsec_sad_remove(&pair.b.ips, &pair.in.sa), IPSEC_OK);
    assert_status(fx_sa_add(&pair.b, &pair.in), IPSEC_OK);
    assert_status(pair_offer(&pair, wire, len), IPSEC_ERR_REPLAY);

    pair.out.params.flags = 0;
    assert_status(ipsec_sad_remove(&pair.a.ips, &pair.out.sa), IPSEC_OK);
    assert_status(fx_sa_add(&pair.a, &pair.out), IPSEC_ERR_STATIC_KEY);
    pair.out.life.hard_seq = 1000;
    pair.out.params.life = &pair.out.life;
    pair.out.params.seq = 500;
    assert_status(fx_sa_add(&pair.a, &pair.out), IPSEC_OK);
    len = pair_seal(&pair, &spec, wire);
    assert_status(pair_offer(&pair, wire, len), IPSEC_OK);
    assert_int_equal(pair.in.sa.seq, 501);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keymgmt_negotiates_on_acquire),
        cmocka_unit_test(test_keymgmt_gives_each_host_its_sa),
        cmocka_unit_test(test_keymgmt_rekeys_without_a_gap),
        cmocka_unit_test(test_keymgmt_survives_simultaneous_rekeying),
        cmocka_unit_test(test_keymgmt_follows_a_peer_that_moves),
        cmocka_unit_test(test_keymgmt_follows_a_nat),
        cmocka_unit_test(test_keymgmt_peer_deletes),
        cmocka_unit_test(test_keymgmt_backs_off_after_a_refusal),
        cmocka_unit_test(test_keymgmt_bounds_a_flood_of_acquires),
        cmocka_unit_test(test_keymgmt_expires_without_a_daemon),
        cmocka_unit_test(test_keymgmt_counts_users_of_a_policy),
        cmocka_unit_test(test_keymgmt_policy_change_acts_at_once),
        cmocka_unit_test(test_keymgmt_flushes_and_dumps),
        cmocka_unit_test(test_keymgmt_asks_before_it_proposes),
        cmocka_unit_test(test_keymgmt_cuts_keys_left_to_right),
        cmocka_unit_test(test_keymgmt_restarts_from_the_reservation),
        cmocka_unit_test(test_keymgmt_static_key_again_needs_its_number)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
