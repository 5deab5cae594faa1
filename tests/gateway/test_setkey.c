/* SPDX-License-Identifier: MIT */
#include "fake/fixture.h"
#include "setkey.h"

#include <stdio.h>

/* The reader of setkey(8)'s language, examples/ipsecgw/setkey*.c. */

#define KEY16 "0x000102030405060708090a0b0c0d0e0f"
#define KEY20 KEY16 "10111213"
#define KEY32 KEY20 "1415161718191a1b1c1d1e1f"

static struct setkey_command cmd;
static struct setkey_error error;

/* One read, of the first command. */
static int
read_one(const char *text)
{
    struct setkey_reader r;

    memset(&r, 0, sizeof r);
    r.text = text;
    r.len = strlen(text);
    return setkey_read(&r, &cmd, &error);
}

static void
must_read(const char *text)
{
    int rc = read_one(text);

    if (rc != 1) {
        fail_msg("%s: %u:%u: %s", text, error.at.line, error.at.column,
                 error.text);
    }
}

static void
test_setkey_reads_sas(void **state)
{
    struct ipsec_addr src = addr("192.0.2.1"), dst = addr("198.51.100.2");

    (void)state;
    must_read("add 192.0.2.1 198.51.100.2 esp 0x10001 -m tunnel -u 7 -r 4 "
              "-lh 100 -ls 90 -bh 5000000000 -bs 4 -f nocyclic-seq -esn "
              "-E aes-cbc " KEY16 " -A hmac-sha2-256 " KEY32 " ;");
    assert_int_equal(cmd.verb, SETKEY_ADD);
    assert_memory_equal(&cmd.sa.src, &src, sizeof src);
    assert_memory_equal(&cmd.sa.dst, &dst, sizeof dst);
    assert_int_equal(cmd.sa.proto, IPSEC_PROTO_ESP);
    assert_int_equal(cmd.sa.mode, IPSEC_MODE_TUNNEL);
    assert_int_equal(cmd.sa.spi, 0x10001);
    assert_int_equal(cmd.sa.reqid, 7);
    assert_int_equal(cmd.sa.replay, 4);
    assert_int_equal(cmd.sa.hard_s, 100);
    assert_int_equal(cmd.sa.soft_s, 90);
    assert_true(cmd.sa.hard_bytes == 5000000000u);
    assert_true(cmd.sa.soft_bytes == 4);
    assert_int_equal(cmd.sa.encr, IPSEC_ENCR_AES_CBC);
    assert_int_equal(cmd.sa.integ, IPSEC_INTEG_HMAC_SHA2_256_128);
    assert_int_equal(cmd.sa.encr_key_len, 16);
    assert_int_equal(cmd.sa.integ_key_len, 32);
    assert_int_equal(cmd.sa.integ_key[31], 0x1f);
    assert_int_equal(cmd.sa.natt, 0);
    assert_int_equal(cmd.sa.esn, 1);
    assert_int_equal(cmd.sa.align8, 0);
}

static void
test_setkey_reads_sas_without_options(void **state)
{
    (void)state;
    must_read("add -6n fd00::1 fd00::2\n\tah 123456 # comment; \"\n"
              "-A hmac-sha1 \"AH SA configuration!\";");
    assert_int_equal(cmd.sa.src.version, 6);
    assert_int_equal(cmd.sa.dst.byte[15], 2);
    assert_int_equal(cmd.sa.mode, 0);
    assert_int_equal(cmd.sa.replay, 0);
    assert_int_equal(cmd.sa.spi, 123456);
    assert_int_equal(cmd.sa.encr, IPSEC_ENCR_NULL);
    assert_memory_equal(cmd.sa.integ_key, "AH SA configuration!", 20);
}

static void
test_setkey_reads_df_of_a_tunnel(void **state)
{
    (void)state;
    must_read("add 10.0.0.1 10.0.0.2 esp 256 -m tunnel -f df-copy "
              "-E aes-gcm-16 " KEY20 ";");
    assert_int_equal(cmd.sa.df_copy, 1);
    must_read("add 10.0.0.1 10.0.0.2 esp 256 -m tunnel -E aes-gcm-16 " KEY20
              ";");
    assert_int_equal(cmd.sa.df_copy, 0);
}

