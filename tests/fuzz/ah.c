/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"

/* Inbound AH: a byte of choices, then a packet, which finds its SA and whose
 * ICV is right, whatever is in it. Options, extension headers and routes are
 * masked on the way; that leaves the packet as it is. */

static const struct {
    uint16_t integ, len;
} macs[4] = {
    { IPSEC_INTEG_AES_GMAC_128, 20 }, { IPSEC_INTEG_HMAC_SHA2_256_128, 32 },
    { IPSEC_INTEG_HMAC_SHA1_96, 20 }, { IPSEC_INTEG_AES_GMAC_256, 36 }
};

static void
add(struct site *site, unsigned choice, uint32_t spi,
    const struct ipsec_addr *local, const struct ipsec_addr *remote)
{
    static const uint8_t key[36] = { 1, 2, 3 };
    struct site_sa *s = &site->sa[0];
    struct ipsec_sa_params q;

    memset(&q, 0, sizeof q);
    q.spi = spi;
    q.reqid = 1;
    q.dir = IPSEC_IN;
    q.proto = IPSEC_PROTO_AH;
    q.mode = choice & 4 ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT;
    q.mode = choice & 64 ? IPSEC_MODE_ANY : q.mode;
    q.flags = IPSEC_SA_NEGOTIATED;
    q.flags |= (uint16_t)(choice & 8 ? IPSEC_SA_ESN : 0);
    q.flags |= (uint16_t)(choice & 16 ? IPSEC_SA_AH_ALIGN8 : 0);
    q.flags |= (uint16_t)(choice & 32 ? IPSEC_SA_NO_REPLAY : 0);
    q.local = *local;
    q.remote = *remote;
    q.km.encr = IPSEC_ENCR_NULL;
    q.km.integ = macs[choice & 3].integ;
    q.km.integ_key = key;
    q.km.integ_key_len = macs[choice & 3].len;
    q.key = &s->key;
    q.key_len = sizeof s->key;
    (void)ipsec_sad_add(&site->ips, &s->sa, &q); /* the SPI may be a bad one */
    site->policy[0].action = IPSEC_ACTION_PROTECT;
    site->policy[0].dir = IPSEC_IN;
    site->policy[0].reqid = 1;
    CHECK(ipsec_spd_add(&site->ips, &site->policy[0]) == IPSEC_OK);
}

/* The SPI of the first AH, behind up to eight extension headers. */
static uint32_t
spi_of(const uint8_t *p, size_t len)
{
    size_t at = p[0] >> 4 == 4 ? (size_t)(p[0] & 15) * 4 : 40, i;
    uint8_t next = p[0] >> 4 == 4 ? p[9] : p[6];

    for (i = 0; i < 8 && next != 51 && at + 8 <= len; i++) {
        next = p[at];
        at += next == 44 ? 8 : ((size_t)p[at + 1] + 1) * 8;
    }
    return at + 8 > len ? 0 : (uint32_t)p[at + 4] << 24 |
        (uint32_t)p[at + 5] << 16 | (uint32_t)p[at + 6] << 8 | p[at + 7];
}

/* Of a packet that nothing may have written to, or that was moved in front of
 * its payload as a whole. */
static void
check(const struct ipsec_pkt *pkt, const uint8_t *mem, size_t len, int rc)
{
    CHECK(rc < 0 || (pkt->buf.data >= mem &&
                     pkt->buf.data + pkt->buf.len <= mem + len));
    CHECK(rc != IPSEC_PENDING && rc > -IPSEC_DROP_COUNT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ipsec_addr local, remote;
    struct ipsec_pkt pkt;
    struct site site;
    uint8_t *mem;
    int rc;

    if (len-- == 0) {
        return 0;
    }
    mem = malloc(len + (len == 0));
    CHECK(mem != NULL);
    memcpy(mem, data + 1, len);
    site_init(&site);
    site.cfg.flags = IPSEC_WILD_CARD;
    if (site_addrs(mem, len, IPSEC_IN, &local, &remote)) {
        add(&site, data[0], spi_of(mem, len), &local, &remote);
    }
    ipsec_pkt_init(&pkt, mem, len, 0, len);
    pkt.flags = data[0] & 128 ? IPSEC_PKT_TRANSIT : 0;
    rc = ipsec_inbound(&site.ips, &pkt);
    check(&pkt, mem, len, rc);
    CHECK(pkt.layers > 0 || len == 0 || memcmp(mem, data + 1, len) == 0);
    CHECK(site.sa[0].sa.in_flight == 0 && site.st.misuse == 0);
    free(mem);
    return 0;
}
