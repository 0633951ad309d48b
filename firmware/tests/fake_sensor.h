// An image sensor in memory whose driver queues pictures as esp32-camera does (driver/cam_hal.c and esp_camera.c of
// 2.0.8 to 2.1.5): a picture is begun at each VSYNC for which a buffer is free; a whole one goes to the end of a queue
// that is one shorter than there are buffers (with a single buffer: as long), and the oldest one leaves it only when a
// further one is whole. The size that the driver tells is the sensor's present one.
#pragma once

#include "../fridgecam/src/core/shutter.h"
#include "fake.h"

namespace fake {

class Sensor : public larder::Sensor {
public:
    static constexpr int kMostBuffers = 3;
    static constexpr uint32_t kGetMs = 4000;

    Sensor(Board* board, int buffers) : board_(board), buffers_(buffers) {}

    bool start(uint8_t xclk_mhz, uint8_t quality) override;
    void stop() override { is_running = false; }
    void wake() override {}
    bool set_size(const larder::Size& size) override;
    bool set_quality(uint8_t) override { return true; }
    larder::Size largest() override { return {1600, 1200}; }
    bool grab(larder::Shot* shot) override;
    void give_back() override;

    uint32_t frame_ms = 100;
    bool is_running = false;
    bool is_dead = false;
    /// Of the clocks in MHz that it was started with, in order.
    uint8_t clocks[16] = {};
    int starts = 0;
    /// Starts that fail from now on.
    int failures = 0;
    int size_changes = 0;
    larder::Size size = {1600, 1200};
    /// What was last grabbed: begun while the size changed, or before the sensor had settled.
    bool is_torn = false;

private:
    struct Buffer {
        bool is_free;
        bool is_torn;
        larder::Size size;
        uint64_t t_us;
        uint8_t jpeg[25];
    };

    void run_until(uint64_t time_us);
    void vsync();
    void begin();
    void fill(Buffer* buffer);

    Board* board_;
    int buffers_;
    Buffer buffer_[kMostBuffers];
    // Indexes of whole pictures, oldest first.
    int queue_[kMostBuffers];
    int queued_ = 0;
    int filling_ = -1;
    int held_ = -1;
    // VSYNCs until the pictures are right again.
    int unsettled_ = 0;
    uint64_t vsync_us_ = 0;
};

}  // namespace fake
