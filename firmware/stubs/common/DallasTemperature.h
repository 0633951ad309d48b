// Stub for type checks: the library DallasTemperature.
#pragma once

#include "OneWire.h"

#define DEVICE_DISCONNECTED_C -127

typedef uint8_t DeviceAddress[8];

class DallasTemperature {
public:
    explicit DallasTemperature(OneWire* wire);
    void begin();
    void setWaitForConversion(bool wait);
    void setResolution(uint8_t bits);
    bool getAddress(uint8_t* address, uint8_t index);
    void requestTemperatures();
    float getTempC(const uint8_t* address);
};
