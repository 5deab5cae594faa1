/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "fake/fixture.h"
#include "gateway.h"
#include "ipsec_mbedtls.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The databases of examples/ipsecgw: what setkey's commands become. */

#define KEY(n) "0x" #n #n #n #n "0102030405060708090a0b0c0d0e0f10"
#define OUT    "add 192.0.2.1 192.0.2.2 esp "
#define IN     "add 192.0.2.2 192.0.2.1 esp "

static struct base base;
static struct base_env env;
static struct ipsec_linux_store store;
static struct setkey_error error;
static struct text out;
static char folder[40], path[80], said[300];

static int nobody; /* all addresses have gone */

static int
is_ours(void *user, const struct ipsec_addr *a)
{
    (void)user;
    return !nobody &&
           ((a->version == 4 && a->byte[0] == 192 && a->byte[3] == 1) ||
            (a->version == 6 && a->byte[15] == 1));
}

static void
take_note(void *user, const char *text)
{
    (void)user;
    snprintf(said, sizeof said, "%s", text);
}

static int
setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/ipsec-base-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/numbers", folder);
    memset(&env, 0, sizeof env);
    memset(&store, 0, sizeof store);
    env.is_ours = is_ours;
    env.log = take_note;
    env.crypto = &ipsec_mbedtls;
    env.store = &store;
    env.mtu = 1500;
    said[0] = '\0';
    nobody = 0;
    memset(&out, 0, sizeof out);
    return ipsec_linux_store_open(&store, path) != 0 ||
           base_init(&base, &env) != 0;
}

static int
teardown(void **state)
{
    char name[100];

    (void)state;
    base_free(&base);
    ipsec_linux_store_close(&store);
    text_free(&out);
    (void)unlink(path);
    snprintf(name, sizeof name, "%s.lock", path);
    (void)unlink(name);
    return rmdir(folder);
}

static int
apply_to(struct base *to, const char *text)
{
    struct setkey_command *cmds;
    size_t n;
    int rc = load_text(text, strlen(text), &cmds, &n, &error);

    if (rc == 0) {
        rc = base_apply(to, cmds, n, &out, &error);
        load_free(cmds, n);
    }
    return rc;
}

static int
apply(const char *text)
{
    return apply_to(&base, text);
}

static void
must_apply(const char *text)
{
    if (apply(text) != 0) {
        fail_msg("%s: %u:%u: %s", text, error.at.line, error.at.column,
                 error.text);
    }
}

static const struct base_sa *
sa_at(unsigned i)
{
    const struct base_sa *s = base.sas;

    while (s != NULL && i-- > 0) {
        s = s->next;
    }
    return s;
}

static unsigned
count_sas(void)
{
    unsigned n = 0;

    while (sa_at(n) != NULL) {
        n++;
    }
    return n;
}

static void
test_base_tells_directions_by_our_addresses(void **state)
{
    (void)state;
    must_apply(OUT "256 -E aes-gcm-16 " KEY(11) ";" IN "257 -r 16 -m tunnel "
               "-E aes-gcm-16 " KEY(22) ";");
    assert_int_equal(sa_at(0)->sa.dir, IPSEC_OUT);
    assert_int_equal(sa_at(0)->sa.local.byte[3], 1);
    assert_int_equal(sa_at(0)->sa.mtu, 1500);
    assert_int_equal(sa_at(0)->sa.mode, IPSEC_MODE_TRANSPORT);
    assert_int_equal(sa_at(1)->sa.dir, IPSEC_IN);
    assert_int_equal(sa_at(1)->sa.local.byte[3], 1);
    assert_int_equal(sa_at(1)->sa.mode, IPSEC_MODE_TUNNEL);
    assert_int_equal(sa_at(1)->sa.flags & IPSEC_SA_NO_REPLAY, 0);
    assert_int_equal(apply("add 192.0.2.3 192.0.2.4 esp 258 -E aes-gcm-16 "
                           KEY(33) ";"), -1);
    assert_non_null(strstr(error.text, "neither"));
    assert_int_equal(apply("add 192.0.2.1 192.1.2.1 esp 258 -E aes-gcm-16 "
                           KEY(33) ";"), -1);
    assert_non_null(strstr(error.text, "each of"));
}

