/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/*
 * Populate from packet: RFC 4301 section 4.4.2.2, each row of its tables, and
 * the life of an SA that is made so (sections 4.4.1.2 and 5.1).
 * Conformance A-4.4.1-15, A-4.4.1.1-8, A-4.4.2.2-1 to -3.
 */

#define US   "2001:db8:a::1"
#define PEER "2001:db8:b::2"

enum sel { LOCAL, REMOTE, PROTO, LPORT, RPORT, MH, ICMP };

/* Values in the SPD and in the SAD. Of ICMP, CODES is a single type and a
 * range of codes, TYPE a single type and ANY code, ANY both. */
enum value { LIST, CODES, TYPE, ANY, OPAQUE,
             PACKET, /* the packet's */
             DROP,   /* discard packet */
             ERROR };/* "***": to be prohibited */

static const struct row {
    const char *text; /* as in the RFC */
    enum sel    sel;
    enum value  spd;
    int         pfp, seen;
    enum value  sad;
} rows[] = {
    { "loc addr  list of ranges 0 S: list of ranges", LOCAL, LIST, 0, 1, LIST },
    { "loc addr  ANY 0 S: ANY", LOCAL, ANY, 0, 1, ANY },
    { "loc addr  list of ranges 1 S: S", LOCAL, LIST, 1, 1, PACKET },
    { "loc addr  ANY 1 S: S", LOCAL, ANY, 1, 1, PACKET },

    { "rem addr  list of ranges 0 D: list", REMOTE, LIST, 0, 1, LIST },
    { "rem addr  ANY 0 D: ANY", REMOTE, ANY, 0, 1, ANY },
    { "rem addr  list of ranges 1 D: D", REMOTE, LIST, 1, 1, PACKET },
    { "rem addr  ANY 1 D: D", REMOTE, ANY, 1, 1, PACKET },

    { "protocol  list 0 P: list", PROTO, LIST, 0, 1, LIST },
    { "protocol  ANY 0 P: ANY", PROTO, ANY, 0, 1, ANY },
    { "protocol  OPAQUE 0 P: OPAQUE", PROTO, OPAQUE, 0, 1, OPAQUE },
    { "protocol  list 0 not avail.: discard", PROTO, LIST, 0, 0, DROP },
    { "protocol  ANY 0 not avail.: ANY", PROTO, ANY, 0, 0, ANY },
    { "protocol  OPAQUE 0 not avail.: OPAQUE", PROTO, OPAQUE, 0, 0, OPAQUE },
    { "protocol  list 1 P: P", PROTO, LIST, 1, 1, PACKET },
    { "protocol  ANY 1 P: P", PROTO, ANY, 1, 1, PACKET },
    { "protocol  OPAQUE 1 P: ***", PROTO, OPAQUE, 1, 1, ERROR },
    { "protocol  list 1 not avail.: discard", PROTO, LIST, 1, 0, DROP },
    { "protocol  ANY 1 not avail.: discard", PROTO, ANY, 1, 0, DROP },
    { "protocol  OPAQUE 1 not avail.: ***", PROTO, OPAQUE, 1, 0, ERROR },

    { "loc port  list of ranges 0 s: list", LPORT, LIST, 0, 1, LIST },
    { "loc port  ANY 0 s: ANY", LPORT, ANY, 0, 1, ANY },
    { "loc port  OPAQUE 0 s: OPAQUE", LPORT, OPAQUE, 0, 1, OPAQUE },
    { "loc port  list 0 not avail.: discard", LPORT, LIST, 0, 0, DROP },
    { "loc port  ANY 0 not avail.: ANY", LPORT, ANY, 0, 0, ANY },
    { "loc port  OPAQUE 0 not avail.: OPAQUE", LPORT, OPAQUE, 0, 0, OPAQUE },
    { "loc port  list of ranges 1 s: s", LPORT, LIST, 1, 1, PACKET },
    { "loc port  ANY 1 s: s", LPORT, ANY, 1, 1, PACKET },
    { "loc port  OPAQUE 1 s: ***", LPORT, OPAQUE, 1, 1, ERROR },
    { "loc port  list 1 not avail.: discard", LPORT, LIST, 1, 0, DROP },
    { "loc port  ANY 1 not avail.: discard", LPORT, ANY, 1, 0, DROP },
    { "loc port  OPAQUE 1 not avail.: ***", LPORT, OPAQUE, 1, 0, ERROR },

    { "rem port  list of ranges 0 d: list", RPORT, LIST, 0, 1, LIST },
    { "rem port  ANY 0 d: ANY", RPORT, ANY, 0, 1, ANY },
    { "rem port  OPAQUE 0 d: OPAQUE", RPORT, OPAQUE, 0, 1, OPAQUE },
    { "rem port  list 0 not avail.: discard", RPORT, LIST, 0, 0, DROP },
    { "rem port  ANY 0 not avail.: ANY", RPORT, ANY, 0, 0, ANY },
    { "rem port  OPAQUE 0 not avail.: OPAQUE", RPORT, OPAQUE, 0, 0, OPAQUE },
    { "rem port  list of ranges 1 d: d", RPORT, LIST, 1, 1, PACKET },
    { "rem port  ANY 1 d: d", RPORT, ANY, 1, 1, PACKET },
    { "rem port  OPAQUE 1 d: ***", RPORT, OPAQUE, 1, 1, ERROR },
    { "rem port  list 1 not avail.: discard", RPORT, LIST, 1, 0, DROP },
    { "rem port  ANY 1 not avail.: discard", RPORT, ANY, 1, 0, DROP },
    { "rem port  OPAQUE 1 not avail.: ***", RPORT, OPAQUE, 1, 0, ERROR },

    { "mh type  list of ranges 0 T: list", MH, LIST, 0, 1, LIST },
    { "mh type  ANY 0 T: ANY", MH, ANY, 0, 1, ANY },
    { "mh type  OPAQUE 0 T: OPAQUE", MH, OPAQUE, 0, 1, OPAQUE },
    { "mh type  list 0 not avail.: discard", MH, LIST, 0, 0, DROP },
    { "mh type  ANY 0 not avail.: ANY", MH, ANY, 0, 0, ANY },
    { "mh type  OPAQUE 0 not avail.: OPAQUE", MH, OPAQUE, 0, 0, OPAQUE },
    { "mh type  list of ranges 1 T: T", MH, LIST, 1, 1, PACKET },
    { "mh type  ANY 1 T: T", MH, ANY, 1, 1, PACKET },
    { "mh type  OPAQUE 1 T: ***", MH, OPAQUE, 1, 1, ERROR },
    { "mh type  list 1 not avail.: discard", MH, LIST, 1, 0, DROP },
    { "mh type  ANY 1 not avail.: discard", MH, ANY, 1, 0, DROP },
    { "mh type  OPAQUE 1 not avail.: ***", MH, OPAQUE, 1, 0, ERROR },

    { "ICMP  type & range of codes 0 t, c: same", ICMP, CODES, 0, 1, CODES },
    { "ICMP  type & ANY code 0 t, c: same", ICMP, TYPE, 0, 1, TYPE },
    { "ICMP  ANY & ANY 0 t, c: ANY", ICMP, ANY, 0, 1, ANY },
    { "ICMP  OPAQUE 0 t, c: OPAQUE", ICMP, OPAQUE, 0, 1, OPAQUE },
    { "ICMP  type & codes 0 not avail.: discard", ICMP, CODES, 0, 0, DROP },
    { "ICMP  type & ANY 0 not avail.: discard", ICMP, TYPE, 0, 0, DROP },
    { "ICMP  ANY & ANY 0 not avail.: ANY", ICMP, ANY, 0, 0, ANY },
    { "ICMP  OPAQUE 0 not avail.: OPAQUE", ICMP, OPAQUE, 0, 0, OPAQUE },
    { "ICMP  type & codes 1 t, c: t and c", ICMP, CODES, 1, 1, PACKET },
    { "ICMP  type & ANY 1 t, c: t and c", ICMP, TYPE, 1, 1, PACKET },
    { "ICMP  ANY & ANY 1 t, c: t and c", ICMP, ANY, 1, 1, PACKET },
    { "ICMP  OPAQUE 1 t, c: ***", ICMP, OPAQUE, 1, 1, ERROR },
    { "ICMP  type & codes 1 not avail.: discard", ICMP, CODES, 1, 0, DROP },
    { "ICMP  type & ANY 1 not avail.: discard", ICMP, TYPE, 1, 0, DROP },
    { "ICMP  ANY & ANY 1 not avail.: discard", ICMP, ANY, 1, 0, DROP },
    { "ICMP  OPAQUE 1 not avail.: ***", ICMP, OPAQUE, 1, 0, ERROR },
};

