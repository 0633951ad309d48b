// Which of the image sensor's pictures are sent: none of an old size, none that was taken long ago.
#pragma once

#include "runner.h"

namespace larder {

struct Size {
    uint16_t width;
    uint16_t height;
};

inline bool operator==(const Size& one, const Size& other) {
    return one.width == other.width && one.height == other.height;
}

/// A picture in a driver's buffer.
struct Shot {
    const uint8_t* jpeg;
    size_t jpeg_len;
    uint64_t t_us;
};

/// An image sensor and its driver.
class Sensor {
public:
    virtual ~Sensor() {}
    /// Starts it at its largest size. May take a second.
    virtual bool start(uint8_t xclk_mhz, uint8_t quality) = 0;
    virtual void stop() = 0;
    /// Takes it out of a sleep that it did not come out of by itself.
    virtual void wake() = 0;
    /// False when it has no such size.
    virtual bool set_size(const Size& size) = 0;
    virtual bool set_quality(uint8_t quality) = 0;
    virtual Size largest() = 0;
    /// Waits for a picture: as esp32-camera does, at most 4 s. One at a time; false when none came.
    virtual bool grab(Shot* shot) = 0;
    virtual void give_back() = 0;
};

class Shutter : public Eye {
public:
    /// So many are dropped that were begun after a change of size, and all that were begun before it.
    static constexpr int kSettlingShots = 2;
    /// In a row; then one is taken as it is.
    static constexpr int kMostDropped = 8;
    /// A shot that lay so long in the driver's queue while the one before was sent is stale.
    static constexpr uint32_t kStaleMs = 400;
    /// So is one that lay there for so long in all: a driver with one buffer fills it as soon as it is given back.
    static constexpr uint32_t kOldMs = 1000;
    /// As many as can lie there. A sensor that takes longer than that for a picture still gets it through.
    static constexpr int kMostStale = 2;
    static constexpr uint32_t kReviveMs = 30000;
    static constexpr uint8_t kFallbackMhz = 10;

    Shutter(Sensor* sensor, Clock* clock);

    /// Starts the sensor; false when it does not start, which is tried again each half minute.
    bool begin(uint8_t xclk_mhz);
    bool is_ready() const { return is_ready_; }

    /// False when the sensor has no such size. The present one is not set again.
    bool set_size(const Size& size);
    /// The next picture is a full-size one.
    void want_snapshot() { wants_snapshot_ = true; }

    bool take(Picture* picture) override;
    void give_back() override;
    void set_quality(uint8_t quality) override;

private:
    bool start();
    bool change_to(const Size& size);
    bool next(Shot* shot);
    bool is_old(const Shot& shot);
    bool is_stale(const Shot& shot) const;
    bool is_present_size(const Shot& shot) const;
    void settle();
    bool missed();

    Sensor* sensor_;
    Clock* clock_;
    bool is_ready_;
    bool wants_snapshot_;
    uint8_t xclk_mhz_;
    uint8_t quality_;
    // What is wanted, and what the sensor was told last.
    Size size_;
    Size present_;
    bool is_changed_;
    uint64_t changed_us_;
    int settling_;
    int misses_;
    uint64_t tried_us_;
    uint64_t given_back_us_;
};

}  // namespace larder
