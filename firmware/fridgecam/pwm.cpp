#include "pwm.h"

#include <Arduino.h>

#include "board.h"

namespace pwm {

namespace {

constexpr uint32_t kFlashHz = 5000;
constexpr uint8_t kFlashBits = 8;
constexpr uint32_t kServoHz = 50;
// Of 16 bits, 20 ms: 1.5 ms are the middle, 1 ms more or less is a quarter turn.
constexpr uint8_t kServoBits = 16;
constexpr uint32_t kPeriodUs = 20000;
constexpr uint32_t kMiddleUs = 1500;
constexpr int32_t kQuarterUs = 1000;

volatile uint8_t flash_level;
bool has_servos;

// Core 3 knows LEDC outputs by their pin, core 2 by their channel.
#if ESP_ARDUINO_VERSION_MAJOR >= 3
bool attach(int pin, uint8_t channel, uint32_t hz, uint8_t bits) {
    return ledcAttachChannel(static_cast<uint8_t>(pin), hz, bits, channel);
}
void set(int pin, uint8_t, uint32_t duty) { ledcWrite(static_cast<uint8_t>(pin), duty); }
#else
bool attach(int pin, uint8_t channel, uint32_t hz, uint8_t bits) {
    if (ledcSetup(channel, hz, bits) == 0) return false;
    ledcAttachPin(static_cast<uint8_t>(pin), channel);
    return true;
}
void set(int, uint8_t channel, uint32_t duty) { ledcWrite(channel, duty); }
#endif

uint32_t duty(int8_t degrees) {
    const int32_t us = static_cast<int32_t>(kMiddleUs) + degrees * kQuarterUs / 90;
    return (static_cast<uint32_t>(us) << kServoBits) / kPeriodUs;
}

}  // namespace

void begin() { attach(board::kFlashPin, board::kFlashChannel, kFlashHz, kFlashBits); }

void flash(uint8_t level) {
    flash_level = level;
    set(board::kFlashPin, board::kFlashChannel, level);
}

bool is_flash_on() { return flash_level > 0; }

void turn(int8_t pan, int8_t tilt) {
    // Only once asked: 14 and 15 are the card slot's, and a servo that is not there needs no pulses.
    if (!has_servos) {
        attach(board::kPanPin, board::kPanChannel, kServoHz, kServoBits);
        attach(board::kTiltPin, board::kTiltChannel, kServoHz, kServoBits);
        has_servos = true;
    }
    set(board::kPanPin, board::kPanChannel, duty(pan));
    set(board::kTiltPin, board::kTiltChannel, duty(tilt));
}

}  // namespace pwm