static void
test_setkey_reads_ports_of_esp_in_udp(void **state)
{
    (void)state;
    must_read("add 10.0.0.1[500] 10.0.0.2 [30000] esp-udp 256 "
              "-E aes-gcm-16 " KEY20 ";");
    assert_int_equal(cmd.sa.natt, 1);
    assert_int_equal(cmd.sa.src_port, 500);
    assert_int_equal(cmd.sa.dst_port, 30000);
    must_read("add 10.0.0.1 10.0.0.2[any] esp-udp 256 -E aes-gcm-16 "
              KEY20 ";");
    assert_int_equal(cmd.sa.src_port, 4500);
    assert_int_equal(cmd.sa.dst_port, 4500);
}

static void
test_setkey_reads_algorithms(void **state)
{
    static const struct {
        const char *text;
        uint16_t    encr, integ;
    } rows[] = {
        { "esp 256 -E null -A hmac-sha1 " KEY20, IPSEC_ENCR_NULL,
          IPSEC_INTEG_HMAC_SHA1_96 },
        { "esp 256 -E null \"\" -A aes-xcbc-mac " KEY16, IPSEC_ENCR_NULL,
          IPSEC_INTEG_AES_XCBC_96 },
        { "esp 256 -E rijndael-cbc " KEY32 " -A hmac-sha512 " KEY32
          "000000000000000000000000000000000000000000000000000000000000000a",
          IPSEC_ENCR_AES_CBC, IPSEC_INTEG_HMAC_SHA2_512_256 },
        { "esp 256 -E aes-ctr " KEY20 " -A aes-cmac " KEY16,
          IPSEC_ENCR_AES_CTR, IPSEC_INTEG_AES_CMAC_96 },
        { "esp 256 -E aes-gcm-8 " KEY20, IPSEC_ENCR_AES_GCM_8, 0 },
        { "esp 256 -E aes-gcm-12 " KEY20, IPSEC_ENCR_AES_GCM_12, 0 },
        { "esp 256 -E aes-ccm-16 " KEY16 "101112", IPSEC_ENCR_AES_CCM_16, 0 },
        { "esp 256 -E aes-gmac " KEY20, IPSEC_ENCR_NULL_AES_GMAC, 0 },
        { "esp 256 -E chacha20-poly1305 " KEY32 "20212223",
          IPSEC_ENCR_CHACHA20_POLY1305, 0 },
        { "ah 256 -A hmac-sha256 " KEY32, IPSEC_ENCR_NULL,
          IPSEC_INTEG_HMAC_SHA2_256_128 },
        { "ah 256 -A aes-gmac " KEY20, IPSEC_ENCR_NULL,
          IPSEC_INTEG_AES_GMAC_128 },
        { "ah 256 -A aes-gmac " KEY32 "20212223", IPSEC_ENCR_NULL,
          IPSEC_INTEG_AES_GMAC_256 },
    };
    char text[400];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(text, sizeof text, "add 10.0.0.1 10.0.0.2 %s ;",
                 rows[i].text);
        must_read(text);
        assert_int_equal(cmd.sa.encr, rows[i].encr);
        assert_int_equal(cmd.sa.integ, rows[i].integ);
    }
}

static void
test_setkey_reads_policies(void **state)
{
    const struct setkey_policy *p = &cmd.policy;

    (void)state;
    must_read("spdadd 10.1.2.3/15[21] 10.2.0.1[any] tcp -P out ipsec\n"
              " esp/tunnel/192.168.0.1[4500]-192.168.1.2[30000]/unique:9\n"
              " ah/transport//require;");
    assert_int_equal(cmd.verb, SETKEY_SPDADD);
    assert_int_equal(p->sel.version, 4);
    assert_int_equal(p->sel.local.bits, 15);
    assert_int_equal(p->sel.local.byte[0], 10);
    assert_int_equal(p->sel.local.byte[1], 0);
    assert_int_equal(p->sel.local.byte[2], 0);
    assert_int_equal(p->sel.remote.bits, 32);
    assert_int_equal(p->sel.proto, 6);
    assert_int_equal(p->sel.set, IPSEC_SEL_LOCAL_PORT);
    assert_int_equal(p->sel.local_port_lo, 21);
    assert_int_equal(p->sel.local_port_hi, 21);
    assert_int_equal(p->dir, SETKEY_OUT);
    assert_int_equal(p->action, IPSEC_ACTION_PROTECT);
    assert_int_equal(p->layers, 2);
    assert_int_equal(p->layer[0].proto, IPSEC_PROTO_ESP);
    assert_int_equal(p->layer[0].mode, IPSEC_MODE_TUNNEL);
    assert_int_equal(p->layer[0].src.byte[2], 0);
    assert_int_equal(p->layer[0].dst.byte[3], 2);
    assert_int_equal(p->layer[0].src_port, 4500);
    assert_int_equal(p->layer[0].dst_port, 30000);
    assert_int_equal(p->layer[0].id, 9);
    assert_int_equal(p->layer[1].proto, IPSEC_PROTO_AH);
    assert_int_equal(p->layer[1].mode, IPSEC_MODE_TRANSPORT);
    assert_int_equal(p->layer[1].src.version, 0);
    assert_int_equal(p->layer[1].unique, 0);
}

