/* SPDX-License-Identifier: MIT */
#include "inner.h"
#include "ipsec/netif.h"

/* The binding to a stack or a wire: see netif.h. */

#ifndef IPSEC_NO_FRAGMENTS

#define IP4_MIN_MTU   68 /* RFC 791 section 3.2 */
#define IP6_MIN_MTU 1280 /* RFC 8200 section 5 */

/* Nobody needs the packet any more. */
static void
finish(const struct ipsec_netif *nif, struct ipsec_pkt *pkt)
{
    if (nif->reass_out != NULL) {
        ipsec_reass_release(nif->reass_out, pkt->buf.head);
    }
    if (nif->reass_in != NULL) {
        ipsec_reass_release(nif->reass_in, pkt->buf.head);
    }
    if (nif->release != NULL) {
        nif->release(nif->user, pkt);
    }
}

/* The most that the link takes, and the path of the SA put on last, whose mtu
 * ICMP may have lowered: only what may not be cut was held against that. 0: no
 * limit. */
static size_t
mtu_of(const struct ipsec_netif *nif, const struct ipsec_pkt *pkt)
{
    size_t least = IS_IP6(pkt->buf.data[0] >> 4) ? IP6_MIN_MTU : IP4_MIN_MTU;
    const struct ipsec_sa *sa;

    if (pkt->layers == 0 || nif->frag == NULL) {
        return nif->mtu;
    }
    sa = pkt->sa[pkt->layers - 1];
    if (sa == NULL || sa->mtu == 0) {
        return nif->mtu; /* a callback has removed it, or none is known */
    }
    least = sa->mtu > least ? sa->mtu : least;
    return least < nif->mtu ? least : nif->mtu;
}

/* Cut it to `mtu`. IPSEC_OK, or why it can't be: nothing was sent. */
static int
send_cut(struct ipsec_netif *nif, struct ipsec_pkt *pkt, size_t mtu)
{
    struct ipsec_buf frag = { nif->frag, nif->frag, NULL, 0 };
    size_t off = 0;
    int rc;

    if (nif->frag == NULL ||
        (IS_IP6(pkt->buf.data[0] >> 4) && pkt->layers == 0 &&
         (pkt->flags & IPSEC_PKT_FRAG_OK) == 0)) {
        return IPSEC_ERR_TOO_BIG; /* only its source may */
    }
    frag.end = frag.head + nif->mtu;
    nif->id++;
    for (;;) {
        rc = ipsec_fragment(&pkt->buf, mtu, nif->id, &off, &frag);
        if (rc != IPSEC_OK) {
            return rc == IPSEC_CONSUMED ? IPSEC_OK : rc;
        }
        nif->transmit(nif->user, pkt, &frag);
    }
}

/* Send it, whole or in pieces. IPSEC_OK, or why not. */
static int
pkt_send(struct ipsec_netif *nif, struct ipsec_pkt *pkt)
{
    size_t mtu = mtu_of(nif, pkt);
    int rc;

    if (mtu == 0 || pkt->buf.len <= mtu) {
        nif->transmit(nif->user, pkt, &pkt->buf);
        return IPSEC_OK;
    }
    rc = send_cut(nif, pkt, mtu);
    if (rc == IPSEC_ERR_TOO_BIG) {
        pkt->mtu = (uint16_t)mtu;
    }
    return rc;
}

/* The answer is `rc`, be it of ipsec_inbound(), ipsec_outbound() or, ahead of
 * them, ipsec_reass(). */
static void
end(struct ipsec_netif *nif, struct ipsec_pkt *pkt, int in, int rc)
{
    if (rc == IPSEC_PENDING) {
        return;
    }
    if (rc >= 0 && rc != IPSEC_CONSUMED) {
        if (in) {
            nif->deliver(nif->user, pkt);
        } else {
            rc = pkt_send(nif, pkt);
        }
    }
    if (rc < 0) {
        nif->drop(nif->user, pkt, rc);
    }
    finish(nif, pkt);
}

/* May this fragment be one of IPsec, to be opened here? Over IPv6 destination
 * options may be ahead of ESP, where only the first fragment shows it. */
static int
is_ipsec(const struct ipsec_netif *nif, const struct ipsec_ip *ip,
         const uint8_t *p)
{
    uint8_t proto = ip->fh != 0 ? p[ip->fh] : ip->proto;

    return proto == IPSEC_PROTO_ESP || proto == IPSEC_PROTO_AH ||
           (IS_IP6(ip->version) && proto == PROTO_DSTOPTS) ||
           (proto == PROTO_UDP && nif->ips->cfg->natt_port != 0);
}

/* Is it to be put together before policy sees it? */
static int
is_wanted(const struct ipsec_netif *nif, const struct ipsec_pkt *pkt)
{
    struct ipsec_ip ip;

    if (nif->reass_in == NULL ||
        ipsec_ip_parse(&ip, &pkt->buf) != IPSEC_OK) {
        return 0;
    }
    return (nif->flags & IPSEC_NETIF_REASS_CLEAR) ||
           ((pkt->flags & IPSEC_PKT_TRANSIT) == 0 &&
            is_ipsec(nif, &ip, pkt->buf.data));
}

/* see netif.h */
void
ipsec_netif_output(struct ipsec_netif *nif, struct ipsec_pkt *pkt)
{
    const uint8_t *head = pkt->buf.head;
    int rc = IPSEC_OK;

    pkt->layers = 0;
    if (nif->reass_out != NULL && (pkt->flags & IPSEC_PKT_TRANSIT) == 0) {
        rc = ipsec_reass(nif->reass_out, &pkt->buf, ipsec_now(nif->ips));
        if (pkt->buf.head != head) {
            pkt->flags |= IPSEC_PKT_FRAG_OK; /* its source has cut it, too */
        }
    }
    if (rc == IPSEC_OK) {
        rc = ipsec_outbound(nif->ips, pkt);
    }
    end(nif, pkt, 0, rc);
}

/* see netif.h */
void
ipsec_netif_input(struct ipsec_netif *nif, struct ipsec_pkt *pkt)
{
    int rc = IPSEC_OK;

    pkt->layers = 0;
    if (is_wanted(nif, pkt)) {
        rc = ipsec_reass(nif->reass_in, &pkt->buf, ipsec_now(nif->ips));
    }
    if (rc == IPSEC_OK) {
        rc = ipsec_inbound(nif->ips, pkt);
    }
    end(nif, pkt, 1, rc);
}

/* see netif.h */
void
ipsec_netif_resume(struct ipsec_netif *nif, struct ipsec_pkt *pkt, int result)
{
    int in = pkt->op.open;

    end(nif, pkt, in, ipsec_resume(nif->ips, pkt, result));
}

#else

static void
refuse(const struct ipsec_netif *nif, struct ipsec_pkt *pkt)
{
    nif->drop(nif->user, pkt, IPSEC_ERR_UNSUPPORTED);
    if (nif->release != NULL) {
        nif->release(nif->user, pkt);
    }
}

/* see netif.h */
void
ipsec_netif_output(struct ipsec_netif *nif, struct ipsec_pkt *pkt)
{
    refuse(nif, pkt);
}

/* see netif.h */
void
ipsec_netif_input(struct ipsec_netif *nif, struct ipsec_pkt *pkt)
{
    refuse(nif, pkt);
}

/* see netif.h */
void
ipsec_netif_resume(struct ipsec_netif *nif, struct ipsec_pkt *pkt, int result)
{
    (void)result;
    refuse(nif, pkt);
}

#endif
