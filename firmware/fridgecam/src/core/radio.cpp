#include "radio.h"

namespace larder {

namespace {

bool is_past(uint32_t time_ms, uint32_t now_ms) { return static_cast<int32_t>(now_ms - time_ms) >= 0; }

}  // namespace

Remedy Radio::tend(bool is_up, uint32_t now_ms) {
    const uint32_t silent_ms = now_ms - heard_ms_;
    if (silent_ms >= kRestartMs) return Remedy::Restart;
    const bool is_down = !is_up;
    if (is_down != is_down_) {
        is_down_ = is_down;
        helps_ = 0;
        help_at_ms_ = now_ms + (is_down ? kFirstHelpMs : kSilentHelpMs);
    }
    // As long as the hub is heard the connection is no business of this.
    if (!is_down && silent_ms < kSilentHelpMs) {
        helps_ = 0;
        help_at_ms_ = heard_ms_ + kSilentHelpMs;
    }
    if (!is_past(help_at_ms_, now_ms)) return Remedy::None;
    helps_++;
    help_at_ms_ = now_ms + (is_down ? kHelpMs : kSilentHelpMs);
    // When it seems to be up, the second help is the strong one: a third would come near the restart.
    const uint32_t cycle_at = is_down ? kHelpsToCycle : 2;
    return helps_ % cycle_at == 0 ? Remedy::RadioOffAndOn : Remedy::Reconnect;
}

}  // namespace larder
