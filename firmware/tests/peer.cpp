#include "peer.h"

#include <unistd.h>

#ifdef ESP_PLATFORM
#include <lwip/sockets.h>
#else
#include <netinet/in.h>
#include <sys/socket.h>
#endif

#include "check.h"

Peer::Peer() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    const int small = 5760;
    setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&at), size) == 0 && listen(listener_, 4) == 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
}

Peer::~Peer() {
    hang_up();
    close(listener_);
}

void Peer::accept() { socket_ = ::accept(listener_, nullptr, nullptr); }

void Peer::hang_up() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
}

size_t Peer::read(uint8_t* to, size_t room) {
    const ssize_t came = recv(socket_, to, room, 0);
    return came > 0 ? static_cast<size_t>(came) : 0;
}

void Peer::write(const void* data, size_t count) {
    CHECK(::send(socket_, data, count, 0) == static_cast<ssize_t>(count));
}
