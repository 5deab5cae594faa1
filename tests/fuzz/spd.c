/* SPDX-License-Identifier: MIT */
#include "fuzz/shared/site.h"

/* Policies come and go, and flows are looked up, as the input says, 16 bytes
 * a step: in a list and in an index, which must agree. */

#define POLICIES 32

static struct ipsec_policy in_list[POLICIES], in_index[POLICIES];

static void
policy_read(struct ipsec_policy *p, const uint8_t *b)
{
    struct ipsec_selector *s = &p->sel;

    memset(p, 0, sizeof *p);
    s->version = b[1] & 2 ? 6 : b[1] & 1 ? 4 : 0;
    s->local.bits = (uint8_t)(b[2] % 34);
    s->remote.bits = (uint8_t)(b[3] % 34);
    s->local.byte[0] = b[4] & 3;
    s->local.byte[3] = b[4] >> 6;
    s->remote.byte[0] = b[5] & 3;
    s->remote.byte[3] = b[5] >> 6;
    s->proto = (uint8_t)(b[6] & 1 ? 17 : b[6] & 2 ? 135 : 0);
    s->set = b[6] >> 2 & 15;
    s->spd_id = b[6] >> 7;
    s->local_port_lo = b[7] & 3;
    s->local_port_hi = b[7] >> 2 & 3;
    s->remote_port_lo = b[8] & 3;
    s->remote_port_hi = b[8] >> 2 & 3;
    if (b[8] & 128) {
        s->remote_port_lo = 65535;
        s->remote_port_hi = 0;
    }
    p->dir = (uint8_t)(b[9] % 3 + 1);
    p->priority = b[10];
    p->pfp = b[12] & 1 ? b[12] >> 1 & 31 : 0;
    p->action = p->pfp ? IPSEC_ACTION_PROTECT : IPSEC_ACTION_BYPASS;
}

static void
flow_read(struct ipsec_flow *f, const uint8_t *b)
{
    memset(f, 0, sizeof *f);
    f->local.version = f->remote.version = b[1] & 2 ? 6 : 4;
    f->local.byte[0] = b[4] & 3;
    f->local.byte[3] = b[4] >> 6;
    f->remote.byte[0] = b[5] & 3;
    f->remote.byte[3] = b[5] >> 6;
    f->proto = b[6] & 1 ? 17 : 135;
    f->spd_id = b[6] >> 7;
    f->opaque = b[6] >> 6 & 1 ? IPSEC_OPAQUE_PORTS : 0;
    if (b[11] & 1) {
        f->opaque = IPSEC_OPAQUE_PORTS | IPSEC_OPAQUE_PROTO;
    }
    f->local_port = b[7] & 3;
    f->remote_port = b[8] & 3;
}

/* What a policy narrows to is found by its packet. */
static void
narrow_check(struct ipsec *ips, const struct ipsec_policy *p, int dir,
             const struct ipsec_flow *flow)
{
    struct ipsec_policy narrow;
    int rc = ipsec_spd_narrow(&narrow, p, flow);

    CHECK(rc == IPSEC_OK || (rc == IPSEC_ERR_SELECTOR && p->pfp != 0));
    if (rc == IPSEC_OK && narrow.priority > 0) {
        narrow.priority--;
        narrow.reqid = 1;
        CHECK(ipsec_spd_add(ips, &narrow) == IPSEC_OK);
        CHECK(ipsec_spd_lookup(ips, dir, flow) == &narrow);
        ipsec_spd_remove(ips, &narrow);
    }
}

static void
step(struct ipsec *list, struct ipsec *index, const uint8_t *b)
{
    size_t i = b[0] >> 2 & (POLICIES - 1);
    const struct ipsec_policy *p, *q;
    struct ipsec_flow flow;
    int dir = b[9] & 1 ? IPSEC_IN : IPSEC_OUT;

    if ((b[0] & 3) == 0) {
        ipsec_spd_remove(list, &in_list[i]);
        ipsec_spd_remove(index, &in_index[i]);
    } else if ((b[0] & 3) == 1 && !in_list[i].linked) {
        policy_read(&in_list[i], b);
        in_index[i] = in_list[i];
        CHECK(ipsec_spd_add(list, &in_list[i]) ==
              ipsec_spd_add(index, &in_index[i]));
    }
    flow_read(&flow, b);
    p = ipsec_spd_lookup(list, dir, &flow);
    q = ipsec_spd_lookup(index, dir, &flow);
    CHECK((p == NULL) == (q == NULL));
    CHECK(p == NULL || p - in_list == q - in_index);
    if (p != NULL) {
        narrow_check(list, p, dir, &flow);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct ipsec_policy *bucket[4];
    static struct ipsec_tuple tuple[3];
    static struct site list, other;
    struct ipsec_spd_index index;

    site_init(&list);
    site_init(&other);
    memset(&index, 0, sizeof index);
    index.bucket = bucket;
    index.bucket_len = 4;
    index.tuple = tuple;
    index.tuple_len = 3;
    other.cfg.spd = &index;
    CHECK(ipsec_init(&other.ips, &other.cfg) == IPSEC_OK);
    memset(in_list, 0, sizeof in_list);
    memset(in_index, 0, sizeof in_index);
    for (; len >= 16; len -= 16, data += 16) {
        step(&list.ips, &other.ips, data);
    }
    return 0;
}
