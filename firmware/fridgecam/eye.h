// The OV2640: started, revived, told what to do, asked for pictures.
#pragma once

#include "src/core/runner.h"

namespace eye {

/// Starts the image sensor; tries again at 10 MHz. Without one the board stays online and says so.
bool begin(uint8_t xclk_mhz);
bool is_ready();

/// The nearest size that the sensor has; false when it has none like it.
bool set_size(uint16_t width, uint16_t height);
bool set_quality(uint8_t quality);
/// A setting by its code on the wire.
larder::AckResult set_register(uint8_t setting, int16_t value);
/// The next picture is a full-size one.
void want_snapshot();

/// For the link's task alone.
larder::Eye* pictures();

}  // namespace eye
