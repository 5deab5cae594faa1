/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"

static int
count_up(void *user, void *buf, size_t len)
{
    uint8_t *p = buf;
    size_t i;

    (void)user;
    for (i = 0; i < len; i++) {
        p[i] = (uint8_t)(i * 37 + 11);
    }
    return 0;
}

void
site_init(struct site *site)
{
    memset(site, 0, sizeof *site);
    fake_crypto_init(&site->crypto, &site->st);
    site->st.any_icv = 1;
    site->cfg.crypto = &site->crypto.api;
    site->cfg.random = count_up;
    CHECK(ipsec_init(&site->ips, &site->cfg) == IPSEC_OK);
}

/* One of each layout of RFC 4303: length and place of the IV, alignment,
 * length of the ICV. */
static const struct {
    uint8_t encr, encr_key_len, integ, integ_key_len;
} suites[] = {
    { IPSEC_ENCR_NULL, 0, IPSEC_INTEG_HMAC_SHA2_256_128, 32 },
    { IPSEC_ENCR_AES_CBC, 16, IPSEC_INTEG_HMAC_SHA2_256_128, 32 },
    { IPSEC_ENCR_AES_GCM_16, 20, IPSEC_INTEG_NONE, 0 },
    { IPSEC_ENCR_CHACHA20_POLY1305, 36, IPSEC_INTEG_NONE, 0 },
    { IPSEC_ENCR_NULL, 0, IPSEC_INTEG_AES_XCBC_96, 16 },
    { IPSEC_ENCR_AES_CBC, 32, IPSEC_INTEG_HMAC_SHA2_512_256, 64 },
    { IPSEC_ENCR_AES_CCM_8_IIV, 19, IPSEC_INTEG_NONE, 0 },
    { IPSEC_ENCR_AES_GCM_12, 36, IPSEC_INTEG_NONE, 0 },
    { IPSEC_ENCR_NULL, 0, IPSEC_INTEG_HMAC_SHA2_384_192, 48 },
    { IPSEC_ENCR_AES_CTR, 20, IPSEC_INTEG_HMAC_SHA1_96, 20 },
    { IPSEC_ENCR_NULL_AES_GMAC, 20, IPSEC_INTEG_NONE, 0 },
    { IPSEC_ENCR_AES_GCM_16_IIV, 20, IPSEC_INTEG_NONE, 0 },
};

#define SUITES (sizeof suites / sizeof suites[0])

static void
suite_set(struct ipsec_keymat *km, unsigned choice)
{
    static const uint8_t keys[72] = { 1, 2, 3 };
    size_t i = ((choice >> 6 & 12) | (choice & 3)) % SUITES;

    if (choice & SITE_AH) {
        i &= 8 | 4; /* one without a cipher */
        i = i > 8 ? 8 : i;
    }
    km->encr_key = km->integ_key = keys;
    km->encr = suites[i].encr;
    km->encr_key_len = suites[i].encr_key_len;
    km->integ = suites[i].integ;
    km->integ_key_len = suites[i].integ_key_len;
}

void
site_add(struct site *site, int dir, unsigned choice, uint32_t spi,
         const struct ipsec_addr *local, const struct ipsec_addr *remote)
{
    struct ipsec_policy *policy = &site->policy[site->sas];
    struct site_sa *s = &site->sa[site->sas];
    struct ipsec_sa_params q;

    memset(&q, 0, sizeof q);
    q.spi = spi;
    q.reqid = (uint32_t)site->sas + 1;
    q.dir = (uint8_t)dir;
    q.proto = choice & SITE_AH ? IPSEC_PROTO_AH : IPSEC_PROTO_ESP;
    q.mode = choice & 4 ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT;
    q.flags = IPSEC_SA_NEGOTIATED;
    q.flags |= (uint16_t)(choice & 8 ? IPSEC_SA_ESN : 0);
    q.flags |= (uint16_t)(choice & 16 ? IPSEC_SA_DF_COPY : 0);
    q.flags |= (uint16_t)(choice & 32 ? IPSEC_SA_NO_REPLAY : 0);
    q.flags |= (uint16_t)(choice & SITE_ALIGN8 ? IPSEC_SA_AH_ALIGN8 : 0);
    q.flags |= (uint16_t)(choice & SITE_COPY ? IPSEC_SA_LABEL_COPY : 0);
    q.flags |= (uint16_t)(choice & SITE_OWN
                          ? IPSEC_SA_DSCP_SET | IPSEC_SA_NO_ECN : 0);
    q.mtu = choice & 64 ? 1300 : 0;
    q.local = *local;
    q.remote = *remote;
    suite_set(&q.km, choice);
    q.key = &s->key;
    q.key_len = sizeof s->key;
    if (ipsec_sad_add(&site->ips, &s->sa, &q) != IPSEC_OK) {
        return;
    }
    policy->action = IPSEC_ACTION_PROTECT;
    policy->dir = (uint8_t)dir;
    policy->reqid = q.reqid;
    if (site->sas == 0) {
        CHECK(ipsec_spd_add(&site->ips, policy) == IPSEC_OK);
    } else {
        site->policy[site->sas - 1].outer = policy;
    }
    site->sas++;
}

int
site_addrs(const uint8_t *p, size_t len, int dir, struct ipsec_addr *local,
           struct ipsec_addr *remote)
{
    size_t src = 12, n = 4;

    memset(local, 0, sizeof *local);
    memset(remote, 0, sizeof *remote);
    if (len >= 40 && p[0] >> 4 == 6) {
        src = 8;
        n = 16;
    } else if (len < 20 || p[0] >> 4 != 4) {
        return 0;
    }
    local->version = remote->version = n == 4 ? 4 : 6;
    memcpy((dir == IPSEC_OUT ? local : remote)->byte, p + src, n);
    memcpy((dir == IPSEC_OUT ? remote : local)->byte, p + src + n, n);
    return 1;
}
