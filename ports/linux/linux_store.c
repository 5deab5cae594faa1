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

static int
digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f'
        ? c - 'a' + 10 : -1;
}

/* "ID NUMBER\n". 0, or -1: it is something else. */
static int
line_read(const char *line, uint8_t id[16], uint64_t *noted)
{
    char end;
    int i;

    for (i = 0; i < 16; i++) {
        if (digit(line[2 * i]) < 0 || digit(line[2 * i + 1]) < 0) {
            return -1;
        }
        id[i] = (uint8_t)(digit(line[2 * i]) << 4 | digit(line[2 * i + 1]));
    }
    return line[32] == ' ' && digit(line[33]) >= 0 &&
           sscanf(line + 33, "%" SCNu64 "%c", noted, &end) == 2 &&
           end == '\n' ? 0 : -1;
}

static int
file_read(struct ipsec_linux_store *store, FILE *f)
{
    struct ipsec_linux_number *number;
    char line[80];
    uint64_t noted;
    uint8_t id[16];
    int n = 0;

    while (fgets(line, sizeof line, f) != NULL) {
        n++;
        if (line[0] == '#') {
            continue;
        }
        if (line_read(line, id, &noted) != 0) {
            return n;
        }
        number = ipsec_linux_store_get(store, id);
        if (number == NULL) {
            return -1;
        }
        number->noted = noted > number->noted ? noted : number->noted;
    }
    store->dirty = 0;
    return ferror(f) ? -1 : 0;
}

/* The lock is a file of its own, for the other one is replaced. */
static int
lock(struct ipsec_linux_store *store)
{
    char name[NAME];

    snprintf(name, sizeof name, "%s.lock", store->path);
    store->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock < 0 || flock(store->lock, LOCK_EX | LOCK_NB) != 0) {
        return -1;
    }
    return 0;
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
    strcpy(store->path, path);
    if (lock(store) != 0) {
        return -1;
    }
    f = fopen(path, "re");
    if (f == NULL) {
        return errno == ENOENT ? 0 : -1;
    }
    rc = file_read(store, f);
    fclose(f);
    return rc;
}

static int
grow(struct ipsec_linux_store *store)
{
    size_t room = store->room * 2 + 16;
    void *more;

    if (store->len < store->room) {
        return 0;
    }
    more = realloc(store->number, room * sizeof store->number[0]);
    if (more == NULL) {
        return -1;
    }
    store->number = more;
    store->room = room;
    return 0;
}

/* see ipsec_linux.h */
struct ipsec_linux_number *
ipsec_linux_store_get(struct ipsec_linux_store *store, const uint8_t id[16])
{
    struct ipsec_linux_number *number;
    size_t i;

    for (i = 0; i < store->len; i++) {
        if (memcmp(store->number[i]->id, id, 16) == 0) {
            return store->number[i];
        }
    }
    number = calloc(1, sizeof *number);
    if (number == NULL || grow(store) != 0) {
        free(number);
        return NULL;
    }
    memcpy(number->id, id, 16);
    store->number[store->len++] = number;
    store->dirty = 1;
    return number;
}

static void
write_all(const struct ipsec_linux_store *store, FILE *f)
{
    size_t i, k;

    fputs("# sequence numbers of ipsecgw: never remove this while its keys "
          "are in use\n", f);
    for (i = 0; i < store->len; i++) {
        for (k = 0; k < 16; k++) {
            fprintf(f, "%02x", store->number[i]->id[k]);
        }
        fprintf(f, " %" PRIu64 "\n", store->number[i]->noted);
    }
}

/* A new name is on the disk when its folder is. */
static int
sync_folder(const char *path)
{
    char name[NAME];
    char *slash;
    int fd, rc;

    snprintf(name, sizeof name, "%s", path);
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

/* see ipsec_linux.h */
int
ipsec_linux_store_save(struct ipsec_linux_store *store)
{
    char name[NAME];
    int fd, bad;
    FILE *f;

    snprintf(name, sizeof name, "%s.new", store->path);
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -1;
    }
    f = fdopen(fd, "w");
    if (f == NULL) {
        close(fd);
        return -1;
    }
    write_all(store, f);
    bad = fflush(f) != 0 || ferror(f) || fsync(fd) != 0;
    bad = fclose(f) != 0 || bad;
    if (bad || rename(name, store->path) != 0 ||
        sync_folder(store->path) != 0) {
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
    if (store->lock >= 0) {
        close(store->lock);
    }
    memset(store, 0, sizeof *store);
    store->lock = -1;
}
