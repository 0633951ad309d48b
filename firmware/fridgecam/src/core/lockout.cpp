#include "lockout.h"

#include "crc32.h"

namespace larder {

namespace {

// ESP_RST_POWERON and ESP_RST_EXT (esp_system.h); on an ESP32 the reset button is the first.
constexpr uint8_t kPowerOn = 1;
constexpr uint8_t kExternal = 2;

}  // namespace

uint32_t network_mark(const Settings& settings) {
    const uint32_t name = crc32(0, reinterpret_cast<const uint8_t*>(settings.ssid), sizeof settings.ssid);
    return crc32(name, reinterpret_cast<const uint8_t*>(settings.password), sizeof settings.password);
}

uint8_t quick_starts(uint8_t before, uint8_t reason) {
    if (reason != kPowerOn && reason != kExternal) return 0;
    return before < kQuickResets ? static_cast<uint8_t>(before + 1) : kQuickResets;
}

LongPress::State LongPress::tick(bool is_down, uint32_t now_ms) {
    if (is_pressed_ && !is_down) return State::Not;
    if (is_down && !is_pressed_) {
        is_pressed_ = true;
        pressed_ms_ = now_ms;
    }
    if (!is_pressed_) return now_ms - began_ms_ >= kSoonMs ? State::Not : State::Undecided;
    return now_ms - pressed_ms_ >= kHeldMs ? State::Held : State::Undecided;
}

}  // namespace larder
