// Stub for type checks: the library OneWire.
#pragma once

#include <stdint.h>

class OneWire {
public:
    explicit OneWire(uint8_t pin);
};
