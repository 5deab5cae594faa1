/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "gateway.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * A client sends its commands and shuts its side down. The answer begins with
 * "ok" or "error LINE:COLUMN: reason" on a line of its own; then comes what the
 * commands print. Who may open the socket may do all: its mode is 0600.
 */

#define ASKED_MAX (1u << 20)

static int
address_set(struct sockaddr_un *at, const char *path)
{
    memset(at, 0, sizeof *at);
    at->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof at->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(at->sun_path, path, strlen(path));
    return 0;
}

/* A socket that nobody answers on was left behind. What isn't a socket isn't
 * ours to remove. */
static int
is_in_use(const struct sockaddr_un *at)
{
    struct stat st;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? -1
        : connect(fd, (const struct sockaddr *)at, sizeof *at);

    if (fd >= 0) {
        close(fd);
    }
    return rc == 0 || (lstat(at->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode));
}

static int
listen_at(const char *path)
{
    struct sockaddr_un at;
    mode_t mask;
    int fd, rc;

    if (address_set(&at, path) != 0) {
        return -1;
    }
    if (is_in_use(&at)) {
        errno = EADDRINUSE;
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    (void)unlink(path);
    mask = umask(0177);
    rc = bind(fd, (struct sockaddr *)&at, sizeof at);
    umask(mask);
    if (rc != 0 || listen(fd, GATEWAY_CLIENTS) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int
control_open(struct context *c)
{
    c->listener = listen_at(c->socket);
    if (c->listener >= 0) {
        return 0;
    }
    context_report(c, "%s: %s", c->socket, strerror(errno));
    return -1;
}

static void
client_end(struct client *one)
{
    close(one->fd);
    text_free(&one->in);
    text_free(&one->out);
    memset(one, 0, sizeof *one);
    one->fd = -1;
}

void
control_close(struct context *c)
{
    size_t i;

    for (i = 0; i < GATEWAY_CLIENTS; i++) {
        if (c->client[i].fd >= 0) {
            client_end(&c->client[i]);
        }
    }
    if (c->listener >= 0) {
        close(c->listener);
        (void)unlink(c->socket);
    }
    c->listener = -1;
}

/* --- who asks */

static void
refuse_text(struct client *one, const char *why)
{
    text_add(&one->out, "error 1:1: %s\n", why);
    one->answered = 1;
}

static void
answer(struct context *c, struct client *one)
{
    struct setkey_command *cmds = NULL;
    struct setkey_error error;
    struct text out;
    size_t n = 0;
    int rc;

    memset(&out, 0, sizeof out);
    gateway_addresses(c->gateway);
    rc = load_text(one->in.text != NULL ? one->in.text : "", one->in.len,
                   &cmds, &n, &error);
    if (rc == 0) {
        rc = base_apply(&c->base, cmds, n, &out, &error);
        load_free(cmds, n);
    }
    if (rc != 0) {
        text_add(&one->out, "error %u:%u: %s\n", error.at.line,
                 error.at.column, error.text);
    } else {
        text_add(&one->out, "ok\n%s", out.text != NULL ? out.text : "");
    }
    if (one->out.failed || out.failed) {
        text_free(&one->out); /* better none than half of it */
    }
    text_free(&out);
    one->answered = 1;
}

/* Who has hung up will not say the rest. */
static void
client_read(struct context *c, struct client *one, int hung_up)
{
    char some[4096];
    ssize_t n = read(one->fd, some, sizeof some - 1);

    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            client_end(one);
        }
        return;
    }
    if (n == 0 && hung_up) {
        client_end(one);
        return;
    }
    if (n == 0) {
        answer(c, one);
        return;
    }
    some[n] = '\0';
    if (memchr(some, 0, (size_t)n) != NULL) {
        refuse_text(one, "a control character (0)");
    } else if (one->in.len + (size_t)n > ASKED_MAX) {
        refuse_text(one, "more than a megabyte: take a file");
    } else {
        text_add(&one->in, "%s", some);
        if (one->in.failed) {
            refuse_text(one, "no memory");
        }
    }
    explicit_bzero(some, sizeof some);
}

static void
client_write(struct client *one)
{
    ssize_t n = send(one->fd, one->out.text + one->sent,
                     one->out.len - one->sent, MSG_NOSIGNAL);

    if (n > 0) {
        one->sent += (size_t)n;
    }
    if (one->sent == one->out.len || (n < 0 && errno != EAGAIN &&
                                      errno != EINTR)) {
        client_end(one);
    }
}

/* Where there is no room, who has been silent longest makes it. */
static void
client_accept(struct context *c)
{
    int fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct client *one = &c->client[0];
    size_t i;

    if (fd < 0) {
        return;
    }
    for (i = 1; i < GATEWAY_CLIENTS && one->fd >= 0; i++) {
        if (c->client[i].fd < 0 ||
            c->turns - c->client[i].heard > c->turns - one->heard) {
            one = &c->client[i];
        }
    }
    if (one->fd >= 0) {
        client_end(one);
    }
    one->fd = fd;
    one->heard = ++c->turns;
}

/* At most 1 + GATEWAY_CLIENTS of `fds`. */
size_t
control_poll_set(struct context *c, struct pollfd *fds)
{
    size_t i, n = 0;

    if (c->listener < 0) {
        return 0;
    }
    fds[n].fd = c->listener;
    fds[n++].events = POLLIN;
    for (i = 0; i < GATEWAY_CLIENTS; i++) {
        fds[n].fd = c->client[i].fd;
        fds[n++].events = c->client[i].answered ? POLLOUT : POLLIN;
    }
    return n;
}

void
control_poll(struct context *c, const struct pollfd *fds, size_t n)
{
    size_t i;

    for (i = 1; i < n; i++) {
        struct client *one = &c->client[i - 1];

        if (fds[i].fd < 0 || fds[i].revents == 0) {
            continue;
        }
        one->heard = ++c->turns;
        if (one->answered) {
            client_write(one);
        } else {
            client_read(c, one, (fds[i].revents & POLLHUP) != 0);
        }
    }
    if (n > 0 && fds[0].revents != 0) {
        client_accept(c);
    }
}

/* --- the other end */

/* What is refused before all of it is sent has an answer, too. */
static int
ask_send(int fd, const char *text)
{
    size_t at = 0, len = strlen(text);
    ssize_t n;

    while (at < len) {
        n = send(fd, text + at, len - at, MSG_NOSIGNAL);
        if (n < 0) {
            return errno == EPIPE || errno == ECONNRESET ? 0 : -1;
        }
        at += (size_t)n;
    }
    return shutdown(fd, SHUT_WR);
}

static int
ask_open(const char *path, const char *text)
{
    struct sockaddr_un at;
    int fd;

    if (address_set(&at, path) != 0) {
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        ask_send(fd, text) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

/* The first line says how it went, and goes to stderr if badly. */
static int
ask_print(FILE *f)
{
    char line[4096];

    if (fgets(line, sizeof line, f) == NULL) {
        tell("ipsecgw: no answer\n");
        return 1;
    }
    if (strcmp(line, "ok\n") != 0) {
        tell("%s", line);
        return 1;
    }
    while (fgets(line, sizeof line, f) != NULL) {
        if (fputs(line, stdout) < 0) {
            break;
        }
    }
    if (ferror(f) || ferror(stdout) || fflush(stdout) != 0) {
        tell("ipsecgw: %s: %s\n", ferror(f) ? "the answer" : "standard output",
             strerror(errno));
        return 1;
    }
    return 0;
}

int
control_ask(const char *path, const char *text, int every_second)
{
    FILE *f;
    int fd, rc;

    do {
        fd = ask_open(path, text);
        f = fd < 0 ? NULL : fdopen(fd, "r");
        if (f == NULL) {
            tell("%s: %s\n", path, strerror(errno));
            return 1;
        }
        if (every_second) {
            (void)fputs("\033[H\033[2J", stdout); /* ask_print() finds out */
        }
        rc = ask_print(f);
        (void)fclose(f); /* it was only read */
    } while (rc == 0 && every_second && sleep(1) == 0);
    return rc;
}
