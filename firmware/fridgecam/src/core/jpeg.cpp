#include "jpeg.h"

namespace larder {

namespace {

// A driver's buffer is a multiple of its transfers: this much may follow a picture's end.
constexpr size_t kMostPadding = 1024;
// Length, precision, height, width (ITU T.81, B.2.2).
constexpr size_t kFrameHeader = 7;
constexpr uint8_t kScan = 0xda;

bool is_frame_header(uint8_t marker) {
    // C4, C8 and CC are tables and a reserved one.
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

uint16_t u16(const uint8_t* from) { return static_cast<uint16_t>(from[0] << 8 | from[1]); }

}  // namespace

size_t jpeg_length(const uint8_t* jpeg, size_t count) {
    if (count < 4 || jpeg[0] != 0xff || jpeg[1] != 0xd8) return 0;
    const size_t least = count > kMostPadding ? count - kMostPadding : 2;
    for (size_t end = count; end >= least + 2; end--) {
        if (jpeg[end - 2] == 0xff && jpeg[end - 1] == 0xd9) return end;
    }
    return 0;
}

bool jpeg_size(const uint8_t* jpeg, size_t count, uint16_t* width, uint16_t* height) {
    // Two bytes of a marker and two of its length, each time.
    for (size_t at = 2; at + 4 <= count;) {
        if (jpeg[at] != 0xff) return false;
        const uint8_t marker = jpeg[at + 1];
        const uint16_t length = u16(jpeg + at + 2);
        if (marker == kScan || length < 2) return false;
        if (is_frame_header(marker)) {
            if (length < kFrameHeader || at + 2 + kFrameHeader > count) return false;
            *height = u16(jpeg + at + 5);
            *width = u16(jpeg + at + 7);
            return *width > 0 && *height > 0;
        }
        at += 2 + static_cast<size_t>(length);
    }
    return false;
}

}  // namespace larder
