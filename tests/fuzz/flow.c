/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"

/* Selectors: seen from the other side, a packet's flow is the same with its
 * ends exchanged. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t *mem = malloc(len + 1);
    struct ipsec_flow out, in;
    struct ipsec_buf buf;
    int rc;

    CHECK(mem != NULL);
    memcpy(mem + 1, data, len); /* at an odd address, and not a byte more */
    buf.head = mem;
    buf.data = mem + 1;
    buf.end = buf.data + len;
    buf.len = len;
    rc = ipsec_flow_parse(&out, IPSEC_OUT, &buf);
    CHECK(ipsec_flow_parse(&in, IPSEC_IN, &buf) == rc);
    CHECK(rc == IPSEC_OK || rc == IPSEC_ERR_MALFORMED);
    if (rc == IPSEC_OK) {
        CHECK(memcmp(&out.local, &in.remote, sizeof out.local) == 0);
        CHECK(memcmp(&out.remote, &in.local, sizeof out.remote) == 0);
        CHECK(out.local_port == in.remote_port);
        CHECK(out.remote_port == in.local_port);
        CHECK(out.proto == in.proto && out.opaque == in.opaque);
        CHECK(!out.opaque || (out.local_port | out.remote_port) == 0);
    }
    free(mem);
    return 0;
}
