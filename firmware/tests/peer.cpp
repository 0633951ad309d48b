#include "peer.h"

#include <unistd.h>

#ifdef ESP_PLATFORM
#include <lwip/sockets.h>
#else
#include <netinet/in.h>
#include <sys/socket.h>
#endif

#include "check.h"

namespace {

/// Binds to a free port of this machine alone; returns it.
uint16_t bind_any(int fd) {
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    CHECK(bind(fd, reinterpret_cast<sockaddr*>(&at), size) == 0);
    getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
    return ntohs(at.sin_port);
}

size_t receive(int fd, uint8_t* to, size_t room) {
    const ssize_t came = recv(fd, to, room, 0);
    return came > 0 ? static_cast<size_t>(came) : 0;
}

}  // namespace

Peer::Peer() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    const int small = 5760;
    setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    port = bind_any(listener_);
    CHECK(listen(listener_, 4) == 0);
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

void Peer::end() { shutdown(socket_, SHUT_RDWR); }

size_t Peer::read(uint8_t* to, size_t room) { return receive(socket_, to, room); }

void Peer::write(const void* data, size_t count) {
    CHECK(::send(socket_, data, count, 0) == static_cast<ssize_t>(count));
}

DatagramPeer::DatagramPeer() : socket_(socket(AF_INET, SOCK_DGRAM, 0)), port_(bind_any(socket_)) {}

DatagramPeer::~DatagramPeer() { close(socket_); }

size_t DatagramPeer::read(uint8_t* to, size_t room) { return receive(socket_, to, room); }
