/*
 * lwIP on the metal: a host with both families and all its memory in static
 * pools.
 * SPDX-License-Identifier: MIT
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define LWIP_HOOK_FILENAME "ipsec_lwip_hooks.h"
#define IP_FRAG               1
#define LWIP_IPV6_FRAG        1

#define NO_SYS                1
#define SYS_LIGHTWEIGHT_PROT  0
#define LWIP_NETCONN          0
#define LWIP_SOCKET           0

/* Pools of its own: there is no malloc() here. */
#define MEM_LIBC_MALLOC       0
#define MEMP_MEM_MALLOC       0
#define MEM_ALIGNMENT         8
#define MEM_SIZE              (256 * 1024)
#define PBUF_POOL_SIZE        64
#define PBUF_POOL_BUFSIZE     1536
#define MEMP_NUM_PBUF         64
#define MEMP_NUM_RAW_PCB      6
#define MEMP_NUM_FRAG_PBUF    32
#define MEMP_NUM_SYS_TIMEOUT  16
#define ETH_PAD_SIZE          2

#define LWIP_IPV4             1
#define LWIP_IPV6             1
#define LWIP_ARP              1
#define LWIP_ETHERNET         1
#define LWIP_ICMP             1
#define LWIP_ICMP6            1
#define LWIP_RAW              1
#define LWIP_IGMP             1
#define LWIP_IPV6_MLD         1
#define LWIP_UDP              1
#define LWIP_TCP              1
#define LWIP_DHCP             0
#define LWIP_AUTOIP           0
#define LWIP_DNS              0
#define LWIP_IPV6_AUTOCONFIG  0

/* The port has a reassembly of its own. */
#define IP_REASSEMBLY         0
#define LWIP_IPV6_REASS       0

#define ARP_QUEUEING          1
#define ARP_QUEUE_LEN         16
#define MEMP_NUM_ARP_QUEUE    32

#define TCP_MSS               1460
/* No more than the controller's FIFO takes at once. */
#define TCP_WND               (4 * TCP_MSS)
#define TCP_SND_BUF           (8 * TCP_MSS)
#define TCP_SND_QUEUELEN      (4 * TCP_SND_BUF / TCP_MSS)
#define MEMP_NUM_TCP_SEG      64

#define LWIP_STATS            1
#define MEM_STATS             1
#define MEMP_STATS            1
#define LWIP_STATS_DISPLAY    0

#endif
