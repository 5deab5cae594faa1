/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "template.h"

/* ports/template as it is, on a stack, a generator and a memory that fail
 * when told to. */

#define SLOTS 2

static struct fake_crypto fake;
static struct fake_state  state;
static struct fx_sa       out, in;
static struct ipsec_policy policy;
static struct template_numbers numbers;

static uint8_t  sent[2048], delivered[2048];
static size_t   sent_len, sents, delivered_len, deliveries;
static uint64_t nvm[SLOTS];
static int      nvm_fails, random_fails;
static uint32_t seconds;

void
stack_transmit(const uint8_t *ip, size_t len)
{
    assert_true(len <= sizeof sent);
    memcpy(sent, ip, len);
    sent_len = len;
    sents++;
}

void
stack_deliver(const uint8_t *ip, size_t len)
{
    assert_true(len <= sizeof delivered);
    memcpy(delivered, ip, len);
    delivered_len = len;
    deliveries++;
}

struct ipsec_addr
stack_address(int version)
{
    return addr(version == 4 ? "10.1.0.1" : "2001:db8::1");
}

int
hw_random(void *buf, size_t len)
{
    memset(buf, 0x5a, len);
    return random_fails ? -1 : 0;
}

uint32_t
hw_seconds(void)
{
    return seconds;
}

int
nvm_read(unsigned slot, uint64_t *value)
{
    *value = nvm[slot];
    return nvm_fails ? -1 : 0;
}

int
nvm_write(unsigned slot, uint64_t value)
{
    if (nvm_fails) {
        return -1;
    }
    nvm[slot] = value;
    return 0;
}

static int
begin(void **unused)
{
    (void)unused;
    memset(&template_ips, 0, sizeof template_ips);
    memset(&state, 0, sizeof state);
    memset(&policy, 0, sizeof policy);
    memset(&numbers, 0, sizeof numbers);
    memset(nvm, 0, sizeof nvm);
    sents = deliveries = 0;
    nvm_fails = random_fails = 0;
    seconds = 100;
    fake_crypto_init(&fake, &state);
    return 0;
}

/* Everything is protected, between us and ourselves. */
static void
protect(void)
{
    assert_status(template_start(), IPSEC_OK);
    policy.action = IPSEC_ACTION_PROTECT;
    policy.dir = IPSEC_OUT | IPSEC_IN;
    policy.reqid = 1;
    assert_status(ipsec_spd_add(&template_ips, &policy), IPSEC_OK);
    fx_sa_set(&out, &suites[GCM128], IPSEC_OUT, IPSEC_MODE_TRANSPORT, 0x1000,
              "10.1.0.1", "10.1.0.2");
    fx_sa_set(&in, &suites[GCM128], IPSEC_IN, IPSEC_MODE_TRANSPORT, 0x1000,
              "10.1.0.2", "10.1.0.1");
    out.params.reqid = in.params.reqid = 1;
    out.params.flags = in.params.flags = 0; /* static keys: a reservation */
    out.params.crypto = in.params.crypto = &fake.api;
}

static int
add(struct fx_sa *s)
{
    memset(&s->sa, 0, sizeof s->sa);
    return ipsec_sad_add(&template_ips, &s->sa, &s->params);
}

static int
send_some(size_t payload, int df)
{
    struct packet_spec spec = { .src = "10.1.0.1", .dst = "10.1.0.2",
                                .proto = 17, .sport = 1000, .dport = 7 };
    uint8_t *p = malloc(2048), *exact;
    size_t len;
    int rc;

    spec.payload = payload;
    spec.df = df != 0;
    len = packet_build(p, &spec);
    exact = malloc(len);
    memcpy(exact, p, len);
    rc = template_output(exact, len);
    assert_memory_equal(exact, p, len); /* left as it was */
    free(exact);
    free(p);
    return rc;
}

static void
with_numbers(void)
{
    protect();
    assert_int_equal(template_numbers_begin(&numbers, &out.params), 0);
    assert_status(add(&out), IPSEC_OK);
    out.sa.user = &numbers;
}

/* SPIs need randomness; without tables ipsec_init() doesn't. */
static void
test_template_random_fails(void **unused)
{
    struct ipsec_sa larval = { .spi = 0 };

    (void)unused;
    random_fails = 1;
    assert_status(template_start(), IPSEC_OK);
    assert_int_equal(ipsec_now(&template_ips), 100);
    assert_status(send_some(10, 0), IPSEC_ERR_NO_POLICY);
    assert_int_equal(sents, 0);
    assert_status(ipsec_sad_reserve(&template_ips, &larval, IPSEC_IN,
                                    IPSEC_PROTO_ESP, 1, 10),
                  IPSEC_ERR_RANDOM);
    random_fails = 0;
    assert_status(ipsec_sad_reserve(&template_ips, &larval, IPSEC_IN,
                                    IPSEC_PROTO_ESP, 1, 10), IPSEC_OK);
}