static void
test_setkey_reads_what_a_policy_does(void **state)
{
    static const struct {
        const char *text;
        uint8_t     dir, action;
        int64_t     priority;
    } rows[] = {
        { "-P in none", SETKEY_IN, IPSEC_ACTION_BYPASS, 0 },
        { "-P fwd discard", SETKEY_FWD, IPSEC_ACTION_DISCARD, 0 },
        { "-P out priority 5 none", SETKEY_OUT, IPSEC_ACTION_BYPASS, 5 },
        { "-P out prio -5 none", SETKEY_OUT, IPSEC_ACTION_BYPASS, -5 },
        { "-P out prio - 5 none", SETKEY_OUT, IPSEC_ACTION_BYPASS, -5 },
        { "-P out priority high none", SETKEY_OUT, IPSEC_ACTION_BYPASS,
          1073741824 },
        { "-P out priority low + 1 none", SETKEY_OUT, IPSEC_ACTION_BYPASS,
          -1073741823 },
        { "-P out priority def -7 discard", SETKEY_OUT, IPSEC_ACTION_DISCARD,
          -7 },
        { "-P in prio high +1073741824 none", SETKEY_IN, IPSEC_ACTION_BYPASS,
          2147483648ll },
        { "-P in ipsec esp/tunnel/fd00::1-fd00::2/default", SETKEY_IN,
          IPSEC_ACTION_PROTECT, 0 },
    };
    char text[200];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(text, sizeof text, "spdadd ::/0 ::/0 any %s;", rows[i].text);
        must_read(text);
        assert_int_equal(cmd.policy.sel.version, 6);
        assert_int_equal(cmd.policy.sel.local.bits, 0);
        assert_int_equal(cmd.policy.dir, rows[i].dir);
        assert_int_equal(cmd.policy.action, rows[i].action);
        assert_true(cmd.policy.priority == rows[i].priority);
    }
}

static void
test_setkey_reads_icmp(void **state)
{
    static const struct {
        const char *text;
        uint8_t     proto;
        int         lo, hi; /* -1: any */
    } rows[] = {
        { "icmp6 135,0", 58, 135 << 8, 135 << 8 | 255 },
        { "ipv6-icmp 1,4", 58, 1 << 8 | 4, 1 << 8 | 4 },
        { "58 0,0", 58, -1, -1 },
        { "icmp", 1, -1, -1 },
        { "icmp 3,4", 1, 3 << 8 | 4, 3 << 8 | 4 },
    };
    char text[200];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(text, sizeof text, "spdadd ::/0 ::/0 %s -P in none;",
                 rows[i].text);
        must_read(text);
        assert_int_equal(cmd.policy.sel.proto, rows[i].proto);
        assert_int_equal(cmd.policy.sel.set,
                         rows[i].lo < 0 ? 0 : IPSEC_SEL_LOCAL_PORT);
        if (rows[i].lo >= 0) {
            assert_int_equal(cmd.policy.sel.local_port_lo, rows[i].lo);
            assert_int_equal(cmd.policy.sel.local_port_hi, rows[i].hi);
        }
    }
}

