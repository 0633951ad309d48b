#include "board.h"

#include <time.h>

#include <cstdio>
#include <random>

namespace host {

using larder::AckResult;
using larder::Command;

bool FileSlot::begin(uint32_t length) {
    image_.clear();
    image_.reserve(length);
    return !path.empty();
}

bool FileSlot::write(const uint8_t* data, size_t count) {
    image_.insert(image_.end(), data, data + count);
    return true;
}

bool FileSlot::activate() {
    FILE* file = fopen(path.c_str(), "wb");
    if (file == nullptr) return false;
    const bool is_written = fwrite(image_.data(), 1, image_.size(), file) == image_.size();
    return fclose(file) == 0 && is_written;
}

bool CutTcp::send(const larder::Part* parts, size_t count, const larder::SendLimits& limits, uint32_t* stall_ms) {
    // A picture is what comes in three parts.
    if (cut_after == 0 || count != 3 || ++frames_ <= cut_after) return Tcp::send(parts, count, limits, stall_ms);
    frames_ = 0;
    const larder::Part half[] = {parts[0], {parts[1].data, parts[1].count / 2}};
    Tcp::send(half, 2, limits, stall_ms);
    return false;
}

uint64_t Board::now_us() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

void Board::random(uint8_t* to, size_t count) {
    std::random_device device;
    for (size_t at = 0; at < count; at++) to[at] = static_cast<uint8_t>(device());
}

void Board::describe(larder::Hello* hello) {
    *hello = {};
    memcpy(hello->camera, camera, sizeof camera);
    hello->boot = boot;
    hello->reading_boot = boot;
    hello->reading_seq = reading_seq;
    hello->capabilities = larder::kCanFlash | larder::kCanPanTilt | larder::kHasThermometer |
                          (takes_updates ? larder::kCanUpdate : 0);
    hello->reset_reason = 1;
    hello->firmware_version = version;
}

void Board::measure(larder::Telemetry* telemetry) {
    telemetry->uptime_s = static_cast<uint32_t>(now_us() / 1000000);
    telemetry->chip = larder::kNoValue;
    telemetry->frames_captured = counts->captured;
    telemetry->frames_sent = counts->sent;
    telemetry->frames_dropped = counts->dropped;
    telemetry->frames_corrupt = counts->corrupt;
    telemetry->longest_send_stall_ms = counts->longest_stall_ms;
    telemetry->reconnects = counts->reconnects;
    telemetry->reset_reason = 1;
    telemetry->tenths_fps = static_cast<uint16_t>(pace->tenths_fps(static_cast<uint32_t>(now_us() / 1000)));
    telemetry->quality = pace->quality();
    for (const larder::Reading& reading : readings) telemetry->readings[telemetry->reading_count++] = reading;
}

void Board::want(uint8_t active_fps, uint8_t idle_fps, uint8_t quality) {
    active_fps_ = active_fps;
    idle_fps_ = idle_fps;
    quality_ = quality;
    if (fixed_fps != 0) active_fps = idle_fps = fixed_fps;
    pace->want(active_fps, idle_fps, quality);
}

void Board::welcomed(const larder::Welcome& welcome, const larder::HubProof&) {
    pictures->width = welcome.width;
    pictures->height = welcome.height;
    want(welcome.active_fps, welcome.idle_fps, welcome.quality);
}

AckResult Board::obey(const larder::Control& control, larder::Remark* remark) {
    printf("command %u\n", static_cast<unsigned>(control.command));
    switch (control.command) {
        case Command::Size:
            if (control.width == 0 || control.height == 0 || control.width > 1600 || control.height > 1200) {
                remark->set("at most 1600x1200");
                return AckResult::OutOfRange;
            }
            pictures->width = control.width;
            pictures->height = control.height;
            return AckResult::Done;
        case Command::Quality:
            if (control.quality < 4 || control.quality > 63) return AckResult::OutOfRange;
            want(active_fps_, idle_fps_, control.quality);
            return AckResult::Done;
        case Command::Rate:
            if (control.active_fps < 1 || control.active_fps > 30 || control.idle_fps < 1 || control.idle_fps > 30) {
                return AckResult::OutOfRange;
            }
            want(control.active_fps, control.idle_fps, quality_);
            return AckResult::Done;
        case Command::Register:
            return control.setting >= 1 && control.setting <= larder::kSettingCount ? AckResult::Done
                                                                                    : AckResult::Unsupported;
        case Command::Snapshot: pictures->flags = larder::kFrameSnapshot; return AckResult::Done;
        case Command::PanTilt:
            return control.pan >= -90 && control.pan <= 90 && control.tilt >= -90 && control.tilt <= 90
                       ? AckResult::Done
                       : AckResult::OutOfRange;
        case Command::Flash:
        case Command::Reboot: return AckResult::Done;
    }
    return AckResult::Unsupported;
}

}  // namespace host