/* -r, in bytes, to the window's words of 32 packets. */
static void
test_base_windows(void **state)
{
    static const struct {
        unsigned bytes, words;
    } rows[] = {
        { 1, 0 }, { 8, 0 }, { 9, 4 }, { 16, 4 }, { 17, 8 }, { 4096, 1024 }
    };
    char text[200];
    size_t i;

    (void)state;
    must_apply(IN "256 -E aes-gcm-16 " KEY(11) ";");
    assert_true(sa_at(0)->sa.flags & IPSEC_SA_NO_REPLAY);
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(text, sizeof text, "flush;" IN "256 -r %u -E aes-gcm-16 "
                 KEY(11) ";", rows[i].bytes);
        must_apply(text);
        assert_int_equal(sa_at(0)->window != NULL, rows[i].words != 0);
        if (rows[i].words != 0) {
            assert_int_equal(sa_at(0)->sa.window_len, rows[i].words);
        }
    }
}

/* Policy and SA meet by protocol, mode, addresses and identifier. */
static void
test_base_joins_policies_and_sas(void **state)
{
    const struct ipsec_policy *p;
    const struct ipsec_selector *sel;

    (void)state;
    must_apply("spdadd 10.1.0.0/16 10.2.0.0/16[80] tcp -P in ipsec "
               "esp/tunnel/192.0.2.2-192.0.2.1/require ah/transport//require;"
               IN "256 -E aes-gcm-16 " KEY(11) ";"
               "add 192.0.2.2 192.0.2.1 ah 256 -A hmac-sha1 " KEY(22) ";");
    p = &base.policies->policy[0];
    sel = &p->sel;
    assert_int_equal(sa_at(0)->sa.mode, IPSEC_MODE_TUNNEL); /* -m any */
    assert_int_equal(p->reqid, sa_at(0)->sa.reqid);
    assert_int_equal(p->mode, IPSEC_MODE_TUNNEL);
    assert_int_equal(p->dir, IPSEC_IN);
    assert_int_equal(sel->local.byte[1], 2); /* the destination is our side */
    assert_int_equal(sel->set, IPSEC_SEL_LOCAL_PORT);
    assert_int_equal(sel->local_port_lo, 80);
    assert_non_null(p->outer);
    assert_int_equal(p->outer->reqid, sa_at(1)->sa.reqid);
    assert_int_equal(p->outer->proto, IPSEC_PROTO_AH);
    assert_int_not_equal(sa_at(0)->sa.reqid, sa_at(1)->sa.reqid);
}

static void
test_base_identifiers(void **state)
{
    (void)state;
    must_apply(OUT "256 -u 5 -E aes-gcm-16 " KEY(11) ";"
               OUT "257 -u 6 -E aes-gcm-16 " KEY(22) ";"
               "spdadd 10.1.0.0/16 10.2.0.0/16 any -P out ipsec "
               "esp/transport//unique:5;");
    assert_int_equal(base.policies->policy[0].reqid, sa_at(0)->sa.reqid);
    assert_int_not_equal(sa_at(0)->sa.reqid, sa_at(1)->sa.reqid);
    must_apply("spdflush; spdadd 192.0.2.1 192.0.2.2 any -P out ipsec "
               "esp/transport//require;");
    assert_int_equal(base.policies->policy[0].reqid, sa_at(1)->sa.reqid);
}

