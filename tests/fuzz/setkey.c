/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"
#include "setkey.h"

/* Texts in setkey(8)'s language, as a file or a control socket brings them. */

static void
check_error(const struct setkey_error *error, const uint8_t *data, size_t len)
{
    unsigned lines = 1;
    size_t i;

    for (i = 0; i < len; i++) {
        lines += data[i] == '\n';
    }
    CHECK(memchr(error->text, 0, sizeof error->text) != NULL);
    CHECK(error->text[0] != '\0');
    CHECK(error->at.line >= 1 && error->at.line <= lines);
    CHECK(error->at.column >= 1 && error->at.column <= len + 1);
}

static void
check_command(const struct setkey_command *cmd)
{
    const struct setkey_policy *p = &cmd->policy;

    CHECK(cmd->verb <= SETKEY_OTHER);
    CHECK(cmd->sa.encr_key_len <= SETKEY_KEY);
    CHECK(cmd->sa.integ_key_len <= SETKEY_KEY);
    CHECK(cmd->verb != SETKEY_ADD || cmd->sa.spi > 255);
    CHECK(p->layers <= SETKEY_LAYERS);
    CHECK(p->layers == 0 || p->action == IPSEC_ACTION_PROTECT);
    CHECK(p->sel.local.bits <= (p->sel.version == 4 ? 32 : 128));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const more[] = { "stats", NULL };
    static struct setkey_command cmd;
    struct setkey_error error;
    struct setkey_reader r;
    int rc;

    memset(&r, 0, sizeof r);
    r.text = (const char *)data;
    r.len = len;
    r.more = more;
    while ((rc = setkey_read(&r, &cmd, &error)) == 1) {
        check_command(&cmd);
    }
    if (rc < 0) {
        check_error(&error, data, len);
    }
    CHECK(setkey_read(&r, &cmd, &error) == 0);
    return 0;
}
