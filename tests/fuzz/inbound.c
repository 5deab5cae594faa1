/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"

/* Inbound: a byte of choices, then a packet, which finds its SA and whose ICV
 * is right, whatever is in it. Exactly one counter moves. */

static size_t
counted(const struct ipsec_stats *s)
{
    size_t n = s->in_protect + s->in_bypass + s->in_consumed +
               s->in_keepalive, i;

    for (i = 0; i < IPSEC_DROP_COUNT; i++) {
        n += s->in_drop[i];
    }
    return n;
}

static uint32_t
spi_of(const uint8_t *p, size_t len)
{
    size_t at = p[0] >> 4 == 4 ? (size_t)(p[0] & 15) * 4 : 40;

    return at + 4 > len ? 0 : (uint32_t)p[at] << 24 |
        (uint32_t)p[at + 1] << 16 | (uint32_t)p[at + 2] << 8 | p[at + 3];
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
    if (site_addrs(mem, len, IPSEC_IN, &local, &remote)) {
        site_add(&site, IPSEC_IN, data[0] ^ 4u, 0x1001, &local, &remote);
        site_add(&site, IPSEC_IN, data[0], spi_of(mem, len), &local, &remote);
    }
    ipsec_pkt_init(&pkt, mem, len, 0, len);
    pkt.flags = data[0] & 128 ? IPSEC_PKT_TRANSIT : 0;
    rc = ipsec_inbound(&site.ips, &pkt);
    CHECK(counted(&site.ips.stats) == 1);
    CHECK(rc < 0 || (pkt.buf.data >= mem && pkt.buf.data + pkt.buf.len <=
                     mem + len));
    CHECK(pkt.layers > 0 || len == 0 || memcmp(mem, data + 1, len) == 0);
    CHECK(site.sa[0].sa.in_flight == 0 && site.st.misuse == 0);
    free(mem);
    return 0;
}
