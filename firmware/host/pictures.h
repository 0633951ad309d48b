// Where a camera without a lens takes its pictures from.
#pragma once

#include <string>
#include <vector>

#include "../fridgecam/src/core/runner.h"

namespace host {

/// JPEG files of a folder, in the order of their names, again and again; or, without a folder, drawn grey ones, each a
/// little different from all before.
class Pictures : public larder::Eye {
public:
    explicit Pictures(larder::Board* board) : board_(board) {}

    /// False when the folder holds no JPEG.
    bool use_folder(const std::string& path);

    bool take(larder::Picture* picture) override;
    void give_back() override {}
    void set_quality(uint8_t quality) override { quality_ = quality; }

    uint16_t width = 640;
    uint16_t height = 480;
    /// For the next picture alone.
    uint8_t flags = 0;

private:
    void draw();

    larder::Board* board_;
    std::vector<std::vector<uint8_t>> files_;
    std::vector<uint8_t> picture_;
    uint32_t count_ = 0;
    uint8_t quality_ = 12;
};

}  // namespace host
