// The OV2640: started, revived, told what to do, asked for pictures.
#pragma once

#include "src/core/shutter.h"

namespace eye {

/// Starts the image sensor. Without one the board stays online and says so, and tries again.
bool begin(uint8_t xclk_mhz);
bool is_ready();

/// False when the sensor has no such size.
bool set_size(uint16_t width, uint16_t height);
/// A setting by its code on the wire.
larder::AckResult set_register(uint8_t setting, int16_t value);
/// The next picture is a full-size one.
void want_snapshot();

/// For the link's task alone.
larder::Eye* pictures();

}  // namespace eye
