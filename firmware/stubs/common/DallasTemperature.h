// Stub: milesburton/Arduino-Temperature-Control-Library, DallasTemperature.h, 4.0 (read in part: its requests);
// `requestTemperatures` returned void up to 3.8.1 (read at commit b67d877). `getTempC` has a second argument with a
// default in 4.0.
#pragma once

#include "OneWire.h"

#define DEVICE_DISCONNECTED_C -127

typedef uint8_t DeviceAddress[8];

class DallasTemperature {
public:
    struct request_t {
        bool result;
        unsigned long timestamp;
        operator bool() { return result; }
    };

    DallasTemperature(OneWire* wire);
    void begin();
    void setWaitForConversion(bool wait);
    void setResolution(uint8_t bits);
    bool getAddress(uint8_t* address, uint8_t index);
    request_t requestTemperatures();
    float getTempC(const uint8_t* address, uint8_t retries = 0);
};
