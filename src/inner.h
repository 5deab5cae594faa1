/* SPDX-License-Identifier: MIT */
#ifndef IPSEC_INNER_H
#define IPSEC_INNER_H

#include "ipsec/ipsec.h"
#include "wire.h"

#include <string.h>

/* All that is private to the library and shared between its files. */

#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

#include "ip.h"

#if !defined(IPSEC_NO_NATT) || !defined(IPSEC_NO_ICMP)

/* checksum.c: the sum of wire.h, piece by piece, each but the last of even
 * length: begin with 0 or a pseudo header, end with _fold(). */
uint32_t ipsec_sum_add(uint32_t sum, const uint8_t *p, size_t len);

/* The pseudo header of `len` bytes of `proto` behind the IPv4 or IPv6 header
 * at `ip` (RFC 9293 section 3.1, RFC 8200 section 8.1). */
uint32_t ipsec_sum_pseudo(const uint8_t *ip, uint8_t proto, size_t len);

/* The checksum of the `len` bytes that follow on the `off` bytes of headers at
 * `ip`, with the pseudo header unless `proto` is ICMPv4. */
uint16_t ipsec_sum_whole(const uint8_t *ip, size_t off, uint8_t proto,
                         size_t len);

#endif

/* Is it IPv6, and not IPv4? Asked of packets that were parsed and of SAs that
 * were added, which are of no version that was left out: of others LACKS_IP()
 * says that. */
#ifdef IPSEC_NO_IPV6
#define IS_IP6(version)   ((void)(version), 0)
#define LACKS_IP(version) ((version) == 6)
#else
#define IS_IP6(version)   ((version) == 6)
#define LACKS_IP(version) ((void)(version), 0)
#endif

/* flow.c */

/* Header of the packet in `buf`: IPSEC_OK or IPSEC_ERR_MALFORMED. */
int ipsec_ip_parse(struct ipsec_ip *ip, const struct ipsec_buf *buf);

/* Bytes of the two addresses that a flow begins with, and that stand so in an
 * SA and in slots for fragments. Of a packet's flow, what IPv4 leaves of them
 * is zero. */
#define FLOW_ADDRS (2 * sizeof(struct ipsec_addr))

/* Its selectors. */
void ipsec_flow_fill(struct ipsec_flow *flow, int dir,
                     const struct ipsec_ip *ip, const uint8_t *p);

static inline int
ipsec_proto_is_icmp(uint8_t proto)
{
    return proto == PROTO_ICMP || proto == PROTO_ICMPV6;
}

/* Does it begin with a source and a destination port? */
int ipsec_proto_has_ports(uint8_t proto);

/* Selectors that IPSEC_NO_PFP leaves out: the type of a Mobility Header, a
 * protocol that is named where a later fragment doesn't show it. */
#ifdef IPSEC_NO_PFP
#define IS_MOBILITY(proto) 0
#define HIDES_PROTO(ip)    0
#else
#define IS_MOBILITY(proto) ((proto) == PROTO_MOBILITY)
#define HIDES_PROTO(ip) (IS_IP6((ip)->version) && ipsec_ip6_is_ext((ip)->proto))
#endif

/* Tell an IP header its new length and what follows, at `nh`. */
void ipsec_ip_resize(uint8_t *p, size_t len, size_t nh, uint8_t proto);

int ipsec_addr_equal(const struct ipsec_addr *a, const struct ipsec_addr *b);

/* Are both given, and of one family? */
int ipsec_addr_pair(const struct ipsec_addr *a, const struct ipsec_addr *b);

/* alg.c */

/* What ESP needs to know of an SA's algorithms. */
struct ipsec_alg {
    uint8_t iv_len;   /* on the wire; of AH, in front of the ICV */
    uint8_t align;    /* of payload, padding and trailer; a power of two */
    uint8_t icv_len;
    uint8_t flags;    /* ALG_* */
};

#define ALG_AEAD    0x01u /* no MAC beside it; high half of ESN in the AAD */
#define ALG_COUNTER 0x02u /* no two packets under one number */
#define ALG_IV_TEXT 0x04u /* the IV field is part of the text (CBC) */

#if defined(IPSEC_NO_CTR) && defined(IPSEC_NO_GMAC)
#define ALG_IV_AAD  0u
#else
#define ALG_IV_AAD  0x08u /* ... or of the AAD, at its end */
#endif

#if defined(IPSEC_NO_IIV)
#define ALG_IV_SEQ  0u
#else
#define ALG_IV_SEQ  0x10u /* ... or the whole number, and not sent */
#endif

