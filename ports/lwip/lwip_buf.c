/* SPDX-License-Identifier: MIT */
#include "lwip_inner.h"

#include "lwip/mem.h"

/* Between pbufs and the library's contiguous buffers. */

/* see lwip_inner.h */
void
ipsec_lwip_view(struct ipsec_buf *buf, const struct pbuf *p)
{
    buf->head = buf->data = p->payload;
    buf->len = p->len;
    buf->end = buf->data + p->len;
}

/* see lwip_inner.h */
struct pbuf *
ipsec_lwip_alloc(struct ipsec_buf *buf, size_t len, size_t head, size_t tail)
{
    size_t front = LWIP_MEM_ALIGN_SIZE((size_t)PBUF_LINK + head);
    size_t size = front + len + tail;
    struct pbuf *p;

    p = size <= UINT16_MAX ? pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_RAM) : NULL;
    if (p == NULL) {
        return NULL;
    }
    buf->data = (u8_t *)p->payload + front;
    buf->head = buf->data - head;
    buf->len = len;
    buf->end = buf->data + len + tail;
    ipsec_lwip_fit(p, buf);
    return p;
}

/* see lwip_inner.h */
struct pbuf *
ipsec_lwip_copy(struct ipsec_buf *buf, const struct pbuf *p, size_t head,
                size_t tail)
{
    struct pbuf *q = ipsec_lwip_alloc(buf, p->tot_len, head, tail);

    if (q != NULL) {
        (void)pbuf_copy_partial(p, buf->data, p->tot_len, 0);
        q->flags = (u8_t)(p->flags & (PBUF_FLAG_LLBCAST | PBUF_FLAG_LLMCAST));
        q->if_idx = p->if_idx;
    }
    return q;
}

/* see lwip_inner.h */
void
ipsec_lwip_fit(struct pbuf *p, const struct ipsec_buf *buf)
{
    p->payload = buf->data;
    p->len = p->tot_len = (u16_t)buf->len;
}
