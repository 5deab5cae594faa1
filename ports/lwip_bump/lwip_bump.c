/* SPDX-License-Identifier: MIT */
#include "lwip_bump_inner.h"

#include <string.h>

/* Where the bump is put below a netif, and taken away. */

#if !CHECKSUM_GEN_IP || !CHECKSUM_GEN_UDP || !CHECKSUM_GEN_TCP || \
    !CHECKSUM_GEN_ICMP || (LWIP_IPV6 && !CHECKSUM_GEN_ICMP6)
#error "No chip can sum what is encrypted: #define CHECKSUM_GEN_* 1; with \
LWIP_CHECKSUM_CTRL_PER_NETIF 1, netifs without IPsec can do without"
#endif

#if LWIP_IPV6
#define MTU_MIN 1280u
#else
#define MTU_MIN 576u
#endif

#define REASS_S 30

static struct ipsec_lwip_bump *bumps;

/* see lwip_bump_inner.h */
struct ipsec_lwip_bump *
ipsec_lwip_bump_find(const struct netif *netif)
{
    struct ipsec_lwip_bump *bump = bumps;

    while (bump != NULL && bump->netif != netif) {
        bump = bump->next;
    }
    return bump;
}

#if LWIP_CHECKSUM_CTRL_PER_NETIF
#define CHECKSUMS NETIF_CHECKSUM_ENABLE_ALL
#endif

static void
mtu_set(struct ipsec_lwip_bump *bump, u16_t mtu)
{
    bump->netif->mtu = mtu;
#if LWIP_IPV6 && LWIP_ND6_ALLOW_RA_UPDATES
    bump->netif->mtu6 = mtu;
#endif
}

static void
reass_set(struct ipsec_reass *re)
{
    re->seconds = re->seconds != 0 ? re->seconds : REASS_S;
    re->headroom = re->headroom != 0 ? re->headroom : IPSEC_HEADROOM;
    re->tailroom = re->tailroom != 0 ? re->tailroom : IPSEC_TAILROOM;
}

static void
nif_set(struct ipsec_lwip_bump *bump)
{
    struct ipsec_netif *nif = &bump->nif;

    reass_set(&bump->out);
    reass_set(&bump->in);
    memset(nif, 0, sizeof *nif);
    nif->ips = bump->ips;
    nif->user = bump;
    ipsec_lwip_bump_callbacks(nif);
    nif->reass_out = bump->out.len > 0 ? &bump->out : NULL;
    nif->reass_in = bump->in.len > 0 ? &bump->in : NULL;
    nif->frag = bump->frag;
    nif->mtu = bump->mtu;
#if defined(LWIP_RAND)
    nif->id = LWIP_RAND();
#endif
}

static void
wrap(struct ipsec_lwip_bump *bump, struct netif *netif)
{
    bump->netif = netif;
    bump->linkoutput = netif->linkoutput;
    bump->input = netif->input;
    netif->linkoutput = ipsec_lwip_bump_linkoutput;
    netif->input = ipsec_lwip_bump_input;
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    bump->chip = (u16_t)(CHECKSUMS & ~netif->chksum_flags);
    netif->chksum_flags |= CHECKSUMS;
#endif
    bump->next = bumps;
    bumps = bump;
}

/* see ipsec_lwip_bump.h */
err_t
ipsec_lwip_bump_attach(struct ipsec_lwip_bump *bump, struct netif *netif)
{
    LWIP_ASSERT_CORE_LOCKED();
    if (bump == NULL || netif == NULL || bump->ips == NULL) {
        return ERR_ARG;
    }
    if (bump->netif != NULL || ipsec_lwip_bump_find(netif) != NULL) {
        return ERR_USE;
    }
    if (netif->linkoutput == NULL || netif->input == NULL ||
        netif->hwaddr_len != BUMP_MAC ||
        !(netif->flags & (NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET))) {
        return ERR_IF;
    }
    if (netif->mtu < (size_t)bump->reserve + MTU_MIN ||
        (bump->frag != NULL && bump->frag_len < netif->mtu)) {
        return ERR_VAL;
    }
    bump->mtu = netif->mtu;
    nif_set(bump);
    wrap(bump, netif);
    mtu_set(bump, (u16_t)(bump->mtu - bump->reserve));
    return ERR_OK;
}

static void
unlink_bump(struct ipsec_lwip_bump *bump)
{
    struct ipsec_lwip_bump **at = &bumps;

    while (*at != bump) {
        at = &(*at)->next;
    }
    *at = bump->next;
}

/* see ipsec_lwip_bump.h */
err_t
ipsec_lwip_bump_detach(struct ipsec_lwip_bump *bump)
{
    struct netif *netif = bump != NULL ? bump->netif : NULL;

    LWIP_ASSERT_CORE_LOCKED();
    if (netif == NULL) {
        return ERR_ARG;
    }
    if (netif->linkoutput != ipsec_lwip_bump_linkoutput ||
        netif->input != ipsec_lwip_bump_input) {
        return ERR_USE;
    }
    netif->linkoutput = bump->linkoutput;
    netif->input = bump->input;
    mtu_set(bump, bump->mtu);
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    netif->chksum_flags &= (u16_t)~bump->chip;
#endif
    if (bump->news != NULL) {
        (void)pbuf_free(bump->news);
        bump->news = NULL;
    }
    unlink_bump(bump);
    bump->netif = NULL;
    return ERR_OK;
}

/* see ipsec_lwip_bump.h */
void
ipsec_lwip_bump_poll(struct ipsec_lwip_bump *bump)
{
    LWIP_ASSERT_CORE_LOCKED();
    if (bump->netif == NULL) {
        return;
    }
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    bump->netif->chksum_flags |= CHECKSUMS; /* a driver may set them anew */
#endif
    ipsec_reass_tick(&bump->out, ipsec_now(bump->ips));
    ipsec_reass_tick(&bump->in, ipsec_now(bump->ips));
    ipsec_lwip_bump_news(bump);
}
