#include "rescue.h"

#include <Arduino.h>

#include "board.h"
#include "lamp.h"
#include "settings_store.h"
#include "src/core/lockout.h"
#include "state.h"
#include "wlan.h"

namespace rescue {

namespace {

bool is_settled;
bool is_given_up;

bool is_held() {
    lamp::show(lamp::Sign::Portal);
    pinMode(board::kButtonPin, INPUT_PULLUP);
    larder::LongPress press(millis());
    for (;;) {
        switch (press.tick(digitalRead(board::kButtonPin) == LOW, millis())) {
            case larder::LongPress::State::Held: return true;
            case larder::LongPress::State::Not: return false;
            case larder::LongPress::State::Undecided: delay(10); break;
        }
    }
}

}  // namespace

bool wants_portal() {
    const uint8_t count = larder::quick_starts(settings_store::quick_starts(), state::reset_reason());
    const bool is_third = count >= larder::kQuickResets;
    settings_store::set_quick_starts(is_third ? 0 : count);
    return settings_store::takes_portal() || is_third || is_held();
}

void tend() {
    const uint32_t now_ms = millis();
    if (!is_settled && now_ms >= larder::kQuickResetMs) {
        is_settled = true;
        if (settings_store::quick_starts() != 0) settings_store::set_quick_starts(0);
    }
    if (wlan::was_joined() || is_given_up || now_ms < larder::kNeverJoinedMs) return;
    Serial.println("wifi: this network was never joined: is its password right? The portal opens");
    if (settings_store::want_portal()) ESP.restart();
    // Without that a restart would be in vain.
    is_given_up = true;
}

}  // namespace rescue
