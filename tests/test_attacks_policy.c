/* SPDX-License-Identifier: MIT */
#include "fake/attack.h"

/* attacks.txt 112 to 127, 152 to 159: what came out of an SA against policy;
 * what crosses the boundary with an outer header. */

static int
as_it_is(struct stage *s)
{
    (void)s;
    return 1;
}

/* Only UDP to port 7 between 10.1.0.0/16 or 2001:db8:a::/48 and us; in
 * transport mode from the peer itself. */
static void
narrow(struct stage *s)
{
    struct ipsec_selector *sel = &s->pair.pb.sel;
    struct ipsec_addr a = addr(s->is & V4 ? "10.1.0.1" : "2001:db8:a::1");

    if (s->is & TRAN) {
        a = addr(s->is & V4 ? "192.0.2.1" : "2001:db8::1");
    }
    sel->version = a.version;
    memcpy(sel->remote.byte, a.byte, 16);
    sel->remote.bits = s->is & V4 ? 16 : 48;
    memcpy(sel->local.byte, s->is & V4 ? "\x0a\x02" : "\x20\x01", 2);
    sel->local.bits = s->is & TUN ? 16 : 0;
    sel->proto = 17;
    sel->set = IPSEC_SEL_LOCAL_PORT;
    sel->local_port_lo = sel->local_port_hi = 7;
}

/* An inner packet of the peer's, who may say what he likes. */
static void
seal_as(struct stage *s, const char *src, const char *dst, uint8_t proto,
        uint16_t dport)
{
    struct packet_spec spec = pair_spec(&s->pair, s->is & V4 ? 4 : 6, proto,
                                        20);

    spec.src = src != NULL ? src : spec.src;
    spec.dst = dst != NULL ? dst : spec.dst;
    spec.dport = dport;
    s->plain_len = packet_build(s->plain, &spec);
    s->len = pair_seal(&s->pair, &spec, s->wire);
}

static int
wrong_source(struct stage *s)
{
    static const char *const v4[] = { "10.9.0.1", "127.0.0.1", "224.0.0.1",
                                      "255.255.255.255", "0.0.0.0" };
    static const char *const v6[] = { "2001:db8:9::1", "::1", "ff02::1",
                                      "fe80::1", "::" };

    seal_as(s, s->is & V4 ? v4[s->n] : v6[s->n], NULL, 17, 7);
    return 1;
}

static int
wrong_destination(struct stage *s)
{
    static const char *const v4[] = { "10.9.0.1", "127.0.0.1", "224.0.0.1",
                                      "169.254.0.1" };
    static const char *const v6[] = { "3001:db8:9::1", "::1", "ff02::1",
                                      "fe80::1" };

    seal_as(s, NULL, s->is & V4 ? v4[s->n] : v6[s->n], 17, 7);
    return 1;
}

static int
wrong_protocol(struct stage *s)
{
    seal_as(s, NULL, NULL, 6, 7);
    return 1;
}

static int
wrong_port(struct stage *s)
{
    seal_as(s, NULL, NULL, 17, (uint16_t)s->n);
    return 1;
}

/* The peer whose traffic this is has an SA of his own. */
static void
of_another_peer(struct stage *s)
{
    s->pair.pb.reqid = 2;
}

static void
other_mode(struct stage *s)
{
    s->pair.pb.mode = s->is & TUN ? IPSEC_MODE_TRANSPORT : IPSEC_MODE_TUNNEL;
}

static void
other_proto(struct stage *s)
{
    s->pair.pb.proto = s->is & AH ? IPSEC_PROTO_ESP : IPSEC_PROTO_AH;
}

static void
discard(struct stage *s)
{
    s->pair.pb.action = IPSEC_ACTION_DISCARD;
}

static void
bypass(struct stage *s)
{
    s->pair.pb.action = IPSEC_ACTION_BYPASS;
}

static int
in_clear(struct stage *s)
{
    memcpy(s->wire, s->plain, s->plain_len);
    s->len = s->plain_len;
    return 1;
}

/* ICMP echo only; what comes is of another type, or code. */
static void
echo_only(struct stage *s)
{
    s->pair.pb.sel.proto = s->is & V4 ? 1 : 58;
    s->pair.pb.sel.set = IPSEC_SEL_LOCAL_PORT;
    s->pair.pb.sel.local_port_lo = s->pair.pb.sel.local_port_hi = 0x0800;
}

static int
not_echo(struct stage *s)
{
    struct packet_spec spec = pair_spec(&s->pair, s->is & V4 ? 4 : 6,
                                        s->is & V4 ? 1 : 58, 20);

    spec.sport = (uint16_t)(0x0700 + s->n);
    s->plain_len = packet_build(s->plain, &spec);
    s->len = pair_seal(&s->pair, &spec, s->wire);
    return s->n != 0x100;
}

/* The policy is gone by the time that the packet is judged. */
static int
policy_gone(struct stage *s)
{
    ipsec_spd_remove(&s->pair.b.ips, &s->pair.pb);
    memset(&s->pair.pb, 0xdb, sizeof s->pair.pb);
    return 1;
}

