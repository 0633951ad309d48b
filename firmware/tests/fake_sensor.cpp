#include "fake_sensor.h"

using namespace larder;

namespace fake {

namespace {

uint8_t high(uint16_t number) { return static_cast<uint8_t>(number >> 8); }
uint8_t low(uint16_t number) { return static_cast<uint8_t>(number); }

}  // namespace

bool Sensor::start(uint8_t xclk_mhz, uint8_t) {
    if (starts < 16) clocks[starts] = xclk_mhz;
    starts++;
    board_->time_us += 100000;
    if (failures > 0) {
        failures--;
        return false;
    }
    is_running = true;
    size = largest();
    for (Buffer& buffer : buffer_) buffer.is_free = true;
    queued_ = 0;
    filling_ = held_ = -1;
    unsettled_ = 2;
    vsync_us_ = board_->time_us;
    return true;
}

bool Sensor::set_size(const Size& wanted) {
    run_until(board_->time_us);
    size = wanted;
    size_changes++;
    // What is under way becomes part one, part the other; the next one is not right yet.
    if (filling_ >= 0) buffer_[filling_].is_torn = true;
    unsettled_ = 1;
    return true;
}

void Sensor::fill(Buffer* buffer) {
    buffer->is_free = false;
    buffer->is_torn = unsettled_ > 0;
    buffer->size = size;
    buffer->t_us = vsync_us_;
    if (unsettled_ > 0) unsettled_--;
}

void Sensor::begin() {
    filling_ = -1;
    for (int at = 0; at < buffers_ && filling_ < 0; at++) {
        if (buffer_[at].is_free) filling_ = at;
    }
    if (filling_ >= 0) fill(&buffer_[filling_]);
}

void Sensor::vsync() {
    if (filling_ >= 0) {
        if (queued_ == (buffers_ > 1 ? buffers_ - 1 : 1)) {
            buffer_[queue_[0]].is_free = true;
            for (int at = 1; at < queued_; at++) queue_[at - 1] = queue_[at];
            queued_--;
        }
        queue_[queued_++] = filling_;
    }
    begin();
}

void Sensor::run_until(uint64_t time_us) {
    while (is_running && !is_dead && vsync_us_ + frame_ms * 1000 <= time_us) {
        vsync_us_ += frame_ms * 1000;
        vsync();
    }
}

bool Sensor::grab(Shot* shot) {
    CHECK(held_ < 0);
    run_until(board_->time_us);
    for (uint32_t waited_ms = 0; queued_ == 0 && waited_ms < kGetMs; waited_ms += 10) {
        board_->time_us += 10000;
        run_until(board_->time_us);
    }
    if (queued_ == 0) return false;
    held_ = queue_[0];
    for (int at = 1; at < queued_; at++) queue_[at - 1] = queue_[at];
    queued_--;
    Buffer& buffer = buffer_[held_];
    is_torn = buffer.is_torn;
    const Size& size = buffer.size;
    const uint8_t jpeg[sizeof buffer.jpeg] = {0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, high(size.height), low(size.height),
                                              high(size.width), low(size.width), 1, 1, 0x11, 0,
                                              0xff, 0xda, 0, 2, 0xff, 0xd9};
    memcpy(buffer.jpeg, jpeg, sizeof buffer.jpeg);
    *shot = {buffer.jpeg, sizeof buffer.jpeg, buffer.t_us};
    return true;
}

void Sensor::give_back() {
    CHECK(held_ >= 0);
    run_until(board_->time_us);
    buffer_[held_].is_free = true;
    held_ = -1;
}

}  // namespace fake