#if defined(IPSEC_NO_AH) || defined(IPSEC_NO_GMAC)
#define ALG_AH      0u
#else
#define ALG_AH      0x20u /* for AH alone; its IV is ahead of the ICV */
#endif

/* IPSEC_OK, or what is wrong with algorithms and lengths of keys. */
int ipsec_alg_find(struct ipsec_alg *alg, const struct ipsec_keymat *km);

/* Are the keys there? One that was never filled in is all zero; where key
 * exchange made it (`fresh`) that is a value like any other. */
int ipsec_key_check(const struct ipsec_keymat *km, int fresh);

/* Is it ESP, or AH where this was built with it? */
int ipsec_proto_known(int proto);

/* replay.c: anti-replay window (RFC 4303 section 3.4.3). */

void ipsec_replay_init(struct ipsec_sa *sa);

/* The whole number of which `low` was on the wire (RFC 4303 appendix A2); 0,
 * which is never sent, if there is none. */
uint64_t ipsec_replay_seq(const struct ipsec_sa *sa, uint32_t low);

/* IPSEC_OK, or IPSEC_ERR_REPLAY. */
int ipsec_replay_check(const struct ipsec_sa *sa, uint64_t seq);

/* `seq` is authentic, and was checked. */
void ipsec_replay_update(struct ipsec_sa *sa, uint64_t seq);

/* lifetime.c */

/* May `sa` carry a number after `seq`? IPSEC_OK, IPSEC_ERR_EXPIRED, or
 * IPSEC_ERR_SEQ_OVERFLOW. */
int ipsec_life_check(const struct ipsec *ips, const struct ipsec_sa *sa,
                     uint64_t seq);

/* The flag, where this was built with it. */
#ifdef IPSEC_NO_ROLLOVER
#define ROLLOVER 0u
#else
#define ROLLOVER IPSEC_SA_ROLLOVER
#endif

/* IPSEC_OK, or IPSEC_ERR_LIFETIME: limits that contradict each other, or
 * leave an SA that has used `seq` numbers nothing. IPSEC_ERR_UNSUPPORTED:
 * soft ones, where this was built without events. */
int ipsec_life_valid(const struct ipsec_lifetime *life, uint64_t seq,
                     uint16_t flags);

/* Raise what is due. The SA may be gone afterwards unless it is in flight. */
#ifdef IPSEC_NO_EVENTS
#define ipsec_life_warn(ips, sa) ((void)(sa))
#else
void ipsec_life_warn(struct ipsec *ips, struct ipsec_sa *sa);

/* Sweep one chain; earliest of `*next` and what it will next be due. */
void ipsec_life_sweep(struct ipsec *ips, struct ipsec_sad_bucket *bucket,
                      uint32_t *next);
#endif

/* sad.c */

int ipsec_sad_init(struct ipsec *ips);

/* The bucket for the chain by SPI or by reqid of this key. */
#ifdef IPSEC_NO_INDEX
#define ipsec_sad_bucket(ips, key) \
    ((void)(key), (struct ipsec_sad_bucket *)&(ips)->sad_one)
#else
struct ipsec_sad_bucket *ipsec_sad_bucket(const struct ipsec *ips,
                                          uint32_t key);
#endif

#if defined(IPSEC_NO_KEYMGMT) && defined(IPSEC_NO_QUARANTINE)
#define IS_LARVAL(sa) 0
#else
#define IS_LARVAL(sa) ((sa)->state == IPSEC_SA_LARVAL)
#endif

/* It was removed and no packet holds it: wipe its key. */
void ipsec_sa_end(struct ipsec_sa *sa);

/* ipsec.c: a packet takes hold of an SA, so that it stays whatever a callback
 * does; and lets go of all. */
static inline void
ipsec_sa_hold(struct ipsec_pkt *pkt, struct ipsec_sa *sa)
{
    pkt->sa[pkt->held++] = sa;
    sa->in_flight++;
}

void ipsec_sa_release(struct ipsec *ips, struct ipsec_pkt *pkt);

/* IPSEC_OK, or IPSEC_ERR_EXPIRED: one of those held was removed meanwhile. */
int ipsec_sa_alive(const struct ipsec_pkt *pkt);

/* group.c: inbound SAs of groups, which several hosts receive (RFC 4301
 * section 4.1) */

