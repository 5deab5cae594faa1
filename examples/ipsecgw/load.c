/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (16u << 20)

const char *const gateway_words[] = { "stats", "table", "esp_sa", "dumpkeys",
                                      "mtu", NULL };

void
load_free(struct setkey_command *cmds, size_t n)
{
    if (cmds != NULL) {
        explicit_bzero(cmds, n * sizeof *cmds);
    }
    free(cmds);
}

/* Room for one more; what is left behind has keys in it. */
static struct setkey_command *
grow(struct setkey_command *cmds, size_t n)
{
    struct setkey_command *more = malloc((n * 2 + 1) * sizeof *cmds);

    if (more != NULL && n > 0) {
        memcpy(more, cmds, n * sizeof *cmds);
    }
    load_free(cmds, n);
    return more;
}

int
load_text(const char *text, size_t len, struct setkey_command **cmds,
          size_t *n, struct setkey_error *error)
{
    struct setkey_command *list = NULL;
    struct setkey_reader r;
    size_t count = 0, room = 0;
    int rc;

    memset(&r, 0, sizeof r);
    r.text = text;
    r.len = len;
    r.more = gateway_words;
    do {
        if (count == room) {
            list = grow(list, count);
            room = count * 2 + 1;
        }
        if (list == NULL) {
            memset(error, 0, sizeof *error);
            memcpy(error->text, "no memory", sizeof "no memory");
            return -1;
        }
        rc = setkey_read(&r, &list[count], error);
        count += rc == 1;
    } while (rc == 1 && list[count - 1].verb != SETKEY_EXIT);
    if (rc < 0) {
        load_free(list, room);
        return -1;
    }
    *cmds = list;
    *n = count;
    return 0;
}

static int
has_keys(const struct setkey_command *cmds, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (cmds[i].verb == SETKEY_ADD) {
            return 1;
        }
    }
    return 0;
}

/* The whole of it; NULL with errno. */
static char *
file_text(FILE *f, const struct stat *st)
{
    size_t len = (size_t)st->st_size;
    char *text;

    if (!S_ISREG(st->st_mode) || st->st_size > (off_t)FILE_MAX) {
        errno = S_ISREG(st->st_mode) ? EFBIG : EINVAL;
        return NULL;
    }
    text = malloc(len + 1);
    if (text != NULL && fread(text, 1, len, f) != len) {
        errno = ferror(f) ? errno : EIO; /* it was cut off meanwhile */
        explicit_bzero(text, len);
        free(text);
        text = NULL;
    }
    return text;
}

static int
text_check(const char *path, const char *text, const struct stat *st,
           struct setkey_command **cmds, size_t *n)
{
    struct setkey_error error;

    if (load_text(text, (size_t)st->st_size, cmds, n, &error) != 0) {
        tell("%s:%u:%u: %s\n", path, error.at.line, error.at.column,
             error.text);
        return -1;
    }
    if (has_keys(*cmds, *n) && (st->st_mode & S_IRWXO) != 0) {
        tell("%s: has keys in it, and its mode %03o is for everybody: chmod "
             "600 %s\n", path, (unsigned)st->st_mode & 0777, path);
        load_free(*cmds, *n);
        return -1;
    }
    return 0;
}

/* A pipe would be waited for, with signals held back. */
static FILE *
file_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

    if (fd >= 0 && f == NULL) {
        close(fd);
    }
    return f;
}

int
load_file(const char *path, struct setkey_command **cmds, size_t *n)
{
    FILE *f = file_open(path);
    struct stat st;
    char *text = NULL;
    int rc = -1;

    if (f != NULL && fstat(fileno(f), &st) == 0) {
        text = file_text(f, &st);
    }
    if (text == NULL) {
        tell("%s: %s\n", path, strerror(errno));
    } else {
        rc = text_check(path, text, &st, cmds, n);
        explicit_bzero(text, (size_t)st.st_size);
    }
    free(text);
    if (f != NULL) {
        (void)fclose(f); /* it was only read */
    }
    return rc;
}
