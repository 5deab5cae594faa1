/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "inner.h"
#include "ipsec_mbedtls.h"
#include "vectors/record.h"

/*
 * The packets that RFC 3602 section 4 publishes. They have no integrity, so
 * no SA can be like that: esp.c is called on one made by hand, without an
 * ICV, and what it would hand to a backend is enciphered here. The backend
 * has no cipher alone, so it makes an ICV, elsewhere.
 */

#define MOST 512

static struct {
    uint8_t  key[32], iv[16], payload[MOST], esp[MOST];
    size_t   key_len, payload_len, esp_len;
    uint64_t spi, seq, next;
} rec;

static int
record_load(const struct record *r)
{
    long key, payload, esp;

    if (strcmp(record_get(r, "encr"), "AES-CBC") != 0) {
        return 0;
    }
    key = record_hex(r, "encr_key", rec.key, sizeof rec.key);
    payload = record_hex(r, "payload", rec.payload, sizeof rec.payload);
    esp = record_hex(r, "esp", rec.esp, sizeof rec.esp);
    assert_true(key > 0 && payload > 0 && esp > 0);
    assert_int_equal(record_hex(r, "iv", rec.iv, sizeof rec.iv), 16);
    assert_true(record_number(r, "spi", &rec.spi) &&
                record_number(r, "seq", &rec.seq) &&
                record_number(r, "next_header", &rec.next));
    rec.key_len = (size_t)key;
    rec.payload_len = (size_t)payload;
    rec.esp_len = (size_t)esp;
    fx_note("%s", record_get(r, "name"));
    return 1;
}

/* One run of the backend on `text`, with keys of `encr`; the ICV is kept. */
static void
backend(uint16_t encr, struct ipsec_op op, int open, uint8_t *icv)
{
    static const uint8_t mac_key[32];
    struct ipsec_keymat km = { 0 };
    uint64_t key[256];

    km.encr = encr;
    km.encr_key = rec.key;
    km.encr_key_len = encr == IPSEC_ENCR_NULL ? 0 : (uint16_t)rec.key_len;
    km.integ = IPSEC_INTEG_HMAC_SHA2_256_128;
    km.integ_key = mac_key;
    km.integ_key_len = sizeof mac_key;
    assert_in_range(ipsec_mbedtls.key_size(&ipsec_mbedtls, &km), 1,
                    sizeof key);
    assert_status(ipsec_mbedtls.key_init(&ipsec_mbedtls, key, &km, open),
                  IPSEC_OK);
    op.key = key;
    op.open = (uint8_t)open;
    op.icv = icv;
    assert_status(ipsec_mbedtls.run(&ipsec_mbedtls, &op), IPSEC_OK);
    ipsec_mbedtls.key_wipe(&ipsec_mbedtls, key);
}

static void
decipher(const struct ipsec_op *op)
{
    uint8_t icv[16];

    backend(IPSEC_ENCR_NULL, *op, 0, icv);
    backend(IPSEC_ENCR_AES_CBC, *op, 1, icv);
}

static void
encipher(const struct ipsec_op *op)
{
    uint8_t icv[16];

    backend(IPSEC_ENCR_AES_CBC, *op, 0, icv);
}

static void
sa_make(struct ipsec_sa *sa, int dir)
{
    memset(sa, 0, sizeof *sa);
    sa->spi = (uint32_t)rec.spi;
    sa->dir = (uint8_t)dir;
    sa->proto = IPSEC_PROTO_ESP;
    sa->mode = rec.next == PROTO_IPIP ? IPSEC_MODE_TUNNEL
                                      : IPSEC_MODE_TRANSPORT;
    sa->local = addr("192.0.2.1");
    sa->remote = addr("192.0.2.2");
    sa->seq = rec.seq - 1;
    sa->iv_len = sa->align = 16;
    sa->alg = ALG_IV_TEXT;
    sa->state = IPSEC_SA_MATURE;
    sa->window = sa->window_own;
    sa->window_len = 2;
    ipsec_replay_init(sa);
}

