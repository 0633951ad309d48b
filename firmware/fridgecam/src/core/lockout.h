// When a board that was set up asks anew: its portal is the way back from a mistyped password.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "console.h"

namespace larder {

/// Minutes in which a network that was never joined since it was set is tried before the portal opens.
constexpr uint32_t kNeverJoinedMs = 3 * 60 * 1000;
/// A portal that opened although the board is set up, and that nobody uses, closes again after this time.
constexpr uint32_t kUnusedPortalMs = 10 * 60 * 1000;
/// A start counts as quick until the board has run for this time.
constexpr uint32_t kQuickResetMs = 10000;
constexpr uint8_t kQuickResets = 3;

/// Stands for a network's name and password. A board keeps it when it has joined, so that a changed one counts as new.
uint32_t network_mark(const Settings& settings);

/// How many quick starts there were in a row, this one too. Only those by hand count: by the button or the plug, and
/// not by a failing supply, a watchdog or a command. `reason`: ESP-IDF's `esp_reset_reason_t`.
uint8_t quick_starts(uint8_t before, uint8_t reason);

/// A button that has to be held: pressed soon after the start and not let go for a while.
class LongPress {
public:
    static constexpr uint32_t kSoonMs = 1500;
    static constexpr uint32_t kHeldMs = 3000;
    enum class State { Undecided, Held, Not };

    explicit LongPress(uint32_t now_ms) : began_ms_(now_ms), pressed_ms_(0), is_pressed_(false) {}
    State tick(bool is_down, uint32_t now_ms);

private:
    uint32_t began_ms_;
    uint32_t pressed_ms_;
    bool is_pressed_;
};

}  // namespace larder
