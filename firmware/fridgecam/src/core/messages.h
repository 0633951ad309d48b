// Payloads. Only what a camera needs: it writes what it says and reads what it hears.
#pragma once

#include "wire.h"

namespace larder {

constexpr size_t kMostVersion = 32;
constexpr size_t kMostRemark = 64;
constexpr size_t kMostProbes = 8;
constexpr size_t kFramePrefixLen = 12;
constexpr size_t kChallengeLen = 57;
constexpr size_t kMostHello = 53 + kMostVersion;
constexpr size_t kMostTelemetry = 51 + 21 * kMostProbes + 3;
/// Stands for "no value" in a temperature.
constexpr int32_t kNoValue = INT32_MIN;

/// What a camera can do, as bits.
constexpr uint32_t kCanFlash = 1;
constexpr uint32_t kCanPanTilt = 2;
constexpr uint32_t kHasThermometer = 4;
constexpr uint32_t kCanUpdate = 8;

/// What a camera says first.
struct Hello {
    uint8_t camera[kUuidLen];
    uint8_t nonce[kNonceLen];
    uint32_t boot;
    uint32_t reading_boot;
    uint32_t reading_seq;
    uint32_t capabilities;
    uint8_t reset_reason;
    /// 0 ready, 1 the image sensor could not be started.
    uint8_t camera_state;
    const char* firmware_version;

    void put(Writer* out) const;
};

/// What the hub wants.
struct Welcome {
    uint16_t width;
    uint16_t height;
    uint8_t quality;
    uint8_t active_fps;
    uint8_t idle_fps;
    uint8_t frame_mac;
    uint32_t ping_interval_ms;
    uint32_t telemetry_interval_ms;
    uint32_t largest_frame;

    bool parse(Reader* in);
    /// Whether the session's frame of this number, from 0, must carry a MAC.
    bool asks_mac(uint32_t frame) const { return frame_mac != 0 && frame % frame_mac == 0; }
};

/// What was special about a picture.
constexpr uint8_t kFrameSnapshot = 1;
constexpr uint8_t kFrameFlash = 2;

/// What a FRAME says of its picture.
struct FrameInfo {
    uint32_t number;
    uint16_t width;
    uint16_t height;
    uint8_t quality;
    uint8_t flags;
    uint16_t queued_ms;

    void put(Writer* out) const;
};

/// One probe's newest reading, as its datagram said it.
struct Reading {
    uint8_t probe;
    uint32_t seq;
    uint64_t t_us;
    /// Thousandths of a degree Celsius, or `kNoValue`.
    int32_t value;
    uint32_t error_count;
};

/// How the camera is doing. Counts are since its start.
struct Telemetry {
    uint32_t uptime_s;
    uint32_t heap_free;
    uint32_t heap_min_free;
    uint32_t heap_largest_block;
    uint32_t psram_free;
    int32_t chip;
    uint32_t frames_captured;
    uint32_t frames_sent;
    uint32_t frames_dropped;
    uint32_t frames_corrupt;
    uint32_t longest_send_stall_ms;
    uint32_t reconnects;
    int8_t rssi_dbm;
    uint8_t reset_reason;
    uint8_t reading_count;
    Reading readings[kMostProbes];
    /// What is sent now, in tenths of a frame a second and as quality; 0: not told.
    uint16_t tenths_fps;
    uint8_t quality;

    void put(Writer* out) const;
};

/// What a camera is told to do.
enum class Command : uint8_t {
    Size = 1,
    Quality = 2,
    Rate = 3,
    Register = 4,
    Flash = 5,
    Snapshot = 6,
    PanTilt = 7,
    Reboot = 8,
};

/// A setting of the image sensor: the code on the wire is its place here, from 1.
extern const char* const kSettingNames[];
constexpr uint8_t kSettingCount = 22;

/// A command with the number its ACK repeats. Only the fields of its command mean something.
struct Control {
    uint32_t id;
    Command command;
    uint16_t width;
    uint16_t height;
    uint8_t quality;
    uint8_t active_fps;
    uint8_t idle_fps;
    uint8_t setting;
    int16_t value;
    uint8_t level;
    int8_t pan;
    int8_t tilt;

    /// False when the payload is none. A command nobody knows is read without its body.
    bool parse(Reader* in);
};

/// What became of a command.
enum class AckResult : uint8_t { Done = 0, Unsupported = 1, OutOfRange = 2, Failed = 3, Busy = 4 };

/// Room for a remark and its end.
struct Remark {
    char text[kMostRemark + 1];

    Remark() { text[0] = 0; }
    /// Cuts what does not fit.
    void set(const char* words);
};

/// New firmware, as the hub describes it.
struct UpdateBegin {
    uint32_t length;
    uint8_t sha256[32];
    bool forced;
    char version[kMostVersion + 1];
    uint8_t proof[kProofLen];
    /// What the proof covers.
    const uint8_t* said;
    size_t said_len;

    bool parse(Reader* in);
};

/// How an update stands.
enum class UpdateResult : uint8_t {
    Receiving = 0,
    Installed = 1,
    WrongSize = 2,
    Older = 3,
    Unproven = 4,
    Corrupt = 5,
    Failed = 6,
    NotBegun = 7,
    Abandoned = 8,
};

void put_ack(uint32_t id, AckResult result, const Remark& remark, Writer* out);
void put_update_status(UpdateResult result, uint32_t next_offset, const Remark& remark, Writer* out);

}  // namespace larder
