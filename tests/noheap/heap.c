/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "ipsec/sad.h"

/*
 * The demo's heap, which is there for set-up only: from the moment that an
 * interface is up, malloc() and the others abort, but while an SA is added or
 * removed: an engine may have memory of its own for its keys (mbedTLS 2.28
 * has, for AES-GCM). Linked with --wrap; see run.sh.
 */

static union {
    uint8_t     byte[1 << 20];
    long double align;
} arena;
static size_t used;
static int closed, setting_up;

static void
check(const char *what)
{
    if (closed && !setting_up) {
        (void)!write(2, what, strlen(what));
        (void)!write(2, " after set-up\n", 14);
        abort();
    }
}

/* Nothing is used twice; each block is behind its length. */
static void *
take(size_t len)
{
    size_t whole = (len + 31) / 16 * 16;
    uint8_t *p = arena.byte + used;

    if (len > sizeof arena || whole > sizeof arena - used) {
        return NULL;
    }
    used += whole;
    memcpy(p, &len, sizeof len);
    return p + 16;
}

void *
malloc(size_t len)
{
    check("malloc");
    return take(len);
}

void *
calloc(size_t n, size_t len)
{
    check("calloc");
    return len != 0 && n > SIZE_MAX / len ? NULL : take(n * len);
}

void *
realloc(void *old, size_t len)
{
    size_t had = 0;
    void *p;

    check("realloc");
    p = take(len);
    if (p != NULL && old != NULL) {
        memcpy(&had, (uint8_t *)old - 16, sizeof had);
        memcpy(p, old, had < len ? had : len);
    }
    return p;
}

void
free(void *p)
{
    if (p != NULL) {
        check("free");
    }
}

/* --------------------------------------------- when it is there, and not */

void __real_host_up(struct host *host);
void __wrap_host_up(struct host *host);
void __real_host_close(struct host *host);
void __wrap_host_close(struct host *host);
int  __real_ipsec_sad_add(struct ipsec *ips, struct ipsec_sa *sa,
                          const struct ipsec_sa_params *params);
int  __wrap_ipsec_sad_add(struct ipsec *ips, struct ipsec_sa *sa,
                          const struct ipsec_sa_params *params);
int  __real_ipsec_sad_remove(struct ipsec *ips, struct ipsec_sa *sa);
int  __wrap_ipsec_sad_remove(struct ipsec *ips, struct ipsec_sa *sa);

void
__wrap_host_up(struct host *host)
{
    closed = 1;
    __real_host_up(host);
}

void
__wrap_host_close(struct host *host)
{
    closed = 0;
    __real_host_close(host);
}

int
__wrap_ipsec_sad_add(struct ipsec *ips, struct ipsec_sa *sa,
                     const struct ipsec_sa_params *params)
{
    int rc;

    setting_up++;
    rc = __real_ipsec_sad_add(ips, sa, params);
    setting_up--;
    return rc;
}

int
__wrap_ipsec_sad_remove(struct ipsec *ips, struct ipsec_sa *sa)
{
    int rc;

    setting_up++;
    rc = __real_ipsec_sad_remove(ips, sa);
    setting_up--;
    return rc;
}
