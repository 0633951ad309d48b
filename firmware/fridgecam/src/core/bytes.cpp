#include "bytes.h"

namespace larder {

void Writer::text(const char* from, size_t most) {
    char kept[256];
    size_t size = 0;
    if (most > 255) most = 255;
    for (; *from; from++) {
        const uint8_t byte = static_cast<uint8_t>(*from);
        if (byte < 0x20 || byte == 0x7f) continue;
        if (size == most) {
            // The next byte did not fit: if it continues a character, that character goes as a whole.
            while (size > 0 && (static_cast<uint8_t>(*from) & 0xc0) == 0x80) {
                from = &kept[--size];
            }
            break;
        }
        kept[size++] = *from;
    }
    u8(static_cast<uint8_t>(size));
    bytes(kept, size);
}

void Reader::text(char* to, size_t most) {
    size_t size = u8();
    if (size > most) {
        ok_ = false;
        size = 0;
    }
    bytes(to, size);
    to[size] = 0;
    for (size_t at = 0; at < size; at++) {
        if (to[at] < 0x20 || to[at] > 0x7e) ok_ = false;
    }
}

}  // namespace larder
