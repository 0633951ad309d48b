#include "pace.h"

namespace larder {

namespace {

// So many slow pictures in a row lower it: one retransmission is no reason.
constexpr uint8_t kSlowInARow = 3;
// A send that stands still so long lowers it at once.
constexpr uint32_t kStallMs = 1000;
// So long without a slow picture raises it by a step.
constexpr uint32_t kGoodMs = 5000;
constexpr uint32_t kActiveMs = 10000;
constexpr uint8_t kQualityStep = 6;
constexpr uint8_t kMostWorse = 4;
constexpr uint8_t kWorstQuality = 63;

}  // namespace

Pace::Pace()
    : active_fps_(10),
      idle_fps_(2),
      quality_(12),
      eighths_(8),
      worse_(0),
      slow_(0),
      good_since_ms_(0),
      usual_len_(0),
      active_until_ms_(0),
      was_active_(false) {}

void Pace::want(uint8_t active_fps, uint8_t idle_fps, uint8_t quality) {
    active_fps_ = active_fps > 0 ? active_fps : 1;
    idle_fps_ = idle_fps > 0 ? idle_fps : 1;
    quality_ = quality;
}

void Pace::saw(uint32_t jpeg_len, uint32_t now_ms) {
    const uint32_t usual = usual_len_ == 0 ? jpeg_len : usual_len_;
    const uint32_t jump = jpeg_len > usual ? jpeg_len - usual : usual - jpeg_len;
    if (jump > usual / 12) {
        active_until_ms_ = now_ms + kActiveMs;
        was_active_ = true;
    }
    // Far from the difference already would mean: new light is the new normal within a few pictures.
    usual_len_ = (usual * 7 + jpeg_len) / 8;
}

bool Pace::is_active(uint32_t now_ms) const {
    return was_active_ && static_cast<int32_t>(active_until_ms_ - now_ms) > 0;
}

uint32_t Pace::tenths_fps(uint32_t now_ms) const {
    const uint32_t wanted = is_active(now_ms) ? active_fps_ : idle_fps_;
    const uint32_t tenths = wanted * 10 * eighths_ / 8;
    return tenths < 2 ? 2 : tenths;
}

uint32_t Pace::interval_ms(uint32_t now_ms) const { return 10000 / tenths_fps(now_ms); }

uint8_t Pace::quality() const {
    const uint32_t worse = static_cast<uint32_t>(quality_) + worse_ * kQualityStep;
    return static_cast<uint8_t>(worse < kWorstQuality ? worse : kWorstQuality);
}

void Pace::sent(uint32_t took_ms, uint32_t now_ms) {
    // Beyond three quarters of the time it has, a picture delays the next one sooner or later.
    const bool slow = took_ms * 4 > interval_ms(now_ms) * 3;
    if (!slow) {
        slow_ = 0;
        if (is_lowered() && now_ms - good_since_ms_ >= kGoodMs) {
            raise();
            good_since_ms_ = now_ms;
        }
        return;
    }
    good_since_ms_ = now_ms;
    if (++slow_ >= kSlowInARow || took_ms >= kStallMs) {
        lower();
        slow_ = 0;
    }
}

void Pace::gave_up(uint32_t now_ms) {
    good_since_ms_ = now_ms;
    slow_ = 0;
    eighths_ = 1;
    if (worse_ < kMostWorse) worse_++;
}

void Pace::lower() {
    if (eighths_ > 1) {
        eighths_ = static_cast<uint8_t>(eighths_ > 4 ? eighths_ - 2 : eighths_ - 1);
    } else if (worse_ < kMostWorse) {
        worse_++;
    }
}

void Pace::raise() {
    if (worse_ > 0) {
        worse_--;
    } else {
        eighths_++;
    }
}

}  // namespace larder