static void
test_base_orders_by_priority(void **state)
{
    (void)state;
    must_apply("spdadd ::/0 ::/0 any -P out prio low none;"
               "spdadd ::/0 ::/0 tcp -P out none;"
               "spdadd ::/0 ::/0 udp -P fwd prio 2147483648 discard;");
    assert_true(base.policies->policy[0].priority == 3221225472u);
    assert_true(base.policies->next->policy[0].priority == 2147483648u);
    assert_true(base.policies->next->next->policy[0].priority == 0);
    assert_int_equal(base.policies->next->next->policy[0].dir, IPSEC_IN);
}

/* All or none, whatever was there. */
static void
test_base_is_as_it_was_after_an_error(void **state)
{
    uint32_t generation;

    (void)state;
    must_apply(OUT "256 -E aes-gcm-16 " KEY(11) ";"
               "spdadd ::/0 ::/0 any -P out none;");
    generation = base.ips.generation;
    assert_int_equal(apply("flush; spdflush;" OUT "300 -E aes-gcm-16 " KEY(22)
                           ";\n" OUT "300 -E aes-gcm-16 " KEY(33) ";"), -1);
    assert_int_equal(error.at.line, 2);
    assert_int_equal(error.at.column, 29);
    assert_int_equal(count_sas(), 1);
    assert_int_equal(base.ips.generation, generation);
    assert_int_equal(apply("spdflush; nonsense;"), -1);
    assert_non_null(base.policies);
    must_apply("flush; spdflush;");
    assert_int_equal(count_sas(), 0);
    assert_null(base.policies);
}

/* An interface that loses its addresses takes no command away. */
static void
test_base_outlives_our_addresses(void **state)
{
    (void)state;
    must_apply(OUT "256 -E aes-gcm-16 " KEY(11) ";" IN "257 -r 8 -E aes-gcm-16 "
               KEY(22) ";");
    nobody = 1;
    must_apply("dump; spddump; get 192.0.2.1 192.0.2.2 esp 256;");
    assert_int_equal(apply(OUT "258 -E aes-gcm-16 " KEY(33) ";"), -1);
    assert_int_equal(error.at.line, 1);
    must_apply("spdadd ::/0 ::/0 any -P out none;"
               "delete 192.0.2.1 192.0.2.2 esp 256;");
    assert_int_equal(count_sas(), 1);
}

static int
refuse(void *user, const struct setkey_command *add, int dir,
       struct setkey_error *e)
{
    assert_ptr_equal(user, &nobody);
    assert_int_equal(dir, add->sa.dst.byte[3] == 1 ? IPSEC_IN : IPSEC_OUT);
    return add->sa.spi != 257 ? 0 : base_fail(e, add->sa.spi_at, "not here");
}

/* The program round it has a say, before anything takes effect. */
static void
test_base_asks_the_program(void **state)
{
    (void)state;
    env.refuse = refuse;
    env.user = &nobody;
    must_apply(IN "256 -E aes-gcm-16 " KEY(11) ";");
    assert_int_equal(apply("flush;\n" OUT "258 -E aes-gcm-16 " KEY(22) ";\n"
                           IN "257 -E aes-gcm-16 " KEY(33) ";"), -1);
    assert_int_equal(error.at.line, 3);
    assert_int_equal(error.at.column, 29);
    assert_string_equal(error.text, "not here");
    assert_int_equal(sa_at(0)->said.spi, 256);
}

static void
test_base_refuses_a_key_twice(void **state)
{
    (void)state;
    assert_int_equal(apply(OUT "256 -E aes-gcm-16 " KEY(11) ";"
                           IN "257 -E aes-gcm-16 " KEY(11) ";"), -1);
    assert_non_null(strstr(error.text, "SPI 0x100 has this key"));
    must_apply(OUT "256 -E null -A hmac-sha1 " KEY(11) ";"
               IN "257 -E null -A hmac-sha1 " KEY(11) ";");
}

/* --- numbers */

