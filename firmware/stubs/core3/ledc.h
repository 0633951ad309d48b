// Stub for type checks: LEDC as core 3 has it, by pin.
#pragma once

#include <stdint.h>

bool ledcAttach(uint8_t pin, uint32_t hz, uint8_t bits);
bool ledcAttachChannel(uint8_t pin, uint32_t hz, uint8_t bits, int8_t channel);
bool ledcWrite(uint8_t pin, uint32_t duty);
