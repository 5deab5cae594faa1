/* SPDX-License-Identifier: MIT */
#include "lwip_inner.h"

/* What a bundle leaves of the link's mtu, and TCP's knowledge of it. */

#define TCP_HDR     20u
#define TCP_OFFSET  12u
#define TCP_FLAGS   13u
#define TCP_SUM     16u
#define FLAG_SYN    0x02u
#define OPT_END        0
#define OPT_NOP        1
#define OPT_MSS        2

static size_t
less(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

/* see lwip_inner.h */
void
ipsec_lwip_bundle(struct ipsec_lwip_bundle *b, struct ipsec_lwip *port,
                  const struct ipsec_policy *policy)
{
    const struct ipsec_sa *sa[IPSEC_DEPTH];
    size_t n = 0, head, tail;

    b->head = b->tail = 0;
    b->mtu = port->mtu;
    b->complete = 1;
    if (policy == NULL || policy->action != IPSEC_ACTION_PROTECT) {
        return;
    }
    for (; policy != NULL && n < IPSEC_DEPTH; policy = policy->outer) {
        sa[n] = policy->reqid == 0
            ? NULL : ipsec_sad_newest(port->ips, policy->reqid, 0);
        if (sa[n] == NULL || sa[n]->state != IPSEC_SA_MATURE) {
            b->mtu = less(b->mtu, IPSEC_HEADROOM + IPSEC_TAILROOM);
            b->complete = 0;
            continue;
        }
        ipsec_sa_room(sa[n], &head, &tail);
        b->head += head;
        b->tail += tail;
        n++;
    }
    while (n-- > 0) {
        if (sa[n]->mtu != 0 && sa[n]->mtu < b->mtu) {
            b->mtu = sa[n]->mtu;
        }
        b->mtu = ipsec_sa_mtu(sa[n], b->mtu);
    }
}

static unsigned
get16(const u8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static void
put16(u8_t *p, unsigned v)
{
    p[0] = (u8_t)(v >> 8);
    p[1] = (u8_t)v;
}

/* Where the TCP header begins if it follows right on the IP header, else 0. */
static size_t
tcp_at(const struct ipsec_buf *buf)
{
    const u8_t *ip = buf->data;

    if (buf->len >= 40 && ip[0] >> 4 == 4 && ip[9] == 6 &&
        (get16(ip + 6) & 0x1fff) == 0) {
        return (size_t)(ip[0] & 15u) * 4;
    }
    return buf->len >= 60 && ip[0] >> 4 == 6 && ip[6] == 6 ? 40 : 0;
}

/* see lwip_inner.h */
int
ipsec_lwip_is_syn(const struct ipsec_buf *buf)
{
    size_t at = tcp_at(buf);

    return at >= 20 && at + TCP_HDR <= buf->len &&
           (buf->data[at + TCP_FLAGS] & FLAG_SYN) != 0;
}

/* The MSS option's value, or NULL. */
static u8_t *
mss_find(u8_t *tcp, size_t len)
{
    size_t end = (size_t)(tcp[TCP_OFFSET] >> 4) * 4, i = TCP_HDR;

    while (i + 1 < end && end <= len && tcp[i] != OPT_END) {
        if (tcp[i] == OPT_NOP) {
            i++;
        } else if (tcp[i + 1] < 2 || i + tcp[i + 1] > end) {
            return NULL;
        } else if (tcp[i] == OPT_MSS && tcp[i + 1] == 4) {
            return tcp + i + 2;
        } else {
            i += tcp[i + 1];
        }
    }
    return NULL;
}

/* Of a checksum, a 16-bit word has changed (RFC 1624). */
static unsigned
sum_update(unsigned sum, unsigned before, unsigned after)
{
    unsigned n = (~sum & 0xffff) + (~before & 0xffff) + after;

    n = (n & 0xffff) + (n >> 16);
    n = (n & 0xffff) + (n >> 16);
    return ~n & 0xffff;
}

static unsigned
swap(unsigned v)
{
    return (v << 8 | v >> 8) & 0xffff;
}

/* see lwip_inner.h */
void
ipsec_lwip_clamp(const struct ipsec_buf *buf, size_t mtu)
{
    size_t at = tcp_at(buf), mss;
    u8_t *tcp = buf->data + at, *opt = mss_find(tcp, buf->len - at);
    unsigned old, now;

    mss = less(mtu, (buf->data[0] >> 4 == 4 ? 20 : 40) + TCP_HDR);
    if (opt == NULL || mss == 0 || get16(opt) <= mss) {
        return;
    }
    old = get16(opt);
    now = (unsigned)mss;
    put16(opt, now);
    if ((opt - tcp) & 1) {
        old = swap(old); /* where it is a half of two words of the sum */
        now = swap(now);
    }
    put16(tcp + TCP_SUM, sum_update(get16(tcp + TCP_SUM), old, now));
}