static void
test_template_hooks(void **unused)
{
    struct ipsec_policy bypass = { .action = IPSEC_ACTION_BYPASS,
                                   .dir = IPSEC_OUT | IPSEC_IN };

    (void)unused;
    with_numbers();
    in.params.flags = IPSEC_SA_NEGOTIATED;
    assert_status(add(&in), IPSEC_OK);
    assert_status(send_some(100, 0), IPSEC_OK);
    assert_int_equal(sent[9], IPSEC_PROTO_ESP);
    assert_status(template_input(sent, sent_len), IPSEC_OK);
    assert_int_equal(delivered_len, 20 + 8 + 100);
    assert_int_equal(delivered[9], 17);
    assert_status(template_input(delivered, delivered_len),
                  IPSEC_ERR_UNPROTECTED);
    assert_int_equal(deliveries, 1);

    ipsec_spd_remove(&template_ips, &policy);
    assert_status(send_some(100, 0), IPSEC_ERR_NO_POLICY);
    assert_int_equal(sents, 1);
    assert_status(ipsec_spd_add(&template_ips, &bypass), IPSEC_OK);
    assert_status(send_some(100, 0), IPSEC_BYPASS);
    assert_int_equal(sents, 2);
    assert_status(template_input(sent, sent_len), IPSEC_BYPASS);
    assert_int_equal(deliveries, 2);
    assert_status(send_some(1500, 0), IPSEC_ERR_ROOM);
}

static void
test_template_tells_the_sender_what_fits(void **unused)
{
    (void)unused;
    protect();
    out.params.mtu = 1500;
    assert_int_equal(template_numbers_begin(&numbers, &out.params), 0);
    assert_status(add(&out), IPSEC_OK);
    assert_status(send_some(1460, 1), IPSEC_ERR_TOO_BIG);
    assert_int_equal(sents, 0);
    assert_int_equal(deliveries, 1);
    assert_int_equal(delivered[9], 1);  /* ICMP */
    assert_int_equal(delivered[20], 3); /* unreachable ... */
    assert_int_equal(delivered[21], 4); /* fragmentation needed */
    assert_status(send_some((size_t)delivered[26] * 256 + delivered[27] - 28,
                            1), IPSEC_OK);
}

/* RFC 4106 section 2: no number twice under one key, over a restart too. */
static void
test_template_numbers_survive_a_restart(void **unused)
{
    uint64_t last;

    (void)unused;
    with_numbers();
    assert_true(nvm[0] == TEMPLATE_STEP);
    assert_status(send_some(10, 0), IPSEC_OK);
    assert_true(out.sa.seq == 1);
    while (out.sa.seq < TEMPLATE_STEP / 2) {
        assert_status(send_some(10, 0), IPSEC_OK);
    }
    assert_true(numbers.due && nvm[0] == TEMPLATE_STEP);
    template_poll();
    assert_true(!numbers.due && nvm[0] == 2 * TEMPLATE_STEP);
    last = out.sa.seq;
    template_poll();
    assert_true(nvm[0] == 2 * TEMPLATE_STEP);

    memset(&template_ips, 0, sizeof template_ips); /* power fails */
    memset(&policy, 0, sizeof policy);
    memset(&numbers, 0, sizeof numbers);
    with_numbers();
    assert_status(send_some(10, 0), IPSEC_OK);
    assert_true(out.sa.seq > last && out.sa.seq == 2 * TEMPLATE_STEP + 1);
}

static void
test_template_memory_that_fails_stops_sending(void **unused)
{
    size_t i;

    (void)unused;
    protect();
    nvm_fails = 1;
    assert_true(template_numbers_begin(&numbers, &out.params) < 0);
    assert_status(add(&out), IPSEC_ERR_STATIC_KEY);
    nvm_fails = 0;
    assert_int_equal(template_numbers_begin(&numbers, &out.params), 0);
    assert_status(add(&out), IPSEC_OK);
    out.sa.user = &numbers;
    nvm_fails = 1;
    for (i = 0; i < TEMPLATE_STEP; i++) {
        assert_status(send_some(10, 0), IPSEC_OK);
        if (i % 64 == 0) {
            template_poll();
        }
    }
    assert_true(numbers.due);
    assert_status(send_some(10, 0), IPSEC_ERR_SEQ_OVERFLOW);
    nvm_fails = 0;
    template_poll();
    assert_status(send_some(10, 0), IPSEC_OK);
    assert_true(out.sa.seq == TEMPLATE_STEP + 1);
}

/* The engine that was not filled in: nothing leaves. */
static void
test_template_engine_protects_nothing_yet(void **unused)
{
    const struct ipsec_crypto *c = &template_crypto;
    struct ipsec_keymat km;
    uint8_t key[64], zero[64] = { 0 };
    size_t n;

    (void)unused;
    protect();
    out.params.crypto = NULL;
    out.params.flags = IPSEC_SA_NEGOTIATED;
    assert_status(add(&out), IPSEC_OK);
    assert_status(send_some(10, 0), IPSEC_ERR_CRYPTO);
    assert_int_equal(sents, 0);
    assert_status(ipsec_sad_remove(&template_ips, &out.sa), IPSEC_OK);

    km = out.params.km;
    n = c->key_size(c, &km);
    assert_true(n > 0 && n <= sizeof key);
    assert_status(c->key_init(c, key, &km, 0), IPSEC_OK);
    assert_memory_not_equal(key, zero, n);
    c->key_wipe(c, key);
    assert_memory_equal(key, zero, n);
    km.encr_key_len = 21;
    assert_int_equal(c->key_size(c, &km), 0);
    km.encr = IPSEC_ENCR_AES_CBC;
    assert_status(c->key_init(c, key, &km, 0), IPSEC_ERR_UNSUPPORTED);
}

#define T(test) cmocka_unit_test_setup(test, begin)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_template_random_fails),
        T(test_template_hooks),
        T(test_template_tells_the_sender_what_fits),
        T(test_template_numbers_survive_a_restart),
        T(test_template_memory_that_fails_stops_sending),
        T(test_template_engine_protects_nothing_yet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
