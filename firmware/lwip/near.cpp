#include <lwip/sockets.h>

#include "relay.h"

namespace near {

namespace {

int bound(int type, uint16_t port) {
    const int fd = socket(AF_INET, type, 0);
    sockaddr_in at = {};
    at.sin_len = sizeof at;
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return lwip_bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 ? fd : -1;
}

}  // namespace

int listen(uint16_t port) {
    const int fd = bound(SOCK_STREAM, port);
    lwip_listen(fd, 4);
    return fd;
}

int accept(int listener) { return lwip_accept(listener, nullptr, nullptr); }

int bind_datagrams(uint16_t port) { return bound(SOCK_DGRAM, port); }

long receive(int fd, uint8_t* to, size_t room) { return lwip_recv(fd, to, room, 0); }

bool send_all(int fd, const uint8_t* data, size_t count) {
    // A blocking socket takes all of it, or fails.
    return lwip_send(fd, data, count, 0) == static_cast<ssize_t>(count);
}

void end(int fd) { lwip_shutdown(fd, SHUT_RDWR); }

void close(int fd) { lwip_close(fd); }

}  // namespace near
