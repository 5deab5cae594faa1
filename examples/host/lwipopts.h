/*
 * lwIP as the examples configure it: a host with both families, no
 * operating system and an IPsec boundary around its network interface.
 * SPDX-License-Identifier: MIT
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

/* ------------------------------------------------- what IPsec asks for */

/* Every packet that comes in is shown to ports/lwip before lwIP acts on it. */
#define LWIP_HOOK_FILENAME "ipsec_lwip_hooks.h"

/* The port fragments what has grown too long for the link. */
#define IP_FRAG               1
#define LWIP_IPV6_FRAG        1

/* What an Ethernet carries: the port lowers it to what fits a tunnel, where
 * there is one, in the options of each SYN. */
#define TCP_MSS               1460

/* ------------------------------------------------------ the environment */

#define NO_SYS                1 /* one loop, no threads: see host_poll() */
#define SYS_LIGHTWEIGHT_PROT  0
#define LWIP_NETCONN          0
#define LWIP_SOCKET           0

/* From malloc(), so that a sanitizer sees every pbuf's end. A product has
 * its pools here, as tests/noheap does; libipsec itself needs none. */
#ifdef HOST_POOLS
#define MEM_LIBC_MALLOC       0
#define MEMP_MEM_MALLOC       0
#define MEM_SIZE              (256 * 1024)
#define MEMP_NUM_PBUF         256
#define PBUF_POOL_SIZE        256
#define MEMP_NUM_REASSDATA    16
#define MEMP_NUM_FRAG_PBUF    64
#define MEMP_NUM_ARP_QUEUE    64
#else
#define MEM_LIBC_MALLOC       1
#define MEMP_MEM_MALLOC       1
#endif
#define MEM_ALIGNMENT         8

/* Two bytes ahead of each frame align the IP header behind 14 bytes of
 * Ethernet, as a driver with DMA would do it. */
#define ETH_PAD_SIZE          2

/* ---------------------------------------------------------- protocols */

#define LWIP_IPV4             1
#define LWIP_IPV6             1
#define LWIP_ARP              1
#define LWIP_ETHERNET         1
#define LWIP_ICMP             1
#define LWIP_ICMP6            1
#define LWIP_RAW              1 /* the examples ping */
#define LWIP_IGMP             1
#define LWIP_IPV6_MLD         1
#define LWIP_UDP              1
#define LWIP_TCP              1
#define LWIP_DHCP             0
#define LWIP_AUTOIP           0
#define LWIP_DNS              0
#define LWIP_IPV6_AUTOCONFIG  0

/* For an interface without IPsec: the port has a reassembly of its own. */
#define IP_REASSEMBLY         1
#define IP_REASS_MAX_PBUFS    64
#define LWIP_IPV6_REASS       1
#define IPV6_FRAG_COPYHEADER  1 /* pointers don't fit a fragment header */

/* All fragments of a datagram wait for the neighbour's address, not only
 * the last one. */
#define ARP_QUEUEING          1
#define ARP_QUEUE_LEN         64

#define TCP_WND               (16 * TCP_MSS)
#define TCP_SND_BUF           (16 * TCP_MSS)
#define TCP_SND_QUEUELEN      (4 * TCP_SND_BUF / TCP_MSS)
#define MEMP_NUM_TCP_SEG      TCP_SND_QUEUELEN
#define TCP_QUEUE_OOSEQ       1

/* Counters, and room for a program's own. */
#define LWIP_STATS            1
#define LWIP_STATS_DISPLAY    0
#define LWIP_NETIF_HOSTNAME   0
#define LWIP_NETIF_STATUS_CALLBACK 0
#define LWIP_SINGLE_NETIF     0

/* ------------------------------------------- the demo's web server */

#define LWIP_HTTPD_CUSTOM_FILES   1 /* pages made by the program */
#define LWIP_HTTPD_DYNAMIC_HEADERS 1

#endif