static struct fx fx;

static uint8_t
proto_of(enum sel sel)
{
    return sel == MH ? 135 : sel == ICMP ? 58 : 17;
}

/* The packet of a row: whole, or a fragment that lacks what the row says. */
static struct packet_spec
spec_of(const struct row *row)
{
    struct packet_spec spec = {
        .src = US, .dst = PEER, .sport = 5000, .dport = 7, .payload = 24
    };

    spec.proto = proto_of(row->sel);
    if (row->sel == MH) {
        spec.sport = 5 << 8; /* binding update */
    } else if (row->sel == ICMP) {
        spec.sport = 1 << 8 | 4; /* port unreachable */
    }
    if (!row->seen) {
        spec.ext = row->sel == PROTO ? "ld" : "l";
    }
    return spec;
}

static void
prefix(struct ipsec_prefix *p, const char *text, unsigned bits)
{
    struct ipsec_addr a = addr(text);

    memcpy(p->byte, a.byte, sizeof p->byte);
    p->bits = (uint8_t)bits;
}

static void
range(struct ipsec_selector *s, int remote, uint16_t lo, uint16_t hi)
{
    if (remote) {
        s->set |= IPSEC_SEL_REMOTE_PORT;
        s->remote_port_lo = lo;
        s->remote_port_hi = hi;
    } else {
        s->set |= IPSEC_SEL_LOCAL_PORT;
        s->local_port_lo = lo;
        s->local_port_hi = hi;
    }
}