static void
test_setkey_reads_all_verbs(void **state)
{
    static const char *const more[] = { "stats", "save", NULL };
    static const char text[] =
        "# a file\n flush; flush ah ;dump esp;\r\n"
        "get 10.0.0.1 10.0.0.2 esp 0x100 -m tunnel; "
        "delete -4 10.0.0.1 10.0.0.2 ah 0x100;deleteall ::1 ::2 esp;"
        "spddelete 10.0.0.1 10.0.0.2/32 any -P in;"
        "spddelete 10.0.0.1 10.0.0.2/32 any -P in none;"
        "spdflush;spddump; save; exit; nonsense";
    static const uint8_t verbs[] = {
        SETKEY_FLUSH, SETKEY_FLUSH, SETKEY_DUMP, SETKEY_GET, SETKEY_DELETE,
        SETKEY_DELETEALL, SETKEY_SPDDELETE, SETKEY_SPDDELETE, SETKEY_SPDFLUSH,
        SETKEY_SPDDUMP, SETKEY_OTHER, SETKEY_EXIT
    };
    struct setkey_reader r;
    size_t i;

    (void)state;
    memset(&r, 0, sizeof r);
    r.text = text;
    r.len = strlen(text);
    r.more = more;
    for (i = 0; i < sizeof verbs; i++) {
        assert_int_equal(setkey_read(&r, &cmd, &error), 1);
        assert_int_equal(cmd.verb, verbs[i]);
        assert_int_equal(cmd.proto, i == 1 ? 51 : i == 2 ? 50 : 0);
        assert_int_equal(cmd.other, cmd.verb == SETKEY_OTHER);
    }
    assert_int_equal(setkey_read(&r, &cmd, &error), 0);
}

/* --- what is refused, where and why */

