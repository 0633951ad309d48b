// `LRT1`: one reading of one probe as a signed datagram.
#pragma once

#include "messages.h"
#include "sha256.h"

namespace larder {

constexpr size_t kDatagramLen = 60;
constexpr size_t kSignedLen = kDatagramLen - kMacLen;

/// How a probe answered.
enum class ProbeStatus : uint8_t { Measured = 0, Silent = 1, PowerOn = 2, Garbled = 3 };

/// Signs the readings of one start of one camera, and numbers them across its probes.
class ReadingSigner {
public:
    ReadingSigner(const uint8_t key[kKeyLen], const uint8_t camera[kUuidLen], uint32_t boot);

    /// Writes the next datagram. `value` counts only when `status` is Measured. Returns its number.
    uint32_t sign(uint8_t probe, ProbeStatus status, int32_t value, uint64_t t_us, uint8_t to[kDatagramLen]);

    /// The number of the newest datagram, 0 before the first.
    uint32_t seq() const { return seq_; }
    /// Goes on after this number.
    void resume(uint32_t seq) { seq_ = seq; }

private:
    Hmac key_;
    uint8_t camera_[kUuidLen];
    uint32_t boot_;
    uint32_t seq_;
};

}  // namespace larder