/* `value` of the SPD or the SAD for selector `sel`. */
static void
value_set(struct ipsec_selector *s, enum sel sel, enum value value)
{
    int remote = sel == RPORT;

    if (sel == LOCAL || sel == REMOTE) {
        if (value != ANY) {
            prefix(sel == LOCAL ? &s->local : &s->remote,
                   sel == LOCAL ? US : PEER, value == LIST ? 48 : 128);
        }
    } else if (sel == PROTO) {
        s->proto = value == LIST || value == PACKET ? 17 : 0;
        s->set |= value == OPAQUE ? IPSEC_SEL_PROTO_OPAQUE : 0;
    } else if (value == OPAQUE) {
        range(s, remote, 65535, 0);
    } else if (value == LIST && sel == MH) {
        range(s, remote, 1 << 8, 6 << 8);
    } else if (value == LIST) {
        range(s, remote, remote ? 1 : 4000, remote ? 99 : 6000);
    } else if (value == CODES) {
        range(s, remote, 1 << 8 | 3, 1 << 8 | 6);
    } else if (value == TYPE) {
        range(s, remote, 1 << 8, 1 << 8 | 255);
    } else if (value == PACKET && sel == MH) {
        range(s, remote, 5 << 8, 5 << 8);
    } else if (value == PACKET && sel == ICMP) {
        range(s, remote, 1 << 8 | 4, 1 << 8 | 4);
    } else if (value == PACKET) {
        range(s, remote, remote ? 7 : 5000, remote ? 7 : 5000);
    }
}

static struct ipsec_policy
policy_of(enum sel sel, enum value value)
{
    struct ipsec_policy p;

    memset(&p, 0, sizeof p);
    p.action = IPSEC_ACTION_PROTECT;
    p.dir = IPSEC_IN | IPSEC_OUT;
    p.proto = IPSEC_PROTO_ESP;
    p.mode = IPSEC_MODE_TUNNEL;
    p.priority = 100;
    p.user = &fx;
    p.sel.version = 6;
    p.sel.spd_id = 3;
    p.sel.proto = sel == LOCAL || sel == REMOTE || sel == PROTO
        ? 0 : proto_of(sel);
    value_set(&p.sel, sel, value);
    return p;
}

static uint8_t
pfp_of(enum sel sel)
{
    static const uint8_t flag[] = {
        IPSEC_PFP_LOCAL, IPSEC_PFP_REMOTE, IPSEC_PFP_PROTO,
        IPSEC_PFP_LOCAL_PORT, IPSEC_PFP_REMOTE_PORT, IPSEC_PFP_LOCAL_PORT,
        IPSEC_PFP_LOCAL_PORT
    };

    return flag[sel];
}

