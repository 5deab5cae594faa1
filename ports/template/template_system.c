/* SPDX-License-Identifier: MIT */
#include "template.h"

/* Outbound SAs with reservations have a struct template_numbers as their
 * `user`, all others NULL. */

/* Nothing is made up where the generator fails: the call that needed it does,
 * and may be made again. */
int
template_random(void *user, void *buf, size_t len)
{
    (void)user;
    return hw_random(buf, len) == 0 ? 0 : -1;
}

/* Note first, use then. soft_seq is where the next one is written. */
static int
reserve(struct template_numbers *numbers, uint64_t from)
{
    uint64_t to = from + TEMPLATE_STEP;

    if (nvm_write(numbers->slot, to) != 0) {
        return -1;
    }
    numbers->life.soft_seq = to - TEMPLATE_STEP / 2;
    numbers->life.hard_seq = to;
    return 0;
}

/* What was reserved before the restart, used or not, is not used again. */
int
template_numbers_begin(struct template_numbers *numbers,
                       struct ipsec_sa_params *params)
{
    uint64_t from;

    numbers->due = 0;
    if (nvm_read(numbers->slot, &from) != 0 || reserve(numbers, from) != 0) {
        return -1;
    }
    params->seq = from;
    params->life = &numbers->life;
    return 0;
}

/* Only takes note: writing takes long, and this is within a packet's call.
 * REPLACE: a key daemon makes a new SA where `numbers` is NULL. */
void
template_event(void *user, struct ipsec_sa *sa, int event)
{
    struct template_numbers *numbers = sa->user;

    (void)user;
    if (event == IPSEC_EVENT_SOFT && numbers != NULL &&
        sa->seq >= numbers->life.soft_seq) {
        numbers->due = 1;
    }
}

/* A memory that fails is tried again, until hard_seq at most. */
uint32_t
template_poll(void)
{
    struct template_numbers *numbers;
    struct ipsec_sa *sa = NULL;

    while ((sa = ipsec_sad_next(&template_ips, sa)) != NULL) {
        numbers = sa->user;
        if (numbers != NULL && numbers->due) {
            numbers->due = reserve(numbers, numbers->life.hard_seq) != 0;
        }
    }
    return ipsec_tick(&template_ips, hw_seconds());
}
