/* SPDX-License-Identifier: MIT */
#ifndef EXAMPLES_SETKEY_INNER_H
#define EXAMPLES_SETKEY_INNER_H

#include "setkey.h"

/* setkey_token.c: words. Functions that can fail return 0, or -1 with an
 * error; the first error stays. */

enum setkey_kind { KIND_END, KIND_STOP, KIND_WORD, KIND_QUOTED };

#define SETKEY_WORD 160 /* most bytes of a word */

struct setkey_token {
    struct setkey_pos at;
    uint8_t           kind;
    size_t            len;
    char              text[SETKEY_WORD]; /* ends with a 0 */
};

int setkey_fail(struct setkey_reader *r, struct setkey_pos at,
                const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* The next, whatever it is; without moving on, the latter. */
int setkey_take(struct setkey_reader *r, struct setkey_token *t);
int setkey_peek(struct setkey_reader *r, struct setkey_token *t);

/* The next, which must be a word: `what` says which. */
int setkey_word(struct setkey_reader *r, struct setkey_token *t,
                const char *what);

/* The `;` behind a command. */
int setkey_stop(struct setkey_reader *r, const char *verb);

/* An address with its port, which may stand apart from it. */
int setkey_range_word(struct setkey_reader *r, struct setkey_token *t,
                      const char *what);

int setkey_is(const struct setkey_token *t, const char *word);

/* Its text for a message, which shows no key. */
const char *setkey_shown(const struct setkey_token *t);

/* The same token from byte `from` on, for a column within it. */
struct setkey_pos setkey_inside(const struct setkey_token *t, size_t from);

/* Numbers out of text: decimal, or with 0x. 0, or -1 without an error. */
int setkey_number(const char *text, uint64_t max, uint64_t *value);

/* A number as the next word. */
int setkey_number_word(struct setkey_reader *r, const char *what, uint64_t max,
                       uint64_t *value);

/* An address, numeric. */
int setkey_addr(struct setkey_reader *r, struct setkey_pos at,
                const char *text, struct ipsec_addr *addr);

/* address[port]: cuts `text` at the bracket. *port is -1 where there is none,
 * 0 for any. */
int setkey_port(struct setkey_reader *r, struct setkey_pos at, char *text,
                long *port);

/* setkey_sa.c, setkey_policy.c: what follows the verb. */
int setkey_read_sa(struct setkey_reader *r, struct setkey_command *cmd);
int setkey_read_policy(struct setkey_reader *r, struct setkey_command *cmd);

#endif