static const struct refusal {
    const char *text;
    unsigned    line, column;
    const char *why; /* is in the reason */
} refusals[] = {
    { "nonsense;", 1, 1, "'nonsense' is no command" },
    { ";", 1, 1, "expected a command" },
    { "flush;\n  flush", 2, 8, "expected ';' at the end of 'flush'" },
    { "flush", 1, 6, "expected ';'" },
    { "flush esp dump;", 1, 11, "before 'dump'" },
    { "flush tcp;", 1, 7, "not esp or ah" },
    { "getspi 10.0.0.1 10.0.0.2 esp 0;", 1, 1, "key exchange" },
    { "add ;", 1, 5, "expected a source address" },
    { "add \"10.0.0.1\" 10.0.0.2 esp 256;", 1, 5, "without quotes" },
    { "add gw.example.org 10.0.0.2 esp 256;", 1, 5, "not an address" },
    { "add 10.0.0 10.0.0.2 esp 256;", 1, 5, "not an address" },
    { "add 10.0.0.1 fd00::1 esp 256;", 1, 14, "IPv4 and an IPv6" },
    { "add 10.0.0.1 10.0.0.2 ipcomp 256;", 1, 23, "not esp, esp-udp" },
    { "add 10.0.0.1 10.0.0.2 esp-old 256;", 1, 23, "obsolete" },
    { "add 10.0.0.1[1] 10.0.0.2 esp 256;", 1, 26, "only esp-udp has ports" },
    { "add 10.0.0.1[70000] 10.0.0.2 esp-udp 256;", 1, 13, "port '70000'" },
    { "add 10.0.0.1[1 10.0.0.2 esp-udp 256;", 1, 13, "isn't closed" },
    { "add 10.0.0.1 10.0.0.2 esp 255 -E null;", 1, 27, "reserved" },
    { "add 10.0.0.1 10.0.0.2 esp 0x100000000;", 1, 27, "not an SPI" },
    { "add 10.0.0.1 10.0.0.2 esp x;", 1, 27, "not an SPI" },
    { "add 10.0.0.1 10.0.0.2 esp 256;", 1, 1, "esp takes -E" },
    { "add 10.0.0.1 10.0.0.2 esp 256 -E des-cbc 0x0011223344556677;", 1, 34,
      "MUST NOT by RFC 8221" },
    { "add 10.0.0.1 10.0.0.2 esp 256 -E 3des-cbc \"123456789012345678901234\""
      ";", 1, 34, "RFC 8221" },
    { "add 10.0.0.1 10.0.0.2 ah 256\n -A hmac-md5 \"1234567890123456\";", 2, 5,
      "MUST NOT by RFC 8221" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -E null;", 1, 1, "ah takes -A" },
    { "add 10.0.0.1 10.0.0.2 ah 256;", 1, 1, "ah takes -A" },
    { "add 10.0.0.1 10.0.0.2 esp 256 -E aes-foo 0x00;", 1, 34, "unknown" },
    { "add 10.0.0.1 10.0.0.2 esp 256 -E hmac-sha1 0x00;", 1, 34,
      "belongs behind -A" },
    { "add 10.0.0.1 10.0.0.2 esp 256 -E null;", 1, 34,
      "nothing would protect" },
    { "add 10.0.0.1 10.0.0.2 esp 256 -E null -A null;", 1, 42,
      "nothing would protect" },
    { "add 10.0.0.1 10.0.0.2 esp 256 -E aes-cbc " KEY16 ";", 1, 34,
      "needs -A" },
    { "add 10.0.0.1 10.0.0.2 esp 256 -E aes-gcm-16 " KEY20
      " -A hmac-sha1 " KEY20 ";", 1, 34, "no -A" },
    { "add 10.0.0.1 10.0.0.2 esp 256 -E null -A aes-gmac " KEY20 ";", 1, 34,
      "of ah alone" },
    { "add 10.0.0.1 10.0.0.2 esp 256 -E aes-cbc 0x000102;", 1, 42,
      "a key of 24 bits, where aes-cbc takes 128, 192 or 256" },
    { "add 10.0.0.1 10.0.0.2 esp 256 -E aes-gcm-16 " KEY16 ";", 1, 45,
      "a key of 128 bits, where aes-gcm-16 takes 160, 224 or 288" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -A hmac-sha1 \"short\";", 1, 43,
      "a key of 40 bits, where hmac-sha1 takes 160" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -A hmac-sha1 " KEY16 "1011121;", 1, 43,
      "an odd number of digits (39)" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -A hmac-sha1 " KEY16 "101112xx;", 1, 83,
      "not a hexadecimal digit" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -A hmac-sha1 \"not closed;\n", 1, 43,
      "quote that isn't closed" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -A hmac-sha1;", 1, 42, "expected a key" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -A hmac-sha1 " KEY20 " -A hmac-sha1 "
      KEY20 ";", 1, 86, "one too many" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -m beet;", 1, 33, "mode 'beet'" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -u 32768;", 1, 33, "an identifier" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -f zero-pad;", 1, 33, "section 2.4" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -f cyclic-seq;", 1, 33, "no option of -f" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -C deflate;", 1, 30, "IPComp" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -ctx 1 1 \"x\";", 1, 30, "labels" },
    { "add 10.0.0.1 10.0.0.2 ah 256 -z;", 1, 30, "no option" },
    { "spdadd tagged \"x\" -P in none;", 1, 8, "tags" },
    { "spdadd 10.0.0.0/33 10.0.0.0/8 any -P in none;", 1, 17,
      "not a prefix length" },
    { "spdadd 10.0.0.0/8 ::/0 any -P in none;", 1, 19, "IPv4 and an IPv6" },
    { "spdadd 10.0.0.0/8 10.0.0.1[80] any -P in none;", 1, 32,
      "a port needs a protocol" },
    { "spdadd 10.0.0.0/8 10.0.0.1 nope -P in none;", 1, 28, "no protocol" },
    { "spdadd 10.0.0.0/8 10.0.0.1 gre 1234 -P in none;", 1, 32,
      "only ICMP has more" },
    { "spdadd 10.0.0.0/8 10.0.0.1 icmp 3 -P in none;", 1, 33, "type,code" },
    { "spdadd 10.0.0.0/8 10.0.0.1 icmp 0,4 -P in none;", 1, 28,
      "type 0 is any" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -ctx 1 1 \"x\" -P in none;", 1, 32,
      "labels" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any;", 1, 31, "expected -P" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P sideways none;", 1, 35,
      "direction 'sideways'" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in;", 1, 37, "expected ipsec" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in entrust;", 1, 38, "'entrust'" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in ipsec;", 1, 43, "ipsec needs" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in priority x none;", 1, 47,
      "not a priority" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in prio high +1073741825 none;", 1,
      48, "a priority is from" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in ipsec ipcomp/transport//require;",
      1, 44, "IPComp" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in ipsec tcp/transport//require;",
      1, 44, "not esp or ah" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in ipsec esp/beet//require;", 1, 48,
      "mode 'beet'" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in ipsec esp/tunnel//require;", 1, 44,
      "a tunnel needs its ends" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in ipsec esp/tunnel/1.2.3.4/require;",
      1, 55, "two addresses" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in ipsec\n"
      "esp/tunnel/1.2.3.4-1.2.3.x/require;", 2, 20, "not an address" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in ipsec esp/tunnel/1.2.3.4-::1/"
      "require;", 1, 63, "IPv4 and an IPv6" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in ipsec esp/transport//use;", 1, 59,
      "in clear" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in ipsec esp/transport//maybe;", 1,
      59, "level 'maybe'" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in ipsec esp/transport//unique:0;", 1,
      59, "from 1 to 32767" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in ipsec esp/transport//unique:99999;",
      1, 59, "from 1 to 32767" },
    { "spdadd 10.0.0.0/8 10.0.0.1 any -P in ipsec ah/transport//require "
      "ah/transport//require ah/transport//require ah/transport//require "
      "ah/transport//require;", 1, 132, "more than 4 layers" },
    { "flush;\001", 1, 7, "control character" },
};

static void
test_setkey_refuses_with_a_place_and_a_reason(void **state)
{
    struct setkey_reader r;
    int rc = 1;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *row = &refusals[i];

        memset(&r, 0, sizeof r);
        r.text = row->text;
        r.len = strlen(row->text);
        for (rc = 1; rc == 1;) {
            rc = setkey_read(&r, &cmd, &error);
        }
        if (rc != -1 || error.at.line != row->line ||
            error.at.column != row->column ||
            strstr(error.text, row->why) == NULL) {
            fail_msg("%s: %d, %u:%u: %s", row->text, rc, error.at.line,
                     error.at.column, error.text);
        }
        assert_int_equal(setkey_read(&r, &cmd, &error), 0);
    }
}

