/* lwIP with the board's numbers. Those are of esp-idf's components/lwip/port/esp32/include/lwipopts.h (4.4) and of the
   sdkconfig.h that arduino-esp32 2.0.17 and 3.0.4 bring along; what must differ on this machine says so. */
#ifndef FRIDGECAM_LWIPOPTS_H
#define FRIDGECAM_LWIPOPTS_H

/* As on the board, lwIP takes the C library's fd_set and flags, and not its own. */
#include <fcntl.h>
#include <sys/select.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
/* Here it has `struct iovec` too, which lwIP takes only when this is a macro. */
#define iovec iovec

#define NO_SYS 0
#define SYS_LIGHTWEIGHT_PROT 1
#define LWIP_TCPIP_CORE_LOCKING 0
#define LWIP_COMPAT_MUTEX 1
#define LWIP_COMPAT_MUTEX_ALLOWED 1
#define LWIP_NETCONN_FULLDUPLEX 1
#define LWIP_NETCONN_SEM_PER_THREAD 1
#define LWIP_NETCONN_THREAD_SEM_GET() thread_semaphore()
#define LWIP_NETCONN_THREAD_SEM_ALLOC() thread_semaphore()
#define LWIP_NETCONN_THREAD_SEM_FREE()

/* Memory comes from malloc, as on the board. Pointers are twice as long here. */
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8

#define LWIP_SOCKET 1
#define LWIP_NETCONN 1
#define LWIP_COMPAT_SOCKETS 0
#define LWIP_POSIX_SOCKETS_IO_NAMES 0
#define LWIP_SOCKET_SELECT 1
#define LWIP_TIMEVAL_PRIVATE 0
#define MEMP_NUM_NETCONN 16
#define LWIP_SOCKET_OFFSET (FD_SETSIZE - MEMP_NUM_NETCONN)
#define LWIP_SO_SNDTIMEO 1
#define LWIP_SO_RCVTIMEO 1
#define LWIP_SO_RCVBUF 1
#define SO_REUSE 1
#define LWIP_TCP_KEEPALIVE 1

#define TCP_MSS 1436
#define TCP_SND_BUF 5760
#define TCP_WND 5760
#define TCP_QUEUE_OOSEQ 1
#define TCP_OVERSIZE TCP_MSS
#define TCP_MAXRTX 12
#define TCP_SYNMAXRTX 6
#define TCP_TMR_INTERVAL 250
#define TCP_MSL 60000
#define TCP_LISTEN_BACKLOG 1
#define LWIP_TCP_RTO_TIME 3000
#define LWIP_WND_SCALE 0
#define CHECKSUM_CHECK_IP 0
#define CHECKSUM_CHECK_UDP 0
#define LWIP_NETIF_TX_SINGLE_PBUF 1

#define TCPIP_MBOX_SIZE 32
#define DEFAULT_TCP_RECVMBOX_SIZE 6
#define DEFAULT_UDP_RECVMBOX_SIZE 6
#define DEFAULT_RAW_RECVMBOX_SIZE 6
#define DEFAULT_ACCEPTMBOX_SIZE 6

#define LWIP_IPV4 1
#define LWIP_IPV6 1
/* Pointers again. */
#define IPV6_FRAG_COPYHEADER 1
#define LWIP_RAW 1
#define LWIP_DNS 1
#define DNS_MAX_SERVERS 3
#define LWIP_DNS_SUPPORT_MDNS_QUERIES 1

/* Both ends of every connection are in this process: packets go out through the loopback interface and come in again
   there. The board has no such traffic; its limit of eight packets would lose some here. */
#define LWIP_ARP 0
#define LWIP_ETHERNET 0
#define LWIP_HAVE_LOOPIF 1
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_NETIF_LOOPBACK_MULTITHREADING 1
#define LWIP_LOOPBACK_MAX_PBUFS 0

/* Lets a test lose packets. */
struct pbuf;
struct netif;
#ifdef __cplusplus
extern "C"
#endif
int line_takes(struct pbuf *packet, struct netif *from);
#define LWIP_HOOK_IP4_INPUT(packet, from) line_takes(packet, from)

#endif
