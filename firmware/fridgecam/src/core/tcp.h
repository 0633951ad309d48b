// A TCP connection over BSD sockets: lwIP's on the board, the system's on a host.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct addrinfo;

namespace larder {

/// A part of what is sent.
struct Part {
    const uint8_t* data;
    size_t count;
};

/// A connection as the link uses it.
class Stream {
public:
    virtual ~Stream() {}
    virtual bool connect(const char* host, uint16_t port, uint32_t timeout_ms) = 0;
    /// Sends all parts or nothing more, ever. `stall_ms`: the longest it stood still.
    virtual bool send(const Part* parts, size_t count, uint32_t timeout_ms, uint32_t* stall_ms) = 0;
    /// How many bytes came; 0 when none did within `wait_ms`, negative when the connection ended.
    virtual int receive(uint8_t* to, size_t room, uint32_t wait_ms) = 0;
    virtual void close() = 0;
};

/// The real one.
class Tcp : public Stream {
public:
    Tcp() : socket_(-1) {}
    ~Tcp() override { close(); }

    bool connect(const char* host, uint16_t port, uint32_t timeout_ms) override;
    bool send(const Part* parts, size_t count, uint32_t timeout_ms, uint32_t* stall_ms) override;
    int receive(uint8_t* to, size_t room, uint32_t wait_ms) override;
    void close() override;

private:
    Tcp(const Tcp&) = delete;
    Tcp& operator=(const Tcp&) = delete;
    bool dial(const addrinfo& to, uint32_t timeout_ms);
    bool wait(bool to_write, uint32_t wait_ms);

    int socket_;
};

/// Sends datagrams to one place.
class Udp {
public:
    Udp() : socket_(-1) {}
    ~Udp();

    /// False when it could not be sent; the next try resolves the name again.
    bool send(const char* host, uint16_t port, const uint8_t* data, size_t count);

private:
    Udp(const Udp&) = delete;
    Udp& operator=(const Udp&) = delete;

    int socket_;
};

}  // namespace larder
