// Stub: PaulStoffregen/OneWire, OneWire.h, 2.3.x (read at commit 6ad660a).
#pragma once

#include <stdint.h>

class OneWire {
public:
    OneWire(uint8_t pin);
};
