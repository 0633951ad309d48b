// Stub: arduino-esp32 3.0, cores/esp32/esp32-hal-ledc.h: by pin. Declared as sketches use it.
#pragma once

#include <stdint.h>

bool ledcAttach(uint8_t pin, uint32_t hz, uint8_t bits);
bool ledcAttachChannel(uint8_t pin, uint32_t hz, uint8_t bits, int8_t channel);
bool ledcWrite(uint8_t pin, uint32_t duty);
