// When the next picture is due, and how good it may be: a slow line lowers the rate first, then the quality.
#pragma once

#include <stdint.h>

namespace larder {

/// Follows how long sending takes.
class Pace {
public:
    Pace();

    /// What the hub wants: frames a second while something happens and otherwise, and the OV2640's quality (lower is
    /// better).
    void want(uint8_t active_fps, uint8_t idle_fps, uint8_t quality);
    /// A picture of this size was taken. A jump means that something happens: the door, the light.
    void saw(uint32_t jpeg_len, uint32_t now_ms);
    /// A picture went out, and took so long from its first byte to its last.
    void sent(uint32_t took_ms, uint32_t now_ms);

    /// A picture did not get through in the time that it had: the next ones are small and few.
    void gave_up(uint32_t now_ms);

    /// From one picture to the next.
    uint32_t interval_ms(uint32_t now_ms) const;
    /// The quality to take pictures with.
    uint8_t quality() const;
    /// Frames a second now, in tenths.
    uint32_t tenths_fps(uint32_t now_ms) const;
    /// Whether less is sent than wanted.
    bool is_lowered() const { return eighths_ < 8 || worse_ > 0; }
    bool is_active(uint32_t now_ms) const;

private:
    void lower();
    void raise();

    uint8_t active_fps_;
    uint8_t idle_fps_;
    uint8_t quality_;
    // The share of the wanted rate that is used, and steps of quality given up.
    uint8_t eighths_;
    uint8_t worse_;
    uint8_t slow_;
    uint32_t good_since_ms_;
    uint32_t usual_len_;
    uint32_t active_until_ms_;
    bool was_active_;
};

}  // namespace larder
