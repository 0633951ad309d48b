#include "shutter.h"

namespace larder {

namespace {

constexpr int kMissesInARow = 3;
constexpr uint8_t kUsualQuality = 12;
// The OV2640's scale ends at 63, and a driver's buffers are too small for better than this.
constexpr uint8_t kBestQuality = 10;
constexpr Size kUsualSize = {640, 480};

}  // namespace

Shutter::Shutter(Sensor* sensor, Clock* clock)
    : sensor_(sensor),
      clock_(clock),
      is_ready_(false),
      wants_snapshot_(false),
      xclk_mhz_(kFallbackMhz),
      quality_(kUsualQuality),
      size_(kUsualSize),
      present_(),
      is_changed_(false),
      changed_us_(0),
      settling_(0),
      misses_(0),
      tried_us_(0),
      given_back_us_(0) {}

bool Shutter::begin(uint8_t xclk_mhz) {
    xclk_mhz_ = xclk_mhz;
    is_ready_ = start();
    tried_us_ = clock_->now_us();
    if (!is_ready_) return false;
    misses_ = 0;
    given_back_us_ = 0;
    present_ = sensor_->largest();
    // Exposure and white balance have to settle as well.
    settle();
    change_to(size_);
    return true;
}

/// At the clock that is wanted, each time anew; the slower one is the last resort.
bool Shutter::start() {
    if (sensor_->start(xclk_mhz_, quality_)) return true;
    sensor_->wake();
    if (sensor_->start(xclk_mhz_, quality_)) return true;
    sensor_->wake();
    return xclk_mhz_ != kFallbackMhz && sensor_->start(kFallbackMhz, quality_);
}

bool Shutter::change_to(const Size& size) {
    if (size == present_) return true;
    if (!sensor_->set_size(size)) return false;
    present_ = size;
    settle();
    return true;
}

bool Shutter::set_size(const Size& size) {
    if (is_ready_ && !change_to(size)) return false;
    size_ = size;
    return true;
}

void Shutter::set_quality(uint8_t quality) {
    quality_ = quality < kBestQuality ? kBestQuality : quality;
    if (is_ready_) sensor_->set_quality(quality_);
}

void Shutter::settle() {
    is_changed_ = true;
    changed_us_ = clock_->now_us();
    settling_ = kSettlingShots;
}

bool Shutter::is_present_size(const Shot& shot) const {
    uint16_t width, height;
    return jpeg_size(shot.jpeg, shot.jpeg_len, &width, &height) && Size{width, height} == present_;
}

bool Shutter::is_old(const Shot& shot) {
    if (!is_changed_) return is_stale(shot);
    // It waited in the queue, or the change came in the middle of it.
    if (shot.t_us < changed_us_) return true;
    if (settling_ == 0) return !is_present_size(shot);
    settling_--;
    return true;
}

bool Shutter::is_stale(const Shot& shot) const {
    return shot.t_us + kStaleMs * 1000ull < given_back_us_ || shot.t_us + kOldMs * 1000ull < clock_->now_us();
}

bool Shutter::next(Shot* shot) {
    const int most = is_changed_ ? kMostDropped : kMostStale;
    for (int dropped = 0; sensor_->grab(shot); dropped++) {
        if (dropped == most || !is_old(*shot)) {
            is_changed_ = false;
            return true;
        }
        sensor_->give_back();
    }
    return false;
}

bool Shutter::missed() {
    // The driver gave up on the sensor: a new start is the only thing that helps.
    if (++misses_ < kMissesInARow) return false;
    sensor_->stop();
    is_ready_ = false;
    tried_us_ = clock_->now_us();
    return false;
}

bool Shutter::take(Picture* picture) {
    if (!is_ready_) {
        // Not too often: each picture that is due would else wait for it.
        if (clock_->now_us() - tried_us_ < kReviveMs * 1000ull || !begin(xclk_mhz_)) return false;
    }
    const bool is_snapshot = wants_snapshot_;
    wants_snapshot_ = false;
    if (is_snapshot) change_to(sensor_->largest());
    Shot shot;
    const bool is_there = next(&shot);
    if (is_snapshot) change_to(size_);
    if (!is_there) return missed();
    misses_ = 0;
    picture->jpeg = shot.jpeg;
    picture->jpeg_len = shot.jpeg_len;
    picture->quality = quality_;
    picture->flags = is_snapshot ? kFrameSnapshot : 0;
    const uint64_t now_us = clock_->now_us();
    picture->t_us = shot.t_us == 0 || shot.t_us > now_us ? now_us : shot.t_us;
    return true;
}

void Shutter::give_back() {
    sensor_->give_back();
    given_back_us_ = clock_->now_us();
}

}  // namespace larder
