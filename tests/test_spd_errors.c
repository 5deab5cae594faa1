/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"

/* Everything that ipsec_spd_add() can refuse, one fault at a time. */

static struct ipsec_policy outer[IPSEC_DEPTH + 1];

struct fault {
    const char *name;
    void (*make)(struct ipsec_policy *p);
    int want;
};

#define FAULT(name, code) \
    static void name(struct ipsec_policy *p) { code; }

static void
bundle(struct ipsec_policy *p, size_t layers)
{
    size_t i;

    for (i = 0; i + 1 < layers; i++) {
        memset(&outer[i], 0, sizeof outer[i]);
        outer[i].action = IPSEC_ACTION_PROTECT;
        outer[i].reqid = (uint32_t)(10 + i);
        outer[i].outer = i + 2 < layers ? &outer[i + 1] : NULL;
    }
    p->outer = layers > 1 ? outer : NULL;
}

static void
ports(struct ipsec_policy *p, int proto, uint16_t lo, uint16_t hi, int local)
{
    p->sel.proto = (uint8_t)proto;
    if (local) {
        p->sel.set = IPSEC_SEL_LOCAL_PORT;
        p->sel.local_port_lo = lo;
        p->sel.local_port_hi = hi;
    } else {
        p->sel.set = IPSEC_SEL_REMOTE_PORT;
        p->sel.remote_port_lo = lo;
        p->sel.remote_port_hi = hi;
    }
}

FAULT(nothing, (void)p)
FAULT(action_discard, p->action = IPSEC_ACTION_DISCARD)
FAULT(action_3, p->action = 3)
FAULT(dir_0, p->dir = 0)
FAULT(dir_4, p->dir = 4)
FAULT(dir_in, p->dir = IPSEC_IN)
FAULT(mode_tunnel, p->mode = IPSEC_MODE_TUNNEL)
FAULT(mode_any, p->mode = 0)
FAULT(mode_3, p->mode = 3)
FAULT(proto_ah, p->proto = IPSEC_PROTO_AH)
FAULT(proto_any, p->proto = 0)
FAULT(proto_6, p->proto = 6)
FAULT(reqid_0, p->reqid = 0) /* it raises acquire */
FAULT(ports_any_proto, ports(p, 0, 80, 80, 1))
FAULT(ports_gre, ports(p, 47, 80, 80, 0))
FAULT(ports_esp, ports(p, 50, 65535, 0, 0))
FAULT(ports_tcp, ports(p, 6, 80, 81, 1))
FAULT(ports_udp, ports(p, 17, 80, 80, 0))
FAULT(ports_sctp, ports(p, 132, 80, 80, 0))
FAULT(ports_dccp, ports(p, 33, 80, 80, 0))
FAULT(ports_udplite, ports(p, 136, 80, 80, 0))
FAULT(ports_icmp, ports(p, 1, 0x800, 0x8ff, 0))
FAULT(ports_icmpv6, ports(p, 58, 0x8000, 0x80ff, 1))
FAULT(ports_back, ports(p, 6, 81, 80, 1))
FAULT(ports_back_remote, ports(p, 6, 81, 80, 0))
FAULT(ports_opaque, ports(p, 6, 65535, 0, 1))
FAULT(ports_nearly_opaque, ports(p, 6, 65535, 1, 1))
FAULT(ports_nearly_opaque_2, ports(p, 6, 65534, 0, 0))
FAULT(ports_unset, p->sel.local_port_lo = 9) /* not looked at */
FAULT(ports_unset_back, p->sel.proto = 6; p->sel.local_port_lo = 9;
      p->sel.remote_port_lo = 9)