/* What ipsec_outbound() says of the packet of a row. */
static void
check_outbound(const struct row *row)
{
    struct packet_spec spec = spec_of(row);
    int want = IPSEC_ERR_NO_SA;
    struct fx_pkt p;

    if (row->spd != ANY && row->spd != OPAQUE && !row->seen) {
        want = IPSEC_ERR_NO_POLICY;
    } else if (row->spd == OPAQUE && row->seen) {
        want = IPSEC_ERR_NO_POLICY;
    } else if (row->sad == DROP) {
        want = IPSEC_ERR_SELECTOR;
    }
    fx_pkt_build(&p, &spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    p.pkt.spd_id = 3;
    assert_status(ipsec_outbound(&fx.ips, &p.pkt), want);
    assert_int_equal(fx.acquires, want == IPSEC_ERR_NO_SA);
    assert_int_equal(fx.ips.stats.out_drop[-want], 1);
    assert_int_equal(fx.audits, 1);
    assert_int_equal(fx.audit[0].status, want);
    assert_int_equal(p.pkt.layers, 0);
    fx_pkt_free(&p);
}

static void
flow_of(struct ipsec_flow *flow, const struct packet_spec *spec)
{
    struct fx_pkt p;

    fx_pkt_build(&p, spec, 0, 0);
    assert_status(ipsec_flow_parse(flow, IPSEC_OUT, &p.pkt.buf), IPSEC_OK);
    flow->spd_id = 3;
    fx_pkt_free(&p);
}

/* The narrow policy has the values of the row, and is what this packet finds
 * from now on. */
static void
check_narrow(const struct row *row, struct ipsec_policy *p)
{
    struct packet_spec spec = spec_of(row);
    struct ipsec_policy narrow, want = policy_of(row->sel, row->sad);
    struct ipsec_flow flow;

    flow_of(&flow, &spec);
    memset(&narrow, 0x5a, sizeof narrow);
    if (row->sad == DROP) {
        assert_status(ipsec_spd_narrow(&narrow, p, &flow),
                      IPSEC_ERR_SELECTOR);
        return;
    }
    assert_status(ipsec_spd_narrow(&narrow, p, &flow), IPSEC_OK);
    assert_memory_equal(&narrow.sel, &want.sel, sizeof want.sel);
    assert_int_equal(narrow.action, IPSEC_ACTION_PROTECT);
    assert_int_equal(narrow.dir, p->dir);
    assert_int_equal(narrow.proto, p->proto);
    assert_int_equal(narrow.mode, p->mode);
    assert_int_equal(narrow.pfp, 0);
    assert_int_equal(narrow.reqid, 0);
    assert_int_equal(narrow.priority, 100);
    assert_ptr_equal(narrow.user, &fx);
    assert_null(narrow.outer);
    narrow.priority--;
    narrow.reqid = 9;
    assert_status(ipsec_spd_add(&fx.ips, &narrow), IPSEC_OK);
    if (ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &flow) != NULL) {
        assert_ptr_equal(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &flow),
                         &narrow);
    } else {
        assert_int_equal(row->spd, OPAQUE); /* and the packet shows it */
        assert_true(row->seen);
    }
    ipsec_spd_remove(&fx.ips, &narrow);
}

/* A-4.4.2.2-1, -2, -3 */
static void
test_narrow_each_row_of_rfc_4301_4_4_2_2(void **state)
{
    const struct row *row;
    struct ipsec_policy p;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        row = &rows[i];
        fx_note("%s", row->text);
        fx_init(&fx, (int)i % 2);
        p = policy_of(row->sel, row->spd);
        p.pfp = row->pfp ? pfp_of(row->sel) : 0;
        if (row->sad == ERROR) {
            assert_status(ipsec_spd_add(&fx.ips, &p), row->sel == PROTO
                          ? IPSEC_ERR_ARG : IPSEC_ERR_PORTS);
            assert_null(ipsec_spd_next(&fx.ips, NULL));
            continue;
        }
        assert_status(ipsec_spd_add(&fx.ips, &p), IPSEC_OK);
        check_narrow(row, &p);
        check_outbound(row);
    }
}

/* "name  list of names N/A N/A: N/A" (section 4.4.2.2): the name is gone, the
 * address that it stood for is there (section 4.4.1.1). A-4.4.1.1-8 */
