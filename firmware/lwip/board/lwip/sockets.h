/* lwIP's own sockets.h under the names that a program for the board uses: espressif/esp-lwip's sockets.h (read at commit
   1641099, lwIP 2.1.x; its flags and options have the values of lwIP 2.1.3) has functions of these names that do nothing but
   call lwIP's. */
#pragma once

#include_next <lwip/sockets.h>

static inline int socket(int domain, int type, int protocol) { return lwip_socket(domain, type, protocol); }
static inline int connect(int fd, const struct sockaddr *to, socklen_t length) { return lwip_connect(fd, to, length); }
static inline int bind(int fd, const struct sockaddr *at, socklen_t length) { return lwip_bind(fd, at, length); }
static inline int listen(int fd, int backlog) { return lwip_listen(fd, backlog); }
static inline int shutdown(int fd, int how) { return lwip_shutdown(fd, how); }
static inline int accept(int fd, struct sockaddr *from, socklen_t *length) { return lwip_accept(fd, from, length); }
static inline int getsockname(int fd, struct sockaddr *at, socklen_t *length) {
    return lwip_getsockname(fd, at, length);
}
static inline int getsockopt(int fd, int level, int name, void *value, socklen_t *length) {
    return lwip_getsockopt(fd, level, name, value, length);
}
static inline int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
    return lwip_setsockopt(fd, level, name, value, length);
}
static inline ssize_t recv(int fd, void *to, size_t room, int flags) { return lwip_recv(fd, to, room, flags); }
static inline ssize_t send(int fd, const void *data, size_t count, int flags) {
    return lwip_send(fd, data, count, flags);
}
static inline ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    return lwip_sendmsg(fd, message, flags);
}
static inline ssize_t sendto(int fd, const void *data, size_t count, int flags, const struct sockaddr *to,
                             socklen_t length) {
    return lwip_sendto(fd, data, count, flags, to, length);
}
