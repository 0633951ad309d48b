// A hub and a board in memory, for tests of the link.
#pragma once

#include "../fridgecam/src/core/link.h"
#include "vectors.h"

namespace fake {

constexpr larder::Place kHub = {{192, 168, 1, 2}, 7440};

/// A board whose clock the test moves.
class Board : public larder::Board {
public:
    uint64_t now_us() override { return time_us; }
    void random(uint8_t* to, size_t count) override { memset(to, 0x5a, count); }
    void describe(larder::Hello* hello) override { *hello = vectors::hello(); }
    void measure(larder::Telemetry* telemetry) override { telemetry->uptime_s = 77; }
    void welcomed(const larder::Welcome& wanted, const larder::HubProof&) override { welcome = wanted; }
    larder::AckResult obey(const larder::Control& control, larder::Remark* remark) override;
    void alive() override {
        if (time_us - alive_us > longest_us) longest_us = time_us - alive_us;
        alive_us = time_us;
    }

    uint64_t alive_us = 1000000;
    /// The longest time in which it said nothing of being alive.
    uint64_t longest_us = 0;
    uint64_t time_us = 1000000;
    larder::Welcome welcome = {};
    larder::Control last = {};
    larder::AckResult answer = larder::AckResult::Done;
};

/// The other end of a stream: a hub that knows the key, or a rogue that does not. What it wants to say waits in
/// `to_camera`; what the camera said stands in `from_camera`.
class Hub : public larder::Stream {
public:
    Hub(Board* board, const uint8_t* key) : board_(board), key_(key, larder::kKeyLen) {}

    bool connect(const larder::Place& to, uint32_t timeout_ms) override;
    bool send(const larder::Part* parts, size_t count, const larder::SendLimits& limits, uint32_t* stall_ms) override;
    int receive(uint8_t* to, size_t room, uint32_t wait_ms) override;
    void close() override { is_open = false; }

    /// Says a message with the next number and a right MAC.
    void say(larder::Kind kind, const void* payload, size_t count);
    /// Says bytes as they are.
    void say_raw(const uint8_t* bytes, size_t count);
    /// The newest message of this kind of the camera, its MAC checked; false when there is none.
    bool heard(larder::Kind kind, larder::Packet* packet);

    bool is_open = false;
    bool is_reachable = true;
    /// Dialled last, how often, and how long the connection takes to come about.
    larder::Place dialled = {};
    int dials = 0;
    uint32_t connect_ms = 0;
    /// Reachable at this place alone; port 0: at any.
    larder::Place only = {};
    /// How long each send takes.
    uint32_t send_ms = 0;
    bool is_stalled = false;
    /// Says PING each time so much has passed, so that there is always something to hear.
    uint32_t never_silent_ms = 0;
    /// Says BYE with this byte instead of CHALLENGE or WELCOME.
    int early_bye = -1;
    int bye_after_auth = -1;
    size_t piece = 4096;
    size_t said_after_challenge = 0;
    uint32_t largest_frame = 100000;
    uint8_t from_camera[16384];
    size_t from_camera_len = 0;

private:
    void answer();

    Board* board_;
    larder::Hmac key_;
    larder::Hmac hub_key_;
    larder::Hmac camera_key_;
    uint8_t transcript_[512];
    size_t transcript_len_ = 0;
    int step_ = 0;
    uint32_t seq_ = 0;
    uint8_t to_camera_[16384];
    size_t to_camera_len_ = 0;
    size_t to_camera_taken_ = 0;
};

}  // namespace fake
