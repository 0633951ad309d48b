#include "pictures.h"

#include <dirent.h>

#include <algorithm>
#include <cstdio>

namespace host {

namespace {

/// Appends whole bytes of a JPEG's entropy data.
class Bits {
public:
    explicit Bits(std::vector<uint8_t>* to) : to_(to) {}

    void put(uint32_t bits, int count) {
        while (count-- > 0) {
            byte_ = static_cast<uint8_t>(byte_ << 1 | (bits >> count & 1));
            if (++filled_ == 8) flush();
        }
    }

    /// The last byte ends with ones.
    void end() {
        while (filled_ != 0) put(1, 1);
    }

private:
    void flush() {
        to_->push_back(byte_);
        if (byte_ == 0xff) to_->push_back(0);
        filled_ = 0;
    }

    std::vector<uint8_t>* to_;
    uint8_t byte_ = 0;
    int filled_ = 0;
};

void segment(std::vector<uint8_t>* to, uint8_t marker, const std::vector<uint8_t>& body) {
    const size_t size = body.size() + 2;
    const uint8_t head[] = {0xff, marker, static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)};
    to->insert(to->end(), head, head + sizeof head);
    to->insert(to->end(), body.begin(), body.end());
}

}  // namespace

bool Pictures::use_folder(const std::string& path) {
    DIR* folder = opendir(path.c_str());
    if (folder == nullptr) return false;
    std::vector<std::string> names;
    while (const dirent* entry = readdir(folder)) names.push_back(entry->d_name);
    closedir(folder);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
        FILE* file = fopen((path + "/" + name).c_str(), "rb");
        if (file == nullptr) continue;
        std::vector<uint8_t> bytes(larder::kMostFrame);
        bytes.resize(fread(bytes.data(), 1, bytes.size(), file));
        fclose(file);
        if (larder::jpeg_length(bytes.data(), bytes.size()) > 0) files_.push_back(std::move(bytes));
    }
    return !files_.empty();
}

bool Pictures::take(larder::Picture* picture) {
    if (files_.empty()) {
        draw();
    } else {
        picture_ = files_[count_ % files_.size()];
    }
    count_++;
    *picture = {picture_.data(), picture_.size(), quality_, flags, board_->now_us()};
    flags = 0;
    return true;
}

/// One grey for all, of 256: blocks of 8 x 8 pixels with a mean alone. A comment holds the number and fills the
/// picture up to what a camera's would weigh.
void Pictures::draw() {
    picture_ = {0xff, 0xd8};
    std::vector<uint8_t> comment(20000);
    for (size_t at = 0; at < comment.size(); at++) {
        comment[at] = static_cast<uint8_t>((count_ + at) * 2654435761u >> 24);
    }
    for (size_t at = 0; at < 4; at++) comment[at] = static_cast<uint8_t>(count_ >> (24 - 8 * at));
    segment(&picture_, 0xfe, comment);
    std::vector<uint8_t> quantisation(65, 1);
    quantisation[0] = 0;
    segment(&picture_, 0xdb, quantisation);
    const auto high = [](uint16_t value) { return static_cast<uint8_t>(value >> 8); };
    const auto low = [](uint16_t value) { return static_cast<uint8_t>(value); };
    segment(&picture_, 0xc0, {8, high(height), low(height), high(width), low(width), 1, 1, 0x11, 0});
    // Differences of the mean: "0" is none, "10" has ten bits. Everything else: "0" is the end of the block.
    std::vector<uint8_t> means = {0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10};
    std::vector<uint8_t> others = {0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    segment(&picture_, 0xc4, means);
    segment(&picture_, 0xc4, others);
    segment(&picture_, 0xda, {1, 1, 0, 0, 63, 0});
    Bits bits(&picture_);
    const int blocks = (width + 7) / 8 * ((height + 7) / 8);
    // Ten bits of size hold -1023 to -512 and 512 to 1023: darker or lighter than the middle by 64 to 127.
    const uint32_t shade = count_ * 7 % 512;
    bits.put(2, 2);
    bits.put(count_ % 2 == 0 ? 512 + shade : 511 - shade, 10);
    bits.put(0, 1);
    for (int block = 1; block < blocks; block++) bits.put(0, 2);
    bits.end();
    picture_.push_back(0xff);
    picture_.push_back(0xd9);
}

}  // namespace host