FAULT(version_5, p->sel.version = 5)
FAULT(bits_33, p->sel.version = 4; p->sel.local.bits = 33)
FAULT(bits_32, p->sel.version = 4; p->sel.local.bits = 32)
FAULT(bits_129, p->sel.version = 6; p->sel.remote.bits = 129)
FAULT(bits_128, p->sel.version = 6; p->sel.remote.bits = 128)
FAULT(bits_remote_33, p->sel.version = 4; p->sel.remote.bits = 33)
FAULT(bits_local_129, p->sel.version = 6; p->sel.local.bits = 129)
FAULT(bits_no_version, p->sel.local.bits = 8)
FAULT(bits_no_version_remote, p->sel.remote.bits = 1)
FAULT(layers_4, bundle(p, 4))
FAULT(layers_5, bundle(p, 5))
FAULT(layer_bypass, bundle(p, 3); outer[1].action = IPSEC_ACTION_BYPASS)
FAULT(layer_discard, bundle(p, 2); outer[0].action = IPSEC_ACTION_DISCARD)
FAULT(layer_no_reqid, bundle(p, 2); outer[0].reqid = 0)
FAULT(inner_no_reqid, bundle(p, 2); p->reqid = 0)
FAULT(inner_bypass, bundle(p, 2); p->action = IPSEC_ACTION_BYPASS)
FAULT(inner_discard, bundle(p, 2); p->action = IPSEC_ACTION_DISCARD)
FAULT(layer_ah, bundle(p, 2); outer[0].proto = IPSEC_PROTO_AH)
FAULT(layer_mode_3, bundle(p, 2); outer[0].mode = 3)
FAULT(loop, p->outer = p)
FAULT(ports_mobility, ports(p, 135, 5 << 8, 5 << 8, 1))
FAULT(opaque_proto, p->sel.version = 6; p->sel.set = IPSEC_SEL_PROTO_OPAQUE)
FAULT(opaque_proto_4, p->sel.version = 4;
      p->sel.set = IPSEC_SEL_PROTO_OPAQUE)
FAULT(opaque_proto_any, p->sel.set = IPSEC_SEL_PROTO_OPAQUE)
FAULT(opaque_proto_17, p->sel.version = 6; p->sel.proto = 17;
      p->sel.set = IPSEC_SEL_PROTO_OPAQUE)
FAULT(opaque_proto_ports, p->sel.version = 6; ports(p, 0, 1, 2, 1);
      p->sel.set |= IPSEC_SEL_PROTO_OPAQUE)
FAULT(name, p->sel.set = IPSEC_SEL_NAME)
FAULT(name_bypass, p->sel.set = IPSEC_SEL_NAME;
      p->action = IPSEC_ACTION_BYPASS)
FAULT(pfp_all, p->reqid = 0; p->pfp = 31)
FAULT(pfp_reqid, p->pfp = IPSEC_PFP_LOCAL)
FAULT(pfp_bypass, p->reqid = 0; p->pfp = IPSEC_PFP_LOCAL;
      p->action = IPSEC_ACTION_BYPASS)
FAULT(pfp_discard, p->reqid = 0; p->pfp = IPSEC_PFP_LOCAL;
      p->action = IPSEC_ACTION_DISCARD)
FAULT(pfp_unknown, p->reqid = 0; p->pfp = 32)
FAULT(pfp_port_any, p->reqid = 0; p->pfp = IPSEC_PFP_LOCAL_PORT)
FAULT(pfp_port_gre, p->reqid = 0; p->pfp = IPSEC_PFP_REMOTE_PORT;
      p->sel.proto = 47)
FAULT(pfp_port_tcp, p->reqid = 0; p->pfp = IPSEC_PFP_REMOTE_PORT;
      p->sel.proto = 6)
FAULT(pfp_port_opaque, p->reqid = 0; p->pfp = IPSEC_PFP_LOCAL_PORT;
      ports(p, 6, 65535, 0, 1))
FAULT(pfp_port_opaque_side, p->reqid = 0; p->pfp = IPSEC_PFP_LOCAL_PORT;
      ports(p, 6, 65535, 0, 0))
FAULT(pfp_addr_opaque, p->reqid = 0; p->pfp = IPSEC_PFP_LOCAL;
      ports(p, 6, 65535, 0, 0))
FAULT(pfp_opaque_proto, p->reqid = 0; p->pfp = IPSEC_PFP_PROTO;
      p->sel.version = 6; p->sel.set = IPSEC_SEL_PROTO_OPAQUE)
FAULT(pfp_addr_opaque_proto, p->reqid = 0; p->pfp = IPSEC_PFP_REMOTE;
      p->sel.version = 6; p->sel.set = IPSEC_SEL_PROTO_OPAQUE)

#define GOOD(name) { #name, name, IPSEC_OK }
#define BAD(name, want) { #name, name, IPSEC_ERR_ ## want }