static void
test_narrow_of_a_name_binds_the_peers_address(void **state)
{
    struct packet_spec spec = { .src = US, .dst = PEER, .proto = 17,
                                .sport = 5000, .dport = 7 };
    struct ipsec_policy p = policy_of(LPORT, LIST), narrow;
    struct ipsec_flow flow, other;

    (void)state;
    fx_init(&fx, 1);
    p.sel.set |= IPSEC_SEL_NAME;
    assert_status(ipsec_spd_add(&fx.ips, &p), IPSEC_OK);
    flow_of(&flow, &spec);
    assert_null(ipsec_spd_lookup(&fx.ips, IPSEC_IN, &flow));
    assert_null(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &flow));
    assert_ptr_equal(ipsec_spd_next(&fx.ips, NULL), &p);
    assert_status(ipsec_spd_narrow(&narrow, &p, &flow), IPSEC_OK);
    assert_int_equal(narrow.sel.set, IPSEC_SEL_LOCAL_PORT);
    assert_int_equal(narrow.sel.local_port_lo, 4000);
    assert_int_equal(narrow.sel.remote.bits, 128);
    assert_memory_equal(narrow.sel.remote.byte, flow.remote.byte, 16);
    assert_int_equal(narrow.sel.local.bits, 0);
    narrow.reqid = 4;
    assert_status(ipsec_spd_add(&fx.ips, &narrow), IPSEC_OK);
    assert_ptr_equal(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &flow), &narrow);
    other = flow;
    other.remote.byte[15]++;
    assert_null(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &other));
}

/* All flags, of flows of all kinds: what is made matches its packet, and none
 * that differs. IPv4, from an entry for both versions. */
static void
test_narrow_takes_all_it_can(void **state)
{
    static const struct {
        uint8_t proto;
        int ports;
    } row[] = { { 6, 1 }, { 17, 1 }, { 132, 1 }, { 1, 1 }, { 47, 0 },
                { 50, 0 }, { 4, 0 } };
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2",
                                .sport = 0x0800, .dport = 7, .payload = 8 };
    struct ipsec_policy p = policy_of(PROTO, ANY), narrow;
    struct ipsec_flow flow, other;
    size_t i;

    (void)state;
    fx_init(&fx, 1);
    p.sel.version = 0;
    p.pfp = IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE | IPSEC_PFP_PROTO |
            IPSEC_PFP_LOCAL_PORT | IPSEC_PFP_REMOTE_PORT;
    for (i = 0; i < COUNT(row); i++) {
        fx_note("proto %u", row[i].proto);
        spec.proto = row[i].proto;
        flow_of(&flow, &spec);
        assert_status(ipsec_spd_narrow(&narrow, &p, &flow), IPSEC_OK);
        assert_int_equal(narrow.sel.version, 4);
        assert_int_equal(narrow.sel.local.bits, 32);
        assert_int_equal(narrow.sel.remote.bits, 32);
        assert_int_equal(narrow.sel.proto, row[i].proto);
        assert_int_equal(narrow.sel.set, row[i].ports ? 3 : 0);
        narrow.reqid = 1;
        assert_status(ipsec_spd_add(&fx.ips, &narrow), IPSEC_OK);
        assert_ptr_equal(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &flow),
                         &narrow);
        other = flow;
        other.local.byte[3]++;
        assert_null(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &other));
        other = flow;
        other.remote.byte[0]++;
        assert_null(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &other));
        other = flow;
        other.proto++;
        assert_null(ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &other));
        other = flow;
        other.local_port++;
        assert_true(row[i].ports !=
                    (ipsec_spd_lookup(&fx.ips, IPSEC_OUT, &other) != NULL));
        ipsec_spd_remove(&fx.ips, &narrow);
    }
}