#ifdef IPSEC_NO_MULTICAST
#define GROUP_FLAGS 0u
#define IS_GROUP(sa) 0
#define HAS_SENDER(sa) 1
#define ipsec_addr_is_group(addr) 0
#define ipsec_group_valid(q, alg) IPSEC_OK
#define ipsec_group_clash(sa, group, local, remote)                           \
    ((void)(group), (void)(local), 1)
#define ipsec_group_find(ips, spi, proto, dst, src) NULL
#else
#define GROUP_FLAGS ((unsigned)(IPSEC_SA_MULTICAST | IPSEC_SA_MATCH_REMOTE))
#define IS_GROUP(sa) (((sa)->flags & IPSEC_SA_MULTICAST) != 0)
#define HAS_SENDER(sa) (((sa)->flags & GROUP_FLAGS) != IPSEC_SA_MULTICAST)

static inline int
ipsec_addr_is_group(const struct ipsec_addr *addr)
{
    return IS_IP6(addr->version) ? addr->byte[0] == 0xff
                                 : addr->byte[0] >> 4 == 14;
}

/* IPSEC_OK, or what is wrong with an SA that is to be a group's. */
int ipsec_group_valid(const struct ipsec_sa_params *q,
                      const struct ipsec_alg *alg);

/* Has `sa`, of the same SPI and protocol, the identifier that an SA with the
 * GROUP_FLAGS `group` would have? */
int ipsec_group_clash(const struct ipsec_sa *sa, unsigned group,
                      const struct ipsec_addr *local,
                      const struct ipsec_addr *remote);

/* The inbound SA for packets to the group `dst` from `src`, by the longest
 * identifier; NULL for `src`: from anybody. Or NULL. */
struct ipsec_sa *ipsec_group_find(const struct ipsec *ips, uint32_t spi,
                                  int proto, const struct ipsec_addr *dst,
                                  const struct ipsec_addr *src);
#endif

/* spd.c */

int ipsec_spd_init(struct ipsec *ips);

/* Is it OPAQUE (RFC 4301 section 4.4.1.1)? */
static inline int
ipsec_port_opaque(uint16_t lo, uint16_t hi)
{
    return lo == 65535 && hi == 0;
}

/* Does it have ports, or a type that stands for them? */
int ipsec_proto_has_selector(uint8_t proto);

int ipsec_policy_match(const struct ipsec_policy *policy, int dir,
                       const struct ipsec_flow *flow);

/* Is `sa` of the kind that `policy` asks for? IPSEC_OK, or _ERR_MODE. */
static inline int
ipsec_policy_accepts(const struct ipsec_policy *policy,
                     const struct ipsec_sa *sa)
{
    /* a mode is a bit; IPSEC_MODE_ANY has both, and 0 asks for none */
    return (policy->proto == 0 || policy->proto == sa->proto) &&
           (policy->mode & sa->mode) == policy->mode
        ? IPSEC_OK : IPSEC_ERR_MODE;
}

/* narrow.c: populate from packet, and selectors of key management */

#ifdef IPSEC_NO_PFP
#define ipsec_pfp_check(policy, flow) IPSEC_OK
#else
/* IPSEC_OK, or what is wrong with the `pfp` and `sel.set` of a policy. */
int ipsec_pfp_valid(const struct ipsec_policy *policy);

/* Has a packet all that `pfp` takes from it? IPSEC_OK, or _ERR_SELECTOR. */
int ipsec_pfp_check(const struct ipsec_policy *policy,
                    const struct ipsec_flow *flow);
#endif

/* layer.c: ESP or AH, as the SA is */

/* Bytes that a layer adds ahead of a packet. */
size_t ipsec_layer_head(const struct ipsec_sa *sa);

/* ... and behind one of `len` bytes, whose IP header takes `ins`. */
size_t ipsec_layer_tail(const struct ipsec_sa *sa, size_t ins, size_t len);

/* Largest packet that becomes no longer than `mtu`; 0: none. */
size_t ipsec_layer_mtu(const struct ipsec_sa *sa, size_t ins, size_t mtu);

/* What a layer round the packet at `p` says is next in it. */
uint8_t ipsec_layer_next(const struct ipsec_sa *sa, const struct ipsec_ip *ip,
                         const uint8_t *p);

/* Put on the layer of pkt->sa[pkt->stage], round the packet that begins with
 * `ip`, for which there is room; pkt->op is then ready to seal. */
void ipsec_layer_seal(struct ipsec_pkt *pkt, const struct ipsec_ip *ip);

/* Check lengths, limits and the replay window for `sa`; pkt->op is then ready
 * to open. */
