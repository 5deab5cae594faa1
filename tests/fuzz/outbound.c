/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"

/* Outbound: two bytes of choices for each of three SAs, then a packet. What
 * gets sealed, a peer opens again, byte for byte; what does not is as it
 * was. */

#define HEAD 264
#define TAIL 160
#define CHOICES 6

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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t mem[HEAD + 4096 + TAIL];
    static struct site site;
    struct ipsec_addr local, remote;
    unsigned choice[3];
    struct ipsec_pkt pkt;
    size_t layers, i;
    int rc;

    if (len < CHOICES || len > CHOICES + 4096) {
        return 0;
    }
    len -= CHOICES;
    layers = 1u + (data[0] >> 7) + (data[1] >> 7);
    memset(mem, 0, HEAD + len + TAIL);
    memcpy(mem + HEAD, data + CHOICES, len);
    site_init(&site);
    site.st.clear = 1;
    for (i = 0; i < layers; i++) {
        choice[i] = data[i] | (unsigned)data[3 + i] << 8;
        if (site_addrs(mem + HEAD, len, IPSEC_OUT, &local, &remote)) {
            site_add(&site, IPSEC_OUT, choice[i], (uint32_t)(0x1000 + i),
                     &local, &remote);
        }
    }
    ipsec_pkt_init(&pkt, mem, HEAD + len + TAIL, HEAD, len);
    pkt.flags = data[2] >> 7 ? IPSEC_PKT_TRANSIT : 0;
    rc = ipsec_outbound(&site.ips, &pkt);
    CHECK(rc == IPSEC_OK || rc < 0);
    CHECK(site.st.misuse == 0 && site.sa[0].sa.in_flight == 0);
    if (rc == IPSEC_OK) {
        check_back(&pkt, choice, layers, data + CHOICES);
    } else if (pkt.layers == 0) {
        CHECK(memcmp(mem + HEAD, data + CHOICES, len) == 0);
    }
    return 0;
}
