/* SPDX-License-Identifier: MIT */
#include "lan.h"

#include "netif/ethernet.h"

/* Packets of the LAN: taken apart, put together, sealed and opened. */

static void
put(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static size_t
get(const uint8_t *p)
{
    return (size_t)p[0] << 8 | p[1];
}

unsigned
frame_proto(const struct frame *f)
{
    size_t at = 40;
    unsigned proto;

    if (f->type == ETHTYPE_ARP) {
        return 0xffff;
    }
    if (f->ip[0] >> 4 == 4) {
        return f->ip[9];
    }
    for (proto = f->ip[6]; proto == 0 || proto == 44; ) {
        proto = f->ip[at];
        at += 8;
    }
    return proto;
}

/* Where the data of an IP packet begin, and if it is a fragment their place
 * in the whole, and whether there are more. */
static int
fragment_of(const uint8_t *ip, size_t *at, size_t *start, int *more)
{
    size_t word;

    if (ip[0] >> 4 == 4) {
        word = get(ip + 6);
        *at = 20;
        *start = (word & 0x1fff) * 8;
        *more = (word & 0x2000) != 0;
        return (word & 0x3fff) != 0;
    }
    *at = 48;
    *start = get(ip + 42) & 0xfff8;
    *more = ip[43] & 1;
    return ip[6] == 44;
}

static int
is_for_peer(const struct frame *f)
{
    unsigned proto = f->type == ETHTYPE_IPV6 ? f->ip[6] : 0;

    return f->type != ETHTYPE_ARP &&
           !(proto == 58 && f->ip[40] >= 133 && f->ip[40] <= 137);
}

size_t
lan_take(uint8_t *ip, size_t *frames, size_t *most)
{
    size_t n = 0, longest = 0, len = 0, at, start, hdr;
    int more = 1;

    lan_pump();
    while (more && lan.seen < lan.frames) {
        const struct frame *f = &lan.frame[lan.seen++];

        if (!is_for_peer(f)) {
            continue;
        }
        n++;
        longest = f->len > longest ? f->len : longest;
        if (!fragment_of(f->ip, &at, &start, &more)) {
            assert_int_equal(n, 1);
            memcpy(ip, f->ip, f->len);
            len = f->len;
            break;
        }
        hdr = f->ip[0] >> 4 == 4 ? 20 : 40;
        if (start == 0) {
            memcpy(ip, f->ip, hdr);
            ip[hdr == 20 ? 9 : 6] = f->ip[hdr == 20 ? 9 : 40];
            len = hdr;
        }
        assert_int_equal(hdr + start, len);
        memcpy(ip + len, f->ip + at, f->len - at);
        len += f->len - at;
    }
    if (n > 0 && ip[0] >> 4 == 4) {
        put(ip + 2, len);
        put(ip + 6, 0);
        packet_fix(ip);
    } else if (n > 0) {
        put(ip + 4, len - 40);
    }
    if (frames != NULL) {
        *frames = n;
    }
    if (most != NULL) {
        *most = longest;
    }
    return len;
}

size_t
peer_seal(uint8_t *out, const uint8_t *ip, size_t len)
{
    struct fx_pkt p;
    size_t n = 0;

    fx_pkt_new(&p, ip, len, IPSEC_HEADROOM, IPSEC_TAILROOM);
    if (ipsec_outbound(&lan.peer.ips, &p.pkt) == IPSEC_OK) {
        n = p.pkt.buf.len;
        memcpy(out, p.pkt.buf.data, n);
    }
    fx_pkt_free(&p);
    return n;
}

size_t
peer_open(uint8_t *ip, size_t len)
{
    struct fx_pkt p;
    size_t n = 0;

    fx_pkt_new(&p, ip, len, 0, 0);
    if (ipsec_inbound(&lan.peer.ips, &p.pkt) == IPSEC_OK) {
        n = p.pkt.buf.len;
        memcpy(ip, p.pkt.buf.data, n);
    }
    fx_pkt_free(&p);
    return n;
}

size_t
peer_take(uint8_t *ip)
{
    size_t len = lan_take(ip, NULL, NULL);

    assert_true(len > 0);
    assert_int_equal(ip[ip[0] >> 4 == 4 ? 9 : 6], 50);
    len = peer_open(ip, len);
    assert_true(len > 0);
    return len;
}

void
peer_send(const uint8_t *ip, size_t len)
{
    peer_send_cut(ip, len, 0, NULL);
}

void
peer_send_cut(const uint8_t *ip, size_t len, size_t most, const char *order)
{
    static uint8_t esp[PACKET_MAX];
    static struct cut cut[9];
    static uint16_t id = 100;
    size_t n = peer_seal(esp, ip, len);

    assert_true(n > 0);
    if (most == 0) {
        lan_send(esp, n);
        return;
    }
    assert_int_equal(packet_cut(cut, esp, n, most, ++id), strlen(order));
    for (; *order != '\0'; order++) {
        lan_send(cut[*order - '0'].ip, cut[*order - '0'].len);
    }
}

size_t
packet_cut(struct cut *cut, const uint8_t *ip, size_t len, size_t most,
           uint16_t id)
{
    size_t hdr = ip[0] >> 4 == 4 ? 20 : 40, at, n, count = 0;

    for (at = hdr; at < len; at += n, cut++, count++) {
        int more = len - at > most;
        uint8_t *p = cut->ip;

        n = more ? most : len - at;
        memcpy(p, ip, hdr);
        if (hdr == 20) {
            put(p + 2, hdr + n);
            put(p + 4, id);
            put(p + 6, (at - hdr) / 8 | (more ? 0x2000u : 0));
            packet_fix(p);
            cut->len = hdr;
        } else {
            put(p + 4, n + 8);
            p[6] = 44;
            memset(p + 40, 0, 8);
            p[40] = ip[6];
            put(p + 42, (at - hdr) | (more ? 1u : 0));
            put(p + 46, id);
            cut->len = 48;
        }
        memcpy(p + cut->len, ip + at, n);
        cut->len += n;
    }
    return count;
}

/* --------------------------------------------------------------- sockets */

static void
note(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
     u16_t port)
{
    (void)arg;
    (void)pcb;
    (void)from;
    (void)port;
    lan.gots++;
    lan.got_len = pbuf_copy_partial(p, lan.got, p->tot_len, 0);
    (void)pbuf_free(p);
}

struct udp_pcb *
lan_socket(uint16_t port)
{
    struct udp_pcb *pcb = udp_new_ip_type(IPADDR_TYPE_ANY);

    if (pcb != NULL) {
        assert_int_equal(udp_bind(pcb, IP_ANY_TYPE, port), ERR_OK);
        udp_recv(pcb, note, NULL);
    }
    return pcb;
}

err_t
lan_udp_send(struct udp_pcb *pcb, const char *to, uint16_t port, size_t len)
{
    ip_addr_t addr = lwip_addr(to);
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)len, PBUF_RAM);
    err_t err;
    size_t i;

    if (p == NULL) {
        return ERR_MEM;
    }
    for (i = 0; i < len; i++) {
        ((uint8_t *)p->payload)[i] = (uint8_t)((i + 8) * 7 + 3);
    }
    err = udp_sendto(pcb, p, &addr, port);
    (void)pbuf_free(p);
    return err;
}

