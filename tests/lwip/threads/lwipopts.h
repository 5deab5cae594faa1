/* SPDX-License-Identifier: MIT */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

/* lwIP with threads, for main.c: with the core lock that applications take
 * (LAN_LOCK), or with messages to lwIP's thread alone; with LAN_BUMP it has no
 * port in it. */

#define NO_SYS                     0
#ifdef LAN_BUMP
#define LWIP_ETHERNET              1
#define LWIP_ARP                   1
#else
#define LWIP_HOOK_FILENAME         "ipsec_lwip_hooks.h"
#define LWIP_ETHERNET              0
#define LWIP_ARP                   0
#endif
#ifdef LAN_LOCK
#define LWIP_TCPIP_CORE_LOCKING    1
#define LWIP_TCPIP_CORE_LOCKING_INPUT 1
#define LOCK_TCPIP_CORE()          sys_lock_tcpip_core()
#define UNLOCK_TCPIP_CORE()        sys_unlock_tcpip_core()
void sys_lock_tcpip_core(void);
void sys_unlock_tcpip_core(void);
#else
#define LWIP_TCPIP_CORE_LOCKING    0
#endif
#define LWIP_ASSERT_CORE_LOCKED()  sys_check_core_locking()
#define LWIP_MARK_TCPIP_THREAD()   sys_mark_tcpip_thread()
void sys_check_core_locking(void);
void sys_mark_tcpip_thread(void);
typedef unsigned sys_prot_t;

#define SYS_LIGHTWEIGHT_PROT       1
#define LWIP_NETCONN               1
#define LWIP_SOCKET                0
#define LWIP_SO_RCVTIMEO           1
#define MEM_LIBC_MALLOC            1
#define MEMP_MEM_MALLOC            1
#define MEM_ALIGNMENT              8
#define LWIP_STATS                 0
#define LWIP_IPV4                  1
#define LWIP_IPV6                  1
#define LWIP_RAW                   1
#define LWIP_IPV6_MLD              0
#define LWIP_IPV6_AUTOCONFIG       0
#define IPV6_FRAG_COPYHEADER       1
#define LWIP_HAVE_LOOPIF           0
#define LWIP_ERRNO_STDINCLUDE      1
#define TCPIP_MBOX_SIZE            64
#define DEFAULT_UDP_RECVMBOX_SIZE  16
#define DEFAULT_RAW_RECVMBOX_SIZE  16
#define DEFAULT_TCP_RECVMBOX_SIZE  16
#define DEFAULT_ACCEPTMBOX_SIZE    16

#endif