int ipsec_layer_open(const struct ipsec *ips, struct ipsec_pkt *pkt,
                     const struct ipsec_sa *sa, const struct ipsec_ip *ip);

#ifdef IPSEC_NO_BUNDLES
#define LAYERS 1 /* the most round a packet */
#define OUTER(policy) ((struct ipsec_policy *)NULL)
#else
#define LAYERS IPSEC_DEPTH
#define OUTER(policy) ((policy)->outer)
#endif

/* Wild-card mode: did the layer just opened, that of `sa`, in which `next`
 * comes next, hold a whole packet? Kept in pkt->tunnels, from where the mode of
 * layer `i` is known; and is that the one that `policy` asks for, whose SA was
 * accepted? */
#ifdef IPSEC_NO_MODE_ANY
#define IS_WILD(sa) 0
#define ipsec_layer_tunnel(pkt, sa, next) ((sa)->mode == IPSEC_MODE_TUNNEL)
#define ipsec_layer_mode(pkt, i) ((pkt)->sa[i]->mode)
#define ipsec_layer_fits(pkt, i, policy) 1
#else
#define IS_WILD(sa) ((sa)->mode == IPSEC_MODE_ANY)
int ipsec_layer_tunnel(struct ipsec_pkt *pkt, const struct ipsec_sa *sa,
                       uint8_t next);

static inline int
ipsec_layer_mode(const struct ipsec_pkt *pkt, size_t i)
{
    return pkt->tunnels >> i & 1 ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT;
}

static inline int
ipsec_layer_fits(const struct ipsec_pkt *pkt, size_t i,
                 const struct ipsec_policy *policy)
{
    return policy->mode == 0 || policy->mode == ipsec_layer_mode(pkt, i);
}
#endif

/* The ICV held: window, trailer, headers. IPSEC_OK, IPSEC_CONSUMED, or an
 * error. If it was a tunnel, `ip` is then the header of the packet inside. */
int ipsec_layer_opened(struct ipsec_pkt *pkt, struct ipsec_sa *sa,
                       struct ipsec_ip *ip);

/* May `sa` accept the packet still, whose number is pkt->seq? As
 * ipsec_life_check(). */
int ipsec_layer_life(const struct ipsec *ips, const struct ipsec_pkt *pkt,
                     const struct ipsec_sa *sa);

/* May the number whose low half is `low` pass? Sets pkt->seq to the whole. */
int ipsec_layer_check(const struct ipsec *ips, struct ipsec_pkt *pkt,
                      const struct ipsec_sa *sa, uint32_t low);

/* New headers, `grow` bytes ahead of the old; the packet then has `len`. */
void ipsec_encapsulate(struct ipsec_buf *buf, const struct ipsec_sa *sa,
                       const struct ipsec_ip *ip, size_t grow, size_t len);

/* The other way, in transport mode: `payload` follows on the old headers. */
void ipsec_decapsulate(struct ipsec_buf *buf, const struct ipsec_ip *ip,
                       uint8_t *payload, size_t len, uint8_t next);

/* esp.c (RFC 4303): as above. */
static inline size_t
ipsec_esp_head(const struct ipsec_sa *sa)
{
    return ESP_HDR + (size_t)sa->iv_len;
}

size_t ipsec_esp_tail(const struct ipsec_sa *sa, size_t len);
size_t ipsec_esp_fit(const struct ipsec_sa *sa, size_t room);
void ipsec_esp_seal(struct ipsec_pkt *pkt, const struct ipsec_ip *ip);
int ipsec_esp_open(const struct ipsec *ips, struct ipsec_pkt *pkt,
                   const struct ipsec_sa *sa, const struct ipsec_ip *ip);
int ipsec_esp_opened(struct ipsec_pkt *pkt, struct ipsec_sa *sa,
                     struct ipsec_ip *ip);

/* ah.c (RFC 4302): likewise. */
size_t ipsec_ah_len(const struct ipsec_sa *sa);
void ipsec_ah_seal(struct ipsec_pkt *pkt, const struct ipsec_ip *ip);
int ipsec_ah_open(const struct ipsec *ips, struct ipsec_pkt *pkt,
                  const struct ipsec_sa *sa, const struct ipsec_ip *ip);
int ipsec_ah_opened(struct ipsec_pkt *pkt, struct ipsec_sa *sa,
                    struct ipsec_ip *ip);

/* Can the headers of a packet, `hdr` bytes of them, be authenticated? */
int ipsec_ah_covers(const struct ipsec_sa *sa, const uint8_t *p, size_t hdr);