/* Nothing of a key gets into a message, which may be logged. */
static void
test_setkey_messages_show_no_key(void **state)
{
    static const char *const texts[] = {
        "add 10.0.0.1 10.0.0.2 esp 256 -E null " KEY16 " -A hmac-sha1 " KEY20
        ";",
        "add 10.0.0.1 10.0.0.2 ah 256 -A hmac-sha1 " KEY20 " " KEY20 ";",
        "add 10.0.0.1 10.0.0.2 ah 256 -A hmac-sha1 " KEY20 " \"000102030405\";",
        "add 10.0.0.1 10.0.0.2 ah 256 -A hmac-sha1 " KEY32 ";",
        "add 10.0.0.1 10.0.0.2 ah 256 -A hmac-sha1 \"000102030405\";",
        "flush; " KEY16 ";",
        "add 10.0.0.1 10.0.0.2 esp " KEY16 ";",
        "add 10.0.0.1 10.0.0.2 " KEY16 ";",
        "add 10.0.0.1 10.0.0.2 esp 256 -E " KEY16 ";",
        "add 10.0.0.1 10.0.0.2 esp 256 -u " KEY16 ";",
        "add 10.0.0.1 10.0.0.2 esp 256 -m " KEY16 ";",
        "add 10.0.0.1 10.0.0.2 esp 256 -f " KEY16 ";",
        "add 10.0.0.1 " KEY16 " esp 256;",
        "spdadd ::/0 ::/0 " KEY16 " -P out none;",
        "dump " KEY16 ";",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct setkey_reader r;
        int rc = 1;

        memset(&r, 0, sizeof r);
        r.text = texts[i];
        r.len = strlen(texts[i]);
        while (rc == 1) {
            rc = setkey_read(&r, &cmd, &error);
        }
        assert_int_equal(rc, -1);
        assert_null(strstr(error.text, "0203"));
    }
}

/* A word, and a quoted key, as long as it may be, and a byte longer. */
static void
test_setkey_bounds_words(void **state)
{
    char text[400];
    size_t n;

    (void)state;
    for (n = 100; n < 300; n++) {
        memset(text, 'x', n);
        text[n] = '\0';
        assert_int_equal(read_one(text), -1);
        text[0] = '"';
        assert_int_equal(read_one(text), -1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setkey_reads_sas),
        cmocka_unit_test(test_setkey_reads_sas_without_options),
        cmocka_unit_test(test_setkey_reads_df_of_a_tunnel),
        cmocka_unit_test(test_setkey_reads_ports_of_esp_in_udp),
        cmocka_unit_test(test_setkey_reads_algorithms),
        cmocka_unit_test(test_setkey_reads_policies),
        cmocka_unit_test(test_setkey_reads_what_a_policy_does),
        cmocka_unit_test(test_setkey_reads_icmp),
        cmocka_unit_test(test_setkey_reads_all_verbs),
        cmocka_unit_test(test_setkey_refuses_with_a_place_and_a_reason),
        cmocka_unit_test(test_setkey_messages_show_no_key),
        cmocka_unit_test(test_setkey_bounds_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
