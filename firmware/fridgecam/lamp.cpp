#include "lamp.h"

#include <Arduino.h>

#include "board.h"

namespace lamp {

namespace {

volatile Sign shown = Sign::NoWlan;

bool is_lit(Sign sign, uint32_t now_ms) {
    switch (sign) {
        case Sign::Sending: return now_ms % 5000 < 50;
        case Sign::Dialling: return now_ms % 1000 < 500;
        case Sign::NoWlan: return now_ms % 500 < 250;
        case Sign::Portal: return true;
        case Sign::NoCamera: return now_ms % 2000 < 900 && now_ms % 300 < 150;
        case Sign::Refused: return now_ms % 200 < 100;
    }
    return false;
}

}  // namespace

void begin() { pinMode(board::kLampPin, OUTPUT); }

void show(Sign sign) {
    shown = sign;
    tend();
}

void tend() { digitalWrite(board::kLampPin, is_lit(shown, millis()) ? LOW : HIGH); }

}  // namespace lamp
