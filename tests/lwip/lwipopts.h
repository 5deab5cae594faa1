/* SPDX-License-Identifier: MIT */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

/*
 * lwIP for the tests, in four kinds: LAN_HOST has both families, LAN_IP4 and
 * LAN_IP6 one; LAN_GATEWAY forwards. What else differs between them is to see
 * that it makes no difference. LAN_BUMP has no port in it, and forwards.
 */

#ifdef LAN_BUMP
#define LWIP_HOOK_FILENAME    "lan_hooks.h"
#endif
#ifndef LWIP_HOOK_FILENAME /* refuse.sh names another */
#define LWIP_HOOK_FILENAME    "ipsec_lwip_hooks.h"
#endif

/* For the runs without the port, which cuts by itself. */
#define IP_FRAG               1
#define LWIP_IPV6_FRAG        1

#define NO_SYS                1
#define SYS_LIGHTWEIGHT_PROT  0
#define LWIP_NETCONN          0
#define LWIP_SOCKET           0
#define MEMP_MEM_MALLOC       1
#ifdef LAN_LIBC /* all from lan_malloc() etc., as 2.1 has it, and 2.2 */
#define MEM_LIBC_MALLOC       1
#define mem_clib_malloc       lan_malloc
#define mem_clib_calloc       lan_calloc
#define mem_clib_free         lan_free
#else
#define MEM_CUSTOM_ALLOCATOR  1
#define MEM_CUSTOM_MALLOC     lan_malloc
#define MEM_CUSTOM_CALLOC     lan_calloc
#define MEM_CUSTOM_FREE       lan_free
#endif
#define MEM_ALIGNMENT         8
#define LWIP_STATS            0

#ifdef LAN_IP6
#define LWIP_IPV4             0
#endif
#ifdef LAN_IP4
#define LWIP_IPV6             0
#else
#define LWIP_IPV6             1
#endif
#define LWIP_ARP              LWIP_IPV4
#define LWIP_ETHERNET         1
#define LWIP_RAW              1
#define LWIP_ICMP             LWIP_IPV4
#define LWIP_IGMP             LWIP_IPV4
#define LWIP_IPV6_MLD         LWIP_IPV6
#define LWIP_IPV6_AUTOCONFIG  0
#define LWIP_MULTICAST_PING   1
#define LWIP_SINGLE_NETIF     0

/* Neither must ever be reached. */
#define IP_REASSEMBLY         1
#define LWIP_IPV6_REASS       LWIP_IPV6
#define IPV6_FRAG_COPYHEADER  1

#define ARP_QUEUEING          1
#define ARP_QUEUE_LEN         16

#define TCP_MSS               1460
#define TCP_WND               (8 * TCP_MSS)
#define TCP_SND_BUF           (8 * TCP_MSS)
#define TCP_QUEUE_OOSEQ       1

#ifdef LAN_HOST
#define LWIP_NETIF_LOOPBACK   1
#define LWIP_HAVE_LOOPIF      1
#define LWIP_NETIF_HWADDRHINT 1
#endif

#if defined(LAN_GATEWAY) || defined(LAN_BUMP)
#define ETH_PAD_SIZE          2
#define IP_FORWARD            1
#define LWIP_IPV6_FORWARD     1
#define LWIP_ND6_ALLOW_RA_UPDATES 0
#define LWIP_NETIF_TX_SINGLE_PBUF 1
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#endif

#ifdef LAN_IP4
#define ETH_PAD_SIZE          2
#define LWIP_DHCP             1
#endif

#endif
