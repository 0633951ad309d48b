// A TCP connection over BSD sockets: lwIP's on the board, the system's on a host.
#pragma once

#include "place.h"

namespace larder {

/// A part of what is sent.
struct Part {
    const uint8_t* data;
    size_t count;
};

/// How long a send may take. A board's watchdog waits longer than both.
struct SendLimits {
    /// Without a byte that moves.
    uint32_t still_ms;
    /// From the first to the last.
    uint32_t total_ms;
};

/// A connection as the link uses it.
class Stream {
public:
    virtual ~Stream() {}
    virtual bool connect(const Place& to, uint32_t timeout_ms) = 0;
    /// Sends all parts or nothing more, ever. `stall_ms`: the longest it stood still.
    virtual bool send(const Part* parts, size_t count, const SendLimits& limits, uint32_t* stall_ms) = 0;
    /// How many bytes came; 0 when none did within `wait_ms`, negative when the connection ended.
    virtual int receive(uint8_t* to, size_t room, uint32_t wait_ms) = 0;
    virtual void close() = 0;
};

/// The real one.
class Tcp : public Stream {
public:
    Tcp() : socket_(-1) {}
    ~Tcp() override { close(); }

    bool connect(const Place& to, uint32_t timeout_ms) override;
    bool send(const Part* parts, size_t count, const SendLimits& limits, uint32_t* stall_ms) override;
    int receive(uint8_t* to, size_t room, uint32_t wait_ms) override;
    void close() override;

private:
    Tcp(const Tcp&) = delete;
    Tcp& operator=(const Tcp&) = delete;
    bool dial(const Place& to, uint32_t timeout_ms);
    bool wait(bool to_write, uint32_t wait_ms);

    int socket_;
};

/// Sends datagrams.
class Udp {
public:
    Udp() : socket_(-1) {}
    ~Udp() { close(); }

    /// False when it could not be sent; the next try takes a new socket.
    bool send(const Place& to, const uint8_t* data, size_t count);

private:
    Udp(const Udp&) = delete;
    Udp& operator=(const Udp&) = delete;
    void close();

    int socket_;
};

/// Adds where a host is, by its name or its IPv4 address in digits. Asks name servers for IPv4 addresses alone, and may
/// wait for all of them: lwIP gives each 7 s, and the board has three at most.
void resolve(const char* host, uint16_t port, Places* to);

}  // namespace larder
