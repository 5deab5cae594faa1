/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ipsec_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME 240
#define END  "# end "
#define HASH UINT64_C(0xcbf29ce484222325)

static int
digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f'
        ? c - 'a' + 10 : -1;
}

/* FNV-1a: the file ends with that of all before its last line, for a file that
 * was cut off, or has rotted, would give numbers out again. */
static uint64_t
hash_add(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* "ID NUMBER\n". 0, or -1: it is something else. */
static int
line_read(const char *line, uint8_t id[16], uint64_t *noted)
{
    char *end;
    size_t i;

    for (i = 0; i < 16; i++) {
        if (digit(line[2 * i]) < 0 || digit(line[2 * i + 1]) < 0) {
            return -1;
        }
        id[i] = (uint8_t)(digit(line[2 * i]) << 4 | digit(line[2 * i + 1]));
    }
    if (line[32] != ' ' || line[33] < '0' || line[33] > '9') {
        return -1;
    }
    errno = 0;
    *noted = strtoull(line + 33, &end, 10);
    return errno == 0 && strcmp(end, "\n") == 0 ? 0 : -1;
}

static int
number_read(struct ipsec_linux_store *store, const char *line)
{
    struct ipsec_linux_number *number;
    uint64_t noted;
    uint8_t id[16];

    if (line_read(line, id, &noted) != 0) {
        return 1;
    }
    number = ipsec_linux_store_get(store, id);
    if (number == NULL) {
        return -1;
    }
    number->noted = noted > number->noted ? noted : number->noted;
    return 0;
}

static int
file_read(struct ipsec_linux_store *store, FILE *f)
{
    char line[80], last[80] = "";
    uint64_t hash = HASH;
    int n = 0, rc = 0;

    while (rc == 0 && fgets(line, sizeof line, f) != NULL) {
        n++;
        if (last[0] != '\0') {
            return n; /* behind the end */
        }
        if (strncmp(line, END, strlen(END)) == 0) {
            (void)snprintf(last, sizeof last, END "%016" PRIx64 "\n", hash);
            rc = strcmp(line, last) != 0;
        } else if (line[0] != '#') {
            rc = number_read(store, line);
        }
        hash = hash_add(hash, line);
    }
    if (rc != 0 || ferror(f)) {
        return rc > 0 ? n : -1;
    }
    store->dirty = 0;
    return last[0] != '\0' ? 0 : n + 1;
}

/* Its name, or that of a file beside it: 0, or -1 with errno. */
static int
name_set(char name[NAME], const char *path, const char *end)
{
    int n = snprintf(name, NAME, "%s%s", path, end);

    if (n < 0 || n >= NAME) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}

/* The lock is a file of its own, for the other one is replaced. */
static int
lock(struct ipsec_linux_store *store)
{
    char name[NAME];

    if (name_set(name, store->path, ".lock") != 0) {
        return -1;
    }
    store->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock < 0 || flock(store->lock, LOCK_EX | LOCK_NB) != 0) {
        return -1;
    }
    return 0;
}

/* A file of ours is a regular one, and is there itself: what is renamed would
 * take the place of a link, and two names would be two files. */
static FILE *
open_to_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    FILE *f;

    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        errno = EINVAL;
        return NULL;
    }
    f = fdopen(fd, "r");
    if (f == NULL) {
        close(fd);
    }
    return f;
}

