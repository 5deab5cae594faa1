/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"
#include "inner.h"

/*
 * Inbound: three bytes of choices, then a packet whose layers find their SAs,
 * whose ICVs are right and whose text is in clear, whatever is in it. Exactly
 * one counter moves.
 */

static size_t
counted(const struct ipsec_stats *s)
{
    const size_t *n = (const size_t *)(const void *)s;
    size_t sum = 0, i;

    for (i = 0; i < sizeof *s / sizeof *n; i++) {
        sum += n[i];
    }
    /* heeded, and delivered as well */
    return s->in_too_big > 0 && sum > 1 ? sum - 1 : sum;
}

struct layer {
    unsigned          choice;
    uint32_t          spi;
    struct ipsec_addr local, remote;
};

/* The layer of IPsec that the packet at `p` has; how far in the next packet
 * begins, or 0. */
static size_t
layer_read(struct layer *layer, unsigned choice, const uint8_t *p, size_t len)
{
    static const uint8_t iv_len[] = { 0, 16, 8, 8, 0, 16, 0, 8, 0, 8, 8, 0 };
    struct ipsec_ip ip;
    struct ipsec_buf buf;
    size_t suite = ((choice >> 6 & 12) | (choice & 3)) % sizeof iv_len;

    memset(&buf, 0, sizeof buf);
    buf.data = (uint8_t *)(uintptr_t)p;
    buf.len = len;
    if (ipsec_ip_parse(&ip, &buf) != IPSEC_OK || ip.len - ip.off < 12 ||
        !site_addrs(p, len, IPSEC_IN, &layer->local, &layer->remote)) {
        return 0;
    }
    layer->choice = choice & ~SITE_AH;
    layer->spi = get32(p + ip.off);
    if (ip.proto == IPSEC_PROTO_AH) {
        layer->choice |= SITE_AH;
        layer->spi = get32(p + ip.off + 4);
        return ip.off + ((size_t)p[ip.off + 1] + 2) * 4;
    }
    return ip.proto == IPSEC_PROTO_ESP ? ip.off + 8 + iv_len[suite] : 0;
}

/* An SA for each layer, the innermost first, as its policy asks. In transport
 * mode what is behind a layer has no header to be read: it ends here. */
static void
sas_add(struct site *site, unsigned choice, const uint8_t *p, size_t len)
{
    struct layer layer[SITE_SAS];
    size_t n = 0, by;

    do {
        by = layer_read(&layer[n], choice, p, len);
        n += by != 0;
        if (by == 0 || by >= len || !(choice & SITE_TUNNEL)) {
            break;
        }
        p += by;
        len -= by;
        choice ^= choice >> 13 & 7; /* another suite, or mode, inside */
    } while (n < SITE_SAS);
    while (n-- > 0) {
        site_add(site, IPSEC_IN, layer[n].choice, layer[n].spi,
                 &layer[n].local, &layer[n].remote);
    }
}

/* The policy is another: as `choice` says. */
static void
policy_change(struct site *site, unsigned choice)
{
    static const uint8_t actions[] = {
        IPSEC_ACTION_PROTECT, IPSEC_ACTION_BYPASS, IPSEC_ACTION_DISCARD,
        IPSEC_ACTION_PROTECT
    };

    if (site->sas > 0 && choice > 0) {
        site->policy[0].action = actions[choice];
        site->policy[0].mode = IPSEC_MODE_TRANSPORT;
        site->policy[0].outer = NULL;
    }
}

static void
check_result(const struct site *site, const struct ipsec_pkt *pkt, int rc,
             const uint8_t *data, size_t len)
{
    const struct ipsec_buf *buf = &pkt->buf;
    size_t i;

    CHECK(counted(&site->ips.stats) == 1);
    CHECK(rc >= 0 || site->ips.stats.in_drop[-rc] == 1);
    CHECK(rc < 0 || (buf->data >= buf->head && buf->len <=
                     (size_t)(buf->end - buf->data)));
    CHECK(pkt->layers > 0 || len == 0 ||
          memcmp(buf->head, data, len) == 0);
    CHECK(pkt->layers <= IPSEC_DEPTH && site->st.runs <= IPSEC_DEPTH);
    for (i = 0; i < SITE_SAS; i++) {
        CHECK(site->sa[i].sa.in_flight == 0);
    }
    CHECK(site->st.misuse == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct site site;
    struct ipsec_pkt pkt;
    unsigned choice;
    uint8_t *mem;
    int rc;

    if (len < 3) {
        return 0;
    }
    choice = data[0] | (unsigned)data[1] << 8;
    len -= 3;
    mem = malloc(len + (len == 0));
    CHECK(mem != NULL);
    memcpy(mem, data + 3, len);
    site_init(&site);
    site.st.clear = 1;
    site.cfg.flags = data[2] & 15;
    sas_add(&site, choice, mem, len);
    policy_change(&site, data[2] >> 6);
    ipsec_pkt_init(&pkt, mem, len, 0, len);
    pkt.flags = data[0] & 128 ? IPSEC_PKT_TRANSIT : 0;
    rc = ipsec_inbound(&site.ips, &pkt);
    check_result(&site, &pkt, rc, data + 3, len);
    free(mem);
    return 0;
}
