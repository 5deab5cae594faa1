/* SPDX-License-Identifier: MIT */
#include "lan.h"

/* TCP: the MSS that fits the bundle, both ways; segments that TCP keeps; and
 * a reset. The peer's TCP is a few fields and a hand. */

#define FIN 0x01u
#define SYN 0x02u
#define RST 0x04u
#define ACK 0x10u

static uint8_t ip[PACKET_MAX];

struct peer {
    int      v;
    int      clear;             /* without IPsec */
    const char *addr;
    uint16_t port, dev_port;
    uint32_t seq, ack;
};

static uint32_t
get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
           (uint32_t)p[2] << 8 | p[3];
}

static void
put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

/* Send a segment; its options are `opt`, a multiple of 4 bytes. */
static void
say(struct peer *p, unsigned flags, const uint8_t *opt, size_t opt_len)
{
    struct packet_spec spec;
    uint8_t *tcp;
    size_t len;

    memset(&spec, 0, sizeof spec);
    spec.src = p->addr;
    spec.dst = dev_addr(p->v);
    spec.proto = 6;
    spec.sport = p->port;
    spec.dport = p->dev_port;
    spec.payload = opt_len;
    len = packet_build(ip, &spec);
    tcp = upper_of(ip);
    put32(tcp + 4, p->seq);
    put32(tcp + 8, p->ack);
    tcp[12] = (uint8_t)((5 + opt_len / 4) << 4);
    tcp[13] = (uint8_t)flags;
    tcp[14] = 0x40; /* window: 16384 */
    if (opt_len > 0) {
        memcpy(tcp + 20, opt, opt_len);
    }
    upper_fix(ip);
    if (flags & (SYN | FIN)) {
        p->seq++;
    }
    if (p->clear) {
        lan_send(ip, len);
    } else {
        peer_send(ip, len);
    }
}

/* Receive a segment: its data's length, -1 if there is none. In `frames` how
 * many frames it took. */
static int
hear(struct peer *p, uint8_t **data, unsigned *flags, size_t *frames)
{
    size_t len;
    uint8_t *tcp;

    do {
        len = lan_take(ip, frames, NULL);
        if (len > 0 && !p->clear) {
            len = peer_open(ip, len);
            assert_true(len > 0);
        }
        if (len == 0) {
            return -1;
        }
    } while (ip[ip[0] >> 4 == 4 ? 9 : 6] != 6); /* reports of groups, say */
    assert_true(upper_intact(ip));
    tcp = upper_of(ip);
    p->dev_port = (uint16_t)(tcp[0] << 8 | tcp[1]);
    *flags = tcp[13];
    *data = tcp + (tcp[12] >> 4) * 4;
    len = packet_len(ip) - (size_t)(*data - ip);
    p->ack = get32(tcp + 4) + (uint32_t)len + (*flags & (SYN | FIN) ? 1 : 0);
    return (int)len;
}

/* The MSS option of the segment heard last; 0: none. */
static unsigned
mss_heard(void)
{
    const uint8_t *tcp = upper_of(ip);

    return tcp[20] == 2 && tcp[21] == 4 ? (unsigned)tcp[22] << 8 | tcp[23] : 0;
}

/* What GCM leaves of 1500 bytes for an inner packet or payload: outer header,
 * ESP header and IV, padding to 4, trailer, ICV. */
static unsigned
mss_due_of(unsigned mtu, int mode, int v, int outer)
{
    unsigned room = mtu - (outer == 4 ? 20 : 40) - 16 - 16;
    unsigned most = (room & ~3u) - 2;

    return mode == IPSEC_MODE_TUNNEL ? most - (v == 4 ? 40 : 60) : most - 20;
}

static unsigned
mss_due(int mode, int v, int outer)
{
    return mss_due_of(LAN_MTU, mode, v, outer);
}

static err_t
connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)pcb;
    (void)err;
    ++*(int *)arg;
    return ERR_OK;
}

