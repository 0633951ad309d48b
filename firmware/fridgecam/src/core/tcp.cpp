#include "tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifdef ESP_PLATFORM
#include <lwip/netdb.h>
#include <lwip/sockets.h>
#else
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#endif

namespace larder {

namespace {

#ifdef ESP_PLATFORM
// lwIP knows no SIGPIPE, and its sendmsg refuses MSG_NOSIGNAL although it has the name (EOPNOTSUPP).
constexpr int kSendFlags = 0;
static_assert((kSendFlags & ~(MSG_DONTWAIT | MSG_MORE)) == 0, "all that lwip_sendmsg takes");
#else
constexpr int kSendFlags = MSG_NOSIGNAL;
#endif

constexpr size_t kMostParts = 4;

uint32_t now_ms() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint32_t>(now.tv_sec) * 1000 + static_cast<uint32_t>(now.tv_nsec / 1000000);
}

addrinfo* resolve(const char* host, uint16_t port, int type) {
    addrinfo wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted.ai_socktype = type;
    char service[6];
    snprintf(service, sizeof service, "%u", port);
    addrinfo* found = nullptr;
    return getaddrinfo(host, service, &wanted, &found) == 0 ? found : nullptr;
}

/// Takes what was sent off the front of the parts.
size_t advance(iovec* parts, size_t count, size_t sent) {
    size_t whole = 0;
    while (whole < count && sent >= parts[whole].iov_len) sent -= parts[whole++].iov_len;
    if (whole < count) {
        parts[whole].iov_base = static_cast<uint8_t*>(parts[whole].iov_base) + sent;
        parts[whole].iov_len -= sent;
    }
    return whole;
}

}  // namespace

bool Tcp::wait(bool to_write, uint32_t wait_ms) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(socket_, &set);
    timeval timeout;
    timeout.tv_sec = static_cast<time_t>(wait_ms / 1000);
    timeout.tv_usec = static_cast<suseconds_t>(wait_ms % 1000 * 1000);
    return select(socket_ + 1, to_write ? nullptr : &set, to_write ? &set : nullptr, nullptr, &timeout) > 0;
}

bool Tcp::dial(const addrinfo& to, uint32_t timeout_ms) {
    close();
    socket_ = socket(to.ai_family, SOCK_STREAM, 0);
    if (socket_ < 0) return false;
    fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL, 0) | O_NONBLOCK);
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(socket_, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (::connect(socket_, to.ai_addr, to.ai_addrlen) == 0) return true;
    if (errno != EINPROGRESS || !wait(true, timeout_ms)) return false;
    int fault = 0;
    socklen_t size = sizeof fault;
    return getsockopt(socket_, SOL_SOCKET, SO_ERROR, &fault, &size) == 0 && fault == 0;
}

bool Tcp::connect(const char* host, uint16_t port, uint32_t timeout_ms) {
    addrinfo* found = resolve(host, port, SOCK_STREAM);
    bool is_up = false;
    for (const addrinfo* at = found; at != nullptr && !is_up; at = at->ai_next) is_up = dial(*at, timeout_ms);
    if (found != nullptr) freeaddrinfo(found);
    if (!is_up) close();
    return is_up;
}

bool Tcp::send(const Part* parts, size_t count, uint32_t timeout_ms, uint32_t* stall_ms) {
    *stall_ms = 0;
    if (socket_ < 0 || count > kMostParts) return false;
    iovec left[kMostParts];
    for (size_t at = 0; at < count; at++) {
        left[at].iov_base = const_cast<uint8_t*>(parts[at].data);
        left[at].iov_len = parts[at].count;
    }
    size_t first = advance(left, count, 0);
    uint32_t moved_ms = now_ms();
    while (first < count) {
        msghdr message;
        memset(&message, 0, sizeof message);
        message.msg_iov = left + first;
        message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count - first);
        const ssize_t sent = sendmsg(socket_, &message, kSendFlags);
        const uint32_t still_ms = now_ms() - moved_ms;
        if (sent > 0) {
            first += advance(left + first, count - first, static_cast<size_t>(sent));
            moved_ms += still_ms;
            if (still_ms > *stall_ms) *stall_ms = still_ms;
        } else if (sent < 0 && errno == ENOMEM && still_ms < timeout_ms) {
            // lwIP is out of buffers, which no wait for the socket ends: let it work.
            wait(false, 10);
        } else if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            return false;
        } else if (still_ms >= timeout_ms || !wait(true, timeout_ms - still_ms)) {
            // The hub always reads: a line that stands still so long is gone, and half a message can't be taken back.
            *stall_ms = now_ms() - moved_ms;
            return false;
        }
    }
    return true;
}

int Tcp::receive(uint8_t* to, size_t room, uint32_t wait_ms) {
    if (socket_ < 0) return -1;
    if (!wait(false, wait_ms)) return 0;
    const ssize_t came = recv(socket_, to, room, 0);
    if (came > 0) return static_cast<int>(came);
    const bool is_there = came < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    return is_there ? 0 : -1;
}

void Tcp::close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
}

Udp::~Udp() {
    if (socket_ >= 0) ::close(socket_);
}

bool Udp::send(const char* host, uint16_t port, const uint8_t* data, size_t count) {
    addrinfo* found = resolve(host, port, SOCK_DGRAM);
    if (found == nullptr) return false;
    if (socket_ >= 0) ::close(socket_);
    socket_ = socket(found->ai_family, SOCK_DGRAM, 0);
    const bool is_sent = socket_ >= 0 && sendto(socket_, data, count, 0, found->ai_addr, found->ai_addrlen) ==
                                             static_cast<ssize_t>(count);
    freeaddrinfo(found);
    return is_sent;
}

}  // namespace larder