/* What is no selector is as it was; what is private is as in a new one. */
static void
test_narrow_keeps_the_rest(void **state)
{
    struct packet_spec spec = { .src = US, .dst = PEER, .proto = 17 };
    struct ipsec_policy p = policy_of(PROTO, ANY), outer = p, narrow;
    struct ipsec_flow flow;

    (void)state;
    flow_of(&flow, &spec);
    p.flags = IPSEC_POLICY_FRAGMENTS;
    p.outer = &outer;
    p.linked = 1;
    p.tuple = 3;
    p.age = 7;
    p.next = &outer;
    p.mode = IPSEC_MODE_TRANSPORT;
    p.proto = IPSEC_PROTO_AH;
    p.dir = IPSEC_OUT;
    assert_status(ipsec_spd_narrow(&narrow, &p, &flow), IPSEC_OK);
    assert_int_equal(narrow.flags, IPSEC_POLICY_FRAGMENTS);
    assert_ptr_equal(narrow.outer, &outer);
    assert_int_equal(narrow.mode, IPSEC_MODE_TRANSPORT);
    assert_int_equal(narrow.proto, IPSEC_PROTO_AH);
    assert_int_equal(narrow.dir, IPSEC_OUT);
    assert_int_equal(narrow.linked | narrow.tuple, 0);
    assert_int_equal(narrow.age, 0);
    assert_null(narrow.next);
}

/* Protocol number 0 would be ANY in a selector: narrower it is not. */
static void
test_narrow_refuses_protocol_0(void **state)
{
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.2.0.2" };
    struct ipsec_policy p = policy_of(PROTO, ANY), narrow, before;
    struct ipsec_flow flow;

    (void)state;
    memset(&narrow, 0x5a, sizeof narrow);
    before = narrow;
    p.sel.version = 4;
    p.pfp = IPSEC_PFP_PROTO;
    flow_of(&flow, &spec);
    assert_int_equal(flow.proto, 0);
    assert_status(ipsec_spd_narrow(&narrow, &p, &flow), IPSEC_ERR_SELECTOR);
    assert_memory_equal(&narrow, &before, sizeof narrow);
}

/* An ICMP error may go by the policy of the packet it quotes (RFC 4301 section
 * 6.2): its type is no port of that one. */
static void
test_narrow_refuses_another_protocol(void **state)
{
    struct packet_spec spec = { .src = US, .dst = PEER, .proto = 58,
                                .sport = 0x0104 };
    struct ipsec_policy p = policy_of(LPORT, ANY), narrow;
    struct ipsec_flow flow;

    (void)state;
    flow_of(&flow, &spec);
    p.pfp = IPSEC_PFP_LOCAL_PORT;
    assert_status(ipsec_spd_narrow(&narrow, &p, &flow), IPSEC_ERR_SELECTOR);
    p.pfp = IPSEC_PFP_PROTO;
    assert_status(ipsec_spd_narrow(&narrow, &p, &flow), IPSEC_ERR_SELECTOR);
    flow.proto = 17;
    assert_status(ipsec_spd_narrow(&narrow, &p, &flow), IPSEC_OK);
}

/* The one side's port is a value, the other's OPAQUE: no packet is both. */
static void
test_narrow_refuses_a_value_beside_opaque(void **state)
{
    struct packet_spec spec = { .src = US, .dst = PEER, .proto = 17,
                                .ext = "l", .payload = 8 };
    struct ipsec_policy p = policy_of(LPORT, LIST), narrow;
    struct ipsec_flow flow;

    (void)state;
    value_set(&p.sel, RPORT, OPAQUE);
    flow_of(&flow, &spec);
    assert_status(ipsec_spd_narrow(&narrow, &p, &flow), IPSEC_ERR_SELECTOR);
}

/* A key daemon in ten lines: each acquire gives a narrow policy and a pair of
 * SAs of its own. */

#define FLOWS 3

static struct pair pair;
static struct ipsec_policy trap[2], narrow_a[FLOWS], narrow_b[FLOWS];
static struct fx_sa sa[FLOWS][4];
static size_t made;

static void
sa_make(struct fx *owner, struct fx_sa *s, int dir, uint32_t spi,
        uint32_t reqid, int of_a)
{
    const char *a = "192.0.2.1", *b = "198.51.100.2";

    fx_sa_set(s, &suites[GCM128], dir, IPSEC_MODE_TUNNEL, spi,
              of_a ? a : b, of_a ? b : a);
    s->params.reqid = reqid;
    assert_status(fx_sa_add(owner, s), IPSEC_OK);
}

