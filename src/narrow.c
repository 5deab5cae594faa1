/* SPDX-License-Identifier: MIT */
#include "inner.h"

/* Populate from packet (RFC 4301 sections 4.4.1.2 and 4.4.2.2): from a policy
 * and a packet to the policy of the SAs that this packet calls for. */

#ifdef IPSEC_NO_PFP

/* see spd.h */
int
ipsec_spd_narrow(struct ipsec_policy *narrow,
                 const struct ipsec_policy *policy,
                 const struct ipsec_flow *flow)
{
    (void)narrow;
    (void)policy;
    (void)flow;
    return IPSEC_ERR_UNSUPPORTED;
}

#else

#define PFP_PORTS (IPSEC_PFP_LOCAL_PORT | IPSEC_PFP_REMOTE_PORT)
#define PFP_ALL   (IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE | IPSEC_PFP_PROTO |     \
                   PFP_PORTS)
#define SEL_ALL   (IPSEC_SEL_LOCAL_PORT | IPSEC_SEL_REMOTE_PORT |             \
                   IPSEC_SEL_PROTO_OPAQUE | IPSEC_SEL_NAME)

#define PORT_VALUE  1u /* what kinds of ports a selector asks for */
#define PORT_OPAQUE 2u

static unsigned
ports_of(const struct ipsec_selector *s)
{
    unsigned kinds = 0;

    if (s->set & IPSEC_SEL_LOCAL_PORT) {
        kinds |= ipsec_port_opaque(s->local_port_lo, s->local_port_hi)
            ? PORT_OPAQUE : PORT_VALUE;
    }
    if (s->set & IPSEC_SEL_REMOTE_PORT) {
        kinds |= ipsec_port_opaque(s->remote_port_lo, s->remote_port_hi)
            ? PORT_OPAQUE : PORT_VALUE;
    }
    return kinds;
}

/* see inner.h */
int
ipsec_pfp_valid(const struct ipsec_policy *policy)
{
    const struct ipsec_selector *s = &policy->sel;
    int opaque = (s->set & IPSEC_SEL_PROTO_OPAQUE) != 0;

    if ((s->set & ~SEL_ALL) != 0 || (policy->pfp & ~PFP_ALL) != 0 ||
        (opaque && (s->version != 6 || s->proto != 0)) ||
        (opaque && (policy->pfp & IPSEC_PFP_PROTO)) ||
        (policy->pfp != 0 && (policy->action != IPSEC_ACTION_PROTECT ||
                              policy->reqid != 0))) {
        return IPSEC_ERR_ARG;
    }
    if ((policy->pfp & PFP_PORTS) != 0 &&
        ((ports_of(s) & PORT_OPAQUE) != 0 ||
         ((policy->pfp & IPSEC_PFP_PROTO) == 0 &&
          !ipsec_proto_has_selector(s->proto)))) {
        return IPSEC_ERR_PORTS;
    }
    return IPSEC_OK;
}

static void
prefix_set(struct ipsec_prefix *prefix, const struct ipsec_addr *addr)
{
    memcpy(prefix->byte, addr->byte, sizeof prefix->byte);
    prefix->bits = addr->version == 4 ? 32 : 128;
}

static void
addrs_take(struct ipsec_selector *s, unsigned pfp,
           const struct ipsec_flow *flow)
{
    if (pfp & (IPSEC_PFP_LOCAL | IPSEC_PFP_REMOTE)) {
        s->version = flow->local.version;
    }
    if (pfp & IPSEC_PFP_LOCAL) {
        prefix_set(&s->local, &flow->local);
    }
    if (pfp & IPSEC_PFP_REMOTE) {
        prefix_set(&s->remote, &flow->remote);
    }
}

static int
proto_take(struct ipsec_selector *s, unsigned pfp,
           const struct ipsec_flow *flow)
{
    if (s->proto == 0 && (pfp & IPSEC_PFP_PROTO) == 0) {
        return IPSEC_OK;
    }
    if ((flow->opaque & IPSEC_OPAQUE_PROTO) ||
        (s->proto != 0 && s->proto != flow->proto)) {
        return IPSEC_ERR_SELECTOR; /* an ICMP error, say, that goes by it */
    }
    if (pfp & IPSEC_PFP_PROTO) {
        if (flow->proto == 0) {
            return IPSEC_ERR_SELECTOR; /* a selector can't tell it from ANY */
        }
        s->proto = flow->proto;
    }
    return IPSEC_OK;
}

static int
ports_take(struct ipsec_selector *s, unsigned pfp,
           const struct ipsec_flow *flow)
{
    if (!ipsec_proto_has_selector(s->proto)) {
        return IPSEC_OK; /* there is none to fill in */
    }
    if (flow->opaque) {
        return (pfp & PFP_PORTS) != 0 || (ports_of(s) & PORT_VALUE) != 0
            ? IPSEC_ERR_SELECTOR : IPSEC_OK;
    }
    if (pfp & IPSEC_PFP_LOCAL_PORT) {
        s->set |= IPSEC_SEL_LOCAL_PORT;
        s->local_port_lo = s->local_port_hi = flow->local_port;
    }
    if (pfp & IPSEC_PFP_REMOTE_PORT) {
        s->set |= IPSEC_SEL_REMOTE_PORT;
        s->remote_port_lo = s->remote_port_hi = flow->remote_port;
    }
    return IPSEC_OK;
}

/* The selector `s`, that of `policy`, for this packet. */
static int
selector_take(struct ipsec_selector *s, const struct ipsec_policy *policy,
              const struct ipsec_flow *flow)
{
    unsigned pfp = policy->pfp;
    int rc;

    *s = policy->sel;
    if (s->set & IPSEC_SEL_NAME) {
        /* the address that the name stands for (section 4.4.1.1) */
        pfp |= IPSEC_PFP_REMOTE;
        s->set &= (uint8_t)~IPSEC_SEL_NAME;
    }
    addrs_take(s, pfp, flow);
    rc = proto_take(s, pfp, flow);
    return rc == IPSEC_OK ? ports_take(s, pfp, flow) : rc;
}

/* see spd.h */
int
ipsec_spd_narrow(struct ipsec_policy *narrow,
                 const struct ipsec_policy *policy,
                 const struct ipsec_flow *flow)
{
    struct ipsec_selector s;
    int rc = selector_take(&s, policy, flow);

    if (rc != IPSEC_OK) {
        return rc;
    }
    *narrow = *policy;
    narrow->sel = s;
    narrow->pfp = 0;
    narrow->reqid = 0;
    narrow->linked = 0;
    narrow->tuple = 0;
    narrow->age = 0;
    narrow->next = NULL;
    return IPSEC_OK;
}

/* see inner.h */
int
ipsec_pfp_check(const struct ipsec_policy *policy,
                const struct ipsec_flow *flow)
{
    struct ipsec_selector s;

    return policy->pfp == 0 ? IPSEC_OK : selector_take(&s, policy, flow);
}

#endif
