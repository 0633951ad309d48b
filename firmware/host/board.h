// A board without hardware: time, chance and memory of this machine.
#pragma once

#include <string>
#include <vector>

#include "pictures.h"

namespace host {

/// New firmware goes into a file.
class FileSlot : public larder::UpdateSlot {
public:
    uint32_t capacity() override { return 0x1e0000; }
    bool begin(uint32_t length) override;
    bool write(const uint8_t* data, size_t count) override;
    bool activate() override;
    void discard() override { image_.clear(); }

    std::string path;

private:
    std::vector<uint8_t> image_;
};

/// A connection that a power cut ends in the middle of a picture.
class CutTcp : public larder::Tcp {
public:
    bool send(const larder::Part* parts, size_t count, const larder::SendLimits& limits, uint32_t* stall_ms) override;

    /// After so many pictures of a connection the next is cut; 0: never.
    uint32_t cut_after = 0;

private:
    uint32_t frames_ = 0;
};

class Board : public larder::Board {
public:
    uint64_t now_us() override;
    void random(uint8_t* to, size_t count) override;
    void describe(larder::Hello* hello) override;
    void measure(larder::Telemetry* telemetry) override;
    void welcomed(const larder::Welcome& welcome, const larder::HubProof& hub) override;
    larder::AckResult obey(const larder::Control& control, larder::Remark* remark) override;

    uint8_t camera[larder::kUuidLen] = {};
    const char* version = "1.0.0";
    uint32_t boot = 1;
    uint32_t reading_seq = 0;
    /// Instead of what the hub wants; 0: as the hub wants.
    uint8_t fixed_fps = 0;
    bool takes_updates = false;
    std::vector<larder::Reading> readings;
    Pictures* pictures = nullptr;
    larder::Pace* pace = nullptr;
    larder::FrameCounts* counts = nullptr;

private:
    void want(uint8_t active_fps, uint8_t idle_fps, uint8_t quality);

    uint8_t active_fps_ = 10;
    uint8_t idle_fps_ = 2;
    uint8_t quality_ = 12;
};

}  // namespace host