static void
daemon(struct fx *a, struct ipsec_policy *policy,
       const struct ipsec_flow *flow)
{
    uint32_t reqid = (uint32_t)(10 + made), spi = (uint32_t)(0x2000 + made);
    struct ipsec_flow there = *flow;

    assert_ptr_equal(policy, &trap[0]);
    assert_true(made < FLOWS);
    assert_status(ipsec_spd_narrow(&narrow_a[made], policy, flow), IPSEC_OK);
    there.local = flow->remote;
    there.remote = flow->local;
    there.local_port = flow->remote_port;
    there.remote_port = flow->local_port;
    assert_status(ipsec_spd_narrow(&narrow_b[made], &trap[1], &there),
                  IPSEC_OK);
    narrow_a[made].reqid = narrow_b[made].reqid = reqid;
    narrow_a[made].priority--;
    narrow_b[made].priority--;
    assert_status(ipsec_spd_add(&a->ips, &narrow_a[made]), IPSEC_OK);
    assert_status(ipsec_spd_add(&pair.b.ips, &narrow_b[made]), IPSEC_OK);
    sa_make(a, &sa[made][0], IPSEC_OUT, spi, reqid, 1);
    sa_make(&pair.b, &sa[made][1], IPSEC_IN, spi, reqid, 0);
    sa_make(&pair.b, &sa[made][2], IPSEC_OUT, spi + 0x100, reqid, 0);
    sa_make(a, &sa[made][3], IPSEC_IN, spi + 0x100, reqid, 1);
    made++;
}

/* Over the wire from `from` to `to`: the SPI it used. */
static uint32_t
carry(struct fx *from, struct fx *to, const struct packet_spec *spec)
{
    struct fx_pkt out, in;
    uint32_t spi;

    fx_pkt_build(&out, spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&from->ips, &out.pkt), IPSEC_OK);
    assert_int_equal(out.pkt.layers, 1);
    spi = out.pkt.sa[0]->spi;
    fx_pkt_new(&in, out.pkt.buf.data, out.pkt.buf.len, 0, 0);
    assert_status(ipsec_inbound(&to->ips, &in.pkt), IPSEC_OK);
    assert_int_equal(in.pkt.sa[0]->spi, spi);
    fx_pkt_free(&out);
    fx_pkt_free(&in);
    return spi;
}

static int
offer(struct fx *from, const struct packet_spec *spec)
{
    struct fx_pkt out;
    int rc;

    fx_pkt_build(&out, spec, IPSEC_HEADROOM, IPSEC_TAILROOM);
    rc = ipsec_outbound(&from->ips, &out.pkt);
    fx_pkt_free(&out);
    return rc;
}

static void
traps_set(uint8_t pfp)
{
    size_t i;

    pair_prepare(&pair, &suites[GCM128], IPSEC_MODE_TUNNEL, 4);
    pair.a.on_acquire = daemon;
    made = 0;
    memset(trap, 0, sizeof trap);
    for (i = 0; i < 2; i++) {
        trap[i].action = IPSEC_ACTION_PROTECT;
        trap[i].dir = IPSEC_IN | IPSEC_OUT;
        trap[i].priority = 10;
        trap[i].pfp = pfp;
        trap[i].sel.version = 4;
        trap[i].sel.proto = 17;
    }
    assert_status(ipsec_spd_add(&pair.a.ips, &trap[0]), IPSEC_OK);
    assert_status(ipsec_spd_add(&pair.b.ips, &trap[1]), IPSEC_OK);
}

static const struct packet_spec there = {
    .src = "10.1.0.1", .dst = "10.2.0.2", .proto = 17, .sport = 5000,
    .dport = 7, .payload = 20
}, back = {
    .src = "10.2.0.2", .dst = "10.1.0.1", .proto = 17, .sport = 7,
    .dport = 5000, .payload = 20
};

/* A-4.4.1-15: each flow has its own SAs; a reply goes over those of its
 * flow; what is removed is made again. */
