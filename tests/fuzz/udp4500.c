/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"

/* What comes in on the port for ESP in UDP: two bytes of choices, then a
 * packet. UDP goes to our port whatever that is, ESP in it finds its SA, and
 * its ICV is right. What it is taken for is what RFC 3948 section 2 says, and
 * exactly one counter moves. */

enum { OTHER, KEEPALIVE, IKE, ESP, SHORT };

#define PORTS     0x01u /* of the second byte */
#define NAT_CSUM  0x02u
#define MOVED     0x04u /* the SA has another remote address */
#define TRANSIT   0x08u
#define UPDATE    0x10u
#define REMOVE    0x20u

static unsigned choice;

/* Where the next layer is, which is whole; 0: nowhere, or not UDP. */
static size_t
udp_find(const uint8_t *p, size_t len)
{
    size_t at = p[0] >> 4 == 4 ? (size_t)(p[0] & 15) * 4 : 40;

    if (p[0] >> 4 == 4) {
        len = (size_t)p[2] << 8 | p[3];
        return p[9] == 17 && (p[6] & 0x3f) == 0 && p[7] == 0 && at >= 20 &&
               at + 4 <= len ? at : 0;
    }
    len = ((size_t)p[4] << 8 | p[5]) + 40;
    return p[6] == 17 && at + 4 <= len ? at : 0;
}

static size_t
whole(const uint8_t *p)
{
    return p[0] >> 4 == 4 ? (size_t)p[2] << 8 | p[3]
                          : ((size_t)p[4] << 8 | p[5]) + 40;
}

static int
is_zero(const uint8_t *p)
{
    return (p[0] | p[1] | p[2] | p[3]) == 0;
}

static int
kind_of(const uint8_t *p, size_t at, size_t end)
{
    size_t len = end - at;

    if (len < 8 || ((size_t)p[at + 4] << 8 | p[at + 5]) > len ||
        ((size_t)p[at + 4] << 8 | p[at + 5]) < 8) {
        return SHORT;
    }
    len = ((size_t)p[at + 4] << 8 | p[at + 5]) - 8;
    p += at + 8;
    if (len == 1 && p[0] == 0xff) {
        return KEEPALIVE;
    }
    if (len >= 5 && is_zero(p)) {
        return IKE;
    }
    return len >= 8 ? ESP : SHORT;
}

static void
header_fix(uint8_t *p, size_t len)
{
    size_t n = (size_t)(p[0] & 15) * 4, i;
    uint32_t sum = 0;

    if (p[0] >> 4 != 4 || n > len) {
        return;
    }
    for (i = 0; i < n; i += 2) {
        sum += i == 10 ? 0 : (uint32_t)p[i] << 8 | p[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    p[10] = (uint8_t)(sum >> 8);
    p[11] = (uint8_t)sum;
}

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

static void
mapping(void *user, struct ipsec_sa *sa, const struct ipsec_addr *remote,
        uint16_t port)
{
    struct ipsec *ips = user;

    CHECK(sa->local_port != 0 && sa->packets > 0);
    if (choice & UPDATE) {
        (void)ipsec_sad_update(ips, sa, IPSEC_SA_NAT_CSUM, &sa->local, 1,
                               remote, port);
    }
    if (choice & REMOVE) {
        CHECK(ipsec_sad_remove(ips, sa) == IPSEC_PENDING);
    }
}

static void
sa_set(struct site *site, uint8_t how, const uint8_t *mem, size_t len,
       size_t at)
{
    struct ipsec_addr local, remote;
    struct ipsec_sa *sa = &site->sa[0].sa;
    const uint8_t *spi = mem + at + 8;

    if (at + 12 > len || !site_addrs(mem, len, IPSEC_IN, &local, &remote)) {
        return;
    }
    if (choice & MOVED) {
        remote.byte[0] ^= 1;
    }
    site_add(site, IPSEC_IN, how, (uint32_t)spi[0] << 24 |
             (uint32_t)spi[1] << 16 | (uint32_t)spi[2] << 8 | spi[3],
             &local, &remote);
    if (sa->state == IPSEC_SA_MATURE && choice & PORTS) {
        CHECK(ipsec_sad_update(&site->ips, sa, choice & NAT_CSUM
                               ? IPSEC_SA_NAT_CSUM : 0, &local, 1, &remote,
                               1) == IPSEC_OK);
    }
}

static void
check_kind(const struct site *site, const struct ipsec_pkt *pkt, int kind,
           int rc)
{
    int ours = (choice & TRANSIT) == 0;

    CHECK(site->ips.stats.in_keepalive == (ours && kind == KEEPALIVE));
    CHECK(!ours || kind != SHORT || rc == IPSEC_ERR_MALFORMED);
    CHECK(pkt->layers == 0 || kind == ESP || kind == OTHER);
    CHECK(!ours || kind != ESP || pkt->layers > 0 || rc < 0);
    CHECK(kind != IKE || rc == IPSEC_ERR_NO_POLICY ||
          rc == IPSEC_ERR_UNPROTECTED || rc == IPSEC_ERR_MALFORMED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ipsec_pkt pkt;
    struct site site;
    uint8_t *mem;
    size_t at = 0;
    int rc, kind;

    if (len < 2) {
        return 0;
    }
    choice = data[1];
    len -= 2;
    mem = malloc(len + (len == 0));
    CHECK(mem != NULL);
    memcpy(mem, data + 2, len);
    site_init(&site);
    site.cfg.user = &site.ips;
    site.cfg.mapping = mapping;
    if (len >= 40 && (mem[0] >> 4 == 4 || mem[0] >> 4 == 6) &&
        whole(mem) <= len) {
        header_fix(mem, len);
        at = udp_find(mem, len);
    }
    if (at != 0) {
        site.cfg.natt_port = (uint16_t)(mem[at + 2] << 8 | mem[at + 3]);
        sa_set(&site, data[0], mem, len, at);
    }
    kind = at == 0 || site.cfg.natt_port == 0 ? OTHER
        : kind_of(mem, at, whole(mem));
    ipsec_pkt_init(&pkt, mem, len, 0, len);
    pkt.flags = choice & TRANSIT ? IPSEC_PKT_TRANSIT : 0;
    rc = ipsec_inbound(&site.ips, &pkt);
    CHECK(counted(&site.ips.stats) == 1);
    check_kind(&site, &pkt, kind, rc);
    CHECK(rc < 0 || (pkt.buf.data >= mem && pkt.buf.data + pkt.buf.len <=
                     mem + len));
    CHECK(site.sa[0].sa.in_flight == 0 && site.st.misuse == 0);
    free(mem);
    return 0;
}
