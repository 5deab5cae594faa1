/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"

/* ICMP: two bytes of choices, then the packet that an error quotes, or any
 * packet. An error made of the first, with checksums that are right, meets SAs
 * that could have sent what it quotes, in clear or over one of them; and for
 * any packet an error is written. */

#define HEAD 200
#define TAIL 120
#define QUOTE_MAX 1500u
#define MTU_AGE 600u /* seconds, of ipsec_config.pmtu_age 0 */
#define NARROW 8u /* of the second choice */

static const uint8_t lanes[64] = { 0, 1, 1 };

static uint32_t
sum_add(uint32_t sum, const uint8_t *p, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    }
    return sum;
}

static void
sum_put(uint8_t *to, uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    to[0] = (uint8_t)(~sum >> 8);
    to[1] = (uint8_t)~sum;
}

/* Does a packet of ours have right checksums? */
static int
is_right(const uint8_t *p, size_t len)
{
    size_t at = p[0] >> 4 == 4 ? 20 : 40;
    uint32_t sum = sum_add(0, p + at, len - at);

    if (at == 40) {
        sum = sum_add(sum + 58 + (uint32_t)(len - at), p + 8, 32);
    } else if (sum_add(0, p, 20) % 0xffff != 0) {
        return 0;
    }
    return sum % 0xffff == 0;
}

/* An error from a router to `to`, of the type and with the word that the
 * choices say, about `quote`; its length. */
static size_t
error_build(uint8_t *p, const struct ipsec_addr *to, const uint8_t *choice,
            const uint8_t *quote, size_t len)
{
    static const uint8_t type4[] = { 3, 11, 5, 12, 3, 3, 8, 4 };
    static const uint8_t type6[] = { 2, 3, 1, 4, 2, 2, 128, 127 };
    int v6 = to->version == 6;
    size_t at = v6 ? 40 : 20, all = at + 8 + len;
    uint8_t *icmp = p + at;

    memset(p, 0, at + 8);
    memcpy(icmp + 8, quote, len);
    icmp[0] = v6 ? type6[choice[0] & 7] : type4[choice[0] & 7];
    icmp[1] = v6 || (choice[0] & 7) != 0 ? 0 : 4;
    icmp[6] = choice[1];
    icmp[7] = choice[0];
    if (v6) {
        p[0] = 0x60;
        p[4] = (uint8_t)((all - at) >> 8);
        p[5] = (uint8_t)(all - at);
        p[6] = 58;
        p[7] = 64;
        p[8] = 0xfe;
        memcpy(p + 24, to->byte, 16);
        sum_put(icmp + 2, sum_add(58 + (uint32_t)(all - at), p + 8, 32) +
                sum_add(0, icmp, all - at));
    } else {
        p[0] = 0x45;
        p[2] = (uint8_t)(all >> 8);
        p[3] = (uint8_t)all;
        p[8] = 64;
        p[9] = 1;
        p[12] = 9;
        memcpy(p + 16, to->byte, 4);
        sum_put(p + 10, sum_add(0, p, 20));
        sum_put(icmp + 2, sum_add(0, icmp, all - at));
    }
    return all;
}

static uint32_t
word_at(const uint8_t *p, size_t len, size_t at)
{
    return at + 4 > len ? 0 : (uint32_t)p[at] << 24 |
        (uint32_t)p[at + 1] << 16 | (uint32_t)p[at + 2] << 8 | p[at + 3];
}

/* Only of what the quoted packet is: an error goes by what it quotes. */
static void
policy_narrow(struct ipsec_policy *policy, const uint8_t *quote,
              const struct ipsec_addr *remote)
{
    memcpy(policy->sel.remote.byte, remote->byte, sizeof remote->byte);
    policy->sel.remote.bits = remote->version == 4 ? 32 : 128;
    policy->sel.version = remote->version;
    policy->sel.proto = remote->version == 4 ? quote[9] : quote[6];
}

/* SAs that send from `local` and that may have sent the quoted packet. */
static void
site_fill(struct site *site, const uint8_t *choice, const uint8_t *quote,
          size_t len, const struct ipsec_addr *local,
          const struct ipsec_addr *remote)
{
    size_t at = local->version == 4 ? (size_t)(quote[0] & 15) * 4 : 40;
    struct ipsec_sa *sa;
    size_t i;

    site_init(site);
    site->cfg.flags = (uint8_t)(choice[1] & 7);
    site->cfg.dscp_lane = lanes;
    site_add(site, IPSEC_OUT, 0x44, word_at(quote, len, at), local, remote);
    site_add(site, IPSEC_OUT, 0x46, word_at(quote, len, at + 8), local,
             remote);
    for (sa = ipsec_sad_next(&site->ips, NULL); sa != NULL;
         sa = ipsec_sad_next(&site->ips, sa)) {
        sa->seq = (uint64_t)word_at(quote, len, at + 4) + (choice[1] >> 4);
    }
    for (i = choice[0] & 16 ? 0 : 1; i < site->sas; i++) {
        sa = &site->sa[i].sa; /* one behind these ports, or two */
        sa->local_port = (uint16_t)(word_at(quote, len, at) >> 16);
        sa->remote_port = (uint16_t)word_at(quote, len, at);
    }
    /* and one over which it may come in */
    site_add(site, IPSEC_IN, choice[0] & 8 ? 0x44 : 0x04, 0x7001, local,
             remote);
    if (site->sas > 0) {
        site->policy[0].outer = NULL;
        site->policy[0].dir = IPSEC_OUT | IPSEC_IN;
    }
    if (choice[1] & NARROW && site->sas > 0) {
        policy_narrow(&site->policy[0], quote, remote);
    }
}

