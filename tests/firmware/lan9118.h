/*
 * SMSC's LAN9118 Ethernet controller, polled.
 * SPDX-License-Identifier: MIT
 */
#ifndef LAN9118_H
#define LAN9118_H

#include <stddef.h>
#include <stdint.h>

#define LAN9118_FRAME_MAX 1514
#define LAN9118_PAD       2 /* ahead of a frame: aligns what follows its 14
                             * bytes of Ethernet header */

/** 0; or -1: there is none. */
int lan9118_open(const uint8_t mac[6]);

/** A frame came: LAN9118_PAD bytes and then it, in a buffer that is valid
 * until the next call; or NULL. `len` counts the frame alone. */
const uint8_t *lan9118_receive(size_t *len);

/** Send a frame, which begins LAN9118_PAD bytes into `buf` (aligned to 4).
 * 0; or -1: no room. */
int lan9118_send(const void *buf, size_t len);

#endif