static const struct attack policies[] = {
    { 112, "inner source", TUN | RECEIVED, 0, 0, narrow, wrong_source,
      IPSEC_ERR_SELECTOR },
    { 113, "inner destination", TUN | RECEIVED, 0, 0, narrow,
      wrong_destination, IPSEC_ERR_SELECTOR },
    { 114, "inner protocol", RECEIVED, 0, 0, narrow, wrong_protocol,
      IPSEC_ERR_SELECTOR },
    { 114, "inner port", RECEIVED, 5, 6, narrow, wrong_port,
      IPSEC_ERR_SELECTOR },
    { 115, "for another peer", RECEIVED | ONLY, 0, 0, of_another_peer,
      as_it_is, IPSEC_ERR_SELECTOR },
    { 116, "in clear", 0, 0, 0, NULL, in_clear, IPSEC_ERR_UNPROTECTED },
    { 117, "in clear, from the inside", 0, 0, 0, narrow, in_clear,
      IPSEC_ERR_UNPROTECTED },
    { 118, "AH for ESP, ESP for AH", RECEIVED | ONLY, 0, 0, other_proto,
      as_it_is, IPSEC_ERR_MODE },
    { 121, "the other mode", RECEIVED | ONLY, 0, 0, other_mode, as_it_is,
      IPSEC_ERR_MODE },
    { 122, "a source that nobody has", TUN | RECEIVED, 1, 4, narrow,
      wrong_source, IPSEC_ERR_SELECTOR },
    { 123, "a destination of no network", TUN | RECEIVED, 1, 3, narrow,
      wrong_destination, IPSEC_ERR_SELECTOR },
    { 125, "ICMP type and code", RECEIVED | ONLY, 0, 0x1f, echo_only,
      not_echo, IPSEC_ERR_SELECTOR },
    { 126, "no policy any more", RECEIVED | ONLY, 0, 0, NULL, policy_gone,
      IPSEC_ERR_SELECTOR },
    { 127, "protected, to be discarded", RECEIVED | ONLY, 0, 0, discard,
      as_it_is, IPSEC_ERR_DISCARD },
    { 127, "protected, to be bypassed", RECEIVED | ONLY, 0, 0, bypass,
      as_it_is, IPSEC_ERR_SELECTOR },
};

static void
test_attacks_policy_selectors(void **state)
{
    (void)state;
    ATTACK_RUN(policies);
}

/* What the outer header says on arrival. `n`: inner ECN << 2 | outer ECN, or
 * a DSCP. */

static void
outer_tos(struct stage *s, unsigned tos)
{
    if (s->is & V4) {
        s->wire[1] = (uint8_t)tos;
        packet_fix(s->wire);
    } else {
        s->wire[0] = (uint8_t)(0x60 | tos >> 4);
        s->wire[1] = (uint8_t)(tos << 4);
    }
}

static int
ecn(struct stage *s)
{
    static const uint8_t result[16] = { 0, 0, 0, 9, 1, 1, 1, 3,
                                        2, 1, 2, 3, 3, 3, 3, 3 };
    struct packet_spec spec = pair_spec(&s->pair, s->is & V4 ? 4 : 6, 17, 20);

    spec.tos = (uint8_t)(0x28 | s->n >> 2);
    s->plain_len = packet_build(s->plain, &spec);
    s->len = pair_seal(&s->pair, &spec, s->wire);
    outer_tos(s, 0x28 | (s->n & 3));
    spec.tos = (uint8_t)(0x28 | result[s->n]);
    if (result[s->n] < 4) {
        packet_build(s->plain, &spec);
    }
    return 1;
}

static int
dscp(struct stage *s)
{
    outer_tos(s, s->n << 2);
    return 1;
}

/* The inner TTL is nobody's concern but his who forwards. */
static int
inner_ttl(struct stage *s)
{
    struct packet_spec spec = pair_spec(&s->pair, s->is & V4 ? 4 : 6, 17, 20);

    spec.ttl = (uint8_t)s->n;
    s->plain_len = packet_build(s->plain, &spec);
    s->len = pair_seal(&s->pair, &spec, s->wire);
    return 1;
}

static const struct attack outers[] = {
    { 152, "Not-ECT inside, CE outside", TUN | RECEIVED, 3, 3, NULL, ecn,
      IPSEC_ERR_ECN },
    { 153, "ECT(1) inside, CE outside", TUN | RECEIVED, 7, 7, NULL, ecn,
      IPSEC_OK },
    { 153, "ECT(0) inside, CE outside", TUN | RECEIVED, 11, 11, NULL, ecn,
      IPSEC_OK },
    { 154, "Not-ECT inside, ECT outside", TUN | RECEIVED, 0, 2, NULL, ecn,
      IPSEC_OK },
    { 155, "CE inside", TUN | RECEIVED, 12, 15, NULL, ecn, IPSEC_OK },
    { 156, "DSCP changed on the way", TUN | RECEIVED, 0, 63, NULL, dscp,
      IPSEC_OK },
    { 159, "an inner TTL of 1 and more", TUN | RECEIVED, 1, 3, NULL,
      inner_ttl, IPSEC_OK },
};

static void
test_attacks_policy_outer_header(void **state)
{
    (void)state;
    ATTACK_RUN(outers);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attacks_policy_selectors),
        cmocka_unit_test(test_attacks_policy_outer_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
