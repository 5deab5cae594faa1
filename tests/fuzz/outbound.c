/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"

/* Outbound: two bytes of choices for each of three SAs, then a packet in
 * memory that has just the room that the SAs ask for. What gets sealed, a peer
 * opens again, byte for byte; what does not is as it was. */

#define CHOICES 6
#define LONGEST 4096

#define UDP 0x4000u /* of the choices for an SA, besides those of site.h */
#define TFC 0x8000u
#define TFC_LEN 700

static void
sa_change(struct site *site, unsigned choice)
{
    struct ipsec_sa *sa = &site->sa[site->sas - 1].sa;

    site->cfg.natt_port = 4500;
    if (choice & UDP) { /* not AH */
        (void)ipsec_sad_update(&site->ips, sa, 0, &sa->local, 4500,
                               &sa->remote, 4500);
    }
    if (choice & TFC && sa->dir == IPSEC_OUT && choice & SITE_TUNNEL &&
        !(choice & SITE_AH)) {
        sa->tfc = TFC_LEN;
    }
}

static void
check_back(const struct ipsec_pkt *sent, const unsigned choice[3],
           size_t layers, const uint8_t *plain)
{
    static struct site peer;
    struct ipsec_addr local, remote;
    struct ipsec_pkt pkt;
    size_t i;
    int rc;

    site_init(&peer);
    peer.st.clear = 1;
    CHECK(site_addrs(sent->buf.data, sent->buf.len, IPSEC_IN, &local,
                     &remote));
    for (i = 0; i < layers; i++) {
        site_add(&peer, IPSEC_IN, choice[i], (uint32_t)(0x1000 + i), &local,
                 &remote);
        sa_change(&peer, choice[i]);
    }
    pkt = *sent;
    rc = ipsec_inbound(&peer.ips, &pkt);
    if (rc != IPSEC_OK || pkt.layers != layers) {
        return; /* the packet itself was ESP, or so */
    }
    for (i = 0; i < pkt.buf.len; i++) {
        /* a wrong header checksum was set right in transport mode */
        CHECK(pkt.buf.data[i] == plain[i] ||
              (plain[0] >> 4 == 4 && (i == 10 || i == 11)));
    }
}

/* What a packet says that it is long. */
static size_t
whole(const uint8_t *p)
{
    return p[0] >> 4 == 4 ? (size_t)p[2] << 8 | p[3]
                          : ((size_t)p[4] << 8 | p[5]) + 40;
}

/* A tunnel makes `plain` bytes no longer than ipsec_sa_mtu() says. */
static void
check_mtu(const struct ipsec_sa *sa, size_t plain, size_t sealed)
{
    if (sa->mode == IPSEC_MODE_TUNNEL && sa->tfc == 0) {
        CHECK(ipsec_sa_mtu(sa, sealed) >= plain);
        CHECK(ipsec_sa_mtu(sa, sealed - 1) < plain);
    }
}

/* The SAs that the choices describe, and the room they need. */
static void
site_fill(struct site *site, const unsigned choice[3], size_t layers,
          const uint8_t *p, size_t len, size_t *head, size_t *tail)
{
    struct ipsec_addr local, remote;
    size_t i, before, behind;

    site_init(site);
    site->st.clear = 1;
    *head = *tail = 0;
    for (i = 0; i < layers; i++) {
        if (site_addrs(p, len, IPSEC_OUT, &local, &remote)) {
            site_add(site, IPSEC_OUT, choice[i], (uint32_t)(0x1000 + i),
                     &local, &remote);
        }
        if (site->sas > 0) {
            sa_change(site, choice[i]);
        }
    }
    for (i = 0; i < site->sas; i++) {
        ipsec_sa_room(&site->sa[i].sa, &before, &behind);
        *head += before;
        *tail += behind;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct site site;
    unsigned choice[3];
    struct ipsec_pkt pkt;
    size_t layers, i, head, tail;
    uint8_t *mem;
    int rc;

    if (len < CHOICES || len > CHOICES + LONGEST) {
        return 0;
    }
    len -= CHOICES;
    layers = 1u + (data[0] >> 7) + (data[1] >> 7);
    for (i = 0; i < 3; i++) {
        choice[i] = data[i] | (unsigned)data[3 + i] << 8;
    }
    data += CHOICES;
    site_fill(&site, choice, layers, data, len, &head, &tail);
    mem = malloc(head + len + tail + 1);
    CHECK(mem != NULL);
    memcpy(mem + head, data, len);
    ipsec_pkt_init(&pkt, mem, head + len + tail, head, len);
    pkt.flags = choice[2] & 128 ? IPSEC_PKT_TRANSIT : 0;
    rc = ipsec_outbound(&site.ips, &pkt);
    CHECK(rc == IPSEC_OK || (rc < 0 && rc != IPSEC_ERR_ROOM));
    CHECK(site.st.misuse == 0 && site.sa[0].sa.in_flight == 0);
    if (rc == IPSEC_OK) {
        if (pkt.layers == 1) {
            check_mtu(&site.sa[0].sa, whole(data), pkt.buf.len);
        }
        check_back(&pkt, choice, layers, data);
    } else if (pkt.layers == 0) {
        CHECK(memcmp(mem + head, data, len) == 0);
    }
    free(mem);
    return 0;
}
