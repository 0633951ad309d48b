#include "tcp.h"

#include <errno.h>
#include <fcntl.h>
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
constexpr uint32_t kBreathUs = 10000;
constexpr uint32_t kSliceMs = 250;

uint32_t now_ms() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint32_t>(now.tv_sec) * 1000 + static_cast<uint32_t>(now.tv_nsec / 1000000);
}

sockaddr_in address(const Place& place) {
    sockaddr_in to;
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    const uint8_t port[] = {static_cast<uint8_t>(place.port >> 8), static_cast<uint8_t>(place.port)};
    memcpy(&to.sin_port, port, sizeof port);
    memcpy(&to.sin_addr, place.ip, sizeof place.ip);
    return to;
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

/// As many bytes as it takes now.
ssize_t send_some(int socket, iovec* parts, size_t count) {
    msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = parts;
    message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
    return sendmsg(socket, &message, kSendFlags);
}

bool is_temporary(int fault) {
    return fault == EAGAIN || fault == EWOULDBLOCK || fault == EINTR || fault == ENOMEM;
}

uint32_t left_of(uint32_t limit_ms, uint32_t passed_ms) { return passed_ms < limit_ms ? limit_ms - passed_ms : 0; }

uint32_t least(uint32_t one, uint32_t other) { return one < other ? one : other; }

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

bool Tcp::dial(const Place& place, uint32_t timeout_ms) {
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    if (socket_ < 0) return false;
    fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL, 0) | O_NONBLOCK);
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(socket_, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    const sockaddr_in to = address(place);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return true;
    if (errno != EINPROGRESS || !wait(true, timeout_ms)) return false;
    int fault = 0;
    socklen_t size = sizeof fault;
    return getsockopt(socket_, SOL_SOCKET, SO_ERROR, &fault, &size) == 0 && fault == 0;
}

bool Tcp::connect(const Place& to, uint32_t timeout_ms) {
    close();
    if (dial(to, timeout_ms)) return true;
    close();
    return false;
}

bool Tcp::send(const Part* parts, size_t count, const SendLimits& limits, uint32_t* stall_ms) {
    *stall_ms = 0;
    if (socket_ < 0 || count > kMostParts) return false;
    iovec left[kMostParts];
    for (size_t at = 0; at < count; at++) {
        left[at].iov_base = const_cast<uint8_t*>(parts[at].data);
        left[at].iov_len = parts[at].count;
    }
    size_t first = advance(left, count, 0);
    const uint32_t began_ms = now_ms();
    uint32_t moved_ms = began_ms;
    while (first < count) {
        const ssize_t sent = send_some(socket_, left + first, count - first);
        if (sent < 0 && !is_temporary(errno)) return false;
        const bool is_full = sent < 0 && errno == ENOMEM;
        const uint32_t time_ms = now_ms();
        if (time_ms - moved_ms > *stall_ms) *stall_ms = time_ms - moved_ms;
        if (sent > 0) {
            first += advance(left + first, count - first, static_cast<size_t>(sent));
            moved_ms = time_ms;
        }
        if (first == count) return true;
        const uint32_t left_ms = least(left_of(limits.still_ms, time_ms - moved_ms),
                                       left_of(limits.total_ms, time_ms - began_ms));
        // The hub always reads: a line that stands still so long is gone, and half a message can't be taken back.
        if (left_ms == 0) return false;
        if (is_full) {
            // lwIP is out of buffers, which no wait for the socket ends: let it work.
            usleep(kBreathUs);
        } else if (sent <= 0) {
            // lwIP calls a socket writable when half of its buffer is free, but takes what there is room for: on a slow
            // line seconds before that.
            wait(true, least(left_ms, kSliceMs));
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

void Udp::close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
}

bool Udp::send(const Place& place, const uint8_t* data, size_t count) {
    if (socket_ < 0) socket_ = socket(AF_INET, SOCK_DGRAM, 0);
    const sockaddr_in to = address(place);
    if (socket_ >= 0 && sendto(socket_, data, count, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) ==
                            static_cast<ssize_t>(count)) {
        return true;
    }
    close();
    return false;
}

void resolve(const char* host, uint16_t port, Places* to) {
    addrinfo wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted.ai_family = AF_INET;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(host, nullptr, &wanted, &found) != 0) return;
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
        sockaddr_in address;
        memcpy(&address, at->ai_addr, sizeof address);
        uint8_t ip[4];
        memcpy(ip, &address.sin_addr, sizeof ip);
        to->add(ip, port);
    }
    freeaddrinfo(found);
}

}  // namespace larder