static void
peer_init(struct peer *p, int mode, int v)
{
    memset(p, 0, sizeof *p);
    p->v = v;
    p->addr = mode == IPSEC_MODE_TUNNEL ? far_addr(v) : peer_addr(v);
    p->port = 80;
    p->seq = 1000;
}

static struct tcp_pcb *
connect_to(const struct peer *p, int *done)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(p->v == 4 ? IPADDR_TYPE_V4
                                                    : IPADDR_TYPE_V6);
    ip_addr_t to = lwip_addr(p->addr);

    *done = 0;
    tcp_arg(pcb, done);
    tcp_nagle_disable(pcb);
    assert_int_equal(tcp_connect(pcb, &to, p->port, connected), ERR_OK);
    return pcb;
}

static const uint8_t mss_1460[] = { 2, 4, 0x05, 0xb4 };
static const uint8_t mss_odd[] = { 1, 2, 4, 0x05, 0xb4, 1, 1, 0 };

/* Bytes of a stream, of which each place can be told. */
static uint8_t stream[12000];

static void
stream_init(void)
{
    size_t i;

    for (i = 0; i < sizeof stream; i++) {
        stream[i] = (uint8_t)(i * 31 + i / 256);
    }
}

/* Take what the device sends of `stream` from `from` on; acknowledge it if
 * `answer`. How far it came. */
static size_t
drain(struct peer *p, size_t from, unsigned mss, int answer)
{
    size_t at = from, frames;
    unsigned flags;
    uint8_t *data;
    int n;

    while ((n = hear(p, &data, &flags, &frames)) >= 0) {
        assert_int_equal(frames, 1);
        assert_true((unsigned)n <= mss);
        assert_true(at + (size_t)n <= sizeof stream);
        assert_memory_equal(data, stream + at, (size_t)n);
        at += (size_t)n;
        if (answer && n > 0) {
            say(p, ACK, NULL, 0);
        }
    }
    return at;
}

static void
talk(int mode, int v, int outer, const uint8_t *opt, size_t opt_len)
{
    unsigned due = mss_due(mode, v, outer), flags;
    struct tcp_pcb *pcb;
    struct peer p;
    uint8_t *data;
    size_t frames, at;
    int done;

    fx_note("mode %d, inner %d, outer %d", mode, v, outer);
    lan_begin(mode, outer, 0);
    peer_init(&p, mode, v);
    stream_init();
    pcb = connect_to(&p, &done);
    assert_int_equal(hear(&p, &data, &flags, &frames), 0);
    assert_int_equal(flags, SYN);
    assert_int_equal(mss_heard(), due); /* what we may be sent */
    say(&p, SYN | ACK, opt, opt_len);
    assert_int_equal(done, 1);

    /* what we send; the last of it is lost, and comes again unchanged */
    assert_int_equal(tcp_write(pcb, stream, 9000, 0), ERR_OK);
    (void)tcp_output(pcb);
    at = 0;
    while (at < 9000) {
        size_t was = at;

        at = drain(&p, at, due, 1);
        assert_true(at > was);
    }
    assert_int_equal(pcb->mss, due);
    (void)drain(&p, at, due, 0);
    assert_int_equal(tcp_write(pcb, stream + 9000, 3000,
                               TCP_WRITE_FLAG_COPY), ERR_OK);
    (void)tcp_output(pcb);
    assert_int_equal(drain(&p, 9000, due, 0), 12000);
    lan_wait(4000);
    assert_true(drain(&p, 9000, due, 0) > 9000);
    tcp_abort(pcb);
    lan_end();
}

static void
mss(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        talk(IPSEC_MODE_TRANSPORT, v, v, mss_1460, sizeof mss_1460);
        talk(IPSEC_MODE_TUNNEL, v, v, mss_1460, sizeof mss_1460);
        talk(IPSEC_MODE_TUNNEL, v, v, mss_odd, sizeof mss_odd);
    }
