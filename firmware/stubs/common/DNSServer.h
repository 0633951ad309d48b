// Stub for type checks.
#pragma once

#include <Arduino.h>

class DNSServer {
public:
    bool start(uint16_t port, const String& name, const IPAddress& address);
    void processNextRequest();
};
