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
    strcpy(at->sun_path, path);
    return 0;
}

/* A socket that nobody answers on was left behind. */
static int
is_in_use(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? -1
        : connect(fd, (const struct sockaddr *)at, sizeof *at);

    if (fd >= 0) {
        close(fd);
    }
    return rc == 0;
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
    char text[200];

    c->listener = listen_at(c->socket);
    if (c->listener >= 0) {
        return 0;
    }
    snprintf(text, sizeof text, "%s: %s", c->socket, strerror(errno));
    context_report(c, text);
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
    text_free(&out);
    one->answered = 1;
}

static void
client_read(struct context *c, struct client *one)
{
    char some[4096];
    ssize_t n = read(one->fd, some, sizeof some - 1);

    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            client_end(one);
        }
        return;
    }
    if (n == 0) {
        answer(c, one);
        return;
    }
    some[n] = '\0';
    if (memchr(some, 0, (size_t)n) != NULL || one->in.len > ASKED_MAX) {
        client_end(one); /* neither is a text of ours */
    } else {
        text_add(&one->in, "%s", some);
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

static void
client_accept(struct context *c)
{
    int fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    size_t i;

    for (i = 0; fd >= 0 && i < GATEWAY_CLIENTS; i++) {
        if (c->client[i].fd < 0) {
            c->client[i].fd = fd;
            return;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
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
        if (one->answered) {
            client_write(one);
        } else {
            client_read(c, one);
        }
    }
    if (n > 0 && fds[0].revents != 0) {
        client_accept(c);
    }
}

/* --- the other end */

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
        send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text) ||
        shutdown(fd, SHUT_WR) != 0) {
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
        fprintf(stderr, "ipsecgw: no answer\n");
        return 1;
    }
    if (strcmp(line, "ok\n") != 0) {
        fputs(line, stderr);
        return 1;
    }
    while (fgets(line, sizeof line, f) != NULL) {
        fputs(line, stdout);
    }
    fflush(stdout);
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
            fprintf(stderr, "%s: %s\n", path, strerror(errno));
            return 1;
        }
        if (every_second) {
            fputs("\033[H\033[2J", stdout);
        }
        rc = ask_print(f);
        fclose(f);
    } while (rc == 0 && every_second && sleep(1) == 0);
    return rc;
}
