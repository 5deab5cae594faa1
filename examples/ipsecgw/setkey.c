/* SPDX-License-Identifier: MIT */
#include "setkey_inner.h"

#include <string.h>

static const struct {
    const char *word;
    uint8_t     verb;
} verbs[] = {
    { "add", SETKEY_ADD }, { "get", SETKEY_GET }, { "delete", SETKEY_DELETE },
    { "deleteall", SETKEY_DELETEALL }, { "flush", SETKEY_FLUSH },
    { "dump", SETKEY_DUMP }, { "spdadd", SETKEY_SPDADD },
    { "spdupdate", SETKEY_SPDUPDATE }, { "spddelete", SETKEY_SPDDELETE },
    { "spdflush", SETKEY_SPDFLUSH }, { "spddump", SETKEY_SPDDUMP },
    { "exit", SETKEY_EXIT }, { "quit", SETKEY_EXIT }, { "bye", SETKEY_EXIT },
};

static int
find_verb(const struct setkey_reader *r, const struct setkey_token *t,
          struct setkey_command *cmd)
{
    size_t i;

    for (i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (setkey_is(t, verbs[i].word)) {
            cmd->verb = verbs[i].verb;
            return 0;
        }
    }
    for (i = 0; r->more != NULL && r->more[i] != NULL; i++) {
        if (setkey_is(t, r->more[i])) {
            cmd->verb = SETKEY_OTHER;
            cmd->other = (uint8_t)i;
            return 0;
        }
    }
    return -1;
}

/* -4, -6, -n: of names that are to be looked up, and there are none. */
static int
skip_address_options(struct setkey_reader *r)
{
    struct setkey_token t;

    for (;;) {
        if (setkey_peek(r, &t) != 0) {
            return -1;
        }
        if (t.kind != KIND_WORD || t.text[0] != '-' ||
            t.text[1] == '\0' || strspn(t.text + 1, "n46") != t.len - 1) {
            return 0;
        }
        (void)setkey_take(r, &t);
    }
}

/* flush and dump may name a protocol. */
static int
read_filter(struct setkey_reader *r, struct setkey_command *cmd)
{
    struct setkey_token t;

    if (setkey_peek(r, &t) != 0) {
        return -1;
    }
    if (setkey_is(&t, "esp") || setkey_is(&t, "esp-udp")) {
        cmd->proto = IPSEC_PROTO_ESP;
    } else if (setkey_is(&t, "ah")) {
        cmd->proto = IPSEC_PROTO_AH;
    } else if (t.kind == KIND_WORD) {
        return setkey_fail(r, t.at, "'%.40s' is not esp or ah",
                           setkey_shown(&t));
    } else {
        return 0;
    }
    return setkey_take(r, &t);
}

static int
read_arguments(struct setkey_reader *r, struct setkey_command *cmd)
{
    switch (cmd->verb) {
    case SETKEY_ADD:
    case SETKEY_GET:
    case SETKEY_DELETE:
    case SETKEY_DELETEALL:
        return skip_address_options(r) != 0 ? -1 : setkey_read_sa(r, cmd);
    case SETKEY_SPDADD:
    case SETKEY_SPDUPDATE:
    case SETKEY_SPDDELETE:
        return skip_address_options(r) != 0 ? -1 : setkey_read_policy(r, cmd);
    case SETKEY_FLUSH:
    case SETKEY_DUMP:
        return read_filter(r, cmd);
    default:
        return 0;
    }
}

static int
read_command(struct setkey_reader *r, struct setkey_command *cmd)
{
    struct setkey_token t;

    if (setkey_take(r, &t) != 0) {
        return -1;
    }
    if (t.kind == KIND_END) {
        return 0;
    }
    cmd->at = t.at;
    if (setkey_is(&t, "getspi")) {
        return setkey_fail(r, t.at, "getspi: there is no key exchange");
    }
    if (find_verb(r, &t, cmd) != 0) {
        return setkey_fail(r, t.at, t.kind == KIND_STOP
                           ? "expected a command before ';'%s"
                           : "'%.40s' is no command", setkey_shown(&t));
    }
    return read_arguments(r, cmd) == 0 && setkey_stop(r, t.text) == 0 ? 1 : -1;
}

int
setkey_read(struct setkey_reader *reader, struct setkey_command *cmd,
            struct setkey_error *error)
{
    int rc;

    memset(cmd, 0, sizeof *cmd);
    memset(error, 0, sizeof *error);
    reader->error = error;
    if (reader->at.line == 0) {
        reader->at.line = reader->at.column = 1;
    }
    rc = read_command(reader, cmd);
    if (rc < 0 || (rc == 1 && cmd->verb == SETKEY_EXIT)) {
        reader->pos = reader->len; /* nothing behind it counts */
    }
    return rc;
}
