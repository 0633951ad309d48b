// Stub for type checks: lwIP's BSD sockets. Where its types differ from a host's, they are lwIP's here.
#pragma once

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/select.h>
#include <sys/uio.h>

typedef uint8_t sa_family_t;
typedef uint32_t socklen_t;

struct sockaddr {
    uint8_t sa_len;
    sa_family_t sa_family;
    char sa_data[14];
};

struct msghdr {
    void* msg_name;
    socklen_t msg_namelen;
    struct iovec* msg_iov;
    int msg_iovlen;
    void* msg_control;
    socklen_t msg_controllen;
    int msg_flags;
};

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOL_SOCKET 0xfff
#define SO_KEEPALIVE 0x0008
#define SO_ERROR 0x1007
#define IPPROTO_TCP 6
#define TCP_NODELAY 0x01

// All of them, with lwIP's values: one that is left out here hides that lwIP refuses it.
#define MSG_PEEK 0x01
#define MSG_WAITALL 0x02
#define MSG_OOB 0x04
#define MSG_DONTWAIT 0x08
#define MSG_MORE 0x10
#define MSG_NOSIGNAL 0x20

int socket(int domain, int type, int protocol);
int connect(int socket, const struct sockaddr* to, socklen_t length);
int getsockopt(int socket, int level, int name, void* value, socklen_t* length);
int setsockopt(int socket, int level, int name, const void* value, socklen_t length);
ssize_t recv(int socket, void* to, size_t room, int flags);
ssize_t sendmsg(int socket, const struct msghdr* message, int flags);
ssize_t sendto(int socket, const void* data, size_t count, int flags, const struct sockaddr* to, socklen_t length);
