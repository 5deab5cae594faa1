/* SPDX-License-Identifier: MIT */
#include "lwip_inner.h"

#include "ipsec/mtu.h"

/* see lwip_inner.h */
void
ipsec_lwip_bundle(struct ipsec_lwip_bundle *b, struct ipsec_lwip *port,
                  const struct ipsec_policy *policy)
{
    const struct ipsec_sa *sa;
    size_t head, tail;

    b->head = b->tail = 0;
    b->mtu = ipsec_policy_mtu(port->ips, policy, 0, port->mtu);
    b->complete = 1;
    if (policy == NULL || policy->action != IPSEC_ACTION_PROTECT) {
        return;
    }
    for (; policy != NULL; policy = policy->outer) {
        sa = policy->reqid == 0
            ? NULL : ipsec_sad_newest(port->ips, policy->reqid, 0);
        if (sa == NULL || sa->state != IPSEC_SA_MATURE) {
            b->complete = 0;
            continue;
        }
        ipsec_sa_room(sa, &head, &tail);
        b->head += head;
        b->tail += tail;
    }
}
