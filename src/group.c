/* SPDX-License-Identifier: MIT */
#include "inner.h"

/*
 * Inbound SAs of groups (RFC 4301 section 4.1, RFC 4303 section 2.1). A
 * group's SPI is not our choice: it may be that of a unicast SA, or another
 * group's. So the address, and where the SA says so the sender's, tell them
 * apart, and the longest identifier that matches is taken.
 */

#ifndef IPSEC_NO_MULTICAST

/* see inner.h */
int
ipsec_group_valid(const struct ipsec_sa_params *q,
                  const struct ipsec_alg *alg)
{
    if ((q->flags & GROUP_FLAGS) == 0) {
        return IPSEC_OK;
    }
    if ((q->flags & IPSEC_SA_MULTICAST) == 0 || q->dir != IPSEC_IN) {
        return IPSEC_ERR_ARG;
    }
    if (!ipsec_addr_is_group(&q->local)) {
        return IPSEC_ERR_ADDR;
    }
    if ((alg->flags & ALG_IV_SEQ) != 0 || q->local_port != 0 ||
        q->remote_port != 0) {
        return IPSEC_ERR_UNSUPPORTED; /* RFC 8750: numbers may meet */
    }
    if (!HAS_SENDER(q) && (q->flags & IPSEC_SA_NO_REPLAY) == 0) {
        return IPSEC_ERR_WINDOW; /* RFC 4303 section 2.2 */
    }
    return IPSEC_OK;
}

/* see inner.h */
int
ipsec_group_clash(const struct ipsec_sa *sa, unsigned group,
                  const struct ipsec_addr *local,
                  const struct ipsec_addr *remote)
{
    if ((sa->flags & GROUP_FLAGS) != group) {
        return 0;
    }
    return group == 0 ||
           (ipsec_addr_equal(&sa->local, local) &&
            (!HAS_SENDER(sa) || ipsec_addr_equal(&sa->remote, remote)));
}

/* Length of the identifier by which `sa` takes such packets; 0: it does not. */
static int
rank(const struct ipsec_sa *sa, const struct ipsec_addr *dst,
     const struct ipsec_addr *src)
{
    if (!ipsec_addr_equal(&sa->local, dst)) {
        return 0;
    }
    if (!IS_GROUP(sa)) {
        return 1;
    }
    if (!HAS_SENDER(sa)) {
        return 2;
    }
    return src == NULL || ipsec_addr_equal(&sa->remote, src) ? 3 : 0;
}

/* see inner.h */
struct ipsec_sa *
ipsec_group_find(const struct ipsec *ips, uint32_t spi, int proto,
                 const struct ipsec_addr *dst, const struct ipsec_addr *src)
{
    struct ipsec_sa *sa = ipsec_sad_bucket(ips, spi)->spi, *best = NULL;
    int longest = 0, n;

    for (; sa != NULL; sa = sa->next_spi) {
        if (sa->spi == spi && sa->dir == IPSEC_IN && sa->proto == proto) {
            n = rank(sa, dst, src);
            if (n > longest) {
                longest = n;
                best = sa;
            }
        }
    }
    return best;
}

#endif
