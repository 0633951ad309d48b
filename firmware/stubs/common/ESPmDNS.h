// Stub: arduino-esp32, libraries/ESPmDNS/src/ESPmDNS.h, 2.0 (read at commit 0f17f7d). It includes mdns.h, whose
// functions the sketch uses itself: `IP` and core 3's `address` give the first address of each answer alone.
#pragma once

#include <Arduino.h>
#include <mdns.h>

class MDNSResponder {
public:
    bool begin(const String& name);
    bool begin(const char* name);
};
extern MDNSResponder MDNS;