size_t
udp_packet(uint8_t *ip, const char *from, const char *to, uint16_t sport,
           uint16_t dport, size_t payload)
{
    struct packet_spec spec;

    memset(&spec, 0, sizeof spec);
    spec.src = from;
    spec.dst = to;
    spec.proto = 17;
    spec.sport = sport;
    spec.dport = dport;
    spec.payload = payload;
    return packet_build(ip, &spec);
}

uint8_t *
upper_of(uint8_t *ip)
{
    return ip + (ip[0] >> 4 == 4 ? (ip[0] & 15) * 4 : 40);
}

/* The checksum as it stands there included, so 0 if it is right. */
static uint16_t
upper_sum(const uint8_t *ip)
{
    static uint8_t all[PACKET_MAX + 64];
    size_t hdr = ip[0] >> 4 == 4 ? 20 : 40, n = hdr == 20 ? 8 : 32;
    size_t len = packet_len(ip) - hdr;
    uint8_t proto = ip[hdr == 20 ? 9 : 6];

    memcpy(all, ip + hdr - n, n); /* both addresses */
    memcpy(all + n, ip + hdr, len);
    if (proto == 1) {
        return packet_sum(ip + hdr, len);
    }
    if (len % 2) {
        all[n + len] = 0;
    }
    put(all + n + len + len % 2, len);
    put(all + n + len + len % 2 + 2, proto);
    return packet_sum(all, n + len + len % 2 + 4);
}

int
upper_intact(const uint8_t *ip)
{
    return packet_intact(ip) && upper_sum(ip) == 0;
}

void
upper_fix(uint8_t *ip)
{
    uint8_t proto = ip[ip[0] >> 4 == 4 ? 9 : 6];
    uint8_t *sum = upper_of(ip) + (proto == 6 ? 16 : proto == 17 ? 6 : 2);

    put(sum, 0);
    put(sum, upper_sum(ip));
}