static uint64_t
noted_on_disk(void)
{
    struct ipsec_linux_store copy;
    uint64_t most = 0;
    size_t i;

    memset(&copy, 0, sizeof copy);
    ipsec_linux_store_close(&store);
    assert_int_equal(ipsec_linux_store_open(&copy, path), 0);
    for (i = 0; i < copy.len; i++) {
        most = copy.number[i]->noted > most ? copy.number[i]->noted : most;
    }
    ipsec_linux_store_close(&copy);
    return most;
}

static void
test_base_reserves_before_it_uses(void **state)
{
    (void)state;
    must_apply(OUT "256 -E aes-gcm-16 " KEY(11) ";");
    assert_true(sa_at(0)->sa.seq == 0);
    assert_true(sa_at(0)->life.hard_seq == 4096);
    assert_true(sa_at(0)->life.soft_seq == 2048);
    base_free(&base);
    assert_true(noted_on_disk() == 4096);
}

/* The same key again, in the same run, under another SPI: behind all that was
 * reserved, for how much of it was used may not be known. */
static void
test_base_goes_on_with_a_key(void **state)
{
    (void)state;
    must_apply(OUT "256 -E aes-gcm-16 " KEY(11) ";");
    must_apply("flush;" OUT "999 -E aes-gcm-16 " KEY(11) ";");
    assert_true(sa_at(0)->sa.seq == 4096);
    assert_true(sa_at(0)->life.hard_seq == 8192);
    must_apply("flush;" OUT "999 -E aes-gcm-16 " KEY(22) ";");
    assert_true(sa_at(0)->sa.seq == 0);
}

/* Two contexts may not use one key: their numbers would be the same. */
static void
test_base_keys_are_of_one_context(void **state)
{
    static struct base other;

    (void)state;
    assert_int_equal(base_init(&other, &env), 0);
    must_apply(OUT "256 -E aes-gcm-16 " KEY(11) ";");
    assert_int_equal(apply_to(&other, "add 192.0.2.1 192.0.2.9 esp 257 -E "
                              "aes-gcm-16 " KEY(11) ";"), -1);
    assert_non_null(strstr(error.text, "another file has this key"));
    assert_null(other.sas);
    must_apply("flush;");
    assert_int_equal(apply_to(&other, "add 192.0.2.1 192.0.2.9 esp 257 -E "
                              "aes-gcm-16 " KEY(11) ";"), 0);
    assert_true(other.sas->sa.seq >= 4096);
    base_free(&other);
}

static void
test_base_settles_at_what_was_used(void **state)
{
    (void)state;
    must_apply(OUT "256 -E aes-gcm-16 " KEY(11) ";");
    base.sas->sa.seq = 17;
    assert_int_equal(base_settle(&base), 0);
    base_free(&base);
    assert_true(noted_on_disk() == 17);
}

/* A soft limit asks for more; it is in force once it is on the disk. */
static void
soft(void)
{
    base.sas->sa.seq = base.sas->life.soft_seq;
    base.cfg.sa_event(&base, &base.sas->sa, IPSEC_EVENT_SOFT);
    base_poll(&base);
}

static void
test_base_reserves_more(void **state)
{
    (void)state;
    must_apply(OUT "256 -E aes-gcm-16 " KEY(11) ";");
    soft();
    assert_true(base.sas->life.hard_seq == 4096 + 8192); /* it was quick */
    (void)ipsec_tick(&base.ips, 100);
    soft();
    assert_true(base.sas->life.hard_seq == 4096 + 8192 + 4096);
    assert_true(base.sas->number->noted == base.sas->life.hard_seq);
}

