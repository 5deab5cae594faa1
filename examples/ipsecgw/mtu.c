/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base.h"

#include "ipsec/mtu.h"

#include <string.h>

/* How long packets may be, by policy. */

void
base_mtu_set(struct base *base)
{
    struct base_sa *s;

    for (s = base->sas; s != NULL; s = s->next) {
        if (s->sa.dir == IPSEC_OUT) {
            ipsec_sa_set_mtu(&s->sa, base->env->mtu);
        }
    }
}

/* Of the SA on the outside, which is the one on the wire; 0: it isn't there. */
static unsigned
path_of(const struct base *base, const struct ipsec_policy *policy)
{
    const struct ipsec_sa *sa;

    while (policy->outer != NULL) {
        policy = policy->outer;
    }
    sa = ipsec_sad_newest(&base->ips, policy->reqid, 0);
    return sa == NULL ? 0 : sa->mtu;
}

static void
add_prefix(struct text *out, unsigned version, const struct ipsec_prefix *p)
{
    struct ipsec_addr addr;
    char text[64], all[80];

    memset(&addr, 0, sizeof addr);
    addr.version = (uint8_t)version;
    memcpy(addr.byte, p->byte, sizeof addr.byte);
    (void)snprintf(all, sizeof all, "%s/%u", base_addr(&addr, text), p->bits);
    text_add(out, "%-24s ", all);
}

void
show_mtu(struct text *out, const struct base *base)
{
    const struct base_policy *p;

    text_add(out, "%-24s %-24s %6s %6s %6s\n", "policy from", "to", "path",
             "packet", "MSS");
    for (p = base->policies; p != NULL; p = p->next) {
        const struct ipsec_selector *sel = &p->said.sel;
        size_t hdr = sel->version == 4 ? 40 : 60, mtu;

        if (p->said.dir != SETKEY_OUT ||
            p->said.action != IPSEC_ACTION_PROTECT) {
            continue;
        }
        mtu = ipsec_policy_mtu(&base->ips, p->policy, 0, base->env->mtu);
        add_prefix(out, sel->version, &sel->local);
        add_prefix(out, sel->version, &sel->remote);
        text_add(out, "%6u %6zu %6zu\n", path_of(base, p->policy), mtu,
                 mtu > hdr ? mtu - hdr : 0);
    }
}