/* udpencap.c: ESP in UDP (RFC 3948) */

#ifdef IPSEC_NO_NATT
#define IP_UDP(ip)     0u
#define IN_UDP(sa)     0
#define LAYER_PROTO(sa) ((sa)->proto)
#define ipsec_udp_wrap(sa, udp, len) ((void)0)
#define ipsec_sum_renew(buf) ((void)0)
#define ipsec_udp_strip(ip, p, port) IPSEC_OK
#define ipsec_udp_opened(ips, pkt, sa, flow, newest, rc)                      \
    ((void)(newest), (rc))
#else
#define IP_UDP(ip)     ((ip)->udp)
#define IN_UDP(sa)     ((sa)->local_port != 0)
#define LAYER_PROTO(sa) (IN_UDP(sa) ? PROTO_UDP : (sa)->proto)

/* Write the header at `udp`, from where the packet has `len` bytes to go. */
void ipsec_udp_wrap(const struct ipsec_sa *sa, uint8_t *udp, size_t len);

/* Compute the checksum of what follows on the IP headers anew, where that is
 * TCP, UDP or ICMPv6. Over IPv4, UDP that has none is left without. */
void ipsec_sum_renew(struct ipsec_buf *buf);

/*
 * What is in the packet at `p`, if it is UDP to our port `port`. IPSEC_OK: ESP,
 * and `ip` is now as if that stood behind the IP headers; or IKE or another
 * datagram, and `ip` is as it was. IPSEC_CONSUMED: a NAT keepalive. Or
 * IPSEC_ERR_MALFORMED.
 */
int ipsec_udp_strip(struct ipsec_ip *ip, const uint8_t *p, uint16_t port);

/* A packet of `sa` in UDP, whose outer header was `flow`, was opened with
 * `rc`; `newest` is whether it has the highest number so far. The verdict. */
int ipsec_udp_opened(struct ipsec *ips, struct ipsec_pkt *pkt,
                     struct ipsec_sa *sa, const struct ipsec_flow *flow,
                     int newest, int rc);
#endif

/*
 * frag.c: stateful fragment checking (RFC 4301 sections 7.3 and 7.4).
 *
 * note: a first fragment that has met its policy, after `layers` layers of
 * IPsec; others are let be.
 * check: `*policy` is what the SPD says of `flow`. For a later fragment whose
 * first is known, what it says of the ports of that one, which `flow` then
 * has; one in clear is of nothing that came over an SA. IPSEC_OK, or `refuse`:
 * it may not go there.
 */
#ifndef IPSEC_NO_FRAGMENTS
void ipsec_frag_note(const struct ipsec *ips, int dir,
                     const struct ipsec_ip *ip, const struct ipsec_flow *flow,
                     size_t layers);
int ipsec_frag_check(const struct ipsec *ips, int dir,
                     const struct ipsec_ip *ip, struct ipsec_flow *flow,
                     size_t layers, struct ipsec_policy **policy,
                     int refuse);
#else
#define ipsec_frag_note(ips, dir, ip, flow, layers) ((void)0)
#define ipsec_frag_check(ips, dir, ip, flow, layers, policy, refuse) IPSEC_OK
#endif

/* fragment.c: bytes of a packet that its first fragment has to have over IPv6,
 * up to the end of the upper-layer header (RFC 8200 section 4.5). */
#ifdef IPSEC_NO_IPV6
static inline size_t
ipsec_chain_len(const struct ipsec_ip *ip)
{
    return ip->off;
}
#else
size_t ipsec_chain_len(const struct ipsec_ip *ip);
#endif

/* tunnel.c: outer headers (RFC 4301 section 5.1.2) */

static inline size_t
ipsec_tunnel_len(const struct ipsec_sa *sa)
{
    return IS_IP6(sa->local.version) ? IP6_HDR : IP4_HDR;
}

/* Will the outer header that `sa` puts round a packet, which itself has `df`
 * or not, forbid fragmentation? */
int ipsec_tunnel_df(const struct ipsec_sa *sa, int df);

/* Write the outer header of a packet of `len` bytes, outer header included,
 * at `p`; the packet inside begins at `in`. */
void ipsec_tunnel_wrap(const struct ipsec_sa *sa, uint8_t *p, size_t len,
                       const struct ipsec_ip *inner, const uint8_t *in);

/* What came out of a tunnel, in `buf`, as next header `proto`, behind the outer
 * header `ip`, which then is the inner: check it, trim it, carry over
 * congestion marks. */