#if LWIP_IPV4 && LWIP_IPV6
    talk(IPSEC_MODE_TUNNEL, 4, 6, mss_1460, sizeof mss_1460);
    talk(IPSEC_MODE_TUNNEL, 6, 4, mss_1460, sizeof mss_1460);
#endif
}

static err_t
accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)err;
    *(struct tcp_pcb **)arg = pcb;
    return ERR_OK;
}

/* The device is called. */
static void
called(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct tcp_pcb *listener, *pcb = NULL;
        unsigned due = mss_due(IPSEC_MODE_TUNNEL, v, v), flags;
        struct peer p;
        uint8_t *data;
        size_t frames;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        peer_init(&p, IPSEC_MODE_TUNNEL, v);
        listener = tcp_new_ip_type(IPADDR_TYPE_ANY);
        assert_int_equal(tcp_bind(listener, IP_ANY_TYPE, 80), ERR_OK);
        listener = tcp_listen(listener);
        tcp_arg(listener, &pcb);
        tcp_accept(listener, accepted);
        p.port = 1234;
        p.dev_port = 80;
        say(&p, SYN, mss_1460, sizeof mss_1460);
        assert_int_equal(hear(&p, &data, &flags, &frames), 0);
        assert_int_equal(flags, SYN | ACK);
        assert_int_equal(mss_heard(), due);
        say(&p, ACK, NULL, 0);
        assert_non_null(pcb);
        assert_int_equal(pcb->mss, due);
        tcp_abort(pcb);
        assert_int_equal(tcp_close(listener), ERR_OK);
        lan_end();
    }
}

/* The SA of the answers is missing when the call comes: room is left for
 * it. And one whose path is narrow. */
static void
called_early(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct tcp_pcb *listener, *pcb = NULL;
        struct peer p;
        unsigned flags;
        uint8_t *data;
        size_t frames;

        lan_begin(IPSEC_MODE_TUNNEL, v, 2);
        assert_status(ipsec_sad_remove(&lan.dev.ips, &lan.out.sa), IPSEC_OK);
        memset(&lan.out.sa, 0, sizeof lan.out.sa);
        peer_init(&p, IPSEC_MODE_TUNNEL, v);
        listener = tcp_new_ip_type(IPADDR_TYPE_ANY);
        assert_int_equal(tcp_bind(listener, IP_ANY_TYPE, 80), ERR_OK);
        listener = tcp_listen(listener);
        tcp_arg(listener, &pcb);
        tcp_accept(listener, accepted);
        p.port = 1234;
        p.dev_port = 80;
        say(&p, SYN, mss_1460, sizeof mss_1460);
        assert_int_equal(hear(&p, &data, &flags, &frames), -1);
        lan.out.params.mtu = 1400;
        assert_status(fx_sa_add(&lan.dev, &lan.out), IPSEC_OK);
        ipsec_lwip_poll(&lan.port);
        assert_int_equal(hear(&p, &data, &flags, &frames), 0);
        assert_int_equal(mss_heard(),
                         mss_due_of(1400, IPSEC_MODE_TUNNEL, v, v));
        say(&p, ACK, NULL, 0);
        assert_non_null(pcb);
        assert_int_equal(pcb->mss, LAN_MTU - IPSEC_HEADROOM - IPSEC_TAILROOM -
                                   (v == 4 ? 40 : 60));
        tcp_abort(pcb);
        assert_int_equal(tcp_close(listener), ERR_OK);
        lan_end();
    }
}

/* An MSS that fits anyway is let be. */
static void
small_mss(void **state)
{
    static const uint8_t mss_536[] = { 2, 4, 0x02, 0x18 };
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct tcp_pcb *pcb;
        struct peer p;
        unsigned flags;
        uint8_t *data;
        size_t frames;
        int done;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        peer_init(&p, IPSEC_MODE_TUNNEL, v);
        pcb = connect_to(&p, &done);
        assert_int_equal(hear(&p, &data, &flags, &frames), 0);
        say(&p, SYN | ACK, mss_536, sizeof mss_536);
        assert_int_equal(done, 1);
        assert_int_equal(pcb->mss, 536);
        tcp_abort(pcb);
        lan_end();
    }
}

