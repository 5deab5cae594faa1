/* SPDX-License-Identifier: MIT */
#ifndef IPSEC_IP_H
#define IPSEC_IP_H

/* A part of inner.h, which includes it. */

/* ip4.c, ip6.c: what an IP header says, its lengths verified. */

enum { FRAG_NONE, FRAG_FIRST, FRAG_LATER };

struct ipsec_ip {     /* version 0: no packet, a dummy's payload (dummy.c) */
    size_t  len;      /* of the packet by its own account */
    size_t  off;      /* where the next layer is, off <= len ... */
    size_t  nh;       /* ... and the byte that names it */
    size_t  ins;      /* where transport mode puts IPsec, ins <= off ... */
    size_t  ins_nh;   /* ... and the byte that then names it */
    uint8_t version;
    uint8_t proto;    /* the next layer */
    uint8_t tos;      /* DSCP and ECN */
    uint8_t df;       /* may not be fragmented on its way */
    uint8_t frag;
    uint8_t udp;      /* bytes of UDP header that ESP at `off` is behind */
    size_t  fh;       /* IPv6: where the Fragment header is, or 0 ... */
    size_t  fh_nh;    /* ... and the byte that names it */
    uint32_t id;      /* of the datagram that it is a fragment of */
};

int ipsec_ip4_parse(struct ipsec_ip *ip, const uint8_t *p, size_t len);

/* The same of a packet that an ICMP error quotes: there may be less of it than
 * it says, and ip->len is what is there. */
int ipsec_ip4_quote(struct ipsec_ip *ip, const uint8_t *p, size_t len);

/* Is it an IPv6 extension header to step over (RFC 4301 section 4.4.1.1)? */
static inline int
ipsec_ip6_is_ext(uint8_t proto)
{
    return proto == PROTO_HOPOPTS || proto == PROTO_ROUTING ||
           proto == PROTO_FRAGMENT || proto == PROTO_DSTOPTS;
}

/* The longest a datagram can be, made of fragments: past the IPv4 header, past
 * the fixed IPv6 header. */
#define FRAG_END 65535u

/* Is the header checksum right? */
int ipsec_ip4_intact(const uint8_t *p);

/* Recompute the header checksum. */
void ipsec_ip4_seal(uint8_t *p);

/* Length of the option at `opt`, which is not IP4_OPT_END, where `room` bytes
 * of options are left; 0: malformed. */
size_t ipsec_ip4_option(const uint8_t *opt, size_t room);

#define IP4_OPT_END 0
#define IP4_OPT_NOP 1

void ipsec_ip4_set_tos(uint8_t *p, uint8_t tos);

/*
 * Copy the `hdr` bytes of headers at `p` to `to`, which has `room`, as AH sees
 * them (RFC 4302 section 3.3.3.1): what changes on the way is zero, what the
 * far end will see differently is as it will be. Bytes of it; 0: can't be told,
 * or more than there is room for.
 */
size_t ipsec_ip_mask(uint8_t *to, size_t room, const uint8_t *p, size_t hdr);

/* ... of one family, in the copy at `to`. */
size_t ipsec_ip4_mask(uint8_t *to, size_t hdr);

/* The same of IPv6: where it was left out, its packets are MALFORMED, as those
 * of any other version are. */
#ifdef IPSEC_NO_IPV6
#define ipsec_ip6_parse(ip, p, len) IPSEC_ERR_MALFORMED
#define ipsec_ip6_quote(ip, p, len) IPSEC_ERR_MALFORMED
#define ipsec_ip6_set_tos(p, tos)   ((void)0)
#define ipsec_ip6_mask(to, hdr)     ((size_t)0)
#else
int ipsec_ip6_parse(struct ipsec_ip *ip, const uint8_t *p, size_t len);
int ipsec_ip6_quote(struct ipsec_ip *ip, const uint8_t *p, size_t len);
void ipsec_ip6_set_tos(uint8_t *p, uint8_t tos);
size_t ipsec_ip6_mask(uint8_t *to, size_t hdr);
#endif

#endif
