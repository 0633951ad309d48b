// The flash and the servos, on LEDC channels whose timers the camera's clock does not use.
#pragma once

#include <stdint.h>

namespace pwm {

void begin();
/// 0 off to 255.
void flash(uint8_t level);
bool is_flash_on();
/// Degrees from the middle, -90 to 90.
void turn(int8_t pan, int8_t tilt);

}  // namespace pwm