/* see ipsec_linux.h */
int
ipsec_linux_store_open(struct ipsec_linux_store *store, const char *path)
{
    FILE *f;
    int rc;

    store->lock = -1;
    if (strlen(path) >= sizeof store->path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(store->path, path, strlen(path) + 1);
    if (lock(store) != 0) {
        return -1;
    }
    f = open_to_read(path);
    if (f == NULL) {
        return errno == ENOENT ? 0 : -1;
    }
    rc = file_read(store, f);
    (void)fclose(f); /* it was only read */
    return rc;
}

/* Its place in the table, or where it would be: identifiers are hashes. */
static size_t *
place(const struct ipsec_linux_store *store, const uint8_t id[16])
{
    size_t i = 0, k, mask = 2 * store->room - 1;

    for (k = 0; k < sizeof i; k++) {
        i = i << 8 | id[k];
    }
    for (i &= mask; store->table[i] != 0; i = (i + 1) & mask) {
        if (memcmp(store->number[store->table[i] - 1]->id, id, 16) == 0) {
            break;
        }
    }
    return &store->table[i];
}

static int
grow(struct ipsec_linux_store *store)
{
    size_t room = store->room == 0 ? 16 : store->room * 2, i;
    size_t *table;
    void *more;

    if (store->len < store->room) {
        return 0;
    }
    more = realloc(store->number, room * sizeof(void *));
    if (more == NULL) {
        return -1;
    }
    store->number = more;
    table = calloc(2 * room, sizeof *table);
    if (table == NULL) {
        return -1;
    }
    free(store->table);
    store->table = table;
    store->room = room;
    for (i = 0; i < store->len; i++) {
        *place(store, store->number[i]->id) = i + 1;
    }
    return 0;
}

/* see ipsec_linux.h */
struct ipsec_linux_number *
ipsec_linux_store_get(struct ipsec_linux_store *store, const uint8_t id[16])
{
    struct ipsec_linux_number *number;
    size_t *at = store->len > 0 ? place(store, id) : NULL;

    if (at != NULL && *at != 0) {
        return store->number[*at - 1];
    }
    number = calloc(1, sizeof *number);
    if (number == NULL || grow(store) != 0) {
        free(number);
        return NULL;
    }
    memcpy(number->id, id, 16);
    store->number[store->len++] = number;
    *place(store, id) = store->len;
    store->dirty = 1;
    return number;
}

static int
line_write(FILE *f, uint64_t *hash, const char *line)
{
    *hash = hash_add(*hash, line);
    return fputs(line, f) < 0 ? -1 : 0;
}

static int
write_all(const struct ipsec_linux_store *store, FILE *f)
{
    uint64_t hash = HASH;
    char line[80];
    size_t i, k;
    int rc;

    rc = line_write(f, &hash, "# sequence numbers of ipsecgw: never remove "
                    "this while its keys are in use\n");
    for (i = 0; i < store->len; i++) {
        for (k = 0; k < 16; k++) {
            (void)snprintf(line + 2 * k, 3, "%02x", store->number[i]->id[k]);
        }
        (void)snprintf(line + 32, sizeof line - 32, " %" PRIu64 "\n",
                       store->number[i]->noted);
        rc |= line_write(f, &hash, line);
    }
    (void)snprintf(line, sizeof line, END "%016" PRIx64 "\n", hash);
    return rc | line_write(f, &hash, line);
}

/* A new name is on the disk when its folder is. */
static int
sync_folder(const char *path)
{
    char name[NAME];
    char *slash;
    int fd, rc;

    if (name_set(name, path, "") != 0) {
        return -1;
    }
    slash = strrchr(name, '/');
    if (slash != NULL) {
        slash[1] = '\0';
    }
    fd = open(slash != NULL ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    rc = fsync(fd);
    close(fd);
    return rc;
}

/* All of it to the disk, and the file closed. */
static int
file_write(const struct ipsec_linux_store *store, int fd)
{
    FILE *f = fdopen(fd, "w");
    int bad, error;

    if (f == NULL) {
        error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    bad = write_all(store, f) != 0 || fflush(f) != 0 || fsync(fd) != 0;
    error = errno;
    if (fclose(f) != 0 && !bad) {
        return -1;
    }
    errno = error;
    return bad ? -1 : 0;
}

/* see ipsec_linux.h */
int
ipsec_linux_store_save(struct ipsec_linux_store *store)
{
    char name[NAME];
    int fd, error;

    if (name_set(name, store->path, ".new") != 0) {
        return -1;
    }
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
              0600);
    if (fd < 0) {
        return -1;
    }
    if (file_write(store, fd) != 0) {
        error = errno;
        (void)unlink(name); /* a disk that is full has better use for it */
        errno = error;
        return -1;
    }
    if (rename(name, store->path) != 0 || sync_folder(store->path) != 0) {
        return -1;
    }
    store->dirty = 0;
    return 0;
}

/* see ipsec_linux.h */
void
ipsec_linux_store_close(struct ipsec_linux_store *store)
{
    size_t i;

    for (i = 0; i < store->len; i++) {
        free(store->number[i]);
    }
    free(store->number);
    free(store->table);
    if (store->lock >= 0) {
        close(store->lock);
    }
    memset(store, 0, sizeof *store);
    store->lock = -1;
}