int ipsec_tunnel_unwrap(struct ipsec_buf *buf, uint8_t proto,
                        struct ipsec_ip *ip);

/* icmp.c: ICMP errors, of the headers `ip` and the selectors `flow`, by what
 * they quote (RFC 4301 sections 6 and 8.2) */

#ifndef IPSEC_NO_ICMP

/* Is `pkt` a "too big" that came in clear, and was it heeded? */
int ipsec_icmp_heeded(struct ipsec *ips, const struct ipsec_pkt *pkt,
                      const struct ipsec_ip *ip, const struct ipsec_flow *flow);

/* Of one that no policy matches, the policy that protects the traffic which it
 * is about; or NULL. */
struct ipsec_policy *ipsec_icmp_related(const struct ipsec *ips, int dir,
                                        const struct ipsec_pkt *pkt,
                                        const struct ipsec_ip *ip,
                                        const struct ipsec_flow *flow);

/* What came in over the SAs that `policy` asks for: IPSEC_OK, or
 * IPSEC_ERR_SELECTOR where it quotes what would not have. */
int ipsec_icmp_passed(struct ipsec *ips, const struct ipsec_pkt *pkt,
                      const struct ipsec_ip *ip, const struct ipsec_flow *flow,
                      const struct ipsec_policy *policy);

/* `sa` is about to be used: forget a path MTU that is too old. */
void ipsec_icmp_age(const struct ipsec *ips, struct ipsec_sa *sa);

#else
#define ipsec_icmp_heeded(ips, pkt, ip, flow) 0
#define ipsec_icmp_related(ips, dir, pkt, ip, flow) NULL
#define ipsec_icmp_passed(ips, pkt, ip, flow, policy) IPSEC_OK
#define ipsec_icmp_age(ips, sa) ((void)0)
#endif

/* The lane of a packet out: the sender's classifier (RFC 4301 section 4.1). */
#ifdef IPSEC_NO_DSCP
#define ipsec_pkt_lane(ips, pkt, ip) ((void)(ip), (pkt)->lane)
#else
static inline uint8_t
ipsec_pkt_lane(const struct ipsec *ips, const struct ipsec_pkt *pkt,
               const struct ipsec_ip *ip)
{
    return pkt->lane == 0 && ips->cfg->dscp_lane != NULL
        ? ips->cfg->dscp_lane[ip->tos >> 2] : pkt->lane;
}
#endif

/* outbound.c: all SAs are held, or `rc` says why not, the last one held being
 * at fault. Check the packet, and begin to seal, which adds TFC padding to
 * ip->len; the verdict. */
int ipsec_outbound_begin(struct ipsec *ips, struct ipsec_pkt *pkt,
                         struct ipsec_ip *ip, const struct ipsec_flow *flow,
                         int rc);

/* outbound.c, inbound.c: the rest of a call, after the engine. */
#ifdef IPSEC_NO_ASYNC
#define PENDING IPSEC_OK /* there is none */
#else
#define PENDING IPSEC_PENDING
int ipsec_outbound_resume(struct ipsec *ips, struct ipsec_pkt *pkt,
                          int result);
int ipsec_inbound_resume(struct ipsec *ips, struct ipsec_pkt *pkt, int result);
#endif

/* ipsec.c */

/* Begin pkt->op, on the key of `sa`. */
int ipsec_op_run(struct ipsec_pkt *pkt, const struct ipsec_sa *sa);

/* Where `pkt` is counted. */
static inline struct ipsec_stats *
ipsec_pkt_stats(struct ipsec *ips, const struct ipsec_pkt *pkt)
{
    return pkt->stats != NULL ? pkt->stats : &ips->stats;
}

/* Forget the results of an earlier call. */
void ipsec_pkt_reset(struct ipsec_pkt *pkt);

/* Of an audit event: what can be left out. */
#ifdef IPSEC_NO_AUDIT_DETAILS
#define AUDIT_DETAIL(statement) ((void)0)
#else
#define AUDIT_DETAIL(statement) (statement)
#endif

/* The flow label of the packet at `p`, if it is IPv6; or 0. */
static inline uint32_t
ipsec_ip_label(const uint8_t *p)
{
    return IS_IP6(p[0] >> 4) ? get32(p) & 0xfffff : 0;
}

/* Count and audit a drop, for which `sa`, or NULL, answers: `why` has status,
 * direction and flow. why->status. */
int ipsec_pkt_drop(struct ipsec *ips, struct ipsec_pkt *pkt,
                   struct ipsec_sa *sa, struct ipsec_audit *why);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
