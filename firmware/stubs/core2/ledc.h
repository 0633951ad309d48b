// Stub for type checks: LEDC as core 2 has it, by channel.
#pragma once

#include <stdint.h>

uint32_t ledcSetup(uint8_t channel, uint32_t hz, uint8_t bits);
void ledcAttachPin(uint8_t pin, uint8_t channel);
void ledcWrite(uint8_t channel, uint32_t duty);