static void
test_base_stops_where_the_disk_fails(void **state)
{
    char name[100];

    (void)state;
    must_apply(OUT "256 -E aes-gcm-16 " KEY(11) ";");
    (void)ipsec_tick(&base.ips, 100);
    snprintf(name, sizeof name, "%s.new", path);
    assert_int_equal(mkdir(name, 0700), 0);
    soft();
    assert_true(base.sas->life.hard_seq == 4096);
    assert_non_null(strstr(said, path));
    assert_int_equal(apply(OUT "257 -E aes-gcm-16 " KEY(22) ";"), -1);
    assert_non_null(strstr(error.text, "can't be noted"));
    assert_int_equal(count_sas(), 1);
    assert_int_equal(rmdir(name), 0);
    base_poll(&base); /* not twice in a second */
    assert_true(base.sas->life.hard_seq == 4096);
    (void)ipsec_tick(&base.ips, 101);
    base_poll(&base);
    assert_true(base.sas->life.hard_seq == 8192);
}

/* An SA that has come to the end of its reservation waits for the disk; one
 * whose time is over doesn't. */
static void
test_base_waits_for_the_disk(void **state)
{
    char name[100];

    (void)state;
    must_apply(OUT "256 -lh 500 -E aes-gcm-16 " KEY(11) ";");
    snprintf(name, sizeof name, "%s.new", path);
    assert_int_equal(mkdir(name, 0700), 0);
    soft();
    base.sas->sa.seq = base.sas->life.hard_seq;
    base.cfg.sa_event(&base, &base.sas->sa, IPSEC_EVENT_HARD);
    (void)ipsec_tick(&base.ips, 100);
    base_poll(&base);
    assert_int_equal(count_sas(), 1);
    assert_int_equal(rmdir(name), 0);
    (void)ipsec_tick(&base.ips, 101);
    base_poll(&base);
    assert_int_equal(count_sas(), 1);
    assert_true(base.sas->life.hard_seq > base.sas->sa.seq);
    assert_int_equal(mkdir(name, 0700), 0);
    soft();
    (void)ipsec_tick(&base.ips, 501);
    base_poll(&base);
    assert_int_equal(rmdir(name), 0);
    assert_int_equal(count_sas(), 0);
}

/* The number of a file that says so is at its end, not at 0 again. */
static void
test_base_numbers_do_not_wrap(void **state)
{
    (void)state;
    must_apply(OUT "256 -esn -E aes-gcm-16 " KEY(11) ";");
    base.sas->number->noted = UINT64_MAX - 1;
    must_apply("flush;");
    assert_int_equal(apply(OUT "256 -esn -E aes-gcm-16 " KEY(11) ";"), -1);
    assert_true(store.number[0]->noted == UINT64_MAX - 1);
}

/* Without ESN numbers end at 2^32 - 1. */
static void
test_base_refuses_a_key_that_is_used_up(void **state)
{
    (void)state;
    must_apply(OUT "256 -E aes-gcm-16 " KEY(11) ";");
    base.sas->sa.seq = 0xffffffff;
    assert_int_equal(base_settle(&base), 0);
    must_apply("flush;");
    assert_int_equal(apply(OUT "256 -E aes-gcm-16 " KEY(11) ";"), -1);
    assert_int_equal(count_sas(), 0);
}

static void
test_base_notes_what_was_received(void **state)
{
    (void)state;
    must_apply(IN "256 -r 8 -E aes-gcm-16 " KEY(11) ";");
    base.sas->sa.seq = 55;
    base_note(&base);
    must_apply("flush;" IN "256 -r 8 -E aes-gcm-16 " KEY(11) ";");
    assert_true(sa_at(0)->sa.seq == 55);
}

/* A tunnel copies DF only outwards, and only if it was said; what comes in
 * transport mode behind a NAT is summed anew. */
