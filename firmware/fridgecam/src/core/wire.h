// The camera link's headers, kinds and codes. proto/WIRE.md is the same in words.
#pragma once

#include "bytes.h"

namespace larder {

constexpr uint32_t kMagic = 0x4c524431;  // "LRD1"
constexpr uint8_t kVersion = 1;
constexpr size_t kHeaderLen = 24;
constexpr size_t kKeyLen = 32;
constexpr size_t kUuidLen = 16;
constexpr size_t kNonceLen = 16;
constexpr size_t kProofLen = 32;
constexpr size_t kMacLen = 16;
constexpr size_t kCrcLen = 4;

/// Largest payloads.
constexpr uint32_t kMostFrame = 512 * 1024;
constexpr uint32_t kMostUpdateData = 4096;
constexpr uint32_t kMostOther = 1024;
constexpr uint32_t kMostHandshake = 256;
/// The largest whole message that a hub sends.
constexpr size_t kMostHeard = kHeaderLen + kMostUpdateData + kMacLen + kCrcLen;

/// What a message is.
enum class Kind : uint8_t {
    Hello = 1,
    Challenge = 2,
    Auth = 3,
    Welcome = 4,
    Frame = 16,
    Telemetry = 17,
    Control = 32,
    Ack = 33,
    UpdateBegin = 34,
    UpdateData = 35,
    UpdateEnd = 36,
    UpdateStatus = 37,
    Ping = 48,
    Pong = 49,
    Bye = 63,
};

/// Why a session ends.
enum class Bye : uint8_t {
    Done = 0,
    HubStopping = 1,
    Replaced = 2,
    KeyChanged = 3,
    CameraRemoved = 4,
    UnknownCamera = 5,
    Unproven = 6,
    Version = 7,
    Malformed = 8,
    UnknownType = 9,
    TooLarge = 10,
    OutOfSequence = 11,
    BadMac = 12,
    Idle = 13,
    Unexpected = 14,
    HandshakeTooSlow = 15,
    Busy = 16,
    Restarting = 17,
    Internal = 18,
    /// The connection broke, or none came about. Never on the wire.
    Lost = 0xfe,
    /// Nothing is wrong. Never on the wire.
    None = 0xff,
};

/// The reason of a BYE's payload; `Bye::Malformed` when it is none.
Bye bye_of(const uint8_t* payload, size_t count);
/// For the console; the names are those of the hub's logs.
const char* name(Bye reason);
/// Whether the other side said so itself: it was there.
bool is_said(Bye reason);
/// Whether dialling again soon is pointless: the camera waits a minute.
bool is_refusal(Bye reason);

/// A message's header.
struct Header {
    Kind kind;
    bool mac;
    bool crc;
    uint32_t seq;
    uint64_t t_us;
    uint32_t length;

    size_t trailer_len() const { return (mac ? kMacLen : 0) + (crc ? kCrcLen : 0); }
};

/// Writes 24 bytes.
void put(const Header& header, uint8_t to[kHeaderLen]);
/// False when the magic, a flag or the reserved field is foreign.
bool parse(const uint8_t from[kHeaderLen], Header* header);

/// A whole message whose payload is not looked at yet. Points into the buffer it was read into.
struct Packet {
    Header header;
    const uint8_t* raw_header;
    const uint8_t* payload;
    /// Null when it carries none.
    const uint8_t* mac;
    /// Whether its CRC, if it carries one, is right.
    bool is_intact;
};

/// Takes messages off a stream of bytes. Fixed memory: the largest message that a hub sends.
class Inbox {
public:
    Inbox() : size_(0), taken_(0), proven_(false) {}
    /// Forgets everything, for a new connection.
    void clear();
    /// From now on the larger limits hold.
    void set_proven() { proven_ = true; }
    /// Where the next bytes go, and how many. What `next` gave before is void.
    uint8_t* room(size_t* count);
    /// So many bytes were put there.
    void add(size_t count) { size_ += count; }
    /// True with a packet; false with why the stream can't be read further, or `Bye::None` when more bytes are needed.
    bool next(Packet* packet, Bye* fault);

private:
    uint32_t limit(Kind kind) const;

    uint8_t bytes_[kMostHeard];
    size_t size_;
    size_t taken_;
    bool proven_;
};

}  // namespace larder
