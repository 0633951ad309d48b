// The other end of a connection, for tests of the transport.
#pragma once

#include "../fridgecam/src/core/place.h"

/// Listens on a free port of this machine, or of lwIP's loopback, with a window as small as a board's.
class Peer {
public:
    Peer();
    ~Peer();
    void accept();
    void hang_up();
    /// Nothing more comes or goes; whoever reads is told so.
    void end();
    /// At most so many bytes; 0 when the connection ended.
    size_t read(uint8_t* to, size_t room);
    void write(const void* data, size_t count);

    larder::Place place() const { return {{127, 0, 0, 1}, port}; }

    uint16_t port;

private:
    int listener_;
    int socket_ = -1;
};

/// Takes datagrams.
class DatagramPeer {
public:
    DatagramPeer();
    ~DatagramPeer();
    size_t read(uint8_t* to, size_t room);
    larder::Place place() const { return {{127, 0, 0, 1}, port_}; }

private:
    int socket_;
    uint16_t port_;
};
