// proto/vectors/*.hex, the bytes that every implementation is tested against.
#pragma once

#include "../fridgecam/src/core/session.h"
#include "check.h"

namespace vectors {

/// A vector's bytes, read from its file; the test fails when there is none.
struct Vector {
    explicit Vector(const char* name);
    uint8_t bytes[512];
    size_t count;
};

/// Compares bytes with a vector.
bool is(const uint8_t* found, size_t count, const char* name);

/// The bytes as the one packet they are.
larder::Packet packet(const Vector& vector);

/// What the vectors' session is made of.
extern const uint8_t kKey[larder::kKeyLen];
extern const uint8_t kCamera[larder::kUuidLen];
larder::Hello hello();
/// A session through its handshake, each message compared with its vector.
larder::Session session();

}  // namespace vectors
