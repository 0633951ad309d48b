// Settings as they stand in the board's flash: one record, written and checked as a whole.
#pragma once

#include "console.h"

namespace larder {

constexpr size_t kRecordLen = 219;
constexpr uint8_t kUsualXclkMhz = 20;

/// A place in the flash for one record.
class Vault {
public:
    virtual ~Vault() {}
    virtual bool write(const uint8_t* record, size_t count) = 0;
    /// How many bytes it holds; 0 when none, or more than there is room for.
    virtual size_t read(uint8_t* to, size_t room) = 0;
    virtual bool erase() = 0;
};

/// What holds before anything was set.
Settings first_settings();
/// True only when they stand in the flash and can be read again.
bool keep(const Settings& settings, Vault* vault);
/// False when there are none, or a damaged record: those that hold first then.
bool load(Vault* vault, Settings* settings);

}  // namespace larder