static void
test_base_sets_flags_of_its_way(void **state)
{
    unsigned df = IPSEC_SA_DF_COPY | IPSEC_SA_DF_SET;

    (void)state;
    must_apply(OUT "256 -m tunnel -f df-copy -E aes-gcm-16 " KEY(11) ";"
               IN "257 -m tunnel -f df-copy -E aes-gcm-16 " KEY(22) ";"
               OUT "258 -m tunnel -E aes-gcm-16 " KEY(33) ";"
               OUT "259 -m transport -f df-copy -E aes-gcm-16 " KEY(44) ";");
    assert_int_equal(sa_at(0)->sa.flags & df, IPSEC_SA_DF_COPY);
    assert_int_equal(sa_at(1)->sa.flags & df, 0);
    assert_int_equal(sa_at(2)->sa.flags & df, 0);
    assert_int_equal(sa_at(3)->sa.flags & df, 0);
    must_apply("flush; add 192.0.2.1 192.0.2.2 esp-udp 256 -m transport "
               "-E aes-gcm-16 " KEY(55) ";"
               "add 192.0.2.2[30000] 192.0.2.1 esp-udp 257 -m transport "
               "-E aes-gcm-16 " KEY(66) ";"
               "add 192.0.2.2[30000] 192.0.2.1 esp-udp 258 -m tunnel "
               "-E aes-gcm-16 " KEY(77) ";");
    assert_int_equal(sa_at(0)->sa.flags & IPSEC_SA_NAT_CSUM, 0);
    assert_int_not_equal(sa_at(1)->sa.flags & IPSEC_SA_NAT_CSUM, 0);
    assert_int_equal(sa_at(2)->sa.flags & IPSEC_SA_NAT_CSUM, 0);
}

static void
test_base_mtu_of_policies(void **state)
{
    (void)state;
    must_apply(OUT "256 -m tunnel -E aes-gcm-16 " KEY(11) ";"
               IN "257 -m tunnel -E aes-gcm-16 " KEY(22) ";"
               "spdadd 10.1.0.0/16 10.2.0.0/16 any -P out ipsec "
               "esp/tunnel/192.0.2.1-192.0.2.2/require;"
               "spdadd 10.2.0.0/16 10.1.0.0/16 any -P in ipsec "
               "esp/tunnel/192.0.2.2-192.0.2.1/require;"
               "spdadd fd01::/16 fd02::/16 any -P out ipsec "
               "esp/tunnel/192.0.2.1-192.0.2.2/require;"
               "spdadd 10.3.0.0/16 10.4.0.0/16 any -P out none;");
    env.mtu = 1300;
    base_mtu_set(&base);
    assert_int_equal(sa_at(0)->sa.mtu, 1300);
    assert_int_equal(sa_at(1)->sa.mtu, 0);
    show_mtu(&out, &base);
    assert_string_equal(out.text,
        "policy from              to                         path packet    "
        "MSS\n"
        "10.1.0.0/16              10.2.0.0/16                1300   1246   "
        "1206\n"
        "fd01::/16                fd02::/16                  1300   1246   "
        "1186\n");
}

/* Enough that every table has grown several times. */
#define MANY 1000

static void
many_text(char *text, size_t size)
{
    size_t at = 0;
    unsigned i;

    for (i = 0; i < MANY; i++) {
        at += (size_t)snprintf(text + at, size - at, "add 192.0.2.1 "
            "198.51.%u.%u esp %u -E aes-gcm-16 0x%040x;\n"
            "spdadd 10.0.0.0/8 172.16.%u.%u any -P out ipsec "
            "esp/tunnel/192.0.2.1-198.51.%u.%u/require;\n", i / 256, i % 256,
            1000 + i, i + 1, i / 256, i % 256, i / 256, i % 256);
    }
    assert_true(at < size);
}

static void
check_many(unsigned i)
{
    struct ipsec_flow flow = { { 4, { 10, 1, 1, 1 } },
                               { 4, { 172, 16, 0, 0 } }, 0, 0, 17, 0, 0 };
    struct ipsec_policy *p;
    struct ipsec_sa *sa;

    flow.remote.byte[2] = (uint8_t)(i / 256);
    flow.remote.byte[3] = (uint8_t)(i % 256);
    p = ipsec_spd_lookup(&base.ips, IPSEC_OUT, &flow);
    assert_non_null(p);
    sa = ipsec_sad_newest(&base.ips, p->reqid, 0);
    assert_non_null(sa);
    assert_int_equal(sa->spi, 1000 + i);
    assert_int_equal(sa->mode, IPSEC_MODE_TUNNEL); /* -m any */
}

