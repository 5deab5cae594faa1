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

/* Are there ports that are OPAQUE, or else that are values? */
static int
has_ports(const struct ipsec_selector *s, int opaque)
{
    return ((s->set & IPSEC_SEL_LOCAL_PORT) &&
            ipsec_port_opaque(s->local_port_lo,
                              s->local_port_hi) == opaque) ||
           ((s->set & IPSEC_SEL_REMOTE_PORT) &&
            ipsec_port_opaque(s->remote_port_lo,
                              s->remote_port_hi) == opaque);
}

/* see inner.h */
int
ipsec_pfp_valid(const struct ipsec_policy *policy)
{
    const struct ipsec_selector *s = &policy->sel;
    int opaque = s->set & IPSEC_SEL_PROTO_OPAQUE;

    if ((s->set & ~SEL_ALL) != 0 || (policy->pfp & ~PFP_ALL) != 0 ||
        (opaque && (s->version != 6 || s->proto != 0)) ||
        (opaque && (policy->pfp & IPSEC_PFP_PROTO)) ||
        (policy->pfp != 0 && (policy->action != IPSEC_ACTION_PROTECT ||
                              policy->reqid != 0))) {
        return IPSEC_ERR_ARG;
    }
    if ((policy->pfp & PFP_PORTS) != 0 &&
        (has_ports(s, 1) ||
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
        return (pfp & PFP_PORTS) != 0 || has_ports(s, 0)
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

/* see spd.h */
int
ipsec_spd_narrow(struct ipsec_policy *narrow,
                 const struct ipsec_policy *policy,
                 const struct ipsec_flow *flow)
{
    struct ipsec_selector s = policy->sel;
    unsigned pfp = policy->pfp;
    int rc;

    if (s.set & IPSEC_SEL_NAME) {
        /* the address that the name stands for (section 4.4.1.1) */
        pfp |= IPSEC_PFP_REMOTE;
        s.set &= (uint8_t)~IPSEC_SEL_NAME;
    }
    addrs_take(&s, pfp, flow);
    rc = proto_take(&s, pfp, flow);
    if (rc == IPSEC_OK) {
        rc = ports_take(&s, pfp, flow);
    }
    if (rc != IPSEC_OK) {
        return rc;
    }
    memset(narrow, 0, sizeof *narrow);
    narrow->sel = s;
    narrow->action = policy->action;
    narrow->dir = policy->dir;
    narrow->proto = policy->proto;
    narrow->mode = policy->mode;
    narrow->flags = policy->flags;
    narrow->priority = policy->priority;
    narrow->outer = policy->outer;
    narrow->user = policy->user;
    return IPSEC_OK;
}

/* see inner.h */
int
ipsec_pfp_check(const struct ipsec_policy *policy,
                const struct ipsec_flow *flow)
{
    struct ipsec_policy narrow;

    return policy->pfp == 0 ? IPSEC_OK
                            : ipsec_spd_narrow(&narrow, policy, flow);
}

#endif
