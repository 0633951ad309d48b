// As much of JPEG as a camera needs.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace larder {

/// The bytes of a picture up to its end; 0 when it does not begin or end as a JPEG. Drivers pad with zeros.
size_t jpeg_length(const uint8_t* jpeg, size_t count);

/// Width and height as its frame header (SOF) has them; false when there is none before the picture's data.
bool jpeg_size(const uint8_t* jpeg, size_t count, uint16_t* width, uint16_t* height);

}  // namespace larder
