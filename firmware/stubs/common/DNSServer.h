// Stub: arduino-esp32, libraries/DNSServer/src/DNSServer.h, 3.0 (read at commit 4998243). Core 2.0.x takes the port by
// reference.
#pragma once

#include <Arduino.h>

class DNSServer {
public:
    bool start(uint16_t port, const String& name, const IPAddress& address);
    void processNextRequest();
};
