/* SPDX-License-Identifier: MIT */
#include "inner.h"
#include "ipsec/netif.h"

#ifndef IPSEC_NO_FRAGMENTS

/*
 * Reassembly. A slot's memory:
 *
 *     headroom | IPSEC_REASS_HEADERS | payload | tailroom | bits
 *
 * Headers end where the payload begins. A bit for each 8 bytes of payload says
 * that they are there: so overlaps are seen exactly, in whatever order
 * fragments come, and nothing they say is ever a pointer or a list.
 */

#define UNIT 8u

#define ROOM_MAX (8192 * 65 / 8) /* for the longest, with its bits */

/* The last two are of a datagram that is under way. */
enum { SLOT_FREE, SLOT_LENT, SLOT_FILLING, SLOT_DEAD };

#define ECN 0x03u
#define ECN_CE 0x03u

/* A fragment, ... */
struct piece {
    struct ipsec_ip   ip;
    struct ipsec_flow flow;  /* local: source, remote: destination */
    const uint8_t    *p;     /* the packet */
    size_t            hdr;   /* headers that all fragments have */
    size_t            start; /* of its payload, in the packet */
    size_t            at;    /* ... and in the datagram, up to ... */
    size_t            end;
    size_t            len;
    unsigned          more;
    /* ... and where it goes: of its slot */
    size_t            room;    /* bytes of payload that it holds */
    uint8_t          *payload; /* ... of the datagram */
    uint8_t          *bits;
};

static int
piece_load(struct piece *piece, const struct ipsec_buf *buf)
{
    const uint8_t *p = buf->data;
    int rc = ipsec_ip_parse(&piece->ip, buf);
    uint16_t field;

    if (rc != IPSEC_OK || piece->ip.frag == FRAG_NONE) {
        return rc;
    }
    piece->p = p;
    if (!IS_IP6(piece->ip.version)) {
        field = get16(p + 6);
        piece->hdr = piece->start = piece->ip.off;
        piece->at = (size_t)(field & 0x1fffu) * UNIT;
        piece->more = field & 0x2000u;
    } else {
        field = get16(p + piece->ip.fh + 2);
        piece->hdr = piece->ip.fh;
        piece->start = piece->hdr + 8;
        piece->at = field & 0xfff8u;
        piece->more = field & 1u;
    }
    piece->len = piece->ip.len - piece->start;
    piece->end = piece->at + piece->len;
    ipsec_flow_fill(&piece->flow, IPSEC_OUT, &piece->ip, p);
    return IPSEC_OK;
}

/* Can it be part of any datagram? That IPv4's doesn't end beyond what one can
 * hold was seen by ipsec_ip4_parse(). */
static int
piece_check(const struct piece *piece)
{
    const struct ipsec_ip *ip = &piece->ip;

    if (piece->len == 0 || (piece->more && piece->len % UNIT != 0)) {
        return IPSEC_ERR_MALFORMED;
    }
    if (!IS_IP6(ip->version)) {
        return ipsec_ip4_intact(piece->p) ? IPSEC_OK : IPSEC_ERR_MALFORMED;
    }
    if (piece->hdr + piece->end - IP6_HDR > FRAG_END ||
        (piece->at == 0 && ipsec_chain_len(ip) > ip->len)) {
        return IPSEC_ERR_MALFORMED; /* RFC 8200 section 4.5, RFC 7112 */
    }
    return IPSEC_OK;
}

/* Where in the slot it goes: a unit of payload takes 8 bytes and a bit. */
static void
piece_place(const struct ipsec_reass *re, const struct ipsec_reass_slot *slot,
            struct piece *piece)
{
    size_t before = (size_t)re->headroom + IPSEC_REASS_HEADERS;
    size_t over = before + re->tailroom;
    size_t room = slot->size < over ? 0 : slot->size - over;
    size_t units = (room < ROOM_MAX ? room : ROOM_MAX) * 8 / 65;
    size_t map = (units + 7) / 8;

    piece->room = units * UNIT;
    piece->payload = slot->buf + before;
    piece->bits = slot->buf + slot->size - map;
    if (slot->have == 0) {
        memset(piece->bits, 0, map);
    }
}

/* Slots */

/* Both addresses, as they are at the beginning of a flow. */
static uint8_t *
addrs_of(struct ipsec_reass_slot *slot)
{
    return (uint8_t *)slot + offsetof(struct ipsec_reass_slot, src);
}

static int
is_of(struct ipsec_reass_slot *slot, const struct piece *piece)
{
    return slot->state >= SLOT_FILLING && slot->id == piece->ip.id &&
           (IS_IP6(piece->ip.version) || slot->proto == piece->ip.proto) &&
           memcmp(addrs_of(slot), &piece->flow, FLOW_ADDRS) == 0;
}

