// Whether the Wi-Fi works, and what to do when it does not.
#pragma once

#include <stdint.h>

namespace larder {

enum class Remedy { None, Reconnect, RadioOffAndOn, Restart };

/// Told of events by one task and asked by others.
class Radio {
public:
    /// The driver tries by itself; what it has not done in this time it does not do without help.
    static constexpr uint32_t kFirstHelpMs = 10000;
    static constexpr uint32_t kHelpMs = 30000;
    /// Every fourth time by switching the radio off and on.
    static constexpr uint32_t kHelpsToCycle = 4;
    /// A connection that stands may be one in name alone: without a word from the hub it is renewed too.
    static constexpr uint32_t kSilentHelpMs = 3 * 60 * 1000;
    static constexpr uint32_t kRestartMs = 15 * 60 * 1000;

    Radio() : has_address_(false), is_down_(true), helps_(0), help_at_ms_(kFirstHelpMs), heard_ms_(0) {}

    /// The network gave an address.
    void got_address() { has_address_ = true; }
    /// The connection or the address is gone.
    void lost() { has_address_ = false; }
    /// Up when the events say so and the driver is associated with an access point: each of them is wrong at times.
    bool is_up(bool is_associated) const { return has_address_ && is_associated; }

    /// The hub answered, with a welcome or without: the network works.
    void heard(uint32_t now_ms) { heard_ms_ = now_ms; }

    /// What to do now; call often.
    Remedy tend(bool is_up, uint32_t now_ms);

private:
    volatile bool has_address_;
    bool is_down_;
    uint32_t helps_;
    uint32_t help_at_ms_;
    volatile uint32_t heard_ms_;
};

}  // namespace larder