/* A packet with `len` bytes behind an IPv4 header of its own. */
static size_t
wrap(uint8_t *p, uint8_t proto, const uint8_t *data, size_t len)
{
    struct packet_spec spec = { 0 };
    size_t whole;

    spec.src = "192.0.2.1";
    spec.dst = "192.0.2.2";
    spec.proto = proto;
    spec.payload = len;
    whole = packet_build(p, &spec);
    if (whole > 20 + len) { /* a protocol that has a header: part of data */
        spec.payload -= whole - 20 - len;
        whole = packet_build(p, &spec);
    }
    assert_int_equal(whole, 20 + len);
    memcpy(p + 20, data, len);
    return whole;
}

static size_t
plain_make(uint8_t *p)
{
    if (rec.next == PROTO_IPIP) {
        memcpy(p, rec.payload, rec.payload_len);
        return rec.payload_len;
    }
    return wrap(p, (uint8_t)rec.next, rec.payload, rec.payload_len);
}

static void
check_open(struct fx *fx)
{
    uint8_t wire[MOST + 20], plain[MOST + 20];
    size_t len = wrap(wire, IPSEC_PROTO_ESP, rec.esp, rec.esp_len);
    size_t want = plain_make(plain);
    struct ipsec_sa sa;
    struct ipsec_ip ip;
    struct fx_pkt p;

    sa_make(&sa, IPSEC_IN);
    fx_pkt_new(&p, wire, len, 0, 0);
    assert_status(ipsec_ip_parse(&ip, &p.pkt.buf), IPSEC_OK);
    assert_status(ipsec_esp_open(&fx->ips, &p.pkt, &sa, &ip), IPSEC_OK);
    assert_memory_equal(p.pkt.op.text, rec.iv, 16);
    assert_int_equal(p.pkt.op.len, rec.esp_len - 8);
    decipher(&p.pkt.op);
    p.pkt.layers = 1;
    assert_status(ipsec_layer_opened(&p.pkt, &sa, &ip), IPSEC_OK);
    assert_true(sa.seq == rec.seq);
    assert_int_equal(p.pkt.buf.len, want);
    assert_memory_equal(p.pkt.buf.data + 20, plain + 20, want - 20);
    fx_pkt_free(&p);
}

static void
check_seal(void)
{
    uint8_t plain[MOST + 20];
    size_t len = plain_make(plain);
    struct ipsec_op first;
    struct ipsec_sa sa;
    struct ipsec_ip ip;
    struct fx_pkt p;

    sa_make(&sa, IPSEC_OUT);
    fx_pkt_new(&p, plain, len, IPSEC_HEADROOM, IPSEC_TAILROOM);
    assert_status(ipsec_ip_parse(&ip, &p.pkt.buf), IPSEC_OK);
    p.pkt.sa[0] = &sa;
    ipsec_esp_seal(&p.pkt, &ip);
    assert_int_equal(p.pkt.buf.len, 20 + rec.esp_len);
    first = p.pkt.op; /* what enciphers to the IV of the record */
    first.len = 16;
    memcpy(first.text, rec.iv, 16);
    decipher(&first);
    encipher(&p.pkt.op);
    assert_memory_equal(p.pkt.buf.data + 20, rec.esp, rec.esp_len);
    fx_pkt_free(&p);
}

static void
test_rfc3602_packets(void **state)
{
    static struct fx fx;
    struct reader reader;
    struct record r;
    size_t n = 0;

    (void)state;
    fx_init(&fx, 0);
    assert_int_equal(reader_open(&reader, "tests/vectors/"
                                          "esp_payloads_published.txt"), 0);
    while (reader_next(&reader, &r)) {
        if (record_load(&r)) {
            check_open(&fx);
            check_seal();
            n++;
        }
    }
    reader_close(&reader);
    assert_int_equal(n, 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc3602_packets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
