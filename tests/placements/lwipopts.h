/* SPDX-License-Identifier: MIT */
#ifndef PLACEMENTS_LWIPOPTS_H
#define PLACEMENTS_LWIPOPTS_H

/*
 * lwIP as the examples have it, but that it forwards, takes datagrams of
 * 65,000 bytes and, with PLACE_BUMP, knows nothing of IPsec.
 */
#include "../../examples/host/lwipopts.h"

#undef LWIP_HOOK_FILENAME
#define LWIP_HOOK_FILENAME "lwip_hooks.h"

#define IP_FORWARD         1
#define LWIP_IPV6_FORWARD  1

#undef IP_REASS_MAX_PBUFS
#define IP_REASS_MAX_PBUFS 128
#define IPSEC_LWIP_PIECES  64 /* of the native port */

#endif
