// Stub: arduino-esp32 2.0.x, cores/esp32/esp32-hal-ledc.h: by channel. Read at commit 01c8cae, where frequencies are
// still `double`; later ones take and return uint32_t.
#pragma once

#include <stdint.h>

uint32_t ledcSetup(uint8_t channel, uint32_t hz, uint8_t bits);
void ledcAttachPin(uint8_t pin, uint8_t channel);
void ledcWrite(uint8_t channel, uint32_t duty);
