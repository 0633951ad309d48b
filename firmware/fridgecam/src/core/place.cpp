#include "place.h"

#include <string.h>

namespace larder {

namespace {

constexpr uint8_t kFirstMulticast = 224;

bool is_near(const Place& place, const uint8_t own[4], const uint8_t mask[4]) {
    for (size_t at = 0; at < 4; at++) {
        if (((place.ip[at] ^ own[at]) & mask[at]) != 0) return false;
    }
    return true;
}

}  // namespace

void Places::add(const uint8_t ip[4], uint16_t port) {
    if (port == 0 || ip[0] == 0 || ip[0] >= kFirstMulticast || count_ == kMost) return;
    for (size_t at = 0; at < count_; at++) {
        if (places_[at].port == port && memcmp(places_[at].ip, ip, 4) == 0) return;
    }
    memcpy(places_[count_].ip, ip, 4);
    places_[count_++].port = port;
}

void Places::prefer(const uint8_t own[4], const uint8_t mask[4]) {
    size_t near = 0;
    for (size_t at = 0; at < count_; at++) {
        if (!is_near(places_[at], own, mask)) continue;
        const Place found = places_[at];
        memmove(places_ + near + 1, places_ + near, (at - near) * sizeof places_[0]);
        places_[near++] = found;
    }
}

}  // namespace larder
