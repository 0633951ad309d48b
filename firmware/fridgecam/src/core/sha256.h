// SHA-256 (FIPS 180-4) and HMAC (RFC 2104). Own, so that the host, qemu and the board run the same code.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace larder {

constexpr size_t kDigestLen = 32;

/// A running SHA-256. May be copied in the middle.
class Sha256 {
public:
    Sha256();
    void update(const void* data, size_t count);
    void finish(uint8_t digest[kDigestLen]);

private:
    void block(const uint8_t* data);

    uint32_t state_[8];
    uint64_t count_;
    uint8_t pending_[64];
};

/// A running HMAC-SHA256. A copy of a fresh one is a key that is ready for the next message.
class Hmac {
public:
    Hmac() {}
    Hmac(const uint8_t* key, size_t count);
    Hmac& update(const void* data, size_t count);
    void finish(uint8_t mac[kDigestLen]);

private:
    Sha256 inner_;
    Sha256 outer_;
};

/// Compares in a time that tells nothing of where they differ.
bool is_equal(const uint8_t* one, const uint8_t* other, size_t count);

}  // namespace larder
