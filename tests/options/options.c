/* SPDX-License-Identifier: MIT */
#include "inner.h"
#include "ipsec_mbedtls.h"

#include <stdio.h>
#include <stdlib.h>

/* Print the transform IDs that this build has; complain where the core and
 * ports/mbedtls do not agree. See run.sh. */

static int wrong;

/* Is there a length of key with which these can be had? */
static int
has(uint16_t encr, uint16_t integ, uint16_t integ_len)
{
    struct ipsec_keymat km = { 0 };
    struct ipsec_alg alg;
    int core, port, any = 0;

    km.encr = encr;
    km.integ = integ;
    km.integ_key_len = integ_len;
    for (; km.encr_key_len < 64; km.encr_key_len++) {
        core = ipsec_alg_find(&alg, &km) == IPSEC_OK;
        port = ipsec_mbedtls.key_size(&ipsec_mbedtls, &km) > 0;
        if (core != port) {
            printf("%u/%u: core %d, port %d\n", encr, integ, core, port);
            wrong = 1;
        }
        any |= core;
    }
    return any;
}

int
main(void)
{
    static const uint8_t integ_len[] = { 0, 16, 20, 16, 16, 16, 16, 16, 16, 20,
                                         28, 36, 32, 48, 64 };
    uint16_t id;

    for (id = 0; id < 64; id++) {
        if (has(id, IPSEC_INTEG_NONE, 0) ||
            has(id, IPSEC_INTEG_HMAC_SHA2_256_128, 32)) {
            printf("%u ", id);
        }
    }
    printf("/");
    for (id = 0; id < sizeof integ_len; id++) {
        if (has(IPSEC_ENCR_NULL, id, integ_len[id])) {
            printf(" %u", id);
        }
    }
    printf("\n");
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