static const struct fault faults[] = {
    GOOD(nothing), GOOD(action_discard), GOOD(dir_in), GOOD(mode_tunnel),
    GOOD(mode_any), GOOD(proto_any), GOOD(reqid_0),
    BAD(action_3, ARG), BAD(dir_0, ARG), BAD(dir_4, ARG), BAD(mode_3, ARG),
    GOOD(proto_ah), BAD(proto_6, UNSUPPORTED),
    BAD(ports_any_proto, PORTS), BAD(ports_gre, PORTS),
    BAD(ports_esp, PORTS), BAD(ports_back, PORTS),
    BAD(ports_back_remote, PORTS), BAD(ports_nearly_opaque, PORTS),
    BAD(ports_nearly_opaque_2, PORTS),
    GOOD(ports_tcp), GOOD(ports_udp), GOOD(ports_sctp), GOOD(ports_dccp),
    GOOD(ports_udplite), GOOD(ports_icmp), GOOD(ports_icmpv6),
    GOOD(ports_opaque), GOOD(ports_unset), GOOD(ports_unset_back),
    BAD(version_5, PREFIX), BAD(bits_33, PREFIX), BAD(bits_129, PREFIX),
    BAD(bits_remote_33, PREFIX), BAD(bits_local_129, PREFIX),
    BAD(bits_no_version, PREFIX), BAD(bits_no_version_remote, PREFIX),
    GOOD(bits_32), GOOD(bits_128),
    GOOD(layers_4), BAD(layers_5, BUNDLE), BAD(layer_bypass, BUNDLE),
    BAD(layer_discard, BUNDLE), BAD(layer_no_reqid, BUNDLE),
    BAD(inner_no_reqid, BUNDLE), BAD(inner_bypass, BUNDLE),
    BAD(inner_discard, BUNDLE), GOOD(layer_ah),
    BAD(layer_mode_3, ARG), BAD(loop, BUNDLE),
    /* RFC 4301 sections 4.4.1.1 and 4.4.2.2: A-4.4.1.1-2, -7, A-4.4.2.2-2,
     * A-7.1-1, A-D-1 */
    GOOD(ports_mobility), GOOD(opaque_proto), BAD(opaque_proto_4, ARG),
    BAD(opaque_proto_any, ARG), BAD(opaque_proto_17, ARG),
    BAD(opaque_proto_ports, PORTS), GOOD(name), GOOD(name_bypass),
    GOOD(pfp_all), BAD(pfp_reqid, ARG), BAD(pfp_bypass, ARG),
    BAD(pfp_discard, ARG), BAD(pfp_unknown, ARG), BAD(pfp_port_any, PORTS),
    BAD(pfp_port_gre, PORTS), GOOD(pfp_port_tcp),
    BAD(pfp_port_opaque, PORTS), BAD(pfp_port_opaque_side, PORTS),
    GOOD(pfp_addr_opaque), BAD(pfp_opaque_proto, ARG),
    GOOD(pfp_addr_opaque_proto),
};

static void
attempt(const struct fault *f, int index)
{
    static struct fx fx;
    struct ipsec_policy p, before;
    uint32_t generation;

    fx_note("%s", f->name);
    fx_init(&fx, index);
    memset(&p, 0, sizeof p);
    p.action = IPSEC_ACTION_PROTECT;
    p.dir = IPSEC_IN | IPSEC_OUT;
    p.proto = IPSEC_PROTO_ESP;
    p.mode = IPSEC_MODE_TRANSPORT;
    p.reqid = 1;
    f->make(&p);
    before = p;
    generation = fx.ips.generation;
    assert_status(ipsec_spd_add(&fx.ips, &p), f->want);
    if (f->want == IPSEC_OK) {
        assert_ptr_equal(ipsec_spd_next(&fx.ips, NULL), &p);
        assert_status(ipsec_spd_add(&fx.ips, &p), IPSEC_ERR_EXISTS);
    } else {
        assert_memory_equal(&p, &before, sizeof p);
        assert_null(ipsec_spd_next(&fx.ips, NULL));
        assert_int_equal(fx.ips.generation, generation);
    }
}

static void
test_spd_add_refuses_each_fault_and_changes_nothing(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(faults); i++) {
        attempt(&faults[i], 0);
        attempt(&faults[i], 1);
    }
}

static void
test_spd_add_knows_its_flags(void **state)
{
    static struct fx fx;
    struct ipsec_policy p;
    unsigned bit;

    (void)state;
    for (bit = 16; bit < 256; bit <<= 1) {
        fx_init(&fx, 0);
        memset(&p, 0, sizeof p);
        p.dir = IPSEC_OUT;
        p.sel.proto = 6;
        p.sel.set = (uint8_t)bit;
        assert_status(ipsec_spd_add(&fx.ips, &p), IPSEC_ERR_ARG);
    }
    for (bit = 32; bit < 256; bit <<= 1) {
        fx_init(&fx, 0);
        memset(&p, 0, sizeof p);
        p.action = IPSEC_ACTION_PROTECT;
        p.dir = IPSEC_OUT;
        p.pfp = (uint8_t)bit;
        assert_status(ipsec_spd_add(&fx.ips, &p), IPSEC_ERR_ARG);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spd_add_refuses_each_fault_and_changes_nothing),
        cmocka_unit_test(test_spd_add_knows_its_flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
