// What a board counts, and what it says of itself on its console.
#pragma once

#include "messages.h"

namespace larder {

/// Counts of pictures since the start, and times since the last report.
struct FrameCounts {
    uint32_t captured = 0;
    uint32_t sent = 0;
    uint32_t dropped = 0;
    uint32_t corrupt = 0;
    uint32_t longest_stall_ms = 0;
    uint32_t reconnects = 0;
    uint32_t last_ms = 0;
    uint32_t min_ms = 0;
    uint32_t max_ms = 0;

    /// A picture went out whole.
    void went_out(uint32_t took_ms, uint32_t stall_ms);
    /// A new span of `min_ms` and `max_ms` begins.
    void begin_span();
};

/// Watches the least free heap. It may fall while things settle; one that goes on falling is a leak.
class LeakWatch {
public:
    LeakWatch() : reports_(0), falls_(0), at_start_(0) {}
    /// Called with every report, each 30 s. True while a leak is suspected.
    bool report(uint32_t heap_min_free);

private:
    static constexpr uint32_t kReportsInSpan = 10;
    static constexpr uint32_t kFall = 512;
    static constexpr uint32_t kFallsInARow = 3;

    uint32_t reports_;
    uint32_t falls_;
    uint32_t at_start_;
};

/// Writes the report of every 30 s, as lines. Returns its length.
size_t report(const Telemetry& telemetry, const FrameCounts& counts, uint32_t tenths_fps, uint8_t quality,
              bool is_lowered, bool leaks, char* to, size_t room);

}  // namespace larder
