// Stub for type checks: mDNS as core 3 has it.
#pragma once

#include <Arduino.h>

class MDNSResponder {
public:
    bool begin(const char* name);
    int queryService(const char* service, const char* protocol);
    IPAddress address(int index);
    uint16_t port(int index);
};
extern MDNSResponder MDNS;