static size_t
counted(const struct ipsec_stats *s)
{
    size_t n = s->in_protect + s->in_bypass + s->in_consumed +
               s->in_keepalive + s->in_too_big, i;

    for (i = 0; i < IPSEC_DROP_COUNT; i++) {
        n += s->in_drop[i];
    }
    return n;
}

/* In clear: heeded or not, it is as it was, and counted once. */
static void
check_in(struct site *site, const uint8_t *error, size_t len)
{
    struct ipsec_pkt pkt;
    struct ipsec_sa *sa;
    uint8_t *mem = malloc(len);
    int rc;

    CHECK(mem != NULL);
    memcpy(mem, error, len);
    ipsec_pkt_init(&pkt, mem, len, 0, len);
    rc = ipsec_inbound(&site->ips, &pkt);
    CHECK(counted(&site->ips.stats) == 1);
    CHECK(memcmp(mem, error, len) == 0);
    CHECK((rc == IPSEC_CONSUMED) == (site->ips.stats.in_too_big == 1));
    CHECK(rc != IPSEC_CONSUMED || (site->cfg.flags & IPSEC_ACCEPT_PTB));
    for (sa = ipsec_sad_next(&site->ips, NULL); sa != NULL;
         sa = ipsec_sad_next(&site->ips, sa)) {
        CHECK(sa->mtu == sa->link_mtu || rc == IPSEC_CONSUMED);
        CHECK(sa->mtu == sa->link_mtu || sa->mtu >= 576);
    }
    if (rc == IPSEC_CONSUMED) { /* once; and again when that is forgotten */
        ipsec_pkt_init(&pkt, mem, len, 0, len);
        CHECK(ipsec_inbound(&site->ips, &pkt) != IPSEC_CONSUMED);
        ipsec_tick(&site->ips, site->ips.now + MTU_AGE + 1);
        ipsec_pkt_init(&pkt, mem, len, 0, len);
        CHECK(ipsec_inbound(&site->ips, &pkt) == IPSEC_CONSUMED);
    }
    free(mem);
}

/* Out, and what comes of that in again. */
static void
check_through(struct site *site, const uint8_t *error, size_t len)
{
    static uint8_t mem[HEAD + QUOTE_MAX + 48 + TAIL];
    struct ipsec_pkt pkt;
    int rc;

    memcpy(mem + HEAD, error, len);
    ipsec_pkt_init(&pkt, mem, sizeof mem, HEAD, len);
    rc = ipsec_outbound(&site->ips, &pkt);
    CHECK(rc == IPSEC_OK || rc < 0);
    if (rc == IPSEC_OK) {
        pkt.buf.data[pkt.buf.data[0] >> 4 == 4 ? 22 : 42] = 0x70;
        (void)ipsec_inbound(&site->ips, &pkt);
    }
    CHECK(site->st.misuse == 0);
}

static void
check_error(const uint8_t *data, size_t len, const uint8_t *choice)
{
    static const int status[] = { -1, -3, -4, -5, -13, -14, 0, -8 };
    struct ipsec_addr from, to;
    struct ipsec_pkt pkt;
    uint8_t *mem = malloc(len + (len == 0)), *out;
    size_t room = choice[0] & 64 ? 1280 : choice[1] * 5u, n;

    out = malloc(room + (room == 0));
    CHECK(mem != NULL && out != NULL);
    memcpy(mem, data, len);
    (void)site_addrs(mem, len, IPSEC_OUT, &to, &from);
    ipsec_pkt_init(&pkt, mem, len, 0, len);
    pkt.mtu = 1300;
    n = ipsec_icmp_error(&pkt, status[choice[0] >> 3 & 7], &from, out, room);
    CHECK(n <= room && n <= (from.version == 6 ? 1280 : 576));
    CHECK(n == 0 || is_right(out, n));
    CHECK(len == 0 || memcmp(mem, data, len) == 0);
    /* an error about an error: never */
    if (n > 0) {
        pkt.buf.data = out;
        pkt.buf.len = n;
        CHECK(ipsec_icmp_error(&pkt, IPSEC_ERR_NO_SA, &from, out, room) == 0);
    }
    free(out);
    free(mem);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t error[QUOTE_MAX + 48];
    static struct site site;
    struct ipsec_addr local, remote;
    const uint8_t *quote = data + 2;
    size_t n;

    if (len < 2 || len > QUOTE_MAX) {
        return 0;
    }
    len -= 2;
    check_error(quote, len, data);
    if (site_addrs(quote, len, IPSEC_OUT, &local, &remote)) {
        n = error_build(error, &local, data, quote, len);
        site_fill(&site, data, quote, len, &local, &remote);
        check_in(&site, error, n);
        site_fill(&site, data, quote, len, &local, &remote);
        check_through(&site, error, n);
    }
    return 0;
}