static void
test_base_many(void **state)
{
    static char text[MANY * 240];
    const struct base_policy *p;
    unsigned i;

    (void)state;
    many_text(text, sizeof text);
    must_apply(text);
    assert_int_equal(store.len, MANY);
    for (i = 0; i < MANY; i++) {
        check_many(i);
    }
    assert_int_equal(apply(OUT "9999 -E aes-gcm-16 0x0000000000000000000000"
                           "000000000000000309;"), -1); /* the 777th's key */
    assert_non_null(strstr(error.text, "0x6f0 has this key"));
    assert_int_equal(apply("spdadd 10.0.0.0/8 172.16.3.8 any -P out none;"),
                     -1);
    must_apply("spdupdate 10.0.0.0/8 172.16.3.8 any -P out none;"
               "spddelete 10.0.0.0/8 172.16.3.9 any -P out;"
               "delete 192.0.2.1 198.51.3.9 esp 1777;");
    for (i = 0, p = base.policies; i < 776; i++, p = p->next) {
        assert_int_equal(p->said.sel.remote.byte[3], i % 256);
    }
    assert_int_equal(p->said.sel.remote.byte[3], 8); /* where it was */
    assert_int_equal(p->said.action, IPSEC_ACTION_BYPASS);
    assert_int_equal(p->next->said.sel.remote.byte[3], 10);
    must_apply("spdadd 10.0.0.0/8 172.16.3.9 any -P out none;"
               "spddelete 10.0.0.0/8 172.16.3.9 any -P out;");
    check_many(999);
    must_apply("flush; spdflush;");
    assert_true(base.sas == NULL && base.policies == NULL);
    must_apply(text);
    check_many(999);
}

/* To the second, however long the library takes to look through its table. */
static void
test_base_ends_in_time(void **state)
{
    uint32_t now;

    (void)state;
    (void)ipsec_tick(&base.ips, 1000);
    must_apply(OUT "256 -lh 10 -E aes-gcm-16 " KEY(11) ";" IN "257 -lh 20 "
               "-m tunnel -E aes-gcm-16 " KEY(22) ";");
    for (now = 1001; now <= 1020; now++) {
        (void)ipsec_tick(&base.ips, now);
        base_second(&base);
        base_poll(&base);
        assert_int_equal(count_sas(), now < 1010 ? 2 : now < 1020 ? 1 : 0);
    }
}

#define BASE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BASE_TEST(test_base_tells_directions_by_our_addresses),
        BASE_TEST(test_base_sets_flags_of_its_way),
        BASE_TEST(test_base_mtu_of_policies),
        BASE_TEST(test_base_windows),
        BASE_TEST(test_base_joins_policies_and_sas),
        BASE_TEST(test_base_identifiers),
        BASE_TEST(test_base_orders_by_priority),
        BASE_TEST(test_base_is_as_it_was_after_an_error),
        BASE_TEST(test_base_outlives_our_addresses),
        BASE_TEST(test_base_asks_the_program),
        BASE_TEST(test_base_refuses_a_key_twice),
        BASE_TEST(test_base_reserves_before_it_uses),
        BASE_TEST(test_base_goes_on_with_a_key),
        BASE_TEST(test_base_keys_are_of_one_context),
        BASE_TEST(test_base_settles_at_what_was_used),
        BASE_TEST(test_base_reserves_more),
        BASE_TEST(test_base_stops_where_the_disk_fails),
        BASE_TEST(test_base_waits_for_the_disk),
        BASE_TEST(test_base_numbers_do_not_wrap),
        BASE_TEST(test_base_refuses_a_key_that_is_used_up),
        BASE_TEST(test_base_notes_what_was_received),
        BASE_TEST(test_base_many),
        BASE_TEST(test_base_ends_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
