// What several tasks share: settings, counts, readings. Everything goes through a lock held for a few lines.
#pragma once

#include "src/core/console.h"
#include "src/core/place.h"
#include "src/core/reading.h"
#include "src/core/statistics.h"

namespace state {

/// Reads settings and counts this start.
void begin();

/// As they were at the start; changed ones take effect with the next.
const larder::Settings& settings();
/// Counts the board's starts, kept in flash.
uint32_t boot();

/// Microseconds since the start, monotonic.
uint64_t now_us();

/// The newest reading of a probe.
void set_reading(const larder::Reading& reading);
/// The number of the newest datagram.
uint32_t reading_seq();

/// Where the hub answered last.
void set_hub(const larder::Place& place);
/// False when it did not yet.
bool hub(larder::Place* place);

/// The link's counts, for the report.
void set_frames(const larder::FrameCounts& counts, uint32_t tenths_fps, uint8_t quality, bool is_lowered);
void frames(larder::FrameCounts* counts, uint32_t* tenths_fps, uint8_t* quality, bool* is_lowered);

/// Fills in everything that the board says of itself.
void measure(larder::Telemetry* telemetry);

/// ESP-IDF's `esp_reset_reason_t`.
uint8_t reset_reason();

}  // namespace state
