/* SPDX-License-Identifier: MIT */
#ifndef EXAMPLES_SETKEY_H
#define EXAMPLES_SETKEY_H

#include "ipsec/ipsec.h"

/*
 * The language of setkey(8): commands out of a text in memory. No I/O, no heap;
 * what the text says is in the command, and nothing points back into the text.
 * What can't be honoured is an error with its line, column and reason.
 *
 * Taken as setkey takes them: comments from '#' on, commands over several
 * lines, `[port]` apart from its address, options -4, -6 and -n. Not taken,
 * with a reason: host names, getspi, tags, IPComp, -ctx, GRE keys, the level
 * `use`, and algorithms that RFC 8221 says not to use.
 */

/** A place in the text, both from 1; a tab is one column. */
struct setkey_pos {
    unsigned line, column;
};

struct setkey_error {
    struct setkey_pos at;
    char              text[200];
};

enum setkey_verb {
    SETKEY_ADD, SETKEY_GET, SETKEY_DELETE, SETKEY_DELETEALL, SETKEY_FLUSH,
    SETKEY_DUMP, SETKEY_SPDADD, SETKEY_SPDUPDATE, SETKEY_SPDDELETE,
    SETKEY_SPDFLUSH, SETKEY_SPDDUMP, SETKEY_EXIT,
    SETKEY_OTHER /**< a word of setkey_reader.more: number in `other` */
};

enum setkey_dir { SETKEY_OUT = 1, SETKEY_IN, SETKEY_FWD };

/* Most that a command has of each. */
#define SETKEY_KEY    68 /* HMAC-SHA2-512's, and no AEAD's is longer */
#define SETKEY_LAYERS IPSEC_DEPTH

/** protocol/mode/src-dst/level of a policy. */
struct setkey_layer {
    struct setkey_pos at;
    struct ipsec_addr src, dst;    /**< version 0: left out */
    uint16_t          src_port, dst_port;
    uint8_t           proto;       /**< enum ipsec_proto */
    uint8_t           mode;        /**< enum ipsec_mode */
    uint8_t           unique;      /**< level `unique` */
    uint16_t          id;          /**< of unique:ID; 0: none */
};

/** add, get, delete, deleteall. */
struct setkey_sa {
    struct ipsec_addr src, dst;
    uint16_t          src_port, dst_port; /**< of `esp-udp`: 4500 if not said */
    uint8_t           proto;       /**< enum ipsec_proto */
    uint8_t           mode;        /**< enum ipsec_mode; 0: -m any */
    uint8_t           natt;        /**< esp-udp */
    uint8_t           esn;         /**< -esn, of FreeBSD: 64-bit numbers */
    uint8_t           align8;      /**< -f align8, ours: IPSEC_SA_AH_ALIGN8 */
    uint8_t           df_copy;     /**< -f df-copy, ours: IPSEC_SA_DF_COPY */
    uint32_t          spi, reqid;
    uint32_t          replay;      /**< -r, in bytes; 0: no replay check */
    uint32_t          hard_s, soft_s;
    uint64_t          hard_bytes, soft_bytes;
    uint16_t          encr, integ; /**< IPSEC_ENCR_*, IPSEC_INTEG_* */
    uint16_t          encr_key_len, integ_key_len;
    uint8_t           encr_key[SETKEY_KEY], integ_key[SETKEY_KEY];
    struct setkey_pos spi_at, alg_at;
};

/** spdadd, spdupdate, spddelete. */
struct setkey_policy {
    struct ipsec_selector sel;     /**< local is the source, as it was written;
                                    *   of `in` and `fwd` swap the two sides */
    uint16_t          icmp_type, icmp_code; /**< 0: any, as setkey has it */
    uint8_t           dir;         /**< enum setkey_dir */
    uint8_t           action;      /**< enum ipsec_action */
    uint8_t           layers;
    int64_t           priority;    /**< the highest is looked at first */
    struct setkey_layer layer[SETKEY_LAYERS]; /**< the innermost first */
};

struct setkey_command {
    struct setkey_pos at;
    uint8_t           verb;
    uint8_t           other;
    uint8_t           proto;       /**< of flush, dump: enum ipsec_proto or 0 */
    struct setkey_sa  sa;
    struct setkey_policy policy;
};

/** A text being read. Zero it, set the first three. */
struct setkey_reader {
    const char        *text;
    size_t             len;
    const char *const *more;       /**< words that are commands too, NULL at
                                    *   their end; or NULL */
    /* private */
    size_t             pos;
    struct setkey_pos  at;
    struct setkey_error *error;
};

/**
 * The next command.
 *
 * @return 1: in `cmd`; 0: there are no more; -1: `error` says why. An error
 *         ends the text.
 */
int setkey_read(struct setkey_reader *reader, struct setkey_command *cmd,
                struct setkey_error *error);

/* --- setkey_name.c: names and numbers */

/** An algorithm of -E (`integ` 0) or -A, as setkey names it. */
struct setkey_alg {
    const char *name;
    uint16_t    id;
    uint8_t     integ;
    uint8_t     key_min, key_max;  /**< bytes, salt included */
    uint8_t     step;
    uint8_t     aead;
};

/** By name; or NULL. */
const struct setkey_alg *setkey_alg_named(const char *name, int integ);

/** By number, under the name that is written; or NULL. */
const struct setkey_alg *setkey_alg_numbered(uint16_t id, int integ);

/** Why an algorithm that has no row is not to be had. */
const char *setkey_alg_refusal(const char *name);

/** Next layer protocol by name, or -1. */
int setkey_proto_number(const char *name);

/** Its name, or NULL. */
const char *setkey_proto_name(unsigned proto);

/** Parameters for ipsec_sad_add() out of what `add` said, but for what depends
 * on which side is ours, and for memory. */
void setkey_params(struct ipsec_sa_params *params, const struct setkey_sa *sa);

#endif
