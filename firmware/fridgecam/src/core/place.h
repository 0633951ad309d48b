// Where a hub may be.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace larder {

/// An IPv4 address, in the order in which it is written, and a port.
struct Place {
    uint8_t ip[4];
    uint16_t port;
};

/// Some of them, each once, in the order in which they are to be tried.
class Places {
public:
    static constexpr size_t kMost = 8;

    Places() : count_(0) {}
    void clear() { count_ = 0; }
    /// Leaves out what can be nobody's: port 0, 0.0.0.0 and its network, broadcast and multicast.
    void add(const uint8_t ip[4], uint16_t port);
    /// Puts those on the camera's own network first.
    void prefer(const uint8_t own[4], const uint8_t mask[4]);

    size_t count() const { return count_; }
    const Place& operator[](size_t at) const { return places_[at]; }

private:
    Place places_[kMost];
    size_t count_;
};

}  // namespace larder