static int
is_from(const struct ipsec_reass_slot *slot, const struct ipsec_addr *src)
{
    return slot->state != SLOT_FREE && ipsec_addr_equal(&slot->src, src);
}

static void
slot_begin(const struct ipsec_reass *re, struct ipsec_reass_slot *slot,
           const struct piece *piece, uint32_t now)
{
    memcpy(addrs_of(slot), &piece->flow, FLOW_ADDRS);
    slot->id = piece->ip.id;
    slot->until = now + re->seconds;
    slot->total = slot->have = slot->top = slot->hdr = 0;
    slot->proto = piece->ip.proto;
    slot->ecn = 0;
    slot->state = SLOT_FILLING;
}

/* The oldest that is not lent; of `src` alone unless that is NULL. A free one
 * is older than all. */
static struct ipsec_reass_slot *
slot_oldest(const struct ipsec_reass *re, const struct ipsec_addr *src)
{
    struct ipsec_reass_slot *slot = re->slot, *best = NULL;
    size_t n = re->len;

    for (; n > 0; n--, slot++) {
        if (src != NULL && !is_from(slot, src)) {
            continue;
        }
        if (slot->state == SLOT_FREE) {
            return slot;
        }
        if (slot->state != SLOT_LENT &&
            (best == NULL || (int32_t)(slot->until - best->until) < 0)) {
            best = slot;
        }
    }
    return best;
}

/* The slot of its datagram, or one for a new datagram; NULL: all are lent. */
static struct ipsec_reass_slot *
slot_for(struct ipsec_reass *re, const struct piece *piece, uint32_t now)
{
    const struct ipsec_addr *src = &piece->flow.local;
    struct ipsec_reass_slot *slot = re->slot;
    size_t n = re->len, taken = 0;

    for (; n > 0; n--, slot++) {
        if (is_of(slot, piece)) {
            return slot;
        }
        if (is_from(slot, src)) {
            taken++;
        }
    }
    /* half of them is as much as a source may have */
    slot = slot_oldest(re, taken > 0 && 2 * taken >= re->len ? src : NULL);
    if (slot != NULL) {
        re->evicted += slot->state == SLOT_FILLING;
        slot_begin(re, slot, piece, now);
    }
    return slot;
}

/* One fragment more */

/* Mark the units from `from` up to `to`. How many were there? */
static size_t
bits_mark(uint8_t *bits, size_t from, size_t to)
{
    size_t n = 0;
    unsigned bit;

    for (; from < to; from++) {
        bit = 1u << (from % 8);
        n += (bits[from / 8] & bit) != 0;
        bits[from / 8] |= (uint8_t)bit;
    }
    return n;
}

/* What this says about where the datagram ends: is it at odds with others? */
static int
is_end_wrong(const struct ipsec_reass_slot *slot, const struct piece *piece)
{
    if (slot->total != 0) {
        return piece->more ? piece->end >= slot->total
                           : piece->end != slot->total;
    }
    return !piece->more && piece->end < slot->top;
}

/* Is it there already? IPSEC_OK: no part of it, and it is marked as there;
 * IPSEC_CONSUMED: it is; or IPSEC_ERR_MALFORMED: at odds with what is. */
static int
overlap_check(const struct ipsec_reass_slot *slot, const struct piece *piece)
{
    size_t from = piece->at / UNIT, to = (piece->end + UNIT - 1) / UNIT;
    size_t n = bits_mark(piece->bits, from, to);

    if (n == 0) {
        return IPSEC_OK;
    }
    if (n < to - from || (!piece->more && slot->total == 0) ||
        memcmp(piece->payload + piece->at, piece->p + piece->start,
               piece->len) != 0) {
        return IPSEC_ERR_MALFORMED;
    }
    return IPSEC_CONSUMED;
}

/* The first fragment's headers are the datagram's. */
static void
headers_copy(struct ipsec_reass_slot *slot, const struct piece *piece)
{
    uint8_t *to = piece->payload - piece->hdr;

    memcpy(to, piece->p, piece->hdr);
    if (IS_IP6(piece->ip.version)) {
        to[piece->ip.fh_nh] = piece->p[piece->ip.fh];
    }
    slot->hdr = (uint16_t)piece->hdr;
}

static void
piece_copy(struct ipsec_reass_slot *slot, const struct piece *piece)
{
    size_t end = piece->end;

    memcpy(piece->payload + piece->at, piece->p + piece->start, piece->len);
    slot->have = (uint16_t)(slot->have + piece->len);
    slot->top = (uint16_t)(end > slot->top ? end : slot->top);
    if (!piece->more) {
        slot->total = (uint16_t)end;
    }
    if (piece->at == 0) {
        headers_copy(slot, piece);
    }
}

