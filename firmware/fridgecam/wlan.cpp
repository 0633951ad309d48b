#include "wlan.h"

#include <Arduino.h>
#include <ESPmDNS.h>
#include <WiFi.h>
#include <string.h>

namespace wlan {

namespace {

// The driver tries by itself; what it has not done in this time it does not do without help.
constexpr uint32_t kHelpMs = 30000;

uint32_t down_since_ms;
char name[16];

}  // namespace

void begin(const larder::Settings& settings) {
    snprintf(name, sizeof name, "fridgecam-%02x%02x", settings.camera[14], settings.camera[15]);
    WiFi.persistent(false);
    WiFi.mode(WIFI_STA);
    WiFi.setHostname(name);
    WiFi.setAutoReconnect(true);
    WiFi.begin(settings.ssid, settings.password[0] != 0 ? settings.password : nullptr);
    // Asleep between beacons it would answer a hub's packets a tenth of a second late.
    WiFi.setSleep(false);
    MDNS.begin(name);
    down_since_ms = millis();
}

bool is_up() { return WiFi.status() == WL_CONNECTED; }

void tend() {
    const uint32_t now_ms = millis();
    if (is_up()) {
        down_since_ms = now_ms;
    } else if (now_ms - down_since_ms > kHelpMs) {
        down_since_ms = now_ms;
        WiFi.reconnect();
    }
}

bool find_hub(const larder::Settings& settings, char host[64], uint16_t* port) {
    if (settings.hub[0] != 0) {
        strncpy(host, settings.hub, 63);
        host[63] = 0;
        *port = settings.hub_port;
        return true;
    }
    if (MDNS.queryService("larder", "tcp") < 1) return false;
#if ESP_ARDUINO_VERSION_MAJOR >= 3
    const IPAddress address = MDNS.address(0);
#else
    const IPAddress address = MDNS.IP(0);
#endif
    snprintf(host, 64, "%u.%u.%u.%u", address[0], address[1], address[2], address[3]);
    *port = MDNS.port(0);
    return true;
}

}  // namespace wlan