static void
test_narrow_acquire_makes_an_sa_a_flow(void **state)
{
    struct packet_spec other = there, host = there;

    (void)state;
    traps_set(IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE | IPSEC_PFP_LOCAL_PORT |
              IPSEC_PFP_REMOTE_PORT);
    assert_status(offer(&pair.a, &there), IPSEC_ERR_NO_SA);
    assert_int_equal(made, 1);
    assert_int_equal(carry(&pair.a, &pair.b, &there), 0x2000);
    assert_int_equal(carry(&pair.b, &pair.a, &back), 0x2100);
    assert_int_equal(made, 1);
    other.sport = 5001;
    assert_status(offer(&pair.a, &other), IPSEC_ERR_NO_SA);
    assert_int_equal(made, 2);
    assert_int_equal(carry(&pair.a, &pair.b, &other), 0x2001);
    assert_int_equal(carry(&pair.a, &pair.b, &there), 0x2000);
    host.dst = "10.2.0.3";
    assert_status(offer(&pair.a, &host), IPSEC_ERR_NO_SA);
    assert_int_equal(carry(&pair.a, &pair.b, &host), 0x2002);
    /* SAs gone: the narrow policy asks for its own again */
    assert_status(ipsec_sad_remove(&pair.a.ips, &sa[1][0].sa), IPSEC_OK);
    pair.a.on_acquire = NULL;
    assert_status(offer(&pair.a, &other), IPSEC_ERR_NO_SA);
    assert_ptr_equal(pair.a.acquire[pair.a.acquires - 1].policy,
                     &narrow_a[1]);
    /* and policy too: the packet is the trap's */
    ipsec_spd_remove(&pair.a.ips, &narrow_a[1]);
    assert_status(offer(&pair.a, &other), IPSEC_ERR_NO_SA);
    assert_ptr_equal(pair.a.acquire[pair.a.acquires - 1].policy, &trap[0]);
    assert_int_equal(carry(&pair.a, &pair.b, &there), 0x2000);
}

/* attacks.md 114: one flow's SA does not carry another's packets. */
static void
test_narrow_sa_is_for_its_flow_alone(void **state)
{
    struct packet_spec other = there;
    struct fx_pkt out, in;

    (void)state;
    traps_set(IPSEC_PFP_LOCAL_PORT | IPSEC_PFP_REMOTE_PORT);
    assert_status(offer(&pair.a, &there), IPSEC_ERR_NO_SA);
    other.dport = 8;
    ipsec_spd_remove(&pair.a.ips, &narrow_a[0]);
    narrow_a[0].sel.remote_port_lo = narrow_a[0].sel.remote_port_hi = 8;
    assert_status(ipsec_spd_add(&pair.a.ips, &narrow_a[0]), IPSEC_OK);
    fx_pkt_build(&out, &other, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_outbound(&pair.a.ips, &out.pkt), IPSEC_OK);
    fx_pkt_new(&in, out.pkt.buf.data, out.pkt.buf.len, 0, 0);
    assert_status(ipsec_inbound(&pair.b.ips, &in.pkt), IPSEC_ERR_SELECTOR);
    assert_int_equal(pair.b.ips.stats.in_drop[-IPSEC_ERR_SELECTOR], 1);
    fx_pkt_free(&out);
    fx_pkt_free(&in);
}

/* A-4.4.2.2-3: nothing is asked for on behalf of a packet that can't have
 * it, and nothing of it changes. */
static void
test_narrow_drops_what_lacks_its_ports(void **state)
{
    struct packet_spec late = there;

    (void)state;
    traps_set(IPSEC_PFP_LOCAL_PORT);
    late.frag = 100;
    assert_status(offer(&pair.a, &late), IPSEC_ERR_SELECTOR);
    assert_int_equal(pair.a.acquires, 0);
    assert_int_equal(pair.a.audits, 1);
    assert_int_equal(pair.a.audit[0].status, IPSEC_ERR_SELECTOR);
    assert_int_equal(pair.a.audit[0].spi, 0);
    assert_int_equal(pair.a.ips.stats.out_drop[-IPSEC_ERR_SELECTOR], 1);
    late.frag = 0;
    late.mf = 1; /* the first has them */
    assert_status(offer(&pair.a, &late), IPSEC_ERR_NO_SA);
    assert_int_equal(made, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_narrow_each_row_of_rfc_4301_4_4_2_2),
        cmocka_unit_test(test_narrow_of_a_name_binds_the_peers_address),
        cmocka_unit_test(test_narrow_takes_all_it_can),
        cmocka_unit_test(test_narrow_keeps_the_rest),
        cmocka_unit_test(test_narrow_refuses_protocol_0),
        cmocka_unit_test(test_narrow_refuses_another_protocol),
        cmocka_unit_test(test_narrow_refuses_a_value_beside_opaque),
        cmocka_unit_test(test_narrow_acquire_makes_an_sa_a_flow),
        cmocka_unit_test(test_narrow_sa_is_for_its_flow_alone),
        cmocka_unit_test(test_narrow_drops_what_lacks_its_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