static int
piece_add(struct ipsec_reass *re, struct ipsec_reass_slot *slot,
          struct piece *piece)
{
    int rc;

    piece_place(re, slot, piece);
    if (piece->end > piece->room ||
        (piece->at == 0 && piece->hdr > IPSEC_REASS_HEADERS)) {
        re->malformed++;
        return IPSEC_ERR_MALFORMED;
    }
    rc = is_end_wrong(slot, piece) ? IPSEC_ERR_MALFORMED
                                   : overlap_check(slot, piece);
    if (rc != IPSEC_OK) {
        re->overlaps += rc < 0;
        return rc;
    }
    slot->ecn |= (uint8_t)(1u << (piece->ip.tos & ECN));
    if ((slot->ecn & 1u) && slot->ecn != 1u) {
        re->malformed++;
        return IPSEC_ERR_ECN;
    }
    piece_copy(slot, piece);
    return IPSEC_OK;
}

/* All is there: one header for it, RFC 3168 section 5.3. */
static int
datagram_end(struct ipsec_reass *re, struct ipsec_reass_slot *slot,
             const struct piece *piece, struct ipsec_buf *buf)
{
    size_t len = (size_t)slot->hdr + slot->total, most = FRAG_END;
    uint8_t *p = piece->payload - slot->hdr;
    uint8_t ce = slot->ecn >> ECN_CE ? ECN_CE : 0;

    if (!IS_IP6(piece->ip.version)) {
        p[6] &= 0xc0; /* neither MF nor offset */
        p[7] = 0;
    } else {
        ce = (uint8_t)(ce << 4);
        most += IP6_HDR;
    }
    if (len > most) {
        re->malformed++; /* the first has longer headers than the last */
        return IPSEC_ERR_MALFORMED;
    }
    p[1] |= ce;
    ipsec_ip_resize(p, len, 6, p[6]); /* what is next in it stays */
    buf->head = slot->buf;
    buf->data = p;
    buf->end = slot->buf + slot->size;
    buf->len = len;
    slot->state = SLOT_LENT;
    re->datagrams++;
    return IPSEC_OK;
}

/* see netif.h */
int
ipsec_reass(struct ipsec_reass *re, struct ipsec_buf *buf, uint32_t now)
{
    struct ipsec_reass_slot *slot;
    struct piece piece;
    int rc = piece_load(&piece, buf);

    if (rc == IPSEC_OK && piece.ip.frag == FRAG_NONE) {
        return rc;
    }
    ipsec_reass_tick(re, now);
    if (rc != IPSEC_OK || piece_check(&piece) != IPSEC_OK) {
        re->malformed++;
        return IPSEC_ERR_MALFORMED;
    }
    slot = slot_for(re, &piece, now);
    if (slot == NULL) {
        return IPSEC_ERR_BUSY;
    }
    if (slot->state == SLOT_DEAD) {
        return IPSEC_ERR_MALFORMED;
    }
    rc = piece_add(re, slot, &piece);
    if (rc == IPSEC_OK) {
        rc = slot->hdr == 0 || slot->have != slot->total
            ? IPSEC_CONSUMED : datagram_end(re, slot, &piece, buf);
    }
    if (rc < 0) {
        slot->state = SLOT_DEAD; /* with all that comes of it: RFC 5722 */
    }
    return rc;
}

/* see netif.h */
void
ipsec_reass_release(struct ipsec_reass *re, const uint8_t *head)
{
    struct ipsec_reass_slot *slot = re->slot;
    size_t n = re->len;

    for (; n > 0; n--, slot++) {
        if (slot->state == SLOT_LENT && slot->buf == head) {
            slot->state = SLOT_FREE;
        }
    }
}

/* see netif.h */
void
ipsec_reass_tick(struct ipsec_reass *re, uint32_t now)
{
    struct ipsec_reass_slot *slot = re->slot;
    size_t n = re->len;

    for (; n > 0; n--, slot++) {
        if (slot->state >= SLOT_FILLING &&
            (int32_t)(now - slot->until) >= 0) {
            re->timeouts += slot->state == SLOT_FILLING;
            slot->state = SLOT_FREE;
        }
    }
}

#else

/* see netif.h */
int
ipsec_reass(struct ipsec_reass *re, struct ipsec_buf *buf, uint32_t now)
{
    (void)re;
    (void)buf;
    (void)now;
    return IPSEC_ERR_UNSUPPORTED;
}

/* see netif.h */
void
ipsec_reass_release(struct ipsec_reass *re, const uint8_t *head)
{
    (void)re;
    (void)head;
}

/* see netif.h */
void
ipsec_reass_tick(struct ipsec_reass *re, uint32_t now)
{
    (void)re;
    (void)now;
}

#endif
