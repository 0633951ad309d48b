// The camera's side of a session: handshake, numbers, MACs. Bytes in, bytes out; knows nothing of sockets.
#pragma once

#include "messages.h"
#include "sha256.h"

namespace larder {

constexpr size_t kMostHelloMessage = kHeaderLen + kMostHello;
constexpr size_t kAuthMessageLen = kHeaderLen + kProofLen;
/// The largest message of a camera, but for FRAMEs.
constexpr size_t kMostSaid = kHeaderLen + kMostTelemetry + kMacLen;

/// A FRAME in three parts, so that the picture is never copied.
struct FramePacket {
    uint8_t head[kHeaderLen + kFramePrefixLen];
    const uint8_t* jpeg;
    size_t jpeg_len;
    uint8_t trailer[kMacLen];
    size_t trailer_len;
};

/// What a proven hub said in its CHALLENGE.
struct HubProof {
    uint8_t version;
    uint64_t unix_us;
};

/// One session, from HELLO on. Use in this order: hello, challenge, welcome; then receive and seal.
class Session {
public:
    explicit Session(const uint8_t key[kKeyLen]) : camera_key_(key, kKeyLen) {}

    /// Writes the HELLO and begins anew. Its nonce must be fresh. Returns its length.
    size_t hello(const Hello& hello, uint64_t t_us, uint8_t to[kMostHelloMessage]);

    /// Checks that the hub has the key; only then writes the AUTH. `Bye::None` when all is well.
    Bye challenge(const Packet& packet, uint64_t t_us, uint8_t to[kAuthMessageLen], HubProof* hub);

    /// Takes the WELCOME. A BYE instead of it is told as its reason.
    Bye welcome(const Packet& packet, Welcome* welcome);

    /// Checks a message's number and MAC.
    Bye receive(const Packet& packet);

    /// Makes a message of a payload that stands at `to + kHeaderLen`. Returns the whole length.
    size_t seal(Kind kind, uint64_t t_us, size_t payload_len, uint8_t* to);

    /// Makes a FRAME around a picture. `t_us` is the capture time.
    void frame(const FrameInfo& info, uint64_t t_us, const uint8_t* jpeg, size_t jpeg_len, FramePacket* packet);

    /// A BYE as far as the session came: with a MAC once there are keys. Returns its length.
    size_t bye(Bye reason, uint64_t t_us, uint8_t to[kHeaderLen + 1 + kMacLen]);

private:
    Hmac label(const char* label) const;

    Hmac camera_key_;
    // T0, then T1: HELLO, CHALLENGE and the hub's proof.
    uint8_t transcript_[kMostHelloMessage + kHeaderLen + kChallengeLen];
    size_t transcript_len_ = 0;
    Hmac says_;
    Hmac hears_;
    bool has_keys_ = false;
    uint32_t said_ = 0;
    uint32_t heard_ = 0;
    uint32_t frames_ = 0;
    Welcome welcome_ = {};
};

}  // namespace larder
