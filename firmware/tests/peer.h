// The other end of a connection, for tests of the transport.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Listens on a free port of this machine, or of lwIP's loopback, with a window as small as a board's.
class Peer {
public:
    Peer();
    ~Peer();
    void accept();
    void hang_up();
    /// At most so many bytes; 0 when the connection ended.
    size_t read(uint8_t* to, size_t room);
    void write(const void* data, size_t count);

    uint16_t port;

private:
    int listener_;
    int socket_ = -1;
};