/* Without IPsec too, TCP must be told the link's mtu, which lwIP can't see
 * any more. */
static void
bypassed(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        unsigned due = v == 4 ? 1460 : 1440, flags;
        struct ipsec_policy any;
        struct tcp_pcb *pcb;
        struct peer p;
        uint8_t *data;
        size_t frames, at = 0, was;
        int done;

        lan_bare(0);
        lan_policy(&any, IPSEC_ACTION_BYPASS, 50, 0, 0, 0);
        peer_init(&p, IPSEC_MODE_TRANSPORT, v);
        stream_init();
        p.clear = 1;
        pcb = connect_to(&p, &done);
        assert_int_equal(hear(&p, &data, &flags, &frames), 0);
        assert_int_equal(mss_heard(), due);
        say(&p, SYN | ACK, mss_1460, sizeof mss_1460);
        assert_int_equal(done, 1);
        assert_int_equal(pcb->mss, due);
        assert_int_equal(tcp_write(pcb, stream, 9000, 0), ERR_OK);
        (void)tcp_output(pcb);
        do {
            was = at;
            at = drain(&p, at, due, 1);
        } while (at > was);
        assert_int_equal(at, 9000);
        tcp_abort(pcb);
        lan_end();
    }
}

/* Nothing listens: the reset is protected. */
static void
reset(void **state)
{
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct peer p;
        unsigned flags;
        uint8_t *data;
        size_t frames;

        lan_begin(IPSEC_MODE_TRANSPORT, v, 0);
        peer_init(&p, IPSEC_MODE_TRANSPORT, v);
        p.dev_port = 81;
        say(&p, SYN, mss_1460, sizeof mss_1460);
        assert_int_equal(hear(&p, &data, &flags, &frames), 0);
        assert_int_equal(flags, RST | ACK);
        lan_end();
    }
}

/* Options of a SYN that lie about their length, or are cut off. */
static void
bad_options(void **state)
{
    static const uint8_t bad[][8] = {
        { 2, 0, 5, 180, 0, 0, 0, 0 }, { 2, 1, 5, 180, 0, 0, 0, 0 },
        { 1, 1, 1, 1, 1, 1, 1, 2 },   { 3, 200, 2, 4, 5, 180, 0, 0 },
        { 1, 1, 1, 1, 1, 2, 4, 5 },   { 0, 2, 4, 5, 180, 0, 0, 0 },
    };
    static const uint8_t nops[] = { 1, 1, 1, 1 };
    int v;

    (void)state;
    FOR_EACH_VERSION(v) {
        struct peer p;
        size_t i;

        lan_begin(IPSEC_MODE_TUNNEL, v, 0);
        for (i = 0; i < COUNT(bad); i++) {
            peer_init(&p, IPSEC_MODE_TUNNEL, v);
            p.dev_port = 81;
            say(&p, SYN, bad[i], 8);
            assert_int_equal(lan.dev.ips.stats.in_protect, i + 1);
            lan_clear();
        }
        say(&p, SYN, nops, sizeof nops);
        upper_of(ip)[12] = 0xf0; /* 40 bytes of options, it says */
        upper_fix(ip);
        peer_send(ip, packet_len(ip));
        assert_int_equal(lan.dev.ips.stats.in_protect, i + 2);
        lan_end();
    }
}

int
tests_tcp(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mss),
        cmocka_unit_test(called),
        cmocka_unit_test(called_early),
        cmocka_unit_test(small_mss),
        cmocka_unit_test(bypassed),
        cmocka_unit_test(reset),
        cmocka_unit_test(bad_options),
    };

    return cmocka_run_group_tests_name("tcp", tests, NULL, NULL);
}
